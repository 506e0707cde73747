//! Verified bindings: a `target.set` gathered from stored entries, proved by `quorum` back to the quorum that approved it.
//!
//! As with rosters, rows only say where to look (promise P12). Not trusted, but believed to be complete: who deletes the
//! links of a revocation, of a denial or of a newer binding hides it here, and the offline verifier finds it.

use std::collections::BTreeSet;
use std::sync::Arc;

use quorum::entry::{Entry, Event, VersionSealed};
use quorum::evidence::{Proved, Trust};
use quorum::ids::{CredentialId, SafeId};
use quorum::roster::{TargetEvidence, VerifiedTarget};
use sqlx::Row;

use crate::app::App;
use crate::error::Result;
use crate::ledger::Checkpoint;
use crate::people::store::{at, seq};
use crate::safes::rosters::{gather_with, proved, trust, unproved};

/// The binding that the entry at `place` makes. Kept as long as no key is revoked: a rotation then costs one proof.
pub(super) async fn verified(app: &App, place: u64) -> Result<Arc<VerifiedTarget>> {
    let checkpoint = app.ledger.checkpoint().await?;
    let trust = trust(&app.ledger, &checkpoint).await?;
    let set = proved(&app.ledger, place, &checkpoint).await?;
    let entry = trust.entry(&set).map_err(|e| unproved(&e.to_string()))?;
    let Event::TargetSet(said) = entry.event else {
        return Err(unproved("a target's entry binds nothing"));
    };
    let key = (entry.leaf, app.rosters.newest_key_event(&app.ledger).await?);
    if let Some(held) = app.rosters.bound(&key) {
        return Ok(held);
    }
    let evidence = gather(app, set, said.safe, &said.request.to_string(), &checkpoint).await?;
    let target = VerifiedTarget::verify(&trust, &evidence).map_err(|e| unproved(&e.to_string()))?;
    let home = home(app, target.credential(), (&trust, &checkpoint)).await?;
    if home != Some(target.safe()) {
        return Err(unproved("a credential was bound by another safe"));
    }
    Ok(app.rosters.keep_bound(key, target))
}

/// Every entry that a binding stands on: its request and what was said of it, the rosters until then, and the people.
async fn gather(
    app: &App,
    set: Proved,
    safe: SafeId,
    request: &str,
    checkpoint: &Checkpoint,
) -> Result<TargetEvidence> {
    let pool = &app.ledger.db().pool;
    let rows = sqlx::query(
        "SELECT e.seq, e.event, e.actor FROM ledger_links l JOIN ledger_entries e ON e.seq = l.seq \
         WHERE l.subject = $1 AND l.seq < $2 ORDER BY l.seq",
    )
    .bind(request.to_owned())
    .bind(at(set.seq))
    .fetch_all(pool)
    .await?;
    let (mut filed, mut decisions, mut people) = (None, Vec::new(), BTreeSet::new());
    for row in rows {
        let place = seq(row.try_get(0)?)?;
        match row.try_get::<String, _>(1)?.as_str() {
            "request.filed" => filed = Some(place),
            // A binding of the same request before this one has spent it.
            "request.approved" | "request.denied" | "request.ended" | "target.set" => {
                decisions.push(proved(&app.ledger, place, checkpoint).await?);
            }
            _ => continue,
        }
        people.insert(row.try_get::<String, _>(2)?);
    }
    let filed = filed.ok_or_else(|| unproved("a target was bound by no request"))?;
    let row =
        sqlx::query("SELECT COALESCE(MAX(epoch), 0) FROM rosters WHERE safe = $1 AND seq < $2")
            .bind(safe.to_string())
            .bind(at(set.seq))
            .fetch_one(pool)
            .await?;
    let epoch = seq(row.try_get(0)?)?;
    Ok(TargetEvidence {
        rosters: gather_with(&app.ledger, safe, epoch, people, checkpoint).await?,
        request: proved(&app.ledger, filed, checkpoint).await?,
        set,
        decisions,
    })
}

/// A credential belongs for ever to the safe of its first `target.set` or `version.sealed` (FORMATS.md 4, "Belonging"):
/// the quorum of another safe binds nothing of it. None before either.
pub async fn home(
    app: &App,
    credential: CredentialId,
    under: (&Trust, &Checkpoint),
) -> Result<Option<SafeId>> {
    let first = "SELECT l.seq FROM ledger_links l JOIN ledger_entries e ON e.seq = l.seq \
         WHERE l.subject = $1 AND e.event IN ('target.set', 'version.sealed') ORDER BY l.seq LIMIT 1";
    let Some(entry) = about(app, first, credential, under).await? else {
        return Ok(None);
    };
    match &entry.event {
        Event::TargetSet(set) if set.credential == credential => Ok(Some(set.safe)),
        Event::VersionSealed(sealed) if sealed.credential == credential => Ok(Some(sealed.safe)),
        _ => Err(unproved("a credential's entry is another's")),
    }
}

/// The newest `version.sealed` of a credential.
pub async fn last_sealed(
    app: &App,
    credential: CredentialId,
    under: (&Trust, &Checkpoint),
) -> Result<Option<VersionSealed>> {
    let last = "SELECT l.seq FROM ledger_links l JOIN ledger_entries e ON e.seq = l.seq \
         WHERE l.subject = $1 AND e.event = 'version.sealed' ORDER BY l.seq DESC LIMIT 1";
    match about(app, last, credential, under).await?.map(|e| e.event) {
        None => Ok(None),
        Some(Event::VersionSealed(sealed)) if sealed.credential == credential => Ok(Some(*sealed)),
        Some(_) => Err(unproved("a credential's entry is another's")),
    }
}

/// Whether any `target.set` names the credential: what is bound once is bound for good.
pub async fn is_bound(app: &App, credential: CredentialId) -> Result<bool> {
    let row = sqlx::query(
        "SELECT 1 FROM ledger_links l JOIN ledger_entries e ON e.seq = l.seq \
         WHERE l.subject = $1 AND e.event = 'target.set' LIMIT 1",
    )
    .bind(credential.to_string())
    .fetch_optional(&app.ledger.db().pool)
    .await?;
    Ok(row.is_some())
}

/// The entry that a query about the credential finds, proved.
async fn about(
    app: &App,
    find: &'static str,
    credential: CredentialId,
    (trust, checkpoint): (&Trust, &Checkpoint),
) -> Result<Option<Entry>> {
    let found = sqlx::query(find)
        .bind(credential.to_string())
        .fetch_optional(&app.ledger.db().pool)
        .await?;
    let Some(found) = found else { return Ok(None) };
    let found = proved(&app.ledger, seq(found.try_get(0)?)?, checkpoint).await?;
    let entry = trust.entry(&found).map_err(|e| unproved(&e.to_string()))?;
    Ok(Some(entry))
}
