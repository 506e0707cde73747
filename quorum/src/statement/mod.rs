//! Statements (FORMATS.md 4): what a person signs, and the challenge that comes of it.

mod authority;
mod kinds;
mod purpose;
mod words;

use std::fmt;

pub use authority::Authority;
pub use kinds::{
    Acceptance, Approval, Clock, Enrol, Import, Invite, KeyAct, Request, Roles, Setting,
};
pub use purpose::{
    AccessPurpose, DestroyPurpose, NamedVersion, NewApprover, NewRoster, Purpose, ReleasePurpose,
    ResealPurpose, RestorePurpose, RolePurpose, RosterPurpose, SealedAs, TargetPurpose,
};
pub use words::{Decision, NotAPin, Pin, Role, SecretKind};

use crate::field::{Bytes, Codec, Fault, FieldError, Members, Number, Opt, Text, no_others};
use crate::hash::{Hash, labelled};
use crate::ids::UserId;
use crate::json::{self, JsonError, Object, Value};

/// A statement of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The ledger's name: a statement for one ledger means nothing in another.
    pub ledger: Hash,
    /// 32 bytes, drawn by the server for `login`, `register` and `prove`, else by the signer's side.
    pub nonce: [u8; 32],
    /// The person whose touch it is. Absent for `login`, `register`, `prove` and entry 1's `invite`.
    pub signer: Option<UserId>,
    /// What is said.
    pub kind: Kind,
}

/// What a statement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Signing in.
    Login,
    /// The challenge of `create()`.
    Register {
        /// The invitation that admits a first key.
        invitation: Option<Hash>,
        /// Whose key it will be.
        user: UserId,
    },
    /// A touch that reads the PRF for its owner's page. Grants nothing.
    Prove {
        /// Whose key is touched.
        user: UserId,
    },
    /// A custodian lets a person in.
    Invite(Invite),
    /// A custodian says what a person may do.
    Roles(Roles),
    /// A new key says whose it is and what it can do.
    Enrol(Enrol),
    /// A key ends.
    Revoke(KeyAct),
    /// A key rests.
    Suspend(KeyAct),
    /// A key that rested serves again.
    Unsuspend(KeyAct),
    /// Somebody asks for something that needs a quorum.
    Request(Box<Request>),
    /// An approver's yes or no to one request.
    Approval(Approval),
    /// A newly named key agrees to be on a roster.
    Acceptance(Acceptance),
    /// A custodian put in a value from outside.
    Import(Import),
    /// A custodian changed a setting.
    Setting(Setting),
    /// Somebody with a live key accepts a step of the clock.
    Clock(Clock),
}

impl Kind {
    /// The word in `kind`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Register { .. } => "register",
            Self::Prove { .. } => "prove",
            Self::Invite(_) => "invite",
            Self::Roles(_) => "roles",
            Self::Enrol(_) => "enrol",
            Self::Revoke(_) => "revoke",
            Self::Suspend(_) => "suspend",
            Self::Unsuspend(_) => "unsuspend",
            Self::Request(_) => "request",
            Self::Approval(_) => "approval",
            Self::Acceptance(_) => "acceptance",
            Self::Import(_) => "import",
            Self::Setting(_) => "setting",
            Self::Clock(_) => "clock",
        }
    }

    /// Whether a statement of this kind says whose touch it is.
    #[must_use]
    pub const fn has_signer(&self) -> bool {
        !matches!(
            self,
            Self::Login | Self::Register { .. } | Self::Prove { .. }
        )
    }
}

/// Why bytes are no statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementError {
    /// Not canonical JSON.
    Json(JsonError),
    /// Canonical, but no object.
    NotAnObject,
    /// A `v` other than 1.
    Version,
    /// A `kind` that this page doesn't know.
    Kind,
    /// A `purpose` that this page doesn't know.
    Purpose,
    /// A member that is missing, unknown, or has a value that its type doesn't allow.
    Member(FieldError),
}

