//! Safes over HTTP.

use actix_web::{HttpResponse, web};
use audit::{Actor, Event};
use quorum::ids::SafeId;
use serde::Deserialize;
use serde_json::json;

use super::margins::{Holdings, Quorums};
use super::store::{self, Safe};
use crate::app::App;
use crate::convert::{Audited, audit_hash};
use crate::credentials;
use crate::error::{Error, Result};
use crate::http::ok;
use crate::people::store as people;
use crate::who::{Custodian, Person};

/// The domain's routes under `/api/v1`.
pub fn api(cfg: &mut web::ServiceConfig) {
    cfg.route("/safes", web::get().to(list))
        .route("/safes/{id}", web::get().to(show))
        .route("/safes/{id}/drills", web::post().to(drilled));
}

/// One approver as pages show them.
#[derive(serde::Serialize, Clone, Debug)]
pub struct Approver {
    /// Id.
    pub user: String,
    /// Name.
    pub name: String,
    /// Place on the roster, from 1.
    pub x: u8,
    /// Live rostered keys.
    pub keys: usize,
    /// Live keys that could hold a share and that the roster does not name yet.
    pub unnamed: usize,
    /// Whether they can sign now.
    pub can_sign: bool,
    /// When a key of theirs last opened a share.
    pub proved_at: Option<i64>,
}

/// A safe as pages and programs see it.
#[derive(serde::Serialize, Clone, Debug)]
pub struct Shown {
    /// Id.
    pub safe: String,
    /// Name.
    pub name: String,
    /// For rehearsals.
    pub drill: bool,
    /// Roster epoch.
    pub epoch: u64,
    /// Roster leaf.
    pub roster: String,
    /// Approvals needed.
    pub m: u64,
    /// Approvers.
    pub n: usize,
    /// Denials that end a request.
    pub denials: u64,
    /// Seconds.
    pub request_life_s: u64,
    /// Seconds.
    pub grant_life_s: u64,
    /// Who approves.
    pub approvers: Vec<Approver>,
    /// How many more people than needed can open the safe's next version, or the live one that is worst off; below zero that
    /// cannot be opened.
    pub margin: i64,
    /// That version, where it is worse off than the roster.
    pub least: Option<String>,
    /// What is in it.
    pub credentials: Vec<credentials::Shown>,
}

/// The safe with its roster, checked back to signed entries.
pub async fn shown(app: &App, safe: &Safe) -> Result<Shown> {
    let pool = &app.ledger.db().pool;
    let roster = app.rosters.of(&app.ledger, safe.safe, safe.epoch).await?;
    let mut approvers = Vec::new();
    for a in roster.approvers() {
        let keys = people::keys_of(pool, a.user).await?;
        let (live, others): (Vec<_>, Vec<_>) = keys.iter().filter(|k| k.live()).partition(|k| {
            a.authenticators
                .iter()
                .any(|r| r.authenticator == k.authenticator)
        });
        approvers.push(Approver {
            user: a.user.to_string(),
            name: a.name.clone(),
            x: a.x,
            keys: live.len(),
            unnamed: others.iter().filter(|k| k.share_key.is_some()).count(),
            can_sign: !live.is_empty(),
            proved_at: live.iter().filter_map(|k| k.proved_at).max(),
        });
    }
    let holdings = Holdings::now(app, safe.safe).await?;
    let able = Quorums::of(app, safe.safe).await?.able(&holdings, None)?;
    let (own, versions) = able
        .split_first()
        .ok_or_else(|| Error::internal("no margin"))?;
    let least = versions.iter().min_by_key(|a| a.margin());
    let least = least.filter(|a| a.margin() < own.margin());
    Ok(Shown {
        safe: safe.safe.to_string(),
        name: roster.name().to_owned(),
        drill: roster.drill(),
        epoch: roster.epoch(),
        roster: roster.leaf().to_string(),
        m: u64::from(roster.m().get()),
        n: approvers.len(),
        denials: roster.denials(),
        request_life_s: roster.request_life_s(),
        grant_life_s: roster.grant_life_s(),
        margin: least.unwrap_or(own).margin(),
        least: least.map(|a| a.what.clone()),
        approvers,
        credentials: credentials::in_safe(app, safe.safe).await?,
    })
}

async fn list(app: web::Data<App>, _who: Person) -> Result<HttpResponse> {
    let mut list = Vec::new();
    for safe in store::all(&app.ledger.db().pool).await? {
        list.push(shown(&app, &safe).await?);
    }
    ok(json!({ "safes": list }))
}

async fn show(app: web::Data<App>, _who: Person, id: web::Path<String>) -> Result<HttpResponse> {
    let id = id.parse().map_err(|_| Error::missing("safe"))?;
    let safe = store::by_id(&app.ledger.db().pool, id)
        .await?
        .ok_or_else(|| Error::missing("safe"))?;
    ok(shown(&app, &safe).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Drilled {
    outcome: Outcome,
    report_sha256: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Passed,
    Failed,
}

/// Files how a drill ended. Unsigned: it says what a custodian's drill reported, so only of safes that are for drills.
async fn drilled(
    app: web::Data<App>,
    _who: Custodian,
    id: web::Path<String>,
    body: web::Json<Drilled>,
) -> Result<HttpResponse> {
    let id: SafeId = id.parse().map_err(|_| Error::missing("safe"))?;
    let report: quorum::Hash = body.report_sha256.parse().map_err(|_| {
        Error::invalid(
            "Not filed.",
            "`report_sha256` is not 64 lower-case hex digits.",
            "Send the SHA-256 of the report's bytes.",
        )
    })?;
    if !app.drills.is(&app.ledger, id).await? {
        return Err(Error::conflict(
            "Not filed.",
            "This safe is not for drills.",
            "Play drills against a safe that was founded for them.",
        ));
    }
    let event = Event::DrillFinished {
        passed: matches!(body.outcome, Outcome::Passed),
        report_sha256: audit_hash(report),
        safe: id.audited(),
    };
    let links = vec![id.to_string(), store::drills_of(id)];
    let receipt = app.ledger.append(Actor::System, event, links).await?;
    ok(json!({ "seq": receipt.seq(), "leaf": receipt.leaf().to_string() }))
}
