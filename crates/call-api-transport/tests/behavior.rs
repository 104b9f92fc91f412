//! Behavior that the table of faults cannot show: streams, dropped requests, changing tokens, concurrent requests,
//! observers and attempt logs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]

#[path = "behavior/attempt_log.rs"]
mod attempt_log;
#[path = "behavior/streams.rs"]
mod streams;
mod support;
#[path = "behavior/tokens.rs"]
mod tokens;

use std::error::Error as _;
use std::future::Future;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use call_api_transport::{
    Attempt, AttemptLog, Auth, BoxError, Clock, Limit, Observer, Operation, Outcome, Phase,
    RequestOptions, ResponseBody, SleepFuture, Stalled, StopReason, Token, TokenFile,
    TokenProvider, Transport, TransportErrorKind,
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use http::HeaderValue;
use static_assertions::{assert_impl_all, assert_not_impl_any};
use support::{
    GET_CALL, SECRET, Server, Step, TestClock, all_text, answer, buffered, builder, get, send,
    streamed,
};

// A token must not be printable, nor convertible to its text.
assert_not_impl_any!(Token: std::fmt::Display, serde::Serialize, AsRef<str>, AsRef<[u8]>, Into<String>, std::ops::Deref);
assert_impl_all!(Transport: Clone, Send, Sync, std::fmt::Debug);
assert_impl_all!(call_api_transport::TransportError: Clone, Send, Sync, std::error::Error);
// Extensions of a client can be shared and chosen at run time.
assert_impl_all!(Arc<dyn Observer>: Observer);
assert_impl_all!(Box<dyn Observer>: Observer);
assert_impl_all!(Arc<dyn TokenProvider>: TokenProvider);
assert_impl_all!(Arc<TokenFile>: TokenProvider);
assert_impl_all!(Box<dyn TokenProvider>: TokenProvider);
assert_impl_all!(Arc<dyn Clock>: Clock);
assert_impl_all!(Box<dyn Clock>: Clock);
// Data can be compared and hashed.
assert_impl_all!(Attempt: Eq, std::hash::Hash);
assert_impl_all!(Operation: Eq, std::hash::Hash);
assert_impl_all!(TransportErrorKind: Eq, std::hash::Hash);
assert_impl_all!(RequestOptions: Eq);
assert_impl_all!(call_api_transport::BuildError: Clone);

fn assert_send<T: Send>(value: T) -> T {
    value
}

/// Polls a future until `is_due` returns true, and a few times more, and drops it.
async fn poll_and_drop(future: impl Future, is_due: impl Fn() -> bool) {
    let mut future = Box::pin(future);
    let mut more = 5;
    for _ in 0..10_000 {
        if more == 0 {
            return;
        }
        let ended =
            std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready()))
                .await;
        assert!(!ended, "the future ended before it could be dropped");
        tokio::time::sleep(Duration::from_millis(1)).await;
        more -= usize::from(is_due());
    }
    panic!("the future was never due to be dropped");
}

/// A clock whose sleeps never end.
#[derive(Default)]
struct FrozenClock(TestClock);

impl Clock for FrozenClock {
    fn now(&self) -> std::time::Instant {
        self.0.now()
    }

    fn sleep(&self, _: Duration) -> SleepFuture<'_> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn dropped_request_leaves_nothing_behind() {
    let clock = TestClock::default();
    let short = || send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc");
    for (phase, script) in [
        ("head", vec![]),
        ("body", short()),
        ("wait", answer(503, "", "")),
    ] {
        let server =
            Server::start(&clock, vec![[script, vec![]].concat(), answer(200, "", "")]).await;
        let transport = builder(&server.url(), &clock)
            .clock(Arc::new(FrozenClock::default()))
            .build()
            .unwrap();
        poll_and_drop(
            transport.send(&GET_CALL, get(&transport, "7"), None),
            || server.requests().len() == 1,
        )
        .await;
        assert_eq!(server.requests().len(), 1, "{phase}");
        assert_eq!(transport.retry_budget_left(), 500, "{phase}");
        let response = transport
            .send(&GET_CALL, get(&transport, "7"), None)
            .await
            .unwrap();
        assert_eq!(response.status, 200, "{phase}");
    }
}

#[tokio::test]
async fn dropped_retry_refunds_its_budget() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(503, "", ""), vec![]]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let budget_during_retry = Arc::new(AtomicUsize::new(0));
    let observed = Arc::clone(&budget_during_retry);
    let watched = transport.clone();
    let sending = async {
        let mut request = Box::pin(transport.send(&GET_CALL, get(&transport, "7"), None));
        std::future::poll_fn(|context| {
            let poll = request.as_mut().poll(context);
            observed.store(watched.retry_budget_left() as usize, Ordering::Relaxed);
            poll
        })
        .await
    };
    poll_and_drop(sending, || server.requests().len() == 2).await;
    assert_eq!(server.requests().len(), 2);
    assert_eq!(
        budget_during_retry.load(Ordering::Relaxed),
        500 - 14,
        "the retry was in flight"
    );
    assert_eq!(transport.retry_budget_left(), 500);
}

