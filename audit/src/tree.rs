//! The Merkle tree over leaves (RFC 6962), and its proofs.
//!
//! Stored are leaves (level 0) and the roots of complete subtrees of 256, 256², ... leaves (levels 8, 16, ...). Which hashes a proof is made
//! of is decided by `tlog_tiles`; each of them is computed here from at most 128 stored ones. A caller whose store cannot be called from
//! here asks `wanted_*` first, fetches those ranges (one or two a level) into [`Fetched`], and computes from that.

use crate::Hash;
use crate::chain::node_hash;
use crate::json::MAX_INTEGER;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use tlog_tiles::HashReader;

/// Stored hashes of one level, `from` included, `to` not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// 0 for leaves, else 8, 16, ...
    pub level: u8,
    /// The first, counted within the level from 0.
    pub from: u64,
    /// One after the last.
    pub to: u64,
}

/// Why there is no proof, or why one proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeError {
    /// The tree has no such entry, or no such size.
    Outside,
    /// The store did not give these.
    Missing(Range),
    /// The proof does not lead to the root.
    Unproved,
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TreeError::Outside => f.write_str("the tree does not reach that far"),
            TreeError::Missing(Range { level, from, to }) => {
                write!(f, "hashes {from} to {to} of level {level} are missing")
            }
            TreeError::Unproved => f.write_str("the proof does not lead to the root"),
        }
    }
}

impl std::error::Error for TreeError {}

/// Where stored hashes come from.
pub trait Nodes {
    /// The hashes of a range, all of them and in order.
    ///
    /// # Errors
    /// [`TreeError::Missing`] when there are fewer.
    fn hashes(&self, range: Range) -> Result<Vec<Hash>, TreeError>;

    /// The root of a complete subtree: the `index`-th of 2^`level` leaves, from 0. Computed from stored hashes.
    ///
    /// # Errors
    /// [`TreeError::Missing`] when some of them are.
    fn node(&self, level: u8, index: u64) -> Result<Hash, TreeError> {
        let range = under(level, index);
        let mut hashes = self.hashes(range)?;
        if u64::try_from(hashes.len()) != Ok(range.to - range.from) {
            return Err(TreeError::Missing(range));
        }
        while hashes.len() > 1 {
            let (pairs, _) = hashes.as_chunks::<2>();
            hashes = pairs
                .iter()
                .map(|[left, right]| node_hash(left, right))
                .collect();
        }
        hashes.first().copied().ok_or(TreeError::Missing(range))
    }
}

/// Ranges that were fetched beforehand. What is computed from them is kept: proofs of one tree have most of it in common.
#[derive(Debug, Clone, Default)]
pub struct Fetched {
    ranges: Vec<(Range, Vec<Hash>)>,
    computed: RefCell<HashMap<(u8, u64), Hash>>,
}

impl Fetched {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what a store gave for a wanted range.
    ///
    /// # Errors
    /// [`TreeError::Missing`] when it is not as many as were wanted.
    pub fn insert(&mut self, range: Range, hashes: Vec<Hash>) -> Result<(), TreeError> {
        if u64::try_from(hashes.len()) != Ok(range.to.saturating_sub(range.from)) {
            return Err(TreeError::Missing(range));
        }
        self.ranges.push((range, hashes));
        Ok(())
    }

    /// The hashes of a range, where all of them are held.
    pub fn get(&self, range: Range) -> Option<&[Hash]> {
        self.held(range).ok()
    }

    /// Goes on after what is held of a level with hashes that stand at `from` and after: what was appended since it was fetched.
    pub fn extend(&mut self, level: u8, from: u64, hashes: &[Hash]) {
        let len = |hashes: &[Hash]| u64::try_from(hashes.len()).unwrap_or(u64::MAX);
        let to = from.saturating_add(len(hashes));
        let joins = |held: &Range| held.level == level && held.from <= from && from <= held.to;
        match self.ranges.iter_mut().find(|(held, _)| joins(held)) {
            Some((held, known)) => {
                let both = usize::try_from(held.to - from).unwrap_or(usize::MAX);
                known.extend(hashes.iter().skip(both));
                held.to = held.to.max(to);
            }
            None => self
                .ranges
                .push((Range { level, from, to }, hashes.to_vec())),
        }
    }
}

impl Nodes for Fetched {
    fn hashes(&self, range: Range) -> Result<Vec<Hash>, TreeError> {
        self.held(range).map(<[Hash]>::to_vec)
    }

