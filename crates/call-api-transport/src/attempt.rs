//! One attempt: sending the request, reading the response, and what either comes to.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderName, StatusCode, Version, header};
use url::{Position, Url};

use crate::body::Buffer;
use crate::error::{Limit, Phase, TransportErrorKind};
use crate::operation::ResponseBody;
use crate::redact::Secrets;
use crate::retry::Outcome;

/// The most that is kept of an error response's body.
pub(crate) const ERROR_BODY_LIMIT: u64 = 64 << 10;

/// A response that is handed on, whatever its status.
pub(crate) struct ReceivedResponse {
    pub(crate) head: ResponseHead,
    pub(crate) body: ReceivedBody,
}

pub(crate) enum ReceivedBody {
    Whole { bytes: Bytes, cut: bool },
    Streamed(reqwest::Body),
}

pub(crate) struct ResponseHead {
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) extensions: Extensions,
}

impl ResponseHead {
    fn take(response: &mut reqwest::Response) -> Self {
        Self {
            status: response.status(),
            version: response.version(),
            headers: std::mem::take(response.headers_mut()),
            extensions: std::mem::take(response.extensions_mut()),
        }
    }
}

/// Why there is no response.
pub(crate) struct AttemptError {
    pub(crate) kind: TransportErrorKind,
    pub(crate) source: Option<Arc<dyn Error + Send + Sync>>,
}

impl From<TransportErrorKind> for AttemptError {
    fn from(kind: TransportErrorKind) -> Self {
        Self { kind, source: None }
    }
}

/// What an attempt may take.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) attempt: Duration,
    pub(crate) deadline: Duration,
    pub(crate) body: u64,
}

/// What an attempt has brought so far. It lives outside of the attempt's future, which a time-out drops.
#[derive(Default)]
pub(crate) struct Progress {
    response: Option<reqwest::Response>,
    body: Buffer,
}

/// What ended an attempt before its time.
pub(crate) enum ReceiveError {
    Http(reqwest::Error),
    TooLarge { announced: Option<u64> },
    Redirected { to: Option<String> },
    Late(Limit),
}

/// Reads the response into `progress` as far as it comes, but for a body that is for the caller to read. `responding` is
/// the request under way, and `asked` its URL without the token.
pub(crate) async fn receive(
    responding: impl Future<Output = reqwest::Result<reqwest::Response>>,
    asked: &Url,
    reader: ResponseBody,
    body_limit: u64,
    progress: &mut Progress,
) -> Result<(), ReceiveError> {
    let response = responding.await.map_err(ReceiveError::Http)?;
    let response = progress.response.insert(response);
    let status = response.status();
    if let Some(redirected) = redirect(response, asked) {
        return Err(redirected);
    }
    if is_streamed(reader, status) {
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
        if progress.body.push(chunk, limit).is_err() {
            return Err(ReceiveError::TooLarge { announced: None });
        }
    }
    Ok(())
}

/// The body of an error is read here, whoever reads the others.
fn is_streamed(reader: ResponseBody, status: StatusCode) -> bool {
    reader == ResponseBody::Streamed && !is_error(status)
}

/// Where a redirect points to, or has led where a client that was given followed it.
fn redirect(response: &reqwest::Response, asked: &Url) -> Option<ReceiveError> {
    let target = if response.url()[..Position::AfterPath] != asked[..Position::AfterPath] {
        Some(response.url().clone())
    } else if response.status().is_redirection() && response.status() != StatusCode::NOT_MODIFIED {
        let location = response.headers().get(header::LOCATION);
        location.and_then(|location| asked.join(location.to_str().ok()?).ok())
    } else {
        return None;
    };
    let to = target.as_ref().and_then(|url| {
        let host = url.host_str()?;
        Some(match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        })
    });
    Some(ReceiveError::Redirected { to })
}

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// By a walk over the headers: a response has few, and to look two names up takes longer.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    let named = |wanted: HeaderName| headers.iter().find(move |(name, _)| **name == wanted);
    let (_, id) = named(X_REQUEST_ID).or_else(|| named(REQUEST_ID))?;
    Some(id.to_str().ok()?.to_owned())
}

fn is_error(status: StatusCode) -> bool {
    status.as_u16() >= 400
}

/// An attempt's end.
pub(crate) struct AttemptEnd {
    pub(crate) outcome: Outcome,
    pub(crate) result: Result<ReceivedResponse, AttemptError>,
    pub(crate) status: Option<StatusCode>,
    pub(crate) request_id: Option<String>,
    pub(crate) body_bytes: u64,
}

impl AttemptEnd {
    /// Takes the token out of all that the service says about an error, and out of the request id: it goes to logs.
    /// Headers keep their values, which are no longer printed.
    pub(crate) fn hide(&mut self, secrets: &Secrets<'_>) {
        if let Some(id) = &mut self.request_id {
            secrets.hide_in(id);
        }
        match &mut self.result {
            Ok(ReceivedResponse { head, body }) if is_error(head.status) => {
                let bytes = match body {
                    ReceivedBody::Whole { bytes, cut } => Some((bytes, *cut)),
                    ReceivedBody::Streamed(_) => None,
                };
                hide_in_answer(secrets, &mut head.headers, bytes);
            }
            Err(error) => error.hide(secrets),
            Ok(_) => {}
        }
    }
}

