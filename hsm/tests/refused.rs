//! Keys that must not be used, made behind our back with the token's own PIN: each is refused by name, and the
//! others go on. A module that won't make such a key passes by not making it.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::path::Path;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use hsm::{HsmError, KeyFault, KeyId, Select, TokenSpec};
use support::{open, ready, scenario, spec};

const AAD: &[u8] = b"context";

fn id(n: u8) -> KeyId {
    KeyId::from_uuid_bytes([n; 16])
}

/// The attributes of a good key-encryption key, with some replaced.
fn wrapping(n: u8, changes: &[Attribute]) -> Vec<Attribute> {
    let good = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(32.into()),
        Attribute::Id(vec![n; 16]),
        Attribute::Label(b"planted".to_vec()),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Modifiable(false),
        Attribute::Copyable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
        Attribute::Sign(false),
        Attribute::Verify(false),
        Attribute::Derive(false),
        Attribute::AllowedMechanisms(vec![MechanismType::AES_GCM]),
    ];
    replaced(good.to_vec(), changes)
}

fn private(n: u8, changes: &[Attribute]) -> Vec<Attribute> {
    let good = [
        Attribute::Id(vec![n; 16]),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Modifiable(false),
        Attribute::Copyable(false),
        Attribute::Sign(true),
        Attribute::SignRecover(false),
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
        Attribute::Derive(false),
        Attribute::AllowedMechanisms(vec![MechanismType::EDDSA]),
    ];
    replaced(good.to_vec(), changes)
}

fn public(n: u8) -> Vec<Attribute> {
    vec![
        Attribute::EcParams(vec![0x06, 0x03, 0x2b, 0x65, 0x70]),
        Attribute::Id(vec![n; 16]),
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::VerifyRecover(false),
    ]
}

fn replaced(mut template: Vec<Attribute>, changes: &[Attribute]) -> Vec<Attribute> {
    for change in changes {
        template.retain(|a| a.attribute_type() != change.attribute_type());
        // No mechanisms at all is said by leaving the attribute out: then all are allowed.
        if !matches!(change, Attribute::AllowedMechanisms(none) if none.is_empty()) {
            template.push(change.clone());
        }
    }
    template
}

/// Uses the token as anybody with its PIN could.
fn behind_our_back(dir: &Path, label: &str, work: impl FnOnce(&Session)) {
    let TokenSpec { module, token, .. } = spec(dir, label);
    let Select::Label(label) = token else {
        panic!("by label")
    };
    let pin_file = std::env::var_os("VITRINE_TEST_P11_PIN_FILE")
        .map_or_else(|| hsm::softhsm::pin_file(dir, &label), Into::into);
    let pin = std::fs::read_to_string(pin_file).unwrap();
    let pkcs11 = Pkcs11::new(module).unwrap();
    pkcs11
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .unwrap();
    let slots = pkcs11.get_slots_with_token().unwrap();
    let slot = slots
        .into_iter()
        .find(|s| pkcs11.get_token_info(*s).is_ok_and(|t| t.label() == label))
        .unwrap();
    let session = pkcs11.open_rw_session(slot).unwrap();
    session
        .login(UserType::User, Some(&AuthPin::new(pin.trim_end().into())))
        .unwrap();
    work(&session);
    session.close().unwrap();
    pkcs11.finalize().unwrap();
}

