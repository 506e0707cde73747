//! The ledger: what its entries say, how they are chained and signed, and how a stranger checks them.
//!
//! Two halves that share no code, so that a mistake in one is found by the other. The *writer* (everything but [`verify`]) has an encoder
//! for canonical JSON and nothing that judges; the *verifier* has a parser of its own, hashes of its own and every rule of meaning. Bytes:
//! FORMATS.md 1 to 6. Pure: no clock, no database, no network; [`export`] and the verifier touch files. Signatures are made elsewhere, by
//! keys in an HSM, over [`checkpoint::body`].
//!
//! # The writer
//!
//! [`Chain`] is the state between two entries: [`Chain::append`] turns a [`Draft`] (who, and a typed [`Event`]) into canonical bytes, a leaf
//! and those new nodes of the tree that are stored. A caller stores all of it together with [`Chain::head`] in one transaction; after one
//! that failed it goes back to the clone it took before. [`tree`] makes proofs from stored leaves and nodes: `wanted_*` says which,
//! then the proof is computed from what was fetched.
//!
//! * **Leaves and nodes stored in a database.** Not trusted: whoever alters one gets proofs that verify nowhere.
//! * **The stored head.** Trusted by the next append alone: whoever alters it forks the ledger, and the next checkpoint is then
//!   inconsistent with every one that was kept outside.
//! * **Stored entry bytes.** Not trusted: their leaf changes with them.
//!
//! # Invariants of the writer
//!
//! Tests are in `tests/`; each name is unique in this crate.
//!
//! 1. An entry's bytes are canonical: `bytes_are_canonical`, `what_is_written_reads_back`. They never change from release to release:
//!    `bytes_are_those_of_the_vectors`.
//! 2. What the format cannot hold is refused, and nothing has changed then: `what_an_entry_cannot_hold_is_refused_and_changes_nothing`,
//!    `what_types_allow_and_the_format_does_not`, `forbidden_strings_are_refused`, `an_entry_of_exactly_64_kib_is_the_largest`.
//! 3. Every entry names the leaf before it; the founding and the first invitation have their places:
//!    `entries_are_chained_and_counted`, `founding_and_first_invitation_have_their_places`.
//! 4. Time never goes back, and leaps only where somebody signed for it: `time_never_goes_back_and_never_leaps`,
//!    `a_leap_of_the_clock_needs_a_touch_for_this_place_and_time`.
//! 5. A signed event carries a statement of its own kind by its own actor: `a_statement_of_another_event_is_refused`.
//! 6. Stopping, going on and forgetting change nothing: `going_on_equals_never_having_stopped`.
//! 7. Roots and proofs are those of RFC 6962: `every_proof_of_every_small_tree`, `proofs_of_larger_trees`, `tree_vectors`; subtrees of 256,
//!    65 536, ... leaves are handed out once: `subtrees_of_256_are_handed_out_once`.
//! 8. A checkpoint holds only with a good signature by a key in force, and none of them bad: `checkpoint_vectors`.
//! 9. An export is whole or not there: `a_checkpoint_of_another_tree_is_refused_and_leaves_nothing`,
//!    `a_full_disk_is_said_and_leaves_nothing`, `a_directory_with_something_in_it_is_refused`.
//!
//! # Decisions
//!
//! 2026-11-22. The tree stores leaves and every eighth level: 1.004 rows an entry instead of 2. A proof reads at most two ranges a level.
//!
//! 2026-11-22. Which hashes make a proof is left to `tlog_tiles`; signature lines are checked one by one with `signed_note`'s verifier
//! and not with its `Note::verify`, which passes over a second line by the same key even where that one is bad.

pub mod chain;
pub mod checkpoint;
pub mod event;
pub mod export;
mod hash;
mod json;
pub mod read;
pub mod tree;
pub mod verify;
mod words;

pub use chain::{AppendError, Appended, Chain, Draft, Head, Node, leaf_hash};
pub use event::{Actor, Event};
pub use hash::{Hash, Id, Misspelt};
pub use json::Fault;
pub use words::{Thing, words, words_with};
