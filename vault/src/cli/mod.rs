//! The `vitrine` program: verbs as people say them, `--json` everywhere, documented exit codes.

mod audit;
mod clipboard;
mod doctor;
mod drill;
mod exec;
mod filing;
mod held;
mod known;
mod live;
mod opening;
mod refusal;
mod remote;
mod run;
mod session;
mod signals;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::json;

use self::refusal::{Refusal, Result};
use crate::config::Config;
use crate::error::Error;
use crate::ledger::Anchor;
use crate::startup;

const EXIT_CODES: &str = "\
Exit codes:
  0  done; audit verify: valid
  1  refused or failed; audit verify: false
  2  wrong usage; audit verify: not verified
  3  audit verify: self-consistent only, since no founding fingerprint was given
  exec: the command's own, once it has run";

#[derive(Parser)]
#[command(
    name = "vitrine",
    version,
    about = "A break-glass vault: no quorum, no plaintext.",
    after_help = EXIT_CODES
)]
struct Cli {
    /// Configuration file; by default vitrine.toml where there is one.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// Answers, and refuses, as JSON on stdout; `exec`, whose stdout is its command's, on stderr.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Founds the ledger and prints the first custodian's invitation.
    Init {
        /// The address that people type; keys are bound to it for ever.
        #[arg(long, default_value = "http://localhost:7443")]
        origin: String,
        /// The ledger's name in checkpoints; by default the host.
        #[arg(long)]
        name: Option<String>,
        /// The first custodian's name.
        #[arg(long, default_value = "First custodian")]
        custodian: String,
        /// Founds anew over a ledger that nobody has joined: a founding that was interrupted, an invitation that was lost.
        #[arg(long)]
        again: bool,
    },
    /// Serves pages and API.
    Serve {
        /// SIZE:ROOT that you have compared, for a node without an anchor.
        #[arg(long)]
        adopt: Option<String>,
    },
    /// Brings the database's schema up to date.
    Migrate,
    /// Looks at tokens, database, clock, disk, anchor, margins, drills and service logins, and says what to do.
    #[command(after_help = "\
Levels, in --json too (level of each finding; of all, the worst):
  ok     well
  note   to be known, such as SoftHSM; nothing needs doing
  amber  works, but not for long, or not if one thing more fails: see to it soon
  red    does not work, or is not safe: see to it now

Exit codes: 0 up to amber, 1 red; with --strict 0 up to note, 1 amber or red.")]
    Doctor {
        /// Exit 1 for amber, too.
        #[arg(long)]
        strict: bool,
    },
    /// Signs this terminal in, by a link that any browser can open.
    Login {
        #[command(flatten)]
        at: At,
    },
    /// Asks for a credential, waits for the quorum, and prints it on stdout, or copies it.
    Break {
        /// Part of its name, or its id.
        credential: Option<String>,
        #[command(flatten)]
        ask: Ask,
        /// Goes on with a request of this machine.
        #[arg(long, value_name = "CODE", conflicts_with = "credential")]
        resume: Option<String>,
        /// Opens without asking once more.
        #[arg(long)]
        yes: bool,
        /// Puts it on the terminal's clipboard (OSC 52, over SSH too) and prints nothing of it; cleared at Enter, or after 45 s.
        #[arg(long)]
        copy: bool,
        #[command(flatten)]
        at: At,
    },
    /// Gives a release back before its time.
    Checkin {
        /// The request code.
        code: String,
        #[command(flatten)]
        at: At,
    },
    /// Asks, waits, runs a command with the secret, checks in, and returns the command's exit code.
    #[command(after_help = "\
With --json the last line on stderr is one object: request, code, entry (that opened it), ends (microseconds since 1970),
exit and signal of the command, checked_in, and error where something was refused. Nothing of ours goes to stdout.

Exit codes: the command's own, 128 and the signal for one that was killed; 1 where it was not run.")]
    Exec {
        /// Part of the credential's name, or its id.
        credential: String,
        #[command(flatten)]
        ask: Ask,
        /// Hands the secret over in this variable of the command alone.
        #[arg(long, default_value = "PGPASSWORD", conflicts_with = "fd", value_parser = variable)]
        env: String,
        /// Hands the secret over on this descriptor, 3 to 9.
        #[arg(long, value_parser = clap::value_parser!(i32).range(3..=9))]
        fd: Option<i32>,
        /// Writes the object of --json here instead: a file, or /dev/fd/4 for a descriptor.
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
        #[command(flatten)]
        at: At,
        /// The command, after --.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Changes a credential at its target now.
    Rotate {
        /// Part of the credential's name, or its id.
        credential: String,
        #[command(flatten)]
        at: At,
    },
    /// Plays a rehearsal against a running Vitrine, with software keys, on a drill safe.
    Drill(drill::Drill),
    /// Exports the ledger, or verifies an export.
    #[command(subcommand)]
    Audit(Audit),
}

/// Where a first start serves.
const HERE: &str = "http://localhost:7443";

#[derive(clap::Args)]
struct At {
    /// Where Vitrine is: http://localhost:7443, or where a request that goes on was asked for.
    #[arg(long, env = "VITRINE_URL")]
    url: Option<String>,
    /// The founding fingerprint of its ledger, from the founding card; else the one that this terminal met first.
    #[arg(long, env = "VITRINE_LEDGER", value_name = "FINGERPRINT", value_parser = fingerprint)]
    ledger: Option<quorum::Hash>,
}

impl At {
    /// Does `verb` there, and then looks after the other keys that are kept here.
    fn reached(
        &self,
        runtime: &tokio::runtime::Runtime,
        verb: impl AsyncFnOnce(&remote::Remote) -> Result<ExitCode>,
    ) -> Result<ExitCode> {
        self.reached_for(None, runtime, verb)
    }

