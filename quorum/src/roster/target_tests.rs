#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::{RosterError, RosterEvidence, RosterLie, TargetEvidence, VerifiedTarget};
use crate::decision::{DecisionError, FilingError, Refusal};
use crate::evidence::EvidenceError;
use crate::hash::{self, Hash};
use crate::ids::{CredentialId, SafeId, TargetId};
use crate::json::Value;
use crate::people::Lie;
use crate::statement::{Decision, KeyAct, Kind, Pin, Purpose, Request, Role, Roles, TargetPurpose};
use crate::world::{
    CUSTODIAN, DAY, Filing, SECOND, World, evidence_of, ints, is_event, labelled_hash, text,
};

fn asked(world: &mut World, by: usize, safe: SafeId, roster: Hash) -> Request {
    Request {
        expires: world.time + 7 * DAY,
        reason_commitment: labelled_hash("reason"),
        request: world.request_id(),
        requester_name: world.players[by].name.clone(),
        roster,
        safe,
        ticket: None,
        purpose: Purpose::Target(TargetPurpose {
            account: "orders_admin".into(),
            address: "db.example:5432/orders".into(),
            connector: "postgresql".into(),
            credential: CredentialId::from_uuid_bytes([3; 16]),
            pin: Pin::Spki([9; 32]),
            target: TargetId::from_uuid_bytes([4; 16]),
        }),
    }
}

fn filed_by(world: &mut World, by: usize, safe: SafeId) -> Filing {
    let roster = world.last_roster();
    let request = asked(world, by, safe, roster);
    world.file(by, request)
}

fn filed(world: &mut World, safe: SafeId) -> Filing {
    filed_by(world, CUSTODIAN, safe)
}

fn approved(world: &mut World, filing: &Filing, by: &[usize]) -> Vec<u64> {
    let sign = |who: &usize| world.decide(*who, 0, filing, Decision::Approve);
    by.iter().map(sign).collect()
}

/// Writes the `target.set` of a filing, with some members changed.
fn set(world: &mut World, filing: &Filing, approvals: &[u64], changed: &[(&str, &str)]) -> u64 {
    let Value::Obj(subject) = &filing.subject else {
        panic!()
    };
    let names = [
        "account",
        "address",
        "connector",
        "credential",
        "pin",
        "target",
        "safe",
        "request",
    ];
    let mut data: quorum::json::Object = names
        .iter()
        .map(|name| ((*name).to_owned(), subject[*name].clone()))
        .collect();
    data.insert("approvals".into(), ints(approvals));
    for (name, value) in changed {
        data.insert((*name).to_owned(), text(value));
    }
    world.append("system", "target.set", Value::Obj(data))
}

/// Everything in the ledger, those entries aside that `left` names.
fn evidence(world: &World, set: u64, left: &[u64]) -> TargetEvidence {
    let rosters: RosterEvidence = evidence_of(
        &world.entries,
        |seq| world.proved(seq),
        |seq| !left.contains(&seq),
    );
    let others = (0..world.size())
        .filter(|seq| is_event(&world.entries[*seq as usize], "target.set"))
        .map(|seq| world.proved(seq));
    TargetEvidence {
        rosters,
        set: world.proved(set),
        request: world.proved(set),
        decisions: others.collect(),
    }
}

fn verify(world: &World, set: u64) -> Result<VerifiedTarget, RosterError> {
    VerifiedTarget::verify(&world.trust(), &evidence(world, set, &[]))
}

fn refused(world: &World, set: u64) -> RosterLie {
    match verify(world, set) {
        Err(RosterError::False(seq, lie)) if seq == set => lie,
        other => panic!("{other:?}"),
    }
}

/// A safe, two of three; `play` binds and gives the seq of its `target.set`.
fn lie(play: impl FnOnce(&mut World, SafeId) -> u64) -> RosterLie {
    let (mut world, safe) = World::with_safe(2, 3);
    let set = play(&mut world, safe);
    refused(&world, set)
}

