//! `watch` and `wait` on a manual clock.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use call_api_sandbox::Sandbox;
use snapbox::str;
use support::{EXAMPLE, assert_shown, program_for, property, scripted_sandbox, shown};

fn start(command: &mut Command) -> Child {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_prints_each_change_when_it_occurs() {
    let sandbox = scripted_sandbox().await;
    let mut child = start(&mut program_for(
        &sandbox,
        &["watch", EXAMPLE, "--every", "100ms"],
    ));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut statuses = Vec::new();
    for seconds in [2, 30, 0] {
        let line = lines.next().unwrap().unwrap();
        let call: serde_json::Value = serde_json::from_str(&line).unwrap();
        statuses.push(property(&call, "status").as_str().unwrap().to_owned());
        sandbox.advance(Duration::from_secs(seconds));
    }
    assert_eq!(statuses, ["dialing", "in_progress", "completed"]);
    assert!(lines.next().is_none(), "it continues after the end");
    assert!(child.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_prints_only_the_ended_call() {
    let sandbox = scripted_sandbox().await;
    let arguments = ["wait", EXAMPLE, "--every", "100ms", "-o", "table", "--utc"];
    let child = start(&mut program_for(&sandbox, &arguments));
    while sandbox.requests().len() < 3 {
        tokio::task::yield_now().await;
    }
    sandbox.advance(Duration::from_secs(32));
    let text = shown(&child.wait_with_output().unwrap());
    let without_dates = regex::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d").unwrap();
    assert_shown(
        without_dates.replace_all(&text, "[DATE]").into_owned(),
        str![[r#"
id [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
status [..]completed
type [..]inbound
contact [..]***ng> (call)
agent [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
phone [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
created [..][DATE] UTC
started [..][DATE] UTC
ended [..][DATE] UTC
duration [..]30s
recording [..]-
reason [..]completed
...

"#]],
    );
}

/// A new call that the service does not know yet.
#[tokio::test(flavor = "multi_thread")]
async fn wait_with_grace_tolerates_a_missing_call() {
    let sandbox = Sandbox::start().await.unwrap();
    let id = support::id(1);
    let child = start(&mut program_for(
        &sandbox,
        &[
            "wait", &id, "--grace", "1h", "--every", "100ms", "-o", "jsonl",
        ],
    ));
    while sandbox.requests().len() < 3 {
        tokio::task::yield_now().await;
    }
    sandbox.put(support::ended());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(str::from_utf8(&output.stdout).unwrap().contains(&id));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_exits_with_130_and_prints_nothing() {
    let sandbox = scripted_sandbox().await;
    let mut child = start(&mut program_for(
        &sandbox,
        &["watch", EXAMPLE, "--every", "100ms"],
    ));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    support::signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut shown = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut shown)
        .unwrap();
    assert_eq!(shown, "");
}

/// As in `call-api … | head -n 1`.
#[tokio::test(flavor = "multi_thread")]
async fn closed_standard_output_is_not_an_error() {
    let sandbox = scripted_sandbox().await;
    for arguments in [
        ["watch", EXAMPLE, "--every", "100ms"].as_slice(),
        &["get", EXAMPLE],
        &["get", EXAMPLE, "-o", "table"],
        &["doctor", EXAMPLE],
        &["completions", "bash"],
        &["man"],
        &["--help"],
    ] {
        let mut child = start(&mut program_for(&sandbox, arguments));
        drop(child.stdout.take());
        // `watch` has more to print after this.
        sandbox.advance(Duration::from_secs(2));
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (shown(&output).as_str(), output.status.code()),
            ("", Some(0)),
            "{arguments:?}"
        );
    }
}

#[test]
fn full_disk_is_an_error() {
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else {
        eprintln!("SKIPPED: no /dev/full on this system");
        return;
    };
    let output = support::program(&["completions", "bash"])
        .stdout(full)
        .output()
        .unwrap();
    assert_shown(
        shown(&output),
        str![[r#"
? 1
error: cannot write to standard output: No space left on device (os error 28); check its destination

"#]],
    );
}
