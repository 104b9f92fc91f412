//! Behavior that the table of faults cannot show: streams, dropped requests, changing tokens, concurrent requests,
//! observers and attempt logs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]

mod support;

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

const STREAMED: Operation = Operation {
    body: ResponseBody::Streamed,
    ..GET_CALL
};

#[tokio::test]
async fn streamed_body_is_unlimited_and_unchanged() {
    let clock = TestClock::default();
    let body = vec![b'x'; 3 << 20];
    let server = Server::start(
        &clock,
        vec![answer(503, "", "busy"), answer(200, "", &body)],
    )
    .await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let response = assert_send(transport.send(&STREAMED, get(&transport, "7"), None))
        .await
        .unwrap();
    assert_eq!(response.headers["content-length"], (3 << 20).to_string());
    assert_eq!(response.attempt_log.attempts().len(), 2);
    let parts: Vec<_> = streamed(response).try_collect().await.unwrap();
    assert_eq!(parts.concat(), body);
}

#[tokio::test]
async fn streamed_body_times_out_only_when_it_stalls() {
    let clock = TestClock::default();
    let head = send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n");
    let slow = [
        Step::Advance(Duration::from_secs(14)),
        Step::Send(b"abc".to_vec()),
    ];
    // Each chunk restarts the stall timeout of the client.
    let script = [head, slow.to_vec(), slow.to_vec(), vec![Step::Stall]].concat();
    let server = Server::start(&clock, vec![script]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let response = transport
        .send(&STREAMED, get(&transport, "7?private"), None)
        .await
        .unwrap();
    let mut body = streamed(response);
    assert_eq!(body.next().await.unwrap().unwrap(), "abc");
    assert_eq!(body.next().await.unwrap().unwrap(), "abc");
    let error = body.next().await.unwrap().unwrap_err();
    let text = all_text(&*error);
    let mut cause: &dyn std::error::Error = &*error;
    while !cause.is::<Stalled>() {
        cause = cause.source().expect("no stall among the sources");
    }
    assert_eq!(cause.to_string(), "the body stalled: no bytes for 15000 ms");
    assert!(!text.contains(SECRET), "{text}");
    assert_eq!(clock.passed(), Duration::from_secs(14 + 14 + 15));
}

#[tokio::test]
async fn error_response_of_streamed_operation_is_buffered() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(404, "", "no")]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let response = transport
        .send(&STREAMED, get(&transport, "7"), None)
        .await
        .unwrap();
    assert_eq!(buffered(response).bytes, "no");
}

#[tokio::test]
async fn streamed_request_body_is_sent_once() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![vec![Step::Reset], answer(200, "", "")]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let mut request = get(&transport, "7");
    let stream = http::Response::new(reqwest::Body::from("data"));
    let stream = reqwest::Body::wrap(reqwest::Body::from(reqwest::Response::from(stream)));
    request
        .headers_mut()
        .insert("content-length", HeaderValue::from_static("4"));
    *request.body_mut() = Some(stream);
    let error = transport.send(&GET_CALL, request, None).await.unwrap_err();
    assert_eq!(*error.attempt_log().stop_reason(), StopReason::BodyIsStream);
    assert_eq!(server.requests().len(), 1);
    assert!(
        server.requests()[0].ends_with("data"),
        "{:?}",
        server.requests()
    );
    // A body in memory is sent again.
    let server = Server::start(&clock, vec![vec![Step::Reset], answer(200, "", "")]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let mut request = get(&transport, "7");
    *request.body_mut() = Some("data".into());
    transport.send(&GET_CALL, request, None).await.unwrap();
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.ends_with("data"))
    );
    assert_eq!(server.requests().len(), 2);
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

/// A provider that counts its requests and waits for a permit for each.
struct CountingProvider {
    token_requests: Arc<AtomicUsize>,
    permits: Arc<tokio::sync::Semaphore>,
    fails: bool,
}

impl call_api_transport::TokenProvider for CountingProvider {
    fn token(&self) -> call_api_transport::TokenFuture<'_> {
        Box::pin(async {
            let number = self.token_requests.fetch_add(1, Ordering::Relaxed);
            self.permits.acquire().await?.forget();
            if self.fails {
                return Err(BoxError::from(format!("sealed, request {number}")));
            }
            Ok(Token::new(format!("{SECRET}-{number}"))?)
        })
    }
}