impl StatementError {
    /// The error's name in the test vectors.
    #[must_use]
    pub fn code(&self) -> String {
        match self {
            Self::Json(e) => format!("json:{}", e.code()),
            Self::NotAnObject => "not_an_object".into(),
            Self::Version => "version".into(),
            Self::Kind => "kind".into(),
            Self::Purpose => "purpose".into(),
            Self::Member(FieldError { member, fault }) => {
                let fault = match fault {
                    Fault::Missing => "missing",
                    Fault::Unknown => "unknown",
                    Fault::Type => "type",
                    Fault::Value => "value",
                };
                format!("{fault}:{member}")
            }
        }
    }
}

impl fmt::Display for StatementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(e) => write!(f, "the statement is not canonical JSON: {e}"),
            Self::NotAnObject => write!(f, "the statement is no object"),
            Self::Version => write!(f, "the statement's `v` is not 1"),
            Self::Kind => write!(f, "the statement's `kind` is unknown"),
            Self::Purpose => write!(f, "the request's `purpose` is unknown"),
            Self::Member(e) => write!(f, "the statement's {e}"),
        }
    }
}

impl std::error::Error for StatementError {}

impl From<FieldError> for StatementError {
    fn from(e: FieldError) -> Self {
        Self::Member(e)
    }
}

impl Statement {
    /// Reads the canonical bytes of a statement that somebody signs.
    ///
    /// # Errors
    /// Anything but a known kind with exactly its members, each of its type.
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        Self::from_value(&json::parse(bytes).map_err(StatementError::Json)?)
    }

    /// Reads a statement from an object that was read already, such as a `subject`.
    ///
    /// # Errors
    /// As [`Statement::parse`].
    pub fn from_value(value: &Value) -> Result<Self, StatementError> {
        let statement = Self::read(value, true)?;
        Ok(statement)
    }

    /// Reads the data of entry 1, the only `invite` that nobody signed: a whole statement, without
    /// `signer`.
    ///
    /// # Errors
    /// As [`Statement::parse`]; a statement of another kind is an unknown kind here.
    pub fn first_invite(value: &Value) -> Result<Self, StatementError> {
        let statement = Self::read(value, false)?;
        if matches!(statement.kind, Kind::Invite(_)) {
            Ok(statement)
        } else {
            Err(StatementError::Kind)
        }
    }

    fn read(value: &Value, signed: bool) -> Result<Self, StatementError> {
        let mut from = value
            .as_object()
            .ok_or(StatementError::NotAnObject)?
            .clone();
        if Number::take(&mut from, "v")? != 1 {
            return Err(StatementError::Version);
        }
        let kind = Text::take(&mut from, "kind")?;
        let more = kind_names(&kind, &from)?;
        let signed = signed && !matches!(kind.as_str(), "login" | "register" | "prove");
        let signer: &[&str] = if signed { &["signer"] } else { &[] };
        no_others(&from, &[&["ledger", "nonce"], signer, more.0, more.1])?;
        let ledger = Hash::take(&mut from, "ledger")?;
        let nonce = Bytes::<32>::take(&mut from, "nonce")?;
        let signer = if signed {
            Some(UserId::take(&mut from, "signer")?)
        } else {
            None
        };
        let kind = read_kind(&kind, &mut from)?;
        Ok(Self {
            ledger,
            nonce,
            signer,
            kind,
        })
    }

    /// The canonical bytes. `parse(s.bytes()) == s` for every statement whose strings and numbers keep the rules;
    /// whoever builds one from outside input parses the bytes again before showing or signing them.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        json::encode(&self.to_value())
    }

    /// The statement as an object, as `subject` has it.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut into = Object::new();
        Number::put(&1, &mut into, "v");
        Text::put(&self.kind.name().to_owned(), &mut into, "kind");
        Hash::put(&self.ledger, &mut into, "ledger");
        Bytes::put(&self.nonce, &mut into, "nonce");
        Opt::<UserId>::put(&self.signer, &mut into, "signer");
        match &self.kind {
            Kind::Login => {}
            Kind::Register { invitation, user } => {
                Opt::<Hash>::put(invitation, &mut into, "invitation");
                UserId::put(user, &mut into, "user");
            }
            Kind::Prove { user } => UserId::put(user, &mut into, "user"),
            Kind::Invite(members) => members.put_members(&mut into),
            Kind::Roles(members) => members.put_members(&mut into),
            Kind::Enrol(members) => members.put_members(&mut into),
            Kind::Revoke(members) | Kind::Suspend(members) | Kind::Unsuspend(members) => {
                members.put_members(&mut into);
            }
            Kind::Request(members) => members.put_members(&mut into),
            Kind::Approval(members) => members.put_members(&mut into),
            Kind::Acceptance(members) => members.put_members(&mut into),
            Kind::Import(members) => members.put_members(&mut into),
            Kind::Setting(members) => members.put_members(&mut into),
            Kind::Clock(members) => members.put_members(&mut into),
        }
        Value::Obj(into)
    }

    /// The challenge for an authenticator.
    #[must_use]
    pub fn challenge(&self) -> Challenge {
        challenge(&self.bytes())
    }
}

