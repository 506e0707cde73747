//! Credentials over HTTP: adding, generating, importing, binding to a target, rotating on demand.

use actix_web::{HttpResponse, web};
use audit::event::Origin;
use quorum::ids::CredentialId;
use quorum::secret::Plaintext;
use quorum::secret::generate::{Policy, generate};
use quorum::statement::Kind;
use serde::Deserialize;
use serde_json::json;

use super::{KINDS, seal, store};
use crate::app::App;
use crate::error::{Error, Result};
use crate::http::ok;
use crate::touch::{Signed, Touch, bad_statement};
use crate::who::{Custodian, Person, Rotator};

/// The domain's routes under `/api/v1`.
pub fn api(cfg: &mut web::ServiceConfig) {
    cfg.route("/credentials", web::get().to(list))
        .route("/credentials/{id}", web::get().to(show))
        .route("/safes/{id}/credentials", web::post().to(add))
        .route("/credentials/{id}/generate", web::post().to(generated))
        .route("/credentials/{id}/import", web::post().to(import))
        .route(
            "/credentials/{id}/import/finish",
            web::post().to(import_finish),
        )
        .route("/credentials/{id}/target", web::post().to(target))
        .route("/targets/{id}/sql", web::get().to(target_sql))
        .route("/credentials/{id}/rotate", web::post().to(rotate))
        .route("/credentials/{id}/rotation", web::get().to(rotation));
}

/// A credential id of a path.
pub fn id(text: &str) -> Result<CredentialId> {
    text.parse().map_err(|_| Error::missing("credential"))
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
}

async fn list(
    app: web::Data<App>,
    _who: Person,
    search: web::Query<Search>,
) -> Result<HttpResponse> {
    ok(json!({ "credentials": super::find(&app, &search.q).await? }))
}

