//! Rosters (FORMATS.md 4): who approves, proved from signatures and never from a row; and what they bound to a target.

mod lie;
mod limits;
mod target;
mod verify;

pub use lie::{RosterError, RosterLie};
pub use limits::{MAX_APPROVERS, RosterLimit, Threshold, check_new};
pub use target::{TargetEvidence, VerifiedTarget};
pub use verify::{RosterEvidence, RosterStep};

use crate::assertion::PublicKey;
use crate::hash::Hash;
use crate::ids::{AuthenticatorId, SafeId, UserId};

/// A key of an approver that shares may be sealed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterKey {
    /// Its id.
    pub authenticator: AuthenticatorId,
    /// The X25519 key that shares are sealed to.
    pub share_key: [u8; 32],
    /// The WebAuthn credential id.
    pub credential_id: Vec<u8>,
    /// The P-256 key that approvals are checked with.
    pub public_key: PublicKey,
}

/// A person on a roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approver {
    /// The person.
    pub user: UserId,
    /// The person's name.
    pub name: String,
    /// The 1-based place on the roster: the x of the person's share.
    pub x: u8,
    /// The rostered keys that are not revoked; none when all were.
    pub authenticators: Vec<RosterKey>,
}

/// A roster checked back to its safe's founding. There is no other way to get one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedRoster {
    ledger: Hash,
    safe: SafeId,
    epoch: u64,
    leaf: Hash,
    name: String,
    drill: bool,
    m: Threshold,
    denials: u64,
    request_life_s: u64,
    grant_life_s: u64,
    approvers: Vec<Approver>,
}

impl VerifiedRoster {
    /// The ledger that it was checked in.
    #[must_use]
    pub const fn ledger(&self) -> Hash {
        self.ledger
    }

    /// The safe.
    #[must_use]
    pub const fn safe(&self) -> SafeId {
        self.safe
    }

    /// 1 for the safe's first roster.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The leaf of its `roster.set`: the roster's name in requests and envelopes.
    #[must_use]
    pub const fn leaf(&self) -> Hash {
        self.leaf
    }

    /// How many must approve.
    #[must_use]
    pub const fn m(&self) -> Threshold {
        self.m
    }

    /// How many approvers there are.
    #[must_use]
    pub fn n(&self) -> u8 {
        u8::try_from(self.approvers.len()).unwrap_or(u8::MAX)
    }

    /// The safe's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the safe is for rehearsals.
    #[must_use]
    pub const fn drill(&self) -> bool {
        self.drill
    }

    /// How many denials end a request.
    #[must_use]
    pub const fn denials(&self) -> u64 {
        self.denials
    }

    /// The longest life of a request for release or access, in seconds.
    #[must_use]
    pub const fn request_life_s(&self) -> u64 {
        self.request_life_s
    }

    /// The longest release or grant, in seconds.
    #[must_use]
    pub const fn grant_life_s(&self) -> u64 {
        self.grant_life_s
    }

    /// The approvers in the order of their places.
    #[must_use]
    pub fn approvers(&self) -> &[Approver] {
        &self.approvers
    }

    /// The approver of that id, if rostered.
    #[must_use]
    pub fn approver(&self, user: UserId) -> Option<&Approver> {
        self.approvers.iter().find(|approver| approver.user == user)
    }
}

#[cfg(test)]
mod target_tests;
#[cfg(test)]
mod tests;
