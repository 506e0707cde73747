//! One request, live; and the frame around an opened secret, which the server never has.

use actix_web::{HttpRequest, HttpResponse, web};
use quorum::statement::{Purpose, Request as Asked};

use super::{Act, Part, again, clock, sentence, state, target};
use crate::app::App;
use crate::credentials::{self, ShownTarget};
use crate::error::{Error, Result};
use crate::http::{following, page};
use crate::ledger::web::{Line, lines};
use crate::pages::{
    Chip, Fact, Link, Mark, Moment, Notice, Person as Row, Phase, Ring, Tab, Tone, When, duration,
};
use crate::people::store as people;
use crate::requests::live::{self, Live};
use crate::requests::store::{self, Filed, Said};
use crate::requests::view::{Axis, Opened, Show, Tick};
use crate::requests::{State, too_late, web as api};
use crate::rotation::store as rotations;
use crate::site::{desk, see, small, task};
use crate::who::Person;

pub(super) async fn show(
    app: web::Data<App>,
    req: HttpRequest,
    who: Person,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let pool = &app.ledger.db().pool;
    let filed = store::by_id(pool, api::id(&path)?).await?;
    let asked = filed.asked()?;
    let release = matches!(asked.purpose, Purpose::Release(_));
    let seen = live::view(&app, &filed).await?;
    let said = store::said(pool, filed.request).await?;
    let part = Part::of(&app, &who, &filed, &asked).await?;
    let mut told = lines(&app, None, 100, &filed.request.to_string()).await?;
    told.sort_by_key(|l| l.seq);
    let now = app.ledger.clock().now();
    let mut view = Show {
        desk: desk(&app, &who, Tab::Requests, ""),
        request: filed.request.to_string(),
        code: filed.code.clone(),
        sentence: sentence(&app, &asked).await?,
        release,
        founding: crate::requests::decide::founding(&asked),
        result: result(&asked),
        state: state(filed.state),
        why: filed.why.clone(),
        since: When(
            match filed.state {
                State::Open | State::Done => filed.opened_at,
                _ => filed.closed,
            }
            .unwrap_or(filed.filed),
        ),
        ring: Ring {
            have: small(seen.signed.len()),
            need: seen.needed,
        },
        late: match (&asked.purpose, filed.open_until) {
            (Purpose::Release(r), Some(until)) if too_late(&filed, now) => {
                Some((When(until), again(r)))
            }
            _ => None,
        },
        clock: clock(&filed, release, now),
        people: rows(&app, &filed, &asked, &seen, &said).await?,
        can_sign: small(
            seen.asked
                .iter()
                .filter(|a| a.state != "cannot" && a.state != "denied")
                .count(),
        ),
        deniers: seen.denied.iter().map(|d| d.name.clone()).collect(),
        facts: facts(&filed, &asked, &seen),
        // While signatures come in the quorum itself says it, live.
        history: match filed.state {
            State::Waiting => Vec::new(),
            _ => told.iter().map(|l| moment(l, &filed, &asked)).collect(),
        },
        axis: axis(&filed, &told),
        after: after(&app, &filed, &asked).await?,
        mine: filed.requester == who.user,
        decide: part.next().map(|act| Link {
            href: format!(
                "/requests/{}/{}",
                filed.request,
                if act == Act::Approve {
                    "approve"
                } else {
                    "accept"
                }
            ),
            text: if act == Act::Approve {
                "Read it and decide"
            } else {
                "Read it and accept"
            }
            .into(),
        }),
    };
    view.desk.title = format!("{} · {}", view.heading(), filed.code);
    view.desk.mark = view.mark();
    following(&req, &view, &view.desk.mark)
}

/// What it leads to, once it is done.
fn result(asked: &Asked) -> String {
    match &asked.purpose {
        Purpose::Roster(r) if r.new.epoch == 1 => "the safe is founded".into(),
        Purpose::Roster(r) => format!("roster {} is in force", r.new.epoch),
        Purpose::Target(_) => "it is bound".into(),
        other => other.name().into(),
    }
}

