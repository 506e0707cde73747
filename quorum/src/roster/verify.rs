//! A safe's rosters, replayed from its founding.

use std::collections::{BTreeMap, BTreeSet};

use super::{Approver, RosterError, RosterKey, RosterLie, VerifiedRoster, check_new};
use crate::decision::{
    self, At, Cast, DecisionError, FiledAt, FilingError, KeyLife, NamedFacts, NamedFault, NamedKey,
    NamedPerson, Refusal, Tally, check_acting, check_decision, check_filing, check_founding,
    check_named,
};
use crate::entry::{Entry, Event, RosterSet, Signed, TargetSet};
use crate::evidence::{EvidenceError, Proved, Trust};
use crate::hash::Hash;
use crate::ids::{AuthenticatorId, RequestId, SafeId};
use crate::json::Value;
use crate::people::{Lie, People};
use crate::roster::RosterLimit;
use crate::statement::{
    Acceptance, Approval, Kind, NewApprover, NewRoster, Purpose, Request, Role,
};

/// One epoch's part of the evidence.
#[derive(Clone, Debug)]
pub struct RosterStep {
    /// The `roster.set`.
    pub set: Proved,
    /// The `request.filed` that it spends.
    pub request: Proved,
    /// The approvals, denials and acceptances of that request.
    pub decisions: Vec<Proved>,
}

/// What shows that a roster is a safe's: entries with their proofs, each as often as it is convenient. The lists only say
/// what to think of; entries are sorted by seq and each is judged by what it is.
#[derive(Clone, Debug, Default)]
pub struct RosterEvidence {
    /// The rosters of the safe, epoch 1 to the one wanted.
    pub rosters: Vec<RosterStep>,
    /// `authenticator.enrolled` of every key that signed or is named, back to the first custodian's.
    pub enrolments: Vec<Proved>,
    /// `person.invited` of everybody concerned, entry 1 included, and every `person.roles` of theirs.
    pub invitations: Vec<Proved>,
    /// `authenticator.revoked`, `.suspended`, `.restored`, `.distrusted` of any of these keys.
    pub revocations: Vec<Proved>,
}

impl VerifiedRoster {
    /// Checks a safe's rosters from its founding and gives the last one.
    ///
    /// # Errors
    /// Any entry that is not proved, or false.
    pub fn verify(trust: &Trust, evidence: &RosterEvidence) -> Result<Self, RosterError> {
        Self::verify_all(trust, evidence)?
            .pop()
            .ok_or(RosterError::Empty)
    }

    /// As [`VerifiedRoster::verify`], giving the roster of every epoch, from 1.
    ///
    /// # Errors
    /// Any entry that is not proved, or false.
    pub fn verify_all(trust: &Trust, evidence: &RosterEvidence) -> Result<Vec<Self>, RosterError> {
        let mut replay = Replay::new(trust);
        for (seq, entry) in &read_all(trust, evidence, [])? {
            replay
                .apply(entry)
                .map_err(|lie| RosterError::False(*seq, lie))?;
        }
        Ok(replay.finish())
    }
}

/// Every entry of the evidence and `more`, proved and read, in the order of the ledger.
pub(super) fn read_all<'e>(
    trust: &Trust,
    evidence: &'e RosterEvidence,
    more: impl IntoIterator<Item = &'e Proved>,
) -> Result<BTreeMap<u64, Entry>, EvidenceError> {
    let steps = evidence.rosters.iter().flat_map(|step| {
        [&step.set, &step.request]
            .into_iter()
            .chain(&step.decisions)
    });
    let all = steps
        .chain(&evidence.enrolments)
        .chain(&evidence.invitations)
        .chain(&evidence.revocations)
        .chain(more);
    all.map(|proved| Ok((proved.seq, trust.entry(proved)?)))
        .collect()
}

/// A request on its way.
pub(super) struct Pending {
    pub(super) at: FiledAt,
    leaf: Hash,
    statement: Value,
    pub(super) request: Request,
    pub(super) settled: bool,
    pub(super) casts: Vec<Cast>,
    accepted: Vec<(u64, AuthenticatorId)>,
}

impl Pending {
    /// The roster that it asks for, if that is what it asks for.
    const fn proposed(&self) -> Option<&NewRoster> {
        match &self.request.purpose {
            Purpose::Roster(roster) => Some(&roster.new),
            _ => None,
        }
    }
}

