//! A server with scripted responses, byte for byte, and a clock that moves only when a test advances it.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use call_api_transport::{
    AttemptLog, Auth, BodyStream, BufferedBody, Clock, Operation, RawBody, RawResponse,
    ResponseBody, SleepFuture, Token, Transport, TransportBuilder, TransportError,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub const SECRET: &str = "canary-7f3e9d";

pub const GET_CALL: Operation = Operation {
    id: "get_call",
    path: "/v1/call/{id}",
    auth: Auth::Bearer,
    body: ResponseBody::Buffered,
};

/// A streamed operation whose URL comes from the response of another one.
pub const RECORDING: Operation = Operation {
    id: "recording",
    path: "",
    auth: Auth::Bearer,
    body: ResponseBody::Streamed,
};

/// One step of the server's response to a request.
#[derive(Clone, Debug)]
pub enum Step {
    /// Writes these bytes.
    Send(Vec<u8>),
    /// Writes these bytes one by one, each as a packet of its own.
    Trickle(Vec<u8>),
    /// Sends nothing until the client's time limit has passed.
    Stall,
    /// Advances the client's clock.
    Advance(Duration),
    /// Closes the connection.
    Close,
    /// Resets the connection.
    Reset,
}

/// Sends these bytes.
pub fn send(text: impl AsRef<[u8]>) -> Vec<Step> {
    vec![Step::Send(text.as_ref().to_vec())]
}

/// Sends a complete response.
pub fn answer(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Vec<Step> {
    let body = body.as_ref();
    let mut bytes = format!(
        "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    vec![Step::Send(bytes)]
}

#[derive(Debug, Default)]
pub struct Received {
    pub connections: usize,
    /// The requests, heads and bodies, in order.
    pub requests: Vec<String>,
}

/// A server that plays one script for each request. It repeats the last script for every further request.
pub struct Server {
    pub address: std::net::SocketAddr,
    received: Arc<Mutex<Received>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start(clock: &TestClock, scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Received::default()));
        let scripts = Arc::new(Mutex::new(VecDeque::from(scripts)));
        let clock = clock.clone();
        let shared = Arc::clone(&received);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                shared.lock().unwrap().connections += 1;
                connections.spawn(serve(
                    stream,
                    Arc::clone(&shared),
                    Arc::clone(&scripts),
                    clock.clone(),
                ));
            }
        });
        Self {
            address,
            received,
            task,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn connections(&self) -> usize {
        self.received.lock().unwrap().connections
    }

    pub fn requests(&self) -> Vec<String> {
        self.received.lock().unwrap().requests.clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    received: Arc<Mutex<Received>>,
    scripts: Arc<Mutex<VecDeque<Vec<Step>>>>,
    clock: TestClock,
) {
    stream.set_nodelay(true).unwrap();
    while let Some(request) = read_request(&mut stream).await {
        received.lock().unwrap().requests.push(request);
        let script = {
            let mut scripts = scripts.lock().unwrap();
            if scripts.len() > 1 {
                scripts.pop_front().unwrap()
            } else {
                scripts.front().cloned().unwrap_or_default()
            }
        };
        for step in script {
            match step {
                Step::Send(bytes) => {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                Step::Trickle(bytes) => {
                    for byte in bytes {
                        if stream.write_all(&[byte]).await.is_err() {
                            return;
                        }
                        tokio::task::yield_now().await;
                    }
                }
                Step::Stall => {
                    settle().await;
                    // The client sets no limit while it waits for the disk.
                    while !clock.has_limit() {
                        settle().await;
                    }
                    clock.end_limit();
                    // Returns once the client has closed the connection.
                    let _ = stream.read(&mut [0; 1]).await;
                    return;
                }
                Step::Advance(duration) => {
                    settle().await;
                    clock.advance(duration);
                    settle().await;
                    // After a disconnect, further steps must not advance the clock.
                    if matches!(stream.try_read(&mut [0; 1]), Ok(0)) {
                        return;
                    }
                }
                Step::Close => return,
                Step::Reset => {
                    settle().await;
                    stream.set_zero_linger().unwrap();
                    return;
                }
            }
        }
    }
}

/// Lets the client, which runs on the same thread, read everything that was sent: each time the thread parks, it polls the
/// sockets, and every task that they wake runs before it parks again.
async fn settle() {
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await.ok()?;
        if count == 0 {
            return None;
        }
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some(end) = text.find("\r\n\r\n") {
            let head = text[..end].to_ascii_lowercase();
            let length = head
                .split("\r\n")
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse::<usize>().unwrap());
            if bytes.len() >= end + 4 + length {
                return Some(text.into_owned());
            }
        }
    }
}

