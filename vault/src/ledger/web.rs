//! The ledger over HTTP: what anybody may know, entries with their proofs, checkpoints.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use sqlx::Row;

use crate::app::App;
use crate::error::{Error, Result};
use crate::http::ok;
use crate::people::store::{self as people, at, seq};
use crate::safes::rosters;
use crate::who::Person;

/// The domain's routes under `/api/v1`.
pub fn api(cfg: &mut web::ServiceConfig) {
    cfg.route("/ledger", web::get().to(about))
        .route("/ledger/checkpoint", web::get().to(checkpoint))
        .route("/ledger/entries", web::get().to(entries))
        .route("/ledger/entries/{seq}", web::get().to(entry));
}

async fn about(app: web::Data<App>) -> Result<HttpResponse> {
    let f = app.ledger.founding()?;
    ok(
        json!({ "ledger": f.ledger.to_string(), "name": f.name, "rp_id": f.rp_id, "origins": f.origins, "size": app.ledger.size() }),
    )
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    from: u64,
}

async fn checkpoint(
    app: web::Data<App>,
    _who: Person,
    since: web::Query<Since>,
) -> Result<HttpResponse> {
    let checkpoint = app.ledger.checkpoint().await?;
    if since.from > checkpoint.size {
        return Err(behind());
    }
    let (consistency, founding) = futures::try_join!(
        app.ledger.consistency(since.from, checkpoint.size),
        rosters::proved(&app.ledger, 0, &checkpoint)
    )?;
    ok(json!({
        "note": checkpoint.note, "size": checkpoint.size, "root": checkpoint.root.to_string(),
        "consistency": consistency.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "founding": { "seq": 0, "entry": String::from_utf8_lossy(&founding.entry), "proof": founding.proof.iter().map(ToString::to_string).collect::<Vec<_>>() },
        "keys": app.ledger.founding()?.keys,
    }))
}

/// The refusal to a client that has seen a longer ledger.
pub fn behind() -> Error {
    Error::conflict(
        "Stop. This server is behind what you have seen.",
        "Its ledger is shorter.",
        "Sign nothing, and call a custodian.",
    )
}

#[derive(Deserialize)]
struct Page {
    before: Option<u64>,
    limit: Option<u32>,
    #[serde(default)]
    q: String,
}

/// One line of the ledger, for people.
#[derive(serde::Serialize, Clone, Debug)]
pub struct Line {
    /// Place.
    pub seq: u64,
    /// Microseconds since 1970 UTC.
    pub time: i64,
    /// Event name.
    pub event: String,
    /// Who.
    pub actor: String,
    /// Their name.
    pub actor_name: String,
    /// One line in words.
    pub summary: String,
    /// Leaf hash.
    pub leaf: String,
}

/// Lines before `before`, newest first; `q` is an id, a name, an event's beginning, a request code or a seq.
pub async fn lines(app: &App, before: Option<u64>, limit: u32, q: &str) -> Result<Vec<Line>> {
    let pool = &app.ledger.db().pool;
    let before = at(before.unwrap_or(u64::MAX >> 1));
    let limit = i64::from(limit.clamp(1, 200));
    const WHAT: &str =
        "SELECT e.seq, e.time, e.event, e.actor, e.leaf, e.bytes FROM ledger_entries e";
    let q = q.trim();
    let code = crate::requests::store::by_code(pool, &q.to_ascii_uppercase()).await?;
    let rows = if let Some(filed) = code {
        sqlx::query(people::sql!(WHAT, " JOIN ledger_links l ON l.seq = e.seq WHERE l.subject = $1 AND e.seq < $2 ORDER BY e.seq DESC LIMIT $3"))
            .bind(filed.request.to_string())
            .bind(before)
            .bind(limit)
            .fetch_all(pool)
            .await?
    } else if let Ok(place) = q.parse::<u64>() {
        sqlx::query(people::sql!(WHAT, " WHERE e.seq = $1 LIMIT $2"))
            .bind(at(place))
            .bind(limit)
            .fetch_all(pool)
            .await?
    } else if q.len() == 36 {
        sqlx::query(people::sql!(WHAT, " JOIN ledger_links l ON l.seq = e.seq WHERE l.subject = $1 AND e.seq < $2 ORDER BY e.seq DESC LIMIT $3"))
            .bind(q.to_owned())
            .bind(before)
            .bind(limit)
            .fetch_all(pool)
            .await?
    } else if let Some(ids) = named(app, q).await? {
        // Ids are of our own rows and hold nothing but hex digits and dashes.
        let ids = ids
            .iter()
            .map(|id| format!("'{id}'"))
            .collect::<Vec<_>>()
            .join(", ");
        let among = format!(
            " WHERE e.seq IN (SELECT l.seq FROM ledger_links l WHERE l.subject IN ({ids})) AND e.seq < $1 ORDER BY e.seq DESC LIMIT $2"
        );
        sqlx::query(people::sql!(WHAT, among.as_str()))
            .bind(before)
            .bind(limit)
            .fetch_all(pool)
            .await?
    } else {
        sqlx::query(people::sql!(
            WHAT,
            " WHERE e.event LIKE $1 AND e.seq < $2 ORDER BY e.seq DESC LIMIT $3"
        ))
        .bind(format!("{}%", q.replace(['%', '_'], "")))
        .bind(before)
        .bind(limit)
        .fetch_all(pool)
        .await?
    };
    let names = Names::load(app).await?;
    rows.iter().map(|r| line(r, &names)).collect()
}

