//! Safes: founding and changing rosters, margins. Rules that need rows but no HTTP.

pub mod rosters;
pub mod site;
pub mod store;
pub mod view;
pub mod web;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use quorum::ids::SafeId;
use quorum::statement::NewRoster;
use sqlx::Row;

use crate::app::App;
use crate::error::{Error, Result, Words};
use crate::ledger::Ledger;
use crate::people::store as people;

/// Safes that are for drills, as far as anybody asked: a drill safe is one for ever.
#[derive(Clone, Default)]
pub struct Drills {
    known: Arc<Mutex<HashSet<SafeId>>>,
}

impl Drills {
    /// Whether `safe` is for drills.
    ///
    /// # Errors
    /// `Missing` when there is no such safe.
    pub async fn is(&self, ledger: &Ledger, safe: SafeId) -> Result<bool> {
        if self.known.lock().is_ok_and(|known| known.contains(&safe)) {
            return Ok(true);
        }
        let found = store::by_id(&ledger.db().pool, safe)
            .await?
            .ok_or_else(|| Error::missing("safe"))?;
        if found.drill
            && let Ok(mut known) = self.known.lock()
        {
            known.insert(safe);
        }
        Ok(found.drill)
    }
}

/// What the rows can say of a proposed roster: everybody named is there, may approve, and holds keys that can
/// hold a share. The rest is checked from signed entries when it is used.
pub async fn check_new_roster(app: &App, safe: SafeId, new: &NewRoster) -> Result<()> {
    let pool = &app.ledger.db().pool;
    for named in &new.approvers {
        let user = people::user_by_id(pool, named.user)
            .await?
            .ok_or_else(|| Error::missing("person"))?;
        if user.name != named.name {
            return Err(refused(
                format!("{} is called {} here.", named.name, user.name),
                "Reload the page.",
            ));
        }
        if !user.roles.iter().any(|r| r == "approver") {
            return Err(refused(
                format!("{} does not have the role approver.", user.name),
                "Give the role first.",
            ));
        }
        let keys = people::keys_of(pool, named.user).await?;
        let mut live = 0;
        for id in &named.authenticators {
            let key = keys
                .iter()
                .find(|k| k.authenticator == *id)
                .ok_or_else(|| {
                    refused(
                        format!("A key named for {} is not theirs.", user.name),
                        "Reload the page.",
                    )
                })?;
            if !key.live() || key.share_key.is_none() {
                return Err(refused(
                    format!("A key of {} cannot hold a share.", user.name),
                    "Choose keys that are live and have proved their share.",
                ));
            }
            if key.software && !new.drill {
                return Err(refused(
                    format!("A key of {} is a software key.", user.name),
                    "Software keys serve on drill safes alone; enrol a listed security key.",
                ));
            }
            live += 1;
        }
        if !new.drill && live < 2 {
            return Err(refused(
                format!("{} has one key.", user.name),
                "Two keys each, so that a lost one strands nothing: enrol another first.",
            ));
        }
    }
    if new.epoch > 1 {
        keeps_versions_openable(app, safe, new).await?;
    }
    Ok(())
}

/// A roster change is refused while a live version would keep fewer people on both rosters than the larger m.
async fn keeps_versions_openable(app: &App, safe: SafeId, new: &NewRoster) -> Result<()> {
    let rows = sqlx::query(
        "SELECT DISTINCT v.epoch FROM versions v JOIN credentials c ON c.credential = v.credential WHERE c.safe = $1 AND v.state <> 'superseded' AND v.seq IS NOT NULL",
    )
    .bind(safe.to_string())
    .fetch_all(&app.ledger.db().pool)
    .await?;
    for row in rows {
        let old = app
            .rosters
            .of(&app.ledger, safe, people::seq(row.try_get(0)?)?)
            .await?;
        let both = old
            .approvers()
            .iter()
            .filter(|a| new.approvers.iter().any(|n| n.user == a.user))
            .count();
        let m = u64::from(old.m().get()).max(new.m);
        if (both as u64) < m {
            return Err(refused(
                format!(
                    "A sealed version needs {m} people who are on both rosters, and {both} would be."
                ),
                "Change fewer people at once, or rotate the safe's credentials in between.",
            ));
        }
    }
    Ok(())
}

fn refused(why: String, next: &'static str) -> Error {
    Error::Invalid(Words::new("Not changed.", why, next))
}
