//! Every row of FORMATS.md 3, once: canonical bytes that never change, and its line in words.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use audit::event::*;
use audit::read::Entry;
use audit::{Actor, AppendError, Chain, Draft, Fault, Hash, Thing, words, words_with};
use common::*;
use serde_json::{Value, json};

fn new_roster() -> NewRoster {
    let approver = |name: &str, n: u8| NewApprover {
        authenticators: vec![id(n), id(n + 1)],
        name: name.into(),
        user: id(n + 2),
    };
    NewRoster {
        approvers: vec![
            approver("Jun Takahashi", 0x20),
            approver("Adaeze Obi", 0x30),
            approver("Zoë \"Z\" Müller", 0x40),
        ],
        denials: 1,
        drill: false,
        epoch: 2,
        grant_life_s: 3600,
        m: 2,
        name: "Production databases".into(),
        request_life_s: 1800,
    }
}

fn request(purpose: &str, more: Value) -> Value {
    let mut request = json!({
        "expires": START + DAY, "kind": "request", "ledger": hash(1).to_string(), "nonce": "BQ", "purpose": purpose,
        "reason_commitment": hash(2).to_string(), "request": id(3).to_string(), "requester_name": "Mara Lindqvist",
        "roster": hash(4).to_string(), "safe": id(5).to_string(), "signer": id(1).to_string(), "v": 1,
    });
    request
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    request
}

fn release() -> Value {
    let sealed_as = json!({"kind": "password", "name": "orders-primary superuser"});
    request(
        "release",
        json!({"duration_s": 900, "sealed_as": sealed_as, "ticket": "INC-4127", "version": 14}),
    )
}

fn signed_value(statement: &Value) -> Signed {
    Signed {
        authenticator: id(9),
        statement: serde_json::to_vec(statement).unwrap(),
        assertion: assertion(),
    }
}

fn versions() -> Vec<VersionRef> {
    vec![VersionRef {
        credential: id(2),
        envelope: hash(0x22),
        version: 3,
    }]
}

fn rotation() -> Rotation {
    Rotation {
        credential: id(2),
        observed: "the target's record matches.".into(),
        rotation: id(6),
        version: 15,
    }
}

