use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde_json::Value;

use super::Tape;
use crate::hash::Hash;
use crate::json;
use crate::secret::header::Header;
use crate::secret::kept::Kept32;
use crate::secret::seal::{Drawn, Place, seal_drawn};
use crate::secret::*;
use crate::statement::Challenge;

/// A case of a vector file.
pub(super) struct Case(Value);

impl Case {
    pub(super) fn str(&self, name: &str) -> &str {
        self.0[name]
            .as_str()
            .unwrap_or_else(|| panic!("{}: no {name}", self.name()))
    }

    pub(super) fn name(&self) -> &str {
        self.0["name"].as_str().unwrap()
    }

    pub(super) fn hex(&self, name: &str) -> Vec<u8> {
        hex::decode(self.str(name)).unwrap()
    }

    pub(super) fn hex32(&self, name: &str) -> [u8; 32] {
        self.hex(name).try_into().unwrap()
    }

    pub(super) fn kept(&self, name: &str) -> Kept32 {
        Kept32::copy_of(&self.hex(name)).unwrap()
    }

    pub(super) fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(&self, name: &str) -> T {
        self.str(name).parse().unwrap()
    }

    pub(super) fn x(&self) -> u8 {
        u8::try_from(self.0["x"].as_u64().unwrap()).unwrap()
    }

    pub(super) fn envelope(&self) -> Envelope {
        Envelope::parse(self.str("envelope").as_bytes()).unwrap()
    }

    pub(super) fn list(&self, name: &str) -> Vec<Case> {
        self.0[name]
            .as_array()
            .unwrap()
            .iter()
            .cloned()
            .map(Case)
            .collect()
    }

    pub(super) fn hex_list(&self, name: &str) -> Vec<Vec<u8>> {
        let list = self.0[name].as_array().unwrap();
        list.iter()
            .map(|item| hex::decode(item.as_str().unwrap()).unwrap())
            .collect()
    }

    /// Compares what came out with what was expected.
    pub(super) fn expect<T>(&self, got: Result<T, OpenError>) -> Option<T> {
        let code = got.as_ref().err().map_or("ok", |error| error.code());
        assert_eq!(code, self.str("expect"), "{}", self.name());
        if let Some(wrong) = self.0["wrong"].as_u64() {
            let named = got.as_ref().err().and_then(|error| error.place());
            assert_eq!(named.map(u64::from), Some(wrong), "{}", self.name());
        }
        got.ok()
    }
}

pub(super) fn cases(file: &str) -> Vec<Case> {
    let path = format!("{}/vectors/secret-{file}.json", env!("CARGO_MANIFEST_DIR"));
    let mut text: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = match text["cases"].take() {
        Value::Array(cases) => cases,
        _ => panic!("no cases"),
    };
    assert!(!cases.is_empty());
    cases.into_iter().map(Case).collect()
}

pub(super) fn header(text: &str) -> Header {
    Header::of_value(json::parse(text.as_bytes()).unwrap()).unwrap()
}

