//! The two kinds of names in an entry: hashes and ids.

use std::{fmt, str::FromStr};

/// A SHA-256 digest: a leaf, a node or any other hash of an entry. As text 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The `prev` of entry 0.
    pub const ZERO: Hash = Hash([0; 32]);

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
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
        fmt::Display::fmt(self, f)
    }
}

/// Text that is no hash or no id in the one spelling this project has for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misspelt;

impl fmt::Display for Misspelt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not in the one spelling of a hash or an id")
    }
}

impl std::error::Error for Misspelt {}

impl FromStr for Hash {
    type Err = Misspelt;

    fn from_str(text: &str) -> Result<Self, Misspelt> {
        let mut bytes = [0; 32];
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(Misspelt);
        }
        hex::decode_to_slice(text, &mut bytes).map_err(|_| Misspelt)?;
        Ok(Hash(bytes))
    }
}

/// An id: 16 bytes, as text a lower-case UUID of 36 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; 16]);

impl Id {
    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Id(bytes)
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The 36 characters, as they stand in an entry.
    pub fn text(&self) -> [u8; 36] {
        let mut text = [b'-'; 36];
        let parts = [
            (0..4, 0..8),
            (4..6, 9..13),
            (6..8, 14..18),
            (8..10, 19..23),
            (10..16, 24..36),
        ];
        for (bytes, digits) in parts {
            // Cannot fail, as each part has two digits a byte; if it did, the hyphens left would be no id to any reader.
            if let (Some(bytes), Some(digits)) = (self.0.get(bytes), text.get_mut(digits)) {
                let _ = hex::encode_to_slice(bytes, digits);
            }
        }
        text
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Id {
    type Err = Misspelt;

    fn from_str(text: &str) -> Result<Self, Misspelt> {
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        let mut bytes = [0; 16];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| Misspelt)?;
        let id = Id(bytes);
        // One spelling only: what it would be written as is what was read.
        if id.text() == text.as_bytes() {
            Ok(id)
        } else {
            Err(Misspelt)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn ids_have_one_spelling() {
        let text = "0192ab3c-4d5e-7f60-8123-456789abcdef";
        assert_eq!(text.parse::<Id>().unwrap().to_string(), text);
        for bad in [
            "",
            "0192AB3C-4d5e-7f60-8123-456789abcdef",
            "0192ab3c4d5e7f608123456789abcdef",
            "0192ab3c-4d5e-7f60-8123-456789abcde",
            "0192ab3c-4d5e7-f60-8123-456789abcdef",
            "{0192ab3c-4d5e-7f60-8123-456789abcdef}",
            "0192ab3c-4d5e-7f60-8123-456789abcdeg",
        ] {
            assert_eq!(bad.parse::<Id>(), Err(Misspelt), "{bad}");
        }
    }

    #[test]
    fn hashes_have_one_spelling() {
        let text = "9d0c2f7a41be83e5c6d8f1027b94ae3305fd61c27e88b90a4c1d35f6a2e7b814";
        assert_eq!(text.parse::<Hash>().unwrap().to_string(), text);
        for bad in [
            String::new(),
            text.to_uppercase(),
            text[1..].to_owned(),
            format!("{text}0"),
        ] {
            assert_eq!(bad.parse::<Hash>(), Err(Misspelt), "{bad}");
        }
    }
}
