//! One rotation, from staging to promotion.
//!
//! a session at the target -> seal + staged (one transaction) -> set the verifier -> applied -> a fresh login with the new password, the
//! target's own record, its sessions ended -> proved -> promoted. If we crash after `staged`, the candidate's value is
//! gone: the next run fails it, says so, and stages another. Both stay openable until one is promoted.

use audit::Event;
use audit::event::{Ended, Origin, Rotation};
use quorum::ids::CredentialId;
use quorum::secret::Plaintext;
use quorum::secret::generate::{Policy, generate};
use sqlx::{AnyConnection, Row as _};

use super::store::{self, Holder, Row};
use super::targets::{self, Target};
use crate::app::App;
use crate::clock::SECOND;
use crate::connectors::postgres::{self, Login, Session};
use crate::connectors::{TargetError, scram};
use crate::convert::Audited;
use crate::credentials::{seal, store as credentials};
use crate::error::{Error, Result, Words};
use crate::fault;
use crate::ledger::Tx;
use crate::people::store::{at, id};
use crate::requests;

/// A candidate whose value is in memory.
struct Candidate {
    version: u64,
    value: Plaintext,
    verifier: String,
}

/// Runs a rotation as far as it goes.
pub(super) async fn run(app: &App, by: &Holder) -> Result<()> {
    let Some(row) = store::by_id(&app.ledger.db().pool, by.rotation)
        .await?
        .filter(|r| r.ended.is_none())
    else {
        return Ok(());
    };
    match (row.state.as_str(), row.version) {
        // All that promotion needs is in the ledger.
        ("proved", Some(version)) => return promote(app, &row, by, version).await,
        ("staged" | "applied", Some(version)) => {
            let observed = format!(
                "after {}: the value left memory; whether the target has it is not known",
                row.state
            );
            return failed(app, &row, by, version, &observed).await;
        }
        _ => {}
    }
    let mut conn = app.ledger.db().pool.acquire().await?;
    let code = in_use(&mut conn, row.credential, row.started).await?;
    drop(conn);
    if let Some(code) = code {
        return wait_for(app, &row, by, &code).await;
    }
    let target = match targets::signed(app, row.credential).await {
        Ok(target) => target,
        Err(e @ Error::Tampered(_)) => {
            let words =
                "Refused: the target's row is not what was signed. Call a custodian.".to_owned();
            put_off(app, by, "stuck", words, row.attempts, 0).await?;
            return Err(e);
        }
        Err(e) => return Err(e),
    };
    // Before anything is sealed: a target that does not answer leaves no candidates behind.
    let session = match sole_session(app, &target).await {
        Ok(session) => session,
        Err(words) => return retry(app, &row, by, words).await,
    };
    let candidate = match stage(app, &row, by, &target).await {
        Ok(Staged::Candidate(candidate)) => candidate,
        Ok(Staged::InUse(code)) => return wait_for(app, &row, by, &code).await,
        Err(e) => {
            let words = format!("No new password could be sealed: {}", e.words().why);
            return retry(app, &row, by, words).await;
        }
    };
    fault::point("rotation.staged");
    match apply_and_prove(app, &row, by, &target, &session, &candidate).await {
        Ok(()) => promote(app, &row, by, candidate.version).await,
        Err(observed) => failed(app, &row, by, candidate.version, &observed).await,
    }
}

/// The code of an open release that names the credential, or of a request that waits for it since before `since`, when the
/// rotation was asked for: whoever asks anew meanwhile does not put it off, and asks again for the new version.
async fn in_use(
    c: &mut AnyConnection,
    credential: CredentialId,
    since: i64,
) -> Result<Option<String>> {
    let found = sqlx::query("SELECT code FROM requests WHERE credential = $1 AND purpose = 'release' AND (state = 'open' OR state IN ('waiting', 'reached') AND filed < $2) LIMIT 1")
        .bind(credential.to_string())
        .bind(since)
        .fetch_optional(c)
        .await?;
    found.map(|r| r.try_get(0)).transpose().map_err(Error::from)
}

async fn wait_for(app: &App, row: &Row, by: &Holder, code: &str) -> Result<()> {
    let words = format!("Waits until {code} is over.");
    put_off(app, by, "due", words, row.attempts, 2 * SECOND).await
}

/// The one session of this target's login, sagas that were taken over being ended. `Err` is words.
async fn sole_session(app: &App, target: &Target) -> std::result::Result<Session, String> {
    let session = targets::session(app, target)
        .await
        .map_err(|e| e.words().why.into_owned())?;
    session.end_former().await.map_err(|e| format!("{e}."))?;
    Ok(session)
}

