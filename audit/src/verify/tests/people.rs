//! People, keys and touches (FORMATS.md 4, "An assertion is valid", "Who", "Keys", "Unique").

use super::super::forge::*;
use super::*;

type Client = fn(String) -> String;
type Bytes = fn(Vec<u8>) -> Vec<u8>;

fn twisted(client: Option<Client>, data: Option<Bytes>, signature: Option<Bytes>) -> Ledger {
    let mut l = Ledger::new();
    l.twist_client = client;
    l.twist_data = data;
    l.twist_signature = signature;
    l.sign(
        "setting.changed",
        "setting",
        0,
        json!({"name": "a", "value": "b"}),
    );
    l
}

#[test]
fn client_data_must_be_right() {
    let client = |twist: Client| twisted(Some(twist), None, None);
    valid(&client(|c| c));
    valid(&client(|c| c.replace(",\"crossOrigin\":false", "")));
    valid(&client(|c| {
        c.replace('{', "{ \"other\" : [1.5e3, null],\n")
    }));
    let words = "the client data is not one JSON object without duplicate members";
    lie(
        &client(|c| c.replace('{', "{\"type\":\"webauthn.get\",")),
        words,
    );
    lie(&client(|c| format!("{c}{c}")), words);
    lie(&client(|c| format!("[{c}]")), words);
    lie(&client(|_| String::new()), words);
    let words = "the assertion is no answer to a request for one";
    lie(
        &client(|c| c.replace("webauthn.get", "webauthn.create")),
        words,
    );
    lie(
        &client(|c| c.replace("\"type\":\"webauthn.get\",", "")),
        words,
    );
    let words = "the assertion's challenge is not the statement's hash";
    lie(
        &client(|c| c.replace("\"challenge\":\"", "\"challenge\":\"A")),
        words,
    );
    lie(
        &client(|c| c.replace("\",\"origin\"", "=\",\"origin\"")),
        words,
    );
    lie(
        &client(|c| c.replace("\"challenge\":", "\"challenged\":")),
        words,
    );
    let words = "the assertion comes from an origin that was not founded";
    lie(
        &client(|c| c.replace("https://vitrine.example", "https://vitrine.example/")),
        words,
    );
    lie(
        &client(|c| c.replace("https://vitrine.example", "https://evil.example")),
        words,
    );
    let words = "the assertion was made inside another site's page";
    lie(
        &client(|c| c.replace("\"crossOrigin\":false", "\"crossOrigin\":true")),
        words,
    );
    lie(
        &client(|c| c.replace("\"crossOrigin\":false", "\"crossOrigin\":null")),
        words,
    );
    lie(
        &client(|c| {
            c.replace(
                "\"crossOrigin\":false",
                "\"topOrigin\":\"https://vitrine.example\"",
            )
        }),
        words,
    );
}

#[test]
fn authenticator_data_must_be_right() {
    let data = |twist: Bytes| twisted(None, Some(twist), None);
    valid(&data(|d| [d, b"extensions".to_vec()].concat()));
    lie(
        &data(|mut d| {
            d.pop();
            d
        }),
        "the authenticator data is too short",
    );
    lie(
        &data(|mut d| {
            d[0] ^= 1;
            d
        }),
        "the assertion is for another relying party",
    );
    let words = "the assertion proves no touch by a verified person";
    lie(
        &data(|mut d| {
            d[32] = 0x04;
            d
        }),
        words,
    );
    lie(
        &data(|mut d| {
            d[32] = 0x01;
            d
        }),
        words,
    );
    let words = "the assertion comes from a key that can be copied";
    lie(
        &data(|mut d| {
            d[32] |= 0x08;
            d
        }),
        words,
    );
    lie(
        &data(|mut d| {
            d[32] |= 0x10;
            d
        }),
        words,
    );
}

