//! SQL of credentials, versions, custody, shares, targets.

use quorum::Hash;
use quorum::ids::{CredentialId, RequestId, SafeId, TargetId};
use quorum::secret::{Envelope, ShareEnvelope};
use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, Executor, Row};

use super::ShownTarget;
use crate::error::{Error, Result};
use crate::keys::Wrapped;
use crate::ledger::hash;
use crate::people::store::{at, id, seq};
use crate::script::{Script, name};

/// A credential's row.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Id.
    pub credential: CredentialId,
    /// Its safe, for ever.
    pub safe: SafeId,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: String,
    /// Current version.
    pub version: Option<u64>,
    /// Highest version that was sealed.
    pub sealed: u64,
    /// Where it lives.
    pub target: Option<TargetId>,
}

/// One credential.
pub async fn by_id<'e>(
    e: impl Executor<'e, Database = Any>,
    credential: CredentialId,
) -> Result<Credential> {
    let row = sqlx::query("SELECT credential, safe, name, kind, version, sealed, target FROM credentials WHERE credential = $1")
        .bind(credential.to_string())
        .fetch_optional(e)
        .await?
        .ok_or_else(|| Error::missing("credential"))?;
    Ok(Credential {
        credential: id(&row.try_get::<String, _>(0)?)?,
        safe: id(&row.try_get::<String, _>(1)?)?,
        name: row.try_get(2)?,
        kind: row.try_get(3)?,
        version: row.try_get::<Option<i64>, _>(4)?.map(seq).transpose()?,
        sealed: seq(row.try_get(5)?)?,
        target: row
            .try_get::<Option<String>, _>(6)?
            .map(|t| id(&t))
            .transpose()?,
    })
}

/// A new credential; nothing sealed yet.
pub async fn add(
    c: &mut AnyConnection,
    credential: CredentialId,
    safe: SafeId,
    name: &str,
    kind: &str,
    now: i64,
) -> Result<()> {
    sqlx::query("INSERT INTO credentials (credential, safe, name, kind, sealed, created) VALUES ($1, $2, $3, $4, 0, $5)")
        .bind(credential.to_string())
        .bind(safe.to_string())
        .bind(name.to_owned())
        .bind(kind.to_owned())
        .bind(now)
        .execute(c)
        .await
        .map_err(|e| match e {
            sqlx::Error::Database(d) if d.is_unique_violation() => {
                Error::conflict("Not added.", "This safe has a credential of that name.", "Choose another name.")
            }
            sqlx::Error::Database(d) if d.is_foreign_key_violation() => Error::missing("safe"),
            other => other.into(),
        })?;
    Ok(())
}

/// What a version's row says, for comparing with signed bytes.
pub struct VersionRow {
    /// Envelope hash.
    pub hash: Hash,
    /// Roster leaf.
    pub roster: Hash,
    /// State word.
    pub state: String,
}

/// One version's row.
pub async fn state_of(
    c: &mut AnyConnection,
    credential: CredentialId,
    version: u64,
) -> Result<VersionRow> {
    let row = sqlx::query(STATE)
        .bind(credential.to_string())
        .bind(at(version))
        .fetch_optional(c)
        .await?;
    read_state(row.as_ref())
}

const STATE: &str = "SELECT hash, roster, state FROM versions WHERE credential = $1 AND version = $2 AND seq IS NOT NULL";

/// Asks for one version's row.
pub fn ask_state(reads: &mut Script, credential: CredentialId, version: u64) {
    reads.add(STATE, [name(credential), version.into()]);
}

/// What `ask_state` asked for.
pub fn read_state(row: Option<&AnyRow>) -> Result<VersionRow> {
    let row = row.ok_or_else(|| Error::missing("version"))?;
    Ok(VersionRow {
        hash: hash(&row.try_get::<Vec<u8>, _>(0)?)?,
        roster: hash(&row.try_get::<Vec<u8>, _>(1)?)?,
        state: row.try_get(2)?,
    })
}

/// A stored envelope, parsed. Whoever uses it compares its hash with a signed one.
pub async fn envelope<'e>(
    c: impl Executor<'e, Database = Any>,
    credential: CredentialId,
    version: u64,
) -> Result<Envelope> {
    let row = sqlx::query("SELECT envelope FROM versions WHERE credential = $1 AND version = $2")
        .bind(credential.to_string())
        .bind(at(version))
        .fetch_optional(c)
        .await?;
    read_envelope(row.as_ref())
}

/// Asks for the envelope of the version that a release is for, and for its custody list.
pub fn ask_sealed(reads: &mut Script, release: RequestId) {
    let version = " WHERE (credential, version) = (SELECT q.credential, q.version FROM requests q WHERE q.request = $1)";
    for what in ["SELECT envelope FROM versions", CUSTODY] {
        reads.add([what, version].concat(), [name(release)]);
    }
}

const CUSTODY: &str = "SELECT wrapping_key, wrapped FROM custody";

