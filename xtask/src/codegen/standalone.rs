//! `--out DIR`: the two crates as a small workspace that compiles wherever it lies.
//!
//! It has the generated halves, the hand-written ones that any API shares, and the transport, each copied from this
//! project; and manifests that ask for the same versions of the same dependencies.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, Item, Table, value};

use super::plan::{CLIENT, Output, Plan, TYPES};
use crate::problem::{Place, Problem};

/// The hand-written half of a types crate for an API that has nothing written by hand yet.
const TYPES_LIB: &str = "\
//! The API's data: what its document calls schemas, as Rust types that know no HTTP.

mod open_enum;

#[rustfmt::skip]
#[allow(clippy::all, dead_code, deprecated, irrefutable_let_patterns, unused_imports, reason = \"generated\")]
mod generated;

pub use generated::*;
";

const README: &str = "\
# A generated SDK

`cargo check` compiles it. The crates:

- `crates/call-api-types`: the document's schemas; `src/generated.rs` is generated.
- `crates/call-api-client`: its operations; `src/generated.rs` is generated.
- `crates/call-api-transport`: what happens to a request on its way; the same for every API.

Run `cargo xtask codegen --spec FILE --out DIR` where the generator lives to generate it again.
";

/// The crates that generated code uses only where a document has what needs them.
const OPTIONAL: [&str; 5] = ["base64", "futures", "rand", "regress", "serde_json"];

/// Adds to the plan what makes a workspace of it; `root` is this project.
///
/// # Errors
/// A file of this project that can't be read.
pub fn complete(root: &Path, plan: &mut Plan) -> Result<(), Problem> {
    let generated = |path: &str, plan: &Plan| {
        let output = plan
            .outputs
            .iter()
            .find(|output| output.path == Path::new(path));
        output
            .map(|output| output.contents.clone())
            .unwrap_or_default()
    };
    let (types, client) = (generated(TYPES, plan), generated(CLIENT, plan));
    let mut add = |path: &str, contents: String| {
        plan.outputs.push(Output {
            path: path.into(),
            contents,
        })
    };

    add("Cargo.toml", workspace(root)?);
    add("README.md", README.to_owned());
    add(
        "crates/call-api-types/Cargo.toml",
        manifest(root, "crates/call-api-types", &types)?,
    );
    add("crates/call-api-types/src/lib.rs", TYPES_LIB.to_owned());
    for path in [
        "crates/call-api-types/src/open_enum.rs",
        "crates/call-api-client/src/lib.rs",
        "crates/call-api-client/src/encode.rs",
        "crates/call-api-client/src/hooks.rs",
        "crates/call-api-client/src/decode.rs",
    ] {
        add(path, read(root, path)?);
    }
    add(
        "crates/call-api-client/Cargo.toml",
        manifest(root, "crates/call-api-client", &client)?,
    );
    add(
        "crates/call-api-transport/Cargo.toml",
        manifest(root, "crates/call-api-transport", "")?,
    );
    for path in sources(root, "crates/call-api-transport/src")? {
        add(&path, read(root, &path)?);
    }
    Ok(())
}

fn problem(path: &str, error: impl std::fmt::Display) -> Problem {
    Problem {
        file: path.to_owned(),
        place: Place::File,
        cause: format!("cannot read a file that a standalone SDK is made of: {error}"),
        remedy: "run it from a whole checkout of this project".to_owned(),
    }
}

fn read(root: &Path, path: &str) -> Result<String, Problem> {
    fs::read_to_string(root.join(path)).map_err(|error| problem(path, error))
}

fn parse(root: &Path, path: &str) -> Result<DocumentMut, Problem> {
    read(root, path)?
        .parse()
        .map_err(|error| problem(path, error))
}

/// This project's workspace without its root package and without the crates that stay here.
fn workspace(root: &Path) -> Result<String, Problem> {
    let mut document = parse(root, "Cargo.toml")?;
    document.retain(|key, _| key == "workspace");
    if let Some(workspace) = document.get_mut("workspace").and_then(Item::as_table_mut) {
        workspace.insert("members", value(Array::from_iter(["crates/*"])));
        workspace.retain(|key, _| {
            ["resolver", "members", "package", "dependencies", "lints"].contains(&key)
        });
        if let Some(dependencies) = workspace
            .get_mut("dependencies")
            .and_then(Item::as_table_like_mut)
        {
            let ours = ["call-api-types", "call-api-client", "call-api-transport"];
            let gone: Vec<String> = dependencies
                .iter()
                .map(|(name, _)| name.to_owned())
                .filter(|name| name.starts_with("call-api") && !ours.contains(&name.as_str()))
                .collect();
            for name in gone {
                dependencies.remove(&name);
            }
        }
    }
    Ok(document.to_string())
}

/// A crate's manifest without what only this project has use for, and with what its generated code uses.
fn manifest(root: &Path, package: &str, generated: &str) -> Result<String, Problem> {
    let path = format!("{package}/Cargo.toml");
    let mut document = parse(root, &path)?;
    document.retain(|key, _| !["test", "bench", "example"].contains(&key));
    if let Some(package) = document.get_mut("package").and_then(Item::as_table_mut) {
        package.remove("readme");
        package.insert("publish", value(false));
    }
    if !generated.is_empty() {
        let dependencies = document
            .entry("dependencies")
            .or_insert_with(|| Item::Table(Table::new()));
        for name in OPTIONAL {
            if generated.contains(&format!("{name}::"))
                && let Some(dependencies) = dependencies.as_table_like_mut()
                && !dependencies.contains_key(name)
            {
                let mut line = toml_edit::InlineTable::new();
                line.insert("workspace", true.into());
                dependencies.insert(name, value(line));
            }
        }
    }
    Ok(document.to_string())
}

/// The Rust files below a folder of this project, in order.
fn sources(root: &Path, folder: &str) -> Result<Vec<String>, Problem> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                collect(&entry.path(), found)?;
            } else if entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "rs")
            {
                found.push(entry.path());
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    collect(&root.join(folder), &mut found).map_err(|error| problem(folder, error))?;
    let mut paths: Vec<String> = found
        .iter()
        .filter_map(|path| path.strip_prefix(root).ok())
        .map(|path| path.to_string_lossy().replace('\\', "/"))
        .collect();
    paths.sort();
    Ok(paths)
}
