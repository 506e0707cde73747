//! Releases: opening, the same answer again, check-in, expiry.
//!
//! Order, and why: the transaction counts the approvals again, enters `release.opened` and spends the
//! request; its receipt buys the unwrapping of `h`; the answer goes out with a checkpoint that covers the
//! entry and is anchored. If we crash between the commit and the answer, the same call asks for a receipt
//! again: nothing is opened twice, and nothing is lost.

use audit::Event;
use audit::event::{Closed, Ended, ReleaseOpened};
use quorum::decision::At;
use quorum::entry::Entry;
use quorum::ids::RequestId;
use quorum::secret::{self, Envelope};
use quorum::statement::{Purpose, ReleasePurpose};
use serde_json::json;

use super::State;
use super::decide::{self, Rosters};
use super::store::{self, Filed, Said};
use crate::app::App;
use crate::b64;
use crate::convert::Audited;
use crate::credentials::store as credentials;
use crate::error::{Error, Result};
use crate::keys::Wrapped;
use crate::ledger::{Checkpoint, Receipt};
use crate::people::store::at;

/// Opens a release, or gives the same answer again until its end; with the proof that the ledger extends its tree of size `from`.
pub async fn open(app: &App, filed: &Filed, from: u64) -> Result<serde_json::Value> {
    if from > app.ledger.stored_size().await? {
        return Err(crate::ledger::web::behind());
    }
    let asked = filed.asked()?;
    let Purpose::Release(release) = &asked.purpose else {
        return Err(Error::invalid(
            "Nothing to open.",
            "This request changes something; it opens nothing.",
            "Look at its page for what happened.",
        ));
    };
    let (rosters, sealed) = futures::try_join!(
        decide::rosters_of(app, filed, &asked),
        Sealed::read(app, release)
    )?;
    let rosters = rosters.ok_or_else(|| Error::internal("a release without a roster"))?;
    let opening = match filed.state {
        State::Open => {
            crate::fault::point("open.again");
            opened_before(app, filed, release).await?
        }
        state if state.pending() => opened(app, filed, &rosters).await?,
        _ => return Err(over(filed)),
    };
    crate::fault::point("open.committed");
    let checkpoint = app.ledger.covering(opening.receipt.seq()).await?;
    crate::fault::point("open.anchored");
    filed_as_signed(app, filed, &checkpoint).await?;
    answer(app, release, &rosters, sealed, opening, &checkpoint, from).await
}

/// Refuses unless the ledger has this very request, so that a row cannot send `h` to another delivery key.
async fn filed_as_signed(app: &App, filed: &Filed, checkpoint: &Checkpoint) -> Result<()> {
    let differs = || crate::safes::rosters::unproved("a request's row is not what was signed");
    let proved = crate::safes::rosters::proved(&app.ledger, filed.seq, checkpoint).await?;
    let entry = Entry::parse(&proved.entry).map_err(|_| differs())?;
    app.ledger
        .must_include(filed.seq, entry.leaf, checkpoint)
        .await?;
    let signed = entry.signed().ok_or_else(differs)?;
    let same = signed.statement_bytes == filed.statement
        && signed.statement.signer == Some(filed.requester)
        && entry.seq == filed.seq;
    if same { Ok(()) } else { Err(differs()) }
}

/// What is stored of a version, beside its shares.
struct Sealed {
    envelope: Envelope,
    custody: Vec<Wrapped>,
}

impl Sealed {
    async fn read(app: &App, release: &ReleasePurpose) -> Result<Sealed> {
        let pool = &app.ledger.db().pool;
        let (envelope, custody) = futures::try_join!(
            credentials::envelope(pool, release.credential, release.version),
            credentials::custody(pool, release.credential, release.version)
        )?;
        Ok(Sealed { envelope, custody })
    }
}

