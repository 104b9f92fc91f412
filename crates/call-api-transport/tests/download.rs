//! Downloads: resumption, verification, redirects and credentials, fault by fault, on a test clock.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]

#[path = "support/client.rs"]
mod client;
#[path = "support/folder.rs"]
mod folder;
mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use call_api_transport::{
    Auth, BoxError, DelayReason, DownloadError, Downloaded, Operation, Outcome, Progress,
    StopReason, Token, Transport, TransportError, TransportErrorKind,
};
use folder::{Folder, V1};
use http::{HeaderName, HeaderValue};
use support::{RECORDING, SECRET, Server, Step, TestClock, all_text, answer, builder, send};

fn transport(server: &Server, clock: &TestClock) -> Transport {
    builder(&server.url(), clock).build().unwrap()
}

/// Returns the URL of the content on this server.
fn url(server: &Server) -> String {
    format!("{}/recordings/1?signature={SECRET}", server.url())
}

fn error(result: Result<Downloaded, DownloadError>) -> TransportError {
    match result {
        Err(DownloadError::Failed(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn head(status: &str, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}\r\n").into_bytes()
}

/// A response whose body ends early, followed by `then`.
fn partial_response(headers: &str, length: usize, bytes: &[u8], then: Step) -> Vec<Step> {
    let mut response = head("200 OK", &format!("{headers}content-length: {length}\r\n"));
    response.extend_from_slice(bytes);
    vec![Step::Send(response), then]
}

/// A response without a content length.
fn chunked(headers: &str, bytes: &[u8]) -> Vec<u8> {
    let mut response = head(
        "200 OK",
        &format!("{headers}transfer-encoding: chunked\r\n"),
    );
    response.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
    response.extend_from_slice(bytes);
    response.extend_from_slice(b"\r\n0\r\n\r\n");
    response
}

/// A 206 with a part of the content.
fn partial_content(headers: &str, first: usize, total: usize, bytes: &[u8]) -> Vec<Step> {
    let last = first + bytes.len() - 1;
    let range = format!("content-range: bytes {first}-{last}/{total}\r\n{headers}");
    answer(206, &range, bytes)
}

const CONTENT: &[u8] = b"0123456789";

#[tokio::test]
async fn complete_download_is_renamed_to_the_target() {
    let (clock, folder) = (TestClock::default(), Folder::new("whole"));
    let headers = format!("{V1}content-type: audio/mpeg\r\n");
    let server = Server::start(&clock, vec![answer(200, &headers, CONTENT)]).await;
    let transport = transport(&server, &clock);
    let mut reported = Vec::new();
    let downloaded = transport
        .download(&RECORDING, &url(&server))
        .unwrap()
        .on_progress(|progress| reported.push(progress))
        .to_file(folder.part(), "a", |content_type| {
            // Also runs before the request, to check that the target can be written.
            assert!(matches!(content_type, None | Some("audio/mpeg")));
            folder.target()
        })
        .await
        .unwrap();
    folder.assert_complete(CONTENT);
    assert_eq!((downloaded.bytes, downloaded.resumed_from), (10, 0));
    assert_eq!(downloaded.content_type.as_deref(), Some("audio/mpeg"));
    assert_eq!(downloaded.path, Some(folder.target()));
    assert_eq!(downloaded.attempt_log.attempts().len(), 1);
    assert_eq!(*downloaded.attempt_log.stop_reason(), StopReason::Success);
    assert!(!downloaded.digest_checked);
    let bytes = |Progress { bytes, total, .. }: &Progress| (*bytes, *total);
    assert_eq!(reported.first().map(bytes), Some((0, Some(10))));
    assert_eq!(reported.last().map(bytes), Some((10, Some(10))));
    let request = server.requests().remove(0).to_ascii_lowercase();
    assert!(
        request.contains("\r\naccept-encoding: identity\r\n"),
        "{request}"
    );
    assert!(!request.contains("\r\nrange: ") && !request.contains("\r\nreferer: "));
}

/// Interruptions of a body, and the milliseconds until the request for the rest.
fn interruptions() -> Vec<(&'static str, Step, u64)> {
    vec![
        ("reset", Step::Reset, 250),
        ("truncated", Step::Close, 250),
        ("stall", Step::Stall, 30_250),
    ]
}

#[tokio::test]
async fn interrupted_download_is_resumed() {
    for (name, step, passed) in interruptions() {
        let (clock, folder) = (TestClock::default(), Folder::new(name));
        let scripts = vec![
            partial_response(V1, 10, b"0123", step),
            // A service may respond with less than was requested.
            partial_content(V1, 4, 10, b"456"),
            partial_content(V1, 7, 10, b"789"),
        ];
        let server = Server::start(&clock, scripts).await;
        let transport = transport(&server, &clock);
        let downloaded = folder
            .save(transport.download(&RECORDING, &url(&server)).unwrap())
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        folder.assert_complete(CONTENT);
        let waits = [250, 250].map(Duration::from_millis);
        assert_eq!(clock.waits(), waits, "{name}");
        assert_eq!(
            clock.passed(),
            Duration::from_millis(passed + 250),
            "{name}"
        );
        assert_eq!(downloaded.attempt_log.attempts().len(), 3);
        let requests = server.requests();
        assert!(!requests[0].contains("range"));
        for (request, range) in requests[1..].iter().zip(["bytes=4-", "bytes=7-"]) {
            assert!(
                request.contains(&format!("\r\nrange: {range}\r\n")),
                "{request}"
            );
            assert!(request.contains("\r\nif-range: \"v1\"\r\n"), "{request}");
        }
    }
}

#[tokio::test]
async fn later_run_resumes_an_earlier_one() {
    let (clock, folder) = (TestClock::default(), Folder::new("later"));
    let headers = format!("{V1}content-type: audio/mpeg\r\n");
    let scripts = vec![
        partial_response(&headers, 10, b"0123", Step::Reset),
        partial_content(V1, 4, 10, b"456789"),
    ];
    let server = Server::start(&clock, scripts).await;
    let once = builder(&server.url(), &clock)
        .max_attempts(1)
        .build()
        .unwrap();
    let failed = error(
        folder
            .save(once.download(&RECORDING, &url(&server)).unwrap())
            .await,
    );
    assert!(matches!(
        failed.kind(),
        TransportErrorKind::Interrupted { received: 4, .. }
    ));
    assert!(failed.is_retryable());
    assert_eq!(folder.names(), ["a.part", "a.part-state"]);

    let downloaded = folder
        .save(once.download(&RECORDING, &url(&server)).unwrap())
        .await
        .unwrap();
    folder.assert_complete(CONTENT);
    assert_eq!((downloaded.bytes, downloaded.resumed_from), (10, 4));
    assert_eq!(downloaded.content_type.as_deref(), Some("audio/mpeg"));
    assert!(server.requests()[1].contains("\r\nrange: bytes=4-\r\n"));
}

#[tokio::test]
async fn part_of_other_content_is_not_resumed() {
    let write_part = |folder: &Folder, bytes: &[u8], state: &str| {
        fs::write(folder.part(), bytes).unwrap();
        fs::write(folder.join("a.part-state"), state).unwrap();
    };
    let header = "partial download, form 1\n";
    for (name, bytes, state) in [
        (
            "another identity",
            &b"xxxx"[..],
            "of b\nvalidator \"v1\"\nsynced 4\n",
        ),
        ("no validator", b"xxxx", "of a\nsynced 4\n"),
        ("nothing synced", b"xxxx", "of a\nvalidator \"v1\"\n"),
        (
            "truncated line",
            b"xxxx",
            "of a\nvalidator \"v1\"\nsynced 4",
        ),
        (
            "state of a later version",
            b"xxxx",
            "of a\nvalidator \"v1\"\nnew 1\nsynced 4\n",
        ),
        (
            "fewer bytes on the disk",
            b"xx",
            "of a\nvalidator \"v1\"\nsynced 4\n",
        ),
        (
            "complete content",
            b"xxxx",
            "of a\nvalidator \"v1\"\ntotal 4\nsynced 4\n",
        ),
    ] {
        let (clock, folder) = (TestClock::default(), Folder::new("another"));
        write_part(&folder, bytes, &format!("{header}{state}"));
        let server = Server::start(&clock, vec![answer(200, V1, CONTENT)]).await;
        let transport = transport(&server, &clock);
        let downloaded = folder
            .save(transport.download(&RECORDING, &url(&server)).unwrap())
            .await
            .unwrap();
        folder.assert_complete(CONTENT);
        assert_eq!(downloaded.resumed_from, 0, "{name}");
        assert!(!server.requests()[0].contains("range"), "{name}");
    }
    // Bytes after the last synced one are discarded.
    let (clock, folder) = (TestClock::default(), Folder::new("another"));
    let state = format!("{header}of a\nvalidator \"v1\"\nsynced 2\nsynced 4\nsync");
    write_part(&folder, b"0123xxxx", &state);
    let server = Server::start(&clock, vec![partial_content(V1, 4, 10, b"456789")]).await;
    let transport = transport(&server, &clock);
    folder
        .save(transport.download(&RECORDING, &url(&server)).unwrap())
        .await
        .unwrap();
    folder.assert_complete(CONTENT);
}

#[tokio::test]
async fn wrong_range_restarts_the_download() {
    let v2 = "etag: \"v2\"\r\n";
    for (name, second) in [
        ("another start", partial_content(V1, 3, 10, b"3456789")),
        (
            "another total length",
            partial_content(V1, 4, 11, b"456789x"),
        ),
        ("another version", partial_content(v2, 4, 10, b"456789")),
        ("no range", answer(206, V1, b"456789")),
        (
            "unknown total length",
            answer(
                206,
                "content-range: bytes 4-9/*\r\netag: \"v2\"\r\n",
                b"456789",
            ),
        ),
        (
            "compressed",
            partial_content(&format!("{V1}content-encoding: gzip\r\n"), 4, 10, b"456789"),
        ),
        ("416", answer(416, "content-range: bytes */10\r\n", b"")),
    ] {
        let (clock, folder) = (TestClock::default(), Folder::new("wrong"));
        let scripts = vec![
            partial_response(V1, 10, b"0123", Step::Close),
            second,
            answer(200, v2, b"9876543210"),
        ];
        let server = Server::start(&clock, scripts).await;
        let transport = transport(&server, &clock);
        let downloaded = folder
            .save(transport.download(&RECORDING, &url(&server)).unwrap())
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        folder.assert_complete(b"9876543210");
        let outcomes: Vec<_> = downloaded
            .attempt_log
            .attempts()
            .iter()
            .map(|attempt| attempt.outcome)
            .collect();
        let expected = [Outcome::Truncated, Outcome::Malformed, Outcome::Success];
        assert_eq!(outcomes, expected, "{name}");
        assert!(!server.requests()[2].contains("range"), "{name}");
        assert_eq!(clock.waits(), [Duration::from_millis(250)], "{name}");
    }
}

#[tokio::test]
async fn part_longer_than_its_range_is_rejected() {
    let clock = TestClock::default();
    let range = format!("content-range: bytes 4-6/10\r\n{V1}");
    let scripts = vec![
        partial_response(V1, 10, b"0123", Step::Close),
        answer(206, &range, b"456789"),
    ];
    let server = Server::start(&clock, scripts).await;
    let transport = transport(&server, &clock);
    let download = transport.download(&RECORDING, &url(&server)).unwrap();
    let failed = error(download.to_writer(&mut Vec::new()).await);
    assert!(
        failed.to_string().contains("it is another part"),
        "{failed}"
    );
}

#[tokio::test]
async fn complete_response_to_a_range_request_is_accepted() {
    for (name, headers, body) in [
        ("same version", V1, CONTENT),
        ("another version", "etag: \"v2\"\r\n", b"9876543210"),
        ("unknown version", "", b"9876543210"),
        ("same version, shorter", V1, b"01"),
    ] {
        let (clock, folder) = (TestClock::default(), Folder::new("instead"));
        let scripts = vec![
            partial_response(V1, 10, b"0123", Step::Close),
            answer(200, headers, body),
        ];
        let server = Server::start(&clock, scripts).await;
        let transport = transport(&server, &clock);
        folder
            .save(transport.download(&RECORDING, &url(&server)).unwrap())
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        folder.assert_complete(body);
    }
}

/// Without a content length, the same version must have the announced length, and at least the length of the part.
#[tokio::test]
async fn length_of_the_same_version_is_enforced() {
    let mut first_chunk = chunked(V1, b"0123");
    first_chunk.truncate(first_chunk.len() - b"0\r\n\r\n".len());
    let first_chunk = vec![Step::Send(first_chunk), Step::Close];
    let known = || partial_response(V1, 10, b"0123", Step::Close);
    for (name, first, second, third, attempts) in [
        (
            "same length",
            known(),
            chunked(V1, CONTENT),
            vec![],
            Some(2),
        ),
        (
            "shorter",
            known(),
            chunked(V1, b"01234"),
            partial_content(V1, 5, 10, b"56789"),
            Some(3),
        ),
        ("longer", known(), chunked(V1, b"0123456789x"), vec![], None),
        (
            "shorter than the part",
            first_chunk,
            chunked(V1, b"01"),
            partial_content(V1, 4, 10, b"456789"),
            Some(3),
        ),
    ] {
        let (clock, folder) = (TestClock::default(), Folder::new("length"));
        let server = Server::start(&clock, vec![first, send(second), third]).await;
        let transport = transport(&server, &clock);
        let result = folder
            .save(transport.download(&RECORDING, &url(&server)).unwrap())
            .await;
        if let Some(attempts) = attempts {
            let downloaded = result.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert_eq!(downloaded.attempt_log.attempts().len(), attempts, "{name}");
            folder.assert_complete(CONTENT);
        } else {
            let failed = error(result);
            assert!(
                failed.to_string().contains("it is another part"),
                "{failed}"
            );
            assert_eq!(failed.attempt_log().attempts().len(), 2);
        }
    }
}

#[tokio::test]
async fn download_without_strong_validator_is_restarted() {
    for headers in ["", "etag: W/\"v1\"\r\n"] {
        let (clock, folder) = (TestClock::default(), Folder::new("anew"));
        let scripts = vec![
            partial_response(headers, 10, b"0123", Step::Reset),
            answer(200, headers, CONTENT),
        ];
        let server = Server::start(&clock, scripts).await;
        let transport = transport(&server, &clock);
        folder
            .save(transport.download(&RECORDING, &url(&server)).unwrap())
            .await
            .unwrap();
        folder.assert_complete(CONTENT);
        assert!(!server.requests()[1].contains("range"));
    }
}

const SHA256: &str = "hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=";
const MD5: &str = "eB5eJF1ptWaXm4bijSPyxw==";

#[tokio::test]
async fn unsound_content_is_rejected_and_removed() {
    let gzip = format!("{V1}content-encoding: gzip\r\n");
    for (name, script, reason) in [
        (
            "compressed",
            answer(200, &gzip, CONTENT),
            "it is compressed",
        ),
        (
            "no content length",
            vec![
                Step::Send([&head("200 OK", V1)[..], CONTENT].concat()),
                Step::Close,
            ],
            "nothing marks its end",
        ),
        (
            "no content length in HTTP/1.0",
            vec![
                Step::Send([b"HTTP/1.0 200 OK\r\n\r\n", CONTENT].concat()),
                Step::Close,
            ],
            "nothing marks its end",
        ),
        (
            "wrong digest",
            answer(
                200,
                &format!("repr-digest: sha-256=:{SHA256}:\r\n"),
                b"0123456780",
            ),
            "its digest is not",
        ),
        (
            "wrong MD5",
            answer(200, &format!("content-md5: {MD5}\r\n"), b"0123456780"),
            "its digest is not",
        ),
        (
            "206 without a range request",
            partial_content(V1, 4, 10, b"456789"),
            "it is another part",
        ),
        (
            "complete 206 without a range request",
            partial_content(V1, 0, 10, CONTENT),
            "it is another part",
        ),
    ] {
        let (clock, folder) = (TestClock::default(), Folder::new("unsound"));
        let server = Server::start(&clock, vec![script]).await;
        let transport = transport(&server, &clock);
        let failed = error(
            folder
                .save(transport.download(&RECORDING, &url(&server)).unwrap())
                .await,
        );
        let TransportErrorKind::IntegrityMismatch { reason: actual } = failed.kind() else {
            panic!("{name}: {failed:?}")
        };
        assert!(actual.starts_with(reason), "{name}: {actual}");
        assert_eq!(folder.names(), [""; 0], "{name}: the part is removed");
        assert!(!failed.is_retryable());
        assert!(!all_text(&failed).contains(SECRET), "{name}");
        assert_eq!(server.requests().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn digest_is_verified_and_marks_the_end() {
    for (name, headers) in [
        ("sha-256", format!("repr-digest: sha-256=:{SHA256}:\r\n")),
        ("md5", format!("content-md5: {MD5}\r\n")),
    ] {
        let (clock, folder) = (TestClock::default(), Folder::new("digest"));
        let bytes = [&head("200 OK", &headers)[..], CONTENT].concat();
        let server = Server::start(&clock, vec![vec![Step::Send(bytes), Step::Close]]).await;
        let transport = transport(&server, &clock);
        let downloaded = folder
            .save(transport.download(&RECORDING, &url(&server)).unwrap())
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        folder.assert_complete(CONTENT);
        assert!(downloaded.digest_checked, "{name}");

        let mut bytes = Vec::new();
        let downloaded = transport
            .download(&RECORDING, &url(&server))
            .unwrap()
            .to_writer(&mut bytes)
            .await
            .unwrap();
        assert!(bytes == CONTENT && downloaded.digest_checked, "{name}");
    }
    // The digest covers the bytes of earlier runs.
    let (clock, folder) = (TestClock::default(), Folder::new("digest"));
    let headers = format!("{V1}digest: sha-256={SHA256}\r\n");
    let scripts = vec![
        partial_response(&headers, 10, b"0123", Step::Close),
        partial_content(V1, 4, 10, b"45678x"),
    ];
    let server = Server::start(&clock, scripts).await;
    let once = builder(&server.url(), &clock)
        .max_attempts(1)
        .build()
        .unwrap();
    let run = || folder.save(once.download(&RECORDING, &url(&server)).unwrap());
    assert!(matches!(
        error(run().await).kind(),
        TransportErrorKind::Interrupted { .. }
    ));
    assert!(matches!(
        error(run().await).kind(),
        TransportErrorKind::IntegrityMismatch { .. }
    ));
    assert_eq!(folder.names(), [""; 0], "corrupt content is not resumed");
}

#[tokio::test]
async fn writer_receives_each_byte_once() {
    let v2 = "etag: \"v2\"\r\n";
    for (name, second, third, expected) in [
        (
            "rest",
            partial_content(V1, 4, 10, b"456789"),
            vec![],
            Ok(()),
        ),
        ("whole", answer(200, V1, CONTENT), vec![], Ok(())),
        (
            "wrong range",
            partial_content(V1, 5, 10, b"56789"),
            answer(200, V1, CONTENT),
            Ok(()),
        ),
        (
            "another version",
            answer(200, v2, b"9876543210"),
            vec![],
            Err("it changed while it was downloaded"),
        ),
    ] {
        let clock = TestClock::default();
        let scripts = vec![
            partial_response(V1, 10, b"0123", Step::Reset),
            second,
            third,
        ];
        let server = Server::start(&clock, scripts).await;
        let transport = transport(&server, &clock);
        let mut bytes = Vec::new();
        let result = transport
            .download(&RECORDING, &url(&server))
            .unwrap()
            .to_writer(&mut bytes)
            .await;
        match expected {
            Ok(()) => {
                let downloaded = result.unwrap_or_else(|error| panic!("{name}: {error:?}"));
                assert!(bytes == CONTENT && downloaded.bytes == 10, "{name}");
            }
            Err(reason) => {
                let failed = error(result);
                assert!(failed.to_string().contains(reason), "{name}: {failed}");
                assert_eq!(bytes, b"0123");
            }
        }
    }
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![partial_response("", 10, b"0123", Step::Close)]).await;
    let transport = transport(&server, &clock);
    let mut bytes = Vec::new();
    let download = transport.download(&RECORDING, &url(&server)).unwrap();
    let failed = error(download.to_writer(&mut bytes).await);
    assert_eq!(
        *failed.attempt_log().stop_reason(),
        StopReason::NotResumable
    );
    assert_eq!(failed.attempt_log().attempts().len(), 1);
}

#[tokio::test]
async fn content_that_is_not_ready_is_polled() {
    let (clock, folder) = (TestClock::default(), Folder::new("ready"));
    let scripts = vec![
        answer(404, "retry-after: 0\r\n", ""),
        answer(202, "retry-after: 2\r\n", ""),
        answer(425, "retry-after: 9\r\n", ""),
        answer(503, "", ""),
        answer(404, "", ""),
        answer(200, V1, CONTENT),
    ];
    let server = Server::start(&clock, scripts).await;
    let transport = transport(&server, &clock);
    let download = transport
        .download(&RECORDING, &url(&server))
        .unwrap()
        .not_ready_timeout(Duration::from_secs(60));
    let downloaded = folder.save(download).await.unwrap();
    folder.assert_complete(CONTENT);
    let attempts = downloaded.attempt_log.attempts().iter();
    let reasons: Vec<_> = attempts
        .filter_map(|attempt| Some(attempt.retry_delay?.reason))
        .collect();
    let expected = [
        DelayReason::NotReady,
        DelayReason::NotReady,
        DelayReason::RetryAfter,
        DelayReason::Backoff,
        DelayReason::NotReady,
    ];
    assert_eq!(reasons, expected);
    // The 503 does not count as not ready: it is retried with the usual backoff.
    let waits = [1_000, 2_000, 9_000, 250, 8_000].map(Duration::from_millis);
    assert_eq!(clock.waits(), waits);

    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(404, "", "gone")]).await;
    let transport = support::builder(&server.url(), &clock).build().unwrap();
    for (not_ready_timeout, waited, stop) in [
        (0, 0, StopReason::NotRetryable),
        (61, 1 + 2 + 4 + 8 + 16 + 30, StopReason::NotReady),
    ] {
        let download = transport
            .download(&RECORDING, &url(&server))
            .unwrap()
            .not_ready_timeout(Duration::from_secs(not_ready_timeout));
        let Err(DownloadError::Refused(refused)) = folder.save(download).await else {
            panic!("the content is never ready")
        };
        assert_eq!(refused.status, 404);
        assert_eq!(refused.body.bytes, "gone");
        assert_eq!(*refused.attempt_log.stop_reason(), stop);
        assert_eq!(clock.passed(), Duration::from_secs(waited));
    }
}

#[tokio::test]
async fn token_is_sent_only_to_the_api_origin() {
    let clock = TestClock::default();
    let storage = Server::start(&clock, vec![answer(200, V1, CONTENT)]).await;
    let to_storage = format!("location: {}/signed?key=1\r\n", storage.url());
    let api = Server::start(&clock, vec![answer(302, &to_storage, "")]).await;
    let transport = builder(&api.url(), &clock)
        .header(
            HeaderName::from_static("x-secret"),
            HeaderValue::from_static(SECRET),
        )
        .user_agent("me/1")
        .build()
        .unwrap();
    let download = |url: String| {
        let transport = transport.clone();
        async move {
            let mut bytes = Vec::new();
            let download = transport.download(&RECORDING, &url).unwrap();
            let downloaded = download.to_writer(&mut bytes).await;
            downloaded.map(|downloaded| (bytes, downloaded.attempt_log.to_curl()))
        }
    };
    assert_eq!(download(url(&api)).await.unwrap().0, CONTENT);
    let request = api.requests().remove(0);
    assert!(request.contains(&format!("authorization: Bearer {SECRET}")));
    assert!(request.contains(&format!("x-secret: {SECRET}")));

    // The API names another host without a redirect.
    let foreign = format!("{}/x", storage.url());
    let (bytes, command) = download(foreign.clone()).await.unwrap();
    assert_eq!(bytes, CONTENT);
    assert_eq!(command, format!("curl '{foreign}'"));
    for request in storage.requests() {
        assert!(!request.contains(SECRET), "{request}");
        assert!(
            !request.to_ascii_lowercase().contains("\r\nreferer: "),
            "{request}"
        );
        assert!(request.contains("\r\nuser-agent: me/1\r\n"), "{request}");
    }
    assert!(storage.requests()[0].starts_with("GET /signed?key=1 "));

    // A redirect from another host back to the API is followed without credentials.
    let back = format!("location: {}/deleted\r\n", api.url());
    let storage = Server::start(&clock, vec![answer(307, &back, "")]).await;
    let before = api.requests().len();
    let _ = download(format!("{}/x", storage.url())).await;
    for request in &api.requests()[before..] {
        assert!(!request.contains(SECRET), "{request}");
    }
    assert!(api.requests().len() > before);
}

#[tokio::test]
async fn token_provider_is_not_used_if_no_token_is_sent() {
    const OPEN: Operation = Operation {
        auth: Auth::None,
        ..RECORDING
    };
    let clock = TestClock::default();
    let api = Server::start(&clock, vec![]).await;
    let storage = Server::start(&clock, vec![answer(200, V1, CONTENT)]).await;
    let transport = builder(&api.url(), &clock)
        .token_provider(|| async { Err::<Token, BoxError>("not needed".into()) })
        .build()
        .unwrap();
    let mut bytes = Vec::new();
    let download = transport.download(&RECORDING, &url(&storage)).unwrap();
    download.to_writer(&mut bytes).await.unwrap();
    assert_eq!(bytes, CONTENT);

    let api = Server::start(&clock, vec![answer(200, V1, CONTENT)]).await;
    let transport = builder(&api.url(), &clock)
        .token_provider(|| async { Err::<Token, BoxError>("not needed".into()) })
        .build()
        .unwrap();
    let download = transport.download(&OPEN, &url(&api)).unwrap();
    download.to_writer(&mut Vec::new()).await.unwrap();
    assert!(!api.requests()[0].contains("authorization"));
}

#[tokio::test]
async fn token_repeated_by_the_service_is_redacted() {
    let clock = TestClock::default();
    let names_it = format!("x-request-id: for-{SECRET}\r\n");
    let body = format!("the token {SECRET} is revoked");
    let server = Server::start(&clock, vec![answer(403, &names_it, &body)]).await;
    let transport = transport(&server, &clock);
    let url = format!("{}/recordings/1", server.url());
    let result = transport
        .download(&RECORDING, &url)
        .unwrap()
        .to_writer(&mut Vec::new())
        .await;
    let error = result.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{url} was answered with 403, which is no content; check that it still exists")
    );
    let DownloadError::Refused(refused) = error else {
        panic!("{error:?}")
    };
    assert_eq!(refused.body.bytes, "the token *** is revoked");
    assert_eq!(refused.attempt_log.request_id(), Some("for-***"));
    assert!(!format!("{refused:?} {:?}", refused.headers).contains(SECRET));
}

#[tokio::test]
async fn redirects_are_limited() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(302, "location: /again?key=1\r\n", "")]).await;
    let transport = transport(&server, &clock);
    let download = transport.download(&RECORDING, &url(&server)).unwrap();
    let failed = error(download.to_writer(&mut Vec::new()).await);
    assert!(matches!(
        failed.kind(),
        TransportErrorKind::Redirected { to: Some(_), .. }
    ));
    assert_eq!(server.requests().len(), 6);
    assert!(!all_text(&failed).contains("key=1"));

    for (location, host) in [
        ("http://192.0.2.1/x?key=1", Some("192.0.2.1")),
        ("ftp://127.0.0.1/", Some("127.0.0.1")),
        ("http://u:p@127.0.0.1:81/", Some("127.0.0.1:81")),
        ("mailto:someone@example.com", None),
    ] {
        let script = answer(302, &format!("location: {location}\r\n"), "");
        let server = Server::start(&clock, vec![script]).await;
        let download = transport.download(&RECORDING, &url(&server)).unwrap();
        let failed = error(download.to_writer(&mut Vec::new()).await);
        let TransportErrorKind::Redirected { to, .. } = failed.kind() else {
            panic!("{location}: {failed}")
        };
        assert_eq!(to.as_deref(), host, "{location}");
        assert_eq!(server.requests().len(), 1);
        assert!(!all_text(&failed).contains("key=1"));
    }
}

