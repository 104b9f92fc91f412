//! Fetching something large from wherever it lies: streamed, gone on with where it broke off, and never taken for whole
//! before it is.
//!
//! It is not the API that is asked here but an address that the API gave, often another host's. So the token and every
//! header of the client stay at home: they go along only as long as the address is on the base URL's own origin.

mod metadata;
mod part_file;
mod sink;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use url::{Position, Url};

use crate::attempt::{
    AttemptError, ERROR_BODY_LIMIT, Limits, Source, classify_http, hide_in_answer, request_id,
};
use crate::attempt_log::{Attempt, AttemptLog, DelayReason, RetryDelay};
use crate::base_url::names_this_machine;
use crate::body::Buffer;
use crate::budget::Permit;
use crate::builder::Settings;
use crate::error::{Limit, Phase, TransportError, TransportErrorKind};
use crate::exchange::Exchange;
use crate::operation::{Auth, Operation};
use crate::redact::Secrets;
use crate::retry::{Outcome, RetryContext, ServerHint, StopReason};
use crate::token::{IssuedToken, ProviderError};
use crate::{Transport, http_client};

use metadata::{ContentRange, ResourceMetadata, text};
use part_file::PartFile;
use sink::Sink;

/// How many redirects are followed: what browsers and curl allow is more than any storage needs.
const HOPS: usize = 5;

/// The most attempts of one fetch, however much each of them brings.
const ATTEMPTS: usize = 100;

/// The wait before something that is still being made is asked for again: it doubles from the first to the second.
const NOT_READY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How far a fetch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The bytes that are there, those of an earlier run included.
    pub bytes: u64,
    /// How many there will be, where the service says so.
    pub total: Option<u64>,
}

/// Something that was fetched, whole.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Downloaded {
    /// How many bytes it has.
    pub bytes: u64,
    /// How many of them an earlier run had left.
    pub resumed_from: u64,
    /// The `Content-Type`, as the service gave it.
    pub content_type: Option<String>,
    /// Where it is, if it was fetched into a file.
    pub path: Option<PathBuf>,
    /// Whether the service gave a digest, which was compared.
    pub digest_checked: bool,
    /// What was tried.
    pub attempt_log: AttemptLog,
}

/// Why something was not fetched.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// There was no answer that could be used.
    #[error(transparent)]
    Failed(TransportError),
    /// The answer was another status than 200 or 206.
    #[error("{} was answered with {}, which is no content; see whether it is still there", .0.url(), status(.0))]
    Refused(Box<Exchange>),
}

fn status(exchange: &Exchange) -> &str {
    let status = exchange.status.as_ref();
    status.map_or("no status", StatusCode::as_str)
}

type OnProgress<'a> = Box<dyn FnMut(Progress) + Send + 'a>;

/// A fetch that is still to be made; begun by [`Transport::fetch`].
///
/// ```
/// use std::time::Duration;
///
/// use call_api_transport::{Auth, Operation, Progress, ResponseBody, Transport};
///
/// # const SOUND: Operation = Operation { id: "sound", path: "", auth: Auth::None, body: ResponseBody::Streamed };
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::io::{Read as _, Write as _};
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let url = format!("http://{}/sound", listener.local_addr()?);
/// # std::thread::spawn(move || {
/// #     let (mut stream, _) = listener.accept().unwrap();
/// #     stream.read(&mut [0; 1024]).unwrap();
/// #     stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nsound").unwrap();
/// # });
/// let transport = Transport::builder("https://calls.example").build()?;
/// let mut sound = Vec::new();
/// let downloaded = transport
///     .download(&SOUND, &url)
///     .ok_or("it is no absolute URL")?
///     .deadline(Duration::from_secs(600))
///     .stall_timeout(Duration::from_secs(10))
///     .size_limit(100 << 20)
///     .not_ready_timeout(Duration::from_secs(60))
///     .allow_insecure_http(false)
///     .on_progress(|progress: Progress| println!("{} of {:?} bytes", progress.bytes, progress.total))
///     .to_writer(&mut sound)
///     .await?;
/// assert_eq!((downloaded.bytes, &sound[..]), (5, &b"sound"[..]));
///
/// # let folder = std::env::temp_dir();
/// # let part = folder.join(format!("call-api-doc-{}.part", std::process::id()));
/// // Nobody is there any more: the file has its name only once it is whole.
/// let fetch = transport.download(&SOUND, &url).ok_or("it is no absolute URL")?.deadline(Duration::from_secs(1));
/// assert!(fetch.to_file(&part, "sound 1", |_| folder.join("sound.wav")).await.is_err());
/// # assert!(!folder.join("sound.wav").exists() && !part.exists());
/// # Ok(())
/// # }
/// ```
#[must_use = "a fetch does nothing until it is told where to"]
pub struct Download<'a> {
    transport: &'a Transport,
    operation: &'static Operation,
    url: Url,
    deadline: Duration,
    stall_timeout: Duration,
    size_limit: u64,
    not_ready_timeout: Duration,
    allow_insecure_http: bool,
    /// In a mutex that is never locked: what is shared while a request is under way must be `Sync`.
    on_progress: Option<Mutex<OnProgress<'a>>>,
}

