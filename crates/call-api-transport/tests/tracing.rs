//! Spans and events. In a process of their own: `tracing` caches the interest in a callsite for all threads.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]

mod support;

use std::sync::{Arc, Mutex};

use call_api_transport::{Operation, ResponseBody};
use futures_util::StreamExt as _;
use support::{GET_CALL, SECRET, Server, Step, TestClock, answer, builder, get, send, streamed};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync + 'static {
        let writer = self.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_span_events(tracing_subscriber::fmt::format::FmtSpan::CLOSE)
            .with_ansi(false)
            .without_time()
            .with_writer(move || writer.clone())
            .finish()
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn request_is_a_span_and_attempt_an_event_in_opentelemetry_terms() {
    let lines = Lines::default();
    let clock = TestClock::default();
    let server = Server::start(
        &clock,
        vec![
            answer(503, "x-request-id: r-1\r\n", ""),
            answer(404, "", ""),
        ],
    )
    .await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    {
        let _guard = tracing::subscriber::set_default(lines.subscriber());
        transport
            .send(&GET_CALL, get(&transport, "7?private=1"), None)
            .await
            .unwrap();
        // One request whose response is truncated, and one that succeeds at once.
        let short = send("HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nabc");
        let script = vec![[short, vec![Step::Close]].concat(), answer(200, "", "")];
        let server = Server::start(&clock, script).await;
        let transport = builder(&server.url(), &clock)
            .max_attempts(1)
            .build()
            .unwrap();
        let send = || transport.send(&GET_CALL, get(&transport, "7"), None);
        send().await.unwrap_err();
        send().await.unwrap();
    }
    let text = lines.text();
    let ours: Vec<_> = text
        .lines()
        .filter(|line| line.contains("call_api_transport"))
        .collect();
    let port = server.address.port();
    let span = format!(
        "request{{otel.kind=\"client\" operation=\"get_call\" http.request.method=\"GET\" url.template=\"/v1/call/{{id}}\" \
         server.address=\"127.0.0.1\" server.port={port}"
    );
    assert_eq!(ours.len(), 9, "{text}");
    let (warnings, ours): (Vec<_>, Vec<_>) =
        ours.into_iter().partition(|line| line.contains("WARN"));
    for (warning, error_type) in warnings.iter().zip(["404", "truncated"]) {
        assert!(
            warning.contains(&format!("request failed: {error_type}")),
            "{warning}"
        );
    }
    assert_eq!(warnings.len(), 2, "one for each failed request");
    let (ours, others) = ours.split_at(3);
    for line in &others[..2] {
        assert!(
            line.contains("http.response.status_code=200")
                && line.contains("error.type=\"truncated\""),
            "{line}"
        );
    }
    assert!(others[3].contains("close"), "{}", others[3]);
    for absent in ["error.type", "http.request.resend_count"] {
        assert!(!others[3].contains(absent), "{}", others[3]);
    }
    for line in ours {
        assert!(line.contains(&span), "{line}");
    }
    assert!(ours[0].starts_with("DEBUG"), "{}", ours[0]);
    for wanted in [
        "http.request.resend_count=0",
        "http.response.status_code=503",
        "error.type=\"503\"",
        "request_id=\"r-1\"",
    ] {
        assert!(ours[0].contains(wanted), "{wanted}: {}", ours[0]);
    }
    assert!(
        ours[1].contains("http.request.resend_count=1"),
        "{}",
        ours[1]
    );
    assert!(
        ours[2].contains("http.response.status_code=404") && ours[2].contains("close"),
        "{}",
        ours[2]
    );
    assert!(
        ours[2].contains("http.request.resend_count=1") && ours[2].contains("error.type=\"404\""),
        "{}",
        ours[2]
    );
    assert!(
        !text.contains("private") && !text.contains(SECRET),
        "{text}"
    );
}

#[tokio::test]
async fn interrupted_stream_is_one_warning_in_its_span() {
    let lines = Lines::default();
    let clock = TestClock::default();
    let short = send("HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nabc");
    let script = vec![[short, vec![Step::Close]].concat()];
    let server = Server::start(&clock, script).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let operation = Operation {
        body: ResponseBody::Streamed,
        ..GET_CALL
    };
    {
        let _guard = tracing::subscriber::set_default(lines.subscriber());
        let request = get(&transport, "7");
        let response = transport.send(&operation, request, None).await.unwrap();
        assert_eq!(response.attempt_log.error_type(), None);
        let parts: Vec<_> = streamed(response).collect().await;
        assert!(parts[0].is_ok() && parts[1].is_err());
    }
    let text = lines.text();
    let warnings: Vec<_> = text.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{text}");
    let closed: Vec<_> = text
        .lines()
        .filter(|line| line.ends_with("close"))
        .collect();
    for line in [warnings[0], closed[0]] {
        assert!(line.contains("error.type=\"truncated\""), "{line}");
    }
}
