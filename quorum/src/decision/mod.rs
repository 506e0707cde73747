//! What approvals add up to (FORMATS.md 4, "Decisions"): pure arithmetic over what was decided, by whom,
//! with which key, when. Signatures are checked before anything comes here.

mod filing;
mod named;

use std::collections::BTreeSet;
use std::fmt;

pub use filing::{FilingError, RESTING_LIFE_S, check_filing, check_founding};
pub use named::{NamedFacts, NamedFault, NamedKey, NamedPerson, check_named};

use crate::hash::Hash;
use crate::ids::{AuthenticatorId, UserId};
use crate::json::Value;
use crate::roster::VerifiedRoster;
use crate::statement::{Approval, Decision, Purpose, Request};

const SECOND_US: i64 = 1_000_000;

/// A decision that is in the ledger and not false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cast {
    /// The seq of its entry.
    pub seq: u64,
    /// The time of its entry, in microseconds.
    pub time: i64,
    /// Yes or no.
    pub decision: Decision,
    /// Who decided: the signer.
    pub approver: UserId,
    /// The key that signed.
    pub authenticator: AuthenticatorId,
}

/// When a key was good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyLife {
    /// The seq of its enrolment.
    pub enrolled_at: u64,
    /// The seq of its revocation.
    pub revoked_at: Option<u64>,
    /// The seqs of its suspensions and of what ended them.
    pub suspensions: Vec<(u64, Option<u64>)>,
}

impl KeyLife {
    /// Whether the key is live at that seq: enrolled before, not revoked before, not suspended.
    #[must_use]
    pub fn live_at(&self, seq: u64) -> bool {
        let resting =
            |(from, to): &(u64, Option<u64>)| *from < seq && to.is_none_or(|to| to >= seq);
        self.enrolled_at < seq && !self.revoked_before(seq) && !self.suspensions.iter().any(resting)
    }

    /// Whether the key was revoked before that seq.
    #[must_use]
    pub fn revoked_before(&self, seq: u64) -> bool {
        self.revoked_at.is_some_and(|revoked| revoked < seq)
    }
}

/// Where keys' lives are looked up; a key that nobody knows counts for nothing.
pub type Keys<'a> = &'a dyn Fn(AuthenticatorId) -> Option<KeyLife>;

/// A request's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FiledAt {
    /// The seq of the `request.filed`.
    pub seq: u64,
    /// Its time, in microseconds.
    pub time: i64,
    /// Who filed it: the signer.
    pub requester: UserId,
    /// The key that signed.
    pub authenticator: AuthenticatorId,
}

/// The acting entry, or the one that could be written now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Its seq; for "now", the ledger's size.
    pub seq: u64,
    /// Its time, in microseconds.
    pub time: i64,
}

/// What the decisions on a request come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The seqs of the approvals that count, ascending; one for each person.
    pub counting: Vec<u64>,
    /// Who denied, in the order of the ledger.
    pub deniers: Vec<UserId>,
    /// How many approvals are needed.
    pub needed: u32,
    /// How many denials end it.
    pub denials: u64,
    /// Whether enough approvals count.
    pub reached: bool,
    /// When the last one needed was given, in microseconds: the larger m-th that counts, in seq order. The filing's
    /// time where none is needed.
    pub reached_at: Option<i64>,
    /// Whether enough people denied.
    pub denied: bool,
}

