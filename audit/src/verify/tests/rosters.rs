//! Rosters (FORMATS.md 4, "roster.set", "Belonging").

use super::super::forge::*;
use super::story::{Story, story};
use super::*;

/// Founds a safe whose `new` has `over` on it.
fn founded(over: impl Fn(&mut Story) -> serde_json::Value) -> Ledger {
    let mut s = story();
    let over = over(&mut s);
    let people = s.approvers.clone();
    let new = merge(s.l.roster(2, 1, &people), over);
    let (filed, acceptances, _) = s.l.founding(new, &people);
    s.l.roster_set(&filed, &acceptances, &[], json!({}));
    s.l
}

#[test]
fn m_and_n_have_bounds() {
    valid(&founded(|_| json!({})));
    let words = "the roster's m and n are out of bounds";
    valid(&founded(|_| json!({"m": 4})));
    lie(&founded(|_| json!({"m": 5})), words);
    lie(&founded(|_| json!({"m": 1})), words);
    valid(&founded(|_| json!({"m": 1, "drill": true})));
    lie(&founded(|_| json!({"m": 5, "drill": true})), words);
    let mut s = story();
    s.l.founding(merge(s.l.roster(2, 1, &s.approvers), json!({"m": 0})), &[]);
    lie(&s.l, "`m` is not of its type");
    for over in [
        json!({"denials": 0}),
        json!({"epoch": 0}),
        json!({"drill": 1}),
        json!({"name": ""}),
        json!({"grant_life_s": 0}),
        json!({"approvers": {}}),
    ] {
        let mut s = story();
        let name = over.as_object().unwrap().keys().next().unwrap().clone();
        s.l.founding(merge(s.l.roster(2, 1, &s.approvers), over), &[]);
        lie(&s.l, &format!("`{name}` is not of its type"));
    }
}

#[test]
fn a_hundred_approvers_and_no_more() {
    let mut l = Ledger::new();
    let people: Vec<_> = (0..101)
        .map(|i| l.join(&format!("Person {i}"), &["approver"]))
        .collect();
    let new = l.roster(2, 1, &people[..100]);
    let (filed, acceptances, _) = l.founding(new, &people[..100]);
    l.roster_set(&filed, &acceptances, &[], json!({}));
    valid(&l);
    let new = l.roster(2, 1, &people);
    let (filed, acceptances, _) = l.founding(new, &people);
    l.roster_set(&filed, &acceptances, &[], json!({}));
    lie(&l, "the roster's m and n are out of bounds");
}

#[test]
fn approvers_are_who_they_are_said_to_be() {
    let change = |change: fn(&mut serde_json::Value, &mut Story)| {
        founded(move |s| {
            let mut new = s.l.roster(2, 1, &s.approvers);
            change(&mut new["approvers"], s);
            json!({"approvers": new["approvers"]})
        })
    };
    valid(&change(|_, _| ()));
    lie(
        &change(|a, _| a[0]["name"] = json!("Eve")),
        "the name is not the invited one",
    );
    lie(
        &change(|a, s| a[0]["user"] = json!(s.safe.id)),
        "a roster names somebody never invited",
    );
    lie(
        &change(|a, s| {
            let asker = s.asker;
            a.as_array_mut()
                .unwrap()
                .push(s.l.roster(2, 1, &[asker])["approvers"][0].clone());
        }),
        "a roster names somebody who is no approver",
    );
    lie(
        &change(|a, s| {
            let mut other = s.l.roster(2, 1, &[s.approvers[3]])["approvers"][0].clone();
            other["authenticators"] = json!([]);
            a.as_array_mut().unwrap().push(other);
        }),
        "a roster names an approver without a key",
    );
    lie(
        &change(|a, _| {
            let key = a[1]["authenticators"][0].clone();
            a[0]["authenticators"].as_array_mut().unwrap().push(key);
        }),
        "a roster names a key of somebody else",
    );
    lie(
        &change(|a, s| {
            a[0]["authenticators"]
                .as_array_mut()
                .unwrap()
                .push(json!(s.safe.id))
        }),
        "a roster names a key never enrolled",
    );
    lie(
        &change(|a, _| {
            let again = a[0].clone();
            a.as_array_mut().unwrap().push(again);
        }),
        "a roster names somebody twice",
    );
    let twice = |a: &mut serde_json::Value| {
        let key = a[0]["authenticators"][0].clone();
        a[0]["authenticators"] = json!([key, key]);
    };
    let mut s = story();
    let mut new = s.l.roster(2, 1, &s.approvers);
    twice(&mut new["approvers"]);
    s.l.founding(new, &[]);
    lie(&s.l, "`authenticators` is not of its type");
}

