//! The `vitrine` program: verbs as people say them, `--json` everywhere, documented exit codes.
//!
//! Exit codes: 0 done; 1 refused or failed; 2 wrong usage, and `audit verify`: not verified; 3 `audit verify`:
//! self-consistent only; otherwise the child's own (`exec`).

mod audit;
mod doctor;
mod drill;
mod held;
mod live;
mod opening;
mod remote;
mod run;
mod session;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::json;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::startup;

#[derive(Parser)]
#[command(
    name = "vitrine",
    version,
    about = "A break-glass vault: no quorum, no plaintext."
)]
struct Cli {
    /// Configuration file; by default vitrine.toml where there is one.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// Answers as JSON on stdout.
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
    /// Looks at tokens, database, clock, disk, anchor, margins and service logins, and says what to do.
    Doctor,
    /// Signs this terminal in, by a link that any browser can open.
    Login {
        #[command(flatten)]
        at: At,
    },
    /// Asks for a credential, waits for the quorum, and prints it on stdout.
    Break {
        /// Part of its name, or its id.
        credential: Option<String>,
        #[command(flatten)]
        ask: Ask,
        /// Goes on with a request of this machine.
        #[arg(long, value_name = "CODE")]
        resume: Option<String>,
        /// Opens without asking once more.
        #[arg(long)]
        yes: bool,
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
    Exec {
        /// Part of the credential's name, or its id.
        credential: String,
        #[command(flatten)]
        ask: Ask,
        /// Hands the secret over in this variable of the command alone.
        #[arg(long, default_value = "PGPASSWORD", conflicts_with = "fd")]
        env: String,
        /// Hands the secret over on this descriptor, 3 to 9.
        #[arg(long, value_parser = clap::value_parser!(i32).range(3..=9))]
        fd: Option<i32>,
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

#[derive(clap::Args)]
struct At {
    /// Where Vitrine is.
    #[arg(long, env = "VITRINE_URL", default_value = "http://localhost:7443")]
    url: String,
}

#[derive(clap::Args)]
struct Ask {
    /// Why: one or two sentences that approvers read.
    #[arg(long, default_value = "")]
    why: String,
    /// Incident or change number.
    #[arg(long)]
    ticket: Option<String>,
    /// For how long: 15m, 900s, 1h.
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
    let cli = Cli::parse();
    let json = cli.json;
    match go(cli) {
        Ok(code) => code,
        Err(e) => {
            say_refusal(&e, json);
            ExitCode::from(1)
        }
    }
}

/// A refusal in the terminal: what, why, what next.
pub fn say_refusal(e: &Error, as_json: bool) {
    let w = e.words();
    if as_json {
        println!(
            "{}",
            json!({ "error": { "type": e.kind(), "title": w.what, "detail": w.why, "next": w.next } })
        );
    } else {
        eprintln!("{}\n  {}\n  {}", w.what, w.why, w.next);
    }
    if let Some(cause) = e.cause() {
        tracing::error!(%cause, "refused");
    }
}

fn go(cli: Cli) -> Result<ExitCode> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("VITRINE_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,vault=info")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    if let Verb::Audit(Audit::Verify { dir, founded, seen }) = cli.verb {
        return audit::verify(&dir, founded.as_deref(), seen, cli.json);
    }
    let config = Config::load(cli.config.as_deref())?;
    let on_the_node = matches!(
        cli.verb,
        Verb::Init { .. } | Verb::Serve { .. } | Verb::Migrate | Verb::Doctor | Verb::Audit(_)
    );
    if on_the_node {
        with_softhsm(&config)?;
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
        Verb::Doctor => runtime.block_on(doctor::run(&config, json)),
        Verb::Login { at } => runtime.block_on(async {
            session::login(&remote::Remote::new(&at.url)?, json).await?;
            Ok(ExitCode::SUCCESS)
        }),
        Verb::Break {
            credential,
            ask,
            resume,
            yes,
            at,
        } => {
            let remote = remote::Remote::new(&at.url)?;
            let asking = credential.map(|c| asking(c, ask));
            runtime.block_on(run::break_glass(
                &remote,
                asking,
                resume.as_deref(),
                yes,
                json,
            ))
        }
        Verb::Checkin { code, at } => {
            runtime.block_on(run::check_in(&remote::Remote::new(&at.url)?, &code, json))
        }
        Verb::Exec {
            credential,
            ask,
            env,
            fd,
            at,
            command,
        } => {
            let remote = remote::Remote::new(&at.url)?;
            let into = fd.map_or(run::Handing::Env(env), run::Handing::Fd);
            runtime.block_on(run::exec(&remote, asking(credential, ask), into, &command))
        }
        Verb::Rotate { credential, at } => runtime.block_on(run::rotate(
            &remote::Remote::new(&at.url)?,
            &credential,
            json,
        )),
        Verb::Drill(drill) => runtime.block_on(drill::run(drill, json)),
        Verb::Audit(Audit::Export { out }) => runtime.block_on(async {
            let app = startup::open(config, crate::clock::Clock::default(), None).await?;
            audit::export(&app, &out, json).await
        }),
        Verb::Audit(Audit::Verify { .. }) => Err(Error::internal("verified above")),
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
    Err(Error::internal(e))
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
    let listener = startup::listen(&config)?;
    let app = startup::open(config, crate::clock::Clock::default(), adopt).await?;
    app.ledger.check_writable().await?;
    startup::take_over(&app).await?;
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

fn parse_adopt(text: &str) -> Result<(u64, quorum::Hash)> {
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
