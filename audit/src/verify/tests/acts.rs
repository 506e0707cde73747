//! Versions, releases, targets, roles, grants, rotations (FORMATS.md 4, "release.opened" to "Order").

use super::super::forge::*;
use super::story::{Story, story};
use super::*;

/// The keys of the safe, and more.
fn with(s: &Story, more: Vec<serde_json::Value>) -> Vec<serde_json::Value> {
    [Ledger::sealed_to(&s.safe), more].concat()
}

#[test]
fn what_a_sealed_version_must_be() {
    let sealed = |over: fn(&mut Story) -> serde_json::Value| {
        let mut s = story();
        let over = over(&mut s);
        let credential = s.l.id();
        let safe = s.safe.clone();
        s.l.seal(&safe, &credential, 1, over);
        s.l
    };
    valid(&sealed(|_| json!({})));
    lie(
        &sealed(|_| json!({"roster": ZERO})),
        "the roster named was never set",
    );
    lie(
        &sealed(|s| json!({"safe": s.sealed.credential})),
        "the roster named is another safe's",
    );
    lie(
        &sealed(|_| json!({"epoch": 2})),
        "the epoch is not the named roster's",
    );
    lie(
        &sealed(|s| json!({"authenticators": Ledger::sealed_to(&s.safe)[1..].to_vec()})),
        "a version is sealed to no key of an approver",
    );
    lie(
        &sealed(|s| {
            let other = s.l.people[s.approvers[3]].keys[0].authenticator.clone();
            json!({"authenticators": with(s, vec![json!(other)])})
        }),
        "a version is sealed to a key that its roster does not name",
    );
    lie(
        &sealed(|s| json!({"authenticators": with(s, vec![json!(s.safe.id)])})),
        "a version is sealed to a key never enrolled",
    );
    lie(
        &sealed(|s| json!({"authenticators": with(s, Ledger::sealed_to(&s.safe))})),
        "`authenticators` is not of its type",
    );
    lie(
        &sealed(|s| json!({"credential": s.sealed.credential})),
        "a version is sealed twice",
    );
    valid(&sealed(
        |s| json!({"credential": s.sealed.credential, "version": 2}),
    ));
    lie(
        &sealed(|_| json!({"origin": "found"})),
        "`origin` is not of its type",
    );
    lie(
        &sealed(|_| json!({"origin": "resealed"})),
        "a version is resealed that no reseal had opened",
    );
    let words = "an import's statement stands with imported versions, and only there";
    lie(&sealed(|_| json!({"origin": "imported"})), words);
    // Another safe's credential.
    let mut s = story();
    let people = s.approvers.clone();
    let other = s.l.found_safe(2, &people);
    s.l.seal(&other, &s.sealed.credential, 2, json!({}));
    lie(&s.l, "the credential belongs to another safe");
}

#[test]
fn what_an_import_must_be() {
    let imported = |person: usize, said: serde_json::Value, over: serde_json::Value| {
        let mut s = story();
        let (credential, envelope) = (s.l.id(), s.l.hash());
        let members = merge(
            json!({"credential": credential, "envelope": envelope, "safe": s.safe.id, "version": 1}),
            said,
        );
        let statement = s.l.statement("import", person, members);
        let import = s.l.signed(person, 0, &canon(&statement));
        let data = merge(
            json!({"envelope": envelope, "import": import, "origin": "imported"}),
            over,
        );
        let safe = s.safe.clone();
        s.l.seal(&safe, &credential, 1, data);
        s.l
    };
    valid(&imported(0, json!({}), json!({})));
    lie(
        &imported(1, json!({}), json!({})),
        "an import by somebody who is no custodian",
    );
    let words = "the import's statement is for another version";
    lie(&imported(0, json!({"version": 2}), json!({})), words);
    lie(&imported(0, json!({"envelope": ZERO}), json!({})), words);
    lie(
        &imported(0, json!({"ledger": ZERO}), json!({})),
        "the statement is for another ledger",
    );
    lie(
        &imported(0, json!({}), json!({"origin": "generated"})),
        "an import's statement stands with imported versions, and only there",
    );
    unknown(
        &imported(0, json!({"note": "x"}), json!({})),
        "an unknown member",
    );
    lie(
        &imported(
            0,
            json!({"signer": "01900000-0000-7000-8000-ffffffffffff"}),
            json!({}),
        ),
        "the signer was never invited",
    );
}

