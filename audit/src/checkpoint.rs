//! Checkpoints (FORMATS.md 5): C2SP tlog-checkpoint in a C2SP signed note. Signatures come from outside, from keys in an HSM.

use crate::Hash;
use crate::json::MAX_INTEGER;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signed_note::{Signature, StandardVerifier, Verifier as _};
use std::{fmt, str::FromStr};

/// Note signature type of Ed25519 (C2SP signed-note, "Signature types").
const ED25519: u8 = 1;

/// An Ed25519 key that signs checkpoints, under the ledger's name. As text the C2SP form `<name>+<id>+<base64>`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: [u8; 32],
}

/// What is no verifier key: the name has a space or a `+`, the text another spelling, the key is no point, or the id another key's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadKey;

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an Ed25519 verifier key in the C2SP form")
    }
}

impl std::error::Error for BadKey {}

impl VerifierKey {
    /// The key with these 32 raw bytes, under this name.
    ///
    /// # Errors
    /// When the name is empty or has a space, a control character or a `+`, or the bytes are no point of the curve.
    pub fn new(name: &str, key: [u8; 32]) -> Result<Self, BadKey> {
        let made = VerifierKey {
            name: name.to_owned(),
            key,
        };
        if name.chars().any(char::is_control) {
            return Err(BadKey);
        }
        made.verifier()?;
        Ok(made)
    }

    /// The ledger's name that it signs under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The raw public key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.key
    }

    /// The key id: the first four bytes of SHA-256 over name, LF, type and key.
    pub fn id(&self) -> u32 {
        signed_note::key_id(&self.name, &self.typed())
    }

    fn typed(&self) -> [u8; 33] {
        let mut typed = [ED25519; 33];
        if let Some(key) = typed.get_mut(1..) {
            key.copy_from_slice(&self.key);
        }
        typed
    }

    fn verifier(&self) -> Result<StandardVerifier, BadKey> {
        StandardVerifier::new(&self.to_string()).map_err(|_| BadKey)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}+{:08x}+{}",
            self.name,
            self.id(),
            STANDARD.encode(self.typed())
        )
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for VerifierKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(BadKey);
        };
        let typed = STANDARD.decode(key).map_err(|_| BadKey)?;
        let (_, key) = typed.split_first().ok_or(BadKey)?;
        let made = VerifierKey::new(name, key.try_into().map_err(|_| BadKey)?)?;
        // One spelling only; this also refuses another type or id.
        if made.to_string() == text {
            Ok(made)
        } else {
            Err(BadKey)
        }
    }
}

/// What a good checkpoint says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// How many entries it covers.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// The bytes that a key signs: name, size and root, a line each.
pub fn body(name: &str, size: u64, root: &Hash) -> Vec<u8> {
    format!("{name}\n{size}\n{}\n", STANDARD.encode(root.0)).into_bytes()
}

/// The signed note: the body, a blank line and a line for each signature over the body.
pub fn note(body: &[u8], signatures: &[(&VerifierKey, [u8; 64])]) -> String {
    let mut note = String::from_utf8_lossy(body).into_owned();
    note.push('\n');
    for (key, signature) in signatures {
        let mut signed = key.id().to_be_bytes().to_vec();
        signed.extend_from_slice(signature);
        note.push_str(&format!(
            "\u{2014} {} {}\n",
            key.name,
            STANDARD.encode(signed)
        ));
    }
    note
}

/// Why a note is no checkpoint of this ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointError {
    /// Not a note of exactly three lines with signatures.
    Malformed,
    /// Of another ledger.
    OtherName,
    /// No signature by a key in force.
    Unsigned,
    /// A signature that claims a key in force and is not good.
    BadSignature,
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CheckpointError::Malformed => "not a checkpoint in a signed note",
            CheckpointError::OtherName => "a checkpoint of another ledger",
            CheckpointError::Unsigned => "no key in force signed the checkpoint",
            CheckpointError::BadSignature => "a signature on the checkpoint is not good",
        })
    }
}

impl std::error::Error for CheckpointError {}

/// Reads a note's body without looking at its signatures: for the writer's own notes.
pub(crate) fn read(
    note: &str,
    name: Option<&str>,
) -> Result<(Checkpoint, String), CheckpointError> {
    let (text, _) = note.split_once("\n\n").ok_or(CheckpointError::Malformed)?;
    let text = format!("{text}\n");
    let mut lines = text.lines();
    let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
        return Err(CheckpointError::Malformed);
    };
    if name.is_some_and(|name| name != origin) {
        return Err(CheckpointError::OtherName);
    }
    let size: u64 = size.parse().map_err(|_| CheckpointError::Malformed)?;
    let root = STANDARD
        .decode(root)
        .map_err(|_| CheckpointError::Malformed)?;
    let root = Hash(root.try_into().map_err(|_| CheckpointError::Malformed)?);
    // Written again it must be the same bytes: no fourth line, no other spelling.
    if body(origin, size, &root) != text.as_bytes()
        || !(1..=MAX_INTEGER.unsigned_abs()).contains(&size)
    {
        return Err(CheckpointError::Malformed);
    }
    Ok((Checkpoint { size, root }, text))
}

/// Checks a note against the ledger's name and the keys in force: at least one signature by them, and each by them good. Lines of others
/// (witnesses) are passed over.
///
/// # Errors
/// See [`CheckpointError`].
pub fn verify(note: &str, name: &str, keys: &[VerifierKey]) -> Result<Checkpoint, CheckpointError> {
    let (checkpoint, text) = read(note, Some(name))?;
    let signatures = note
        .get(text.len() + 1..)
        .and_then(|lines| lines.strip_suffix('\n'))
        .ok_or(CheckpointError::Malformed)?;
    let mut signed = false;
    for line in signatures.split('\n') {
        let signature =
            Signature::from_bytes(line.as_bytes()).map_err(|_| CheckpointError::Malformed)?;
        for key in keys
            .iter()
            .filter(|key| key.name == signature.name() && key.id() == signature.id())
        {
            let verifier = key.verifier().map_err(|_| CheckpointError::BadSignature)?;
            if !verifier.verify(text.as_bytes(), signature.signature()) {
                return Err(CheckpointError::BadSignature);
            }
            signed = true;
        }
    }
    if signed {
        Ok(checkpoint)
    } else {
        Err(CheckpointError::Unsigned)
    }
}
