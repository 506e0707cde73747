//! Exports: whole or not there.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use audit::checkpoint::{self, CheckpointError};
use audit::event::Event;
use audit::export::{ExportError, Writer};
use audit::{Appended, Chain};
use common::*;
use std::fs;
use std::path::Path;

/// A ledger, and a signed note at each of its sizes.
fn ledger(size: usize) -> (Vec<Appended>, Vec<String>) {
    let mut chain = Chain::new();
    let (mut entries, mut notes) = (vec![], vec![]);
    while entries.len() < size {
        let draft = match entries.len() {
            0 => system(Event::LedgerFounded(founding().into())),
            1 => system(Event::FirstPersonInvited(first_invitation(chain.prev()))),
            _ => system(release_opened()),
        };
        entries.push(chain.append(&draft, START).unwrap());
        notes.push(note(&chain));
    }
    (entries, notes)
}

fn note(chain: &Chain) -> String {
    let body = checkpoint::body(LEDGER, chain.size(), &chain.root());
    checkpoint::note(&body, &[(&verifier_key(), sign(&body))])
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn filled(dir: &Path, entries: &[Appended]) -> Writer {
    let mut writer = Writer::create(dir).unwrap();
    for entry in entries {
        writer.entry(&entry.bytes).unwrap();
    }
    writer
}

#[test]
fn three_files_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("deep/evidence");
    let (entries, notes) = ledger(5);
    let mut writer = Writer::create(&dir).unwrap();
    writer.checkpoint(&notes[1]).unwrap();
    for entry in &entries {
        writer.entry(&entry.bytes).unwrap();
    }
    writer.checkpoint(&notes[3]).unwrap();
    assert!(!dir.exists(), "not there before it is whole");
    assert_eq!(writer.finish(&notes[4]).unwrap().size, 5);

    assert_eq!(
        names(&dir),
        ["checkpoint", "checkpoints.jsonl", "entries.jsonl"]
    );
    assert_eq!(names(dir.parent().unwrap()), ["evidence"]);
    let written: Vec<u8> = entries
        .iter()
        .flat_map(|entry| [&entry.bytes[..], b"\n"].concat())
        .collect();
    assert_eq!(fs::read(dir.join("entries.jsonl")).unwrap(), written);
    assert_eq!(
        fs::read_to_string(dir.join("checkpoint")).unwrap(),
        notes[4]
    );
    let earlier = fs::read_to_string(dir.join("checkpoints.jsonl")).unwrap();
    let line = |note: &String| format!("{{\"note\":\"{}\"}}\n", note.replace('\n', "\\n"));
    assert_eq!(earlier, line(&notes[1]) + &line(&notes[3]));
}

#[test]
fn the_list_of_earlier_checkpoints_is_there_even_when_empty() {
    let place = tempfile::tempdir().unwrap();
    let (entries, notes) = ledger(2);
    // An empty directory may be given.
    filled(place.path(), &entries).finish(&notes[1]).unwrap();
    assert_eq!(
        fs::read(place.path().join("checkpoints.jsonl")).unwrap(),
        b""
    );
}

#[test]
fn a_directory_with_something_in_it_is_refused() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("note.txt"), "mine").unwrap();
    assert!(matches!(
        Writer::create(place.path()),
        Err(ExportError::Occupied(_))
    ));
    assert!(matches!(
        Writer::create(&place.path().join("note.txt")),
        Err(ExportError::Occupied(_))
    ));
    assert_eq!(names(place.path()), ["note.txt"]);
}

#[test]
fn a_directory_filled_meanwhile_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("evidence");
    let (entries, notes) = ledger(2);
    let writer = filled(&dir, &entries);
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("note.txt"), "mine").unwrap();
    assert!(matches!(
        writer.finish(&notes[1]),
        Err(ExportError::Occupied(_))
    ));
    assert_eq!(names(place.path()), ["evidence"]);
    assert_eq!(names(&dir), ["note.txt"]);
}

#[test]
fn a_checkpoint_of_another_tree_is_refused_and_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("evidence");
    let (entries, notes) = ledger(4);
    let finish = |entries: &[Appended], note: &str| filled(&dir, entries).finish(note).unwrap_err();
    assert!(matches!(
        finish(&entries[..3], &notes[3]),
        ExportError::OtherTree {
            covered: 4,
            written: 3
        }
    ));
    assert!(matches!(
        finish(&entries, &notes[2]),
        ExportError::OtherTree {
            covered: 3,
            written: 4
        }
    ));
    let mut swapped = entries.clone();
    swapped.swap(2, 3);
    assert!(matches!(
        finish(&swapped, &notes[3]),
        ExportError::OtherTree {
            covered: 4,
            written: 4
        }
    ));
    assert!(matches!(
        finish(&entries, "rubbish"),
        ExportError::Checkpoint(CheckpointError::Malformed)
    ));
    let other = notes[3].replace(LEDGER, "vitrine.example/other");
    assert!(matches!(
        finish(&entries, &other),
        ExportError::Checkpoint(CheckpointError::OtherName)
    ));
    assert_eq!(names(place.path()), Vec::<String>::new());
}

#[test]
fn earlier_checkpoints_grow_and_stay_below_the_last() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("evidence");
    let (entries, notes) = ledger(4);
    let mut writer = filled(&dir, &entries);
    writer.checkpoint(&notes[2]).unwrap();
    for (seq, size) in [(2, 3), (1, 2)] {
        assert!(matches!(writer.checkpoint(&notes[seq]), Err(ExportError::Order(n)) if n == size));
    }
    writer.checkpoint(&notes[3]).unwrap();
    assert!(matches!(
        writer.finish(&notes[3]),
        Err(ExportError::Order(4))
    ));
    assert_eq!(names(place.path()), Vec::<String>::new());
}

#[test]
fn what_is_no_entry_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let (entries, _) = ledger(3);
    let mut writer = Writer::create(&place.path().join("evidence")).unwrap();
    assert!(matches!(writer.entry(b"{}"), Err(ExportError::Entry(0))));
    writer.entry(&entries[0].bytes).unwrap();
    assert!(matches!(writer.entry(b"{\n}"), Err(ExportError::Entry(1))));
    drop(writer);
    assert_eq!(names(place.path()), Vec::<String>::new());
}

#[test]
fn an_abandoned_export_leaves_nothing_and_two_can_be_made_at_once() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("evidence");
    let (entries, notes) = ledger(2);
    let (one, two) = (filled(&dir, &entries), filled(&dir, &entries));
    drop(one);
    two.finish(&notes[1]).unwrap();
    assert_eq!(names(place.path()), ["evidence"]);
}
