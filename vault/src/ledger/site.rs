//! Pages of the ledger.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::Value;

use super::view;
use super::web::{Line, Names, lines};
use crate::app::App;
use crate::error::{Error, Result};
use crate::http::page;
use crate::pages::{Chip, Fact, Mark, Person as Row, Tab, When, capital, number};
use crate::safes::rosters;
use crate::site::{desk, see, task};
use crate::who::Person;

/// Entries on a page.
const PAGE: u32 = 50;

/// The domain's pages.
pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/ledger", web::get().to(list))
        .route("/ledger/{seq}", web::get().to(entry))
        .route("/clock", web::get().to(clock));
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
    before: Option<u64>,
}

async fn list(
    app: web::Data<App>,
    who: Person,
    search: web::Query<Search>,
) -> Result<HttpResponse> {
    let q = search.q.trim().to_owned();
    let found = lines(&app, search.before, PAGE, &q).await?;
    let full = found.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
    let older = found.last().filter(|l| full && l.seq > 0).map(|l| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if !q.is_empty() {
            query.append_pair("q", &q);
        }
        query.append_pair("before", &l.seq.to_string());
        format!("/ledger?{}", query.finish())
    });
    let rows = found
        .into_iter()
        .map(|l| view::Row {
            seq: l.seq,
            time: When(l.time),
            event: l.event,
            actor: l.actor_name,
            summary: l.summary,
        })
        .collect();
    let mut view = view::List {
        desk: desk(&app, &who, Tab::Ledger, ""),
        q,
        rows,
        size: app.ledger.size(),
        older,
        ledger: app.ledger.founding()?.ledger.to_string(),
    };
    view.desk.title = format!("{} · Ledger", view.heading());
    page(&view)
}

async fn entry(app: web::Data<App>, who: Person, path: web::Path<String>) -> Result<HttpResponse> {
    let seq: u64 = path.parse().map_err(|_| Error::missing("entry"))?;
    let checkpoint = app.ledger.checkpoint().await?;
    if seq >= checkpoint.size {
        return Err(Error::missing("entry"));
    }
    let bytes = rosters::proved(&app.ledger, seq, &checkpoint).await?.entry;
    let near = lines(&app, Some(seq.saturating_add(2)), 4, "").await?;
    let here = near
        .iter()
        .find(|l| l.seq == seq)
        .ok_or_else(|| Error::missing("entry"))?
        .clone();
    let mut chain: Vec<view::Near> = near
        .iter()
        .filter(|l| l.seq < checkpoint.size)
        .map(|l| view::Near {
            seq: l.seq,
            event: l.event.clone(),
            leaf: l.leaf.clone(),
        })
        .collect();
    chain.sort_by_key(|n| n.seq);
    let parsed: Value = serde_json::from_slice(&bytes).map_err(Error::internal)?;
    let data = parsed.get("data").cloned().unwrap_or_default();
    let names = Names::load(&app).await?;
    let facts = facts(&here, &data, &names, &bytes);
    let (why, signers) = allowed(&app, &here.event, &data, &names).await?;
    page(&view::Entry {
        desk: desk(
            &app,
            &who,
            Tab::Ledger,
            format!("Entry {seq}: {}", here.summary),
        ),
        seq,
        summary: here.summary.trim_end_matches('.').to_owned(),
        event: here.event,
        time: When(here.time),
        leaf: here.leaf,
        bytes: String::from_utf8_lossy(&bytes).into_owned(),
        facts,
        why,
        signers,
        chain,
        size: checkpoint.size,
        ledger: app.ledger.founding()?.ledger.to_string(),
    })
}

/// What an entry says, member by member, with the page of each thing that has one.
fn facts(line: &Line, data: &Value, names: &Names, bytes: &[u8]) -> Vec<Fact> {
    let mut list = vec![match line.actor.as_str() {
        "system" => Fact::new("By", "Vitrine"),
        user => Fact::new("By", line.actor_name.clone()).to(format!("/people/{user}")),
    }];
    let said = data
        .get("statement")
        .and_then(Value::as_str)
        .and_then(|s| serde_json::from_str::<Value>(s).ok());
    if said.is_some() {
        list.push(Fact::new(
            "Signed",
            "by a touch of a key; its assertion is in the exact bytes",
        ));
    }
    let from = said.as_ref().unwrap_or(data);
    let from = from.get("subject").unwrap_or(from);
    if let Some(Value::String(decision)) = said.as_ref().and_then(|s| s.get("decision")) {
        list.push(Fact::new("Decision", decision.clone()));
    }
    for (member, value) in from.as_object().into_iter().flatten() {
        if ![
            "nonce",
            "ledger",
            "v",
            "kind",
            "signer",
            "assertion",
            "registration",
        ]
        .contains(&member.as_str())
        {
            list.extend(fact(member, value, from, names));
        }
    }
    if let Some(prev) = serde_json::from_slice::<Value>(bytes)
        .ok()
        .and_then(|e| e.get("prev").and_then(Value::as_str).map(str::to_owned))
    {
        list.push(Fact::new("Leaf before it", prev).mono());
    }
    list
}

