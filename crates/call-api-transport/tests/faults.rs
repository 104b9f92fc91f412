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

mod support;

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use call_api_transport::{BoxError, Outcome, Token, TransportBuilder, TransportError};
use http::{HeaderValue, Method};
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

fn connections() -> Vec<Row> {
    let ok = || answer(200, "", "{}");
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n";
    vec![
        Row {
            refuses_connections: true,
            connections: 0,
            ..row(
                "connection refused",
                vec![],
                "Connect { timed_out: false }",
                "connect_failed, connect_failed, connect_failed",
            )
        },
        Row {
            refuses_connections: true,
            connections: 0,
            ..row(
                "connection refused, POST",
                vec![],
                "Connect { timed_out: false }",
                "connect_failed, connect_failed, connect_failed",
            )
            .post()
        },
        row(
            "reset before the head",
            vec![vec![Step::Reset]],
            "Interrupted { phase: Head, received: 0 }",
            "interrupted, interrupted, interrupted",
        )
        .connections(3),
        row(
            "reset before the head, once",
            vec![vec![Step::Reset], ok()],
            "200",
            "interrupted, success",
        )
        .bytes(2)
        .connections(2),
        row(
            "reset before the head, POST",
            vec![vec![Step::Reset]],
            "Interrupted { phase: Head, received: 0 }",
            "interrupted",
        )
        .post()
        .stop("not retried: the method is not idempotent and there is no idempotency key"),
        Row {
            key: true,
            ..row(
                "reset before the head, POST with an idempotency key",
                vec![vec![Step::Reset], ok()],
                "200",
                "interrupted, success",
            )
            .post()
            .bytes(2)
            .connections(2)
        },
        row(
            "closed before the head",
            vec![vec![Step::Close]],
            "Interrupted { phase: Head, received: 0 }",
            "interrupted, interrupted, interrupted",
        )
        .connections(3),
        row(
            "closed inside the head",
            vec![then(send("HTTP/1.1 200 OK\r\nconte"), [Step::Close])],
            "Interrupted { phase: Head, received: 0 }",
            "interrupted, interrupted, interrupted",
        )
        .connections(3),
        row(
            "reset after the head",
            vec![then(send(head), [Step::Reset]), ok()],
            "200",
            "truncated, success",
        )
        .bytes(2)
        .connections(2),
        Row {
            requests_before: 1,
            ..row(
                "pooled connection closed while idle",
                vec![then(ok(), [Step::Close]), ok()],
                "200",
                "success",
            )
            .bytes(2)
            .connections(2)
        },
        Row {
            requests_before: 1,
            ..row(
                "pooled connection dies under the request",
                vec![ok(), vec![Step::Reset], ok()],
                "200",
                "interrupted, success",
            )
            .bytes(2)
            .connections(2)
        },
        row(
            "silent server",
            vec![vec![Step::Stall]],
            "TimedOut { phase: Head, limit: Attempt, after: 15s }",
            "attempt_timed_out, attempt_timed_out",
        )
        .connections(2)
        .took(30_250)
        .stop("not retried: two attempts reached the attempt timeout"),
        row(
            "silent server, deadline of 20 s",
            vec![vec![Step::Stall]],
            "TimedOut { phase: Head, limit: Deadline, after: 20s }",
            "attempt_timed_out, deadline_reached",
        )
        .setup(|b| b.deadline(seconds(20)))
        .connections(2)
        .took(20_000)
        .stop("not retried: the deadline leaves no time"),
        row(
            "silent server, POST",
            vec![vec![Step::Stall]],
            "TimedOut { phase: Head, limit: Attempt, after: 15s }",
            "attempt_timed_out",
        )
        .post()
        .took(15_000)
        .stop("not retried: the method is not idempotent and there is no idempotency key"),
        row(
            "head byte by byte",
            vec![vec![Step::Trickle(
                format!("{OK}content-length: 2\r\n\r\n{{}}").into_bytes(),
            )]],
            "200",
            "success",
        )
        .bytes(2),
        row(
            "head byte by byte, a second each",
            vec![
                OK.bytes()
                    .chain(*b"a: b\r\n\r\n")
                    .flat_map(|byte| [Step::Send(vec![byte]), Step::Advance(seconds(1))])
                    .collect(),
            ],
            "TimedOut { phase: Head, limit: Attempt, after: 15s }",
            "attempt_timed_out, attempt_timed_out",
        )
        .connections(2)
        .took(30_250)
        .stop("not retried: two attempts reached the attempt timeout"),
        row(
            "not HTTP",
            vec![send("SSH-2.0-OpenSSH_9.9\r\n")],
            "Malformed { phase: Head }",
            "malformed",
        ),
        row(
            "HTTP/1.0 without a length",
            vec![then(send("HTTP/1.0 200 OK\r\n\r\n{}"), [Step::Close])],
            "200",
            "success",
        )
        .bytes(2),
        row(
            "103 before the response",
            vec![then(send("HTTP/1.1 103 Early Hints\r\n\r\n"), ok())],
            "200",
            "success",
        )
        .bytes(2),
        row(
            "more bytes than announced",
            vec![then(ok(), send("xxxx"))],
            "200",
            "success",
        )
        .bytes(2),
        row(
            "header of 1 MiB",
            vec![send(format!("{OK}a: {}\r\n\r\n", "x".repeat(1 << 20)))],
            "Malformed { phase: Head }",
            "malformed",
        ),
        row(
            "101 headers",
            vec![send(format!("{OK}{}\r\n", "a: b\r\n".repeat(101)))],
            "Malformed { phase: Head }",
            "malformed",
        ),
        row(
            "duplicate headers",
            vec![answer(
                200,
                "x-request-id: a\r\nx-request-id: b\r\ncontent-type: a/b\r\ncontent-type: c/d\r\n",
                "{}",
            )],
            "200 (request id a)",
            "success",
        )
        .bytes(2),
        row(
            "two different lengths",
            vec![send(format!(
                "{OK}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}"
            ))],
            "Malformed { phase: Head }",
            "malformed",
        ),
        row(
            "header that is not text",
            vec![answer(200, "x-request-id: \u{fc}\r\n", "{}")],
            "200",
            "success",
        )
        .bytes(2),
    ]
}

