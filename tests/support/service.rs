//! A scripted service and clients of the facade for it, on the test's clock.

#![allow(dead_code, unused_imports, reason = "no test uses everything")]
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "../../crates/call-api-transport/tests/support/mod.rs"]
mod wire;

use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use call_api::transport::TransportBuilder;
use call_api::transport::{Clock, SleepFuture};
use call_api::{Call, CallStatus, Client, ErrorKind, Uuid};
use call_api_sandbox::Sandbox;

pub(crate) use wire::{SECRET, Server, Step, TestClock, answer, send};

pub(crate) const ID: Uuid = Sandbox::EXAMPLE_ID;

/// Returns the example call in that status, without an end time.
pub(crate) fn call(status: &str) -> Call {
    let mut call = Sandbox::example_call();
    call.status = CallStatus::from(status);
    call.end_time = None;
    call
}

/// Returns a response with that call.
pub(crate) fn call_response(call: &Call) -> Vec<Step> {
    answer(200, "", serde_json::to_string(call).unwrap())
}

/// Returns a response with the example call in that status.
pub(crate) fn status_response(status: &str) -> Vec<Step> {
    call_response(&call(status))
}

/// A fault that outlasts one request with all its retries.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) scripts: Vec<Vec<Step>>,
    /// The kind of the error that the request ends with.
    pub(crate) kind: ErrorKind,
    /// The delays between attempts, in seconds.
    pub(crate) waits: &'static [f64],
    /// The `Retry-After` of the service plus jitter, in seconds.
    pub(crate) retry_after: f64,
}

pub(crate) fn faults() -> Vec<Fault> {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{";
    let backoff = &[0.25, 0.5][..];
    let fault = |name, kind, waits: &'static [f64], script: Vec<Step>| Fault {
        name,
        // One attempt after each wait.
        scripts: vec![script; waits.len() + 1],
        kind,
        waits,
        retry_after: 0.0,
    };
    let interrupted = ErrorKind::Interrupted;
    vec![
        fault("500", ErrorKind::Server, backoff, answer(500, "", "busy")),
        fault("reset", interrupted, backoff, vec![Step::Reset]),
        fault("closed", interrupted, backoff, vec![Step::Close]),
        fault(
            "truncated body",
            interrupted,
            backoff,
            [send(cut), vec![Step::Close]].concat(),
        ),
        // A request is limited to two attempts that time out.
        fault(
            "silent server",
            ErrorKind::Timeout,
            &[0.25],
            vec![Step::Stall],
        ),
        fault(
            "stall in the body",
            ErrorKind::Timeout,
            &[0.25],
            [send(cut), vec![Step::Stall]].concat(),
        ),
        // Not retried within one request; a later request may reach another server.
        fault("garbage", interrupted, &[], send("not HTTP\r\n\r\n")),
        Fault {
            retry_after: 7.25,
            ..fault(
                "429",
                ErrorKind::RateLimited,
                &[7.125, 7.125],
                answer(429, "retry-after: 7\r\n", ""),
            )
        },
        Fault {
            retry_after: 3.25,
            ..fault(
                "500 with Retry-After",
                ErrorKind::Server,
                &[3.125, 3.125],
                answer(500, "retry-after: 3\r\n", ""),
            )
        },
    ]
}

pub(crate) fn client(server: &Server, clock: &TestClock) -> Client {
    client_with(server, clock, |builder| builder)
}

/// Returns a client with the maximum jitter.
pub(crate) fn client_with(
    server: &Server,
    clock: &TestClock,
    set: impl FnOnce(TransportBuilder) -> TransportBuilder,
) -> Client {
    let transport = set(wire::builder(&server.url(), clock));
    Client::new(transport.build().unwrap())
}

/// Starts a service that answers each request by its id. Returns the base URL.
pub(crate) async fn respond<F, A>(answer: F) -> String
where
    F: Fn(Uuid) -> A + Send + Sync + 'static,
    A: Future<Output = Response> + Send + 'static,
{
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let get_call = get(|Path(id), State(answer): State<Arc<F>>| async move { answer(id).await });
    let service = axum::Router::new()
        .route("/v1/call/{id}", get_call)
        .with_state(Arc::new(answer));
    tokio::spawn(async move { axum::serve(listener, service).await });
    url
}

/// Returns a response with the example call under that id.
pub(crate) fn found(id: Uuid) -> Response {
    let mut call = Sandbox::example_call();
    call.id = id;
    axum::response::IntoResponse::into_response(axum::Json(call))
}

/// A clock that moves only with `advance`, and wakes those who wait.
#[derive(Clone)]
pub(crate) struct ManualClock(Arc<Mutex<ClockState>>);

struct ClockState {
    now: Instant,
    waiting: Vec<(Instant, Waker)>,
    waits: Vec<Duration>,
}

impl ManualClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(ClockState {
            now: Instant::now(),
            waiting: Vec::new(),
            waits: Vec::new(),
        })))
    }

    pub(crate) fn take_waits(&self) -> Vec<Duration> {
        std::mem::take(&mut self.0.lock().unwrap().waits)
    }

    pub(crate) fn advance(&self, duration: Duration) {
        let mut state = self.0.lock().unwrap();
        state.now += duration;
        for (_, waker) in state.waiting.drain(..) {
            waker.wake();
        }
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.0.lock().unwrap().now
    }

    fn sleep(&self, duration: Duration) -> SleepFuture<'_> {
        let mut state = self.0.lock().unwrap();
        state.waits.push(duration);
        let until = state.now + duration;
        Box::pin(std::future::poll_fn(move |context| {
            let mut state = self.0.lock().unwrap();
            if state.now >= until {
                return Poll::Ready(());
            }
            state.waiting.push((until, context.waker().clone()));
            Poll::Pending
        }))
    }

    fn limit(&self, _: Duration) -> SleepFuture<'_> {
        Box::pin(std::future::pending())
    }
}

/// Converts seconds to durations.
pub(crate) fn seconds(seconds: &[f64]) -> Vec<Duration> {
    let seconds = seconds.iter();
    seconds
        .map(|seconds| Duration::from_secs_f64(*seconds))
        .collect()
}
