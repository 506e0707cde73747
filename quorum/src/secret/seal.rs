//! Sealing one version: the only place where plaintext and both halves meet on a server.

use std::fmt;

use crate::ids::{AuthenticatorId, CredentialId, UserId};
use crate::roster::VerifiedRoster;
use crate::secret::envelope::{Envelope, EnvelopeError, Parts};
use crate::secret::header::Header;
use crate::secret::hpke_box::{self, BoxError};
use crate::secret::kept::{HalfH, HalfQ, Kept32, Plaintext};
use crate::secret::keys;
use crate::secret::random::{CryptoRng, NoRandomness, from_os};
use crate::secret::shamir;
use crate::secret::share::{self, ShareEnvelope};
use crate::statement::SealedAs;

/// The most bytes that one version holds: 1 MiB.
pub const MAX_PLAINTEXT: usize = 1 << 20;

/// Why nothing was sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealError {
    /// There is nothing to seal.
    Empty,
    /// More than [`MAX_PLAINTEXT`] bytes.
    TooLong {
        /// Bytes there are.
        len: usize,
    },
    /// The header would not be one: a name, a version or an epoch out of range.
    Header(EnvelopeError),
    /// An approver's share key is of small order. Enrolment proves keys, so this one was never proved.
    ShareKey {
        /// Whose key.
        approver: UserId,
        /// Which of theirs.
        authenticator: AuthenticatorId,
    },
    /// An approver has no key left to seal to: the roster has to change first.
    NoKey {
        /// Who has none.
        approver: UserId,
    },
    /// No randomness.
    Randomness,
    /// Shares that do not give `q` back, places out of order, a library that fails without reason: a
    /// bug or broken memory.
    Alarm,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "there is nothing to seal"),
            Self::TooLong { len } => write!(f, "{len} bytes; {MAX_PLAINTEXT} at most"),
            Self::Header(error) => error.fmt(f),
            Self::ShareKey {
                approver,
                authenticator,
            } => {
                write!(
                    f,
                    "the share key of {authenticator} of {approver} is of small order"
                )
            }
            Self::NoKey { approver } => write!(f, "{approver} has no key left to seal to"),
            Self::Randomness => NoRandomness.fmt(f),
            Self::Alarm => write!(f, "sealing failed its own proof"),
        }
    }
}

impl std::error::Error for SealError {}

impl From<NoRandomness> for SealError {
    fn from(_: NoRandomness) -> Self {
        Self::Randomness
    }
}

impl From<keys::Alarm> for SealError {
    fn from(_: keys::Alarm) -> Self {
        Self::Alarm
    }
}

/// What sealing gives. `h` is to be wrapped by a key of each token, and dropped.
pub struct Sealed {
    /// The envelope.
    pub envelope: Envelope,
    /// The half for the HSM.
    pub h: HalfH,
    /// Each approver's share, once for each of their rostered keys.
    pub shares: Vec<ShareEnvelope>,
}

/// One place of a roster: an approver and the keys to seal to.
pub(super) struct Place {
    pub(super) x: u8,
    pub(super) approver: UserId,
    pub(super) keys: Vec<(AuthenticatorId, [u8; 32])>,
}

/// What is drawn for one version.
pub(super) struct Drawn {
    pub(super) q: HalfQ,
    pub(super) h: HalfH,
    pub(super) nonce: [u8; 12],
}

/// Seals one version under a roster that was checked back to its founding. Takes the plaintext, so that
/// its owner has none left.
///
/// # Errors
/// [`SealError`]. Nothing was sealed then, and what was drawn is wiped.
pub fn seal(
    roster: &VerifiedRoster,
    credential: CredentialId,
    version: u64,
    sealed_as: SealedAs,
    plaintext: Plaintext,
) -> Result<Sealed, SealError> {
    let places: Vec<Place> = roster
        .approvers()
        .iter()
        .map(|approver| Place {
            x: approver.x,
            approver: approver.user,
            keys: approver
                .authenticators
                .iter()
                .map(|key| (key.authenticator, key.share_key))
                .collect(),
        })
        .collect();
    let header = Header {
        credential,
        epoch: roster.epoch(),
        ledger: roster.ledger(),
        m: roster.m().get(),
        n: roster.n(),
        roster: roster.leaf(),
        safe: roster.safe(),
        sealed_as,
        version,
    };
    from_os(|os| seal_for(&header, &places, &plaintext, os))
}

pub(super) fn seal_for(
    header: &Header,
    places: &[Place],
    plaintext: &Plaintext,
    rng: &mut impl CryptoRng,
) -> Result<Sealed, SealError> {
    if plaintext.is_empty() {
        return Err(SealError::Empty);
    }
    if plaintext.len() > MAX_PLAINTEXT {
        return Err(SealError::TooLong {
            len: plaintext.len(),
        });
    }
    if let Some(place) = places.iter().find(|place| place.keys.is_empty()) {
        return Err(SealError::NoKey {
            approver: place.approver,
        });
    }
    let mut half = || {
        Kept32::fill(|out| {
            rng.fill_bytes(out);
            Ok::<_, SealError>(())
        })
    };
    let (q, h) = (HalfQ(half()?), HalfH(half()?));
    let mut nonce = [0; 12];
    rng.fill_bytes(&mut nonce);
    seal_drawn(header, places, plaintext, Drawn { q, h, nonce }, rng)
}

/// The rest, given the halves: `rng` gives the coefficients, then each key's ephemeral key.
pub(super) fn seal_drawn(
    header: &Header,
    places: &[Place],
    plaintext: &Plaintext,
    drawn: Drawn,
    rng: &mut impl CryptoRng,
) -> Result<Sealed, SealError> {
    let Drawn { q, h, nonce } = drawn;
    let (m, n) = (header.m, header.n);
    if m == 0 || m > n || !places.iter().map(|place| place.x).eq(1..=n) {
        return Err(SealError::Alarm);
    }
    let ctx = header.ctx();
    let (key, key_commitment) = keys::derive(&q, &h, &ctx)?;
    let body = key.encrypt(&nonce, &ctx, plaintext)?;
    let shares = shamir::split(&q, m, n, &ctx, rng)?;
    shamir::prove(&q, m, &shares)?;
    let share_commitments = shares
        .iter()
        .map(|share| shamir::commitment(&ctx, share.x, &share.bytes))
        .collect();
    let parts = Parts {
        body,
        key_commitment,
        nonce,
        share_commitments,
    };
    let envelope = Envelope::assemble(header, &parts).map_err(SealError::Header)?;
    let mut sealed = Vec::with_capacity(places.len());
    let info = share::info(&ctx);
    for (place, share) in places.iter().zip(&shares) {
        let approver = place.approver;
        for (authenticator, to) in &place.keys {
            let authenticator = *authenticator;
            let aad = share::aad(approver, authenticator, place.x);
            let message =
                hpke_box::seal(to, &info, &aad, share.bytes.expose(), rng).map_err(|error| {
                    match error {
                        BoxError::Key => SealError::ShareKey {
                            approver,
                            authenticator,
                        },
                        BoxError::Randomness => SealError::Randomness,
                    }
                })?;
            sealed.push(ShareEnvelope {
                approver,
                authenticator,
                x: place.x,
                sealed: message,
            });
        }
    }
    Ok(Sealed {
        envelope,
        h,
        shares: sealed,
    })
}