enum Staged {
    Candidate(Candidate),
    InUse(String),
}

/// Generates, seals and stages a candidate. If we crash in here, nothing or everything is there.
async fn stage(app: &App, row: &Row, by: &Holder, target: &Target) -> Result<Staged> {
    let credential = credentials::by_id(&app.ledger.db().pool, row.credential).await?;
    let password = generate(&Policy::default()).map_err(Error::internal)?;
    let value = Plaintext::new(password.expose().to_vec());
    let (verifier, value) =
        tokio::task::spawn_blocking(move || (scram::verifier(value.expose()), value))
            .await
            .map_err(Error::internal)?;
    let verifier = verifier.map_err(Error::internal)?;
    let v = seal::next(
        app,
        &credential,
        Some(target),
        Plaintext::new(password.expose().to_vec()),
        "generated",
    )
    .await?;
    drop(password);
    fault::point("rotation.sealed");
    let (version, id, since) = (v.version, row.credential, row.started);
    let by = by.clone();
    let staged = app
        .ledger
        .write(move |tx| {
            Box::pin(async move {
                // Somebody may have asked for it since.
                if let Some(code) = in_use(tx.conn(), id, since).await? {
                    return Err(Error::Conflict(Words::new("Not changed.", IN_USE, code)));
                }
                seal::record(tx, &credential, &v, Origin::Generated, "candidate").await?;
                let words = match credential.version {
                    Some(old) => format!("The password is v{old} or v{version}, changing."),
                    None => format!("The first password, v{version}, is being set."),
                };
                let now = tx.now();
                store::step(tx.conn(), &by, "due", "staged", &words, version, now).await?;
                let said = said(&by, id, version, "sealed, not yet at the target");
                let event = Event::RotationStaged(said);
                tx.record(audit::Actor::System, event, &[&by.rotation, &id])
            })
        })
        .await;
    match staged {
        Ok(_) => Ok(Staged::Candidate(Candidate {
            version,
            value,
            verifier,
        })),
        Err(Error::Conflict(w)) if w.why == IN_USE => Ok(Staged::InUse(w.next.into_owned())),
        Err(e) => Err(e),
    }
}

const IN_USE: &str = "A request names it.";

fn said(by: &Holder, credential: CredentialId, version: u64, observed: &str) -> Rotation {
    Rotation {
        credential: credential.audited(),
        observed: observed.chars().take(200).collect(),
        rotation: by.rotation.audited(),
        version,
    }
}

