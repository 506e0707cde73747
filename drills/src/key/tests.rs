#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use quorum::assertion::{self, AssertionError, PublicKey, RelyingParty};
use quorum::ids::UserId;
use quorum::secret::ShareKey;
use quorum::{Hash, labelled};

use super::*;

const ORIGIN: &str = "http://localhost:7443";
const RP_ID: &str = "localhost";
const HANDLE: &[u8] = &[7; 16];

fn rp() -> RelyingParty {
    RelyingParty {
        rp_id: RP_ID.into(),
        origins: vec![ORIGIN.into()],
    }
}

fn maker() -> Maker {
    Maker::new("Vitrine drills", [9; 16]).unwrap()
}

fn challenge() -> Challenge {
    quorum::statement::challenge(b"{}")
}

fn registered() -> SoftwareKey {
    let mut key = SoftwareKey::new(&maker()).unwrap();
    key.create(&challenge(), ORIGIN, RP_ID, HANDLE).unwrap();
    key
}

fn verify(key: &SoftwareKey, touched: &Touched) -> Result<u32, AssertionError> {
    let public = PublicKey::from_sec1(key.public_key().unwrap()).unwrap();
    assertion::verify(&rp(), &public, &challenge(), &touched.assertion).map(|v| v.counter)
}

#[test]
fn a_touch_verifies_and_the_counter_rises() {
    let key = registered();
    let first = key.get(&challenge(), ORIGIN, RP_ID).unwrap();
    let second = key.get(&challenge(), ORIGIN, RP_ID).unwrap();
    assert_eq!(verify(&key, &first), Ok(2));
    assert_eq!(verify(&key, &second), Ok(3));
    assert_eq!(key.user_handle(), Some(HANDLE));
}

#[test]
fn a_kept_key_is_the_same_and_counts_on() {
    let key = registered();
    let kept = serde_json::to_string(&key.danger_kept().unwrap()).unwrap();
    let kept = serde_json::from_str(&kept).unwrap();
    let again = SoftwareKey::danger_from_kept(&kept, &maker()).unwrap();
    assert_eq!(again.credential_id(), key.credential_id());
    assert_eq!(again.user_handle(), Some(HANDLE));
    assert_eq!(again.prf(b"salt"), key.prf(b"salt"));
    let later = key.get(&challenge(), ORIGIN, RP_ID).unwrap();
    let touched = again.get(&challenge(), ORIGIN, RP_ID).unwrap();
    assert!(verify(&key, &touched).unwrap() > verify(&key, &later).unwrap());
}

#[test]
fn each_switch_breaks_its_own_rule() {
    type Switch = fn(&mut Tweaks);
    let cases: [(Switch, AssertionError); 10] = [
        (|t| t.user_absent = true, AssertionError::UserPresent),
        (|t| t.user_unverified = true, AssertionError::UserVerified),
        (|t| t.backup_eligible = true, AssertionError::BackedUp),
        (|t| t.backed_up = true, AssertionError::BackedUp),
        (|t| t.cross_origin = true, AssertionError::CrossOrigin),
        (
            |t| t.top_origin = Some("https://evil.example".into()),
            AssertionError::TopOrigin,
        ),
        (
            |t| t.origin = Some("https://evil.example".into()),
            AssertionError::Origin,
        ),
        (
            |t| t.rp_id = Some("evil.example".into()),
            AssertionError::RpId,
        ),
        (
            |t| t.kind = Some("webauthn.create".into()),
            AssertionError::Type,
        ),
        (|t| t.bogus_signature = true, AssertionError::Signature),
    ];
    for (switch, error) in cases {
        let mut key = registered();
        switch(&mut key.tweaks);
        let touched = key.get(&challenge(), ORIGIN, RP_ID).unwrap();
        assert_eq!(verify(&key, &touched), Err(error));
        key.tweaks = Tweaks::default();
        let touched = key.get(&challenge(), ORIGIN, RP_ID).unwrap();
        assert!(verify(&key, &touched).is_ok());
    }
}

#[test]
fn a_stuck_counter_and_a_copy_do_not_rise() {
    let mut key = registered();
    let copy = key.danger_copy();
    key.tweaks.stuck_counter = true;
    for _ in 0..2 {
        let touched = key.get(&challenge(), ORIGIN, RP_ID).unwrap();
        assert_eq!(verify(&key, &touched), Ok(1));
    }
    let touched = copy.get(&challenge(), ORIGIN, RP_ID).unwrap();
    assert_eq!(verify(&key, &touched), Ok(2));
}

#[test]
fn the_prf_is_the_formula() {
    let key = registered();
    let salt = [5; 32];
    let mut input = b"WebAuthn PRF\0".to_vec();
    input.extend_from_slice(&salt);
    let hashed = digest::digest(&digest::SHA256, &input);
    let secret = hmac::Key::new(hmac::HMAC_SHA256, key.inner.verified.as_slice());
    assert_eq!(
        key.prf(&salt).as_slice(),
        hmac::sign(&secret, hashed.as_ref()).as_ref()
    );
    assert_ne!(key.prf(&salt).as_slice(), key.prf(&[6; 32]).as_slice());
}

#[test]
fn prf_at_create_and_at_get_make_the_same_share_key_and_unverified_another() {
    let public = |prf: PrfOutput, key: &SoftwareKey| {
        let user = UserId::from_uuid_bytes([1; 16]);
        ShareKey::from_prf(&prf, key.credential_id(), &Hash::ZERO, user)
            .unwrap()
            .public()
            .unwrap()
    };
    let mut key = SoftwareKey::new(&maker()).unwrap();
    let created = key.create(&challenge(), ORIGIN, RP_ID, HANDLE).unwrap();
    let at_create = public(created.prf.unwrap(), &key);
    let touched = key.get(&challenge(), ORIGIN, RP_ID).unwrap();
    assert_eq!(at_create, public(touched.prf.unwrap(), &key));
    key.tweaks.user_unverified = true;
    let touched = key.get(&challenge(), ORIGIN, RP_ID).unwrap();
    assert_ne!(at_create, public(touched.prf.unwrap(), &key));
}

