//! The pages of lists, in each style, from a local server.

#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

#[path = "pages/cursors.rs"]
mod cursors;
#[path = "pages/items.rs"]
mod items;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use call_api_client::raw::RawRequest;
use call_api_client::transport::{Auth, Operation, ResponseBody, Transport};
use call_api_client::{
    Client, Cursor, Drift, DriftKind, DriftMode, ErrorKind, NextPage, Pages, Paging, RequestOptions,
};
use serde::Deserialize;
use serde_json::{Value, json};

const LIST: Operation = Operation {
    id: "list_things",
    path: "/v1/things",
    auth: Auth::None,
    body: ResponseBody::Buffered,
};

const BY_LAST_ID: Paging = Paging {
    items: &["data"],
    may_lack_items: false,
    has_more: Some(&["has_more"]),
    next: NextPage::Cursor {
        value: &["last_id"],
        parameter: "after",
    },
};

const BY_NUMBER: Paging = Paging {
    has_more: None,
    next: NextPage::Number {
        parameter: "page",
        first: 1,
        pages: None,
    },
    ..BY_LAST_ID
};

/// A server that answers each request by a function of its query, and keeps the targets of all requests.
struct Service {
    client: Client,
    url: String,
    targets: Arc<Mutex<Vec<String>>>,
}

impl Service {
    async fn start<R: IntoResponse>(
        answer: impl Fn(&Query) -> R + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let targets = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&targets);
        let handler = move |uri: Uri| {
            seen.lock().unwrap().push(uri.to_string());
            let query = Query(uri.query().unwrap_or_default().to_owned());
            std::future::ready(answer(&query).into_response())
        };
        let router = Router::new().fallback(handler);
        tokio::spawn(async { axum::serve(listener, router).await });
        let transport = Transport::builder(&url).max_attempts(1).build().unwrap();
        Self {
            client: Client::new(transport),
            url,
            targets,
        }
    }

    fn pages<T>(&self, paging: &'static Paging, query: &[(&str, &str)]) -> Pages<T> {
        let list = RawRequest::new(&self.client, Method::GET, &LIST);
        let pairs = query.iter();
        let list = pairs.fold(list, |list, (name, value)| {
            list.query(name, &Value::from(*value), None)
        });
        list.pages(paging)
    }

    fn targets(&self) -> Vec<String> {
        self.targets.lock().unwrap().clone()
    }
}

struct Query(String);

impl Query {
    fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(other, _)| *other == name)
            .map(|(_, value)| value)
    }

    fn number(&self, name: &str, default: usize) -> usize {
        self.get(name)
            .map_or(default, |value| value.parse().unwrap())
    }
}

fn page(body: Value) -> Response {
    let headers = [("content-type", "application/json")];
    (headers, body.to_string()).into_response()
}

/// Reads all items.
async fn all(pages: Pages<u64>) -> Result<Vec<u64>, call_api_client::Error> {
    let mut items = pages.items();
    let mut read = Vec::new();
    while let Some(item) = items.next().await {
        read.push(item?);
    }
    Ok(read)
}

/// Three items of seven from `start` on.
fn three(start: usize) -> Vec<usize> {
    (start..7).take(3).collect()
}

