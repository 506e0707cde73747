//! Sealing and opening one version of one credential (FORMATS.md 7).
//!
//! A plaintext is encrypted under a key made of two halves. `q` is split among a roster's approvers,
//! each share sealed to each of their keys; `h` goes to the caller, who has it wrapped by the HSM and
//! keeps no copy. The [`Envelope`] is what everybody refers to by its hash; it never changes. Nothing
//! here reads a clock, a file or a socket; the one thing taken from outside is the operating
//! system's randomness.
//!
//! | step | whose machine | function |
//! |---|---|---|
//! | seal | server | [`seal`] |
//! | wrap `h` | server | [`custody_aad`] gives the AAD; the token does it |
//! | derive the share key, prove it | approver | [`ShareKey::from_prf`], [`enrol_box`] |
//! | open one's share, re-seal it to the requester | approver | [`open_share`], [`reseal_share`] |
//! | seal `h` to the requester | server | [`seal_h`] |
//! | check shares, open | requester | [`open_delivered_share`], [`open_delivered_h`], [`combine`] |
//!
//! Not trusted: whoever alters an envelope, a share envelope or a custody list can at most make opening
//! fail, with the culprit named where it is a share. Trusted: the code that seals sees the
//! plaintext and both halves, once.
//!
//! # Invariants
//! 1. Both halves and m shares open an envelope; without `h`, or with m-1 shares, nothing does
//!    (`tests::any_m_of_n_open_and_every_wrong_share_is_named`, `secret-open.json`).
//! 2. A wrong share is refused and its place named, before it is combined (same tests).
//! 3. A share, `h` or custody item serves one envelope only: every member of the header is bound
//!    (`tests::vectors`, all cases "of another header").
//! 4. A re-sealed share serves one approval and one delivery key (`secret-delivery.json`).
//! 5. The key commitment is compared before anything is decrypted (`secret-open.json`, `wrong_key`).
//! 6. What is sealed can be opened from every place: before the halves are wiped, n/m subsets (rounded
//!    up) that cover all places are combined and compared
//!    (`shamir::tests::a_share_off_the_polynomial_is_caught_at_every_place`).
//! 7. Coefficients are uniform, zero included: RUSTSEC-2024-0398
//!    (`shamir::tests::coefficients_are_uniform`).
//! 8. Secret types cannot be printed, cloned, serialised or compared with `==`
//!    (`kept::tests`, and the doc tests of [`HalfH`]).
//! 9. A generated password has at least 128 bits
//!    (`generate::tests::a_policy_below_128_bits_is_refused`).
//!
//! # Decisions
//! 2026-11-22: `blahaj` looks up products in tables indexed by secret bytes, so its time may depend on
//! the processor's cache. It runs once per sealing in the server, and once per opening in the
//! requester's own client; whoever can watch the cache of either can read more than that. Kept, pinned.
//!
//! 2026-11-22: a [`Share`] keeps the context of the envelope it was checked against, so re-sealing
//! cannot name another.

mod custody;
mod delivery;
pub mod enrol_box;
mod envelope;
pub mod generate;
mod header;
mod hpke_box;
mod kept;
mod keys;
mod open;
mod padding;
mod random;
mod seal;
mod shamir;
mod share;
#[cfg(test)]
mod tests;

pub use crate::statement::{SealedAs, SecretKind};
pub use custody::custody_aad;
pub use delivery::{DeliveryKey, open_delivered_h, open_delivered_share, reseal_share, seal_h};
pub use envelope::{Envelope, EnvelopeError};
pub use header::Header;
pub use hpke_box::BoxError;
pub use kept::{HalfH, HalfQ, Plaintext, PrfOutput, Share};
pub use open::{OpenError, combine, open, recover};
pub use padding::BadPadding;
pub use random::NoRandomness;
pub use seal::{MAX_PLAINTEXT, SealError, Sealed, seal};
pub use share::{ShareEnvelope, ShareKey, open_share, seal_to_own};
