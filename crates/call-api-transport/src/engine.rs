//! The request engine: one loop of attempts, with one set of policies, for buffered responses, streams and downloads.
//!
//! The difference between them is a [`RequestKind`]: the way in which one attempt is made, and its result.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;

use crate::attempt_log::{Attempt, AttemptLog};
use crate::budget::Permit;
use crate::error::{Limit, Phase, TransportError, TransportErrorKind};
use crate::operation::{Auth, Operation};
use crate::outcome::Outcome;
use crate::request_kind::{AttemptContext, AttemptEnd, AttemptError, Next, RequestKind};
use crate::retry::{DelayReason, RetryContext, RetryDelay, StopReason};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::throttle::Throttle;
use crate::token::{IssuedToken, ProviderError};

/// The maximum number of attempts of one request, regardless of its settings and of progress.
const MOST_ATTEMPTS: usize = 100;

/// The resolution of tokio's timers. Only the clock can tell that a shorter deadline has passed.
const TIMER_RESOLUTION: Duration = Duration::from_millis(1);

/// A request in flight.
pub(crate) struct Engine<'a> {
    shared: &'a Shared,
    throttle: Option<&'a Throttle>,
    operation: &'a Operation,
    settings: Arc<Settings>,
    started: Instant,
    /// True if time may have passed since the start: for a token, the rate limit, the throttle, or an attempt.
    has_waited: bool,
    attempts: Vec<Attempt>,
    /// True if the request may be sent twice.
    is_repeatable: bool,
    stop: StopReason,
    /// The time spent waiting for the rate limit: in total, and since the last attempt.
    queued: Duration,
    queued_now: Duration,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

/// The counters of the loop.
#[derive(Default)]
struct Counts {
    /// Attempts that the service may have processed, since the last progress.
    attempts: u32,
    /// Attempts that reached their timeout, since the last progress.
    timeouts: u32,
    /// Attempts in a row that the service has not processed.
    unprocessed: u32,
    token_was_renewed: bool,
}

impl<'a> Engine<'a> {
    #[inline]
    pub(crate) fn new(
        shared: &'a Shared,
        throttle: Option<&'a Throttle>,
        operation: &'a Operation,
        settings: Arc<Settings>,
    ) -> Self {
        Self {
            shared,
            throttle,
            operation,
            settings,
            // Until it starts: reading the clock takes longer than all the rest of this function.
            started: shared.built,
            has_waited: false,
            // Most requests need one.
            attempts: Vec::with_capacity(1),
            is_repeatable: false,
            stop: StopReason::NotSent,
            queued: Duration::ZERO,
            queued_now: Duration::ZERO,
            #[cfg(feature = "tracing")]
            span: tracing::Span::none(),
        }
    }

    /// Starts the request, inside a span.
    pub(crate) fn start(&mut self, #[cfg(feature = "tracing")] span: tracing::Span) {
        self.started = self.shared.time.now();
        #[cfg(feature = "tracing")]
        {
            self.span = span;
        }
    }

    /// Returns the idle timeout of a streamed response.
    pub(crate) fn stall_timeout(&self) -> Duration {
        let settings = &self.settings;
        settings.idle_timeout.unwrap_or(settings.attempt_timeout)
    }

    /// Makes attempts until one is final, inside a span.
    pub(crate) async fn run<R: RequestKind>(
        &mut self,
        request: &mut R,
    ) -> Result<R::Output, AttemptError> {
        #[cfg(not(feature = "tracing"))]
        return self.make_attempts(request).await;
        #[cfg(feature = "tracing")]
        {
            use tracing::Instrument as _;

            let span = self.span.clone();
            self.make_attempts(request).instrument(span).await
        }
    }

