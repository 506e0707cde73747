//! Verification of a whole export against its floor, in one run: `cargo bench -p audit --bench verify`.
//!
//! The ledger has 10^6 entries (`VERIFY_ENTRIES` for another number), one in twenty signed: releases, rotations, and what else a vault tells.
//! Each figure is of a process of its own, run in turn with the others, so that its CPU time and its peak of memory are its own; the ratios are of
//! medians. The floor is raw SHA-256 of every leaf and tree node, and the P-256 verification of as many signatures.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "../src/verify/forge.rs"]
mod forge;

use std::fs;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use audit::verify::{Options, Outcome, verify_dir};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use criterion::{Criterion, Throughput};
use forge::*;
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Names the part that a child process plays, and its directory.
const PART: &str = "VERIFY_PART";
const DIR: &str = "VERIFY_DIR";

/// Writes an export of at least that many entries; gives how many there are and how many signatures.
fn export(dir: &Path, entries: usize) -> (usize, usize) {
    let mut file = BufWriter::new(fs::File::create(dir.join("entries.jsonl")).unwrap());
    let mut l = Ledger::new();
    let asker = l.join("Ines Ops", &["requester"]);
    let approvers: Vec<_> = ["Ada", "Bo", "Cy"]
        .iter()
        .map(|name| l.join(name, &["approver"]))
        .collect();
    let safe = l.found_safe(2, &approvers);
    let credentials: Vec<_> = (0..100).map(|_| l.id()).collect();
    let mut versions = vec![0; credentials.len()];
    let mut signatures = 8;
    let mut round = 0;
    while l.seq() < entries {
        // A hundred entries, five of them signed.
        let start = l.seq();
        let at = round % credentials.len();
        for _ in 0..3 {
            versions[at] += 1;
            let sealed = l.seal(&safe, &credentials[at], versions[at], json!({}));
            let rotation = l.id();
            for step in ["staged", "applied", "proved", "promoted"] {
                l.rotation(step, &rotation, &sealed.credential, sealed.version);
            }
            if versions[at] % 3 == 0 {
                let filed = l.ask_release(asker, &sealed, json!({"ticket": "INC-20261"}));
                let approvals = [
                    l.approve(&filed, approvers[0]),
                    l.approve(&filed, approvers[1]),
                ];
                l.open(asker, &sealed, &filed, &approvals, json!({}));
                l.close(&filed, "checked_in");
                for name in ["rotation.days", "session.idle"] {
                    l.sign(
                        "setting.changed",
                        "setting",
                        0,
                        json!({"name": name, "value": "30"}),
                    );
                }
                signatures += 5;
            }
        }
        while l.seq() < start + 100 {
            let (event, data) = match l.seq() % 4 {
                0 => (
                    "drill.finished",
                    format!(
                        r#"{{"outcome":"passed","report_sha256":"{}","safe":"{}"}}"#,
                        l.leaf(),
                        safe.id
                    ),
                ),
                1 => (
                    "kek.rolled",
                    format!(
                        r#"{{"key":"{}","previous_key":"{}","token":"custody-a"}}"#,
                        safe.id, credentials[0]
                    ),
                ),
                2 => (
                    "software.started",
                    format!(
                        r#"{{"pages":[{{"path":"break.js","sha256":"{0}"}},{{"path":"approve.js","sha256":"{0}"}}],"program_sha256":"{0}","release":"0.1.0"}}"#,
                        l.leaf()
                    ),
                ),
                _ => ("clock.ticked", "{}".to_owned()),
            };
            l.time += SECOND;
            let line = format!(
                r#"{{"actor":"system","data":{data},"event":"{event}","prev":"{}","seq":{},"time":{},"v":1}}"#,
                l.leaf(),
                l.seq(),
                l.time
            );
            l.push_line(line);
        }
        for line in l.lines.drain(..) {
            file.write_all(line.as_bytes()).unwrap();
            file.write_all(b"\n").unwrap();
        }
        if round % 1000 == 0 {
            l.keep();
        }
        round += 1;
    }
    if l.notes
        .last()
        .is_some_and(|n| n.contains(&format!("\n{}\n", l.seq())))
    {
        l.notes.pop();
    }
    file.into_inner().unwrap();
    fs::write(dir.join("checkpoints.jsonl"), l.note_lines()).unwrap();
    fs::write(dir.join("checkpoint"), l.checkpoint()).unwrap();
    (l.seq(), signatures)
}

/// The floor, part one: every byte hashed once, and a node for every leaf.
fn hash_all(dir: &Path) {
    let mut lines =
        BufReader::with_capacity(1 << 18, fs::File::open(dir.join("entries.jsonl")).unwrap());
    let (mut line, mut node) = (Vec::new(), [1_u8; 65]);
    while lines.read_until(b'\n', &mut line).unwrap() > 0 {
        let mut leaf = Sha256::new();
        leaf.update([0]);
        leaf.update(&line[..line.len() - 1]);
        node[1..33].copy_from_slice(&leaf.finalize());
        let above = Sha256::digest(node);
        node[33..].copy_from_slice(&above);
        line.clear();
    }
    std::hint::black_box(node);
}

