//! The closed lists that statements draw from.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::field::{forms, words};

words! {
    /// What a person may do.
    Role {
        /// May ask for a release or for access.
        Requester = "requester",
        /// May be named on a roster.
        Approver = "approver",
        /// Runs safes and people; opens nothing.
        Custodian = "custodian",
        /// Reads the ledger.
        Auditor = "auditor",
        /// Keeps the service running.
        Operator = "operator",
    }
}

words! {
    /// An approver's answer.
    Decision {
        /// Yes.
        Approve = "approve",
        /// No.
        Deny = "deny",
    }
}

words! {
    /// What a credential's value is.
    SecretKind {
        /// A password.
        Password = "password",
        /// A private key with its public half.
        KeyPair = "key_pair",
        /// An API token.
        Token = "token",
        /// The seed of time-based codes.
        Totp = "totp",
        /// Free text.
        Note = "note",
        /// A file.
        File = "file",
    }
}

/// How a connector knows that it speaks to the right target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pin {
    /// SHA-256 of the SubjectPublicKeyInfo of the target's certificate.
    Spki([u8; 32]),
    /// A socket on this machine: the kernel says who is there.
    Unix,
    /// SHA-256 of the target's SSH host key.
    Ssh([u8; 32]),
}

/// Text that is no pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPin;

impl fmt::Display for NotAPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "not `sha256:` + 64 hex digits, `unix`, or `ssh:SHA256:` + 43 base64 characters"
        )
    }
}

impl std::error::Error for NotAPin {}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spki(hash) => write!(f, "sha256:{}", hex::encode(hash)),
            Self::Unix => f.write_str("unix"),
            Self::Ssh(hash) => write!(f, "ssh:SHA256:{}", STANDARD_NO_PAD.encode(hash)),
        }
    }
}

impl FromStr for Pin {
    type Err = NotAPin;

    fn from_str(text: &str) -> Result<Self, NotAPin> {
        if text == "unix" {
            return Ok(Self::Unix);
        }
        if let Some(digits) = text.strip_prefix("sha256:") {
            let hash: crate::hash::Hash = digits.parse().map_err(|_| NotAPin)?;
            return Ok(Self::Spki(hash.0));
        }
        let digits = text.strip_prefix("ssh:SHA256:").ok_or(NotAPin)?;
        let bytes = STANDARD_NO_PAD.decode(digits).map_err(|_| NotAPin)?;
        Ok(Self::Ssh(bytes.try_into().map_err(|_| NotAPin)?))
    }
}

forms!(Pin);
