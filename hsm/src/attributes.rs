//! What is asserted of a key before it is used.

use std::collections::BTreeMap;

use cryptoki::error::Error;
use cryptoki::mechanism::MechanismType;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use crate::keys::{KeyFault, KeyId, KeyKind};
use crate::ops;

/// What is asserted, read in one go.
#[derive(Default)]
pub(crate) struct Attributes {
    pub(crate) id: Option<KeyId>,
    pub(crate) label: String,
    class: Option<ObjectClass>,
    key_type: Option<KeyType>,
    made_by: Option<MechanismType>,
    length: Option<u64>,
    mechanisms: Option<Vec<MechanismType>>,
    /// The true-or-false attributes that the token gave, by name.
    flags: BTreeMap<&'static str, bool>,
}

/// Attributes that every token can put into words.
const PLAIN: [AttributeType; 23] = [
    AttributeType::Id,
    AttributeType::Label,
    AttributeType::Class,
    AttributeType::ValueLen,
    AttributeType::Token,
    AttributeType::Private,
    AttributeType::Sensitive,
    AttributeType::AlwaysSensitive,
    AttributeType::Extractable,
    AttributeType::NeverExtractable,
    AttributeType::Local,
    AttributeType::Modifiable,
    AttributeType::Copyable,
    AttributeType::Encrypt,
    AttributeType::Decrypt,
    AttributeType::Wrap,
    AttributeType::Unwrap,
    AttributeType::Sign,
    AttributeType::Verify,
    AttributeType::Derive,
    AttributeType::SignRecover,
    AttributeType::VerifyRecover,
    AttributeType::AlwaysAuthenticate,
];

/// Attributes with a mechanism or type in them, which the token may know and we don't (or which a key brought in
/// from outside hasn't). Reading them fails then: they count as absent.
const SPECIAL: [AttributeType; 3] = [
    AttributeType::KeyType,
    AttributeType::KeyGenMechanism,
    AttributeType::AllowedMechanisms,
];

impl Attributes {
    pub(crate) fn read(session: &Session, handle: ObjectHandle) -> Result<Self, Error> {
        let mut read = Self::default();
        for attribute in session.get_attributes(handle, &PLAIN)? {
            read.take(attribute);
        }
        match session.get_attributes(handle, &SPECIAL) {
            Ok(special) => special
                .into_iter()
                .for_each(|attribute| read.take(attribute)),
            Err(e) if ops::is_loss(&e) => return Err(e),
            Err(_) => {}
        }
        Ok(read)
    }

    fn take(&mut self, attribute: Attribute) {
        let (name, value) = match attribute {
            Attribute::Id(bytes) => {
                self.id = bytes.try_into().ok().map(KeyId);
                return;
            }
            Attribute::Label(bytes) => {
                self.label = String::from_utf8_lossy(&bytes).into_owned();
                return;
            }
            Attribute::Class(class) => {
                self.class = Some(class);
                return;
            }
            Attribute::KeyType(key_type) => {
                self.key_type = Some(key_type);
                return;
            }
            Attribute::KeyGenMechanism(mechanism) => {
                self.made_by = Some(mechanism);
                return;
            }
            Attribute::ValueLen(length) => {
                self.length = Some(*length);
                return;
            }
            Attribute::AllowedMechanisms(mechanisms) => {
                self.mechanisms = Some(mechanisms);
                return;
            }
            Attribute::Token(v) => ("CKA_TOKEN", v),
            Attribute::Private(v) => ("CKA_PRIVATE", v),
            Attribute::Sensitive(v) => ("CKA_SENSITIVE", v),
            Attribute::AlwaysSensitive(v) => ("CKA_ALWAYS_SENSITIVE", v),
            Attribute::Extractable(v) => ("CKA_EXTRACTABLE", v),
            Attribute::NeverExtractable(v) => ("CKA_NEVER_EXTRACTABLE", v),
            Attribute::Local(v) => ("CKA_LOCAL", v),
            Attribute::Modifiable(v) => ("CKA_MODIFIABLE", v),
            Attribute::Copyable(v) => ("CKA_COPYABLE", v),
            Attribute::Encrypt(v) => ("CKA_ENCRYPT", v),
            Attribute::Decrypt(v) => ("CKA_DECRYPT", v),
            Attribute::Wrap(v) => ("CKA_WRAP", v),
            Attribute::Unwrap(v) => ("CKA_UNWRAP", v),
            Attribute::Sign(v) => ("CKA_SIGN", v),
            Attribute::Verify(v) => ("CKA_VERIFY", v),
            Attribute::Derive(v) => ("CKA_DERIVE", v),
            Attribute::SignRecover(v) => ("CKA_SIGN_RECOVER", v),
            Attribute::VerifyRecover(v) => ("CKA_VERIFY_RECOVER", v),
            Attribute::AlwaysAuthenticate(v) => ("CKA_ALWAYS_AUTHENTICATE", v),
            _ => return,
        };
        self.flags.insert(name, value);
    }

