//! Downloads after damage: wrong parts, held locks, targets that cannot be written, and what their errors show.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use call_api_transport::{
    Auth, Download, DownloadError, Downloaded, Operation, ResponseBody, Transport,
    TransportErrorKind,
};
use support::{SECRET, Server, Step, TestClock, all_words, answer, builder};

const RECORDING: Operation = Operation {
    id: "recording",
    path: "",
    auth: Auth::Bearer,
    body: ResponseBody::Streamed,
};

const V1: &str = "etag: \"v1\"\r\n";

/// More than is written between two syncs.
const LENGTH: usize = 4 << 20;

fn content() -> Vec<u8> {
    (0..LENGTH).map(|index| (index / 1000) as u8).collect()
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("recovery-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

async fn save(download: Download<'_>, folder: &Path) -> Result<Downloaded, DownloadError> {
    let target = folder.join("a.mp3");
    let part = folder.join("a.mp3.part");
    download.to_file(part, "a", |_| target.clone()).await
}

fn download<'a>(transport: &'a Transport, server: &Server) -> Download<'a> {
    let url = format!("{}/recordings/1", server.url());
    transport.download(&RECORDING, &url).unwrap()
}

/// A 200 whose first half arrives before the connection breaks.
fn first_half(content: &[u8]) -> Vec<Step> {
    let head = format!("HTTP/1.1 200 OK\r\n{V1}content-length: {LENGTH}\r\n\r\n");
    let bytes = [head.as_bytes(), &content[..LENGTH / 2]].concat();
    vec![Step::Send(bytes), Step::Close]
}

/// A 206 that claims to be the second half, with this body.
fn second_half(headers: &str, body: &[u8]) -> Vec<Step> {
    let range = format!("bytes {}-{}/{LENGTH}", LENGTH / 2, LENGTH - 1);
    let head = format!("HTTP/1.1 206 X\r\ncontent-range: {range}\r\n{headers}\r\n");
    vec![Step::Send([head.as_bytes(), body].concat()), Step::Close]
}

#[tokio::test]
async fn part_with_the_length_of_the_whole_is_not_written() {
    let (clock, content, folder) = (TestClock::default(), content(), folder("length"));
    let whole = format!("{V1}content-length: {LENGTH}\r\n");
    let scripts = vec![
        first_half(&content),
        second_half(&whole, &content),
        answer(200, V1, &content),
    ];
    let server = Server::start(&clock, scripts).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let saved = save(download(&transport, &server), &folder).await.unwrap();
    assert_eq!(saved.attempt_log.attempts().len(), 3);
    assert!(fs::read(folder.join("a.mp3")).unwrap() == content);
}

#[tokio::test]
async fn bytes_after_a_failed_check_are_not_resumed() {
    let (clock, content, folder) = (TestClock::default(), content(), folder("check"));
    // Of no announced length, so that only its end shows that it is the whole.
    let mut chunked = format!("{:x}\r\n", content.len()).into_bytes();
    chunked.extend_from_slice(&content);
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    let headers = format!("{V1}transfer-encoding: chunked\r\n");
    let rest = format!("{V1}content-length: {}\r\n", LENGTH / 2);
    let scripts = vec![
        first_half(&content),
        second_half(&headers, &chunked),
        second_half(&rest, &content[LENGTH / 2..]),
    ];
    let server = Server::start(&clock, scripts).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let error = save(download(&transport, &server), &folder)
        .await
        .unwrap_err();
    let DownloadError::Failed(error) = error else {
        panic!("{error:?}")
    };
    let is_mismatch = matches!(error.kind(), TransportErrorKind::IntegrityMismatch { .. });
    assert!(is_mismatch, "{error}");
    let saved = save(download(&transport, &server), &folder).await.unwrap();
    assert_eq!(saved.resumed_from, LENGTH as u64 / 2);
    assert!(fs::read(folder.join("a.mp3")).unwrap() == content);
}

#[tokio::test]
async fn part_without_the_entity_tag_is_not_a_continuation() {
    let (clock, content, folder) = (TestClock::default(), content(), folder("tag"));
    let headers = format!("content-length: {}\r\n", LENGTH / 2);
    let scripts = vec![
        first_half(&content),
        second_half(&headers, &content[..LENGTH / 2]),
        answer(200, V1, &content),
    ];
    let server = Server::start(&clock, scripts).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    save(download(&transport, &server), &folder).await.unwrap();
    assert!(fs::read(folder.join("a.mp3")).unwrap() == content);
    assert!(!server.requests()[2].contains("range:"));
}

#[tokio::test]
async fn lock_that_is_soon_released_is_waited_for() {
    let (clock, folder) = (TestClock::default(), folder("lock"));
    let server = Server::start(&clock, vec![answer(200, V1, "sound")]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let held = fs::File::create(folder.join("a.mp3.part")).unwrap();
    held.lock().unwrap();
    let release = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(held);
    });
    save(download(&transport, &server), &folder).await.unwrap();
    release.await.unwrap();
}

#[tokio::test]
async fn target_that_is_no_file_is_refused_before_anything_is_sent() {
    let (clock, folder) = (TestClock::default(), folder("target"));
    let server = Server::start(&clock, vec![answer(200, V1, "sound")]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    fs::create_dir(folder.join("a.mp3")).unwrap();
    let error = save(download(&transport, &server), &folder)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("is not a regular file"),
        "{error}"
    );
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn errors_show_neither_credentials_nor_content_of_urls() {
    let clock = TestClock::default();
    let transport = builder("http://127.0.0.1:1", &clock).build().unwrap();
    for url in [
        format!("https://user:{SECRET}@a.example/b"),
        format!("https://{SECRET}@a.example/b"),
        format!("data:audio/wav;base64,{SECRET}"),
    ] {
        let download = transport.download(&RECORDING, &url).unwrap();
        let debug = format!("{download:?}");
        let error = download.to_writer(&mut Vec::new()).await.unwrap_err();
        let words = format!("{debug}\n{}", all_words(&error));
        assert!(!words.contains(SECRET), "{words}");
        assert!(words.contains("RefusedUrl"), "{words}");
    }
}

#[tokio::test]
async fn signature_that_a_storage_repeats_is_redacted() {
    const SIGNATURE: &str = "0123456789abcdef0123";
    let clock = TestClock::default();
    let body = format!("<Error>SignatureDoesNotMatch: {SIGNATURE}</Error>");
    let server = Server::start(&clock, vec![answer(403, "", body)]).await;
    let transport = builder("http://127.0.0.1:1", &clock).build().unwrap();
    let url = format!("{}/a?sig={SIGNATURE}", server.url());
    let download = transport.download(&RECORDING, &url).unwrap();
    let error = download.to_writer(&mut Vec::new()).await.unwrap_err();
    let DownloadError::Refused(refused) = error else {
        panic!("{error:?}")
    };
    let body = String::from_utf8_lossy(&refused.body.bytes).into_owned();
    assert_eq!(body, "<Error>SignatureDoesNotMatch: ***</Error>");
}
