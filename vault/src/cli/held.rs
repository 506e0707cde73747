//! The terminal as a requester: what it holds of a request that it asked for.
//!
//! Filing is a touch, and keys are where browsers are; so the terminal makes the delivery key and prints a link
//! whose fragment (never sent to a server) carries its public half, the request's id and the hash of a poll
//! secret. The private half stays here: in a 0600 file under `$XDG_RUNTIME_DIR`, or in memory where there is none.

use std::cell::Cell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quorum::ids::RequestId;
use quorum::secret::DeliveryKey;
use quorum::statement::{Kind, Purpose, ReleasePurpose, Statement};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::filing::Asked;
use super::refusal::Result;
use super::remote::{Auth, Remote};
use crate::b64;
use crate::clock::SECOND;
use crate::error::Error;
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

/// What a live view says was asked to be opened.
pub(super) fn release_of(live: &Value) -> Option<ReleasePurpose> {
    let statement = live.get("statement")?.as_str()?;
    match Statement::parse(statement.as_bytes()).ok()?.kind {
        Kind::Request(request) => match request.purpose {
            Purpose::Release(release) => Some(release),
            _ => None,
        },
        _ => None,
    }
}

/// A request of this terminal.
pub(super) struct Held {
    pub(super) request: RequestId,
    pub(super) poll: Token,
    pub(super) key: DeliveryKey,
    pub(super) asked: Asked,
    url: String,
    file: Option<PathBuf>,
    seen: Cell<Seen>,
}

/// The file that lets another terminal window go on. 0600; wiped at the opening's end, or with the request's.
/// Trusted: whoever reads it opens what this request opens, until then.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// Where it was asked.
    url: String,
    request: String,
    poll: Zeroizing<String>,
    key: Zeroizing<String>,
    /// What was asked.
    asked: Asked,
    /// What was seen of the request last.
    seen: Seen,
}

/// Until when a key is of use, as far as anybody here has seen. Microseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    /// Nobody opens by it from here on. None: nobody has filed it yet.
    expires: Option<i64>,
    /// The opening's end, once it was opened.
    ends: Option<i64>,
    /// The request is over.
    over: bool,
}

impl Seen {
    fn of(live: &Value) -> Seen {
        let time = |name: &str| live.get(name).and_then(Value::as_i64);
        let state = live.get("state").and_then(Value::as_str);
        // A quorum that was reached just before `expires` may be used a while longer.
        let within = release_of(live)
            .and_then(|release| i64::try_from(release.open_within_s).ok())
            .and_then(|s| s.checked_mul(SECOND));
        let expires = match (state, time("open_until")) {
            (Some("waiting"), _) => {
                time("expires").map(|at| at.saturating_add(within.unwrap_or(0)))
            }
            (_, until) => until.or(time("expires")),
        };
        Seen {
            expires,
            ends: time("ends"),
            over: !matches!(state, Some("waiting" | "reached" | "open")),
        }
    }

    fn over(&self, now: i64) -> bool {
        self.over || self.ends.or(self.expires).is_some_and(|at| at <= now)
    }
}

impl Held {
    /// Draws id, poll secret and delivery key, and keeps them.
    pub(super) fn new(remote: &Remote, asking: &Asking) -> Result<Held> {
        let request = RequestId::from_uuid_bytes(*uuid::Uuid::now_v7().as_bytes());
        let mut held = Held {
            request,
            poll: Token::draw()?,
            key: DeliveryKey::generate().map_err(Error::internal)?,
            asked: Asked::of(asking),
            url: remote.url().to_owned(),
            file: None,
            seen: Cell::default(),
        };
        held.file = held.first_kept();
        Ok(held)
    }

    /// The request code.
    pub(super) fn code(&self) -> String {
        crate::requests::code(self.request)
    }

    fn first_kept(&self) -> Option<PathBuf> {
        use std::os::unix::fs::DirBuilderExt;
        let dir = runtime_dir()?;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .ok()?;
        let path = dir.join(self.code());
        self.write(&path).ok()?;
        Some(path)
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        use std::os::unix::fs::OpenOptionsExt;
        let kept = Kept {
            url: self.url.clone(),
            request: self.request.to_string(),
            poll: self.poll.expose(),
            key: Zeroizing::new(b64::encode(self.key.expose())),
            asked: self.asked.clone(),
            seen: self.seen.get(),
        };
        let text = Zeroizing::new(serde_json::to_vec(&kept)?);
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(&text)
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
        let Some(normal) = crate::requests::read_code(code) else {
            return Err(Error::invalid(
                "Nothing was done.",
                format!("{code} is no request code."),
                "One looks like 7KQ4-M2XD; it is on the request's page.",
            )
            .into());
        };
        let path = runtime_dir().ok_or_else(gone)?.join(normal);
        Ok(Held::read(path).ok_or_else(gone)?)
    }

