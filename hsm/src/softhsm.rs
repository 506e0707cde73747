//! Tokens of SoftHSM in a directory: the default of a first start, of tests and of the demo. Not an HSM.
//!
//! ```text
//! DIR/               0700
//!   softhsm2.conf    0600  where the tokens are; read by the module through SOFTHSM2_CONF
//!   tokens/          0700  the module's own
//!   LABEL.pin        0600  the user PIN of the token LABEL, once that token is ready
//!   LABEL.pin.new    0600  the same and, on a second line, the security officer's, while it is being made
//!   lock             0600  held while tokens are made
//! ```
//!
//! Trusted: whoever reads `DIR` has the keys, all of them: a soft token is encrypted with its PIN, and the PIN
//! lies beside it.
//!
//! The module reads its configuration from the environment, and a process can't safely change its own: the
//! program calls [`environment`], and runs itself again (`exec`) with that variable if it has another value.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use crate::module::{Closed, Module, Pass};
use crate::ops;
use crate::secret::PinSource;
use crate::spec::{Select, TokenSpec};

/// Where distributions put the module.
const PLACES: [&str; 5] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

/// How long making tokens may wait for the module.
const PATIENCE: Duration = Duration::from_secs(10);

/// The SoftHSM module of this machine.
///
/// # Errors
/// [`ProvisionError::NoModule`], which names the package to install.
pub fn module() -> Result<PathBuf, ProvisionError> {
    PLACES
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
        .ok_or(ProvisionError::NoModule)
}

/// The environment variable, and its value, that the process must have been started with before a token in `dir`
/// can be made or opened.
pub fn environment(dir: &Path) -> (&'static str, PathBuf) {
    // Without a working directory nothing relative can be opened either: the error comes from there.
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    ("SOFTHSM2_CONF", dir.join("softhsm2.conf"))
}

/// The PIN file of the token `label`.
pub fn pin_file(dir: &Path, label: &str) -> PathBuf {
    dir.join(format!("{label}.pin"))
}

/// How to open the token `label` of `dir`.
///
/// A PIN file that is missing shows when it is opened, in its health.
///
/// # Errors
/// No module, or no tokens were ever made in `dir`.
pub fn spec(dir: &Path, label: &str) -> Result<TokenSpec, ProvisionError> {
    let conf = dir.join("softhsm2.conf");
    if let Err(error) = fs::metadata(&conf) {
        return Err(ProvisionError::Files { path: conf, error });
    }
    Ok(TokenSpec::new(
        module()?,
        Select::Label(label.to_owned()),
        PinSource::file(pin_file(dir, label)),
    ))
}

/// Makes the directory and the module's configuration. Needs no module and no environment.
///
/// # Errors
/// The file system's.
pub fn lay_out(dir: &Path) -> Result<(), ProvisionError> {
    let dir = &absolute(dir)?;
    for path in [dir.clone(), dir.join("tokens")] {
        match fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
        {
            Ok(()) => {}
            Err(error) => return Err(ProvisionError::Files { path, error }),
        }
    }
    let tokens = dir.join("tokens");
    let tokens = tokens
        .to_str()
        .filter(|t| !t.contains(['\n', '#']))
        .ok_or(ProvisionError::Path)?;
    let conf = format!(
        "directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
    );
    let path = dir.join("softhsm2.conf");
    if fs::read(&path).is_ok_and(|there| there == conf.as_bytes()) {
        return Ok(());
    }
    put(&path, conf.as_bytes())
}

