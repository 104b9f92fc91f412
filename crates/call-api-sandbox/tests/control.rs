//! The control API over HTTP, validated against its document.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::collections::BTreeSet;
use std::io::ErrorKind;

use call_api_sandbox::{Clock, Sandbox};
use call_api_types::Call;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::{get, http};
use uuid::Uuid;

async fn start_with_control() -> Sandbox {
    let builder = Sandbox::builder().control(true).clock(Clock::manual());
    builder.start().await.unwrap()
}

async fn send(
    sandbox: &Sandbox,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (StatusCode, Value) {
    let request = http().request(method, format!("{}{path}", sandbox.base_url()));
    let request = match body {
        Some(body) => request.body(body.to_string()),
        None => request,
    };
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// Sends documented requests and validates the responses against the document.
struct DocumentedClient {
    sandbox: Sandbox,
    document: Value,
    /// The operations that were sent.
    sent: BTreeSet<String>,
}

impl DocumentedClient {
    async fn new() -> Self {
        let sandbox = start_with_control().await;
        let (_, document) = send(&sandbox, Method::GET, "/_sandbox/openapi.json", None).await;
        Self {
            sandbox,
            document,
            sent: BTreeSet::new(),
        }
    }

    /// Sends a request with a valid body, if it has one. Returns the status and the body of the response.
    async fn send(&mut self, id: &str, query: &str, body: Option<Value>) -> (u16, Value) {
        let (_, _, operation) = self.operation(id);
        if let Some(body) = &body {
            self.assert_valid(body, &operation["requestBody"]);
        }
        self.exchange(id, query, body).await
    }

    /// Returns the body of a successful response to a request without a body.
    async fn get(&mut self, id: &str, query: &str) -> Value {
        let (status, response) = self.send(id, query, None).await;
        assert_eq!(status, 200, "{id}: {response}");
        response
    }

    /// Asserts that a request is answered with 204.
    async fn assert_done(&mut self, id: &str, query: &str, body: Option<Value>) {
        let response = self.send(id, query, body).await;
        assert_eq!(response, (204, Value::Null), "{id}");
    }

    /// Asserts that an invalid request is rejected with 422.
    async fn assert_rejected(&mut self, id: &str, query: &str, body: Option<Value>) {
        let (status, response) = self.exchange(id, query, body).await;
        assert_eq!(status, 422, "{id}: {response}");
    }

    async fn exchange(&mut self, id: &str, query: &str, body: Option<Value>) -> (u16, Value) {
        let (path, method, operation) = self.operation(id);
        let call = Sandbox::EXAMPLE_ID.to_string();
        let path = format!("{}{query}", path.replace("{id}", &call));
        let method = method.to_uppercase().parse().unwrap();
        let (status, response) = send(&self.sandbox, method, &path, body).await;
        let documented = &operation["responses"][status.as_str()];
        assert!(documented.is_object(), "{id}: {status} {response}");
        self.assert_valid(&response, documented);
        self.sent.insert(id.to_owned());
        (status.as_u16(), response)
    }

    /// Returns the path, the method and the description of an operation.
    fn operation(&self, id: &str) -> (String, String, Value) {
        let paths = self.document["paths"].as_object().unwrap();
        let (path, method, operation) = paths
            .iter()
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().unwrap().iter();
                methods.map(move |(method, operation)| (path, method, operation))
            })
            .find(|(_, _, operation)| operation["operationId"] == id)
            .unwrap();
        (path.clone(), method.clone(), operation.clone())
    }

    /// Asserts that a value matches the schema of a documented body; it must be `null` if there is none.
    fn assert_valid(&self, value: &Value, documented: &Value) {
        let Some(schema) = documented.pointer("/content/application~1json/schema") else {
            assert_eq!(*value, Value::Null);
            return;
        };
        let mut schema = schema.clone();
        schema["components"] = self.document["components"].clone();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(value)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{value}: {errors:?}");
    }
}