    fn node(&self, level: u8, index: u64) -> Result<Hash, TreeError> {
        if level.is_multiple_of(8) {
            let range = under(level, index);
            let hash = self.held(range)?.first().copied();
            return hash.ok_or(TreeError::Missing(range));
        }
        // Keeping the lowest would cost more than to compute them again.
        let kept = level % 8 > 2;
        if kept && let Some(known) = self.computed.borrow().get(&(level, index)) {
            return Ok(*known);
        }
        let (left, right) = (
            self.node(level - 1, 2 * index)?,
            self.node(level - 1, 2 * index + 1)?,
        );
        let hash = node_hash(&left, &right);
        if kept {
            self.computed.borrow_mut().insert((level, index), hash);
        }
        Ok(hash)
    }
}

impl Fetched {
    fn held(&self, range: Range) -> Result<&[Hash], TreeError> {
        let holder = self.ranges.iter().find(|(held, _)| {
            held.level == range.level && held.from <= range.from && range.to <= held.to
        });
        holder
            .and_then(|(held, hashes)| {
                let from = usize::try_from(range.from - held.from).ok()?;
                let to = usize::try_from(range.to - held.from).ok()?;
                hashes.get(from..to)
            })
            .ok_or(TreeError::Missing(range))
    }
}

/// The stored hashes under one node of the tree.
fn under(level: u8, index: u64) -> Range {
    let below = level % 8;
    Range {
        level: level - below,
        from: index << below,
        to: (index + 1) << below,
    }
}

/// Gives `tlog_tiles` the nodes that it asks for, computed from stored ones. Its errors have no room for ours, so ours is kept beside.
struct Reader<'a> {
    nodes: &'a dyn Nodes,
    fault: RefCell<Option<TreeError>>,
}

impl HashReader for Reader<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let nodes = indexes.iter().map(|&index| {
            let (level, index) = tlog_tiles::split_stored_hash_index(index);
            let node = self.nodes.node(level, index);
            node.map(|hash| tlog_tiles::Hash(hash.0))
        });
        nodes.collect::<Result<_, TreeError>>().map_err(|fault| {
            *self.fault.borrow_mut() = Some(fault);
            tlog_tiles::Error::IndexesNotInTree
        })
    }
}

/// Takes down what `tlog_tiles` asks for.
#[derive(Default)]
struct Recorder(RefCell<Vec<Range>>);

impl HashReader for Recorder {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        self.0.borrow_mut().extend(indexes.iter().map(|&index| {
            let (level, index) = tlog_tiles::split_stored_hash_index(index);
            under(level, index)
        }));
        Ok(vec![tlog_tiles::EMPTY_HASH; indexes.len()])
    }
}

impl Recorder {
    /// One range along the path and one at the right edge, for each level.
    fn ranges(self) -> Vec<Range> {
        joined(self.0.into_inner())
    }
}

/// The same ranges in order, neighbours and overlapping ones joined, also over a gap of one (the path itself, which lies between its two
/// sides and is stored like them): for fetching what several functions want at once.
pub fn joined(mut wanted: Vec<Range>) -> Vec<Range> {
    wanted.sort_unstable();
    wanted.dedup_by(|next, held| {
        let joins = held.level == next.level && next.from <= held.to + 1;
        if joins {
            held.to = held.to.max(next.to);
        }
        joins
    });
    wanted
}

/// Sizes above 2^53 - 1 are no ledger's; `tlog_tiles` would panic near 2^64.
fn within(inside: bool, size: u64) -> Result<(), TreeError> {
    if inside && size <= MAX_INTEGER.unsigned_abs() {
        Ok(())
    } else {
        Err(TreeError::Outside)
    }
}

