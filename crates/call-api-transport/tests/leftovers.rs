//! What is left behind: by a call that is dropped wherever it waits, by a pooled connection, by a token.

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

/// Not ready the first time it is asked.
async fn once_more() {
    let mut asked = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut asked, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A clock whose waits can be seen from outside: each is over when it is asked a second time.
#[derive(Clone, Default)]
struct Halting {
    clock: TestClock,
    begun: Arc<AtomicU32>,
}

impl Clock for Halting {
    fn now(&self) -> std::time::Instant {
        self.clock.now()
    }

    fn sleep(&self, duration: Duration) -> SleepFuture<'_> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            once_more().await;
            self.clock.pass(duration);
        })
    }

    fn limit(&self, duration: Duration) -> SleepFuture<'_> {
        self.clock.limit(duration)
    }
}

async fn until_tasks_are(wanted: usize, place: &str) {
    let metrics = tokio::runtime::Handle::current().metrics();
    for _ in 0..1000 {
        if metrics.num_alive_tasks() == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{} tasks, not {wanted}: {place}", metrics.num_alive_tasks());
}

/// Begins a call of many parts, and drops it at the place of that number. What place that was; `None` where the call
/// was over before.
async fn dropped_at(number: usize) -> Option<String> {
    let halting = Halting::default();
    let slow = vec![
        Step::Send(b"HTTP/1.1 200 X\r\ncontent-length: 4\r\n\r\nab".to_vec()),
        Step::Pass(Duration::ZERO),
        Step::Send(b"cd".to_vec()),
    ];
    // Each answer takes a moment.
    let late = |answer| [vec![Step::Pass(Duration::ZERO)], answer].concat();
    let script = vec![late(answer(401, "", "")), late(answer(503, "", "no")), slow];
    let server = Server::start(&halting.clock, script).await;
    let asked = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asked);
    let transport = builder(&server.url(), &halting.clock)
        .clock(Arc::new(halting.clone()))
        .rate_limit(NonZeroU32::MIN)
        .token_provider(move || {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                once_more().await;
                Ok::<_, BoxError>(Token::new(format!("{SECRET}-{number}"))?)
            }
        })
        .build()
        .unwrap();
    let mut call = Box::pin(transport.send(&GET_CALL, get(&transport, "7"), None));
    let mut place = String::new();
    let mut places = 0;
    while places < number {
        let ended =
            std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_ready()))
                .await;
        if ended {
            return None;
        }
        let now = format!(
            "{} tokens, {} waits, {} requests",
            asked.load(Ordering::Relaxed),
            halting.begun.load(Ordering::Relaxed),
            server.requests().len(),
        );
        if now != place {
            place = now;
            places += 1;
        }
        if places < number {
            // Lets the sockets bring what there is, but not all that the server has yet to say.
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
    drop(call);
    assert_eq!(transport.retry_budget_left(), 500, "{place}");
    // No lock is held, no turn is lost: the next call gets through, whatever part of the script is left for it.
    let next = transport.send(&GET_CALL, get(&transport, "7"), None).await;
    assert_eq!(next.unwrap().status, 200, "{place}");
    assert_eq!(transport.retry_budget_left(), 500, "{place}");
    drop(transport);
    // What is left is the server's own, until it is dropped too.
    until_tasks_are(1, &place).await;
    drop(server);
    until_tasks_are(0, &place).await;
    Some(place)
}

#[tokio::test]
async fn a_call_can_be_dropped_wherever_it_waits() {
    let mut places = BTreeSet::new();
    while let Some(place) = dropped_at(places.len()).await {
        assert!(places.insert(place), "the same place twice: {places:#?}");
    }
    // Each place where it waits was one of those where it was dropped.
    for wanted in [
        "",
        // For the first token, for the answer, for the second token, for a turn.
        "1 tokens, 0 waits, 0 requests",
        "1 tokens, 0 waits, 1 requests",
        "2 tokens, 0 waits, 1 requests",
        "2 tokens, 1 waits, 1 requests",
        // For the second answer, for its time after the 503, for its turn.
        "2 tokens, 1 waits, 2 requests",
        "2 tokens, 2 waits, 2 requests",
        "2 tokens, 3 waits, 2 requests",
        // For the body.
        "2 tokens, 3 waits, 3 requests",
    ] {
        assert!(places.contains(wanted), "{wanted:?} is not in {places:#?}");
    }
}

/// Names the server to whoever asks a second time; whoever asks first is never answered.
struct Resolver {
    server: std::net::SocketAddr,
    asked: AtomicU32,
    /// Held by each answer that is waited for.
    waiting: Arc<()>,
}

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, _: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let is_first = self.asked.fetch_add(1, Ordering::Relaxed) == 0;
        let (server, waiting) = (self.server, Arc::clone(&self.waiting));
        Box::pin(async move {
            if is_first {
                std::future::pending::<()>().await;
            }
            drop(waiting);
            Ok(Box::new(std::iter::once(server)) as reqwest::dns::Addrs)
        })
    }
}

#[tokio::test]
async fn a_call_can_be_dropped_while_it_connects() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, "", "")]).await;
    let resolver = Arc::new(Resolver {
        server: server.address,
        asked: AtomicU32::new(0),
        waiting: Arc::new(()),
    });
    let shared = Arc::clone(&resolver);
    let transport = builder("http://api.example", &clock)
        .allow_insecure_http(true)
        .configure_http(move |http| http.no_proxy().dns_resolver(Arc::clone(&shared)))
        .build()
        .unwrap();
    let mut call = Box::pin(transport.send(&GET_CALL, get(&transport, "7"), None));
    while resolver.asked.load(Ordering::Relaxed) == 0 {
        let polled = std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
        assert!(polled.is_pending());
        tokio::task::yield_now().await;
    }
    assert_eq!(Arc::strong_count(&resolver.waiting), 2);
    drop(call);
    assert_eq!(Arc::strong_count(&resolver.waiting), 1);
    assert_eq!(transport.retry_budget_left(), 500);
    let next = transport.send(&GET_CALL, get(&transport, "7"), None).await;
    assert_eq!(next.unwrap().status, 200);
    assert_eq!(server.connections(), 1);
    drop(transport);
    until_tasks_are(1, "connecting").await;
    drop(server);
    until_tasks_are(0, "connecting").await;
}

/// The pool's time is tokio's, which is stopped here while nothing is sent.
#[tokio::test]
async fn a_connection_is_kept_for_twenty_seconds() {
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
async fn a_tokens_memory_is_overwritten_when_its_last_owner_goes() {
    use std::os::unix::fs::FileExt as _;

    // Long, so that what the allocator writes into free memory leaves most of it as it was.
    let secret = "5ecret-".repeat(600);
    let (address, length) = (secret.as_ptr() as u64, secret.len());
    // Made before, so that it doesn't take the place of what is freed.
    let mut bytes = vec![0; length];
    let mut is_there = || {
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
    assert!(is_there(), "the token isn't where it was");
    drop(clone);
    assert!(!is_there(), "the token is still in memory");
}
