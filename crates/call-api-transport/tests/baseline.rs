//! Basics of every request, over a real socket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]

#[path = "support/client.rs"]
mod client;
mod support;

use std::time::Duration;

use call_api_transport::{
    Auth, BoxError, BuildError, Operation, Outcome, RequestOptions, StopReason, Token, TokenError,
    Transport, TransportBuilder, TransportErrorKind,
};
use http::{HeaderName, HeaderValue};
use support::{
    GET_CALL, SECRET, Server, Step, TestClock, all_text, answer, attempt_log, buffered, builder,
    get,
};

#[tokio::test]
async fn request_has_only_the_expected_headers() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, "", "{}")]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let response = transport
        .send(&GET_CALL, get(&transport, "7?q=1"), None)
        .await
        .unwrap();
    let curl = response.attempt_log.to_curl();
    let url = format!("'{}/v1/call/7?q=1'", server.url());
    assert!(curl.ends_with(&url), "{curl}");
    assert_eq!(buffered(response).bytes, "{}");
    let request = &server.requests()[0];
    let mut lines: Vec<_> = request.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "GET /v1/call/7?q=1 HTTP/1.1");
    lines.sort_unstable();
    let mut wanted = [
        "accept-encoding: gzip,br".to_owned(),
        "accept: */*".to_owned(),
        format!("authorization: Bearer {SECRET}"),
        format!("host: {}", server.address),
        concat!("user-agent: call-api-transport/", env!("CARGO_PKG_VERSION")).to_owned(),
    ];
    wanted.sort_unstable();
    assert_eq!(lines, wanted);
}

#[tokio::test]
async fn auth_decides_where_the_token_is_sent() {
    let cases: [(Auth, &str); 5] = [
        (Auth::None, ""),
        (Auth::Bearer, "authorization: Bearer user:pass"),
        (Auth::Basic, "authorization: Basic dXNlcjpwYXNz"),
        (Auth::ApiKeyHeader("x-api-key"), "x-api-key: user:pass"),
        (
            Auth::ApiKeyQuery("key"),
            "GET /v1/call/7?a=b&key=user%3Apass HTTP/1.1",
        ),
    ];
    for (auth, wanted) in cases {
        let clock = TestClock::default();
        let server = Server::start(&clock, vec![answer(200, "", "")]).await;
        let transport = builder(&server.url(), &clock)
            .token(Token::new("user:pass").unwrap())
            .build()
            .unwrap();
        let operation = Operation { auth, ..GET_CALL };
        let response = transport
            .send(&operation, get(&transport, "7?a=b"), None)
            .await
            .unwrap();
        let request = &server.requests()[0];
        assert!(request.contains(wanted), "{auth:?}: {request}");
        if auth == Auth::None {
            assert!(!request.contains("pass"), "{request}");
        }
        let curl = response.attempt_log.to_curl();
        assert!(!curl.contains("pass"), "{curl}");
        assert_eq!(curl.contains("$TOKEN"), auth != Auth::None, "{curl}");
    }
}

#[tokio::test]
async fn token_is_not_shown_for_any_auth() {
    for auth in [
        Auth::Bearer,
        Auth::Basic,
        Auth::ApiKeyHeader("x-api-key"),
        Auth::ApiKeyQuery("key"),
    ] {
        let clock = TestClock::default();
        let scripts = vec![
            answer(200, "", "{}"),
            answer(302, "location: /\r\n", ""),
            vec![Step::Reset],
        ];
        let server = Server::start(&clock, scripts).await;
        let transport = builder(&server.url(), &clock).build().unwrap();
        let operation = Operation { auth, ..GET_CALL };
        let mut text = String::new();
        for _ in 0..3 {
            let result = transport.send(&operation, get(&transport, "7"), None).await;
            let log = attempt_log(&result);
            text.push_str(&format!("{result:?}{}{}", log.url(), log.to_curl()));
            if let Err(error) = result {
                text.push_str(&all_text(&error));
            }
        }
        let encoded = "Y2FuYXJ5LTdmM2U5ZA==";
        assert!(
            !text.contains(SECRET) && !text.contains(encoded),
            "{auth:?}: {text}"
        );
        // Guards the assertion above: the token was sent.
        assert!(
            server
                .requests()
                .iter()
                .all(|sent| sent.contains(SECRET) || sent.contains(encoded))
        );
    }
}