#[test]
fn what_is_opened_is_what_was_asked_for() {
    let opened = |over: fn(&Story) -> serde_json::Value| {
        let mut s = story();
        let filed = s.l.ask_release(s.asker, &s.sealed, json!({}));
        let approvals = [
            s.l.approve(&filed, s.approvers[0]),
            s.l.approve(&filed, s.approvers[1]),
        ];
        let over = over(&s);
        s.l.open(s.asker, &s.sealed, &filed, &approvals, over);
        s.l
    };
    valid(&opened(|_| json!({})));
    let words = "the entry differs from its request";
    lie(&opened(|s| json!({"credential": s.safe.id})), words);
    lie(&opened(|_| json!({"version": 2})), words);
    lie(&opened(|_| json!({"envelope": ZERO})), words);
    lie(&opened(|_| json!({"epoch": 2})), words);
    lie(&opened(|_| json!({"roster": ZERO})), words);
    lie(&opened(|s| json!({"safe": s.sealed.credential})), words);
    lie(&opened(|s| json!({"requester": s.l.people[0].user})), words);
    lie(
        &opened(|s| json!({"request": s.safe.id})),
        "it names no filed request",
    );
    unknown(&opened(|_| json!({"h": "x"})), "an unknown member");
    // A request for something else.
    let mut s = story();
    let filed = s.l.file(0, "restore", &s.safe, json!({"checkpoint": ZERO}));
    let approvals = [
        s.l.approve(&filed, s.approvers[0]),
        s.l.approve(&filed, s.approvers[1]),
    ];
    s.l.open(0, &s.sealed, &filed, &approvals, json!({}));
    lie(&s.l, "the request is for something else");
}

#[test]
fn a_release_opens_in_its_time() {
    // 600 seconds from the approval that made it two; a third one later moves nothing.
    let at = |wait: i64, third: bool| {
        let mut s = story();
        let filed = s.l.ask_release(s.asker, &s.sealed, json!({}));
        let mut approvals = vec![
            s.l.approve(&filed, s.approvers[0]),
            s.l.approve(&filed, s.approvers[1]),
        ];
        let reached = s.l.time;
        if third {
            s.l.step = 300 * SECOND;
            approvals.push(s.l.approve(&filed, s.approvers[2]));
        }
        s.l.step = reached + wait - s.l.time;
        s.l.open(
            s.asker,
            &s.sealed,
            &filed,
            &approvals[1..approvals.len().min(3)],
            json!({}),
        );
        if !third {
            s.l = undone(s.l);
            s.l.step = reached + wait - s.l.time;
            s.l.open(s.asker, &s.sealed, &filed, &approvals, json!({}));
        }
        s.l
    };
    valid(&at(600 * SECOND - 1, false));
    lie(&at(600 * SECOND, false), "the release is opened too late");
    valid(&at(600 * SECOND - 1, true));
    lie(&at(600 * SECOND, true), "the release is opened too late");
    // It may open after the request expired, but no approval after that counts.
    let late = |before: i64| {
        let mut s = story();
        let filed = s.l.ask_release(s.asker, &s.sealed, json!({}));
        let one = s.l.approve(&filed, s.approvers[0]);
        s.l.step = filed.statement["expires"].as_i64().unwrap() - s.l.time - before;
        let two = s.l.approve(&filed, s.approvers[1]);
        s.l.step = 500 * SECOND;
        s.l.open(s.asker, &s.sealed, &filed, &[one, two], json!({}));
        s.l
    };
    valid(&late(1));
    lie(
        &late(0),
        "an approval listed came after the request had expired",
    );
}

