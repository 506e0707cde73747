//! One rotation, from staging to promotion.
//!
//! seal + staged (one transaction) -> set the verifier -> applied -> a fresh login with the new password, the
//! target's own record, its sessions ended -> proved -> promoted. If we crash after `staged`, the candidate's value is
//! gone: the next run fails it, says so, and stages another. Both stay openable until one is promoted.

use audit::Event;
use audit::event::{Ended, Origin, Rotation};
use quorum::ids::RotationId;
use quorum::secret::Plaintext;
use quorum::secret::generate::{Policy, generate};
use sqlx::Row as _;
use zeroize::Zeroizing;

use super::store::{self, Row};
use super::targets::{self, Target};
use crate::app::App;
use crate::clock::SECOND;
use crate::connectors::postgres::{self, Login};
use crate::connectors::{TargetError, scram};
use crate::convert::Audited;
use crate::credentials::{seal, store as credentials};
use crate::error::{Error, Result};
use crate::fault;
use crate::requests;

/// A candidate whose value is in memory.
struct Candidate {
    version: u64,
    value: Zeroizing<Vec<u8>>,
    verifier: String,
}

/// Runs a rotation as far as it goes.
pub(super) async fn run(app: &App, rotation: RotationId) -> Result<()> {
    let Some(row) = store::by_id(&app.ledger.db().pool, rotation)
        .await?
        .filter(|r| r.ended.is_none())
    else {
        return Ok(());
    };
    if let (Some(version), true) = (
        row.version,
        matches!(row.state.as_str(), "staged" | "applied" | "proved"),
    ) {
        let observed = format!(
            "after {}: the value left memory; whether the target has it is not known",
            row.state
        );
        return failed(app, &row, version, &observed).await;
    }
    if let Some(code) = in_use(app, &row).await? {
        let words = format!("Waits until {code} is over.");
        return put_off(app, &row, "due", words, row.attempts, 2 * SECOND).await;
    }
    let target = match targets::signed(app, row.credential).await {
        Ok(target) => target,
        Err(e @ Error::Tampered(_)) => {
            let words =
                "Refused: the target's row is not what was signed. Call a custodian.".to_owned();
            put_off(app, &row, "stuck", words, row.attempts, 0).await?;
            return Err(e);
        }
        Err(e) => return Err(e),
    };
    let candidate = match stage(app, &row).await {
        Ok(candidate) => candidate,
        Err(e) => {
            let words = format!("No new password could be sealed: {}", e.words().why);
            return retry(app, &row, words).await;
        }
    };
    fault::point("rotation.staged");
    match apply_and_prove(app, &row, &target, &candidate).await {
        Ok(observed) => promote(app, &row, &candidate, &observed).await,
        Err(observed) => failed(app, &row, candidate.version, &observed).await,
    }
}

/// The code of a live request or open release that names the credential.
async fn in_use(app: &App, row: &Row) -> Result<Option<String>> {
    let found = sqlx::query("SELECT code FROM requests WHERE credential = $1 AND purpose = 'release' AND state IN ('waiting', 'reached', 'open') LIMIT 1")
        .bind(row.credential.to_string())
        .fetch_optional(&app.ledger.db().pool)
        .await?;
    found.map(|r| r.try_get(0)).transpose().map_err(Error::from)
}

/// Generates, seals and stages a candidate. If we crash in here, nothing or everything is there.
async fn stage(app: &App, row: &Row) -> Result<Candidate> {
    let credential = credentials::by_id(&app.ledger.db().pool, row.credential).await?;
    let password = generate(&Policy::default()).map_err(Error::internal)?;
    let value = Zeroizing::new(password.expose().to_vec());
    let (verifier, value) = tokio::task::spawn_blocking(move || (scram::verifier(&value), value))
        .await
        .map_err(Error::internal)?;
    let verifier = verifier.map_err(Error::internal)?;
    let v = seal::next(
        app,
        &credential,
        Plaintext::new(password.expose().to_vec()),
        "generated",
    )
    .await?;
    drop(password);
    fault::point("rotation.sealed");
    let (version, rotation, id) = (v.version, row.rotation, row.credential);
    app.ledger
        .write(move |tx| {
            Box::pin(async move {
                seal::record(tx, &credential, &v, Origin::Generated, "candidate").await?;
                let words = match credential.version {
                    Some(old) => format!("The password is v{old} or v{version}, changing."),
                    None => format!("The first password, v{version}, is being set."),
                };
                let now = tx.now();
                store::step(tx.conn(), rotation, "staged", &words, Some(version), now).await?;
                let event = Event::RotationStaged(said(
                    rotation,
                    id,
                    version,
                    "sealed, not yet at the target",
                ));
                tx.record(audit::Actor::System, event, &[&rotation, &id])
            })
        })
        .await?;
    Ok(Candidate {
        version,
        value,
        verifier,
    })
}

