//! From both halves to the key and its commitment; the body.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

use crate::hash::Hash;
use crate::secret::envelope::TAG;
use crate::secret::kept::{HalfH, HalfQ, Kept32, Plaintext};
use crate::secret::padding::{self, BadPadding};

/// The cryptographic library failed where it has no reason to: a bug or broken memory.
pub(super) struct Alarm;

struct Len32;

impl KeyType for Len32 {
    fn len(&self) -> usize {
        32
    }
}

/// HKDF-SHA256 with an empty salt (RFC 5869), 32 bytes into `out`.
pub(super) fn hkdf(ikm: &[u8], info: &[&[u8]], out: &mut [u8; 32]) -> Result<(), Alarm> {
    let prk = Salt::new(HKDF_SHA256, b"").extract(ikm);
    prk.expand(info, Len32)
        .and_then(|okm| okm.fill(out))
        .map_err(|_| Alarm)
}

/// `k`: encrypts one body or decrypts one, and is gone.
pub(super) struct OnceKey(Kept32);

/// `k` and the key commitment, from one extraction.
pub(super) fn derive(q: &HalfQ, h: &HalfH, ctx: &Hash) -> Result<(OnceKey, Hash), Alarm> {
    let mut halves = Zeroizing::new([0; 64]);
    let (left, right) = halves.split_at_mut(32);
    left.copy_from_slice(q.0.expose());
    right.copy_from_slice(h.0.expose());
    let key = Kept32::fill(|out| {
        hkdf(
            halves.as_ref(),
            &[b"vitrine/secret-key/v1\n", ctx.as_bytes()],
            out,
        )
    })?;
    let mut commitment = Hash([0; 32]);
    hkdf(
        halves.as_ref(),
        &[b"vitrine/key-commitment/v1\n", ctx.as_bytes()],
        &mut commitment.0,
    )?;
    Ok((OnceKey(key), commitment))
}

impl OnceKey {
    fn cipher(&self) -> Result<LessSafeKey, Alarm> {
        UnboundKey::new(&AES_256_GCM, self.0.expose())
            .map(LessSafeKey::new)
            .map_err(|_| Alarm)
    }

    /// Pads and encrypts.
    pub(super) fn encrypt(
        self,
        nonce: &[u8; 12],
        ctx: &Hash,
        plaintext: &Plaintext,
    ) -> Result<Vec<u8>, Alarm> {
        let mut body = padding::pad(plaintext.expose(), TAG);
        // `self` is consumed: no second body can meet the same key and nonce.
        let nonce = Nonce::assume_unique_for_key(*nonce);
        self.cipher()?
            .seal_in_place_append_tag(nonce, Aad::from(ctx.as_bytes()), &mut *body)
            .map_err(|_| Alarm)?;
        Ok(std::mem::take(&mut *body))
    }

    /// Decrypts and removes the padding.
    pub(super) fn decrypt(
        self,
        nonce: &[u8; 12],
        ctx: &Hash,
        body: &[u8],
    ) -> Result<Plaintext, DecryptError> {
        let mut buffer = Zeroizing::new(body.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let padded = self
            .cipher()?
            .open_in_place(nonce, Aad::from(ctx.as_bytes()), &mut buffer)
            .map_err(|_| DecryptError::Body)?;
        let content = padding::unpad(padded)?;
        Ok(Plaintext::new(content.to_vec()))
    }

    #[cfg(test)]
    pub(super) fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

pub(super) enum DecryptError {
    Body,
    Padding(BadPadding),
    Alarm(Alarm),
}

impl From<BadPadding> for DecryptError {
    fn from(error: BadPadding) -> Self {
        Self::Padding(error)
    }
}

impl From<Alarm> for DecryptError {
    fn from(error: Alarm) -> Self {
        Self::Alarm(error)
    }
}
