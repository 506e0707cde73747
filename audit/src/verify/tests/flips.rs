//! Nothing but the true bytes is valid, and nothing makes the verifier fail.

use std::fs;

use proptest::prelude::*;

use super::story::{Story, story};
use super::*;

/// Names and contents of the files, and the fingerprint.
type Files = ([(&'static str, Vec<u8>); 3], [u8; 32]);

/// The files of one true export, made once.
fn files() -> &'static Files {
    static FILES: std::sync::OnceLock<Files> = std::sync::OnceLock::new();
    FILES.get_or_init(|| {
        let Story {
            mut l,
            asker,
            approvers,
            sealed,
            ..
        } = story();
        l.keep();
        let filed = l.ask_release(asker, &sealed, json!({}));
        let approvals = [
            l.approve(&filed, approvers[0]),
            l.approve(&filed, approvers[1]),
        ];
        l.open(asker, &sealed, &filed, &approvals, json!({}));
        l.close(&filed, "checked_in");
        l.keep();
        l.tick();
        valid(&l);
        let dir = tempfile::tempdir().unwrap();
        l.export(dir.path());
        let files = ["entries.jsonl", "checkpoint", "checkpoints.jsonl"]
            .map(|name| (name, fs::read(dir.path().join(name)).unwrap()));
        (files, l.founded())
    })
}

fn outcome(change: impl Fn(usize, &mut Vec<u8>), threads: usize) -> Outcome {
    let (files, founded) = files();
    let dir = tempfile::tempdir().unwrap();
    for (at, (name, bytes)) in files.iter().enumerate() {
        let mut bytes = bytes.clone();
        change(at, &mut bytes);
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    let options = Options {
        founded: Some(*founded),
        seen: Vec::new(),
        threads,
    };
    verify_dir(dir.path(), &options).outcome
}

#[test]
fn the_true_bytes_are_valid() {
    assert_eq!(outcome(|_, _| (), 2), Outcome::Valid);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_flipped_bit_is_never_valid(at in any::<prop::sample::Index>(), file in prop::sample::select(vec![0, 0, 0, 1, 2]), bit in 0_u32..8) {
        let outcome = outcome(|own, bytes| if own == file {
            let place = at.index(bytes.len());
            bytes[place] ^= 1_u8 << bit;
        }, 1);
        prop_assert_ne!(outcome, Outcome::Valid);
        prop_assert_ne!(outcome, Outcome::SelfConsistent);
    }

    #[test]
    fn bytes_taken_or_put_are_never_valid(at in any::<prop::sample::Index>(), file in 0_usize..3, taken in 0_usize..40, put in proptest::collection::vec(any::<u8>(), 0..40)) {
        let (files, _) = files();
        let len = files[file].1.len();
        let from = at.index(len);
        let to = (from + taken).min(len);
        prop_assume!(files[file].1[from..to] != put[..]);
        // An empty `checkpoints.jsonl` says as much as one with fewer whole lines: those are other true exports.
        let mut changed = files[file].1.clone();
        changed.splice(from..to, put.iter().copied());
        prop_assume!(file != 2 || !changed.is_empty());
        let outcome = outcome(|own, bytes| if own == file { bytes.clone_from(&changed); }, 2);
        prop_assert_ne!(outcome, Outcome::Valid);
    }

    #[test]
    fn any_bytes_are_answered(entries in proptest::collection::vec(any::<u8>(), 0..400), checkpoint in proptest::collection::vec(any::<u8>(), 0..200), rest in proptest::collection::vec(any::<u8>(), 0..200)) {
        let all = [entries, checkpoint, rest];
        prop_assert_ne!(outcome(|own, bytes| bytes.clone_from(&all[own]), 2), Outcome::Valid);
    }
}
