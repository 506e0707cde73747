//! Requests and decisions (FORMATS.md 4, "Who", "Decisions", "The named roster", "spent").

use super::super::forge::*;
use super::story::{Story, story};
use super::*;

#[test]
fn who_may_file_what() {
    let Story {
        mut l,
        asker,
        approvers,
        safe,
        sealed,
    } = story();
    l.ask_release(approvers[0], &sealed, json!({}));
    lie(&l, "a request by somebody who is no requester");
    let mut l = undone(l);
    let version =
        json!({"credential": sealed.credential, "envelope": sealed.envelope, "version": 1});
    let new = l.roster(2, 2, &approvers);
    for (purpose, members) in [
        ("roster", json!({"new": new})),
        (
            "role",
            json!({"access": ZERO, "max_s": 1, "name": "r", "needed": 0, "previous": ZERO, "target": safe.id, "windows": []}),
        ),
        (
            "target",
            json!({"account": "a", "address": "b", "connector": "c", "credential": safe.id, "pin": "unix", "target": safe.id}),
        ),
        (
            "reseal",
            json!({"delivery_key": b64(&[1; 32]), "versions": [version]}),
        ),
        ("destroy", json!({"versions": [version]})),
        ("restore", json!({"checkpoint": ZERO})),
    ] {
        l.file(asker, purpose, &safe, members.clone());
        lie(&l, "a request by somebody who is no custodian");
        l = undone(l);
        l.file(0, purpose, &safe, members);
        valid(&l);
        l = undone(l);
    }
    l.file(asker, "look", &safe, json!({}));
    unknown(&l, "an unknown purpose");
    let mut l = undone(l);
    l.file(asker, "release", &safe, json!({"purpose": null}));
    lie(&l, "`purpose` is missing");
    let mut l = undone(l);
    l.ask_release(asker, &sealed, json!({"requester_name": "Ada"}));
    lie(&l, "the requester's name is not the invited one");
    let mut l = undone(l);
    let filed = l.ask_release(asker, &sealed, json!({}));
    l.ask_release(asker, &sealed, json!({"request": filed.id}));
    lie(&l, "a request is filed twice");
}

#[test]
fn the_named_roster_is_the_right_one() {
    let Story {
        mut l,
        asker,
        approvers,
        safe,
        sealed,
    } = story();
    l.ask_release(asker, &sealed, json!({"roster": ZERO}));
    lie(&l, "the roster named was never set");
    let mut l = undone(l);
    l.ask_release(asker, &sealed, json!({"safe": l.ledger()}));
    lie(&l, "`safe` is not of its type");
    let mut l = undone(l);
    let other = l.found_safe(2, &approvers[..2]);
    l.ask_release(asker, &sealed, json!({"safe": other.id}));
    lie(&l, "the roster named is another safe's");
    let mut l = undone(l);
    l.ask_release(asker, &sealed, json!({"epoch": 2}));
    lie(&l, "the epoch is not the named roster's");
    let mut l = undone(l);
    for over in [
        json!({"version": 2}),
        json!({"envelope": ZERO}),
        json!({"credential": safe.id}),
    ] {
        l.ask_release(asker, &sealed, over);
        lie(&l, "the version was not sealed under the roster named");
        l = undone(l);
    }
    // A version keeps the roster it was sealed under; everything else takes the one in force.
    let next = l.next_epoch(&safe, 2, &approvers[..2], &approvers[..2]);
    l.ask_release(asker, &sealed, json!({}));
    valid(&l);
    l.ask_release(asker, &sealed, json!({"roster": next.roster, "epoch": 2}));
    lie(&l, "the version was not sealed under the roster named");
    let mut l = undone(l);
    let version =
        json!({"credential": sealed.credential, "envelope": sealed.envelope, "version": 1});
    l.file(
        0,
        "reseal",
        &safe,
        json!({"delivery_key": b64(&[1; 32]), "versions": [version]}),
    );
    valid(&l);
    for (versions, words) in [
        (json!([]), "the request names no version"),
        (
            json!([version, version]),
            "the request names a version twice",
        ),
    ] {
        l.file(
            0,
            "reseal",
            &safe,
            json!({"delivery_key": b64(&[1; 32]), "versions": versions}),
        );
        lie(&l, words);
        l = undone(l);
        l.file(0, "destroy", &next, json!({"versions": versions}));
        lie(&l, words);
        l = undone(l);
    }
    l.file(
        0,
        "reseal",
        &next,
        json!({"delivery_key": b64(&[1; 32]), "versions": [version]}),
    );
    lie(&l, "the version was not sealed under the roster named");
    let mut l = undone(l);
    l.file(0, "destroy", &safe, json!({"versions": [version]}));
    lie(&l, "the roster named is not the one in force");
    let mut l = undone(l);
    let access = json!({"delivery_key": b64(&[1; 32]), "duration_s": 1, "epoch": 1, "needed": 1, "role": ZERO, "role_name": "r", "target": safe.id});
    l.file(asker, "access", &safe, access.clone());
    lie(&l, "the roster named is not the one in force");
    let mut l = undone(l);
    l.file(asker, "access", &next, access);
    lie(&l, "the epoch is not the named roster's");
}

