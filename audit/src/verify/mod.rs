//! The offline verifier of exports: hashes *and* meaning (FORMATS.md 1 to 6), with no code of the writer's.
//!
//! [`verify_dir`] reads `entries.jsonl`, `checkpoints.jsonl` and `checkpoint` once and answers with a [`Report`]. Nothing in the three files is
//! trusted. A founding fingerprint that came another way is what the answer rests on; without one a whole forged ledger looks the same, and the
//! report says so ([`Outcome::SelfConsistent`]). Checkpoints kept elsewhere ([`Options::seen`]) find a ledger that was rewritten by somebody who
//! holds the checkpoint keys. Beside the ledger's signatures, `sha2` and `aws-lc-rs` are trusted.
//!
//! # How it goes
//!
//! `files` cuts the entries into pieces of whole lines. `crew` reads pieces on all threads: `json` parses, `event`, `schema`, `statement` and
//! `assertion` check all that needs no state. One thread takes the entries in order: `judge`, `requests` and `acts` hold each against the state
//! before it, and put its signatures down, which the crew checks later; the first bad one counts as its entry's lie. `follow` grows the tree and
//! compares every checkpoint at its size.
//!
//! State is what is live (people, keys, rosters, open requests, versions, targets, roles, rotations), and in `marks` 19 to 24 bytes for each nonce
//! and each id that may not come twice.
//!
//! # Invariants
//!
//! Tests are in `tests/` beside this file, one function for each rule of the page with the lies that break it.
//!
//! 1. Nothing but the true bytes is valid: `a_flipped_bit_is_never_valid`, `bytes_taken_or_put_are_never_valid`,
//!    `a_byte_changed_anywhere_is_named`.
//! 2. Any input is answered, without a panic and in bounded memory: `any_bytes_are_answered`, `never_panics`, `a_long_line_is_hashed_and_not_kept`.
//! 3. The first false or unknown entry decides, however many threads there are, and what is unknown comes before what is false in it: every test
//!    (each runs with one thread and with two), `seq_and_prev_come_before_what_is_unknown`, `unknown_comes_before_false`, `signatures_must_verify`.
//! 4. Behind an unknown entry roots still count: `behind_an_unknown_entry_all_is_hashed_and_nothing_judged`,
//!    `checkpoints_kept_elsewhere_must_be_of_this_tree`.
//! 5. Besides what it makes live (state above) an entry costs 24 bytes at most for each name in it that may not come twice: a signed one its
//!    nonce and, a filing, the request's id, an enrolment its key's three; of those that nobody signed `rotation.staged` and `grant.started` one id
//!    each, the others nothing, whatever workloads they name: `entries_cost_what_is_live_and_the_names_that_come_once`,
//!    `a_name_costs_at_most_24_bytes`.
//! 6. What is accepted as canonical is what an encoder writes: `accepts_only_what_re_encodes_to_itself`.
//! 7. Exports that somebody else forged get the verdict that is due, and the one a second verifier gives (`tests/corpus`, `tests/verifier`):
//!    `every_case_of_the_corpus_is_judged_as_is_due`.
//!
//! # Decisions
//!
//! 2026-11-22. Where the page leaves a choice, the verifier takes the reading that refuses more:
//!
//! * A rule stands where the page puts it: what a `roster.set` or a grant must be is checked there and not at the filing. A filing is held
//!   against the roster it names (for `release` and `reseal` with the envelopes), its limits, and `new.epoch` following that roster's epoch.
//! * A member that has no place where it stands is unknown (2), `signer` in entry 1 too. A `person.invited` without any of a signed event's
//!   members is an unsigned invitation, and false behind entry 1. `v`, `event`, `kind`, `purpose` of another type than theirs are false.
//! * An invitation lapses at `expires`; roles can't be given to somebody whose invitation lapsed.
//! * All recorded denials count against an acting entry; after `release.refused` a request can still be decided on and can end.
//! * `origins`, `checkpoint_keys` and `versions` name one thing at least and none twice. Times are not negative. A public key is an
//!   uncompressed point.
//! * A checkpoint in `checkpoints.jsonl` is smaller than the last one. One member too many in such a line is unknown. Behind an unknown entry
//!   checkpoints are compared by root and origin, not by signature. `--seen` notes need no signature of a key known here: whoever kept
//!   them vouches for them.
//! * Client data holds no escape of a lone surrogate, which is no Unicode text.
//!
//! 2026-11-22. Signatures are checked behind the judge, not before it: the key is known only in order, and state that rests on a signature
//! found bad later is never reported.
//!
//! 2026-11-29. "An id that is no user's" is judged at the entry's seq: a workload's id may become a person's later. To refuse that, every workload
//! named would have to be kept for ever, and a writer can draw one anew for every entry.

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
