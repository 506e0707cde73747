//! Ids: lower-case UUID text, one type for each kind of thing so that they can't be swapped.

use std::fmt;
use std::str::FromStr;

/// Text that is no lower-case UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnId;

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a lower-case UUID")
    }
}

impl std::error::Error for NotAnId {}

fn read(text: &str) -> Result<[u8; 16], NotAnId> {
    let mut hex = String::with_capacity(32);
    if text.len() != 36 {
        return Err(NotAnId);
    }
    for (i, c) in text.bytes().enumerate() {
        match (i, c) {
            (8 | 13 | 18 | 23, b'-') => {}
            (8 | 13 | 18 | 23, _) => return Err(NotAnId),
            (_, b'0'..=b'9' | b'a'..=b'f') => hex.push(char::from(c)),
            _ => return Err(NotAnId),
        }
    }
    let mut bytes = [0; 16];
    hex::decode_to_slice(hex, &mut bytes).map_err(|_| NotAnId)?;
    Ok(bytes)
}

fn write(bytes: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            f.write_str("-")?;
        }
        write!(f, "{byte:02x}")?;
    }
    Ok(())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// From the 16 bytes of a UUID.
            #[must_use]
            pub const fn from_uuid_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes of the UUID.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                read(text).map(Self)
            }
        }
    )*};
}

ids! {
    /// A person, or a workload where an entry's `actor` is one.
    UserId;
    /// A registered FIDO2 key.
    AuthenticatorId;
    /// A safe.
    SafeId;
    /// A credential.
    CredentialId;
    /// A request.
    RequestId;
    /// A target, where a credential lives.
    TargetId;
    /// A key-encryption key in a token.
    KeyId;
    /// One run of the rotation saga.
    RotationId;
    /// Time-boxed access.
    GrantId;
}
