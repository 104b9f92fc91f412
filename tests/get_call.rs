//! `get_call` against the sandbox and against faulty servers: the request, the response, and the errors.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

use std::time::Duration;

use call_api::transport::{Auth, Operation, ResponseBody};
use call_api::types::Contact;
use call_api::{Call, CallStatus, Client, Delivery, Error, ErrorKind, RequestOptions, Uuid};
use call_api_mock::{MockServer, MockServerExt as _};
use call_api_sandbox::Sandbox;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const ID: Uuid = Sandbox::EXAMPLE_ID;
const TOKEN: &str = "a-token-that-must-not-be-seen";

async fn client(sandbox: &Sandbox) -> Client {
    Client::builder()
        .base_url(sandbox.base_url())
        .token(sandbox.token())
        .build()
        .unwrap()
}

/// Starts a server that answers every request with these bytes, and returns a client for it.
async fn client_of_response(response: impl Into<Vec<u8>>) -> Client {
    let response = response.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&response).await;
        }
    });
    single_attempt(url)
}

/// Returns a client that makes one attempt.
fn single_attempt(url: String) -> Client {
    Client::builder()
        .base_url(url)
        .token(TOKEN)
        .max_attempts(1)
        .build()
        .unwrap()
}

async fn error_of_response(response: impl Into<Vec<u8>>) -> Error {
    error_of(&client_of_response(response).await).await
}

#[tokio::test]
async fn error_tells_if_the_service_received_the_request() {
    const DIAL: Operation = Operation {
        id: "dial",
        path: "/dial",
        auth: Auth::Bearer,
        body: ResponseBody::Buffered,
    };
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let unreachable = single_attempt(url);
    let silent = client_of_response("").await;
    let answering = client_of_response("HTTP/1.1 503 Busy\r\n\r\n").await;
    let expected = [
        (&unreachable, Delivery::NotSent),
        (&silent, Delivery::Unknown),
        (&answering, Delivery::Answered),
    ];
    for (client, delivery) in expected {
        assert_eq!(error_of(client).await.delivery(), delivery);
    }
    let transport = silent.transport();
    let request = transport
        .http_client()
        .post(format!("{}/dial", transport.base_url()));
    let error = transport
        .send(&DIAL, request.build().unwrap(), None)
        .await
        .unwrap_err();
    assert_eq!(error.attempt_log().delivery(), Delivery::Unknown);
    let advice = "the service may have processed it: check that before you send it again";
    assert_eq!(error.advice(), advice);
}

/// Returns the error of a response with this status and body.
async fn error_of_status(status: u16, body: &str) -> Error {
    let server = MockServer::start_async().await;
    let mock = server.get_call(|when, then| {
        // The method of a path parameter has its name, which the document may change.
        drop(when.into_inner().path_includes(ID.to_string()));
        then.into_inner()
            .status(status)
            .header("content-type", "application/json")
            .header("x-request-id", "r-1")
            .body(body);
    });
    let error = error_of(&single_attempt(server.base_url())).await;
    mock.assert();
    error
}

async fn error_of(client: &Client) -> Error {
    let error = client.get_call(ID).await.unwrap_err();
    for text in [
        error.to_string(),
        format!("{error:?}"),
        format!("{error:#?}"),
    ] {
        assert!(!text.contains(TOKEN), "{text}");
    }
    assert_eq!(error.to_string().lines().count(), 1);
    error
}

/// Returns the message with the port, the duration and the place in the JSON replaced.
fn normalized(error: &Error) -> String {
    let number = |text: &str| {
        text.find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len())
    };
    let mut text = error.to_string();
    for (before, name) in [
        ("127.0.0.1:", "[host]"),
        (" in ", " in [time]"),
        (" column ", " column [column]"),
    ] {
        let mut from = 0;
        while let Some(start) = text[from..].find(before).map(|start| from + start) {
            let end = start + before.len() + number(&text[start + before.len()..]);
            if end > start + before.len() {
                text.replace_range(start..end, name);
            }
            from = start + name.len();
        }
    }
    text
}

#[tokio::test]
async fn example_call_round_trips() {
    let sandbox = Sandbox::start().await.unwrap();
    let response = client(&sandbox).await.get_call(ID).send().await.unwrap();
    assert_eq!(response.value, Sandbox::example_call());
    assert_eq!(serde_json::to_vec(&response.value).unwrap(), response.body);
}

