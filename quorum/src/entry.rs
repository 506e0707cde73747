//! Entries of the ledger (FORMATS.md 2 and 3): those that this crate has to understand.
//!
//! An entry read here is only well-formed. Whether it is in the ledger says [`crate::evidence`], whether
//! its signatures are good and its signer may, says [`crate::roster`].

use std::fmt;

use crate::assertion::Assertion;
use crate::field::{
    self, Codec, Count, Distinct, Fault, FieldError, Number, Opt, Raw, Seqs, Text, Time, Verbatim,
    members, words,
};
use crate::hash::{self, Hash};
use crate::ids::{AuthenticatorId, CredentialId, RequestId, SafeId, TargetId, UserId};
use crate::json::{self, JsonError, Object, Value};
use crate::statement::{Kind, NewRoster, Pin, Statement, StatementError};

/// The longest entry, in bytes.
pub const MAX_ENTRY: usize = 64 * 1024;

/// One entry, well-formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place, from 0.
    pub seq: u64,
    /// Its time, in microseconds.
    pub time: i64,
    /// The signer of a signed event, else `system` or a workload's id.
    pub actor: String,
    /// The leaf of the entry before.
    pub prev: Hash,
    /// What happened.
    pub event: Event,
    /// SHA-256(0x00 || bytes).
    pub leaf: Hash,
}

/// What happened, for the events that this crate reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// `ledger.founded`.
    LedgerFounded(LedgerFounded),
    /// `person.invited` of entry 1: unsigned.
    FirstInvited(Statement),
    /// Any signed event: the statement's kind says which.
    Signed(Box<Signed>),
    /// `authenticator.distrusted`.
    Distrusted(Distrusted),
    /// `request.ended`.
    RequestEnded(RequestEnded),
    /// `roster.set`.
    RosterSet(RosterSet),
    /// `target.set`.
    TargetSet(TargetSet),
    /// `version.sealed`.
    VersionSealed(Box<VersionSealed>),
    /// `release.opened`.
    ReleaseOpened(ReleaseOpened),
    /// `release.closed`.
    ReleaseClosed(ReleaseClosed),
    /// `checkpoint_keys.changed`.
    CheckpointKeysChanged(CheckpointKeysChanged),
}

/// A signed event's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The key that signed.
    pub authenticator: AuthenticatorId,
    /// What was signed, read.
    pub statement: Statement,
    /// What was signed, as bytes.
    pub statement_bytes: Vec<u8>,
    /// The signature and what belongs to it.
    pub assertion: Assertion,
    /// With `authenticator.enrolled`: how the key was made.
    pub registration: Option<Registration>,
    /// With the enrolment of a further key: the same statement, signed by a key already live.
    pub admission: Option<Admission>,
}

members! {
    /// What `create()` gave, raw bytes as they came.
    Registration {
        /// The attestation object (WebAuthn 2, section 6.5).
        attestation_object: Vec<u8> as Raw,
        /// The client data of the registration.
        client_data_json: Vec<u8> as Raw,
    }
}

impl Registration {
    /// `registration_sha256` of the `enrol` statement that belongs to it.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let bytes = json::encode(&field::write_object(self));
        hash::labelled("registration", &[&bytes])
    }
}

members! {
    /// A live key of the same person lets a further one in.
    Admission {
        /// Its signature over the `enrol` statement.
        assertion: Assertion,
        /// The live key.
        authenticator: AuthenticatorId,
    }
}

members! {
    /// `ledger.founded`: entry 0.
    LedgerFounded {
        /// 1 to 3 C2SP verifier keys, each named `name`.
        checkpoint_keys: Vec<String> as Distinct<Text>,
        /// After a restore: the ledger that this one goes on from.
        continues: Option<Continues> as Opt<Continues>,
        /// The ledger's origin in checkpoints.
        name: String as Text,
        /// The origins that pages may have.
        origins: Vec<String> as Distinct<Text>,
        /// The relying party id.
        rp_id: String as Text,
    }
}

members! {
    /// The ledger that a restored one goes on from.
    Continues {
        /// Its root at that size.
        checkpoint: Hash,
        /// Its name.
        ledger: Hash,
        /// How many of its entries are continued.
        size: u64 as Count,
    }
}

