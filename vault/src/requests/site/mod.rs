//! Pages of requests, and what they share: who a request still waits for, and its words.

mod deciding;
mod glass;
mod home;
mod show;

use actix_web::{HttpRequest, HttpResponse, web};
use quorum::ids::AuthenticatorId;
use quorum::statement::{Purpose, ReleasePurpose, Request as Asked};
use serde::Deserialize;

use super::decide::{self, Rosters};
use super::store::{self, Filed, Said};
use super::view::{self, Row};
use super::{State, too_late};
use super::{release, web as api};
use crate::app::App;
use crate::credentials::{self, ShownTarget};
use crate::error::Result;
use crate::http::page;
use crate::pages::{Chip, Clock, Mark, Sentence, Tab, When};
use crate::site::{desk, seconds, see, small};
use crate::who::Person;

/// Requests on a page of the list.
const PAGE: i64 = 50;

/// The domain's pages.
pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/", web::get().to(home::home))
        .route("/break", web::get().to(glass::form))
        .route("/break/link", web::get().to(glass::link))
        .route("/r/{code}", web::get().to(by_code))
        .route("/requests", web::get().to(list))
        .route("/requests/{id}", web::get().to(show::show))
        .route("/requests/{id}/approve", web::get().to(deciding::approve))
        .route("/requests/{id}/deny", web::get().to(deciding::deny))
        .route("/requests/{id}/accept", web::get().to(deciding::accept))
        .route("/requests/{id}/opened", web::get().to(show::opened))
        .route("/requests/{id}/withdraw", web::post().to(withdraw))
        .route("/requests/{id}/check-in", web::post().to(check_in));
}

/// The link in messages: to the page where the reader decides, else to the request.
async fn by_code(
    app: web::Data<App>,
    who: Person,
    code: web::Path<String>,
) -> Result<HttpResponse> {
    let missing = || crate::error::Error::missing("request");
    let code = super::read_code(&code).ok_or_else(missing)?;
    let filed = store::by_code(&app.ledger.db().pool, &code)
        .await?
        .ok_or_else(missing)?;
    let part = Part::of(&app, &who, &filed, &filed.asked()?).await?;
    let page = match part.next() {
        Some(Act::Approve) => "/approve",
        Some(Act::Accept) => "/accept",
        None => "",
    };
    Ok(see(format!("/requests/{}{page}", filed.request)))
}

/// Taking a request back without a script.
async fn withdraw(
    app: web::Data<App>,
    req: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let filed = store::by_id(&app.ledger.db().pool, api::id(&path)?).await?;
    api::requester(&req, &filed).await?;
    release::withdraw(&app, filed.request).await?;
    Ok(see(format!("/requests/{}", filed.request)))
}

/// Giving a release back without a script.
async fn check_in(
    app: web::Data<App>,
    req: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let filed = store::by_id(&app.ledger.db().pool, api::id(&path)?).await?;
    api::requester(&req, &filed).await?;
    release::check_in(&app, filed.request).await?;
    Ok(see(format!("/requests/{}", filed.request)))
}

/// What somebody can do about a request that waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Approve,
    Accept,
}

/// A person's part in one request.
struct Part {
    /// May still approve it.
    approve: bool,
    /// May still deny it.
    deny: bool,
    /// Own keys that a new roster newly names, each with whether it has accepted.
    keys: Vec<(AuthenticatorId, bool)>,
    /// Signatures still count.
    pending: bool,
    /// Enough have signed.
    reached: bool,
}

impl Part {
    async fn of(app: &App, who: &Person, filed: &Filed, asked: &Asked) -> Result<Part> {
        let said = store::said(&app.ledger.db().pool, filed.request).await?;
        let rosters = decide::rosters_of(app, filed, asked).await?;
        Ok(Part::from(
            who,
            filed,
            asked,
            &said,
            rosters.as_ref(),
            app.ledger.clock().now(),
        ))
    }

