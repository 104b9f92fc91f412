//! Faults of networks and services, and how the transport handles them.
//!
//! The tables are compared with `docs/faults.md`. The root's `tests/faults.rs` covers response bodies.
//! `UPDATE_FAULTS=1 cargo test --workspace --test faults` updates the page.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]

#[path = "faults/bodies.rs"]
mod bodies;
#[path = "faults/connections.rs"]
mod connections;
#[path = "faults/page.rs"]
mod page;
#[path = "faults/statuses.rs"]
mod statuses;
mod support;

use std::fmt::{self, Debug, Write as _};
use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bodies::bodies;
use call_api_transport::{BoxError, Outcome, Token, TransportBuilder, TransportError};
use connections::connections;
use http::{HeaderValue, Method};
use page::{HEADER, PREFACE, compare_or_update, print_outcomes, print_row};
use statuses::{retry_after, statuses};
use support::{
    GET_CALL, SECRET, Server, Step, TestClock, all_text, answer, attempt_log, buffered, builder,
    send,
};

type Setup = Box<dyn Fn(TransportBuilder, &TestClock) -> TransportBuilder + Send>;

/// A fault and its expected handling.
struct Row {
    fault: &'static str,
    scripts: Vec<Vec<Step>>,
    refuses_connections: bool,
    method: Method,
    key: bool,
    /// The number of successful requests sent before.
    requests_before: usize,
    setup: Setup,
    result: &'static str,
    attempts: &'static str,
    /// In milliseconds.
    waits: &'static [u64],
    /// The time that passed on the client's clock, in milliseconds.
    took: u64,
    bytes: Bytes,
    connections: usize,
    stop: &'static str,
}

/// The bytes of the last attempt's body that were read.
#[derive(Clone, Copy)]
enum Bytes {
    Exactly(u64),
    /// The exact number depends on how the bytes were split into packets.
    MoreThan(u64),
}

impl Bytes {
    fn includes(self, bytes: u64) -> bool {
        match self {
            Self::Exactly(expected) => bytes == expected,
            Self::MoreThan(expected) => bytes > expected,
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(bytes) => write!(f, "{bytes}"),
            Self::MoreThan(bytes) => write!(f, "> {bytes}"),
        }
    }
}

const FINAL: &str = "another attempt would end the same way";
const SPENT: &str = "all attempts were made";
const FINE: &str = "it succeeded";
const UNSENT: &str = "nothing was sent";
const UNAVAILABLE: &str = "server_error, server_error, server_error, server_error, server_error, server_error, server_error, server_error, server_error, server_error";

fn row(
    fault: &'static str,
    scripts: Vec<Vec<Step>>,
    result: &'static str,
    attempts: &'static str,
) -> Row {
    let made = attempts
        .split(", ")
        .filter(|attempt| !attempt.is_empty())
        .count();
    let stop = match attempts.rsplit(", ").next() {
        Some("success") => FINE,
        Some("") => UNSENT,
        _ if made == 3 => SPENT,
        _ => FINAL,
    };
    Row {
        fault,
        scripts,
        refuses_connections: false,
        method: Method::GET,
        key: false,
        requests_before: 0,
        setup: Box::new(|builder, _| builder),
        result,
        attempts,
        waits: match made {
            3 => &[250, 500],
            2 => &[250],
            _ => &[],
        },
        took: match made {
            3 => 750,
            2 => 250,
            _ => 0,
        },
        bytes: Bytes::Exactly(0),
        connections: 1,
        stop,
    }
}

impl Row {
    fn bytes(self, bytes: u64) -> Self {
        Self {
            bytes: Bytes::Exactly(bytes),
            ..self
        }
    }

    fn more_than(self, bytes: u64) -> Self {
        Self {
            bytes: Bytes::MoreThan(bytes),
            ..self
        }
    }

    fn connections(self, connections: usize) -> Self {
        Self {
            connections,
            ..self
        }
    }

    fn waits(self, waits: &'static [u64]) -> Self {
        Self {
            waits,
            took: waits.iter().sum(),
            ..self
        }
    }

    /// Retried as often as the default deadline allows.
    fn until_the_deadline(self) -> Self {
        self.waits(&[250, 500, 1000, 2000, 4000, 8000, 8000, 8000, 8000])
            .stop("not retried: the deadline leaves no time")
    }

    fn took(self, took: u64) -> Self {
        Self { took, ..self }
    }

    fn stop(self, stop: &'static str) -> Self {
        Self { stop, ..self }
    }

