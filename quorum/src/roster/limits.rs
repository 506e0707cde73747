//! Thresholds as types, and the limits of a roster to be.

use std::collections::BTreeSet;
use std::fmt;

use super::VerifiedRoster;
use crate::statement::NewRoster;

/// The most approvers that a roster can have: x is one byte, and a hundred people are a crowd.
pub const MAX_APPROVERS: usize = 100;

/// How many approvals a roster asks for, 1 to 100; 1 only on a drill roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold(u8);

impl Threshold {
    /// m of n: 2 <= m <= n <= 100, or m = 1 on a drill roster.
    ///
    /// # Errors
    /// Any other m and n.
    pub fn new(m: u64, n: usize, drill: bool) -> Result<Self, RosterLimit> {
        let least = if drill { 1 } else { 2 };
        if n > MAX_APPROVERS {
            return Err(RosterLimit::TooMany);
        }
        match u8::try_from(m) {
            Ok(small) if m >= least && usize::from(small) <= n => Ok(Self(small)),
            _ => Err(RosterLimit::Threshold),
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A limit that a roster to be breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RosterLimit {
    /// More than 100 approvers.
    TooMany,
    /// Not 2 <= m <= n, nor m = 1 on a drill roster.
    Threshold,
    /// A person twice.
    RepeatedApprover,
    /// An approver without a key.
    NoKey,
    /// A key twice.
    RepeatedKey,
    /// Not one more than the epoch before, or not 1 for a new safe.
    Epoch,
    /// A drill roster became a real one, or the reverse.
    Drill,
}

impl RosterLimit {
    /// The limit's name in the test vectors.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooMany => "new:too_many",
            Self::Threshold => "new:threshold",
            Self::RepeatedApprover => "new:repeated_approver",
            Self::NoKey => "new:no_key",
            Self::RepeatedKey => "new:repeated_key",
            Self::Epoch => "new:epoch",
            Self::Drill => "new:drill",
        }
    }
}

impl fmt::Display for RosterLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => "a roster has at most 100 approvers",
            Self::Threshold => "m must be at least 2 (1 on a drill roster) and at most n",
            Self::RepeatedApprover => "a person is named twice",
            Self::NoKey => "an approver is named without a key",
            Self::RepeatedKey => "a key is named twice",
            Self::Epoch => "the epoch does not follow the one before",
            Self::Drill => "a safe stays a drill, or real, for ever",
        })
    }
}

impl std::error::Error for RosterLimit {}

/// Checks a roster to be by itself and against the one that it replaces; `None` for a new safe. Whether its
/// keys and names are people's, [`VerifiedRoster::verify`] says.
///
/// # Errors
/// The limit that it breaks.
pub fn check_new(
    new: &NewRoster,
    before: Option<&VerifiedRoster>,
) -> Result<Threshold, RosterLimit> {
    let m = Threshold::new(new.m, new.approvers.len(), new.drill)?;
    let mut people = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for approver in &new.approvers {
        if !people.insert(approver.user) {
            return Err(RosterLimit::RepeatedApprover);
        }
        if approver.authenticators.is_empty() {
            return Err(RosterLimit::NoKey);
        }
        if !approver.authenticators.iter().all(|key| keys.insert(*key)) {
            return Err(RosterLimit::RepeatedKey);
        }
    }
    let epoch_before = before.map_or(0, VerifiedRoster::epoch);
    if epoch_before.checked_add(1) != Some(new.epoch) {
        return Err(RosterLimit::Epoch);
    }
    if before.is_some_and(|before| before.drill() != new.drill) {
        return Err(RosterLimit::Drill);
    }
    Ok(m)
}