#[tokio::test]
async fn list_of_each_style_is_read_to_its_end() {
    // `more` is true with every page but the last.
    fn answer(query: &Query) -> Response {
        let style = query.get("style").unwrap();
        let start = match style {
            "number" | "pages" => (query.number("page%5Bnumber%5D", 1) - 1) * 3,
            "zero" => query.number("page", 0) * 3,
            "last_item" => query
                .get("after")
                .map_or(0, |id| id.parse::<usize>().unwrap() + 1),
            _ => query.number("at", 0),
        };
        let data = three(start);
        let next = start + data.len();
        let more = next < 7;
        let at = more.then(|| next.to_string());
        match style {
            "token" => page(json!({"data": data, "meta": {"next": at}})),
            "integer" => page(json!({"data": data, "meta": {"next": at.map(|_| next)}})),
            "more" => {
                page(json!({"data": data, "has_more": more, "meta": {"next": next.to_string()}}))
            }
            "last_item" => page(
                json!({"data": data.iter().map(|id| json!({"id": id})).collect::<Vec<_>>(), "has_more": more}),
            ),
            "pages" => page(json!({"data": data, "meta": {"pages": 3}})),
            "url" => page(
                json!({"data": data, "next": at.map(|at| format!("/v1/things?style=url&at={at}&x=%2F#top"))}),
            ),
            "link" => {
                let mut headers = HeaderMap::new();
                headers.append(
                    "link",
                    "</v1/things?style=link>; rel=\"first\"".parse().unwrap(),
                );
                if let Some(at) = at {
                    headers.append(
                        "link",
                        format!("<?style=link&at={at}>; rel=\"next\"")
                            .parse()
                            .unwrap(),
                    );
                }
                (headers, json!(data).to_string()).into_response()
            }
            "header" => (
                [(
                    "x-next",
                    at.map_or(String::new(), |at| format!("?style=header&at={at}")),
                )],
                json!(data).to_string(),
            )
                .into_response(),
            _ => page(json!({"data": data})),
        }
    }
    let service = Service::start(answer).await;

    const TOKEN: NextPage = NextPage::Cursor {
        value: &["meta", "next"],
        parameter: "at",
    };
    const NUMBER: NextPage = NextPage::Number {
        parameter: "page[number]",
        first: 1,
        pages: None,
    };
    const NONE: Paging = Paging {
        has_more: None,
        ..BY_LAST_ID
    };
    const BARE: Paging = Paging { items: &[], ..NONE };
    for (style, paging, pages) in [
        (
            "token",
            &Paging {
                next: TOKEN,
                ..NONE
            },
            3,
        ),
        (
            "integer",
            &Paging {
                next: TOKEN,
                ..NONE
            },
            3,
        ),
        (
            "more",
            &Paging {
                next: TOKEN,
                ..BY_LAST_ID
            },
            3,
        ),
        // Whether the third page is the last, only the empty one after it tells.
        (
            "number",
            &Paging {
                next: NUMBER,
                ..NONE
            },
            4,
        ),
        (
            "zero",
            &Paging {
                next: NextPage::Number {
                    parameter: "page",
                    first: 0,
                    pages: None,
                },
                ..NONE
            },
            4,
        ),
        (
            "pages",
            &Paging {
                next: NextPage::Number {
                    parameter: "page[number]",
                    first: 1,
                    pages: Some(&["meta", "pages"]),
                },
                ..NONE
            },
            3,
        ),
        (
            "offset",
            &Paging {
                next: NextPage::Offset { parameter: "at" },
                ..NONE
            },
            4,
        ),
        (
            "last_item",
            &Paging {
                next: NextPage::LastItem {
                    property: "id",
                    parameter: "after",
                },
                ..BY_LAST_ID
            },
            3,
        ),
        (
            "url",
            &Paging {
                next: NextPage::Url { value: &["next"] },
                ..NONE
            },
            3,
        ),
        (
            "link",
            &Paging {
                next: NextPage::Header { name: "link" },
                ..BARE
            },
            3,
        ),
        (
            "header",
            &Paging {
                next: NextPage::Header { name: "x-next" },
                ..BARE
            },
            3,
        ),
    ] {
        let before = service.targets().len();
        let paging: &'static Paging = Box::leak(Box::new(*paging));
        let query = [("style", style)];
        let mut list = service.pages::<Value>(paging, &query).items();
        let mut items = Vec::new();
        while let Some(item) = list.next().await {
            let item = item.unwrap();
            items.push(item.get("id").unwrap_or(&item).as_u64().unwrap());
        }
        assert_eq!(items, [0, 1, 2, 3, 4, 5, 6], "{style}");
        assert_eq!(service.targets().len() - before, pages, "{style}");
    }
}

