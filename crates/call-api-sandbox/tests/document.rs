//! Operations that the sandbox knows only by their description.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use call_api_sandbox::{Fault, FaultRule, Faults, Sandbox};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::http;

/// An example whose properties are not sorted, and with a number that has more digits than it needs.
const EXAMPLE: &str = r#"{"z":1.50,"a":[null]}"#;

fn description() -> String {
    let id = json!({
        "name": "id", "location": "path", "required": true,
        "type": {"kind": "string", "format": "uuid"},
    });
    let styled = |encoding: &str| {
        json!({
            "name": "n", "location": "path", "required": true, "encoding": encoding,
            "type": {"kind": "integer"},
        })
    };
    let found = json!({"status": "200", "media_type": "application/json", "example": "EXAMPLE"});
    let description = json!({"operations": [
        {"name": "list_pets", "method": "GET", "path": "/v1/pets", "auth": "none", "responses": [found], "parameters": [
            {"name": "limit", "location": "query", "required": false,
                "type": {"kind": "integer", "minimum": 1, "maximum": 100}},
            {"name": "kind", "location": "query", "required": true,
                "type": {"kind": "string", "values": ["cat", "dog", "fish"]}},
            {"name": "ids", "location": "query", "required": false,
                "type": {"kind": "list", "items": {"kind": "string", "format": "uuid"}}},
            {"name": "x-after", "location": "header", "required": false,
                "type": {"kind": "string", "format": "date-time"}},
        ]},
        {"name": "list_owners", "method": "GET", "path": "/v1/owners", "auth": "none",
            "parameters": [{"name": "page", "location": "query", "required": false, "type": {"kind": "integer"}}],
            "paging": {"items": ["data"], "may_lack_items": false, "next": {"number": {"parameter": "page", "first": 1}}},
            "responses": [{"status": "200", "media_type": "application/json", "example": {"data": [{"id": 1}]}}]},
        {"name": "add_pet", "method": "POST", "path": "/v1/pets", "auth": "bearer", "parameters": [],
            "body": {
                "media_types": ["application/json"], "required": true,
                "properties": [{"name": "kind", "required": true}, {"name": "size", "required": false}],
            },
            "responses": [
                {"status": "422", "media_type": "application/json", "example": {"detail": []}},
                {"status": "201", "media_type": "application/json", "example": {"kind": "cat"}},
            ]},
        {"name": "delete_pet", "method": "DELETE", "path": "/v1/pets/{id}", "auth": "bearer", "parameters": [id],
            "responses": [{"status": "204"}]},
        {"name": "pet_text", "method": "GET", "path": "/v1/pets/{id}/text", "auth": {"header": "x-key"}, "parameters": [id],
            "responses": [{"status": "2XX", "media_type": "text/plain", "example": "A cat."}]},
        {"name": "get_pet", "method": "GET", "path": "/v1/pets/{id}", "auth": "none", "parameters": [id],
            "responses": [{"status": "204"}]},
        {"name": "search_pets", "method": "GET", "path": "/v1/pets/search", "auth": "none", "parameters": [],
            "responses": [{"status": "205"}]},
        {"name": "list_values", "method": "GET", "path": "/v1/m%C3%A4use?n={n}&all=1", "auth": "none",
            "parameters": [styled("simple")], "responses": [{"status": "204"}]},
        {"name": "label_pet", "method": "GET", "path": "/v1/pets/label/{n}", "auth": "none", "responses": [{"status": "204"}],
            "parameters": [styled("label")]},
        {"name": "matrix_pet", "method": "GET", "path": "/v1/pets/matrix/{n}", "auth": "none", "responses": [{"status": "204"}],
            "parameters": [styled("matrix_exploded")]},
    ]});
    description.to_string().replace("\"EXAMPLE\"", EXAMPLE)
}

async fn start() -> Sandbox {
    let builder = Sandbox::builder().operations(&description()).unwrap();
    builder.start().await.unwrap()
}

const PET: &str = "/v1/pets/00000000-0000-4000-8000-000000000001";

