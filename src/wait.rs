//! Waiting until a call has ended: looking at it again and again.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use call_api_transport::RequestOptions;
use futures_core::Stream;
use futures_util::{StreamExt as _, stream};
use uuid::Uuid;

use crate::Call;
use crate::cadence::{Cadence, no_sooner};
use crate::change::Change;
use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::request::Sending;

/// The last look comes this long before the deadline.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// A wait for the end of one call, made by [`Client::wait_until_ended`]. Awaiting it gives the ended call;
/// [`updates`](Self::updates) gives each change on the way.
///
/// # What it sends
/// The operation `get_call` (`GET /v1/call/{id}`), at once and then after each wait of its [`Cadence`], so long as the
/// call has not ended: in two hours about 250 times, retries not counted. Each is a call of its own, with the client's
/// deadline and retries or those of [`options`](Self::options).
///
/// # What it survives
/// A look that fails with what may pass ([`Error::is_retryable`]: no connection, a time-out, 429, 5xx, a body that broke
/// off) is followed by another, no sooner than a `Retry-After` asks. Any other error ends the wait.
///
/// A step that can't be, such as `completed` → `dialing`, is [drift](crate::Client::drifts), and the newest answer wins;
/// with [`DriftMode::Strict`](crate::DriftMode::Strict) it is an error.
///
/// A status that this version doesn't know is not an end unless the call has an end time: see [`Call::is_ended`].
///
/// It may be dropped at any point: that ends it, and leaves nothing behind.
///
/// # Example
/// ```
/// use std::time::Duration;
///
/// use call_api::{Cadence, RequestOptions};
/// # use call_api::CallStatus;
/// # use call_api_sandbox::Sandbox;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = call_api_sandbox::Sandbox::start().await?;
/// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
/// # let mut call = Sandbox::example_call();
/// # let id = call.id;
/// # call.status = CallStatus::Completed;
/// # sandbox.put(call);
/// let seconds = Duration::from_secs;
/// let call = client
///     .wait_until_ended(id)
///     .deadline(seconds(15 * 60))
///     .cadence(Cadence::default().in_progress(seconds(10), seconds(60)))
///     // It was created a moment ago.
///     .grace(seconds(5))
///     .options(RequestOptions::new().deadline(seconds(10)))
///     .on_change(|change| println!("{}", change.call.status))
///     .on_failure(|error| eprintln!("asking again: {error}"))
///     .await?;
/// assert!(call.is_ended());
/// # Ok(())
/// # }
/// ```
#[must_use = "a wait does nothing until it is awaited or its updates are read"]
pub struct WaitUntilEnded(Watch);

type Told<T> = Box<dyn FnMut(&T) + Send>;

/// What a wait knows.
struct Watch {
    client: Client,
    id: Uuid,
    options: RequestOptions,
    deadline: Duration,
    grace: Duration,
    cadence: Cadence,
    on_change: Option<Told<Change>>,
    on_failure: Option<Told<Error>>,
    /// When the first look was made.
    started: Option<Instant>,
    last: Option<Call>,
    /// Whether `last` was seen by this wait.
    seen: bool,
    /// The looks since the status changed.
    looks: u32,
    /// Why the last look found nothing, if so.
    failed: Option<Error>,
    /// Whether there is no time for another look.
    over: bool,
}

impl WaitUntilEnded {
    pub(crate) fn new(client: &Client, id: Uuid) -> Self {
        Self(Watch {
            client: client.clone(),
            id,
            options: RequestOptions::new(),
            deadline: Duration::from_secs(2 * 60 * 60),
            grace: Duration::ZERO,
            cadence: Cadence::default(),
            on_change: None,
            on_failure: None,
            started: None,
            last: None,
            seen: false,
            looks: 0,
            failed: None,
            over: false,
        })
    }

    /// How long to wait at most: 2 h where none is set. The last look at the call is made up to a second before.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.0.deadline = deadline;
        self
    }

    /// How often to look at the call.
    pub fn cadence(mut self, cadence: Cadence) -> Self {
        self.0.cadence = cadence;
        self
    }

    /// How long a 404 may mean that the call isn't there *yet*: for calls that were created just now. None where none is
    /// set. Once the call was seen, a 404 is an error.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.0.grace = grace;
        self
    }

    /// The settings of each single look, such as its deadline; that of the wait comes first where it is nearer.
    pub fn options(mut self, options: RequestOptions) -> Self {
        self.0.options = options;
        self
    }

    /// The call as it was seen before this wait, for instance [by one that ran out of time](Error::last_call): what the
    /// first change is told against.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use call_api::ErrorKind;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = call_api_sandbox::Sandbox::start().await?;
    /// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    /// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
    /// # let moments = Duration::from_millis(50);
    /// // It didn't end in time, and so one waits on.
    /// let error = client.wait_until_ended(id).deadline(moments).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Timeout);
    /// let Some(call) = error.last_call() else { return Err(error.into()) };
    /// let mut updates = client.wait_until_ended(id).last_seen(call.clone()).updates();
    /// if let Some(change) = updates.next().await {
    ///     let change = change?;
    ///     assert!(!change.is_of_status(), "still {}", change.call.status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn last_seen(mut self, call: Call) -> Self {
        self.0.last = Some(call);
        self
    }

    /// Told of each change, the first state included. It runs inside the wait, so it should not take long.
    pub fn on_change(mut self, told: impl FnMut(&Change) + Send + 'static) -> Self {
        self.0.on_change = Some(Box::new(told));
        self
    }

    /// Told of each look that failed and that the wait survives.
    pub fn on_failure(mut self, told: impl FnMut(&Error) + Send + 'static) -> Self {
        self.0.on_failure = Some(Box::new(told));
        self
    }

    /// The changes as a stream: the call's first state, then each that differs from the one before, up to the ended one.
    /// An error is its last item.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use call_api::{Cadence, CallStatus, Client};
    /// use call_api_sandbox::Sandbox;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sandbox = Sandbox::start().await?;
    /// let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    /// let mut updates = client
    ///     .wait_until_ended(Sandbox::EXAMPLE_ID)
    ///     .cadence(Cadence::every(Duration::from_millis(5)))
    ///     .updates();
    /// let mut seen = Vec::new();
    /// while let Some(change) = updates.next().await {
    ///     let mut call = change?.call;
    ///     seen.push(call.status.to_string());
    ///     // What the service does meanwhile.
    ///     call.status = CallStatus::Completed;
    ///     sandbox.put(call);
    /// }
    /// assert_eq!(seen, ["dialing", "completed"]);
    /// # Ok(())
    /// # }
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