/// Makes what is missing of the directory, the configuration and one token for each label (1 to 32 characters of
/// `a-z 0-9 -`), each with a random PIN of its own. Safe to call at every start, and after a crash at any point of
/// an earlier call. Cheap when all is there: then the module is not even loaded.
///
/// # Errors
/// [`ProvisionError::Environment`] if the process was not started with [`environment`]: the directory and the
/// configuration are there by then, so start it again with that.
pub fn provision(dir: &Path, labels: &[&str]) -> Result<(), ProvisionError> {
    let dir = &absolute(dir)?;
    for label in labels {
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if label.is_empty() || label.len() > 32 || !label.chars().all(fine) {
            return Err(ProvisionError::Label((*label).to_owned()));
        }
    }
    lay_out(dir)?;
    let (variable, value) = environment(dir);
    if std::env::var_os(variable).map(PathBuf::from).as_ref() != Some(&value) {
        return Err(ProvisionError::Environment { variable, value });
    }
    let missing = |label: &&&str| !pin_file(dir, label).exists();
    if !labels.iter().any(|label| missing(&label)) {
        return Ok(());
    }
    let path = dir.join("lock");
    let lock = private().create(true).truncate(false).open(&path);
    let lock = lock.and_then(|lock| lock.lock().map(|()| lock));
    let _lock = lock.map_err(|error| ProvisionError::Files { path, error })?;
    let module = Module::at(&module()?).map_err(said)?;
    module.join(PATIENCE).map_err(closed)?;
    let made = labels.iter().filter(missing).try_for_each(|label| {
        let pass = module.enter(Instant::now() + PATIENCE).map_err(closed)?;
        make(&pass, dir, label)
    });
    module.leave(PATIENCE);
    made
}

/// Makes one token. The PINs are on disk before the token exists, and get their name when it is ready, so that
/// after a crash each step finds what the one before it left.
fn make(pass: &Pass<'_>, dir: &Path, label: &str) -> Result<(), ProvisionError> {
    let (new, ready) = (dir.join(format!("{label}.pin.new")), pin_file(dir, label));
    let there = pass.slot(&Select::Label(label.to_owned())).ok();
    let pins = match Pins::read(&new)? {
        Some(pins) => pins,
        // A token whose PIN nobody has may hold somebody's keys.
        None if there.is_some() => return Err(ProvisionError::Orphan(label.to_owned())),
        None => {
            let pins = Pins::random()?;
            put(&new, pins.text().as_bytes())?;
            pins
        }
    };
    let slot = match there {
        Some(slot) => slot,
        None => {
            let slot = free_slot(pass)?;
            pass.pkcs11()
                .init_token(slot, &pins.officer, label)
                .map_err(said)?;
            slot
        }
    };
    let session = pass.pkcs11().open_rw_session_no_drop(slot).map_err(said)?;
    let outcome = give_pin(&session, &pins);
    let _ = session.close();
    outcome?;
    // Last: from here on the token counts as ready.
    put(&ready, format!("{}\n", *pins.user_text).as_bytes())?;
    fs::remove_file(&new).map_err(|error| ProvisionError::Files { path: new, error })
}

fn give_pin(session: &Session, pins: &Pins) -> Result<(), ProvisionError> {
    match session.login(UserType::User, Some(&pins.user)) {
        Ok(()) => return session.logout().map_err(said),
        // The token was made and its user's PIN was not.
        Err(Error::Pkcs11(RvError::UserPinNotInitialized, _)) => {}
        Err(e) if ops::refuses_pin(&e) => {}
        Err(e) => return Err(said(e)),
    }
    session
        .login(UserType::So, Some(&pins.officer))
        .map_err(said)?;
    let given = session.init_pin(&pins.user).map_err(said);
    session.logout().map_err(said)?;
    given
}

fn free_slot(pass: &Pass<'_>) -> Result<Slot, ProvisionError> {
    let slots = pass.pkcs11().get_slots_with_token().map_err(said)?;
    let free = |slot: &Slot| {
        pass.pkcs11()
            .get_token_info(*slot)
            .is_ok_and(|token| !token.token_initialized())
    };
    slots
        .into_iter()
        .find(free)
        .ok_or_else(|| ProvisionError::Token("it has no free slot".to_owned()))
}

/// The PINs of a token that is being made. The officer's is forgotten afterwards: nobody needs it.
struct Pins {
    user_text: Zeroizing<String>,
    officer_text: Zeroizing<String>,
    user: AuthPin,
    officer: AuthPin,
}

