//! A small ledger to write: the same people and things in every test.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing
)]

use audit::checkpoint::VerifierKey;
use audit::event::*;
use audit::{Chain, Draft, Hash, Id};

/// 1 November 2026, in microseconds.
pub const START: i64 = 1_793_491_200_000_000;
pub const SECOND: i64 = 1_000_000;
pub const DAY: i64 = 24 * 60 * 60 * SECOND;
pub const LEDGER: &str = "vitrine.example/test";

pub fn id(n: u8) -> Id {
    let mut bytes = [n; 16];
    bytes[6] = 0x70 | n & 0x0f;
    bytes[8] = 0x80 | n & 0x0f;
    Id::from_bytes(bytes)
}

pub fn hash(n: u8) -> Hash {
    Hash([n; 32])
}

pub fn assertion() -> Assertion {
    Assertion {
        authenticator_data: vec![7; 37],
        client_data_json: br#"{"type":"webauthn.get"}"#.to_vec(),
        signature: vec![0x30; 71],
    }
}

/// A signed thing whose statement has these members besides `kind` and `signer`.
pub fn signed(kind: &str, signer: Id, more: &[(&str, serde_json::Value)]) -> Signed {
    let mut statement: std::collections::BTreeMap<&str, serde_json::Value> =
        more.iter().cloned().collect();
    statement.insert("kind", kind.into());
    statement.insert("signer", signer.to_string().into());
    Signed {
        authenticator: id(9),
        statement: serde_json::to_vec(&statement).unwrap(),
        assertion: assertion(),
    }
}

/// A point on the curve to name as a key.
pub fn verifier_key() -> VerifierKey {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    let pair = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap();
    VerifierKey::new(LEDGER, pair.public_key().as_ref().try_into().unwrap()).unwrap()
}

pub fn sign(body: &[u8]) -> [u8; 64] {
    let pair = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap();
    pair.sign(body).as_ref().try_into().unwrap()
}

pub fn founding() -> Founding {
    Founding {
        checkpoint_keys: vec![verifier_key()],
        continues: None,
        name: LEDGER.into(),
        origins: vec!["https://vitrine.example".into()],
        rp_id: "vitrine.example".into(),
    }
}

pub fn system(event: Event) -> Draft {
    Draft {
        actor: Actor::System,
        event,
    }
}

pub fn by(person: Id, event: Event) -> Draft {
    Draft {
        actor: person.into(),
        event,
    }
}

pub fn first_invitation(ledger: Hash) -> FirstInvitation {
    FirstInvitation {
        expires: START + DAY,
        invitation: hash(0x11),
        ledger,
        name: "Mara Lindqvist".into(),
        nonce: [5; 32],
        roles: vec![Role::Custodian, Role::Approver],
        user: id(1),
    }
}

/// A ledger with its first two entries, and what they were.
pub fn founded() -> (Chain, Vec<audit::Appended>) {
    let mut chain = Chain::new();
    let first = chain
        .append(&system(Event::LedgerFounded(founding().into())), START)
        .unwrap();
    let second = chain
        .append(
            &system(Event::FirstPersonInvited(first_invitation(first.leaf))),
            START,
        )
        .unwrap();
    (chain, vec![first, second])
}

/// About as large as entries are.
pub fn release_opened() -> Event {
    Event::ReleaseOpened(
        ReleaseOpened {
            approvals: vec![48209, 48211, 48212],
            credential: id(2),
            envelope: hash(0x22),
            epoch: 6,
            request: id(3),
            requester: id(4),
            roster: hash(0x33),
            safe: id(5),
            version: 14,
        }
        .into(),
    )
}
