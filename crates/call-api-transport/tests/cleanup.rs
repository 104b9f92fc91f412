//! Cleanup after dropped requests, idle connections and dropped tokens.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]

mod support;

use std::collections::BTreeSet;
use std::future::Future;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use call_api_transport::{BoxError, Clock, SleepFuture, Token};
use support::{GET_CALL, SECRET, Server, Step, TestClock, answer, builder, get};

/// Returns a future that is ready at the second poll.
async fn pending_once() {
    let mut was_polled = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut was_polled, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A clock whose sleeps are counted and end at the second poll.
#[derive(Clone, Default)]
struct CountingClock {
    inner: TestClock,
    sleeps: Arc<AtomicU32>,
}

impl Clock for CountingClock {
    fn now(&self) -> std::time::Instant {
        self.inner.now()
    }

    fn sleep(&self, duration: Duration) -> SleepFuture<'_> {
        self.sleeps.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            pending_once().await;
            self.inner.advance(duration);
        })
    }

    fn limit(&self, duration: Duration) -> SleepFuture<'_> {
        self.inner.limit(duration)
    }
}

/// Waits until that many tasks are alive.
async fn wait_for_tasks(expected: usize, state: &str) {
    let metrics = tokio::runtime::Handle::current().metrics();
    for _ in 0..1000 {
        if metrics.num_alive_tasks() == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!(
        "{} tasks, not {expected}: {state}",
        metrics.num_alive_tasks()
    );
}

/// Sends a request with many await points, and drops it in the state with this number. Returns the state, or `None` if
/// the request ended before.
async fn drop_at(number: usize) -> Option<String> {
    let clock = CountingClock::default();
    let slow = vec![
        Step::Send(b"HTTP/1.1 200 X\r\ncontent-length: 4\r\n\r\nab".to_vec()),
        Step::Advance(Duration::ZERO),
        Step::Send(b"cd".to_vec()),
    ];
    // The response is pending at first.
    let delayed = |answer| [vec![Step::Advance(Duration::ZERO)], answer].concat();
    let script = vec![
        delayed(answer(401, "", "")),
        delayed(answer(503, "", "no")),
        slow,
    ];
    let server = Server::start(&clock.inner, script).await;
    let token_requests = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&token_requests);
    let transport = builder(&server.url(), &clock.inner)
        .clock(Arc::new(clock.clone()))
        .rate_limit(NonZeroU32::MIN)
        .token_provider(move || {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                pending_once().await;
                Ok::<_, BoxError>(Token::new(format!("{SECRET}-{number}"))?)
            }
        })
        .build()
        .unwrap();
    let mut request = Box::pin(transport.send(&GET_CALL, get(&transport, "7"), None));
    let mut state = String::new();
    let mut states = 0;
    while states < number {
        let ended =
            std::future::poll_fn(|context| Poll::Ready(request.as_mut().poll(context).is_ready()))
                .await;
        if ended {
            return None;
        }
        let now = format!(
            "{} tokens, {} waits, {} requests",
            token_requests.load(Ordering::Relaxed),
            clock.sleeps.load(Ordering::Relaxed),
            server.requests().len(),
        );
        if now != state {
            state = now;
            states += 1;
        }
        if states < number {
            // Long enough to read from the socket, too short for the rest of the script.
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
    drop(request);
    assert_eq!(transport.retry_budget_left(), 500, "{state}");
    // No lock is held and no turn of the rate limit is lost: the next request succeeds with the rest of the script.
    let next = transport.send(&GET_CALL, get(&transport, "7"), None).await;
    assert_eq!(next.unwrap().status, 200, "{state}");
    assert_eq!(transport.retry_budget_left(), 500, "{state}");
    drop(transport);
    // The remaining task is the server's.
    wait_for_tasks(1, &state).await;
    drop(server);
    wait_for_tasks(0, &state).await;
    Some(state)
}

#[tokio::test]
async fn request_can_be_dropped_at_every_await() {
    let mut states = BTreeSet::new();
    while let Some(state) = drop_at(states.len()).await {
        assert!(states.insert(state), "the same state twice: {states:#?}");
    }
    // The request was dropped in each of these states.
    for wanted in [
        "",
        // Waiting for the first token, the response, the second token, the rate limit.
        "1 tokens, 0 waits, 0 requests",
        "1 tokens, 0 waits, 1 requests",
        "2 tokens, 0 waits, 1 requests",
        "2 tokens, 1 waits, 1 requests",
        // Waiting for the second response, the delay after the 503, the rate limit.
        "2 tokens, 1 waits, 2 requests",
        "2 tokens, 2 waits, 2 requests",
        "2 tokens, 3 waits, 2 requests",
        // Waiting for the body.
        "2 tokens, 3 waits, 3 requests",
    ] {
        assert!(states.contains(wanted), "{wanted:?} is not in {states:#?}");
    }
}

/// A resolver whose first lookup never ends; later ones return the server's address.
struct Resolver {
    server: std::net::SocketAddr,
    lookups: AtomicU32,
    /// Cloned by each lookup that is pending.
    pending: Arc<()>,
}

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, _: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let is_first = self.lookups.fetch_add(1, Ordering::Relaxed) == 0;
        let (server, guard) = (self.server, Arc::clone(&self.pending));
        Box::pin(async move {
            if is_first {
                std::future::pending::<()>().await;
            }
            drop(guard);
            Ok(Box::new(std::iter::once(server)) as reqwest::dns::Addrs)
        })
    }
}

