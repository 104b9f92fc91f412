//! One call, from the request to the response or the failure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use reqwest::ResponseBuilderExt as _;

use crate::Transport;
use crate::attempt::{
    AttemptEnd, AttemptError, Limits, Progress, ReceiveError, ReceivedBody, ReceivedResponse,
    receive, settle,
};
use crate::attempt_log::{Attempt, AttemptLog, DelayReason, RetryDelay};
use crate::body::StallTimeoutBody;
use crate::budget::Permit;
use crate::builder::Settings;
use crate::error::{Limit, Phase, TransportError, TransportErrorKind};
use crate::exchange::Exchange;
use crate::operation::{Auth, Operation};
use crate::redact::Secrets;
use crate::response::{BodyStream, BufferedBody, RawBody, RawResponse};
use crate::retry::{IDEMPOTENCY_KEY, Outcome, RetryContext, ServerHint, StopReason, is_repeatable};
use crate::token::{IssuedToken, ProviderError};

/// How an attempt went.
enum AttemptResult {
    Well(ReceivedResponse),
    /// Boxed, since it is kept over a wait, where its size would be the future's.
    Otherwise(Box<FailedAttempt>),
}

/// An attempt that was no success.
struct FailedAttempt {
    end: AttemptEnd,
    hint: ServerHint,
}

/// A call under way.
pub(crate) struct InFlightRequest<'a> {
    transport: &'a Transport,
    settings: Arc<Settings>,
    operation: &'a Operation,
    /// The request as it was given: first itself, then what is left of it when it has been sent. None of it carries the
    /// token or the transport's headers.
    request: reqwest::Request,
    /// The headers of a request that was sent: a list is copied sooner than a map.
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Whether the body was a stream, which went with the first attempt.
    body_is_gone: bool,
    /// `None` before the first poll.
    started: Option<Instant>,
    attempts: Vec<Attempt>,
    stop: StopReason,
    timeouts: u32,
    /// Waited for turns under the rate limit: in all, and since the last attempt.
    queued: Duration,
    queued_now: Duration,
}

impl<'a> InFlightRequest<'a> {
    pub(crate) fn new(
        transport: &'a Transport,
        operation: &'a Operation,
        request: reqwest::Request,
        settings: Arc<Settings>,
    ) -> Self {
        Self {
            transport,
            settings,
            operation,
            request,
            headers: Vec::new(),
            body_is_gone: false,
            started: None,
            // Most calls need no more.
            attempts: Vec::with_capacity(1),
            stop: StopReason::NotSent,
            timeouts: 0,
            queued: Duration::ZERO,
            queued_now: Duration::ZERO,
        }
    }

    /// Takes `self` by reference: a value that is moved into a future is stored in it twice.
    pub(crate) async fn execute(&mut self) -> Result<reqwest::Response, TransportError> {
        let result = self.run_boxed().await;
        self.finish(result)
    }

    pub(crate) async fn send(&mut self) -> Result<RawResponse, TransportError> {
        let result = self.run_boxed().await;
        let attempt_log = self.attempt_log();
        if let Some(observer) = &self.transport.shared.observer {
            observer.request(self.operation, &attempt_log);
        }
        match result {
            Ok(ReceivedResponse { head, body }) => Ok(RawResponse {
                status: head.status,
                headers: head.headers,
                body: match body {
                    ReceivedBody::Whole { bytes, cut } => RawBody::Buffered(BufferedBody {
                        bytes,
                        is_truncated: cut,
                    }),
                    ReceivedBody::Streamed(stream) => {
                        RawBody::Streamed(BodyStream(self.stall_timeout_body(stream)))
                    }
                },
                attempt_log,
            }),
            Err(AttemptError { kind, source }) => {
                Err(TransportError::new(kind, attempt_log, source))
            }
        }
    }

