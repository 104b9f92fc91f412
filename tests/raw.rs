//! Requests of operations that are chosen at run time, against the sandbox.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

use call_api::http::Method;
use call_api::raw::{RawRequest, Style};
use call_api::transport::{Auth, Operation, ResponseBody};
use call_api::{Client, ErrorKind, RequestOptions};
use call_api_sandbox::Sandbox;
use serde_json::{Value, json};

static GET_CALL: Operation = Operation {
    id: "get_call",
    path: "/v1/call/{id}",
    auth: Auth::Bearer,
    body: ResponseBody::Buffered,
};

async fn start() -> (Sandbox, Client) {
    let sandbox = Sandbox::start().await.unwrap();
    let client = Client::builder()
        .base_url(sandbox.base_url())
        .token(sandbox.token())
        .build()
        .unwrap();
    (sandbox, client)
}

#[tokio::test]
async fn raw_request_returns_what_the_typed_one_returns() {
    let (_sandbox, client) = start().await;
    let id = json!(Sandbox::EXAMPLE_ID);
    let request = RawRequest::new(&client, Method::GET, &GET_CALL).path("id", &id, None);
    let raw = request.send().await.unwrap();
    let typed = client.get_call(Sandbox::EXAMPLE_ID).send().await.unwrap();
    assert_eq!((raw.status, &raw.body), (200, &typed.body));
    assert_eq!(raw.value, typed.body);
}

#[tokio::test]
async fn error_response_is_the_same_error_as_that_of_a_typed_request() {
    let (sandbox, client) = start().await;
    sandbox.remove(Sandbox::EXAMPLE_ID);
    let id = json!(Sandbox::EXAMPLE_ID);
    let request = RawRequest::new(&client, Method::GET, &GET_CALL).path("id", &id, None);
    let raw = request.send().await.unwrap_err();
    let typed = client.get_call(Sandbox::EXAMPLE_ID).await.unwrap_err();
    assert_eq!(raw.kind(), ErrorKind::NotFound);
    assert_eq!(raw.to_string(), typed.to_string());
}

#[tokio::test]
async fn parameters_are_sent_in_their_places_and_styles() {
    let (sandbox, client) = start().await;
    let request = RawRequest::new(&client, Method::POST, &GET_CALL)
        .path("id", &json!("a b"), None)
        .query("one", &json!(1), None)
        .query("many", &json!(["a b", "c"]), None)
        .query("joined", &json!(["a", "b"]), Some(Style::Comma))
        .query("none", &Value::Null, None)
        .header("x-list", &json!([1, 2]), None)
        .body("application/json", "{}")
        .options(RequestOptions::new().max_attempts(1));
    let error = request.send().await.unwrap_err();
    assert_eq!(error.status(), Some(405));
    let requests = sandbox.requests();
    let [sent] = requests.as_slice() else {
        panic!("{requests:?}");
    };
    assert_eq!(sent.path, "/v1/call/a%20b");
    let query = "one=1&many=a%20b&many=c&joined=a,b";
    assert_eq!(sent.query.as_deref(), Some(query));
    assert_eq!(sent.headers["x-list"], "1,2");
    assert_eq!(sent.headers["content-type"], "application/json");
    assert_eq!(sent.headers["authorization"], "Bearer [redacted]");
}

#[tokio::test]
async fn parameter_that_cannot_be_sent_is_an_error() {
    let (sandbox, client) = start().await;
    let raw = || RawRequest::new(&client, Method::GET, &GET_CALL);
    let id = json!(Sandbox::EXAMPLE_ID);
    let invalid = [
        // The parameter of the path is missing.
        raw(),
        raw().path("id", &json!(".."), None),
        raw().path("id", &json!([[1]]), None),
        raw().path("id", &id, None).query("x", &json!([{}]), None),
        raw()
            .path("id", &id, None)
            .header("x", &json!("a\nb"), None),
        raw().path("id", &id, None).header("a b", &id, None),
    ];
    for request in invalid {
        let shown = format!("{request:?}");
        assert!(request.send().await.is_err(), "{shown}");
    }
    assert!(sandbox.requests().is_empty());
}
