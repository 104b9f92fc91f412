//! Reads a document from a file or a URL, such as `/openapi.json` of a FastAPI service.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use crate::load::{self, Source};
use crate::problem::{Finding, Location, Problem};

/// The maximum size of a document. The largest known ones are some ten times smaller.
pub const LARGEST: u64 = 64 << 20;

/// A function that fetches the document at an HTTP(S) URL, of [`LARGEST`] bytes at most. A finding is about the whole
/// document.
pub type Fetch<'a> = dyn Fn(&str) -> Result<Fetched, Finding> + Sync + 'a;

/// The response to a request for a document.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The media type in lower case, without parameters. Empty if there is none.
    pub media_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// A document with its bytes.
#[derive(Clone, Debug)]
pub struct Input {
    /// The file or URL as given, without a password.
    pub label: String,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The parsed document.
    pub source: Source,
}

/// Reads the document at `location`, a file or an HTTP(S) URL.
///
/// # Errors
/// Errors if it cannot be read or is neither JSON nor YAML.
pub fn read(location: &str, fetch: &Fetch<'_>) -> Result<Input, Problem> {
    let lower = location.to_ascii_lowercase();
    if lower.starts_with("http://") || lower.starts_with("https://") {
        let label = without_password(location);
        let fetched = fetch(location).map_err(|finding| finding.in_file(&label))?;
        from_response(&label, fetched)
    } else {
        from_file(location)
    }
}

fn from_file(location: &str) -> Result<Input, Problem> {
    let path = Path::new(location);
    let unreadable = |error: &dyn std::fmt::Display| {
        let cause = format!("cannot read the document: {error}");
        Problem::of_file(location, cause, "name an existing file or an HTTP(S) URL")
    };
    let metadata = fs::metadata(path).map_err(|error| unreadable(&error))?;
    if metadata.is_dir() {
        return Err(unreadable(&"is a directory"));
    }
    if metadata.len() > LARGEST {
        let cause = format!("the document is larger than {} MiB", LARGEST >> 20);
        let remedy = "check that it is an OpenAPI document, or split it";
        return Err(Problem::of_file(location, cause, remedy));
    }
    let bytes = fs::read(path).map_err(|error| unreadable(&error))?;
    if metadata.is_file() {
        parse(location, path, bytes, Some(&load::folder(path)))
    } else {
        // A pipe can only be read once, so the bytes are passed on.
        parse_bytes(location, "", bytes)
    }
}

/// Parses the file at `path`. `folder` has the files that the document may refer to.
fn parse(
    label: &str,
    path: &Path,
    bytes: Vec<u8>,
    folder: Option<&Path>,
) -> Result<Input, Problem> {
    let mut source = load::load(path, Path::new(label), label).map_err(|found| Problem {
        remedy: if found.location == Location::File {
            found.remedy
        } else {
            "fix the syntax at that position".to_owned()
        },
        ..found
    })?;
    source.folder = folder.map(Path::to_owned);
    Ok(Input {
        label: label.to_owned(),
        bytes,
        source,
    })
}

/// Parses bytes by way of a temporary file, since the loader chooses the format by the file extension.
fn parse_bytes(label: &str, extension: &str, bytes: Vec<u8>) -> Result<Input, Problem> {
    let file = tempfile::Builder::new().suffix(extension).tempfile();
    let file = file.and_then(|mut file| file.write_all(&bytes).map(|()| file));
    let file = file.map_err(|error| {
        let cause = format!("cannot write a temporary file: {error}");
        Problem::of_file(label, cause, "free space in the folder for temporary files")
    })?;
    parse(label, file.path(), bytes, None)
}

fn from_response(label: &str, response: Fetched) -> Result<Input, Problem> {
    let extension = if response.media_type.ends_with("yaml") {
        ".yaml"
    } else if response.media_type.ends_with("json") {
        ".json"
    } else {
        ""
    };
    parse_bytes(label, extension, response.body)
}

/// Removes the user info from a URL, since it may have a password.
fn without_password(location: &str) -> String {
    let Some((scheme, rest)) = location.split_once("://") else {
        return location.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{host}{path}"),
        None => location.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pointer::Pointer;

    /// Reads a document that is fetched from a URL.
    fn fetched(media_type: &str, body: &str) -> Result<Input, Problem> {
        read("HTTP://me:secret@localhost/openapi", &|url| {
            assert_eq!(url, "HTTP://me:secret@localhost/openapi");
            Ok(Fetched {
                media_type: media_type.to_owned(),
                body: body.as_bytes().to_owned(),
            })
        })
    }

    #[test]
    fn read_url_parses_by_media_type() {
        let json = fetched("application/json", "{\"a\": 1}").unwrap();
        assert_eq!(json.source.document, serde_json::json!({"a": 1}));
        assert_eq!(json.bytes, b"{\"a\": 1}");
        assert_eq!(json.label, "HTTP://localhost/openapi");
        let yaml = fetched("application/yaml", "a: on").unwrap();
        assert_eq!(yaml.source.document, serde_json::json!({"a": "on"}));
        // The first character tells, too.
        let json = fetched("", "{\"a\": 1}").unwrap();
        assert_eq!(json.source.document, serde_json::json!({"a": 1}));
        assert_eq!(
            fetched("application/json", "{").unwrap_err().cause,
            "the document is not JSON: EOF while parsing an object"
        );
    }

    #[test]
    fn read_url_reports_failures_without_a_password() {
        let found = read("https://me:secret@localhost/", &|_| {
            Err(Finding::new(
                &Pointer::root(),
                "status 404",
                "check the URL",
            ))
        });
        assert_eq!(
            found.unwrap_err(),
            Problem::of_file("https://localhost/", "status 404", "check the URL")
        );
    }

    #[test]
    fn read_missing_file_or_directory_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| {
            let path = folder.path().join(name).display().to_string();
            let fetch: &Fetch<'_> = &|url| unreachable!("{url}");
            read(&path, fetch).unwrap_err().cause
        };
        assert!(
            at("missing.json").starts_with("cannot read the document: "),
            "{}",
            at("missing.json")
        );
        assert_eq!(at(""), "cannot read the document: is a directory");
    }

    #[test]
    fn without_password_removes_user_info() {
        assert_eq!(
            without_password("https://me:secret@example.org/openapi.json?a=@b"),
            "https://example.org/openapi.json?a=@b"
        );
        assert_eq!(
            without_password("http://localhost:8000/openapi.json"),
            "http://localhost:8000/openapi.json"
        );
    }
}
