//! Requests over HTTP.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use quorum::ids::RequestId;
use serde::Deserialize;
use serde_json::json;

use super::State;
use super::decide::{self, SentDecision};
use super::file::{self, SentFiling};
use super::store::{self, Filed};
use super::{evidence, live, poll, release, shares};
use crate::app::App;
use crate::error::{Error, Result};
use crate::http::ok;
use crate::people::sessions::{self, Token};
use crate::touch::Signed;
use crate::who::{self, Person};

/// The domain's routes under `/api/v1`.
pub fn api(cfg: &mut web::ServiceConfig) {
    cfg.route("/requests", web::post().to(post))
        .route("/requests", web::get().to(list))
        .route("/requests/{id}", web::get().to(show))
        .route("/requests/{id}/events", web::get().to(events))
        .route("/requests/{id}/evidence", web::get().to(proof))
        .route("/requests/{id}/decisions", web::post().to(decision))
        .route("/requests/{id}/acceptances", web::post().to(acceptance))
        .route("/requests/{id}/withdraw", web::post().to(withdraw))
        .route("/requests/{id}/shares", web::get().to(resealed))
        .route(
            "/requests/{id}/shares/refused",
            web::post().to(share_refused),
        )
        .route("/requests/{id}/open", web::post().to(open))
        .route("/requests/{id}/check-in", web::post().to(check_in));
}

/// The request id of a path.
pub fn id(text: &str) -> Result<RequestId> {
    text.parse().map_err(|_| Error::missing("request"))
}

async fn find(app: &App, text: &str) -> Result<Filed> {
    store::by_id(&app.ledger.db().pool, id(text)?).await
}

async fn post(
    app: web::Data<App>,
    who: Person,
    body: web::Json<SentFiling>,
) -> Result<HttpResponse> {
    let (request, code, seq, leaf) = file::file(&app, &who, body.into_inner()).await?;
    ok(
        json!({ "request": request.to_string(), "code": code, "seq": seq, "leaf": leaf.to_string() }),
    )
}

async fn list(app: web::Data<App>, _who: Person) -> Result<HttpResponse> {
    let mut list = Vec::new();
    for filed in store::newest(&app.ledger.db().pool, 100).await? {
        list.push(live::view(&app, &filed).await?);
    }
    ok(json!({ "requests": list }))
}

/// Somebody signed in, or a terminal by the poll secret of what it filed.
enum Caller {
    Person(Box<Person>),
    Terminal(Token),
}

async fn caller(req: &HttpRequest) -> Result<Caller> {
    if req.headers().contains_key(poll::HEADER) {
        return poll::of(req).map(Caller::Terminal);
    }
    let person = who::person(req).await?;
    Ok(Caller::Person(Box::new(person)))
}

impl Caller {
    /// Anybody signed in, or the terminal that filed.
    fn must_see(&self, filed: &Filed) -> Result<()> {
        match self {
            Caller::Person(_) => Ok(()),
            Caller::Terminal(secret) if filed.poll == Some(secret.digest("poll")) => Ok(()),
            Caller::Terminal(_) => Err(Error::missing("request")),
        }
    }

    /// Only the requester, by session or by the terminal that filed.
    fn must_have_asked(&self, filed: &Filed) -> Result<()> {
        self.must_see(filed)?;
        match self {
            Caller::Person(p) if p.user != filed.requester => Err(Error::forbidden(
                "Not done.",
                "Only the person who asked may do this.",
                "Tell them the code.",
            )),
            _ => Ok(()),
        }
    }
}

/// Only the requester, by session or by the terminal that filed.
pub(super) async fn requester(req: &HttpRequest, filed: &Filed) -> Result<()> {
    caller(req).await?.must_have_asked(filed)
}

async fn show(
    app: web::Data<App>,
    req: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let filed = find(&app, &path).await?;
    caller(&req).await?.must_see(&filed)?;
    ok(live::view(&app, &filed).await?)
}

#[derive(Deserialize)]
struct Watch {
    #[serde(default)]
    reading: bool,
}

/// Server-sent events: the live view whenever it changes, otherwise a `ping` every 10 seconds: a page that hears none for long
/// says that it is not live.
async fn events(
    app: web::Data<App>,
    req: HttpRequest,
    path: web::Path<String>,
    watch: web::Query<Watch>,
) -> Result<HttpResponse> {
    let filed = find(&app, &path).await?;
    let caller = caller(&req).await?;
    caller.must_see(&filed)?;
    let reader = match caller {
        Caller::Person(p) if watch.reading => Some(p.user),
        _ => None,
    };
    let request = filed.request;
    let token = reader_session(&req).map(Arc::new);
    let app = app.into_inner();
    let grown = app.ledger.grown();
    let stream = futures::stream::unfold(
        (app, grown, String::new(), 0_u32),
        move |(app, mut grown, last, quiet)| {
            let token = token.clone();
            async move {
                let (mut last, mut quiet) = (last, quiet);
                loop {
                    if let Some(user) = reader {
                        app.presence.seen(request, user, app.ledger.clock().now());
                    }
                    let view = watched(&app, request, token.as_deref()).await.ok()??;
                    if view != last {
                        last.clone_from(&view);
                        return Some((
                            Ok::<_, actix_web::Error>(web::Bytes::from(format!(
                                "data: {view}\n\n"
                            ))),
                            (app, grown, last, 0),
                        ));
                    }
                    // Another node's entries are seen by asking again; ours wake us.
                    let _ =
                        tokio::time::timeout(Duration::from_millis(1500), grown.changed()).await;
                    quiet += 1;
                    if quiet >= 7 {
                        quiet = 0;
                        return Some((
                            Ok(web::Bytes::from_static(b"event: ping\ndata: {}\n\n")),
                            (app, grown, last, quiet),
                        ));
                    }
                }
            }
        },
    );
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(stream))
}

