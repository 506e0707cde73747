//! Every rule of FORMATS.md 1 to 6, each with the lies that break it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use serde_json::json;

use super::forge::Ledger;
use super::{Options, Outcome, Report, verify_dir};

mod acts;
mod entry;
mod export;
mod flips;
mod memory;
mod people;
mod requests;
mod rosters;
mod story;

/// Verifies an export of the ledger, held against its own founding.
fn verify(ledger: &Ledger) -> Report {
    let dir = tempfile::tempdir().unwrap();
    ledger.export(dir.path());
    let report = |threads| {
        let options = Options {
            founded: Some(ledger.founded()),
            seen: Vec::new(),
            threads,
        };
        verify_dir(dir.path(), &options)
    };
    let one = report(1);
    assert_eq!(one, report(2), "one thread and two differ");
    one
}

/// The ledger is valid as it is.
#[track_caller]
fn valid(ledger: &Ledger) {
    let report = verify(ledger);
    assert_eq!(report.outcome, Outcome::Valid, "{report}");
}

/// The last entry is the lie, in these words.
#[track_caller]
fn lie(ledger: &Ledger, words: &str) {
    let report = verify(ledger);
    assert_eq!(report.lie.as_deref(), Some(words), "{report}");
    assert_eq!(report.outcome, Outcome::False, "{report}");
    assert_eq!(report.seq, Some(ledger.seq() as u64 - 1), "{report}");
}

/// The last entry is unknown, in these words.
#[track_caller]
fn unknown(ledger: &Ledger, words: &str) {
    let report = verify(ledger);
    assert_eq!(report.lie.as_deref(), Some(words), "{report}");
    assert_eq!(report.outcome, Outcome::NotVerified, "{report}");
    assert_eq!(report.seq, Some(ledger.seq() as u64 - 1), "{report}");
}

/// Without its last entry.
fn undone(mut l: Ledger) -> Ledger {
    l.lines.pop();
    l.leaves.pop();
    let last: serde_json::Value = serde_json::from_str(l.lines.last().unwrap()).unwrap();
    l.time = last["time"].as_i64().unwrap();
    l
}
