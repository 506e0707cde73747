//! Statements: every kind, and every member of it missing, unknown, of another type, out of range,
//! or changed to something else that is allowed.

use std::collections::BTreeSet;

use super::{Case, cases, judge};
use quorum::statement::{Statement, challenge};
use serde_json::{Map, Value, json};

const LEDGER: &str = "3248880b40f79d473e8b5612843b2b9d6ecc080c9282aae440745f52d4e20187";
const USER: &str = "01a14a40-d361-73ca-9f79-05badbee9e1c";

fn hash(n: u8) -> String {
    hex::encode([n; 32])
}

fn id(n: u8) -> String {
    format!("01a1823{:x}-4987-7dbf-a0b1-a3ace824a0{n:02x}", n % 16)
}

/// Bytes that no shorter or longer text could be mistaken for, in base64url.
fn b64(n: usize, fill: u8) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(vec![fill; n])
}

fn statement(kind: &str, more: Value) -> Value {
    let mut all = json!({"kind": kind, "ledger": LEDGER, "nonce": b64(32, 0x5a), "v": 1});
    if !matches!(kind, "login" | "register" | "prove") {
        all["signer"] = json!(USER);
    }
    for (name, value) in more.as_object().unwrap() {
        all[name] = value.clone();
    }
    all
}

fn request(purpose: &str, more: Value) -> Value {
    let mut all = json!({
        "expires": 1_760_003_600_000_000_i64, "purpose": purpose, "reason_commitment": hash(0x21),
        "request": id(1), "requester_name": "Ren\u{e9} Requester", "roster": hash(0x22), "safe": id(2),
        "ticket": "INC-4711",
    });
    for (name, value) in more.as_object().unwrap() {
        all[name] = value.clone();
    }
    statement("request", all)
}

fn version(n: u64) -> Value {
    json!({"credential": id(3), "envelope": hash(0x30), "version": n})
}

/// One statement of each kind and purpose, with every optional member.
fn examples() -> Vec<(&'static str, Value)> {
    let release = request(
        "release",
        json!({
            "credential": id(3), "delivery_key": b64(32, 0x41), "duration_s": 900, "envelope": hash(0x23), "epoch": 3,
            "open_within_s": 1800, "sealed_as": {"kind": "password", "name": "prod-db superuser", "target": id(4)}, "version": 7,
        }),
    );
    let key_act = || json!({"authenticator": id(5), "user": id(6), "why": "lost on a train"});
    let approver = |n: u8| json!({"authenticators": [id(n), id(n + 1)], "name": format!("Approver {n}"), "user": id(n + 2)});
    vec![
        ("login", statement("login", json!({}))),
        (
            "register",
            statement("register", json!({"invitation": hash(0x24), "user": USER})),
        ),
        ("prove", statement("prove", json!({"user": USER}))),
        (
            "invite",
            statement(
                "invite",
                json!({
                    "expires": 1_760_003_600_000_000_i64, "invitation": hash(0x25), "name": "Zo\u{eb} Approver",
                    "roles": ["requester", "approver"], "user": id(6),
                }),
            ),
        ),
        (
            "roles",
            statement(
                "roles",
                json!({"roles": ["custodian", "auditor", "operator"], "user": id(6)}),
            ),
        ),
        (
            "enrol",
            statement(
                "enrol",
                json!({
                    "aaguid": b64(16, 0x42), "authenticator": id(5), "credential_id": b64(48, 0x43), "invitation": hash(0x25),
                    "name": "Zo\u{eb} Approver", "public_key": b64(65, 4), "registration_sha256": hash(0x26), "share_key": b64(32, 0x44),
                    "user": USER,
                }),
            ),
        ),
        ("revoke", statement("revoke", key_act())),
        ("suspend", statement("suspend", key_act())),
        ("unsuspend", statement("unsuspend", key_act())),
        ("release", release.clone()),
        (
            "access",
            request(
                "access",
                json!({
                    "delivery_key": b64(32, 0x41), "duration_s": 900, "epoch": 3, "needed": 1, "role": hash(0x27),
                    "role_name": "read-only", "target": id(4),
                }),
            ),
        ),
        (
            "roster",
            request(
                "roster",
                json!({"new": {
                    "approvers": [approver(0x10), approver(0x20), approver(0x30)], "denials": 2, "drill": false, "epoch": 4, "grant_life_s": 3600,
                    "m": 2, "name": "Production databases", "request_life_s": 14400,
                }}),
            ),
        ),
        (
            "role",
            request(
                "role",
                json!({
                    "access": hash(0x28), "max_s": 3600, "name": "read-only", "needed": 1, "previous": hash(0), "target": id(4),
                    "windows": ["mon-fri 08:00-18:00", "sat"],
                }),
            ),
        ),
        (
            "target",
            request(
                "target",
                json!({
                    "account": "postgres", "address": "db1.example:5432/postgres", "connector": "postgresql", "credential": id(3),
                    "pin": format!("sha256:{}", hash(0x29)), "target": id(4),
                }),
            ),
        ),
        (
            "reseal",
            request(
                "reseal",
                json!({"delivery_key": b64(32, 0x41), "versions": [version(7), version(9)]}),
            ),
        ),
        (
            "destroy",
            request("destroy", json!({"versions": [version(1), version(5)]})),
        ),
        (
            "restore",
            request("restore", json!({"checkpoint": hash(0x2a)})),
        ),
        (
            "approval",
            statement(
                "approval",
                json!({"decision": "approve", "entry": hash(0x2b), "subject": release}),
            ),
        ),
        (
            "acceptance",
            statement(
                "acceptance",
                json!({"authenticator": id(5), "entry": hash(0x2b), "subject": release}),
            ),
        ),
        (
            "import",
            statement(
                "import",
                json!({"credential": id(3), "envelope": hash(0x23), "safe": id(2), "version": 7}),
            ),
        ),
        (
            "setting",
            statement("setting", json!({"name": "session_idle", "value": "15m"})),
        ),
        (
            "clock",
            statement(
                "clock",
                json!({"entry": hash(0x2c), "time": 1_760_003_600_000_000_i64, "why": "back after a week off"}),
            ),
        ),
    ]
}