/// Every event but the first two, and its line.
fn rows() -> Vec<(Draft, &'static str)> {
    let mara = id(1);
    let approvals = || vec![4, 5];
    let key_act = |kind| {
        signed(
            kind,
            mara,
            &[
                ("user", id(4).to_string().into()),
                ("why", "Lost on a train.".into()),
            ],
        )
    };
    let enrol = |more: &[(&str, Value)]| {
        let mut all = vec![
            ("authenticator", id(9).to_string().into()),
            ("name", "Mara Lindqvist".into()),
        ];
        all.extend_from_slice(more);
        signed("enrol", mara, &all)
    };
    let registration = || Registration {
        attestation_object: vec![0xa3; 40],
        client_data_json: b"{}".to_vec(),
    };
    let decided = |decision: &str, subject: Value| {
        signed(
            "approval",
            id(4),
            &[("decision", decision.into()), ("subject", subject)],
        )
    };
    let sealed = |origin| {
        Event::VersionSealed(
            VersionSealed {
                authenticators: vec![id(0x20), id(0x30)],
                credential: id(2),
                envelope: hash(0x22),
                epoch: 2,
                key_commitment: hash(0x23),
                origin,
                roster: hash(0x24),
                safe: id(5),
                version: 14,
            }
            .into(),
        )
    };
    vec![
        (
            by(
                mara,
                Event::PersonInvited(signed(
                    "invite",
                    mara,
                    &[
                        ("name", "Jun Takahashi".into()),
                        ("roles", json!(["approver", "auditor", "requester"])),
                    ],
                )),
            ),
            "Jun Takahashi is invited as approver, auditor and requester.",
        ),
        (
            by(
                mara,
                Event::PersonRoles(signed(
                    "roles",
                    mara,
                    &[
                        ("roles", json!(["approver"])),
                        ("user", id(4).to_string().into()),
                    ],
                )),
            ),
            "Priya Nair is now approver.",
        ),
        (
            by(
                mara,
                Event::PersonRoles(signed(
                    "roles",
                    mara,
                    &[("roles", json!([])), ("user", id(4).to_string().into())],
                )),
            ),
            "Priya Nair has no role now.",
        ),
        (
            by(
                mara,
                Event::AuthenticatorEnrolled(
                    Enrolment {
                        signed: enrol(&[]),
                        registration: registration(),
                        admission: None,
                    }
                    .into(),
                ),
            ),
            "Mara Lindqvist enrols a key that signs and holds no share.",
        ),
        (
            by(
                mara,
                Event::AuthenticatorEnrolled(
                    Enrolment {
                        signed: enrol(&[("share_key", "BQ".into())]),
                        registration: registration(),
                        admission: Some(Admission {
                            assertion: assertion(),
                            authenticator: id(8),
                        }),
                    }
                    .into(),
                ),
            ),
            "Mara Lindqvist enrols a further key that can hold shares.",
        ),
        (
            by(mara, Event::AuthenticatorRevoked(key_act("revoke"))),
            "A key of Priya Nair no longer signs or logs in: Lost on a train.",
        ),
        (
            by(mara, Event::AuthenticatorSuspended(key_act("suspend"))),
            "A key of Priya Nair is suspended: Lost on a train.",
        ),
        (
            by(mara, Event::AuthenticatorRestored(key_act("unsuspend"))),
            "A key of Priya Nair signs again: Lost on a train.",
        ),
        (
            system(Event::AuthenticatorDistrusted {
                authenticator: id(9),
                counter: 7,
            }),
            "The counter of key …090909 went back to 7: it is suspended.",
        ),
        (
            by(mara, Event::RequestFiled(signed_value(&release()))),
            "Mara Lindqvist asks for orders-primary superuser, version 14, for 15 min. Ticket INC-4127.",
        ),
        (
            by(id(4), Event::RequestApproved(decided("approve", release()))),
            "Priya Nair approves: Mara Lindqvist asks for orders-primary superuser, version 14, for 15 min.",
        ),
        (
            by(
                id(4),
                Event::RequestDenied(decided(
                    "deny",
                    request("reseal", json!({"versions": [1, 2]})),
                )),
            ),
            "Priya Nair denies: Mara Lindqvist asks to seal 2 versions again.",
        ),
        (
            by(
                id(4),
                Event::RequestAccepted(signed(
                    "acceptance",
                    id(4),
                    &[
                        ("authenticator", id(9).to_string().into()),
                        (
                            "subject",
                            request(
                                "roster",
                                json!({"new": {"epoch": 2, "name": "Production databases"}}),
                            ),
                        ),
                    ],
                )),
            ),
            "Priya Nair accepts a place on roster 2 of Production databases.",
        ),
        (
            system(Event::RequestEnded {
                request: id(3),
                why: Ended::Withdrawn,
            }),
            "Request 7KQ4-M2XD is withdrawn.",
        ),
        (
            system(Event::RequestEnded {
                request: id(3),
                why: Ended::Expired,
            }),
            "Request 7KQ4-M2XD expires. Nothing was opened.",
        ),
        (
            system(Event::RequestEnded {
                request: id(3),
                why: Ended::Denied,
            }),
            "Request 7KQ4-M2XD ends: it was denied.",
        ),
        (
            system(Event::RequestEnded {
                request: id(3),
                why: Ended::Superseded,
            }),
            "Request 7KQ4-M2XD ends: what it asked for was replaced.",
        ),
        (
            system(Event::RequestEnded {
                request: id(3),
                why: Ended::Restored,
            }),
            "Request 7KQ4-M2XD ends: the ledger was restored.",
        ),
        (
            system(Event::RosterSet(RosterSet {
                acceptances: vec![6],
                approvals: approvals(),
                new: new_roster(),
                request: id(3),
                safe: id(5),
            })),
            "Roster 2 of Production databases (2 of 3) is in force.",
        ),
        (
            system(Event::TargetSet(
                TargetSet {
                    account: "postgres".into(),
                    address: "db.example:5432/postgres".into(),
                    approvals: approvals(),
                    connector: "postgresql".into(),
                    credential: id(2),
                    pin: "ssh:SHA256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8".into(),
                    request: id(3),
                    safe: id(5),
                    target: id(7),
                }
                .into(),
            )),
            "orders-primary superuser is bound to postgres at db.example:5432/postgres.",
        ),
        (
            system(Event::RoleSet(
                RoleSet {
                    access: hash(8),
                    approvals: approvals(),
                    max_s: 9000,
                    name: "reader".into(),
                    needed: 0,
                    previous: Hash::ZERO,
                    request: id(3),
                    safe: id(5),
                    target: id(7),
                    windows: vec!["weekdays".into()],
                }
                .into(),
            )),
            "The role reader at orders-primary can be held for up to 2 h 30 min, with no approval.",
        ),
        (
            system(Event::VersionDestroyed(VersionsAct {
                approvals: approvals(),
                request: id(3),
                safe: id(5),
                versions: versions(),
            })),
            "1 version is destroyed.",
        ),
        (
            system(Event::ResealOpened(ResealOpened {
                approvals: approvals(),
                delivery_key: [0xfb; 32],
                request: id(3),
                safe: id(5),
                versions: versions(),
            })),
            "1 version is opened, to be sealed again.",
        ),
        (
            system(sealed(Origin::Generated)),
            "orders-primary superuser, version 14, is sealed. Vitrine made it.",
        ),
        (
            system(sealed(Origin::Imported(signed("import", mara, &[])))),
            "orders-primary superuser, version 14, is sealed. Mara Lindqvist imported it.",
        ),
        (
            system(sealed(Origin::Resealed)),
            "orders-primary superuser, version 14, is sealed again.",
        ),
        (
            system(release_opened()),
            "Priya Nair opens orders-primary superuser, version 14, with 3 approvals.",
        ),
        (
            system(Event::ReleaseClosed {
                request: id(3),
                why: Closed::CheckedIn,
            }),
            "Request 7KQ4-M2XD is checked in.",
        ),
        (
            system(Event::ReleaseClosed {
                request: id(3),
                why: Closed::Expired,
            }),
            "Request 7KQ4-M2XD ends: its time is up.",
        ),
        (
            system(Event::ReleaseRefused {
                request: id(3),
                why: "the envelope is not the one that was sealed".into(),
            }),
            "Request 7KQ4-M2XD is not opened: the envelope is not the one that was sealed.",
        ),
        (
            system(Event::ShareRefused {
                approver: id(4),
                request: id(3),
                why: "wrong commitment".into(),
            }),
            "A share of Priya Nair is refused: wrong commitment.",
        ),
        (
            system(Event::GrantStarted(GrantStarted {
                approvals: vec![4],
                grant: id(6),
                request: id(3),
                target: id(7),
                until: START + DAY,
            })),
            "Access to orders-primary starts with 1 approval, until 2 Nov 2026, 00:00 UTC.",
        ),
        (
            system(Event::GrantEnded {
                grant: id(6),
                why: "checked in".into(),
            }),
            "Access ends: checked in.",
        ),
        (
            system(Event::RotationStaged(rotation())),
            "orders-primary superuser: version 15 is staged. The target's record matches.",
        ),
        (
            system(Event::RotationApplied(rotation())),
            "orders-primary superuser: version 15 is applied at the target. The target's record matches.",
        ),
        (
            system(Event::RotationProved(rotation())),
            "orders-primary superuser: version 15 is proved. The target's record matches.",
        ),
        (
            system(Event::RotationPromoted(rotation())),
            "orders-primary superuser: version 15 is the current one. The target's record matches.",
        ),
        (
            system(Event::RotationFailed(rotation())),
            "orders-primary superuser: version 15 did not come into force. The target's record matches.",
        ),
        (
            by(
                mara,
                Event::SettingChanged(signed(
                    "setting",
                    mara,
                    &[("name", "drill_days".into()), ("value", "90".into())],
                )),
            ),
            "Mara Lindqvist sets drill_days to 90.",
        ),
        (
            system(Event::ClockTicked),
            "Twelve hours passed without another entry.",
        ),
        (
            system(Event::KekRolled {
                key: id(0x50),
                previous_key: None,
                token: "custody-1".into(),
            }),
            "Token custody-1 has a new key that wraps secrets.",
        ),
        (
            system(Event::KekRolled {
                key: id(0x51),
                previous_key: Some(id(0x50)),
                token: "custody-1".into(),
            }),
            "Token custody-1 has a new key that wraps secrets; it replaces the former one.",
        ),
        (
            system(Event::CheckpointKeysChanged {
                checkpoint_keys: vec![verifier_key()],
            }),
            "From here on one new key signs checkpoints.",
        ),
        (
            system(Event::SoftwareStarted(SoftwareStarted {
                pages: vec![Page {
                    path: "/assets/requests-approve.js".into(),
                    sha256: hash(0x61),
                }],
                program_sha256: hash(0x62),
                release: "0.1.0".into(),
            })),
            "Vitrine 0.1.0 starts.",
        ),
        (
            Draft {
                actor: Actor::Id(id(0x70)),
                event: Event::DrillFinished {
                    passed: true,
                    report_sha256: hash(0x63),
                    safe: id(5),
                },
            },
            "The drill of Production databases passes.",
        ),
        (
            system(Event::DrillFinished {
                passed: false,
                report_sha256: hash(0x63),
                safe: id(5),
            }),
            "The drill of Production databases fails.",
        ),
    ]
}

