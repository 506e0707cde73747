//! `decision.json`: what counts, and whether the request can be spent.

use std::collections::BTreeMap;

use super::{ROSTERS, access, good_key, key, release, request, roster, target, user};
use quorum::decision::{At, Cast, FiledAt, KeyLife, check_acting, count, open_until};
use quorum::ids::AuthenticatorId;
use quorum::statement::{Decision, Purpose};
use serde_json::{Value, json};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/decision.json");
const ABOUT: &str = "Counting decisions. `shared.rosters` are m, denials and people by epoch; everybody has keys `a` and `b`, enrolled at seq 1 unless `keys` says otherwise. Times are microseconds; the filing is at seq 100. `counting` and `deniers` are given with every case, `open_until` where a release can be opened.";

/// 1,000 seconds after 1970, when the request is filed.
const FILED: i64 = 1_000_000_000;

/// A case in the making.
struct Draft(Value);

fn at_time(second: i64) -> i64 {
    FILED + second * 1_000_000
}

/// A release under roster 1, asked for by a custodian, judged at seq 200 after 100 seconds; it expires after 600 and can be opened for 300.
fn draft(name: &str, expect: &str) -> Draft {
    Draft(json!({
        "name": name, "expect": expect, "purpose": "release", "open_within_s": 300, "expires": at_time(600), "named": 1, "in_force": 1,
        "by": "0a", "casts": [], "keys": {}, "at": {"seq": 200, "time": at_time(100)}, "settled": false,
    }))
}

impl Draft {
    fn set(mut self, name: &str, value: Value) -> Self {
        self.0[name] = value;
        self
    }

    fn cast(mut self, seq: u64, second: i64, decision: &str, by: &str) -> Self {
        let cast = json!({"seq": seq, "time": at_time(second), "decision": decision, "by": by});
        self.0["casts"].as_array_mut().unwrap().push(cast);
        self
    }

    /// Approvals by those keys at seqs 101, 102.. and seconds 1, 2..
    fn approved(self, by: &[&str]) -> Self {
        by.iter().zip(1..).fold(self, |draft, (by, n)| {
            draft.cast(100 + n as u64, n, "approve", by)
        })
    }

    fn key(mut self, name: &str, life: Value) -> Self {
        self.0["keys"][name] = life;
        self
    }

    fn rosters(self, named: u64, in_force: u64) -> Self {
        self.set("named", json!(named))
            .set("in_force", json!(in_force))
    }

    fn at(self, seq: u64, second: i64) -> Self {
        self.set("at", json!({"seq": seq, "time": at_time(second)}))
    }
}

