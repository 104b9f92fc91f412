//! Faults of connections and heads.

use super::*;

pub(super) fn connections() -> Vec<Row> {
    [refused_or_reset(), closed(), slow(), unusual_heads()]
        .into_iter()
        .flatten()
        .collect()
}

fn refused_or_reset() -> Vec<Row> {
    let ok = || answer(200, "", "{}");
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
    ]
}

fn closed() -> Vec<Row> {
    let ok = || answer(200, "", "{}");
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n";
    vec![
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
    ]
}

fn slow() -> Vec<Row> {
    vec![
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
    ]
}

fn unusual_heads() -> Vec<Row> {
    let ok = || answer(200, "", "{}");
    vec![
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
