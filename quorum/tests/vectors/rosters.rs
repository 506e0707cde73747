//! Rosters: whole small ledgers, each with one lie in it.

use super::world::{CUSTODIAN, DAY, Filing, HOUR, World, evidence_of, signed_data, text, tree};
use super::{Case, cases_with_shared, judge};
use std::sync::LazyLock;

use quorum::evidence::{Proved, Trust};
use quorum::hash::{Hash, labelled};
use quorum::ids::SafeId;
use quorum::json::Value as Canonical;
use quorum::roster::VerifiedRoster;
use quorum::statement::{
    Acceptance, Approval, Decision, KeyAct, Kind, NewRoster, Request, Role, Roles, Statement,
};
use serde_json::{Value, json};

use Decision::{Approve, Deny};

/// What many ledgers begin with: a custodian and three approvers; those with a safe, two of three.
struct Bases {
    people: World,
    safe: (World, SafeId),
}

static BASES: LazyLock<Bases> = LazyLock::new(|| {
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
struct Play {
    world: World,
    /// Seqs that are not handed over.
    left: Vec<u64>,
    /// Entries that are handed over with other bytes than the ledger has.
    edits: Vec<(u64, Vec<u8>)>,
}

impl Play {
    fn of(world: World) -> Self {
        Self {
            world,
            left: Vec::new(),
            edits: Vec::new(),
        }
    }

    /// A safe of players 1 to 3, two of whom must approve.
    fn safe() -> (Self, SafeId) {
        let (world, safe) = BASES.safe.clone();
        (Self::of(world), safe)
    }

    /// Files the founding of a safe of players 1 to n.
    fn file_founding(
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
        request.purpose =
            quorum::statement::Purpose::Roster(quorum::statement::RosterPurpose { new });
        self.world.file(CUSTODIAN, request)
    }

    fn found(&mut self, n: usize, change: impl FnOnce(&mut Request, &mut NewRoster)) {
        let filing = self.file_founding(n, change);
        let acceptances = self.world.accept_all(&filing);
        self.world.set_roster(&filing, &[], &acceptances);
    }

    /// Files the same roster again as the next epoch.
    fn file_change(
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
        request.purpose =
            quorum::statement::Purpose::Roster(quorum::statement::RosterPurpose { new });
        self.world.file(requester, request)
    }

    fn key_act(&mut self, by: usize, whose: usize, key: usize, event: &str) -> u64 {
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

    fn revoke(&mut self, whose: usize, key: usize) -> u64 {
        self.key_act(CUSTODIAN, whose, key, "authenticator.revoked")
    }

    fn suspend(&mut self, whose: usize, key: usize) -> u64 {
        self.key_act(CUSTODIAN, whose, key, "authenticator.suspended")
    }

    fn restore(&mut self, whose: usize, key: usize) -> u64 {
        self.key_act(CUSTODIAN, whose, key, "authenticator.restored")
    }

    fn roles(&mut self, by: usize, who: usize, roles: &[Role]) {
        let user = self.world.players[who].user;
        let roles = roles.to_vec();
        self.world
            .sign(by, 0, "person.roles", Kind::Roles(Roles { roles, user }));
    }

    fn end(&mut self, filing: &Filing, why: &str) {
        let data = super::world::obj([
            ("request", text(filing.request.request)),
            ("why", text(why)),
        ]);
        self.world.append("system", "request.ended", data);
    }

    /// Hands the newest entry over with one text in it replaced.
    fn edit(&mut self, seq: u64, from: &str, to: &str) {
        let entry = String::from_utf8(self.world.entries[seq as usize].clone()).unwrap();
        assert!(entry.contains(from), "{from}");
        self.edits
            .push((seq, entry.replacen(from, to, 1).into_bytes()));
    }

    fn case(&self, name: &str, expect: &str) -> Case {
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

fn strings(entries: &[Vec<u8>]) -> Vec<String> {
    let text = |entry: &Vec<u8>| String::from_utf8(entry.clone()).unwrap();
    entries.iter().map(text).collect()
}

/// Collects the cases.
#[derive(Default)]
struct Cases(Vec<Case>);

impl Cases {
    fn add(&mut self, name: &str, expect: &str, play: Play) {
        self.0.push(play.case(name, expect));
    }

    /// People, then a founding that the case spoils.
    fn founding(&mut self, name: &str, expect: &str, spoil: impl FnOnce(&mut Play)) {
        let mut play = Play::of(BASES.people.clone());
        spoil(&mut play);
        self.add(name, expect, play);
    }

    /// A founded safe, then a change of its roster that the case spoils.
    fn change(&mut self, name: &str, expect: &str, spoil: impl FnOnce(&mut Play, SafeId)) {
        let (mut play, safe) = Play::safe();
        spoil(&mut play, safe);
        self.add(name, expect, play);
    }
}

fn good(all: &mut Cases) {
    all.founding("two of three", "ok", |p| p.found(3, |_, _| {}));
    all.founding("two of two", "ok", |p| p.found(2, |_, _| {}));
    all.founding("three of three", "ok", |p| p.found(3, |_, new| new.m = 3));
    all.founding("a drill of one", "ok", |p| {
        p.found(1, |_, new| {
            new.m = 1;
            new.drill = true;
        });
    });
    all.founding("two keys each", "ok", |p| {
        p.world.add_key(1, 0);
        p.world.add_key(2, 0);
        p.world.add_key(3, 0);
        p.found(3, |_, _| {});
    });
    all.founding("one key named of two", "ok", |p| {
        p.world.add_key(1, 0);
        p.found(3, |_, new| {
            new.approvers[0].authenticators.remove(0);
        });
    });
    all.founding("by a second custodian", "ok", |p| {
        let second = p.world.person("Second Custodian", &[Role::Custodian]);
        let new = p.world.new_roster(1, 2, &[1, 2, 3]);
        let safe = p.world.safe_id();
        let request = p.world.roster_request(second, safe, Hash::ZERO, new);
        let filing = p.world.file(second, request);
        let acceptances = p.world.accept_all(&filing);
        p.world.set_roster(&filing, &[], &acceptances);
    });
    all.founding("an approver by a later role", "ok", |p| {
        let late = p.world.person("Late Approver", &[Role::Requester]);
        p.roles(CUSTODIAN, late, &[Role::Approver]);
        p.found(late, |_, _| {});
    });
    all.founding("a key suspended and restored before", "ok", |p| {
        p.suspend(1, 0);
        p.restore(1, 0);
        p.found(3, |_, _| {});
    });
    all.founding("a key suspended after", "ok", |p| {
        p.found(3, |_, _| {});
        p.suspend(1, 0);
    });
    all.founding("a key revoked after", "ok", |p| {
        p.found(3, |_, _| {});
        p.revoke(1, 0);
    });
    all.founding("a key revoked by its owner after", "ok", |p| {
        p.found(3, |_, _| {});
        p.key_act(2, 2, 0, "authenticator.revoked");
    });
    all.founding(
        "a denied founding goes on without a roster",
        "decision:not_rostered",
        |p| {
            let filing = p.file_founding(3, |_, _| {});
            p.world.decide(1, 0, &filing, Deny);
            let acceptances = p.world.accept_all(&filing);
            p.world.set_roster(&filing, &[], &acceptances);
        },
    );
    all.change("the next epoch, by two", "ok", |p, safe| {
        let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
        let approvals = [
            p.world.decide(1, 0, &filing, Approve),
            p.world.decide(3, 0, &filing, Approve),
        ];
        p.world.set_roster(&filing, &approvals, &[]);
    });
    all.change("somebody new, who accepts", "ok", |p, safe| {
        let fresh = p.world.approver("Fresh Approver");
        let new = p.world.new_roster(2, 3, &[fresh, 1, 2]);
        let filing = p.file_change(safe, CUSTODIAN, |_, n| *n = new);
        let accepted = p.world.accept(fresh, 0, &filing);
        let approvals = [
            p.world.decide(2, 0, &filing, Approve),
            p.world.decide(3, 0, &filing, Approve),
        ];
        p.world.set_roster(&filing, &approvals, &[accepted]);
    });
    all.change("three approve, two are listed", "ok", |p, safe| {
        let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
        let approvals: Vec<u64> = (1..=3)
            .map(|who| p.world.decide(who, 0, &filing, Approve))
            .collect();
        p.world.set_roster(&filing, &approvals[1..], &[]);
    });
    all.change("one denial of two allowed", "ok", |p, safe| {
        let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
        p.world.decide(3, 0, &filing, Deny);
        let approvals = [
            p.world.decide(1, 0, &filing, Approve),
            p.world.decide(2, 0, &filing, Approve),
        ];
        p.world.set_roster(&filing, &approvals, &[]);
    });
    all.change(
        "an approval that counts for nothing, not listed",
        "ok",
        |p, safe| {
            let stranger = p.world.approver("Stranger");
            let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
            let approvals = [
                p.world.decide(1, 0, &filing, Approve),
                p.world.decide(2, 0, &filing, Approve),
            ];
            p.world.decide(stranger, 0, &filing, Approve);
            p.world.set_roster(&filing, &approvals, &[]);
        },
    );
    all.change("three epochs", "ok", |p, safe| {
        let new = p.world.new_roster(2, 2, &[1, 2, 3]);
        p.world.change_roster(safe, &[1, 2], new);
        let new = p.world.new_roster(3, 2, &[3, 2]);
        p.world.change_roster(safe, &[3, 1], new);
    });
}

fn founding_lies(all: &mut Cases) {
    let as_founding = |all: &mut Cases,
                       name: &str,
                       expect: &str,
                       change: &dyn Fn(&mut Request, &mut NewRoster)| {
        all.founding(name, expect, |p| p.found(3, change));
    };
    as_founding(all, "m of one", "filing:new:threshold", &|_, new| new.m = 1);
    as_founding(all, "m above n", "filing:new:threshold", &|_, new| {
        new.m = 4
    });
    as_founding(all, "nobody", "filing:new:threshold", &|_, new| {
        new.approvers.clear()
    });
    as_founding(
        all,
        "an approver twice",
        "filing:new:repeated_approver",
        &|_, new| {
            new.approvers[2] = new.approvers[0].clone();
        },
    );
    as_founding(
        all,
        "an approver without a key",
        "filing:new:no_key",
        &|_, new| new.approvers[2].authenticators.clear(),
    );
    as_founding(all, "epoch two first", "filing:new:epoch", &|_, new| {
        new.epoch = 2
    });
    as_founding(
        all,
        "a roster before the first",
        "filing:roster",
        &|request, _| request.roster = Hash([7; 32]),
    );
    as_founding(all, "open for 15 days", "filing:expires", &|request, _| {
        request.expires += 8 * DAY
    });
    as_founding(
        all,
        "expired when filed",
        "filing:expires",
        &|request, _| request.expires -= 7 * DAY,
    );
    as_founding(all, "another requester's name", "name", &|request, _| {
        request.requester_name = "Approver 1".into()
    });
    as_founding(
        all,
        "an approver under another name",
        "named_person",
        &|_, new| new.approvers[1].name = "Approver 3".into(),
    );
    all.founding("one key of two people", "filing:new:repeated_key", |p| {
        let key = p.world.players[1].keys[0];
        let filing = p.file_founding(3, |_, new| new.approvers[1].authenticators.push(key));
        let acceptances: Vec<u64> = (1..=3).map(|who| p.world.accept(who, 0, &filing)).collect();
        p.world.set_roster(&filing, &[], &acceptances);
    });
    all.founding("another person's key", "acceptance", |p| {
        let second = p.world.add_key(1, 0);
        let key = p.world.players[1].keys[1];
        assert!(second > 0);
        let filing = p.file_founding(3, |_, new| {
            new.approvers[0].authenticators = vec![new.approvers[0].authenticators[0]];
            new.approvers[1].authenticators = vec![key];
        });
        let acceptances = [
            p.world.accept(1, 0, &filing),
            p.world.accept(1, 1, &filing),
            p.world.accept(3, 0, &filing),
        ];
        p.world.set_roster(&filing, &[], &acceptances);
    });
    all.founding("expired when set", "acting:expired", |p| {
        let filing = p.file_founding(3, |_, _| {});
        let acceptances = p.world.accept_all(&filing);
        p.world.time = filing.request.expires;
        p.world.set_roster(&filing, &[], &acceptances);
    });
    all.founding("ended before", "acting:settled", |p| {
        let filing = p.file_founding(3, |_, _| {});
        let acceptances = p.world.accept_all(&filing);
        p.end(&filing, "withdrawn");
        p.world.set_roster(&filing, &[], &acceptances);
    });
    all.founding(
        "the filing's key revoked before",
        "acting:filing_key_revoked",
        |p| {
            let second = p.world.person("Second Custodian", &[Role::Custodian]);
            let new = p.world.new_roster(1, 2, &[1, 2, 3]);
            let safe = p.world.safe_id();
            let request = p.world.roster_request(second, safe, Hash::ZERO, new);
            let filing = p.world.file(second, request);
            let acceptances = p.world.accept_all(&filing);
            p.revoke(second, 0);
            p.world.set_roster(&filing, &[], &acceptances);
        },
    );
    all.founding("set twice", "filing:roster", |p| {
        let filing = p.file_founding(3, |_, _| {});
        let acceptances = p.world.accept_all(&filing);
        p.world.set_roster(&filing, &[], &acceptances);
        p.world.set_roster(&filing, &[], &acceptances);
    });
    all.founding("another m than asked for", "not_as_asked", |p| {
        let mut filing = p.file_founding(3, |_, new| new.m = 3);
        let acceptances = p.world.accept_all(&filing);
        spoil_new(&mut filing, |new| new.insert("m".into(), Canonical::Int(2)));
        p.world.set_roster(&filing, &[], &acceptances);
    });
    all.founding("one approver fewer than asked for", "not_as_asked", |p| {
        let mut filing = p.file_founding(3, |_, _| {});
        let acceptances = p.world.accept_all(&filing);
        spoil_new(&mut filing, |new| {
            let Some(Canonical::Arr(approvers)) = new.get_mut("approvers") else {
                panic!()
            };
            approvers.pop()
        });
        p.world.set_roster(&filing, &[], &acceptances);
    });
    all.founding("another safe than asked for", "not_as_asked", |p| {
        let mut filing = p.file_founding(3, |_, _| {});
        let acceptances = p.world.accept_all(&filing);
        filing.request.safe = p.world.safe_id();
        p.world.set_roster(&filing, &[], &acceptances);
    });
    all.founding("a request that was never filed", "unknown_request", |p| {
        let mut filing = p.file_founding(3, |_, _| {});
        let acceptances = p.world.accept_all(&filing);
        filing.request.request = p.world.request_id();
        p.world.set_roster(&filing, &[], &acceptances);
    });
    all.founding("one request id twice", "repeated_request", |p| {
        let filing = p.file_founding(3, |_, _| {});
        p.world.file(CUSTODIAN, filing.request.clone());
        let acceptances = p.world.accept_all(&filing);
        p.world.set_roster(&filing, &[], &acceptances);
    });
    all.founding(
        "approvals where there can be none",
        "listed_approval",
        |p| {
            let filing = p.file_founding(3, |_, _| {});
            let acceptances = p.world.accept_all(&filing);
            let approval = p.world.decide(1, 0, &filing, Approve);
            p.world.set_roster(&filing, &[approval], &acceptances);
        },
    );
    all.founding("time went back", "time", |p| {
        p.found(3, |_, _| {});
        p.world.time -= 2 * HOUR;
        p.revoke(1, 0);
    });
}

fn spoil_new<T>(filing: &mut Filing, spoil: impl FnOnce(&mut quorum::json::Object) -> T) {
    let Canonical::Obj(subject) = &mut filing.subject else {
        panic!()
    };
    let Some(Canonical::Obj(new)) = subject.get_mut("new") else {
        panic!()
    };
    spoil(new);
}

fn acceptance_lies(all: &mut Cases) {
    all.founding("nobody accepted", "not_accepted", |p| {
        let filing = p.file_founding(3, |_, _| {});
        p.world.set_roster(&filing, &[], &[]);
    });
    all.founding("one did not accept", "not_accepted", |p| {
        let filing = p.file_founding(3, |_, _| {});
        let acceptances = [p.world.accept(1, 0, &filing), p.world.accept(2, 0, &filing)];
        p.world.set_roster(&filing, &[], &acceptances);
    });
    all.founding("one acceptance not listed", "not_accepted", |p| {
        let filing = p.file_founding(3, |_, _| {});
        let acceptances = p.world.accept_all(&filing);
        p.world.set_roster(&filing, &[], &acceptances[..2]);
    });
    all.founding("one of two keys did not accept", "not_accepted", |p| {
        p.world.add_key(1, 0);
        let filing = p.file_founding(3, |_, _| {});
        let acceptances: Vec<u64> = (1..=3).map(|who| p.world.accept(who, 0, &filing)).collect();
        p.world.set_roster(&filing, &[], &acceptances);
    });
    all.founding("an acceptance not handed over", "listed_acceptance", |p| {
        let filing = p.file_founding(3, |_, _| {});
        let acceptances = p.world.accept_all(&filing);
        p.left.push(acceptances[1]);
        p.world.set_roster(&filing, &[], &acceptances);
    });
    all.founding(
        "an acceptance of another request",
        "listed_acceptance",
        |p| {
            let other = p.file_founding(3, |_, _| {});
            let theirs = p.world.accept(1, 0, &other);
            let safe = other.request.safe;
            let filing = p.file_founding(3, |request, _| request.safe = safe);
            let mut acceptances = vec![theirs];
            acceptances.extend([p.world.accept(2, 0, &filing), p.world.accept(3, 0, &filing)]);
            p.world.set_roster(&filing, &[], &acceptances);
        },
    );
    all.founding("a key accepted twice", "acceptance", |p| {
        let filing = p.file_founding(3, |_, _| {});
        let acceptances = p.world.accept_all(&filing);
        p.world.accept(1, 0, &filing);
        p.world.set_roster(&filing, &[], &acceptances);
    });
    all.founding("accepted by somebody not named", "acceptance", |p| {
        let stranger = p.world.approver("Stranger");
        let filing = p.file_founding(3, |_, _| {});
        p.world.accept(stranger, 0, &filing);
        let acceptances = p.world.accept_all(&filing);
        p.world.set_roster(&filing, &[], &acceptances);
    });
    all.founding("accepted with a key that is not named", "acceptance", |p| {
        p.world.add_key(1, 0);
        let first = p.world.players[1].keys[0];
        let filing = p.file_founding(3, |_, new| new.approvers[0].authenticators = vec![first]);
        let acceptances = [
            p.world.accept(1, 1, &filing),
            p.world.accept(2, 0, &filing),
            p.world.accept(3, 0, &filing),
        ];
        p.world.set_roster(&filing, &[], &acceptances);
    });
    all.founding("accepted in another key's name", "authenticator", |p| {
        p.world.add_key(1, 0);
        let filing = p.file_founding(3, |_, _| {});
        let acceptance = Acceptance {
            authenticator: p.world.players[1].keys[1],
            entry: filing.leaf,
            subject: filing.subject.clone(),
        };
        p.world
            .sign(1, 0, "request.accepted", Kind::Acceptance(acceptance));
        p.world.set_roster(&filing, &[], &[]);
    });
    all.founding("accepted with another subject", "decision:subject", |p| {
        let filing = p.file_founding(3, |_, _| {});
        let mut other = filing.clone();
        spoil_new(&mut other, |new| new.insert("m".into(), Canonical::Int(3)));
        p.world.accept(1, 0, &other);
        p.world.set_roster(&filing, &[], &[]);
    });
    all.founding("accepted under another entry", "unknown_request", |p| {
        let filing = p.file_founding(3, |_, _| {});
        let mut other = filing.clone();
        other.leaf = p.world.leaves[2];
        p.world.accept(1, 0, &other);
        p.world.set_roster(&filing, &[], &[]);
    });
    all.founding("accepted after the end", "settled", |p| {
        let filing = p.file_founding(3, |_, _| {});
        p.end(&filing, "withdrawn");
        p.world.accept(1, 0, &filing);
    });
}

fn named_lies(all: &mut Cases) {
    all.founding("a named key not shown enrolled", "unknown_key", |p| {
        p.found(3, |_, _| {});
        p.left.push(4);
    });
    all.founding("a named person not shown invited", "unknown_person", |p| {
        p.found(3, |_, _| {});
        p.left.push(3);
    });
    all.founding(
        "the first custodian not shown invited",
        "unknown_person",
        |p| {
            p.found(3, |_, _| {});
            p.left.push(1);
        },
    );
    all.founding(
        "the first custodian's key not shown enrolled",
        "unknown_key",
        |p| {
            p.found(3, |_, _| {});
            p.left.push(2);
        },
    );
    all.founding("a named key revoked before", "named_key", |p| {
        let filing = p.file_founding(3, |_, _| {});
        let acceptances = p.world.accept_all(&filing);
        p.revoke(3, 0);
        p.world.set_roster(&filing, &[], &acceptances);
    });
    all.founding("a named key suspended", "named_key", |p| {
        let filing = p.file_founding(3, |_, _| {});
        let acceptances = p.world.accept_all(&filing);
        p.suspend(3, 0);
        p.world.set_roster(&filing, &[], &acceptances);
    });
    all.founding("a named key distrusted", "named_key", |p| {
        let filing = p.file_founding(3, |_, _| {});
        let acceptances = p.world.accept_all(&filing);
        let key = p.world.players[3].keys[0];
        let data = super::world::obj([
            ("authenticator", text(key)),
            ("counter", super::world::int(3)),
        ]);
        p.world.append("system", "authenticator.distrusted", data);
        p.world.set_roster(&filing, &[], &acceptances);
    });
    all.founding("a named key that holds no share", "named_key", |p| {
        let bare = p.world.person("Bare Approver", &[Role::Approver]);
        p.world
            .enrol(bare, None, Some(0), |enrol| enrol.share_key = None);
        p.found(bare, |_, _| {});
    });
    all.founding("a named person who is no approver", "named_person", |p| {
        let requester = p
            .world
            .person("Requester", &[Role::Requester, Role::Custodian]);
        p.found(requester, |_, _| {});
    });
    all.founding(
        "a named person who is no approver any more",
        "named_person",
        |p| {
            p.roles(CUSTODIAN, 2, &[Role::Requester]);
            p.found(3, |_, _| {});
        },
    );
}

fn people_lies(all: &mut Cases) {
    all.founding("founded by an approver", "not_allowed", |p| {
        let new = p.world.new_roster(1, 2, &[1, 2, 3]);
        let safe = p.world.safe_id();
        let request = p.world.roster_request(1, safe, Hash::ZERO, new);
        p.world.file(1, request);
    });
    all.founding(
        "founded by a custodian who is none any more",
        "not_allowed",
        |p| {
            let second = p.world.person("Second Custodian", &[Role::Custodian]);
            p.roles(CUSTODIAN, second, &[Role::Requester]);
            let new = p.world.new_roster(1, 2, &[1, 2, 3]);
            let safe = p.world.safe_id();
            let request = p.world.roster_request(second, safe, Hash::ZERO, new);
            p.world.file(second, request);
        },
    );
    all.founding("invited by an approver", "not_allowed", |p| {
        let who = p.world.player("Puppet");
        let invite = p.world.invite_statement(who, &[Role::Approver], Some(1));
        p.world.sign_statement(1, 0, "person.invited", &invite);
    });
    all.founding("roles given by an approver", "not_allowed", |p| {
        p.roles(1, 1, &[Role::Custodian])
    });
    all.founding("roles for nobody", "unknown_person", |p| {
        let who = p.world.player("Nobody");
        p.roles(CUSTODIAN, who, &[Role::Approver]);
    });
    all.founding("a name taken", "taken", |p| {
        p.world.approver("Approver 2");
    });
    all.founding("a name taken in another case", "taken", |p| {
        p.world.approver("APPROVER 2");
    });
    all.founding("a name taken under full case folding", "taken", |p| {
        p.world.approver("Stra\u{df}e");
        p.world.approver("STRASSE");
    });
    all.founding("a user taken", "taken", |p| {
        let who = p.world.player("Somebody Else");
        p.world.players[who].user = p.world.players[1].user;
        let invite = p
            .world
            .invite_statement(who, &[Role::Approver], Some(CUSTODIAN));
        p.world
            .sign_statement(CUSTODIAN, 0, "person.invited", &invite);
    });
    all.founding("a name freed by an invitation that expired", "ok", |p| {
        let who = p.world.player("Late Approver");
        let invite = p
            .world
            .invite_statement(who, &[Role::Approver], Some(CUSTODIAN));
        p.world
            .sign_statement(CUSTODIAN, 0, "person.invited", &invite);
        p.world.time += 3 * DAY;
        p.world.approver("LATE Approver");
        p.found(3, |_, _| {});
    });
    all.founding("a name not freed yet", "taken", |p| {
        let who = p.world.player("Late Approver");
        let invite = p
            .world
            .invite_statement(who, &[Role::Approver], Some(CUSTODIAN));
        p.world
            .sign_statement(CUSTODIAN, 0, "person.invited", &invite);
        p.world.time += 3 * DAY - 10 * super::world::SECOND;
        p.world.approver("LATE Approver");
    });
    let mut world = World::new();
    let mut first = world.invite_statement(0, &[Role::Approver, Role::Requester], None);
    first.nonce = [1; 32];
    world.entries.truncate(1);
    world.leaves.truncate(1);
    world.append("system", "person.invited", first.to_value());
    world.join(0);
    all.add(
        "a first person who is no custodian",
        "first_person",
        Play::of(world),
    );
}

fn key_lies(all: &mut Cases) {
    let enrolment =
        |all: &mut Cases, name: &str, expect: &str, spoil: &dyn Fn(&mut World, usize)| {
            all.founding(name, expect, |p| {
                let who = p.world.player("New Person");
                let invite = p
                    .world
                    .invite_statement(who, &[Role::Approver], Some(CUSTODIAN));
                p.world
                    .sign_statement(CUSTODIAN, 0, "person.invited", &invite);
                spoil(&mut p.world, who);
            });
        };
    let token = |w: &World, who: usize| Some(labelled("invitation", &[&w.players[who].token]));
    enrolment(all, "another registration", "registration", &|w, who| {
        w.enrol(who, token(w, who), None, |e| {
            e.registration_sha256 = Hash([3; 32])
        });
    });
    enrolment(
        all,
        "another person's invitation",
        "invitation",
        &|w, who| {
            w.enrol(who, token(w, 1), None, |_| {});
        },
    );
    enrolment(
        all,
        "a first key without an invitation",
        "invitation",
        &|w, who| {
            w.enrol(who, None, None, |_| {});
        },
    );
    enrolment(
        all,
        "an invitation that expired",
        "invitation_expired",
        &|w, who| {
            w.time += 3 * DAY;
            w.join(who);
        },
    );
    enrolment(
        all,
        "a further key without admission",
        "admission",
        &|w, _| {
            w.enrol(1, None, None, |_| {});
        },
    );
    enrolment(
        all,
        "a further key with an invitation",
        "invitation",
        &|w, _| {
            w.enrol(1, token(w, 1), Some(0), |_| {});
        },
    );
    enrolment(
        all,
        "a key for somebody else",
        "not_the_signers",
        &|w, who| {
            let victim = w.players[1].user;
            w.enrol(who, token(w, who), None, |e| e.user = victim);
        },
    );
    enrolment(
        all,
        "another name than the invited one",
        "name",
        &|w, who| {
            w.enrol(who, token(w, who), None, |e| e.name = "Approver 1".into());
        },
    );
    enrolment(all, "another key's id", "authenticator", &|w, who| {
        let other = w.players[1].keys[0];
        w.enrol(who, token(w, who), None, |e| e.authenticator = other);
    });
    enrolment(
        all,
        "another key's credential id",
        "key_taken",
        &|w, who| {
            let other = w.keys[&w.players[1].keys[0]].credential_id.clone();
            w.enrol(who, token(w, who), None, |e| e.credential_id = other);
        },
    );
    enrolment(all, "another key's share key", "key_taken", &|w, who| {
        let other = w.keys[&w.players[1].keys[0]].share_key();
        w.enrol(who, token(w, who), None, |e| e.share_key = Some(other));
    });
    enrolment(
        all,
        "another key's public key",
        "signature:signature",
        &|w, who| {
            let other = w.keys[&w.players[1].keys[0]].public_key();
            w.enrol(who, token(w, who), None, |e| e.public_key = other);
        },
    );
    enrolment(
        all,
        "a public key off the curve",
        "signature:key",
        &|w, who| {
            w.enrol(who, token(w, who), None, |e| e.public_key[64] ^= 1);
        },
    );
    enrolment(
        all,
        "a person who was not invited",
        "unknown_person",
        &|w, _| {
            let nobody = w.player("Nobody");
            w.join(nobody);
        },
    );
    all.founding(
        "a further key admitted by somebody else's",
        "admission",
        |p| {
            let key = p.world.players[2].keys[0];
            p.world.players[1].keys.push(key);
            p.world.enrol(1, None, Some(1), |_| {});
        },
    );
    all.founding(
        "a further key admitted by a revoked one",
        "admission",
        |p| {
            p.revoke(1, 0);
            p.world.add_key(1, 0);
        },
    );
    all.founding(
        "a further key admitted by a suspended one",
        "admission",
        |p| {
            p.suspend(1, 0);
            p.world.add_key(1, 0);
        },
    );
    all.founding("revoked twice", "key_state", |p| {
        p.revoke(1, 0);
        p.revoke(1, 0);
    });
    all.founding("suspended twice", "key_state", |p| {
        p.suspend(1, 0);
        p.suspend(1, 0);
    });
    all.founding("suspended after its end", "key_state", |p| {
        p.revoke(1, 0);
        p.suspend(1, 0);
    });
    all.founding("restored without a suspension", "key_state", |p| {
        p.restore(1, 0);
    });
    all.founding("restored after its end", "key_state", |p| {
        p.suspend(1, 0);
        p.revoke(1, 0);
        p.restore(1, 0);
    });
    all.founding("restored by its owner", "not_allowed", |p| {
        p.world.add_key(1, 0);
        p.suspend(1, 1);
        p.key_act(1, 1, 1, "authenticator.restored");
    });
    all.founding("revoked by another approver", "not_allowed", |p| {
        p.key_act(2, 1, 0, "authenticator.revoked");
    });
    all.founding("a key revoked as somebody else's", "not_the_signers", |p| {
        let act = KeyAct {
            authenticator: p.world.players[1].keys[0],
            user: p.world.players[2].user,
            why: "lost".into(),
        };
        p.world
            .sign(2, 0, "authenticator.revoked", Kind::Revoke(act));
    });
}

fn signature_lies(all: &mut Cases) {
    let by_hand = |all: &mut Cases,
                   name: &str,
                   expect: &str,
                   spoil: &dyn Fn(&mut Play, Statement, Filing)| {
        all.change(name, expect, |p, safe| {
            let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
            let approval = Approval {
                decision: Approve,
                entry: filing.leaf,
                subject: filing.subject.clone(),
            };
            let statement = p.world.statement(1, Kind::Approval(approval));
            spoil(p, statement, filing);
        });
    };
    // Signs `signed` with the key of `by`, and enters `shown` as signed with the key of `as_key`.
    let enter = |p: &mut Play, by: usize, as_key: usize, signed: &Statement, shown: &Statement| {
        let key = p.world.players[by].keys[0];
        let touch = p.world.keys[&key].touch(signed.challenge());
        let data = Canonical::Obj(signed_data(p.world.players[as_key].keys[0], shown, &touch));
        let actor = shown.signer.unwrap().to_string();
        p.world.append(&actor, "request.approved", data);
    };
    by_hand(
        all,
        "signed with another key",
        "signature:signature",
        &|p, s, _| enter(p, 2, 1, &s, &s),
    );
    by_hand(
        all,
        "signed by somebody else",
        "not_the_signers",
        &|p, s, _| enter(p, 2, 2, &s, &s),
    );
    by_hand(
        all,
        "an approval made of a login",
        "signature:challenge",
        &|p, s, _| {
            let login = Statement {
                kind: Kind::Login,
                signer: None,
                ..s.clone()
            };
            enter(p, 1, 1, &login, &s);
        },
    );
    by_hand(
        all,
        "an approval made of a denial",
        "signature:challenge",
        &|p, s, filing| {
            let denial = Approval {
                decision: Deny,
                entry: filing.leaf,
                subject: filing.subject,
            };
            let denial = Statement {
                kind: Kind::Approval(denial),
                ..s.clone()
            };
            enter(p, 1, 1, &denial, &s);
        },
    );
    by_hand(all, "for another ledger", "ledger", &|p, mut s, _| {
        s.ledger = Hash([9; 32]);
        enter(p, 1, 1, &s, &s);
    });
    by_hand(all, "a nonce used before", "nonce", &|p, mut s, filing| {
        let Some(Canonical::Str(nonce)) = filing.subject.as_object().unwrap().get("nonce").cloned()
        else {
            panic!()
        };
        use base64::Engine as _;
        let nonce = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(nonce)
            .unwrap();
        s.nonce = nonce.try_into().unwrap();
        enter(p, 1, 1, &s, &s);
    });
    by_hand(
        all,
        "signed with a suspended key",
        "not_live",
        &|p, s, _| {
            p.suspend(1, 0);
            enter(p, 1, 1, &s, &s);
        },
    );
    by_hand(all, "signed with a revoked key", "not_live", &|p, s, _| {
        p.revoke(1, 0);
        enter(p, 1, 1, &s, &s);
    });
    by_hand(all, "an approval entered twice", "nonce", &|p, s, _| {
        enter(p, 1, 1, &s, &s);
        enter(p, 1, 1, &s, &s);
    });
}

fn change_lies(all: &mut Cases) {
    let m_minus_one = |p: &mut Play, filing: &Filing| vec![p.world.decide(1, 0, filing, Approve)];
    all.change("nobody approved", "acting:not_reached", |p, safe| {
        let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
        p.world.set_roster(&filing, &[], &[]);
    });
    all.change("m - 1 approved", "acting:not_reached", |p, safe| {
        let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
        let approvals = m_minus_one(p, &filing);
        p.world.set_roster(&filing, &approvals, &[]);
    });
    all.change(
        "m approved, m - 1 are listed",
        "too_few_listed",
        |p, safe| {
            let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
            let approvals = [
                p.world.decide(1, 0, &filing, Approve),
                p.world.decide(2, 0, &filing, Approve),
            ];
            p.world.set_roster(&filing, &approvals[..1], &[]);
        },
    );
    all.change("one person twice", "decision:again", |p, safe| {
        let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
        let approvals = [
            p.world.decide(1, 0, &filing, Approve),
            p.world.decide(1, 0, &filing, Approve),
        ];
        p.world.set_roster(&filing, &approvals, &[]);
    });
    all.change("one person with two keys", "decision:again", |p, safe| {
        p.world.add_key(1, 0);
        let filing = p.file_change(safe, CUSTODIAN, |_, new| {
            new.approvers[0].authenticators.truncate(1);
        });
        let approvals = [
            p.world.decide(1, 0, &filing, Approve),
            p.world.decide(1, 1, &filing, Approve),
        ];
        p.world.set_roster(&filing, &approvals, &[]);
    });
    all.change(
        "the requester among the approvers",
        "acting:not_reached",
        |p, safe| {
            p.roles(CUSTODIAN, 2, &[Role::Approver, Role::Custodian]);
            let filing = p.file_change(safe, 2, |_, _| {});
            let approvals = [
                p.world.decide(1, 0, &filing, Approve),
                p.world.decide(2, 0, &filing, Approve),
            ];
            p.world.set_roster(&filing, &approvals, &[]);
        },
    );
    all.change(
        "the requester listed beside enough others",
        "listed_approval",
        |p, safe| {
            p.roles(CUSTODIAN, 2, &[Role::Approver, Role::Custodian]);
            let filing = p.file_change(safe, 2, |_, _| {});
            let approvals: Vec<u64> = (1..=3)
                .map(|who| p.world.decide(who, 0, &filing, Approve))
                .collect();
            p.world.set_roster(&filing, &approvals, &[]);
        },
    );
    all.change(
        "somebody who is not on the roster",
        "acting:not_reached",
        |p, safe| {
            let stranger = p.world.approver("Stranger");
            let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
            let approvals = [
                p.world.decide(1, 0, &filing, Approve),
                p.world.decide(stranger, 0, &filing, Approve),
            ];
            p.world.set_roster(&filing, &approvals, &[]);
        },
    );
    all.change(
        "somebody who would only be on the new one",
        "acting:not_reached",
        |p, safe| {
            let fresh = p.world.approver("Fresh Approver");
            let new = p.world.new_roster(2, 2, &[1, fresh]);
            let filing = p.file_change(safe, CUSTODIAN, |_, n| *n = new);
            let accepted = p.world.accept(fresh, 0, &filing);
            let approvals = [
                p.world.decide(1, 0, &filing, Approve),
                p.world.decide(fresh, 0, &filing, Approve),
            ];
            p.world.set_roster(&filing, &approvals, &[accepted]);
        },
    );
    all.change(
        "an approval's key revoked after",
        "acting:not_reached",
        |p, safe| {
            let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
            let approvals = [
                p.world.decide(1, 0, &filing, Approve),
                p.world.decide(2, 0, &filing, Approve),
            ];
            p.revoke(2, 0);
            p.world.set_roster(&filing, &approvals, &[]);
        },
    );
    all.change(
        "an approval's key suspended after",
        "acting:not_reached",
        |p, safe| {
            let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
            let approvals = [
                p.world.decide(1, 0, &filing, Approve),
                p.world.decide(2, 0, &filing, Approve),
            ];
            p.suspend(2, 0);
            p.world.set_roster(&filing, &approvals, &[]);
        },
    );
    all.change("approved, then denied", "acting:not_reached", |p, safe| {
        let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
        let approvals = [
            p.world.decide(1, 0, &filing, Approve),
            p.world.decide(2, 0, &filing, Approve),
        ];
        p.world.decide(2, 0, &filing, Deny);
        p.world.set_roster(&filing, &approvals, &[]);
    });
    all.change("denied, then approved", "decision:again", |p, safe| {
        let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
        p.world.decide(2, 0, &filing, Deny);
        p.world.decide(2, 0, &filing, Approve);
    });
    all.change("denied twice by one person", "decision:again", |p, safe| {
        let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
        p.world.decide(2, 0, &filing, Deny);
        p.world.decide(2, 0, &filing, Deny);
    });
    all.change("denied by two", "acting:denied", |p, safe| {
        let new = p.world.new_roster(2, 2, &[1, 2, 3]);
        p.world.change_roster(safe, &[1, 2], new);
        let filing = p.file_change(safe, CUSTODIAN, |_, new| new.epoch = 3);
        p.world.decide(3, 0, &filing, Deny);
        let approvals = [
            p.world.decide(1, 0, &filing, Approve),
            p.world.decide(2, 0, &filing, Approve),
        ];
        p.world.decide(1, 0, &filing, Deny);
        p.world.set_roster(&filing, &approvals, &[]);
    });
    all.change(
        "denied by somebody who is not on the roster",
        "decision:not_rostered",
        |p, safe| {
            let stranger = p.world.approver("Stranger");
            let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
            p.world.decide(stranger, 0, &filing, Deny);
        },
    );
    all.change("expired before", "acting:expired", |p, safe| {
        let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
        let approvals = [
            p.world.decide(1, 0, &filing, Approve),
            p.world.decide(2, 0, &filing, Approve),
        ];
        p.world.time = filing.request.expires;
        p.world.set_roster(&filing, &approvals, &[]);
    });
    all.change(
        "an approval after the end",
        "acting:not_reached",
        |p, safe| {
            let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
            let first = p.world.decide(1, 0, &filing, Approve);
            p.world.time = filing.request.expires;
            let approvals = [first, p.world.decide(2, 0, &filing, Approve)];
            p.world.set_roster(&filing, &approvals, &[]);
        },
    );
    all.change(
        "an approval of another request",
        "listed_approval",
        |p, safe| {
            let other = p.file_change(safe, CUSTODIAN, |_, _| {});
            let theirs = p.world.decide(3, 0, &other, Approve);
            let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
            let mut approvals = vec![theirs];
            approvals.extend([
                p.world.decide(1, 0, &filing, Approve),
                p.world.decide(2, 0, &filing, Approve),
            ]);
            p.world.set_roster(&filing, &approvals, &[]);
        },
    );
    all.change(
        "an acceptance listed as an approval",
        "listed_approval",
        |p, safe| {
            let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
            let accepted = p.world.accept(3, 0, &filing);
            let mut approvals = vec![accepted];
            approvals.extend([
                p.world.decide(1, 0, &filing, Approve),
                p.world.decide(2, 0, &filing, Approve),
            ]);
            p.world.set_roster(&filing, &approvals, &[accepted]);
        },
    );
    all.change(
        "an approval with another subject",
        "decision:subject",
        |p, safe| {
            let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
            let mut other = filing.clone();
            spoil_new(&mut other, |new| new.insert("m".into(), Canonical::Int(3)));
            p.world.decide(1, 0, &other, Approve);
        },
    );
    all.change(
        "an approval of another entry",
        "unknown_request",
        |p, safe| {
            let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
            let mut other = filing.clone();
            other.leaf = p.world.last_roster();
            p.world.decide(1, 0, &other, Approve);
        },
    );
    all.change(
        "an approval after the request was spent",
        "decision:settled",
        |p, safe| {
            let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
            let approvals = [
                p.world.decide(1, 0, &filing, Approve),
                p.world.decide(2, 0, &filing, Approve),
            ];
            p.world.set_roster(&filing, &approvals, &[]);
            p.world.decide(3, 0, &filing, Approve);
        },
    );
    all.change("a request spent twice", "filing:roster", |p, safe| {
        let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
        let approvals = [
            p.world.decide(1, 0, &filing, Approve),
            p.world.decide(2, 0, &filing, Approve),
        ];
        p.world.set_roster(&filing, &approvals, &[]);
        p.world.set_roster(&filing, &approvals, &[]);
    });
    all.change("an epoch left out", "filing:new:epoch", |p, safe| {
        p.file_change(safe, CUSTODIAN, |_, new| new.epoch = 3);
    });
    all.change("the same epoch again", "filing:new:epoch", |p, safe| {
        p.file_change(safe, CUSTODIAN, |_, new| new.epoch = 1);
    });
    all.change("a drill made of it", "filing:new:drill", |p, safe| {
        p.file_change(safe, CUSTODIAN, |_, new| new.drill = true);
    });
    all.change("m lowered to one", "filing:new:threshold", |p, safe| {
        p.file_change(safe, CUSTODIAN, |_, new| new.m = 1);
    });
    all.change("another safe's request", "other_matter", |p, _| {
        let other = p.world.safe_id();
        p.file_change(other, CUSTODIAN, |_, _| {});
    });
    all.change(
        "the roster before the one in force",
        "filing:roster",
        |p, safe| {
            let before = p.world.last_roster();
            let new = p.world.new_roster(2, 2, &[1, 2, 3]);
            p.world.change_roster(safe, &[1, 2], new);
            p.file_change(safe, CUSTODIAN, |request, new| {
                request.roster = before;
                new.epoch = 3;
            });
        },
    );
    all.change("founded again", "filing:roster", |p, safe| {
        let new = p.world.new_roster(1, 2, &[1, 2, 3]);
        let request = p.world.roster_request(CUSTODIAN, safe, Hash::ZERO, new);
        p.world.file(CUSTODIAN, request);
    });
    all.change(
        "somebody new who did not accept",
        "not_accepted",
        |p, safe| {
            let fresh = p.world.approver("Fresh Approver");
            let new = p.world.new_roster(2, 2, &[1, 2, fresh]);
            let filing = p.file_change(safe, CUSTODIAN, |_, n| *n = new);
            let approvals = [
                p.world.decide(1, 0, &filing, Approve),
                p.world.decide(2, 0, &filing, Approve),
            ];
            p.world.set_roster(&filing, &approvals, &[]);
        },
    );
    all.change(
        "a new key of somebody old that did not accept",
        "not_accepted",
        |p, safe| {
            p.world.add_key(1, 0);
            let filing = p.file_change(safe, CUSTODIAN, |_, _| {});
            let approvals = [
                p.world.decide(1, 0, &filing, Approve),
                p.world.decide(2, 0, &filing, Approve),
            ];
            p.world.set_roster(&filing, &approvals, &[]);
        },
    );
    all.change(
        "an approver from before the last change",
        "acting:not_reached",
        |p, safe| {
            let new = p.world.new_roster(2, 2, &[1, 2]);
            p.world.change_roster(safe, &[1, 3], new);
            let filing = p.file_change(safe, CUSTODIAN, |_, new| new.epoch = 3);
            let accepted = p.world.accept(3, 0, &filing);
            let approvals = [
                p.world.decide(1, 0, &filing, Approve),
                p.world.decide(3, 0, &filing, Approve),
            ];
            p.world.set_roster(&filing, &approvals, &[accepted]);
        },
    );
}

/// What a thief with the database can do: leave rows out, or change them.
fn thefts(all: &mut Cases) {
    let founded = |all: &mut Cases, name: &str, expect: &str, spoil: &dyn Fn(&mut Play)| {
        let (mut play, _) = Play::safe();
        spoil(&mut play);
        all.add(name, expect, play);
    };
    let set = |p: &Play| p.world.size() - 1;
    founded(all, "m edited in the row", "not_included", &|p| {
        p.edit(set(p), "\"m\":2", "\"m\":1")
    });
    founded(all, "a share key edited in the row", "not_included", &|p| {
        let share = p.world.keys[&p.world.players[1].keys[0]].share_key();
        use base64::Engine as _;
        let encode =
            |bytes: [u8; 32]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
        p.edit(4, &encode(share), &encode(quorum_share()));
    });
    founded(
        all,
        "an approver's id edited in the row",
        "not_included",
        &|p| {
            let (from, to) = (
                p.world.players[3].user.to_string(),
                p.world.players[0].user.to_string(),
            );
            p.edit(set(p), &from, &to);
        },
    );
    founded(all, "the request left out", "unknown_request", &|p| {
        let filed = (0..p.world.size())
            .find(|seq| super::world::is_event(&p.world.entries[*seq as usize], "request.filed"));
        p.left.push(filed.unwrap());
    });
    founded(all, "the roster left out", "empty", &|p| {
        p.left.push(set(p))
    });
    all.change(
        "the founding of the safe left out",
        "filing:roster",
        |p, safe| {
            let first = p.world.size() - 1;
            let founding: Vec<u64> = (first - 4..=first).collect();
            let new = p.world.new_roster(2, 2, &[1, 2, 3]);
            p.world.change_roster(safe, &[1, 2], new);
            p.left = founding;
        },
    );
}

fn quorum_share() -> [u8; 32] {
    super::world::SoftKey::new().share_key()
}

fn make() -> (Option<Value>, Vec<Case>) {
    let shared = json!({
        "people": strings(&BASES.people.entries),
        "safe": strings(&BASES.safe.0.entries[BASES.people.entries.len()..]),
    });
    let mut all = Cases::default();
    good(&mut all);
    founding_lies(&mut all);
    acceptance_lies(&mut all);
    named_lies(&mut all);
    people_lies(&mut all);
    key_lies(&mut all);
    signature_lies(&mut all);
    change_lies(&mut all);
    thefts(&mut all);
    let cases = all.0.into_iter();
    let cases = cases
        .map(|mut case| {
            if case.expect == "ok" {
                let roster = check(&shared, &case).unwrap();
                case.given.insert("roster".into(), describe(&roster));
            }
            case
        })
        .collect();
    (Some(shared), cases)
}

fn describe(roster: &VerifiedRoster) -> Value {
    let approvers: Vec<Value> = roster
        .approvers()
        .iter()
        .map(|a| {
            let keys: Vec<String> = a
                .authenticators
                .iter()
                .map(|key| key.authenticator.to_string())
                .collect();
            json!({"user": a.user.to_string(), "name": a.name, "x": a.x, "authenticators": keys})
        })
        .collect();
    json!({
        "safe": roster.safe().to_string(), "epoch": roster.epoch(), "leaf": roster.leaf().to_string(),
        "m": roster.m().get(), "name": roster.name(), "drill": roster.drill(), "denials": roster.denials(),
        "request_life_s": roster.request_life_s(), "grant_life_s": roster.grant_life_s(), "approvers": approvers,
    })
}

fn check(shared: &Value, case: &Case) -> Result<VerifiedRoster, String> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let seqs = |member: &str| list(case.given.get(member));
    let base = match case.given.get("base").and_then(Value::as_str) {
        None => vec![],
        Some("people") => list(shared.get("people")),
        Some("safe") => [list(shared.get("people")), list(shared.get("safe"))].concat(),
        Some(other) => panic!("{other}"),
    };
    let entries: Vec<Vec<u8>> = [base, seqs("entries")]
        .concat()
        .iter()
        .map(|entry| entry.as_str().unwrap().into())
        .collect();
    let leaves: Vec<Hash> = entries
        .iter()
        .map(|entry| quorum::hash::leaf(entry))
        .collect();
    let tree = tree(&leaves);
    let proved = |seq: u64| Proved {
        seq,
        entry: entries[seq as usize].clone(),
        proof: tree.inclusion(seq),
    };
    let trust = Trust::check(case.text("note"), &proved(0), leaves[0], None, &[]).unwrap();
    let left: Vec<u64> = seqs("left_out")
        .iter()
        .map(|seq| seq.as_u64().unwrap())
        .collect();
    let mut evidence = evidence_of(&entries, proved, |seq| !left.contains(&seq));
    for edit in seqs("edits") {
        let all = evidence
            .rosters
            .iter_mut()
            .flat_map(|step| {
                [&mut step.set, &mut step.request]
                    .into_iter()
                    .chain(&mut step.decisions)
            })
            .chain(&mut evidence.enrolments)
            .chain(&mut evidence.invitations);
        for proved in all.filter(|proved| Some(proved.seq) == edit["seq"].as_u64()) {
            proved.entry = edit["entry"].as_str().unwrap().into();
        }
    }
    VerifiedRoster::verify(&trust, &evidence).map_err(|e| e.code())
}

#[test]
fn rosters() {
    let about = "Whole small ledgers: `entries` as strings, after those of its `base`: `people`, or `safe`, which is `people` and what follows. `note` is the checkpoint. Handed over is everything about people, keys and rosters, except the seqs `left_out`; `edits` are handed over in place of what the ledger has.";
    let (shared, cases) = cases_with_shared("roster.json", about, make);
    judge("roster.json", &cases, |case| {
        let roster = check(&shared, case)?;
        assert_eq!(describe(&roster), case.given["roster"], "{}", case.name);
        Ok(())
    });
}
