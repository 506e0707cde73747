//! Why bytes are no entry.

use std::fmt;

use crate::field::FieldError;
use crate::json::JsonError;
use crate::statement::StatementError;

/// Why bytes are no entry that this crate can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryError {
    /// More than 64 KiB.
    TooLong,
    /// Not canonical JSON.
    Json(JsonError),
    /// Canonical, but no object.
    NotAnObject,
    /// A `v` other than 1.
    Version,
    /// An `event` that doesn't exist, or that nothing here relies on.
    Event(String),
    /// A member that is missing, unknown, or has a value that its type doesn't allow.
    Member(FieldError),
    /// The statement doesn't read.
    Statement(StatementError),
    /// The statement's kind is not this event's.
    WrongKind,
    /// `actor` is not the signer, or neither `system` nor an id.
    Actor,
    /// `seq` is not the place where the entry was found.
    Seq,
}

impl EntryError {
    /// The error's name in the test vectors.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Json(_) => "json",
            Self::NotAnObject => "not_an_object",
            Self::Version => "version",
            Self::Event(_) => "event",
            Self::Member(_) => "member",
            Self::Statement(_) => "statement",
            Self::WrongKind => "wrong_kind",
            Self::Actor => "actor",
            Self::Seq => "seq",
        }
    }
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the entry is longer than 64 KiB"),
            Self::Json(e) => write!(f, "the entry is not canonical JSON: {e}"),
            Self::NotAnObject => write!(f, "the entry is no object"),
            Self::Version => write!(f, "the entry's `v` is not 1"),
            Self::Event(event) => write!(f, "the event `{event}` does not belong here"),
            Self::Member(e) => write!(f, "the entry's {e}"),
            Self::Statement(e) => write!(f, "{e}"),
            Self::WrongKind => write!(f, "the statement's kind is not the event's"),
            Self::Actor => write!(f, "the actor is not who acted"),
            Self::Seq => write!(f, "the entry's `seq` is not its place"),
        }
    }
}

impl std::error::Error for EntryError {}

impl From<FieldError> for EntryError {
    fn from(e: FieldError) -> Self {
        Self::Member(e)
    }
}
