//! `break`, `checkin`, `rotate`: what people do at three in the morning.

use std::io::{IsTerminal, Write};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::clipboard::{Clipboard, STAYS};
use super::held::{self, Asking, Held};
use super::refusal::{Result, plain};
use super::remote::{Auth, Remote};
use super::signals::Signals;
use super::{live, session};
use crate::error::Error;

/// Prints the filing link and where it can opens it.
pub(super) fn show_link(remote_origin: &str, held: &Held, asking: &Asking) -> Result<()> {
    let link = held.link(remote_origin, asking)?;
    eprintln!(
        "{}  open this in any browser where you can touch your key:",
        held.code()
    );
    eprintln!("  {link}");
    eprintln!("  It shows the key {}: compare.", held.fingerprint()?);
    if std::env::var_os("DISPLAY").is_some() && std::env::var_os("SSH_CONNECTION").is_none() {
        let _ = std::process::Command::new("xdg-open")
            .arg(&link)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
    }
    Ok(())
}

/// Asks for the reason where none was given and somebody can answer; approvers read it before they sign.
pub(super) fn say_why(asking: &mut Asking) -> Result<()> {
    if asking.why.trim().is_empty() && std::io::stdin().is_terminal() {
        eprint!("Why? One or two sentences that approvers read: ");
        asking.why.clear();
        std::io::stdin()
            .read_line(&mut asking.why)
            .map_err(Error::internal)?;
        asking.why = asking.why.trim().to_owned();
    }
    if asking.why.trim().is_empty() {
        return Err(Error::invalid(
            "Not asked.",
            "A request says why.",
            "Give --why with a sentence or two.",
        )
        .into());
    }
    Ok(())
}

/// What `break` was told.
pub(super) struct Breaking<'a> {
    pub(super) asking: Option<Asking>,
    pub(super) resume: Option<&'a str>,
    /// Opens without asking once more.
    pub(super) yes: bool,
    /// Puts it on the clipboard, and prints nothing of it.
    pub(super) copy: bool,
    pub(super) as_json: bool,
}

/// `vitrine break`: asks, waits, opens, prints or copies.
pub(super) async fn break_glass(remote: &Remote, breaking: Breaking<'_>) -> Result<ExitCode> {
    let Breaking {
        asking,
        resume,
        yes,
        copy,
        as_json,
    } = breaking;
    // First, so that nobody is asked for what could not be shown.
    let clipboard = copy.then(Clipboard::of_terminal).transpose()?;
    let (held, known) = match (resume, asking) {
        (Some(code), _) => {
            let held = Held::resume(code)?;
            (held, remote.met().await?.1)
        }
        (None, Some(mut asking)) => {
            say_why(&mut asking)?;
            let (origin, known) = remote.met().await?;
            let held = Held::new(remote, &asking)?;
            show_link(&origin, &held, &asking)?;
            (held, known)
        }
        (None, None) => {
            return Err(Error::invalid(
                "Not asked.",
                "There is no credential to ask for.",
                "Give part of its name and --why, or --resume CODE.",
            )
            .into());
        }
    };
    let live = live::wait(remote, &held, &known).await?;
    let reached = live.get("state").and_then(Value::as_str) == Some("reached");
    if !yes && reached && std::io::stdin().is_terminal() && !agreed()? {
        return Err(not_opened(&held).into());
    }
    let opened = held.open(remote, &known).await?;
    let ends = super::utc(opened.ends);
    match clipboard {
        Some(mut clipboard) => {
            let signals = Signals::taken()?; // before it is there: it is cleared whatever ends us
            clipboard.put(opened.plaintext.expose())?;
            let time = STAYS.min(Duration::from_micros(
                u64::try_from(opened.ends.saturating_sub(held::now())).unwrap_or(0),
            ));
            eprintln!(
                "On this terminal\u{2019}s clipboard until Enter, {} s at most; nothing was printed.",
                time.as_secs()
            );
            eprintln!(
                "  Where nothing can be pasted, the terminal takes no OSC 52 (in tmux: set -g set-clipboard on)."
            );
            drop(opened.plaintext);
            clipboard.clear_after(time, signals).await;
            eprintln!("Cleared.");
            if as_json {
                println!(
                    "{}",
                    json!({ "request": held.request.to_string(), "code": held.code(), "entry": opened.entry, "ends": opened.ends, "copied": true })
                );
            }
        }
        None if as_json => {
            let text =
                Zeroizing::new(String::from_utf8_lossy(opened.plaintext.expose()).into_owned());
            let body = Zeroizing::new(
                json!({ "request": held.request.to_string(), "code": held.code(), "entry": opened.entry, "ends": opened.ends, "secret": text.as_str() })
                    .to_string(),
            );
            print(body.as_bytes())?;
        }
        None => print(opened.plaintext.expose())?,
    }
    if held.kept() {
        eprintln!(
            "Open until {ends}. Give it back: vitrine checkin {}",
            held.code()
        );
    } else {
        eprintln!("Open until {ends}. Give {} back on its page.", held.code());
    }
    Ok(ExitCode::SUCCESS)
}

