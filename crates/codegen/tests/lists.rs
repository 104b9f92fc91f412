//! Lists and streams: what is recognized, what `[paging]` sets, and the generated requests against a local server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

mod common;

use std::fs;
use std::path::Path;

use call_api_codegen::write::Mode;
use call_api_codegen::{Choices, Options, Outcome, generate_document, load, settings};

const DOCUMENT: &str = "crates/codegen/tests/documents/kinds/lists.yaml";

const MAIN: &str = include_str!("lists/requests.rs");
const STREAMS: &str = include_str!("lists/streams.rs");
const WEBHOOKS: &str = include_str!("lists/webhooks.rs");

/// The page with the handler that this program compiles.
const PAGE: &str = include_str!("../../../docs/webhooks.md");

const MANIFEST: &str = r#"
[package]
name = "list-requests"
version = "0.0.0"
edition = "2024"
publish = false

[dependencies]
lists-client = { workspace = true, features = ["blocking"] }
lists-mock.workspace = true
lists-transport.workspace = true
lists-types.workspace = true
axum = { version = "0.8", default-features = false, features = ["http1", "tokio"] }
base64.workspace = true
futures-util = { version = "0.3", default-features = false }
hmac-sha256.workspace = true
http.workspace = true
serde.workspace = true
serde_json.workspace = true
tokio = { workspace = true, features = ["io-util", "macros", "net", "rt"] }
uuid.workspace = true
"#;

/// Returns the lines of a report about lists.
fn lists(report: &str) -> String {
    let lines = report.lines().skip_while(|line| !line.contains("lists:"));
    let of_lists = lines
        .enumerate()
        .take_while(|(index, line)| *index == 0 || line.starts_with("        "));
    of_lists
        .map(|(_, line)| format!("{}\n", line.trim_start()))
        .collect()
}

#[test]
fn lists_are_read_to_their_end() {
    // Kept between runs, so that only changes are compiled again. The target is that of `wire.rs`, with the same
    // dependencies: the names of the crates keep the two apart.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (sdk, target) = (folder.join("lists"), folder.join("wire/target"));
    let (outcome, report) = common::run(&Options {
        spec: Some(common::root().join(DOCUMENT)),
        out: Some(sdk.clone()),
        name: Some("lists".to_owned()),
        verbose: true,
        ..Options::new(common::root())
    });
    assert_eq!(outcome, Outcome::Fresh, "{report}");
    insta::assert_snapshot!("recognized", lists(&report));

    let program = sdk.join("crates/list-requests");
    common::write(&program.join("Cargo.toml"), MANIFEST);
    common::write(&program.join("src/main.rs"), MAIN);
    common::write(&program.join("src/streams.rs"), STREAMS);
    common::write(&program.join("src/webhooks.rs"), WEBHOOKS);
    common::write(&program.join("src/receiver.rs"), &handler_of_page());
    let readme = fs::read_to_string(sdk.join("README.md")).unwrap();
    let readme = program_of_readme(&readme);
    common::write(&program.join("src/bin/readme.rs"), &readme);
    let package = ["--quiet", "--package", "list-requests"];
    let run = |command: &[&str]| common::cargo(&sdk, &target, &[command, &package].concat());
    run(&["build"]);
    run(&["run", "--bin", "list-requests"]);
}

/// Returns the handler of `docs/webhooks.md`, as a module.
fn handler_of_page() -> String {
    let (_, handler) = PAGE.split_once("```rust,no_run\n").unwrap();
    let (handler, _) = handler.split_once("```").unwrap();
    let handler = handler.replace("acme::types", "lists_types");
    let handler = handler.replace("acme::", "lists_client::");
    handler.replace("\nfn router", "\npub(crate) fn router")
}

/// Returns the program in the section about lists, which the facade compiles as well, but with all it depends on.
fn program_of_readme(readme: &str) -> String {
    let (_, section) = readme.split_once("\n## Lists\n").unwrap();
    let (_, program) = section.split_once("```rust,no_run\n").unwrap();
    let (program, _) = program.split_once("```").unwrap();
    program.replace("lists::", "lists_client::")
}

#[test]
fn description_of_an_operation_has_its_paging() {
    let path = common::root().join(DOCUMENT);
    let source = load::load(&path, Path::new("lists.yaml"), "lists.yaml").unwrap();
    let generated = generate_document(source, Choices::default()).unwrap();
    let paging = generated.operations.iter().filter_map(|operation| {
        let paging = operation.paging.as_ref()?;
        Some(format!(
            "{} {}\n",
            operation.name,
            serde_json::to_string(paging).unwrap()
        ))
    });
    insta::assert_snapshot!(paging.collect::<String>());
}

/// Generates the document with these settings, and returns the lines about lists, or the problems.
fn with(paging: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join("lists.yaml");
    fs::copy(common::root().join(DOCUMENT), &spec).unwrap();
    fs::write(folder.path().join(settings::FILE), paging).unwrap();
    let (outcome, report) = common::run(&Options {
        spec: Some(spec),
        out: Some(folder.path().join("out")),
        mode: Mode::DryRun,
        verbose: true,
        ..Options::new(common::root())
    });
    match outcome {
        // The help is the same for all, or lists all tables of the file.
        Outcome::Failed => report
            .replace(&folder.path().display().to_string(), "FOLDER")
            .lines()
            .filter(|line| !line.starts_with("  help: "))
            .map(|line| format!("{line}\n"))
            .collect(),
        _ => lists(&report),
    }
}

