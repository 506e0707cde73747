//! Safes: founding and changing rosters, margins. Rules that need rows but no HTTP.

pub mod margins;
pub mod rosters;
pub mod site;
pub mod store;
pub mod view;
pub mod web;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use quorum::ids::SafeId;
use quorum::statement::NewRoster;

use self::margins::{Able, Holdings, Quorums};
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

/// A roster change is refused while a live version would keep fewer people than the larger m who are on both rosters and hold a
/// share of it with a live key.
async fn keeps_versions_openable(app: &App, safe: SafeId, new: &NewRoster) -> Result<()> {
    let quorums = Quorums::of(app, safe).await?;
    let able = quorums.able_under(&Holdings::now(app, safe).await?, new)?;
    let sunk: Vec<Able> = able.into_iter().filter(|a| a.margin() < 0).collect();
    let Some(first) = sunk.first() else {
        return Ok(());
    };
    let others = match sunk.len() {
        1 => String::new(),
        n => format!(" So it is with {} more.", n - 1),
    };
    let why = format!(
        "{} needs {} people who are on both rosters and hold a share of it, and {} would.{others}",
        first.what, first.needed, first.people
    );
    let next = if sunk.iter().all(|a| a.bound) {
        "Change fewer people at once, and rotate the credential in between."
    } else {
        "Change fewer people at once. What was replaced by hand stays openable, and so needs the people who hold it."
    };
    Err(refused(why, next))
}

fn refused(why: String, next: &'static str) -> Error {
    Error::Invalid(Words::new("Not changed.", why, next))
}