/// Sets the verifier, logs in afresh, reads the target's record. `Err` is what was observed, in words.
async fn apply_and_prove(
    app: &App,
    row: &Row,
    by: &Holder,
    target: &Target,
    session: &Session,
    candidate: &Candidate,
) -> std::result::Result<(), String> {
    session
        .set_verifier(&target.account, &candidate.verifier)
        .await
        .map_err(|e| format!("perhaps applied: {e}"))?;
    fault::point("rotation.set");
    let words = format!(
        "The new password, v{}, is at the target; proving.",
        candidate.version
    );
    let observed = "verifier set at the target";
    note(app, row, by, candidate, "applied", words, observed).await?;
    fault::point("rotation.applied");
    let place = targets::place(target).map_err(|e| e.to_string())?;
    let login = Login {
        name: &target.account,
        password: candidate.value.expose(),
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
    note(app, row, by, candidate, "proved", words, &observed).await?;
    fault::point("rotation.proved");
    Ok(())
}

/// An outcome's entry, with the state it leads to.
async fn note(
    app: &App,
    row: &Row,
    by: &Holder,
    candidate: &Candidate,
    state: &'static str,
    words: String,
    observed: &str,
) -> std::result::Result<(), String> {
    let (credential, version) = (row.credential, candidate.version);
    let said = said(by, credential, version, observed);
    let (from, event) = if state == "applied" {
        ("staged", Event::RotationApplied(said))
    } else {
        ("applied", Event::RotationProved(said))
    };
    let by = by.clone();
    app.ledger
        .write(move |tx| {
            Box::pin(async move {
                let now = tx.now();
                store::step(tx.conn(), &by, from, state, &words, version, now).await?;
                tx.record(audit::Actor::System, event, &[&by.rotation, &credential])
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
async fn promote(app: &App, row: &Row, by: &Holder, version: u64) -> Result<()> {
    let (credential, by) = (row.credential, by.clone());
    app.ledger
        .write(move |tx| {
            Box::pin(async move {
                let words = format!("v{version} is current; the one before is dead.");
                let now = tx.now();
                store::end(tx.conn(), &by, "promoted", &words, now).await?;
                supersede(tx, credential, version).await?;
                credentials::promote(tx.conn(), credential, version).await?;
                let event =
                    Event::RotationPromoted(said(&by, credential, version, "current from here on"));
                tx.record(audit::Actor::System, event, &[&by.rotation, &credential])
            })
        })
        .await?;
    fault::point("rotation.promoted");
    Ok(())
}

/// Ends the requests that wait for another version than `version`. A release that is open keeps to its end.
async fn supersede(tx: &mut Tx, credential: CredentialId, version: u64) -> Result<()> {
    let pending = sqlx::query(
        "SELECT request FROM requests WHERE credential = $1 AND purpose = 'release' AND version <> $2 AND state IN ('waiting', 'reached')",
    )
    .bind(credential.to_string())
    .bind(at(version))
    .fetch_all(tx.conn())
    .await?;
    for r in pending {
        let request = id(&r.try_get::<String, _>(0)?)?;
        let filed = requests::store::by_id(&mut *tx.conn(), request).await?;
        let (ended, why) = (requests::State::Ended, Ended::Superseded);
        let event = Event::RequestEnded {
            request: request.audited(),
            why,
        };
        let done = tx.record(audit::Actor::System, event, &[&request, &filed.safe])?;
        requests::store::close(
            tx.conn(),
            request,
            filed.state,
            ended,
            why.word(),
            done.time(),
        )
        .await?;
    }
    Ok(())
}

/// A candidate is given up: it stays openable, and another is staged, a bounded number of times.
async fn failed(app: &App, row: &Row, by: &Holder, version: u64, observed: &str) -> Result<()> {
    let (credential, by) = (row.credential, by.clone());
    let observed = observed.to_owned();
    let stands = stands(app, credential, Some(version)).await?;
    let (state, words, attempts, next_at) = plan(app, row, &stands, &observed);
    app.ledger
        .write(move |tx| {
            Box::pin(async move {
                // A rotation is of one version (FORMATS.md 4, "Order"): the next try is one of its own.
                let now = tx.now();
                store::end(tx.conn(), &by, "failed", &observed, now).await?;
                store::again(tx.conn(), credential, state, &words, attempts, next_at, now).await?;
                let event = Event::RotationFailed(said(&by, credential, version, &observed));
                tx.record(audit::Actor::System, event, &[&by.rotation, &credential])
            })
        })
        .await
        .map(|_| ())
}

/// As `failed`, before anything was staged.
async fn retry(app: &App, row: &Row, by: &Holder, words: String) -> Result<()> {
    let stands = stands(app, row.credential, None).await?;
    let (state, words, attempts, next_at) = plan(app, row, &stands, &words);
    let wait = next_at - app.ledger.clock().now();
    put_off(app, by, state, words, attempts, wait).await
}

/// What the password may be, in words, after a try that failed: a candidate that was staged may be at the target.
async fn stands(app: &App, credential: CredentialId, staged: Option<u64>) -> Result<String> {
    let pool = &app.ledger.db().pool;
    let old = credentials::by_id(pool, credential).await?.version;
    let mut may: Vec<u64> = credentials::versions(pool, credential)
        .await?
        .iter()
        .filter(|v| v.state == "candidate")
        .map(|v| v.version)
        .chain(staged)
        .chain(old)
        .collect();
    may.sort_unstable();
    may.dedup();
    let all: Vec<String> = may.iter().map(|v| format!("v{v}")).collect();
    Ok(match (all.as_slice(), old) {
        ([] | [_], Some(_)) | ([], None) => "Not changed".to_owned(),
        (_, Some(_)) => format!("The password is {}", all.join(" or ")),
        (_, None) => format!("The first password may be set, as {}", all.join(" or ")),
    })
}

/// What comes after a try that failed: (state, words, tries, when).
fn plan(app: &App, row: &Row, stands: &str, observed: &str) -> (&'static str, String, i64, i64) {
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
                "{stands}: {observed}. {attempts} of {bound} tries; a person must look, then rotate on demand."
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
            "{stands}: {observed}. Next try {}, {attempts} of {bound}.",
            crate::cli::utc(next_at)
        ),
        attempts,
        next_at,
    )
}

async fn put_off(
    app: &App,
    by: &Holder,
    state: &'static str,
    words: String,
    attempts: i64,
    wait: i64,
) -> Result<()> {
    let (by, next_at) = (by.clone(), app.ledger.clock().now() + wait);
    app.ledger
        .aside(move |tx| {
            Box::pin(
                async move { store::later(tx.conn(), &by, state, &words, attempts, next_at).await },
            )
        })
        .await
}
