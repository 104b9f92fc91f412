//! Faults that happen, by rule and by seed.

use std::future::{self, Future};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{Buf, Bytes};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::answer;
use crate::routes::{Api, OPERATIONS};
use crate::server::Connection;

/// How much of an answer a fault reads to change it: as much as any client takes.
const LARGEST: usize = 16 << 20;

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Fault {
    /// The service answers with this, from 200 to 599, and does nothing else.
    Status {
        /// The status.
        status: u16,
        /// The body; none where it is `None`. Its `Content-Type` is `application/json` if it is JSON, `text/html` if it
        /// starts with `<`, and `text/plain` otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
        /// The `Retry-After`, which may be nonsense.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<String>,
    },
    /// The answer takes so much longer. Other faults may come on top of it.
    Latency {
        /// How much longer.
        #[serde(rename = "seconds", with = "crate::seconds")]
        by: Duration,
    },
    /// The request is read, and never answered.
    Stall,
    /// The request is read, and the connection reset.
    Reset,
    /// The answer's body breaks off in the middle, and the connection is closed.
    Truncated,
    /// A 200 whose body is said to be JSON and is noise.
    Garbage,
    /// The call has a status that the document doesn't list.
    UnknownStatus {
        /// The status.
        status: String,
    },
    /// The call has a property that the document doesn't list.
    ExtraProperty {
        /// Its name.
        name: String,
        /// What it holds.
        value: Value,
    },
    /// The call lacks a property.
    MissingProperty {
        /// Its name.
        name: String,
    },
}

impl Fault {
    /// A status with a body as FastAPI has it: `{"detail":"Service Unavailable"}`.
    pub fn status(status: StatusCode) -> Self {
        let detail = status.canonical_reason().unwrap_or("Error");
        Self::Status {
            status: status.as_u16(),
            body: Some(format!(r#"{{"detail":"{detail}"}}"#)),
            retry_after: None,
        }
    }

    /// A 429, or another status, that says when to come back: `"2"` is in two seconds.
    pub fn retry_after(status: StatusCode, retry_after: impl Into<String>) -> Self {
        match Self::status(status) {
            Self::Status { status, body, .. } => Self::Status {
                status,
                body,
                retry_after: Some(retry_after.into()),
            },
            other => other,
        }
    }
}

/// Which requests a [`Fault`] happens to: without more, to each one.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    fault: Fault,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    #[serde(default = "every")]
    share: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
}

fn every() -> f64 {
    1.0
}

impl FaultRule {
    /// The fault happens to every request for a call or a recording.
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            operation: None,
            share: every(),
            times: None,
        }
    }

    /// It happens to this operation only: an `operationId` of the document, such as `get_call`, or `recording`.
    #[must_use]
    pub fn operation(mut self, operation: impl Into<String>) -> Self {
        self.operation = Some(operation.into());
        self
    }

    /// It happens to this share of the requests, from 0 to 1, as the [seed](Faults::seeded) has it.
    #[must_use]
    pub fn share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// It happens so often and then no more.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }
}

impl From<Fault> for FaultRule {
    fn from(fault: Fault) -> Self {
        Self::new(fault)
    }
}

/// The faults of a sandbox. To a request happens what the first rule says that meets it; latencies add up.
///
/// Which requests a share meets is drawn with the seed: the same requests, one after another, meet the same faults.
///
/// ```
/// use std::time::Duration;
///
/// use call_api_sandbox::{Fault, FaultRule, Faults, Sandbox};
/// use http::StatusCode;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let faults = Faults::seeded(7)
///     // The first two requests find nobody at work.
///     .rule(FaultRule::new(Fault::status(StatusCode::SERVICE_UNAVAILABLE)).times(2))
///     // Every tenth takes long, and some break off.
///     .rule(FaultRule::new(Fault::Latency { by: Duration::from_secs(3) }).share(0.1))
///     .rule(FaultRule::new(Fault::Truncated).share(0.02));
/// let sandbox = Sandbox::start().await?;
/// sandbox.set_faults(faults)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    rules: Vec<FaultRule>,
}