const TOO_FEW: RosterLie = RosterLie::Acting(Refusal::NotReached {
    counting: 1,
    needed: 2,
});

fn key_act(world: &World, who: usize) -> KeyAct {
    KeyAct {
        authenticator: world.players[who].keys[0],
        user: world.players[who].user,
        why: "lost".into(),
    }
}

#[test]
fn a_binding_by_a_quorum_verifies() {
    let (mut world, safe) = World::with_safe(2, 3);
    let filing = filed(&mut world, safe);
    let approvals = approved(&mut world, &filing, &[1, 3]);
    let seq = set(&mut world, &filing, &approvals, &[]);
    // What happens to the people afterwards takes nothing back.
    let revoke = key_act(&world, 1);
    world.sign(CUSTODIAN, 0, "authenticator.revoked", Kind::Revoke(revoke));
    let target = verify(&world, seq).unwrap();
    assert_eq!((target.safe(), target.seq()), (safe, seq));
    assert_eq!(target.leaf(), world.leaves[seq as usize]);
    assert_eq!(target.ledger(), world.ledger());
    assert_eq!(target.address(), "db.example:5432/orders");
    assert_eq!(target.account(), "orders_admin");
    assert_eq!(target.pin(), Pin::Spki([9; 32]));
}

#[test]
fn too_few_approvals_bind_nothing() {
    let listed = |by: &'static [usize], listed: usize| {
        lie(|world, safe| {
            let filing = filed(world, safe);
            let approvals = approved(world, &filing, by);
            set(world, &filing, &approvals[..listed], &[])
        })
    };
    assert_eq!(listed(&[1], 1), TOO_FEW);
    assert_eq!(listed(&[1, 2], 1), RosterLie::TooFewListed);
    assert!(matches!(
        listed(&[], 0),
        RosterLie::Acting(Refusal::NotReached { counting: 0, .. })
    ));
    let strangers = lie(|world, safe| {
        let stranger = world.approver("Somebody Else");
        let filing = filed(world, safe);
        let approvals = approved(world, &filing, &[1, stranger]);
        set(world, &filing, &approvals, &[])
    });
    assert_eq!(strangers, TOO_FEW);
}

/// The m that counts is the larger of the roster named and the one in force when it is bound.
#[test]
fn the_m_in_force_counts() {
    let found = lie(|world, safe| {
        let filing = filed(world, safe);
        let approvals = approved(world, &filing, &[1, 2]);
        let new = world.new_roster(2, 3, &[1, 2, 3]);
        world.change_roster(safe, &[1, 2], new);
        set(world, &filing, &approvals, &[])
    });
    let needed = RosterLie::Acting(Refusal::NotReached {
        counting: 2,
        needed: 3,
    });
    assert_eq!(found, needed);
}

#[test]
fn approvals_of_another_request_bind_nothing() {
    let found = lie(|world, safe| {
        let (wanted, other) = (filed(world, safe), filed(world, safe));
        let approvals = approved(world, &other, &[1, 2]);
        set(world, &wanted, &approvals, &[])
    });
    assert!(matches!(
        found,
        RosterLie::Acting(Refusal::NotReached { .. })
    ));
    // One that says it is about this entry, and has another subject.
    let (mut world, safe) = World::with_safe(2, 3);
    let (wanted, mut other) = (filed(&mut world, safe), filed(&mut world, safe));
    other.leaf = wanted.leaf;
    let approvals = approved(&mut world, &other, &[1, 2]);
    let seq = set(&mut world, &wanted, &approvals, &[]);
    let first = RosterError::False(approvals[0], RosterLie::Decision(DecisionError::Subject));
    assert_eq!(verify(&world, seq).unwrap_err(), first);
}