/// Ids of people, safes and credentials whose name holds `q`; none where `q` is empty or reads like an event.
async fn named(app: &App, q: &str) -> Result<Option<Vec<String>>> {
    let wanted = crate::people::fold(q);
    if wanted.is_empty() || wanted.contains('.') {
        return Ok(None);
    }
    let mut ids: Vec<String> = Names::load(app)
        .await?
        .all
        .into_iter()
        .filter(|(_, name)| crate::people::fold(name).contains(&wanted))
        .map(|(id, _)| id)
        .filter(|id| id.len() == 36 && id.chars().all(|c| c.is_ascii_hexdigit() || c == '-'))
        .collect();
    ids.sort();
    ids.truncate(100);
    Ok((!ids.is_empty()).then_some(ids))
}

/// Names for ids, for words.
pub struct Names {
    all: std::collections::HashMap<String, String>,
}

impl Names {
    /// Of people, safes, credentials and requests.
    pub async fn load(app: &App) -> Result<Names> {
        let mut all = std::collections::HashMap::new();
        for sql in [
            "SELECT user_id, name FROM users",
            "SELECT safe, name FROM safes",
            "SELECT credential, name FROM credentials",
            "SELECT request, code FROM requests",
        ] {
            for row in sqlx::query(sql).fetch_all(&app.ledger.db().pool).await? {
                all.insert(row.try_get(0)?, row.try_get(1)?);
            }
        }
        Ok(Names { all })
    }

    /// The name behind an id, else the id.
    pub fn of(&self, id: &str) -> String {
        self.all.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }
}

fn line(row: &sqlx::any::AnyRow, names: &Names) -> Result<Line> {
    let bytes: Vec<u8> = row.try_get(5)?;
    let event: String = row.try_get(2)?;
    let actor: String = row.try_get(3)?;
    let data = serde_json::from_slice::<serde_json::Value>(&bytes)
        .ok()
        .and_then(|v| v.get("data").cloned())
        .unwrap_or_default();
    let summary = audit::words_with(&event, &data, &|thing, id| {
        let name = names.all.get(id)?;
        Some(match thing {
            audit::Thing::Request => format!("request {name}"),
            _ => name.clone(),
        })
    });
    Ok(Line {
        seq: seq(row.try_get(0)?)?,
        time: row.try_get(1)?,
        actor_name: if actor == "system" {
            "Vitrine".into()
        } else {
            names.of(&actor)
        },
        summary,
        leaf: super::hash(&row.try_get::<Vec<u8>, _>(4)?)?.to_string(),
        event,
        actor,
    })
}

async fn entries(
    app: web::Data<App>,
    _who: Person,
    page: web::Query<Page>,
) -> Result<HttpResponse> {
    let lines = lines(&app, page.before, page.limit.unwrap_or(50), &page.q).await?;
    ok(json!({ "entries": lines, "size": app.ledger.size() }))
}

async fn entry(app: web::Data<App>, _who: Person, path: web::Path<u64>) -> Result<HttpResponse> {
    let place = path.into_inner();
    let checkpoint = app.ledger.checkpoint().await?;
    if place >= checkpoint.size {
        return Err(Error::missing("entry"));
    }
    let p = rosters::proved(&app.ledger, place, &checkpoint).await?;
    ok(json!({
        "seq": place, "entry": String::from_utf8_lossy(&p.entry), "leaf": audit::leaf_hash(&p.entry).to_string(),
        "proof": p.proof.iter().map(ToString::to_string).collect::<Vec<_>>(), "note": checkpoint.note,
    }))
}
