//! What the tests ask the sandbox with.

#![allow(dead_code, reason = "each test file takes what it needs")]
#![allow(clippy::unwrap_used, reason = "a test may")]

use call_api_sandbox::Sandbox;
use call_api_types::Call;
use reqwest::StatusCode;
use uuid::Uuid;

/// An HTTP client. Where the workspace has reqwest built with rustls, it wants a provider even for plain http.
pub(crate) fn http() -> reqwest::Client {
    thread_local! {
        // A test has a thread to itself, and to make a client takes time.
        static CLIENT: reqwest::Client = {
            // Of two threads one finds the provider of the other.
            let _ = rustls::crypto::ring::default_provider().install_default();
            reqwest::Client::new()
        };
    }
    CLIENT.with(Clone::clone)
}

/// A request for a call, with the sandbox's token.
pub(crate) fn ask(sandbox: &Sandbox, id: Uuid) -> reqwest::RequestBuilder {
    let url = format!("{}/v1/call/{id}", sandbox.base_url());
    http().get(url).bearer_auth(sandbox.token())
}

/// What is answered to a request for a call.
pub(crate) async fn get(sandbox: &Sandbox, id: Uuid) -> (StatusCode, String) {
    let answer = ask(sandbox, id).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

/// A call that is there.
pub(crate) async fn call(sandbox: &Sandbox, id: Uuid) -> Call {
    let (status, text) = get(sandbox, id).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// The example under another id, which is its number.
pub(crate) fn numbered(number: u128) -> Call {
    let mut call = Sandbox::example_call();
    call.id = Uuid::from_u128(number);
    call
}