/// Somebody who writes to the database has no signature to show.
#[test]
fn a_forged_binding_is_none() {
    let found = lie(|world, safe| {
        let mut filing = filed(world, safe);
        filing.request.request = world.request_id();
        let request = filing.request.request.to_string();
        set(world, &filing, &[], &[("request", &request)])
    });
    assert_eq!(found, RosterLie::UnknownRequest);
    let found = lie(|world, safe| {
        let filing = filed(world, safe);
        set(world, &filing, &[filing.seq, filing.seq + 1], &[])
    });
    assert!(matches!(
        found,
        RosterLie::Acting(Refusal::NotReached { .. })
    ));
    // Approvals in the names of two people, signed by a key of the thief's.
    let (mut world, safe) = World::with_safe(2, 3);
    let filing = filed(&mut world, safe);
    let thief = std::sync::Arc::new(crate::world::SoftKey::new());
    for who in [1, 2] {
        let key = world.players[who].keys[0];
        world.keys.insert(key, thief.clone());
    }
    let approvals = approved(&mut world, &filing, &[1, 2]);
    let seq = set(&mut world, &filing, &approvals, &[]);
    let found = verify(&world, seq).unwrap_err();
    let RosterError::False(at, RosterLie::People(Lie::Signature(_))) = found else {
        panic!("{found:?}")
    };
    assert_eq!(at, approvals[0]);
}

#[test]
fn what_was_approved_is_what_is_bound() {
    for (name, value) in [
        ("address", "thief.example:5432/orders"),
        ("account", "postgres"),
        ("connector", "other"),
        ("pin", "unix"),
        ("credential", "01000000-0000-4000-8000-000000000001"),
        ("target", "01000000-0000-4000-8000-000000000001"),
        ("safe", "01000000-0000-4000-8000-000000000001"),
    ] {
        let found = lie(|world, safe| {
            let filing = filed(world, safe);
            let approvals = approved(world, &filing, &[1, 2]);
            set(world, &filing, &approvals, &[(name, value)])
        });
        assert_eq!(found, RosterLie::NotAsAsked, "{name}");
    }
    // Changed in the entry after it was written: it is not in the ledger.
    let (mut world, safe) = World::with_safe(2, 3);
    let filing = filed(&mut world, safe);
    let approvals = approved(&mut world, &filing, &[1, 2]);
    let seq = set(&mut world, &filing, &approvals, &[]);
    let mut evidence = evidence(&world, seq, &[]);
    let entry = String::from_utf8(evidence.set.entry.clone()).unwrap();
    evidence.set.entry = entry.replace("db.example", "thief.example").into_bytes();
    evidence.decisions.clear();
    assert_ne!(hash::leaf(&evidence.set.entry), world.leaves[seq as usize]);
    assert_eq!(
        VerifiedTarget::verify(&world.trust(), &evidence),
        Err(RosterError::Evidence(EvidenceError::NotIncluded(seq)))
    );
}

#[test]
fn a_dead_key_binds_nothing() {
    let found = lie(|world, safe| {
        let filing = filed(world, safe);
        let approvals = approved(world, &filing, &[1, 2]);
        let revoke = key_act(world, 2);
        world.sign(CUSTODIAN, 0, "authenticator.revoked", Kind::Revoke(revoke));
        set(world, &filing, &approvals, &[])
    });
    assert_eq!(found, TOO_FEW);
    let found = lie(|world, safe| {
        let filing = filed(world, safe);
        let approvals = approved(world, &filing, &[1, 2]);
        let suspend = key_act(world, 2);
        world.sign(
            CUSTODIAN,
            0,
            "authenticator.suspended",
            Kind::Suspend(suspend),
        );
        set(world, &filing, &approvals, &[])
    });
    assert_eq!(found, TOO_FEW);
    let found = lie(|world, safe| {
        let second = world.person("Second Custodian", &[Role::Custodian]);
        let filing = filed_by(world, second, safe);
        let approvals = approved(world, &filing, &[1, 2]);
        let revoke = key_act(world, second);
        world.sign(CUSTODIAN, 0, "authenticator.revoked", Kind::Revoke(revoke));
        set(world, &filing, &approvals, &[])
    });
    assert_eq!(found, RosterLie::Acting(Refusal::FilingKeyRevoked));
}

