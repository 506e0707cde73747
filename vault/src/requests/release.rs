//! Releases: opening, the same answer again, check-in, expiry.
//!
//! Order, and why: the transaction counts the approvals again, enters `release.opened` and spends the
//! request; its receipt buys the unwrapping of `h`; the answer goes out with a checkpoint that covers the
//! entry and is anchored. If we crash between the commit and the answer, the same call asks for a receipt
//! again: nothing is opened twice, and nothing is lost.

use audit::Event;
use audit::event::{Closed, Ended, ReleaseOpened};
use quorum::decision::At;
use quorum::ids::RequestId;
use quorum::secret::{self, Envelope};
use quorum::statement::{Purpose, ReleasePurpose};
use serde_json::json;

use super::State;
use super::decide;
use super::store::{self, Filed};
use crate::app::App;
use crate::b64;
use crate::convert::Audited;
use crate::credentials::store as credentials;
use crate::error::{Error, Result};
use crate::keys::Wrapped;
use crate::ledger::Receipt;
use crate::people::store::at;

/// Opens a release, or gives the same answer again until its end.
pub async fn open(app: &App, request: RequestId) -> Result<serde_json::Value> {
    let filed = store::by_id(&app.ledger.db().pool, request).await?;
    let asked = filed.asked()?;
    let Purpose::Release(release) = &asked.purpose else {
        return Err(Error::invalid(
            "Nothing to open.",
            "This request changes something; it opens nothing.",
            "Look at its page for what happened.",
        ));
    };
    let (receipt, ends) = match (filed.state, filed.ends) {
        (State::Open, Some(ends)) => {
            crate::fault::point("open.again");
            let (leaf, _) = opening(app, &filed).await?;
            (app.ledger.receipt_of(leaf, ends).await?, ends)
        }
        (state, _) if state.pending() => opened(app, &filed).await?,
        _ => return Err(over(&filed)),
    };
    crate::fault::point("open.committed");
    answer(app, &filed, release, receipt, ends).await
}

fn over(filed: &Filed) -> Error {
    match filed.state {
        State::Closed => Error::conflict(
            "Not opened.",
            "This release is closed.",
            "Ask again: everybody signs anew, a signature is for one request.",
        ),
        _ => Error::conflict(
            "Not opened.",
            "Nothing came of this request.",
            "Ask again: everybody signs anew, a signature is for one request.",
        ),
    }
}

async fn opening(app: &App, filed: &Filed) -> Result<(quorum::Hash, i64)> {
    use sqlx::Row;
    let row = sqlx::query("SELECT leaf, time FROM ledger_entries WHERE seq = $1")
        .bind(filed.opened.map(at))
        .fetch_optional(&app.ledger.db().pool)
        .await?
        .ok_or_else(|| crate::safes::rosters::unproved("an opening has no entry"))?;
    Ok((
        crate::ledger::hash(&row.try_get::<Vec<u8>, _>(0)?)?,
        row.try_get(1)?,
    ))
}

/// The one transaction that opens.
async fn opened(app: &App, filed: &Filed) -> Result<(Receipt, i64)> {
    // The database's tree must extend the anchor before anything is released (promise P5).
    app.ledger.checkpoint().await?;
    if !app.keys.ready() {
        return Err(app.keys.outage());
    }
    let asked = filed.asked()?;
    let rosters = decide::rosters_of(app, filed, &asked)
        .await?
        .ok_or_else(|| Error::internal("a release without a roster"))?;
    crate::safes::rosters::rows_agree(&app.ledger, &rosters.in_force).await?;
    let request = filed.request;
    crate::fault::point("open.before");
    let (ends, receipt) = app
        .ledger
        .write(move |tx| {
            Box::pin(async move {
                let filed = store::by_id(&mut *tx.conn(), request).await?;
                let asked = filed.asked()?;
                let Purpose::Release(release) = &asked.purpose else { return Err(Error::internal("no release")) };
                decide::still_in_force(tx.conn(), &rosters).await?;
                let now = At { seq: tx.next_seq(), time: tx.now() };
                let tally = decide::may_act(tx.conn(), &filed, &asked, &rosters, now).await?;
                let sealed = credentials::state_of(tx.conn(), release.credential, release.version).await?;
                if sealed.hash != release.envelope || sealed.roster != asked.roster || sealed.state == "superseded" {
                    return Err(Error::conflict("Not opened.", "That version was replaced meanwhile.", "Ask for the current one."));
                }
                let event = Event::ReleaseOpened(Box::new(ReleaseOpened {
                    approvals: tally.counting,
                    credential: release.credential.audited(),
                    envelope: audit::Hash(release.envelope.0),
                    epoch: release.epoch,
                    request: request.audited(),
                    requester: filed.requester.audited(),
                    roster: audit::Hash(asked.roster.0),
                    safe: filed.safe.audited(),
                    version: release.version,
                }));
                let done = tx.record(audit::Actor::System, event, &[&request, &filed.safe, &release.credential, &filed.requester])?;
                let ends = quorum::decision::after(done.time(), release.duration_s);
                sqlx::query("UPDATE requests SET opened = $1, opened_at = $2, ends = $3 WHERE request = $4")
                    .bind(at(done.seq()))
                    .bind(done.time())
                    .bind(ends)
                    .bind(request.to_string())
                    .execute(tx.conn())
                    .await?;
                store::move_to(tx.conn(), request, filed.state, State::Open).await?;
                // A further release of the same version to the same person moves the end of the one before.
                sqlx::query(
                    "UPDATE requests SET ends = $1 WHERE state = 'open' AND requester = $2 AND credential = $3 AND version = $4 AND ends < $1",
                )
                .bind(ends)
                .bind(filed.requester.to_string())
                .bind(release.credential.to_string())
                .bind(at(release.version))
                .execute(tx.conn())
                .await?;
                Ok(done.with(ends))
            })
        })
        .await?;
    Ok((receipt, ends))
}

