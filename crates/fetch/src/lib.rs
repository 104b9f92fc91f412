//! Fetches the document at a URL, such as `/openapi.json` of a FastAPI service.

use std::time::Duration;

use ureq::tls::{RootCerts, TlsConfig};

/// The timeout for fetching a document.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// The response of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The media type in lower case, without parameters. Empty if there is none.
    pub media_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// The reason why there is no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The failure and its cause, in lower case and without a full stop.
    pub cause: String,
    /// The action to take, in one line.
    pub remedy: &'static str,
}

/// Fetches the document at `url`, which may have `largest` bytes.
///
/// # Errors
/// Errors if the server cannot be reached, does not respond in time, or responds with an error, a web page, or too much.
pub fn fetch(url: &str, timeout: Duration, largest: u64) -> Result<Fetched, Failure> {
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
    let failed = |error| failure(&error, timeout, largest);
    let mut response = agent.get(url).call().map_err(failed)?;
    let media_type = response
        .body()
        .mime_type()
        .unwrap_or_default()
        .to_ascii_lowercase();
    if media_type == "text/html" {
        return Err(Failure {
            cause: "the URL is that of a web page".to_owned(),
            remedy: "name the URL of the document, which is /openapi.json for a FastAPI service",
        });
    }
    let body = response.body_mut().with_config().limit(largest);
    let body = body.read_to_vec().map_err(failed)?;
    Ok(Fetched { media_type, body })
}

fn failure(error: &ureq::Error, timeout: Duration, largest: u64) -> Failure {
    let (cause, remedy) = match error {
        ureq::Error::BodyExceedsLimit(_) => {
            return Failure {
                cause: format!("the document is larger than {} MiB", largest >> 20),
                remedy: "check that it is an OpenAPI document, or split it",
            };
        }
        ureq::Error::StatusCode(status) => (
            format!("status {status}"),
            "check the URL; if it needs authentication, download the document and name the file",
        ),
        ureq::Error::Timeout(_) => (
            format!("no response within {} seconds", timeout.as_secs_f32()),
            "check that the service runs, or download the document and name the file",
        ),
        error => (
            error.to_string(),
            "check the URL, and that the service runs",
        ),
    };
    Failure {
        cause: format!("cannot fetch the document: {cause}"),
        remedy,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    /// Serves one response, and returns what is fetched.
    fn served(response: String, timeout: Duration) -> Result<Fetched, Failure> {
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
        let fetched = fetch(&format!("http://{address}/openapi.json"), timeout, 2 << 20);
        server.join().unwrap();
        fetched
    }

    fn response(status: &str, media: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {media}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
    }

    #[test]
    fn fetch_returns_body_and_media_type() {
        let yaml = response("200 OK", "Application/YAML; charset=utf-8", "a: on");
        let fetched = served(yaml, Duration::from_secs(5)).unwrap();
        assert_eq!(fetched.media_type, "application/yaml");
        assert_eq!(fetched.body, b"a: on");
    }

    #[test]
    fn fetch_reports_failures() {
        let timeout = Duration::from_secs(5);
        let causes = [
            response("404 Not Found", "application/json", "{}"),
            response("200 OK", "text/html; charset=utf-8", "<html>"),
            response("200 OK", "application/json", &" ".repeat(3 << 20)),
        ]
        .map(|response| served(response, timeout).unwrap_err().cause);
        assert_eq!(
            causes,
            [
                "cannot fetch the document: status 404",
                "the URL is that of a web page",
                "the document is larger than 2 MiB",
            ]
        );
        let failure = served(String::new(), Duration::from_millis(200)).unwrap_err();
        assert_eq!(
            failure.cause,
            "cannot fetch the document: no response within 0.2 seconds"
        );
    }
}