    fn from(
        who: &Person,
        filed: &Filed,
        asked: &Asked,
        said: &[Said],
        rosters: Option<&Rosters>,
        now: i64,
    ) -> Part {
        let pending = filed.state.pending() && now < filed.expires;
        let mine = |word: &str| {
            said.iter()
                .any(|s| s.user == who.user && s.decision == word)
        };
        let on = |r: &Rosters| {
            (
                r.named.approver(who.user).is_some(),
                r.in_force.approver(who.user).is_some(),
            )
        };
        let (on_both, on_one) = rosters.map_or((false, false), |r| {
            let (named, in_force) = on(r);
            (named && in_force, named || in_force)
        });
        let keys = match &asked.purpose {
            Purpose::Roster(purpose) => {
                let new = super::settle::newly_named(purpose, rosters);
                purpose
                    .new
                    .approvers
                    .iter()
                    .filter(|a| a.user == who.user)
                    .flat_map(|a| a.authenticators.iter().copied())
                    .filter(|k| new.contains(k))
                    .map(|k| {
                        (
                            k,
                            said.iter()
                                .any(|s| s.decision == "accept" && s.authenticator == k),
                        )
                    })
                    .collect()
            }
            _ => Vec::new(),
        };
        Part {
            approve: pending
                && on_both
                && who.user != filed.requester
                && !mine("approve")
                && !mine("deny"),
            deny: pending && on_one && !mine("deny"),
            keys,
            pending,
            reached: filed.state == State::Reached,
        }
    }

    /// Keys that can still accept.
    fn to_accept(&self) -> bool {
        self.pending && self.keys.iter().any(|(_, accepted)| !accepted)
    }

    /// What waits for this person now.
    fn next(&self) -> Option<Act> {
        if self.approve && !self.reached {
            Some(Act::Approve)
        } else if self.to_accept() {
            Some(Act::Accept)
        } else {
            None
        }
    }
}

/// Who wants what, in one sentence.
async fn sentence(app: &App, asked: &Asked) -> Result<Sentence> {
    let who = asked.requester_name.clone();
    Ok(match &asked.purpose {
        Purpose::Release(r) => Sentence::release(
            who,
            &r.sealed_as.kind.to_string(),
            r.sealed_as.name.clone(),
            small(r.duration_s),
        ),
        Purpose::Roster(r) => Sentence::roster(
            who,
            r.new.name.clone(),
            small(r.new.epoch),
            small(r.new.m),
            small(r.new.approvers.len()),
        ),
        Purpose::Target(t) => {
            let row = crate::credentials::store::by_id(&app.ledger.db().pool, t.credential).await?;
            Sentence::target(who, row.name, &t.account, &t.address)
        }
        other => Sentence {
            who,
            wants: "wants a change:".into(),
            what: other.name().into(),
            rest: String::new(),
        },
    })
}

/// Where a released credential lives, by the target that it was sealed for.
async fn target(app: &App, r: &ReleasePurpose) -> Result<Option<ShownTarget>> {
    match r.sealed_as.target {
        Some(target) => credentials::store::target_by_id(&app.ledger.db().pool, target).await,
        None => Ok(None),
    }
}

/// Where it is asked for again.
fn again(r: &ReleasePurpose) -> String {
    format!("/break?c={}", r.credential)
}

/// What a list calls it.
fn what(asked: &Asked, sentence: &Sentence) -> String {
    match &asked.purpose {
        Purpose::Release(_) => sentence.what.clone(),
        Purpose::Roster(r) if r.new.epoch == 1 => format!("Founding of {}", sentence.what),
        Purpose::Roster(_) => format!("Roster of {}", sentence.what),
        Purpose::Target(_) => format!("Target of {}", sentence.what),
        other => other.name().to_owned(),
    }
}

