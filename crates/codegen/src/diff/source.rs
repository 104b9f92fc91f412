//! Reads a document from where the maintainer says it is: a file, or an address such as that of a FastAPI service's
//! `/openapi.json`.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use ureq::tls::{RootCerts, TlsConfig};

use crate::load::{self, Source};
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
    pub source: Source,
}

/// Reads the document at `location`.
///
/// # Errors
/// Why it can't be had or isn't JSON or YAML.
pub fn read(location: &str) -> Result<Input, Problem> {
    let lower = location.to_ascii_lowercase();
    if lower.starts_with("http://") || lower.starts_with("https://") {
        fetch(location, PATIENCE, LARGEST)
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
        return Err(too_large(location, LARGEST));
    }
    let bytes = fs::read(path).map_err(|error| unreadable(&error))?;
    if metadata.is_file() {
        parse(location, path, bytes, Some(&load::folder(path)))
    } else {
        // A pipe can be read only once.
        parse_bytes(location, "", bytes)
    }
}

fn too_large(label: &str, largest: u64) -> Problem {
    let cause = format!("the document is larger than {} MiB", largest >> 20);
    problem(label, cause, "check that it is the document, or split it")
}

/// `folder` is where the files are to which the document may refer.
fn parse(
    label: &str,
    path: &Path,
    bytes: Vec<u8>,
    folder: Option<&Path>,
) -> Result<Input, Problem> {
    let mut source = load::load(path, Path::new(label), label).map_err(|found| Problem {
        remedy: if found.place == Place::File {
            found.remedy
        } else {
            "mend the syntax at that place".to_owned()
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

/// The loader reads files, and decides by their ending how: what has come otherwise is put into one.
fn parse_bytes(label: &str, ending: &str, bytes: Vec<u8>) -> Result<Input, Problem> {
    let file = tempfile::Builder::new().suffix(ending).tempfile();
    let file = file.and_then(|mut file| file.write_all(&bytes).map(|()| file));
    let file = file.map_err(|error| {
        let cause = format!("cannot keep the document while it is read: {error}");
        problem(label, cause, "make room in the folder for temporary files")
    })?;
    parse(label, file.path(), bytes, None)
}

fn fetch(location: &str, patience: Duration, largest: u64) -> Result<Input, Problem> {
    let label = without_password(location);
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .build();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(patience))
        .max_redirects(5)
        .user_agent(concat!("xtask/", env!("CARGO_PKG_VERSION")))
        .accept("application/json, application/yaml;q=0.9, */*;q=0.1")
        .tls_config(tls)
        .build()
        .into();
    let failed = |error: ureq::Error| match error {
        ureq::Error::BodyExceedsLimit(_) => too_large(&label, largest),
        ureq::Error::StatusCode(status) => problem(
            &label,
            format!("the service answers with the status {status}"),
            "check the address; what needs a credential is fetched with another tool and named as a file",
        ),
        ureq::Error::Timeout(_) => problem(
            &label,
            format!(
                "the service has not sent the document within {} seconds",
                patience.as_secs_f32()
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
        .limit(largest)
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

    /// Serves one answer at an address of its own, and gives what is read from there.
    fn served(answer: String, patience: Duration) -> Result<Input, String> {
        use std::io::Read as _;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap();
            assert!(request[..read].starts_with(b"GET /openapi.json HTTP/1.1\r\n"));
            // Where the answer is too slow or too large, nobody may be listening any more.
            let _ = stream.write_all(answer.as_bytes());
            if answer.is_empty() {
                std::thread::sleep(patience * 4);
            }
        });
        let found = fetch(&format!("http://{address}/openapi.json"), patience, 2 << 20);
        server.join().unwrap();
        found.map_err(|problem| {
            assert_eq!(problem.file, format!("http://{address}/openapi.json"));
            problem.cause
        })
    }

    fn answer(status: &str, media: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {media}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
    }

    #[test]
    fn a_service_is_asked_for_its_document() {
        let patience = Duration::from_secs(5);
        let json = served(answer("200 OK", "application/json", "{\"a\": 1}"), patience).unwrap();
        assert_eq!(json.source.document, serde_json::json!({"a": 1}));
        assert_eq!(json.bytes, b"{\"a\": 1}");
        let yaml = served(
            answer("200 OK", "application/yaml; charset=utf-8", "a: on"),
            patience,
        );
        assert_eq!(
            yaml.unwrap().source.document,
            serde_json::json!({"a": "on"})
        );
        let causes = [
            answer("404 Not Found", "application/json", "{}"),
            answer("200 OK", "text/html; charset=utf-8", "<html>"),
            answer("200 OK", "application/json", "{"),
            answer("200 OK", "application/json", &" ".repeat(3 << 20)),
        ]
        .map(|answer| served(answer, patience).unwrap_err());
        assert_eq!(
            causes,
            [
                "the service answers with the status 404",
                "the address is that of a web page",
                "the document is not JSON: EOF while parsing an object",
                "the document is larger than 2 MiB",
            ]
        );
        let cause = served(String::new(), Duration::from_millis(200)).unwrap_err();
        assert_eq!(
            cause,
            "the service has not sent the document within 0.2 seconds"
        );
    }

    #[test]
    fn a_file_that_is_none_is_told() {
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
        assert_eq!(at(""), "cannot read the document: it is a folder");
    }

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
