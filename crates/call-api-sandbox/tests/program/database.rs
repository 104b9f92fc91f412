//! Stored and imported calls.

use super::*;

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
pub(super) async fn state(url: &str, id: Uuid) -> Option<(String, String)> {
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