    /// Boxed, so that the future the caller moves about stays small.
    async fn run_boxed(&mut self) -> Result<ReceivedResponse, AttemptError> {
        self.started = Some(self.transport.shared.time.now());
        #[cfg(not(feature = "tracing"))]
        let result = Box::into_pin(Box::write(Box::new_uninit(), self.run())).await;
        #[cfg(feature = "tracing")]
        let result = {
            let request = &self.request;
            let span =
                crate::observe::request_span(self.operation, request.method(), request.url());
            let mut running = Box::into_pin(Box::write(Box::new_uninit(), self.run()));
            // `Instrument` would hold the span a second time.
            let result =
                std::future::poll_fn(|context| span.in_scope(|| running.as_mut().poll(context)))
                    .await;
            drop(running);
            crate::observe::request_ended(&span, &self.attempts);
            result
        };
        result
    }

    async fn run(&mut self) -> Result<ReceivedResponse, AttemptError> {
        let shared = &*self.transport.shared;
        shared
            .base_url
            .check(self.request.url(), self.operation.path)
            .map_err(|reason| TransportErrorKind::RefusedUrl { reason })?;
        let repeatable = is_repeatable(self.request.method(), self.request.headers())
            || self
                .transport
                .settings
                .headers
                .contains_key(IDEMPOTENCY_KEY);
        // Held over a retry; see `budget`.
        let mut permit: Option<Permit<'_>> = None;
        let mut token_was_renewed = false;
        // Attempts that count; one with a renewed token does not.
        let mut made = 0;
        loop {
            if let Err(error) = self.wait_for_throttle().await {
                return Err(self.stop_between(error));
            }
            #[cfg(feature = "rate-limit")]
            if let Err(error) = self.wait_for_rate_limit().await {
                return Err(self.stop_between(error));
            }
            let issued = match self.issue_token().await {
                Ok(issued) => issued,
                Err(error) => return Err(self.stop_between(error)),
            };
            let failed = match self.attempt(issued.as_ref()).await? {
                AttemptResult::Well(answer) => {
                    if permit.is_none() {
                        shared.budget.give(1);
                    }
                    self.stop = StopReason::Success;
                    return Ok(answer);
                }
                AttemptResult::Otherwise(failed) => failed,
            };
            let FailedAttempt { end, hint } = &*failed;
            made += 1;
            if let Some(permit) = permit.take()
                && end.outcome.is_transient()
            {
                permit.spend();
            }
            if end.outcome == Outcome::Unauthorized
                && !token_was_renewed
                && !self.body_is_gone
                && hint.should_retry != Some(false)
                && let Some(refused) = &issued
                && shared.credentials.of(self.operation.auth).reject(refused)
            {
                token_was_renewed = true;
                let renewed = match self.issue_token().await {
                    Ok(renewed) => renewed,
                    Err(error) => return Err(self.stop_between(error)),
                };
                if renewed.is_some_and(|renewed| !renewed.token.is_same(&refused.token)) {
                    made -= 1;
                    self.note_wait(RetryDelay {
                        duration: Duration::ZERO,
                        reason: DelayReason::FreshToken,
                    });
                    continue;
                }
            }
            if end.outcome == Outcome::AttemptTimedOut {
                self.timeouts += 1;
            }
            let context = RetryContext {
                outcome: end.outcome,
                attempts: made,
                max_attempts: self.settings.max_attempts,
                timeouts: self.timeouts,
                repeatable,
                body_is_stream: self.body_is_gone,
                hint: *hint,
                left: self.left(),
                backoff: shared.backoff,
                jitter: &shared.jitter,
            };
            let decision = context.decide().and_then(|wait| {
                let permit = shared
                    .budget
                    .take(end.outcome.cost())
                    .ok_or(StopReason::BudgetExhausted)?;
                Ok((wait, permit))
            });
            if end.outcome == Outcome::Throttled
                && let Some(throttle) = &self.transport.throttle
            {
                let pause = match &decision {
                    Ok((wait, _)) => wait.duration,
                    Err(_) => hint.retry_after.unwrap_or_else(|| context.backoff()),
                };
                throttle.close(shared.time.now(), pause);
            }
            match decision {
                Ok((wait, taken)) => {
                    permit = Some(taken);
                    self.note_wait(wait);
                    shared.time.sleep(wait.duration).await;
                }
                Err(stop) => {
                    self.stop = stop;
                    return failed.end.result;
                }
            }
        }
    }