/// The client may have sent credentials of the API to the other host.
#[tokio::test]
async fn redirect_followed_by_a_given_client_is_an_error() {
    let clock = TestClock::default();
    let storage = Server::start(&clock, vec![answer(200, V1, CONTENT)]).await;
    let location = format!("location: {}/signed?key=1\r\n", storage.url());
    let api = Server::start(&clock, vec![answer(302, &location, "")]).await;
    let transport = builder(&api.url(), &clock)
        .http_client(client::following())
        .build()
        .unwrap();
    let mut bytes = Vec::new();
    let download = transport.download(&RECORDING, &url(&api)).unwrap();
    let failed = error(download.to_writer(&mut bytes).await);
    let TransportErrorKind::Redirected { to, .. } = failed.kind() else {
        panic!("{failed:?}")
    };
    assert_eq!(*to, Some(storage.address.to_string()));
    assert!(bytes.is_empty());
}

#[tokio::test]
async fn environment_proxy_is_used_for_other_machines_only() {
    const INNER: &str = "CALL_API_TRANSPORT_TEST_INSIDE";
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, V1, CONTENT)]).await;
    if std::env::var_os(INNER).is_none() {
        let proxy = server.url();
        let run = move || {
            std::process::Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    "environment_proxy_is_used_for_other_machines_only",
                ])
                .envs([("http_proxy", proxy.as_str()), (INNER, "1")])
                .env_remove("no_proxy")
                .env_remove("NO_PROXY")
                .stdout(std::process::Stdio::null())
                .status()
        };
        let status = tokio::task::spawn_blocking(run).await.unwrap();
        assert!(status.unwrap().success());
        let requests = server.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        assert!(requests[0].starts_with("GET http://192.0.2.1/1 "));
        return;
    }
    let api = Server::start(&clock, vec![]).await;
    let transport = transport(&api, &clock);
    for url in [url(&server), "http://192.0.2.1/1".to_owned()] {
        let download = transport.download(&RECORDING, &url).unwrap();
        let download = download.allow_insecure_http(true);
        let mut bytes = Vec::new();
        download.to_writer(&mut bytes).await.unwrap();
        assert_eq!(bytes, CONTENT);
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn invalid_urls_are_rejected_unsent() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, "", CONTENT)]).await;
    let transport = transport(&server, &clock);
    for text in ["<string>", "/recordings/1", ""] {
        assert!(transport.download(&RECORDING, text).is_none(), "{text}");
    }
    for (text, reason) in [
        ("http://192.0.2.1/a", "it is plain http to another machine"),
        ("ftp://127.0.0.1/a", "it is neither https nor http"),
        ("file:///etc/passwd", "it is neither https nor http"),
        ("https://user@example.com/a", "it holds a user or password"),
    ] {
        let download = transport.download(&RECORDING, text).unwrap();
        let failed = error(download.to_writer(&mut Vec::new()).await);
        let message = failed.to_string();
        assert!(message.contains(reason), "{text}: {message}");
        let is_plain = matches!(failed.kind(), TransportErrorKind::PlainHttp);
        assert_eq!(is_plain, text.starts_with("http:"), "{failed:?}");
        assert_eq!(*failed.attempt_log().stop_reason(), StopReason::NotSent);
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn download_over_the_size_limit_is_rejected() {
    for (limit, is_accepted) in [(10, true), (9, false)] {
        for (name, script, length) in [
            ("content length", answer(200, V1, CONTENT), Some(10)),
            ("chunked", send(chunked("", CONTENT)), None),
        ] {
            let (clock, folder) = (TestClock::default(), Folder::new("limit"));
            let server = Server::start(&clock, vec![script]).await;
            let transport = transport(&server, &clock);
            let download = transport
                .download(&RECORDING, &url(&server))
                .unwrap()
                .size_limit(limit);
            let result = folder.save(download).await;
            if is_accepted {
                result.unwrap();
                folder.assert_complete(CONTENT);
                continue;
            }
            let kind = TransportErrorKind::BodyTooLarge {
                limit,
                received: if length.is_some() { 0 } else { 10 },
                announced: length,
            };
            assert_eq!(*error(result).kind(), kind, "{name}");
            assert!(!folder.target().exists());
        }
    }
}

#[tokio::test]
async fn deadline_ends_a_stalled_download() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![partial_response(V1, 10, b"0123", Step::Stall)]).await;
    let transport = transport(&server, &clock);
    let download = transport
        .download(&RECORDING, &url(&server))
        .unwrap()
        .deadline(Duration::from_secs(7));
    let failed = error(download.to_writer(&mut Vec::new()).await);
    assert!(failed.is_timeout());
    assert_eq!(clock.passed(), Duration::from_secs(7));
    assert_eq!(clock.waits(), []);
}

