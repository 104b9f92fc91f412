//! `Transport::send`: what it returns, and what options change.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]

mod support;

use std::time::Duration;

use call_api_transport::{
    Operation, Outcome, RawBody, RequestOptions, ResponseBody, Stalled, StopReason,
    TransportErrorKind,
};
use futures_util::StreamExt as _;
use http::{HeaderValue, StatusCode, header};
use support::{GET_CALL, SECRET, Server, Step, TestClock, answer, builder, get, send};

const STREAMED: Operation = Operation {
    body: ResponseBody::Streamed,
    ..GET_CALL
};

#[tokio::test]
async fn response_has_status_headers_body_and_attempts() {
    let clock = TestClock::default();
    let scripts = vec![
        answer(503, "", ""),
        answer(200, "x-request-id: r7\r\n", "{}"),
    ];
    let server = Server::start(&clock, scripts).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let response = transport
        .send(&GET_CALL, get(&transport, "7"), None)
        .await
        .unwrap();
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.headers["x-request-id"], "r7");
    let outcomes: Vec<_> = (response.attempt_log.attempts().iter())
        .map(|attempt| attempt.outcome)
        .collect();
    assert_eq!(outcomes, [Outcome::ServerError, Outcome::Success]);
    let debug = format!("{response:?}");
    assert!(
        debug.contains("Buffered") && !debug.contains(SECRET),
        "{debug}"
    );
    let RawBody::Buffered(body) = response.body else {
        panic!("the operation is buffered")
    };
    assert_eq!((&body.bytes[..], body.is_truncated), (&b"{}"[..], false));
}

#[tokio::test]
async fn error_body_that_breaks_off_is_marked_truncated() {
    let clock = TestClock::default();
    let mut script = send("HTTP/1.1 404 X\r\ncontent-length: 9\r\n\r\nxyz");
    script.push(Step::Close);
    let server = Server::start(&clock, vec![script]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    for operation in [&GET_CALL, &STREAMED] {
        let response = transport
            .send(operation, get(&transport, "7"), None)
            .await
            .unwrap();
        assert_eq!(response.status, StatusCode::NOT_FOUND);
        let RawBody::Buffered(body) = response.body else {
            panic!("error responses are buffered")
        };
        assert_eq!((&body.bytes[..], body.is_truncated), (&b"xyz"[..], true));
    }
}

#[tokio::test]
async fn options_apply_to_one_request_only() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(500, "", "")]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let options = RequestOptions::new()
        .max_attempts(1)
        .header(header::ACCEPT_LANGUAGE, HeaderValue::from_static("nl"));
    let once = transport
        .send(&GET_CALL, get(&transport, "7"), Some(&options))
        .await
        .unwrap();
    assert_eq!(once.attempt_log.attempts().len(), 1);
    let default = transport
        .send(&GET_CALL, get(&transport, "7"), None)
        .await
        .unwrap();
    assert_eq!(default.attempt_log.attempts().len(), 3);
    let with_language: Vec<_> = (server.requests().iter())
        .map(|request| request.contains("accept-language: nl"))
        .collect();
    assert_eq!(with_language, [true, false, false, false]);
}

#[tokio::test]
async fn failure_has_its_kind_and_attempts() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![vec![Step::Reset]]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let error = transport
        .send(&GET_CALL, get(&transport, "7"), None)
        .await
        .unwrap_err();
    assert!(matches!(
        error.kind(),
        TransportErrorKind::Interrupted { .. }
    ));
    assert_eq!(error.attempt_log().attempts().len(), 3);
    assert_eq!(
        *error.attempt_log().stop_reason(),
        StopReason::AttemptsExhausted
    );
}

#[tokio::test]
async fn streamed_body_arrives_in_parts_until_it_stalls() {
    let clock = TestClock::default();
    let mut script = send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nxyz");
    script.push(Step::Stall);
    let server = Server::start(&clock, vec![script]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let response = transport
        .send(&STREAMED, get(&transport, "7"), None)
        .await
        .unwrap();
    let RawBody::Streamed(mut stream) = response.body else {
        panic!("the operation is streamed")
    };
    assert_eq!(stream.next().await.unwrap().unwrap(), "xyz");
    let error = stream.next().await.unwrap().unwrap_err();
    assert!(error.is::<Stalled>(), "{error}");
    assert_eq!(clock.passed(), Duration::from_secs(15));
}
