//! The pins, the version, the origin and the changelog: the files besides generated code that a new document changes.

use std::fs;
use std::io;
use std::path::Path;

use toml_edit::{DocumentMut, Item, Table, TomlError, value};

use crate::diff::change::{Change, Class, Comparison};
use crate::diff::semver::Step;
use crate::pins::{Group, Pins};
use crate::problem::Problem;

/// Replaces `[names]` in the settings with `pins`, and keeps everything else.
pub(super) fn write_pins(settings: &Path, pins: &Pins) -> io::Result<()> {
    edit_toml(settings, |document| {
        document.remove("names");
        if pins.is_empty() {
            return;
        }
        let mut names = Table::new();
        names.set_implicit(true);
        for (table, group) in [("schemas", &pins.schemas), ("operations", &pins.operations)] {
            if !group.is_empty() {
                names.insert(table, Item::Table(group_table(group)));
            }
        }
        let grouped = [
            ("properties", &pins.properties),
            ("values", &pins.values),
            ("parameters", &pins.parameters),
        ];
        for (table, groups) in grouped {
            let mut owners = Table::new();
            owners.set_implicit(true);
            for (owner, group) in groups.iter().filter(|(_, group)| !group.is_empty()) {
                owners.insert(owner, Item::Table(group_table(group)));
            }
            if !owners.is_empty() {
                names.insert(table, Item::Table(owners));
            }
        }
        document.insert("names", Item::Table(names));
    })
}

fn group_table(group: &Group) -> Table {
    let mut table = Table::new();
    for (document, public) in group {
        table.insert(document, value(public));
    }
    table
}

/// Returns the version of the workspace. The program may have been compiled for another one.
pub(super) fn version(manifest: &Path) -> Result<String, Problem> {
    let unreadable = |cause: String| {
        let cause = format!("cannot read the version of the workspace: {cause}");
        let remedy =
            "run the command in a checkout of the SDK, with `version` in `[workspace.package]`";
        super::problem(manifest, cause, remedy)
    };
    let text = fs::read_to_string(manifest).map_err(|error| unreadable(error.to_string()))?;
    let document: DocumentMut = text
        .parse()
        .map_err(|error: TomlError| unreadable(error.to_string()))?;
    let version = document
        .get("workspace")
        .and_then(|workspace| workspace.get("package")?.get("version")?.as_str());
    version
        .map(str::to_owned)
        .ok_or_else(|| unreadable("there is none".to_owned()))
}

/// Sets the version of the workspace, and of its crates where they depend on each other.
pub(super) fn set_version(manifest: &Path, step: &Step) -> io::Result<()> {
    edit_toml(manifest, |document| {
        let Some(workspace) = document.get_mut("workspace") else {
            return;
        };
        let set = |version: Option<&mut Item>| {
            if let Some(version) = version.and_then(Item::as_value_mut)
                && version.as_str() == Some(&step.from)
            {
                let decor = version.decor().clone();
                *version = step.to.as_str().into();
                *version.decor_mut() = decor;
            }
        };
        set(workspace
            .get_mut("package")
            .and_then(|package| package.get_mut("version")));
        let dependencies = workspace
            .get_mut("dependencies")
            .and_then(Item::as_table_like_mut);
        for (_, dependency) in dependencies.into_iter().flat_map(|table| table.iter_mut()) {
            if dependency.get("path").is_some() {
                set(dependency.get_mut("version"));
            }
        }
    })
}

fn edit_toml(path: &Path, edit: impl FnOnce(&mut DocumentMut)) -> io::Result<()> {
    let text = read_if_exists(path)?.unwrap_or_default();
    let mut document: DocumentMut = text.parse().map_err(io::Error::other)?;
    edit(&mut document);
    let edited = document.to_string();
    if edited == text {
        return Ok(());
    }
    fs::write(path, edited)
}

/// Replaces the page that says where the document comes from, if there is one.
pub(super) fn write_origin(page: &Path, label: &str, document_version: &str) -> io::Result<()> {
    if !page.exists() {
        return Ok(());
    }
    // The path of a file means nothing to others, and may reveal where the user works.
    let name = match label.contains("://") {
        true => label,
        false => label.rsplit(['/', '\\']).next().unwrap_or(label),
    };
    // A query may hold a credential, and the page is committed.
    let name = name.split(['?', '#']).next().unwrap_or(name);
    let text = format!(
        "# Where `openapi.json` comes from\n\n\
         The service publishes it: `cargo xtask adopt` took it from `{name}`, version {document_version}.\n\
         The history of this file has the origin of earlier documents.\n"
    );
    fs::write(page, text)
}

