//! What a request must keep to when it is filed.

use std::fmt;

use super::after;
use crate::hash::Hash;
use crate::roster::{RosterLimit, VerifiedRoster, check_new};
use crate::statement::{Purpose, Request};

/// The longest life of a request that is neither for release nor access: 14 days, in seconds.
pub const RESTING_LIFE_S: u64 = 14 * 24 * 3600;

/// Why a request may not be filed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilingError {
    /// It is about another safe than the roster it names.
    Safe,
    /// It names another roster than it has to.
    Roster,
    /// Its epoch is not the named roster's.
    Epoch,
    /// It expires too late, or has expired.
    Expires,
    /// `open_within_s` is longer than the roster allows.
    OpenWithin,
    /// `duration_s` is longer than the roster allows.
    Duration,
    /// The roster that it proposes breaks a limit.
    New(RosterLimit),
    /// Only a `roster` request founds a safe.
    Purpose,
}

impl FilingError {
    /// The error's name in the test vectors.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Roster => "roster",
            Self::Epoch => "epoch",
            Self::Expires => "expires",
            Self::OpenWithin => "open_within",
            Self::Duration => "duration",
            Self::New(limit) => limit.code(),
            Self::Purpose => "purpose",
        }
    }
}

impl fmt::Display for FilingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Safe => write!(f, "the request is about another safe"),
            Self::Roster => write!(f, "the request names another roster"),
            Self::Epoch => write!(f, "the request's epoch is not its roster's"),
            Self::Expires => write!(f, "the request expires too late, or has expired"),
            Self::OpenWithin => write!(f, "the time to open is longer than the roster allows"),
            Self::Duration => write!(f, "the duration is longer than the roster allows"),
            Self::New(limit) => limit.fmt(f),
            Self::Purpose => write!(f, "a safe is founded by a roster request"),
        }
    }
}

impl std::error::Error for FilingError {}

/// Checks a request against the roster that it names and the one in force, at its filing. Whether the
/// versions that it names were sealed under `named`, whether its signer may ask, and whether its id and name are
/// right, is for those to say who know.
///
/// # Errors
/// The rule that it breaks.
pub fn check_filing(
    req: &Request,
    named: &VerifiedRoster,
    in_force: &VerifiedRoster,
    time: i64,
) -> Result<(), FilingError> {
    if req.safe != named.safe() || req.safe != in_force.safe() {
        return Err(FilingError::Safe);
    }
    let may_be_older = matches!(req.purpose, Purpose::Release(_) | Purpose::Reseal(_));
    if req.roster != named.leaf()
        || named.epoch() > in_force.epoch()
        || (named.leaf() != in_force.leaf() && !may_be_older)
    {
        return Err(FilingError::Roster);
    }
    let life_s = match &req.purpose {
        Purpose::Release(_) | Purpose::Access(_) => named.request_life_s(),
        _ => RESTING_LIFE_S,
    };
    check_expires(req, time, life_s)?;
    match &req.purpose {
        Purpose::Release(release) => {
            check_epoch(release.epoch, named)?;
            if release.open_within_s > named.request_life_s() {
                return Err(FilingError::OpenWithin);
            }
            check_duration(release.duration_s, named)
        }
        Purpose::Access(access) => {
            check_epoch(access.epoch, named)?;
            check_duration(access.duration_s, named)
        }
        Purpose::Roster(roster) => check_new(&roster.new, Some(in_force))
            .map(|_| ())
            .map_err(FilingError::New),
        Purpose::Role(_)
        | Purpose::Target(_)
        | Purpose::Reseal(_)
        | Purpose::Destroy(_)
        | Purpose::Restore(_) => Ok(()),
    }
}

/// Checks the request that founds a safe, at its filing.
///
/// # Errors
/// The rule that it breaks.
pub fn check_founding(req: &Request, time: i64) -> Result<(), FilingError> {
    let Purpose::Roster(roster) = &req.purpose else {
        return Err(FilingError::Purpose);
    };
    if req.roster != Hash::ZERO {
        return Err(FilingError::Roster);
    }
    check_expires(req, time, RESTING_LIFE_S)?;
    check_new(&roster.new, None)
        .map(|_| ())
        .map_err(FilingError::New)
}

fn check_expires(req: &Request, time: i64, life_s: u64) -> Result<(), FilingError> {
    if req.expires <= time || req.expires > after(time, life_s) {
        return Err(FilingError::Expires);
    }
    Ok(())
}

const fn check_epoch(epoch: u64, named: &VerifiedRoster) -> Result<(), FilingError> {
    if epoch == named.epoch() {
        Ok(())
    } else {
        Err(FilingError::Epoch)
    }
}

const fn check_duration(duration_s: u64, named: &VerifiedRoster) -> Result<(), FilingError> {
    if duration_s <= named.grant_life_s() {
        Ok(())
    } else {
        Err(FilingError::Duration)
    }
}
