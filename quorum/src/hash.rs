//! SHA-256 with a label in front, and the hash type that the whole crate speaks of.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// A SHA-256, written as 64 lower-case hex digits. Public: never the hash of a secret alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// Text that is not 64 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAHash;

impl fmt::Display for NotAHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not 64 lower-case hex digits")
    }
}

impl std::error::Error for NotAHash {}

impl Hash {
    /// Sixty-four zeros: "there is none before".
    pub const ZERO: Self = Self([0; 32]);

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        if text.len() != 64 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(NotAHash);
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NotAHash)?;
        Ok(Self(bytes))
    }
}

/// `H(thing, content)` of FORMATS.md 1: SHA-256 over `vitrine/<thing>/v1`, LF and the pieces of
/// `content` one after the other.
#[must_use]
pub fn labelled(thing: &str, content: &[&[u8]]) -> Hash {
    let mut sha = Sha256::new();
    sha.update(b"vitrine/");
    sha.update(thing.as_bytes());
    sha.update(b"/v1\n");
    for piece in content {
        sha.update(piece);
    }
    Hash(sha.finalize().into())
}

/// The leaf of an entry in the tree: SHA-256(0x00 || bytes) (RFC 6962, section 2.1).
#[must_use]
pub fn leaf(entry: &[u8]) -> Hash {
    let mut sha = Sha256::new();
    sha.update([0]);
    sha.update(entry);
    Hash(sha.finalize().into())
}

/// Plain SHA-256, for the few places where another standard asks for it.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
