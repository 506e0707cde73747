#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use crate::world::World;

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
