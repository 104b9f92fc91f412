//! A client-side rate limit, for services with a known limit.

use std::fmt;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::clock::Time;

/// A limit of attempts per second, evenly spread after a first burst of as many; shared by all clones.
pub(crate) struct Rate(RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Tick>>);

impl Rate {
    pub(crate) fn per_second(attempts: NonZeroU32, time: Time) -> Self {
        let ticks = Ticks {
            start: time.now(),
            time,
        };
        Self(RateLimiter::direct_with_clock(
            Quota::per_second(attempts),
            ticks,
        ))
    }

    /// Returns how long to wait before asking again; `None` lets the attempt pass and counts it.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let refused = self.0.check().err()?;
        Some(refused.wait_time_from(self.0.clock().now()))
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rate")
    }
}

/// The transport's clock, for governor.
#[derive(Clone, Debug)]
struct Ticks {
    start: Instant,
    time: Time,
}

/// The time since the limiter was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(Duration);

impl Clock for Ticks {
    type Instant = Tick;

    fn now(&self) -> Tick {
        Tick(self.time.now().saturating_duration_since(self.start))
    }
}

impl std::ops::Add<Nanos> for Tick {
    type Output = Self;

    fn add(self, other: Nanos) -> Self {
        Self(self.0 + Duration::from(other))
    }
}

impl Reference for Tick {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_sub(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.saturating_sub(duration.into()))
    }
}
