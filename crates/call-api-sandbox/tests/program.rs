//! The program.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use call_api_sandbox::Sandbox;
use call_api_types::{Call, CallStatus};
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
    let file = folder.path().join("tokens");
    fs::write(&file, "acme canary-acme\n").unwrap();
    let (_running, greeting) = Running::start(program(&[
        "--listen",
        "0",
        "--tokens",
        file.to_str().unwrap(),
    ]));
    assert!(greeting.contains("$CALL_API_TOKEN"), "{greeting}");
    let url = format!("{}/v1/call/{}", base_url(&greeting), Sandbox::EXAMPLE_ID);
    let request = http().get(url).bearer_auth("canary-acme");
    assert_eq!(request.send().await.unwrap().status(), 200);
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

/// Starts the program with a database and the control API.
fn start_with_database(file: &Path) -> (Running, String) {
    let file = file.to_str().unwrap();
    let (running, greeting) = Running::start(program(&[
        "--listen",
        "127.0.0.1:0",
        "--control",
        "--stepped",
        "--db",
        file,
    ]));
    let url = base_url(&greeting).to_owned();
    (running, url)
}

/// Returns the status and end reason of a call, if it exists.
async fn state(url: &str, id: Uuid) -> Option<(String, String)> {
    let request = http()
        .get(format!("{url}/v1/call/{id}"))
        .bearer_auth(Sandbox::DEFAULT_TOKEN);
    let response = request.send().await.unwrap();
    if response.status() == StatusCode::NOT_FOUND {
        return None;
    }
    let call: Value = response.json().await.unwrap();
    let text = |name| {
        let value = &call[call_api_types::Call::name_in_json(name)];
        value.as_str().unwrap_or_default().to_owned()
    };
    Some((text("status"), text("end_reason")))
}

#[tokio::test]
async fn stored_calls_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.sqlite");
    let (mut running, url) = start_with_database(&file);
    let control = async |path: String, method: reqwest::Method, body: Value| {
        let request = http()
            .request(method, format!("{url}/_sandbox{path}"))
            .body(body.to_string());
        let status = request.send().await.unwrap().status();
        assert!(status.is_success(), "{path}: {status}");
    };
    let put = reqwest::Method::PUT;
    let id = Uuid::from_u128;
    // All acknowledged writes must be there after the kill.
    for number in 1..50 {
        let mut call = Sandbox::example_call();
        (call.id, call.status) = (id(number), CallStatus::Failed);
        call.end_reason = Some(number.to_string());
        let call = serde_json::to_value(call).unwrap();
        control(format!("/calls/{}", id(number)), put.clone(), call).await;
    }
    control(
        format!("/calls/{}", id(1)),
        reqwest::Method::DELETE,
        Value::Null,
    )
    .await;
    let script = json!({"ending": "completed"});
    control(format!("/calls/{}/script", id(99)), put.clone(), script).await;
    control(
        "/clock/advance".to_owned(),
        reqwest::Method::POST,
        json!({"seconds": 2}),
    )
    .await;

    // SIGKILL on Unix.
    running.0.kill().unwrap();
    running.0.wait().unwrap();
    let (_running, url) = start_with_database(&file);
    assert_eq!(state(&url, id(1)).await, None);
    for number in 2..50 {
        let expected = ("failed".to_owned(), number.to_string());
        assert_eq!(state(&url, id(number)).await, Some(expected));
    }
    assert_eq!(state(&url, Sandbox::EXAMPLE_ID).await.unwrap().0, "dialing");
    // A script continues where it was.
    assert_eq!(state(&url, id(99)).await.unwrap().0, "in_progress");
}

/// Writes a file with three calls and two invalid lines.
fn lines(folder: &Path) -> std::path::PathBuf {
    let call = |number: u128| {
        let mut call = Sandbox::example_call();
        call.id = Uuid::from_u128(number);
        serde_json::to_string(&call).unwrap()
    };
    let lines = [
        call(1),
        "{}".to_owned(),
        call(2),
        "no JSON".to_owned(),
        call(1),
    ];
    let file = folder.join("calls.jsonl");
    fs::write(&file, lines.join("\n")).unwrap();
    file
}