fn names(thing: Thing, named: &str) -> Option<String> {
    let known = [
        (Thing::User, 1, "Mara Lindqvist"),
        (Thing::User, 4, "Priya Nair"),
        (Thing::Credential, 2, "orders-primary superuser"),
        (Thing::Request, 3, "request 7KQ4-M2XD"),
        (Thing::Safe, 5, "Production databases"),
        (Thing::Target, 7, "orders-primary"),
    ];
    known
        .iter()
        .find(|(t, n, _)| *t == thing && id(*n).to_string() == named)
        .map(|(_, _, name)| (*name).to_owned())
}

/// All of it as one ledger: a clock's acceptance last, since only it may come much later.
fn ledger() -> (Chain, Vec<audit::Appended>, Vec<&'static str>) {
    let (mut chain, mut entries) = founded();
    let mut lines = vec![
        "The ledger vitrine.example/test is founded.",
        "Mara Lindqvist is invited as custodian and approver.",
    ];
    for (i, (draft, line)) in rows().into_iter().enumerate() {
        entries.push(
            chain
                .append(&draft, START + i64::try_from(i).unwrap() * SECOND)
                .unwrap(),
        );
        lines.push(line);
    }
    let later = START + 30 * DAY;
    let clock = [
        ("entry", chain.prev().to_string().into()),
        ("time", later.into()),
        ("why", "moved house".into()),
    ];
    entries.push(
        chain
            .append(
                &by(id(1), Event::ClockAccepted(signed("clock", id(1), &clock))),
                later,
            )
            .unwrap(),
    );
    lines.push("Mara Lindqvist accepts the clock: moved house.");
    (chain, entries, lines)
}

