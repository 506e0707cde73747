//! Custody of keys in PKCS#11 tokens: tokens kept open, keys made and used inside them, honest answers.
//!
//! This crate knows no secret's meaning. It wraps short byte strings (the halves `h` of sealed secrets, logins of
//! connectors), signs checkpoints, and says how each token is. It has no edge to another crate of the house, and
//! no runtime: calls block, for their deadline at most, or are begun and waited for as a future ([`Call`]), whose
//! caller keeps the deadline.
//!
//! ```text
//! Token            what can be asked (token.rs)
//!   queue ------>  workers (seat.rs): a thread and a session each; open again, try once more, never twice
//!                  what must not be
//!   supervisor     (supervisor.rs) logs in, checks the keys (table.rs, attributes.rs), watches, repairs
//!   module         (module.rs) one per process and path: C_Initialize is the process's, so tokens share it
//! softhsm          makes tokens in a directory, for a first start, tests and the demo
//! ```
//!
//! # Formats
//!
//! - A key's name is a UUID; in the token it is the 16 bytes of `CKA_ID`. Objects with another id are none of ours.
//! - Wrapped: `IV (12) || ciphertext || tag (16)`, `CKM_AES_GCM` (NIST SP 800-38D), associated data never empty.
//! - Signature: Ed25519 (RFC 8032), 64 bytes; public key 32 bytes. Domains are separated in the message.
//!
//! # Who is trusted
//!
//! The token and its module: trusted, they see what is wrapped and hold the keys. The PIN: whoever has it can ask
//! the token for everything its keys can do, but take none of them away; no quorum's share lies behind it. The
//! queue, the threads and this memory: trusted for what passes through while it does; secrets are wiped after use.
//!
//! # Invariants
//!
//! 1. Keys are made inside, and can do one thing: `keys_are_made_inside_and_listed` (contract.rs).
//! 2. A key that can be or ever could be extracted or read, was made elsewhere, can be changed, has a right too
//!    many or a mechanism too many, exists twice, or has not its own public half, is refused by name at every
//!    opening; the others go on: `bad_keys_are_refused_by_name`, `key_planted_while_running_is_refused` (refused.rs).
//! 3. A key that was exchanged under its id while this process lives is refused: `key_exchanged_under_its_id_is_refused`.
//! 4. What was wrapped opens with the same key and associated data, and with nothing else:
//!    `wrapped_bytes_open_again`, `what_was_altered_or_swapped_is_tampered` (contract.rs).
//! 5. [`HsmError::Tampered`] and [`HsmError::Down`] are never confused, whatever the module calls them:
//!    `tampered_and_down_are_told_apart_by_the_canary`, `device_removed_is_down_and_recovers` (faults.rs).
//! 6. A PIN is tried once; then only by hand: `wrong_pin_is_asked_once` (faults.rs),
//!    `wrong_pin_sticks_until_reopened_by_hand` (softhsm.rs).
//! 7. A lost session, login, token or module is opened again and the keys found again, unseen by the caller when it
//!    is quick: `lost_session_is_opened_again_unseen`, `keys_are_found_again_after_somebody_logged_out` (faults.rs),
//!    `keys_are_found_again_after_a_new_login` (contract.rs).
//! 8. A token that is gone fails fast, comes back by itself, and costs the module's other tokens nothing but a
//!    moment: `token_taken_away_is_down_and_comes_back`, `token_absent_at_the_start_is_down_and_comes`,
//!    `pin_file_or_module_absent_at_the_start_is_waited_for` (softhsm.rs),
//!    `breaker_asks_ever_less_often` (faults.rs).
//! 9. No call outlives its deadline, the queue has a bound, and a hung module holds up nobody for ever:
//!    `deadline_holds_on_a_busy_pool`, `hung_call_holds_up_nobody_for_ever`, `dropping_a_token_with_a_hung_call_returns`.
//! 10. The module is never finalised under a running call: `initialising_again_waits_for_running_calls` (faults.rs).
//! 11. What makes a key is never repeated: `key_generation_is_never_repeated` (faults.rs).
//! 12. The IV that is kept is the one that was used: `iv_is_the_one_that_was_used` (faults.rs).
//! 13. Making soft tokens is safe at every start and after every crash, and never touches a token whose PIN is
//!     lost: `provision_makes_private_tokens_once`, `provision_goes_on_after_a_crash`,
//!     `token_whose_pin_is_lost_is_left_alone` (softhsm.rs).
//! 14. A call that was begun ends with the same answer, and with an error where the token goes:
//!     `a_call_that_was_begun_ends_with_the_same_answer` (contract.rs).
//!
//! The suites contract.rs and refused.rs run against any module: `VITRINE_TEST_P11_MODULE` (path),
//! `VITRINE_TEST_P11_TOKEN` (label), `VITRINE_TEST_P11_PIN_FILE` (0600). Without them: SoftHSM.
//!
//! # Decisions
//!
//! 2026-11-22. `C_Encrypt`, not `C_WrapKey`: modules disagree about key wrapping and one loses lengths; with an
//! unwrap right whoever is logged in gets the inner key in clear.
//!
//! 2026-11-22. A decryption is called tampered only when a fresh session opens the canary *and* refuses the bytes
//! a second time: a hiccup of the device must not raise an alarm that people learn to ignore.
//!
//! 2026-11-22. Opening succeeds for a token that is absent or refuses its PIN: a service with one dead custody
//! token must start, amber. So it does for one whose PIN file or module is missing: both are tried again.
//!
//! 2026-11-22. A session handle of an older initialisation is forgotten, not closed: a module may have dealt its
//! number to another token's session.
//!
//! 2026-11-29. Calls can be begun, so that who serves many waits without a thread for each: on a small machine the two
//! hand-overs cost more than the token's own work.
mod attributes;
mod call;
mod error;
mod keys;
mod module;
mod ops;
mod pool;
mod seat;
mod secret;
pub mod softhsm;
mod spec;
mod supervisor;
mod table;
mod token;

pub use call::Call;
pub use error::{HsmError, OpenError};
pub use keys::{Key, KeyFault, KeyId, KeyKind, NotAKeyId};
pub use secret::{Pin, PinError, PinSource, Random, Unwrapped};
pub use spec::{Health, Select, State, TokenSpec};
pub use token::{LONGEST, Token};
