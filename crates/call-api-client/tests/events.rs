//! Server-sent events and JSON lines against a local server, which sends a script for each connection.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use call_api_client::raw::RawRequest;
use call_api_client::transport::{Auth, Operation, ResponseBody, Transport};
use call_api_client::{
    Client, ClientBuilder, DriftMode, Error, ErrorKind, EventData, Events, JsonLines,
};
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const WATCH: Operation = Operation {
    id: "watch",
    path: "/v1/events",
    auth: Auth::None,
    body: ResponseBody::Streamed,
};

/// An action of the server on a connection.
#[derive(Clone, Debug)]
enum Act {
    /// Sends these bytes as chunks of the body.
    Send(&'static str),
    /// Sends a head, in place of the usual one.
    Head(&'static str),
    Wait(u64),
    /// Ends the body.
    End,
}

use Act::{End, Head, Send, Wait};

const EVENTS: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

struct Server {
    url: String,
    /// The head of each request, and its time.
    requests: Arc<Mutex<Vec<(String, Instant)>>>,
}

impl Server {
    /// Plays a script for each connection, one after the other. A connection without an `End` is cut after its script; one
    /// without a script is refused with 404.
    async fn start(scripts: Vec<Vec<Act>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            let mut scripts = scripts.into_iter();
            while let Ok((stream, _)) = listener.accept().await {
                let script = scripts.next().unwrap_or_else(|| {
                    vec![Head("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")]
                });
                tokio::spawn(serve(stream, script, Arc::clone(&seen)));
            }
        });
        Self { url, requests }
    }

    fn builder(&self) -> ClientBuilder {
        Client::builder().base_url(&self.url).jitter(|| 0.0)
    }

    fn events(&self) -> Events<Value> {
        self.events_of(&self.builder().build().unwrap(), Method::GET)
    }

    fn events_of(&self, client: &Client, method: Method) -> Events<Value> {
        RawRequest::new(client, method, &WATCH).events(EventData::Json)
    }

    fn lines(&self) -> JsonLines<Value> {
        let client = Client::new(Transport::builder(&self.url).build().unwrap());
        RawRequest::new(&client, Method::GET, &WATCH).lines("application/x-ndjson")
    }

    fn requests(&self) -> Vec<(String, Instant)> {
        self.requests.lock().unwrap().clone()
    }

    /// Returns a header of each request; empty where there is none.
    fn header(&self, name: &str) -> Vec<String> {
        let heads = self.requests().into_iter().map(|(head, _)| head);
        let value = |head: String| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            let found = lines.find(|(other, _)| other.eq_ignore_ascii_case(name));
            found.map_or(String::new(), |(_, value)| value.to_owned())
        };
        heads.map(value).collect()
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Vec<Act>,
    seen: Arc<Mutex<Vec<(String, Instant)>>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    seen.lock().unwrap().push((head, Instant::now()));
    if !matches!(script.first(), Some(Head(_))) {
        stream.write_all(EVENTS.as_bytes()).await?;
    }
    for act in script {
        match act {
            Head(head) => stream.write_all(head.as_bytes()).await?,
            Send(bytes) => {
                let chunk = format!("{:x}\r\n{bytes}\r\n", bytes.len());
                stream.write_all(chunk.as_bytes()).await?;
            }
            Wait(milliseconds) => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
            End => stream.write_all(b"0\r\n\r\n").await?,
        }
        stream.flush().await?;
    }
    Ok(())
}

/// Reads a stream to its end: the items, and the kinds of the errors among them.
async fn all(mut events: Events<Value>) -> (Vec<Value>, Vec<Error>) {
    let (mut items, mut errors) = (Vec::new(), Vec::new());
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => items.push(event.item),
            Err(error) => errors.push(error),
        }
    }
    assert!(events.next().await.is_none());
    (items, errors)
}

