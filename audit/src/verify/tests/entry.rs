//! Entries: bytes, order, time, what is unknown (FORMATS.md 1 to 3 and 6).

use super::super::forge::*;
use super::*;

/// The last line, changed as text.
fn respelt(change: impl Fn(&str) -> String) -> Ledger {
    let mut l = Ledger::new();
    l.tell("drill.finished", json!({"outcome": "passed", "report_sha256": ZERO, "safe": "01900000-0000-7000-8000-000000000001"}));
    let line = l.lines.pop().unwrap();
    l.leaves.pop();
    l.push_line(change(&line));
    l
}

#[test]
fn only_canonical_bytes_pass() {
    valid(&respelt(str::to_owned));
    let not = |why: &str| format!("the entry is not canonical: {why}");
    lie(
        &respelt(|s| s.replace(",\"seq\"", ", \"seq\"")),
        &not("not JSON"),
    );
    lie(
        &respelt(|s| s.replace(":3,", ": 3,")),
        &not("a space between values"),
    );
    lie(
        &respelt(|s| s.replace(":3,", ":3.0,")),
        &not("a number that is no integer"),
    );
    lie(&respelt(|s| format!("{s} ")), &not("bytes after the value"));
    lie(
        &respelt(|s| s.replace("\"v\":1}", "\"v\":1,\"v\":1}")),
        &not("members out of order or twice"),
    );
    lie(&respelt(|_| String::new()), &not("cut off"));
    lie(
        &respelt(|s| format!("{s}\r")),
        &not("bytes after the value"),
    );
    lie(
        &respelt(|_| "x".repeat(65_537)),
        "the entry is not canonical: the entry is longer than 64 KiB",
    );
    lie(
        &respelt(|_| "x".repeat(3_000_000)),
        "the entry is not canonical: the entry is longer than 64 KiB",
    );
    // Not canonical comes before everything else, unknown members too.
    lie(
        &respelt(|s| s.replace("\"v\":1}", "\"v\":2, \"w\":1}")),
        &not("not JSON"),
    );
    lie(
        &respelt(|_| "[]".to_owned()),
        "`seq` is not the entry's place",
    );
}

#[test]
fn seq_and_prev_come_before_what_is_unknown() {
    let with = |over| {
        let mut l = Ledger::new();
        l.push("system", "clock.ticked", json!({}), over);
        l
    };
    valid(&with(json!({})));
    lie(&with(json!({"seq": 4})), "`seq` is not the entry's place");
    lie(
        &with(json!({"seq": "3", "v": 2})),
        "`seq` is not the entry's place",
    );
    lie(
        &with(json!({"seq": null, "w": 2})),
        "`seq` is not the entry's place",
    );
    lie(
        &with(json!({"prev": ZERO, "event": "x"})),
        "`prev` is not the leaf of the entry before it",
    );
    lie(
        &with(json!({"prev": 1})),
        "`prev` is not the leaf of the entry before it",
    );
    lie(
        &with(json!({"prev": null})),
        "`prev` is not the leaf of the entry before it",
    );
    unknown(&with(json!({"event": "clock.stopped"})), "an unknown event");
    unknown(&with(json!({"v": 2, "time": "x"})), "an unknown `v`");
    unknown(&with(json!({"w": 1, "data": []})), "an unknown member");
    unknown(&with(json!({"data": {"why": "x"}})), "an unknown member");
    lie(&with(json!({"v": "1"})), "`v` is not of its type");
    lie(&with(json!({"v": null})), "`v` is missing");
    lie(&with(json!({"event": 1})), "`event` is not of its type");
    lie(&with(json!({"event": null})), "`event` is missing");
    lie(&with(json!({"data": []})), "`data` is not of its type");
    lie(
        &with(json!({"actor": "nobody"})),
        "`actor` is not of its type",
    );
    lie(&with(json!({"time": -1})), "`time` is not of its type");
}

#[test]
fn behind_an_unknown_entry_all_is_hashed_and_nothing_judged() {
    let mut l = Ledger::new();
    l.tell("clock.stopped", json!({}));
    let seq = l.seq() as u64 - 1;
    l.push("system", "clock.ticked", json!({}), json!({"seq": 99}));
    l.push_line("not JSON".to_owned());
    l.push_line("x".repeat(700_000));
    let report = verify(&l);
    assert_eq!(
        (report.outcome, report.seq),
        (Outcome::NotVerified, Some(seq))
    );
    assert_eq!(report.root, Some(root(&l.leaves)));
    let last = l.lines.len() - 1;
    l.lines[last].push('x');
    let report = verify(&l);
    assert_eq!(report.outcome, Outcome::False);
    assert_eq!(
        report.lie.unwrap(),
        "the checkpoint of size 7 has another root than these entries"
    );
}

#[test]
fn an_unknown_founding_is_unknown() {
    for over in [
        json!({"witnesses": []}),
        json!({"continues": {"checkpoint": ZERO, "ledger": ZERO, "size": 1, "why": "x"}}),
    ] {
        let mut l = Ledger::founded_with(over);
        unknown(&l, "an unknown member");
        l.tick();
        let report = verify(&l);
        assert_eq!(
            (report.outcome, report.seq),
            (Outcome::NotVerified, Some(0))
        );
    }
}

