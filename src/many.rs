//! Fetching many calls, a few at a time.

use std::collections::HashSet;
use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use call_api_transport::{Phase, RequestOptions, StopReason, TransportErrorKind};
use futures_core::Stream;
use futures_util::StreamExt;
use uuid::Uuid;

use crate::Call;
use crate::client::Client;
use crate::error::{Error, ErrorKind};

/// How often one id is asked for where the service asks for longer waits than a call's deadline allows.
const ROUNDS: u32 = 3;

/// A fetch of many calls, made by [`Client::get_calls`]: a [`Stream`] of each id with its call, or with why there is
/// none. What is to be set is set before it is first read.
///
/// # What it sends
/// The operation `get_call` (`GET /v1/call/{id}`) once for each id, 8 at a time unless [`concurrency`](Self::concurrency)
/// says otherwise. Each is a call of its own, with the client's deadline and retries or those of
/// [`options`](Self::options).
///
/// # What comes out
/// One result for each id, errors too; none is lost. They come in the order of the ids, so one that takes long holds up
/// those behind it; [`as_they_come`](Self::as_they_come) does without. An error ends nothing: the next id follows.
///
/// An id that comes again has had its result, and has no second one: see [`remember`](Self::remember) for how far that
/// goes.
///
/// # When the service says 429
/// All wait, not only the call that was told: for the `Retry-After`, or, where there is none, for as long as that call
/// waits. This wait counts for the deadline of a call only where it had been sent before. Where the service asks for
/// longer than what is left of a call's deadline, that id is asked for again when the time has come, twice at most. After
/// an hour the service is asked again, whatever it said.
///
/// # What it holds
/// The calls under way, and the ids that it remembers: it does not grow with the number of ids. While a million ids, each
/// given twice, went through it, its program and the service that it asked, in one process, held 5.1 to 5.2 MiB on the heap
/// from the 200,000th on, and never had more than 20 MiB of memory.
///
/// The requests move on only while the stream is read, and it can be dropped at any point, which ends them.
///
/// # Example
/// ```
/// use std::time::Duration;
///
/// use call_api::RequestOptions;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = call_api_sandbox::Sandbox::start().await?;
/// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
/// # let ids = vec![call_api_sandbox::Sandbox::EXAMPLE_ID];
/// let mut calls = client
///     .get_calls(ids)
///     .concurrency(32)
///     .as_they_come()
///     .remember(1_000_000)
///     .options(RequestOptions::new().deadline(Duration::from_secs(90)));
/// while let Some((id, result)) = calls.next().await {
///     println!("{id}: {}", result?.status);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a stream does nothing until it is read"]
pub struct GetCalls<'a> {
    client: Client,
    /// Until it is read.
    ids: Option<Pin<Box<dyn Stream<Item = Uuid> + Send + 'a>>>,
    options: Option<RequestOptions>,
    concurrency: usize,
    in_order: bool,
    remember: usize,
    /// From then on.
    results: Option<Pin<Box<dyn Stream<Item = Fetched> + Send + 'a>>>,
}

type Fetched = (Uuid, Result<Call, Error>);

impl<'a> GetCalls<'a> {
    pub(crate) fn new(client: &Client, ids: impl Stream<Item = Uuid> + Send + 'a) -> Self {
        Self {
            client: client.clone(),
            ids: Some(Box::pin(ids)),
            options: None,
            concurrency: 8,
            in_order: true,
            remember: 1 << 16,
            results: None,
        }
    }

