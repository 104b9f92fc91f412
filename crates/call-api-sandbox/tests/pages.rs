//! The data of the pages.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::time::Duration;

use call_api_sandbox::{Clock, Sandbox, SandboxBuilder, Script};
use call_api_types::CallStatus;
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::{http, numbered};
use uuid::Uuid;

fn builder() -> SandboxBuilder {
    Sandbox::builder()
        .token("ours")
        .tenant("acme", "of-acme")
        .pages(true)
        .clock(Clock::manual())
}

/// Returns status and JSON of a file of the pages.
async fn get(sandbox: &Sandbox, token: &str, file: &str) -> (StatusCode, Value) {
    let url = format!("{}/_sandbox/{file}", sandbox.base_url());
    let response = http().get(url).bearer_auth(token).send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

async fn page(sandbox: &Sandbox, file: &str) -> Value {
    let (status, page) = get(sandbox, "ours", file).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    page
}

/// Returns a property of each item in a list.
fn each<'a>(list: &'a Value, property: &str) -> Vec<&'a Value> {
    let items = list.as_array().unwrap().iter();
    items.map(|item| &item[property]).collect()
}

#[tokio::test]
async fn calls_are_filtered_and_paged_newest_first() {
    let sandbox = builder().start().await.unwrap();
    for number in 1..=120 {
        let mut call = numbered(number);
        call.status = match number % 40 {
            0 => CallStatus::Failed,
            _ => CallStatus::Completed,
        };
        call.contact.identifier = format!("+49301234{number:03}");
        sandbox.put(call);
    }
    let numbers = |page: &Value| -> Vec<u128> {
        let ids = each(&page["calls"], "id").into_iter();
        ids.map(|id| id.as_str().unwrap().parse::<Uuid>().unwrap().as_u128())
            .collect()
    };
    let mut seen = Vec::new();
    let mut next = Value::Null;
    loop {
        let file = match next.as_i64() {
            Some(before) => format!("calls.json?before={before}"),
            None => "calls.json".to_owned(),
        };
        let page = page(&sandbox, &file).await;
        let listed = numbers(&page);
        assert!(listed.len() <= 50, "{}", listed.len());
        seen.extend(listed);
        next = page["next"].clone();
        if next.is_null() {
            break;
        }
    }
    let expected: Vec<_> = (1..=120)
        .rev()
        .chain([Sandbox::EXAMPLE_ID.as_u128()])
        .collect();
    assert_eq!(seen, expected);

    // The filter also finds what is beyond the first 50 calls.
    let failed = page(&sandbox, "calls.json?status=failed&type=&text=").await;
    assert_eq!(numbers(&failed), [120, 80, 40]);
    assert_eq!(failed["next"], Value::Null);
    assert_eq!(
        numbers(&page(&sandbox, "calls.json?type=outbound").await),
        []
    );
    assert_eq!(
        numbers(&page(&sandbox, "calls.json?text=301234017").await),
        [17]
    );
    // Ids are hexadecimal.
    assert_eq!(
        numbers(&page(&sandbox, "calls.json?text=00000077").await),
        [0x77]
    );
    assert!(
        !page(&sandbox, "calls.json")
            .await
            .to_string()
            .contains("49301234")
    );

    for query in ["before=x", "limit=2"] {
        let (status, _) = get(&sandbox, "ours", &format!("calls.json?{query}")).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
    }
}

