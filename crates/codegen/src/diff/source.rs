//! Reads a document from a file or a URL, such as `/openapi.json` of a FastAPI service.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use ureq::tls::{RootCerts, TlsConfig};

use crate::load::{self, Source};
use crate::problem::{Location, Problem};

/// The maximum size of a document. The largest known ones are some ten times smaller.
pub const LARGEST: u64 = 64 << 20;

/// The timeout for fetching a document.
const TIMEOUT: Duration = Duration::from_secs(30);

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
pub fn read(location: &str) -> Result<Input, Problem> {
    let lower = location.to_ascii_lowercase();
    if lower.starts_with("http://") || lower.starts_with("https://") {
        fetch(location, TIMEOUT, LARGEST)
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
        return Err(too_large(location, LARGEST));
    }
    let bytes = fs::read(path).map_err(|error| unreadable(&error))?;
    if metadata.is_file() {
        parse(location, path, bytes, Some(&load::folder(path)))
    } else {
        // A pipe can only be read once, so the bytes are passed on.
        parse_bytes(location, "", bytes)
    }
}

fn too_large(label: &str, largest: u64) -> Problem {
    let cause = format!("the document is larger than {} MiB", largest >> 20);
    Problem::of_file(
        label,
        cause,
        "check that it is an OpenAPI document, or split it",
    )
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

fn fetch(location: &str, timeout: Duration, largest: u64) -> Result<Input, Problem> {
    let label = without_password(location);
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .build();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(5)
        .user_agent(concat!("xtask/", env!("CARGO_PKG_VERSION")))
        .accept("application/json, application/yaml;q=0.9, */*;q=0.1")
        .tls_config(tls)
        .build()
        .into();
    let failed = |error: ureq::Error| match error {
        ureq::Error::BodyExceedsLimit(_) => too_large(&label, largest),
        ureq::Error::StatusCode(status) => Problem::of_file(
            label.as_str(),
            format!("cannot fetch the document: status {status}"),
            "check the URL; if it needs authentication, download the document and name the file",
        ),
        ureq::Error::Timeout(_) => Problem::of_file(
            label.as_str(),
            format!(
                "cannot fetch the document: no response within {} seconds",
                timeout.as_secs_f32()
            ),
            "check that the service runs, or download the document and name the file",
        ),
        error => Problem::of_file(
            label.as_str(),
            format!("cannot fetch the document: {error}"),
            "check the URL, and that the service runs",
        ),
    };
    let mut response = agent.get(location).call().map_err(failed)?;
    let media = response
        .body()
        .mime_type()
        .unwrap_or_default()
        .to_ascii_lowercase();
    if media == "text/html" {
        let remedy = "name the URL of the document, which is /openapi.json for a FastAPI service";
        return Err(Problem::of_file(
            label.as_str(),
            "the URL is that of a web page",
            remedy,
        ));
    }
    let bytes = response
        .body_mut()
        .with_config()
        .limit(largest)
        .read_to_vec()
        .map_err(failed)?;
    let extension = if media.ends_with("yaml") {
        ".yaml"
    } else if media.ends_with("json") {
        ".json"
    } else {
        ""
    };
    parse_bytes(&label, extension, bytes)
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

    /// Serves one response, and returns the document that is read from it.
    fn served(response: String, timeout: Duration) -> Result<Input, String> {
        use std::io::Read as _;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap();
            assert!(request[..read].starts_with(b"GET /openapi.json HTTP/1.1\r\n"));
            // The client may have hung up on a response that is too large.
            let _ = stream.write_all(response.as_bytes());
            if response.is_empty() {
                std::thread::sleep(timeout * 4);
            }
        });
        let input = fetch(&format!("http://{address}/openapi.json"), timeout, 2 << 20);
        server.join().unwrap();
        input.map_err(|problem| {
            assert_eq!(problem.file, format!("http://{address}/openapi.json"));
            problem.cause
        })
    }

    fn response(status: &str, media: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {media}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
    }

    #[test]
    fn fetch_reads_json_and_yaml_and_reports_failures() {
        let timeout = Duration::from_secs(5);
        let json = served(
            response("200 OK", "application/json", "{\"a\": 1}"),
            timeout,
        )
        .unwrap();
        assert_eq!(json.source.document, serde_json::json!({"a": 1}));
        assert_eq!(json.bytes, b"{\"a\": 1}");
        let yaml = served(
            response("200 OK", "application/yaml; charset=utf-8", "a: on"),
            timeout,
        );
        assert_eq!(
            yaml.unwrap().source.document,
            serde_json::json!({"a": "on"})
        );
        let causes = [
            response("404 Not Found", "application/json", "{}"),
            response("200 OK", "text/html; charset=utf-8", "<html>"),
            response("200 OK", "application/json", "{"),
            response("200 OK", "application/json", &" ".repeat(3 << 20)),
        ]
        .map(|response| served(response, timeout).unwrap_err());
        assert_eq!(
            causes,
            [
                "cannot fetch the document: status 404",
                "the URL is that of a web page",
                "the document is not JSON: EOF while parsing an object",
                "the document is larger than 2 MiB",
            ]
        );
        let cause = served(String::new(), Duration::from_millis(200)).unwrap_err();
        assert_eq!(
            cause,
            "cannot fetch the document: no response within 0.2 seconds"
        );
    }

    #[test]
    fn read_missing_file_or_directory_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| {
            read(&folder.path().join(name).display().to_string())
                .unwrap_err()
                .cause
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
