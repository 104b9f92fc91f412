//! Requests without `async`.
//!
//! Each request has a blocking form beside the one that is awaited: `wait` for `.await`, and `send_blocking` for `send`.
//! [`Client::block_on`](crate::Client::block_on) waits for any other future, and
//! [`Client::block_on_stream`](crate::Client::block_on_stream) makes an iterator of a stream.
//!
//! All of it may be used in a plain `main`, from threads, and inside a Tokio runtime, where it blocks the current
//! thread. A request runs on the thread that waits for it; one more thread per client and its clones, started by
//! the first blocking request, drives connections and timers, and ends with the last clone. In a process that was forked
//! after that, a request is an error, and a [`BlockingStream`] ends, that of a list with an error: build another client there.

use std::fmt;
use std::future::IntoFuture;
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_core::Stream;

use crate::error::Error;

/// A stream as an iterator, made by [`Client::block_on_stream`](crate::Client::block_on_stream). To drop it ends the stream.
#[must_use = "an iterator does nothing until it is read"]
pub struct BlockingStream<S: Stream> {
    // Before the runtime, which may be needed when the stream is dropped.
    stream: S,
    runtime: Arc<LazyRuntime>,
    /// Makes an item of the error that there is in a forked process, which would else take a list for complete. `None` for
    /// streams without errors, and once it is used.
    to_item: Option<fn(Error) -> S::Item>,
}

impl<S: Stream + Unpin> BlockingStream<S> {
    /// Starts the runtime if it does not run yet.
    pub(crate) fn new(
        stream: S,
        runtime: &Arc<LazyRuntime>,
        to_item: Option<fn(Error) -> S::Item>,
    ) -> Result<Self, Error> {
        runtime.get()?;
        Ok(Self {
            stream,
            to_item,
            runtime: Arc::clone(runtime),
        })
    }
}

impl<S: Stream + Unpin> Iterator for BlockingStream<S> {
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        let Self {
            stream,
            runtime,
            to_item,
        } = self;
        let next = std::future::poll_fn(|context| Pin::new(&mut *stream).poll_next(context));
        match runtime.get() {
            Ok(runtime) => runtime.block_on(next),
            // The runtime was started with this iterator; a forked process has no part in it.
            Err(error) => to_item.take().map(|to_item| to_item(error)),
        }
    }
}

impl<S: Stream + fmt::Debug> fmt::Debug for BlockingStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BlockingStream").field(&self.stream).finish()
    }
}

/// The runtime of a client, started when it is first needed, and the process that it runs in.
#[derive(Debug, Default)]
pub(crate) struct LazyRuntime(OnceLock<(u32, Runtime)>);

impl LazyRuntime {
    /// Blocks the thread until the future is done.
    pub(crate) fn block_on<T>(
        &self,
        future: impl IntoFuture<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.get()?.block_on(future)
    }

    fn get(&self) -> Result<&Runtime, Error> {
        self.get_in(std::process::id())
    }

    /// A child that was forked from the process has no thread that drives the runtime, and would wait forever. The
    /// connections are its parent's.
    fn get_in(&self, process: u32) -> Result<&Runtime, Error> {
        let started = match self.0.get() {
            Some(started) => started,
            None => {
                let runtime = Runtime::start()?;
                // If another thread was faster, its runtime is kept.
                self.0.get_or_init(|| (process, runtime))
            }
        };
        match started {
            (home, runtime) if *home == process => Ok(runtime),
            (home, _) => Err(Error::config(format!(
                "the client was first used in process {home}, from which this process was forked: build another client here"
            ))),
        }
    }
}

/// Drives connections and timers. `None` once it is shut down.
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

    /// Polls the future on this thread and not on the runtime's, so that it may borrow and need not be `Send`. Tokio's own
    /// `block_on` panics inside another runtime.
    fn block_on<F: IntoFuture>(&self, future: F) -> F::Output {
        let _context = self.0.as_ref().map(tokio::runtime::Runtime::enter);
        // Inside a task of another runtime, that task's budget would be used up and never renewed.
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
            // Does not wait, and so is allowed inside another runtime.
            runtime.shutdown_background();
        }
    }
}

/// Wakes the waiting thread. `thread::park` would not do: a callback on this thread may consume its token.
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn client_of_a_parent_process_is_an_error() {
        let runtime = LazyRuntime::default();
        assert!(runtime.get_in(1).is_ok());
        let error = runtime.get_in(2).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Config);
        assert!(error.to_string().contains("forked"), "{error}");
        assert!(runtime.get_in(1).is_ok());
    }

    #[test]
    fn list_of_a_parent_process_ends_with_an_error() {
        /// Items without end.
        struct Ones;

        impl Stream for Ones {
            type Item = Result<u8, Error>;

            fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
                Poll::Ready(Some(Ok(1)))
            }
        }

        let runtime = Arc::new(LazyRuntime::default());
        let mut list = BlockingStream::new(Ones, &runtime, Some(Err)).unwrap();
        assert_eq!(list.next().unwrap().unwrap(), 1);
        let parents = LazyRuntime::default();
        parents.get_in(std::process::id() + 1).unwrap();
        list.runtime = Arc::new(parents);
        let error = list.next().unwrap().unwrap_err();
        assert!(error.to_string().contains("forked"), "{error}");
        assert!(list.next().is_none());
    }
}