/// The file was written once and is never written again: bytes in ledgers don't change.
#[test]
fn bytes_are_those_of_the_vectors() {
    let (chain, entries, _) = ledger();
    let written: Vec<u8> = entries
        .iter()
        .flat_map(|entry| [&entry.bytes[..], b"\n"].concat())
        .collect();
    let kept = include_bytes!("../vectors/entries.jsonl");
    for (line, (ours, kept)) in written
        .split(|b| *b == b'\n')
        .zip(kept.split(|b| *b == b'\n'))
        .enumerate()
    {
        assert_eq!(
            String::from_utf8_lossy(ours),
            String::from_utf8_lossy(kept),
            "entry {line}"
        );
    }
    assert_eq!(written.len(), kept.len());
    assert_eq!(
        chain.root().to_string(),
        include_str!("../vectors/entries.root").trim()
    );
}

#[test]
fn bytes_are_canonical() {
    for entry in ledger().1 {
        let value: Value = serde_json::from_slice(&entry.bytes).unwrap();
        assert_eq!(
            serde_json::to_vec(&value).unwrap(),
            entry.bytes,
            "sorted, compact, nothing escaped without need"
        );
        let read = Entry::parse(&entry.bytes).unwrap();
        assert_eq!(
            (read.seq, read.time, read.prev),
            (entry.seq, entry.time, entry.prev.to_string())
        );
    }
}

