//! What this terminal remembers of each Vitrine: which ledger it has, and the newest tree that was seen of it. The first
//! ledger met is trusted, and said; its fingerprint is on the founding card, and `--ledger` gives it.
//!
//! In a 0600 file under `$XDG_STATE_HOME/vitrine` (else `~/.local/state/vitrine`), which outlives the keys of `held`.
//! Trusted: whoever alters it can hide a rewritten ledger from this terminal alone.

use std::cell::Cell;
use std::io::Write;
use std::path::{Path, PathBuf};

use quorum::Hash;
use quorum::evidence::{Anchor, Proved, Trust};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::refusal::Result;
use super::remote::Remote;
use crate::error::{Error, Words};

/// A ledger as this terminal knows it.
pub(super) struct Known {
    url: String,
    ledger: Hash,
    seen: Cell<Option<Anchor>>,
    file: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    url: String,
    ledger: String,
    /// Size and root of the newest tree that was seen.
    seen: Option<(u64, String)>,
}

impl Kept {
    fn read(path: &Path) -> Option<(Hash, Option<Anchor>)> {
        let kept: Kept = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let seen = match kept.seen {
            Some((size, root)) => Some(Anchor {
                size,
                root: root.parse().ok()?,
            }),
            None => None,
        };
        Some((kept.ledger.parse().ok()?, seen))
    }
}

impl Known {
    /// Meets the ledger at `remote`, which says that it is `told`: refuses another one than is known, or was `given`.
    pub(super) fn meet(remote: &Remote, told: Hash) -> Result<Known> {
        Ok(Known::met(
            remote.url(),
            state_dir(),
            remote.ledger(),
            told,
        )?)
    }

    fn met(
        url: &str,
        dir: Option<PathBuf>,
        given: Option<Hash>,
        told: Hash,
    ) -> std::result::Result<Known, Error> {
        let file = dir.map(|dir| dir.join(format!("ledger-{}", file_name(url))));
        let kept = match file.as_deref().filter(|path| path.exists()) {
            Some(path) => Kept::read(path).map(Some).or(given.map(|_| None)),
            None => Some(None),
        };
        let kept = kept.ok_or_else(|| unreadable(url, told))?;
        let ledger = given.or(kept.map(|(ledger, _)| ledger)).unwrap_or(told);
        if ledger != told {
            return Err(another(url, ledger, told));
        }
        let old = kept.filter(|(known, _)| *known == ledger);
        let known = Known {
            url: url.to_owned(),
            ledger,
            seen: Cell::new(old.and_then(|(_, seen)| seen)),
            file,
        };
        if old.is_none() {
            let kept = known.keep();
            if given.is_none() {
                let grouped = super::grouped(&ledger.to_string());
                eprintln!("This terminal has no memory of the ledger at {url}:");
                eprintln!("  {grouped}");
                eprintln!("  Compare it with the founding card.");
            }
            if !kept {
                eprintln!(
                    "  It cannot be remembered: there is no $XDG_STATE_HOME or $HOME to write to. Give --ledger."
                );
            }
        }
        Ok(known)
    }

    /// How much of it was seen: what a proof that it went on from there begins with.
    pub(super) fn size(&self) -> u64 {
        self.seen.get().map_or(0, |seen| seen.size)
    }

    /// A checkpoint of this ledger, signed, that goes on from what was seen; which is remembered then.
    pub(super) fn trust(
        &self,
        note: &str,
        founding: &Proved,
        consistency: &[Hash],
    ) -> std::result::Result<Trust, Error> {
        let seen = self.seen.get();
        let trust = Trust::check(note, founding, self.ledger, seen.as_ref(), consistency)
            .map_err(|e| {
                lie(
                    format!("What {} shows of its ledger does not hold: {e}.", self.url),
                    format!(
                        "Call a custodian, and compare the ledger\u{2019}s fingerprint, {}, and its size with what their pages show.",
                        super::grouped(&self.ledger.to_string())
                    ),
                )
            })?;
        let newer = trust.anchor();
        if seen.is_none_or(|seen| seen.size < newer.size) {
            self.seen.set(Some(newer));
            // Another window may have seen more.
            let other = self.file.as_deref().and_then(Kept::read);
            let more = other.is_some_and(|(ledger, seen)| {
                ledger == self.ledger && seen.is_some_and(|seen| seen.size > newer.size)
            });
            if !more {
                self.keep();
            }
        }
        Ok(trust)
    }

