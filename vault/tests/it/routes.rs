//! P12: every route that the sources register, for everybody who could call it, in one table.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};

use drills::client::{By, Client, Person, ReleaseAsk, b64};

use quorum::Hash;
use quorum::ids::{CredentialId, SafeId, UserId};
use quorum::statement::{
    Acceptance, Approval, Clock, Decision, Import, Invite, KeyAct, Kind, Purpose, Role, Roles,
    RosterPurpose, SecretKind,
};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::app::{House, TestApp, Under, admit};

/// Who calls, in the order of the table's columns.
const WHO: [&str; 6] = [
    "nobody",
    "requester",
    "approver",
    "custodian",
    "auditor",
    "operator",
];

const ANYBODY: [&str; 6] = ["ok"; 6];
const SIGNED_IN: [&str; 6] = ["401", "ok", "ok", "ok", "ok", "ok"];
const CUSTODIANS: [&str; 6] = ["401", "403", "403", "ok", "403", "403"];
const ROTATORS: [&str; 6] = ["401", "403", "403", "ok", "403", "ok"];
const CONCERNED: [&str; 6] = ["401", "ok", "ok", "ok", "ok", "403"];
const WHO_ASKED: [&str; 6] = ["401", "ok", "403", "403", "403", "403"];
const ROSTERED: [&str; 6] = ["401", "403", "ok", "403", "403", "403"];

