//! Faults of response bodies and how the SDK handles them: the part of `docs/faults.md` that needs the generated types.
//! `crates/call-api-transport/tests/faults.rs` has the faults before the body.
//!
//! The tables are compared with `docs/faults.md`; `UPDATE_FAULTS=1 cargo test --workspace --test faults` updates the page.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

#[path = "../crates/call-api-transport/tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::sync::LazyLock;

use call_api::types::Contact;
use call_api::{Call, Client, Error, Response};
use call_api_sandbox::Sandbox;
use support::{SECRET, Server, TestClock, all_text, answer, builder, send};

/// A response body and its expected handling.
struct Row {
    body: String,
    response: Vec<u8>,
    result: String,
    /// The outcome of each attempt.
    attempts: &'static str,
    waits: &'static [u64],
    bytes: usize,
}

/// The example call, with a line for each property.
static EXAMPLE: LazyLock<String> =
    LazyLock::new(|| serde_json::to_string_pretty(&Sandbox::example_call()).unwrap());

/// Returns a property of a call as in the example, by the name of its field.
fn property(field: &str, value: &str) -> String {
    format!("\"{}\": {value}", Call::name_in_json(field))
}

fn response(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let [support::Step::Send(bytes)] = &answer(status, headers, body)[..] else {
        panic!("expected one step")
    };
    bytes.clone()
}

fn row(name: impl Into<String>, body: impl AsRef<[u8]>, result: impl Into<String>) -> Row {
    Row {
        body: name.into(),
        response: response(200, "content-type: application/json\r\n", &body),
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
        response: response(status, "", body),
        attempts,
        waits,
        ..row(format!("{status}, {name}"), body, result)
    }
}

/// Returns the example call with the first occurrence of `from` replaced.
fn replaced(from: &str, to: &str) -> String {
    let body = EXAMPLE.replacen(from, to, 1);
    assert_ne!(body, *EXAMPLE, "{from}");
    body
}

/// Returns the example call with a member added at its beginning.
fn with_member(member: &str) -> String {
    replaced("{", &format!("{{{member},"))
}

const A_CALL: &str = "a call";

