//! Which members stand where, and of what type (FORMATS.md 3 and 4).
//!
//! One walk finds both kinds of fault, because what is unknown decides before what is false within one entry.

use super::json::{Kind, Value};
use super::lie::{Fault, Judged, lie, unknown};
use super::text;

/// The type of a member.
#[derive(Clone, Copy)]
pub(super) enum Type {
    /// An integer, from the one given.
    Count(i64),
    /// Microseconds since 1970.
    Time,
    Flag,
    Hash,
    Id,
    /// A string of 1 to 200 code points.
    Text,
    Pin,
    /// `system` or an id.
    Actor,
    /// The version of the format: 1, or unknown.
    Version,
    /// Any string; what is in it is read elsewhere.
    Free,
    /// Any object; compared elsewhere, never read.
    Subject,
    /// base64url of so many bytes.
    Bytes(usize, usize),
    /// One of a closed list.
    Word(&'static [&'static str]),
    /// Distinct words of a closed list.
    Words(&'static [&'static str]),
    /// Distinct ids.
    Ids,
    /// Strings of 1 to 200.
    Texts,
    /// Distinct strings of 1 to 200, at least one.
    Names,
    /// Strictly ascending seqs.
    Seqs,
    Object(&'static [Member]),
    Objects(&'static [Member]),
}

/// One member of an object.
#[derive(Clone, Copy)]
pub(super) struct Member {
    name: &'static str,
    kind: Type,
    optional: bool,
}

const fn m(name: &'static str, kind: Type) -> Member {
    Member {
        name,
        kind,
        optional: false,
    }
}

const fn maybe(name: &'static str, kind: Type) -> Member {
    Member {
        name,
        kind,
        optional: true,
    }
}

use Type::*;

const RAW: Type = Bytes(0, 65_536);
const KEY: Type = Bytes(32, 32);
/// What a person may do. The order is that of the bits in [`super::event::Roles`].
pub(super) const ROLES: &[&str] = &["requester", "approver", "custodian", "auditor", "operator"];
const SECRETS: &[&str] = &["password", "key_pair", "token", "totp", "note", "file"];

// Every table is in the order of its names; `tables_are_sorted` checks that.

/// An entry; `data` by its event.
pub(super) static ENTRY: &[Member] = &[
    m("actor", Actor),
    m("data", Subject),
    m("event", Free),
    m("prev", Hash),
    m("seq", Count(0)),
    m("time", Time),
    m("v", Version),
];

static ASSERTION: &[Member] = &[
    m("authenticator_data", RAW),
    m("client_data_json", RAW),
    m("signature", RAW),
];
static REGISTRATION: &[Member] = &[m("attestation_object", RAW), m("client_data_json", RAW)];
static SECOND: &[Member] = &[m("assertion", Object(ASSERTION)), m("authenticator", Id)];
static IMPORTED: &[Member] = &[
    m("assertion", Object(ASSERTION)),
    m("authenticator", Id),
    m("statement", Free),
];
/// `data` of a signed event.
pub(super) static SIGNED: &[Member] = IMPORTED;
/// `data` of `authenticator.enrolled`.
pub(super) static ENROLLED: &[Member] = &[
    maybe("admission", Object(SECOND)),
    m("assertion", Object(ASSERTION)),
    m("authenticator", Id),
    m("registration", Object(REGISTRATION)),
    m("statement", Free),
];
static CONTINUES: &[Member] = &[
    m("checkpoint", Hash),
    m("ledger", Hash),
    m("size", Count(1)),
];
pub(super) static FOUNDED: &[Member] = &[
    m("checkpoint_keys", Names),
    maybe("continues", Object(CONTINUES)),
    m("name", Text),
    m("origins", Names),
    m("rp_id", Text),
];
/// `data` of entry 1: an invitation that nobody signed.
pub(super) static FIRST: &[Member] = &[
    m("expires", Time),
    m("invitation", Hash),
    m("kind", Free),
    m("ledger", Hash),
    m("name", Text),
    m("nonce", KEY),
    m("roles", Words(ROLES)),
    m("user", Id),
    m("v", Version),
];
pub(super) static DISTRUSTED: &[Member] = &[m("authenticator", Id), m("counter", Count(0))];
pub(super) static REQUEST_ENDED: &[Member] = &[
    m("request", Id),
    m(
        "why",
        Word(&["withdrawn", "expired", "denied", "superseded", "restored"]),
    ),
];
static APPROVER: &[Member] = &[m("authenticators", Ids), m("name", Text), m("user", Id)];
static NEW: &[Member] = &[
    m("approvers", Objects(APPROVER)),
    m("denials", Count(1)),
    m("drill", Flag),
    m("epoch", Count(1)),
    m("grant_life_s", Count(1)),
    m("m", Count(1)),
    m("name", Text),
    m("request_life_s", Count(1)),
];
pub(super) static ROSTER_SET: &[Member] = &[
    m("acceptances", Seqs),
    m("approvals", Seqs),
    m("new", Object(NEW)),
    m("request", Id),
    m("safe", Id),
];
/// What the acting entries of `role`, `target`, `destroy` and `reseal` have besides their purpose's members.
pub(super) static ACTED: &[Member] = &[m("approvals", Seqs), m("request", Id), m("safe", Id)];
pub(super) static SEALED: &[Member] = &[
    m("authenticators", Ids),
    m("credential", Id),
    m("envelope", Hash),
    m("epoch", Count(1)),
    maybe("import", Object(IMPORTED)),
    m("key_commitment", Hash),
    m("origin", Word(&["generated", "imported", "resealed"])),
    m("roster", Hash),
    m("safe", Id),
    m("version", Count(1)),
];
pub(super) static OPENED: &[Member] = &[
    m("approvals", Seqs),
    m("credential", Id),
    m("envelope", Hash),
    m("epoch", Count(1)),
    m("request", Id),
    m("requester", Id),
    m("roster", Hash),
    m("safe", Id),
    m("version", Count(1)),
];
pub(super) static CLOSED: &[Member] =
    &[m("request", Id), m("why", Word(&["checked_in", "expired"]))];
pub(super) static REFUSED: &[Member] = &[m("request", Id), m("why", Text)];
pub(super) static SHARE_REFUSED: &[Member] = &[m("approver", Id), m("request", Id), m("why", Text)];
pub(super) static GRANT_STARTED: &[Member] = &[
    m("approvals", Seqs),
    m("grant", Id),
    m("request", Id),
    m("target", Id),
    m("until", Time),
];
pub(super) static GRANT_ENDED: &[Member] = &[m("grant", Id), m("why", Text)];
pub(super) static ROTATION: &[Member] = &[
    m("credential", Id),
    m("observed", Text),
    m("rotation", Id),
    m("version", Count(1)),
];
pub(super) static NOTHING: &[Member] = &[];
pub(super) static KEK: &[Member] = &[m("key", Id), maybe("previous_key", Id), m("token", Text)];
pub(super) static KEYS_CHANGED: &[Member] = &[m("checkpoint_keys", Names)];
static PAGE: &[Member] = &[m("path", Text), m("sha256", Hash)];
pub(super) static STARTED: &[Member] = &[
    m("pages", Objects(PAGE)),
    m("program_sha256", Hash),
    m("release", Text),
];
pub(super) static DRILL: &[Member] = &[
    m("outcome", Word(&["passed", "failed"])),
    m("report_sha256", Hash),
    m("safe", Id),
];

// Statements.

pub(super) static LOGIN: &[Member] = &[
    m("kind", Free),
    m("ledger", Hash),
    m("nonce", KEY),
    m("v", Version),
];
pub(super) static REGISTER: &[Member] = &[
    maybe("invitation", Hash),
    m("kind", Free),
    m("ledger", Hash),
    m("nonce", KEY),
    m("user", Id),
    m("v", Version),
];
pub(super) static PROVE: &[Member] = &[
    m("kind", Free),
    m("ledger", Hash),
    m("nonce", KEY),
    m("user", Id),
    m("v", Version),
];
/// What every statement has that somebody signs.
pub(super) static COMMON: &[Member] = &[
    m("kind", Free),
    m("ledger", Hash),
    m("nonce", KEY),
    m("signer", Id),
    m("v", Version),
];
pub(super) static INVITE: &[Member] = &[
    m("expires", Time),
    m("invitation", Hash),
    m("name", Text),
    m("roles", Words(ROLES)),
    m("user", Id),
];
pub(super) static CHANGE_ROLES: &[Member] = &[m("roles", Words(ROLES)), m("user", Id)];
pub(super) static ENROL: &[Member] = &[
    m("aaguid", Bytes(16, 16)),
    m("authenticator", Id),
    m("credential_id", Bytes(1, 1023)),
    maybe("invitation", Hash),
    m("name", Text),
    m("public_key", Bytes(65, 65)),
    m("registration_sha256", Hash),
    maybe("share_key", KEY),
    m("user", Id),
];
pub(super) static KEY_ACT: &[Member] = &[m("authenticator", Id), m("user", Id), m("why", Text)];
/// A request without its purpose's members.
pub(super) static REQUEST: &[Member] = &[
    m("expires", Time),
    m("kind", Free),
    m("ledger", Hash),
    m("nonce", KEY),
    m("purpose", Free),
    m("reason_commitment", Hash),
    m("request", Id),
    m("requester_name", Text),
    m("roster", Hash),
    m("safe", Id),
    m("signer", Id),
    maybe("ticket", Text),
    m("v", Version),
];
static SEALED_AS: &[Member] = &[
    m("kind", Word(SECRETS)),
    m("name", Text),
    maybe("target", Id),
];
pub(super) static RELEASE: &[Member] = &[
    m("credential", Id),
    m("delivery_key", KEY),
    m("duration_s", Count(1)),
    m("envelope", Hash),
    m("epoch", Count(1)),
    m("open_within_s", Count(1)),
    m("sealed_as", Object(SEALED_AS)),
    m("version", Count(1)),
];
pub(super) static ACCESS: &[Member] = &[
    m("delivery_key", KEY),
    m("duration_s", Count(1)),
    m("epoch", Count(1)),
    m("needed", Count(0)),
    m("role", Hash),
    m("role_name", Text),
    m("target", Id),
];
pub(super) static ROSTER: &[Member] = &[m("new", Object(NEW))];
pub(super) static ROLE: &[Member] = &[
    m("access", Hash),
    m("max_s", Count(1)),
    m("name", Text),
    m("needed", Count(0)),
    m("previous", Hash),
    m("target", Id),
    m("windows", Texts),
];
pub(super) static TARGET: &[Member] = &[
    m("account", Text),
    m("address", Text),
    m("connector", Text),
    m("credential", Id),
    m("pin", Pin),
    m("target", Id),
];
static ONE_VERSION: &[Member] = &[
    m("credential", Id),
    m("envelope", Hash),
    m("version", Count(1)),
];
pub(super) static RESEAL: &[Member] =
    &[m("delivery_key", KEY), m("versions", Objects(ONE_VERSION))];
pub(super) static DESTROY: &[Member] = &[m("versions", Objects(ONE_VERSION))];
pub(super) static RESTORE: &[Member] = &[m("checkpoint", Hash)];
pub(super) static APPROVAL: &[Member] = &[
    m("decision", Word(&["approve", "deny"])),
    m("entry", Hash),
    m("subject", Subject),
];
pub(super) static ACCEPTANCE: &[Member] = &[
    m("authenticator", Id),
    m("entry", Hash),
    m("subject", Subject),
];
pub(super) static IMPORT: &[Member] = &[
    m("credential", Id),
    m("envelope", Hash),
    m("safe", Id),
    m("version", Count(1)),
];
pub(super) static SETTING: &[Member] = &[m("name", Text), m("value", Text)];
pub(super) static CLOCK: &[Member] = &[m("entry", Hash), m("time", Time), m("why", Text)];

/// What was found so far in one entry.
#[derive(Default)]
pub(super) struct Found {
    unknown: Option<Fault>,
    lie: Option<Fault>,
}

impl Found {
    /// Notes a fault; the first of each kind stays.
    pub(super) fn note(&mut self, fault: Fault) {
        let place = match fault {
            Fault::Unknown(_) => &mut self.unknown,
            Fault::False(_) => &mut self.lie,
        };
        place.get_or_insert(fault);
    }

    /// Notes a fault if there is one.
    pub(super) fn judge<T>(&mut self, judged: Judged<T>) -> Option<T> {
        judged.map_err(|fault| self.note(fault)).ok()
    }

    /// What is unknown first, then what is false.
    pub(super) fn verdict(self) -> Judged {
        match self.unknown.or(self.lie) {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }

    /// Whether anything was noted.
    pub(super) fn is_clean(&self) -> bool {
        self.unknown.is_none() && self.lie.is_none()
    }

    fn is_not(&mut self, name: &str, what: &str) {
        if self.lie.is_none() {
            self.lie = Some(Fault::False(format!("`{name}` {what}").into()));
        }
    }
}

/// Walks the object `value` against the members of the two tables together.
pub(super) fn check(value: Value<'_>, tables: [&'static [Member]; 2], found: &mut Found) {
    if value.kind() != Kind::Object {
        found.note(lie("an object is missing"));
        return;
    }
    let [mut one, mut two] = tables;
    for (name, child) in value.children() {
        let here = advance(&mut one, name, found);
        let member = match here {
            Some(member) => Some(member),
            None => advance(&mut two, name, found),
        };
        match member {
            Some(member) => check_type(member.name, member.kind, child, found),
            None => found.note(unknown("an unknown member")),
        }
    }
    for rest in one.iter().chain(two) {
        missing(rest, found);
    }
}

/// The member `name` of a sorted table whose beginning is dropped up to there.
fn advance(
    table: &mut &'static [Member],
    name: &[u8],
    found: &mut Found,
) -> Option<&'static Member> {
    while let Some((first, rest)) = table.split_first() {
        // Most members stand where they are expected.
        if first.name.as_bytes() == name {
            *table = rest;
            return Some(first);
        }
        if first.name.as_bytes() > name {
            return None;
        }
        *table = rest;
        missing(first, found);
    }
    None
}