    fn read(path: PathBuf) -> Option<Held> {
        let text = Zeroizing::new(std::fs::read(&path).ok()?);
        let kept: Kept = serde_json::from_slice(&text).ok()?;
        let key = Zeroizing::new(b64::decode(&kept.key)?);
        Some(Held {
            request: kept.request.parse().ok()?,
            poll: Token::from_text(&kept.poll)?,
            key: DeliveryKey::copy_of(&key)?,
            asked: kept.asked,
            url: kept.url,
            file: Some(path),
            seen: Cell::new(kept.seen),
        })
    }

    /// Notes what a live view says of the key's time; wipes the key where that is over.
    pub(super) fn see(&self, live: &Value) {
        let seen = Seen::of(live);
        if seen.over(now()) {
            self.forget();
        } else if self.seen.replace(seen) != seen
            && let Some(path) = &self.file
        {
            // Beside it first: whoever is killed on the way leaves one that is whole.
            let beside = path.with_extension(BESIDE);
            wipe(&beside);
            if self.write(&beside).is_ok() {
                let _ = std::fs::rename(&beside, path);
            }
        }
    }

    /// Whether another terminal window may go on: the key is in a file.
    pub(super) fn kept(&self) -> bool {
        self.file.is_some()
    }

    /// Removes what was kept.
    pub(super) fn forget(&self) {
        if let Some(path) = &self.file {
            wipe(path);
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
            Err(e) if e.is_missing() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Gives it back. Where that is refused, because it was over already, the key is wiped all the same.
    pub(super) async fn check_in(&self, remote: &Remote) -> Result<Value> {
        let done = remote
            .call(
                reqwest::Method::POST,
                &self.path("/check-in"),
                &Auth::Poll(&self.poll),
                Some(json!({})),
            )
            .await;
        let done = match done {
            Ok(done) => done,
            Err(e) => {
                if let Ok(Some(live)) = self.live(remote).await {
                    self.see(&live);
                }
                return Err(e);
            }
        };
        self.forget();
        Ok(done)
    }
}

const BESIDE: &str = "new";

/// Overwritten and removed. Where it is gone already, nothing is made.
fn wipe(path: &Path) {
    if let Ok(mut file) = std::fs::OpenOptions::new().write(true).open(path) {
        let length = file.metadata().map_or(0, |m| m.len());
        let zeros = vec![0; usize::try_from(length.min(1 << 16)).unwrap_or(0)];
        let _ = file.write_all(&zeros);
    }
    let _ = std::fs::remove_file(path);
}

/// Where the request of this code was asked for, where it is kept here.
pub(super) fn url_of(code: &str) -> Option<String> {
    let path = runtime_dir()?.join(crate::requests::read_code(code)?);
    Held::read(path).map(|held| held.url)
}

fn is_code(name: &str) -> bool {
    name.len() == 9
        && name.bytes().enumerate().all(|(i, b)| match i {
            4 => b == b'-',
            _ => b.is_ascii_uppercase() || b.is_ascii_digit(),
        })
}

pub(super) fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Every key that is kept here.
fn all_kept() -> Vec<Held> {
    let files = runtime_dir().and_then(|dir| std::fs::read_dir(dir).ok());
    let named = files.into_iter().flatten().flatten();
    let ours = named.filter(|f| f.file_name().to_str().is_some_and(is_code));
    ours.filter_map(|f| Held::read(f.path())).collect()
}

/// Wipes the keys whose time is over, as far as this machine knows. Every verb begins with it.
pub(super) fn sweep() {
    for held in all_kept() {
        if held.seen.get().over(now()) {
            held.forget();
        }
    }
    // What nobody filed, or what a kill left half written: nothing that may be asked for here lives longer than a day.
    const LONGEST: Duration = Duration::from_secs(24 * 3600);
    let files = runtime_dir().and_then(|dir| std::fs::read_dir(dir).ok());
    for file in files.into_iter().flatten().flatten() {
        let (name, path) = (file.file_name(), file.path());
        let whole = name.to_str().is_some_and(is_code);
        let half = path.extension().is_some_and(|e| e == BESIDE);
        let old = file
            .metadata()
            .and_then(|m| m.modified())
            .is_ok_and(|at| at.elapsed().is_ok_and(|since| since > LONGEST));
        let filed =
            whole && Held::read(path.clone()).is_some_and(|h| h.seen.get().expires.is_some());
        if (whole || half) && old && !filed {
            wipe(&path);
        }
    }
}

/// Asks this Vitrine about every other request whose key is kept here, and wipes the keys of those that are over: given back
/// on a page, withdrawn, denied. What does not answer is looked at the next time.
pub(super) async fn look_after(remote: &Remote) {
    for held in all_kept() {
        if held.url == remote.url() {
            match held.live(remote).await {
                Ok(Some(live)) => held.see(&live),
                Ok(None) => {}
                Err(_) => return,
            }
        }
    }
}

/// A relative one is none (XDG base directories): it would be wherever somebody happens to stand.
pub(super) fn runtime_dir() -> Option<PathBuf> {
    std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join("vitrine"))
}

#[cfg(test)]
mod tests {
    use quorum::Hash;
    use quorum::ids::{CredentialId, SafeId, UserId};
    use quorum::statement::{Request, SealedAs, SecretKind};

