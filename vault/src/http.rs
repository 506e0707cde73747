//! What every answer has in common: problem documents, headers, the origin check, cookies, assets.

use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::HeaderMap;
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError, web};
use serde_json::json;

use crate::app::App;
use crate::error::{Error, Result, silent};
use crate::people::sessions::Token;
use crate::who::{COOKIE, PRE_COOKIE};

/// What pages may load, in full (CSP level 3; Trusted Types with no policy at all).
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// Largest body that a route takes unless it says otherwise.
pub const BODY: usize = 64 * 1024;

/// Every answer begins within this, or the call is given up: a database that hangs holds nobody. It is longer than what a call
/// waits for one after the other: the writer, tokens, a target.
const ANSWER: Duration = Duration::from_secs(30);
/// As `ANSWER`, of what only reads.
const READING: Duration = Duration::from_secs(15);

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let reference =
            crate::b64::encode(&crate::people::sessions::random().unwrap_or_default()[..9]);
        match self.cause() {
            Some(cause) => tracing::error!(%reference, kind = self.kind(), %cause, "refused"),
            None => tracing::debug!(%reference, kind = self.kind(), "refused"),
        }
        let mut answer = HttpResponse::build(self.status_code());
        let response = answer
            .content_type("application/problem+json")
            .body(problem(self, &reference));
        let mut response = response;
        response.extensions_mut().insert(Refused {
            words: self.words(),
            status: self.status(),
            reference,
        });
        response
    }
}

/// What an error page shows, handed from the error to the middleware that knows who asked.
pub struct Refused {
    /// The three parts.
    pub words: crate::error::Words,
    /// HTTP status.
    pub status: u16,
    /// HTTP request id, called "Reference" on pages.
    pub reference: String,
}

fn problem(e: &Error, reference: &str) -> String {
    let w = e.words();
    json!({
        "type": format!("urn:vitrine:{}", e.kind()), "title": w.what, "detail": w.why, "next": w.next,
        "status": e.status(), "reference": reference,
    })
    .to_string()
}

/// A JSON answer.
pub fn ok(value: impl serde::Serialize) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(value))
}

/// A rendered page.
pub fn page(template: &impl askama::Template) -> Result<HttpResponse> {
    let html = template.render().map_err(Error::internal)?;
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(html))
}

/// A page that follows what happens. To its script, which asks whether it would say something else now, its mark alone.
pub fn following(
    req: &HttpRequest,
    template: &impl askama::Template,
    mark: &str,
) -> Result<HttpResponse> {
    if req.headers().contains_key(crate::who::LOOK) {
        return Ok(HttpResponse::NoContent()
            .insert_header(("Vitrine-Mark", mark))
            .finish());
    }
    page(template)
}

/// JSON bodies: bounded, and a refusal that says which member is wrong.
pub fn json_config() -> web::JsonConfig {
    web::JsonConfig::default()
        .limit(BODY)
        .error_handler(|e, _| {
            Error::invalid(
                "Nothing was done.",
                format!("The request is not what this address takes: {e}."),
                "Reload the page; a program should compare with the API description.",
            )
            .into()
        })
}

/// Members of a query that do not read: a refusal like any other.
pub fn query_config() -> web::QueryConfig {
    web::QueryConfig::default().error_handler(|e, _| {
        Error::invalid(
            "Nothing was done.",
            format!("The address says something that does not read: {e}."),
            "Go back and follow a link.",
        )
        .into()
    })
}

/// A place in a path that does not read names nothing.
pub fn path_config() -> web::PathConfig {
    web::PathConfig::default().error_handler(|_, _| Error::missing("address").into())
}

/// Sets a session's cookie.
pub fn session_cookie(token: &Token) -> Cookie<'static> {
    cookie(COOKIE, token.expose().to_string())
}

/// Sets a pre-session's cookie.
pub fn pre_cookie(token: &Token) -> Cookie<'static> {
    cookie(PRE_COOKIE, token.expose().to_string())
}

