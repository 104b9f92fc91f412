//! The places in hand-written code where somebody must decide what a new document means: functions that tell the values of
//! an enum apart, if the enum has new values, and paths that changed. Until then, these functions treat a new value like one
//! that the document does not list.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::diff::change::Comparison;
use crate::layout::TYPES;
use crate::plan::MARK;

/// An enum with new values, and the functions that tell its values apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decision {
    /// The enum.
    name: String,
    /// The variants that are new.
    new: Vec<String>,
    places: Vec<Place>,
}

#[derive(Debug, PartialEq, Eq)]
struct Place {
    file: PathBuf,
    line: usize,
    function: String,
    /// The variants that the function names.
    variants: Vec<String>,
}

/// Compares the generated types of two projects, and finds the places in the hand-written code of the first. Enums that no
/// hand-written code distinguishes are left out.
pub(super) fn find(old: &Path, new: &Path) -> io::Result<Vec<Decision>> {
    let before = enums(&read_types(old)?);
    let sources = hand_written(old)?;
    let mut decisions = Vec::new();
    for (name, variants) in enums(&read_types(new)?) {
        let Some(known) = before.get(&name) else {
            continue;
        };
        let is_new = |variant: &String| !known.contains(variant);
        let new: Vec<String> = variants.into_iter().filter(is_new).collect();
        if new.is_empty() {
            continue;
        }
        let places: Vec<Place> = sources
            .iter()
            .flat_map(|(file, text)| places(file, text, &name, known))
            .collect();
        if !places.is_empty() {
            decisions.push(Decision { name, new, places });
        }
    }
    Ok(decisions)
}

/// Prints the decisions, each with file and line.
pub(super) fn report(out: &mut dyn Write, decisions: &[Decision]) -> io::Result<()> {
    for Decision { name, new, places } in decisions {
        let new: Vec<String> = new.iter().map(|new| format!("`{name}::{new}`")).collect();
        writeln!(
            out,
            "decide what {} means; these tell values of `{name}` apart, and treat it like an unknown one:",
            new.join(" and ")
        )?;
        for place in places {
            let file = place.file.to_string_lossy().replace('\\', "/");
            let Place { line, function, .. } = place;
            let variants = place.variants.join(", ");
            writeln!(out, "    {file}:{line}: `{function}` names {variants}")?;
        }
    }
    Ok(())
}

/// Returns the places where hand-written code names a path that the document changed, each as a line with file and line.
pub(super) fn old_paths(root: &Path, comparison: &Comparison) -> io::Result<Vec<String>> {
    let changed = comparison
        .changes
        .iter()
        .filter(|change| change.kind == "path-changed");
    let paths: BTreeSet<String> = changed
        .filter_map(|change| change.old.as_ref()?.tokens().nth(1))
        .map(|path| {
            path.split('{')
                .next()
                .unwrap_or_default()
                .trim_end_matches('/')
                .to_owned()
        })
        .filter(|path| !path.is_empty())
        .collect();
    let mut lines = Vec::new();
    for (file, text) in hand_written(root)? {
        for (line, number) in code_lines(&text) {
            if paths.iter().any(|path| mentions(line, path)) {
                let file = file.to_string_lossy().replace('\\', "/");
                lines.push(format!("{file}:{number}: {}", line.trim()));
            }
        }
    }
    Ok(lines)
}

fn read_types(root: &Path) -> io::Result<String> {
    super::read_if_exists(&root.join(TYPES))?.map_or(Ok(String::new()), |bytes| {
        String::from_utf8(bytes).map_err(io::Error::other)
    })
}

/// Returns the variants of each public enum of generated code; of an enum of values, without the one for any other value.
fn enums(text: &str) -> BTreeMap<String, Vec<String>> {
    // Generated types parse, else they would not compile.
    let items = syn::parse_file(text).map_or_else(|_| Vec::new(), |file| file.items);
    let enums = items.into_iter().filter_map(|item| match item {
        syn::Item::Enum(item) => Some(item),
        _ => None,
    });
    enums
        .map(|item| {
            let is_value = |variant: &syn::Variant| variant.fields.is_empty();
            // The variants of a union have data, as has that for any other value.
            let is_union = !item.variants.iter().any(is_value);
            let listed = item
                .variants
                .iter()
                .filter(|variant| is_union || is_value(variant));
            let names = listed.map(|variant| variant.ident.to_string());
            (item.ident.to_string(), names.collect())
        })
        .collect()
}

/// Returns the hand-written sources of the crates, without their tests.
fn hand_written(root: &Path) -> io::Result<BTreeMap<PathBuf, String>> {
    let mut sources = BTreeMap::new();
    let mut folders: Vec<PathBuf> = ["src", "crates", "examples"]
        .map(|name| root.join(name))
        .into();
    while let Some(folder) = folders.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            if path.is_dir() {
                if !["tests", "benches", "target", "codegen", "prove"]
                    .iter()
                    .any(|skipped| name == *skipped)
                {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path)?;
                if let (false, Ok(path)) = (text.starts_with(MARK), path.strip_prefix(root)) {
                    sources.insert(path.to_owned(), text);
                }
            }
        }
    }
    Ok(sources)
}

