//! A service that answers a client of the facade as a test's script says, on the test's clock.

#![allow(dead_code, unused_imports, reason = "each test uses its part")]
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

/// The reference's call in that status, without an end time.
pub(crate) fn call(status: &str) -> Call {
    let mut call = Sandbox::example_call();
    call.status = CallStatus::from(status);
    call.end_time = None;
    call
}

/// The answer with that call.
pub(crate) fn with(call: &Call) -> Vec<Step> {
    answer(200, "", serde_json::to_string(call).unwrap())
}

/// The answer with the reference's call in that status.
pub(crate) fn says(status: &str) -> Vec<Step> {
    with(&call(status))
}

/// What takes the service away for one whole call of the transport, with its retries.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) scripts: Vec<Vec<Step>>,
    /// What the call ends with.
    pub(crate) kind: ErrorKind,
    /// What the transport waits between its attempts, in seconds.
    pub(crate) waits: &'static [f64],
    /// What the service asks those to wait who come again, with the jitter, in seconds.
    pub(crate) asks: f64,
}

pub(crate) fn faults() -> Vec<Fault> {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{";
    let backoff = &[0.25, 0.5][..];
    let fault = |name, kind, waits: &'static [f64], script: Vec<Step>| Fault {
        name,
        // One after each wait.
        scripts: vec![script; waits.len() + 1],
        kind,
        waits,
        asks: 0.0,
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
        // Two attempt time-outs are as many as a call makes.
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
        // It may be another server's turn the next time, but not within one call.
        fault("garbage", interrupted, &[], send("no HTTP at all\r\n\r\n")),
        Fault {
            asks: 7.25,
            ..fault(
                "429",
                ErrorKind::RateLimited,
                &[7.125, 7.125],
                answer(429, "retry-after: 7\r\n", ""),
            )
        },
        Fault {
            asks: 3.25,
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

/// Its jitter is always the longest.
pub(crate) fn client_with(
    server: &Server,
    clock: &TestClock,
    set: impl FnOnce(TransportBuilder) -> TransportBuilder,
) -> Client {
    let transport = set(wire::builder(&server.url(), clock));
    Client::new(transport.build().unwrap())
}

/// A service that answers by the id that it is asked for; its base URL.
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

/// The answer with the reference's call under that id.
pub(crate) fn found(id: Uuid) -> Response {
    let mut call = Sandbox::example_call();
    call.id = id;
    axum::response::IntoResponse::into_response(axum::Json(call))
}

/// A clock that stands still until it is told to move, and knows who waits.
#[derive(Clone)]
pub(crate) struct Standing(Arc<Mutex<Hands>>);

struct Hands {
    now: Instant,
    waiting: Vec<(Instant, Waker)>,
    waits: Vec<Duration>,
}

impl Standing {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Hands {
            now: Instant::now(),
            waiting: Vec::new(),
            waits: Vec::new(),
        })))
    }

    pub(crate) fn take_waits(&self) -> Vec<Duration> {
        std::mem::take(&mut self.0.lock().unwrap().waits)
    }

    pub(crate) fn pass(&self, duration: Duration) {
        let mut hands = self.0.lock().unwrap();
        hands.now += duration;
        for (_, waker) in hands.waiting.drain(..) {
            waker.wake();
        }
    }
}

impl Clock for Standing {
    fn now(&self) -> Instant {
        self.0.lock().unwrap().now
    }

    fn sleep(&self, duration: Duration) -> SleepFuture<'_> {
        let mut hands = self.0.lock().unwrap();
        hands.waits.push(duration);
        let until = hands.now + duration;
        Box::pin(std::future::poll_fn(move |context| {
            let mut hands = self.0.lock().unwrap();
            if hands.now >= until {
                return Poll::Ready(());
            }
            hands.waiting.push((until, context.waker().clone()));
            Poll::Pending
        }))
    }

    fn limit(&self, _: Duration) -> SleepFuture<'_> {
        Box::pin(std::future::pending())
    }
}

/// Durations, as a clock tells what was waited.
pub(crate) fn seconds(seconds: &[f64]) -> Vec<Duration> {
    let seconds = seconds.iter();
    seconds
        .map(|seconds| Duration::from_secs_f64(*seconds))
        .collect()
}
