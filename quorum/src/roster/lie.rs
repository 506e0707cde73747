//! Why evidence shows no roster, or no binding.

use std::fmt;

use super::RosterLimit;
use crate::decision::{DecisionError, FilingError, Refusal};
use crate::evidence::EvidenceError;
use crate::people::Lie;

/// Why evidence shows no roster, or no binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RosterError {
    /// An entry is not in the ledger, or doesn't read.
    Evidence(EvidenceError),
    /// The entry of that seq is false.
    False(u64, RosterLie),
    /// There is no `roster.set` in it, or not the `target.set` that it is about.
    Empty,
}

/// Why an entry in such evidence is false.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RosterLie {
    /// About people, keys and signatures.
    People(Lie),
    /// The request breaks a rule of its filing.
    Filing(FilingError),
    /// A decision breaks a rule.
    Decision(DecisionError),
    /// The request can't be spent.
    Acting(Refusal),
    /// The roster breaks a limit.
    Limit(RosterLimit),
    /// A request with an id that was used before.
    RepeatedRequest,
    /// A request, roster or decision of another safe or purpose.
    OtherMatter,
    /// No such request was filed.
    UnknownRequest,
    /// The request was spent or ended before.
    Settled,
    /// An acceptance by a key that the request doesn't name, or that accepted before.
    Acceptance,
    /// The acting entry is not what the request asked for.
    NotAsAsked,
    /// An approval is listed that doesn't count, or that is none of this request's.
    ListedApproval,
    /// Fewer approvals are listed than needed.
    TooFewListed,
    /// An acceptance is listed that is none of this request's.
    ListedAcceptance,
    /// A newly named key has not accepted, or its acceptance is not listed.
    NotAccepted,
    /// A named key is not enrolled, not live, not that person's, or can hold no share.
    NamedKey,
    /// A named person is unknown, has another name, or is no approver.
    NamedPerson,
    /// The time is before that of an earlier entry.
    Time,
}

impl RosterError {
    /// The error's name in the test vectors.
    #[must_use]
    pub fn code(&self) -> String {
        match self {
            Self::Evidence(e) => e.code(),
            Self::Empty => "empty".into(),
            Self::False(_, lie) => lie.code(),
        }
    }
}

impl RosterLie {
    /// The lie's name in the test vectors.
    #[must_use]
    pub fn code(&self) -> String {
        match self {
            Self::People(lie) => lie.code(),
            Self::Filing(e) => format!("filing:{}", e.code()),
            Self::Decision(e) => format!("decision:{}", e.code()),
            Self::Acting(e) => format!("acting:{}", e.code()),
            Self::Limit(limit) => limit.code().into(),
            Self::RepeatedRequest => "repeated_request".into(),
            Self::OtherMatter => "other_matter".into(),
            Self::UnknownRequest => "unknown_request".into(),
            Self::Settled => "settled".into(),
            Self::Acceptance => "acceptance".into(),
            Self::NotAsAsked => "not_as_asked".into(),
            Self::ListedApproval => "listed_approval".into(),
            Self::TooFewListed => "too_few_listed".into(),
            Self::ListedAcceptance => "listed_acceptance".into(),
            Self::NotAccepted => "not_accepted".into(),
            Self::NamedKey => "named_key".into(),
            Self::NamedPerson => "named_person".into(),
            Self::Time => "time".into(),
        }
    }
}

impl fmt::Display for RosterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Evidence(e) => e.fmt(f),
            Self::Empty => write!(f, "the evidence does not have what it is about"),
            Self::False(seq, lie) => write!(f, "entry {seq} is false: {lie}"),
        }
    }
}

impl fmt::Display for RosterLie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::People(e) => return e.fmt(f),
            Self::Filing(e) => return e.fmt(f),
            Self::Decision(e) => return e.fmt(f),
            Self::Acting(e) => return e.fmt(f),
            Self::Limit(e) => return e.fmt(f),
            Self::RepeatedRequest => "the request's id was used before",
            Self::OtherMatter => "it is about another safe or purpose",
            Self::UnknownRequest => "no such request was filed",
            Self::Settled => "the request was spent or ended before",
            Self::Acceptance => "the key was not asked, or has accepted before",
            Self::NotAsAsked => "it is not what was asked for",
            Self::ListedApproval => "an approval is listed that does not count",
            Self::TooFewListed => "fewer approvals are listed than needed",
            Self::ListedAcceptance => "an acceptance is listed that is not this request's",
            Self::NotAccepted => "a newly named key has not accepted",
            Self::NamedKey => "a named key is not a live key of that person for shares",
            Self::NamedPerson => "a named person is not an approver of that name",
            Self::Time => "the time went back",
        })
    }
}

impl std::error::Error for RosterError {}

impl From<EvidenceError> for RosterError {
    fn from(e: EvidenceError) -> Self {
        Self::Evidence(e)
    }
}

impl From<Lie> for RosterLie {
    fn from(lie: Lie) -> Self {
        Self::People(lie)
    }
}
