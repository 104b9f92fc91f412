//! Reads the streams of `documents/kinds/lists.yaml` from the mocks and from a local server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

use lists_client::raw::RawRequest;
use lists_client::{Client, DriftKind, DriftMode, ErrorKind, Event, EventData, Events, Streamed, builder};
use lists_mock::MockServerExt as _;
use lists_types::{
    AskResponseItem, Call, ChangesItem, ChangesItemAdded, ChangesItemAddedEvent, ChangesItemRenamed,
    ChangesItemRenamedEvent, Line,
};
use serde_json::Value;

use super::{Outcome, call, id};

fn client(url: &str) -> Outcome<Client> {
    Ok(Client::builder().base_url(url).build()?)
}

async fn read<T: serde::de::DeserializeOwned>(mut events: Events<T>) -> Outcome<Vec<Event<T>>> {
    let mut read = Vec::new();
    while let Some(event) = events.next().await {
        read.push(event?);
    }
    Ok(read)
}

pub(crate) async fn mocks_respond_with_typed_items() -> Outcome {
    let server = lists_mock::MockServer::start_async().await;
    let client = client(&server.base_url())?;

    let calls: Vec<Call> = vec![
        serde_json::from_value(call(1))?,
        serde_json::from_value(call(2))?,
    ];
    let mock = server.watch_call(|when, then| {
        when.id(&id(1)).events_query("all").into_inner().header("accept", "text/event-stream");
        then.events(&calls);
    });
    let events = read(client.watch_call(id(1)).events_query("all").events()).await?;
    let items: Vec<&Call> = events.iter().map(|event| &event.item).collect();
    assert_eq!(items, calls.iter().collect::<Vec<_>>());
    assert_eq!((events[0].name.as_str(), &events[0].id), ("message", &None));
    mock.assert();

    // JSON and events under one status: the accepted type decides.
    let words: Vec<AskResponseItem> =
        serde_json::from_str(r#"[{"word": "Hello"}, {"word": "there", "at": 5}]"#)?;
    server.ask(|when, then| {
        when.into_inner().header("accept", "text/event-stream");
        then.events(&words);
    });
    let line = Line::builder().id(7).build()?;
    server.ask(|when, then| {
        when.into_inner().header("accept", "application/json");
        then.ok(&line);
    });
    let request = || client.ask().body(serde_json::from_str::<lists_types::AskBody>("{}").unwrap());
    let events = read(request().events()).await?;
    assert!(events.iter().map(|event| &event.item).eq(&words));
    assert_eq!(request().await?, line);

    let added = ChangesItemAdded::builder().event(ChangesItemAddedEvent::Added).data(line.clone());
    let renamed = ChangesItemRenamed::builder().event(ChangesItemRenamedEvent::Renamed);
    // A text that would be JSON.
    let renamed = renamed.data("12").id("a".to_owned());
    let changes = [
        ChangesItem::from(added.build()?),
        ChangesItem::from(renamed.build()?),
    ];
    server.watch_changes(|_, then| {
        then.events(&changes);
    });
    let events = read(client.watch_changes().events().reconnect(false)).await?;
    assert!(events.iter().map(|event| &event.item).eq(&changes));
    assert_eq!((events[0].name.as_str(), events[1].name.as_str()), ("added", "renamed"));
    assert_eq!(events[1].id.as_deref(), Some("a"));

    let texts = ["one\ntwo".to_owned(), "[DONE]".to_owned()];
    server.read_log(|_, then| {
        then.events(&texts);
    });
    let events = read(client.read_log().events()).await?;
    assert!(events.iter().map(|event| &event.item).eq(&texts));

    let lines: Vec<Line> = (0..3).map(|id| Line::builder().id(id).build()).collect::<Result<_, _>>()?;
    server.export_lines(|_, then| {
        then.lines(&lines);
    });
    let mut stream = client.export_lines().lines();
    for line in &lines {
        assert_eq!(stream.next().await.ok_or("no line")??, *line);
    }
    assert!(stream.next().await.is_none());
    // The whole of it, as it came.
    let body = client.export_lines().await?.read_to_end().await?;
    assert_eq!(body, b"{\"id\":0}\n{\"id\":1}\n{\"id\":2}\n");
    Ok(())
}

/// Starts a server that cuts the first connection after its response, and returns its URL and the heads of the requests.
fn server(responses: Vec<String>) -> Outcome<(String, mpsc::Receiver<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let (sender, heads) = mpsc::channel();
    std::thread::spawn(move || {
        for response in responses {
            let Ok((mut stream, _)) = listener.accept() else {
                return;
            };
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let _ = sender.send(head.join("\n"));
            let _ = stream.write_all(response.as_bytes());
        }
    });
    Ok((url, heads))
}

pub(crate) async fn stream_goes_on_after_a_cut_and_a_bad_item() -> Outcome {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = |text: String| format!("{:x}\r\n{text}\r\n", text.len());
    let bad = r#"{"id": "7", "status": "ended", "number": 1}"#;
    let first = format!("retry: 1\nid: 1\ndata: {}\n\nid: 2\ndata: {bad}\n\nid: 3\ndata: {{", call(1));
    let new = r#"{"id":"00000000-0000-0000-0000-000000000003","status":"ended","number":3,"more":1}"#;
    let (url, heads) = server(vec![
        format!("{head}{}", chunk(first)),
        format!("{head}{}0\r\n\r\n", chunk(format!("id: 3\ndata: {new}\n\n"))),
        "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
    ])?;
    let client = Client::builder().base_url(url).drift(DriftMode::Watch).build()?;
    let mut events = client.watch_call(id(1)).events();
    assert_eq!(events.next().await.ok_or("no event")??.item.id, id(1));
    let error = events.next().await.ok_or("no event")?.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    let item = error.item().ok_or("no item")?;
    assert_eq!((item.index(), item.json_path(), item.json()), (1, "id", bad.as_bytes()));
    assert_eq!(events.next().await.ok_or("no event")??.item.id, id(3));
    assert!(events.next().await.is_none());
    assert_eq!(events.last_event_id(), Some("3"));
    let ids: Vec<String> = heads
        .iter()
        .take(3)
        .map(|head| {
            let mut lines = head.lines();
            let line = lines.find_map(|line| line.strip_prefix("last-event-id: "));
            line.unwrap_or("none").to_owned()
        })
        .collect();
    assert_eq!(ids, ["none", "2", "3"]);
    let drifts = client.drifts();
    let places: Vec<(&str, &DriftKind)> =
        drifts.iter().map(|(drift, _)| (drift.place.as_str(), &drift.kind)).collect();
    assert_eq!(places.len(), 2, "{places:?}");
    assert!(places.contains(&("more", &DriftKind::UnknownProperty)), "{places:?}");
    assert!(places.iter().any(|(place, _)| *place == "id"), "{places:?}");
    Ok(())
}

pub(crate) async fn strict_stream_refuses_an_item_and_goes_on() -> Outcome {
    let server = lists_mock::MockServer::start_async().await;
    server.export_lines(|_, then| {
        then.into_inner().status(200).body("{\"id\": 1, \"more\": 2}\n{\"id\": 2}");
    });
    let client = Client::builder().base_url(server.base_url()).drift(DriftMode::Strict).build()?;
    let mut lines = client.export_lines().lines();
    let error = lines.next().await.ok_or("no line")?.unwrap_err();
    assert_eq!((error.kind(), error.item().is_some()), (ErrorKind::Drift, true));
    assert_eq!(lines.next().await.ok_or("no line")??.id, 2);
    Ok(())
}

pub(crate) fn stream_without_async_is_an_iterator() -> Outcome {
    let server = lists_mock::MockServer::start();
    let lines: Vec<Line> = (0..3).map(|id| Line::builder().id(id).build()).collect::<Result<_, _>>()?;
    server.export_lines(|_, then| {
        then.lines(&lines);
    });
    let client = client(&server.base_url())?;
    let read: Result<Vec<Line>, _> = client.export_lines().lines().blocking()?.collect();
    assert_eq!(read?, lines);
    Ok(())
}

/// A stream of an operation that is chosen at run time.
pub(crate) async fn raw_stream_has_values() -> Outcome {
    let server = lists_mock::MockServer::start_async().await;
    server.watch_changes(|_, then| {
        then.into_inner().status(200).body("event: added\ndata: {\"id\": 1}\n\n");
    });
    let client = client(&server.base_url())?;
    let operation = <builder::WatchChanges as lists_client::Operation>::SPEC;
    let data: EventData = <builder::WatchChanges as Streamed>::EVENT_DATA;
    let events = RawRequest::new(&client, http::Method::GET, operation).events::<Value>(data);
    let events = read(events.reconnect(false)).await?;
    assert_eq!(events[0].item, serde_json::json!({"data": {"id": 1}, "event": "added"}));
    Ok(())
}