#[test]
fn settings_replace_what_is_recognized() {
    insta::assert_snapshot!(with(
        r#"
        [paging]
        list_calls = false
        list_rooms = { page = "page", first = 0 }
        list_cursors = { items = "items", last_item = "id", parameter = "after", has_more = "has_more" }
        list_agents = { cursor = "next_page", parameter = "page_token" }
        list_phones = { page = "page[number]", pages = "meta.total_pages" }
        list_events = { items = ".", offset = "offset" }
        list_trunks = { items = "trunks", url = "meta.next_page_url" }
        list_regions = { header = "X-Next" }
        "#
    ));
}

/// Generates a document with these settings, and returns the receiver of its webhooks, or the report.
fn receiver(document: &str, settings: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join("api.yaml");
    fs::copy(common::root().join(document), &spec).unwrap();
    fs::write(folder.path().join(settings::FILE), settings).unwrap();
    let (outcome, report) = common::run(&Options {
        spec: Some(spec),
        out: Some(folder.path().join("out")),
        name: Some("acme".to_owned()),
        ..Options::new(common::root())
    });
    if outcome == Outcome::Failed {
        return report.replace(&folder.path().display().to_string(), "FOLDER");
    }
    let client = folder
        .path()
        .join("out/crates/acme-client/src/generated.rs");
    let client = fs::read_to_string(client).unwrap();
    let mut lines = client.lines();
    let line = lines.find(|line| line.starts_with("pub type WebhookReceiver"));
    line.unwrap_or("none").to_owned()
}

#[test]
fn webhooks_are_verified_as_the_document_or_the_settings_say() {
    let verified = "pub type WebhookReceiver = crate::webhooks::Verified<types::Webhook>;";
    assert_eq!(receiver(DOCUMENT, ""), verified);
    let setting = |word: &str| format!("[webhooks]\nverification = \"{word}\"\n");
    assert_eq!(receiver(DOCUMENT, &setting("standard")), verified);
    assert_eq!(
        receiver(DOCUMENT, &setting("none")),
        verified.replace("Verified", "Unverified")
    );
    let without = "crates/codegen/tests/documents/minimal.json";
    assert_eq!(receiver(without, ""), "none");
    let report = receiver(without, &setting("none"));
    assert!(
        report.contains("cannot verify webhooks: the document has none"),
        "{report}"
    );
    let report = receiver(DOCUMENT, &setting("hmac"));
    assert!(report.contains("codegen.toml:2:16"), "{report}");
}

#[test]
fn operations_that_the_settings_leave_out_are_in_no_crate() {
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join("lists.yaml");
    fs::copy(common::root().join(DOCUMENT), &spec).unwrap();
    let settings =
        "[operations]\nwithout_paths = [\"/calls*\"]\nwithout_ids = [\"listContacts\"]\n";
    fs::write(folder.path().join(settings::FILE), settings).unwrap();
    let out = folder.path().join("out");
    let (outcome, report) = common::run(&Options {
        spec: Some(spec),
        out: Some(out.clone()),
        name: Some("acme".to_owned()),
        verbose: true,
        ..Options::new(common::root())
    });
    assert_eq!(outcome, Outcome::Fresh, "{report}");
    let left_out =
        "/paths/~1contacts/get: the operation: `[operations]` of codegen.toml leaves it out";
    assert!(report.contains(left_out), "{report}");
    let source = |name: &str| {
        let path = out.join(format!("crates/acme-{name}/src/generated.rs"));
        fs::read_to_string(path).unwrap()
    };
    let (client, mock, types) = (source("client"), source("mock"), source("types"));
    for text in [&client, &mock] {
        assert!(text.contains("fn list_agents") && !text.contains("fn list_calls"));
        assert!(!text.contains("fn list_contacts"));
    }
    assert!(!types.contains("pub struct Person ") && !types.contains("pub struct CallPage "));
    // A webhook has it.
    assert!(types.contains("pub struct Call "));
    assert!(!out.join("docs/reference/list_calls.md").exists());
}

#[test]
fn setting_that_fits_nothing_is_an_error_with_its_reason() {
    insta::assert_snapshot!(with(
        r#"
        [paging]
        list_nothing = false
        get_call = { page = "page" }
        list_calls = { cursor = "next", parameter = "after" }
        list_agents = { cursor = "next_page", parameter = "token" }
        list_contacts = { items = "things", page = "page" }
        list_phones = { cursor = "meta.total_pages" }
        list_events = { last_item = "name", parameter = "offset" }
        list_trunks = { url = "meta" }
        list_regions = {}
        list_rooms = { page = "page" }
        list_transcript = { page = "starting_after", offset = "starting_after" }
        read_text = { offset = "page", first = 1 }
        "#
    ));
    insta::assert_snapshot!("wrong_type", with("[paging]\nlist_calls = true\n"));
    insta::assert_snapshot!(
        "unknown_key",
        with("[paging]\nlist_calls = { cursors = \"a\" }\n")
    );
}