fn fact(member: &str, value: &Value, all: &Value, names: &Names) -> Option<Fact> {
    let label = capital(&member.replace('_', " "));
    let text = value.as_str();
    let safe = all.get("safe").and_then(Value::as_str);
    let known = |id: &str| names.of(id) != id;
    Some(match (member, value) {
        ("request", Value::String(id)) if known(id) => {
            Fact::new(label, names.of(id)).to(format!("/requests/{id}"))
        }
        ("safe", Value::String(id)) if known(id) => {
            Fact::new(label, names.of(id)).to(format!("/safes/{id}"))
        }
        ("credential", Value::String(id)) if known(id) => {
            let fact = Fact::new(label, names.of(id));
            match safe {
                Some(safe) => fact.to(format!("/safes/{safe}/credentials/{id}")),
                None => fact,
            }
        }
        ("user" | "requester" | "approver", Value::String(id)) if known(id) => {
            Fact::new(label, names.of(id)).to(format!("/people/{id}"))
        }
        ("expires" | "until" | "time", Value::Number(n)) => {
            Fact::new(label, When(n.as_i64().unwrap_or_default()).exact())
        }
        (m, Value::Number(n)) if m.ends_with("_s") => Fact::new(
            capital(&m.trim_end_matches("_s").replace('_', " ")),
            crate::pages::duration(
                n.as_u64()
                    .and_then(|s| u32::try_from(s).ok())
                    .unwrap_or(u32::MAX),
            ),
        ),
        ("approvals" | "acceptances", Value::Array(seqs)) if seqs.is_empty() => return None,
        ("approvals" | "acceptances", Value::Array(_)) => {
            let n = value.as_array().map_or(0, Vec::len);
            Fact::new(label, format!("{n}, see above"))
        }
        ("sealed_as", Value::Object(o)) => {
            let part = |m: &str| o.get(m).and_then(Value::as_str).unwrap_or_default();
            Fact::new("Sealed as", part("name")).note(part("kind").replace('_', " "))
        }
        ("new", Value::Object(o)) => Fact::new("New roster", roster_words(o)),
        (_, Value::Array(list)) if list.iter().all(Value::is_string) => {
            let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            let fact = Fact::new(label, words.join(", "));
            if member == "roles" { fact } else { fact.mono() }
        }
        (_, Value::String(s)) => {
            let fact = Fact::new(label, s.clone());
            if opaque(member, text.unwrap_or_default()) {
                fact.mono()
            } else {
                fact
            }
        }
        (_, Value::Number(n)) => Fact::new(label, n.to_string()),
        (_, Value::Bool(b)) => Fact::new(label, if *b { "yes" } else { "no" }),
        _ => Fact::new(label, value.to_string()).mono(),
    })
}

/// Ids, hashes and keys are set in the mono face.
fn opaque(member: &str, text: &str) -> bool {
    let coded = text.len() >= 16
        && !text.contains(' ')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '/' | '+' | '.'));
    coded && member != "name"
}

fn roster_words(new: &serde_json::Map<String, Value>) -> String {
    let part = |m: &str| new.get(m).and_then(Value::as_u64).unwrap_or_default();
    let named: Vec<&str> = new
        .get("approvers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|a| a.get("name").and_then(Value::as_str))
        .collect();
    let name = new.get("name").and_then(Value::as_str).unwrap_or_default();
    format!(
        "roster {} of {name}: {} of {} sign, {}",
        part("epoch"),
        part("m"),
        named.len(),
        crate::pages::and(&named)
    )
}

/// For an act of a quorum: why it was allowed, and the signatures it rests on.
async fn allowed(
    app: &App,
    event: &str,
    data: &Value,
    names: &Names,
) -> Result<(Option<String>, Vec<Row>)> {
    let listed = |m: &str| -> Vec<u64> {
        data.get(m)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_u64)
            .collect()
    };
    let (approvals, acceptances) = (listed("approvals"), listed("acceptances"));
    if approvals.is_empty() && acceptances.is_empty() {
        return Ok((None, Vec::new()));
    }
    let code = data
        .get("request")
        .and_then(Value::as_str)
        .map(|id| names.of(id))
        .unwrap_or_default();
    let mut signers = Vec::new();
    for seq in approvals.iter().chain(&acceptances) {
        signers.extend(signer(app, *seq).await?);
    }
    let people = u32::try_from(approvals.len()).unwrap_or(u32::MAX);
    let why = match (event, approvals.is_empty()) {
        ("roster.set", true) => format!(
            "A custodian asked for it in request {code}, and every key that it names accepted."
        ),
        (_, false) => {
            let who = match people {
                1 => "One approver".to_owned(),
                n => format!("{} approvers", capital(&number(n))),
            };
            let accepted = match acceptances.len() {
                0 => String::new(),
                _ => " Every key newly named accepted.".into(),
            };
            format!(
                "{who} signed request {code} before it expired, each with a key. None of them is the requester.{accepted}"
            )
        }
        _ => format!("It follows request {code}."),
    };
    Ok((Some(why), signers))
}

async fn signer(app: &App, seq: u64) -> Result<Option<Row>> {
    let line = lines(app, Some(seq.saturating_add(1)), 1, "").await?;
    Ok(line.into_iter().find(|l| l.seq == seq).map(|l| Row {
        user: l.actor,
        name: l.actor_name,
        note: When(l.time).second(),
        done: true,
        chip: Chip::new(
            Mark::Signed,
            if l.event == "request.accepted" {
                "Accepted"
            } else {
                "Signed"
            },
        ),
        entry: Some(seq),
    }))
}

async fn clock(app: web::Data<App>, who: Person) -> Result<HttpResponse> {
    if !app.ledger.clock_stopped() {
        return Ok(see("/"));
    }
    let newest = lines(&app, None, 1, "").await?;
    let last = newest.first().ok_or_else(|| Error::missing("entry"))?;
    page(&view::Clock {
        task: task(
            &app,
            Some(&who),
            who.name.clone(),
            "Is this the right time?",
        ),
        prev: last.leaf.clone(),
        last: When(last.time),
        now: When(app.ledger.clock().now()),
    })
}
