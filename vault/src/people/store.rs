//! SQL of people, keys, sessions. Not trusted: a key edited here fails against its enrolment entry
//! wherever it would grant power (quorum's `VerifiedRoster`).

use std::collections::{BTreeSet, HashMap};

use quorum::Hash;
use quorum::decision::KeyLife;
use quorum::ids::{AuthenticatorId, UserId};
use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, Executor, Row};

use crate::error::{Error, Result};

/// A person's row.
#[derive(Clone, Debug)]
pub struct User {
    /// Id.
    pub user: UserId,
    /// The invited name.
    pub name: String,
    /// Roles in force.
    pub roles: Vec<String>,
    /// Hash of an invitation that still waits.
    pub invitation: Option<Hash>,
    /// When it ends.
    pub expires: Option<i64>,
    /// Seq of the `person.invited`.
    pub invited: u64,
}

/// A key's row.
#[derive(Clone, Debug)]
pub struct Key {
    /// Id.
    pub authenticator: AuthenticatorId,
    /// Owner.
    pub user: UserId,
    /// WebAuthn credential id.
    pub credential_id: Vec<u8>,
    /// SEC1 point, 65 bytes.
    pub public_key: Vec<u8>,
    /// X25519 share key, where it can hold a share.
    pub share_key: Option<Vec<u8>>,
    /// The name its owner gave it.
    pub name: String,
    /// Model, where the attestation chain ended in the trust list.
    pub model: Option<String>,
    /// Not proved to be hardware.
    pub software: bool,
    /// Seq of the enrolment.
    pub enrolled: u64,
    /// Time of the enrolment.
    pub created: i64,
    /// Seq of the revocation.
    pub revoked: Option<u64>,
    /// Seq of the suspension in force.
    pub suspended: Option<u64>,
    /// When it last proved that it opens its share.
    pub proved_at: Option<i64>,
    /// The signature counter of its last touch.
    pub counter: u32,
}

impl Key {
    /// Neither revoked nor suspended.
    pub fn live(&self) -> bool {
        self.revoked.is_none() && self.suspended.is_none()
    }

    /// Refuses a key that no longer signs.
    pub fn must_be_live(&self) -> Result<()> {
        if self.live() {
            Ok(())
        } else {
            Err(key_not_live())
        }
    }
}

/// Suspends a live key from the entry at `seq` on.
pub async fn suspend(conn: &mut AnyConnection, key: AuthenticatorId, seq: u64) -> Result<()> {
    let done = sqlx::query("UPDATE authenticators SET suspended = $1 WHERE authenticator = $2 AND suspended IS NULL AND revoked IS NULL")
        .bind(at(seq))
        .bind(key.to_string())
        .execute(&mut *conn)
        .await?;
    if done.rows_affected() == 0 {
        return Err(key_not_live());
    }
    sqlx::query("INSERT INTO suspensions (authenticator, from_seq) VALUES ($1, $2)")
        .bind(key.to_string())
        .bind(at(seq))
        .execute(conn)
        .await?;
    Ok(())
}

/// How many people are custodians with a key that signs.
pub async fn live_custodians<'e>(e: impl Executor<'e, Database = Any>) -> Result<i64> {
    let row = sqlx::query(
        "SELECT COUNT(*) FROM users u WHERE ' ' || u.roles || ' ' LIKE '% custodian %' AND EXISTS \
         (SELECT 1 FROM authenticators a WHERE a.user_id = u.user_id AND a.revoked IS NULL AND a.suspended IS NULL)",
    );
    Ok(row.fetch_one(e).await?.try_get(0)?)
}

/// The refusal of a revoked or suspended key.
pub fn key_not_live() -> Error {
    Error::conflict(
        "Nothing was done.",
        "That key no longer signs: it is revoked or suspended.",
        "Use another of your keys.",
    )
}