pub(super) struct Replay<'a> {
    pub(super) trust: &'a Trust,
    pub(super) people: People,
    time: i64,
    safe: Option<SafeId>,
    pub(super) rosters: Vec<VerifiedRoster>,
    named_keys: BTreeSet<AuthenticatorId>,
    pub(super) requests: BTreeMap<RequestId, Pending>,
    /// Whether bindings are replayed, too; in a roster's evidence they have no place.
    targets: bool,
    /// What was bound: leaf, seq, and what the entry says.
    pub(super) bound: Vec<(Hash, u64, TargetSet)>,
}

impl<'a> Replay<'a> {
    fn new(trust: &'a Trust) -> Self {
        Self {
            trust,
            people: People::new(),
            time: 0,
            safe: None,
            rosters: Vec::new(),
            named_keys: BTreeSet::new(),
            requests: BTreeMap::new(),
            targets: false,
            bound: Vec::new(),
        }
    }

    pub(super) fn with_targets(trust: &'a Trust) -> Self {
        Self {
            targets: true,
            ..Self::new(trust)
        }
    }

    pub(super) fn apply(&mut self, entry: &Entry) -> Result<(), RosterLie> {
        if entry.time < self.time {
            return Err(RosterLie::Time);
        }
        self.time = entry.time;
        match &entry.event {
            Event::RosterSet(set) => self.set(entry, set),
            Event::TargetSet(set) if self.targets => self.bind(entry, set),
            Event::RequestEnded(ended) => {
                let pending = self
                    .requests
                    .get_mut(&ended.request)
                    .ok_or(RosterLie::UnknownRequest)?;
                if pending.settled {
                    return Err(RosterLie::Settled);
                }
                pending.settled = true;
                Ok(())
            }
            Event::Signed(signed) => match &signed.statement.kind {
                Kind::Request(request) => self.filed(entry, signed, request),
                Kind::Approval(approval) => self.decided(entry, signed, approval),
                Kind::Acceptance(acceptance) => self.accepted(entry, signed, acceptance),
                _ => Ok(self.people.apply(self.trust, entry)?),
            },
            _ => Ok(self.people.apply(self.trust, entry)?),
        }
    }

    fn filed(
        &mut self,
        entry: &Entry,
        signed: &Signed,
        request: &Request,
    ) -> Result<(), RosterLie> {
        let requester = self.people.check_signed(self.trust, entry, signed)?;
        let person = self.people.person(requester).ok_or(Lie::UnknownPerson)?;
        if person.name != request.requester_name {
            return Err(Lie::Name.into());
        }
        match &request.purpose {
            Purpose::Roster(_) => {}
            // A safe is founded before anything is bound in it.
            Purpose::Target(_) if self.targets && !self.rosters.is_empty() => {}
            _ => return Err(RosterLie::OtherMatter),
        }
        if *self.safe.get_or_insert(request.safe) != request.safe {
            return Err(RosterLie::OtherMatter);
        }
        match self.rosters.last() {
            None => check_founding(request, entry.time),
            Some(in_force) => check_filing(request, in_force, in_force, entry.time),
        }
        .map_err(RosterLie::Filing)?;
        let pending = Pending {
            at: FiledAt {
                seq: entry.seq,
                time: entry.time,
                requester,
                authenticator: signed.authenticator,
            },
            leaf: entry.leaf,
            statement: signed.statement.to_value(),
            request: request.clone(),
            settled: false,
            casts: Vec::new(),
            accepted: Vec::new(),
        };
        if self.requests.insert(request.request, pending).is_some() {
            return Err(RosterLie::RepeatedRequest);
        }
        Ok(())
    }

    fn decided(
        &mut self,
        entry: &Entry,
        signed: &Signed,
        approval: &Approval,
    ) -> Result<(), RosterLie> {
        let approver = self.people.check_signed(self.trust, entry, signed)?;
        let pending = find(&mut self.requests, approval.entry)?;
        let named = pending.request.roster;
        let named = self.rosters.iter().find(|roster| roster.leaf() == named);
        let rosters: Vec<&VerifiedRoster> = named.into_iter().chain(self.rosters.last()).collect();
        check_decision(
            approval,
            approver,
            pending.leaf,
            &pending.statement,
            pending.settled,
            &rosters,
            &pending.casts,
        )
        .map_err(RosterLie::Decision)?;
        pending.casts.push(Cast {
            seq: entry.seq,
            time: entry.time,
            decision: approval.decision,
            approver,
            authenticator: signed.authenticator,
        });
        Ok(())
    }

