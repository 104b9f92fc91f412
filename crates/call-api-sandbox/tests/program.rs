//! The program.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "program/database.rs"]
mod database;
#[path = "program/scenario.rs"]
mod scenario;
mod support;

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use call_api_sandbox::Sandbox;
use call_api_types::{Call, CallStatus};
use database::state;
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::http;
use uuid::Uuid;

const TOKEN: &str = "CALL_API_SANDBOX_TOKEN";
const WEBHOOK_SECRET: &str = "CALL_API_SANDBOX_WEBHOOK_SECRET";

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_call-api-sandbox"));
    command
        .args(arguments)
        .env_remove(TOKEN)
        .env_remove(WEBHOOK_SECRET)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A running program, killed when the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Starts the program and reads its greeting.
    fn start(mut command: Command) -> (Self, String) {
        let mut running = Self(command.spawn().unwrap());
        let stdout = running.0.stdout.as_mut().unwrap();
        let mut greeting = Vec::new();
        let mut byte = [0];
        let ends = |text: &[u8]| {
            let text = String::from_utf8_lossy(text);
            let last = text.lines().next_back().unwrap_or_default();
            let is_short = last.starts_with("  token  ") && !text.contains("  call  ");
            text.ends_with('\n') && (is_short || last.contains("call-api get "))
        };
        while !ends(&greeting) && stdout.read(&mut byte).unwrap() > 0 {
            greeting.extend(byte);
        }
        (running, String::from_utf8(greeting).unwrap())
    }
}

fn base_url(greeting: &str) -> &str {
    let line = greeting
        .lines()
        .find(|line| line.contains("CALL_API_BASE_URL="));
    line.unwrap().split_once('=').unwrap().1
}

/// Returns exit code and errors of a program that must fail before it listens.
fn startup_error(command: Command) -> (Option<i32>, String) {
    let (mut running, greeting) = Running::start(command);
    assert_eq!(greeting, "", "it listens");
    let mut error = String::new();
    running
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut error)
        .unwrap();
    (running.0.wait().unwrap().code(), error)
}

#[tokio::test]
async fn greeting_has_working_commands() {
    let (_running, greeting) = Running::start(program(&["--listen", "127.0.0.1:0"]));
    let url = base_url(&greeting);
    assert_eq!(
        greeting.replace(url, "{url}"),
        "\
Listening on {url} (stop with Ctrl-C)

  call   3c90c3cc-0d44-4b50-8888-8dd25736052a
  token  sandbox-token (set CALL_API_SANDBOX_TOKEN to change it)

In a browser:
  {url}/_sandbox/      the calls, updated live
  {url}/_sandbox/docs  the API reference

With curl:
  curl -H \"Authorization: Bearer sandbox-token\" {url}/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a

With the SDK or the call-api program:
  export CALL_API_BASE_URL={url}
  export CALL_API_TOKEN=sandbox-token
  call-api get 3c90c3cc-0d44-4b50-8888-8dd25736052a
"
    );

    // The snippet of the API reference: this URL, this header, and the printed text.
    let request = http()
        .get(format!("{url}/v1/call/{}", Sandbox::EXAMPLE_ID))
        .header("Authorization", "Bearer sandbox-token");
    let text = request.send().await.unwrap().text().await.unwrap();
    let value = |json: &str| serde_json::from_str::<Value>(json).unwrap();
    let example = serde_json::to_string(&Sandbox::example_call()).unwrap();
    assert_eq!(value(&text), value(&example));
}

#[tokio::test]
async fn configured_token_is_accepted_and_not_printed() {
    let mut command = program(&["--listen", "127.0.0.1:0"]);
    command.env(TOKEN, "canary-51c0");
    let (_running, greeting) = Running::start(command);
    assert!(!greeting.contains("canary-51c0"), "{greeting}");
    assert!(
        greeting.contains("\"Authorization: Bearer $CALL_API_SANDBOX_TOKEN\""),
        "{greeting}"
    );

    let url = format!("{}/v1/call/{}", base_url(&greeting), Sandbox::EXAMPLE_ID);
    for (token, status) in [("canary-51c0", 200), (Sandbox::DEFAULT_TOKEN, 401)] {
        let request = http().get(&url).bearer_auth(token);
        assert_eq!(request.send().await.unwrap().status(), status, "{token}");
    }
}

#[test]
fn taken_port_is_one_line_with_a_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = format!(
        "call-api-sandbox: cannot listen on {address}: another program uses this port; \
         stop it, or use a free port: --listen 127.0.0.1:0\n"
    );
    let address = address.to_string();
    assert_eq!(
        startup_error(program(&["--listen", &address])),
        (Some(1), error)
    );
}