    /// As `reached`, about a request that may be kept here.
    fn reached_for(
        &self,
        code: Option<&str>,
        runtime: &tokio::runtime::Runtime,
        verb: impl AsyncFnOnce(&remote::Remote) -> Result<ExitCode>,
    ) -> Result<ExitCode> {
        let url = self.url.clone().or_else(|| held::url_of(code?));
        let url = url.as_deref().unwrap_or(HERE);
        let remote = remote::Remote::new(url, self.ledger)?;
        runtime.block_on(async {
            let done = verb(&remote).await;
            if done.as_ref().err().is_none_or(Refusal::was_told) {
                held::look_after(&remote).await;
            }
            done
        })
    }
}

#[derive(clap::Args)]
struct Ask {
    /// Why: one or two sentences that approvers read.
    #[arg(long, default_value = "")]
    why: String,
    /// Incident or change number.
    #[arg(long)]
    ticket: Option<String>,
    /// For how long: 15m, 900s, 1h; at most what the safe allows.
    #[arg(long = "for", default_value = "15m", value_parser = seconds)]
    seconds: u64,
}

#[derive(Subcommand)]
enum Audit {
    /// Writes entries.jsonl, checkpoint and checkpoints.jsonl into an empty directory.
    Export {
        /// The directory.
        #[arg(long)]
        out: PathBuf,
    },
    /// Verifies an export with nothing else at hand. Exit 0 valid, 3 self-consistent only, 2 not verified, 1 false.
    Verify {
        /// The exported directory.
        dir: PathBuf,
        /// The founding fingerprint, from the founding card.
        #[arg(long)]
        founded: Option<String>,
        /// A checkpoint kept elsewhere; may be given more than once.
        #[arg(long)]
        seen: Vec<PathBuf>,
    },
}

fn variable(name: &str) -> std::result::Result<String, String> {
    let fits =
        |(i, c): (usize, char)| c == '_' || c.is_ascii_alphabetic() || i > 0 && c.is_ascii_digit();
    if !name.is_empty() && name.chars().enumerate().all(fits) {
        Ok(name.to_owned())
    } else {
        Err("a variable's name: letters, digits and _, not beginning with a digit".into())
    }
}

fn fingerprint(text: &str) -> std::result::Result<quorum::Hash, String> {
    let digits = text.replace([' ', ':'], "");
    let read = digits.parse();
    read.map_err(|_| "a fingerprint is 64 hex digits".into())
}

fn seconds(text: &str) -> std::result::Result<u64, String> {
    let (number, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let each = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("write 15m, 900s or 1h".into()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(each))
        .filter(|n| *n > 0)
        .ok_or_else(|| "write 15m, 900s or 1h".into())
}

fn asking(credential: String, ask: Ask) -> held::Asking {
    held::Asking {
        credential,
        why: ask.why,
        ticket: ask.ticket,
        seconds: ask.seconds,
    }
}

/// Runs the program; `main` is only this.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return misused(&usage),
    };
    let as_json = cli.json;
    // Of `exec` the command has stdout, whether it was run or not.
    let telling = match &cli.verb {
        Verb::Exec { report, .. } => Some(exec::Telling {
            as_json,
            report: report.clone(),
        }),
        _ => None,
    };
    match go(cli) {
        Ok(code) => code,
        Err(refusal) => {
            match telling {
                Some(telling) => {
                    refusal.say();
                    if let Err(e) = telling.tell(&json!({ "error": refusal.json() })) {
                        eprintln!("The report cannot be written: {e}.");
                    }
                }
                None => say_refusal(&refusal, as_json),
            }
            ExitCode::from(1)
        }
    }
}

