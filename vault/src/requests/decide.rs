//! Deciding: approvals, denials, acceptances. What counts is `quorum`'s to say; here are the facts it asks for.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use audit::Event;
use audit::event::Ended;
use quorum::Hash;
use quorum::decision::{self, At, Cast, FiledAt, KeyLife, Tally};
use quorum::ids::{AuthenticatorId, RequestId, UserId};
use quorum::json::Value;
use quorum::roster::VerifiedRoster;
use quorum::statement::{Decision, Kind, Purpose, Request as Asked};
use serde::Deserialize;
use sqlx::{AnyConnection, Row};

use super::State;
use super::live::{self, Live};
use super::store::{self, Filed, Said};
use crate::app::App;
use crate::b64::Bytes;
use crate::convert::{Audited, actor};
use crate::error::{Error, Result, Words};
use crate::ledger::{Recorded, Tx};
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
    let (named, in_force) = app
        .rosters
        .named_and_in_force(&app.ledger, filed.safe, asked.roster)
        .await?;
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
    let keys: BTreeSet<AuthenticatorId> = said
        .iter()
        .map(|s| s.authenticator)
        .chain([filed.authenticator])
        .collect();
    people::lives(conn, &keys).await
}

fn casts(said: &[Said]) -> Vec<Cast> {
    said.iter().filter_map(Said::cast).collect()
}

/// The count as it stands at `at` over what was `said`, inside a transaction.
pub async fn tally(
    conn: &mut AnyConnection,
    filed: &Filed,
    asked: &Asked,
    rosters: &Rosters,
    said: &[Said],
    at: At,
) -> Result<Tally> {
    let lives = lives(conn, filed, said).await?;
    Ok(decision::count(
        asked,
        &filed_at(filed),
        &rosters.named,
        &rosters.in_force,
        &casts(said),
        &|k| lives.get(&k).cloned(),
        at,
    ))
}

