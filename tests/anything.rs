//! Property test: any response body gives a call or an error, never a panic, and no text contains the token.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

use std::cell::Cell;
use std::sync::{Arc, Mutex};

use call_api::{Call, Client, ErrorKind};
use call_api_sandbox::Sandbox;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const TOKEN: &str = "a-token-that-must-not-be-seen";

/// Generates JSON values of every type, including values that occur in calls.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            TOKEN,
            "2023-11-07T05:31:56Z",
            "9999-12-31T23:59:60+14:00",
            "3c90c3cc-0d44-4b50-8888-8dd25736052a",
            "dialing",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z_]{0,8}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Generates the example call with up to two properties replaced or removed.
fn nearly_call() -> impl Strategy<Value = String> {
    let example: Value = serde_json::to_value(Sandbox::example_call()).unwrap();
    let contact = Call::name_in_json("contact");
    let names = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let (outer, inner) = (names(&example), names(&example[contact]));
    let position = (
        any::<bool>(),
        prop::sample::select(outer),
        prop::sample::select(inner),
    );
    prop::collection::vec((position, prop::option::of(value())), 0..3).prop_map(move |changes| {
        let mut call = example.clone();
        for ((inside, outer, inner), value) in changes {
            let (holder, name) = match call[contact].is_object() && inside {
                true => (&mut call[contact], inner),
                false => (&mut call, outer),
            };
            let holder = holder.as_object_mut().unwrap();
            match value {
                Some(value) => holder.insert(name, value),
                None => holder.remove(&name),
            };
        }
        call.to_string()
    })
}

fn detail() -> impl Strategy<Value = String> {
    value().prop_map(|value| serde_json::json!({ "detail": value }).to_string())
}

/// Generates random bytes, and edited JSON of calls, errors and other values.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec(any::<u8>(), 0..200);
    let text = prop_oneof![
        4 => nearly_call(),
        1 => detail(),
        1 => value().prop_map(|value| value.to_string())
    ];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..4), 0..2);
    let changed = (text, edits).prop_map(|(text, edits)| {
        let mut bytes = text.into_bytes();
        for (position, byte, edit) in edits {
            let position = position.index(bytes.len() + 1);
            match edit {
                0 => bytes.insert(position, byte),
                1 => bytes.truncate(position),
                _ if position < bytes.len() => bytes[position] = byte,
                _ => bytes.extend_from_slice(TOKEN.as_bytes()),
            }
        }
        bytes
    });
    prop_oneof![1 => noise, 4 => changed]
}

/// Starts a server that answers every request with the current `response`, and returns a client for it.
async fn client_for(response: Arc<Mutex<Vec<u8>>>) -> Client {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let response = Arc::clone(&response);
            tokio::spawn(async move {
                // Requests are small enough for one read.
                while stream
                    .read(&mut [0; 4096])
                    .await
                    .is_ok_and(|count| count > 0)
                {
                    let bytes = response.lock().unwrap().clone();
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Client::builder()
        .base_url(url)
        .token(TOKEN)
        .max_attempts(1)
        .build()
        .unwrap()
}

#[test]
fn any_body_gives_call_or_error() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let response = Arc::new(Mutex::new(Vec::new()));
    let client = runtime.block_on(client_for(Arc::clone(&response)));
    let config = ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let (calls, errors) = (Cell::new(0), Cell::new(0));
    let statuses = prop::sample::select(vec![
        200_u16, 200, 200, 200, 200, 200, 201, 400, 404, 422, 500,
    ]);
    let result = TestRunner::new(config).run(&(statuses, body()), |(status, body)| {
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        *response.lock().unwrap() = [head.as_bytes(), &body].concat();
        match runtime.block_on(async { client.get_call(Sandbox::EXAMPLE_ID).await }) {
            Ok(call) => {
                prop_assert_eq!(status, 200);
                // An accepted body is valid JSON, and the call round-trips.
                prop_assert!(serde_json::from_slice::<IgnoredAny>(&body).is_ok());
                let again = serde_json::to_vec(&call).unwrap();
                prop_assert_eq!(serde_json::from_slice::<Call>(&again).unwrap(), call);
                calls.set(calls.get() + 1);
            }
            Err(error) => {
                prop_assert_eq!(error.status(), Some(status));
                let is_decode = error.kind() == ErrorKind::Decode;
                let is_of_body = is_decode || error.kind() == ErrorKind::UnexpectedId;
                prop_assert_eq!(is_of_body, status == 200, "{}", error);
                prop_assert!(error.json_path().is_some() || !is_decode);
                let line = error.to_string();
                prop_assert!(!line.chars().any(char::is_control), "{:?}", line);
                prop_assert!(line.len() < 2000, "{}", line);
                let texts = format!("{line}{error:?}{error:#?}{:?}", error.detail());
                prop_assert!(!texts.contains(TOKEN), "{}", texts);
                errors.set(errors.get() + 1);
            }
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    let (calls, errors) = (calls.get(), errors.get());
    assert!(
        calls > 50 && errors > 50,
        "too few cases: {calls} calls and {errors} errors"
    );
}
