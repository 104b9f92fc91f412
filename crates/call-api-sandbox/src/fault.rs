//! Fault injection by rules and a seed.

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
use call_api_types::Call;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::Instant;
use uuid::Uuid;

use crate::connection::Connection;
use crate::responses;

/// The name of the recordings beside the operations of the document.
pub(crate) const RECORDING: &str = "recording";

/// The maximum number of bytes that a fault reads of a response to change it.
const MAX_CHANGED_BODY: usize = 16 << 20;

/// A fault to inject.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Fault {
    /// Answers with this status, from 200 to 599, without handling the request.
    Status {
        /// The status.
        status: u16,
        /// The body, if any. Its `Content-Type` is `application/json` if it is JSON, `text/html` if it starts with `<`, and
        /// `text/plain` otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
        /// The `Retry-After` header; any text, so that invalid values can be tested.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<String>,
    },
    /// Delays the response. Another fault may apply as well.
    Latency {
        /// The delay.
        #[serde(rename = "seconds", with = "crate::seconds")]
        by: Duration,
    },
    /// Answers 429 with `Retry-After` once there were this many requests in a period, until it is over. A period begins with
    /// the first request after the one before.
    Quota {
        /// The number of requests in a period.
        requests: u64,
        /// The period.
        #[serde(rename = "seconds", with = "crate::seconds")]
        per: Duration,
    },
    /// Reads the request and never answers.
    Stall,
    /// Reads the request and resets the connection.
    Reset,
    /// Sends half of the response body and closes the connection.
    Truncated,
    /// Answers 200 with a body that claims to be JSON and is random bytes.
    Garbage,
    /// Replaces the status of the call with one that the document does not list.
    UnknownStatus {
        /// The status.
        status: String,
    },
    /// Adds a property to the call.
    ExtraProperty {
        /// The name.
        name: String,
        /// The value.
        value: Value,
    },
    /// Removes a property from the call.
    MissingProperty {
        /// The name.
        name: String,
    },
}

impl Fault {
    /// Returns a status fault with a body like FastAPI's: `{"detail":"Service Unavailable"}`.
    pub fn status(status: StatusCode) -> Self {
        let detail = status.canonical_reason().unwrap_or("Error");
        Self::Status {
            status: status.as_u16(),
            body: Some(format!(r#"{{"detail":"{detail}"}}"#)),
            retry_after: None,
        }
    }

    /// Returns a status fault, such as a 429, with a `Retry-After` header: `"2"` is two seconds.
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

/// A [`Fault`] and the requests it applies to; by default all of them.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    fault: Fault,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(default = "all_requests")]
    share: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
}

fn all_requests() -> f64 {
    1.0
}

impl FaultRule {
    /// Applies the fault to every request of an operation or for a recording.
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            operation: None,
            id: None,
            tenant: None,
            share: all_requests(),
            times: None,
        }
    }

    /// Applies the fault to one operation, by the name of the client's method, such as `get_call`, or to `recording`.
    #[must_use]
    pub fn operation(mut self, operation: impl Into<String>) -> Self {
        self.operation = Some(operation.into());
        self
    }

    /// Applies the fault to requests about one call: for it, or for its recording.
    #[must_use]
    pub fn id(mut self, id: Uuid) -> Self {
        self.id = Some(id);
        self
    }

    /// Applies the fault to requests with a token of one tenant, which must have one. Recordings need no token, so they are
    /// not among them.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Returns true if the rule is about such requests.
    fn matches(&self, subject: &Subject<'_>) -> bool {
        let operation = self.operation.as_deref();
        operation.is_none_or(|only| only == subject.operation)
            && self.id.is_none_or(|only| subject.id == Some(only))
            && (self.tenant.is_none() || self.tenant.as_deref() == subject.tenant)
    }

    /// Applies the fault to a share of the requests, from 0 to 1, chosen by the [seed](Faults::seeded).
    #[must_use]
    pub fn share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// Applies the fault this many times, then never again.
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

/// The faults of a sandbox. The first matching rule applies to a request; latencies of all matching rules add up.
///
/// A share selects requests pseudo-randomly by the seed, so the same sequence of requests meets the same faults.
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
///     // The service is unavailable for the first two requests.
///     .rule(FaultRule::new(Fault::status(StatusCode::SERVICE_UNAVAILABLE)).times(2))
///     // Every tenth request is slow, and some responses are truncated.
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
    /// Returns an empty set of faults with a seed for [`FaultRule::share`].
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed,
            rules: Vec::new(),
        }
    }

    /// Adds a rule. Earlier rules take precedence.
    #[must_use]
    pub fn rule(mut self, rule: impl Into<FaultRule>) -> Self {
        self.rules.push(rule.into());
        self
    }

    /// Validates the rules.
    fn check(&self, operations: &[String], tenants: &[String]) -> Result<(), InvalidFaults> {
        for (index, rule) in self.rules.iter().enumerate() {
            rule.check(operations, tenants)
                .map_err(|reason| InvalidFaults { index, reason })?;
        }
        Ok(())
    }
}