    fn accepted(
        &mut self,
        entry: &Entry,
        signed: &Signed,
        acceptance: &Acceptance,
    ) -> Result<(), RosterLie> {
        let person = self.people.check_signed(self.trust, entry, signed)?;
        if acceptance.authenticator != signed.authenticator {
            return Err(Lie::Authenticator.into());
        }
        let pending = find(&mut self.requests, acceptance.entry)?;
        if acceptance.subject != pending.statement {
            return Err(RosterLie::Decision(DecisionError::Subject));
        }
        if pending.settled {
            return Err(RosterLie::Settled);
        }
        let key = signed.authenticator;
        let named = |approver: &NewApprover| {
            approver.user == person && approver.authenticators.contains(&key)
        };
        let before = pending
            .accepted
            .iter()
            .any(|(_, accepted)| *accepted == key);
        let asked = pending
            .proposed()
            .is_some_and(|new| new.approvers.iter().any(named));
        if before || !asked {
            return Err(RosterLie::Acceptance);
        }
        pending.accepted.push((entry.seq, key));
        Ok(())
    }

    fn set(&mut self, entry: &Entry, set: &RosterSet) -> Result<(), RosterLie> {
        let pending = self
            .requests
            .get_mut(&set.request)
            .ok_or(RosterLie::UnknownRequest)?;
        if Some(&set.new) != pending.proposed() || set.safe != pending.request.safe {
            return Err(RosterLie::NotAsAsked);
        }
        let at = At {
            seq: entry.seq,
            time: entry.time,
        };
        let people = &self.people;
        let keys = |id| people.key(id).map(|key| key.life.clone());
        let in_force = self.rosters.last();
        match in_force {
            None => check_founding_act(pending, set, at, &keys)?,
            Some(in_force) => check_change_act(pending, set, in_force, at, &keys)?,
        }
        let m = check_new(&set.new, in_force).map_err(RosterLie::Limit)?;
        check_acceptances(pending, set, &self.named_keys)?;
        let approvers = named_approvers(people, &set.new, entry.seq)?;
        pending.settled = true;
        self.named_keys = set
            .new
            .approvers
            .iter()
            .flat_map(|a| a.authenticators.iter().copied())
            .collect();
        self.rosters.push(VerifiedRoster {
            ledger: self.trust.ledger(),
            safe: set.safe,
            epoch: set.new.epoch,
            leaf: entry.leaf,
            name: set.new.name.clone(),
            drill: set.new.drill,
            m,
            denials: set.new.denials,
            request_life_s: set.new.request_life_s,
            grant_life_s: set.new.grant_life_s,
            approvers,
        });
        Ok(())
    }

    /// The rosters, without the keys that were revoked by the end of the evidence.
    fn finish(self) -> Vec<VerifiedRoster> {
        let Self {
            people,
            mut rosters,
            ..
        } = self;
        let good = |key: &RosterKey| {
            people
                .key(key.authenticator)
                .is_some_and(|key| key.life.revoked_at.is_none())
        };
        for approver in rosters.iter_mut().flat_map(|roster| &mut roster.approvers) {
            approver.authenticators.retain(good);
        }
        rosters
    }
}

fn find(
    requests: &mut BTreeMap<RequestId, Pending>,
    leaf: Hash,
) -> Result<&mut Pending, RosterLie> {
    requests
        .values_mut()
        .find(|pending| pending.leaf == leaf)
        .ok_or(RosterLie::UnknownRequest)
}

/// Epoch 1 needs no approvals and takes none; nobody is on a roster who could deny.
fn check_founding_act(
    pending: &Pending,
    set: &RosterSet,
    at: At,
    keys: decision::Keys<'_>,
) -> Result<(), RosterLie> {
    if pending.request.roster != Hash::ZERO {
        return Err(RosterLie::Filing(FilingError::Roster));
    }
    if !set.approvals.is_empty() {
        return Err(RosterLie::ListedApproval);
    }
    let refusal = if pending.settled {
        Refusal::Settled
    } else if keys(pending.at.authenticator).is_none_or(|key: KeyLife| key.revoked_before(at.seq)) {
        Refusal::FilingKeyRevoked
    } else if at.time >= pending.request.expires {
        Refusal::Expired
    } else {
        return Ok(());
    };
    Err(RosterLie::Acting(refusal))
}

