//! A credential's binding to a target, replayed with the rosters of its safe.

use std::collections::BTreeMap;

use super::verify::{Replay, check_listed, read_all};
use super::{RosterError, RosterEvidence, RosterLie};
use crate::decision::{At, check_acting};
use crate::entry::{Entry, TargetSet};
use crate::evidence::{Proved, Trust};
use crate::hash::Hash;
use crate::ids::{CredentialId, SafeId, TargetId};
use crate::statement::{Pin, Purpose};

/// What shows that a quorum bound a credential to a target. As with [`RosterEvidence`], each entry is judged by what it is.
#[derive(Clone, Debug)]
pub struct TargetEvidence {
    /// The rosters of the safe, up to the one in force at the binding, and everything about the people who asked, decided or are named.
    pub rosters: RosterEvidence,
    /// The `target.set`.
    pub set: Proved,
    /// The `request.filed` that it spends.
    pub request: Proved,
    /// The approvals and denials of that request, and whatever else spent or ended it before.
    pub decisions: Vec<Proved>,
}

/// A binding that a quorum signed for: where a credential lives, checked back to the founding of its safe. There is no
/// other way to get one.
///
/// Whether a newer one has replaced it, no proof shows: that is for the caller to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedTarget {
    ledger: Hash,
    leaf: Hash,
    seq: u64,
    set: TargetSet,
}

impl VerifiedTarget {
    /// Checks the binding: its request and decisions by the rules of `decision`, each signature by a key that was enrolled
    /// and live, the rosters from the safe's founding on.
    ///
    /// # Errors
    /// Any entry that is not proved, or false.
    pub fn verify(trust: &Trust, evidence: &TargetEvidence) -> Result<Self, RosterError> {
        let own = [&evidence.set, &evidence.request];
        let all: BTreeMap<u64, Entry> = read_all(
            trust,
            &evidence.rosters,
            own.into_iter().chain(&evidence.decisions),
        )?;
        let mut replay = Replay::with_targets(trust);
        for (seq, entry) in &all {
            replay
                .apply(entry)
                .map_err(|lie| RosterError::False(*seq, lie))?;
        }
        let wanted = |target: &Self| target.seq == evidence.set.seq;
        replay.targets().find(wanted).ok_or(RosterError::Empty)
    }

    /// The ledger that it was checked in.
    #[must_use]
    pub const fn ledger(&self) -> Hash {
        self.ledger
    }

    /// The leaf of its `target.set`.
    #[must_use]
    pub const fn leaf(&self) -> Hash {
        self.leaf
    }

    /// The seq of its `target.set`.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// The safe whose quorum it was.
    #[must_use]
    pub const fn safe(&self) -> SafeId {
        self.set.safe
    }

    /// What lives there.
    #[must_use]
    pub const fn credential(&self) -> CredentialId {
        self.set.credential
    }

    /// The target.
    #[must_use]
    pub const fn target(&self) -> TargetId {
        self.set.target
    }

    /// The code that talks to it.
    #[must_use]
    pub fn connector(&self) -> &str {
        &self.set.connector
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.set.address
    }

    /// Whose credential it is there.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.set.account
    }

    /// How it is known again.
    #[must_use]
    pub const fn pin(&self) -> Pin {
        self.set.pin
    }
}

impl Replay<'_> {
    /// A `target.set`: the members of its request, which a quorum approved.
    pub(super) fn bind(&mut self, entry: &Entry, set: &TargetSet) -> Result<(), RosterLie> {
        let pending = self
            .requests
            .get_mut(&set.request)
            .ok_or(RosterLie::UnknownRequest)?;
        let Purpose::Target(asked) = &pending.request.purpose else {
            return Err(RosterLie::OtherMatter);
        };
        let same = set.safe == pending.request.safe
            && set.account == asked.account
            && set.address == asked.address
            && set.connector == asked.connector
            && set.credential == asked.credential
            && set.pin == asked.pin
            && set.target == asked.target;
        if !same {
            return Err(RosterLie::NotAsAsked);
        }
        let roster = pending.request.roster;
        let named = self.rosters.iter().find(|r| r.leaf() == roster);
        let (Some(named), Some(in_force)) = (named, self.rosters.last()) else {
            return Err(RosterLie::OtherMatter);
        };
        let people = &self.people;
        let tally = check_acting(
            &pending.request,
            &pending.at,
            pending.settled,
            named,
            in_force,
            &pending.casts,
            &|id| people.key(id).map(|key| key.life.clone()),
            At {
                seq: entry.seq,
                time: entry.time,
            },
        )
        .map_err(RosterLie::Acting)?;
        check_listed(&set.approvals, &tally)?;
        pending.settled = true;
        self.bound.push((entry.leaf, entry.seq, set.clone()));
        Ok(())
    }

    fn targets(self) -> impl Iterator<Item = VerifiedTarget> {
        let ledger = self.trust.ledger();
        self.bound
            .into_iter()
            .map(move |(leaf, seq, set)| VerifiedTarget {
                ledger,
                leaf,
                seq,
                set,
            })
    }
}