/// Counts the decisions on a request, as they stand just before `at`. `named` is the roster that the request names,
/// `in_force` the one at `at`.
///
/// A denial by one person takes that person's approval back for ever. Every denial among `casts` weighs,
/// also by somebody who has left the roster since: it was valid when it was entered.
#[must_use]
pub fn count(
    req: &Request,
    filed: &FiledAt,
    named: &VerifiedRoster,
    in_force: &VerifiedRoster,
    casts: &[Cast],
    keys: Keys<'_>,
    at: At,
) -> Tally {
    let mut casts: Vec<&Cast> = casts
        .iter()
        .filter(|cast| filed.seq < cast.seq && cast.seq < at.seq)
        .collect();
    casts.sort_by_key(|cast| cast.seq);
    let mut deniers: Vec<UserId> = Vec::new();
    for cast in &casts {
        let signed_live = keys(cast.authenticator).is_some_and(|key| key.live_at(cast.seq));
        if cast.decision == Decision::Deny && signed_live && !deniers.contains(&cast.approver) {
            deniers.push(cast.approver);
        }
    }
    let counts = |cast: &Cast| {
        cast.decision == Decision::Approve
            && cast.time < req.expires
            && cast.approver != filed.requester
            && named.approver(cast.approver).is_some()
            && in_force.approver(cast.approver).is_some()
            && !deniers.contains(&cast.approver)
            && keys(cast.authenticator)
                .is_some_and(|key| key.live_at(cast.seq) && key.live_at(at.seq))
    };
    let mut people = BTreeSet::new();
    let counting: Vec<&Cast> = casts
        .into_iter()
        .filter(|cast| counts(cast) && people.insert(cast.approver))
        .collect();
    let needed = needed(req, named, in_force);
    let reached_at = match usize::try_from(needed).unwrap_or(usize::MAX).checked_sub(1) {
        None => Some(filed.time),
        Some(last) => counting.get(last).map(|cast| cast.time),
    };
    let denials = named.denials().min(in_force.denials());
    Tally {
        denied: u64::try_from(deniers.len()).unwrap_or(u64::MAX) >= denials,
        counting: counting.iter().map(|cast| cast.seq).collect(),
        deniers,
        needed,
        denials,
        reached: reached_at.is_some(),
        reached_at,
    }
}

/// How many approvals a request needs: the larger m of the two rosters, or what its role asks for.
#[must_use]
pub fn needed(req: &Request, named: &VerifiedRoster, in_force: &VerifiedRoster) -> u32 {
    match &req.purpose {
        Purpose::Access(access) => u32::try_from(access.needed).unwrap_or(u32::MAX),
        _ => u32::from(named.m().max(in_force.m()).get()),
    }
}

/// Why a request can't be spent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It was spent, ended or refused before.
    Settled,
    /// The key that filed it was revoked.
    FilingKeyRevoked,
    /// Enough people denied it.
    Denied,
    /// Not enough approvals count.
    NotReached {
        /// How many count.
        counting: u32,
        /// How many are needed.
        needed: u32,
    },
    /// Its time is over.
    Expired,
    /// A release whose time to open is over.
    OpenedTooLate,
}

impl Refusal {
    /// The refusal's name in the test vectors.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::FilingKeyRevoked => "filing_key_revoked",
            Self::Denied => "denied",
            Self::NotReached { .. } => "not_reached",
            Self::Expired => "expired",
            Self::OpenedTooLate => "opened_too_late",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settled => write!(f, "the request was spent, ended or refused before"),
            Self::FilingKeyRevoked => write!(f, "the key that filed the request was revoked"),
            Self::Denied => write!(f, "enough people denied the request"),
            Self::NotReached { counting, needed } => {
                write!(f, "{counting} of {needed} approvals needed count")
            }
            Self::Expired => write!(f, "the request has expired"),
            Self::OpenedTooLate => write!(f, "the time to open it is over"),
        }
    }
}

impl std::error::Error for Refusal {}

