//! The pages' addresses, and what every page has around it: shells, health line, banner, the refusal page.
//!
//! Page handlers live beside their domain (`<domain>/site.rs`); they read and render, and change nothing but by the
//! functions that the API calls too.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::app::App;
use crate::error::{Error, Result, Words};
use crate::errors::view::Refusal;
use crate::pages::{Banner, Desk, Health, Tab, Task, When, Who, count};
use crate::who::Person;

/// Page routes.
pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.configure(crate::people::site::routes)
        .configure(crate::requests::site::routes)
        .configure(crate::credentials::site::routes)
        .configure(crate::safes::site::routes)
        .configure(crate::ledger::site::routes);
}

/// The desk shell for `who`. The title is the page's to set.
pub fn desk(app: &App, who: &Person, tab: Tab, title: impl Into<String>) -> Desk {
    Desk {
        title: title.into(),
        tab,
        user: Some(user(who)),
        health: health(app),
        banner: banner(app),
        now: app.ledger.clock().now(),
        mark: String::new(),
    }
}

/// The task shell.
pub fn task(
    app: &App,
    who: Option<&Person>,
    place: impl Into<String>,
    title: impl Into<String>,
) -> Task {
    Task {
        title: title.into(),
        place: place.into(),
        user: who.map(user),
        now: app.ledger.clock().now(),
        ..Task::default()
    }
}

fn user(who: &Person) -> Who {
    Who {
        user: who.user.to_string(),
        name: who.name.clone(),
        roles: who.roles.clone(),
    }
}

fn health(app: &App) -> Vec<Health> {
    let silent: Vec<Health> = app
        .keys
        .health()
        .into_iter()
        .filter(|t| !t.ready || t.foreign)
        .map(|t| Health {
            well: false,
            text: if t.foreign {
                format!("Token {} holds a key of another ledger", t.name)
            } else {
                let since = When(t.since).minute();
                format!("Token {} has not answered since {since}", t.name)
            },
        })
        .collect();
    let mut line = if silent.is_empty() {
        vec![Health {
            well: true,
            text: "HSM answering".into(),
        }]
    } else {
        silent
    };
    let size = app.ledger.size();
    line.push(Health {
        well: !app.ledger.clock_stopped(),
        text: if app.ledger.clock_stopped() {
            "Ledger waits for the clock".into()
        } else {
            format!(
                "Ledger: {} {}",
                count(size),
                if size == 1 { "entry" } else { "entries" }
            )
        },
    });
    line
}

fn banner(app: &App) -> Option<Banner> {
    if app.ledger.clock_stopped() {
        return Some(Banner {
            text: "The vault was off for more than a day. It does nothing until somebody has looked at its clock.".into(),
            act: Some(("/clock".into(), "Look at the clock".into())),
        });
    }
    app.keys.soft().then(|| Banner {
        text: "This is no HSM: the keys lie in files. Use it to try Vitrine, not to keep secrets."
            .into(),
        act: None,
    })
}

/// Goes elsewhere, by GET.
pub fn see(path: impl AsRef<str>) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, path.as_ref()))
        .finish()
}

/// A path of ours to go to after signing in; anything else is home.
pub fn own_path(to: &str) -> &str {
    let mut chars = to.chars();
    let ours = chars.next() == Some('/')
        && !matches!(chars.next(), Some('/' | '\\'))
        && !to.chars().any(char::is_control);
    if ours { to } else { "/" }
}

/// An id of a path, or a 404 that names the thing.
pub fn id<T: std::str::FromStr>(text: &str, thing: &'static str) -> Result<T> {
    text.parse().map_err(|_| Error::missing(thing))
}

/// Microseconds as seconds in a view's `u32`.
pub fn seconds(us: i64) -> u32 {
    u32::try_from(us.max(0) / crate::clock::SECOND).unwrap_or(u32::MAX)
}

/// A count of the database as a view's `u32`.
pub fn small(n: impl TryInto<u32>) -> u32 {
    n.try_into().unwrap_or(u32::MAX)
}

/// The refusal page.
pub fn refusal(words: &Words, status: u16, reference: &str, path: &str) -> String {
    let page = Refusal::new(
        &words.what,
        &words.why,
        &words.next,
        status,
        reference,
        path,
    );
    let page = match request_in(path) {
        Some((request, code)) if status != 404 && status != 401 => page.of_request(&request, &code),
        _ => page,
    };
    page.render().unwrap_or_else(|_| words.what.to_string())
}

/// The request that a path is about, with its code.
fn request_in(path: &str) -> Option<(String, String)> {
    let id = path.strip_prefix("/requests/")?.split('/').next()?;
    let request = id.parse().ok()?;
    Some((id.to_owned(), crate::requests::code(request)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_ours_is_gone_to() {
        assert_eq!(own_path("/requests?before=1"), "/requests?before=1");
        for foreign in [
            "",
            "https://elsewhere",
            "//elsewhere",
            "/\\elsewhere",
            "/a\nb",
            "a",
        ] {
            assert_eq!(own_path(foreign), "/");
        }
    }

    #[test]
    fn a_refusal_about_a_request_says_its_code() {
        let words = Words::new("Not opened.", "It expired.", "Ask again.");
        let path = "/requests/00000000-0000-7000-8000-000000000021/opened";
        let html = refusal(&words, 409, "ref", path);
        assert!(html.contains("0000-0011") && html.contains("Not opened") && html.contains("ref"));
    }
}
