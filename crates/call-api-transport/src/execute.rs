//! One call, from the request to the response or the failure.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderName, StatusCode, Version, header};
use reqwest::ResponseBuilderExt as _;
use url::Url;

use crate::Transport;
use crate::body::{Buffer, Unstalled};
use crate::budget::Permit;
use crate::exchange::Exchange;
use crate::failure::{Failure, FailureKind, Limit, Phase};
use crate::ledger::{Attempt, Ledger, Wait, Why};
use crate::operation::{Auth, Operation, ResponseBody};
use crate::retry::{Advice, Outcome, Situation, Stop, is_repeatable};
use crate::token::{Granted, Unavailable};

/// The most that is kept of an error response's body.
const ERROR_BODY_LIMIT: u64 = 64 << 10;

/// A call under way.
pub(crate) struct Call<'a> {
    transport: &'a Transport,
    operation: &'a Operation,
    /// The request without the token, which only the copies that are sent carry.
    request: reqwest::Request,
    /// Whether the body was a stream, which went with the first attempt.
    body_is_gone: bool,
    started: Instant,
    attempts: Vec<Attempt>,
    stop: Stop,
    timeouts: u32,
}

/// A response that is handed on, whatever its status.
struct Answer {
    head: Head,
    body: AnswerBody,
}

enum AnswerBody {
    Whole { bytes: Bytes, cut: bool },
    Streamed(reqwest::Body),
}

struct Head {
    status: StatusCode,
    version: Version,
    headers: HeaderMap,
    extensions: Extensions,
    url: Url,
}

/// Why there is no response.
struct Trouble {
    kind: FailureKind,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl From<FailureKind> for Trouble {
    fn from(kind: FailureKind) -> Self {
        Self { kind, source: None }
    }
}

/// What an attempt has brought so far. It lives outside of the attempt's future, which a time-out drops.
#[derive(Default)]
struct Progress {
    head: Option<Head>,
    body: Buffer,
}

/// What ended an attempt before its time.
enum Broken {
    Http(reqwest::Error),
    TooLarge { announced: Option<u64> },
    Redirected,
    Late { by_deadline: bool },
}

/// One attempt's end: how, and what there is to hand on.
struct End {
    outcome: Outcome,
    result: Result<Answer, Trouble>,
    advice: Advice,
    request_id: Option<String>,
    status: Option<StatusCode>,
    body_bytes: u64,
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        transport: &'a Transport,
        operation: &'a Operation,
        mut request: reqwest::Request,
    ) -> Self {
        let headers = request.headers_mut();
        for (name, value) in &transport.settings.headers {
            headers.insert(name, value.clone());
        }
        // A time-out of reqwest's own would end the call in a way that is not told from others.
        *request.timeout_mut() = None;
        Self {
            transport,
            operation,
            request,
            body_is_gone: false,
            started: transport.shared.time.now(),
            attempts: Vec::new(),
            stop: Stop::NotSent,
            timeouts: 0,
        }
    }

    #[cfg(not(feature = "tracing"))]
    pub(crate) async fn execute(mut self) -> Result<reqwest::Response, Failure> {
        let result = self.run().await;
        self.finish(result)
    }

    #[cfg(feature = "tracing")]
    pub(crate) async fn execute(mut self) -> Result<reqwest::Response, Failure> {
        use tracing::Instrument as _;

        let span =
            crate::observe::call_span(self.operation, self.request.method(), self.request.url());
        let result = self.run().instrument(span.clone()).await;
        crate::observe::call_ended(&span, &self.attempts);
        self.finish(result)
    }