impl IntoFuture for WaitUntilEnded {
    type Output = Result<Call, Error>;
    type IntoFuture = Sending<'static, Call>;

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
            .field("cadence", &self.0.cadence)
            .field("grace", &self.0.grace)
            .finish_non_exhaustive()
    }
}

impl Watch {
    /// Looks until something is new.
    async fn change(&mut self) -> Result<Change, Error> {
        loop {
            if self.started.is_some() {
                let wait = self.next_wait()?;
                self.client.raw().transport().sleep(wait).await;
            }
            let Some(call) = self.look().await? else {
                continue;
            };
            let is_first = !std::mem::replace(&mut self.seen, true);
            let before = self.last.replace(call.clone());
            let change = Change::new(call, before);
            if change.is_of_status() {
                self.looks = 0;
            }
            self.looks = self.looks.saturating_add(1);
            if !is_first && change.before.as_ref() == Some(&change.call) {
                continue;
            }
            if let Some(step) = change.impossible_step() {
                let reported = self.client.impossible_step(&step);
                reported.map_err(|error| error.with_last_call(self.last.take()))?;
            }
            if let Some(told) = &mut self.on_change {
                told(&change);
            }
            return Ok(change);
        }
    }

    /// The call as it is now; `None` where that can't be told, but perhaps later.
    async fn look(&mut self) -> Result<Option<Call>, Error> {
        let now = self.client.raw().transport().now();
        let started = *self.started.get_or_insert(now);
        let transport = self.client.raw().transport();
        let usual = transport.with_options(self.options.clone()).deadline();
        let options = self.options.clone().deadline(usual.min(self.left()));
        match self.client.get_call(self.id).options(options).await {
            Ok(call) => {
                self.failed = None;
                Ok(Some(call))
            }
            Err(error) => {
                let is_new = error.kind() == ErrorKind::NotFound
                    && self.last.is_none()
                    && transport.now().saturating_duration_since(started) < self.grace;
                if !error.is_retryable() && !is_new {
                    return Err(error.with_last_call(self.last.take()));
                }
                self.looks = self.looks.saturating_add(1);
                if let Some(told) = &mut self.on_failure {
                    told(&error);
                }
                self.failed = Some(error);
                Ok(None)
            }
        }
    }

    /// What is left of the deadline.
    fn left(&self) -> Duration {
        let now = self.client.raw().transport().now();
        let passed = self
            .started
            .map(|started| now.saturating_duration_since(started));
        self.deadline.saturating_sub(passed.unwrap_or_default())
    }

    /// The wait before the next look, or that there is no time for one.
    fn next_wait(&mut self) -> Result<Duration, Error> {
        let transport = self.client.raw().transport();
        let status = self.last.as_ref().map(|call| &call.status);
        let ours = self.cadence.wait(status, self.looks, transport);
        let retry_after = self.failed.as_ref().and_then(Error::retry_after);
        let wait = no_sooner(ours, retry_after, transport);
        // What the last look has for itself, however dense the cadence is.
        let reserve = LAST_LOOK.min(self.deadline / 2);
        let left = self.left();
        if !self.over && wait.saturating_add(reserve) < left {
            return Ok(wait);
        }
        let last = left.saturating_sub(reserve);
        let is_asked_too_long = retry_after.is_some_and(|asked| asked > last);
        // With little left, a look would tell no more than that it had no time.
        if self.over || is_asked_too_long || left < reserve / 2 || left.is_zero() {
            let (last, failed) = (self.last.take(), self.failed.take());
            return Err(Error::waited(self.id, self.deadline, last, failed));
        }
        self.over = true;
        Ok(last)
    }
}

/// The changes of a call as a [`Stream`], made by [`WaitUntilEnded::updates`]. It may be dropped at any point, and asks for
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
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = call_api_sandbox::Sandbox::start().await?;
/// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
/// # let call = call_api::Call::sample();
/// # let id = call.id;
/// # sandbox.put(call);
/// let mut updates = client.wait_until_ended(id).updates();
/// if let Some(change) = updates.next().await {
///     assert!(change?.call.is_ended());
/// }
/// assert!(updates.next().await.is_none());
/// assert_eq!(statuses(client.wait_until_ended(id).updates()).await?, ["completed"]);
/// # Ok(())
/// # }
/// ```
#[must_use = "a stream does nothing until it is read"]
pub struct Updates(Pin<Box<dyn Stream<Item = Result<Change, Error>> + Send>>);

impl Updates {
    /// The next change; `None` after the ended call or an error. Dropping this future loses nothing.
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
