//! The example `sync_calls`, killed in the middle and run again: no id is lost, and none is there twice.

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

fn run(program: &Path, url: &str, ids: &Path, out: &Path) -> Command {
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

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(text).unwrap()
}

#[test]
fn killed_and_run_again_it_has_each_call_once() {
    const IDS: u128 = 2000;
    const BEFORE: usize = 700;
    let program = support::example("sync_calls");
    let folder = support::empty_folder("sync_calls");
    let (ids, out) = (folder.join("ids.txt"), folder.join("calls.jsonl"));
    let mut file = fs::File::create(&ids).unwrap();
    // One in ten comes again at once, and again at the end.
    let often = |number: u128| {
        let times = 1 + usize::from(number.is_multiple_of(10));
        std::iter::repeat_n(number, times)
    };
    for number in (0..IDS).flat_map(often).chain((0..IDS).step_by(10)) {
        writeln!(file, "{}", Uuid::from_u128(number)).unwrap();
    }

    let asked = Arc::new(AtomicUsize::new(0));
    let (counted, stops) = (Arc::clone(&asked), Arc::new(AtomicBool::new(true)));
    let stopped = Arc::clone(&stops);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = runtime.block_on(respond(move |id| {
        counted.fetch_add(1, Ordering::Relaxed);
        // The first run gets no further than this: it is killed while it waits.
        let stops = id.as_u128() >= BEFORE as u128 && stopped.load(Ordering::Relaxed);
        async move {
            if stops {
                std::future::pending::<()>().await;
            }
            found(id)
        }
    }));

    let mut first = run(&program, &url, &ids, &out).spawn().unwrap();
    while lines(&out) < BEFORE {
        assert!(first.try_wait().unwrap().is_none(), "it ended by itself");
        thread::yield_now();
    }
    // SIGKILL, where there are signals.
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(lines(&out), BEFORE);
    // Had it been killed within a line, that would stand there.
    let mut cut = OpenOptions::new().append(true).open(&out).unwrap();
    cut.write_all(br#"{"id":"00000000-0000-0000-0000-"#)
        .unwrap();
    drop(cut);

    stops.store(false, Ordering::Relaxed);
    asked.store(0, Ordering::Relaxed);
    let second = run(&program, &url, &ids, &out).output().unwrap();
    assert!(second.status.success(), "{second:?}");
    let text = said(&second);
    assert!(text.contains("1300 calls written to "), "{text}");
    assert!(text.contains("; 700 were there before."), "{text}");
    let calls: Vec<Call> = fs::read_to_string(&out)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let written = calls.iter().map(|call| call.id.as_u128());
    assert!(written.eq(0..IDS));
    assert_eq!(asked.load(Ordering::Relaxed), 1300, "only what was missing");

    // A third has nothing to do.
    let before = fs::read(&out).unwrap();
    let third = run(&program, &url, &ids, &out).output().unwrap();
    assert!(third.status.success() && said(&third).contains("0 calls written"));
    assert_eq!(fs::read(&out).unwrap(), before);
}

#[test]
fn what_failed_is_said_and_asked_for_again() {
    let program = support::example("sync_calls");
    let folder = support::empty_folder("sync_calls_failed");
    let (ids, out) = (folder.join("ids.txt"), folder.join("calls.jsonl"));
    let (there, missing) = (Uuid::from_u128(1), Uuid::from_u128(2));
    fs::write(&ids, format!("{missing}\nno id\n{there}\n")).unwrap();
    let is_there = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_there);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = runtime.block_on(respond(move |id| {
        let found_now = id == there || asked.load(Ordering::Relaxed);
        async move {
            if found_now {
                found(id)
            } else {
                StatusCode::NOT_FOUND.into_response()
            }
        }
    }));
    let first = run(&program, &url, &ids, &out).output().unwrap();
    let text = said(&first);
    assert!(!first.status.success(), "{text}");
    assert!(text.contains("ids.txt:2: "), "{text}");
    assert!(text.contains(&format!("{missing}: GET ")), "{text}");
    assert!(text.contains("2 failed; run this again"), "{text}");
    assert_eq!(lines(&out), 1);

    is_there.store(true, Ordering::Relaxed);
    fs::write(&ids, format!("{missing}\n{there}\n")).unwrap();
    let second = run(&program, &url, &ids, &out).output().unwrap();
    assert!(second.status.success(), "{}", said(&second));
    assert_eq!(lines(&out), 2);

    // What can't be read is said, and is no reason to go on for ever.
    let folder = run(&program, &url, &folder, &out).output().unwrap();
    assert!(!folder.status.success() && said(&folder).contains("error: "));
}