#[test]
fn time_goes_on_and_does_not_jump() {
    let mut l = Ledger::new();
    l.step = 0;
    l.tick();
    l.step = DAY;
    l.tick();
    valid(&l);
    l.step = -1;
    l.tick();
    lie(&l, "the time goes back");
    let mut l = Ledger::new();
    l.step = DAY + 1;
    l.tick();
    lie(&l, "the time jumps by more than 24 hours");
}

#[test]
fn an_accepted_clock_says_when_and_after_what() {
    let clock = |from: i64, entry: Option<&str>| {
        let mut l = Ledger::new();
        let own = l.leaf();
        l.step = 10 * DAY;
        let members =
            json!({"entry": entry.unwrap_or(&own), "time": l.time + 10 * DAY + from, "why": "x"});
        l.sign("clock.accepted", "clock", 0, members);
        l
    };
    valid(&clock(0, None));
    valid(&clock(-DAY, None));
    lie(&clock(1, None), "the time is not the one that was accepted");
    lie(
        &clock(-DAY - 1, None),
        "the time is not the one that was accepted",
    );
    lie(
        &clock(0, Some(ZERO)),
        "the clock was accepted after another entry",
    );
}

#[test]
fn entry_0_and_only_it_founds() {
    let mut l = Ledger::new();
    let founding: serde_json::Value = serde_json::from_str(&l.lines[0]).unwrap();
    l.tell("ledger.founded", founding["data"].clone());
    lie(&l, "the ledger is founded twice");
    let mut l = Ledger::founded_with(json!({}));
    l.lines.clear();
    l.leaves.clear();
    l.tick();
    lie(&l, "entry 0 is not the founding");
}

#[test]
fn what_a_founding_must_be() {
    let founded = |over| Ledger::founded_with(over);
    valid(&founded(json!({})));
    valid(&founded(
        json!({"continues": {"checkpoint": ZERO, "ledger": ZERO, "size": 1}}),
    ));
    let key = CheckpointKey::new(NAME).vkey();
    let keys = "a checkpoint key is not a verifier key of this ledger";
    lie(
        &founded(json!({"checkpoint_keys": []})),
        "`checkpoint_keys` is not of its type",
    );
    lie(
        &founded(json!({"checkpoint_keys": [key, key]})),
        "`checkpoint_keys` is not of its type",
    );
    lie(
        &founded(json!({"checkpoint_keys": [CheckpointKey::new("elsewhere").vkey()]})),
        keys,
    );
    lie(&founded(json!({"checkpoint_keys": ["x"]})), keys);
    let four: Vec<_> = (0..4).map(|_| CheckpointKey::new(NAME).vkey()).collect();
    lie(
        &founded(json!({"checkpoint_keys": four})),
        "there are 1 to 3 checkpoint keys",
    );
    lie(
        &founded(json!({"name": "a b"})),
        "the ledger's name has a space or a `+`",
    );
    lie(
        &founded(json!({"name": "a+b"})),
        "the ledger's name has a space or a `+`",
    );
    lie(
        &founded(json!({"name": "a\u{2003}b"})),
        "the ledger's name has a space or a `+`",
    );
    lie(&founded(json!({"name": ""})), "`name` is not of its type");
    lie(
        &founded(json!({"name": "x".repeat(201)})),
        "`name` is not of its type",
    );
    lie(
        &founded(json!({"origins": []})),
        "`origins` is not of its type",
    );
    lie(
        &founded(json!({"origins": [ORIGIN, ORIGIN]})),
        "`origins` is not of its type",
    );
    lie(&founded(json!({"rp_id": null})), "`rp_id` is missing");
    lie(
        &founded(json!({"continues": {"checkpoint": ZERO, "ledger": ZERO, "size": 0}})),
        "`size` is not of its type",
    );
}

#[test]
fn entry_1_and_only_it_is_an_unsigned_invitation() {
    let first = |over| {
        let mut l = Ledger::founded_with(json!({}));
        let data = l.first_invitation(over);
        l.tell("person.invited", data);
        l
    };
    valid(&first(json!({})));
    lie(
        &first(json!({"roles": ["approver"]})),
        "the first person is not a custodian",
    );
    lie(
        &first(json!({"ledger": ZERO})),
        "the statement is for another ledger",
    );
    lie(
        &first(json!({"kind": "roles"})),
        "the first person is not invited by an invitation",
    );
    lie(
        &first(json!({"roles": ["custodian", "custodian"]})),
        "`roles` is not of its type",
    );
    lie(
        &first(json!({"roles": ["king"]})),
        "`roles` is not of its type",
    );
    unknown(
        &first(json!({"signer": "01900000-0000-7000-8000-000000000001"})),
        "an unknown member",
    );
    unknown(&first(json!({"v": 2})), "an unknown `v`");
    unknown(&first(json!({"kind": "welcome"})), "an unknown kind");
    let mut l = Ledger::founded_with(json!({}));
    let data = l.first_invitation(json!({}));
    let actor = l.id();
    l.push(&actor, "person.invited", data, json!({}));
    lie(&l, "the first person is not invited by `system`");
    let mut l = Ledger::founded_with(json!({}));
    l.tick();
    lie(&l, "entry 1 is not the first person's invitation");
    let mut l = Ledger::new();
    let data = l.first_invitation(json!({"name": "Second"}));
    l.tell("person.invited", data);
    lie(&l, "an invitation that nobody signed");
    // Signed, by a key that nobody could know yet.
    let mut l = Ledger::new();
    l.lines.truncate(1);
    l.leaves.truncate(1);
    l.invite("Eve", &["custodian"], json!({}));
    lie(&l, "entry 1 is not the first person's invitation");
}