#[test]
fn a_request_keeps_the_rosters_limits() {
    let Story {
        mut l,
        asker,
        safe,
        sealed,
        ..
    } = story();
    let at = l.time + SECOND;
    let words = "the request lives longer than the roster allows";
    l.ask_release(
        asker,
        &sealed,
        json!({"expires": at + 3600 * SECOND, "open_within_s": 3600, "duration_s": 3600}),
    );
    valid(&l);
    let mut l = undone(l);
    l.ask_release(asker, &sealed, json!({"expires": at + 3600 * SECOND + 1}));
    lie(&l, words);
    let mut l = undone(l);
    l.ask_release(asker, &sealed, json!({"open_within_s": 3601}));
    lie(&l, "the time to open is longer than the roster allows");
    let mut l = undone(l);
    l.ask_release(asker, &sealed, json!({"duration_s": 3601}));
    lie(&l, "the duration is longer than the roster allows");
    let mut l = undone(l);
    l.ask_release(
        asker,
        &sealed,
        json!({"duration_s": 9_007_199_254_740_991_i64}),
    );
    lie(&l, "the duration is longer than the roster allows");
    let mut l = undone(l);
    l.file(
        0,
        "restore",
        &safe,
        json!({"checkpoint": ZERO, "expires": at + 14 * DAY}),
    );
    valid(&l);
    let mut l = undone(l);
    l.file(
        0,
        "restore",
        &safe,
        json!({"checkpoint": ZERO, "expires": at + 14 * DAY + 1}),
    );
    lie(&l, words);
    let mut l = undone(l);
    let (new, nowhere) = (safe.new, l.no_safe());
    l.file(
        0,
        "roster",
        &nowhere,
        json!({"new": new, "expires": at + 14 * DAY + 1}),
    );
    lie(&l, words);
}

