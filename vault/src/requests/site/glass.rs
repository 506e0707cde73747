//! Asking: find, why, how long. `?q=` and `?c=` work without a script.

use actix_web::{HttpResponse, web};
use quorum::ids::CredentialId;
use serde::Deserialize;

use crate::app::App;
use crate::credentials::{self, Shown, ShownVersion};
use crate::error::Result;
use crate::http::page;
use crate::pages::{Clock, Notice, Tab, Tone, duration};
use crate::people::store as people;
use crate::requests::REASON;
use crate::requests::view::{BreakGlass, Choice, Chosen, FilingLink, Found};
use crate::safes::{site as safes, store as safe_rows, web::shown};
use crate::site::{desk, small, task};
use crate::who::Person;

/// Found credentials on the page.
const FOUND: usize = 20;
/// Seconds that the form offers.
const DURATIONS: [u32; 5] = [300, 900, 1800, 3600, 14_400];
/// Seconds that are marked at first, as the page's script takes them when nothing is.
const USUAL: u32 = 900;
/// Seconds to open it once it is signed, as the page's script asks for.
const TO_OPEN: u32 = 600;

#[derive(Deserialize)]
pub(super) struct Asking {
    #[serde(default)]
    q: String,
    c: Option<String>,
    #[serde(default)]
    why: String,
    #[serde(default)]
    ticket: String,
    #[serde(rename = "for")]
    duration: Option<String>,
}

pub(super) async fn form(
    app: web::Data<App>,
    who: Person,
    asking: web::Query<Asking>,
) -> Result<HttpResponse> {
    let asking = asking.into_inner();
    let now = app.ledger.clock().now();
    let all = credentials::find(&app, "").await?;
    let matching = if asking.q.trim().is_empty() {
        all.clone()
    } else {
        credentials::find(&app, &asking.q).await?
    };
    let wanted = asking.c.as_deref().and_then(|c| c.parse().ok());
    let chosen = match wanted {
        Some(credential) => match credentials::one(&app, credential).await? {
            Some(c) => Some(choose(&app, &who, &c, asking.duration.as_deref()).await?),
            None => None,
        },
        None => None,
    };
    // With a credential chosen, what bars it is said in its place.
    let problem = if chosen.is_none() && !who.is("requester") {
        Some(Notice {
            tone: Tone::Attention,
            title: "You cannot ask".into(),
            text: "Asking needs the role requester. Ask a custodian for the role, or ask somebody who has it.".into(),
        })
    } else if asking.c.is_some() && chosen.is_none() {
        Some(Notice {
            tone: Tone::Attention,
            title: "There is no such credential".into(),
            text: "It was never here, or you followed an old link. Find it by name.".into(),
        })
    } else {
        wanted.and_then(|c| asked_already(&all, c, &who))
    };
    let mut found: Vec<Found> = matching
        .iter()
        .take(FOUND)
        .map(|c| row(c, &asking.q, now))
        .collect();
    let unseen = chosen
        .as_ref()
        .filter(|c| !found.iter().any(|f| f.credential == c.credential))
        .and_then(|c| all.iter().find(|a| a.credential == c.credential));
    if let Some(c) = unseen {
        found.insert(0, row(c, "", now));
    }
    let title = chosen.as_ref().map_or_else(
        || "Break the glass".to_owned(),
        |c| format!("Ask for {}", c.name),
    );
    page(&BreakGlass {
        desk: desk(&app, &who, Tab::None, title),
        origin: app
            .ledger
            .founding()?
            .origins
            .first()
            .cloned()
            .unwrap_or_default(),
        q: asking.q,
        found,
        total: credentials::count(&app).await?,
        chosen,
        why: asking.why.chars().take(REASON).collect(),
        ticket: asking.ticket.chars().take(60).collect(),
        problem,
    })
}

/// What the reader asks for already waits: a second request would be a second one to approve.
fn asked_already(all: &[Shown], credential: CredentialId, who: &Person) -> Option<Notice> {
    let wanted = credential.to_string();
    let c = all.iter().find(|c| c.credential == wanted)?;
    let request = c.request.as_deref()?.parse().ok()?;
    let mine = c.held_until.is_none() && c.held_by.as_deref() == Some(who.name.as_str());
    mine.then(|| Notice {
        tone: Tone::Attention,
        title: format!("You ask for it already: {}", crate::requests::code(request)),
        text: "Look there first: approvers would have a second one to sign.".into(),
    })
}

fn row(c: &Shown, q: &str, now: i64) -> Found {
    let note = match (&c.held_by, c.held_until, c.versions.is_empty()) {
        (_, _, true) => format!("{} · nothing is sealed yet", c.safe_name),
        (Some(holder), Some(until), _) => format!(
            "{} · held by {holder} for {} more",
            c.safe_name,
            Clock::new(now, until, 0, "").short()
        ),
        (Some(holder), None, _) => format!("{} · {holder} asks for it now", c.safe_name),
        _ => c.safe_name.clone(),
    };
    Found {
        credential: c.credential.clone(),
        name: cut(&c.name, q.trim()),
        note,
        free: !c.versions.is_empty(),
    }
}