#[test]
fn every_event_has_its_line() {
    let (_, entries, lines) = ledger();
    for (entry, line) in entries.iter().zip(lines) {
        let entry = Entry::parse(&entry.bytes).unwrap();
        assert_eq!(words_with(&entry.event, &entry.data, &names), line);
        let alone = words(&entry.event, &entry.data);
        assert!(
            !alone.contains("does not know") && !alone.contains("(not given)"),
            "{alone}"
        );
    }
}

#[test]
fn every_row_of_the_format_is_here() {
    let mut named: Vec<&str> = rows().iter().map(|(draft, _)| draft.event.name()).collect();
    named.extend(["ledger.founded", "clock.accepted"]);
    named.sort_unstable();
    named.dedup();
    assert_eq!(
        named,
        [
            "authenticator.distrusted",
            "authenticator.enrolled",
            "authenticator.restored",
            "authenticator.revoked",
            "authenticator.suspended",
            "checkpoint_keys.changed",
            "clock.accepted",
            "clock.ticked",
            "drill.finished",
            "grant.ended",
            "grant.started",
            "kek.rolled",
            "ledger.founded",
            "person.invited",
            "person.roles",
            "release.closed",
            "release.opened",
            "release.refused",
            "request.accepted",
            "request.approved",
            "request.denied",
            "request.ended",
            "request.filed",
            "reseal.opened",
            "role.set",
            "roster.set",
            "rotation.applied",
            "rotation.failed",
            "rotation.promoted",
            "rotation.proved",
            "rotation.staged",
            "setting.changed",
            "share.refused",
            "software.started",
            "target.set",
            "version.destroyed",
            "version.sealed",
        ]
    );
}

#[test]
fn a_founding_after_a_restore_names_what_it_continues() {
    let continues = Some(Continues {
        checkpoint: hash(1),
        ledger: hash(2),
        size: 48_219,
    });
    let draft = system(Event::LedgerFounded(
        Founding {
            continues,
            ..founding()
        }
        .into(),
    ));
    let entry = Entry::parse(&Chain::new().append(&draft, START).unwrap().bytes).unwrap();
    assert_eq!(entry.data["continues"]["size"], 48_219);
    assert_eq!(
        words(&entry.event, &entry.data),
        "The ledger vitrine.example/test is founded. It continues one of 48219 entries."
    );
}

