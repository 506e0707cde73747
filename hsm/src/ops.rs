//! What is done with a key in a session, and what the module's answers mean.

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use zeroize::Zeroizing;

use crate::keys::KeyId;

/// Bytes of IV before the ciphertext (NIST SP 800-38D section 8.2.2).
pub(crate) const IV: usize = 12;
/// Bytes of tag after it.
pub(crate) const TAG: usize = 16;

/// Encrypts to `IV || ciphertext || tag`. The IV comes from the token's generator, and is read back after the
/// call, because some tokens put in their own.
pub(crate) fn encrypt(
    session: &Session,
    key: ObjectHandle,
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut iv = session.generate_random_vec(IV as u32)?;
    let mut params = GcmParams::new(&mut iv, aad, ((TAG * 8) as u64).into())?;
    let mechanism = Mechanism::AesGcm(params);
    let ciphertext = session.encrypt(&mechanism, key, plaintext)?;
    let Mechanism::AesGcm(after) = mechanism else {
        return Err(Error::InvalidValue);
    };
    params = after;
    if params.iv().len() != IV || ciphertext.len() != plaintext.len() + TAG {
        return Err(Error::InvalidValue);
    }
    let mut wrapped = Vec::with_capacity(IV + ciphertext.len());
    wrapped.extend_from_slice(params.iv());
    wrapped.extend_from_slice(&ciphertext);
    Ok(wrapped)
}

/// Decrypts what [`encrypt`] gave.
pub(crate) fn decrypt(
    session: &Session,
    key: ObjectHandle,
    aad: &[u8],
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (iv, ciphertext) = wrapped.split_at_checked(IV).ok_or(Error::InvalidValue)?;
    let mut iv = iv.to_vec();
    let mechanism = Mechanism::AesGcm(GcmParams::new(&mut iv, aad, ((TAG * 8) as u64).into())?);
    session
        .decrypt(&mechanism, key, ciphertext)
        .map(Zeroizing::new)
}

/// Signs with Ed25519 (pure: SoftHSM ignores a context, so domains are separated in the message).
pub(crate) fn sign(
    session: &Session,
    key: ObjectHandle,
    message: &[u8],
) -> Result<[u8; 64], Error> {
    let signature = session.sign(&eddsa(), key, message)?;
    signature.try_into().map_err(|_| Error::InvalidValue)
}

/// The private half signs what the public half verifies.
pub(crate) fn pair_matches(
    session: &Session,
    private: ObjectHandle,
    public: ObjectHandle,
) -> Result<bool, Error> {
    // Not a checkpoint and no statement: those begin otherwise.
    const LABEL: &[u8] = b"vitrine/hsm/self-test/v1\n";
    let mut message = LABEL.to_vec();
    message.extend(session.generate_random_vec(16)?);
    let signature = session.sign(&eddsa(), private, &message)?;
    match session.verify(&eddsa(), public, &message, &signature) {
        Ok(()) => Ok(true),
        Err(Error::Pkcs11(RvError::SignatureInvalid | RvError::SignatureLenRange, _)) => Ok(false),
        Err(e) => Err(e),
    }
}

fn eddsa() -> Mechanism<'static> {
    Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519))
}

/// A short ciphertext under a key, kept in memory: as long as the token opens it, the token works.
#[derive(Clone)]
pub(crate) struct Canary {
    aad: Vec<u8>,
    plaintext: Vec<u8>,
    wrapped: Vec<u8>,
}

impl Canary {
    pub(crate) fn make(session: &Session, key: ObjectHandle, id: &KeyId) -> Result<Self, Error> {
        const LABEL: &[u8] = b"vitrine/hsm/canary/v1\n";
        let mut aad = LABEL.to_vec();
        aad.extend_from_slice(id.as_bytes());
        let plaintext = session.generate_random_vec(16)?;
        let wrapped = encrypt(session, key, &aad, &plaintext)?;
        Ok(Self {
            aad,
            plaintext,
            wrapped,
        })
    }

    pub(crate) fn opens(&self, session: &Session, key: ObjectHandle) -> Result<(), Error> {
        let opened = decrypt(session, key, &self.aad, &self.wrapped)?;
        if *opened == self.plaintext {
            Ok(())
        } else {
            Err(Error::InvalidValue)
        }
    }
}

/// What the module said, short: `C_Encrypt: DeviceRemoved`.
pub(crate) fn words(error: &Error) -> String {
    match error {
        Error::Pkcs11(rv, function) => format!("C_{function:?}: {rv:?}"),
        other => other.to_string(),
    }
}

/// The answer means that a session, handle, login, token or module is gone or broken: worth opening again.
///
/// GENERAL_ERROR is here, though SoftHSM says it for a bad tag as well: decryption asks [`means_data`] first.
pub(crate) fn is_loss(error: &Error) -> bool {
    let Error::Pkcs11(rv, _) = error else {
        return false;
    };
    matches!(
        rv,
        RvError::SessionHandleInvalid
            | RvError::SessionClosed
            | RvError::SessionCount
            | RvError::ObjectHandleInvalid
            | RvError::KeyHandleInvalid
            | RvError::UserNotLoggedIn
            | RvError::DeviceError
            | RvError::DeviceMemory
            | RvError::DeviceRemoved
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
            | RvError::SlotIdInvalid
            | RvError::CryptokiNotInitialized
            | RvError::OperationActive
            | RvError::OperationNotInitialized
            | RvError::GeneralError
            | RvError::FunctionFailed
            | RvError::FunctionCanceled
            | RvError::HostMemory
            | RvError::MutexBad
            | RvError::MutexNotLocked
            | RvError::VendorDefined(_)
            | RvError::UnknownErrorCode(_)
    )
}

/// A decryption that failed like this may have failed because of the bytes; the canary tells.
///
/// Wide on purpose: modules disagree (SoftHSM GENERAL_ERROR, kryoptic ENCRYPTED_DATA_INVALID or DEVICE_ERROR),
/// and a code that is here by mistake costs one canary.
pub(crate) fn means_data(error: &Error) -> bool {
    let Error::Pkcs11(rv, _) = error else {
        return false;
    };
    matches!(
        rv,
        RvError::EncryptedDataInvalid
            | RvError::EncryptedDataLenRange
            | RvError::DataInvalid
            | RvError::DataLenRange
            | RvError::SignatureInvalid
            | RvError::SignatureLenRange
            | RvError::BufferTooSmall
            | RvError::ArgumentsBad
            | RvError::MechanismParamInvalid
            | RvError::GeneralError
            | RvError::FunctionFailed
            | RvError::DeviceError
            | RvError::VendorDefined(_)
            | RvError::UnknownErrorCode(_)
    )
}

/// The token refused the PIN itself. Asking again brings the token nearer to locking.
pub(crate) fn refuses_pin(error: &Error) -> bool {
    matches!(
        error,
        Error::Pkcs11(
            RvError::PinIncorrect
                | RvError::PinInvalid
                | RvError::PinLenRange
                | RvError::PinExpired
                | RvError::PinLocked,
            _
        )
    )
}
