//! The sandbox against a real FastAPI service, answer for answer: `tests/fastapi/record.py` asked one.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeMap;

use call_api_sandbox::Sandbox;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Deserialize)]
struct Case {
    method: String,
    path: String,
    authorizations: Vec<String>,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

fn cases() -> Vec<Case> {
    let lines = include_str!("fastapi/answers.jsonl").lines();
    // The first line has the versions of what was asked.
    lines
        .skip(1)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Asks as `record.py` does, over a socket, so that no client respells a path.
async fn ask(sandbox: &Sandbox, case: &Case) -> Answer {
    let mut request = format!("{} {} HTTP/1.1\r\n", case.method, case.path);
    request += "Host: localhost:3000\r\nConnection: close\r\n";
    for value in &case.authorizations {
        request += &format!("Authorization: {value}\r\n");
    }
    request += "\r\n";
    let mut connection = TcpStream::connect(sandbox.address()).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();

    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap());
    Answer {
        status: status.parse().unwrap(),
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            // Those that every server sets for itself.
            .filter(|(name, _)| !["connection", "date"].contains(&name.as_str()))
            .collect(),
        body: body.to_owned(),
    }
}

#[tokio::test]
async fn every_answer_is_that_of_fastapi() {
    let sandbox = Sandbox::start().await.unwrap();
    let mut others = Vec::new();
    let mut statuses = BTreeMap::<u16, usize>::new();
    for case in cases() {
        let answer = ask(&sandbox, &case).await;
        *statuses.entry(answer.status).or_default() += 1;
        if answer != case.answer {
            others.push(format!(
                "{} {} {:?}\n  fastapi: {:?}\n  sandbox: {answer:?}",
                case.method, case.path, case.authorizations, case.answer,
            ));
        }
    }
    assert!(
        others.is_empty(),
        "{} answers differ\n{}",
        others.len(),
        others.join("\n")
    );
    // Of each kind there are some, or this compares nothing.
    let kinds: Vec<_> = statuses.into_keys().collect();
    assert_eq!(kinds, [200, 307, 401, 404, 405, 422]);
}
