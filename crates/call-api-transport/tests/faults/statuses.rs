//! Statuses, and the delays that a service asks for.

use super::*;

pub(super) fn statuses() -> Vec<Row> {
    [redirects(), credentials(), other_statuses()]
        .into_iter()
        .flatten()
        .collect()
}

fn redirects() -> Vec<Row> {
    let to = |location: &str| answer(307, &format!("location: {location}\r\n"), "");
    vec![
        row(
            "redirect to the same host",
            vec![to("/elsewhere?q=1")],
            "Redirected { status: 307, to: Some(\"127.0.0.1:PORT\") }",
            "redirected",
        ),
        row(
            "redirect to another host",
            vec![to("https://other.example/v1")],
            "Redirected { status: 307, to: Some(\"other.example\") }",
            "redirected",
        ),
        row(
            "redirect without a location",
            vec![answer(302, "", "")],
            "Redirected { status: 302, to: None }",
            "redirected",
        ),
        row(
            "redirect to an invalid location",
            vec![to("http://[")],
            "Redirected { status: 307, to: None }",
            "redirected",
        ),
    ]
}

fn credentials() -> Vec<Row> {
    let ok = || answer(200, "", "{}");
    let to = |location: &str| answer(307, &format!("location: {location}\r\n"), "");
    vec![
        row(
            "401 with HTML",
            vec![answer(
                401,
                "content-type: text/html\r\n",
                "<html>no</html>",
            )],
            "401",
            "unauthorized",
        )
        .bytes(15),
        row(
            "401, then 200 with a new token",
            vec![answer(401, "", ""), ok()],
            "200",
            "unauthorized, success",
        )
        .new_tokens()
        .waits(&[])
        .bytes(2),
        row(
            "401, also with a new token",
            vec![answer(401, "", "")],
            "401",
            "unauthorized, unauthorized",
        )
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
        row(
            "401, no other token from the provider",
            vec![answer(401, "", "")],
            "401",
            "unauthorized",
        )
        .setup(|b| b.token_provider(|| async { Ok::<_, BoxError>(Token::new(SECRET)?) })),
        row(
            "503, then no token from the provider",
            vec![answer(503, "", "")],
            "TokenUnavailable",
            "server_error",
        )
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
        row(
            "503, no time left by the client's rate limit",
            vec![answer(503, "", "")],
            "TimedOut { phase: RateLimit, limit: Deadline, after: 1s }",
            "server_error",
        )
        .setup(|b| b.rate_limit(std::num::NonZeroU32::MIN).deadline(seconds(1)))
        .waits(&[250])
        .stop("not retried: the deadline leaves no time"),
        row(
            "no token from the provider",
            vec![ok()],
            "TokenUnavailable",
            "",
        )
        .setup(|b| {
            b.token_provider(|| async { Err::<Token, _>(BoxError::from("the vault is sealed")) })
        })
        .connections(0),
        Row {
            setup: Box::new(|builder, clock| {
                let clock = clock.clone();
                builder.token_provider(move || {
                    clock.end_limit();
                    std::future::pending::<Result<Token, BoxError>>()
                })
            }),
            ..row(
                "provider never responds",
                vec![ok()],
                "TimedOut { phase: Token, limit: Deadline, after: 45s }",
                "",
            )
            .connections(0)
            .took(45_000)
        },
        row(
            "401 that repeats the token in its detail, a header and the request id",
            vec![answer(
                401,
                &format!("x-request-id: {SECRET}\r\nx-sent: Bearer {SECRET}\r\n"),
                format!("{{\"detail\":\"{SECRET} is unknown\"}}"),
            )],
            "401 (request id ***)",
            "unauthorized",
        )
        .bytes(37),
        row(
            "400, body truncated within the token",
            vec![then(
                send(format!(
                    "HTTP/1.1 400 X\r\ncontent-length: 100\r\n\r\nno {}",
                    &SECRET[..SECRET.len() - 1]
                )),
                [Step::Close],
            )],
            "400, cut",
            "rejected",
        )
        .bytes(15),
        row(
            "redirect to a host named like the token",
            vec![to(&format!("https://{SECRET}.example"))],
            "Redirected { status: 307, to: Some(\"***.example\") }",
            "redirected",
        ),
    ]
}

fn other_statuses() -> Vec<Row> {
    let ok = || answer(200, "", "{}");
    vec![
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

pub(super) fn retry_after() -> Vec<Row> {
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
