//! A FIDO2 key in software: what a browser and a security key do together, without either.
//!
//! It makes resident credentials with an attestation of its own [`Maker`], verifies its user, counts, and has
//! the PRF (hmac-secret) of CTAP 2.1. Honest by default; [`Tweaks`] makes it lie about one thing at a time, for
//! tests of who notices.
//!
//! Trusted by nobody: a service takes it for a *software* key unless its trust list names the maker. It holds
//! its private key and PRF secrets in memory, and they end with it, unless somebody asks for them by
//! [`SoftwareKey::danger_kept`].

mod cbor;
mod kept;
mod maker;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ciborium::Value;
use quorum::assertion::Assertion;
use quorum::entry::Registration;
use quorum::secret::PrfOutput;
use quorum::statement::Challenge;
use zeroize::Zeroizing;

pub use kept::KeptKey;
pub use maker::Maker;

/// Why a key did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The cryptographic library failed where it has no reason to.
    Crypto,
    /// It holds no credential for that relying party.
    NoCredential,
    /// It holds one already.
    Occupied,
    /// What was kept of it is no key.
    Unreadable,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crypto => "the cryptographic library failed without reason",
            Self::NoCredential => "the key holds no credential for this relying party",
            Self::Occupied => "the key holds a credential already",
            Self::Unreadable => "what was kept of the key cannot be read",
        })
    }
}

impl std::error::Error for KeyError {}

impl From<rcgen::Error> for KeyError {
    fn from(_: rcgen::Error) -> Self {
        Self::Crypto
    }
}

/// What the key, or the browser in front of it, does otherwise than it should. The default is honest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tweaks {
    /// UP clear: nobody touched it.
    pub user_absent: bool,
    /// UV clear: nobody was verified. The PRF then gives another result, as CTAP has it.
    pub user_unverified: bool,
    /// BE set: it can be copied.
    pub backup_eligible: bool,
    /// BS set: it was copied.
    pub backed_up: bool,
    /// `crossOrigin: true`: asked for inside a frame.
    pub cross_origin: bool,
    /// `topOrigin`: the site around that frame.
    pub top_origin: Option<String>,
    /// The origin that the browser writes, whatever page asked.
    pub origin: Option<String>,
    /// The relying party whose hash the key writes, whatever page asked.
    pub rp_id: Option<String>,
    /// `type` of the client data, whatever was called.
    pub kind: Option<String>,
    /// The counter stays where it is.
    pub stuck_counter: bool,
    /// The signature is over something else.
    pub bogus_signature: bool,
    /// No hmac-secret: it can sign, and hold no share.
    pub no_prf: bool,
    /// The PRF gives nothing at `create()` (no hmac-secret-mc); a further touch is needed.
    pub no_prf_at_create: bool,
    /// Attestation `none` with the zero AAGUID, as synced passkeys give it.
    pub no_attestation: bool,
}

/// What `create()` gave.
pub struct Created {
    /// Attestation object and client data, raw.
    pub registration: Registration,
    /// The PRF's result for [`PrfOutput::salt`], where the key gives one at `create()`.
    pub prf: Option<PrfOutput>,
}

/// What `get()` gave.
pub struct Touched {
    /// What goes to the server.
    pub assertion: Assertion,
    /// The PRF's result for [`PrfOutput::salt`], which never does.
    pub prf: Option<PrfOutput>,
}

/// An authenticator with room for one resident credential.
pub struct SoftwareKey {
    maker: Maker,
    inner: Arc<Inner>,
    counter: AtomicU32,
    resident: Option<Resident>,
    /// What it does otherwise than it should.
    pub tweaks: Tweaks,
}

struct Inner {
    pair: EcdsaKeyPair,
    credential_id: [u8; 32],
    verified: Zeroizing<[u8; 32]>,
    unverified: Zeroizing<[u8; 32]>,
}

#[derive(Clone)]
struct Resident {
    rp_id: String,
    user_handle: Vec<u8>,
}

const USER_PRESENT: u8 = 1 << 0;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKUP_STATE: u8 = 1 << 4;
const ATTESTED: u8 = 1 << 6;
const EXTENSIONS: u8 = 1 << 7;

