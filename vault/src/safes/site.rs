//! Pages of safes.

use actix_web::{HttpResponse, web};
use quorum::ids::SafeId;
use quorum::statement::Purpose;

use super::store::{self, Safe};
use super::view;
use super::web::{Shown, shown};
use crate::app::App;
use crate::credentials;
use crate::error::{Error, Result};
use crate::http::page;
use crate::pages::{
    Chip, Clock, Fact, Link, Mark, Notice, Pips, Tab, Tone, When, capital, duration, number,
};
use crate::people::site::history;
use crate::people::{fold, store as people};
use crate::requests::store as requests;
use crate::site::{desk, id, small};
use crate::who::{Custodian, Person};

/// The domain's pages.
pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/safes", web::get().to(list))
        .route("/safes/new", web::get().to(found))
        .route("/safes/{id}", web::get().to(show))
        .route("/safes/{id}/roster", web::get().to(change));
}

/// The safe of a path.
pub async fn find(app: &App, text: &str) -> Result<Safe> {
    let safe: SafeId = id(text, "safe")?;
    store::by_id(&app.ledger.db().pool, safe)
        .await?
        .ok_or_else(|| Error::missing("safe"))
}

/// A safe's margin, drawn.
pub fn pips(safe: &Shown) -> Pips {
    Pips {
        need: small(safe.m),
        can: small(safe.approvers.iter().filter(|a| a.can_sign).count()),
        all: small(safe.n),
    }
}

fn chip(margin: i64) -> Chip {
    match margin {
        ..0 => Chip::new(Mark::Failed, "Blocked"),
        0 => Chip::new(Mark::Attention, "Margin 0"),
        _ => Chip::new(Mark::Signed, "Quorum alive"),
    }
}

async fn list(app: web::Data<App>, who: Person) -> Result<HttpResponse> {
    let pool = &app.ledger.db().pool;
    let mut rows = Vec::new();
    let mut all = store::all(pool).await?;
    all.sort_by_key(|s| fold(&s.name));
    for safe in &all {
        let seen = shown(&app, safe).await?;
        rows.push(view::Row {
            href: format!("/safes/{}", seen.safe),
            drill: seen.drill,
            credentials: small(seen.credentials.len()),
            pips: pips(&seen),
            chip: chip(seen.margin),
            name: seen.name,
        });
    }
    let mut founding = Vec::new();
    for filed in requests::live(pool).await? {
        if let Purpose::Roster(r) = filed.asked()?.purpose
            && r.new.epoch == 1
        {
            founding.push(Link {
                href: format!("/requests/{}", filed.request),
                text: format!("{} is being founded", r.new.name),
            });
        }
    }
    page(&view::List {
        desk: desk(&app, &who, Tab::Safes, "Safes"),
        rows,
        founding,
    })
}

async fn show(app: web::Data<App>, who: Person, path: web::Path<String>) -> Result<HttpResponse> {
    let safe = find(&app, &path).await?;
    let seen = shown(&app, &safe).await?;
    let now = app.ledger.clock().now();
    let mut chips = vec![
        chip(seen.margin),
        Chip::new(Mark::Plain, format!("{} of {} must sign", seen.m, seen.n)),
    ];
    let mut notices = notices(&app, &safe, &seen).await?;
    if seen.drill {
        let last = store::last_drill(&app.ledger.db().pool, safe.safe).await?;
        chips.push(drill_chip(last, now));
        notices.extend(drill_notice(last, now));
    }
    page(&view::Show {
        desk: desk(&app, &who, Tab::Safes, seen.name.clone()),
        safe: seen.safe.clone(),
        name: seen.name.clone(),
        epoch: small(seen.epoch),
        drill: seen.drill,
        chips,
        pips: pips(&seen),
        approvers: seen
            .approvers
            .iter()
            .map(|a| approver(a, seen.drill))
            .collect(),
        credentials: seen
            .credentials
            .iter()
            .map(|c| credential(c, now))
            .collect(),
        policy: policy(&seen),
        change: waiting_change(&app, safe.safe).await?,
        notices,
        history: history(&app, &seen.safe, 6).await?,
    })
}

/// A safe for drills that was not drilled in so long is amber (promise P10).
const DRILLED_WITHIN: i64 = 90 * crate::clock::DAY;

/// How its last drill ended, and when.
fn drill_chip(last: Option<(bool, i64)>, now: i64) -> Chip {
    let ago = |at| When(at).ago(now);
    match last {
        None => Chip::new(Mark::Attention, "Never drilled"),
        Some((false, at)) => Chip::new(Mark::Failed, format!("Drill failed {}", ago(at))),
        Some((true, at)) if now - at >= DRILLED_WITHIN => {
            Chip::new(Mark::Attention, format!("Drilled {}", ago(at)))
        }
        Some((true, at)) => Chip::new(Mark::Signed, format!("Drilled {}", ago(at))),
    }
}