const USER: &str = "SELECT user_id, name, roles, invitation, expires, invited FROM users";
/// A key's row.
pub const KEY: &str = "SELECT authenticator, user_id, credential_id, public_key, share_key, name, model, software, enrolled, created, revoked, suspended, proved_at, counter FROM authenticators";

fn user(row: &AnyRow) -> Result<User> {
    let invitation: Option<Vec<u8>> = row.try_get(3)?;
    Ok(User {
        user: id(&row.try_get::<String, _>(0)?)?,
        name: row.try_get(1)?,
        roles: roles_of(&row.try_get::<String, _>(2)?),
        invitation: invitation.map(|h| crate::ledger::hash(&h)).transpose()?,
        expires: row.try_get(4)?,
        invited: seq(row.try_get(5)?)?,
    })
}

/// Reads what `KEY` gives.
pub fn key(row: &AnyRow) -> Result<Key> {
    Ok(Key {
        authenticator: id(&row.try_get::<String, _>(0)?)?,
        user: id(&row.try_get::<String, _>(1)?)?,
        credential_id: row.try_get(2)?,
        public_key: row.try_get(3)?,
        share_key: row.try_get(4)?,
        name: row.try_get(5)?,
        model: row.try_get(6)?,
        software: row.try_get::<i64, _>(7)? != 0,
        enrolled: seq(row.try_get(8)?)?,
        created: row.try_get(9)?,
        revoked: row.try_get::<Option<i64>, _>(10)?.map(seq).transpose()?,
        suspended: row.try_get::<Option<i64>, _>(11)?.map(seq).transpose()?,
        proved_at: row.try_get(12)?,
        counter: u32::try_from(row.try_get::<i64, _>(13)?).map_err(Error::internal)?,
    })
}

/// The roles of a column.
pub fn roles_of(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// An id of a column.
pub fn id<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse()
        .map_err(|_| Error::internal("a stored id is not an id"))
}

/// A seq of a column.
pub fn seq(v: i64) -> Result<u64> {
    u64::try_from(v).map_err(Error::internal)
}

/// A seq as a column holds it.
pub fn at(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

macro_rules! sql {
    ($($part:expr),+) => { sqlx::AssertSqlSafe([$($part),+].concat()) };
}
pub(crate) use sql;

/// One person.
pub async fn user_by_id<'e>(
    e: impl Executor<'e, Database = Any>,
    who: UserId,
) -> Result<Option<User>> {
    let row = sqlx::query(sql!(USER, " WHERE user_id = $1"))
        .bind(who.to_string())
        .fetch_optional(e)
        .await?;
    row.as_ref().map(user).transpose()
}

/// Whoever was invited by this token's hash.
pub async fn user_by_invitation<'e>(
    e: impl Executor<'e, Database = Any>,
    invitation: Hash,
) -> Result<Option<User>> {
    let row = sqlx::query(sql!(USER, " WHERE invitation = $1"))
        .bind(invitation.0.to_vec())
        .fetch_optional(e)
        .await?;
    row.as_ref().map(user).transpose()
}

/// Everybody, by name.
pub async fn users<'e>(e: impl Executor<'e, Database = Any>) -> Result<Vec<User>> {
    let rows = sqlx::query(sql!(USER, " ORDER BY name"))
        .fetch_all(e)
        .await?;
    rows.iter().map(user).collect()
}

/// The key with this WebAuthn credential id.
pub async fn key_by_credential<'e>(
    e: impl Executor<'e, Database = Any>,
    credential: &[u8],
) -> Result<Option<Key>> {
    let row = sqlx::query(sql!(KEY, " WHERE credential_id = $1"))
        .bind(credential.to_vec())
        .fetch_optional(e)
        .await?;
    row.as_ref().map(key).transpose()
}

/// One key.
pub async fn key_by_id<'e>(
    e: impl Executor<'e, Database = Any>,
    k: AuthenticatorId,
) -> Result<Option<Key>> {
    let row = sqlx::query(sql!(KEY, " WHERE authenticator = $1"))
        .bind(k.to_string())
        .fetch_optional(e)
        .await?;
    row.as_ref().map(key).transpose()
}

