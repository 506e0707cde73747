//! Pages of requests: home, all of them, asking, the live quorum, deciding, the opened secret.
//!
//! Words are finished here from the numbers given; a page script only fills what the server cannot know.

use askama::Template;

use crate::pages::{
    Chip, Clock, Desk, Fact, Link, Mark, Moment, Notice, Person, Pips, Ring, Sentence, Task, When,
    and, capital, count, mark, number,
};

/// `GET /`
#[derive(Template)]
#[template(path = "requests/home.html")]
pub struct Home {
    /// Shell.
    pub desk: Desk,
    /// Requests that wait for the reader's signature or acceptance, the most urgent first.
    pub waiting: Vec<Waiting>,
    /// The reader's own requests that are not over: asked, ready to open, open.
    pub mine: Vec<Mine>,
    /// Open or closing in all safes, newest first, at most ten.
    pub open: Vec<OpenRow>,
    /// The safes the reader signs for.
    pub safes: Vec<SafeRow>,
    /// The reader's keys.
    pub keys: Vec<KeyRow>,
    /// How many safes there are: 0 shows a custodian where to begin.
    pub safes_in_all: u32,
}

impl Home {
    /// Another one when something comes, goes or moves.
    pub fn mark(&self) -> String {
        let waiting = self
            .waiting
            .iter()
            .map(|w| format!("{} {}", w.href(), w.ring.have));
        let mine = self
            .mine
            .iter()
            .map(|m| format!("{} {:?}", m.request, m.stage));
        let open = self
            .open
            .iter()
            .map(|o| format!("{} {}", o.href, o.chip.word));
        let safes = self
            .safes
            .iter()
            .map(|s| format!("{} {}", s.href, s.pips.words()));
        mark(waiting.chain(mine).chain(open).chain(safes))
    }

    /// The situation in one line.
    pub fn heading(&self) -> String {
        let ready = self.mine.iter().find(|m| m.stage == Stage::Ready);
        match (self.waiting.len(), ready) {
            (0, Some(mine)) => format!("You can open {} now", mine.name),
            (0, None) if self.mine.iter().any(|m| m.stage == Stage::Open) => {
                "You hold something open".into()
            }
            (0, None) => "Nothing waits for you".into(),
            (1, _) => "One request waits for your signature".into(),
            (n, _) => format!(
                "{} requests wait for your signature",
                capital(&number(u32::try_from(n).unwrap_or(u32::MAX)))
            ),
        }
    }
}

/// A request that waits for the reader.
pub struct Waiting {
    /// Request id.
    pub request: String,
    /// Code.
    pub code: String,
    /// Who wants what.
    pub sentence: Sentence,
    /// The ticket.
    pub ticket: Option<String>,
    /// The reason, where there is one.
    pub reason: Option<String>,
    /// Signatures.
    pub ring: Ring,
    /// Until it expires.
    pub clock: Clock,
    /// The reader has to accept a place on a roster, not to approve.
    pub accept: bool,
}

impl Waiting {
    /// Where the reader decides.
    pub fn href(&self) -> String {
        format!(
            "/requests/{}/{}",
            self.request,
            if self.accept { "accept" } else { "approve" }
        )
    }
}

/// How far a request of one's own is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Waiting for signatures.
    Asked,
    /// All signatures are there: the requester opens it.
    Ready,
    /// It was not opened in time.
    Late,
    /// Open: ends by itself.
    Open,
}

/// A request of the reader's own.
pub struct Mine {
    /// Request id.
    pub request: String,
    /// Code.
    pub code: String,
    /// The credential's (safe's) name.
    pub name: String,
    /// How far it is.
    pub stage: Stage,
    /// To sign, to open, or until it ends; none when it is too late to open it.
    pub clock: Option<Clock>,
    /// Where a release is asked for again.
    pub again: String,
}

/// A row of "open or closing".
pub struct OpenRow {
    /// `/requests/{id}`
    pub href: String,
    /// The credential's name.
    pub name: String,
    /// Who holds or held it.
    pub holder: String,
    /// "in 8 min", "02:40, checked in".
    pub ends: String,
    /// State, the rotation's included: "Open", "Old one still works", "Changed, proved".
    pub chip: Chip,
}

/// A safe with its margin.
pub struct SafeRow {
    /// `/safes/{id}`
    pub href: String,
    /// Name.
    pub name: String,
    /// Margin, drawn.
    pub pips: Pips,
    /// What needs a person: "Margin 0", "No drill for 97 days".
    pub chip: Option<Chip>,
}

