//! quorum: what people sign, and what their signatures add up to.
//!
//! This crate owns the statements and their canonical bytes, the rules by which a touch of a FIDO2 key
//! counts, rosters checked back to their safe's founding, the arithmetic of approvals, and the sealing
//! and opening of secrets ([`secret`]). It is pure: no file, no socket, no clock; times and entries are handed in, randomness comes from the operating system and only where
//! something is sealed. The bytes are those of FORMATS.md; the vectors in `vectors/` (see its README) are readable for ever.
//!
//! | module | what it says | FORMATS.md |
//! |---|---|---|
//! | [`json`] | a value has one spelling | 1 |
//! | [`hash`], [`ids`] | labelled hashes; one type for each kind of id | 1 |
//! | [`entry`] | what an entry of the ledger says, if it is well-formed | 2, 3 |
//! | [`statement`] | what a person signs; the challenge; who may sign it | 4 |
//! | [`assertion`] | whether a touch is over that challenge | 4 |
//! | [`evidence`] | whether entries are in the ledger that is trusted | 2, 5 |
//! | [`people`] | whose keys are whose, rebuilt from signatures | 4, "Who", "Keys" |
//! | [`roster`] | who approves for a safe; what they bound to a target | 4, "roster.set", "target.set" |
//! | [`decision`] | what may be filed, decided and spent | 4, "Decisions" |
//! | [`secret`] | halves, shares, envelopes, delivery | 7 |
//!
//! # What is trusted
//! The founding fingerprint that a caller hands to [`evidence::Trust`], and the anchor, if it was kept where
//! nobody else writes. Not trusted: entries, proofs, checkpoints and notes. Whoever makes them up is refused;
//! whoever picks which to hand over can leave out what is against him (a revocation, a later
//! roster, a role that was taken): a proof shows that something was entered, never that nothing else was. So the caller
//! who acts on a roster has to know, from its own reading of the whole ledger, that it is the one in force; the offline verifier finds out who did not.
//!
//! # Invariants
//! 1. Equal values have equal bytes: what [`json::parse`] takes, [`json::encode`] writes back, and no other
//!    spelling is taken (`json.json`; `tests/robust.rs`: `any_text`, `what_is_written_is_read`).
//! 2. A challenge is the hash of a whole statement; each member changes it (`statement-*.json`: every member
//!    changed, and all challenges of a file differ).
//! 3. What is unknown is refused: kinds, purposes, events, members (`statement-*.json`, `evidence.json`).
//! 4. An assertion that breaks any one rule is refused, and every bit of it matters (`assertion.json`;
//!    `tests/robust.rs`: `spoiled_client_data_is_refused`, `spoiled_signatures_and_authenticator_data_are_refused`).
//! 5. An entry counts only under a checkpoint signed by keys that lead back to the trusted founding, in a
//!    tree that extends the anchor (`evidence.json`; `tests/robust.rs`: `a_spoiled_checkpoint_is_refused`,
//!    `a_spoiled_proof_is_refused`, `a_spoiled_entry_is_not_in_the_ledger`).
//! 6. There is no [`roster::VerifiedRoster`] but by checking every signature back to entry 1 (the fields are
//!    private; `roster.json`: every row edited or left out).
//!    The same holds of a [`roster::VerifiedTarget`] (`roster::target_tests`).
//! 7. A share key is sealed to only if its owner signed for it, as did the invitation or a live key of the owner's, and the key itself accepted the roster
//!    (`roster.json`: `a named key ..`, `a further key ..`, `.. did not accept`; `roster::tests::a_named_key_stays_with_its_owner`).
//! 8. A revoked key is handed to nobody who seals (`roster::tests::revoked_keys_are_not_handed_out`).
//! 9. m is at least 2 and at most n, unless the safe is a drill for ever
//!    (`tests/robust.rs`: `thresholds_keep_their_bounds`; `roster.json`: `m ..`, `a drill made of it`).
//! 10. m-1 people reach nothing, whatever else happens: approvals count once a person, never the
//!     requester's, only on both rosters, with a key live then and now, before any denial of the same person
//!     (`tests/decision/model.rs`, after every event; `decision.json`).
//! 11. A decision is about one request, byte for byte (`tests/decision/deciding.rs`).
//! 12. Nobody is set on a roster who is no approver any more, nor a key that died between filing and `roster.set` (`decision::named`:
//!     `who_is_no_approver_any_more_may_not_be_named`, `a_key_that_died_since_the_filing_may_not_be_named`; `roster.json`: `a named ..`).
//! 13. Nothing that comes in panics (`tests/robust.rs`).
//!
//! # Decisions
//! 2026-11-22: where the page leaves open whether something may repeat (`origins`, `windows`, `versions`,
//! `checkpoint_keys`), it may not. A ledger is written through this crate, so nothing that is entered is refused later; verifiers may be laxer.
//!
//! 2026-11-22: strict DER is checked here and not left to the library. Whether a signature is good must not
//! change with its version.
//!
//! 2026-11-22: a denial weighs for ever, also when its author's key is revoked or the author leaves the roster afterwards. To deny is safe; to
//! find out who may still be counted against a request would be one more rule to get wrong.

#[cfg(test)]
extern crate self as quorum;

pub mod assertion;
mod client_data;
pub mod decision;
pub mod entry;
pub mod evidence;
pub mod field;
pub mod hash;
pub mod ids;
pub mod json;
pub mod people;
pub mod roster;
pub mod secret;
pub mod statement;
#[cfg(test)]
#[path = "../tests/support/world.rs"]
mod world;

pub use hash::{Hash, labelled};