fn state(s: State) -> view::State {
    match s {
        State::Waiting => view::State::Waiting,
        State::Reached => view::State::Reached,
        State::Open => view::State::Open,
        State::Closed => view::State::Closed,
        State::Ended => view::State::Ended,
        State::Refused => view::State::Refused,
        State::Done => view::State::Done,
    }
}

/// A request's chip in a list.
fn chip(filed: &Filed, release: bool, now: i64) -> Chip {
    if too_late(filed, now) {
        return Chip::new(Mark::Ended, "Too late to open");
    }
    match (filed.state, filed.why.as_deref()) {
        (State::Waiting, _) => Chip::new(Mark::Waiting, "Waiting"),
        (State::Reached, _) if release => Chip::new(Mark::Signed, "Signed, not opened"),
        (State::Reached, _) => Chip::new(Mark::Reading, "Waits for acceptances"),
        (State::Open, _) => Chip::new(Mark::Open, "Open"),
        (State::Closed, Some("checked_in")) => Chip::new(Mark::Sealed, "Checked in"),
        (State::Closed, _) => Chip::new(Mark::Sealed, "Closed on time"),
        (State::Ended, Some("denied")) => Chip::new(Mark::Failed, "Denied"),
        (State::Ended, Some("expired")) => Chip::new(Mark::Ended, "Expired"),
        (State::Ended, Some("withdrawn")) => Chip::new(Mark::Ended, "Withdrawn"),
        (State::Ended, _) => Chip::new(Mark::Ended, "Ended"),
        (State::Refused, _) => Chip::new(Mark::Failed, "Refused"),
        (State::Done, _) => Chip::new(Mark::Signed, "Done"),
    }
}

/// The countdown of a request that is not over.
fn clock(filed: &Filed, release: bool, now: i64) -> Option<Clock> {
    let signing = || {
        let total = seconds(filed.expires - filed.filed);
        Clock::new(now, filed.expires, total, "left to sign")
    };
    match (filed.state, filed.open_until, filed.ends) {
        (State::Waiting, _, _) => Some(signing()),
        (State::Reached, Some(_), _) if too_late(filed, now) => None,
        (State::Reached, Some(until), _) if release => {
            let within = filed.asked().ok().and_then(|a| match a.purpose {
                Purpose::Release(r) => Some(small(r.open_within_s)),
                _ => None,
            });
            Some(Clock::new(
                now,
                until,
                within.unwrap_or(0),
                "left to open it",
            ))
        }
        (State::Reached, _, _) => Some(Clock {
            label: "left to accept".into(),
            ..signing()
        }),
        (State::Open, _, Some(ends)) => {
            let total = filed.opened_at.map_or(0, |at| seconds(ends - at));
            Some(Clock::new(now, ends, total, "left"))
        }
        _ => None,
    }
}

#[derive(Deserialize)]
struct Before {
    before: Option<i64>,
}

async fn list(
    app: web::Data<App>,
    who: Person,
    before: web::Query<Before>,
) -> Result<HttpResponse> {
    let found = store::before(
        &app.ledger.db().pool,
        before.before.unwrap_or(i64::MAX),
        PAGE,
    )
    .await?;
    let older = found
        .last()
        .filter(|_| i64::try_from(found.len()).is_ok_and(|n| n == PAGE))
        .map(|last| format!("/requests?before={}", last.seq));
    let now = app.ledger.clock().now();
    let mut rows = Vec::new();
    for filed in &found {
        let asked = filed.asked()?;
        let sentence = sentence(&app, &asked).await?;
        rows.push(Row {
            href: format!("/requests/{}", filed.request),
            code: filed.code.clone(),
            what: what(&asked, &sentence),
            who: sentence.who,
            asked: When(filed.filed),
            chip: chip(filed, matches!(asked.purpose, Purpose::Release(_)), now),
        });
    }
    let title = if rows.is_empty() {
        "Nobody has asked for anything yet"
    } else {
        "All requests"
    };
    page(&view::List {
        desk: desk(&app, &who, Tab::Requests, title),
        rows,
        older,
    })
}
