//! What can go wrong, by what the caller can do about it, and how HTTP says so (RFC 9457).
//!
//! Every refusal has three parts: what happened, why, what to do next. The cause behind an inner
//! failure goes to the log with the reference, never to the caller.

use std::borrow::Cow;

/// Result of the service.
pub type Result<T> = std::result::Result<T, Error>;

/// The three parts of a refusal, in the words that people read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// What happened, or did not.
    pub what: Cow<'static, str>,
    /// Why.
    pub why: Cow<'static, str>,
    /// What to do next.
    pub next: Cow<'static, str>,
}

impl Words {
    /// Three parts, in this order.
    pub fn new(
        what: impl Into<Cow<'static, str>>,
        why: impl Into<Cow<'static, str>>,
        next: impl Into<Cow<'static, str>>,
    ) -> Words {
        Words {
            what: what.into(),
            why: why.into(),
            next: next.into(),
        }
    }
}

/// A refusal or a failure, by what its reader can do.
#[derive(Debug)]
pub enum Error {
    /// 401: nobody is signed in, or the session is over.
    SignIn,
    /// 403: this person may not.
    Forbidden(Words),
    /// 404.
    Missing(Words),
    /// 400: the input is not what was asked for.
    Invalid(Words),
    /// 409: the state has moved on, or never allowed it.
    Conflict(Words),
    /// 503: the ledger could not be written, so nothing was done.
    NoEntry(String),
    /// 503: an HSM, a database or a target does not answer.
    Down(Words, String),
    /// 503: the service refuses to act until a person has looked (clock, anchor).
    NotReady(Words),
    /// 409: stored bytes are not what was sealed. Never an outage.
    Tampered(Words),
    /// 500: a fault of ours; the text is for the log alone.
    Internal(String),
}

impl Error {
    /// A 400 with three parts.
    pub fn invalid(
        what: impl Into<Cow<'static, str>>,
        why: impl Into<Cow<'static, str>>,
        next: impl Into<Cow<'static, str>>,
    ) -> Error {
        Error::Invalid(Words::new(what, why, next))
    }

    /// A 409 with three parts.
    pub fn conflict(
        what: impl Into<Cow<'static, str>>,
        why: impl Into<Cow<'static, str>>,
        next: impl Into<Cow<'static, str>>,
    ) -> Error {
        Error::Conflict(Words::new(what, why, next))
    }

    /// A 403 with three parts.
    pub fn forbidden(
        what: impl Into<Cow<'static, str>>,
        why: impl Into<Cow<'static, str>>,
        next: impl Into<Cow<'static, str>>,
    ) -> Error {
        Error::Forbidden(Words::new(what, why, next))
    }

    /// A 404 for a thing named by the caller.
    pub fn missing(thing: &'static str) -> Error {
        Error::Missing(Words::new(
            format!("There is no such {thing}."),
            "It was never here, or you followed an old link.",
            "Go back and choose it from a list.",
        ))
    }

    /// An inner failure with its cause for the log.
    pub fn internal(cause: impl std::fmt::Display) -> Error {
        Error::Internal(cause.to_string())
    }

    /// The HTTP status of this error.
    pub fn status(&self) -> u16 {
        match self {
            Error::Invalid(_) => 400,
            Error::SignIn => 401,
            Error::Forbidden(_) => 403,
            Error::Missing(_) => 404,
            Error::Conflict(_) | Error::Tampered(_) => 409,
            Error::Internal(_) => 500,
            Error::NoEntry(_) | Error::Down(..) | Error::NotReady(_) => 503,
        }
    }

