//! Pages of people.

use std::collections::BTreeSet;

use actix_web::{HttpRequest, HttpResponse, web};
use quorum::ids::{AuthenticatorId, UserId};
use serde::Deserialize;

use super::store::{self, Key};
use super::view::{self, Life};
use super::{fold, sessions};
use crate::app::App;
use crate::error::{Error, Result};
use crate::http::{self, page};
use crate::pages::{Link, Moment, Phase, Tab, When};
use crate::safes::{store as safes, web::shown};
use crate::site::{desk, id, own_path, see, small, task};
use crate::who::{self, COOKIE, Person};

/// The domain's pages.
pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/sign-in", web::get().to(sign_in))
        .route("/logout", web::post().to(logout))
        .route("/join", web::get().to(join))
        .route("/people", web::get().to(list))
        .route("/people/{id}", web::get().to(person))
        .route("/you", web::get().to(you))
        .route("/you/keys", web::get().to(keys))
        .route("/you/card", web::get().to(card))
        .route("/you/terminal", web::get().to(terminal))
        .route("/you/sessions/{id}/end", web::post().to(end_session));
}

#[derive(Deserialize)]
struct To {
    #[serde(default)]
    to: String,
}

async fn sign_in(
    app: web::Data<App>,
    req: HttpRequest,
    to: web::Query<To>,
) -> Result<HttpResponse> {
    let to = own_path(&to.to);
    if who::person(&req).await.is_ok() {
        return Ok(see(to));
    }
    page(&view::SignIn {
        task: task(&app, None, "", "Sign in with your key"),
        to: to.into(),
        ledger_name: app.ledger.founding()?.name.clone(),
    })
}

/// Signing out without a script.
async fn logout(app: web::Data<App>, who: Person) -> Result<HttpResponse> {
    sessions::end(&app.ledger, who.user, who.session.session.clone()).await?;
    let mut answer = see("/sign-in");
    answer
        .add_cookie(&http::forget(COOKIE))
        .map_err(Error::internal)?;
    Ok(answer)
}

async fn join(app: web::Data<App>) -> Result<HttpResponse> {
    let founding = app.ledger.founding()?;
    page(&view::Join {
        task: task(&app, None, "", "Step 1 of 4: Accept your invitation"),
        ledger_name: founding.name.clone(),
        fingerprint: founding.ledger.to_string(),
        keys_drill: app.config.keys.drill,
    })
}

/// A key's card.
fn shown_key(k: &Key, places: &Places) -> view::Key {
    view::Key {
        authenticator: k.authenticator.to_string(),
        name: key_name(k),
        model: k.model.clone(),
        software: k.software,
        share: k.share_key.is_some(),
        created: When(k.created),
        proved: k.proved_at.map(When),
        life: match (k.revoked, k.suspended) {
            (Some(_), _) => Life::Revoked,
            (None, Some(_)) => Life::Suspended,
            (None, None) => Life::Live,
        },
        entry: k.enrolled,
        unnamed: places.unnamed.contains(&k.authenticator),
        rostered: places.named.contains(&k.authenticator),
    }
}

/// Where somebody's keys stand on the rosters that name their owner.
#[derive(Default)]
struct Places {
    /// Some roster names it: what that safe seals is sealed to it.
    named: BTreeSet<AuthenticatorId>,
    /// It could hold a share, and a roster of its owner does not name it yet: what is sealed from now on is not sealed to it.
    unnamed: BTreeSet<AuthenticatorId>,
}

async fn places(app: &App, user: UserId, keys: &[Key]) -> Result<Places> {
    let mut found = Places::default();
    for safe in crate::safes::store::all(&app.ledger.db().pool).await? {
        let roster = app.rosters.in_force(&app.ledger, safe.safe).await?;
        let Some(named) = roster.approver(user) else {
            continue;
        };
        let is_named = |k: &&Key| {
            named
                .authenticators
                .iter()
                .any(|n| n.authenticator == k.authenticator)
        };
        let able = keys.iter().filter(|k| k.live() && k.share_key.is_some());
        let (named, unnamed): (Vec<&Key>, Vec<&Key>) = able.partition(|k| is_named(k));
        found.named.extend(named.iter().map(|k| k.authenticator));
        found
            .unnamed
            .extend(unnamed.iter().map(|k| k.authenticator));
    }
    Ok(found)
}

