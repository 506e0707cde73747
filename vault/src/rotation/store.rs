//! SQL of rotations. Not trusted: a row can delay a rotation; it can neither choose its value nor its target.

use quorum::ids::{CredentialId, RotationId, SafeId};
use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, Executor, Row as _};

use crate::clock::SECOND;
use crate::error::Result;
use crate::people::store::{at, id, seq, sql};

/// A rotation's row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Id.
    pub rotation: RotationId,
    /// What is rotated.
    pub credential: CredentialId,
    /// `due`, `staged`, `applied`, `proved`, `stuck`, `promoted`.
    pub state: String,
    /// The state in words.
    pub words: String,
    /// The candidate that was staged last.
    pub version: Option<u64>,
    /// Tries so far.
    pub attempts: i64,
    /// Next try, microseconds since 1970.
    pub next_at: i64,
    /// When it ended.
    pub ended: Option<i64>,
}

impl Row {
    /// It waits for a person.
    pub fn stuck(&self) -> bool {
        self.state == "stuck"
    }
}

const ROW: &str =
    "SELECT rotation, credential, state, words, version, attempts, next_at, ended FROM rotations";
/// A lease outlives any step of a saga, each of which renews it; after it another node may go on.
const LEASE: i64 = 45 * SECOND;

fn read(r: &AnyRow) -> Result<Row> {
    Ok(Row {
        rotation: id(&r.try_get::<String, _>(0)?)?,
        credential: id(&r.try_get::<String, _>(1)?)?,
        state: r.try_get(2)?,
        words: r.try_get(3)?,
        version: r.try_get::<Option<i64>, _>(4)?.map(seq).transpose()?,
        attempts: r.try_get(5)?,
        next_at: r.try_get(6)?,
        ended: r.try_get(7)?,
    })
}

/// Asks for a rotation, where the credential has a bound target and none is under way.
pub async fn ask(
    c: &mut AnyConnection,
    credential: CredentialId,
    cause: &str,
    time: i64,
) -> Result<()> {
    let rotation = RotationId::from_uuid_bytes(*uuid::Uuid::now_v7().as_bytes());
    sqlx::query(
        "INSERT INTO rotations (rotation, credential, state, cause, words, attempts, next_at, lease_ends, started) \
         SELECT $1, $2, 'due', $3, 'The password is to be changed.', 0, $4, 0, $4 \
         WHERE EXISTS (SELECT 1 FROM targets WHERE credential = $2 AND live = 1) \
         AND NOT EXISTS (SELECT 1 FROM rotations WHERE credential = $2 AND ended IS NULL)",
    )
    .bind(rotation.to_string())
    .bind(credential.to_string())
    .bind(cause.to_owned())
    .bind(time)
    .execute(c)
    .await?;
    Ok(())
}

/// Asks for every credential of a safe: after a roster change that is what takes old shares away.
pub async fn ask_for_safe(c: &mut AnyConnection, safe: SafeId, time: i64) -> Result<()> {
    let rows = sqlx::query("SELECT credential FROM credentials WHERE safe = $1")
        .bind(safe.to_string())
        .fetch_all(&mut *c)
        .await?;
    for row in rows {
        ask(
            c,
            id(&row.try_get::<String, _>(0)?)?,
            "roster changed",
            time,
        )
        .await?;
    }
    Ok(())
}

/// The newest rotation of a credential.
pub async fn newest<'e>(
    e: impl Executor<'e, Database = Any>,
    credential: CredentialId,
) -> Result<Option<Row>> {
    let row = sqlx::query(sql!(
        ROW,
        " WHERE credential = $1 ORDER BY started DESC, rotation DESC LIMIT 1"
    ))
    .bind(credential.to_string())
    .fetch_optional(e)
    .await?;
    row.as_ref().map(read).transpose()
}

/// One rotation.
pub async fn by_id<'e>(
    e: impl Executor<'e, Database = Any>,
    rotation: RotationId,
) -> Result<Option<Row>> {
    let row = sqlx::query(sql!(ROW, " WHERE rotation = $1"))
        .bind(rotation.to_string())
        .fetch_optional(e)
        .await?;
    row.as_ref().map(read).transpose()
}

/// The next rotation that is due and that nobody holds.
pub async fn due<'e>(e: impl Executor<'e, Database = Any>, now: i64) -> Result<Option<Row>> {
    let row = sqlx::query(sql!(ROW, " WHERE ended IS NULL AND state <> 'stuck' AND next_at <= $1 AND lease_ends < $1 ORDER BY next_at LIMIT 1"))
        .bind(now)
        .fetch_optional(e)
        .await?;
    row.as_ref().map(read).transpose()
}

