//! A throttle that requests share: a 429 pauses all of them and lowers their rate, successes raise it again.
//!
//! The rate follows CUBIC (RFC 9438), as that of the AWS SDKs' adaptive retry mode does.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest pause after one refusal. A longer `Retry-After` is usually a mistake, and waiting for the throttle has no
/// other limit.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// Requests are counted in intervals of this length; of the refusals in one, only the first lowers the rate.
const INTERVAL: Duration = Duration::from_millis(500);

/// Fewer requests in an interval say nothing about a rate.
const FEWEST: u32 = 10;

/// The part of the rate that is left after a refusal.
const BETA: f64 = 0.7;

/// The growth of the rate, in requests per second and cubed seconds.
const GROWTH: f64 = 0.4;

const LOWEST_RATE: f64 = 0.5;

/// Shared by the clones of a transport; see [`Transport::throttled`](crate::Transport::throttled).
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    paused_until: Option<Instant>,
    /// `None` until a refusal, and while requests are few.
    rate: Option<Rate>,
    interval: Option<Interval>,
    /// Requests per second, smoothed.
    measured: f64,
}

#[derive(Debug)]
struct Rate {
    per_second: f64,
    /// The rate at the last refusal.
    before: f64,
    lowered: Instant,
    /// When the next request may start.
    next: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Interval {
    begun: Instant,
    requests: u32,
}

impl Throttle {
    /// Pauses all requests for `pause`, or for longer if they are paused already, and lowers their rate.
    pub(crate) fn refused(&self, now: Instant, pause: Duration) {
        let mut state = self.lock();
        let until = now.checked_add(pause.min(LONGEST_PAUSE));
        state.paused_until = until.max(state.paused_until);
        state.lower_rate(now);
    }

    pub(crate) fn succeeded(&self, now: Instant) {
        if let Some(rate) = &mut self.lock().rate {
            let passed = now.saturating_duration_since(rate.lowered).as_secs_f64();
            let plateau = (rate.before * (1.0 - BETA) / GROWTH).cbrt();
            let grown = GROWTH * (passed - plateau).powi(3) + rate.before;
            rate.per_second = grown.max(rate.per_second);
        }
    }

    /// Returns the rest of a pause, if there is one.
    pub(crate) fn paused_for(&self, now: Instant) -> Option<Duration> {
        self.lock().paused_for(now)
    }

    /// Returns how long the next turn is away, which others may take in the meantime.
    pub(crate) fn next_turn(&self, now: Instant) -> Duration {
        self.lock().next_turn(now)
    }

