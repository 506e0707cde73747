//! What an append costs beside hashing its bytes, in one run: `cargo bench -p audit --bench append`.
//!
//! The ratio is printed at the end. Both sides are timed over the same bytes, in turn, and the medians compared, so that a busy machine
//! changes the figures more than the ratio.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "../tests/common/mod.rs"]
mod common;

use audit::event::Event;
use audit::{Draft, leaf_hash};
use common::*;
use criterion::{Criterion, Throughput, criterion_group};
use std::hint::black_box;
use std::time::Instant;

/// How many entries a timed round has.
const ROUND: u32 = 20_000;

/// A signed event of ordinary size: a denial of a release (about 1.7 KiB).
fn signed_draft() -> Draft {
    let subject = serde_json::json!({"purpose": "release", "requester_name": "Mara Lindqvist", "why": "x".repeat(600)});
    by(
        id(1),
        Event::RequestDenied(signed(
            "approval",
            id(1),
            &[("decision", "deny".into()), ("subject", subject)],
        )),
    )
}

fn drafts() -> [(&'static str, Draft); 2] {
    [
        ("release.opened", system(release_opened())),
        ("request.denied", signed_draft()),
    ]
}

fn append(c: &mut Criterion) {
    for (name, draft) in drafts() {
        let (mut chain, _) = founded();
        let bytes = chain.append(&draft, START).unwrap().bytes;
        let mut group = c.benchmark_group(format!("{name}, {} bytes", bytes.len()));
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function("append", |b| {
            b.iter(|| chain.append(black_box(&draft), START).unwrap())
        });
        group.bench_function("leaf hash alone", |b| {
            b.iter(|| leaf_hash(black_box(&bytes)))
        });
        group.bench_function("clone to forget", |b| b.iter(|| black_box(chain.clone())));
        group.finish();
    }
}

/// Microseconds a turn.
fn timed(mut turn: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..ROUND).for_each(|_| turn());
    start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUND)
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

fn ratios() {
    for (name, draft) in drafts() {
        let (mut chain, _) = founded();
        let bytes = chain.append(&draft, START).unwrap().bytes;
        let rounds: Vec<(f64, f64)> = (0..9)
            .map(|_| {
                let hash = timed(|| _ = black_box(leaf_hash(black_box(&bytes))));
                (
                    timed(|| _ = black_box(chain.append(black_box(&draft), START).unwrap())),
                    hash,
                )
            })
            .collect();
        let (append, hash) = rounds.into_iter().unzip();
        let (append, hash): (f64, f64) = (median(append), median(hash));
        println!(
            "{name}: append {append:.2} us, SHA-256 of its {} bytes {hash:.2} us, ratio {:.1}",
            bytes.len(),
            append / hash
        );
    }
}

criterion_group!(benches, append);

fn main() {
    benches();
    ratios();
}
