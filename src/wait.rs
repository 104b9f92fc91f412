//! Waiting until a call has ended, by polling it.

mod settled;

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use call_api_client::{
    Client, Drift, DriftKind, Error, ErrorKind, RequestFuture, RequestOptions, Response,
};
use futures_core::Stream;
use futures_util::{StreamExt as _, stream};
use uuid::Uuid;

use crate::Call;
use crate::change::{Change, InvalidTransition};
use crate::poll::{PollSchedule, respect_retry_after};

pub use settled::{LateProperty, Settled, WaitUntilSettled};

/// The last poll is this long before the deadline.
const LAST_POLL: Duration = Duration::from_secs(1);

/// A wait for the end of a call, begun by [`Client::wait_until_ended`](crate::Client::wait_until_ended). Await it for the
/// ended call, or read its [`updates`](Self::updates) for each change until then.
///
/// # Requests
/// `GET /v1/call/{id}`, at once and then at the intervals of its [`PollSchedule`], until the call has ended: about 250
/// requests in two hours, retries not counted. Each has the client's deadline and retries, or those of
/// [`options`](Self::options).
///
/// # Errors it tolerates
/// A poll that fails with a transient error ([`Error::is_retryable`]: no connection, a timeout, 429, 5xx, a broken body)
/// is followed by another, which honors `Retry-After`. Any other error ends the wait.
///
/// An invalid transition, such as `completed` to `dialing`, is [drift](call_api_client::Client::drifts): the newer
/// status counts, and in [`DriftMode::Strict`](crate::DriftMode::Strict) it is an error.
///
/// A status that this version does not know is not an end unless the call has an end time: see [`Call::is_ended`].
///
/// Dropping it at any point ends it and cancels its request.
///
/// # Example
/// ```
/// use std::time::Duration;
///
/// use call_api::CallStatus;
/// use call_api::{PollSchedule, RequestOptions};
/// use call_api_sandbox::Sandbox;
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let sandbox = call_api_sandbox::Sandbox::start().await?;
///     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
///     let mut call = Sandbox::example_call();
///     let id = call.id;
///     call.status = CallStatus::Completed;
///     sandbox.put(call);
///     let seconds = Duration::from_secs;
///     let call = client
///         .wait_until_ended(id)
///         .deadline(seconds(15 * 60))
///         .poll_schedule(PollSchedule::default().in_progress(seconds(10), seconds(60)))
///         // It was created a moment ago.
///         .grace(seconds(5))
///         .options(RequestOptions::new().deadline(seconds(10)))
///         .on_change(|change| println!("{}", change.call.status))
///         .on_failure(|error| eprintln!("polling again: {error}"))
///         .await?;
///     assert!(call.is_ended());
///     Ok(())
/// }
/// ```
#[must_use = "a wait does nothing until it is awaited or its updates are read"]
pub struct WaitUntilEnded(Watch);

type Callback<T> = Box<dyn FnMut(&T) + Send>;

/// The state of a wait.
struct Watch {
    client: Client,
    id: Uuid,
    options: RequestOptions,
    deadline: Duration,
    grace: Duration,
    poll_schedule: PollSchedule,
    on_change: Option<Callback<Change>>,
    on_failure: Option<Callback<Error>>,
    /// The time of the first poll.
    started: Option<Instant>,
    last: Option<Call>,
    /// True if `last` was seen by this wait.
    seen: bool,
    /// The polls since the status changed.
    polls: u32,
    /// The error of the last poll, if it failed.
    failed: Option<Error>,
    /// True if there is no time for another poll.
    is_last: bool,
}

impl WaitUntilEnded {
    pub(crate) fn new(client: &Client, id: Uuid) -> Self {
        Self(Watch {
            client: client.clone(),
            id,
            options: RequestOptions::new(),
            deadline: Duration::from_secs(2 * 60 * 60),
            grace: Duration::ZERO,
            poll_schedule: PollSchedule::default(),
            on_change: None,
            on_failure: None,
            started: None,
            last: None,
            seen: false,
            polls: 0,
            failed: None,
            is_last: false,
        })
    }