fn make() -> Vec<Value> {
    let revoked = |seq: u64| json!({"enrolled": 1, "revoked": seq});
    let rested = |from: u64, to: Option<u64>| json!({"enrolled": 1, "suspended": [[from, to]]});
    let two = |name: &str, expect: &str| draft(name, expect).approved(&["1a", "2a"]);
    let drafts = vec![
        two("two of three", "ok"),
        draft("three of three", "ok").approved(&["1a", "2a", "3a"]),
        draft("either key of a person", "ok").approved(&["1b", "2a"]),
        draft("nobody", "not_reached"),
        draft("m - 1", "not_reached").approved(&["1a"]),
        draft("one person twice", "not_reached").approved(&["1a", "1a"]),
        draft("one person with two keys", "not_reached").approved(&["1a", "1b"]),
        draft("one person with two keys, and another", "ok").approved(&["1a", "1b", "3a"]),
        // The requester.
        draft("the requester among the approvers", "not_reached")
            .set("by", json!("2a"))
            .approved(&["1a", "2a"]),
        draft("the requester with another key", "not_reached")
            .set("by", json!("2a"))
            .approved(&["1a", "2b"]),
        draft("the requester beside enough others", "ok")
            .set("by", json!("2a"))
            .approved(&["1a", "2a", "3a"]),
        // Who is rostered.
        draft("somebody who is on no roster", "not_reached").approved(&["1a", "6a"]),
        draft("a custodian", "not_reached").approved(&["1a", "0a"]),
        draft(
            "on the roster in force, not on the named one",
            "not_reached",
        )
        .rosters(1, 4)
        .approved(&["1a", "6a"]),
        draft("removed after approving", "not_reached")
            .rosters(4, 3)
            .approved(&["1a", "3a"]),
        draft("removed, enough others", "ok")
            .rosters(4, 3)
            .approved(&["1a", "3a", "6a"]),
        draft("nobody on both rosters but one", "not_reached")
            .rosters(1, 3)
            .approved(&["1a", "2a", "3a"]),
        draft("the larger m is that in force", "not_reached")
            .rosters(1, 2)
            .approved(&["1a", "2a"]),
        draft("the larger m in force, reached", "ok")
            .rosters(1, 2)
            .approved(&["1a", "2a", "3a"]),
        draft("the larger m is the named one's", "not_reached")
            .rosters(2, 4)
            .approved(&["1a", "5a"]),
        draft("the larger m of the named one, reached", "ok")
            .rosters(2, 4)
            .approved(&["1a", "5a", "4a"]),
        draft("five of six", "ok")
            .rosters(5, 5)
            .approved(&["6a", "5a", "4b", "2a", "1a"]),
        draft("four of six, five needed", "not_reached")
            .rosters(5, 5)
            .approved(&["6a", "5a", "4b", "2a"]),
        // When.
        two("in any order of the list", "ok").set(
            "casts",
            json!([
                {"seq": 102, "time": at_time(2), "decision": "approve", "by": "2a"},
                {"seq": 101, "time": at_time(1), "decision": "approve", "by": "1a"},
            ]),
        ),
        draft("an approval from before the filing", "not_reached")
            .cast(99, 0, "approve", "2a")
            .approved(&["1a"]),
        draft("an approval at the filing's seq", "not_reached")
            .cast(100, 0, "approve", "2a")
            .approved(&["1a"]),
        draft("an approval at the acting entry's seq", "not_reached")
            .approved(&["1a"])
            .cast(200, 3, "approve", "2a"),
        draft("an approval after the acting entry", "not_reached")
            .approved(&["1a"])
            .cast(201, 3, "approve", "2a"),
        draft("an approval just before the acting entry", "ok")
            .approved(&["1a"])
            .cast(199, 3, "approve", "2a"),
        draft("an approval at the end of the request", "not_reached")
            .approved(&["1a"])
            .cast(150, 600, "approve", "2a")
            .at(200, 601),
        draft("an approval after the end of the request", "not_reached")
            .approved(&["1a"])
            .cast(150, 601, "approve", "2a")
            .at(200, 602),
        draft("an approval in the request's last second", "ok")
            .approved(&["1a"])
            .cast(150, 599, "approve", "2a")
            .at(200, 602),
        // Keys.
        two("a key revoked after approving", "not_reached").key("2a", revoked(150)),
        two("a key revoked before approving", "not_reached").key("2a", revoked(90)),
        two("a key revoked by the acting entry's time", "not_reached").key("2a", revoked(199)),
        two("a key revoked at the acting entry", "ok").key("2a", revoked(200)),
        two("a key revoked afterwards", "ok").key("2a", revoked(201)),
        two("the other key revoked", "ok").key("2b", revoked(90)),
        two("a key suspended after approving", "not_reached").key("2a", rested(150, None)),
        two("a key suspended and restored after approving", "ok").key("2a", rested(150, Some(160))),
        two(
            "a key suspended when approving, restored since",
            "not_reached",
        )
        .key("2a", rested(90, Some(160))),
        two("a key suspended and restored before approving", "ok").key("2a", rested(90, Some(95))),
        two("a key suspended a second time", "not_reached").key(
            "2a",
            json!({"enrolled": 1, "suspended": [[90, 95], [150, null]]}),
        ),
        two("a key enrolled after approving", "not_reached").key("2a", json!({"enrolled": 150})),
        two("a key enrolled at the approval", "not_reached").key("2a", json!({"enrolled": 102})),
        two("a key enrolled since the filing", "ok").key("2a", json!({"enrolled": 101})),
        two("a key that nobody knows", "not_reached").key("2a", json!({"unknown": true})),
        // Denials.
        two("one denial of two", "ok").cast(110, 10, "deny", "3a"),
        two("denied by two", "denied")
            .cast(110, 10, "deny", "3a")
            .cast(111, 11, "deny", "1a"),
        two("approved, then denied by the same person", "not_reached").cast(110, 10, "deny", "2a"),
        two("approved, then denied with the other key", "not_reached").cast(110, 10, "deny", "2b"),
        draft("approved, denied, another approves", "ok")
            .approved(&["1a", "2a"])
            .cast(110, 10, "deny", "2a")
            .cast(111, 11, "approve", "3a"),
        two("a denial by the acting entry's seq", "ok").cast(200, 10, "deny", "2a"),
        two("a denial from before the filing", "ok").cast(99, 0, "deny", "2a"),
        two(
            "the smaller number of denials is the named roster's",
            "denied",
        )
        .rosters(1, 4)
        .cast(110, 10, "deny", "3a")
        .cast(111, 11, "deny", "4a"),
        draft("the smaller number of denials is that in force", "denied")
            .rosters(4, 3)
            .approved(&["4a", "5a"])
            .cast(110, 10, "deny", "1a"),
        draft("denied by somebody who has been removed", "denied")
            .rosters(4, 3)
            .approved(&["4a", "5a"])
            .cast(110, 10, "deny", "2b"),
        two("one person's two denials are one", "ok")
            .cast(110, 10, "deny", "3a")
            .cast(111, 11, "deny", "3b"),
        two("a denial with a key that was revoked before", "ok")
            .cast(110, 10, "deny", "2a")
            .key("2a", revoked(105))
            .cast(111, 11, "approve", "3a"),
        two("a denial stands when its key is revoked", "not_reached")
            .cast(110, 10, "deny", "2b")
            .key("2b", revoked(150)),
        two("a denial after the end of the request", "not_reached")
            .cast(150, 601, "deny", "2a")
            .at(200, 602),
        // The filing's key, and what happened before.
        two("the filing's key revoked", "filing_key_revoked").key("0a", revoked(150)),
        two("the filing's key revoked at the acting entry", "ok").key("0a", revoked(200)),
        two("the filing's key suspended", "ok").key("0a", rested(150, None)),
        two("spent before", "settled").set("settled", json!(true)),
        // Time.
        two("a release opened after the request's end", "ok").set("expires", json!(at_time(50))),
        two("a release opened in its last second", "ok").at(200, 301),
        two("a release opened too late", "opened_too_late").at(200, 302),
        draft("the time to open runs from the m-th approval", "ok")
            .approved(&["1a"])
            .cast(150, 200, "approve", "2a")
            .at(200, 499),
        draft("and not from a later one", "opened_too_late")
            .approved(&["1a", "2a"])
            .cast(150, 200, "approve", "3a")
            .at(200, 499),
        draft("it runs from the larger m's", "ok")
            .rosters(1, 2)
            .approved(&["1a", "2a"])
            .cast(150, 200, "approve", "3a")
            .at(200, 499),
        draft("a denied approval moves it", "ok")
            .approved(&["1a", "2a"])
            .cast(150, 200, "approve", "3a")
            .cast(151, 201, "deny", "2a")
            .at(200, 499),
        two("a target in time", "ok")
            .set("purpose", json!("target"))
            .at(200, 599),
        two("a target at the end", "expired")
            .set("purpose", json!("target"))
            .at(200, 600),
        // Access.
        draft("access that needs nobody", "ok")
            .set("purpose", json!("access"))
            .set("needed", json!(0)),
        draft("access that needs nobody, too late", "expired")
            .set("purpose", json!("access"))
            .set("needed", json!(0))
            .at(200, 600),
        draft("access that needs nobody, denied", "denied")
            .set("purpose", json!("access"))
            .set("needed", json!(0))
            .cast(101, 1, "deny", "1a")
            .cast(102, 2, "deny", "2a"),
        draft("access that needs one", "ok")
            .set("purpose", json!("access"))
            .set("needed", json!(1))
            .approved(&["1a"]),
        draft("access that needs one, by the requester", "not_reached")
            .set("purpose", json!("access"))
            .set("needed", json!(1))
            .set("by", json!("1b"))
            .approved(&["1a"]),
        draft("access that needs three of three", "not_reached")
            .set("purpose", json!("access"))
            .set("needed", json!(3))
            .approved(&["1a", "2a"]),
        draft("access that needs more than there are", "not_reached")
            .set("purpose", json!("access"))
            .set("needed", json!(4))
            .approved(&["1a", "2a", "3a"]),
    ];
    drafts
        .into_iter()
        .map(|Draft(mut case)| {
            let tally = tally(&case);
            case["counting"] = json!(tally.counting);
            case["deniers"] = json!(tally.deniers.iter().map(|id| who(*id)).collect::<Vec<_>>());
            if let (Some(until), "ok") = (
                open_until(&purpose_request(&case), &tally),
                case["expect"].as_str().unwrap(),
            ) {
                case["open_until"] = json!(until);
            }
            case
        })
        .collect()
}