#[tokio::test]
async fn request_can_be_dropped_while_connecting() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, "", "")]).await;
    let resolver = Arc::new(Resolver {
        server: server.address,
        lookups: AtomicU32::new(0),
        pending: Arc::new(()),
    });
    let shared = Arc::clone(&resolver);
    let transport = builder("http://api.example", &clock)
        .allow_insecure_http(true)
        .configure_http(move |http| http.no_proxy().dns_resolver(Arc::clone(&shared)))
        .build()
        .unwrap();
    let mut request = Box::pin(transport.send(&GET_CALL, get(&transport, "7"), None));
    while resolver.lookups.load(Ordering::Relaxed) == 0 {
        let polled =
            std::future::poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await;
        assert!(polled.is_pending());
        tokio::task::yield_now().await;
    }
    assert_eq!(Arc::strong_count(&resolver.pending), 2);
    drop(request);
    assert_eq!(Arc::strong_count(&resolver.pending), 1);
    assert_eq!(transport.retry_budget_left(), 500);
    let next = transport.send(&GET_CALL, get(&transport, "7"), None).await;
    assert_eq!(next.unwrap().status, 200);
    assert_eq!(server.connections(), 1);
    drop(transport);
    wait_for_tasks(1, "connecting").await;
    drop(server);
    wait_for_tasks(0, "connecting").await;
}

/// The pool uses tokio's clock, which is paused here while nothing is sent.
#[tokio::test]
async fn idle_connection_is_kept_for_twenty_seconds() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, "", "")]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    for (idle, connections) in [(0, 1), (19, 1), (19, 1), (21, 2)] {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(idle)).await;
        tokio::time::resume();
        transport
            .send(&GET_CALL, get(&transport, "7"), None)
            .await
            .unwrap();
        assert_eq!(server.connections(), connections, "after {idle} s");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn token_memory_is_overwritten_after_the_last_drop() {
    use std::os::unix::fs::FileExt as _;

    // Long, so that the bookkeeping of the allocator in freed memory overwrites only a small part.
    let secret = "5ecret-".repeat(600);
    let (address, length) = (secret.as_ptr() as u64, secret.len());
    // Allocated before, so that it does not reuse the freed memory.
    let mut bytes = vec![0; length];
    let mut is_in_memory = || {
        let memory = std::fs::File::open("/proc/self/mem").unwrap();
        memory.read_exact_at(&mut bytes, address).unwrap();
        bytes.windows(14).any(|part| part == b"5ecret-5ecret-")
    };
    let clock = TestClock::default();
    let token = Token::new(secret).unwrap();
    let transport = builder("http://localhost", &clock)
        .token(token.clone())
        .build()
        .unwrap();
    drop(token);
    let clone = transport.clone();
    drop(transport);
    assert!(is_in_memory(), "the token is not at its address");
    drop(clone);
    assert!(!is_in_memory(), "the token is still in memory");
}