#[tokio::test]
async fn events_arrive_as_they_are_sent() {
    let server = Server::start(vec![vec![
        Send(": hello\n\nevent: add\ndata: 1\n"),
        Send("id: a\n\nda"),
        Wait(50),
        Send("ta: 2\r"),
        Send("\n\r\n"),
        End,
        Wait(5000),
    ]])
    .await;
    let mut events = server.events().reconnect(false);
    let first = events.next().await.unwrap().unwrap();
    assert_eq!((first.item, first.name.as_str()), (json!(1), "add"));
    assert_eq!(first.id.as_deref(), Some("a"));
    let second = events.next().await.unwrap().unwrap();
    assert_eq!((second.item, second.name.as_str()), (json!(2), "message"));
    assert_eq!((second.id, events.last_event_id()), (None, Some("a")));
    assert!(events.next().await.is_none());
    assert_eq!(server.header("accept"), ["text/event-stream"]);
}

#[tokio::test]
async fn cut_connection_is_resumed_after_the_last_event_until_204() {
    let server = Server::start(vec![
        vec![Send(
            "retry: 60\n\nid: 1\ndata: 1\n\nid: 2\ndata: 2\n\nid: 3\ndata: 3\n",
        )],
        vec![Send("data: 3\n\n"), End],
        vec![Head("HTTP/1.1 204 No Content\r\n\r\n")],
    ])
    .await;
    let (items, errors) = all(server.events()).await;
    assert_eq!(items, [1, 2, 3]);
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(server.header("last-event-id"), ["", "2", "2"]);
    let requests = server.requests();
    let delays = requests.windows(2).map(|pair| pair[1].1 - pair[0].1);
    for delay in delays {
        assert!(
            (60..1000).contains(&delay.as_millis()),
            "{delay:?} with `retry: 60`"
        );
    }
}

#[tokio::test]
async fn stream_starts_after_a_given_event() {
    let server = Server::start(vec![vec![Send("data: 8\n\n"), End]]).await;
    let (items, errors) = all(server.events().after("7")).await;
    assert_eq!(items, [8]);
    assert!(errors.is_empty(), "{errors:?}");
    // Without ids, the position does not move: to resume there would repeat events.
    assert_eq!(server.header("last-event-id"), ["7"]);
    let (_, errors) = all(server.events().after("a\nb")).await;
    assert_eq!(errors[0].kind(), ErrorKind::InvalidRequest);
}

#[tokio::test]
async fn stream_without_a_position_is_not_resumed() {
    for script in ["data: 1\n\n", "id: 1\ndata: 1\n\nid:\n\n"] {
        let server = Server::start(vec![vec![Send(script)]]).await;
        let (items, errors) = all(server.events()).await;
        assert_eq!(items, [1]);
        assert_eq!(errors[0].kind(), ErrorKind::Interrupted);
        assert_eq!(errors[0].status(), Some(200));
        let text = errors[0].to_string();
        assert!(text.starts_with("GET http://127.0.0.1:"), "{text}");
        assert_eq!(server.requests().len(), 1);
    }
    let server = Server::start(vec![vec![Send("data: 1\n\ndata: 2\n"), End]]).await;
    let (items, errors) = all(server.events()).await;
    assert_eq!((items, errors.len()), (vec![json!(1)], 0));
}

#[tokio::test]
async fn post_and_reconnect_false_are_not_resumed() {
    let script = || vec![vec![Send("id: 1\ndata: 1\n\n")]];
    let server = Server::start(script()).await;
    let client = server.builder().build().unwrap();
    let (_, errors) = all(server.events_of(&client, Method::POST)).await;
    assert_eq!(errors[0].kind(), ErrorKind::Interrupted);
    let server = Server::start(script()).await;
    let (_, errors) = all(server.events().reconnect(false)).await;
    assert_eq!(errors[0].kind(), ErrorKind::Interrupted);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn service_that_begins_again_ends_the_stream() {
    let whole = vec![Send("id: a\ndata: 1\n\nid: b\ndata: 2\n\n"), End];
    let cut = vec![Send("retry: 1\nid: a\ndata: 1\n\nid: b\ndata: 2\n\n")];
    let server = Server::start(vec![whole.clone(), whole.clone()]).await;
    let mut events = server.events();
    for expected in ["a", "b"] {
        let event = events.next().await.unwrap().unwrap();
        assert_eq!(event.id.as_deref(), Some(expected));
    }
    assert!(events.next().await.is_none());
    assert_eq!(events.last_event_id(), Some("b"));
    assert_eq!(server.header("last-event-id"), ["", "b"]);

    let server = Server::start(vec![cut.clone(), whole.clone()]).await;
    let (items, errors) = all(server.events()).await;
    assert_eq!(items, [1, 2]);
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].kind(), ErrorKind::Interrupted);

    // A comment and a greeting in between change nothing.
    let comment = vec![Send(": hello\n\n"), End];
    let greeting = vec![Send("event: hello\ndata: 0\n\n"), whole[0].clone(), End];
    let server = Server::start(vec![cut, comment, greeting]).await;
    let (items, errors) = all(server.events()).await;
    assert_eq!(items, [1, 2, 0]);
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].kind(), ErrorKind::Interrupted);

    // Ids that count from 1 in each connection are not those of the first events.
    let other = vec![Send("id: a\ndata: 3\n\n"), End];
    let end = vec![Head("HTTP/1.1 204 No Content\r\n\r\n")];
    let server = Server::start(vec![whole, other, end]).await;
    let (items, errors) = all(server.events()).await;
    assert_eq!(
        (items, errors.len()),
        (vec![json!(1), json!(2), json!(3)], 0)
    );
}