#[tokio::test]
async fn every_control_operation_matches_its_document() {
    let mut client = DocumentedClient::new().await;
    let document = client.get("get_document", "").await;
    assert_eq!(document["openapi"], "3.1.0");
    let start = client.get("get_clock", "").await;

    check_calls(&mut client).await;
    check_scripts(&mut client).await;
    check_clock(&mut client).await;
    check_faults(&mut client).await;
    check_log_and_reset(&mut client).await;
    assert_eq!(client.get("get_clock", "").await, start);

    let documented = client.document["paths"].as_object().unwrap().values();
    let documented = documented.flat_map(|methods| methods.as_object().unwrap().values());
    let documented: BTreeSet<_> = documented
        .map(|operation| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(client.sent, documented, "not all operations were sent");
}

async fn check_calls(client: &mut DocumentedClient) {
    let id = Call::name_in_json("id");
    let call = json!({id: Sandbox::EXAMPLE_ID, "status": "on_hold"});
    client.assert_done("put_call", "", Some(call.clone())).await;
    let unknown = client.send("put_call", "?tenant=unknown", Some(call.clone()));
    assert_eq!(unknown.await.0, 404);
    let other = json!({id: Uuid::nil()});
    client.assert_rejected("put_call", "", Some(other)).await;
    client
        .assert_rejected("put_call", "", Some(json!([])))
        .await;
    client
        .assert_rejected("put_call", "?wrong=1", Some(call.clone()))
        .await;

    let page = client.get("list_calls", "").await;
    assert_eq!(page, json!({"calls": [call], "next": null}));
    client.sandbox.put(support::numbered(1));
    let page = client.get("list_calls", "?limit=1").await;
    assert_eq!(page["calls"][0][id], json!(Uuid::from_u128(1)));
    let before = format!("?before={}", page["next"]);
    let page = client.get("list_calls", &before).await;
    assert_eq!(page["calls"], json!([call]));
    client
        .assert_rejected("list_calls", "?limit=wrong", None)
        .await;

    client.assert_done("delete_call", "", None).await;
    assert_eq!(client.send("delete_call", "", None).await.0, 404);
}

async fn check_scripts(client: &mut DocumentedClient) {
    let id = Sandbox::EXAMPLE_ID;
    let ending = json!({"ending": "completed"});
    client.assert_done("run_script", "", Some(ending)).await;
    let before = client.get("get_clock", "").await;
    let seconds = json!({"seconds": 2.5});
    let (_, after) = client.send("advance_clock", "", Some(seconds)).await;
    assert_ne!(before, after);
    assert_eq!(client.get("get_clock", "").await, after);
    let call = support::call(&client.sandbox, id).await;
    assert_eq!(call.status.as_str(), "in_progress");

    let script = json!({"status": "failed", "steps": [{"after": 1, "status": "dialing"}], "end_reason": "x"});
    client.assert_done("run_script", "", Some(script)).await;
    let call = support::call(&client.sandbox, id).await;
    assert_eq!(call.end_reason.as_deref(), Some("x"));
    for invalid in [
        json!({"ending": "dialing"}),
        json!({"status": "failed", "x": 1}),
        json!({}),
    ] {
        client
            .assert_rejected("run_script", "", Some(invalid))
            .await;
    }
}

async fn check_clock(client: &mut DocumentedClient) {
    let early = json!({"now": "1999-12-31T23:59:59.5Z"});
    let (_, set) = client.send("set_clock", "", Some(early)).await;
    assert_eq!(client.get("get_clock", "").await, set);
    assert_eq!(client.sandbox.now().timestamp_millis(), 946_684_799_500);
    for now in ["+10000-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "now"] {
        let invalid = json!({ "now": now });
        client.assert_rejected("set_clock", "", Some(invalid)).await;
    }
    for seconds in [-1.0, 1e10, 1e300] {
        let invalid = json!({ "seconds": seconds });
        client
            .assert_rejected("advance_clock", "", Some(invalid))
            .await;
    }
}

async fn check_faults(client: &mut DocumentedClient) {
    let faults =
        json!({"seed": 7, "rules": [{"fault": {"kind": "status", "status": 503}, "share": 1.0}]});
    client
        .assert_done("set_faults", "", Some(faults.clone()))
        .await;
    assert_eq!(client.get("get_faults", "").await, faults);
    assert_eq!(get(&client.sandbox, Sandbox::EXAMPLE_ID).await.0, 503);
    // A float without a fraction is an integer, and null is as good as nothing.
    let same = json!({"seed": 7.0, "rules": [
        {"fault": {"kind": "status", "status": 503.0, "body": null}, "tenant": null, "times": null},
    ]});
    client.assert_done("set_faults", "", Some(same)).await;
    assert_eq!(client.get("get_faults", "").await, faults);
    let status =
        |status: Value| json!({"rules": [{"fault": {"kind": "status", "status": status}}]});
    let unknown = json!({"rules": [{"fault": {"kind": "reset", "after": 1}}]});
    client
        .assert_rejected("set_faults", "", Some(unknown))
        .await;
    for limit in ["0", "1001", "x"] {
        client
            .assert_rejected("list_calls", &format!("?limit={limit}"), None)
            .await;
    }
    for invalid in [
        json!(7),
        json!(503.5),
        json!(-503.0),
        json!(65_536.0),
        json!(1e20),
    ] {
        let invalid = status(invalid);
        client
            .assert_rejected("set_faults", "", Some(invalid))
            .await;
    }
}

async fn check_log_and_reset(client: &mut DocumentedClient) {
    // No receiver is configured.
    let webhooks = client.get("list_webhooks", "").await;
    assert_eq!(webhooks, json!({"deliveries": []}));
    let id = Sandbox::EXAMPLE_ID;
    // Only requests to the API itself are logged.
    let log = client.get("list_requests", "").await;
    let paths: Vec<_> = log["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|request| &request["path"])
        .collect();
    assert_eq!(paths, [&json!(format!("/v1/call/{id}")); 3]);
    // The faults answered one of them.
    let answered = log["requests"].as_array().unwrap().iter();
    assert!(answered.clone().any(|request| request["status"] == 503));
    for request in answered {
        assert!(
            request["status"].is_u64() && request["seconds"].is_f64(),
            "{request}"
        );
    }
    assert!(!log.to_string().contains(client.sandbox.token()), "{log}");

    client
        .assert_rejected("reset", "?database=wrong", None)
        .await;
    client.assert_done("reset", "", None).await;
    let call = support::call(&client.sandbox, id).await;
    assert_eq!(call, Sandbox::example_call());
    let page = client.get("list_calls", "").await;
    assert_eq!(page["calls"].as_array().unwrap().len(), 1);
    let log = client.get("list_requests", "").await;
    assert_eq!(log["requests"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn undocumented_method_is_rejected() {
    let DocumentedClient {
        sandbox, document, ..
    } = DocumentedClient::new().await;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in ["get", "put", "post", "delete", "patch"] {
            if operations.get(method).is_none() {
                let method: Method = method.to_uppercase().parse().unwrap();
                let path = path.replace("{id}", &Uuid::nil().to_string());
                let (status, _) = send(&sandbox, method.clone(), &path, None).await;
                assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            }
        }
    }
    let (status, _) = send(&sandbox, Method::GET, "/_sandbox/x", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn control_operations_act_on_the_named_tenant() {
    let builder = Sandbox::builder().control(true).tenant("acme", "of-acme");
    let sandbox = builder.start().await.unwrap();
    let id = Uuid::from_u128(7);
    let path = format!("/_sandbox/calls/{id}?tenant=acme");
    let put = send(
        &sandbox,
        Method::PUT,
        &path,
        Some(json!({Call::name_in_json("id"): id})),
    )
    .await;
    assert_eq!(put.0, StatusCode::NO_CONTENT);
    let listed = async |tenant: &str| {
        let path = format!("/_sandbox/calls?tenant={tenant}");
        let (_, page) = send(&sandbox, Method::GET, &path, None).await;
        page["calls"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|call| call[Call::name_in_json("id")] == json!(id))
            .count()
    };
    assert_eq!((listed("acme").await, listed("default").await), (1, 0));
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn reset_of_a_database_must_be_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let builder = Sandbox::builder().control(true);
    let builder = builder.database(folder.path().join("calls.sqlite"));
    let sandbox = builder.start().await.unwrap();
    let call = support::numbered(7);
    sandbox.put(call.clone());
    for (query, expected, status) in [
        ("", StatusCode::CONFLICT, StatusCode::OK),
        ("?database=false", StatusCode::CONFLICT, StatusCode::OK),
        (
            "?database=true",
            StatusCode::NO_CONTENT,
            StatusCode::NOT_FOUND,
        ),
    ] {
        let path = format!("/_sandbox/reset{query}");
        let (reset, _) = send(&sandbox, Method::POST, &path, None).await;
        assert_eq!(reset, expected, "{path}");
        assert_eq!(get(&sandbox, call.id).await.0, status, "{path}");
    }
    assert_eq!(get(&sandbox, Sandbox::EXAMPLE_ID).await.0, StatusCode::OK);
}

#[tokio::test]
async fn control_is_disabled_by_default() {
    let sandbox = Sandbox::start().await.unwrap();
    for path in ["/_sandbox", "/_sandbox/openapi.json", "/_sandbox/calls"] {
        let response = send(&sandbox, Method::GET, path, None).await;
        assert_eq!(
            response,
            (StatusCode::NOT_FOUND, json!({"detail": "Not Found"}))
        );
    }
}

#[tokio::test]
async fn control_rejects_other_machines_and_sites() {
    let builder = || Sandbox::builder().control(true).token("a-token-of-mine");
    let beyond = builder()
        .listen(([0, 0, 0, 0], 0))
        .start()
        .await
        .unwrap_err();
    assert_eq!(beyond.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        builder().into_router().unwrap_err().kind(),
        ErrorKind::InvalidInput
    );

    let sandbox = builder().start().await.unwrap();
    let url = format!("{}/_sandbox/calls", sandbox.base_url());
    let status = async |name: &'static str, value: &str| {
        let request = http().get(&url).header(name, value);
        request.send().await.unwrap().status()
    };
    assert_eq!(status("x-none", "").await, StatusCode::OK);
    assert_eq!(status("origin", sandbox.base_url()).await, StatusCode::OK);
    // A browser showing a page of another site sends this.
    assert_eq!(
        status("origin", "https://example.org").await,
        StatusCode::FORBIDDEN
    );
    // A DNS name that was pointed at this machine.
    assert_eq!(status("host", "example.org").await, StatusCode::FORBIDDEN);
}
