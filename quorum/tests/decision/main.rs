//! Decisions: vectors of counting, the rules of filing and deciding, and a model that the count is
//! compared with after every event.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "../support/world.rs"]
mod world;

mod deciding;
mod filing;
mod model;
mod vectors;

use std::sync::LazyLock;

use quorum::Hash;
use quorum::decision::KeyLife;
use quorum::ids::{AuthenticatorId, CredentialId, RequestId, TargetId, UserId};
use quorum::roster::VerifiedRoster;
use quorum::statement::{
    AccessPurpose, Purpose, ReleasePurpose, Request, SealedAs, SecretKind, TargetPurpose,
};
use world::{World, labelled_hash};

/// The rosters that all of this is about, epoch 1 first: m, denials, the people on it.
pub const ROSTERS: [(u64, u64, &[usize]); 5] = [
    (2, 2, &[1, 2, 3]),
    (3, 2, &[1, 2, 3, 4, 5]),
    (2, 1, &[3, 4, 5, 6]),
    (2, 3, &[1, 2, 3, 4, 5, 6]),
    (5, 2, &[1, 2, 3, 4, 5, 6]),
];

pub struct Shared {
    pub world: World,
    pub rosters: Vec<VerifiedRoster>,
}

pub static SHARED: LazyLock<Shared> = LazyLock::new(|| {
    let mut world = World::new();
    for i in 1..=6 {
        world.approver(&format!("Approver {i}"));
        world.add_key(i, 0);
    }
    let safe = world.safe_id();
    let mut before: Vec<usize> = Vec::new();
    for (i, (m, denials, people)) in ROSTERS.into_iter().enumerate() {
        let mut new = world.new_roster(i as u64 + 1, m, people);
        new.denials = denials;
        if i == 0 {
            world.found_safe(safe, new);
        } else {
            world.change_roster(safe, &before, new);
        }
        before = people.to_vec();
    }
    let rosters = VerifiedRoster::verify_all(&world.trust(), &world.evidence()).unwrap();
    Shared { world, rosters }
});

pub fn user(who: usize) -> UserId {
    SHARED.world.players[who].user
}

pub fn key(who: usize, key: usize) -> AuthenticatorId {
    SHARED.world.players[who].keys[key]
}

pub fn roster(epoch: u64) -> &'static VerifiedRoster {
    &SHARED.rosters[epoch as usize - 1]
}

/// A key that was always good.
pub fn good_key() -> KeyLife {
    KeyLife {
        enrolled_at: 1,
        revoked_at: None,
        suspensions: Vec::new(),
    }
}

pub fn release(open_within_s: u64) -> Purpose {
    Purpose::Release(ReleasePurpose {
        credential: CredentialId::from_uuid_bytes([3; 16]),
        delivery_key: [4; 32],
        duration_s: 900,
        envelope: labelled_hash("envelope"),
        epoch: 1,
        open_within_s,
        sealed_as: SealedAs {
            kind: SecretKind::Password,
            name: "prod-db superuser".into(),
            target: None,
        },
        version: 7,
    })
}

pub fn access(needed: u64) -> Purpose {
    Purpose::Access(AccessPurpose {
        delivery_key: [4; 32],
        duration_s: 900,
        epoch: 1,
        needed,
        role: labelled_hash("role"),
        role_name: "read-only".into(),
        target: TargetId::from_uuid_bytes([5; 16]),
    })
}

pub fn target() -> Purpose {
    Purpose::Target(TargetPurpose {
        account: "postgres".into(),
        address: "db1.example:5432/postgres".into(),
        connector: "postgresql".into(),
        credential: CredentialId::from_uuid_bytes([3; 16]),
        pin: quorum::statement::Pin::Unix,
        target: TargetId::from_uuid_bytes([5; 16]),
    })
}

pub fn request(purpose: Purpose, roster: Hash, expires: i64) -> Request {
    Request {
        expires,
        reason_commitment: labelled_hash("reason"),
        request: RequestId::from_uuid_bytes([6; 16]),
        requester_name: "Approver 6".into(),
        roster,
        safe: SHARED.rosters[0].safe(),
        ticket: None,
        purpose,
    }
}
