//! The crates of this project, below which generated sources are planned.
//!
//! An SDK of another name has the same crates: [`workspace`](crate::workspace) replaces the name in paths and texts.

use std::path::PathBuf;

/// This project's name, as a literal for constants.
macro_rules! project {
    () => {
        "call-api"
    };
}

/// This project's name, which begins those of its crates. It stands for the name of an SDK in the hand-written sources that
/// are copied, and in the templates of the facade.
pub const PROJECT: &str = project!();

/// The parts of an SDK whose crates are generated.
pub const GENERATED: [&str; 3] = ["types", "client", "mock"];

/// The generated source of the types crate.
pub const TYPES: &str = concat!("crates/", project!(), "-types/src/generated.rs");
/// The schemas that the types crate embeds.
pub const SCHEMAS: &str = concat!("crates/", project!(), "-types/src/schemas.json");
/// The generated source of the client crate.
pub const CLIENT: &str = concat!("crates/", project!(), "-client/src/generated.rs");
/// The responses that the client crate embeds.
pub const RESPONSES: &str = concat!("crates/", project!(), "-client/src/responses.json");
/// The generated source of the mock crate.
pub const MOCK: &str = concat!("crates/", project!(), "-mock/src/generated.rs");

/// Returns the package of a part, such as `types`.
pub fn package(part: &str) -> String {
    format!("{PROJECT}-{part}")
}

/// Returns the folder of a part's crate.
pub fn folder(part: &str) -> String {
    format!("crates/{}", package(part))
}

/// Returns the folders of the generated crates.
pub fn generated_folders() -> Vec<PathBuf> {
    GENERATED.map(|part| folder(part).into()).to_vec()
}
