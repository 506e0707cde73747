//! What sealing costs the server, and one opening an approver's and a requester's machine.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "../tests/support/safe.rs"]
mod safe;
#[path = "../tests/support/world.rs"]
mod world;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use quorum::Hash;
use quorum::ids::CredentialId;
use quorum::secret::{
    DeliveryKey, Envelope, HalfH, Plaintext, Sealed, Share, combine, generate, open_delivered_h,
    open_delivered_share, open_share, reseal_share, seal, seal_h,
};
use quorum::statement::{Challenge, SealedAs, SecretKind};
use safe::Safe;

/// One release of a version sealed three of five, as it reaches the requester.
struct Delivered {
    envelope: Envelope,
    key: DeliveryKey,
    shares: Vec<(u8, Vec<u8>)>,
    h: Vec<u8>,
}

const CHALLENGE: Challenge = Challenge([1; 32]);
const LEAF: Hash = Hash([2; 32]);

impl Delivered {
    fn new(safe: &Safe, sealed: &Sealed) -> Self {
        let key = DeliveryKey::generate().unwrap();
        let to = key.public().unwrap();
        let shares = [1usize, 3, 4].map(|i| {
            let share = open_share(&sealed.shares[i], &safe.keys[i], &sealed.envelope).unwrap();
            (share.x(), reseal_share(&share, &to, &CHALLENGE).unwrap())
        });
        Self {
            envelope: sealed.envelope.clone(),
            h: seal_h(&sealed.h, &to, &LEAF, &sealed.envelope).unwrap(),
            shares: shares.to_vec(),
            key,
        }
    }

    fn share(&self, i: usize) -> Share {
        let (x, sealed) = &self.shares[i];
        open_delivered_share(sealed, *x, &self.key, &CHALLENGE, &self.envelope).unwrap()
    }

    fn h(&self) -> HalfH {
        open_delivered_h(&self.h, &self.key, &LEAF, &self.envelope).unwrap()
    }
}

fn secret(c: &mut Criterion) {
    let safe = Safe::new(3, 5);
    let roster = safe.world.roster();
    let seal_32 = || {
        let sealed_as = SealedAs {
            kind: SecretKind::Password,
            name: "prod-db superuser".into(),
            target: None,
        };
        let credential = CredentialId::from_uuid_bytes([5; 16]);
        seal(
            &roster,
            credential,
            1,
            sealed_as,
            Plaintext::new(vec![b'x'; 32]),
        )
        .unwrap()
    };
    let sealed = seal_32();
    let given = Delivered::new(&safe, &sealed);
    let to = given.key.public().unwrap();
    let shares: Vec<Share> = (0..3).map(|i| given.share(i)).collect();
    let h = given.h();
    let mut group = c.benchmark_group("secret");
    group.bench_function("seal three of five", |b| b.iter(seal_32));
    group.bench_function("parse an envelope", |b| {
        b.iter(|| Envelope::parse(black_box(given.envelope.bytes())).unwrap());
    });
    group.bench_function("open a share envelope and check it", |b| {
        b.iter(|| open_share(&sealed.shares[4], &safe.keys[4], &sealed.envelope).unwrap());
    });
    group.bench_function("reseal a share", |b| {
        b.iter(|| reseal_share(black_box(&shares[0]), &to, &CHALLENGE).unwrap());
    });
    group.bench_function("seal h", |b| {
        b.iter(|| seal_h(black_box(&h), &to, &LEAF, &given.envelope).unwrap());
    });
    group.bench_function("open a share and check it", |b| {
        b.iter(|| given.share(black_box(1)))
    });
    group.bench_function("combine three of five and decrypt", |b| {
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
