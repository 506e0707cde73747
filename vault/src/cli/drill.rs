//! `vitrine drill`: rehearsals that play the real path, over HTTP, from anywhere.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use drills::narrator::{Narrator, Silent, Terminal};
use drills::psql::Address;
use drills::scenario::{Administrator, Options, TargetAt, break_glass};
use quorum::Hash;
use quorum::statement::Pin;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// Which rehearsal, against what.
#[derive(clap::Args)]
pub(super) struct Drill {
    /// The scenario.
    #[arg(value_parser = ["break-glass"])]
    scenario: String,
    /// Where Vitrine is.
    #[arg(long, env = "VITRINE_URL", default_value = "http://localhost:7443")]
    url: String,
    /// File with a custodian's invitation, or its link. It is used up.
    #[arg(long, value_name = "FILE")]
    invitation_file: PathBuf,
    /// The founding fingerprint, where it is known from elsewhere.
    #[arg(long, value_name = "HEX")]
    founded: Option<String>,
    /// PostgreSQL as Vitrine reaches it, host:port/database or /socket/dir:port/database; without it only the release is played.
    #[arg(long, requires = "account", requires = "administrator")]
    target: Option<Address>,
    /// The account whose password is kept.
    #[arg(long, requires = "target")]
    account: Option<String>,
    /// How the server is known again: sha256: and the hex digest of its certificate's public key, or unix.
    #[arg(long, default_value = "unix", requires = "target")]
    pin: Pin,
    /// The administrator's connection string for psql, without a password.
    #[arg(long, value_name = "CONNINFO", requires = "target")]
    administrator: Option<String>,
    /// File with the administrator's password.
    #[arg(long, value_name = "FILE", requires = "administrator")]
    administrator_password_file: Option<PathBuf>,
    /// Writes the report here, as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Exports the ledger into this empty directory at the end, over HTTP.
    #[arg(long, value_name = "DIR")]
    evidence_out: Option<PathBuf>,
    /// Writes the opened password, once it is proved dead, to this pipe, to search logs and files for it.
    #[arg(long, value_name = "PIPE", requires = "target")]
    dead_to: Option<PathBuf>,
}

/// Plays it. Exit 0 only if every step happened as it should.
pub(super) async fn run(drill: Drill, as_json: bool) -> Result<ExitCode> {
    let report_to = drill.report.clone();
    let options = options(drill)?;
    let mut narrator: Box<dyn Narrator> = if as_json {
        Box::new(Silent)
    } else {
        Box::new(Terminal(std::io::stdout()))
    };
    let played = break_glass(options, narrator.as_mut()).await;
    let text = played.report.json();
    if as_json {
        println!("{text}");
    }
    match &played.filed {
        Ok(seq) if !as_json => println!("Filed as entry {seq}, with the report's hash."),
        Ok(_) => {}
        Err(why) => eprintln!("The drill was not filed in the ledger: {why}"),
    }
    if let Some(path) = report_to {
        std::fs::write(&path, text)
            .map_err(|e| unusable("The report cannot be written to", &path, &e))?;
    }
    Ok(ExitCode::from(u8::from(!played.passed())))
}

fn options(drill: Drill) -> Result<Options> {
    let mut options = Options::new(&drill.url, &first_line(&drill.invitation_file)?);
    options.founded = drill.founded.as_deref().map(fingerprint).transpose()?;
    if let (Some(address), Some(account), Some(conninfo)) =
        (drill.target, drill.account, drill.administrator)
    {
        let password = drill
            .administrator_password_file
            .as_deref()
            .map(first_line)
            .transpose()?;
        let administrator = Administrator { conninfo, password };
        options.target = Some(TargetAt {
            address,
            account,
            pin: drill.pin,
            administrator,
            psql: "psql".into(),
        });
    }
    options.evidence_out = drill.evidence_out;
    options.dead_to = drill.dead_to;
    Ok(options)
}

fn fingerprint(text: &str) -> Result<Hash> {
    text.replace([' ', ':'], "").parse().map_err(|_| {
        Error::invalid(
            "Not played.",
            "--founded is no fingerprint: 64 hex digits.",
            "Copy it from the founding card.",
        )
    })
}

fn first_line(path: &Path) -> Result<Zeroizing<String>> {
    let text = std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|e| unusable("There is nothing to read in", path, &e))?;
    Ok(Zeroizing::new(
        text.lines().next().unwrap_or_default().to_owned(),
    ))
}

fn unusable(what: &str, path: &Path, e: &std::io::Error) -> Error {
    Error::invalid(
        "Not played.",
        format!("{what} {}: {e}.", path.display()),
        "Name another file.",
    )
}
