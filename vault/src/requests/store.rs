//! SQL of requests and what people said of them.

use quorum::Hash;
use quorum::decision::Cast;
use quorum::ids::{AuthenticatorId, CredentialId, RequestId, SafeId, UserId};
use quorum::statement::{Decision, Kind, Request as Asked, Statement};
use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, Executor, Row};

use super::State;
use crate::error::{Error, Result};
use crate::ledger::hash;
use crate::people::store::{self as people, at, id, seq, sql};
use crate::script::{Script, name};

/// A request's row.
#[derive(Clone)]
pub struct Filed {
    /// Id.
    pub request: RequestId,
    /// Code for people.
    pub code: String,
    /// Where it stands.
    pub state: State,
    /// Who asks.
    pub requester: UserId,
    /// The key that filed it.
    pub authenticator: AuthenticatorId,
    /// The safe.
    pub safe: SafeId,
    /// The credential, of a release or target.
    pub credential: Option<CredentialId>,
    /// The version, of a release.
    pub version: Option<u64>,
    /// Canonical bytes of the request statement.
    pub statement: Vec<u8>,
    /// The reason's text, until it is erased.
    pub reason: Option<String>,
    /// Its salt.
    pub salt: Option<Vec<u8>>,
    /// Hash of a terminal's poll secret.
    pub poll: Option<Hash>,
    /// Seq of the filing.
    pub seq: u64,
    /// Its leaf.
    pub leaf: Hash,
    /// Its time.
    pub filed: i64,
    /// No signature counts from here on.
    pub expires: i64,
    /// A release may be opened before this.
    pub open_until: Option<i64>,
    /// Seq of the acting entry.
    pub opened: Option<u64>,
    /// Its time.
    pub opened_at: Option<i64>,
    /// An open release ends then.
    pub ends: Option<i64>,
    /// When it closed or ended.
    pub closed: Option<i64>,
    /// Why it closed or ended.
    pub why: Option<String>,
}

impl Filed {
    /// What was asked, from the signed bytes.
    pub fn asked(&self) -> Result<Asked> {
        match Statement::parse(&self.statement)
            .map_err(Error::internal)?
            .kind
        {
            Kind::Request(asked) => Ok(*asked),
            _ => Err(Error::internal("a stored request is no request")),
        }
    }
}

const SELECT: &str = "SELECT ";
const FROM: &str = " FROM requests";
const COLUMNS: &str = "request, code, state, requester, authenticator, safe, credential, version, statement, reason, salt, poll, seq, leaf, \
     filed, expires, open_until, opened, opened_at, ends, closed, why";

fn read(row: &AnyRow) -> Result<Filed> {
    Ok(Filed {
        request: id(&row.try_get::<String, _>(0)?)?,
        code: row.try_get(1)?,
        state: State::of(&row.try_get::<String, _>(2)?)
            .ok_or_else(|| Error::internal("a request is in no known state"))?,
        requester: id(&row.try_get::<String, _>(3)?)?,
        authenticator: id(&row.try_get::<String, _>(4)?)?,
        safe: id(&row.try_get::<String, _>(5)?)?,
        credential: row
            .try_get::<Option<String>, _>(6)?
            .map(|c| id(&c))
            .transpose()?,
        version: row.try_get::<Option<i64>, _>(7)?.map(seq).transpose()?,
        statement: row.try_get(8)?,
        reason: row.try_get(9)?,
        salt: row.try_get(10)?,
        poll: row
            .try_get::<Option<Vec<u8>>, _>(11)?
            .map(|h| hash(&h))
            .transpose()?,
        seq: seq(row.try_get(12)?)?,
        leaf: hash(&row.try_get::<Vec<u8>, _>(13)?)?,
        filed: row.try_get(14)?,
        expires: row.try_get(15)?,
        open_until: row.try_get(16)?,
        opened: row.try_get::<Option<i64>, _>(17)?.map(seq).transpose()?,
        opened_at: row.try_get(18)?,
        ends: row.try_get(19)?,
        closed: row.try_get(20)?,
        why: row.try_get(21)?,
    })
}

