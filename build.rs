//! Warns if the generated code does not belong to `spec/openapi.json` and the files that it refers to.
//!
//! Outside of this project there is no document, and nothing is checked.

use std::path::PathBuf;

/// Turns the warning into an error, as CI does.
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
                    "cargo::{level}={source} has changed since {path} was generated, or {path} is missing; run: cargo xtask codegen"
                );
            }
        }
    }
}

/// Returns the source files named in the header of a generated file, each with its SHA-256: the document, and each file
/// that it refers to. `call_api_codegen::plan` writes the header.
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
