//! `codegen.toml` beside the document: what a project decides about its code, and no document says.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;

use crate::problem::{Place, Problem};

/// The file's name.
pub const FILE: &str = "codegen.toml";

/// What it says; without the file, nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The file, as messages name it.
    pub path: String,
    /// The properties that `{:?}` hides, by schema.
    pub sensitive: BTreeMap<String, Vec<String>>,
}

/// Reads the settings beside the document `spec`, which messages call `shown`.
///
/// # Errors
/// A file that can't be read, and one that says something else than [`Settings`] has.
pub fn load(spec: &Path, shown: &Path) -> Result<Settings, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default)]
        sensitive: BTreeMap<String, Vec<String>>,
    }
    let path = shown.with_file_name(FILE).display().to_string();
    let path = path.replace('\\', "/");
    let problem = |place, cause, remedy: &str| Problem {
        file: path.clone(),
        place,
        cause,
        remedy: remedy.to_owned(),
    };
    let text = match fs::read_to_string(spec.with_file_name(FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Settings::default()),
        Err(error) => {
            let cause = format!("cannot read the settings: {error}");
            return Err(problem(
                Place::File,
                cause,
                "mend the file, or take it away",
            ));
        }
    };
    match toml_edit::de::from_str(&text) {
        Ok(File { sensitive }) => Ok(Settings { path, sensitive }),
        Err(error) => {
            let place = error.span().map_or(Place::File, |span| {
                let before = &text[..span.start];
                Place::Position {
                    line: before.matches('\n').count() + 1,
                    column: before.chars().rev().take_while(|c| *c != '\n').count() + 1,
                }
            });
            let cause = format!("the settings can't be read: {}", error.message());
            Err(problem(
                place,
                cause.trim().to_owned(),
                "write it as in `[sensitive]`, then `Schema = [\"property\"]`",
            ))
        }
    }
}
