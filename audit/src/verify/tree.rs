//! The Merkle tree of RFC 6962, from left to right: only its right edge is kept.

use sha2::{Digest as _, Sha256};

use super::text::Hash;

/// The roots of the full subtrees that make up the tree, the largest first.
#[derive(Clone, Default)]
pub(super) struct Edge {
    size: u64,
    subtrees: Vec<Hash>,
}

fn node(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    let (_, both) = bytes.split_at_mut(1);
    let (first, second) = both.split_at_mut(32);
    first.copy_from_slice(left);
    second.copy_from_slice(right);
    Sha256::digest(bytes).into()
}

impl Edge {
    /// Adds the next leaf.
    pub(super) fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.subtrees.pop() {
                hash = node(&left, &hash);
            }
        }
        self.subtrees.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// How many leaves there are.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The root over all leaves; that of no leaves is SHA-256 of nothing.
    pub(super) fn root(&self) -> Hash {
        let mut from_right = self.subtrees.iter().rev();
        let Some(last) = from_right.next() else {
            return Sha256::digest([]).into();
        };
        from_right.fold(*last, |right, left| node(left, &right))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    /// RFC 6962, 2.1, word by word.
    fn mth(leaves: &[Hash]) -> Hash {
        match leaves.len() {
            0 => Sha256::digest([]).into(),
            1 => leaves[0],
            n => {
                let k = 1 << (n - 1).ilog2();
                node(&mth(&leaves[..k]), &mth(&leaves[k..]))
            }
        }
    }

    #[test]
    fn roots_are_those_of_the_definition() {
        let leaves: Vec<Hash> = (0..=70_u8).map(|i| [i; 32]).collect();
        let mut edge = Edge::default();
        for n in 0..=leaves.len() {
            assert_eq!(edge.root(), mth(&leaves[..n]), "{n}");
            assert_eq!(edge.size(), n as u64);
            if n < leaves.len() {
                edge.push(leaves[n]);
            }
        }
    }
}
