//! Pages of credentials. No page here holds a value: those are sealed, and opened in the requester's own browser.

use actix_web::{HttpRequest, HttpResponse, web};

use super::view;
use super::{Shown, one, store};
use crate::app::App;
use crate::error::{Error, Result};
use crate::http::{following, page};
use crate::pages::{
    Chip, Clock, Fact, Link, Mark, Moment, Notice, Phase, Tab, Tone, When, capital,
};
use crate::people::site::history;
use crate::rotation::store::{self as rotations, Row as Rotation};
use crate::safes::site::{find as find_safe, state_chip};
use crate::safes::store::Safe;
use crate::site::{desk, id, small};
use crate::who::{Custodian, Person};

/// The domain's pages.
pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/safes/{safe}/credentials/new", web::get().to(new))
        .route("/safes/{safe}/credentials/{id}", web::get().to(show))
        .route(
            "/safes/{safe}/credentials/{id}/import",
            web::get().to(import),
        )
        .route(
            "/safes/{safe}/credentials/{id}/target",
            web::get().to(target),
        );
}

/// A credential of a path, in the safe that the path names.
async fn find(app: &App, path: &(String, String)) -> Result<(Safe, Shown)> {
    let safe = find_safe(app, &path.0).await?;
    let shown = one(app, id(&path.1, "credential")?)
        .await?
        .filter(|c| c.safe == safe.safe.to_string())
        .ok_or_else(|| Error::missing("credential"))?;
    Ok((safe, shown))
}

fn link(safe: &Safe) -> Link {
    Link {
        href: format!("/safes/{}", safe.safe),
        text: safe.name.clone(),
    }
}

async fn new(app: web::Data<App>, who: Custodian, path: web::Path<String>) -> Result<HttpResponse> {
    let safe = find_safe(&app, &path).await?;
    page(&view::New {
        desk: desk(
            &app,
            &who,
            Tab::Safes,
            format!("Add a credential to {}", safe.name),
        ),
        safe: safe.safe.to_string(),
        safe_name: safe.name,
    })
}

async fn show(
    app: web::Data<App>,
    req: HttpRequest,
    who: Person,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse> {
    let (safe, c) = find(&app, &path).await?;
    let pool = &app.ledger.db().pool;
    let now = app.ledger.clock().now();
    let mut chips = vec![state_chip(&c, now)];
    if let Some(v) = c.versions.first() {
        chips.push(Chip::new(Mark::Plain, format!("Version {}", v.version)));
    }
    let live = c.request.as_ref().map(|request| Link {
        href: format!("/requests/{request}"),
        text: {
            let who = c.held_by.clone().unwrap_or_default();
            match c.held_until {
                Some(until) => format!("{who} holds it until {}", When(until).minute()),
                None => format!("{who} asks for it"),
            }
        },
    });
    let versions = store::versions(pool, id(&c.credential, "credential")?)
        .await?
        .into_iter()
        .map(version)
        .collect();
    let rotation = rotations::newest(pool, id(&c.credential, "credential")?).await?;
    let mut view = view::Show {
        desk: desk(&app, &who, Tab::Safes, c.name.clone()),
        credential: c.credential.clone(),
        name: c.name.clone(),
        kind: c.kind.clone(),
        safe: link(&safe),
        chips,
        askable: !c.versions.is_empty(),
        live,
        versions,
        target: binding(&c),
        scripts: if who.is("custodian") {
            scripts(&app, &c).await?
        } else {
            Vec::new()
        },
        rotation: rotation.map(|r| shown_rotation(&r, now)),
        history: history(&app, &c.credential, 8).await?,
    };
    view.desk.mark = view.mark();
    following(&req, &view, &view.desk.mark)
}

fn version(v: store::VersionLine) -> view::Version {
    view::Version {
        version: small(v.version),
        origin: v.origin,
        sealed: When(v.sealed_at).day(),
        epoch: small(v.epoch),
        chip: match v.state.as_str() {
            "current" => Chip::new(Mark::Sealed, "Current"),
            "candidate" => Chip::new(Mark::Reading, "Candidate"),
            "proved_last" => Chip::new(Mark::Sealed, "Last proved"),
            _ => Chip::new(Mark::Ended, "Superseded"),
        },
        entry: v.seq,
    }
}

/// Where it lives, once its approvers have bound it there.
fn binding(c: &Shown) -> Vec<Fact> {
    let Some(t) = c.target.as_ref().filter(|t| t.live) else {
        return Vec::new();
    };
    vec![
        Fact::new("Connector", t.connector.clone()),
        Fact::new("Account", t.account.clone()).mono(),
        Fact::new("Address", t.address.clone()).mono(),
        Fact::new("Proved by", t.pin.clone()).mono(),
    ]
}

/// The SQL of its binding, and of what was drafted since.
async fn scripts(app: &App, c: &Shown) -> Result<Vec<view::Script>> {
    let targets = store::targets(&app.ledger.db().pool, id(&c.credential, "credential")?).await?;
    Ok(targets
        .into_iter()
        .map(|t| view::Script {
            target: t.target,
            account: t.account,
            address: t.address,
            bound: t.live,
        })
        .collect())
}

/// A change at the target, as one chip.
pub fn rotation_chip(r: &Rotation) -> Chip {
    match (r.stuck(), r.ended.is_some(), r.state.as_str()) {
        (true, _, _) => Chip::new(Mark::Attention, "Needs a person"),
        (_, true, "failed") => Chip::new(Mark::Failed, "Not changed"),
        (_, true, _) => Chip::new(Mark::Signed, "Changed, proved"),
        (_, false, _) => Chip::new(Mark::Reading, "Being changed"),
    }
}

/// The same in words a person can read, with what comes next.
pub fn rotation_notice(r: &Rotation) -> Notice {
    let (tone, text) = match (r.stuck(), r.ended, r.state.as_str()) {
        (true, _, _) => (
            Tone::Attention,
            "It is tried no further by itself. Mend what it names, then start it again from the credential’s page.".to_owned(),
        ),
        (_, Some(at), "failed") => (Tone::Refused, format!("It ended at {}. The former one stays as it is.", When(at).full())),
        (_, Some(at), _) => (Tone::Done, format!("Since {}. A fresh login with the new one works, and the target’s record is the new one: the old one is dead.", When(at).full())),
        (_, None, _) if r.attempts > 0 => (
            Tone::Advice,
            format!("Tried {} times. Next try at {}.", r.attempts, When(r.next_at).minute()),
        ),
        (_, None, _) => (Tone::Advice, "Both the old and the new one are kept until the new one is proved.".to_owned()),
    };
    Notice {
        tone,
        title: titled(&r.words),
        text,
    }
}

/// The state's words as a title: "v8 is current" begins a sentence as "Version 8 is current".
fn titled(words: &str) -> String {
    let words = words.trim_end_matches('.');
    match words.strip_prefix('v') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => format!("Version {rest}"),
        _ => capital(words),
    }
}

