//! Generated histories of one request; after every event the count is compared with a model that says the
//! page's words one by one, and with what must always hold.

use std::collections::{BTreeMap, BTreeSet};

use super::{ROSTERS, access, good_key, key, release, request, roster, user};
use proptest::prelude::*;
use quorum::decision::{At, Cast, FiledAt, KeyLife, Tally, check_acting, check_decision, count};
use quorum::ids::AuthenticatorId;
use quorum::json::Value;
use quorum::statement::{Approval, Decision, Request};

/// What can happen between the filing and the acting entry.
#[derive(Clone, Debug)]
enum Act {
    Decide(Decision, usize, usize),
    Revoke(usize, usize),
    Suspend(usize, usize),
    Restore(usize, usize),
    Change(u64),
    Wait(i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let decision = prop_oneof![4 => Just(Decision::Approve), 1 => Just(Decision::Deny)];
    let who = || 0..=6_usize;
    let which = || 0..2_usize;
    let act = prop_oneof![
        8 => (decision, who(), which()).prop_map(|(d, w, k)| Act::Decide(d, w, k)),
        1 => (who(), which()).prop_map(|(w, k)| Act::Revoke(w, k)),
        1 => (who(), which()).prop_map(|(w, k)| Act::Suspend(w, k)),
        1 => (who(), which()).prop_map(|(w, k)| Act::Restore(w, k)),
        1 => (1..=5_u64).prop_map(Act::Change),
        2 => (1..200_i64).prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 0..40)
}

/// What happened, one entry a line; the model reads nothing else.
#[derive(Clone, Copy, Debug)]
enum Line {
    Decided(Decision, usize, usize),
    Revoked(usize, usize),
    Suspended(usize, usize),
    Restored(usize, usize),
}

struct History {
    request: Request,
    filed: FiledAt,
    requester: usize,
    named: u64,
    in_force: u64,
    time: i64,
    lines: Vec<(u64, i64, Line)>,
    casts: Vec<Cast>,
    lives: BTreeMap<AuthenticatorId, KeyLife>,
}

const FILED: u64 = 100;

impl History {
    fn new(requester: usize, named: u64, needed: Option<u64>) -> Self {
        let purpose = needed.map_or_else(|| release(300), access);
        let lives = (0..=6).flat_map(|who| (0..2).map(move |which| (who, which)));
        Self {
            request: request(purpose, roster(named).leaf(), 1_000_000_000 + 600_000_000),
            filed: FiledAt {
                seq: FILED,
                time: 1_000_000_000,
                requester: user(requester),
                authenticator: key(requester, 0),
            },
            requester,
            named,
            in_force: named,
            time: 1_000_000_000,
            lines: Vec::new(),
            casts: Vec::new(),
            lives: lives
                .filter(|(who, which)| *who > 0 || *which == 0)
                .map(|(who, which)| (key(who, which), good_key()))
                .collect(),
        }
    }

    fn next(&self) -> u64 {
        FILED + 1 + self.lines.len() as u64
    }

    /// Whether the key is live at that seq, from the lines alone.
    fn is_live(&self, who: usize, which: usize, seq: u64) -> bool {
        let mut live = who > 0 || which == 0;
        let mut revoked = false;
        for (_, _, line) in self.lines.iter().filter(|(at, _, _)| *at < seq) {
            match line {
                Line::Revoked(w, k) if (*w, *k) == (who, which) => revoked = true,
                Line::Suspended(w, k) if (*w, *k) == (who, which) => live = false,
                Line::Restored(w, k) if (*w, *k) == (who, which) => live = true,
                _ => {}
            }
        }
        live && !revoked
    }

    fn write(&mut self, line: Line) {
        self.lines.push((self.next(), self.time, line));
    }

