//! Compares a page of 1,000 calls through [`Pages`] with the same response, decoded by hand into a list of the same type:
//! `cargo bench -p call-api-client`.
//!
//! Both run in turns, and the fastest turns are compared, so that other programs on the machine do not matter.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a bench may")]

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use call_api_client::raw::RawRequest;
use call_api_client::transport::{Auth, Operation, ResponseBody, Transport};
use call_api_client::{Client, NextPage, Pages, Paging};
use call_api_types::Call;
use http::Method;
use serde::Deserialize;

const CALLS: usize = 1_000;
const TURNS: usize = 200;

/// The variable that runs one side only, for a profiler: `pages` or `hand`, and the number of pages.
const ALONE: &str = "CALL_API_CLIENT_BENCH_ALONE";

const LIST: Operation = Operation {
    id: "list_calls",
    path: "/v1/calls",
    auth: Auth::None,
    body: ResponseBody::Buffered,
};

const PAGING: Paging = Paging {
    items: &["data"],
    may_lack_items: false,
    has_more: Some(&["has_more"]),
    next: NextPage::Cursor {
        value: &["last_id"],
        parameter: "after",
    },
};

#[derive(Deserialize)]
#[allow(dead_code, reason = "decoding is what counts")]
struct ByHand {
    data: Vec<Call>,
    has_more: bool,
    last_id: Option<String>,
}

fn main() {
    // `cargo test --benches` only checks that the bench works.
    let quick = !std::env::args().any(|argument| argument == "--bench");
    let client = Client::new(Transport::builder(serve()).build().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        if let Ok(alone) = std::env::var(ALONE) {
            let (side, pages) = alone.split_once(' ').unwrap();
            for _ in 0..pages.parse().unwrap() {
                match side {
                    "hand" => by_hand(&client).await,
                    _ => paged(&client).await,
                };
            }
            return;
        }
        let (mut hand, mut pages) = (Duration::MAX, Duration::MAX);
        for _ in 0..if quick { 1 } else { TURNS } {
            hand = hand.min(by_hand(&client).await);
            pages = pages.min(paged(&client).await);
        }
        let ratio = pages.as_secs_f64() / hand.as_secs_f64();
        println!("a page of {CALLS} calls: by hand {hand:?}, pages {pages:?}, ratio {ratio:.3}");
    });
}

fn request(client: &Client) -> RawRequest {
    RawRequest::new(client, Method::GET, &LIST)
}

async fn by_hand(client: &Client) -> Duration {
    let start = Instant::now();
    let response = request(client).send().await.unwrap();
    let page: ByHand = serde_json::from_slice(&response.value).unwrap();
    assert_eq!(black_box(page).data.len(), CALLS);
    start.elapsed()
}

async fn paged(client: &Client) -> Duration {
    let start = Instant::now();
    let mut pages: Pages<Call> = request(client).pages(&PAGING);
    let page = pages.next().await.unwrap().unwrap();
    assert_eq!(black_box(page).items.len(), CALLS);
    start.elapsed()
}

/// Serves the same page to every request, and returns the URL.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let calls = [Call::EXAMPLE_JSON; CALLS].join(",");
    let body = format!(r#"{{"data":[{calls}],"has_more":true,"last_id":"7"}}"#);
    let length = body.len();
    let response = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 4096];
            // A request is small enough for one read.
            while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                stream.write_all(response.as_bytes()).unwrap();
            }
        }
    });
    url
}
