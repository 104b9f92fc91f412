//! What `benches/compare.sh` compares the sandbox with: an axum handler that answers the example call's bytes from a
//! constant, whoever asks for whatever call.

use std::sync::LazyLock;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use call_api_sandbox::Sandbox;
use http::header::CONTENT_TYPE;
use tokio::net::TcpListener;

static CALL: LazyLock<Bytes> = LazyLock::new(|| {
    let compact: String = Sandbox::EXAMPLE_JSON.split_whitespace().collect();
    compact.into()
});

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let answer = async || ([(CONTENT_TYPE, "application/json")], CALL.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/v1/call/{id}", get(answer))).await
}
