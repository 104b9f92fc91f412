//! The request of a download: one attempt requests what is missing and appends it to the sink.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, Version, header};

use super::ended::{Address, Ended, ErrorResponse};
use super::metadata::{ContentRange, ResourceMetadata, text};
use super::redirects::{Part, allowed, follow};
use super::sink::Sink;
use super::{Download, OnProgress, Progress, integrity_mismatch, write_failed};
use crate::attempt::{ERROR_BODY_LIMIT, Limits, classify_http, hide_in_response, request_id};
use crate::base_url::BaseUrl;
use crate::body::Buffer;
use crate::error::{Limit, Phase, TransportErrorKind};
use crate::operation::Auth;
use crate::outcome::Outcome;
use crate::redact::{Secrets, loggable};
use crate::request_kind::{AttemptContext, AttemptEnd, AttemptError, Next, RequestKind};
use crate::request_summary::RequestSummary;
use crate::retry::{DelayReason, RetryDelay, ServerHint, StopReason};
use crate::settings::Settings;

/// The delay before content that is not ready is requested again: it doubles from the first to the second.
const NOT_READY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

const COMPRESSED: &str = "it is compressed, which was not asked for";
const ENDLESS: &str = "nothing marks its end: it has no length, and is not chunked";
const OTHER_PART: &str = "it is another part than the one that was asked for";
const CHANGED: &str = "it changed while it was downloaded, and the writer has received a part";

pub(crate) struct DownloadRequest<'d, 's> {
    address: Address,
    settings: Arc<Settings>,
    stall_timeout: Duration,
    not_ready_timeout: Duration,
    on_progress: Option<Mutex<OnProgress<'d>>>,
    sink: Sink<'s>,
    metadata: ResourceMetadata,
    /// True once a part was requested and something else arrived.
    without_parts: bool,
    /// Responses which say that the content is not ready.
    polls: u32,
    /// Of the attempt in flight.
    status: Option<StatusCode>,
    request_id: Option<String>,
    received: u64,
}

/// The end of a download that has a response.
pub(crate) enum DownloadEnd {
    Complete,
    Rejected(Box<ErrorResponse>),
}

impl<'d, 's> DownloadRequest<'d, 's> {
    pub(super) fn new(download: Download<'d>, sink: Sink<'s>, metadata: ResourceMetadata) -> Self {
        let transport = download.transport;
        Self {
            address: Address {
                operation: download.operation,
                is_api: transport.shared.base_url.is_origin_of(&download.url),
                url: download.url,
                allow_insecure_http: download.allow_insecure_http,
            },
            // No command for a shell may have the token or the headers of the transport: it may go to another host.
            settings: Arc::new(Settings {
                headers: HeaderMap::new(),
                ..Settings::clone(&transport.settings)
            }),
            stall_timeout: download.stall_timeout,
            not_ready_timeout: download.not_ready_timeout,
            on_progress: download.on_progress,
            sink,
            metadata,
            without_parts: false,
            polls: 0,
            status: None,
            request_id: None,
            received: 0,
        }
    }

    /// Takes the sink and the metadata of its content.
    pub(super) fn take_content(&mut self) -> (Sink<'s>, ResourceMetadata) {
        let sink = std::mem::replace(&mut self.sink, Sink::None);
        (sink, std::mem::take(&mut self.metadata))
    }

    #[cfg(feature = "tracing")]
    pub(super) fn span(&self) -> tracing::Span {
        crate::observe::request_span(self.address.operation, &Method::GET, &self.address.url)
    }

    async fn make_attempt(&mut self, context: &AttemptContext<'_>) -> Ended {
        (self.status, self.request_id, self.received) = (None, None, 0);
        let offset = match &self.metadata.validator {
            Some(_) if !self.without_parts => self.sink.written(),
            _ => 0,
        };
        let response = match self.head(context, offset).await {
            Ok(response) => response,
            Err(ended) => return ended,
        };
        self.status = Some(response.status());
        self.request_id = request_id(response.headers());
        let begun = match self.begin(&response, offset).await {
            Ok(Some(begun)) => begun,
            Ok(None) => return self.read_error_response(context, response).await,
            Err(ended) => return ended,
        };
        self.body(context, response, begun).await
    }

