//! The terminal as a requester: a filing link for any browser, a live view of the quorum, the opening.
//!
//! Filing is a touch, and keys are where browsers are; so the terminal makes the delivery key and prints a link
//! whose fragment (never sent to a server) carries its public half, the request's id and the hash of a poll
//! secret. The private half stays here: in a 0600 file under `$XDG_RUNTIME_DIR`, or in memory where there is none.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use quorum::Hash;
use quorum::entry::Event;
use quorum::evidence::{Proved, Trust};
use quorum::ids::RequestId;
use quorum::secret::{self, DeliveryKey, Envelope, OpenError, Plaintext};
use quorum::statement::{self, Decision, Kind, Purpose, ReleasePurpose, Statement};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::b64;
use crate::error::{Error, Result, Words};
use crate::people::sessions::Token;

/// Where Vitrine is, for programs.
pub(super) struct Remote {
    url: String,
    http: reqwest::Client,
}

impl Remote {
    /// A client of `url`.
    pub(super) fn new(url: &str) -> Result<Remote> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(Error::internal)?;
        Ok(Remote {
            url: url.trim_end_matches('/').to_owned(),
            http,
        })
    }

    /// The address that was given.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// One call; a problem document becomes the refusal it is.
    pub(super) async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        auth: &Auth<'_>,
        body: Option<Value>,
    ) -> Result<Value> {
        let mut request = self
            .http
            .request(method, format!("{}/api/v1{path}", self.url));
        request = match auth {
            Auth::None => request,
            Auth::Poll(secret) => {
                request.header(crate::requests::poll::HEADER, secret.expose().as_str())
            }
            Auth::Session(token) => request.bearer_auth(token.as_str()),
        };
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(|e| self.unreachable(&e))?;
        let (status, text) = (
            answer.status(),
            answer.text().await.map_err(|e| self.unreachable(&e))?,
        );
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() {
            return Ok(value);
        }
        let part = |name: &str| {
            value
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let words = Words::new(part("title"), part("detail"), part("next"));
        Err(match status.as_u16() {
            401 if matches!(auth, Auth::Session(_)) => Error::forbidden(
                "Not done.",
                "This terminal is signed in no more.",
                "Run `vitrine login`.",
            ),
            401 => Error::SignIn,
            404 => Error::Missing(words),
            503 => Error::Down(words, String::new()),
            _ => Error::Conflict(words),
        })
    }

    fn unreachable(&self, e: &reqwest::Error) -> Error {
        Error::Down(
            Words::new(
                "Not asked.",
                format!("{} does not answer.", self.url),
                "Check the address (--url or VITRINE_URL), or start it with `vitrine serve`.",
            ),
            e.to_string(),
        )
    }
}

