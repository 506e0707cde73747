//! The offline verifier of exports: hashes *and* meaning (FORMATS.md 1 to 6).

mod report;

use std::path::{Path, PathBuf};

pub use report::{Outcome, Report};

/// What to hold an export against.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The founding fingerprint: the leaf of entry 0, as it came from elsewhere.
    pub founded: Option<[u8; 32]>,
    /// Checkpoints that were kept elsewhere, a signed note a file.
    pub seen: Vec<PathBuf>,
    /// Threads to use, this one included; 0 means as many as the machine has, 8 at most.
    pub threads: usize,
}

/// Verifies the export in `dir`.
pub fn verify_dir(_dir: &Path, _options: &Options) -> Report {
    Report {
        outcome: Outcome::NotVerified,
        size: 0,
        root: None,
        ledger: None,
        name: None,
        seq: None,
        lie: None,
        signatures: 0,
        checkpoints: 0,
        warnings: Vec::new(),
        warnings_total: 0,
    }
}