/// Takes a cookie back.
pub fn forget(name: &'static str) -> Cookie<'static> {
    let mut gone = cookie(name, String::new());
    gone.make_removal();
    gone
}

fn cookie(name: &'static str, value: String) -> Cookie<'static> {
    Cookie::build(name, value)
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Strict)
        .finish()
}

/// Outermost: origin check before, headers after, error pages for browsers.
pub async fn guard(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> std::result::Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let html = wants_html(req.request());
    let asset = req.path().starts_with("/assets/");
    let tls = req
        .app_data::<web::Data<App>>()
        .is_some_and(|app| app.config.server.certificate.is_some());
    let refused = refuse_foreign(req.request()).or_else(|| refuse_body(req.request()));
    let mut response = match refused {
        Some(e) => {
            let answer = e.error_response();
            req.into_response(answer).map_into_boxed_body()
        }
        None => {
            let path = req.path().to_owned();
            let within = match *req.method() {
                Method::GET | Method::HEAD => READING,
                _ => ANSWER,
            };
            match tokio::time::timeout(within, next.call(req)).await {
                Ok(Ok(r)) => r.map_into_boxed_body(),
                Ok(Err(e)) => return Err(e),
                Err(late) => {
                    let mut answer = silent(late.to_string()).error_response();
                    if let Some(page) = shown(&answer, &path).filter(|_| html) {
                        answer = answer_page(HttpResponse::build(answer.status()), page);
                    }
                    fence(answer.headers_mut(), asset, tls);
                    return Err(InternalError::from_response(late, answer).into());
                }
            }
        }
    };
    if html && let Some(page) = shown(response.response(), response.request().path()) {
        let (req, old) = response.into_parts();
        let mut answer = HttpResponse::build(old.status());
        if let (StatusCode::UNAUTHORIZED, Method::GET) = (old.status(), req.method().clone()) {
            answer = HttpResponse::SeeOther();
            answer.insert_header((header::LOCATION, crate::people::web::sign_in_url(&req)));
        }
        response = ServiceResponse::new(req, answer_page(answer, page));
    }
    fence(response.headers_mut(), asset, tls);
    Ok(response)
}

/// What a page says of a refusal.
fn shown(answer: &HttpResponse, path: &str) -> Option<String> {
    let extensions = answer.extensions();
    let r = extensions.get::<Refused>()?;
    Some(crate::site::refusal(&r.words, r.status, &r.reference, path))
}

fn answer_page(mut answer: HttpResponseBuilder, page: String) -> HttpResponse {
    answer.content_type("text/html; charset=utf-8").body(page)
}

/// The headers of every answer.
fn fence(headers: &mut HeaderMap, asset: bool, tls: bool) {
    let mut set = |name: header::HeaderName, value: &'static str| {
        headers.insert(name, header::HeaderValue::from_static(value))
    };
    set(header::CONTENT_SECURITY_POLICY, CSP);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    set(
        header::HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    set(
        header::HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    set(
        header::HeaderName::from_static("permissions-policy"),
        "publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), microphone=(), geolocation=()",
    );
    if tls {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=63072000");
    }
    if !asset {
        set(header::CACHE_CONTROL, "no-store");
    }
}

fn wants_html(req: &HttpRequest) -> bool {
    !req.path().starts_with("/api/")
        && req
            .headers()
            .get(header::ACCEPT)
            .and_then(|a| a.to_str().ok())
            .is_some_and(|a| a.contains("text/html"))
}

/// A write comes from our own pages (same Origin) or from a program (neither Origin nor fetch metadata).
fn refuse_foreign(req: &HttpRequest) -> Option<Error> {
    if matches!(*req.method(), Method::GET | Method::HEAD) {
        return None;
    }
    let text = |name: &str| {
        req.headers()
            .get(name)
            .map(|v| v.to_str().unwrap_or("?").to_owned())
    };
    let ours = match (text("origin"), text("sec-fetch-site")) {
        (None, None) => true,
        (Some(origin), site) => {
            let app = req.app_data::<web::Data<App>>()?;
            app.ledger
                .founding()
                .is_ok_and(|f| f.origins.contains(&origin))
                && site.is_none_or(|s| s == "same-origin")
        }
        (None, Some(site)) => site == "same-origin",
    };
    (!ours).then(|| {
        Error::forbidden(
            "Nothing was done.",
            "This came from another site.",
            "Open Vitrine itself and do it there.",
        )
    })
}

/// Writes to the API are JSON, also where they say nothing, and no body is longer than [`BODY`]: forms of other sites
/// can send neither.
fn refuse_body(req: &HttpRequest) -> Option<Error> {
    if !matches!(*req.method(), Method::POST | Method::PUT | Method::PATCH) {
        return None;
    }
    let text = |name: header::HeaderName| req.headers().get(name).and_then(|v| v.to_str().ok());
    let json = text(header::CONTENT_TYPE)
        .and_then(|t| t.split(';').next())
        .is_some_and(|t| t.trim().eq_ignore_ascii_case("application/json"));
    let long = text(header::CONTENT_LENGTH)
        .and_then(|n| n.parse::<usize>().ok())
        .is_some_and(|n| n > BODY);
    let why = if req.path().starts_with("/api/") && !json {
        "A write to this address has the content type application/json."
    } else if long {
        "The request is longer than 64 KiB."
    } else {
        return None;
    };
    Some(Error::invalid(
        "Nothing was done.",
        why,
        "Reload the page; a program should compare with the API description.",
    ))
}
