//! The offline verifier of exports: hashes *and* meaning (FORMATS.md 1 to 6).

mod acts;
mod assertion;
mod crew;
mod event;
mod files;
mod follow;
#[cfg(test)]
mod forge;
mod json;
mod judge;
mod lie;
mod marks;
mod note;
mod report;
mod requests;
mod schema;
mod state;
mod statement;
#[cfg(test)]
mod tests;
mod text;
mod tree;

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

/// Verifies the export in `dir`. Reads it once from end to end; any input is answered with a report.
pub fn verify_dir(dir: &Path, options: &Options) -> Report {
    follow::verify(dir, options)
}