fn print(secret: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(secret)
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush())
        .map_err(|e| Error::internal(e).into())
}

fn agreed() -> Result<bool> {
    eprint!("Enough have signed. Opening shows it once and starts the clock. Open? [y/N] ");
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(Error::internal)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn not_opened(held: &Held) -> Error {
    let code = held.code();
    let next = if held.kept() {
        format!("It waits: vitrine break --resume {code}")
    } else {
        format!("Its key was in memory alone and is gone: withdraw {code} on its page.")
    };
    Error::conflict("Not opened.", "You did not say y.", next)
}

fn elsewhere(remote: &Remote, code: &str) -> Error {
    let code = crate::requests::read_code(code).unwrap_or_default();
    Error::conflict(
        "Not checked in.",
        format!("This terminal does not hold the key of {code}."),
        format!("Check it in on its page: {}/r/{code}", remote.url()),
    )
}

/// `vitrine checkin CODE`.
pub(super) async fn check_in(remote: &Remote, code: &str, as_json: bool) -> Result<ExitCode> {
    let held = Held::resume(code).map_err(|e| match e.is_conflict() {
        true => elsewhere(remote, code).into(),
        false => e,
    })?;
    let done = held.check_in(remote).await?;
    let rotates = held::release_of(&done).is_some_and(|release| release.sealed_as.target.is_some());
    if as_json {
        println!(
            "{}",
            json!({ "request": held.request.to_string(), "code": held.code(), "closed": true, "rotates": rotates })
        )
    } else if rotates {
        println!("{} checked in. Its password is being changed.", held.code())
    } else {
        println!(
            "{} checked in. It has no target that Vitrine could change it at: whoever saw it still has it.",
            held.code()
        )
    }
    Ok(ExitCode::SUCCESS)
}

/// The credential that is meant: by its id, by its whole name, or by part of a name that one alone has.
async fn one(remote: &Remote, auth: &Auth<'_>, meant: &str) -> Result<String> {
    if let Ok(id) = meant.parse::<quorum::ids::CredentialId>() {
        return Ok(id.to_string());
    }
    let query: String = url::form_urlencoded::byte_serialize(meant.as_bytes()).collect();
    let path = format!("/credentials?q={query}");
    let found = remote.call(reqwest::Method::GET, &path, auth, None).await?;
    let list = found.get("credentials").and_then(Value::as_array);
    let list: Vec<(&str, &str)> = list
        .into_iter()
        .flatten()
        .filter_map(|c| Some((c.get("name")?.as_str()?, c.get("credential")?.as_str()?)))
        .collect();
    let exact = list.iter().filter(|(name, _)| *name == meant);
    let (mut exact, mut any) = (exact.clone(), list.iter());
    match ((exact.next(), exact.next()), (any.next(), any.next())) {
        ((Some((_, id)), None), _) | (_, (Some((_, id)), None)) => Ok((*id).to_owned()),
        _ => {
            let names: Vec<&str> = list.iter().map(|(name, _)| *name).collect();
            let (why, next) = if names.is_empty() {
                let why = format!(
                    "No credential has \u{201c}{}\u{201d} in its name.",
                    plain(meant)
                );
                (why, "Look its name up on the pages, or give its id.")
            } else {
                let why = format!("{} credentials match: {}.", names.len(), names.join(", "));
                (why, "Name exactly one, or give its id.")
            };
            Err(Error::invalid("Not rotated.", why, next).into())
        }
    }
}

/// `vitrine rotate CREDENTIAL`: starts a rotation and follows it.
pub(super) async fn rotate(remote: &Remote, credential: &str, as_json: bool) -> Result<ExitCode> {
    let session = session::session()?;
    remote.met().await?; // before the session is shown to it
    let auth = Auth::Session(&session);
    let id = one(remote, &auth, credential).await?;
    remote
        .call(
            reqwest::Method::POST,
            &format!("/credentials/{id}/rotate"),
            &auth,
            Some(json!({})),
        )
        .await?;
    let mut last = String::new();
    loop {
        let now = remote
            .call(
                reqwest::Method::GET,
                &format!("/credentials/{id}/rotation"),
                &auth,
                None,
            )
            .await?;
        let words = now
            .get("words")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        if words != last {
            eprintln!("{}", plain(&words));
            last = words;
        }
        let (ended, stuck) = (
            now.get("ended").is_some_and(Value::is_i64),
            now.get("stuck").and_then(Value::as_bool).unwrap_or(false),
        );
        if ended || stuck {
            if as_json {
                println!("{now}");
            }
            return Ok(ExitCode::from(u8::from(
                stuck || now.get("state").and_then(Value::as_str) == Some("failed"),
            )));
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
}