fn json() -> Vec<Row> {
    let at = |path: &str| format!("Decode at {path}");
    let example = EXAMPLE.as_str();
    let deep = "[".repeat(100_000);
    let not_utf_8 = |body: String| -> Vec<u8> {
        let byte = |byte| if byte == b'@' { 0xff } else { byte };
        body.into_bytes().into_iter().map(byte).collect()
    };
    let utf_16: Vec<u8> = example.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let reason = &property("end_reason", "\"<string>\"");
    let with_reason = |value: &str| replaced(reason, &property("end_reason", value));
    let with_duration = |value: &str| {
        let (from, to) = (property("duration", "123"), property("duration", value));
        replaced(&from, &to)
    };
    let agent = &property("agent_id", "\"3c90c3cc-0d44-4b50-8888-8dd25736052a\"");
    let id = |start: &str| property("id", &format!("\"{start}"));
    let without = |property: &str| replaced(&format!("  {property},\n"), "");
    let contact = format!("\"{}\": {{", Call::name_in_json("contact"));
    let contact = example.find(&contact).unwrap() + contact.len();
    let with_contact_created = |value: &str| {
        let (before, after) = example.split_at(contact);
        format!(
            "{before}{}",
            after.replacen("2023-11-07T05:31:56Z", value, 1)
        )
    };
    vec![
        row("the example call", example, A_CALL),
        row(
            "unknown status",
            replaced("\"dialing\"", "\"on_hold\""),
            "a call, its status on_hold",
        ),
        row(
            "unknown type",
            replaced("\"inbound\"", "\"sideways\""),
            A_CALL,
        ),
        row(
            "id of another call",
            replaced(&id("3c90c3cc"), &id("00000000")),
            "UnexpectedId",
        ),
        row(
            "unknown property",
            with_member("\"new\": {\"a\": [1]}"),
            A_CALL,
        ),
        row(
            "unknown property, twice",
            with_member("\"new\": 1, \"new\": 2"),
            A_CALL,
        ),
        row(
            "unknown property, 100,000 brackets deep",
            with_member(&format!("\"new\": {deep}{}", "]".repeat(100_000))),
            A_CALL,
        ),
        row(
            "unknown property that is not UTF-8",
            not_utf_8(with_member("\"new\": \"@\"")),
            A_CALL,
        ),
        row(
            "optional property absent",
            replaced(&format!(",\n  {reason}"), ""),
            A_CALL,
        ),
        row("optional property null", with_reason("null"), A_CALL),
        row(
            "nullable property null",
            replaced(agent, &property("agent_id", "null")),
            A_CALL,
        ),
        row("nullable property absent", without(agent), at(".")),
        row(
            "required property absent",
            without(&property("status", "\"dialing\"")),
            at("."),
        ),
        row(
            "property twice",
            with_member(&property("duration", "1")),
            at("."),
        ),
        row("NaN", with_duration("NaN"), at("duration")),
        row("-Infinity", with_duration("-Infinity"), at("duration")),
        row("integer with a fraction", with_duration("123.0"), A_CALL),
        row(
            "number beyond 64 bits",
            with_duration("99999999999999999999"),
            at("duration"),
        ),
        row("number beyond f64", with_duration("1e999"), at("duration")),
        row(
            "id that is not a UUID",
            replaced(&id("3c90c3cc"), &id("3c90c3c")),
            at("id"),
        ),
        row(
            "invalid date",
            with_contact_created("yesterday"),
            at("contact.created_date"),
        ),
        row(
            "date without an offset",
            with_contact_created("2023-11-07T05:31:56"),
            A_CALL,
        ),
        row(
            "property that is not UTF-8",
            not_utf_8(with_reason("\"@\"")),
            at("end_reason"),
        ),
        row(
            "lone surrogate",
            with_reason(r#""\ud800""#),
            at("end_reason"),
        ),
        row(
            "control character in a string",
            with_reason("\"\u{0}\""),
            at("end_reason"),
        ),
        row(
            "100,000 brackets instead of a string",
            with_reason(&deep),
            at("end_reason"),
        ),
        row("byte order mark", format!("\u{feff}{example}"), at(".")),
        row("UTF-16", utf_16, at("?")),
        row("100,000 brackets", &deep, at(".")),
        row("empty", "", at(".")),
        row("a space", " ", at(".")),
        row("null", "null", at(".")),
        row("a list of the call", format!("[{example}]"), at(".")),
        row("the call as a string", format!("{example:?}"), at(".")),
        row("part of the call", &example[..contact + 7], at("contact.?")),
        row("the call twice", example.repeat(2), at(".")),
        row("HTML", "<html>Welcome to the guest network</html>", at(".")),
        Row {
            response: response(200, "content-type: text/html\r\n", example),
            ..row("the call, sent as HTML", example, A_CALL)
        },
    ]
}

fn errors() -> Vec<Row> {
    vec![
        Row {
            response: b"HTTP/1.1 204 X\r\n\r\n".to_vec(),
            ..status(204, "no body", "", "UnexpectedStatus")
        },
        status(201, "with the call", &EXAMPLE, "UnexpectedStatus"),
        status(
            202,
            "with another body",
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
            "the token as in the header",
            &format!("Bearer {SECRET}!"),
            "Forbidden: Bearer ***!",
        ),
        status(
            404,
            "a detail",
            r#"{"detail": "Call not found"}"#,
            "NotFound: Call not found",
        ),
        status(404, "empty", "", "NotFound"),
        status(
            422,
            "a list of details",
            r#"{"detail": [{"loc": ["path", "id"], "msg": "not a UUID", "type": "uuid_parsing"}]}"#,
            "InvalidRequest: path.id: not a UUID",
        ),
        status(
            422,
            "another list",
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
            "an error",
            r#"{"error": "bad"}"#,
            "InvalidRequest: bad",
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

/// Formats a result for the table: the error's kind, JSON path and detail.
fn summary(result: &Result<Call, Error>) -> String {
    let example = Sandbox::example_call();
    match result {
        Ok(call) if call.status != example.status => format!("a call, its status {}", call.status),
        Ok(_) => A_CALL.to_owned(),
        Err(error) => {
            let mut text = format!("{:?}", error.kind());
            if let Some(path) = error.json_path() {
                let _ = write!(text, " at {}", fields(path));
            }
            if let Some(detail) = error.detail() {
                let _ = write!(text, ": {detail}");
            }
            if text.chars().count() > MAX_RESULT {
                text = text.chars().take(MAX_RESULT).chain(['…']).collect();
            }
            text
        }
    }
}

/// Returns a path with the names of fields, which stay when the document renames a property.
fn fields(path: &str) -> String {
    let all = || Call::PROPERTIES.iter().chain(Contact::PROPERTIES);
    let names = path.split('.').map(|name| {
        let mut named = all().filter(|(_, property)| *property == name);
        named.next().map_or(name, |(field, _)| field)
    });
    names.collect::<Vec<_>>().join(".")
}

/// The maximum length of a result in the table, in characters.
const MAX_RESULT: usize = 60;

/// Asserts that an error is printed on one line and never contains the token.
fn assert_printable(error: &Error) {
    let line = error.to_string();
    assert!(!line.chars().any(char::is_control), "{line:?}");
    assert!(line.starts_with(char::is_uppercase) || line.starts_with(char::is_lowercase));
    let words = all_text(error);
    assert!(!words.contains(SECRET), "{words}");
}

#[tokio::test]
async fn bodies_are_handled_as_documented() {
    let mut page = String::from(PREFACE);
    let mut failures = String::new();
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
                    assert_printable(&error);
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
            let actual = format!(
                "| {} | `{}` | {} | {waits} | {} |",
                row.body,
                summary(&result).replace('|', "\\|"),
                attempts.join(", "),
                server.connections(),
            );
            let bytes = attempt_log.attempts().last().unwrap().body_bytes;
            assert_eq!(bytes, row.bytes as u64, "{}", row.body);
            let expected_waits: Vec<_> = row.waits.iter().map(u64::to_string).collect();
            let expected = format!(
                "| {} | `{}` | {} | {} | 1 |",
                row.body,
                row.result,
                row.attempts,
                if row.waits.is_empty() {
                    "none".to_owned()
                } else {
                    expected_waits.join(", ")
                },
            );
            if actual != expected {
                let _ = writeln!(failures, "  actual: {actual}\nexpected: {expected}");
            }
            assert_eq!(server.requests().len(), attempts.len());
            assert!(
                server
                    .requests()
                    .iter()
                    .all(|request| request.contains(SECRET))
            );
            assert_eq!(other.connections(), 0);
            let _ = writeln!(page, "{expected}");
        }
    }
    assert!(failures.is_empty(), "\n{failures}");

    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    let path = std::path::Path::new(&package).join("docs/faults.md");
    let written = std::fs::read_to_string(&path).unwrap();
    let ours = written
        .find(&page[..page[1..].find('\n').unwrap() + 2])
        .unwrap_or(written.len());
    let (others, ours) = written.split_at(ours);
    let (ours, nginx) = ours.split_at(ours.find(NGINX).unwrap_or(ours.len()));
    if std::env::var_os("UPDATE_FAULTS").is_some() {
        std::fs::write(path, format!("{others}{page}{nginx}")).unwrap();
        return;
    }
    assert!(
        ours == page,
        "docs/faults.md is stale; run UPDATE_FAULTS=1 cargo test --workspace --test faults"
    );
}

/// The beginning of the part of `tests/nginx.rs`.
const NGINX: &str = "\n## Behind nginx\n";

#[tokio::test]
async fn property_of_the_wrong_type_is_an_error_at_its_path() {
    let example: serde_json::Value = serde_json::from_str(&EXAMPLE).unwrap();
    let contact = Call::name_in_json("contact");
    let outer = Call::PROPERTIES.iter().map(|(_, name)| (name, None));
    let inner = Contact::PROPERTIES
        .iter()
        .map(|(_, name)| (name, Some(contact)));
    let mut tried = 0;
    for (name, inside) in outer.chain(inner) {
        let mut changed = example.clone();
        let holder = match inside {
            Some(contact) => &mut changed[contact],
            None => &mut changed,
        };
        let Some(value) = holder.get_mut(name) else {
            continue;
        };
        *value = match value {
            serde_json::Value::String(_) => 7.into(),
            serde_json::Value::Number(_) | serde_json::Value::Object(_) => "7".into(),
            // Properties that a later document adds.
            _ => continue,
        };
        tried += 1;
        let path = inside.map_or((*name).to_owned(), |inside| format!("{inside}.{name}"));
        let clock = TestClock::default();
        let body = response(200, "", changed.to_string());
        let server = Server::start(&clock, vec![send(&body)]).await;
        let client = Client::new(builder(&server.url(), &clock).build().unwrap());
        let error = client.get_call(Sandbox::EXAMPLE_ID).await.unwrap_err();
        assert_eq!(error.kind(), call_api::ErrorKind::Decode, "{path}");
        assert_eq!(error.json_path(), Some(&*path));
    }
    assert!(tried >= 16, "{tried}");
}

const PREFACE: &str = "
## Response bodies
Each row is the body of a response to `Client::get_call`, sent over a socket. The result is a call, or the `ErrorKind` of an
error with its JSON path and the beginning of its detail. Retries follow the tables above.
";

const HEADER: &str = "
| body | result | attempts | waits (ms) | connections |
|---|---|---|---|---|
";
