//! What `data` holds, event by event (FORMATS.md 3).

use crate::assertion::Assertion;
use crate::field::{
    self, Codec, Count, Distinct, Fault, FieldError, Number, Opt, Raw, Seqs, Text, members, words,
};
use crate::hash::{self, Hash};
use crate::ids::{AuthenticatorId, CredentialId, RequestId, SafeId, TargetId, UserId};
use crate::json::{self, Value};
use crate::statement::{NewRoster, Pin};

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
