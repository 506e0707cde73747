//! Settling: the acting entries of purposes that need no opener. Run after each signature, and by the sweeper:
//! after a crash the same function finishes what was left.

use std::collections::BTreeSet;

use audit::Event;
use audit::event::{NewApprover, NewRoster, RosterSet, TargetSet};
use quorum::decision::{At, NamedFacts, NamedKey, NamedPerson, check_named};
use quorum::ids::{AuthenticatorId, RequestId};
use quorum::statement::{Purpose, Request as Asked, RosterPurpose, TargetPurpose};

use super::State;
use super::decide::{self, Rosters};
use super::proved::{Proof, Told};
use super::store::{self, Filed};
use crate::app::App;
use crate::convert::Audited;
use crate::error::{Error, Result, Words};
use crate::ledger::{Recorded, Tx};
use crate::people::store::{self as people, at};
use crate::script::Script;

/// Whether the acting entry of a request is written here.
pub fn settles(asked: &Asked) -> bool {
    matches!(asked.purpose, Purpose::Roster(_) | Purpose::Target(_))
}

/// As `settle`, after somebody has signed: their signature stands, whether or not the act is possible now. The request's page
/// says what is in the way.
pub async fn tried(app: &App, request: RequestId) -> Result<()> {
    match settle(app, request).await {
        Err(Error::Invalid(_) | Error::Missing(_)) => Ok(()),
        done => done,
    }
}

/// What keeps a request that everybody has signed from being done, in words; for its page.
pub async fn in_the_way(app: &App, filed: &Filed, asked: &Asked) -> Result<Option<String>> {
    let Purpose::Roster(roster) = &asked.purpose else {
        return Ok(None);
    };
    if !filed.state.pending() {
        return Ok(None);
    }
    match crate::safes::check_new_roster(app, filed.safe, &roster.new).await {
        Ok(()) => Ok(None),
        Err(Error::Invalid(words)) => Ok(Some(format!("{} {}", words.why, words.next))),
        Err(Error::Missing(_)) => Ok(Some("Somebody whom it names is not here any more.".into())),
        Err(e) => Err(e),
    }
}

/// Writes the acting entry of `request` if everything it needs is there. Nothing to do is no error.
pub async fn settle(app: &App, request: RequestId) -> Result<()> {
    let filed = store::by_id(&app.ledger.db().pool, request).await?;
    let asked = filed.asked()?;
    if !filed.state.pending() || !settles(&asked) {
        return Ok(());
    }
    let rosters = decide::rosters_of(app, &filed, &asked).await?;
    let ready = {
        let now = At {
            seq: app.ledger.stored_size().await?,
            time: app.ledger.clock().now(),
        };
        let mut conn = app.ledger.db().pool.acquire().await?; // after what takes one of its own
        is_ready(&mut conn, &filed, &asked, rosters.as_ref(), None, now)
            .await?
            .is_some()
    };
    if !ready {
        return Ok(());
    }
    if let Purpose::Roster(roster) = &asked.purpose {
        // Weeks may lie behind: who was named then may have left, and versions may have been sealed since.
        crate::safes::check_new_roster(app, filed.safe, &roster.new).await?;
    }
    let told = Told::now(app, request).await?;
    let proof = super::proved::decisions(app, &filed, rosters.as_ref(), told).await?;
    let mut told = app.ledger.script();
    Told::ask(&mut told, request);
    let done = app
        .ledger
        .write(move |tx| {
            Box::pin(async move { act(tx, request, rosters.as_ref(), &proof, &told).await })
        })
        .await;
    match done {
        Ok(_) | Err(Error::Conflict(_)) => Ok(()), // somebody else settled it, or it moved on
        Err(e) => Err(e),
    }
}

/// What the acting entry would list: approvals and acceptances, ascending.
struct Ready {
    approvals: Vec<u64>,
    acceptances: Vec<u64>,
}

