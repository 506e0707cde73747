//! Re-sealed shares before the opening: the requester's client checks each, and opens nothing where too few are good. Without `h`
//! they open nothing (DESIGN.md 5).

use audit::Event;
use quorum::ids::{RequestId, UserId};
use quorum::roster::VerifiedRoster;
use quorum::secret::Envelope;
use quorum::statement::{Purpose, ReleasePurpose};
use serde_json::{Value, json};

use super::decide;
use super::store::{self, Filed, Said};
use crate::app::App;
use crate::b64;
use crate::convert::Audited;
use crate::credentials::store as credentials;
use crate::error::{Error, Result};
use crate::safes::rosters::unproved;

/// Those of the approvals that came before the entry `opened`.
pub(super) fn shown(
    said: &[Said],
    named: &VerifiedRoster,
    envelope: &Envelope,
    opened: u64,
) -> Vec<Value> {
    said.iter()
        .filter(|s| s.seq < opened && s.decision == "approve")
        .filter_map(|s| {
            let (x, sealed) = (s.x?, s.sealed.as_ref()?);
            envelope.share_commitment(x)?;
            let name = named.approver(s.user).map(|a| a.name.as_str());
            Some(json!({
                "approver": s.user.to_string(), "name": name.unwrap_or_default(), "x": x, "sealed": b64::encode(sealed),
                "statement": String::from_utf8_lossy(&s.statement),
            }))
        })
        .collect()
}

/// What has been re-sealed for a release that still waits, with the envelope that commits to each share.
pub async fn of(app: &App, filed: &Filed) -> Result<Value> {
    let (release, named) = waiting(app, filed).await?;
    let pool = &app.ledger.db().pool;
    let envelope = credentials::envelope(pool, release.credential, release.version).await?;
    if envelope.hash() != release.envelope {
        return Err(unproved(
            "the stored envelope is not the one that was sealed",
        ));
    }
    let said = store::said(pool, filed.request).await?;
    Ok(json!({
        "envelope": String::from_utf8_lossy(envelope.bytes()),
        "shares": shown(&said, &named, &envelope, u64::MAX),
    }))
}

async fn waiting(
    app: &App,
    filed: &Filed,
) -> Result<(ReleasePurpose, std::sync::Arc<VerifiedRoster>)> {
    let asked = filed.asked()?;
    let rosters = decide::rosters_of(app, filed, &asked).await?;
    match (asked.purpose, rosters) {
        (Purpose::Release(release), Some(rosters)) if filed.state.pending() => {
            Ok((release, rosters.named))
        }
        _ => Err(store::moved_on()),
    }
}

/// Enters that the requester's client refused an approver's share: once for each, of an approval that is there.
pub async fn refuse(app: &App, filed: &Filed, approver: UserId) -> Result<()> {
    waiting(app, filed).await?;
    let request = filed.request;
    let done = app
        .ledger
        .write(move |tx| {
            Box::pin(async move {
                let filed = store::by_id(&mut *tx.conn(), request).await?;
                let said = store::said(&mut *tx.conn(), request).await?;
                let gave = |s: &Said| s.user == approver && s.decision == "approve";
                if !filed.state.pending() || !said.iter().any(gave) {
                    return Err(store::moved_on());
                }
                let once = refused_by(request, approver);
                let before = sqlx::query("SELECT 1 FROM ledger_links WHERE subject = $1")
                    .bind(once.clone())
                    .fetch_optional(tx.conn())
                    .await?;
                if before.is_some() {
                    return Err(store::moved_on());
                }
                let event = Event::ShareRefused {
                    approver: approver.audited(),
                    request: request.audited(),
                    why: "it is not the one that was sealed".into(),
                };
                tx.record(audit::Actor::System, event, &[&request, &once, &approver])
            })
        })
        .await;
    match done {
        Ok(_) | Err(Error::Conflict(_)) => Ok(()), // it stands there, or matters no more
        Err(e) => Err(e),
    }
}

/// The subject that a refused share is linked to, so that it is entered once.
fn refused_by(request: RequestId, approver: UserId) -> String {
    format!("shares/{request}/{approver}")
}