/// One request.
pub async fn by_id<'e>(e: impl Executor<'e, Database = Any>, request: RequestId) -> Result<Filed> {
    let row = sqlx::query(sql!(SELECT, COLUMNS, WITH_ROSTER))
        .bind(request.to_string())
        .fetch_optional(e)
        .await?;
    read_one(row.as_ref()).map(|(filed, _)| filed)
}

/// Asks for one request, and for the leaf of the roster that its safe's row says is in force.
pub fn ask(reads: &mut Script, request: RequestId) {
    reads.add([SELECT, COLUMNS, WITH_ROSTER].concat(), [name(request)]);
}

const WITH_ROSTER: &str = ", (SELECT s.roster FROM safes s WHERE s.safe = requests.safe) FROM requests WHERE request = $1";

/// What `ask` asked for.
pub fn read_one(row: Option<&AnyRow>) -> Result<(Filed, Option<Hash>)> {
    let row = row.ok_or_else(|| Error::missing("request"))?;
    let roster: Option<Vec<u8>> = row.try_get(22)?;
    Ok((read(row)?, roster.map(|r| hash(&r)).transpose()?))
}

/// One request, and the leaf of the roster that its safe's row says is in force.
pub async fn with_roster(
    c: &mut AnyConnection,
    request: RequestId,
) -> Result<(Filed, Option<Hash>)> {
    let row = sqlx::query(sql!(SELECT, COLUMNS, WITH_ROSTER))
        .bind(request.to_string())
        .fetch_optional(c)
        .await?;
    read_one(row.as_ref())
}

/// The newest requests, at most `limit`.
pub async fn newest<'e>(e: impl Executor<'e, Database = Any>, limit: i64) -> Result<Vec<Filed>> {
    let rows = sqlx::query(sql!(SELECT, COLUMNS, FROM, " ORDER BY filed DESC LIMIT $1"))
        .bind(limit)
        .fetch_all(e)
        .await?;
    rows.iter().map(read).collect()
}

/// Requests filed before the entry `seq`, newest first.
pub async fn before<'e>(
    e: impl Executor<'e, Database = Any>,
    seq: i64,
    limit: i64,
) -> Result<Vec<Filed>> {
    let rows = sqlx::query(sql!(
        SELECT,
        COLUMNS,
        FROM,
        " WHERE seq < $1 ORDER BY seq DESC LIMIT $2"
    ))
    .bind(seq)
    .bind(limit)
    .fetch_all(e)
    .await?;
    rows.iter().map(read).collect()
}

/// Releases that are open, or were closed after `time`; newest first.
pub async fn releases_since<'e>(
    e: impl Executor<'e, Database = Any>,
    time: i64,
    limit: i64,
) -> Result<Vec<Filed>> {
    let rows = sqlx::query(sql!(
        SELECT,
        COLUMNS,
        FROM,
        " WHERE purpose = 'release' AND (state = 'open' OR state = 'closed' AND closed > $1) ORDER BY opened_at DESC LIMIT $2"
    ))
    .bind(time)
    .bind(limit)
    .fetch_all(e)
    .await?;
    rows.iter().map(read).collect()
}

/// Requests that time has ended by `now`, or that may be settled: what a sweep looks at. Those that only wait are left alone.
pub async fn due<'e>(e: impl Executor<'e, Database = Any>, now: i64) -> Result<Vec<Filed>> {
    let rows = sqlx::query(sql!(
        SELECT,
        COLUMNS,
        FROM,
        " WHERE state = 'open' AND ends <= $1 OR state = 'reached' AND open_until <= $1 \
         OR state IN ('waiting', 'reached') AND (expires <= $1 OR purpose <> 'release')"
    ))
    .bind(now)
    .fetch_all(e)
    .await?;
    let readable = rows.iter().filter_map(|row| {
        read(row)
            .map_err(|e| tracing::error!(cause = e.cause(), "a request's row is damaged"))
            .ok()
    });
    Ok(readable.collect())
}