impl Transport {
    /// Begins to fetch what lies at an absolute URL; `None` where it is none. `operation` names it for the ledger, for
    /// observers and in traces, and says how the token is shown, should the URL be on the base URL's origin.
    ///
    /// Another host is asked by a client of its own
    /// ([`configure_download_http`](crate::TransportBuilder::configure_download_http)), and something that it compresses unasked
    /// is refused. What the API's own host compresses unasked is refused too, or with the feature `gzip` decompressed where
    /// it comes in chunks: the HTTP client then doesn't say that it was compressed.
    pub fn download(&self, operation: &'static Operation, url: &str) -> Option<Download<'_>> {
        Some(Download {
            transport: self,
            operation,
            url: Url::parse(url).ok()?,
            deadline: Duration::from_secs(3600),
            stall_timeout: Duration::from_secs(30),
            size_limit: 1 << 30,
            not_ready_timeout: Duration::ZERO,
            allow_insecure_http: false,
            on_progress: None,
        })
    }
}

impl<'a> Download<'a> {
    /// The limit of everything: attempts, waits and bodies. 1 h by default.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How long a body may bring nothing before the attempt is given up. 30 s by default.
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.stall_timeout = timeout;
        self
    }

    /// The most bytes that are fetched. 1 GiB by default.
    pub fn size_limit(mut self, bytes: u64) -> Self {
        self.size_limit = bytes;
        self
    }

    /// How long something that isn't there yet is waited for, that is, one that is answered with 202, 404 or 425. Not at
    /// all by default.
    pub fn not_ready_timeout(mut self, not_ready_timeout: Duration) -> Self {
        self.not_ready_timeout = not_ready_timeout;
        self
    }

    /// Allows plain http to another machine, and a redirect from https to it.
    pub fn allow_insecure_http(mut self, allow: bool) -> Self {
        self.allow_insecure_http = allow;
        self
    }

    /// Is told whenever more bytes have come.
    pub fn on_progress(mut self, on_progress: impl FnMut(Progress) + Send + 'a) -> Self {
        self.on_progress = Some(Mutex::new(Box::new(on_progress)));
        self
    }

    /// Fetches into a file. Until it is whole, the bytes are in `part`, and what is known of them in a file of that name
    /// and `-state`; a later fetch of the same `identity` goes on from there. Then it becomes the file that `name` gives
    /// for its content type, in place of one that is there. That one must be in the same folder.
    ///
    /// # Errors
    /// [`DownloadError`]; what came so far is kept, as far as it can be gone on with.
    pub async fn to_file(
        self,
        part: impl Into<PathBuf>,
        identity: impl Into<String>,
        name: impl FnOnce(Option<&str>) -> PathBuf + Send,
    ) -> Result<Downloaded, DownloadError> {
        let mut run = Run::new(self);
        let (part_file, known) = match PartFile::open(part.into(), identity.into()).await {
            Ok(opened) => opened,
            Err(error) => return Err(run.failed(write_failed(error))),
        };
        let resumed_from = part_file.written();
        run.known = known;
        let mut sink = Sink::File(part_file);
        let result = run.run(&mut sink).await;
        let Sink::File(mut part_file) = sink else {
            // It can't be: nothing makes another of it.
            return Err(run.failed(TransportErrorKind::InvalidRequest.into()));
        };
        if let Err(error) = result {
            // The failure is what there is to say; a disk that is full says it the next time.
            let _ = part_file.persist(run.known.validator.is_some()).await;
            return Err(error);
        }
        let path = name(run.known.content_type.as_deref());
        match part_file.finish(run.known.digest, path.clone()).await {
            Ok(true) => Ok(run.downloaded(part_file.written(), resumed_from, Some(path))),
            Ok(false) => Err(run.failed(integrity_mismatch(OTHER_DIGEST))),
            Err(error) => Err(run.failed(write_failed(error))),
        }
    }

