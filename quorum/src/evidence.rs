//! Evidence (FORMATS.md 2 and 5): entries with their proofs, under a checkpoint that is signed by the founded
//! keys and extends what was seen before.
//!
//! An inclusion proof shows that something was entered. That nothing else was, no proof shows: whoever
//! picks the entries can leave out a revocation. What is handed is honoured; the ledger's verifier finds what was not.

use std::fmt;

use signed_note::{Note, Signature, StandardVerifier, Verifier as _};
use tlog_tiles::{checkpoint::Checkpoint, tlog};

use crate::assertion::RelyingParty;
use crate::entry::{Entry, EntryError, Event, LedgerFounded};
use crate::hash::{self, Hash};

/// An entry with the proof that it is in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// Its place.
    pub seq: u64,
    /// Its bytes.
    pub entry: Vec<u8>,
    /// The inclusion proof (RFC 6962, section 2.1.1).
    pub proof: Vec<Hash>,
}

/// A tree seen before and kept where nobody else writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// How many entries.
    pub size: u64,
    /// The root.
    pub root: Hash,
}

/// A `checkpoint_keys.changed`, with what shows that the old keys agreed to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// The entry, proved under the tree that ends with it.
    pub entry: Proved,
    /// The checkpoint of that tree, signed by one of the old keys.
    pub note: String,
    /// That the next tree (of the next change, else of the newest checkpoint) extends this one.
    pub consistency: Vec<Hash>,
}

/// Why evidence shows nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvidenceError {
    /// The checkpoint is no signed note, or its text no checkpoint of exactly three lines.
    Note,
    /// The checkpoint is another ledger's.
    Origin,
    /// No key in force signed the checkpoint.
    Unsigned,
    /// A signature by a key in force doesn't verify.
    Signature,
    /// Entry 0 is not the one whose leaf is the founding fingerprint.
    Founding,
    /// Checkpoint keys that are no C2SP Ed25519 verifier keys of this ledger, or not 1 to 3.
    Keys,
    /// The changes of checkpoint keys are out of order, or one is no such entry.
    KeyChange,
    /// The checkpoint is older than the anchor: the ledger was truncated or rolled back.
    Behind,
    /// The tree doesn't extend the anchor: the ledger was rewritten or forked.
    NotAnExtension,
    /// The entry of that seq is not in the tree.
    NotIncluded(u64),
    /// The entry of that seq doesn't read.
    Entry(u64, EntryError),
}

impl EvidenceError {
    /// The error's name in the test vectors.
    #[must_use]
    pub fn code(&self) -> String {
        match self {
            Self::Note => "note".into(),
            Self::Origin => "origin".into(),
            Self::Unsigned => "unsigned".into(),
            Self::Signature => "signature".into(),
            Self::Founding => "founding".into(),
            Self::Keys => "keys".into(),
            Self::KeyChange => "key_change".into(),
            Self::Behind => "behind".into(),
            Self::NotAnExtension => "not_an_extension".into(),
            Self::NotIncluded(_) => "not_included".into(),
            Self::Entry(_, e) => format!("entry:{}", e.code()),
        }
    }
}

impl fmt::Display for EvidenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Note => write!(f, "the checkpoint does not read"),
            Self::Origin => write!(f, "the checkpoint is another ledger's"),
            Self::Unsigned => write!(f, "no key in force signed the checkpoint"),
            Self::Signature => write!(f, "a signature on the checkpoint is not good"),
            Self::Founding => write!(f, "entry 0 is not the founding that is trusted"),
            Self::Keys => write!(f, "the checkpoint keys do not read"),
            Self::KeyChange => write!(f, "a change of checkpoint keys is not shown"),
            Self::Behind => write!(f, "the checkpoint is older than one seen before"),
            Self::NotAnExtension => write!(f, "the ledger does not extend what was seen before"),
            Self::NotIncluded(seq) => write!(f, "entry {seq} is not in the ledger"),
            Self::Entry(seq, e) => write!(f, "entry {seq}: {e}"),
        }
    }
}

impl std::error::Error for EvidenceError {}