    /// What comes before an attempt has failed: where it was not the first, that is why there is no further one.
    fn stop_between(&mut self, error: AttemptError) -> AttemptError {
        if !self.attempts.is_empty() {
            self.stop = StopReason::before_attempt(&error.kind);
        }
        error
    }

    /// What is left of the deadline.
    fn left(&self) -> Duration {
        self.left_at(self.transport.shared.time.now())
    }

    fn left_at(&self, now: Instant) -> Duration {
        let deadline = self.settings.deadline;
        deadline.saturating_sub(self.passed_at(now))
    }

    fn passed_at(&self, now: Instant) -> Duration {
        let started = self.started.unwrap_or(now);
        now.saturating_duration_since(started)
    }

    fn past_deadline(&self, phase: Phase) -> AttemptError {
        let after = self.settings.deadline;
        TransportErrorKind::TimedOut {
            phase,
            limit: Limit::Deadline,
            after,
        }
        .into()
    }

    async fn wait_for_throttle(&self) -> Result<(), AttemptError> {
        while let Some(wait) = self.transport.throttled_for() {
            if wait >= self.left() {
                return Err(self.past_deadline(Phase::Throttle));
            }
            self.transport.sleep(wait).await;
        }
        Ok(())
    }

    #[cfg(feature = "rate-limit")]
    async fn wait_for_rate_limit(&mut self) -> Result<(), AttemptError> {
        let transport = self.transport;
        let shared = &*transport.shared;
        let Some(rate) = &shared.rate else {
            return Ok(());
        };
        while let Some(wait) = rate.wait() {
            if wait >= self.left() {
                return Err(self.past_deadline(Phase::RateLimit));
            }
            self.queued += wait;
            self.queued_now += wait;
            shared.time.sleep(wait).await;
        }
        Ok(())
    }

    async fn issue_token(&self) -> Result<Option<IssuedToken>, AttemptError> {
        if self.operation.auth == Auth::None {
            return Ok(None);
        }
        let shared = &*self.transport.shared;
        // No timer for a token that is at hand.
        let source = shared.credentials.of(self.operation.auth);
        if let Some(issued) = source.cached() {
            return Ok(issued);
        }
        let getting = source.get(&shared.time);
        let limited = shared.time.limit(self.left(), getting).await;
        let got = limited.map_err(|_| self.past_deadline(Phase::Token))?;
        got.map_err(|error| AttemptError {
            kind: TransportErrorKind::TokenUnavailable,
            source: Some(Arc::new(ProviderError(error))),
        })
    }

    /// The request as it was given, of which a copy stays for another attempt: what was given has room for more headers.
    /// Leaves out a time-out of reqwest's own, which would end the call in a way that is not told from others.
    fn as_given(&mut self) -> reqwest::Request {
        let given = &mut self.request;
        for (name, value) in self.headers.drain(..) {
            given.headers_mut().append(name, value);
        }
        if given.timeout().is_some() {
            *given.timeout_mut() = None;
        }
        if given.body().is_some() {
            if let Some(copy) = given.try_clone() {
                return std::mem::replace(given, copy);
            }
            self.body_is_gone = true;
        }
        let mut request = reqwest::Request::new(given.method().clone(), given.url().clone());
        *request.version_mut() = given.version();
        self.headers = listed(given.headers()).collect();
        std::mem::swap(given, &mut request);
        request
    }

