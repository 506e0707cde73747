//! Signed checkpoints: made by either of the checkpoint tokens, checked against the anchor before
//! they are signed, anchored before anybody relies on them.

use std::sync::Arc;

use audit::checkpoint::VerifierKey;
use audit::tree::Fetched;

use quorum::Hash;
use quorum::ids::KeyId;
use sqlx::Row;
use tokio::sync::Mutex;

use super::anchor::{self, Anchor, Anchored, broken};
use super::proofs::{self, Tree};
use super::{Ledger, audit_hash};
use crate::error::{Error, Result, Words};
use crate::keys::Keys;

/// A signed tree head, in memory.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Entries covered.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// The signed note.
    pub note: String,
}

/// A checkpoint, and what it shows of one entry.
pub struct Shown {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// That it has the entry.
    pub entry: Vec<audit::Hash>,
    /// That it has entry 0.
    pub founding: Vec<audit::Hash>,
    /// That it extends what was seen before.
    pub consistency: Vec<audit::Hash>,
}

pub(super) struct Signer {
    keys: Keys,
    anchor: Anchor,
    newest: Mutex<Option<Arc<Checkpoint>>>,
}

impl Signer {
    pub(super) fn new(keys: Keys, anchor: Anchor) -> Signer {
        Signer {
            keys,
            anchor,
            newest: Mutex::new(None),
        }
    }

    /// Says which keys the ledger knows.
    pub(super) fn know(&self, signing: Vec<VerifierKey>, wrapping: Vec<KeyId>) {
        self.keys.know(signing, wrapping);
    }
}

impl Ledger {
    /// Checks at start that this database's tree extends the anchor. `adopt` names a size and root that a
    /// person has compared, for a node without an anchor.
    pub async fn check_anchor(&self, adopt: Option<(u64, Hash)>) -> Result<()> {
        let founding = self.founding()?;
        let anchor = &self.inner.signer.anchor;
        let held = match (anchor.read()?, adopt) {
            (Some(held), _) => held,
            (None, Some((size, root))) => Anchored {
                ledger: founding.ledger,
                size,
                root,
            },
            (None, None) => {
                return Err(Error::NotReady(Words::new(
                    "Not started.",
                    "This node has no anchor: it cannot tell this database from an older copy of it.",
                    "Compare size and root with another node or a signed-in page, then run `vitrine serve --adopt SIZE:ROOT`.",
                )));
            }
        };
        if held.ledger != founding.ledger {
            return Err(broken("its founding entry is another one"));
        }
        self.extends(held.size, held.root).await?;
        anchor.write(&held)
    }

    /// Refuses unless this database's tree extends the anchor: before each seal and each release, for which a
    /// database that was rolled back would give an old roster or an old count.
    pub async fn check_extends(&self) -> Result<()> {
        let held = self.anchored()?;
        self.extends(held.size, held.root).await
    }

    /// What this node has relied on.
    pub(super) fn anchored(&self) -> Result<Anchored> {
        let held = self.inner.signer.anchor.read()?;
        held.ok_or_else(|| broken("the anchor is gone"))
    }

    /// Refuses unless the stored tree had `root` at `size`.
    async fn extends(&self, size: u64, root: Hash) -> Result<()> {
        // Reads the entries' leaves themselves: where some are missing there is no root.
        match self.root_at(size).await? {
            None => Err(anchor::missing()),
            Some(found) if found != root => Err(anchor::different()),
            Some(_) => Ok(()),
        }
    }

    /// Entries in the database now, whoever entered them.
    pub async fn stored_size(&self) -> Result<u64> {
        let row = sqlx::query("SELECT size FROM ledger_head WHERE id = 1")
            .fetch_optional(&self.db().pool)
            .await?;
        match row {
            Some(row) => u64::try_from(row.try_get::<i64, _>(0)?).map_err(Error::internal),
            None => Ok(0),
        }
    }

    /// A signed checkpoint that covers entry `seq`, made now if there is none. It is anchored when this returns.
    pub async fn covering(&self, seq: u64) -> Result<Checkpoint> {
        self.covering_by(seq, None).await.map(|(c, _)| c)
    }

