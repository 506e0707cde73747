//! Credentials and their versions: sealing needs no quorum, reading does.

pub mod seal;
pub mod site;
pub mod store;
pub mod view;
pub mod web;

use quorum::ids::{CredentialId, SafeId};
use serde::Serialize;
use sqlx::Row;

use crate::app::App;
use crate::error::Result;
use crate::ledger::hash;
use crate::pages::When;
use crate::people::store::{id, seq, sql};

/// Kinds that can be sealed now.
pub const KINDS: [&str; 3] = ["password", "token", "note"];

/// One version as pages and programs see it.
#[derive(Serialize, Clone, Debug)]
pub struct ShownVersion {
    /// Number.
    pub version: u64,
    /// Envelope hash.
    pub envelope: String,
    /// Roster epoch that it is sealed to.
    pub epoch: u64,
    /// Roster leaf.
    pub roster: String,
    /// `current`, `candidate`, `proved_last` or `superseded`.
    pub state: String,
    /// The same for who chooses among several.
    pub words: String,
    /// The header, canonical.
    pub header: String,
    /// When sealed.
    pub sealed_at: i64,
    /// Entry of the sealing.
    pub seq: u64,
}

/// One credential as pages and programs see it.
#[derive(Serialize, Clone, Debug)]
pub struct Shown {
    /// Id.
    pub credential: String,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: String,
    /// Safe.
    pub safe: String,
    /// Its name.
    pub safe_name: String,
    /// `empty`, `sealed`, `waiting`, `open`, `rotating` or `stuck`.
    pub state: String,
    /// State in words.
    pub words: String,
    /// Where it lives.
    pub target: Option<ShownTarget>,
    /// Versions that may be asked for, newest first.
    pub versions: Vec<ShownVersion>,
    /// Who holds it open, and until when.
    pub held_by: Option<String>,
    /// End of that.
    pub held_until: Option<i64>,
    /// The request that is live or open.
    pub request: Option<String>,
}

/// A target as people see it.
#[derive(Serialize, Clone, Debug)]
pub struct ShownTarget {
    /// Id.
    pub target: String,
    /// Connector.
    pub connector: String,
    /// Where.
    pub address: String,
    /// Who.
    pub account: String,
    /// How it is known again.
    pub pin: String,
    /// Whether m approvers bound it.
    pub live: bool,
}

const CREDENTIAL: &str = "SELECT c.credential, c.name, c.kind, c.safe, s.name, c.version, c.target FROM credentials c JOIN safes s ON s.safe = c.safe";

/// All credentials of a safe.
pub async fn in_safe(app: &App, safe: SafeId) -> Result<Vec<Shown>> {
    let rows = sqlx::query(sql!(CREDENTIAL, " WHERE c.safe = $1 ORDER BY c.name"))
        .bind(safe.to_string())
        .fetch_all(&app.ledger.db().pool)
        .await?;
    let mut list = Vec::new();
    for row in &rows {
        list.push(shown(app, row).await?);
    }
    Ok(list)
}

/// Credentials whose name, safe, address or account holds `text`, best first; at most 50.
pub async fn find(app: &App, text: &str) -> Result<Vec<Shown>> {
    let rows = sqlx::query(sql!(CREDENTIAL, " ORDER BY c.name"))
        .fetch_all(&app.ledger.db().pool)
        .await?;
    let wanted = crate::people::fold(text);
    let mut list = Vec::new();
    for row in &rows {
        let c = shown(app, row).await?;
        let place = c
            .target
            .as_ref()
            .map_or_else(String::new, |t| format!("{} {}", t.account, t.address));
        let hay = crate::people::fold(&format!("{} {} {place}", c.name, c.safe_name));
        if wanted.split_whitespace().all(|w| hay.contains(w)) {
            list.push(c);
        }
    }
    list.sort_by_key(|c| !crate::people::fold(&c.name).starts_with(&wanted));
    list.truncate(50);
    Ok(list)
}

/// How many credentials there are.
pub async fn count(app: &App) -> Result<u64> {
    let row = sqlx::query("SELECT COUNT(*) FROM credentials")
        .fetch_one(&app.ledger.db().pool)
        .await?;
    seq(row.try_get(0)?)
}

/// One credential.
pub async fn one(app: &App, credential: CredentialId) -> Result<Option<Shown>> {
    let row = sqlx::query(sql!(CREDENTIAL, " WHERE c.credential = $1"))
        .bind(credential.to_string())
        .fetch_optional(&app.ledger.db().pool)
        .await?;
    match row {
        Some(row) => Ok(Some(shown(app, &row).await?)),
        None => Ok(None),
    }
}