    /// Every assertion of notes on the key's life; the worst is named first.
    pub(crate) fn check(&self) -> Result<KeyKind, KeyFault> {
        let is = |name: &str, value: bool| self.flags.get(name) == Some(&value);
        let must = |name: &str, value: bool, fault: KeyFault| {
            if is(name, value) { Ok(()) } else { Err(fault) }
        };
        must("CKA_LOCAL", true, KeyFault::MadeElsewhere)?;
        must("CKA_EXTRACTABLE", false, KeyFault::Extractable)?;
        must("CKA_SENSITIVE", true, KeyFault::NotSensitive)?;
        must("CKA_NEVER_EXTRACTABLE", true, KeyFault::OnceExtractable)?;
        must("CKA_ALWAYS_SENSITIVE", true, KeyFault::OnceReadable)?;
        must("CKA_MODIFIABLE", false, KeyFault::Modifiable)?;
        must("CKA_PRIVATE", true, KeyFault::NotPrivate)?;
        must("CKA_TOKEN", true, KeyFault::NotPrivate)?;
        let (kind, made_by, mechanism, needed): (_, _, _, &[&'static str]) =
            match (self.class, self.key_type) {
                (Some(ObjectClass::SECRET_KEY), Some(KeyType::AES)) if self.length == Some(32) => (
                    KeyKind::Wrapping,
                    MechanismType::AES_KEY_GEN,
                    MechanismType::AES_GCM,
                    &["CKA_ENCRYPT", "CKA_DECRYPT"],
                ),
                (Some(ObjectClass::PRIVATE_KEY), Some(KeyType::EC_EDWARDS)) => (
                    KeyKind::Signing,
                    MechanismType::ECC_EDWARDS_KEY_PAIR_GEN,
                    MechanismType::EDDSA,
                    &["CKA_SIGN"],
                ),
                _ => return Err(KeyFault::WrongType),
            };
        if self.made_by != Some(made_by) {
            return Err(KeyFault::WrongType);
        }
        if self.mechanisms.as_deref() != Some(&[mechanism]) {
            return Err(KeyFault::Mechanisms);
        }
        for right in RIGHTS {
            // A right that the token doesn't know is a right that the key hasn't.
            let has = self.flags.get(right).copied().unwrap_or(false);
            if has != needed.contains(&right) {
                return Err(KeyFault::Right(right));
            }
        }
        // A copy could be given other rights; a token that doesn't know the attribute says nothing.
        if is("CKA_COPYABLE", true) {
            return Err(KeyFault::Right("CKA_COPYABLE"));
        }
        Ok(kind)
    }
}

/// What a key could be allowed to do, and one nuisance (a PIN per use).
const RIGHTS: [&str; 10] = [
    "CKA_ENCRYPT",
    "CKA_DECRYPT",
    "CKA_WRAP",
    "CKA_UNWRAP",
    "CKA_SIGN",
    "CKA_VERIFY",
    "CKA_DERIVE",
    "CKA_SIGN_RECOVER",
    "CKA_VERIFY_RECOVER",
    "CKA_ALWAYS_AUTHENTICATE",
];
