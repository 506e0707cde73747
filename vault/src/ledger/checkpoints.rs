//! Signed checkpoints: made by either of the checkpoint tokens, checked against the anchor before
//! they are signed, anchored before anybody relies on them.

use std::sync::Arc;

use quorum::Hash;
use sqlx::Row;
use tokio::sync::Mutex;

use super::anchor::{Anchor, Anchored, broken};
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
        let held = self.inner.signer.anchor.read()?.ok_or_else(gone)?;
        self.extends(held.size, held.root).await
    }

    /// Refuses unless the stored tree had `root` at `size`.
    async fn extends(&self, size: u64, root: Hash) -> Result<()> {
        // Reads the entries' leaves themselves: where some are missing there is no root.
        match self.root_at(size).await? {
            None => Err(broken("entries that this node has seen are missing")),
            Some(found) if found != root => {
                Err(broken("entries that this node has seen are different"))
            }
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
        let nothing = |_| Ok(Vec::new());
        self.covering_with(seq, nothing).await.map(|(c, _)| c)
    }

    /// As `covering`, with the proofs of that entry, of entry 0, and that the tree extends that of size `from`.
    pub async fn show(&self, seq: u64, from: u64) -> Result<Shown> {
        let wanted = |size| Ledger::wanted(seq, from, size);
        let (checkpoint, nodes) = self.covering_with(seq, wanted).await?;
        let size = checkpoint.size;
        let included = |seq| audit::tree::inclusion(&nodes, seq, size).map_err(Error::internal);
        Ok(Shown {
            entry: included(seq)?,
            founding: included(0)?,
            consistency: audit::tree::consistency(&nodes, from, size).map_err(Error::internal)?,
            checkpoint,
        })
    }

    /// A checkpoint that covers `seq`, and what of its tree is `wanted` besides.
    async fn covering_with(
        &self,
        seq: u64,
        wanted: impl Fn(u64) -> Result<Vec<audit::tree::Range>>,
    ) -> Result<(Checkpoint, audit::tree::Fetched)> {
        let signer = &self.inner.signer;
        let mut newest = signer.newest.lock().await;
        if let Some(held) = newest.as_ref().filter(|c| c.size > seq) {
            let held = held.as_ref().clone();
            drop(newest);
            let nodes = self.nodes(wanted(held.size)?).await?;
            return Ok((held, nodes));
        }
        // What this node has committed is enough, where it covers the entry: no need to ask how far others are.
        let mut size = self.size();
        if size <= seq {
            size = self.stored_size().await?;
        }
        if size <= seq {
            return Err(Error::internal(format!("entry {seq} is not durable")));
        }
        let (signed, nodes) = self.sign(size, wanted(size)?).await?;
        *newest = Some(Arc::new(signed.clone()));
        Ok((signed, nodes))
    }

    /// The newest checkpoint, covering every entry that is durable now.
    pub async fn checkpoint(&self) -> Result<Checkpoint> {
        let size = self.stored_size().await?;
        self.covering(size.saturating_sub(1)).await
    }

    /// Signs the tree of `size`; gives what is `wanted` of it as well.
    async fn sign(
        &self,
        size: u64,
        wanted: Vec<audit::tree::Range>,
    ) -> Result<(Checkpoint, audit::tree::Fetched)> {
        let founding = self.founding()?;
        let anchor = &self.inner.signer.anchor;
        let held = anchor.read()?.ok_or_else(gone)?;
        if size < held.size {
            return Err(broken("entries that this node has seen are missing"));
        }
        let (root, nodes) = self
            .root_extending((held.size, held.root), size, wanted)
            .await?
            .ok_or_else(|| broken("entries that this node has seen are missing or different"))?;
        let body = audit::checkpoint::body(&founding.name, size, &audit_hash(root));
        // Side by side: what is anchored is durable, whether its signature comes or not.
        let (signature, anchored) = futures::join!(
            self.inner.signer.keys.sign_checkpoint(&body),
            anchor.keep(Anchored {
                ledger: founding.ledger,
                size,
                root,
            })
        );
        let note = signature?.note(&body)?;
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

fn gone() -> Error {
    broken("the anchor is gone")
}
