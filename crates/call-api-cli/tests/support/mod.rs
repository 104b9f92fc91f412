//! Runs the program against the sandbox.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test uses some of these; tests may panic"
)]

pub(crate) mod archive;
pub(crate) mod tls;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use call_api::chrono::{DateTime, Utc};
use call_api::{Call, CallStatus, CallType, Uuid};
use call_api_sandbox::{Clock, Fault, Faults, Sandbox, Script};
use regex::Regex;
use serde_json::Value;
use snapbox::{Assert, IntoData, Redactions};

/// A time zone that needs no time zone data: an hour ahead of UTC.
pub(crate) const ZONE: &str = "CET-1";

pub(crate) const EXAMPLE: &str = "3c90c3cc-0d44-4b50-8888-8dd25736052a";

/// Returns an ended call with control characters in a text.
pub(crate) fn ended() -> Call {
    let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let mut call = Sandbox::example_call();
    call.id = id(1).parse().unwrap();
    call.agent_id = None;
    call.status = CallStatus::Completed;
    call.type_ = CallType::Outbound;
    call.contact.id = Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_000c);
    call.contact.created_date = time("2026-01-01T00:00:00Z");
    call.contact.identifier = "+34600123456".to_owned();
    call.phone_id = None;
    call.created_date = time("2026-01-02T03:04:05Z");
    call.recording_url = None;
    call.start_time = Some(time("2026-01-02T03:04:06Z"));
    call.end_time = Some(time("2026-01-02T04:04:07Z"));
    call.duration = Some(3601);
    call.end_reason = Some("hung up \u{1b}[31m".to_owned());
    call
}

/// Returns that call with another id.
pub(crate) fn ended_as(number: u32) -> Call {
    let mut call = ended();
    call.id = id(number).parse().unwrap();
    call
}

/// Returns the id of that call or of a similar one.
pub(crate) fn id(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// Returns the value of a property in JSON, by the name of its field.
pub(crate) fn property<'a>(call: &'a Value, field: &str) -> &'a Value {
    &call[Call::name_in_json(field)]
}

/// Starts a sandbox with fixed calls: 1 has ended, 2 has a status that the document does not list, and 3 is not a valid
/// call.
pub(crate) async fn sandbox() -> Sandbox {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.put(ended());
    let mut unknown = ended_as(2);
    unknown.status = "on_hold".into();
    sandbox.put(unknown);
    let mut invalid = serde_json::to_value(ended_as(3)).unwrap();
    invalid[Call::name_in_json("duration")] = "long".into();
    sandbox.put_json(&invalid.to_string()).unwrap();
    sandbox
}

/// Starts a sandbox with a manual clock in which the example call is dialed, completed and recorded.
pub(crate) async fn scripted_sandbox() -> Sandbox {
    let sandbox = Sandbox::builder()
        .clock(Clock::manual())
        .run(Sandbox::example_call(), Script::completed())
        .start();
    sandbox.await.unwrap()
}

/// Delays each response.
pub(crate) fn slow(sandbox: &Sandbox, milliseconds: u64) {
    let by = Duration::from_millis(milliseconds);
    let faults = Faults::seeded(1).rule(Fault::Latency { by });
    sandbox.set_faults(faults).unwrap();
}

/// Starts a sandbox with a number of calls. Returns their ids.
pub(crate) async fn sandbox_with(calls: u32) -> (Sandbox, Vec<String>) {
    let sandbox = Sandbox::start().await.unwrap();
    let ids: Vec<_> = (1..=calls).map(id).collect();
    for number in 1..=calls {
        sandbox.put(ended_as(number));
    }
    (sandbox, ids)
}

pub(crate) fn program_path() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_call-api"))
}

/// Returns the program with an empty environment and a home without configuration.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(program_path());
    command
        .args(arguments)
        .env_clear()
        .env("HOME", folder("no-home"))
        .env("TZ", ZONE)
        .stdin(Stdio::null());
    command
}

/// Returns the program, configured to use the sandbox.
pub(crate) fn program_for(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = program(arguments);
    command
        .env("CALL_API_BASE_URL", sandbox.base_url())
        .env("CALL_API_TOKEN", Sandbox::DEFAULT_TOKEN);
    command
}

/// Returns a scratch folder below the target directory.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("call-api-cli")
        .join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Returns an empty scratch folder.
pub(crate) fn empty_folder(name: &str) -> PathBuf {
    let _ = std::fs::remove_dir_all(folder(name));
    folder(name)
}

/// The input and output of a `sync`, in a folder of their own.
pub(crate) struct Files {
    pub(crate) ids: PathBuf,
    pub(crate) out: PathBuf,
}

impl Files {
    pub(crate) fn new(name: &str, ids: &[String], out: &str) -> Self {
        let folder = empty_folder(name);
        let files = Self {
            ids: folder.join("ids.txt"),
            out: folder.join(out),
        };
        std::fs::write(&files.ids, ids.join("\n")).unwrap();
        files
    }

    pub(crate) fn sync(&self, sandbox: &Sandbox, arguments: &[&str]) -> Command {
        let (ids, out) = (self.ids.to_str().unwrap(), self.out.to_str().unwrap());
        program_for(
            sandbox,
            &[&["sync", "--ids", ids, "--out", out], arguments].concat(),
        )
    }
}

/// Sends a signal: Ctrl-C (`-INT`) or the one that stops services (`-TERM`).
pub(crate) fn signal(child: &Child, signal: &str) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args([signal, &id]).status().unwrap();
    assert!(sent.success());
}

/// Replaces what differs between runs.
pub(crate) fn redactions() -> Redactions {
    let mut redactions = Redactions::new();
    let regex = |text| Regex::new(text).unwrap();
    redactions
        .insert("[TIME]", regex(r"(?<redacted>[0-9.]+) m?s\b"))
        .unwrap();
    redactions
        .insert("[SECONDS]", regex(r#"seconds"?[:=](?<redacted>[0-9.]+)"#))
        .unwrap();
    // Timestamps vary in length.
    redactions
        .insert("[COUNT]", regex(r"(?<redacted>\d+) bytes"))
        .unwrap();
    redactions
        .insert("[HOST]", regex(r"(?<redacted>127\.0\.0\.1:[0-9]{4,5})"))
        .unwrap();
    redactions
        .insert("[HOME]", folder("").display().to_string())
        .unwrap();
    redactions
}

/// Compares a text with an inline snapshot; `SNAPSHOTS=overwrite` updates it.
#[track_caller]
pub(crate) fn assert_shown(text: impl IntoData, expected: impl IntoData) {
    Assert::new()
        .action_env("SNAPSHOTS")
        .redact_with(redactions())
        .eq(text, expected);
}

/// Returns exit code and output of a command, as in `tests/cmd`.
pub(crate) fn run(command: &mut Command) -> String {
    shown(&command.output().unwrap())
}

pub(crate) fn shown(output: &Output) -> String {
    let code = match output.status.code() {
        Some(0) => String::new(),
        Some(code) => format!("? {code}\n"),
        None => format!("? {}\n", output.status),
    };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    code + &text(&output.stderr) + &text(&output.stdout)
}
