//! What verifies, and what does not once a row is edited or left out.

use quorum::hash::Hash;
use quorum::statement::Decision::{Approve, Deny};
use quorum::statement::Role;

use super::play::{Cases, Play};
use crate::world::{self, CUSTODIAN};

pub(super) fn good(all: &mut Cases) {
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

/// What a thief with the database can do: leave rows out, or change them.
pub(super) fn thefts(all: &mut Cases) {
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
        p.edit(4, &encode(share), &encode(another_share()));
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
            .find(|seq| world::is_event(&p.world.entries[*seq as usize], "request.filed"));
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

fn another_share() -> [u8; 32] {
    world::SoftKey::new().share_key()
}
