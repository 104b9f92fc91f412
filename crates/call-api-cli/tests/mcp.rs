//! `mcp`, asked by a client of the protocol.

#![allow(clippy::unwrap_used, reason = "tests may panic")]
#![cfg(feature = "mcp")]

mod support;

use std::process::Stdio;
use std::time::Duration;

use call_api::{Call, CallStatus};
use call_api_sandbox::{Fault, Faults, Sandbox};
use rmcp::ServiceExt as _;
use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::{RoleClient, RunningService};
use serde_json::{Value, json};
use support::{ended_as, id, property};

type Assistant = RunningService<RoleClient, ()>;

/// Starts the program, and a client for it.
async fn assistant(sandbox: &Sandbox, arguments: &[&str]) -> (Assistant, tokio::process::Child) {
    let command = support::program_for(sandbox, &[&["mcp"], arguments].concat());
    let mut command = tokio::process::Command::from(command);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let streams = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
    (().serve(streams).await.unwrap(), child)
}

async fn ask(assistant: &Assistant, tool: &'static str, arguments: Value) -> CallToolResult {
    let request = CallToolRequestParams::new(tool);
    let request = request.with_arguments(arguments.as_object().unwrap().clone());
    assistant.call_tool(request).await.unwrap()
}

/// Returns the text of the first content.
fn text(result: &CallToolResult) -> &str {
    &result.content[0].as_text().unwrap().text
}

fn json_of(result: &CallToolResult) -> Value {
    serde_json::from_str(text(result)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_the_operations_that_read_and_the_wait() {
    let (sandbox, _) = support::sandbox_with(1).await;
    let (assistant, mut child) = assistant(&sandbox, &[]).await;
    let tools = assistant.list_all_tools().await.unwrap();
    let description: Value = serde_json::from_str(include_str!("../src/operations.json")).unwrap();
    let operations = description["operations"].as_array().unwrap().iter();
    let read = operations.filter(|operation| operation["method"] == "GET");
    let mut expected: Vec<_> = read
        .map(|operation| operation["name"].as_str().unwrap())
        .collect();
    expected.push("wait_for_call");
    let names: Vec<_> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    assert_eq!(names, expected);
    for tool in &tools {
        let hints = tool.annotations.as_ref().unwrap();
        assert_eq!(hints.read_only_hint, Some(true), "{}", tool.name);
        assert_eq!(tool.input_schema["type"], "object");
    }
    // The end of standard input ends the program.
    assistant.cancel().await.unwrap();
    let status = tokio::time::timeout(Duration::from_secs(10), child.wait()).await;
    assert!(status.unwrap().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_and_recordings_are_masked_unless_allowed() {
    let (sandbox, ids) = support::sandbox_with(1).await;
    let mut call = ended_as(1);
    call.recording_url = Some("https://calls.example/canary".to_owned());
    call.end_reason = Some("busy: +34600123456".to_owned());
    sandbox.put(call.clone());
    let arguments = || json!({"id": ids[0]});
    let identifier = call_api::Contact::name_in_json("identifier");
    let (masked, _child) = assistant(&sandbox, &[]).await;
    let result = ask(&masked, "get_call", arguments()).await;
    assert_eq!(result.is_error, Some(false));
    let shown = json_of(&result);
    assert_eq!(property(&shown, "contact")[identifier], "***456");
    assert_eq!(property(&shown, "recording_url"), "***");
    assert_eq!(property(&shown, "end_reason"), "busy: ***456");
    assert!(!text(&result).contains("34600"));
    let waited = ask(&masked, "wait_for_call", arguments()).await;
    assert!(!text(&waited).contains("34600") && !text(&waited).contains("canary"));

    let (complete, _child) = assistant(&sandbox, &["--show-numbers"]).await;
    let shown = ask(&complete, "get_call", arguments()).await;
    assert_eq!(serde_json::from_str::<Call>(text(&shown)).unwrap(), call);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_and_sizes_are_bounded() {
    let (sandbox, ids) = support::sandbox_with(1).await;
    let (assistant, _child) =
        assistant(&sandbox, &["--max-result", "300", "--deadline", "1s"]).await;
    let result = ask(&assistant, "get_call", json!({"id": id(404)})).await;
    assert_eq!(result.is_error, Some(true));
    assert!(text(&result).contains("\"not_found\""), "{result:?}");

    let result = ask(&assistant, "get_call", json!({"id": ids[0]})).await;
    assert_eq!(text(&result).len(), 300);
    let note = &result.content[1].as_text().unwrap().text;
    assert!(
        note.starts_with("The result was cut off after 300 of "),
        "{note}"
    );

    // Arguments that do not fit, and tools that are not offered.
    for (tool, arguments) in [
        ("get_call", json!({})),
        ("get_call", json!({"id": 7})),
        ("get_call", json!({"id": ids[0], "other": 1})),
        ("wait_for_call", json!({"id": "7"})),
        ("delete_everything", json!({})),
    ] {
        let request = CallToolRequestParams::new(tool);
        let request = request.with_arguments(arguments.as_object().unwrap().clone());
        let error = assistant.call_tool(request).await.unwrap_err();
        assert!(error.to_string().contains("-32602"), "{error}");
    }

    // The deadline of the SDK.
    let silent = Faults::seeded(1).rule(Fault::Stall);
    sandbox.set_faults(silent).unwrap();
    let result = ask(&assistant, "get_call", json!({"id": ids[0]})).await;
    assert!(text(&result).contains("\"timeout\""), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_returns_the_ended_call_or_its_last_state() {
    let (sandbox, _) = support::sandbox_with(1).await;
    let mut dialing = ended_as(2);
    dialing.status = CallStatus::Dialing;
    dialing.end_time = None;
    sandbox.put(dialing);
    let (assistant, _child) = assistant(&sandbox, &["--max-wait", "500ms"]).await;
    let result = json_of(&ask(&assistant, "wait_for_call", json!({"id": id(1)})).await);
    assert_eq!(property(&result["call"], "status"), "completed");
    assert_eq!(result.get("timed_out"), None);
    let settled = json!({"id": id(1), "settled": true});
    let result = json_of(&ask(&assistant, "wait_for_call", settled).await);
    assert_eq!(
        result["missing"],
        json!([Call::name_in_json("recording_url")])
    );
    // The limit of the program counts, not that of the assistant.
    let patient = json!({"id": id(2), "timeout_seconds": 3600});
    let result = json_of(&ask(&assistant, "wait_for_call", patient).await);
    assert_eq!(result["timed_out"], true);
    assert_eq!(property(&result["call"], "status"), "dialing");
}
