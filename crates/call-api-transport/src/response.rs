//! The result of a request: the response as it was received, and the log of its attempts.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::{Extensions, HeaderMap, StatusCode};
use http_body::Body as _;

use crate::BoxError;
use crate::attempt_log::AttemptLog;
use crate::body::StallTimeoutBody;
#[cfg(feature = "tracing")]
use crate::body::Stalled;
use crate::engine::Engine;
#[cfg(feature = "tracing")]
use crate::outcome::Outcome;
use crate::request::ApiRequest;

/// A response of any status, and the attempts that led to it.
#[non_exhaustive]
pub struct RawResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: RawBody,
    /// The attempts that were made.
    pub attempt_log: AttemptLog,
    /// The HTTP client's own data, such as the connection of a response that switches protocols.
    pub extensions: Extensions,
}

/// A response that is to be decoded, returned by [`Transport::receive`](crate::Transport::receive).
#[non_exhaustive]
pub struct PendingResponse<'a> {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: RawBody,
    /// The HTTP client's own data, such as the connection of a response that switches protocols.
    pub extensions: Extensions,
    /// The pending end of the request, which depends on whether the response can be used.
    pub end: PendingEnd<'a>,
}

/// The end of a request whose response has been received. [`accept`](Self::accept) or [`reject`](Self::reject) reports it
/// to observers and the span. Dropping it is dropping the request.
#[must_use = "the request has not ended until its response is accepted or rejected"]
pub struct PendingEnd<'a>(pub(crate) Box<Pending<'a>>);

/// A request that has not ended. In a box of its own, because futures and results that contain it are moved often.
pub(crate) struct Pending<'a> {
    pub(crate) engine: Engine<'a>,
    pub(crate) request: ApiRequest<'a>,
}

impl PendingEnd<'_> {
    /// Ends the request with its response: a success, or an error according to the status.
    pub fn accept(mut self) -> AttemptLog {
        let Pending { engine, request } = &mut *self.0;
        engine.finish(request)
    }

    /// Ends the request as failed, because the program cannot use the response. `error_type` becomes
    /// [`AttemptLog::error_type`], a short name in snake case.
    pub fn reject(mut self, error_type: &'static str) -> AttemptLog {
        let Pending { engine, request } = &mut *self.0;
        engine.reject(request, error_type)
    }
}

impl PendingResponse<'_> {
    pub(crate) fn accept(self) -> RawResponse {
        RawResponse {
            status: self.status,
            headers: self.headers,
            body: self.body,
            attempt_log: self.end.accept(),
            extensions: self.extensions,
        }
    }
}

impl fmt::Debug for PendingEnd<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingEnd").finish_non_exhaustive()
    }
}

/// Omits the body and the values of the headers: either may contain secrets or private data.
impl fmt::Debug for PendingResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingResponse")
            .field("status", &self.status)
            .field("headers", &HeaderNames(&self.headers))
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

/// A response whose body was read into memory, and the attempts that led to it.
#[derive(Clone)]
#[non_exhaustive]
pub struct BufferedResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: BufferedBody,
    /// The attempts that were made.
    pub attempt_log: AttemptLog,
}

/// The body of a [`RawResponse`].
#[derive(Debug)]
pub enum RawBody {
    /// A body that was read inside the attempt: that of a [buffered](crate::ResponseBody::Buffered) operation, or of an
    /// error response.
    Buffered(BufferedBody),
    /// The body of a successful response of a [streamed](crate::ResponseBody::Streamed) operation.
    Streamed(BodyStream),
}

/// A body in memory. `Debug` omits its content.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct BufferedBody {
    /// The bytes.
    pub bytes: Bytes,
    /// True if the body of an error response was truncated, at 64 KiB or by a broken connection.
    pub is_truncated: bool,
}

/// A body that is read as it arrives.
///
/// Reading has neither a size limit nor a deadline, but fails with [`Stalled`](crate::Stalled) if nothing arrives for the
/// length of the [idle timeout](crate::TransportBuilder::idle_timeout).
///
/// With the feature `tracing`, it is in the span of its request, and an error ends that as failed.
pub struct BodyStream {
    /// In a box, because responses are moved often and few are streamed.
    pub(crate) body: Box<StallTimeoutBody>,
    #[cfg(feature = "tracing")]
    pub(crate) span: tracing::Span,
}

impl BodyStream {
    /// Completes the span of a request whose stream was interrupted.
    #[cfg(feature = "tracing")]
    fn note(&self, error: &BoxError) {
        let outcome = match error.is::<Stalled>() {
            true => Outcome::AttemptTimedOut,
            false => Outcome::Truncated,
        };
        crate::observe::request_failed(&self.span, outcome.name(), None);
    }
}

impl Stream for BodyStream {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
            match frame.map(|frame| frame.map(http_body::Frame::into_data)) {
                Some(Ok(Ok(data))) => return Poll::Ready(Some(Ok(data))),
                // Trailers are not content.
                Some(Ok(Err(_))) => {}
                Some(Err(error)) => {
                    #[cfg(feature = "tracing")]
                    self.note(&error);
                    return Poll::Ready(Some(Err(error)));
                }
                None => return Poll::Ready(None),
            }
        }
    }
}

impl fmt::Debug for BodyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BodyStream")
    }
}

impl fmt::Debug for BufferedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferedBody")
            .field("bytes", &self.bytes.len())
            .field("is_truncated", &self.is_truncated)
            .finish()
    }
}

/// Prints only the names of headers: a value may contain secrets or private data.
struct HeaderNames<'a>(&'a HeaderMap);

impl fmt::Debug for HeaderNames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// Omits the body and the values of the headers: either may contain secrets or private data.
impl fmt::Debug for BufferedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferedResponse")
            .field("status", &self.status)
            .field("headers", &HeaderNames(&self.headers))
            .field("body", &self.body)
            .field("attempt_log", &self.attempt_log)
            .finish()
    }
}

/// Omits the body and the values of the headers: either may contain secrets or private data.
impl fmt::Debug for RawResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawResponse")
            .field("status", &self.status)
            .field("headers", &HeaderNames(&self.headers))
            .field("body", &self.body)
            .field("attempt_log", &self.attempt_log)
            .finish()
    }
}