/// The name in three parts, the second of which is what was looked for.
fn cut(name: &str, q: &str) -> (String, String, String) {
    let whole = || (name.to_owned(), String::new(), String::new());
    if q.is_empty() {
        return whole();
    }
    // Only where lower case keeps every place: otherwise nothing is marked.
    let (small, wanted) = (name.to_lowercase(), q.to_lowercase());
    let Some(at) = small.find(&wanted).filter(|_| small.len() == name.len()) else {
        return whole();
    };
    match (
        name.get(..at),
        name.get(at..at + wanted.len()),
        name.get(at + wanted.len()..),
    ) {
        (Some(a), Some(b), Some(c)) => (a.into(), b.into(), c.into()),
        _ => whole(),
    }
}

async fn choose(
    app: &App,
    who: &Person,
    c: &Shown,
    duration_wanted: Option<&str>,
) -> Result<Chosen> {
    let pool = &app.ledger.db().pool;
    let row = safe_rows::by_id(pool, people::id(&c.safe)?)
        .await?
        .ok_or_else(|| crate::error::Error::missing("safe"))?;
    let safe = shown(app, &row).await?;
    let (mut can, mut cannot) = (Vec::new(), Vec::new());
    for a in &safe.approvers {
        if a.user == who.user.to_string() {
            cannot.push("You cannot: nobody signs their own request.".to_owned());
        } else if a.can_sign {
            can.push(a.name.clone());
        } else {
            cannot.push(format!("{} cannot: no working key.", a.name));
        }
    }
    let mut pips = safes::pips(&safe);
    pips.can = small(can.len());
    let longest = small(safe.grant_life_s);
    let marked = duration_wanted
        .and_then(|d| d.parse::<u32>().ok())
        .filter(|d| *d <= longest && *d > 0)
        .unwrap_or(USUAL.min(longest));
    let mut offered: Vec<u32> = DURATIONS.into_iter().filter(|d| *d <= longest).collect();
    if !offered.contains(&marked) {
        offered.push(marked);
        offered.sort_unstable();
    }
    Ok(Chosen {
        credential: c.credential.clone(),
        name: c.name.clone(),
        safe: safe.name.clone(),
        barred: barred(who, c, &pips, &cannot),
        pips,
        can,
        cannot,
        durations: offered
            .into_iter()
            .map(|s| Choice {
                value: s.to_string(),
                label: duration(s)
                    .replace("minutes", "min")
                    .replace("minute", "min"),
                checked: s == marked,
            })
            .collect(),
        to_sign: duration(small(safe.request_life_s)),
        to_open: duration(TO_OPEN.min(small(safe.request_life_s))),
        rotates: c.target.as_ref().is_some_and(|t| t.live),
        unproved: c.versions.iter().any(|v| v.state == "candidate"),
        versions: versions(&c.versions),
    })
}

/// Why it cannot be asked for now.
fn barred(who: &Person, c: &Shown, pips: &crate::pages::Pips, cannot: &[String]) -> Option<Notice> {
    let notice = |title: String, text: String| {
        Some(Notice {
            tone: Tone::Attention,
            title,
            text,
        })
    };
    if !who.is("requester") {
        return notice(
            "You cannot ask for it".into(),
            "Asking needs the role requester. Ask a custodian for the role, or ask somebody who has it.".into(),
        );
    }
    if c.versions.is_empty() {
        return notice(
            "Nothing is sealed yet".into(),
            "A custodian generates or imports it, or binds it to its target.".into(),
        );
    }
    if pips.can < pips.need {
        return notice(
            format!(
                "{} must sign and {} can",
                crate::pages::capital(&crate::pages::number(pips.need)),
                crate::pages::only(pips.can)
            ),
            format!("{} A custodian can repair the roster.", cannot.join(" ")),
        );
    }
    None
}

/// Where several can be asked for, each with what is known of it; the one that worked last is marked.
fn versions(all: &[ShownVersion]) -> Vec<Choice> {
    if all.len() < 2 {
        return Vec::new();
    }
    let current = all.iter().position(|v| v.state == "current").unwrap_or(0);
    all.iter()
        .enumerate()
        .map(|(i, v)| Choice {
            value: v.version.to_string(),
            label: format!("Version {}: {}", v.version, v.words),
            checked: i == current,
        })
        .collect()
}

/// What a terminal asks for is in the fragment alone: the shell is the same for everybody, and its script signs in.
pub(super) async fn link(app: web::Data<App>) -> Result<HttpResponse> {
    page(&FilingLink {
        task: task(&app, None, "Request", "What a terminal asks for"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_at_what_matched() {
        let cut = |n, q| cut(n, q);
        assert_eq!(
            cut("orders-primary", "PRIM"),
            ("orders-".into(), "prim".into(), "ary".into())
        );
        assert_eq!(
            cut("orders", "x"),
            ("orders".into(), String::new(), String::new())
        );
        assert_eq!(cut("İstanbul", "bul").1, "");
    }
}