#[test]
fn listening_beyond_loopback_requires_a_token() {
    let error = "call-api-sandbox: cannot listen on 0.0.0.0:0: other machines could reach it with the default token, which is public; \
                 set a token of your own, in CALL_API_SANDBOX_TOKEN\n";
    assert_eq!(
        startup_error(program(&["--listen", "0.0.0.0:0"])),
        (Some(1), error.to_owned())
    );
}

#[test]
fn token_that_a_header_cannot_carry_is_rejected() {
    let mut command = program(&["--listen", "127.0.0.1:0"]);
    command.env(TOKEN, "\t");
    let error = "call-api-sandbox: the sandbox token has a space or a non-ASCII character; use visible ASCII without \
                 spaces, in CALL_API_SANDBOX_TOKEN\n";
    assert_eq!(startup_error(command), (Some(1), error.to_owned()));
}

#[test]
fn startup_error_names_the_setting_to_change() {
    let mut command = program(&["--listen", "0.0.0.0:0", "--control"]);
    command.env(TOKEN, "own");
    let error = "call-api-sandbox: cannot listen on 0.0.0.0:0: other machines could reach the control API, which requires no token; \
                 listen on 127.0.0.1 or [::1], or set a control token\n";
    assert_eq!(startup_error(command), (Some(1), error.to_owned()));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    fs::write(&file, "acme one\nother one\n").unwrap();
    let file = file.to_str().unwrap();
    let error = format!(
        "call-api-sandbox: two tenants have the same token; give each tenant its own token, in {file} or {TOKEN}\n"
    );
    let command = program(&["--listen", "127.0.0.1:0", "--tokens", file]);
    assert_eq!(startup_error(command), (Some(1), error));
}

#[test]
fn invalid_argument_exits_with_2() {
    for arguments in [
        ["--lisen"].as_slice(),
        &["--listen", "example.org:1"],
        &["--speed", "0"],
        &["--max-connections", "0"],
        &["--script", "dialing"],
        &["--stepped"],
        &["--webhook", "https://127.0.0.1/"],
        &["import"],
    ] {
        let (code, error) = startup_error(program(arguments));
        assert_eq!(code, Some(2), "{error}");
        assert!(error.starts_with("error: "), "{error}");
    }
}

#[test]
fn help_exits_with_0() {
    let output = program(&["--help"]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    let help = str::from_utf8(&output.stdout).unwrap();
    assert!(
        help.contains("--listen <ADDRESS>") && help.contains(TOKEN),
        "{help}"
    );
}

#[test]
fn control_beyond_loopback_is_rejected() {
    let mut command = program(&["--listen", "0.0.0.0:0", "--control"]);
    command.env(TOKEN, "canary-51c0");
    let (code, error) = startup_error(command);
    assert_eq!(code, Some(1));
    assert!(
        error.contains("other machines could reach the control API"),
        "{error}"
    );
}

#[tokio::test]
async fn each_token_of_a_file_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    fs::write(&file, "canary-51c0\nacme canary-acme\n").unwrap();
    let file = file.to_str().unwrap();
    let (_running, greeting) =
        Running::start(program(&["--listen", "127.0.0.1:0", "--tokens", file]));
    assert!(!greeting.contains("canary"), "{greeting}");
    assert!(
        greeting.contains(&format!("token  one of those in {file}")),
        "{greeting}"
    );
    let url = format!("{}/v1/call/{}", base_url(&greeting), Sandbox::EXAMPLE_ID);
    for (token, status) in [
        ("canary-51c0", 200),
        ("canary-acme", 404),
        (Sandbox::DEFAULT_TOKEN, 401),
    ] {
        let request = http().get(&url).bearer_auth(token);
        assert_eq!(request.send().await.unwrap().status(), status, "{token}");
    }
    let missing = folder.path().join("none");
    let missing = missing.to_str().unwrap();
    let (code, error) = startup_error(program(&["--tokens", missing]));
    assert_eq!(code, Some(1));
    assert!(
        error.starts_with(&format!(
            "call-api-sandbox: cannot read the tokens in {missing}: "
        )),
        "{error}"
    );
}

#[tokio::test]
async fn printed_commands_work_without_a_default_token() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("it's tokens");
    for text in ["\n# ours\nacme canary-51c0\n", "acme other\ncanary-51c0\n"] {
        fs::write(&file, text).unwrap();
        let path = file.to_str().unwrap();
        let (_running, greeting) = Running::start(program(&["--listen", "0", "--tokens", path]));
        let mut lines = greeting.lines();
        let export = lines.find(|line| line.starts_with("  export CALL_API_TOKEN="));
        let script = format!("{}; printf %s \"$CALL_API_TOKEN\"", export.unwrap());
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let token = String::from_utf8(output.stdout).unwrap();
        assert_eq!(token, "canary-51c0", "{greeting}");
        let url = format!("{}/v1/call/{}", base_url(&greeting), Sandbox::EXAMPLE_ID);
        let request = http().get(url).bearer_auth(token);
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
}