#[tokio::test]
async fn zero_deadline_is_rejected_unsent() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, V1, CONTENT)]).await;
    let transport = transport(&server, &clock);
    let download = transport
        .download(&RECORDING, &url(&server))
        .unwrap()
        .deadline(Duration::ZERO);
    let failed = error(download.to_writer(&mut Vec::new()).await);
    assert!(
        failed.to_string().contains("the deadline is zero"),
        "{failed}"
    );
    assert_eq!(failed.attempt_log().attempts().len(), 0);
    assert_eq!(*failed.attempt_log().stop_reason(), StopReason::NotSent);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn missing_token_or_time_is_the_stop_reason() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(503, "", "")]).await;
    let token_requests = AtomicUsize::new(0);
    let no_second_token = builder(&server.url(), &clock).token_provider(move || {
        let first = token_requests.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            let token = Token::new(if first { SECRET } else { "" })?;
            Ok::<_, BoxError>(token.with_lifetime(Duration::ZERO))
        }
    });
    let slow = builder(&server.url(), &clock).rate_limit(std::num::NonZeroU32::MIN);
    for (builder, kind, stop) in [
        (no_second_token, "TokenUnavailable", StopReason::NoToken),
        (slow, "TimedOut", StopReason::DeadlineTooNear),
    ] {
        let transport = builder.build().unwrap();
        let download = transport
            .download(&RECORDING, &url(&server))
            .unwrap()
            .deadline(Duration::from_secs(1));
        let failed = error(download.to_writer(&mut Vec::new()).await);
        assert!(format!("{:?}", failed.kind()).starts_with(kind), "{failed}");
        assert_eq!(failed.attempt_log().attempts().len(), 1, "{kind}");
        assert_eq!(*failed.attempt_log().stop_reason(), stop);
    }
}

