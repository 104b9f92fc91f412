//! Requests through nginx while it reloads, is killed, freezes and refuses: none may fail. This takes a minute and needs
//! nginx on the `PATH`, so it is run by `cargo test --test nginx -- --ignored`.
//!
//! The requests and failures are compared with the last table of `docs/faults.md`; `UPDATE_FAULTS=1` updates it.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

mod support;

use std::fmt::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use call_api::transport::{Auth, Operation, ResponseBody};
use call_api::{Client, ClientBuilder, Error, Uuid};
use call_api_sandbox::Sandbox;
use futures_util::StreamExt as _;

const COUNT: Operation = Operation {
    id: "count",
    path: "/count",
    auth: Auth::Bearer,
    body: ResponseBody::Buffered,
};

/// The service behind nginx.
struct Upstream {
    port: u16,
    /// The `POST /count` that it received.
    counted: Arc<AtomicUsize>,
}

impl Upstream {
    async fn start() -> Self {
        let counted = Arc::new(AtomicUsize::new(0));
        let router = Router::new()
            .route("/v1/call/{id}", get(found))
            .route(
                "/count",
                post(async |State(counted): State<Arc<AtomicUsize>>| {
                    counted.fetch_add(1, Ordering::Relaxed);
                    "{}"
                }),
            )
            .with_state(Arc::clone(&counted));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { port, counted }
    }
}

async fn found(axum::extract::Path(id): axum::extract::Path<Uuid>) -> String {
    let mut call = Sandbox::example_call();
    call.id = id;
    serde_json::to_string(&call).unwrap()
}

/// nginx with HTTP/2 in front of a service.
struct Nginx {
    folder: PathBuf,
    port: u16,
    certificate: String,
    process: Child,
}

impl Nginx {
    /// `directives` are those of the location.
    async fn start(name: &str, upstream: &Upstream, directives: &str) -> Self {
        let folder = support::empty_folder(&format!("nginx-{name}"));
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(folder.join("key.pem"), signed.signing_key.serialize_pem()).unwrap();
        let certificate = signed.cert.pem();
        std::fs::write(folder.join("certificate.pem"), &certificate).unwrap();
        // Free now; nginx binds it again whenever it is started.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {kind};\n"))
            .concat();
        let to = upstream.port;
        let configuration = format!(
            "daemon off; worker_processes 1; pid nginx.pid; error_log error.log; user root;
            events {{ worker_connections 1024; }}
            http {{
                access_log off;
                {temporary}
                limit_req_zone $server_port zone=all:1m rate=200r/s;
                split_clients $request_id $reset {{ 1% 1; * 0; }}
                upstream service {{ server 127.0.0.1:{to}; keepalive 64; }}
                server {{
                    listen 127.0.0.1:{port} ssl http2;
                    ssl_certificate certificate.pem;
                    ssl_certificate_key key.pem;
                    location / {{
                        {directives}
                        proxy_pass http://service;
                        proxy_http_version 1.1;
                        proxy_set_header Connection \"\";
                    }}
                }}
            }}"
        );
        std::fs::write(folder.join("nginx.conf"), configuration).unwrap();
        let process = run(&folder);
        let nginx = Self {
            folder,
            port,
            certificate,
            process,
        };
        nginx.listening().await;
        nginx
    }