fn check_change_act(
    pending: &Pending,
    set: &RosterSet,
    in_force: &VerifiedRoster,
    at: At,
    keys: decision::Keys<'_>,
) -> Result<(), RosterLie> {
    if pending.request.roster != in_force.leaf() {
        return Err(RosterLie::Filing(FilingError::Roster));
    }
    let tally = check_acting(
        &pending.request,
        &pending.at,
        pending.settled,
        in_force,
        in_force,
        &pending.casts,
        keys,
        at,
    )
    .map_err(RosterLie::Acting)?;
    check_listed(&set.approvals, &tally)
}

/// The approvals that an acting entry lists all count, and are enough; one person's count once.
pub(super) fn check_listed(approvals: &[u64], tally: &Tally) -> Result<(), RosterLie> {
    if !approvals.iter().all(|seq| tally.counting.contains(seq)) {
        return Err(RosterLie::ListedApproval);
    }
    if u32::try_from(approvals.len()).unwrap_or(0) < tally.needed {
        return Err(RosterLie::TooFewListed);
    }
    Ok(())
}

/// Every key newly named has accepted, and its acceptance is listed.
fn check_acceptances(
    pending: &Pending,
    set: &RosterSet,
    named_before: &BTreeSet<AuthenticatorId>,
) -> Result<(), RosterLie> {
    let mut listed = BTreeSet::new();
    for seq in &set.acceptances {
        let found = pending
            .accepted
            .iter()
            .find(|(accepted, _)| accepted == seq);
        let (_, key) = found.ok_or(RosterLie::ListedAcceptance)?;
        listed.insert(*key);
    }
    let mut named = set
        .new
        .approvers
        .iter()
        .flat_map(|approver| &approver.authenticators);
    if named.all(|key| named_before.contains(key) || listed.contains(key)) {
        Ok(())
    } else {
        Err(RosterLie::NotAccepted)
    }
}

fn named_approvers(people: &People, new: &NewRoster, seq: u64) -> Result<Vec<Approver>, RosterLie> {
    check_named(new, &named_facts(people, new), seq).map_err(|fault| match fault {
        NamedFault::UnknownPerson(_) | NamedFault::NotApprover(_) | NamedFault::Name(_) => {
            RosterLie::NamedPerson
        }
        NamedFault::UnknownKey(_)
        | NamedFault::NotTheirs(_)
        | NamedFault::NotLive(_)
        | NamedFault::NoShareKey(_) => RosterLie::NamedKey,
    })?;
    let mut approvers = Vec::with_capacity(new.approvers.len());
    for (place, approver) in new.approvers.iter().enumerate() {
        let keys = approver.authenticators.iter();
        let keys: Option<Vec<_>> = keys.map(|id| roster_key(people, *id)).collect();
        approvers.push(Approver {
            user: approver.user,
            name: approver.name.clone(),
            x: u8::try_from(place + 1).map_err(|_| RosterLie::Limit(RosterLimit::TooMany))?,
            authenticators: keys.ok_or(RosterLie::NamedKey)?,
        });
    }
    Ok(approvers)
}

/// What the evidence says of those whom `new` names.
fn named_facts(people: &People, new: &NewRoster) -> NamedFacts {
    let users = new.approvers.iter().map(|approver| approver.user);
    let ids = new.approvers.iter().flat_map(|a| &a.authenticators);
    NamedFacts {
        people: users
            .filter_map(|user| {
                let person = people.person(user)?;
                let named = NamedPerson {
                    name: person.name.clone(),
                    approver: person.roles.contains(&Role::Approver),
                };
                Some((user, named))
            })
            .collect(),
        keys: ids
            .filter_map(|id| {
                let key = people.key(*id)?;
                let named = NamedKey {
                    user: key.user,
                    share_key: key.share_key.is_some(),
                    life: key.life.clone(),
                };
                Some((*id, named))
            })
            .collect(),
    }
}

fn roster_key(people: &People, id: AuthenticatorId) -> Option<RosterKey> {
    let key = people.key(id)?;
    Some(RosterKey {
        authenticator: id,
        share_key: key.share_key?,
        credential_id: key.credential_id.clone(),
        public_key: key.public_key,
    })
}