#[test]
fn signatures_must_verify() {
    let signature = |twist: Bytes| twisted(None, None, Some(twist));
    let der = "the assertion's signature is not strict DER";
    lie(
        &signature(|mut s| {
            s.push(0);
            s
        }),
        der,
    );
    lie(&signature(|_| Vec::new()), der);
    lie(
        &signature(|mut s| {
            s[1] += 1;
            s
        }),
        der,
    );
    let bad = "the signature does not verify under the authenticator's key";
    lie(
        &signature(|mut s| {
            let at = s.len() - 1;
            s[at] ^= 1;
            s
        }),
        bad,
    );
    lie(&signature(|_| vec![0x30, 6, 2, 1, 1, 2, 1, 1]), bad);
    lie(&signature(|_| vec![0x30, 6, 2, 1, 0, 2, 1, 0]), bad);
    // A bad signature is found however many good ones follow it.
    let mut l = signature(|mut s| {
        let at = s.len() - 1;
        s[at] ^= 1;
        s
    });
    let seq = l.seq() as u64 - 1;
    for _ in 0..100 {
        l.sign(
            "setting.changed",
            "setting",
            0,
            json!({"name": "a", "value": "b"}),
        );
    }
    assert_eq!(verify(&l).seq, Some(seq));
    l.tell("clock.ticked", json!({"why": "unknown"}));
    assert_eq!(verify(&l).seq, Some(seq));
    l.tell("kek.rolled", json!({}));
    assert_eq!(verify(&l).seq, Some(seq));
}

#[test]
fn a_high_s_is_allowed() {
    // n - s for the curve's order n.
    const N: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    valid(&twisted(
        None,
        None,
        Some(|s| {
            let both = super::super::assertion::strict_der(&s).unwrap();
            let mut other = [0_u8; 32];
            let mut borrow = 0_i16;
            for at in (0..32).rev() {
                let digit = i16::from(N[at]) - i16::from(both[32 + at]) - borrow;
                borrow = i16::from(digit < 0);
                other[at] = digit.rem_euclid(256) as u8;
            }
            let integer = |bytes: &[u8]| {
                let skip = bytes.iter().take_while(|b| **b == 0).count();
                let mut digits = bytes[skip..].to_vec();
                if digits[0] >= 0x80 {
                    digits.insert(0, 0);
                }
                [vec![2, digits.len() as u8], digits].concat()
            };
            let body = [integer(&both[..32]), integer(&other)].concat();
            [vec![0x30, body.len() as u8], body].concat()
        }),
    ));
}

#[test]
fn the_key_is_the_signers_and_live() {
    let mut l = Ledger::new();
    let ada = l.join("Ada", &["custodian"]);
    let bo = l.join("Bo", &["custodian"]);
    let further = l.enrol(ada, json!({}));
    let members = json!({"name": "a", "value": "b"});
    let by = |mut l: Ledger, twist: fn(&mut serde_json::Value, &Ledger)| {
        let statement = canon(&l.statement("setting", 1, json!({"name": "a", "value": "b"})));
        let mut data = l.signed(1, 0, &statement);
        twist(&mut data, &l);
        let actor = l.people[1].user.clone();
        l.push(&actor, "setting.changed", data, json!({}));
        l
    };
    let l2 = by(l, |data, l| {
        data["authenticator"] = json!(l.people[2].keys[0].authenticator)
    });
    lie(&l2, "the authenticator is not the signer's");
    let mut l = undone(l2);
    let l2 = by(l, |data, _| {
        data["authenticator"] = json!("01900000-0000-7000-8000-ffffffffffff")
    });
    lie(&l2, "the authenticator was never enrolled");
    l = undone(l2);
    // The signer's own other key did not sign this.
    let l2 = by(l, |data, l| {
        data["authenticator"] = json!(l.people[1].keys[1].authenticator)
    });
    lie(
        &l2,
        "the signature does not verify under the authenticator's key",
    );
    l = undone(l2);
    valid(&l);
    let act = json!({"authenticator": l.people[ada].keys[further].authenticator, "user": l.people[ada].user, "why": "x"});
    l.sign("authenticator.suspended", "suspend", bo, act.clone());
    valid(&l);
    l.sign_by(
        "setting.changed",
        "setting",
        (ada, further),
        members.clone(),
        json!({}),
    );
    lie(&l, "the authenticator is suspended");
    let mut l = undone(l);
    l.sign("authenticator.restored", "unsuspend", bo, act.clone());
    l.sign_by(
        "setting.changed",
        "setting",
        (ada, further),
        members.clone(),
        json!({}),
    );
    valid(&l);
    // A key may revoke itself, and then no more.
    l.sign_by(
        "authenticator.revoked",
        "revoke",
        (ada, further),
        act,
        json!({}),
    );
    valid(&l);
    l.sign_by(
        "setting.changed",
        "setting",
        (ada, further),
        members,
        json!({}),
    );
    lie(&l, "the authenticator was revoked");
}

