//! Deciding: approvals, denials, acceptances. What counts is `quorum`'s to say; here are the facts it asks for.

use std::collections::HashMap;
use std::sync::Arc;

use audit::Event;
use audit::event::Ended;
use quorum::decision::{self, At, Cast, FiledAt, KeyLife, Tally};
use quorum::ids::{AuthenticatorId, RequestId, UserId};
use quorum::json::Value;
use quorum::roster::VerifiedRoster;
use quorum::statement::{Decision, Kind, Purpose, Request as Asked};
use serde::Deserialize;
use sqlx::{AnyConnection, Row};

use super::State;
use super::store::{self, Filed, Said};
use crate::app::App;
use crate::b64::Bytes;
use crate::convert::{Audited, actor};
use crate::error::{Error, Result, Words};
use crate::ledger::Tx;
use crate::people::store as people;
use crate::touch::{Signed, Touch, bad_statement};
use crate::who::Person;

/// The roster that a request names and the one in force.
#[derive(Clone)]
pub struct Rosters {
    /// Named in the request.
    pub named: Arc<VerifiedRoster>,
    /// In force now.
    pub in_force: Arc<VerifiedRoster>,
}

/// The verified rosters of a request; none while a safe is being founded.
pub async fn rosters_of(app: &App, filed: &Filed, asked: &Asked) -> Result<Option<Rosters>> {
    if founding(asked) {
        return Ok(None);
    }
    let row = sqlx::query("SELECT epoch FROM rosters WHERE safe = $1 AND leaf = $2")
        .bind(filed.safe.to_string())
        .bind(asked.roster.0.to_vec())
        .fetch_optional(&app.ledger.db().pool)
        .await?
        .ok_or_else(|| {
            crate::safes::rosters::unproved("a request names a roster that is not there")
        })?;
    let named = app
        .rosters
        .of(&app.ledger, filed.safe, people::seq(row.try_get(0)?)?)
        .await?;
    if named.leaf() != asked.roster {
        return Err(crate::safes::rosters::unproved(
            "a request names another roster",
        ));
    }
    let in_force = app.rosters.in_force(&app.ledger, filed.safe).await?;
    Ok(Some(Rosters { named, in_force }))
}

/// The request founds a safe.
pub fn founding(asked: &Asked) -> bool {
    matches!(&asked.purpose, Purpose::Roster(r) if r.new.epoch == 1)
}

/// Filing facts, as the rules want them.
pub fn filed_at(filed: &Filed) -> FiledAt {
    FiledAt {
        seq: filed.seq,
        time: filed.filed,
        requester: filed.requester,
        authenticator: filed.authenticator,
    }
}

/// Lives of the keys that filed and decided.
pub async fn lives(
    conn: &mut AnyConnection,
    filed: &Filed,
    said: &[Said],
) -> Result<HashMap<AuthenticatorId, KeyLife>> {
    let mut lives = HashMap::new();
    for key in said
        .iter()
        .map(|s| s.authenticator)
        .chain([filed.authenticator])
    {
        if let std::collections::hash_map::Entry::Vacant(place) = lives.entry(key)
            && let Some(k) = people::key_by_id(&mut *conn, key).await?
        {
            let suspensions = people::suspensions(&mut *conn, key).await?;
            place.insert(KeyLife {
                enrolled_at: k.enrolled,
                revoked_at: k.revoked,
                suspensions,
            });
        }
    }
    Ok(lives)
}

fn casts(said: &[Said]) -> Vec<Cast> {
    said.iter().filter_map(Said::cast).collect()
}

/// The count as it stands at `at`, inside a transaction.
pub async fn tally(
    conn: &mut AnyConnection,
    filed: &Filed,
    asked: &Asked,
    rosters: &Rosters,
    at: At,
) -> Result<(Tally, Vec<Said>)> {
    let said = store::said(&mut *conn, filed.request).await?;
    let lives = lives(conn, filed, &said).await?;
    let tally = decision::count(
        asked,
        &filed_at(filed),
        &rosters.named,
        &rosters.in_force,
        &casts(&said),
        &|k| lives.get(&k).cloned(),
        at,
    );
    Ok((tally, said))
}

