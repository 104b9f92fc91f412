//! The program, run as a user runs it.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use call_api_sandbox::Sandbox;
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::http;
use uuid::Uuid;

const TOKEN: &str = "CALL_API_SANDBOX_TOKEN";

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_call-api-sandbox"));
    command
        .args(arguments)
        .env_remove(TOKEN)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A program that is ended with the test, also with one that fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Starts it, and reads its greeting up to the last line.
    fn start(mut command: Command) -> (Self, String) {
        let mut running = Self(command.spawn().unwrap());
        let stdout = running.0.stdout.as_mut().unwrap();
        let mut greeting = Vec::new();
        let mut byte = [0];
        let ends = |text: &[u8]| {
            let text = String::from_utf8_lossy(text);
            text.ends_with('\n') && text.contains("CALL_API_TOKEN=")
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

/// What is left of a program that should end before it listens; one that does listen is ended, not waited for.
fn refused(command: Command) -> (Option<i32>, String) {
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
async fn what_it_prints_is_what_one_needs_to_ask_it() {
    let (_running, greeting) = Running::start(program(&["--listen", "127.0.0.1:0"]));
    let url = base_url(&greeting);
    assert_eq!(
        greeting.replace(url, "{url}"),
        "\
The call API listens on {url}, until Ctrl-C.

  call   3c90c3cc-0d44-4b50-8888-8dd25736052a
  token  sandbox-token (set CALL_API_SANDBOX_TOKEN for another)

Look at it:
  {url}/ has its calls as they change, {url}/docs the reference

Ask it:
  curl -H \"Authorization: Bearer sandbox-token\" {url}/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a

Have the SDK ask it:
  export CALL_API_BASE_URL={url}
  export CALL_API_TOKEN=sandbox-token
"
    );

    // The reference's snippet: this URL, this header, and the text printed.
    let asked = http()
        .get(format!("{url}/v1/call/{}", Sandbox::EXAMPLE_ID))
        .header("Authorization", "Bearer sandbox-token");
    let text = asked.send().await.unwrap().text().await.unwrap();
    let value = |json: &str| serde_json::from_str::<Value>(json).unwrap();
    assert_eq!(value(&text), value(Sandbox::EXAMPLE_JSON));
}

#[tokio::test]
async fn a_token_of_ones_own_opens_it_and_is_not_printed() {
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
        let asked = http().get(&url).bearer_auth(token);
        assert_eq!(asked.send().await.unwrap().status(), status, "{token}");
    }
}

#[test]
fn a_taken_port_is_one_line_with_a_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = format!(
        "call-api-sandbox: cannot listen on {address}: another program has this port; \
         end it, or take a free one: --listen 127.0.0.1:0\n"
    );
    let address = address.to_string();
    assert_eq!(refused(program(&["--listen", &address])), (Some(1), error));
}

#[test]
fn beyond_loopback_it_asks_for_a_token() {
    let error = "call-api-sandbox: others could reach 0.0.0.0:0, and everybody knows the default token; \
                 give the sandbox a token of your own, in CALL_API_SANDBOX_TOKEN\n";
    assert_eq!(
        refused(program(&["--listen", "0.0.0.0:0"])),
        (Some(1), error.to_owned())
    );
}

#[test]
fn a_token_that_no_header_can_carry_is_refused() {
    for (token, why) in [
        ("", "is empty; give it at least one character"),
        (
            "a b",
            "has a space or a character that is not ASCII; give it another",
        ),
    ] {
        let mut command = program(&["--listen", "127.0.0.1:0"]);
        command.env(TOKEN, token);
        let error =
            format!("call-api-sandbox: the sandbox's token {why}, in CALL_API_SANDBOX_TOKEN\n");
        assert_eq!(refused(command), (Some(1), error));
    }
}

#[test]
fn a_refusal_names_what_is_to_be_changed() {
    let mut command = program(&["--listen", "0.0.0.0:0", "--control"]);
    command.env(TOKEN, "own");
    let error = "call-api-sandbox: others could reach 0.0.0.0:0, and its control asks for no token; \
                 have the sandbox listen on 127.0.0.1 or [::1]\n";
    assert_eq!(refused(command), (Some(1), error.to_owned()));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    fs::write(&file, "acme one\nother one\n").unwrap();
    let file = file.to_str().unwrap();
    let error = format!(
        "call-api-sandbox: two tenants have the same token; give each its own, in {file} or {TOKEN}\n"
    );
    let command = program(&["--listen", "127.0.0.1:0", "--token-file", file]);
    assert_eq!(refused(command), (Some(1), error));
}

#[test]
fn a_wrong_argument_is_another_exit_code() {
    for arguments in [
        ["--lisen"].as_slice(),
        &["--listen", "localhost:1"],
        &["--stepped"],
        &["import"],
    ] {
        let (code, error) = refused(program(arguments));
        assert_eq!(code, Some(2), "{error}");
        assert!(error.starts_with("error: "), "{error}");
    }
}

#[test]
fn help_is_no_failure() {
    let output = program(&["--help"]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    let help = str::from_utf8(&output.stdout).unwrap();
    assert!(
        help.contains("--listen <ADDRESS>") && help.contains(TOKEN),
        "{help}"
    );
}

#[test]
fn control_beyond_loopback_is_refused() {
    let mut command = program(&["--listen", "0.0.0.0:0", "--control"]);
    command.env(TOKEN, "canary-51c0");
    let (code, error) = refused(command);
    assert_eq!(code, Some(1));
    assert!(
        error.contains("others could reach 0.0.0.0:0, and its control asks for no token"),
        "{error}"
    );
}

#[tokio::test]
async fn tokens_from_a_file_open_each_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    fs::write(&file, "canary-51c0\nacme canary-acme\n").unwrap();
    let file = file.to_str().unwrap();
    let (_running, greeting) =
        Running::start(program(&["--listen", "127.0.0.1:0", "--token-file", file]));
    assert!(!greeting.contains("canary"), "{greeting}");
    assert!(
        greeting.contains(&format!("token  each one in {file}")),
        "{greeting}"
    );
    let url = format!("{}/v1/call/{}", base_url(&greeting), Sandbox::EXAMPLE_ID);
    for (token, status) in [
        ("canary-51c0", 200),
        ("canary-acme", 404),
        (Sandbox::DEFAULT_TOKEN, 401),
    ] {
        let asked = http().get(&url).bearer_auth(token);
        assert_eq!(asked.send().await.unwrap().status(), status, "{token}");
    }
    let missing = folder.path().join("none");
    let missing = missing.to_str().unwrap();
    let (code, error) = refused(program(&["--token-file", missing]));
    assert_eq!(code, Some(1));
    assert!(
        error.starts_with(&format!(
            "call-api-sandbox: cannot read the tokens in {missing}: "
        )),
        "{error}"
    );
}

/// The program with a file of calls, and its control.
fn kept(file: &Path) -> (Running, String) {
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

/// The call's status and reason, if it is there.
async fn state(url: &str, id: Uuid) -> Option<(String, String)> {
    let asked = http()
        .get(format!("{url}/v1/call/{id}"))
        .bearer_auth(Sandbox::DEFAULT_TOKEN);
    let answer = asked.send().await.unwrap();
    if answer.status() == StatusCode::NOT_FOUND {
        return None;
    }
    let call: Value = answer.json().await.unwrap();
    let text = |name: &str| call[name].as_str().unwrap_or_default().to_owned();
    Some((text("status"), text("end_reason")))
}

#[tokio::test]
async fn what_was_answered_as_stored_is_there_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.sqlite");
    let (mut running, url) = kept(&file);
    let control = async |path: String, method: reqwest::Method, body: Value| {
        let asked = http()
            .request(method, format!("{url}/_sandbox{path}"))
            .body(body.to_string());
        let status = asked.send().await.unwrap().status();
        assert!(status.is_success(), "{path}: {status}");
    };
    let put = reqwest::Method::PUT;
    let id = Uuid::from_u128;
    // As many as there are time for until it is killed in the midst of one of them.
    for number in 1..50 {
        let call = json!({"id": id(number), "status": "failed", "end_reason": number.to_string()});
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

    // On Unix this is SIGKILL.
    running.0.kill().unwrap();
    running.0.wait().unwrap();
    let (_running, url) = kept(&file);
    assert_eq!(state(&url, id(1)).await, None);
    for number in 2..50 {
        let wanted = ("failed".to_owned(), number.to_string());
        assert_eq!(state(&url, id(number)).await, Some(wanted));
    }
    assert_eq!(state(&url, Sandbox::EXAMPLE_ID).await.unwrap().0, "dialing");
    // It lives on where it was.
    assert_eq!(state(&url, id(99)).await.unwrap().0, "in_progress");
}

/// The lines of a file with a few calls and two bad lines.
fn lines(folder: &Path) -> std::path::PathBuf {
    let example: String = Sandbox::EXAMPLE_JSON.split_whitespace().collect();
    let call = |number: u128| {
        let id = Uuid::from_u128(number).to_string();
        example.replacen(&Sandbox::EXAMPLE_ID.to_string(), &id, 1)
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
async fn calls_are_imported_and_bad_lines_are_named() {
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
             mend it, or leave such lines out with --skip-bad; nothing was imported\n"
                .to_owned()
        )
    );
    assert_eq!(
        import(&["--skip-bad"]),
        (
            Some(0),
            "3 calls of default are in {folder}/calls.sqlite now, 2 lines left out\n".to_owned(),
            "{folder}/calls.jsonl: line 2: missing field `id`, at column 2; left out\n\
             {folder}/calls.jsonl: line 4: expected ident, at column 2; left out\n"
                .to_owned()
        )
    );
    let (_running, url) = kept(&db);
    assert_eq!(state(&url, Uuid::from_u128(2)).await.unwrap().0, "dialing");
    assert_eq!(state(&url, Uuid::from_u128(3)).await, None);
}

#[tokio::test]
async fn there_is_something_to_look_at() {
    let mut command = program(&["--listen", "127.0.0.1:0"]);
    command.env(TOKEN, "canary-51c0");
    let (_running, greeting) = Running::start(command);
    let url = base_url(&greeting);
    let get = async |path: &str| {
        let answer = http().get(format!("{url}{path}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, page) = get("/").await;
    assert_eq!(status, 200);
    assert!(
        page.contains("page.js") && !page.contains("canary"),
        "{page}"
    );
    // Calls are for those with a token here too.
    assert_eq!(get("/calls.json").await.0, 401);
    let asked = http()
        .get(format!("{url}/calls.json"))
        .bearer_auth("canary-51c0");
    let page: Value = asked.send().await.unwrap().json().await.unwrap();
    assert_eq!(page["calls"][0]["id"], json!(Sandbox::EXAMPLE_ID));

    assert_eq!(
        get("/healthz").await,
        (200, r#"{"status":"ok"}"#.to_owned())
    );
    let (status, document) = get("/openapi.json").await;
    let reference = include_str!("../src/openapi.json");
    assert_eq!(
        (status, document),
        (200, reference.replace("http://localhost:3000", url))
    );
    let (status, docs) = get("/docs").await;
    assert_eq!(status, 200);
    assert!(docs.contains("swagger-ui"), "{docs}");
    for file in [
        "swagger-ui-bundle.js",
        "swagger-ui.css",
        "swagger-initializer.js",
    ] {
        let (status, text) = get(&format!("/docs/{file}")).await;
        assert_eq!(status, 200, "{file}");
        assert!(!text.contains("https://petstore"), "{file}");
    }
    assert_eq!(get("/docs/none").await.0, 404);
}

#[tokio::test]
async fn the_log_has_neither_tokens_nor_what_a_path_holds() {
    let (mut running, greeting) =
        Running::start(program(&["--listen", "127.0.0.1:0", "--log", "json"]));
    let url = base_url(&greeting);
    for path in ["/v1/call/+4930123456?to=+4930123456", "/+4930123456"] {
        let asked = http()
            .get(format!("{url}{path}"))
            .bearer_auth("canary-51c0");
        asked.send().await.unwrap();
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
fn ctrl_c_and_the_end_of_a_service_end_it_cleanly() {
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
