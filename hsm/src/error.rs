//! What can go wrong, by what the caller can do about it.

use std::fmt;

use crate::keys::{KeyFault, KeyId};

/// Why a call on a [`crate::Token`] gave nothing.
///
/// None of the texts holds a secret: they are the module's function and return code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HsmError {
    /// The token works (it opened its canary) and refused these bytes twice: the wrapped bytes, the
    /// associated data or the key id do not belong together. Trying again gives the same.
    Tampered,
    /// The token can't be used now. It is being reopened; use another token.
    Down {
        /// What the module said last.
        why: String,
    },
    /// The queue is at its bound. Nothing was done; try again later or on another token.
    Busy,
    /// No answer in time. A wrap, unwrap or signature changed nothing; a key may have been made or destroyed.
    Deadline,
    /// The token refused the PIN (or has locked it). It is not tried again until [`crate::Token::reopen`].
    WrongPin,
    /// The token has no key with this id.
    NoKey(KeyId),
    /// The token has the key, and it must not be used.
    Refused(KeyId, KeyFault),
    /// The call itself was wrong; nothing was sent to the token.
    Input(&'static str),
    /// The token works and said no, for a reason of its own.
    Failed {
        /// What the module said.
        why: String,
    },
}

impl fmt::Display for HsmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tampered => write!(
                f,
                "the wrapped bytes do not belong to this key and context: they were altered or swapped"
            ),
            Self::Down { why } => write!(f, "the token is down: {why}"),
            Self::Busy => write!(f, "the token's queue is full"),
            Self::Deadline => write!(f, "the token did not answer in time"),
            Self::WrongPin => write!(
                f,
                "the token refused the PIN; it is not tried again until reopened by hand"
            ),
            Self::NoKey(id) => write!(f, "the token has no key {id}"),
            Self::Refused(id, fault) => write!(f, "the key {id} is refused: {fault}"),
            Self::Input(what) => write!(f, "{what}"),
            Self::Failed { why } => write!(f, "the token refused the call: {why}"),
        }
    }
}

impl std::error::Error for HsmError {}

/// Why [`crate::Token::open`] gave no token at all. A token that is absent, broken or refuses its PIN is
/// *not* among these, nor one without its PIN file or its module: it opens, says so in its health, and (a refused
/// PIN apart) recovers by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenError {
    /// The specification makes no sense (no sessions, a queue or deadline of zero).
    Spec(&'static str),
    /// The operating system gave no thread.
    Threads(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(what) => write!(f, "{what}"),
            Self::Threads(why) => write!(f, "no thread for the token: {why}"),
        }
    }
}

impl std::error::Error for OpenError {}
