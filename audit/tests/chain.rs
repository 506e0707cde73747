//! The chain: places, times, forgetting and going on.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use audit::event::*;
use audit::tree::{self, Fetched, Range};
use audit::{Actor, AppendError, Chain, Fault, Hash, Head, chain::BadHead, leaf_hash};
use common::*;
use proptest::prelude::*;

fn ticked() -> audit::Draft {
    system(Event::ClockTicked)
}

#[test]
fn entries_are_chained_and_counted() {
    let (mut chain, entries) = founded();
    assert_eq!(entries[0].prev, Hash::ZERO);
    assert_eq!(entries[1].prev, entries[0].leaf);
    let third = chain.append(&ticked(), START + 1).unwrap();
    assert_eq!(
        (third.seq, third.prev, third.time),
        (2, entries[1].leaf, START + 1)
    );
    assert_eq!(third.leaf, leaf_hash(&third.bytes));
    assert_eq!(
        String::from_utf8(third.bytes).unwrap(),
        format!(
            r#"{{"actor":"system","data":{{}},"event":"clock.ticked","prev":"{}","seq":2,"time":{},"v":1}}"#,
            entries[1].leaf,
            START + 1
        )
    );
}

#[test]
fn founding_and_first_invitation_have_their_places() {
    let founding_draft = system(Event::LedgerFounded(founding().into()));
    let mut chain = Chain::new();
    assert_eq!(
        chain.append(&ticked(), START).unwrap_err(),
        AppendError::OutOfPlace("clock.ticked")
    );
    let first = chain.append(&founding_draft, START).unwrap();
    assert_eq!(
        chain.append(&founding_draft, START).unwrap_err(),
        AppendError::OutOfPlace("ledger.founded")
    );
    assert_eq!(
        chain.append(&ticked(), START).unwrap_err(),
        AppendError::OutOfPlace("clock.ticked")
    );
    let other = system(Event::FirstPersonInvited(first_invitation(hash(1))));
    assert_eq!(
        chain.append(&other, START).unwrap_err(),
        AppendError::OtherLedger
    );
    let ours = system(Event::FirstPersonInvited(first_invitation(first.leaf)));
    chain.append(&ours, START).unwrap();
    assert_eq!(
        chain.append(&ours, START).unwrap_err(),
        AppendError::OutOfPlace("person.invited")
    );
    let somebody = by(id(1), founding_draft.event);
    assert_eq!(
        Chain::new().append(&somebody, START).unwrap_err(),
        AppendError::OutOfPlace("ledger.founded")
    );
}

#[test]
fn time_never_goes_back_and_never_leaps() {
    let (mut chain, _) = founded();
    assert_eq!(
        chain.append(&ticked(), START - 5 * DAY).unwrap().time,
        START
    );
    assert_eq!(
        chain.append(&ticked(), START + DAY).unwrap().time,
        START + DAY
    );
    let late = START + 2 * DAY + 1;
    assert_eq!(
        chain.append(&ticked(), late).unwrap_err(),
        AppendError::Clock {
            last: START + DAY,
            now: late
        }
    );
    assert_eq!(chain.time(), START + DAY);
}

#[test]
fn a_leap_of_the_clock_needs_a_touch_for_this_place_and_time() {
    let (mut chain, _) = founded();
    let late = START + 40 * DAY;
    let accept = |prev: Hash, time: i64| {
        let more = [
            ("entry", prev.to_string().into()),
            ("time", time.into()),
            ("why", "off for a month".into()),
        ];
        by(id(1), Event::ClockAccepted(signed("clock", id(1), &more)))
    };
    for bad in [
        accept(hash(1), late),
        accept(chain.prev(), late + 1),
        accept(chain.prev(), late - DAY - 1),
    ] {
        assert!(matches!(
            chain.append(&bad, late),
            Err(AppendError::Statement(_))
        ));
    }
    let good = accept(chain.prev(), late - DAY);
    assert_eq!(chain.append(&good, late).unwrap().time, late);
    chain.append(&ticked(), late + DAY).unwrap();
}