/// Requests that still wait, or are open.
pub async fn live<'e>(e: impl Executor<'e, Database = Any>) -> Result<Vec<Filed>> {
    let rows = sqlx::query(sql!(
        SELECT,
        COLUMNS,
        FROM,
        " WHERE state IN ('waiting', 'reached', 'open') ORDER BY filed DESC"
    ))
    .fetch_all(e)
    .await?;
    rows.iter().map(read).collect()
}

/// Requests of one code.
pub async fn by_code<'e>(
    e: impl Executor<'e, Database = Any>,
    code: &str,
) -> Result<Option<Filed>> {
    let row = sqlx::query(sql!(
        SELECT,
        COLUMNS,
        FROM,
        " WHERE code = $1 ORDER BY filed DESC LIMIT 1"
    ))
    .bind(code.to_owned())
    .fetch_optional(e)
    .await?;
    row.as_ref().map(read).transpose()
}

/// A new request's row.
pub async fn add(c: &mut AnyConnection, r: &Filed, purpose: &str) -> Result<()> {
    sqlx::query(
        "INSERT INTO requests (request, code, purpose, state, requester, authenticator, safe, credential, version, statement, reason, salt, poll, seq, leaf, filed, expires) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
    )
    .bind(r.request.to_string())
    .bind(r.code.clone())
    .bind(purpose)
    .bind(r.state.as_str())
    .bind(r.requester.to_string())
    .bind(r.authenticator.to_string())
    .bind(r.safe.to_string())
    .bind(r.credential.map(|c| c.to_string()))
    .bind(r.version.map(at))
    .bind(r.statement.clone())
    .bind(r.reason.clone())
    .bind(r.salt.clone())
    .bind(r.poll.map(|h| h.0.to_vec()))
    .bind(at(r.seq))
    .bind(r.leaf.0.to_vec())
    .bind(r.filed)
    .bind(r.expires)
    .execute(c)
    .await
    .map_err(|e| match e {
        sqlx::Error::Database(d) if d.is_unique_violation() => {
            Error::conflict("Not asked.", "This request was filed before.", "Look for it among your requests.")
        }
        other => other.into(),
    })?;
    Ok(())
}

/// One decision or acceptance.
#[derive(Clone)]
pub struct Said {
    /// Seq of its entry.
    pub seq: u64,
    /// Its time.
    pub time: i64,
    /// By whom.
    pub user: UserId,
    /// With which key.
    pub authenticator: AuthenticatorId,
    /// `approve`, `deny` or `accept`.
    pub decision: String,
    /// The signed statement.
    pub statement: Vec<u8>,
    /// Place of the re-sealed share.
    pub x: Option<u8>,
    /// The re-sealed share.
    pub sealed: Option<Vec<u8>>,
}

impl Said {
    /// As the rules count it; acceptances are no casts.
    pub fn cast(&self) -> Option<Cast> {
        let decision = match self.decision.as_str() {
            "approve" => Decision::Approve,
            "deny" => Decision::Deny,
            _ => return None,
        };
        Some(Cast {
            seq: self.seq,
            time: self.time,
            decision,
            approver: self.user,
            authenticator: self.authenticator,
        })
    }
}

/// Everything said of a request, in order.
pub async fn said<'e>(
    e: impl Executor<'e, Database = Any>,
    request: RequestId,
) -> Result<Vec<Said>> {
    let rows = sqlx::query(SAID)
        .bind(request.to_string())
        .fetch_all(e)
        .await?;
    read_said(&rows)
}

const SAID: &str = "SELECT seq, time, user_id, authenticator, decision, statement, x, sealed FROM casts WHERE request = $1 ORDER BY seq";

/// Asks for everything said of a request.
pub fn ask_said(reads: &mut Script, request: RequestId) {
    reads.add(SAID, [name(request)]);
}