#[test]
fn the_actor_is_the_signer() {
    let mut l = Ledger::new();
    let ada = l.join("Ada", &["custodian"]);
    let statement = canon(&l.statement("setting", ada, json!({"name": "a", "value": "b"})));
    let data = l.signed(ada, 0, &statement);
    let other = l.people[0].user.clone();
    l.push(&other, "setting.changed", data.clone(), json!({}));
    lie(&l, "the actor is not the signer");
    let mut l = undone(l);
    l.push("system", "setting.changed", data, json!({}));
    lie(&l, "the actor is not the signer");
    let mut l = undone(l);
    l.people[ada].user = "01900000-0000-7000-8000-ffffffffffff".to_owned();
    l.sign(
        "setting.changed",
        "setting",
        ada,
        json!({"name": "a", "value": "b"}),
    );
    lie(&l, "the signer was never invited");
}

#[test]
fn a_statement_is_canonical_and_of_its_event() {
    let spelt = |change: fn(String) -> String| {
        let mut l = Ledger::new();
        let statement = change(canon(&l.statement(
            "setting",
            0,
            json!({"name": "a", "value": "b"}),
        )));
        let data = l.signed(0, 0, &statement);
        let actor = l.people[0].user.clone();
        l.push(&actor, "setting.changed", data, json!({}));
        l
    };
    valid(&spelt(|s| s));
    lie(
        &spelt(|s| s.replace(",\"v\"", ", \"v\"")),
        "the statement is not canonical",
    );
    // Not read further: what is unknown in it is not seen.
    lie(
        &spelt(|s| s.replace(",\"v\":1", ", \"v\":2")),
        "the statement is not canonical",
    );
    lie(
        &spelt(|_| "[]".to_owned()),
        "the statement is not an object",
    );
    lie(
        &spelt(|s| s.replace("\"kind\":\"setting\",", "")),
        "`kind` is missing",
    );
    unknown(
        &spelt(|s| s.replace("\"v\":1", "\"v\":2")),
        "an unknown `v`",
    );
    unknown(
        &spelt(|s| s.replace("\"kind\":\"setting\"", "\"kind\":\"set\"")),
        "an unknown kind",
    );
    unknown(
        &spelt(|s| s.replace("\"value\":\"b\"", "\"value\":\"b\",\"w\":1")),
        "an unknown member",
    );
    lie(
        &spelt(|s| s.replace("\"value\":\"b\"", "\"value\":1")),
        "`value` is not of its type",
    );
    lie(
        &spelt(|s| s.replace("\"name\":\"a\",", "")),
        "`name` is missing",
    );
    lie(
        &spelt(|s| s.replace("\"nonce\":\"", "\"nonce\":\"AAAA")),
        "`nonce` is not of its type",
    );
    let kind = "the statement is of another kind than the event";
    let mut l = Ledger::new();
    l.sign(
        "setting.changed",
        "clock",
        0,
        json!({"entry": ZERO, "time": 1, "why": "x"}),
    );
    lie(&l, kind);
    let mut l = Ledger::new();
    l.sign("setting.changed", "login", 0, json!({"signer": null}));
    lie(&l, kind);
    let mut l = Ledger::new();
    l.sign(
        "setting.changed",
        "setting",
        0,
        json!({"name": "a", "value": "b", "ledger": ZERO}),
    );
    lie(&l, "the statement is for another ledger");
    let mut l = Ledger::new();
    l.sign_by(
        "setting.changed",
        "setting",
        (0, 0),
        json!({"name": "a", "value": "b"}),
        json!({"why": "x"}),
    );
    unknown(&l, "an unknown member");
    let mut l = Ledger::new();
    l.sign_by(
        "setting.changed",
        "setting",
        (0, 0),
        json!({"name": "a", "value": "b"}),
        json!({"assertion": 1}),
    );
    lie(&l, "`assertion` is not of its type");
    // What is unknown decides before a statement that is not canonical.
    let mut l = Ledger::new();
    l.sign_by(
        "setting.changed",
        "setting",
        (0, 0),
        json!({"name": "a", "value": "b"}),
        json!({"statement": "{ }", "why": 1}),
    );
    unknown(&l, "an unknown member");
}

