//! The base URL, and the check that a request stays below it.

use std::net::Ipv6Addr;

use memchr::memchr2;
use percent_encoding::percent_decode;
use url::{Host, Position, Url};

use crate::build_error::{BaseUrlProblem, BuildError};

/// A validated base URL.
#[derive(Clone, Debug)]
pub(crate) struct BaseUrl {
    /// Without a slash at the end.
    text: String,
    /// The length of `text` before its path.
    origin_length: usize,
    pub(crate) https: bool,
    pub(crate) loopback: bool,
}

impl BaseUrl {
    pub(crate) fn parse(given: &str, allow_insecure_http: bool) -> Result<Self, BuildError> {
        let refuse = |problem| {
            Err(BuildError::BaseUrl {
                // What stands before an `@` may be a password, and a query may hold a token.
                given: (!given.contains('@')).then(|| {
                    given
                        .split(['?', '#'])
                        .next()
                        .unwrap_or_default()
                        .to_owned()
                }),
                problem,
            })
        };
        // The URL parser accepts these with another meaning (WHATWG URL, section 4.4).
        if given.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return refuse(BaseUrlProblem::Space);
        }
        if given.contains('\\') {
            return refuse(BaseUrlProblem::Backslash);
        }
        if given.split(['/', '?', '#']).any(is_dot_segment) {
            return refuse(BaseUrlProblem::DotSegment);
        }
        let url = match Url::parse(given) {
            Ok(url) => url,
            Err(_) => return refuse(BaseUrlProblem::NotUrl),
        };
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return refuse(BaseUrlProblem::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refuse(BaseUrlProblem::Credentials);
        }
        if url.query().is_some() {
            return refuse(BaseUrlProblem::Query);
        }
        if url.fragment().is_some() {
            return refuse(BaseUrlProblem::Fragment);
        }
        if url.host().is_none() {
            return refuse(BaseUrlProblem::NoHost);
        }
        let loopback = names_this_machine(&url);
        if !https && !loopback && !allow_insecure_http {
            return refuse(BaseUrlProblem::PlainHttp);
        }
        Ok(Self {
            text: url.as_str().trim_end_matches('/').to_owned(),
            origin_length: url[..Position::BeforePath].len(),
            https,
            loopback,
        })
    }

    /// Returns true if `url` has the scheme, host and port of the base URL.
    pub(crate) fn is_origin_of(&self, url: &Url) -> bool {
        url[..Position::BeforePath] == self.text[..self.origin_length]
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Errors with the reason if `url` is not this base URL with a path of the form of `template` (`/v1/pets/{id}`).
    ///
    /// The URL parser has resolved a parameter of `..` before; then the path has another form than the operation's.
    pub(crate) fn check(&self, url: &Url, template: &str) -> Result<(), &'static str> {
        // A slash ends the authority, so that a URL which goes on with one has the same host and no credentials.
        let below = url[..Position::AfterPath].strip_prefix(&self.text);
        let Some(path) = below.filter(|path| path.starts_with('/')) else {
            return Err("it is not below the client's base URL");
        };
        // The segments before the first parameter are compared at once.
        let (path, template) = (path.as_bytes(), template.as_bytes());
        let Some(parameter) = template.iter().position(|byte| *byte == b'{') else {
            return if path == template { Ok(()) } else { Err(OTHER) };
        };
        let slash = template[..parameter].iter().rposition(|byte| *byte == b'/');
        let (literal, forms) = template.split_at(slash.map_or(0, |slash| slash + 1));
        let given = path.strip_prefix(literal).ok_or(OTHER)?;
        // Usually, a parameter ends the path.
        let is_plain = !given.is_empty() && memchr2(b'/', b'%', given).is_none();
        if is_plain && !forms.contains(&b'/') {
            return Ok(());
        }
        let mut given = given.split(|byte| *byte == b'/');
        for form in forms.split(|byte| *byte == b'/') {
            check_segment(given.next().ok_or(OTHER)?, form)?;
        }
        given.next().map_or(Ok(()), |_| Err(OTHER))
    }
}

/// The reason of a path that is not the operation's.
const OTHER: &str = "its path is not the operation's; perhaps a path parameter is `..`";

/// Errors with the reason if a segment is not of the form in the template.
fn check_segment(segment: &[u8], form: &[u8]) -> Result<(), &'static str> {
    if !form.contains(&b'{') {
        return if segment == form { Ok(()) } else { Err(OTHER) };
    }
    if segment.is_empty() {
        return Err("a path parameter is empty");
    }
    if hides_dot_segment(segment) {
        return Err("a path parameter contains a dot segment");
    }
    Ok(())
}

