//! The program, run as a user runs it.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::io::Read;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use call_api_sandbox::Sandbox;
use serde_json::Value;

const TOKEN: &str = "CALL_API_SANDBOX_TOKEN";

/// An HTTP client. Where the workspace has reqwest built with rustls, it wants a provider even for plain http.
fn http() -> reqwest::Client {
    // The second of two calls finds the provider of the first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

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
fn a_wrong_argument_is_another_exit_code() {
    let error = "call-api-sandbox: unexpected argument `--lisen`; see `--help`\n";
    assert_eq!(refused(program(&["--lisen"])), (Some(2), error.to_owned()));
}

#[test]
fn help_is_no_failure() {
    let output = program(&["--help"]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    let help = str::from_utf8(&output.stdout).unwrap();
    assert!(
        help.contains("--listen ADDRESS") && help.contains(TOKEN),
        "{help}"
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
