//! The chain: the writer's state between two entries, and the one function that moves it.
//!
//! It knows no database. A caller that must undo keeps a clone from before (a few hundred bytes) and goes back to it.

use crate::Hash;
use crate::event::{Actor, DAY_US, Event, Place, entry};
use crate::json::{Fault, MAX_INTEGER};
use sha2::{Digest, Sha256};
use std::fmt;

/// Subtrees whose size is a power of 256 are stored; everything between is computed again from those and from leaves.
const STORED_EVERY: u32 = 8;

/// What is to be entered, before it has its place.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Whose doing it is.
    pub actor: Actor,
    /// What happened.
    pub event: Event,
}

/// Everything a writer must remember to go on; what a ledger's head row holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// How many entries there are.
    pub size: u64,
    /// Leaf of the last entry, zeros when there is none.
    pub prev: Hash,
    /// Time of the last entry, microseconds since 1970 UTC.
    pub time: i64,
    /// The roots of the complete subtrees that make up the tree, largest first, 32 bytes each.
    pub frontier: Vec<u8>,
}

/// A subtree that has become complete: `hash` is the root over the leaves `index << level .. (index + 1) << level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// 8, 16, 24 and so on.
    pub level: u8,
    /// Its place among the subtrees of that level, from 0.
    pub index: u64,
    /// Its root.
    pub hash: Hash,
}

/// An entry that has its place.
#[derive(Debug, Clone)]
pub struct Appended {
    /// Its number, from 0.
    pub seq: u64,
    /// Its time, microseconds since 1970 UTC.
    pub time: i64,
    /// Its leaf in the tree; that of entry 0 is the ledger's name.
    pub leaf: Hash,
    /// The leaf before it.
    pub prev: Hash,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
    /// The subtrees that it completed, of those that are stored.
    pub nodes: Vec<Node>,
}

/// Why something was not entered. The chain stays as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendError {
    /// `ledger.founded` is entry 0 and only it, the first invitation entry 1 and only it; both are by
    /// `system`.
    OutOfPlace(&'static str),
    /// The first invitation names another ledger than this.
    OtherLedger,
    /// The clock went on by more than 24 h since the last entry: somebody has to accept it.
    Clock {
        /// Time of the last entry.
        last: i64,
        /// What the clock says.
        now: i64,
    },
    /// A member that cannot stand in an entry.
    Member {
        /// Which.
        member: &'static str,
        /// Why.
        fault: Fault,
    },
    /// More than 64 KiB: its length in bytes.
    TooLong(usize),
    /// The signed statement does not belong to this event.
    Statement(&'static str),
    /// 2^53 - 1 entries: no number is left.
    Full,
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppendError::OutOfPlace(event) => write!(f, "{event} cannot stand at this place"),
            AppendError::OtherLedger => f.write_str("the first invitation names another ledger"),
            AppendError::Clock { last, now } => {
                write!(
                    f,
                    "the clock says {now} us, more than 24 h after the last entry at {last} us; somebody has to accept it"
                )
            }
            AppendError::Member { member, fault } => write!(f, "`{member}` {fault}"),
            AppendError::TooLong(bytes) => {
                write!(f, "the entry would have {bytes} bytes, more than 64 KiB")
            }
            AppendError::Statement(why) => write!(f, "the statement does not belong here: {why}"),
            AppendError::Full => f.write_str("the ledger has as many entries as numbers allow"),
        }
    }
}

impl std::error::Error for AppendError {}

/// A head that is none: its parts contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadHead;

impl fmt::Display for BadHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stored head of the ledger contradicts itself")
    }
}

impl std::error::Error for BadHead {}

/// The right edge of a growing tree: all that is needed to add leaves and to know the root.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edge {
    size: u64,
    /// Roots of the complete subtrees, largest first: one for each bit set in `size`.
    subtrees: Vec<Hash>,
}

impl Edge {
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The root over all leaves (RFC 6962, section 2.1).
    pub(crate) fn root(&self) -> Hash {
        let mut subtrees = self.subtrees.iter().rev();
        match subtrees.next() {
            None => Hash(Sha256::digest([]).into()),
            Some(last) => subtrees.fold(*last, |right, left| node_hash(left, &right)),
        }
    }

    /// Adds a leaf: as many subtrees merge as the new size has trailing zeros.
    pub(crate) fn push(&mut self, leaf: Hash, mut completed: impl FnMut(Node)) {
        let mut hash = leaf;
        self.size += 1;
        for level in 1..=self.size.trailing_zeros() {
            let Some(left) = self.subtrees.pop() else {
                break;
            };
            hash = node_hash(&left, &hash);
            if level % STORED_EVERY == 0 {
                completed(Node {
                    level: level.to_le_bytes()[0],
                    index: (self.size >> level) - 1,
                    hash,
                });
            }
        }
        self.subtrees.push(hash);
    }
}

