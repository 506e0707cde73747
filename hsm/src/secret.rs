//! The two secrets that pass through here: the PIN going in, the opened bytes coming out.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

/// The longest PIN file that is read, in bytes.
const LONGEST_PIN: u64 = 1024;

/// A token's user PIN. Wiped on drop; can't be printed, copied or compared.
///
/// Trusted: whoever holds it can ask the token to open every `h` it wrapped; no quorum's share is behind it.
pub struct Pin(AuthPin);

impl Pin {
    /// Takes the PIN and wipes the argument.
    pub fn new(pin: Zeroizing<String>) -> Self {
        Self(AuthPin::new(Box::from(pin.as_str())))
    }

    /// Reads a PIN file: UTF-8, at most 1 KiB, one trailing newline is not part of the PIN.
    ///
    /// # Errors
    /// [`PinError::Open`] when others than its owner may read it (mode & 077).
    pub fn from_file(path: &Path) -> Result<Self, PinError> {
        let trouble = |error| PinError::Read {
            path: path.to_owned(),
            error,
        };
        let file = File::open(path).map_err(trouble)?;
        if file.metadata().map_err(trouble)?.mode() & 0o077 != 0 {
            return Err(PinError::Open {
                path: path.to_owned(),
            });
        }
        Self::read(path, file)
    }

    /// Reads the systemd credential `name` (`LoadCredential=`, `LoadCredentialEncrypted=`). Its directory is
    /// private to the service, so that the file's own mode says nothing.
    ///
    /// # Errors
    /// [`PinError::NoCredentials`] outside a service with credentials; [`PinError::Read`] otherwise.
    pub fn from_credential(name: &str) -> Result<Self, PinError> {
        let dir = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or(PinError::NoCredentials)?;
        let path = PathBuf::from(dir).join(name);
        let file = File::open(&path).map_err(|error| PinError::Read {
            path: path.clone(),
            error,
        })?;
        Self::read(&path, file)
    }

    fn read(path: &Path, file: File) -> Result<Self, PinError> {
        let trouble = |error| PinError::Read {
            path: path.to_owned(),
            error,
        };
        // Sized first: a growing buffer would leave copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST_PIN as usize + 1));
        file.take(LONGEST_PIN + 1)
            .read_to_end(&mut bytes)
            .map_err(trouble)?;
        let pin = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        match std::str::from_utf8(pin) {
            Ok(pin) if !pin.is_empty() && bytes.len() as u64 <= LONGEST_PIN => {
                Ok(Self(AuthPin::new(Box::from(pin))))
            }
            _ => Err(PinError::NotAPin {
                path: path.to_owned(),
            }),
        }
    }

    pub(crate) fn expose(&self) -> &AuthPin {
        &self.0
    }
}

/// Where a token's PIN is read from: at its first login, and kept from then on.
pub struct PinSource(Place);

enum Place {
    File(PathBuf, OnceLock<Pin>),
    Credential(String, OnceLock<Pin>),
    Given(Pin),
}

impl PinSource {
    /// A private file, as [`Pin::from_file`].
    pub fn file(path: PathBuf) -> Self {
        Self(Place::File(path, OnceLock::new()))
    }

    /// A systemd credential, as [`Pin::from_credential`].
    pub fn credential(name: String) -> Self {
        Self(Place::Credential(name, OnceLock::new()))
    }

    /// The PIN, read now if it was not yet. What can't be read is read again the next time.
    pub(crate) fn pin(&self) -> Result<&Pin, PinError> {
        match &self.0 {
            Place::File(path, read) => once(read, || Pin::from_file(path)),
            Place::Credential(name, read) => once(read, || Pin::from_credential(name)),
            Place::Given(pin) => Ok(pin),
        }
    }
}

impl From<Pin> for PinSource {
    fn from(pin: Pin) -> Self {
        Self(Place::Given(pin))
    }
}

fn once(
    read: &OnceLock<Pin>,
    look: impl FnOnce() -> Result<Pin, PinError>,
) -> Result<&Pin, PinError> {
    if let Some(pin) = read.get() {
        return Ok(pin);
    }
    let pin = look()?;
    Ok(read.get_or_init(|| pin))
}

/// Why a PIN could not be read.
#[derive(Debug)]
pub enum PinError {
    /// The file can't be read.
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
    /// The file may be read by others than its owner.
    Open {
        /// The file.
        path: PathBuf,
    },
    /// The file is empty, too long, or not UTF-8.
    NotAPin {
        /// The file.
        path: PathBuf,
    },
    /// `CREDENTIALS_DIRECTORY` is not set: this is not a systemd service with credentials.
    NoCredentials,
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, error } => {
                write!(f, "the PIN file {} can't be read: {error}", path.display())
            }
            Self::Open { path } => {
                write!(
                    f,
                    "the PIN file {0} may be read by others; run: chmod 600 {0}",
                    path.display()
                )
            }
            Self::NotAPin { path } => write!(f, "the PIN file {} holds no PIN", path.display()),
            Self::NoCredentials => write!(
                f,
                "CREDENTIALS_DIRECTORY is not set: no systemd credentials here"
            ),
        }
    }
}

impl std::error::Error for PinError {}

/// What [`crate::Token::random`] drew: a key to be, often. Wiped on drop; can't be printed, copied or compared.
pub struct Random(pub(crate) Zeroizing<Vec<u8>>);

impl Random {
    /// The drawn bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// What [`crate::Token::unwrap`] opened. Wiped on drop; can't be printed, copied or compared.
pub struct Unwrapped(pub(crate) Zeroizing<Vec<u8>>);

impl Unwrapped {
    /// The opened bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(content: &[u8], mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn pin_file_read_by_others_is_refused() {
        for mode in [0o640, 0o604, 0o660, 0o644] {
            let f = file(b"1234", mode);
            assert!(
                matches!(Pin::from_file(f.path()), Err(PinError::Open { .. })),
                "{mode:o}"
            );
        }
        assert!(Pin::from_file(file(b"1234\n", 0o600).path()).is_ok());
        assert!(Pin::from_file(file(b"1234", 0o400).path()).is_ok());
    }

    #[test]
    fn pin_file_without_a_pin_is_refused() {
        for content in [&b""[..], b"\n", b"\xff\xfe", &[b'1'; 1025]] {
            let f = file(content, 0o600);
            assert!(matches!(
                Pin::from_file(f.path()),
                Err(PinError::NotAPin { .. })
            ));
        }
    }
}