fn who(id: quorum::ids::UserId) -> usize {
    (0..=6).find(|who| user(*who) == id).unwrap()
}

/// `1a` is player 1's first key.
fn read_key(name: &str) -> (usize, AuthenticatorId) {
    let (who, which) = name.split_at(1);
    let who: usize = who.parse().unwrap();
    (who, key(who, usize::from(which == "b")))
}

fn purpose_request(case: &Value) -> quorum::statement::Request {
    let purpose: Purpose = match case["purpose"].as_str().unwrap() {
        "release" => release(case["open_within_s"].as_u64().unwrap()),
        "access" => access(case["needed"].as_u64().unwrap()),
        _ => target(),
    };
    let named = roster(case["named"].as_u64().unwrap());
    request(purpose, named.leaf(), case["expires"].as_i64().unwrap())
}

/// All that a case says, in the crate's types.
struct Read {
    request: quorum::statement::Request,
    filed: FiledAt,
    casts: Vec<Cast>,
    lives: BTreeMap<AuthenticatorId, Option<KeyLife>>,
    at: At,
}

fn read(case: &Value) -> Read {
    let (by, authenticator) = read_key(case["by"].as_str().unwrap());
    let casts = case["casts"].as_array().unwrap().iter().map(|cast| {
        let (by, authenticator) = read_key(cast["by"].as_str().unwrap());
        Cast {
            seq: cast["seq"].as_u64().unwrap(),
            time: cast["time"].as_i64().unwrap(),
            decision: cast["decision"]
                .as_str()
                .unwrap()
                .parse::<Decision>()
                .unwrap(),
            approver: user(by),
            authenticator,
        }
    });
    let lives = case["keys"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, life)| {
            let suspended = life["suspended"].as_array().cloned().unwrap_or_default();
            let known = life.get("unknown").is_none().then(|| KeyLife {
                enrolled_at: life["enrolled"].as_u64().unwrap(),
                revoked_at: life["revoked"].as_u64(),
                suspensions: suspended
                    .iter()
                    .map(|s| (s[0].as_u64().unwrap(), s[1].as_u64()))
                    .collect(),
            });
            (read_key(name).1, known)
        });
    Read {
        request: purpose_request(case),
        filed: FiledAt {
            seq: 100,
            time: FILED,
            requester: user(by),
            authenticator,
        },
        casts: casts.collect(),
        lives: lives.collect(),
        at: At {
            seq: case["at"]["seq"].as_u64().unwrap(),
            time: case["at"]["time"].as_i64().unwrap(),
        },
    }
}

