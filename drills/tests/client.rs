//! What the client believes of a server, and what it does not: a small ledger with real signatures (the one of
//! `quorum`'s own tests) is shown to it as the service would, then with one thing changed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "../../quorum/tests/support/safe.rs"]
mod safe;
#[path = "../../quorum/tests/support/world.rs"]
mod world;

use drills::client::{DeliveredShare, Error, Evidence, Filed, Opening, Release, b64};
use quorum::Hash;
use quorum::evidence::{Anchor, Proved};
use quorum::ids::CredentialId;
use quorum::secret::{self, DeliveryKey, OpenError, Plaintext, Sealed};
use quorum::statement::{Approval, Decision, Kind, Purpose, ReleasePurpose, Request, Statement};
use safe::Safe;
use serde_json::{Value, json};
use world::{Filing, HOUR, World, int, ints, obj, text};

const SECRET: &[u8] = b"correct horse battery staple";
const SALT: [u8; 32] = [4; 32];
/// Asks; an approver elsewhere.
const REQUESTER: usize = 3;

/// A release that was asked for.
struct Story {
    safe: Safe,
    sealed: Sealed,
    /// The same, sealed once more: other halves, another envelope.
    other: Sealed,
    sealed_seq: u64,
    delivery: DeliveryKey,
    filing: Filing,
}

fn credential() -> CredentialId {
    CredentialId::from_uuid_bytes([5; 16])
}

fn story() -> Story {
    let mut safe = Safe::new(2, 3);
    let sealed = safe.seal(1, Plaintext::new(SECRET.to_vec())).unwrap();
    let other = safe.seal(1, Plaintext::new(SECRET.to_vec())).unwrap();
    let sealed_seq = enter_sealed(&mut safe, &sealed);
    let delivery = DeliveryKey::generate().unwrap();
    let world = &mut safe.world;
    let header = sealed.envelope.header();
    let request = Request {
        expires: world.time + HOUR,
        reason_commitment: quorum::labelled("reason", &[&SALT, b"because"]),
        request: world.request_id(),
        requester_name: world.players[REQUESTER].name.clone(),
        roster: world.last_roster(),
        safe: safe.safe,
        ticket: None,
        purpose: Purpose::Release(ReleasePurpose {
            credential: credential(),
            delivery_key: delivery.public().unwrap(),
            duration_s: 900,
            envelope: sealed.envelope.hash(),
            epoch: 1,
            open_within_s: 900,
            sealed_as: header.sealed_as.clone(),
            version: 1,
        }),
    };
    let filing = world.file(REQUESTER, request);
    Story {
        safe,
        sealed,
        other,
        sealed_seq,
        delivery,
        filing,
    }
}

fn enter_sealed(safe: &mut Safe, sealed: &Sealed) -> u64 {
    let header = sealed.envelope.header();
    let keys = sealed.shares.iter().map(|s| text(s.authenticator));
    let data = obj([
        ("authenticators", quorum::json::Value::Arr(keys.collect())),
        ("credential", text(header.credential)),
        ("envelope", text(sealed.envelope.hash())),
        ("epoch", int(1)),
        ("key_commitment", text(sealed.envelope.key_commitment())),
        ("origin", text("generated")),
        ("roster", text(header.roster)),
        ("safe", text(header.safe)),
        ("version", int(header.version)),
    ]);
    safe.world.append("system", "version.sealed", data)
}

fn proved(p: &Proved) -> Value {
    let proof: Vec<String> = p.proof.iter().map(ToString::to_string).collect();
    json!({ "seq": p.seq, "entry": std::str::from_utf8(&p.entry).unwrap(), "proof": proof })
}

impl Story {
    fn world(&self) -> &World {
        &self.safe.world
    }

