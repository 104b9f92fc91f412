//! Reading the response of one attempt, and the outcome of the attempt.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode, Version, header};
use url::{Position, Url};

use crate::body::Buffer;
use crate::clients::ApiClient;
use crate::error::{Limit, Phase, RedirectTarget, TransportErrorKind};
use crate::outcome::Outcome;
use crate::redact::Secrets;
use crate::request_kind::{AttemptEnd, AttemptError, Next, Source};
use crate::retry::ServerHint;

/// The most bytes that are kept of an error response's body.
pub(crate) const ERROR_BODY_LIMIT: u64 = 64 << 10;

/// A response of any status that can be returned.
pub(crate) struct ReceivedResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: ReceivedBody,
    pub(crate) extensions: http::Extensions,
}

pub(crate) enum ReceivedBody {
    Buffered { bytes: Bytes, is_truncated: bool },
    Streamed(reqwest::Body),
}

/// The limits of an attempt.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) attempt: Duration,
    pub(crate) deadline: Duration,
    pub(crate) body: u64,
}

/// The part of a response that an attempt has received. It outlives the attempt's future, which a timeout drops.
#[derive(Default)]
pub(crate) struct Received {
    response: Option<reqwest::Response>,
    body: Buffer,
}

/// The reason why an attempt ended early.
pub(crate) enum ReceiveError {
    Http(reqwest::Error),
    /// The connection ended before the request was written to it.
    NeverSent(reqwest::Error),
    /// A body that is ended only by the closing of the connection, and is not complete JSON.
    IncompleteJson,
    TooLarge {
        announced: Option<u64>,
    },
    Redirected {
        to: Option<RedirectTarget>,
    },
    TimedOut(Limit),
}

/// Reads the response into `received`, except for a body that is streamed. `asked` is the URL without the token.
pub(crate) async fn receive(
    responding: impl Future<Output = reqwest::Result<reqwest::Response>>,
    client: &ApiClient,
    asked: &Url,
    streamed: fn(u16) -> bool,
    body_limit: u64,
    received: &mut Received,
) -> Result<(), ReceiveError> {
    // No local holds the response, because the future would have room for it, too.
    let response = begin(responding.await, client, asked, &mut received.response)?;
    let status = response.status();
    if is_streamed(streamed, status) {
        return Ok(());
    }
    let announced = response.content_length();
    let limit = if is_error(status) {
        ERROR_BODY_LIMIT
    } else if announced > Some(body_limit) {
        return Err(ReceiveError::TooLarge { announced });
    } else {
        body_limit
    };
    while let Some(chunk) = response.chunk().await.map_err(ReceiveError::Http)? {
        if received.body.push(chunk, limit).is_err() {
            return Err(ReceiveError::TooLarge { announced: None });
        }
    }
    if announced.is_none() && !is_error(status) && is_delimited_by_close(response) {
        let body = std::mem::take(&mut received.body).into_bytes();
        let is_incomplete = is_incomplete_json(&body);
        // It was within the limit before.
        let _ = received.body.push(body, limit);
        if is_incomplete {
            return Err(ReceiveError::IncompleteJson);
        }
    }
    Ok(())
}

/// Keeps a response, and returns it unless it is a redirect.
fn begin<'r>(
    responded: reqwest::Result<reqwest::Response>,
    client: &ApiClient,
    asked: &Url,
    received: &'r mut Option<reqwest::Response>,
) -> Result<&'r mut reqwest::Response, ReceiveError> {
    let response = responded.map_err(|error| {
        if client.spoke_http2() && was_never_opened(&error) {
            ReceiveError::NeverSent(error)
        } else {
            ReceiveError::Http(error)
        }
    })?;
    client.note_version(response.version());
    if let Some(redirected) = redirect(&response, asked) {
        *received = Some(response);
        return Err(redirected);
    }
    #[cfg(feature = "gzip")]
    let response = crate::decompress::decompress(response);
    Ok(received.insert(response))
}

