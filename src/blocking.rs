//! The client without `async`: the same requests, whose results are waited for where they are asked for.
//!
//! ```
//! use call_api::{CallStatus, ErrorKind, Uuid};
//! # let runtime = tokio::runtime::Runtime::new()?;
//! # let sandbox = runtime.block_on(call_api_sandbox::Sandbox::start())?;
//! # let (url, token) = (sandbox.base_url(), sandbox.token());
//! # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
//!
//! let client = call_api::Client::builder().base_url(url).token(token).build_blocking()?;
//! let call = client.get_call(id).wait()?;
//! assert_eq!(call.status, CallStatus::Dialing);
//!
//! for (id, result) in client.get_calls([id, Uuid::nil()]) {
//!     match result {
//!         Ok(call) => println!("{id}: {}", call.status),
//!         Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where it may be used
//! In a plain `main`, from threads, and inside a Tokio runtime, where it holds up the thread that it is called on: what
//! else that thread should do meanwhile waits too. Nothing of it panics there.
//!
//! # How it works
//! A request runs on the thread that waits for it. Behind a client and its clones is one more thread, which tends to
//! connections and timers; it ends with the last of them.

use std::borrow::Borrow;
use std::fmt;
use std::future::IntoFuture;
use std::io;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use call_api_transport::RequestOptions;
use futures_core::Stream;
use tokio::io::AsyncWrite;
use uuid::Uuid;

use crate::{
    Cadence, Call, Change, ClientBuilder, Drift, Error, FetchRecording, GetCall, GetCalls,
    Progress, Recording, Updates, WaitUntilEnded, WithMeta,
};

/// A client of the call API for code without `async`. Cheap to clone; clones share a thread and all that clones of
/// [`Client`](crate::Client) share.
///
/// Each of its requests is one of [`Client`](crate::Client)'s, with the same methods, and is sent by
/// [`wait`](Blocking::wait) or by being iterated over.
#[derive(Clone, Debug)]
pub struct Client {
    inner: crate::Client,
    runtime: Arc<Runtime>,
}

impl Client {
    /// A client from the environment, as [`Client::from_env`](crate::Client::from_env).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// # let sandbox = runtime.block_on(call_api_sandbox::Sandbox::start())?;
    /// # // Nobody reads the environment meanwhile: this is the one thread.
    /// # unsafe { std::env::set_var("CALL_API_BASE_URL", sandbox.base_url()) };
    /// # unsafe { std::env::set_var("CALL_API_TOKEN", sandbox.token()) };
    /// let client = call_api::blocking::Client::from_env()?;
    /// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
    /// # // The sandbox runs while its one thread does.
    /// # let call = std::thread::spawn(move || client.get_call(id).wait());
    /// # runtime.block_on(async { while !call.is_finished() { tokio::task::yield_now().await } });
    /// # assert_eq!(call.join().unwrap()?.id, id);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::from_env`](crate::Client::from_env), and where the system has no thread to give.
    pub fn from_env() -> Result<Self, Error> {
        Self::new(crate::Client::from_env()?)
    }

    /// Begins a client with other settings, as [`Client::builder`](crate::Client::builder); it is ended by
    /// [`build_blocking`](ClientBuilder::build_blocking).
    ///
    /// ```
    /// use call_api::blocking::Client;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = tokio::runtime::Runtime::new()?;
    /// # let sandbox = runtime.block_on(call_api_sandbox::Sandbox::start())?;
    /// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
    /// let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build_blocking()?;
    /// assert_eq!(client.get_call(id).wait()?.id, id);
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> ClientBuilder {
        crate::Client::builder()
    }

    /// A client that does without `async` what the given one does.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = tokio::runtime::Runtime::new()?;
    /// # let sandbox = runtime.block_on(call_api_sandbox::Sandbox::start())?;
    /// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
    /// let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    /// let client = call_api::blocking::Client::new(client)?;
    /// assert_eq!(client.get_call(id).wait()?.id, id);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) where the system has no thread to give.
    pub fn new(client: crate::Client) -> Result<Self, Error> {
        Ok(Self {
            inner: client,
            runtime: Arc::new(Runtime::start()?),
        })
    }