    /// The provider returns another token each time.
    fn new_tokens(self) -> Self {
        self.setup(|builder| {
            let token_requests = AtomicU32::new(0);
            builder.token_provider(move || {
                let token = format!(
                    "{SECRET}-{}",
                    token_requests.fetch_add(1, Ordering::Relaxed)
                );
                async move { Ok::<_, BoxError>(Token::new(token)?) }
            })
        })
    }

    fn post(self) -> Self {
        Self {
            method: Method::POST,
            ..self
        }
    }

    fn setup(self, setup: impl Fn(TransportBuilder) -> TransportBuilder + Send + 'static) -> Self {
        Self {
            setup: Box::new(move |builder, _| setup(builder)),
            ..self
        }
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn then(mut steps: Vec<Step>, more: impl IntoIterator<Item = Step>) -> Vec<Step> {
    steps.extend(more);
    steps
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    brotli::CompressorWriter::new(&mut encoded, 4096, 5, 20)
        .write_all(bytes)
        .unwrap();
    encoded
}

const OK: &str = "HTTP/1.1 200 OK\r\n";

/// The observed handling of a fault, formatted as in its row.
struct Observed {
    result: String,
    attempts: String,
    stop: String,
    waits: Vec<u64>,
    took: u64,
    bytes: u64,
    connections: usize,
    /// Everything that a user could print or log.
    shown: String,
}

impl Observed {
    /// Returns a line for each difference from the expected handling.
    fn differences(&self, row: &Row) -> String {
        let mut wrong = String::new();
        let result = match row.bytes {
            Bytes::MoreThan(_) => self.result.replace(&self.bytes.to_string(), "…"),
            Bytes::Exactly(_) => self.result.clone(),
        };
        let mut differ = |what: &str, received: &dyn Debug, wanted: &dyn Debug| {
            let (received, wanted) = (format!("{received:?}"), format!("{wanted:?}"));
            if received != wanted {
                let _ = writeln!(wrong, "{}: {what} is {received}, not {wanted}", row.fault);
            }
        };
        differ("the result", &result.as_str(), &row.result);
        differ(
            "the list of attempts",
            &self.attempts.as_str(),
            &row.attempts,
        );
        differ("the list of waits", &self.waits, &row.waits);
        differ("the time", &self.took, &row.took);
        differ(
            "the number of connections",
            &self.connections,
            &row.connections,
        );
        differ("the reason to stop", &self.stop.as_str(), &row.stop);
        if !row.bytes.includes(self.bytes) {
            let _ = writeln!(
                wrong,
                "{}: {} bytes were read, not {}",
                row.fault, self.bytes, row.bytes
            );
        }
        wrong
    }
}

async fn observe(row: &Row) -> Observed {
    let clock = TestClock::default();
    let server = Server::start(&clock, row.scripts.clone()).await;
    let address = server.address;
    let kept = (!row.refuses_connections).then_some(server);
    let builder = builder(&format!("http://{address}"), &clock);
    let transport = (row.setup)(builder, &clock).build().unwrap();
    let mut shown = format!("{transport:?}");
    let url = format!("{}/v1/call/7?private=1", transport.base_url());
    for _ in 0..row.requests_before {
        let request = transport.http_client().get(&url).build().unwrap();
        assert_eq!(
            transport
                .send(&GET_CALL, request, None)
                .await
                .unwrap()
                .status,
            200
        );
        // Gives the client time to notice the server's next step.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut request = transport
        .http_client()
        .request(row.method.clone(), &url)
        .build()
        .unwrap();
    if row.key {
        request
            .headers_mut()
            .insert("idempotency-key", HeaderValue::from_static("k"));
    }
    let outcome = transport.send(&GET_CALL, request, None).await;
    let log = attempt_log(&outcome).clone();
    let _ = write!(shown, "{outcome:?}{outcome:#?}{}", log.to_curl());
    let result = match outcome {
        Ok(response) => {
            let status = response.status.as_u16();
            let mut text = status.to_string();
            let body = buffered(response);
            if body.is_truncated {
                text.push_str(", cut");
            }
            if let Some(id) = log.request_id() {
                let _ = write!(text, " (request id {id})");
            }
            // Bodies of error responses become part of errors.
            if status >= 400 {
                shown.push_str(&String::from_utf8_lossy(&body.bytes));
            }
            text
        }
        Err(error) => {
            assert_one_line(&error);
            if let Some(last) = error.attempt_log().attempts().last()
                && !matches!(
                    error.kind(),
                    call_api_transport::TransportErrorKind::TokenUnavailable
                )
            {
                let is_transient = last.outcome.is_transient();
                assert_eq!(error.is_retryable(), is_transient, "{}", row.fault);
            }
            shown.push_str(&all_text(&error));
            shown.push_str(&error.attempt_log().to_curl());
            format!("{:?}", error.kind()).replace(&address.port().to_string(), "PORT")
        }
    };
    let attempts = log.attempts();
    let names: Vec<_> = attempts
        .iter()
        .map(|attempt| attempt.outcome.name())
        .collect();
    if let Some(server) = &kept {
        assert_eq!(
            server.requests().len(),
            row.requests_before + attempts.len(),
            "{}",
            row.fault
        );
        for request in server.requests() {
            assert!(request.contains(SECRET), "{request}");
        }
    }
    let millis = |wait: Duration| u64::try_from(wait.as_millis()).unwrap();
    let waits: Vec<_> = clock.waits().into_iter().map(millis).collect();
    // The attempt log must have the same waits as the clock, in the same order.
    let logged = attempts.iter().flat_map(|attempt| {
        let after = attempt
            .retry_delay
            .map_or(Duration::ZERO, |wait| wait.duration);
        [attempt.queued, after]
    });
    let logged: Vec<_> = logged.filter(|wait| !wait.is_zero()).map(millis).collect();
    assert_eq!(logged, waits, "{}", row.fault);
    let queued: Duration = attempts.iter().map(|attempt| attempt.queued).sum();
    assert_eq!(log.queued(), queued, "{}", row.fault);
    assert_eq!(log.elapsed(), clock.passed(), "{}", row.fault);
    Observed {
        result,
        attempts: names.join(", "),
        stop: log.stop_reason().to_string(),
        waits,
        took: u64::try_from(clock.passed().as_millis()).unwrap(),
        bytes: attempts.last().map_or(0, |attempt| attempt.body_bytes),
        connections: kept.map_or(0, |server| server.connections()),
        shown,
    }
}

/// Asserts that an error is one line in lower case, with the URL and without its query.
fn assert_one_line(error: &TransportError) {
    let text = error.to_string();
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(text.starts_with(char::is_lowercase), "{text}");
    assert!(
        text.contains(error.attempt_log().url()) && !text.contains("private"),
        "{text}"
    );
    assert!(!text.ends_with('.'), "{text}");
}

/// The log output of all crates, at all levels.
#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    /// Captures what is logged from now on, with both `log` and `tracing`.
    fn capture() -> Self {
        let logs = Self::default();
        log::set_boxed_logger(Box::new(logs.clone())).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
        let for_tracing = logs.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
            .with_writer(move || for_tracing.clone())
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        logs
    }
}

impl std::io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl log::Log for Logs {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}\n", record.target(), record.args());
        self.0.lock().unwrap().extend_from_slice(line.as_bytes());
    }