#[test]
fn decisions_are_about_a_filed_request() {
    let Story {
        mut l,
        asker,
        approvers,
        safe,
        sealed,
    } = story();
    let filed = l.ask_release(asker, &sealed, json!({}));
    let other = l.ask_release(asker, &sealed, json!({}));
    valid(&l);
    let ada = approvers[0];
    let over = |filed: &Filed, over: serde_json::Value| json!({"subject": merge(filed.statement.clone(), over)});
    for members in [
        json!({"duration_s": 901}),
        json!({"v": 2}),
        json!({"unknown": 1}),
        json!({"ticket": "x"}),
        json!({"expires": null}),
    ] {
        l.decide(&filed, ada, "approve", over(&filed, members));
        lie(&l, "the subject is not the request as it was filed");
        l = undone(l);
    }
    l.decide(&filed, ada, "approve", json!({"entry": other.leaf}));
    lie(&l, "the entry is not that of the request");
    let mut l = undone(l);
    l.decide(&filed, ada, "approve", json!({"subject": {}}));
    lie(&l, "it names no filed request");
    let mut l = undone(l);
    l.decide(
        &filed,
        ada,
        "approve",
        over(&filed, json!({"request": safe.id})),
    );
    lie(&l, "it names no filed request");
    let mut l = undone(l);
    l.decide(&filed, ada, "approve", json!({"subject": "x"}));
    lie(&l, "`subject` is not of its type");
    let mut l = undone(l);
    l.decide(&filed, ada, "perhaps", json!({}));
    lie(&l, "`decision` is not of its type");
    let mut l = undone(l);
    l.decide(&filed, ada, "approve", json!({"decision": "deny"}));
    lie(&l, "the statement is of another kind than the event");
    let mut l = undone(l);
    l.tell(
        "request.ended",
        json!({"request": filed.id, "why": "withdrawn"}),
    );
    l.approve(&filed, ada);
    lie(&l, "the request has ended");
    let mut l = undone(l);
    l.tell(
        "request.ended",
        json!({"request": filed.id, "why": "withdrawn"}),
    );
    lie(&l, "the request has ended");
    let mut l = undone(l);
    let approvals = [l.approve(&other, ada), l.approve(&other, approvers[1])];
    l.open(asker, &sealed, &other, &approvals, json!({}));
    valid(&l);
    l.approve(&other, approvers[2]);
    lie(&l, "the request was spent before");
    let mut l = undone(l);
    l.deny(&other, approvers[2]);
    lie(&l, "the request was spent before");
    let mut l = undone(l);
    l.tell(
        "request.ended",
        json!({"request": other.id, "why": "withdrawn"}),
    );
    lie(&l, "the request was spent before");
    let mut l = undone(l);
    l.tell("release.refused", json!({"request": other.id, "why": "x"}));
    lie(&l, "a request is refused after it was spent");
    let mut l = undone(l);
    l.tell("release.refused", json!({"request": safe.id, "why": "x"}));
    lie(&l, "a refusal names no filed request");
    let mut l = undone(l);
    l.tell(
        "share.refused",
        json!({"approver": safe.id, "request": safe.id, "why": "x"}),
    );
    lie(&l, "a refusal names no filed request");
}

#[test]
fn a_person_decides_once() {
    let Story {
        mut l,
        asker,
        approvers,
        sealed,
        ..
    } = story();
    let ada = approvers[0];
    let second = l.enrol(ada, json!({}));
    let filed = l.ask_release(asker, &sealed, json!({}));
    l.approve(&filed, ada);
    l.approve(&filed, ada);
    lie(&l, "the approver decides twice");
    // With another key it is the same person.
    let mut l = undone(l);
    let members = json!({"decision": "approve", "entry": filed.leaf, "subject": filed.statement});
    l.sign_by(
        "request.approved",
        "approval",
        (ada, second),
        members,
        json!({}),
    );
    lie(&l, "the approver decides twice");
    let mut l = undone(l);
    l.deny(&filed, ada);
    valid(&l);
    l.deny(&filed, ada);
    lie(&l, "the approver decides twice");
    let mut l = undone(l);
    l.approve(&filed, ada);
    lie(&l, "the approver decides twice");
    let mut l = undone(l);
    l.deny(&filed, approvers[1]);
    l.approve(&filed, approvers[1]);
    lie(&l, "the approver decides twice");
}

#[test]
fn many_decide_once_each() {
    let Story {
        mut l,
        asker,
        sealed,
        ..
    } = story();
    let crowd: Vec<_> = (0..70)
        .map(|i| l.join(&format!("Nobody {i}"), &[]))
        .collect();
    let filed = l.ask_release(asker, &sealed, json!({}));
    for person in &crowd {
        l.approve(&filed, *person);
    }
    valid(&l);
    for person in [crowd[0], crowd[65], crowd[69]] {
        l.approve(&filed, person);
        lie(&l, "the approver decides twice");
        l = undone(l);
    }
}