/// Somebody's keys, oldest first; revoked ones too.
pub async fn keys_of<'e>(e: impl Executor<'e, Database = Any>, who: UserId) -> Result<Vec<Key>> {
    let rows = sqlx::query(sql!(KEY, " WHERE user_id = $1 ORDER BY enrolled"))
        .bind(who.to_string())
        .fetch_all(e)
        .await?;
    rows.iter().map(key).collect()
}

/// Those of `users` who have a key that signs.
pub async fn who_signs<'e>(
    e: impl Executor<'e, Database = Any>,
    users: &BTreeSet<UserId>,
) -> Result<BTreeSet<UserId>> {
    let mut query = sqlx::query(sql!(SIGNS, "(", &places(users.len()), ")"));
    for user in users {
        query = query.bind(user.to_string());
    }
    ids(&query.fetch_all(e).await?)
}

/// People with a key that signs; a list of ids follows.
pub const SIGNS: &str = "SELECT DISTINCT user_id FROM authenticators WHERE revoked IS NULL AND suspended IS NULL AND user_id IN ";

/// The ids of the first column.
pub fn ids<T: std::str::FromStr + Ord>(rows: &[AnyRow]) -> Result<BTreeSet<T>> {
    rows.iter()
        .map(|row| id(&row.try_get::<String, _>(0)?))
        .collect()
}

/// `$1, $2, ..`: places for a list of that length.
pub fn places(length: usize) -> String {
    let places: Vec<String> = (1..=length).map(|n| format!("${n}")).collect();
    places.join(", ")
}

/// When each of `keys` was live, as far as they are there. Rows say it, and entries: whoever takes a suspension or a revocation
/// out of the rows gains nothing, and entries and their links are only ever added to. Of one batch rows alone know.
pub async fn lives<'e>(
    e: impl Executor<'e, Database = Any>,
    keys: &BTreeSet<AuthenticatorId>,
) -> Result<HashMap<AuthenticatorId, KeyLife>> {
    let mut query = sqlx::query(sqlx::AssertSqlSafe(lives_in(&places(keys.len()))));
    for key in keys {
        query = query.bind(key.to_string());
    }
    read_lives(&query.fetch_all(e).await?)
}

/// What `read_lives` reads, of the keys in a list or query.
pub fn lives_in(keys: &str) -> String {
    format!(
        "SELECT a.authenticator, '' AS event, a.enrolled AS seq, a.revoked, s.from_seq, s.to_seq FROM authenticators a \
         LEFT JOIN suspensions s ON s.authenticator = a.authenticator WHERE a.authenticator IN ({keys}) \
         UNION ALL SELECT l.subject, e.event, e.seq, NULL, NULL, NULL FROM ledger_links l JOIN ledger_entries e ON e.seq = l.seq \
         WHERE l.subject IN ({keys}) AND e.event LIKE 'authenticator.%' ORDER BY seq"
    )
}

/// When keys were live.
pub fn read_lives(rows: &[AnyRow]) -> Result<HashMap<AuthenticatorId, KeyLife>> {
    let mut lives: HashMap<AuthenticatorId, KeyLife> = HashMap::new();
    let mut entered: HashMap<AuthenticatorId, KeyLife> = HashMap::new();
    for row in rows {
        let (key, at) = (
            id(&row.try_get::<String, _>(0)?)?,
            seq(row.try_get::<i64, _>(2)?)?,
        );
        let fresh = || KeyLife {
            enrolled_at: at,
            revoked_at: None,
            suspensions: Vec::new(),
        };
        let event: String = row.try_get(1)?;
        if !event.is_empty() {
            live_on(entered.entry(key).or_insert_with(fresh), &event, at);
            continue;
        }
        let life = lives.entry(key).or_insert_with(fresh);
        life.revoked_at = row.try_get::<Option<i64>, _>(3)?.map(seq).transpose()?;
        if let Some(from) = row.try_get::<Option<i64>, _>(4)? {
            let to = row.try_get::<Option<i64>, _>(5)?.map(seq).transpose()?;
            life.suspensions.push((seq(from)?, to));
        }
    }
    for (key, life) in &mut lives {
        if let Some(entered) = entered.remove(key) {
            life.enrolled_at = life.enrolled_at.max(entered.enrolled_at);
            let revoked = life.revoked_at.into_iter().chain(entered.revoked_at);
            life.revoked_at = revoked.min();
            life.suspensions.extend(entered.suspensions);
        }
    }
    Ok(lives)
}

