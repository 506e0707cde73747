//! Ledgers for tests and benches, true ones and others: software keys, canonical bytes and an export, with nothing borrowed from the verifier.

// Shared with the bench, which uses only some of it.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing
)]

use std::fs;
use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub const NAME: &str = "vitrine.example/ledger";
pub const RP: &str = "vitrine.example";
pub const ORIGIN: &str = "https://vitrine.example";
pub const SECOND: i64 = 1_000_000;
pub const DAY: i64 = 24 * 3600 * SECOND;
pub const ZERO: &str = "0000000000000000000000000000000000000000000000000000000000000000";

pub fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn sha(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

pub fn labelled(thing: &str, content: &[u8]) -> [u8; 32] {
    sha(&[format!("vitrine/{thing}/v1\n").as_bytes(), content])
}

/// Members sorted, nothing between them.
pub fn canon(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut names: Vec<_> = map.keys().collect();
            names.sort();
            let members: Vec<_> = names
                .iter()
                .map(|n| format!("{}:{}", canon(&json!(n)), canon(&map[n.as_str()])))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(canon).collect();
            format!("[{}]", items.join(","))
        }
        other => other.to_string(),
    }
}

/// `over`'s members on top of `base`'s; a `null` takes a member away.
pub fn merge(mut base: Value, over: Value) -> Value {
    for (name, value) in over.as_object().unwrap() {
        let map = base.as_object_mut().unwrap();
        if value.is_null() {
            map.remove(name);
        } else {
            map.insert(name.clone(), value.clone());
        }
    }
    base
}

pub struct CheckpointKey {
    pair: Ed25519KeyPair,
    name: String,
}

impl CheckpointKey {
    pub fn new(name: &str) -> CheckpointKey {
        CheckpointKey {
            pair: Ed25519KeyPair::generate().unwrap(),
            name: name.to_owned(),
        }
    }

    fn typed(&self) -> Vec<u8> {
        [&[1], self.pair.public_key().as_ref()].concat()
    }

    fn id(&self) -> [u8; 4] {
        let hash = sha(&[self.name.as_bytes(), b"\n", &self.typed()]);
        hash[..4].try_into().unwrap()
    }

    pub fn vkey(&self) -> String {
        format!(
            "{}+{}+{}",
            self.name,
            hex::encode(self.id()),
            STANDARD.encode(self.typed())
        )
    }
}

pub fn note(name: &str, size: u64, root: &[u8; 32], keys: &[&CheckpointKey]) -> String {
    note_over(
        &format!("{name}\n{size}\n{}\n", STANDARD.encode(root)),
        keys,
    )
}

pub fn note_over(body: &str, keys: &[&CheckpointKey]) -> String {
    let mut out = format!("{body}\n");
    for key in keys {
        let signature = key.pair.sign(body.as_bytes());
        let code = STANDARD.encode([&key.id()[..], signature.as_ref()].concat());
        out.push_str(&format!("\u{2014} {} {code}\n", key.name));
    }
    out
}

pub fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves.len() {
        0 => sha(&[]),
        1 => leaves[0],
        n => {
            let k = 1 << (n - 1).ilog2();
            sha(&[&[1], &root(&leaves[..k]), &root(&leaves[k..])])
        }
    }
}

pub struct SoftKey {
    pub authenticator: String,
    pub public: Vec<u8>,
    pub counter: u32,
    pair: EcdsaKeyPair,
}

impl SoftKey {
    pub fn new(authenticator: String) -> SoftKey {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        SoftKey {
            authenticator,
            public: pair.public_key().as_ref().to_vec(),
            counter: 0,
            pair,
        }
    }
}

pub struct Person {
    pub user: String,
    pub name: String,
    pub invitation: String,
    pub keys: Vec<SoftKey>,
}

/// A filed request, and what decisions on it say.
#[derive(Clone)]
pub struct Filed {
    pub id: String,
    pub safe: String,
    pub leaf: String,
    pub statement: Value,
}

#[derive(Clone)]
pub struct Safe {
    pub id: String,
    pub roster: String,
    pub epoch: i64,
    pub new: Value,
}

#[derive(Clone)]
pub struct Sealed {
    pub credential: String,
    pub version: i64,
    pub envelope: String,
    pub safe: Safe,
}

type Twist<T> = Option<fn(T) -> T>;

