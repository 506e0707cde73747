//! Entries (FORMATS.md 2 and 3): from bytes to typed events. All that needs no state is checked here, on any thread.

use aws_lc_rs::digest;

use super::assertion::{Scratch, Touch};
use super::json::{Kind as Json, Tape, Value};
use super::lie::{Fault, Judged, hold, lie, unknown};
use super::note::VerifierKey;
use super::schema::{self, Found, Member, check};
use super::statement::{
    self, Invite, Kind, NewRoster, Purpose, Statement, first_invitation, hash, id, int, labelled,
};
use super::text::{self, Hash, Id};

/// An entry's size, without its line feed: 64 KiB.
pub(super) const ENTRY_MAX: usize = 65_536;

/// What entry 0 fixes for ever.
pub(super) struct Founding {
    /// The ledger's name: the leaf of entry 0.
    pub(super) ledger: Hash,
    pub(super) name: String,
    pub(super) rp_hash: Hash,
    pub(super) origins: Vec<String>,
    pub(super) keys: Vec<VerifierKey>,
}

/// A set of roles, by their places in [`schema::ROLES`].
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Roles(u8);

impl Roles {
    pub(super) const REQUESTER: u8 = 1;
    pub(super) const APPROVER: u8 = 2;
    pub(super) const CUSTODIAN: u8 = 4;

    /// Adds the role at that place of the list.
    pub(super) fn add(&mut self, place: usize) {
        self.0 |= 1 << (place & 7);
    }

    /// Whether the role is among them.
    pub(super) fn has(self, role: u8) -> bool {
        self.0 & role != 0
    }
}

/// Who an entry says it is from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Actor {
    System,
    Id(Id),
}

/// An entry as far as it can be read without state.
pub(super) struct Entry {
    pub(super) leaf: Hash,
    pub(super) read: Result<Lines, &'static str>,
}

/// An entry whose bytes are canonical.
pub(super) struct Lines {
    /// Absent when missing or of another type.
    pub(super) seq: Option<i64>,
    pub(super) prev: Option<Hash>,
    pub(super) body: Judged<Body>,
}

/// The rest of an entry.
pub(super) struct Body {
    pub(super) time: i64,
    pub(super) actor: Actor,
    pub(super) event: Event,
}

/// What happened.
pub(super) enum Event {
    Founded(Box<Founding>),
    FirstInvited(Box<(Invite, [u8; 32])>),
    /// A person's word, and the touch it was given with.
    Signed(Box<Signed>),
    Distrusted {
        authenticator: Id,
    },
    RequestEnded {
        request: Id,
        why: Ended,
    },
    RosterSet(Box<RosterSet>),
    Acted(Box<Acted>),
    Sealed(Box<Sealed>),
    Opened(Box<Opened>),
    Closed {
        request: Id,
        expired: bool,
    },
    Refused {
        request: Id,
    },
    ShareRefused {
        request: Id,
    },
    GrantStarted(Box<GrantStarted>),
    GrantEnded {
        grant: Id,
    },
    Rotation {
        step: Step,
        credential: Id,
        rotation: Id,
        version: i64,
    },
    KeysChanged(Vec<VerifierKey>),
    /// Nothing that anything later depends on.
    Told,
}

pub(super) struct Signed {
    pub(super) statement: Statement,
    pub(super) touch: Touch,
    /// Of a further key: the same statement, by a key that is enrolled already.
    pub(super) admission: Option<Touch>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Expired,
    Denied,
    Otherwise,
}

pub(super) struct RosterSet {
    pub(super) acceptances: Vec<u64>,
    pub(super) approvals: Vec<u64>,
    pub(super) new: NewRoster,
    pub(super) request: Id,
    pub(super) safe: Id,
}

pub(super) struct Acted {
    pub(super) approvals: Vec<u64>,
    pub(super) request: Id,
    pub(super) safe: Id,
    pub(super) purpose: Purpose,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Generated,
    Imported,
    Resealed,
}

pub(super) struct Sealed {
    pub(super) authenticators: Vec<Id>,
    pub(super) credential: Id,
    pub(super) envelope: Hash,
    pub(super) epoch: i64,
    pub(super) origin: Origin,
    pub(super) roster: Hash,
    pub(super) safe: Id,
    pub(super) version: i64,
    pub(super) import: Option<Signed>,
}

pub(super) struct Opened {
    pub(super) approvals: Vec<u64>,
    pub(super) credential: Id,
    pub(super) envelope: Hash,
    pub(super) epoch: i64,
    pub(super) request: Id,
    pub(super) requester: Id,
    pub(super) roster: Hash,
    pub(super) safe: Id,
    pub(super) version: i64,
}

