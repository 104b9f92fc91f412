//! One question: does the generated code still belong to `spec/openapi.json`, and to the files that it refers to?
//!
//! It is asked inside this project only; where the crate is used from elsewhere, the document isn't there, and nothing
//! is said.

use std::path::PathBuf;

/// With this variable set, as in CI, code that doesn't belong to the document fails the build.
const DENY: &str = "CALL_API_DENY_DRIFT";

const DOCUMENT: &str = "spec/openapi.json";

const GENERATED: [&str; 3] = [
    "crates/call-api-types/src/generated.rs",
    "crates/call-api-client/src/generated.rs",
    "crates/call-api-mock/src/generated.rs",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={DENY}");
    // Read at run time: a target directory may be shared with another checkout.
    let root = std::env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    if !root.join(DOCUMENT).is_file() {
        return;
    }
    for path in [DOCUMENT].iter().chain(&GENERATED) {
        println!("cargo::rerun-if-changed={path}");
    }
    let level = if std::env::var_os(DENY).is_some() {
        "error"
    } else {
        "warning"
    };
    for path in GENERATED {
        let text = std::fs::read_to_string(root.join(path)).unwrap_or_default();
        let mut sources = sources(&text);
        if !sources.iter().any(|(source, _)| *source == DOCUMENT) {
            sources.push((DOCUMENT, ""));
        }
        for (source, hash) in sources {
            println!("cargo::rerun-if-changed={source}");
            if std::fs::read(root.join(source)).map_or(true, |bytes| sha256(&bytes) != hash) {
                println!(
                    "cargo::{level}={source} has changed since {path} was generated, or that file is missing; to mend it, run: cargo xtask codegen"
                );
            }
        }
    }
}

/// The files that a generated one was made of, each with its hash: its header has a line for the document, and one for
/// each file that the document refers to; see `call_api_codegen::plan`.
fn sources(text: &str) -> Vec<(&str, &str)> {
    let header = text.lines().take_while(|line| line.starts_with("//"));
    header
        .filter_map(|line| {
            let source = line.strip_prefix("// Source: ")?.strip_suffix(')')?;
            source.rsplit_once(" (SHA-256 ")
        })
        .collect()
}

fn sha256(bytes: &[u8]) -> String {
    hmac_sha256::Hash::hash(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
