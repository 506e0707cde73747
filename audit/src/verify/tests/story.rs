//! A true ledger in which everything happens once.

use super::super::forge::*;
use super::*;

/// People, a safe, a version, and how it goes on.
pub(super) struct Story {
    pub(super) l: Ledger,
    pub(super) asker: usize,
    pub(super) approvers: Vec<usize>,
    pub(super) safe: Safe,
    pub(super) sealed: Sealed,
}

/// Four approvers, three of them on a safe where two are needed, and one version.
pub(super) fn story() -> Story {
    let mut l = Ledger::new();
    let asker = l.join("Ines Ops", &["requester"]);
    let approvers: Vec<_> = ["Ada", "Bo", "Cy", "Di"]
        .iter()
        .map(|name| l.join(name, &["approver"]))
        .collect();
    let safe = l.found_safe(2, &approvers[..3]);
    let credential = l.id();
    let sealed = l.seal(&safe, &credential, 1, json!({}));
    Story {
        l,
        asker,
        approvers,
        safe,
        sealed,
    }
}

#[test]
fn everything_once() {
    let Story {
        mut l,
        asker,
        approvers,
        safe,
        sealed,
    } = story();
    let [ada, bo, cy, di] = approvers[..] else {
        panic!()
    };
    l.keep();
    // A release, and the rotation after it.
    let filed = l.ask_release(asker, &sealed, json!({"ticket": "INC-1"}));
    let approvals = [l.approve(&filed, ada), l.approve(&filed, bo)];
    l.open(asker, &sealed, &filed, &approvals, json!({}));
    l.tell(
        "share.refused",
        json!({"approver": l.people[cy].user, "request": filed.id, "why": "wrong share"}),
    );
    l.close(&filed, "checked_in");
    let second = l.seal(&safe, &sealed.credential, 2, json!({}));
    let rotation = l.id();
    for step in ["staged", "applied", "proved", "promoted"] {
        l.rotation(step, &rotation, &sealed.credential, 2);
    }
    // An import.
    let credential = l.id();
    let envelope = l.hash();
    let statement = l.statement(
        "import",
        0,
        json!({"credential": credential, "envelope": envelope, "safe": safe.id, "version": 1}),
    );
    let import = l.signed(0, 0, &canon(&statement));
    let imported = l.seal(
        &safe,
        &credential,
        1,
        json!({"envelope": envelope, "import": import, "origin": "imported"}),
    );
    // A target and a role.
    let target = l.id();
    let names = [
        "account",
        "address",
        "connector",
        "credential",
        "pin",
        "target",
    ];
    let filed = l.file(
        0,
        "target",
        &safe,
        json!({"account": "postgres", "address": "db:5432/app", "connector": "postgresql",
        "credential": sealed.credential, "pin": "unix", "target": target}),
    );
    let approvals = [l.approve(&filed, bo), l.approve(&filed, cy)];
    l.act("target.set", &filed, &approvals, &names, json!({}));
    let filed = l.file(
        0,
        "role",
        &safe,
        json!({"access": l.ledger(), "max_s": 600, "name": "reader", "needed": 1, "previous": ZERO,
        "target": target, "windows": ["always"]}),
    );
    let approvals = [l.approve(&filed, ada), l.approve(&filed, cy)];
    l.act(
        "role.set",
        &filed,
        &approvals,
        &[
            "access", "max_s", "name", "needed", "previous", "target", "windows",
        ],
        json!({}),
    );
    let role = l.leaf();
    let filed = l.file(
        asker,
        "access",
        &safe,
        json!({"delivery_key": b64(&[1; 32]), "duration_s": 600, "epoch": 1, "needed": 1,
        "role": role, "role_name": "reader", "target": target}),
    );
    let approvals = [l.approve(&filed, ada)];
    let grant = l.id();
    l.tell("grant.started", json!({"approvals": approvals, "grant": grant, "request": filed.id, "target": target, "until": l.time + 600 * SECOND}));
    l.tell("grant.ended", json!({"grant": grant, "why": "over"}));
    // Resealing and destroying.
    let version = json!({"credential": imported.credential, "envelope": envelope, "version": 1});
    let filed = l.file(
        0,
        "reseal",
        &safe,
        json!({"delivery_key": b64(&[2; 32]), "versions": [version]}),
    );
    let approvals = [l.approve(&filed, ada), l.approve(&filed, cy)];
    l.act(
        "reseal.opened",
        &filed,
        &approvals,
        &["delivery_key", "versions"],
        json!({}),
    );
    l.seal(&safe, &credential, 2, json!({"origin": "resealed"}));
    let filed = l.file(0, "destroy", &safe, json!({"versions": [version]}));
    let approvals = [l.approve(&filed, ada), l.approve(&filed, cy)];
    l.act(
        "version.destroyed",
        &filed,
        &approvals,
        &["versions"],
        json!({}),
    );
    // Requests that come to nothing.
    let filed = l.ask_release(asker, &second, json!({}));
    l.approve(&filed, ada);
    l.deny(&filed, ada);
    l.tell(
        "release.refused",
        json!({"request": filed.id, "why": "denied"}),
    );
    l.tell(
        "request.ended",
        json!({"request": filed.id, "why": "denied"}),
    );
    let filed = l.file(0, "restore", &safe, json!({"checkpoint": l.ledger()}));
    l.tell(
        "request.ended",
        json!({"request": filed.id, "why": "withdrawn"}),
    );
    // A new roster, with a second key and a new approver.
    let next = l.next_epoch(&safe, 2, &[ada, bo, di], &[ada, cy]);
    let third = l.seal(&next, &sealed.credential, 3, json!({}));
    let filed = l.ask_release(asker, &third, json!({}));
    let approvals = [l.approve(&filed, ada), l.approve(&filed, di)];
    l.open(asker, &third, &filed, &approvals, json!({}));
    l.step = 900 * SECOND;
    l.close(&filed, "expired");
    l.step = SECOND;
    // Keys.
    let key = l.enrol(ada, json!({}));
    let ada_user = l.people[ada].user.clone();
    let second_key = l.people[ada].keys[key].authenticator.clone();
    let act = json!({"authenticator": second_key, "user": ada_user, "why": "left at home"});
    l.sign("authenticator.suspended", "suspend", ada, act.clone());
    l.sign("authenticator.restored", "unsuspend", 0, act.clone());
    l.tell(
        "authenticator.distrusted",
        json!({"authenticator": second_key, "counter": 0}),
    );
    l.sign("authenticator.revoked", "revoke", 0, act);
    l.sign(
        "person.roles",
        "roles",
        0,
        json!({"roles": ["approver", "auditor", "operator"], "user": ada_user}),
    );
    // The rest.
    l.sign(
        "setting.changed",
        "setting",
        0,
        json!({"name": "rotation.days", "value": "30"}),
    );
    l.tick();
    let id = l.id();
    l.push(
        &id,
        "kek.rolled",
        json!({"key": id, "token": "custody-a"}),
        json!({}),
    );
    l.tell("software.started", json!({"pages": [{"path": "break.js", "sha256": l.ledger()}], "program_sha256": l.ledger(), "release": "0.1.0"}));
    l.tell(
        "drill.finished",
        json!({"outcome": "passed", "report_sha256": l.ledger(), "safe": safe.id}),
    );
    l.keep();
    // Two days later.
    let entry = l.leaf();
    let time = l.time + 2 * DAY;
    l.step = 2 * DAY + 5;
    l.sign(
        "clock.accepted",
        "clock",
        0,
        json!({"entry": entry, "time": time, "why": "was off"}),
    );
    l.step = SECOND;
    // New checkpoint keys.
    let fresh = CheckpointKey::new(NAME);
    l.tell(
        "checkpoint_keys.changed",
        json!({"checkpoint_keys": [fresh.vkey()]}),
    );
    l.keep();
    l.checkpoint_keys = vec![fresh];
    l.tick();
    valid(&l);
    let report = verify(&l);
    assert_eq!((report.size, report.seq), (l.seq() as u64, None));
    assert_eq!(report.root, Some(root(&l.leaves)));
    assert_eq!(report.ledger, Some(l.founded()));
    assert_eq!(report.checkpoints, 4);
    assert_eq!(report.warnings, Vec::<String>::new());
    let signed = l.lines.iter().map(|line| {
        line.matches("client_data_json").count() - line.matches("registration\":{").count()
    });
    assert_eq!(report.signatures, signed.sum::<usize>() as u64);
}