impl SafeRow {
    /// "One approver to spare".
    pub fn margin(&self) -> String {
        match self.pips.can.checked_sub(self.pips.need) {
            Some(0) => "None to spare".into(),
            Some(1) => "One to spare".into(),
            Some(n) => format!("{} to spare", capital(&number(n))),
            None => format!(
                "{} missing",
                capital(&number(self.pips.need - self.pips.can))
            ),
        }
    }
}

/// One of the reader's keys.
pub struct KeyRow {
    /// Name.
    pub name: String,
    /// "Holds shares", "Signs only", "Suspended".
    pub chip: Chip,
    /// "Proved 9 days ago".
    pub note: String,
}

/// `GET /requests`
#[derive(Template)]
#[template(path = "requests/list.html")]
pub struct List {
    /// Shell.
    pub desk: Desk,
    /// Newest first.
    pub rows: Vec<Row>,
    /// The next page.
    pub older: Option<String>,
}

/// A request in the list.
pub struct Row {
    /// `/requests/{id}`
    pub href: String,
    /// Code.
    pub code: String,
    /// "orders-primary superuser", "Roster of Network core".
    pub what: String,
    /// Who asked.
    pub who: String,
    /// When.
    pub asked: When,
    /// State.
    pub chip: Chip,
}

/// `GET /break?q=&c=&why=&ticket=&for=`: find, why, how long.
#[derive(Template)]
#[template(path = "requests/break_glass.html")]
pub struct BreakGlass {
    /// Shell.
    pub desk: Desk,
    /// Where Vitrine is, for the terminal's command.
    pub origin: String,
    /// What was searched for.
    pub q: String,
    /// What was found, at most twenty.
    pub found: Vec<Found>,
    /// How many there are in all.
    pub total: u64,
    /// The chosen credential (`?c=`).
    pub chosen: Option<Chosen>,
    /// Reason so far.
    pub why: String,
    /// Ticket so far.
    pub ticket: String,
    /// What went wrong, above the form.
    pub problem: Option<Notice>,
}

impl BreakGlass {
    /// "3 of 41 credentials".
    pub fn tally(&self) -> String {
        let found = u64::try_from(self.found.len()).unwrap_or(u64::MAX);
        format!("{} of {} credentials", count(found), count(self.total))
    }

    /// Whether this row is the chosen one.
    pub fn is_chosen(&self, found: &Found) -> bool {
        self.chosen
            .as_ref()
            .is_some_and(|c| c.credential == found.credential)
    }

    /// The same from a terminal.
    pub fn command(&self) -> String {
        let name = self
            .chosen
            .as_ref()
            .map_or("CREDENTIAL", |c| c.name.as_str());
        let ticket = if self.ticket.is_empty() {
            String::new()
        } else {
            format!(" --ticket {}", shell(&self.ticket))
        };
        // It asks why itself.
        format!(
            "vitrine break {}{ticket} --url {}",
            shell(name),
            self.origin
        )
    }

    /// "Ask 4 approvers with key".
    pub fn ask(&self) -> String {
        match self.chosen.as_ref().map(|c| c.can.len()) {
            None | Some(0) => "Ask with key".into(),
            Some(1) => "Ask 1 approver with key".into(),
            Some(n) => format!("Ask {n} approvers with key"),
        }
    }
}

/// A credential that was found.
pub struct Found {
    /// Credential id.
    pub credential: String,
    /// Its name, cut at what matched: before, match, after. Without a match all of it is in the first.
    pub name: (String, String, String),
    /// Safe and quorum, or why it cannot be asked for now: "Held by Petra Novak until 03:22 UTC".
    pub note: String,
    /// It can be asked for.
    pub free: bool,
}

