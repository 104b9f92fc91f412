//! Sends requests of the adopted SDK to the live service of the release, and to the mocks. `.ci/run adopt` copies it to `tests/`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

use call_api::builder::{CreateCall, GetCall};
use call_api::response::{CreateCallError, GetCallError};
use call_api::types::{
    Call, CallListResponse, CallStatus, CreateCallRequest, ErrorResponse, QuotaErrorResponse,
    Speaker, TranscriptEntryResponse, TranscriptListResponse,
};
use call_api::{Client, Error, Uuid};
use call_api_mock::{MockServer, MockServerExt as _};
use serde_json::json;

const CALLS: usize = 1000;
const BAD: usize = 499;
const ENTRIES: usize = 25;
const AGENT: Uuid = Uuid::from_u128(0x3c90c3cc_0d44_4b50_8888_8dd25736052a);
const NUMBER: &str = "+15550100";
/// The service refuses to call this number.
const REFUSED: &str = "+0";

fn call_to(number: &str) -> CreateCallRequest {
    let request = CreateCallRequest::builder()
        .agent_id(AGENT)
        .phone_id(AGENT)
        .to(number);
    request.build().unwrap()
}

#[track_caller]
fn assert_calls(calls: Vec<Result<Call, Error>>) {
    assert_eq!(calls.len(), CALLS);
    for (number, call) in calls.into_iter().enumerate() {
        match call {
            Ok(call) => assert_eq!(call.duration, Some(number as i64)),
            Err(error) => {
                let item = error.item().unwrap_or_else(|| panic!("{error}"));
                assert_eq!(number, BAD);
                assert!(
                    item.json_path().ends_with("duration"),
                    "{}",
                    item.json_path()
                );
                assert!(str::from_utf8(item.json()).unwrap().contains("two minutes"));
            }
        }
    }
}

#[track_caller]
fn assert_transcript(transcript: Vec<Result<TranscriptEntryResponse, Error>>) {
    assert_eq!(transcript.len(), ENTRIES);
    for (number, entry) in transcript.into_iter().enumerate() {
        assert_eq!(entry.unwrap().text, format!("sentence {number}"));
    }
}

#[track_caller]
fn assert_gone(error: &Error) {
    let Some(GetCallError::NotFound(body)) = error.body::<GetCall>() else {
        panic!("{error}");
    };
    assert_eq!(body.detail, "Call not found");
}

#[track_caller]
fn assert_refused(error: &Error) {
    let Some(CreateCallError::TooManyRequests(body)) = error.body::<CreateCall>() else {
        panic!("{error}");
    };
    assert_eq!(body.retry_after, 7);
}

async fn ask(client: &Client) {
    let mut items = client.list_calls().limit(100).items();
    let mut calls = Vec::new();
    while let Some(call) = items.next().await {
        calls.push(call);
    }
    assert_calls(calls);

    let made = client.create_call().body(call_to(NUMBER)).await.unwrap();
    assert_eq!(
        (made.contact.identifier.as_str(), made.status),
        (NUMBER, CallStatus::Dialing)
    );
    let mut items = client.list_transcript(made.id).items();
    let mut transcript = Vec::new();
    while let Some(entry) = items.next().await {
        transcript.push(entry);
    }
    assert_transcript(transcript);
    client.delete_call(made.id).await.unwrap();
    assert_gone(&client.get_call(made.id).await.unwrap_err());
    let refused = client.create_call().body(call_to(REFUSED)).max_attempts(1);
    assert_refused(&refused.await.unwrap_err());
}

fn ask_blocking(client: &Client) {
    assert_calls(
        client
            .list_calls()
            .limit(100)
            .items()
            .blocking()
            .unwrap()
            .collect(),
    );

    let made = client.create_call().body(call_to(NUMBER)).wait().unwrap();
    assert_eq!(
        (made.contact.identifier.as_str(), made.status),
        (NUMBER, CallStatus::Dialing)
    );
    assert_transcript(
        client
            .list_transcript(made.id)
            .items()
            .blocking()
            .unwrap()
            .collect(),
    );
    client.delete_call(made.id).wait().unwrap();
    assert_gone(&client.get_call(made.id).wait().unwrap_err());
    let refused = client.create_call().body(call_to(REFUSED)).max_attempts(1);
    assert_refused(&refused.wait().unwrap_err());
}

#[tokio::test]
async fn live_service_is_asked() {
    ask(&Client::from_env().unwrap()).await;
}

#[test]
fn live_service_is_asked_without_async() {
    ask_blocking(&Client::from_env().unwrap());
}

/// Mocks the answers of the live service.
fn mock(server: &MockServer) -> Client {
    let sample = Call::sample();
    let call = |number: usize| {
        let mut call = sample.clone();
        call.duration = Some(number as i64);
        call
    };
    let calls = CallListResponse::builder()
        .data((0..CALLS).map(call).collect::<Vec<_>>())
        .has_more(false);
    let mut calls = json!(calls.first_id(None).last_id(None).build().unwrap());
    calls["data"][BAD]["duration"] = json!("two minutes");
    server.list_calls(|_, then| {
        then.into_inner().status(200).json_body(calls);
    });

    let mut made = sample.clone();
    made.contact.identifier = NUMBER.to_owned();
    made.status = CallStatus::Dialing;
    server.create_call(|when, then| {
        when.body(&call_to(NUMBER));
        then.created(&made);
    });
    server.create_call(|when, then| {
        when.body(&call_to(REFUSED));
        then.too_many_requests(
            &QuotaErrorResponse::builder()
                .detail("Too many calls")
                .retry_after(7)
                .build()
                .unwrap(),
        );
    });
    let entry = |number: usize| {
        let entry = TranscriptEntryResponse::builder()
            .id(AGENT)
            .speaker(Speaker::Agent)
            .offset_ms(0u64);
        entry.text(format!("sentence {number}")).build().unwrap()
    };
    let transcript = TranscriptListResponse::builder()
        .data((0..ENTRIES).map(entry).collect::<Vec<_>>())
        .has_more(false);
    server.list_transcript(|when, then| {
        when.id(&made.id);
        then.ok(&transcript.first_id(None).last_id(None).build().unwrap());
    });
    server.delete_call(|when, then| {
        when.id(&made.id);
        then.no_content();
    });
    server.get_call(|when, then| {
        when.id(&made.id);
        then.not_found(
            &ErrorResponse::builder()
                .detail("Call not found")
                .build()
                .unwrap(),
        );
    });
    Client::builder()
        .base_url(server.base_url())
        .token("token")
        .build()
        .unwrap()
}

#[tokio::test]
async fn mock_is_asked() {
    let server = MockServer::start_async().await;
    ask(&mock(&server)).await;
}

#[test]
fn mock_is_asked_without_async() {
    let server = MockServer::start();
    ask_blocking(&mock(&server));
}
