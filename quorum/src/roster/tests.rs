#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::{RosterError, RosterLie, VerifiedRoster};
use crate::people::Lie;
use crate::statement::{Decision, KeyAct, Kind, Role};
use crate::world::{CUSTODIAN, SECOND, World};

#[test]
fn a_founded_safe_verifies() {
    let (world, safe) = World::with_safe(2, 3);
    let roster = world.roster();
    assert_eq!(roster.safe(), safe);
    assert_eq!((roster.epoch(), roster.m().get(), roster.n()), (1, 2, 3));
    assert_eq!(roster.leaf(), world.last_roster());
    assert_eq!(roster.approvers()[2].x, 3);
    assert_eq!(roster.approvers()[2].user, world.players[3].user);
}

#[test]
fn a_changed_roster_verifies() {
    let (mut world, safe) = World::with_safe(2, 3);
    let fresh = world.approver("Dora");
    world.add_key(1, 0);
    let new = world.new_roster(2, 3, &[1, 2, fresh]);
    world.change_roster(safe, &[2, 3], new);
    let roster = world.roster();
    assert_eq!((roster.epoch(), roster.m().get(), roster.n()), (2, 3, 3));
    assert_eq!(roster.approvers()[0].authenticators.len(), 2);
}

fn refused(world: &World) -> RosterLie {
    match VerifiedRoster::verify(&world.trust(), &world.evidence()) {
        Err(RosterError::False(_, lie)) => lie,
        other => panic!("{other:?}"),
    }
}

/// A key that was named before needs no acceptance, so this is all that keeps it with its owner.
#[test]
fn a_named_key_stays_with_its_owner() {
    let (mut world, safe) = World::with_safe(2, 3);
    let mut new = world.new_roster(2, 2, &[1, 2, 3]);
    let (first, second) = new.approvers.split_at_mut(1);
    std::mem::swap(&mut first[0].authenticators, &mut second[0].authenticators);
    let request = world.roster_request(CUSTODIAN, safe, world.last_roster(), new);
    let filing = world.file(CUSTODIAN, request);
    let approvals = [1, 3].map(|who| world.decide(who, 0, &filing, Decision::Approve));
    world.set_roster(&filing, &approvals, &[]);
    assert_eq!(refused(&world), RosterLie::NamedKey);
}

/// An invitation is good before its `expires`, and not at it.
#[test]
fn an_invitation_ends_to_the_microsecond() {
    for (early, good) in [(1, true), (0, false)] {
        let mut world = World::new();
        let who = world.player("Late Approver");
        let invite = world.invite_statement(who, &[Role::Approver], Some(CUSTODIAN));
        let Kind::Invite(said) = &invite.kind else {
            panic!()
        };
        let expires = said.expires;
        world.sign_statement(CUSTODIAN, 0, "person.invited", &invite);
        world.time = expires - early - SECOND;
        world.join(who);
        let people: Vec<usize> = (0..3)
            .map(|i| world.approver(&format!("Approver {i}")))
            .collect();
        let safe = world.safe_id();
        let new = world.new_roster(1, 2, &people);
        world.found_safe(safe, new);
        if good {
            world.roster();
        } else {
            assert_eq!(refused(&world), RosterLie::People(Lie::InvitationExpired));
        }
    }
}

/// From the moment of its revocation a key is handed to nobody who seals; a suspended one may come back.
#[test]
fn revoked_keys_are_not_handed_out() {
    let (mut world, _) = World::with_safe(2, 3);
    let act = |world: &World, who: usize| KeyAct {
        authenticator: world.players[who].keys[0],
        user: world.players[who].user,
        why: "lost".into(),
    };
    let (revoke, suspend) = (act(&world, 2), act(&world, 3));
    world.sign(CUSTODIAN, 0, "authenticator.revoked", Kind::Revoke(revoke));
    world.sign(
        CUSTODIAN,
        0,
        "authenticator.suspended",
        Kind::Suspend(suspend),
    );
    let roster = world.roster();
    let keys: Vec<usize> = roster
        .approvers()
        .iter()
        .map(|a| a.authenticators.len())
        .collect();
    assert_eq!(keys, [1, 0, 1]);
    assert_eq!(roster.n(), 3);
}

/// Every epoch can be had from one evidence, for a request that names an earlier one.
#[test]
fn earlier_epochs_are_kept() {
    let (mut world, safe) = World::with_safe(2, 3);
    let first = world.last_roster();
    let new = world.new_roster(2, 2, &[3, 2]);
    world.change_roster(safe, &[1, 3], new);
    let all = VerifiedRoster::verify_all(&world.trust(), &world.evidence()).unwrap();
    let leaves: Vec<_> = all
        .iter()
        .map(|roster| (roster.epoch(), roster.leaf()))
        .collect();
    assert_eq!(leaves, [(1, first), (2, world.last_roster())]);
    assert_eq!(all[1].approvers()[0].user, world.players[3].user);
}