    /// A short stable name of the error's kind (the `type` of a problem document).
    pub fn kind(&self) -> &'static str {
        match self {
            Error::SignIn => "sign-in",
            Error::Forbidden(_) => "forbidden",
            Error::Missing(_) => "missing",
            Error::Invalid(_) => "invalid",
            Error::Conflict(_) => "conflict",
            Error::NoEntry(_) => "no-entry",
            Error::Down(..) => "down",
            Error::NotReady(_) => "not-ready",
            Error::Tampered(_) => "tampered",
            Error::Internal(_) => "internal",
        }
    }

    /// The words for people.
    pub fn words(&self) -> Words {
        match self {
            Error::SignIn => Words::new(
                "You are not signed in.",
                "The session ended, or there was none.",
                "Sign in with your key and try again.",
            ),
            Error::Forbidden(w)
            | Error::Missing(w)
            | Error::Invalid(w)
            | Error::Conflict(w)
            | Error::NotReady(w)
            | Error::Tampered(w)
            | Error::Down(w, _) => w.clone(),
            Error::NoEntry(_) => Words::new(
                "Not done.",
                "The ledger could not be written, and without an entry nothing happens.",
                "Free disk space or restore the database, then retry.",
            ),
            Error::Internal(_) => Words::new(
                "Not done.",
                "Something failed inside Vitrine. Nothing was changed.",
                "Try again; if it stays, give an operator the reference.",
            ),
        }
    }

    /// The cause, for the log alone.
    pub fn cause(&self) -> Option<&str> {
        match self {
            Error::NoEntry(c) | Error::Internal(c) | Error::Down(_, c) => Some(c),
            _ => None,
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let w = self.words();
        write!(f, "{} {} {}", w.what, w.why, w.next)
    }
}

impl std::error::Error for Error {}

impl From<sqlx::Error> for Error {
    fn from(e: sqlx::Error) -> Error {
        match e {
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Tls(_) => silent(e.to_string()),
            sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_) => silent(e.to_string()),
            sqlx::Error::Database(e) => match fault(e.code().as_deref()) {
                Fault::Silent => silent(e.to_string()),
                Fault::CannotWrite => Error::NoEntry(e.to_string()),
                Fault::Other => Error::Internal(e.to_string()),
            },
            other => Error::Internal(other.to_string()),
        }
    }
}

/// The refusal while the database does not answer.
pub(crate) fn silent(cause: String) -> Error {
    Error::Down(
        Words::new(
            "Not done.",
            "The database does not answer.",
            "Run `vitrine doctor` on the server; your request stays as it was.",
        ),
        cause,
    )
}

/// What a database's own error means here.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// It is going, coming, or busy with somebody else.
    Silent,
    /// It answers, and cannot write.
    CannotWrite,
    /// The rest is ours.
    Other,
}

/// SQLSTATEs have five places (PostgreSQL, appendix A); SQLite's result codes are numbers below 10000 whose low byte
/// is the primary code (sqlite.org/rescode.html).
fn fault(code: Option<&str>) -> Fault {
    let code = code.unwrap_or_default();
    match (code.len(), code.parse::<u32>().map(|n| n & 0xff)) {
        (5, _) if code.starts_with("08") || code.starts_with("57P") || code == "55P03" => {
            Fault::Silent
        }
        // Out of resources, a system's error, PostgreSQL's own (a file that cannot grow is one), read only.
        (5, _)
            if ["53", "58", "XX"]
                .iter()
                .any(|class| code.starts_with(class)) =>
        {
            Fault::CannotWrite
        }
        (5, _) if code == "25006" => Fault::CannotWrite,
        (1..=4, Ok(5 | 6)) => Fault::Silent, // SQLITE_BUSY, SQLITE_LOCKED
        (1..=4, Ok(8 | 10 | 13 | 14)) => Fault::CannotWrite, // SQLITE_READONLY, _IOERR, _FULL, _CANTOPEN
        _ => Fault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_databases_error_is_told_by_what_helps() {
        for (code, means) in [
            ("57P01", Fault::Silent),
            ("57P03", Fault::Silent),
            ("08006", Fault::Silent),
            ("53100", Fault::CannotWrite),
            ("58030", Fault::CannotWrite),
            ("XX000", Fault::CannotWrite),
            ("25006", Fault::CannotWrite),
            ("23505", Fault::Other),
            ("42501", Fault::Other),
            ("5", Fault::Silent),
            ("517", Fault::Silent),
            ("13", Fault::CannotWrite),
            ("778", Fault::CannotWrite),
            ("1032", Fault::CannotWrite),
            ("14", Fault::CannotWrite),
            ("1811", Fault::Other),
            ("11", Fault::Other),
        ] {
            assert_eq!(fault(Some(code)), means, "{code}");
        }
        assert_eq!(fault(None), Fault::Other);
    }
}
