//! WebAuthn assertions: every rule of "An assertion is valid" (FORMATS.md 4).

/// A P-256 key: an uncompressed SEC1 point of 65 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 65]);

impl PublicKey {
    /// The 65 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 65] {
        &self.0
    }
}
