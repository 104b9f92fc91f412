//! How time passes for calls that live.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use tokio::time::Instant;

/// How time passes for [scripted](crate::Script) calls: as on the wall, quicker, or only when told to.
///
/// [`Sandbox::advance`](crate::Sandbox::advance) moves each of them on at once. It starts at the time of day. In a test
/// with Tokio's clock paused, it stands still and runs on with that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Seconds that pass in one.
    pace: u32,
}

impl Clock {
    /// A second takes a second. This is the default.
    pub const fn wall() -> Self {
        Self::times(1)
    }

    /// A second holds so many: with 60, a call of a minute takes a second.
    pub const fn times(pace: u32) -> Self {
        Self { pace }
    }

    /// Time stands still, but for [`Sandbox::advance`](crate::Sandbox::advance).
    pub const fn stepped() -> Self {
        Self::times(0)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::wall()
    }
}

/// The time in a sandbox.
pub(crate) struct Time {
    pace: u32,
    /// A time of the sandbox, and when it was that.
    known: Mutex<(DateTime<Utc>, Instant)>,
}

impl Time {
    pub(crate) fn new(clock: Clock, start: DateTime<Utc>) -> Self {
        Self {
            pace: clock.pace,
            known: Mutex::new((start, Instant::now())),
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        let (time, at) = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        whole(later(time, at.elapsed().saturating_mul(self.pace)))
    }

    /// Moves on, and tells the time it is then.
    pub(crate) fn advance(&self, by: Duration) -> DateTime<Utc> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.0 = later(known.0, by);
        whole(later(known.0, known.1.elapsed().saturating_mul(self.pace)))
    }
}

/// In microseconds, as services have it and files keep it.
fn whole(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(6)
}

/// The time of day.
pub(crate) fn time_of_day() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// A time so much later, or the last there is.
pub(crate) fn later(time: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(by)
        .ok()
        .and_then(|by| time.checked_add_signed(by))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_passes_at_its_pace_and_when_told_to() {
        let start = DateTime::UNIX_EPOCH;
        let since = |time: &Time| (time.now() - start).num_milliseconds();
        let clocks = [Clock::wall(), Clock::times(60), Clock::stepped()];
        let times = clocks.map(|clock| Time::new(clock, start));

        tokio::time::advance(Duration::from_millis(1500)).await;
        assert_eq!(times.each_ref().map(since), [1_500, 90_000, 0]);
        for time in &times {
            let told = time.advance(Duration::from_secs(2));
            assert_eq!(told, time.now());
        }
        assert_eq!(times.each_ref().map(since), [3_500, 92_000, 2_000]);
    }

    #[test]
    fn there_is_a_last_time() {
        let time = Time::new(Clock::stepped(), DateTime::UNIX_EPOCH);
        let last = whole(DateTime::<Utc>::MAX_UTC);
        assert_eq!(time.advance(Duration::MAX), last);
        assert_eq!(time.advance(Duration::from_secs(1)), last);
    }
}
