//! The intervals at which a call is polled.

use std::time::{Duration, SystemTime};

use call_api_transport::Transport;

use crate::{Call, CallStatus};

/// The factor by which each interval exceeds the one before, while nothing changes.
const GROWTH: f64 = 1.5;

/// A zero interval would busy-poll.
const SHORTEST: Duration = Duration::from_millis(1);

/// Longer intervals are clamped.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The intervals at which [`wait_until_ended`](crate::Client::wait_until_ended) polls a call: they depend on the call's
/// status, grow by half while the status stays the same, and are jittered, so that many programs that started at once do
/// not poll at once.
///
/// | status | first interval | longest interval |
/// |---|---|---|
/// | `dialing`, or not known yet | 1 s | 5 s |
/// | any other | 5 s | 30 s |
///
/// Jitter shortens each by up to a fifth. A longer `Retry-After` is honored.
///
/// ```
/// use std::time::Duration;
///
/// use call_api::PollSchedule;
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let sandbox = call_api_sandbox::Sandbox::start().await?;
///     let call = call_api::Call::sample();
///     let id = call.id;
///     sandbox.put(call);
///     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
///     let seconds = Duration::from_secs;
///     let slow = PollSchedule::default().dialing(seconds(5), seconds(5)).in_progress(seconds(20), seconds(120));
///     let steady = PollSchedule::every(seconds(2)).jitter(0.1);
///     assert_ne!(slow, steady);
///     let call = client.wait_until_ended(id).poll_schedule(slow).await?;
///     assert!(call.is_ended());
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a schedule does nothing until it is given to a wait"]
pub struct PollSchedule {
    dialing: PollInterval,
    in_progress: PollInterval,
    jitter: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct PollInterval {
    first: Duration,
    longest: Duration,
}

impl Default for PollSchedule {
    fn default() -> Self {
        let interval = |first, longest| PollInterval {
            first: Duration::from_secs(first),
            longest: Duration::from_secs(longest),
        };
        Self {
            dialing: interval(1, 5),
            in_progress: interval(5, 30),
            jitter: 0.2,
        }
    }
}

/// The most jitter that is added to a delay that the service asked for.
const JITTER: Duration = Duration::from_millis(250);

/// Returns the delay before the next poll: ours, or the service's if that is longer.
pub(crate) fn respect_retry_after(
    ours: Duration,
    retry_after: Option<Duration>,
    transport: &Transport,
) -> Duration {
    match retry_after {
        // Clients that were given the same delay should not all come back at once.
        Some(asked) if asked > ours => {
            asked.saturating_add(transport.jitter(JITTER.min(asked / 4)))
        }
        _ => ours,
    }
}

/// Returns what is left of a time that begins with the end of the call, or now if that is not known.
pub(crate) fn left_after_end(call: &Call, time: Duration, now: SystemTime) -> Duration {
    let since = call
        .ended_at()
        .and_then(|ended| now.duration_since(ended.into()).ok());
    time.saturating_sub(since.unwrap_or_default())
}

impl PollSchedule {
    /// Returns a schedule with the same interval for every status, without jitter. Clamped to between a millisecond and a
    /// day.
    pub fn every(interval: Duration) -> Self {
        Self::default()
            .dialing(interval, interval)
            .in_progress(interval, interval)
            .jitter(0.0)
    }

    /// Sets the first and the longest interval while the call is being dialed, or its status is not known yet.
    pub fn dialing(mut self, first: Duration, longest: Duration) -> Self {
        self.dialing = PollInterval { first, longest };
        self
    }

    /// Sets the first and the longest interval in any other status.
    pub fn in_progress(mut self, first: Duration, longest: Duration) -> Self {
        self.in_progress = PollInterval { first, longest };
        self
    }

    /// Sets the part of each interval that is random, from 0 to 1: 0.2 by default.
    pub fn jitter(mut self, part: f64) -> Self {
        self.jitter = if part.is_nan() {
            0.0
        } else {
            part.clamp(0.0, 1.0)
        };
        self
    }

    /// Returns the interval after so many polls that found the same status.
    pub(crate) fn interval(
        &self,
        status: Option<&CallStatus>,
        polls: u32,
        transport: &Transport,
    ) -> Duration {
        let interval = match status {
            None | Some(CallStatus::Dialing) => self.dialing,
            Some(_) => self.in_progress,
        };
        let grown = interval.first.max(SHORTEST).as_secs_f64()
            * GROWTH.powi(i32::try_from(polls.saturating_sub(1)).unwrap_or(i32::MAX));
        let delay = Duration::try_from_secs_f64(grown)
            .unwrap_or(Duration::MAX)
            .min(interval.longest)
            .clamp(SHORTEST, LONGEST);
        let random = delay.mul_f64(self.jitter);
        delay - random + transport.jitter(random)
    }
}