/// A stored envelope, parsed. Whoever uses it compares its hash with a signed one.
pub fn read_envelope(row: Option<&AnyRow>) -> Result<Envelope> {
    let row = row.ok_or_else(|| Error::missing("version"))?;
    Envelope::parse(&row.try_get::<Vec<u8>, _>(0)?)
        .map_err(|_| crate::safes::rosters::unproved("a stored envelope is damaged"))
}

/// The header of a stored envelope, canonical text.
pub fn header_of(envelope: &[u8]) -> Result<String> {
    let envelope = Envelope::parse(envelope)
        .map_err(|_| crate::safes::rosters::unproved("a stored envelope is damaged"))?;
    String::from_utf8(envelope.header().bytes()).map_err(Error::internal)
}

/// A custody list.
pub fn read_custody(rows: &[AnyRow]) -> Result<Vec<Wrapped>> {
    rows.iter()
        .map(|r| {
            Ok(Wrapped {
                key: id(&r.try_get::<String, _>(0)?)?,
                wrapped: r.try_get(1)?,
            })
        })
        .collect()
}

/// How many versions that may be opened have their half wrapped by one key alone.
pub async fn wrapped_once<'e>(e: impl Executor<'e, Database = Any>) -> Result<i64> {
    let row = sqlx::query(
        "SELECT COUNT(*) FROM versions v WHERE v.seq IS NOT NULL AND v.state <> 'superseded' \
         AND (SELECT COUNT(*) FROM custody c WHERE c.credential = v.credential AND c.version = v.version) < 2",
    )
    .fetch_one(e)
    .await?;
    Ok(row.try_get(0)?)
}

/// A sealed version, before or with its entry (`seq`).
pub struct NewVersion {
    /// Credential.
    pub credential: CredentialId,
    /// Number.
    pub version: u64,
    /// Envelope.
    pub envelope: Envelope,
    /// Custody list.
    pub custody: Vec<Wrapped>,
    /// Share envelopes.
    pub shares: Vec<ShareEnvelope>,
    /// `generated`, `imported`, `resealed`.
    pub origin: &'static str,
}

/// Stores a version and what lies beside it. `seq` is absent while an import waits for its signature.
pub async fn add_version(
    c: &mut AnyConnection,
    v: &NewVersion,
    state: &str,
    seq: Option<u64>,
    time: i64,
) -> Result<()> {
    let header = v.envelope.header();
    sqlx::query("INSERT INTO versions (credential, version, envelope, hash, epoch, roster, origin, state, seq, sealed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
        .bind(v.credential.to_string())
        .bind(at(v.version))
        .bind(v.envelope.bytes().to_vec())
        .bind(v.envelope.hash().0.to_vec())
        .bind(at(header.epoch))
        .bind(header.roster.0.to_vec())
        .bind(v.origin)
        .bind(state.to_owned())
        .bind(seq.map(at))
        .bind(time)
        .execute(&mut *c)
        .await?;
    for w in &v.custody {
        sqlx::query("INSERT INTO custody (credential, version, wrapping_key, wrapped) VALUES ($1, $2, $3, $4)")
            .bind(v.credential.to_string())
            .bind(at(v.version))
            .bind(w.key.to_string())
            .bind(w.wrapped.clone())
            .execute(&mut *c)
            .await?;
    }
    for s in &v.shares {
        sqlx::query("INSERT INTO shares (credential, version, approver, authenticator, x, sealed) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(v.credential.to_string())
            .bind(at(v.version))
            .bind(s.approver.to_string())
            .bind(s.authenticator.to_string())
            .bind(i64::from(s.x))
            .bind(s.sealed.clone())
            .execute(&mut *c)
            .await?;
    }
    sqlx::query("UPDATE credentials SET sealed = $1 WHERE credential = $2 AND sealed < $1")
        .bind(at(v.version))
        .bind(v.credential.to_string())
        .execute(c)
        .await?;
    Ok(())
}

/// Forgets an import that nobody signed.
pub async fn drop_pending(c: &mut AnyConnection, credential: CredentialId) -> Result<()> {
    for sql in [
        "DELETE FROM custody WHERE credential = $1 AND version IN (SELECT version FROM versions WHERE credential = $1 AND seq IS NULL)",
        "DELETE FROM shares WHERE credential = $1 AND version IN (SELECT version FROM versions WHERE credential = $1 AND seq IS NULL)",
        "DELETE FROM versions WHERE credential = $1 AND seq IS NULL",
    ] {
        sqlx::query(sql)
            .bind(credential.to_string())
            .execute(&mut *c)
            .await?;
    }
    Ok(())
}

/// Makes `version` the current one; what it replaces is superseded.
pub async fn promote(c: &mut AnyConnection, credential: CredentialId, version: u64) -> Result<()> {
    sqlx::query("UPDATE versions SET state = 'superseded' WHERE credential = $1 AND version <> $2 AND seq IS NOT NULL")
        .bind(credential.to_string())
        .bind(at(version))
        .execute(&mut *c)
        .await?;
    sqlx::query("UPDATE versions SET state = 'current' WHERE credential = $1 AND version = $2")
        .bind(credential.to_string())
        .bind(at(version))
        .execute(&mut *c)
        .await?;
    sqlx::query("UPDATE credentials SET version = $1 WHERE credential = $2")
        .bind(at(version))
        .bind(credential.to_string())
        .execute(c)
        .await?;
    Ok(())
}

/// The credential's target: the bound one, else the newest draft.
pub async fn target_of<'e>(
    e: impl Executor<'e, Database = Any>,
    credential: CredentialId,
) -> Result<Option<ShownTarget>> {
    let row = sqlx::query("SELECT target, connector, address, account, pin, live FROM targets WHERE credential = $1 ORDER BY live DESC, target DESC LIMIT 1")
        .bind(credential.to_string())
        .fetch_optional(e)
        .await?;
    row.as_ref().map(shown_target).transpose()
}

/// The credential's bound target, and before it the newest of what was drafted since.
pub async fn targets<'e>(
    e: impl Executor<'e, Database = Any>,
    credential: CredentialId,
) -> Result<Vec<ShownTarget>> {
    const DRAFTS: usize = 5;
    let rows = sqlx::query("SELECT target, connector, address, account, pin, live FROM targets WHERE credential = $1 AND (live = 1 OR seq IS NULL) ORDER BY target DESC")
        .bind(credential.to_string())
        .fetch_all(e)
        .await?;
    let (mut list, mut bound) = (Vec::new(), None);
    for row in &rows {
        let target = shown_target(row)?;
        if target.live {
            bound = Some(target);
            break;
        }
        list.push(target);
    }
    list.truncate(DRAFTS);
    list.extend(bound);
    Ok(list)
}