#[tokio::test]
async fn second_stall_without_progress_is_not_retried() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![vec![Step::Stall]]).await;
    let transport = transport(&server, &clock);
    let download = transport.download(&RECORDING, &url(&server)).unwrap();
    let failed = error(download.to_writer(&mut Vec::new()).await);
    assert_eq!(
        *failed.attempt_log().stop_reason(),
        StopReason::TimeoutsExhausted
    );
    assert_eq!(clock.passed(), Duration::from_millis(30_250));
}

#[tokio::test]
async fn error_response_is_returned_with_its_body() {
    // A 416 to a request without a range is an error response like any other.
    for status in [403, 416] {
        let (clock, folder) = (TestClock::default(), Folder::new("status"));
        let server = Server::start(&clock, vec![answer(status, "", "expired")]).await;
        let transport = transport(&server, &clock);
        let result = folder
            .save(transport.download(&RECORDING, &url(&server)).unwrap())
            .await;
        let Err(DownloadError::Refused(refused)) = result else {
            panic!("{result:?}")
        };
        assert_eq!(refused.body.bytes, "expired");
        assert_eq!(folder.names(), [""; 0]);
        assert_eq!(refused.attempt_log.attempts().len(), 1);
        assert!(!refused.attempt_log.url().contains("signature"));
    }
}