    async fn make_attempts<R: RequestKind>(
        &mut self,
        request: &mut R,
    ) -> Result<R::Output, AttemptError> {
        let shared = self.shared;
        if !shared.time.is_available() {
            return Err(TransportErrorKind::NoRuntime.into());
        }
        if let Some(reason) = self.settings.problem() {
            return Err(TransportErrorKind::InvalidOptions { reason }.into());
        }
        request.check(&shared.base_url)?;
        let is_to_api = request.is_to_api();
        self.is_repeatable = request.is_repeatable(&self.settings);
        // Held until the retry that it was taken for has ended.
        let mut permit: Option<Permit<'_>> = None;
        let mut counts = Counts::default();
        loop {
            let token = match self.prepare(is_to_api).await {
                Ok(token) => token,
                Err(error) => return Err(self.stop_before_attempt(error)),
            };
            // Most requests wait for nothing: their first attempt begins with them, and the clock is read once for both.
            let begun = match self.has_waited || self.settings.deadline < TIMER_RESOLUTION {
                true => shared.time.now(),
                false => self.started,
            };
            self.has_waited = true;
            let begun_after = begun.saturating_duration_since(self.started);
            let left_at_start = self.settings.left(begun_after);
            if left_at_start.is_zero() {
                let error = self.deadline_passed(Phase::Head);
                return Err(self.stop_before_attempt(error));
            }
            let client = shared.clients.current();
            let context = AttemptContext {
                shared,
                settings: &self.settings,
                client: &client,
                token: token.as_ref().map(|issued| &issued.token),
                started: self.started,
                begun,
                left_at_start,
            };
            let after_failure = {
                let mut end = request.attempt(&context).await?;
                self.log(begun, begun_after, &mut end);
                if end.outcome == Outcome::AttemptTimedOut {
                    shared.clients.replace(&client);
                }
                if end.outcome == Outcome::Success {
                    if is_to_api {
                        self.note_success(permit.is_none());
                    }
                    self.stop = StopReason::Success;
                    return end.result;
                }
                // Boxed, so that only a failure takes the memory.
                Box::pin(self.after_failure(
                    begun,
                    end,
                    token.as_deref(),
                    request,
                    &mut counts,
                    &mut permit,
                ))
            };
            if let Some(result) = after_failure.await? {
                return result;
            }
        }
    }

    /// Prepares another attempt after a failed one that started at `begun`; returns the result of the request if there is
    /// none.
    async fn after_failure<R: RequestKind>(
        &mut self,
        begun: Instant,
        end: AttemptEnd<R::Output>,
        token: Option<&IssuedToken>,
        // Mutable, because a request need not be `Sync`.
        request: &mut R,
        counts: &mut Counts,
        permit: &mut Option<Permit<'a>>,
    ) -> Result<Option<Result<R::Output, AttemptError>>, AttemptError> {
        let (is_to_api, body_is_gone) = (request.is_to_api(), request.body_is_gone());
        counts.count(&end);
        settle_permit(permit.take(), end.outcome);
        if self.renew_token(&end, token, body_is_gone, counts).await? {
            return Ok(None);
        }
        let decision = self.decide(&end, counts, body_is_gone);
        let decision = decision.and_then(|delay| {
            if is_to_api && !self.is_free(&end, delay) {
                let taken = self.take_from_budget(end.outcome, begun);
                *permit = Some(taken.ok_or(StopReason::BudgetExhausted)?);
            }
            Ok(delay)
        });
        self.tell_throttle(&end, &decision, is_to_api);
        match decision {
            Ok(delay) => {
                self.note_delay(delay);
                drop(end);
                if !delay.duration.is_zero() {
                    self.shared.time.sleep(delay.duration).await;
                }
                Ok(None)
            }
            Err(stop) => {
                self.stop = stop;
                Ok(Some(end.result))
            }
        }
    }

