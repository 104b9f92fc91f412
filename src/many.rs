//! Many calls, a few at a time.

use std::collections::HashSet;
use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use call_api_client::{AttemptLog, Client, Error, ErrorKind, RequestOptions, Response};
use call_api_transport::{Phase, StopReason, TransportErrorKind};
use futures_core::Stream;
use futures_core::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::Call;

/// The maximum number of requests of one id, if the service asks for longer delays than their deadline allows.
const ROUNDS: u32 = 3;

/// Many calls, fetched by [`Client::get_calls`](crate::Client::get_calls): a [`Stream`] of each id with its call, or the
/// error. Settings are made before it is first read.
///
/// # Requests
/// `GET /v1/call/{id}` once for each id, 8 at a time unless [`concurrency`](Self::concurrency) is set. Each has the
/// client's deadline and retries, or those of [`options`](Self::options).
///
/// # Results
/// One for each id, errors included; none is lost, and an error does not end the stream. They come in the order of the
/// ids, so a slow one delays those behind it; [`unordered`](Self::unordered) yields each as it arrives. An id that is
/// repeated has no second result, within the [`dedup_window`](Self::dedup_window).
///
/// # Rate limits
/// A 429 pauses all requests: for the `Retry-After`, or else for as long as the request that got it backs off, but for an
/// hour at most. The pause counts against the deadline only of requests that had been sent before. If the service asks
/// for longer than what is left of a request's deadline, its id is requested again afterwards, twice at most.
///
/// # Memory
/// The requests in flight or waiting to be read, which [`concurrency`](GetCalls::concurrency) limits together, and the ids
/// of the dedup window, however many ids there are.
///
/// Requests are tasks of the runtime: they advance while a result is worked on, and wait to be read as soon as they are
/// done. The stream can be dropped at any point, which ends them.
///
/// # Example
/// ```
/// use std::time::Duration;
///
/// use call_api::RequestOptions;
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let sandbox = call_api_sandbox::Sandbox::start().await?;
///     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
///     let ids = vec![call_api_sandbox::Sandbox::EXAMPLE_ID];
///     let mut calls = client
///         .get_calls(ids)
///         .concurrency(32)
///         .unordered()
///         .dedup_window(1_000_000)
///         .options(RequestOptions::new().deadline(Duration::from_secs(90)));
///     while let Some((id, result)) = calls.next().await {
///         println!("{id}: {}", result?.status);
///     }
///     Ok(())
/// }
/// ```
#[must_use = "a stream does nothing until it is read"]
pub struct GetCalls<'a> {
    client: Client,
    /// `None` once the stream is read.
    ids: Option<Pin<Box<dyn Stream<Item = Uuid> + Send + 'a>>>,
    options: RequestOptions,
    concurrency: usize,
    in_order: bool,
    dedup_window: usize,
    /// `None` until the stream is read.
    results: Option<Responses<'a>>,
}

type Fetched = (Uuid, Result<Response<Call>, Error>);

type Responses<'a> = Pin<Box<dyn Stream<Item = Fetched> + Send + 'a>>;

impl<'a> GetCalls<'a> {
    pub(crate) fn new(client: &Client, ids: impl Stream<Item = Uuid> + Send + 'a) -> Self {
        Self {
            client: client.clone(),
            ids: Some(Box::pin(ids)),
            options: RequestOptions::new(),
            concurrency: 8,
            in_order: true,
            dedup_window: 1 << 16,
            results: None,
        }
    }

    /// Sets how many requests are in flight or wait to be read at a time: 8 by default; 0 is read as 1.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests.max(1);
        self
    }

    /// Yields each result as it arrives, whatever the order of the ids.
    pub fn unordered(mut self) -> Self {
        self.in_order = false;
        self
    }

    /// Sets how many ids at least are remembered, to skip one that is repeated: the last 65,536 by default.
    ///
    /// An id that is repeated after more than so many others is fetched again. `usize::MAX` remembers all, at 20 to 40
    /// bytes each; 0 none.
    pub fn dedup_window(mut self, ids: usize) -> Self {
        self.dedup_window = ids;
        self
    }

    /// Sets options for each request, such as its deadline.
    pub fn options(mut self, options: RequestOptions) -> Self {
        self.options = self.options.merge(options);
        self
    }

    /// Returns the next result; `None` after the last. Dropping this future loses nothing.
    pub async fn next(&mut self) -> Option<(Uuid, Result<Call, Error>)> {
        StreamExt::next(self).await
    }

    /// Yields the response of each id, with the body as it was sent, instead of the call alone.
    ///
    /// ```
    /// use futures_util::StreamExt as _;
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let sandbox = call_api_sandbox::Sandbox::start().await?;
    ///     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    ///     let mut responses = client.get_calls([call_api_sandbox::Sandbox::EXAMPLE_ID]).responses();
    ///     while let Some((id, result)) = responses.next().await {
    ///         println!("{id}: {} bytes", result?.body.len());
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn responses(
        mut self,
    ) -> impl Stream<Item = (Uuid, Result<Response<Call>, Error>)> + Send + Unpin + use<'a> {
        let results = self.results.take().or_else(|| self.start());
        results.unwrap_or_else(|| Box::pin(futures_util::stream::empty()))
    }

    fn start(&mut self) -> Option<Responses<'a>> {
        let ids = self.ids.take()?;
        let fetch = Arc::new(Fetch {
            client: self
                .client
                .with_transport(self.client.transport().throttled()),
            options: std::mem::take(&mut self.options),
        });
        let mut recent = RecentIds::new(self.dedup_window);
        let fetches = ids
            .filter(move |id| ready(recent.insert(*id)))
            .map(move |id| {
                let fetch = Arc::clone(&fetch);
                Task::start(id, async move { (id, fetch.call(id).await) })
            });
        Some(if self.in_order {
            fetches.buffered(self.concurrency).boxed()
        } else {
            fetches.buffer_unordered(self.concurrency).boxed()
        })
    }
}