fn said(
    rotation: RotationId,
    credential: quorum::ids::CredentialId,
    version: u64,
    observed: &str,
) -> Rotation {
    Rotation {
        credential: credential.audited(),
        observed: observed.chars().take(200).collect(),
        rotation: rotation.audited(),
        version,
    }
}

/// Sets the verifier, logs in afresh, reads the target's record. `Err` is what was observed, in words.
async fn apply_and_prove(
    app: &App,
    row: &Row,
    target: &Target,
    candidate: &Candidate,
) -> std::result::Result<String, String> {
    let session = targets::session(app, target)
        .await
        .map_err(|e| format!("not applied: {}", e.words().why))?;
    session
        .set_verifier(&target.account, &candidate.verifier)
        .await
        .map_err(|e| format!("perhaps applied: {e}"))?;
    fault::point("rotation.set");
    let words = format!(
        "The new password, v{}, is at the target; proving.",
        candidate.version
    );
    note(
        app,
        row,
        candidate,
        "applied",
        words,
        "verifier set at the target",
    )
    .await?;
    fault::point("rotation.applied");
    let place = targets::place(target).map_err(|e| e.to_string())?;
    let login = Login {
        name: &target.account,
        password: &candidate.value,
    };
    let fresh = postgres::connect(&place, &login, targets::deadline(app))
        .await
        .map_err(|e| format!("applied, and the new password does not log in: {e}"))?;
    // A server that lets anybody in would "prove" any password: a wrong one must be refused.
    let wrong = Login {
        name: &target.account,
        password: b"not-the-password-of-this-role",
    };
    match postgres::connect(&place, &wrong, targets::deadline(app)).await {
        Err(TargetError::LoginRefused(_)) => {}
        Ok(_) => {
            return Err(
                "applied, and the target lets this role in with any password: mend its pg_hba.conf"
                    .into(),
            );
        }
        Err(e) => {
            return Err(format!(
                "applied, and a wrong password could not be tried: {e}"
            ));
        }
    }
    let who = fresh.whoami().await.map_err(|e| e.to_string())?;
    drop(fresh);
    let holds = session
        .has_verifier(&target.account, &candidate.verifier)
        .await
        .map_err(|e| e.to_string())?;
    if who != target.account || !holds {
        return Err("applied, and the target's record is not the new verifier".into());
    }
    let ended = session
        .end_sessions(&target.account)
        .await
        .map_err(|e| format!("proved, and its sessions could not be ended: {e}"))?;
    let observed = format!(
        "a fresh login works; the target's record is the new verifier, so the old password is dead; {ended} sessions ended"
    );
    let words = format!("v{} is proved.", candidate.version);
    note(app, row, candidate, "proved", words, &observed).await?;
    fault::point("rotation.proved");
    Ok(observed)
}

/// An outcome's entry, with the state it leads to.
async fn note(
    app: &App,
    row: &Row,
    candidate: &Candidate,
    state: &'static str,
    words: String,
    observed: &str,
) -> std::result::Result<(), String> {
    let (rotation, credential, version) = (row.rotation, row.credential, candidate.version);
    let said = said(rotation, credential, version, observed);
    let event = if state == "applied" {
        Event::RotationApplied(said)
    } else {
        Event::RotationProved(said)
    };
    app.ledger
        .write(move |tx| {
            Box::pin(async move {
                let now = tx.now();
                store::step(tx.conn(), rotation, state, &words, None, now).await?;
                tx.record(audit::Actor::System, event, &[&rotation, &credential])
            })
        })
        .await
        .map(|_| ())
        .map_err(|e| {
            format!(
                "{state}, and the ledger could not be written: {}",
                e.words().why
            )
        })
}

