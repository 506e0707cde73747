//! Deciding: approvals, denials, acceptances. What counts is `quorum`'s to say; here are the facts it asks for.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use audit::Event;
use audit::event::Ended;
use quorum::Hash;
use quorum::decision::{self, At, Cast, DecisionError, FiledAt, KeyLife, Refusal, Tally};
use quorum::ids::{AuthenticatorId, RequestId, UserId};
use quorum::json::Value as Json;
use quorum::roster::VerifiedRoster;
use quorum::statement::{Approval, Decision, Kind, Purpose, Request as Asked, Statement};
use serde::Deserialize;
use sqlx::{AnyConnection, Row};

use super::State;
use super::lately::{self, Known};
use super::live::{self, Live};
use super::store::{self, Filed, Said};
use crate::app::App;
use crate::b64::Bytes;
use crate::convert::{Audited, actor};
use crate::error::{Error, Result, Words};
use crate::ledger::{Recorded, Tx};
use crate::pages::capital;
use crate::people::store as people;
use crate::safes::rosters;
use crate::script::{Facts, Script, Value, name};
use crate::touch::{Signed, Touch, bad_statement, signed_by};
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
pub async fn lives(conn: &mut AnyConnection, filed: &Filed, said: &[Said]) -> Result<Lives> {
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

/// When keys were live.
pub type Lives = HashMap<AuthenticatorId, KeyLife>;

/// The count as it stands at `at` over what was `said`.
pub fn tally(
    filed: &Filed,
    asked: &Asked,
    rosters: &Rosters,
    said: &[Said],
    lives: &Lives,
    at: At,
) -> Tally {
    decision::count(
        asked,
        &filed_at(filed),
        &rosters.named,
        &rosters.in_force,
        &casts(said),
        &|k| lives.get(&k).cloned(),
        at,
    )
}

/// The rule for an acting entry at `at` over what was `said`, with the tally that it lists.
pub fn may_act(
    filed: &Filed,
    asked: &Asked,
    rosters: &Rosters,
    said: &[Said],
    lives: &Lives,
    at: At,
) -> Result<Tally> {
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
    .map_err(|e| match e {
        Refusal::OpenedTooLate => super::release::too_late(filed),
        e => Error::conflict(
            "Not done.",
            format!("The rules refuse: {e}."),
            "Reload the request to see who has signed and until when.",
        ),
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

/// Refuses when the roster in force is not the verified one any more.
pub fn same_roster(now: Option<Hash>, rosters: &Rosters) -> Result<()> {
    if now == Some(rosters.in_force.leaf()) {
        Ok(())
    } else {
        Err(store::moved_on())
    }
}

/// Who of the roster has a key that signs.
pub async fn signing(app: &App, rosters: Option<&Rosters>) -> Result<BTreeSet<UserId>> {
    let Some(rosters) = rosters else {
        return Ok(BTreeSet::new());
    };
    let users = rosters.named.approvers().iter().map(|a| a.user).collect();
    people::who_signs(&app.ledger.db().pool, &users).await
}

/// Whose word is asked for: (user, name, can sign), and how many are needed.
pub fn circle(
    asked: &Asked,
    rosters: Option<&Rosters>,
    signing: &BTreeSet<UserId>,
) -> (u32, Vec<(UserId, String, bool)>) {
    let Some(rosters) = rosters else {
        let Purpose::Roster(r) = &asked.purpose else {
            return (0, Vec::new());
        };
        let list = r
            .new
            .approvers
            .iter()
            .map(|a| (a.user, a.name.clone(), true))
            .collect::<Vec<_>>();
        return (u32::try_from(list.len()).unwrap_or(0), list);
    };
    let needed = decision::needed(asked, &rosters.named, &rosters.in_force);
    let named = rosters.named.approvers().iter();
    let list = named
        .map(|a| {
            let on_both = rosters.in_force.approver(a.user).is_some();
            (a.user, a.name.clone(), on_both && signing.contains(&a.user))
        })
        .collect();
    (needed, list)
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
    Ok(tally(filed, asked, rosters, said, &lives, at).counting)
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

#[derive(Clone, Deserialize)]
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
    let statement = signed_by(&app.ledger, who.user, &sent.signed)?;
    let known = app.lately.of(request);
    let known = known.and_then(|k| Some((k.key(who.user, &sent.signed.credential_id.0)?, k)));
    let Some((key, known)) = known else {
        return decide_read(app, who, request, sent, statement).await;
    };
    let touch = Touch::rostered(&app.ledger, who.user, &sent.signed, statement, key)?;
    match decided(app, who, (touch, sent.share.clone()), known, true).await {
        Err(e) if lately::doubtful(&e) => {
            app.lately.forget(request);
            let statement = signed_by(&app.ledger, who.user, &sent.signed)?;
            decide_read(app, who, request, sent, statement).await
        }
        done => done,
    }
}

/// As `decide`, on a request that is read first.
async fn decide_read(
    app: &App,
    who: &Person,
    request: RequestId,
    sent: SentDecision,
    statement: Statement,
) -> Result<Live> {
    let about = about(approval_of(&statement)?)?;
    let mut reads = app.ledger.script();
    reads.add(
        [people::KEY, " WHERE credential_id = $1"].concat(),
        [sent.signed.credential_id.0.as_slice().into()],
    );
    store::ask(&mut reads, request);
    rosters::ask_named(&mut reads, about.safe, about.roster);
    let mut facts = reads.fetch(&app.ledger.db().pool).await?;
    let key = facts.row()?.as_ref().map(people::key).transpose()?;
    let touch = Touch::checked(&app.ledger, who.user, &sent.signed, statement, key).await?;
    let (filed, _) = store::read_one(facts.row()?.as_ref())?;
    let asked = filed.asked()?;
    if (asked.safe, asked.roster) != (about.safe, about.roster) {
        return Err(bad_statement("it is about another request"));
    }
    if founding(&asked) {
        return Err(bad_statement("a new safe is accepted, not approved"));
    }
    let (named, in_force, newest) = app
        .rosters
        .named_under(&app.ledger, asked.safe, asked.roster, facts.row()?)
        .await?;
    let known = Known {
        filed,
        asked,
        rosters: Rosters { named, in_force },
        newest,
    };
    decided(app, who, (touch, sent.share), known, false).await
}

/// Enters a decision whose signature was checked, on a request that was read; `guessed`: a moment ago.
async fn decided(
    app: &App,
    who: &Person,
    (touch, share): (Touch, Option<SentShare>),
    known: Known,
    guessed: bool,
) -> Result<Live> {
    let Known {
        filed,
        asked,
        rosters,
        newest,
    } = known;
    let request = filed.request;
    if approval_of(&touch.statement)?.decision == Decision::Approve {
        may_approve(who, &filed, &rosters)?;
        comes_with_share(&asked, &rosters, who.user, share.as_ref())?;
    }
    let proved = super::proved::by_roster(&rosters, &touch);
    let decided = Decided {
        subject: quorum::json::parse(&filed.statement).map_err(Error::internal)?,
        statement: filed.statement,
        asked: asked.clone(),
        touch,
        request,
        rosters: rosters.clone(),
        guessed: guessed.then_some(newest),
        share,
    };
    let (reads, writes) = (decided.asks(app.ledger.script()), app.ledger.script());
    let (entered, receipt) = app
        .ledger
        .write_on(reads, move |tx, facts| decided.entered(tx, facts, writes))
        .await?;
    crate::fault::point("decide.committed");
    if let Some(said) = entered
        .said
        .iter()
        .find(|s| proved && s.seq == receipt.seq())
    {
        app.checked.decision(receipt.leaf(), &entered.filed, said);
    }
    if super::settle::settles(&asked) {
        super::settle::tried(app, request).await?;
        let filed = store::by_id(&app.ledger.db().pool, request).await?;
        return live::view(app, &filed).await;
    }
    let Entered {
        filed,
        said,
        signing,
        counting,
    } = entered;
    app.lately.keep(Known {
        filed: filed.clone(),
        asked: asked.clone(),
        rosters: rosters.clone(),
        newest,
    });
    Ok(live::picture(
        app,
        &filed,
        &asked,
        &said,
        Some(&rosters),
        &signing,
        &counting,
    ))
}

fn approval_of(statement: &Statement) -> Result<&Approval> {
    match &statement.kind {
        Kind::Approval(approval) => Ok(approval),
        _ => Err(bad_statement("it is no decision")),
    }
}

/// The request that an approval says it is about.
fn about(approval: &Approval) -> Result<Asked> {
    match Statement::from_value(&approval.subject).map(|s| s.kind) {
        Ok(Kind::Request(asked)) => Ok(*asked),
        _ => Err(bad_statement("it is about no request")),
    }
}

/// A release is approved with the approver's own share, re-sealed, and nothing else is.
fn comes_with_share(
    asked: &Asked,
    rosters: &Rosters,
    user: UserId,
    share: Option<&SentShare>,
) -> Result<()> {
    let needed = matches!(asked.purpose, Purpose::Release(_) | Purpose::Reseal(_));
    let place = rosters.named.approver(user).map(|a| a.x);
    let good = share.is_some_and(|s| Some(s.x) == place && s.sealed.0.len() == 80);
    if needed != share.is_some() || (needed && !good) {
        return Err(Error::invalid(
            "You did not sign.",
            "The approval came without your re-sealed share, and one is no use without the other.",
            "Approve from the request's page, with a key that holds your share.",
        ));
    }
    Ok(())
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

/// A decision that was checked, before it is entered.
struct Decided {
    touch: Touch,
    /// The request's statement as it was read, before it was entered what was decided.
    statement: Vec<u8>,
    asked: Asked,
    subject: Json,
    request: RequestId,
    rosters: Rosters,
    /// The newest event about a key, where the rosters are a guess.
    guessed: Option<u64>,
    share: Option<SentShare>,
}

/// A decision that is entered, and what it made of the request.
struct Entered {
    filed: Filed,
    said: Vec<Said>,
    signing: BTreeSet<UserId>,
    counting: Vec<u64>,
}

impl Decided {
    fn asks(&self, mut reads: Script) -> Script {
        store::ask(&mut reads, self.request);
        store::ask_said(&mut reads, self.request);
        let keys = "SELECT c.authenticator FROM casts c WHERE c.request = $1 \
                    UNION SELECT r.authenticator FROM requests r WHERE r.request = $1 UNION SELECT $2";
        reads.add(
            people::lives_in(keys),
            [name(self.request), name(self.touch.authenticator)],
        );
        self.touch.ask(&mut reads);
        let named = self.rosters.named.approvers().iter();
        reads.add(
            [people::SIGNS, "($1)"].concat(),
            [Value::Texts(named.map(|a| a.user.to_string()).collect())],
        );
        if self.guessed.is_some() {
            rosters::ask_named(&mut reads, self.asked.safe, self.asked.roster);
        }
        reads
    }

    fn entered(
        self,
        tx: &mut Tx,
        mut facts: Facts,
        mut writes: Script,
    ) -> Result<Recorded<Entered>> {
        let Decided {
            touch,
            statement,
            asked,
            subject,
            request,
            rosters,
            guessed,
            share,
        } = self;
        let approval = approval_of(&touch.statement)?;
        let (mut filed, roster) = store::read_one(facts.row()?.as_ref())?;
        same_roster(roster, &rosters)?;
        if filed.statement != statement {
            return Err(store::moved_on());
        }
        let mut said = store::read_said(&facts.rows()?)?;
        let lives = people::read_lives(&facts.rows()?)?;
        decision::check_decision(
            approval,
            touch.user,
            filed.leaf,
            &subject,
            !filed.state.pending(),
            &[&rosters.named, &rosters.in_force],
            &casts(&said),
        )
        .map_err(|e| match e {
            DecisionError::Again => decided_already(&said, touch.user),
            e => Error::conflict(
                "You did not sign.",
                format!("{}.", capital(&e.to_string())),
                "Reload the request to see where it stands.",
            ),
        })?;
        if tx.now() >= filed.expires {
            return Err(Error::conflict(
                "You did not sign.",
                "The request has expired.",
                "The requester can ask again; everybody signs anew.",
            ));
        }
        let approves = approval.decision == Decision::Approve;
        let proving = approves && share.is_some();
        touch.used_up(&mut facts, tx.now(), proving, &mut writes)?;
        let signing = people::ids(&facts.rows()?)?;
        if let Some(newest) = guessed {
            let row = facts.row()?;
            rosters::still_named(row.as_ref(), &rosters.named, &rosters.in_force, newest)?;
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
        said.push(Said {
            seq: done.seq(),
            time: done.time(),
            user: touch.user,
            authenticator: touch.authenticator,
            decision: if approves { "approve" } else { "deny" }.into(),
            statement: touch.bytes.clone(),
            x: share.as_ref().map(|s| s.x),
            sealed: share.map(|s| s.sealed.0),
        });
        if let Some(newest) = said.last() {
            store::add_said(&mut writes, request, newest);
        }
        let at = At {
            seq: tx.next_seq(),
            time: tx.now(),
        };
        let tally = tally(&filed, &asked, &rosters, &said, &lives, at);
        let mut done = done.with(());
        if tally.denied {
            let ended = tx.record(
                audit::Actor::System,
                Event::RequestEnded {
                    request: request.audited(),
                    why: Ended::Denied,
                },
                &[&request, &filed.safe],
            )?;
            store::denied(&mut writes, request, ended.time());
            filed.state = State::Ended;
            (filed.closed, filed.why) = (Some(ended.time()), Some("denied".into()));
            done = ended;
        } else {
            // An index: the count is taken again before any act.
            filed.open_until = decision::open_until(&asked, &tally);
            filed.state = if tally.reached {
                State::Reached
            } else {
                State::Waiting
            };
            store::follow(&mut writes, request, filed.state, filed.open_until);
        }
        let counting = tally.counting;
        let entered = Entered {
            filed,
            said,
            signing,
            counting,
        };
        Ok(done.writing(writes).with(entered))
    }
}

/// Somebody's answer was lost, and they sign again.
fn decided_already(said: &[Said], user: UserId) -> Error {
    let before = said
        .iter()
        .rfind(|s| s.user == user && s.decision != "accept");
    let (word, seq) = before.map_or(("decision", 0), |s| match s.decision.as_str() {
        "deny" => ("denial", s.seq),
        _ => ("approval", s.seq),
    });
    Error::conflict(
        "You have decided already.",
        format!("Your {word} is entry {seq} of the ledger."),
        "Nothing more is needed from you. Reload the request to see where it stands.",
    )
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
        || acceptance.authenticator != touch.authenticator
        || acceptance.entry != filed.leaf
        || acceptance.subject != subject
    {
        return Err(Error::Invalid(Words::new(
            "Not accepted.",
            "This key is not named by that roster, or the request is another one.",
            "Touch exactly the key that the page names.",
        )));
    }
    let mut writes = app.ledger.script();
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
                    .any(|s| s.decision == "accept" && s.authenticator == touch.authenticator)
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
                    authenticator: touch.authenticator,
                    decision: "accept".into(),
                    statement: touch.bytes.clone(),
                    x: None,
                    sealed: None,
                };
                store::add_said(&mut writes, request, &said);
                Ok(done.writing(writes))
            })
        })
        .await?;
    super::settle::tried(app, request).await
}
