//! What an approver's page needs to check everything for itself: entries, proofs, the envelope, the
//! reason, and one's own share envelopes. Bytes, never verdicts.

use std::collections::BTreeSet;

use quorum::ids::TargetId;
use quorum::statement::Purpose;
use serde_json::json;
use sqlx::Row;

use super::store::{self, Filed};
use crate::app::App;
use crate::b64;
use crate::credentials::store as credentials;
use crate::error::{Error, Result};
use crate::ledger::Checkpoint;
use crate::people::store::{self as people, at, seq};
use crate::safes::rosters;
use crate::who::Person;

#[derive(Default)]
struct Places {
    all: BTreeSet<u64>,
}

impl Places {
    fn add(&mut self, place: u64) -> u64 {
        self.all.insert(place);
        place
    }
}

/// The evidence of a request for `who`, or for the terminal that filed it; `from` is the size of the checkpoint that is pinned there.
pub async fn evidence(
    app: &App,
    who: Option<&Person>,
    filed: &Filed,
    from: u64,
) -> Result<serde_json::Value> {
    let pool = &app.ledger.db().pool;
    let asked = filed.asked()?;
    let checkpoint = app.ledger.checkpoint().await?;
    if from > checkpoint.size {
        return Err(Error::conflict(
            "Stop. This server is behind what your device has seen.",
            "Its ledger is shorter than the one this page remembers.",
            "Sign nothing, and call a custodian.",
        ));
    }
    let mut places = Places::default();
    places.add(0);
    let mut roles = serde_json::Map::new();
    roles.insert("founding".into(), json!(0));
    roles.insert("request".into(), json!(places.add(filed.seq)));
    if let Some(row) = sqlx::query("SELECT seq FROM rosters WHERE leaf = $1")
        .bind(asked.roster.0.to_vec())
        .fetch_optional(pool)
        .await?
    {
        roles.insert("roster".into(), json!(places.add(seq(row.try_get(0)?)?)));
    }
    let target = match &asked.purpose {
        Purpose::Release(r) => {
            let sealed =
                sqlx::query("SELECT seq FROM versions WHERE credential = $1 AND version = $2")
                    .bind(r.credential.to_string())
                    .bind(at(r.version))
                    .fetch_one(pool)
                    .await?;
            if let Some(place) = sealed.try_get::<Option<i64>, _>(0)? {
                roles.insert("sealed".into(), json!(places.add(seq(place)?)));
            }
            r.sealed_as.target
        }
        _ => None,
    };
    let said = store::said(pool, filed.request).await?;
    let mut subjects: BTreeSet<String> = said.iter().map(|s| s.user.to_string()).collect();
    subjects.insert(filed.requester.to_string());
    if let Some((set, bound)) = match target {
        Some(target) => binding(app, target).await?,
        None => None,
    } {
        roles.insert("target".into(), json!(places.add(set)));
        roles.insert("target_request".into(), json!(places.add(bound.seq)));
        subjects.insert(bound.requester.to_string());
    }
    if let Purpose::Roster(r) = &asked.purpose {
        subjects.extend(r.new.approvers.iter().map(|a| a.user.to_string()));
    }
    let told = about(app, subjects, &mut places).await?;
    let decisions: Vec<u64> = said.iter().map(|s| places.add(s.seq)).collect();
    roles.insert("invited".into(), json!(told.invited));
    roles.insert("enrolled".into(), json!(told.enrolled));
    roles.insert("revoked".into(), json!(told.revoked));
    roles.insert("role_changes".into(), json!(told.role_changes));
    roles.insert("decisions".into(), json!(decisions));
    let (envelope, shares) = held(app, who, &asked.purpose).await?;
    let me = match who {
        Some(who) => Some(me(app, who).await?),
        None => None,
    };
    let consistency = app.ledger.consistency(from, checkpoint.size).await?;
    Ok(json!({
        "checkpoint": checkpoint.note,
        "consistency": consistency.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "entries": entries(app, &places.all, &checkpoint).await?,
        "roles": roles, "envelope": envelope, "shares": shares,
        "reason": { "text": filed.reason, "salt": filed.salt.as_deref().map(b64::encode) },
        "me": me,
    }))
}

async fn me(app: &App, who: &Person) -> Result<serde_json::Value> {
    let keys = people::keys_of(&app.ledger.db().pool, who.user).await?;
    Ok(json!({
        "user": who.user.to_string(), "name": who.name,
        "authenticators": keys.iter().filter(|k| k.live())
            .map(|k| json!({ "authenticator": k.authenticator.to_string(), "credential_id": b64::encode(&k.credential_id) }))
            .collect::<Vec<_>>(),
    }))
}

