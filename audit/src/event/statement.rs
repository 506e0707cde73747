//! What the writer looks at in a statement before it enters one. It was checked in full by those who verified the signature; but an entry
//! whose statement is of another kind or person makes a ledger false for ever, so this much is looked at again.

use super::{Actor, Signed};
use crate::{AppendError, Hash, Id};
use serde::Deserialize;

/// A clock's acceptance holds for this long from its `time`, and this is the most by which time may rise otherwise: 24 h.
pub(crate) const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

/// What a signed event's statement must say.
pub(crate) struct Expected {
    kind: &'static str,
    decision: Option<&'static str>,
    names_its_key: bool,
}

impl Expected {
    pub(super) fn kind(kind: &'static str) -> Self {
        Expected {
            kind,
            decision: None,
            names_its_key: false,
        }
    }

    pub(super) fn deciding(self, decision: &'static str) -> Self {
        Expected {
            decision: Some(decision),
            ..self
        }
    }

    pub(super) fn naming_its_key(self) -> Self {
        Expected {
            names_its_key: true,
            ..self
        }
    }
}

#[derive(Deserialize)]
struct Glimpse<'a> {
    kind: &'a str,
    signer: &'a str,
    authenticator: Option<&'a str>,
    decision: Option<&'a str>,
    entry: Option<&'a str>,
    time: Option<i64>,
}

impl Signed {
    fn glimpse(&self) -> Result<Glimpse<'_>, AppendError> {
        serde_json::from_slice(&self.statement)
            .map_err(|_| AppendError::Statement("it cannot be read"))
    }

    /// Refuses a statement of another kind, decision, key or signer.
    pub(crate) fn check(
        &self,
        expected: &Expected,
        actor: Option<Actor>,
    ) -> Result<(), AppendError> {
        let seen = self.glimpse()?;
        if seen.kind != expected.kind {
            return Err(AppendError::Statement("it is of another kind"));
        }
        if seen.decision != expected.decision {
            return Err(AppendError::Statement("it decides otherwise"));
        }
        if expected.names_its_key
            && seen.authenticator != Some(self.authenticator.to_string().as_str())
        {
            return Err(AppendError::Statement("it names another key"));
        }
        let signer: Id = seen
            .signer
            .parse()
            .map_err(|_| AppendError::Statement("it names no signer"))?;
        match actor {
            Some(actor) if actor != Actor::Id(signer) => {
                Err(AppendError::Statement("the actor is not its signer"))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a `clock` statement made for another place or another time.
    pub(crate) fn check_clock(&self, prev: &Hash, time: i64) -> Result<(), AppendError> {
        let seen = self.glimpse()?;
        if seen.entry != Some(prev.to_string().as_str()) {
            return Err(AppendError::Statement(
                "it accepts the clock after another entry",
            ));
        }
        match seen.time {
            Some(from) if (from..=from.saturating_add(DAY_US)).contains(&time) => Ok(()),
            _ => Err(AppendError::Statement("it accepts another time")),
        }
    }
}

pub(super) const IMPORT: Expected = Expected {
    kind: "import",
    decision: None,
    names_its_key: false,
};