    /// Fetches into a writer, in order. A connection that breaks off is gone on with as long as this future runs; where
    /// it ends with an error, the writer has a part.
    ///
    /// # Errors
    /// [`DownloadError`].
    pub async fn to_writer(
        self,
        writer: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<Downloaded, DownloadError> {
        let mut run = Run::new(self);
        let mut sink = Sink::Writer {
            writer,
            written: 0,
            hasher: None,
        };
        run.run(&mut sink).await?;
        let digest = sink.digest();
        if digest.is_some() && digest != run.known.digest {
            return Err(run.failed(integrity_mismatch(OTHER_DIGEST)));
        }
        // One that came with a later part is of what was not counted from the beginning.
        run.known.digest = digest;
        let bytes = sink.written();
        if let Sink::Writer { writer, .. } = sink
            && let Err(error) = writer.flush().await
        {
            return Err(run.failed(write_failed(error)));
        }
        Ok(run.downloaded(bytes, 0, None))
    }
}

impl fmt::Debug for Download<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("url", &&self.url[..Position::AfterPath])
            .field("deadline", &self.deadline)
            .field("stall_timeout", &self.stall_timeout)
            .field("size_limit", &self.size_limit)
            .field("patience", &self.not_ready_timeout)
            .finish_non_exhaustive()
    }
}

const OTHER_DIGEST: &str = "it doesn't have the digest that the service gives for it";
const COMPRESSED: &str = "it came compressed, which was not asked for";
const ENDLESS: &str = "nothing tells its end: no length, and no chunks";
const OTHER_PART: &str = "another part came than was asked for";
const CHANGED: &str = "it changed on the way, and what was handed on can't be taken back";

fn integrity_mismatch(reason: &'static str) -> AttemptError {
    TransportErrorKind::IntegrityMismatch { reason }.into()
}

fn write_failed(error: io::Error) -> AttemptError {
    AttemptError {
        kind: TransportErrorKind::WriteFailed,
        source: Some(Arc::new(error)),
    }
}

/// How an attempt ended.
enum Ended {
    Whole,
    /// Something is there; the rest of it is to be asked for.
    ReceiveError(Outcome, AttemptError),
    /// An answer that has no bytes.
    Answered(Answered),
    /// What the service has is not what is here: begin again, without asking for a part.
    Restart(&'static str),
    /// Trying again is no use.
    Final(Outcome, AttemptError),
}

struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    cut: bool,
}

/// A fetch under way.
struct Run<'a> {
    download: Download<'a>,
    started: Instant,
    attempts: Vec<Attempt>,
    stop: StopReason,
    known: ResourceMetadata,
    /// Parts were asked for, and something else came.
    without_parts: bool,
    /// Of the attempt under way.
    status: Option<StatusCode>,
    request_id: Option<String>,
    received: u64,
}

impl<'a> Run<'a> {
    fn new(download: Download<'a>) -> Self {
        Self {
            started: download.transport.shared.time.now(),
            download,
            attempts: Vec::new(),
            stop: StopReason::NotSent,
            known: ResourceMetadata::default(),
            without_parts: false,
            status: None,
            request_id: None,
            received: 0,
        }
    }

    fn left(&self) -> Duration {
        let now = self.download.transport.shared.time.now();
        let passed = now.saturating_duration_since(self.started);
        self.download.deadline.saturating_sub(passed)
    }

    async fn run(&mut self, sink: &mut Sink<'_>) -> Result<(), DownloadError> {
        #[cfg(not(feature = "tracing"))]
        let result = self.ask(sink).await;
        #[cfg(feature = "tracing")]
        let result = {
            use tracing::Instrument as _;

            let Download { operation, url, .. } = &self.download;
            let span = crate::observe::request_span(operation, &Method::GET, url);
            let result = self.ask(sink).instrument(span.clone()).await;
            let ended = match &result {
                Ok(()) => &self.attempts[..],
                Err(DownloadError::Failed(error)) => error.attempt_log().attempts(),
                Err(DownloadError::Refused(exchange)) => exchange.attempt_log.attempts(),
            };
            crate::observe::request_ended(&span, ended);
            result
        };
        result
    }

