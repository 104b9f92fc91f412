//! Redaction of secrets in error responses, which are logged: some services repeat the token in them.

use url::Url;
use zeroize::Zeroizing;

use crate::operation::Auth;
use crate::token::{Credentials, Token};

/// The replacement.
const STARS: &str = "***";

/// Shorter texts are not secret, and would be found in every other word.
const SHORTEST: usize = 4;

/// Shorter values of a query are options, not signatures.
const SHORTEST_QUERY_VALUE: usize = 16;

/// Returns the URL without credentials. Of a URL that is itself content, such as `data:`, returns only the scheme.
pub(crate) fn loggable(url: &Url) -> Url {
    if url.cannot_be_a_base()
        && let Ok(scheme) = Url::parse(&format!("{}:", url.scheme()))
    {
        return scheme;
    }
    let mut url = url.clone();
    if !url.username().is_empty() || url.password().is_some() {
        // Both fail only for URLs that cannot have credentials.
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    url
}

/// The texts that a service could repeat.
#[derive(Default)]
pub(crate) struct Secrets<'a> {
    /// Tokens, and passwords of HTTP Basic.
    plain: Vec<&'a str>,
    /// Tokens in the encoding of HTTP Basic.
    encoded: Vec<Zeroizing<String>>,
    /// The values of a query, which may be a signature.
    query: Vec<&'a str>,
}

impl<'a> Secrets<'a> {
    /// Returns the token that was issued for an operation, and its other credentials.
    pub(crate) fn of(token: Option<&'a Token>, auth: Auth, credentials: &'a Credentials) -> Self {
        let mut secrets = Self::default();
        if let Some(token) = token {
            secrets.add(token, auth);
        }
        for (token, auth) in credentials.others(auth) {
            secrets.add(token, auth);
        }
        secrets
    }

    fn add(&mut self, token: &'a Token, auth: Auth) {
        self.plain.push(token.secret());
        if auth.place() == Auth::Basic {
            let password = token.secret().split_once(':').map(|(_, after)| after);
            self.plain.extend(password);
            self.encoded.push(token.encoded());
        }
    }

    /// Adds the values of the query of `url`, which may sign it.
    pub(crate) fn with_query(mut self, url: &'a Url) -> Self {
        let pairs = url.query().unwrap_or_default().split('&');
        let values = pairs.filter_map(|pair| pair.split_once('='));
        let values = values.map(|(_, value)| value);
        self.query = values
            .filter(|value| value.len() >= SHORTEST_QUERY_VALUE)
            .collect();
        self
    }

    /// Replaces each secret.
    pub(crate) fn hide_in(&self, text: &mut String) {
        let hidden = self.hide(text.as_bytes(), false);
        if let Some(hidden) = hidden.and_then(|hidden| String::from_utf8(hidden).ok()) {
            *text = hidden;
        }
    }

    /// Returns the text with each secret replaced, or `None` if it has none. If `cut` is true, the text was truncated, and
    /// the start of a secret at its end counts, too.
    pub(crate) fn hide(&self, text: &[u8], cut: bool) -> Option<Vec<u8>> {
        let encoded = self.encoded.iter().map(|encoded| encoded.as_str());
        let plain = self.plain.iter().chain(&self.query).copied();
        let secrets: Vec<_> = plain
            .chain(encoded)
            .filter(|secret| secret.len() >= SHORTEST)
            .collect();
        let mut hidden = Vec::new();
        let mut copied = 0;
        let mut at = 0;
        while at < text.len() {
            let lengths = (secrets.iter()).filter_map(|secret| spelled(&text[at..], secret, cut));
            match lengths.max().unwrap_or(0) {
                0 => at += 1,
                length => {
                    hidden.extend_from_slice(&text[copied..at]);
                    hidden.extend_from_slice(STARS.as_bytes());
                    at += length;
                    copied = at;
                }
            }
        }
        if copied == 0 {
            return None;
        }
        hidden.extend_from_slice(&text[copied..]);
        Some(hidden)
    }
}

/// Returns how many bytes of the text the secret takes at its beginning, in any case (hosts are in lower case), each
/// character plain or as JSON or a URL escape it.
fn spelled(text: &[u8], secret: &str, cut: bool) -> Option<usize> {
    let mut at = 0;
    for byte in secret.bytes() {
        let rest = &text[at..];
        if cut && at > 0 && may_go_on(rest) {
            return Some(text.len());
        }
        at += character(rest, byte)?;
    }
    Some(at)
}

/// Returns true if the text ends before its next character: it is empty, or the beginning of an escape.
fn may_go_on(text: &[u8]) -> bool {
    match text {
        [] | [b'\\'] | [b'%'] | [b'%', _] => true,
        [b'\\', b'u', digits @ ..] => digits.len() < 4,
        _ => false,
    }
}