#[test]
fn types_and_closed_lists_are_kept() {
    let id = "01900000-0000-7000-8000-000000000001";
    let told = |event: &str, data: serde_json::Value| {
        let mut l = Ledger::new();
        l.tell(event, data);
        l
    };
    let drill = |over| {
        told(
            "drill.finished",
            merge(
                json!({"outcome": "passed", "report_sha256": ZERO, "safe": id}),
                over,
            ),
        )
    };
    valid(&drill(json!({})));
    lie(
        &drill(json!({"outcome": "so so"})),
        "`outcome` is not of its type",
    );
    lie(
        &drill(json!({"safe": id.to_uppercase().replace("01900000", "0190000A")})),
        "`safe` is not of its type",
    );
    lie(
        &drill(json!({"report_sha256": ZERO.replace('0', "A")})),
        "`report_sha256` is not of its type",
    );
    lie(
        &drill(json!({"report_sha256": &ZERO[1..]})),
        "`report_sha256` is not of its type",
    );
    lie(&drill(json!({"safe": null})), "`safe` is missing");
    let kek = |over| {
        told(
            "kek.rolled",
            merge(json!({"key": id, "previous_key": id, "token": "a"}), over),
        )
    };
    valid(&kek(json!({})));
    valid(&kek(json!({"previous_key": null})));
    valid(&kek(json!({"token": "\u{e9}".repeat(200)})));
    valid(&kek(json!({"token": "\\\"".repeat(100)})));
    lie(
        &kek(json!({"token": "\u{e9}".repeat(201)})),
        "`token` is not of its type",
    );
    lie(
        &kek(json!({"token": "\\\"".repeat(101)})),
        "`token` is not of its type",
    );
    lie(&kek(json!({"token": ""})), "`token` is not of its type");
    lie(
        &kek(json!({"previous_key": "x"})),
        "`previous_key` is not of its type",
    );
    let started = |pages| {
        told(
            "software.started",
            json!({"pages": pages, "program_sha256": ZERO, "release": "1"}),
        )
    };
    valid(&started(json!([])));
    lie(&started(json!([1])), "`pages` is not of its type");
    lie(&started(json!({})), "`pages` is not of its type");
    lie(&started(json!([{"path": "x"}])), "`sha256` is missing");
    unknown(
        &started(json!([{"path": 1, "sha256": ZERO, "size": 1}])),
        "an unknown member",
    );
}

#[test]
fn an_unsigned_entry_has_no_person_as_its_actor() {
    let mut l = Ledger::new();
    let person = l.people[0].user.clone();
    let workload = l.id();
    l.push(&workload, "clock.ticked", json!({}), json!({}));
    l.push(&workload, "clock.ticked", json!({}), json!({}));
    valid(&l);
    l.push(&person, "clock.ticked", json!({}), json!({}));
    lie(&l, "an entry that nobody signed has a person as its actor");
    l.lines.pop();
    l.leaves.pop();
    // Judged at that seq: the id may become a person's later, and is no workload's from then on.
    l.invite("Eve", &[], json!({"user": workload}));
    valid(&l);
    l.push(&workload, "clock.ticked", json!({}), json!({}));
    lie(&l, "an entry that nobody signed has a person as its actor");
}

#[test]
fn a_byte_changed_anywhere_is_named() {
    let story::Story { mut l, .. } = story::story();
    l.tick();
    for seq in 0..l.seq() {
        let mut changed = Ledger::founded_with(json!({}));
        changed.name = l.name.clone();
        changed.checkpoint_keys = std::mem::take(&mut l.checkpoint_keys);
        changed.lines = l.lines.clone();
        changed.leaves = l.leaves.clone();
        changed.lines[seq] = changed.lines[seq].replace("\"time\":17", "\"time\":16");
        let report = verify(&changed);
        assert_eq!(report.outcome, Outcome::False, "{seq}");
        let named = report.seq;
        if seq + 1 < l.seq() {
            assert!(
                named == Some(seq as u64) || named == Some(seq as u64 + 1),
                "{seq}: {report}"
            );
        }
        l.checkpoint_keys = changed.checkpoint_keys;
    }
}
