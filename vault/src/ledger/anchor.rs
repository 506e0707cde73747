//! The anchor: the newest checkpoint this node has relied on, kept outside the database.
//!
//! Trusted: whoever replaces it *and* rolls the database back hides that from this node; other nodes,
//! witnesses and people's pages still see it. Without one the node refuses until `serve --adopt`.
//! The file has two places, written in turn and synced, so that a crash in between leaves the old one whole, which the tree
//! extends as well: one sync, where a file that is made anew and renamed takes two.

use std::fs::{File, Permissions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use quorum::Hash;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, Words};

/// A writer waits this long for another.
const LOCK: Duration = Duration::from_secs(3);

/// What is anchored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchored {
    /// The ledger's name.
    pub ledger: Hash,
    /// Tree size.
    pub size: u64,
    /// Tree root at that size.
    pub root: Hash,
}

/// One place: this as JSON, and blanks up to its end.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    ledger: String,
    size: u64,
    root: String,
    /// Writes so far; the higher of the two holds.
    turn: u64,
    /// Over the others, so that half a write is none.
    check: String,
}

impl Place {
    /// Bytes of a place: what disks and file systems write at once, so that a write to one place can't damage the other.
    const BYTES: usize = 4096;

    fn of(to: &Anchored, turn: u64) -> Place {
        Place {
            ledger: to.ledger.to_string(),
            size: to.size,
            root: to.root.to_string(),
            turn,
            check: check(to, turn),
        }
    }

    fn text(&self) -> Result<Vec<u8>> {
        let mut text = serde_json::to_vec(self).map_err(Error::internal)?;
        text.resize(Place::BYTES - 1, b' ');
        text.push(b'\n');
        Ok(text)
    }

    /// What stands there, and its turn.
    fn read(bytes: &[u8]) -> Option<(Anchored, u64)> {
        let place: Place = serde_json::from_slice(bytes).ok()?;
        let anchored = Anchored {
            ledger: place.ledger.parse().ok()?,
            size: place.size,
            root: place.root.parse().ok()?,
        };
        (place.check == check(&anchored, place.turn)).then_some((anchored, place.turn))
    }
}

fn check(anchored: &Anchored, turn: u64) -> String {
    let Anchored { ledger, size, root } = anchored;
    let parts = [
        &ledger.0[..],
        &size.to_be_bytes(),
        &root.0,
        &turn.to_be_bytes(),
    ];
    quorum::labelled("anchor", &parts).to_string()
}

/// The file.
#[derive(Clone, Debug)]
pub struct Anchor {
    path: PathBuf,
}

impl Anchor {
    /// The anchor kept at `path`.
    pub fn at(path: &Path) -> Anchor {
        Anchor {
            path: path.to_owned(),
        }
    }

    /// Reads it; `None` where there is none.
    ///
    /// # Errors
    /// `NotReady` when it is there and cannot be read: refuse, never start anew.
    pub fn read(&self) -> Result<Option<Anchored>> {
        Ok(self.newest()?.map(|(held, _)| held))
    }

    /// What holds, and its turn.
    fn newest(&self) -> Result<Option<(Anchored, u64)>> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(self.unreadable(&e.to_string())),
        };
        let places = bytes.chunks(Place::BYTES).filter_map(Place::read);
        let newest = places.max_by_key(|(_, turn)| *turn);
        newest
            .map(Some)
            .ok_or_else(|| self.unreadable("neither of its two places is whole"))
    }

    /// Replaces it durably.
    pub fn write(&self, to: &Anchored) -> Result<()> {
        let failed =
            |e: std::io::Error| Error::NoEntry(format!("anchor {}: {e}", self.path.display()));
        let file = match File::options().read(true).write(true).open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return self.make(&Place::of(to, 0).text()?).map_err(failed);
            }
            Err(e) => return Err(failed(e)),
        };
        // One writer at a time, whatever process; and what somebody else has seen meanwhile is not forgotten.
        lock(&file).map_err(failed)?;
        let Some((held, turn)) = self.newest()? else {
            return Err(failed(ErrorKind::NotFound.into()));
        };
        if held.ledger == to.ledger && held.size > to.size {
            return Ok(());
        }
        let turn = turn + 1;
        put(&file, turn % 2, &Place::of(to, turn).text()?).map_err(failed)
    }

    /// Removes it, durably: for founding anew what nobody has joined.
    pub fn forget(&self) -> Result<()> {
        let gone = std::fs::remove_file(&self.path).and_then(|()| self.folder()?.sync_all());
        match gone {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::NoEntry(format!(
                "anchor {}: {e}",
                self.path.display()
            ))),
            _ => Ok(()),
        }
    }

    fn folder(&self) -> std::io::Result<File> {
        let dir = self.path.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(dir.unwrap_or(Path::new(".")))
    }

    /// As `write`, on a thread that may wait for the disk.
    pub async fn keep(&self, to: Anchored) -> Result<()> {
        let anchor = self.clone();
        tokio::task::spawn_blocking(move || anchor.write(&to))
            .await
            .map_err(Error::internal)?
    }

    /// Makes the file, its second place blank.
    fn make(&self, first: &[u8]) -> std::io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = File::create(&new)?;
        private(&file)?;
        file.write_all(first)?;
        file.write_all(&[b' '; Place::BYTES])?;
        file.sync_all()?;
        std::fs::rename(&new, &self.path)?;
        self.folder()?.sync_all()
    }

    fn unreadable(&self, why: &str) -> Error {
        Error::NotReady(Words::new(
            "Refused.",
            format!("The anchor {} cannot be read ({why}).", self.path.display()),
            "Compare size and root with another node or a page, move this file away, then start with `vitrine serve --adopt SIZE:ROOT`.",
        ))
    }
}