pub(super) struct GrantStarted {
    pub(super) approvals: Vec<u64>,
    pub(super) grant: Id,
    pub(super) request: Id,
    pub(super) target: Id,
    pub(super) until: i64,
}

/// A step of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Staged,
    Applied,
    Proved,
    Promoted,
    Failed,
}

/// Reads entries; keeps its memory between them.
#[derive(Default)]
pub(super) struct Reader {
    outer: Tape,
    inner: Inner,
}

/// What reading a statement and its assertion needs.
#[derive(Default)]
struct Inner {
    tape: Tape,
    scratch: Scratch,
}

/// `SHA-256(0x00 || entry)`.
pub(super) fn leaf_of(entry: &[u8]) -> Hash {
    use sha2::Digest as _;
    let mut hasher = sha2::Sha256::new();
    hasher.update([0]);
    hasher.update(entry);
    hasher.finalize().into()
}

impl Reader {
    /// Reads one line without its line feed. `founding` is absent for entry 0 alone.
    pub(super) fn entry(&mut self, line: &[u8], founding: Option<&Founding>) -> Entry {
        let leaf = leaf_of(line);
        let read = if line.len() > ENTRY_MAX {
            Err("the entry is longer than 64 KiB")
        } else {
            self.outer
                .parse(line)
                .map(|entry| lines(entry, &leaf, founding, &mut self.inner))
        };
        Entry { leaf, read }
    }
}

/// The members of an entry.
#[derive(Default)]
struct Parts<'a> {
    actor: Option<Value<'a>>,
    data: Option<Value<'a>>,
    event: Option<Value<'a>>,
    time: Option<Value<'a>>,
}

fn lines(entry: Value<'_>, leaf: &Hash, founding: Option<&Founding>, inner: &mut Inner) -> Lines {
    let (mut seq, mut prev) = (None, None);
    let mut parts = Parts::default();
    for (name, value) in entry.children() {
        match name {
            b"seq" => seq = value.int(),
            b"prev" => prev = value.plain().and_then(text::hex),
            b"actor" => parts.actor = Some(value),
            b"data" => parts.data = Some(value),
            b"event" => parts.event = Some(value),
            b"time" => parts.time = Some(value),
            _ => {}
        }
    }
    let mut found = Found::default();
    check(entry, [schema::ENTRY, &[]], &mut found);
    let body = body(&parts, leaf, founding, inner, &mut found);
    Lines {
        seq,
        prev,
        body: found
            .verdict()
            .and_then(|()| body.ok_or(lie("an object is missing"))),
    }
}

fn body(
    parts: &Parts<'_>,
    leaf: &Hash,
    founding: Option<&Founding>,
    inner: &mut Inner,
    found: &mut Found,
) -> Option<Body> {
    let event = parts.event.and_then(Value::unescaped)?;
    let Some(shape) = shape(&event) else {
        found.note(unknown("an unknown event"));
        return None;
    };
    let event = told(shape, parts.data?, leaf, founding, inner, found)?;
    let actor = match parts.actor.and_then(Value::plain)? {
        b"system" => Actor::System,
        other => Actor::Id(text::id(other)?),
    };
    Some(Body {
        time: parts.time.and_then(Value::int)?,
        actor,
        event,
    })
}

