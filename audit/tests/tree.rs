//! Proofs against the recursive definitions of RFC 6962, section 2.1, and against `tlog_tiles` over its own storage.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use audit::tree::{self, Fetched, Nodes, Range, TreeError};
use audit::{Hash, leaf_hash};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

fn join(left: &Hash, right: &Hash) -> Hash {
    Hash(
        Sha256::new()
            .chain_update([1])
            .chain_update(left.0)
            .chain_update(right.0)
            .finalize()
            .into(),
    )
}

/// MTH of RFC 6962.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash(Sha256::digest(b"").into()),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            join(&mth(left), &mth(right))
        }
    }
}

/// PATH of RFC 6962.
fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() < 2 {
        return vec![];
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(k);
    let (mut path, other) = if m < k {
        (path(m, left), mth(right))
    } else {
        (path(m - k, right), mth(left))
    };
    path.push(other);
    path
}

/// SUBPROOF of RFC 6962.
fn subproof(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if whole { vec![] } else { vec![mth(leaves)] };
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(k);
    let (mut proof, other) = if m <= k {
        (subproof(m, left, whole), mth(right))
    } else {
        (subproof(m - k, right, false), mth(left))
    };
    proof.push(other);
    proof
}

fn leaves(n: usize) -> Vec<Hash> {
    (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

/// A store of leaves that answers stored levels alone, as a database would.
struct Store(Vec<Hash>);

impl Nodes for Store {
    fn hashes(&self, range: Range) -> Result<Vec<Hash>, TreeError> {
        assert_eq!(range.level % 8, 0, "only stored levels are asked for");
        assert!(range.from < range.to);
        let span = 1_usize << range.level;
        (range.from..range.to)
            .map(|index| {
                let from = usize::try_from(index).unwrap() * span;
                self.0
                    .get(from..from + span)
                    .map(mth)
                    .ok_or(TreeError::Missing(range))
            })
            .collect()
    }
}

fn fetched(store: &Store, wanted: Vec<Range>) -> Fetched {
    let mut fetched = Fetched::new();
    for range in wanted {
        fetched.insert(range, store.hashes(range).unwrap()).unwrap();
    }
    fetched
}

/// `tlog_tiles` over its own dense storage.
struct Dense(Vec<tlog_tiles::Hash>);

impl tlog_tiles::HashReader for Dense {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indexes
            .iter()
            .map(|&index| self.0[usize::try_from(index).unwrap()])
            .collect())
    }
}

#[test]
fn every_proof_of_every_small_tree() {
    let all = leaves(600);
    let mut dense = Dense(vec![]);
    for size in 1..=600_usize {
        let leaf = tlog_tiles::Hash(all[size - 1].0);
        let added =
            tlog_tiles::stored_hashes_for_record_hash(size as u64 - 1, leaf, &dense).unwrap();
        dense.0.extend(added);
        let here = &all[..size];
        let store = Store(here.to_vec());
        let n = size as u64;
        let root = tree::root(&fetched(&store, tree::wanted_for_root(n).unwrap()), n).unwrap();
        assert_eq!(root.0, tlog_tiles::tree_hash(n, &dense).unwrap().0);
        // Every size, and for most of them a part of the places: all of them would be 360 000 proofs.
        let step = if size < 70 || (255..260).contains(&size) || (511..515).contains(&size) {
            1
        } else {
            37
        };
        for m in (0..size).step_by(step) {
            let seq = m as u64;
            let from = fetched(&store, tree::wanted_for_inclusion(seq, n).unwrap());
            let proof = tree::inclusion(&from, seq, n).unwrap();
            let theirs: Vec<_> = tlog_tiles::prove_record(n, seq, &dense)
                .unwrap()
                .into_iter()
                .map(|h| Hash(h.0))
                .collect();
            assert_eq!(proof, theirs);
            tree::verify_inclusion(&here[m], seq, n, &root, &proof).unwrap();

            let from = fetched(&store, tree::wanted_for_consistency(seq + 1, n).unwrap());
            let proof = tree::consistency(&from, seq + 1, n).unwrap();
            let theirs: Vec<_> = tlog_tiles::prove_tree(n, seq + 1, &dense)
                .unwrap()
                .into_iter()
                .map(|h| Hash(h.0))
                .collect();
            assert_eq!(proof, theirs);
            let older = Hash(tlog_tiles::tree_hash(seq + 1, &dense).unwrap().0);
            tree::verify_consistency(seq + 1, &older, n, &root, &proof).unwrap();
            if size < 70 {
                assert_eq!(root, mth(here));
                assert_eq!(tree::inclusion(&store, seq, n).unwrap(), path(m, here));
                assert_eq!(proof, subproof(m + 1, here, true));
            }
        }
    }
}

