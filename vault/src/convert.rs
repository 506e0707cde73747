//! Leaves own their ids and hashes; the service converts.

use quorum::ids::{
    AuthenticatorId, CredentialId, GrantId, KeyId, RequestId, RotationId, SafeId, TargetId, UserId,
};

/// An id of one leaf as the other's.
pub trait Audited {
    /// As the ledger writes it.
    fn audited(&self) -> audit::Id;
}

macro_rules! audited {
    ($($id:ty),+) => { $(impl Audited for $id { fn audited(&self) -> audit::Id { audit::Id::from_bytes(*self.as_bytes()) } })+ };
}
audited!(
    AuthenticatorId,
    CredentialId,
    GrantId,
    KeyId,
    RequestId,
    RotationId,
    SafeId,
    TargetId,
    UserId
);

/// Who an entry is by.
pub fn actor(user: quorum::ids::UserId) -> audit::Actor {
    audit::Actor::Id(user.audited())
}

/// A hash as the ledger's crate has it.
pub fn audit_hash(h: quorum::Hash) -> audit::Hash {
    audit::Hash(h.0)
}

/// A hash of the ledger's crate as ours.
pub fn our_hash(h: audit::Hash) -> quorum::Hash {
    quorum::Hash(h.0)
}
