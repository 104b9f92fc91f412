//! `sync`: no call is lost or duplicated.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "sync/files.rs"]
mod files;
#[path = "sync/outages.rs"]
mod outages;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use call_api::Call;
use call_api_sandbox::{Fault, FaultRule, Faults};
use http::StatusCode;
use serde_json::Value;
use snapbox::str;
use support::{Files, assert_shown, program_for, property, run, sandbox_with};

/// Returns the number of records per id. Each line must be a complete call.
fn counts(files: &Files) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in fs::read_to_string(&files.out).unwrap().lines() {
        let call: Value = serde_json::from_str(line).unwrap();
        assert_eq!(property(&call, "duration"), 3601);
        *counts
            .entry(property(&call, "id").as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    counts
}

fn once(ids: &[String]) -> BTreeMap<String, usize> {
    ids.iter().map(|id| (id.clone(), 1)).collect()
}

fn lines(path: &Path) -> usize {
    fs::read(path)
        .unwrap_or_default()
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_summarized_and_retried_by_the_next_run() {
    let (sandbox, mut ids) = sandbox_with(5).await;
    ids.extend(["# a comment".to_owned(), String::new(), ids[0].clone()]);
    ids.extend([404, 405].map(support::id));
    let files = Files::new("sync-summary", &ids, "calls.jsonl");
    sandbox
        .set_faults(
            Faults::seeded(1)
                .rule(FaultRule::new(Fault::status(StatusCode::INTERNAL_SERVER_ERROR)).times(3)),
        )
        .unwrap();
    let mut shown = run(&mut files.sync(&sandbox, &["--jobs", "1"]));
    assert_eq!(counts(&files), once(&ids[1..5]));
    shown.push_str("---\n");
    shown.push_str(&run(
        &mut files.sync(&sandbox, &["--json-errors", "--jobs", "1"])
    ));
    assert_eq!(counts(&files), once(&ids[..5]));
    fs::write(&files.ids, ids[..5].join("\n")).unwrap();
    for arguments in [[].as_slice(), &["--quiet"]] {
        shown.push_str("---\n");
        shown.push_str(&run(&mut files.sync(&sandbox, arguments)));
    }
    assert_eq!(counts(&files), once(&ids[..5]));
    assert_shown(
        shown,
        str![[r#"
? 1
error: 1 × service: GET http://[HOST]/v1/call/00000000-0000-4000-8000-000000000001 was answered with 500: Internal Server Error (3 attempts); try later
error: 2 × not_found, the first: GET http://[HOST]/v1/call/00000000-0000-4000-8000-000000000404 was answered with 404: [..] (1 attempt); check the id, and that the base URL names the right service
summary: ids=7 fetched=4 already_there=0 failed=3 not_fetched=0 not_found=2 service=1 seconds=[SECONDS] exit_code=1
---
? 4
{"warning":{"message":"not requesting what was not found before (2); see [HOME]sync-summary/calls.jsonl.not-found, or use --retry-not-found"}}
{"summary":{"ids":7,"fetched":1,"already_there":4,"failed":2,"not_fetched":0,"by_class":{"not_found":2},"seconds":[SECONDS],"exit_code":4}}
---
summary: ids=5 fetched=0 already_there=5 failed=0 not_fetched=0 seconds=[SECONDS] exit_code=0
---

"#]],
    );
}

/// Kills `sync` twice, and truncates the last record each time.
#[tokio::test(flavor = "multi_thread")]
async fn killed_sync_is_resumed() {
    let (sandbox, ids) = sandbox_with(300).await;
    support::slow(&sandbox, 5);
    let files = Files::new("sync-killed", &ids, "calls.jsonl");
    for goal in [50, 150] {
        let mut child = files
            .sync(&sandbox, &[])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while lines(&files.out) < goal {
            assert!(
                child.try_wait().unwrap().is_none(),
                "the program ended before it was killed"
            );
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(lines(&files.out) < ids.len());
        let text = fs::read(&files.out).unwrap();
        fs::write(&files.out, &text[..text.len() - 20]).unwrap();
    }
    let asked_before = sandbox.requests().len();
    let there = lines(&files.out);
    let output = files.sync(&sandbox, &[]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(counts(&files), once(&ids));
    assert_eq!(
        sandbox.requests().len() - asked_before,
        ids.len() - there,
        "what was there is requested for again"
    );

    // An incomplete record is removed even when nothing is left to fetch.
    let whole = fs::read_to_string(&files.out).unwrap();
    fs::write(&files.out, format!("{whole}{{\"id\":\"0000")).unwrap();
    assert!(files.sync(&sandbox, &[]).output().unwrap().status.success());
    assert_eq!(fs::read_to_string(&files.out).unwrap(), whole);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn interrupted_sync_exits_cleanly_and_is_resumed() {
    let (sandbox, ids) = sandbox_with(100).await;
    support::slow(&sandbox, 20);
    let files = Files::new("sync-ctrl-c", &ids, "calls.jsonl");
    let mut shown = String::new();
    for (signal, goal) in [("-INT", 10), ("-TERM", 30)] {
        let mut child = files
            .sync(&sandbox, &[])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        while lines(&files.out) < goal {
            assert!(child.try_wait().unwrap().is_none(), "it ended early");
            std::thread::yield_now();
        }
        support::signal(&child, signal);
        shown.push_str(&support::shown(&child.wait_with_output().unwrap()));
    }
    // How far each run comes depends on timing.
    let fetched = regex::Regex::new(r"\d+ of 100").unwrap();
    assert_shown(
        fetched.replace_all(&shown, "[N] of 100").into_owned(),
        str![[r#"
? 130
interrupted: [N] of 100 fetched; rerun to resume
? 143
interrupted: [N] of 100 fetched; rerun to resume

"#]],
    );
    assert!(files.sync(&sandbox, &[]).output().unwrap().status.success());
    assert_eq!(counts(&files), once(&ids));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_limited_by_the_open_file_limit() {
    let (sandbox, ids) = sandbox_with(2).await;
    let files = Files::new("sync-jobs", &ids, "calls.jsonl");
    let sync = files.sync(&sandbox, &["--jobs", "5000"]);
    let mut limited = Command::new("/bin/sh");
    limited.args(["-c", "ulimit -n 100; exec \"$@\"", "sh"]);
    limited
        .arg(sync.get_program())
        .args(sync.get_args())
        .env_clear();
    limited.envs(
        sync.get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    assert_shown(
        run(&mut limited),
        str![[r#"
warning: --jobs 5000 exceeds the limit of 100 open files; using 68; raise the limit with ulimit -n
summary: ids=2 fetched=2 already_there=0 failed=0 not_fetched=0 seconds=[SECONDS] exit_code=0

"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_logged_where_there_is_no_terminal() {
    let (sandbox, ids) = sandbox_with(3).await;
    let files = Files::new("sync-progress", &ids, "calls.jsonl");
    let mut shown = run(&mut files.sync(&sandbox, &["--log-every", "0s", "--jobs", "1"]));
    let json = ["--log-every", "0s", "--jobs", "1", "--json-errors"];
    fs::remove_file(&files.out).unwrap();
    shown.push_str(&run(&mut files.sync(&sandbox, &json)));
    assert_shown(
        shown,
        str![[r#"
progress: ids=3 fetched=1 already_there=0 failed=0 not_fetched=2 seconds=[SECONDS]
progress: ids=3 fetched=2 already_there=0 failed=0 not_fetched=1 seconds=[SECONDS]
progress: ids=3 fetched=3 already_there=0 failed=0 not_fetched=0 seconds=[SECONDS]
summary: ids=3 fetched=3 already_there=0 failed=0 not_fetched=0 seconds=[SECONDS] exit_code=0
{"progress":{"ids":3,"fetched":1,"already_there":0,"failed":0,"not_fetched":2,"by_class":{},"seconds":[SECONDS]}}
{"progress":{"ids":3,"fetched":2,"already_there":0,"failed":0,"not_fetched":1,"by_class":{},"seconds":[SECONDS]}}
{"progress":{"ids":3,"fetched":3,"already_there":0,"failed":0,"not_fetched":0,"by_class":{},"seconds":[SECONDS]}}
{"summary":{"ids":3,"fetched":3,"already_there":0,"failed":0,"not_fetched":0,"by_class":{},"seconds":[SECONDS],"exit_code":0}}

"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rate_limits_the_requests() {
    let (sandbox, ids) = sandbox_with(25).await;
    let files = Files::new("sync-rate", &ids, "calls.jsonl");
    let started = std::time::Instant::now();
    let output = files.sync(&sandbox, &["--rate", "10"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    // After a burst of ten, the other fifteen are spread over 1.5 s.
    assert!(started.elapsed().as_secs_f64() >= 1.4);
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_records_begin_with_the_id() {
    let (sandbox, ids) = sandbox_with(2).await;
    for (name, expected) in [
        (
            "calls.csv",
            "id,status,contact.identifier\n{1},completed,+34600123456\n{2},completed,+34600123456\n",
        ),
        (
            "calls.jsonl",
            "{\"id\":\"{1}\",\"status\":\"completed\",\"contact\":{\"identifier\":\"+34600123456\"}}\n\
             {\"id\":\"{2}\",\"status\":\"completed\",\"contact\":{\"identifier\":\"+34600123456\"}}\n",
        ),
    ] {
        let files = Files::new("sync-fields", &ids, name);
        let fields = ["--fields", "status,contact.identifier", "--jobs", "1"];
        for _ in 0..2 {
            assert!(
                files
                    .sync(&sandbox, &fields)
                    .output()
                    .unwrap()
                    .status
                    .success()
            );
        }
        let expected = expected.replace("{1}", &ids[0]).replace("{2}", &ids[1]);
        assert_eq!(fs::read_to_string(&files.out).unwrap(), expected);
    }
    // The columns of a file stay the same.
    let files = Files::new("sync-fields", &ids, "calls.csv");
    run(&mut files.sync(&sandbox, &["--fields", "status"]));
    let output = files
        .sync(&sandbox, &["--fields", "duration"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settled_sync_writes_only_complete_calls() {
    let (sandbox, ids) = sandbox_with(4).await;
    let now =
        call_api::chrono::DateTime::<call_api::chrono::Utc>::from(std::time::SystemTime::now());
    // The first ended long ago, without a recording.
    let mut dialing = support::ended_as(2);
    dialing.status = call_api::CallStatus::Dialing;
    dialing.end_time = None;
    sandbox.put(dialing);
    let mut incomplete = support::ended_as(3);
    incomplete.end_time = Some(now);
    sandbox.put(incomplete.clone());
    let mut complete = incomplete.clone();
    complete.id = ids[3].parse().unwrap();
    complete.recording_url = Some("https://calls.example/1".to_owned());
    sandbox.put(complete);
    let files = Files::new("sync-settled", &ids, "calls.jsonl");
    let arguments = ["--settled", "--settle-time", "1h", "--jobs", "1"];
    let shown = run(&mut files.sync(&sandbox, &arguments));
    assert_eq!(counts(&files), once(&[ids[0].clone(), ids[3].clone()]));
    assert_shown(
        shown,
        str![[r#"
? 13
error: 2 × incomplete, the first: call 00000000-0000-4000-8000-000000000002 has not ended (status dialing); run the command again later
summary: ids=4 fetched=2 already_there=0 failed=2 not_fetched=0 incomplete=2 seconds=[SECONDS] exit_code=13

"#]],
    );

    // The next run fetches the others again.
    sandbox.put(support::ended_as(2));
    incomplete.recording_url = Some("https://calls.example/2".to_owned());
    sandbox.put(incomplete);
    let output = files.sync(&sandbox, &arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(counts(&files), once(&ids));
}
