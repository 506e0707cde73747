//! What a token needs to know, and what it says of itself.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::secret::PinSource;

/// Which token of the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Select {
    /// By `CK_TOKEN_INFO.serialNumber`, without trailing blanks. The one to prefer: it is unique.
    Serial(String),
    /// By label, without trailing blanks. Two tokens with it are an error.
    Label(String),
    /// By slot id, for modules whose token information can't be read.
    Slot(u64),
}

impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(serial) => write!(f, "serial {serial}"),
            Self::Label(label) => write!(f, "label {label}"),
            Self::Slot(id) => write!(f, "slot {id}"),
        }
    }
}

/// What a [`crate::Token`] needs to know.
pub struct TokenSpec {
    /// The PKCS#11 module, a shared object.
    pub module: PathBuf,
    /// The token in it.
    pub token: Select,
    /// Its user PIN, or where that is read.
    pub pin: PinSource,
    /// Threads, each with a session of its own: calls that run at once.
    pub sessions: usize,
    /// How long a call may take, from asking to answer.
    pub deadline: Duration,
    /// How many calls may wait; one more is [`crate::HsmError::Busy`].
    pub queue: usize,
}

impl TokenSpec {
    /// Two sessions, five seconds, 256 waiting calls.
    pub fn new(module: PathBuf, token: Select, pin: impl Into<PinSource>) -> Self {
        Self {
            module,
            token,
            pin: pin.into(),
            sessions: 2,
            deadline: Duration::from_secs(5),
            queue: 256,
        }
    }
}

/// How a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It answers.
    Ready,
    /// Something was lost a moment ago and is being opened again; calls wait.
    Reopening,
    /// It does not answer; calls fail at once. It is tried again by itself, ever less often.
    Down,
    /// It refused the PIN. It is not tried again by itself.
    WrongPin,
}

/// A token's health, for pages and metrics.
#[derive(Debug, Clone)]
pub struct Health {
    /// How it is.
    pub state: State,
    /// Since when.
    pub since: SystemTime,
    /// What went wrong last, if anything did since it was opened.
    pub last_error: Option<String>,
    /// Calls that wait.
    pub queue: usize,
    /// Calls that run.
    pub running: usize,
}