    /// Limits the wait: 2 h by default. The last poll is up to a second before.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.0.deadline = deadline;
        self
    }

    /// Sets the intervals at which the call is polled.
    pub fn poll_schedule(mut self, schedule: PollSchedule) -> Self {
        self.0.poll_schedule = schedule;
        self
    }

    /// Sets how long a 404 may mean that the call does not exist *yet*, for calls that were created just now. Zero by
    /// default. Once the call was seen, a 404 is an error.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.0.grace = grace;
        self
    }

    /// Sets options for each poll, such as its deadline, which never exceeds that of the wait.
    pub fn options(mut self, options: RequestOptions) -> Self {
        self.0.options = self.0.options.merge(options);
        self
    }

    /// Sets the last known state of the call, for instance [that of a wait that timed out](Error::last_seen): the first
    /// change is relative to it.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use call_api::{Call, ErrorKind};
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let sandbox = call_api_sandbox::Sandbox::start().await?;
    ///     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    ///     let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
    ///     let moments = Duration::from_millis(50);
    ///     // It has not ended in time: wait on.
    ///     let error = client.wait_until_ended(id).deadline(moments).await.unwrap_err();
    ///     assert_eq!(error.kind(), ErrorKind::Timeout);
    ///     let Some(call) = error.last_seen::<Call>() else { return Err(error.into()) };
    ///     let mut updates = client.wait_until_ended(id).last_seen(call.clone()).updates();
    ///     if let Some(change) = updates.next().await {
    ///         let change = change?;
    ///         assert!(!change.status_changed(), "still {}", change.call.status);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn last_seen(mut self, call: Call) -> Self {
        self.0.last = Some(call);
        self
    }

    /// Sets a callback for each change, the first state included. It runs inside the wait, so it should return quickly.
    pub fn on_change(mut self, callback: impl FnMut(&Change) + Send + 'static) -> Self {
        self.0.on_change = Some(Box::new(callback));
        self
    }

    /// Sets a callback for each failed poll that the wait tolerates.
    pub fn on_failure(mut self, callback: impl FnMut(&Error) + Send + 'static) -> Self {
        self.0.on_failure = Some(Box::new(callback));
        self
    }

    /// Returns the changes as a stream: the call's first state, then each that differs from the one before, up to the
    /// ended one. An error is the last item.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use call_api::{CallStatus, Client, PollSchedule};
    /// use call_api_sandbox::Sandbox;
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let sandbox = Sandbox::start().await?;
    ///     let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    ///     let mut updates = client
    ///         .wait_until_ended(Sandbox::EXAMPLE_ID)
    ///         .poll_schedule(PollSchedule::every(Duration::from_millis(5)))
    ///         .updates();
    ///     let mut seen = Vec::new();
    ///     while let Some(change) = updates.next().await {
    ///         let mut call = change?.call;
    ///         seen.push(call.status.to_string());
    ///         // Meanwhile, the service:
    ///         call.status = CallStatus::Completed;
    ///         sandbox.put(call);
    ///     }
    ///     assert_eq!(seen, ["dialing", "completed"]);
    ///     Ok(())
    /// }
    /// ```
    pub fn updates(self) -> Updates {
        let changes = stream::try_unfold(Some(self.0), |watch| async {
            let Some(mut watch) = watch else {
                return Ok(None);
            };
            let change = watch.change().await?;
            let more = (!change.call.is_ended()).then_some(watch);
            Ok(Some((change, more)))
        });
        Updates(changes.boxed())
    }
}

