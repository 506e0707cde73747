//! `break`, `exec`, `checkin`, `login`, `rotate`: what people do at three in the morning.

use std::io::{IsTerminal, Write};
use std::process::{ExitCode, Stdio};

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::held::{Asking, Held};
use super::remote::{Auth, Remote};
use super::{live, session};
use crate::error::{Error, Result};

/// Prints the filing link and where it can opens it.
fn show_link(remote_origin: &str, held: &Held, asking: &Asking) -> Result<()> {
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

async fn origin(remote: &Remote) -> Result<String> {
    let about = remote
        .call(reqwest::Method::GET, "/ledger", &Auth::None, None)
        .await?;
    Ok(about
        .pointer("/origins/0")
        .and_then(Value::as_str)
        .unwrap_or(remote.url())
        .to_owned())
}

/// Asks for the reason where none was given and somebody can answer; approvers read it before they sign.
fn say_why(asking: &mut Asking) -> Result<()> {
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
        ));
    }
    Ok(())
}

/// `vitrine break`: asks, waits, opens, prints.
pub(super) async fn break_glass(
    remote: &Remote,
    asking: Option<Asking>,
    resume: Option<&str>,
    yes: bool,
    as_json: bool,
) -> Result<ExitCode> {
    let held = match (resume, asking) {
        (Some(code), _) => Held::resume(code)?,
        (None, Some(mut asking)) => {
            say_why(&mut asking)?;
            let held = Held::new()?;
            show_link(&origin(remote).await?, &held, &asking)?;
            held
        }
        (None, None) => {
            return Err(Error::invalid(
                "Not asked.",
                "There is no credential to ask for.",
                "Give part of its name and --why, or --resume CODE.",
            ));
        }
    };
    let live = live::wait(remote, &held).await?;
    if !yes
        && std::io::stdin().is_terminal()
        && live.get("state").and_then(Value::as_str) == Some("reached")
    {
        eprint!("Enough have signed. Opening shows it once and starts the clock. Open? [y/N] ");
        let mut answer = String::new();
        std::io::stdin()
            .read_line(&mut answer)
            .map_err(Error::internal)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            if held.kept() {
                eprintln!(
                    "Not opened. It waits: vitrine break --resume {}",
                    held.code()
                );
            } else {
                eprintln!(
                    "Not opened. Its key was in memory alone and is gone: withdraw {} on its page.",
                    held.code()
                );
            }
            return Ok(ExitCode::from(1));
        }
    }
    let (plaintext, ends) = held.open(remote, &live).await?;
    let mut out = std::io::stdout().lock();
    if as_json {
        let text = Zeroizing::new(String::from_utf8_lossy(plaintext.expose()).into_owned());
        let body = Zeroizing::new(
            json!({ "code": held.code(), "secret": text.as_str(), "ends": ends }).to_string(),
        );
        writeln!(out, "{}", body.as_str()).map_err(Error::internal)?;
    } else {
        out.write_all(plaintext.expose())
            .and_then(|()| out.write_all(b"\n"))
            .map_err(Error::internal)?;
        let ends = super::utc(ends);
        if held.kept() {
            eprintln!(
                "Open until {ends}. Give it back: vitrine checkin {}",
                held.code()
            );
        } else {
            eprintln!("Open until {ends}. Give {} back on its page.", held.code());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `vitrine checkin CODE`.
pub(super) async fn check_in(remote: &Remote, code: &str, as_json: bool) -> Result<ExitCode> {
    let held = Held::resume(code)?;
    held.check_in(remote).await?;
    if as_json {
        println!("{}", json!({ "code": held.code(), "closed": true }))
    } else {
        println!("{} checked in. Its password is being changed.", held.code())
    }
    Ok(ExitCode::SUCCESS)
}

/// Where `exec` puts the secret.
pub(super) enum Handing {
    /// This variable of the child alone.
    Env(String),
    /// This descriptor of the child alone.
    Fd(i32),
}

/// `vitrine exec`: asks, waits, opens, runs the child with the secret, checks in, returns its exit code.
pub(super) async fn exec(
    remote: &Remote,
    asking: Asking,
    into: Handing,
    command: &[String],
) -> Result<ExitCode> {
    let (program, args) = command
        .split_first()
        .ok_or_else(|| Error::invalid("Not run.", "There is no command.", "Write it after --."))?;
    must_be_there(program)?;
    let mut asking = asking;
    say_why(&mut asking)?;
    let held = Held::new()?;
    show_link(&origin(remote).await?, &held, &asking)?;
    let live = live::wait(remote, &held).await?;
    let signals = Signals::taken()?; // from here on something is open, and is checked in
    let (plaintext, ends) = held.open(remote, &live).await?;
    eprintln!("Open until {}. Running {program}.", super::utc(ends));
    let status = run_child(program, args, &into, plaintext, signals).await;
    match held.check_in(remote).await {
        Ok(_) => eprintln!("{} checked in.", held.code()),
        Err(e) => eprintln!(
            "{} was not checked in ({e}). It ends by itself at {}.",
            held.code(),
            super::utc(ends)
        ),
    }
    use std::os::unix::process::ExitStatusExt;
    let status = status?;
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// Refuses before anybody is asked when there is no such program.
fn must_be_there(program: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let runs = |path: &std::path::Path| {
        std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    let found = if program.contains('/') {
        runs(program.as_ref())
    } else {
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        std::env::split_paths(&path).any(|dir| runs(&dir.join(program)))
    };
    if found {
        return Ok(());
    }
    Err(Error::invalid(
        "Not asked.",
        format!("There is no program {program} to run."),
        "Mend the command after --; nobody was asked for anything.",
    ))
}

/// What would end us, taken instead.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    quit: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    fn taken() -> Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        let on = |kind| signal(kind).map_err(Error::internal);
        Ok(Signals {
            interrupt: on(SignalKind::interrupt())?,
            quit: on(SignalKind::quit())?,
            terminate: on(SignalKind::terminate())?,
            hang_up: on(SignalKind::hangup())?,
        })
    }
}

/// Runs the child with the secret and waits for its end. It alone is meant by Ctrl-C and Ctrl-\\, which the terminal sends to
/// both; what is meant for us is handed on. We go on until it has ended, to check in.
async fn run_child(
    program: &str,
    args: &[String],
    into: &Handing,
    plaintext: quorum::secret::Plaintext,
    signals: Signals,
) -> Result<std::process::ExitStatus> {
    let Signals {
        mut interrupt,
        mut quit,
        mut terminate,
        mut hang_up,
    } = signals;
    let no_start = |e: std::io::Error| {
        Error::invalid(
            "Not run.",
            format!("{program} cannot be started: {}.", e.kind()),
            "Mend the command and ask anew.",
        )
    };
    let mut kept_open = None;
    let mut child = match into {
        Handing::Env(name) => {
            use std::os::unix::ffi::OsStrExt;
            let child = tokio::process::Command::new(program)
                .args(args)
                .env(name, std::ffi::OsStr::from_bytes(plaintext.expose()))
                .spawn()
                .map_err(no_start)?;
            drop(plaintext);
            child
        }
        Handing::Fd(fd) => {
            // The shell is what can put a pipe on a numbered descriptor without unsafe code here: it opens ours anew, by its
            // place in /proc, so that the program's own input stays what it was. Ours is open until the program ends.
            let (reader, mut writer) = std::io::pipe().map_err(Error::internal)?;
            let ours = std::os::fd::AsRawFd::as_raw_fd(&reader);
            let script = format!("exec {fd}</proc/$PPID/fd/{ours} && exec \"$@\"");
            let child = tokio::process::Command::new("/bin/sh")
                .args(["-c", &script, "sh", program])
                .args(args)
                .spawn()
                .map_err(no_start)?;
            kept_open = Some(reader);
            // On a thread: what does not fit the pipe waits until it is read.
            std::thread::spawn(move || {
                let _ = writer.write_all(plaintext.expose());
            });
            child
        }
    };
    loop {
        tokio::select! {
            ended = child.wait() => {
                drop(kept_open);
                return ended.map_err(Error::internal);
            }
            _ = interrupt.recv() => {}
            _ = quit.recv() => {}
            _ = terminate.recv() => hand_on("TERM", child.id()),
            _ = hang_up.recv() => hand_on("HUP", child.id()),
        }
    }
}

fn hand_on(signal: &str, to: Option<u32>) {
    if let Some(pid) = to {
        let _ = std::process::Command::new("/bin/sh")
            .args(["-c", &format!("kill -{signal} {pid}")])
            .status();
    }
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
            Err(Error::invalid(
                "Not rotated.",
                format!("{} credentials match: {}.", list.len(), names.join(", ")),
                "Name exactly one.",
            ))
        }
    }
}

/// `vitrine rotate CREDENTIAL`: starts a rotation and follows it.
pub(super) async fn rotate(remote: &Remote, credential: &str, as_json: bool) -> Result<ExitCode> {
    let session = session::session()?;
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
            eprintln!("{words}");
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