/// Canonical bytes of any value, allowed or not.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort();
            let members: Vec<String> = names
                .into_iter()
                .map(|name| format!("{}:{}", json!(name), canonical(&members[name])))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => format!(
            "[{}]",
            items.iter().map(canonical).collect::<Vec<_>>().join(",")
        ),
        other => other.to_string(),
    }
}

/// Paths to every member, those of the first item of each list included. `subject` is not entered: it is compared, not read.
fn paths(value: &Value, at: &[String], out: &mut Vec<Vec<String>>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let here = [at, std::slice::from_ref(name)].concat();
                out.push(here.clone());
                if name != "subject" {
                    paths(member, &here, out);
                }
            }
        }
        Value::Array(items) if items.first().is_some_and(Value::is_object) => {
            paths(&items[0], &[at, &["0".to_owned()]].concat(), out);
        }
        _ => {}
    }
}

fn pointer(path: &[String]) -> String {
    path.iter().map(|part| format!("/{part}")).collect()
}

/// The path as errors give it: list items are not numbered.
fn dotted(path: &[String]) -> String {
    let parts: Vec<&str> = path
        .iter()
        .map(String::as_str)
        .filter(|part| *part != "0")
        .collect();
    parts.join(".")
}

fn changed(example: &Value, path: &[String], to: Value) -> Value {
    let mut all = example.clone();
    *all.pointer_mut(&pointer(path)).unwrap() = to;
    all
}

fn parent<'a>(all: &'a mut Value, path: &[String]) -> &'a mut Map<String, Value> {
    let (_, parents) = path.split_last().unwrap();
    all.pointer_mut(&pointer(parents))
        .unwrap()
        .as_object_mut()
        .unwrap()
}

fn is_optional(kind: &str, path: &str) -> bool {
    matches!(
        (kind, path),
        ("register" | "enrol", "invitation")
            | ("enrol", "share_key")
            | (_, "ticket" | "sealed_as.target")
    )
}

