//! Whether a decision may be entered: its subject is the request, byte for byte.

use super::{key, release, request, roster, user};
use quorum::Hash;
use quorum::decision::{Cast, DecisionError, check_decision};
use quorum::ids::UserId;
use quorum::json::{self, Object, Value};
use quorum::statement::{Approval, Decision, Kind, Statement};

fn filed() -> (Hash, Value) {
    let statement = Statement {
        ledger: Hash([1; 32]),
        nonce: [2; 32],
        signer: Some(user(6)),
        kind: Kind::Request(Box::new(request(
            release(300),
            roster(1).leaf(),
            1_000_000_000,
        ))),
    };
    (Hash([8; 32]), statement.to_value())
}

fn decide(
    decision: Decision,
    entry: Hash,
    subject: Value,
    signer: UserId,
    before: &[Cast],
) -> Result<(), DecisionError> {
    let (leaf, statement) = filed();
    let approval = Approval {
        decision,
        entry,
        subject,
    };
    check_decision(
        &approval,
        signer,
        leaf,
        &statement,
        false,
        &[roster(1), roster(3)],
        before,
    )
}

fn cast(decision: Decision, who: usize) -> Cast {
    Cast {
        seq: 101,
        time: 1,
        decision,
        approver: user(who),
        authenticator: key(who, 0),
    }
}

/// Every path to a value inside an object.
fn paths(value: &Value, at: &[String], out: &mut Vec<Vec<String>>) {
    if let Value::Obj(members) = value {
        for (name, member) in members {
            let here = [at, std::slice::from_ref(name)].concat();
            out.push(here.clone());
            paths(member, &here, out);
        }
    }
}

fn parent<'a>(value: &'a mut Value, path: &[String]) -> &'a mut Object {
    let Value::Obj(members) = value else { panic!() };
    match path {
        [_] => members,
        [first, rest @ ..] => parent(members.get_mut(first).unwrap(), rest),
        [] => panic!(),
    }
}

#[test]
fn a_subject_with_any_member_changed_is_refused() {
    let (leaf, subject) = filed();
    assert_eq!(
        decide(Decision::Approve, leaf, subject.clone(), user(1), &[]),
        Ok(())
    );
    let mut all = Vec::new();
    paths(&subject, &[], &mut all);
    assert!(all.len() > 20);
    for path in all {
        let name = path.last().unwrap();
        let mut changed = subject.clone();
        let members = parent(&mut changed, &path);
        let to = match &members[name] {
            Value::Int(n) => Value::Int(n + 1),
            Value::Str(text) => Value::Str(format!("{text}0")),
            other => Value::Arr(vec![other.clone()]),
        };
        members.insert(name.clone(), to);
        let mut without = subject.clone();
        parent(&mut without, &path).remove(name);
        let mut more = subject.clone();
        parent(&mut more, &path).insert(format!("{name}_"), Value::Bool(true));
        for spoiled in [changed, without, more] {
            assert_ne!(json::encode(&spoiled), json::encode(&subject));
            let got = decide(Decision::Approve, leaf, spoiled, user(1), &[]);
            assert_eq!(got, Err(DecisionError::Subject), "{path:?}");
        }
    }
}

#[test]
fn a_subject_with_two_members_swapped_is_refused() {
    let (leaf, subject) = filed();
    for (a, b) in [
        ("safe", "credential"),
        ("request", "safe"),
        ("epoch", "version"),
        ("envelope", "roster"),
        ("duration_s", "open_within_s"),
    ] {
        let mut swapped = subject.clone();
        let members = parent(&mut swapped, &["x".to_owned()]);
        let (was_a, was_b) = (members[a].clone(), members[b].clone());
        members.insert(a.into(), was_b);
        members.insert(b.into(), was_a);
        let got = decide(Decision::Approve, leaf, swapped, user(1), &[]);
        assert_eq!(got, Err(DecisionError::Subject), "{a} and {b}");
    }
}

#[test]
fn another_entry_is_refused() {
    let (_, subject) = filed();
    for entry in [Hash::ZERO, roster(1).leaf()] {
        let got = decide(Decision::Approve, entry, subject.clone(), user(1), &[]);
        assert_eq!(got, Err(DecisionError::Entry));
    }
}

#[test]
fn a_person_decides_once_but_may_deny_after_approving() {
    use Decision::{Approve, Deny};
    let (leaf, subject) = filed();
    for (first, second, expect) in [
        (Approve, Approve, Err(DecisionError::Again)),
        (Approve, Deny, Ok(())),
        (Deny, Approve, Err(DecisionError::Again)),
        (Deny, Deny, Err(DecisionError::Again)),
    ] {
        let before = [cast(first, 2), cast(Approve, 3)];
        assert_eq!(
            decide(second, leaf, subject.clone(), user(2), &before),
            expect
        );
        assert_eq!(
            decide(second, leaf, subject.clone(), user(1), &before),
            Ok(())
        );
    }
    let before = [cast(Approve, 2), cast(Deny, 2)];
    for third in [Approve, Deny] {
        let got = decide(third, leaf, subject.clone(), user(2), &before);
        assert_eq!(got, Err(DecisionError::Again));
    }
}

#[test]
fn who_is_on_neither_roster_may_approve_for_nothing_but_not_deny() {
    let (leaf, subject) = filed();
    let custodian = user(0);
    assert_eq!(
        decide(Decision::Approve, leaf, subject.clone(), custodian, &[]),
        Ok(())
    );
    let got = decide(Decision::Deny, leaf, subject.clone(), custodian, &[]);
    assert_eq!(got, Err(DecisionError::NotRostered));
    // On the roster in force alone, and on the named one alone.
    assert_eq!(
        decide(Decision::Deny, leaf, subject.clone(), user(6), &[]),
        Ok(())
    );
    assert_eq!(decide(Decision::Deny, leaf, subject, user(1), &[]), Ok(()));
}

#[test]
fn a_settled_request_takes_no_decision() {
    let (leaf, subject) = filed();
    for decision in [Decision::Approve, Decision::Deny] {
        let approval = Approval {
            decision,
            entry: leaf,
            subject: subject.clone(),
        };
        let got = check_decision(&approval, user(1), leaf, &subject, true, &[roster(1)], &[]);
        assert_eq!(got, Err(DecisionError::Settled));
    }
}