/// Returns true for a JSON body whose end is marked only by the end of the connection (RFC 9112, section 6.3).
fn is_delimited_by_close(response: &reqwest::Response) -> bool {
    let headers = response.headers();
    let content_type = headers.get(header::CONTENT_TYPE);
    response.version() <= Version::HTTP_11
        && !headers.contains_key(header::TRANSFER_ENCODING)
        && content_type.is_some_and(|value| {
            let media_type = value.as_bytes();
            media_type.starts_with(b"application/json") || media_type.ends_with(b"+json")
        })
}

/// Returns true for a non-empty text that ends inside a JSON value.
fn is_incomplete_json(text: &[u8]) -> bool {
    let value = serde_json::from_slice::<serde::de::IgnoredAny>(text);
    !text.is_empty() && value.is_err_and(|error| error.is_eof())
}

/// The body of an error response is buffered for streamed operations, too.
fn is_streamed(streamed: fn(u16) -> bool, status: StatusCode) -> bool {
    !is_error(status) && streamed(status.as_u16())
}

/// Returns the target of a redirect, or the final URL if a given client followed it.
fn redirect(response: &reqwest::Response, asked: &Url) -> Option<ReceiveError> {
    let is_asked = response.url() == asked
        || response.url()[..Position::AfterPath] == asked[..Position::AfterPath];
    let target = if !is_asked {
        Some(response.url().clone())
    } else if response.status().is_redirection() && response.status() != StatusCode::NOT_MODIFIED {
        let location = response.headers().get(header::LOCATION);
        location.and_then(|location| asked.join(location.to_str().ok()?).ok())
    } else {
        return None;
    };
    let to = target.and_then(RedirectTarget::of);
    Some(ReceiveError::Redirected { to })
}

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Iterates over the headers: a response has few, and two lookups take longer.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    let mut id = None;
    for (name, value) in headers {
        if *name == X_REQUEST_ID {
            id = Some(value);
            break;
        }
        if *name == REQUEST_ID && id.is_none() {
            id = Some(value);
        }
    }
    Some(id?.to_str().ok()?.to_owned())
}

fn is_error(status: StatusCode) -> bool {
    status.as_u16() >= 400
}

/// Replaces the secrets in an error response and in the request id, which are logged. Headers keep their values, but are
/// marked as sensitive.
pub(crate) fn hide_secrets(end: &mut AttemptEnd<ReceivedResponse>, secrets: &Secrets<'_>) {
    if let Some(id) = &mut end.request_id {
        secrets.hide_in(id);
    }
    match &mut end.result {
        Ok(response) if is_error(response.status) => {
            let body = match &mut response.body {
                ReceivedBody::Buffered {
                    bytes,
                    is_truncated,
                } => Some((bytes, *is_truncated)),
                ReceivedBody::Streamed(_) => None,
            };
            hide_in_response(secrets, &mut response.headers, body);
        }
        Err(error) => error.hide(secrets),
        Ok(_) => {}
    }
}

impl AttemptError {
    /// Replaces the secrets in the part that was received.
    pub(crate) fn hide(&mut self, secrets: &Secrets<'_>) {
        if let TransportErrorKind::Redirected { to: Some(to), .. } = &mut self.kind {
            secrets.hide_in(to.host_mut());
        }
    }
}

/// Replaces the secrets in the body of an error response, which may be truncated, and marks the headers that have one.
pub(crate) fn hide_in_response(
    secrets: &Secrets<'_>,
    headers: &mut HeaderMap,
    body: Option<(&mut Bytes, bool)>,
) {
    for value in headers.values_mut() {
        if secrets.hide(value.as_bytes(), false).is_some() {
            value.set_sensitive(true);
        }
    }
    if let Some((bytes, is_truncated)) = body
        && let Some(hidden) = secrets.hide(bytes, is_truncated)
    {
        *bytes = hidden.into();
    }
}