#[test]
fn counts_must_be_positive_whole_numbers() {
    for option in ["--speed", "--max-connections"] {
        for value in ["0", "-1", "1.5", "nan", "4294967296"] {
            let (code, error) = startup_error(program(&[option, value]));
            assert_eq!(code, Some(2));
            let reason = "must be a whole number from 1 to 4294967295";
            assert!(error.contains(reason), "{option} {value}: {error}");
        }
    }
}

#[tokio::test]
async fn calls_and_a_script_can_be_given_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.jsonl");
    let id = Uuid::from_u128(7);
    fs::write(
        &file,
        format!("\n{{\"id\": \"{id}\", \"status\": \"on_hold\"}}\n"),
    )
    .unwrap();
    let calls = file.to_str().unwrap();
    let arguments = ["--listen", "localhost:0", "--calls", calls];
    let script = ["--script", "completed", "--speed", "1000000"];
    let (_running, greeting) = Running::start(program(&[arguments, script].concat()));
    let url = base_url(&greeting);
    assert_eq!(state(url, id).await.unwrap().0, "on_hold");
    assert_eq!(
        state(url, Sandbox::EXAMPLE_ID).await.unwrap().0,
        "completed"
    );

    fs::write(&file, "{}").unwrap();
    let error = format!(
        "call-api-sandbox: {calls}:1: not a call: it has no \"id\"; use a JSON object whose \"id\" is a UUID\n"
    );
    assert_eq!(startup_error(program(&arguments)), (Some(1), error));
}

#[tokio::test]
async fn operations_of_another_api_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("operations.json");
    let description = r#"{"operations": [{
        "name": "ping", "method": "GET", "path": "/ping", "auth": "none", "parameters": [],
        "responses": [{"status": "202", "media_type": "application/json", "example": {"pong": true}}]
    }]}"#;
    std::fs::write(&file, description).unwrap();
    let path = file.to_str().unwrap();
    let arguments = ["--listen", "127.0.0.1:0", "--operations", path];
    let (_running, greeting) = Running::start(program(&arguments));
    let url = greeting.split_whitespace().nth(2).unwrap().to_owned();
    let response = http().get(format!("{url}/ping")).send().await.unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(response.text().await.unwrap(), r#"{"pong": true}"#);

    std::fs::write(&file, "{\"openapi\": \"3.1.0\"}").unwrap();
    let (code, error) = startup_error(program(&arguments));
    assert_eq!(code, Some(1));
    assert!(error.contains("not a description of operations"), "{error}");
}