#[test]
fn only_versions_that_stand_are_opened() {
    // Sealed under a roster that was in force no more.
    let mut s = story();
    let people = s.approvers.clone();
    s.l.next_epoch(&s.safe, 2, &people[..3], &people[..2]);
    let stale = s.l.seal(&s.safe, &s.sealed.credential, 2, json!({}));
    valid(&s.l);
    let filed = s.l.ask_release(s.asker, &stale, json!({}));
    let approvals = [
        s.l.approve(&filed, people[0]),
        s.l.approve(&filed, people[1]),
    ];
    s.l.open(s.asker, &stale, &filed, &approvals, json!({}));
    lie(
        &s.l,
        "the version was sealed under a roster that was not in force",
    );
    // Destroyed between the filing and the opening.
    let mut s = story();
    let filed = s.l.ask_release(s.asker, &s.sealed, json!({}));
    let approvals = [
        s.l.approve(&filed, s.approvers[0]),
        s.l.approve(&filed, s.approvers[1]),
    ];
    let version =
        json!({"credential": s.sealed.credential, "envelope": s.sealed.envelope, "version": 1});
    let destroy =
        s.l.file(0, "destroy", &s.safe, json!({"versions": [version]}));
    let by = [
        s.l.approve(&destroy, s.approvers[0]),
        s.l.approve(&destroy, s.approvers[1]),
    ];
    s.l.act("version.destroyed", &destroy, &by, &["versions"], json!({}));
    s.l.open(s.asker, &s.sealed, &filed, &approvals, json!({}));
    lie(&s.l, "a version named was destroyed");
    // And destroyed once.
    let mut l = undone(s.l);
    let again = l.file(0, "destroy", &s.safe, json!({"versions": [version]}));
    let by = [
        l.approve(&again, s.approvers[0]),
        l.approve(&again, s.approvers[1]),
    ];
    l.act("version.destroyed", &again, &by, &["versions"], json!({}));
    lie(&l, "a version named was destroyed");
}

#[test]
fn versions_named_are_sealed_in_that_safe() {
    let destroyed = |over: fn(&Story) -> serde_json::Value| {
        let mut s = story();
        let mut version =
            json!({"credential": s.sealed.credential, "envelope": s.sealed.envelope, "version": 1});
        version = merge(version, over(&s));
        let filed =
            s.l.file(0, "destroy", &s.safe, json!({"versions": [version]}));
        let by = [
            s.l.approve(&filed, s.approvers[0]),
            s.l.approve(&filed, s.approvers[1]),
        ];
        s.l.act("version.destroyed", &filed, &by, &["versions"], json!({}));
        s.l
    };
    valid(&destroyed(|_| json!({})));
    lie(
        &destroyed(|_| json!({"version": 2})),
        "a version named was never sealed",
    );
    lie(
        &destroyed(|_| json!({"envelope": ZERO})),
        "a version named has another envelope",
    );
    let mut s = story();
    let people = s.approvers.clone();
    let other = s.l.found_safe(2, &people);
    let version =
        json!({"credential": s.sealed.credential, "envelope": s.sealed.envelope, "version": 1});
    let filed =
        s.l.file(0, "destroy", &other, json!({"versions": [version]}));
    let by = [
        s.l.approve(&filed, people[0]),
        s.l.approve(&filed, people[1]),
    ];
    s.l.act("version.destroyed", &filed, &by, &["versions"], json!({}));
    lie(&s.l, "a version named is another safe's");
    // Acting for something else, or with other members.
    let mut l = undone(s.l);
    l.act(
        "version.destroyed",
        &filed,
        &by,
        &[],
        json!({"versions": []}),
    );
    lie(&l, "the entry differs from its request");
    let mut l = undone(l);
    l.act(
        "reseal.opened",
        &filed,
        &by,
        &["versions"],
        json!({"delivery_key": b64(&[1; 32])}),
    );
    lie(&l, "the request is for something else");
    let mut l = undone(l);
    l.act(
        "version.destroyed",
        &filed,
        &by,
        &["versions"],
        json!({"delivery_key": b64(&[1; 32])}),
    );
    unknown(&l, "an unknown member");
}