#[test]
fn what_types_allow_and_the_format_does_not() {
    let founding_with = |change: fn(&mut Founding)| {
        let mut founding = founding();
        change(&mut founding);
        Chain::new()
            .append(&system(Event::LedgerFounded(founding.into())), START)
            .unwrap_err()
    };
    let fault = |member, fault| AppendError::Member { member, fault };
    assert_eq!(
        founding_with(|f| f.checkpoint_keys.clear()),
        fault("checkpoint_keys", Fault::List)
    );
    assert_eq!(
        founding_with(|f| f.name = "another".into()),
        fault("name", Fault::Shape)
    );
    assert_eq!(
        founding_with(|f| f.origins.clear()),
        fault("origins", Fault::List)
    );
    assert_eq!(
        founding_with(|f| f.origins.push(f.origins[0].clone())),
        fault("origins", Fault::List)
    );
    assert_eq!(
        founding_with(|f| f.rp_id.clear()),
        fault("rp_id", Fault::Length)
    );

    let (mut chain, _) = founded();
    let roster_with = |change: fn(&mut RosterSet)| {
        let mut set = RosterSet {
            acceptances: vec![6],
            approvals: vec![],
            new: new_roster(),
            request: id(3),
            safe: id(5),
        };
        change(&mut set);
        Event::RosterSet(set)
    };
    let target_with = |pin: &str| {
        let mut drafts = rows().into_iter().map(|(draft, _)| draft.event);
        let Some(Event::TargetSet(mut set)) =
            drafts.find(|event| matches!(event, Event::TargetSet(_)))
        else {
            unreachable!()
        };
        set.pin = pin.into();
        Event::TargetSet(set)
    };
    let cases = [
        (roster_with(|s| s.new.m = 0), "m", Fault::Number),
        (
            roster_with(|s| s.new.denials = 1 << 53),
            "denials",
            Fault::Number,
        ),
        (
            roster_with(|s| s.new.approvers.clear()),
            "approvers",
            Fault::List,
        ),
        (
            roster_with(|s| s.new.approvers[0].user = s.new.approvers[1].user),
            "approvers",
            Fault::List,
        ),
        (
            roster_with(|s| s.new.approvers[0].authenticators.clear()),
            "authenticators",
            Fault::List,
        ),
        (
            roster_with(|s| s.new.approvers[0].authenticators[1] = id(0x20)),
            "authenticators",
            Fault::List,
        ),
        (
            roster_with(|s| s.approvals = vec![5, 4]),
            "approvals",
            Fault::List,
        ),
        (
            roster_with(|s| s.acceptances = vec![4, 4]),
            "acceptances",
            Fault::List,
        ),
        (target_with("sha256:00"), "pin", Fault::Shape),
        (
            target_with("ssh:SHA256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9"),
            "pin",
            Fault::Shape,
        ),
        (target_with("ssh:SHA256:AAEC"), "pin", Fault::Shape),
        (target_with("none"), "pin", Fault::Shape),
        (
            Event::VersionDestroyed(VersionsAct {
                approvals: vec![],
                request: id(3),
                safe: id(5),
                versions: vec![],
            }),
            "versions",
            Fault::List,
        ),
    ];
    for (event, member, why) in cases {
        assert_eq!(
            chain.append(&system(event), START).unwrap_err(),
            fault(member, why)
        );
    }
    for pin in ["unix", &format!("sha256:{}", hash(1))] {
        chain.append(&system(target_with(pin)), START).unwrap();
    }
    let mut imports_otherwise = rows().into_iter().map(|(draft, _)| draft).find(|d| matches!(&d.event, Event::VersionSealed(v) if matches!(v.origin, Origin::Imported(_)))).unwrap();
    let Event::VersionSealed(sealed) = &mut imports_otherwise.event else {
        unreachable!()
    };
    sealed.origin = Origin::Imported(signed("setting", id(1), &[]));
    assert!(matches!(
        chain.append(&imports_otherwise, START),
        Err(AppendError::Statement(_))
    ));
    let mut not_utf8 = signed("roles", id(1), &[]);
    not_utf8.statement.push(0xff);
    assert!(matches!(
        chain.append(&by(id(1), Event::PersonRoles(not_utf8)), START),
        Err(AppendError::Statement(_))
    ));
}
