//! People, their keys, and what they sign.

use quorum::hash::{Hash, labelled};
use quorum::json::Value as Canonical;
use quorum::statement::Decision::{Approve, Deny};
use quorum::statement::{Approval, KeyAct, Kind, Role, Statement};

use super::play::{Cases, Play};
use crate::world::{self, CUSTODIAN, DAY, Filing, World, signed_data};

pub(super) fn people_lies(all: &mut Cases) {
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
        p.world.time += 3 * DAY - 10 * world::SECOND;
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

/// An invitation that expired unused leaves nobody to give roles to. In a ledger of their own: the cases stand alone.
pub(super) fn lapsed_lies(all: &mut Cases) {
    for (name, expect, early) in [
        ("roles for somebody whose invitation still runs", "ok", 1),
        (
            "roles for somebody whose invitation lapsed",
            "unknown_person",
            0,
        ),
    ] {
        let mut play = Play::of(World::new());
        for i in 1..=3 {
            play.world.approver(&format!("Approver {i}"));
        }
        let late = play.world.player("Late Approver");
        let invite = play
            .world
            .invite_statement(late, &[Role::Auditor], Some(CUSTODIAN));
        let Kind::Invite(said) = &invite.kind else {
            panic!()
        };
        let expires = said.expires;
        play.world
            .sign_statement(CUSTODIAN, 0, "person.invited", &invite);
        play.world.time = expires - early - world::SECOND;
        play.roles(CUSTODIAN, late, &[Role::Approver]);
        play.found(3, |_, _| {});
        all.add(name, expect, play);
    }
}

pub(super) fn key_lies(all: &mut Cases) {
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

pub(super) fn signature_lies(all: &mut Cases) {
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
