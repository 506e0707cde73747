//! What one opening costs an approver's and a requester's machine. Values come from the vectors.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use quorum::Hash;
use quorum::secret::{
    DeliveryKey, Envelope, HalfH, Share, combine, generate, open_delivered_h, open_delivered_share,
    reseal_share, seal_h,
};
use quorum::statement::Challenge;
use serde_json::Value;

fn bytes(case: &Value, name: &str) -> Vec<u8> {
    hex::decode(case[name].as_str().unwrap()).unwrap()
}

/// One release of a version sealed three of seven, as it reaches the requester.
struct Delivered {
    envelope: Envelope,
    key: DeliveryKey,
    challenge: Challenge,
    leaf: Hash,
    shares: Vec<(u8, Vec<u8>)>,
    h: Vec<u8>,
}

impl Delivered {
    fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/secret-delivery.json");
        let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let cases = file["cases"].as_array().unwrap();
        let named = |name: &str| cases.iter().find(|case| case["name"] == name).unwrap();
        let h = named("h of another version");
        let shares = [2u8, 4, 5].map(|x| {
            let case = named(&format!("place {x} of seven"));
            assert_eq!(case["envelope"], h["envelope"]);
            (x, bytes(case, "sealed"))
        });
        Self {
            envelope: Envelope::parse(h["envelope"].as_str().unwrap().as_bytes()).unwrap(),
            key: DeliveryKey::copy_of(&bytes(h, "private_key")).unwrap(),
            challenge: Challenge(bytes(named("place 1"), "challenge").try_into().unwrap()),
            leaf: h["leaf"].as_str().unwrap().parse().unwrap(),
            shares: shares.to_vec(),
            h: bytes(h, "sealed"),
        }
    }

    fn share(&self, i: usize) -> Share {
        let (x, sealed) = &self.shares[i];
        open_delivered_share(sealed, *x, &self.key, &self.challenge, &self.envelope).unwrap()
    }

    fn h(&self) -> HalfH {
        open_delivered_h(&self.h, &self.key, &self.leaf, &self.envelope).unwrap()
    }
}

fn secret(c: &mut Criterion) {
    let given = Delivered::read();
    let to = given.key.public().unwrap();
    let shares: Vec<Share> = (0..3).map(|i| given.share(i)).collect();
    let h = given.h();
    let mut group = c.benchmark_group("secret");
    group.bench_function("parse an envelope", |b| {
        b.iter(|| Envelope::parse(black_box(given.envelope.bytes())).unwrap());
    });
    group.bench_function("reseal a share", |b| {
        b.iter(|| reseal_share(black_box(&shares[0]), &to, &given.challenge).unwrap());
    });
    group.bench_function("seal h", |b| {
        b.iter(|| seal_h(black_box(&h), &to, &given.leaf, &given.envelope).unwrap());
    });
    group.bench_function("open a share and check it", |b| {
        b.iter(|| given.share(black_box(1)))
    });
    group.bench_function("combine three of seven and decrypt", |b| {
        b.iter(|| combine(&given.envelope, black_box(&shares), &h).unwrap());
    });
    group.bench_function("all that the requester does", |b| {
        b.iter(|| {
            let shares: Vec<Share> = (0..3).map(|i| given.share(i)).collect();
            combine(&given.envelope, &shares, &given.h()).unwrap()
        });
    });
    group.bench_function("generate a password", |b| {
        let policy = generate::Policy::default();
        b.iter(|| generate::generate(black_box(&policy)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, secret);
criterion_main!(benches);
