//! Every fault that a body can have, and what the SDK makes of it: the part of `docs/faults.md` that needs the generated
//! types. The faults on the way to a body are in `crates/call-api-transport/tests/faults.rs`.
//!
//! After a change, `UPDATE_FAULTS=1 cargo test --workspace --test faults` writes the page anew; otherwise it is compared.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

#[path = "../crates/call-api-transport/tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;

use call_api::{Call, Client, Error, Response};
use call_api_sandbox::Sandbox;
use support::{SECRET, Server, TestClock, all_words, answer, builder, send};

type Map = serde_json::Map<String, serde_json::Value>;

/// One body, and what must be seen of it.
struct Row {
    body: String,
    response: Vec<u8>,
    result: String,
    /// Attempts, each with what the transport says of it.
    attempts: &'static str,
    waits: &'static [u64],
    bytes: usize,
}

const REFERENCE: &str = Sandbox::EXAMPLE_JSON;

fn whole(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let [support::Step::Send(bytes)] = &answer(status, headers, body)[..] else {
        panic!("an answer is sent at once")
    };
    bytes.clone()
}

fn row(name: impl Into<String>, body: impl AsRef<[u8]>, result: impl Into<String>) -> Row {
    Row {
        body: name.into(),
        response: whole(200, "content-type: application/json\r\n", &body),
        result: result.into(),
        attempts: "success",
        waits: &[],
        bytes: body.as_ref().len(),
    }
}

fn status(status: u16, name: &str, body: &str, result: &str) -> Row {
    let (attempts, waits): (_, &[u64]) = match status {
        200..=299 => ("success", &[]),
        401 => ("unauthorized", &[]),
        500..=599 => ("server_error, server_error, server_error", &[250, 500]),
        _ => ("rejected", &[]),
    };
    Row {
        response: whole(status, "", body),
        attempts,
        waits,
        ..row(format!("{status}, {name}"), body, result)
    }
}

/// The reference's call with another value, where it has that one.
fn with(from: &str, to: &str) -> String {
    let body = REFERENCE.replacen(from, to, 1);
    assert_ne!(body, REFERENCE, "{from}");
    body
}

/// A member at the beginning of the reference's call.
fn and(member: &str) -> String {
    with("{", &format!("{{{member},"))
}

const A_CALL: &str = "a call";