#[test]
fn a_statement_of_another_event_is_refused() {
    let (mut chain, _) = founded();
    let approve = [("decision", "approve".into())];
    let deny = [("decision", "deny".into())];
    let own_key = [("authenticator", id(9).to_string().into())];
    let other_key = [("authenticator", id(8).to_string().into())];
    let bad = [
        (id(1), Event::PersonRoles(signed("invite", id(1), &[]))),
        (id(1), Event::PersonRoles(signed("roles", id(2), &[]))),
        (
            id(1),
            Event::RequestApproved(signed("approval", id(1), &deny)),
        ),
        (
            id(1),
            Event::RequestDenied(signed("approval", id(1), &approve)),
        ),
        (
            id(1),
            Event::RequestApproved(signed("approval", id(1), &[])),
        ),
        (
            id(1),
            Event::RequestAccepted(signed("acceptance", id(1), &other_key)),
        ),
        (
            id(1),
            Event::RequestAccepted(signed("acceptance", id(1), &[])),
        ),
    ];
    for (actor, event) in bad {
        assert!(matches!(
            chain.append(&by(actor, event), START),
            Err(AppendError::Statement(_))
        ));
    }
    let nobody = system(Event::PersonRoles(signed("roles", id(1), &[])));
    assert!(matches!(
        chain.append(&nobody, START),
        Err(AppendError::Statement(_))
    ));
    for event in [
        Event::RequestApproved(signed("approval", id(1), &approve)),
        Event::RequestDenied(signed("approval", id(1), &deny)),
        Event::RequestAccepted(signed("acceptance", id(1), &own_key)),
    ] {
        chain.append(&by(id(1), event), START).unwrap();
    }
}

#[test]
fn what_an_entry_cannot_hold_is_refused_and_changes_nothing() {
    let (mut chain, _) = founded();
    let before = chain.head();
    let refused = |why: &str| {
        system(Event::ReleaseRefused {
            request: id(1),
            why: why.into(),
        })
    };
    let member = |fault| AppendError::Member {
        member: "why",
        fault,
    };
    for (draft, error) in [
        (refused("e\u{301}"), member(Fault::NotNfc)),
        (refused("a\u{202e}b"), member(Fault::Character('\u{202e}'))),
        (refused("a\nb"), member(Fault::Character('\n'))),
        (refused(""), member(Fault::Length)),
        (refused(&"x".repeat(201)), member(Fault::Length)),
        (
            system(Event::GrantStarted(GrantStarted {
                approvals: vec![4, 4],
                grant: id(1),
                request: id(2),
                target: id(3),
                until: START,
            })),
            AppendError::Member {
                member: "approvals",
                fault: Fault::List,
            },
        ),
        (
            system(Event::CheckpointKeysChanged {
                checkpoint_keys: vec![verifier_key(), verifier_key()],
            }),
            AppendError::Member {
                member: "checkpoint_keys",
                fault: Fault::List,
            },
        ),
    ] {
        assert_eq!(chain.append(&draft, START + 1).unwrap_err(), error);
        assert_eq!(chain.head(), before);
    }
    let long = [("ticket", "x".repeat(64 * 1024).into())];
    let long = by(id(1), Event::RequestFiled(signed("request", id(1), &long)));
    assert!(matches!(
        chain.append(&long, START),
        Err(AppendError::TooLong(_))
    ));
    assert_eq!(chain.head(), before);
}

#[test]
fn an_entry_of_exactly_64_kib_is_the_largest() {
    let (chain, _) = founded();
    let with = |n: usize| {
        let more = [("ticket", "x".repeat(n).into())];
        chain.clone().append(
            &by(id(1), Event::RequestFiled(signed("request", id(1), &more))),
            START,
        )
    };
    let around = with(0).unwrap().bytes.len();
    assert_eq!(with(65536 - around).unwrap().bytes.len(), 65536);
    assert_eq!(
        with(65537 - around).unwrap_err(),
        AppendError::TooLong(65537)
    );
}