#[test]
fn seal() {
    for case in cases("seal") {
        let header = header(case.str("header"));
        assert_eq!(header.bytes(), case.str("header").as_bytes());
        assert_eq!(header.ctx(), case.id("ctx"));
        let plaintext = Plaintext::new(case.hex("plaintext"));
        let drawn = || Drawn {
            q: HalfQ(case.kept("q")),
            h: HalfH(case.kept("h")),
            nonce: case.hex("nonce").try_into().unwrap(),
        };
        let places: Vec<Place> = case
            .list("approvers")
            .iter()
            .map(|approver| Place {
                x: approver.x(),
                approver: approver.id("approver"),
                keys: approver
                    .list("keys")
                    .iter()
                    .map(|key| (key.id("authenticator"), key.hex32("share_key")))
                    .collect(),
            })
            .collect();
        // `sharks` draws for each byte of the secret, the highest power first.
        let coefficients = case.hex_list("coefficients");
        let singles = (0..32).flat_map(|byte| coefficients.iter().rev().map(move |c| c[byte]));
        let keys = case
            .list("approvers")
            .iter()
            .flat_map(|a| a.list("keys"))
            .collect::<Vec<_>>();
        let mut tape = Tape {
            singles: singles.collect(),
            buffers: keys.iter().map(|key| key.hex("ephemeral_ikm")).collect(),
        };
        let (key, commitment) = super::super::keys::derive(&drawn().q, &drawn().h, &header.ctx())
            .ok()
            .unwrap();
        assert_eq!(key.expose().as_slice(), case.hex("k"));
        assert_eq!(commitment, case.id("key_commitment"));
        let sealed = seal_drawn(&header, &places, &plaintext, drawn(), &mut tape)
            .ok()
            .unwrap();
        assert!(tape.singles.is_empty() && tape.buffers.is_empty());
        assert_eq!(
            sealed.envelope.bytes(),
            case.str("envelope").as_bytes(),
            "{}",
            case.name()
        );
        assert_eq!(sealed.envelope.hash(), case.id("envelope_hash"));
        assert_eq!(sealed.h.expose().as_slice(), case.hex("h"));
        assert_eq!(sealed.shares.len(), keys.len());
        for (share, key) in sealed.shares.iter().zip(&keys) {
            assert_eq!(share.sealed, key.hex("sealed"), "{}", case.name());
            assert_eq!(share.authenticator, key.id("authenticator"));
            let own = ShareKey(key.kept("private_key"));
            assert_eq!(own.public().unwrap(), key.hex32("share_key"));
            let opened = open_share(share, &own, &sealed.envelope).ok().unwrap();
            assert_eq!(
                opened.bytes.expose().as_slice(),
                case.hex_list("shares")[usize::from(share.x) - 1]
            );
        }
    }
}

#[test]
fn envelope() {
    for case in cases("envelope") {
        let parsed = Envelope::parse(case.str("envelope").as_bytes());
        let code = if parsed.is_ok() { "ok" } else { "malformed" };
        assert_eq!(
            code,
            case.str("expect"),
            "{}: {:?}",
            case.name(),
            parsed.err()
        );
        if let Ok(envelope) = parsed {
            assert_eq!(envelope.bytes(), case.str("envelope").as_bytes());
            let n = envelope.header().n;
            assert!(envelope.share_commitment(0).is_none());
            assert!(envelope.share_commitment(n).is_some());
            assert!(envelope.share_commitment(n + 1).is_none());
        }
    }
}

#[test]
fn share() {
    for case in cases("share") {
        let sealed = ShareEnvelope {
            approver: case.id("approver"),
            authenticator: case.id("authenticator"),
            x: case.x(),
            sealed: case.hex("sealed"),
        };
        let opened = open_share(
            &sealed,
            &ShareKey(case.kept("private_key")),
            &case.envelope(),
        );
        if let Some(share) = case.expect(opened) {
            assert_eq!(share.bytes.expose().as_slice(), case.hex("share"));
            assert_eq!(share.x(), case.x());
        }
    }
}

#[test]
fn delivery() {
    for case in cases("delivery") {
        let key = DeliveryKey::copy_of(&case.hex("private_key")).unwrap();
        let (to, envelope, sealed) = (key.public().unwrap(), case.envelope(), case.hex("sealed"));
        let mut tape = Tape {
            singles: [].into(),
            buffers: [case.hex("ephemeral_ikm")].into(),
        };
        if case.str("what") == "h" {
            let leaf: Hash = case.id("leaf");
            if let Some(h) = case.expect(open_delivered_h(&sealed, &key, &leaf, &envelope)) {
                assert_eq!(h.expose().as_slice(), case.hex("h"));
                let again = delivery::seal_h_with(&h, &to, &leaf, &envelope, &mut tape);
                assert_eq!(again.unwrap(), sealed, "{}", case.name());
            }
        } else {
            let challenge = Challenge(case.hex32("challenge"));
            let opened = open_delivered_share(&sealed, case.x(), &key, &challenge, &envelope);
            if let Some(share) = case.expect(opened) {
                assert_eq!(share.bytes.expose().as_slice(), case.hex("share"));
                let again = delivery::reseal_share_with(&share, &to, &challenge, &mut tape);
                assert_eq!(again.unwrap(), sealed, "{}", case.name());
            }
        }
    }
}