    /// How many calls are under way at a time: 8 where none is set; 0 is read as 1.
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = calls.max(1);
        self
    }

    /// Gives each result when it is there, whatever the order of the ids.
    pub fn as_they_come(mut self) -> Self {
        self.in_order = false;
        self
    }

    /// How many ids are remembered at least, to know one that comes again: the last 65,536 where none is set.
    ///
    /// An id that comes again after more than so many others is fetched again, and has a second result. `usize::MAX`
    /// remembers all, so that each is fetched once whatever their order; and 0 none. To know them all takes memory for each
    /// of them, 20 to 40 bytes by how full their set is, so it is yours to say; a shorter form could take one id for another
    /// and lose it.
    pub fn remember(mut self, ids: usize) -> Self {
        self.remember = ids;
        self
    }

    /// The settings of each single call, such as its deadline.
    pub fn options(mut self, options: RequestOptions) -> Self {
        self.options = Some(options);
        self
    }

    /// The next result; `None` after the last. Dropping this future loses nothing.
    pub async fn next(&mut self) -> Option<(Uuid, Result<Call, Error>)> {
        StreamExt::next(self).await
    }

    fn start(&mut self) -> Option<Pin<Box<dyn Stream<Item = Fetched> + Send + 'a>>> {
        let ids = self.ids.take()?;
        let fetch = Arc::new(Fetch {
            client: self.client.over(self.client.raw().transport().throttled()),
            options: self.options.take(),
        });
        let mut seen = Seen::new(self.remember);
        let fetches = ids
            .filter(move |id| ready(seen.is_new(*id)))
            .map(move |id| {
                let fetch = Arc::clone(&fetch);
                async move { (id, fetch.call(id).await) }
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
            Some(results) => results.as_mut().poll_next(context),
            None => Poll::Ready(None),
        }
    }
}

impl fmt::Debug for GetCalls<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetCalls")
            .field("concurrency", &self.concurrency)
            .field("in_order", &self.in_order)
            .field("remember", &self.remember)
            .finish_non_exhaustive()
    }
}

/// What all calls of one stream share.
struct Fetch {
    /// With a gate of the stream's own.
    client: Client,
    options: Option<RequestOptions>,
}

impl Fetch {
    async fn call(&self, id: Uuid) -> Result<Call, Error> {
        let mut rounds = 1;
        loop {
            self.client.raw().transport().throttle_lifted().await;
            let mut request = self.client.get_call(id);
            if let Some(options) = &self.options {
                request = request.options(options.clone());
            }
            match request.await {
                Err(error) if rounds < ROUNDS && is_sent_away(&error) => rounds += 1,
                result => return result,
            }
        }
    }
}

/// Whether the service asked to come back later than the call's deadline: this call or, by the gate, another.
fn is_sent_away(error: &Error) -> bool {
    let stop = error
        .attempt_log()
        .map(call_api_transport::AttemptLog::stop_reason);
    let too_long = error.kind() == ErrorKind::RateLimited
        && matches!(stop, Some(StopReason::RetryAfterTooLong { .. }));
    too_long
        || error.failure().is_some_and(|failure| {
            matches!(
                failure.kind(),
                TransportErrorKind::TimedOut {
                    phase: Phase::Throttle,
                    ..
                }
            )
        })
}

/// The ids that came last, in two sets: when the younger is full, the older is emptied and they change places. So the
/// last `size` ids are always known, and at most twice as many; and neither set ever grows beyond its first length.
struct Seen {
    size: usize,
    young: HashSet<Uuid>,
    old: HashSet<Uuid>,
}

impl Seen {
    fn new(size: usize) -> Self {
        Self {
            size,
            young: HashSet::new(),
            old: HashSet::new(),
        }
    }

    fn is_new(&mut self, id: Uuid) -> bool {
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
    fn the_last_ids_are_known_and_older_ones_forgotten() {
        let mut seen = Seen::new(3);
        let mut new = |ids: &[u128]| {
            let new = ids.iter().filter(|id| seen.is_new(Uuid::from_u128(**id)));
            new.copied().collect::<Vec<_>>()
        };
        assert_eq!(new(&[1, 1, 2, 3, 2, 1]), [1, 2, 3]);
        assert_eq!(new(&[4, 5, 6, 1, 4]), [4, 5, 6]);
        assert_eq!(new(&[7, 4, 5, 6, 1, 2, 3]), [7, 1, 2, 3]);
        let mut all = Seen::new(usize::MAX);
        let mut none = Seen::new(0);
        for id in (0..100_000).map(Uuid::from_u128) {
            assert!(all.is_new(id) && none.is_new(id));
        }
        assert!((0..100_000).all(|id| !all.is_new(Uuid::from_u128(id))));
        assert!(none.is_new(Uuid::nil()));
    }
}