impl Stream for GetCalls<'_> {
    type Item = (Uuid, Result<Call, Error>);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.results.is_none() {
            self.results = self.start();
        }
        match &mut self.results {
            Some(results) => {
                let next = results.as_mut().poll_next(context);
                next.map(|next| {
                    let (id, result) = next?;
                    Some((id, result.map(|response| response.value)))
                })
            }
            None => Poll::Ready(None),
        }
    }
}

impl fmt::Debug for GetCalls<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetCalls")
            .field("concurrency", &self.concurrency)
            .field("in_order", &self.in_order)
            .field("dedup_window", &self.dedup_window)
            .finish_non_exhaustive()
    }
}

/// Shared by all requests of one stream.
struct Fetch {
    /// Has a throttle for this stream alone.
    client: Client,
    options: RequestOptions,
}

impl Fetch {
    async fn call(&self, id: Uuid) -> Result<Response<Call>, Error> {
        let mut rounds = 1;
        loop {
            self.client.transport().throttle_lifted().await;
            let request = self.client.get_call(id).options(self.options.clone());
            match request.send().await {
                Err(error) if rounds < ROUNDS && should_requeue(&error) => rounds += 1,
                result => return result,
            }
        }
    }
}

/// A request that advances by itself: one that only its consumer polled would time out while the consumer is busy. It
/// ends when this is dropped.
enum Task {
    Running(Uuid, JoinHandle<Fetched>),
    /// There is no runtime, which the request reports.
    Polled(BoxFuture<'static, Fetched>),
}

impl Task {
    fn start(id: Uuid, request: impl Future<Output = Fetched> + Send + 'static) -> Self {
        #[cfg(feature = "tracing")]
        let request = tracing::Instrument::in_current_span(request);
        match Handle::try_current() {
            Ok(runtime) => Self::Running(id, runtime.spawn(request)),
            Err(_) => Self::Polled(request.boxed()),
        }
    }
}

impl Future for Task {
    type Output = Fetched;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Fetched> {
        match &mut *self {
            Self::Running(id, task) => match std::task::ready!(Pin::new(task).poll(context)) {
                Ok(fetched) => Poll::Ready(fetched),
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => Poll::Ready((*id, Err(shut_down()))),
                },
            },
            Self::Polled(request) => request.as_mut().poll(context),
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Self::Running(_, task) = self {
            task.abort();
        }
    }
}

/// The error of a request whose runtime ended before it.
fn shut_down() -> Error {
    Error::builder(ErrorKind::Interrupted)
        .message("the runtime that the request was started on was shut down")
        .advice("keep the runtime until the stream has been read")
        .build()
}

/// Returns true if the service asked for a longer delay than the request's deadline allows: of this request or, by the
/// throttle, of another.
fn should_requeue(error: &Error) -> bool {
    let stop = error.attempt_log().map(AttemptLog::stop_reason);
    let is_told = error.kind() == ErrorKind::RateLimited
        && matches!(stop, Some(StopReason::RetryAfterTooLong { .. }));
    is_told
        || error.transport_error().is_some_and(|error| {
            matches!(
                error.kind(),
                TransportErrorKind::TimedOut {
                    phase: Phase::Throttle,
                    ..
                }
            )
        })
}

/// The latest ids, in two sets: when the younger one is full, it becomes the older one, whose ids are forgotten. So the
/// last `size` ids are always known, at most twice as many are kept, and neither set outgrows its first length.
struct RecentIds {
    size: usize,
    young: HashSet<Uuid>,
    old: HashSet<Uuid>,
}

impl RecentIds {
    fn new(size: usize) -> Self {
        Self {
            size,
            young: HashSet::new(),
            old: HashSet::new(),
        }
    }

    /// Returns true if the id is not among the latest ones.
    fn insert(&mut self, id: Uuid) -> bool {
        if self.size == 0 {
            return true;
        }
        if self.young.contains(&id) || self.old.contains(&id) {
            return false;
        }
        if self.young.len() >= self.size {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_ids_are_known_and_older_ones_forgotten() {
        let mut recent = RecentIds::new(3);
        let mut new = |ids: &[u128]| {
            let new = ids.iter().filter(|id| recent.insert(Uuid::from_u128(**id)));
            new.copied().collect::<Vec<_>>()
        };
        assert_eq!(new(&[1, 1, 2, 3, 2, 1]), [1, 2, 3]);
        assert_eq!(new(&[4, 5, 6, 1, 4]), [4, 5, 6]);
        assert_eq!(new(&[7, 4, 5, 6, 1, 2, 3]), [7, 1, 2, 3]);
        let mut all = RecentIds::new(usize::MAX);
        let mut none = RecentIds::new(0);
        for id in (0..100_000).map(Uuid::from_u128) {
            assert!(all.insert(id) && none.insert(id));
        }
        assert!((0..100_000).all(|id| !all.insert(Uuid::from_u128(id))));
        assert!(none.insert(Uuid::nil()));
    }
}