/// Other values that the member may have.
fn allowed(path: &str, value: &Value) -> Vec<(&'static str, Value)> {
    let name = path.rsplit('.').next().unwrap();
    match value {
        Value::Bool(flag) => vec![("the other", json!(!flag))],
        Value::Number(n) if path != "v" => vec![("one more", json!(n.as_i64().unwrap() + 1))],
        Value::String(text) => match name {
            "kind" if path == "sealed_as.kind" => ["key_pair", "token", "totp", "note", "file"]
                .iter()
                .map(|kind| ("another kind", json!(kind)))
                .collect(),
            "kind" | "purpose" => vec![],
            "decision" => vec![("the other", json!("deny"))],
            "pin" => vec![
                ("a socket", json!("unix")),
                (
                    "an SSH host key",
                    json!("ssh:SHA256:uNiVztksCsDhcc0u9e8BrrQXVUpKZIDTMczCvj3tD2s"),
                ),
            ],
            "name" | "requester_name" | "ticket" | "why" | "value" | "role_name" | "account"
            | "address" | "connector" => vec![
                ("one character", json!("x")),
                ("200 code points", json!("\u{1f510}".repeat(200))),
                ("another case", json!(other_case(text))),
            ],
            _ => {
                // A hash, an id, or bytes: one digit changes.
                let at = text.len() / 2 + usize::from(text.as_bytes()[text.len() / 2] == b'-');
                let digit = if &text[at..=at] == "1" { "2" } else { "1" };
                vec![(
                    "one digit",
                    json!(format!("{}{digit}{}", &text[..at], &text[at + 1..])),
                )]
            }
        },
        Value::Array(items) => {
            let mut fewer = items.clone();
            fewer.pop();
            let reversed: Vec<Value> = items.iter().rev().cloned().collect();
            vec![("one fewer", json!(fewer)), ("reversed", json!(reversed))]
        }
        _ => vec![],
    }
}

/// Values of the right type that the member may not have.
fn refused(path: &str, value: &Value) -> Vec<(&'static str, Value)> {
    let name = path.rsplit('.').next().unwrap();
    match value {
        Value::Number(_) => {
            let mut all = vec![("negative", json!(-1))];
            if !matches!(name, "needed" | "expires" | "time") {
                all.push(("zero", json!(0)));
            }
            all
        }
        Value::String(text) => match name {
            "kind" if path == "sealed_as.kind" => {
                vec![("not listed", json!("Password")), ("empty", json!(""))]
            }
            "decision" => vec![
                ("not listed", json!("Approve")),
                ("another word", json!("approved")),
            ],
            "kind" | "purpose" => vec![],
            "pin" => vec![
                ("upper case", json!(text.to_uppercase())),
                ("without a scheme", json!(&text[7..])),
                ("a digit short", json!(&text[..text.len() - 1])),
                (
                    "padded SSH",
                    json!("ssh:SHA256:uNiVztksCsDhcc0u9e8BrrQXVUpKZIDTMczCvj3tD2s="),
                ),
                (
                    "SSH with trailing bits",
                    json!("ssh:SHA256:uNiVztksCsDhcc0u9e8BrrQXVUpKZIDTMczCvj3tD2t"),
                ),
                (
                    "SSH MD5",
                    json!("ssh:MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48"),
                ),
            ],
            "name" | "requester_name" | "ticket" | "why" | "value" | "role_name" | "account"
            | "address" | "connector" => {
                vec![
                    ("empty", json!("")),
                    ("201 code points", json!("x".repeat(201))),
                ]
            }
            "nonce" | "delivery_key" | "share_key" | "public_key" | "aaguid" => vec![
                ("a byte short", json!(b64(length(text) - 1, 0x45))),
                ("a byte long", json!(b64(length(text) + 1, 0x45))),
                ("padded", json!(format!("{text}="))),
                ("trailing bits", json!(trailing_bits(text))),
                ("another alphabet", json!(format!("+/{}", &text[2..]))),
            ],
            "credential_id" => vec![("empty", json!("")), ("1024 bytes", json!(b64(1024, 0x45)))],
            _ if text.len() == 36 => vec![
                ("upper case", json!(text.to_uppercase())),
                ("without hyphens", json!(text.replace('-', ""))),
                ("in braces", json!(format!("{{{text}}}"))),
                ("empty", json!("")),
            ],
            _ => vec![
                ("upper case", json!(format!("AA{}", &text[2..]))),
                ("a digit short", json!(&text[1..])),
                ("a digit long", json!(format!("0{text}"))),
                ("empty", json!("")),
            ],
        },
        Value::Array(items) if name != "approvers" => {
            let twice = [items.clone(), vec![items[0].clone()]].concat();
            vec![("the first twice", json!(twice))]
        }
        _ => vec![],
    }
}

fn other_case(text: &str) -> String {
    let upper = text.to_uppercase();
    if upper == text {
        text.to_lowercase()
    } else {
        upper
    }
}

/// The last digit is one higher, which changes only bits that belong to no byte.
fn trailing_bits(text: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = text.split_at(text.len() - 1);
    let at = ALPHABET.find(last).unwrap();
    format!("{rest}{}", &ALPHABET[at + 1..at + 2])
}

fn length(b64: &str) -> usize {
    b64.len() * 3 / 4
}

