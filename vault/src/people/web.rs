//! People over HTTP: signing in, joining, keys, roles, sessions.

use actix_web::{HttpRequest, HttpResponse, web};
use audit::Event;
use quorum::assertion::Assertion;
use quorum::ids::{AuthenticatorId, UserId};
use quorum::secret::enrol_box;
use quorum::statement::{self, Enrol, Kind};
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq;

use super::attestation::{Registered, SentRegistration};
use super::sessions::{self, Purpose, Token};
use super::store::{self, Key, User};
use super::{INVITATION_LIFE, ROLES, fold, may, shares};
use crate::app::App;
use crate::b64::{self, Bytes};
use crate::convert::{Audited, actor};
use crate::error::{Error, Result};
use crate::http::{self, ok};
use crate::ledger::{Receipt, Tx};
use crate::safes::margins::{Holdings, Quorums};
use crate::touch::{self, SentAssertion, Signed, Touch, bad_statement};
use crate::who::{Custodian, Person, Pre};

/// The domain's routes under `/api/v1`.
pub fn api(cfg: &mut web::ServiceConfig) {
    cfg.route("/login/start", web::post().to(login_start))
        .route("/login/finish", web::post().to(login_finish))
        .route("/logout", web::post().to(logout))
        .route("/prove/start", web::post().to(prove_start))
        .route("/join/start", web::post().to(join_start))
        .route("/join/box", web::post().to(join_box))
        .route("/join/finish", web::post().to(join_finish))
        .route("/you", web::get().to(you))
        .route("/you/keys/start", web::post().to(key_start))
        .route("/you/keys/box", web::post().to(key_box))
        .route("/you/keys/finish", web::post().to(key_finish))
        .route("/you/keys/{key}/proved", web::post().to(key_proved))
        .route("/you/sessions/{id}", web::delete().to(end_session))
        .route("/you/shares", web::get().to(shares::list))
        .route("/you/keys/{key}/shares", web::post().to(shares::add))
        .route("/you/terminals", web::post().to(grant_terminal))
        .route("/terminals", web::get().to(collect_terminal))
        .route("/people", web::get().to(people))
        .route("/people", web::post().to(invite))
        .route("/people/{id}", web::get().to(person))
        .route("/people/{id}/roles", web::post().to(roles))
        .route("/keys/{id}/{act}", web::post().to(key_act))
        .route("/clock", web::post().to(accept_clock));
}

/// Where a browser without a session is sent.
pub fn sign_in_url(req: &HttpRequest) -> String {
    let path: String = req
        .uri()
        .path_and_query()
        .map_or_else(|| "/".into(), |p| p.as_str().to_owned());
    if path == "/" {
        "/sign-in".into()
    } else {
        format!(
            "/sign-in?to={}",
            url::form_urlencoded::byte_serialize(path.as_bytes()).collect::<String>()
        )
    }
}

