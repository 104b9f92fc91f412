//! Streamed bodies of requests and responses.

use super::*;

const STREAMED: Operation = Operation {
    body: ResponseBody::Streamed,
    ..GET_CALL
};

#[tokio::test]
async fn streamed_body_is_unlimited_and_unchanged() {
    let clock = TestClock::default();
    let body = vec![b'x'; 3 << 20];
    let server = Server::start(
        &clock,
        vec![answer(503, "", "busy"), answer(200, "", &body)],
    )
    .await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let response = assert_send(transport.send(&STREAMED, get(&transport, "7"), None))
        .await
        .unwrap();
    assert_eq!(response.headers["content-length"], (3 << 20).to_string());
    assert_eq!(response.attempt_log.attempts().len(), 2);
    let parts: Vec<_> = streamed(response).try_collect().await.unwrap();
    assert_eq!(parts.concat(), body);
}

#[tokio::test]
async fn streamed_body_times_out_only_when_it_stalls() {
    let clock = TestClock::default();
    let head = send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n");
    let slow = [
        Step::Advance(Duration::from_secs(14)),
        Step::Send(b"abc".to_vec()),
    ];
    // Each chunk restarts the stall timeout of the client.
    let script = [head, slow.to_vec(), slow.to_vec(), vec![Step::Stall]].concat();
    let server = Server::start(&clock, vec![script]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let response = transport
        .send(&STREAMED, get(&transport, "7?private"), None)
        .await
        .unwrap();
    let mut body = streamed(response);
    assert_eq!(body.next().await.unwrap().unwrap(), "abc");
    assert_eq!(body.next().await.unwrap().unwrap(), "abc");
    let error = body.next().await.unwrap().unwrap_err();
    let text = all_text(&*error);
    let mut cause: &dyn std::error::Error = &*error;
    while !cause.is::<Stalled>() {
        cause = cause.source().expect("no stall among the sources");
    }
    assert_eq!(cause.to_string(), "the body stalled: no bytes for 15000 ms");
    assert!(!text.contains(SECRET), "{text}");
    assert_eq!(clock.passed(), Duration::from_secs(14 + 14 + 15));
}

#[tokio::test]
async fn error_response_of_streamed_operation_is_buffered() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(404, "", "no")]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let response = transport
        .send(&STREAMED, get(&transport, "7"), None)
        .await
        .unwrap();
    assert_eq!(buffered(response).bytes, "no");
}

#[tokio::test]
async fn streamed_request_body_is_sent_once() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![vec![Step::Reset], answer(200, "", "")]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let mut request = get(&transport, "7");
    let stream = http::Response::new(reqwest::Body::from("data"));
    let stream = reqwest::Body::wrap(reqwest::Body::from(reqwest::Response::from(stream)));
    request
        .headers_mut()
        .insert("content-length", HeaderValue::from_static("4"));
    *request.body_mut() = Some(stream);
    let error = transport.send(&GET_CALL, request, None).await.unwrap_err();
    assert_eq!(*error.attempt_log().stop_reason(), StopReason::BodyIsStream);
    assert_eq!(server.requests().len(), 1);
    assert!(
        server.requests()[0].ends_with("data"),
        "{:?}",
        server.requests()
    );
    // A body in memory is sent again.
    let server = Server::start(&clock, vec![vec![Step::Reset], answer(200, "", "")]).await;
    let transport = builder(&server.url(), &clock).build().unwrap();
    let mut request = get(&transport, "7");
    *request.body_mut() = Some("data".into());
    transport.send(&GET_CALL, request, None).await.unwrap();
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.ends_with("data"))
    );
    assert_eq!(server.requests().len(), 2);
}