/// How a call says who it is.
pub(super) enum Auth<'a> {
    /// Nobody.
    None,
    /// The terminal that filed.
    Poll(&'a Token),
    /// A signed-in terminal.
    Session(&'a Zeroizing<String>),
}

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
    request: RequestId,
    poll: Token,
    key: DeliveryKey,
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

    fn path(&self, rest: &str) -> String {
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

    /// Opens, checks everything that came against what was asked, and puts the secret together here.
    pub(super) async fn open(&self, remote: &Remote, live: &Value) -> Result<(Plaintext, i64)> {
        let asked = live
            .get("statement")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .as_bytes()
            .to_vec();
        let statement = Statement::parse(&asked).map_err(wrong)?;
        let release = match statement.kind {
            Kind::Request(r) if r.request == self.request => match r.purpose {
                Purpose::Release(release) => release,
                _ => return Err(wrong("the request is for something else")),
            },
            _ => return Err(wrong("the request is another one")),
        };
        if release.delivery_key != self.key.public().map_err(Error::internal)? {
            return Err(wrong("the request names another terminal's key"));
        }
        let got = remote
            .call(
                reqwest::Method::POST,
                &self.path("/open"),
                &Auth::Poll(&self.poll),
                Some(json!({})),
            )
            .await?;
        let text = |p: &str| {
            got.get(p)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let envelope = Envelope::parse(text("envelope").as_bytes()).map_err(wrong)?;
        if envelope.hash() != release.envelope {
            return Err(wrong("the envelope is not the one that was approved"));
        }
        let leaf = self.opened(&got, statement.ledger, &release)?;
        let h = b64::decode(&text("h")).ok_or_else(|| wrong("h is missing"))?;
        let h = secret::open_delivered_h(&h, &self.key, &leaf, &envelope).map_err(wrong)?;
        let mut shares = Vec::new();
        for sent in got
            .get("shares")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if let Some(share) = self.share(sent, &asked, &envelope) {
                shares.push(share);
            }
        }
        let plaintext = secret::combine(&envelope, &shares, &h).map_err(|e| match e {
            OpenError::WrongShare { x } => wrong(format!(
                "the share of place {x} is not the one that was sealed"
            )),
            other => wrong(other),
        })?;
        Ok((
            plaintext,
            got.get("ends").and_then(Value::as_i64).unwrap_or_default(),
        ))
    }

    /// The opening is in the ledger that the request was signed for, under a signed checkpoint, and opens what was asked
    /// for; gives its leaf.
    fn opened(&self, got: &Value, ledger: Hash, release: &ReleasePurpose) -> Result<Hash> {
        let proved = |at: &Value| {
            let hashes = at.get("proof")?.as_array()?.iter();
            Some(Proved {
                seq: at.get("seq")?.as_u64()?,
                entry: at.get("entry")?.as_str()?.as_bytes().to_vec(),
                proof: hashes
                    .map(|h| h.as_str()?.parse().ok())
                    .collect::<Option<_>>()?,
            })
        };
        let (entry, founding) = proved(got)
            .zip(got.get("founding").and_then(proved))
            .ok_or_else(|| wrong("the opening came without its proof"))?;
        let note = got.get("checkpoint").and_then(Value::as_str);
        let trust =
            Trust::check(note.unwrap_or_default(), &founding, ledger, None, &[]).map_err(wrong)?;
        let entry = trust.entry(&entry).map_err(wrong)?;
        match &entry.event {
            Event::ReleaseOpened(o)
                if o.request == self.request
                    && o.credential == release.credential
                    && o.version == release.version
                    && o.envelope == release.envelope =>
            {
                Ok(entry.leaf)
            }
            _ => Err(wrong("the ledger has another opening")),
        }
    }

    /// One re-sealed share; a bad one is named and left out.
    fn share(&self, sent: &Value, asked: &[u8], envelope: &Envelope) -> Option<secret::Share> {
        let text = |p: &str| {
            sent.get(p)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let approval = text("statement");
        let x = sent
            .get("x")
            .and_then(Value::as_u64)
            .and_then(|x| u8::try_from(x).ok())?;
        let good = match Statement::parse(approval.as_bytes()).ok()?.kind {
            Kind::Approval(a) => {
                a.decision == Decision::Approve && quorum::json::encode(&a.subject) == asked
            }
            _ => false,
        };
        let opened = good
            .then(|| {
                secret::open_delivered_share(
                    &b64::decode(&text("sealed"))?,
                    x,
                    &self.key,
                    &statement::challenge(approval.as_bytes()),
                    envelope,
                )
                .ok()
            })
            .flatten();
        if opened.is_none() {
            eprintln!(
                "The share of {} is not good. It is left out; tell a custodian.",
                text("name")
            );
        }
        opened
    }
}

fn wrong(why: impl std::fmt::Display) -> Error {
    Error::Tampered(Words::new(
        "Not opened.",
        format!("What the server gave does not fit: {why}."),
        "Check in, and call a custodian.",
    ))
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

fn runtime_dir() -> Option<PathBuf> {
    std::env::var_os("XDG_RUNTIME_DIR").map(|d| PathBuf::from(d).join("vitrine"))
}

/// Watches until enough have signed; draws the quorum on stderr. Ctrl-C stops watching, the request stays.
pub(super) async fn wait(remote: &Remote, held: &Held) -> Result<Value> {
    let (mut drawn, mut told) = (0, false);
    loop {
        match held.live(remote).await? {
            None => {
                if !told {
                    eprintln!("Waiting for the link to be opened and filed.");
                    told = true;
                }
            }
            Some(live) => {
                draw(&live, held.kept(), &mut drawn);
                match live.get("state").and_then(Value::as_str) {
                    Some("reached" | "open") => return Ok(live),
                    Some("waiting") => {}
                    _ => {
                        held.forget();
                        let why = live
                            .get("why")
                            .and_then(Value::as_str)
                            .unwrap_or("ended")
                            .to_owned();
                        return Err(Error::conflict(
                            "Not opened.",
                            format!("The request {} is over: {why}.", held.code()),
                            "Ask again: everybody signs anew.",
                        ));
                    }
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}

/// One block per change: redrawn in place on a terminal, one line per person otherwise.
fn draw(live: &Value, kept: bool, drawn: &mut usize) {
    let text = |v: &Value, p: &str| {
        v.get(p)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let unicode = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .filter_map(|n| std::env::var(n).ok())
        .any(|v| v.to_ascii_lowercase().contains("utf"));
    let mark = |state: &str| match (state, unicode) {
        ("signed", true) => "✓",
        ("signed", false) => "[x]",
        ("reading", true) => "◐",
        ("reading", false) => "[~]",
        ("cannot" | "denied", true) => "×",
        ("cannot" | "denied", false) => "[-]",
        (_, true) => "○",
        (_, false) => "[ ]",
    };
    let asked = live
        .get("asked")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let signed = live
        .get("signed")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    let mut lines = vec![format!(
        "{}  {}, entry {}",
        text(live, "code"),
        text(live, "name"),
        live.get("seq").and_then(Value::as_u64).unwrap_or(0)
    )];
    for person in &asked {
        let state = text(person, "state");
        lines.push(format!(
            "  {} {:<20} {}",
            mark(&state),
            text(person, "name"),
            if state == "cannot" {
                "cannot sign"
            } else {
                &state
            }
        ));
    }
    let needed = live.get("needed").and_then(Value::as_u64).unwrap_or(0);
    lines.push(if kept {
        let code = text(live, "code");
        format!("  {signed} of {needed}   Ctrl-C stops watching; vitrine break --resume {code}")
    } else {
        format!("  {signed} of {needed}   The key is in memory alone: stay here")
    });
    let block = lines.join("\n");
    let print = Sha256::digest(block.as_bytes())
        .iter()
        .take(6)
        .fold(0_usize, |a, b| a << 8 | usize::from(*b));
    if *drawn >> 8 == print >> 8 && *drawn != 0 {
        return;
    }
    if *drawn != 0 && std::io::stderr().is_terminal() {
        eprint!("\x1b[{}A\x1b[J", lines.len());
    }
    eprintln!("{block}");
    *drawn = print | 1;
}

/// Where a signed-in terminal keeps its session.
pub(super) fn session_file() -> Option<PathBuf> {
    runtime_dir().map(|d| d.join("session"))
}

/// The session of this terminal.
pub(super) fn session() -> Result<Zeroizing<String>> {
    let path = session_file().ok_or(Error::SignIn)?;
    std::fs::read_to_string(path)
        .map(|s| Zeroizing::new(s.trim().to_owned()))
        .map_err(|_| {
            Error::forbidden(
                "Not done.",
                "This terminal is not signed in.",
                "Run `vitrine login` first.",
            )
        })
}

/// Signs this terminal in through any browser.
pub(super) async fn login(remote: &Remote, as_json: bool) -> Result<()> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let path = session_file().ok_or_else(|| {
        Error::invalid(
            "Not signed in.",
            "There is no $XDG_RUNTIME_DIR to keep a session in.",
            "Set it to a directory that only you can read.",
        )
    })?;
    let about = remote
        .call(reqwest::Method::GET, "/ledger", &Auth::None, None)
        .await?;
    let origin = about
        .pointer("/origins/0")
        .and_then(Value::as_str)
        .unwrap_or(remote.url())
        .to_owned();
    let poll = Token::draw()?;
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let label: String =
        url::form_urlencoded::byte_serialize(format!("terminal on {}", host.trim()).as_bytes())
            .collect::<String>()
            .replace('+', "%20");
    eprintln!(
        "Open this in any browser where you can touch your key:\n  {origin}/you/terminal#p={}&l={label}",
        poll.digest("poll")
    );
    for _ in 0..400 {
        let got = remote
            .call(reqwest::Method::GET, "/terminals", &Auth::Poll(&poll), None)
            .await?;
        if let Some(token) = got.get("token").and_then(Value::as_str) {
            let dir = path.parent().map(ToOwned::to_owned).unwrap_or_default();
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&dir)
                .map_err(Error::internal)?;
            let _ = std::fs::remove_file(&path);
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
                .map_err(Error::internal)?;
            file.write_all(token.as_bytes()).map_err(Error::internal)?;
            let name = got.get("name").and_then(Value::as_str).unwrap_or_default();
            if as_json {
                println!("{}", json!({ "name": name }))
            } else {
                println!("Signed in as {name}, for 12 hours at most.")
            }
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(750)).await;
    }
    Err(Error::conflict(
        "Not signed in.",
        "Nobody opened the link in five minutes.",
        "Run `vitrine login` again.",
    ))
}
