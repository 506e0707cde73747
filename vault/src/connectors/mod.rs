//! Connectors: code that talks to a kind of target. Each changes one account's credential to a value that Vitrine
//! generated, and says from the target's own record whether it holds. One file each.

pub mod postgres;
pub mod scram;

use std::fmt;

/// What a target did not do, in words for people. Never carries a password or a verifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetError {
    /// No connection, or none in time: nothing is known to have changed.
    Unreachable(String),
    /// The server there is not the one that the signed pin names. Nothing was sent to it.
    WrongServer(String),
    /// The login was refused.
    LoginRefused(String),
    /// The target said no.
    Refused(String),
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetError::Unreachable(why) => write!(f, "the target does not answer ({why})"),
            TargetError::WrongServer(why) => write!(f, "the server is not the pinned one ({why})"),
            TargetError::LoginRefused(who) => write!(f, "the target refused the login {who}"),
            TargetError::Refused(why) => write!(f, "the target refused: {why}"),
        }
    }
}

impl std::error::Error for TargetError {}