    /// Asks until it is whole, or asking is no use any more.
    async fn ask(&mut self, sink: &mut Sink<'_>) -> Result<(), DownloadError> {
        let shared = &*self.download.transport.shared;
        // The retry budget guards the API's servers, and no others.
        let is_ours = self.is_at_home();
        let mut permit: Option<Permit<'_>> = None;
        if let Err(reason) = allowed(&self.download.url, self.download.allow_insecure_http) {
            return Err(self.failed(TransportErrorKind::RefusedUrl { reason }.into()));
        }
        // Since bytes came the last time.
        let (mut idle, mut timeouts) = (0, 0);
        let mut not_ready = 0;
        let mut token_was_renewed = false;
        loop {
            let issued = match self.before_attempt().await {
                Ok(issued) => issued,
                Err(error) => {
                    if !self.attempts.is_empty() {
                        self.stop = StopReason::before_attempt(&error.kind);
                    }
                    return Err(self.failed(error));
                }
            };
            let begun = shared.time.now();
            let before = sink.written();
            let mut ended = self.attempt(issued.as_ref(), sink).await;
            if let Some(IssuedToken { token, .. }) = &issued {
                self.hide(
                    &mut ended,
                    &Secrets::of(token, self.download.operation.auth),
                );
            }
            // Less is there where it was begun again.
            let advanced = sink.written() > before;
            (idle, timeouts) = if advanced {
                (1, 0)
            } else {
                (idle + 1, timeouts)
            };
            let outcome = match &ended {
                Ended::Whole => Outcome::Success,
                Ended::ReceiveError(outcome, _) | Ended::Final(outcome, _) => *outcome,
                Ended::Answered(answered) => match Outcome::of_status(answered.status) {
                    Outcome::Success => Outcome::Rejected,
                    outcome => outcome,
                },
                Ended::Restart(_) => Outcome::Malformed,
            };
            let hint = match &ended {
                Ended::Answered(answered) => {
                    ServerHint::read(&answered.headers, || shared.time.system_now())
                }
                _ => ServerHint::default(),
            };
            self.note(begun, outcome, hint);
            if outcome == Outcome::AttemptTimedOut {
                timeouts += 1;
            }
            let context = RetryContext {
                outcome,
                attempts: idle,
                max_attempts: self.download.transport.settings.max_attempts,
                timeouts,
                repeatable: true,
                body_is_stream: false,
                hint,
                left: self.left(),
                backoff: shared.backoff,
                jitter: &shared.jitter,
            };
            let decision = if self.attempts.len() >= ATTEMPTS {
                Err(StopReason::AttemptsExhausted)
            } else {
                context.decide()
            };
            let (decision, result) = match ended {
                Ended::Whole => {
                    self.stop = StopReason::Success;
                    return Ok(());
                }
                Ended::Final(_, error) => (Err(StopReason::NotRetryable), Err(error)),
                Ended::ReceiveError(_, error) => {
                    let resumable = self.known.validator.is_some() || sink.can_begin();
                    let decision = if resumable {
                        decision
                    } else {
                        Err(StopReason::NotResumable)
                    };
                    (decision, Err(error))
                }
                Ended::Restart(reason) => {
                    let wait = RetryDelay {
                        duration: Duration::ZERO,
                        reason: DelayReason::Restart,
                    };
                    let is_first = !std::mem::replace(&mut self.without_parts, true);
                    (
                        is_first.then_some(wait).ok_or(StopReason::NotRetryable),
                        Err(integrity_mismatch(reason)),
                    )
                }
                Ended::Answered(answered) => {
                    let decision = if is_not_ready(answered.status)
                        && !self.download.not_ready_timeout.is_zero()
                    {
                        idle = 0;
                        not_ready += 1;
                        self.wait_until_ready(not_ready, hint)
                    } else if outcome == Outcome::Unauthorized
                        && !token_was_renewed
                        && let Some(refused) = &issued
                        && shared
                            .credentials
                            .of(self.download.operation.auth)
                            .reject(refused)
                    {
                        token_was_renewed = true;
                        Ok(RetryDelay {
                            duration: Duration::ZERO,
                            reason: DelayReason::FreshToken,
                        })
                    } else {
                        decision
                    };
                    (decision, Ok(answered))
                }
            };
            if let Some(permit) = permit.take()
                && outcome.is_transient()
            {
                permit.spend();
            }
            let decision = decision.and_then(|wait| {
                if is_ours && !wait.duration.is_zero() {
                    permit = shared.budget.take(outcome.cost());
                    permit.as_ref().ok_or(StopReason::BudgetExhausted)?;
                }
                Ok(wait)
            });
            match decision {
                Ok(wait) => {
                    if let Some(last) = self.attempts.last_mut() {
                        last.retry_delay = Some(wait);
                    }
                    if !wait.duration.is_zero() {
                        shared.time.sleep(wait.duration).await;
                    }
                }
                Err(stop) => {
                    self.stop = stop;
                    return Err(match result {
                        Ok(answered) => self.refused(answered),
                        Err(error) => self.failed(error),
                    });
                }
            }
        }
    }

    /// Takes the token out of what the service says, which goes to logs.
    fn hide(&mut self, ended: &mut Ended, secrets: &Secrets<'_>) {
        if let Some(id) = &mut self.request_id {
            secrets.hide_in(id);
        }
        match ended {
            Ended::Answered(answered) => {
                let body = (&mut answered.body, answered.cut);
                hide_in_answer(secrets, &mut answered.headers, Some(body));
            }
            Ended::ReceiveError(_, error) | Ended::Final(_, error) => error.hide(secrets),
            Ended::Whole | Ended::Restart(_) => {}
        }
    }

    /// Whether the address is on the API's own host.
    fn is_at_home(&self) -> bool {
        let base = &self.download.transport.shared.base_url;
        base.is_origin_of(&self.download.url)
    }