#[test]
fn whoever_asks_is_a_custodian_and_does_not_approve() {
    let (mut world, safe) = World::with_safe(2, 3);
    let roles = Roles {
        roles: vec![Role::Approver, Role::Custodian],
        user: world.players[1].user,
    };
    world.sign(CUSTODIAN, 0, "person.roles", Kind::Roles(roles));
    let filing = filed_by(&mut world, 1, safe);
    let approvals = approved(&mut world, &filing, &[1, 2]);
    let seq = set(&mut world, &filing, &approvals, &[]);
    assert_eq!(refused(&world, seq), TOO_FEW);
    // Without the role, the filing itself is false.
    let (mut world, safe) = World::with_safe(2, 3);
    let filing = filed_by(&mut world, 3, safe);
    let approvals = approved(&mut world, &filing, &[1, 2]);
    let seq = set(&mut world, &filing, &approvals, &[]);
    let lie = RosterLie::People(Lie::NotAllowed);
    let due = RosterError::False(filing.seq, lie);
    assert_eq!(verify(&world, seq).unwrap_err(), due);
}

#[test]
fn a_request_binds_once_and_in_its_time() {
    let found = lie(|world, safe| {
        let filing = filed(world, safe);
        let approvals = approved(world, &filing, &[1, 2]);
        set(world, &filing, &approvals, &[]);
        set(world, &filing, &approvals, &[])
    });
    assert_eq!(found, RosterLie::Acting(Refusal::Settled));
    let found = lie(|world, safe| {
        let filing = filed(world, safe);
        let approvals = approved(world, &filing, &[1, 2]);
        world.time = filing.request.expires - SECOND;
        set(world, &filing, &approvals, &[])
    });
    assert_eq!(found, RosterLie::Acting(Refusal::Expired));
    let found = lie(|world, safe| {
        let filing = filed(world, safe);
        let approvals = approved(world, &filing, &[1, 2]);
        world.decide(3, 0, &filing, Decision::Deny);
        world.decide(2, 0, &filing, Decision::Deny);
        set(world, &filing, &approvals, &[])
    });
    assert_eq!(found, RosterLie::Acting(Refusal::Denied));
}

#[test]
fn the_roster_named_is_the_one_in_force_at_the_filing() {
    let (mut world, safe) = World::with_safe(2, 3);
    let old = world.last_roster();
    let new = world.new_roster(2, 3, &[1, 2, 3]);
    world.change_roster(safe, &[1, 2], new);
    let request = asked(&mut world, CUSTODIAN, safe, old);
    let filing = world.file(CUSTODIAN, request);
    let approvals = approved(&mut world, &filing, &[1, 2, 3]);
    let seq = set(&mut world, &filing, &approvals, &[]);
    let lie = RosterLie::Filing(FilingError::Roster);
    let due = RosterError::False(filing.seq, lie);
    assert_eq!(verify(&world, seq).unwrap_err(), due);
}

/// What is left out can only take away.
#[test]
fn a_binding_without_its_grounds_is_none() {
    let (mut world, safe) = World::with_safe(2, 3);
    let filing = filed(&mut world, safe);
    let approvals = approved(&mut world, &filing, &[1, 2]);
    let seq = set(&mut world, &filing, &approvals, &[]);
    let trust = world.trust();
    for left in 0..seq {
        let event = crate::world::event_of(&world.entries[left as usize]);
        // Entry 0 is in the trust; the third approver's acceptance and enrolment make the roster.
        if event == "ledger.founded" {
            continue;
        }
        let found = VerifiedTarget::verify(&trust, &evidence(&world, seq, &[left]));
        assert!(found.is_err(), "without {left}, {event}");
    }
    // And something else is no binding.
    let mut other = evidence(&world, seq, &[]);
    other.set = world.proved(filing.seq);
    assert_eq!(
        VerifiedTarget::verify(&trust, &other),
        Err(RosterError::Empty)
    );
}
