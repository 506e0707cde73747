//! Pages of people: signing in, joining, keys, the card, the lists, one person, oneself, a terminal.

use askama::Template;

use crate::pages::{Chip, Desk, Link, Mark, Moment, Task, When, initials};

/// `GET /sign-in?to=`
#[derive(Template)]
#[template(path = "people/sign_in.html")]
pub struct SignIn {
    /// Shell.
    pub task: Task,
    /// Where to go then: a path of ours (the caller has checked that it begins with one slash).
    pub to: String,
    /// The ledger's name (its origin), to compare with the address bar.
    pub ledger_name: String,
}

/// `GET /join`: accept an invitation, enrol two keys, print the card. The token is typed or in the fragment.
#[derive(Template)]
#[template(path = "people/join.html")]
pub struct Join {
    /// Shell.
    pub task: Task,
    /// The ledger's name.
    pub ledger_name: String,
    /// The founding fingerprint, 64 hex digits.
    pub fingerprint: String,
    /// Software keys enrol here, for drills.
    pub keys_drill: bool,
}

/// `GET /you/keys`: enrol a further key, both in hand.
#[derive(Template)]
#[template(path = "people/keys.html")]
pub struct Keys {
    /// Shell.
    pub task: Task,
    /// The keys held already, as cards.
    pub keys: Vec<Key>,
    /// Software keys enrol here, for drills.
    pub keys_drill: bool,
}

/// `GET /you/card`: the card to print at enrolment.
#[derive(Template)]
#[template(path = "people/card.html")]
pub struct Card {
    /// Shell.
    pub task: Task,
    /// The person's name.
    pub name: String,
    /// The ledger's name.
    pub ledger_name: String,
    /// The founding fingerprint, 64 hex digits.
    pub fingerprint: String,
    /// Today.
    pub made: When,
    /// The person's keys, by name.
    pub keys: Vec<String>,
}

/// A FIDO2 key.
pub struct Key {
    /// Authenticator id.
    pub authenticator: String,
    /// Its name.
    pub name: String,
    /// The maker's model, when attested.
    pub model: Option<String>,
    /// Not proved to be hardware.
    pub software: bool,
    /// It can hold a share.
    pub share: bool,
    /// When it was enrolled.
    pub created: When,
    /// When it last proved that its share opens.
    pub proved: Option<When>,
    /// How it stands.
    pub life: Life,
    /// The entry of its enrolment.
    pub entry: u64,
    /// A roster that its owner stands on does not name it yet.
    pub unnamed: bool,
    /// A roster names it.
    pub rostered: bool,
}

/// How a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It signs.
    Live,
    /// It does not sign until a custodian restores it.
    Suspended,
    /// It never signs again.
    Revoked,
}

impl Key {
    /// Its state.
    pub fn chip(&self) -> Chip {
        match (self.life, self.share) {
            (Life::Revoked, _) => Chip::new(Mark::Failed, "Revoked"),
            (Life::Suspended, _) => Chip::new(Mark::Attention, "Suspended"),
            (Life::Live, true) if self.unnamed => {
                Chip::new(Mark::Attention, "Not on the roster yet")
            }
            (Life::Live, true) if self.rostered => Chip::new(Mark::Signed, "Holds shares"),
            (Life::Live, true) => Chip::new(Mark::Plain, "Can hold shares"),
            (Life::Live, false) => Chip::new(Mark::Attention, "Signs only"),
        }
    }

    /// Whether it can be suspended and revoked.
    pub fn live(&self) -> bool {
        self.life == Life::Live
    }

    /// Whether it can be restored.
    pub fn suspended(&self) -> bool {
        self.life == Life::Suspended
    }

    /// Whether anything can still be done to it.
    pub fn alive(&self) -> bool {
        self.life != Life::Revoked
    }

    /// "Proved 9 days ago", "Never proved".
    pub fn proved_words(&self, now: &i64) -> String {
        match self.proved {
            Some(when) => format!("Proved {}", when.ago(*now)),
            None => "Never proved".into(),
        }
    }
}

/// `GET /people`
#[derive(Template)]
#[template(path = "people/list.html")]
pub struct List {
    /// Shell.
    pub desk: Desk,
    /// Everybody, by name.
    pub rows: Vec<Row>,
}