#[tokio::test]
async fn sequential_requests_share_a_connection() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, "", "{}")]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    for _ in 0..5 {
        transport
            .send(&GET_CALL, get(&transport, "7"), None)
            .await
            .unwrap();
    }
    assert_eq!((server.requests().len(), server.connections()), (5, 1));
}

#[tokio::test]
async fn error_response_has_body_and_log_and_its_debug_omits_content() {
    let clock = TestClock::default();
    let server = Server::start(
        &clock,
        vec![answer(
            404,
            "x-request-id: r-1\r\nretry-after: 3\r\n",
            r#"{"detail":"no"}"#,
        )],
    )
    .await;
    let transport = builder(&format!("{}/api/", server.url()), &clock)
        .build()
        .unwrap();
    assert_eq!(transport.base_url(), format!("{}/api", server.url()));
    let response = transport
        .send(&GET_CALL, get(&transport, "7?q=private"), None)
        .await
        .unwrap();
    assert_eq!(response.status, 404);
    let log = &response.attempt_log;
    assert_eq!(log.request_id(), Some("r-1"));
    assert_eq!(log.retry_after(), Some(Duration::from_secs(3)));
    assert_eq!(log.url(), format!("{}/api/v1/call/7", server.url()));
    assert_eq!(log.attempts().len(), 1);
    assert_eq!(log.attempts()[0].outcome, Outcome::Rejected);
    assert_eq!(*log.stop_reason(), StopReason::NotRetryable);
    let text = format!("{response:?} {response:#?}");
    assert_eq!(buffered(response).bytes, r#"{"detail":"no"}"#);
    for hidden in ["private", "detail", SECRET] {
        assert!(!text.contains(hidden), "{text}");
    }
}

#[tokio::test]
async fn body_over_the_limit_is_rejected_with_and_without_a_length() {
    let clock = TestClock::default();
    let long = "x".repeat(101);
    let chunked =
        format!("HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n65\r\n{long}\r\n0\r\n\r\n");
    for (script, announced, received) in [
        (answer(200, "", &long), Some(101), 0),
        (support::send(chunked), None, 101),
    ] {
        let server = Server::start(&clock, vec![script]).await;
        let transport = builder(&server.url(), &clock)
            .body_limit(100)
            .build()
            .unwrap();
        let error = transport
            .send(&GET_CALL, get(&transport, "7"), None)
            .await
            .unwrap_err();
        let kind = TransportErrorKind::BodyTooLarge {
            limit: 100,
            received,
            announced,
        };
        assert_eq!(*error.kind(), kind);
        assert!(error.to_string().contains("100 bytes"), "{error}");
        // A larger limit in the options of one request accepts the body.
        let lax = transport.with_options(RequestOptions::new().body_limit(101));
        let response = lax.send(&GET_CALL, get(&lax, "7"), None).await.unwrap();
        assert_eq!(buffered(response).bytes.len(), 101);
    }
}

#[tokio::test]
async fn redirect_is_an_error_and_is_not_followed() {
    let clock = TestClock::default();
    let other = Server::start(&clock, vec![answer(200, "", "{}")]).await;
    let location = format!("location: {}/elsewhere?q=1\r\n", other.url());
    let server = Server::start(&clock, vec![answer(307, &location, "")]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let error = transport
        .send(&GET_CALL, get(&transport, "7"), None)
        .await
        .unwrap_err();
    let TransportErrorKind::Redirected { status, to } = error.kind() else {
        panic!("{error:?}")
    };
    assert_eq!(*status, 307);
    let to = to.as_ref().unwrap();
    assert_eq!(to.host(), other.address.to_string());
    assert_eq!(to.url().as_str(), format!("{}/elsewhere?q=1", other.url()));
    assert!(!format!("{error:?} {error} {to} {to:?}").contains("q=1"));
    assert_eq!(other.connections(), 0);
    assert!(!error.is_retryable());
    // A redirect that a given client has followed is the same error.
    let transport = builder(&server.url(), &clock)
        .http_client(client::following())
        .build()
        .unwrap();
    let error = transport
        .send(&GET_CALL, get(&transport, "7"), None)
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), TransportErrorKind::Redirected { to: Some(to), .. } if to.host() == other.address.to_string())
    );
    assert!(
        !other.requests()[0].contains(SECRET),
        "{:?}",
        other.requests()
    );
}