/// A clock that moves only if something sleeps on it or a test advances it.
#[derive(Clone)]
pub struct TestClock(Arc<Mutex<ClockState>>);

struct ClockState {
    start: Instant,
    passed: Duration,
    /// The delays before other attempts, in order.
    waits: Vec<Duration>,
    limits: Vec<(u64, Duration, Option<Waker>)>,
    next: u64,
}

/// 1 November 2026, 12:00:00 GMT.
pub const NOON: u64 = 1_793_534_400;

impl Default for TestClock {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(ClockState {
            start: Instant::now(),
            passed: Duration::ZERO,
            waits: Vec::new(),
            limits: Vec::new(),
            next: 0,
        })))
    }
}

impl TestClock {
    pub fn waits(&self) -> Vec<Duration> {
        self.0.lock().unwrap().waits.clone()
    }

    pub fn passed(&self) -> Duration {
        self.0.lock().unwrap().passed
    }

    pub fn advance(&self, duration: Duration) {
        let mut state = self.0.lock().unwrap();
        state.passed += duration;
        state.wake();
    }

    /// Returns true if a time limit is set.
    pub fn has_limit(&self) -> bool {
        !self.0.lock().unwrap().limits.is_empty()
    }

    /// Advances to the end of the nearest time limit.
    pub fn end_limit(&self) {
        let mut state = self.0.lock().unwrap();
        let nearest = state.limits.iter().map(|(_, until, _)| *until).min();
        state.passed = nearest.unwrap_or(state.passed).max(state.passed);
        state.wake();
    }
}

impl ClockState {
    fn wake(&mut self) {
        for (_, until, waker) in &mut self.limits {
            if *until <= self.passed
                && let Some(waker) = waker.take()
            {
                waker.wake();
            }
        }
    }
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        let state = self.0.lock().unwrap();
        state.start + state.passed
    }

    fn system_now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(NOON) + self.passed()
    }

    fn sleep(&self, duration: Duration) -> SleepFuture<'_> {
        self.0.lock().unwrap().waits.push(duration);
        self.advance(duration);
        Box::pin(std::future::ready(()))
    }

    fn limit(&self, duration: Duration) -> SleepFuture<'_> {
        let mut state = self.0.lock().unwrap();
        let id = state.next;
        state.next += 1;
        let until = state.passed + duration;
        state.limits.push((id, until, None));
        Box::pin(Limit(self.clone(), id))
    }
}

struct Limit(TestClock, u64);

impl Future for Limit {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.0.lock().unwrap();
        let passed = state.passed;
        let (_, until, waker) = state
            .limits
            .iter_mut()
            .find(|(id, ..)| *id == self.1)
            .unwrap();
        if *until <= passed {
            return Poll::Ready(());
        }
        *waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        self.0
            .0
            .lock()
            .unwrap()
            .limits
            .retain(|(id, ..)| *id != self.1);
    }
}

/// Returns a builder with the canary as its token, on the test's clock, with the maximal jitter.
pub fn builder(base_url: &str, clock: &TestClock) -> TransportBuilder {
    Transport::builder(base_url)
        .token(Token::new(SECRET).unwrap())
        .clock(Arc::new(clock.clone()))
        .jitter(|| 1.0)
}

pub fn get(transport: &Transport, id: &str) -> reqwest::Request {
    let url = format!("{}/v1/call/{id}", transport.base_url());
    transport.http_client().get(url).build().unwrap()
}

/// Returns the body of a buffered operation, or of an error response.
pub fn buffered(response: RawResponse) -> BufferedBody {
    match response.body {
        RawBody::Buffered(body) => body,
        RawBody::Streamed(_) => panic!("the body is streamed"),
    }
}

/// Returns the body of a successful response of a streamed operation.
pub fn streamed(response: RawResponse) -> BodyStream {
    match response.body {
        RawBody::Streamed(stream) => stream,
        RawBody::Buffered(body) => panic!("the body is buffered: {body:?}"),
    }
}

/// Returns the attempts of a request, with or without a response.
pub fn attempt_log(result: &Result<RawResponse, TransportError>) -> &AttemptLog {
    match result {
        Ok(response) => &response.attempt_log,
        Err(error) => error.attempt_log(),
    }
}

/// Returns an error and all its sources, as a log could show them.
pub fn all_text(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error}\n{error:?}\n{error:#?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("\n{error}\n{error:?}"));
        cause = error.source();
    }
    text
}