/// A person in the list.
pub struct Row {
    /// User id.
    pub user: String,
    /// Name.
    pub name: String,
    /// Roles.
    pub roles: Vec<String>,
    /// Live keys.
    pub keys: u32,
    /// An invitation not accepted yet: until when.
    pub invited: Option<When>,
    /// It ran out.
    pub lapsed: bool,
}

impl Row {
    /// "approver, custodian".
    pub fn roles_words(&self) -> String {
        if self.roles.is_empty() {
            "none".into()
        } else {
            self.roles.join(", ")
        }
    }

    /// State.
    pub fn chip(&self) -> Chip {
        match (self.invited, self.lapsed, self.keys) {
            (_, true, _) => Chip::new(Mark::Ended, "Invitation lapsed"),
            (Some(_), _, _) => Chip::new(Mark::Waiting, "Invited"),
            (None, _, 0) => Chip::new(Mark::Failed, "No key"),
            (None, _, 1) => Chip::new(Mark::Attention, "One key"),
            (None, _, n) => Chip::new(Mark::Signed, format!("{n} keys")),
        }
    }

    /// "AO".
    pub fn initials(&self) -> String {
        initials(&self.name)
    }
}

/// `GET /people/{id}`
#[derive(Template)]
#[template(path = "people/person.html")]
pub struct Person {
    /// Shell.
    pub desk: Desk,
    /// User id.
    pub user: String,
    /// Name.
    pub name: String,
    /// Roles.
    pub roles: Vec<String>,
    /// Keys, live ones first.
    pub keys: Vec<Key>,
    /// Safes that name this person.
    pub safes: Vec<Link>,
    /// An invitation not accepted yet: until when.
    pub invited: Option<When>,
    /// What happened to this person and the keys, newest first.
    pub history: Vec<Moment>,
}

impl Person {
    /// All roles, each with whether this person has it and what it may.
    pub fn choices(&self) -> Vec<(&'static str, &'static str, bool)> {
        role_choices(&self.roles)
    }
}

impl List {
    /// All roles, with what each may; a requester is the usual beginning.
    pub fn choices(&self) -> Vec<(&'static str, &'static str, bool)> {
        role_choices(&["requester".to_owned()])
    }
}

fn role_choices(held: &[String]) -> Vec<(&'static str, &'static str, bool)> {
    [
        ("requester", "asks for credentials"),
        ("approver", "can be named on a roster"),
        ("custodian", "runs safes, admits people; opens nothing"),
        ("auditor", "reads and exports the ledger"),
        ("operator", "runs the service, starts rotations"),
    ]
    .into_iter()
    .map(|(role, may)| (role, may, held.iter().any(|r| r == role)))
    .collect()
}

/// `GET /you`
#[derive(Template)]
#[template(path = "people/you.html")]
pub struct You {
    /// Shell.
    pub desk: Desk,
    /// User id.
    pub user: String,
    /// Name.
    pub name: String,
    /// Roles.
    pub roles: Vec<String>,
    /// Own keys, live ones first.
    pub keys: Vec<Key>,
    /// Sessions, this one first.
    pub sessions: Vec<Session>,
}

impl You {
    /// Keys that sign.
    pub fn live(&self) -> usize {
        self.keys.iter().filter(|k| k.live()).count()
    }

    /// The situation.
    pub fn heading(&self) -> String {
        match self.live() {
            0 => "You have no key that signs".into(),
            1 => "You have one key: add another".into(),
            n => format!("{}, {n} keys", self.name),
        }
    }
}

/// A session.
pub struct Session {
    /// Session id.
    pub session: String,
    /// Browser or terminal, in words: "Firefox on Linux", "Terminal on bastion-1".
    pub agent: String,
    /// It is a terminal's.
    pub terminal: bool,
    /// Begun.
    pub created: When,
    /// Last seen.
    pub seen: When,
    /// It is this one.
    pub this: bool,
}

impl Session {
    /// "2 min ago".
    pub fn seen_words(&self, now: &i64) -> String {
        self.seen.ago(*now)
    }
}

/// `GET /you/terminal`: lets a terminal act as the person; what it is stands in the fragment.
#[derive(Template)]
#[template(path = "people/terminal.html")]
pub struct Terminal {
    /// Shell.
    pub task: Task,
    /// Who would be signed in there.
    pub name: String,
    /// What it could do without a touch.
    pub acts: Vec<&'static str>,
}
