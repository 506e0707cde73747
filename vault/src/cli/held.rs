//! The terminal as a requester: what it holds of a request that it asked for.
//!
//! Filing is a touch, and keys are where browsers are; so the terminal makes the delivery key and prints a link
//! whose fragment (never sent to a server) carries its public half, the request's id and the hash of a poll
//! secret. The private half stays here: in a 0600 file under `$XDG_RUNTIME_DIR`, or in memory where there is none.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use quorum::ids::RequestId;
use quorum::secret::DeliveryKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::remote::{Auth, Remote};
use crate::b64;
use crate::error::{Error, Result};
use crate::people::sessions::Token;

/// What one asks for.
pub(super) struct Asking {
    /// Part of a name, or an id.
    pub(super) credential: String,
    /// Why.
    pub(super) why: String,
    /// Incident.
    pub(super) ticket: Option<String>,
    /// Seconds.
    pub(super) seconds: u64,
}

/// A request of this terminal.
pub(super) struct Held {
    pub(super) request: RequestId,
    pub(super) poll: Token,
    pub(super) key: DeliveryKey,
    file: Option<PathBuf>,
}

/// The file that lets another terminal window go on. 0600; removed at the opening's end.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    request: String,
    poll: Zeroizing<String>,
    key: Zeroizing<String>,
}

impl Held {
    /// Draws id, poll secret and delivery key, and keeps them.
    pub(super) fn new() -> Result<Held> {
        let request = RequestId::from_uuid_bytes(*uuid::Uuid::now_v7().as_bytes());
        let mut held = Held {
            request,
            poll: Token::draw()?,
            key: DeliveryKey::generate().map_err(Error::internal)?,
            file: None,
        };
        held.file = held.keep();
        Ok(held)
    }

    /// The request code.
    pub(super) fn code(&self) -> String {
        crate::requests::code(self.request)
    }

    fn keep(&self) -> Option<PathBuf> {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        let dir = runtime_dir()?;
        sweep(&dir);
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .ok()?;
        let path = dir.join(self.code());
        let kept = Kept {
            request: self.request.to_string(),
            poll: self.poll.expose(),
            key: Zeroizing::new(b64::encode(self.key.expose())),
        };
        let text = Zeroizing::new(serde_json::to_vec(&kept).ok()?);
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .ok()?;
        file.write_all(&text).ok()?;
        Some(path)
    }

    /// Finds a kept request by its code.
    pub(super) fn resume(code: &str) -> Result<Held> {
        let gone = || {
            Error::conflict(
                format!("This terminal does not hold the key of {code}."),
                "It was asked for on another machine, its time is over, or there is no $XDG_RUNTIME_DIR here to keep keys in.",
                "Open it where it was asked for, or withdraw it and ask again.",
            )
        };
        let code = code.trim().to_ascii_uppercase();
        if !code.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(gone());
        }
        let path = runtime_dir().ok_or_else(gone)?.join(&code);
        let text = Zeroizing::new(std::fs::read(&path).map_err(|_| gone())?);
        let kept: Kept = serde_json::from_slice(&text).map_err(|_| gone())?;
        let key = Zeroizing::new(b64::decode(&kept.key).ok_or_else(gone)?);
        Ok(Held {
            request: kept.request.parse().map_err(|_| gone())?,
            poll: Token::from_text(&kept.poll).ok_or_else(gone)?,
            key: DeliveryKey::copy_of(&key).ok_or_else(gone)?,
            file: Some(path),
        })
    }

    /// Whether another terminal window may go on: the key is in a file.
    pub(super) fn kept(&self) -> bool {
        self.file.is_some()
    }

    /// Removes what was kept.
    pub(super) fn forget(&self) {
        if let Some(path) = &self.file {
            let _ = std::fs::write(path, [0; 256]);
            let _ = std::fs::remove_file(path);
        }
    }

    /// The link that any browser may file.
    pub(super) fn link(&self, origin: &str, asking: &Asking) -> Result<String> {
        let key = self.key.public().map_err(Error::internal)?;
        // In the fragment a space is %20: `+` there would be read as a space by some and not by others.
        let quote = |text: &str| {
            url::form_urlencoded::byte_serialize(text.as_bytes())
                .collect::<String>()
                .replace('+', "%20")
        };
        let mut link = format!(
            "{origin}/break/link#r={}&k={}&p={}&c={}&why={}&for={}",
            self.request,
            b64::encode(&key),
            self.poll.digest("poll"),
            quote(&asking.credential),
            quote(&asking.why),
            asking.seconds
        );
        if let Some(ticket) = &asking.ticket {
            link.push_str("&ticket=");
            link.push_str(&quote(ticket));
        }
        Ok(link)
    }

    /// First 16 hex digits of SHA-256 of the delivery key, for comparing with the browser.
    pub(super) fn fingerprint(&self) -> Result<String> {
        let key = self.key.public().map_err(Error::internal)?;
        let digest = hex::encode(Sha256::digest(key));
        Ok(super::grouped(digest.get(..16).unwrap_or_default()))
    }

    pub(super) fn path(&self, rest: &str) -> String {
        format!("/requests/{}{rest}", self.request)
    }

    /// The live view; `None` until somebody has filed the link.
    pub(super) async fn live(&self, remote: &Remote) -> Result<Option<Value>> {
        match remote
            .call(
                reqwest::Method::GET,
                &self.path(""),
                &Auth::Poll(&self.poll),
                None,
            )
            .await
        {
            Ok(live) => Ok(Some(live)),
            Err(Error::Missing(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Gives it back.
    pub(super) async fn check_in(&self, remote: &Remote) -> Result<Value> {
        let done = remote
            .call(
                reqwest::Method::POST,
                &self.path("/check-in"),
                &Auth::Poll(&self.poll),
                Some(json!({})),
            )
            .await?;
        self.forget();
        Ok(done)
    }
}

/// Removes keys of requests whose time is over: nothing that may be asked for here lives longer than a day.
fn sweep(dir: &std::path::Path) {
    const LONGEST: Duration = Duration::from_secs(24 * 3600);
    let Ok(files) = std::fs::read_dir(dir) else {
        return;
    };
    for file in files.flatten() {
        let name = file.file_name();
        let ours = name
            .to_str()
            .is_some_and(|n| n.len() == 9 && n.as_bytes().get(4) == Some(&b'-'));
        let old = file
            .metadata()
            .and_then(|m| m.modified())
            .is_ok_and(|at| at.elapsed().is_ok_and(|since| since > LONGEST));
        if ours && old {
            let _ = std::fs::write(file.path(), [0; 256]);
            let _ = std::fs::remove_file(file.path());
        }
    }
}

pub(super) fn runtime_dir() -> Option<PathBuf> {
    std::env::var_os("XDG_RUNTIME_DIR").map(|d| PathBuf::from(d).join("vitrine"))
}