    /// Sends the request and follows redirects. The head of the response must arrive within the attempt timeout.
    async fn head(
        &mut self,
        context: &AttemptContext<'_>,
        offset: u64,
    ) -> Result<reqwest::Response, Ended> {
        let part = self.metadata.validator.as_deref().filter(|_| offset > 0);
        let part = part.map(|validator| Part { offset, validator });
        let following = follow(&self.address, part, context, limits(context));
        let (left, attempt_timeout) = (context.left(), context.settings.attempt_timeout);
        let limit = attempt_timeout.min(left);
        let time = &context.shared.time;
        match time.limit(time.now(), limit, following).await {
            Ok(result) => result,
            Err(_) => Err(timed_out(
                Phase::Head,
                Limit::Attempt,
                attempt_timeout,
                left,
                context,
            )),
        }
    }

    /// Compares the response with the content of the sink, and prepares the sink for the body. `None` if the response has no
    /// content.
    async fn begin(
        &mut self,
        response: &reqwest::Response,
        offset: u64,
    ) -> Result<Option<Begun>, Ended> {
        let (status, headers) = (response.status(), response.headers());
        let received = ResourceMetadata::read(status, headers);
        let coding = text(headers, header::CONTENT_ENCODING);
        let is_coded = coding.is_some_and(|coding| !coding.eq_ignore_ascii_case("identity"));
        let begun = match status {
            StatusCode::OK if is_coded => {
                let error = integrity_mismatch(COMPRESSED);
                return Err(Ended::Final(Outcome::Malformed, error));
            }
            StatusCode::OK => self.begin_whole(received).await?,
            StatusCode::PARTIAL_CONTENT if offset > 0 => {
                let length = response.content_length();
                self.begin_part(
                    received,
                    ContentRange::read(headers),
                    length,
                    offset,
                    is_coded,
                )?
            }
            StatusCode::PARTIAL_CONTENT => {
                let error = integrity_mismatch(OTHER_PART);
                return Err(Ended::Final(Outcome::Malformed, error));
            }
            StatusCode::RANGE_NOT_SATISFIABLE if offset > 0 => {
                return Err(Ended::Restart(OTHER_PART));
            }
            _ => return Ok(None),
        };
        let is_framed = begun.expected.is_some()
            || response.version() > Version::HTTP_11
            || headers.contains_key(header::TRANSFER_ENCODING);
        if !is_framed && self.metadata.digest.is_none() {
            let error = integrity_mismatch(ENDLESS);
            return Err(Ended::Final(Outcome::Malformed, error));
        }
        Ok(Some(begun))
    }

    /// Begins the whole content, or skips the bytes that the sink already has.
    async fn begin_whole(&mut self, received: ResourceMetadata) -> Result<Begun, Ended> {
        let written = self.sink.written();
        let is_same = received.validator.is_some()
            && received.validator == self.metadata.validator
            && received.total.is_none_or(|total| written <= total);
        if written > 0 && is_same {
            self.metadata.total = received.total.or(self.metadata.total);
            return Ok(Begun {
                skip: written,
                expected: received.total,
            });
        }
        if !self.sink.can_begin() {
            return Err(Ended::Final(
                Outcome::Malformed,
                integrity_mismatch(CHANGED),
            ));
        }
        self.metadata = received;
        if let Err(error) = self.sink.begin(&self.metadata).await {
            return Err(Ended::Final(Outcome::WriteFailed, write_failed(error)));
        }
        Ok(Begun {
            skip: 0,
            expected: self.metadata.total,
        })
    }

