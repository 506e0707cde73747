//! Why an entry about people, or a signature, is false.

use std::fmt;

use crate::assertion::AssertionError;

/// Why an entry about people, or a signature, is false.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lie {
    /// The statement is for another ledger.
    Ledger,
    /// The signature is not good.
    Signature(AssertionError),
    /// The key is not enrolled as far as the evidence goes.
    UnknownKey,
    /// The key is not the signer's.
    NotTheSigners,
    /// The key is not live at that seq.
    NotLive,
    /// The person is not invited as far as the evidence goes.
    UnknownPerson,
    /// The person lacks the role for it.
    NotAllowed,
    /// A nonce was used before.
    Nonce,
    /// The user or the name is taken.
    Taken,
    /// The name is not the invited one.
    Name,
    /// The first person is no custodian.
    FirstPerson,
    /// The `enrol` statement's authenticator is not the one that signs.
    Authenticator,
    /// A first key without that person's invitation, or a further key with one.
    Invitation,
    /// The invitation has expired.
    InvitationExpired,
    /// A further key without admission by a live key of the same person, or a first key with one.
    Admission,
    /// The registration is not the one that the statement names.
    Registration,
    /// The authenticator, credential id, public key or share key is somebody's already.
    KeyTaken,
    /// Revoked twice, suspended or distrusted when not live, restored when not suspended.
    KeyState,
    /// The entry doesn't belong in this evidence.
    Unexpected,
}

impl Lie {
    /// The lie's name in the test vectors.
    #[must_use]
    pub fn code(&self) -> String {
        match self {
            Self::Ledger => "ledger".into(),
            Self::Signature(e) => format!("signature:{}", e.code()),
            Self::UnknownKey => "unknown_key".into(),
            Self::NotTheSigners => "not_the_signers".into(),
            Self::NotLive => "not_live".into(),
            Self::UnknownPerson => "unknown_person".into(),
            Self::NotAllowed => "not_allowed".into(),
            Self::Nonce => "nonce".into(),
            Self::Taken => "taken".into(),
            Self::Name => "name".into(),
            Self::FirstPerson => "first_person".into(),
            Self::Authenticator => "authenticator".into(),
            Self::Invitation => "invitation".into(),
            Self::InvitationExpired => "invitation_expired".into(),
            Self::Admission => "admission".into(),
            Self::Registration => "registration".into(),
            Self::KeyTaken => "key_taken".into(),
            Self::KeyState => "key_state".into(),
            Self::Unexpected => "unexpected".into(),
        }
    }
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ledger => "the statement is for another ledger",
            Self::Signature(e) => return e.fmt(f),
            Self::UnknownKey => "the key is not shown to be enrolled",
            Self::NotTheSigners => "the key is not the signer's",
            Self::NotLive => "the key was not live",
            Self::UnknownPerson => "the person is not shown to be invited",
            Self::NotAllowed => "the person lacks the role",
            Self::Nonce => "the nonce was used before",
            Self::Taken => "the user or name is taken",
            Self::Name => "the name is not the invited one",
            Self::FirstPerson => "the first person is no custodian",
            Self::Authenticator => "the statement is about another key",
            Self::Invitation => "the invitation is not this person's",
            Self::InvitationExpired => "the invitation had expired",
            Self::Admission => "a further key needs a live key of the same person",
            Self::Registration => "the registration is not the one signed",
            Self::KeyTaken => "the key belongs to somebody already",
            Self::KeyState => "the key was not in a state for this",
            Self::Unexpected => "the entry does not belong in this evidence",
        })
    }
}

impl std::error::Error for Lie {}

impl From<AssertionError> for Lie {
    fn from(e: AssertionError) -> Self {
        Self::Signature(e)
    }
}