/// What was typed is no command; or help was asked for.
fn misused(usage: &clap::Error) -> ExitCode {
    let words = std::env::args_os().skip(1).take_while(|a| a != "--");
    let as_json = words.into_iter().any(|a| a == "--json");
    if as_json && usage.use_stderr() {
        let text = usage.to_string();
        let mut lines = text.lines().map(|l| l.trim_start_matches("error: ").trim());
        let refused = json!({
            "type": "usage", "title": "Wrong usage.", "detail": lines.next().unwrap_or_default(),
            "next": "See --help.",
        });
        println!("{}", json!({ "error": refused }));
    } else {
        let _ = usage.print();
    }
    ExitCode::from(if usage.use_stderr() { 2 } else { 0 })
}

fn say_refusal(refusal: &Refusal, as_json: bool) {
    if as_json {
        println!("{}", json!({ "error": refusal.json() }));
    } else {
        refusal.say();
    }
}

fn go(cli: Cli) -> Result<ExitCode> {
    no_core_file()?;
    // Who serves has a log. The other verbs say what there is to say themselves.
    let default = match cli.verb {
        Verb::Serve { .. } => "warn,vault=info",
        _ => "off",
    };
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("VITRINE_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default)),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    if let Verb::Audit(Audit::Verify { dir, founded, seen }) = cli.verb {
        return Ok(audit::verify(&dir, founded.as_deref(), seen, cli.json)?);
    }
    held::sweep();
    let config = Config::load(cli.config.as_deref())?;
    let on_the_node = matches!(
        cli.verb,
        Verb::Init { .. }
            | Verb::Serve { .. }
            | Verb::Migrate
            | Verb::Doctor { .. }
            | Verb::Audit(_)
    );
    if on_the_node {
        with_softhsm(&config)?;
        no_dump()?; // last: a program that is started again has lost it
    }
    let json = cli.json;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Error::internal)?;
    match cli.verb {
        Verb::Init {
            origin,
            name,
            custodian,
            again,
        } => {
            let name = name.as_deref();
            runtime.block_on(async {
                let founded = startup::found(&config, &origin, name, &custodian, again).await?;
                say_founded(&founded, &custodian, json)
            })
        }
        Verb::Serve { adopt } => actix_web::rt::System::with_tokio_rt(|| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap_or_else(|_| std::process::abort())
        })
        .block_on(serve(config, adopt, cli.json)),
        Verb::Migrate => runtime.block_on(async {
            let done = startup::migrate(&config).await?;
            if cli.json {
                println!("{}", json!({ "migrated": done }));
            } else {
                println!("{} migrations applied.", done.len());
            }
            Ok(ExitCode::SUCCESS)
        }),
        Verb::Doctor { strict } => Ok(runtime.block_on(doctor::run(&config, strict, json))?),
        Verb::Login { at } => at.reached(&runtime, async |remote| {
            session::login(remote, json).await?;
            Ok(ExitCode::SUCCESS)
        }),
        Verb::Break {
            credential,
            ask,
            resume,
            yes,
            copy,
            at,
        } => at.reached_for(resume.as_deref(), &runtime, async |remote| {
            let breaking = run::Breaking {
                asking: credential.map(|c| asking(c, ask)),
                resume: resume.as_deref(),
                yes,
                copy,
                as_json: json,
            };
            run::break_glass(remote, breaking).await
        }),
        Verb::Checkin { code, at } => at.reached_for(Some(&code), &runtime, async |remote| {
            run::check_in(remote, &code, json).await
        }),
        Verb::Exec {
            credential,
            ask,
            env,
            fd,
            report,
            at,
            command,
        } => at.reached(&runtime, async |remote| {
            let running = exec::Running {
                asking: asking(credential, ask),
                into: fd.map_or(exec::Handing::Env(env), exec::Handing::Fd),
                command: &command,
                telling: exec::Telling {
                    as_json: json,
                    report,
                },
            };
            exec::exec(remote, running).await
        }),
        Verb::Rotate { credential, at } => at.reached(&runtime, async |remote| {
            run::rotate(remote, &credential, json).await
        }),
        Verb::Drill(drill) => Ok(runtime.block_on(drill::run(drill, json))?),
        Verb::Audit(Audit::Export { out }) => runtime.block_on(async {
            let app = startup::open(config, crate::clock::Clock::default(), None).await?;
            Ok(audit::export(&app, &out, json).await?)
        }),
        Verb::Audit(Audit::Verify { .. }) => Err(Error::internal("verified above").into()),
    }
}