    /// Takes the next turn, and returns how long to wait for it; `None` if that is not less than `limit`. Then the turn is
    /// left to another request.
    pub(crate) fn take_turn(&self, now: Instant, limit: Duration) -> Option<Duration> {
        let mut state = self.lock();
        let wait = state.next_turn(now);
        if wait >= limit {
            return None;
        }
        let turn = now.checked_add(wait)?;
        if let Some(rate) = &mut state.rate {
            rate.next = turn + Duration::from_secs_f64(1.0 / rate.per_second);
        }
        state.count(turn);
        Some(wait)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn paused_for(&self, now: Instant) -> Option<Duration> {
        let left = self.paused_until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    fn next_turn(&self, now: Instant) -> Duration {
        let pause = self.paused_for(now).unwrap_or_default();
        let turn = (self.rate.as_ref()).map(|rate| rate.next.saturating_duration_since(now));
        pause.max(turn.unwrap_or_default())
    }

    fn count(&mut self, at: Instant) {
        let interval = self.interval.get_or_insert(Interval {
            begun: at,
            requests: 0,
        });
        let passed = at.saturating_duration_since(interval.begun);
        if passed >= INTERVAL {
            let current = f64::from(interval.requests) / passed.as_secs_f64();
            self.measured = if self.measured == 0.0 {
                current
            } else {
                0.8 * current + 0.2 * self.measured
            };
            *interval = Interval {
                begun: at,
                requests: 0,
            };
        }
        interval.requests += 1;
    }

    /// Returns true if enough requests were counted for a rate.
    fn has_many(&self) -> bool {
        let requests = self.interval.map_or(0, |interval| interval.requests);
        requests >= FEWEST || self.measured * INTERVAL.as_secs_f64() >= f64::from(FEWEST)
    }

    fn lower_rate(&mut self, now: Instant) {
        let current = self.interval.map_or(0.0, |interval| {
            let passed = now.saturating_duration_since(interval.begun);
            f64::from(interval.requests) / passed.max(INTERVAL / 5).as_secs_f64()
        });
        let sent = self.measured.max(current);
        let has_many = self.has_many();
        match &mut self.rate {
            Some(rate) if now.saturating_duration_since(rate.lowered) < INTERVAL => {}
            Some(rate) => {
                rate.before = rate.per_second.min(sent.max(LOWEST_RATE));
                rate.per_second = (rate.before * BETA).max(LOWEST_RATE);
                rate.lowered = now;
            }
            None if !has_many => {}
            None => {
                self.rate = Some(Rate {
                    per_second: (sent * BETA).max(LOWEST_RATE),
                    before: sent,
                    lowered: now,
                    next: now,
                });
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn pause_ends_with_the_longest_refusal_and_after_an_hour() {
        let throttle = Throttle::default();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(throttle.paused_for(start), None);
        throttle.refused(start, Duration::from_secs(10));
        throttle.refused(after(1), Duration::from_secs(2));
        assert_eq!(throttle.paused_for(after(1)), Some(Duration::from_secs(9)));
        assert_eq!(throttle.paused_for(after(10)), None);
        throttle.refused(after(10), Duration::MAX);
        assert_eq!(
            throttle.paused_for(after(10)),
            Some(Duration::from_secs(3600))
        );
    }

    #[test]
    fn turn_beyond_the_limit_is_left_to_others() {
        let throttle = Throttle::default();
        let start = Instant::now();
        let limit = Duration::from_secs(2);
        for _ in 0..FEWEST {
            assert_eq!(throttle.take_turn(start, limit), Some(Duration::ZERO));
        }
        throttle.refused(start, Duration::from_secs(1));
        assert_eq!(throttle.next_turn(start), Duration::from_secs(1));
        assert_eq!(throttle.take_turn(start, Duration::from_secs(1)), None);
        let taken = std::iter::from_fn(|| throttle.take_turn(start, limit)).take(10_000);
        assert!((1..1_000).contains(&taken.count()));
        let next = throttle.next_turn(start);
        assert!(next >= limit);
        for _ in 0..100 {
            assert_eq!(throttle.take_turn(start, limit), None);
        }
        assert_eq!(throttle.next_turn(start), next);
        assert_eq!(
            throttle.take_turn(start + next, limit),
            Some(Duration::ZERO)
        );
    }

    /// A service that allows 200 requests a second and refuses the rest.
    #[test]
    fn rate_settles_below_the_allowed_one() {
        let throttle = Throttle::default();
        let start = Instant::now();
        let mut now = start;
        let (mut allowance, mut served, mut refused) = (200.0_f64, 0, 0);
        let end = start + Duration::from_secs(30);
        while now < end {
            // Eight senders at a time would start another request at once.
            let wait = throttle.take_turn(now, Duration::MAX).unwrap();
            let wait = wait.max(Duration::from_micros(500));
            allowance = (allowance + wait.as_secs_f64() * 200.0).min(20.0);
            now += wait;
            if allowance >= 1.0 {
                allowance -= 1.0;
                served += 1;
                throttle.succeeded(now);
            } else {
                refused += 1;
                throttle.refused(now, Duration::ZERO);
            }
        }
        assert!(
            served > 30 * 200 * 9 / 10,
            "{served} served, {refused} refused"
        );
        assert!(refused < served / 20, "{served} served, {refused} refused");
    }
}