impl AttemptError {
    /// Takes the token out of what of it the service said.
    pub(crate) fn hide(&mut self, secrets: &Secrets<'_>) {
        if let TransportErrorKind::Redirected { to: Some(to), .. } = &mut self.kind {
            secrets.hide_in(to);
        }
    }
}

/// Takes the token out of an error's body, which may have been cut, and marks the headers that have it.
pub(crate) fn hide_in_answer(
    secrets: &Secrets<'_>,
    headers: &mut HeaderMap,
    body: Option<(&mut Bytes, bool)>,
) {
    for value in headers.values_mut() {
        if secrets.hide(value.as_bytes(), false).is_some() {
            value.set_sensitive(true);
        }
    }
    if let Some((bytes, cut)) = body
        && let Some(hidden) = secrets.hide(bytes, cut)
    {
        *bytes = hidden.into();
    }
}

/// What an attempt comes to.
pub(crate) fn settle(
    progress: Progress,
    ended: Result<(), ReceiveError>,
    reader: ResponseBody,
    limits: Limits,
) -> AttemptEnd {
    let Progress { response, body } = progress;
    let received = body.received;
    let status = response.as_ref().map(reqwest::Response::status);
    let request_id = response
        .as_ref()
        .and_then(|response| request_id(response.headers()));
    let phase = if response.is_some() {
        Phase::Body
    } else {
        Phase::Head
    };
    let (outcome, result) = match (response, ended) {
        // Once there is an error status it is the answer, however the rest of it fares.
        (Some(mut response), ended)
            if is_error(response.status())
                && !matches!(ended, Err(ReceiveError::Redirected { .. })) =>
        {
            let cut = ended.is_err();
            let outcome = Outcome::of_status(response.status());
            let head = ResponseHead::take(&mut response);
            let body = ReceivedBody::Whole {
                bytes: body.into_bytes(),
                cut,
            };
            (outcome, Ok(ReceivedResponse { head, body }))
        }
        (Some(mut response), Ok(())) => {
            let head = ResponseHead::take(&mut response);
            let body = if is_streamed(reader, head.status) {
                ReceivedBody::Streamed(http::Response::from(response).into_body())
            } else {
                ReceivedBody::Whole {
                    bytes: body.into_bytes(),
                    cut: false,
                }
            };
            (Outcome::Success, Ok(ReceivedResponse { head, body }))
        }
        // It can't be: `receive` is done only when there is a response.
        (None, Ok(())) => (
            Outcome::Unsendable,
            Err(TransportErrorKind::InvalidRequest.into()),
        ),
        (response, Err(broken)) => {
            let status = response.map_or(StatusCode::OK, |response| response.status());
            let (outcome, kind, source) = classify(broken, status, phase, received, limits);
            (outcome, Err(AttemptError { kind, source }))
        }
    };
    AttemptEnd {
        outcome,
        result,
        status,
        request_id,
        body_bytes: received,
    }
}

pub(crate) type Source = Option<Arc<dyn Error + Send + Sync>>;

fn classify(
    broken: ReceiveError,
    status: StatusCode,
    phase: Phase,
    received: u64,
    limits: Limits,
) -> (Outcome, TransportErrorKind, Source) {
    let (outcome, kind) = match broken {
        ReceiveError::Redirected { to } => (
            Outcome::Redirected,
            TransportErrorKind::Redirected { status, to },
        ),
        ReceiveError::TooLarge { announced } => (
            Outcome::BodyTooLarge,
            TransportErrorKind::BodyTooLarge {
                limit: limits.body,
                received,
                announced,
            },
        ),
        ReceiveError::Late(limit) => match limit {
            // An attempt of this kind has no limit of the second sort.
            Limit::Attempt | Limit::Stall => (
                Outcome::AttemptTimedOut,
                TransportErrorKind::TimedOut {
                    phase,
                    limit,
                    after: limits.attempt,
                },
            ),
            Limit::Deadline => (
                Outcome::DeadlineReached,
                TransportErrorKind::TimedOut {
                    phase,
                    limit,
                    after: limits.deadline,
                },
            ),
        },
        ReceiveError::Http(error) => {
            let (outcome, kind) = classify_http(&error, phase, received, limits);
            // The URL carries the query.
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
    if error.is_timeout() {
        // A limit of the given client's own.
        let kind = TransportErrorKind::TimedOut {
            phase,
            limit: Limit::Attempt,
            after: limits.attempt,
        };
        return (Outcome::AttemptTimedOut, kind);
    }
    let hyper = || causes(error).filter_map(|cause| cause.downcast_ref::<hyper::Error>());
    let is_parse = hyper().any(hyper::Error::is_parse);
    let is_data = has_io(
        error,
        &[io::ErrorKind::InvalidData, io::ErrorKind::InvalidInput],
    );
    // The decoders have no error type in common; what names neither the connection nor an early end is theirs.
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

/// Whether it was TLS that ended the handshake, and not the connection under it.
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

/// The error and its causes, also those that an `io::Error` holds without counting them among its sources.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |this: &&'e (dyn Error + 'static)| {
        let this: &'e (dyn Error + 'static) = *this;
        match this
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(cached) => Some(cached),
            None => this.source(),
        }
    })
}
