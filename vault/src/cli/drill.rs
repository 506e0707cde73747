//! `vitrine drill`: rehearsals that play the real path, over HTTP, from anywhere.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use drills::client::Invitation;
use drills::narrator::{Narrator, Silent, Terminal};
use drills::psql::Address;
use drills::scenario::{Administrator, Options, TargetAt, are_kept, break_glass};
use quorum::Hash;
use quorum::statement::Pin;
use serde_json::json;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// Which rehearsal, against what.
#[derive(clap::Args)]
#[command(after_help = "\
A first drill needs a custodian's invitation (--invitation-file): it joins as that custodian, with a software key, and invites its
own people; that takes [keys] drill = true on the server. Each such drill has people and a safe of its own, numbered where a name
is taken. With --people FILE it keeps them, keys and all (0600), and the next drill with that file plays on with them: no
invitation, no administrator, same safe, same account. Who reads that file is those people; they serve on drill safes alone.

An account at a target is bound to one safe for good. To rehearse the same one again, keep the people of its first drill.

  vitrine drill break-glass --invitation-file invitation --people drill-people \\
    --target 127.0.0.1:5432/orders --account drill_admin --pin sha256:.. \\
    --administrator 'host=127.0.0.1 user=dba dbname=orders sslmode=require' --administrator-password-file dba
  vitrine drill break-glass --people drill-people --target 127.0.0.1:5432/orders --account drill_admin --pin sha256:..

With --json one object: passed, report, and filed (the entry that names the report's hash) or not_filed.
Exit codes: 0 only if every step happened and the drill was filed, 1 otherwise.")]
pub(super) struct Drill {
    /// The scenario.
    #[arg(value_parser = ["break-glass"])]
    scenario: String,
    /// Where Vitrine is.
    #[arg(long, env = "VITRINE_URL", default_value = "http://localhost:7443")]
    url: String,
    /// File with a custodian's invitation, or its link, for a first drill. It is used up.
    #[arg(long, value_name = "FILE")]
    invitation_file: Option<PathBuf>,
    /// File that keeps the drill's people and their keys, to play again with them.
    #[arg(long, value_name = "FILE")]
    people: Option<PathBuf>,
    /// The founding fingerprint, where it is known from elsewhere.
    #[arg(long, value_name = "HEX")]
    founded: Option<String>,
    /// PostgreSQL as Vitrine reaches it, host:port/database or /socket/dir:port/database; without it only the release is played.
    #[arg(long, requires = "account")]
    target: Option<Address>,
    /// The account whose password is kept.
    #[arg(long, requires = "target")]
    account: Option<String>,
    /// How the server is known again: sha256: and the hex digest of its certificate's public key, or unix.
    #[arg(long, default_value = "unix", requires = "target")]
    pin: Pin,
    /// The administrator's connection string for psql, without a password, until the account is bound.
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
    /// Seconds that the story around it has taken so far: the told times go on from there.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, hide = true)]
    since: f64,
}

/// Plays it. Exit 0 only if every step happened as it should.
pub(super) async fn run(drill: Drill, as_json: bool) -> Result<ExitCode> {
    let report_to = drill.report.clone();
    // Before anything is played: what is filed names the report's hash.
    if let Some(path) = &report_to {
        std::fs::File::create(path)
            .map_err(|e| unusable("The report cannot be written to", path, &e))?;
    }
    let since = Duration::try_from_secs_f64(drill.since).unwrap_or_default();
    let options = options(drill)?;
    let mut narrator: Box<dyn Narrator> = if as_json {
        Box::new(Silent)
    } else {
        Box::new(Terminal(std::io::stdout(), since))
    };
    let played = break_glass(options, narrator.as_mut()).await;
    let text = played.report.json();
    match &played.filed {
        _ if as_json => {
            let mut told = json!({ "passed": played.passed(), "report": played.report });
            if let Some(members) = told.as_object_mut() {
                match &played.filed {
                    Ok(seq) => members.insert("filed".into(), json!(seq)),
                    Err(why) => members.insert("not_filed".into(), json!(why)),
                };
            }
            println!("{told}");
        }
        Ok(seq) => println!("Filed as entry {seq}, with the report's hash."),
        Err(why) => eprintln!("The drill was not filed in the ledger: {why}"),
    }
    if let Some(path) = report_to {
        std::fs::write(&path, text)
            .map_err(|e| unusable("The report cannot be written to", &path, &e))?;
    }
    Ok(ExitCode::from(u8::from(!played.passed())))
}

fn options(drill: Drill) -> Result<Options> {
    let kept = drill.people.as_deref().is_some_and(are_kept);
    if !kept && drill.invitation_file.is_none() {
        return Err(refused(
            match &drill.people {
                Some(path) => format!("No drill has kept its people in {} yet.", path.display()),
                None => "There is nobody to play.".into(),
            },
            "Have a custodian invite a further custodian for the drill, or take the one that `vitrine init` printed; put the link into a \
             file, and name it: --invitation-file FILE. With --people FILE the next drill needs none.",
        ));
    }
    if let (false, Some(_), None) = (kept, &drill.target, &drill.administrator) {
        return Err(refused(
            "Nobody lets Vitrine into that database.".into(),
            "Give --administrator CONNINFO (and --administrator-password-file): they run the SQL that Vitrine prints, once.",
        ));
    }
    if let Some(dir) = &drill.evidence_out
        && std::fs::read_dir(dir).is_ok_and(|mut some| some.next().is_some())
    {
        return Err(refused(
            format!("{} is not empty.", dir.display()),
            "Name an empty directory for --evidence-out.",
        ));
    }
    let mut options = Options::new(&drill.url);
    options.invitation = match drill.invitation_file.as_deref().filter(|_| !kept) {
        Some(path) => {
            let text = first_line(path)?;
            Invitation::parse(&text).map_err(|_| {
                refused(
                    format!("{} begins with no invitation.", path.display()),
                    "Put the link that the custodian was given into it, or what follows its #.",
                )
            })?;
            Some(text)
        }
        None => None,
    };
    options.people = drill.people;
    options.founded = drill.founded.as_deref().map(fingerprint).transpose()?;
    if let (Some(address), Some(account)) = (drill.target, drill.account) {
        let password = drill
            .administrator_password_file
            .as_deref()
            .map(first_line)
            .transpose()?;
        let administrator = drill
            .administrator
            .map(|conninfo| Administrator { conninfo, password });
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

fn refused(why: String, next: &'static str) -> Error {
    Error::invalid("Not played.", why, next)
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
