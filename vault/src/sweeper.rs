//! The sweeper: ends what time has ended, and finishes what a crash left open. Every node runs one; each step is
//! a transaction that decides again, so that two sweepers do no harm.

use std::time::Duration;

use audit::Event;
use audit::event::{Closed, Ended};

use crate::app::App;
use crate::clock::{DAY, SECOND};
use crate::error::{Error, Result, silent};
use crate::requests::store::{self, Filed};
use crate::requests::{State, release, settle};

/// Every so many rounds the ends of open releases are compared with the ledger.
const OUTLASTED: u64 = 10;
/// A round that takes longer waits for something that does not come.
const ROUND: Duration = Duration::from_secs(120);

/// Runs until the process ends.
pub async fn run(app: App) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for round in 0.. {
        tick.tick().await;
        // A database that hangs holds no sweeper for ever; what was cut short is done by the next.
        let swept = tokio::time::timeout(ROUND, sweep(&app, round)).await;
        if let Err(e) = swept.unwrap_or_else(|late| Err(silent(late.to_string()))) {
            tracing::warn!(
                cause = e.cause().unwrap_or("refused"),
                "a sweep was cut short: {e}"
            );
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }
}

/// One round.
pub async fn sweep(app: &App, round: u64) -> Result<()> {
    // Another node's person may have accepted it.
    if app.ledger.clock_stopped() && app.ledger.check_clock().await? {
        return Ok(());
    }
    let now = app.ledger.clock().now();
    // One request that cannot be swept keeps nothing else from its end.
    match store::due(&app.ledger.db().pool, now).await {
        Ok(due) => {
            for filed in due {
                let request = filed.request;
                said(&format!("request {request}"), swept(app, filed, now).await);
            }
        }
        Err(e) => said("requests", Err(e)),
    }
    if round.is_multiple_of(OUTLASTED) {
        said("open releases", release::end_outlasted(app).await);
    }
    app.ledger.flush_checkpoints().await?;
    said("the clock", tick_clock(app, now).await);
    crate::rotation::run_due(app).await
}

async fn swept(app: &App, filed: Filed, now: i64) -> Result<()> {
    match filed.state {
        State::Open if filed.ends.is_some_and(|e| e <= now) => {
            release::close(app, filed.request, Closed::Expired).await
        }
        State::Reached if filed.open_until.is_some() && !release::may_still_open(&filed, now) => {
            release::refuse_late(app, filed.request).await
        }
        s if s.pending() && filed.expires <= now && !release::may_still_open(&filed, now) => {
            release::end(app, filed.request, Ended::Expired).await
        }
        s if s.pending() => settle::tried(app, filed.request).await,
        _ => Ok(()),
    }
}

/// What a sweep could not do now; the next tries again.
fn said(what: &str, done: Result<()>) {
    match done {
        Ok(()) | Err(Error::Conflict(_)) => {}
        Err(e) => tracing::warn!(
            cause = e.cause().unwrap_or("refused"),
            "a sweep went on without {what}: {e}"
        ),
    }
}

/// `clock.ticked` when twelve hours have passed without another entry (FORMATS.md 3).
async fn tick_clock(app: &App, now: i64) -> Result<()> {
    use sqlx::Row;
    let row = sqlx::query("SELECT time FROM ledger_head WHERE id = 1")
        .fetch_optional(&app.ledger.db().pool)
        .await?;
    let Some(last) = row.map(|r| r.try_get::<i64, _>(0)).transpose()? else {
        return Ok(());
    };
    if now - last < DAY / 2 {
        return Ok(());
    }
    app.ledger
        .write(move |tx| {
            Box::pin(async move {
                if tx.now() - last < DAY / 2 - SECOND {
                    return Err(store::moved_on());
                }
                tx.record(audit::Actor::System, Event::ClockTicked, &[])
            })
        })
        .await
        .map(|_| ())
}
