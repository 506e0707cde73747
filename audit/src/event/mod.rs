//! The closed list of events (FORMATS.md 3): what an entry can say, as types.
//!
//! A value that cannot be put into these types cannot be put into a ledger; what types do not hold (bounds, distinct lists, the kind and
//! signer of a statement) is refused by [`Chain::append`](crate::Chain::append). Whether an entry is *allowed* (who, quorums, order) is
//! decided by those who write it and judged by the verifier, not here.

mod data;
mod encode;
mod statement;

pub use data::*;
pub(crate) use encode::{Place, entry};
pub(crate) use statement::DAY_US;

use crate::{Hash, Id};
use statement::Expected;

/// Who an entry is by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Vitrine itself.
    System,
    /// The signer of a signed event, else a workload.
    Id(Id),
}

impl From<Id> for Actor {
    fn from(id: Id) -> Self {
        Actor::Id(id)
    }
}

/// Everything that can be entered. The name that stands in the entry is given by [`Event::name`].
#[derive(Debug, Clone)]
pub enum Event {
    /// `ledger.founded`: entry 0 and only it.
    LedgerFounded(Box<Founding>),
    /// `person.invited` of entry 1, the only one that nobody signs.
    FirstPersonInvited(FirstInvitation),
    /// `person.invited`, signed `invite`.
    PersonInvited(Signed),
    /// `person.roles`, signed `roles`.
    PersonRoles(Signed),
    /// `authenticator.enrolled`, `enrol` signed by the new key.
    AuthenticatorEnrolled(Box<Enrolment>),
    /// `authenticator.revoked`, signed `revoke`.
    AuthenticatorRevoked(Signed),
    /// `authenticator.suspended`, signed `suspend`.
    AuthenticatorSuspended(Signed),
    /// `authenticator.restored`, signed `unsuspend`.
    AuthenticatorRestored(Signed),
    /// `authenticator.distrusted`: a counter went back; suspends a live key.
    AuthenticatorDistrusted {
        /// The key whose counter it is.
        authenticator: Id,
        /// The counter that it gave.
        counter: u32,
    },
    /// `request.filed`, signed `request`.
    RequestFiled(Signed),
    /// `request.approved`, signed `approval` that says `approve`.
    RequestApproved(Signed),
    /// `request.denied`, signed `approval` that says `deny`.
    RequestDenied(Signed),
    /// `request.accepted`, signed `acceptance`.
    RequestAccepted(Signed),
    /// `request.ended`.
    RequestEnded {
        /// The request.
        request: Id,
        /// Why it can no longer be spent.
        why: Ended,
    },
    /// `roster.set`.
    RosterSet(RosterSet),
    /// `target.set`.
    TargetSet(Box<TargetSet>),
    /// `role.set`.
    RoleSet(Box<RoleSet>),
    /// `version.destroyed`.
    VersionDestroyed(VersionsAct),
    /// `reseal.opened`.
    ResealOpened(ResealOpened),
    /// `version.sealed`.
    VersionSealed(Box<VersionSealed>),
    /// `release.opened`.
    ReleaseOpened(Box<ReleaseOpened>),
    /// `release.closed`.
    ReleaseClosed {
        /// The request that was opened.
        request: Id,
        /// What ended it.
        why: Closed,
    },
    /// `release.refused`.
    ReleaseRefused {
        /// The request.
        request: Id,
        /// In words.
        why: String,
    },
    /// `share.refused`.
    ShareRefused {
        /// Whose share it was.
        approver: Id,
        /// The request.
        request: Id,
        /// In words.
        why: String,
    },
    /// `grant.started`.
    GrantStarted(GrantStarted),
    /// `grant.ended`.
    GrantEnded {
        /// The grant.
        grant: Id,
        /// In words.
        why: String,
    },
    /// `rotation.staged`.
    RotationStaged(Rotation),
    /// `rotation.applied`.
    RotationApplied(Rotation),
    /// `rotation.proved`.
    RotationProved(Rotation),
    /// `rotation.promoted`.
    RotationPromoted(Rotation),
    /// `rotation.failed`.
    RotationFailed(Rotation),
    /// `setting.changed`, signed `setting`.
    SettingChanged(Signed),
    /// `clock.accepted`, signed `clock`: the only entry whose time may be more than 24 h after the one before.
    ClockAccepted(Signed),
    /// `clock.ticked`: 12 h have passed without another entry.
    ClockTicked,
    /// `kek.rolled`.
    KekRolled {
        /// The new key-encryption key.
        key: Id,
        /// The one it replaces.
        previous_key: Option<Id>,
        /// The token that has it.
        token: String,
    },
    /// `checkpoint_keys.changed`.
    CheckpointKeysChanged {
        /// The keys from the next checkpoint on, 1 to 3, all of the ledger's name.
        checkpoint_keys: Vec<crate::checkpoint::VerifierKey>,
    },
    /// `software.started`.
    SoftwareStarted(SoftwareStarted),
    /// `drill.finished`.
    DrillFinished {
        /// Whether it came through.
        passed: bool,
        /// SHA-256 of its report.
        report_sha256: Hash,
        /// The drill safe.
        safe: Id,
    },
}

