//! The sandbox against the API document of the workspace.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use call_api_sandbox::{Clock, Sandbox, Script};
use call_api_types::{Call, CallStatus};
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::{http, numbered};

const DOCUMENT: &str = include_str!("../../../spec/openapi.json");

fn document() -> Value {
    serde_json::from_str(DOCUMENT).unwrap()
}

/// Validates a value against a schema of the document. Returns the errors.
fn errors(schema: &Value, value: &Value) -> Vec<String> {
    let mut schema = schema.clone();
    schema["components"] = document()["components"].clone();
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    let validator = options.build(&schema).unwrap();
    let errors = validator.iter_errors(value);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn served_document_is_the_one_of_the_workspace() {
    let served: Value = serde_json::from_str(include_str!("../src/openapi.json")).unwrap();
    assert!(served == document(), "run `cargo xtask codegen`");
}

/// Adds a scripted call for each status that is not passed through by another.
fn calls(builder: call_api_sandbox::SandboxBuilder) -> (call_api_sandbox::SandboxBuilder, u128) {
    let last = CallStatus::KNOWN
        .iter()
        .filter(|status| !status.is_active());
    let scripts = last.map(|status| Script::ending(status).unwrap_or(Script::new(status.clone())));
    (1..)
        .zip(scripts)
        .fold((builder, 0), |(builder, _), (number, script)| {
            (builder.run(numbered(number), script), number)
        })
}

/// Returns the path template of the operation, whatever the document calls it, and the operation.
fn get_call() -> (String, Value) {
    let operations: Value = serde_json::from_str(include_str!("../src/operations.json")).unwrap();
    let mut operations = operations["operations"].as_array().unwrap().iter();
    let described = operations.find(|operation| operation["name"] == "get_call");
    let path = described.unwrap()["path"].as_str().unwrap().to_owned();
    // A pin keeps the name of the parameter.
    let around = |path: &str| {
        let (before, _) = path.split_once('{')?;
        let (_, after) = path.split_once('}')?;
        Some((before.to_owned(), after.to_owned()))
    };
    let document = document();
    let mut paths = document["paths"].as_object().unwrap().iter();
    let (_, item) = paths
        .find(|(other, _)| around(other) == around(&path))
        .unwrap();
    (path, item["get"].clone())
}

/// Gets calls in every status, and validates parameters and responses. `tests/document.rs` has the other operations.
#[tokio::test]
async fn calls_match_the_document() {
    let (builder, count) = calls(Sandbox::builder().clock(Clock::manual()));
    let sandbox = builder.start().await.unwrap();
    let ids = (0..=count).map(|number| match number {
        0 => Sandbox::EXAMPLE_ID,
        number => numbered(number).id,
    });
    let ids: Vec<_> = ids.map(|id| id.to_string()).collect();
    let (path, operation) = get_call();
    let (before, _) = path.split_once('{').unwrap();
    let mut statuses = Vec::new();
    for second in 0..40 {
        for id in ids
            .iter()
            .map(String::as_str)
            .chain(["00000000-0000-0000-0000-000000000000", "x"])
        {
            let url = format!("{}{before}{id}", sandbox.base_url());
            let request = http().get(url).bearer_auth(sandbox.token());
            let response = request.send().await.unwrap();
            let what = format!("{id} after {second} s");
            let call = check(&what, &operation, id, response).await;
            statuses.extend(call.and_then(|call| call.get(Call::name_in_json("status")).cloned()));
        }
        sandbox.advance(std::time::Duration::from_secs(1));
    }
    statuses.sort_by_key(Value::to_string);
    statuses.dedup();
    let known = CallStatus::KNOWN.iter();
    let mut all: Vec<Value> = known.map(|status| json!(status)).collect();
    all.sort_by_key(Value::to_string);
    assert_eq!(statuses, all, "each status was seen");
}

/// Validates a response. Returns the call if there is one.
async fn check(
    what: &str,
    operation: &Value,
    id: &str,
    response: reqwest::Response,
) -> Option<Value> {
    let status = response.status();
    let headers = response.headers().clone();
    let body: Value = response.json().await.unwrap();
    assert_ne!(body, json!({"detail": "Not Found"}), "{what}");
    // 422 is returned exactly for ids that the document does not allow.
    let schema = &operation["parameters"][0]["schema"];
    let is_valid = errors(schema, &json!(id)).is_empty();
    assert_eq!(
        is_valid,
        status != StatusCode::UNPROCESSABLE_ENTITY,
        "{what}: {body}"
    );
    let range = format!("{}XX", status.as_u16() / 100);
    let mut keys = [status.as_str(), &range, "default"].into_iter();
    let documented = keys.find_map(|key| operation["responses"].get(key));
    let pointer = "/content/application~1json/schema";
    let Some(schema) = documented.and_then(|response| response.pointer(pointer)) else {
        // tests/fastapi.rs has the bodies that the document does not describe.
        assert!(status.is_client_error(), "{what}: {status} {body}");
        return None;
    };
    assert_eq!(headers["content-type"], "application/json", "{what}");
    assert_eq!(
        errors(schema, &body),
        Vec::<String>::new(),
        "{what}: {body}"
    );
    status.is_success().then_some(body)
}

/// Returns the schema of a call.
fn call_schema() -> Value {
    let is_call = |schema: &Value| {
        let properties = schema["properties"].as_object();
        properties.is_some_and(|properties| {
            properties.len() == Call::PROPERTIES.len()
                && Call::PROPERTIES
                    .iter()
                    .all(|(_, name)| properties.contains_key(*name))
        })
    };
    let document = document();
    let mut schemas = document["components"]["schemas"]
        .as_object()
        .unwrap()
        .iter();
    let (name, _) = schemas.find(|(_, schema)| is_call(schema)).unwrap();
    json!({"$ref": format!("#/components/schemas/{name}")})
}

#[test]
fn validation_detects_invalid_calls() {
    let schema = call_schema();
    let mut call = serde_json::to_value(Sandbox::example_call()).unwrap();
    assert_eq!(errors(&schema, &call), Vec::<String>::new());
    call[Call::name_in_json("status")] = "on_hold".into();
    call[Call::name_in_json("created_date")] = "yesterday".into();
    assert_eq!(errors(&schema, &call).len(), 2);
}