fn missing(member: &Member, found: &mut Found) {
    if !member.optional {
        found.is_not(member.name, "is missing");
    }
}

fn check_type(name: &'static str, kind: Type, value: Value<'_>, found: &mut Found) {
    let plain = || value.plain().unwrap_or(b"\"");
    let int = || value.int();
    let good = match kind {
        Count(from) => int().is_some_and(|n| n >= from),
        Time => int().is_some_and(|n| n >= 0),
        Flag => value.flag().is_some(),
        Hash => text::hex::<32>(plain()).is_some(),
        Id => text::id(plain()).is_some(),
        Text => value.code_points().is_some_and(|n| (1..=200).contains(&n)),
        Pin => text::is_pin(plain()),
        Actor => plain() == b"system" || text::id(plain()).is_some(),
        Free => value.kind() == Kind::Text,
        Subject => value.kind() == Kind::Object,
        Bytes(least, most) => {
            text::base64url_len(plain()).is_some_and(|n| (least..=most).contains(&n))
        }
        Word(words) => words.iter().any(|w| w.as_bytes() == plain()),
        Version => match int() {
            Some(1) => true,
            Some(_) => {
                found.note(unknown("an unknown `v`"));
                return;
            }
            None => false,
        },
        Words(words) => {
            let mut seen = 0_u32;
            value.kind() == Kind::Array
                && value.children().all(|(_, item)| {
                    let at = words
                        .iter()
                        .position(|w| Some(w.as_bytes()) == item.plain());
                    let bit = at.map_or(0, |at| 1_u32 << at);
                    let fresh = bit & !seen != 0;
                    seen |= bit;
                    fresh
                })
        }
        Ids => list(value, Id, found, name) && distinct(value),
        Texts => list(value, Text, found, name),
        Names => {
            list(value, Text, found, name) && distinct(value) && value.children().next().is_some()
        }
        Seqs => {
            let mut last = -1;
            value.kind() == Kind::Array
                && value.children().all(|(_, item)| {
                    let seq = item.int().unwrap_or(-1);
                    let rises = seq > last;
                    last = seq;
                    rises
                })
        }
        Object(members) => {
            if value.kind() == Kind::Object {
                check(value, [members, &[]], found);
            }
            value.kind() == Kind::Object
        }
        Objects(members) => {
            for (_, item) in value.children() {
                if item.kind() == Kind::Object {
                    check(item, [members, &[]], found);
                } else {
                    found.is_not(name, "is not of its type");
                }
            }
            value.kind() == Kind::Array
        }
    };
    if !good {
        found.is_not(name, "is not of its type");
    }
}