/// Whether the acting entry may be written at `at`. `settled`: the request was spent, ended or refused
/// before. Gives the tally, whose `counting` is what the entry lists as `approvals`.
///
/// # Errors
/// The first rule that stands against it.
#[allow(clippy::too_many_arguments)] // All that the rule speaks of, and nothing else.
pub fn check_acting(
    req: &Request,
    filed: &FiledAt,
    settled: bool,
    named: &VerifiedRoster,
    in_force: &VerifiedRoster,
    casts: &[Cast],
    keys: Keys<'_>,
    at: At,
) -> Result<Tally, Refusal> {
    if settled {
        return Err(Refusal::Settled);
    }
    if keys(filed.authenticator).is_none_or(|key| key.revoked_before(at.seq)) {
        return Err(Refusal::FilingKeyRevoked);
    }
    let tally = count(req, filed, named, in_force, casts, keys, at);
    if tally.denied {
        return Err(Refusal::Denied);
    }
    let Some(reached_at) = tally.reached_at else {
        return Err(Refusal::NotReached {
            counting: u32::try_from(tally.counting.len()).unwrap_or(u32::MAX),
            needed: tally.needed,
        });
    };
    match &req.purpose {
        Purpose::Release(release) => {
            if at.time >= after(reached_at, release.open_within_s) {
                return Err(Refusal::OpenedTooLate);
            }
        }
        _ => {
            if at.time >= req.expires {
                return Err(Refusal::Expired);
            }
        }
    }
    Ok(tally)
}

/// Until when a release that has its quorum may be opened, in microseconds; `None` before the quorum,
/// and for other purposes.
#[must_use]
pub fn open_until(req: &Request, tally: &Tally) -> Option<i64> {
    match &req.purpose {
        Purpose::Release(release) => tally
            .reached_at
            .map(|reached| after(reached, release.open_within_s)),
        _ => None,
    }
}

/// A time so many seconds later, in microseconds.
#[must_use]
pub fn after(time: i64, seconds: u64) -> i64 {
    let span = i64::try_from(seconds)
        .unwrap_or(i64::MAX)
        .saturating_mul(SECOND_US);
    time.saturating_add(span)
}

/// Why a decision on a request is false and may not be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionError {
    /// It names another entry.
    Entry,
    /// Its subject is not the request, byte for byte.
    Subject,
    /// The person decided before (a denial after one's own approval is allowed).
    Again,
    /// A denial by somebody who is on neither roster.
    NotRostered,
    /// The request was spent, ended or refused before.
    Settled,
}

impl DecisionError {
    /// The error's name in the test vectors.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Subject => "subject",
            Self::Again => "again",
            Self::NotRostered => "not_rostered",
            Self::Settled => "settled",
        }
    }
}

impl fmt::Display for DecisionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Entry => "the decision names another entry",
            Self::Subject => "the decision's subject is not the request",
            Self::Again => "this person has decided before",
            Self::NotRostered => "only somebody on the roster can deny",
            Self::Settled => "the request is settled",
        })
    }
}

impl std::error::Error for DecisionError {}

/// Whether a decision may be entered at all. One that may can still count for nothing: by the requester, by somebody
/// not rostered, after the request's end ([`count`] says).
///
/// `leaf` and `statement` are those of the `request.filed`, `rosters` the named one and the one in force
/// (none when a safe is being founded), `before` the decisions on this request so far.
///
/// # Errors
/// The rule that it breaks.
pub fn check_decision(
    approval: &Approval,
    signer: UserId,
    leaf: Hash,
    statement: &Value,
    settled: bool,
    rosters: &[&VerifiedRoster],
    before: &[Cast],
) -> Result<(), DecisionError> {
    if approval.entry != leaf {
        return Err(DecisionError::Entry);
    }
    if approval.subject != *statement {
        return Err(DecisionError::Subject);
    }
    if settled {
        return Err(DecisionError::Settled);
    }
    let denial = approval.decision == Decision::Deny;
    let again =
        |cast: &&Cast| cast.approver == signer && !(denial && cast.decision == Decision::Approve);
    if before.iter().any(|cast| again(&cast)) {
        return Err(DecisionError::Again);
    }
    if denial
        && !rosters
            .iter()
            .any(|roster| roster.approver(signer).is_some())
    {
        return Err(DecisionError::NotRostered);
    }
    Ok(())
}
