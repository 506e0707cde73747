//! What a token can be asked to do.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use zeroize::Zeroizing;

use crate::call::Call;
use crate::error::{HsmError, OpenError};
use crate::keys::{self, Key, KeyFault, KeyId, KeyKind, LONGEST_LABEL};
use crate::ops;
use crate::pool::Shared;
use crate::seat::{Place, Seat, Trouble};
use crate::secret::{PinSource, Random, Unwrapped};
use crate::spec::{Health, TokenSpec};
use crate::table::Witness;

/// The longest plaintext, associated data or message, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// One token of one module, kept open.
///
/// Calls block, for the deadline at most; call them from threads that may block, or begin them and wait for the
/// [`Call`]. Dropping it waits for calls under way (for the deadline at most) and, with the last token of a module,
/// finalises the module: drop tokens before the process ends, some modules crash in exit handlers otherwise.
pub struct Token {
    shared: Arc<Shared>,
}

impl Token {
    /// Opens the token: logs in, finds the keys, checks each of them.
    ///
    /// A token that is absent, broken, without its module or refuses the PIN is no error: see [`Token::health`]. It
    /// waits for the first attempt's end, for the deadline at most.
    ///
    /// # Errors
    /// A specification without sense, or no threads.
    pub fn open(spec: TokenSpec) -> Result<Self, OpenError> {
        Shared::start(spec).map(|shared| Self { shared })
    }

    /// Opens it again by hand, with a PIN: the only way on after [`HsmError::WrongPin`]. Waits as [`Token::open`].
    pub fn reopen(&self, pin: impl Into<PinSource>) {
        self.shared.reopen(pin.into());
    }

    /// How it is now. Never waits for the token.
    pub fn health(&self) -> Health {
        self.shared.health()
    }

    /// The keys that passed every check, as last read; also while the token is down. Never waits for the token.
    pub fn keys(&self) -> Vec<Key> {
        self.shared
            .login()
            .map(|l| l.table().good.values().map(|f| f.key.clone()).collect())
            .unwrap_or_default()
    }

    /// The keys that are on the token and refused, with the reason. Never waits for the token.
    pub fn refused_keys(&self) -> Vec<(KeyId, KeyFault)> {
        self.shared
            .login()
            .map(|l| l.table().bad.iter().map(|(id, f)| (*id, *f)).collect())
            .unwrap_or_default()
    }

    /// Makes an AES-256 key inside the token that can do nothing but encrypt and decrypt with `CKM_AES_GCM`.
    ///
    /// `label` is for people: 1 to 64 bytes. After [`HsmError::Deadline`] or [`HsmError::Down`] the key may exist.
    ///
    /// # Errors
    /// [`HsmError::Refused`] if the token made a key without the attributes asked for (it is destroyed again).
    pub fn make_wrapping_key(&self, label: &str) -> Result<KeyId, HsmError> {
        self.make(label, KeyKind::Wrapping)
    }

    /// Makes an Ed25519 pair inside the token; the private half can do nothing but sign. Otherwise as
    /// [`Token::make_wrapping_key`].
    ///
    /// # Errors
    /// As [`Token::make_wrapping_key`].
    pub fn make_signing_key(&self, label: &str) -> Result<KeyId, HsmError> {
        self.make(label, KeyKind::Signing)
    }

    fn make(&self, label: &str, kind: KeyKind) -> Result<KeyId, HsmError> {
        if label.is_empty() || label.len() > LONGEST_LABEL {
            return Err(HsmError::Input("a key's label has 1 to 64 bytes"));
        }
        let label = label.to_owned();
        let deadline = self.shared.deadline;
        self.shared.call(move |seat, until| {
            let made = seat.once(until, |place| {
                let random = place.session.generate_random_vec(10)?;
                let random = random
                    .try_into()
                    .map_err(|_| Trouble::Lost("the token gave no random bytes".into()))?;
                let id = KeyId::fresh(SystemTime::now(), random);
                place.writing(|session| match kind {
                    KeyKind::Wrapping => keys::make_wrapping(session, &id, &label),
                    KeyKind::Signing => keys::make_signing(session, &id, &label),
                })?;
                Ok(id)
            });
            let id = made.map_err(answer)?;
            // Read back and checked like any key that was found.
            match seat.with(until, |place| place.key(&id, |_, _| ())) {
                Ok(()) => Ok(id),
                Err(trouble) => {
                    let error = answer(trouble);
                    if matches!(error, HsmError::Refused(..)) {
                        let _ = seat.once(Instant::now() + deadline, |place| {
                            place.writing(|session| keys::destroy(session, &id))
                        });
                    }
                    Err(error)
                }
            }
        })
    }

