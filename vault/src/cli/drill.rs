//! `vitrine drill`: rehearsals that play the real path.

use std::process::ExitCode;

use crate::error::{Error, Result};

/// Which rehearsal, against what.
#[derive(clap::Args)]
pub(super) struct Drill {
    /// The scenario: break-glass.
    scenario: String,
    /// Where Vitrine is.
    #[arg(long, env = "VITRINE_URL", default_value = "http://localhost:7443")]
    url: String,
    /// The PostgreSQL target.
    #[arg(long)]
    target: String,
}

/// Plays it.
pub(super) async fn run(drill: Drill, _as_json: bool) -> Result<ExitCode> {
    let _ = (drill.url, drill.target);
    Err(Error::invalid(
        "Not played.",
        format!("There is no scenario {}.", drill.scenario),
        "Name break-glass.",
    ))
}
