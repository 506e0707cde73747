//! From approvers and the server to the requester: shares and `h`, each re-sealed to the delivery key.

use crate::hash::Hash;
use crate::secret::envelope::Envelope;
use crate::secret::hpke_box::{self, BoxError};
use crate::secret::kept::{HalfH, Kept32, Share};
use crate::secret::open::OpenError;
use crate::secret::random::{CryptoRng, Rng, from_os};
use crate::secret::share;
use crate::statement::Challenge;

/// The requester's X25519 private key of one request. Lives in the requester's client alone.
pub struct DeliveryKey(Kept32);

impl DeliveryKey {
    /// A fresh one.
    ///
    /// # Errors
    /// [`BoxError::Randomness`].
    pub fn generate() -> Result<Self, BoxError> {
        from_os(|os| {
            Kept32::fill(|out| {
                os.fill_bytes(out);
                Ok(())
            })
            .map(Self)
        })
    }

    /// From the file in which a terminal kept it: 32 bytes, else `None`. The source stays its owner's to wipe.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Option<Self> {
        Kept32::copy_of(bytes).map(Self)
    }

    /// The raw private key, for the file that a terminal keeps it in.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// The public half: `delivery_key` of the request.
    ///
    /// # Errors
    /// [`OpenError::Alarm`] if the cryptographic library fails.
    pub fn public(&self) -> Result<[u8; 32], OpenError> {
        hpke_box::public(&self.0).ok_or(OpenError::Alarm)
    }
}

fn share_info(challenge: &Challenge) -> Vec<u8> {
    [b"vitrine/release-share/v1\n", challenge.0.as_slice()].concat()
}

fn share_aad(ctx: &Hash, x: u8) -> Vec<u8> {
    [ctx.as_bytes().as_slice(), &[x]].concat()
}

fn h_info(leaf: &Hash) -> Vec<u8> {
    [b"vitrine/release-h/v1\n", leaf.as_bytes().as_slice()].concat()
}

/// Re-seals one's share to the requester, for this approval alone: `challenge` is the hash that the
/// approver's authenticator signed.
///
/// # Errors
/// [`BoxError`].
pub fn reseal_share(
    share: &Share,
    delivery_key: &[u8; 32],
    challenge: &Challenge,
) -> Result<Vec<u8>, BoxError> {
    from_os(|os| reseal_share_with(share, delivery_key, challenge, os))
}

pub(super) fn reseal_share_with(
    share: &Share,
    delivery_key: &[u8; 32],
    challenge: &Challenge,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, BoxError> {
    let aad = share_aad(&share.ctx, share.x);
    hpke_box::seal(
        delivery_key,
        &share_info(challenge),
        &aad,
        share.bytes.expose(),
        rng,
    )
}

/// Seals `h` to the requester, for this opening alone: `leaf` is that of its `release.opened`.
///
/// # Errors
/// [`BoxError`].
pub fn seal_h(
    h: &HalfH,
    delivery_key: &[u8; 32],
    leaf: &Hash,
    envelope: &Envelope,
) -> Result<Vec<u8>, BoxError> {
    from_os(|os| seal_h_with(h, delivery_key, leaf, envelope, os))
}

pub(super) fn seal_h_with(
    h: &HalfH,
    delivery_key: &[u8; 32],
    leaf: &Hash,
    envelope: &Envelope,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, BoxError> {
    let aad = envelope.ctx().as_bytes();
    hpke_box::seal(delivery_key, &h_info(leaf), aad, h.0.expose(), rng)
}

/// Opens the share that the approver of place `x` re-sealed, and checks that it is the one committed to.
/// `challenge` is that of their approval statement, which the requester computes from its bytes.
///
/// # Errors
/// [`OpenError::NoSuchPlace`], [`OpenError::NotForThisKey`], [`OpenError::WrongShare`].
pub fn open_delivered_share(
    sealed: &[u8],
    x: u8,
    key: &DeliveryKey,
    challenge: &Challenge,
    envelope: &Envelope,
) -> Result<Share, OpenError> {
    envelope
        .share_commitment(x)
        .ok_or(OpenError::NoSuchPlace { x })?;
    let aad = share_aad(envelope.ctx(), x);
    let bytes = hpke_box::open_32(&key.0, &share_info(challenge), &aad, sealed)
        .ok_or(OpenError::NotForThisKey)?;
    share::checked(envelope, x, bytes)
}

/// Opens `h` as sealed after the `release.opened` with this leaf.
///
/// # Errors
/// [`OpenError::NotForThisKey`].
pub fn open_delivered_h(
    sealed: &[u8],
    key: &DeliveryKey,
    leaf: &Hash,
    envelope: &Envelope,
) -> Result<HalfH, OpenError> {
    let aad = envelope.ctx().as_bytes();
    hpke_box::open_32(&key.0, &h_info(leaf), aad, sealed)
        .map(HalfH)
        .ok_or(OpenError::NotForThisKey)
}