    /// As `GET /requests/{id}/evidence` answers the approver of place 1.
    fn evidence(&self, from: u64) -> Value {
        let world = self.world();
        let entries: Vec<Value> = (0..world.size())
            .map(|seq| proved(&world.proved(seq)))
            .collect();
        let consistency: Vec<String> = match from {
            0 => Vec::new(),
            from => world
                .consistency(from)
                .iter()
                .map(ToString::to_string)
                .collect(),
        };
        let share = &self.sealed.shares[0];
        json!({
            "checkpoint": world.note(),
            "consistency": consistency,
            "entries": entries,
            "roles": { "founding": 0, "request": self.filing.seq, "sealed": self.sealed_seq },
            "envelope": std::str::from_utf8(self.sealed.envelope.bytes()).unwrap(),
            "reason": { "text": "because", "salt": b64(&SALT) },
            "shares": [{
                "approver": share.approver.to_string(), "authenticator": share.authenticator.to_string(),
                "x": share.x, "sealed": b64(&share.sealed),
            }],
        })
    }

    fn check(&self, sent: Value, seen: Option<&Anchor>) -> Result<Evidence, Error> {
        Evidence::check(sent, self.world().ledger(), seen, self.world().time)
    }

    /// An approver says yes and re-seals their share.
    fn approve(&mut self, who: usize) -> DeliveredShare {
        let statement = self.approval(who, Decision::Approve, self.filing.leaf);
        self.safe
            .world
            .sign_statement(who, 0, "request.approved", &statement);
        self.delivered(who, &statement)
    }

    fn approval(&self, who: usize, decision: Decision, entry: Hash) -> Statement {
        let subject = self.filing.subject.clone();
        let approval = Approval {
            decision,
            entry,
            subject,
        };
        self.world().statement(who, Kind::Approval(approval))
    }

    fn delivered(&self, who: usize, statement: &Statement) -> DeliveredShare {
        let mine = &self.sealed.shares[who - 1];
        let share =
            secret::open_share(mine, &self.safe.keys[who - 1], &self.sealed.envelope).unwrap();
        let to = self.delivery.public().unwrap();
        DeliveredShare {
            approver: mine.approver,
            name: self.world().players[who].name.clone(),
            x: mine.x,
            sealed: secret::reseal_share(&share, &to, &statement.challenge()).unwrap(),
            statement: String::from_utf8(statement.bytes()).unwrap(),
        }
    }

    /// Two say yes, and the service opens.
    fn opened(&mut self) -> Opening {
        let shares = vec![self.approve(1), self.approve(2)];
        let seq = self.enter_opened(self.filing.request.request);
        self.opening(seq, shares)
    }

    fn enter_opened(&mut self, request: quorum::ids::RequestId) -> u64 {
        let size = self.world().size();
        let data = obj([
            ("approvals", ints(&[size - 2, size - 1])),
            ("credential", text(credential())),
            ("envelope", text(self.sealed.envelope.hash())),
            ("epoch", int(1)),
            ("request", text(request)),
            ("requester", text(self.world().players[REQUESTER].user)),
            ("roster", text(self.filing.request.roster)),
            ("safe", text(self.safe.safe)),
            ("version", int(1)),
        ]);
        self.safe.world.append("system", "release.opened", data)
    }

    fn opening(&self, seq: u64, shares: Vec<DeliveredShare>) -> Opening {
        let world = self.world();
        let envelope = &self.sealed.envelope;
        let leaf = world.leaves[usize::try_from(seq).unwrap()];
        let to = self.delivery.public().unwrap();
        let entry = world.proved(seq);
        Opening {
            entry: String::from_utf8(entry.entry).unwrap(),
            seq,
            proof: entry.proof,
            checkpoint: world.note(),
            founding: world.proved(0),
            consistency: Vec::new(),
            envelope: String::from_utf8(envelope.bytes().to_vec()).unwrap(),
            h: secret::seal_h(&self.sealed.h, &to, &leaf, envelope).unwrap(),
            shares,
            ends: world.time,
        }
    }

    fn release(self) -> Release {
        Release {
            filed: Filed {
                request: self.filing.request.request,
                code: String::new(),
                safe: self.safe.safe,
                seq: self.filing.seq,
                leaf: self.filing.leaf,
                asked: self.filing.request,
            },
            delivery: self.delivery,
        }
    }
}