#[test]
fn resealing_follows_a_reseal() {
    let mut s = story();
    let version =
        json!({"credential": s.sealed.credential, "envelope": s.sealed.envelope, "version": 1});
    let filed = s.l.file(
        0,
        "reseal",
        &s.safe,
        json!({"delivery_key": b64(&[1; 32]), "versions": [version]}),
    );
    let by = [
        s.l.approve(&filed, s.approvers[0]),
        s.l.approve(&filed, s.approvers[1]),
    ];
    s.l.act(
        "reseal.opened",
        &filed,
        &by,
        &["versions"],
        json!({"delivery_key": b64(&[2; 32])}),
    );
    lie(&s.l, "the entry differs from its request");
    let mut l = undone(s.l);
    l.act(
        "reseal.opened",
        &filed,
        &by,
        &["versions", "delivery_key"],
        json!({}),
    );
    l.seal(
        &s.safe,
        &s.sealed.credential,
        2,
        json!({"origin": "resealed"}),
    );
    valid(&l);
    let credential = l.id();
    l.seal(&s.safe, &credential, 1, json!({"origin": "resealed"}));
    lie(&l, "a version is resealed that no reseal had opened");
}

#[test]
fn a_release_closes_once_and_in_time() {
    let mut s = story();
    let filed = s.l.ask_release(s.asker, &s.sealed, json!({}));
    let approvals = [
        s.l.approve(&filed, s.approvers[0]),
        s.l.approve(&filed, s.approvers[1]),
    ];
    let not_open = "a release is closed that is not open";
    s.l.close(&filed, "checked_in");
    lie(&s.l, not_open);
    let mut l = undone(s.l);
    l.open(s.asker, &s.sealed, &filed, &approvals, json!({}));
    l.close(&filed, "checked_in");
    valid(&l);
    l.close(&filed, "checked_in");
    lie(&l, not_open);
    let mut l = undone(undone(l));
    l.step = 900 * SECOND - 1;
    l.close(&filed, "expired");
    lie(&l, "a release expires before its time");
    let mut l = undone(l);
    l.step = 900 * SECOND;
    l.close(&filed, "expired");
    valid(&l);
    let mut l = undone(l);
    l.close(&filed, "tired");
    lie(&l, "`why` is not of its type");
}

const TARGET: [&str; 6] = [
    "account",
    "address",
    "connector",
    "credential",
    "pin",
    "target",
];

/// Binds a credential to an account.
fn bind(
    s: &mut Story,
    safe: &Safe,
    credential: &str,
    target: &str,
    account: &str,
    over: serde_json::Value,
) {
    let members = json!({"account": account, "address": "db:5432/app", "connector": "postgresql", "credential": credential, "pin": "unix", "target": target});
    let filed = s.l.file(0, "target", safe, members);
    let approvals = [
        s.l.approve(&filed, s.approvers[0]),
        s.l.approve(&filed, s.approvers[1]),
    ];
    s.l.act("target.set", &filed, &approvals, &TARGET, over);
}

#[test]
fn an_account_belongs_to_one_credential() {
    let mut s = story();
    let (safe, first) = (s.safe.clone(), s.sealed.credential.clone());
    let (target, second) = (s.l.id(), s.l.id());
    bind(&mut s, &safe, &first, &target, "postgres", json!({}));
    bind(&mut s, &safe, &first, &target, "postgres", json!({}));
    bind(&mut s, &safe, &second, &target, "admin", json!({}));
    valid(&s.l);
    bind(&mut s, &safe, &second, &target, "postgres", json!({}));
    lie(&s.l, "the account is bound to another credential");
    s.l = undone(s.l);
    // The first is bound elsewhere, which frees its account.
    bind(&mut s, &safe, &first, &target, "other", json!({}));
    bind(&mut s, &safe, &second, &target, "postgres", json!({}));
    valid(&s.l);
    bind(&mut s, &safe, &first, &target, "admin", json!({}));
    valid(&s.l);
    // Not by another safe, whose people were never asked.
    let people = s.approvers.clone();
    let other = s.l.found_safe(2, &people);
    let third = s.l.id();
    bind(&mut s, &other, &third, &target, "postgres", json!({}));
    lie(&s.l, "the account is bound to another credential");
    s.l = undone(s.l);
    bind(&mut s, &other, &second, &target, "fresh", json!({}));
    lie(&s.l, "the credential belongs to another safe");
    s.l = undone(s.l);
    bind(
        &mut s,
        &safe,
        &third,
        &target,
        "fresh",
        json!({"address": "elsewhere"}),
    );
    lie(&s.l, "the entry differs from its request");
    s.l = undone(s.l);
    bind(
        &mut s,
        &safe,
        &third,
        &target,
        "fresh",
        json!({"pin": "none"}),
    );
    lie(&s.l, "`pin` is not of its type");
}

