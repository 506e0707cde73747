//! Rotation: the saga of promise P6.

pub mod store;
pub mod targets;

use quorum::ids::{CredentialId, RotationId};

use crate::app::App;
use crate::error::{Error, Result};

/// Starts a rotation now.
pub async fn on_demand(_app: &App, _credential: CredentialId) -> Result<RotationId> {
    Err(Error::internal("not here yet"))
}

/// Runs what is due.
pub async fn run_due(_app: &App) -> Result<()> {
    Ok(())
}

/// Findings about service logins: (what, well, what to do).
pub async fn doctor(_app: &App) -> Result<Vec<(String, bool, String)>> {
    Ok(Vec::new())
}
