//! Fetching something large: what goes over the wire and onto the disk, fault by fault, on a clock that stands.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]

#[path = "support/client.rs"]
mod client;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use call_api_transport::{
    Auth, BoxError, DelayReason, Download, DownloadError, Downloaded, Operation, Outcome, Progress,
    ResponseBody, StopReason, Token, Transport, TransportError, TransportErrorKind,
};
use http::{HeaderName, HeaderValue};
use support::{SECRET, Server, Step, TestClock, all_words, answer, builder, send};

const RECORDING: Operation = Operation {
    id: "recording",
    path: "",
    auth: Auth::Bearer,
    body: ResponseBody::Streamed,
};

/// A folder of the test's own, empty.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fetch-{name}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn part(&self) -> PathBuf {
        self.0.join("a.part")
    }

    fn target(&self) -> PathBuf {
        self.0.join("a.mp3")
    }

    /// The names of the files, in order.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    async fn download(&self, fetch: Download<'_>) -> Result<Downloaded, DownloadError> {
        let target = self.target();
        fetch
            .to_file(self.part(), "a", move |_| target.clone())
            .await
    }

    #[track_caller]
    fn is_whole(&self, bytes: &[u8]) {
        assert_eq!(self.names(), ["a.mp3"]);
        assert!(fs::read(self.target()).unwrap() == bytes);
    }
}

fn transport(server: &Server, clock: &TestClock) -> Transport {
    builder(&server.url(), clock).build().unwrap()
}

/// Of the thing on the API's own host.
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

/// A response of which only the beginning comes.
fn begun(headers: &str, length: usize, bytes: &[u8], then: Step) -> Vec<Step> {
    let mut response = head("200 OK", &format!("{headers}content-length: {length}\r\n"));
    response.extend_from_slice(bytes);
    vec![Step::Send(response), then]
}

/// A response that doesn't say its length.
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

fn part(headers: &str, first: usize, total: usize, bytes: &[u8]) -> Vec<Step> {
    let last = first + bytes.len() - 1;
    let range = format!("content-range: bytes {first}-{last}/{total}\r\n{headers}");
    answer(206, &range, bytes)
}

const V1: &str = "etag: \"v1\"\r\n";
const THING: &[u8] = b"0123456789";

#[tokio::test]
async fn a_whole_thing_gets_its_name() {
    let (clock, folder) = (TestClock::default(), Folder::new("whole"));
    let headers = format!("{V1}content-type: audio/mpeg\r\n");
    let server = Server::start(&clock, vec![answer(200, &headers, THING)]).await;
    let transport = transport(&server, &clock);
    let mut told = Vec::new();
    let downloaded = transport
        .download(&RECORDING, &url(&server))
        .unwrap()
        .on_progress(|progress| told.push(progress))
        .to_file(folder.part(), "a", |content_type| {
            // It is asked for beforehand, too, to see that it can be written.
            assert!(matches!(content_type, None | Some("audio/mpeg")));
            folder.target()
        })
        .await
        .unwrap();
    folder.is_whole(THING);
    assert_eq!((downloaded.bytes, downloaded.resumed_from), (10, 0));
    assert_eq!(downloaded.content_type.as_deref(), Some("audio/mpeg"));
    assert_eq!(downloaded.path, Some(folder.target()));
    assert_eq!(downloaded.attempt_log.attempts().len(), 1);
    assert_eq!(*downloaded.attempt_log.stop_reason(), StopReason::Success);
    assert!(!downloaded.digest_checked);
    let bytes = |Progress { bytes, total, .. }: &Progress| (*bytes, *total);
    assert_eq!(told.first().map(bytes), Some((0, Some(10))));
    assert_eq!(told.last().map(bytes), Some((10, Some(10))));
    let request = server.requests().remove(0).to_ascii_lowercase();
    assert!(
        request.contains("\r\naccept-encoding: identity\r\n"),
        "{request}"
    );
    assert!(!request.contains("\r\nrange: ") && !request.contains("\r\nreferer: "));
}

/// Ways in which a body ends too soon, and the wait and the time that pass until the rest is asked for.
fn interruptions() -> Vec<(&'static str, Step, u64)> {
    vec![
        ("reset", Step::Reset, 250),
        ("truncated", Step::Close, 250),
        ("stall", Step::Stall, 30_250),
    ]
}

