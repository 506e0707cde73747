//! Inclusion and consistency, from stored leaf hashes and subtree nodes. The tree's arithmetic is
//! `audit`'s; here is only the fetching.

use std::fmt::Write as _;

use audit::chain::{Appended, Node};
use audit::tree::{Fetched, Range};
use quorum::Hash;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::Ledger;
use super::anchor::{self, Anchored};
use crate::error::{Error, Result};
use crate::script::{Facts, Script, Value};

/// Why hashes were not fetched.
enum Fetching {
    /// There are fewer than the tree has.
    Missing,
    /// The database did not give them.
    Failed(Error),
}

impl From<Error> for Fetching {
    fn from(e: Error) -> Fetching {
        Fetching::Failed(e)
    }
}

impl From<sqlx::Error> for Fetching {
    fn from(e: sqlx::Error) -> Fetching {
        Fetching::Failed(e.into())
    }
}

impl From<Fetching> for Error {
    fn from(e: Fetching) -> Error {
        match e {
            Fetching::Missing => anchor::broken("entries are missing"),
            Fetching::Failed(e) => e,
        }
    }
}

impl Ledger {
    /// Hashes that prove entry `seq` under the tree of `size`.
    pub async fn inclusion(&self, seq: u64, size: u64) -> Result<Vec<audit::Hash>> {
        let nodes = self
            .fetch(audit::tree::wanted_for_inclusion(seq, size).map_err(Error::internal)?)
            .await?;
        audit::tree::inclusion(&nodes, seq, size).map_err(Error::internal)
    }

    /// Hashes that prove the tree of `to` to extend the tree of `from`.
    pub async fn consistency(&self, from: u64, to: u64) -> Result<Vec<audit::Hash>> {
        if from == 0 || from == to {
            return Ok(Vec::new());
        }
        let nodes = self
            .fetch(audit::tree::wanted_for_consistency(from, to).map_err(Error::internal)?)
            .await?;
        audit::tree::consistency(&nodes, from, to).map_err(Error::internal)
    }

    /// The stored tree's root at `size`; none where entries are missing.
    pub(super) async fn root_at(&self, size: u64) -> Result<Option<Hash>> {
        let wanted = audit::tree::wanted_for_root(size).map_err(Error::internal)?;
        match self.fetch(wanted).await {
            Ok(nodes) => Ok(audit::tree::root(&nodes, size).ok().map(|h| Hash(h.0))),
            Err(Fetching::Missing) => Ok(None),
            Err(Fetching::Failed(e)) => Err(e),
        }
    }

    /// What the proofs of entry `seq`, of entry 0, and that the tree extends that of size `from`, are made of.
    pub(super) fn wanted(seq: u64, from: u64, size: u64) -> Result<Vec<Range>> {
        let mut wanted = audit::tree::wanted_for_inclusion(seq, size).map_err(Error::internal)?;
        wanted.extend(audit::tree::wanted_for_inclusion(0, size).map_err(Error::internal)?);
        wanted.extend(audit::tree::wanted_for_consistency(from, size).map_err(Error::internal)?);
        Ok(wanted)
    }

    /// Stored hashes.
    pub(super) async fn nodes(&self, wanted: Vec<Range>) -> Result<Fetched> {
        Ok(self.fetch(audit::tree::joined(wanted)).await?)
    }

    /// The stored tree's root at `size`, proved to extend the `old` one, and what else is `wanted` of it; none where it does
    /// not, or entries are missing.
    pub(super) async fn root_extending(
        &self,
        old: (u64, Hash),
        size: u64,
        mut wanted: Vec<Range>,
    ) -> Result<Option<(Hash, Fetched)>> {
        wanted.extend(audit::tree::wanted_for_root(size).map_err(Error::internal)?);
        wanted.extend(audit::tree::wanted_for_consistency(old.0, size).map_err(Error::internal)?);
        match self.fetch(audit::tree::joined(wanted)).await {
            Ok(nodes) => Ok(extending(&nodes, old, size)?.map(|root| (root, nodes))),
            Err(Fetching::Missing) => Ok(None),
            Err(Fetching::Failed(e)) => Err(e),
        }
    }

    /// All ranges in one query.
    async fn fetch(&self, wanted: Vec<Range>) -> std::result::Result<Fetched, Fetching> {
        if wanted.is_empty() {
            return Ok(Fetched::new());
        }
        let mut reads = self.script();
        ask(&mut reads, &wanted);
        let rows = reads.fetch(&self.db().pool).await?.rows()?;
        read(wanted, rows)
    }