#[test]
fn a_denial_needs_a_place_on_a_roster() {
    let Story {
        mut l,
        asker,
        approvers,
        safe,
        sealed,
    } = story();
    let filed = l.ask_release(asker, &sealed, json!({}));
    l.deny(&filed, approvers[3]);
    lie(&l, "a denial by somebody on neither roster");
    let mut l = undone(l);
    l.next_epoch(&safe, 2, &[approvers[1], approvers[3]], &approvers[..2]);
    // One on the named roster alone, one on that in force alone.
    l.deny(&filed, approvers[0]);
    l.deny(&filed, approvers[3]);
    valid(&l);
    l.deny(&filed, asker);
    lie(&l, "a denial by somebody on neither roster");
    let mut l = undone(l);
    let new = l.roster(2, 1, &approvers);
    let nowhere = l.no_safe();
    let founding = l.file(0, "roster", &nowhere, json!({"new": new}));
    l.deny(&founding, approvers[0]);
    lie(&l, "a denial by somebody on neither roster");
}

/// Files a release, lets `decide` do what it likes, and tries to open it with the approvals it gives.
fn opened(decide: impl Fn(&mut Story, &Filed) -> Vec<usize>) -> Ledger {
    let mut s = story();
    let filed = s.l.ask_release(s.asker, &s.sealed, json!({}));
    let approvals = decide(&mut s, &filed);
    s.l.open(s.asker, &s.sealed, &filed, &approvals, json!({}));
    s.l
}

#[test]
fn approvals_listed_must_count_and_be_enough() {
    let both = |s: &mut Story, f: &Filed| {
        vec![
            s.l.approve(f, s.approvers[0]),
            s.l.approve(f, s.approvers[1]),
        ]
    };
    valid(&opened(both));
    valid(&opened(|s, f| {
        let all = [0, 1, 2].map(|i| s.l.approve(f, s.approvers[i]));
        vec![all[0], all[2]]
    }));
    lie(
        &opened(|s, f| both(s, f)[..1].to_vec()),
        "there are too few approvals",
    );
    lie(&opened(|_, _| vec![]), "there are too few approvals");
    let none = "an approval listed is no approval of this request";
    lie(
        &opened(|s, f| {
            [both(s, f), vec![s.l.seq() - 3]]
                .concat()
                .into_iter()
                .rev()
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .collect()
        }),
        none,
    );
    lie(&opened(|s, f| [both(s, f), vec![s.l.seq()]].concat()), none);
    lie(
        &opened(|s, f| {
            let sealed = s.sealed.clone();
            let other = s.l.ask_release(s.asker, &sealed, json!({}));
            vec![
                s.l.approve(f, s.approvers[0]),
                s.l.approve(&other, s.approvers[1]),
            ]
        }),
        none,
    );
    lie(
        &opened(|s, f| {
            let mut b = both(s, f);
            b.reverse();
            b
        }),
        "`approvals` is not of its type",
    );
    lie(
        &opened(|s, f| {
            let b = both(s, f);
            vec![b[0], b[0]]
        }),
        "`approvals` is not of its type",
    );
    lie(
        &opened(|s, f| {
            vec![
                s.l.approve(f, s.approvers[0]),
                s.l.approve(f, s.approvers[3]),
            ]
        }),
        "an approval listed is by somebody not on the named roster",
    );
}