fn drill_notice(last: Option<(bool, i64)>, now: i64) -> Option<Notice> {
    const PLAY: &str = "Play one: vitrine drill break-glass, with the people that it kept (--people FILE) or with new ones.";
    let (title, text) = match last {
        None => ("This safe was never drilled", PLAY.to_owned()),
        Some((false, _)) => (
            "Its last drill failed",
            format!("Its report says at which step: mend that. {PLAY}"),
        ),
        Some((true, at)) if now - at >= DRILLED_WITHIN => {
            ("It was not drilled in 90 days", PLAY.to_owned())
        }
        Some(_) => return None,
    };
    Some(Notice {
        tone: Tone::Attention,
        title: title.into(),
        text,
    })
}

fn approver(a: &super::web::Approver, drill: bool) -> view::Approver {
    view::Approver {
        href: format!("/people/{}", a.user),
        name: a.name.clone(),
        keys: small(a.keys),
        proved: a.proved_at.map(When),
        chip: match a.keys {
            0 => Chip::new(Mark::Failed, "Cannot sign"),
            1 if !drill => Chip::new(Mark::Attention, "One key left"),
            _ if a.unnamed > 0 => Chip::new(Mark::Attention, "New key not named yet"),
            _ => Chip::new(Mark::Signed, "Can sign"),
        },
    }
}

fn credential(c: &credentials::Shown, now: i64) -> view::Credential {
    let changed = match &c.target {
        Some(t) if t.live => "rotates at the database",
        _ => "changed by hand",
    };
    let version = c.versions.first().map_or_else(
        || "none yet".to_owned(),
        |v| match (now - v.sealed_at) / crate::clock::DAY {
            0 => format!("{} since today", v.version),
            1 => format!("{} for 1 day", v.version),
            d => format!("{} for {d} days", v.version),
        },
    );
    view::Credential {
        href: format!("/safes/{}/credentials/{}", c.safe, c.credential),
        credential: c.credential.clone(),
        name: c.name.clone(),
        kind: format!("{} · {changed}", c.kind),
        version,
        chip: state_chip(c, now),
        holder: c
            .held_until
            .and(c.held_by.as_ref())
            .map(|name| format!("held by {name}")),
        askable: !c.versions.is_empty(),
    }
}

/// A credential's state, as one chip.
pub fn state_chip(c: &credentials::Shown, now: i64) -> Chip {
    match c.state.as_str() {
        "open" => Chip::new(
            Mark::Open,
            c.held_until.map_or_else(
                || "Open".to_owned(),
                |until| format!("Open, {}", Clock::new(now, until, 0, "").short()),
            ),
        ),
        "waiting" => Chip::new(Mark::Waiting, "Asked for"),
        "rotating" => Chip::new(Mark::Reading, "Being changed"),
        "stuck" => Chip::new(Mark::Attention, "Needs a person"),
        "empty" => Chip::new(Mark::Waiting, "Nothing sealed"),
        _ => Chip::new(Mark::Sealed, "Sealed"),
    }
}

fn policy(safe: &Shown) -> Vec<Fact> {
    vec![
        Fact::new("Signatures", format!("{} of {}", safe.m, safe.n)),
        Fact::new("To sign", duration(small(safe.request_life_s))),
        Fact::new("Held at most", duration(small(safe.grant_life_s))),
        Fact::new(
            "To deny",
            match safe.denials {
                1 => "one denial ends a request".to_owned(),
                n => format!("{n} denials end a request"),
            },
        ),
    ]
}

async fn waiting_change(app: &App, safe: SafeId) -> Result<Option<Link>> {
    for filed in requests::live(&app.ledger.db().pool).await? {
        if filed.safe == safe && matches!(filed.asked()?.purpose, Purpose::Roster(_)) {
            return Ok(Some(Link {
                href: format!("/requests/{}", filed.request),
                text: "A change waits for signatures".into(),
            }));
        }
    }
    Ok(None)
}