async fn shown(app: &App, row: &sqlx::any::AnyRow) -> Result<Shown> {
    let pool = &app.ledger.db().pool;
    let credential: CredentialId = id(&row.try_get::<String, _>(0)?)?;
    let rows = sqlx::query(
        "SELECT version, hash, epoch, roster, state, envelope, sealed_at, seq FROM versions WHERE credential = $1 AND state <> 'superseded' AND seq IS NOT NULL ORDER BY version DESC",
    )
    .bind(credential.to_string())
    .fetch_all(pool)
    .await?;
    let mut versions = Vec::new();
    for v in rows {
        let envelope: Vec<u8> = v.try_get(5)?;
        let header = store::header_of(&envelope)?;
        versions.push(ShownVersion {
            version: seq(v.try_get(0)?)?,
            envelope: hash(&v.try_get::<Vec<u8>, _>(1)?)?.to_string(),
            epoch: seq(v.try_get(2)?)?,
            roster: hash(&v.try_get::<Vec<u8>, _>(3)?)?.to_string(),
            state: v.try_get(4)?,
            words: String::new(),
            header,
            sealed_at: v.try_get(6)?,
            seq: seq(v.try_get(7)?)?,
        });
    }
    say_which(&mut versions);
    let target = store::target_of(pool, credential).await?;
    let held = sqlx::query(
        "SELECT r.request, r.state, u.name, r.ends FROM requests r JOIN users u ON u.user_id = r.requester \
         WHERE r.credential = $1 AND r.purpose = 'release' AND r.state IN ('waiting', 'reached', 'open') ORDER BY r.ends DESC, r.filed DESC LIMIT 1",
    )
    .bind(credential.to_string())
    .fetch_optional(pool)
    .await?;
    let rotation = crate::rotation::store::newest(pool, credential).await?;
    let mut state = if versions.is_empty() {
        "empty"
    } else {
        "sealed"
    };
    let mut words = match versions.first() {
        Some(v) => format!("version {}", v.version),
        None => "nothing sealed yet".to_owned(),
    };
    if let Some(r) = rotation.filter(|r| r.ended.is_none()) {
        state = if r.stuck() { "stuck" } else { "rotating" };
        words = r.words;
    }
    let (mut held_by, mut held_until, mut request) = (None, None, None);
    if let Some(row) = held {
        request = Some(row.try_get::<String, _>(0)?);
        held_by = Some(row.try_get::<String, _>(2)?);
        if row.try_get::<String, _>(1)? == "open" {
            held_until = row.try_get(3)?;
            state = "open";
        } else if state == "sealed" {
            state = "waiting";
        }
    }
    Ok(Shown {
        credential: credential.to_string(),
        name: row.try_get(1)?,
        kind: row.try_get(2)?,
        safe: row.try_get(3)?,
        safe_name: row.try_get(4)?,
        state: state.into(),
        words,
        target,
        versions,
        held_by,
        held_until,
        request,
    })
}

/// Says of each version, newest first, what is known of it. Only a candidate makes two of them that may be the one in force: a
/// version that an import replaced is kept, and is no guess.
fn say_which(versions: &mut [ShownVersion]) {
    let day = |v: &ShownVersion| When(v.sealed_at).day();
    let unproved = versions.iter().any(|v| v.state == "candidate");
    let mut newer = None;
    for v in versions {
        v.words = match (v.state.as_str(), &newer) {
            ("candidate", _) => "may be in force: a rotation is not proved".to_owned(),
            ("proved_last", Some(replaced)) => format!("replaced on {replaced}"),
            _ if unproved => "worked last".to_owned(),
            _ => format!("current since {}", day(v)),
        };
        if v.state != "candidate" {
            newer = Some(day(v));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_candidate_leaves_a_doubt_which_one_is_in_force() {
        const DAY: i64 = crate::clock::DAY;
        let said = |states: &[&str]| -> Vec<String> {
            let mut versions: Vec<_> = (0..)
                .zip(states)
                .map(|(i, state)| ShownVersion {
                    version: 9,
                    envelope: String::new(),
                    epoch: 1,
                    roster: String::new(),
                    state: (*state).into(),
                    words: String::new(),
                    header: String::new(),
                    sealed_at: (20 - i) * DAY,
                    seq: 1,
                })
                .collect();
            say_which(&mut versions);
            versions.into_iter().map(|v| v.words).collect()
        };
        let unproved = "may be in force: a rotation is not proved";
        assert_eq!(said(&["candidate", "current"]), [unproved, "worked last"]);
        assert_eq!(
            said(&["candidate", "candidate", "current", "proved_last"]),
            [unproved, unproved, "worked last", "replaced on 19 Jan 1970"]
        );
        assert_eq!(
            said(&["current", "proved_last", "proved_last"]),
            [
                "current since 21 Jan 1970",
                "replaced on 21 Jan 1970",
                "replaced on 20 Jan 1970"
            ]
        );
    }
}