fn unproved<T>(result: Result<T, Error>, says: &str) {
    match result {
        Err(e @ (Error::Unproved(_) | Error::Share(_))) => {
            let why = e.to_string();
            assert!(why.contains(says), "{why} says not {says}");
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("believed, though {says}"),
    }
}

#[test]
fn true_evidence_is_believed_and_the_share_opens() {
    let story = story();
    let seen = story.world().anchor_at(4);
    let evidence = story.check(story.evidence(4), Some(&seen)).unwrap();
    assert_eq!(evidence.asked, story.filing.request);
    assert_eq!(evidence.leaf, story.filing.leaf);
    assert_eq!(evidence.subject, story.filing.subject);
    assert_eq!(evidence.requester, story.world().players[REQUESTER].user);
    assert_eq!(evidence.reason.as_deref(), Some("because"));
    assert_eq!(evidence.trust.size(), story.world().size());
    assert_eq!(evidence.shares[0].x, 1);
    assert_eq!(evidence.envelope, Some(story.sealed.envelope));
}

#[test]
fn evidence_with_one_thing_changed_is_not_believed() {
    type Change = fn(&mut Value, &Story);
    let cases: [(&str, Change); 9] = [
        ("reason", |sent, _| {
            sent["reason"]["text"] = json!("another")
        }),
        ("reason", |sent, _| {
            sent["reason"]["salt"] = json!(b64(&[5; 32]))
        }),
        ("envelope", |sent, story| {
            let other = story.other.envelope.bytes().to_vec();
            sent["envelope"] = json!(String::from_utf8(other).unwrap());
        }),
        ("missing", |sent, _| sent["envelope"] = Value::Null),
        ("no sealing", |sent, _| sent["roles"]["sealed"] = json!(0)),
        ("is not signed", |sent, story| {
            sent["roles"]["request"] = json!(story.sealed_seq);
        }),
        ("not in the ledger", |sent, story| {
            let place = usize::try_from(story.filing.seq).unwrap();
            let entry = sent["entries"][place]["entry"].as_str().unwrap();
            let entry = entry.replace("Approver 3", "Approver 2");
            sent["entries"][place]["entry"] = json!(entry);
        }),
        ("enrolment", |sent, _| {
            let entries = sent["entries"].as_array_mut().unwrap();
            entries.retain(|e| {
                let entry = e["entry"].as_str().unwrap();
                !(entry.contains("authenticator.enrolled") && entry.contains("Approver 3"))
            });
        }),
        ("no key in force", |sent, _| {
            let note = sent["checkpoint"].as_str().unwrap();
            sent["checkpoint"] = json!(note.replace("\u{2014} ", "\u{2014} x"));
        }),
    ];
    for (says, change) in cases {
        let story = story();
        let mut sent = story.evidence(0);
        change(&mut sent, &story);
        unproved(story.check(sent, None), says);
    }
}

#[test]
fn another_founding_an_old_tree_a_fork_and_a_late_request_are_not_believed() {
    let story = story();
    let world = story.world();
    let other = Evidence::check(story.evidence(0), Hash([9; 32]), None, world.time);
    unproved(other, "founding");
    let ahead = Anchor {
        size: world.size() + 1,
        root: Hash([1; 32]),
    };
    unproved(story.check(story.evidence(0), Some(&ahead)), "older");
    let fork = Anchor {
        size: 4,
        root: Hash([1; 32]),
    };
    unproved(
        story.check(story.evidence(4), Some(&fork)),
        "does not extend",
    );
    let late = story.filing.request.expires;
    let late = Evidence::check(story.evidence(0), world.ledger(), None, late);
    unproved(late, "expired");
}

#[test]
fn a_request_signed_with_anothers_key_is_not_believed() {
    let mut story = story();
    let mut request = story.filing.request.clone();
    request.request = story.safe.world.request_id();
    let statement = story
        .safe
        .world
        .statement(REQUESTER, Kind::Request(Box::new(request)));
    let key = story.safe.world.players[1].keys[0];
    let touch = story.safe.world.keys[&key].touch(statement.challenge());
    let data = world::signed_data(key, &statement, &touch);
    let actor = story.safe.world.players[REQUESTER].user.to_string();
    let data = quorum::json::Value::Obj(data);
    story.filing.seq = story.safe.world.append(&actor, "request.filed", data);
    unproved(story.check(story.evidence(0), None), "another person");
}

#[test]
fn a_true_opening_gives_the_secret() {
    let mut story = story();
    let opening = story.opened();
    let trust = story.world().trust();
    let opened = opening.combine(&trust, &story.release()).unwrap();
    assert_eq!(opened.plaintext.expose(), SECRET);
    assert_eq!((opened.version, opened.seq), (1, opening.seq));
}

#[test]
fn an_opening_proved_under_an_older_checkpoint_of_the_same_keys_is_believed() {
    let mut story = story();
    let opening = story.opened();
    story.safe.world.append("system", "clock.ticked", obj([]));
    let trust = story.world().trust();
    assert!(opening.combine(&trust, &story.release()).is_ok());
}

/// What place 2 re-sealed is place 1's.
fn spoil(story: &Story, opening: &mut Opening) {
    let mine = opening
        .shares
        .iter_mut()
        .find(|share| share.x == 2)
        .unwrap();
    let statement = Statement::parse(mine.statement.as_bytes()).unwrap();
    let (sealed, key) = (&story.sealed.shares[0], &story.safe.keys[0]);
    let share = secret::open_share(sealed, key, &story.sealed.envelope).unwrap();
    let to = story.delivery.public().unwrap();
    mine.sealed = secret::reseal_share(&share, &to, &statement.challenge()).unwrap();
}

#[test]
fn a_wrong_share_is_refused_and_its_owner_named() {
    let mut story = story();
    let mut opening = story.opened();
    spoil(&story, &mut opening);
    let trust = story.world().trust();
    let Err(Error::Share(wrong)) = opening.combine(&trust, &story.release()) else {
        panic!("not refused");
    };
    assert_eq!((wrong.x, wrong.name.as_str()), (2, "Approver 2"));
}

#[test]
fn a_wrong_share_does_not_stop_those_that_are_enough() {
    let mut story = story();
    let mut opening = story.opened();
    let third = story.approval(3, Decision::Approve, story.filing.leaf);
    opening.shares.push(story.delivered(3, &third));
    spoil(&story, &mut opening);
    let trust = story.world().trust();
    let opened = opening.combine(&trust, &story.release()).unwrap();
    assert_eq!(opened.plaintext.expose(), SECRET);
    assert_eq!(opened.wrong.len(), 1);
    assert_eq!(opened.wrong[0].name, "Approver 2");
}

#[test]
fn too_few_shares_open_nothing() {
    let mut story = story();
    let mut opening = story.opened();
    opening.shares.truncate(1);
    let trust = story.world().trust();
    let refused = opening.combine(&trust, &story.release()).err();
    let too_few = OpenError::TooFewShares { have: 1, need: 2 };
    assert!(matches!(refused, Some(Error::Secret(e)) if e == too_few));
}

#[test]
fn an_opening_with_one_thing_changed_is_not_believed() {
    type Change = fn(&mut Opening, &mut Story);
    let cases: [(&str, Change); 6] = [
        ("another approval", |opening, story| {
            let denial = story.approval(2, Decision::Deny, story.filing.leaf);
            opening.shares[1] = story.delivered(2, &denial);
        }),
        ("another approval", |opening, story| {
            let other = story.approval(2, Decision::Approve, Hash([8; 32]));
            opening.shares[1] = story.delivered(2, &other);
        }),
        ("opens something else", |opening, story| {
            let other = story.safe.world.request_id();
            let seq = story.enter_opened(other);
            *opening = story.opening(seq, std::mem::take(&mut opening.shares));
        }),
        ("opens nothing", |opening, story| {
            let closed = obj([
                ("request", text(story.filing.request.request)),
                ("why", text("expired")),
            ]);
            let seq = story.safe.world.append("system", "release.closed", closed);
            *opening = story.opening(seq, std::mem::take(&mut opening.shares));
        }),
        ("envelope", |opening, story| {
            opening.envelope = String::from_utf8(story.other.envelope.bytes().to_vec()).unwrap();
        }),
        ("entry", |opening, _| opening.seq -= 1),
    ];
    for (says, change) in cases {
        let mut story = story();
        let mut opening = story.opened();
        change(&mut opening, &mut story);
        let trust = story.world().trust();
        unproved(opening.combine(&trust, &story.release()), says);
    }
}