/// A checkpoint that was checked: what entries are proved under.
#[derive(Clone, Debug)]
pub struct Trust {
    ledger: Hash,
    name: String,
    rp: RelyingParty,
    keys: Vec<String>,
    tree: Anchor,
}

impl Trust {
    /// Checks the newest checkpoint: `founded` is the fingerprint that was compared by people, `anchor` the
    /// newest tree seen before and `consistency` the proof that this one extends it.
    ///
    /// # Errors
    /// Anything that doesn't hold.
    pub fn check(
        note: &str,
        founding: &Proved,
        founded: Hash,
        anchor: Option<&Anchor>,
        consistency: &[Hash],
    ) -> Result<Self, EvidenceError> {
        Self::check_after_changes(note, founding, founded, &[], anchor, consistency)
    }

    /// As [`Trust::check`], for a ledger whose checkpoint keys have changed since; `changes` in the order of the ledger.
    ///
    /// # Errors
    /// Anything that doesn't hold.
    pub fn check_after_changes(
        note: &str,
        founding: &Proved,
        founded: Hash,
        changes: &[KeyChange],
        anchor: Option<&Anchor>,
        consistency: &[Hash],
    ) -> Result<Self, EvidenceError> {
        let founding_entry = read_founding(founding, founded)?;
        let name = founding_entry.name;
        let mut keys = check_keys(&name, founding_entry.checkpoint_keys)?;
        let mut last: Option<(Anchor, &[Hash])> = None;
        for change in changes {
            let tree = open_note(&change.note, &name, &keys)?;
            if change.entry.seq.checked_add(1) != Some(tree.size) {
                return Err(EvidenceError::KeyChange);
            }
            check_follows(last, &tree)?;
            let Event::CheckpointKeysChanged(changed) = read_proved(&change.entry, &tree)?.event
            else {
                return Err(EvidenceError::KeyChange);
            };
            keys = check_keys(&name, changed.checkpoint_keys)?;
            last = Some((tree, &change.consistency));
        }
        let tree = open_note(note, &name, &keys)?;
        check_follows(last, &tree)?;
        include(founding, &tree)?;
        if let Some(anchor) = anchor {
            if anchor.size > tree.size {
                return Err(EvidenceError::Behind);
            }
            extends(anchor, &tree, consistency)?;
        }
        Ok(Self {
            ledger: founded,
            name,
            rp: RelyingParty {
                rp_id: founding_entry.rp_id,
                origins: founding_entry.origins,
            },
            keys,
            tree,
        })
    }

    /// The ledger's name: the leaf of entry 0.
    #[must_use]
    pub const fn ledger(&self) -> Hash {
        self.ledger
    }

    /// The ledger's origin, as people call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who asks for touches.
    #[must_use]
    pub const fn rp(&self) -> &RelyingParty {
        &self.rp
    }

    /// The checkpoint keys in force.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// How many entries the checkpoint covers.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.tree.size
    }

    /// The checkpoint's root.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.tree.root
    }

    /// What to keep as the anchor from now on.
    #[must_use]
    pub const fn anchor(&self) -> Anchor {
        self.tree
    }

    /// Checks that an entry is in the ledger, at its place, and reads it.
    ///
    /// # Errors
    /// It isn't, or doesn't read.
    pub fn entry(&self, proved: &Proved) -> Result<Entry, EvidenceError> {
        read_proved(proved, &self.tree)
    }
}

fn read_founding(founding: &Proved, founded: Hash) -> Result<LedgerFounded, EvidenceError> {
    if founding.seq != 0 || hash::leaf(&founding.entry) != founded {
        return Err(EvidenceError::Founding);
    }
    let entry = Entry::parse(&founding.entry).map_err(|e| EvidenceError::Entry(0, e))?;
    match entry.event {
        Event::LedgerFounded(data) if entry.seq == 0 && entry.prev == Hash::ZERO => Ok(data),
        _ => Err(EvidenceError::Founding),
    }
}

