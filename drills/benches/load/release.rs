//! From the last approval to the plaintext, and its parts one by one.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use drills::client::{Evidence, Opening, Release, Signed};
use quorum::Hash;
use quorum::assertion::{self, PublicKey, RelyingParty};
use quorum::evidence::Trust;
use quorum::secret::{Envelope, HalfH, open_delivered_h, seal_h};
use quorum::statement::Decision;

use crate::floor::Floors;
use crate::house::House;
use crate::median;
use crate::server::Server;
use crate::table::{Row, Table, us};
use crate::token::Token;

const RELEASES: usize = 50;
const WARM: usize = 3;

/// m = 3. The clock starts when the third approver's key has signed, and stops when the requester's client has the plaintext: the
/// approver's share re-sealed, the approval sent, the release opened, everything checked and put together.
///
/// The parts are what nobody can leave out: one P-256 verification, the approver's opening and sealing of the share, the token's
/// unwrapping of `h`, its sealing, what the requester opens, checks and combines, one durable row and one round trip of the same
/// HTTP client. Then those that Vitrine's design asks besides: a second entry and a second call, since an opening is an entry of
/// its own, a checkpoint signed in the token, the anchor's write. Each part is done once after each release, so that it meets the
/// same machine as that did: no colder, no busier, at the same clock.
pub(crate) async fn measure(server: &Server, house: &mut House, table: &mut Table) {
    let mut parts = Parts::prepared(server, house).await;
    let (mut took, mut least, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    let mut each: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for n in 0..RELEASES + WARM {
        let steps = once(house).await;
        let [any, more] = parts.once(house).await;
        if n < WARM {
            continue;
        }
        let sum = |parts: &[(&str, f64)]| parts.iter().map(|(_, us)| us).sum::<f64>();
        took.push(steps.iter().sum());
        least.push(sum(&any));
        ours.push(sum(&any) + sum(&more));
        for (what, us) in STEPS.into_iter().zip(steps).chain(any).chain(more) {
            each.entry(what).or_default().push(us);
        }
    }
    for (what, all) in each {
        eprintln!("of a release: {what} {}", us(median(all)));
    }
    let (whole, least, ours) = (median(took), median(least), median(ours));
    let any = Row::new(
        "last approval to plaintext, m = 3, p50",
        us(whole),
        format!("{}, parts that any design has", us(least)),
    );
    table.add(any.ratio(whole / least).bound("1").at_most(3.0));
    let besides = "a second entry and call, a signed checkpoint, the anchor";
    let all = Row::new(
        "the same",
        us(whole),
        format!(
            "{}, with what this design asks besides: {besides}",
            us(ours)
        ),
    );
    table.add(all.ratio(whole / ours));
}

const STEPS: [&str; 4] = [
    "step 1: the approver re-seals",
    "step 2: the approval is sent and taken",
    "step 3: the opening is asked for and given",
    "step 4: all is checked and combined",
];

/// A release that two have approved, and the third has signed and not sent.
async fn last_signed(house: &mut House) -> (Release, Evidence, Signed) {
    let release = house.ask().await;
    let request = release.filed.request;
    let client = &house.client;
    for approver in &mut house.approvers[..2] {
        client.approve(approver, 0, request).await.unwrap();
    }
    let third = &mut house.approvers[2];
    let evidence = client.evidence(third, request).await.unwrap();
    let signed = client.decision(third, 0, &evidence, Decision::Approve);
    (release, evidence, signed.unwrap())
}

/// One release; what each of its steps took, in microseconds.
async fn once(house: &mut House) -> [f64; 4] {
    let (release, evidence, signed) = last_signed(house).await;
    let request = release.filed.request;
    let (client, asking, third) = (&house.client, &mut house.asking, &mut house.approvers[2]);
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

/// Everything that the parts are done with, from one release.
struct Parts {
    floors: Floors,
    token: Token,
    rp: RelyingParty,
    key: PublicKey,
    evidence: Evidence,
    signed: Signed,
    release: Release,
    opening: Opening,
    trust: Trust,
    envelope: Envelope,
    leaf: Hash,
    h: HalfH,
}

impl Parts {
    async fn prepared(server: &Server, house: &mut House) -> Self {
        let (release, evidence, signed) = last_signed(house).await;
        let request = release.filed.request;
        let (client, asking, third) = (&house.client, &mut house.asking, &mut house.approvers[2]);
        let share = client.reseal(third, 0, &evidence, &signed).unwrap();
        client
            .send_decision(third, request, &signed, share)
            .await
            .unwrap();
        let opening = client.opening(asking[0].by(), &release).await.unwrap();
        let trust = client.checkpoint(&mut asking[0]).await.unwrap();
        client.check_in(asking[0].by(), request).await.unwrap();
        let public = third.key(0).unwrap().key.public_key().unwrap();
        let envelope = Envelope::parse(opening.envelope.as_bytes()).unwrap();
        let leaf = Hash(audit::leaf_hash(opening.entry.as_bytes()).0);
        Self {
            floors: Floors::make(server).await,
            token: Token::make(server.folder()),
            rp: client.relying_party(),
            key: PublicKey::from_sec1(public).unwrap(),
            h: open_delivered_h(&opening.h, &release.delivery, &leaf, &envelope).unwrap(),
            evidence,
            signed,
            release,
            opening,
            trust,
            envelope,
            leaf,
        }
    }

    /// Parts that any design has, and those of this one besides.
    async fn once(&mut self, house: &mut House) -> [Vec<(&'static str, f64)>; 2] {
        let (client, third) = (&house.client, &mut house.approvers[2]);
        let (signed, leaf, envelope) = (&self.signed, &self.leaf, &self.envelope);
        let challenge = signed.challenge();
        let to = self.release.delivery.public().unwrap();
        let verified = timed(|| {
            _ = black_box(
                assertion::verify(&self.rp, &self.key, &challenge, &signed.assertion).unwrap(),
            );
        });
        let resealed = timed(|| {
            _ = black_box(client.reseal(third, 0, &self.evidence, signed).unwrap());
        });
        let sealed = timed(|| _ = black_box(seal_h(&self.h, &to, leaf, envelope).unwrap()));
        let combined = timed(|| {
            _ = black_box(self.opening.combine(&self.trust, &self.release).unwrap());
        });
        let (floors, token) = (&mut self.floors, &mut self.token);
        let any = vec![
            ("part: P-256 verification", verified),
            ("part: share opened and sealed again", resealed),
            ("part: h unwrapped by a token", token.unwrap_us()),
            ("part: h sealed", sealed),
            ("part: opened, checked and combined", combined),
            ("part: a durable row", floors.row_us().await),
            ("part: a round trip", floors.hello_us().await),
        ];
        let more = vec![
            ("part besides: a second row", floors.row_us().await),
            ("part besides: a second round trip", floors.hello_us().await),
            ("part besides: a signature of a token", token.sign_us()),
            ("part besides: a write that stays", floors.write_us()),
        ];
        [any, more]
    }
}

/// In microseconds.
fn timed(part: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    part();
    begun.elapsed().as_secs_f64() * 1e6
}
