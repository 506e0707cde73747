//! The `vitrine` program: verbs as people say them, `--json` everywhere, documented exit codes.
//!
//! Exit codes: 0 done; 1 refused or failed; 2 wrong usage, and `audit verify`: not verified; 3 `audit verify`:
//! self-consistent only; otherwise the child's own (`exec`).

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
    },
    /// Serves pages and API.
    Serve {
        /// SIZE:ROOT that you have compared, for a node without an anchor.
        #[arg(long)]
        adopt: Option<String>,
    },
    /// Brings the database's schema up to date.
    Migrate,
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
        .init();
    let config = Config::load(cli.config.as_deref())?;
    with_softhsm(&config)?;
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
        } => runtime.block_on(init(
            &config,
            &origin,
            name.as_deref(),
            &custodian,
            cli.json,
        )),
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
    }
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

async fn init(
    config: &Config,
    origin: &str,
    name: Option<&str>,
    custodian: &str,
    as_json: bool,
) -> Result<ExitCode> {
    let founded = startup::found(config, origin, name, custodian).await?;
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
    let address = listener.local_addr().map_err(Error::internal)?;
    let server = startup::serve(app.clone(), listener)?;
    if app.ledger.clock_stopped() {
        eprintln!(
            "The clock is more than a day from the last entry: the first person who signs in is asked to accept it."
        );
    } else {
        startup::record_start(&app).await?;
    }
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