#[tokio::test]
async fn concurrent_requests_wait_for_one_token() {
    for fails in [false, true] {
        let clock = TestClock::default();
        let server = Server::start(&clock, vec![answer(200, "", "")]).await;
        let (token_requests, permits) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(tokio::sync::Semaphore::new(0)),
        );
        let provider = CountingProvider {
            token_requests: Arc::clone(&token_requests),
            permits: Arc::clone(&permits),
            fails,
        };
        let transport = builder(&server.url(), &clock)
            .token_provider(provider)
            .build()
            .unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        let started = Arc::new(AtomicUsize::new(0));
        for _ in 0..100 {
            let (transport, started) = (transport.clone(), Arc::clone(&started));
            tasks.spawn(async move {
                started.fetch_add(1, Ordering::Relaxed);
                transport.send(&GET_CALL, get(&transport, "7"), None).await
            });
        }
        // On a single thread, a request that has started is waiting.
        for _ in 0..1000 {
            if started.load(Ordering::Relaxed) < 100 {
                tokio::task::yield_now().await;
            }
        }
        permits.add_permits(1);
        let mut texts = std::collections::BTreeSet::new();
        while let Some(result) = tasks.join_next().await {
            match result.unwrap() {
                Ok(response) => assert_eq!(response.status, 200),
                Err(error) => {
                    assert_eq!(*error.kind(), TransportErrorKind::TokenUnavailable);
                    texts.insert(error.to_string());
                }
            }
        }
        assert_eq!(token_requests.load(Ordering::Relaxed), 1, "fails: {fails}");
        assert_eq!(texts.len(), usize::from(fails), "{texts:?}");
        assert!(
            texts.iter().all(|text| text.contains("sealed, request 0")),
            "{texts:?}"
        );
    }
}

#[tokio::test]
async fn failed_provider_is_tried_again_by_the_next_request() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, "", "")]).await;
    let token_requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&token_requests);
    let transport = builder(&server.url(), &clock)
        .token_provider(move || {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                if number == 0 {
                    Err(BoxError::from("sealed"))
                } else {
                    Ok(Token::new(SECRET)?)
                }
            }
        })
        .build()
        .unwrap();
    let error = transport
        .send(&GET_CALL, get(&transport, "7"), None)
        .await
        .unwrap_err();
    assert!(
        error.is_retryable() && error.to_string().contains("sealed"),
        "{error}"
    );
    for _ in 0..3 {
        transport
            .send(&GET_CALL, get(&transport, "7"), None)
            .await
            .unwrap();
    }
    assert_eq!(token_requests.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn waiting_request_takes_over_from_a_dropped_one() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, "", "")]).await;
    let (token_requests, permits) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(tokio::sync::Semaphore::new(0)),
    );
    let provider = CountingProvider {
        token_requests: Arc::clone(&token_requests),
        permits: Arc::clone(&permits),
        fails: false,
    };
    let transport = builder(&server.url(), &clock)
        .token_provider(provider)
        .build()
        .unwrap();
    let mut first = Box::pin(transport.send(&GET_CALL, get(&transport, "7"), None));
    let waiting = {
        let transport = transport.clone();
        async move { transport.send(&GET_CALL, get(&transport, "7"), None).await }
    };
    // The first request starts the provider, and is dropped while the second one waits for the token.
    let mut waiting = Box::pin(waiting);
    std::future::poll_fn(|context| {
        assert!(first.as_mut().poll(context).is_pending());
        assert!(waiting.as_mut().poll(context).is_pending());
        Poll::Ready(())
    })
    .await;
    drop(first);
    permits.add_permits(1);
    assert_eq!(waiting.await.unwrap().status, 200);
    assert_eq!(token_requests.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn panic_in_the_provider_ends_only_its_own_request() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, "", "")]).await;
    let token_requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&token_requests);
    let transport = builder(&server.url(), &clock)
        .token_provider(move || {
            let first = counted.fetch_add(1, Ordering::Relaxed) == 0;
            async move {
                assert!(!first, "the provider panics");
                Ok::<_, BoxError>(Token::new(SECRET)?)
            }
        })
        .build()
        .unwrap();
    let clone = transport.clone();
    let failing = async move { clone.send(&GET_CALL, get(&clone, "7"), None).await };
    assert!(tokio::spawn(failing).await.unwrap_err().is_panic());
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
async fn rejected_token_is_renewed_once_for_all_requests() {
    let clock = TestClock::default();
    // Ten requests each receive a 401 for the first token.
    let mut script = vec![answer(401, "", ""); 10];
    script.push(answer(200, "", ""));
    let server = Server::start(&clock, script).await;
    let (token_requests, permits) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(tokio::sync::Semaphore::new(10)),
    );
    let provider = CountingProvider {
        token_requests: Arc::clone(&token_requests),
        permits,
        fails: false,
    };
    let transport = builder(&server.url(), &clock)
        .token_provider(provider)
        .build()
        .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..10 {
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
        assert_eq!(status.unwrap(), 200);
    }
    assert_eq!(token_requests.load(Ordering::Relaxed), 2);
    assert_eq!(server.requests().len(), 20);
    assert_eq!(transport.retry_budget_left(), 500);
}

