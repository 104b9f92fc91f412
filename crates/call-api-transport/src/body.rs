//! Response bodies: buffered up to a limit, or streamed with a stall timeout.

use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::clock::{SleepFuture, Time};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The part of a body that was received so far.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    /// The first chunk: most bodies have no other, and are never copied.
    first: Bytes,
    more: Vec<u8>,
    /// All bytes that were received, including those past the limit.
    pub(crate) received: u64,
}

/// The body is longer than the limit.
#[derive(Debug)]
pub(crate) struct Over;

impl Buffer {
    /// Keeps what fits below the limit.
    pub(crate) fn push(&mut self, mut chunk: Bytes, cap: u64) -> Result<(), Over> {
        let room = cap.saturating_sub(self.received);
        let length = chunk.len() as u64;
        self.received += length;
        let over = length > room;
        if over {
            chunk.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        }
        if self.first.is_empty() {
            self.first = chunk;
        } else {
            if self.more.is_empty() {
                self.more.extend_from_slice(&self.first);
            }
            self.more.extend_from_slice(&chunk);
        }
        if over { Err(Over) } else { Ok(()) }
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        if self.more.is_empty() {
            self.first
        } else {
            self.more.into()
        }
    }
}

/// A streamed body, which has neither limit nor deadline but must not stall.
pub(crate) struct StallTimeoutBody {
    inner: reqwest::Body,
    time: Time,
    stall_timeout: Duration,
    /// In a mutex that is never locked: a body must be `Sync`, which a timer need not be.
    over: Option<Mutex<SleepFuture<'static>>>,
}

impl StallTimeoutBody {
    pub(crate) fn new(inner: reqwest::Body, time: Time, stall_timeout: Duration) -> Self {
        Self {
            inner,
            time,
            stall_timeout,
            over: None,
        }
    }
}

/// The error of a streamed body that was idle for the idle timeout.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("the body stalled: no bytes for {} ms", stall_timeout.as_millis())]
pub struct Stalled {
    stall_timeout: Duration,
}

impl Body for StallTimeoutBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
            // The timer runs only while a frame is awaited.
            self.over = None;
            return Poll::Ready(
                frame.map(|frame| frame.map_err(|error| error.without_url().into())),
            );
        }
        let stall_timeout = self.stall_timeout;
        let this = &mut *self;
        let over = this
            .over
            .get_or_insert_with(|| Mutex::new(this.time.limit_owned(stall_timeout)))
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        ready!(over.as_mut().poll(context));
        self.over = None;
        Poll::Ready(Some(Err(Stalled { stall_timeout }.into())))
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl fmt::Debug for StallTimeoutBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StallTimeoutBody")
            .field("stall_timeout", &self.stall_timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Buffer, Bytes};

    proptest! {
        #[test]
        fn buffer_keeps_the_first_bytes_up_to_the_cap(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..8),
            cap in 0_u64..60,
        ) {
            let whole: Vec<u8> = chunks.concat();
            let mut buffer = Buffer::default();
            let mut pushed = 0;
            let mut over = false;
            for chunk in &chunks {
                pushed += chunk.len() as u64;
                over = buffer.push(Bytes::copy_from_slice(chunk), cap).is_err();
                prop_assert_eq!(over, pushed > cap);
                if over {
                    break;
                }
            }
            prop_assert_eq!(buffer.received, pushed);
            let kept = buffer.into_bytes();
            prop_assert!(whole.starts_with(&kept));
            prop_assert_eq!(kept.len() as u64, pushed.min(cap));
            prop_assert!(over || kept.len() == whole.len());
        }
    }
}