    /// Fetches a call, as [`Client::get_call`](crate::Client::get_call).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = tokio::runtime::Runtime::new()?;
    /// # let sandbox = runtime.block_on(call_api_sandbox::Sandbox::start())?;
    /// # let mut call = call_api_sandbox::Sandbox::example_call();
    /// # let id = call.id;
    /// # call.status = call_api::CallStatus::Completed;
    /// # sandbox.put(call);
    /// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build_blocking()?;
    /// let call = client.get_call(id).wait()?;
    /// let response = client.get_call(id).deadline(Duration::from_secs(2)).with_meta().wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_call(&self, id: Uuid) -> Blocking<GetCall<'_>> {
        self.blocking(self.inner.get_call(id))
    }

    /// Waits until a call has ended, as [`Client::wait_until_ended`](crate::Client::wait_until_ended).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = tokio::runtime::Runtime::new()?;
    /// # let sandbox = runtime.block_on(call_api_sandbox::Sandbox::start())?;
    /// # let mut call = call_api_sandbox::Sandbox::example_call();
    /// # let id = call.id;
    /// # call.status = call_api::CallStatus::Completed;
    /// # sandbox.put(call);
    /// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build_blocking()?;
    /// let call = client.wait_until_ended(id).wait()?;
    /// for change in client.wait_until_ended(id).updates() {
    ///     println!("{}", change?.call.status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_until_ended(&self, id: Uuid) -> Blocking<WaitUntilEnded> {
        self.blocking(self.inner.wait_until_ended(id))
    }

    /// Fetches many calls, as [`Client::get_calls`](crate::Client::get_calls): an iterator of each id with its result.
    /// Requests move on while it is asked for the next.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = tokio::runtime::Runtime::new()?;
    /// # let sandbox = runtime.block_on(call_api_sandbox::Sandbox::start())?;
    /// # let mut call = call_api_sandbox::Sandbox::example_call();
    /// # let id = call.id;
    /// # call.status = call_api::CallStatus::Completed;
    /// # sandbox.put(call);
    /// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build_blocking()?;
    /// # let ids = [id];
    /// for (id, result) in client.get_calls(ids).concurrency(16) {
    ///     match result {
    ///         Ok(call) => println!("{id}: {}", call.status),
    ///         Err(error) => eprintln!("{id}: {error}"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_calls<'a, I>(&self, ids: I) -> Blocking<GetCalls<'a>>
    where
        I: IntoIterator<Item: Borrow<Uuid>, IntoIter: Send + 'a>,
    {
        self.blocking(self.inner.get_calls(ids))
    }

    /// Fetches the recording of a call, as [`Client::recording`](crate::Client::recording); sent by saying where to.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = tokio::runtime::Runtime::new()?;
    /// # let sandbox = runtime.block_on(call_api_sandbox::Sandbox::start())?;
    /// # use std::time::Duration;
    /// # sandbox.run(call_api_sandbox::Sandbox::example_call(), call_api_sandbox::Script::completed());
    /// # sandbox.advance(Duration::from_secs(60));
    /// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build_blocking()?;
    /// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
    /// let call = client.get_call(id).wait()?;
    /// let folder = std::env::temp_dir();
    /// # let folder = folder.join(format!("call-api-doc-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// if let Some(saved) = client.recording(&call).to_folder(&folder)?.saved() {
    ///     println!("{} bytes in {:?}", saved.bytes, saved.path);
    /// }
    /// # std::fs::remove_dir_all(folder)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn recording<'a>(&'a self, call: &'a Call) -> Blocking<FetchRecording<'a>> {
        self.blocking(self.inner.recording(call))
    }

    /// What the service said that the document doesn't, so far, as [`Client::drifts`](crate::Client::drifts).
    ///
    /// ```
    /// use call_api::{DriftMode, blocking::Client};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = tokio::runtime::Runtime::new()?;
    /// # let sandbox = runtime.block_on(call_api_sandbox::Sandbox::start())?;
    /// # let id = sandbox.put_json(&call_api_sandbox::Sandbox::EXAMPLE_JSON.replace("dialing", "on_hold"))?;
    /// # let builder = Client::builder().base_url(sandbox.base_url()).token(sandbox.token());
    /// let client = builder.drift(DriftMode::Watch).build_blocking()?;
    /// client.get_call(id).wait()?;
    /// for (drift, count) in client.drifts() {
    ///     println!("{count} times: {drift}");
    /// }
    /// # assert_eq!(client.drifts().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn drifts(&self) -> Vec<(Drift, u64)> {
        self.inner.drifts()
    }

    /// The client behind it, for what has no short method here: [`block_on`](Self::block_on) waits for its requests.
    pub fn as_async(&self) -> &crate::Client {
        &self.inner
    }

    /// Waits for a request of the client behind this one, or for anything else that can be awaited.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = tokio::runtime::Runtime::new()?;
    /// # let sandbox = runtime.block_on(call_api_sandbox::Sandbox::start())?;
    /// # let mut call = call_api_sandbox::Sandbox::example_call();
    /// # let id = call.id;
    /// # call.status = call_api::CallStatus::Completed;
    /// # sandbox.put(call);
    /// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build_blocking()?;
    /// let response = client.block_on(client.as_async().raw().get_call().id(id).send())?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn block_on<F: IntoFuture>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    fn blocking<R>(&self, request: R) -> Blocking<R> {
        Blocking {
            request,
            runtime: Arc::clone(&self.runtime),
        }
    }
}

