//! Sends each operation of `documents/wire.yaml` once, and prints the request that a local server received.
//!
//! `tests/wire.rs` compiles this program with the generated crates.

#![deny(warnings)]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

use call_api_client::{Client, RequestOptions, SERVERS};
use call_api_transport::Transport;
use call_api_types::{Color, FilePart, MaybeColor, Nullable, Range, Settings, Shade, ShadeInner};
use chrono::{DateTime, Utc};

type Outcome = Result<(), Box<dyn Error>>;

/// Headers that every client sends, or that depend on the machine.
const COMMON_HEADERS: [&str; 2] = ["host", "accept-encoding"];

fn respond(stream: &TcpStream, requests: &Sender<String>) -> Outcome {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let request = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    let mut length = 0;
    // The boundary varies.
    let mut boundary = String::from("no boundary");
    let mut text = String::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        if name == "content-length" {
            length = value.parse()?;
        }
        let value = match value.split_once("boundary=") {
            Some((before, found)) => {
                boundary = found.to_owned();
                format!("{before}boundary=BOUNDARY")
            }
            None => value.to_owned(),
        };
        let value = value.as_str();
        let is_common = match name {
            "content-length" => value != "0",
            "user-agent" => value.starts_with("call-api-transport/"),
            name => COMMON_HEADERS.contains(&name) || (name, value) == ("accept", "*/*"),
        };
        if !is_common {
            text.push_str(&format!("    {name}: {value}\n"));
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if length > 0 {
        let body = String::from_utf8_lossy(&body).replace(&boundary, "BOUNDARY");
        text.push_str(&format!("    | {body}\n"));
    }
    requests.send(format!("{request}\n{text}"))?;
    let echo;
    let response = if request.starts_with("PATCH /body/settings") {
        // Echoes the body.
        let (length, body) = (body.len(), String::from_utf8_lossy(&body));
        echo = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        echo.as_str()
    } else if request.starts_with("POST /values/media-types") {
        "HTTP/1.1 200 OK\r\ncontent-type: application/json;version=2\r\ncontent-length: 9\r\nconnection: close\r\n\r\n{\"gte\":1}"
    } else if request.starts_with("PATCH /body/json") {
        "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.wire+json\r\ncontent-length: 9\r\nconnection: close\r\n\r\n{\"gte\":1}"
    } else if request.starts_with("POST /tickets") && !text.contains("idempotency-key: own") {
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 0\r\nconnection: close\r\n\r\n"
    } else if request.starts_with("HEAD") {
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\nconnection: close\r\n\r\n"
    } else {
        "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"
    };
    let mut stream = stream;
    stream.write_all(response.as_bytes())?;
    Ok(())
}

fn serve() -> Result<(String, Receiver<String>), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let base = format!("http://{}", listener.local_addr()?);
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if let Err(error) = respond(&stream, &sender) {
                eprintln!("the server failed: {error}");
            }
        }
    });
    Ok((base, requests))
}

/// Sends a request, and prints it as the server received it, or the error.
macro_rules! send {
    ($requests:expr, $request:expr) => {{
        let request = $request;
        match request.send().await {
            Ok(_) => print!("{}", $requests.recv()?),
            Err(error) => println!("{}: {error}", stringify!($request)),
        }
    }};
}

mod responses;
mod values;

/// Absent, null and empty values differ on the wire, and round-trip.
async fn settings(client: &Client, requests: &Receiver<String>) -> Outcome {
    let bodies = [
        Settings::builder().owner(None),
        Settings::builder()
            .owner("o".to_owned())
            .name(Nullable::Null)
            .range(Nullable::Null)
            .anything(Nullable::Null)
            .words(Nullable::Null),
        Settings::builder()
            .owner("o")
            .name("n")
            .range(Range::builder().gte(1).build()?)
            .anything(serde_json::Value::from("a"))
            .count(6)
            .tags(vec!["t".to_owned()])
            .labels(BTreeMap::from([("k".to_owned(), "v".to_owned())]))
            .words(vec!["w".to_owned()]),
        Settings::builder()
            .owner(None)
            .name(Nullable::value_or_absent(None))
            .tags(Vec::new())
            .labels(BTreeMap::new())
            .words(Vec::new()),
    ];
    for body in bodies {
        let body = body.build()?;
        let result = client.change_settings().body(body.clone()).await?;
        assert_eq!(result, body);
        print!("{}", requests.recv()?);
    }
    Ok(())
}

