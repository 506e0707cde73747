//! A software key on disk, for the drill that comes after this one.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Inner, KeyError, Maker, Resident, SoftwareKey, Tweaks};

/// Signatures that a drill which was killed may have made after it kept its keys. A counter goes on from beyond them: one that
/// a service has seen already is a copied key's.
const UNTOLD: u32 = 10_000;

/// A key as a file has it. Trusted: whoever reads it is the key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptKey {
    pair: Zeroizing<String>,
    credential_id: String,
    verified: Zeroizing<String>,
    unverified: Zeroizing<String>,
    counter: u32,
    rp_id: String,
    user_handle: String,
}

fn bytes<const N: usize>(text: &str) -> Result<[u8; N], KeyError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| KeyError::Unreadable)?;
    bytes
        .as_slice()
        .try_into()
        .map_err(|_| KeyError::Unreadable)
}

impl SoftwareKey {
    /// Everything of this key, secrets and all.
    ///
    /// # Errors
    /// [`KeyError::NoCredential`]; [`KeyError::Crypto`].
    pub fn danger_kept(&self) -> Result<KeptKey, KeyError> {
        let resident = self.resident.as_ref().ok_or(KeyError::NoCredential)?;
        let pair = self.inner.pair.to_pkcs8v1().map_err(|_| KeyError::Crypto)?;
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        Ok(KeptKey {
            pair: Zeroizing::new(text(pair.as_ref())),
            credential_id: text(&self.inner.credential_id),
            verified: Zeroizing::new(text(self.inner.verified.as_slice())),
            unverified: Zeroizing::new(text(self.inner.unverified.as_slice())),
            counter: self.counter(),
            rp_id: resident.rp_id.clone(),
            user_handle: text(&resident.user_handle),
        })
    }

    /// The key again. `maker` is asked for nothing: it attested when the key was enrolled.
    ///
    /// # Errors
    /// [`KeyError::Unreadable`].
    pub fn danger_from_kept(kept: &KeptKey, maker: &Maker) -> Result<Self, KeyError> {
        let pair = URL_SAFE_NO_PAD
            .decode(kept.pair.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| KeyError::Unreadable)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pair)
            .map_err(|_| KeyError::Unreadable)?;
        let user_handle = URL_SAFE_NO_PAD.decode(&kept.user_handle);
        Ok(Self {
            maker: maker.clone(),
            inner: Arc::new(Inner {
                pair,
                credential_id: bytes(&kept.credential_id)?,
                verified: Zeroizing::new(bytes(&kept.verified)?),
                unverified: Zeroizing::new(bytes(&kept.unverified)?),
            }),
            counter: AtomicU32::new(kept.counter.saturating_add(UNTOLD)),
            resident: Some(Resident {
                rp_id: kept.rp_id.clone(),
                user_handle: user_handle.map_err(|_| KeyError::Unreadable)?,
            }),
            tweaks: Tweaks::default(),
        })
    }
}