#[tokio::test]
async fn connection_failure_is_one_line_without_secrets() {
    let clock = TestClock::default();
    let transport = builder("http://127.0.0.1:1", &clock)
        .max_attempts(1)
        .build()
        .unwrap();
    let error = transport
        .send(&GET_CALL, get(&transport, "7?q=private"), None)
        .await
        .unwrap_err();
    assert!(error.is_connect() && error.is_retryable() && !error.is_timeout());
    let shown = all_text(&error);
    assert!(
        !shown.contains("private") && !shown.contains(SECRET),
        "{shown}"
    );
    let text = error.to_string();
    assert!(
        text.starts_with("cannot connect for GET http://127.0.0.1:1/v1/call/7: "),
        "{text}"
    );
    assert!(!text.contains('\n') && !text.ends_with('.'), "{text}");
}

#[tokio::test]
async fn client_and_option_headers_replace_request_headers() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, "", "")]).await;
    let name = HeaderName::from_static;
    let value = HeaderValue::from_static;
    let transport = builder(&server.url(), &clock)
        .user_agent("mine/1")
        .header(name("x-a"), value("client"))
        .header(name("x-b"), value("client"))
        .build()
        .unwrap();
    let call = transport.with_options(
        RequestOptions::new()
            .header(name("x-b"), value("call"))
            .idempotency_key("k-1"),
    );
    let mut request = get(&call, "7");
    request.headers_mut().insert("x-a", value("request"));
    request
        .headers_mut()
        .insert("authorization", value("Bearer other"));
    call.send(&GET_CALL, request, None).await.unwrap();
    let sent = &server.requests()[0];
    for wanted in [
        "x-a: client",
        "x-b: call",
        "user-agent: mine/1",
        "idempotency-key: k-1",
        SECRET,
    ] {
        assert!(sent.contains(wanted), "{wanted} is not in {sent}");
    }
    assert!(
        !sent.contains("other") && !sent.contains("x-a: request"),
        "{sent}"
    );
}

#[test]
fn base_urls_are_normalized_or_rejected_with_a_reason() {
    let parse = |url: &str| {
        Transport::builder(url)
            .build()
            .map(|t| t.base_url().to_owned())
    };
    for (given, wanted) in [
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://127.0.0.1:3000/", "http://127.0.0.1:3000"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:3000/api/", "http://[::1]:3000/api"),
        ("http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]"),
        ("HTTP://LOCALHOST:80/A%20b//", "http://localhost/A%20b"),
    ] {
        assert_eq!(parse(given).unwrap(), wanted, "{given}");
    }
    for (given, wanted) in [
        ("http://calls.example", "allow_insecure_http(true)"),
        ("http://localhost.example", "plain http to another machine"),
        ("http://10.0.0.1", "plain http to another machine"),
        ("http://[2001:db8::1]", "plain http to another machine"),
        ("http://[::ffff:10.0.0.1]", "plain http to another machine"),
        ("http://user:hunter2@localhost", "user or password"),
        ("http://user@localhost", "user or password"),
        ("http://localhost/?a=b", "query"),
        ("http://localhost/#a", "fragment"),
        ("http://localhost/a/../b", "segment"),
        ("http://localhost/a/%2E%2e", "segment"),
        ("http://localhost/.", "segment"),
        ("http://local\thost", "control character"),
        (" http://localhost", "space"),
        ("http:\\\\localhost", "backslash"),
        ("localhost:3000", "neither https nor http"),
        ("ftp://localhost", "neither https nor http"),
        ("calls.example", "not a URL"),
        ("", "not a URL"),
        ("http://", "not a URL"),
    ] {
        let error = parse(given).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, BuildError::BaseUrl { .. }), "{error:?}");
        assert!(text.contains(wanted), "{given}: {text}");
        assert!(
            !text.contains("hunter2") && !format!("{error:?}").contains("hunter2"),
            "{text}"
        );
    }
    let open = Transport::builder("http://calls.example").allow_insecure_http(true);
    assert_eq!(open.build().unwrap().base_url(), "http://calls.example");
    let secure = parse("https://calls.example/api");
    if cfg!(any(feature = "rustls", feature = "native-tls")) {
        assert_eq!(secure.unwrap(), "https://calls.example/api");
    } else {
        assert!(matches!(secure.unwrap_err(), BuildError::NoTls));
    }
}

