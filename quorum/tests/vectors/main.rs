//! The vectors in `quorum/vectors`: read, and refused or accepted as they say.
//!
//! `QUORUM_NEW_VECTORS=1 cargo test -p quorum --test vectors` writes the files that are missing and
//! touches none that is there: what was accepted once is accepted for ever.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "../support/world.rs"]
mod world;

mod assertions;
mod canonical;
mod evidence;
mod rosters;
mod statements;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

/// One vector.
pub struct Case {
    pub name: String,
    pub what: String,
    pub given: Map<String, Value>,
    pub expect: String,
}

impl Case {
    pub fn new(
        name: impl Into<String>,
        what: impl Into<String>,
        expect: &str,
        given: Value,
    ) -> Self {
        let Value::Object(given) = given else {
            panic!("no object")
        };
        Self {
            name: name.into(),
            what: what.into(),
            given,
            expect: expect.into(),
        }
    }

    pub fn text(&self, member: &str) -> &str {
        self.given[member].as_str().unwrap()
    }

    pub fn bytes(&self, member: &str) -> Vec<u8> {
        hex::decode(self.text(member)).unwrap()
    }
}

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("vectors")
        .join(file)
}

/// Writes a file of vectors, unless it is there.
fn keep(file: &str, about: &str, shared: Option<&Value>, cases: Vec<Case>) {
    let path = path(file);
    assert!(!path.exists(), "{file} is there and stays as it is");
    // One line each: a change to a file shows as the lines that it adds.
    let cases: Vec<String> = cases
        .into_iter()
        .map(|case| {
            let mut all = Map::new();
            all.insert("name".into(), json!(case.name));
            if !case.what.is_empty() {
                all.insert("what".into(), json!(case.what));
            }
            all.extend(case.given);
            all.insert("expect".into(), json!(case.expect));
            Value::Object(all).to_string()
        })
        .collect();
    let about = json!(about);
    let shared = shared.map_or_else(String::new, |shared| format!("\n\"shared\":{shared},"));
    let cases = cases.join(",\n");
    let text = format!("{{\"about\":{about},{shared}\"cases\":[\n{cases}\n]}}\n");
    std::fs::write(path, text).unwrap();
}

/// Reads a file of vectors, making it first if it is missing and the making was asked for.
fn cases(file: &str, about: &str, make: impl FnOnce() -> Vec<Case>) -> Vec<Case> {
    cases_with_shared(file, about, || (None, make())).1
}

/// As [`cases`], for a file whose cases have something in common.
fn cases_with_shared(
    file: &str,
    about: &str,
    make: impl FnOnce() -> (Option<Value>, Vec<Case>),
) -> (Value, Vec<Case>) {
    if !path(file).exists() && std::env::var_os("QUORUM_NEW_VECTORS").is_some() {
        let (shared, cases) = make();
        keep(file, about, shared.as_ref(), cases);
    }
    let text = std::fs::read_to_string(path(file)).unwrap();
    let mut all: Value = serde_json::from_str(&text).unwrap();
    let mut names = BTreeSet::new();
    let cases = all["cases"].as_array().unwrap().iter().map(|case| {
        let mut given = case.as_object().unwrap().clone();
        let mut take = |member: &str| match given.remove(member) {
            Some(Value::String(text)) => text,
            _ => panic!("{file}: a case without {member}"),
        };
        let (name, expect) = (take("name"), take("expect"));
        let what = given
            .remove("what")
            .map_or_else(String::new, |what| what.as_str().unwrap().into());
        let case = Case {
            name,
            what,
            expect,
            given,
        };
        assert!(
            names.insert(case.name.clone()),
            "{file}: {} twice",
            case.name
        );
        case
    });
    let cases = cases.collect();
    (all["shared"].take(), cases)
}

/// Judges every case; prints all that fail.
fn judge(file: &str, cases: &[Case], judge: impl Fn(&Case) -> Result<(), String>) {
    let mut wrong = Vec::new();
    for case in cases {
        let got = judge(case).err().unwrap_or_else(|| "ok".into());
        if got != case.expect {
            wrong.push(format!("{file}: {}: {got}, not {}", case.name, case.expect));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let refused = cases.iter().filter(|case| case.expect != "ok").count();
    println!("{file}: {} vectors, {refused} of them refused", cases.len());
}