    fn flush(&self) {}
}

#[tokio::test]
async fn faults_are_handled_as_documented_and_show_no_token() {
    let logs = Logs::capture();
    let panics = Arc::new(Mutex::new(String::new()));
    let hooked = Arc::clone(&panics);
    std::panic::set_hook(Box::new(move |info| {
        hooked.lock().unwrap().push_str(&info.to_string())
    }));

    let sections = [
        ("Connections and heads", connections()),
        ("Bodies", bodies()),
        ("Statuses", statuses()),
        ("Retry-After", retry_after()),
    ];
    let mut page = String::from(PREFACE);
    let mut wrong = String::new();
    let mut shown = String::new();
    for (title, rows) in sections {
        let _ = write!(page, "\n## {title}\n{HEADER}");
        for row in rows {
            let received = observe(&row).await;
            shown.push_str(&received.shown);
            wrong.push_str(&received.differences(&row));
            print_row(&mut page, &row);
        }
    }
    print_outcomes(&mut page);
    drop(std::panic::take_hook());
    assert!(wrong.is_empty(), "\n{wrong}");
    assert_eq!(*panics.lock().unwrap(), "");

    let logs = String::from_utf8_lossy(&logs.0.lock().unwrap()).into_owned();
    assert_no_token(&logs, &shown);
    compare_or_update(&page);
}

/// Asserts that neither the logs nor the errors and responses have the token.
fn assert_no_token(logs: &str, shown: &str) {
    for (place, text) in [("a log", logs), ("an error or response", shown)] {
        // Without its last character, which one of the rows truncates.
        if let Some(at) = text.find(&SECRET[..SECRET.len() - 1]) {
            let from = text[..at]
                .char_indices()
                .rev()
                .nth(200)
                .map_or(0, |(index, _)| index);
            panic!("the token was seen in {place}: {}", &text[from..at]);
        }
    }
    // Guards the assertion above: the logs and texts were captured.
    for wanted in [
        "reqwest::connect",
        "attempt ended: server_error",
        "http.request.method",
    ] {
        assert!(logs.contains(wanted), "{wanted} is not in the logs");
    }
    assert!(shown.contains("RawResponse"));
}