    /// Destroys a key and, of a pair, both halves. For ever: what it wrapped is lost. A key that is not there, or
    /// is refused, is destroyed too.
    ///
    /// # Errors
    /// After [`HsmError::Deadline`] or [`HsmError::Down`] the key may be gone; asking again is safe.
    pub fn destroy_key(&self, key: &KeyId) -> Result<(), HsmError> {
        let id = *key;
        self.shared.call(move |seat, until| {
            seat.once(until, |place| {
                place.writing(|session| keys::destroy(session, &id))?;
                place.forget(&id);
                Ok(())
            })
            .map_err(answer)
        })
    }

    /// Encrypts `plaintext` (0 to 64 KiB) under a wrapping key: `IV (12) || ciphertext || tag (16)`, the IV from
    /// the token's generator. `aad` (1 byte to 64 KiB) must be given again to unwrap.
    ///
    /// A key's uses are not counted here: roll it before 2^30 (random IVs, NIST SP 800-38D section 8.3).
    ///
    /// # Errors
    /// See [`HsmError`].
    pub fn wrap(&self, key: &KeyId, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, HsmError> {
        check_aad(aad)?;
        if plaintext.len() > LONGEST {
            return Err(HsmError::Input("a plaintext has at most 64 KiB"));
        }
        let (id, aad, plaintext) = (*key, aad.to_vec(), Zeroizing::new(plaintext.to_vec()));
        self.shared.call(move |seat, until| {
            seat.with(until, |place| {
                let key = handle(place, &id, KeyKind::Wrapping)?;
                Ok(ops::encrypt(place.session, key, &aad, &plaintext)?)
            })
            .map_err(answer)
        })
    }

    /// Opens what [`Token::wrap`] gave.
    ///
    /// # Errors
    /// [`HsmError::Tampered`] only if the same key opened its canary in a fresh session and then refused the
    /// bytes a second time; [`HsmError::Down`] if it did not open its canary.
    pub fn unwrap(&self, key: &KeyId, aad: &[u8], wrapped: &[u8]) -> Result<Unwrapped, HsmError> {
        self.shared.call(unwrapping(key, aad, wrapped)?)
    }

    /// Begins what [`Token::unwrap`] does.
    ///
    /// # Errors
    /// Where it could not be begun.
    pub fn begin_unwrap(
        &self,
        key: &KeyId,
        aad: &[u8],
        wrapped: &[u8],
    ) -> Result<Call<Unwrapped>, HsmError> {
        self.shared.begin(unwrapping(key, aad, wrapped)?)
    }

    /// Signs `message` (at most 64 KiB) with Ed25519 (RFC 8032, no context).
    ///
    /// # Errors
    /// See [`HsmError`].
    pub fn sign(&self, key: &KeyId, message: &[u8]) -> Result<[u8; 64], HsmError> {
        self.shared.call(signing(key, message)?)
    }

    /// Begins what [`Token::sign`] does.
    ///
    /// # Errors
    /// Where it could not be begun.
    pub fn begin_sign(&self, key: &KeyId, message: &[u8]) -> Result<Call<[u8; 64]>, HsmError> {
        self.shared.begin(signing(key, message)?)
    }

    /// How long a call may take.
    pub fn deadline(&self) -> Duration {
        self.shared.deadline
    }

    /// The public half of a signing key (32 bytes, RFC 8032), from memory if it was ever read.
    ///
    /// # Errors
    /// See [`HsmError`].
    pub fn public_key(&self, key: &KeyId) -> Result<[u8; 32], HsmError> {
        if let Some(login) = self.shared.login()
            && let Some(Some(public)) = login.table().good.get(key).map(|f| f.key.public)
        {
            return Ok(public);
        }
        let id = *key;
        self.shared.call(move |seat, until| {
            seat.with(until, |place| {
                let public = place.key(&id, |found, _| found.key.public)?;
                public.ok_or(Trouble::Final(HsmError::Input(
                    "the key is not a signing key",
                )))
            })
            .map_err(answer)
        })
    }

    /// `n` bytes (at most 4096) from the token's generator.
    ///
    /// # Errors
    /// See [`HsmError`].
    pub fn random(&self, n: usize) -> Result<Random, HsmError> {
        const MOST: usize = 4096;
        if n > MOST {
            return Err(HsmError::Input("at most 4096 random bytes at once"));
        }
        self.shared.call(move |seat, until| {
            seat.with(until, |place| {
                let drawn = place.session.generate_random_vec(n as u32)?;
                Ok(Random(Zeroizing::new(drawn)))
            })
            .map_err(answer)
        })
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.shared.close();
    }
}

fn unwrapping(
    key: &KeyId,
    aad: &[u8],
    wrapped: &[u8],
) -> Result<
    impl FnMut(&mut Seat<'_>, Instant) -> Result<Unwrapped, HsmError> + Send + 'static,
    HsmError,
> {
    check_aad(aad)?;
    if wrapped.len() < ops::IV + ops::TAG || wrapped.len() > ops::IV + LONGEST + ops::TAG {
        return Err(HsmError::Tampered);
    }
    let (id, aad, wrapped) = (*key, aad.to_vec(), wrapped.to_vec());
    Ok(move |seat: &mut Seat<'_>, until| {
        let first = seat.with(until, |place| {
            let key = handle(place, &id, KeyKind::Wrapping)?;
            open(place.session, key, &aad, &wrapped)
        });
        let second = match first {
            Err(Trouble::Data) => judged(seat, until, &id, &aad, &wrapped),
            other => other,
        };
        second.map(Unwrapped).map_err(answer)
    })
}

fn signing(
    key: &KeyId,
    message: &[u8],
) -> Result<
    impl FnMut(&mut Seat<'_>, Instant) -> Result<[u8; 64], HsmError> + Send + 'static,
    HsmError,
> {
    if message.len() > LONGEST {
        return Err(HsmError::Input("a message has at most 64 KiB"));
    }
    let (id, message) = (*key, message.to_vec());
    Ok(move |seat: &mut Seat<'_>, until| {
        seat.with(until, |place| {
            let key = handle(place, &id, KeyKind::Signing)?;
            Ok(ops::sign(place.session, key, &message)?)
        })
        .map_err(answer)
    })
}

/// Is it the bytes or the token? In a fresh session, because the first may be in the middle of something.
fn judged(
    seat: &mut Seat<'_>,
    until: Instant,
    id: &KeyId,
    aad: &[u8],
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    seat.with(until, |place| {
        let (key, canary) = place.key(id, |found, table| {
            (found.handle, table.seen.get(id).cloned())
        })?;
        let Some(Witness::Canary(canary)) = canary else {
            return Err(Trouble::Lost("the key has no canary".to_owned()));
        };
        canary
            .opens(place.session, key)
            .map_err(|e| Trouble::Lost(format!("the canary did not open: {}", ops::words(&e))))?;
        match open(place.session, key, aad, wrapped) {
            Err(Trouble::Data) => Err(Trouble::Final(HsmError::Tampered)),
            other => other,
        }
    })
}

fn open(
    session: &Session,
    key: ObjectHandle,
    aad: &[u8],
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    ops::decrypt(session, key, aad, wrapped).map_err(|e| {
        if ops::means_data(&e) {
            Trouble::Data
        } else {
            e.into()
        }
    })
}

fn handle(place: &Place<'_>, id: &KeyId, kind: KeyKind) -> Result<ObjectHandle, Trouble> {
    let (handle, is) = place.key(id, |found, _| (found.handle, found.key.kind))?;
    if is == kind {
        Ok(handle)
    } else {
        Err(Trouble::Final(HsmError::Input(
            "the key is of the other kind",
        )))
    }
}

fn answer(trouble: Trouble) -> HsmError {
    match trouble {
        Trouble::Final(error) => error,
        Trouble::Lost(why) => HsmError::Down { why },
        // Only decryption says so, and it is judged before it is answered.
        Trouble::Data => HsmError::Tampered,
    }
}

fn check_aad(aad: &[u8]) -> Result<(), HsmError> {
    match aad.len() {
        0 => Err(HsmError::Input("associated data can't be empty")),
        1..=LONGEST => Ok(()),
        _ => Err(HsmError::Input("associated data has at most 64 KiB")),
    }
}