async fn is_ready(
    conn: &mut sqlx::AnyConnection,
    filed: &Filed,
    asked: &Asked,
    rosters: Option<&Rosters>,
    proof: Option<&Proof>,
    now: At,
) -> Result<Option<Ready>> {
    if now.time >= filed.expires {
        return Ok(None);
    }
    let said = store::said(&mut *conn, filed.request).await?;
    let said = match proof {
        Some(proof) => proof.keep(said),
        None => said,
    };
    let lives = decide::lives(&mut *conn, filed, &said).await?;
    let approvals = match rosters {
        None => Vec::new(),
        Some(rosters) => match decide::may_act(filed, asked, rosters, &said, &lives, now) {
            Ok(tally) => tally.counting,
            Err(Error::Conflict(_)) => return Ok(None),
            Err(e) => return Err(e),
        },
    };
    let mut acceptances = Vec::new();
    if let Purpose::Roster(purpose) = &asked.purpose {
        if rosters.is_none()
            && lives
                .get(&filed.authenticator)
                .is_none_or(|k| k.revoked_before(now.seq))
        {
            return Ok(None);
        }
        for key in newly_named(purpose, rosters) {
            match said
                .iter()
                .find(|s| s.decision == "accept" && s.authenticator == key)
            {
                Some(s) => acceptances.push(s.seq),
                None => return Ok(None),
            }
        }
        acceptances.sort_unstable();
    }
    Ok(Some(Ready {
        approvals,
        acceptances,
    }))
}

/// Keys that must accept: all of them at a founding, else those that the roster in force does not name.
pub(super) fn newly_named(
    purpose: &RosterPurpose,
    rosters: Option<&Rosters>,
) -> BTreeSet<AuthenticatorId> {
    let old: BTreeSet<AuthenticatorId> = rosters
        .iter()
        .flat_map(|r| r.in_force.approvers())
        .flat_map(|a| a.authenticators.iter().map(|k| k.authenticator))
        .collect();
    purpose
        .new
        .approvers
        .iter()
        .flat_map(|a| a.authenticators.iter().copied())
        .filter(|k| !old.contains(k))
        .collect()
}

async fn act(
    tx: &mut Tx,
    request: RequestId,
    rosters: Option<&Rosters>,
    proof: &Proof,
    told: &Script,
) -> Result<Recorded<()>> {
    let filed = match rosters {
        Some(rosters) => decide::current(tx.conn(), request, rosters).await?,
        None => store::by_id(tx.conn(), request).await?,
    };
    let asked = filed.asked()?;
    let now = At {
        seq: tx.next_seq(),
        time: tx.now(),
    };
    if !filed.state.pending() {
        return Err(store::moved_on());
    }
    Told::read(&mut told.fetch(tx.conn()).await?)?.still_waits(&filed)?;
    let ready = is_ready(tx.conn(), &filed, &asked, rosters, Some(proof), now)
        .await?
        .ok_or_else(store::moved_on)?;
    let done = match &asked.purpose {
        Purpose::Roster(purpose) => {
            may_be_named(tx, &purpose.new).await?;
            set_roster(tx, &filed, purpose, ready).await?
        }
        Purpose::Target(purpose) => set_target(tx, &filed, purpose, ready).await?,
        _ => return Err(Error::internal("nothing to settle")),
    };
    sqlx::query("UPDATE requests SET opened = $1, opened_at = $2, closed = $3 WHERE request = $4")
        .bind(at(done.seq()))
        .bind(done.time())
        .bind(done.time())
        .bind(request.to_string())
        .execute(tx.conn())
        .await?;
    store::move_to(tx.conn(), request, filed.state, State::Done).await?;
    Ok(done)
}

/// Whoever a new roster names is an approver still, with keys that are live in this very transaction: an entry that names a
/// dead key would make the ledger false for ever.
async fn may_be_named(tx: &mut Tx, new: &quorum::statement::NewRoster) -> Result<()> {
    let mut facts = NamedFacts::default();
    let keys = new.approvers.iter().flat_map(|a| &a.authenticators);
    let lives = people::lives(&mut *tx.conn(), &keys.copied().collect()).await?;
    for approver in &new.approvers {
        if let Some(user) = people::user_by_id(&mut *tx.conn(), approver.user).await? {
            let person = NamedPerson {
                approver: user.roles.iter().any(|r| r == "approver"),
                name: user.name,
            };
            facts.people.insert(approver.user, person);
        }
        for key in people::keys_of(&mut *tx.conn(), approver.user).await? {
            if let Some(life) = lives.get(&key.authenticator) {
                let named = NamedKey {
                    user: key.user,
                    share_key: key.share_key.is_some(),
                    life: life.clone(),
                };
                facts.keys.insert(key.authenticator, named);
            }
        }
    }
    check_named(new, &facts, tx.next_seq()).map_err(|e| {
        Error::Invalid(Words::new(
            "Not changed.",
            format!("The roster cannot be set for whom it names: {e}."),
            "Withdraw the request, mend that, and propose the change again.",
        ))
    })
}