#[test]
fn an_approval_that_no_longer_counts_may_not_be_listed() {
    let both = |s: &mut Story, f: &Filed| {
        vec![
            s.l.approve(f, s.approvers[0]),
            s.l.approve(f, s.approvers[1]),
        ]
    };
    let act = |s: &Story, who: usize| json!({"authenticator": s.l.people[who].keys[0].authenticator, "user": s.l.people[who].user, "why": "x"});
    let not_live = "the key of an approval listed is no longer live";
    lie(
        &opened(|s, f| {
            let b = both(s, f);
            let act = act(s, s.approvers[0]);
            s.l.sign("authenticator.revoked", "revoke", 0, act);
            b
        }),
        not_live,
    );
    lie(
        &opened(|s, f| {
            let b = both(s, f);
            let act = act(s, s.approvers[0]);
            s.l.sign("authenticator.suspended", "suspend", 0, act);
            b
        }),
        not_live,
    );
    valid(&opened(|s, f| {
        let b = both(s, f);
        let act = act(s, s.approvers[0]);
        s.l.sign("authenticator.suspended", "suspend", 0, act.clone());
        s.l.sign("authenticator.restored", "unsuspend", 0, act);
        b
    }));
    lie(
        &opened(|s, f| {
            let b = both(s, f);
            let act = act(s, s.asker);
            s.l.sign("authenticator.revoked", "revoke", 0, act);
            b
        }),
        "the key that filed the request was revoked",
    );
    valid(&opened(|s, f| {
        let b = both(s, f);
        let act = act(s, s.asker);
        s.l.sign("authenticator.suspended", "suspend", 0, act);
        b
    }));
    // Taken off the roster after approving.
    let next = |s: &mut Story, people: &[usize]| {
        let safe = s.safe.clone();
        let by = s.approvers[..2].to_vec();
        s.l.next_epoch(&safe, 2, people, &by);
    };
    lie(
        &opened(|s, f| {
            let b = both(s, f);
            let people = s.approvers[1..].to_vec();
            next(s, &people);
            b
        }),
        "an approval listed is by somebody not on the roster in force",
    );
    lie(
        &opened(|s, f| {
            let people = s.approvers[1..].to_vec();
            next(s, &people);
            vec![
                s.l.approve(f, s.approvers[1]),
                s.l.approve(f, s.approvers[3]),
            ]
        }),
        "an approval listed is by somebody not on the named roster",
    );
    valid(&opened(|s, f| {
        let people = s.approvers[1..].to_vec();
        next(s, &people);
        vec![
            s.l.approve(f, s.approvers[1]),
            s.l.approve(f, s.approvers[2]),
        ]
    }));
    // The larger m of the two.
    lie(
        &opened(|s, f| {
            let (safe, people) = (s.safe.clone(), s.approvers.clone());
            s.l.next_epoch(&safe, 3, &people, &people[..2]);
            both(s, f)
        }),
        "there are too few approvals",
    );
    // One's own.
    let mut s = story();
    s.l.sign(
        "person.roles",
        "roles",
        0,
        json!({"roles": ["requester", "approver"], "user": s.l.people[s.approvers[0]].user}),
    );
    let filed = s.l.ask_release(s.approvers[0], &s.sealed, json!({}));
    let approvals = both(&mut s, &filed);
    valid(&s.l);
    s.l.open(s.approvers[0], &s.sealed, &filed, &approvals, json!({}));
    lie(&s.l, "an approval listed is the requester's own");
}