/// A request that is [waited](Self::wait) for, or a stream of results that is iterated over. Its methods are those of
/// what it holds.
///
/// An iteration may be ended at any point, and is ended by being dropped.
///
/// ```
/// use std::time::Duration;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = tokio::runtime::Runtime::new()?;
/// # let sandbox = runtime.block_on(call_api_sandbox::Sandbox::start())?;
/// # let mut call = call_api_sandbox::Sandbox::example_call();
/// # let id = call.id;
/// # call.status = call_api::CallStatus::Completed;
/// # sandbox.put(call);
/// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build_blocking()?;
/// let wait = client.wait_until_ended(id).deadline(Duration::from_secs(60));
/// let statuses: Result<Vec<_>, _> = wait.updates().map(|change| change.map(|change| change.call.status)).collect();
/// assert_eq!(statuses?, [call_api::CallStatus::Completed]);
/// # Ok(())
/// # }
/// ```
///
/// All that can be set:
///
/// ```
/// use std::time::Duration;
///
/// use call_api::{Cadence, RequestOptions};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = tokio::runtime::Runtime::new()?;
/// # let sandbox = runtime.block_on(call_api_sandbox::Sandbox::start())?;
/// # sandbox.run(call_api_sandbox::Sandbox::example_call(), call_api_sandbox::Script::completed());
/// # sandbox.advance(Duration::from_secs(60));
/// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build_blocking()?;
/// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
/// let seconds = Duration::from_secs;
/// let options = || RequestOptions::new().attempt_timeout(seconds(10));
/// let response = client.get_call(id).options(options()).max_attempts(1).with_meta().wait()?;
///
/// let call = client
///     .wait_until_ended(id)
///     .cadence(Cadence::every(seconds(2)))
///     .grace(seconds(5))
///     .last_seen(response.value)
///     .options(options())
///     .on_change(|change| println!("{}", change.call.status))
///     .on_failure(|error| eprintln!("asking again: {error}"))
///     .wait()?;
///
/// let calls = client.get_calls([id, id]).concurrency(32).as_they_come().remember(1_000).options(options());
/// assert_eq!(calls.count(), 1);
///
/// let mut sound = Vec::new();
/// let recording = client
///     .recording(&call)
///     .wait(seconds(60))
///     .deadline(seconds(600))
///     .stall_timeout(seconds(10))
///     .size_limit(100 << 20)
///     .allow_insecure_http(false)
///     .options(options())
///     .on_progress(|progress| println!("{} bytes", progress.bytes))
///     .to_writer(&mut sound)?;
/// assert!(recording.saved().is_some());
/// let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("call-api-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// client.recording(&call).to_file(folder.join("sound.wav"))?;
/// client.recording(&call).to_folder(&folder)?;
/// # assert_eq!(std::fs::read(folder.join("sound.wav"))?, sound);
/// # std::fs::remove_dir_all(folder)?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a request does nothing until it is waited for or iterated over"]
pub struct Blocking<R> {
    // Before the runtime, which what it holds may need when it is dropped.
    request: R,
    runtime: Arc<Runtime>,
}