fn tally(case: &Value) -> quorum::decision::Tally {
    let read = read(case);
    let keys = |id| {
        read.lives
            .get(&id)
            .cloned()
            .unwrap_or_else(|| Some(good_key()))
    };
    let (named, in_force) = (
        case["named"].as_u64().unwrap(),
        case["in_force"].as_u64().unwrap(),
    );
    count(
        &read.request,
        &read.filed,
        roster(named),
        roster(in_force),
        &read.casts,
        &keys,
        read.at,
    )
}

#[test]
fn vectors() {
    if !std::path::Path::new(FILE).exists() && std::env::var_os("QUORUM_NEW_VECTORS").is_some() {
        let rosters = ROSTERS
            .iter()
            .map(|(m, denials, people)| json!({"m": m, "denials": denials, "people": people}));
        let shared = json!({"rosters": rosters.collect::<Vec<_>>()});
        let cases: Vec<String> = make().iter().map(Value::to_string).collect();
        let text = format!(
            "{{\"about\":{},\n\"shared\":{shared},\"cases\":[\n{}\n]}}\n",
            json!(ABOUT),
            cases.join(",\n")
        );
        std::fs::write(FILE, text).unwrap();
    }
    let all: Value = serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for case in all["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let read = read(case);
        let keys = |id| {
            read.lives
                .get(&id)
                .cloned()
                .unwrap_or_else(|| Some(good_key()))
        };
        let (named, in_force) = (
            case["named"].as_u64().unwrap(),
            case["in_force"].as_u64().unwrap(),
        );
        let acting = check_acting(
            &read.request,
            &read.filed,
            case["settled"].as_bool().unwrap(),
            roster(named),
            roster(in_force),
            &read.casts,
            &keys,
            read.at,
        );
        let got = acting.as_ref().map_or_else(|e| e.code(), |_| "ok");
        if got != case["expect"] {
            wrong.push(format!("{name}: {got}, not {}", case["expect"]));
        }
        let tally = tally(case);
        assert_eq!(json!(tally.counting), case["counting"], "{name}");
        let deniers: Vec<usize> = tally.deniers.iter().map(|id| who(*id)).collect();
        assert_eq!(json!(deniers), case["deniers"], "{name}");
        if let Some(until) = case.get("open_until") {
            assert_eq!(json!(open_until(&read.request, &tally)), *until, "{name}");
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