/// The roster in its order, and after it those who are newly named and have to accept.
async fn rows(
    app: &App,
    filed: &Filed,
    asked: &Asked,
    seen: &Live,
    said: &[Said],
) -> Result<Vec<Row>> {
    let entry = |user: &str, word: &[&str]| {
        said.iter()
            .rev()
            .find(|s| s.user.to_string() == user && word.contains(&s.decision.as_str()))
            .map(|s| (s.seq, s.time))
    };
    let accepting = super::super::decide::founding(asked);
    let mut list = Vec::new();
    for a in &seen.asked {
        let signed = entry(&a.user, if accepting { &["accept"] } else { &["approve"] });
        let denied = entry(&a.user, &["deny"]);
        let (note, chip, place) = match a.state {
            "signed" => (
                signed.map_or_else(String::new, |(_, t)| {
                    format!(
                        "{} {}",
                        if accepting { "Accepted" } else { "Signed" },
                        When(t).second()
                    )
                }),
                Chip::new(Mark::Signed, if accepting { "Accepted" } else { "Signed" }),
                signed,
            ),
            "denied" => (
                denied.map_or_else(String::new, |(_, t)| format!("Denied {}", When(t).second())),
                Chip::new(Mark::Failed, "Denied"),
                denied,
            ),
            "reading" => (
                "Reading now".into(),
                Chip::new(Mark::Reading, "Reading"),
                None,
            ),
            "cannot" => (
                why_not(app, seen, &a.user).await?,
                Chip::new(Mark::Ended, "Cannot sign"),
                None,
            ),
            _ if !matches!(filed.state, State::Waiting) => (
                if accepting {
                    "Did not accept"
                } else {
                    "Did not sign"
                }
                .into(),
                Chip::new(
                    Mark::Plain,
                    if filed.state == State::Ended {
                        "Not signed"
                    } else {
                        "Not needed"
                    },
                ),
                None,
            ),
            _ if accepting => (
                "Accepts with each key".into(),
                Chip::new(Mark::Waiting, "Asked"),
                None,
            ),
            _ => (
                "Not signed yet".into(),
                Chip::new(Mark::Waiting, "Asked"),
                None,
            ),
        };
        list.push(Row {
            user: a.user.clone(),
            name: a.name.clone(),
            note,
            done: a.state == "signed",
            chip,
            entry: place.map(|(seq, _)| seq),
        });
    }
    list.extend(newly_named(asked, seen, said));
    Ok(list)
}

/// Those who are not on today's roster and have to accept the new one.
fn newly_named(asked: &Asked, seen: &Live, said: &[Said]) -> Vec<Row> {
    let Purpose::Roster(purpose) = &asked.purpose else {
        return Vec::new();
    };
    purpose
        .new
        .approvers
        .iter()
        .filter(|a| !seen.asked.iter().any(|s| s.user == a.user.to_string()))
        .map(|a| {
            let accepted = said
                .iter()
                .rev()
                .find(|s| s.user == a.user && s.decision == "accept");
            let all = a.authenticators.iter().all(|k| {
                said.iter()
                    .any(|s| s.decision == "accept" && s.authenticator == *k)
            });
            Row {
                user: a.user.to_string(),
                name: a.name.clone(),
                note: match accepted.filter(|_| all) {
                    Some(s) => format!("Newly named. Accepted {}", When(s.time).second()),
                    None => "Newly named: accepts with each key".into(),
                },
                done: all,
                chip: if all {
                    Chip::new(Mark::Signed, "Accepted")
                } else {
                    Chip::new(Mark::Waiting, "Asked")
                },
                entry: accepted.map(|s| s.seq),
            }
        })
        .collect()
}

async fn why_not(app: &App, seen: &Live, user: &str) -> Result<String> {
    if user == seen.requester {
        return Ok("Asked for it: nobody signs their own request".into());
    }
    let keys = people::keys_of(&app.ledger.db().pool, people::id(user)?).await?;
    Ok(if keys.iter().any(people::Key::live) {
        "No longer on the roster"
    } else {
        "No working key"
    }
    .into())
}

