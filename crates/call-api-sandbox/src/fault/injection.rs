//! The active faults, and their effects on responses.

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
use serde_json::{Map, Value};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Fault, Faults, InvalidFaults, RECORDING};
use crate::connection::Connection;
use crate::responses;

/// The maximum number of bytes that a fault reads of a response to change it.
const MAX_CHANGED_BODY: usize = 16 << 20;

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