/// A request without a key has one of its own, the same in each attempt, and another one in the next request.
async fn idempotency_keys(client: &Client, requests: &Receiver<String>) -> Outcome {
    let mut keys = Vec::new();
    for _ in 0..2 {
        let request = client.create_ticket().max_attempts(2);
        let error = request.send().await.err().ok_or("503 is no error")?;
        println!("create_ticket: {:?}", error.delivery());
        let (first, second) = (requests.recv()?, requests.recv()?);
        assert_eq!(first, second);
        let (_, key) = first.split_once("idempotency-key: ").ok_or("no key")?;
        let key = key.lines().next().unwrap_or_default();
        keys.push(key.parse::<uuid::Uuid>()?);
    }
    assert_ne!(keys[0], keys[1]);
    send!(requests, client.create_ticket().idempotency_key("own 1"));
    send!(requests, client.create_ticket().idempotency_key("of the request").options(RequestOptions::new().idempotency_key("own 2")));
    send!(requests, client.text_body().body("a").idempotency_key("key"));
    let invalid = client.text_body().body("a").idempotency_key("a\nb");
    println!("{:?}", invalid.send().await.err().map(|error| error.kind()));
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let (base, requests) = serve()?;
    let client = Client::new(Transport::builder(&base).build()?);
    let when: DateTime<Utc> = "2023-11-07T05:31:56.5Z".parse()?;
    let range = || Range::builder().gte(1).build();
    let object = || -> Result<_, Box<dyn Error>> {
        Ok(serde_json::from_str::<serde_json::Map<_, _>>(
            r#"{"gte": 1, "lte": 2}"#,
        )?)
    };
    let words = || vec!["a,b".to_owned(), "c d".to_owned()];

    println!("SERVERS {SERVERS:?}");
    send!(
        requests,
        client
            .signs()
            .date("a")
            .date_lt(when)
            .date_gt("c&d")
            .filter_status("e")
    );
    send!(requests, client.signs());
    send!(
        requests,
        client
            .same_name("path")
            .id_query(1)
            .id_query2("other case")
            .id_header("header")
    );
    send!(
        requests,
        client
            .locals()
            .body_query("1")
            .client("2")
            .request("3")
            .response("4")
            .url(words())
            .result("5")
            .info("6")
            .value("7")
            .self_("8")
            .type_("9")
            .header_map_query("10")
            .encode_path_query("11")
            .send_query("12")
            .new_query("13")
            .api_version("14")
    );
    send!(
        requests,
        client
            .query_styles()
            .repeated(words())
            .one_or_many(words())
            .comma(words())
            .times(vec![when, when])
            .space(vec![1, 2])
            .pipe(vec![Color::Blue, Color::Black])
            .deep_gte(1)
            .tree(serde_json::from_str::<serde_json::Map<_, _>>(
                r#"{"inner": {"gte": 1, "lte": 2}}"#
            )?)
            .any(BTreeMap::from([("k e y".to_owned(), "v".to_owned())]))
            .x(1)
            .y("2")
            .map(BTreeMap::from([("key".to_owned(), "v".to_owned())]))
            .joined(object()?)
            .json(r#"{"gte":1}"#)
            .nothing("n")
            .nullable("m".to_owned())
            .either(7)
    );
    send!(requests, client.query_styles().pipe(Vec::<Color>::new()).x(1));
    send!(requests, client.query_styles());
    send!(
        requests,
        client.path_styles(
            vec!["a/b".to_owned(), "c,d".to_owned()],
            when,
            5,
            words(),
            object()?,
            "..%/?"
        )
    );
    send!(
        requests,
        client
            .headers()
            .x_list(vec![1, 2])
            .x_when(when)
            .x_object(object()?)
            .x_nullable(3)
            .x_color(Color::Blue)
            .x_shade(Shade(Some(ShadeInner::Dark)))
            .x_no_shade(Shade(None))
            .x_maybe_color(MaybeColor(Some(Color::Black)))
            .x_either(true)
    );
    send!(requests, client.segments("1", "2", "3"));
    send!(requests, client.odd_path().more("ü"));
    send!(requests, client.use_options());
    send!(requests, client.use_trace());
    send!(requests, client.use_head());
    send!(requests, client.type_("1", "2"));
    send!(requests, client.post("1", "2"));
    send!(requests, client.result_operation("1", "2"));
    send!(requests, client._1st("1", "2"));
    #[expect(deprecated, reason = "as the document says")]
    let old = client.old();
    #[expect(deprecated, reason = "as the document says")]
    let old = old.older("1");
    send!(requests, old);
    send!(requests, client.json_body().body(range()?));
    #[expect(deprecated, reason = "as the document says")]
    let merge_patch = client.merge_patch().body_map(|body| body.lte(2));
    send!(requests, merge_patch);
    send!(requests, client.several().body(range()?));
    send!(requests, client.delete_with_body());
    send!(
        requests,
        client
            .delete_with_body()
            .body_map(|body| body.why("so".to_owned()))
    );
    settings(&client, &requests).await?;
    send!(requests, client.flat_form().body(range()?));
    send!(
        requests,
        client.form_with_lists().body_map(|body| body
            .tags(words())
            .csv(vec![1, 2])
            .range(range().ok())
            .deep(range().ok()))
    );
    send!(requests, client.optional_form());
    send!(requests, client.optional_form().body_map(|body| body.gte(1)));
    send!(requests, client.optional_text());
    send!(requests, client.optional_text().body("a"));
    send!(requests, client.optional_list().after("b"));
    send!(requests, client.optional_list().after("b").body(vec![1, 2]));
    send!(requests, client.optional_parts());
    send!(
        requests,
        client
            .optional_parts()
            .body_map(|body| body.note("n".to_owned()))
    );
    send!(
        requests,
        client
            .optional_parts()
            .body_map(|body| body.tags(words()).labels(BTreeMap::from([("a".to_owned(), "b".to_owned())])))
    );
    send!(requests, client.text_body().body("a,b\r\n"));
    send!(requests, client.bytes_body().body(vec![0x50, 0x4e, 0x47]));
    send!(requests, client.xml_body().body("<range/>"));
    send!(requests, client.any_body().body("anything"));
    send!(
        requests,
        client
            .upload()
            .body_map(|body| body.file(b"ID3".to_vec()).note_text("a\r\nb"))
    );
    let file = || FilePart::new("RIFF").with_name("a.wav");
    let image = FilePart::new([0x50, 0x4e, 0x47]);
    send!(
        requests,
        client.upload().body_map(|body| body
            .file(file().with_media_type("audio/wav"))
            .note_text("a,b")
            .scan(file())
            .images(vec![image.clone(), image])
            .csv("1,2".to_owned())
            .count(2)
            .colors(vec![Color::Blue, Color::Black])
            .range(range().ok())
            .ranges(vec![Range::default()])
            .settings(
                Settings::builder()
                    .owner(None)
                    .name(Nullable::Null)
                    .build()
                    .ok()
            ))
    );
    send!(
        requests,
        client.upload().body_map(|body| body
            .file(file().with_media_type("audio/wav\r\n"))
            .note_text("a"))
    );
    idempotency_keys(&client, &requests).await?;
    values::run(&base, &client, &requests).await?;
    println!("\nresponses:");
    responses::run().await
}
