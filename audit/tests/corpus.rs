//! The verifier against the corpus (`tests/corpus/README.md`): every export gets the verdict that is due, at the entry that is due.
//!
//! `VITRINE_CORPUS` says where the corpus is. It is made by a program of its own and is not skipped when it is missing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, thread};

use audit::verify::{Options, Report, verify_dir};
use serde_json::Value;

/// How the corpus is made and found: what to do when it isn't there.
const HOW: &str = "`make target/corpus/made` writes the corpus to target/corpus, \
    `VITRINE_CORPUS=$PWD/target/corpus cargo test -p audit --test corpus` reads it from there";

/// The folders of all cases, in the order of their names.
fn cases(corpus: &Path) -> Vec<PathBuf> {
    let folders =
        fs::read_dir(corpus).unwrap_or_else(|e| panic!("{}: {e}; {HOW}", corpus.display()));
    let mut cases: Vec<PathBuf> = folders
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("expect.json").is_file())
        .collect();
    assert!(!cases.is_empty(), "no case in {}: {HOW}", corpus.display());
    cases.sort();
    cases
}

fn report(case: &Path, expected: &Value, threads: usize) -> Report {
    let mut founded = [0; 32];
    let options = Options {
        founded: expected["founded"].as_str().map(|digits| {
            hex::decode_to_slice(digits, &mut founded).unwrap();
            founded
        }),
        seen: expected["seen"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|name| case.join(name.as_str().unwrap()))
            .collect(),
        threads,
    };
    verify_dir(&case.join("export"), &options)
}

/// What differs from what is due, if anything does.
fn difference(case: &Path) -> Option<String> {
    let name = case.file_name().unwrap().to_string_lossy();
    let expected: Value =
        serde_json::from_slice(&fs::read(case.join("expect.json")).unwrap()).unwrap();
    let one = report(case, &expected, 1);
    let two = report(case, &expected, 2);
    if one != two {
        return Some(format!("{name}: one thread found {one:?}, two {two:?}"));
    }
    // `also`: other places that are as good to name. A null is the export, or a checkpoint.
    let also = expected["also"].as_array().into_iter().flatten();
    let named = std::iter::once(&expected["seq"])
        .chain(also)
        .any(|seq| seq.as_u64() == one.seq);
    if named && expected["exit"].as_u64() == Some(one.exit_code().into()) {
        return None;
    }
    Some(format!(
        "{name}: expected {} at {} ({}), found {} at {:?} ({})",
        expected["exit"],
        expected["seq"],
        expected["lie"],
        one.exit_code(),
        one.seq,
        one.lie.as_deref().unwrap_or_default()
    ))
}

#[test]
fn every_case_of_the_corpus_is_judged_as_is_due() {
    let corpus = env::var_os("VITRINE_CORPUS").filter(|path| !path.is_empty());
    let corpus = corpus.unwrap_or_else(|| panic!("VITRINE_CORPUS is not set: {HOW}"));
    let cases = cases(Path::new(&corpus));
    let (next, differing) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, |n| n.get().min(8)) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    differing.lock().unwrap().extend(difference(case));
                }
            });
        }
    });
    let mut differing = differing.into_inner().unwrap();
    differing.sort();
    assert!(
        differing.is_empty(),
        "{} of {} differ\n{}",
        differing.len(),
        cases.len(),
        differing.join("\n")
    );
}
