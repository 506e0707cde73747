//! From m shares and `h` to the plaintext.

use std::fmt;

use subtle::ConstantTimeEq;

use crate::secret::envelope::Envelope;
use crate::secret::kept::{HalfH, HalfQ, Plaintext, Share};
use crate::secret::keys::{self, DecryptError};
use crate::secret::shamir;

/// Why something sealed was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The envelope has no place `x`.
    NoSuchPlace {
        /// The place asked for.
        x: u8,
    },
    /// HPKE refuses: another key, context, place, label, or other bytes than were sealed.
    NotForThisKey,
    /// The share of place `x` is not the one that the envelope commits to.
    WrongShare {
        /// Whose share it is.
        x: u8,
    },
    /// Two shares of place `x`.
    RepeatedShare {
        /// The place that comes twice.
        x: u8,
    },
    /// Fewer shares than needed.
    TooFewShares {
        /// Shares there are.
        have: usize,
        /// Shares needed, m.
        need: u8,
    },
    /// Shares and `h` come to a key that the envelope does not commit to: `h` is of another version, or
    /// the sealer lied. Nothing was decrypted.
    WrongKey,
    /// The body was not encrypted under the committed key, nonce and header.
    WrongBody,
    /// The body holds no padded content: the sealer lied.
    BadPadding,
    /// The cryptographic library failed where it has no reason to: a bug or broken memory.
    Alarm,
}

impl OpenError {
    /// The error's name in the test vectors.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoSuchPlace { .. } => "no_such_place",
            Self::NotForThisKey => "not_for_this_key",
            Self::WrongShare { .. } => "wrong_share",
            Self::RepeatedShare { .. } => "repeated_share",
            Self::TooFewShares { .. } => "too_few_shares",
            Self::WrongKey => "wrong_key",
            Self::WrongBody => "wrong_body",
            Self::BadPadding => "bad_padding",
            Self::Alarm => "alarm",
        }
    }

    /// The place that is to blame, if one is.
    #[must_use]
    pub const fn place(self) -> Option<u8> {
        match self {
            Self::NoSuchPlace { x } | Self::WrongShare { x } | Self::RepeatedShare { x } => Some(x),
            _ => None,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchPlace { x } => write!(f, "the envelope has no place {x}"),
            Self::NotForThisKey => write!(f, "not sealed to this key for this purpose"),
            Self::WrongShare { x } => {
                write!(
                    f,
                    "the share of place {x} is not the one the envelope commits to"
                )
            }
            Self::RepeatedShare { x } => write!(f, "two shares of place {x}"),
            Self::TooFewShares { have, need } => write!(f, "{have} shares of {need} needed"),
            Self::WrongKey => write!(f, "the key is not the one the envelope commits to"),
            Self::WrongBody => write!(f, "the body was not encrypted under the committed key"),
            Self::BadPadding => write!(f, "the body's padding is malformed"),
            Self::Alarm => write!(f, "the cryptographic library failed without reason"),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<keys::Alarm> for OpenError {
    fn from(_: keys::Alarm) -> Self {
        Self::Alarm
    }
}

impl From<DecryptError> for OpenError {
    fn from(error: DecryptError) -> Self {
        match error {
            DecryptError::Body => Self::WrongBody,
            DecryptError::Padding(_) => Self::BadPadding,
            DecryptError::Alarm(_) => Self::Alarm,
        }
    }
}

/// Opens an envelope: [`recover`], then [`open`].
///
/// # Errors
/// As theirs. The first share in the order given that is wrong is named.
pub fn combine(envelope: &Envelope, shares: &[Share], h: &HalfH) -> Result<Plaintext, OpenError> {
    open(envelope, &recover(envelope, shares)?, h)
}

/// `q` of m shares or more; each is checked against its commitment, then the first m by place are combined.
///
/// # Errors
/// [`OpenError::NoSuchPlace`], [`OpenError::RepeatedShare`], [`OpenError::WrongShare`], in the order of
/// the shares; then [`OpenError::TooFewShares`].
pub fn recover(envelope: &Envelope, shares: &[Share]) -> Result<HalfQ, OpenError> {
    let mut places: Vec<&Share> = Vec::with_capacity(shares.len());
    for share in shares {
        let x = share.x;
        let committed = envelope
            .share_commitment(x)
            .ok_or(OpenError::NoSuchPlace { x })?;
        if places.iter().any(|other| other.x == x) {
            return Err(OpenError::RepeatedShare { x });
        }
        // Checked again, though opening did: a share of another envelope must not get in here.
        if !shamir::is_committed(envelope.ctx(), x, &share.bytes, committed) {
            return Err(OpenError::WrongShare { x });
        }
        places.push(share);
    }
    let need = envelope.header().m;
    if places.len() < usize::from(need) {
        return Err(OpenError::TooFewShares {
            have: places.len(),
            need,
        });
    }
    places.sort_by_key(|share| share.x);
    places.truncate(need.into());
    Ok(shamir::combine(need, &places)?)
}

/// Makes the key of both halves, compares it with the commitment, and only then decrypts.
///
/// # Errors
/// [`OpenError::WrongKey`], [`OpenError::WrongBody`], [`OpenError::BadPadding`].
pub fn open(envelope: &Envelope, q: &HalfQ, h: &HalfH) -> Result<Plaintext, OpenError> {
    let (key, commitment) = keys::derive(q, h, envelope.ctx())?;
    if !bool::from(commitment.0.ct_eq(&envelope.key_commitment().0)) {
        return Err(OpenError::WrongKey);
    }
    let parts = envelope.parts();
    Ok(key.decrypt(&parts.nonce, envelope.ctx(), &parts.body)?)
}