async fn set_roster(
    tx: &mut Tx,
    filed: &Filed,
    purpose: &RosterPurpose,
    ready: Ready,
) -> Result<Recorded<()>> {
    let new = &purpose.new;
    let event = Event::RosterSet(RosterSet {
        acceptances: ready.acceptances,
        approvals: ready.approvals,
        new: NewRoster {
            approvers: new
                .approvers
                .iter()
                .map(|a| NewApprover {
                    authenticators: a.authenticators.iter().map(Audited::audited).collect(),
                    name: a.name.clone(),
                    user: a.user.audited(),
                })
                .collect(),
            denials: new.denials,
            drill: new.drill,
            epoch: new.epoch,
            grant_life_s: new.grant_life_s,
            m: new.m,
            name: new.name.clone(),
            request_life_s: new.request_life_s,
        },
        request: filed.request.audited(),
        safe: filed.safe.audited(),
    });
    let done = tx.record(audit::Actor::System, event, &[&filed.request, &filed.safe])?;
    sqlx::query(
        "INSERT INTO safes (safe, name, drill, epoch, roster, m, denials, request_life_s, grant_life_s) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT (safe) DO UPDATE SET name = excluded.name, epoch = excluded.epoch, roster = excluded.roster, m = excluded.m, \
         denials = excluded.denials, request_life_s = excluded.request_life_s, grant_life_s = excluded.grant_life_s",
    )
    .bind(filed.safe.to_string())
    .bind(new.name.clone())
    .bind(i64::from(new.drill))
    .bind(at(new.epoch))
    .bind(done.leaf().0.to_vec())
    .bind(at(new.m))
    .bind(at(new.denials))
    .bind(at(new.request_life_s))
    .bind(at(new.grant_life_s))
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "INSERT INTO rosters (safe, epoch, seq, leaf, request) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(filed.safe.to_string())
    .bind(at(new.epoch))
    .bind(at(done.seq()))
    .bind(done.leaf().0.to_vec())
    .bind(filed.request.to_string())
    .execute(tx.conn())
    .await?;
    if new.epoch > 1 {
        crate::rotation::store::ask_for_safe(tx.conn(), filed.safe, done.time()).await?;
    }
    Ok(done)
}

async fn set_target(
    tx: &mut Tx,
    filed: &Filed,
    t: &TargetPurpose,
    ready: Ready,
) -> Result<Recorded<()>> {
    let event = Event::TargetSet(Box::new(TargetSet {
        account: t.account.clone(),
        address: t.address.clone(),
        approvals: ready.approvals,
        connector: t.connector.clone(),
        credential: t.credential.audited(),
        pin: t.pin.to_string(),
        request: filed.request.audited(),
        safe: filed.safe.audited(),
        target: t.target.audited(),
    }));
    let done = tx.record(
        audit::Actor::System,
        event,
        &[&filed.request, &filed.safe, &t.credential, &t.target],
    )?;
    sqlx::query("UPDATE targets SET live = 0 WHERE credential = $1")
        .bind(t.credential.to_string())
        .execute(tx.conn())
        .await?;
    let bound = sqlx::query("UPDATE targets SET live = 1, seq = $1, server = $8 WHERE target = $2 AND credential = $3 AND address = $4 AND account = $5 AND pin = $6 AND connector = $7")
        .bind(at(done.seq()))
        .bind(t.target.to_string())
        .bind(t.credential.to_string())
        .bind(t.address.clone())
        .bind(t.account.clone())
        .bind(t.pin.to_string())
        .bind(t.connector.clone())
        .bind(crate::connectors::postgres::server(&t.address).to_owned())
        .execute(tx.conn())
        .await
        .map_err(|e| match e {
            sqlx::Error::Database(d) if d.is_unique_violation() => already_bound(),
            other => other.into(),
        })?;
    if bound.rows_affected() != 1 {
        return Err(Error::conflict(
            "Not bound.",
            "The target's draft is gone.",
            "Describe the target again and ask anew.",
        ));
    }
    sqlx::query("UPDATE credentials SET target = $1 WHERE credential = $2")
        .bind(t.target.to_string())
        .bind(t.credential.to_string())
        .execute(tx.conn())
        .await?;
    Ok(done)
}

/// (target, account) belongs to one credential, hence to one safe.
pub fn already_bound() -> Error {
    Error::conflict(
        "Not bound.",
        "This account at this server belongs to another credential.",
        "Ask the custodians of that safe; one account is kept in one place.",
    )
}