/// The writer's state: last leaf, last time, and the right edge of the tree.
#[derive(Debug, Clone)]
pub struct Chain {
    prev: Hash,
    time: i64,
    edge: Edge,
}

impl Default for Chain {
    fn default() -> Self {
        Self::new()
    }
}

impl Chain {
    /// A ledger without entries.
    pub fn new() -> Self {
        Chain {
            prev: Hash::ZERO,
            time: 0,
            edge: Edge::default(),
        }
    }

    /// Goes on where a head was stored.
    ///
    /// # Errors
    /// When its parts contradict each other. A head that somebody changed consistently is not noticed here: see checkpoints.
    pub fn resume(head: Head) -> Result<Self, BadHead> {
        let Head {
            size,
            prev,
            time,
            frontier,
        } = head;
        let (roots, rest) = frontier.as_chunks::<32>();
        let subtrees: Vec<Hash> = roots.iter().map(|root| Hash(*root)).collect();
        let count = usize::try_from(size.count_ones()).map_err(|_| BadHead)?;
        let fits = rest.is_empty()
            && subtrees.len() == count
            && (0..=MAX_INTEGER).contains(&time)
            && size <= MAX_INTEGER.unsigned_abs();
        // With an odd number of entries the last one is a subtree of its own.
        let ends_so = size % 2 == 0 || subtrees.last() == Some(&prev);
        let empty_so = size > 0 || (prev == Hash::ZERO && time == 0);
        if fits && ends_so && empty_so {
            Ok(Chain {
                prev,
                time,
                edge: Edge { size, subtrees },
            })
        } else {
            Err(BadHead)
        }
    }

    /// What must be stored to go on from here.
    pub fn head(&self) -> Head {
        Head {
            size: self.size(),
            prev: self.prev,
            time: self.time,
            frontier: self.edge.subtrees.iter().flat_map(|hash| hash.0).collect(),
        }
    }

    /// How many entries there are.
    pub fn size(&self) -> u64 {
        self.edge.size
    }

    /// The leaf of the last entry, zeros when there is none.
    pub fn prev(&self) -> Hash {
        self.prev
    }

    /// The time of the last entry.
    pub fn time(&self) -> i64 {
        self.time
    }

    /// The root over all entries (RFC 6962, section 2.1).
    pub fn root(&self) -> Hash {
        self.edge.root()
    }

    /// Enters a draft at the next place. Its time is `now`, or that of the last entry when the clock went back.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn append(&mut self, draft: &Draft, now_us: i64) -> Result<Appended, AppendError> {
        let (seq, prev) = (self.size(), self.prev);
        if seq >= MAX_INTEGER.unsigned_abs() {
            return Err(AppendError::Full);
        }
        let time = now_us.max(self.time);
        self.check_place(draft, time)?;
        draft.event.check(draft.actor)?;
        let bytes = entry(draft.actor, &draft.event, &Place { seq, prev, time })?;
        let leaf = leaf_hash(&bytes);
        let mut nodes = Vec::new();
        self.edge.push(leaf, |node| nodes.push(node));
        self.prev = leaf;
        self.time = time;
        Ok(Appended {
            seq,
            time,
            leaf,
            prev,
            bytes,
            nodes,
        })
    }

    fn check_place(&self, draft: &Draft, time: i64) -> Result<(), AppendError> {
        let event = &draft.event;
        let founds = matches!(event, Event::LedgerFounded(_));
        let first = matches!(event, Event::FirstPersonInvited(_));
        if founds != (self.size() == 0) || first != (self.size() == 1) {
            return Err(AppendError::OutOfPlace(event.name()));
        }
        if (founds || first) && draft.actor != Actor::System {
            return Err(AppendError::OutOfPlace(event.name()));
        }
        match event {
            Event::FirstPersonInvited(invitation) if invitation.ledger != self.prev => {
                return Err(AppendError::OtherLedger);
            }
            Event::ClockAccepted(signed) => return signed.check_clock(&self.prev, time),
            _ => {}
        }
        if self.size() > 0 && time - self.time > DAY_US {
            return Err(AppendError::Clock {
                last: self.time,
                now: time,
            });
        }
        Ok(())
    }
}

/// The leaf of an entry: SHA-256 of a zero byte and its bytes (RFC 6962, section 2.1).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash(
        Sha256::new_with_prefix([0])
            .chain_update(entry)
            .finalize()
            .into(),
    )
}

/// An inner node: SHA-256 of a one byte and both children.
pub(crate) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash(
        Sha256::new_with_prefix([1])
            .chain_update(left.0)
            .chain_update(right.0)
            .finalize()
            .into(),
    )
}
