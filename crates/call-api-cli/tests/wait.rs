//! `wait` for several calls and for what comes after their end, and `get` with ids from standard input.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use call_api::{Call, CallStatus};
use call_api_sandbox::Sandbox;
use serde_json::Value;
use snapbox::str;
use support::{assert_shown, ended_as, id, program_for, property, run};

/// Runs the program with this standard input.
fn fed(command: &mut Command, input: &str) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// Starts a sandbox with the calls 1 and 2, which have ended, and 3, which is dialed.
async fn sandbox() -> Sandbox {
    let (sandbox, _) = support::sandbox_with(2).await;
    let mut dialing = ended_as(3);
    dialing.status = CallStatus::Dialing;
    dialing.end_time = None;
    sandbox.put(dialing);
    sandbox
}

fn ids_of(output: &[u8]) -> Vec<String> {
    let calls: Vec<Call> = serde_json::from_slice(output).unwrap();
    calls.iter().map(|call| call.id.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_read_from_standard_input() {
    let sandbox = sandbox().await;
    let input = format!("# two\n{}\n{}\n", id(1), id(2));
    for command in ["get", "wait"] {
        for arguments in [[command, "-"].as_slice(), &[command, "--ids", "-"]] {
            let output = fed(&mut program_for(&sandbox, arguments), &input);
            assert_eq!(ids_of(&output.stdout), [id(1), id(2)], "{output:?}");
        }
    }
    let third = id(3);
    let output = fed(&mut program_for(&sandbox, &["get", &third, "-"]), &input);
    assert_eq!(ids_of(&output.stdout), [id(3), id(1), id(2)]);
    let invalid = format!("{}\nnonsense\n", id(1));
    let mut command = program_for(&sandbox, &["get", "-", "--skip-invalid"]);
    let output = fed(&mut command, &invalid);
    assert_eq!(ids_of(&output.stdout), [id(1)]);
    assert!(output.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_for_all_reports_each_call_that_has_not_ended() {
    let sandbox = sandbox().await;
    let ids = [3, 2, 1, 2].map(id);
    let mut arguments = vec!["wait", "--timeout", "300ms", "--json-errors"];
    arguments.extend(ids.iter().map(String::as_str));
    let output = program_for(&sandbox, &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(10));
    // In the order of the ids, each once, with the last state of the one that has not ended.
    assert_eq!(ids_of(&output.stdout), [id(3), id(2), id(1)]);
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["id"], id(3));
    assert_eq!(error["error"]["class"], "timeout");

    let missing = id(404);
    arguments.push(&missing);
    let output = program_for(&sandbox, &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "errors of two classes");
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_for_any_prints_the_first_that_ends() {
    let sandbox = sandbox().await;
    let (third, first, missing) = (id(3), id(1), id(404));
    let arguments = ["wait", "--any", &third, &first, "--timeout", "1m"];
    let output = program_for(&sandbox, &arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let call: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(property(&call, "id"), &id(1));

    let arguments = ["wait", "--any", &third, &missing, "--timeout", "300ms"];
    let output = program_for(&sandbox, &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(ids_of(&output.stdout), [id(3)]);
    assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn settled_wait_says_what_is_missing() {
    let (sandbox, _) = support::sandbox_with(1).await;
    let mut call = ended_as(1);
    call.status = CallStatus::NoAnswer;
    sandbox.put(call);
    let first = id(1);
    let arguments = ["wait", &first, "--settled", "--fields", "status"];
    let mut shown = run(&mut program_for(&sandbox, &arguments));
    // It has no recording, and ended before the settle time.
    sandbox.put(ended_as(1));
    shown.push_str(&run(&mut program_for(&sandbox, &arguments)));
    let arguments = [&arguments[..], &["--json-errors"]].concat();
    shown.push_str(&run(&mut program_for(&sandbox, &arguments)));
    // The document may rename the property.
    let url = Call::name_in_json("recording_url");
    assert_shown(
        shown.replace(url, "recording_url"),
        str![[r#"
{
  "status": "no_answer"
}
? 13
error: call 00000000-0000-4000-8000-000000000001 has ended (completed) without recording_url; use a longer --settle-time, or fetch it later
{
  "status": "completed"
}
? 13
{"error":{"class":"incomplete","exit_code":13,"message":"call 00000000-0000-4000-8000-000000000001 has ended (completed) without recording_url; use a longer --settle-time, or fetch it later","id":"00000000-0000-4000-8000-000000000001","missing":["recording_url"]}}
{
  "status": "completed"
}

"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_select_properties() {
    let sandbox = sandbox().await;
    let (first, second) = (id(1), id(2));
    let url = Call::name_in_json("recording_url");
    let fields = format!("status,contact.identifier,contact.id,{url},created_date");
    let mut shown = String::new();
    for format in ["json", "jsonl", "yaml", "table"] {
        let arguments = ["get", &first, "--utc", "-o", format, "--fields", &fields];
        shown.push_str(&run(&mut program_for(&sandbox, &arguments)));
        shown.push_str("---\n");
    }
    let arguments = [
        "get",
        &first,
        &second,
        "-o",
        "table",
        "--fields",
        "id,contact.identifier,nope",
    ];
    shown.push_str(&run(&mut program_for(&sandbox, &arguments)));
    let arguments = ["get", &first, "--fields", "id,,status"];
    shown.push_str(&run(&mut program_for(&sandbox, &arguments)));
    assert_shown(
        shown.replace(url, "recording_url"),
        str![[r#"
{
  "status": "completed",
  "contact": {
    "identifier": "+34600123456",
    "id": "00000000-0000-4000-8000-00000000000c"
  },
  "created_date": "2026-01-02T03:04:05Z"
}
---
{"status":"completed","contact":{"identifier":"+34600123456","id":"00000000-0000-4000-8000-00000000000c"},"created_date":"2026-01-02T03:04:05Z"}
---
status: completed
contact:
  identifier: "+34600123456"
  id: 00000000-0000-4000-8000-00000000000c
created_date: "2026-01-02T03:04:05Z"
---
status              completed
contact.identifier  ***456
contact.id          00000000-0000-4000-8000-00000000000c
recording_url [..]-
created_date        2026-01-02 03:04:05 UTC
---
warning: no call has the property "nope"; see the names with --output json
ID                                    CONTACT.IDENTIFIER  NOPE
00000000-0000-4000-8000-000000000001  ***456              -
00000000-0000-4000-8000-000000000002  ***456              -
? 2
error: invalid value 'id,,status' for '--fields <NAMES>': expected names of properties, such as id,contact.identifier; see `call-api get --help`

"#]],
    );
}
