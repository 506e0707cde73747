//! SQL of safes.

use quorum::Hash;
use quorum::ids::SafeId;
use sqlx::{Any, Executor, Row};

use crate::error::{Error, Result};
use crate::ledger::hash;
use crate::people::store::{id, seq};

/// A safe's row.
#[derive(Clone, Debug)]
pub struct Safe {
    /// Id.
    pub safe: SafeId,
    /// Name.
    pub name: String,
    /// For rehearsals, for ever.
    pub drill: bool,
    /// Roster epoch in force.
    pub epoch: u64,
    /// Leaf of its `roster.set`.
    pub roster: Hash,
    /// Approvals needed.
    pub m: u64,
    /// Denials that end a request.
    pub denials: u64,
    /// Longest life of a request, seconds.
    pub request_life_s: u64,
    /// Longest release, seconds.
    pub grant_life_s: u64,
}

fn read(row: &sqlx::any::AnyRow) -> Result<Safe> {
    Ok(Safe {
        safe: id(&row.try_get::<String, _>(0)?)?,
        name: row.try_get(1)?,
        drill: row.try_get::<i64, _>(2)? != 0,
        epoch: seq(row.try_get(3)?)?,
        roster: hash(&row.try_get::<Vec<u8>, _>(4)?)?,
        m: seq(row.try_get(5)?)?,
        denials: seq(row.try_get(6)?)?,
        request_life_s: seq(row.try_get(7)?)?,
        grant_life_s: seq(row.try_get(8)?)?,
    })
}

const SAFE: &str =
    "SELECT safe, name, drill, epoch, roster, m, denials, request_life_s, grant_life_s FROM safes";

/// All safes, by name.
pub async fn all<'e>(e: impl Executor<'e, Database = Any>) -> Result<Vec<Safe>> {
    let rows = sqlx::query(crate::people::store::sql!(SAFE, " ORDER BY name"))
        .fetch_all(e)
        .await?;
    rows.iter().map(read).collect()
}

/// One safe.
pub async fn by_id<'e>(e: impl Executor<'e, Database = Any>, safe: SafeId) -> Result<Option<Safe>> {
    let row = sqlx::query(crate::people::store::sql!(SAFE, " WHERE safe = $1"))
        .bind(safe.to_string())
        .fetch_optional(e)
        .await?;
    row.as_ref().map(read).transpose()
}

/// The `roster.set` in force just before the entry `seq`.
pub async fn leaf_before<'e>(
    e: impl Executor<'e, Database = Any>,
    safe: SafeId,
    seq: u64,
) -> Result<Option<Hash>> {
    let row = sqlx::query(
        "SELECT leaf FROM rosters WHERE safe = $1 AND seq < $2 ORDER BY epoch DESC LIMIT 1",
    )
    .bind(safe.to_string())
    .bind(crate::people::store::at(seq))
    .fetch_optional(e)
    .await?;
    row.map(|r| hash(&r.try_get::<Vec<u8>, _>(0)?)).transpose()
}

/// A safe's name, where it is founded.
pub async fn name_of<'e>(
    e: impl Executor<'e, Database = Any>,
    safe: SafeId,
) -> Result<Option<String>> {
    Ok(by_id(e, safe).await?.map(|s| s.name))
}

/// The subject under which a safe's drills are linked, beside the safe itself.
pub fn drills_of(safe: SafeId) -> String {
    format!("drills/{safe}")
}

/// How a safe's last drill ended: whether it passed, and when.
pub async fn last_drill<'e>(
    e: impl Executor<'e, Database = Any>,
    safe: SafeId,
) -> Result<Option<(bool, i64)>> {
    let row = sqlx::query(
        "SELECT e.bytes, e.time FROM ledger_links l JOIN ledger_entries e ON e.seq = l.seq WHERE l.subject = $1 ORDER BY l.seq DESC LIMIT 1",
    )
    .bind(drills_of(safe))
    .fetch_optional(e)
    .await?;
    row.map(|row| {
        let entry: serde_json::Value =
            serde_json::from_slice(&row.try_get::<Vec<u8>, _>(0)?).map_err(Error::internal)?;
        let outcome = entry.pointer("/data/outcome").and_then(|o| o.as_str());
        Ok((outcome == Some("passed"), row.try_get(1)?))
    })
    .transpose()
}
