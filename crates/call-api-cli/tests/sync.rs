//! `sync`: no call is lost or duplicated.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

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
error: 2 × not_found, the first: GET http://[HOST]/v1/call/00000000-0000-4000-8000-000000000404 was answered with 404: Call not found (1 attempt); check the id, and that the base URL names the right service
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

#[tokio::test(flavor = "multi_thread")]
async fn csv_has_all_properties_and_is_resumed() {
    let (sandbox, ids) = sandbox_with(2).await;
    // Quotes and a line break in the value of every column with free text.
    let mut other = support::ended_as(3);
    other.end_reason = Some("shown \"no,\nnever\"".to_owned());
    sandbox.put(other);
    let files = Files::new("sync-csv", &ids, "calls.csv");
    let mut shown = run(&mut files.sync(&sandbox, &["--jobs", "1"]));
    fs::write(&files.ids, [ids[0].clone(), support::id(3)].join("\n")).unwrap();
    shown.push_str(&run(&mut files.sync(&sandbox, &[])));
    let whole = fs::read_to_string(&files.out).unwrap();
    // Cuts inside quotes, after a line that looks complete.
    let cut = whole
        .rfind('\n')
        .and_then(|end| whole[..end].rfind('\n'))
        .unwrap();
    fs::write(&files.out, &whole[..=cut]).unwrap();
    shown.push_str(&run(&mut files.sync(&sandbox, &[])));
    assert_eq!(fs::read_to_string(&files.out).unwrap(), whole);
    assert_shown(
        shown,
        str![[r#"
summary: ids=2 fetched=2 already_there=0 failed=0 not_fetched=0 seconds=[SECONDS] exit_code=0
summary: ids=2 fetched=1 already_there=1 failed=0 not_fetched=0 seconds=[SECONDS] exit_code=0
summary: ids=2 fetched=1 already_there=1 failed=0 not_fetched=0 seconds=[SECONDS] exit_code=0

"#]],
    );

    let mut records = csv::Reader::from_path(&files.out).unwrap();
    let columns = records.headers().unwrap().clone();
    assert_eq!(columns.get(0), Some("id"));
    let records: Vec<BTreeMap<String, String>> =
        records.deserialize().map(Result::unwrap).collect();
    let ids_written: Vec<_> = records.iter().map(|record| record["id"].clone()).collect();
    assert_eq!(ids_written, [1, 2, 3].map(support::id));
    let column = |name: &str| -> Vec<&str> {
        let values = records.iter().map(|record| record[name].as_str());
        values.collect()
    };
    for (field, _) in Call::PROPERTIES {
        let name = field.trim_end_matches('_');
        assert!(
            *field == "contact" || columns.iter().any(|column| column == name),
            "{name}"
        );
    }
    for (name, value) in [
        ("agent_id", ""),
        ("status", "completed"),
        ("type", "outbound"),
        ("contact_id", "00000000-0000-4000-8000-00000000000c"),
        ("contact_created_date", "2026-01-01T00:00:00Z"),
        ("contact_identifier", "+34600123456"),
        ("contact_type", "call"),
        ("created_date", "2026-01-02T03:04:05Z"),
        ("recording_url", ""),
        ("end_time", "2026-01-02T04:04:07Z"),
        ("duration", "3601"),
    ] {
        assert_eq!(column(name), [value; 3], "{name}");
    }
    let reasons = [
        "hung up \u{1b}[31m",
        "hung up \u{1b}[31m",
        "shown \"no,\nnever\"",
    ];
    assert_eq!(column("end_reason"), reasons);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_input_or_output_is_reported_before_the_first_request() {
    let (sandbox, ids) = sandbox_with(2).await;
    let files = Files::new("sync-wrong", &ids, "calls.jsonl");
    let mut shown = String::new();
    let mut say = |command: &mut Command| shown.push_str(&run(command));
    fs::write(
        &files.ids,
        "00000000-0000-4000-8000-000000000001\n+34600123456\n",
    )
    .unwrap();
    say(&mut files.sync(&sandbox, &[]));
    fs::remove_file(&files.ids).unwrap();
    say(&mut files.sync(&sandbox, &[]));
    fs::write(&files.ids, ids.join("\n")).unwrap();
    fs::write(&files.out, "{\"id\": 1}\n").unwrap();
    say(&mut files.sync(&sandbox, &[]));
    say(&mut files.sync(&sandbox, &["--format", "csv"]));
    assert_eq!(fs::read_to_string(&files.out).unwrap(), "{\"id\": 1}\n");
    fs::remove_file(&files.out).unwrap();
    let held = fs::File::create(&files.out).unwrap();
    held.lock().unwrap();
    say(&mut files.sync(&sandbox, &[]));
    drop(held);
    fs::remove_file(&files.out).unwrap();
    fs::create_dir(&files.out).unwrap();
    say(&mut files.sync(&sandbox, &[]));
    let out = files.out.join("calls.jsonl");
    say(&mut program_for(
        &sandbox,
        &[
            "sync",
            "--ids",
            "-",
            "--token-file",
            "-",
            "--out",
            out.to_str().unwrap(),
        ],
    ));
    say(&mut program_for(&sandbox, &["sync", "--ids", "-"]));
    assert_eq!(sandbox.requests().len(), 0);
    assert_shown(
        shown,
        str![[r#"
? 2
error: [HOME]sync-wrong/ids.txt:2: "+34600123456" is not a valid call id (expected a UUID)
error: cannot use the ids in [HOME]sync-wrong/ids.txt: fix these lines, or skip them with --skip-invalid
? 1
error: cannot read the ids in [HOME]sync-wrong/ids.txt: No such file or directory (os error 2); check that the file exists and is readable
? 1
error: [HOME]sync-wrong/calls.jsonl:1 is not a record that sync wrote as JSON lines; use another file, or the --format of this one
? 1
error: [HOME]sync-wrong/calls.jsonl:1 is not a record that sync wrote as CSV; use another file, or the --format of this one
? 1
error: another run is writing [HOME]sync-wrong/calls.jsonl; wait for it, or use another file (`-` is standard output)
? 1
error: cannot write [HOME]sync-wrong/calls.jsonl: it is not a regular file; use another file (`-` is standard output)
? 2
error: standard input cannot be both the token and other input; use a file for one of them
? 2
error: the following required arguments were not provided: --out <FILE>; see `call-api sync --help`

"#]],
    );
}

/// The last line of a foreign file may lack a line break.
#[tokio::test(flavor = "multi_thread")]
async fn foreign_file_is_left_unchanged() {
    let (sandbox, ids) = sandbox_with(2).await;
    for (name, text) in [
        ("sync-foreign.jsonl", "{\"precious\": true}"),
        ("sync-foreign.csv", "id;precious"),
    ] {
        let files = Files::new(name, &ids, name);
        fs::write(&files.out, text).unwrap();
        let output = files.sync(&sandbox, &[]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(fs::read_to_string(&files.out).unwrap(), text);
    }
    assert_eq!(sandbox.requests().len(), 0);
    // A partial header is completed.
    let files = Files::new("sync-header", &ids, "calls.csv");
    fs::write(&files.out, "id,agent").unwrap();
    assert!(files.sync(&sandbox, &[]).output().unwrap().status.success());
    assert_eq!(lines(&files.out), 3);
    let text = fs::read_to_string(&files.out).unwrap();
    let (whole, last) = text.trim_end().rsplit_once('\n').unwrap();
    let part = &last[..40];
    fs::write(&files.out, format!("{whole}\n{part}")).unwrap();
    assert!(files.sync(&sandbox, &[]).output().unwrap().status.success());
    assert_eq!(lines(&files.out), 3);
}

/// A service that is down, or rejects the token, must not get one request per id.
#[tokio::test(flavor = "multi_thread")]
async fn sync_stops_when_the_service_fails() {
    let (sandbox, ids) = sandbox_with(200).await;
    let files = Files::new("sync-stops", &ids, "calls.jsonl");
    let mut shown = run(files
        .sync(&sandbox, &["--jobs", "1"])
        .env("CALL_API_TOKEN", "wrong"));
    assert_eq!(sandbox.requests().len(), 1);
    sandbox
        .set_faults(Faults::seeded(1).rule(Fault::status(StatusCode::NOT_IMPLEMENTED)))
        .unwrap();
    shown.push_str(&run(
        &mut files.sync(&sandbox, &["--jobs", "1", "--give-up-after", "1s"])
    ));
    let retrying = regex::Regex::new("warning: retrying.*\n").unwrap();
    assert!(retrying.is_match(&shown), "{shown}");
    assert_shown(
        retrying.replace_all(&shown, "").into_owned(),
        str![[r#"
? 5
error: 1 × refused: GET http://[HOST]/v1/call/00000000-0000-4000-8000-000000000001 was answered with 401: Invalid authentication credentials (1 attempt); check the token: it may be wrong, revoked or of another service
interrupted; run the command again to resume
summary: ids=200 fetched=0 already_there=0 failed=1 not_fetched=199 refused=1 seconds=[SECONDS] exit_code=5
? 8
error: 8 × service, the first: GET http://[HOST]/v1/call/00000000-0000-4000-8000-000000000001 was answered with 501: Not Implemented (1 attempt); try later
interrupted; run the command again to resume
summary: ids=200 fetched=0 already_there=0 failed=8 not_fetched=192 service=8 seconds=[SECONDS] exit_code=8

"#]],
    );
}

/// The service is down for longer than the retries of one request last.
#[tokio::test(flavor = "multi_thread")]
async fn sync_rides_out_a_restart_of_the_service() {
    let (sandbox, ids) = sandbox_with(30).await;
    let files = Files::new("sync-restart", &ids, "calls.jsonl");
    let down = FaultRule::new(Fault::status(StatusCode::NOT_IMPLEMENTED)).times(20);
    sandbox.set_faults(Faults::seeded(1).rule(down)).unwrap();
    let output = files.sync(&sandbox, &[]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(counts(&files), once(&ids));
    let shown = support::shown(&output);
    assert!(shown.contains("\nsummary: ids=30 fetched=30 "), "{shown}");
}

/// A request that began in an outage fails after another has shown that the service works again.
#[tokio::test(flavor = "multi_thread")]
async fn late_failure_of_an_outage_is_fetched_again() {
    let (sandbox, ids) = sandbox_with(9).await;
    let files = Files::new("sync-late", &ids, "calls.jsonl");
    let fault = || FaultRule::new(Fault::status(StatusCode::NOT_IMPLEMENTED));
    sandbox.set_faults(Faults::seeded(1).rule(fault())).unwrap();
    let mut sync = files.sync(&sandbox, &["--jobs", "2"]);
    let mut sync = sync.stderr(Stdio::piped()).spawn().unwrap();
    let mut shown = BufReader::new(sync.stderr.take().unwrap()).lines();
    assert!(shown.any(|line| line.unwrap().contains("retrying for ")));

    let first = ids[0].parse().unwrap();
    let by = Duration::from_millis(500);
    let late = FaultRule::new(Fault::Latency { by }).id(first);
    let faults = Faults::seeded(1)
        .rule(late)
        .rule(fault().id(first).times(1));
    sandbox.set_faults(faults).unwrap();
    let shown: Vec<_> = shown.map(Result::unwrap).collect();
    assert!(sync.wait().unwrap().success(), "{shown:?}");
    assert_eq!(counts(&files), once(&ids));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn input_and_output_must_be_regular_files_or_standard_streams() {
    let (sandbox, ids) = sandbox_with(2).await;
    let files = Files::new("sync-nodes", &ids, "calls.jsonl");
    let fifo = support::folder("sync-nodes").join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let fifo = fifo.to_str().unwrap();
    let (input, out) = (files.ids.to_str().unwrap(), files.out.to_str().unwrap());
    let mut shown = String::new();
    for (ids, out) in [(fifo, out), (input, fifo)] {
        let arguments = ["sync", "--ids", ids, "--out", out];
        shown.push_str(&run(&mut program_for(&sandbox, &arguments)));
    }
    assert_eq!(sandbox.requests().len(), 0);

    let arguments = ["sync", "--ids", "-", "--out", "-", "--jobs", "1"];
    let file = fs::File::open(&files.ids).unwrap();
    let output = program_for(&sandbox, &arguments).stdin(file).output();
    let output = output.unwrap();
    let records = str::from_utf8(&output.stdout).unwrap().lines();
    let records = records.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let written: Vec<_> = records.map(|call| property(&call, "id").clone()).collect();
    assert_eq!(written, ids);
    shown.push_str(str::from_utf8(&output.stderr).unwrap());
    assert_shown(
        shown,
        str![[r#"
? 1
error: cannot read the ids in [HOME]sync-nodes/fifo: it is not a regular file; use `-` and redirect it to standard input
? 1
error: cannot write [HOME]sync-nodes/fifo: it is not a regular file; use another file (`-` is standard output)
summary: ids=2 fetched=2 already_there=0 failed=0 not_fetched=0 seconds=[SECONDS] exit_code=0

"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_lines_are_listed_and_can_be_skipped() {
    let (sandbox, ids) = sandbox_with(1).await;
    let files = Files::new("sync-invalid", &ids, "calls.jsonl");
    let invalid: String = (0..12)
        .map(|number| format!("+3460012345{number}\n"))
        .collect();
    fs::write(&files.ids, format!("\u{feff}{}\r\n{invalid}", ids[0])).unwrap();
    let mut shown = run(&mut files.sync(&sandbox, &[]));
    assert_eq!(sandbox.requests().len(), 0);
    shown.push_str("---\n");
    shown.push_str(&run(&mut files.sync(&sandbox, &["--skip-invalid"])));
    assert_eq!(counts(&files), once(&ids));
    fs::write(&files.ids, "x".repeat(2_000)).unwrap();
    shown.push_str("---\n");
    shown.push_str(&run(&mut files.sync(&sandbox, &["--skip-invalid"])));
    assert_shown(
        shown,
        str![[r#"
? 2
error: [HOME]sync-invalid/ids.txt:2: "+34600123450" is not a valid call id (expected a UUID)
error: [HOME]sync-invalid/ids.txt:3: "+34600123451" is not a valid call id (expected a UUID)
error: [HOME]sync-invalid/ids.txt:4: "+34600123452" is not a valid call id (expected a UUID)
error: [HOME]sync-invalid/ids.txt:5: "+34600123453" is not a valid call id (expected a UUID)
error: [HOME]sync-invalid/ids.txt:6: "+34600123454" is not a valid call id (expected a UUID)
error: [HOME]sync-invalid/ids.txt:7: "+34600123455" is not a valid call id (expected a UUID)
error: [HOME]sync-invalid/ids.txt:8: "+34600123456" is not a valid call id (expected a UUID)
error: [HOME]sync-invalid/ids.txt:9: "+34600123457" is not a valid call id (expected a UUID)
error: [HOME]sync-invalid/ids.txt:10: "+34600123458" is not a valid call id (expected a UUID)
error: [HOME]sync-invalid/ids.txt:11: "+34600123459" is not a valid call id (expected a UUID)
error: cannot use the ids in [HOME]sync-invalid/ids.txt: fix these lines, or skip them with --skip-invalid
---
warning: [HOME]sync-invalid/ids.txt:2: "+34600123450" is not a valid call id (expected a UUID); skipped
warning: [HOME]sync-invalid/ids.txt:3: "+34600123451" is not a valid call id (expected a UUID); skipped
warning: [HOME]sync-invalid/ids.txt:4: "+34600123452" is not a valid call id (expected a UUID); skipped
warning: [HOME]sync-invalid/ids.txt:5: "+34600123453" is not a valid call id (expected a UUID); skipped
warning: [HOME]sync-invalid/ids.txt:6: "+34600123454" is not a valid call id (expected a UUID); skipped
warning: [HOME]sync-invalid/ids.txt:7: "+34600123455" is not a valid call id (expected a UUID); skipped
warning: [HOME]sync-invalid/ids.txt:8: "+34600123456" is not a valid call id (expected a UUID); skipped
warning: [HOME]sync-invalid/ids.txt:9: "+34600123457" is not a valid call id (expected a UUID); skipped
warning: [HOME]sync-invalid/ids.txt:10: "+34600123458" is not a valid call id (expected a UUID); skipped
warning: [HOME]sync-invalid/ids.txt:11: "+34600123459" is not a valid call id (expected a UUID); skipped
warning: [HOME]sync-invalid/ids.txt: skipped 12 invalid lines
summary: ids=1 fetched=1 already_there=0 failed=0 not_fetched=0 seconds=[SECONDS] exit_code=0
---
? 2
error: [HOME]sync-invalid/ids.txt:1: longer than [COUNT] bytes; this is not a list of ids

"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_ids_are_written_to_a_file() {
    let (sandbox, mut ids) = sandbox_with(2).await;
    ids.push(support::id(404));
    let files = Files::new("sync-failed", &ids, "calls.jsonl");
    let failed = files.out.with_file_name("failed.txt");
    let arguments = ["--failed", failed.to_str().unwrap()];
    run(&mut files.sync(&sandbox, &arguments));
    assert_eq!(
        fs::read_to_string(&failed).unwrap(),
        support::id(404) + "\n"
    );
    fs::write(&files.ids, ids[..2].join("\n")).unwrap();
    run(&mut files.sync(&sandbox, &arguments));
    assert_eq!(fs::read_to_string(&failed).unwrap(), "");
    // It does not replace the list of ids or the calls.
    for path in [&files.ids, &files.out] {
        let before = fs::read(path).unwrap();
        let output = files
            .sync(&sandbox, &["--failed", path.to_str().unwrap()])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert_eq!(fs::read(path).unwrap(), before);
    }
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

/// Random faults: every id is fetched in the end.
#[tokio::test(flavor = "multi_thread")]
async fn random_faults_lose_no_call() {
    let (sandbox, ids) = sandbox_with(200).await;
    let rule = |fault, share| FaultRule::new(fault).share(share);
    sandbox
        .set_faults(
            Faults::seeded(7)
                .rule(rule(Fault::status(StatusCode::SERVICE_UNAVAILABLE), 0.1))
                .rule(rule(
                    Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, "0"),
                    0.05,
                ))
                .rule(rule(Fault::Reset, 0.05))
                .rule(rule(Fault::Truncated, 0.05)),
        )
        .unwrap();
    let files = Files::new("sync-bad-day", &ids, "calls.jsonl");
    for _ in 0..10 {
        if files.sync(&sandbox, &[]).output().unwrap().status.success() {
            break;
        }
    }
    assert_eq!(counts(&files), once(&ids));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_do_not_exist_are_not_requested_again() {
    let (sandbox, mut ids) = sandbox_with(2).await;
    ids.push(support::id(404));
    let files = Files::new("sync-not-found", &ids, "calls.jsonl");
    run(&mut files.sync(&sandbox, &[]));
    let kept = files.out.with_file_name("calls.jsonl.not-found");
    let known = fs::read_to_string(&kept).unwrap();
    assert!(
        known.ends_with(&format!("\n{}\n", support::id(404))),
        "{known}"
    );

    // An id that a killed run left incomplete counts for nothing.
    fs::write(&kept, format!("{known}0000")).unwrap();
    let before = sandbox.requests().len();
    let failed = files.out.with_file_name("failed.txt");
    let shown = run(&mut files.sync(&sandbox, &["--failed", failed.to_str().unwrap()]));
    assert_eq!(sandbox.requests().len(), before);
    assert_eq!(
        fs::read_to_string(&failed).unwrap(),
        support::id(404) + "\n"
    );
    assert_shown(
        shown,
        str![[r#"
? 4
warning: not requesting what was not found before (1); see [HOME]sync-not-found/calls.jsonl.not-found, or use --retry-not-found
error: 1 × not_found before
summary: ids=3 fetched=0 already_there=2 failed=1 not_fetched=0 not_found=1 seconds=[SECONDS] exit_code=4

"#]],
    );

    // With the option, or at another service, they are requested.
    run(&mut files.sync(&sandbox, &["--retry-not-found"]));
    assert_eq!(sandbox.requests().len(), before + 1);
    fs::write(&kept, known.replace("127.0.0.1", "localhost")).unwrap();
    run(&mut files.sync(&sandbox, &[]));
    assert_eq!(sandbox.requests().len(), before + 2);
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
