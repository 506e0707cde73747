//! The data of events. Members are named as in FORMATS.md 3 and 4; times are microseconds since 1970 UTC.

use crate::checkpoint::VerifierKey;
use crate::{Hash, Id};

/// A WebAuthn assertion: raw bytes as they came.
#[derive(Debug, Clone)]
pub struct Assertion {
    /// Authenticator data.
    pub authenticator_data: Vec<u8>,
    /// The client data's JSON.
    pub client_data_json: Vec<u8>,
    /// The ES256 signature, DER.
    pub signature: Vec<u8>,
}

/// What a signed event carries: which key, over which canonical statement.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The key that was touched.
    pub authenticator: Id,
    /// The statement's canonical bytes.
    pub statement: Vec<u8>,
    /// The signature over their hash.
    pub assertion: Assertion,
}

/// `ledger.founded`.
#[derive(Debug, Clone)]
pub struct Founding {
    /// 1 to 3 keys, each named `name`.
    pub checkpoint_keys: Vec<VerifierKey>,
    /// After a restore: the ledger that this one continues.
    pub continues: Option<Continues>,
    /// The origin line of checkpoints: no spaces, no `+`.
    pub name: String,
    /// Web origins where people may sign.
    pub origins: Vec<String>,
    /// WebAuthn relying party id.
    pub rp_id: String,
}

/// The ledger that a new one continues after a restore.
#[derive(Debug, Clone)]
pub struct Continues {
    /// Root of its last checkpoint.
    pub checkpoint: Hash,
    /// Its name: the leaf of its entry 0.
    pub ledger: Hash,
    /// Its size at that checkpoint, in entries.
    pub size: u64,
}

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "DESIGN.md 3 defines the words")]
pub enum Role {
    Requester,
    Approver,
    Custodian,
    Auditor,
    Operator,
}

impl Role {
    /// The word in the entry.
    pub fn word(self) -> &'static str {
        match self {
            Role::Requester => "requester",
            Role::Approver => "approver",
            Role::Custodian => "custodian",
            Role::Auditor => "auditor",
            Role::Operator => "operator",
        }
    }
}

/// `person.invited` of entry 1: the `invite` statement as an object, without `signer`.
#[derive(Debug, Clone)]
pub struct FirstInvitation {
    /// When the invitation ends.
    pub expires: i64,
    /// `H("invitation", token)`.
    pub invitation: Hash,
    /// The leaf of entry 0.
    pub ledger: Hash,
    /// The person's name.
    pub name: String,
    /// Drawn by the program.
    pub nonce: [u8; 32],
    /// Must have [`Role::Custodian`]: the first person is one.
    pub roles: Vec<Role>,
    /// The person's id.
    pub user: Id,
}

/// `authenticator.enrolled`.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// `enrol`, signed by the new key.
    pub signed: Signed,
    /// What `create()` gave.
    pub registration: Registration,
    /// For a further key: the same statement signed by another live key of that user.
    pub admission: Option<Admission>,
}

/// What `create()` gave: raw bytes.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The attestation object, CBOR.
    pub attestation_object: Vec<u8>,
    /// The client data's JSON.
    pub client_data_json: Vec<u8>,
}

/// The key that lets a further one in.
#[derive(Debug, Clone)]
pub struct Admission {
    /// Its signature over the `enrol` statement.
    pub assertion: Assertion,
    /// Which key it is.
    pub authenticator: Id,
}

/// Why a request ended without being spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of FORMATS.md 3")]
pub enum Ended {
    Withdrawn,
    Expired,
    Denied,
    Superseded,
    Restored,
}

impl Ended {
    /// The word in the entry.
    pub fn word(self) -> &'static str {
        match self {
            Ended::Withdrawn => "withdrawn",
            Ended::Expired => "expired",
            Ended::Denied => "denied",
            Ended::Superseded => "superseded",
            Ended::Restored => "restored",
        }
    }
}

/// Why a release ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of FORMATS.md 3")]
pub enum Closed {
    CheckedIn,
    Expired,
}

impl Closed {
    /// The word in the entry.
    pub fn word(self) -> &'static str {
        match self {
            Closed::CheckedIn => "checked_in",
            Closed::Expired => "expired",
        }
    }
}

/// A roster as a request asks for it and `roster.set` sets it.
#[derive(Debug, Clone)]
pub struct NewRoster {
    /// In order: an approver's place, from 1, is the x of the share.
    pub approvers: Vec<NewApprover>,
    /// How many denials end a request.
    pub denials: u64,
    /// Whether the safe is for drills; never changes.
    pub drill: bool,
    /// From 1, one more at each change.
    pub epoch: u64,
    /// Longest access or release, in seconds.
    pub grant_life_s: u64,
    /// Approvals needed.
    pub m: u64,
    /// The safe's name.
    pub name: String,
    /// Longest life of a request, in seconds.
    pub request_life_s: u64,
}

/// One person on a roster.
#[derive(Debug, Clone)]
pub struct NewApprover {
    /// The keys that shares are sealed to; one or more.
    pub authenticators: Vec<Id>,
    /// The person's name.
    pub name: String,
    /// The person.
    pub user: Id,
}

/// `roster.set`.
#[derive(Debug, Clone)]
pub struct RosterSet {
    /// Sequence numbers of the acceptances, ascending.
    pub acceptances: Vec<u64>,
    /// Sequence numbers of the approvals, ascending; none at epoch 1.
    pub approvals: Vec<u64>,
    /// The roster.
    pub new: NewRoster,
    /// The request that it spends.
    pub request: Id,
    /// The safe.
    pub safe: Id,
}