/// Writes one place, and nothing else.
fn put(file: &File, place: u64, text: &[u8]) -> std::io::Result<()> {
    file.write_all_at(text, place * text.len() as u64)?;
    file.sync_data()
}

/// Nobody else may open it: whoever can read a file can lock it, and so stop every opening.
fn private(file: &File) -> std::io::Result<()> {
    file.set_permissions(Permissions::from_mode(0o600))
}

/// Locks it, within seconds: whoever holds it longer is no writer of ours.
fn lock(file: &File) -> std::io::Result<()> {
    if file.metadata()?.mode() & 0o077 != 0 {
        private(file)?; // made by an earlier release
    }
    let until = Instant::now() + LOCK;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(std::io::Error::other("another program holds its lock"));
            }
            Err(TryLockError::Error(e)) => return Err(e),
            Ok(()) => return Ok(()),
        }
    }
}

/// The refusal when the database's tree does not extend the anchor.
pub fn broken(why: &'static str) -> Error {
    Error::Tampered(Words::new(
        "Refused. This database is not the ledger that this node has seen.",
        format!("It was changed or rolled back: {why}."),
        "Stop, keep everything, and run `vitrine audit export` and `vitrine audit verify --seen` against a checkpoint kept elsewhere.",
    ))
}

/// Entries that this node has seen are not in the database.
pub(super) fn missing() -> Error {
    broken("entries that this node has seen are missing")
}

/// Entries that this node has seen are others in the database.
pub(super) fn different() -> Error {
    broken("entries that this node has seen are different")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn p5_an_anchor_never_shrinks_and_another_ledger_replaces_it() {
        let dir = tempfile::tempdir().unwrap();
        let anchor = Anchor::at(&dir.path().join("anchor"));
        let at = |ledger: u8, size| Anchored {
            ledger: Hash([ledger; 32]),
            size,
            root: Hash([9; 32]),
        };
        assert_eq!(anchor.read().unwrap(), None);
        for (write, held) in [
            (at(1, 5), at(1, 5)),
            (at(1, 3), at(1, 5)),
            (at(1, 8), at(1, 8)),
            (at(2, 1), at(2, 1)),
        ] {
            anchor.write(&write).unwrap();
            assert_eq!(anchor.read().unwrap(), Some(held));
        }
        anchor.forget().unwrap();
        anchor.forget().unwrap();
        assert_eq!(anchor.read().unwrap(), None);
    }

    #[test]
    fn p4_a_lock_that_is_held_refuses_and_none_but_the_owner_takes_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("anchor");
        let anchor = Anchor::at(&path);
        let at = |size| Anchored {
            ledger: Hash([1; 32]),
            size,
            root: Hash([9; 32]),
        };
        let mode = || std::fs::metadata(&path).unwrap().mode() & 0o777;
        anchor.write(&at(5)).unwrap();
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        // Anybody may lock the folder: that stops nothing.
        let folder = File::open(dir.path()).unwrap();
        folder.lock().unwrap();
        anchor.write(&at(6)).unwrap();
        assert_eq!(
            mode(),
            0o600,
            "what an earlier release made stays open to all"
        );
        let other = File::open(&path).unwrap();
        other.lock().unwrap();
        assert!(matches!(anchor.write(&at(7)), Err(Error::NoEntry(_))));
        assert_eq!(anchor.read().unwrap(), Some(at(6)));
        drop(other);
        anchor.write(&at(7)).unwrap();
        assert_eq!(anchor.read().unwrap(), Some(at(7)));
    }

    #[test]
    fn p5_half_a_write_leaves_the_old_anchor_and_a_damaged_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("anchor");
        let anchor = Anchor::at(&path);
        let at = |size| Anchored {
            ledger: Hash([1; 32]),
            size,
            root: Hash([size as u8; 32]),
        };
        anchor.write(&at(5)).unwrap();
        for size in 6..20 {
            let before = std::fs::read(&path).unwrap();
            anchor.write(&at(size)).unwrap();
            let after = std::fs::read(&path).unwrap();
            assert_eq!(after.len(), 2 * Place::BYTES);
            let changed: Vec<usize> = (0..after.len())
                .filter(|&i| before[i] != after[i])
                .collect();
            let (first, last) = (changed[0], changed[changed.len() - 1]);
            assert_eq!(first / Place::BYTES, last / Place::BYTES, "one place alone");
            // Cut short anywhere, or its bytes come in another order: the old one, or the new one.
            for cut in first..=last {
                for half in [
                    [&after[..cut], &before[cut..]].concat(),
                    [&before[..cut], &after[cut..]].concat(),
                ] {
                    std::fs::write(&path, half).unwrap();
                    let held = anchor.read().unwrap().unwrap();
                    assert!(held == at(size) || held == at(size - 1), "{held:?}");
                }
            }
            std::fs::write(&path, after).unwrap();
            assert_eq!(anchor.read().unwrap(), Some(at(size)));
        }
        let whole = std::fs::read(&path).unwrap();
        let nothing = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            assert!(anchor.read().is_err() && anchor.write(&at(90)).is_err());
        };
        nothing(b"");
        nothing(&whole[..100]);
        nothing(&whole.to_ascii_uppercase());
    }
}