#[test]
fn a_nonce_is_used_once() {
    let mut l = Ledger::new();
    let nonce = l.nonce();
    for _ in 0..2 {
        valid(&l);
        l.sign(
            "setting.changed",
            "setting",
            0,
            json!({"name": "a", "value": "b", "nonce": nonce}),
        );
    }
    lie(&l, "a nonce is used twice");
    let first: serde_json::Value = serde_json::from_str(&l.lines[1]).unwrap();
    let mut l = undone(l);
    l.sign(
        "setting.changed",
        "setting",
        0,
        json!({"name": "a", "value": "b", "nonce": first["data"]["nonce"]}),
    );
    lie(&l, "a nonce is used twice");
}

#[test]
fn counters_that_do_not_rise_are_warned_of() {
    let mut l = Ledger::new();
    for counter in [0, 5, 5, 4, 6] {
        l.people[0].keys[0].counter = counter;
        l.sign(
            "setting.changed",
            "setting",
            0,
            json!({"name": "a", "value": "b"}),
        );
    }
    let report = verify(&l);
    assert_eq!(report.outcome, Outcome::Valid);
    assert_eq!(report.warnings.len(), 3, "{report}");
    assert!(
        report.warnings[1]
            .starts_with("entry 5: the counter of authenticator 01900000-0000-7000-8000-"),
        "{report}"
    );
    assert!(
        report.warnings[1].ends_with("did not rise (6, then 6)"),
        "{report}"
    );
    // Keys that don't count are not warned of.
    let mut l = Ledger::founded_with(json!({}));
    let first = l.first_invitation(json!({}));
    l.tell("person.invited", first);
    let zero: Bytes = |mut d| {
        d[33..37].fill(0);
        d
    };
    l.twist_data = Some(zero);
    l.enrol(0, json!({}));
    for _ in 0..3 {
        l.twist_data = Some(zero);
        l.sign(
            "setting.changed",
            "setting",
            0,
            json!({"name": "a", "value": "b"}),
        );
    }
    assert_eq!(verify(&l).warnings.len(), 0);
    for _ in 0..150 {
        l.people[0].keys[0].counter = 0;
        l.sign(
            "setting.changed",
            "setting",
            0,
            json!({"name": "a", "value": "b"}),
        );
    }
    let report = verify(&l);
    assert_eq!((report.warnings.len(), report.warnings_total), (100, 149));
}

#[test]
fn only_custodians_administer() {
    let mut l = Ledger::new();
    let ada = l.join("Ada", &["requester", "approver", "auditor", "operator"]);
    let user = l.people[ada].user.clone();
    let base = l.seq();
    let attempt = |l: &mut Ledger, event: &str, kind: &str, members: serde_json::Value| {
        l.lines.truncate(base);
        l.leaves.truncate(base);
        l.sign(event, kind, ada, members);
    };
    attempt(
        &mut l,
        "setting.changed",
        "setting",
        json!({"name": "a", "value": "b"}),
    );
    lie(&l, "a setting changed by somebody who is no custodian");
    attempt(
        &mut l,
        "person.roles",
        "roles",
        json!({"roles": ["custodian"], "user": user}),
    );
    lie(&l, "roles given by somebody who is no custodian");
    let expires = l.time + DAY;
    let members = json!({"expires": expires, "invitation": ZERO, "name": "Eve", "roles": [], "user": "01900000-0000-7000-8000-ffffffffffff"});
    attempt(&mut l, "person.invited", "invite", members);
    lie(&l, "an invitation by somebody who is no custodian");
    let other = json!({"authenticator": l.people[0].keys[0].authenticator, "user": l.people[0].user, "why": "x"});
    let own =
        json!({"authenticator": l.people[ada].keys[0].authenticator, "user": user, "why": "x"});
    for (event, kind) in [
        ("authenticator.revoked", "revoke"),
        ("authenticator.suspended", "suspend"),
    ] {
        attempt(&mut l, event, kind, other.clone());
        lie(
            &l,
            "another's key revoked or suspended by somebody who is no custodian",
        );
        attempt(&mut l, event, kind, own.clone());
        valid(&l);
    }
    attempt(&mut l, "authenticator.restored", "unsuspend", own);
    lie(&l, "a key restored by somebody who is no custodian");
    let entry = hex::encode(l.leaves[base - 1]);
    let time = l.time;
    attempt(
        &mut l,
        "clock.accepted",
        "clock",
        json!({"entry": entry, "time": time, "why": "x"}),
    );
    valid(&l);
    // A custodian who is none any more.
    let mut l = Ledger::new();
    let user = l.people[0].user.clone();
    l.sign(
        "person.roles",
        "roles",
        0,
        json!({"roles": [], "user": user}),
    );
    valid(&l);
    l.sign(
        "setting.changed",
        "setting",
        0,
        json!({"name": "a", "value": "b"}),
    );
    lie(&l, "a setting changed by somebody who is no custodian");
}

