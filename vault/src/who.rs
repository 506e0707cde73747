//! Who asks: extractor types, so that no handler can forget to.
//!
//! A handler names `Person`, `Custodian`, `Requester`, `Approver`, `Auditor` or `Operator` in its
//! signature; one that names none of them is public, and the table of routes in the tests says which
//! those are (promise P12).

use actix_web::dev::Payload;
use actix_web::http::{Method, header};
use actix_web::{FromRequest, HttpRequest, web};
use futures::future::LocalBoxFuture;
use quorum::ids::UserId;

use crate::app::App;
use crate::error::{Error, Result};
use crate::people::sessions::{self, Session, Token};

/// The session's cookie.
pub const COOKIE: &str = "__Host-vitrine";
/// The pre-session's cookie.
pub const PRE_COOKIE: &str = "__Host-vitrine-pre";

/// Somebody signed in.
#[derive(Clone, Debug)]
pub struct Person {
    /// Id.
    pub user: UserId,
    /// Name.
    pub name: String,
    /// Roles now, read with the session.
    pub roles: Vec<String>,
    /// The session.
    pub session: Session,
}

impl Person {
    /// Has this role now.
    pub fn is(&self, role: &str) -> bool {
        self.roles.iter().any(|r| r == role)
    }
}

/// A page's script sends this header to learn whether its page would say something else now.
pub const LOOK: &str = "vitrine-look";

/// A page asks, or loads itself again (`?again`): nobody is there for it, so it keeps no session.
fn by_itself(req: &HttpRequest) -> bool {
    *req.method() == Method::GET
        && (req.headers().contains_key(LOOK)
            || req.query_string().split('&').any(|part| part == "again"))
}

/// The person behind a request, or `SignIn`.
pub async fn person(req: &HttpRequest) -> Result<Person> {
    let app = req
        .app_data::<web::Data<App>>()
        .ok_or_else(|| Error::internal("no app"))?;
    let token = token(req).ok_or(Error::SignIn)?;
    let found = if by_itself(req) {
        sessions::live(&app.ledger, &app.sessions, &token).await?
    } else {
        sessions::of(&app.ledger, &app.sessions, &token).await?
    };
    let (session, user) = found.ok_or(Error::SignIn)?;
    Ok(Person {
        user: user.user,
        name: user.name,
        roles: user.roles,
        session,
    })
}

/// The session's token, of a program or a browser.
pub fn token(req: &HttpRequest) -> Option<Token> {
    bearer(req).or_else(|| req.cookie(COOKIE).and_then(|c| Token::from_text(c.value())))
}

fn bearer(req: &HttpRequest) -> Option<Token> {
    let value = req.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    Token::from_text(value.strip_prefix("Bearer ")?)
}

impl FromRequest for Person {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Person>>;
    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move { person(&req).await })
    }
}

/// "This is for custodians and operators."
fn meant_for(roles: &[&str]) -> String {
    let people: Vec<String> = roles.iter().map(|role| format!("{role}s")).collect();
    format!("This is for {}.", crate::pages::and(&people))
}

macro_rules! role {
    ($(#[$doc:meta])* $name:ident, $($role:literal)|+) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(pub Person);
        impl FromRequest for $name {
            type Error = Error;
            type Future = LocalBoxFuture<'static, Result<$name>>;
            fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
                let req = req.clone();
                Box::pin(async move {
                    let p = person(&req).await?;
                    if $(p.is($role))||+ { Ok($name(p)) } else {
                        Err(Error::forbidden(
                            "Not done.",
                            meant_for(&[$($role),+]),
                            "Ask a custodian for the role, or ask somebody who has it.",
                        ))
                    }
                })
            }
        }
        impl std::ops::Deref for $name {
            type Target = Person;
            fn deref(&self) -> &Person { &self.0 }
        }
    };
}

role!(
    /// Runs safes and admits people.
    Custodian, "custodian"
);
role!(
    /// Asks for credentials.
    Requester, "requester"
);
role!(
    /// Signs for others.
    Approver, "approver"
);
role!(
    /// May start a rotation.
    Rotator, "custodian" | "operator"
);

/// The pre-session's token from its cookie.
pub struct Pre(pub Token);

impl FromRequest for Pre {
    type Error = Error;
    type Future = std::future::Ready<Result<Pre>>;
    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let token = req
            .cookie(PRE_COOKIE)
            .and_then(|c| Token::from_text(c.value()));
        std::future::ready(token.map(Pre).ok_or_else(|| {
            Error::conflict(
                "Nothing was done.",
                "This page waited too long, or cookies are off.",
                "Reload the page and try again.",
            )
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn whom_it_is_for_is_a_sentence() {
        assert_eq!(meant_for(&["custodian"]), "This is for custodians.");
        assert_eq!(
            meant_for(&["custodian", "operator"]),
            "This is for custodians and operators."
        );
    }

    #[test]
    fn only_a_page_that_reads_by_itself_keeps_no_session() {
        let by = |r: TestRequest| by_itself(&r.to_http_request());
        assert!(by(TestRequest::get().uri("/?again")));
        assert!(by(TestRequest::get().uri("/requests/1?a=b&again")));
        assert!(by(TestRequest::get().uri("/").insert_header((LOOK, "1"))));
        assert!(!by(TestRequest::get().uri("/")));
        assert!(!by(TestRequest::get().uri("/break?q=again")));
        assert!(!by(TestRequest::post().uri("/?again")));
    }
}
