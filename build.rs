//! One question: does the generated code still belong to `spec/openapi.json`?
//!
//! It is asked inside this project only; where the crate is used from elsewhere, the document isn't there, and nothing
//! is said.

use std::path::Path;

/// With this variable set, as in CI, code that doesn't belong to the document fails the build.
const DENY: &str = "CALL_API_DENY_DRIFT";

const DOCUMENT: &str = "spec/openapi.json";

const GENERATED: [&str; 2] = [
    "crates/call-api-types/src/generated.rs",
    "crates/call-api-client/src/generated.rs",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={DENY}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(document) = std::fs::read(root.join(DOCUMENT)) else {
        return;
    };
    for path in [DOCUMENT].iter().chain(&GENERATED) {
        println!("cargo::rerun-if-changed={path}");
    }
    let hash: String = hmac_sha256::Hash::hash(&document)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let level = if std::env::var_os(DENY).is_some() {
        "error"
    } else {
        "warning"
    };
    for path in GENERATED {
        let text = std::fs::read_to_string(root.join(path)).unwrap_or_default();
        // The header is the first three lines; see `xtask::codegen::plan`.
        if !text.lines().take(3).any(|line| line.contains(&hash)) {
            println!(
                "cargo::{level}={DOCUMENT} has changed since {path} was generated, or that file is missing; to mend it, run: cargo xtask codegen"
            );
        }
    }
}