    /// Asks for the tree of the entries that this node knows to be durable: for what opens and shows a release. `from` is the
    /// size of a tree that somebody has seen, to be proved an older one.
    ///
    /// # Errors
    /// When there is no anchor, or it cannot be read.
    pub(crate) fn ask_tree(&self, reads: &mut Script, from: u64) -> Result<AskedTree> {
        let held = self.anchored()?;
        let newest = self.size().max(held.size);
        // The anchored tree is enough, where this node knows what was appended since.
        let reaches = (self.inner.grown.lock()).is_ok_and(|by| by.reaches(held.size, newest));
        let size = if reaches { held.size } else { newest };
        let mut wanted = audit::tree::wanted_for_root(held.size).map_err(Error::internal)?;
        wanted.extend(audit::tree::wanted_for_root(size).map_err(Error::internal)?);
        for old in [held.size, from.min(size)] {
            let more = audit::tree::wanted_for_consistency(old, size).map_err(Error::internal)?;
            wanted.extend(more);
        }
        let founding = audit::tree::wanted_for_inclusion(0, size).map_err(Error::internal)?;
        let known = match self.inner.first.lock() {
            Ok(first) => first.clone(),
            Err(_) => Vec::new(),
        };
        let is_known = |range: &Range| known.iter().any(|(held, _)| held == range);
        wanted.extend(founding.iter().filter(|range| !is_known(range)));
        let wanted = audit::tree::joined(wanted);
        ask(reads, &wanted);
        Ok(AskedTree {
            held,
            size,
            wanted,
            known,
            founding,
        })
    }
}

/// Hashes beside entry 0 in complete subtrees: they are never others.
pub(super) type First = Vec<(Range, Vec<audit::Hash>)>;

/// A tree that was asked for.
pub(crate) struct AskedTree {
    held: Anchored,
    size: u64,
    wanted: Vec<Range>,
    known: First,
    /// What proves entry 0.
    founding: Vec<Range>,
}

impl AskedTree {
    /// What was asked for, where it extends the anchor.
    ///
    /// # Errors
    /// `Tampered` where it does not: this database is not the ledger that this node has seen.
    pub(crate) fn read(self, ledger: &Ledger, facts: &mut Facts) -> Result<Tree> {
        let mut nodes = read(self.wanted, facts.rows()?).map_err(|e| match e {
            Fetching::Missing => anchor::missing(),
            Fetching::Failed(e) => e,
        })?;
        let root = audit::tree::root(&nodes, self.held.size).map_err(Error::internal)?;
        if root.0 != self.held.root.0 {
            return Err(anchor::different());
        }
        for (range, hashes) in &self.known {
            nodes.extend(range.level, range.from, hashes);
        }
        // A subtree of 256 is complete, and with it what lies beside its first.
        let complete = self.founding.into_iter().filter(|range| range.to == 256);
        let first = complete.filter_map(|range| Some((range, nodes.get(range)?.to_vec())));
        let first: First = first.collect();
        if first.len() > self.known.len()
            && let Ok(mut known) = ledger.inner.first.lock()
        {
            *known = first;
        }
        Ok(Tree {
            size: self.size,
            nodes,
        })
    }
}

/// The stored tree at one moment, which extended the anchor then.
pub(crate) struct Tree {
    size: u64,
    nodes: Fetched,
}

impl Tree {
    /// Goes on to `size` with what was appended since; none where that is not known.
    pub(super) fn grown(mut self, by: &Grown, size: u64) -> Option<Fetched> {
        by.carry(&mut self.nodes, self.size, size)
            .then_some(self.nodes)
    }
}

/// The newest leaves that this node has appended, one after the other, and the subtrees that they completed: what a tree that
/// was read a moment ago has grown by.
#[derive(Default)]
pub(super) struct Grown {
    from: u64,
    leaves: Vec<audit::Hash>,
    nodes: Vec<Node>,
}

impl Grown {
    const MOST: u64 = 4096;

    fn size(&self) -> u64 {
        self.from + self.leaves.len() as u64
    }