impl<R: IntoFuture> Blocking<R> {
    /// Sends the request, and waits for what comes of it.
    pub fn wait(self) -> R::Output {
        self.runtime.block_on(self.request)
    }
}

impl<S: Stream + Unpin> Iterator for Blocking<S> {
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        let Self { request, runtime } = self;
        runtime.block_on(std::future::poll_fn(|context| {
            Pin::new(&mut *request).poll_next(context)
        }))
    }
}

impl<R> Blocking<R> {
    fn map<T>(self, map: impl FnOnce(R) -> T) -> Blocking<T> {
        Blocking {
            request: map(self.request),
            runtime: self.runtime,
        }
    }
}

impl<'a> Blocking<GetCall<'a>> {
    /// See [`GetCall::deadline`].
    pub fn deadline(self, deadline: Duration) -> Self {
        self.map(|request| request.deadline(deadline))
    }

    /// See [`GetCall::max_attempts`].
    pub fn max_attempts(self, attempts: u32) -> Self {
        self.map(|request| request.max_attempts(attempts))
    }

    /// See [`GetCall::options`].
    pub fn options(self, options: RequestOptions) -> Self {
        self.map(|request| request.options(options))
    }

    /// See [`GetCall::with_meta`].
    pub fn with_meta(self) -> Blocking<WithMeta<'a>> {
        self.map(GetCall::with_meta)
    }
}

impl Blocking<WaitUntilEnded> {
    /// See [`WaitUntilEnded::deadline`].
    pub fn deadline(self, deadline: Duration) -> Self {
        self.map(|request| request.deadline(deadline))
    }

    /// See [`WaitUntilEnded::cadence`].
    pub fn cadence(self, cadence: Cadence) -> Self {
        self.map(|request| request.cadence(cadence))
    }

    /// See [`WaitUntilEnded::grace`].
    pub fn grace(self, grace: Duration) -> Self {
        self.map(|request| request.grace(grace))
    }

    /// See [`WaitUntilEnded::options`].
    pub fn options(self, options: RequestOptions) -> Self {
        self.map(|request| request.options(options))
    }

    /// See [`WaitUntilEnded::last_seen`].
    pub fn last_seen(self, call: Call) -> Self {
        self.map(|request| request.last_seen(call))
    }

    /// See [`WaitUntilEnded::on_change`]. It runs on the thread that waits.
    pub fn on_change(self, told: impl FnMut(&Change) + Send + 'static) -> Self {
        self.map(|request| request.on_change(told))
    }

    /// See [`WaitUntilEnded::on_failure`]. It runs on the thread that waits.
    pub fn on_failure(self, told: impl FnMut(&Error) + Send + 'static) -> Self {
        self.map(|request| request.on_failure(told))
    }

    /// See [`WaitUntilEnded::updates`]: here they are an iterator.
    pub fn updates(self) -> Blocking<Updates> {
        self.map(WaitUntilEnded::updates)
    }
}

impl Blocking<GetCalls<'_>> {
    /// See [`GetCalls::concurrency`].
    pub fn concurrency(self, calls: usize) -> Self {
        self.map(|request| request.concurrency(calls))
    }

    /// See [`GetCalls::as_they_come`].
    pub fn as_they_come(self) -> Self {
        self.map(GetCalls::as_they_come)
    }

    /// See [`GetCalls::remember`].
    pub fn remember(self, ids: usize) -> Self {
        self.map(|request| request.remember(ids))
    }

    /// See [`GetCalls::options`].
    pub fn options(self, options: RequestOptions) -> Self {
        self.map(|request| request.options(options))
    }
}

impl<'a> Blocking<FetchRecording<'a>> {
    /// See [`FetchRecording::wait`].
    pub fn wait(self, wait: Duration) -> Self {
        self.map(|request| request.wait(wait))
    }