#[tokio::test]
async fn url_outside_the_base_url_or_operation_is_rejected_unsent() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, "", "")]).await;
    let base = format!("{}/api", server.url());
    let transport = builder(&base, &clock).build().unwrap();
    let origin = server.url();
    for (url, wanted) in [
        (format!("{base}/v1/call/.."), "its path"),
        (format!("{base}/v1/call/%2e%2E"), "its path"),
        (format!("{base}/v1/call/../../../admin"), "base URL"),
        (format!("{base}/v1/call/a%2F..%2Fb"), "dot segment"),
        (format!("{base}/v1/call/..%5cb"), "dot segment"),
        (format!("{base}/v1/call/"), "empty"),
        (format!("{base}/v1/call/a/b"), "its path"),
        (format!("{base}/v2/call/a"), "its path"),
        (format!("{base}x/v1/call/a"), "base URL"),
        (format!("{origin}/v1/call/a"), "base URL"),
        (format!("{}0/api/v1/call/a", origin), "base URL"),
        ("http://user@127.0.0.1/api/v1/call/a".to_owned(), "base URL"),
        ("https://calls.example/api/v1/call/a".to_owned(), "base URL"),
    ] {
        let Ok(request) = transport.http_client().get(&url).build() else {
            continue;
        };
        let error = transport.send(&GET_CALL, request, None).await.unwrap_err();
        let TransportErrorKind::RefusedUrl { reason } = error.kind() else {
            panic!("{url}: {error:?}")
        };
        assert!(reason.contains(wanted), "{url}: {reason}");
        assert!(error.attempt_log().attempts().is_empty());
        assert_eq!(*error.attempt_log().stop_reason(), StopReason::NotSent);
    }
    // Without a path in the base URL, text appended to it could extend the host.
    let bare = builder(&origin, &clock).build().unwrap();
    for more in ["0", ".example", "@calls.example", ".example:80", "-x"] {
        let url = format!("{origin}{more}/v1/call/a");
        let Ok(request) = transport.http_client().get(&url).build() else {
            continue;
        };
        let error = bare.send(&GET_CALL, request, None).await.unwrap_err();
        assert!(
            matches!(error.kind(), TransportErrorKind::RefusedUrl { .. }),
            "{url}"
        );
    }
    let hosts = Transport::builder("http://localhost").build().unwrap();
    for host in [
        "localhost.example",
        "localhost@calls.example",
        "localhost:81",
        "localhostx",
    ] {
        let url = format!("http://{host}/v1/call/a");
        let request = transport.http_client().get(&url).build().unwrap();
        let error = hosts.send(&GET_CALL, request, None).await.unwrap_err();
        assert!(
            matches!(error.kind(), TransportErrorKind::RefusedUrl { .. }),
            "{url}"
        );
    }
    assert_eq!(server.connections(), 0);
    for id in ["a", "a%2Fb", "...", "a..b", "%20"] {
        let response = transport.send(&GET_CALL, get(&transport, id), None).await;
        assert_eq!(response.unwrap().status, 200, "{id}");
    }
}

#[test]
fn invalid_tokens_are_rejected_without_being_shown() {
    for bad in [
        "",
        " hunter2",
        "hunter2 ",
        "hunt\r\ner2",
        "hunter2\n",
        "hunter2\u{7f}",
        "hünter2",
    ] {
        let error = Token::new(bad).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hunt") && !text.contains("nter2"), "{text}");
    }
    assert!(matches!(
        Token::new("ab\ncd"),
        Err(TokenError::Forbidden { position: 2 })
    ));
    let error = Token::from_env("CALL_API_TRANSPORT_NO_SUCH_VARIABLE").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("CALL_API_TRANSPORT_NO_SUCH_VARIABLE is not set"),
        "{error}"
    );
    let token = Token::new(SECRET).unwrap();
    let builder = Transport::builder("http://localhost").token(token.clone());
    let mut text = format!("{token:?} {token:#?} {builder:?}");
    text.push_str(&format!("{:?}", builder.build().unwrap()));
    assert!(!text.contains(SECRET) && text.contains("***"), "{text}");
}

