//! A service that is told of a call, and fetches it: a webhook in axum.
//!
//! `cargo run --example axum_webhook` needs nothing else: it starts the sandbox and this service, tells the service of a
//! call, and ends. With `CALL_API_BASE_URL` and `CALL_API_TOKEN` set it asks that service instead, and listens until
//! Ctrl-C at the address in the argument, or at `127.0.0.1:8080`.
//!
//! The body that it takes, `{"id": "…"}`, is this example's: the API's document says nothing of webhooks. Where others can
//! reach the service, check the sender's signature first.

mod service;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use call_api::{Client, ErrorKind, Uuid};
use call_api_sandbox::Sandbox;
use serde::Deserialize;
use service::{Service, print_next};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[derive(Deserialize)]
struct Told {
    id: Uuid,
}

/// Answers within the sender's patience, and so that it sends again what may succeed at another time.
async fn call_changed(State(client): State<Client>, Json(told): Json<Told>) -> StatusCode {
    match client
        .get_call(told.id)
        .deadline(Duration::from_secs(5))
        .await
    {
        Ok(call) => {
            println!("Call {} is {}.", call.id, call.status);
            StatusCode::NO_CONTENT
        }
        Err(error) => {
            eprintln!("call {}: {error}", told.id);
            match error.kind() {
                ErrorKind::NotFound => StatusCode::NOT_FOUND,
                _ if error.is_retryable() => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            }
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    service::exit(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let service = Service::find().await?;
    let listen = match (std::env::args().nth(1), &service.sandbox) {
        (Some(address), _) => address
            .parse()
            .map_err(|error| format!("{address:?} is no address to listen on: {error}"))?,
        (None, Some(_)) => SocketAddr::from(([127, 0, 0, 1], 0)),
        (None, None) => SocketAddr::from(([127, 0, 0, 1], 8080)),
    };
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let address = listener.local_addr()?;
    let app = axum::Router::new()
        .route("/call-changed", post(call_changed))
        .with_state(service.client.clone());
    println!("Listening on http://{address}/call-changed");
    let serving = async { axum::serve(listener, app).await };
    if service.sandbox.is_none() {
        println!("To tell it of a call:");
        println!(
            "  curl -d '{{\"id\": \"ID\"}}' -H 'content-type: application/json' http://{address}/call-changed"
        );
        return Ok(serving.await?);
    }
    let answer = tokio::select! {
        answer = tell(address, Sandbox::EXAMPLE_ID) => answer?,
        served = serving => return Ok(served?),
    };
    println!("Told it of a call, and was answered: {answer}");
    print_next(
        &service,
        "To fetch calls of a real service",
        "cargo run --example axum_webhook -- 127.0.0.1:8080",
    );
    Ok(())
}

/// What the sender of a webhook does; the first line of what it is answered.
async fn tell(address: SocketAddr, id: Uuid) -> Result<String, Box<dyn Error>> {
    let body = format!(r#"{{"id": "{id}"}}"#);
    let request = format!(
        "POST /call-changed HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.lines().next().unwrap_or("nothing").to_owned())
}