#[tokio::test]
async fn token_is_reused_for_its_lifetime() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, "", "")]).await;
    let token_requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&token_requests);
    let transport = builder(&server.url(), &clock)
        .token_provider(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Ok::<_, BoxError>(Token::new(SECRET)?.with_lifetime(Duration::from_secs(60))) }
        })
        .build()
        .unwrap();
    for (passes, wanted) in [(0, 1), (59, 1), (1, 2), (0, 2), (60, 3)] {
        clock.advance(Duration::from_secs(passes));
        transport
            .send(&GET_CALL, get(&transport, "7"), None)
            .await
            .unwrap();
        assert_eq!(token_requests.load(Ordering::Relaxed), wanted);
    }
}

#[tokio::test]
async fn changed_token_file_is_reread() {
    let clock = TestClock::default();
    let server = Server::start(
        &clock,
        vec![
            answer(200, "", ""),
            answer(200, "", ""),
            answer(401, "", ""),
            answer(200, "", ""),
        ],
    )
    .await;
    let path =
        std::env::temp_dir().join(format!("call-api-transport-{}.token", std::process::id()));
    let transport = builder(&server.url(), &clock)
        .token_provider(TokenFile::new(&path))
        .build()
        .unwrap();
    let error = transport
        .send(&GET_CALL, get(&transport, "7"), None)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("check that it exists"),
        "{error}"
    );
    let cause = error
        .source()
        .and_then(|provider| provider.source())
        .unwrap();
    let io = cause.downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(io.kind(), std::io::ErrorKind::NotFound);
    let write = |text: &str| {
        std::fs::File::create(&path)
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap()
    };
    write("first\n");
    transport
        .send(&GET_CALL, get(&transport, "7"), None)
        .await
        .unwrap();
    write("second\n");
    clock.advance(TokenFile::REREAD_AFTER);
    transport
        .send(&GET_CALL, get(&transport, "7"), None)
        .await
        .unwrap();
    write("third\r\n");
    transport
        .send(&GET_CALL, get(&transport, "7"), None)
        .await
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    let sent: Vec<_> = server
        .requests()
        .iter()
        .map(|request| bearer(request))
        .collect();
    assert_eq!(sent, ["first", "second", "second", "third"]);
}

fn bearer(request: &str) -> String {
    let line = request
        .lines()
        .find_map(|line| line.strip_prefix("authorization: Bearer "));
    line.unwrap().to_owned()
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

#[tokio::test]
async fn slow_token_provider_sends_nothing_past_the_deadline() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![]).await;
    let slow = clock.clone();
    let late = builder(&server.url(), &clock).token_provider(move || {
        slow.advance(Duration::from_secs(46));
        async { Ok::<_, BoxError>(Token::new(SECRET)?) }
    });
    let transport = late.build().unwrap();
    let error = transport
        .send(&GET_CALL, get(&transport, "7"), None)
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(error.attempt_log().attempts().len(), 0);
    assert_eq!(server.connections(), 0);
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

#[tokio::test]
async fn observer_receives_every_attempt_and_request() {
    #[derive(Clone, Default)]
    struct RecordingObserver(Arc<Mutex<Vec<String>>>);
    impl Observer for RecordingObserver {
        fn attempt(&self, operation: &Operation, attempt: &Attempt, resends: usize) {
            let note = format!(
                "{} {resends} {} {:?}",
                operation.id, attempt.outcome, attempt.status
            );
            self.0.lock().unwrap().push(note);
        }
        fn request(&self, operation: &Operation, attempt_log: &AttemptLog) {
            let note = format!(
                "{} {} {}",
                operation.id,
                attempt_log.attempts().len(),
                attempt_log.stop_reason()
            );
            self.0.lock().unwrap().push(note);
        }
    }
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![vec![Step::Reset], answer(200, "", "")]).await;
    let observer = RecordingObserver::default();
    let transport = builder(&server.url(), &clock)
        .observer(observer.clone())
        .build()
        .unwrap();
    transport
        .send(&GET_CALL, get(&transport, "7"), None)
        .await
        .unwrap();
    transport
        .send(&GET_CALL, get(&transport, ".."), None)
        .await
        .unwrap_err();
    assert_eq!(
        *observer.0.lock().unwrap(),
        [
            "get_call 0 interrupted None",
            "get_call 1 success Some(200)",
            "get_call 2 it succeeded",
            "get_call 0 nothing was sent",
        ]
    );
}