/// What needs a person, beyond the margin.
async fn notices(app: &App, safe: &Safe, seen: &Shown) -> Result<Vec<Notice>> {
    let mut list = Vec::new();
    let roster = app.rosters.of(&app.ledger, safe.safe, safe.epoch).await?;
    let mut unnamed = Vec::new();
    for a in roster.approvers() {
        let keys = people::keys_of(&app.ledger.db().pool, a.user).await?;
        let fits =
            |k: &people::Key| k.live() && k.share_key.is_some() && (safe.drill || !k.software);
        let named = |k: &people::Key| {
            a.authenticators
                .iter()
                .any(|r| r.authenticator == k.authenticator)
        };
        if keys.iter().any(|k| fits(k) && !named(k)) {
            unnamed.push(a.name.clone());
        }
    }
    if !unnamed.is_empty() {
        list.push(Notice {
            tone: Tone::Advice,
            title: format!("A further key of {} is not on the roster", crate::pages::and(&unnamed)),
            text: "What is sealed from now on is not sealed to it, until a change of the roster names it.".into(),
        });
    }
    if let Some(least) = &seen.least {
        let (title, text) = match seen.margin {
            ..0 => (
                format!("{least} cannot be opened now"),
                "Too few people who are on its roster and on today’s have a live key with a share of it.",
            ),
            _ => (
                format!("{least} has a margin of {}", seen.margin),
                "It was sealed for an earlier roster or other keys, and fewer people hold a share of it than can sign today.",
            ),
        };
        list.push(Notice {
            tone: Tone::Attention,
            title,
            text: text.into(),
        });
    }
    let old = seen
        .credentials
        .iter()
        .filter(|c| c.versions.iter().any(|v| v.epoch < seen.epoch))
        .count();
    if old > 0 {
        let (subject, verb) = if old == 1 {
            ("credential".to_owned(), "is")
        } else {
            ("credentials".to_owned(), "are")
        };
        list.push(Notice {
            tone: Tone::Attention,
            title: format!("{} {subject} {verb} sealed for an earlier roster", capital(&number(small(old)))),
            text: "Who is on both rosters opens it. After its next rotation what is changed at its target is today’s roster’s alone. A value \
                   that was sealed by hand stays openable when another replaces it, and so needs the people who hold it.".into(),
        });
    }
    Ok(list)
}

async fn candidates(app: &App, chosen: &[String]) -> Result<Vec<view::Candidate>> {
    let pool = &app.ledger.db().pool;
    let mut list = Vec::new();
    for u in people::users(pool).await? {
        if !u.roles.iter().any(|r| r == "approver") || u.invitation.is_some() {
            continue;
        }
        let keys: Vec<people::Key> = people::keys_of(pool, u.user)
            .await?
            .into_iter()
            .filter(|k| k.live() && k.share_key.is_some())
            .collect();
        list.push(view::Candidate {
            chosen: chosen.contains(&u.user.to_string()),
            user: u.user.to_string(),
            name: u.name,
            software: small(keys.iter().filter(|k| k.software).count()),
            authenticators: keys.iter().map(|k| k.authenticator.to_string()).collect(),
        });
    }
    list.sort_by_key(|c| fold(&c.name));
    Ok(list)
}

async fn found(app: web::Data<App>, who: Custodian) -> Result<HttpResponse> {
    page(&view::Roster {
        desk: desk(&app, &who, Tab::Safes, "Found a safe"),
        safe: None,
        previous: None,
        epoch: 1,
        name: String::new(),
        m: 2,
        denials: 1,
        request_life_s: 1800,
        grant_life_s: 3600,
        drill: false,
        keys_drill: app.config.keys.drill,
        candidates: candidates(&app, &[]).await?,
    })
}

async fn change(
    app: web::Data<App>,
    who: Custodian,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let safe = find(&app, &path).await?;
    let seen = shown(&app, &safe).await?;
    let named: Vec<String> = seen.approvers.iter().map(|a| a.user.clone()).collect();
    page(&view::Roster {
        desk: desk(
            &app,
            &who,
            Tab::Safes,
            format!("Change who opens {}", seen.name),
        ),
        safe: Some(seen.safe.clone()),
        previous: Some(seen.roster.clone()),
        epoch: small(seen.epoch.saturating_add(1)),
        name: seen.name.clone(),
        m: small(seen.m),
        denials: small(seen.denials),
        request_life_s: small(seen.request_life_s),
        grant_life_s: small(seen.grant_life_s),
        drill: seen.drill,
        keys_drill: app.config.keys.drill,
        candidates: candidates(&app, &named).await?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::DAY;

    #[test]
    fn p10_a_safe_not_drilled_in_90_days_is_amber_and_says_what_to_do() {
        let now = 1_000 * DAY;
        let said = |last| {
            let chip = drill_chip(last, now);
            (
                chip.mark,
                chip.word,
                drill_notice(last, now).map(|n| n.title),
            )
        };
        let days = |n: i64| now - n * DAY;
        assert_eq!(
            said(Some((true, days(89)))),
            (Mark::Signed, "Drilled 89 days ago".into(), None)
        );
        for (last, mark, word, title) in [
            (
                None,
                Mark::Attention,
                "Never drilled",
                "This safe was never drilled",
            ),
            (
                Some((true, days(90))),
                Mark::Attention,
                "Drilled 90 days ago",
                "It was not drilled in 90 days",
            ),
            (
                Some((false, days(1))),
                Mark::Failed,
                "Drill failed yesterday",
                "Its last drill failed",
            ),
        ] {
            assert_eq!(said(last), (mark, word.into(), Some(title.into())));
        }
    }
}