const ROLE: [&str; 7] = [
    "access", "max_s", "name", "needed", "previous", "target", "windows",
];

fn set_role(s: &mut Story, target: &str, previous: &str, needed: i64) {
    let members = json!({"access": ZERO, "max_s": 600, "name": "reader", "needed": needed, "previous": previous, "target": target, "windows": []});
    let filed = s.l.file(0, "role", &s.safe, members);
    let approvals = [
        s.l.approve(&filed, s.approvers[0]),
        s.l.approve(&filed, s.approvers[1]),
    ];
    s.l.act("role.set", &filed, &approvals, &ROLE, json!({}));
}

#[test]
fn roles_follow_one_another() {
    let mut s = story();
    let target = s.l.id();
    let leaf = s.l.leaf();
    set_role(&mut s, &target, &leaf, 1);
    lie(&s.l, "the role does not follow the last one of its name");
    s.l = undone(s.l);
    set_role(&mut s, &target, ZERO, 1);
    let first = s.l.leaf();
    set_role(&mut s, &target, &first, 2);
    valid(&s.l);
    for previous in [ZERO, &first] {
        set_role(&mut s, &target, previous, 2);
        lie(&s.l, "the role does not follow the last one of its name");
        s.l = undone(s.l);
    }
}

/// Asks for a role and starts a grant, `by` so many approvers.
fn grant(
    s: &mut Story,
    target: &str,
    role: &str,
    asked: serde_json::Value,
    by: usize,
    over: serde_json::Value,
) -> Filed {
    let base = json!({"delivery_key": b64(&[1; 32]), "duration_s": 600, "epoch": 1, "needed": 1, "role": role, "role_name": "reader", "target": target});
    let filed = s.l.file(s.asker, "access", &s.safe, merge(base, asked));
    let approvals: Vec<_> = s.approvers[..by]
        .to_vec()
        .iter()
        .map(|p| s.l.approve(&filed, *p))
        .collect();
    let grant = s.l.id();
    let until = s.l.time + 601 * SECOND;
    s.l.tell("grant.started", merge(json!({"approvals": approvals, "grant": grant, "request": filed.id, "target": target, "until": until}), over));
    filed
}

#[test]
fn what_a_grant_must_be() {
    let granted = |needed: i64,
                   asked: serde_json::Value,
                   by: usize,
                   over: fn(&Story) -> serde_json::Value| {
        let mut s = story();
        let target = s.l.id();
        set_role(&mut s, &target, ZERO, needed);
        let role = s.l.leaf();
        let over = over(&s);
        grant(&mut s, &target, &role, asked, by, over);
        s.l
    };
    valid(&granted(1, json!({}), 1, |_| json!({})));
    valid(&granted(0, json!({"needed": 0}), 0, |_| json!({})));
    lie(
        &granted(1, json!({}), 0, |_| json!({})),
        "there are too few approvals",
    );
    lie(
        &granted(3, json!({"needed": 3}), 2, |_| json!({})),
        "there are too few approvals",
    );
    lie(
        &granted(2, json!({}), 2, |_| json!({})),
        "the role needs another number of approvals",
    );
    lie(
        &granted(1, json!({"role": ZERO}), 1, |_| json!({})),
        "the role is not the newest of its name",
    );
    lie(
        &granted(1, json!({"role_name": "writer"}), 1, |_| json!({})),
        "the role is not the newest of its name",
    );
    lie(
        &granted(1, json!({"duration_s": 601}), 1, |_| json!({})),
        "the duration is longer than the role allows",
    );
    lie(
        &granted(1, json!({}), 1, |s| json!({"target": s.safe.id})),
        "the entry differs from its request",
    );
    lie(
        &granted(
            1,
            json!({}),
            1,
            |s| json!({"until": s.l.time + 3600 * SECOND}),
        ),
        "the grant is longer than was asked for",
    );
    // The role changed after it was asked for.
    let mut s = story();
    let target = s.l.id();
    set_role(&mut s, &target, ZERO, 1);
    let first = s.l.leaf();
    set_role(&mut s, &target, &first, 1);
    grant(&mut s, &target, &first, json!({}), 1, json!({}));
    lie(&s.l, "the role is not the newest of its name");
    // A release has no grant.
    s.l = undone(s.l);
    let filed = s.l.ask_release(s.asker, &s.sealed, json!({}));
    let by = [
        s.l.approve(&filed, s.approvers[0]),
        s.l.approve(&filed, s.approvers[1]),
    ];
    let id = s.l.id();
    s.l.tell("grant.started", json!({"approvals": by, "grant": id, "request": filed.id, "target": target, "until": s.l.time}));
    lie(&s.l, "the request is for something else");
}