/// Returns the functions of a file that tell the values of an enum apart.
fn places(file: &Path, text: &str, name: &str, variants: &[String]) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    let (mut function, mut is_own) = ("", false);
    for (line, number) in code_lines(text) {
        let code = line.trim_start();
        if line.starts_with("impl") {
            let words = line.trim_end_matches([' ', '{']).rsplit(' ');
            is_own = words.take(1).any(|last| last == name);
        }
        if let Some((_, rest)) = code.split_once("fn ") {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            function = &rest[..end.unwrap_or(rest.len())];
        }
        let tells_apart = ["=>", "==", "!=", " | ", "| ", "matches!"];
        if !tells_apart.iter().any(|sign| code.contains(sign)) {
            continue;
        }
        for variant in variants.iter().filter(|variant| {
            mentions(code, &format!("{name}::{variant}"))
                || (is_own && mentions(code, &format!("Self::{variant}")))
        }) {
            match places.last_mut().filter(|last| last.function == function) {
                Some(last) if last.variants.contains(variant) => {}
                Some(last) => last.variants.push(variant.clone()),
                None => places.push(Place {
                    file: file.to_owned(),
                    line: number,
                    function: function.to_owned(),
                    variants: vec![variant.clone()],
                }),
            }
        }
    }
    places
}

/// Returns the lines of a file before its tests, without comments, each with its number.
fn code_lines(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let lines = text.lines().zip(1..);
    lines
        .take_while(|(line, _)| *line != "#[cfg(test)]")
        .filter(|(line, _)| !line.trim_start().starts_with("//"))
}

/// Returns true if `code` has `path`, followed by no further letter.
fn mentions(code: &str, path: &str) -> bool {
    let mut ends = code.match_indices(path).map(|(at, _)| at + path.len());
    ends.any(|end| !code[end..].starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "\
impl Status {
    /// Returns true after `Status::Done == self`.
    pub fn is_done(&self) -> bool {
        matches!(
            self,
            Self::Done | Self::Failed
        )
    }

    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }
}

fn color(status: &Status) -> Color {
    match status {
        Status::Done => GREEN,
        _ => PLAIN,
    }
}

fn make() -> Status {
    Status::DoneLater.or(Status::Done)
}

#[cfg(test)]
mod tests {
    fn test() {
        assert!(status == Status::Done);
    }
}
";

    #[test]
    fn functions_that_tell_values_apart_are_listed_with_their_line() {
        let root = tempfile::tempdir().unwrap();
        let [old, new] = ["old", "new"].map(|name| root.path().join(name));
        let write = |root: &Path, path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            &old,
            TYPES,
            "pub enum Status { Open, Done, Failed, Unknown(String) }\npub enum Kind { A }",
        );
        write(
            &new,
            TYPES,
            "pub enum Status { Open, Done, Failed, Voicemail, Unknown(String) }\npub enum Kind { A, B }",
        );
        write(&old, "src/status.rs", STATUS);
        write(&old, "src/tests/more.rs", "fn f() { Status::Done == x }");
        write(
            &old,
            "src/made.rs",
            &format!("{MARK}\nfn f() {{ Status::Done == x }}"),
        );
        let mut shown = Vec::new();
        report(&mut shown, &find(&old, &new).unwrap()).unwrap();
        assert_eq!(
            String::from_utf8(shown).unwrap(),
            "decide what `Status::Voicemail` means; these tell values of `Status` apart, and treat it like an unknown one:\n    \
             src/status.rs:6: `is_done` names Done, Failed\n    \
             src/status.rs:17: `color` names Done\n"
        );
        assert_eq!(find(&old, &old).unwrap(), []);
    }

    #[test]
    fn changed_path_is_found_in_code() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("src")).unwrap();
        let text = "// GET /v1/call/{id}\nfn get() -> &str { \"/v1/call/\" }\nconst LIST: &str = \"/v1/calls\";\n";
        fs::write(root.path().join("src/lib.rs"), text).unwrap();
        let document = |path: &str| {
            let get = serde_json::json!({"operationId": "get_call", "responses": {}});
            serde_json::json!({"openapi": "3.1.0", "paths": {path: {"get": get}}})
        };
        let compared = |to| crate::diff::compare(&document("/v1/call/{id}"), &document(to));
        let found = |to| old_paths(root.path(), &compared(to)).unwrap();
        assert_eq!(
            found("/v2/calls/{id}"),
            ["src/lib.rs:2: fn get() -> &str { \"/v1/call/\" }"]
        );
        assert_eq!(found("/v1/call/{call_id}"), [""; 0]);
    }
}