#[tokio::test]
async fn error_text_has_cause_request_and_help() {
    let head = "HTTP/1.1 200 X\r\nx-request-id: r-1\r\ncontent-length: 9\r\n\r\nabc";
    let sent = |more: &[Step]| vec![[support::send(head), more.to_vec()].concat()];
    type Setup = fn(TransportBuilder) -> TransportBuilder;
    let cases: [(&str, Vec<Vec<Step>>, Setup); 8] = [
        (
            "the connection broke while waiting for the response of GET BASE/v1/call/7: connection closed before message completed (3 attempts in 0.75 s); try later",
            vec![vec![Step::Close]],
            |b| b,
        ),
        (
            "the connection broke while waiting for the response of GET BASE/v1/call/7: connection closed before message completed (1 attempt in 0 s); try later",
            vec![vec![Step::Close]],
            |b| b.max_attempts(1),
        ),
        (
            "the connection broke while reading the response body of GET BASE/v1/call/7, after 3 bytes: end of file before message length reached (3 attempts in 0.75 s); request id r-1; try later",
            sent(&[Step::Close]),
            |b| b,
        ),
        (
            "the attempt timeout of 15 s passed while reading the response body, for GET BASE/v1/call/7 (2 attempts in 30.25 s; not retried: two attempts reached the attempt timeout); request id r-1; try later, or set a longer one",
            sent(&[Step::Stall]),
            |b| b,
        ),
        (
            "the deadline of 1.5 s passed while waiting for the response, for GET BASE/v1/call/7 (1 attempt in 1.5 s; not retried: the deadline leaves no time); try later, or set a longer one",
            vec![vec![Step::Stall]],
            |b| b.deadline(Duration::from_millis(1500)),
        ),
        (
            "the response to GET BASE/v1/call/7 is not valid HTTP: invalid HTTP version parsed (1 attempt in 0 s); check that the base URL names the service, and any proxy in between",
            vec![support::send("SSH-2.0\r\n\r\n")],
            |b| b,
        ),
        (
            "no token for GET BASE/v1/call/7: sealed: ask twice; check the token provider of the client",
            vec![],
            |b| {
                b.token_provider(|| async {
                    Err::<Token, _>(BoxError::from("sealed:\nask\ttwice\r\n"))
                })
            },
        ),
        (
            "the connection broke while waiting for the response of GET BASE/v1/call/7: connection closed before message completed (1 attempt in 0 s; not retried: the retry budget of the client is exhausted); try later",
            vec![vec![Step::Close]],
            |b| b.retry_budget(0),
        ),
    ];
    for (wanted, scripts, setup) in cases {
        let clock = TestClock::default();
        let server = Server::start(&clock, scripts).await;
        let transport = setup(builder(&server.url(), &clock)).build().unwrap();
        let sending = transport.send(&GET_CALL, get(&transport, "7?private"), None);
        let error = sending.await.unwrap_err();
        let text = error.to_string().replace(&server.url(), "BASE");
        assert!(!error.is_connect(), "{text}");
        assert_eq!(text, wanted);
    }
}

/// Only error responses are redacted, because they go to logs. Successful ones may legitimately contain tokens.
#[tokio::test]
async fn successful_response_is_not_redacted() {
    let clock = TestClock::default();
    let headers = format!("x-request-id: {SECRET}\r\nx-sent: {SECRET}\r\n");
    let server = Server::start(&clock, vec![answer(200, &headers, SECRET)]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let response = transport
        .send(&GET_CALL, get(&transport, "7"), None)
        .await
        .unwrap();
    assert_eq!(response.headers["x-sent"], SECRET);
    assert!(!response.headers["x-sent"].is_sensitive());
    assert_eq!(response.attempt_log.request_id(), Some("***"));
    assert_eq!(buffered(response).bytes, SECRET);
}

#[tokio::test]
async fn credentials_are_sent_only_to_operations_of_their_scheme() {
    let key = Operation {
        auth: Auth::Scheme("key", &Auth::ApiKeyHeader("x-api-key")),
        ..GET_CALL
    };
    let other = Operation {
        auth: Auth::Scheme("other", &Auth::Bearer),
        ..GET_CALL
    };
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, "", ""); 3]).await;
    let transport = builder(&server.url(), &clock)
        .token(Token::new("t0ken").unwrap())
        .credential("key", Token::new("k3y").unwrap())
        .build()
        .unwrap();
    for operation in [&GET_CALL, &key, &other] {
        let request = get(&transport, "7");
        transport.send(operation, request, None).await.unwrap();
    }
    let sent = server.requests();
    let holds = |index: usize| ["t0ken", "k3y"].map(|secret| sent[index].contains(secret));
    assert_eq!(holds(0), [true, false]);
    assert_eq!(holds(1), [false, true]);
    assert!(sent[1].contains("x-api-key: k3y"), "{}", sent[1]);
    assert_eq!(holds(2), [false, false]);
}

