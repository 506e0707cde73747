//! People: invitations, keys, roles, sessions. Rules without I/O.

pub mod attestation;
pub mod sessions;
mod shares;
pub mod site;
pub mod store;
pub mod view;
pub mod web;

use quorum::statement::Kind;
use unicode_normalization::UnicodeNormalization;

use crate::error::{Error, Result};
use crate::who::Person;

/// Roles that a person can have (FORMATS.md 3, types).
pub const ROLES: [&str; 5] = ["requester", "approver", "custodian", "auditor", "operator"];

/// An invitation may wait at most this long, microseconds.
pub const INVITATION_LIFE: i64 = 14 * crate::clock::DAY;

/// Names are compared by full case folding, then NFC (FORMATS.md 3, "unique").
pub fn fold(name: &str) -> String {
    caseless::default_case_fold_str(name).nfc().collect()
}

/// Who may sign which statement about people and keys (FORMATS.md 4, "Who").
pub fn may(person: &Person, kind: &Kind) -> Result<()> {
    let custodian = person.is("custodian");
    let allowed = match kind {
        Kind::Invite(_)
        | Kind::Roles(_)
        | Kind::Unsuspend(_)
        | Kind::Setting(_)
        | Kind::Import(_) => custodian,
        Kind::Revoke(k) | Kind::Suspend(k) => custodian || k.user == person.user,
        Kind::Clock(_) => true,
        _ => false,
    };
    if allowed {
        return Ok(());
    }
    Err(Error::forbidden(
        "Not done.",
        "Your roles do not allow this.",
        "Ask a custodian to do it.",
    ))
}