/// Returns true if the URL's host is this machine.
pub(crate) fn names_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => is_loopback(address),
        // RFC 6761, section 6.3. The client resolves this name itself, so that no resolver can redirect it.
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn is_loopback(address: Ipv6Addr) -> bool {
    address.to_canonical().is_loopback()
}

/// Returns true for `.` and `..`, also with `%2e` for a dot, as the URL parser reads them.
fn is_dot_segment(segment: &str) -> bool {
    let mut rest = segment;
    let mut dots = 0;
    while !rest.is_empty() {
        let Some(after) = rest
            .strip_prefix('.')
            .or_else(|| rest.strip_prefix("%2e"))
            .or_else(|| rest.strip_prefix("%2E"))
        else {
            return false;
        };
        rest = after;
        dots += 1;
    }
    dots == 1 || dots == 2
}

/// Returns true for `x%2F..`: one segment to a URL parser, but not to a server that decodes it first.
fn hides_dot_segment(segment: &[u8]) -> bool {
    segment.contains(&b'%')
        && percent_decode(segment)
            .collect::<Vec<u8>>()
            .split(|byte| matches!(byte, b'/' | b'\\'))
            .any(|part| part == b"." || part == b"..")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn arbitrary_text_does_not_panic(text in ".{0,60}") {
            let _ = BaseUrl::parse(&text, true);
        }

        /// Texts that are almost base URLs: each one that is accepted must be safe.
        #[test]
        fn accepted_base_url_is_safe(
            scheme in "(http|https|HTTP|ftp|file)",
            separator in r"(://|:/|:|:\\\\|:///)",
            user in "(|user@|user:pw@|@|:@)",
            host in r"(localhost|127\.0\.0\.1|\[::1\]|a\.example|0|0x7f\.1|2130706433|localhost\.a\.example|LOCALHOST)",
            tail in r"(|/|:80|:443/|/a/b/|/\.\./x|/%2e/|\?q|#f|/a//|:99999)",
        ) {
            let text = format!("{scheme}{separator}{user}{host}{tail}");
            if let Ok(base) = BaseUrl::parse(&text, false) {
                let url = Url::parse(base.as_str()).unwrap();
                prop_assert!(url.username().is_empty() && url.password().is_none());
                prop_assert!(url.query().is_none() && url.fragment().is_none());
                prop_assert!(!base.as_str().ends_with('/'));
                prop_assert_eq!(base.https, url.scheme() == "https");
                let is_loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
                prop_assert!(url.scheme() == "https" || (url.scheme() == "http" && is_loopback), "{}", url);
                prop_assert_eq!(base.loopback, is_loopback);
            }
        }

        /// With any parameter, the URL is below the base URL and matches the operation's path, or is rejected.
        #[test]
        fn no_parameter_leaves_the_base_url(id in prop_oneof![".{0,12}", r"[./\\%2eEfF5cC]{0,12}"], encoded in any::<bool>()) {
            let base = BaseUrl::parse("https://calls.example/api", false).unwrap();
            let id = if encoded {
                percent_encoding::utf8_percent_encode(&id, percent_encoding::NON_ALPHANUMERIC).to_string()
            } else {
                id
            };
            let text = format!("{}/v1/call/{id}", base.as_str());
            let Ok(url) = Url::parse(&text) else { return Ok(()) };
            if base.check(&url, "/v1/call/{id}").is_ok() {
                let segments: Vec<_> = url.path_segments().unwrap().collect();
                prop_assert_eq!(&segments[..3], ["api", "v1", "call"]);
                prop_assert_eq!(segments.len(), 4);
                let decoded: Vec<u8> = percent_decode(segments[3].as_bytes()).collect();
                let dots = decoded.split(|byte| matches!(byte, b'/' | b'\\')).any(|part| part == b"." || part == b"..");
                prop_assert!(!dots, "{}", url);
            }
        }
    }

    #[test]
    fn dot_segments_are_recognized_in_every_form() {
        for segment in [".", "..", "%2e", "%2E", ".%2e", "%2e.", "%2E%2e"] {
            assert!(is_dot_segment(segment), "{segment}");
        }
        for segment in ["", "...", "a", ".a", "a.", "%2e%2e%2e", "%2f", "%2", "..a"] {
            assert!(!is_dot_segment(segment), "{segment}");
        }
    }
}
