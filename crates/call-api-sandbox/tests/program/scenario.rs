//! Scenario files and webhooks.

use super::*;

/// Returns the scenario in the README.
fn readme_scenario() -> String {
    let readme = include_str!("../../README.md");
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
    let schema: Value = serde_json::from_str(include_str!("../../scenario.schema.json")).unwrap();
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
