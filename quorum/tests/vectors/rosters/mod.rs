//! Rosters: whole small ledgers, each with one lie in it.

mod change;
mod founding;
mod good;
mod people;
mod play;

use quorum::evidence::{Proved, Trust};
use quorum::hash::Hash;
use quorum::roster::VerifiedRoster;
use serde_json::{Value, json};

use self::play::{BASES, Cases, strings};
use super::world::{evidence_of, tree};
use super::{Case, cases_with_shared, judge};

fn make() -> (Option<Value>, Vec<Case>) {
    let shared = json!({
        "people": strings(&BASES.people.entries),
        "safe": strings(&BASES.safe.0.entries[BASES.people.entries.len()..]),
    });
    let mut all = Cases::default();
    good::good(&mut all);
    founding::founding_lies(&mut all);
    founding::acceptance_lies(&mut all);
    founding::named_lies(&mut all);
    people::people_lies(&mut all);
    people::key_lies(&mut all);
    people::signature_lies(&mut all);
    change::change_lies(&mut all);
    good::thefts(&mut all);
    people::lapsed_lies(&mut all);
    let cases = all.0.into_iter();
    let cases = cases
        .map(|mut case| {
            if case.expect == "ok" {
                let roster = check(&shared, &case).unwrap();
                case.given.insert("roster".into(), describe(&roster));
            }
            case
        })
        .collect();
    (Some(shared), cases)
}

fn describe(roster: &VerifiedRoster) -> Value {
    let approvers: Vec<Value> = roster
        .approvers()
        .iter()
        .map(|a| {
            let keys: Vec<String> = a
                .authenticators
                .iter()
                .map(|key| key.authenticator.to_string())
                .collect();
            json!({"user": a.user.to_string(), "name": a.name, "x": a.x, "authenticators": keys})
        })
        .collect();
    json!({
        "safe": roster.safe().to_string(), "epoch": roster.epoch(), "leaf": roster.leaf().to_string(),
        "m": roster.m().get(), "name": roster.name(), "drill": roster.drill(), "denials": roster.denials(),
        "request_life_s": roster.request_life_s(), "grant_life_s": roster.grant_life_s(), "approvers": approvers,
    })
}

fn check(shared: &Value, case: &Case) -> Result<VerifiedRoster, String> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let seqs = |member: &str| list(case.given.get(member));
    let base = match case.given.get("base").and_then(Value::as_str) {
        None => vec![],
        Some("people") => list(shared.get("people")),
        Some("safe") => [list(shared.get("people")), list(shared.get("safe"))].concat(),
        Some(other) => panic!("{other}"),
    };
    let entries: Vec<Vec<u8>> = [base, seqs("entries")]
        .concat()
        .iter()
        .map(|entry| entry.as_str().unwrap().into())
        .collect();
    let leaves: Vec<Hash> = entries
        .iter()
        .map(|entry| quorum::hash::leaf(entry))
        .collect();
    let tree = tree(&leaves);
    let proved = |seq: u64| Proved {
        seq,
        entry: entries[seq as usize].clone(),
        proof: tree.inclusion(seq),
    };
    let trust = Trust::check(case.text("note"), &proved(0), leaves[0], None, &[]).unwrap();
    let left: Vec<u64> = seqs("left_out")
        .iter()
        .map(|seq| seq.as_u64().unwrap())
        .collect();
    let mut evidence = evidence_of(&entries, proved, |seq| !left.contains(&seq));
    for edit in seqs("edits") {
        let all = evidence
            .rosters
            .iter_mut()
            .flat_map(|step| {
                [&mut step.set, &mut step.request]
                    .into_iter()
                    .chain(&mut step.decisions)
            })
            .chain(&mut evidence.enrolments)
            .chain(&mut evidence.invitations);
        for proved in all.filter(|proved| Some(proved.seq) == edit["seq"].as_u64()) {
            proved.entry = edit["entry"].as_str().unwrap().into();
        }
    }
    VerifiedRoster::verify(&trust, &evidence).map_err(|e| e.code())
}

#[test]
fn rosters() {
    let about = "Whole small ledgers: `entries` as strings, after those of its `base`: `people`, or `safe`, which is `people` and what follows. `note` is the checkpoint. Handed over is everything about people, keys and rosters, except the seqs `left_out`; `edits` are handed over in place of what the ledger has.";
    let (shared, cases) = cases_with_shared("roster.json", about, make);
    judge("roster.json", &cases, |case| {
        let roster = check(&shared, case)?;
        assert_eq!(describe(&roster), case.given["roster"], "{}", case.name);
        Ok(())
    });
}
