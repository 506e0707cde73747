//! A small ledger with people, software keys and safes, for tests: every signature in it is real.
//!
//! Used by unit tests as `crate::world`, by integration tests through `mod support`.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::agreement;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use quorum::assertion::{Assertion, RelyingParty};
use quorum::entry::Registration;
use quorum::evidence::{Anchor, Proved, Trust};
use quorum::hash::{self, Hash, labelled};
use quorum::ids::{AuthenticatorId, RequestId, SafeId, UserId};
use quorum::json::{self, Object, Value};
use quorum::roster::{RosterEvidence, RosterStep, VerifiedRoster};
use quorum::statement::{
    Acceptance, Approval, Challenge, Decision, Enrol, Invite, Kind, NewApprover, NewRoster,
    Purpose, Request, Role, RosterPurpose, Statement,
};
use sha2::{Digest, Sha256};
use tlog_tiles::tlog;

pub const SECOND: i64 = 1_000_000;
pub const HOUR: i64 = 3600 * SECOND;
pub const DAY: i64 = 24 * HOUR;
pub const RP_ID: &str = "vault.example";
pub const ORIGIN: &str = "https://vault.example";
pub const LEDGER_NAME: &str = "vault.example/ledger";

/// An object from its members.
pub fn obj<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Obj(
        members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

pub fn text(value: impl ToString) -> Value {
    Value::Str(value.to_string())
}

pub fn b64(bytes: &[u8]) -> Value {
    Value::Str(URL_SAFE_NO_PAD.encode(bytes))
}

pub fn int(n: u64) -> Value {
    Value::Int(i64::try_from(n).unwrap())
}

pub fn ints(all: &[u64]) -> Value {
    Value::Arr(all.iter().map(|n| int(*n)).collect())
}

pub fn assertion_value(a: &Assertion) -> Value {
    obj([
        ("authenticator_data", b64(&a.authenticator_data)),
        ("client_data_json", b64(&a.client_data_json)),
        ("signature", b64(&a.signature)),
    ])
}

/// A FIDO2 key in software.
pub struct SoftKey {
    pair: EcdsaKeyPair,
    pub credential_id: Vec<u8>,
    pub share_private: [u8; 32],
}

impl Default for SoftKey {
    fn default() -> Self {
        Self::new()
    }
}

impl SoftKey {
    pub fn new() -> Self {
        Self {
            pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
            credential_id: random::<32>().to_vec(),
            share_private: random(),
        }
    }

    pub fn public_key(&self) -> [u8; 65] {
        self.pair.public_key().as_ref().try_into().unwrap()
    }

    /// The X25519 public key that belongs to `share_private`.
    pub fn share_key(&self) -> [u8; 32] {
        let private =
            agreement::PrivateKey::from_private_key(&agreement::X25519, &self.share_private);
        let public = private.unwrap().compute_public_key().unwrap();
        public.as_ref().try_into().unwrap()
    }

    /// A touch as a browser would give it.
    pub fn touch(&self, challenge: Challenge) -> Assertion {
        self.touch_with(client_data(challenge), authenticator_data(0x05, 0))
    }

    /// A touch over any client and authenticator data.
    pub fn touch_with(&self, client_data_json: Vec<u8>, authenticator_data: Vec<u8>) -> Assertion {
        let mut signed = authenticator_data.clone();
        signed.extend_from_slice(&Sha256::digest(&client_data_json));
        let signature = self.pair.sign(&SystemRandom::new(), &signed).unwrap();
        Assertion {
            authenticator_data,
            client_data_json,
            signature: signature.as_ref().to_vec(),
        }
    }
}

pub fn client_data(challenge: Challenge) -> Vec<u8> {
    let challenge = URL_SAFE_NO_PAD.encode(challenge.0);
    format!(
        r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"{ORIGIN}","crossOrigin":false}}"#
    )
    .into_bytes()
}

pub fn authenticator_data(flags: u8, counter: u32) -> Vec<u8> {
    let mut data = Sha256::digest(RP_ID.as_bytes()).to_vec();
    data.push(flags);
    data.extend_from_slice(&counter.to_be_bytes());
    data
}