async fn login_start(app: web::Data<App>) -> Result<HttpResponse> {
    let founding = app.ledger.founding()?.clone();
    let (token, nonce) = sessions::prepare(&app.ledger, Purpose::Login, None).await?;
    Ok(HttpResponse::Ok()
        .cookie(http::pre_cookie(&token))
        .json(json!({ "nonce": b64::encode(&nonce), "ledger": founding.ledger.to_string(), "rp_id": founding.rp_id })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    statement: String,
    credential_id: Bytes,
    assertion: SentAssertion,
    user_handle: Bytes,
}

async fn login_finish(
    app: web::Data<App>,
    req: HttpRequest,
    pre: Pre,
    body: web::Json<Login>,
) -> Result<HttpResponse> {
    let body = body.into_inner();
    let pre = sessions::take(&app.ledger, &pre.0, Purpose::Login).await?;
    let statement = touch::statement_of(&app.ledger, &body.statement)?;
    if !matches!(statement.kind, Kind::Login) || statement.nonce != pre.nonce {
        return Err(bad_statement("it is not the login this page was given"));
    }
    let unknown = || {
        Error::invalid(
            "Not signed in.",
            "This key is not enrolled here, or no longer signs.",
            "Use another key, or ask a custodian.",
        )
    };
    let key = store::key_by_credential(&app.ledger.db().pool, &body.credential_id.0)
        .await?
        .filter(Key::live)
        .ok_or_else(unknown)?;
    if body.user_handle.0 != key.user.as_bytes() {
        return Err(unknown());
    }
    let assertion = Assertion::from(&body.assertion);
    let counter = touch::check_assertion(
        &app.ledger,
        &key.public_key,
        body.statement.as_bytes(),
        &assertion,
    )?;
    touch::trust_counter(&app.ledger, &key, counter).await?;
    let used = key.clone();
    app.ledger
        .aside(move |tx| {
            Box::pin(async move { touch::use_key(tx, used.authenticator, counter, false).await })
        })
        .await?;
    let user = store::user_by_id(&app.ledger.db().pool, key.user)
        .await?
        .ok_or_else(unknown)?;
    signed_in(&app, &req, &user, &key).await
}

async fn signed_in(app: &App, req: &HttpRequest, user: &User, key: &Key) -> Result<HttpResponse> {
    let token = begin_session(app, req, user, key).await?;
    Ok(with_session(&token).json(json!({
        "user": user.user.to_string(), "name": user.name, "roles": user.roles, "clock_stopped": app.ledger.clock_stopped(),
    })))
}

async fn begin_session(app: &App, req: &HttpRequest, user: &User, key: &Key) -> Result<Token> {
    let key = key.authenticator.to_string();
    sessions::begin(&app.ledger, user.user, &key, &agent(req), false).await
}

/// An answer that sets the session, and takes the pre-session back.
fn with_session(token: &Token) -> actix_web::HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    answer
        .cookie(http::session_cookie(token))
        .cookie(http::forget(crate::who::PRE_COOKIE));
    answer
}

fn agent(req: &HttpRequest) -> String {
    req.headers()
        .get("user-agent")
        .and_then(|v| v.to_str().ok())
        .unwrap_or("a program")
        .to_owned()
}

async fn logout(app: web::Data<App>, who: Person) -> Result<HttpResponse> {
    sessions::end(&app.ledger, who.user, who.session.session.clone()).await?;
    Ok(HttpResponse::Ok()
        .cookie(http::forget(crate::who::COOKIE))
        .json(json!({})))
}

/// A nonce for a touch that only reads the PRF. While a key is being enrolled its pre-session stays as it is:
/// the statement never comes here, and what proves the key is the box that it opens.
async fn prove_start(app: web::Data<App>, req: HttpRequest) -> Result<HttpResponse> {
    if let Some(pre) = req
        .cookie(crate::who::PRE_COOKIE)
        .and_then(|c| Token::from_text(c.value()))
    {
        for purpose in [Purpose::Join, Purpose::Key] {
            if sessions::peek(&app.ledger, &pre, purpose).await.is_ok() {
                return ok(json!({ "nonce": b64::encode(&sessions::random()?) }));
            }
        }
    }
    let who = crate::who::person(&req).await?;
    let (token, nonce) = sessions::prepare(&app.ledger, Purpose::Prove, Some(who.user)).await?;
    Ok(HttpResponse::Ok()
        .cookie(http::pre_cookie(&token))
        .json(json!({ "nonce": b64::encode(&nonce) })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JoinStart {
    invitation: Bytes,
}

/// The person that a live invitation is for.
async fn invited(app: &App, token: &[u8]) -> Result<User> {
    let refused = || {
        Error::invalid(
            "This invitation does not work.",
            "It was used, it expired, or it was not typed as printed.",
            "Check every character, or ask the custodian who invited you for a new one.",
        )
    };
    if token.len() != 32 {
        return Err(refused());
    }
    let user = store::user_by_invitation(
        &app.ledger.db().pool,
        quorum::labelled("invitation", &[token]),
    )
    .await?
    .ok_or_else(refused)?;
    if user.expires.is_none_or(|e| e <= app.ledger.clock().now()) {
        return Err(refused());
    }
    Ok(user)
}

async fn join_start(app: web::Data<App>, body: web::Json<JoinStart>) -> Result<HttpResponse> {
    let user = invited(&app, &body.invitation.0).await?;
    let (token, nonce) = sessions::prepare(&app.ledger, Purpose::Join, Some(user.user)).await?;
    begin_registration(&app, &user, &token, &nonce, &[]).await
}

async fn begin_registration(
    app: &App,
    user: &User,
    token: &Token,
    nonce: &[u8; 32],
    keys: &[Key],
) -> Result<HttpResponse> {
    let founding = app.ledger.founding()?;
    Ok(HttpResponse::Ok().cookie(http::pre_cookie(token)).json(json!({
        "nonce": b64::encode(nonce), "user": user.user.to_string(), "name": user.name, "roles": user.roles,
        "ledger": founding.ledger.to_string(), "ledger_name": founding.name, "rp_id": founding.rp_id,
        "exclude": keys.iter().map(|k| b64::encode(&k.credential_id)).collect::<Vec<_>>(),
        "attestation": "direct", "keys_drill": app.config.keys.drill,
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BoxFor {
    share_key: Bytes,
}

async fn join_box(app: web::Data<App>, pre: Pre, body: web::Json<BoxFor>) -> Result<HttpResponse> {
    seal_box(&app, &pre, Purpose::Join, &body.share_key.0).await
}

async fn key_box(
    app: web::Data<App>,
    _who: Person,
    pre: Pre,
    body: web::Json<BoxFor>,
) -> Result<HttpResponse> {
    seal_box(&app, &pre, Purpose::Key, &body.share_key.0).await
}

/// Seals 32 random bytes to the share key that a page has derived; opening it proves the key.
async fn seal_box(
    app: &App,
    pre: &Pre,
    purpose: Purpose,
    share_key: &[u8],
) -> Result<HttpResponse> {
    let held = sessions::peek(&app.ledger, &pre.0, purpose).await?;
    let user = held
        .user
        .ok_or_else(|| Error::internal("a pre-session without a person"))?;
    let key = <[u8; 32]>::try_from(share_key)
        .map_err(|_| bad_statement("the share key has not 32 bytes"))?;
    let content = sessions::random()?;
    let sealed = enrol_box::seal(&key, &app.ledger.founding()?.ledger, user, &content)
        .map_err(|e| bad_statement(&e.to_string()))?;
    sessions::remember_box(
        &app.ledger,
        &pre.0,
        quorum::labelled("enrol-box-content", &[&content]),
        key.to_vec(),
    )
    .await?;
    ok(json!({ "box": b64::encode(&sealed) }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    #[serde(default)]
    invitation: Option<Bytes>,
    register: String,
    registration: SentRegistration,
    signed: Signed,
    #[serde(default, rename = "box")]
    opened: Option<Bytes>,
    #[serde(default)]
    admission: Option<Admission>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Admission {
    credential_id: Bytes,
    assertion: SentAssertion,
}

async fn join_finish(
    app: web::Data<App>,
    req: HttpRequest,
    pre: Pre,
    body: web::Json<Finish>,
) -> Result<HttpResponse> {
    let body = body.into_inner();
    let token = body
        .invitation
        .as_ref()
        .ok_or_else(|| bad_statement("the invitation is missing"))?;
    let user = invited(&app, &token.0).await?;
    let invitation = quorum::labelled("invitation", &[&token.0]);
    let held = sessions::take(&app.ledger, &pre.0, Purpose::Join).await?;
    let enrolment = Enrolment::check(&app, &user, held, &body, Some(invitation))?;
    let key = enrolment.key(user.user);
    let (key, receipt) = enrolment.record(&app, key, None).await?;
    let token = begin_session(&app, &req, &user, &key).await?;
    Ok(with_session(&token).json(json!({
        "user": user.user.to_string(), "name": user.name, "roles": user.roles, "authenticator": key.authenticator.to_string(),
        "software": key.software, "model": key.model, "seq": receipt.seq(),
    })))
}

async fn key_start(app: web::Data<App>, who: Person) -> Result<HttpResponse> {
    let user = store::user_by_id(&app.ledger.db().pool, who.user)
        .await?
        .ok_or(Error::SignIn)?;
    let keys = store::keys_of(&app.ledger.db().pool, who.user).await?;
    let (token, nonce) = sessions::prepare(&app.ledger, Purpose::Key, Some(who.user)).await?;
    begin_registration(&app, &user, &token, &nonce, &keys).await
}

async fn key_finish(
    app: web::Data<App>,
    who: Person,
    pre: Pre,
    body: web::Json<Finish>,
) -> Result<HttpResponse> {
    let body = body.into_inner();
    let user = store::user_by_id(&app.ledger.db().pool, who.user)
        .await?
        .ok_or(Error::SignIn)?;
    let held = sessions::take(&app.ledger, &pre.0, Purpose::Key).await?;
    if held.user != Some(who.user) {
        return Err(bad_statement("it was begun by somebody else"));
    }
    let sent = body.admission.as_ref().ok_or_else(|| {
        Error::invalid(
            "Not enrolled.",
            "A further key is admitted by one that you have.",
            "Touch the key you already use when the page asks for it.",
        )
    })?;
    let old = store::key_by_credential(&app.ledger.db().pool, &sent.credential_id.0)
        .await?
        .filter(|k| k.user == who.user)
        .ok_or_else(|| {
            Error::invalid(
                "Not enrolled.",
                "The admitting key is not one of yours.",
                "Use a key that your page lists.",
            )
        })?;
    old.must_be_live()?;
    let admitted = Assertion::from(&sent.assertion);
    let counter = touch::check_assertion(
        &app.ledger,
        &old.public_key,
        body.signed.statement.as_bytes(),
        &admitted,
    )?;
    touch::trust_counter(&app.ledger, &old, counter).await?;
    let enrolment = Enrolment::check(&app, &user, held, &body, None)?;
    let key = enrolment.key(user.user);
    let (key, receipt) = enrolment
        .record(&app, key, Some((old, admitted, counter)))
        .await?;
    ok(
        json!({ "user": user.user.to_string(), "authenticator": key.authenticator.to_string(), "software": key.software, "model": key.model, "seq": receipt.seq() }),
    )
}

/// A registration, its enrolment statement and its proof, all checked against each other.
struct Enrolment {
    enrol: Enrol,
    statement: Vec<u8>,
    nonce: [u8; 32],
    assertion: Assertion,
    counter: u32,
    registered: Registered,
    sent: SentRegistration,
    invitation: Option<quorum::Hash>,
}

impl Enrolment {
    fn check(
        app: &App,
        user: &User,
        held: sessions::Pre,
        body: &Finish,
        invitation: Option<quorum::Hash>,
    ) -> Result<Enrolment> {
        let register = touch::statement_of(&app.ledger, &body.register)?;
        match register.kind {
            Kind::Register {
                invitation: named,
                user: who,
            } if named == invitation && who == user.user && register.nonce == held.nonce => {}
            _ => {
                return Err(bad_statement(
                    "the registration is not the one that this page was given",
                ));
            }
        }
        let registered = app.trust.register(
            app.ledger.founding()?,
            &statement::challenge(body.register.as_bytes()),
            &body.registration,
        )?;
        if registered.software && !app.config.keys.drill {
            return Err(Error::invalid(
                "This key was not enrolled.",
                "It cannot prove that it is hardware of a maker on the trust list.",
                "Take a listed security key. For drills, `[keys] drill = true` lets software keys enrol for drill rosters.",
            ));
        }
        let statement = touch::statement_of(&app.ledger, &body.signed.statement)?;
        let Kind::Enrol(enrol) = statement.kind else {
            return Err(bad_statement("it is not an enrolment"));
        };
        let digest = quorum::labelled("registration", &[&registration_bytes(&body.registration)]);
        let same = enrol.user == user.user
            && statement.signer == Some(user.user)
            && enrol.name == user.name
            && enrol.invitation == invitation
            && enrol.registration_sha256 == digest
            && enrol.credential_id == registered.credential_id
            && enrol.public_key.as_slice() == registered.public_key.as_slice()
            && enrol.aaguid == registered.aaguid
            && body.signed.credential_id.0 == registered.credential_id;
        if !same {
            return Err(bad_statement(
                "it does not name the key that was registered",
            ));
        }
        proved(&enrol, &held, body.opened.as_ref())?;
        let assertion = Assertion::from(&body.signed.assertion);
        let counter = touch::check_assertion(
            &app.ledger,
            &registered.public_key,
            body.signed.statement.as_bytes(),
            &assertion,
        )?;
        let sent = SentRegistration {
            attestation_object: body.registration.attestation_object.clone(),
            client_data_json: body.registration.client_data_json.clone(),
        };
        Ok(Enrolment {
            enrol,
            statement: body.signed.statement.clone().into_bytes(),
            nonce: statement.nonce,
            assertion,
            counter,
            registered,
            sent,
            invitation,
        })
    }

    fn key(&self, user: UserId) -> Key {
        Key {
            authenticator: self.enrol.authenticator,
            user,
            credential_id: self.registered.credential_id.clone(),
            public_key: self.registered.public_key.clone(),
            share_key: self.enrol.share_key.map(|k| k.to_vec()),
            name: self
                .registered
                .model
                .clone()
                .unwrap_or_else(|| "Software key".into()),
            model: self.registered.model.clone(),
            software: self.registered.software,
            enrolled: 0,
            created: 0,
            revoked: None,
            suspended: None,
            proved_at: None,
            counter: self.counter.max(self.registered.counter),
        }
    }

    async fn record(
        self,
        app: &App,
        key: Key,
        admission: Option<(Key, Assertion, u32)>,
    ) -> Result<(Key, Receipt)> {
        let invitation = self.invitation;
        app.ledger
            .write(move |tx| {
                Box::pin(async move {
                    let mut key = key;
                    if let Some(hash) = invitation {
                        let still = store::user_by_invitation(&mut *tx.conn(), hash).await?;
                        if still.is_none_or(|u| {
                            u.user != key.user || u.expires.is_none_or(|e| e <= tx.now())
                        }) {
                            return Err(Error::conflict(
                                "Not enrolled.",
                                "This invitation was used meanwhile.",
                                "Sign in with the key that was enrolled.",
                            ));
                        }
                    }
                    let admission = match admission {
                        Some((old, assertion, counter)) => {
                            touch::use_key(tx, old.authenticator, counter, false).await?;
                            Some(audit::event::Admission {
                                assertion: touch::event_assertion(&assertion),
                                authenticator: old.authenticator.audited(),
                            })
                        }
                        None => None,
                    };
                    tx.use_nonce(&self.nonce).await?;
                    let event = Event::AuthenticatorEnrolled(Box::new(audit::event::Enrolment {
                        signed: audit::event::Signed {
                            authenticator: key.authenticator.audited(),
                            statement: self.statement,
                            assertion: touch::event_assertion(&self.assertion),
                        },
                        registration: audit::event::Registration {
                            attestation_object: self.sent.attestation_object.0,
                            client_data_json: self.sent.client_data_json.0,
                        },
                        admission,
                    }));
                    let done =
                        tx.record(actor(key.user), event, &[&key.authenticator, &key.user])?;
                    key.enrolled = done.seq();
                    key.created = done.time();
                    key.proved_at = key.share_key.as_ref().map(|_| done.time());
                    store::add_key(tx.conn(), &key, self.registered.aaguid).await?;
                    Ok(done.with(key))
                })
            })
            .await
    }
}

/// A share key counts only when the page opened the box that was sealed to it.
fn proved(enrol: &Enrol, held: &sessions::Pre, opened: Option<&Bytes>) -> Result<()> {
    let Some(share_key) = enrol.share_key else {
        return Ok(());
    };
    let matches = match (opened, &held.box_digest, &held.share_key) {
        (Some(opened), Some(digest), Some(key)) => {
            let seen = quorum::labelled("enrol-box-content", &[&opened.0]);
            bool::from(seen.0.ct_eq(&digest.0)) && key.as_slice() == share_key.as_slice()
        }
        _ => false,
    };
    if matches {
        return Ok(());
    }
    Err(Error::invalid(
        "Not enrolled.",
        "The key did not open the box that was sealed to it, so it could not open a share either.",
        "Try again with the same key; if it stays, this browser or key gives no stable PRF result.",
    ))
}

/// `H("registration", ..)` is over the canonical bytes of the two members.
fn registration_bytes(r: &SentRegistration) -> Vec<u8> {
    let mut members = std::collections::BTreeMap::new();
    members.insert(
        "attestation_object".to_owned(),
        quorum::json::Value::Str(b64::encode(&r.attestation_object.0)),
    );
    members.insert(
        "client_data_json".to_owned(),
        quorum::json::Value::Str(b64::encode(&r.client_data_json.0)),
    );
    quorum::json::encode(&quorum::json::Value::Obj(members))
}

/// A share check: that very key was touched for the nonce that its owner's page was given. Whether it opened its share, the
/// page alone knows.
async fn key_proved(
    app: web::Data<App>,
    who: Person,
    pre: Pre,
    key: web::Path<String>,
    body: web::Json<OneSigned>,
) -> Result<HttpResponse> {
    let signed = &body.signed;
    let held = sessions::take(&app.ledger, &pre.0, Purpose::Prove).await?;
    let statement = touch::statement_of(&app.ledger, &signed.statement)?;
    let own = matches!(statement.kind, Kind::Prove { user } if user == who.user);
    if !own || held.user != Some(who.user) || statement.nonce != held.nonce {
        return Err(bad_statement("it is not the check this page was given"));
    }
    let key = store::key_by_credential(&app.ledger.db().pool, &signed.credential_id.0)
        .await?
        .filter(|k| k.user == who.user && k.authenticator.to_string() == *key)
        .ok_or_else(|| bad_statement("another key was touched"))?;
    key.must_be_live()?;
    let counter = touch::check_assertion(
        &app.ledger,
        &key.public_key,
        signed.statement.as_bytes(),
        &Assertion::from(&signed.assertion),
    )?;
    touch::trust_counter(&app.ledger, &key, counter).await?;
    app.ledger
        .aside(move |tx| {
            Box::pin(async move { touch::use_key(tx, key.authenticator, counter, true).await })
        })
        .await?;
    ok(json!({}))
}

async fn you(app: web::Data<App>, who: Person) -> Result<HttpResponse> {
    let sessions = sessions::list(&app.ledger.db().pool, who.user).await?;
    let mut value = described(&app, who.user).await?;
    let sessions: serde_json::Value = sessions
        .iter()
        .map(|s| {
            json!({ "session": s.session, "agent": s.agent, "terminal": s.terminal, "created": s.created, "seen": s.seen,
                    "this": s.session == who.session.session })
        })
        .collect();
    if let Some(members) = value.as_object_mut() {
        members.insert("sessions".into(), sessions);
    }
    ok(value)
}

async fn end_session(
    app: web::Data<App>,
    who: Person,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    if sessions::end(&app.ledger, who.user, id.into_inner()).await? {
        ok(json!({}))
    } else {
        Err(Error::missing("session"))
    }
}

async fn described(app: &App, id: UserId) -> Result<serde_json::Value> {
    let pool = &app.ledger.db().pool;
    let user = store::user_by_id(pool, id)
        .await?
        .ok_or_else(|| Error::missing("person"))?;
    let keys = store::keys_of(pool, id).await?;
    Ok(json!({
        "user": user.user.to_string(), "name": user.name, "roles": user.roles,
        "invited": user.invitation.is_some(), "expires": user.expires,
        "keys": keys.iter().map(|k| json!({
            "authenticator": k.authenticator.to_string(), "name": k.name, "credential_id": b64::encode(&k.credential_id), "model": k.model,
            "software": k.software, "share": k.share_key.is_some(), "live": k.live(), "created": k.created, "revoked": k.revoked.is_some(),
            "suspended": k.suspended.is_some(), "proved_at": k.proved_at,
        })).collect::<Vec<_>>(),
    }))
}

async fn people(app: web::Data<App>, _who: Person) -> Result<HttpResponse> {
    let mut list = Vec::new();
    for user in store::users(&app.ledger.db().pool).await? {
        list.push(described(&app, user.user).await?);
    }
    ok(json!({ "people": list }))
}

async fn person(app: web::Data<App>, _who: Person, id: web::Path<String>) -> Result<HttpResponse> {
    ok(described(&app, id.parse().map_err(|_| Error::missing("person"))?).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OneSigned {
    signed: Signed,
}

async fn invite(
    app: web::Data<App>,
    who: Custodian,
    body: web::Json<OneSigned>,
) -> Result<HttpResponse> {
    let touch = Touch::check(&app.ledger, who.user, &body.signed).await?;
    let Kind::Invite(invite) = touch.statement.kind.clone() else {
        return Err(bad_statement("it is not an invitation"));
    };
    may(&who, &touch.statement.kind)?;
    let now = app.ledger.clock().now();
    if invite.expires <= now || invite.expires > now + INVITATION_LIFE {
        return Err(Error::invalid(
            "Not invited.",
            "An invitation may wait up to 14 days.",
            "Choose an earlier end.",
        ));
    }
    let folded = fold(&invite.name);
    let ((), receipt) = app
        .ledger
        .write(move |tx| {
            Box::pin(async move {
                touch.spend(tx).await?;
                let event = Event::PersonInvited(touch.signed());
                let done = tx.record(actor(touch.user), event, &[&invite.user])?;
                let now = done.time();
                let user = User {
                    user: invite.user,
                    name: invite.name,
                    roles: invite.roles.iter().map(ToString::to_string).collect(),
                    invitation: Some(invite.invitation),
                    expires: Some(invite.expires),
                    invited: done.seq(),
                };
                store::add_user(tx.conn(), &user, &folded, now).await?;
                Ok(done)
            })
        })
        .await?;
    ok(json!({ "seq": receipt.seq() }))
}

async fn roles(
    app: web::Data<App>,
    who: Custodian,
    id: web::Path<String>,
    body: web::Json<OneSigned>,
) -> Result<HttpResponse> {
    let touch = Touch::check(&app.ledger, who.user, &body.signed).await?;
    let Kind::Roles(change) = touch.statement.kind.clone() else {
        return Err(bad_statement("it is not a change of roles"));
    };
    if change.user.to_string() != id.into_inner() {
        return Err(bad_statement("it names somebody else"));
    }
    let roles: Vec<String> = change.roles.iter().map(ToString::to_string).collect();
    if roles.iter().any(|r| !ROLES.contains(&r.as_str())) {
        return Err(bad_statement("it names an unknown role"));
    }
    let user = change.user;
    let ((), receipt) = app
        .ledger
        .write(move |tx| {
            Box::pin(async move {
                touch.spend(tx).await?;
                let event = Event::PersonRoles(touch.signed());
                let done = tx.record(actor(touch.user), event, &[&user])?;
                // An invitation that lapsed unused frees the user: there is nobody to give roles to.
                let changed = sqlx::query(
                    "UPDATE users SET roles = $1 WHERE user_id = $2 AND (invitation IS NULL OR expires > $3)",
                )
                .bind(roles.join(" "))
                .bind(user.to_string())
                .bind(done.time())
                .execute(tx.conn())
                .await?;
                if changed.rows_affected() == 0 {
                    return Err(Error::missing("person"));
                }
                must_leave_a_custodian(tx).await?;
                Ok(done)
            })
        })
        .await?;
    ok(json!({ "seq": receipt.seq() }))
}

async fn key_act(
    app: web::Data<App>,
    who: Person,
    path: web::Path<(String, String)>,
    body: web::Json<OneSigned>,
) -> Result<HttpResponse> {
    let (id, act) = path.into_inner();
    let key = store::key_by_id(
        &app.ledger.db().pool,
        id.parse().map_err(|_| Error::missing("key"))?,
    )
    .await?
    .ok_or_else(|| Error::missing("key"))?;
    let touch = Touch::check(&app.ledger, who.user, &body.signed).await?;
    may(&who, &touch.statement.kind)?;
    let (named, event) = match (&touch.statement.kind, act.as_str()) {
        (Kind::Revoke(k), "revoke") => (k.clone(), Event::AuthenticatorRevoked(touch.signed())),
        (Kind::Suspend(k), "suspend") => (k.clone(), Event::AuthenticatorSuspended(touch.signed())),
        (Kind::Unsuspend(k), "unsuspend") => {
            (k.clone(), Event::AuthenticatorRestored(touch.signed()))
        }
        _ => return Err(bad_statement("it is another act than this address")),
    };
    if named.authenticator != key.authenticator || named.user != key.user {
        return Err(bad_statement("it names another key"));
    }
    let safes = match act.as_str() {
        "revoke" if key.user != who.user => approves_for(&app, key.user).await?,
        _ => Vec::new(),
    };
    let ((), receipt) = app
        .ledger
        .write(move |tx| {
            Box::pin(async move {
                sinks_nothing(tx, &safes, key.authenticator).await?;
                touch.spend(tx).await?;
                let done = tx.record(actor(touch.user), event, &[&key.authenticator, &key.user])?;
                match act.as_str() {
                    "suspend" => store::suspend(tx.conn(), key.authenticator, done.seq()).await?,
                    "unsuspend" => restore(tx, key.authenticator, done.seq()).await?,
                    _ => {
                        let before = store::live_custodians(tx.conn()).await?;
                        revoke(tx, key.authenticator, done.seq()).await?;
                        if before > 0 {
                            must_leave_a_custodian(tx).await?;
                        }
                    }
                }
                Ok(done)
            })
        })
        .await?;
    ok(json!({ "seq": receipt.seq() }))
}

/// Refuses to leave nobody who could admit people, give a role back or let a key sign again (promise P9).
async fn must_leave_a_custodian(tx: &mut Tx) -> Result<()> {
    if store::live_custodians(tx.conn()).await? > 0 {
        return Ok(());
    }
    Err(Error::conflict(
        "Not changed.",
        "Nobody would be left who is a custodian and has a key that signs.",
        "Make somebody else a custodian first, or enrol another key.",
    ))
}

/// Refuses to end somebody else's key for good where fewer people could then sign, or open what is sealed already, than that
/// needs (promise P9). Its owner may end it at any time, and anybody's key can be suspended. Asked in the very transaction:
/// another key may have ended a moment ago.
async fn sinks_nothing(tx: &mut Tx, safes: &[Quorums], key: AuthenticatorId) -> Result<()> {
    for quorums in safes {
        quorums.still(tx.conn()).await?;
        let holdings = Holdings::of(tx.conn(), quorums.safe()).await?;
        let before = quorums.able(&holdings, None)?;
        let after = quorums.able(&holdings, Some(key))?;
        let sunk = after.iter().zip(&before).find(|(a, b)| a.sunk_from(b));
        if let Some((sunk, _)) = sunk {
            return Err(Error::conflict(
                "Not revoked.",
                format!(
                    "{} would be left with fewer people who can open it than it needs.",
                    sunk.what
                ),
                "Suspend the key, change the safe’s roster first, then revoke it.",
            ));
        }
    }
    Ok(())
}

/// The safes that the owner of a key approves for.
async fn approves_for(app: &App, user: UserId) -> Result<Vec<Quorums>> {
    let mut list = Vec::new();
    for safe in crate::safes::store::all(&app.ledger.db().pool).await? {
        list.push(Quorums::of(app, safe.safe).await?);
    }
    list.retain(|quorums| quorums.names(user));
    Ok(list)
}

async fn restore(tx: &mut Tx, key: AuthenticatorId, seq: u64) -> Result<()> {
    let done = sqlx::query("UPDATE authenticators SET suspended = NULL WHERE authenticator = $1 AND suspended IS NOT NULL AND revoked IS NULL")
        .bind(key.to_string())
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        return Err(Error::conflict(
            "Nothing was done.",
            "That key is not suspended.",
            "Reload the page to see its state.",
        ));
    }
    sqlx::query("UPDATE suspensions SET to_seq = $1 WHERE authenticator = $2 AND to_seq IS NULL")
        .bind(store::at(seq))
        .bind(key.to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}

async fn revoke(tx: &mut Tx, key: AuthenticatorId, seq: u64) -> Result<()> {
    let done = sqlx::query(
        "UPDATE authenticators SET revoked = $1 WHERE authenticator = $2 AND revoked IS NULL",
    )
    .bind(store::at(seq))
    .bind(key.to_string())
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::conflict(
            "Nothing was done.",
            "That key was revoked before.",
            "Reload the page to see its state.",
        ));
    }
    Ok(())
}

async fn accept_clock(
    app: web::Data<App>,
    who: Person,
    body: web::Json<OneSigned>,
) -> Result<HttpResponse> {
    let touch = Touch::check(&app.ledger, who.user, &body.signed).await?;
    let Kind::Clock(clock) = touch.statement.kind.clone() else {
        return Err(bad_statement("it does not accept the clock"));
    };
    if !app.ledger.clock_stopped() {
        return Err(Error::conflict(
            "Nothing was done.",
            "The clock needs no accepting now.",
            "Go on.",
        ));
    }
    let ((), receipt) = app
        .ledger
        .write_any(move |tx| {
            Box::pin(async move {
                let now = tx.now();
                if clock.entry != tx.prev()
                    || now < clock.time
                    || now > clock.time + crate::clock::DAY
                {
                    return Err(Error::conflict(
                        "Not accepted.",
                        "The time or the ledger moved meanwhile.",
                        "Reload the page and compare again.",
                    ));
                }
                touch.spend(tx).await?;
                let event = Event::ClockAccepted(touch.signed());
                tx.record(actor(touch.user), event, &[&touch.user])
            })
        })
        .await?;
    app.ledger.clock_accepted(&receipt); // a start that could not be entered is entered now (startup.rs)
    ok(json!({ "seq": receipt.seq() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Terminal {
    poll: String,
    label: String,
}

/// A signed-in person lets a terminal have a session: the terminal showed the link, and polls.
async fn grant_terminal(
    app: web::Data<App>,
    who: Person,
    body: web::Json<Terminal>,
) -> Result<HttpResponse> {
    if who.session.terminal {
        return Err(Error::forbidden(
            "Not done.",
            "A terminal's session ends after its time; it cannot make another.",
            "Open the link in a browser and touch your key there.",
        ));
    }
    let poll: quorum::Hash = body
        .poll
        .parse()
        .map_err(|_| bad_statement("the link is not complete"))?;
    let (user, key, label, until) = (
        who.user,
        who.session.authenticator.clone(),
        body.label.chars().take(80).collect::<String>(),
        app.ledger.clock().now() + sessions::NONCE,
    );
    app.ledger
        .aside(move |tx| {
            Box::pin(async move {
                sqlx::query("INSERT INTO terminals (poll, user_id, authenticator, label, expires) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING")
                    .bind(poll.0.to_vec())
                    .bind(user.to_string())
                    .bind(key)
                    .bind(label)
                    .bind(until)
                    .execute(tx.conn())
                    .await?;
                Ok(())
            })
        })
        .await?;
    ok(json!({}))
}

async fn collect_terminal(app: web::Data<App>, req: HttpRequest) -> Result<HttpResponse> {
    use sqlx::Row;
    let poll = crate::requests::poll::of(&req)?.digest("poll");
    let now = app.ledger.clock().now();
    let found = app
        .ledger
        .aside(move |tx| {
            Box::pin(async move {
                let row = sqlx::query("SELECT user_id, authenticator, label FROM terminals WHERE poll = $1 AND expires > $2")
                    .bind(poll.0.to_vec())
                    .bind(now)
                    .fetch_optional(tx.conn())
                    .await?;
                sqlx::query("DELETE FROM terminals WHERE poll = $1 OR expires <= $2").bind(poll.0.to_vec()).bind(now).execute(tx.conn()).await?;
                row.map(|r| Ok((r.try_get::<String, _>(0)?, r.try_get::<String, _>(1)?, r.try_get::<String, _>(2)?))).transpose()
            })
        })
        .await?;
    match found {
        None => ok(json!({ "waiting": true })),
        Some((user, key, label)) => {
            let user: UserId = store::id(&user)?;
            let token = sessions::begin(&app.ledger, user, &key, &label, true).await?;
            let name = store::user_by_id(&app.ledger.db().pool, user)
                .await?
                .map(|u| u.name)
                .unwrap_or_default();
            ok(
                json!({ "waiting": false, "token": token.expose().as_str(), "user": user.to_string(), "name": name }),
            )
        }
    }
}