    use super::*;

    /// A request that may be opened for a quarter of an hour once it is signed.
    fn statement() -> String {
        let release = ReleasePurpose {
            credential: CredentialId::from_uuid_bytes([1; 16]),
            delivery_key: [2; 32],
            duration_s: 300,
            envelope: Hash([3; 32]),
            epoch: 1,
            open_within_s: 900,
            sealed_as: SealedAs {
                kind: SecretKind::Password,
                name: "orders".into(),
                target: None,
            },
            version: 1,
        };
        let request = Request {
            expires: 100 * SECOND,
            reason_commitment: Hash([4; 32]),
            request: RequestId::from_uuid_bytes([5; 16]),
            requester_name: "Mara Lindqvist".into(),
            roster: Hash([6; 32]),
            safe: SafeId::from_uuid_bytes([7; 16]),
            ticket: None,
            purpose: Purpose::Release(release),
        };
        let statement = Statement {
            ledger: Hash([8; 32]),
            nonce: [9; 32],
            signer: Some(UserId::from_uuid_bytes([10; 16])),
            kind: Kind::Request(Box::new(request)),
        };
        String::from_utf8_lossy(&statement.bytes()).into_owned()
    }

    #[test]
    fn a_key_is_of_use_until_its_request_or_opening_ends() {
        let statement = statement();
        let view = |state: &str, more: Value| {
            let mut live =
                json!({ "state": state, "expires": 100 * SECOND, "statement": statement });
            if let (Some(live), Value::Object(more)) = (live.as_object_mut(), more) {
                live.extend(more);
            }
            Seen::of(&live)
        };
        let cases = [
            (view("waiting", json!({})), 999, 1000),
            (
                view("reached", json!({ "open_until": 50 * SECOND })),
                49,
                50,
            ),
            (
                view("reached", json!({ "open_until": 700 * SECOND })),
                699,
                700,
            ),
            (
                view(
                    "open",
                    json!({ "open_until": 700 * SECOND, "ends": 400 * SECOND }),
                ),
                399,
                400,
            ),
        ];
        for (seen, before, after) in cases {
            assert!(!seen.over(before * SECOND), "{seen:?}");
            assert!(seen.over(after * SECOND), "{seen:?}");
        }
        for state in ["closed", "ended", "refused", "no such state"] {
            assert!(view(state, json!({})).over(0), "{state}");
        }
        assert!(!Seen::default().over(i64::MAX), "nobody has filed it");
    }

    #[test]
    fn a_code_is_no_path() {
        for name in ["7KQ4-M2XD", "0000-0000"] {
            assert!(is_code(name), "{name}");
        }
        for name in [
            "../../x-y",
            "7KQ4-M2X",
            "7KQ4M2XD0",
            "session",
            "7kq4-m2xd",
            "7KQ4-M2X/",
        ] {
            assert!(!is_code(name), "{name}");
        }
    }
}
