//! Waiting until nothing that comes after the end of a call is missing.

use std::fmt;
use std::future::IntoFuture;
use std::time::Duration;

use call_api_client::{Error, RequestFuture, RequestOptions};

use super::WaitUntilEnded;
use crate::change::Change;
use crate::poll::{PollSchedule, left_after_end};
use crate::recording::url_of;
use crate::{Call, CallStatus};

/// A property that services send with the end of a call or some time after it.
///
/// ```
/// use call_api::{CallStatus, LateProperty};
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let sandbox = call_api_sandbox::Sandbox::start().await?;
///     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
///     let mut call = call_api::Call::sample();
///     call.recording_url = None;
///     let id = call.id;
///     sandbox.put(call);
///     let mut call = client.get_call(id).await?;
///     let recording = LateProperty::RecordingUrl;
///     assert!(LateProperty::ALL.iter().all(|property| property.is_present(&call) || *property == recording));
///     assert!(recording.is_expected(&call));
///     assert_eq!(LateProperty::missing_in(&call), [recording]);
///     // A call that nobody answered has none.
///     call.status = CallStatus::NoAnswer;
///     assert!(!recording.is_expected(&call));
///     println!("its name in the document is {}", recording.name());
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LateProperty {
    /// [`Call::end_time`].
    EndTime,
    /// [`Call::end_reason`].
    EndReason,
    /// [`Call::duration`].
    Duration,
    /// [`Call::recording_url`].
    RecordingUrl,
}

impl LateProperty {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::EndTime,
        Self::EndReason,
        Self::Duration,
        Self::RecordingUrl,
    ];

    /// Returns true if the call has a value for it. An empty string counts as absent.
    pub fn is_present(self, call: &Call) -> bool {
        match self {
            Self::EndTime => call.end_time.is_some(),
            Self::EndReason => call
                .end_reason
                .as_deref()
                .is_some_and(|text| !text.is_empty()),
            Self::Duration => call.duration.is_some(),
            Self::RecordingUrl => url_of(call).is_some(),
        }
    }

    /// Returns true if an ended call should have it: `end_time` and `end_reason` always, `duration` and `recording_url` if
    /// there was a conversation. By the status, `completed` and `transferred` calls had one, and `no_answer` calls had none;
    /// any other had one if it has a start time.
    pub fn is_expected(self, call: &Call) -> bool {
        match self {
            Self::EndTime | Self::EndReason => true,
            Self::Duration | Self::RecordingUrl => match call.status {
                CallStatus::Completed | CallStatus::Transferred => true,
                CallStatus::NoAnswer => false,
                _ => call.start_time.is_some(),
            },
        }
    }

    /// Returns those that the call lacks though an ended call should [have](Self::is_expected) them.
    pub fn missing_in(call: &Call) -> Vec<Self> {
        let mut missing = Self::ALL.to_vec();
        missing.retain(|property| property.is_expected(call) && !property.is_present(call));
        missing
    }

    /// Returns the name of the property in JSON.
    pub fn name(self) -> &'static str {
        Call::name_in_json(match self {
            Self::EndTime => "end_time",
            Self::EndReason => "end_reason",
            Self::Duration => "duration",
            Self::RecordingUrl => "recording_url",
        })
    }
}

impl fmt::Display for LateProperty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An ended call, and what it still lacked when the settle time was over.
///
/// ```
/// use call_api::{LateProperty, Settled};
///
/// fn report(settled: &Settled) -> String {
///     match settled.is_complete() {
///         true => "complete".to_owned(),
///         false => settled.missing.iter().map(|property| property.name()).collect::<Vec<_>>().join(", "),
///     }
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let sandbox = call_api_sandbox::Sandbox::start().await?;
///     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
///     let call = call_api::Call::sample();
///     let id = call.id;
///     sandbox.put(call);
///     assert_eq!(report(&client.wait_until_settled(id).await?), "complete");
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "something may be missing"]
#[non_exhaustive]
pub struct Settled {
    /// The call as it was last.
    pub call: Call,
    /// The expected properties that it lacks; empty if it is complete.
    pub missing: Vec<LateProperty>,
}

impl Settled {
    /// Returns true if nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }
}

/// A wait for a call that has ended and lacks nothing that services send later, begun by
/// [`Client::wait_until_settled`](crate::Client::wait_until_settled). Await it for the outcome.
///
/// It polls as [`WaitUntilEnded`] until the call has ended, and continues until no [expected](LateProperty::is_expected)
/// property is missing or the [settle time](Self::settle_time) is over. [`require`](Self::require) replaces what is expected.
///
/// # Example
/// ```
/// use std::time::Duration;
///
/// use call_api::{LateProperty, PollSchedule, RequestOptions};
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let sandbox = call_api_sandbox::Sandbox::start().await?;
///     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
///     let mut call = call_api::Call::sample();
///     call.end_reason = None;
///     let id = call.id;
///     sandbox.put(call.clone());
///     let seconds = Duration::from_secs;
///     let settled = client
///         .wait_until_settled(id)
///         .deadline(seconds(15 * 60))
///         .settle_time(seconds(60))
///         // This service makes no recordings.
///         .require([LateProperty::EndTime, LateProperty::Duration])
///         .poll_schedule(PollSchedule::every(seconds(2)))
///         .grace(seconds(5))
///         .options(RequestOptions::new().deadline(seconds(10)))
///         .last_seen(call)
///         .on_change(|change| println!("{}", change.call.status))
///         .on_failure(|error| eprintln!("polling again: {error}"))
///         .await?;
///     assert!(settled.is_complete());
///     Ok(())
/// }
/// ```
#[must_use = "a wait does nothing until it is awaited"]
pub struct WaitUntilSettled {
    wait: WaitUntilEnded,
    settle_time: Duration,
    required: Option<Vec<LateProperty>>,
}