fn list(value: Value<'_>, kind: Type, found: &mut Found, name: &'static str) -> bool {
    for (_, item) in value.children() {
        check_type(name, kind, item, found);
    }
    value.kind() == Kind::Array
}

/// Whether no item of a list of strings stands there twice. Equal strings have one spelling.
fn distinct(value: Value<'_>) -> bool {
    let mut items: Vec<&[u8]> = value.children().map(|(_, item)| item.raw()).collect();
    items.sort_unstable();
    items.windows(2).all(|pair| match pair {
        [a, b] => a != b,
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::super::json::Tape;
    use super::*;

    fn sorted(table: &[Member]) {
        for pair in table.windows(2) {
            assert!(pair[0].name < pair[1].name, "{}", pair[1].name);
        }
        for member in table {
            if let Object(inner) | Objects(inner) = member.kind {
                sorted(inner);
            }
        }
    }

    #[test]
    fn tables_are_sorted() {
        for table in [
            ENTRY,
            SIGNED,
            ENROLLED,
            FOUNDED,
            FIRST,
            DISTRUSTED,
            REQUEST_ENDED,
            ROSTER_SET,
            ACTED,
            SEALED,
            OPENED,
            CLOSED,
            REFUSED,
            SHARE_REFUSED,
            GRANT_STARTED,
            GRANT_ENDED,
            ROTATION,
            KEK,
            KEYS_CHANGED,
            STARTED,
            DRILL,
            LOGIN,
            REGISTER,
            PROVE,
            COMMON,
            INVITE,
            CHANGE_ROLES,
            ENROL,
            KEY_ACT,
            REQUEST,
            RELEASE,
            ACCESS,
            ROSTER,
            ROLE,
            TARGET,
            RESEAL,
            DESTROY,
            RESTORE,
            APPROVAL,
            ACCEPTANCE,
            IMPORT,
            SETTING,
            CLOCK,
        ] {
            sorted(table);
        }
    }

    fn verdict(table: &'static [Member], text: &str) -> Judged {
        let mut tape = Tape::default();
        let mut found = Found::default();
        check(
            tape.parse(text.as_bytes()).unwrap(),
            [table, ACTED],
            &mut found,
        );
        found.verdict()
    }

    #[test]
    fn unknown_comes_before_false() {
        const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
        let ok = format!(
            r#"{{"approvals":[1,2],"grant":"{ID}","request":"{ID}","safe":"{ID}","why":"x"}}"#
        );
        assert_eq!(verdict(GRANT_ENDED, &ok), Ok(()));
        let text = ok.replace("[1,2]", "[2,2]");
        assert_eq!(
            verdict(GRANT_ENDED, &text),
            Err(Fault::False("`approvals` is not of its type".into()))
        );
        let text = text.replace("\"why\"", "\"who\":1,\"why\"");
        assert_eq!(
            verdict(GRANT_ENDED, &text),
            Err(unknown("an unknown member"))
        );
        let text = ok.replace(",\"why\":\"x\"", "");
        assert_eq!(
            verdict(GRANT_ENDED, &text),
            Err(Fault::False("`why` is missing".into()))
        );
        let text = ok.replace("\"why\":\"x\"", "\"why\":\"\"");
        assert_eq!(
            verdict(GRANT_ENDED, &text),
            Err(Fault::False("`why` is not of its type".into()))
        );
        assert_eq!(verdict(GRANT_ENDED, "[]"), Err(lie("an object is missing")));
    }
}