#[test]
fn keys_of_a_roster_are_live_and_hold_shares() {
    let mut s = story();
    let eve = s.l.invite("Eve", &["approver"], json!({}));
    s.l.enrol(eve, json!({"share_key": null}));
    let people = [s.approvers[0], eve];
    let new = s.l.roster(2, 1, &people);
    let (filed, acceptances, _) = s.l.founding(new, &people);
    s.l.roster_set(&filed, &acceptances, &[], json!({}));
    lie(&s.l, "a roster names a key that holds no share");
    for (event, kind) in [
        ("authenticator.revoked", "revoke"),
        ("authenticator.suspended", "suspend"),
    ] {
        let mut s = story();
        let people = s.approvers.clone();
        let new = s.l.roster(2, 1, &people);
        let (filed, acceptances, _) = s.l.founding(new, &people);
        let act = json!({"authenticator": s.l.people[people[0]].keys[0].authenticator, "user": s.l.people[people[0]].user, "why": "x"});
        s.l.sign(event, kind, 0, act);
        s.l.roster_set(&filed, &acceptances, &[], json!({}));
        lie(&s.l, "a roster names a key that is not live");
    }
    // No approver any more when the roster is set.
    let mut s = story();
    let people = s.approvers.clone();
    let new = s.l.roster(2, 1, &people);
    let (filed, acceptances, _) = s.l.founding(new, &people);
    s.l.sign(
        "person.roles",
        "roles",
        0,
        json!({"roles": ["auditor"], "user": s.l.people[people[0]].user}),
    );
    s.l.roster_set(&filed, &acceptances, &[], json!({}));
    lie(&s.l, "a roster names somebody who is no approver");
}

#[test]
fn every_key_newly_named_accepts() {
    let mut s = story();
    let people = s.approvers.clone();
    let new = s.l.roster(2, 1, &people);
    let (filed, acceptances, _) = s.l.founding(new, &people);
    s.l.roster_set(&filed, &acceptances[1..], &[], json!({}));
    lie(&s.l, "a key newly named did not accept");
    let mut l = undone(s.l);
    l.roster_set(
        &filed,
        &[acceptances.clone(), vec![l.seq()]].concat(),
        &[],
        json!({}),
    );
    lie(&l, "an acceptance listed is none of this request");
    let mut l = undone(l);
    let mut reversed = acceptances.clone();
    reversed.reverse();
    l.roster_set(&filed, &reversed, &[], json!({}));
    lie(&l, "`acceptances` is not of its type");
    let mut l = undone(l);
    let approval = l.approve(&filed, people[0]);
    l.roster_set(&filed, &acceptances, &[approval], json!({}));
    lie(
        &l,
        "an approval listed is by somebody not on the named roster",
    );
    let mut l = undone(l);
    l.roster_set(&filed, &acceptances, &[], json!({}));
    valid(&l);
    // A later epoch: kept keys need not accept again, new keys of the same person must.
    let Story {
        mut l,
        approvers,
        safe,
        ..
    } = story();
    let second = l.enrol(approvers[0], json!({}));
    let mut new = l.roster(2, 2, &approvers[..3]);
    let key = l.people[approvers[0]].keys[second].authenticator.clone();
    new["approvers"][0]["authenticators"]
        .as_array_mut()
        .unwrap()
        .push(json!(key));
    let filed = l.file(0, "roster", &safe, json!({"new": new}));
    let approvals = [
        l.approve(&filed, approvers[0]),
        l.approve(&filed, approvers[1]),
    ];
    l.roster_set(&filed, &[], &approvals, json!({}));
    lie(&l, "a key newly named did not accept");
    let mut l = undone(l);
    let acceptance = l.accept(&filed, (approvers[0], second));
    l.roster_set(&filed, &[acceptance], &approvals, json!({}));
    valid(&l);
}

#[test]
fn acceptances_are_by_named_keys_once() {
    let mut s = story();
    let people = s.approvers[..3].to_vec();
    let new = s.l.roster(2, 1, &people);
    let (filed, _, _) = s.l.founding(new, &people[..1]);
    let named = "the accepting key is not named by the new roster";
    s.l.accept(&filed, (people[0], 0));
    lie(&s.l, "a key accepts twice");
    let mut l = undone(s.l);
    l.accept(&filed, (s.approvers[3], 0));
    lie(&l, named);
    let mut l = undone(l);
    let second = l.enrol(people[1], json!({}));
    l.accept(&filed, (people[1], second));
    lie(&l, named);
    let mut l = undone(l);
    // In the statement another key than the one that touched.
    let members = json!({"authenticator": l.people[people[1]].keys[0].authenticator, "entry": filed.leaf, "subject": filed.statement});
    l.sign_by(
        "request.accepted",
        "acceptance",
        (people[1], second),
        members,
        json!({}),
    );
    lie(&l, "an acceptance by another key than it names");
    let mut l = undone(l);
    let release = l.ask_release(s.asker, &s.sealed, json!({}));
    l.accept(&release, (people[0], 0));
    lie(&l, named);
    let mut l = undone(l);
    let mut other = filed.clone();
    other.statement["new"]["m"] = json!(1);
    l.accept(&other, (people[1], 0));
    lie(&l, "the subject is not the request as it was filed");
    let mut l = undone(l);
    l.tell(
        "request.ended",
        json!({"request": filed.id, "why": "withdrawn"}),
    );
    l.accept(&filed, (people[1], 0));
    lie(&l, "the request has ended");
}