/// Some hash, the same every time.
pub fn labelled_hash(thing: &str) -> Hash {
    labelled(thing, &[b"something"])
}

pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    bytes
}

/// A person of a [`World`].
#[derive(Clone)]
pub struct Player {
    pub user: UserId,
    pub name: String,
    pub token: [u8; 32],
    pub keys: Vec<AuthenticatorId>,
}

/// A ledger, its people, and what is needed to write on.
#[derive(Clone)]
pub struct World {
    pub entries: Vec<Vec<u8>>,
    pub leaves: Vec<Hash>,
    pub time: i64,
    pub players: Vec<Player>,
    pub keys: BTreeMap<AuthenticatorId, Arc<SoftKey>>,
    pub checkpoint_key: Arc<Ed25519KeyPair>,
    ids: u8,
}

/// Player 0, who founded it.
pub const CUSTODIAN: usize = 0;

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// A ledger with its first custodian, who has one key.
    pub fn new() -> Self {
        let mut world = Self {
            entries: Vec::new(),
            leaves: Vec::new(),
            time: 1_760_000_000 * SECOND,
            players: Vec::new(),
            keys: BTreeMap::new(),
            checkpoint_key: new_checkpoint_key(),
            ids: 0,
        };
        let founded = obj([
            (
                "checkpoint_keys",
                Value::Arr(vec![text(world.verifier_key())]),
            ),
            ("name", text(LEDGER_NAME)),
            ("origins", Value::Arr(vec![text(ORIGIN)])),
            ("rp_id", text(RP_ID)),
        ]);
        world.append("system", "ledger.founded", founded);
        let first = world.player("Cleo Custodian");
        let invite = world.invite_statement(first, &[Role::Custodian], None);
        world.append("system", "person.invited", invite.to_value());
        world.join(first);
        world
    }

    /// A ledger with one safe of n approvers with one key each; players 1 to n are on it in that order.
    pub fn with_safe(m: u64, n: usize) -> (Self, SafeId) {
        let mut world = Self::new();
        let people: Vec<usize> = (1..=n)
            .map(|i| world.approver(&format!("Approver {i}")))
            .collect();
        let safe = world.safe_id();
        let new = world.new_roster(1, m, &people);
        world.found_safe(safe, new);
        (world, safe)
    }

    pub fn rp() -> RelyingParty {
        RelyingParty {
            rp_id: RP_ID.into(),
            origins: vec![ORIGIN.into()],
        }
    }

    pub fn uuid(&mut self) -> [u8; 16] {
        self.ids += 1;
        let mut bytes = random::<16>();
        bytes[0] = 1;
        bytes[15] = self.ids;
        bytes
    }

    pub fn safe_id(&mut self) -> SafeId {
        SafeId::from_uuid_bytes(self.uuid())
    }

    pub fn request_id(&mut self) -> RequestId {
        RequestId::from_uuid_bytes(self.uuid())
    }

    pub fn ledger(&self) -> Hash {
        self.leaves.first().copied().unwrap_or(Hash::ZERO)
    }

    pub fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    // People and keys.

    /// Somebody who is not let in yet.
    pub fn player(&mut self, name: &str) -> usize {
        let user = UserId::from_uuid_bytes(self.uuid());
        self.players.push(Player {
            user,
            name: name.into(),
            token: random(),
            keys: Vec::new(),
        });
        self.players.len() - 1
    }

    pub fn invite_statement(&self, who: usize, roles: &[Role], signer: Option<usize>) -> Statement {
        let player = &self.players[who];
        Statement {
            ledger: self.ledger(),
            nonce: random(),
            signer: signer.map(|signer| self.players[signer].user),
            kind: Kind::Invite(Invite {
                expires: self.time + 3 * DAY,
                invitation: labelled("invitation", &[&player.token]),
                name: player.name.clone(),
                roles: roles.to_vec(),
                user: player.user,
            }),
        }
    }

    /// An invited person with one key.
    pub fn person(&mut self, name: &str, roles: &[Role]) -> usize {
        let who = self.player(name);
        let invite = self.invite_statement(who, roles, Some(CUSTODIAN));
        self.sign_statement(CUSTODIAN, 0, "person.invited", &invite);
        self.join(who);
        who
    }

    /// An approver, who may also ask, with one key.
    pub fn approver(&mut self, name: &str) -> usize {
        self.person(name, &[Role::Approver, Role::Requester])
    }

    /// Enrols a first key. Gives the entry's seq.
    pub fn join(&mut self, who: usize) -> u64 {
        let invitation = labelled("invitation", &[&self.players[who].token]);
        self.enrol(who, Some(invitation), None, |_| {})
    }

    /// Enrols a further key, admitted by the person's key of that index.
    pub fn add_key(&mut self, who: usize, admitted_by: usize) -> u64 {
        self.enrol(who, None, Some(admitted_by), |_| {})
    }

    /// Enrols a key, after changing what its statement says.
    pub fn enrol(
        &mut self,
        who: usize,
        invitation: Option<Hash>,
        admitted_by: Option<usize>,
        change: impl FnOnce(&mut Enrol),
    ) -> u64 {
        let key = SoftKey::new();
        let authenticator = AuthenticatorId::from_uuid_bytes(self.uuid());
        let registration = Registration {
            attestation_object: random::<16>().to_vec(),
            client_data_json: b"{\"type\":\"webauthn.create\"}".to_vec(),
        };
        let player = &self.players[who];
        let mut enrol = Enrol {
            aaguid: [7; 16],
            authenticator,
            credential_id: key.credential_id.clone(),
            invitation,
            name: player.name.clone(),
            public_key: key.public_key(),
            registration_sha256: registration.hash(),
            share_key: Some(key.share_key()),
            user: player.user,
        };
        change(&mut enrol);
        let statement = Statement {
            ledger: self.ledger(),
            nonce: random(),
            signer: Some(player.user),
            kind: Kind::Enrol(enrol),
        };
        let mut data = signed_data(authenticator, &statement, &key.touch(statement.challenge()));
        let registration = obj([
            ("attestation_object", b64(&registration.attestation_object)),
            ("client_data_json", b64(&registration.client_data_json)),
        ]);
        data.insert("registration".into(), registration);
        if let Some(index) = admitted_by {
            let by = player.keys[index];
            let admission = obj([
                (
                    "assertion",
                    assertion_value(&self.keys[&by].touch(statement.challenge())),
                ),
                ("authenticator", text(by)),
            ]);
            data.insert("admission".into(), admission);
        }
        let actor = player.user.to_string();
        self.players[who].keys.push(authenticator);
        self.keys.insert(authenticator, Arc::new(key));
        self.append(&actor, "authenticator.enrolled", Value::Obj(data))
    }

    // Writing.

    /// Writes an entry, one second after the last.
    pub fn append(&mut self, actor: &str, event: &str, data: Value) -> u64 {
        self.time += SECOND;
        let seq = self.size();
        let entry = obj([
            ("actor", text(actor)),
            ("data", data),
            ("event", text(event)),
            (
                "prev",
                text(self.leaves.last().copied().unwrap_or(Hash::ZERO)),
            ),
            ("seq", int(seq)),
            ("time", Value::Int(self.time)),
            ("v", Value::Int(1)),
        ]);
        let bytes = json::encode(&entry);
        self.leaves.push(hash::leaf(&bytes));
        self.entries.push(bytes);
        seq
    }

    pub fn statement(&self, signer: usize, kind: Kind) -> Statement {
        Statement {
            ledger: self.ledger(),
            nonce: random(),
            signer: Some(self.players[signer].user),
            kind,
        }
    }

    /// Signs with the person's key of that index and writes.
    pub fn sign(&mut self, signer: usize, key: usize, event: &str, kind: Kind) -> u64 {
        let statement = self.statement(signer, kind);
        self.sign_statement(signer, key, event, &statement)
    }

    pub fn sign_statement(
        &mut self,
        signer: usize,
        key: usize,
        event: &str,
        statement: &Statement,
    ) -> u64 {
        let id = self.players[signer].keys[key];
        let touch = self.keys[&id].touch(statement.challenge());
        let data = Value::Obj(signed_data(id, statement, &touch));
        let actor = self.players[signer].user.to_string();
        self.append(&actor, event, data)
    }

    // Safes and rosters.

    /// A roster of those people with all their keys.
    pub fn new_roster(&self, epoch: u64, m: u64, people: &[usize]) -> NewRoster {
        NewRoster {
            approvers: people
                .iter()
                .map(|who| NewApprover {
                    authenticators: self.players[*who].keys.clone(),
                    name: self.players[*who].name.clone(),
                    user: self.players[*who].user,
                })
                .collect(),
            denials: 2,
            drill: false,
            epoch,
            grant_life_s: 3600,
            m,
            name: "Production databases".into(),
            request_life_s: 4 * 3600,
        }
    }

    pub fn roster_request(
        &mut self,
        requester: usize,
        safe: SafeId,
        roster: Hash,
        new: NewRoster,
    ) -> Request {
        Request {
            expires: self.time + 7 * DAY,
            reason_commitment: labelled("reason", &[&random::<32>(), b"because"]),
            request: self.request_id(),
            requester_name: self.players[requester].name.clone(),
            roster,
            safe,
            ticket: None,
            purpose: Purpose::Roster(RosterPurpose { new }),
        }
    }

    /// Files a request with the person's first key.
    pub fn file(&mut self, requester: usize, request: Request) -> Filing {
        let statement = self.statement(requester, Kind::Request(Box::new(request.clone())));
        let seq = self.sign_statement(requester, 0, "request.filed", &statement);
        Filing {
            seq,
            leaf: self.leaves[seq as usize],
            subject: statement.to_value(),
            request,
        }
    }

    pub fn decide(&mut self, who: usize, key: usize, filing: &Filing, decision: Decision) -> u64 {
        let event = match decision {
            Decision::Approve => "request.approved",
            Decision::Deny => "request.denied",
        };
        let approval = Approval {
            decision,
            entry: filing.leaf,
            subject: filing.subject.clone(),
        };
        self.sign(who, key, event, Kind::Approval(approval))
    }

    pub fn accept(&mut self, who: usize, key: usize, filing: &Filing) -> u64 {
        let acceptance = Acceptance {
            authenticator: self.players[who].keys[key],
            entry: filing.leaf,
            subject: filing.subject.clone(),
        };
        self.sign(who, key, "request.accepted", Kind::Acceptance(acceptance))
    }

    /// Accepts with every key that the request names.
    pub fn accept_all(&mut self, filing: &Filing) -> Vec<u64> {
        let Purpose::Roster(RosterPurpose { new }) = &filing.request.purpose else {
            panic!("no roster request")
        };
        let mut seqs = Vec::new();
        for approver in new.approvers.clone() {
            let who = self
                .players
                .iter()
                .position(|p| p.user == approver.user)
                .unwrap();
            for id in approver.authenticators {
                let key = self.players[who]
                    .keys
                    .iter()
                    .position(|key| *key == id)
                    .unwrap();
                seqs.push(self.accept(who, key, filing));
            }
        }
        seqs
    }

    pub fn set_roster(&mut self, filing: &Filing, approvals: &[u64], acceptances: &[u64]) -> u64 {
        let new = filing.subject.as_object().unwrap()["new"].clone();
        let data = obj([
            ("acceptances", ints(acceptances)),
            ("approvals", ints(approvals)),
            ("new", new),
            ("request", text(filing.request.request)),
            ("safe", text(filing.request.safe)),
        ]);
        self.append("system", "roster.set", data)
    }

    /// Founds a safe, from request to `roster.set`, whose seq it gives.
    pub fn found_safe(&mut self, safe: SafeId, new: NewRoster) -> u64 {
        let request = self.roster_request(CUSTODIAN, safe, Hash::ZERO, new);
        let filing = self.file(CUSTODIAN, request);
        let acceptances = self.accept_all(&filing);
        self.set_roster(&filing, &[], &acceptances)
    }

    /// Changes a safe's roster, approved by those people with their first keys and accepted by every key named.
    pub fn change_roster(&mut self, safe: SafeId, by: &[usize], new: NewRoster) -> u64 {
        let roster = self.last_roster();
        let request = self.roster_request(CUSTODIAN, safe, roster, new);
        let filing = self.file(CUSTODIAN, request);
        let approvals: Vec<u64> = by
            .iter()
            .map(|who| self.decide(*who, 0, &filing, Decision::Approve))
            .collect();
        let acceptances = self.accept_all(&filing);
        self.set_roster(&filing, &approvals, &acceptances)
    }

    /// The leaf of the newest `roster.set`.
    pub fn last_roster(&self) -> Hash {
        let at = self
            .entries
            .iter()
            .rposition(|entry| is_event(entry, "roster.set"))
            .unwrap();
        self.leaves[at]
    }

    // Proofs.

    pub fn verifier_key(&self) -> String {
        verifier_key(LEDGER_NAME, &self.checkpoint_key)
    }

    /// Signs a note's text with the checkpoint key.
    pub fn sign_note(&self, body: &str) -> String {
        format!(
            "{body}\n{}",
            signature_line(LEDGER_NAME, &self.checkpoint_key, body)
        )
    }

    /// The text of the checkpoint of that size.
    pub fn body_at(&self, size: u64) -> String {
        let root = tree(&self.leaves[..size as usize]).root();
        format!("{LEDGER_NAME}\n{size}\n{}\n", STANDARD.encode(root.0))
    }

    pub fn note(&self) -> String {
        self.note_at(self.size())
    }

    pub fn note_at(&self, size: u64) -> String {
        self.sign_note(&self.body_at(size))
    }

    pub fn anchor_at(&self, size: u64) -> Anchor {
        let root = tree(&self.leaves[..size as usize]).root();
        Anchor { size, root }
    }

    pub fn proved(&self, seq: u64) -> Proved {
        self.proved_at(seq, self.size())
    }

    /// Proved under the tree of that size.
    pub fn proved_at(&self, seq: u64, size: u64) -> Proved {
        Proved {
            seq,
            entry: self.entries[seq as usize].clone(),
            proof: tree(&self.leaves[..size as usize]).inclusion(seq),
        }
    }

    pub fn consistency(&self, from: u64) -> Vec<Hash> {
        tree(&self.leaves).consistency(from)
    }

    pub fn trust(&self) -> Trust {
        Trust::check(&self.note(), &self.proved(0), self.ledger(), None, &[]).unwrap()
    }

    /// Everything in the ledger that can bear on rosters, sorted into its places.
    pub fn evidence(&self) -> RosterEvidence {
        evidence_of(&self.entries, |seq| self.proved(seq), |_| true)
    }

    pub fn roster(&self) -> VerifiedRoster {
        VerifiedRoster::verify(&self.trust(), &self.evidence()).unwrap()
    }
}

