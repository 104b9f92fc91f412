//! JSON output: the service's own, with unknown properties and nulls, or that of the API document.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::fs;

use call_api::Call;
use call_api_sandbox::Sandbox;
use serde_json::Value;
use support::{Files, ended, id, program_for};

/// Returns a call with an unknown property, a null, and a number that is not in its shortest form.
fn raw_call() -> String {
    let mut call = ended();
    call.end_reason = None;
    let call = serde_json::to_string(&call).unwrap();
    let reason = Call::name_in_json("end_reason");
    let call = call.strip_suffix('}').unwrap();
    format!("{call}, \"{reason}\": null, \"_unknown\": {{\"amount\": 1.50, \"parts\": []}}}}")
}

fn standard_output(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let output = program_for(sandbox, arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn get_prints_the_json_of_the_service() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.put_json(&raw_call()).unwrap();
    let id = id(1);
    let expected: Value = serde_json::from_str(&raw_call()).unwrap();
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();

    let json = standard_output(&sandbox, &["get", &id, "-o", "json"]);
    assert_eq!(value(&json), expected);
    let end = "null,\n  \"_unknown\": {\n    \"amount\": 1.50,\n    \"parts\": []\n  }\n}\n";
    assert!(json.ends_with(end), "{json}");

    let jsonl = standard_output(&sandbox, &["get", &id, "-o", "jsonl"]);
    let end = ":null,\"_unknown\":{\"amount\":1.50,\"parts\":[]}}\n";
    assert!(jsonl.ends_with(end), "{jsonl}");

    let example = Sandbox::EXAMPLE_ID.to_string();
    let list = value(&standard_output(&sandbox, &["get", &id, &example]));
    assert_eq!(list[0], expected);
    assert_eq!(
        list[1],
        serde_json::to_value(Sandbox::example_call()).unwrap()
    );

    let typed = value(&standard_output(&sandbox, &["get", &id, "--typed"]));
    assert_eq!(typed.get("_unknown"), None);
    assert_eq!(typed.get(Call::name_in_json("end_reason")), None);
    assert_eq!(
        typed.get(Call::name_in_json("agent_id")),
        Some(&Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_and_watch_print_the_json_of_the_service() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.put_json(&raw_call()).unwrap();
    let id = id(1);
    let fetched = standard_output(&sandbox, &["get", &id, "-o", "jsonl"]);
    let typed = standard_output(&sandbox, &["get", &id, "-o", "jsonl", "--typed"]);
    assert_ne!(fetched, typed);
    for command in [
        ["wait", &id].as_slice(),
        &["wait", &id, &id],
        &["wait", &id, "--any"],
        &["wait", &id, "--settled", "--settle-time", "0s"],
        &["watch", &id],
    ] {
        let output = program_for(&sandbox, &[command, &["-o", "jsonl"]].concat());
        let printed = |mut program: std::process::Command| {
            String::from_utf8(program.output().unwrap().stdout).unwrap()
        };
        assert_eq!(printed(output), fetched, "{command:?}");
        let output = program_for(&sandbox, &[command, &["-o", "jsonl", "--typed"]].concat());
        assert_eq!(printed(output), typed, "{command:?}");
    }

    // After a timeout, the last state is printed as it came, too.
    let dialing = raw_call().replace("completed", "dialing");
    sandbox.put_json(&dialing).unwrap();
    let mut wait = program_for(&sandbox, &["wait", &id, "--timeout", "1s", "-o", "json"]);
    let output = wait.output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected: Value = serde_json::from_str(&dialing).unwrap();
    assert_eq!(printed, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_writes_the_json_of_the_service() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.put_json(&raw_call()).unwrap();
    let files = Files::new("json-sync", &[id(1)], "calls.jsonl");
    let sync = |arguments: &[&str]| {
        let output = files.sync(&sandbox, arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        fs::read_to_string(&files.out).unwrap()
    };
    let record = sync(&[]);
    assert_eq!(
        record,
        standard_output(&sandbox, &["get", &id(1), "-o", "jsonl"])
    );

    // A killed run may leave any part of a record, whatever property comes first.
    let requests = sandbox.requests().len();
    for part in ["{", "{\"_unknown\":{\"am", record.trim_end()] {
        fs::write(&files.out, part).unwrap();
        assert_eq!(sync(&[]), record, "{part}");
    }
    assert_eq!(sandbox.requests().len(), requests + 3);

    fs::remove_file(&files.out).unwrap();
    assert!(!sync(&["--typed"]).contains("_unknown"));
}