fn shown_rotation(r: &Rotation, now: i64) -> view::Rotation {
    const STEPS: [(&str, &str); 4] = [
        ("staged", "A new one is sealed"),
        ("applied", "It is set at the target"),
        ("proved", "The new one works there, the old one does not"),
        ("promoted", "It is the current one"),
    ];
    let reached = STEPS.iter().position(|(state, _)| *state == r.state);
    let steps = STEPS
        .iter()
        .enumerate()
        .map(|(i, (_, text))| Moment {
            phase: match reached {
                Some(at) if i <= at => Phase::Did,
                Some(at) if i == at + 1 && r.ended.is_none() => Phase::Now,
                None if i == 0 && r.ended.is_none() && !r.stuck() => Phase::Now,
                _ => Phase::Later,
            },
            text: (*text).into(),
            note: String::new(),
            entry: None,
        })
        .collect();
    view::Rotation {
        notice: rotation_notice(r),
        steps,
        next: (r.ended.is_none() && !r.stuck() && r.next_at > now)
            .then(|| Clock::new(now, r.next_at, 0, "Next try in")),
    }
}

async fn import(
    app: web::Data<App>,
    who: Custodian,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse> {
    let (safe, c) = find(&app, &path).await?;
    page(&view::Import {
        desk: desk(&app, &who, Tab::Safes, format!("Import {}", c.name)),
        current: c
            .versions
            .iter()
            .find(|v| v.state == "current")
            .map(|v| small(v.version)),
        credential: c.credential,
        name: c.name,
        kind: c.kind,
        safe: link(&safe),
        home: path.0.clone(),
    })
}

async fn target(
    app: web::Data<App>,
    who: Custodian,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse> {
    let (safe, c) = find(&app, &path).await?;
    page(&view::Target {
        desk: desk(
            &app,
            &who,
            Tab::Safes,
            format!("Where {} is changed", c.name),
        ),
        current: binding(&c),
        scripts: scripts(&app, &c).await?,
        credential: c.credential,
        name: c.name,
        safe: link(&safe),
        safe_id: safe.safe.to_string(),
        roster: safe.roster.to_string(),
        need: small(safe.m),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_begins_with_a_word() {
        assert_eq!(
            titled("v8 is current; the one before is dead."),
            "Version 8 is current; the one before is dead"
        );
        assert_eq!(titled("verifier set."), "Verifier set");
    }
}
