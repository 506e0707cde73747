//! A [`World`] with one safe whose approvers' share keys come from a PRF, as they do in life.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing
)]

use quorum::hash::labelled;
use quorum::ids::{CredentialId, SafeId};
use quorum::secret::{Plaintext, PrfOutput, SealError, Sealed, ShareKey, seal};
use quorum::statement::{Role, SealedAs, SecretKind};

use super::world::{CUSTODIAN, World, random};

pub struct Safe {
    pub world: World,
    pub safe: SafeId,
    /// Of player 1, 2 and so on: in epoch 1, of place 1, 2 and so on.
    pub keys: Vec<ShareKey>,
}

impl Safe {
    pub fn new(m: u64, n: usize) -> Self {
        let mut world = World::new();
        let keys = (1..=n)
            .map(|i| approver(&mut world, &format!("Approver {i}")))
            .collect();
        let safe = world.safe_id();
        let people: Vec<usize> = (1..=n).collect();
        let new = world.new_roster(1, m, &people);
        world.found_safe(safe, new);
        Self { world, safe, keys }
    }

    pub fn seal(&self, version: u64, plaintext: Plaintext) -> Result<Sealed, SealError> {
        let sealed_as = SealedAs {
            kind: SecretKind::Password,
            name: "prod-db superuser".into(),
            target: None,
        };
        let credential = CredentialId::from_uuid_bytes([5; 16]);
        seal(
            &self.world.roster(),
            credential,
            version,
            sealed_as,
            plaintext,
        )
    }
}

/// Lets an approver in; gives the share key.
pub fn approver(world: &mut World, name: &str) -> ShareKey {
    let who = world.player(name);
    let invite = world.invite_statement(who, &[Role::Approver, Role::Requester], Some(CUSTODIAN));
    world.sign_statement(CUSTODIAN, 0, "person.invited", &invite);
    let invitation = labelled("invitation", &[&world.players[who].token]);
    let ledger = world.ledger();
    let mut key = None;
    world.enrol(who, Some(invitation), None, |enrol| {
        let prf = PrfOutput::copy_of(&random::<32>()).unwrap();
        let derived = ShareKey::from_prf(&prf, &enrol.credential_id, &ledger, enrol.user).unwrap();
        enrol.share_key = Some(derived.public().unwrap());
        key = Some(derived);
    });
    key.unwrap()
}