    async fn listening(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = std::fs::read_to_string(self.folder.join("error.log"));
            assert!(Instant::now() < deadline, "nginx does not listen: {log:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn client(&self) -> ClientBuilder {
        Client::builder()
            .base_url(format!("https://localhost:{}", self.port))
            .token("secret")
            .root_certificates(self.certificate.clone())
            .only_given_roots()
    }

    fn reload(&self) {
        signal("HUP", self.process.id() as i32);
    }

    /// Kills all its processes, and starts it again.
    fn restart(&mut self) {
        self.kill();
        self.process = run(&self.folder);
    }

    fn kill(&mut self) {
        signal("KILL", -(self.process.id() as i32));
        self.process.wait().unwrap();
    }

    /// Stops the processes that hold the connections, which stay open, and replaces them for new connections.
    async fn freeze_connections(&self) {
        let master = self.process.id();
        let workers = || {
            let children =
                std::fs::read_to_string(format!("/proc/{master}/task/{master}/children"));
            let children = children.unwrap();
            let ids = children.split_whitespace().map(|id| id.parse::<i32>());
            ids.collect::<Result<Vec<_>, _>>().unwrap()
        };
        let frozen = workers();
        for worker in &frozen {
            signal("STOP", *worker);
        }
        self.reload();
        while workers().iter().all(|worker| frozen.contains(worker)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.kill();
    }
}

fn run(folder: &Path) -> Child {
    Command::new("nginx")
        .args(["-p", folder.to_str().unwrap(), "-c", "nginx.conf"])
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap()
}

fn signal(name: &str, process: i32) {
    let kill = Command::new("kill")
        .args([&format!("-{name}"), "--", &process.to_string()])
        .status();
    assert!(kill.unwrap().success(), "cannot send {name} to {process}");
}

/// Fetches the example call `total` times, with `at_a_time` requests in flight, and returns the number of failures.
async fn fetch(client: &Client, total: usize, at_a_time: usize) -> usize {
    let requests =
        futures_util::stream::repeat_with(|| client.get_call(Sandbox::EXAMPLE_ID).send());
    failed(requests.take(total), at_a_time).await
}

/// As [`fetch`], for a duration. Returns how many requests were sent as well.
async fn fetch_for(client: &Client, duration: Duration, at_a_time: usize) -> (usize, usize) {
    let (end, sent) = (Instant::now() + duration, AtomicUsize::new(0));
    let requests = std::iter::from_fn(|| {
        (Instant::now() < end).then(|| {
            sent.fetch_add(1, Ordering::Relaxed);
            client.get_call(Sandbox::EXAMPLE_ID).send()
        })
    });
    let failed = failed(futures_util::stream::iter(requests), at_a_time).await;
    (sent.into_inner(), failed)
}

async fn failed<T>(
    requests: impl futures_util::Stream<Item = impl Future<Output = Result<T, Error>>>,
    at_a_time: usize,
) -> usize {
    let results = requests.buffer_unordered(at_a_time);
    let failures = results.filter_map(async |result| result.err());
    let failures = failures.inspect(|error| println!("{error}"));
    failures.count().await
}

/// Repeats something while a future runs.
async fn meanwhile<T>(
    every: Duration,
    mut disturb: impl FnMut(),
    work: impl Future<Output = T>,
) -> T {
    let mut work = std::pin::pin!(work);
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = ticks.tick() => disturb(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute, and needs nginx"]
async fn no_request_fails_behind_a_disturbed_nginx() {
    let upstream = Upstream::start().await;
    let mut table = String::new();
    let mut row = |what: &str, requests: &str, failed: usize| {
        writeln!(table, "| {what} | {requests} | {failed} |").unwrap();
    };

    let nginx = Nginx::start("reload", &upstream, "").await;
    let client = nginx.client().build().unwrap();
    let work = fetch_for(&client, Duration::from_secs(5), 64);
    let (sent, lost) = meanwhile(Duration::from_millis(500), || nginx.reload(), work).await;
    assert!(sent > 500, "only {sent} requests were sent");
    row(
        "reloaded every 0.5 s for 5 s; `GET`, 64 at a time",
        "> 500",
        lost,
    );
    drop(nginx);

    let nginx = Nginx::start("limit", &upstream, "").await;
    let client = nginx.client().build().unwrap();
    let lost = fetch(&client, 20_000, 200).await;
    row(
        "1,000 requests a connection, its default; `GET`, 200 at a time",
        "20,000",
        lost,
    );
    let posts = (0..5_000).map(|_| {
        let transport = client.transport();
        let url = format!("{}/count", transport.base_url());
        let request = transport
            .http_client()
            .post(url)
            .body("{}")
            .build()
            .unwrap();
        async move {
            transport
                .send(&COUNT, request, None)
                .await
                .map_err(Error::from)
        }
    });
    let lost = failed(futures_util::stream::iter(posts), 200).await;
    row("the same; `POST` without an idempotency key", "5,000", lost);
    let counted = upstream.counted.load(Ordering::Relaxed);
    assert_eq!(counted, 5_000 - lost, "no POST may be sent twice");
    drop(nginx);

    let mut nginx = Nginx::start("restart", &upstream, "").await;
    let client = nginx.client().build().unwrap();
    assert_eq!(fetch(&client, 16, 16).await, 0);
    let work = fetch_for(&client, Duration::from_secs(7), 16);
    let (sent, lost) = meanwhile(Duration::from_secs(2), || nginx.restart(), work).await;
    assert!(sent > 200, "only {sent} requests were sent");
    row(
        "`kill -9` and a new start every 2 s for 7 s; `GET`, 16 at a time",
        "> 200",
        lost,
    );
    drop(nginx);

    let nginx = Nginx::start("freeze", &upstream, "").await;
    let client = nginx
        .client()
        .attempt_timeout(Duration::from_secs(2))
        .build()
        .unwrap();
    assert_eq!(fetch(&client, 64, 16).await, 0);
    nginx.freeze_connections().await;
    let lost = fetch(&client, 120, 8).await;
    row(
        "all connections frozen, new ones not; `GET`, 8 at a time, 2 s an attempt",
        "120",
        lost,
    );
    drop(nginx);

    let nginx = Nginx::start("reset", &upstream, "if ($reset) { return 444; }").await;
    let client = nginx.client().build().unwrap();
    let lost = fetch(&client, 5_000, 64).await;
    row(
        "1 % of the requests reset; `GET`, 64 at a time",
        "5,000",
        lost,
    );
    drop(nginx);

    for status in [429, 503] {
        let limit = format!("limit_req zone=all burst=20 nodelay; limit_req_status {status};");
        let nginx = Nginx::start(&format!("limit-{status}"), &upstream, &limit).await;
        let client = nginx.client().build().unwrap();
        let started = Instant::now();
        let calls = client.get_calls((0..2_000).map(Uuid::from_u128));
        let calls = calls.concurrency(32).unordered().responses();
        let lost = calls.filter_map(async |(_, result)| result.err());
        let lost = lost.inspect(|error| println!("{error}")).count().await;
        let rate = 2_000.0 / started.elapsed().as_secs_f64();
        println!("{rate:.0} of 200 requests a second, else {status}");
        let what = format!("{status} beyond 200 requests a second; `get_calls`, 32 at a time");
        row(&what, "2,000", lost);
    }

    compare(&table);
}

const PREFACE: &str = "
## Behind nginx
Requests over HTTP/2 through nginx 1.22 or later. The client has its default settings unless the row says otherwise.
`cargo test --test nginx -- --ignored` sends them.

| disturbance | requests | failed |
|---|---|---|
";

fn compare(table: &str) {
    let path = support::root().join("docs/faults.md");
    let written = std::fs::read_to_string(&path).unwrap();
    let (before, _) = written.split_once(PREFACE).unwrap_or((&written, ""));
    let page = format!("{before}{PREFACE}{table}");
    if std::env::var_os("UPDATE_FAULTS").is_some() {
        return std::fs::write(path, page).unwrap();
    }
    assert!(
        page == written,
        "docs/faults.md differs; UPDATE_FAULTS=1 cargo test --test nginx -- --ignored updates it:\n{table}"
    );
}