#[tokio::test]
async fn request_on_the_wire() {
    let sandbox = Sandbox::start().await.unwrap();
    client(&sandbox).await.get_call(ID).await.unwrap();
    let requests = sandbox.requests();
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    let mut headers: Vec<_> = request
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    // Present with the feature `gzip`, which another crate of the workspace may enable.
    headers.retain(|header| !header.starts_with("accept-encoding: "));
    let host = sandbox.base_url().trim_start_matches("http://");
    let wire = format!(
        "{} {}\n{}",
        request.method,
        request.path,
        headers.join("\n")
    );
    insta::assert_snapshot!(
        wire.replace(host, "[host]")
            .replace(env!("CARGO_PKG_VERSION"), "[version]")
    );
}

#[tokio::test]
async fn response_has_status_headers_and_attempt_log() {
    let sandbox = Sandbox::start().await.unwrap();
    let response = client(&sandbox)
        .await
        .get_call(ID)
        .deadline(Duration::from_secs(9))
        .send()
        .await
        .unwrap();
    assert_eq!(response.value.id, ID);
    assert_eq!(response.status, 200);
    assert_eq!(response.attempt_log.attempts().len(), 1);
}

#[tokio::test]
async fn client_crate_alone_sends_every_operation() {
    let sandbox = Sandbox::start().await.unwrap();
    let client = client(&sandbox).await;
    let client = call_api_client::Client::new(client.transport().clone());
    let response = client.get_call(ID).send().await.unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(response.value, Sandbox::example_call());
    assert!(response.headers.contains_key("content-type"));
}

#[tokio::test]
async fn mock_answers_only_its_request() {
    let server = MockServer::start_async().await;
    let call = Sandbox::example_call();
    let mock = server.get_call(|when, then| {
        // The method of a path parameter has its name, which the document may change.
        drop(when.into_inner().path_includes(ID.to_string()));
        then.ok(&call);
    });
    let client = single_attempt(server.base_url());
    assert_eq!(client.get_call(ID).await.unwrap(), call);
    assert_eq!(mock.calls(), 1);
    let other = client.get_call(Uuid::nil()).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::NotFound);
    assert_eq!(mock.calls(), 1);
}

#[tokio::test]
async fn unknown_status_is_kept_and_unknown_property_ignored() {
    let sandbox = Sandbox::start().await.unwrap();
    let mut json = serde_json::to_value(Sandbox::example_call()).unwrap();
    json[Call::name_in_json("status")] = "on_hold".into();
    json["new"] = 1.into();
    sandbox.put_json(&json.to_string()).unwrap();
    let call = client(&sandbox).await.get_call(ID).await.unwrap();
    assert_eq!(call.status, CallStatus::Unknown("on_hold".to_owned()));
    assert!(
        serde_json::to_string(&call)
            .unwrap()
            .contains(":\"on_hold\"")
    );
}

#[tokio::test]
async fn errors_of_the_sandbox_are_decoded() {
    let sandbox = Sandbox::start().await.unwrap();
    let error = client(&sandbox)
        .await
        .get_call(Uuid::nil())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::NotFound, Some(404))
    );
    assert!(error.detail().is_some() && !error.is_retryable());

    let unauthorized = Client::builder()
        .base_url(sandbox.base_url())
        .token(TOKEN)
        .build()
        .unwrap();
    let error = unauthorized.get_call(ID).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::Unauthorized, Some(401))
    );
}