/// The rule for an acting entry at `at`, with the tally that it lists.
pub async fn may_act(
    conn: &mut AnyConnection,
    filed: &Filed,
    asked: &Asked,
    rosters: &Rosters,
    at: At,
) -> Result<Tally> {
    let said = store::said(&mut *conn, filed.request).await?;
    let lives = lives(conn, filed, &said).await?;
    let keys = |k: AuthenticatorId| lives.get(&k).cloned();
    decision::check_acting(
        asked,
        &filed_at(filed),
        !filed.state.pending(),
        &rosters.named,
        &rosters.in_force,
        &casts(&said),
        &keys,
        at,
    )
    .map_err(|e| {
        Error::conflict(
            "Not done.",
            format!("The rules refuse: {e}."),
            "Reload the request to see who has signed and until when.",
        )
    })
}

/// The roster in force may have changed since it was verified: the transaction decides on the one it sees.
pub async fn still_in_force(conn: &mut AnyConnection, rosters: &Rosters) -> Result<()> {
    let row = sqlx::query("SELECT roster FROM safes WHERE safe = $1")
        .bind(rosters.in_force.safe().to_string())
        .fetch_one(conn)
        .await?;
    if row.try_get::<Vec<u8>, _>(0)? == rosters.in_force.leaf().0 {
        Ok(())
    } else {
        Err(store::moved_on())
    }
}

/// Whose word is asked for: (user, name, can sign), and how many are needed.
pub async fn circle(
    app: &App,
    filed: &Filed,
    asked: &Asked,
) -> Result<(u32, Vec<(UserId, String, bool)>)> {
    let pool = &app.ledger.db().pool;
    if let Purpose::Roster(r) = &asked.purpose
        && founding(asked)
    {
        let list = r
            .new
            .approvers
            .iter()
            .map(|a| (a.user, a.name.clone(), true))
            .collect::<Vec<_>>();
        return Ok((u32::try_from(list.len()).unwrap_or(0), list));
    }
    let Some(rosters) = rosters_of(app, filed, asked).await? else {
        return Ok((0, Vec::new()));
    };
    let needed = decision::needed(asked, &rosters.named, &rosters.in_force);
    let mut list = Vec::new();
    for a in rosters.named.approvers() {
        let on_both = rosters.in_force.approver(a.user).is_some();
        let live = people::keys_of(pool, a.user)
            .await?
            .iter()
            .any(|k| k.live());
        list.push((a.user, a.name.clone(), on_both && live));
    }
    Ok((needed, list))
}

/// Seqs of what counts now: approvals by the rules, or acceptances while a safe is founded.
pub async fn counting_now(
    app: &App,
    filed: &Filed,
    asked: &Asked,
    said: &[Said],
) -> Result<Vec<u64>> {
    let Some(rosters) = rosters_of(app, filed, asked).await? else {
        return Ok(accepted_in_full(asked, said));
    };
    let mut conn = app.ledger.db().pool.acquire().await?;
    let lives = lives(&mut conn, filed, said).await?;
    let acted = filed.opened.zip(filed.opened_at);
    let at = match acted {
        Some((seq, time)) => At { seq, time },
        None => At {
            seq: app.ledger.size(),
            time: app.ledger.clock().now().min(filed.expires - 1),
        },
    };
    Ok(decision::count(
        asked,
        &filed_at(filed),
        &rosters.named,
        &rosters.in_force,
        &casts(said),
        &|k| lives.get(&k).cloned(),
        at,
    )
    .counting)
}

/// For everybody named whose keys have all accepted, the last of those acceptances.
fn accepted_in_full(asked: &Asked, said: &[Said]) -> Vec<u64> {
    let Purpose::Roster(purpose) = &asked.purpose else {
        return Vec::new();
    };
    let by = |key: &AuthenticatorId| {
        said.iter()
            .find(|s| s.decision == "accept" && s.authenticator == *key)
            .map(|s| s.seq)
    };
    purpose
        .new
        .approvers
        .iter()
        .filter_map(|a| {
            let seqs: Option<Vec<u64>> = a.authenticators.iter().map(by).collect();
            seqs?.into_iter().max()
        })
        .collect()
}