/// The credential that is being asked for.
pub struct Chosen {
    /// Credential id.
    pub credential: String,
    /// Name.
    pub name: String,
    /// Safe's name.
    pub safe: String,
    /// Margin.
    pub pips: Pips,
    /// Names of approvers who can sign (the reader, who cannot sign for an own request, not among them).
    pub can: Vec<String>,
    /// One sentence for each who cannot: "Luca Ferrante cannot: the only key was revoked on 14 Nov."
    pub cannot: Vec<String>,
    /// The choices, seconds, each within the safe's longest; the marked one first checked.
    pub durations: Vec<Choice>,
    /// "30 minutes": how long they have to sign.
    pub to_sign: String,
    /// "10 minutes": how long there is to open it then.
    pub to_open: String,
    /// Whether it is changed at its target afterwards.
    pub rotates: bool,
    /// Filled when it cannot be asked for now: what, why, what to do.
    pub barred: Option<Notice>,
    /// A rotation is not proved: more than one may be in force.
    pub unproved: bool,
    /// Where several can be asked for: which to choose. Otherwise empty.
    pub versions: Vec<Choice>,
}

impl Chosen {
    /// "Three of them sign with a key, or the request expires."
    pub fn quorum(&self) -> String {
        let m = capital(&number(self.pips.need));
        let verb = if self.pips.need == 1 { "signs" } else { "sign" };
        format!("{m} of them {verb} with a key, or the request expires.")
    }

    /// "Adaeze Obi, Jun Takahashi and Priya Nair."
    pub fn signers(&self) -> String {
        and(&self.can)
    }
}

/// One of a few choices.
pub struct Choice {
    /// The form's value.
    pub value: String,
    /// The words: "15 min".
    pub label: String,
    /// Chosen at first.
    pub checked: bool,
}

/// `GET /break/link`: files what a terminal asks for; all of it is in the fragment, which the server never sees.
#[derive(Template)]
#[template(path = "requests/link.html")]
pub struct FilingLink {
    /// Shell.
    pub task: Task,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Signatures are being collected.
    Waiting,
    /// There are enough: the requester acts next (release), or the last acceptances come in (roster).
    Reached,
    /// A secret is open.
    Open,
    /// It was opened and is closed again.
    Closed,
    /// Ended without being used; `why` says how.
    Ended,
    /// Refused at the opening; `why` says how.
    Refused,
    /// Done (a roster, a target).
    Done,
}

impl State {
    /// The word page scripts know it by; a change reloads the page.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Reached => "reached",
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Ended => "ended",
            Self::Refused => "refused",
            Self::Done => "done",
        }
    }
}

/// `GET /requests/{id}`: the live quorum.
#[derive(Template)]
#[template(path = "requests/show.html")]
pub struct Show {
    /// Shell.
    pub desk: Desk,
    /// Request id.
    pub request: String,
    /// Code.
    pub code: String,
    /// Who wants what.
    pub sentence: Sentence,
    /// It is a release: it ends in "Open it".
    pub release: bool,
    /// It founds a safe: people accept, and nobody signs.
    pub founding: bool,
    /// What it leads to once it is done: "the safe is founded".
    pub result: String,
    /// State.
    pub state: State,
    /// `withdrawn`, `expired`, `denied`, `superseded`, `restored`, `checked_in`, or the reason of a refusal.
    pub why: Option<String>,
    /// Enough have signed, and it was not opened before this: where it is asked for again.
    pub late: Option<(When, String)>,
    /// When it expired, was withdrawn, opened or closed: whatever made `state`.
    pub since: When,
    /// Signatures.
    pub ring: Ring,
    /// To sign, to open, or until it ends; none when it is over.
    pub clock: Option<Clock>,
    /// The roster, in its order; for a roster request after it those who have to accept.
    pub people: Vec<Person>,
    /// Approvers who can still sign, those who have included.
    pub can_sign: u32,
    /// Who denied it.
    pub deniers: Vec<String>,
    /// Credential, safe, for, ticket, reason, asked, entry.
    pub facts: Vec<Fact>,
    /// What happened so far, oldest first.
    pub history: Vec<(When, Moment)>,
    /// The same on one axis, once it is over or open.
    pub axis: Option<Axis>,
    /// What comes after the closing: the rotation in words a person can read.
    pub after: Option<Notice>,
    /// The reader asked for it.
    pub mine: bool,
    /// The reader can still decide: where, and "Read it and decide" or "Read it and accept".
    pub decide: Option<Link>,
}

impl Show {
    /// Another one when it moves on.
    pub fn mark(&self) -> String {
        let after = self.after.iter().map(|n| format!("{} {}", n.title, n.text));
        let state = format!(
            "{} {} {}",
            self.state.word(),
            self.late.is_some(),
            self.history.len()
        );
        mark(after.chain([state]))
    }

