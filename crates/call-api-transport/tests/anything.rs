//! Whatever a server sends, the call ends in a response or a failure, and never in a panic.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]

mod support;

use std::time::Duration;

use proptest::prelude::*;
use support::{GET_CALL, SECRET, Server, Step, TestClock, all_words, buffered, builder, get};

/// Bytes of any kind, and bytes that are nearly a response.
fn response() -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec(any::<u8>(), 0..200);
    let nearly = (
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
    prop_oneof![noise, nearly]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_end_the_call(bytes in response(), reset in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let clock = TestClock::default();
            let end = if reset { Step::Reset } else { Step::Close };
            let server = Server::start(&clock, vec![vec![Step::Send(bytes), end]]).await;
            let transport = builder(&server.url(), &clock).build().unwrap();
            let call = transport.send(&GET_CALL, get(&transport, "7"), None);
            // A hang would be a fault too; this is only how the test finds out.
            let result = tokio::time::timeout(Duration::from_secs(10), call).await.expect("the call ends");
            assert!(!format!("{result:?}").contains(SECRET));
            match result {
                Ok(response) => {
                    assert!(!response.status.is_redirection() || response.status == 304);
                    buffered(response);
                }
                Err(error) => {
                    assert!(!all_words(&error).contains(SECRET));
                    assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
                }
            }
        });
    }
}