    fn act(&mut self, act: &Act) {
        let seq = self.next();
        match *act {
            Act::Decide(decision, who, which) => self.decide(decision, who, which),
            Act::Revoke(who, which) if who > 0 || which == 0 => {
                let life = self.lives.get_mut(&key(who, which)).unwrap();
                if life.revoked_at.is_none() {
                    life.revoked_at = Some(seq);
                    self.write(Line::Revoked(who, which));
                }
            }
            Act::Suspend(who, which) if self.is_live(who, which, seq) => {
                self.lives
                    .get_mut(&key(who, which))
                    .unwrap()
                    .suspensions
                    .push((seq, None));
                self.write(Line::Suspended(who, which));
            }
            Act::Restore(who, which) if who > 0 || which == 0 => {
                let life = self.lives.get_mut(&key(who, which)).unwrap();
                if let (None, Some((_, end @ None))) =
                    (life.revoked_at, life.suspensions.last_mut())
                {
                    *end = Some(seq);
                    self.write(Line::Restored(who, which));
                }
            }
            Act::Change(epoch) => self.in_force = self.in_force.max(epoch),
            Act::Wait(seconds) => self.time += seconds * 1_000_000,
            _ => {}
        }
    }

    /// Enters the decision if it isn't false; the crate and the model have to agree on that.
    fn decide(&mut self, decision: Decision, who: usize, which: usize) {
        let seq = self.next();
        if !self.is_live(who, which, seq) {
            return;
        }
        let said: Vec<Decision> = self
            .lines
            .iter()
            .filter_map(|(_, _, line)| match line {
                Line::Decided(said, by, _) if *by == who => Some(*said),
                _ => None,
            })
            .collect();
        let rostered =
            self.rostered(self.named).contains(&who) || self.rostered(self.in_force).contains(&who);
        let allowed = match decision {
            Decision::Approve => said.is_empty(),
            Decision::Deny => !said.contains(&Decision::Deny) && rostered,
        };
        let subject = Value::Bool(true);
        let approval = Approval {
            decision,
            entry: self.request.roster,
            subject: subject.clone(),
        };
        let rosters = [roster(self.named), roster(self.in_force)];
        let got = check_decision(
            &approval,
            user(who),
            self.request.roster,
            &subject,
            false,
            &rosters,
            &self.casts,
        );
        assert_eq!(got.is_ok(), allowed, "{decision} by {who} after {said:?}");
        if !allowed {
            return;
        }
        self.casts.push(Cast {
            seq,
            time: self.time,
            decision,
            approver: user(who),
            authenticator: key(who, which),
        });
        self.write(Line::Decided(decision, who, which));
    }

    fn rostered(&self, epoch: u64) -> BTreeSet<usize> {
        ROSTERS[epoch as usize - 1].2.iter().copied().collect()
    }

    fn at(&self) -> At {
        At {
            seq: self.next(),
            time: self.time,
        }
    }

    fn count(&self) -> Tally {
        let keys = |id| self.lives.get(&id).cloned();
        count(
            &self.request,
            &self.filed,
            roster(self.named),
            roster(self.in_force),
            &self.casts,
            &keys,
            self.at(),
        )
    }

    /// "An approval counts at t when .." (FORMATS.md 4), word for word.
    fn model(&self) -> (BTreeMap<u64, usize>, BTreeSet<usize>) {
        let t = self.next();
        let deniers: BTreeSet<usize> = self
            .lines
            .iter()
            .filter_map(|(_, _, line)| match line {
                Line::Decided(Decision::Deny, who, _) => Some(*who),
                _ => None,
            })
            .collect();
        let mut counting = BTreeMap::new();
        for (seq, time, line) in &self.lines {
            let Line::Decided(Decision::Approve, who, which) = line else {
                continue;
            };
            let counts = FILED < *seq
                && *seq < t
                && *time < self.request.expires
                && self.is_live(*who, *which, *seq)
                && self.is_live(*who, *which, t)
                && *who != self.requester
                && self.rostered(self.named).contains(who)
                && self.rostered(self.in_force).contains(who)
                && !deniers.contains(who);
            if counts {
                counting.insert(*seq, *who);
            }
        }
        (counting, deniers)
    }

