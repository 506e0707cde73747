//! Whatever bytes come in, the readers refuse or agree with their writers; nothing panics.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "support/world.rs"]
mod world;

use std::sync::LazyLock;

use proptest::prelude::*;
use quorum::assertion::{Assertion, PublicKey, verify};
use quorum::entry::Entry;
use quorum::evidence::{Proved, Trust};
use quorum::hash::Hash;
use quorum::json::{self, Value};
use quorum::roster::{RosterLimit, Threshold, VerifiedRoster};
use quorum::statement::{Challenge, Pin, Statement};
use world::World;

static WORLD: LazyLock<World> = LazyLock::new(|| World::with_safe(2, 3).0);

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        (-json::MAX_INT..=json::MAX_INT).prop_map(Value::Int),
        "[ -~\u{e9}\u{1f510}]{0,12}".prop_map(Value::Str),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Arr),
            prop::collection::btree_map("[a-z][a-z0-9_]{0,6}", inner, 0..5).prop_map(Value::Obj),
        ]
    })
}

/// Bytes made of good ones by cutting, repeating and changing a few.
fn spoiled(good: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8);
    prop::collection::vec(edit, 1..4).prop_map(move |edits| {
        let mut bytes = good.to_vec();
        for (at, byte, how) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes[at] ^= 1,
            }
        }
        bytes
    })
}

static ENTRY: LazyLock<&'static [u8]> = LazyLock::new(|| WORLD.entries[4].clone().leak());
static STATEMENT: LazyLock<&'static [u8]> = LazyLock::new(|| {
    let entry = Entry::parse(&WORLD.entries[4]).unwrap();
    entry.signed().unwrap().statement_bytes.clone().leak()
});
static CLIENT_DATA: LazyLock<&'static [u8]> =
    LazyLock::new(|| world::client_data(Challenge([7; 32])).leak());
static NOTE: LazyLock<&'static [u8]> = LazyLock::new(|| WORLD.note().into_bytes().leak());

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(value in values()) {
        let bytes = json::encode(&value);
        prop_assert_eq!(json::parse(&bytes), Ok(value));
    }

    #[test]
    fn any_text(text in r#"[\[\]{}":,0-9eE.+\\a-b\u{e9}\u{301} -]{0,40}"#) {
        if let Ok(value) = json::parse(text.as_bytes()) {
            prop_assert_eq!(json::encode(&value), text.into_bytes());
        }
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = json::parse(&bytes);
        prop_assert!(Statement::parse(&bytes).is_err());
        prop_assert!(Entry::parse(&bytes).is_err());
    }

    #[test]
    fn a_spoiled_statement_is_refused_or_another(bytes in spoiled(*STATEMENT)) {
        if let Ok(statement) = Statement::parse(&bytes) {
            prop_assert_eq!(statement.bytes(), bytes);
        }
    }

    #[test]
    fn a_spoiled_entry_is_not_in_the_ledger(entry in spoiled(*ENTRY)) {
        let mut proved = WORLD.proved(4);
        let same = proved.entry == entry;
        proved.entry = entry;
        prop_assert_eq!(WORLD.trust().entry(&proved).is_ok(), same);
    }

    #[test]
    fn spoiled_client_data_is_refused(client_data_json in spoiled(*CLIENT_DATA)) {
        let key = &WORLD.keys[&WORLD.players[1].keys[0]];
        let good = key.touch(Challenge([7; 32]));
        let same = client_data_json == *CLIENT_DATA;
        let touch = Assertion { client_data_json, ..good };
        let public = PublicKey::from_sec1(key.public_key()).unwrap();
        prop_assert_eq!(verify(&World::rp(), &public, &Challenge([7; 32]), &touch).is_ok(), same);
    }

    #[test]
    fn spoiled_signatures_and_authenticator_data_are_refused(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let key = &WORLD.keys[&WORLD.players[1].keys[0]];
        let public = PublicKey::from_sec1(key.public_key()).unwrap();
        let mut touch = key.touch(Challenge([7; 32]));
        let length = touch.signature.len();
        let at = at.index(length + touch.authenticator_data.len());
        match at.checked_sub(length) {
            None => touch.signature[at] ^= 1 << bit,
            Some(at) => touch.authenticator_data[at] ^= 1 << bit,
        }
        prop_assert!(verify(&World::rp(), &public, &Challenge([7; 32]), &touch).is_err());
    }

    #[test]
    fn a_spoiled_checkpoint_is_refused(note in spoiled(*NOTE)) {
        let Ok(note) = String::from_utf8(note) else { return Ok(()) };
        let trust = Trust::check(&note, &WORLD.proved(0), WORLD.ledger(), None, &[]);
        prop_assert_eq!(trust.is_ok(), note.as_bytes() == *NOTE);
    }

    #[test]
    fn a_spoiled_proof_is_refused(seq in 0..14_u64, size in 0..40_u64, at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let trust = WORLD.trust();
        let mut proved = WORLD.proved(seq);
        let place = at.index(proved.proof.len() * 32);
        proved.proof[place / 32].0[place % 32] ^= 1 << bit;
        prop_assert!(trust.entry(&proved).is_err());
        let moved = Proved { seq: size, ..WORLD.proved(seq) };
        prop_assert_eq!(trust.entry(&moved).is_ok(), size == seq);
    }

    #[test]
    fn any_pin(text in "(sha256:|ssh:SHA256:|unix)?[0-9a-fA-F+/=]{0,66}") {
        if let Ok(pin) = text.parse::<Pin>() {
            prop_assert_eq!(pin.to_string(), text);
        }
    }

    #[test]
    fn thresholds_keep_their_bounds(m in any::<u64>(), n in 0..300_usize, drill in any::<bool>()) {
        for m in [m, m % 120] {
            let good = n <= 100 && m <= n as u64 && (m >= 2 || (drill && m == 1));
            prop_assert_eq!(Threshold::new(m, n, drill).is_ok(), good);
        }
    }
}

/// The largest roster there can be; its last approver has place 100.
#[test]
fn a_hundred_approvers() {
    let (world, _) = World::with_safe(67, 100);
    let roster = VerifiedRoster::verify(&world.trust(), &world.evidence()).unwrap();
    assert_eq!((roster.m().get(), roster.n()), (67, 100));
    let last = roster.approvers().last().unwrap();
    assert_eq!((last.x, last.user), (100, world.players[100].user));
    for (approver, x) in roster.approvers().iter().zip(1..) {
        assert_eq!(approver.x, x);
        let key = &world.keys[&world.players[usize::from(x)].keys[0]];
        assert_eq!(approver.authenticators[0].share_key, key.share_key());
    }
    assert_eq!(Threshold::new(67, 101, false), Err(RosterLimit::TooMany));
}

#[test]
fn hashes_have_one_spelling() {
    let hash = Hash([0xab; 32]);
    assert_eq!(hash.to_string().parse(), Ok(hash));
    for text in [
        "",
        "ab",
        &hash.to_string().to_uppercase(),
        &format!("{hash}0"),
        &format!("+{}", &hash.to_string()[1..]),
    ] {
        assert!(text.parse::<Hash>().is_err(), "{text}");
    }
}