async fn show(app: web::Data<App>, _who: Person, path: web::Path<String>) -> Result<HttpResponse> {
    ok(super::one(&app, id(&path)?)
        .await?
        .ok_or_else(|| Error::missing("credential"))?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    credential: String,
    name: String,
    kind: String,
}

async fn add(
    app: web::Data<App>,
    _who: Custodian,
    path: web::Path<String>,
    body: web::Json<New>,
) -> Result<HttpResponse> {
    let safe = path.parse().map_err(|_| Error::missing("safe"))?;
    let New {
        credential,
        name,
        kind,
    } = body.into_inner();
    let credential: CredentialId = id(&credential)?;
    let clean =
        !name.trim().is_empty() && name.chars().count() <= 200 && quorum::json::is_clean(&name);
    if !clean || !KINDS.contains(&kind.as_str()) {
        return Err(Error::invalid(
            "Not added.",
            "A credential has a name of 1 to 200 characters and a kind: password, token or note.",
            "Mend the form.",
        ));
    }
    let now = app.ledger.clock().now();
    app.ledger
        .aside(move |tx| {
            Box::pin(
                async move { store::add(tx.conn(), credential, safe, &name, &kind, now).await },
            )
        })
        .await?;
    ok(super::one(&app, credential).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    length: Option<u32>,
    #[serde(default)]
    alphabet: Option<String>,
}

async fn generated(
    app: web::Data<App>,
    _who: Custodian,
    path: web::Path<String>,
    body: web::Json<Wanted>,
) -> Result<HttpResponse> {
    let policy = match (body.length, &body.alphabet) {
        (None, None) => Policy::default(),
        (length, alphabet) => Policy::new(
            length.unwrap_or(24),
            alphabet
                .as_deref()
                .unwrap_or(quorum::secret::generate::UNAMBIGUOUS),
        )
        .map_err(|e| {
            Error::invalid(
                "Not generated.",
                format!("The policy is refused: {e}."),
                "Make it longer, or leave it out.",
            )
        })?,
    };
    let credential = store::by_id(&app.ledger.db().pool, id(&path)?).await?;
    must_be_unbound(&credential)?;
    let plaintext = generate(&policy).map_err(Error::internal)?;
    let v = seal::next(&app, &credential, None, plaintext, "generated").await?;
    let (version, envelope) = (v.version, v.envelope.hash());
    app.ledger
        .write(move |tx| {
            Box::pin(async move {
                must_be_unbound(&store::by_id(&mut *tx.conn(), credential.credential).await?)?;
                let done =
                    seal::record(tx, &credential, &v, Origin::Generated, "candidate").await?;
                seal::make_current(tx, credential.credential, v.version).await?;
                Ok(done)
            })
        })
        .await?;
    ok(json!({ "version": version, "envelope": envelope.to_string() }))
}

/// What the target of a bound credential has is made in a rotation and by nothing else.
fn must_be_unbound(credential: &store::Credential) -> Result<()> {
    if credential.target.is_none() {
        return Ok(());
    }
    Err(Error::conflict(
        "Not sealed.",
        "This credential is changed at its target: any other value would not be what the target has.",
        "Rotate it: its next version is made and proved by Vitrine.",
    ))
}

/// The value comes in, is sealed, and is gone. Never logged: the type has no `Debug`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Import {
    /// The safe that its sender means to put it in.
    safe: String,
    value: zeroize::Zeroizing<String>,
}

async fn import(
    app: web::Data<App>,
    _who: Custodian,
    path: web::Path<String>,
    body: web::Json<Import>,
) -> Result<HttpResponse> {
    let credential = store::by_id(&app.ledger.db().pool, id(&path)?).await?;
    must_be_unbound(&credential)?;
    if body.safe != credential.safe.to_string() {
        return Err(Error::conflict(
            "Not imported.",
            "The credential is not in the safe that you chose.",
            "Give the value to nobody, and tell another custodian: credentials do not move.",
        ));
    }
    if body.value.is_empty() {
        return Err(Error::invalid(
            "Not imported.",
            "There is no value.",
            "Paste the value and try again.",
        ));
    }
    let v = seal::next(
        &app,
        &credential,
        None,
        Plaintext::new(body.value.as_bytes().to_vec()),
        "imported",
    )
    .await?;
    drop(body);
    let answer = json!({ "version": v.version, "envelope": v.envelope.hash().to_string(), "safe": credential.safe.to_string(), "credential": credential.credential.to_string() });
    let now = app.ledger.clock().now();
    app.ledger
        .aside(move |tx| {
            Box::pin(async move {
                store::drop_pending(tx.conn(), v.credential).await?;
                store::add_version(tx.conn(), &v, "pending", None, now).await?;
                // Not sealed until it is signed: the number is taken only then.
                sqlx::query("UPDATE credentials SET sealed = sealed - 1 WHERE credential = $1")
                    .bind(v.credential.to_string())
                    .execute(tx.conn())
                    .await?;
                Ok(())
            })
        })
        .await?;
    ok(answer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OneSigned {
    signed: Signed,
}

async fn import_finish(
    app: web::Data<App>,
    who: Custodian,
    path: web::Path<String>,
    body: web::Json<OneSigned>,
) -> Result<HttpResponse> {
    let touch = Touch::check(&app.ledger, who.user, &body.signed).await?;
    let Kind::Import(import) = touch.statement.kind.clone() else {
        return Err(bad_statement("it is no import"));
    };
    let credential = store::by_id(&app.ledger.db().pool, id(&path)?).await?;
    if import.credential != credential.credential
        || import.safe != credential.safe
        || import.version != credential.sealed + 1
    {
        return Err(bad_statement("it names another version"));
    }
    let version = import.version;
    app.ledger
        .write(move |tx| {
            Box::pin(async move {
                let envelope =
                    store::envelope(tx.conn(), import.credential, import.version).await?;
                if envelope.hash() != import.envelope {
                    return Err(bad_statement("it names another envelope"));
                }
                // It may have been bound since its import began.
                must_be_unbound(&store::by_id(&mut *tx.conn(), import.credential).await?)?;
                touch.spend(tx).await?;
                let shares = store::shares(tx.conn(), import.credential, import.version).await?;
                let v = store::NewVersion {
                    credential: import.credential,
                    version: import.version,
                    envelope,
                    custody: Vec::new(),
                    shares,
                    origin: "imported",
                };
                let done =
                    seal::enter(tx, &credential, &v, Origin::Imported(touch.signed())).await?;
                store::sign_pending(tx.conn(), import.credential, import.version, done.seq())
                    .await?;
                // Imports never supersede by themselves: what was current stays openable.
                seal::make_current(tx, import.credential, import.version).await?;
                Ok(done)
            })
        })
        .await?;
    ok(json!({ "version": version }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    account: String,
    address: String,
    connector: String,
    pin: String,
}

async fn target(
    app: web::Data<App>,
    _who: Custodian,
    path: web::Path<String>,
    body: web::Json<Draft>,
) -> Result<HttpResponse> {
    let body = body.into_inner();
    let credential = store::by_id(&app.ledger.db().pool, id(&path)?).await?;
    let (target, sql) = crate::rotation::targets::draft(
        &app,
        &credential,
        &body.connector,
        &body.address,
        &body.account,
        &body.pin,
    )
    .await?;
    ok(json!({ "target": target.to_string(), "sql": sql }))
}

async fn target_sql(
    app: web::Data<App>,
    _who: Custodian,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    ok(
        json!({ "sql": crate::rotation::targets::sql_of(&app, path.parse().map_err(|_| Error::missing("target"))?).await? }),
    )
}

async fn rotate(
    app: web::Data<App>,
    _who: Rotator,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let credential = store::by_id(&app.ledger.db().pool, id(&path)?).await?;
    let rotation = crate::rotation::on_demand(&app, credential.credential).await?;
    ok(json!({ "rotation": rotation.to_string() }))
}

async fn rotation(
    app: web::Data<App>,
    _who: Person,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let newest = crate::rotation::store::newest(&app.ledger.db().pool, id(&path)?).await?;
    ok(newest.map(|r| {
        json!({ "rotation": r.rotation.to_string(), "state": r.state, "words": r.words, "version": r.version, "attempts": r.attempts,
                "next": r.next_at, "ended": r.ended, "stuck": r.stuck() })
    }))
}