pub fn new_checkpoint_key() -> Arc<Ed25519KeyPair> {
    Arc::new(Ed25519KeyPair::from_seed_unchecked(&random::<32>()).unwrap())
}

fn key_bytes(name: &str, key: &Ed25519KeyPair) -> (Vec<u8>, [u8; 4]) {
    let key = [&[1], key.public_key().as_ref()].concat();
    let id = Sha256::digest([name.as_bytes(), b"\n", &key].concat());
    (key, id[..4].try_into().unwrap())
}

/// C2SP's text of a key: name, id, type and point.
pub fn verifier_key(name: &str, key: &Ed25519KeyPair) -> String {
    let (key, id) = key_bytes(name, key);
    format!("{name}+{}+{}", hex::encode(id), STANDARD.encode(key))
}

/// A signature line of a note, with its line feed.
pub fn signature_line(name: &str, key: &Ed25519KeyPair, body: &str) -> String {
    let (_, id) = key_bytes(name, key);
    let signature = key.sign(body.as_bytes());
    let signature = STANDARD.encode([&id, signature.as_ref()].concat());
    format!("\u{2014} {name} {signature}\n")
}

/// A request in the ledger.
#[derive(Clone)]
pub struct Filing {
    pub seq: u64,
    pub leaf: Hash,
    pub subject: Value,
    pub request: Request,
}

