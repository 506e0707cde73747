//! The anchor: the newest checkpoint this node has relied on, kept outside the database.
//!
//! Trusted: whoever replaces it *and* rolls the database back hides that from this node; other nodes,
//! witnesses and people's pages still see it. Without one the node refuses until `serve --adopt`.
//! Written, renamed and synced; a crash in between leaves the old one, which the tree extends as well.

use std::io::Write;
use std::path::{Path, PathBuf};

use quorum::Hash;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, Words};

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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    ledger: String,
    size: u64,
    root: String,
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
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(self.unreadable(&e.to_string())),
        };
        let file: File =
            serde_json::from_str(&text).map_err(|e| self.unreadable(&e.to_string()))?;
        let ledger = file
            .ledger
            .parse()
            .map_err(|_| self.unreadable("its ledger is no hash"))?;
        let root = file
            .root
            .parse()
            .map_err(|_| self.unreadable("its root is no hash"))?;
        Ok(Some(Anchored {
            ledger,
            size: file.size,
            root,
        }))
    }

    /// Replaces it durably.
    pub fn write(&self, to: &Anchored) -> Result<()> {
        let file = File {
            ledger: to.ledger.to_string(),
            size: to.size,
            root: to.root.to_string(),
        };
        let text = serde_json::to_string(&file).map_err(Error::internal)?;
        let failed =
            |e: std::io::Error| Error::NoEntry(format!("anchor {}: {e}", self.path.display()));
        // One writer at a time, whatever process; and what somebody else has seen meanwhile is not forgotten.
        let dir = self.folder().map_err(failed)?;
        dir.lock().map_err(failed)?;
        let newer = self
            .read()?
            .is_some_and(|held| held.ledger == to.ledger && held.size > to.size);
        if newer {
            return Ok(());
        }
        self.replace(&dir, text.as_bytes()).map_err(failed)
    }

    /// Removes it, durably: for founding anew what nobody has joined.
    pub fn forget(&self) -> Result<()> {
        let gone = std::fs::remove_file(&self.path).and_then(|()| self.folder()?.sync_all());
        match gone {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::NoEntry(format!(
                "anchor {}: {e}",
                self.path.display()
            ))),
            _ => Ok(()),
        }
    }

    fn folder(&self) -> std::io::Result<std::fs::File> {
        let dir = self.path.parent().filter(|p| !p.as_os_str().is_empty());
        std::fs::File::open(dir.unwrap_or(Path::new(".")))
    }

    /// As `write`, on a thread that may wait for the disk.
    pub async fn keep(&self, to: Anchored) -> Result<()> {
        let anchor = self.clone();
        tokio::task::spawn_blocking(move || anchor.write(&to))
            .await
            .map_err(Error::internal)?
    }

    fn replace(&self, dir: &std::fs::File, bytes: &[u8]) -> std::io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = std::fs::File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        std::fs::rename(&new, &self.path)?;
        dir.sync_all()
    }

    fn unreadable(&self, why: &str) -> Error {
        Error::NotReady(Words::new(
            "Refused.",
            format!("The anchor {} cannot be read ({why}).", self.path.display()),
            "Compare size and root with another node or a page, then start with `vitrine serve --adopt SIZE:ROOT`.",
        ))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

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
}