    /// Waits for its turn and brings the token, as long as there is time for an attempt.
    async fn before_attempt(&self) -> Result<Option<IssuedToken>, AttemptError> {
        #[cfg(feature = "rate-limit")]
        if self.is_at_home() {
            self.wait_for_rate_limit().await?;
        }
        let issued = self.issue_token().await?;
        if self.left().is_zero() {
            return Err(self.late(Phase::Head, Limit::Deadline));
        }
        Ok(issued)
    }

    #[cfg(feature = "rate-limit")]
    async fn wait_for_rate_limit(&self) -> Result<(), AttemptError> {
        let shared = &*self.download.transport.shared;
        let turn = || shared.rate.as_ref()?.wait();
        while let Some(wait) = turn() {
            if wait >= self.left() {
                return Err(self.late(Phase::RateLimit, Limit::Deadline));
            }
            shared.time.sleep(wait).await;
        }
        Ok(())
    }

    /// The wait before something is asked for again that wasn't there so many times.
    fn wait_until_ready(&self, times: u32, hint: ServerHint) -> Result<RetryDelay, StopReason> {
        let shared = &*self.download.transport.shared;
        let (first, cap) = NOT_READY;
        let doubled = 1_u32.checked_shl(times - 1).unwrap_or(u32::MAX);
        let ours = first.saturating_mul(doubled).min(cap);
        let (duration, reason) = match hint.retry_after {
            Some(theirs) if theirs > ours => (theirs, DelayReason::RetryAfter),
            _ => (ours, DelayReason::NotReady),
        };
        let passed = shared.time.now().saturating_duration_since(self.started);
        if passed + duration > self.download.not_ready_timeout || duration >= self.left() {
            return Err(StopReason::NotReady);
        }
        Ok(RetryDelay { duration, reason })
    }

    /// The token, where the address is at home.
    async fn issue_token(&self) -> Result<Option<IssuedToken>, AttemptError> {
        if self.download.operation.auth == Auth::None || !self.is_at_home() {
            return Ok(None);
        }
        let shared = &*self.download.transport.shared;
        let source = shared.credentials.of(self.download.operation.auth);
        let getting = source.get(&shared.time);
        let got = shared.time.limit(self.left(), getting).await;
        got.map_err(|_| self.late(Phase::Token, Limit::Deadline))?
            .map_err(|error| AttemptError {
                kind: TransportErrorKind::TokenUnavailable,
                source: Some(Arc::new(ProviderError(error))),
            })
    }

    fn late(&self, phase: Phase, limit: Limit) -> AttemptError {
        let after = match limit {
            Limit::Attempt => self.download.transport.settings.attempt_timeout,
            Limit::Stall => self.download.stall_timeout,
            Limit::Deadline => self.download.deadline,
        };
        TransportErrorKind::TimedOut {
            phase,
            limit,
            after,
        }
        .into()
    }

    /// What a limit of time that has come means: the deadline where that was nearer.
    fn over(&self, phase: Phase, limit: Limit, length: Duration, left: Duration) -> Ended {
        if left <= length {
            Ended::Final(Outcome::DeadlineReached, self.late(phase, Limit::Deadline))
        } else {
            Ended::ReceiveError(Outcome::AttemptTimedOut, self.late(phase, limit))
        }
    }

    fn broken(&self, error: reqwest::Error, phase: Phase) -> Ended {
        let limits = Limits {
            attempt: self.download.transport.settings.attempt_timeout,
            deadline: self.download.deadline,
            body: self.download.size_limit,
        };
        let (outcome, kind) = classify_http(&error, phase, self.received, limits);
        // The URL carries the query, which may be all that keeps others out.
        let source: Source = Some(Arc::new(error.without_url()));
        Ended::ReceiveError(outcome, AttemptError { kind, source })
    }