impl Faults {
    /// No faults yet, and how chance falls.
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed,
            rules: Vec::new(),
        }
    }

    /// A further rule, looked at after those before.
    #[must_use]
    pub fn rule(mut self, rule: impl Into<FaultRule>) -> Self {
        self.rules.push(rule.into());
        self
    }

    /// What is wrong with them, if anything is.
    pub(crate) fn check(&self) -> Result<(), InvalidFaults> {
        for (at, rule) in self.rules.iter().enumerate() {
            rule.check().map_err(|why| InvalidFaults { at, why })?;
        }
        Ok(())
    }
}

impl FaultRule {
    fn check(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.share) {
            return Err(format!("a share of {}; give one from 0 to 1", self.share));
        }
        if let Some(operation) = &self.operation
            && !OPERATIONS.contains(&operation.as_str())
        {
            let known = OPERATIONS.join("`, `");
            return Err(format!(
                "there is no operation `{operation}`; give one of `{known}`"
            ));
        }
        if let Fault::Status {
            status,
            retry_after,
            ..
        } = &self.fault
        {
            if !(200..600).contains(status) {
                return Err(format!("a status of {status}; give one from 200 to 599"));
            }
            if let Some(value) = retry_after
                && HeaderValue::from_str(value).is_err()
            {
                return Err(format!("no header can carry a retry_after of {value:?}"));
            }
        }
        Ok(())
    }
}

/// Faults that can't happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the fault at /rules/{at}: {why}")]
pub struct InvalidFaults {
    at: usize,
    why: String,
}

impl From<InvalidFaults> for io::Error {
    fn from(error: InvalidFaults) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

/// The faults that are in force.
#[derive(Default)]
pub(crate) struct Injector {
    /// Whether there are any, for most sandboxes have none.
    armed: AtomicBool,
    active: Mutex<Active>,
}

#[derive(Default)]
struct Active {
    faults: Faults,
    /// How often each has happened.
    happened: Vec<u64>,
    chance: fastrand::Rng,
}

/// What happens to one request.
#[derive(Debug, Default, PartialEq)]
struct Drawn {
    latency: Duration,
    fault: Option<Fault>,
    noise: u64,
}

impl Injector {
    /// Puts them in force, in place of those before, from their seed on.
    pub(crate) fn set(&self, faults: Faults) -> Result<(), InvalidFaults> {
        faults.check()?;
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        self.armed
            .store(!faults.rules.is_empty(), Ordering::Relaxed);
        active.happened = vec![0; faults.rules.len()];
        active.chance = fastrand::Rng::with_seed(faults.seed);
        active.faults = faults;
        Ok(())
    }

    /// Those in force.
    pub(crate) fn get(&self) -> Faults {
        let active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        active.faults.clone()
    }

