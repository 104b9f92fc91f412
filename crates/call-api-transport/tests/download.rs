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
#[path = "download/origin.rs"]
mod origin;
#[path = "download/resume.rs"]
mod resume;
mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use call_api_transport::{
    Auth, BoxError, DelayReason, DownloadError, Downloaded, Operation, Outcome, Progress,
    RedirectTarget, StopReason, Token, Transport, TransportError, TransportErrorKind,
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