/// What a call carries.
#[derive(Clone, Copy)]
enum Body {
    /// Nothing at all.
    None,
    /// `{}`; the address reads no body.
    Empty,
    /// This text, of the right shape.
    Shape(&'static str),
    /// `{"signed": ..}`, touched by the caller for this very call.
    Signed(fn(&Scene, &Person) -> Kind),
    /// A filing, touched by the caller.
    Filing(fn(&Scene) -> Purpose),
    /// An approval of the scene's request, touched by the caller, with a share that is too short.
    Approval,
}
use Body::{Empty, Filing, None as Nothing, Shape, Signed};

/// Method, route as registered, what stands in its places, body, and what each column gets.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    Body,
    [&'static str; 6],
);

const LOGIN: &str = r#"{"statement":"{}","credential_id":"AA","assertion":{"authenticator_data":"AA","client_data_json":"AA","signature":"AA"},"user_handle":"AA"}"#;
const SIGNED: &str = r#"{"signed":{"statement":"{}","credential_id":"AA","assertion":{"authenticator_data":"AA","client_data_json":"AA","signature":"AA"}}}"#;
const FINISH: &str = r#"{"register":"{}","registration":{"attestation_object":"AA","client_data_json":"AA"},"signed":{"statement":"{}","credential_id":"AA","assertion":{"authenticator_data":"AA","client_data_json":"AA","signature":"AA"}}}"#;

/// Every route under `/api/v1`, and those that are no pages.
#[rustfmt::skip]
const API: &[Row] = &[
    ("GET", "/healthz", "", Nothing, ANYBODY),
    ("GET", "/assets/{name:.*}", "style.css", Nothing, ANYBODY),
    ("GET", "/api/v1/ledger", "", Nothing, ANYBODY),
    ("GET", "/api/v1/ledger/checkpoint", "", Nothing, SIGNED_IN),
    ("GET", "/api/v1/ledger/entries", "", Nothing, SIGNED_IN),
    ("GET", "/api/v1/ledger/entries/{seq}", "0", Nothing, SIGNED_IN),
    ("POST", "/api/v1/login/start", "", Empty, ANYBODY),
    ("POST", "/api/v1/login/finish", "", Shape(LOGIN), ANYBODY),
    ("POST", "/api/v1/prove/start", "", Empty, SIGNED_IN),
    ("POST", "/api/v1/join/start", "", Shape(r#"{"invitation":"AA"}"#), ANYBODY),
    ("POST", "/api/v1/join/box", "", Shape(r#"{"share_key":"AA"}"#), ANYBODY),
    ("POST", "/api/v1/join/finish", "", Shape(FINISH), ANYBODY),
    ("GET", "/api/v1/you", "", Nothing, SIGNED_IN),
    ("POST", "/api/v1/you/keys/start", "", Empty, SIGNED_IN),
    ("POST", "/api/v1/you/keys/box", "", Shape(r#"{"share_key":"AA"}"#), SIGNED_IN),
    ("POST", "/api/v1/you/keys/finish", "", Shape(FINISH), SIGNED_IN),
    ("POST", "/api/v1/you/keys/{key}/proved", "none", Shape(SIGNED), SIGNED_IN),
    ("GET", "/api/v1/you/shares", "", Nothing, SIGNED_IN),
    ("POST", "/api/v1/you/keys/{key}/shares", "none", Shape(r#"{"shares":[{"credential":"00","version":1,"sealed":"AA"}]}"#), SIGNED_IN),
    ("DELETE", "/api/v1/you/sessions/{id}", "none", Nothing, SIGNED_IN),
    ("POST", "/api/v1/you/terminals", "", Shape(r#"{"poll":"00","label":"a terminal"}"#), SIGNED_IN),
    ("GET", "/api/v1/terminals", "", Nothing, ["401"; 6]), // by poll secret alone: see below
    ("GET", "/api/v1/people", "", Nothing, SIGNED_IN),
    ("POST", "/api/v1/people", "", Signed(invite), CUSTODIANS),
    ("GET", "/api/v1/people/{id}", "victim", Nothing, SIGNED_IN),
    ("POST", "/api/v1/people/{id}/roles", "victim", Signed(roles), CUSTODIANS),
    ("POST", "/api/v1/keys/{id}/{act}", "key suspend", Signed(|s, _| Kind::Suspend(s.act())), CUSTODIANS),
    ("POST", "/api/v1/keys/{id}/{act}", "key unsuspend", Signed(|s, _| Kind::Unsuspend(s.act())), CUSTODIANS),
    ("POST", "/api/v1/keys/{id}/{act}", "key revoke", Signed(|s, _| Kind::Revoke(s.act())), CUSTODIANS),
    ("POST", "/api/v1/clock", "", Signed(clock), SIGNED_IN),
    ("GET", "/api/v1/safes", "", Nothing, SIGNED_IN),
    ("GET", "/api/v1/safes/{id}", "safe", Nothing, SIGNED_IN),
    ("POST", "/api/v1/safes/{id}/credentials", "safe", Shape(r#"{"credential":"00000000-0000-4000-8000-000000000001","name":"another","kind":"token"}"#), CUSTODIANS),
    ("POST", "/api/v1/safes/{id}/drills", "safe", Shape(r#"{"outcome":"passed","report_sha256":"00"}"#), CUSTODIANS),
    ("GET", "/api/v1/credentials", "", Nothing, SIGNED_IN),
    ("GET", "/api/v1/credentials/{id}", "credential", Nothing, SIGNED_IN),
    ("POST", "/api/v1/credentials/{id}/generate", "credential", Shape("{}"), CUSTODIANS),
    ("POST", "/api/v1/credentials/{id}/import", "credential", Shape(r#"{"safe":"00","value":"from outside"}"#), CUSTODIANS),
    ("POST", "/api/v1/credentials/{id}/import/finish", "credential", Signed(import), CUSTODIANS),
    ("POST", "/api/v1/credentials/{id}/target", "credential", Shape(r#"{"account":"a","address":"nowhere","connector":"postgresql","pin":"unix"}"#), CUSTODIANS),
    ("GET", "/api/v1/targets/{id}/sql", "none", Nothing, CUSTODIANS),
    ("POST", "/api/v1/credentials/{id}/rotate", "credential", Empty, ROTATORS),
    ("GET", "/api/v1/credentials/{id}/rotation", "credential", Nothing, SIGNED_IN),
    ("POST", "/api/v1/requests", "", Filing(release), WHO_ASKED),
    ("POST", "/api/v1/requests", "", Filing(roster), CUSTODIANS),
    ("GET", "/api/v1/requests", "", Nothing, SIGNED_IN),
    ("GET", "/api/v1/requests/{id}", "request", Nothing, SIGNED_IN),
    ("GET", "/api/v1/requests/{id}/events", "request", Nothing, SIGNED_IN),
    ("GET", "/api/v1/requests/{id}/evidence", "request", Nothing, CONCERNED),
    ("POST", "/api/v1/requests/{id}/decisions", "request", Body::Approval, ROSTERED),
    ("POST", "/api/v1/requests/{id}/acceptances", "request", Signed(acceptance), SIGNED_IN),
    ("GET", "/api/v1/requests/{id}/shares", "request", Nothing, WHO_ASKED),
    ("POST", "/api/v1/requests/{id}/shares/refused", "request", Shape(r#"{"approver":"00"}"#), WHO_ASKED),
    ("POST", "/api/v1/requests/{id}/open", "request", Empty, WHO_ASKED),
    ("POST", "/api/v1/requests/{id}/check-in", "request", Empty, WHO_ASKED),
    ("POST", "/api/v1/requests/{id}/withdraw", "request", Empty, WHO_ASKED),
    ("GET", "/readyz", "", Nothing, ANYBODY),
    ("POST", "/api/v1/logout", "", Empty, SIGNED_IN),
];

/// Every page, and every form of a page without a script.
#[rustfmt::skip]
const PAGES: &[Row] = &[
    ("GET", "/sign-in", "", Nothing, ANYBODY),
    ("GET", "/join", "", Nothing, ANYBODY),
    ("GET", "/break/link", "", Nothing, ANYBODY),
    ("GET", "/", "", Nothing, SIGNED_IN),
    ("GET", "/break", "", Nothing, SIGNED_IN),
    ("GET", "/r/{code}", "code", Nothing, SIGNED_IN),
    ("GET", "/requests", "", Nothing, SIGNED_IN),
    ("GET", "/requests/{id}", "request", Nothing, SIGNED_IN),
    ("GET", "/requests/{id}/approve", "request", Nothing, SIGNED_IN),
    ("GET", "/requests/{id}/deny", "request", Nothing, SIGNED_IN),
    ("GET", "/requests/{id}/accept", "request", Nothing, SIGNED_IN),
    ("GET", "/requests/{id}/opened", "request", Nothing, WHO_ASKED),
    ("POST", "/requests/{id}/check-in", "request", Empty, WHO_ASKED),
    ("POST", "/requests/{id}/withdraw", "request", Empty, WHO_ASKED),
    ("GET", "/safes", "", Nothing, SIGNED_IN),
    ("GET", "/safes/new", "", Nothing, CUSTODIANS),
    ("GET", "/safes/{id}", "safe", Nothing, SIGNED_IN),
    ("GET", "/safes/{id}/roster", "safe", Nothing, CUSTODIANS),
    ("GET", "/safes/{safe}/credentials/new", "safe", Nothing, CUSTODIANS),
    ("GET", "/safes/{safe}/credentials/{id}", "safe credential", Nothing, SIGNED_IN),
    ("GET", "/safes/{safe}/credentials/{id}/import", "safe credential", Nothing, CUSTODIANS),
    ("GET", "/safes/{safe}/credentials/{id}/target", "safe credential", Nothing, CUSTODIANS),
    ("GET", "/ledger", "", Nothing, SIGNED_IN),
    ("GET", "/ledger/{seq}", "0", Nothing, SIGNED_IN),
    ("GET", "/clock", "", Nothing, SIGNED_IN),
    ("GET", "/people", "", Nothing, SIGNED_IN),
    ("GET", "/people/{id}", "victim", Nothing, SIGNED_IN),
    ("GET", "/you", "", Nothing, SIGNED_IN),
    ("GET", "/you/keys", "", Nothing, SIGNED_IN),
    ("GET", "/you/card", "", Nothing, SIGNED_IN),
    ("GET", "/you/terminal", "", Nothing, SIGNED_IN),
    ("POST", "/you/sessions/{id}/end", "none", Empty, SIGNED_IN),
    ("POST", "/logout", "", Empty, SIGNED_IN),
];

fn invite(_: &Scene, _: &Person) -> Kind {
    Kind::Invite(Invite {
        expires: drills::client::now_us() + 3_600_000_000,
        invitation: Hash(*b"an invitation that nobody will h"),
        name: "Somebody New".into(),
        roles: vec![Role::Auditor],
        user: UserId::from_uuid_bytes(*uuid::Uuid::now_v7().as_bytes()),
    })
}

fn roles(scene: &Scene, _: &Person) -> Kind {
    Kind::Roles(Roles {
        roles: vec![Role::Operator],
        user: scene.victim.user,
    })
}

fn clock(_: &Scene, _: &Person) -> Kind {
    Kind::Clock(Clock {
        entry: Hash::ZERO,
        time: drills::client::now_us(),
        why: "It is right.".into(),
    })
}

fn import(scene: &Scene, _: &Person) -> Kind {
    Kind::Import(Import {
        credential: scene.house.credential,
        envelope: Hash::ZERO,
        safe: scene.house.safe,
        version: 2,
    })
}

fn acceptance(scene: &Scene, who: &Person) -> Kind {
    Kind::Acceptance(Acceptance {
        authenticator: who.keys[0].authenticator,
        entry: scene.release.filed.leaf,
        subject: scene.subject(),
    })
}

fn release(scene: &Scene) -> Purpose {
    scene.release.filed.asked.purpose.clone()
}

fn roster(scene: &Scene) -> Purpose {
    let people: Vec<&Person> = scene.house.approvers.iter().collect();
    let new = drills::client::NewSafe::drill("Another safe", 2, 3).roster(1, &people);
    Purpose::Roster(RosterPurpose { new })
}

struct Scene {
    house: House,
    http: reqwest::Client,
    /// One of each, in the order of the columns after `nobody`.
    people: Vec<Person>,
    victim: Person,
    release: drills::client::Release,
    filing: Value,
}

impl Scene {
    async fn new(under: Under) -> Scene {
        let mut house = House::furnished(under).await;
        let mut people = Vec::new();
        for (name, role) in [
            ("Custodian Alone", Role::Custodian),
            ("Auditor Alone", Role::Auditor),
            ("Operator Alone", Role::Operator),
            ("Victim", Role::Auditor),
        ] {
            people.push(admit(&house.client, &house.custodian, &house.maker, name, &[role]).await);
        }
        let victim = people.pop().unwrap();
        let release = house.ask().await;
        let approver = house.approvers.remove(0);
        let engineer = std::mem::replace(
            &mut house.engineer,
            Person {
                user: victim.user,
                name: String::new(),
                keys: Vec::new(),
                session: None,
                pinned: None,
            },
        );
        people.insert(0, engineer);
        people.insert(1, approver);
        let lines = house
            .client
            .lines(&house.custodian, &release.filed.seq.to_string())
            .await
            .unwrap();
        assert_eq!(lines[0].event, "request.filed");
        let entry = house
            .client
            .get(
                &format!("/ledger/entries/{}", release.filed.seq),
                house.custodian.by(),
            )
            .await
            .unwrap()
            .body;
        let filing: Value = serde_json::from_str(entry["entry"].as_str().unwrap()).unwrap();
        Scene {
            house,
            http: http(),
            people,
            victim,
            release,
            filing,
        }
    }

    fn act(&self) -> KeyAct {
        KeyAct {
            authenticator: self.victim.keys[0].authenticator,
            user: self.victim.user,
            why: "For the table.".into(),
        }
    }

    fn subject(&self) -> quorum::json::Value {
        let statement = self.filing["data"]["statement"].as_str().unwrap();
        quorum::json::parse(statement.as_bytes()).unwrap()
    }

    fn caller(&self, column: usize) -> Option<&Person> {
        column.checked_sub(1).map(|i| &self.people[i])
    }

    fn custodian(&self) -> &Person {
        &self.people[2]
    }

    /// The route with its places filled.
    fn path(&self, route: &str, words: &str) -> String {
        let mut words = words.split(' ');
        let mut path = String::new();
        for part in route.split('/').skip(1) {
            path.push('/');
            if !part.starts_with('{') {
                path.push_str(part);
                continue;
            }
            match words.next().unwrap() {
                "victim" => write!(path, "{}", self.victim.user),
                "key" => write!(path, "{}", self.victim.keys[0].authenticator),
                "safe" => write!(path, "{}", self.house.safe),
                "credential" => write!(path, "{}", self.house.credential),
                "request" => write!(path, "{}", self.release.filed.request),
                "code" => write!(path, "{}", self.release.filed.code),
                "none" => write!(path, "{}", uuid::Uuid::now_v7()),
                literal => write!(path, "{literal}"),
            }
            .unwrap();
        }
        path
    }

    fn body(&self, body: Body, caller: &Person) -> Option<Value> {
        let client = &self.house.client;
        Some(match body {
            Nothing => return None,
            Empty => json!({}),
            Shape(text) => serde_json::from_str(text).unwrap(),
            Signed(kind) => {
                json!({ "signed": client.sign(caller, 0, kind(self, caller)).unwrap().json() })
            }
            Filing(purpose) => self.filing(purpose(self), caller),
            Body::Approval => {
                let approval = Kind::Approval(Approval {
                    decision: Decision::Approve,
                    entry: self.release.filed.leaf,
                    subject: self.subject(),
                });
                let signed = client.sign(caller, 0, approval).unwrap().json();
                json!({ "signed": signed, "share": { "x": 1, "sealed": b64(&[0; 79]) } })
            }
        })
    }

    fn filing(&self, purpose: Purpose, caller: &Person) -> Value {
        let founding = matches!(purpose, Purpose::Roster(_));
        let asking = drills::client::Asking {
            safe: if founding {
                SafeId::from_uuid_bytes(*uuid::Uuid::now_v7().as_bytes())
            } else {
                self.house.safe
            },
            roster: if founding {
                Hash::ZERO
            } else {
                self.release.filed.asked.roster
            },
            purpose,
            reason: "For the table.".into(),
            ticket: None,
            life_s: 900,
        };
        let client = &self.house.client;
        let asked = client.request(caller, &asking, &[5; 32]);
        let signed = client
            .sign(caller, 0, Kind::Request(Box::new(asked)))
            .unwrap();
        json!({ "signed": signed.json(), "reason": asking.reason, "salt": b64(&[5; 32]) })
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        caller: Option<&Person>,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Response {
        let mut all = HeaderMap::new();
        if let Some(session) = caller.and_then(|c| c.session.as_ref()) {
            let cookie = cookies(session);
            all.insert("cookie", cookie.parse().unwrap());
        }
        let method: Method = method.parse().unwrap();
        let mut request = self.http.request(
            method,
            format!("http://localhost:{}{path}", self.house.app.port),
        );
        if let Some(body) = body {
            request = request.body(body.to_string());
            all.insert("content-type", HeaderValue::from_static("application/json"));
        }
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            if value.is_empty() {
                all.remove(&name);
            } else {
                all.insert(name, value.parse().unwrap());
            }
        }
        let answer = request.headers(all).send().await.unwrap();
        fenced(&answer, path);
        answer
    }
}

/// A session, and a pre-session that was never begun: its place is taken, so that bodies are read.
fn cookies(session: &drills::client::Token) -> String {
    format!(
        "__Host-vitrine={}; __Host-vitrine-pre={}",
        session.expose(),
        b64(&[0; 32])
    )
}

fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only([])
        .build()
        .unwrap()
}

/// What every answer carries, whatever it says.
fn fenced(answer: &Response, path: &str) {
    let header = |name: &str| {
        let found = answer.headers().get(name);
        found.map_or("", |v| v.to_str().unwrap()).to_owned()
    };
    let at = format!("{path} {}", answer.status());
    let csp = header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ] {
        assert!(csp.contains(part), "{at}: {part} is not in {csp:?}");
    }
    assert!(!csp.contains("unsafe") && !csp.contains('*'), "{at}: {csp}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(header(name), value, "{at}: {name}");
    }
    if !path.starts_with("/assets/") {
        assert_eq!(header("cache-control"), "no-store", "{at}");
    }
    assert_eq!(header("strict-transport-security"), "", "{at}: no TLS");
    for name in answer.headers().keys() {
        let name = name.as_str();
        assert!(!name.starts_with("access-control-"), "{at}: {name}");
        assert!(name != "server" && name != "x-powered-by", "{at}: {name}");
    }
}

fn sources(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// Every route that the sources register, as `METHOD path`. Whatever it can't read it refuses, so that no route is
/// registered in a way that this test does not see.
fn registered() -> BTreeSet<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut found) = (Vec::new(), BTreeSet::new());
    sources(&src, &mut files);
    for file in files {
        let name = file.strip_prefix(&src).unwrap().display().to_string();
        let text: String = std::fs::read_to_string(&file)
            .unwrap()
            .lines()
            .filter(|l| !l.trim_start().starts_with("//"))
            .fold(String::new(), |all, line| all + line + "\n");
        let prefix = if file.file_name().unwrap() == "web.rs" {
            "/api/v1"
        } else {
            ""
        };
        for other in [
            "web::resource(",
            "web::method(",
            "web::route(",
            "#[get(",
            "#[post(",
            "#[put(",
            "#[delete(",
            "#[route(",
        ] {
            assert!(
                !text.contains(other),
                "{name}: {other} is not read by this test"
            );
        }
        let scopes = text.matches("web::scope(").count();
        let services = text.matches(".service(").count();
        let ours = usize::from(name == "startup.rs");
        assert_eq!(
            (scopes, services),
            (ours, ours),
            "{name}: a scope or service"
        );
        for after in text.split(".route(").skip(1) {
            let after = after.trim_start();
            let (path, rest) = after
                .strip_prefix('"')
                .and_then(|t| t.split_once('"'))
                .unwrap_or_else(|| panic!("{name}: a path that is no text: {after:.40}"));
            let method = rest
                .trim_start_matches([',', ' ', '\n'])
                .strip_prefix("web::")
                .and_then(|t| t.split_once("()"))
                .map(|(m, _)| m.to_ascii_uppercase())
                .filter(|m| ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"].contains(&m.as_str()))
                .unwrap_or_else(|| panic!("{name}: a method that is not read: {rest:.40}"));
            let new = found.insert(format!("{method} {prefix}{path}"));
            assert!(new, "{name}: {method} {prefix}{path} is registered twice");
        }
    }
    assert!(found.len() > 50, "the sources were not read: {found:?}");
    found
}

fn table() -> impl Iterator<Item = &'static Row> {
    API.iter().chain(PAGES)
}

#[test]
fn p12_the_table_names_every_route_and_no_other() {
    let listed: BTreeSet<String> = table()
        .map(|(method, route, ..)| format!("{method} {route}"))
        .collect();
    let registered = registered();
    let missing: Vec<_> = registered.difference(&listed).collect();
    let stale: Vec<_> = listed.difference(&registered).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "the sources have, and the table lacks: {missing:?}; the table has, and the sources lack: {stale:?}"
    );
}

both!(p12_every_route_for_every_role);
async fn p12_every_route_for_every_role(under: Under) {
    let mut scene = Scene::new(under).await;
    let (mut wrong, mut calls) = (Vec::new(), 0);
    for (method, route, words, body, expected) in table() {
        let path = scene.path(route, words);
        for (column, expected) in expected.iter().enumerate() {
            let caller = scene.caller(column);
            let sent = scene.body(*body, caller.unwrap_or(scene.custodian()));
            let answer = scene.send(method, &path, caller, sent.as_ref(), &[]).await;
            calls += 1;
            let status = answer.status().as_u16();
            let got = match status {
                401 => "401",
                403 => "403",
                _ if status >= 500 => "failed",
                _ => "ok",
            };
            let text = match *route {
                "/api/v1/requests/{id}/events" => String::new(), // it never ends
                _ => answer.text().await.unwrap(),
            };
            if got != *expected || text.contains("There is no such address") {
                let who = WHO[column];
                wrong.push(format!(
                    "{method} {path} by {who}: {expected} expected, got {status} {text:.200}"
                ));
            }
        }
        if route.ends_with("/logout") {
            let (client, people) = (&scene.house.client, &mut scene.people);
            for person in people {
                client.login(person, 0).await.unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{calls} calls\n{}", wrong.join("\n"));
}

both!(p12_a_write_from_another_site_is_refused_everywhere);
async fn p12_a_write_from_another_site_is_refused_everywhere(under: Under) {
    let scene = Scene::new(under).await;
    let origin = format!("http://localhost:{}", scene.house.app.port);
    let custodian = scene.custodian();
    let before = size(&scene).await;
    let foreign: &[&[(&str, &str)]] = &[
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://localhost")],
        &[
            ("origin", "http://localhost:1"),
            ("sec-fetch-site", "same-site"),
        ],
        &[
            ("origin", "https://evil.example"),
            ("sec-fetch-site", "same-origin"),
        ],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
    ];
    for (method, route, words, body, _) in table().filter(|(method, ..)| *method != "GET") {
        let path = scene.path(route, words);
        let sent = scene.body(*body, custodian);
        for headers in foreign {
            let answer = scene
                .send(method, &path, Some(custodian), sent.as_ref(), headers)
                .await;
            let status = answer.status();
            let text = answer.text().await.unwrap();
            assert!(
                status == 403 && text.contains("This came from another site"),
                "{method} {path} {headers:?}: {status} {text}"
            );
        }
        let cross = [
            ("origin", origin.as_str()),
            ("sec-fetch-site", "cross-site"),
        ];
        let answer = scene
            .send(method, &path, Some(custodian), sent.as_ref(), &cross)
            .await;
        assert_eq!(
            answer.status(),
            403,
            "{method} {path}: own origin, another site's page"
        );
    }
    assert_eq!(size(&scene).await, before, "something was written");
    // Our own page may: the refusals above are about where it came from.
    let own = [
        ("origin", origin.as_str()),
        ("sec-fetch-site", "same-origin"),
    ];
    let body = scene.body(Signed(invite), custodian);
    let answer = scene
        .send(
            "POST",
            "/api/v1/people",
            Some(custodian),
            body.as_ref(),
            &own,
        )
        .await;
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
}

async fn size(scene: &Scene) -> u64 {
    let answer = scene.send("GET", "/api/v1/ledger", None, None, &[]).await;
    answer.json::<Value>().await.unwrap()["size"]
        .as_u64()
        .unwrap()
}

both!(p12_odd_bodies_are_refused);
async fn p12_odd_bodies_are_refused(under: Under) {
    let scene = Scene::new(under).await;
    let custodian = scene.custodian();
    let before = size(&scene).await;
    let writes = || API.iter().filter(|(method, ..)| *method == "POST");
    for (method, route, words, body, _) in writes() {
        let path = scene.path(route, words);
        let sent = scene.body(*body, custodian).unwrap();
        // Content types that a form of another site can send, and none.
        for kind in [
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "application/jsonp",
        ] {
            let headers = [("content-type", kind)];
            let answer = scene
                .send(method, &path, Some(custodian), Some(&sent), &headers)
                .await;
            assert_eq!(answer.status(), 400, "{path} as {kind:?}");
            assert_eq!(
                answer.headers()["content-type"],
                "application/problem+json",
                "{path}"
            );
        }
        // One byte more than 64 KiB, said beforehand.
        let long = json!({ "padding": "x".repeat(64 * 1024 - 13) });
        assert_eq!(long.to_string().len(), 64 * 1024 + 1);
        let answer = scene
            .send(method, &path, Some(custodian), Some(&long), &[])
            .await;
        assert_eq!(answer.status(), 400, "{path}: a long body");
        let said = answer.text().await.unwrap();
        assert!(said.contains("64 KiB"), "{path}: {said}");
        // What the browser's extensions gave is nobody's but the page's: no member takes it.
        if matches!(body, Empty) {
            continue;
        }
        let prf = json!({ "prf": { "results": { "first": b64(&[7; 32]) } } });
        for place in [
            "",
            "/signed",
            "/signed/assertion",
            "/assertion",
            "/registration",
            "/share",
        ] {
            if !sent.pointer(place).is_some_and(Value::is_object) {
                continue;
            }
            for name in ["client_extension_results", "clientExtensionResults", "prf"] {
                let mut spoiled = sent.clone();
                spoiled.pointer_mut(place).unwrap()[name] = prf.clone();
                let answer = scene
                    .send(method, &path, Some(custodian), Some(&spoiled), &[])
                    .await;
                let (status, said) = (answer.status(), answer.text().await.unwrap());
                assert!(
                    status == 400 && said.contains("unknown field"),
                    "{path}{place} with {name}: {status} {said}"
                );
            }
        }
        // No JSON, half of it, another shape, nested without end.
        for text in [
            "",
            "null",
            "[[]]",
            "7",
            "\"x\"",
            "{",
            &"[".repeat(30_000),
            "{\"\u{0}\":1}",
        ] {
            let request = scene
                .http
                .post(format!("http://localhost:{}{path}", scene.house.app.port))
                .header("cookie", cookies(custodian.session.as_ref().unwrap()))
                .header("content-type", "application/json")
                .body(text.to_owned());
            let answer = request.send().await.unwrap();
            fenced(&answer, &path);
            assert_eq!(answer.status(), 400, "{path}: {text:.20}");
        }
    }
    // The same length without saying so.
    for (.., route, words, body, _) in writes().map(|(m, r, w, b, e)| (m, *r, *w, *b, e)) {
        if matches!(body, Empty) {
            continue;
        }
        let path = scene.path(route, words);
        let said = chunked(scene.house.app.port, &path, custodian, 80 * 1024);
        assert!(
            said.starts_with("HTTP/1.1 400"),
            "{path} chunked: {said:.200}"
        );
    }
    assert_eq!(size(&scene).await, before, "something was written");
}

/// Sends JSON in chunks, without a length, and gives what came back.
fn chunked(port: u16, path: &str, who: &Person, length: usize) -> String {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(std::time::Duration::from_secs(10)))
        .unwrap();
    let session = cookies(who.session.as_ref().unwrap());
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\nCookie: {session}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    );
    let body = format!("{{\"padding\":\"{}\"}}", "x".repeat(length));
    let mut sent = stream.write_all(head.as_bytes());
    for piece in body.as_bytes().chunks(8192) {
        sent = sent
            .and_then(|()| write!(stream, "{:x}\r\n", piece.len()))
            .and_then(|()| stream.write_all(piece))
            .and_then(|()| stream.write_all(b"\r\n"));
    }
    let _ = sent.and_then(|()| stream.write_all(b"0\r\n\r\n")); // it may have hung up already
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    String::from_utf8_lossy(&said).into_owned()
}

both!(p12_identity_comes_from_the_session_alone);
async fn p12_identity_comes_from_the_session_alone(under: Under) {
    let scene = Scene::new(under).await;
    let custodian = scene.custodian();
    let (user, name) = (custodian.user.to_string(), custodian.name.clone());
    for header in [
        "x-forwarded-user",
        "x-forwarded-email",
        "x-forwarded-preferred-username",
        "x-remote-user",
        "remote-user",
        "x-auth-request-user",
        "x-auth-request-email",
        "x-user",
        "x-user-id",
        "x-webauth-user",
        "x-authenticated-user",
        "x-vitrine-user",
        "vitrine-user",
        "x-real-ip",
        "forwarded",
        "x-ssl-client-s-dn",
        "x-forwarded-for",
        "vitrine-poll",
    ] {
        for value in [user.as_str(), name.as_str(), "127.0.0.1"] {
            let headers = [(header, value)];
            let answer = scene.send("GET", "/api/v1/you", None, None, &headers).await;
            assert_eq!(answer.status(), 401, "{header}: {value}");
            // Nor does it make somebody else of a signed-in person.
            let auditor = &scene.people[3];
            let answer = scene
                .send("GET", "/api/v1/you", Some(auditor), None, &headers)
                .await;
            assert_eq!(
                answer.json::<Value>().await.unwrap()["user"],
                auditor.user.to_string()
            );
        }
    }
    for value in [
        format!("Basic {}", b64(user.as_bytes())),
        format!("Bearer {user}"),
        "Bearer".into(),
        format!("Bearer {}", b64(&[0; 32])),
    ] {
        let headers = [("authorization", value.as_str())];
        let answer = scene.send("GET", "/api/v1/you", None, None, &headers).await;
        assert_eq!(answer.status(), 401, "{value}");
    }
    let session = custodian.session.as_ref().unwrap().expose();
    for value in [
        format!("vitrine={session}"),
        format!("__Host-vitrine-pre={session}"),
        format!("__host-vitrine={session}"),
        format!("__Host-vitrine={session}x"),
        format!("__Host-vitrine=\"{}\"", user),
        format!("__Host-vitrine={}", b64(&[0; 32])),
    ] {
        let headers = [("cookie", value.as_str())];
        let answer = scene.send("GET", "/api/v1/you", None, None, &headers).await;
        assert_eq!(answer.status(), 401, "{value}");
    }
    // A pre-session's token is no session's.
    let answer = scene
        .house
        .client
        .post("/login/start", By::nobody(), &json!({}))
        .await
        .unwrap();
    let pre = answer.pre.unwrap();
    let headers = format!("__Host-vitrine={}", pre.expose());
    let answer = scene
        .send("GET", "/api/v1/you", None, None, &[("cookie", &headers)])
        .await;
    assert_eq!(answer.status(), 401);
}

both!(p12_other_methods_do_nothing);
async fn p12_other_methods_do_nothing(under: Under) {
    let scene = Scene::new(under).await;
    let custodian = scene.custodian();
    let (before, registered) = (size(&scene).await, registered());
    for (_, route, words, ..) in table() {
        let path = scene.path(route, words);
        for method in [
            "HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "DELETE", "GET", "POST", "BREW",
        ] {
            if registered.contains(&format!("{method} {route}")) {
                continue;
            }
            let body = ["PUT", "PATCH", "POST"]
                .contains(&method)
                .then(|| json!({}));
            let answer = scene
                .send(method, &path, Some(custodian), body.as_ref(), &[])
                .await;
            let status = answer.status().as_u16();
            let allowed = method == "HEAD" && status == 200;
            assert!(
                allowed || [404, 405].contains(&status),
                "{method} {path}: {status}"
            );
        }
        let preflight = [
            ("origin", "https://evil.example"),
            ("access-control-request-method", "POST"),
        ];
        let answer = scene.send("OPTIONS", &path, None, None, &preflight).await;
        assert!(!answer.status().is_success(), "{path}: preflight");
    }
    assert_eq!(size(&scene).await, before, "something was written");
    let answer = scene
        .send("GET", "/api/v1/you", Some(custodian), None, &[])
        .await;
    assert_eq!(answer.status(), 200, "the session was ended");
}

both!(p12_a_refusal_is_a_problem_document_in_three_parts);
async fn p12_a_refusal_is_a_problem_document_in_three_parts(under: Under) {
    let scene = Scene::new(under).await;
    let custodian = scene.custodian();
    for (path, status) in [
        ("/api/v1/nowhere", 404),
        ("/api/v2/ledger", 404),
        ("/nowhere", 404),
        ("/api/v1/ledger/entries/none", 404),
        ("/api/v1/ledger/entries/-1", 404),
        ("/api/v1/ledger/entries/99999999", 404),
        ("/api/v1/ledger/entries?limit=many", 400),
        ("/api/v1/ledger/checkpoint?from=none", 400),
        ("/api/v1/ledger/checkpoint?from=99999999", 409),
        ("/api/v1/people/nobody", 404),
        ("/api/v1/safes/..%2f..%2fetc", 404),
        ("/api/v1/requests/' OR 1=1 --", 404),
        ("/assets/../Cargo.toml", 404),
        ("/assets/%2e%2e/%2e%2e/Cargo.toml", 404),
    ] {
        let answer = scene.send("GET", path, Some(custodian), None, &[]).await;
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(
            answer.headers()["content-type"],
            "application/problem+json",
            "{path}"
        );
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["status"], status, "{path}");
        for member in ["type", "title", "detail", "next", "reference"] {
            let text = problem[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{path}: {member}");
        }
    }
}

both!(over_tls_browsers_are_held_to_it);
async fn over_tls_browsers_are_held_to_it(under: Under) {
    let mut app = TestApp::found(under);
    let key = rcgen::KeyPair::generate().unwrap();
    let about = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = about.self_signed(&key).unwrap().pem();
    for (name, text) in [
        ("certificate", &certificate),
        ("private_key", &key.serialize_pem()),
    ] {
        let path = app.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        let name = format!("VITRINE_SERVER_{}", name.to_uppercase());
        app.set(&name, path.to_str().unwrap());
    }
    app.serve().await;
    let own = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only([own])
        .build()
        .unwrap();
    for (path, status) in [
        ("/healthz", 200),
        ("/sign-in", 200),
        ("/assets/style.css", 200),
        ("/", 401),
        ("/nowhere", 404),
    ] {
        let url = format!("https://localhost:{}{path}", app.port);
        let answer = http.get(url).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        let held = answer.headers().get("strict-transport-security");
        let held = held.unwrap_or_else(|| panic!("{path}: it may be called without TLS"));
        assert_eq!(held, "max-age=63072000", "{path}");
    }
    // Without TLS nobody answers there.
    let plain = format!("http://localhost:{}/healthz", app.port);
    assert!(http.get(plain).send().await.is_err());
}

both!(p12_cookies_are_bound_to_this_host);
async fn p12_cookies_are_bound_to_this_host(under: Under) {
    let scene = Scene::new(under).await;
    let check = |answer: &Response, name: &str, gone: bool| {
        let all: Vec<String> = answer
            .headers()
            .get_all("set-cookie")
            .iter()
            .map(|v| v.to_str().unwrap().to_owned())
            .collect();
        let text = all
            .iter()
            .find(|c| c.starts_with(&format!("{name}=")))
            .unwrap_or_else(|| panic!("{name} is not among {all:?}"));
        let mut parts = text.split(';').map(str::trim);
        let value = parts.next().unwrap().split_once('=').unwrap().1.to_owned();
        let parts: Vec<String> = parts.map(str::to_ascii_lowercase).collect();
        for wanted in ["secure", "httponly", "samesite=strict", "path=/"] {
            assert!(parts.iter().any(|p| p == wanted), "{text} lacks {wanted}");
        }
        assert!(!parts.iter().any(|p| p.starts_with("domain")), "{text}");
        assert_eq!(value.is_empty(), gone, "{text}");
        assert_eq!(parts.iter().any(|p| p == "max-age=0"), gone, "{text}");
        if !gone {
            assert_eq!(value.len(), 43, "{text}: 32 random bytes");
        }
    };
    let answer = scene
        .send("POST", "/api/v1/login/start", None, Some(&json!({})), &[])
        .await;
    check(&answer, "__Host-vitrine-pre", false);
    let answer = scene
        .send(
            "POST",
            "/api/v1/prove/start",
            Some(scene.custodian()),
            Some(&json!({})),
            &[],
        )
        .await;
    check(&answer, "__Host-vitrine-pre", false);
    let (client, person) = (&scene.house.client, scene.custodian());
    let signed_in = sign_in(&scene, client, person).await;
    check(&signed_in, "__Host-vitrine", false);
    check(&signed_in, "__Host-vitrine-pre", true);
    let answer = scene
        .send(
            "POST",
            "/api/v1/logout",
            Some(person),
            Some(&json!({})),
            &[],
        )
        .await;
    check(&answer, "__Host-vitrine", true);
    let answer = scene
        .send("GET", "/api/v1/you", Some(person), None, &[])
        .await;
    assert_eq!(answer.status(), 401, "the session outlived its end");
}

/// Signs in by hand, to see the answer itself.
async fn sign_in(scene: &Scene, client: &Client, person: &Person) -> Response {
    let begun = client
        .post("/login/start", By::nobody(), &json!({}))
        .await
        .unwrap();
    let pre = begun.pre.unwrap();
    let nonce = begun.body["nonce"].as_str().unwrap();
    let login = quorum::statement::Statement {
        ledger: client.ledger(),
        nonce: base64_32(nonce),
        signer: None,
        kind: Kind::Login,
    };
    let mut body = client.touch(&person.keys[0].key, &login).unwrap().json();
    body["user_handle"] = json!(b64(person.user.as_bytes()));
    let cookie = format!("__Host-vitrine-pre={}", pre.expose());
    scene
        .send(
            "POST",
            "/api/v1/login/finish",
            None,
            Some(&body),
            &[("cookie", &cookie)],
        )
        .await
}

fn base64_32(text: &str) -> [u8; 32] {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(text)
        .unwrap();
    bytes.try_into().unwrap()
}

both!(a_poll_secret_follows_and_opens_its_own_request_alone);
async fn a_poll_secret_follows_and_opens_its_own_request_alone(under: Under) {
    let mut house = House::furnished(under).await;
    let secret = drills::client::PollSecret::draw().unwrap();
    let other = drills::client::PollSecret::draw().unwrap();
    let credential = house
        .client
        .credential(&house.engineer, house.credential)
        .await
        .unwrap();
    let version = credential.current().unwrap().clone();
    let ask = ReleaseAsk::because("From a terminal.");
    let release = house
        .client
        .ask_release_from(
            &house.engineer,
            0,
            &credential,
            &version,
            &ask,
            Some(secret.hash()),
        )
        .await
        .unwrap();
    let elsewhere = house.ask().await;
    let of = |r: &drills::client::Release| format!("/requests/{}", r.filed.request);
    house
        .client
        .get(&of(&release), By::poll(&secret))
        .await
        .unwrap();
    // It sees what was filed and by whom, and nobody's shares.
    let evidence = house
        .client
        .get(&format!("{}/evidence", of(&release)), By::poll(&secret))
        .await
        .unwrap();
    let evidence: serde_json::Value = evidence.read().unwrap();
    assert_eq!(evidence["roles"]["request"], json!(release.filed.seq));
    assert_eq!(
        (&evidence["shares"], &evidence["me"]),
        (&json!([]), &json!(null))
    );
    for (path, by) in [
        (of(&release), By::poll(&other)),
        (of(&elsewhere), By::poll(&secret)),
        (of(&elsewhere), By::poll(&other)),
    ] {
        for path in [&path, &format!("{path}/evidence")] {
            let refused = house.client.get(path, by).await.err().unwrap();
            assert_eq!(refused.status(), Some(404), "{refused}");
        }
        for act in ["open", "check-in", "withdraw"] {
            let refused = house
                .client
                .post(&format!("{path}/{act}"), by, &json!({}))
                .await;
            assert_eq!(refused.err().unwrap().status(), Some(404), "{act}");
        }
    }
    // It is no session: nothing else listens to it.
    for path in ["/you", "/requests", "/credentials"] {
        let refused = house
            .client
            .get(path, By::poll(&secret))
            .await
            .err()
            .unwrap();
        assert_eq!(refused.status(), Some(401), "{path}: {refused}");
    }
    house.approve(&release, &[0, 1]).await;
    let opening = house
        .client
        .opening(By::poll(&secret), &release)
        .await
        .unwrap();
    let trust = house.client.checkpoint(&mut house.engineer).await.unwrap();
    assert_eq!(
        opening.combine(&trust, &release).unwrap().plaintext.len(),
        24
    );
}

both!(roles_are_read_at_each_call);
async fn roles_are_read_at_each_call(under: Under) {
    let house = House::furnished(under).await;
    let boss = admit(
        &house.client,
        &house.custodian,
        &house.maker,
        "Second Custodian",
        &[Role::Custodian],
    )
    .await;
    let add = async |who: &Person, name: &str| {
        house
            .client
            .add_credential(who, house.safe, name, SecretKind::Note)
            .await
    };
    add(&boss, "first").await.unwrap();
    house
        .client
        .set_roles(&house.custodian, boss.user, &[Role::Auditor])
        .await
        .unwrap();
    let refused = add(&boss, "second").await.unwrap_err();
    assert_eq!(refused.status(), Some(403), "{refused}");
    let none = CredentialId::from_uuid_bytes([1; 16]);
    let refused = house.client.rotate(&boss, none).await.unwrap_err();
    assert_eq!(refused.status(), Some(403), "{refused}");
    house
        .client
        .set_roles(&house.custodian, boss.user, &[Role::Custodian])
        .await
        .unwrap();
    add(&boss, "third").await.unwrap();
}
