//! Founding a safe.

use quorum::hash::Hash;
use quorum::json::Value as Canonical;
use quorum::statement::Decision::Approve;
use quorum::statement::{Acceptance, Kind, NewRoster, Request, Role};

use super::play::{Cases, spoil_new};
use crate::world::{self, CUSTODIAN, DAY, HOUR, text};

pub(super) fn founding_lies(all: &mut Cases) {
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

pub(super) fn acceptance_lies(all: &mut Cases) {
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

pub(super) fn named_lies(all: &mut Cases) {
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
        let data = world::obj([("authenticator", text(key)), ("counter", world::int(3))]);
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
