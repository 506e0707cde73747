//! What a request is for: the members that each purpose adds.

use super::StatementError;
use super::words::{Pin, SecretKind};
use crate::field::{Bytes, Count, Distinct, Flag, List, Members, Number, Opt, Text, members};
use crate::hash::Hash;
use crate::ids::{AuthenticatorId, CredentialId, TargetId, UserId};
use crate::json::Object;

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Opening one version of one credential.
    Release(ReleasePurpose),
    /// Time-boxed access by a role.
    Access(AccessPurpose),
    /// Founding or changing a safe's roster.
    Roster(RosterPurpose),
    /// Making or changing a role.
    Role(RolePurpose),
    /// Binding a credential to a target.
    Target(TargetPurpose),
    /// Opening versions to one node, to seal them again under the roster in force.
    Reseal(ResealPurpose),
    /// Ending versions.
    Destroy(DestroyPurpose),
    /// Going on from a backup.
    Restore(RestorePurpose),
}

impl Purpose {
    /// The word in `purpose`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Release(_) => "release",
            Self::Access(_) => "access",
            Self::Roster(_) => "roster",
            Self::Role(_) => "role",
            Self::Target(_) => "target",
            Self::Reseal(_) => "reseal",
            Self::Destroy(_) => "destroy",
            Self::Restore(_) => "restore",
        }
    }

    pub(super) fn names(name: &str) -> Result<&'static [&'static str], StatementError> {
        Ok(match name {
            "release" => ReleasePurpose::NAMES,
            "access" => AccessPurpose::NAMES,
            "roster" => RosterPurpose::NAMES,
            "role" => RolePurpose::NAMES,
            "target" => TargetPurpose::NAMES,
            "reseal" => ResealPurpose::NAMES,
            "destroy" => DestroyPurpose::NAMES,
            "restore" => RestorePurpose::NAMES,
            _ => return Err(StatementError::Purpose),
        })
    }

    pub(super) fn take_from(name: &str, from: &mut Object) -> Result<Self, StatementError> {
        Ok(match name {
            "release" => Self::Release(Members::take_members(from)?),
            "access" => Self::Access(Members::take_members(from)?),
            "roster" => Self::Roster(Members::take_members(from)?),
            "role" => Self::Role(Members::take_members(from)?),
            "target" => Self::Target(Members::take_members(from)?),
            "reseal" => Self::Reseal(Members::take_members(from)?),
            "destroy" => Self::Destroy(Members::take_members(from)?),
            "restore" => Self::Restore(Members::take_members(from)?),
            _ => return Err(StatementError::Purpose),
        })
    }

    pub(super) fn put_members(&self, into: &mut Object) {
        match self {
            Self::Release(members) => members.put_members(into),
            Self::Access(members) => members.put_members(into),
            Self::Roster(members) => members.put_members(into),
            Self::Role(members) => members.put_members(into),
            Self::Target(members) => members.put_members(into),
            Self::Reseal(members) => members.put_members(into),
            Self::Destroy(members) => members.put_members(into),
            Self::Restore(members) => members.put_members(into),
        }
    }
}

members! {
    /// What a version was sealed as: what approvers are shown.
    SealedAs {
        /// What the value is.
        kind: SecretKind,
        /// The credential's name at that time.
        name: String as Text,
        /// The target it belongs to, if any.
        target: Option<TargetId> as Opt<TargetId>,
    }
}

members! {
    /// One version, by the hash of its envelope.
    #[derive(PartialOrd, Ord)]
    NamedVersion {
        /// The credential.
        credential: CredentialId,
        /// The hash of the envelope.
        envelope: Hash,
        /// The version.
        version: u64 as Count,
    }
}

members! {
    /// `release`: one version to one person.
    ReleasePurpose {
        /// The credential.
        credential: CredentialId,
        /// The X25519 key that shares and `h` are sealed to.
        delivery_key: [u8; 32] as Bytes<32>,
        /// How long the opening lasts, in seconds.
        duration_s: u64 as Count,
        /// The hash of the version's envelope.
        envelope: Hash,
        /// The epoch of the named roster.
        epoch: u64 as Count,
        /// How long after the quorum is reached it may be opened, in seconds.
        open_within_s: u64 as Count,
        /// What it was sealed as, as the envelope's header says.
        sealed_as: SealedAs,
        /// The version.
        version: u64 as Count,
    }
}

members! {
    /// `access`: time-boxed access by a role.
    AccessPurpose {
        /// The X25519 key that the grant's secret is sealed to.
        delivery_key: [u8; 32] as Bytes<32>,
        /// How long the grant lasts, in seconds.
        duration_s: u64 as Count,
        /// The epoch of the named roster.
        epoch: u64 as Count,
        /// How many approvals the role asks for; it may be none.
        needed: u64 as Number,
        /// The leaf of the `role.set`.
        role: Hash,
        /// The role's name.
        role_name: String as Text,
        /// Where.
        target: TargetId,
    }
}

members! {
    /// `roster`: who approves from now on.
    RosterPurpose {
        /// The roster to be.
        new: NewRoster,
    }
}

members! {
    /// A roster to be.
    NewRoster {
        /// In the order of their places: x is 1 for the first.
        approvers: Vec<NewApprover> as List<NewApprover>,
        /// How many denials end a request.
        denials: u64 as Count,
        /// A rehearsal safe: software keys, m = 1 allowed. For ever.
        drill: bool as Flag,
        /// One more than the roster it replaces, 1 for a new safe.
        epoch: u64 as Count,
        /// The longest release or grant, in seconds.
        grant_life_s: u64 as Count,
        /// How many must approve.
        m: u64 as Count,
        /// The safe's name.
        name: String as Text,
        /// The longest life of a request for release or access, in seconds.
        request_life_s: u64 as Count,
    }
}

members! {
    /// One approver of a roster to be.
    NewApprover {
        /// The keys that may be sealed to.
        authenticators: Vec<AuthenticatorId> as Distinct<AuthenticatorId>,
        /// The person's invited name.
        name: String as Text,
        /// The person.
        user: UserId,
    }
}

members! {
    /// `role`: a kind of access.
    RolePurpose {
        /// The hash of the access template.
        access: Hash,
        /// The longest grant, in seconds.
        max_s: u64 as Count,
        /// The role's name.
        name: String as Text,
        /// How many approvals a grant needs; it may be none.
        needed: u64 as Number,
        /// The leaf of the `role.set` it replaces, else 64 zeros.
        previous: Hash,
        /// Where.
        target: TargetId,
        /// When it may be asked for.
        windows: Vec<String> as Distinct<Text>,
    }
}

members! {
    /// `target`: where a credential lives.
    TargetPurpose {
        /// The account at the target.
        account: String as Text,
        /// Where the target is, as its connector reads it.
        address: String as Text,
        /// The code that talks to it.
        connector: String as Text,
        /// The credential that is bound.
        credential: CredentialId,
        /// How the target is known again.
        pin: Pin,
        /// The target.
        target: TargetId,
    }
}

members! {
    /// `reseal`: versions to be sealed again.
    ResealPurpose {
        /// The X25519 key of one node.
        delivery_key: [u8; 32] as Bytes<32>,
        /// Which versions.
        versions: Vec<NamedVersion> as Distinct<NamedVersion>,
    }
}

members! {
    /// `destroy`: versions to be ended.
    DestroyPurpose {
        /// Which versions.
        versions: Vec<NamedVersion> as Distinct<NamedVersion>,
    }
}

members! {
    /// `restore`: going on from a backup.
    RestorePurpose {
        /// The root of the checkpoint that the new ledger continues.
        checkpoint: Hash,
    }
}
