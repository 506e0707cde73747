//! The members of each kind of statement.

use super::StatementError;
use super::purpose::Purpose;
use super::words::{Decision, Role};
use crate::field::{Blob, Bytes, Codec, Count, Distinct, Opt, Text, Time, Verbatim, members};
use crate::hash::Hash;
use crate::ids::{AuthenticatorId, CredentialId, RequestId, SafeId, UserId};
use crate::json::{Object, Value};

members! {
    /// `invite`: a person is let in.
    Invite {
        /// The invitation is good before this, in microseconds.
        expires: i64 as Time,
        /// `H("invitation", 32-byte token)`.
        invitation: Hash,
        /// The person's name, everywhere and for ever.
        name: String as Text,
        /// What the person may do.
        roles: Vec<Role> as Distinct<Role>,
        /// The person's id.
        user: UserId,
    }
}

members! {
    /// `roles`: what a person may do from now on.
    Roles {
        /// All of them; an empty list takes every role away.
        roles: Vec<Role> as Distinct<Role>,
        /// The person.
        user: UserId,
    }
}

members! {
    /// `enrol`: a new key binds itself to its owner.
    Enrol {
        /// The model, as the key says.
        aaguid: [u8; 16] as Bytes<16>,
        /// The id that the key has from now on.
        authenticator: AuthenticatorId,
        /// The WebAuthn credential id, 1 to 1023 bytes.
        credential_id: Vec<u8> as Blob<1, 1023>,
        /// The invitation that admits a first key.
        invitation: Option<Hash> as Opt<Hash>,
        /// The person's invited name.
        name: String as Text,
        /// The P-256 key, an uncompressed SEC1 point.
        public_key: [u8; 65] as Bytes<65>,
        /// `H("registration", canonical bytes of the entry's registration)`.
        registration_sha256: Hash,
        /// The X25519 key that shares are sealed to. Absent: this key can hold none.
        share_key: Option<[u8; 32]> as Opt<Bytes<32>>,
        /// The owner.
        user: UserId,
    }
}

members! {
    /// `revoke`, `suspend` and `unsuspend`: what becomes of a key.
    KeyAct {
        /// The key meant, which need not be the one that signs.
        authenticator: AuthenticatorId,
        /// Its owner.
        user: UserId,
        /// Why.
        why: String as Text,
    }
}

/// `request`: somebody asks for something that needs a quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Approvals count and actions happen before this, in microseconds.
    pub expires: i64,
    /// `H("reason", 32-byte salt || UTF-8 text)`.
    pub reason_commitment: Hash,
    /// The request's id.
    pub request: RequestId,
    /// The requester's invited name.
    pub requester_name: String,
    /// The leaf of the `roster.set` that it names.
    pub roster: Hash,
    /// The safe.
    pub safe: SafeId,
    /// An incident or change number.
    pub ticket: Option<String>,
    /// What for.
    pub purpose: Purpose,
}

impl Request {
    pub(super) const NAMES: &'static [&'static str] = &[
        "expires",
        "purpose",
        "reason_commitment",
        "request",
        "requester_name",
        "roster",
        "safe",
        "ticket",
    ];

    pub(super) fn take_from(from: &mut Object) -> Result<Self, StatementError> {
        let purpose = Text::take(from, "purpose")?;
        Ok(Self {
            expires: Time::take(from, "expires")?,
            reason_commitment: Hash::take(from, "reason_commitment")?,
            request: RequestId::take(from, "request")?,
            requester_name: Text::take(from, "requester_name")?,
            roster: Hash::take(from, "roster")?,
            safe: SafeId::take(from, "safe")?,
            ticket: Opt::<Text>::take(from, "ticket")?,
            purpose: Purpose::take_from(&purpose, from)?,
        })
    }

    pub(super) fn put_members(&self, into: &mut Object) {
        Time::put(&self.expires, into, "expires");
        Hash::put(&self.reason_commitment, into, "reason_commitment");
        RequestId::put(&self.request, into, "request");
        Text::put(&self.requester_name, into, "requester_name");
        Hash::put(&self.roster, into, "roster");
        SafeId::put(&self.safe, into, "safe");
        Opt::<Text>::put(&self.ticket, into, "ticket");
        Text::put(&self.purpose.name().to_owned(), into, "purpose");
        self.purpose.put_members(into);
    }
}

members! {
    /// `approval`: an approver's answer.
    Approval {
        /// Yes or no.
        decision: Decision,
        /// The leaf of the `request.filed`.
        entry: Hash,
        /// The request statement, verbatim.
        subject: Value as Verbatim,
    }
}

members! {
    /// `acceptance`: a newly named key agrees.
    Acceptance {
        /// The key that signs and agrees.
        authenticator: AuthenticatorId,
        /// The leaf of the `request.filed`.
        entry: Hash,
        /// The request statement, verbatim.
        subject: Value as Verbatim,
    }
}

members! {
    /// `import`: a value came from outside.
    Import {
        /// The credential.
        credential: CredentialId,
        /// The hash of the envelope that holds the value.
        envelope: Hash,
        /// The safe.
        safe: SafeId,
        /// The version.
        version: u64 as Count,
    }
}

members! {
    /// `setting`: a custodian changed how the service behaves.
    Setting {
        /// Which setting.
        name: String as Text,
        /// Its new value.
        value: String as Text,
    }
}

members! {
    /// `clock`: a step of more than 24 hours is accepted.
    Clock {
        /// The `prev` of the entry that holds this statement.
        entry: Hash,
        /// The entry's time lies in [`time`, `time` + 24 h], in microseconds.
        time: i64 as Time,
        /// Why.
        why: String as Text,
    }
}