    async fn run(&mut self) -> Result<Answer, Trouble> {
        let shared = &*self.transport.shared;
        shared
            .base
            .check(self.request.url(), self.operation.path)
            .map_err(|reason| FailureKind::RefusedUrl { reason })?;
        let repeatable = is_repeatable(self.request.method(), self.request.headers());
        // Held over a retry; see `budget`.
        let mut permit: Option<Permit<'_>> = None;
        let mut token_was_renewed = false;
        // Attempts that count; one with a renewed token does not.
        let mut made = 0;
        loop {
            #[cfg(feature = "rate-limit")]
            self.wait_for_turn().await?;
            let granted = self.grant().await?;
            let end = self.attempt(granted.as_ref()).await?;
            made += 1;
            match permit.take() {
                Some(permit) if end.outcome.is_transient() => permit.spend(),
                Some(_) => {}
                None if end.outcome == Outcome::Success => shared.budget.give(1),
                None => {}
            }
            if end.outcome == Outcome::Unauthorized
                && !token_was_renewed
                && !self.body_is_gone
                && end.advice.should_retry != Some(false)
                && let Some(refused) = &granted
                && shared.source.reject(refused)
            {
                token_was_renewed = true;
                if let Some(renewed) = self.grant().await?
                    && !renewed.token.is_same(&refused.token)
                {
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
                advice: end.advice,
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
            match decision {
                Ok((wait, taken)) => {
                    permit = Some(taken);
                    self.note_wait(wait);
                    shared.time.sleep(wait.duration).await;
                }
                Err(stop) => {
                    self.stop = stop;
                    return end.result;
                }
            }
        }
    }

    /// What is left of the deadline.
    fn left(&self) -> Duration {
        let now = self.transport.shared.time.now();
        self.transport
            .settings
            .deadline
            .saturating_sub(now.saturating_duration_since(self.started))
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

    #[cfg(feature = "rate-limit")]
    async fn wait_for_turn(&self) -> Result<(), Trouble> {
        let shared = &*self.transport.shared;
        let Some(rate) = &shared.rate else {
            return Ok(());
        };
        while let Some(wait) = rate.wait() {
            if wait >= self.left() {
                return Err(self.past_deadline(Phase::RateLimit));
            }
            shared.time.sleep(wait).await;
        }
        Ok(())
    }

    async fn grant(&self) -> Result<Option<Granted>, Trouble> {
        if self.operation.auth == Auth::None {
            return Ok(None);
        }
        let shared = &*self.transport.shared;
        let getting = shared.source.get(&shared.time);
        // No timer for a token that is at hand.
        let got = if shared.source.is_fixed() {
            getting.await
        } else {
            let limited = shared.time.limit(self.left(), getting).await;
            limited.map_err(|_| self.past_deadline(Phase::Token))?
        };
        got.map_err(|error| Trouble {
            kind: FailureKind::TokenUnavailable,
            source: Some(Arc::new(Unavailable(error))),
        })
    }

    /// The request as it is sent: with the token.
    fn copy(&mut self, granted: Option<&Granted>) -> Option<reqwest::Request> {
        let mut copy = match self.request.try_clone() {
            Some(copy) => copy,
            None => {
                self.body_is_gone = true;
                let stream = self.request.body_mut().take();
                let mut copy = self.request.try_clone()?;
                *copy.body_mut() = stream;
                copy
            }
        };
        let Some(Granted { token, .. }) = granted else {
            return Some(copy);
        };
        let (name, value) = match self.operation.auth {
            Auth::None => return Some(copy),
            Auth::Bearer => (header::AUTHORIZATION, token.bearer()?),
            Auth::Basic => (header::AUTHORIZATION, token.basic()?),
            Auth::ApiKeyHeader(name) => (
                HeaderName::from_bytes(name.as_bytes()).ok()?,
                token.plain()?,
            ),
            Auth::ApiKeyQuery(name) => {
                token.append_to_query(copy.url_mut(), name);
                return Some(copy);
            }
        };
        copy.headers_mut().insert(name, value);
        Some(copy)
    }

    async fn attempt(&mut self, granted: Option<&Granted>) -> Result<End, Trouble> {
        let Some(copy) = self.copy(granted) else {
            return Err(FailureKind::InvalidRequest.into());
        };
        let shared = &*self.transport.shared;
        let settings = &*self.transport.settings;
        let begun = shared.time.now();
        let left = self.left();
        let limit = settings.attempt_timeout.min(left);
        let mut progress = Progress::default();
        let sending = send(
            &shared.http,
            copy,
            self.request.url(),
            self.operation.body,
            settings.body_limit,
            &mut progress,
        );
        let ended = match shared.time.limit(limit, sending).await {
            Ok(ended) => ended,
            Err(_) => Err(Broken::Late {
                by_deadline: left <= settings.attempt_timeout,
            }),
        };
        let end = self.settle(progress, ended);
        let attempt = Attempt {
            started: begun.saturating_duration_since(self.started),
            elapsed: shared.time.now().saturating_duration_since(begun),
            outcome: end.outcome,
            status: end.status,
            request_id: end.request_id.clone(),
            retry_after: end.advice.retry_after,
            body_bytes: end.body_bytes,
            wait: None,
        };
        if let Some(observer) = &shared.observer {
            observer.attempt(self.operation, &attempt, self.attempts.len());
        }
        #[cfg(feature = "tracing")]
        crate::observe::attempt_event(&attempt, self.attempts.len());
        self.attempts.push(attempt);
        Ok(end)
    }

    /// What an attempt comes to.
    fn settle(&self, progress: Progress, ended: Result<Option<reqwest::Body>, Broken>) -> End {
        let Progress { head, body } = progress;
        let shared = &*self.transport.shared;
        let body_bytes = body.seen;
        let status = head.as_ref().map(|head| head.status);
        let request_id = head.as_ref().and_then(|head| request_id(&head.headers));
        let mut advice = Advice::default();
        let phase = if head.is_some() {
            Phase::Body
        } else {
            Phase::Head
        };
        let (outcome, result) = match (head, ended) {
            // Once there is an error status, it is the answer, however the rest of it fares.
            (Some(head), ended)
                if is_error(head.status) && !matches!(ended, Err(Broken::Redirected)) =>
            {
                advice = Advice::read(&head.headers, || shared.time.system_now());
                let cut = ended.is_err();
                let body = AnswerBody::Whole {
                    bytes: body.into_bytes(),
                    cut,
                };
                (Outcome::of_status(head.status), Ok(Answer { head, body }))
            }
            (Some(head), Ok(Some(stream))) => {
                let body = AnswerBody::Streamed(stream);
                (Outcome::Success, Ok(Answer { head, body }))
            }
            (Some(head), Ok(None)) => {
                let body = AnswerBody::Whole {
                    bytes: body.into_bytes(),
                    cut: false,
                };
                (Outcome::Success, Ok(Answer { head, body }))
            }
            (Some(head), Err(Broken::Redirected)) => {
                let kind = FailureKind::Redirected {
                    status: head.status,
                    to: redirect_host(&head, self.request.url()),
                };
                (Outcome::Redirected, Err(kind.into()))
            }
            (_, Err(Broken::TooLarge { announced })) => {
                let limit = self.transport.settings.body_limit;
                let kind = FailureKind::BodyTooLarge {
                    limit,
                    seen: body_bytes,
                    announced,
                };
                (Outcome::BodyTooLarge, Err(kind.into()))
            }
            (_, Err(Broken::Late { by_deadline: true })) => {
                (Outcome::DeadlineReached, Err(self.past_deadline(phase)))
            }
            (_, Err(Broken::Late { by_deadline: false })) => {
                let after = self.transport.settings.attempt_timeout;
                let kind = FailureKind::TimedOut {
                    phase,
                    limit: Limit::Attempt,
                    after,
                };
                (Outcome::AttemptTimedOut, Err(kind.into()))
            }
            (_, Err(Broken::Http(error))) => self.classify(error, phase, body_bytes),
            // Neither can be: a head comes before a body, and a redirect has one.
            (None, Ok(_) | Err(Broken::Redirected)) => {
                (Outcome::Unsendable, Err(FailureKind::InvalidRequest.into()))
            }
        };
        End {
            outcome,
            result,
            advice,
            request_id,
            status,
            body_bytes,
        }
    }

    fn classify(
        &self,
        error: reqwest::Error,
        phase: Phase,
        seen: u64,
    ) -> (Outcome, Result<Answer, Trouble>) {
        let any_io = |wanted: &[io::ErrorKind]| {
            causes(&error).any(|cause| {
                cause
                    .downcast_ref::<io::Error>()
                    .is_some_and(|io| wanted.contains(&io.kind()))
            })
        };
        let (outcome, kind) = if error.is_connect() {
            let timed_out = error.is_timeout();
            // rustls reports every handshake that it ended as this.
            if any_io(&[io::ErrorKind::InvalidData]) {
                (Outcome::TlsRejected, FailureKind::Tls)
            } else if timed_out {
                (Outcome::ConnectTimedOut, FailureKind::Connect { timed_out })
            } else {
                (Outcome::ConnectFailed, FailureKind::Connect { timed_out })
            }
        } else if error.is_builder() {
            (Outcome::Unsendable, FailureKind::InvalidRequest)
        } else if error.is_timeout() {
            // A limit of the given client's own.
            let after = self.transport.settings.attempt_timeout;
            (
                Outcome::AttemptTimedOut,
                FailureKind::TimedOut {
                    phase,
                    limit: Limit::Attempt,
                    after,
                },
            )
        } else if causes(&error).any(|cause| {
            cause
                .downcast_ref::<hyper::Error>()
                .is_some_and(hyper::Error::is_parse)
        }) || any_io(&[io::ErrorKind::InvalidData, io::ErrorKind::InvalidInput])
        {
            (Outcome::Malformed, FailureKind::Malformed { phase })
        } else if phase == Phase::Body {
            (Outcome::Truncated, FailureKind::Interrupted { phase, seen })
        } else {
            (
                Outcome::Interrupted,
                FailureKind::Interrupted { phase, seen },
            )
        };
        // Its URL carries the query.
        let source: Arc<dyn Error + Send + Sync> = Arc::new(error.without_url());
        (
            outcome,
            Err(Trouble {
                kind,
                source: Some(source),
            }),
        )
    }

    fn note_wait(&mut self, wait: Wait) {
        if let Some(last) = self.attempts.last_mut() {
            last.wait = Some(wait);
        }
    }

    fn finish(mut self, result: Result<Answer, Trouble>) -> Result<reqwest::Response, Failure> {
        let shared = &*self.transport.shared;
        let recording = self.transport.recording.as_ref();
        // A success that nobody asks about needs no ledger.
        let ledger = (result.is_err() || recording.is_some() || shared.observer.is_some())
            .then(|| self.ledger());
        if let (Some(observer), Some(ledger)) = (&shared.observer, &ledger) {
            observer.call(self.operation, ledger);
        }
        if let (Some(recording), Some(ledger)) = (recording, &ledger) {
            recording.put(exchange(ledger.clone(), result.as_ref().ok()));
        }
        match (result, ledger) {
            (Ok(answer), _) => Ok(self.rebuild(answer)),
            (Err(Trouble { kind, source }), Some(ledger)) => {
                Err(Failure::new(kind, ledger, source))
            }
            (Err(Trouble { kind, source }), None) => Err(Failure::new(kind, self.ledger(), source)),
        }
    }

    /// Takes the attempts and headers with it: to be called once.
    fn ledger(&mut self) -> Ledger {
        Ledger {
            operation: self.operation.id,
            auth: self.operation.auth,
            method: self.request.method().clone(),
            url: self.request.url().clone(),
            has_body: self.body_is_gone || self.request.body().is_some(),
            headers: std::mem::take(self.request.headers_mut()),
            attempts: std::mem::take(&mut self.attempts),
            stop: self.stop,
            elapsed: self
                .transport
                .shared
                .time
                .now()
                .saturating_duration_since(self.started),
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
        *response.extensions_mut() = head.extensions;
        // Only a builder can carry the URL over.
        if let Some(with_url) = http::Response::builder().url(head.url).extensions_mut() {
            response.extensions_mut().extend(std::mem::take(with_url));
        }
        response.into()
    }
}

fn exchange(ledger: Ledger, answer: Option<&Answer>) -> Exchange {
    let (body, body_is_cut) = match answer.map(|answer| &answer.body) {
        Some(AnswerBody::Whole { bytes, cut }) => (bytes.clone(), *cut),
        Some(AnswerBody::Streamed(_)) | None => (Bytes::new(), false),
    };
    Exchange {
        ledger,
        status: answer.map(|answer| answer.head.status),
        headers: answer
            .map(|answer| answer.head.headers.clone())
            .unwrap_or_default(),
        body,
        body_is_cut,
    }
}

/// Sends the request and reads the response, into `progress` as far as it comes. The body comes back where it is for
/// the caller to read.
async fn send(
    http: &reqwest::Client,
    request: reqwest::Request,
    asked: &Url,
    kind: ResponseBody,
    body_limit: u64,
    progress: &mut Progress,
) -> Result<Option<reqwest::Body>, Broken> {
    let mut response = http.execute(request).await.map_err(Broken::Http)?;
    let head = progress.head.insert(Head::take(&mut response));
    let followed = head.url[..url::Position::AfterPath] != asked[..url::Position::AfterPath];
    if followed || (head.status.is_redirection() && head.status != StatusCode::NOT_MODIFIED) {
        return Err(Broken::Redirected);
    }
    let is_error = is_error(head.status);
    if kind == ResponseBody::Streamed && !is_error {
        return Ok(Some(http::Response::from(response).into_body()));
    }
    let limit = if is_error {
        ERROR_BODY_LIMIT
    } else {
        body_limit
    };
    if let Some(announced) = response.content_length().filter(|length| *length > limit)
        && !is_error
    {
        return Err(Broken::TooLarge {
            announced: Some(announced),
        });
    }
    while let Some(chunk) = response.chunk().await.map_err(Broken::Http)? {
        if progress.body.push(chunk, limit).is_err() {
            return Err(Broken::TooLarge { announced: None });
        }
    }
    Ok(None)
}

impl Head {
    fn take(response: &mut reqwest::Response) -> Self {
        Self {
            status: response.status(),
            version: response.version(),
            headers: std::mem::take(response.headers_mut()),
            extensions: std::mem::take(response.extensions_mut()),
            url: response.url().clone(),
        }
    }
}

fn is_error(status: StatusCode) -> bool {
    status.as_u16() >= 400
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers
        .get("x-request-id")
        .or_else(|| headers.get("request-id"))?;
    Some(id.to_str().ok()?.to_owned())
}

/// Where a redirect points to; or where the response came from, where a client that was given followed it.
fn redirect_host(head: &Head, asked: &Url) -> Option<String> {
    let target = if head.status.is_redirection() {
        asked
            .join(head.headers.get(header::LOCATION)?.to_str().ok()?)
            .ok()?
    } else {
        head.url.clone()
    };
    let host = target.host_str()?;
    Some(match target.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let this = next?;
        next = this.source();
        Some(this)
    })
}
