//! Requests to the origin of the API and to other hosts: credentials, redirects, proxies.

use super::*;

#[tokio::test]
async fn token_is_sent_only_to_the_api_origin() {
    let clock = TestClock::default();
    let storage = Server::start(&clock, vec![answer(200, V1, CONTENT)]).await;
    let to_storage = format!("location: {}/signed?key=1\r\n", storage.url());
    let api = Server::start(&clock, vec![answer(302, &to_storage, "")]).await;
    let transport = builder(&api.url(), &clock)
        .header(
            HeaderName::from_static("x-secret"),
            HeaderValue::from_static(SECRET),
        )
        .user_agent("me/1")
        .build()
        .unwrap();
    let download = |url: String| {
        let transport = transport.clone();
        async move {
            let mut bytes = Vec::new();
            let download = transport.download(&RECORDING, &url).unwrap();
            let downloaded = download.to_writer(&mut bytes).await;
            downloaded.map(|downloaded| (bytes, downloaded.attempt_log.to_curl()))
        }
    };
    assert_eq!(download(url(&api)).await.unwrap().0, CONTENT);
    let request = api.requests().remove(0);
    assert!(request.contains(&format!("authorization: Bearer {SECRET}")));
    assert!(request.contains(&format!("x-secret: {SECRET}")));

    // The API names another host without a redirect.
    let foreign = format!("{}/x", storage.url());
    let (bytes, command) = download(foreign.clone()).await.unwrap();
    assert_eq!(bytes, CONTENT);
    assert_eq!(command, format!("curl '{foreign}'"));
    for request in storage.requests() {
        assert!(!request.contains(SECRET), "{request}");
        assert!(
            !request.to_ascii_lowercase().contains("\r\nreferer: "),
            "{request}"
        );
        assert!(request.contains("\r\nuser-agent: me/1\r\n"), "{request}");
    }
    assert!(storage.requests()[0].starts_with("GET /signed?key=1 "));

    // A redirect from another host back to the API is followed without credentials.
    let back = format!("location: {}/deleted\r\n", api.url());
    let storage = Server::start(&clock, vec![answer(307, &back, "")]).await;
    let before = api.requests().len();
    let _ = download(format!("{}/x", storage.url())).await;
    for request in &api.requests()[before..] {
        assert!(!request.contains(SECRET), "{request}");
    }
    assert!(api.requests().len() > before);
}

#[tokio::test]
async fn token_provider_is_not_used_if_no_token_is_sent() {
    const OPEN: Operation = Operation {
        auth: Auth::None,
        ..RECORDING
    };
    let clock = TestClock::default();
    let api = Server::start(&clock, vec![]).await;
    let storage = Server::start(&clock, vec![answer(200, V1, CONTENT)]).await;
    let transport = builder(&api.url(), &clock)
        .token_provider(|| async { Err::<Token, BoxError>("not needed".into()) })
        .build()
        .unwrap();
    let mut bytes = Vec::new();
    let download = transport.download(&RECORDING, &url(&storage)).unwrap();
    download.to_writer(&mut bytes).await.unwrap();
    assert_eq!(bytes, CONTENT);

    let api = Server::start(&clock, vec![answer(200, V1, CONTENT)]).await;
    let transport = builder(&api.url(), &clock)
        .token_provider(|| async { Err::<Token, BoxError>("not needed".into()) })
        .build()
        .unwrap();
    let download = transport.download(&OPEN, &url(&api)).unwrap();
    download.to_writer(&mut Vec::new()).await.unwrap();
    assert!(!api.requests()[0].contains("authorization"));
}

#[tokio::test]
async fn token_repeated_by_the_service_is_redacted() {
    let clock = TestClock::default();
    let names_it = format!("x-request-id: for-{SECRET}\r\n");
    let body = format!("the token {SECRET} is revoked");
    let server = Server::start(&clock, vec![answer(403, &names_it, &body)]).await;
    let transport = transport(&server, &clock);
    let url = format!("{}/recordings/1", server.url());
    let result = transport
        .download(&RECORDING, &url)
        .unwrap()
        .to_writer(&mut Vec::new())
        .await;
    let error = result.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{url} was answered with 403, which is not the content; check that it still exists"
        )
    );
    let DownloadError::Refused(refused) = error else {
        panic!("{error:?}")
    };
    assert_eq!(refused.body.bytes, "the token *** is revoked");
    assert_eq!(refused.attempt_log.request_id(), Some("for-***"));
    assert!(!format!("{refused:?} {:?}", refused.headers).contains(SECRET));
}