    /// Beside it first: whoever is killed on the way leaves one that is whole.
    fn keep(&self) -> bool {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        let kept = Kept {
            url: self.url.clone(),
            ledger: self.ledger.to_string(),
            seen: self.seen.get().map(|a| (a.size, a.root.to_string())),
        };
        let Some(path) = &self.file else {
            return false;
        };
        let beside = path.with_extension(std::process::id().to_string());
        let written = || -> std::io::Result<()> {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path.parent().unwrap_or(path))?;
            let _ = std::fs::remove_file(&beside);
            std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&beside)?
                .write_all(&serde_json::to_vec(&kept)?)?;
            std::fs::rename(&beside, path)
        };
        written().is_ok()
    }
}

/// What a server that lies is refused with.
pub(super) fn lie(why: String, next: String) -> Error {
    Error::Tampered(Words::new(
        "Stop. Nothing was shown here.",
        format!("{why} A server that lies does this."),
        next,
    ))
}

fn another(url: &str, known: Hash, told: Hash) -> Error {
    let grouped = |ledger: Hash| super::grouped(&ledger.to_string());
    Error::Tampered(Words::new(
        "Stop. Nothing was asked.",
        format!(
            "The ledger at {url} is not the one that is known here, {}: it is {}. A server that lies does this, or one that was founded anew.",
            grouped(known),
            grouped(told)
        ),
        "Call a custodian, and compare both with the founding card. Where the new one is on it, give that: --ledger FINGERPRINT.",
    ))
}

fn unreadable(url: &str, told: Hash) -> Error {
    Error::conflict(
        "Not asked.",
        format!("What this terminal remembers of the ledger at {url} does not read."),
        format!(
            "It says that it is {}. Compare that with the founding card, and give what is on the card: --ledger FINGERPRINT.",
            super::grouped(&told.to_string())
        ),
    )
}

/// Of an address: no path, and no two alike.
fn file_name(url: &str) -> String {
    let digest = hex::encode(Sha256::digest(url.as_bytes()));
    digest.chars().take(16).collect()
}

fn state_dir() -> Option<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|dir| dir.is_absolute())
    };
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .map(|dir| dir.join("vitrine"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const URL: &str = "https://vitrine.example";

    #[test]
    fn the_first_ledger_is_known_and_another_is_refused_until_it_is_given() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Some(dir.path().join("vitrine"));
        let meet = |given: Option<u8>, told: u8| {
            let hash = |n| Hash([n; 32]);
            Known::met(URL, dir.clone(), given.map(hash), hash(told))
        };
        let seen = Some(Anchor {
            size: 7,
            root: Hash([7; 32]),
        });
        let first = meet(None, 1).unwrap();
        assert_eq!(first.size(), 0);
        first.seen.set(seen);
        assert!(first.keep());
        assert_eq!(meet(None, 1).unwrap().size(), 7);
        for (given, told) in [(None, 2), (Some(1), 2), (Some(2), 1)] {
            let refused = meet(given, told).err().unwrap();
            assert_eq!(refused.kind(), "tampered");
            assert!(refused.words().next.contains("founding card"));
        }
        // Elsewhere another is another.
        let elsewhere = Known::met("https://b.example", dir.clone(), None, Hash([2; 32]));
        assert_eq!(elsewhere.unwrap().size(), 0);
        // Given by somebody who compared it, it takes the other's place, with nothing seen.
        assert_eq!(meet(Some(2), 2).unwrap().size(), 0);
        assert!(meet(None, 1).is_err() && meet(None, 2).is_ok());
        let file = dir
            .clone()
            .unwrap()
            .join(format!("ledger-{}", file_name(URL)));
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // Damaged, it is no first time.
        std::fs::write(&file, "{").unwrap();
        assert!(
            meet(None, 2)
                .err()
                .unwrap()
                .words()
                .why
                .contains("does not read")
        );
        assert!(meet(Some(2), 2).is_ok() && meet(None, 2).is_ok());
    }

    #[test]
    fn without_a_folder_it_goes_on_and_remembers_nothing() {
        for dir in [None, Some(PathBuf::from("/proc/none"))] {
            for told in [1, 2] {
                let known = Known::met(URL, dir.clone(), None, Hash([told; 32])).unwrap();
                assert_eq!(known.ledger, Hash([told; 32]));
            }
        }
    }
}
