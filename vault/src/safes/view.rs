//! Pages of safes: all of them, one, founding one and changing who opens it.

use askama::Template;

use crate::pages::{Chip, Desk, Fact, Link, Moment, Notice, Pips, When, capital, number};

/// `GET /safes`
#[derive(Template)]
#[template(path = "safes/list.html")]
pub struct List {
    /// Shell.
    pub desk: Desk,
    /// Safes by name.
    pub rows: Vec<Row>,
    /// Foundings that still wait for acceptances.
    pub founding: Vec<Link>,
}

/// A safe in the list.
pub struct Row {
    /// `/safes/{id}`
    pub href: String,
    /// Name.
    pub name: String,
    /// For rehearsals, for ever.
    pub drill: bool,
    /// How many credentials it keeps.
    pub credentials: u32,
    /// Margin.
    pub pips: Pips,
    /// State: "Quorum alive", "Margin 0", "Blocked".
    pub chip: Chip,
}

/// `GET /safes/{id}`
#[derive(Template)]
#[template(path = "safes/show.html")]
pub struct Show {
    /// Shell.
    pub desk: Desk,
    /// Safe id.
    pub safe: String,
    /// Name.
    pub name: String,
    /// Roster epoch.
    pub epoch: u32,
    /// For rehearsals, for ever.
    pub drill: bool,
    /// Under the name: "Quorum alive", "3 of 5 must sign".
    pub chips: Vec<Chip>,
    /// Margin.
    pub pips: Pips,
    /// The roster, in its order (x = 1, 2, ..).
    pub approvers: Vec<Approver>,
    /// What it keeps.
    pub credentials: Vec<Credential>,
    /// Signatures, to sign, to open, held at most, denials.
    pub policy: Vec<Fact>,
    /// A change of the roster that waits: where to see it.
    pub change: Option<Link>,
    /// What needs a person, beyond the margin: a key not named yet, versions under an old roster.
    pub notices: Vec<Notice>,
    /// What happened last, newest first, at most six.
    pub history: Vec<Moment>,
}

impl Show {
    /// "Margin 1." and what that means.
    pub fn margin(&self) -> (String, String) {
        let Pips { need, can, .. } = self.pips;
        let many = |n: u32, one: &str, more: &str| {
            if n == 1 {
                format!("one {one}")
            } else {
                format!("{} {more}", number(n))
            }
        };
        let can_sign = capital(&many(can, "approver can sign", "approvers can sign"));
        let needed = many(need, "is needed", "are needed");
        match can.checked_sub(need) {
            None => (
                "Blocked.".into(),
                format!(
                    "{can_sign} and {needed}. Nothing here can be opened until the roster is repaired."
                ),
            ),
            Some(0) => (
                "Margin 0.".into(),
                format!(
                    "{can_sign} and {needed}. If one of them is away, nothing here can be opened."
                ),
            ),
            Some(1) => (
                "Margin 1.".into(),
                format!(
                    "{can_sign} and {needed}. If one loses the keys, a single absence blocks this safe."
                ),
            ),
            Some(n) => (format!("Margin {n}."), format!("{can_sign} and {needed}.")),
        }
    }

    /// Whether the margin needs a person.
    pub fn thin(&self) -> bool {
        self.pips.can <= self.pips.need
    }
}

/// An approver on the roster.
pub struct Approver {
    /// `/people/{id}`
    pub href: String,
    /// Name.
    pub name: String,
    /// Live keys that the roster names.
    pub keys: u32,
    /// When one of them last proved that its share opens.
    pub proved: Option<When>,
    /// "Can sign", "One key left", "Cannot sign".
    pub chip: Chip,
}

impl Approver {
    /// "9 days ago", "never".
    pub fn proved_words(&self, now: &i64) -> String {
        self.proved.map_or_else(|| "never".into(), |w| w.ago(*now))
    }
}

/// A credential in its safe.
pub struct Credential {
    /// `/safes/{id}/credentials/{id}`
    pub href: String,
    /// Credential id.
    pub credential: String,
    /// Name.
    pub name: String,
    /// "password · rotates at the database", "token · changed by hand".
    pub kind: String,
    /// "14 for 26 days", "none yet".
    pub version: String,
    /// State.
    pub chip: Chip,
    /// "held by Mara Lindqvist"; instead of the link to ask for it.
    pub holder: Option<String>,
    /// It has a version that can be asked for.
    pub askable: bool,
}

/// `GET /safes/new` and `GET /safes/{id}/roster`: who opens it together.
#[derive(Template)]
#[template(path = "safes/roster.html")]
pub struct Roster {
    /// Shell.
    pub desk: Desk,
    /// The safe's id; none at a founding.
    pub safe: Option<String>,
    /// The leaf of the roster that this would replace (64 hex digits); none at a founding.
    pub previous: Option<String>,
    /// The epoch it would be: 1 at a founding.
    pub epoch: u32,
    /// Name so far.
    pub name: String,
    /// Signatures needed so far.
    pub m: u32,
    /// Denials that end a request, so far.
    pub denials: u32,
    /// Seconds to sign, so far.
    pub request_life_s: u32,
    /// Longest holding in seconds, so far.
    pub grant_life_s: u32,
    /// For rehearsals; cannot be changed after the founding.
    pub drill: bool,
    /// Whether drill safes can be founded here with software keys.
    pub keys_drill: bool,
    /// Everybody with the role of an approver.
    pub candidates: Vec<Candidate>,
}

impl Roster {
    /// "founding" or not.
    pub fn founding(&self) -> bool {
        self.safe.is_none()
    }

    /// The choices of a duration: seconds, words, chosen.
    pub fn lives(&self, chosen: &u32) -> Vec<(u32, String, bool)> {
        let mut all = vec![300, 900, 1_800, 3_600, 14_400, 28_800, 86_400];
        if !all.contains(chosen) {
            all.push(*chosen);
            all.sort_unstable();
        }
        all.into_iter()
            .map(|s| (s, crate::pages::duration(s), s == *chosen))
            .collect()
    }
}

/// Somebody who can be named.
pub struct Candidate {
    /// User id.
    pub user: String,
    /// Invited name.
    pub name: String,
    /// Ids of the live keys that can hold a share.
    pub authenticators: Vec<String>,
    /// How many of them are software: those fit drill rosters only.
    pub software: u32,
    /// Named now.
    pub chosen: bool,
}

impl Candidate {
    /// Ids with a space between.
    pub fn ids(&self) -> String {
        self.authenticators.join(" ")
    }

    /// Fits a roster that is not for drills: two hardware keys.
    pub fn fits(&self) -> bool {
        self.authenticators.len() >= 2 && self.software == 0
    }

    /// Fits a drill roster.
    pub fn fits_drill(&self) -> bool {
        !self.authenticators.is_empty()
    }

    /// "2 keys", "one key: two are needed".
    pub fn note(&self) -> String {
        match (self.authenticators.len(), self.software) {
            (0, _) => "no key that can hold a share".into(),
            (1, 0) => "one key: two are needed, drills aside".into(),
            (n, 0) => format!("{n} keys"),
            (1, _) => "one software key: for drills only".into(),
            (n, s) => format!("{n} keys, {s} of them software: for drills only"),
        }
    }
}
