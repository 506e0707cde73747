//! Entries of the ledger (FORMATS.md 2 and 3): those that this crate has to understand.
//!
//! An entry read here is only well-formed. Whether it is in the ledger says [`crate::evidence`], whether
//! its signatures are good and its signer may, says [`crate::roster`].

mod data;
mod error;

pub use data::{
    Admission, CheckpointKeysChanged, ClosedWhy, Continues, Distrusted, EndedWhy, ImportSigned,
    LedgerFounded, Origin, Registration, ReleaseClosed, ReleaseOpened, RequestEnded, RosterSet,
    TargetSet, VersionSealed,
};
pub use error::EntryError;

use data::StatementText;

use crate::assertion::Assertion;
use crate::field::{self, Codec, Fault, FieldError, Number, Opt, Text, Time, Verbatim};
use crate::hash::{self, Hash};
use crate::ids::{AuthenticatorId, UserId};
use crate::json::{self, Object, Value};
use crate::statement::{Kind, Statement};

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