#[tokio::test]
async fn second_download_of_one_target_fails() {
    let (clock, folder) = (TestClock::default(), Folder::new("busy"));
    let server = Server::start(&clock, vec![answer(200, V1, CONTENT)]).await;
    let transport = transport(&server, &clock);
    let first = fs::File::create(folder.part()).unwrap();
    first.lock().unwrap();
    let run = || folder.save(transport.download(&RECORDING, &url(&server)).unwrap());
    let failed = error(run().await);
    assert_eq!(*failed.kind(), TransportErrorKind::WriteFailed);
    assert!(
        failed
            .to_string()
            .contains("another download is writing to"),
        "{failed}"
    );
    drop(first);
    run().await.unwrap();
    folder.assert_complete(CONTENT);
}

/// A user who can create links in the folder must not choose which file is overwritten.
#[cfg(unix)]
#[tokio::test]
async fn symbolic_link_is_not_followed() {
    let (clock, folder) = (TestClock::default(), Folder::new("link"));
    let server = Server::start(&clock, vec![answer(200, V1, CONTENT)]).await;
    let transport = transport(&server, &clock);
    let other = folder.join("other");
    for (name, content) in [
        ("a.part", None),
        ("a.part", Some("foreign")),
        ("a.part-state", None),
        ("a.part-state", Some("foreign")),
    ] {
        let link = folder.join(name);
        std::os::unix::fs::symlink(&other, &link).unwrap();
        if let Some(content) = content {
            fs::write(&other, content).unwrap();
        }
        let download = transport.download(&RECORDING, &url(&server)).unwrap();
        let failed = error(folder.save(download).await);
        assert_eq!(*failed.kind(), TransportErrorKind::WriteFailed);
        let message = format!("{name} is not a regular file; remove it");
        assert!(failed.to_string().contains(&message), "{failed}");
        assert_eq!(fs::read_to_string(&other).ok().as_deref(), content);
        fs::remove_file(link).unwrap();
        let _ = fs::remove_file(&other);
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn missing_folder_is_reported_unsent() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, V1, CONTENT)]).await;
    let transport = transport(&server, &clock);
    let download = transport.download(&RECORDING, &url(&server)).unwrap();
    let missing = Path::new("/no/such/folder/a.part");
    let failed = error(download.to_file(missing, "a", |_| missing.to_owned()).await);
    assert_eq!(*failed.kind(), TransportErrorKind::WriteFailed);
    assert!(failed.to_string().contains("No such file"), "{failed}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn dropped_download_is_resumed() {
    let (clock, folder) = (TestClock::default(), Folder::new("dropped"));
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let total = content.len();
    let rest = |first: usize| partial_content(V1, first, total, &content[first..]);
    let server = Server::start(
        &clock,
        vec![partial_response(
            V1,
            total,
            &content[..2_500_000],
            Step::Advance(Duration::ZERO),
        )],
    )
    .await;
    let transport = transport(&server, &clock);
    {
        let download = transport.download(&RECORDING, &url(&server)).unwrap();
        let (sent, mut received) = tokio::sync::mpsc::unbounded_channel();
        let download = download.on_progress(move |progress| {
            let _ = sent.send(progress.bytes);
        });
        let mut saving = std::pin::pin!(folder.save(download));
        loop {
            tokio::select! {
                result = &mut saving => panic!("{result:?}"),
                Some(bytes) = received.recv() => if bytes == 2_500_000 { break },
            }
        }
    }
    assert_eq!(folder.names(), ["a.part", "a.part-state"]);
    // The synced bytes are kept, and only the others are requested.
    let state = fs::read_to_string(folder.join("a.part-state")).unwrap();
    let synced: usize = state
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("synced "))
        .unwrap()
        .parse()
        .unwrap();
    assert!((1 << 20..=2_500_000).contains(&synced));
    let server = Server::start(&clock, vec![rest(synced)]).await;
    let downloaded = folder
        .save(transport.download(&RECORDING, &url(&server)).unwrap())
        .await
        .unwrap();
    assert_eq!(downloaded.resumed_from, synced as u64);
    folder.assert_complete(&content);
}