impl SoftwareKey {
    /// A fresh key of that maker.
    ///
    /// # Errors
    /// [`KeyError::Crypto`].
    pub fn new(maker: &Maker) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING);
        Ok(Self {
            maker: maker.clone(),
            inner: Arc::new(Inner {
                pair: pair.map_err(|_| KeyError::Crypto)?,
                credential_id: random()?,
                verified: Zeroizing::new(random()?),
                unverified: Zeroizing::new(random()?),
            }),
            counter: AtomicU32::new(0),
            resident: None,
            tweaks: Tweaks::default(),
        })
    }

    /// The id of its credential.
    #[must_use]
    pub fn credential_id(&self) -> &[u8] {
        &self.inner.credential_id
    }

    /// Its public key, an uncompressed SEC1 point.
    ///
    /// # Errors
    /// [`KeyError::Crypto`].
    pub fn public_key(&self) -> Result<[u8; 65], KeyError> {
        let point = self.inner.pair.public_key().as_ref();
        point.try_into().map_err(|_| KeyError::Crypto)
    }

    /// The model that it says it is.
    #[must_use]
    pub fn aaguid(&self) -> [u8; 16] {
        if self.tweaks.no_attestation {
            [0; 16]
        } else {
            self.maker.aaguid()
        }
    }

    /// The user handle of its credential, once it has one.
    #[must_use]
    pub fn user_handle(&self) -> Option<&[u8]> {
        self.resident.as_ref().map(|r| r.user_handle.as_slice())
    }

    /// The signatures that it has made.
    #[must_use]
    pub fn counter(&self) -> u32 {
        self.counter.load(Ordering::SeqCst)
    }

    /// A copy as a thief makes one: same key, same secrets, a counter that goes its own way from here.
    #[must_use]
    pub fn danger_copy(&self) -> Self {
        Self {
            maker: self.maker.clone(),
            inner: Arc::clone(&self.inner),
            counter: AtomicU32::new(self.counter()),
            resident: self.resident.clone(),
            tweaks: self.tweaks.clone(),
        }
    }

    /// `navigator.credentials.create()` (WebAuthn 2, section 5.1.3): a resident credential for `user_handle`, user
    /// verification required, attestation `direct`, PRF asked for.
    ///
    /// # Errors
    /// [`KeyError::Occupied`]; [`KeyError::Crypto`].
    pub fn create(
        &mut self,
        challenge: &Challenge,
        origin: &str,
        rp_id: &str,
        user_handle: &[u8],
    ) -> Result<Created, KeyError> {
        if self.resident.is_some() {
            return Err(KeyError::Occupied);
        }
        self.resident = Some(Resident {
            rp_id: rp_id.to_owned(),
            user_handle: user_handle.to_vec(),
        });
        let client_data_json = self.client_data("webauthn.create", challenge, origin);
        let with_prf = !self.tweaks.no_prf;
        let at_once = with_prf && !self.tweaks.no_prf_at_create;
        let mut extensions = Vec::new();
        if with_prf {
            extensions.push((cbor::text("hmac-secret"), Value::Bool(true)));
        }
        if at_once {
            extensions.push((cbor::text("hmac-secret-mc"), for_the_browser()?));
        }
        let public = self.public_key()?;
        let (_, point) = public.split_at(1);
        let (x, y) = point.split_at(32);
        let mut attested = self.aaguid().to_vec();
        attested.extend_from_slice(&[0, 32]);
        attested.extend_from_slice(self.credential_id());
        attested.extend_from_slice(&cbor::encode(&cbor::cose_key(x, y))?);
        let data = self.authenticator_data(rp_id, Some(&attested), extensions)?;
        let packed = if self.tweaks.no_attestation {
            None
        } else {
            let mut signature = self.maker.sign(&signed(&data, &client_data_json))?;
            self.spoil(&mut signature)?;
            Some(signature)
        };
        let attestation_object =
            cbor::attestation_object(&data, packed.as_deref().map(|s| (s, self.maker.chain())))?;
        Ok(Created {
            registration: Registration {
                attestation_object,
                client_data_json,
            },
            prf: if at_once { self.result() } else { None },
        })
    }

    /// `navigator.credentials.get()` (WebAuthn 2, section 5.1.4), PRF asked for.
    ///
    /// # Errors
    /// [`KeyError::NoCredential`]; [`KeyError::Crypto`].
    pub fn get(
        &self,
        challenge: &Challenge,
        origin: &str,
        rp_id: &str,
    ) -> Result<Touched, KeyError> {
        if self.resident.as_ref().is_none_or(|r| r.rp_id != rp_id) {
            return Err(KeyError::NoCredential);
        }
        let client_data_json = self.client_data("webauthn.get", challenge, origin);
        let mut extensions = Vec::new();
        if !self.tweaks.no_prf {
            extensions.push((cbor::text("hmac-secret"), for_the_browser()?));
        }
        let authenticator_data = self.authenticator_data(rp_id, None, extensions)?;
        let mut message = signed(&authenticator_data, &client_data_json);
        if self.tweaks.bogus_signature {
            message.push(0);
        }
        let signature = self.inner.pair.sign(&SystemRandom::new(), &message);
        Ok(Touched {
            assertion: Assertion {
                authenticator_data,
                client_data_json,
                signature: signature.map_err(|_| KeyError::Crypto)?.as_ref().to_vec(),
            },
            prf: if self.tweaks.no_prf {
                None
            } else {
                self.result()
            },
        })
    }

    /// The PRF (WebAuthn 3, section 10.1.4): HMAC-SHA-256 under the credential's secret over
    /// SHA-256("WebAuthn PRF" || 0x00 || salt).
    #[must_use]
    pub fn prf(&self, salt: &[u8]) -> Zeroizing<[u8; 32]> {
        let secret = if self.tweaks.user_unverified {
            &self.inner.unverified
        } else {
            &self.inner.verified
        };
        let input = sha256(&[b"WebAuthn PRF\0", salt]);
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_slice());
        let mut out = Zeroizing::new([0; 32]);
        for (to, from) in out.iter_mut().zip(hmac::sign(&key, &input).as_ref()) {
            *to = *from;
        }
        out
    }

    fn result(&self) -> Option<PrfOutput> {
        PrfOutput::copy_of(self.prf(&PrfOutput::salt()).as_slice())
    }

    /// Client data as browsers write it (WebAuthn 2, section 5.8.1.1).
    fn client_data(&self, kind: &str, challenge: &Challenge, origin: &str) -> Vec<u8> {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut json = format!(
            r#"{{"type":{},"challenge":"{}","origin":{},"crossOrigin":{}"#,
            quoted(self.tweaks.kind.as_deref().unwrap_or(kind)),
            URL_SAFE_NO_PAD.encode(challenge.0),
            quoted(self.tweaks.origin.as_deref().unwrap_or(origin)),
            self.tweaks.cross_origin,
        );
        if let Some(top) = &self.tweaks.top_origin {
            json.push_str(&format!(r#","topOrigin":{}"#, quoted(top)));
        }
        json.push('}');
        json.into_bytes()
    }

    /// Authenticator data (WebAuthn 2, section 6.1): SHA-256(rp id), flags, counter, credential, extensions.
    fn authenticator_data(
        &self,
        rp_id: &str,
        attested: Option<&[u8]>,
        extensions: Vec<(Value, Value)>,
    ) -> Result<Vec<u8>, KeyError> {
        let tweaks = &self.tweaks;
        let mut flags = 0;
        for (set, flag) in [
            (!tweaks.user_absent, USER_PRESENT),
            (!tweaks.user_unverified, USER_VERIFIED),
            (tweaks.backup_eligible, BACKUP_ELIGIBLE),
            (tweaks.backed_up, BACKUP_STATE),
            (attested.is_some(), ATTESTED),
            (!extensions.is_empty(), EXTENSIONS),
        ] {
            if set {
                flags |= flag;
            }
        }
        let counter = if tweaks.stuck_counter {
            self.counter()
        } else {
            self.counter.fetch_add(1, Ordering::SeqCst).wrapping_add(1)
        };
        let rp_id = tweaks.rp_id.as_deref().unwrap_or(rp_id);
        let mut data = sha256(&[rp_id.as_bytes()]).to_vec();
        data.push(flags);
        data.extend_from_slice(&counter.to_be_bytes());
        data.extend_from_slice(attested.unwrap_or_default());
        if !extensions.is_empty() {
            data.extend_from_slice(&cbor::encode(&Value::Map(extensions))?);
        }
        Ok(data)
    }

    /// Replaces an attestation's signature by one over something else.
    fn spoil(&self, signature: &mut Vec<u8>) -> Result<(), KeyError> {
        if self.tweaks.bogus_signature {
            *signature = self.maker.sign(b"something else")?;
        }
        Ok(())
    }
}

/// What is signed: authenticator data and the hash of the client data.
fn signed(authenticator_data: &[u8], client_data_json: &[u8]) -> Vec<u8> {
    let mut message = authenticator_data.to_vec();
    message.extend_from_slice(&sha256(&[client_data_json]));
    message
}

/// Where a real key puts the PRF's result, encrypted to the browser's ephemeral key (CTAP 2.1, section 12.5: IV
/// and two blocks). Here nobody is to read it, so there is nothing in it.
fn for_the_browser() -> Result<Value, KeyError> {
    Ok(cbor::bytes(&random::<48>()?))
}

fn sha256(pieces: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for piece in pieces {
        context.update(piece);
    }
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    out
}

fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| KeyError::Crypto)?;
    Ok(bytes)
}