#[tokio::test]
async fn failed_retries_spend_the_budget_and_successes_refill_it() {
    let clock = TestClock::default();
    let ok = || answer(200, "", "");
    let script = vec![
        // Both retries fail, after a 503 and a 429.
        answer(503, "", ""),
        answer(429, "", ""),
        answer(503, "", ""),
        // The retry succeeds: its cost is refunded.
        answer(503, "", ""),
        ok(),
        // A first attempt that succeeds adds one.
        ok(),
        // The retry ends in a final response: the service is alive.
        answer(503, "", ""),
        answer(404, "", ""),
    ];
    let server = Server::start(&clock, script).await;
    let transport = builder(&server.url(), &clock)
        .max_attempts(3)
        .build()
        .unwrap();
    for wanted in [500 - 14 - 5, 481, 482, 482] {
        transport
            .clone()
            .send(&GET_CALL, get(&transport, "7"), None)
            .await
            .unwrap();
        assert_eq!(transport.retry_budget_left(), wanted);
    }
}

#[tokio::test]
async fn throttle_is_shared_by_clones_only() {
    let clock = TestClock::default();
    let throttling = answer(429, "retry-after: 50\r\n", "");
    let server = Server::start(&clock, vec![throttling, answer(200, "", "")]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let throttled = transport.throttled();
    throttled.throttle_lifted().await;
    let response = throttled.send(&GET_CALL, get(&transport, "7"), None).await;
    assert_eq!(response.unwrap().status, 429);
    // The throttle ends after the deadline, so the request fails without waiting.
    let clone = throttled.clone();
    let error = clone
        .send(&GET_CALL, get(&transport, "7"), None)
        .await
        .unwrap_err();
    let timed_out = TransportErrorKind::TimedOut {
        phase: Phase::Throttle,
        limit: Limit::Deadline,
        after: Duration::from_secs(45),
    };
    assert_eq!(*error.kind(), timed_out);
    assert!(error.is_retryable() && error.is_timeout());
    assert!(error.to_string().contains("throttled another request"));
    assert_eq!(server.requests().len(), 1);
    for other in [&transport, &transport.throttled()] {
        let response = other.send(&GET_CALL, get(&transport, "7"), None).await;
        assert_eq!(response.unwrap().status, 200);
    }
    assert!(clock.waits().is_empty());
    // With a longer deadline the request waits.
    let patient = clone.with_options(RequestOptions::new().deadline(Duration::from_secs(51)));
    let response = patient.send(&GET_CALL, get(&transport, "7"), None).await;
    assert_eq!(response.unwrap().status, 200);
    assert_eq!(clock.waits(), [Duration::from_secs(50)]);
    throttled.throttle_lifted().await;
    assert_eq!(clock.waits().len(), 1);
}

#[tokio::test]
async fn throttle_lasts_as_long_as_the_retry_delay() {
    for (retry_after, attempts, waits) in [
        ("retry-after: 2\r\n", 2, vec![2125]),
        ("", 2, vec![250]),
        // The last attempt does not wait, but the next request does.
        ("", 1, vec![250]),
    ] {
        let clock = TestClock::default();
        let scripts = vec![answer(429, retry_after, ""), answer(200, "", "")];
        let server = Server::start(&clock, scripts).await;
        let transport = builder(&server.url(), &clock)
            .max_attempts(attempts)
            .build()
            .unwrap()
            .throttled();
        let response = transport.send(&GET_CALL, get(&transport, "7"), None).await;
        let status = if attempts == 1 { 429 } else { 200 };
        assert_eq!(response.unwrap().status, status);
        transport.throttle_lifted().await;
        let waits: Vec<_> = waits.into_iter().map(Duration::from_millis).collect();
        assert_eq!(clock.waits(), waits, "{retry_after:?}, {attempts}");
    }
}

#[tokio::test]
async fn transport_exposes_its_deadline_clock_and_jitter() {
    let clock = TestClock::default();
    let transport = builder("http://localhost", &clock)
        .deadline(Duration::from_secs(9))
        .jitter(|| 0.25)
        .build()
        .unwrap();
    let hurried = transport.with_options(RequestOptions::new().deadline(Duration::from_secs(2)));
    let deadlines = [&transport, &hurried].map(Transport::deadline);
    assert_eq!(deadlines, [9, 2].map(Duration::from_secs));
    let before = transport.now();
    transport.sleep(Duration::from_secs(3)).await;
    assert_eq!(clock.waits(), [Duration::from_secs(3)]);
    assert_eq!(transport.now() - before, Duration::from_secs(3));
    let part = transport.jitter(Duration::from_secs(8));
    assert_eq!(part, Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_budget_limits_retries_of_a_thousand_tasks() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(503, "", "")]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let transport = transport.clone();
        tasks.spawn(async move {
            transport
                .send(&GET_CALL, get(&transport, "7"), None)
                .await
                .unwrap()
                .status
        });
    }
    while let Some(status) = tasks.join_next().await {
        assert_eq!(status.unwrap(), 503);
    }
    let retries = server.requests().len() - 1000;
    // 35 retries of 14 are 490 of the 500 tokens.
    assert_eq!(retries, 35);
    assert_eq!(transport.retry_budget_left(), 10);
}

