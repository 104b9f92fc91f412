//! A webhook receiver in axum that fetches the call named in each notification.
//!
//! `cargo run --example axum_webhook` starts the sandbox and the receiver, sends it a notification, and exits. With
//! `CALL_API_BASE_URL` and `CALL_API_TOKEN` set, it fetches from that service, and listens until Ctrl-C at the address in
//! the argument, or at `127.0.0.1:8080`.
//!
//! The notification, `{"id": "…"}`, is an example: the API's document does not describe webhooks. Verify the sender's
//! signature if others can reach the receiver.

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
struct Notification {
    id: Uuid,
}

/// Fetches the call with a short deadline, so that the sender does not time out. A retryable error is answered with 503.
async fn call_changed(
    State(client): State<Client>,
    Json(notification): Json<Notification>,
) -> StatusCode {
    match client
        .get_call(notification.id)
        .deadline(Duration::from_secs(5))
        .await
    {
        Ok(call) => {
            println!("Call {} is {}.", call.id, call.status);
            StatusCode::NO_CONTENT
        }
        Err(error) => {
            eprintln!("call {}: {error}", notification.id);
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
            .map_err(|error| format!("{address:?} is not an address to listen on: {error}"))?,
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
    let server = async { axum::serve(listener, app).await };
    if service.sandbox.is_none() {
        println!("To send a notification:");
        println!(
            "  curl -d '{{\"id\": \"ID\"}}' -H 'content-type: application/json' http://{address}/call-changed"
        );
        return Ok(server.await?);
    }
    let response = tokio::select! {
        response = notify(address, Sandbox::EXAMPLE_ID) => response?,
        served = server => return Ok(served?),
    };
    println!("Sent a notification. Response: {response}");
    print_next(
        &service,
        "To fetch calls of a real service",
        "cargo run --example axum_webhook -- 127.0.0.1:8080",
    );
    Ok(())
}

/// Sends a notification, and returns the status line of the response.
async fn notify(address: SocketAddr, id: Uuid) -> Result<String, Box<dyn Error>> {
    let body = format!(r#"{{"id": "{id}"}}"#);
    let request = format!(
        "POST /call-changed HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    Ok(response.lines().next().unwrap_or("none").to_owned())
}
