//! SQL of rotations. Not trusted: a row can delay a rotation; it can neither choose its value nor its target.

use quorum::ids::{CredentialId, RotationId, SafeId};
use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, Executor, Row as _};

use crate::error::{Error, Result};
use crate::people::store::{at, id, seq, sql};

/// A rotation's row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Id.
    pub rotation: RotationId,
    /// What is rotated.
    pub credential: CredentialId,
    /// `due`, `staged`, `applied`, `proved`, `stuck`, `promoted`, `failed`.
    pub state: String,
    /// The state in words.
    pub words: String,
    /// The candidate that was staged last.
    pub version: Option<u64>,
    /// Tries so far.
    pub attempts: i64,
    /// Next try, microseconds since 1970.
    pub next_at: i64,
    /// When it was asked for.
    pub started: i64,
    /// When it ended.
    pub ended: Option<i64>,
}

impl Row {
    /// It waits for a person.
    pub fn stuck(&self) -> bool {
        self.state == "stuck"
    }
}

const ROW: &str = "SELECT rotation, credential, state, words, version, attempts, next_at, ended, started FROM rotations";

/// Whoever moves a rotation: the lease that it holds, and until when that is good after a step.
///
/// A node that was only slow has lost its lease to another, and everything that it still writes is refused: the
/// ledger's order of steps (FORMATS.md 4) does not depend on anybody's speed.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The rotation.
    pub rotation: RotationId,
    /// The lease, drawn afresh each time that a rotation is taken.
    pub lease: String,
    /// Microseconds that a lease holds; longer than any step may take.
    pub life: i64,
}

fn lost() -> Error {
    Error::conflict(
        "Not done.",
        "Another node has taken this rotation over.",
        "Look at the credential's page for where it stands.",
    )
}

fn held(rows: u64) -> Result<()> {
    if rows == 1 { Ok(()) } else { Err(lost()) }
}

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
        started: r.try_get(8)?,
    })
}

