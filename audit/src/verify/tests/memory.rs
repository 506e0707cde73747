//! What an entry costs besides what is live: names of 24 bytes at most, one for each thing in it that may not come twice. Few entries that nobody
//! signed have one.

use super::super::event::Reader;
use super::super::forge::*;
use super::super::state::Judge;
use super::*;

/// How many things the judge holds: live ones, and names that were used.
fn held(judge: &Judge) -> (usize, usize) {
    let live = judge.people.len()
        + judge.person_of.len()
        + judge.person_named.len()
        + judge.keys.len()
        + judge.key_of.len()
        + judge.rosters.len()
        + judge.roster_of.len()
        + judge.safes.len()
        + judge.requests.len()
        + judge.releases.len()
        + judge.credentials.len()
        + judge.versions.len()
        + judge.bindings.len()
        + judge.roles.len()
        + judge.rotations.len()
        + judge.warnings.len();
    (live, judge.marks.len())
}

/// Judges the ledger, and gives what is held after each entry.
fn course(l: &Ledger) -> Vec<(usize, usize)> {
    let (mut judge, mut reader) = (Judge::new(None), Reader::default());
    let lines = l.lines.iter().enumerate();
    lines
        .map(|(seq, line)| {
            let founding = judge.founding.clone();
            let entry = reader.entry(line.as_bytes(), founding.as_deref());
            judge.entry(seq as u64, entry).unwrap();
            judge.signatures.clear();
            held(&judge)
        })
        .collect()
}

#[test]
fn entries_cost_what_is_live_and_the_names_that_come_once() {
    let story::Story {
        mut l,
        asker,
        approvers,
        sealed,
        ..
    } = story::story();
    let start = l.seq() - 1;
    for _ in 0..3 {
        l.tick();
        l.tell(
            "software.started",
            json!({"pages": [], "program_sha256": ZERO, "release": "1"}),
        );
        l.tell(
            "drill.finished",
            json!({"outcome": "passed", "report_sha256": ZERO, "safe": sealed.safe.id}),
        );
        l.tell("kek.rolled", json!({"key": sealed.safe.id, "token": "a"}));
    }
    // By a workload of its own each time.
    for _ in 0..50 {
        let workload = l.id();
        l.push(&workload, "clock.ticked", json!({}), json!({}));
    }
    let unsigned = l.seq() - 1;
    for end in ["promoted", "failed"] {
        let rotation = l.id();
        for step in ["staged", "applied", "proved", end] {
            l.rotation(step, &rotation, &sealed.credential, 1);
        }
    }
    let rotated = l.seq() - 1;
    l.sign(
        "setting.changed",
        "setting",
        0,
        json!({"name": "a", "value": "b"}),
    );
    let setting = l.seq() - 1;
    for _ in 0..3 {
        let filed = l.ask_release(asker, &sealed, json!({}));
        let approvals = [
            l.approve(&filed, approvers[0]),
            l.approve(&filed, approvers[1]),
        ];
        l.open(asker, &sealed, &filed, &approvals, json!({}));
        l.tell(
            "share.refused",
            json!({"approver": asker_id(&l, asker), "request": filed.id, "why": "x"}),
        );
        l.close(&filed, "checked_in");
        let filed = l.ask_release(asker, &sealed, json!({}));
        l.deny(&filed, approvers[0]);
        l.tell("release.refused", json!({"request": filed.id, "why": "x"}));
        l.tell(
            "request.ended",
            json!({"request": filed.id, "why": "denied"}),
        );
    }
    let course = course(&l);
    assert_eq!(course[unsigned], course[start]);
    let (live, names) = course[start];
    // A rotation's id may not come twice; nothing else is left of it.
    assert_eq!(course[rotated], (live, names + 2));
    let names = names + 2;
    assert_eq!(course[setting], (live, names + 1));
    // Two filings, two approvals and a denial each time: five nonces and two ids, and nothing live is left.
    assert_eq!(course[l.seq() - 1], (live, names + 1 + 3 * 7));
}

fn asker_id(l: &Ledger, asker: usize) -> String {
    l.people[asker].user.clone()
}
