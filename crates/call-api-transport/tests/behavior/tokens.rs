//! Token providers and token files.

use super::*;

/// A provider that counts its requests and waits for a permit for each. Clones share both.
#[derive(Clone)]
struct CountingProvider {
    token_requests: Arc<AtomicUsize>,
    permits: Arc<tokio::sync::Semaphore>,
    fails: bool,
}

impl CountingProvider {
    fn new(permits: usize, fails: bool) -> Self {
        Self {
            token_requests: Arc::default(),
            permits: Arc::new(tokio::sync::Semaphore::new(permits)),
            fails,
        }
    }

    fn token_requests(&self) -> usize {
        self.token_requests.load(Ordering::Relaxed)
    }
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
        let provider = CountingProvider::new(0, fails);
        let transport = builder(&server.url(), &clock)
            .token_provider(provider.clone())
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
        provider.permits.add_permits(1);
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
        assert_eq!(provider.token_requests(), 1, "fails: {fails}");
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
    let provider = CountingProvider::new(0, false);
    let transport = builder(&server.url(), &clock)
        .token_provider(provider.clone())
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
    provider.permits.add_permits(1);
    assert_eq!(waiting.await.unwrap().status, 200);
    assert_eq!(provider.token_requests(), 2);
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
    let provider = CountingProvider::new(10, false);
    let transport = builder(&server.url(), &clock)
        .token_provider(provider.clone())
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
    assert_eq!(provider.token_requests(), 2);
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