/// An opening that is in the ledger.
struct Opening {
    receipt: Receipt,
    /// When it ends.
    ends: i64,
    /// What was said of the request.
    said: Vec<Said>,
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

/// The opening of a release that is open, by what the ledger says of it.
async fn opened_before(app: &App, filed: &Filed, release: &ReleasePurpose) -> Result<Opening> {
    let (receipt, said) = futures::try_join!(
        app.ledger.receipt_of(filed.request, release),
        store::said(&app.ledger.db().pool, filed.request)
    )?;
    let own = quorum::decision::after(receipt.time(), release.duration_s);
    Ok(Opening {
        ends: filed.ends.unwrap_or(own),
        receipt,
        said,
    })
}

/// The one transaction that opens.
async fn opened(app: &App, filed: &Filed, rosters: &Rosters) -> Result<Opening> {
    if !app.keys.ready() {
        return Err(app.keys.outage());
    }
    // The database's tree must extend the anchor before anything is released (promise P5).
    let ((), (), proof) = futures::try_join!(
        app.ledger.check_extends(),
        crate::safes::rosters::rows_agree(&app.ledger, &rosters.in_force),
        super::proved::decisions(app, filed, Some(rosters))
    )?;
    let under = rosters.clone();
    let request = filed.request;
    crate::fault::point("open.before");
    let ((ends, said), receipt) = app
        .ledger
        .write(move |tx| {
            Box::pin(async move {
                let filed = decide::current(tx.conn(), request, &under).await?;
                let asked = filed.asked()?;
                let Purpose::Release(release) = &asked.purpose else { return Err(Error::internal("no release")) };
                let now = At { seq: tx.next_seq(), time: tx.now() };
                let said = proof.keep(store::said(&mut *tx.conn(), request).await?);
                let tally = decide::may_act(tx.conn(), &filed, &asked, &under, &said, now).await?;
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
                store::opened(tx.conn(), request, filed.state, done.seq(), done.time(), ends).await?;
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
                Ok(done.with((ends, said)))
            })
        })
        .await?;
    Ok(Opening {
        receipt,
        ends,
        said,
    })
}

async fn answer(
    app: &App,
    release: &ReleasePurpose,
    rosters: &Rosters,
    sealed: Sealed,
    opening: Opening,
    checkpoint: &Checkpoint,
    from: u64,
) -> Result<serde_json::Value> {
    let Opening {
        receipt,
        ends,
        said,
    } = opening;
    let Sealed { envelope, custody } = sealed;
    if envelope.hash() != release.envelope {
        return Err(crate::safes::rosters::unproved(
            "the stored envelope is not the one that was sealed",
        ));
    }
    let (seq, leaf) = (receipt.seq(), receipt.leaf());
    let (entry, founding, consistency, (h, _spent)) = futures::try_join!(
        crate::safes::rosters::proved(&app.ledger, seq, checkpoint),
        crate::safes::rosters::proved(&app.ledger, 0, checkpoint),
        app.ledger.consistency(from, checkpoint.size),
        app.keys.unwrap_h(receipt, custody, *envelope.ctx())
    )?;
    crate::fault::point("open.unwrapped");
    let sealed_h =
        secret::seal_h(&h, &release.delivery_key, &leaf, &envelope).map_err(Error::internal)?;
    drop(h);
    let hex = |proof: &[quorum::Hash]| proof.iter().map(ToString::to_string).collect::<Vec<_>>();
    Ok(json!({
        "entry": String::from_utf8_lossy(&entry.entry), "seq": seq, "proof": hex(&entry.proof),
        "founding": { "seq": 0, "entry": String::from_utf8_lossy(&founding.entry), "proof": hex(&founding.proof) },
        "consistency": consistency.iter().map(ToString::to_string).collect::<Vec<_>>(), "checkpoint": checkpoint.note, "envelope": String::from_utf8_lossy(envelope.bytes()), "h": b64::encode(&sealed_h),
        "shares": shares(&said, rosters, &envelope, seq), "ends": ends,
    }))
}

/// Re-sealed shares of the approvals that came before the opening.
fn shares(
    said: &[Said],
    rosters: &Rosters,
    envelope: &Envelope,
    opened: u64,
) -> Vec<serde_json::Value> {
    said.iter()
        .filter(|s| s.seq < opened && s.decision == "approve")
        .filter_map(|s| {
            let (x, sealed) = (s.x?, s.sealed.as_ref()?);
            envelope.share_commitment(x)?;
            let name = rosters.named.approver(s.user).map(|a| a.name.as_str());
            Some(json!({
                "approver": s.user.to_string(), "name": name.unwrap_or_default(), "x": x, "sealed": b64::encode(sealed),
                "statement": String::from_utf8_lossy(&s.statement),
            }))
        })
        .collect()
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
                let over = tx.now() >= filed.expires && !may_still_open(&filed, tx.now());
                if why == Ended::Expired && !over {
                    return Err(store::moved_on()); // it was reached a moment ago
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
