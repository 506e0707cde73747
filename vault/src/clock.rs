//! The clock, handed to whoever decides. Times are microseconds since 1970 UTC.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in a day: the longest step that the ledger takes without `clock.accepted` (FORMATS.md 2).
pub const DAY: i64 = 86_400 * SECOND;

/// The system's clock, or a clock that a test moves. What it says as `now` never goes back below the ledger's time: a wall clock
/// that is set back prolongs no opening and no session.
#[derive(Clone, Default)]
pub struct Clock {
    offset: Arc<AtomicI64>,
    floor: Arc<OnceLock<(i64, Instant)>>,
}

impl Clock {
    /// Takes the ledger's last time as what has passed already; from here on time goes on at least as a stopwatch does.
    pub(crate) fn not_before(&self, time: i64) {
        let _ = self.floor.set((time, Instant::now()));
    }

    /// Now, in microseconds since 1970 UTC.
    pub fn now(&self) -> i64 {
        let passed = self.floor.get().map(|(time, since)| {
            let passed = i64::try_from(since.elapsed().as_micros()).unwrap_or(i64::MAX);
            time.saturating_add(passed)
        });
        self.wall().max(passed.unwrap_or(i64::MIN))
    }

    /// What the machine's clock says, whatever the ledger has seen.
    pub fn wall(&self) -> i64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p7_a_clock_that_is_set_back_gives_nobody_more_time() {
        let clock = Clock::default();
        let before = clock.now();
        clock.not_before(before);
        clock.step(-2 * DAY);
        assert!(clock.wall() < before - DAY);
        let after = clock.now();
        assert!(after >= before);
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!(clock.now() > after, "it stands still");
    }
}