#[test]
fn denials_stop_a_request() {
    lie(
        &opened(|s, f| {
            let b = vec![
                s.l.approve(f, s.approvers[0]),
                s.l.approve(f, s.approvers[1]),
            ];
            s.l.deny(f, s.approvers[2]);
            b
        }),
        "the request was denied",
    );
    // Two denials needed by the named roster, one by that in force: the smaller counts.
    let with = |named: i64, force: i64, deniers: usize| {
        let mut s = story();
        let people = s.approvers.clone();
        let (ada, bo) = (people[0], people[1]);
        let new = merge(s.l.roster(2, 1, &people), json!({"denials": named}));
        let (filed, acceptances, mut safe) = s.l.founding(new, &people);
        s.l.roster_set(&filed, &acceptances, &[], json!({}));
        safe.roster = s.l.leaf();
        let credential = s.l.id();
        let sealed = s.l.seal(&safe, &credential, 1, json!({}));
        let new = merge(s.l.roster(2, 2, &people), json!({"denials": force}));
        let next = s.l.file(0, "roster", &safe, json!({"new": new}));
        let approvals = [s.l.approve(&next, ada), s.l.approve(&next, bo)];
        s.l.roster_set(&next, &[], &approvals, json!({}));
        let filed = s.l.ask_release(s.asker, &sealed, json!({}));
        for denier in &people[2..2 + deniers] {
            s.l.deny(&filed, *denier);
        }
        let approvals = [s.l.approve(&filed, ada), s.l.approve(&filed, bo)];
        valid(&s.l);
        (s, sealed, filed, approvals)
    };
    for (named, force, deniers, good) in [
        (2, 2, 1, true),
        (2, 1, 1, false),
        (1, 2, 1, false),
        (2, 3, 2, false),
        (3, 3, 2, true),
    ] {
        let (mut s, sealed, filed, approvals) = with(named, force, deniers);
        s.l.open(s.asker, &sealed, &filed, &approvals, json!({}));
        if good {
            valid(&s.l);
        } else {
            lie(&s.l, "the request was denied");
        }
        let mut l = undone(s.l);
        l.tell(
            "request.ended",
            json!({"request": filed.id, "why": "denied"}),
        );
        if good {
            lie(&l, "a request ends as denied without that many denials");
        } else {
            valid(&l);
        }
    }
    // A denial of one who approved takes the approval back, even where it doesn't stop the request.
    let (mut s, sealed, filed, approvals) = with(2, 2, 0);
    s.l.deny(&filed, s.approvers[0]);
    s.l.open(s.asker, &sealed, &filed, &approvals, json!({}));
    lie(&s.l, "an approval listed was taken back by a denial");
}

#[test]
fn a_request_acts_once_and_ends_once() {
    let s = story();
    let mut l = s.l;
    let filed = l.ask_release(s.asker, &s.sealed, json!({}));
    let approvals = [
        l.approve(&filed, s.approvers[0]),
        l.approve(&filed, s.approvers[1]),
    ];
    l.tell("release.refused", json!({"request": filed.id, "why": "x"}));
    valid(&l);
    l.tell("release.refused", json!({"request": filed.id, "why": "x"}));
    lie(&l, "a request is refused twice");
    let mut l = undone(l);
    l.open(s.asker, &s.sealed, &filed, &approvals, json!({}));
    lie(&l, "the request was refused before");
    let mut l = undone(undone(l));
    l.tell(
        "request.ended",
        json!({"request": filed.id, "why": "superseded"}),
    );
    l.open(s.asker, &s.sealed, &filed, &approvals, json!({}));
    lie(&l, "the request has ended");
    let mut l = undone(undone(l));
    l.open(s.asker, &s.sealed, &filed, &approvals, json!({}));
    l.open(s.asker, &s.sealed, &filed, &approvals, json!({}));
    lie(&l, "the request was spent before");
    let mut l = undone(undone(l));
    l.tell(
        "request.ended",
        json!({"request": filed.id, "why": "expired"}),
    );
    lie(&l, "a request expires before its time");
    let mut l = undone(l);
    l.tell(
        "request.ended",
        json!({"request": filed.id, "why": "tired"}),
    );
    lie(&l, "`why` is not of its type");
    let mut l = undone(l);
    l.step = filed.statement["expires"].as_i64().unwrap() - l.time;
    l.tell(
        "request.ended",
        json!({"request": filed.id, "why": "expired"}),
    );
    valid(&l);
    l.tell(
        "request.ended",
        json!({"request": s.safe.id, "why": "expired"}),
    );
    lie(&l, "it names no filed request");
}
