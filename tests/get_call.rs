//! A call fetched over HTTP, from the sandbox and from servers that misbehave: what goes over the wire, what comes back,
//! and what is said where nothing does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

use std::time::Duration;

use call_api::{Call, CallStatus, Client, Detail, Error, ErrorKind, RequestOptions, Uuid};
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

/// A client of a server that answers every request with these bytes.
async fn answered(response: impl Into<Vec<u8>>) -> Client {
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
    once(url)
}

/// A client that makes one attempt.
fn once(url: String) -> Client {
    Client::builder()
        .base_url(url)
        .token(TOKEN)
        .max_attempts(1)
        .build()
        .unwrap()
}

async fn failed(response: impl Into<Vec<u8>>) -> Error {
    failed_by(&answered(response).await).await
}

/// What is said where the API answers with this status and body, whatever the document says of them.
async fn refused(status: u16, body: &str) -> Error {
    let server = MockServer::start_async().await;
    let mock = server.get_call(|when, then| {
        when.id(&ID);
        then.into_inner()
            .status(status)
            .header("content-type", "application/json")
            .header("x-request-id", "r-1")
            .body(body);
    });
    let error = failed_by(&once(server.base_url())).await;
    mock.assert();
    error
}

async fn failed_by(client: &Client) -> Error {
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

/// The message without what is another each time: the port, and how long it took.
fn steady(error: &Error) -> String {
    let number = |text: &str| {
        text.find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len())
    };
    let mut text = error.to_string();
    for (before, name) in [("127.0.0.1:", "[host]"), (" in ", " in [time]")] {
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
async fn the_reference_s_call_is_fetched_and_comes_back_unchanged() {
    let sandbox = Sandbox::start().await.unwrap();
    let call = client(&sandbox).await.get_call(ID).await.unwrap();
    assert_eq!(call, Sandbox::example_call());
    let reference: serde_json::Value = serde_json::from_str(Sandbox::EXAMPLE_JSON).unwrap();
    assert_eq!(serde_json::to_value(&call).unwrap(), reference);
    insta::assert_json_snapshot!(call);
}

#[tokio::test]
async fn the_request_on_the_wire() {
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
    // Asked for where the feature `gzip` is compiled in, which another crate of the workspace may have done.
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
async fn a_mock_answers_the_request_that_it_is_for_with_the_document_s_types() {
    let server = MockServer::start_async().await;
    let call = Sandbox::example_call();
    let mock = server.get_call(|when, then| {
        when.id(&ID);
        then.ok(&call);
    });
    let client = once(server.base_url());
    assert_eq!(client.get_call(ID).await.unwrap(), call);
    assert_eq!(mock.calls(), 1);
    let other = client.get_call(Uuid::nil()).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::NotFound);
    assert_eq!(mock.calls(), 1);
}

#[tokio::test]
async fn what_the_document_does_not_know_is_kept_or_ignored() {
    let sandbox = Sandbox::start().await.unwrap();
    let json = Sandbox::EXAMPLE_JSON
        .replace("\"dialing\"", "\"on_hold\"")
        .replacen('{', "{\"new\": 1,", 1);
    sandbox.put_json(&json).unwrap();
    let call = client(&sandbox).await.get_call(ID).await.unwrap();
    assert_eq!(call.status, CallStatus::Unknown("on_hold".to_owned()));
    assert!(
        serde_json::to_string(&call)
            .unwrap()
            .contains("\"status\":\"on_hold\"")
    );
}

#[tokio::test]
async fn the_sandbox_s_errors_are_read() {
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
    assert_eq!(
        error.detail(),
        Some(&Detail::Message("Call not found".to_owned()))
    );
    assert!(!error.is_retryable());

    let stranger = Client::builder()
        .base_url(sandbox.base_url())
        .token(TOKEN)
        .build()
        .unwrap();
    let error = stranger.get_call(ID).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::Unauthorized, Some(401))
    );
}