    /// Sends the request, with the token; `None` where that fits into no header.
    fn send_attempt(
        &mut self,
        issued: Option<&IssuedToken>,
    ) -> Option<impl Future<Output = reqwest::Result<reqwest::Response>> + use<>> {
        let mut request = self.as_given();
        // With room for the token's and for those that HTTP itself adds, so that the map grows once.
        let settings = &self.settings;
        let headers = request.headers_mut();
        headers.reserve(settings.headers.len() + 3);
        settings.add_headers(headers);
        // A server may take a request of these methods without a length for one without an end (RFC 9110, section 8.6).
        if request.body().is_none()
            && [Method::POST, Method::PUT, Method::PATCH].contains(request.method())
        {
            let headers = request.headers_mut();
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if let Some(IssuedToken { token, .. }) = issued {
            token.authorize(self.operation.auth, &mut request)?;
        }
        Some(self.transport.shared.http.execute(request))
    }

    async fn attempt(
        &mut self,
        issued: Option<&IssuedToken>,
    ) -> Result<AttemptResult, AttemptError> {
        let begun = self.transport.shared.time.now();
        let left = self.left_at(begun);
        if left.is_zero() {
            return Err(self.stop_between(self.past_deadline(Phase::Head)));
        }
        // What the HTTP client makes of the request is small, where the request itself would make this future larger.
        let Some(responding) = self.send_attempt(issued) else {
            return Err(TransportErrorKind::InvalidRequest.into());
        };
        let shared = &*self.transport.shared;
        let settings = &*self.settings;
        let mut progress = Progress::default();
        let ended = {
            // Pinned here, so that it is not moved into the limit's own.
            let receiving = std::pin::pin!(receive(
                responding,
                self.request.url(),
                self.operation.body,
                settings.body_limit,
                &mut progress,
            ));
            let limit = settings.attempt_timeout.min(left);
            let limited = shared.time.limit(limit, receiving).await;
            limited.unwrap_or_else(|_| {
                let limit = if left <= settings.attempt_timeout {
                    Limit::Deadline
                } else {
                    Limit::Attempt
                };
                Err(ReceiveError::Late(limit))
            })
        };
        Ok(self.settled(begun, issued, progress, ended))
    }

    /// Notes how an attempt ended.
    fn settled(
        &mut self,
        begun: Instant,
        issued: Option<&IssuedToken>,
        progress: Progress,
        ended: Result<(), ReceiveError>,
    ) -> AttemptResult {
        let shared = &*self.transport.shared;
        let settings = &*self.settings;
        let limits = Limits {
            attempt: settings.attempt_timeout,
            deadline: settings.deadline,
            body: settings.body_limit,
        };
        let mut end = settle(progress, ended, self.operation.body, limits);
        if let Some(IssuedToken { token, .. }) = issued
            && (end.outcome != Outcome::Success || end.request_id.is_some())
        {
            end.hide(&Secrets::of(token, self.operation.auth));
        }
        let hint = match &end.result {
            Ok(answer) if end.outcome != Outcome::Success => {
                ServerHint::read(&answer.head.headers, || shared.time.system_now())
            }
            _ => ServerHint::default(),
        };
        let attempt = Attempt {
            queued: std::mem::take(&mut self.queued_now),
            started: self.passed_at(begun),
            elapsed: shared.time.now().saturating_duration_since(begun),
            outcome: end.outcome,
            status: end.status,
            request_id: end.request_id.take(),
            retry_after: hint.retry_after,
            body_bytes: end.body_bytes,
            retry_delay: None,
        };
        if let Some(observer) = &shared.observer {
            observer.attempt(self.operation, &attempt, self.attempts.len());
        }
        #[cfg(feature = "tracing")]
        crate::observe::attempt_event(&attempt, self.attempts.len());
        self.attempts.push(attempt);
        match end.result {
            Ok(answer) if end.outcome == Outcome::Success => AttemptResult::Well(answer),
            _ => AttemptResult::Otherwise(Box::new(FailedAttempt { end, hint })),
        }
    }

    fn note_wait(&mut self, wait: RetryDelay) {
        if let Some(last) = self.attempts.last_mut() {
            last.retry_delay = Some(wait);
        }
    }

    fn finish(
        &mut self,
        result: Result<ReceivedResponse, AttemptError>,
    ) -> Result<reqwest::Response, TransportError> {
        let shared = &*self.transport.shared;
        let recording = self.transport.recording.as_ref();
        // A success that nobody asks about needs no ledger.
        let attempt_log = (result.is_err() || recording.is_some() || shared.observer.is_some())
            .then(|| self.attempt_log());
        if let (Some(observer), Some(attempt_log)) = (&shared.observer, &attempt_log) {
            observer.request(self.operation, attempt_log);
        }
        match result {
            Ok(mut answer) => {
                if let (Some(recording), Some(attempt_log)) = (recording, attempt_log) {
                    recording.put(exchange(attempt_log, Some(&mut answer)));
                }
                Ok(self.rebuild(answer))
            }
            Err(AttemptError { kind, source }) => {
                let attempt_log = attempt_log.unwrap_or_else(|| self.attempt_log());
                if let Some(recording) = recording {
                    recording.put(exchange(attempt_log.clone(), None));
                }
                Err(TransportError::new(kind, attempt_log, source))
            }
        }
    }

    /// Takes the attempts and headers with it: to be called once.
    fn attempt_log(&mut self) -> AttemptLog {
        let elapsed = match (self.stop, self.attempts.last()) {
            // It ended with its last attempt, so that no clock need be asked.
            (StopReason::Success, Some(last)) => last.started + last.elapsed,
            _ => self.passed_at(self.transport.shared.time.now()),
        };
        // Those of a request that was never sent, or that has a body, are where they were.
        let mut headers = std::mem::take(&mut self.headers);
        headers.extend(listed(self.request.headers()));
        AttemptLog {
            operation: self.operation.id,
            auth: self.operation.auth,
            method: self.request.method().clone(),
            url: self.request.url().clone(),
            has_body: self.body_is_gone || self.request.body().is_some(),
            headers,
            settings: Arc::clone(&self.settings),
            attempts: std::mem::take(&mut self.attempts),
            stop: self.stop,
            queued: self.queued,
            elapsed,
        }
    }

    fn stall_timeout_body(&self, stream: reqwest::Body) -> StallTimeoutBody {
        let time = self.transport.shared.time.clone();
        StallTimeoutBody::new(stream, time, self.settings.attempt_timeout)
    }

    fn rebuild(&self, answer: ReceivedResponse) -> reqwest::Response {
        let ReceivedResponse { head, body } = answer;
        let body = match body {
            ReceivedBody::Whole { bytes, .. } => reqwest::Body::from(bytes),
            ReceivedBody::Streamed(stream) => reqwest::Body::wrap(self.stall_timeout_body(stream)),
        };
        let mut response = http::Response::new(body);
        *response.status_mut() = head.status;
        *response.version_mut() = head.version;
        *response.headers_mut() = head.headers;
        // Only a builder can carry a URL over: the one that was asked for, in which there is no token.
        let mut carrier = http::Response::builder();
        if let Some(extensions) = carrier.extensions_mut() {
            *extensions = head.extensions;
        }
        if let Some(extensions) = carrier.url(self.request.url().clone()).extensions_mut() {
            *response.extensions_mut() = std::mem::take(extensions);
        }
        response.into()
    }
}

fn listed(headers: &HeaderMap) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let headers = headers.iter();
    headers.map(|(name, value)| (name.clone(), value.clone()))
}

/// Takes the headers out of the answer: a copy would be two more allocations.
fn exchange(attempt_log: AttemptLog, answer: Option<&mut ReceivedResponse>) -> Exchange {
    let mut exchange = Exchange {
        attempt_log,
        status: None,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        body_is_cut: false,
    };
    if let Some(ReceivedResponse { head, body }) = answer {
        exchange.status = Some(head.status);
        exchange.headers = std::mem::take(&mut head.headers);
        if let ReceivedBody::Whole { bytes, cut } = body {
            exchange.body = bytes.clone();
            exchange.body_is_cut = *cut;
        }
    }
    exchange
}