impl Pins {
    fn random() -> Result<Self, ProvisionError> {
        let path = PathBuf::from("/dev/urandom");
        let mut bytes = Zeroizing::new([0; 64]);
        File::open(&path)
            .and_then(|mut file| file.read_exact(bytes.as_mut_slice()))
            .map_err(|error| ProvisionError::Files { path, error })?;
        let (user, officer) = bytes.split_at(32);
        Ok(Self::of(
            Zeroizing::new(hex::encode(user)),
            Zeroizing::new(hex::encode(officer)),
        ))
    }

    fn of(user_text: Zeroizing<String>, officer_text: Zeroizing<String>) -> Self {
        let pin = |text: &str| AuthPin::new(Box::from(text));
        Self {
            user: pin(&user_text),
            officer: pin(&officer_text),
            user_text,
            officer_text,
        }
    }

    fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}\n{}\n", *self.user_text, *self.officer_text))
    }

    /// What an earlier call left. `None` if it left nothing.
    fn read(path: &Path) -> Result<Option<Self>, ProvisionError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(ProvisionError::Files {
                    path: path.to_owned(),
                    error,
                });
            }
        };
        let mut lines = text.lines().map(|line| Zeroizing::new(line.to_owned()));
        match (lines.next(), lines.next()) {
            (Some(user), Some(officer)) => Ok(Some(Self::of(user, officer))),
            _ => Err(ProvisionError::Files {
                path: path.to_owned(),
                error: io::ErrorKind::InvalidData.into(),
            }),
        }
    }
}

/// Writes a private file so that a crash leaves the old one or the new one.
fn put(path: &Path, content: &[u8]) -> Result<(), ProvisionError> {
    let trouble = |error| ProvisionError::Files {
        path: path.to_owned(),
        error,
    };
    let temporary = path.with_added_extension("tmp");
    let write = || {
        let mut file = private().create(true).truncate(true).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        match path.parent() {
            Some(dir) => File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    };
    write().map_err(trouble)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

fn absolute(dir: &Path) -> Result<PathBuf, ProvisionError> {
    std::path::absolute(dir).map_err(|error| ProvisionError::Files {
        path: dir.to_owned(),
        error,
    })
}

fn said(e: Error) -> ProvisionError {
    ProvisionError::Token(ops::words(&e))
}

fn closed(e: Closed) -> ProvisionError {
    ProvisionError::Token(e.to_string())
}

/// Why there are no soft tokens.
#[derive(Debug)]
pub enum ProvisionError {
    /// The process must be started again with this in its environment.
    Environment {
        /// The variable's name.
        variable: &'static str,
        /// Its value.
        value: PathBuf,
    },
    /// SoftHSM is not installed.
    NoModule,
    /// A file can't be written or read.
    Files {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
    /// The directory's path can't be written into a SoftHSM configuration.
    Path,
    /// Not a label.
    Label(String),
    /// There is a token with this label and no PIN file: it may hold keys, so it is left alone.
    Orphan(String),
    /// The module refused.
    Token(String),
}

impl fmt::Display for ProvisionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment { variable, value } => {
                write!(f, "start the program with {variable}={}", value.display())
            }
            Self::NoModule => write!(f, "SoftHSM is not installed; run: apt-get install softhsm2"),
            Self::Files { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Path => write!(
                f,
                "the path of the token directory can't be written into softhsm2.conf"
            ),
            Self::Label(label) => {
                write!(f, "{label:?} is not a token label (1 to 32 of a-z, 0-9, -)")
            }
            Self::Orphan(label) => {
                write!(
                    f,
                    "there is a token {label} and no PIN file for it; put the file back, or the token elsewhere"
                )
            }
            Self::Token(why) => write!(f, "SoftHSM: {why}"),
        }
    }
}

impl std::error::Error for ProvisionError {}