    /// Waits for the throttle and the rate limit, and returns the token.
    async fn prepare(
        &mut self,
        is_to_api: bool,
    ) -> Result<Option<Cow<'a, IssuedToken>>, AttemptError> {
        if !is_to_api {
            return Ok(None);
        }
        self.wait_for_throttle().await?;
        #[cfg(feature = "rate-limit")]
        self.wait_for_rate_limit().await?;
        self.issue_token().await
    }

    async fn wait_for_throttle(&mut self) -> Result<(), AttemptError> {
        let Some(throttle) = self.throttle else {
            return Ok(());
        };
        self.has_waited = true;
        loop {
            let Some(wait) = throttle.take_turn(self.shared.time.now(), self.left()) else {
                return Err(self.deadline_passed(Phase::Throttle));
            };
            if wait.is_zero() {
                break;
            }
            self.shared.time.sleep(wait).await;
            // In the meantime, another request may have been throttled.
            if throttle.paused_for(self.shared.time.now()).is_none() {
                break;
            }
        }
        Ok(())
    }

    #[cfg(feature = "rate-limit")]
    async fn wait_for_rate_limit(&mut self) -> Result<(), AttemptError> {
        let Some(rate_limit) = &self.shared.rate_limit else {
            return Ok(());
        };
        while let Some(wait) = rate_limit.wait() {
            if wait >= self.left() {
                return Err(self.deadline_passed(Phase::RateLimit));
            }
            self.has_waited = true;
            self.queued += wait;
            self.queued_now += wait;
            self.shared.time.sleep(wait).await;
        }
        Ok(())
    }

    async fn issue_token(&mut self) -> Result<Option<Cow<'a, IssuedToken>>, AttemptError> {
        if self.operation.auth == Auth::None {
            return Ok(None);
        }
        let shared = self.shared;
        // A cached token needs no timer.
        let source = shared.credentials.of(self.operation.auth);
        if let Some(issued) = source.cached() {
            return Ok(issued.map(Cow::Borrowed));
        }
        self.has_waited = true;
        let getting = source.get(&shared.time);
        let limited = shared.time.limit(shared.time.now(), self.left(), getting);
        let limited = limited.await;
        let got = limited.map_err(|_| self.deadline_passed(Phase::Token))?;
        got.map_err(|error| AttemptError {
            kind: TransportErrorKind::TokenUnavailable,
            source: Some(Arc::new(ProviderError(error))),
        })
    }

    /// Requests another token after a first 401. Returns true if there is one: the attempt then does not count.
    async fn renew_token<T>(
        &mut self,
        end: &AttemptEnd<T>,
        refused: Option<&IssuedToken>,
        body_is_gone: bool,
        counts: &mut Counts,
    ) -> Result<bool, AttemptError> {
        let Some(refused) = refused else {
            return Ok(false);
        };
        if end.outcome != Outcome::Unauthorized
            || counts.token_was_renewed
            || body_is_gone
            || end.hint.should_retry == Some(false)
            || !self
                .shared
                .credentials
                .of(self.operation.auth)
                .reject(refused)
        {
            return Ok(false);
        }
        counts.token_was_renewed = true;
        let renewed = match self.issue_token().await {
            Ok(renewed) => renewed,
            Err(error) => return Err(self.stop_before_attempt(error)),
        };
        let is_another = renewed.is_some_and(|renewed| !renewed.token.is_same(&refused.token));
        if is_another {
            counts.attempts -= 1;
            self.note_delay(RetryDelay::none(DelayReason::FreshToken));
        }
        Ok(is_another)
    }

    fn decide<T>(
        &self,
        end: &AttemptEnd<T>,
        counts: &Counts,
        body_is_stream: bool,
    ) -> Result<RetryDelay, StopReason> {
        if self.attempts.len() >= MOST_ATTEMPTS {
            return Err(StopReason::AttemptsExhausted);
        }
        match end.next {
            Next::Retry(delay) => Ok(delay),
            Next::Stop(stop) => Err(stop),
            Next::ByOutcome | Next::AfterProgress => {
                self.context(end, counts, body_is_stream).decide()
            }
        }
    }

    fn context<T>(
        &self,
        end: &AttemptEnd<T>,
        counts: &Counts,
        body_is_stream: bool,
    ) -> RetryContext<'a> {
        RetryContext {
            outcome: end.outcome,
            status: end.status,
            attempts: counts.attempts,
            unprocessed: counts.unprocessed,
            max_attempts: self.settings.max_attempts,
            timeouts: counts.timeouts,
            repeatable: self.is_repeatable,
            body_is_stream,
            hint: end.hint,
            is_throttle_shared: self.throttle.is_some(),
            worked_before: self.shared.budget.has_succeeded(),
            left: self.left(),
            backoff: self.shared.backoff,
            jitter: &self.shared.jitter,
        }
    }

    /// Reports to the budget and the throttle that the service works.
    fn note_success(&self, was_first_attempt: bool) {
        self.shared.budget.succeeded(was_first_attempt);
        if let Some(throttle) = self.throttle {
            throttle.succeeded(self.shared.time.now());
        }
    }

    /// Takes the cost of a retry after an attempt that started at `begun`.
    fn take_from_budget(&self, outcome: Outcome, begun: Instant) -> Option<Permit<'a>> {
        let budget = &self.shared.budget;
        match outcome {
            Outcome::Interrupted | Outcome::Truncated => {
                budget.take_after_break(outcome.cost(), begun, self.shared.time.now())
            }
            _ => budget.take(outcome.cost()),
        }
    }

    /// Slows all requests that share the throttle down after a 429 or a 503.
    fn tell_throttle<T>(
        &self,
        end: &AttemptEnd<T>,
        decision: &Result<RetryDelay, StopReason>,
        is_to_api: bool,
    ) {
        let Some(throttle) = self.throttle.filter(|_| is_to_api) else {
            return;
        };
        let is_overloaded = end.status == Some(StatusCode::SERVICE_UNAVAILABLE);
        if end.outcome != Outcome::Throttled && !is_overloaded {
            return;
        }
        let pause = match (decision, end.hint.retry_after) {
            (Ok(delay), _) => delay.duration,
            (Err(_), Some(retry_after)) => retry_after,
            (Err(_), None) => self.shared.jitter.part_of(self.shared.backoff.first),
        };
        throttle.refused(self.shared.time.now(), pause);
    }

    /// Returns true if a retry takes nothing from the budget: it puts no load on a failing service.
    fn is_free<T>(&self, end: &AttemptEnd<T>, delay: RetryDelay) -> bool {
        let is_paced = self.throttle.is_some()
            && (end.outcome == Outcome::Throttled
                || end.status == Some(StatusCode::SERVICE_UNAVAILABLE));
        is_paced || end.outcome == Outcome::NotProcessed || delay.reason == DelayReason::Restart
    }

    /// Sets the stop reason if an attempt was made before, and nothing could be prepared for another.
    fn stop_before_attempt(&mut self, error: AttemptError) -> AttemptError {
        if !self.attempts.is_empty() {
            self.stop = match &error.kind {
                TransportErrorKind::TokenUnavailable => StopReason::NoToken,
                _ => StopReason::DeadlineTooNear,
            };
        }
        error
    }

    fn left(&self) -> Duration {
        let now = self.shared.time.now();
        self.settings
            .left(now.saturating_duration_since(self.started))
    }

    fn deadline_passed(&self, phase: Phase) -> AttemptError {
        TransportErrorKind::TimedOut {
            phase,
            limit: Limit::Deadline,
            after: self.settings.deadline,
        }
        .into()
    }

    /// Logs an attempt that began at `begun`, this long after the start of the request.
    fn log<T>(&mut self, begun: Instant, begun_after: Duration, end: &mut AttemptEnd<T>) {
        let attempt = Attempt {
            queued: std::mem::take(&mut self.queued_now),
            started: begun_after,
            elapsed: self.shared.time.now().saturating_duration_since(begun),
            outcome: end.outcome,
            status: end.status,
            request_id: end.request_id.take(),
            retry_after: end.hint.retry_after,
            body_bytes: end.body_bytes,
            retry_delay: None,
        };
        for observer in &self.shared.observers {
            observer.attempt(self.operation, &attempt, self.attempts.len());
        }
        #[cfg(feature = "tracing")]
        crate::observe::attempt_event(&attempt, self.attempts.len());
        self.attempts.push(attempt);
    }

    fn note_delay(&mut self, delay: RetryDelay) {
        if let Some(last) = self.attempts.last_mut() {
            last.retry_delay = Some(delay);
        }
    }

    #[cfg(feature = "tracing")]
    pub(crate) fn span(&self) -> tracing::Span {
        self.span.clone()
    }

    /// Returns the log of a request whose response is returned. Runs once.
    pub(crate) fn finish(&mut self, request: &impl RequestKind) -> AttemptLog {
        self.end(request, None)
    }

    /// Returns the log of a request whose response is unusable, for the reason of this name. Runs once.
    pub(crate) fn reject(&mut self, request: &impl RequestKind, error: &'static str) -> AttemptLog {
        if self.stop == StopReason::Success {
            self.stop = StopReason::NotRetryable;
        }
        self.end(request, Some(error))
    }

    /// Reports the end of the request to the observers and the span.
    fn end(&mut self, request: &impl RequestKind, error: Option<&'static str>) -> AttemptLog {
        let elapsed = match (self.stop, self.attempts.last()) {
            // It ended with its last attempt.
            (StopReason::Success, Some(last)) => last.started + last.elapsed,
            _ => (self.shared.time.now()).saturating_duration_since(self.started),
        };
        let attempt_log = AttemptLog {
            operation: self.operation.id,
            request: request.summary(),
            attempts: std::mem::take(&mut self.attempts),
            stop: self.stop,
            error,
            queued: self.queued,
            elapsed,
        };
        for observer in &self.shared.observers {
            observer.request(self.operation, &attempt_log);
        }
        #[cfg(feature = "tracing")]
        crate::observe::request_ended(&self.span, &attempt_log);
        attempt_log
    }

    /// Returns the error of a request that has ended with `error`. Runs once.
    pub(crate) fn fail(
        &mut self,
        request: &impl RequestKind,
        error: AttemptError,
    ) -> TransportError {
        let log = self.reject(request, error.kind.name());
        TransportError::new(error.kind, log, error.source)
    }
}

/// Spends the tokens of a retry that failed as well; otherwise returns them.
fn settle_permit(permit: Option<Permit<'_>>, outcome: Outcome) {
    if let Some(permit) = permit
        && outcome.is_transient()
    {
        permit.spend();
    }
}

impl Counts {
    fn count<T>(&mut self, end: &AttemptEnd<T>) {
        if matches!(end.next, Next::AfterProgress) {
            (self.attempts, self.timeouts, self.unprocessed) = (0, 0, 0);
        }
        match end.outcome {
            Outcome::NotProcessed => {
                self.unprocessed += 1;
                return;
            }
            Outcome::AttemptTimedOut => self.timeouts += 1,
            _ => {}
        }
        self.unprocessed = 0;
        // Polling content that is not ready is not a failure.
        let is_poll = matches!(
            end.next,
            Next::Retry(RetryDelay {
                reason: DelayReason::NotReady | DelayReason::RetryAfter,
                ..
            })
        );
        self.attempts = if is_poll { 0 } else { self.attempts + 1 };
    }
}