#[tokio::test]
async fn attempt_log_lists_every_attempt() {
    let clock = TestClock::default();
    // A `Retry-After` in a successful response is not a retry hint.
    let mut ok = vec![Step::Advance(Duration::from_secs(2))];
    ok.extend(answer(202, "x-request-id: r-2\r\nretry-after: 9\r\n", "{}"));
    let server = Server::start(
        &clock,
        vec![
            answer(429, "retry-after: 1\r\nrequest-id: r-1\r\n", ""),
            vec![Step::Reset],
            ok,
        ],
    )
    .await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let response = transport
        .send(&GET_CALL, get(&transport, "7"), None)
        .await
        .unwrap();
    let attempt_log = response.attempt_log;
    let attempts: Vec<_> = attempt_log
        .attempts()
        .iter()
        .map(|a| {
            let wait = a
                .retry_delay
                .map(|wait| (wait.duration.as_millis(), wait.reason));
            format!(
                "{} {:?} {:?} {:?} {wait:?}",
                a.started.as_millis(),
                a.outcome,
                a.status,
                a.request_id
            )
        })
        .collect();
    assert_eq!(
        attempts,
        [
            "0 Throttled Some(429) Some(\"r-1\") Some((1125, RetryAfter))",
            "1125 Interrupted None None Some((500, Backoff))",
            "1625 Success Some(202) Some(\"r-2\") None",
        ]
    );
    assert_eq!(attempt_log.status().unwrap(), 202);
    assert_eq!(
        (attempt_log.operation(), attempt_log.host()),
        ("get_call", "127.0.0.1")
    );
    assert_eq!(attempt_log.elapsed(), Duration::from_millis(3625));
    assert_eq!(attempt_log.retry_after(), None);
}

#[tokio::test]
async fn attempt_log_renders_a_curl_command_without_secrets() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, "", "")]).await;
    let transport = builder(&server.url(), &clock)
        .user_agent("mine/1")
        .build()
        .unwrap();
    let mut request = get(&transport, "7?a=it's#part");
    *request.method_mut() = http::Method::POST;
    *request.body_mut() = Some("secret body".into());
    let headers = request.headers_mut();
    headers.insert("x-a", HeaderValue::from_static("$(b)"));
    headers.insert("cookie", HeaderValue::from_static("hunter2"));
    let mut hidden = HeaderValue::from_static("hunter2");
    hidden.set_sensitive(true);
    headers.insert("x-b", hidden);
    let response = transport.send(&GET_CALL, request, None).await.unwrap();
    let base = server.url();
    let attempt_log = response.attempt_log;
    assert_eq!(attempt_log.method(), http::Method::POST);
    assert_eq!(
        attempt_log.to_curl(),
        format!(
            "curl -X POST -H 'x-a: $(b)' -H 'user-agent: mine/1' -H \"authorization: Bearer $TOKEN\" \
             --data-binary @request-body '{base}/v1/call/7?a=it%27s'"
        )
    );
    let basic = Operation {
        auth: Auth::Basic,
        ..GET_CALL
    };
    let response = transport
        .send(&basic, get(&transport, "7"), None)
        .await
        .unwrap();
    assert_eq!(
        response.attempt_log.to_curl(),
        format!("curl -H 'user-agent: mine/1' -u \"$TOKEN\" '{base}/v1/call/7'")
    );
}

#[tokio::test]
async fn every_attempt_sends_the_same_request() {
    for body in [None, Some("{}")] {
        let clock = TestClock::default();
        let script = vec![
            answer(503, "", ""),
            answer(503, "", ""),
            answer(200, "", ""),
        ];
        let server = Server::start(&clock, script).await;
        let transport = builder(&server.url(), &clock).build().unwrap();
        let mut request = get(&transport, "7?a=b");
        *request.version_mut() = http::Version::HTTP_11;
        *request.body_mut() = body.map(Into::into);
        for value in ["1", "2"] {
            let headers = request.headers_mut();
            headers.append("x-a", HeaderValue::from_static(value));
        }
        // reqwest's own timeout would end the first attempt at once.
        *request.timeout_mut() = Some(Duration::ZERO);
        let response = transport.send(&GET_CALL, request, None).await.unwrap();
        let requests = server.requests();
        assert!(requests[0].contains("x-a: 1\r\nx-a: 2\r\n"), "{requests:?}");
        assert_eq!(requests.len(), 3);
        assert!(
            requests.iter().all(|request| *request == requests[0]),
            "{requests:?}"
        );
        let curl = response.attempt_log.to_curl();
        assert!(curl.contains(" -H 'x-a: 1' -H 'x-a: 2' "), "{curl}");
    }
}
