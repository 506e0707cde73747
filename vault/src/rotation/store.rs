//! SQL of rotations.

use quorum::ids::{CredentialId, RotationId, SafeId};
use sqlx::{Any, AnyConnection, Executor, Row as _};

use crate::error::Result;
use crate::people::store::{id, seq};

/// A rotation's row.
pub struct Row {
    /// Id.
    pub rotation: RotationId,
    /// State.
    pub state: String,
    /// In words.
    pub words: String,
    /// Version it makes.
    pub version: Option<u64>,
    /// Tries so far.
    pub attempts: i64,
    /// Next try.
    pub next_at: i64,
    /// End.
    pub ended: Option<i64>,
}

impl Row {
    /// It waits for a person.
    pub fn stuck(&self) -> bool {
        self.state == "stuck"
    }
}

/// Asks for a rotation.
pub async fn ask(
    _conn: &mut AnyConnection,
    _credential: CredentialId,
    _cause: &str,
    _time: i64,
) -> Result<()> {
    Ok(())
}

/// Asks for all of a safe.
pub async fn ask_for_safe(_conn: &mut AnyConnection, _safe: SafeId, _time: i64) -> Result<()> {
    Ok(())
}

/// The newest rotation.
pub async fn newest<'e>(
    e: impl Executor<'e, Database = Any>,
    credential: CredentialId,
) -> Result<Option<Row>> {
    let row = sqlx::query("SELECT rotation, state, words, version, attempts, next_at, ended FROM rotations WHERE credential = $1 ORDER BY started DESC LIMIT 1")
        .bind(credential.to_string())
        .fetch_optional(e)
        .await?;
    row.map(|r| {
        Ok(Row {
            rotation: id(&r.try_get::<String, _>(0)?)?,
            state: r.try_get(1)?,
            words: r.try_get(2)?,
            version: r.try_get::<Option<i64>, _>(3)?.map(seq).transpose()?,
            attempts: r.try_get(4)?,
            next_at: r.try_get(5)?,
            ended: r.try_get(6)?,
        })
    })
    .transpose()
}