fn facts(filed: &Filed, asked: &Asked, seen: &Live) -> Vec<Fact> {
    let mut list = Vec::new();
    let safe = |f: Fact| {
        if seen.safe_name.is_empty() {
            f
        } else {
            f.to(format!("/safes/{}", filed.safe))
        }
    };
    match &asked.purpose {
        Purpose::Release(r) => {
            list.push(
                Fact::new("Credential", r.sealed_as.name.clone())
                    .to(format!(
                        "/safes/{}/credentials/{}",
                        filed.safe, r.credential
                    ))
                    .note(format!("version {}", r.version)),
            );
            list.push(safe(Fact::new("Safe", seen.safe_name.clone())));
            list.push(Fact::new(
                "For",
                format!("{} from opening", duration(small(r.duration_s))),
            ));
        }
        Purpose::Roster(r) => {
            let name = Fact::new("Safe", r.new.name.clone());
            let founded = r.new.epoch > 1 || filed.state == State::Done;
            list.push(if founded { safe(name) } else { name });
            list.push(Fact::new(
                "Must sign",
                format!("{} of {}", r.new.m, r.new.approvers.len()),
            ));
            let named: Vec<&str> = r.new.approvers.iter().map(|a| a.name.as_str()).collect();
            list.push(Fact::new("Approvers", crate::pages::and(&named)));
            if r.new.drill {
                list.push(Fact::new("Drill", "for rehearsals, for ever"));
            }
        }
        Purpose::Target(t) => {
            list.push(safe(Fact::new("Safe", seen.safe_name.clone())));
            list.push(Fact::new("Account", t.account.clone()).mono());
            list.push(Fact::new("Where", t.address.clone()).mono());
            list.push(Fact::new("Proved by", t.pin.to_string()).mono());
        }
        _ => {}
    }
    if let Some(ticket) = &asked.ticket {
        list.push(Fact::new("Ticket", ticket.clone()));
    }
    if let Some(reason) = &filed.reason {
        list.push(Fact::new("Reason", reason.clone()));
    }
    list.push(Fact::new("Asked", When(filed.filed).full()));
    list.push(Fact::new("Entry", filed.seq.to_string()).to(format!("/ledger/{}", filed.seq)));
    list
}

fn word(line: &Line, filed: &Filed, asked: &Asked) -> String {
    let name = &line.actor_name;
    match line.event.as_str() {
        "request.filed" => format!("{name} asked"),
        "request.approved" => format!("{name} signed"),
        "request.denied" => format!("{name} denied it"),
        "request.accepted" => format!("{name} accepted"),
        "request.ended" => match filed.why.as_deref() {
            Some("withdrawn") => "Withdrawn".into(),
            Some("expired") => "Expired".into(),
            _ => "Ended".into(),
        },
        "release.opened" => format!("{} opened it", asked.requester_name),
        "release.closed" if filed.why.as_deref() == Some("checked_in") => "Checked in".into(),
        "release.closed" => "Closed on time".into(),
        "release.refused" if filed.open_until.is_some() => "Nobody opened it in time".into(),
        "release.refused" => "Refused".into(),
        "roster.set" => "The roster is in force".into(),
        "target.set" => "Bound".into(),
        _ => line.summary.trim_end_matches('.').to_owned(),
    }
}

fn moment(line: &Line, filed: &Filed, asked: &Asked) -> (When, Moment) {
    let at = When(line.time);
    let moment = Moment {
        phase: Phase::Did,
        text: word(line, filed, asked),
        note: at.full(),
        entry: Some(line.seq),
    };
    (at, moment)
}

/// The life of a release on one axis, once it was opened.
fn axis(filed: &Filed, told: &[Line]) -> Option<Axis> {
    filed.opened_at?;
    if !told.iter().any(|l| l.event == "release.opened") {
        return None;
    }
    let points = told
        .iter()
        .filter_map(|l| {
            let (text, large) = match l.event.as_str() {
                "request.filed" => ("Asked".to_owned(), true),
                "request.approved" => (format!("{} signed", l.actor_name), false),
                "release.opened" => ("Opened".into(), true),
                "release.closed" => ("Closed".into(), true),
                _ => return None,
            };
            Some(Tick {
                at: When(l.time),
                text,
                large,
            })
        })
        .collect();
    Some(Axis { points })
}