#[test]
fn bad_keys_are_refused_by_name() {
    scenario("bad_keys_are_refused_by_name", |dir| {
        let mut expected = Vec::new();
        behind_our_back(dir, "custody-1", |session| {
            let secret: [(u8, &[Attribute], KeyFault); 15] = [
                (1, &[Attribute::Extractable(true)], KeyFault::Extractable),
                (2, &[Attribute::Sensitive(false)], KeyFault::NotSensitive),
                (3, &[Attribute::Modifiable(true)], KeyFault::Modifiable),
                (4, &[Attribute::Private(false)], KeyFault::NotPrivate),
                (5, &[Attribute::ValueLen(16.into())], KeyFault::WrongType),
                (
                    6,
                    &[Attribute::AllowedMechanisms(vec![])],
                    KeyFault::Mechanisms,
                ),
                (
                    7,
                    &[Attribute::AllowedMechanisms(vec![
                        MechanismType::AES_GCM,
                        MechanismType::AES_CBC,
                    ])],
                    KeyFault::Mechanisms,
                ),
                (
                    8,
                    &[Attribute::AllowedMechanisms(vec![MechanismType::AES_CBC])],
                    KeyFault::Mechanisms,
                ),
                (9, &[Attribute::Wrap(true)], KeyFault::Right("CKA_WRAP")),
                (
                    10,
                    &[Attribute::Unwrap(true)],
                    KeyFault::Right("CKA_UNWRAP"),
                ),
                (
                    11,
                    &[Attribute::Derive(true)],
                    KeyFault::Right("CKA_DERIVE"),
                ),
                (12, &[Attribute::Sign(true)], KeyFault::Right("CKA_SIGN")),
                (
                    13,
                    &[Attribute::Decrypt(false)],
                    KeyFault::Right("CKA_DECRYPT"),
                ),
                (
                    14,
                    &[Attribute::Encrypt(false)],
                    KeyFault::Right("CKA_ENCRYPT"),
                ),
                (
                    15,
                    &[Attribute::Copyable(true)],
                    KeyFault::Right("CKA_COPYABLE"),
                ),
            ];
            for (n, changes, fault) in secret {
                match session.generate_key(&Mechanism::AesKeyGen, &wrapping(n, changes)) {
                    Ok(_) => expected.push((id(n), fault)),
                    Err(e) => println!("the module itself refuses {fault:?}: {e}"),
                }
            }
            // Made outside and brought in: somebody may have kept a copy.
            let mut brought = wrapping(20, &[Attribute::Value(vec![7; 32])]);
            brought.retain(|a| !matches!(a, Attribute::ValueLen(_)));
            match session.create_object(&brought) {
                Ok(_) => expected.push((id(20), KeyFault::MadeElsewhere)),
                Err(e) => println!("the module itself refuses a key from outside: {e}"),
            }
            // Extractable once, though no longer.
            for (n, was, now, fault) in [
                (
                    21,
                    Attribute::Extractable(true),
                    Attribute::Extractable(false),
                    KeyFault::OnceExtractable,
                ),
                (
                    22,
                    Attribute::Sensitive(false),
                    Attribute::Sensitive(true),
                    KeyFault::OnceReadable,
                ),
            ] {
                let key = session
                    .generate_key(
                        &Mechanism::AesKeyGen,
                        &wrapping(n, &[was, Attribute::Modifiable(true)]),
                    )
                    .unwrap();
                match session.update_attributes(key, &[now]) {
                    Ok(()) => expected.push((id(n), fault)),
                    Err(e) => {
                        println!("the module itself refuses {fault:?}: {e}");
                        session.destroy_object(key).unwrap();
                    }
                }
            }
            // Two with one id: which of them would be used?
            for _ in 0..2 {
                session
                    .generate_key(&Mechanism::AesKeyGen, &wrapping(23, &[]))
                    .unwrap();
            }
            expected.push((id(23), KeyFault::Duplicate));
            for (n, changes, fault) in [
                (30, Attribute::Extractable(true), KeyFault::Extractable),
                (
                    31,
                    Attribute::AllowedMechanisms(vec![]),
                    KeyFault::Mechanisms,
                ),
                (32, Attribute::Decrypt(true), KeyFault::Right("CKA_DECRYPT")),
                (
                    33,
                    Attribute::SignRecover(true),
                    KeyFault::Right("CKA_SIGN_RECOVER"),
                ),
                (34, Attribute::Modifiable(true), KeyFault::Modifiable),
            ] {
                let pair = Mechanism::EccEdwardsKeyPairGen;
                match session.generate_key_pair(&pair, &public(n), &private(n, &[changes])) {
                    Ok(_) => expected.push((id(n), fault)),
                    Err(e) => println!("the module itself refuses {fault:?}: {e}"),
                }
            }
            // A pair whose public half was exchanged: the ledger would name a key that nobody here holds.
            let pair = Mechanism::EccEdwardsKeyPairGen;
            let (own, _) = session
                .generate_key_pair(&pair, &public(40), &private(40, &[]))
                .unwrap();
            session.destroy_object(own).unwrap();
            let (_, other) = session
                .generate_key_pair(&pair, &public(40), &private(99, &[]))
                .unwrap();
            session.destroy_object(other).unwrap();
            expected.push((id(40), KeyFault::PublicKey));
            // And one without any.
            let (own, _) = session
                .generate_key_pair(&pair, &public(41), &private(41, &[]))
                .unwrap();
            session.destroy_object(own).unwrap();
            expected.push((id(41), KeyFault::PublicKey));
            // A stranger's key without one of our ids is none of our business.
            let stranger = replaced(wrapping(0, &[]), &[Attribute::Id(b"backup".to_vec())]);
            session
                .generate_key(&Mechanism::AesKeyGen, &stranger)
                .unwrap();
            // Good ones, by the same templates: that the others are refused is due to what was changed.
            session
                .generate_key(&Mechanism::AesKeyGen, &wrapping(50, &[]))
                .unwrap();
            session
                .generate_key_pair(&pair, &public(51), &private(51, &[]))
                .unwrap();
        });
        println!("{} bad keys planted", expected.len());

        let token = open(dir, "custody-1");
        let good: Vec<KeyId> = token.keys().iter().map(|k| k.id).collect();
        assert!(good.contains(&id(50)) && good.contains(&id(51)));
        let refused = token.refused_keys();
        assert_eq!(refused.len(), expected.len());
        for (key, fault) in expected {
            assert!(
                refused.contains(&(key, fault)),
                "{key} {fault:?} in {refused:?}"
            );
            let refusal = HsmError::Refused(key, fault);
            assert_eq!(token.wrap(&key, AAD, b"x"), Err(refusal.clone()));
            assert_eq!(
                token.unwrap(&key, AAD, &[0; 60]).err(),
                Some(refusal.clone())
            );
            assert_eq!(token.sign(&key, b"x"), Err(refusal));
        }
        ready(&token);
        token.wrap(&id(50), AAD, b"x").unwrap();
        token.sign(&id(51), b"x").unwrap();
        for (key, _) in refused {
            token.destroy_key(&key).unwrap();
        }
        assert!(token.refused_keys().is_empty());
        for key in [id(50), id(51)] {
            token.destroy_key(&key).unwrap();
        }
        drop(token);
        behind_our_back(dir, "custody-1", |session| {
            for object in session
                .find_objects(&[Attribute::Id(b"backup".to_vec())])
                .unwrap()
            {
                session.destroy_object(object).unwrap();
            }
        });
    });
}