#[test]
fn keys_without_prf_or_only_at_get() {
    let mut key = SoftwareKey::new(&maker()).unwrap();
    key.tweaks.no_prf_at_create = true;
    let created = key.create(&challenge(), ORIGIN, RP_ID, HANDLE).unwrap();
    assert!(created.prf.is_none());
    assert!(key.get(&challenge(), ORIGIN, RP_ID).unwrap().prf.is_some());
    key.tweaks.no_prf = true;
    let touched = key.get(&challenge(), ORIGIN, RP_ID).unwrap();
    assert!(touched.prf.is_none());
    assert_eq!(touched.assertion.authenticator_data.len(), 37);
    assert!(verify(&key, &touched).is_ok());
}

#[test]
fn another_relying_party_and_a_second_credential_are_refused() {
    let mut key = registered();
    let other = key.get(&challenge(), ORIGIN, "evil.example");
    assert_eq!(other.err(), Some(KeyError::NoCredential));
    let again = key.create(&challenge(), ORIGIN, RP_ID, HANDLE);
    assert_eq!(again.err(), Some(KeyError::Occupied));
    let fresh = SoftwareKey::new(&maker()).unwrap();
    let early = fresh.get(&challenge(), ORIGIN, RP_ID);
    assert_eq!(early.err(), Some(KeyError::NoCredential));
}

fn member<'a>(map: &'a Value, name: &str) -> &'a Value {
    let members = map.as_map().unwrap();
    &members
        .iter()
        .find(|(key, _)| key.as_text() == Some(name))
        .unwrap()
        .1
}

#[test]
fn a_registration_says_what_it_should() {
    let maker = maker();
    let mut key = SoftwareKey::new(&maker).unwrap();
    let created = key.create(&challenge(), ORIGIN, RP_ID, HANDLE).unwrap();
    let object: Value =
        ciborium::from_reader(created.registration.attestation_object.as_slice()).unwrap();
    assert_eq!(member(&object, "fmt").as_text(), Some("packed"));
    let data = member(&object, "authData").as_bytes().unwrap();
    assert_eq!(data[..32], sha256(&[RP_ID.as_bytes()]));
    assert_eq!(
        data[32],
        USER_PRESENT | USER_VERIFIED | ATTESTED | EXTENSIONS
    );
    assert_eq!(data[33..37], 1_u32.to_be_bytes());
    assert_eq!(data[37..53], maker.aaguid());
    assert_eq!(data[53..55], [0, 32]);
    assert_eq!(&data[55..87], key.credential_id());
    let mut rest = &data[87..];
    let cose: Value = ciborium::from_reader(&mut rest).unwrap();
    assert_eq!(cose.as_map().unwrap().len(), 5);
    let extensions: Value = ciborium::from_reader(&mut rest).unwrap();
    assert_eq!(member(&extensions, "hmac-secret"), &Value::Bool(true));
    assert!(rest.is_empty());

    let client: serde_json::Value =
        serde_json::from_slice(&created.registration.client_data_json).unwrap();
    assert_eq!(client["type"], "webauthn.create");
    assert_eq!(client["origin"], ORIGIN);

    // The attestation's signature is the batch key's, and the batch certificate says the model.
    let statement = member(&object, "attStmt");
    let chain = member(statement, "x5c").as_array().unwrap();
    let certificate = chain[0].as_bytes().unwrap();
    let extension: Vec<u8> = [&[0x04_u8, 16][..], &maker.aaguid()[..]].concat();
    assert!(certificate.windows(18).any(|w| w == extension));
    let point = {
        let batch = maker.batch_key();
        assert!(certificate.windows(65).any(|w| w == batch));
        batch
    };
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
        .verify(
            &signed(data, &created.registration.client_data_json),
            member(statement, "sig").as_bytes().unwrap(),
        )
        .unwrap();
}

#[test]
fn without_attestation_there_is_no_model() {
    let mut key = SoftwareKey::new(&maker()).unwrap();
    key.tweaks.no_attestation = true;
    let created = key.create(&challenge(), ORIGIN, RP_ID, HANDLE).unwrap();
    let object: Value =
        ciborium::from_reader(created.registration.attestation_object.as_slice()).unwrap();
    assert_eq!(member(&object, "fmt").as_text(), Some("none"));
    let data = member(&object, "authData").as_bytes().unwrap();
    assert_eq!(data[37..53], [0; 16]);
    assert_eq!(key.aaguid(), [0; 16]);
}

#[test]
fn a_maker_exports_its_root_and_a_trust_list() {
    let maker = maker();
    assert!(maker.root_pem().starts_with("-----BEGIN CERTIFICATE-----"));
    let list = maker.trust_list("Software key");
    assert!(list.contains("09090909-0909-0909-0909-090909090909"));
    assert!(list.contains(maker.root_pem()));
}

#[test]
fn the_challenge_is_a_statements() {
    // What a page computes and what the client data carries are one and the same.
    let key = registered();
    let challenge = Challenge(labelled("statement", &[b"abc"]).0);
    let touched = key.get(&challenge, ORIGIN, RP_ID).unwrap();
    let client: serde_json::Value =
        serde_json::from_slice(&touched.assertion.client_data_json).unwrap();
    assert_eq!(
        client["challenge"],
        URL_SAFE_NO_PAD.encode(quorum::statement::challenge(b"abc").0)
    );
}