    /// See [`FetchRecording::deadline`].
    pub fn deadline(self, deadline: Duration) -> Self {
        self.map(|request| request.deadline(deadline))
    }

    /// See [`FetchRecording::stall_timeout`].
    pub fn stall_timeout(self, timeout: Duration) -> Self {
        self.map(|request| request.stall_timeout(timeout))
    }

    /// See [`FetchRecording::size_limit`].
    pub fn size_limit(self, bytes: u64) -> Self {
        self.map(|request| request.size_limit(bytes))
    }

    /// See [`FetchRecording::allow_insecure_http`].
    pub fn allow_insecure_http(self, allow: bool) -> Self {
        self.map(|request| request.allow_insecure_http(allow))
    }

    /// See [`FetchRecording::on_progress`]. It runs on the thread that waits.
    pub fn on_progress(self, on_progress: impl FnMut(Progress) + Send + 'a) -> Self {
        self.map(|request| request.on_progress(on_progress))
    }

    /// See [`FetchRecording::options`].
    pub fn options(self, options: RequestOptions) -> Self {
        self.map(|request| request.options(options))
    }

    /// See [`FetchRecording::to_file`].
    ///
    /// # Errors
    /// As there.
    pub fn to_file(self, path: impl AsRef<Path>) -> Result<Recording, Error> {
        self.runtime.block_on(self.request.to_file(path))
    }

    /// See [`FetchRecording::to_folder`].
    ///
    /// # Errors
    /// As there.
    pub fn to_folder(self, folder: impl AsRef<Path>) -> Result<Recording, Error> {
        self.runtime.block_on(self.request.to_folder(folder))
    }

    /// See [`FetchRecording::to_writer`]: here into a writer without `async`.
    ///
    /// # Errors
    /// As there.
    pub fn to_writer(self, writer: &mut (impl io::Write + Send)) -> Result<Recording, Error> {
        let mut writer = Ready(writer);
        self.runtime.block_on(self.request.to_writer(&mut writer))
    }
}

/// A writer that is always ready, since it holds up the thread until it is.
struct Ready<'w, W>(&'w mut W);

impl<W: io::Write> AsyncWrite for Ready<'_, W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

impl<R: fmt::Debug> fmt::Debug for Blocking<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Blocking").field(&self.request).finish()
    }
}

/// What connections and timers live on. `None` once it has ended.
#[derive(Debug)]
struct Runtime(Option<tokio::runtime::Runtime>);

impl Runtime {
    fn start() -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("call-api")
            .enable_all()
            .build()
            .map_err(Error::from_config)?;
        Ok(Self(Some(runtime)))
    }

    /// Polls the future on this thread, and not on the runtime's, so that it may borrow and need not be `Send`; and not by
    /// the runtime's own `block_on`, which panics inside of another runtime.
    fn block_on<F: IntoFuture>(&self, future: F) -> F::Output {
        let _context = self.0.as_ref().map(tokio::runtime::Runtime::enter);
        // Inside of another runtime's task the budget of that task would be spent, and never be given anew.
        let mut future = pin!(tokio::task::unconstrained(future.into_future()));
        let signal = Arc::new(Signal::default());
        let waker = Waker::from(Arc::clone(&signal));
        let mut context = Context::from_waker(&waker);
        loop {
            match future.as_mut().poll(&mut context) {
                Poll::Ready(output) => return output,
                Poll::Pending => signal.wait(),
            }
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Waits for nothing, and so may be called inside of another runtime.
            runtime.shutdown_background();
        }
    }
}

/// Wakes the thread that waits. `thread::park` would do as well, but that what a callback does on this thread may take
/// its token.
#[derive(Default)]
struct Signal {
    is_set: Mutex<bool>,
    set: Condvar,
}

impl Signal {
    fn wait(&self) {
        let is_set = self.is_set.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_set = self
            .set
            .wait_while(is_set, |is_set| !*is_set)
            .unwrap_or_else(PoisonError::into_inner);
        *is_set = false;
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.is_set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.set.notify_one();
    }
}