    fn draw(&self, operation: &str) -> Drawn {
        let mut drawn = Drawn::default();
        if !self.armed.load(Ordering::Relaxed) {
            return drawn;
        }
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        let Active {
            faults,
            happened,
            chance,
        } = &mut *active;
        drawn.noise = chance.u64(..);
        for (rule, happened) in faults.rules.iter().zip(happened) {
            if rule
                .operation
                .as_deref()
                .is_some_and(|only| only != operation)
            {
                continue;
            }
            // Drawn for each rule, so that what one does is no matter to the chance of the next.
            let is_met = chance.f64() < rule.share;
            let is_over = rule.times.is_some_and(|times| *happened >= times);
            if !is_met || is_over {
                continue;
            }
            match &rule.fault {
                Fault::Latency { by } => drawn.latency = drawn.latency.saturating_add(*by),
                _ if drawn.fault.is_some() => continue,
                fault => drawn.fault = Some(fault.clone()),
            }
            *happened += 1;
        }
        drawn
    }
}

/// Answers, or has a fault happen.
pub(crate) async fn inject(
    api: &Api,
    operation: &str,
    connection: Option<Connection>,
    answer: impl Future<Output = Response>,
) -> Response {
    let Drawn {
        latency,
        fault,
        noise,
    } = api.faults.draw(operation);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let Some(fault) = fault else {
        return answer.await;
    };
    match fault {
        Fault::Latency { .. } => answer.await,
        Fault::Status {
            status,
            body,
            retry_after,
        } => plain(status, body, retry_after),
        Fault::Stall => future::pending().await,
        Fault::Reset => match connection {
            Some(connection) => connection.reset().await,
            // Another program's server: what can be done there is to end the connection.
            None => truncated(answer::json(StatusCode::OK, Bytes::from_static(b"{}"))),
        },
        Fault::Truncated => truncated(answer.await),
        Fault::Garbage => answer::json(StatusCode::OK, garbage(noise)),
        Fault::UnknownStatus { status } => {
            changed(answer.await, |call| {
                call.insert("status".to_owned(), status.into());
            })
            .await
        }
        Fault::ExtraProperty { name, value } => {
            changed(answer.await, |call| {
                call.insert(name, value);
            })
            .await
        }
        Fault::MissingProperty { name } => {
            changed(answer.await, |call| {
                call.remove(&name);
            })
            .await
        }
    }
}

fn plain(status: u16, body: Option<String>, retry_after: Option<String>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = match body {
        None => status.into_response(),
        Some(body) => {
            let kind = if serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok() {
                "application/json"
            } else if body.trim_start().starts_with('<') {
                "text/html; charset=utf-8"
            } else {
                "text/plain; charset=utf-8"
            };
            (status, [(CONTENT_TYPE, kind)], body).into_response()
        }
    };
    if let Some(value) = retry_after.and_then(|value| HeaderValue::try_from(value).ok()) {
        answer.headers_mut().insert(RETRY_AFTER, value);
    }
    answer
}

/// Bytes that are neither JSON nor text.
fn garbage(noise: u64) -> Bytes {
    let mut chance = fastrand::Rng::with_seed(noise);
    let mut bytes = vec![0xff; chance.usize(1..=256)];
    chance.fill(&mut bytes[1..]);
    bytes.into()
}

/// The answer with its call changed, if it has one.
async fn changed(answer: Response, change: impl FnOnce(&mut Map<String, Value>)) -> Response {
    let is_json = |kind: &HeaderValue| kind == "application/json";
    if answer.status() != StatusCode::OK || !answer.headers().get(CONTENT_TYPE).is_some_and(is_json)
    {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let Ok(Value::Object(mut call)) = serde_json::from_slice(&body) else {
        return Response::from_parts(parts, body.into());
    };
    change(&mut call);
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Value::Object(call).to_string().into())
}

/// The answer with the first half of its body, said to be all of it.
fn truncated(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    let len = body.size_hint().lower();
    parts.headers.insert(CONTENT_LENGTH, len.into());
    let rest = usize::try_from(len / 2).unwrap_or(usize::MAX);
    let body = Truncated {
        body,
        rest,
        is_sent: false,
    };
    Response::from_parts(parts, Body::new(body))
}

/// A body that fails once so much of it is sent.
struct Truncated {
    body: Body,
    rest: usize,
    is_sent: bool,
}

impl http_body::Body for Truncated {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest == 0 && !self.is_sent {
            // hyper sends what it has while it waits; what it has when a body fails is dropped.
            self.is_sent = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.rest == 0 {
            let broken = io::Error::from(io::ErrorKind::ConnectionReset);
            return Poll::Ready(Some(Err(axum::Error::new(broken))));
        }
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(frame.map(|frame| {
            frame.map(|frame| {
                frame.map_data(|mut data: Bytes| {
                    data.truncate(self.rest);
                    self.rest -= data.remaining();
                    data
                })
            })
        }))
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
