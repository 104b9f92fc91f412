//! Reads each list, stream and webhook of `documents/kinds/lists.yaml` from a local server.
//!
//! `tests/lists.rs` compiles this program with the generated crates.

#![deny(warnings)]

mod receiver;
mod streams;
mod webhooks;

use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use lists_client::{Client, Collected, DriftMode, ErrorKind, Paged, builder};
use lists_mock::MockServerExt as _;
use lists_transport::Transport;
use lists_types::{Call, CallPage, Line, ListAgentsSortBy, Status};
use serde_json::{Value, json};
use uuid::Uuid;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// The number of calls, and the one that is not as documented.
const CALLS: usize = 1000;
const BAD: usize = 537;

fn id(number: usize) -> Uuid {
    Uuid::from_u128(number as u128)
}

/// A local server, and the targets of the requests that it received.
struct Server {
    url: String,
    targets: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let targets = Arc::new(Mutex::new(Vec::new()));
        let (seen, base) = (Arc::clone(&targets), url.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that has gone is none of the server's business.
                let _ = respond(&stream, &base, &seen);
            }
        });
        Ok(Self { url, targets })
    }

    fn client(&self) -> Outcome<Client> {
        Ok(Client::new(Transport::builder(&self.url).build()?))
    }

    /// Returns the targets since the last time.
    fn targets(&self) -> Vec<String> {
        std::mem::take(&mut *self.targets.lock().unwrap())
    }
}

fn respond(stream: &TcpStream, base: &str, targets: &Mutex<Vec<String>>) -> Outcome {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().ok_or("no request")??;
    for line in lines.map_while(Result::ok) {
        if line.is_empty() {
            break;
        }
    }
    let target = first.split(' ').nth(1).ok_or("no target")?.to_owned();
    targets.lock().unwrap().push(target.clone());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let (status, headers, body) = response(base, path, query);
    let body = if status == "204" {
        String::new()
    } else {
        body.to_string()
    };
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status} X\r\n{headers}content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    Ok(())
}

fn call(number: usize) -> Value {
    let number_in_json = if number == BAD {
        json!("+34 600")
    } else {
        json!(number)
    };
    json!({"id": id(number), "status": "ended", "number": number_in_json})
}

fn response(base: &str, path: &str, query: &str) -> (&'static str, String, Value) {
    let get = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(other, _)| *other == name)
            .map(|(_, value)| value)
    };
    let number = |name: &str, default: usize| {
        get(name).map_or(default, |text| text.parse().unwrap_or(default))
    };
    let lines =
        |from: usize| -> Vec<Value> { (from..5).take(2).map(|id| json!({"id": id})).collect() };
    let none = String::new();
    if path.ends_with("/transcript") {
        if path.contains(&id(7).to_string()) {
            return ("204", none, Value::Null);
        }
        let from = get("starting_after").map_or(0, |_| number("starting_after", 0) + 1);
        return (
            "200",
            none,
            json!({"data": lines(from), "has_more": from + 2 < 5}),
        );
    }
    match path {
        "/calls" => {
            let size = number("limit", 20);
            let after = get("after").and_then(|after| after.parse::<Uuid>().ok());
            let from = after.map_or(0, |after| after.as_u128() as usize + 1);
            if get("status") == Some("dialing") && from > 0 {
                return ("422", none, json!({"detail": "not any more"}));
            }
            let data: Vec<Value> = (from..CALLS).take(size).map(call).collect();
            let last = from + data.len() - 1;
            let page = json!({"data": data, "has_more": last + 1 < CALLS, "first_id": id(from), "last_id": id(last)});
            ("200", none, page)
        }
        "/agents" => {
            if get("sort_by") == Some("age") {
                return ("204", none, Value::Null);
            }
            let from = number("page_token", 0);
            let items: Vec<String> = (from..5)
                .take(2)
                .map(|agent| format!("agent {agent}"))
                .collect();
            let next = (from + 2 < 5).then(|| (from + 2).to_string());
            ("200", none, json!({"items": items, "next_page": next}))
        }
        "/contacts" => {
            let page = number("page", 1);
            let items = [
                json!({"kind": "person", "name": page}),
                json!({"kind": "company", "title": "x"}),
            ];
            (
                "200",
                none,
                json!({"items": items, "page": page, "has_more": page < 3}),
            )
        }
        "/phones" => {
            let page = number("page%5Bnumber%5D", 0);
            let meta = json!({"total_pages": 3, "page_number": page});
            (
                "200",
                none,
                json!({"data": [{"sid": page.to_string()}], "errors": ["x"], "meta": meta}),
            )
        }
        "/events" => ("200", none, Value::from(lines(number("offset", 0)))),
        "/trunks" => {
            let from = number("PageToken", 0);
            let next =
                (from + 2 < 5).then(|| format!("{base}/trunks?PageToken={}&Page=1", from + 2));
            (
                "200",
                none,
                json!({"trunks": lines(from), "meta": {"page": 0, "next_page_url": next}}),
            )
        }
        "/regions" => {
            let from = number("from", 0);
            let link = format!("link: </regions?from={}>; rel=\"next\"\r\n", from + 2);
            (
                "200",
                if from + 2 < 5 { link } else { none },
                Value::from(lines(from)),
            )
        }
        _ => ("404", none, json!({"detail": "no such list"})),
    }
}

