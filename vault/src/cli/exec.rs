//! `exec`: a command that has the secret, and nobody else.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};

use serde_json::{Value, json};

use super::held::{Asking, Held};
use super::live;
use super::refusal::Result;
use super::remote::Remote;
use super::run::{say_why, show_link};
use super::signals::Signals;
use crate::error::Error;

/// Where `exec` puts the secret.
pub(super) enum Handing {
    /// This variable of the child alone.
    Env(String),
    /// This descriptor of the child alone.
    Fd(i32),
}

/// What `exec` was told.
pub(super) struct Running<'a> {
    pub(super) asking: Asking,
    pub(super) into: Handing,
    pub(super) command: &'a [String],
    pub(super) telling: Telling,
}

/// How it tells how it went, beside the lines for people on stderr. Never on stdout, which is the command's.
pub(super) struct Telling {
    /// One JSON object, the last line on stderr.
    pub(super) as_json: bool,
    /// The same, into this file or descriptor.
    pub(super) report: Option<PathBuf>,
}

impl Telling {
    /// Refuses before anybody is asked where nothing can be written.
    fn must_be_possible(&self) -> Result<()> {
        let Some(path) = &self.report else {
            return Ok(());
        };
        std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map(drop)
            .map_err(|e| {
                Error::invalid(
                    "Not asked.",
                    format!("The report cannot be written to {}: {e}.", path.display()),
                    "Name another file, or an open descriptor as /dev/fd/4.",
                )
                .into()
            })
    }

    pub(super) fn tell(&self, told: &Value) -> std::io::Result<()> {
        match &self.report {
            Some(path) => write_report(path, told),
            None if self.as_json => writeln!(std::io::stderr(), "{told}"),
            None => Ok(()),
        }
    }
}

fn write_report(path: &Path, told: &Value) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    writeln!(file, "{told}")
}

/// `vitrine exec`: asks, waits, opens, runs the child with the secret, checks in, returns its exit code.
pub(super) async fn exec(remote: &Remote, running: Running<'_>) -> Result<ExitCode> {
    let Running {
        mut asking,
        into,
        command,
        telling,
    } = running;
    let (program, args) = command
        .split_first()
        .ok_or_else(|| Error::invalid("Not run.", "There is no command.", "Write it after --."))?;
    must_be_there(program)?;
    telling.must_be_possible()?;
    say_why(&mut asking)?;
    let (origin, known) = remote.met().await?;
    let held = Held::new(remote, &asking)?;
    show_link(&origin, &held, &asking)?;
    live::wait(remote, &held, &known).await?;
    let signals = Signals::taken()?; // from here on something is open, and is checked in
    let opened = match held.open(remote, &known).await {
        Ok(opened) => opened,
        Err(e) => {
            let _ = held.check_in(remote).await; // where it was opened, and what came does not fit
            return Err(e);
        }
    };
    let (entry, ends) = (opened.entry, opened.ends);
    eprintln!("Open until {}. Running {program}.", super::utc(ends));
    let ran = run_child(program, args, &into, opened.plaintext, signals).await;
    let checked_in = held.check_in(remote).await;
    match &checked_in {
        Ok(_) => eprintln!("{} checked in.", held.code()),
        Err(e) => eprintln!(
            "{} was not checked in. {} It ends by itself at {}.",
            held.code(),
            e.line(),
            super::utc(ends)
        ),
    }
    let told = told(&held, entry, ends, &ran, &checked_in);
    if let Err(e) = telling.tell(&told) {
        eprintln!("The report cannot be written: {e}.");
    }
    Ok(match ran {
        Ok(status) => ExitCode::from(u8::try_from(code(status)).unwrap_or(1)),
        Err(e) => {
            e.say();
            ExitCode::from(1)
        }
    })
}

/// As a shell has it: 128 and the signal for who was killed.
fn code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn told(
    held: &Held,
    entry: u64,
    ends: i64,
    ran: &Result<ExitStatus>,
    checked_in: &Result<Value>,
) -> Value {
    let mut told = json!({
        "request": held.request.to_string(), "code": held.code(), "entry": entry, "ends": ends,
        "exit": ran.as_ref().ok().map(|s| code(*s)), "signal": ran.as_ref().ok().and_then(ExitStatusExt::signal),
        "checked_in": checked_in.is_ok(),
    });
    let error = ran.as_ref().err().or(checked_in.as_ref().err());
    if let (Some(error), Some(members)) = (error, told.as_object_mut()) {
        members.insert("error".into(), error.json());
    }
    told
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
    )
    .into())
}

/// Runs the child with the secret and waits for its end. It alone is meant by Ctrl-C and Ctrl-\\, which the terminal sends to
/// both; what is meant for us is handed on. We go on until it has ended, to check in.
async fn run_child(
    program: &str,
    args: &[String],
    into: &Handing,
    plaintext: quorum::secret::Plaintext,
    signals: Signals,
) -> Result<ExitStatus> {
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
                return ended.map_err(|e| Error::internal(e).into());
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
