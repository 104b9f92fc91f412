//! Time and jitter, so that tests can control both.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// The future that a [`Clock`] returns.
pub type SleepFuture<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A clock that replaces the system's, for tests that must not wait, and that check delays to the millisecond.
///
/// It controls the deadline, the attempt timeouts, the delays and the lifetime of tokens. The connect timeout and the
/// idle time of pooled connections belong to the HTTP library, and run on the system's clock.
pub trait Clock: Send + Sync + 'static {
    /// Returns a time that never goes back.
    fn now(&self) -> Instant;

    /// Returns the date, which a `Retry-After` with a date is compared to.
    fn system_now(&self) -> SystemTime {
        SystemTime::now()
    }

    /// Waits before another attempt.
    fn sleep(&self, duration: Duration) -> SleepFuture<'_>;

    /// Waits for the limit of an attempt, beside which it runs and with which it is dropped. Defaults to `sleep`.
    fn limit(&self, duration: Duration) -> SleepFuture<'_> {
        self.sleep(duration)
    }
}

impl<T: Clock + ?Sized> Clock for Arc<T> {
    fn now(&self) -> Instant {
        (**self).now()
    }

    fn system_now(&self) -> SystemTime {
        (**self).system_now()
    }

    fn sleep(&self, duration: Duration) -> SleepFuture<'_> {
        (**self).sleep(duration)
    }

    fn limit(&self, duration: Duration) -> SleepFuture<'_> {
        (**self).limit(duration)
    }
}

impl<T: Clock + ?Sized> Clock for Box<T> {
    fn now(&self) -> Instant {
        (**self).now()
    }

    fn system_now(&self) -> SystemTime {
        (**self).system_now()
    }

    fn sleep(&self, duration: Duration) -> SleepFuture<'_> {
        (**self).sleep(duration)
    }

    fn limit(&self, duration: Duration) -> SleepFuture<'_> {
        (**self).limit(duration)
    }
}

/// The clock in use. The system's is not behind the trait, which would cost an allocation for each timer.
#[derive(Clone, Default)]
pub(crate) enum Time {
    #[default]
    System,
    Set(Arc<dyn Clock>),
}

/// The error of a limit that passed first.
#[derive(Debug)]
pub(crate) struct Elapsed;

impl Time {
    /// Returns true if timers can run: those of tokio need a runtime.
    pub(crate) fn is_available(&self) -> bool {
        match self {
            Self::System => tokio::runtime::Handle::try_current().is_ok(),
            Self::Set(_) => true,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        match self {
            // tokio's, so that its paused clock applies here, too.
            Self::System => tokio::time::Instant::now().into_std(),
            Self::Set(clock) => clock.now(),
        }
    }

    pub(crate) fn system_now(&self) -> SystemTime {
        match self {
            Self::System => SystemTime::now(),
            Self::Set(clock) => clock.system_now(),
        }
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        match self {
            Self::System => tokio::time::sleep(duration).await,
            Self::Set(clock) => clock.sleep(duration).await,
        }
    }

    /// Limits a future to `duration` from `now`, the current time, which the caller has often read already. A clock that was
    /// set counts from this call.
    pub(crate) async fn limit<F: Future>(
        &self,
        now: Instant,
        duration: Duration,
        future: F,
    ) -> Result<F::Output, Elapsed> {
        match self {
            Self::System => {
                let limited = match tokio::time::Instant::from_std(now).checked_add(duration) {
                    Some(deadline) => tokio::time::timeout_at(deadline, future),
                    // Later than any time: tokio waits for about 30 years.
                    None => tokio::time::timeout(duration, future),
                };
                limited.await.map_err(|_| Elapsed)
            }
            Self::Set(clock) => {
                let mut over = clock.limit(duration);
                let mut future = std::pin::pin!(future);
                std::future::poll_fn(|context| {
                    if let std::task::Poll::Ready(output) = future.as_mut().poll(context) {
                        return std::task::Poll::Ready(Ok(output));
                    }
                    over.as_mut().poll(context).map(|()| Err(Elapsed))
                })
                .await
            }
        }
    }

    /// Waits for a limit without borrowing the clock, for a body that outlives the request.
    pub(crate) fn limit_owned(&self, duration: Duration) -> SleepFuture<'static> {
        match self {
            Self::System => Box::pin(tokio::time::sleep(duration)),
            Self::Set(clock) => {
                let clock = Arc::clone(clock);
                Box::pin(async move { clock.limit(duration).await })
            }
        }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "System",
            Self::Set(_) => "Set",
        })
    }
}

/// A source of jitter: a function that returns numbers from 0 up to 1.
#[derive(Clone)]
pub(crate) struct Jitter(pub(crate) Arc<dyn Fn() -> f64 + Send + Sync>);

impl Jitter {
    /// Returns a random part of `whole`, between zero and `whole` even if a user's function returns another factor.
    pub(crate) fn part_of(&self, whole: Duration) -> Duration {
        let fraction = (self.0)();
        if fraction.is_nan() {
            return Duration::ZERO;
        }
        // `mul_f64` panics where the product is rounded up beyond the longest duration.
        let part = whole.as_secs_f64() * fraction.clamp(0.0, 1.0);
        Duration::try_from_secs_f64(part).map_or(whole, |part| part.min(whole))
    }
}

impl Default for Jitter {
    fn default() -> Self {
        Self(Arc::new(fastrand::f64))
    }
}

impl fmt::Debug for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jitter")
    }
}
