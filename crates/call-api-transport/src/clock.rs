//! Time and chance, so that tests can set both.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// The future that a [`Clock`] returns.
pub type SleepFuture<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A clock in place of the system's: for tests that must not wait, and must know to the millisecond what was waited.
///
/// It rules the deadline, the attempt time-outs, the waits and the lifetime of tokens. The connect time-out and the
/// idle time of pooled connections are the HTTP library's, and run on the system's clock.
pub trait Clock: Send + Sync + 'static {
    /// A moment that never goes back.
    fn now(&self) -> Instant;

    /// The date, which only a `Retry-After` with a date is compared to.
    fn system_now(&self) -> SystemTime {
        SystemTime::now()
    }

    /// A wait before another attempt.
    fn sleep(&self, duration: Duration) -> SleepFuture<'_>;

    /// The limit of an attempt, which runs beside it and is dropped when the attempt ends. Like `sleep` unless said
    /// otherwise.
    fn limit(&self, duration: Duration) -> SleepFuture<'_> {
        self.sleep(duration)
    }
}

/// The clock in use. The system's is not behind the trait: it would cost an allocation for each timer.
#[derive(Clone, Default)]
pub(crate) enum Time {
    #[default]
    System,
    Set(Arc<dyn Clock>),
}

/// The time was over first.
#[derive(Debug)]
pub(crate) struct Elapsed;

impl Time {
    pub(crate) fn now(&self) -> Instant {
        match self {
            // tokio's, so that its paused clock rules here too.
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

    pub(crate) async fn limit<F: Future>(
        &self,
        duration: Duration,
        future: F,
    ) -> Result<F::Output, Elapsed> {
        match self {
            Self::System => tokio::time::timeout(duration, future)
                .await
                .map_err(|_| Elapsed),
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

    /// A limit that is not bound to the clock's borrow, for a body that outlives the call.
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

/// Where jitter comes from: a function that returns numbers from 0 up to 1.
#[derive(Clone)]
pub(crate) struct Jitter(pub(crate) Arc<dyn Fn() -> f64 + Send + Sync>);

impl Jitter {
    /// A part of `whole` by chance, from nothing to all of it, whatever a user's function returns.
    pub(crate) fn part_of(&self, whole: Duration) -> Duration {
        let fraction = (self.0)();
        if fraction.is_nan() {
            return Duration::ZERO;
        }
        whole.mul_f64(fraction.clamp(0.0, 1.0))
    }
}

impl Default for Jitter {
    fn default() -> Self {
        Self(Arc::new(fastrand::f64))
    }
}

impl fmt::Debug for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chance")
    }
}
