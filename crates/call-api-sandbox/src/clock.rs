//! The clock of scripted calls.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Datelike as _, SubsecRound as _, TimeDelta, Utc};
use tokio::time::Instant;

/// The speed of time for [scripted](crate::Script) calls: real time, scaled, or manual.
///
/// The clock starts at the system time. [`Sandbox::advance`](crate::Sandbox::advance) moves any clock forward, and
/// [`Sandbox::set_time`](crate::Sandbox::set_time) sets it. It stays within the years 1 to 9999, which RFC 3339 can express,
/// and stops at the end. In a test with Tokio's time paused, the clock follows Tokio's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Sandbox seconds per real second.
    speed: u32,
}

impl Clock {
    /// Real time. This is the default.
    pub const fn wall() -> Self {
        Self::scaled(1)
    }

    /// Time that runs faster by this factor: with 60, a call of a minute takes a second.
    pub const fn scaled(speed: u32) -> Self {
        Self { speed }
    }

    /// Time that only moves with [`Sandbox::advance`](crate::Sandbox::advance) and
    /// [`Sandbox::set_time`](crate::Sandbox::set_time).
    pub const fn manual() -> Self {
        Self::scaled(0)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::wall()
    }
}

/// The current time of a sandbox.
pub(crate) struct Time {
    speed: u32,
    /// A time of the sandbox and the moment at which it held.
    anchor: Mutex<(DateTime<Utc>, Instant)>,
}

impl Time {
    pub(crate) fn new(clock: Clock, start: DateTime<Utc>) -> Self {
        Self {
            speed: clock.speed,
            anchor: Mutex::new((start, Instant::now())),
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        let (time, at) = *self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        truncate_to_micros(saturating_add(
            time,
            at.elapsed().saturating_mul(self.speed),
        ))
    }

    pub(crate) fn is_manual(&self) -> bool {
        self.speed == 0
    }

    /// Returns the real time until the clock reaches a time; `None` if it only moves when it is set.
    #[cfg(feature = "webhooks")]
    pub(crate) fn until(&self, time: DateTime<Utc>) -> Option<Duration> {
        let left = (time - self.now()).to_std().unwrap_or_default();
        left.checked_div(self.speed)
    }

    /// Sets the clock.
    pub(crate) fn set(&self, time: DateTime<Utc>) {
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        *anchor = (time, Instant::now());
    }

    /// Moves the clock forward and returns the new time.
    pub(crate) fn advance(&self, by: Duration) -> DateTime<Utc> {
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        anchor.0 = saturating_add(anchor.0, by);
        truncate_to_micros(saturating_add(
            anchor.0,
            anchor.1.elapsed().saturating_mul(self.speed),
        ))
    }
}

/// Truncates to microseconds, the precision of the service and of the database.
fn truncate_to_micros(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(6)
}

/// The system time.
pub(crate) fn system_time() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// The end of the clock: the last microsecond of the year 9999.
const END: DateTime<Utc> = match DateTime::from_timestamp_micros(253_402_300_799_999_999) {
    Some(end) => end,
    None => DateTime::<Utc>::MAX_UTC,
};

/// A time that the clock cannot be set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the time is out of range: use one from the year 1 to 9999")]
pub struct InvalidTime;

/// Validates a time for the clock.
pub(crate) fn check_time(time: DateTime<Utc>) -> Result<DateTime<Utc>, InvalidTime> {
    match (1..=9999).contains(&time.year()) {
        true => Ok(truncate_to_micros(time)),
        false => Err(InvalidTime),
    }
}

/// Adds a duration, saturating at the end of the clock.
pub(crate) fn saturating_add(time: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(by)
        .ok()
        .and_then(|by| time.checked_add_signed(by))
        .map_or(END, |time| time.min(END))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn clock_follows_its_speed_and_advances() {
        let start = DateTime::UNIX_EPOCH;
        let since = |time: &Time| (time.now() - start).num_milliseconds();
        let clocks = [Clock::wall(), Clock::scaled(60), Clock::manual()];
        let times = clocks.map(|clock| Time::new(clock, start));

        tokio::time::advance(Duration::from_millis(1500)).await;
        assert_eq!(times.each_ref().map(since), [1_500, 90_000, 0]);
        for time in &times {
            let now = time.advance(Duration::from_secs(2));
            assert_eq!(now, time.now());
        }
        assert_eq!(times.each_ref().map(since), [3_500, 92_000, 2_000]);
    }

    #[test]
    fn advance_saturates_at_the_end_of_the_year_9999() {
        let time = Time::new(Clock::manual(), DateTime::UNIX_EPOCH);
        assert_eq!(END.to_rfc3339(), "9999-12-31T23:59:59.999999+00:00");
        assert_eq!(time.advance(Duration::MAX), END);
        assert_eq!(time.advance(Duration::from_secs(1)), END);
        time.set(DateTime::UNIX_EPOCH);
        assert_eq!(time.now(), DateTime::UNIX_EPOCH);
    }
}