#[tokio::test]
async fn import_reports_invalid_lines() {
    let folder = tempfile::tempdir().unwrap();
    let (lines, db) = (lines(folder.path()), folder.path().join("calls.sqlite"));
    let import = |more: &[&str]| {
        let mut command = program(&["import"]);
        command.arg(&lines).arg("--db").arg(&db).args(more);
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| {
            let text = str::from_utf8(bytes).unwrap();
            text.replace(folder.path().to_str().unwrap(), "{folder}")
        };
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    assert_eq!(
        import(&[]),
        (
            Some(1),
            String::new(),
            "call-api-sandbox: {folder}/calls.jsonl: line 2: missing field `id`, at column 2; \
             fix it, or skip such lines with --skip-invalid; nothing was imported\n"
                .to_owned()
        )
    );
    assert_eq!(
        import(&["--skip-invalid"]),
        (
            Some(0),
            "imported 3 calls of tenant default into {folder}/calls.sqlite, skipped 2 lines\n"
                .to_owned(),
            "{folder}/calls.jsonl: line 2: missing field `id`, at column 2; skipped\n\
             {folder}/calls.jsonl: line 4: expected ident, at column 2; skipped\n"
                .to_owned()
        )
    );
    let (_running, url) = start_with_database(&db);
    assert_eq!(state(&url, Uuid::from_u128(2)).await.unwrap().0, "dialing");
    assert_eq!(state(&url, Uuid::from_u128(3)).await, None);
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
    assert_eq!(
        page["calls"][0][Call::name_in_json("id")],
        json!(Sandbox::EXAMPLE_ID)
    );

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
    for file in [
        "swagger-ui-bundle.js",
        "swagger-ui.css",
        "swagger-initializer.js",
    ] {
        let (status, text) = get(&format!("/_sandbox/docs/{file}")).await;
        assert_eq!(status, 200, "{file}");
        assert!(!text.contains("https://petstore"), "{file}");
    }
    assert_eq!(get("/_sandbox/docs/none").await.0, 404);
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

/// Returns the scenario in the README.
fn readme_scenario() -> String {
    let readme = include_str!("../README.md");
    let (_, scenario) = readme.split_once("```yaml\n").unwrap();
    scenario.split_once("```").unwrap().0.to_owned()
}

#[tokio::test]
async fn scenario_has_calls_scripts_faults_and_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenario.yaml");
    // Its webhooks must not reach a program of this machine.
    fs::write(&file, readme_scenario().replace(":8080/", ":1/")).unwrap();
    let mut of_file = Sandbox::example_call();
    of_file.id = Uuid::from_u128(9);
    let line = serde_json::to_string(&of_file).unwrap();
    fs::write(folder.path().join("calls.jsonl"), format!("{line}\n")).unwrap();
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--scenario",
        file.to_str().unwrap(),
    ];
    let (_running, greeting) = Running::start(program(&arguments));
    let url = base_url(&greeting);
    let get = async |id: u128, token: &str| {
        let url = format!("{url}/v1/call/{}", Uuid::from_u128(id));
        let response = http().get(url).bearer_auth(token).send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.text().await.unwrap();
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    };
    // The first request meets the fault of the scenario.
    assert_eq!(get(1, "token-a").await.0, 503);
    let (status, call) = get(1, "token-a").await;
    assert_eq!(
        (status, &call[Call::name_in_json("status")]),
        (200, &json!("failed"))
    );
    // What a call does not have is that of the example.
    let name = Call::name_in_json("contact");
    let example = serde_json::to_value(Sandbox::example_call()).unwrap();
    assert_eq!(call[name], example[name]);
    let (_, call) = get(2, "token-b").await;
    assert_eq!(call[Call::name_in_json("status")], "dialing");
    assert_eq!(get(2, "token-a").await.0, 404);
    assert_eq!(get(9, "token-a").await.0, 200);
    assert_eq!(get(9, "sandbox-token").await.0, 401);
}

