//! Compares the sandbox with responses of a FastAPI service that `tests/fastapi/record.py` recorded.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::collections::BTreeMap;
use std::mem::discriminant;

use call_api_sandbox::Sandbox;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Deserialize)]
struct Case {
    method: String,
    path: String,
    authorizations: Vec<String>,
    #[serde(flatten)]
    response: Response,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
struct Response {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

fn cases() -> Vec<Case> {
    let lines = include_str!("fastapi/responses.jsonl").lines();
    // The first line has the versions of the recorded service.
    lines
        .skip(1)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Sends a request over a raw socket, so that no client normalizes the path.
async fn request(sandbox: &Sandbox, case: &Case) -> Response {
    let mut request = format!("{} {} HTTP/1.1\r\n", case.method, case.path);
    request += "Host: localhost:3000\r\nConnection: close\r\n";
    for value in &case.authorizations {
        request += &format!("Authorization: {value}\r\n");
    }
    request += "\r\n";
    let mut connection = TcpStream::connect(sandbox.address()).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    connection.read_to_string(&mut response).await.unwrap();

    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap());
    Response {
        status: status.parse().unwrap(),
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            // Added by every server.
            .filter(|(name, _)| !["connection", "date"].contains(&name.as_str()))
            .collect(),
        body: body.to_owned(),
    }
}

fn operations() -> Vec<Value> {
    let description = include_str!("../src/operations.json");
    let mut description: Value = serde_json::from_str(description).unwrap();
    serde_json::from_value(description["operations"].take()).unwrap()
}

/// Returns the recorded response as a service of the present document sends it: with its example, and none to a method that
/// the document has added.
fn expected(case: &Case) -> Option<Response> {
    let Response {
        status,
        mut headers,
        mut body,
    } = case.response.clone();
    let is_known = operations()
        .iter()
        .any(|operation| operation["method"] == case.method.as_str());
    if status == 405 && is_known {
        return None;
    }
    if status == 200 {
        body = serde_json::to_string(&Sandbox::example_call()).unwrap();
        headers.insert("content-length".to_owned(), body.len().to_string());
    }
    Some(Response {
        status,
        headers,
        body,
    })
}

/// Returns true for an error with the body that the document describes for its status, and the recorded detail, if any.
fn is_documented(response: &Response, recorded: &Response) -> bool {
    let value = |response: &Response| serde_json::from_str::<Value>(&response.body);
    let (Ok(body), Ok(recorded_body)) = (value(response), value(recorded)) else {
        return false;
    };
    let detail = &recorded_body["detail"];
    let operations = operations();
    let mut operations = operations.iter();
    let get_call = operations.find(|operation| operation["name"] == "get_call");
    let status = response.status.to_string();
    let mut documented = get_call.unwrap()["responses"].as_array().unwrap().iter();
    documented.any(|documented| {
        let mut example = documented["example"].clone();
        match example.get_mut("detail") {
            Some(place) if discriminant(place) == discriminant(detail) => place.clone_from(detail),
            _ => {}
        }
        response.status == recorded.status
            && documented["status"].as_str() == Some(&status)
            && example == body
    })
}

#[tokio::test]
async fn every_response_matches_fastapi() {
    let sandbox = Sandbox::start().await.unwrap();
    let mut others = Vec::new();
    let mut statuses = BTreeMap::<u16, usize>::new();
    for case in cases() {
        let response = request(&sandbox, &case).await;
        let Some(expected) = expected(&case) else {
            continue;
        };
        *statuses.entry(response.status).or_default() += 1;
        if response != expected && !is_documented(&response, &expected) {
            others.push(format!(
                "{} {} {:?}\n  fastapi: {:?}\n  sandbox: {response:?}",
                case.method, case.path, case.authorizations, expected,
            ));
        }
    }
    assert!(
        others.is_empty(),
        "{} responses differ\n{}",
        others.len(),
        others.join("\n")
    );
    // Guards against an empty or one-sided recording.
    let kinds: Vec<_> = statuses.into_keys().collect();
    assert_eq!(kinds, [200, 307, 401, 404, 405, 422]);
}