    async fn attempt(&mut self, issued: Option<&IssuedToken>, sink: &mut Sink<'_>) -> Ended {
        (self.status, self.request_id, self.received) = (None, None, 0);
        let offset = match &self.known.validator {
            Some(_) if !self.without_parts => sink.written(),
            _ => 0,
        };
        let response = match self.head(issued, offset).await {
            Ok(response) => response,
            Err(ended) => return ended,
        };
        let (status, headers) = (response.status(), response.headers());
        self.status = Some(status);
        self.request_id = request_id(headers);
        let said = ResourceMetadata::read(status, headers);
        let coding = text(headers, header::CONTENT_ENCODING);
        let is_coded = coding.is_some_and(|coding| !coding.eq_ignore_ascii_case("identity"));
        // The bytes of this body that are here already, and how many it has.
        let (skip, expected) = match status {
            StatusCode::OK if is_coded => {
                return Ended::Final(Outcome::Malformed, integrity_mismatch(COMPRESSED));
            }
            StatusCode::OK => {
                let written = sink.written();
                let same = said.validator.is_some()
                    && said.validator == self.known.validator
                    && said.total.is_none_or(|total| written <= total);
                if written == 0 || !same {
                    if !sink.can_begin() {
                        return Ended::Final(Outcome::Malformed, integrity_mismatch(CHANGED));
                    }
                    self.known = said;
                    if let Err(error) = sink.begin(&self.known).await {
                        return Ended::Final(Outcome::WriteFailed, write_failed(error));
                    }
                    (0, self.known.total)
                } else {
                    self.known.total = said.total.or(self.known.total);
                    (written, said.total)
                }
            }
            StatusCode::PARTIAL_CONTENT if offset > 0 => {
                let Some(range) = ContentRange::read(headers) else {
                    return Ended::Restart(OTHER_PART);
                };
                let total = range.total.or(self.known.total);
                let fits = range.first == offset
                    && !is_coded
                    && total.is_some()
                    && (self.known.total.is_none() || self.known.total == total)
                    && (said.validator.is_none() || said.validator == self.known.validator);
                if !fits {
                    return Ended::Restart(OTHER_PART);
                }
                self.known.total = total;
                self.known.digest = self.known.digest.or(said.digest);
                if self.known.content_type.is_none() {
                    self.known.content_type = said.content_type;
                }
                (0, Some(range.last - range.first + 1))
            }
            StatusCode::PARTIAL_CONTENT => {
                return Ended::Final(Outcome::Malformed, integrity_mismatch(OTHER_PART));
            }
            StatusCode::RANGE_NOT_SATISFIABLE if offset > 0 => {
                return Ended::Restart(OTHER_PART);
            }
            _ => return self.answered(response).await,
        };
        let is_framed = expected.is_some()
            || response.version() > Version::HTTP_11
            || headers.contains_key(header::TRANSFER_ENCODING);
        if !is_framed && self.known.digest.is_none() {
            return Ended::Final(Outcome::Malformed, integrity_mismatch(ENDLESS));
        }
        self.body(response, skip, expected, sink).await
    }

    /// Reads the body into the sink.
    async fn body(
        &mut self,
        mut response: reqwest::Response,
        mut skip: u64,
        expected: Option<u64>,
        sink: &mut Sink<'_>,
    ) -> Ended {
        let limit = self.download.size_limit;
        let too_large = |received, announced| {
            let kind = TransportErrorKind::BodyTooLarge {
                limit,
                received,
                announced,
            };
            Ended::Final(Outcome::BodyTooLarge, kind.into())
        };
        if let Some(total) = self.known.total
            && total > limit
        {
            return too_large(self.received, Some(total));
        }
        self.tell(sink);
        loop {
            let (left, stall) = (self.left(), self.download.stall_timeout);
            let time = &self.download.transport.shared.time;
            let chunk = match time.limit(stall.min(left), response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => break,
                Ok(Err(error)) => return self.broken(error, Phase::Body),
                Err(_) => return self.over(Phase::Body, Limit::Stall, stall, left),
            };
            self.received += chunk.len() as u64;
            if expected.is_some_and(|expected| self.received > expected) {
                return Ended::Final(Outcome::Malformed, integrity_mismatch(OTHER_PART));
            }
            let known = skip.min(chunk.len() as u64);
            skip -= known;
            let fresh = chunk.slice(usize::try_from(known).unwrap_or(usize::MAX)..);
            if fresh.is_empty() {
                continue;
            }
            if sink.written() + fresh.len() as u64 > limit {
                return too_large(sink.written() + fresh.len() as u64, None);
            }
            if let Err(error) = sink.write(&fresh).await {
                return Ended::Final(Outcome::WriteFailed, write_failed(error));
            }
            self.tell(sink);
        }
        let written = sink.written();
        let total = self.known.total.unwrap_or(written);
        // A service may also answer with less than was asked for.
        if skip > 0 || written < total {
            let (phase, received) = (Phase::Body, self.received);
            let kind = TransportErrorKind::Interrupted { phase, received };
            return Ended::ReceiveError(Outcome::Truncated, kind.into());
        }
        if written > total {
            return Ended::Final(Outcome::Malformed, integrity_mismatch(OTHER_PART));
        }
        Ended::Whole
    }