members! {
    /// `authenticator.distrusted`: a counter went back; the key is suspended.
    Distrusted {
        /// The key.
        authenticator: AuthenticatorId,
        /// The counter it showed.
        counter: u64 as Number,
    }
}

words! {
    /// Why a request ended without being spent.
    EndedWhy {
        /// The requester took it back.
        Withdrawn = "withdrawn",
        /// Its time was over.
        Expired = "expired",
        /// Too many denied it.
        Denied = "denied",
        /// What it asked for is no longer there.
        Superseded = "superseded",
        /// The ledger was restored.
        Restored = "restored",
    }
}

members! {
    /// `request.ended`.
    RequestEnded {
        /// The request.
        request: RequestId,
        /// Why.
        why: EndedWhy,
    }
}

members! {
    /// `roster.set`: a roster is in force from here on.
    RosterSet {
        /// The seqs of the acceptances, ascending.
        acceptances: Vec<u64> as Seqs,
        /// The seqs of the approvals, ascending.
        approvals: Vec<u64> as Seqs,
        /// The roster, as in the request.
        new: NewRoster,
        /// The request that this spends.
        request: RequestId,
        /// The safe.
        safe: SafeId,
    }
}

members! {
    /// `target.set`: a credential is bound to a target.
    TargetSet {
        /// The account at the target.
        account: String as Text,
        /// Where the target is, as its connector reads it.
        address: String as Text,
        /// The seqs of the approvals, ascending.
        approvals: Vec<u64> as Seqs,
        /// The code that talks to it.
        connector: String as Text,
        /// The credential.
        credential: CredentialId,
        /// How the target is known again.
        pin: Pin,
        /// The request that this spends.
        request: RequestId,
        /// The safe.
        safe: SafeId,
        /// The target.
        target: TargetId,
    }
}

words! {
    /// Where a version's value came from.
    Origin {
        /// Vitrine drew it.
        Generated = "generated",
        /// A custodian put it in.
        Imported = "imported",
        /// It was sealed before, under another roster.
        Resealed = "resealed",
    }
}

members! {
    /// A custodian's signature over an import.
    ImportSigned {
        /// The signature and what belongs to it.
        assertion: Assertion,
        /// The key that signed.
        authenticator: AuthenticatorId,
        /// The canonical bytes of an `import` statement.
        statement: String as StatementText,
    }
}

members! {
    /// `version.sealed`.
    VersionSealed {
        /// The keys that shares were sealed to.
        authenticators: Vec<AuthenticatorId> as Distinct<AuthenticatorId>,
        /// The credential.
        credential: CredentialId,
        /// The hash of the envelope.
        envelope: Hash,
        /// The epoch of the roster.
        epoch: u64 as Count,
        /// With imported values: the custodian's signature.
        import: Option<ImportSigned> as Opt<ImportSigned>,
        /// The envelope's key commitment.
        key_commitment: Hash,
        /// Where the value came from.
        origin: Origin,
        /// The leaf of the `roster.set` in force.
        roster: Hash,
        /// The safe.
        safe: SafeId,
        /// The version.
        version: u64 as Count,
    }
}

members! {
    /// `release.opened`.
    ReleaseOpened {
        /// The seqs of the approvals, ascending.
        approvals: Vec<u64> as Seqs,
        /// The credential.
        credential: CredentialId,
        /// The hash of the version's envelope.
        envelope: Hash,
        /// The epoch of the named roster.
        epoch: u64 as Count,
        /// The request that this spends.
        request: RequestId,
        /// Whom it was opened to.
        requester: UserId,
        /// The named roster.
        roster: Hash,
        /// The safe.
        safe: SafeId,
        /// The version.
        version: u64 as Count,
    }
}

words! {
    /// Why a release closed.
    ClosedWhy {
        /// Given back early.
        CheckedIn = "checked_in",
        /// Its time was over.
        Expired = "expired",
    }
}

members! {
    /// `release.closed`.
    ReleaseClosed {
        /// The request that had opened it.
        request: RequestId,
        /// Why.
        why: ClosedWhy,
    }
}

members! {
    /// `checkpoint_keys.changed`.
    CheckpointKeysChanged {
        /// 1 to 3 C2SP verifier keys, each named as the founding says.
        checkpoint_keys: Vec<String> as Distinct<Text>,
    }
}