/// Runs a `tlog_tiles` function over stored hashes, with our own error.
fn compute<T>(
    nodes: &dyn Nodes,
    run: impl FnOnce(&Reader<'_>) -> Result<T, tlog_tiles::Error>,
) -> Result<T, TreeError> {
    let reader = Reader {
        nodes,
        fault: RefCell::new(None),
    };
    run(&reader).map_err(|_| reader.fault.take().unwrap_or(TreeError::Outside))
}

fn record<T>(
    run: impl FnOnce(&Recorder) -> Result<T, tlog_tiles::Error>,
) -> Result<Vec<Range>, TreeError> {
    let recorder = Recorder::default();
    run(&recorder).map_err(|_| TreeError::Outside)?;
    Ok(recorder.ranges())
}

fn ours(proof: Vec<tlog_tiles::Hash>) -> Vec<Hash> {
    proof.into_iter().map(|hash| Hash(hash.0)).collect()
}

fn theirs(proof: &[Hash]) -> Vec<tlog_tiles::Hash> {
    proof.iter().map(|hash| tlog_tiles::Hash(hash.0)).collect()
}

/// What [`root`] needs.
///
/// # Errors
/// [`TreeError::Outside`] above 2^53 - 1.
pub fn wanted_for_root(size: u64) -> Result<Vec<Range>, TreeError> {
    within(true, size)?;
    record(|recorder| tlog_tiles::tree_hash(size, recorder))
}

/// The root over the first `size` leaves; that of none is SHA-256 of nothing.
///
/// # Errors
/// When hashes are missing.
pub fn root(nodes: &dyn Nodes, size: u64) -> Result<Hash, TreeError> {
    within(true, size)?;
    compute(nodes, |reader| tlog_tiles::tree_hash(size, reader)).map(|hash| Hash(hash.0))
}

/// What [`inclusion`] needs.
///
/// # Errors
/// [`TreeError::Outside`] unless `seq < size`.
pub fn wanted_for_inclusion(seq: u64, size: u64) -> Result<Vec<Range>, TreeError> {
    within(seq < size, size)?;
    record(|recorder| tlog_tiles::prove_record(size, seq, recorder))
}

/// The proof that entry `seq` is in the tree of `size` (RFC 6962, section 2.1.1).
///
/// # Errors
/// When `seq` is outside or hashes are missing.
pub fn inclusion(nodes: &dyn Nodes, seq: u64, size: u64) -> Result<Vec<Hash>, TreeError> {
    within(seq < size, size)?;
    compute(nodes, |reader| tlog_tiles::prove_record(size, seq, reader)).map(ours)
}

/// What [`consistency`] needs.
///
/// # Errors
/// [`TreeError::Outside`] unless `from <= to`.
pub fn wanted_for_consistency(from: u64, to: u64) -> Result<Vec<Range>, TreeError> {
    within(from <= to, to)?;
    if from == 0 {
        return Ok(Vec::new());
    }
    record(|recorder| tlog_tiles::prove_tree(to, from, recorder))
}

/// The proof that the tree of size `to` begins with that of size `from` (RFC 6962, section 2.1.2); empty when `from` is 0 or `to`.
///
/// # Errors
/// When `from` is outside or hashes are missing.
pub fn consistency(nodes: &dyn Nodes, from: u64, to: u64) -> Result<Vec<Hash>, TreeError> {
    within(from <= to, to)?;
    if from == 0 {
        return Ok(Vec::new());
    }
    compute(nodes, |reader| tlog_tiles::prove_tree(to, from, reader)).map(ours)
}

/// Checks that the entry with this leaf is number `seq` of the tree.
///
/// # Errors
/// [`TreeError::Unproved`], or [`TreeError::Outside`] unless `seq < size`.
pub fn verify_inclusion(
    leaf: &Hash,
    seq: u64,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), TreeError> {
    within(seq < size, size)?;
    tlog_tiles::check_record(
        &theirs(proof),
        size,
        tlog_tiles::Hash(root.0),
        seq,
        tlog_tiles::Hash(leaf.0),
    )
    .map_err(|_| TreeError::Unproved)
}

/// Checks that the tree of size `to` begins with that of size `from`.
///
/// # Errors
/// [`TreeError::Unproved`], or [`TreeError::Outside`] unless `from <= to`.
pub fn verify_consistency(
    from: u64,
    from_root: &Hash,
    to: u64,
    to_root: &Hash,
    proof: &[Hash],
) -> Result<(), TreeError> {
    within(from <= to, to)?;
    if from == 0 {
        let empty = from_root.0 == tlog_tiles::EMPTY_HASH.0
            && proof.is_empty()
            && (to > 0 || from_root == to_root);
        return if empty {
            Ok(())
        } else {
            Err(TreeError::Unproved)
        };
    }
    let (old, new) = (tlog_tiles::Hash(from_root.0), tlog_tiles::Hash(to_root.0));
    tlog_tiles::check_tree(&theirs(proof), to, new, from, old).map_err(|_| TreeError::Unproved)
}