fn bodies() -> Vec<Row> {
    let chunked = format!("{OK}transfer-encoding: chunked\r\n\r\n");
    let encoded =
        |coding: &str, body: Vec<u8>| answer(200, &format!("content-encoding: {coding}\r\n"), body);
    let mut cut = gzip(&[b'x'; 1000]);
    cut.truncate(cut.len() - 12);
    let big = 1 << 20;
    let short = format!("{OK}content-length: 10\r\n\r\n{{}}xx");
    vec![
        row(
            "stall in the body",
            vec![then(send(&short), [Step::Stall])],
            "TimedOut { phase: Body, limit: Attempt, after: 15s }",
            "attempt_timed_out, attempt_timed_out",
        )
        .bytes(4)
        .connections(2)
        .took(30_250)
        .stop("not retried: two attempts reached the attempt timeout"),
        row(
            "body shorter than announced",
            vec![then(send(&short), [Step::Close])],
            "Interrupted { phase: Body, received: 4 }",
            "truncated, truncated, truncated",
        )
        .bytes(4)
        .connections(3),
        row(
            "body shorter than announced, once",
            vec![then(send(&short), [Step::Close]), answer(200, "", "{}")],
            "200",
            "truncated, success",
        )
        .bytes(2)
        .connections(2),
        row(
            "JSON truncated by the close of the connection, once",
            vec![
                then(
                    send(format!("{OK}content-type: application/json\r\n\r\n{{\"a")),
                    [Step::Close],
                ),
                answer(200, "", "{}"),
            ],
            "200",
            "truncated, success",
        )
        .bytes(2)
        .connections(2),
        row(
            "JSON ended by the close of the connection",
            vec![then(
                send(format!("{OK}content-type: application/json\r\n\r\n{{}}")),
                [Step::Close],
            )],
            "200",
            "success",
        )
        .bytes(2),
        row(
            "chunk shorter than announced",
            vec![then(send(format!("{chunked}5\r\nab")), [Step::Close])],
            "Interrupted { phase: Body, received: 2 }",
            "truncated, truncated, truncated",
        )
        .bytes(2)
        .connections(3),
        row(
            "no last chunk",
            vec![then(send(format!("{chunked}2\r\n{{}}\r\n")), [Step::Close])],
            "Interrupted { phase: Body, received: 2 }",
            "truncated, truncated, truncated",
        )
        .bytes(2)
        .connections(3),
        row(
            "chunk without a length",
            vec![send(format!("{chunked}zz\r\n{{}}\r\n"))],
            "Malformed { phase: Body }",
            "malformed",
        ),
        row(
            "body at the size limit",
            vec![answer(200, "", vec![b'x'; big])],
            "200",
            "success",
        )
        .bytes(big as u64),
        row(
            "body over the size limit, announced",
            vec![answer(200, "", vec![b'x'; big + 1])],
            "BodyTooLarge { limit: 1048576, received: 0, announced: Some(1048577) }",
            "body_too_large",
        ),
        row(
            "body over the size limit, not announced",
            vec![then(
                send(format!("{chunked}100001\r\n")),
                send(vec![b'x'; big + 1]),
            )],
            "BodyTooLarge { limit: 1048576, received: …, announced: None }",
            "body_too_large",
        )
        .more_than(1 << 20),
        row("gzip", vec![encoded("gzip", gzip(b"{}"))], "200", "success").bytes(2),
        row(
            "gzip of two members",
            vec![encoded("gzip", [gzip(b"{"), gzip(b"}")].concat())],
            "200",
            "success",
        )
        .bytes(2),
        row(
            "gzip whose second member ends early",
            vec![encoded("gzip", [gzip(b"{}"), cut.clone()].concat())],
            "Interrupted { phase: Body, received: … }",
            "truncated, truncated, truncated",
        )
        .more_than(1),
        row(
            "gzip followed by something else",
            vec![encoded("gzip", [gzip(b"{}"), b"{}".repeat(16)].concat())],
            "Malformed { phase: Body }",
            "malformed",
        )
        .bytes(2),
        row(
            "brotli",
            vec![encoded("br", brotli(b"{}"))],
            "200",
            "success",
        )
        .bytes(2),
        row(
            "gzip bomb (64 MiB in 64 KiB)",
            vec![encoded("gzip", gzip(&vec![0; 64 << 20]))],
            "BodyTooLarge { limit: 1048576, received: …, announced: None }",
            "body_too_large",
        )
        .more_than(1 << 20),
        row(
            "invalid gzip",
            vec![encoded("gzip", b"{\"id\": 1, \"status\": 2}".to_vec())],
            "Malformed { phase: Body }",
            "malformed",
        ),
        row(
            "gzip that ends early",
            vec![encoded("gzip", cut)],
            "Interrupted { phase: Body, received: 0 }",
            "truncated, truncated, truncated",
        ),
        row(
            "invalid brotli",
            vec![encoded("br", vec![0xff; 64])],
            "Malformed { phase: Body }",
            "malformed",
        ),
        row(
            "200 without a body",
            vec![answer(200, "", "")],
            "200",
            "success",
        ),
        row(
            "204",
            vec![send("HTTP/1.1 204 No Content\r\n\r\n")],
            "204",
            "success",
        ),
        row(
            "304",
            vec![send("HTTP/1.1 304 Not Modified\r\n\r\n")],
            "304",
            "success",
        ),
        row(
            "body that is not UTF-8",
            vec![answer(200, "", [0xff, 0xfe, 0x00])],
            "200",
            "success",
        )
        .bytes(3),
        row(
            "byte order mark",
            vec![answer(200, "", "\u{feff}{}")],
            "200",
            "success",
        )
        .bytes(5),
        row(
            "NaN",
            vec![answer(200, "", "{\"duration\": NaN}")],
            "200",
            "success",
        )
        .bytes(17),
        row(
            "100,000 brackets",
            vec![answer(200, "", "[".repeat(100_000))],
            "200",
            "success",
        )
        .bytes(100_000),
    ]
}