/// What `ask_said` asked for.
pub fn read_said(rows: &[AnyRow]) -> Result<Vec<Said>> {
    rows.iter()
        .map(|row| {
            Ok(Said {
                seq: seq(row.try_get(0)?)?,
                time: row.try_get(1)?,
                user: id(&row.try_get::<String, _>(2)?)?,
                authenticator: id(&row.try_get::<String, _>(3)?)?,
                decision: row.try_get(4)?,
                statement: row.try_get(5)?,
                x: row
                    .try_get::<Option<i64>, _>(6)?
                    .and_then(|x| u8::try_from(x).ok()),
                sealed: row.try_get(7)?,
            })
        })
        .collect()
}

/// Asks for the lives of the keys that filed and decided.
pub fn ask_lives(reads: &mut Script, request: RequestId) {
    let keys = "SELECT c.authenticator FROM casts c WHERE c.request = $1 \
                UNION SELECT r.authenticator FROM requests r WHERE r.request = $1";
    reads.add(people::lives_in(keys), [name(request)]);
}

/// Adds what somebody said.
pub fn add_said(writes: &mut Script, request: RequestId, s: &Said) {
    writes.add(
        "INSERT INTO casts (request, seq, time, user_id, authenticator, decision, statement, x, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [
            name(request),
            s.seq.into(),
            s.time.into(),
            name(s.user),
            name(s.authenticator),
            s.decision.as_str().into(),
            s.statement.as_slice().into(),
            s.x.map(i64::from).into(),
            s.sealed.as_deref().into(),
        ],
    );
}

/// Keeps state and opening time in step with the count.
pub fn follow(writes: &mut Script, request: RequestId, to: State, open_until: Option<i64>) {
    writes.add(
        "UPDATE requests SET state = $1, open_until = $2 WHERE request = $3",
        [to.as_str().into(), open_until.into(), name(request)],
    );
}

/// Opens a release.
pub fn opened(writes: &mut Script, request: RequestId, seq: u64, time: i64, ends: i64) {
    writes.add(
        "UPDATE requests SET state = $1, opened = $2, opened_at = $3, ends = $4 WHERE request = $5",
        [
            State::Open.as_str().into(),
            seq.into(),
            time.into(),
            ends.into(),
            name(request),
        ],
    );
}

/// Ends a request with the denial that ended it.
pub fn denied(writes: &mut Script, request: RequestId, time: i64) {
    writes.add(
        "UPDATE requests SET state = $1, closed = $2, why = $3 WHERE request = $4",
        [
            State::Ended.as_str().into(),
            time.into(),
            "denied".into(),
            name(request),
        ],
    );
}

fn moved(done: &sqlx::any::AnyQueryResult) -> Result<()> {
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(moved_on())
    }
}

/// Moves a request on. The caller has decided that it may.
pub async fn move_to(
    c: &mut AnyConnection,
    request: RequestId,
    from: State,
    to: State,
) -> Result<()> {
    let done = sqlx::query("UPDATE requests SET state = $1 WHERE request = $2 AND state = $3")
        .bind(to.as_str())
        .bind(request.to_string())
        .bind(from.as_str())
        .execute(c)
        .await?;
    moved(&done)
}

/// Ends a request or release: state, time and why.
pub async fn close(
    c: &mut AnyConnection,
    request: RequestId,
    from: State,
    to: State,
    why: &str,
    time: i64,
) -> Result<()> {
    let done = sqlx::query(
        "UPDATE requests SET state = $1, closed = $2, why = $3 WHERE request = $4 AND state = $5",
    )
    .bind(to.as_str())
    .bind(time)
    .bind(why.to_owned())
    .bind(request.to_string())
    .bind(from.as_str())
    .execute(c)
    .await?;
    moved(&done)
}

/// The refusal when somebody else was faster.
pub fn moved_on() -> Error {
    Error::conflict(
        "Nothing was done.",
        "The request has moved on meanwhile.",
        "Reload the page to see where it stands.",
    )
}