#[tokio::test]
async fn reconnection_that_the_service_refuses_is_its_error() {
    let server = Server::start(vec![vec![Send("retry: 1\nid: 1\ndata: 1\n\n")]]).await;
    let (items, errors) = all(server.events()).await;
    assert_eq!(items, [1]);
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn reconnection_keeps_to_the_deadline() {
    // A longer delay than the deadline.
    let server = Server::start(vec![vec![Send("retry: 60000\nid: 1\ndata: 1\n\n")]]).await;
    let (_, errors) = all(server.events()).await;
    assert_eq!(errors[0].kind(), ErrorKind::Interrupted);
    assert!(errors[0].to_string().contains("60000 ms"), "{}", errors[0]);
    // A service that takes each connection and sends nothing. The delays are 0, 500, 1000 … ms.
    let cut = vec![Head(EVENTS)];
    let mut scripts = vec![vec![Send("retry: 0\nid: 1\ndata: 1\n\n")]];
    scripts.extend(vec![cut; 50]);
    let server = Server::start(scripts).await;
    let client = server.builder().deadline(Duration::from_secs(1)).build();
    let started = Instant::now();
    let (_, errors) = all(server.events_of(&client.unwrap(), Method::GET)).await;
    assert_eq!(errors[0].kind(), ErrorKind::Interrupted);
    assert_eq!(server.requests().len(), 3);
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn idle_time_out_is_not_the_deadline() {
    let slow = |pause| {
        vec![
            Send("data: 1\n\n"),
            Wait(pause),
            Send(": still here\n"),
            Wait(pause),
            Send("\ndata: 2\n\n"),
            Wait(5000),
        ]
    };
    let server = Server::start(vec![slow(300)]).await;
    let client = server
        .builder()
        .deadline(Duration::from_millis(400))
        .attempt_timeout(Duration::from_millis(100))
        .idle_timeout(Duration::from_millis(700))
        .build()
        .unwrap();
    let mut events = server.events_of(&client, Method::GET);
    assert_eq!(events.next().await.unwrap().unwrap().item, 1);
    // Longer than the deadline in all.
    assert_eq!(events.next().await.unwrap().unwrap().item, 2);
    let error = events.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("no bytes for 700 ms"), "{error}");
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn bad_event_is_an_error_among_the_others() {
    let server = Server::start(vec![vec![
        Send("data: {\"a\":\n\ndata: [1]\n\ndata: 1 2\n\n"),
        Send("data: [DONE]\n\ndata: 3\n\n"),
        Wait(5000),
    ]])
    .await;
    let client = server.builder().drift(DriftMode::Watch).build().unwrap();
    let (items, errors) = all(server.events_of(&client, Method::GET)).await;
    assert_eq!(items, [json!([1])]);
    let places: Vec<_> = errors
        .iter()
        .map(|error| {
            let item = error.item().unwrap();
            (item.index(), item.json(), error.kind())
        })
        .collect();
    assert_eq!(
        places,
        [
            (0, &b"{\"a\":"[..], ErrorKind::Decode),
            (2, b"1 2", ErrorKind::Decode)
        ]
    );
    assert_eq!(
        client.drifts().iter().map(|(_, count)| count).sum::<u64>(),
        2
    );
}

#[tokio::test]
async fn long_event_is_an_error_and_the_next_one_follows() {
    let server = Server::start(vec![vec![Send("data: \"0123456789\"\n\ndata: 1\n\n"), End]]).await;
    let client = server.builder().body_limit(10).build().unwrap();
    let (items, errors) = all(server.events_of(&client, Method::GET)).await;
    assert_eq!(items, [1]);
    assert_eq!(errors[0].kind(), ErrorKind::BodyTooLarge);
    assert_eq!(errors[0].item().unwrap().index(), 0);
    assert!(
        errors[0].to_string().contains("limit of 10 bytes"),
        "{}",
        errors[0]
    );
}

#[tokio::test]
async fn other_content_is_not_an_empty_stream() {
    let server = Server::start(vec![vec![Head(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 3\r\n\r\n<p>",
    )]])
    .await;
    let (_, errors) = all(server.events()).await;
    assert_eq!(errors[0].kind(), ErrorKind::Decode);
    assert!(errors[0].to_string().contains("text/html"), "{}", errors[0]);
}

#[tokio::test]
async fn text_and_fields_of_events_are_items() {
    let script = "event: note\ndata: {\"a\": 1}\nid: 7\nretry: 5\n\ndata: 1\n\n";
    for (data, expected) in [
        (EventData::Text, json!(["{\"a\": 1}", "1"])),
        (
            EventData::Fields {
                json: Some(&["note"]),
            },
            json!([{"data": {"a": 1}, "event": "note", "id": "7", "retry": 5}, {"data": "1"}]),
        ),
        (
            EventData::Fields { json: None },
            json!([{"data": {"a": 1}, "event": "note", "id": "7", "retry": 5}, {"data": 1}]),
        ),
    ] {
        let server = Server::start(vec![vec![Send(script), End]]).await;
        let client = server.builder().build().unwrap();
        let events: Events<Value> = RawRequest::new(&client, Method::GET, &WATCH).events(data);
        let (items, _) = all(events.reconnect(false)).await;
        assert_eq!(Value::from(items), expected);
    }
}

#[tokio::test]
async fn json_lines_are_items_and_a_cut_is_an_error() {
    const HEAD: Act = Head(
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    let server = Server::start(vec![
        vec![
            HEAD,
            Send("{\"a\":1}\n\n{\"a\""),
            Send(":2}\r\nx\n  3"),
            End,
        ],
        vec![HEAD, Send("1\n2")],
    ])
    .await;
    let mut lines = server.lines();
    assert_eq!(lines.next().await.unwrap().unwrap(), json!({"a": 1}));
    assert_eq!(lines.next().await.unwrap().unwrap(), json!({"a": 2}));
    let error = lines.next().await.unwrap().unwrap_err();
    assert_eq!(error.item().unwrap().index(), 2);
    assert_eq!(lines.next().await.unwrap().unwrap(), 3);
    assert!(lines.next().await.is_none());
    let mut lines = server.lines();
    assert_eq!(lines.next().await.unwrap().unwrap(), 1);
    let error = lines.next().await.unwrap().unwrap_err();
    assert_eq!(
        (error.kind(), error.item().is_some()),
        (ErrorKind::Interrupted, false)
    );
    assert!(lines.next().await.is_none());
    assert_eq!(server.header("accept"), ["application/x-ndjson"; 2]);
    assert_eq!(server.header("last-event-id"), [""; 2]);
}

#[cfg(feature = "blocking")]
#[test]
fn blocking_stream_is_an_iterator() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start(vec![vec![
        Send("data: 1\n\ndata: x\n\ndata: 2\n\n"),
        End,
    ]]));
    let events = server.events().blocking().unwrap();
    let items: Vec<Option<Value>> = events
        .map(|event| event.ok().map(|event| event.item))
        .collect();
    assert_eq!(items, [Some(json!(1)), None, Some(json!(2))]);
}