fn statuses() -> Vec<Row> {
    let ok = || answer(200, "", "{}");
    let to = |location: &str| answer(307, &format!("location: {location}\r\n"), "");
    vec![
        row("redirect to the same host", vec![to("/elsewhere?q=1")], "Redirected { status: 307, to: Some(\"127.0.0.1:PORT\") }", "redirected"),
        row("redirect to another host", vec![to("https://other.example/v1")], "Redirected { status: 307, to: Some(\"other.example\") }", "redirected"),
        row("redirect without a location", vec![answer(302, "", "")], "Redirected { status: 302, to: None }", "redirected"),
        row("redirect to an invalid location", vec![to("http://[")], "Redirected { status: 307, to: None }", "redirected"),
        row("401 with HTML", vec![answer(401, "content-type: text/html\r\n", "<html>no</html>")], "401", "unauthorized").bytes(15),
        row("401, then 200 with a new token", vec![answer(401, "", ""), ok()], "200", "unauthorized, success")
            .new_tokens()
            .waits(&[])
            .bytes(2),
        row("401, also with a new token", vec![answer(401, "", "")], "401", "unauthorized, unauthorized")
            .new_tokens()
            .waits(&[]),
        row(
            "401, then only 503 with a new token",
            vec![answer(401, "", ""), answer(503, "", "")],
            "503",
            "unauthorized, server_error, server_error, server_error",
        )
        .new_tokens()
        .waits(&[250, 500])
        .stop(SPENT),
        row("401, no other token from the provider", vec![answer(401, "", "")], "401", "unauthorized")
            .setup(|b| b.token_provider(|| async { Ok::<_, BoxError>(Token::new(SECRET)?) })),
        row("503, then no token from the provider", vec![answer(503, "", "")], "TokenUnavailable", "server_error")
            .setup(|b| {
                let token_requests = AtomicU32::new(0);
                b.token_provider(move || {
                    let first = token_requests.fetch_add(1, Ordering::Relaxed) == 0;
                    async move {
                        let token = if first { SECRET } else { "" };
                        Ok::<_, BoxError>(Token::new(token)?.with_lifetime(Duration::ZERO))
                    }
                })
            })
            .waits(&[250])
            .stop("not retried: there was no token for another attempt"),
        row("503, no time left by the client's rate limit", vec![answer(503, "", "")], "TimedOut { phase: RateLimit, limit: Deadline, after: 1s }", "server_error")
            .setup(|b| b.rate_limit(std::num::NonZeroU32::MIN).deadline(seconds(1)))
            .waits(&[250])
            .stop("not retried: the deadline leaves no time"),
        row("no token from the provider", vec![ok()], "TokenUnavailable", "")
            .setup(|b| b.token_provider(|| async { Err::<Token, _>(BoxError::from("the vault is sealed")) }))
            .connections(0),
        Row {
            setup: Box::new(|builder, clock| {
                let clock = clock.clone();
                builder.token_provider(move || {
                    clock.end_limit();
                    std::future::pending::<Result<Token, BoxError>>()
                })
            }),
            ..row("provider never responds", vec![ok()], "TimedOut { phase: Token, limit: Deadline, after: 45s }", "").connections(0).took(45_000)
        },
        row("401 that repeats the token in its detail, a header and the request id", vec![answer(401, &format!("x-request-id: {SECRET}\r\nx-sent: Bearer {SECRET}\r\n"), format!("{{\"detail\":\"{SECRET} is unknown\"}}"))], "401 (request id ***)", "unauthorized").bytes(37),
        row("400, body truncated within the token", vec![then(send(format!("HTTP/1.1 400 X\r\ncontent-length: 100\r\n\r\nno {}", &SECRET[..SECRET.len() - 1])), [Step::Close])], "400, cut", "rejected").bytes(15),
        row("redirect to a host named like the token", vec![to(&format!("https://{SECRET}.example"))], "Redirected { status: 307, to: Some(\"***.example\") }", "redirected"),
        row("404 with a detail", vec![answer(404, "", r#"{"detail":"Call not found"}"#)], "404", "rejected").bytes(27),
        row("404 without a body", vec![answer(404, "", "")], "404", "rejected"),
        row("422 with a list of details", vec![answer(422, "", r#"{"detail":[{"loc":["path","id"],"msg":"no uuid","type":"uuid_parsing"}]}"#)], "422", "rejected").bytes(72),
        row("400, truncated body", vec![then(send("HTTP/1.1 400 X\r\ncontent-length: 100\r\n\r\n{\"det"), [Step::Close])], "400, cut", "rejected").bytes(5),
        row("400 with a body of 100 KB", vec![answer(400, "", "x".repeat(100_000))], "400, cut", "rejected").more_than(64 << 10),
        row("408, then 200", vec![answer(408, "", ""), ok()], "200", "request_timeout, success").bytes(2),
        row("409 with x-should-retry: true", vec![answer(409, "x-should-retry: true\r\n", ""), ok()], "200", "rejected, success").bytes(2),
        row("500 twice, then 200", vec![answer(500, "", "x"), answer(500, "", "x"), ok()], "200", "server_error, server_error, success").bytes(2),
        row("501", vec![answer(501, "", "")], "501", "rejected"),
        row("502, then 200", vec![answer(502, "", "<html>"), ok()], "200", "server_error, success").bytes(2),
        row("only 503", vec![answer(503, "", "no")], "503", "server_error, server_error, server_error").bytes(2),
        Row { requests_before: 1, ..row("only 503, service worked before", vec![ok(), answer(503, "", "no")], "503", UNAVAILABLE).bytes(2).until_the_deadline() },
        row("504, then 200", vec![answer(504, "", ""), ok()], "200", "server_error, success").bytes(2),
        row("503, POST", vec![answer(503, "", "")], "503", "server_error").post().stop("not retried: the method is not idempotent and there is no idempotency key"),
        row("503 with x-should-retry: false", vec![answer(503, "x-should-retry: false\r\n", "")], "503", "server_error").stop("not retried: the service sent x-should-retry: false"),
        row("503, stall in the body", vec![then(send("HTTP/1.1 503 X\r\ncontent-length: 9\r\n\r\nbusy"), [Step::Stall])], "503, cut", "server_error, server_error, server_error")
            .bytes(4)
            .connections(3)
            .took(45_000),
        row("only 503, deadline of 0.6 s", vec![answer(503, "", "")], "503", "server_error, server_error")
            .setup(|b| b.deadline(Duration::from_millis(600)))
            .stop("not retried: the deadline leaves no time"),
        row("only 503, retry budget of 20", vec![answer(503, "", "")], "503", "server_error, server_error")
            .setup(|b| b.retry_budget(20))
            .stop("not retried: the retry budget of the client is exhausted"),
        row("only 503, 7 attempts", vec![answer(503, "", "")], "503", "server_error, server_error, server_error, server_error, server_error, server_error, server_error")
            .setup(|b| b.max_attempts(7))
            .waits(&[250, 500, 1000, 2000, 4000, 8000])
            .stop(SPENT),
        row("client's rate limit of one per second", vec![answer(503, "", "")], "503", "server_error, server_error, server_error")
            .setup(|b| b.rate_limit(std::num::NonZeroU32::MIN))
            .waits(&[250, 750, 500, 500]),
        row("unknown status", vec![answer(799, "", "")], "799", "rejected"),
    ]
}

fn retry_after() -> Vec<Row> {
    let ok = || answer(200, "", "{}");
    let too_many = |headers: &str| vec![answer(429, headers, ""), ok()];
    let honored = |fault, headers: &str, waits| {
        row(fault, too_many(headers), "200", "throttled, success")
            .bytes(2)
            .waits(waits)
    };
    let date = |offset: i64| {
        httpdate::fmt_http_date(
            std::time::UNIX_EPOCH + seconds(support::NOON.checked_add_signed(offset).unwrap()),
        )
    };
    let refused =
        |fault, headers: &str, stop| row(fault, too_many(headers), "429", "throttled").stop(stop);
    vec![
        honored("429 without Retry-After", "", &[250]),
        honored("429, Retry-After: 0", "retry-after: 0\r\n", &[125]),
        honored("429, Retry-After: 1", "retry-after: 1\r\n", &[1125]),
        honored("429, Retry-After: 1.5", "retry-after: 1.5\r\n", &[1625]),
        honored("429, Retry-After: -1", "retry-after: -1\r\n", &[250]),
        honored("429, Retry-After: soon", "retry-after: soon\r\n", &[250]),
        honored(
            "429, Retry-After: a date 2 s ahead",
            &format!("retry-after: {}\r\n", date(2)),
            &[2125],
        ),
        honored(
            "429, Retry-After: a date in the past",
            &format!("retry-after: {}\r\n", date(-60)),
            &[125],
        ),
        honored(
            "429, Retry-After: a date 2 s after the service's own clock, which is an hour ahead",
            &format!("date: {}\r\nretry-after: {}\r\n", date(3600), date(3602)),
            &[2125],
        ),
        honored(
            "429, two Retry-After: 1 and 3",
            "retry-after: 1\r\nretry-after: 3\r\n",
            &[3125],
        ),
        honored(
            "429, Retry-After: 9 and retry-after-ms: 40",
            "retry-after: 9\r\nretry-after-ms: 40\r\n",
            &[165],
        ),
        row(
            "503, Retry-After: 2",
            vec![answer(503, "retry-after: 2\r\n", ""), ok()],
            "200",
            "server_error, success",
        )
        .bytes(2)
        .waits(&[2125]),
        refused(
            "429, Retry-After: 3600",
            "retry-after: 3600\r\n",
            "not retried: the service asks to wait 3600 s and 45 s are left of the deadline",
        ),
        refused(
            "429, Retry-After: 45, as long as the deadline",
            "retry-after: 45\r\n",
            "not retried: the service asks to wait 45 s and 45 s are left of the deadline",
        ),
        refused(
            "429, Retry-After: beyond 64 bits",
            "retry-after: 99999999999999999999999\r\n",
            "not retried: the service asks to wait 18446744073709551.615 s and 45 s are left of the deadline",
        ),
        refused(
            "429, Retry-After: a date in 9999",
            "retry-after: Fri, 31 Dec 9999 23:59:59 GMT\r\n",
            "not retried: the service asks to wait 251608766399 s and 45 s are left of the deadline",
        ),
        row(
            "only 429",
            vec![answer(429, "", "")],
            "429",
            "throttled, throttled, throttled",
        ),
    ]
}

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
    let logs = Logs::default();
    log::set_boxed_logger(Box::new(logs.clone())).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let for_tracing = logs.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(move || for_tracing.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
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
            let (bytes_fit, bytes) = match row.bytes {
                Bytes::Exactly(bytes) => (received.bytes == bytes, bytes.to_string()),
                Bytes::MoreThan(bytes) => (received.bytes > bytes, format!("> {bytes}")),
            };
            let result = match row.bytes {
                Bytes::MoreThan(_) => received.result.replace(&received.bytes.to_string(), "…"),
                Bytes::Exactly(_) => received.result.clone(),
            };
            let mut differ = |what: &str,
                              received: &dyn std::fmt::Debug,
                              wanted: &dyn std::fmt::Debug| {
                let (received, wanted) = (format!("{received:?}"), format!("{wanted:?}"));
                if received != wanted {
                    let _ = writeln!(wrong, "{}: {what} is {received}, not {wanted}", row.fault);
                }
            };
            differ("the result", &result.as_str(), &row.result);
            differ(
                "the list of attempts",
                &received.attempts.as_str(),
                &row.attempts,
            );
            differ("the list of waits", &received.waits, &row.waits);
            differ("the time", &received.took, &row.took);
            differ(
                "the number of connections",
                &received.connections,
                &row.connections,
            );
            differ("the reason to stop", &received.stop.as_str(), &row.stop);
            if !bytes_fit {
                let _ = writeln!(
                    wrong,
                    "{}: {} bytes were read, not {bytes}",
                    row.fault, received.bytes
                );
            }
            print_row(&mut page, &row, &bytes);
        }
    }
    page.push_str(TABLE_OF_OUTCOMES);
    for outcome in Outcome::ALL {
        let retryability = match (outcome.was_not_sent(), outcome.is_retried()) {
            (true, _) => "yes",
            (false, true) => "if safe to repeat",
            (false, false) => "no",
        };
        let _ = writeln!(
            page,
            "| {outcome} | {retryability} | {} |",
            outcome.reason()
        );
    }
    drop(std::panic::take_hook());
    assert!(wrong.is_empty(), "\n{wrong}");
    assert_eq!(*panics.lock().unwrap(), "");

    let logs = String::from_utf8_lossy(&logs.0.lock().unwrap()).into_owned();
    for (place, text) in [("a log", &logs), ("an error or response", &shown)] {
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

    // The packaged crate does not contain the page.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    let path = std::path::Path::new(&package).join("../../docs/faults.md");
    if !path.with_file_name("").exists() {
        return;
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let end = written.find(BODIES).unwrap_or(written.len());
    let (ours, rest) = written.split_at(end);
    if std::env::var_os("UPDATE_FAULTS").is_some() {
        std::fs::write(path, format!("{page}{rest}")).unwrap();
        return;
    }
    assert!(
        ours == page,
        "docs/faults.md is stale; run UPDATE_FAULTS=1 cargo test --workspace --test faults"
    );
}

/// The start of the part that the root's test writes.
const BODIES: &str = "\n## Response bodies\n";

const PREFACE: &str = "\
# Handling of faults
<!-- Written by crates/call-api-transport/tests/faults.rs and, from \"Response bodies\" on, by tests/faults.rs, which check
every figure; the last table by tests/nginx.rs. -->

Each row is a test over a socket, with the default settings of the transport (3 attempts, more if a service that worked
before restarts; 15 s per attempt; 45 s per request; bodies up to 1 MiB) and a test clock. Jitter is at its maximum here;
normally a delay is a random part of the value shown. A `Retry-After` is always honored in full.

A number as the result is the status of a response; a name is a `TransportErrorKind`. The last tables show how the client
decodes response bodies.
";

const TABLE_OF_OUTCOMES: &str = "
## Retries
A request is safe to repeat if its method is idempotent (GET, HEAD, OPTIONS, TRACE, PUT, DELETE) or it has an
`Idempotency-Key`.

| outcome of an attempt | retried | reason |
|---|---|---|
";

const HEADER: &str = "
| fault | result | attempts | waits (ms) | elapsed (ms) | body bytes | connections | reason for no further attempt |
|---|---|---|---|---|---|---|---|
";

fn print_row(page: &mut String, row: &Row, bytes: &str) {
    let waits: Vec<_> = row.waits.iter().map(u64::to_string).collect();
    let waits = if waits.is_empty() {
        "none".to_owned()
    } else {
        waits.join(", ")
    };
    let attempts = if row.attempts.is_empty() {
        "none"
    } else {
        row.attempts
    };
    let _ = writeln!(
        page,
        "| {} | `{}` | {attempts} | {waits} | {} | {bytes} | {} | {} |",
        row.fault, row.result, row.took, row.connections, row.stop
    );
}