#[tokio::test]
async fn redirects_are_limited() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(302, "location: /again?key=1\r\n", "")]).await;
    let transport = transport(&server, &clock);
    let download = transport.download(&RECORDING, &url(&server)).unwrap();
    let failed = error(download.to_writer(&mut Vec::new()).await);
    assert!(matches!(
        failed.kind(),
        TransportErrorKind::Redirected { to: Some(_), .. }
    ));
    assert_eq!(server.requests().len(), 6);
    assert!(!all_text(&failed).contains("key=1"));

    for (location, host) in [
        ("http://192.0.2.1/x?key=1", Some("192.0.2.1")),
        ("ftp://127.0.0.1/", Some("127.0.0.1")),
        ("http://u:p@127.0.0.1:81/", Some("127.0.0.1:81")),
        ("mailto:someone@example.com", None),
    ] {
        let script = answer(302, &format!("location: {location}\r\n"), "");
        let server = Server::start(&clock, vec![script]).await;
        let download = transport.download(&RECORDING, &url(&server)).unwrap();
        let failed = error(download.to_writer(&mut Vec::new()).await);
        let TransportErrorKind::Redirected { to, .. } = failed.kind() else {
            panic!("{location}: {failed}")
        };
        assert_eq!(to.as_ref().map(RedirectTarget::host), host, "{location}");
        assert_eq!(server.requests().len(), 1);
        assert!(!all_text(&failed).contains("key=1"));
    }
}

/// The client may have sent credentials of the API to the other host.
#[tokio::test]
async fn redirect_followed_by_a_given_client_is_an_error() {
    let clock = TestClock::default();
    let storage = Server::start(&clock, vec![answer(200, V1, CONTENT)]).await;
    let location = format!("location: {}/signed?key=1\r\n", storage.url());
    let api = Server::start(&clock, vec![answer(302, &location, "")]).await;
    let transport = builder(&api.url(), &clock)
        .http_client(client::following())
        .build()
        .unwrap();
    let mut bytes = Vec::new();
    let download = transport.download(&RECORDING, &url(&api)).unwrap();
    let failed = error(download.to_writer(&mut bytes).await);
    let TransportErrorKind::Redirected { to, .. } = failed.kind() else {
        panic!("{failed:?}")
    };
    assert_eq!(
        to.as_ref().map(RedirectTarget::host),
        Some(&*storage.address.to_string())
    );
    assert!(bytes.is_empty());
}

#[tokio::test]
async fn environment_proxy_is_used_for_other_machines_only() {
    const INNER: &str = "CALL_API_TRANSPORT_TEST_INSIDE";
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, V1, CONTENT)]).await;
    if std::env::var_os(INNER).is_none() {
        let proxy = server.url();
        let run = move || {
            std::process::Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    "origin::environment_proxy_is_used_for_other_machines_only",
                ])
                .envs([("http_proxy", proxy.as_str()), (INNER, "1")])
                .env_remove("no_proxy")
                .env_remove("NO_PROXY")
                .stdout(std::process::Stdio::null())
                .status()
        };
        let status = tokio::task::spawn_blocking(run).await.unwrap();
        assert!(status.unwrap().success());
        let requests = server.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        assert!(requests[0].starts_with("GET http://192.0.2.1/1 "));
        return;
    }
    let api = Server::start(&clock, vec![]).await;
    let transport = transport(&api, &clock);
    for url in [url(&server), "http://192.0.2.1/1".to_owned()] {
        let download = transport.download(&RECORDING, &url).unwrap();
        let download = download.allow_insecure_http(true);
        let mut bytes = Vec::new();
        download.to_writer(&mut bytes).await.unwrap();
        assert_eq!(bytes, CONTENT);
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn invalid_urls_are_rejected_unsent() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, "", CONTENT)]).await;
    let transport = transport(&server, &clock);
    for text in ["<string>", "/recordings/1", ""] {
        assert!(transport.download(&RECORDING, text).is_none(), "{text}");
    }
    for (text, reason) in [
        ("http://192.0.2.1/a", "it is plain http to another machine"),
        ("ftp://127.0.0.1/a", "it is neither https nor http"),
        ("file:///etc/passwd", "it is neither https nor http"),
        (
            "https://user@example.com/a",
            "it contains a user or password",
        ),
    ] {
        let download = transport.download(&RECORDING, text).unwrap();
        let failed = error(download.to_writer(&mut Vec::new()).await);
        let message = failed.to_string();
        assert!(message.contains(reason), "{text}: {message}");
        let is_plain = matches!(failed.kind(), TransportErrorKind::PlainHttp);
        assert_eq!(is_plain, text.starts_with("http:"), "{failed:?}");
        assert_eq!(*failed.attempt_log().stop_reason(), StopReason::NotSent);
    }
    assert_eq!(server.connections(), 0);
}

