//! A download whose process is killed is resumed by the next one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use call_api::{Call, Client};

const TOKEN: &str = "a-token-that-must-not-be-seen";

const LENGTH: usize = 4 << 20;

fn long_recording() -> Vec<u8> {
    (0..LENGTH).map(|n| (n % 251) as u8).collect()
}

/// Starts a host that stalls within a full response, and completes each range response.
fn slow_host() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&requests);
    std::thread::spawn(move || {
        let bytes = long_recording();
        let mut stalled = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0].into());
            }
            let range = request.find("range: bytes=").map(|at| &request[at + 13..]);
            let first: Option<usize> =
                range.map(|range| range[..range.find('-').unwrap()].parse().unwrap());
            let head = |status: &str, length: usize| {
                format!(
                    "HTTP/1.1 {status}\r\netag: \"v1\"\r\ncontent-type: audio/mpeg\r\ncontent-length: {length}\r\n"
                )
            };
            log.lock().unwrap().push(request.clone());
            let Some(first) = first else {
                write!(stream, "{}\r\n", head("200 OK", LENGTH)).unwrap();
                stream.write_all(&bytes[..LENGTH * 3 / 4]).unwrap();
                stalled.push(stream);
                continue;
            };
            let range = format!(
                "content-range: bytes {first}-{}/{LENGTH}\r\n\r\n",
                LENGTH - 1
            );
            write!(
                stream,
                "{}{range}",
                head("206 Partial Content", LENGTH - first)
            )
            .unwrap();
            stream.write_all(&bytes[first..]).unwrap();
        }
    });
    (url, requests)
}

const URL_VARIABLE: &str = "RECORDING_TEST_URL";
const FOLDER_VARIABLE: &str = "RECORDING_TEST_FOLDER";

/// Runs in the process that is killed.
#[tokio::test]
#[ignore = "run by `killed_download_is_resumed`, with its environment variables"]
async fn download_in_killed_process() {
    let mut call = Call::sample();
    call.recording_url = Some(std::env::var(URL_VARIABLE).unwrap());
    let folder = PathBuf::from(std::env::var(FOLDER_VARIABLE).unwrap());
    let client = Client::builder()
        .base_url("http://localhost")
        .token(TOKEN)
        .build()
        .unwrap();
    let recording = client.recording(&call).to_folder(folder).await.unwrap();
    assert_eq!(recording.saved().unwrap().bytes, LENGTH as u64);
}

#[test]
fn killed_download_is_resumed() {
    let (url, requests) = slow_host();
    let folder = support::empty_folder("recording-killed");
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "download_in_killed_process", "--ignored"])
            .env(URL_VARIABLE, &url)
            .env(FOLDER_VARIABLE, &folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let named = |suffix: &str| folder.join(format!("{}.{suffix}", Call::sample().id));
    let state = |path: &Path| fs::read_to_string(path).unwrap_or_default();

    let mut process = start();
    while !state(&named("part-state")).contains("\nsynced ") {
        assert!(
            process.try_wait().unwrap().is_none(),
            "the download ended before it was killed"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    // SIGKILL on Unix.
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(!named("mp3").exists());
    assert!(fs::metadata(named("part")).unwrap().len() < LENGTH as u64);

    assert!(start().wait().unwrap().success());
    assert!(fs::read(named("mp3")).unwrap() == long_recording());
    assert!(!named("part").exists() && !named("part-state").exists());
    let requests = requests.lock().unwrap();
    assert_eq!(requests.len(), 2);
    assert!(!requests[0].contains("range: ") && requests[1].contains("if-range: \"v1\""));
    // At least one synced MiB is not fetched again.
    let first = requests[1].split("range: bytes=").nth(1).unwrap();
    assert!(first.split('-').next().unwrap().parse::<usize>().unwrap() >= 1 << 20);
}
