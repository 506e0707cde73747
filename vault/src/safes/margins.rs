//! Margins: who can still open what a safe holds (promise P9). Counted for what is sealed next, under the roster in force, and
//! for each version that may still be asked for: that one needs people on its own roster and on the one in force, each with a
//! live key that holds a share of it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorum::ids::{AuthenticatorId, SafeId, UserId};
use quorum::roster::VerifiedRoster;
use quorum::statement::NewRoster;
use sqlx::{AnyConnection, Row};

use crate::app::App;
use crate::error::{Error, Result};
use crate::people::store::{id, seq};
use crate::requests::store::moved_on;

/// The rosters of a safe: the one in force, and those that its live versions are sealed under, by epoch.
pub struct Quorums {
    in_force: Arc<VerifiedRoster>,
    sealed: BTreeMap<u64, Arc<VerifiedRoster>>,
}

/// Who holds what, as the rows have it at one moment.
pub struct Holdings {
    live: BTreeSet<AuthenticatorId>,
    versions: Vec<Version>,
}

struct Version {
    credential: String,
    number: u64,
    epoch: u64,
    bound: bool,
    shares: Vec<(UserId, AuthenticatorId)>,
}

/// How many people can open something, and how many are needed.
pub struct Able {
    /// What: the safe itself, or one sealed version.
    pub what: String,
    /// People.
    pub people: u64,
    /// Needed.
    pub needed: u64,
    /// Whether a rotation replaces it for good.
    pub bound: bool,
}

impl Able {
    /// More than needed; below zero it cannot be opened.
    pub fn margin(&self) -> i64 {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        signed(self.people) - signed(self.needed)
    }

    /// Whether it could be opened and cannot be any more, or less than before.
    pub fn sunk_from(&self, before: &Able) -> bool {
        self.people < before.people && self.people < self.needed
    }
}

/// Who approves, now or by a roster that is proposed.
struct Circle {
    people: BTreeSet<UserId>,
    m: u64,
}

impl Quorums {
    /// Of one safe, each roster verified.
    pub async fn of(app: &App, safe: SafeId) -> Result<Quorums> {
        let in_force = app.rosters.in_force(&app.ledger, safe).await?;
        let mut conn = app.ledger.db().pool.acquire().await?;
        let holdings = Holdings::of(&mut conn, safe).await?;
        drop(conn); // what verifies takes one of its own
        let mut sealed = BTreeMap::new();
        for version in holdings.versions {
            if let Entry::Vacant(free) = sealed.entry(version.epoch) {
                free.insert(app.rosters.of(&app.ledger, safe, version.epoch).await?);
            }
        }
        Ok(Quorums { in_force, sealed })
    }

    /// The safe.
    pub fn safe(&self) -> SafeId {
        self.in_force.safe()
    }

    /// Whether `user` approves.
    pub fn names(&self, user: UserId) -> bool {
        self.in_force.approver(user).is_some()
    }

    /// Refuses where another roster has come into force since.
    pub async fn still(&self, conn: &mut AnyConnection) -> Result<()> {
        let row = sqlx::query("SELECT roster FROM safes WHERE safe = $1")
            .bind(self.safe().to_string())
            .fetch_one(conn)
            .await?;
        if row.try_get::<Vec<u8>, _>(0)? == self.in_force.leaf().0 {
            Ok(())
        } else {
            Err(moved_on())
        }
    }

    /// How many can open the safe's next version and each live one, as if the key `without` were dead; in the same order each time.
    pub fn able(&self, holdings: &Holdings, without: Option<AuthenticatorId>) -> Result<Vec<Able>> {
        let serves = |key: &AuthenticatorId| holdings.live.contains(key) && Some(*key) != without;
        let approvers = self.in_force.approvers();
        let signs = |a: &&quorum::roster::Approver| {
            a.authenticators.iter().any(|k| serves(&k.authenticator))
        };
        let mut list = vec![Able {
            what: self.in_force.name().to_owned(),
            people: approvers.iter().filter(signs).count() as u64,
            needed: u64::from(self.in_force.m().get()),
            bound: true,
        }];
        let circle = Circle {
            people: approvers.iter().map(|a| a.user).collect(),
            m: u64::from(self.in_force.m().get()),
        };
        list.extend(self.versions(holdings, &circle, serves)?);
        Ok(list)
    }

    /// As `able`, of the live versions under a roster that is proposed.
    pub fn able_under(&self, holdings: &Holdings, new: &NewRoster) -> Result<Vec<Able>> {
        let circle = Circle {
            people: new.approvers.iter().map(|a| a.user).collect(),
            m: new.m,
        };
        self.versions(holdings, &circle, |key| holdings.live.contains(key))
    }

    fn versions(
        &self,
        holdings: &Holdings,
        circle: &Circle,
        serves: impl Fn(&AuthenticatorId) -> bool,
    ) -> Result<Vec<Able>> {
        let able = |v: &Version| {
            let own = self.sealed.get(&v.epoch).ok_or_else(moved_on)?;
            let holders: BTreeSet<UserId> = v
                .shares
                .iter()
                .filter(|(user, key)| {
                    serves(key) && own.approver(*user).is_some() && circle.people.contains(user)
                })
                .map(|(user, _)| *user)
                .collect();
            Ok(Able {
                what: format!("{} v{}", v.credential, v.number),
                people: holders.len() as u64,
                needed: circle.m.max(u64::from(own.m().get())),
                bound: v.bound,
            })
        };
        holdings.versions.iter().map(able).collect()
    }
}

impl Holdings {
    /// Reads them.
    pub async fn of(conn: &mut AnyConnection, safe: SafeId) -> Result<Holdings> {
        let live = sqlx::query(
            "SELECT authenticator FROM authenticators WHERE revoked IS NULL AND suspended IS NULL",
        )
        .fetch_all(&mut *conn)
        .await?;
        let live = live
            .iter()
            .map(|row| id(&row.try_get::<String, _>(0)?))
            .collect::<Result<_>>()?;
        let rows = sqlx::query(
            "SELECT c.name, v.version, v.epoch, c.target, s.approver, s.authenticator FROM versions v \
             JOIN credentials c ON c.credential = v.credential \
             LEFT JOIN shares s ON s.credential = v.credential AND s.version = v.version \
             WHERE c.safe = $1 AND v.state <> 'superseded' AND v.seq IS NOT NULL ORDER BY c.name, v.version",
        )
        .bind(safe.to_string())
        .fetch_all(conn)
        .await?;
        let mut versions: Vec<Version> = Vec::new();
        for row in &rows {
            let (credential, number): (String, u64) = (row.try_get(0)?, seq(row.try_get(1)?)?);
            let same = |v: &&mut Version| v.credential == credential && v.number == number;
            let share = row
                .try_get::<Option<String>, _>(4)?
                .map(|user| Ok::<_, Error>((id(&user)?, id(&row.try_get::<String, _>(5)?)?)))
                .transpose()?;
            match versions.last_mut().filter(same) {
                Some(version) => version.shares.extend(share),
                None => versions.push(Version {
                    credential,
                    number,
                    epoch: seq(row.try_get(2)?)?,
                    bound: row.try_get::<Option<String>, _>(3)?.is_some(),
                    shares: share.into_iter().collect(),
                }),
            }
        }
        Ok(Holdings { live, versions })
    }

    /// Reads them now.
    pub async fn now(app: &App, safe: SafeId) -> Result<Holdings> {
        Holdings::of(&mut *app.ledger.db().pool.acquire().await?, safe).await
    }
}