/// Sends a request with the sandbox's token. Returns the status and the body.
async fn send(sandbox: &Sandbox, method: Method, path: &str) -> (u16, String) {
    let url = format!("{}{path}", sandbox.base_url());
    let request = http().request(method, url).bearer_auth(sandbox.token());
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn post(sandbox: &Sandbox, body: Option<&str>) -> (u16, Value) {
    let url = format!("{}/v1/pets", sandbox.base_url());
    let mut request = http().post(url).bearer_auth(sandbox.token());
    if let Some(body) = body {
        let json = "application/json";
        request = request.header("content-type", json).body(body.to_owned());
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn operations_are_answered_with_their_examples() {
    let sandbox = start().await;
    let (status, body) = send(&sandbox, Method::GET, "/v1/pets?kind=cat&limit=100").await;
    assert_eq!((status, body.as_str()), (200, EXAMPLE));
    let added = post(&sandbox, Some(r#"{"kind": "cat", "color": "red"}"#)).await;
    assert_eq!(added, (201, json!({"kind": "cat"})));
    let (status, body) = send(&sandbox, Method::DELETE, PET).await;
    assert_eq!((status, body.as_str()), (204, ""));
    let url = format!("{}{PET}/text", sandbox.base_url());
    let request = http().get(url).header("x-key", sandbox.token());
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain");
    assert_eq!(response.text().await.unwrap(), "A cat.");
}

#[tokio::test]
async fn list_ends_after_its_first_page() {
    let sandbox = start().await;
    for (path, expected) in [
        ("/v1/owners", r#"{"data":[{"id":1}]}"#),
        ("/v1/owners?page=1", r#"{"data":[{"id":1}]}"#),
        ("/v1/owners?page=2", r#"{"data":[]}"#),
    ] {
        let answered = send(&sandbox, Method::GET, path).await;
        assert_eq!(answered, (200, expected.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn concrete_path_is_matched_before_a_templated_one() {
    let sandbox = start().await;
    let (status, _) = send(&sandbox, Method::GET, "/v1/pets/search").await;
    assert_eq!(status, 205);
    assert_eq!(send(&sandbox, Method::GET, PET).await.0, 204);
}

#[tokio::test]
async fn parameters_of_a_path_with_a_query_are_validated() {
    let sandbox = start().await;
    for (query, expected) in [("n=7&all=1", 204), ("n=x", 422), ("all=1", 422), ("", 422)] {
        let (status, _) = send(&sandbox, Method::GET, &format!("/v1/m%C3%A4use?{query}")).await;
        assert_eq!(status, expected, "{query}");
    }
}

#[tokio::test]
async fn single_values_are_validated_without_the_signs_of_their_style() {
    let sandbox = start().await;
    for (path, expected) in [
        ("label/.7", 204),
        ("label/.x", 422),
        ("matrix/;n=7", 204),
        ("matrix/;n=x", 422),
        ("matrix/;n", 422),
    ] {
        let (status, _) = send(&sandbox, Method::GET, &format!("/v1/pets/{path}")).await;
        assert_eq!(status, expected, "{path}");
    }
}

#[tokio::test]
async fn invalid_parameters_are_listed_as_by_fastapi() {
    let sandbox = start().await;
    let path = "/v1/pets?limit=0&ids=1&kind=bird&kind=cow";
    let (status, body) = send(&sandbox, Method::GET, path).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    let expected = json!({"detail": [
        {"type": "greater_than_equal", "loc": ["query", "limit"], "input": "0", "ctx": {"ge": 1},
            "msg": "Input should be greater than or equal to 1"},
        {"type": "enum", "loc": ["query", "kind"], "input": "cow", "ctx": {"expected": "'cat', 'dog' or 'fish'"},
            "msg": "Input should be 'cat', 'dog' or 'fish'"},
        {"type": "uuid_parsing", "loc": ["query", "ids", 0], "input": "1", "ctx": {"error": "invalid length: found 1"},
            "msg": "Input should be a valid UUID, invalid length: found 1"},
    ]});
    assert_eq!((status, body), (422, expected));
    let (status, body) = send(&sandbox, Method::GET, "/v1/pets?limit=x").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    let expected = json!({"detail": [
        {"type": "int_parsing", "loc": ["query", "limit"], "input": "x",
            "msg": "Input should be a valid integer, unable to parse string as an integer"},
        {"type": "missing", "loc": ["query", "kind"], "input": null, "msg": "Field required"},
    ]});
    assert_eq!((status, body), (422, expected));
    let request = http().get(format!("{}/v1/pets?kind=cat", sandbox.base_url()));
    let response = request.header("x-after", "yesterday").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn invalid_bodies_are_listed_as_by_fastapi() {
    let sandbox = start().await;
    let types = async |body: Option<&str>| {
        let (status, body) = post(&sandbox, body).await;
        let error = body["detail"][0].clone();
        (
            status,
            error["type"].as_str().unwrap().to_owned(),
            error["loc"].clone(),
        )
    };
    assert_eq!(
        types(None).await,
        (422, "missing".to_owned(), json!(["body"]))
    );
    assert_eq!(
        types(Some("{}")).await,
        (422, "missing".to_owned(), json!(["body", "kind"]))
    );
    assert_eq!(
        types(Some("[]")).await,
        (422, "model_attributes_type".to_owned(), json!(["body"]))
    );
    assert_eq!(types(Some("{")).await.1, "json_invalid");
}

#[tokio::test]
async fn credentials_are_required_where_the_document_says_so() {
    let sandbox = start().await;
    let url = |path: &str| format!("{}{path}", sandbox.base_url());
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status();
    assert_eq!(status(http().get(url("/v1/pets?kind=cat"))).await, 200);
    assert_eq!(status(http().delete(url(PET))).await, 401);
    assert_eq!(status(http().delete(url(PET)).bearer_auth("no")).await, 401);
    let text = url(&format!("{PET}/text"));
    assert_eq!(status(http().get(&text)).await, 401);
    assert_eq!(status(http().get(&text).header("x-key", "no")).await, 401);
}

#[tokio::test]
async fn nothing_beside_the_document_is_served() {
    let sandbox = start().await;
    // The call API's own operation is not in this document.
    let call = format!("/v1/call/{}", Sandbox::EXAMPLE_ID);
    for path in [
        "/",
        "/v1/pet",
        "/v1/pets/1/2",
        "/docs",
        "/openapi.json",
        &call,
    ] {
        let (status, body) = send(&sandbox, Method::GET, path).await;
        assert_eq!(
            (status, body.as_str()),
            (404, r#"{"detail":"Not Found"}"#),
            "{path}"
        );
    }
    let url = format!("{}{PET}", sandbox.base_url());
    let response = http().put(url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "DELETE");
}

#[tokio::test]
async fn faults_apply_to_every_operation() {
    let sandbox = start().await;
    let fault = Fault::Status {
        status: 503,
        body: None,
        retry_after: None,
    };
    let rule = FaultRule::new(fault).operation("delete_pet");
    sandbox
        .set_faults(Faults::seeded(1).rule(rule.clone()))
        .unwrap();
    assert_eq!(send(&sandbox, Method::DELETE, PET).await.0, 503);
    assert_eq!(
        send(&sandbox, Method::GET, "/v1/pets?kind=cat").await.0,
        200
    );
    let unknown = Faults::seeded(1).rule(rule.clone().operation("get_call"));
    assert!(sandbox.set_faults(unknown).is_err());

    // The token of a tenant may be in another header.
    let of_tenant = rule.operation("pet_text").tenant("default");
    sandbox
        .set_faults(Faults::seeded(1).rule(of_tenant))
        .unwrap();
    let text = async |token: &str| {
        let url = format!("{}{PET}/text", sandbox.base_url());
        let response = http().get(url).header("x-key", token).send().await;
        response.unwrap().status()
    };
    assert_eq!(text(sandbox.token()).await, 503);
    assert_eq!(text("no").await, 401);
}