fn character(text: &[u8], byte: u8) -> Option<usize> {
    let is_hex = |digits: Option<&[u8]>| {
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        digits.is_some_and(|digits| {
            u8::from_str_radix(digits, 16).is_ok_and(|code| code.eq_ignore_ascii_case(&byte))
        })
    };
    match text {
        [b'\\', b'u', b'0', b'0', ..] if is_hex(text.get(4..6)) => Some(6),
        [b'%', ..] if is_hex(text.get(1..3)) => Some(3),
        [b'\\', escaped, ..] if *escaped == byte => Some(2),
        [first, ..] if first.eq_ignore_ascii_case(&byte) => Some(1),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secrets(token: &Token, auth: Auth) -> Secrets<'_> {
        let mut secrets = Secrets::default();
        secrets.add(token, auth);
        secrets
    }

    fn hide(secret: &str, auth: Auth, text: &str, cut: bool) -> Option<String> {
        let token = Token::new(secret).unwrap();
        let hidden = secrets(&token, auth).hide(text.as_bytes(), cut)?;
        Some(String::from_utf8(hidden).unwrap())
    }

    #[test]
    fn secret_is_found_in_every_escaped_form() {
        for (text, wanted) in [
            ("no s3cret/+\" here", "no *** here"),
            (r#"{"detail": "s3cret\/+\" is"}"#, r#"{"detail": "*** is"}"#),
            (r"a s3cret\u002F\u002b\u0022 b", "a *** b"),
            ("?key=s3cret%2F%2b%22&a=b", "?key=***&a=b"),
            ("S3CRET/+\"", "***"),
            ("s3cret/+\"s3cret/+\"!", "******!"),
            ("s3s3cret/+\"", "s3***"),
        ] {
            let hidden = hide("s3cret/+\"", Auth::Bearer, text, false);
            assert_eq!(hidden.as_deref(), Some(wanted), "{text}");
        }
        for text in [
            "",
            "s3cret",
            "s3cret/",
            "s3cret%2",
            r"s3cret\u00",
            "s3cret/+ \"",
        ] {
            assert_eq!(
                hide("s3cret/+\"", Auth::Bearer, text, false),
                None,
                "{text}"
            );
        }
        assert_eq!(
            hide(r"a\\b", Auth::Bearer, r"x a\\\\b", false).unwrap(),
            "x ***"
        );
    }

    #[test]
    fn start_of_a_secret_is_hidden_at_the_end_of_truncated_text() {
        let hidden = |text: &str, cut| hide("s3cret", Auth::Bearer, text, cut);
        assert_eq!(hidden("it is s3cr", true).unwrap(), "it is ***");
        for escape in [r"\", r"\u", r"\u0", r"\u00", r"\u006", "%", "%6"] {
            let text = format!("it is s3cr{escape}");
            assert_eq!(hidden(&text, true).unwrap(), "it is ***", "{text}");
            assert_eq!(hidden(&text, false), None, "{text}");
            assert_eq!(hidden(&format!("it is {escape}"), true), None, "{escape}");
        }
        assert_eq!(hidden(r"it is s3cr\u0066", true), None);
        assert_eq!(hidden("it is s3cr", false), None);
        assert_eq!(hidden("it is s3cr.", true), None);
        assert_eq!(hidden("", true), None);
    }

    #[test]
    fn basic_has_three_secrets_and_short_texts_are_not_hidden() {
        let hidden = |text| hide("user:hunter2", Auth::Basic, text, false);
        for text in ["user:hunter2", "hunter2", "dXNlcjpodW50ZXIy"] {
            assert!(hidden(text).unwrap().ends_with("***"), "{text}");
        }
        assert_eq!(hidden("user"), None);
        assert_eq!(hide("user:abc", Auth::Basic, "abc", false), None);
        assert_eq!(hide("abc", Auth::Bearer, "abc", false), None);
        assert_eq!(hide("abcd", Auth::Bearer, "abcd", false).unwrap(), "***");
    }

    #[test]
    fn long_query_values_are_hidden() {
        let url = Url::parse("https://a.example/b?part=7&sig=0123456789abcdef%2B").unwrap();
        let secrets = Secrets::default().with_query(&url);
        let hidden = secrets.hide(b"part 7, sig 0123456789abcdef%2B", false);
        assert_eq!(hidden.unwrap(), b"part 7, sig ***");
    }

    #[test]
    fn loggable_urls_have_neither_credentials_nor_content() {
        for (url, wanted) in [
            ("https://user:pw@a.example/b?c=d", "https://a.example/b?c=d"),
            ("data:audio/wav;base64,c2VjcmV0", "data:"),
            ("https://a.example/b", "https://a.example/b"),
        ] {
            assert_eq!(loggable(&Url::parse(url).unwrap()).as_str(), wanted);
        }
    }

    proptest! {
        #[test]
        fn only_the_secret_is_replaced(
            secret in "[a-f0-9]{4,12}", before in "[g-z {}\":]{0,20}", after in "[g-z {}\":]{0,20}",
        ) {
            let text = format!("{before}{secret}{after}");
            let hidden = hide(&secret, Auth::Bearer, &text, false);
            prop_assert_eq!(hidden, Some(format!("{before}***{after}")));
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(text in prop::collection::vec(any::<u8>(), 0..60), cut in any::<bool>()) {
            let token = Token::new(r"%\u0/").unwrap();
            let _ = secrets(&token, Auth::Basic).hide(&text, cut);
        }
    }
}
