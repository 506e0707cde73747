//! Who may sign what (FORMATS.md 4, "Who").

use std::collections::BTreeSet;

use super::{Kind, Purpose, Role};
use crate::ids::UserId;

/// What a signer must be, at the seq of the entry, for a statement of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// Anybody with a live key. What it is worth is judged elsewhere: an approval by somebody who is on no roster counts for nothing.
    Anybody,
    /// That person alone.
    Owner(UserId),
    /// That person, or a custodian.
    OwnerOrCustodian(UserId),
    /// Somebody with that role.
    Role(Role),
}

impl Kind {
    /// Who may sign a statement of this kind.
    #[must_use]
    pub const fn authority(&self) -> Authority {
        match self {
            Self::Register { user, .. } | Self::Prove { user } => Authority::Owner(*user),
            Self::Enrol(enrol) => Authority::Owner(enrol.user),
            Self::Revoke(act) | Self::Suspend(act) => Authority::OwnerOrCustodian(act.user),
            Self::Invite(_)
            | Self::Roles(_)
            | Self::Unsuspend(_)
            | Self::Import(_)
            | Self::Setting(_) => Authority::Role(Role::Custodian),
            Self::Request(request) => match request.purpose {
                Purpose::Release(_) | Purpose::Access(_) => Authority::Role(Role::Requester),
                Purpose::Roster(_)
                | Purpose::Role(_)
                | Purpose::Target(_)
                | Purpose::Reseal(_)
                | Purpose::Destroy(_)
                | Purpose::Restore(_) => Authority::Role(Role::Custodian),
            },
            Self::Login | Self::Approval(_) | Self::Acceptance(_) | Self::Clock(_) => {
                Authority::Anybody
            }
        }
    }
}

impl Authority {
    /// Whether a person with those roles may.
    #[must_use]
    pub fn allows(self, signer: UserId, roles: &BTreeSet<Role>) -> bool {
        match self {
            Self::Anybody => true,
            Self::Owner(owner) => signer == owner,
            Self::OwnerOrCustodian(owner) => signer == owner || roles.contains(&Role::Custodian),
            Self::Role(role) => roles.contains(&role),
        }
    }
}