/// A statement's bytes as a string: of any length, an entry's own limit aside.
pub(crate) struct StatementText;

impl Codec for StatementText {
    type Out = String;

    fn read(value: &Value) -> Result<String, FieldError> {
        value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| FieldError::at("", Fault::Type))
    }

    fn write(out: &String) -> Value {
        Value::Str(out.clone())
    }
}

/// Why bytes are no entry that this crate can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryError {
    /// More than 64 KiB.
    TooLong,
    /// Not canonical JSON.
    Json(JsonError),
    /// Canonical, but no object.
    NotAnObject,
    /// A `v` other than 1.
    Version,
    /// An `event` that doesn't exist, or that nothing here relies on.
    Event(String),
    /// A member that is missing, unknown, or has a value that its type doesn't allow.
    Member(FieldError),
    /// The statement doesn't read.
    Statement(StatementError),
    /// The statement's kind is not this event's.
    WrongKind,
    /// `actor` is not the signer, or neither `system` nor an id.
    Actor,
    /// `seq` is not the place where the entry was found.
    Seq,
}

impl EntryError {
    /// The error's name in the test vectors.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Json(_) => "json",
            Self::NotAnObject => "not_an_object",
            Self::Version => "version",
            Self::Event(_) => "event",
            Self::Member(_) => "member",
            Self::Statement(_) => "statement",
            Self::WrongKind => "wrong_kind",
            Self::Actor => "actor",
            Self::Seq => "seq",
        }
    }
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the entry is longer than 64 KiB"),
            Self::Json(e) => write!(f, "the entry is not canonical JSON: {e}"),
            Self::NotAnObject => write!(f, "the entry is no object"),
            Self::Version => write!(f, "the entry's `v` is not 1"),
            Self::Event(event) => write!(f, "the event `{event}` does not belong here"),
            Self::Member(e) => write!(f, "the entry's {e}"),
            Self::Statement(e) => write!(f, "{e}"),
            Self::WrongKind => write!(f, "the statement's kind is not the event's"),
            Self::Actor => write!(f, "the actor is not who acted"),
            Self::Seq => write!(f, "the entry's `seq` is not its place"),
        }
    }
}

impl std::error::Error for EntryError {}

impl From<FieldError> for EntryError {
    fn from(e: FieldError) -> Self {
        Self::Member(e)
    }
}

impl Entry {
    /// Reads an entry's canonical bytes.
    ///
    /// # Errors
    /// Anything that is not one of the events above with exactly its members.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > MAX_ENTRY {
            return Err(EntryError::TooLong);
        }
        let value = json::parse(bytes).map_err(EntryError::Json)?;
        let Value::Obj(mut from) = value else {
            return Err(EntryError::NotAnObject);
        };
        field::no_others(
            &from,
            &[&["actor", "data", "event", "prev", "seq", "time", "v"]],
        )?;
        if Number::take(&mut from, "v")? != 1 {
            return Err(EntryError::Version);
        }
        let seq = Number::take(&mut from, "seq")?;
        let time = Time::take(&mut from, "time")?;
        let actor = Text::take(&mut from, "actor")?;
        let prev = Hash::take(&mut from, "prev")?;
        let name = Text::take(&mut from, "event")?;
        let data = Verbatim::take(&mut from, "data")?;
        let event = read_event(seq, &name, &data)?;
        check_actor(&actor, &event)?;
        Ok(Self {
            seq,
            time,
            actor,
            prev,
            event,
            leaf: hash::leaf(bytes),
        })
    }

    /// The signed event's data, if it is one.
    #[must_use]
    pub fn signed(&self) -> Option<&Signed> {
        if let Event::Signed(signed) = &self.event {
            Some(signed)
        } else {
            None
        }
    }
}

