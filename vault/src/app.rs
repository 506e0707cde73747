//! What a node is made of, for handlers.

use std::sync::{Arc, OnceLock};

use crate::config::Config;
use crate::keys::Keys;
use crate::ledger::Ledger;
use crate::people::attestation::TrustList;
use crate::people::sessions::Seen;
use crate::requests::lately::Lately;
use crate::requests::live::Presence;
use crate::requests::proved::Checked;
use crate::rotation::Node;
use crate::safes::Drills;
use crate::safes::rosters::Rosters;

/// The running node. Cheap to clone.
#[derive(Clone)]
pub struct App {
    inner: Arc<Parts>,
}

/// The parts, by name.
pub struct Parts {
    /// Configuration.
    pub config: Config,
    /// The only way to commit.
    pub ledger: Ledger,
    /// The HSM.
    pub keys: Keys,
    /// Verified rosters.
    pub rosters: Rosters,
    /// Signatures of requests that were checked.
    pub checked: Checked,
    /// Requests that were decided on last.
    pub lately: Lately,
    /// Who was signed in when last asked.
    pub sessions: Seen,
    /// Safes whose drills may be filed, as far as they were asked for.
    pub drills: Drills,
    /// Which authenticators are hardware.
    pub trust: TrustList,
    /// Who is reading a request now.
    pub presence: Presence,
    /// Which node this is, once it serves.
    pub node: OnceLock<Node>,
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> App {
        App {
            inner: Arc::new(parts),
        }
    }
}

impl std::ops::Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.inner
    }
}