    /// Begins the rest, if it continues the content of the sink: a 206 must have the entity tag of `If-Range` (RFC 9110,
    /// section 15.3.7), and as many bytes as its range.
    fn begin_part(
        &mut self,
        received: ResourceMetadata,
        range: Option<ContentRange>,
        length: Option<u64>,
        offset: u64,
        is_coded: bool,
    ) -> Result<Begun, Ended> {
        let Some(range) = range else {
            return Err(Ended::Restart(OTHER_PART));
        };
        let expected = range.length;
        let total = range.total.or(self.metadata.total);
        let is_tagged =
            (self.metadata.validator.as_deref()).is_some_and(|tag| tag.starts_with('"'));
        let has_validator = received.validator == self.metadata.validator
            || (received.validator.is_none() && !is_tagged);
        let fits = range.first == offset
            && !is_coded
            && total.is_some()
            && (self.metadata.total.is_none() || self.metadata.total == total)
            && length.is_none_or(|length| length == expected)
            && has_validator;
        if !fits {
            return Err(Ended::Restart(OTHER_PART));
        }
        self.metadata.total = total;
        self.metadata.digest = self.metadata.digest.or(received.digest);
        if self.metadata.content_type.is_none() {
            self.metadata.content_type = received.content_type;
        }
        Ok(Begun {
            skip: 0,
            expected: Some(expected),
        })
    }

    /// Reads the body into the sink. If it turns out to be another part, its bytes are discarded.
    async fn body(
        &mut self,
        context: &AttemptContext<'_>,
        response: reqwest::Response,
        begun: Begun,
    ) -> Ended {
        let verified = self.sink.written();
        let ended = self.read_body(context, response, begun).await;
        if let Ended::Final(Outcome::Malformed, _) = &ended
            && let Err(error) = self.sink.roll_back(verified).await
        {
            return Ended::Final(Outcome::WriteFailed, write_failed(error));
        }
        ended
    }

    async fn read_body(
        &mut self,
        context: &AttemptContext<'_>,
        mut response: reqwest::Response,
        begun: Begun,
    ) -> Ended {
        let Begun { mut skip, expected } = begun;
        let limit = context.settings.body_limit;
        if let Some(total) = self.metadata.total
            && total > limit
        {
            return too_large(limit, self.received, Some(total));
        }
        self.report_progress();
        loop {
            let (left, stall) = (context.left(), self.stall_timeout);
            let time = &context.shared.time;
            let chunk = match time
                .limit(time.now(), stall.min(left), response.chunk())
                .await
            {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => break,
                Ok(Err(error)) => {
                    let phase = Phase::Body;
                    let (outcome, kind) =
                        classify_http(&error, phase, self.received, limits(context));
                    let source = Some(Arc::new(error.without_url()) as _);
                    return Ended::Interrupted(outcome, AttemptError { kind, source });
                }
                Err(_) => return timed_out(Phase::Body, Limit::Stall, stall, left, context),
            };
            self.received += chunk.len() as u64;
            if expected.is_some_and(|expected| self.received > expected) {
                return Ended::Final(Outcome::Malformed, integrity_mismatch(OTHER_PART));
            }
            let skipped = skip.min(chunk.len() as u64);
            skip -= skipped;
            let fresh = chunk.slice(usize::try_from(skipped).unwrap_or(usize::MAX)..);
            if fresh.is_empty() {
                continue;
            }
            let length = self.sink.written() + fresh.len() as u64;
            if length > limit {
                return too_large(limit, length, None);
            }
            if let Err(error) = self.sink.write(&fresh).await {
                return Ended::Final(Outcome::WriteFailed, write_failed(error));
            }
            self.report_progress();
        }
        let written = self.sink.written();
        let total = self.metadata.total.unwrap_or(written);
        // A service may respond with less than was requested.
        if skip > 0 || written < total {
            let kind = TransportErrorKind::Interrupted {
                phase: Phase::Body,
                received: self.received,
            };
            return Ended::Interrupted(Outcome::Truncated, kind.into());
        }
        if written > total {
            return Ended::Final(Outcome::Malformed, integrity_mismatch(OTHER_PART));
        }
        Ended::Complete
    }