/// Reads a text file. Returns `None` if it does not exist.
fn read_if_exists(path: &Path) -> io::Result<Option<String>> {
    let bytes = super::read_if_exists(path)?;
    let text = bytes.map(String::from_utf8).transpose();
    text.map_err(io::Error::other)
}

/// Adds an entry to the unreleased section of the changelog, if there is one.
pub(super) fn write_changelog(
    changelog: &Path,
    document_version: &str,
    comparison: &Comparison,
    step: &Step,
) -> io::Result<()> {
    const UNRELEASED: &str = "## [Unreleased]\n";
    let Some(text) = read_if_exists(changelog)? else {
        return Ok(());
    };
    let Some(at) = text.find(UNRELEASED) else {
        return Ok(());
    };
    let (before, after) = text.split_at(at + UNRELEASED.len());
    fs::write(
        changelog,
        format!(
            "{before}{}{after}",
            entry(document_version, comparison, step)
        ),
    )
}

fn entry(document_version: &str, comparison: &Comparison, step: &Step) -> String {
    let mut entry = format!("\n### Document {document_version}, version {}\n", step.to);
    for (class, title) in [(Class::Breaking, "Breaking"), (Class::Addition, "Added")] {
        let mut lines: Vec<String> = comparison
            .changes
            .iter()
            .filter(|change| change.class == class)
            .map(sentence)
            .collect();
        lines.dedup();
        if !lines.is_empty() {
            entry.push_str(&format!("\n**{title}**\n\n"));
            for line in lines {
                entry.push_str(&format!("- {line}\n"));
            }
        }
    }
    if comparison
        .changes
        .iter()
        .all(|change| change.class == Class::Documentation)
    {
        entry.push_str("\n- Only the documentation changed.\n");
    }
    entry
}

/// Returns the description of a change as a sentence, with the method that it concerns if that is not named.
fn sentence(change: &Change) -> String {
    let mut rest = change.what.chars();
    let first = rest.next().map(|first| first.to_uppercase().to_string());
    let method = match change.operations.as_slice() {
        [only] if !change.what.contains(only.as_str()) => format!(" (`{only}`)"),
        _ => String::new(),
    };
    format!("{}{}{method}.", first.unwrap_or_default(), rest.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pins::{Kind, Pin};

    fn pin(kind: Kind, owner: &str, document: &str, public: &str) -> Pin {
        Pin {
            kind,
            owner: owner.to_owned(),
            document: document.to_owned(),
            public: public.to_owned(),
        }
    }

    #[test]
    fn origin_has_neither_query_nor_folder() {
        let folder = tempfile::tempdir().unwrap();
        let page = folder.path().join("README.md");
        for (label, shown) in [
            (
                "https://pets.example/openapi.json?token=secret",
                "`https://pets.example/openapi.json`",
            ),
            ("vendor/private/openapi.json", "`openapi.json`"),
        ] {
            fs::write(&page, "before").unwrap();
            write_origin(&page, label, "1.1.0").unwrap();
            let text = fs::read_to_string(&page).unwrap();
            assert!(text.contains(shown) && !text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn write_pins_keeps_the_other_settings() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("codegen.toml");
        fs::write(&path, "# why\n[sensitive]\nCall = [\"url\"]\n").unwrap();
        let mut pins = Pins::default();
        pins.add(pin(Kind::Schema, "", "CallResponse", "Call"));
        pins.add(pin(Kind::Property, "Call", "ended_reason", "end_reason"));
        write_pins(&path, &pins).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "# why\n[sensitive]\nCall = [\"url\"]\n\n[names.schemas]\nCallResponse = \"Call\"\n\n\
             [names.properties.Call]\nended_reason = \"end_reason\"\n"
        );
        // A schema that is renamed again has one pin.
        pins.add(pin(Kind::Schema, "", "CallOut", "Call"));
        // A property that gets its public name back has none.
        pins.add(pin(Kind::Property, "Call", "end_reason", "end_reason"));
        write_pins(&path, &pins).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "# why\n[sensitive]\nCall = [\"url\"]\n\n[names.schemas]\nCallOut = \"Call\"\n"
        );
    }

    #[test]
    fn set_version_changes_the_workspace_and_its_own_crates() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Cargo.toml");
        let manifest = "[workspace.package]\nversion = \"0.1.0\" # ours\n\n[workspace.dependencies]\n\
                        own = { path = \"own\", version = \"0.1.0\" }\nother = \"0.1.0\"\n";
        fs::write(&path, manifest).unwrap();
        let step = crate::diff::semver::step(Some(Class::Breaking), "0.1.0");
        set_version(&path, &step).unwrap();
        let expected = manifest.replacen("0.1.0", "0.2.0", 2);
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    }
}