#[test]
fn a_head_that_contradicts_itself_is_refused() {
    let (mut chain, _) = founded();
    chain.append(&ticked(), START).unwrap();
    let good = chain.head();
    assert_eq!(Chain::resume(good.clone()).unwrap().root(), chain.root());
    for bad in [
        Head {
            size: 2,
            ..good.clone()
        },
        Head {
            size: 7,
            ..good.clone()
        },
        Head {
            prev: hash(1),
            ..good.clone()
        },
        Head {
            frontier: good.frontier[1..].to_vec(),
            ..good.clone()
        },
        Head {
            time: -1,
            ..good.clone()
        },
        Head {
            size: 0,
            prev: hash(1),
            time: 0,
            frontier: vec![],
        },
        Head {
            size: 0,
            prev: Hash::ZERO,
            time: 5,
            frontier: vec![],
        },
    ] {
        assert_eq!(Chain::resume(bad).unwrap_err(), BadHead);
    }
}

#[test]
fn subtrees_of_256_are_handed_out_once() {
    let (mut chain, entries) = founded();
    let mut leaves: Vec<Hash> = entries.iter().map(|entry| entry.leaf).collect();
    let mut nodes = Vec::new();
    while leaves.len() < 70_000 {
        let entry = chain.append(&ticked(), START).unwrap();
        leaves.push(entry.leaf);
        nodes.extend(entry.nodes);
    }
    let places: Vec<_> = nodes.iter().map(|node| (node.level, node.index)).collect();
    let mut expected: Vec<_> = (0..256).map(|index| (8, index)).collect();
    expected.push((16, 0));
    expected.extend((256..273).map(|index| (8, index)));
    assert_eq!(places, expected);

    // Leaves and these nodes are all that the tree needs.
    let mut stored = Fetched::new();
    let range = |level, n: usize| Range {
        level,
        from: 0,
        to: n as u64,
    };
    for level in [8, 16] {
        let of: Vec<Hash> = nodes
            .iter()
            .filter(|node| node.level == level)
            .map(|node| node.hash)
            .collect();
        stored.insert(range(level, of.len()), of).unwrap();
    }
    stored
        .insert(range(0, leaves.len()), leaves.clone())
        .unwrap();
    assert_eq!(tree::root(&stored, chain.size()).unwrap(), chain.root());
    for seq in [0, 255, 256, 65_535, 65_536, 69_999] {
        let proof = tree::inclusion(&stored, seq, chain.size()).unwrap();
        let leaf = leaves[usize::try_from(seq).unwrap()];
        tree::verify_inclusion(&leaf, seq, chain.size(), &chain.root(), &proof).unwrap();
    }
}

proptest! {
    #[test]
    fn going_on_equals_never_having_stopped(steps in prop::collection::vec((any::<bool>(), any::<bool>(), 0..DAY), 1..80)) {
        let (mut straight, _) = founded();
        let (mut broken, _) = founded();
        let mut now = START;
        for (stop, fail, rise) in steps {
            now += rise;
            let draft = system(release_opened());
            if fail {
                // A batch that failed: what it appended is forgotten with the clone.
                let mut forgotten = broken.clone();
                forgotten.append(&ticked(), now).unwrap();
                forgotten.append(&draft, now).unwrap();
            }
            if stop {
                broken = Chain::resume(broken.head()).unwrap();
            }
            let (a, b) = (straight.append(&draft, now).unwrap(), broken.append(&draft, now).unwrap());
            prop_assert_eq!(a.bytes, b.bytes);
            prop_assert_eq!(straight.head(), broken.head());
            prop_assert_eq!(straight.root(), broken.root());
        }
    }
}

#[test]
fn actors_are_ids_or_the_system() {
    let (mut chain, _) = founded();
    let entry = chain
        .append(
            &audit::Draft {
                actor: Actor::Id(id(6)),
                event: Event::ClockTicked,
            },
            START,
        )
        .unwrap();
    assert!(
        entry
            .bytes
            .starts_with(format!(r#"{{"actor":"{}","#, id(6)).as_bytes())
    );
}
