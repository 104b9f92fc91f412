//! The program, run as a user runs it, and services for it.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test uses its part, and a test may"
)]

use std::path::{Path, PathBuf};

use call_api_sandbox::Sandbox;
use snapbox::cmd::Command;

/// A time zone that needs no data on the machine: an hour ahead of UTC.
pub(crate) const ZONE: &str = "CET-1";

/// A call that ended, with what a service may send that no terminal should see.
pub(crate) const ENDED: &str = r#"{
    "id": "00000000-0000-4000-8000-000000000001",
    "agent_id": null,
    "status": "completed",
    "type": "outbound",
    "contact": {
        "id": "00000000-0000-4000-8000-00000000000c",
        "created_date": "2026-01-01T00:00:00Z",
        "identifier": "+34600123456",
        "contact_type": "call"
    },
    "phone_id": null,
    "created_date": "2026-01-02T03:04:05Z",
    "recording_url": null,
    "start_time": "2026-01-02T03:04:06Z",
    "end_time": "2026-01-02T04:04:07Z",
    "duration": 3601,
    "end_reason": "hung up \u001b[31m"
}"#;

/// A sandbox with calls whose answers are the same in each run.
pub(crate) async fn sandbox() -> Sandbox {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.put_json(ENDED).unwrap();
    sandbox
        .put_json(
            &ENDED
                .replace("000000000001", "000000000002")
                .replace("completed", "on_hold"),
        )
        .unwrap();
    sandbox
        .put_json(
            &ENDED
                .replace("000000000001", "000000000003")
                .replace("3601", "\"long\""),
        )
        .unwrap();
    sandbox
}

pub(crate) fn program_path() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_call-api"))
}

/// The program with nothing in its environment but where it finds no configuration.
pub(crate) fn program() -> Command {
    Command::new(program_path())
        .env_clear()
        .env("HOME", empty_folder("home"))
        .env("TZ", ZONE)
}

/// The program, set up to ask that service.
pub(crate) fn asking(base_url: &str) -> Command {
    program()
        .env("CALL_API_BASE_URL", base_url)
        .env("CALL_API_TOKEN", Sandbox::DEFAULT_TOKEN)
}

/// A folder of the test's own below the target directory, empty.
pub(crate) fn empty_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("call-api-cli")
        .join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