/// Whose business a request's evidence is: who asks, who may be asked to sign or accept, and those whose work it is to look.
pub async fn may_see(app: &App, who: &Person, filed: &Filed) -> Result<()> {
    if who.user == filed.requester || who.is("custodian") || who.is("auditor") {
        return Ok(());
    }
    let asked = filed.asked()?;
    let mut theirs = match &asked.purpose {
        Purpose::Roster(r) => r.new.approvers.iter().any(|a| a.user == who.user),
        _ => false,
    };
    if let Some(rosters) = super::decide::rosters_of(app, filed, &asked).await? {
        theirs |= [&rosters.named, &rosters.in_force]
            .iter()
            .any(|r| r.approver(who.user).is_some());
    }
    if theirs {
        return Ok(());
    }
    Err(Error::forbidden(
        "Not shown.",
        "The evidence of a request is for who asked, who may sign, custodians and auditors.",
        "Its page and its entries in the ledger say what happened.",
    ))
}

/// The `target.set` of a target, and the request that it was bound by.
async fn binding(app: &App, target: TargetId) -> Result<Option<(u64, Filed)>> {
    let pool = &app.ledger.db().pool;
    let row = sqlx::query(
        "SELECT e.seq, e.bytes FROM targets t JOIN ledger_entries e ON e.seq = t.seq WHERE t.target = $1",
    )
    .bind(target.to_string())
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let entry: serde_json::Value =
        serde_json::from_slice(&row.try_get::<Vec<u8>, _>(1)?).map_err(Error::internal)?;
    let request = entry
        .pointer("/data/request")
        .and_then(|r| r.as_str())
        .ok_or_else(|| rosters::unproved("a target names no request"))?;
    let bound = store::by_id(pool, people::id(request)?).await?;
    Ok(Some((seq(row.try_get(0)?)?, bound)))
}

/// What the ledger says of some people: places of entries.
#[derive(Default)]
struct Told {
    invited: Vec<u64>,
    enrolled: Vec<u64>,
    /// Whatever ends or suspends a key.
    revoked: Vec<u64>,
    role_changes: Vec<u64>,
}

/// Invitations, roles, enrolments and ends of the keys of `subjects`, and of whoever let them in or gave them roles, back to the
/// first custodian.
async fn about(app: &App, subjects: BTreeSet<String>, places: &mut Places) -> Result<Told> {
    let pool = &app.ledger.db().pool;
    let (mut waiting, mut done) = (Vec::from_iter(subjects), BTreeSet::new());
    let mut told = Told::default();
    while let Some(subject) = waiting.pop() {
        if !done.insert(subject.clone()) {
            continue;
        }
        let rows = sqlx::query("SELECT e.seq, e.event, e.actor FROM ledger_links l JOIN ledger_entries e ON e.seq = l.seq WHERE l.subject = $1 ORDER BY e.seq")
            .bind(subject)
            .fetch_all(pool)
            .await?;
        for row in rows {
            let place = seq(row.try_get(0)?)?;
            let event = row.try_get::<String, _>(1)?;
            let list = match event.as_str() {
                "person.invited" => &mut told.invited,
                "person.roles" => &mut told.role_changes,
                "authenticator.enrolled" => &mut told.enrolled,
                e if e.starts_with("authenticator.") => &mut told.revoked,
                _ => continue,
            };
            list.push(places.add(place));
            if event.starts_with("person.") {
                waiting.extend(Some(row.try_get::<String, _>(2)?).filter(|a| a != "system"));
            }
        }
    }
    Ok(told)
}

async fn entries(
    app: &App,
    places: &BTreeSet<u64>,
    checkpoint: &Checkpoint,
) -> Result<Vec<serde_json::Value>> {
    let mut list = Vec::new();
    for place in places {
        let p = rosters::proved(&app.ledger, *place, checkpoint).await?;
        list.push(json!({
            "seq": p.seq, "entry": String::from_utf8(p.entry).map_err(Error::internal)?,
            "proof": p.proof.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }));
    }
    Ok(list)
}

/// The envelope and one's own share envelopes.
async fn held(
    app: &App,
    who: Option<&Person>,
    purpose: &Purpose,
) -> Result<(Option<String>, Vec<serde_json::Value>)> {
    let Purpose::Release(r) = purpose else {
        return Ok((None, Vec::new()));
    };
    let pool = &app.ledger.db().pool;
    let envelope = credentials::envelope(pool, r.credential, r.version).await?;
    let text = Some(String::from_utf8_lossy(envelope.bytes()).into_owned());
    let Some(who) = who else {
        return Ok((text, Vec::new()));
    };
    let rows = sqlx::query(
        "SELECT s.authenticator, s.x, s.sealed, a.credential_id FROM shares s JOIN authenticators a ON a.authenticator = s.authenticator \
         WHERE s.credential = $1 AND s.version = $2 AND s.approver = $3",
    )
    .bind(r.credential.to_string())
    .bind(at(r.version))
    .bind(who.user.to_string())
    .fetch_all(pool)
    .await?;
    let mut shares = Vec::new();
    for row in rows {
        shares.push(json!({
            "approver": who.user.to_string(), "authenticator": row.try_get::<String, _>(0)?, "x": row.try_get::<i64, _>(1)?,
            "sealed": b64::encode(&row.try_get::<Vec<u8>, _>(2)?), "credential_id": b64::encode(&row.try_get::<Vec<u8>, _>(3)?),
        }));
    }
    Ok((text, shares))
}