/// The floor, part two: that many signatures over 69 bytes.
fn verify_all(count: usize) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let message = [7; 69];
    let signature = pair.sign(&SystemRandom::new(), &message).unwrap();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, pair.public_key().as_ref());
    for _ in 0..count {
        key.verify(&message, signature.as_ref()).unwrap();
    }
}

/// CPU seconds of this process so far, all threads.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

/// A child's part: what it does, then its figures.
fn play(part: &str) {
    let dir = PathBuf::from(std::env::var_os(DIR).unwrap());
    let (name, number) = part.split_once(' ').unwrap();
    let number = number.parse().unwrap();
    let (start, before) = (Instant::now(), cpu());
    match name {
        "hash" => hash_all(&dir),
        "signatures" => verify_all(number),
        "export" => _ = export(&dir, number),
        _ => {
            let options = Options {
                threads: number,
                ..Options::default()
            };
            let report = verify_dir(&dir, &options);
            assert_eq!(report.outcome, Outcome::SelfConsistent, "{report}");
        }
    }
    let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu() - before);
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .unwrap();
    println!("{wall} {cpu} {}", peak.trim().trim_end_matches(" kB"));
}

/// Wall seconds, CPU seconds, peak KiB of a child.
fn child(dir: &Path, part: &str) -> [f64; 3] {
    let exe = std::env::current_exe().unwrap();
    let output = Command::new(exe)
        .env(PART, part)
        .env(DIR, dir)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<f64> = text
        .split_whitespace()
        .map(|f| f.parse().unwrap())
        .collect();
    figures.try_into().unwrap()
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn ratios(dir: &Path, entries: usize, signatures: usize) {
    let parts = [
        "hash 0".to_owned(),
        format!("signatures {signatures}"),
        "verify 1".to_owned(),
        "verify 2".to_owned(),
    ];
    let mut rounds: Vec<Vec<[f64; 3]>> = vec![Vec::new(); parts.len()];
    for _ in 0..3 {
        for (part, rounds) in parts.iter().zip(&mut rounds) {
            rounds.push(child(dir, part));
        }
    }
    let figure = |part: usize, at: usize| median(rounds[part].iter().map(|r| r[at]).collect());
    let each = |seconds: f64| seconds * 1e6 / entries as f64;
    let (raw, own) = (figure(0, 1), figure(1, 1));
    let bytes = fs::metadata(dir.join("entries.jsonl")).unwrap().len();
    println!(
        "{entries} entries of {} bytes, {signatures} signatures",
        bytes / entries as u64
    );
    println!(
        "floor: SHA-256 {:.2} us an entry, signatures {:.2} us an entry",
        each(raw),
        each(own)
    );
    for (part, threads) in [(2, "one thread"), (3, "two threads")] {
        let total = figure(part, 1);
        println!(
            "{threads}: CPU {:.2} us an entry = {:.2} x (SHA-256 + signatures); beside the signatures {:.2} x SHA-256; peak {:.1} MiB; wall {:.2} s",
            each(total),
            total / (raw + own),
            (total - own) / raw,
            figure(part, 2) / 1024.0,
            figure(part, 0)
        );
    }
    println!(
        "the second thread is worth {:.2} x in wall time, and costs {:.2} x in CPU time",
        figure(2, 0) / figure(3, 0),
        figure(3, 1) / figure(2, 1)
    );
    // Rows of the README's table (`make bench`).
    let (cpu, floor, worth, peak) = (
        each(figure(2, 1)),
        each(raw + own),
        figure(2, 0) / figure(3, 0),
        figure(3, 2) / 1024.0,
    );
    let yes = |reached: bool| if reached { "yes" } else { "no" };
    println!(
        "| verify {entries} entries, one in twenty signed, CPU an entry | {cpu:.2} us | {floor:.2} us, SHA-256 and the signatures' own cost | {:.2} | 1 | at most 3 | {} |",
        cpu / floor,
        yes(cpu / floor <= 3.0)
    );
    println!(
        "| the same with a second core, wall time | {:.2} s | {:.2} s with one | {worth:.2} times faster | 2 | at least 1.5 | {} |",
        figure(3, 0),
        figure(2, 0),
        yes(worth >= 1.5)
    );
    println!(
        "| the same, peak memory with two threads | {peak:.1} MiB | 64 MiB | {:.2} |  | at most 1 | {} |",
        peak / 64.0,
        yes(peak <= 64.0)
    );
}

fn main() {
    if let Ok(part) = std::env::var(PART) {
        return play(&part);
    }
    // Under `cargo test` there is nothing to measure.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (entries, _) = export(dir.path(), 10_000);
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let mut group = criterion.benchmark_group("verify, one entry in twenty signed");
    group.throughput(Throughput::Elements(entries as u64));
    for threads in [1, 2] {
        group.bench_function(format!("{threads} threads"), |b| {
            let options = Options {
                threads,
                ..Options::default()
            };
            b.iter(|| verify_dir(dir.path(), &options))
        });
    }
    group.finish();
    let entries = std::env::var("VERIFY_ENTRIES").map_or(1_000_000, |n| n.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let (entries, signatures) = export(dir.path(), entries);
    ratios(dir.path(), entries, signatures);
}
