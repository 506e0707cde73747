//! Approving, denying, accepting: the words of one statement. The page's script checks each of them against the
//! signed bytes before it asks for a touch.

use actix_web::{HttpResponse, web};
use quorum::statement::{Purpose, Request as Asked};

use super::{Part, clock, sentence};
use crate::app::App;
use crate::error::Result;
use crate::http::page;
use crate::pages::{Clock, Fact, Ring, Task, When, duration};
use crate::people::site::key_name;
use crate::people::store as people;
use crate::requests::store::{self, Filed};
use crate::requests::view::{Accept, AcceptKey, Approve, Deny, Subject, Words};
use crate::requests::{live, web as api};
use crate::site::{seconds, see, small, task};
use crate::who::Person;

struct Found {
    filed: Filed,
    asked: Asked,
    part: Part,
}

async fn find(app: &App, who: &Person, path: &str) -> Result<Found> {
    let filed = store::by_id(&app.ledger.db().pool, api::id(path)?).await?;
    let asked = filed.asked()?;
    let part = Part::of(app, who, &filed, &asked).await?;
    Ok(Found { filed, asked, part })
}

/// Whoever cannot decide any more, or never could, sees the request instead: it says why.
fn to_request(filed: &Filed) -> HttpResponse {
    see(format!("/requests/{}", filed.request))
}

pub(super) async fn approve(
    app: web::Data<App>,
    who: Person,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let found = find(&app, &who, &path).await?;
    if !found.part.approve {
        return Ok(to_request(&found.filed));
    }
    let words = words(&app, &who, &found).await?;
    let title = format!(
        "{} wants {}: approve?",
        words.sentence.who, words.sentence.what
    );
    page(&Approve {
        task: shell(&app, &who, &found.filed, title),
        words,
    })
}

pub(super) async fn deny(
    app: web::Data<App>,
    who: Person,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let found = find(&app, &who, &path).await?;
    if !found.part.deny {
        return Ok(to_request(&found.filed));
    }
    let rosters = crate::requests::decide::rosters_of(&app, &found.filed, &found.asked).await?;
    let needed = rosters.map_or(1, |r| r.named.denials().min(r.in_force.denials()));
    let denied = store::said(&app.ledger.db().pool, found.filed.request)
        .await?
        .iter()
        .filter(|s| s.decision == "deny")
        .count() as u64;
    page(&Deny {
        task: shell(&app, &who, &found.filed, "Deny this request?"),
        words: words(&app, &who, &found).await?,
        ends_it: denied + 1 >= needed,
    })
}

pub(super) async fn accept(
    app: web::Data<App>,
    who: Person,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let found = find(&app, &who, &path).await?;
    if !found.part.to_accept() {
        return Ok(to_request(&found.filed));
    }
    let held = people::keys_of(&app.ledger.db().pool, who.user).await?;
    let keys = found
        .part
        .keys
        .iter()
        .map(|(id, accepted)| AcceptKey {
            authenticator: id.to_string(),
            name: held
                .iter()
                .find(|k| k.authenticator == *id)
                .map_or_else(|| "a key".into(), key_name),
            accepted: *accepted,
        })
        .collect();
    let words = words(&app, &who, &found).await?;
    let title = format!(
        "{} names you an approver of {}",
        words.sentence.who, words.sentence.what
    );
    page(&Accept {
        task: shell(&app, &who, &found.filed, title),
        words,
        keys,
    })
}

fn shell(app: &App, who: &Person, filed: &Filed, title: impl Into<String>) -> Task {
    Task {
        code: Some(filed.code.clone()),
        ..task(app, Some(who), "Request", title)
    }
}

async fn words(app: &App, who: &Person, found: &Found) -> Result<Words> {
    let Found { filed, asked, .. } = found;
    let now = app.ledger.clock().now();
    let seen = live::view(app, filed).await?;
    let release = matches!(asked.purpose, Purpose::Release(_));
    let mut said = sentence(app, asked).await?;
    if matches!(asked.purpose, Purpose::Target(_)) {
        // What is signed names the credential by its id: a page that checks it says no name either.
        said.what = format!("a credential of {}", seen.safe_name);
    }
    Ok(Words {
        request: filed.request.to_string(),
        code: filed.code.clone(),
        subject: match &asked.purpose {
            Purpose::Release(_) => Subject::Release,
            Purpose::Roster(_) => Subject::Roster,
            Purpose::Target(_) => Subject::Target,
            _ => Subject::Other,
        },
        sentence: said,
        reason: filed.reason.clone(),
        asked: When(filed.filed),
        clock: clock(filed, release, now).unwrap_or_else(|| {
            let total = seconds(filed.expires - filed.filed);
            Clock::new(now, filed.expires, total, "left to sign")
        }),
        ring: Ring {
            have: small(seen.signed.len()),
            need: seen.needed,
        },
        signed: seen.signed.iter().map(|s| s.name.clone()).collect(),
        facts: facts(app, who, filed, asked, &seen.safe_name).await?,
        me: who.name.clone(),
        statement: seen.statement,
    })
}

async fn facts(
    app: &App,
    who: &Person,
    filed: &Filed,
    asked: &Asked,
    safe_name: &str,
) -> Result<Vec<Fact>> {
    let mut list = vec![Fact::new("Who asks", asked.requester_name.clone()).word("who")];
    match &asked.purpose {
        Purpose::Release(r) => {
            list.push(
                Fact::new("What", r.sealed_as.name.clone())
                    .word("what")
                    .note(format!(
                        "{}, version {}",
                        r.sealed_as.kind.to_string().replace('_', " "),
                        r.version
                    )),
            );
            if let Some(t) = super::target(app, r).await? {
                list.push(Fact::new("Account", t.account).mono().word("account"));
                list.push(Fact::new("Where", t.address).mono().word("address"));
            }
            list.push(Fact::new("Safe", safe_name).word("safe"));
            list.push(Fact::new("How long", duration(small(r.duration_s))));
        }
        Purpose::Roster(r) => {
            let new = &r.new;
            list.push(
                Fact::new("Safe", new.name.clone())
                    .word("what")
                    .note(if new.epoch == 1 {
                        "it is founded by this".to_owned()
                    } else {
                        format!("roster {} replaces roster {}", new.epoch, new.epoch - 1)
                    }),
            );
            list.push(Fact::new(
                "Must sign",
                format!("{} of {}", new.m, new.approvers.len()),
            ));
            for a in &new.approvers {
                let n = a.authenticators.len();
                list.push(
                    Fact::new("Approver", a.name.clone())
                        .note(format!("{n} key{}", if n == 1 { "" } else { "s" })),
                );
            }
        }
        Purpose::Target(t) => {
            list.push(Fact::new("Safe", safe_name).word("safe"));
            list.push(Fact::new("Credential", t.credential.to_string()).mono());
            list.push(
                Fact::new("Account", t.account.clone())
                    .mono()
                    .word("account"),
            );
            list.push(
                Fact::new("Where", t.address.clone())
                    .mono()
                    .word("address")
                    .note(t.connector.clone()),
            );
            list.push(Fact::new("Proved by", t.pin.to_string()).mono());
        }
        _ => {}
    }
    if let Some(ticket) = &asked.ticket {
        list.push(Fact::new("Ticket", ticket.clone()).word("ticket"));
    }
    list.push(Fact::new("Expires", When(filed.expires).full()));
    list.push(Fact::new("You", who.name.clone()));
    Ok(list)
}