impl FaultRule {
    fn check(&self, operations: &[String], tenants: &[String]) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.share) {
            return Err(format!(
                "invalid share {}; use a number from 0 to 1",
                self.share
            ));
        }
        if let Some(operation) = &self.operation
            && !operations.contains(operation)
        {
            let known = operations.join("`, `");
            return Err(format!(
                "unknown operation `{operation}`; use one of `{known}`"
            ));
        }
        if let Some(tenant) = &self.tenant
            && !tenants.contains(tenant)
        {
            let known = tenants.join("`, `");
            return Err(format!(
                "unknown tenant `{tenant}`: no token is its own; use one of `{known}`, or add a token for it"
            ));
        }
        if let Fault::Quota { per, .. } = &self.fault
            && per.is_zero()
        {
            return Err("invalid quota of zero seconds; use a longer period".to_owned());
        }
        if let Fault::Status {
            status,
            retry_after,
            ..
        } = &self.fault
        {
            if !(200..600).contains(status) {
                return Err(format!("invalid status {status}; use one from 200 to 599"));
            }
            if let Some(value) = retry_after
                && HeaderValue::from_str(value).is_err()
            {
                return Err(format!("a header cannot carry retry_after {value:?}"));
            }
        }
        Ok(())
    }
}

/// Faults with an invalid rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid fault at /rules/{index}: {reason}")]
pub struct InvalidFaults {
    index: usize,
    reason: String,
}

impl From<InvalidFaults> for io::Error {
    fn from(error: InvalidFaults) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

/// The active faults.
#[derive(Default)]
pub(crate) struct Injector {
    /// The operations that a fault can apply to: those of the document, and the recordings beside them.
    operations: Vec<String>,
    /// The tenants that have a token. No request is of another one.
    tenants: Vec<String>,
    /// True if there are faults. A sandbox without them takes no lock.
    is_active: AtomicBool,
    active: Mutex<Active>,
}

#[derive(Default)]
struct Active {
    faults: Faults,
    /// The state of each rule.
    states: Vec<RuleState>,
    rng: fastrand::Rng,
}

#[derive(Clone, Default)]
struct RuleState {
    /// The number of times the rule was applied.
    applied: u64,
    /// The beginning of the period of a quota, and the requests in it.
    period: Option<(Instant, u64)>,
}

impl RuleState {
    /// Counts a request. Returns the rest of the period if the quota is exhausted.
    fn exceeded(&mut self, requests: u64, per: Duration) -> Option<Duration> {
        let now = Instant::now();
        let period = self.period.filter(|(start, _)| now - *start < per);
        let (start, count) = period.unwrap_or((now, 0));
        self.period = Some((start, count.saturating_add(1)));
        (count >= requests).then(|| per.saturating_sub(now - start))
    }
}

/// The subject of a request, for the rules of faults.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) operation: &'a str,
    /// The call.
    pub(crate) id: Option<Uuid>,
    pub(crate) tenant: Option<&'a str>,
}

/// The faults selected for one request.
#[derive(Debug, Default, PartialEq)]
struct SelectedFault {
    latency: Duration,
    fault: Option<Fault>,
    noise: u64,
}

impl Injector {
    /// Creates an injector without faults for these operations, the recordings, and the tenants of these names.
    pub(crate) fn new<'a>(
        operations: impl Iterator<Item = &'a str>,
        tenants: impl Iterator<Item = &'a str>,
    ) -> Self {
        let mut tenants: Vec<_> = tenants.map(str::to_owned).collect();
        tenants.sort_unstable();
        tenants.dedup();
        Self {
            operations: operations.chain([RECORDING]).map(str::to_owned).collect(),
            tenants,
            ..Self::default()
        }
    }

    /// Replaces the active faults and restarts from their seed.
    pub(crate) fn set(&self, faults: Faults) -> Result<(), InvalidFaults> {
        faults.check(&self.operations, &self.tenants)?;
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_active
            .store(!faults.rules.is_empty(), Ordering::Relaxed);
        active.states = vec![RuleState::default(); faults.rules.len()];
        active.rng = fastrand::Rng::with_seed(faults.seed);
        active.faults = faults;
        Ok(())
    }

    /// Returns the active faults.
    pub(crate) fn get(&self) -> Faults {
        let active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        active.faults.clone()
    }

    pub(crate) fn is_active(&self) -> bool {
        self.is_active.load(Ordering::Relaxed)
    }

    fn select(&self, subject: &Subject<'_>) -> SelectedFault {
        let mut selected = SelectedFault::default();
        if !self.is_active() {
            return selected;
        }
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        let Active {
            faults,
            states,
            rng,
        } = &mut *active;
        selected.noise = rng.u64(..);
        for (rule, state) in faults.rules.iter().zip(states) {
            if !rule.matches(subject) {
                continue;
            }
            // Drawn for every rule, so that one rule does not influence the random numbers of the next.
            let is_selected = rng.f64() < rule.share;
            let is_exhausted = rule.times.is_some_and(|times| state.applied >= times);
            if !is_selected || is_exhausted {
                continue;
            }
            match &rule.fault {
                Fault::Latency { by } => selected.latency = selected.latency.saturating_add(*by),
                Fault::Quota { requests, per } => match state.exceeded(*requests, *per) {
                    Some(left) if selected.fault.is_none() => {
                        selected.fault = Some(too_many_requests(left));
                    }
                    _ => continue,
                },
                _ if selected.fault.is_some() => continue,
                fault => selected.fault = Some(fault.clone()),
            }
            state.applied += 1;
        }
        selected
    }
}