/// The rule for an acting entry at `at` over what was `said`, with the tally that it lists.
pub async fn may_act(
    conn: &mut AnyConnection,
    filed: &Filed,
    asked: &Asked,
    rosters: &Rosters,
    said: &[Said],
    at: At,
) -> Result<Tally> {
    let lives = lives(conn, filed, said).await?;
    let keys = |k: AuthenticatorId| lives.get(&k).cloned();
    decision::check_acting(
        asked,
        &filed_at(filed),
        !filed.state.pending(),
        &rosters.named,
        &rosters.in_force,
        &casts(said),
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

/// The request as the transaction sees it. The roster in force may have changed since it was verified: what is decided is
/// decided on the one that is there now.
pub async fn current(
    conn: &mut AnyConnection,
    request: RequestId,
    rosters: &Rosters,
) -> Result<Filed> {
    let (filed, roster) = store::with_roster(conn, request).await?;
    same_roster(roster, rosters)?;
    Ok(filed)
}

/// As `current`, for a request that is not there yet.
pub async fn still_in_force(conn: &mut AnyConnection, rosters: &Rosters) -> Result<()> {
    let row = sqlx::query("SELECT roster FROM safes WHERE safe = $1")
        .bind(rosters.in_force.safe().to_string())
        .fetch_one(conn)
        .await?;
    same_roster(
        Some(crate::ledger::hash(&row.try_get::<Vec<u8>, _>(0)?)?),
        rosters,
    )
}

fn same_roster(now: Option<Hash>, rosters: &Rosters) -> Result<()> {
    if now == Some(rosters.in_force.leaf()) {
        Ok(())
    } else {
        Err(store::moved_on())
    }
}

/// Whose word is asked for: (user, name, can sign), and how many are needed.
pub async fn circle(
    app: &App,
    asked: &Asked,
    rosters: Option<&Rosters>,
) -> Result<(u32, Vec<(UserId, String, bool)>)> {
    let Some(rosters) = rosters else {
        let Purpose::Roster(r) = &asked.purpose else {
            return Ok((0, Vec::new()));
        };
        let list = r
            .new
            .approvers
            .iter()
            .map(|a| (a.user, a.name.clone(), true))
            .collect::<Vec<_>>();
        return Ok((u32::try_from(list.len()).unwrap_or(0), list));
    };
    let needed = decision::needed(asked, &rosters.named, &rosters.in_force);
    let named = rosters.named.approvers();
    let users = named.iter().map(|a| a.user).collect();
    let sign = people::who_signs(&app.ledger.db().pool, &users).await?;
    let list = named
        .iter()
        .map(|a| {
            let on_both = rosters.in_force.approver(a.user).is_some();
            (a.user, a.name.clone(), on_both && sign.contains(&a.user))
        })
        .collect();
    Ok((needed, list))
}

/// Seqs of what counts now: approvals by the rules, or acceptances while a safe is founded.
pub async fn counting_now(
    app: &App,
    filed: &Filed,
    asked: &Asked,
    said: &[Said],
    rosters: Option<&Rosters>,
) -> Result<Vec<u64>> {
    let Some(rosters) = rosters else {
        return Ok(accepted_in_full(asked, said));
    };
    let acted = filed.opened.zip(filed.opened_at);
    let at = match acted {
        Some((seq, time)) => At { seq, time },
        None => At {
            seq: app.ledger.stored_size().await?,
            time: app.ledger.clock().now().min(filed.expires - 1),
        },
    };
    let mut conn = app.ledger.db().pool.acquire().await?; // after what takes one of its own
    let lives = lives(&mut conn, filed, said).await?;
    drop(conn);
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

/// Approves or denies, and gives the request as it stands then. An approval of a release comes with the re-sealed share, or not
/// at all.
pub async fn decide(
    app: &App,
    who: &Person,
    request: RequestId,
    sent: SentDecision,
) -> Result<Live> {
    let (touch, filed) = futures::try_join!(
        Touch::check(&app.ledger, who.user, &sent.signed),
        store::by_id(&app.ledger.db().pool, request)
    )?;
    let Kind::Approval(approval) = touch.statement.kind.clone() else {
        return Err(bad_statement("it is no decision"));
    };
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
    let under = rosters.clone();
    let ((filed, said), _) = app
        .ledger
        .write(move |tx| {
            Box::pin(async move {
                entered(tx, &touch, &approval, &subject, request, &under, sent.share).await
            })
        })
        .await?;
    if super::settle::settles(&asked) {
        super::settle::tried(app, request).await?;
        let filed = store::by_id(&app.ledger.db().pool, request).await?;
        return live::view(app, &filed).await;
    }
    live::view_of(app, &filed, &asked, &said, Some(&rosters)).await
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
) -> Result<Recorded<(Filed, Vec<Said>)>> {
    let mut filed = current(tx.conn(), request, rosters).await?;
    let asked = filed.asked()?;
    let mut all = store::said(&mut *tx.conn(), request).await?;
    decision::check_decision(
        approval,
        touch.user,
        filed.leaf,
        subject,
        !filed.state.pending(),
        &[&rosters.named, &rosters.in_force],
        &casts(&all),
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
    let approves = approval.decision == Decision::Approve;
    if approves && share.is_some() {
        touch.spend_proving(tx).await?;
    } else {
        touch.spend(tx).await?;
    }
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
    let at = At {
        seq: tx.next_seq(),
        time: tx.now(),
    };
    all.push(said);
    let tally = tally(tx.conn(), &filed, &asked, rosters, &all, at).await?;
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
        filed.state = State::Ended;
        (filed.closed, filed.why) = (Some(ended.time()), Some("denied".into()));
        return Ok(ended.with((filed, all)));
    }
    // An index: the count is taken again before any act.
    let (before, open_until) = (filed.state, decision::open_until(&asked, &tally));
    filed.state = if tally.reached {
        State::Reached
    } else {
        State::Waiting
    };
    filed.open_until = open_until;
    store::follow(tx.conn(), request, before, filed.state, open_until).await?;
    Ok(done.with((filed, all)))
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
    super::settle::tried(app, request).await
}
