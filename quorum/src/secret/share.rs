//! The approver's side: the key that the PRF gives, and the share sealed to it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::hash::Hash;
use crate::ids::{AuthenticatorId, UserId};
use crate::json::{self, Object, Value};
use crate::secret::envelope::Envelope;
use crate::secret::hpke_box::{self, BoxError};
use crate::secret::kept::{Kept32, PrfOutput, Share};
use crate::secret::keys::hkdf;
use crate::secret::open::OpenError;
use crate::secret::random::from_os;
use crate::secret::shamir;

/// An approver's X25519 private key, derived anew from the PRF at every touch and kept nowhere.
pub struct ShareKey(pub(super) Kept32);

impl ShareKey {
    /// Derives the share key (FORMATS.md 7, PRF): the credential id is the authenticator's, 1 to 1023 bytes.
    ///
    /// # Errors
    /// [`OpenError::Alarm`] if the cryptographic library fails.
    pub fn from_prf(
        prf: &PrfOutput,
        credential_id: &[u8],
        ledger: &Hash,
        user: UserId,
    ) -> Result<Self, OpenError> {
        let whose = json::encode(&Value::Obj(Object::from([
            (
                "credential_id".to_owned(),
                Value::Str(URL_SAFE_NO_PAD.encode(credential_id)),
            ),
            ("ledger".to_owned(), Value::Str(ledger.to_string())),
            ("user".to_owned(), Value::Str(user.to_string())),
        ])));
        let key =
            Kept32::fill(|out| hkdf(prf.0.expose(), &[b"vitrine/share-key/v1\n", &whose], out));
        key.map(Self).map_err(|_| OpenError::Alarm)
    }

    /// The public half: what an `enrol` statement calls `share_key`.
    ///
    /// # Errors
    /// [`OpenError::Alarm`] if the cryptographic library fails.
    pub fn public(&self) -> Result<[u8; 32], OpenError> {
        hpke_box::public(&self.0).ok_or(OpenError::Alarm)
    }
}

/// One approver's share, sealed to one of their keys. Lies beside the envelope; can be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareEnvelope {
    /// Whose share.
    pub approver: UserId,
    /// To which of their keys.
    pub authenticator: AuthenticatorId,
    /// Their place in the roster, from 1.
    pub x: u8,
    /// The HPKE message: 80 bytes.
    pub sealed: Vec<u8>,
}

pub(super) fn info(ctx: &Hash) -> Vec<u8> {
    [b"vitrine/share-envelope/v1\n", ctx.as_bytes().as_slice()].concat()
}

pub(super) fn aad(approver: UserId, authenticator: AuthenticatorId, x: u8) -> Vec<u8> {
    json::encode(&Value::Obj(Object::from([
        ("approver".to_owned(), Value::Str(approver.to_string())),
        (
            "authenticator".to_owned(),
            Value::Str(authenticator.to_string()),
        ),
        ("x".to_owned(), Value::Int(x.into())),
    ])))
}

/// Opens one's share of this envelope, and checks that it is the one committed to.
///
/// # Errors
/// [`OpenError::NoSuchPlace`], [`OpenError::NotForThisKey`], [`OpenError::WrongShare`].
pub fn open_share(
    sealed: &ShareEnvelope,
    key: &ShareKey,
    envelope: &Envelope,
) -> Result<Share, OpenError> {
    let x = sealed.x;
    envelope
        .share_commitment(x)
        .ok_or(OpenError::NoSuchPlace { x })?;
    let aad = aad(sealed.approver, sealed.authenticator, x);
    let bytes = hpke_box::open_32(&key.0, &info(envelope.ctx()), &aad, &sealed.sealed)
        .ok_or(OpenError::NotForThisKey)?;
    checked(envelope, x, bytes)
}

/// Seals one's opened share to a further key of one's own, with both keys in hand.
///
/// # Errors
/// [`BoxError`].
pub fn seal_to_own(
    share: &Share,
    approver: UserId,
    authenticator: AuthenticatorId,
    share_key: &[u8; 32],
) -> Result<ShareEnvelope, BoxError> {
    let aad = aad(approver, authenticator, share.x);
    let sealed =
        from_os(|os| hpke_box::seal(share_key, &info(&share.ctx), &aad, share.bytes.expose(), os))?;
    Ok(ShareEnvelope {
        approver,
        authenticator,
        x: share.x,
        sealed,
    })
}

/// The share, if it is the one that `envelope` commits to at place `x`.
pub(super) fn checked(envelope: &Envelope, x: u8, bytes: Kept32) -> Result<Share, OpenError> {
    let committed = envelope
        .share_commitment(x)
        .ok_or(OpenError::NoSuchPlace { x })?;
    if !shamir::is_committed(envelope.ctx(), x, &bytes, committed) {
        return Err(OpenError::WrongShare { x });
    }
    Ok(Share {
        x,
        ctx: *envelope.ctx(),
        bytes,
    })
}
