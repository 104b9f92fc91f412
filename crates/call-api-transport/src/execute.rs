//! One call, from the request to the response or the failure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::ResponseBuilderExt as _;

use crate::Transport;
use crate::attempt::{Answer, AnswerBody, Broken, End, Limits, Progress, Trouble, receive, settle};
use crate::body::Unstalled;
use crate::budget::Permit;
use crate::exchange::Exchange;
use crate::failure::{Failure, FailureKind, Limit, Phase};
use crate::ledger::{Attempt, Ledger, Wait, Why};
use crate::operation::{Auth, Operation};
use crate::redact::Secrets;
use crate::retry::{Advice, IDEMPOTENCY_KEY, Outcome, Situation, Stop, is_repeatable};
use crate::token::{Granted, Unavailable};

/// How an attempt went.
enum Made {
    Well(Answer),
    /// Boxed, since it is kept over a wait, where its size would be the future's.
    Otherwise(Box<Missed>),
}

/// An attempt that was no success.
struct Missed {
    end: End,
    advice: Advice,
}

/// A call under way.
pub(crate) struct Call<'a> {
    transport: &'a Transport,
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
    stop: Stop,
    timeouts: u32,
    /// Waited for turns under the rate limit: in all, and since the last attempt.
    queued: Duration,
    queued_now: Duration,
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        transport: &'a Transport,
        operation: &'a Operation,
        request: reqwest::Request,
    ) -> Self {
        Self {
            transport,
            operation,
            request,
            headers: Vec::new(),
            body_is_gone: false,
            started: None,
            // Most calls need no more.
            attempts: Vec::with_capacity(1),
            stop: Stop::NotSent,
            timeouts: 0,
            queued: Duration::ZERO,
            queued_now: Duration::ZERO,
        }
    }

    /// By reference: what is moved into a future is in it twice, and a future is copied where it is spawned.
    pub(crate) async fn execute(&mut self) -> Result<reqwest::Response, Failure> {
        self.started = Some(self.transport.shared.time.now());
        // In a box, so that what the caller moves about stays small (an allocator takes longer for large pieces), and made
        // in there, so that it is not moved itself.
        #[cfg(not(feature = "tracing"))]
        let result = Box::into_pin(Box::write(Box::new_uninit(), self.run_to_end())).await;
        #[cfg(feature = "tracing")]
        let result = {
            let request = &self.request;
            let span = crate::observe::call_span(self.operation, request.method(), request.url());
            let running = Box::write(Box::new_uninit(), self.run_to_end(&span));
            let mut running = Box::into_pin(running);
            // Not `Instrument`, which would hold the span a second time.
            std::future::poll_fn(|context| span.in_scope(|| running.as_mut().poll(context))).await
        };
        result
    }

    async fn run_to_end(
        &mut self,
        #[cfg(feature = "tracing")] span: &tracing::Span,
    ) -> Result<reqwest::Response, Failure> {
        let result = self.run().await;
        #[cfg(feature = "tracing")]
        crate::observe::call_ended(span, &self.attempts);
        self.finish(result)
    }

    async fn run(&mut self) -> Result<Answer, Trouble> {
        let shared = &*self.transport.shared;
        shared
            .base
            .check(self.request.url(), self.operation.path)
            .map_err(|reason| FailureKind::RefusedUrl { reason })?;
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
            if let Err(trouble) = self.wait_for_gate().await {
                return Err(self.stop_between(trouble));
            }
            #[cfg(feature = "rate-limit")]
            if let Err(trouble) = self.wait_for_turn().await {
                return Err(self.stop_between(trouble));
            }
            let granted = match self.grant().await {
                Ok(granted) => granted,
                Err(trouble) => return Err(self.stop_between(trouble)),
            };
            let missed = match self.attempt(granted.as_ref()).await? {
                Made::Well(answer) => {
                    if permit.is_none() {
                        shared.budget.give(1);
                    }
                    self.stop = Stop::Success;
                    return Ok(answer);
                }
                Made::Otherwise(missed) => missed,
            };
            let Missed { end, advice } = &*missed;
            made += 1;
            if let Some(permit) = permit.take()
                && end.outcome.is_transient()
            {
                permit.spend();
            }
            if end.outcome == Outcome::Unauthorized
                && !token_was_renewed
                && !self.body_is_gone
                && advice.should_retry != Some(false)
                && let Some(refused) = &granted
                && shared.source.reject(refused)
            {
                token_was_renewed = true;
                let renewed = match self.grant().await {
                    Ok(renewed) => renewed,
                    Err(trouble) => return Err(self.stop_between(trouble)),
                };
                if renewed.is_some_and(|renewed| !renewed.token.is_same(&refused.token)) {
                    made -= 1;
                    self.note_wait(Wait {
                        duration: Duration::ZERO,
                        why: Why::FreshToken,
                    });
                    continue;
                }
            }
            if end.outcome == Outcome::AttemptTimedOut {
                self.timeouts += 1;
            }
            let situation = Situation {
                outcome: end.outcome,
                attempts: made,
                max_attempts: self.transport.settings.max_attempts,
                timeouts: self.timeouts,
                repeatable,
                body_is_stream: self.body_is_gone,
                advice: *advice,
                left: self.left(),
                backoff: shared.backoff,
                chance: &shared.chance,
            };
            let decision = situation.decide().and_then(|wait| {
                let permit = shared
                    .budget
                    .take(end.outcome.cost())
                    .ok_or(Stop::BudgetSpent)?;
                Ok((wait, permit))
            });
            if end.outcome == Outcome::Throttled
                && let Some(gate) = &self.transport.gate
            {
                let pause = match &decision {
                    Ok((wait, _)) => wait.duration,
                    Err(_) => advice.retry_after.unwrap_or_else(|| situation.backoff()),
                };
                gate.close(shared.time.now(), pause);
            }
            match decision {
                Ok((wait, taken)) => {
                    permit = Some(taken);
                    self.note_wait(wait);
                    shared.time.sleep(wait.duration).await;
                }
                Err(stop) => {
                    self.stop = stop;
                    return missed.end.result;
                }
            }
        }
    }

    /// What comes before an attempt has failed: where it was not the first, that is why there is no further one.
    fn stop_between(&mut self, trouble: Trouble) -> Trouble {
        if !self.attempts.is_empty() {
            self.stop = Stop::before_attempt(&trouble.kind);
        }
        trouble
    }

    /// What is left of the deadline.
    fn left(&self) -> Duration {
        self.left_at(self.transport.shared.time.now())
    }

    fn left_at(&self, now: Instant) -> Duration {
        let deadline = self.transport.settings.deadline;
        deadline.saturating_sub(self.passed_at(now))
    }

    fn passed_at(&self, now: Instant) -> Duration {
        let started = self.started.unwrap_or(now);
        now.saturating_duration_since(started)
    }

    fn past_deadline(&self, phase: Phase) -> Trouble {
        let after = self.transport.settings.deadline;
        FailureKind::TimedOut {
            phase,
            limit: Limit::Deadline,
            after,
        }
        .into()
    }

    async fn wait_for_gate(&self) -> Result<(), Trouble> {
        while let Some(wait) = self.transport.gate_closed_for() {
            if wait >= self.left() {
                return Err(self.past_deadline(Phase::Gate));
            }
            self.transport.sleep(wait).await;
        }
        Ok(())
    }

    #[cfg(feature = "rate-limit")]
    async fn wait_for_turn(&mut self) -> Result<(), Trouble> {
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

    async fn grant(&self) -> Result<Option<Granted>, Trouble> {
        if self.operation.auth == Auth::None {
            return Ok(None);
        }
        let shared = &*self.transport.shared;
        // No timer for a token that is at hand.
        if let Some(granted) = shared.source.at_hand() {
            return Ok(granted);
        }
        let getting = shared.source.get(&shared.time);
        let limited = shared.time.limit(self.left(), getting).await;
        let got = limited.map_err(|_| self.past_deadline(Phase::Token))?;
        got.map_err(|error| Trouble {
            kind: FailureKind::TokenUnavailable,
            source: Some(Arc::new(Unavailable(error))),
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
    fn send(
        &mut self,
        granted: Option<&Granted>,
    ) -> Option<impl Future<Output = reqwest::Result<reqwest::Response>> + use<>> {
        let mut request = self.as_given();
        // With room for the token's and for those that HTTP itself adds, so that the map grows once.
        let settings = &self.transport.settings;
        let headers = request.headers_mut();
        headers.reserve(settings.headers.len() + 3);
        for (name, value) in &settings.headers {
            headers.insert(name, value.clone());
        }
        if let Some(Granted { token, .. }) = granted {
            token.authorize(self.operation.auth, &mut request)?;
        }
        Some(self.transport.shared.http.execute(request))
    }

    async fn attempt(&mut self, granted: Option<&Granted>) -> Result<Made, Trouble> {
        let begun = self.transport.shared.time.now();
        let left = self.left_at(begun);
        if left.is_zero() {
            return Err(self.stop_between(self.past_deadline(Phase::Head)));
        }
        // What the HTTP client makes of the request is small, where the request itself would make this future larger.
        let Some(responding) = self.send(granted) else {
            return Err(FailureKind::InvalidRequest.into());
        };
        let shared = &*self.transport.shared;
        let settings = &*self.transport.settings;
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
                Err(Broken::Late(limit))
            })
        };
        Ok(self.settled(begun, granted, progress, ended))
    }

    /// Notes how an attempt ended.
    fn settled(
        &mut self,
        begun: Instant,
        granted: Option<&Granted>,
        progress: Progress,
        ended: Result<(), Broken>,
    ) -> Made {
        let shared = &*self.transport.shared;
        let settings = &*self.transport.settings;
        let limits = Limits {
            attempt: settings.attempt_timeout,
            deadline: settings.deadline,
            body: settings.body_limit,
        };
        let mut end = settle(progress, ended, self.operation.body, limits);
        if let Some(Granted { token, .. }) = granted
            && (end.outcome != Outcome::Success || end.request_id.is_some())
        {
            end.hide(&Secrets::of(token, self.operation.auth));
        }
        let advice = match &end.result {
            Ok(answer) if end.outcome != Outcome::Success => {
                Advice::read(&answer.head.headers, || shared.time.system_now())
            }
            _ => Advice::default(),
        };
        let attempt = Attempt {
            queued: std::mem::take(&mut self.queued_now),
            started: self.passed_at(begun),
            elapsed: shared.time.now().saturating_duration_since(begun),
            outcome: end.outcome,
            status: end.status,
            request_id: end.request_id.take(),
            retry_after: advice.retry_after,
            body_bytes: end.body_bytes,
            wait: None,
        };
        if let Some(observer) = &shared.observer {
            observer.attempt(self.operation, &attempt, self.attempts.len());
        }
        #[cfg(feature = "tracing")]
        crate::observe::attempt_event(&attempt, self.attempts.len());
        self.attempts.push(attempt);
        match end.result {
            Ok(answer) if end.outcome == Outcome::Success => Made::Well(answer),
            _ => Made::Otherwise(Box::new(Missed { end, advice })),
        }
    }

    fn note_wait(&mut self, wait: Wait) {
        if let Some(last) = self.attempts.last_mut() {
            last.wait = Some(wait);
        }
    }

    fn finish(&mut self, result: Result<Answer, Trouble>) -> Result<reqwest::Response, Failure> {
        let shared = &*self.transport.shared;
        let recording = self.transport.recording.as_ref();
        // A success that nobody asks about needs no ledger.
        let ledger = (result.is_err() || recording.is_some() || shared.observer.is_some())
            .then(|| self.ledger());
        if let (Some(observer), Some(ledger)) = (&shared.observer, &ledger) {
            observer.call(self.operation, ledger);
        }
        match result {
            Ok(mut answer) => {
                if let (Some(recording), Some(ledger)) = (recording, ledger) {
                    recording.put(exchange(ledger, Some(&mut answer)));
                }
                Ok(self.rebuild(answer))
            }
            Err(Trouble { kind, source }) => {
                let ledger = ledger.unwrap_or_else(|| self.ledger());
                if let Some(recording) = recording {
                    recording.put(exchange(ledger.clone(), None));
                }
                Err(Failure::new(kind, ledger, source))
            }
        }
    }

    /// Takes the attempts and headers with it: to be called once.
    fn ledger(&mut self) -> Ledger {
        let elapsed = match (self.stop, self.attempts.last()) {
            // It ended with its last attempt, so that no clock need be asked.
            (Stop::Success, Some(last)) => last.started + last.elapsed,
            _ => self.passed_at(self.transport.shared.time.now()),
        };
        // Those of a request that was never sent, or that has a body, are where they were.
        let mut headers = std::mem::take(&mut self.headers);
        headers.extend(listed(self.request.headers()));
        Ledger {
            operation: self.operation.id,
            auth: self.operation.auth,
            method: self.request.method().clone(),
            url: self.request.url().clone(),
            has_body: self.body_is_gone || self.request.body().is_some(),
            headers,
            settings: Arc::clone(&self.transport.settings),
            attempts: std::mem::take(&mut self.attempts),
            stop: self.stop,
            queued: self.queued,
            elapsed,
        }
    }

    fn rebuild(&self, answer: Answer) -> reqwest::Response {
        let Answer { head, body } = answer;
        let body = match body {
            AnswerBody::Whole { bytes, .. } => reqwest::Body::from(bytes),
            AnswerBody::Streamed(stream) => {
                let time = self.transport.shared.time.clone();
                reqwest::Body::wrap(Unstalled::new(
                    stream,
                    time,
                    self.transport.settings.attempt_timeout,
                ))
            }
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
fn exchange(ledger: Ledger, answer: Option<&mut Answer>) -> Exchange {
    let mut exchange = Exchange {
        ledger,
        status: None,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        body_is_cut: false,
    };
    if let Some(Answer { head, body }) = answer {
        exchange.status = Some(head.status);
        exchange.headers = std::mem::take(&mut head.headers);
        if let AnswerBody::Whole { bytes, cut } = body {
            exchange.body = bytes.clone();
            exchange.body_is_cut = *cut;
        }
    }
    exchange
}
