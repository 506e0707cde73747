//! HPKE (RFC 9180), base mode, one suite: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
//! A message is enc (32 bytes) and ciphertext.

use std::fmt;

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable, single_shot_open,
    single_shot_seal_with_rng,
};
use zeroize::Zeroizing;

use crate::secret::kept::Kept32;
use crate::secret::random::{CryptoRng, NoRandomness};

type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

const ENC: usize = 32;

/// A message that carries 32 bytes: enc, ciphertext, tag.
pub(super) const SEALED_32: usize = ENC + 32 + 16;

/// Why nothing could be sealed to a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoxError {
    /// The X25519 key is of small order: whatever is sealed to it, anybody could open.
    Key,
    /// No randomness.
    Randomness,
}

impl fmt::Display for BoxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => write!(f, "the public key is of small order"),
            Self::Randomness => NoRandomness.fmt(f),
        }
    }
}

impl std::error::Error for BoxError {}

impl From<NoRandomness> for BoxError {
    fn from(_: NoRandomness) -> Self {
        Self::Randomness
    }
}

pub(super) fn seal(
    to: &[u8; 32],
    info: &[u8],
    aad: &[u8],
    content: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, BoxError> {
    let to = PublicKey::from_bytes(to).map_err(|_| BoxError::Key)?;
    let (enc, ciphertext) = single_shot_seal_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &to,
        info,
        content,
        aad,
        rng,
    )
    .map_err(|_| BoxError::Key)?;
    Ok([enc.to_bytes().as_slice(), ciphertext.as_slice()].concat())
}

/// `None`: another key, info or aad, or other bytes than were sealed. HPKE doesn't tell which.
pub(super) fn open(
    key: &Kept32,
    info: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (enc, ciphertext) = sealed.split_at_checked(ENC)?;
    let enc = EncappedKey::from_bytes(enc).ok()?;
    let key = PrivateKey::from_bytes(key.expose()).ok()?;
    single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &key,
        &enc,
        info,
        ciphertext,
        aad,
    )
    .ok()
    .map(Zeroizing::new)
}

/// [`open`] for content of exactly 32 bytes.
pub(super) fn open_32(key: &Kept32, info: &[u8], aad: &[u8], sealed: &[u8]) -> Option<Kept32> {
    if sealed.len() != SEALED_32 {
        return None;
    }
    Kept32::copy_of(&open(key, info, aad, sealed)?)
}

/// The public half of a raw X25519 private key.
pub(super) fn public(key: &Kept32) -> Option<[u8; 32]> {
    let key = PrivateKey::from_bytes(key.expose()).ok()?;
    Some(X25519HkdfSha256::sk_to_pk(&key).to_bytes().into())
}
