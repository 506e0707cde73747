//! WebAuthn assertions: every rule of "An assertion is valid" (FORMATS.md 4) that can be judged from the
//! bytes. Whether the key is the signer's and live is judged where the keys are known ([`crate::roster`]).

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::client_data::{self, Scalar};
use crate::field::{Raw, members};
use crate::hash::sha256;
use crate::statement::Challenge;

members! {
    /// What an authenticator and its browser gave back: raw bytes as they came.
    Assertion {
        /// What the authenticator says of itself (WebAuthn 2, section 6.1).
        authenticator_data: Vec<u8> as Raw,
        /// What the browser says it asked (WebAuthn 2, section 5.8.1).
        client_data_json: Vec<u8> as Raw,
        /// ES256, DER. Never used as an id: the same statement has many.
        signature: Vec<u8> as Raw,
    }
}

/// Who asks for touches: fixed at the founding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    /// The relying party id, a domain.
    pub rp_id: String,
    /// The origins that pages may have.
    pub origins: Vec<String>,
}

/// A P-256 key: an uncompressed SEC1 point of 65 bytes that lies on the curve.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 65]);

impl PublicKey {
    /// From an uncompressed SEC1 point.
    ///
    /// # Errors
    /// Another form, or a point that is not on the curve.
    pub fn from_sec1(point: [u8; 65]) -> Result<Self, AssertionError> {
        if point.first() != Some(&4) {
            return Err(AssertionError::Key);
        }
        ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).map_err(|_| AssertionError::Key)?;
        Ok(Self(point))
    }

    /// The 65 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 65] {
        &self.0
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// A rule that an assertion breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssertionError {
    /// The public key is no uncompressed point on P-256.
    Key,
    /// `client_data_json` is not one UTF-8 JSON object without repeated members.
    ClientData,
    /// `type` is not `webauthn.get`.
    Type,
    /// `challenge` is not the unpadded base64url of the digest.
    Challenge,
    /// `origin` is not byte-equal to a founded origin.
    Origin,
    /// `crossOrigin` is neither absent nor false.
    CrossOrigin,
    /// There is a `topOrigin`.
    TopOrigin,
    /// `authenticator_data` has fewer than 37 bytes.
    AuthenticatorData,
    /// `authenticator_data` does not begin with SHA-256(`rp_id`).
    RpId,
    /// Nobody was there (UP).
    UserPresent,
    /// Nobody was verified (UV).
    UserVerified,
    /// The key can be, or is, copied (BE, BS).
    BackedUp,
    /// The signature is no strict DER of two positive integers.
    Der,
    /// The signature does not verify under the key.
    Signature,
}

impl AssertionError {
    /// The error's name in the test vectors.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::ClientData => "client_data",
            Self::Type => "type",
            Self::Challenge => "challenge",
            Self::Origin => "origin",
            Self::CrossOrigin => "cross_origin",
            Self::TopOrigin => "top_origin",
            Self::AuthenticatorData => "authenticator_data",
            Self::RpId => "rp_id",
            Self::UserPresent => "user_present",
            Self::UserVerified => "user_verified",
            Self::BackedUp => "backed_up",
            Self::Der => "der",
            Self::Signature => "signature",
        }
    }
}

impl fmt::Display for AssertionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "the public key is no uncompressed point on P-256",
            Self::ClientData => "the client data is not one JSON object without repeated members",
            Self::Type => "the client data's `type` is not `webauthn.get`",
            Self::Challenge => "the challenge signed is not this statement's",
            Self::Origin => "the origin is not a founded one",
            Self::CrossOrigin => "the touch was asked for across origins",
            Self::TopOrigin => "the touch was asked for in a frame of another origin",
            Self::AuthenticatorData => "the authenticator data is too short",
            Self::RpId => "the authenticator answered another relying party",
            Self::UserPresent => "nobody touched the key",
            Self::UserVerified => "the key did not verify its user",
            Self::BackedUp => "the key can be copied",
            Self::Der => "the signature is not strict DER",
            Self::Signature => "the signature does not verify",
        })
    }
}

impl std::error::Error for AssertionError {}

/// What a valid assertion leaves to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The key's signature counter; two zeros in a row are fine, else it has to grow.
    pub counter: u32,
}