/// Both protect the API's own servers, as for any other request.
#[tokio::test]
async fn retry_budget_and_rate_limit_apply_to_the_api_origin_only() {
    let clock = TestClock::default();
    let down = || vec![answer(503, "", "")];
    let api = Server::start(&clock, down()).await;
    let storage = Server::start(&clock, down()).await;
    for (server, stop, attempts, budget_left, rate_limit_waits) in [
        // One retry costs 14 of the 20, which leaves too little for a second one.
        (&api, StopReason::BudgetExhausted, 2, 6, 1),
        (&storage, StopReason::AttemptsExhausted, 3, 20, 0),
    ] {
        let transport = builder(&api.url(), &clock)
            .retry_budget(20)
            .max_attempts(3)
            .rate_limit(std::num::NonZeroU32::MIN)
            .build()
            .unwrap();
        let before = clock.waits().len();
        let result = transport
            .download(&RECORDING, &url(server))
            .unwrap()
            .to_writer(&mut Vec::new())
            .await;
        let Err(DownloadError::Refused(refused)) = result else {
            panic!("{result:?}")
        };
        assert_eq!(*refused.attempt_log.stop_reason(), stop);
        assert_eq!(refused.attempt_log.attempts().len(), attempts);
        assert_eq!(transport.retry_budget_left(), budget_left);
        let waits = clock.waits().len() - before;
        assert_eq!(
            waits,
            attempts - 1 + rate_limit_waits,
            "{:?}",
            clock.waits()
        );
    }
}

