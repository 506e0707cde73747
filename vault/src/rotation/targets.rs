//! Targets.

use quorum::ids::TargetId;

use crate::app::App;
use crate::credentials::store::Credential;
use crate::error::{Error, Result};

/// A draft of a target, with the SQL that its administrator runs once.
pub async fn draft(
    _app: &App,
    _c: &Credential,
    _connector: &str,
    _address: &str,
    _account: &str,
    _pin: &str,
) -> Result<(TargetId, String)> {
    Err(Error::internal("not here yet"))
}

/// The SQL of a draft, again.
pub async fn sql_of(_app: &App, _target: TargetId) -> Result<String> {
    Err(Error::internal("not here yet"))
}