type Names = &'static [&'static str];

/// The members of a kind, and of its purpose where it is a request.
fn kind_names(kind: &str, from: &Object) -> Result<(Names, Names), StatementError> {
    Ok(match kind {
        "login" => (&[], &[]),
        "register" => (&["invitation", "user"], &[]),
        "prove" => (&["user"], &[]),
        "invite" => (Invite::NAMES, &[]),
        "roles" => (Roles::NAMES, &[]),
        "enrol" => (Enrol::NAMES, &[]),
        "revoke" | "suspend" | "unsuspend" => (KeyAct::NAMES, &[]),
        "request" => {
            let purpose = Text::take(&mut from.clone(), "purpose")?;
            (Request::NAMES, Purpose::names(&purpose)?)
        }
        "approval" => (Approval::NAMES, &[]),
        "acceptance" => (Acceptance::NAMES, &[]),
        "import" => (Import::NAMES, &[]),
        "setting" => (Setting::NAMES, &[]),
        "clock" => (Clock::NAMES, &[]),
        _ => return Err(StatementError::Kind),
    })
}

fn read_kind(kind: &str, from: &mut Object) -> Result<Kind, StatementError> {
    Ok(match kind {
        "login" => Kind::Login,
        "register" => Kind::Register {
            invitation: Opt::<Hash>::take(from, "invitation")?,
            user: UserId::take(from, "user")?,
        },
        "prove" => Kind::Prove {
            user: UserId::take(from, "user")?,
        },
        "invite" => Kind::Invite(Members::take_members(from)?),
        "roles" => Kind::Roles(Members::take_members(from)?),
        "enrol" => Kind::Enrol(Members::take_members(from)?),
        "revoke" => Kind::Revoke(Members::take_members(from)?),
        "suspend" => Kind::Suspend(Members::take_members(from)?),
        "unsuspend" => Kind::Unsuspend(Members::take_members(from)?),
        "request" => Kind::Request(Box::new(Request::take_from(from)?)),
        "approval" => Kind::Approval(Members::take_members(from)?),
        "acceptance" => Kind::Acceptance(Members::take_members(from)?),
        "import" => Kind::Import(Members::take_members(from)?),
        "setting" => Kind::Setting(Members::take_members(from)?),
        "clock" => Kind::Clock(Members::take_members(from)?),
        _ => return Err(StatementError::Kind),
    })
}

/// A WebAuthn challenge: always the hash of a statement (invariant 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge(pub [u8; 32]);

/// `H("statement", bytes)`, the one way to get a challenge.
#[must_use]
pub fn challenge(statement_bytes: &[u8]) -> Challenge {
    Challenge(labelled("statement", &[statement_bytes]).0)
}

/// `reason_commitment` of a request: `H("reason", salt || text)`. Text and salt stay out of the ledger.
#[must_use]
pub fn reason_commitment(salt: &[u8; 32], text: &str) -> Hash {
    labelled("reason", &[salt, text.as_bytes()])
}

/// `invitation` of an `invite`: `H("invitation", token)`.
#[must_use]
pub fn invitation(token: &[u8; 32]) -> Hash {
    labelled("invitation", &[token])
}