    fn tell(&mut self, sink: &Sink<'_>) {
        if let Some(on_progress) = &mut self.download.on_progress {
            let on_progress = on_progress
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner);
            on_progress(Progress {
                bytes: sink.written(),
                total: self.known.total,
            });
        }
    }

    /// Sends the request, to where redirects lead; the head of the answer must come within the attempt time-out.
    async fn head(
        &mut self,
        issued: Option<&IssuedToken>,
        offset: u64,
    ) -> Result<reqwest::Response, Ended> {
        let (left, attempt_timeout) = (
            self.left(),
            self.download.transport.settings.attempt_timeout,
        );
        let time = &self.download.transport.shared.time;
        let following = std::pin::pin!(self.follow(issued, offset));
        match time.limit(attempt_timeout.min(left), following).await {
            Ok(result) => result,
            Err(_) => Err(self.over(Phase::Head, Limit::Attempt, attempt_timeout, left)),
        }
    }

    async fn follow(
        &self,
        issued: Option<&IssuedToken>,
        offset: u64,
    ) -> Result<reqwest::Response, Ended> {
        let shared = &*self.download.transport.shared;
        let mut url = self.download.url.clone();
        // Once it was away it is a stranger, wherever it leads.
        let mut at_home = true;
        for _ in 0..=HOPS {
            at_home &= shared.base_url.is_origin_of(&url);
            let request = self.request(&url, issued.filter(|_| at_home), at_home, offset);
            let (Some(request), Ok(client)) = (request, shared.reach(&url, at_home)) else {
                let kind = TransportErrorKind::InvalidRequest;
                return Err(Ended::Final(Outcome::Unsendable, kind.into()));
            };
            let response = client
                .execute(request)
                .await
                .map_err(|error| self.broken(error, Phase::Head))?;
            let status = response.status();
            let target = match status.as_u16() {
                // A client that was given may follow redirects by itself, with the token.
                _ if response.url()[..Position::AfterPath] != url[..Position::AfterPath] => None,
                301 | 302 | 303 | 307 | 308 => text(response.headers(), header::LOCATION)
                    .and_then(|location| url.join(location).ok()),
                _ => return Ok(response),
            };
            let redirected = |target: &Url| {
                let to = target[Position::BeforeHost..Position::BeforePath].to_owned();
                let to = (!to.is_empty()).then_some(to);
                let kind = TransportErrorKind::Redirected { status, to };
                Ended::Final(Outcome::Redirected, kind.into())
            };
            let Some(target) = target else {
                return Err(redirected(response.url()));
            };
            let insecure = self.download.allow_insecure_http;
            let is_downgrade = url.scheme() == "https" && target.scheme() != "https";
            if allowed(&target, insecure).is_err() || (is_downgrade && !insecure) {
                return Err(redirected(&target));
            }
            url = target;
        }
        let to = Some(url[Position::BeforeHost..Position::BeforePath].to_owned());
        let kind = TransportErrorKind::Redirected {
            status: StatusCode::FOUND,
            to,
        };
        Err(Ended::Final(Outcome::Redirected, kind.into()))
    }

    /// To strangers it says nothing but what is needed.
    fn request(
        &self,
        url: &Url,
        issued: Option<&IssuedToken>,
        at_home: bool,
        offset: u64,
    ) -> Option<reqwest::Request> {
        let settings = &self.download.transport.settings.headers;
        let mut request = reqwest::Request::new(Method::GET, url.clone());
        let headers = request.headers_mut();
        if at_home {
            headers.extend(settings.clone());
        } else if let Some(agent) = settings.get(header::USER_AGENT) {
            headers.insert(header::USER_AGENT, agent.clone());
        }
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        // Of something compressed no part could be asked for.
        headers.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
        if offset > 0 {
            let validator = self.known.validator.as_deref().unwrap_or_default();
            headers.insert(header::IF_RANGE, HeaderValue::from_str(validator).ok()?);
            let range = HeaderValue::from_str(&format!("bytes={offset}-")).ok()?;
            headers.insert(header::RANGE, range);
        }
        if let Some(IssuedToken { token, .. }) = issued {
            token.authorize(self.download.operation.auth, &mut request)?;
        }
        Some(request)
    }

    /// Reads what an answer without the bytes says.
    async fn answered(&mut self, mut response: reqwest::Response) -> Ended {
        let (left, attempt_timeout) = (
            self.left(),
            self.download.transport.settings.attempt_timeout,
        );
        let time = &self.download.transport.shared.time;
        let mut buffer = Buffer::default();
        let reading = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                if buffer.push(chunk, ERROR_BODY_LIMIT).is_err() {
                    return true;
                }
            }
            false
        };
        let cut = time
            .limit(attempt_timeout.min(left), reading)
            .await
            .unwrap_or(true);
        Ended::Answered(Answered {
            status: response.status(),
            headers: response.headers().clone(),
            body: buffer.into_bytes(),
            cut,
        })
    }

    fn note(&mut self, begun: Instant, outcome: Outcome, hint: ServerHint) {
        let shared = &*self.download.transport.shared;
        let attempt = Attempt {
            started: begun.saturating_duration_since(self.started),
            elapsed: shared.time.now().saturating_duration_since(begun),
            outcome,
            status: self.status,
            request_id: self.request_id.take(),
            retry_after: hint.retry_after,
            body_bytes: self.received,
            queued: Duration::ZERO,
            retry_delay: None,
        };
        if let Some(observer) = &shared.observer {
            observer.attempt(self.download.operation, &attempt, self.attempts.len());
        }
        #[cfg(feature = "tracing")]
        crate::observe::attempt_event(&attempt, self.attempts.len());
        self.attempts.push(attempt);
    }

    /// Takes the attempts with it: to be called once.
    fn attempt_log(&mut self) -> AttemptLog {
        let transport = self.download.transport;
        let attempt_log = AttemptLog {
            operation: self.download.operation.id,
            // Of the token no command for a shell may speak: it may go to another host.
            auth: Auth::None,
            method: Method::GET,
            url: self.download.url.clone(),
            headers: Vec::new(),
            // Nor of the transport's own headers.
            settings: Arc::new(Settings {
                headers: HeaderMap::new(),
                ..Settings::clone(&transport.settings)
            }),
            has_body: false,
            attempts: std::mem::take(&mut self.attempts),
            stop: self.stop,
            queued: Duration::ZERO,
            elapsed: (transport.shared.time.now()).saturating_duration_since(self.started),
        };
        if let Some(observer) = &transport.shared.observer {
            observer.request(self.download.operation, &attempt_log);
        }
        attempt_log
    }

    fn failed(&mut self, error: AttemptError) -> DownloadError {
        let AttemptError { kind, source } = error;
        DownloadError::Failed(TransportError::new(kind, self.attempt_log(), source))
    }

    fn refused(&mut self, answered: Answered) -> DownloadError {
        DownloadError::Refused(Box::new(Exchange {
            attempt_log: self.attempt_log(),
            status: Some(answered.status),
            headers: answered.headers,
            body: answered.body,
            body_is_cut: answered.cut,
        }))
    }

    fn downloaded(&mut self, bytes: u64, resumed_from: u64, path: Option<PathBuf>) -> Downloaded {
        Downloaded {
            bytes,
            resumed_from,
            content_type: self.known.content_type.clone(),
            path,
            digest_checked: self.known.digest.is_some(),
            attempt_log: self.attempt_log(),
        }
    }
}

