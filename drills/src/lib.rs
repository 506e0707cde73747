//! Rehearsals: people with software keys who use a running Vitrine over HTTP as pages and terminals do, and a database by `psql`.
//!
//! | module | what it is |
//! |---|---|
//! | [`key`] | a FIDO2 key in software, and the test authority that makes it |
//! | [`client`] | the HTTP API, a call a step; what an approver's page and a requester's client check, from `quorum` |
//! | [`psql`] | a PostgreSQL server as people use it |
//! | [`scenario`] | what is rehearsed: [`scenario::break_glass`] |
//! | [`narrator`] | who hears it; a [`Report`] is what stays |
//!
//! It knows of Vitrine what its API and FORMATS.md say, and nothing of its insides; the service's own tests use it for the same reason.
//! Every challenge is computed from a statement made here. What the server shows is believed only as far as it is proved: under a checkpoint
//! of the ledger that was trusted on first use (or named in [`scenario::Options::founded`]), which extends what that person has seen.
//!
//! Not trusted: a drill's people hold their keys in memory, and in a file where somebody asks to play on with them
//! ([`scenario::Options::people`]), so whoever watches this process or reads that file opens what its safe keeps. That is why
//! such keys serve on drill safes alone. Else nothing is written but a report and, where asked for, an export; an opened
//! value goes to `psql` in its environment and is wiped with the drill.
//!
//! # Invariants
//! 1. A software key makes what a real one and a browser make: `key::tests::a_touch_verifies_and_the_counter_rises`,
//!    `a_registration_says_what_it_should`, `the_prf_is_the_formula`.
//! 2. A key lies about one thing at a time, and that is noticed: `key::tests::each_switch_breaks_its_own_rule`.
//! 3. Evidence that does not hold is not signed for: `evidence_with_one_thing_changed_is_not_believed`,
//!    `another_founding_an_old_tree_a_fork_and_a_late_request_are_not_believed`, `a_request_signed_with_anothers_key_is_not_believed`.
//! 4. An opening that is not the one asked for, or not in the ledger, is not put together: `an_opening_with_one_thing_changed_is_not_believed`,
//!    `a_wrong_share_is_refused_and_its_owner_named`, `too_few_shares_open_nothing`.
//! 5. A password reaches `psql` by its environment alone, and a refused one is told from a server that is down:
//!    `psql::tests::passwords_go_by_environment_and_sql_by_standard_input`, `a_refused_password_is_told_from_other_failures`.
//! 6. A drill passes only if every step happened: `report::tests::a_failure_is_the_last_step`.
//!
//! # Decisions
//! 2026-11-22: cookies are kept by hand. Vitrine's are `Secure`; browsers send those to `http://localhost`, cookie jars do not.
//!
//! 2026-11-22: the assertion of a touch that only reads the PRF goes nowhere, so its `prove` statement carries a nonce of our own.

pub mod client;
pub mod key;
pub mod narrator;
pub mod psql;
mod report;
pub mod scenario;

pub use report::{Outcome, Report, Step};
