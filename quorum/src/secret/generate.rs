//! Passwords that nobody chose.

use std::fmt;

use crate::secret::kept::Plaintext;
use crate::secret::random::{CryptoRng, NoRandomness, from_os};

/// Letters and digits that nobody mistakes for another on a screen or over the telephone: no `0 O o`,
/// no `1 I l`. No character that a shell, an URL, SQL or a connection string treats specially.
pub const UNAMBIGUOUS: &str = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz";

/// [`UNAMBIGUOUS`] and signs, for targets that insist on them.
pub const WITH_SIGNS: &str =
    "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz!#%+-.:=?@^_~";

/// Lower-case hex digits.
pub const HEX: &str = "0123456789abcdef";

/// The longest password made.
pub const MAX_LENGTH: u32 = 1024;

/// How a password is made. Whatever it says, at least 128 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    length: u32,
    alphabet: Vec<u8>,
}

/// Why a policy is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// The alphabet has a character other than printable ASCII, or a space, a quote or a backslash.
    Character(char),
    /// The alphabet has this character twice.
    Repeated(char),
    /// Longer than [`MAX_LENGTH`].
    TooLong,
    /// Fewer than 2^128 passwords fit the policy.
    TooWeak {
        /// The least length that would do for this alphabet, if any.
        least: Option<u32>,
    },
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Character(c) => write!(f, "the alphabet must not have {c:?}"),
            Self::Repeated(c) => write!(f, "the alphabet has {c:?} twice"),
            Self::TooLong => write!(f, "longer than {MAX_LENGTH}"),
            Self::TooWeak { least: Some(least) } => {
                write!(
                    f,
                    "less than 128 bits: with this alphabet, at least {least} characters"
                )
            }
            Self::TooWeak { least: None } => write!(f, "an alphabet needs two characters or more"),
        }
    }
}

impl std::error::Error for PolicyError {}

impl Default for Policy {
    /// 24 of [`UNAMBIGUOUS`]: 139 bits.
    fn default() -> Self {
        Self {
            length: 24,
            alphabet: UNAMBIGUOUS.as_bytes().to_vec(),
        }
    }
}

impl Policy {
    /// A policy of `length` characters, each from `alphabet`.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn new(length: u32, alphabet: &str) -> Result<Self, PolicyError> {
        let mut characters = Vec::with_capacity(94);
        for c in alphabet.chars() {
            match u8::try_from(c) {
                Ok(b) if b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'`' | b'\\') => {
                    if characters.contains(&b) {
                        return Err(PolicyError::Repeated(c));
                    }
                    characters.push(b);
                }
                _ => return Err(PolicyError::Character(c)),
            }
        }
        if length > MAX_LENGTH {
            return Err(PolicyError::TooLong);
        }
        let size = characters.len();
        if !is_enough(size, length) {
            let least = (1..=128).find(|length| is_enough(size, *length));
            return Err(PolicyError::TooWeak { least });
        }
        Ok(Self {
            length,
            alphabet: characters,
        })
    }

    /// How many characters it makes.
    #[must_use]
    pub const fn length(&self) -> u32 {
        self.length
    }
}

/// Whether size^length >= 2^128: exactly when it does not fit 128 bits.
fn is_enough(size: usize, length: u32) -> bool {
    (size as u128).checked_pow(length).is_none()
}

/// A fresh password, every one that fits the policy as likely as every other.
///
/// # Errors
/// [`NoRandomness`].
pub fn generate(policy: &Policy) -> Result<Plaintext, NoRandomness> {
    from_os(|os| Ok(generate_with(policy, os)))
}

fn generate_with(policy: &Policy, rng: &mut impl CryptoRng) -> Plaintext {
    let length = policy.length as usize;
    // Made at its full size: growing would leave copies behind.
    let mut password = Vec::with_capacity(length);
    let size = policy.alphabet.len();
    // The largest multiple of the alphabet's size that a byte can hold; what is above is drawn again.
    let limit = 256 - 256 % size.max(1);
    let mut byte = [0];
    while password.len() < length {
        rng.fill_bytes(&mut byte);
        let drawn = usize::from(byte[0]);
        if drawn < limit
            && let Some(c) = policy.alphabet.get(drawn % size)
        {
            password.push(*c);
        }
    }
    zeroize::Zeroize::zeroize(&mut byte);
    Plaintext::new(password)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_policy_below_128_bits_is_refused() {
        let weak = |length, alphabet, least| {
            assert_eq!(
                Policy::new(length, alphabet),
                Err(PolicyError::TooWeak { least })
            );
        };
        weak(0, UNAMBIGUOUS, Some(23));
        weak(22, UNAMBIGUOUS, Some(23));
        weak(31, HEX, Some(32));
        weak(127, "ab", Some(128));
        weak(1000, "a", None);
        weak(24, "", None);
        for (length, alphabet) in [
            (23, UNAMBIGUOUS),
            (32, HEX),
            (128, "ab"),
            (24, WITH_SIGNS),
            (1024, "01"),
        ] {
            assert_eq!(Policy::new(length, alphabet).unwrap().length(), length);
        }
        assert_eq!(Policy::new(1025, HEX), Err(PolicyError::TooLong));
        assert_eq!(Policy::new(24, UNAMBIGUOUS), Ok(Policy::default()));
    }

    #[test]
    fn alphabets_are_plain() {
        for c in ['"', '\'', '`', '\\', ' ', '\n', '\u{7f}', 'é', '\u{1F511}'] {
            let alphabet = format!("{UNAMBIGUOUS}{c}");
            assert_eq!(Policy::new(40, &alphabet), Err(PolicyError::Character(c)));
        }
        assert_eq!(
            Policy::new(40, "abcdefghijka"),
            Err(PolicyError::Repeated('a'))
        );
        assert!(!UNAMBIGUOUS.chars().any(|c| "0Oo1Il".contains(c)));
    }

    #[test]
    fn passwords_keep_to_the_policy_and_differ() {
        let policy = Policy::default();
        let (a, b) = (generate(&policy).unwrap(), generate(&policy).unwrap());
        for password in [&a, &b] {
            assert_eq!(password.len(), 24);
            assert!(
                password
                    .expose()
                    .iter()
                    .all(|c| UNAMBIGUOUS.as_bytes().contains(c))
            );
        }
        assert!(!a.same(&b));
        assert_eq!(
            generate(&Policy::new(1024, HEX).unwrap()).unwrap().len(),
            1024
        );
    }

    #[test]
    fn characters_are_uniform() {
        // 69 does not divide 256: without rejection the first 49 would come a third more often.
        let policy = Policy::new(1000, WITH_SIGNS).unwrap();
        let mut seen = [0u32; 256];
        let rounds = 200;
        for _ in 0..rounds {
            for c in generate(&policy).unwrap().expose() {
                seen[usize::from(*c)] += 1;
            }
        }
        let size = WITH_SIGNS.len();
        let expected = f64::from(rounds * 1000) / size as f64;
        let chi2: f64 = WITH_SIGNS
            .bytes()
            .map(|c| (f64::from(seen[usize::from(c)]) - expected).powi(2) / expected)
            .sum();
        assert!(
            chi2 < 160.0,
            "chi squared is {chi2} with {} degrees of freedom",
            size - 1
        );
    }
}
