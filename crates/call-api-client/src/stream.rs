//! Responses that are returned before their body is read.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use call_api_transport::{BodyStream, Stalled};
use futures_core::Stream;

use crate::error::Error;
use crate::error_kind::ErrorKind;

/// The body of a response, as a [`Stream`] of its parts as they arrive.
///
/// No deadline and no limit apply to it, but a body that brings nothing for the length of the
/// [idle timeout](crate::ClientBuilder::idle_timeout) fails.
#[must_use = "a stream does nothing until it is read"]
pub struct ByteStream(Body);

enum Body {
    Streamed(Box<BodyStream>),
    /// All of it, in one part.
    Whole(Option<Bytes>),
}

impl ByteStream {
    pub(crate) fn new(stream: BodyStream) -> Self {
        Self(Body::Streamed(Box::new(stream)))
    }

    pub(crate) fn of(bytes: Bytes) -> Self {
        Self(Body::Whole(Some(bytes)))
    }

    /// Returns the next part; `None` at the end. Dropping this future loses nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) if the connection breaks, and
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) if nothing arrives in time.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Reads the rest.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn read_to_end(mut self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(part) = self.next().await {
            bytes.extend_from_slice(&part?);
        }
        Ok(bytes)
    }
}

impl Stream for ByteStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.0 {
            Body::Streamed(stream) => {
                let part = std::task::ready!(Pin::new(stream.as_mut()).poll_next(context));
                Poll::Ready(part.map(|part| part.map_err(interrupted)))
            }
            Body::Whole(bytes) => Poll::Ready(bytes.take().map(Ok)),
        }
    }
}

fn interrupted(cause: call_api_transport::BoxError) -> Error {
    let kind = if cause.is::<Stalled>() {
        ErrorKind::Timeout
    } else {
        ErrorKind::Interrupted
    };
    Error::builder(kind)
        .message(format!(
            "the response body cannot be read to its end: {cause}"
        ))
        .advice("try later")
        .boxed_source(cause)
        .build()
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream").finish_non_exhaustive()
    }
}

/// A response that switches protocols, such as that of a WebSocket.
#[must_use = "the connection is closed unless it is upgraded"]
pub struct Upgrade(reqwest::Response);

impl Upgrade {
    pub(crate) fn new(status: u16, extensions: http::Extensions) -> Self {
        let mut response = http::Response::new(reqwest::Body::default());
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
        *response.extensions_mut() = extensions;
        Self(response.into())
    }

    /// Returns the connection.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) if the service does not switch protocols.
    pub async fn upgrade(self) -> Result<reqwest::Upgraded, Error> {
        self.0.upgrade().await.map_err(|cause| {
            Error::builder(ErrorKind::Interrupted)
                .message(format!(
                    "the connection cannot be upgraded: {}",
                    cause.without_url()
                ))
                .build()
        })
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade").finish_non_exhaustive()
    }
}