/// A time for people: UTC to the second.
pub fn utc(us: i64) -> String {
    let time = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(us) * 1000)
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    format!(
        "{:02}:{:02}:{:02} UTC",
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// Leaves no core: halves, shares, sessions and PINs are in memory. A limit of one byte lets none be written, and unlike none
/// it also holds where the kernel hands cores to a program (core(5), `core_pattern`). A command of `exec` inherits it.
fn no_core_file() -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = getrlimit(Resource::Core).maximum.map_or(1, |m| m.min(1));
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    Ok(setrlimit(Resource::Core, limit).map_err(Error::internal)?)
}

/// Lets nobody of the same user read the memory of a program that knows PINs, nor the kernel dump it. Not for `exec`, whose
/// command opens what it is handed under /proc.
fn no_dump() -> Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(Error::internal)?)
}

/// SoftHSM reads its configuration's place from the environment when it is loaded, so it must be there before
/// this process was started: start again with it.
fn with_softhsm(config: &Config) -> Result<()> {
    use std::os::unix::process::CommandExt;
    if !config.hsm.custody.is_empty() {
        return Ok(());
    }
    let dir = config.data.join("tokens");
    let dir = std::path::absolute(&dir).map_err(Error::internal)?;
    let (name, value) = hsm::softhsm::environment(&dir);
    if std::env::var_os(name).as_deref() == Some(value.as_os_str()) {
        return Ok(());
    }
    let program = std::env::current_exe().map_err(Error::internal)?;
    let e = std::process::Command::new(program)
        .args(std::env::args_os().skip(1))
        .env(name, value)
        .exec();
    Err(Error::internal(e).into())
}

fn say_founded(founded: &startup::Founded, custodian: &str, as_json: bool) -> Result<ExitCode> {
    let invitation = founded.invitation.expose();
    if as_json {
        println!(
            "{}",
            json!({ "ledger": founded.ledger.to_string(), "origin": founded.origin, "invitation": invitation.as_str() })
        );
    } else {
        println!("Founded {}", founded.origin);
        println!("Fingerprint  {}", grouped(&founded.ledger.to_string()));
        println!("  Write it down: evidence is verified against it, and it is compared by voice.");
        println!(
            "Invitation   {}/join#{}",
            founded.origin,
            invitation.as_str()
        );
        println!(
            "  For {custodian}, once, within 7 days. Next: `vitrine serve`, then open it in a browser."
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Hex in groups of four, for reading aloud.
pub fn grouped(hex: &str) -> String {
    let mut out = String::new();
    for (i, c) in hex.chars().enumerate() {
        if i > 0 && i % 4 == 0 {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

async fn serve(config: Config, adopt: Option<String>, as_json: bool) -> Result<ExitCode> {
    let adopt = adopt.as_deref().map(parse_adopt).transpose()?;
    if let (Some((size, root)), Some(held)) = (adopt, Anchor::at(&config.anchor_path()).read()?)
        && (size, root) != (held.size, held.root)
    {
        eprintln!(
            "--adopt was not used: this node has an anchor, of {} entries. Where that one is wrong, move it away first.",
            held.size
        );
    }
    let listener = startup::listen(&config)?;
    let app = startup::open(config, crate::clock::Clock::default(), adopt).await?;
    app.ledger.check_writable().await?;
    crate::rotation::take_over(&app).await?;
    let address = listener.local_addr().map_err(Error::internal)?;
    let server = startup::serve(app.clone(), listener)?;
    if app.ledger.clock_stopped() {
        eprintln!(
            "The clock is more than a day from the last entry: the first person who signs in is asked to accept it."
        );
    }
    actix_web::rt::spawn(startup::record_start_in_time(app.clone()));
    actix_web::rt::spawn(crate::sweeper::run(app.clone()));
    let origin = app
        .ledger
        .founding()?
        .origins
        .first()
        .cloned()
        .unwrap_or_default();
    if as_json {
        println!(
            "{}",
            json!({ "listening": address.to_string(), "origin": origin })
        );
    } else {
        if app.keys.soft() {
            eprintln!(
                "SoftHSM is no HSM: its keys lie in files. Use it to try Vitrine, not to keep secrets."
            );
        }
        println!("Serving {origin} on {address}");
    }
    server.await.map_err(Error::internal)?;
    Ok(ExitCode::SUCCESS)
}

fn parse_adopt(text: &str) -> crate::error::Result<(u64, quorum::Hash)> {
    text.split_once(':')
        .and_then(|(size, root)| Some((size.parse().ok()?, root.parse().ok()?)))
        .ok_or_else(|| {
            Error::invalid(
                "Not started.",
                "--adopt takes SIZE:ROOT.",
                "Copy both from another node or a signed-in page.",
            )
        })
}