#[test]
fn roles_are_given_to_the_invited() {
    let mut l = Ledger::new();
    l.invite("Ada", &[], json!({}));
    let user = l.people[1].user.clone();
    l.sign(
        "person.roles",
        "roles",
        0,
        json!({"roles": ["auditor"], "user": user}),
    );
    valid(&l);
    l.step = DAY;
    l.sign(
        "person.roles",
        "roles",
        0,
        json!({"roles": ["auditor"], "user": user}),
    );
    lie(&l, "roles for somebody never invited");
    let mut l = Ledger::new();
    l.sign(
        "person.roles",
        "roles",
        0,
        json!({"roles": ["auditor"], "user": user}),
    );
    lie(&l, "roles for somebody never invited");
}

#[test]
fn keys_are_revoked_once_and_restored_when_suspended() {
    let mut l = Ledger::new();
    let ada = l.join("Ada", &["approver"]);
    let bo = l.join("Bo", &["approver"]);
    let act = json!({"authenticator": l.people[ada].keys[0].authenticator, "user": l.people[ada].user, "why": "x"});
    let wrong = json!({"authenticator": l.people[ada].keys[0].authenticator, "user": l.people[bo].user, "why": "x"});
    let never = json!({"authenticator": "01900000-0000-7000-8000-ffffffffffff", "user": l.people[ada].user, "why": "x"});
    let distrusted = json!({"authenticator": l.people[ada].keys[0].authenticator, "counter": 3});
    l.sign("authenticator.revoked", "revoke", 0, wrong);
    lie(&l, "the key is not that user's");
    let mut l = undone(l);
    l.sign("authenticator.revoked", "revoke", 0, never);
    lie(&l, "the authenticator was never enrolled");
    let mut l = undone(l);
    l.sign("authenticator.restored", "unsuspend", 0, act.clone());
    lie(&l, "a key is restored that is not suspended");
    let mut l = undone(l);
    l.tell("authenticator.distrusted", distrusted.clone());
    valid(&l);
    l.tell("authenticator.distrusted", distrusted.clone());
    lie(&l, "a key is distrusted that is not live");
    let mut l = undone(l);
    l.sign("authenticator.suspended", "suspend", 0, act.clone());
    lie(&l, "a key is suspended that is not live");
    let mut l = undone(l);
    l.sign("authenticator.restored", "unsuspend", 0, act.clone());
    l.sign("authenticator.suspended", "suspend", 0, act.clone());
    l.sign("authenticator.revoked", "revoke", 0, act.clone());
    valid(&l);
    for (event, kind, words) in [
        ("authenticator.revoked", "revoke", "a key is revoked twice"),
        (
            "authenticator.suspended",
            "suspend",
            "a key is suspended that is not live",
        ),
        (
            "authenticator.restored",
            "unsuspend",
            "a key is restored that is not suspended",
        ),
    ] {
        l.sign(event, kind, 0, act.clone());
        lie(&l, words);
        l = undone(l);
    }
    l.tell("authenticator.distrusted", distrusted);
    lie(&l, "a key is distrusted that is not live");
    let mut l = undone(l);
    l.tell(
        "authenticator.distrusted",
        json!({"authenticator": "01900000-0000-7000-8000-ffffffffffff", "counter": 0}),
    );
    lie(&l, "the authenticator was never enrolled");
}