#[test]
fn a_fetched_tree_goes_on_with_what_was_appended() {
    let all = leaves(1100);
    for size in [1, 7, 255, 256, 257, 500, 511, 512, 700] {
        for more in [0, 1, 2, 3, 255, 256, 300] {
            let (before, after) = (
                Store(all[..size].to_vec()),
                Store(all[..size + more].to_vec()),
            );
            let (n, to) = (size as u64, (size + more) as u64);
            let seen = n / 3 + 1;
            let mut wanted = tree::wanted_for_root(n).unwrap();
            wanted.extend(tree::wanted_for_inclusion(0, n).unwrap());
            wanted.extend(tree::wanted_for_consistency(seen, n).unwrap());
            let mut grown = fetched(&before, tree::joined(wanted));
            // One that was held already does no harm, nor does one by one.
            grown.extend(0, n - 1, &all[size - 1..size]);
            for seq in n..to {
                grown.extend(0, seq, &all[seq as usize..=seq as usize]);
                if (seq + 1) % 256 == 0 {
                    grown.extend(8, seq / 256, &[after.node(8, seq / 256).unwrap()]);
                }
            }
            assert_eq!(tree::root(&grown, to), tree::root(&after, to));
            for from in [seen, n, to] {
                let proof = tree::consistency(&after, from, to);
                assert_eq!(tree::consistency(&grown, from, to), proof);
            }
            for seq in [0, n, to - 1] {
                if seq == 0 || (n..to).contains(&seq) {
                    let proof = tree::inclusion(&after, seq, to);
                    assert_eq!(
                        tree::inclusion(&grown, seq, to),
                        proof,
                        "{seq} of {to} from {n}"
                    );
                }
            }
        }
    }
}

#[test]
fn empty_trees() {
    assert_eq!(tree::root(&Fetched::new(), 0).unwrap(), mth(&[]));
    assert_eq!(tree::wanted_for_consistency(0, 9).unwrap(), vec![]);
    assert_eq!(tree::consistency(&Fetched::new(), 0, 9).unwrap(), vec![]);
    let root = mth(&leaves(9));
    tree::verify_consistency(0, &mth(&[]), 9, &root, &[]).unwrap();
    assert_eq!(
        tree::verify_consistency(0, &root, 9, &root, &[]),
        Err(TreeError::Unproved)
    );
    assert_eq!(
        tree::verify_consistency(0, &mth(&[]), 0, &root, &[]),
        Err(TreeError::Unproved)
    );
    assert_eq!(
        tree::verify_consistency(0, &mth(&[]), 9, &root, &[root]),
        Err(TreeError::Unproved)
    );
}

#[test]
fn places_outside_the_tree_are_refused() {
    let none = Fetched::new();
    for (seq, size) in [
        (0, 0),
        (5, 5),
        (6, 5),
        (0, 1 << 53),
        (u64::MAX - 1, u64::MAX),
    ] {
        assert_eq!(
            tree::wanted_for_inclusion(seq, size),
            Err(TreeError::Outside)
        );
        assert_eq!(tree::inclusion(&none, seq, size), Err(TreeError::Outside));
        assert_eq!(
            tree::verify_inclusion(&Hash::ZERO, seq, size, &Hash::ZERO, &[]),
            Err(TreeError::Outside)
        );
    }
    for (from, to) in [(6, 5), (1, 1 << 53), (u64::MAX, u64::MAX)] {
        assert_eq!(
            tree::wanted_for_consistency(from, to),
            Err(TreeError::Outside)
        );
        assert_eq!(tree::consistency(&none, from, to), Err(TreeError::Outside));
        assert_eq!(
            tree::verify_consistency(from, &Hash::ZERO, to, &Hash::ZERO, &[]),
            Err(TreeError::Outside)
        );
    }
    assert_eq!(tree::root(&none, u64::MAX), Err(TreeError::Outside));
}