#[tokio::test]
async fn several_credentials_are_sent_at_once_and_redacted() {
    const ALL: [Auth; 4] = [
        Auth::Bearer,
        Auth::Scheme("key", &Auth::ApiKeyQuery("key")),
        Auth::Scheme("session", &Auth::ApiKeyCookie("session")),
        Auth::Scheme("unset", &Auth::ApiKeyHeader("x-unset")),
    ];
    let all = Operation {
        auth: Auth::Each(&ALL),
        ..GET_CALL
    };
    let two = Operation {
        auth: Auth::Each(&[
            ALL[3],
            ALL[2],
            ALL[1],
            Auth::Scheme("session", &Auth::ApiKeyQuery("key")),
        ]),
        ..GET_CALL
    };
    let clock = TestClock::default();
    let repeated = answer(403, "", "t0ken k3ys c00k t0ken");
    let server = Server::start(&clock, vec![repeated; 2]).await;
    let transport = builder(&server.url(), &clock)
        .token(Token::new("t0ken").unwrap())
        .credential("key", Token::new("k3ys").unwrap())
        .credential("session", Token::new("c00k").unwrap())
        .build()
        .unwrap();
    let mut texts = Vec::new();
    for operation in [&all, &two] {
        let mut request = get(&transport, "7");
        let cookie = http::HeaderValue::from_static("a=b");
        request.headers_mut().insert("cookie", cookie);
        let response = transport.send(operation, request, None).await.unwrap();
        let curl = response.attempt_log.to_curl();
        let body = buffered(response).bytes;
        texts.push(format!("{curl} {}", String::from_utf8_lossy(&body)));
    }
    let sent = server.requests();
    assert!(
        sent[0].contains("authorization: Bearer t0ken"),
        "{}",
        sent[0]
    );
    for request in &sent {
        assert!(request.contains("key=k3ys "), "{request}");
        assert!(
            request.contains("cookie: a=b; session=c00k\r\n"),
            "{request}"
        );
        assert!(!request.contains("x-unset"), "{request}");
    }
    assert!(!sent[1].contains("t0ken"), "{}", sent[1]);
    let all = "-H 'authorization: Bearer '\"$TOKEN\" --url-query 'key='\"$TOKEN_2\" \
               -b 'session='\"$TOKEN_3\" -H 'x-unset: '\"$TOKEN_4\"";
    assert!(texts[0].contains(all), "{}", texts[0]);
    for text in &texts {
        assert!(
            !["k3ys", "c00k"].iter().any(|secret| text.contains(secret)),
            "{text}"
        );
    }
    assert!(!texts[0].contains("t0ken"), "{}", texts[0]);
    assert!(!sent[1].contains("key=c00k"), "{}", sent[1]);
    assert!(transport.has_credential(two.auth));
    assert!(!transport.has_credential(Auth::Each(&ALL[3..])));
}

#[tokio::test]
async fn empty_put_has_a_content_length_and_user_agent_is_kept() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, "", ""); 2]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    for method in [http::Method::GET, http::Method::PUT] {
        let mut request = get(&transport, "7");
        *request.method_mut() = method;
        let agent = http::HeaderValue::from_static("mine/1");
        request.headers_mut().insert("user-agent", agent);
        transport.send(&GET_CALL, request, None).await.unwrap();
    }
    let sent = server.requests();
    assert!(!sent[0].contains("content-length"), "{}", sent[0]);
    assert!(sent[1].contains("content-length: 0"), "{}", sent[1]);
    for request in &sent {
        assert!(request.contains("user-agent: mine/1"), "{request}");
        assert!(!request.contains("call-api-transport/"), "{request}");
    }
}