#[test]
fn a_first_key_comes_by_invitation() {
    let first = |over, data_over| {
        let mut l = Ledger::new();
        l.invite("Ada", &[], json!({}));
        l.enrol_with(1, over, data_over);
        l
    };
    valid(&first(json!({}), json!({})));
    valid(&first(json!({"share_key": null}), json!({})));
    lie(
        &first(json!({"invitation": null}), json!({})),
        "a first key does not carry its user's invitation",
    );
    lie(
        &first(json!({"invitation": ZERO}), json!({})),
        "a first key does not carry its user's invitation",
    );
    lie(
        &first(json!({"name": "Eve"}), json!({})),
        "the name is not the invited one",
    );
    lie(
        &first(
            json!({"authenticator": "01900000-0000-7000-8000-ffffffffffff"}),
            json!({}),
        ),
        "a key is enrolled by another key than it names",
    );
    lie(
        &first(json!({"public_key": b64(&[4; 65])}), json!({})),
        "the signature does not verify under the authenticator's key",
    );
    let hybrid = [&[6_u8][..], &[4; 64]].concat();
    lie(
        &first(json!({"public_key": b64(&hybrid)}), json!({})),
        "a public key is not an uncompressed point",
    );
    lie(
        &first(json!({"registration_sha256": ZERO}), json!({})),
        "the registration is not the one that was signed",
    );
    lie(
        &first(
            json!({}),
            json!({"registration": {"attestation_object": "", "client_data_json": ""}}),
        ),
        "the registration is not the one that was signed",
    );
    lie(
        &first(json!({}), json!({"registration": null})),
        "`registration` is missing",
    );
    lie(
        &first(json!({"credential_id": ""}), json!({})),
        "`credential_id` is not of its type",
    );
    lie(
        &first(json!({"credential_id": b64(&[1; 1024])}), json!({})),
        "`credential_id` is not of its type",
    );
    lie(
        &first(json!({"aaguid": b64(&[1; 15])}), json!({})),
        "`aaguid` is not of its type",
    );
    unknown(
        &first(json!({"model": "x"}), json!({})),
        "an unknown member",
    );
    unknown(
        &first(json!({}), json!({"registration": {"model": 1}})),
        "an unknown member",
    );
    let mut l = Ledger::new();
    l.invite("Ada", &[], json!({}));
    l.step = DAY;
    l.enrol(1, json!({}));
    lie(&l, "the invitation has expired");
    // Somebody else enrols a key for her.
    let mut l = Ledger::new();
    l.invite("Ada", &[], json!({}));
    let signer = l.people[0].user.clone();
    l.enrol(1, json!({"signer": signer}));
    lie(&l, "the actor is not the signer");
    let mut l = undone(l);
    l.people[1].user = signer.clone();
    let user = l.id();
    l.people[1].keys.clear();
    l.enrol(1, json!({"user": user}));
    lie(&l, "a key is enrolled for somebody else than its signer");
    let mut l = Ledger::new();
    l.invite("Ada", &[], json!({}));
    l.people[1].user = user;
    l.enrol(1, json!({}));
    lie(&l, "a key is enrolled for somebody never invited");
    // An admission has no place with a first key.
    let mut l = Ledger::new();
    l.invite("Ada", &[], json!({}));
    let custodian = l.people[0].keys[0].authenticator.clone();
    let assertion = l.assertion(0, 0, "{}");
    l.enrol_with(
        1,
        json!({}),
        json!({"admission": {"assertion": assertion, "authenticator": custodian}}),
    );
    lie(&l, "the assertion's challenge is not the statement's hash");
}

