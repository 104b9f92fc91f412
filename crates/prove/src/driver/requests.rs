// Sends requests with the generated client to a server on the loopback interface, which reports what it received.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender as Channel, channel};
use std::time::Duration;

use call_api_client::Client;
use call_api_transport::Transport;
use call_api_types as types;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";

pub(crate) struct Sender {
    runtime: tokio::runtime::Runtime,
    client: Client,
    received: Receiver<Value>,
}

impl Sender {
    pub(crate) fn new() -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let (sender, received) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = receive(stream, &sender);
            }
        });
        let transport = Transport::builder(format!("http://{address}"))
            .build()
            .map_err(|error| error.to_string())?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            runtime,
            client: Client::new(transport),
            received,
        })
    }

    /// Returns the request as it was received, or an error if it was not sent.
    pub(crate) fn send(&self, index: usize, arguments: &str) -> Result<String, String> {
        let arguments: Map<String, Value> =
            serde_json::from_str(arguments).map_err(|error| error.to_string())?;
        while self.received.try_recv().is_ok() {}
        let sent = self.runtime.block_on(operation(&self.client, index, &arguments));
        match (self.received.recv_timeout(Duration::from_millis(1)), sent) {
            (Ok(request), _) => Ok(request.to_string()),
            (Err(_), Err(error)) => Err(error),
            (Err(_), Ok(())) => Err("nothing was received".to_owned()),
        }
    }
}

fn receive(mut stream: TcpStream, sender: &Channel<Value>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut start = String::new();
    reader.read_line(&mut start)?;
    let mut headers = Vec::new();
    loop {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line)?;
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let mut body = Vec::new();
    if let Some(length) = header("content-length").and_then(|length| length.parse().ok()) {
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
    } else if header("transfer-encoding").is_some() {
        read_chunks(&mut reader, &mut body)?;
    }
    let mut words = start.trim_end().splitn(3, ' ');
    let request = json!({
        "method": words.next(),
        "target": words.next(),
        "headers": headers,
        // Decodes the body as Latin-1, so that any body is text.
        "body": body.iter().map(|byte| char::from(*byte)).collect::<String>(),
    });
    // Before the response, so that it is available when the client has received that.
    let _ = sender.send(request);
    stream.write_all(ANSWER)
}

fn read_chunks(reader: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim(), 16).unwrap_or(0);
        let start = body.len();
        body.resize(start + length, 0);
        reader.read_exact(&mut body[start..])?;
        reader.read_line(&mut line)?;
        if length == 0 {
            return Ok(());
        }
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_json::from_value(value.clone()).map_err(|error| format!("cannot be decoded: {error}"))
}

/// Returns the bytes of a body that is not JSON: of a text, or of a list of numbers.
#[allow(dead_code)]
fn bytes(value: &Value) -> Result<Vec<u8>, String> {
    match value {
        Value::String(text) => Ok(text.clone().into_bytes()),
        numbers => read(numbers),
    }
}

/// Returns true if the request leaves out a property of its body.
#[allow(dead_code)]
fn leaves_out(arguments: &Map<String, Value>, property: &str) -> bool {
    let names = arguments.get("left-out").and_then(Value::as_array);
    names.is_some_and(|names| names.iter().any(|name| name == property))
}