#[cfg(feature = "blocking")]
impl WaitUntilEnded {
    /// Blocks the thread until the call has ended: the blocking form of `.await`. Callbacks run on this thread.
    ///
    /// ```
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let runtime = tokio::runtime::Runtime::new()?;
    ///     let sandbox = runtime.block_on(call_api_sandbox::Sandbox::start())?;
    ///     let call = call_api::Call::sample();
    ///     let id = call.id;
    ///     sandbox.put(call);
    ///     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    ///     let call = client.wait_until_ended(id).wait()?;
    ///     assert!(call.is_ended());
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`Client::wait_until_ended`](crate::Client::wait_until_ended).
    pub fn wait(self) -> Result<Call, Error> {
        let client = self.0.client.clone();
        client.block_on(self)
    }
}

impl IntoFuture for WaitUntilEnded {
    type Output = Result<Call, Error>;
    type IntoFuture = RequestFuture<Call>;

    fn into_future(self) -> Self::IntoFuture {
        let Self(mut watch) = self;
        Box::pin(async move {
            loop {
                let change = watch.change().await?;
                if change.call.is_ended() {
                    return Ok(change.call);
                }
            }
        })
    }
}

impl fmt::Debug for WaitUntilEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitUntilEnded")
            .field("id", &self.0.id)
            .field("deadline", &self.0.deadline)
            .field("poll_schedule", &self.0.poll_schedule)
            .field("grace", &self.0.grace)
            .finish_non_exhaustive()
    }
}

impl Watch {
    /// Polls until the call has changed.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] if there is no time for another poll, and any error that is not transient.
    async fn change(&mut self) -> Result<Change, Error> {
        match self.change_in_time().await? {
            Some(change) => Ok(change),
            None => Err(self.timed_out("ended")),
        }
    }

    /// Polls until the call has changed; `None` if there is no time for another poll.
    async fn change_in_time(&mut self) -> Result<Option<Change>, Error> {
        loop {
            if self.started.is_some() {
                let Some(delay) = self.next_delay() else {
                    return Ok(None);
                };
                self.client.transport().sleep(delay).await;
            }
            let Some(response) = self.poll().await? else {
                continue;
            };
            let is_first = !std::mem::replace(&mut self.seen, true);
            let call = response.value;
            let before = self.last.replace(call.clone());
            let body = response.body;
            let change = Change { call, before, body };
            if change.status_changed() {
                self.polls = 0;
            }
            self.polls = self.polls.saturating_add(1);
            if !is_first && change.before.as_ref() == Some(&change.call) {
                continue;
            }
            if let Some(transition) = change.invalid_transition() {
                let reported = report(&self.client, &transition);
                reported.map_err(|error| self.with_last_seen(error))?;
            }
            if let Some(callback) = &mut self.on_change {
                callback(&change);
            }
            return Ok(Some(change));
        }
    }

    /// Returns the call as it is now, or `None` after a transient error.
    async fn poll(&mut self) -> Result<Option<Response<Call>>, Error> {
        let now = self.client.transport().now();
        let started = *self.started.get_or_insert(now);
        let transport = self.client.transport();
        let usual = transport.with_options(self.options.clone()).deadline();
        let options = self.options.clone().deadline(usual.min(self.left()));
        let request = self.client.get_call(self.id).options(options);
        match request.send().await {
            Ok(response) => {
                self.failed = None;
                Ok(Some(response))
            }
            Err(error) => {
                let is_new = error.kind() == ErrorKind::NotFound
                    && self.last.is_none()
                    && transport.now().saturating_duration_since(started) < self.grace;
                if !error.is_retryable() && !is_new {
                    return Err(self.with_last_seen(error));
                }
                self.polls = self.polls.saturating_add(1);
                if let Some(callback) = &mut self.on_failure {
                    callback(&error);
                }
                self.failed = Some(error);
                Ok(None)
            }
        }
    }

    /// The rest of the deadline.
    fn left(&self) -> Duration {
        let now = self.client.transport().now();
        let passed = self
            .started
            .map(|started| now.saturating_duration_since(started));
        self.deadline.saturating_sub(passed.unwrap_or_default())
    }