/// A ledger that is being written.
pub struct Ledger {
    pub lines: Vec<String>,
    pub leaves: Vec<[u8; 32]>,
    pub time: i64,
    /// What the next entry's time adds.
    pub step: i64,
    pub name: String,
    pub people: Vec<Person>,
    pub checkpoint_keys: Vec<CheckpointKey>,
    /// Notes of `checkpoints.jsonl`.
    pub notes: Vec<String>,
    ids: u32,
    /// Done to the next assertion: its client data, its authenticator data, its signature.
    pub twist_client: Twist<String>,
    pub twist_data: Twist<Vec<u8>>,
    pub twist_signature: Twist<Vec<u8>>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

impl Ledger {
    /// Entry 0 alone.
    pub fn founded_with(over: Value) -> Ledger {
        let mut ledger = Ledger {
            lines: Vec::new(),
            leaves: Vec::new(),
            time: 1_700_000_000 * SECOND,
            step: SECOND,
            name: NAME.to_owned(),
            people: Vec::new(),
            checkpoint_keys: vec![CheckpointKey::new(NAME), CheckpointKey::new(NAME)],
            notes: Vec::new(),
            ids: 0,
            twist_client: None,
            twist_data: None,
            twist_signature: None,
        };
        let keys: Vec<_> = ledger
            .checkpoint_keys
            .iter()
            .map(CheckpointKey::vkey)
            .collect();
        ledger.tell(
            "ledger.founded",
            merge(
                json!({"checkpoint_keys": keys, "name": NAME, "origins": [ORIGIN], "rp_id": RP}),
                over,
            ),
        );
        ledger
    }

    /// The founding and a first custodian (person 0) with one key.
    pub fn new() -> Ledger {
        let mut ledger = Self::founded_with(json!({}));
        let first = ledger.first_invitation(json!({}));
        ledger.tell("person.invited", first);
        ledger.enrol(0, json!({}));
        ledger
    }

    /// `data` of entry 1, whose person is put down as person 0.
    pub fn first_invitation(&mut self, over: Value) -> Value {
        let user = self.id();
        let invitation = hex::encode(labelled("invitation", user.as_bytes()));
        self.people.push(Person {
            user: user.clone(),
            name: "Custo".to_owned(),
            invitation: invitation.clone(),
            keys: Vec::new(),
        });
        merge(
            json!({"kind": "invite", "ledger": self.ledger(), "nonce": self.nonce(), "v": 1, "expires": self.time + DAY,
                "invitation": invitation, "name": "Custo", "roles": ["custodian", "requester"], "user": user}),
            over,
        )
    }

    pub fn id(&mut self) -> String {
        self.ids += 1;
        format!(
            "0190{:04x}-0000-7000-8000-{:012x}",
            self.ids >> 16,
            self.ids
        )
    }

    pub fn nonce(&mut self) -> String {
        self.ids += 1;
        b64(&labelled("test-nonce", &self.ids.to_be_bytes()))
    }

    pub fn hash(&mut self) -> String {
        self.ids += 1;
        hex::encode(labelled("test-hash", &self.ids.to_be_bytes()))
    }

    pub fn ledger(&self) -> String {
        self.leaves.first().map_or(ZERO.to_owned(), hex::encode)
    }

    pub fn founded(&self) -> [u8; 32] {
        self.leaves[0]
    }

    pub fn leaf(&self) -> String {
        self.leaves.last().map_or(ZERO.to_owned(), hex::encode)
    }

    pub fn seq(&self) -> usize {
        self.leaves.len()
    }

    /// Any line at all.
    pub fn push_line(&mut self, line: String) -> usize {
        self.leaves.push(sha(&[&[0], line.as_bytes()]));
        self.lines.push(line);
        self.leaves.len() - 1
    }

    /// The next entry, whatever it says.
    pub fn push(&mut self, actor: &str, event: &str, data: Value, over: Value) -> usize {
        if !self.leaves.is_empty() {
            self.time += self.step;
        }
        let entry = json!({"actor": actor, "data": data, "event": event, "prev": self.leaf(), "seq": self.seq(), "time": self.time, "v": 1});
        self.push_line(canon(&merge(entry, over)))
    }

    pub fn tell(&mut self, event: &str, data: Value) -> usize {
        self.push("system", event, data, json!({}))
    }

    pub fn tick(&mut self) -> usize {
        self.tell("clock.ticked", json!({}))
    }

