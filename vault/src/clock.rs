//! The clock, handed to whoever decides. Times are microseconds since 1970 UTC.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in a day: the longest step that the ledger takes without `clock.accepted` (FORMATS.md 2).
pub const DAY: i64 = 86_400 * SECOND;

/// The system's clock, or a clock that a test moves.
#[derive(Clone, Default)]
pub struct Clock {
    offset: Arc<AtomicI64>,
}

impl Clock {
    /// Now, in microseconds since 1970 UTC.
    pub fn now(&self) -> i64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_micros())
            .unwrap_or(i64::MAX)
            .saturating_add(self.offset.load(Ordering::Relaxed))
    }

    /// Steps the clock by `us`, for tests of expiry and of a stepped machine clock.
    pub fn step(&self, us: i64) {
        self.offset.fetch_add(us, Ordering::Relaxed);
    }
}