/// How an event's `data` is read.
#[derive(Clone, Copy)]
enum Shape {
    Founded,
    Invited,
    Signed(Word),
    Enrolled,
    Acted(&'static [u8]),
    RosterSet,
    Sealed,
    Other(Other, &'static [Member]),
}

/// The kind of statement that a signed event carries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Roles,
    Revoke,
    Suspend,
    Unsuspend,
    Request,
    Approve,
    Deny,
    Acceptance,
    Setting,
    Clock,
}

#[derive(Clone, Copy)]
enum Other {
    Distrusted,
    RequestEnded,
    Opened,
    Closed,
    Refused,
    ShareRefused,
    GrantStarted,
    GrantEnded,
    Rotation(Step),
    KeysChanged,
    Told,
}

fn shape(event: &[u8]) -> Option<Shape> {
    use Shape::{Acted, Signed};
    Some(match event {
        b"ledger.founded" => Shape::Founded,
        b"person.invited" => Shape::Invited,
        b"person.roles" => Signed(Word::Roles),
        b"authenticator.enrolled" => Shape::Enrolled,
        b"authenticator.revoked" => Signed(Word::Revoke),
        b"authenticator.suspended" => Signed(Word::Suspend),
        b"authenticator.restored" => Signed(Word::Unsuspend),
        b"authenticator.distrusted" => Shape::Other(Other::Distrusted, schema::DISTRUSTED),
        b"request.filed" => Signed(Word::Request),
        b"request.approved" => Signed(Word::Approve),
        b"request.denied" => Signed(Word::Deny),
        b"request.accepted" => Signed(Word::Acceptance),
        b"request.ended" => Shape::Other(Other::RequestEnded, schema::REQUEST_ENDED),
        b"roster.set" => Shape::RosterSet,
        b"target.set" => Acted(b"target"),
        b"role.set" => Acted(b"role"),
        b"version.destroyed" => Acted(b"destroy"),
        b"reseal.opened" => Acted(b"reseal"),
        b"version.sealed" => Shape::Sealed,
        b"release.opened" => Shape::Other(Other::Opened, schema::OPENED),
        b"release.closed" => Shape::Other(Other::Closed, schema::CLOSED),
        b"release.refused" => Shape::Other(Other::Refused, schema::REFUSED),
        b"share.refused" => Shape::Other(Other::ShareRefused, schema::SHARE_REFUSED),
        b"grant.started" => Shape::Other(Other::GrantStarted, schema::GRANT_STARTED),
        b"grant.ended" => Shape::Other(Other::GrantEnded, schema::GRANT_ENDED),
        b"rotation.staged" => Shape::Other(Other::Rotation(Step::Staged), schema::ROTATION),
        b"rotation.applied" => Shape::Other(Other::Rotation(Step::Applied), schema::ROTATION),
        b"rotation.proved" => Shape::Other(Other::Rotation(Step::Proved), schema::ROTATION),
        b"rotation.promoted" => Shape::Other(Other::Rotation(Step::Promoted), schema::ROTATION),
        b"rotation.failed" => Shape::Other(Other::Rotation(Step::Failed), schema::ROTATION),
        b"setting.changed" => Signed(Word::Setting),
        b"clock.accepted" => Signed(Word::Clock),
        b"clock.ticked" => Shape::Other(Other::Told, schema::NOTHING),
        b"kek.rolled" => Shape::Other(Other::Told, schema::KEK),
        b"checkpoint_keys.changed" => Shape::Other(Other::KeysChanged, schema::KEYS_CHANGED),
        b"software.started" => Shape::Other(Other::Told, schema::STARTED),
        b"drill.finished" => Shape::Other(Other::Told, schema::DRILL),
        _ => return None,
    })
}

fn told(
    shape: Shape,
    data: Value<'_>,
    leaf: &Hash,
    founding: Option<&Founding>,
    inner: &mut Inner,
    found: &mut Found,
) -> Option<Event> {
    if let Shape::Founded = shape {
        check(data, [schema::FOUNDED, &[]], found);
        if !found.is_clean() {
            return None;
        }
        return found
            .judge(founded(data, leaf))
            .map(|f| Event::Founded(Box::new(f)));
    }
    // Entry 0 has no founding to be read against; whatever else it claims to be, it is no founding.
    let blank = Founding {
        ledger: [0; 32],
        name: String::new(),
        rp_hash: [0; 32],
        origins: Vec::new(),
        keys: Vec::new(),
    };
    if founding.is_none() {
        found.note(lie("entry 0 is not the founding"));
    }
    let founding = founding.unwrap_or(&blank);
    match shape {
        Shape::Founded => None,
        Shape::Invited => {
            let signed = ["assertion", "authenticator", "statement"];
            if signed.iter().any(|name| data.get(name).is_some()) {
                check(data, [schema::SIGNED, &[]], found);
                signed_event(data, founding, inner, found, |kind| {
                    matches!(kind, Kind::Invite(_))
                })
            } else {
                first_invitation(data, founding, found)
                    .map(|first| Event::FirstInvited(Box::new(first)))
            }
        }
        Shape::Signed(word) => {
            check(data, [schema::SIGNED, &[]], found);
            signed_event(data, founding, inner, found, |kind| word.fits(kind))
        }
        Shape::Enrolled => {
            check(data, [schema::ENROLLED, &[]], found);
            let event = signed_event(data, founding, inner, found, |kind| {
                matches!(kind, Kind::Enrol(_))
            })?;
            found.judge(registered(&event, data))?;
            Some(event)
        }
        Shape::Acted(purpose) => {
            let members = statement::purpose_members(purpose)?;
            check(data, [schema::ACTED, members], found);
            let read = || {
                Ok(Event::Acted(Box::new(Acted {
                    approvals: seqs(data, "approvals")?,
                    request: id(data, "request")?,
                    safe: id(data, "safe")?,
                    purpose: Purpose::read(purpose, data)?,
                })))
            };
            found.is_clean().then(|| found.judge(read()))?
        }
        Shape::RosterSet => {
            check(data, [schema::ROSTER_SET, &[]], found);
            let read = || {
                Ok(Event::RosterSet(Box::new(RosterSet {
                    acceptances: seqs(data, "acceptances")?,
                    approvals: seqs(data, "approvals")?,
                    new: NewRoster::read(data.get("new").ok_or(lie("`new` is missing"))?)?,
                    request: id(data, "request")?,
                    safe: id(data, "safe")?,
                })))
            };
            found.is_clean().then(|| found.judge(read()))?
        }
        Shape::Sealed => {
            check(data, [schema::SEALED, &[]], found);
            let import = data.get("import").and_then(|import| {
                signed(import, founding, inner, found, |kind| {
                    matches!(kind, Kind::Import(_))
                })
            });
            if !found.is_clean() {
                return None;
            }
            found
                .judge(sealed(data, import))
                .map(|s| Event::Sealed(Box::new(s)))
        }
        Shape::Other(other, members) => {
            check(data, [members, &[]], found);
            if !found.is_clean() {
                return None;
            }
            found.judge(unsigned(other, data, founding))
        }
    }
}

impl Word {
    fn fits(self, kind: &Kind) -> bool {
        use super::statement::KeyAct;
        match (self, kind) {
            (Self::Roles, Kind::Roles { .. })
            | (Self::Request, Kind::Request(_))
            | (Self::Acceptance, Kind::Acceptance { .. })
            | (Self::Setting, Kind::Setting)
            | (Self::Clock, Kind::Clock { .. }) => true,
            (Self::Revoke, Kind::KeyAct { act, .. }) => *act == KeyAct::Revoke,
            (Self::Suspend, Kind::KeyAct { act, .. }) => *act == KeyAct::Suspend,
            (Self::Unsuspend, Kind::KeyAct { act, .. }) => *act == KeyAct::Unsuspend,
            (Self::Approve, Kind::Decision(decision)) => !decision.deny,
            (Self::Deny, Kind::Decision(decision)) => decision.deny,
            _ => false,
        }
    }
}

fn signed_event(
    data: Value<'_>,
    founding: &Founding,
    inner: &mut Inner,
    found: &mut Found,
    fits: impl Fn(&Kind) -> bool,
) -> Option<Event> {
    signed(data, founding, inner, found, fits).map(|s| Event::Signed(Box::new(s)))
}

/// Reads `assertion`, `authenticator`, `statement` and, where there is one, `admission`.
fn signed(
    data: Value<'_>,
    founding: &Founding,
    inner: &mut Inner,
    found: &mut Found,
    fits: impl Fn(&Kind) -> bool,
) -> Option<Signed> {
    let Inner { tape, scratch } = inner;
    let spelt = data.get("statement").and_then(Value::unescaped)?;
    let statement = match tape.parse(&spelt) {
        Ok(value) if value.kind() == Json::Object => {
            Statement::read(value, &spelt, founding, found)?
        }
        Ok(_) => {
            found.note(lie("the statement is not an object"));
            return None;
        }
        Err(_) => {
            found.note(lie("the statement is not canonical"));
            return None;
        }
    };
    if !fits(&statement.kind) {
        found.note(lie("the statement is of another kind than the event"));
        return None;
    }
    if !found.is_clean() {
        return None;
    }
    let touch = |from: Value<'_>, scratch: &mut Scratch| {
        let assertion = from.get("assertion").ok_or(lie("`assertion` is missing"))?;
        Touch::read(
            id(from, "authenticator")?,
            assertion,
            &statement.hash,
            founding,
            scratch,
        )
    };
    let first = found.judge(touch(data, scratch))?;
    let admission = match data.get("admission") {
        Some(admission) => Some(found.judge(touch(admission, scratch))?),
        None => None,
    };
    Some(Signed {
        statement,
        touch: first,
        admission,
    })
}