#[tokio::test]
async fn first_page_is_the_one_that_the_request_asks_for() {
    let service = Service::start(|query: &Query| {
        page(json!({"data": three((query.number("page", 1) - 1) * 3)}))
    });
    let service = service.await;
    let items = all(service.pages(&BY_NUMBER, &[("page", "2"), ("size", "3")]))
        .await
        .unwrap();
    assert_eq!(items, [3, 4, 5, 6]);
    let expected = ["page=2&size=3", "size=3&page=3", "size=3&page=4"];
    let expected = expected.map(|query| format!("/v1/things?{query}"));
    assert_eq!(service.targets(), expected);
}

/// Pages of one item, whose cursors are ids.
fn by_last_id(query: &Query) -> Response {
    let id = query
        .get("after")
        .map_or(0, |id| id.parse::<u64>().unwrap() + 1);
    page(json!({"data": [id], "has_more": id < 3, "last_id": id.to_string(), "total": 4}))
}

#[tokio::test]
async fn filters_are_sent_with_each_page() {
    let service = Service::start(by_last_id).await;
    let query = [
        ("tag", "a+b c"),
        ("tag", "€"),
        ("after_date", "x"),
        ("empty", ""),
    ];
    let filters = "tag=a%2Bb%20c&tag=%E2%82%AC&after_date=x&empty=";
    let items = all(service.pages(&BY_LAST_ID, &query)).await.unwrap();
    assert_eq!(items, [0, 1, 2, 3]);
    let expected = ["", "&after=0", "&after=1", "&after=2"];
    let expected = expected.map(|cursor| format!("/v1/things?{filters}{cursor}"));
    assert_eq!(service.targets(), expected);
}

#[tokio::test]
async fn next_page_is_requested_when_it_is_needed() {
    let service = Service::start(by_last_id).await;
    let mut items = service.pages::<u64>(&BY_LAST_ID, &[]).items();
    assert_eq!(service.targets().len(), 0);
    for requests in 1..=3 {
        items.next().await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(service.targets().len(), requests);
    }
}

#[tokio::test]
async fn collecting_stops_at_the_limit_and_says_if_there_is_more() {
    let service = Service::start(|query: &Query| {
        let data = three(query.number("after", 0));
        let last = data.last().map(|last| (last + 1).to_string());
        let mut data: Vec<Value> = data.into_iter().map(Value::from).collect();
        data.iter_mut()
            .filter(|item| **item == 4)
            .for_each(|item| *item = json!("four"));
        page(json!({"data": data, "has_more": last.as_deref() != Some("7"), "last_id": last}))
    });
    let service = service.await;
    let mut items = service.pages::<u64>(&BY_LAST_ID, &[]).items();
    for (limit, expected, errors, has_more, requests) in [
        (0, &[][..], 0, true, 0),
        (2, &[0, 1], 0, true, 1),
        (1, &[2], 0, true, 1),
        (2, &[3], 1, true, 2),
        (1, &[5], 0, true, 2),
        (2, &[6], 0, false, 3),
        (9, &[], 0, false, 3),
    ] {
        let collected = items.collect_up_to(limit).await.unwrap();
        assert_eq!(collected.items, expected);
        assert_eq!(
            (collected.errors.len(), collected.has_more),
            (errors, has_more)
        );
        assert_eq!(service.targets().len(), requests);
    }
    // The rest of the last page is more as well.
    let mut items = service.pages::<u64>(&BY_LAST_ID, &[]).after("4").items();
    for (expected, has_more) in [([5], true), ([6], false)] {
        let collected = items
            .collect_up_to(2 - usize::from(!has_more))
            .await
            .unwrap();
        assert_eq!(
            (collected.items.as_slice(), collected.has_more),
            (&expected[..], has_more)
        );
    }
}

