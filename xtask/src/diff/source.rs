//! Reads a document from where the maintainer says it is: a file, or an address such as that of a FastAPI service's
//! `/openapi.json`.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use ureq::tls::{RootCerts, TlsConfig};

use crate::codegen::load;
use crate::problem::{Place, Problem};

/// The largest document that is read; the largest known ones are some ten times smaller.
pub const LARGEST: u64 = 64 << 20;

/// How long a service may take to send its document.
const PATIENCE: Duration = Duration::from_secs(30);

/// A document and the bytes it was made of.
#[derive(Clone, Debug)]
pub struct Input {
    /// What the report calls it: what the maintainer wrote, without a password.
    pub label: String,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The content.
    pub document: Value,
}

/// Reads the document at `location`.
///
/// # Errors
/// Why it can't be had or isn't JSON or YAML.
pub fn read(location: &str) -> Result<Input, Problem> {
    let lower = location.to_ascii_lowercase();
    if lower.starts_with("http://") || lower.starts_with("https://") {
        fetch(location)
    } else {
        from_file(location)
    }
}

fn problem(label: &str, cause: String, remedy: impl Into<String>) -> Problem {
    Problem {
        file: label.to_owned(),
        place: Place::File,
        cause,
        remedy: remedy.into(),
    }
}

fn from_file(location: &str) -> Result<Input, Problem> {
    let path = Path::new(location);
    let unreadable = |error: &dyn std::fmt::Display| {
        let cause = format!("cannot read the document: {error}");
        problem(
            location,
            cause,
            "name a file that exists, or an http(s) address",
        )
    };
    let metadata = fs::metadata(path).map_err(|error| unreadable(&error))?;
    if metadata.is_dir() {
        return Err(unreadable(&"it is a folder"));
    }
    if metadata.len() > LARGEST {
        return Err(too_large(location));
    }
    let bytes = fs::read(path).map_err(|error| unreadable(&error))?;
    if metadata.is_file() {
        parse(location, path, bytes)
    } else {
        // A pipe can be read only once.
        parse_bytes(location, "", bytes)
    }
}

fn too_large(label: &str) -> Problem {
    let cause = format!("the document is larger than {} MiB", LARGEST >> 20);
    problem(label, cause, "check that it is the document, or split it")
}

fn parse(label: &str, path: &Path, bytes: Vec<u8>) -> Result<Input, Problem> {
    let source = load::load(path, Path::new(label), label).map_err(|found| Problem {
        remedy: if found.place == Place::File {
            found.remedy
        } else {
            "mend the syntax at that place".to_owned()
        },
        ..found
    })?;
    Ok(Input {
        label: label.to_owned(),
        bytes,
        document: source.document,
    })
}

/// The loader reads files, and decides by their ending how: what has come otherwise is put into one.
fn parse_bytes(label: &str, ending: &str, bytes: Vec<u8>) -> Result<Input, Problem> {
    let file = tempfile::Builder::new().suffix(ending).tempfile();
    let file = file.and_then(|mut file| file.write_all(&bytes).map(|()| file));
    let file = file.map_err(|error| {
        let cause = format!("cannot keep the document while it is read: {error}");
        problem(label, cause, "make room in the folder for temporary files")
    })?;
    parse(label, file.path(), bytes)
}

fn fetch(location: &str) -> Result<Input, Problem> {
    let label = without_password(location);
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .build();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .max_redirects(5)
        .user_agent(concat!("xtask/", env!("CARGO_PKG_VERSION")))
        .accept("application/json, application/yaml;q=0.9, */*;q=0.1")
        .tls_config(tls)
        .build()
        .into();
    let failed = |error: ureq::Error| match error {
        ureq::Error::BodyExceedsLimit(_) => too_large(&label),
        ureq::Error::StatusCode(status) => problem(
            &label,
            format!("the service answers with the status {status}"),
            "check the address; what needs a credential is fetched with another tool and named as a file",
        ),
        ureq::Error::Timeout(_) => problem(
            &label,
            format!(
                "the service has not sent the document within {} seconds",
                PATIENCE.as_secs()
            ),
            "check that it runs, or fetch the document with another tool and name the file",
        ),
        error => problem(
            &label,
            format!("cannot fetch the document: {error}"),
            "check the address, and that the service runs",
        ),
    };
    let mut response = agent.get(location).call().map_err(failed)?;
    let media = response
        .body()
        .mime_type()
        .unwrap_or_default()
        .to_ascii_lowercase();
    if media == "text/html" {
        let remedy = "name the document itself; a FastAPI service has it at /openapi.json";
        return Err(problem(
            &label,
            "the address is that of a web page".to_owned(),
            remedy,
        ));
    }
    let bytes = response
        .body_mut()
        .with_config()
        .limit(LARGEST)
        .read_to_vec()
        .map_err(failed)?;
    let ending = if media.ends_with("yaml") {
        ".yaml"
    } else if media.ends_with("json") {
        ".json"
    } else {
        ""
    };
    parse_bytes(&label, ending, bytes)
}

/// The address as the report shows it: what stands before an `@` in its authority may be a password.
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

    #[test]
    fn passwords_are_not_shown() {
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
