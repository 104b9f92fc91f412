//! Arbitrary bytes from a server end in a response or an error, never in a panic.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]

mod support;

use std::time::Duration;

use proptest::prelude::*;
use support::{GET_CALL, SECRET, Server, Step, TestClock, all_text, buffered, builder, get};

/// Random bytes, and bytes that are almost a response.
fn response() -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec(any::<u8>(), 0..200);
    let almost = (
        prop::sample::select(vec![
            "HTTP/1.1 200 OK",
            "HTTP/1.0 200",
            "HTTP/1.1 503 X",
            "HTTP/1.1 204 X",
            "HTTP/1.1 101 X",
            "HTTP/2 200",
            "HTTP/1.1 302 X",
            "HTTP/1.1 99 X",
        ]),
        prop::collection::vec(
            prop::sample::select(vec![
                "content-length: 5",
                "content-length: x",
                "content-length: 99999999999999999999",
                "transfer-encoding: chunked",
                "content-encoding: gzip",
                "content-encoding: br",
                "location: /",
                "location: \u{1}",
                "retry-after: 1",
                "retry-after: \u{ff}",
                "connection: close",
                "upgrade: x",
                "x",
                ":",
                "x-request-id: \u{e9}",
            ]),
            0..4,
        ),
        prop::collection::vec(any::<u8>(), 0..40),
    )
        .prop_map(|(line, headers, body)| {
            let mut bytes = format!("{line}\r\n{}\r\n\r\n", headers.join("\r\n")).into_bytes();
            bytes.extend_from_slice(&body);
            bytes
        });
    prop_oneof![noise, almost]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_end_in_a_response_or_an_error(bytes in response(), reset in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let clock = TestClock::default();
            let end = if reset { Step::Reset } else { Step::Close };
            let server = Server::start(&clock, vec![vec![Step::Send(bytes), end]]).await;
            let transport = builder(&server.url(), &clock).build().unwrap();
            let sending = transport.send(&GET_CALL, get(&transport, "7"), None);
            // A request that hangs fails the test.
            let result = tokio::time::timeout(Duration::from_secs(10), sending).await.expect("the request ends");
            assert!(!format!("{result:?}").contains(SECRET));
            match result {
                Ok(response) => {
                    assert!(!response.status.is_redirection() || response.status == 304);
                    buffered(response);
                }
                Err(error) => {
                    assert!(!all_text(&error).contains(SECRET));
                    assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
                }
            }
        });
    }
}