    fn over(&self) -> String {
        let Ring { have, need } = self.ring;
        match self.why.as_deref() {
            Some("expired") => format!("Expired with {have} of {need}"),
            Some("withdrawn") => "Withdrawn".into(),
            Some("denied") => format!("Denied by {}", and(&self.deniers)),
            Some("superseded") => "Ended: the password was changed meanwhile".into(),
            Some("restored") => "Ended: the ledger was restored".into(),
            _ => "Ended".into(),
        }
    }

    /// The situation.
    pub fn heading(&self) -> String {
        let Ring { have, need } = self.ring;
        match self.state {
            State::Waiting if self.can_sign < need => {
                format!(
                    "{} must sign and {} can",
                    capital(&number(need)),
                    crate::pages::only(self.can_sign)
                )
            }
            State::Waiting => match need.saturating_sub(have) {
                0 => "Waiting for the last acceptance".into(),
                1 => "Waiting for one more signature".into(),
                n => format!("Waiting for {} more signatures", number(n)),
            },
            State::Reached | State::Refused if self.late.is_some() => "Too late to open".into(),
            State::Reached if self.release => {
                format!("{} of {} signed", capital(&number(have)), number(need))
            }
            State::Reached => "Signed. Waiting for acceptances".into(),
            State::Open if self.mine => format!("You hold {}", self.sentence.what),
            State::Open => format!("{} holds {}", self.sentence.who, self.sentence.what),
            State::Closed if self.why.as_deref() == Some("checked_in") => {
                format!("Checked in: {}", self.sentence.what)
            }
            State::Closed => format!("Closed on time: {}", self.sentence.what),
            State::Ended => self.over(),
            State::Refused => "Refused. Nothing was opened".into(),
            State::Done => format!("Done: {}", self.result),
        }
    }

    /// What that means for the reader, and what comes next.
    pub fn lede(&self) -> Lede {
        let first = self.sentence.first_name();
        let since = self.since;
        if let Some((until, _)) = &self.late {
            let Ring { have, need } = self.ring;
            let next = if self.mine {
                "Ask again".to_owned()
            } else {
                format!("{first} can ask again")
            };
            let signed = format!("{} of {} signed", capital(&number(have)), number(need));
            return Lede::of(format!("{signed}, and nobody opened it before ")).at(
                (*until, until.second()),
                format!(". {next}: everybody signs anew, a signature is for one request."),
            );
        }
        match (self.state, self.mine) {
            (State::Waiting, true) if self.release => {
                Lede::of("Keep this page open. It changes by itself, and you can open it here.")
            }
            (State::Waiting, _) => Lede::of(format!(
                "{} {} {} {}.",
                self.sentence.who, self.sentence.wants, self.sentence.what, self.sentence.rest
            )),
            (State::Reached, true) if self.release => {
                Lede::of("Be at the console first: it is shown once.")
            }
            (State::Reached, false) if self.release => {
                Lede::of(format!("{first} can open it now. Nobody else can."))
            }
            (State::Reached, _) => Lede::of("Everybody who is newly named accepts with each key."),
            (State::Open, true) => {
                Lede::of("Show it again in the browser that opened it. It ends by itself.")
            }
            (State::Open, false) => Lede::of("Opened at ").at(
                (since, since.minute()),
                format!(". It ends by itself, or when {first} checks in."),
            ),
            (State::Closed, _) => Lede::of("At ").at((since, since.full()), "."),
            (State::Ended, _) => match self.why.as_deref() {
                Some("expired") => Lede::of("At ").at(
                    (since, since.minute()),
                    ". Nothing was opened. Ask again: everybody signs anew, a signature is for one request.",
                ),
                Some("denied") => Lede::of("At ").at(
                    (since, since.minute()),
                    format!(", for everybody. Nothing was opened. {first} can ask again."),
                ),
                Some("superseded") => {
                    Lede::of("Nothing was opened. Ask again: the new one needs new signatures.")
                }
                _ => Lede::of("At ").at((since, since.minute()), ". Nothing was opened."),
            },
            (State::Refused, _) => Lede::of(self.why.clone().unwrap_or_default()),
            (State::Done, _) => Lede::of("Since ").at((since, since.full()), "."),
        }
    }

