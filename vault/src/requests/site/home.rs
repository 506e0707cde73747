//! Home: what waits for me, what I hold, what is open, the margins of my safes.

use actix_web::{HttpRequest, HttpResponse, web};
use quorum::statement::Purpose;

use super::{Act, Part, chip, clock, sentence, what};
use crate::app::App;
use crate::clock::DAY;
use crate::error::Result;
use crate::http::following;
use crate::pages::{Chip, Mark, Ring, Tab, When};
use crate::people::site::cards;
use crate::people::store as people;
use crate::people::view::Key;
use crate::requests::store::{self, Filed};
use crate::requests::view::{Home, KeyRow, Mine, OpenRow, SafeRow, Stage, Waiting};
use crate::requests::{State, too_late};
use crate::rotation::store as rotations;
use crate::safes::{site as safes, store as safe_rows, web::shown};
use crate::site::{desk, small};
use crate::who::Person;

pub(super) async fn home(
    app: web::Data<App>,
    req: HttpRequest,
    who: Person,
) -> Result<HttpResponse> {
    let live = store::live(&app.ledger.db().pool).await?;
    let (mut waiting, mut mine) = (Vec::new(), Vec::new());
    for filed in &live {
        waiting.extend(waits(&app, &who, filed).await?);
        if filed.requester == who.user {
            mine.extend(own(&app, filed).await?);
        }
    }
    waiting.sort_by_key(|w: &Waiting| w.clock.end);
    mine.sort_by_key(|m: &Mine| {
        let end = m.clock.as_ref().map(|c| c.end);
        (m.stage == Stage::Late, m.stage == Stage::Asked, end)
    });
    let (signed_for, in_all) = margins(&app, &who).await?;
    let keys = people::keys_of(&app.ledger.db().pool, who.user).await?;
    let mut view = Home {
        desk: desk(&app, &who, Tab::Home, ""),
        waiting,
        mine,
        open: open(&app).await?,
        safes: signed_for,
        keys: cards(&app, who.user, keys)
            .await?
            .iter()
            .filter(|k| k.alive())
            .map(|k| key(k, app.ledger.clock().now()))
            .collect(),
        safes_in_all: in_all,
    };
    view.desk.title = view.heading();
    view.desk.mark = view.mark();
    following(&req, &view, &view.desk.mark)
}

async fn waits(app: &App, who: &Person, filed: &Filed) -> Result<Option<Waiting>> {
    let asked = filed.asked()?;
    let Some(act) = Part::of(app, who, filed, &asked).await?.next() else {
        return Ok(None);
    };
    let seen = crate::requests::live::view(app, filed).await?;
    let now = app.ledger.clock().now();
    let Some(clock) = clock(filed, matches!(asked.purpose, Purpose::Release(_)), now) else {
        return Ok(None);
    };
    Ok(Some(Waiting {
        request: filed.request.to_string(),
        code: filed.code.clone(),
        sentence: sentence(app, &asked).await?,
        ticket: asked.ticket.clone(),
        reason: filed.reason.clone(),
        ring: Ring {
            have: small(seen.signed.len()),
            need: seen.needed,
        },
        clock,
        accept: act == Act::Accept,
    }))
}

async fn own(app: &App, filed: &Filed) -> Result<Option<Mine>> {
    let asked = filed.asked()?;
    let release = matches!(asked.purpose, Purpose::Release(_));
    let now = app.ledger.clock().now();
    let late = too_late(filed, now);
    let clock = clock(filed, release, now);
    if clock.is_none() && !late {
        return Ok(None);
    }
    let words = sentence(app, &asked).await?;
    Ok(Some(Mine {
        request: filed.request.to_string(),
        code: filed.code.clone(),
        name: what(&asked, &words),
        again: match &asked.purpose {
            Purpose::Release(release) => super::again(release),
            _ => String::new(),
        },
        stage: match filed.state {
            State::Open => Stage::Open,
            _ if late => Stage::Late,
            State::Reached if release => Stage::Ready,
            _ => Stage::Asked,
        },
        clock,
    }))
}

/// Open releases, and those of the last day with what became of the credential.
async fn open(app: &App) -> Result<Vec<OpenRow>> {
    let pool = &app.ledger.db().pool;
    let now = app.ledger.clock().now();
    let mut rows = Vec::new();
    for filed in store::releases_since(pool, now - DAY, 10).await? {
        let asked = filed.asked()?;
        let Purpose::Release(release) = &asked.purpose else {
            continue;
        };
        let rotation = match filed.closed {
            None => None,
            Some(closed) => rotations::newest(pool, release.credential)
                .await?
                .filter(|r| r.ended.is_none_or(|e| e >= closed)),
        };
        let ends = match (filed.state, filed.ends, filed.closed) {
            (State::Open, Some(ends), _) => {
                format!("in {}", crate::pages::Clock::new(now, ends, 0, "").short())
            }
            (_, _, Some(closed)) if filed.why.as_deref() == Some("checked_in") => {
                format!("{}, checked in", When(closed).minute())
            }
            (_, _, Some(closed)) => When(closed).minute(),
            _ => String::new(),
        };
        rows.push(OpenRow {
            href: format!("/requests/{}", filed.request),
            name: release.sealed_as.name.clone(),
            holder: asked.requester_name.clone(),
            ends,
            chip: match &rotation {
                Some(r) => crate::credentials::site::rotation_chip(r),
                None => chip(&filed, true, now),
            },
        });
    }
    Ok(rows)
}

async fn margins(app: &App, who: &Person) -> Result<(Vec<SafeRow>, u32)> {
    let all = safe_rows::all(&app.ledger.db().pool).await?;
    let mut rows = Vec::new();
    for safe in &all {
        let seen = shown(app, safe).await?;
        if !seen
            .approvers
            .iter()
            .any(|a| a.user == who.user.to_string())
        {
            continue;
        }
        rows.push(SafeRow {
            href: format!("/safes/{}", seen.safe),
            pips: safes::pips(&seen),
            chip: match seen.margin {
                ..0 => Some(Chip::new(Mark::Failed, "Blocked")),
                0 => Some(Chip::new(Mark::Attention, "Margin 0")),
                _ => None,
            },
            name: seen.name,
        });
    }
    Ok((rows, small(all.len())))
}

fn key(k: &Key, now: i64) -> KeyRow {
    KeyRow {
        name: k.name.clone(),
        chip: k.chip(),
        note: if k.share {
            k.proved_words(&now)
        } else {
            "Cannot hold a share".into()
        },
    }
}
