//! The checkout that a command runs in.

use std::path::{Path, PathBuf};
use std::{env, io};

/// The path of the document, relative to the root of a project.
pub const DOCUMENT: &str = "spec/openapi.json";

/// Returns the root of the project: the nearest folder with a [`DOCUMENT`], at or above the package that cargo runs
/// (`CARGO_MANIFEST_DIR`), else at or above the working directory.
///
/// It is looked up when the program runs. Two checkouts that share a target directory share its binaries, so a path
/// from compile time may be that of the other checkout.
///
/// # Errors
/// Errors if no such folder exists.
pub fn root() -> io::Result<PathBuf> {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let working = env::current_dir()?;
    let found = package
        .iter()
        .chain([&working])
        .find_map(|from| root_above(from));
    found.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!(
                "no {DOCUMENT} in {} or a folder above it; run the command inside the project",
                working.display()
            ),
        )
    })
}

fn root_above(from: &Path) -> Option<PathBuf> {
    let mut folders = from.ancestors();
    folders
        .find(|folder| folder.join(DOCUMENT).is_file())
        .map(Path::to_owned)
}