/// Both protect the API's own servers, as for any other request.
#[tokio::test]
async fn retry_budget_and_rate_limit_apply_to_the_api_origin_only() {
    let clock = TestClock::default();
    let down = || vec![answer(503, "", "")];
    let api = Server::start(&clock, down()).await;
    let storage = Server::start(&clock, down()).await;
    for (server, stop, attempts, budget_left, rate_limit_waits) in [
        // One retry costs 14 of the 20, which leaves too little for a second one.
        (&api, StopReason::BudgetExhausted, 2, 6, 1),
        (&storage, StopReason::AttemptsExhausted, 3, 20, 0),
    ] {
        let transport = builder(&api.url(), &clock)
            .retry_budget(20)
            .max_attempts(3)
            .rate_limit(std::num::NonZeroU32::MIN)
            .build()
            .unwrap();
        let before = clock.waits().len();
        let result = transport
            .download(&RECORDING, &url(server))
            .unwrap()
            .to_writer(&mut Vec::new())
            .await;
        let Err(DownloadError::Refused(refused)) = result else {
            panic!("{result:?}")
        };
        assert_eq!(*refused.attempt_log.stop_reason(), stop);
        assert_eq!(refused.attempt_log.attempts().len(), attempts);
        assert_eq!(transport.retry_budget_left(), budget_left);
        let waits = clock.waits().len() - before;
        assert_eq!(
            waits,
            attempts - 1 + rate_limit_waits,
            "{:?}",
            clock.waits()
        );
    }
}

#[tokio::test]
async fn rejected_token_is_renewed_once() {
    let clock = TestClock::default();
    for (script, is_saved) in [
        (vec![answer(401, "", ""), answer(200, V1, CONTENT)], true),
        (vec![answer(401, "", "")], false),
    ] {
        let server = Server::start(&clock, script).await;
        let token_requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&token_requests);
        let transport = builder(&server.url(), &clock)
            .token_provider(move || {
                let number = counted.fetch_add(1, Ordering::Relaxed);
                async move { Ok::<_, BoxError>(Token::new(format!("token-{number}"))?) }
            })
            .build()
            .unwrap();
        let mut bytes = Vec::new();
        let download = transport.download(&RECORDING, &url(&server)).unwrap();
        let attempt_log = match download.to_writer(&mut bytes).await {
            Ok(downloaded) if is_saved => downloaded.attempt_log,
            Err(DownloadError::Refused(refused)) if !is_saved => refused.attempt_log,
            other => panic!("{other:?}"),
        };
        assert_eq!(bytes == CONTENT, is_saved);
        assert_eq!(token_requests.load(Ordering::Relaxed), 2);
        assert_eq!(attempt_log.attempts().len(), 2);
        let wait = attempt_log.attempts()[0].retry_delay.unwrap();
        assert_eq!(
            (wait.duration, wait.reason),
            (Duration::ZERO, DelayReason::FreshToken)
        );
        let requests = server.requests();
        for (number, request) in requests.iter().enumerate() {
            assert!(
                request.contains(&format!("Bearer token-{number}\r\n")),
                "{request}"
            );
        }
    }
}