fn make(kind: &str, example: &Value) -> Vec<Case> {
    let mut all: Vec<Case> = Vec::new();
    let mut push = |name: String, expect: &str, value: &Value| {
        let statement = canonical(value);
        let mut given = json!({ "statement": statement });
        if expect == "ok" {
            given["challenge"] = json!(hex::encode(challenge(statement.as_bytes()).0));
        }
        all.push(Case::new(name, "", expect, given));
    };
    push("as it should be".into(), "ok", example);
    let mut every = Vec::new();
    paths(example, &[], &mut every);
    for path in &every {
        let at = dotted(path);
        let value = example.pointer(&pointer(path)).unwrap();
        let name = path.last().unwrap();
        if at != "kind" && at != "purpose" && name != "v" {
            for (how, to) in allowed(&at, value) {
                let how = if how == "another kind" {
                    format!("{how}, {}", to.as_str().unwrap())
                } else {
                    how.into()
                };
                push(format!("{at}: {how}"), "ok", &changed(example, path, to));
            }
            for (how, to) in refused(&at, value) {
                push(
                    format!("{at}: {how}"),
                    &format!("value:{at}"),
                    &changed(example, path, to),
                );
            }
        }
        let mut without = example.clone();
        parent(&mut without, path).remove(name);
        if is_optional(kind, &at) {
            push(format!("{at}: absent"), "ok", &without);
        } else {
            push(format!("{at}: missing"), &format!("missing:{at}"), &without);
        }
        let other = if value.is_string() {
            json!(1)
        } else {
            json!("1")
        };
        push(
            format!("{at}: another type"),
            &format!("type:{at}"),
            &changed(example, path, other),
        );
        if value.is_object() && at != "subject" {
            let mut more = value.clone();
            more["extra"] = json!(true);
            push(
                format!("{at}: one member more"),
                &format!("unknown:{at}.extra"),
                &changed(example, path, more),
            );
        }
    }
    let with = |name: &str, value: Value| {
        let mut all = example.clone();
        all[name] = value;
        all
    };
    push(
        "one member more".into(),
        "unknown:extra",
        &with("extra", json!("x")),
    );
    push("another version".into(), "version", &with("v", json!(2)));
    push(
        "an unknown kind".into(),
        "kind",
        &with("kind", json!("approve")),
    );
    if example["kind"] == "request" {
        push(
            "an unknown purpose".into(),
            "purpose",
            &with("purpose", json!("open")),
        );
    }
    if example.get("signer").is_none() {
        push(
            "with a signer".into(),
            "unknown:signer",
            &with("signer", json!(USER)),
        );
    }
    all.extend(spelling(example));
    all
}

/// The same statement in other bytes.
fn spelling(example: &Value) -> Vec<Case> {
    let good = canonical(example);
    let as_is = |name: &str, expect: &str, statement: String| {
        Case::new(name, "", expect, json!({ "statement": statement }))
    };
    let kind = format!("\"kind\":{}", example["kind"]);
    vec![
        as_is(
            "white space",
            "json:not_canonical",
            good.replacen(':', ": ", 1),
        ),
        as_is(
            "a line feed after",
            "json:not_canonical",
            format!("{good}\n"),
        ),
        as_is(
            "kind twice",
            "json:repeated",
            good.replacen(&kind, &format!("{kind},{kind}"), 1),
        ),
        as_is(
            "v as a fraction",
            "json:number",
            good.replacen("\"v\":1", "\"v\":1.0", 1),
        ),
        as_is("in a list", "not_an_object", format!("[{good}]")),
        as_is(
            "a right-to-left override",
            "json:text",
            good.replacen("\"v\":1", "\"v\":\"\u{202e}\"", 1),
        ),
    ]
}

#[test]
fn statements() {
    for (kind, example) in examples() {
        let file = format!("statement-{kind}.json");
        let about = format!(
            "Statements: `{kind}`. `statement` is the bytes as a string; where it reads, `challenge` is H(\"statement\", bytes)."
        );
        let cases = cases(&file, &about, || make(kind, &example));
        let mut challenges = BTreeSet::new();
        for case in &cases {
            if let Some(challenge) = case.given.get("challenge") {
                assert!(
                    challenges.insert(challenge.to_string()),
                    "{file}: {}",
                    case.name
                );
            }
        }
        judge(&file, &cases, |case| {
            let bytes = case.text("statement").as_bytes();
            let statement = Statement::parse(bytes).map_err(|e| e.code())?;
            assert_eq!(statement.bytes(), bytes, "{file}: {}", case.name);
            assert_eq!(
                hex::encode(statement.challenge().0),
                case.text("challenge"),
                "{file}: {}",
                case.name
            );
            Ok(())
        });
    }
}