impl Event {
    /// The name that stands in the entry.
    pub fn name(&self) -> &'static str {
        match self {
            Event::LedgerFounded(_) => "ledger.founded",
            Event::FirstPersonInvited(_) | Event::PersonInvited(_) => "person.invited",
            Event::PersonRoles(_) => "person.roles",
            Event::AuthenticatorEnrolled(_) => "authenticator.enrolled",
            Event::AuthenticatorRevoked(_) => "authenticator.revoked",
            Event::AuthenticatorSuspended(_) => "authenticator.suspended",
            Event::AuthenticatorRestored(_) => "authenticator.restored",
            Event::AuthenticatorDistrusted { .. } => "authenticator.distrusted",
            Event::RequestFiled(_) => "request.filed",
            Event::RequestApproved(_) => "request.approved",
            Event::RequestDenied(_) => "request.denied",
            Event::RequestAccepted(_) => "request.accepted",
            Event::RequestEnded { .. } => "request.ended",
            Event::RosterSet(_) => "roster.set",
            Event::TargetSet(_) => "target.set",
            Event::RoleSet(_) => "role.set",
            Event::VersionDestroyed(_) => "version.destroyed",
            Event::ResealOpened(_) => "reseal.opened",
            Event::VersionSealed(_) => "version.sealed",
            Event::ReleaseOpened(_) => "release.opened",
            Event::ReleaseClosed { .. } => "release.closed",
            Event::ReleaseRefused { .. } => "release.refused",
            Event::ShareRefused { .. } => "share.refused",
            Event::GrantStarted(_) => "grant.started",
            Event::GrantEnded { .. } => "grant.ended",
            Event::RotationStaged(_) => "rotation.staged",
            Event::RotationApplied(_) => "rotation.applied",
            Event::RotationProved(_) => "rotation.proved",
            Event::RotationPromoted(_) => "rotation.promoted",
            Event::RotationFailed(_) => "rotation.failed",
            Event::SettingChanged(_) => "setting.changed",
            Event::ClockAccepted(_) => "clock.accepted",
            Event::ClockTicked => "clock.ticked",
            Event::KekRolled { .. } => "kek.rolled",
            Event::CheckpointKeysChanged { .. } => "checkpoint_keys.changed",
            Event::SoftwareStarted(_) => "software.started",
            Event::DrillFinished { .. } => "drill.finished",
        }
    }

    /// What a signed event carries, and the kind of statement that it must be. An imported version's `import` is not meant: its entry is not
    /// signed as a whole.
    pub(crate) fn signed(&self) -> Option<(&Signed, Expected)> {
        Some(match self {
            Event::PersonInvited(s) => (s, Expected::kind("invite")),
            Event::PersonRoles(s) => (s, Expected::kind("roles")),
            Event::AuthenticatorEnrolled(e) => {
                (&e.signed, Expected::kind("enrol").naming_its_key())
            }
            Event::AuthenticatorRevoked(s) => (s, Expected::kind("revoke")),
            Event::AuthenticatorSuspended(s) => (s, Expected::kind("suspend")),
            Event::AuthenticatorRestored(s) => (s, Expected::kind("unsuspend")),
            Event::RequestFiled(s) => (s, Expected::kind("request")),
            Event::RequestApproved(s) => (s, Expected::kind("approval").deciding("approve")),
            Event::RequestDenied(s) => (s, Expected::kind("approval").deciding("deny")),
            Event::RequestAccepted(s) => (s, Expected::kind("acceptance").naming_its_key()),
            Event::SettingChanged(s) => (s, Expected::kind("setting")),
            Event::ClockAccepted(s) => (s, Expected::kind("clock")),
            _ => return None,
        })
    }
}
