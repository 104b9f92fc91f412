// A recorded call in the sandbox, and another host that serves its recording. Used with `include!`.

/// The recording's bytes.
#[allow(dead_code, reason = "not every includer compares them")]
pub const RECORDING: &[u8] = b"ID3 a recording of a call that nobody made";

/// Adds an ended call whose recording is on a separate server, which sends an `ETag` and supports ranges.
///
/// # Errors
/// Errors if the other server cannot be started.
pub async fn recorded_call(
    sandbox: &call_api_sandbox::Sandbox,
) -> std::io::Result<call_api::Call> {
    use axum::http::{HeaderMap, StatusCode, header};
    use axum::response::IntoResponse as _;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let recording = |headers: HeaderMap| async move {
        let first = headers
            .get(header::RANGE)
            .and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok())
            .filter(|first| *first < RECORDING.len());
        let named = [(header::ETAG, "\"v1\""), (header::CONTENT_TYPE, "audio/mpeg")];
        let Some(first) = first else {
            return (named, RECORDING).into_response();
        };
        let range = format!("bytes {first}-{}/{}", RECORDING.len() - 1, RECORDING.len());
        let part = [(header::CONTENT_RANGE, range)];
        (StatusCode::PARTIAL_CONTENT, named, part, &RECORDING[first..]).into_response()
    };
    let router = axum::Router::new().route("/recording", axum::routing::get(recording));
    tokio::spawn(async move { axum::serve(listener, router).await });

    let mut call = call_api::Call::sample();
    call.recording_url = Some(format!("http://{address}/recording?signature=1"));
    sandbox.put(call.clone());
    Ok(call)
}
