//! Helpers shared by the tests.

#![allow(dead_code, reason = "no test uses everything")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use call_api_sandbox::Sandbox;
use call_api_types::Call;
use reqwest::StatusCode;
use uuid::Uuid;

/// An HTTP client. reqwest built with rustls needs a crypto provider even for plain http.
pub(crate) fn http() -> reqwest::Client {
    thread_local! {
        // Tests run on a thread each, and building a client is slow.
        static CLIENT: reqwest::Client = {
            // Fails if another thread has installed it.
            let _ = rustls::crypto::ring::default_provider().install_default();
            reqwest::Client::new()
        };
    }
    CLIENT.with(Clone::clone)
}

/// Returns a request for a call, with the sandbox's token.
pub(crate) fn request(sandbox: &Sandbox, id: Uuid) -> reqwest::RequestBuilder {
    let url = format!("{}/v1/call/{id}", sandbox.base_url());
    http().get(url).bearer_auth(sandbox.token())
}

/// Returns status and body of a request for a call.
pub(crate) async fn get(sandbox: &Sandbox, id: Uuid) -> (StatusCode, String) {
    let response = request(sandbox, id).send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

/// Returns a call that must exist.
pub(crate) async fn call(sandbox: &Sandbox, id: Uuid) -> Call {
    let (status, text) = get(sandbox, id).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Returns the example call with the id `number`.
pub(crate) fn numbered(number: u128) -> Call {
    let mut call = Sandbox::example_call();
    call.id = Uuid::from_u128(number);
    call
}