/// Answers a request, with the selected fault if there is one.
pub(crate) async fn inject(
    injector: &Injector,
    subject: Subject<'_>,
    connection: Option<Connection>,
    response: impl Future<Output = Response>,
) -> Response {
    let SelectedFault {
        latency,
        fault,
        noise,
    } = injector.select(&subject);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let Some(fault) = fault else {
        return response.await;
    };
    match fault {
        // Selected as a delay and as a status.
        Fault::Latency { .. } | Fault::Quota { .. } => response.await,
        Fault::Status {
            status,
            body,
            retry_after,
        } => status_response(status, body, retry_after),
        Fault::Stall => future::pending().await,
        Fault::Reset => match connection {
            Some(connection) => connection.reset().await,
            // Without access to the connection, as in a mounted router, breaking off the body is the closest thing.
            None => truncated(responses::json(StatusCode::OK, Bytes::from_static(b"{}"))),
        },
        Fault::Truncated => truncated(response.await),
        Fault::Garbage => responses::json(StatusCode::OK, garbage(noise)),
        Fault::UnknownStatus { status } => {
            change_call(response.await, |call| {
                call.insert(Call::name_in_json("status").to_owned(), status.into());
            })
            .await
        }
        Fault::ExtraProperty { name, value } => {
            change_call(response.await, |call| {
                call.insert(name, value);
            })
            .await
        }
        Fault::MissingProperty { name } => {
            change_call(response.await, |call| {
                call.remove(&name);
            })
            .await
        }
    }
}

/// Returns the fault of an exhausted quota, whose period lasts so long.
fn too_many_requests(left: Duration) -> Fault {
    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, seconds.to_string())
}

fn status_response(status: u16, body: Option<String>, retry_after: Option<String>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match body {
        None => status.into_response(),
        Some(body) => {
            let content_type = if serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok() {
                "application/json"
            } else if body.trim_start().starts_with('<') {
                "text/html; charset=utf-8"
            } else {
                "text/plain; charset=utf-8"
            };
            (status, [(CONTENT_TYPE, content_type)], body).into_response()
        }
    };
    if let Some(value) = retry_after.and_then(|value| HeaderValue::try_from(value).ok()) {
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

/// Random bytes that are neither JSON nor UTF-8.
fn garbage(noise: u64) -> Bytes {
    let mut rng = fastrand::Rng::with_seed(noise);
    let mut bytes = vec![0xff; rng.usize(1..=256)];
    rng.fill(&mut bytes[1..]);
    bytes.into()
}

/// Changes the call in a response, if it has one.
async fn change_call(response: Response, change: impl FnOnce(&mut Map<String, Value>)) -> Response {
    let is_json = |kind: &HeaderValue| kind == "application/json";
    if response.status() != StatusCode::OK
        || !response.headers().get(CONTENT_TYPE).is_some_and(is_json)
    {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_CHANGED_BODY).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let Ok(Value::Object(mut call)) = serde_json::from_slice(&body) else {
        return Response::from_parts(parts, body.into());
    };
    change(&mut call);
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Value::Object(call).to_string().into())
}

/// Cuts the body to its first half but keeps the `Content-Length`.
fn truncated(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let len = body.size_hint().lower();
    parts.headers.insert(CONTENT_LENGTH, len.into());
    let remaining = usize::try_from(len / 2).unwrap_or(usize::MAX);
    let body = Truncated {
        body,
        remaining,
        is_flushed: false,
    };
    Response::from_parts(parts, Body::new(body))
}

/// A body that fails after a number of bytes.
struct Truncated {
    body: Body,
    remaining: usize,
    is_flushed: bool,
}

impl http_body::Body for Truncated {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.remaining == 0 && !self.is_flushed {
            // hyper flushes its buffer while it waits, and drops it when a body fails.
            self.is_flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.remaining == 0 {
            let broken = io::Error::from(io::ErrorKind::ConnectionReset);
            return Poll::Ready(Some(Err(axum::Error::new(broken))));
        }
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(frame.map(|frame| {
            frame.map(|frame| {
                frame.map_data(|mut data: Bytes| {
                    data.truncate(self.remaining);
                    self.remaining -= data.remaining();
                    data
                })
            })
        }))
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
