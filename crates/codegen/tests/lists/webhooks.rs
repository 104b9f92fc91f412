//! Receives the webhooks of `documents/kinds/lists.yaml`, also with the extractor of `docs/webhooks.md`.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use lists_client::WebhookReceiver;
use lists_client::webhooks::{Unverified, WebhookError};
use lists_types::{LineAddedType, Webhook};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Outcome, call, id, receiver};

const KEY: &[u8] = b"a key of this test";

fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(KEY))
}

/// Returns the headers of a webhook that is sent now.
fn signed(body: &str) -> Outcome<HeaderMap> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let mac = hmac_sha256::HMAC::mac(format!("msg_1.{now}.{body}"), KEY);
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", "msg_1".parse()?);
    headers.insert("webhook-timestamp", now.into());
    headers.insert("webhook-signature", format!("v1,{}", STANDARD.encode(mac)).parse()?);
    Ok(headers)
}

pub(crate) fn event_is_chosen_by_its_name() -> Outcome {
    let receiver = WebhookReceiver::new(secret())?;
    let parse = |body: &serde_json::Value| -> Outcome<Webhook> {
        let body = body.to_string();
        let webhook = receiver.parse(&signed(&body)?, body.as_bytes())?;
        assert_eq!(webhook.id, "msg_1");
        Ok(webhook.event)
    };
    match parse(&json!({"type": "call.started", "call": call(7), "more": 1}))? {
        Webhook::CallStarted(started) => assert_eq!(started.call.id, id(7)),
        other => panic!("{other:?}"),
    }
    match parse(&json!({"reason": "busy", "type": "call.ended"}))? {
        Webhook::Ended(ended) => assert_eq!(ended.reason, "busy"),
        other => panic!("{other:?}"),
    }
    match parse(&json!({"type": "line.added", "line": {"id": 1}}))? {
        Webhook::LineAdded(added) => {
            assert_eq!((added.type_, added.line.id), (LineAddedType::LineAdded, 1));
        }
        other => panic!("{other:?}"),
    }
    let removed = parse(&json!({"type": "line.removed", "line": {"id": 1}}))?;
    assert!(matches!(removed, Webhook::LineRemoved(_)), "{removed:?}");
    let new = json!({"type": "call.paused", "by": [1]});
    match parse(&new)? {
        Webhook::Unknown(raw) => assert_eq!(raw, new),
        other => panic!("{other:?}"),
    }
    // Known, but not as documented.
    let body = r#"{"type":"line.added"}"#;
    let error = receiver.parse(&signed(body)?, body.as_bytes()).unwrap_err();
    assert!(matches!(error, WebhookError::Body { .. }), "{error}");
    let error = receiver.parse(&signed(body)?, b"{}").unwrap_err();
    assert_eq!(error, WebhookError::WrongSignature);
    let unverified = Unverified::<Webhook>::new();
    let event = unverified.parse(&HeaderMap::new(), br#"{"type": "call.ended", "reason": ""}"#)?;
    assert!(matches!(event, Webhook::Ended(_)));
    Ok(())
}

pub(crate) async fn extractor_of_the_documentation_responds_by_status() -> Outcome {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = receiver::router(&secret())?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    let body = r#"{"type":"call.ended","reason":"busy"}"#;
    for (headers, body, expected) in [
        (signed(body)?, body, StatusCode::NO_CONTENT),
        (signed("{")?, "{", StatusCode::BAD_REQUEST),
        (signed(body)?, "{}", StatusCode::UNAUTHORIZED),
        (HeaderMap::new(), body, StatusCode::UNAUTHORIZED),
    ] {
        let mut request = format!(
            "POST /webhooks HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in &headers {
            request.push_str(&format!("{name}: {}\r\n", value.to_str()?));
        }
        request.push_str(&format!("\r\n{body}"));
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        let status = response.split(' ').nth(1).ok_or("no status")?;
        assert_eq!(status, expected.as_str(), "{response}");
    }
    Ok(())
}
