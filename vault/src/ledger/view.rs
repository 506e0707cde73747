//! Pages of the ledger: the list with its search, one entry with its proof, and accepting the clock.

use askama::Template;

use crate::pages::{Desk, Fact, Person, Task, When, count};

/// `GET /ledger?q=&before=`
#[derive(Template)]
#[template(path = "ledger/list.html")]
pub struct List {
    /// Shell.
    pub desk: Desk,
    /// What was searched for.
    pub q: String,
    /// Newest first.
    pub rows: Vec<Row>,
    /// How many entries there are.
    pub size: u64,
    /// The next page.
    pub older: Option<String>,
    /// The founding fingerprint, 64 hex digits.
    pub ledger: String,
}

impl List {
    /// How to check an export.
    pub fn command(&self) -> String {
        command(&self.ledger)
    }

    /// "48 219 entries".
    pub fn heading(&self) -> String {
        match (self.q.is_empty(), self.rows.len()) {
            (true, _) => format!("{} entries", count(self.size)),
            (false, 0) => "Nothing found".into(),
            (false, _) => format!("Entries about “{}”", self.q),
        }
    }
}

/// An entry in the list.
pub struct Row {
    /// Its place.
    pub seq: u64,
    /// When.
    pub time: When,
    /// `release.opened`
    pub event: String,
    /// Who: a name, or "Vitrine".
    pub actor: String,
    /// In words: "Mara Lindqvist opened orders-primary superuser".
    pub summary: String,
}

/// `GET /ledger/{seq}`
#[derive(Template)]
#[template(path = "ledger/entry.html")]
pub struct Entry {
    /// Shell.
    pub desk: Desk,
    /// Its place.
    pub seq: u64,
    /// In words.
    pub summary: String,
    /// `release.opened`
    pub event: String,
    /// When.
    pub time: When,
    /// Leaf hash, 64 hex digits.
    pub leaf: String,
    /// The exact bytes.
    pub bytes: String,
    /// What it says, with links.
    pub facts: Vec<Fact>,
    /// For an act of a quorum: why it was allowed, in a sentence.
    pub why: Option<String>,
    /// The signatures it rests on, each with its entry.
    pub signers: Vec<Person>,
    /// Its neighbours: up to two before, itself, up to one after.
    pub chain: Vec<Near>,
    /// The newest checkpoint's size.
    pub size: u64,
    /// The founding fingerprint, 64 hex digits.
    pub ledger: String,
}

impl Entry {
    /// How to check an export.
    pub fn command(&self) -> String {
        command(&self.ledger)
    }

    /// The facts, and the leaf hash after them.
    pub fn all_facts(&self) -> Vec<Fact> {
        let mut all = self.facts.clone();
        all.push(Fact::new("Leaf hash", self.leaf.clone()).mono());
        all
    }

    /// The checkpoint does not follow at once.
    pub fn gap(&self) -> bool {
        self.chain.last().is_none_or(|n| n.seq + 1 < self.size)
    }

    /// "3f92…7b1c".
    pub fn short_leaf(&self) -> String {
        short(&self.leaf)
    }
}

/// A neighbour.
pub struct Near {
    /// Its place.
    pub seq: u64,
    /// Event.
    pub event: String,
    /// Leaf hash, 64 hex digits.
    pub leaf: String,
}

impl Near {
    /// "3f92…7b1c".
    pub fn short_leaf(&self) -> String {
        short(&self.leaf)
    }
}

fn command(ledger: &str) -> String {
    format!("vitrine audit verify evidence --founded {ledger}")
}

fn short(hash: &str) -> String {
    match (
        hash.get(..4),
        hash.len().checked_sub(4).and_then(|at| hash.get(at..)),
    ) {
        (Some(first), Some(last)) if hash.len() > 8 => format!("{first}…{last}"),
        _ => hash.into(),
    }
}

/// `GET /clock`: after more than a day off, the first person who signs in accepts the clock.
#[derive(Template)]
#[template(path = "ledger/clock.html")]
pub struct Clock {
    /// Shell.
    pub task: Task,
    /// The newest entry's leaf, 64 hex digits: what the statement names.
    pub prev: String,
    /// The newest entry's time.
    pub last: When,
    /// The server's time now.
    pub now: When,
}
