//! The example `sync_calls`, killed and run again: no id is lost, and none is written twice.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

#[path = "support/service.rs"]
mod service;
mod support;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use call_api::{Call, Uuid};
use service::{found, respond};

fn command(program: &Path, url: &str, ids: &Path, out: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args([ids, out])
        .env("CALL_API_BASE_URL", url)
        .env("CALL_API_TOKEN", service::SECRET)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn lines(out: &Path) -> usize {
    fs::read(out).map_or(0, |text| text.iter().filter(|byte| **byte == b'\n').count())
}

fn output_text(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(text).unwrap()
}

#[test]
fn killed_run_is_resumed_without_loss_or_duplicate() {
    const IDS: u128 = 2000;
    const BEFORE: usize = 700;
    let program = support::example("sync_calls");
    let folder = support::empty_folder("sync_calls");
    let (ids, out) = (folder.join("ids.txt"), folder.join("calls.jsonl"));
    let mut file = fs::File::create(&ids).unwrap();
    // Every tenth id is repeated at once, and again at the end.
    let repeated = |number: u128| {
        let times = 1 + usize::from(number.is_multiple_of(10));
        std::iter::repeat_n(number, times)
    };
    for number in (0..IDS).flat_map(repeated).chain((0..IDS).step_by(10)) {
        writeln!(file, "{}", Uuid::from_u128(number)).unwrap();
    }

    let requests = Arc::new(AtomicUsize::new(0));
    let (counted, stalls) = (Arc::clone(&requests), Arc::new(AtomicBool::new(true)));
    let stalled = Arc::clone(&stalls);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = runtime.block_on(respond(move |id| {
        counted.fetch_add(1, Ordering::Relaxed);
        // The first run stalls here, and is killed.
        let stalls = id.as_u128() >= BEFORE as u128 && stalled.load(Ordering::Relaxed);
        async move {
            if stalls {
                std::future::pending::<()>().await;
            }
            found(id)
        }
    }));

    let mut first = command(&program, &url, &ids, &out).spawn().unwrap();
    while lines(&out) < BEFORE {
        assert!(
            first.try_wait().unwrap().is_none(),
            "the example ended on its own"
        );
        thread::yield_now();
    }
    // SIGKILL on Unix.
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(lines(&out), BEFORE);
    // Simulates a kill in the middle of a line.
    let mut file = OpenOptions::new().append(true).open(&out).unwrap();
    file.write_all(br#"{"id":"00000000-0000-0000-0000-"#)
        .unwrap();
    drop(file);

    stalls.store(false, Ordering::Relaxed);
    requests.store(0, Ordering::Relaxed);
    let second = command(&program, &url, &ids, &out).output().unwrap();
    assert!(second.status.success(), "{second:?}");
    let text = output_text(&second);
    assert!(text.contains("1300 calls written to "), "{text}");
    assert!(text.contains("; 700 were already there."), "{text}");
    let calls: Vec<Call> = fs::read_to_string(&out)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let written = calls.iter().map(|call| call.id.as_u128());
    assert!(written.eq(0..IDS));
    assert_eq!(
        requests.load(Ordering::Relaxed),
        1300,
        "only the missing calls"
    );

    // A third run has nothing to do.
    let before = fs::read(&out).unwrap();
    let third = command(&program, &url, &ids, &out).output().unwrap();
    assert!(third.status.success() && output_text(&third).contains("0 calls written"));
    assert_eq!(fs::read(&out).unwrap(), before);
}

#[test]
fn failed_ids_are_reported_and_retried_by_the_next_run() {
    let program = support::example("sync_calls");
    let folder = support::empty_folder("sync_calls_failed");
    let (ids, out) = (folder.join("ids.txt"), folder.join("calls.jsonl"));
    let (existing, missing) = (Uuid::from_u128(1), Uuid::from_u128(2));
    fs::write(&ids, format!("{missing}\nno id\n{existing}\n")).unwrap();
    let is_complete = Arc::new(AtomicBool::new(false));
    let has_all = Arc::clone(&is_complete);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = runtime.block_on(respond(move |id| {
        let is_found = id == existing || has_all.load(Ordering::Relaxed);
        async move {
            if is_found {
                found(id)
            } else {
                StatusCode::NOT_FOUND.into_response()
            }
        }
    }));
    let first = command(&program, &url, &ids, &out).output().unwrap();
    let text = output_text(&first);
    assert!(!first.status.success(), "{text}");
    assert!(text.contains("ids.txt:2: "), "{text}");
    assert!(text.contains(&format!("{missing}: GET ")), "{text}");
    assert!(text.contains("2 failed; run this again"), "{text}");
    assert_eq!(lines(&out), 1);

    is_complete.store(true, Ordering::Relaxed);
    fs::write(&ids, format!("{missing}\n{existing}\n")).unwrap();
    let second = command(&program, &url, &ids, &out).output().unwrap();
    assert!(second.status.success(), "{}", output_text(&second));
    assert_eq!(lines(&out), 2);

    // An unreadable list of ids is an error.
    let folder = command(&program, &url, &folder, &out).output().unwrap();
    assert!(!folder.status.success() && output_text(&folder).contains("error: "));
}