fn json() -> Vec<Row> {
    let at = |path: &str| format!("Decode at {path}");
    let deep = "[".repeat(100_000);
    let not_utf_8 = |body: String| -> Vec<u8> {
        let byte = |byte| if byte == b'@' { 0xff } else { byte };
        body.into_bytes().into_iter().map(byte).collect()
    };
    let utf_16: Vec<u8> = REFERENCE
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let reason = "\"end_reason\": \"<string>\"";
    let agent = "\"agent_id\": \"3c90c3cc-0d44-4b50-8888-8dd25736052a\"";
    let mut rows = vec![
        row("the reference's call", REFERENCE, A_CALL),
        row(
            "unknown status",
            with("\"dialing\"", "\"on_hold\""),
            "a call, its status on_hold",
        ),
        row("unknown type", with("\"inbound\"", "\"sideways\""), A_CALL),
        row(
            "id of another call",
            with("\"id\": \"3c90c3cc", "\"id\": \"00000000"),
            "a call, its id 00000000-0d44-4b50-8888-8dd25736052a",
        ),
        row("unknown property", and("\"new\": {\"a\": [1]}"), A_CALL),
        row(
            "unknown property, twice",
            and("\"new\": 1, \"new\": 2"),
            A_CALL,
        ),
        row(
            "unknown property, 100,000 brackets deep",
            and(&format!("\"new\": {deep}{}", "]".repeat(100_000))),
            A_CALL,
        ),
        row(
            "unknown property that is no UTF-8",
            not_utf_8(and("\"new\": \"@\"")),
            A_CALL,
        ),
        row(
            "optional property absent",
            with(&format!(",\n  {reason}"), ""),
            A_CALL,
        ),
        row(
            "optional property null",
            with(reason, "\"end_reason\": null"),
            A_CALL,
        ),
        row(
            "nullable property null",
            with(agent, "\"agent_id\": null"),
            A_CALL,
        ),
        row(
            "nullable property absent",
            with(&format!("  {agent},\n"), ""),
            at("."),
        ),
        row(
            "required property absent",
            with("  \"status\": \"dialing\",\n", ""),
            at("."),
        ),
        row("property twice", and("\"duration\": 1"), at(".")),
        row("NaN", with("123", "NaN"), at("duration")),
        row("-Infinity", with("123", "-Infinity"), at("duration")),
        row("whole number with a fraction", with("123", "123.0"), A_CALL),
        row(
            "number past 64 bits",
            with("123", "99999999999999999999"),
            at("duration"),
        ),
        row("number past all", with("123", "1e999"), at("duration")),
        row(
            "id that is no UUID",
            with("\"id\": \"3c90c3cc", "\"id\": \"3c90c3c"),
            at("id"),
        ),
        row(
            "date that is none",
            with("2023-11-07T05:31:56Z", "yesterday"),
            at("contact.created_date"),
        ),
        row(
            "date without a zone",
            with("2023-11-07T05:31:56Z", "2023-11-07T05:31:56"),
            A_CALL,
        ),
        row(
            "property that is no UTF-8",
            not_utf_8(with(reason, "\"end_reason\": \"@\"")),
            at("end_reason"),
        ),
        row(
            "half of a surrogate pair",
            with(reason, r#""end_reason": "\ud800""#),
            at("end_reason"),
        ),
        row(
            "control character in a text",
            with(reason, "\"end_reason\": \"\u{0}\""),
            at("end_reason"),
        ),
        row(
            "100,000 brackets in place of a text",
            with(reason, &format!("\"end_reason\": {deep}")),
            at("end_reason"),
        ),
        row("byte order mark", format!("\u{feff}{REFERENCE}"), at(".")),
        row("UTF-16", utf_16, at("?")),
        row("100,000 brackets", &deep, at(".")),
        row("nothing", "", at(".")),
        row("a space", " ", at(".")),
        row("null", "null", at(".")),
        row("a list of the call", format!("[{REFERENCE}]"), at(".")),
        row("the call as a text", format!("{REFERENCE:?}"), at(".")),
        row(
            "half of the call",
            &REFERENCE[..REFERENCE.len() / 2],
            at("contact.?"),
        ),
        row("the call twice", REFERENCE.repeat(2), at(".")),
        row("HTML", "<html>Welcome to the guest network</html>", at(".")),
        Row {
            response: whole(200, "content-type: text/html\r\n", REFERENCE),
            ..row("the call, said to be HTML", REFERENCE, A_CALL)
        },
    ];
    // Every property with a value of a type that it doesn't have.
    let example: Map = serde_json::from_str(REFERENCE).unwrap();
    let contact = example["contact"].as_object().unwrap();
    let outer = example.keys().map(|name| (None, name));
    let inner = contact.keys().map(|name| (Some("contact"), name));
    // Which order a map has is a feature of serde_json, which another crate may have asked for.
    let names: std::collections::BTreeSet<_> = outer.chain(inner).collect();
    for (inside, name) in names {
        let mut changed = example.clone();
        let holder = match inside {
            Some(_) => changed["contact"].as_object_mut().unwrap(),
            None => &mut changed,
        };
        let value = &mut holder[name];
        *value = if value.is_string() {
            7.into()
        } else {
            "7".into()
        };
        let path = inside.map_or(name.clone(), |inside| format!("{inside}.{name}"));
        let body = serde_json::to_string(&changed).unwrap();
        rows.push(row(format!("wrong type: {path}"), body, at(&path)));
    }
    rows
}

fn errors() -> Vec<Row> {
    vec![
        Row {
            response: b"HTTP/1.1 204 X\r\n\r\n".to_vec(),
            ..status(204, "no body", "", "UnexpectedStatus")
        },
        status(201, "with the call", REFERENCE, "UnexpectedStatus"),
        status(
            202,
            "with something else",
            r#"{"detail": "later"}"#,
            "UnexpectedStatus",
        ),
        status(
            401,
            "a detail",
            r#"{"detail": "Not authenticated"}"#,
            "Unauthorized: Not authenticated",
        ),
        status(
            401,
            "HTML",
            "<html>\n no </html>",
            "Unauthorized: <html> no </html>",
        ),
        status(
            401,
            "the token in its detail",
            &format!("{{\"detail\": \"{SECRET} is unknown\"}}"),
            "Unauthorized: *** is unknown",
        ),
        status(
            403,
            "the token in a header's form",
            &format!("Bearer {SECRET}!"),
            "Forbidden: Bearer ***!",
        ),
        status(
            404,
            "a detail",
            r#"{"detail": "Call not found"}"#,
            "NotFound: Call not found",
        ),
        status(404, "nothing", "", "NotFound"),
        status(
            422,
            "a list of details",
            r#"{"detail": [{"loc": ["path", "id"], "msg": "no UUID", "type": "uuid_parsing"}]}"#,
            "InvalidRequest: path.id: no UUID",
        ),
        status(
            422,
            "a list of something else",
            r#"{"detail": [1]}"#,
            r#"InvalidRequest: {"detail": [1]}"#,
        ),
        status(
            422,
            "a detail that is an object",
            r#"{"detail": {"code": 7}}"#,
            r#"InvalidRequest: {"detail": {"code": 7}}"#,
        ),
        status(
            422,
            "no detail",
            r#"{"error": "bad"}"#,
            r#"InvalidRequest: {"error": "bad"}"#,
        ),
        status(
            422,
            "60,000 brackets",
            &"[".repeat(60_000),
            &format!("InvalidRequest: {}…", "[".repeat(44)),
        ),
        status(503, "text", "busy", "Server: busy"),
    ]
}

/// An error's kind, the place of what can't be decoded, and what the service said, as one reads them in the table.
fn told(result: &Result<Call, Error>) -> String {
    let example = Sandbox::example_call();
    match result {
        Ok(call) if call.status != example.status => format!("a call, its status {}", call.status),
        Ok(call) if call.id != example.id => format!("a call, its id {}", call.id),
        Ok(_) => A_CALL.to_owned(),
        Err(error) => {
            let mut text = format!("{:?}", error.kind());
            if let Some(path) = error.json_path() {
                let _ = write!(text, " at {path}");
            }
            if let Some(detail) = error.detail() {
                let _ = write!(text, ": {detail}");
            }
            if text.chars().count() > SHOWN {
                text = text.chars().take(SHOWN).chain(['…']).collect();
            }
            text
        }
    }
}

/// The most characters of a result in the table.
const SHOWN: usize = 60;

/// Everything that an error shows: one line for whoever is on call, and never the token.
fn checked(error: &Error) {
    let line = error.to_string();
    assert!(!line.chars().any(char::is_control), "{line:?}");
    assert!(line.starts_with(char::is_uppercase) || line.starts_with(char::is_lowercase));
    let words = all_words(error);
    assert!(!words.contains(SECRET), "{words}");
}

#[tokio::test]
async fn every_body_ends_as_the_table_says() {
    let mut page = String::from(PREFACE);
    let mut wrong = String::new();
    for (title, rows) in [
        ("With status 200", json()),
        ("With another status", errors()),
    ] {
        let _ = write!(page, "\n### {title}\n{HEADER}");
        for row in rows {
            let clock = TestClock::default();
            let other = Server::start(&clock, vec![]).await;
            let server = Server::start(&clock, vec![send(&row.response)]).await;
            let transport = builder(&server.url(), &clock).build().unwrap();
            let client = Client::new(transport);
            let result = client.get_call(Sandbox::EXAMPLE_ID).send().await;
            let (attempt_log, result) = match result {
                Ok(Response {
                    value, attempt_log, ..
                }) => (attempt_log, Ok(value)),
                Err(error) => {
                    checked(&error);
                    (error.attempt_log().unwrap().clone(), Err(error))
                }
            };
            let attempts: Vec<_> = attempt_log
                .attempts()
                .iter()
                .map(|attempt| attempt.outcome.name())
                .collect();
            let waits: Vec<_> = clock
                .waits()
                .iter()
                .map(|wait| wait.as_millis().to_string())
                .collect();
            let waits = if waits.is_empty() {
                "none".to_owned()
            } else {
                waits.join(", ")
            };
            let seen = format!(
                "| {} | `{}` | {} | {waits} | {} | {} |",
                row.body,
                told(&result).replace('|', "\\|"),
                attempts.join(", "),
                attempt_log.attempts().last().unwrap().body_bytes,
                server.connections(),
            );
            let wanted_waits: Vec<_> = row.waits.iter().map(u64::to_string).collect();
            let wanted = format!(
                "| {} | `{}` | {} | {} | {} | 1 |",
                row.body,
                row.result,
                row.attempts,
                if row.waits.is_empty() {
                    "none".to_owned()
                } else {
                    wanted_waits.join(", ")
                },
                row.bytes,
            );
            if seen != wanted {
                let _ = writeln!(wrong, "  {seen}\nnot {wanted}");
            }
            assert_eq!(server.requests().len(), attempts.len());
            assert!(
                server
                    .requests()
                    .iter()
                    .all(|request| request.contains(SECRET))
            );
            assert_eq!(other.connections(), 0);
            let _ = writeln!(page, "{wanted}");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");

    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    let path = std::path::Path::new(&package).join("docs/faults.md");
    let written = std::fs::read_to_string(&path).unwrap();
    let ours = written
        .find(&page[..page[1..].find('\n').unwrap() + 2])
        .unwrap_or(written.len());
    let (transports, ours) = written.split_at(ours);
    if std::env::var_os("UPDATE_FAULTS").is_some() {
        std::fs::write(path, format!("{transports}{page}")).unwrap();
        return;
    }
    assert!(
        ours == page,
        "docs/faults.md is stale; run UPDATE_FAULTS=1 cargo test --workspace --test faults"
    );
}

const PREFACE: &str = "
## What the SDK makes of a body
Each was the body of a response to `Client::get_call`, over a real socket. A call is a call; else there is the error's
`ErrorKind`, where in the body the reason lies, and the beginning of what the service is quoted with. The retries are those
of the tables above.
";

const HEADER: &str = "
| body | result | attempts | waits (ms) | body bytes | connections |
|---|---|---|---|---|---|
";