#[test]
fn scenario_of_the_readme_fits_the_schema() {
    let schema: Value = serde_json::from_str(include_str!("../scenario.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let scenario: Value = serde_saphyr::from_str(&readme_scenario()).unwrap();
    assert!(
        schema.is_valid(&scenario),
        "{:?}",
        schema.iter_errors(&scenario).next()
    );
    for wrong in [
        json!({"call": []}),
        json!({"calls": [{}]}),
        json!({"calls": [{"call": {}, "script": {"steps": []}}]}),
        json!({"tokens": {"a": "b"}}),
        json!({"faults": {"rules": [{"fault": {"kind": "fire"}}]}}),
        json!({"webhooks": [{"secret": "c2VjcmV0"}]}),
        json!({"webhooks": [{"url": "https://localhost/"}]}),
    ] {
        assert!(!schema.is_valid(&wrong), "{wrong}");
    }
}

#[test]
fn scenario_that_cannot_be_read_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenario.yaml");
    for (text, expected) in [
        ("calls: [{}]", "missing field `call`"),
        ("tokens: [", ""),
        ("call: []", "unknown field `call`"),
        ("calls: [{call: {id: nobody}}]", "call 1 of the scenario"),
        (
            "calls: [{call: {}, script: {ending: fire}}]",
            "no script has this \"ending\"",
        ),
        (
            "calls: [{call: {}, tenant: acme}]",
            "the tenant \"acme\" has calls and no token",
        ),
        ("files: [absent.jsonl]", "absent.jsonl"),
        (
            "webhooks: [{url: 'https://localhost/'}]",
            "webhook 1 of the scenario: the sandbox cannot send webhooks over https",
        ),
        (
            "faults: {rules: [{fault: {kind: reset}, tenant: acme}]}",
            "unknown tenant `acme`: no token is its own; use one of `default`",
        ),
    ] {
        fs::write(&file, text).unwrap();
        let arguments = [
            "--listen",
            "127.0.0.1:0",
            "--scenario",
            file.to_str().unwrap(),
        ];
        let (code, error) = startup_error(program(&arguments));
        assert_ne!(code, Some(0));
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains(expected), "{text}: {error}");
    }
}

/// Receives a webhook and verifies it with a secret. Returns the status of its call.
async fn receive(listener: &tokio::net::TcpListener, secret: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let accepted = tokio::time::timeout(std::time::Duration::from_secs(10), listener.accept());
    let (mut stream, _) = accepted.await.unwrap().unwrap();
    let mut request = Vec::new();
    let (headers, body) = loop {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let lines = head
            .lines()
            .skip(1)
            .map(|line| line.split_once(": ").unwrap());
        let headers: http::HeaderMap = lines
            .map(|(name, value)| {
                (
                    name.parse::<http::HeaderName>().unwrap(),
                    value.parse().unwrap(),
                )
            })
            .collect();
        if headers["content-length"] == body.len().to_string() {
            break (headers, body.as_bytes().to_vec());
        }
    };
    let response = b"HTTP/1.1 204 No Content\r\n\r\n";
    stream.write_all(response).await.unwrap();
    let verified = call_api_client::webhooks::Verified::<Value>::new(secret).unwrap();
    let event = verified.parse(&headers, &body).unwrap().event;
    let status = &event["data"][Call::name_in_json("status")];
    status.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn webhooks_of_arguments_and_scenario_are_signed() {
    let (own, of_file) = ("whsec_b3du", "whsec_b2YgdGhlIGZpbGU=");
    let bind = async || tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (first, second, third) = (bind().await, bind().await, bind().await);
    let url = |listener: &tokio::net::TcpListener| {
        format!("http://{}/hooks", listener.local_addr().unwrap())
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (scenario, secret) = (path("scenario.yaml"), path("secret"));
    let webhooks = json!({"webhooks": [
        {"url": url(&first), "secret": own},
        {"url": url(&second)},
    ]});
    fs::write(&scenario, webhooks.to_string()).unwrap();
    fs::write(&secret, format!("{of_file}\n")).unwrap();
    let (third_url, speed) = (url(&third), ["--script", "failed", "--speed", "1000"]);
    let arguments = ["--listen", "127.0.0.1:0", "--webhook", &third_url];
    let of_scenario = ["--scenario", &scenario, "--webhook-secret-file", &secret];
    let all = [&arguments[..], &of_scenario, &speed].concat();
    let (_running, _greeting) = Running::start(program(&all));
    for (listener, secret) in [(&first, own), (&second, of_file), (&third, of_file)] {
        assert_eq!(receive(listener, secret).await, "failed");
    }

    let mut command = program(&[&arguments[..], &speed].concat());
    command.env(WEBHOOK_SECRET, own);
    let (_running, _greeting) = Running::start(command);
    assert_eq!(receive(&third, own).await, "failed");

    let listen = &arguments[..2];
    let unused = program(&[listen, &of_scenario[2..]].concat());
    let error = format!(
        "call-api-sandbox: no webhook to sign with the secret in {secret}: add a receiver with --webhook URL\n"
    );
    assert_eq!(startup_error(unused), (Some(1), error));
    let mut wrong = program(&arguments);
    wrong.env(WEBHOOK_SECRET, "not Base64");
    let (_, error) = startup_error(wrong);
    assert!(
        error.contains("invalid webhook secret") && error.contains(WEBHOOK_SECRET),
        "{error}"
    );
    // Without a receiver it is not read.
    let mut unread = program(listen);
    unread.env(WEBHOOK_SECRET, "not Base64");
    let (_running, greeting) = Running::start(unread);
    assert!(greeting.starts_with("Listening on "), "{greeting}");
}