/// Reads a list to its end, and returns the JSON of its items.
async fn all<O: Paged>(list: O) -> Outcome<Vec<O::Item>> {
    let mut items = lists_client::Pages::new(list).items();
    let mut read = Vec::new();
    while let Some(item) = items.next().await {
        read.push(item?);
    }
    Ok(read)
}

fn ids(lines: &[Line]) -> Vec<i64> {
    lines.iter().map(|line| line.id).collect()
}

async fn each_style_is_read_to_its_end(server: &Server) -> Outcome {
    let client = server.client()?;
    let expected = [0, 1, 2, 3, 4];
    assert_eq!(ids(&all(client.list_transcript(id(1))).await?), expected);
    assert_eq!(ids(&all(client.list_transcript(id(7))).await?), [0; 0]);
    assert_eq!(ids(&all(client.list_events().limit(2)).await?), expected);
    assert_eq!(
        ids(&all(client.list_trunks().page_size(2)).await?),
        expected
    );
    assert_eq!(ids(&all(client.list_regions()).await?), expected);
    let agents: Vec<String> = all(client.list_agents()).await?;
    assert_eq!(agents[4], "agent 4");
    let phones = all(client.list_phones()).await?;
    let phones: Vec<_> = phones
        .iter()
        .filter_map(|phone| phone.sid.as_deref())
        .collect();
    assert_eq!(phones, ["0", "1", "2"]);
    // A name that is a number makes the person none, and the page is delivered nevertheless.
    let contacts = client.list_contacts().items();
    let contacts: Vec<_> = contacts.collect().await;
    assert_eq!(contacts.len(), 6);
    assert!(contacts[0].is_err() && contacts[1].is_ok() && contacts[4].is_err());
    Ok(())
}

async fn one_bad_record_of_a_thousand_is_an_error(server: &Server) -> Outcome {
    let client = server.client()?;
    server.targets();
    let list = client
        .list_calls()
        .limit(100)
        .status(Status::Ended)
        .items_query("a b")
        .pages_query("&");
    let mut items = list.items();
    let (mut calls, mut errors): (Vec<Call>, Vec<_>) = (Vec::new(), Vec::new());
    while let Some(item) = items.next().await {
        match item {
            Ok(call) => calls.push(call),
            Err(error) => errors.push(error),
        }
    }
    assert_eq!((calls.len(), errors.len()), (CALLS - 1, 1));
    let numbers: Vec<usize> = calls.iter().map(|call| call.number as usize).collect();
    let expected: Vec<usize> = (0..CALLS).filter(|number| *number != BAD).collect();
    assert_eq!(numbers, expected);
    let error = &errors[0];
    let item = error.item().ok_or("an error of an item")?;
    assert_eq!((item.index(), item.json_path()), (37, "number"));
    assert_eq!(serde_json::from_slice::<Value>(item.json())?, call(BAD));
    assert_eq!(
        (error.kind(), error.json_path()),
        (ErrorKind::Decode, Some("data[37].number"))
    );
    assert!(!format!("{error} {error:?} {error:#?} {item} {item:?}").contains("+34"));

    let targets = server.targets();
    assert_eq!(targets.len(), 10);
    for (index, target) in targets.iter().enumerate() {
        let filters = "limit=100&status=ended&items=a+b&pages=%26";
        assert!(
            filters.split('&').all(|filter| target.contains(filter)),
            "{target}"
        );
        let after = format!("&after={}", id((100 * index).saturating_sub(1)));
        assert_eq!(target.contains("after"), index > 0, "{target}");
        assert!(index == 0 || target.ends_with(&after), "{target}");
    }
    Ok(())
}

async fn list_goes_on_where_it_was_left(server: &Server) -> Outcome {
    let client = server.client()?;
    let mut pages = client.list_calls().limit(400).pages();
    let first = pages.next().await.ok_or("a page")??;
    let rest: CallPage = first.rest()?;
    assert!(rest.data.is_empty() && rest.has_more && rest.last_id == Some(id(399)));
    let stored = first.next.ok_or("another page")?.to_string();
    drop(pages);
    assert_eq!(stored, id(399).to_string());
    let mut items = client
        .list_calls()
        .limit(400)
        .items()
        .after(stored.as_str());
    let Collected {
        items: calls,
        errors,
        has_more,
        ..
    } = items.collect_up_to(700).await?;
    assert_eq!((calls.len(), errors.len(), has_more), (599, 1, false));
    assert_eq!(calls[0].id, id(400));
    Ok(())
}