/// What the entry at `seq` did to a key.
fn live_on(life: &mut KeyLife, event: &str, seq: u64) {
    match event {
        "authenticator.revoked" => life.revoked_at = life.revoked_at.or(Some(seq)),
        "authenticator.suspended" | "authenticator.distrusted" => {
            life.suspensions.push((seq, None));
        }
        "authenticator.restored" => {
            for (_, to) in &mut life.suspensions {
                *to = to.or(Some(seq));
            }
        }
        _ => {}
    }
}

/// Adds an invited person. An invitation that expired unused gives its name back.
pub async fn add_user(c: &mut AnyConnection, u: &User, folded: &str, now: i64) -> Result<()> {
    sqlx::query(
        "DELETE FROM users WHERE (folded = $1 OR user_id = $2) AND invitation IS NOT NULL AND expires <= $3 \
         AND NOT EXISTS (SELECT 1 FROM authenticators a WHERE a.user_id = users.user_id)",
    )
    .bind(folded)
    .bind(u.user.to_string())
    .bind(now)
    .execute(&mut *c)
    .await?;
    let taken = sqlx::query("SELECT 1 FROM users WHERE folded = $1 OR user_id = $2")
        .bind(folded)
        .bind(u.user.to_string())
        .fetch_optional(&mut *c)
        .await?;
    if taken.is_some() {
        return Err(Error::conflict(
            "Not invited.",
            "Somebody with that name is here already.",
            "Choose another name, with a middle initial for instance.",
        ));
    }
    sqlx::query("INSERT INTO users (user_id, name, folded, roles, invitation, expires, invited) VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(u.user.to_string())
        .bind(u.name.clone())
        .bind(folded)
        .bind(u.roles.join(" "))
        .bind(u.invitation.map(|h| h.0.to_vec()))
        .bind(u.expires)
        .bind(at(u.invited))
        .execute(c)
        .await?;
    Ok(())
}

/// Adds an enrolled key, and uses the invitation up.
pub async fn add_key(c: &mut AnyConnection, k: &Key, aaguid: [u8; 16]) -> Result<()> {
    sqlx::query(
        "INSERT INTO authenticators (authenticator, user_id, credential_id, public_key, share_key, name, aaguid, model, software, counter, enrolled, created, proved_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(k.authenticator.to_string())
    .bind(k.user.to_string())
    .bind(k.credential_id.clone())
    .bind(k.public_key.clone())
    .bind(k.share_key.clone())
    .bind(k.name.clone())
    .bind(aaguid.to_vec())
    .bind(k.model.clone())
    .bind(i64::from(k.software))
    .bind(i64::from(k.counter))
    .bind(at(k.enrolled))
    .bind(k.created)
    .bind(k.proved_at)
    .execute(&mut *c)
    .await
    .map_err(|e| match e {
        sqlx::Error::Database(d) if d.is_unique_violation() => {
            Error::conflict("Not enrolled.", "This key is enrolled already.", "Take another key, or sign in with this one.")
        }
        other => other.into(),
    })?;
    sqlx::query("UPDATE users SET invitation = NULL, expires = NULL WHERE user_id = $1")
        .bind(k.user.to_string())
        .execute(c)
        .await?;
    Ok(())
}