#[tokio::test]
async fn status_determines_kind_and_message() {
    let mut lines = Vec::new();
    for (status, body, kind) in [
        (400, r#"{"detail": "Bad id"}"#, ErrorKind::InvalidRequest),
        (
            401,
            r#"{"detail": "Not authenticated"}"#,
            ErrorKind::Unauthorized,
        ),
        (403, r#"{"detail": "Not yours"}"#, ErrorKind::Forbidden),
        (404, r#"{"detail": "Call not found"}"#, ErrorKind::NotFound),
        (408, "", ErrorKind::Timeout),
        (418, "{}", ErrorKind::InvalidRequest),
        (
            422,
            r#"{"detail": [{"type": "uuid_parsing", "loc": ["path", "id"], "msg": "Input should be a valid UUID", "input": "x"}]}"#,
            ErrorKind::InvalidRequest,
        ),
        (429, r#"{"detail": "Slow down"}"#, ErrorKind::RateLimited),
        (500, "Internal Server Error", ErrorKind::Server),
        (
            502,
            "<html>\n<h1>Bad gateway</h1>\n</html>",
            ErrorKind::Server,
        ),
        (202, "{}", ErrorKind::UnexpectedStatus),
    ] {
        let error = error_of_status(status, body).await;
        assert_eq!(error.kind(), kind, "{status}");
        assert_eq!(error.status(), Some(status));
        assert_eq!(error.request_id(), Some("r-1"));
        lines.push(normalized(&error));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn decode_error_names_the_path_and_hides_the_value() {
    let mut lines = Vec::new();
    let [contact, created, identifier] = [
        Call::name_in_json("contact"),
        Contact::name_in_json("created_date"),
        Contact::name_in_json("identifier"),
    ];
    let (duration, phone) = (
        Call::name_in_json("duration"),
        Call::name_in_json("phone_id"),
    );
    let example = serde_json::to_value(Sandbox::example_call()).unwrap();
    let changed = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut call = example.clone();
        change(&mut call);
        call.to_string()
    };
    for (body, path) in [
        (
            changed(&|call| call[contact][created] = "yesterday".into()),
            format!("{contact}.{created}"),
        ),
        (
            changed(&|call| call[duration] = "+34600000000".into()),
            duration.to_owned(),
        ),
        (
            changed(&|call| call[contact][identifier] = 34_600_000_000_u64.into()),
            format!("{contact}.{identifier}"),
        ),
        (
            changed(&|call| drop(call.as_object_mut().unwrap().remove(phone))),
            ".".to_owned(),
        ),
        (format!("{example} trailing"), ".".to_owned()),
    ] {
        let error = error_of_status(200, &body).await;
        assert_eq!(
            (error.kind(), error.status()),
            (ErrorKind::Decode, Some(200))
        );
        assert_eq!(error.json_path(), Some(&*path));
        assert!(!format!("{error} {error:?}").contains("34600000000"));
        // The document may rename properties and move them.
        let line = normalized(&error).replace(&format!("says: {path}"), "says: [path]");
        lines.push(line.replace(&format!("`{phone}`"), "`[name]`"));
    }
    let error = error_of_status(200, "<html>welcome to the guest network</html>").await;
    assert!(!error.to_string().contains("guest"));
    lines.push(normalized(&error));
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn transport_failure_determines_kind_and_message() {
    let mut lines = Vec::new();
    let mut add = |error: &Error, kind| {
        assert_eq!(error.kind(), kind, "{error}");
        lines.push(normalized(error));
    };
    let redirect = "HTTP/1.1 307 Temporary Redirect\r\nlocation: https://other.example/?secret=1\r\ncontent-length: 0\r\n\r\n";
    let error = error_of_response(redirect).await;
    add(&error, ErrorKind::Redirected);
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    let oversized = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 5 << 20);
    add(&error_of_response(oversized).await, ErrorKind::BodyTooLarge);
    add(
        &error_of_response("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{").await,
        ErrorKind::Interrupted,
    );
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let refused = Client::builder()
        .base_url(format!("http://127.0.0.1:{port}"))
        .token(TOKEN);
    let refused = refused.max_attempts(1).build().unwrap();
    let error = refused.get_call(ID).await.unwrap_err();
    assert!(error.is_connect() && error.is_retryable());
    add(&error, ErrorKind::Connect);
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn error_without_response_is_as_retryable_as_its_transport_error() {
    let redirect = "HTTP/1.1 307 X\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n";
    for (response, kind, is_retryable) in [
        ("SSH-2.0\r\n\r\n", ErrorKind::Interrupted, true),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{",
            ErrorKind::Interrupted,
            true,
        ),
        (redirect, ErrorKind::Redirected, false),
    ] {
        let error = error_of_response(response).await;
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.is_retryable(), is_retryable, "{error}");
        let transport_error = error.transport_error().unwrap();
        assert_eq!(transport_error.is_retryable(), is_retryable, "{error}");
    }
}

#[tokio::test]
async fn silent_server_exceeds_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = Client::builder()
        .base_url(url)
        .token(TOKEN)
        .build()
        .unwrap();
    let error = client
        .get_call(ID)
        .deadline(Duration::from_millis(50))
        .await
        .unwrap_err();
    assert!(error.is_timeout() && error.is_retryable(), "{error}");
}

#[test]
fn invalid_settings_are_config_errors() {
    let build = |url: &str, token: &str| Client::builder().base_url(url).token(token).build();
    let mut lines = Vec::new();
    for (url, token) in [
        ("http://calls.example", TOKEN),
        ("calls.example", TOKEN),
        ("https://user:hunter2@calls.example", TOKEN),
        ("https://calls.example?token=x", TOKEN),
        ("https://calls.example", ""),
        ("https://calls.example", "a token\n"),
    ] {
        let error = build(url, token).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!error.to_string().contains("hunter2"), "{error}");
        lines.push(error.to_string());
    }
    insta::assert_snapshot!(lines.join("\n"));
    assert!(build("https://calls.example/api/", TOKEN).is_ok());
}

#[test]
fn debug_output_omits_the_token() {
    let builder = Client::builder().token(TOKEN);
    assert!(!format!("{builder:?}").contains(TOKEN));
    let client = builder.base_url("https://calls.example").build().unwrap();
    assert!(!format!("{client:#?}").contains(TOKEN));
    assert!(!format!("{:#?}", client.get_call(ID)).contains(TOKEN));
}

#[tokio::test]
async fn requests_are_spawned_and_collected() {
    let sandbox = Sandbox::start().await.unwrap();
    let client = client(&sandbox).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..3 {
        tasks.spawn(client.get_call(ID).send());
    }
    drop(client);
    let results = tasks.join_all().await;
    assert!(
        results
            .iter()
            .all(|result| result.as_ref().unwrap().value.id == ID)
    );
}

#[tokio::test]
async fn options_of_a_request_are_merged() {
    let server = MockServer::start_async().await;
    let mock = server.get_call(|_, then| drop(then.into_inner().status(503)));
    let client = Client::builder()
        .base_url(server.base_url())
        .token(TOKEN)
        .backoff(Duration::ZERO, Duration::ZERO)
        .build()
        .unwrap();
    let limits = RequestOptions::new().body_limit(10);
    let request = client.get_call(ID).max_attempts(2).options(limits);
    assert_eq!(request.await.unwrap_err().kind(), ErrorKind::Server);
    assert_eq!(mock.calls(), 2);
}

#[test]
fn last_token_replaces_an_invalid_one() {
    let build = |tokens: [&str; 2]| {
        let [first, last] = tokens;
        let client = Client::builder().base_url("http://localhost");
        client.token(first).token(last).build()
    };
    assert!(build(["", TOKEN]).is_ok());
    assert_eq!(build([TOKEN, ""]).unwrap_err().kind(), ErrorKind::Config);
}

/// Spawning requests and sharing clients require these bounds.
#[test]
fn client_and_requests_are_send() {
    fn assert_shared<T: Send + Sync + 'static>() {}
    fn assert_send<T: Send>(_: &T) {}
    assert_shared::<Client>();
    assert_shared::<Error>();
    assert_shared::<Call>();
    fn assert_static<T: Send + 'static>() {}
    assert_static::<call_api::ClientBuilder>();
    let client = Client::builder()
        .base_url("http://localhost")
        .token(TOKEN)
        .build()
        .unwrap();
    assert_send(&client.get_call(ID).send());
    assert_send(&std::future::IntoFuture::into_future(client.get_call(ID)));
}

#[tokio::test]
async fn refusal_of_a_request_without_token_names_the_missing_token() {
    let sandbox = Sandbox::start().await.unwrap();
    let builder = Client::builder().base_url(sandbox.base_url());
    let error = builder.build().unwrap().get_call(ID).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.ends_with(
            "set the token with `ClientBuilder::token`, or `CALL_API_TOKEN` for `from_env`"
        ),
        "{text}"
    );
    let without_advice = format!("{error:#}; {}", error.advice());
    assert_eq!(text, without_advice);
}