async fn answer(
    app: &App,
    filed: &Filed,
    release: &ReleasePurpose,
    receipt: Receipt,
    ends: i64,
) -> Result<serde_json::Value> {
    let pool = &app.ledger.db().pool;
    let (seq, leaf) = (receipt.seq(), receipt.leaf());
    let checkpoint = app.ledger.covering(seq).await?;
    crate::fault::point("open.anchored");
    let entry = crate::safes::rosters::proved(&app.ledger, seq, &checkpoint).await?;
    let mut conn = pool.acquire().await?;
    let envelope = credentials::envelope(&mut conn, release.credential, release.version).await?;
    if envelope.hash() != release.envelope {
        return Err(crate::safes::rosters::unproved(
            "the stored envelope is not the one that was sealed",
        ));
    }
    let custody: Vec<Wrapped> =
        credentials::custody(&mut conn, release.credential, release.version).await?;
    drop(conn);
    let (h, _spent) = app.keys.unwrap_h(receipt, custody, *envelope.ctx()).await?;
    crate::fault::point("open.unwrapped");
    let sealed_h =
        secret::seal_h(&h, &release.delivery_key, &leaf, &envelope).map_err(Error::internal)?;
    drop(h);
    let shares = shares(app, filed, &envelope, seq).await?;
    Ok(json!({
        "entry": String::from_utf8_lossy(&entry.entry), "seq": seq, "proof": entry.proof.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "checkpoint": checkpoint.note, "envelope": String::from_utf8_lossy(envelope.bytes()), "h": b64::encode(&sealed_h),
        "shares": shares, "ends": ends,
    }))
}

/// Re-sealed shares of the approvals that the opening lists.
async fn shares(
    app: &App,
    filed: &Filed,
    envelope: &Envelope,
    opened: u64,
) -> Result<Vec<serde_json::Value>> {
    let said = store::said(&app.ledger.db().pool, filed.request).await?;
    let asked = filed.asked()?;
    let names = decide::rosters_of(app, filed, &asked).await?;
    let mut list = Vec::new();
    for s in said
        .iter()
        .filter(|s| s.seq < opened && s.decision == "approve")
    {
        let (Some(x), Some(sealed)) = (s.x, &s.sealed) else {
            continue;
        };
        if envelope.share_commitment(x).is_none() {
            continue;
        }
        let name = names
            .as_ref()
            .and_then(|r| r.named.approver(s.user))
            .map(|a| a.name.clone())
            .unwrap_or_default();
        list.push(json!({
            "approver": s.user.to_string(), "name": name, "x": x, "sealed": b64::encode(sealed),
            "statement": String::from_utf8_lossy(&s.statement),
        }));
    }
    Ok(list)
}

/// Gives a release back early.
pub async fn check_in(app: &App, request: RequestId) -> Result<()> {
    close(app, request, Closed::CheckedIn).await
}

/// Ends a release: by check-in or by time. The rotation is asked for in the same transaction.
pub async fn close(app: &App, request: RequestId, why: Closed) -> Result<()> {
    app.ledger
        .write(move |tx| {
            Box::pin(async move {
                let filed = store::by_id(&mut *tx.conn(), request).await?;
                if filed.state != State::Open {
                    return Err(Error::conflict(
                        "Nothing was done.",
                        "This release is not open.",
                        "Look at its page for what happened.",
                    ));
                }
                if why == Closed::Expired && filed.ends.is_none_or(|e| tx.now() < e) {
                    return Err(store::moved_on());
                }
                let word = why.word();
                let done = tx.record(
                    audit::Actor::System,
                    Event::ReleaseClosed {
                        request: request.audited(),
                        why,
                    },
                    &[&request, &filed.safe],
                )?;
                store::close(
                    tx.conn(),
                    request,
                    State::Open,
                    State::Closed,
                    word,
                    done.time(),
                )
                .await?;
                if let Some(credential) = filed.credential {
                    crate::rotation::store::ask(tx.conn(), credential, word, done.time()).await?;
                }
                Ok(done)
            })
        })
        .await?;
    Ok(())
}

/// Takes back a request that was not spent.
pub async fn withdraw(app: &App, request: RequestId) -> Result<()> {
    end(app, request, Ended::Withdrawn).await
}

/// Ends a pending request.
pub async fn end(app: &App, request: RequestId, why: Ended) -> Result<()> {
    app.ledger
        .write(move |tx| {
            Box::pin(async move {
                let filed = store::by_id(&mut *tx.conn(), request).await?;
                if !filed.state.pending() {
                    return Err(store::moved_on());
                }
                if why == Ended::Expired && tx.now() < filed.expires {
                    return Err(store::moved_on());
                }
                let word = why.word();
                let done = tx.record(
                    audit::Actor::System,
                    Event::RequestEnded {
                        request: request.audited(),
                        why,
                    },
                    &[&request, &filed.safe],
                )?;
                store::close(
                    tx.conn(),
                    request,
                    filed.state,
                    State::Ended,
                    word,
                    done.time(),
                )
                .await?;
                Ok(done)
            })
        })
        .await?;
    Ok(())
}

/// Whether a release that nobody has opened may still be.
pub fn may_still_open(filed: &Filed, now: i64) -> bool {
    now < filed.expires || filed.open_until.is_some_and(|until| now < until)
}