async fn failed_page_has_the_documented_error(server: &Server) -> Outcome {
    let client = server.client()?;
    let mut pages = client.list_calls().status(Status::Dialing).pages();
    pages.next().await.ok_or("a page")??;
    let error = pages
        .next()
        .await
        .ok_or("an error")?
        .err()
        .ok_or("an error")?;
    assert!(pages.next().await.is_none());
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::InvalidRequest, Some(422))
    );
    let refusal = error
        .body::<builder::ListCalls>()
        .ok_or("the documented body")?;
    assert_eq!(refusal.detail, "not any more");
    assert_eq!(
        error.cursor().map(ToString::to_string),
        Some(id(19).to_string())
    );
    Ok(())
}

async fn success_that_the_document_does_not_list_is_an_error(server: &Server) -> Outcome {
    let client = server.client()?;
    let mut agents = client.list_agents().sort_by(ListAgentsSortBy::Age).items();
    let error = agents.next().await.ok_or("an error")?.err();
    let error = error.ok_or("an error")?;
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::UnexpectedStatus, Some(204))
    );
    Ok(())
}

async fn drift_of_items_is_counted(server: &Server) -> Outcome {
    let watching = |mode| -> Outcome<Client> {
        Ok(Client::builder()
            .base_url(&server.url)
            .drift(mode)
            .build()?)
    };
    let client = watching(DriftMode::Watch)?;
    let page = client
        .list_calls()
        .pages()
        .after(id(BAD - 1).to_string().as_str())
        .next()
        .await;
    assert!(page.ok_or("a page")??.items[0].is_err());
    let drifts = client.drifts();
    let drifts: Vec<_> = drifts
        .iter()
        .map(|(drift, count)| (drift.operation, drift.place.as_str(), *count))
        .collect();
    assert_eq!(drifts, [("list_calls", "data[].number", 1)]);

    // In strict mode the page fails, as any response does.
    let client = watching(DriftMode::Strict)?;
    let mut items = client.list_calls().limit(100).items();
    let before = items.collect_up_to(500).await?;
    assert_eq!((before.items.len(), before.has_more), (500, true));
    let error = items
        .next()
        .await
        .ok_or("an error")?
        .err()
        .ok_or("an error")?;
    assert_eq!(
        (error.kind(), error.item().is_some()),
        (ErrorKind::Drift, false)
    );
    assert_eq!(
        error.cursor().map(ToString::to_string),
        Some(id(499).to_string())
    );
    assert!(items.next().await.is_none());
    Ok(())
}

async fn mocked_pages_are_read() -> Outcome {
    let server = lists_mock::MockServer::start();
    let client = Client::new(Transport::builder(server.base_url()).build()?);
    let page = |number: usize, has_more| -> Outcome<CallPage> {
        let id = id(number);
        Ok(serde_json::from_value(
            json!({"data": [call(number)], "has_more": has_more, "first_id": id, "last_id": id}),
        )?)
    };
    let first = page(1, true)?;
    let second = page(2, false)?;
    let first = server.list_calls(|when, then| {
        when.status(Status::Ended).after(None);
        then.ok(&first);
    });
    let second = server.list_calls(|when, then| {
        when.status(Status::Ended).after(&id(1));
        then.ok(&second);
    });
    let calls = all(client.list_calls().status(Status::Ended)).await?;
    assert_eq!(
        calls.iter().map(|call| call.number).collect::<Vec<_>>(),
        [1, 2]
    );
    first.assert();
    second.assert();
    Ok(())
}

fn blocking_lists_are_iterators(server: &Server) -> Outcome {
    let client = server.client()?;
    let calls = client.list_calls().limit(100).items().blocking()?;
    let (calls, errors): (Vec<_>, Vec<_>) = calls.partition(Result::is_ok);
    assert_eq!((calls.len(), errors.len()), (CALLS - 1, 1));
    server.targets();
    let mut pages = client.list_calls().pages().blocking()?;
    let page = pages.next().ok_or("a page")??;
    assert_eq!(page.items.len(), 20);
    assert_eq!(server.targets().len(), 1);
    Ok(())
}

fn main() -> Outcome {
    let server = Server::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        each_style_is_read_to_its_end(&server).await?;
        one_bad_record_of_a_thousand_is_an_error(&server).await?;
        list_goes_on_where_it_was_left(&server).await?;
        failed_page_has_the_documented_error(&server).await?;
        success_that_the_document_does_not_list_is_an_error(&server).await?;
        drift_of_items_is_counted(&server).await?;
        mocked_pages_are_read().await?;
        streams::mocks_respond_with_typed_items().await?;
        streams::stream_goes_on_after_a_cut_and_a_bad_item().await?;
        streams::strict_stream_refuses_an_item_and_goes_on().await?;
        streams::raw_stream_has_values().await?;
        webhooks::extractor_of_the_documentation_responds_by_status().await
    })?;
    webhooks::event_is_chosen_by_its_name()?;
    blocking_lists_are_iterators(&server)?;
    streams::stream_without_async_is_an_iterator()
}