#[tokio::test]
async fn what_breaks_off_is_gone_on_with() {
    for (name, step, passed) in interruptions() {
        let (clock, folder) = (TestClock::default(), Folder::new(name));
        let scripts = vec![
            begun(V1, 10, b"0123", step),
            // A service may answer with less than was asked for.
            part(V1, 4, 10, b"456"),
            part(V1, 7, 10, b"789"),
        ];
        let server = Server::start(&clock, scripts).await;
        let transport = transport(&server, &clock);
        let downloaded = folder
            .download(transport.download(&RECORDING, &url(&server)).unwrap())
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        folder.is_whole(THING);
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
async fn a_later_run_goes_on_where_an_earlier_one_ended() {
    let (clock, folder) = (TestClock::default(), Folder::new("later"));
    let headers = format!("{V1}content-type: audio/mpeg\r\n");
    let scripts = vec![
        begun(&headers, 10, b"0123", Step::Reset),
        part(V1, 4, 10, b"456789"),
    ];
    let server = Server::start(&clock, scripts).await;
    let once = builder(&server.url(), &clock)
        .max_attempts(1)
        .build()
        .unwrap();
    let failed = error(
        folder
            .download(once.download(&RECORDING, &url(&server)).unwrap())
            .await,
    );
    assert!(matches!(
        failed.kind(),
        TransportErrorKind::Interrupted { received: 4, .. }
    ));
    assert!(failed.is_retryable());
    assert_eq!(folder.names(), ["a.part", "a.part-state"]);

    let downloaded = folder
        .download(once.download(&RECORDING, &url(&server)).unwrap())
        .await
        .unwrap();
    folder.is_whole(THING);
    assert_eq!((downloaded.bytes, downloaded.resumed_from), (10, 4));
    assert_eq!(downloaded.content_type.as_deref(), Some("audio/mpeg"));
    assert!(server.requests()[1].contains("\r\nrange: bytes=4-\r\n"));
}

#[tokio::test]
async fn the_beginning_of_another_thing_is_not_gone_on_with() {
    let part_of = |folder: &Folder, bytes: &[u8], state: &str| {
        fs::write(folder.part(), bytes).unwrap();
        fs::write(folder.0.join("a.part-state"), state).unwrap();
    };
    let form = "partial download, form 1\n";
    for (name, bytes, state) in [
        (
            "another identity",
            &b"xxxx"[..],
            "of b\nvalidator \"v1\"\nsynced 4\n",
        ),
        ("no validator", b"xxxx", "of a\nsynced 4\n"),
        ("nothing sure", b"xxxx", "of a\nvalidator \"v1\"\n"),
        ("a torn line", b"xxxx", "of a\nvalidator \"v1\"\nsynced 4"),
        (
            "a state of later",
            b"xxxx",
            "of a\nvalidator \"v1\"\nnew 1\nsynced 4\n",
        ),
        (
            "less on the disk",
            b"xx",
            "of a\nvalidator \"v1\"\nsynced 4\n",
        ),
        (
            "all of it",
            b"xxxx",
            "of a\nvalidator \"v1\"\ntotal 4\nsynced 4\n",
        ),
    ] {
        let (clock, folder) = (TestClock::default(), Folder::new("another"));
        part_of(&folder, bytes, &format!("{form}{state}"));
        let server = Server::start(&clock, vec![answer(200, V1, THING)]).await;
        let transport = transport(&server, &clock);
        let downloaded = folder
            .download(transport.download(&RECORDING, &url(&server)).unwrap())
            .await
            .unwrap();
        folder.is_whole(THING);
        assert_eq!(downloaded.resumed_from, 0, "{name}");
        assert!(!server.requests()[0].contains("range"), "{name}");
    }
    // What the disk has beyond what it surely has is dropped.
    let (clock, folder) = (TestClock::default(), Folder::new("another"));
    let state = format!("{form}of a\nvalidator \"v1\"\nsynced 2\nsynced 4\nsync");
    part_of(&folder, b"0123xxxx", &state);
    let server = Server::start(&clock, vec![part(V1, 4, 10, b"456789")]).await;
    let transport = transport(&server, &clock);
    folder
        .download(transport.download(&RECORDING, &url(&server)).unwrap())
        .await
        .unwrap();
    folder.is_whole(THING);
}

#[tokio::test]
async fn another_part_than_was_asked_for_is_not_taken() {
    let v2 = "etag: \"v2\"\r\n";
    for (name, second) in [
        ("from elsewhere", part(V1, 3, 10, b"3456789")),
        ("of another length", part(V1, 4, 11, b"456789x")),
        ("of another version", part(v2, 4, 10, b"456789")),
        ("without a range", answer(206, V1, b"456789")),
        (
            "of no known length",
            answer(
                206,
                "content-range: bytes 4-9/*\r\netag: \"v2\"\r\n",
                b"456789",
            ),
        ),
        (
            "compressed",
            part(&format!("{V1}content-encoding: gzip\r\n"), 4, 10, b"456789"),
        ),
        ("416", answer(416, "content-range: bytes */10\r\n", b"")),
    ] {
        let (clock, folder) = (TestClock::default(), Folder::new("wrong"));
        let scripts = vec![
            begun(V1, 10, b"0123", Step::Close),
            second,
            answer(200, v2, b"9876543210"),
        ];
        let server = Server::start(&clock, scripts).await;
        let transport = transport(&server, &clock);
        let downloaded = folder
            .download(transport.download(&RECORDING, &url(&server)).unwrap())
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        folder.is_whole(b"9876543210");
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
async fn a_part_that_is_longer_than_it_says_is_refused() {
    let clock = TestClock::default();
    let range = format!("content-range: bytes 4-6/10\r\n{V1}");
    let scripts = vec![
        begun(V1, 10, b"0123", Step::Close),
        answer(206, &range, b"456789"),
    ];
    let server = Server::start(&clock, scripts).await;
    let transport = transport(&server, &clock);
    let fetch = transport.download(&RECORDING, &url(&server)).unwrap();
    let failed = error(fetch.to_writer(&mut Vec::new()).await);
    assert!(
        failed.to_string().contains("it is another part"),
        "{failed}"
    );
}

#[tokio::test]
async fn the_whole_in_place_of_a_part_is_taken() {
    for (name, headers, body) in [
        ("the same", V1, THING),
        ("another version", "etag: \"v2\"\r\n", b"9876543210"),
        ("nobody knows", "", b"9876543210"),
        ("the same, but shorter", V1, b"01"),
    ] {
        let (clock, folder) = (TestClock::default(), Folder::new("instead"));
        let scripts = vec![
            begun(V1, 10, b"0123", Step::Close),
            answer(200, headers, body),
        ];
        let server = Server::start(&clock, scripts).await;
        let transport = transport(&server, &clock);
        folder
            .download(transport.download(&RECORDING, &url(&server)).unwrap())
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        folder.is_whole(body);
    }
}

/// One that comes again without its length is as long as it was said to be, and at least as long as what is here.
#[tokio::test]
async fn the_same_version_has_one_length() {
    let mut first_chunk = chunked(V1, b"0123");
    first_chunk.truncate(first_chunk.len() - b"0\r\n\r\n".len());
    let first_chunk = vec![Step::Send(first_chunk), Step::Close];
    let known = || begun(V1, 10, b"0123", Step::Close);
    for (name, first, second, third, attempts) in [
        ("as long", known(), chunked(V1, THING), vec![], Some(2)),
        (
            "shorter",
            known(),
            chunked(V1, b"01234"),
            part(V1, 5, 10, b"56789"),
            Some(3),
        ),
        ("longer", known(), chunked(V1, b"0123456789x"), vec![], None),
        (
            "less than is here",
            first_chunk,
            chunked(V1, b"01"),
            part(V1, 4, 10, b"456789"),
            Some(3),
        ),
    ] {
        let (clock, folder) = (TestClock::default(), Folder::new("length"));
        let server = Server::start(&clock, vec![first, send(second), third]).await;
        let transport = transport(&server, &clock);
        let result = folder
            .download(transport.download(&RECORDING, &url(&server)).unwrap())
            .await;
        if let Some(attempts) = attempts {
            let downloaded = result.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert_eq!(downloaded.attempt_log.attempts().len(), attempts, "{name}");
            folder.is_whole(THING);
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

/// Without a validator a file is begun again.
#[tokio::test]
async fn what_can_not_be_asked_for_in_parts_is_fetched_anew() {
    for headers in ["", "etag: W/\"v1\"\r\n"] {
        let (clock, folder) = (TestClock::default(), Folder::new("anew"));
        let scripts = vec![
            begun(headers, 10, b"0123", Step::Reset),
            answer(200, headers, THING),
        ];
        let server = Server::start(&clock, scripts).await;
        let transport = transport(&server, &clock);
        folder
            .download(transport.download(&RECORDING, &url(&server)).unwrap())
            .await
            .unwrap();
        folder.is_whole(THING);
        assert!(!server.requests()[1].contains("range"));
    }
}

const SHA256: &str = "hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=";
const MD5: &str = "eB5eJF1ptWaXm4bijSPyxw==";

#[tokio::test]
async fn what_can_not_be_whole_is_refused() {
    let gzip = format!("{V1}content-encoding: gzip\r\n");
    for (name, script, reason) in [
        ("gzip'd", answer(200, &gzip, THING), "it is compressed"),
        (
            "no end",
            vec![
                Step::Send([&head("200 OK", V1)[..], THING].concat()),
                Step::Close,
            ],
            "nothing marks its end",
        ),
        (
            "no end in HTTP/1.0",
            vec![
                Step::Send([b"HTTP/1.0 200 OK\r\n\r\n", THING].concat()),
                Step::Close,
            ],
            "nothing marks its end",
        ),
        (
            "another digest",
            answer(
                200,
                &format!("repr-digest: sha-256=:{SHA256}:\r\n"),
                b"0123456780",
            ),
            "its digest is not",
        ),
        (
            "another md5",
            answer(200, &format!("content-md5: {MD5}\r\n"), b"0123456780"),
            "its digest is not",
        ),
        (
            "a part unasked",
            part(V1, 4, 10, b"456789"),
            "it is another part",
        ),
        (
            "all as a part unasked",
            part(V1, 0, 10, THING),
            "it is another part",
        ),
    ] {
        let (clock, folder) = (TestClock::default(), Folder::new("unsound"));
        let server = Server::start(&clock, vec![script]).await;
        let transport = transport(&server, &clock);
        let failed = error(
            folder
                .download(transport.download(&RECORDING, &url(&server)).unwrap())
                .await,
        );
        let TransportErrorKind::IntegrityMismatch { reason: said } = failed.kind() else {
            panic!("{name}: {failed:?}")
        };
        assert!(said.starts_with(reason), "{name}: {said}");
        assert_eq!(folder.names(), [""; 0], "{name}: nothing is left of it");
        assert!(!failed.is_retryable());
        assert!(!all_words(&failed).contains(SECRET), "{name}");
        assert_eq!(server.requests().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_digest_is_compared_and_tells_an_end() {
    for (name, headers) in [
        ("sha-256", format!("repr-digest: sha-256=:{SHA256}:\r\n")),
        ("md5", format!("content-md5: {MD5}\r\n")),
    ] {
        let (clock, folder) = (TestClock::default(), Folder::new("digest"));
        let bytes = [&head("200 OK", &headers)[..], THING].concat();
        let server = Server::start(&clock, vec![vec![Step::Send(bytes), Step::Close]]).await;
        let transport = transport(&server, &clock);
        let downloaded = folder
            .download(transport.download(&RECORDING, &url(&server)).unwrap())
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        folder.is_whole(THING);
        assert!(downloaded.digest_checked, "{name}");

        let mut bytes = Vec::new();
        let downloaded = transport
            .download(&RECORDING, &url(&server))
            .unwrap()
            .to_writer(&mut bytes)
            .await
            .unwrap();
        assert!(bytes == THING && downloaded.digest_checked, "{name}");
    }
    // Over all runs: what an earlier one left is part of it.
    let (clock, folder) = (TestClock::default(), Folder::new("digest"));
    let headers = format!("{V1}digest: sha-256={SHA256}\r\n");
    let scripts = vec![
        begun(&headers, 10, b"0123", Step::Close),
        part(V1, 4, 10, b"45678x"),
    ];
    let server = Server::start(&clock, scripts).await;
    let once = builder(&server.url(), &clock)
        .max_attempts(1)
        .build()
        .unwrap();
    let run = || folder.download(once.download(&RECORDING, &url(&server)).unwrap());
    assert!(matches!(
        error(run().await).kind(),
        TransportErrorKind::Interrupted { .. }
    ));
    assert!(matches!(
        error(run().await).kind(),
        TransportErrorKind::IntegrityMismatch { .. }
    ));
    assert_eq!(folder.names(), [""; 0], "what is wrong is not gone on with");
}

#[tokio::test]
async fn a_writer_gets_each_byte_once() {
    let v2 = "etag: \"v2\"\r\n";
    for (name, second, third, expected) in [
        ("the rest", part(V1, 4, 10, b"456789"), vec![], Ok(())),
        ("the whole", answer(200, V1, THING), vec![], Ok(())),
        (
            "a wrong part",
            part(V1, 5, 10, b"56789"),
            answer(200, V1, THING),
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
        let scripts = vec![begun(V1, 10, b"0123", Step::Reset), second, third];
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
                assert!(bytes == THING && downloaded.bytes == 10, "{name}");
            }
            Err(reason) => {
                let failed = error(result);
                assert!(failed.to_string().contains(reason), "{name}: {failed}");
                assert_eq!(bytes, b"0123");
            }
        }
    }
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![begun("", 10, b"0123", Step::Close)]).await;
    let transport = transport(&server, &clock);
    let mut bytes = Vec::new();
    let fetch = transport.download(&RECORDING, &url(&server)).unwrap();
    let failed = error(fetch.to_writer(&mut bytes).await);
    assert_eq!(
        *failed.attempt_log().stop_reason(),
        StopReason::NotResumable
    );
    assert_eq!(failed.attempt_log().attempts().len(), 1);
}

#[tokio::test]
async fn what_is_not_ready_is_waited_for() {
    let (clock, folder) = (TestClock::default(), Folder::new("ready"));
    let scripts = vec![
        answer(404, "retry-after: 0\r\n", ""),
        answer(202, "retry-after: 2\r\n", ""),
        answer(425, "retry-after: 9\r\n", ""),
        answer(503, "", ""),
        answer(404, "", ""),
        answer(200, V1, THING),
    ];
    let server = Server::start(&clock, scripts).await;
    let transport = transport(&server, &clock);
    let fetch = transport
        .download(&RECORDING, &url(&server))
        .unwrap()
        .not_ready_timeout(Duration::from_secs(60));
    let downloaded = folder.download(fetch).await.unwrap();
    folder.is_whole(THING);
    let attempts = downloaded.attempt_log.attempts().iter();
    let whys: Vec<_> = attempts
        .filter_map(|attempt| Some(attempt.retry_delay?.reason))
        .collect();
    let expected = [
        DelayReason::NotReady,
        DelayReason::NotReady,
        DelayReason::RetryAfter,
        DelayReason::Backoff,
        DelayReason::NotReady,
    ];
    assert_eq!(whys, expected);
    // The 503 is no answer to whether it is there, and is retried as ever.
    let waits = [1_000, 2_000, 9_000, 250, 8_000].map(Duration::from_millis);
    assert_eq!(clock.waits(), waits);

    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(404, "", "gone")]).await;
    let transport = support::builder(&server.url(), &clock).build().unwrap();
    for (not_ready_timeout, waited, stop) in [
        (0, 0, StopReason::NotRetryable),
        (61, 1 + 2 + 4 + 8 + 16 + 30, StopReason::NotReady),
    ] {
        let fetch = transport
            .download(&RECORDING, &url(&server))
            .unwrap()
            .not_ready_timeout(Duration::from_secs(not_ready_timeout));
        let Err(DownloadError::Refused(refused)) = folder.download(fetch).await else {
            panic!("it is never there")
        };
        assert_eq!(refused.status, 404);
        assert_eq!(refused.body.bytes, "gone");
        assert_eq!(*refused.attempt_log.stop_reason(), stop);
        assert_eq!(clock.passed(), Duration::from_secs(waited));
    }
}

#[tokio::test]
async fn the_token_stays_at_home() {
    let clock = TestClock::default();
    let away = Server::start(&clock, vec![answer(200, V1, THING)]).await;
    let to_away = format!("location: {}/signed?key=1\r\n", away.url());
    let home = Server::start(&clock, vec![answer(302, &to_away, "")]).await;
    let transport = builder(&home.url(), &clock)
        .header(
            HeaderName::from_static("x-secret"),
            HeaderValue::from_static(SECRET),
        )
        .user_agent("me/1")
        .build()
        .unwrap();
    let fetch = |url: String| {
        let transport = transport.clone();
        async move {
            let mut bytes = Vec::new();
            let fetch = transport.download(&RECORDING, &url).unwrap();
            let downloaded = fetch.to_writer(&mut bytes).await;
            downloaded.map(|downloaded| (bytes, downloaded.attempt_log.to_curl()))
        }
    };
    assert_eq!(fetch(url(&home)).await.unwrap().0, THING);
    let at_home = home.requests().remove(0);
    assert!(at_home.contains(&format!("authorization: Bearer {SECRET}")));
    assert!(at_home.contains(&format!("x-secret: {SECRET}")));

    // And where the API names another host at once.
    let there = format!("{}/x", away.url());
    let (bytes, command) = fetch(there.clone()).await.unwrap();
    assert_eq!(bytes, THING);
    assert_eq!(command, format!("curl '{there}'"));
    for request in away.requests() {
        assert!(!request.contains(SECRET), "{request}");
        assert!(
            !request.to_ascii_lowercase().contains("\r\nreferer: "),
            "{request}"
        );
        assert!(request.contains("\r\nuser-agent: me/1\r\n"), "{request}");
    }
    assert!(away.requests()[0].starts_with("GET /signed?key=1 "));

    // Whoever sends it home again is no reason to show it.
    let back = format!("location: {}/deleted\r\n", home.url());
    let away = Server::start(&clock, vec![answer(307, &back, "")]).await;
    let before = home.requests().len();
    let _ = fetch(format!("{}/x", away.url())).await;
    for request in &home.requests()[before..] {
        assert!(!request.contains(SECRET), "{request}");
    }
    assert!(home.requests().len() > before);
}

#[tokio::test]
async fn nobody_asks_for_a_token_that_is_not_sent() {
    const OPEN: Operation = Operation {
        auth: Auth::None,
        ..RECORDING
    };
    let clock = TestClock::default();
    let home = Server::start(&clock, vec![]).await;
    let away = Server::start(&clock, vec![answer(200, V1, THING)]).await;
    let transport = builder(&home.url(), &clock)
        .token_provider(|| async { Err::<Token, BoxError>("not needed".into()) })
        .build()
        .unwrap();
    let mut bytes = Vec::new();
    let fetch = transport.download(&RECORDING, &url(&away)).unwrap();
    fetch.to_writer(&mut bytes).await.unwrap();
    assert_eq!(bytes, THING);

    let home = Server::start(&clock, vec![answer(200, V1, THING)]).await;
    let transport = builder(&home.url(), &clock)
        .token_provider(|| async { Err::<Token, BoxError>("not needed".into()) })
        .build()
        .unwrap();
    let fetch = transport.download(&OPEN, &url(&home)).unwrap();
    fetch.to_writer(&mut Vec::new()).await.unwrap();
    assert!(!home.requests()[0].contains("authorization"));
}

#[tokio::test]
async fn a_service_that_repeats_the_token_does_not_bring_it_into_logs() {
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
async fn redirects_have_an_end() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(302, "location: /again?key=1\r\n", "")]).await;
    let transport = transport(&server, &clock);
    let fetch = transport.download(&RECORDING, &url(&server)).unwrap();
    let failed = error(fetch.to_writer(&mut Vec::new()).await);
    assert!(matches!(
        failed.kind(),
        TransportErrorKind::Redirected { to: Some(_), .. }
    ));
    assert_eq!(server.requests().len(), 6);
    assert!(!all_words(&failed).contains("key=1"));

    for (location, host) in [
        ("http://192.0.2.1/x?key=1", Some("192.0.2.1")),
        ("ftp://127.0.0.1/", Some("127.0.0.1")),
        ("http://u:p@127.0.0.1:81/", Some("127.0.0.1:81")),
        ("mailto:someone@example.com", None),
    ] {
        let script = answer(302, &format!("location: {location}\r\n"), "");
        let server = Server::start(&clock, vec![script]).await;
        let fetch = transport.download(&RECORDING, &url(&server)).unwrap();
        let failed = error(fetch.to_writer(&mut Vec::new()).await);
        let TransportErrorKind::Redirected { to, .. } = failed.kind() else {
            panic!("{location}: {failed}")
        };
        assert_eq!(to.as_deref(), host, "{location}");
        assert_eq!(server.requests().len(), 1);
        assert!(!all_words(&failed).contains("key=1"));
    }
}

/// By then it may have shown the other host what is for the API alone.
#[tokio::test]
async fn a_redirect_that_a_given_client_followed_is_not_taken() {
    let clock = TestClock::default();
    let away = Server::start(&clock, vec![answer(200, V1, THING)]).await;
    let location = format!("location: {}/signed?key=1\r\n", away.url());
    let home = Server::start(&clock, vec![answer(302, &location, "")]).await;
    let transport = builder(&home.url(), &clock)
        .http_client(client::following())
        .build()
        .unwrap();
    let mut bytes = Vec::new();
    let fetch = transport.download(&RECORDING, &url(&home)).unwrap();
    let failed = error(fetch.to_writer(&mut bytes).await);
    let TransportErrorKind::Redirected { to, .. } = failed.kind() else {
        panic!("{failed:?}")
    };
    assert_eq!(*to, Some(away.address.to_string()));
    assert!(bytes.is_empty());
}

/// A proxy of the environment is for what is on other machines.
#[tokio::test]
async fn a_proxy_from_the_environment_sees_only_what_is_elsewhere() {
    const INNER: &str = "CALL_API_TRANSPORT_TEST_INSIDE";
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, V1, THING)]).await;
    if std::env::var_os(INNER).is_none() {
        let proxy = server.url();
        let run = move || {
            std::process::Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    "a_proxy_from_the_environment_sees_only_what_is_elsewhere",
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
    let home = Server::start(&clock, vec![]).await;
    let transport = transport(&home, &clock);
    for url in [url(&server), "http://192.0.2.1/1".to_owned()] {
        let fetch = transport.download(&RECORDING, &url).unwrap();
        let fetch = fetch.allow_insecure_http(true);
        let mut bytes = Vec::new();
        fetch.to_writer(&mut bytes).await.unwrap();
        assert_eq!(bytes, THING);
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn some_addresses_are_never_asked() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, "", THING)]).await;
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
        let fetch = transport.download(&RECORDING, text).unwrap();
        let failed = error(fetch.to_writer(&mut Vec::new()).await);
        let words = failed.to_string();
        assert!(words.contains(reason), "{text}: {words}");
        let is_plain = matches!(failed.kind(), TransportErrorKind::PlainHttp);
        assert_eq!(is_plain, text.starts_with("http:"), "{failed:?}");
        assert_eq!(*failed.attempt_log().stop_reason(), StopReason::NotSent);
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn no_more_than_the_limit_is_fetched() {
    for (limit, announced) in [(10, Ok(())), (9, Err(()))] {
        for (name, script, length) in [
            ("announced", answer(200, V1, THING), Some(10)),
            ("chunked", send(chunked("", THING)), None),
        ] {
            let (clock, folder) = (TestClock::default(), Folder::new("limit"));
            let server = Server::start(&clock, vec![script]).await;
            let transport = transport(&server, &clock);
            let fetch = transport
                .download(&RECORDING, &url(&server))
                .unwrap()
                .size_limit(limit);
            let result = folder.download(fetch).await;
            if announced.is_ok() {
                result.unwrap();
                folder.is_whole(THING);
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
async fn the_deadline_ends_everything() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![begun(V1, 10, b"0123", Step::Stall)]).await;
    let transport = transport(&server, &clock);
    let fetch = transport
        .download(&RECORDING, &url(&server))
        .unwrap()
        .deadline(Duration::from_secs(7));
    let failed = error(fetch.to_writer(&mut Vec::new()).await);
    assert!(failed.is_timeout());
    assert_eq!(clock.passed(), Duration::from_secs(7));
    assert_eq!(clock.waits(), []);
}

#[tokio::test]
async fn nothing_is_sent_past_the_deadline() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, V1, THING)]).await;
    let transport = transport(&server, &clock);
    let fetch = transport
        .download(&RECORDING, &url(&server))
        .unwrap()
        .deadline(Duration::ZERO);
    let failed = error(fetch.to_writer(&mut Vec::new()).await);
    assert!(
        failed.to_string().contains("the deadline is zero"),
        "{failed}"
    );
    assert_eq!(failed.attempt_log().attempts().len(), 0);
    assert_eq!(*failed.attempt_log().stop_reason(), StopReason::NotSent);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn what_leaves_no_further_attempt_is_told() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(503, "", "")]).await;
    let asked = AtomicUsize::new(0);
    let no_second_token = builder(&server.url(), &clock).token_provider(move || {
        let first = asked.fetch_add(1, Ordering::Relaxed) == 0;
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
        let fetch = transport
            .download(&RECORDING, &url(&server))
            .unwrap()
            .deadline(Duration::from_secs(1));
        let failed = error(fetch.to_writer(&mut Vec::new()).await);
        assert!(format!("{:?}", failed.kind()).starts_with(kind), "{failed}");
        assert_eq!(failed.attempt_log().attempts().len(), 1, "{kind}");
        assert_eq!(*failed.attempt_log().stop_reason(), stop);
    }
}

