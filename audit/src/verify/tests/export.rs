//! The export: files, checkpoints, fingerprints (FORMATS.md 5 and 6).

use std::fs;
use std::path::{Path, PathBuf};

use super::super::forge::*;
use super::*;

struct Export {
    dir: tempfile::TempDir,
    l: Ledger,
    seen: Vec<PathBuf>,
    founded: bool,
}

impl Export {
    fn new() -> Export {
        let mut l = Ledger::new();
        for _ in 0..5 {
            l.tick();
            l.keep();
        }
        l.tick();
        Export::of(l)
    }

    fn of(l: Ledger) -> Export {
        let dir = tempfile::tempdir().unwrap();
        l.export(dir.path());
        Export {
            dir,
            l,
            seen: Vec::new(),
            founded: true,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn report(&self) -> Report {
        let options = Options {
            founded: self.founded.then(|| self.l.founded()),
            seen: self.seen.clone(),
            threads: 1,
        };
        verify_dir(self.dir.path(), &options)
    }

    #[track_caller]
    fn is(&self, outcome: Outcome, words: &str) {
        let report = self.report();
        assert_eq!(report.lie.as_deref().unwrap_or(""), words, "{report}");
        assert_eq!(report.outcome, outcome, "{report}");
    }

    fn edit(&self, name: &str, change: impl Fn(String) -> String) {
        let path = self.path(name);
        fs::write(&path, change(fs::read_to_string(&path).unwrap())).unwrap();
    }
}

#[test]
fn outcomes_have_their_exit_codes() {
    let mut export = Export::new();
    assert_eq!(export.report().exit_code(), 0);
    export.founded = false;
    let report = export.report();
    assert_eq!(
        (report.exit_code(), report.outcome),
        (3, Outcome::SelfConsistent)
    );
    assert_eq!(report.ledger, Some(export.l.founded()));
    assert!(report.to_string().contains(&export.l.ledger()));
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!(json["outcome"], "self-consistent only");
    assert_eq!(json["exit"], 3);
    assert_eq!(json["root"], hex::encode(root(&export.l.leaves)));
    assert_eq!(json["size"], 9);
    assert_eq!(json["seq"], serde_json::Value::Null);
    let options = Options {
        founded: Some([1; 32]),
        ..Options::default()
    };
    let report = verify_dir(export.dir.path(), &options);
    assert_eq!((report.exit_code(), report.seq), (1, Some(0)));
    assert_eq!(
        report.lie.as_deref(),
        Some("the founding is not the one whose fingerprint was given")
    );
    assert!(
        report
            .to_string()
            .starts_with("FALSE: entry 0: the founding")
    );
    let report = verify_dir(Path::new("/nowhere/at/all"), &options);
    assert_eq!(report.exit_code(), 2);
}

#[test]
fn exactly_three_plain_files() {
    for name in ["entries.jsonl", "checkpoint", "checkpoints.jsonl"] {
        let export = Export::new();
        fs::remove_file(export.path(name)).unwrap();
        export.is(Outcome::False, &format!("`{name}` is missing"));
        fs::create_dir(export.path(name)).unwrap();
        export.is(
            Outcome::False,
            "the export holds something that is no plain file",
        );
        let export = Export::new();
        fs::rename(export.path(name), export.dir.path().with_extension("moved")).unwrap();
        std::os::unix::fs::symlink(export.dir.path().with_extension("moved"), export.path(name))
            .unwrap();
        export.is(
            Outcome::False,
            "the export holds something that is no plain file",
        );
        fs::remove_file(export.dir.path().with_extension("moved")).unwrap();
    }
    let export = Export::new();
    fs::write(export.path("README"), "").unwrap();
    export.is(
        Outcome::False,
        "the export holds something that does not belong to it",
    );
}

#[test]
fn entries_end_with_a_line_feed() {
    let export = Export::new();
    export.edit("entries.jsonl", |s| s.trim_end().to_owned());
    export.is(Outcome::False, "the last entry has no line feed");
    assert_eq!(export.report().seq, Some(8));
    export.edit("entries.jsonl", |s| format!("{s}\n\n"));
    export.is(Outcome::False, "the entry is not canonical: cut off");
    export.edit("entries.jsonl", |_| String::new());
    export.is(Outcome::False, "the export has no entry 0");
    export.edit("entries.jsonl", |_| "x".repeat(100_000));
    export.is(Outcome::False, "the last entry has no line feed");
}

#[test]
fn gaps_swaps_and_ends_cut_off_are_found() {
    let lines = |change: fn(&mut Vec<&str>)| {
        let export = Export::new();
        export.edit("entries.jsonl", |s| {
            let mut lines: Vec<_> = s.lines().collect();
            change(&mut lines);
            lines.iter().flat_map(|l| [l, "\n"]).collect()
        });
        export
    };
    lines(|l| {
        l.remove(4);
    })
    .is(Outcome::False, "`seq` is not the entry's place");
    lines(|l| l.swap(4, 5)).is(Outcome::False, "`seq` is not the entry's place");
    lines(|l| {
        let again = l[4];
        l.insert(4, again);
    })
    .is(Outcome::False, "`seq` is not the entry's place");
    lines(|l| {
        l.pop();
    })
    .is(
        Outcome::False,
        "the checkpoint covers 9 entries, and there are 8",
    );
}

#[test]
fn the_checkpoint_covers_exactly_these_entries() {
    let export = Export::new();
    let whole = export.l.checkpoint();
    let wrong = "`checkpoint` is no checkpoint";
    export.edit("checkpoint", |s| format!("{s}\n"));
    export.is(Outcome::False, wrong);
    export.edit("checkpoint", |_| "x".repeat(100_000));
    export.is(Outcome::False, wrong);
    export.edit("checkpoint", |_| String::new());
    export.is(Outcome::False, wrong);
    let key = &export.l.checkpoint_keys[..1].iter().collect::<Vec<_>>();
    let (size, right) = (export.l.seq() as u64, root(&export.l.leaves));
    export.edit("checkpoint", |_| note(NAME, size, &[1; 32], key));
    export.is(
        Outcome::False,
        "the checkpoint of size 9 has another root than these entries",
    );
    export.edit("checkpoint", |_| note("elsewhere", size, &right, key));
    export.is(
        Outcome::False,
        "the checkpoint of size 9 is of another origin",
    );
    export.edit("checkpoint", |_| {
        note(NAME, size, &right, &[&CheckpointKey::new(NAME)])
    });
    export.is(
        Outcome::False,
        "the checkpoint of size 9 is not signed by a key in force",
    );
    export.edit("checkpoint", |_| whole.replacen(" AA", " AB", 1));
    let second = &[&export.l.checkpoint_keys[1]];
    export.edit("checkpoint", |_| note(NAME, size, &right, second));
    export.is(Outcome::Valid, "");
    // A witness that nobody here knows changes nothing.
    let witness = CheckpointKey::new("witness.example");
    export.edit("checkpoint", |_| {
        note(NAME, size, &right, &[&witness, key[0]])
    });
    export.is(Outcome::Valid, "");
    let bad = note(NAME, 1, &right, second)
        .lines()
        .last()
        .unwrap()
        .to_owned();
    export.edit("checkpoint", |_| format!("{whole}{bad}\n"));
    export.is(
        Outcome::False,
        "the checkpoint of size 9 has a bad signature",
    );
}

#[test]
fn earlier_checkpoints_are_checked() {
    let export = Export::new();
    assert_eq!(export.report().checkpoints, 6);
    let line = "`checkpoints.jsonl` has a line that is no checkpoint";
    let grow = "the sizes in `checkpoints.jsonl` do not grow";
    let original = fs::read_to_string(export.path("checkpoints.jsonl")).unwrap();
    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines: Vec<_> = original.lines().map(str::to_owned).collect();
        change(&mut lines);
        export.edit("checkpoints.jsonl", |_| {
            lines.iter().map(|l| format!("{l}\n")).collect()
        });
    };
    with(&|l| l.swap(1, 2));
    export.is(Outcome::False, grow);
    with(&|l| {
        let again = l[0].clone();
        l.insert(0, again);
    });
    export.is(Outcome::False, grow);
    with(&|l| l[2] = l[2].replace("\"note\"", " \"note\""));
    export.is(Outcome::False, line);
    with(&|l| l[2] = "{}".to_owned());
    export.is(Outcome::False, line);
    with(&|l| l[2] = "{\"note\":1}".to_owned());
    export.is(Outcome::False, line);
    with(&|l| l[2] = String::new());
    export.is(Outcome::False, line);
    with(&|l| l[4] = l[4].replace("}", ",\"time\":1}"));
    export.is(
        Outcome::NotVerified,
        "an unknown member in `checkpoints.jsonl`",
    );
    with(&|l| l[4] = "x".repeat(200_000));
    export.is(Outcome::False, line);
    export.edit("checkpoints.jsonl", |_| original.trim_end().to_owned());
    export.is(Outcome::False, line);
    export.edit("checkpoints.jsonl", |_| String::new());
    export.is(Outcome::Valid, "");
    let key = &export.l.checkpoint_keys[..1].iter().collect::<Vec<_>>();
    let forged = canon(&json!({"note": note(NAME, 6, &[1; 32], key)}));
    with(&|l| l[2] = forged.clone());
    export.is(
        Outcome::False,
        "the checkpoint of size 6 has another root than these entries",
    );
    let own = canon(&json!({"note": export.l.checkpoint()}));
    with(&|l| l.push(own.clone()));
    export.is(
        Outcome::False,
        "`checkpoints.jsonl` has a checkpoint that is not earlier than the last",
    );
    let stranger = CheckpointKey::new(NAME);
    let unsigned =
        canon(&json!({"note": note(NAME, 6, &root(&export.l.leaves[..6]), &[&stranger])}));
    with(&|l| l[2] = unsigned.clone());
    export.is(
        Outcome::False,
        "the checkpoint of size 6 is not signed by a key in force",
    );
}

#[test]
fn checkpoints_kept_elsewhere_must_be_of_this_tree() {
    let mut export = Export::new();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("seen");
    let more = dir.path().join("more");
    export.seen = vec![path.clone(), more.clone()];
    let key = CheckpointKey::new(NAME);
    let right = root(&export.l.leaves[..7]);
    fs::write(&more, note(NAME, 9, &root(&export.l.leaves), &[&key])).unwrap();
    fs::write(&path, note(NAME, 7, &right, &[&key])).unwrap();
    export.is(Outcome::Valid, "");
    fs::write(&path, note(NAME, 7, &[1; 32], &[&key])).unwrap();
    export.is(
        Outcome::False,
        "a checkpoint kept elsewhere, of size 7, has another root: the ledger was rewritten",
    );
    fs::write(&path, note("elsewhere", 7, &right, &[&key])).unwrap();
    export.is(
        Outcome::False,
        "a checkpoint kept elsewhere, of size 7, is of another origin",
    );
    fs::write(&path, note(NAME, 10, &right, &[&key])).unwrap();
    export.is(Outcome::False, "a checkpoint kept elsewhere, of size 10, covers more than this export: entries are cut off");
    fs::write(&path, "not a note").unwrap();
    export.is(
        Outcome::NotVerified,
        &format!("{}: is no checkpoint", path.display()),
    );
    fs::remove_file(&path).unwrap();
    assert_eq!(export.report().outcome, Outcome::NotVerified);
    // What is kept elsewhere still convicts a ledger that has something unknown in it.
    let mut l = Ledger::new();
    l.tell("clock.stopped", json!({}));
    l.tick();
    let mut export = Export::of(l);
    export.seen = vec![path.clone()];
    fs::write(&path, note(NAME, 5, &root(&export.l.leaves), &[&key])).unwrap();
    export.is(Outcome::NotVerified, "an unknown event");
    fs::write(&path, note(NAME, 5, &[1; 32], &[&key])).unwrap();
    export.is(
        Outcome::False,
        "a checkpoint kept elsewhere, of size 5, has another root: the ledger was rewritten",
    );
}

#[test]
fn checkpoint_keys_change_under_the_old_ones() {
    let changed = |covered: bool, after: bool, by_new: bool| {
        let mut l = Ledger::new();
        let fresh = CheckpointKey::new(NAME);
        l.tell(
            "checkpoint_keys.changed",
            json!({"checkpoint_keys": [fresh.vkey()]}),
        );
        if covered {
            l.keep();
        }
        if after {
            l.tick();
        }
        if by_new {
            l.checkpoint_keys = vec![fresh];
        }
        Export::of(l)
    };
    changed(true, true, true).is(Outcome::Valid, "");
    changed(false, false, false).is(Outcome::Valid, "");
    let none = "the change of checkpoint keys has no checkpoint under the old ones";
    changed(false, true, true).is(Outcome::False, none);
    assert_eq!(changed(false, true, true).report().seq, Some(3));
    changed(false, false, true).is(
        Outcome::False,
        "the checkpoint of size 4 is not signed by a key in force",
    );
    changed(true, true, false).is(
        Outcome::False,
        "the checkpoint of size 5 is not signed by a key in force",
    );
    let mut l = Ledger::new();
    l.tell(
        "checkpoint_keys.changed",
        json!({"checkpoint_keys": [CheckpointKey::new("elsewhere").vkey()]}),
    );
    lie(&l, "a checkpoint key is not a verifier key of this ledger");
}
