//! Requests that this node has just had before it, and the rosters that they go by: so that the next decision on one, and its
//! opening, need nothing read first, and take one trip to the database under the writer's lock.
//!
//! What is kept is a guess, in memory alone, and grants nothing. Whoever begins with it finds under the lock that the rows are
//! still those; where they are not, or anything is refused ([`doubtful`]), nothing has happened, and the long way is gone, which
//! reads first and says what is the matter.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use quorum::ids::{AuthenticatorId, RequestId, UserId};
use quorum::statement::Request as Asked;

use super::decide::Rosters;
use super::store::Filed;
use crate::error::Error;

/// A request as it was a moment ago.
#[derive(Clone)]
pub struct Known {
    /// Its row.
    pub filed: Filed,
    /// What was asked.
    pub asked: Asked,
    /// The verified rosters.
    pub rosters: Rosters,
    /// The newest event about a key, under which they were verified.
    pub newest: u64,
}

impl Known {
    /// The key with this credential id that the roster has for a person: its id and its point.
    pub fn key(&self, user: UserId, credential_id: &[u8]) -> Option<(AuthenticatorId, [u8; 65])> {
        let keys = &self.rosters.named.approver(user)?.authenticators;
        let key = keys.iter().find(|k| k.credential_id == credential_id)?;
        Some((key.authenticator, *key.public_key.as_bytes()))
    }
}

/// The requests that were before this node last.
#[derive(Clone, Default)]
pub struct Lately {
    held: Arc<Mutex<HashMap<RequestId, Known>>>,
}

impl Lately {
    const MOST: usize = 256;

    /// What is known of a request.
    pub fn of(&self, request: RequestId) -> Option<Known> {
        self.held.lock().ok()?.get(&request).cloned()
    }

    /// Keeps it without its reason, as long as something may still come of it.
    pub fn keep(&self, mut known: Known) {
        (known.filed.reason, known.filed.salt) = (None, None);
        let request = known.filed.request;
        if let Ok(mut held) = self.held.lock() {
            if held.len() >= Lately::MOST {
                held.clear();
            }
            match known.filed.state.pending() {
                true => held.insert(request, known),
                false => held.remove(&request),
            };
        }
    }

    /// Forgets a request that was spent.
    pub fn forget(&self, request: RequestId) {
        if let Ok(mut held) = self.held.lock() {
            held.remove(&request);
        }
    }
}

/// Whether a refusal may come of a guess that does not hold any more. Not what the ledger or a token could not do.
pub fn doubtful(e: &Error) -> bool {
    match e {
        Error::SignIn | Error::NoEntry(_) | Error::Down(..) | Error::NotReady(_) => false,
        Error::Forbidden(_) | Error::Missing(_) | Error::Invalid(_) => true,
        Error::Conflict(_) | Error::Tampered(_) | Error::Internal(_) => true,
    }
}