#[tokio::test]
async fn rejected_token_is_renewed_once() {
    let clock = TestClock::default();
    for (script, is_saved) in [
        (vec![answer(401, "", ""), answer(200, V1, CONTENT)], true),
        (vec![answer(401, "", "")], false),
    ] {
        let server = Server::start(&clock, script).await;
        let token_requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&token_requests);
        let transport = builder(&server.url(), &clock)
            .token_provider(move || {
                let number = counted.fetch_add(1, Ordering::Relaxed);
                async move { Ok::<_, BoxError>(Token::new(format!("token-{number}"))?) }
            })
            .build()
            .unwrap();
        let mut bytes = Vec::new();
        let download = transport.download(&RECORDING, &url(&server)).unwrap();
        let attempt_log = match download.to_writer(&mut bytes).await {
            Ok(downloaded) if is_saved => downloaded.attempt_log,
            Err(DownloadError::Refused(refused)) if !is_saved => refused.attempt_log,
            other => panic!("{other:?}"),
        };
        assert_eq!(bytes == CONTENT, is_saved);
        assert_eq!(token_requests.load(Ordering::Relaxed), 2);
        assert_eq!(attempt_log.attempts().len(), 2);
        let wait = attempt_log.attempts()[0].retry_delay.unwrap();
        assert_eq!(
            (wait.duration, wait.reason),
            (Duration::ZERO, DelayReason::FreshToken)
        );
        let requests = server.requests();
        for (number, request) in requests.iter().enumerate() {
            assert!(
                request.contains(&format!("Bearer token-{number}\r\n")),
                "{request}"
            );
        }
    }
}