/// Returns the end of an attempt that received `received` before it ended.
pub(crate) fn settle(
    received: Received,
    ended: Result<(), ReceiveError>,
    streamed: fn(u16) -> bool,
    limits: Limits,
) -> AttemptEnd<ReceivedResponse> {
    let Received { response, body } = received;
    let body_bytes = body.received;
    let status = response.as_ref().map(reqwest::Response::status);
    let request_id = response
        .as_ref()
        .and_then(|response| request_id(response.headers()));
    let phase = match response {
        Some(_) => Phase::Body,
        None => Phase::Head,
    };
    let (outcome, result) = match (response, ended) {
        // An error status is a response, even if the rest is lost.
        (Some(response), ended)
            if is_error(response.status())
                && !matches!(ended, Err(ReceiveError::Redirected { .. })) =>
        {
            let body = ReceivedBody::Buffered {
                bytes: body.into_bytes(),
                is_truncated: ended.is_err(),
            };
            let outcome = Outcome::of_status(response.status());
            (outcome, Ok(received_response(response, |_| body)))
        }
        (Some(response), Ok(())) => {
            let is_streamed = is_streamed(streamed, response.status());
            let response = received_response(response, |response| match is_streamed {
                true => ReceivedBody::Streamed(http::Response::from(response).into_body()),
                false => ReceivedBody::Buffered {
                    bytes: body.into_bytes(),
                    is_truncated: false,
                },
            });
            (Outcome::Success, Ok(response))
        }
        // Unreachable: `receive` succeeds only with a response.
        (None, Ok(())) => (
            Outcome::Unsendable,
            Err(TransportErrorKind::InvalidRequest.into()),
        ),
        (response, Err(error)) => {
            let status = response.map_or(StatusCode::OK, |response| response.status());
            let (outcome, kind, source) = classify(error, status, phase, body_bytes, limits);
            (outcome, Err(AttemptError { kind, source }))
        }
    };
    AttemptEnd {
        outcome,
        result,
        status,
        request_id,
        body_bytes,
        hint: ServerHint::default(),
        next: Next::ByOutcome,
    }
}

fn received_response(
    mut response: reqwest::Response,
    body: impl FnOnce(reqwest::Response) -> ReceivedBody,
) -> ReceivedResponse {
    ReceivedResponse {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        extensions: std::mem::take(response.extensions_mut()),
        body: body(response),
    }
}

fn classify(
    error: ReceiveError,
    status: StatusCode,
    phase: Phase,
    received: u64,
    limits: Limits,
) -> (Outcome, TransportErrorKind, Source) {
    let (outcome, kind) = match error {
        ReceiveError::Redirected { to } => (
            Outcome::Redirected,
            TransportErrorKind::Redirected { status, to },
        ),
        ReceiveError::IncompleteJson => (
            Outcome::Truncated,
            TransportErrorKind::Interrupted { phase, received },
        ),
        ReceiveError::TooLarge { announced } => (
            Outcome::BodyTooLarge,
            TransportErrorKind::BodyTooLarge {
                limit: limits.body,
                received,
                announced,
            },
        ),
        ReceiveError::TimedOut(limit) => {
            let (outcome, after) = match limit {
                Limit::Attempt | Limit::Stall => (Outcome::AttemptTimedOut, limits.attempt),
                Limit::Deadline => (Outcome::DeadlineReached, limits.deadline),
            };
            let kind = TransportErrorKind::TimedOut {
                phase,
                limit,
                after,
            };
            (outcome, kind)
        }
        ReceiveError::NeverSent(error) => {
            let source = Some(Arc::new(error.without_url()) as _);
            return (
                Outcome::NotProcessed,
                TransportErrorKind::NotProcessed,
                source,
            );
        }
        ReceiveError::Http(error) => {
            let (outcome, kind) = classify_http(&error, phase, received, limits);
            // The URL has the query.
            return (outcome, kind, Some(Arc::new(error.without_url())));
        }
    };
    (outcome, kind, None)
}