#[tokio::test]
async fn failed_page_ends_the_list_and_says_where_to_resume() {
    let fails = Arc::new(Mutex::new(true));
    let shared = Arc::clone(&fails);
    let service = Service::start(move |query: &Query| match query.get("after") {
        Some("1") if *shared.lock().unwrap() => StatusCode::NOT_FOUND.into_response(),
        _ => by_last_id(query),
    });
    let service = service.await;
    let mut items = service.pages::<u64>(&BY_LAST_ID, &[]).items();
    assert_eq!(items.collect_up_to(2).await.unwrap().items, [0, 1]);
    let error = items.next().await.unwrap().unwrap_err();
    assert!(items.next().await.is_none());
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::NotFound, Some(404))
    );
    assert!(error.item().is_none());
    *fails.lock().unwrap() = false;
    let cursor = error.cursor().unwrap().clone();
    let rest = all(service.pages(&BY_LAST_ID, &[]).after(cursor))
        .await
        .unwrap();
    assert_eq!(rest, [2, 3]);
}

#[tokio::test]
async fn dropped_list_sends_nothing_more() {
    let service = Service::start(by_last_id).await;
    let mut pages = service.pages::<u64>(&BY_LAST_ID, &[]);
    pages.next().await.unwrap().unwrap();
    // Begun, and dropped before it is done.
    {
        let mut next = std::pin::pin!(pages.next());
        let waker = std::task::Waker::noop();
        let mut context = std::task::Context::from_waker(waker);
        assert!(next.as_mut().poll(&mut context).is_pending());
    }
    let second = pages.next().await.unwrap().unwrap();
    assert_eq!(*second.items[0].as_ref().unwrap(), 1);
    drop(pages);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(service.targets().len(), 2);
}

#[tokio::test]
async fn each_page_has_its_own_deadline_and_retries() {
    // Long enough for a page on a busy machine, and too short for all four.
    const DEADLINE: Duration = Duration::from_secs(4);
    let tries = Arc::new(Mutex::new(0));
    let count = Arc::clone(&tries);
    let service = Service::start(move |query: &Query| {
        let mut tries = count.lock().unwrap();
        *tries += 1;
        // Each page fails once.
        if *tries % 2 == 1 {
            ([("retry-after", "0")], StatusCode::SERVICE_UNAVAILABLE).into_response()
        } else {
            std::thread::sleep(DEADLINE.mul_f64(0.3));
            by_last_id(query)
        }
    });
    let service = service.await;
    let transport = Transport::builder(&service.url).build().unwrap();
    let client = Client::new(transport);
    let options = RequestOptions::new().deadline(DEADLINE).max_attempts(2);
    let list = RawRequest::new(&client, Method::GET, &LIST).options(options);
    let mut pages = list.pages::<u64>(&BY_LAST_ID);
    let start = std::time::Instant::now();
    let mut read = 0;
    while let Some(page) = pages.next().await {
        assert_eq!(page.unwrap().attempt_log.attempts().len(), 2);
        read += 1;
    }
    assert_eq!((read, *tries.lock().unwrap()), (4, 8));
    assert!(start.elapsed() > DEADLINE);
}

#[cfg(feature = "blocking")]
#[test]
fn blocking_list_is_an_iterator() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let service = runtime.block_on(Service::start(by_last_id));
    let items = service
        .pages::<u64>(&BY_LAST_ID, &[])
        .items()
        .blocking()
        .unwrap();
    let items: Vec<u64> = items.map(Result::unwrap).collect();
    assert_eq!(items, [0, 1, 2, 3]);
    let pages = service
        .pages::<u64>(&BY_LAST_ID, &[])
        .after("1")
        .blocking()
        .unwrap();
    assert_eq!(
        pages.map(|page| page.unwrap().items.len()).sum::<usize>(),
        2
    );
    let mut items = service.pages::<u64>(&BY_LAST_ID, &[]).items();
    let collected = service.client.block_on(items.collect_up_to(3)).unwrap();
    assert!(collected.items.len() == 3 && collected.has_more);
}