#[test]
fn key_planted_while_running_is_refused() {
    scenario("key_planted_while_running_is_refused", |dir| {
        let token = open(dir, "custody-1");
        // Through another owner's session of the same process: the module is initialised once.
        let TokenSpec {
            module,
            token: select,
            ..
        } = spec(dir, "custody-1");
        let Select::Label(label) = select else {
            panic!("by label")
        };
        let pkcs11 = Pkcs11::new(module).unwrap();
        let slots = pkcs11.get_slots_with_token().unwrap();
        let slot = slots
            .into_iter()
            .find(|s| pkcs11.get_token_info(*s).is_ok_and(|t| t.label() == label))
            .unwrap();
        let session = pkcs11.open_rw_session(slot).unwrap();
        session
            .generate_key(
                &Mechanism::AesKeyGen,
                &wrapping(1, &[Attribute::Extractable(true)]),
            )
            .unwrap();
        session.close().unwrap();
        assert_eq!(
            token.wrap(&id(1), AAD, b"x"),
            Err(HsmError::Refused(id(1), KeyFault::Extractable))
        );
        token.destroy_key(&id(1)).unwrap();
    });
}

#[test]
fn key_exchanged_under_its_id_is_refused() {
    scenario("key_exchanged_under_its_id_is_refused", |dir| {
        let token = open(dir, "custody-1");
        let kek = token.make_wrapping_key("kek").unwrap();
        let ck = token.make_signing_key("checkpoint").unwrap();
        let TokenSpec {
            module,
            token: select,
            ..
        } = spec(dir, "custody-1");
        let Select::Label(label) = select else {
            panic!("by label")
        };
        let pkcs11 = Pkcs11::new(module).unwrap();
        let slots = pkcs11.get_slots_with_token().unwrap();
        let slot = slots
            .into_iter()
            .find(|s| pkcs11.get_token_info(*s).is_ok_and(|t| t.label() == label))
            .unwrap();
        let session = pkcs11.open_rw_session(slot).unwrap();
        let with_id = |key: &KeyId| Attribute::Id(key.as_bytes().to_vec());
        for key in [&kek, &ck] {
            for object in session.find_objects(&[with_id(key)]).unwrap() {
                session.destroy_object(object).unwrap();
            }
        }
        session
            .generate_key(&Mechanism::AesKeyGen, &wrapping(0, &[with_id(&kek)]))
            .unwrap();
        let public = replaced(public(0), &[with_id(&ck)]);
        session
            .generate_key_pair(
                &Mechanism::EccEdwardsKeyPairGen,
                &public,
                &private(0, &[with_id(&ck)]),
            )
            .unwrap();
        session.close().unwrap();
        // Not "tampered" and not a good wrap under a key that the custody lists don't mean. Twice, because what
        // was seen at first must not be forgotten at the second opening.
        for _ in 0..2 {
            token.reopen(spec(dir, "custody-1").pin);
            ready(&token);
            assert_eq!(
                token.wrap(&kek, AAD, b"x"),
                Err(HsmError::Refused(kek, KeyFault::Changed))
            );
            assert_eq!(
                token.sign(&ck, b"x"),
                Err(HsmError::Refused(ck, KeyFault::Changed))
            );
        }
        token.destroy_key(&kek).unwrap();
        token.destroy_key(&ck).unwrap();
    });
}