/// What becomes of the credential after the closing, or what keeps a change of roster from being done.
async fn after(app: &App, filed: &Filed, asked: &Asked) -> Result<Option<Notice>> {
    if let Some(text) = crate::requests::settle::in_the_way(app, filed, asked).await? {
        return Ok(Some(Notice {
            tone: Tone::Attention,
            title: "It cannot be set as it stands".into(),
            text,
        }));
    }
    let (State::Closed, Purpose::Release(r), Some(closed)) =
        (filed.state, &asked.purpose, filed.closed)
    else {
        return Ok(None);
    };
    let pool = &app.ledger.db().pool;
    let rotation = rotations::newest(pool, r.credential)
        .await?
        .filter(|x| x.ended.is_none_or(|e| e >= closed));
    if let Some(rotation) = rotation {
        return Ok(Some(credentials::site::rotation_notice(&rotation)));
    }
    if target(app, r).await?.is_some() {
        return Ok(None);
    }
    Ok(Some(Notice {
        tone: Tone::Attention,
        title: "Nothing changes it by itself".into(),
        text: "Somebody has seen it, and it has no target. Change it where it is used, then a custodian imports the new value.".into(),
    }))
}

pub(super) async fn opened(
    app: web::Data<App>,
    who: Person,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let filed = store::by_id(&app.ledger.db().pool, api::id(&path)?).await?;
    if who.user != filed.requester {
        return Err(Error::forbidden(
            "Not shown.",
            "Only the person who asked sees it, in the browser that asked.",
            "Look at the request's page for what happened.",
        ));
    }
    let asked = filed.asked()?;
    let (Purpose::Release(r), Some(entry), Some(opened), State::Open) =
        (&asked.purpose, filed.opened, filed.opened_at, filed.state)
    else {
        return Ok(see(format!("/requests/{}", filed.request)));
    };
    let target = target(&app, r).await?;
    let now = app.ledger.clock().now();
    let seen = live::view(&app, &filed).await?;
    let label = if target.is_some() {
        "left, then it is changed"
    } else {
        "left, then it is closed"
    };
    let Some(clock) = clock(&filed, true, now).map(|c| crate::pages::Clock {
        label: label.into(),
        ..c
    }) else {
        return Ok(see(format!("/requests/{}", filed.request)));
    };
    let (facts, command) = target.as_ref().map_or_else(|| (Vec::new(), None), use_it);
    let name = r.sealed_as.name.clone();
    let mut shell = task(
        &app,
        Some(&who),
        "Open ·",
        format!("{} left: {name}", clock.text()),
    );
    shell.code = Some(filed.code.clone());
    shell.live = true;
    page(&Opened {
        task: shell,
        request: filed.request.to_string(),
        name,
        kind: r.sealed_as.kind.to_string(),
        clock,
        rotates: target.is_some(),
        account: target.map(|t| t.account),
        facts,
        command,
        opened: When(opened),
        signers: seen.signed.into_iter().map(|s| s.name).collect(),
        entry,
    })
}

/// Host, database and user of a PostgreSQL target, and the command that asks for the password at a prompt.
fn use_it(t: &ShownTarget) -> (Vec<Fact>, Option<String>) {
    let plain = |s: &str| {
        !s.is_empty()
            && s.chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
    };
    let mut facts = Vec::new();
    let parts = t.address.rsplit_once('/').and_then(|(at, database)| {
        at.rsplit_once(':')
            .map(|(host, port)| (host, port, database))
    });
    let Some((host, port, database)) = parts.filter(|_| t.connector == "postgresql") else {
        return (vec![Fact::new("Where", t.address.clone()).mono()], None);
    };
    facts.push(Fact::new("Host", host).mono());
    facts.push(Fact::new("Port", port).mono());
    facts.push(Fact::new("Database", database).mono());
    facts.push(Fact::new("User", t.account.clone()).mono());
    let command = [host, port, database, &t.account]
        .iter()
        .all(|w| plain(w))
        .then(|| format!("psql -W -h {host} -p {port} -U {} {database}", t.account));
    (facts, command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(address: &str, account: &str) -> ShownTarget {
        ShownTarget {
            target: String::new(),
            connector: "postgresql".into(),
            address: address.into(),
            account: account.into(),
            pin: "unix".into(),
            live: true,
        }
    }

    #[test]
    fn a_command_is_given_only_where_every_word_is_plain() {
        let (facts, command) = use_it(&target("db.internal:5432/orders", "postgres"));
        assert_eq!(facts.len(), 4);
        assert_eq!(
            command.as_deref(),
            Some("psql -W -h db.internal -p 5432 -U postgres orders")
        );
        assert_eq!(use_it(&target("/run/pg:5432/orders", "o; rm")).1, None);
    }
}