/// A signed event's data.
pub fn signed_data(id: AuthenticatorId, statement: &Statement, touch: &Assertion) -> Object {
    let statement = String::from_utf8(statement.bytes()).unwrap();
    let Value::Obj(data) = obj([
        ("assertion", assertion_value(touch)),
        ("authenticator", text(id)),
        ("statement", text(statement)),
    ]) else {
        unreachable!()
    };
    data
}

pub fn is_event(entry: &[u8], event: &str) -> bool {
    event_of(entry) == event
}

pub fn event_of(entry: &[u8]) -> String {
    let value = json::parse(entry).unwrap();
    value.as_object().unwrap()["event"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Sorts a ledger's entries into the places of a roster's evidence, those that are `handed` over.
pub fn evidence_of(
    entries: &[Vec<u8>],
    proved: impl Fn(u64) -> Proved,
    handed: impl Fn(u64) -> bool,
) -> RosterEvidence {
    let mut evidence = RosterEvidence::default();
    let mut decisions = Vec::new();
    for (seq, entry) in entries.iter().enumerate() {
        let seq = seq as u64;
        if !handed(seq) {
            continue;
        }
        match event_of(entry).as_str() {
            "person.invited" | "person.roles" => evidence.invitations.push(proved(seq)),
            "authenticator.enrolled" => evidence.enrolments.push(proved(seq)),
            "authenticator.revoked"
            | "authenticator.suspended"
            | "authenticator.restored"
            | "authenticator.distrusted" => evidence.revocations.push(proved(seq)),
            "request.filed" | "request.approved" | "request.denied" | "request.accepted"
            | "request.ended" => decisions.push(proved(seq)),
            "roster.set" => {
                // Any place will do: entries are judged by what they are.
                evidence.rosters.push(RosterStep {
                    request: decisions.first().cloned().unwrap_or_else(|| proved(seq)),
                    set: proved(seq),
                    decisions: std::mem::take(&mut decisions),
                });
            }
            _ => {}
        }
    }
    // What follows the last roster, too.
    evidence.revocations.extend(decisions);
    evidence
}

/// A tree over leaves, for roots and proofs.
pub struct Tree {
    stored: Vec<tlog::Hash>,
    size: u64,
}

pub fn tree(leaves: &[Hash]) -> Tree {
    let mut stored: Vec<tlog::Hash> = Vec::new();
    for (n, leaf) in leaves.iter().enumerate() {
        let reader = Stored(&stored);
        let new =
            tlog::stored_hashes_for_record_hash(n as u64, tlog::Hash(leaf.0), &reader).unwrap();
        stored.extend(new);
    }
    Tree {
        stored,
        size: leaves.len() as u64,
    }
}

impl Tree {
    pub fn root(&self) -> Hash {
        Hash(tlog::tree_hash(self.size, &Stored(&self.stored)).unwrap().0)
    }

    pub fn inclusion(&self, seq: u64) -> Vec<Hash> {
        let proof = tlog::prove_record(self.size, seq, &Stored(&self.stored)).unwrap();
        proof.into_iter().map(|hash| Hash(hash.0)).collect()
    }

    pub fn consistency(&self, from: u64) -> Vec<Hash> {
        let proof = tlog::prove_tree(self.size, from, &Stored(&self.stored)).unwrap();
        proof.into_iter().map(|hash| Hash(hash.0)).collect()
    }
}

struct Stored<'a>(&'a [tlog::Hash]);

impl tlog::HashReader for Stored<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        Ok(indexes
            .iter()
            .map(|index| self.0[*index as usize])
            .collect())
    }
}
