//! The baseline of `benches/compare.sh`: an axum handler that answers every request with the example call from a constant.

use std::sync::LazyLock;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use call_api_sandbox::Sandbox;
use http::header::CONTENT_TYPE;
use tokio::net::TcpListener;

static CALL: LazyLock<Bytes> = LazyLock::new(|| {
    // Infallible: a call has only strings, numbers, dates and UUIDs.
    serde_json::to_vec(&Sandbox::example_call())
        .unwrap_or_default()
        .into()
});

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let handler = async || ([(CONTENT_TYPE, "application/json")], CALL.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/v1/call/{id}", get(handler))).await
}
