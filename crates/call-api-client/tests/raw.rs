//! Requests of operations that are chosen at run time.

#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use call_api_client::raw::RawRequest;
use call_api_client::transport::{Auth, Operation, ResponseBody, Transport};
use call_api_client::{Client, RequestOptions};

const POST: Operation = Operation {
    id: "add_thing",
    path: "/v1/things",
    auth: Auth::None,
    body: ResponseBody::Buffered,
};

/// A server that answers the first request with 503 and others with 204, and keeps their targets and headers.
struct Service {
    client: Client,
    received: Arc<Mutex<Vec<(String, HeaderMap)>>>,
}

impl Service {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&received);
        let handler = move |uri: Uri, headers: HeaderMap| {
            let mut seen = seen.lock().unwrap();
            seen.push((uri.to_string(), headers));
            let status = match seen.len() {
                1 => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::NO_CONTENT,
            };
            std::future::ready(([("retry-after", "0")], status))
        };
        let router = Router::new().fallback(handler);
        tokio::spawn(async { axum::serve(listener, router).await });
        let transport = Transport::builder(&url).build().unwrap();
        Self {
            client: Client::new(transport),
            received,
        }
    }

    fn post(&self) -> RawRequest {
        RawRequest::new(&self.client, Method::POST, &POST)
    }

    /// Returns the keys of the requests since the last time.
    fn keys(&self) -> Vec<String> {
        let received = std::mem::take(&mut *self.received.lock().unwrap());
        let keys = received.iter().map(|(_, headers)| {
            let mut keys = headers.get_all("idempotency-key").iter();
            let key = keys.next().map_or("", |key| key.to_str().unwrap());
            assert!(keys.next().is_none());
            key.to_owned()
        });
        keys.collect()
    }
}

#[tokio::test]
async fn each_request_has_a_key_of_its_own_in_all_attempts() {
    let service = Service::start().await;
    service.post().make_idempotency_key().send().await.unwrap();
    let first = service.keys();
    assert!(!first[0].is_empty());
    assert_eq!(first[0], first[1]);
    service.post().make_idempotency_key().send().await.unwrap();
    assert_ne!(service.keys()[0], first[0]);
    // Without a key, it is not repeated.
    assert!(service.post().send().await.is_err());
    assert_eq!(service.keys(), [""]);
}

#[tokio::test]
async fn query_of_the_path_is_sent_with_its_parameters() {
    let service = Service::start().await;
    let operation = Operation {
        path: "/v1/stra%C3%9Fe/{id}?mode={mode}&all=1",
        ..POST
    };
    let request = RawRequest::new(&service.client, Method::GET, &operation);
    let request = request
        .query("more", &"e".into(), None)
        .path("mode", &"a&b".into(), None)
        .path("id", &7.into(), None);
    request.send().await.unwrap();
    let received = service.received.lock().unwrap();
    assert_eq!(received[0].0, "/v1/stra%C3%9Fe/7?mode=a%26b&all=1&more=e");
}

#[tokio::test]
async fn key_that_is_set_is_kept() {
    let service = Service::start().await;
    let by_header = service
        .post()
        .header("Idempotency-Key", &"mine".into(), None);
    by_header.make_idempotency_key().send().await.unwrap();
    let options = RequestOptions::new().idempotency_key("mine");
    let by_options = service.post().make_idempotency_key().options(options);
    by_options.send().await.unwrap();
    assert!(service.keys().iter().all(|key| key == "mine"));
}