/// `target.set`.
#[derive(Debug, Clone)]
pub struct TargetSet {
    /// Name of the account at the target.
    pub account: String,
    /// Where the target is, as the connector reads it.
    pub address: String,
    /// Sequence numbers of the approvals, ascending.
    pub approvals: Vec<u64>,
    /// The kind of target.
    pub connector: String,
    /// The credential that is bound to the account.
    pub credential: Id,
    /// The target's key: `sha256:` and 64 digits, `unix`, or `ssh:SHA256:` and 43 characters.
    pub pin: String,
    /// The request that it spends.
    pub request: Id,
    /// The safe.
    pub safe: Id,
    /// The target.
    pub target: Id,
}

/// `role.set`.
#[derive(Debug, Clone)]
pub struct RoleSet {
    /// Hash of the template that gives the access.
    pub access: Hash,
    /// Sequence numbers of the approvals, ascending.
    pub approvals: Vec<u64>,
    /// Longest grant, in seconds.
    pub max_s: u64,
    /// The role's name.
    pub name: String,
    /// Approvals that a grant needs, from 0.
    pub needed: u64,
    /// Leaf of the last `role.set` of this (safe, target, name), else zeros.
    pub previous: Hash,
    /// The request that it spends.
    pub request: Id,
    /// The safe.
    pub safe: Id,
    /// The target.
    pub target: Id,
    /// When it may be asked for.
    pub windows: Vec<String>,
}

/// One version of one credential, by its envelope.
#[derive(Debug, Clone)]
pub struct VersionRef {
    /// The credential.
    pub credential: Id,
    /// Hash of the envelope.
    pub envelope: Hash,
    /// The version, from 1.
    pub version: u64,
}

/// `version.destroyed`.
#[derive(Debug, Clone)]
pub struct VersionsAct {
    /// Sequence numbers of the approvals, ascending.
    pub approvals: Vec<u64>,
    /// The request that it spends.
    pub request: Id,
    /// The safe.
    pub safe: Id,
    /// Which versions; one or more.
    pub versions: Vec<VersionRef>,
}

/// `reseal.opened`.
#[derive(Debug, Clone)]
pub struct ResealOpened {
    /// Sequence numbers of the approvals, ascending.
    pub approvals: Vec<u64>,
    /// X25519 key of the node that seals again.
    pub delivery_key: [u8; 32],
    /// The request that it spends.
    pub request: Id,
    /// The safe.
    pub safe: Id,
    /// Which versions; one or more.
    pub versions: Vec<VersionRef>,
}

/// Where a version's value came from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// Made by Vitrine.
    Generated,
    /// Brought by a custodian, who signed an `import` statement.
    Imported(Signed),
    /// Opened by a `reseal` and sealed again.
    Resealed,
}

impl Origin {
    /// The word in the entry.
    pub fn word(&self) -> &'static str {
        match self {
            Origin::Generated => "generated",
            Origin::Imported(_) => "imported",
            Origin::Resealed => "resealed",
        }
    }
}

/// `version.sealed`.
#[derive(Debug, Clone)]
pub struct VersionSealed {
    /// The keys that shares were sealed to; one or more of each approver.
    pub authenticators: Vec<Id>,
    /// The credential.
    pub credential: Id,
    /// Hash of the envelope.
    pub envelope: Hash,
    /// The roster's epoch.
    pub epoch: u64,
    /// Commitment to the key, as in the envelope.
    pub key_commitment: Hash,
    /// Where the value came from.
    pub origin: Origin,
    /// Leaf of the `roster.set` in force.
    pub roster: Hash,
    /// The safe.
    pub safe: Id,
    /// The version, from 1.
    pub version: u64,
}

/// `release.opened`.
#[derive(Debug, Clone)]
pub struct ReleaseOpened {
    /// Sequence numbers of the approvals, ascending.
    pub approvals: Vec<u64>,
    /// The credential.
    pub credential: Id,
    /// Hash of the envelope.
    pub envelope: Hash,
    /// The roster's epoch.
    pub epoch: u64,
    /// The request that it spends.
    pub request: Id,
    /// Who asked.
    pub requester: Id,
    /// The named roster.
    pub roster: Hash,
    /// The safe.
    pub safe: Id,
    /// The version.
    pub version: u64,
}

/// `grant.started`.
#[derive(Debug, Clone)]
pub struct GrantStarted {
    /// Sequence numbers of the approvals, ascending.
    pub approvals: Vec<u64>,
    /// The grant.
    pub grant: Id,
    /// The request that it spends.
    pub request: Id,
    /// The target.
    pub target: Id,
    /// When it ends.
    pub until: i64,
}

/// `rotation.*`.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The credential.
    pub credential: Id,
    /// What was seen at the target, in words.
    pub observed: String,
    /// The rotation.
    pub rotation: Id,
    /// The version being brought in.
    pub version: u64,
}

/// `software.started`.
#[derive(Debug, Clone)]
pub struct SoftwareStarted {
    /// What pages are served, by path.
    pub pages: Vec<Page>,
    /// SHA-256 of the program.
    pub program_sha256: Hash,
    /// Its release.
    pub release: String,
}

/// One thing that browsers are given to run.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its path.
    pub path: String,
    /// Its SHA-256.
    pub sha256: Hash,
}
