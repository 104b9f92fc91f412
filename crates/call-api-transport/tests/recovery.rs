//! Downloads with wrong parts, held locks or invalid targets, and the text of their errors.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]

#[path = "support/folder.rs"]
mod folder;
mod support;

use std::fs;
use std::time::Duration;

use call_api_transport::{Download, DownloadError, Transport, TransportErrorKind};
use folder::{Folder, V1};
use support::{RECORDING, SECRET, Server, Step, TestClock, all_text, answer, builder};

/// More bytes than are written between two syncs.
const LENGTH: usize = 4 << 20;

fn content() -> Vec<u8> {
    (0..LENGTH).map(|index| (index / 1000) as u8).collect()
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
async fn part_as_long_as_the_whole_is_not_written() {
    let (clock, content, folder) = (TestClock::default(), content(), Folder::new("length"));
    let whole = format!("{V1}content-length: {LENGTH}\r\n");
    let scripts = vec![
        first_half(&content),
        second_half(&whole, &content),
        answer(200, V1, &content),
    ];
    let server = Server::start(&clock, scripts).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let saved = folder.save(download(&transport, &server)).await.unwrap();
    assert_eq!(saved.attempt_log.attempts().len(), 3);
    assert!(fs::read(folder.target()).unwrap() == content);
}

#[tokio::test]
async fn bytes_after_a_failed_check_are_not_resumed() {
    let (clock, content, folder) = (TestClock::default(), content(), Folder::new("check"));
    // Chunked: only the end of the body shows that it is the whole content.
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
    let error = folder
        .save(download(&transport, &server))
        .await
        .unwrap_err();
    let DownloadError::Failed(error) = error else {
        panic!("{error:?}")
    };
    let is_mismatch = matches!(error.kind(), TransportErrorKind::IntegrityMismatch { .. });
    assert!(is_mismatch, "{error}");
    let saved = folder.save(download(&transport, &server)).await.unwrap();
    assert_eq!(saved.resumed_from, LENGTH as u64 / 2);
    assert!(fs::read(folder.target()).unwrap() == content);
}

#[tokio::test]
async fn part_without_entity_tag_is_not_appended() {
    let (clock, content, folder) = (TestClock::default(), content(), Folder::new("tag"));
    let headers = format!("content-length: {}\r\n", LENGTH / 2);
    let scripts = vec![
        first_half(&content),
        second_half(&headers, &content[..LENGTH / 2]),
        answer(200, V1, &content),
    ];
    let server = Server::start(&clock, scripts).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    folder.save(download(&transport, &server)).await.unwrap();
    assert!(fs::read(folder.target()).unwrap() == content);
    assert!(!server.requests()[2].contains("range:"));
}

#[tokio::test]
async fn briefly_held_lock_is_awaited() {
    let (clock, folder) = (TestClock::default(), Folder::new("lock"));
    let server = Server::start(&clock, vec![answer(200, V1, "sound")]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let held = fs::File::create(folder.part()).unwrap();
    held.lock().unwrap();
    let release = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(held);
    });
    folder.save(download(&transport, &server)).await.unwrap();
    release.await.unwrap();
}

#[tokio::test]
async fn target_that_is_not_a_file_is_rejected_unsent() {
    let (clock, folder) = (TestClock::default(), Folder::new("target"));
    let server = Server::start(&clock, vec![answer(200, V1, "sound")]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    fs::create_dir(folder.target()).unwrap();
    let error = folder
        .save(download(&transport, &server))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("is not a regular file"),
        "{error}"
    );
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn errors_omit_credentials_and_content_of_urls() {
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
        let text = format!("{debug}\n{}", all_text(&error));
        assert!(!text.contains(SECRET), "{text}");
        assert!(text.contains("RefusedUrl"), "{text}");
    }
}

#[tokio::test]
async fn signature_repeated_by_the_storage_is_redacted() {
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
