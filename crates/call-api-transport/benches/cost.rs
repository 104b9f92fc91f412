//! Compares a request through the transport with the same request written by hand with reqwest and serde_json.
//!
//! `cargo bench -p call-api-transport` prints the table of `docs/performance.md`. Both sides run in turns, on one thread
//! of this process; the server is a separate process. Processor time is that of the thread
//! (`/proc/thread-self/schedstat`), so this bench requires Linux. Ratios are medians of all turns.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a bench may")]

use std::alloc::System;
use std::future::Future;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use call_api_transport::{Auth, Operation, RawBody, ResponseBody, Token, Transport};
use http::HeaderValue;
use http::header::{ACCEPT, USER_AGENT};
use serde::Deserialize;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const GET_CALL: Operation = Operation {
    id: "get_call",
    path: "/v1/call/{id}",
    auth: Auth::Bearer,
    body: ResponseBody::Buffered,
};

/// A response of typical size and form.
const BODY: &str = r#"{"id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","agent_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","status":"completed","type":"inbound","contact":{"id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","created_date":"2026-01-31T14:15:22Z","identifier":"+15551234567","contact_type":"call"},"phone_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","recording_url":"https://recordings.example/3c90c3cc","start_time":"2026-01-31T14:15:22Z","end_time":"2026-01-31T14:17:22Z","duration":120,"end_reason":"hangup","created_date":"2026-01-31T14:15:20Z"}"#;

#[derive(Deserialize)]
#[allow(dead_code, reason = "decoding is what counts")]
struct CallBody {
    id: String,
    agent_id: Option<String>,
    status: String,
    r#type: String,
    contact: Contact,
    phone_id: Option<String>,
    recording_url: Option<String>,
    start_time: Option<String>,
    end_time: Option<String>,
    duration: Option<f64>,
    end_reason: Option<String>,
    created_date: String,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "decoding is what counts")]
struct Contact {
    id: String,
    created_date: String,
    identifier: String,
    contact_type: String,
}

/// The user agent of both sides, so that both send the same headers.
const AGENT: HeaderValue = HeaderValue::from_static("bench/1.0");

/// The `Accept` header of a generated client.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

const SERVER: &str = "CALL_API_TRANSPORT_BENCH_SERVER";
const TURNS: usize = 21;

/// The variable that runs one side only, for a profiler: `hand` or `transport`, the number of requests, and the number in
/// flight.
const ALONE: &str = "CALL_API_TRANSPORT_BENCH_ALONE";

fn main() {
    if std::env::var_os(SERVER).is_some() {
        serve();
        return;
    }
    // `cargo test --benches` only checks that the bench works.
    let quick = !std::env::args().any(|argument| argument == "--bench");
    let (turns, requests) = if quick { (1, 20) } else { (TURNS, 2_000) };
    let mut server = Command::new(std::env::current_exe().unwrap())
        .env(SERVER, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(server.stdout.as_mut().unwrap())
        .read_line(&mut url)
        .unwrap();
    let url = url.trim().to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure(&url, turns, requests, quick));
    drop(server.stdin.take());
    server.wait().unwrap();
}

async fn measure(url: &str, turns: usize, requests: usize, quick: bool) {
    // Careful hand-written code: limits, no redirects, a user agent.
    let by_hand = Transport::builder(url).build().unwrap();
    let by_hand = by_hand.http_client().clone();
    let transport = Transport::builder(url)
        .token(Token::new("token").unwrap())
        .user_agent("bench/1.0")
        .build()
        .unwrap();
    let target = format!("{url}/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a");
    let hand = || async {
        let response = by_hand
            .get(&target)
            .header(ACCEPT, JSON)
            .header(USER_AGENT, AGENT)
            .bearer_auth("token")
            .timeout(Duration::from_secs(45))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        serde_json::from_slice::<CallBody>(&response.bytes().await.unwrap()).unwrap()
    };
    let ours = || async {
        let request = transport
            .http_client()
            .get(&target)
            .header(ACCEPT, JSON)
            .build()
            .unwrap();
        let response = transport.send(&GET_CALL, request, None).await.unwrap();
        assert_eq!(response.status, 200);
        let RawBody::Buffered(body) = response.body else {
            panic!("the operation is buffered")
        };
        serde_json::from_slice::<CallBody>(&body.bytes).unwrap()
    };
    if let Ok(alone) = std::env::var(ALONE) {
        let mut words = alone.split(' ');
        let side = words.next();
        let mut number = || words.next().unwrap().parse().unwrap();
        let (requests, in_flight) = (number(), number());
        match side {
            Some("hand") => run(&hand, requests, in_flight).await,
            _ => run(&ours, requests, in_flight).await,
        }
        return;
    }
    for _ in 0..requests {
        hand().await;
        ours().await;
    }
    println!("| figure | by hand | transport | ratio |\n|---|---|---|---|");
    for in_flight in [1, 64] {
        let mut samples: [Vec<Sample>; 2] = Default::default();
        for turn in 0..turns {
            // The sides take turns in going first.
            for place in 0..2 {
                let side = (turn + place) % 2;
                samples[side].push(match side {
                    0 => sample(&hand, requests, in_flight).await,
                    _ => sample(&ours, requests, in_flight).await,
                });
            }
        }
        let flight = if in_flight == 1 {
            "in sequence".to_owned()
        } else {
            format!("{in_flight} in flight")
        };
        print_row(
            &format!("processor time per request, {flight} (µs)"),
            &samples,
            |sample| sample.cpu * 1e6,
            1,
        );
        print_row(
            &format!("requests per second, {flight}"),
            &samples,
            |sample| sample.rate,
            0,
        );
        if in_flight == 1 {
            print_row(
                "allocations per request",
                &samples,
                |sample| sample.allocations,
                1,
            );
            print_row(
                "bytes allocated per request",
                &samples,
                |sample| sample.bytes,
                0,
            );
        }
    }
    growth(&ours, if quick { 100 } else { 100_000 }).await;
    python(&target, if quick { 10 } else { 2_000 });
}