/// The candidate becomes the current version; pending requests for older ones end as superseded.
async fn promote(app: &App, row: &Row, candidate: &Candidate, _observed: &str) -> Result<()> {
    let (rotation, credential, version) = (row.rotation, row.credential, candidate.version);
    app.ledger
        .write(move |tx| {
            Box::pin(async move {
                let pending = sqlx::query(
                    "SELECT request FROM requests WHERE credential = $1 AND purpose = 'release' AND version <> $2 AND state IN ('waiting', 'reached')",
                )
                .bind(credential.to_string())
                .bind(crate::people::store::at(version))
                .fetch_all(tx.conn())
                .await?;
                for r in pending {
                    let request = crate::people::store::id(&r.try_get::<String, _>(0)?)?;
                    let filed = requests::store::by_id(&mut *tx.conn(), request).await?;
                    let done = tx.record(
                        audit::Actor::System,
                        Event::RequestEnded { request: request.audited(), why: Ended::Superseded },
                        &[&request, &filed.safe],
                    )?;
                    requests::store::close(tx.conn(), request, filed.state, requests::State::Ended, "superseded", done.time()).await?;
                }
                credentials::promote(tx.conn(), credential, version).await?;
                let done = tx.record(audit::Actor::System, Event::RotationPromoted(said(rotation, credential, version, "current from here on")), &[&rotation, &credential])?;
                store::end(tx.conn(), rotation, &format!("v{version} is current; the one before is dead."), done.time()).await?;
                Ok(done)
            })
        })
        .await?;
    fault::point("rotation.promoted");
    Ok(())
}

/// A candidate is given up: it stays openable, and another is staged, a bounded number of times.
async fn failed(app: &App, row: &Row, version: u64, observed: &str) -> Result<()> {
    let (rotation, credential) = (row.rotation, row.credential);
    let observed = observed.to_owned();
    let (state, words, attempts, next_at) = plan(app, row, &observed);
    app.ledger
        .write(move |tx| {
            Box::pin(async move {
                // A rotation is of one version (FORMATS.md 4, "Order"): the next try is one of its own.
                let event = Event::RotationFailed(said(rotation, credential, version, &observed));
                let done = tx.record(audit::Actor::System, event, &[&rotation, &credential])?;
                store::fail(tx.conn(), rotation, &observed, done.time()).await?;
                store::succeed(
                    tx.conn(),
                    credential,
                    state,
                    &words,
                    attempts,
                    next_at,
                    done.time(),
                )
                .await?;
                Ok(done)
            })
        })
        .await
        .map(|_| ())
}

/// As `failed`, before anything was staged.
async fn retry(app: &App, row: &Row, words: String) -> Result<()> {
    let (state, words, attempts, next_at) = plan(app, row, &words);
    put_off(
        app,
        row,
        state,
        words,
        attempts,
        next_at - app.ledger.clock().now(),
    )
    .await
}

/// What comes after a try that failed: (state, words, tries, when).
fn plan(app: &App, row: &Row, observed: &str) -> (&'static str, String, i64, i64) {
    let observed = observed.trim_end_matches('.');
    let (now, rules, attempts) = (
        app.ledger.clock().now(),
        &app.config.rotation,
        row.attempts + 1,
    );
    let bound = i64::from(rules.attempts.max(1));
    if attempts >= bound {
        return (
            "stuck",
            format!(
                "Not changed: {observed}. {attempts} of {bound} tries; a person must look, then rotate on demand."
            ),
            attempts,
            now,
        );
    }
    let wait = i64::try_from(rules.retry_s).unwrap_or(30)
        << u32::try_from(attempts - 1).unwrap_or(0).min(10);
    let next_at = now + wait * SECOND;
    (
        "due",
        format!(
            "Not changed: {observed}. Next try {}, {attempts} of {bound}.",
            crate::cli::utc(next_at)
        ),
        attempts,
        next_at,
    )
}

async fn put_off(
    app: &App,
    row: &Row,
    state: &'static str,
    words: String,
    attempts: i64,
    wait: i64,
) -> Result<()> {
    let (rotation, next_at) = (row.rotation, app.ledger.clock().now() + wait);
    app.ledger
        .aside(move |tx| {
            Box::pin(async move {
                store::later(tx.conn(), rotation, state, &words, attempts, next_at).await
            })
        })
        .await
}