#[test]
fn epochs_follow_one_another() {
    let Story {
        mut l,
        approvers,
        safe,
        ..
    } = story();
    let by = &approvers[..2];
    let file = |l: &mut Ledger, epoch: i64, roster: &str| {
        let new = l.roster(2, epoch, &approvers[..3]);
        l.file(0, "roster", &safe, json!({"new": new, "roster": roster}))
    };
    file(&mut l, 1, ZERO);
    lie(&l, "the roster named is not the one in force");
    let mut l = undone(l);
    file(&mut l, 2, ZERO);
    lie(&l, "only epoch 1 replaces no roster");
    let mut l = undone(l);
    for epoch in [1, 3] {
        file(&mut l, epoch, &safe.roster);
        lie(
            &l,
            "the new roster's epoch does not follow the one it replaces",
        );
        l = undone(l);
    }
    // Two changes of one roster: the second comes too late.
    let one = file(&mut l, 2, &safe.roster);
    let two = file(&mut l, 2, &safe.roster);
    let first: Vec<_> = by.iter().map(|p| l.approve(&one, *p)).collect();
    let second: Vec<_> = by.iter().map(|p| l.approve(&two, *p)).collect();
    l.roster_set(&one, &[], &first, json!({}));
    valid(&l);
    l.roster_set(&two, &[], &second, json!({}));
    lie(&l, "the roster it replaces is no longer in force");
    let mut l = undone(l);
    file(&mut l, 3, &safe.roster);
    lie(&l, "the roster named is not the one in force");
    // Two foundings of one safe.
    let mut s = story();
    let nowhere = s.l.no_safe();
    let new = s.l.roster(2, 1, &s.approvers);
    let people = s.approvers.clone();
    let both = [0, 1].map(|_| s.l.file(0, "roster", &nowhere, json!({"new": new})));
    let accepted = both.clone().map(|f| {
        people
            .iter()
            .map(|p| s.l.accept(&f, (*p, 0)))
            .collect::<Vec<_>>()
    });
    s.l.roster_set(&both[0], &accepted[0], &[], json!({}));
    valid(&s.l);
    s.l.roster_set(&both[1], &accepted[1], &[], json!({}));
    lie(&s.l, "there are too few approvals");
}

#[test]
fn a_change_needs_the_old_rosters_approval() {
    let Story {
        mut l,
        asker,
        approvers,
        safe,
        sealed,
    } = story();
    let new = l.roster(2, 2, &approvers[1..]);
    let filed = l.file(0, "roster", &safe, json!({"new": new}));
    let acceptance = l.accept(&filed, (approvers[3], 0));
    let one = l.approve(&filed, approvers[0]);
    let newcomer = l.approve(&filed, approvers[3]);
    l.roster_set(&filed, &[acceptance], &[one], json!({}));
    lie(&l, "there are too few approvals");
    let mut l = undone(l);
    l.roster_set(&filed, &[acceptance], &[one, newcomer], json!({}));
    lie(
        &l,
        "an approval listed is by somebody not on the named roster",
    );
    let mut l = undone(l);
    let two = l.approve(&filed, approvers[1]);
    for over in [
        json!({"safe": asker.to_string()}),
        json!({"safe": sealed.credential}),
        json!({"new": merge(new.clone(), json!({"m": 3}))}),
    ] {
        l.roster_set(&filed, &[acceptance], &[one, two], over.clone());
        lie(
            &l,
            if over["safe"] == json!(asker.to_string()) {
                "`safe` is not of its type"
            } else {
                "the entry differs from its request"
            },
        );
        l = undone(l);
    }
    l.roster_set(&filed, &[acceptance], &[one, two], json!({}));
    valid(&l);
    let mut l = undone(l);
    l.step = filed.statement["expires"].as_i64().unwrap() - l.time;
    l.roster_set(&filed, &[acceptance], &[one, two], json!({}));
    lie(&l, "the request had expired");
    l = undone(l);
    l.step = SECOND;
    // `drill` never changes.
    let new = merge(l.roster(2, 2, &approvers[..3]), json!({"drill": true}));
    let filed = l.file(0, "roster", &safe, json!({"new": new}));
    let approvals = [
        l.approve(&filed, approvers[0]),
        l.approve(&filed, approvers[1]),
    ];
    l.roster_set(&filed, &[], &approvals, json!({}));
    lie(&l, "a safe changes its `drill`");
    // A request for something else.
    let mut l = undone(l);
    let filed = l.ask_release(asker, &sealed, json!({}));
    let approvals = [
        l.approve(&filed, approvers[0]),
        l.approve(&filed, approvers[1]),
    ];
    l.roster_set(&filed, &[], &approvals, json!({"new": safe.new}));
    lie(&l, "the request is for something else");
}
