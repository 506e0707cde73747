//! Changing a roster.

use quorum::hash::Hash;
use quorum::json::Value as Canonical;
use quorum::statement::Decision::{Approve, Deny};
use quorum::statement::Role;

use super::play::{Cases, Play, spoil_new};
use crate::world::{CUSTODIAN, Filing};

pub(super) fn change_lies(all: &mut Cases) {
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
