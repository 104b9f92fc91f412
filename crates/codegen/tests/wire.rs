//! Requests and responses of generated operations: the client of a small document is generated, compiled and run. Requests
//! are read from the socket; responses come from the generated mocks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

mod common;

use std::path::Path;

use call_api_codegen::{Options, Outcome};

const REQUESTS: &str = include_str!("wire/requests.rs");
const VALUES: &str = include_str!("wire/values.rs");
const RESPONSES: &str = include_str!("wire/responses.rs");

const MANIFEST: &str = r#"
[package]
name = "wire-requests"
version = "0.0.0"
edition = "2024"
publish = false

[dependencies]
call-api-client.workspace = true
call-api-mock.workspace = true
call-api-transport.workspace = true
call-api-types.workspace = true
chrono.workspace = true
serde_json.workspace = true
futures-util = { version = "0.3", default-features = false }
tokio = { workspace = true, features = ["macros", "rt"] }
uuid.workspace = true
"#;

#[test]
fn operations_send_and_decode_as_documented() {
    // Kept between runs, so that only changes are compiled again.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wire");
    let (sdk, target) = (folder.join("sdk"), folder.join("target"));
    let (outcome, report) = common::run(&Options {
        spec: Some(common::root().join("crates/codegen/tests/documents/wire.yaml")),
        out: Some(sdk.clone()),
        name: Some("call-api".to_owned()),
        verbose: true,
        ..Options::new(common::root())
    });
    assert_eq!(outcome, Outcome::Fresh, "{report}");
    let mut unsupported: String = report
        .lines()
        .skip_while(|line| !line.contains("unsupported:"))
        .take_while(|line| line.starts_with("    "))
        .map(|line| format!("{}\n", line.trim_start()))
        .collect();
    unsupported.truncate(unsupported.trim_end().len());
    insta::assert_snapshot!("unsupported", unsupported);

    let program = sdk.join("crates/wire-requests");
    common::write(&program.join("Cargo.toml"), MANIFEST);
    common::write(&program.join("src/main.rs"), REQUESTS);
    common::write(&program.join("src/values.rs"), VALUES);
    common::write(&program.join("src/responses.rs"), RESPONSES);
    let run = ["run", "--quiet", "--package", "wire-requests"];
    let printed = common::cargo(&sdk, &target, &run);
    let (requests, responses) = printed.split_once("\nresponses:\n").unwrap();
    insta::assert_snapshot!("requests", requests);
    insta::assert_snapshot!("responses", responses);
}