#[tokio::test]
async fn pages_are_served() {
    let mut command = program(&["--listen", "127.0.0.1:0"]);
    command.env(TOKEN, "canary-51c0");
    let (_running, greeting) = Running::start(command);
    let url = base_url(&greeting);
    let get = async |path: &str| {
        let response = http().get(format!("{url}{path}")).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let (status, page) = get("/_sandbox/").await;
    assert_eq!(status, 200);
    assert!(
        page.contains("page.js") && !page.contains("canary"),
        "{page}"
    );
    // The list of calls requires a token.
    assert_eq!(get("/_sandbox/calls.json").await.0, 401);
    let request = http()
        .get(format!("{url}/_sandbox/calls.json"))
        .bearer_auth("canary-51c0");
    let page: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(page["calls"][0]["id"], json!(Sandbox::EXAMPLE_ID));

    assert_eq!(
        get("/_sandbox/healthz").await,
        (200, r#"{"status":"ok"}"#.to_owned())
    );
    let (status, document) = get("/_sandbox/docs/openapi.json").await;
    let reference = include_str!("../src/openapi.json");
    assert_eq!(
        (status, document),
        (200, reference.replace("http://localhost:3000", url))
    );
    let (status, docs) = get("/_sandbox/docs").await;
    assert_eq!(status, 200);
    assert!(docs.contains("swagger-ui"), "{docs}");
    let reference: Value = serde_json::from_str(reference).unwrap();
    let title = reference["info"]["title"].as_str().unwrap();
    assert!(docs.contains(&format!("<title>{title}</title>")), "{docs}");
    for file in [
        "page.css",
        "docs/swagger-ui-bundle.js",
        "docs/swagger-ui.css",
        "docs/docs.js",
        "docs/docs.css",
    ] {
        let path = format!("/_sandbox/{file}");
        let (status, text) = get(&path).await;
        assert_eq!(status, 200, "{file}");
        let compressed = file.contains("swagger-ui");
        for (accepted, coding) in [
            ("br, gzip", compressed.then_some("gzip")),
            ("GZIP;q=0.5", compressed.then_some("gzip")),
            ("br, gzip;q=0", None),
            ("identity", None),
        ] {
            let request = http().get(format!("{url}{path}"));
            let request = request.header("accept-encoding", accepted);
            let response = request.send().await.unwrap();
            let header = response.headers().get("content-encoding").cloned();
            assert_eq!(
                header.as_ref().map(|value| value.as_bytes()),
                coding.map(str::as_bytes)
            );
            let body = response.bytes().await.unwrap();
            match coding {
                Some(_) => assert!(body.len() < text.len() / 2 && body.starts_with(&[0x1f, 0x8b])),
                None => assert_eq!(body, text),
            }
        }
    }
    // It would request a document of another site.
    for file in ["none", "swagger-initializer.js"] {
        assert_eq!(
            get(&format!("/_sandbox/docs/{file}")).await.0,
            404,
            "{file}"
        );
    }
}

#[tokio::test]
async fn pages_with_the_default_token_require_a_loopback_host() {
    let statuses = async |token: &str| {
        let mut command = program(&["--listen", "127.0.0.1:0"]);
        command.env(TOKEN, token);
        let (_running, greeting) = Running::start(command);
        let url = base_url(&greeting);
        let get = async |path: &str, host: &str| {
            let request = http().get(format!("{url}{path}")).header("host", host);
            let request = request.bearer_auth(if token.is_empty() {
                Sandbox::DEFAULT_TOKEN
            } else {
                token
            });
            request.send().await.unwrap().status().as_u16()
        };
        [
            get("/_sandbox/", "localhost:3000").await,
            get("/_sandbox/calls.json", "127.0.0.1").await,
            get("/_sandbox/", "calls.example").await,
            get("/_sandbox/calls.json", "calls.example").await,
        ]
    };
    assert_eq!(statuses("").await, [200, 200, 403, 403]);
    // A token of one's own is secret, so the sandbox may be reached by any name.
    assert_eq!(statuses("canary-51c0").await, [200; 4]);
}

#[tokio::test]
async fn log_has_neither_tokens_nor_ids() {
    let (mut running, greeting) =
        Running::start(program(&["--listen", "127.0.0.1:0", "--log", "json"]));
    let url = base_url(&greeting);
    for path in ["/v1/call/+4930123456?to=+4930123456", "/+4930123456"] {
        let request = http()
            .get(format!("{url}{path}"))
            .bearer_auth("canary-51c0");
        request.send().await.unwrap();
    }
    running.0.kill().unwrap();
    let mut log = String::new();
    running
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    assert!(
        !log.contains("4930123456") && !log.contains("canary"),
        "{log}"
    );
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let rows: Vec<_> = lines
        .iter()
        .map(|line| json!([line["method"], line["route"], line["status"], line["level"]]))
        .collect();
    assert_eq!(
        rows,
        [
            json!(["GET", "/v1/call/{id}", 401, "INFO"]),
            json!(["GET", "other", 404, "INFO"])
        ]
    );
}

#[cfg(unix)]
#[test]
fn sigint_and_sigterm_exit_with_0() {
    for signal in ["-INT", "-TERM"] {
        let (mut running, _greeting) = Running::start(program(&["--listen", "127.0.0.1:0"]));
        let id = running.0.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(running.0.wait().unwrap().code(), Some(0), "{signal}");
        let mut error = String::new();
        running
            .0
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut error)
            .unwrap();
        assert_eq!(error, "", "{signal}");
    }
}

#[test]
fn program_serves_with_a_control_token_and_a_healthcheck() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "of-control\n").unwrap();
    let mut command = program(&[
        "--listen",
        "0.0.0.0:0",
        "--control-token",
        file.to_str().unwrap(),
    ]);
    command.env(TOKEN, "of-calls");
    let (_running, greeting) = Running::start(command);
    let url = greeting.lines().next().unwrap();
    let address = url.trim_start_matches("Listening on http://");
    let port = address.split([':', ' ']).nth(1).unwrap();
    let check = program(&["healthcheck", port]).output().unwrap();
    assert!(check.status.success(), "{check:?}");

    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let check = program(&["healthcheck", &port]).output().unwrap();
    assert!(!check.status.success());
    let error = String::from_utf8(check.stderr).unwrap();
    assert!(error.contains("no sandbox serves at 127.0.0.1:"), "{error}");
}