fn read_event(seq: u64, name: &str, data: &Value) -> Result<Event, EntryError> {
    Ok(match name {
        "ledger.founded" if seq == 0 => Event::LedgerFounded(LedgerFounded::read(data)?),
        "person.invited" if seq == 1 => {
            Event::FirstInvited(Statement::first_invite(data).map_err(EntryError::Statement)?)
        }
        "authenticator.distrusted" => Event::Distrusted(Distrusted::read(data)?),
        "request.ended" => Event::RequestEnded(RequestEnded::read(data)?),
        "roster.set" => Event::RosterSet(RosterSet::read(data)?),
        "target.set" => Event::TargetSet(TargetSet::read(data)?),
        "version.sealed" => {
            let sealed = VersionSealed::read(data)?;
            if sealed.import.is_some() != (sealed.origin == Origin::Imported) {
                let fault = if sealed.import.is_some() {
                    Fault::Unknown
                } else {
                    Fault::Missing
                };
                return Err(FieldError::at("import", fault).into());
            }
            Event::VersionSealed(Box::new(sealed))
        }
        "release.opened" => Event::ReleaseOpened(ReleaseOpened::read(data)?),
        "release.closed" => Event::ReleaseClosed(ReleaseClosed::read(data)?),
        "checkpoint_keys.changed" => {
            Event::CheckpointKeysChanged(CheckpointKeysChanged::read(data)?)
        }
        _ => Event::Signed(Box::new(read_signed(name, data)?)),
    })
}

fn read_signed(name: &str, data: &Value) -> Result<Signed, EntryError> {
    if !is_signed_event(name) {
        return Err(EntryError::Event(name.to_owned()));
    }
    let mut from: Object = data.as_object().cloned().unwrap_or_default();
    let enrolled = name == "authenticator.enrolled";
    let more: &[&str] = if enrolled {
        &["admission", "registration"]
    } else {
        &[]
    };
    field::no_others(&from, &[&["assertion", "authenticator", "statement"], more])?;
    let text = StatementText::take(&mut from, "statement")?;
    let authenticator = AuthenticatorId::take(&mut from, "authenticator")?;
    let assertion = Assertion::take(&mut from, "assertion")?;
    let registration = if enrolled {
        Some(Registration::take(&mut from, "registration")?)
    } else {
        None
    };
    let admission = if enrolled {
        Opt::<Admission>::take(&mut from, "admission")?
    } else {
        None
    };
    let statement = Statement::parse(text.as_bytes()).map_err(EntryError::Statement)?;
    if event_of(&statement.kind) != Some(name) {
        return Err(EntryError::WrongKind);
    }
    Ok(Signed {
        authenticator,
        statement,
        statement_bytes: text.into_bytes(),
        assertion,
        registration,
        admission,
    })
}

fn is_signed_event(name: &str) -> bool {
    matches!(
        name,
        "person.invited"
            | "person.roles"
            | "authenticator.enrolled"
            | "authenticator.revoked"
            | "authenticator.suspended"
            | "authenticator.restored"
            | "request.filed"
            | "request.approved"
            | "request.denied"
            | "request.accepted"
            | "setting.changed"
            | "clock.accepted"
    )
}

/// The event that records a statement of this kind; `None` for those that no event holds as its own.
#[must_use]
pub const fn event_of(kind: &Kind) -> Option<&'static str> {
    use crate::statement::Decision;
    Some(match kind {
        Kind::Login | Kind::Register { .. } | Kind::Prove { .. } | Kind::Import(_) => return None,
        Kind::Invite(_) => "person.invited",
        Kind::Roles(_) => "person.roles",
        Kind::Enrol(_) => "authenticator.enrolled",
        Kind::Revoke(_) => "authenticator.revoked",
        Kind::Suspend(_) => "authenticator.suspended",
        Kind::Unsuspend(_) => "authenticator.restored",
        Kind::Request(_) => "request.filed",
        Kind::Approval(approval) => match approval.decision {
            Decision::Approve => "request.approved",
            Decision::Deny => "request.denied",
        },
        Kind::Acceptance(_) => "request.accepted",
        Kind::Setting(_) => "setting.changed",
        Kind::Clock(_) => "clock.accepted",
    })
}

fn check_actor(actor: &str, event: &Event) -> Result<(), EntryError> {
    let right = match event {
        Event::Signed(signed) => {
            let id = actor.parse::<UserId>().ok();
            id.is_some() && id == signed.statement.signer
        }
        Event::FirstInvited(_) => actor == "system",
        _ => actor == "system" || actor.parse::<UserId>().is_ok(),
    };
    if right {
        Ok(())
    } else {
        Err(EntryError::Actor)
    }
}
