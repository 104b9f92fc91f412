//! `codegen.toml` beside the document: decisions about the generated code that the document cannot express.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;

use crate::leave_out::LeftOut;
use crate::lists::{ListEntry, ListSetting};
use crate::pins::Pins;
use crate::problem::{Location, Problem, Problems};

/// The name of the file.
pub const FILE: &str = "codegen.toml";

/// The content of the file. Empty without a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The path of the file, as messages show it.
    pub path: String,
    /// The properties that `Debug` masks, by schema. The file has their public names, this map the document's.
    pub sensitive: BTreeMap<String, Vec<String>>,
    /// The public names that stay.
    pub names: Pins,
    /// The operations that the SDK does not have.
    pub left_out: LeftOut,
    /// True if webhooks are verified as Standard Webhooks specifies; `None` to follow the document.
    pub verifies_webhooks: Option<bool>,
    /// The paging of lists, by operation. `None` if the operation is to have no pages.
    pub lists: BTreeMap<String, Option<ListSetting>>,
    /// Files of the project that hold a part of the document: paths below the root, with JSON pointers.
    pub copies: BTreeMap<String, String>,
    /// Files of the project that hold an example: paths below the root, with public names of schemas.
    pub examples: BTreeMap<String, String>,
    /// Files of the project that hold the [description](crate::description) of the operations.
    pub operations: Vec<String>,
}

impl Settings {
    /// Returns the problems of pins that were not applied.
    pub(crate) fn unused_pins(&self, pins: &Pins) -> Problems {
        let problems = pins.iter().map(|pin| {
            let kind = pin.kind.word();
            Problem::of_file(
                &self.path,
                format!(
                    "cannot pin the {kind} `{}` to `{}`: the document has no such {kind}, or another one has that name",
                    pin.document_path(),
                    pin.public
                ),
                format!(
                    "correct or delete the entry of `[names.{}]`",
                    pin.kind.table()
                ),
            )
        });
        Problems(problems.collect())
    }
}

/// The tables of the file, for the message about any other.
const REMEDY: &str = "the file has the tables `[sensitive]`, with entries such as `Schema = [\"property\"]`, `[copies]`, with \
    entries such as `\"path/of/file.json\" = \"/components\"`, `[examples]`, with entries such as \
    `\"path/of/file.json\" = \"Schema\"`, `[descriptions]`, with the entry `operations = [\"path/of/file.json\"]`, \
    `[operations]`, with entries such as `without_tags = [\"internal\"]`, `[paging]`, with entries such as \
    `operation = false`, `[webhooks]`, with the entry `verification = \"standard\"`, and `[names.schemas]`, \
    `[names.operations]`, `[names.properties.Schema]`, `[names.values.Schema]` and `[names.parameters.operation]`, with \
    entries such as `document_name = \"public_name\"`";

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    sensitive: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    names: Pins,
    #[serde(default)]
    operations: LeftOut,
    #[serde(default)]
    webhooks: WebhookSettings,
    #[serde(default)]
    paging: BTreeMap<String, ListEntry>,
    #[serde(default)]
    copies: BTreeMap<String, String>,
    #[serde(default)]
    examples: BTreeMap<String, String>,
    #[serde(default)]
    descriptions: Descriptions,
}
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Descriptions {
    #[serde(default)]
    operations: Vec<String>,
}
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookSettings {
    verification: Option<Verification>,
}
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verification {
    Standard,
    None,
}
impl File {
    /// Returns the settings of the file at `path`.
    fn settings(mut self, path: String) -> Settings {
        for (schema, properties) in &mut self.sensitive {
            for property in properties {
                *property = self.names.property_in_document(schema, property).to_owned();
            }
        }
        let verification = self.webhooks.verification;
        let lists = self.paging.into_iter();
        Settings {
            path,
            sensitive: self.sensitive,
            names: self.names,
            left_out: self.operations,
            verifies_webhooks: verification
                .map(|verification| matches!(verification, Verification::Standard)),
            lists: lists
                .map(|(operation, ListEntry(setting))| (operation, setting))
                .collect(),
            copies: self.copies,
            examples: self.examples,
            operations: self.descriptions.operations,
        }
    }
}

/// Reads the settings beside the document `spec`, which messages show as `shown`.
///
/// # Errors
/// Errors if the file cannot be read, or has a key that [`Settings`] doesn't.
pub fn load(spec: &Path, shown: &Path) -> Result<Settings, Problem> {
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
    match toml_edit::de::from_str::<File>(&text) {
        Ok(file) => Ok(file.settings(path)),
        Err(error) => {
            let location = error
                .span()
                .map_or(Location::File, |span| position(&text, span.start));
            let cause = format!("cannot read the settings: {}", error.message());
            Err(problem(location, cause.trim().to_owned(), REMEDY))
        }
    }
}

/// Returns the line and the column of an offset in bytes.
fn position(text: &str, offset: usize) -> Location {
    let before = &text[..offset];
    Location::Position {
        line: before.matches('\n').count() + 1,
        column: before.chars().rev().take_while(|c| *c != '\n').count() + 1,
    }
}
