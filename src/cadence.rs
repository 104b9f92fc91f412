//! How often a wait looks at a call.

use std::time::Duration;

use crate::CallStatus;
use crate::raw::transport::Transport;

/// How many times as long each wait is as the one before, while nothing changes.
const GROWTH: f64 = 1.5;

/// A cadence of nothing would be a flood.
const SHORTEST: Duration = Duration::from_millis(1);

/// What is longer is meant as never.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long [`wait_until_ended`](crate::Client::wait_until_ended) waits between two looks at a call: by the call's
/// status, longer each time by half as long as the status stays the same, and shorter by chance, so that many programs
/// that began at once don't ask at once.
///
/// | status | first wait | longest wait |
/// |---|---|---|
/// | `dialing`, or not seen yet | 1 s | 5 s |
/// | any other | 5 s | 30 s |
///
/// Each is the most that is waited; by chance it is up to a fifth shorter. A `Retry-After` that is longer is kept.
///
/// ```
/// use std::time::Duration;
///
/// use call_api::Cadence;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = call_api_sandbox::Sandbox::start().await?;
/// # let call = call_api::Call::sample();
/// # let id = call.id;
/// # sandbox.put(call);
/// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
/// let seconds = Duration::from_secs;
/// let patient = Cadence::default().dialing(seconds(5), seconds(5)).in_progress(seconds(20), seconds(120));
/// let steady = Cadence::every(seconds(2)).jitter(0.1);
/// assert_ne!(patient, steady);
/// let call = client.wait_until_ended(id).cadence(patient).await?;
/// # assert!(call.is_ended());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a cadence does nothing until it is given to a wait"]
pub struct Cadence {
    dialing: Pace,
    in_progress: Pace,
    jitter: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Pace {
    first: Duration,
    longest: Duration,
}

impl Default for Cadence {
    fn default() -> Self {
        let pace = |first, longest| Pace {
            first: Duration::from_secs(first),
            longest: Duration::from_secs(longest),
        };
        Self {
            dialing: pace(1, 5),
            in_progress: pace(5, 30),
            jitter: 0.2,
        }
    }
}

/// The longest that is added by chance to a wait that the service asked for.
const JITTER: Duration = Duration::from_millis(250);

/// The wait before another look: ours, or what the service asked for where that is longer.
pub(crate) fn no_sooner(
    ours: Duration,
    asked: Option<Duration>,
    transport: &Transport,
) -> Duration {
    match asked {
        Some(asked) if asked > ours => {
            // Those who were told the same should not all come back at once.
            asked.saturating_add(transport.jitter(JITTER.min(asked / 4)))
        }
        _ => ours,
    }
}

impl Cadence {
    /// The same wait whatever the status, and none shorter by chance. Below a millisecond it is one, and above a
    /// day a day.
    pub fn every(wait: Duration) -> Self {
        Self::default()
            .dialing(wait, wait)
            .in_progress(wait, wait)
            .jitter(0.0)
    }

    /// The first and the longest wait while the call is being dialed, or wasn't seen yet.
    pub fn dialing(mut self, first: Duration, longest: Duration) -> Self {
        self.dialing = Pace { first, longest };
        self
    }

    /// The first and the longest wait in any other status.
    pub fn in_progress(mut self, first: Duration, longest: Duration) -> Self {
        self.in_progress = Pace { first, longest };
        self
    }

    /// The part of each wait that is left to chance: 0.2 where none is set, from 0 for none of it to 1 for all of it.
    pub fn jitter(mut self, part: f64) -> Self {
        self.jitter = if part.is_nan() {
            0.0
        } else {
            part.clamp(0.0, 1.0)
        };
        self
    }

    /// The wait after so many looks that found the same status.
    pub(crate) fn wait(
        &self,
        status: Option<&CallStatus>,
        looks: u32,
        transport: &Transport,
    ) -> Duration {
        let pace = match status {
            None | Some(CallStatus::Dialing) => self.dialing,
            Some(_) => self.in_progress,
        };
        let grown = pace.first.max(SHORTEST).as_secs_f64()
            * GROWTH.powi(i32::try_from(looks.saturating_sub(1)).unwrap_or(i32::MAX));
        let wait = Duration::try_from_secs_f64(grown)
            .unwrap_or(Duration::MAX)
            .min(pace.longest)
            .clamp(SHORTEST, LONGEST);
        let by_chance = wait.mul_f64(self.jitter);
        wait - by_chance + transport.jitter(by_chance)
    }
}