    /// One line under the clock: who has signed or accepted, how many are still asked.
    pub fn status(&self) -> String {
        let who_did = |verb: &str| {
            let did = self.people.iter().filter(|p| p.done);
            let names: Vec<&str> = did
                .filter(|p| p.chip.word.eq_ignore_ascii_case(verb))
                .map(|p| p.name.as_str())
                .collect();
            (!names.is_empty()).then(|| format!("{} {verb}.", and(&names)))
        };
        let did: Vec<String> = ["signed", "accepted"]
            .into_iter()
            .filter_map(who_did)
            .collect();
        let asked = self
            .people
            .iter()
            .filter(|p| !p.done && !matches!(p.chip.mark, Mark::Failed | Mark::Ended))
            .count();
        let who = match (did.is_empty(), self.state, self.founding) {
            (false, ..) => did.join(" "),
            (true, State::Waiting, false) => "Nobody has signed yet.".into(),
            (true, State::Waiting, true) => "Nobody has accepted yet.".into(),
            (true, _, false) => "Nobody signed.".into(),
            (true, _, true) => "Nobody accepted.".into(),
        };
        match if self.state == State::Waiting {
            asked
        } else {
            0
        } {
            0 => who,
            1 => format!("{who} One approver is still being asked."),
            n => format!(
                "{who} {} approvers are still being asked.",
                capital(&number(u32::try_from(n).unwrap_or(u32::MAX)))
            ),
        }
    }

    /// It can still change by itself: the page listens, and without its script loads itself again.
    pub fn live(&self) -> bool {
        matches!(self.state, State::Waiting | State::Reached | State::Open)
    }
}

/// A sentence or two, with a time in them perhaps.
pub struct Lede {
    /// All of it, or what stands before the time.
    pub text: String,
    /// The time and its words, and what stands after them.
    pub at: Option<(When, String, String)>,
}

impl Lede {
    fn of(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            at: None,
        }
    }

    fn at(mut self, (when, words): (When, String), rest: impl Into<String>) -> Self {
        self.at = Some((when, words, rest.into()));
        self
    }
}

/// A request's life on one axis, drawn by the server.
pub struct Axis {
    /// Its points in order of time.
    pub points: Vec<Tick>,
}

/// A point of the axis.
pub struct Tick {
    /// When.
    pub at: When,
    /// "Filed", "Adaeze Obi signed", "Opened", "Changed".
    pub text: String,
    /// Drawn large: filed, opened, closed, changed. Signatures are small.
    pub large: bool,
}

impl Axis {
    /// Each point's place from left to right, 8 to 592, in order.
    pub fn places(&self) -> Vec<(i64, &Tick)> {
        let first = self.points.first().map_or(0, |p| p.at.0);
        let last = self.points.last().map_or(0, |p| p.at.0);
        let span = (last - first).max(1);
        self.points
            .iter()
            .map(|p| (8 + (p.at.0 - first) * 584 / span, p))
            .collect()
    }

    /// What the drawing says.
    pub fn words(&self) -> String {
        let points: Vec<String> = self
            .points
            .iter()
            .map(|p| format!("{} {}", p.text, p.at.second()))
            .collect();
        points.join(", ")
    }
}

/// What a decision is about; it chooses the page's words, the statement decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A release.
    Release,
    /// The founding of a safe or a change of its roster.
    Roster,
    /// A target.
    Target,
    /// Anything else that is signed by a quorum.
    Other,
}

impl Subject {
    /// The line above the heading.
    pub fn kicker(&self) -> &'static str {
        match self {
            Self::Release => "Break the glass",
            Self::Roster => "Who opens a safe",
            Self::Target => "Where a password is changed",
            Self::Other => "A change",
        }
    }

    /// As data for the page script.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Roster => "roster",
            Self::Target => "target",
            Self::Other => "other",
        }
    }
}

/// What approving, denying and accepting show: the words of one statement. The page script compares every one that has
/// a `word` with what it reads from the verified bytes.
pub struct Words {
    /// Request id.
    pub request: String,
    /// Code.
    pub code: String,
    /// Subject.
    pub subject: Subject,
    /// Who wants what.
    pub sentence: Sentence,
    /// Reason.
    pub reason: Option<String>,
    /// When it was filed.
    pub asked: When,
    /// To decide.
    pub clock: Clock,
    /// Signatures so far.
    pub ring: Ring,
    /// Who has signed.
    pub signed: Vec<String>,
    /// Who asks, what, how long, ticket, expires, you; made with [`Fact::word`] under `who`, `what`, `safe`, `ticket`,
    /// `account`, `address` where the page compares them.
    pub facts: Vec<Fact>,
    /// The reader's name.
    pub me: String,
    /// The request statement as filed.
    pub statement: String,
}