fn registered(event: &Event, data: Value<'_>) -> Judged {
    let registration = data
        .get("registration")
        .ok_or(lie("`registration` is missing"))?;
    match event {
        Event::Signed(signed) => match &signed.statement.kind {
            Kind::Enrol(enrol) => hold(
                labelled("registration", registration.raw()) == enrol.registration,
                "the registration is not the one that was signed",
            ),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn seqs(value: Value<'_>, name: &str) -> Judged<Vec<u64>> {
    let list = value.get(name).ok_or(lie("a list is missing"))?;
    list.children()
        .map(|(_, item)| {
            let seq = item.int().and_then(|n| u64::try_from(n).ok());
            seq.ok_or(lie("a seq is not of its type"))
        })
        .collect()
}

fn founded(data: Value<'_>, leaf: &Hash) -> Judged<Founding> {
    let name = statement::string(data, "name")?;
    hold(
        !name.contains(|c: char| c == '+' || c.is_whitespace()),
        "the ledger's name has a space or a `+`",
    )?;
    let rp_id = statement::string(data, "rp_id")?;
    let mut rp_hash = [0; 32];
    rp_hash.copy_from_slice(digest::digest(&digest::SHA256, rp_id.as_bytes()).as_ref());
    let origins = data.get("origins").ok_or(lie("`origins` is missing"))?;
    Ok(Founding {
        ledger: *leaf,
        keys: checkpoint_keys(data, &name)?,
        rp_hash,
        origins: origins.children().filter_map(|(_, o)| o.text()).collect(),
        name,
    })
}

fn checkpoint_keys(data: Value<'_>, name: &str) -> Judged<Vec<VerifierKey>> {
    let list = data
        .get("checkpoint_keys")
        .ok_or(lie("`checkpoint_keys` is missing"))?;
    let keys: Vec<VerifierKey> = list
        .children()
        .map(|(_, item)| {
            let key = item.text().and_then(|text| VerifierKey::parse(&text, name));
            key.ok_or(lie("a checkpoint key is not a verifier key of this ledger"))
        })
        .collect::<Judged<_>>()?;
    hold(
        (1..=3).contains(&keys.len()),
        "there are 1 to 3 checkpoint keys",
    )?;
    let mut ids: Vec<_> = keys.iter().map(|key| key.id).collect();
    ids.sort_unstable();
    ids.dedup();
    hold(
        ids.len() == keys.len(),
        "a checkpoint key stands there twice",
    )?;
    Ok(keys)
}

fn sealed(data: Value<'_>, import: Option<Signed>) -> Judged<Sealed> {
    let origin = match data.get("origin").and_then(Value::plain) {
        Some(b"generated") => Origin::Generated,
        Some(b"imported") => Origin::Imported,
        _ => Origin::Resealed,
    };
    hold(
        import.is_some() == (origin == Origin::Imported),
        "an import's statement stands with imported versions, and only there",
    )?;
    Ok(Sealed {
        authenticators: statement::ids(data, "authenticators")?,
        credential: id(data, "credential")?,
        envelope: hash(data, "envelope")?,
        epoch: int(data, "epoch")?,
        origin,
        roster: hash(data, "roster")?,
        safe: id(data, "safe")?,
        version: int(data, "version")?,
        import,
    })
}

fn unsigned(other: Other, data: Value<'_>, founding: &Founding) -> Judged<Event> {
    let why = || data.get("why").and_then(Value::plain).unwrap_or_default();
    let request = || id(data, "request");
    Ok(match other {
        Other::Told => Event::Told,
        Other::Distrusted => Event::Distrusted {
            authenticator: id(data, "authenticator")?,
        },
        Other::RequestEnded => Event::RequestEnded {
            request: request()?,
            why: match why() {
                b"expired" => Ended::Expired,
                b"denied" => Ended::Denied,
                _ => Ended::Otherwise,
            },
        },
        Other::Opened => Event::Opened(Box::new(Opened {
            approvals: seqs(data, "approvals")?,
            credential: id(data, "credential")?,
            envelope: hash(data, "envelope")?,
            epoch: int(data, "epoch")?,
            request: request()?,
            requester: id(data, "requester")?,
            roster: hash(data, "roster")?,
            safe: id(data, "safe")?,
            version: int(data, "version")?,
        })),
        Other::Closed => Event::Closed {
            request: request()?,
            expired: why() == b"expired",
        },
        Other::Refused => Event::Refused {
            request: request()?,
        },
        Other::ShareRefused => Event::ShareRefused {
            request: request()?,
        },
        Other::GrantStarted => Event::GrantStarted(Box::new(GrantStarted {
            approvals: seqs(data, "approvals")?,
            grant: id(data, "grant")?,
            request: request()?,
            target: id(data, "target")?,
            until: int(data, "until")?,
        })),
        Other::GrantEnded => Event::GrantEnded {
            grant: id(data, "grant")?,
        },
        Other::Rotation(step) => Event::Rotation {
            step,
            credential: id(data, "credential")?,
            rotation: id(data, "rotation")?,
            version: int(data, "version")?,
        },
        Other::KeysChanged => Event::KeysChanged(checkpoint_keys(data, &founding.name)?),
    })
}

/// The fault of a line whose bytes are not canonical.
pub(super) fn not_canonical(why: &'static str) -> Fault {
    Fault::False(format!("the entry is not canonical: {why}").into())
}