    fn report_progress(&mut self) {
        if let Some(on_progress) = &mut self.on_progress {
            let on_progress = on_progress
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner);
            on_progress(Progress {
                bytes: self.sink.written(),
                total: self.metadata.total,
            });
        }
    }

    /// Reads the body of a response without content.
    async fn read_error_response(
        &mut self,
        context: &AttemptContext<'_>,
        mut response: reqwest::Response,
    ) -> Ended {
        let limit = context.settings.attempt_timeout.min(context.left());
        let mut buffer = Buffer::default();
        let reading = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                if buffer.push(chunk, ERROR_BODY_LIMIT).is_err() {
                    return true;
                }
            }
            false
        };
        let time = &context.shared.time;
        let is_truncated = time.limit(time.now(), limit, reading).await;
        Ended::Rejected(Box::new(ErrorResponse {
            status: response.status(),
            headers: response.headers().clone(),
            body: buffer.into_bytes(),
            is_truncated: is_truncated.unwrap_or(true),
        }))
    }

    /// Replaces the secrets in an error response, which is logged: the token, and a signature in the query.
    fn hide_secrets(&mut self, ended: &mut Ended, secrets: &Secrets<'_>) {
        if let Some(id) = &mut self.request_id {
            secrets.hide_in(id);
        }
        match ended {
            Ended::Rejected(response) => {
                let body = (&mut response.body, response.is_truncated);
                hide_in_response(secrets, &mut response.headers, Some(body));
            }
            Ended::Interrupted(_, error) | Ended::Final(_, error) => error.hide(secrets),
            Ended::Complete | Ended::Restart(_) => {}
        }
    }

    /// Returns the delay before content that is not ready is requested again.
    fn poll_again(
        &mut self,
        context: &AttemptContext<'_>,
        hint: ServerHint,
    ) -> Result<RetryDelay, StopReason> {
        let (first, cap) = NOT_READY;
        let doubled = 1_u32.checked_shl(self.polls).unwrap_or(u32::MAX);
        self.polls += 1;
        let ours = first.saturating_mul(doubled).min(cap);
        let (duration, reason) = match hint.retry_after {
            Some(theirs) if theirs > ours => (theirs, DelayReason::RetryAfter),
            _ => (ours, DelayReason::NotReady),
        };
        let now = context.shared.time.now();
        let passed = now.saturating_duration_since(context.started);
        if passed.saturating_add(duration) > self.not_ready_timeout || duration >= context.left() {
            return Err(StopReason::NotReady);
        }
        Ok(RetryDelay { duration, reason })
    }

    fn settle(
        &mut self,
        context: &AttemptContext<'_>,
        ended: Ended,
        advanced: bool,
    ) -> AttemptEnd<DownloadEnd> {
        let mut hint = ServerHint::default();
        let (outcome, result, next) = match ended {
            Ended::Complete => (Outcome::Success, Ok(DownloadEnd::Complete), Next::ByOutcome),
            Ended::Final(outcome, error) => {
                (outcome, Err(error), Next::Stop(StopReason::NotRetryable))
            }
            Ended::Interrupted(outcome, error) => {
                let is_resumable = self.metadata.validator.is_some() || self.sink.can_begin();
                let next = match (is_resumable, advanced) {
                    (false, _) => Next::Stop(StopReason::NotResumable),
                    (true, true) => Next::AfterProgress,
                    (true, false) => Next::ByOutcome,
                };
                (outcome, Err(error), next)
            }
            Ended::Restart(reason) => {
                let is_first = !std::mem::replace(&mut self.without_parts, true);
                let next = match is_first {
                    true => Next::Retry(RetryDelay::none(DelayReason::Restart)),
                    false => Next::Stop(StopReason::NotRetryable),
                };
                (Outcome::Malformed, Err(integrity_mismatch(reason)), next)
            }
            Ended::Rejected(response) => {
                let now = || context.shared.time.system_now();
                hint = ServerHint::read(&response.headers, now);
                let is_not_ready = matches!(response.status.as_u16(), 202 | 404 | 425);
                let next = if is_not_ready && !self.not_ready_timeout.is_zero() {
                    match self.poll_again(context, hint) {
                        Ok(delay) => Next::Retry(delay),
                        Err(stop) => Next::Stop(stop),
                    }
                } else {
                    Next::ByOutcome
                };
                let outcome = match Outcome::of_status(response.status) {
                    Outcome::Success => Outcome::Rejected,
                    outcome => outcome,
                };
                (outcome, Ok(DownloadEnd::Rejected(response)), next)
            }
        };
        AttemptEnd {
            outcome,
            result,
            status: self.status,
            request_id: self.request_id.take(),
            body_bytes: self.received,
            hint,
            next,
        }
    }
}