/// Asks for a rotation, where the credential has a bound target and none waits that has not drawn its value yet.
/// One that has drawn it does not do: what was seen may be that very candidate. One that is stuck tries anew.
pub async fn ask(
    c: &mut AnyConnection,
    credential: CredentialId,
    cause: &str,
    time: i64,
) -> Result<()> {
    let woken = sqlx::query(
        "UPDATE rotations SET state = 'due', attempts = 0, next_at = $1, cause = $2, words = 'The password is to be changed.' \
         WHERE credential = $3 AND ended IS NULL AND state = 'stuck'",
    )
    .bind(time)
    .bind(cause.to_owned())
    .bind(credential.to_string())
    .execute(&mut *c)
    .await?;
    if woken.rows_affected() > 0 {
        return Ok(());
    }
    let rotation = RotationId::from_uuid_bytes(*uuid::Uuid::now_v7().as_bytes());
    sqlx::query(
        "INSERT INTO rotations (rotation, credential, state, cause, words, attempts, next_at, lease_ends, started) \
         SELECT $1, $2, 'due', $3, 'The password is to be changed.', 0, $4, 0, $4 \
         WHERE EXISTS (SELECT 1 FROM targets WHERE credential = $2 AND live = 1) \
         AND NOT EXISTS (SELECT 1 FROM rotations WHERE credential = $2 AND ended IS NULL AND state = 'due')",
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

/// The next rotation that is due and that nobody holds. One that would draw a value waits for one of the same
/// credential that has drawn it.
pub async fn due<'e>(e: impl Executor<'e, Database = Any>, now: i64) -> Result<Option<Row>> {
    let row = sqlx::query(sql!(
        ROW,
        " WHERE ended IS NULL AND state <> 'stuck' AND next_at <= $1 AND lease_ends < $1 \
         AND (state <> 'due' OR credential NOT IN (SELECT credential FROM rotations WHERE ended IS NULL AND state IN ('staged', 'applied', 'proved'))) \
         ORDER BY next_at LIMIT 1"
    ))
    .bind(now)
    .fetch_optional(e)
    .await?;
    row.as_ref().map(read).transpose()
}

/// Takes the lease; false when somebody else was faster.
pub async fn take(c: &mut AnyConnection, by: &Holder, now: i64) -> Result<bool> {
    let done = sqlx::query("UPDATE rotations SET lease = $1, lease_ends = $2 WHERE rotation = $3 AND ended IS NULL AND state <> 'stuck' AND lease_ends < $4")
        .bind(by.lease.clone())
        .bind(now + by.life)
        .bind(by.rotation.to_string())
        .bind(now)
        .execute(c)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives the lease back.
pub async fn release(c: &mut AnyConnection, by: &Holder) -> Result<()> {
    sqlx::query(
        "UPDATE rotations SET lease = NULL, lease_ends = 0 WHERE rotation = $1 AND lease = $2",
    )
    .bind(by.rotation.to_string())
    .bind(by.lease.clone())
    .execute(c)
    .await?;
    Ok(())
}

/// A person wants it tried again, now and from the first try.
pub async fn wake(c: &mut AnyConnection, rotation: RotationId, now: i64) -> Result<()> {
    sqlx::query("UPDATE rotations SET attempts = 0, next_at = $1, state = CASE WHEN state = 'stuck' THEN 'due' ELSE state END WHERE rotation = $2 AND ended IS NULL")
        .bind(now)
        .bind(rotation.to_string())
        .execute(c)
        .await?;
    Ok(())
}

/// Moves a rotation on from one state to the next, and renews the lease.
pub async fn step(
    c: &mut AnyConnection,
    by: &Holder,
    from: &str,
    to: &str,
    words: &str,
    version: u64,
    now: i64,
) -> Result<()> {
    let done = sqlx::query(
        "UPDATE rotations SET state = $1, words = $2, version = $3, lease_ends = $4 \
         WHERE rotation = $5 AND lease = $6 AND state = $7 AND ended IS NULL",
    )
    .bind(to.to_owned())
    .bind(words.to_owned())
    .bind(at(version))
    .bind(now + by.life)
    .bind(by.rotation.to_string())
    .bind(by.lease.clone())
    .bind(from.to_owned())
    .execute(c)
    .await?;
    held(done.rows_affected())
}

/// Puts a rotation off that has drawn no value.
pub async fn later(
    c: &mut AnyConnection,
    by: &Holder,
    state: &str,
    words: &str,
    attempts: i64,
    next_at: i64,
) -> Result<()> {
    let done = sqlx::query("UPDATE rotations SET state = $1, words = $2, attempts = $3, next_at = $4 WHERE rotation = $5 AND lease = $6 AND state = 'due' AND ended IS NULL")
        .bind(state.to_owned())
        .bind(words.to_owned())
        .bind(attempts)
        .bind(next_at)
        .bind(by.rotation.to_string())
        .bind(by.lease.clone())
        .execute(c)
        .await?;
    held(done.rows_affected())
}

/// Ends a rotation: `failed` or `promoted`.
pub async fn end(
    c: &mut AnyConnection,
    by: &Holder,
    state: &str,
    words: &str,
    time: i64,
) -> Result<()> {
    let done = sqlx::query("UPDATE rotations SET state = $1, words = $2, ended = $3 WHERE rotation = $4 AND lease = $5 AND ended IS NULL")
        .bind(state.to_owned())
        .bind(words.to_owned())
        .bind(time)
        .bind(by.rotation.to_string())
        .bind(by.lease.clone())
        .execute(c)
        .await?;
    held(done.rows_affected())
}

/// The try after one that failed: a rotation of its own, with the tries so far. One that was asked for meanwhile
/// becomes that try.
pub async fn again(
    c: &mut AnyConnection,
    credential: CredentialId,
    state: &str,
    words: &str,
    attempts: i64,
    next_at: i64,
    time: i64,
) -> Result<()> {
    let waiting = sqlx::query("UPDATE rotations SET state = $1, words = $2, attempts = $3, next_at = $4 WHERE credential = $5 AND ended IS NULL AND state = 'due'")
        .bind(state.to_owned())
        .bind(words.to_owned())
        .bind(attempts)
        .bind(next_at)
        .bind(credential.to_string())
        .execute(&mut *c)
        .await?;
    if waiting.rows_affected() > 0 {
        return Ok(());
    }
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

/// Forgets the leases of a node that is dead: those that begin with `prefix`.
pub async fn forget_leases(c: &mut AnyConnection, prefix: &str) -> Result<()> {
    sqlx::query(
        "UPDATE rotations SET lease = NULL, lease_ends = 0 WHERE ended IS NULL AND lease LIKE $1",
    )
    .bind(format!("{prefix}%"))
    .execute(c)
    .await?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::db::Db;

    const NOW: i64 = 1_000_000_000;

    /// An empty database with one credential that has a target.
    async fn with_target() -> (tempfile::TempDir, Db, CredentialId) {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("t.db").display());
        let db = Db::open(&url, true).await.unwrap();
        db.migrate(None).await.unwrap();
        let credential = CredentialId::from_uuid_bytes([7; 16]);
        for sql in [
            "PRAGMA foreign_keys = OFF",
            "INSERT INTO credentials (credential, safe, name, kind, sealed, created) VALUES ($1, 's', 'n', 'password', 0, 0)",
            "INSERT INTO targets (target, credential, connector, address, account, pin, login_name, login, verifier, live) \
             VALUES ('t', $1, 'postgresql', 'a', 'b', 'unix', 'l', x'00', 'v', 1)",
        ] {
            let mut query = sqlx::query(sql);
            if sql.contains("$1") {
                query = query.bind(credential.to_string());
            }
            query.execute(&mut *conn(&db).await).await.unwrap();
        }
        (dir, db, credential)
    }

    /// A connection that doesn't ask for safes and people which these tests have not got.
    async fn conn(db: &Db) -> sqlx::pool::PoolConnection<Any> {
        let mut conn = db.pool.acquire().await.unwrap();
        sqlx::query("PRAGMA foreign_keys = OFF")
            .execute(&mut *conn)
            .await
            .unwrap();
        conn
    }

    fn holder(rotation: RotationId, lease: &str) -> Holder {
        Holder {
            rotation,
            lease: lease.to_owned(),
            life: 10,
        }
    }

    #[tokio::test]
    async fn whoever_lost_the_lease_writes_nothing() {
        let (_dir, db, credential) = with_target().await;
        let c = &mut *conn(&db).await;
        ask(c, credential, "expired", NOW).await.unwrap();
        let row = due(&mut *c, NOW).await.unwrap().unwrap();
        let slow = holder(row.rotation, "slow");
        assert!(take(c, &slow, NOW).await.unwrap());
        assert!(due(&mut *c, NOW + 5).await.unwrap().is_none());
        step(c, &slow, "due", "staged", "", 8, NOW).await.unwrap();
        // Its lease is over; another node goes on and gives the candidate up.
        let next = holder(row.rotation, "next");
        assert!(!take(c, &next, NOW + 10).await.unwrap());
        assert!(take(c, &next, NOW + 11).await.unwrap());
        assert!(
            step(c, &slow, "staged", "applied", "", 8, NOW)
                .await
                .is_err()
        );
        assert!(end(c, &slow, "promoted", "", NOW).await.is_err());
        end(c, &next, "failed", "", NOW + 12).await.unwrap();
        again(c, credential, "due", "", 1, NOW + 20, NOW + 12)
            .await
            .unwrap();
        assert!(end(c, &next, "promoted", "", NOW + 13).await.is_err());
        assert!(
            step(c, &next, "failed", "applied", "", 8, NOW)
                .await
                .is_err()
        );
        let newest = newest(&mut *c, credential).await.unwrap().unwrap();
        assert!(newest.ended.is_none() && newest.attempts == 1 && newest.version.is_none());
    }

    /// What was seen while a candidate was on its way may be that candidate: it is changed once more.
    #[tokio::test]
    async fn a_candidate_that_was_seen_is_changed_again_but_not_at_once() {
        let (_dir, db, credential) = with_target().await;
        let c = &mut *conn(&db).await;
        ask(c, credential, "expired", NOW).await.unwrap();
        ask(c, credential, "checked_in", NOW).await.unwrap();
        let first = due(&mut *c, NOW).await.unwrap().unwrap();
        let by = holder(first.rotation, "a");
        assert!(take(c, &by, NOW).await.unwrap());
        assert!(
            due(&mut *c, NOW).await.unwrap().is_none(),
            "asked twice, queued twice"
        );
        step(c, &by, "due", "staged", "", 8, NOW).await.unwrap();
        ask(c, credential, "checked_in", NOW).await.unwrap();
        assert!(
            due(&mut *c, NOW + 5).await.unwrap().is_none(),
            "two sagas at once"
        );
        end(c, &by, "promoted", "", NOW + 6).await.unwrap();
        let second = due(&mut *c, NOW + 7).await.unwrap().unwrap();
        assert_ne!(second.rotation, first.rotation);
    }

    #[tokio::test]
    async fn a_stuck_rotation_wakes_when_the_password_was_seen_again() {
        let (_dir, db, credential) = with_target().await;
        let c = &mut *conn(&db).await;
        ask(c, credential, "expired", NOW).await.unwrap();
        let row = due(&mut *c, NOW).await.unwrap().unwrap();
        let by = holder(row.rotation, "a");
        assert!(take(c, &by, NOW).await.unwrap());
        later(c, &by, "stuck", "", 5, NOW).await.unwrap();
        release(c, &by).await.unwrap();
        assert!(due(&mut *c, NOW + 50).await.unwrap().is_none());
        ask(c, credential, "checked_in", NOW + 60).await.unwrap();
        let row = due(&mut *c, NOW + 60).await.unwrap().unwrap();
        assert!(row.rotation == by.rotation && row.attempts == 0 && row.state == "due");
    }
}