/// A decision as sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentDecision {
    signed: Signed,
    #[serde(default)]
    share: Option<SentShare>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SentShare {
    x: u8,
    sealed: Bytes,
}

/// Approves or denies. An approval of a release comes with the re-sealed share, or not at all.
pub async fn decide(app: &App, who: &Person, request: RequestId, sent: SentDecision) -> Result<()> {
    let touch = Touch::check(&app.ledger, who.user, &sent.signed).await?;
    let Kind::Approval(approval) = touch.statement.kind.clone() else {
        return Err(bad_statement("it is no decision"));
    };
    let filed = store::by_id(&app.ledger.db().pool, request).await?;
    let asked = filed.asked()?;
    let subject = quorum::json::parse(&filed.statement).map_err(Error::internal)?;
    let Some(rosters) = rosters_of(app, &filed, &asked).await? else {
        return Err(bad_statement("a new safe is accepted, not approved"));
    };
    let place = rosters.named.approver(who.user).map(|a| a.x);
    let approves = approval.decision == Decision::Approve;
    if approves {
        may_approve(who, &filed, &rosters)?;
        let needs_share = matches!(asked.purpose, Purpose::Release(_) | Purpose::Reseal(_));
        let good = sent
            .share
            .as_ref()
            .is_some_and(|s| Some(s.x) == place && s.sealed.0.len() == 80);
        if needs_share != sent.share.is_some() || (needs_share && !good) {
            return Err(Error::invalid(
                "You did not sign.",
                "The approval came without your re-sealed share, and one is no use without the other.",
                "Approve from the request's page, with a key that holds your share.",
            ));
        }
    }
    app.ledger
        .write(move |tx| {
            Box::pin(async move {
                entered(
                    tx, &touch, &approval, &subject, request, &rosters, sent.share,
                )
                .await
            })
        })
        .await?;
    super::settle::settle(app, request).await
}

fn may_approve(who: &Person, filed: &Filed, rosters: &Rosters) -> Result<()> {
    if who.user == filed.requester {
        return Err(Error::forbidden(
            "You did not sign.",
            "Nobody approves what they ask for.",
            "Another approver must sign.",
        ));
    }
    if rosters.named.approver(who.user).is_none() || rosters.in_force.approver(who.user).is_none() {
        return Err(Error::forbidden(
            "You did not sign.",
            "You are not on this safe's roster.",
            "Ask somebody who is.",
        ));
    }
    Ok(())
}

async fn entered(
    tx: &mut Tx,
    touch: &Touch,
    approval: &quorum::statement::Approval,
    subject: &Value,
    request: RequestId,
    rosters: &Rosters,
    share: Option<SentShare>,
) -> Result<crate::ledger::Recorded<()>> {
    let filed = store::by_id(&mut *tx.conn(), request).await?;
    let asked = filed.asked()?;
    still_in_force(tx.conn(), rosters).await?;
    let before = casts(&store::said(&mut *tx.conn(), request).await?);
    decision::check_decision(
        approval,
        touch.user,
        filed.leaf,
        subject,
        !filed.state.pending(),
        &[&rosters.named, &rosters.in_force],
        &before,
    )
    .map_err(|e| {
        Error::conflict(
            "You did not sign.",
            format!("{e}."),
            "Reload the request to see where it stands.",
        )
    })?;
    if tx.now() >= filed.expires {
        return Err(Error::conflict(
            "You did not sign.",
            "The request has expired.",
            "The requester can ask again; everybody signs anew.",
        ));
    }
    touch.spend(tx).await?;
    let approves = approval.decision == Decision::Approve;
    let event = if approves {
        Event::RequestApproved(touch.signed())
    } else {
        Event::RequestDenied(touch.signed())
    };
    let done = tx.record(
        actor(touch.user),
        event,
        &[&request, &touch.user, &filed.safe],
    )?;
    let said = Said {
        seq: done.seq(),
        time: done.time(),
        user: touch.user,
        authenticator: touch.authenticator(),
        decision: if approves { "approve" } else { "deny" }.into(),
        statement: touch.bytes.clone(),
        x: share.as_ref().map(|s| s.x),
        sealed: share.map(|s| s.sealed.0),
    };
    store::add_said(tx.conn(), request, &said).await?;
    if approves && said.x.is_some() {
        sqlx::query("UPDATE authenticators SET proved_at = $1 WHERE authenticator = $2")
            .bind(done.time())
            .bind(touch.authenticator().to_string())
            .execute(tx.conn())
            .await?;
    }
    let at = At {
        seq: tx.next_seq(),
        time: tx.now(),
    };
    let (tally, _) = tally(tx.conn(), &filed, &asked, rosters, at).await?;
    if tally.denied {
        let ended = tx.record(
            audit::Actor::System,
            Event::RequestEnded {
                request: request.audited(),
                why: Ended::Denied,
            },
            &[&request, &filed.safe],
        )?;
        store::close(
            tx.conn(),
            request,
            filed.state,
            State::Ended,
            "denied",
            ended.time(),
        )
        .await?;
        return Ok(ended);
    }
    follow(tx, &filed, &asked, &tally).await?;
    Ok(done)
}