/// What a key is called: nobody names keys yet, so its model and the end of its id tell them apart.
pub fn key_name(k: &Key) -> String {
    let id = k.authenticator.to_string();
    let tail: String = id.chars().skip(id.len().saturating_sub(4)).collect();
    let what = match (&k.model, k.software) {
        (Some(model), _) => model.as_str(),
        (None, true) => "Software key",
        (None, false) => "Key",
    };
    format!("{what} {tail}")
}

/// Keys as cards, live ones first.
pub async fn cards(app: &App, user: UserId, mut keys: Vec<Key>) -> Result<Vec<view::Key>> {
    let places = places(app, user, &keys).await?;
    keys.sort_by_key(|k| (k.revoked.is_some(), k.suspended.is_some()));
    Ok(keys.iter().map(|k| shown_key(k, &places)).collect())
}

async fn list(app: web::Data<App>, who: Person) -> Result<HttpResponse> {
    let pool = &app.ledger.db().pool;
    let now = app.ledger.clock().now();
    let mut users = store::users(pool).await?;
    users.sort_by_key(|u| fold(&u.name));
    let mut rows = Vec::new();
    for u in users {
        let keys = store::keys_of(pool, u.user).await?;
        let waiting = u.invitation.is_some();
        rows.push(view::Row {
            user: u.user.to_string(),
            name: u.name,
            roles: u.roles,
            keys: small(keys.iter().filter(|k| k.live()).count()),
            invited: u.expires.filter(|_| waiting).map(When),
            lapsed: waiting && u.expires.is_some_and(|e| e <= now),
        });
    }
    page(&view::List {
        desk: desk(&app, &who, Tab::People, "People"),
        rows,
    })
}

async fn person(app: web::Data<App>, who: Person, path: web::Path<String>) -> Result<HttpResponse> {
    let pool = &app.ledger.db().pool;
    let user: UserId = id(&path, "person")?;
    let about = store::user_by_id(pool, user)
        .await?
        .ok_or_else(|| Error::missing("person"))?;
    let mut named = Vec::new();
    for safe in safes::all(pool).await? {
        let seen = shown(&app, &safe).await?;
        if seen.approvers.iter().any(|a| a.user == user.to_string()) {
            named.push(Link {
                href: format!("/safes/{}", seen.safe),
                text: seen.name,
            });
        }
    }
    page(&view::Person {
        desk: desk(&app, &who, Tab::People, about.name.clone()),
        user: user.to_string(),
        name: about.name,
        roles: about.roles,
        keys: cards(&app, user, store::keys_of(pool, user).await?).await?,
        safes: named,
        invited: about
            .invitation
            .and(about.expires)
            .filter(|e| *e > app.ledger.clock().now())
            .map(When),
        history: history(&app, &user.to_string(), 8).await?,
    })
}

/// What the ledger has about `subject`, newest first.
pub async fn history(app: &App, subject: &str, most: u32) -> Result<Vec<Moment>> {
    Ok(crate::ledger::web::lines(app, None, most, subject)
        .await?
        .into_iter()
        .map(|l| Moment {
            phase: Phase::Did,
            text: l.summary,
            note: When(l.time).full(),
            entry: Some(l.seq),
        })
        .collect())
}