    /// Takes down what is durable now.
    pub(super) fn add<'a>(&mut self, appended: impl Iterator<Item = &'a Appended>) {
        for entry in appended {
            if entry.seq != self.size() || self.size() - self.from >= Grown::MOST {
                // Another node came between, or it is enough.
                self.from = entry.seq;
                self.leaves.clear();
                self.nodes.clear();
            }
            self.leaves.push(entry.leaf);
            self.nodes.extend_from_slice(&entry.nodes);
        }
    }

    /// Whether what came between these sizes is here.
    fn reaches(&self, from: u64, to: u64) -> bool {
        from == to || (self.from <= from && from <= to && to <= self.size())
    }

    /// Adds to the tree of `size` what makes it that of `to`; false where that is not all here.
    fn carry(&self, nodes: &mut Fetched, size: u64, to: u64) -> bool {
        if !self.reaches(size, to) {
            return false;
        }
        let place = |at: u64| usize::try_from(at.checked_sub(self.from)?).ok();
        let news = place(size).zip(place(to));
        if let Some(leaves) = news.and_then(|(from, to)| self.leaves.get(from..to)) {
            nodes.extend(0, size, leaves);
        }
        for node in &self.nodes {
            let complete = (node.index + 1) << node.level;
            if size < complete && complete <= to {
                nodes.extend(node.level, node.index, &[node.hash]);
            }
        }
        true
    }
}

/// The root at `size` by these hashes; none where it does not extend the `old` tree, or they do not reach.
pub(super) fn extending(nodes: &Fetched, old: (u64, Hash), size: u64) -> Result<Option<Hash>> {
    let known = audit::tree::root(nodes, size)
        .and_then(|root| Ok((root, audit::tree::consistency(nodes, old.0, size)?)));
    let (root, proof) = match known {
        Ok(known) => known,
        Err(audit::tree::TreeError::Missing(_)) => return Ok(None),
        Err(e) => return Err(Error::internal(e)),
    };
    let was = super::audit_hash(old.1);
    let extends = audit::tree::verify_consistency(old.0, &was, size, &root, &proof).is_ok();
    Ok(extends.then_some(Hash(root.0)))
}

/// Places for ranges of leaves and of subtrees in the statement that reads them. It is always the same as long as these suffice,
/// and they do for most proofs: what a database has prepared it need not prepare again.
const PLACES: (usize, usize) = (4, 8);

/// Asks for all ranges at once, leaves first; a row of hashes for each place.
fn ask(reads: &mut Script, wanted: &[Range]) {
    let engine = reads.engine();
    let leaves = wanted.iter().take_while(|range| range.level == 0).count();
    let (mut sql, mut values) = (String::new(), Vec::new());
    let mut place = |range: Option<&Range>, leaves: bool| {
        let range = range.copied().unwrap_or(Range {
            level: 0,
            from: 0,
            to: 0,
        });
        let (union, at) = (
            if values.is_empty() { "" } else { " UNION ALL " },
            values.len(),
        );
        let (column, order, table) = match leaves {
            true => ("leaf", "seq", "ledger_entries WHERE"),
            false => ("hash", "n", "ledger_nodes WHERE level = $"),
        };
        let hashes = engine.hex_of(column, order);
        let _ = write!(sql, "{union}SELECT {at}, {hashes} FROM {table}");
        if !leaves {
            values.push(Value::Int(range.level.into()));
            let _ = write!(sql, "{} AND", values.len());
        }
        values.extend([range.from.into(), range.to.into()]);
        let to = values.len();
        let _ = write!(sql, " {order} >= ${} AND {order} < ${to}", to - 1);
    };
    let (leaves, nodes) = wanted.split_at(leaves);
    (0..PLACES.0.max(leaves.len())).for_each(|n| place(leaves.get(n), true));
    (0..PLACES.1.max(nodes.len())).for_each(|n| place(nodes.get(n), false));
    sql.push_str(" ORDER BY 1");
    reads.add(sql, values);
}

/// What `ask` asked for.
fn read(wanted: Vec<Range>, rows: Vec<AnyRow>) -> std::result::Result<Fetched, Fetching> {
    let leaves = wanted.iter().take_while(|range| range.level == 0).count();
    let (places, mut fetched) = (PLACES.0.max(leaves), Fetched::new());
    for (n, range) in wanted.into_iter().enumerate() {
        let at = if n < leaves { n } else { places + n - leaves };
        let row = rows
            .get(at)
            .ok_or_else(|| Error::internal("hashes were not given"))?;
        let text = row.try_get::<Option<String>, _>(1)?.unwrap_or_default();
        let mut bytes = vec![0; text.len() / 2];
        hex::decode_to_slice(&text, &mut bytes).map_err(Error::internal)?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(Error::internal("a stored hash has not 32 bytes").into());
        }
        fetched
            .insert(range, hashes.iter().map(|h| audit::Hash(*h)).collect())
            .map_err(|_| Fetching::Missing)?;
    }
    Ok(fetched)
}
