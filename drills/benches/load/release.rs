//! From the last approval to the plaintext, and its parts one by one.

use std::hint::black_box;
use std::time::Instant;

use quorum::Hash;
use quorum::assertion::{self, PublicKey};
use quorum::secret::{Envelope, open_delivered_h, seal_h};
use quorum::statement::Decision;

use crate::house::House;
use crate::server::Server;
use crate::table::{Row, Table, us};
use crate::{floor, median};

const RELEASES: usize = 25;
const WARM: usize = 3;

/// m = 3. The clock starts when the third approver's key has signed, and stops when the requester's client has the plaintext: the
/// approver's share re-sealed, the approval sent, the release opened, everything checked and put together.
///
/// The parts are what nobody can leave out: one P-256 verification, the approver's opening and sealing of the share, `h` sealed by the
/// server, what the requester opens, checks and combines, one durable row and one round trip. The token's unwrapping of `h` is not
/// among them, so the sum is a little too small.
pub(crate) async fn measure(server: &Server, house: &mut House, table: &mut Table) {
    let (mut took, mut steps) = (Vec::new(), [const { Vec::new() }; 4]);
    for n in 0..RELEASES + WARM {
        let each = once(house).await;
        if n >= WARM {
            took.push(each.iter().sum());
            for (all, us) in steps.iter_mut().zip(each) {
                all.push(us);
            }
        }
    }
    for (what, all) in STEPS.iter().zip(steps) {
        eprintln!("step of a release: {what} {}", us(median(all)));
    }
    let parts = parts(server, house).await;
    let sum: f64 = parts.iter().map(|(_, us)| us).sum();
    for (what, part) in &parts {
        eprintln!("part of a release: {what} {}", us(*part));
    }
    let whole = median(took);
    let least = Row::new(
        "last approval to plaintext, m = 3, p50",
        us(whole),
        format!("{}, parts that any design has", us(sum)),
    );
    table.add(least.ratio(whole / sum).bound("1").at_most(3.0));
    let (row, file, round) = (
        floor::commit_us(server.folder()).await,
        floor::replace_us(server.folder()),
        floor::hello_us(server),
    );
    let sum = sum + row + file + round;
    let ours = Row::new(
        "the same",
        us(whole),
        format!(
            "{}, with what this design asks besides: a second entry, the anchor, two calls",
            us(sum)
        ),
    );
    table.add(ours.ratio(whole / sum));
}

const STEPS: [&str; 4] = [
    "the approver re-seals",
    "the approval is sent and taken",
    "the opening is asked for and given",
    "all is checked and combined",
];

/// One release; what each of its steps took, in microseconds.
async fn once(house: &mut House) -> [f64; 4] {
    let release = house.ask().await;
    let request = release.filed.request;
    let House {
        client,
        asking,
        approvers,
        ..
    } = house;
    let [first, second, third, ..] = &mut approvers[..] else {
        return [f64::NAN; 4];
    };
    client.approve(first, 0, request).await.unwrap();
    client.approve(second, 0, request).await.unwrap();
    let evidence = client.evidence(third, request).await.unwrap();
    let signed = client
        .decision(third, 0, &evidence, Decision::Approve)
        .unwrap();
    let mut last = Instant::now();
    let mut took = move || {
        let since = last.elapsed().as_secs_f64() * 1e6;
        last = Instant::now();
        since
    };
    let share = client.reseal(third, 0, &evidence, &signed).unwrap();
    let resealed = took();
    client
        .send_decision(third, request, &signed, share)
        .await
        .unwrap();
    let approved = took();
    let from = asking[0].pinned.map_or(0, |pinned| pinned.size);
    let opening = client
        .opening_from(asking[0].by(), &release, from)
        .await
        .unwrap();
    let given = took();
    let trust = client.trust_of(&mut asking[0], &opening).unwrap();
    let opened = opening.combine(&trust, &release).unwrap();
    let took = [resealed, approved, given, took()];
    assert!(!opened.plaintext.is_empty());
    client.check_in(asking[0].by(), request).await.unwrap();
    took
}

async fn parts(server: &Server, house: &mut House) -> Vec<(&'static str, f64)> {
    let release = house.ask().await;
    let request = release.filed.request;
    let House {
        client,
        asking,
        approvers,
        ..
    } = house;
    let [first, second, third, ..] = &mut approvers[..] else {
        return Vec::new();
    };
    client.approve(first, 0, request).await.unwrap();
    client.approve(second, 0, request).await.unwrap();
    let evidence = client.evidence(third, request).await.unwrap();
    let signed = client
        .decision(third, 0, &evidence, Decision::Approve)
        .unwrap();
    let share = client.reseal(third, 0, &evidence, &signed).unwrap();
    client
        .send_decision(third, request, &signed, share)
        .await
        .unwrap();
    let opening = client.opening(asking[0].by(), &release).await.unwrap();
    let trust = client.checkpoint(&mut asking[0]).await.unwrap();

    let rp = client.relying_party();
    let key = PublicKey::from_sec1(third.key(0).unwrap().key.public_key().unwrap()).unwrap();
    let challenge = signed.challenge();
    let envelope = Envelope::parse(opening.envelope.as_bytes()).unwrap();
    let leaf = Hash(audit::leaf_hash(opening.entry.as_bytes()).0);
    let to = release.delivery.public().unwrap();
    let h = open_delivered_h(&opening.h, &release.delivery, &leaf, &envelope).unwrap();
    let all = vec![
        (
            "P-256 verification",
            timed(|| {
                _ = black_box(assertion::verify(&rp, &key, &challenge, &signed.assertion).unwrap())
            }),
        ),
        (
            "share opened and sealed again",
            timed(|| _ = black_box(client.reseal(third, 0, &evidence, &signed).unwrap())),
        ),
        (
            "h sealed",
            timed(|| _ = black_box(seal_h(&h, &to, &leaf, &envelope).unwrap())),
        ),
        (
            "opened, checked and combined",
            timed(|| _ = black_box(opening.combine(&trust, &release).unwrap())),
        ),
        ("a durable row", floor::commit_us(server.folder()).await),
        ("a round trip", floor::hello_us(server)),
    ];
    client.check_in(asking[0].by(), request).await.unwrap();
    all
}

/// p50 in microseconds.
fn timed(mut turn: impl FnMut()) -> f64 {
    (0..20).for_each(|_| turn());
    let each = (0..200).map(|_| {
        let begun = Instant::now();
        turn();
        begun.elapsed().as_secs_f64() * 1e6
    });
    median(each.collect())
}