fn is_not_ready(status: StatusCode) -> bool {
    matches!(status.as_u16(), 202 | 404 | 425)
}

/// Whether something may be fetched from there, and if not, why.
fn allowed(url: &Url, allow_insecure_http: bool) -> Result<(), &'static str> {
    match url.scheme() {
        "https" => {}
        "http" if allow_insecure_http || names_this_machine(url) => {}
        "http" => {
            return Err(
                "it is plain http to another machine, where anyone on the way could read or change what comes; \
                 allow insecure http where that is meant",
            );
        }
        _ => return Err("it is neither https nor http"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user or password");
    }
    Ok(())
}

impl crate::Shared {
    /// The client for that address. Of one that is not at home no setting of the API's client holds: those may carry
    /// secrets.
    fn reach(&self, url: &Url, at_home: bool) -> Result<&reqwest::Client, crate::BuildError> {
        if at_home {
            return Ok(&self.http);
        }
        let is_here = url.scheme() == "http" && names_this_machine(url);
        let foreign_clients = &self.foreign_clients;
        let client = if is_here {
            &foreign_clients.here
        } else {
            &foreign_clients.away
        };
        if let Some(client) = client.get() {
            return Ok(client);
        }
        let configure = foreign_clients.configure.clone();
        let made = http_client::build(
            http_client::ClientProfile {
                https: !is_here,
                loopback: true,
            },
            foreign_clients.connect_timeout,
            Some(Box::new(move |builder| {
                let builder = match configure {
                    Some(configure) => configure(builder),
                    None => builder,
                };
                builder.no_gzip().no_brotli()
            })),
        )?;
        Ok(client.get_or_init(|| made))
    }
}

/// The clients for what is not on the base URL's origin, made when they are needed.
pub(crate) struct ForeignClients {
    /// For http to this machine, where no proxy is to see it.
    here: OnceLock<reqwest::Client>,
    away: OnceLock<reqwest::Client>,
    connect_timeout: Duration,
    configure: Option<ConfigureEach>,
}

/// For either client.
pub(crate) type ConfigureEach =
    Arc<dyn Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync>;

impl ForeignClients {
    pub(crate) fn new(connect_timeout: Duration, configure: Option<ConfigureEach>) -> Self {
        Self {
            here: OnceLock::new(),
            away: OnceLock::new(),
            connect_timeout,
            configure,
        }
    }
}
