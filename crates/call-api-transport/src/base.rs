//! Where a request may go: the base URL, and the check that a request stays below it.

use std::net::Ipv6Addr;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::builder::BuildError;

/// A base URL that has been looked at.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    /// Without a slash at the end.
    text: String,
    pub(crate) https: bool,
    pub(crate) loopback: bool,
}

impl Base {
    pub(crate) fn parse(given: &str, allow_insecure_http: bool) -> Result<Self, BuildError> {
        let refuse = |reason| {
            Err(BuildError::BaseUrl {
                // What stands before an `@` may be a password.
                given: if given.contains('@') {
                    None
                } else {
                    Some(given.to_owned())
                },
                reason,
            })
        };
        // The URL parser would take these and mean something else by them (WHATWG URL, section 4.4).
        if given.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return refuse("it holds a space or a control character; leave that out");
        }
        if given.contains('\\') {
            return refuse("it holds a backslash; write a slash");
        }
        if given.split(['/', '?', '#']).any(is_dot_segment) {
            return refuse("it holds a `.` or `..` segment; write the path that is meant");
        }
        let url = match Url::parse(given) {
            Ok(url) => url,
            Err(_) => return refuse("it is no URL; write it as in https://api.example.com"),
        };
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => {
                return refuse(
                    "it is neither https nor http; write it as in https://api.example.com",
                );
            }
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refuse(
                "it holds a user or password; leave that out and give the token to the builder",
            );
        }
        if url.query().is_some() {
            return refuse("it holds a query; leave out what follows the `?`");
        }
        if url.fragment().is_some() {
            return refuse("it holds a fragment; leave out what follows the `#`");
        }
        let loopback = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => is_loopback(address),
            // RFC 6761, section 6.3. The client resolves this name itself, so that no resolver can move it.
            Some(Host::Domain(name)) => name == "localhost",
            None => return refuse("it names no host; write it as in https://api.example.com"),
        };
        if !https && !loopback && !allow_insecure_http {
            return refuse(
                "it is plain http to another machine, which would show the token to the network; \
                 use https, or allow_insecure_http(true) where that is meant",
            );
        }
        Ok(Self {
            text: url.as_str().trim_end_matches('/').to_owned(),
            https,
            loopback,
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `url` is this base URL with a path of the form of `template` (`/v1/call/{id}`), and if not, why.
    ///
    /// A parameter of `..` has been resolved by the URL parser before anyone could look; what gives it away is that the
    /// path then has another form than the operation's.
    pub(crate) fn check(&self, url: &Url, template: &str) -> Result<(), &'static str> {
        let Some(rest) = url.as_str().strip_prefix(&self.text) else {
            return Err("it is not below the client's base URL");
        };
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        let mut given = path.split('/');
        let mut wanted = template.split('/');
        loop {
            match (given.next(), wanted.next()) {
                (None, None) => return Ok(()),
                (Some(segment), Some(form)) if form.contains('{') => {
                    if segment.is_empty() {
                        return Err("a path parameter is empty");
                    }
                    if hides_dot_segment(segment) {
                        return Err("a path parameter holds a dot segment");
                    }
                }
                (Some(segment), Some(form)) if segment == form => {}
                _ => {
                    return Err(
                        "its path is not the operation's; perhaps a path parameter is `..`",
                    );
                }
            }
        }
    }
}

fn is_loopback(address: Ipv6Addr) -> bool {
    address.to_canonical().is_loopback()
}

/// `.` and `..`, also as the URL parser reads them: with `%2e` for a dot.
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

/// `x%2F..`: one segment to a URL parser, but not to a server that decodes it first.
fn hides_dot_segment(segment: &str) -> bool {
    segment.contains('%')
        && percent_decode_str(segment)
            .collect::<Vec<u8>>()
            .split(|byte| matches!(byte, b'/' | b'\\'))
            .any(|part| part == b"." || part == b"..")
}
