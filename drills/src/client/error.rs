//! Why a call came to nothing.

use std::fmt;

use quorum::secret::{BoxError, OpenError};
use serde::Deserialize;

use super::WrongShare;
use crate::key::KeyError;

/// The answer of every call.
pub type Result<T> = std::result::Result<T, Error>;

/// A refusal as the service words it (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// `urn:vitrine:<kind>`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// What happened.
    #[serde(default)]
    pub title: String,
    /// Why.
    #[serde(default)]
    pub detail: String,
    /// What to do next.
    #[serde(default)]
    pub next: String,
    /// HTTP status.
    #[serde(default)]
    pub status: u16,
    /// What to tell an operator.
    #[serde(default)]
    pub reference: String,
}

/// Why a call came to nothing. Never carries a secret.
#[derive(Debug)]
pub enum Error {
    /// The service refused.
    Refused(Box<Problem>),
    /// No answer: connection, TLS, time.
    Http(String),
    /// An answer that is not what the API promises.
    Answer(String),
    /// What the server showed does not hold: a proof, a signature, a hash. Nothing was signed or opened.
    Unproved(String),
    /// The key did not answer.
    Key(KeyError),
    /// Sealing or opening failed.
    Secret(OpenError),
    /// An approver's share is wrong, and without it there are too few.
    Share(Box<WrongShare>),
    /// It did not happen in time.
    Late(String),
}

impl Error {
    /// The HTTP status of a refusal.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.problem().map(|p| p.status)
    }

    /// The refusal, if it is one.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(p) => write!(
                f,
                "refused ({}): {} {} {}",
                p.status, p.title, p.detail, p.next
            ),
            Self::Http(why) => write!(f, "no answer: {why}"),
            Self::Answer(why) => write!(f, "an answer that the API does not promise: {why}"),
            Self::Unproved(why) => write!(f, "what the server showed does not hold: {why}"),
            Self::Key(e) => write!(f, "{e}"),
            Self::Secret(e) => write!(f, "not opened: {e}"),
            Self::Share(wrong) => write!(f, "not opened: {wrong}"),
            Self::Late(what) => write!(f, "not in time: {what}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<KeyError> for Error {
    fn from(e: KeyError) -> Self {
        Self::Key(e)
    }
}

impl From<OpenError> for Error {
    fn from(e: OpenError) -> Self {
        Self::Secret(e)
    }
}

impl From<BoxError> for Error {
    fn from(e: BoxError) -> Self {
        Self::Unproved(e.to_string())
    }
}

impl From<reqwest::Error> for Error {
    fn from(e: reqwest::Error) -> Self {
        // The URL holds no secret, but says nothing that the caller does not know.
        let e = e.without_url();
        let mut text = e.to_string();
        let mut cause = std::error::Error::source(&e);
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            cause = inner.source();
        }
        Self::Http(text)
    }
}

pub(super) fn unproved(why: impl fmt::Display) -> Error {
    Error::Unproved(why.to_string())
}