impl WaitUntilSettled {
    pub(crate) fn new(wait: WaitUntilEnded) -> Self {
        Self {
            wait,
            settle_time: Duration::from_secs(300),
            required: None,
        }
    }

    /// Sets how long after the end of the call something may still be missing: 5 minutes by default. The time begins with
    /// [`Call::ended_at`], so a call that ended long ago is not waited for; if that is not known, it begins with the first
    /// poll that finds the call ended.
    pub fn settle_time(mut self, time: Duration) -> Self {
        self.settle_time = time;
        self
    }

    /// Sets the properties that an ended call must have, whatever its status.
    pub fn require(mut self, properties: impl IntoIterator<Item = LateProperty>) -> Self {
        self.required = Some(properties.into_iter().collect());
        self
    }

    /// Limits the whole wait, the settle time included: 2 h by default.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.wait = self.wait.deadline(deadline);
        self
    }

    /// Sets the intervals, as [`WaitUntilEnded::poll_schedule`].
    pub fn poll_schedule(mut self, schedule: PollSchedule) -> Self {
        self.wait = self.wait.poll_schedule(schedule);
        self
    }

    /// Sets how long a 404 is tolerated, as [`WaitUntilEnded::grace`].
    pub fn grace(mut self, grace: Duration) -> Self {
        self.wait = self.wait.grace(grace);
        self
    }

    /// Sets options for each poll, as [`WaitUntilEnded::options`].
    pub fn options(mut self, options: RequestOptions) -> Self {
        self.wait = self.wait.options(options);
        self
    }

    /// Sets the last known state of the call, as [`WaitUntilEnded::last_seen`].
    pub fn last_seen(mut self, call: Call) -> Self {
        self.wait = self.wait.last_seen(call);
        self
    }

    /// Sets a callback for each change, as [`WaitUntilEnded::on_change`].
    pub fn on_change(mut self, callback: impl FnMut(&Change) + Send + 'static) -> Self {
        self.wait = self.wait.on_change(callback);
        self
    }

    /// Sets a callback for each failed poll, as [`WaitUntilEnded::on_failure`].
    pub fn on_failure(mut self, callback: impl FnMut(&Error) + Send + 'static) -> Self {
        self.wait = self.wait.on_failure(callback);
        self
    }

    fn missing(&self, call: &Call) -> Vec<LateProperty> {
        let Some(required) = &self.required else {
            return LateProperty::missing_in(call);
        };
        let mut missing = LateProperty::ALL.to_vec();
        missing.retain(|property| required.contains(property) && !property.is_present(call));
        missing
    }

    async fn settle(mut self) -> Result<Settled, Error> {
        let mut is_limited = false;
        let mut incomplete = None;
        while let Some(Change { call, .. }) = self.wait.0.change_in_time().await? {
            if !call.is_ended() {
                incomplete = None;
                continue;
            }
            let missing = self.missing(&call);
            if missing.is_empty() {
                return Ok(Settled { call, missing });
            }
            let watch = &mut self.wait.0;
            if !std::mem::replace(&mut is_limited, true) {
                let now = watch.client.transport().system_now();
                watch.limit(left_after_end(&call, self.settle_time, now));
            }
            incomplete = Some(Settled { call, missing });
        }
        let watch = &mut self.wait.0;
        match incomplete {
            // The last poll failed, so the state may be old.
            Some(_) if watch.failed.is_some() => Err(watch.timed_out("settled")),
            Some(settled) => Ok(settled),
            None => Err(watch.timed_out("ended")),
        }
    }
}

#[cfg(feature = "blocking")]
impl WaitUntilSettled {
    /// Blocks the thread until the call is settled: the blocking form of `.await`. Callbacks run on this thread.
    ///
    /// ```
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let runtime = tokio::runtime::Runtime::new()?;
    ///     let sandbox = runtime.block_on(call_api_sandbox::Sandbox::start())?;
    ///     let call = call_api::Call::sample();
    ///     let id = call.id;
    ///     sandbox.put(call);
    ///     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    ///     let settled = client.wait_until_settled(id).wait()?;
    ///     assert!(settled.call.recording_url.is_some());
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`Client::wait_until_settled`](crate::Client::wait_until_settled).
    pub fn wait(self) -> Result<Settled, Error> {
        let client = self.wait.0.client.clone();
        client.block_on(self)
    }
}

impl IntoFuture for WaitUntilSettled {
    type Output = Result<Settled, Error>;
    type IntoFuture = RequestFuture<Settled>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.settle())
    }
}

impl fmt::Debug for WaitUntilSettled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitUntilSettled")
            .field("wait", &self.wait)
            .field("settle_time", &self.settle_time)
            .field("required", &self.required)
            .finish()
    }
}