/// Takes the lease; false when somebody else was faster.
pub async fn take(
    c: &mut AnyConnection,
    rotation: RotationId,
    lease: &str,
    now: i64,
) -> Result<bool> {
    let done = sqlx::query("UPDATE rotations SET lease = $1, lease_ends = $2 WHERE rotation = $3 AND ended IS NULL AND lease_ends < $4")
        .bind(lease.to_owned())
        .bind(now + LEASE)
        .bind(rotation.to_string())
        .bind(now)
        .execute(c)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives the lease back.
pub async fn release(c: &mut AnyConnection, rotation: RotationId, lease: &str) -> Result<()> {
    sqlx::query(
        "UPDATE rotations SET lease = NULL, lease_ends = 0 WHERE rotation = $1 AND lease = $2",
    )
    .bind(rotation.to_string())
    .bind(lease.to_owned())
    .execute(c)
    .await?;
    Ok(())
}

/// A person wants it tried again, now and from the first try.
pub async fn wake(c: &mut AnyConnection, rotation: RotationId, now: i64) -> Result<()> {
    sqlx::query("UPDATE rotations SET attempts = 0, next_at = $1, state = CASE WHEN state = 'stuck' THEN 'due' ELSE state END WHERE rotation = $2")
        .bind(now)
        .bind(rotation.to_string())
        .execute(c)
        .await?;
    Ok(())
}

/// Moves a rotation on.
pub async fn step(
    c: &mut AnyConnection,
    rotation: RotationId,
    state: &str,
    words: &str,
    version: Option<u64>,
    now: i64,
) -> Result<()> {
    sqlx::query("UPDATE rotations SET state = $1, words = $2, version = COALESCE($3, version), lease_ends = CASE WHEN lease_ends > 0 THEN $4 ELSE 0 END WHERE rotation = $5",)
        .bind(state.to_owned())
        .bind(words.to_owned())
        .bind(version.map(at))
        .bind(now + LEASE)
        .bind(rotation.to_string())
        .execute(c)
        .await?;
    Ok(())
}

/// Puts a rotation off.
pub async fn later(
    c: &mut AnyConnection,
    rotation: RotationId,
    state: &str,
    words: &str,
    attempts: i64,
    next_at: i64,
) -> Result<()> {
    sqlx::query("UPDATE rotations SET state = $1, words = $2, attempts = $3, next_at = $4 WHERE rotation = $5")
        .bind(state.to_owned())
        .bind(words.to_owned())
        .bind(attempts)
        .bind(next_at)
        .bind(rotation.to_string())
        .execute(c)
        .await?;
    Ok(())
}

/// Ends a rotation whose candidate was given up.
pub async fn fail(
    c: &mut AnyConnection,
    rotation: RotationId,
    observed: &str,
    time: i64,
) -> Result<()> {
    sqlx::query(
        "UPDATE rotations SET state = 'failed', words = $1, ended = $2 WHERE rotation = $3",
    )
    .bind(observed.to_owned())
    .bind(time)
    .bind(rotation.to_string())
    .execute(c)
    .await?;
    Ok(())
}

/// The try after one that failed: a rotation of its own, with the tries so far.
pub async fn succeed(
    c: &mut AnyConnection,
    credential: CredentialId,
    state: &str,
    words: &str,
    attempts: i64,
    next_at: i64,
    time: i64,
) -> Result<()> {
    let rotation = RotationId::from_uuid_bytes(*uuid::Uuid::now_v7().as_bytes());
    sqlx::query(
        "INSERT INTO rotations (rotation, credential, state, cause, words, attempts, next_at, lease_ends, started) \
         VALUES ($1, $2, $3, 'retry', $4, $5, $6, 0, $7)",
    )
    .bind(rotation.to_string())
    .bind(credential.to_string())
    .bind(state.to_owned())
    .bind(words.to_owned())
    .bind(attempts)
    .bind(next_at)
    .bind(time)
    .execute(c)
    .await?;
    Ok(())
}

/// Ends a rotation.
pub async fn end(
    c: &mut AnyConnection,
    rotation: RotationId,
    words: &str,
    time: i64,
) -> Result<()> {
    sqlx::query(
        "UPDATE rotations SET state = 'promoted', words = $1, ended = $2 WHERE rotation = $3",
    )
    .bind(words.to_owned())
    .bind(time)
    .bind(rotation.to_string())
    .execute(c)
    .await?;
    Ok(())
}

/// Forgets all leases: where there is one node alone, whoever held one died with it.
pub async fn forget_leases(c: &mut AnyConnection) -> Result<()> {
    sqlx::query("UPDATE rotations SET lease = NULL, lease_ends = 0 WHERE ended IS NULL")
        .execute(c)
        .await?;
    Ok(())
}