impl Words {
    /// "Yours would be 2 of 3".
    pub fn yours(&self) -> String {
        format!(
            "Yours would be {} of {}",
            (self.ring.have + 1).min(self.ring.need.max(1)),
            self.ring.need
        )
    }

    /// "Adaeze Obi signed. After you, one more opens it."
    pub fn others(&self) -> String {
        let signed = if self.signed.is_empty() {
            "Nobody has signed yet.".into()
        } else {
            format!("{} signed.", and(&self.signed))
        };
        let rest = self.ring.need.saturating_sub(self.ring.have + 1);
        let done = match self.subject {
            Subject::Release => "opens it",
            _ => "settles it",
        };
        match rest {
            0 => format!("{signed} Yours is the one that {done}."),
            1 => format!("{signed} After you, one more {done}."),
            n => format!("{signed} After you, {} more are needed.", number(n)),
        }
    }

    /// It has a target: it is changed there afterwards.
    pub fn rotates(&self) -> bool {
        self.facts.iter().any(|f| f.word == Some("address"))
    }

    /// "Asked 2 min ago".
    pub fn age(&self) -> String {
        format!("asked {}", self.asked.ago(self.clock.now))
    }
}

/// `GET /requests/{id}/approve`
#[derive(Template)]
#[template(path = "requests/approve.html")]
pub struct Approve {
    /// Shell.
    pub task: Task,
    /// The statement in words.
    pub words: Words,
}

/// `GET /requests/{id}/deny`
#[derive(Template)]
#[template(path = "requests/deny.html")]
pub struct Deny {
    /// Shell.
    pub task: Task,
    /// The statement in words.
    pub words: Words,
    /// One denial ends it (the safe's `denials` is 1 or this is the last one needed).
    pub ends_it: bool,
}

/// `GET /requests/{id}/accept`
#[derive(Template)]
#[template(path = "requests/accept.html")]
pub struct Accept {
    /// Shell.
    pub task: Task,
    /// The statement in words.
    pub words: Words,
    /// The reader's keys that the new roster names.
    pub keys: Vec<AcceptKey>,
}

impl Accept {
    /// The chip of a key that has accepted.
    pub fn accepted(&self) -> Chip {
        Chip::new(Mark::Signed, "Accepted")
    }

    /// The first key that has not accepted is the next act.
    pub fn is_next(&self, key: &AcceptKey) -> bool {
        self.keys
            .iter()
            .find(|k| !k.accepted)
            .is_some_and(|k| k.authenticator == key.authenticator)
    }
}

/// A key that has to accept.
pub struct AcceptKey {
    /// Authenticator id.
    pub authenticator: String,
    /// Its name.
    pub name: String,
    /// It has accepted already.
    pub accepted: bool,
}

/// `GET /requests/{id}/opened`: the frame around the secret, which the server never has.
#[derive(Template)]
#[template(path = "requests/opened.html")]
pub struct Opened {
    /// Shell, `live`.
    pub task: Task,
    /// Request id.
    pub request: String,
    /// The credential's name.
    pub name: String,
    /// `password`, `token`, `note`.
    pub kind: String,
    /// Until it ends.
    pub clock: Clock,
    /// Whether it is changed at its target afterwards.
    pub rotates: bool,
    /// The account, where there is a target.
    pub account: Option<String>,
    /// Host, user, database: how to use it.
    pub facts: Vec<Fact>,
    /// A command that asks for the password at a prompt, where the connector has one.
    pub command: Option<String>,
    /// When it was opened.
    pub opened: When,
    /// Who signed.
    pub signers: Vec<String>,
    /// The entry of `release.opened`.
    pub entry: u64,
}

impl Opened {
    /// "Password", "Token", "Note".
    pub fn noun(&self) -> &'static str {
        match self.kind.as_str() {
            "token" => "Token",
            "note" => "Note",
            "key_pair" => "Key pair",
            _ => "Password",
        }
    }

    /// The same inside a sentence.
    pub fn small_noun(&self) -> String {
        self.noun().to_lowercase()
    }

    /// "Adaeze Obi, Jun Takahashi and Priya Nair".
    pub fn by(&self) -> String {
        and(&self.signers)
    }
}

/// A word for a shell: quoted unless it is plain.
fn shell(word: &str) -> String {
    if word
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'))
    {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
