//! A ledger in the making, and the steps that most of the cases share.

use std::sync::LazyLock;

use quorum::hash::Hash;
use quorum::ids::SafeId;
use quorum::json::Value as Canonical;
use quorum::statement::{KeyAct, Kind, NewRoster, Purpose, Request, Role, Roles, RosterPurpose};
use serde_json::{Value, json};

use crate::Case;
use crate::world::{self, CUSTODIAN, Filing, World, text};

/// What many ledgers begin with: a custodian and three approvers; those with a safe, two of three.
pub(super) struct Bases {
    pub(super) people: World,
    pub(super) safe: (World, SafeId),
}

pub(super) static BASES: LazyLock<Bases> = LazyLock::new(|| {
    let mut people = World::new();
    for i in 1..=3 {
        people.approver(&format!("Approver {i}"));
    }
    let mut world = people.clone();
    let safe = world.safe_id();
    let new = world.new_roster(1, 2, &[1, 2, 3]);
    world.found_safe(safe, new);
    Bases {
        people,
        safe: (world, safe),
    }
});

/// A ledger in the making, and what of it is handed over.
pub(super) struct Play {
    pub(super) world: World,
    /// Seqs that are not handed over.
    pub(super) left: Vec<u64>,
    /// Entries that are handed over with other bytes than the ledger has.
    pub(super) edits: Vec<(u64, Vec<u8>)>,
}

impl Play {
    pub(super) fn of(world: World) -> Self {
        Self {
            world,
            left: Vec::new(),
            edits: Vec::new(),
        }
    }

    /// A safe of players 1 to 3, two of whom must approve.
    pub(super) fn safe() -> (Self, SafeId) {
        let (world, safe) = BASES.safe.clone();
        (Self::of(world), safe)
    }

    /// Files the founding of a safe of players 1 to n.
    pub(super) fn file_founding(
        &mut self,
        n: usize,
        change: impl FnOnce(&mut Request, &mut NewRoster),
    ) -> Filing {
        let people: Vec<usize> = (1..=n).collect();
        let mut new = self.world.new_roster(1, 2, &people);
        let safe = self.world.safe_id();
        let mut request = self
            .world
            .roster_request(CUSTODIAN, safe, Hash::ZERO, new.clone());
        change(&mut request, &mut new);
        request.purpose = Purpose::Roster(RosterPurpose { new });
        self.world.file(CUSTODIAN, request)
    }

    pub(super) fn found(&mut self, n: usize, change: impl FnOnce(&mut Request, &mut NewRoster)) {
        let filing = self.file_founding(n, change);
        let acceptances = self.world.accept_all(&filing);
        self.world.set_roster(&filing, &[], &acceptances);
    }

    /// Files the same roster again as the next epoch.
    pub(super) fn file_change(
        &mut self,
        safe: SafeId,
        requester: usize,
        change: impl FnOnce(&mut Request, &mut NewRoster),
    ) -> Filing {
        let mut new = self.world.new_roster(2, 2, &[1, 2, 3]);
        let roster = self.world.last_roster();
        let mut request = self
            .world
            .roster_request(requester, safe, roster, new.clone());
        change(&mut request, &mut new);
        request.purpose = Purpose::Roster(RosterPurpose { new });
        self.world.file(requester, request)
    }

    pub(super) fn key_act(&mut self, by: usize, whose: usize, key: usize, event: &str) -> u64 {
        let act = KeyAct {
            authenticator: self.world.players[whose].keys[key],
            user: self.world.players[whose].user,
            why: "lost".into(),
        };
        let kind = match event {
            "authenticator.revoked" => Kind::Revoke(act),
            "authenticator.suspended" => Kind::Suspend(act),
            _ => Kind::Unsuspend(act),
        };
        self.world.sign(by, 0, event, kind)
    }

    pub(super) fn revoke(&mut self, whose: usize, key: usize) -> u64 {
        self.key_act(CUSTODIAN, whose, key, "authenticator.revoked")
    }

    pub(super) fn suspend(&mut self, whose: usize, key: usize) -> u64 {
        self.key_act(CUSTODIAN, whose, key, "authenticator.suspended")
    }

    pub(super) fn restore(&mut self, whose: usize, key: usize) -> u64 {
        self.key_act(CUSTODIAN, whose, key, "authenticator.restored")
    }

    pub(super) fn roles(&mut self, by: usize, who: usize, roles: &[Role]) {
        let user = self.world.players[who].user;
        let roles = roles.to_vec();
        self.world
            .sign(by, 0, "person.roles", Kind::Roles(Roles { roles, user }));
    }

    pub(super) fn end(&mut self, filing: &Filing, why: &str) {
        let data = world::obj([
            ("request", text(filing.request.request)),
            ("why", text(why)),
        ]);
        self.world.append("system", "request.ended", data);
    }

    /// Hands the newest entry over with one text in it replaced.
    pub(super) fn edit(&mut self, seq: u64, from: &str, to: &str) {
        let entry = String::from_utf8(self.world.entries[seq as usize].clone()).unwrap();
        assert!(entry.contains(from), "{from}");
        self.edits
            .push((seq, entry.replacen(from, to, 1).into_bytes()));
    }

    pub(super) fn case(&self, name: &str, expect: &str) -> Case {
        let bases = [("safe", &BASES.safe.0), ("people", &BASES.people)];
        let base = bases
            .iter()
            .find(|(_, base)| self.world.entries.starts_with(&base.entries));
        let rest = base.map_or(0, |(_, base)| base.entries.len());
        let edits: Vec<Value> = self
            .edits
            .iter()
            .map(|(seq, entry)| json!({"seq": seq, "entry": String::from_utf8(entry.clone()).unwrap()}))
            .collect();
        let entries = strings(&self.world.entries[rest..]);
        let mut given = json!({"note": self.world.note(), "entries": entries});
        if let Some((base, _)) = base {
            given["base"] = json!(base);
        }
        if !self.left.is_empty() {
            given["left_out"] = json!(self.left);
        }
        if !edits.is_empty() {
            given["edits"] = json!(edits);
        }
        Case::new(name, "", expect, given)
    }
}

pub(super) fn strings(entries: &[Vec<u8>]) -> Vec<String> {
    let text = |entry: &Vec<u8>| String::from_utf8(entry.clone()).unwrap();
    entries.iter().map(text).collect()
}

/// Collects the cases.
#[derive(Default)]
pub(super) struct Cases(pub(super) Vec<Case>);

impl Cases {
    pub(super) fn add(&mut self, name: &str, expect: &str, play: Play) {
        self.0.push(play.case(name, expect));
    }

    /// People, then a founding that the case spoils.
    pub(super) fn founding(&mut self, name: &str, expect: &str, spoil: impl FnOnce(&mut Play)) {
        let mut play = Play::of(BASES.people.clone());
        spoil(&mut play);
        self.add(name, expect, play);
    }

    /// A founded safe, then a change of its roster that the case spoils.
    pub(super) fn change(
        &mut self,
        name: &str,
        expect: &str,
        spoil: impl FnOnce(&mut Play, SafeId),
    ) {
        let (mut play, safe) = Play::safe();
        spoil(&mut play, safe);
        self.add(name, expect, play);
    }
}

pub(super) fn spoil_new<T>(
    filing: &mut Filing,
    spoil: impl FnOnce(&mut quorum::json::Object) -> T,
) {
    let Canonical::Obj(subject) = &mut filing.subject else {
        panic!()
    };
    let Some(Canonical::Obj(new)) = subject.get_mut("new") else {
        panic!()
    };
    spoil(new);
}