#[tokio::test]
async fn two_stalls_without_a_byte_between_them_are_enough() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![vec![Step::Stall]]).await;
    let transport = transport(&server, &clock);
    let fetch = transport.download(&RECORDING, &url(&server)).unwrap();
    let failed = error(fetch.to_writer(&mut Vec::new()).await);
    assert_eq!(
        *failed.attempt_log().stop_reason(),
        StopReason::TimeoutsExhausted
    );
    assert_eq!(clock.passed(), Duration::from_millis(30_250));
}

#[tokio::test]
async fn an_error_status_is_handed_on_with_what_it_says() {
    // One that there is no range to be wrong about is an answer like any other.
    for status in [403, 416] {
        let (clock, folder) = (TestClock::default(), Folder::new("status"));
        let server = Server::start(&clock, vec![answer(status, "", "expired")]).await;
        let transport = transport(&server, &clock);
        let result = folder
            .download(transport.download(&RECORDING, &url(&server)).unwrap())
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
async fn of_two_downloads_of_one_target_the_second_fails() {
    let (clock, folder) = (TestClock::default(), Folder::new("busy"));
    let server = Server::start(&clock, vec![answer(200, V1, THING)]).await;
    let transport = transport(&server, &clock);
    let first = fs::File::create(folder.part()).unwrap();
    first.lock().unwrap();
    let run = || folder.download(transport.download(&RECORDING, &url(&server)).unwrap());
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
    folder.is_whole(THING);
}

/// Who can make a file in the folder could have it lead to one that is not theirs to change.
#[cfg(unix)]
#[tokio::test]
async fn a_link_is_not_followed() {
    let (clock, folder) = (TestClock::default(), Folder::new("link"));
    let server = Server::start(&clock, vec![answer(200, V1, THING)]).await;
    let transport = transport(&server, &clock);
    let other = folder.0.join("other");
    for (name, content) in [
        ("a.part", None),
        ("a.part", Some("another's")),
        ("a.part-state", None),
        ("a.part-state", Some("another's")),
    ] {
        let link = folder.0.join(name);
        std::os::unix::fs::symlink(&other, &link).unwrap();
        if let Some(content) = content {
            fs::write(&other, content).unwrap();
        }
        let fetch = transport.download(&RECORDING, &url(&server)).unwrap();
        let failed = error(folder.download(fetch).await);
        assert_eq!(*failed.kind(), TransportErrorKind::WriteFailed);
        let told = format!("{name} is not a regular file; remove it");
        assert!(failed.to_string().contains(&told), "{failed}");
        assert_eq!(fs::read_to_string(&other).ok().as_deref(), content);
        fs::remove_file(link).unwrap();
        let _ = fs::remove_file(&other);
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(200, V1, THING)]).await;
    let transport = transport(&server, &clock);
    let fetch = transport.download(&RECORDING, &url(&server)).unwrap();
    let nowhere = Path::new("/no/such/folder/a.part");
    let failed = error(fetch.to_file(nowhere, "a", |_| nowhere.to_owned()).await);
    assert_eq!(*failed.kind(), TransportErrorKind::WriteFailed);
    assert!(failed.to_string().contains("No such file"), "{failed}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_dropped_download_is_gone_on_with() {
    let (clock, folder) = (TestClock::default(), Folder::new("dropped"));
    let thing: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let total = thing.len();
    let rest = |first: usize| part(V1, first, total, &thing[first..]);
    let server = Server::start(
        &clock,
        vec![begun(
            V1,
            total,
            &thing[..2_500_000],
            Step::Pass(Duration::ZERO),
        )],
    )
    .await;
    let transport = transport(&server, &clock);
    {
        let fetch = transport.download(&RECORDING, &url(&server)).unwrap();
        let (sent, mut received) = tokio::sync::mpsc::unbounded_channel();
        let fetch = fetch.on_progress(move |progress| {
            let _ = sent.send(progress.bytes);
        });
        let mut fetching = std::pin::pin!(folder.download(fetch));
        loop {
            tokio::select! {
                result = &mut fetching => panic!("{result:?}"),
                Some(bytes) = received.recv() => if bytes == 2_500_000 { break },
            }
        }
    }
    assert_eq!(folder.names(), ["a.part", "a.part-state"]);
    // At least what was synced is there, and no more is asked for than is missing.
    let state = fs::read_to_string(folder.0.join("a.part-state")).unwrap();
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
        .download(transport.download(&RECORDING, &url(&server)).unwrap())
        .await
        .unwrap();
    assert_eq!(downloaded.resumed_from, synced as u64);
    folder.is_whole(&thing);
}

/// The API's own servers are spared as by any other call of theirs, and others are none of its business.
#[tokio::test]
async fn the_retry_budget_and_the_rate_limit_are_for_the_apis_own_host() {
    let clock = TestClock::default();
    let down = || vec![answer(503, "", "")];
    let home = Server::start(&clock, down()).await;
    let away = Server::start(&clock, down()).await;
    for (server, stop, attempts, left, turns) in [
        // One retry takes 14 of the 20, and there is none left for a second one.
        (&home, StopReason::BudgetExhausted, 2, 6, 1),
        (&away, StopReason::AttemptsExhausted, 3, 20, 0),
    ] {
        let transport = builder(&home.url(), &clock)
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
        assert_eq!(transport.retry_budget_left(), left);
        let waits = clock.waits().len() - before;
        assert_eq!(waits, attempts - 1 + turns, "{:?}", clock.waits());
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_asked_for_once_more() {
    let clock = TestClock::default();
    for (script, is_fetched) in [
        (vec![answer(401, "", ""), answer(200, V1, THING)], true),
        (vec![answer(401, "", "")], false),
    ] {
        let server = Server::start(&clock, script).await;
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let transport = builder(&server.url(), &clock)
            .token_provider(move || {
                let number = counted.fetch_add(1, Ordering::Relaxed);
                async move { Ok::<_, BoxError>(Token::new(format!("token-{number}"))?) }
            })
            .build()
            .unwrap();
        let mut bytes = Vec::new();
        let fetch = transport.download(&RECORDING, &url(&server)).unwrap();
        let attempt_log = match fetch.to_writer(&mut bytes).await {
            Ok(downloaded) if is_fetched => downloaded.attempt_log,
            Err(DownloadError::Refused(refused)) if !is_fetched => refused.attempt_log,
            other => panic!("{other:?}"),
        };
        assert_eq!(bytes == THING, is_fetched);
        assert_eq!(asked.load(Ordering::Relaxed), 2);
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