    /// An assertion by a key over a statement's canonical bytes.
    pub fn assertion(&mut self, person: usize, key: usize, statement: &str) -> Value {
        let challenge = b64(&labelled("statement", statement.as_bytes()));
        let mut client = format!(
            r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"{ORIGIN}","crossOrigin":false}}"#
        );
        if let Some(twist) = self.twist_client.take() {
            client = twist(client);
        }
        let key = &mut self.people[person].keys[key];
        key.counter += 1;
        let mut data = [
            &sha(&[RP.as_bytes()])[..],
            &[0x05],
            &key.counter.to_be_bytes(),
        ]
        .concat();
        if let Some(twist) = self.twist_data.take() {
            data = twist(data);
        }
        let message = [&data[..], &sha(&[client.as_bytes()])].concat();
        let signature = key.pair.sign(&SystemRandom::new(), &message).unwrap();
        let mut signature = signature.as_ref().to_vec();
        if let Some(twist) = self.twist_signature.take() {
            signature = twist(signature);
        }
        json!({"authenticator_data": b64(&data), "client_data_json": b64(client.as_bytes()), "signature": b64(&signature)})
    }

    /// A statement with its common members.
    pub fn statement(&mut self, kind: &str, person: usize, members: Value) -> Value {
        let base = json!({"kind": kind, "ledger": self.ledger(), "nonce": self.nonce(), "signer": self.people[person].user, "v": 1});
        merge(base, members)
    }

    pub fn sign_by(
        &mut self,
        event: &str,
        kind: &str,
        (person, key): (usize, usize),
        members: Value,
        over: Value,
    ) -> usize {
        let statement = canon(&self.statement(kind, person, members));
        let data = self.signed(person, key, &statement);
        let actor = self.people[person].user.clone();
        self.push(&actor, event, merge(data, over), json!({}))
    }

    /// `data` of a signed event over that very text.
    pub fn signed(&mut self, person: usize, key: usize, statement: &str) -> Value {
        let assertion = self.assertion(person, key, statement);
        json!({"assertion": assertion, "authenticator": self.people[person].keys[key].authenticator, "statement": statement})
    }

    pub fn sign(&mut self, event: &str, kind: &str, person: usize, members: Value) -> usize {
        self.sign_by(event, kind, (person, 0), members, json!({}))
    }

    /// Invites somebody and leaves it at that.
    pub fn invite(&mut self, name: &str, roles: &[&str], over: Value) -> usize {
        let user = self.id();
        let invitation = hex::encode(labelled("invitation", user.as_bytes()));
        let members = merge(
            json!({"expires": self.time + DAY, "invitation": invitation, "name": name, "roles": roles, "user": user}),
            over,
        );
        self.people.push(Person {
            user: members["user"].as_str().unwrap_or_default().to_owned(),
            name: members["name"].as_str().unwrap_or_default().to_owned(),
            invitation: members["invitation"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            keys: Vec::new(),
        });
        self.sign("person.invited", "invite", 0, members);
        self.people.len() - 1
    }

    /// Enrols the next key of a person: a first one by invitation, a further one admitted by the first.
    pub fn enrol(&mut self, person: usize, over: Value) -> usize {
        self.enrol_with(person, over, json!({}))
    }

    pub fn enrol_with(&mut self, person: usize, over: Value, data_over: Value) -> usize {
        let authenticator = self.id();
        let key = SoftKey::new(authenticator.clone());
        let share = sha(&[b"share", &key.public]);
        let registration =
            json!({"attestation_object": b64(&key.public), "client_data_json": b64(b"{}")});
        let further = !self.people[person].keys.is_empty();
        let mut members = json!({"aaguid": b64(&[7; 16]), "authenticator": authenticator, "credential_id": b64(&sha(&[b"id", &key.public])),
            "name": self.people[person].name, "public_key": b64(&key.public), "share_key": b64(&share),
            "registration_sha256": hex::encode(labelled("registration", canon(&registration).as_bytes())), "user": self.people[person].user});
        if !further {
            members["invitation"] = json!(self.people[person].invitation);
        }
        self.people[person].keys.push(key);
        let place = self.people[person].keys.len() - 1;
        let statement = canon(&self.statement("enrol", person, merge(members, over)));
        let mut data = merge(
            self.signed(person, place, &statement),
            json!({"registration": registration}),
        );
        if further {
            let assertion = self.assertion(person, 0, &statement);
            data["admission"] = json!({"assertion": assertion, "authenticator": self.people[person].keys[0].authenticator});
        }
        let actor = self.people[person].user.clone();
        self.push(
            &actor,
            "authenticator.enrolled",
            merge(data, data_over),
            json!({}),
        );
        place
    }

    /// Somebody with those roles and one key.
    pub fn join(&mut self, name: &str, roles: &[&str]) -> usize {
        let person = self.invite(name, roles, json!({}));
        self.enrol(person, json!({}));
        person
    }

    pub fn file(&mut self, person: usize, purpose: &str, safe: &Safe, members: Value) -> Filed {
        let id = self.id();
        let commitment = self.hash();
        let base = json!({"expires": self.time + 3600 * SECOND, "purpose": purpose, "reason_commitment": commitment, "request": id,
            "requester_name": self.people[person].name, "roster": safe.roster, "safe": safe.id});
        let statement = self.statement("request", person, merge(base, members));
        let text = canon(&statement);
        let data = self.signed(person, 0, &text);
        let actor = self.people[person].user.clone();
        self.push(&actor, "request.filed", data, json!({}));
        Filed {
            id: statement["request"].as_str().unwrap_or_default().to_owned(),
            safe: safe.id.clone(),
            leaf: self.leaf(),
            statement,
        }
    }

    pub fn approve(&mut self, filed: &Filed, person: usize) -> usize {
        self.decide(filed, person, "approve", json!({}))
    }

    pub fn deny(&mut self, filed: &Filed, person: usize) -> usize {
        self.decide(filed, person, "deny", json!({}))
    }

    pub fn decide(&mut self, filed: &Filed, person: usize, decision: &str, over: Value) -> usize {
        let event = if decision == "deny" {
            "request.denied"
        } else {
            "request.approved"
        };
        let members =
            json!({"decision": decision, "entry": filed.leaf, "subject": filed.statement});
        self.sign(event, "approval", person, merge(members, over))
    }

    pub fn accept(&mut self, filed: &Filed, (person, key): (usize, usize)) -> usize {
        let authenticator = &self.people[person].keys[key].authenticator;
        let members = json!({"authenticator": authenticator, "entry": filed.leaf, "subject": filed.statement});
        self.sign_by(
            "request.accepted",
            "acceptance",
            (person, key),
            members,
            json!({}),
        )
    }

    /// A `new` with the first keys of these people.
    pub fn roster(&self, m: i64, epoch: i64, people: &[usize]) -> Value {
        let approvers: Vec<_> = people
            .iter()
            .map(|p| &self.people[*p])
            .map(|p| json!({"authenticators": [p.keys[0].authenticator], "name": p.name, "user": p.user}))
            .collect();
        json!({"approvers": approvers, "denials": 1, "drill": false, "epoch": epoch, "grant_life_s": 3600, "m": m,
            "name": "Root accounts", "request_life_s": 3600})
    }

    pub fn no_safe(&mut self) -> Safe {
        Safe {
            id: self.id(),
            roster: ZERO.to_owned(),
            epoch: 0,
            new: json!({}),
        }
    }

    /// Files and accepts a founding, and leaves it at that.
    pub fn founding(&mut self, new: Value, people: &[usize]) -> (Filed, Vec<usize>, Safe) {
        let mut safe = self.no_safe();
        safe.new = new.clone();
        safe.epoch = 1;
        let filed = self.file(0, "roster", &safe, json!({"new": new}));
        let acceptances = people
            .iter()
            .map(|p| self.accept(&filed, (*p, 0)))
            .collect();
        (filed, acceptances, safe)
    }

    pub fn roster_set(
        &mut self,
        filed: &Filed,
        acceptances: &[usize],
        approvals: &[usize],
        over: Value,
    ) -> usize {
        let data = json!({"acceptances": acceptances, "approvals": approvals, "new": filed.statement["new"], "request": filed.id, "safe": filed.safe});
        self.tell("roster.set", merge(data, over))
    }

    pub fn found_safe(&mut self, m: i64, people: &[usize]) -> Safe {
        let new = self.roster(m, 1, people);
        let (filed, acceptances, mut safe) = self.founding(new, people);
        self.roster_set(&filed, &acceptances, &[], json!({}));
        safe.roster = self.leaf();
        safe
    }

    /// The next epoch of a safe, approved by `by`, with everybody's first keys.
    pub fn next_epoch(&mut self, safe: &Safe, m: i64, people: &[usize], by: &[usize]) -> Safe {
        let new = self.roster(m, safe.epoch + 1, people);
        let filed = self.file(0, "roster", safe, json!({"new": new}));
        let approvals: Vec<_> = by.iter().map(|p| self.approve(&filed, *p)).collect();
        let acceptances: Vec<_> = people
            .iter()
            .map(|p| self.accept(&filed, (*p, 0)))
            .collect();
        self.roster_set(&filed, &acceptances, &approvals, json!({}));
        Safe {
            id: safe.id.clone(),
            roster: self.leaf(),
            epoch: safe.epoch + 1,
            new,
        }
    }

    /// All keys that a safe's roster names.
    pub fn sealed_to(safe: &Safe) -> Vec<Value> {
        let approvers = safe.new["approvers"].as_array().unwrap();
        let keys = approvers
            .iter()
            .map(|a| a["authenticators"].as_array().unwrap());
        keys.flatten().cloned().collect()
    }

    pub fn seal(&mut self, safe: &Safe, credential: &str, version: i64, over: Value) -> Sealed {
        let envelope = self.hash();
        let commitment = self.hash();
        let data = json!({"authenticators": Self::sealed_to(safe), "credential": credential, "envelope": envelope, "epoch": safe.epoch,
            "key_commitment": commitment, "origin": "generated", "roster": safe.roster, "safe": safe.id, "version": version});
        self.tell("version.sealed", merge(data, over));
        Sealed {
            credential: credential.to_owned(),
            version,
            envelope,
            safe: safe.clone(),
        }
    }

    pub fn ask_release(&mut self, person: usize, sealed: &Sealed, over: Value) -> Filed {
        let members = json!({"credential": sealed.credential, "delivery_key": b64(&[9; 32]), "duration_s": 900, "envelope": sealed.envelope,
            "epoch": sealed.safe.epoch, "open_within_s": 600, "sealed_as": {"kind": "password", "name": "postgres"}, "version": sealed.version});
        self.file(person, "release", &sealed.safe, merge(members, over))
    }

    pub fn open(
        &mut self,
        person: usize,
        sealed: &Sealed,
        filed: &Filed,
        approvals: &[usize],
        over: Value,
    ) -> usize {
        let data = json!({"approvals": approvals, "credential": sealed.credential, "envelope": sealed.envelope, "epoch": sealed.safe.epoch,
            "request": filed.id, "requester": self.people[person].user, "roster": sealed.safe.roster, "safe": sealed.safe.id, "version": sealed.version});
        self.tell("release.opened", merge(data, over))
    }

    pub fn close(&mut self, filed: &Filed, why: &str) -> usize {
        self.tell("release.closed", json!({"request": filed.id, "why": why}))
    }

    /// The acting entry of a `target`, `role`, `destroy` or `reseal`: the purpose's members as they were filed.
    pub fn act(
        &mut self,
        event: &str,
        filed: &Filed,
        approvals: &[usize],
        names: &[&str],
        over: Value,
    ) -> usize {
        let mut data = json!({"approvals": approvals, "request": filed.id, "safe": filed.safe});
        for name in names {
            data[*name] = filed.statement[*name].clone();
        }
        self.tell(event, merge(data, over))
    }

    pub fn rotation(
        &mut self,
        step: &str,
        rotation: &str,
        credential: &str,
        version: i64,
    ) -> usize {
        self.tell(
            &format!("rotation.{step}"),
            json!({"credential": credential, "observed": "v7", "rotation": rotation, "version": version}),
        )
    }

    pub fn checkpoint(&self) -> String {
        let keys: Vec<_> = self.checkpoint_keys.iter().take(1).collect();
        note(&self.name, self.seq() as u64, &root(&self.leaves), &keys)
    }

    /// Puts a checkpoint of the present size down for `checkpoints.jsonl`.
    pub fn keep(&mut self) {
        let note = self.checkpoint();
        self.notes.push(note);
    }

    pub fn note_lines(&self) -> String {
        let line = |note: &String| format!("{}\n", canon(&json!({"note": note})));
        self.notes.iter().map(line).collect()
    }

    /// Writes the export.
    pub fn export(&self, dir: &Path) {
        let entries: String = self.lines.iter().flat_map(|l| [l, "\n"]).collect();
        fs::write(dir.join("entries.jsonl"), entries).unwrap();
        fs::write(dir.join("checkpoints.jsonl"), self.note_lines()).unwrap();
        fs::write(dir.join("checkpoint"), self.checkpoint()).unwrap();
    }
}