#[test]
fn a_further_key_is_admitted_by_another() {
    let further = |over, change: fn(&mut serde_json::Value, &Ledger)| {
        let mut l = Ledger::new();
        let ada = l.join("Ada", &[]);
        l.enrol(ada, json!({}));
        l.enrol(ada, over);
        let entry: serde_json::Value = serde_json::from_str(&l.lines.pop().unwrap()).unwrap();
        l.leaves.pop();
        let mut data = entry["data"].clone();
        change(&mut data, &l);
        l.push_line(canon(&merge(entry, json!({"data": data}))));
        l
    };
    valid(&further(json!({}), |_, _| ()));
    lie(
        &further(json!({"invitation": ZERO}), |_, _| ()),
        "a further key carries an invitation",
    );
    lie(
        &further(json!({}), |data, _| {
            data.as_object_mut().unwrap().remove("admission");
        }),
        "no other key admits the further key",
    );
    lie(
        &further(
            json!({}),
            |data, _| {
                data["admission"] =
                    json!({"assertion": data["assertion"], "authenticator": data["authenticator"]})
            },
        ),
        "a key admits itself",
    );
    lie(
        &further(json!({}), |data, l| {
            data["admission"]["authenticator"] = json!(l.people[0].keys[0].authenticator)
        }),
        "the authenticator is not the signer's",
    );
    let other = |data: &mut serde_json::Value, l: &Ledger| {
        data["admission"]["authenticator"] = json!(l.people[1].keys[1].authenticator)
    };
    lie(
        &further(json!({}), other),
        "the signature does not verify under the authenticator's key",
    );
    unknown(
        &further(json!({}), |data, _| {
            data["admission"]["statement"] = json!("{}")
        }),
        "an unknown member",
    );
    // By a key that is not live.
    let mut l = Ledger::new();
    let ada = l.join("Ada", &[]);
    let act = json!({"authenticator": l.people[ada].keys[0].authenticator, "user": l.people[ada].user, "why": "x"});
    l.sign("authenticator.revoked", "revoke", 0, act);
    l.enrol(ada, json!({}));
    lie(&l, "the authenticator was revoked");
}

#[test]
fn keys_are_unique() {
    let twice = |name: &str, words: &str| {
        let mut l = Ledger::new();
        l.join("Ada", &[]);
        let entry: serde_json::Value = serde_json::from_str(l.lines.last().unwrap()).unwrap();
        let statement: serde_json::Value =
            serde_json::from_str(entry["data"]["statement"].as_str().unwrap()).unwrap();
        let bo = l.invite("Bo", &[], json!({}));
        l.enrol(bo, json!({name: statement[name]}));
        lie(&l, words);
    };
    twice("credential_id", "a credential id is enrolled twice");
    twice("public_key", "a public key is enrolled twice");
    twice("share_key", "a share key is enrolled twice");
    let mut l = Ledger::new();
    let ada = l.join("Ada", &[]);
    let bo = l.invite("Bo", &[], json!({}));
    let same = l.people[ada].keys[0].authenticator.clone();
    l.enrol_with(
        bo,
        json!({"authenticator": same}),
        json!({"authenticator": same}),
    );
    lie(&l, "an authenticator is enrolled twice");
}

#[test]
fn people_are_unique_until_an_invitation_lapses() {
    let mut l = Ledger::new();
    l.invite("Ada Stra\u{df}e", &[], json!({}));
    let user = l.people[1].user.clone();
    l.invite("Eve", &[], json!({"user": user}));
    lie(&l, "a user is invited twice");
    let mut l = undone(l);
    l.invite("ADA STRASSE", &[], json!({}));
    lie(&l, "two people have one name");
    let mut l = undone(l);
    // The day after, unused: both are free.
    l.step = DAY;
    let expires = l.time + 3 * DAY;
    l.invite("ADA STRASSE", &[], json!({"expires": expires}));
    l.step = SECOND;
    l.invite("Eve", &[], json!({"user": user}));
    valid(&l);
    l.invite("ada strasse", &[], json!({}));
    lie(&l, "two people have one name");
    let mut l = undone(l);
    l.people.pop();
    let eve = l.people.len() - 1;
    assert_eq!(l.people[eve].name, "Eve");
    l.enrol(eve, json!({}));
    valid(&l);
    l.step = DAY;
    l.tick();
    l.step = SECOND;
    l.invite("eve", &[], json!({}));
    lie(&l, "two people have one name");
    let mut l = undone(l);
    l.invite("Eva", &[], json!({"user": user}));
    lie(&l, "a user is invited twice");
}

#[test]
fn names_are_folded_in_full_and_composed() {
    use super::super::state::folded;
    assert_eq!(folded("\u{1e9e}"), folded("SS"));
    assert_eq!(folded("\u{c9}mile"), folded("\u{e9}mile"));
    assert_eq!(folded("\u{3a3}\u{3a3}"), folded("\u{3c3}\u{3c2}"));
    assert_ne!(folded("Ada"), folded("Ad\u{e0}"));
}