#[test]
fn open() {
    for case in cases("open") {
        let envelope = case.envelope();
        let shares: Vec<Share> = case
            .list("shares")
            .iter()
            .map(|share| Share {
                x: share.x(),
                ctx: *envelope.ctx(),
                bytes: share.kept("share"),
            })
            .collect();
        let h = HalfH::copy_of(&case.hex("h")).unwrap();
        if let Some(plaintext) = case.expect(combine(&envelope, &shares, &h)) {
            assert_eq!(plaintext.expose(), case.hex("plaintext"), "{}", case.name());
        }
    }
}

#[test]
fn padding() {
    for case in cases("padding") {
        let padded = case.hex("padded");
        match super::super::padding::unpad(&padded) {
            Ok(content) => {
                assert_eq!(case.str("expect"), "ok", "{}", case.name());
                assert_eq!(content, case.hex("plaintext"));
                assert_eq!(*super::super::padding::pad(content, 0), padded);
            }
            Err(BadPadding) => assert_eq!(case.str("expect"), "bad_padding", "{}", case.name()),
        }
    }
}

#[test]
fn prf() {
    for case in cases("prf") {
        assert_eq!(PrfOutput::salt(), case.hex32("eval_first"));
        let prf = PrfOutput::copy_of(&case.hex("prf_output")).unwrap();
        let key = ShareKey::from_prf(
            &prf,
            &case.hex("credential_id"),
            &case.id("ledger"),
            case.id("user"),
        )
        .ok()
        .unwrap();
        assert_eq!(
            key.0.expose().as_slice(),
            case.hex("private_key"),
            "{}",
            case.name()
        );
        assert_eq!(
            key.public().unwrap(),
            case.hex32("share_key"),
            "{}",
            case.name()
        );
    }
}

#[test]
fn enrolment() {
    for case in cases("enrol-box") {
        let key = ShareKey(case.kept("private_key"));
        let (ledger, user) = (case.id("ledger"), case.id("user"));
        let opened = enrol_box::open(&key, &ledger, user, &case.hex("box"));
        if let Some(content) = case.expect(opened) {
            assert_eq!(content.expose(), case.hex("content"));
            let mut tape = Tape {
                singles: [].into(),
                buffers: [case.hex("ephemeral_ikm")].into(),
            };
            let to = key.public().unwrap();
            let again = enrol_box::seal_with(&to, &ledger, user, content.expose(), &mut tape);
            assert_eq!(again.unwrap(), case.hex("box"));
        }
    }
}

#[test]
fn custody() {
    for case in cases("custody") {
        let aad = custody_aad(case.id("key"), &header(case.str("header")).ctx());
        assert_eq!(aad, case.hex("aad"), "{}", case.name());
        // What the token does.
        let token = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &case.hex("kek")).unwrap());
        let wrapped = case.hex("wrapped");
        let (iv, rest) = wrapped.split_at(12);
        let mut rest = rest.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(iv).unwrap();
        let unwrapped = token.open_in_place(nonce, Aad::from(aad), &mut rest).ok();
        let h = unwrapped.and_then(|bytes| HalfH::copy_of(bytes));
        assert_eq!(h.is_some(), case.str("expect") == "ok", "{}", case.name());
        if let Some(h) = h {
            assert_eq!(h.expose().as_slice(), case.hex("h"));
        }
    }
}
