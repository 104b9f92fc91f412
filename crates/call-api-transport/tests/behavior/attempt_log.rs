//! Observers, attempt logs, and what each attempt sends.

use super::*;

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

/// The wait of a request for its first attempt is not part of the attempt.
#[tokio::test]
async fn attempt_begins_when_token_rate_limit_and_throttle_let_it() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, "", "")]).await;
    let slow = clock.clone();
    let with_slow_token = builder(&server.url(), &clock).token_provider(move || {
        slow.advance(Duration::from_secs(3));
        async { Ok::<_, BoxError>(Token::new(SECRET)?) }
    });
    let with_rate_limit = builder(&server.url(), &clock).rate_limit(std::num::NonZeroU32::MIN);
    let with_rate_limit = with_rate_limit.build().unwrap();
    let first = with_rate_limit.send(&GET_CALL, get(&with_rate_limit, "7"), None);
    first.await.unwrap();
    let refusing = Server::start(
        &clock,
        vec![answer(429, "retry-after: 9\r\n", ""), answer(200, "", "")],
    )
    .await;
    let throttled = builder(&refusing.url(), &clock).max_attempts(1);
    let throttled = throttled.build().unwrap().throttled();
    let first = throttled.send(&GET_CALL, get(&throttled, "7"), None);
    assert_eq!(first.await.unwrap().status, 429);
    for transport in [with_rate_limit, with_slow_token.build().unwrap(), throttled] {
        let began = clock.passed();
        let response = transport.send(&GET_CALL, get(&transport, "7"), None).await;
        let log = response.unwrap().attempt_log;
        let [attempt] = log.attempts() else {
            panic!("{log:?}")
        };
        let waited = clock.passed() - began;
        assert!(!waited.is_zero(), "{log:?}");
        assert_eq!((attempt.started, attempt.elapsed), (waited, Duration::ZERO));
    }
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
            "curl -X POST -H 'x-a: $(b)' -H 'user-agent: mine/1' -H 'authorization: Bearer '\"$TOKEN\" \
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
