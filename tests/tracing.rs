//! An invalid transition of a call is logged, at WARN. In a process of its own, because `tracing` caches across threads
//! which events are enabled.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

#[path = "support/service.rs"]
mod service;

use std::io::Write;
use std::sync::{Arc, Mutex};

use service::{ID, Server, TestClock, client, status_response};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn invalid_transition_is_a_warning() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    let clock = TestClock::default();
    let scripts = ["in_progress", "dialing", "completed"]
        .map(status_response)
        .to_vec();
    let server = Server::start(&clock, scripts).await;
    let _guard = tracing::subscriber::set_default(subscriber);
    let client = client(&server, &clock);
    client.wait_until_ended(ID).await.unwrap();
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    insta::assert_snapshot!(text.trim());
}