pub(crate) fn classify_http(
    error: &reqwest::Error,
    phase: Phase,
    received: u64,
    limits: Limits,
) -> (Outcome, TransportErrorKind) {
    if error.is_connect() {
        return if is_tls(error) {
            (Outcome::TlsRejected, TransportErrorKind::Tls)
        } else if error.is_timeout() {
            (
                Outcome::ConnectTimedOut,
                TransportErrorKind::Connect { timed_out: true },
            )
        } else {
            (
                Outcome::ConnectFailed,
                TransportErrorKind::Connect { timed_out: false },
            )
        };
    }
    if error.is_builder() {
        return (Outcome::Unsendable, TransportErrorKind::InvalidRequest);
    }
    if phase == Phase::Head && was_not_processed(error) {
        return (Outcome::NotProcessed, TransportErrorKind::NotProcessed);
    }
    let hyper = || causes(error).filter_map(|cause| cause.downcast_ref::<hyper::Error>());
    // An HTTP/2 ping that was not answered is a timeout too, but says that the connection is dead.
    if error.is_timeout() && !hyper().any(hyper::Error::is_timeout) {
        // A time limit that a given client sets.
        let kind = TransportErrorKind::TimedOut {
            phase,
            limit: Limit::Attempt,
            after: limits.attempt,
        };
        return (Outcome::AttemptTimedOut, kind);
    }
    let is_parse = hyper().any(hyper::Error::is_parse);
    let is_data = has_io(
        error,
        &[io::ErrorKind::InvalidData, io::ErrorKind::InvalidInput],
    );
    // The decoders have no common error type: an error that is neither of the connection nor an early end is theirs.
    let is_decoder = phase == Phase::Body
        && hyper().next().is_none()
        && !has_io(error, &[io::ErrorKind::UnexpectedEof]);
    if is_parse || is_data || is_decoder {
        return (Outcome::Malformed, TransportErrorKind::Malformed { phase });
    }
    let outcome = if phase == Phase::Body {
        Outcome::Truncated
    } else {
        Outcome::Interrupted
    };
    (outcome, TransportErrorKind::Interrupted { phase, received })
}

/// Returns true if the server has certainly not processed the request: it was never written to a connection, its stream
/// was refused, or its stream came after the last one of a graceful GOAWAY (RFC 9113, sections 6.8 and 8.7).
fn was_not_processed(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| {
        if let Some(error) = cause.downcast_ref::<hyper::Error>() {
            return error.is_canceled();
        }
        #[cfg(any(feature = "rustls", feature = "native-tls"))]
        if let Some(error) = cause.downcast_ref::<h2::Error>() {
            let is_graceful = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
            let is_refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
            return error.is_remote() && (is_graceful || is_refused);
        }
        false
    })
}

/// Returns true if an HTTP/2 stream was waiting to be opened when its connection ended gracefully: hyper drops the request
/// then. It would do the same with an HTTP/1 request that was sent, if the runtime shut down.
fn was_never_opened(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| {
        cause
            .downcast_ref::<hyper::Error>()
            .is_some_and(|error| error.is_user() && !error.is_body_write_aborted())
    })
}

/// Returns true if TLS ended the handshake, and not the connection under it.
fn is_tls(error: &reqwest::Error) -> bool {
    #[cfg(feature = "native-tls")]
    if causes(error).any(|cause| cause.is::<native_tls::Error>())
        && !causes(error).any(|cause| cause.is::<io::Error>())
    {
        return true;
    }
    // rustls reports every handshake that it ended as invalid data.
    has_io(error, &[io::ErrorKind::InvalidData])
}

fn has_io(error: &reqwest::Error, kinds: &[io::ErrorKind]) -> bool {
    causes(error).any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|io| kinds.contains(&io.kind()))
    })
}

/// Returns the error and its causes, including those that an `io::Error` holds without counting them among its sources.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |this: &&'e (dyn Error + 'static)| {
        let this: &'e (dyn Error + 'static) = *this;
        match this
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => this.source(),
        }
    })
}