#[derive(Clone, Copy)]
struct Sample {
    cpu: f64,
    rate: f64,
    allocations: f64,
    bytes: f64,
}

async fn sample<F: Future<Output = CallBody>>(
    request: &impl Fn() -> F,
    requests: usize,
    in_flight: usize,
) -> Sample {
    let region = Region::new(ALLOCATOR);
    let (cpu, wall) = (thread_time(), Instant::now());
    run(request, requests, in_flight).await;
    let (cpu, wall) = (thread_time() - cpu, wall.elapsed());
    let change = region.change();
    let requests = requests as f64;
    Sample {
        cpu: cpu.as_secs_f64() / requests,
        rate: requests / wall.as_secs_f64(),
        allocations: (change.allocations + change.reallocations) as f64 / requests,
        bytes: change.bytes_allocated as f64 / requests,
    }
}

/// Runs all requests in one task, so that the cost of tasks is not measured.
async fn run<F: Future<Output = CallBody>>(
    request: &impl Fn() -> F,
    requests: usize,
    in_flight: usize,
) {
    use futures_util::StreamExt as _;
    if in_flight == 1 {
        for _ in 0..requests {
            request().await;
        }
        return;
    }
    let all = futures_util::stream::iter((0..requests).map(|_| request()));
    all.buffer_unordered(in_flight)
        .for_each(|_| std::future::ready(()))
        .await;
}

/// Returns the processor time of this thread in nanoseconds; other files in `/proc` have the resolution of a tick.
fn thread_time() -> Duration {
    rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime)
        .try_into()
        .unwrap()
}

fn print_row(
    name: &str,
    samples: &[Vec<Sample>; 2],
    figure: impl Fn(&Sample) -> f64,
    digits: usize,
) {
    let [hand, ours] = samples
        .each_ref()
        .map(|side| side.iter().map(&figure).collect::<Vec<_>>());
    let ratio = median(
        ours.iter()
            .zip(&hand)
            .map(|(ours, hand)| ours / hand)
            .collect(),
    );
    let [hand, ours] = [hand, ours].map(median);
    println!("| {name} | {hand:.digits$} | {ours:.digits$} | {ratio:.2} |");
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

async fn growth<F: Future<Output = CallBody>>(request: &impl Fn() -> F, requests: usize) {
    run(request, requests / 10, 64).await;
    let (region, before) = (Region::new(ALLOCATOR), resident());
    run(request, requests, 64).await;
    let change = region.change();
    let held = change.bytes_allocated as i64 - change.bytes_deallocated as i64;
    println!(
        "\n{requests} requests, 64 in flight: {held} bytes more held, resident memory {} KiB more",
        resident() - before
    );
}

fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Runs the snippet of the API reference, if Python has `requests`.
fn python(url: &str, requests: usize) {
    const SCRIPT: &str = "
import resource, sys, requests
url, calls = sys.argv[1], int(sys.argv[2])
headers = {'Authorization': 'Bearer token'}
def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
requests.get(url, headers=headers).json()
before = used()
for _ in range(calls):
    requests.get(url, headers=headers).json()
alone = used() - before
session = requests.Session()
session.get(url, headers=headers).json()
before = used()
for _ in range(calls):
    session.get(url, headers=headers).json()
print(f'{alone / calls * 1e6:.0f} us of processor time per request, {(used() - before) / calls * 1e6:.0f} us in a Session')
";
    let output = Command::new("python3")
        .args(["-c", SCRIPT, url, &requests.to_string()])
        .output();
    match output {
        Ok(output) if output.status.success() => {
            print!(
                "Python's requests: {}",
                String::from_utf8_lossy(&output.stdout)
            );
        }
        _ => println!("Python's requests: not installed"),
    }
}

/// Serves the same response to every request, until standard input ends.
fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    runtime.block_on(async {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("http://{}", listener.local_addr().unwrap());
        std::io::stdout().flush().unwrap();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{BODY}",
            BODY.len()
        );
        let answer: &'static [u8] = answer.leak().as_bytes();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                // Requests of this bench are small enough for one read.
                while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {
                    if stream.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
}