    /// Returns the delay before the next poll; `None` if there is no time for one.
    fn next_delay(&mut self) -> Option<Duration> {
        let transport = self.client.transport();
        let status = self.last.as_ref().map(|call| &call.status);
        let ours = self.poll_schedule.interval(status, self.polls, transport);
        let retry_after = self.failed.as_ref().and_then(Error::retry_after);
        let delay = respect_retry_after(ours, retry_after, transport);
        // The time of the last poll, however short the intervals are.
        let reserve = LAST_POLL.min(self.deadline / 2);
        let left = self.left();
        if !self.is_last && delay.saturating_add(reserve) < left {
            return Some(delay);
        }
        let last = left.saturating_sub(reserve);
        let is_retry_after_too_long = retry_after.is_some_and(|asked| asked > last);
        // With little time left, a poll would only time out.
        if self.is_last || is_retry_after_too_long || left < reserve / 2 || left.is_zero() {
            return None;
        }
        self.is_last = true;
        Some(last)
    }

    /// Limits the rest of the wait, unless it is shorter.
    fn limit(&mut self, left: Duration) {
        let passed = self.deadline.saturating_sub(self.left());
        self.deadline = self.deadline.min(passed.saturating_add(left));
    }

    fn with_last_seen(&mut self, error: Error) -> Error {
        match self.last.take() {
            Some(call) => error.with_last_seen(call),
            None => error,
        }
    }

    /// The error for a call that has not `ended`, or what else it should have done.
    fn timed_out(&mut self, ended: &str) -> Error {
        let mut message = format!(
            "call {} has not {ended} within {} s",
            self.id,
            self.deadline.as_secs_f64()
        );
        match &self.last {
            Some(call) => {
                let status = call.status.as_str().escape_debug();
                message.push_str(&format!("; its last status is {status}"));
            }
            None => message.push_str("; it was never seen"),
        }
        let mut error = Error::builder(ErrorKind::Timeout).advice("wait again, or longer");
        if let Some(failed) = self.failed.take() {
            message.push_str(&format!("; the last poll failed: {failed}"));
            error = error.source(failed);
        }
        self.with_last_seen(error.message(message).build())
    }
}

/// The changes of a call as a [`Stream`], made by [`WaitUntilEnded::updates`]. It can be dropped at any point, and sends
/// nothing while it is not read.
///
/// ```
/// use call_api::{Error, Updates};
/// use futures_util::TryStreamExt as _;
///
/// async fn statuses(updates: Updates) -> Result<Vec<String>, Error> {
///     updates.map_ok(|change| change.call.status.to_string()).try_collect().await
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let sandbox = call_api_sandbox::Sandbox::start().await?;
///     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
///     let call = call_api::Call::sample();
///     let id = call.id;
///     sandbox.put(call);
///     let mut updates = client.wait_until_ended(id).updates();
///     if let Some(change) = updates.next().await {
///         assert!(change?.call.is_ended());
///     }
///     assert!(updates.next().await.is_none());
///     assert_eq!(statuses(client.wait_until_ended(id).updates()).await?, ["completed"]);
///     Ok(())
/// }
/// ```
#[must_use = "a stream does nothing until it is read"]
pub struct Updates(Pin<Box<dyn Stream<Item = Result<Change, Error>> + Send>>);

impl Updates {
    /// Returns the next change; `None` after the ended call or an error. Dropping this future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Change, Error>> {
        self.0.next().await
    }
}

impl Stream for Updates {
    type Item = Result<Change, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

impl fmt::Debug for Updates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updates").finish_non_exhaustive()
    }
}

/// Reports an invalid transition as drift; to `tracing` even if drift detection is off.
fn report(client: &Client, transition: &InvalidTransition) -> Result<(), Error> {
    let kind = DriftKind::InvalidTransition {
        from: transition.from.to_string(),
        to: transition.to.to_string(),
    };
    if !client.report_drift(Drift::new("get_call", "status", kind))? {
        transition.log();
    }
    Ok(())
}