/// A body: the number of bytes that the sink has, and the total.
#[derive(Clone, Copy)]
struct Begun {
    skip: u64,
    expected: Option<u64>,
}

impl RequestKind for DownloadRequest<'_, '_> {
    type Output = DownloadEnd;

    fn check(&self, _: &BaseUrl) -> Result<(), TransportErrorKind> {
        allowed(&self.address.url, self.address.allow_insecure_http)
    }

    fn is_to_api(&self) -> bool {
        self.address.is_api
    }

    fn is_repeatable(&self, _: &Settings) -> bool {
        true
    }

    fn body_is_gone(&self) -> bool {
        false
    }

    async fn attempt(
        &mut self,
        context: &AttemptContext<'_>,
    ) -> Result<AttemptEnd<DownloadEnd>, AttemptError> {
        let before = self.sink.written();
        let mut ended = self.make_attempt(context).await;
        let url = self.address.url.clone();
        let auth = self.address.operation.auth;
        let secrets = Secrets::of(context.token, auth, &context.shared.credentials);
        self.hide_secrets(&mut ended, &secrets.with_query(&url));
        // Fewer bytes are written if the download has restarted.
        let advanced = self.sink.written() > before;
        Ok(self.settle(context, ended, advanced))
    }

    fn summary(&self) -> Arc<RequestSummary> {
        let mut url = loggable(&self.address.url);
        // It may sign the URL.
        url.set_query(None);
        Arc::new(RequestSummary {
            auth: Auth::None,
            method: Method::GET,
            url,
            headers: Vec::new(),
            has_body: false,
            settings: Arc::clone(&self.settings),
        })
    }
}

fn limits(context: &AttemptContext<'_>) -> Limits {
    Limits {
        attempt: context.settings.attempt_timeout,
        deadline: context.settings.deadline,
        body: context.settings.body_limit,
    }
}

fn too_large(limit: u64, received: u64, announced: Option<u64>) -> Ended {
    let kind = TransportErrorKind::BodyTooLarge {
        limit,
        received,
        announced,
    };
    Ended::Final(Outcome::BodyTooLarge, kind.into())
}

/// Returns the end of an attempt whose limit of `length` passed: the deadline if that was nearer.
fn timed_out(
    phase: Phase,
    limit: Limit,
    length: Duration,
    left: Duration,
    context: &AttemptContext<'_>,
) -> Ended {
    let error = |limit, after| {
        AttemptError::from(TransportErrorKind::TimedOut {
            phase,
            limit,
            after,
        })
    };
    if left <= length {
        let error = error(Limit::Deadline, context.settings.deadline);
        return Ended::Final(Outcome::DeadlineReached, error);
    }
    Ended::Interrupted(Outcome::AttemptTimedOut, error(limit, length))
}