#[tokio::test]
async fn each_status_has_its_kind_and_its_line() {
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
        let error = refused(status, body).await;
        assert_eq!(error.kind(), kind, "{status}");
        assert_eq!(error.status(), Some(status));
        assert_eq!(error.request_id(), Some("r-1"));
        lines.push(steady(&error));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn what_can_not_be_decoded_is_named_by_its_path_and_not_by_its_value() {
    let mut lines = Vec::new();
    for (from, to, path) in [
        (
            "\"2023-11-07T05:31:56Z\",\n",
            "\"yesterday\",\n",
            "contact.created_date",
        ),
        (
            "\"duration\": 123",
            "\"duration\": \"+34600000000\"",
            "duration",
        ),
        (
            "\"identifier\": \"<string>\"",
            "\"identifier\": 34600000000",
            "contact.identifier",
        ),
        (
            "  \"phone_id\": \"3c90c3cc-0d44-4b50-8888-8dd25736052a\",\n",
            "",
            ".",
        ),
        ("\n}", "\n} trailing", "."),
    ] {
        let body = Sandbox::EXAMPLE_JSON.replacen(from, to, 1);
        assert_ne!(body, Sandbox::EXAMPLE_JSON, "{from}");
        let error = refused(200, &body).await;
        assert_eq!(
            (error.kind(), error.status()),
            (ErrorKind::Decode, Some(200))
        );
        assert_eq!(error.json_path(), Some(path));
        assert!(!format!("{error} {error:?}").contains("34600000000"));
        lines.push(steady(&error));
    }
    let error = refused(200, "<html>welcome to the guest network</html>").await;
    assert!(!error.to_string().contains("guest"));
    lines.push(steady(&error));
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn what_goes_wrong_on_the_way_has_its_kind_and_its_line() {
    let mut lines = Vec::new();
    let mut add = |error: &Error, kind| {
        assert_eq!(error.kind(), kind, "{error}");
        lines.push(steady(error));
    };
    let moved = "HTTP/1.1 307 Temporary Redirect\r\nlocation: https://elsewhere.example/?secret=1\r\ncontent-length: 0\r\n\r\n";
    let error = failed(moved).await;
    add(&error, ErrorKind::Redirected);
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    let long = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 5 << 20);
    add(&failed(long).await, ErrorKind::BodyTooLarge);
    add(
        &failed("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{").await,
        ErrorKind::Interrupted,
    );
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let nobody = Client::builder()
        .base_url(format!("http://127.0.0.1:{port}"))
        .token(TOKEN);
    let nobody = nobody.max_attempts(1).build().unwrap();
    let error = nobody.get_call(ID).await.unwrap_err();
    assert!(error.is_connect() && error.is_retryable());
    add(&error, ErrorKind::Connect);
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn error_without_response_is_retryable_as_its_transport_error_is() {
    let moved = "HTTP/1.1 307 X\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
    for (response, kind, is_retryable) in [
        ("SSH-2.0\r\n\r\n", ErrorKind::Interrupted, true),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{",
            ErrorKind::Interrupted,
            true,
        ),
        (moved, ErrorKind::Redirected, false),
    ] {
        let error = failed(response).await;
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.is_retryable(), is_retryable, "{error}");
        let transport_error = error.transport_error().unwrap();
        assert_eq!(transport_error.is_retryable(), is_retryable, "{error}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_runs_into_the_deadline() {
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
fn a_client_that_can_not_be_made_says_why() {
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
fn no_debug_shows_the_token() {
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
fn last_token_wins_also_over_one_that_is_refused() {
    let build = |tokens: [&str; 2]| {
        let [first, last] = tokens;
        Client::builder().token(first).token(last).build()
    };
    assert!(build(["", TOKEN]).is_ok());
    assert_eq!(build([TOKEN, ""]).unwrap_err().kind(), ErrorKind::Config);
}

/// What spawns a call or shares a client needs these.
#[test]
fn what_is_shared_and_spawned_can_be() {
    fn shared<T: Send + Sync + 'static>() {}
    fn sent<T: Send>(_: &T) {}
    shared::<Client>();
    shared::<Error>();
    shared::<Call>();
    fn moved<T: Send + 'static>() {}
    moved::<call_api::ClientBuilder>();
    let client = Client::builder().token(TOKEN).build().unwrap();
    sent(&std::future::IntoFuture::into_future(client.get_call(ID)));
}

#[tokio::test]
async fn refusal_of_a_request_without_token_names_the_missing_token() {
    let sandbox = Sandbox::start().await.unwrap();
    let builder = Client::builder().base_url(sandbox.base_url());
    let error = builder.build().unwrap().get_call(ID).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.ends_with(
            "no token was set: set `CALL_API_TOKEN` for `from_env`, or call `token` on the builder"
        ),
        "{text}"
    );
    let without_advice = format!("{error:#}; {}", error.advice());
    assert_eq!(text, without_advice);
}
