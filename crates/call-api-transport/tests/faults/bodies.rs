//! Faults of bodies.

use super::*;

pub(super) fn bodies() -> Vec<Row> {
    [truncated(), at_the_limit(), compressed(), unusual_bodies()]
        .into_iter()
        .flatten()
        .collect()
}

fn truncated() -> Vec<Row> {
    let chunked = format!("{OK}transfer-encoding: chunked\r\n\r\n");
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
    ]
}

fn at_the_limit() -> Vec<Row> {
    let chunked = format!("{OK}transfer-encoding: chunked\r\n\r\n");
    let big = 1 << 20;
    vec![
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
    ]
}

fn compressed() -> Vec<Row> {
    let encoded =
        |coding: &str, body: Vec<u8>| answer(200, &format!("content-encoding: {coding}\r\n"), body);
    let mut cut = gzip(&[b'x'; 1000]);
    cut.truncate(cut.len() - 12);
    vec![
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
    ]
}

fn unusual_bodies() -> Vec<Row> {
    vec![
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