    fn check(&self, needed: Option<u64>) -> Result<Tally, TestCaseError> {
        let tally = self.count();
        let (counting, deniers) = self.model();
        prop_assert_eq!(
            &tally.counting,
            &counting.keys().copied().collect::<Vec<_>>()
        );
        let said: BTreeSet<usize> = tally
            .deniers
            .iter()
            .map(|id| (0..=6).find(|w| user(*w) == *id).unwrap())
            .collect();
        prop_assert_eq!(&said, &deniers);

        // Whatever happens: distinct people, never the requester, never fewer than either m.
        let people: BTreeSet<usize> = counting.values().copied().collect();
        prop_assert_eq!(people.len(), counting.len());
        prop_assert!(!people.contains(&self.requester));
        let (m_named, denials_named, _) = ROSTERS[self.named as usize - 1];
        let (m_now, denials_now, _) = ROSTERS[self.in_force as usize - 1];
        let want = needed.unwrap_or(m_named.max(m_now));
        prop_assert_eq!(u64::from(tally.needed), want);
        prop_assert_eq!(tally.reached, people.len() as u64 >= want);
        prop_assert_eq!(
            tally.denied,
            deniers.len() as u64 >= denials_named.min(denials_now)
        );
        let mth = want.checked_sub(1).map(|last| {
            counting
                .keys()
                .nth(last as usize)
                .map(|seq| self.lines[(seq - FILED - 1) as usize].1)
        });
        prop_assert_eq!(tally.reached_at, mth.unwrap_or(Some(self.filed.time)));
        self.check_acting(&tally)?;
        Ok(tally)
    }

    fn check_acting(&self, tally: &Tally) -> Result<(), TestCaseError> {
        let keys = |id| self.lives.get(&id).cloned();
        let acting = check_acting(
            &self.request,
            &self.filed,
            false,
            roster(self.named),
            roster(self.in_force),
            &self.casts,
            &keys,
            self.at(),
        );
        let filing_key_gone = self
            .lines
            .iter()
            .any(|(_, _, line)| matches!(line, Line::Revoked(who, 0) if *who == self.requester));
        let in_time = match self.request.purpose {
            quorum::statement::Purpose::Release(_) => tally
                .reached_at
                .is_some_and(|reached| self.time < reached + 300_000_000),
            _ => self.time < self.request.expires,
        };
        let may = tally.reached && !tally.denied && !filing_key_gone && in_time;
        prop_assert_eq!(acting.is_ok(), may, "{:?}", acting);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn the_count_is_what_the_page_says(
        requester in 0..=6_usize,
        named in 1..=5_u64,
        needed in prop::option::of(0..5_u64),
        acts in acts(),
    ) {
        let mut history = History::new(requester, named, needed);
        let mut before = history.check(needed)?;
        for act in &acts {
            let (changed, waited) = (matches!(act, Act::Change(_)), matches!(act, Act::Wait(_)));
            history.act(act);
            let tally = history.check(needed)?;
            let grew = tally.counting.iter().any(|seq| !before.counting.contains(seq));
            match act {
                // Nothing but an approval, a restored key or another roster makes anything count.
                Act::Decide(Decision::Approve, ..) | Act::Restore(..) | Act::Change(_) => {}
                _ => prop_assert!(!grew, "{:?}", act),
            }
            // Waiting changes nothing that was said; a denial is never taken back.
            if waited {
                prop_assert_eq!(&tally, &before);
            }
            prop_assert!(tally.deniers.starts_with(&before.deniers));
            prop_assert!(changed || !before.denied || tally.denied);
            before = tally;
        }
    }

    /// Entries from after the acting one, and of other requests' time, change nothing.
    #[test]
    fn what_comes_later_changes_nothing(acts in acts(), more in acts()) {
        let mut history = History::new(0, 1, None);
        for act in acts.iter().filter(|act| !matches!(act, Act::Change(_))) {
            history.act(act);
        }
        let (at, tally) = (history.at(), history.count());
        for act in more.iter().filter(|act| !matches!(act, Act::Change(_))) {
            history.act(act);
        }
        let keys = |id| history.lives.get(&id).cloned();
        let again = count(&history.request, &history.filed, roster(1), roster(1), &history.casts, &keys, at);
        prop_assert_eq!(again, tally);
    }
}
