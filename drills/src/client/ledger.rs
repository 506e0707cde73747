//! The ledger: checkpoints, entries with their proofs, a whole export over HTTP.

use std::path::Path;

use audit::checkpoint::{self, VerifierKey};
use audit::export::Writer;
use quorum::Hash;
use quorum::evidence::{Proved, Trust};
use serde::Deserialize;

use super::wire::{self, SentProved};
use super::{Client, Error, Person, Result, unproved};

/// One line of the ledger, for people.
#[derive(Clone, Debug, Deserialize)]
pub struct Line {
    /// Place.
    pub seq: u64,
    /// Microseconds since 1970 UTC.
    pub time: i64,
    /// Event.
    pub event: String,
    /// Who.
    pub actor: String,
    /// In words.
    pub summary: String,
}

/// An entry that is proved to be in the ledger.
#[derive(Clone, Debug)]
pub struct ProvedEntry {
    /// The canonical bytes.
    pub bytes: Vec<u8>,
    /// The same, read for its data.
    pub entry: audit::read::Entry,
    /// The checkpoint it was proved under.
    pub note: String,
}

#[derive(Deserialize)]
struct SentCheckpoint {
    note: String,
    #[serde(deserialize_with = "wire::texts")]
    consistency: Vec<Hash>,
    founding: SentProved,
}

#[derive(Deserialize)]
struct SentEntry {
    entry: String,
    #[serde(deserialize_with = "wire::texts")]
    proof: Vec<Hash>,
    note: String,
}

impl Client {
    /// The newest checkpoint, checked: of the founded ledger, signed, and an extension of what this person's device has
    /// seen; which it then remembers.
    ///
    /// # Errors
    /// A refusal; [`Error::Unproved`].
    pub async fn checkpoint(&self, person: &mut Person) -> Result<Trust> {
        Ok(self.newest(person).await?.0)
    }

    async fn newest(&self, person: &mut Person) -> Result<(Trust, String)> {
        let from = person.pinned.map_or(0, |pinned| pinned.size);
        let path = format!("/ledger/checkpoint?from={from}");
        let sent: SentCheckpoint = self.get(&path, person.by()).await?.read()?;
        let founding = Proved::from(sent.founding);
        let trust = self.trust(person, &sent.note, &founding, &sent.consistency)?;
        Ok((trust, sent.note))
    }

    /// A checkpoint that was given, checked as [`Client::checkpoint`] does.
    pub(super) fn trust(
        &self,
        person: &mut Person,
        note: &str,
        founding: &Proved,
        consistency: &[Hash],
    ) -> Result<Trust> {
        let pinned = person.pinned.as_ref();
        let trust = Trust::check(note, founding, self.ledger(), pinned, consistency);
        let trust = trust.map_err(unproved)?;
        person.pinned = Some(trust.anchor());
        Ok(trust)
    }

    /// Lines, newest first: all, or those about an id or of an event.
    ///
    /// # Errors
    /// A refusal.
    pub async fn lines(&self, person: &Person, about: &str) -> Result<Vec<Line>> {
        #[derive(Deserialize)]
        struct Sent {
            entries: Vec<Line>,
        }
        let path = format!("/ledger/entries?limit=200&q={about}");
        let sent: Sent = self.get(&path, person.by()).await?.read()?;
        Ok(sent.entries)
    }

    /// One entry, proved under a checkpoint that the keys in `trust` signed.
    ///
    /// # Errors
    /// A refusal; [`Error::Unproved`].
    pub async fn entry(&self, person: &Person, trust: &Trust, seq: u64) -> Result<ProvedEntry> {
        let path = format!("/ledger/entries/{seq}");
        let sent: SentEntry = self.get(&path, person.by()).await?.read()?;
        let bytes = sent.entry.into_bytes();
        included(trust, &sent.note, seq, &bytes, &sent.proof)?;
        Ok(ProvedEntry {
            entry: audit::read::Entry::parse(&bytes).map_err(unproved)?,
            bytes,
            note: sent.note,
        })
    }

    /// Exports the whole ledger over HTTP into `dir`, as `vitrine audit export` does on the server: every entry proved,
    /// then the checkpoint that covers exactly them. Gives the number of entries.
    ///
    /// # Errors
    /// A refusal; [`Error::Unproved`]; what the file system says.
    pub async fn export(&self, person: &mut Person, dir: &Path) -> Result<u64> {
        let (trust, note) = self.newest(person).await?;
        let mut export = Writer::create(dir).map_err(unproved)?;
        for seq in 0..trust.size() {
            let proved = self.entry(person, &trust, seq).await?;
            export.entry(&proved.bytes).map_err(unproved)?;
        }
        export.finish(&note).map_err(unproved)?;
        Ok(trust.size())
    }
}

/// Checks that an entry is in the tree of a checkpoint signed by the keys in `trust`.
pub(super) fn included(
    trust: &Trust,
    note: &str,
    seq: u64,
    entry: &[u8],
    proof: &[Hash],
) -> Result<()> {
    let keys: std::result::Result<Vec<VerifierKey>, _> =
        trust.keys().iter().map(|key| key.parse()).collect();
    let keys = keys.map_err(unproved)?;
    let tree = checkpoint::verify(note, trust.name(), &keys).map_err(unproved)?;
    let proof: Vec<audit::Hash> = proof.iter().map(|hash| audit::Hash(hash.0)).collect();
    let leaf = audit::leaf_hash(entry);
    audit::tree::verify_inclusion(&leaf, seq, tree.size, &tree.root, &proof)
        .map_err(|e| Error::Unproved(format!("entry {seq}: {e}")))
}