fn check_keys(name: &str, keys: Vec<String>) -> Result<Vec<String>, EvidenceError> {
    let good = |key: &String| {
        let id = key
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('+'))
            .and_then(|rest| rest.get(..8));
        // The crate below takes upper-case digits and a sign, too.
        id.is_some_and(|id| id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
            && StandardVerifier::new(key).is_ok_and(|verifier| verifier.name() == name)
    };
    if (1..=3).contains(&keys.len()) && keys.iter().all(good) {
        Ok(keys)
    } else {
        Err(EvidenceError::Keys)
    }
}

/// Reads a checkpoint and checks its signatures: at least one by a key in force, and each such one good.
fn open_note(note: &str, name: &str, keys: &[String]) -> Result<Anchor, EvidenceError> {
    let parsed = Note::from_bytes(note.as_bytes()).map_err(|_| EvidenceError::Note)?;
    check_signatures(note, parsed.text(), keys)?;
    let checkpoint = Checkpoint::from_bytes(parsed.text()).map_err(|_| EvidenceError::Note)?;
    if checkpoint.origin() != name {
        return Err(EvidenceError::Origin);
    }
    if !checkpoint.extension().is_empty() || checkpoint.size() == 0 {
        return Err(EvidenceError::Note);
    }
    Ok(Anchor {
        size: checkpoint.size(),
        root: Hash(checkpoint.hash().0),
    })
}

/// At least one line by a key in force, and each such line good, a key's second as its first. Line by line: the library passes over a second one
/// by the same key, which may be bad.
fn check_signatures(note: &str, text: &[u8], keys: &[String]) -> Result<(), EvidenceError> {
    let verifiers: Result<Vec<_>, _> = keys.iter().map(|key| StandardVerifier::new(key)).collect();
    let verifiers = verifiers.map_err(|_| EvidenceError::Keys)?;
    let lines = note
        .get(text.len() + 1..)
        .and_then(|lines| lines.strip_suffix('\n'))
        .ok_or(EvidenceError::Note)?;
    let mut signed = false;
    for line in lines.split('\n') {
        let line = Signature::from_bytes(line.as_bytes()).map_err(|_| EvidenceError::Note)?;
        let by = |v: &&StandardVerifier| v.name() == line.name() && v.key_id() == line.id();
        let Some(verifier) = verifiers.iter().find(by) else {
            continue;
        };
        if !verifier.verify(text, line.signature()) {
            return Err(EvidenceError::Signature);
        }
        signed = true;
    }
    if signed {
        Ok(())
    } else {
        Err(EvidenceError::Unsigned)
    }
}

fn check_follows(last: Option<(Anchor, &[Hash])>, tree: &Anchor) -> Result<(), EvidenceError> {
    match last {
        Some((before, _)) if before.size >= tree.size => Err(EvidenceError::KeyChange),
        Some((before, consistency)) => extends(&before, tree, consistency),
        None => Ok(()),
    }
}

/// Checks that `tree` begins with all of `before` (RFC 6962, section 2.1.2).
fn extends(before: &Anchor, tree: &Anchor, consistency: &[Hash]) -> Result<(), EvidenceError> {
    tlog::check_tree(
        &wire(consistency),
        tree.size,
        tlog::Hash(tree.root.0),
        before.size,
        tlog::Hash(before.root.0),
    )
    .map_err(|_| EvidenceError::NotAnExtension)
}

fn include(proved: &Proved, tree: &Anchor) -> Result<(), EvidenceError> {
    tlog::check_record(
        &wire(&proved.proof),
        tree.size,
        tlog::Hash(tree.root.0),
        proved.seq,
        tlog::Hash(hash::leaf(&proved.entry).0),
    )
    .map_err(|_| EvidenceError::NotIncluded(proved.seq))
}

fn read_proved(proved: &Proved, tree: &Anchor) -> Result<Entry, EvidenceError> {
    include(proved, tree)?;
    let entry = Entry::parse(&proved.entry).map_err(|e| EvidenceError::Entry(proved.seq, e))?;
    if entry.seq != proved.seq {
        return Err(EvidenceError::Entry(proved.seq, EntryError::Seq));
    }
    Ok(entry)
}

fn wire(hashes: &[Hash]) -> Vec<tlog::Hash> {
    hashes.iter().map(|hash| tlog::Hash(hash.0)).collect()
}