#[test]
fn missing_hashes_are_named() {
    let range = Range {
        level: 0,
        from: 1,
        to: 2,
    };
    assert_eq!(
        tree::inclusion(&Fetched::new(), 0, 2),
        Err(TreeError::Missing(range))
    );
    assert_eq!(
        Fetched::new().insert(range, vec![]),
        Err(TreeError::Missing(range))
    );
}

#[test]
fn a_large_tree_wants_few_ranges() {
    for seq in [0, 255, 256, 65_535, 500_000, 999_999] {
        let wanted = tree::wanted_for_inclusion(seq, 1_000_000).unwrap();
        assert!(wanted.len() <= 6, "{seq}: {wanted:?}");
        assert!(
            wanted
                .iter()
                .map(|range| range.to - range.from)
                .sum::<u64>()
                <= 3 * 256
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn proofs_of_larger_trees((size, a, b) in (1_usize..140_000).prop_flat_map(|n| (Just(n), 0..n, 0..n))) {
        let all = leaves(size);
        let (store, root, n) = (Store(all.clone()), mth(&all), size as u64);
        let seq = a as u64;
        let from = fetched(&store, tree::wanted_for_inclusion(seq, n).unwrap());
        let mut proof = tree::inclusion(&from, seq, n).unwrap();
        prop_assert_eq!(&proof, &path(a, &all));
        tree::verify_inclusion(&all[a], seq, n, &root, &proof).unwrap();
        prop_assert_eq!(tree::verify_inclusion(&all[a], b as u64, n, &root, &proof).is_ok(), a == b);
        if let Some(first) = proof.first_mut() {
            first.0[0] ^= 1;
            prop_assert_eq!(tree::verify_inclusion(&all[a], seq, n, &root, &proof), Err(TreeError::Unproved));
            proof.pop();
            prop_assert_eq!(tree::verify_inclusion(&all[a], seq, n, &root, &proof), Err(TreeError::Unproved));
        }
        let older = b as u64 + 1;
        let from = fetched(&store, tree::wanted_for_consistency(older, n).unwrap());
        let proof = tree::consistency(&from, older, n).unwrap();
        prop_assert_eq!(&proof, &subproof(b + 1, &all, true));
        tree::verify_consistency(older, &mth(&all[..=b]), n, &root, &proof).unwrap();
        prop_assert_eq!(tree::verify_consistency(older, &all[0], n, &root, &proof).is_ok(), older == 1);
        prop_assert_eq!(tree::root(&fetched(&store, tree::wanted_for_root(n).unwrap()), n).unwrap(), root);
    }
}

#[test]
fn tree_vectors() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../vectors/tree.json")).unwrap();
    let list = |name: &str| vectors[name].as_array().unwrap().clone();
    let proof = |case: &serde_json::Value| -> Vec<Hash> {
        case["proof"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hash| hash.as_str().unwrap().parse().unwrap())
            .collect()
    };
    let all: Vec<Hash> = (0..66_000)
        .map(|i: u32| leaf_hash(i.to_string().as_bytes()))
        .collect();
    let store = Store(all.clone());
    let root = |size: u64| tree::root(&store, size).unwrap();
    for case in list("roots") {
        assert_eq!(
            root(case["size"].as_u64().unwrap()).to_string(),
            case["root"].as_str().unwrap()
        );
    }
    for case in list("inclusion") {
        let (seq, size) = (
            case["seq"].as_u64().unwrap(),
            case["size"].as_u64().unwrap(),
        );
        assert_eq!(tree::inclusion(&store, seq, size).unwrap(), proof(&case));
        let leaf = &all[usize::try_from(seq).unwrap()];
        tree::verify_inclusion(leaf, seq, size, &root(size), &proof(&case)).unwrap();
    }
    for case in list("consistency") {
        let (from, to) = (case["from"].as_u64().unwrap(), case["to"].as_u64().unwrap());
        assert_eq!(tree::consistency(&store, from, to).unwrap(), proof(&case));
        tree::verify_consistency(from, &root(from), to, &root(to), &proof(&case)).unwrap();
    }
}