async fn you(app: web::Data<App>, who: Person) -> Result<HttpResponse> {
    let pool = &app.ledger.db().pool;
    let now = app.ledger.clock().now();
    let mut all: Vec<view::Session> = sessions::list(pool, who.user)
        .await?
        .into_iter()
        .filter(|s| s.live(now))
        .map(|s| view::Session {
            this: s.session == who.session.session,
            agent: agent(&s.agent),
            session: s.session,
            terminal: s.terminal,
            created: When(s.created),
            seen: When(s.seen),
        })
        .collect();
    all.sort_by_key(|s| !s.this);
    let mut view = view::You {
        desk: desk(&app, &who, Tab::None, ""),
        user: who.user.to_string(),
        name: who.name.clone(),
        roles: who.roles.clone(),
        keys: cards(&app, who.user, store::keys_of(pool, who.user).await?).await?,
        sessions: all,
    };
    view.desk.title = view.heading();
    page(&view)
}

/// A browser's name for itself, in words; a terminal's as it is.
pub fn agent(text: &str) -> String {
    let browser = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Chromium/", "Chromium"),
        ("Safari/", "Safari"),
    ];
    let system = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let of = |list: &[(&str, &'static str)]| {
        list.iter()
            .find(|(mark, _)| text.contains(mark))
            .map(|(_, word)| *word)
    };
    match (of(&browser), of(&system)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.into(),
        _ if text.is_empty() => "A program".into(),
        _ => text.chars().take(60).collect(),
    }
}

async fn keys(app: web::Data<App>, who: Person) -> Result<HttpResponse> {
    let held: Vec<Key> = store::keys_of(&app.ledger.db().pool, who.user)
        .await?
        .into_iter()
        .filter(Key::live)
        .collect();
    page(&view::Keys {
        task: task(&app, Some(&who), who.name.clone(), "Add a key"),
        keys: cards(&app, who.user, held).await?,
        keys_drill: app.config.keys.drill,
    })
}

async fn card(app: web::Data<App>, who: Person) -> Result<HttpResponse> {
    let founding = app.ledger.founding()?;
    let held = store::keys_of(&app.ledger.db().pool, who.user).await?;
    page(&view::Card {
        task: task(
            &app,
            Some(&who),
            who.name.clone(),
            "Your card, to print and keep",
        ),
        name: who.name.clone(),
        ledger_name: founding.name.clone(),
        fingerprint: founding.ledger.to_string(),
        made: When(app.ledger.clock().now()),
        keys: held.iter().filter(|k| k.live()).map(key_name).collect(),
    })
}

async fn terminal(app: web::Data<App>, who: Person) -> Result<HttpResponse> {
    page(&view::Terminal {
        task: task(
            &app,
            Some(&who),
            who.name.clone(),
            "Let a terminal act as you?",
        ),
        name: who.name.clone(),
        acts: without_a_touch(&|role| who.is(role)),
    })
}

/// What a session does that needs no signature, by the roles of its person.
fn without_a_touch(is: &dyn Fn(&str) -> bool) -> Vec<&'static str> {
    let mut acts = vec![
        "It reads what you may read: people, safes, requests, the ledger.",
        "It withdraws and checks in what you asked for, and ends your sessions.",
    ];
    if is("custodian") {
        acts.push("As a custodian it adds credentials, generates passwords, drafts targets, files drills and starts rotations.");
    } else if is("operator") {
        acts.push("As an operator it starts rotations.");
    }
    acts
}

/// Ending a session without a script.
async fn end_session(
    app: web::Data<App>,
    who: Person,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    if sessions::end(&app.ledger, who.user, path.into_inner()).await? {
        Ok(see("/you"))
    } else {
        Err(Error::missing("session"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_let_in_for_what_its_person_may_do() {
        let acts = |roles: &[&str]| without_a_touch(&|role| roles.contains(&role)).join(" ");
        assert!(!acts(&["requester", "approver"]).contains("rotations"));
        assert!(acts(&["operator"]).contains("As an operator it starts rotations."));
        let both = acts(&["custodian", "operator"]);
        assert!(both.contains("generates passwords") && !both.contains("As an operator"));
    }

    #[test]
    fn browsers_are_named_in_words() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
        assert_eq!(agent(chrome), "Chrome on Linux");
        assert_eq!(agent("vitrine on bastion-1"), "vitrine on bastion-1");
        assert_eq!(agent(""), "A program");
    }
}
