//! Checkpoints and keys: vectors made by another implementation, most of them refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use audit::checkpoint::{self, BadKey, Checkpoint, CheckpointError, VerifierKey};
use common::*;
use serde_json::Value;

#[test]
fn checkpoint_vectors() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/checkpoints.json")).unwrap();
    let name = vectors["name"].as_str().unwrap();
    let keys: Vec<VerifierKey> = vectors["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key.as_str().unwrap().parse().unwrap())
        .collect();
    for case in vectors["cases"].as_array().unwrap() {
        let expected = match case["error"].as_str() {
            None => Ok(Checkpoint {
                size: case["size"].as_u64().unwrap(),
                root: case["root"].as_str().unwrap().parse().unwrap(),
            }),
            Some("malformed") => Err(CheckpointError::Malformed),
            Some("other_name") => Err(CheckpointError::OtherName),
            Some("unsigned") => Err(CheckpointError::Unsigned),
            Some("bad_signature") => Err(CheckpointError::BadSignature),
            Some(other) => panic!("{other}"),
        };
        assert_eq!(
            checkpoint::verify(case["note"].as_str().unwrap(), name, &keys),
            expected,
            "{}",
            case["case"]
        );
    }
}

#[test]
fn notes_made_here_are_those_of_the_vectors_and_of_signed_note() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/checkpoints.json")).unwrap();
    let case = &vectors["cases"][0];
    let root = case["root"].as_str().unwrap().parse().unwrap();
    let body = checkpoint::body(LEDGER, 7, &root);
    let note = checkpoint::note(&body, &[(&verifier_key(), sign(&body))]);
    assert_eq!(note, case["note"].as_str().unwrap());

    let verifier = signed_note::StandardVerifier::new(&verifier_key().to_string()).unwrap();
    let parsed = signed_note::Note::from_bytes(note.as_bytes()).unwrap();
    parsed
        .verify(&signed_note::VerifierList::new(vec![Box::new(verifier)]))
        .unwrap();
    let read = tlog_tiles::Checkpoint::from_bytes(parsed.text()).unwrap();
    assert_eq!(
        (read.origin(), read.size(), read.hash().0),
        (LEDGER, 7, root.0)
    );
}

#[test]
fn keys_have_one_spelling() {
    let key = verifier_key();
    let text = key.to_string();
    assert_eq!(text.parse::<VerifierKey>().unwrap(), key);
    // The key itself may hold a `+`: names may not, so the first two separate.
    let mut parts = text.splitn(3, '+');
    let (name, id, base64) = (
        parts.next().unwrap(),
        parts.next().unwrap(),
        parts.next().unwrap(),
    );
    for bad in [
        String::new(),
        name.to_owned(),
        format!("{name}+{id}"),
        format!("{name}+{}+{base64}", id.to_uppercase()),
        format!("{name}+00000000+{base64}"),
        format!("{name}+{id}+{base64}="),
        format!("{name}+{id}+{}", &base64[1..]),
        format!("{name} +{id}+{base64}"),
        format!("+{id}+{base64}"),
        format!("{name}+{id}+Ag{}", &base64[2..]),
        format!("{text}\n"),
    ] {
        assert_eq!(bad.parse::<VerifierKey>(), Err(BadKey), "{bad}");
    }
    for name in ["", "a b", "a+b", "a\nb", "a\u{a0}b", "a\u{7f}"] {
        assert_eq!(
            VerifierKey::new(name, *key.as_bytes()),
            Err(BadKey),
            "{name:?}"
        );
    }
    let no_point = (0..=255_u8)
        .map(|n| [n; 32])
        .find(|bytes| VerifierKey::new(LEDGER, *bytes).is_err());
    assert!(
        no_point.is_some(),
        "some byte strings are no point of the curve"
    );
}