/// The session's token of whoever watches by session; a terminal watches by its poll secret.
fn reader_session(req: &HttpRequest) -> Option<Token> {
    if req.headers().contains_key(poll::HEADER) {
        return None;
    }
    who::token(req)
}

/// The live view for a stream; none once the session that watches has ended. Watching a request that is not over is activity.
async fn watched(app: &App, request: RequestId, token: Option<&Token>) -> Result<Option<String>> {
    let filed = store::by_id(&app.ledger.db().pool, request).await?;
    if let Some(token) = token {
        let found = sessions::live(&app.ledger, &app.sessions, token).await?;
        let Some((session, _)) = found else {
            return Ok(None);
        };
        if filed.state.pending() || filed.state == State::Open {
            sessions::active(&app.ledger, token, &session).await?;
        }
    }
    let view = live::view(app, &filed).await?;
    serde_json::to_string(&view)
        .map(Some)
        .map_err(Error::internal)
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    from: u64,
}

async fn proof(
    app: web::Data<App>,
    req: HttpRequest,
    path: web::Path<String>,
    since: web::Query<Since>,
) -> Result<HttpResponse> {
    let (request, caller) = (id(&path)?, caller(&req).await?);
    let filed = store::by_id(&app.ledger.db().pool, request).await?;
    let who = match &caller {
        Caller::Person(who) => {
            evidence::may_see(&app, who, &filed).await?;
            app.presence
                .seen(filed.request, who.user, app.ledger.clock().now());
            Some(&**who)
        }
        Caller::Terminal(_) => {
            caller.must_see(&filed)?;
            None
        }
    };
    ok(evidence::evidence(&app, who, &filed, since.from).await?)
}

async fn decision(
    app: web::Data<App>,
    who: Person,
    path: web::Path<String>,
    body: web::Json<SentDecision>,
) -> Result<HttpResponse> {
    ok(decide::decide(&app, &who, id(&path)?, body.into_inner()).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OneSigned {
    signed: Signed,
}

async fn acceptance(
    app: web::Data<App>,
    who: Person,
    path: web::Path<String>,
    body: web::Json<OneSigned>,
) -> Result<HttpResponse> {
    decide::accept(&app, &who, id(&path)?, body.into_inner().signed).await?;
    ok(live::view(&app, &find(&app, &path).await?).await?)
}

async fn withdraw(
    app: web::Data<App>,
    req: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let filed = find(&app, &path).await?;
    requester(&req, &filed).await?;
    release::withdraw(&app, filed.request).await?;
    ok(live::view(&app, &find(&app, &path).await?).await?)
}

async fn resealed(
    app: web::Data<App>,
    req: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let filed = find(&app, &path).await?;
    requester(&req, &filed).await?;
    ok(shares::of(&app, &filed).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BadShare {
    approver: String,
}

async fn share_refused(
    app: web::Data<App>,
    req: HttpRequest,
    path: web::Path<String>,
    body: web::Json<BadShare>,
) -> Result<HttpResponse> {
    let filed = find(&app, &path).await?;
    requester(&req, &filed).await?;
    let approver = body.approver.parse();
    shares::refuse(
        &app,
        &filed,
        approver.map_err(|_| Error::missing("person"))?,
    )
    .await?;
    ok(live::view(&app, &filed).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Opening {
    /// The size of the newest tree that the client has seen: what it is given is proved to extend that.
    #[serde(default)]
    from: u64,
}

async fn open(
    app: web::Data<App>,
    req: HttpRequest,
    path: web::Path<String>,
    body: web::Json<Opening>,
) -> Result<HttpResponse> {
    let (request, caller) = (id(&path)?, caller(&req).await?);
    let may = |filed: &Filed| caller.must_have_asked(filed);
    ok(release::open(&app, request, body.from, may).await?)
}

async fn check_in(
    app: web::Data<App>,
    req: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let filed = find(&app, &path).await?;
    requester(&req, &filed).await?;
    release::check_in(&app, filed.request).await?;
    ok(live::view(&app, &find(&app, &path).await?).await?)
}