#[test]
fn a_grant_ends_once() {
    let mut s = story();
    let target = s.l.id();
    set_role(&mut s, &target, ZERO, 1);
    let role = s.l.leaf();
    let id = s.l.id();
    let not = "a grant ends that does not run";
    s.l.tell("grant.ended", json!({"grant": id, "why": "x"}));
    lie(&s.l, not);
    s.l = undone(s.l);
    grant(&mut s, &target, &role, json!({}), 1, json!({"grant": id}));
    valid(&s.l);
    let before = s.l.seq();
    grant(&mut s, &target, &role, json!({}), 1, json!({"grant": id}));
    lie(&s.l, "a grant is started twice");
    s.l.lines.truncate(before);
    s.l.leaves.truncate(before);
    s.l.tell("grant.ended", json!({"grant": id, "why": "x"}));
    valid(&s.l);
    s.l.tell("grant.ended", json!({"grant": id, "why": "x"}));
    lie(&s.l, not);
    s.l = undone(s.l);
    grant(&mut s, &target, &role, json!({}), 1, json!({"grant": id}));
    lie(&s.l, "a grant is started twice");
}

#[test]
fn rotations_go_in_order() {
    let mut s = story();
    let credential = s.sealed.credential.clone();
    let base = s.l.seq();
    let mut go = |steps: &[&str]| {
        s.l.lines.truncate(base);
        s.l.leaves.truncate(base);
        let rotation = s.l.id();
        for step in steps {
            s.l.rotation(step, &rotation, &credential, 1);
        }
        let mut copy = Ledger::founded_with(json!({}));
        std::mem::swap(&mut copy.checkpoint_keys, &mut s.l.checkpoint_keys);
        copy.lines = s.l.lines.clone();
        copy.leaves = s.l.leaves.clone();
        let report = verify(&copy);
        std::mem::swap(&mut copy.checkpoint_keys, &mut s.l.checkpoint_keys);
        report.lie
    };
    for good in [
        &["staged", "applied", "proved", "promoted"][..],
        &["staged", "failed"],
        &["staged", "applied", "failed"],
        &["staged", "applied", "proved", "failed"],
    ] {
        assert_eq!(go(good), None, "{good:?}");
    }
    let order = Some("a rotation's steps are out of order".to_owned());
    for bad in [
        &["staged", "proved"][..],
        &["staged", "promoted"],
        &["staged", "applied", "promoted"],
        &["staged", "applied", "applied"],
        &["staged", "applied", "proved", "applied"],
    ] {
        assert_eq!(go(bad), order, "{bad:?}");
    }
    let not = Some("a rotation goes on that is not under way".to_owned());
    for bad in [
        &["applied"][..],
        &["failed"],
        &["staged", "failed", "applied"],
        &["staged", "applied", "proved", "promoted", "failed"],
    ] {
        assert_eq!(go(bad), not, "{bad:?}");
    }
    assert_eq!(
        go(&["staged", "staged"]),
        Some("a rotation is staged twice".to_owned())
    );
    assert_eq!(
        go(&["staged", "failed", "staged"]),
        Some("a rotation is staged twice".to_owned())
    );
    let rotation = s.l.id();
    s.l.lines.truncate(base);
    s.l.leaves.truncate(base);
    s.l.rotation("staged", &rotation, &credential, 2);
    lie(&s.l, "a rotation is staged with a version never sealed");
    let mut l = undone(s.l);
    l.rotation("staged", &rotation, &credential, 1);
    l.rotation("applied", &rotation, &credential, 2);
    lie(&l, "a rotation changes its credential or its version");
}
