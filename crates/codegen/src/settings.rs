//! `codegen.toml` beside the document: decisions about the generated code that the document cannot express.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;

use crate::problem::{Location, Problem};

/// The name of the file.
pub const FILE: &str = "codegen.toml";

/// The content of the file. Empty without a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The path of the file, as messages show it.
    pub path: String,
    /// The properties that `Debug` masks, by schema.
    pub sensitive: BTreeMap<String, Vec<String>>,
}

/// Reads the settings beside the document `spec`, which messages show as `shown`.
///
/// # Errors
/// Errors if the file cannot be read, or has a key that [`Settings`] doesn't.
pub fn load(spec: &Path, shown: &Path) -> Result<Settings, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default)]
        sensitive: BTreeMap<String, Vec<String>>,
    }
    let path = shown.with_file_name(FILE).display().to_string();
    let path = path.replace('\\', "/");
    let problem = |location, cause, remedy: &str| Problem {
        file: path.clone(),
        location,
        cause,
        remedy: remedy.to_owned(),
    };
    let text = match fs::read_to_string(spec.with_file_name(FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Settings::default()),
        Err(error) => {
            let cause = format!("cannot read the settings: {error}");
            return Err(problem(
                Location::File,
                cause,
                "fix its permissions, or delete it",
            ));
        }
    };
    match toml_edit::de::from_str(&text) {
        Ok(File { sensitive }) => Ok(Settings { path, sensitive }),
        Err(error) => {
            let location = error.span().map_or(Location::File, |span| {
                let before = &text[..span.start];
                Location::Position {
                    line: before.matches('\n').count() + 1,
                    column: before.chars().rev().take_while(|c| *c != '\n').count() + 1,
                }
            });
            let cause = format!("cannot read the settings: {}", error.message());
            Err(problem(
                location,
                cause.trim().to_owned(),
                "the file has one table, `[sensitive]`, with entries such as `Schema = [\"property\"]`",
            ))
        }
    }
}
