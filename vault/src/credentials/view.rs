//! Pages of credentials: one, a new one, its target, importing a value.

use askama::Template;

use crate::pages::{Chip, Clock, Desk, Fact, Link, Moment, Notice, mark};

/// `GET /safes/{safe}/credentials/{id}`
#[derive(Template)]
#[template(path = "credentials/show.html")]
pub struct Show {
    /// Shell.
    pub desk: Desk,
    /// Credential id.
    pub credential: String,
    /// Name.
    pub name: String,
    /// `password`, `token`, `note`.
    pub kind: String,
    /// Its safe.
    pub safe: Link,
    /// State, version, quorum.
    pub chips: Vec<Chip>,
    /// It has a version that can be asked for.
    pub askable: bool,
    /// A request that is live: where.
    pub live: Option<Link>,
    /// Its versions, newest first.
    pub versions: Vec<Version>,
    /// Connector, account, address, pin, entry; empty without a target.
    pub target: Vec<Fact>,
    /// For custodians: what an administrator runs there.
    pub scripts: Vec<Script>,
    /// The rotation that runs or ran last.
    pub rotation: Option<Rotation>,
    /// What happened last, newest first.
    pub history: Vec<Moment>,
}

impl Show {
    /// Another one when a version, its rotation or who holds it changes; not with the minutes that a chip counts.
    pub fn mark(&self) -> String {
        let versions = self
            .versions
            .iter()
            .map(|v| format!("{} {}", v.version, v.chip.word));
        let rotation = self
            .rotation
            .iter()
            .map(|r| format!("{} {}", r.notice.title, r.notice.text));
        let live = self.live.iter().map(|l| l.text.clone());
        mark(versions.chain(rotation).chain(live))
    }

    /// Whether Vitrine changes it where it lives.
    pub fn rotates(&self) -> bool {
        !self.target.is_empty()
    }
}

/// One value of a credential; the value itself is nowhere on this page.
pub struct Version {
    /// Its number.
    pub version: u32,
    /// "generated", "imported", "resealed".
    pub origin: String,
    /// "22 Nov 2026".
    pub sealed: String,
    /// The roster it was sealed for.
    pub epoch: u32,
    /// "Current", "Candidate", "Last proved", "Superseded".
    pub chip: Chip,
    /// The entry of `version.sealed`.
    pub entry: u64,
}

/// The SQL of a target, which is made when somebody opens it.
pub struct Script {
    /// Target id.
    pub target: String,
    /// The account.
    pub account: String,
    /// Where.
    pub address: String,
    /// The quorum bound it; else it is a draft.
    pub bound: bool,
}

impl Script {
    /// "The SQL for postgres at db:5432/orders, a draft"
    pub fn words(&self) -> String {
        let draft = if self.bound { "" } else { ", a draft" };
        format!("The SQL for {} at {}{draft}", self.account, self.address)
    }
}

/// How a change at the target stands, in words a person can read.
pub struct Rotation {
    /// "Password is v7 or v8, proving", and why, and what comes next.
    pub notice: Notice,
    /// staged, applied, proved, promoted.
    pub steps: Vec<Moment>,
    /// The next try.
    pub next: Option<Clock>,
}

/// `GET /safes/{safe}/credentials/new`
#[derive(Template)]
#[template(path = "credentials/new.html")]
pub struct New {
    /// Shell.
    pub desk: Desk,
    /// Safe id.
    pub safe: String,
    /// Safe's name.
    pub safe_name: String,
}

/// `GET /safes/{safe}/credentials/{id}/target`: bind it to where it lives.
#[derive(Template)]
#[template(path = "credentials/target.html")]
pub struct Target {
    /// Shell.
    pub desk: Desk,
    /// Credential id.
    pub credential: String,
    /// Credential's name.
    pub name: String,
    /// Its safe.
    pub safe: Link,
    /// Safe id.
    pub safe_id: String,
    /// The leaf of the roster in force, 64 hex digits.
    pub roster: String,
    /// Signatures needed.
    pub need: u32,
    /// The binding it has now, if any.
    pub current: Vec<Fact>,
    /// What an administrator runs there, and where a draft says.
    pub scripts: Vec<Script>,
}

/// `GET /safes/{safe}/credentials/{id}/import`
#[derive(Template)]
#[template(path = "credentials/import.html")]
pub struct Import {
    /// Shell.
    pub desk: Desk,
    /// Credential id.
    pub credential: String,
    /// Credential's name.
    pub name: String,
    /// `password`, `token`, `note`.
    pub kind: String,
    /// Its safe.
    pub safe: Link,
    /// The version that is current now.
    pub current: Option<u32>,
    /// Its safe's id, as the page was asked for.
    pub home: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::Mark;

    #[test]
    fn a_page_is_another_when_something_happened_and_not_when_time_passed() {
        let show = |state: &str, version: &str, holder: Option<&str>| {
            let link = |text: &str| Link {
                href: "/".into(),
                text: text.into(),
            };
            let shown = Show {
                desk: Desk::default(),
                credential: String::new(),
                name: "orders".into(),
                kind: "password".into(),
                safe: link("Production"),
                chips: vec![Chip::new(Mark::Open, state)],
                askable: true,
                live: holder.map(link),
                versions: vec![Version {
                    version: 1,
                    origin: "generated".into(),
                    sealed: String::new(),
                    epoch: 1,
                    chip: Chip::new(Mark::Sealed, version),
                    entry: 1,
                }],
                target: Vec::new(),
                scripts: Vec::new(),
                rotation: None,
                history: Vec::new(),
            };
            shown.mark()
        };
        let open = show("Open, 14 min", "Current", Some("Mara holds it"));
        assert_eq!(show("Open, 13 min", "Current", Some("Mara holds it")), open);
        assert_ne!(show("Open, 14 min", "Current", None), open);
        assert_ne!(
            show("Open, 14 min", "Last proved", Some("Mara holds it")),
            open
        );
    }
}