    /// As `covering`, with the proofs of that entry, of entry 0, and that the tree extends that of size `from`. The `tree` is
    /// one that was read before the entry was made.
    pub(crate) async fn show(&self, seq: u64, from: u64, tree: Tree) -> Result<Shown> {
        // What was seen may be newer than the checkpoint that this node has, where another signed it.
        let reach = seq.max(from.saturating_sub(1));
        let (checkpoint, nodes) = self.covering_by(reach, Some(tree)).await?;
        let size = checkpoint.size;
        if let Some(Ok(shown)) = nodes.map(|nodes| Shown::of(&checkpoint, &nodes, seq, from)) {
            return Ok(shown);
        }
        let nodes = self.nodes(Ledger::wanted(seq, from, size)?).await?;
        Shown::of(&checkpoint, &nodes, seq, from).map_err(Error::internal)
    }

    /// A checkpoint that covers `seq`; with its tree, where it was signed just now.
    async fn covering_by(
        &self,
        seq: u64,
        tree: Option<Tree>,
    ) -> Result<(Checkpoint, Option<Fetched>)> {
        let signer = &self.inner.signer;
        let mut newest = signer.newest.lock().await;
        if let Some(held) = newest.as_ref().filter(|c| c.size > seq) {
            return Ok((held.as_ref().clone(), None));
        }
        // What this node has committed is enough, where it covers the entry: no need to ask how far others are.
        let mut size = self.size();
        if size <= seq {
            size = self.stored_size().await?;
        }
        if size <= seq {
            return Err(Error::internal(format!("entry {seq} is not durable")));
        }
        let (signed, nodes) = self.sign(size, tree).await?;
        *newest = Some(Arc::new(signed.clone()));
        Ok((signed, Some(nodes)))
    }

    /// The newest checkpoint, covering every entry that is durable now.
    pub async fn checkpoint(&self) -> Result<Checkpoint> {
        let size = self.stored_size().await?;
        self.covering(size.saturating_sub(1)).await
    }

    /// Signs the tree of `size`, by an older one and what was appended since, where both are known.
    async fn sign(&self, size: u64, tree: Option<Tree>) -> Result<(Checkpoint, Fetched)> {
        let founding = self.founding()?;
        let anchor = &self.inner.signer.anchor;
        let held = self.anchored()?;
        if size < held.size {
            return Err(anchor::missing());
        }
        let old = (held.size, held.root);
        let grown = match (tree, self.inner.grown.lock()) {
            (Some(tree), Ok(by)) => tree.grown(&by, size),
            _ => None,
        };
        let known = match grown {
            Some(nodes) => proofs::extending(&nodes, old, size)?.map(|root| (root, nodes)),
            None => None,
        };
        let (root, nodes) = match known {
            Some(known) => known,
            None => self
                .root_extending(old, size, Vec::new())
                .await?
                .ok_or_else(|| {
                    broken("entries that this node has seen are missing or different")
                })?,
        };
        let body = audit::checkpoint::body(&founding.name, size, &audit_hash(root));
        // Side by side: what is anchored is durable, whether its signature comes or not.
        let (note, anchored) = futures::join!(
            self.inner.signer.keys.sign_checkpoint(&body),
            anchor.keep(Anchored {
                ledger: founding.ledger,
                size,
                root,
            })
        );
        let note = note?;
        anchored?;
        self.file(size, note.clone());
        Ok((Checkpoint { size, root, note }, nodes))
    }

    /// Keeps a signed checkpoint for exports: the writer stores it with the next batch. A crash before loses one of many, and
    /// the next covers the same entries.
    fn file(&self, size: u64, note: String) {
        if let Ok(mut notes) = self.inner.notes.lock() {
            notes.push((size, note));
        }
    }

    /// Stores what `file` keeps, where no batch came to take it.
    pub async fn flush_checkpoints(&self) -> Result<()> {
        if self.inner.notes.lock().is_ok_and(|notes| notes.is_empty()) {
            return Ok(());
        }
        self.aside(|_| Box::pin(async { Ok(()) })).await
    }
}

impl Shown {
    fn of(
        checkpoint: &Checkpoint,
        nodes: &Fetched,
        seq: u64,
        from: u64,
    ) -> std::result::Result<Shown, audit::tree::TreeError> {
        let size = checkpoint.size;
        Ok(Shown {
            entry: audit::tree::inclusion(nodes, seq, size)?,
            founding: audit::tree::inclusion(nodes, 0, size)?,
            consistency: audit::tree::consistency(nodes, from, size)?,
            checkpoint: checkpoint.clone(),
        })
    }
}