/// Checks an assertion over one challenge by one key.
///
/// # Errors
/// The first rule that it breaks, in the order of FORMATS.md 4.
pub fn verify(
    rp: &RelyingParty,
    key: &PublicKey,
    challenge: &Challenge,
    assertion: &Assertion,
) -> Result<Verified, AssertionError> {
    check_client_data(rp, challenge, &assertion.client_data_json)?;
    let counter = check_authenticator_data(rp, &assertion.authenticator_data)?;
    if !is_strict_der(&assertion.signature) {
        return Err(AssertionError::Der);
    }
    let mut signed = assertion.authenticator_data.clone();
    signed.extend_from_slice(&sha256(&assertion.client_data_json));
    ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.0)
        .map_err(|_| AssertionError::Key)?
        .verify_sig(&signed, &assertion.signature)
        .map_err(|_| AssertionError::Signature)?;
    Ok(Verified { counter })
}

fn check_client_data(
    rp: &RelyingParty,
    challenge: &Challenge,
    bytes: &[u8],
) -> Result<(), AssertionError> {
    let data = client_data::read(bytes).map_err(|_| AssertionError::ClientData)?;
    let is = |value: &Option<Scalar>, want: &str| matches!(value, Some(Scalar::Text(text)) if text == want);
    if !is(&data.kind, "webauthn.get") {
        return Err(AssertionError::Type);
    }
    if !is(&data.challenge, &URL_SAFE_NO_PAD.encode(challenge.0)) {
        return Err(AssertionError::Challenge);
    }
    if !rp.origins.iter().any(|origin| is(&data.origin, origin)) {
        return Err(AssertionError::Origin);
    }
    if !matches!(data.cross_origin, None | Some(Scalar::False)) {
        return Err(AssertionError::CrossOrigin);
    }
    if data.top_origin {
        return Err(AssertionError::TopOrigin);
    }
    Ok(())
}

const USER_PRESENT: u8 = 1 << 0;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKUP_STATE: u8 = 1 << 4;

/// RP id hash (32 bytes), flags (1), counter (4, big-endian), then extensions that nobody reads here.
fn check_authenticator_data(rp: &RelyingParty, bytes: &[u8]) -> Result<u32, AssertionError> {
    let (rp_id_hash, rest) = bytes
        .split_first_chunk::<32>()
        .ok_or(AssertionError::AuthenticatorData)?;
    let (&[flags, c0, c1, c2, c3], _) = rest
        .split_first_chunk::<5>()
        .ok_or(AssertionError::AuthenticatorData)?;
    if *rp_id_hash != sha256(rp.rp_id.as_bytes()) {
        return Err(AssertionError::RpId);
    }
    if flags & USER_PRESENT == 0 {
        return Err(AssertionError::UserPresent);
    }
    if flags & USER_VERIFIED == 0 {
        return Err(AssertionError::UserVerified);
    }
    if flags & (BACKUP_ELIGIBLE | BACKUP_STATE) != 0 {
        return Err(AssertionError::BackedUp);
    }
    Ok(u32::from_be_bytes([c0, c1, c2, c3]))
}

/// Whether the bytes are exactly `SEQUENCE { INTEGER r, INTEGER s }` in DER (X.690, sections 8.3, 10.1) with
/// positive integers of at most 32 bytes. Checked here and not left to the library, so that what counts
/// as one signature does not change with it.
fn is_strict_der(bytes: &[u8]) -> bool {
    // Two integers of at most 33 bytes each: every length is one byte below 0x80.
    let [0x30, length, body @ ..] = bytes else {
        return false;
    };
    if *length >= 0x80 || usize::from(*length) != body.len() {
        return false;
    }
    take_integer(body)
        .and_then(take_integer)
        .is_some_and(<[u8]>::is_empty)
}

/// What follows a positive, minimal integer that fits 32 bytes.
fn take_integer(bytes: &[u8]) -> Option<&[u8]> {
    let [0x02, length, rest @ ..] = bytes else {
        return None;
    };
    if *length >= 0x80 {
        return None;
    }
    let (integer, rest) = rest.split_at_checked(usize::from(*length))?;
    let magnitude = match integer {
        [0, tail @ ..] if tail.first().is_some_and(|top| *top >= 0x80) => tail,
        [top, ..] if *top < 0x80 && *top != 0 => integer,
        _ => return None,
    };
    (magnitude.len() <= 32).then_some(rest)
}