/// One target, bound or not.
pub async fn target_by_id<'e>(
    e: impl Executor<'e, Database = Any>,
    target: TargetId,
) -> Result<Option<ShownTarget>> {
    let row = sqlx::query(
        "SELECT target, connector, address, account, pin, live FROM targets WHERE target = $1",
    )
    .bind(target.to_string())
    .fetch_optional(e)
    .await?;
    row.as_ref().map(shown_target).transpose()
}

fn shown_target(r: &sqlx::any::AnyRow) -> Result<ShownTarget> {
    Ok(ShownTarget {
        target: r.try_get(0)?,
        connector: r.try_get(1)?,
        address: r.try_get(2)?,
        account: r.try_get(3)?,
        pin: r.try_get(4)?,
        live: r.try_get::<i64, _>(5)? != 0,
    })
}

/// One line of a credential's history of versions.
pub struct VersionLine {
    /// Number.
    pub version: u64,
    /// `generated`, `imported`, `resealed`.
    pub origin: String,
    /// Roster epoch that it is sealed to.
    pub epoch: u64,
    /// State word.
    pub state: String,
    /// When sealed.
    pub sealed_at: i64,
    /// Entry of the sealing.
    pub seq: u64,
}

/// Every sealed version, newest first; the superseded ones too.
pub async fn versions<'e>(
    e: impl Executor<'e, Database = Any>,
    credential: CredentialId,
) -> Result<Vec<VersionLine>> {
    let rows = sqlx::query("SELECT version, origin, epoch, state, sealed_at, seq FROM versions WHERE credential = $1 AND seq IS NOT NULL ORDER BY version DESC")
        .bind(credential.to_string())
        .fetch_all(e)
        .await?;
    rows.iter()
        .map(|r| {
            Ok(VersionLine {
                version: seq(r.try_get(0)?)?,
                origin: r.try_get(1)?,
                epoch: seq(r.try_get(2)?)?,
                state: r.try_get(3)?,
                sealed_at: r.try_get(4)?,
                seq: seq(r.try_get(5)?)?,
            })
        })
        .collect()
}

/// Share envelopes of a version.
pub async fn shares(
    c: &mut AnyConnection,
    credential: CredentialId,
    version: u64,
) -> Result<Vec<ShareEnvelope>> {
    let rows = sqlx::query("SELECT approver, authenticator, x, sealed FROM shares WHERE credential = $1 AND version = $2 ORDER BY x, authenticator")
        .bind(credential.to_string())
        .bind(at(version))
        .fetch_all(c)
        .await?;
    rows.iter()
        .map(|r| {
            Ok(ShareEnvelope {
                approver: id(&r.try_get::<String, _>(0)?)?,
                authenticator: id(&r.try_get::<String, _>(1)?)?,
                x: u8::try_from(r.try_get::<i64, _>(2)?).map_err(Error::internal)?,
                sealed: r.try_get(3)?,
            })
        })
        .collect()
}

/// A pending import is signed: it has its entry and its number now.
pub async fn sign_pending(
    c: &mut AnyConnection,
    credential: CredentialId,
    version: u64,
    entry: u64,
) -> Result<()> {
    sqlx::query(
        "UPDATE versions SET seq = $1 WHERE credential = $2 AND version = $3 AND seq IS NULL",
    )
    .bind(at(entry))
    .bind(credential.to_string())
    .bind(at(version))
    .execute(&mut *c)
    .await?;
    sqlx::query("UPDATE credentials SET sealed = $1 WHERE credential = $2")
        .bind(at(version))
        .bind(credential.to_string())
        .execute(c)
        .await?;
    Ok(())
}