#[tokio::test]
async fn idle_client_has_no_task() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, "", "")]).await;
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let server_tasks = tasks();
    let transport = builder(&server.url(), &clock)
        .configure_http(|http| http.pool_idle_timeout(Some(Duration::from_millis(20))))
        .build()
        .unwrap();
    assert_eq!(tasks(), server_tasks, "building spawns no task");
    transport
        .send(&GET_CALL, get(&transport, "7"), None)
        .await
        .unwrap();
    assert!(tasks() > server_tasks, "the connection is pooled");
    // The pool closes the idle connection, which ends the server's task for it.
    for _ in 0..1000 {
        if tasks() > server_tasks {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    assert_eq!(tasks(), server_tasks);
    assert_eq!(
        transport
            .send(&GET_CALL, get(&transport, "7"), None)
            .await
            .unwrap()
            .status,
        200
    );
}

#[tokio::test]
async fn slow_connect_times_out_and_is_retried() {
    struct NeverResolves;
    impl reqwest::dns::Resolve for NeverResolves {
        fn resolve(&self, _: reqwest::dns::Name) -> reqwest::dns::Resolving {
            Box::pin(std::future::pending())
        }
    }
    let clock = TestClock::default();
    let transport = builder("http://calls.example", &clock)
        .allow_insecure_http(true)
        .connect_timeout(Duration::from_millis(5))
        .max_attempts(3)
        .configure_http(|http| http.no_proxy().dns_resolver(Arc::new(NeverResolves)))
        .build()
        .unwrap();
    let error = transport
        .send(&GET_CALL, get(&transport, "7"), None)
        .await
        .unwrap_err();
    assert_eq!(
        *error.kind(),
        TransportErrorKind::Connect { timed_out: true }
    );
    assert!(error.is_timeout() && error.is_connect());
    assert_eq!(error.attempt_log().attempts().len(), 3);
    assert_eq!(
        error.attempt_log().attempts()[0].outcome,
        Outcome::ConnectTimedOut
    );
}

#[tokio::test]
async fn time_limits_hold_on_the_system_clock() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![vec![]]).await;
    let transport = Transport::builder(server.url()).build().unwrap();
    let hurried = transport.with_options(RequestOptions::new().deadline(Duration::from_millis(30)));
    let error = hurried
        .send(&GET_CALL, get(&transport, "7"), None)
        .await
        .unwrap_err();
    let after = Duration::from_millis(30);
    let deadline = call_api_transport::Limit::Deadline;
    assert_eq!(
        *error.kind(),
        TransportErrorKind::TimedOut {
            phase: Phase::Head,
            limit: deadline,
            after
        }
    );
    assert!(error.attempt_log().elapsed() >= after);
    let patient = RequestOptions::new()
        .attempt_timeout(Duration::from_millis(10))
        .max_attempts(0);
    let error = transport
        .with_options(patient)
        .send(&GET_CALL, get(&transport, "7"), None)
        .await
        .unwrap_err();
    assert!(
        error.is_timeout() && error.to_string().contains("the attempt timeout of 0.01 s"),
        "{error}"
    );
    assert_eq!(error.attempt_log().attempts().len(), 1);
    assert!(!server.requests()[0].contains("authorization"));
}

#[test]
fn environment_proxy_is_not_used_for_loopback() {
    const INNER: &str = "CALL_API_TRANSPORT_TEST_INSIDE";
    if std::env::var_os(INNER).is_none() {
        // Nothing listens there: a request to the proxy would fail.
        let proxy = "http://127.0.0.1:9";
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "environment_proxy_is_not_used_for_loopback"])
            .envs([
                ("HTTP_PROXY", proxy),
                ("http_proxy", proxy),
                ("ALL_PROXY", proxy),
                (INNER, "1"),
            ])
            .stdout(std::process::Stdio::null())
            .status();
        assert!(status.unwrap().success());
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let clock = TestClock::default();
        let server = Server::start(&clock, vec![answer(200, "", "")]).await;
        let url = format!("http://localhost:{}", server.address.port());
        let transport = builder(&url, &clock).build().unwrap();
        assert_eq!(
            transport
                .send(&GET_CALL, get(&transport, "7"), None)
                .await
                .unwrap()
                .status,
            200
        );
    });
}
