//! A gate before each attempt that one throttled call closes for all.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest that it stays closed without being asked to anew: an hour. A longer `Retry-After` is a mistake more often
/// than not, and whoever waits for a gate has no other limit.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Shared by the clones of a transport; see [`Transport::throttled`](crate::Transport::throttled).
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    opens: Mutex<Option<Instant>>,
}

impl Throttle {
    /// Closes it for that long, or leaves it closed for longer.
    pub(crate) fn close(&self, now: Instant, pause: Duration) {
        let until = now.checked_add(pause.min(LONGEST));
        let mut opens = self.opens.lock().unwrap_or_else(PoisonError::into_inner);
        *opens = until.max(*opens);
    }

    /// How long it is still closed; `None` where it is open.
    pub(crate) fn remaining(&self, now: Instant) -> Option<Duration> {
        let opens = *self.opens.lock().unwrap_or_else(PoisonError::into_inner);
        let left = opens?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn it_opens_when_the_longest_pause_is_over_and_never_later_than_in_an_hour() {
        let throttle = Throttle::default();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(throttle.remaining(start), None);
        throttle.close(start, Duration::from_secs(10));
        throttle.close(after(1), Duration::from_secs(2));
        assert_eq!(throttle.remaining(after(1)), Some(Duration::from_secs(9)));
        assert_eq!(throttle.remaining(after(10)), None);
        throttle.close(after(10), Duration::MAX);
        assert_eq!(
            throttle.remaining(after(10)),
            Some(Duration::from_secs(3600))
        );
    }
}