/// Keeps `state` and `open_until` in step with the count. An index: the count is taken again before any act.
async fn follow(tx: &mut Tx, filed: &Filed, asked: &Asked, tally: &Tally) -> Result<()> {
    let now = if tally.reached {
        State::Reached
    } else {
        State::Waiting
    };
    if filed.state != now {
        store::move_to(tx.conn(), filed.request, filed.state, now).await?;
    }
    sqlx::query("UPDATE requests SET open_until = $1 WHERE request = $2")
        .bind(decision::open_until(asked, tally))
        .bind(filed.request.to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Accepts to be on a roster, with the very key that it names.
pub async fn accept(app: &App, who: &Person, request: RequestId, signed: Signed) -> Result<()> {
    let touch = Touch::check(&app.ledger, who.user, &signed).await?;
    let Kind::Acceptance(acceptance) = touch.statement.kind.clone() else {
        return Err(bad_statement("it is no acceptance"));
    };
    let filed = store::by_id(&app.ledger.db().pool, request).await?;
    let asked = filed.asked()?;
    let Purpose::Roster(purpose) = asked.purpose else {
        return Err(bad_statement("nothing here is accepted"));
    };
    let named = purpose
        .new
        .approvers
        .iter()
        .any(|a| a.user == who.user && a.authenticators.contains(&acceptance.authenticator));
    let subject = quorum::json::parse(&filed.statement).map_err(Error::internal)?;
    if !named
        || acceptance.authenticator != touch.authenticator()
        || acceptance.entry != filed.leaf
        || acceptance.subject != subject
    {
        return Err(Error::Invalid(Words::new(
            "Not accepted.",
            "This key is not named by that roster, or the request is another one.",
            "Touch exactly the key that the page names.",
        )));
    }
    app.ledger
        .write(move |tx| {
            Box::pin(async move {
                let filed = store::by_id(&mut *tx.conn(), request).await?;
                if !filed.state.pending() || tx.now() >= filed.expires {
                    return Err(store::moved_on());
                }
                let before = store::said(&mut *tx.conn(), request).await?;
                if before
                    .iter()
                    .any(|s| s.decision == "accept" && s.authenticator == touch.authenticator())
                {
                    return Err(Error::conflict(
                        "Nothing was done.",
                        "This key has accepted already.",
                        "Touch your other key, or wait for the others.",
                    ));
                }
                touch.spend(tx).await?;
                let done = tx.record(
                    actor(touch.user),
                    Event::RequestAccepted(touch.signed()),
                    &[&request, &touch.user, &filed.safe],
                )?;
                let said = Said {
                    seq: done.seq(),
                    time: done.time(),
                    user: touch.user,
                    authenticator: touch.authenticator(),
                    decision: "accept".into(),
                    statement: touch.bytes.clone(),
                    x: None,
                    sealed: None,
                };
                store::add_said(tx.conn(), request, &said).await?;
                Ok(done)
            })
        })
        .await?;
    super::settle::settle(app, request).await
}
