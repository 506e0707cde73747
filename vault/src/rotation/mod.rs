//! Rotation (promise P6): what was seen is changed at its target, as a saga of entries. Each step is an intent, an
//! effect and an outcome; after a crash the same function goes on.
//!
//! A candidate's value lives in memory between staging and promotion, and nowhere else. When it is lost, to a crash
//! or a refusal, that candidate is never tried again: it stays openable by the quorum, and another is staged.
//!
//! Two nodes may believe that a rotation is theirs, when one of them was slow. In the database only the holder of
//! the lease moves it on. At the target a saga speaks through one session, opened before it draws a value, and the
//! first thing that a session does is to end the others of that login: an old value cannot come after a newer one.

pub mod bindings;
mod node;
mod saga;
pub mod store;
pub mod targets;

pub use node::Node;
use quorum::ids::{CredentialId, RotationId};

use crate::app::App;
use crate::clock::SECOND;
use crate::error::{Error, Result};

/// Starts a rotation now, or wakes one that is stuck.
pub async fn on_demand(app: &App, credential: CredentialId) -> Result<RotationId> {
    let now = app.ledger.clock().now();
    let rotation = app
        .ledger
        .aside(move |tx| {
            Box::pin(async move {
                if let Some(row) = store::newest(&mut *tx.conn(), credential)
                    .await?
                    .filter(|r| r.ended.is_none())
                {
                    store::wake(tx.conn(), row.rotation, now).await?;
                    return Ok(Some(row.rotation));
                }
                store::ask(tx.conn(), credential, "on demand", now).await?;
                Ok(store::newest(tx.conn(), credential)
                    .await?
                    .filter(|r| r.ended.is_none())
                    .map(|r| r.rotation))
            })
        })
        .await?
        .ok_or_else(|| {
            Error::conflict(
                "Not rotated.",
                "This credential is bound to no target.",
                "Bind it first: the credential's page, Target.",
            )
        })?;
    run_due(app).await?;
    Ok(rotation)
}

/// Takes rotations that are due under a lease and runs each in a task of its own. Any node may.
pub async fn run_due(app: &App) -> Result<()> {
    for _ in 0..4 {
        let now = app.ledger.clock().now();
        let due = store::due(&app.ledger.db().pool, now).await?;
        let Some(due) = due else { return Ok(()) };
        let by = store::Holder {
            rotation: due.rotation,
            lease: app.node.get_or_init(Node::passing).lease(),
            life: lease(app),
        };
        let holder = by.clone();
        let taken = app
            .ledger
            .aside(move |tx| Box::pin(async move { store::take(tx.conn(), &holder, now).await }))
            .await?;
        if taken {
            let app = app.clone();
            tokio::spawn(async move {
                if let Err(e) = saga::run(&app, &by).await {
                    tracing::warn!(rotation = %by.rotation, cause = e.cause().unwrap_or("refused"), "a rotation was cut short: {e}");
                }
                give_back(&app, by).await;
            });
        }
    }
    Ok(())
}

/// Takes the leases back that this node's former process held when it died. For the process that serves alone: others run
/// beside it.
pub async fn take_over(app: &App) -> Result<()> {
    let (node, known) = Node::of(&app.config.data);
    let prefix = known.then(|| node.prefix());
    if app.node.set(node).is_err() {
        return Ok(());
    }
    let Some(prefix) = prefix else { return Ok(()) };
    app.ledger
        .aside(move |tx| Box::pin(async move { store::forget_leases(tx.conn(), &prefix).await }))
        .await
}

/// Gives a lease back as soon as the database takes it: whoever waits need not wait for its end.
async fn give_back(app: &App, by: store::Holder) {
    for _ in 0..by.life / SECOND {
        let held = by.clone();
        let done = app
            .ledger
            .aside(move |tx| Box::pin(async move { store::release(tx.conn(), &held).await }))
            .await;
        if done.is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

/// How long a lease holds: longer than the longest step, which is five conversations with the target, and the HSM.
fn lease(app: &App) -> i64 {
    let deadline = i64::try_from(targets::deadline(app).as_secs()).unwrap_or(60);
    (6 * deadline + 15) * SECOND
}

/// How every service login is.
pub async fn doctor(app: &App) -> Result<Vec<ServiceLogin>> {
    let mut findings = Vec::new();
    for target in targets::live(app).await? {
        let what = format!("service login {} at {}", target.login_name, target.address);
        let login = match targets::session_of(app, &target).await {
            Ok(session) => match session.excess(&target.account).await {
                Ok(excess) if excess.is_empty() => Login::Fits,
                Ok(excess) => Login::Exceeds(excess.join("; ")),
                Err(e) => Login::Fails(format!("{e}.")),
            },
            Err(e) => Login::Fails(e.words().why.into_owned()),
        };
        let credential =
            crate::credentials::store::by_id(&app.ledger.db().pool, target.credential).await?;
        let drill = app.drills.is(&app.ledger, credential.safe).await?;
        findings.push(ServiceLogin { what, drill, login });
    }
    Ok(findings)
}

/// A connector's own login, looked at.
pub struct ServiceLogin {
    /// Which one, in words.
    pub what: String,
    /// Of a safe that is for drills.
    pub drill: bool,
    /// How it is.
    pub login: Login,
}

/// How a connector's own login is at its target.
pub enum Login {
    /// It has what it needs and no more.
    Fits,
    /// It has more: what.
    Exceeds(String),
    /// It does not come in, or the target does not answer: why.
    Fails(String),
}