#[tokio::test]
async fn history_has_replaced_statuses_and_the_steps_of_scripts() {
    let sandbox = builder().start().await.unwrap();
    let id = Sandbox::EXAMPLE_ID;
    let history = async || {
        let detail = page(&sandbox, &format!("call.json?id={id}")).await;
        let start = sandbox.now();
        let rows = detail["history"].as_array().unwrap().iter();
        rows.map(|row| {
            let at = row["at"].as_str().map(|at| {
                let at: chrono::DateTime<chrono::Utc> = at.parse().unwrap();
                (at - start).num_seconds()
            });
            (at, row["status"].as_str().map(str::to_owned))
        })
        .collect::<Vec<_>>()
    };
    let row = |at, status: &str| (at, Some(status.to_owned()));
    assert_eq!(history().await, [row(None, "dialing")]);

    let mut call = Sandbox::example_call();
    call.status = CallStatus::InProgress;
    sandbox.put(call.clone());
    // The same status again is no change.
    sandbox.put(call.clone());
    assert_eq!(
        history().await,
        [row(None, "dialing"), row(Some(0), "in_progress")]
    );

    sandbox.advance(Duration::from_secs(1));
    sandbox.run(call.clone(), Script::failed());
    sandbox.advance(Duration::from_secs(1));
    // The script will end after another second.
    let scripted = [
        row(None, "dialing"),
        row(Some(-2), "in_progress"),
        row(Some(-1), "dialing"),
        row(Some(1), "failed"),
    ];
    assert_eq!(history().await, scripted);
    // The script is replaced before it ends.
    assert!(sandbox.remove(id));
    sandbox.put(call);
    let replaced = [
        &scripted[..3],
        &[(Some(0), None), row(Some(0), "in_progress")],
    ];
    assert_eq!(history().await, replaced.concat());

    let missing = get(&sandbox, "ours", &format!("call.json?id={}", Uuid::nil())).await;
    assert_eq!(missing.0, StatusCode::NOT_FOUND);
    let invalid = get(&sandbox, "ours", "call.json?id=7").await;
    assert_eq!(invalid.0, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn requests_are_listed_with_responses_and_without_those_of_other_tenants() {
    let sandbox = builder().start().await.unwrap();
    let url = |id: Uuid| format!("{}/v1/call/{id}?canary=1", sandbox.base_url());
    for (id, token) in [
        (Sandbox::EXAMPLE_ID, "ours"),
        (Uuid::from_u128(7), "ours"),
        (Sandbox::EXAMPLE_ID, "of-acme"),
        (Sandbox::EXAMPLE_ID, "unknown"),
    ] {
        http().get(url(id)).bearer_auth(token).send().await.unwrap();
    }
    let all = page(&sandbox, "requests.json").await;
    assert_eq!(each(&all["requests"], "status"), [401, 404, 200]);
    assert_eq!(each(&all["requests"], "number"), [3, 1, 0]);
    assert!(
        each(&all["requests"], "seconds")
            .iter()
            .all(|seconds| seconds.is_f64())
    );
    assert!(!all.to_string().contains("canary"), "{all}");

    let id = Sandbox::EXAMPLE_ID;
    let about = page(&sandbox, &format!("requests.json?id={id}")).await;
    assert_eq!(each(&about["requests"], "status"), [401, 200]);
    let (_, theirs) = get(&sandbox, "of-acme", "requests.json").await;
    assert_eq!(each(&theirs["requests"], "status"), [401, 404]);

    for _ in 0..60 {
        support::request(&sandbox, id).send().await.unwrap();
    }
    let first = page(&sandbox, "requests.json").await;
    assert_eq!(each(&first["requests"], "number").len(), 50);
    let next = &first["next"];
    let second = page(&sandbox, &format!("requests.json?before={next}")).await;
    assert_eq!(each(&second["requests"], "number").len(), 13);
    assert_eq!(second["next"], Value::Null);
}

#[tokio::test]
async fn root_and_docs_lead_to_the_pages() {
    let sandbox = builder().start().await.unwrap();
    let location = async |path: &str| {
        let url = format!("{}{path}", sandbox.base_url());
        let response = http().get(url).send().await.unwrap();
        (response.status(), response.url().path().to_owned())
    };
    for (path, target) in [
        ("/", "/_sandbox/"),
        ("/_sandbox", "/_sandbox/"),
        ("/docs", "/_sandbox/docs/"),
        ("/docs/", "/_sandbox/docs/"),
        ("/_sandbox/docs", "/_sandbox/docs/"),
    ] {
        assert_eq!(
            location(path).await,
            (StatusCode::OK, target.to_owned()),
            "{path}"
        );
    }
    let without = Sandbox::start().await.unwrap();
    for path in ["/", "/docs"] {
        let url = format!("{}{path}", without.base_url());
        let response = http().get(url).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(
            response.json::<Value>().await.unwrap(),
            json!({"detail": "Not Found"})
        );
    }
}
