//! The name of a standalone SDK: of its crates, environment variables, `User-Agent` and tracing targets.

use std::fmt;

use heck::ToShoutySnakeCase as _;

use crate::layout::PROJECT;

/// The longest name that leaves room for `-transport` in the 64 characters of a package name.
const MAX_LENGTH: usize = 54;

/// Crates of Rust itself, words with a meaning in `use` paths or for cargo, and names of devices on Windows.
const RESERVED: [&str; 24] = [
    "alloc",
    "aux",
    "build",
    "con",
    "core",
    "crate",
    "debug",
    "deps",
    "examples",
    "incremental",
    "nul",
    "prelude",
    "prn",
    "proc_macro",
    "release",
    "rust",
    "rustc",
    "self",
    "src",
    "std",
    "super",
    "target",
    "test",
    "tests",
];

/// The crates that a generated crate names in paths: as the SDK's own name, they would be ambiguous.
const DEPENDENCIES: [&str; 34] = [
    "base64",
    "bytes",
    "chrono",
    "fastrand",
    "futures",
    "futures-core",
    "governor",
    "h2",
    "hmac-sha256",
    "http",
    "http-body",
    "httpdate",
    "httpmock",
    "hyper",
    "md5",
    "memchr",
    "native-tls",
    "percent-encoding",
    "progenitor",
    "rand",
    "regex",
    "regress",
    "reqwest",
    "rustls",
    "serde",
    "serde_json",
    "serde_path_to_error",
    "serde_urlencoded",
    "thiserror",
    "tokio",
    "tracing",
    "url",
    "uuid",
    "zeroize",
];

/// Words at either end of a title that say what every document is.
const NOISE: [&str; 16] = [
    "a",
    "an",
    "api",
    "apis",
    "definition",
    "fastapi",
    "for",
    "http",
    "openapi",
    "rest",
    "restful",
    "sdk",
    "spec",
    "specification",
    "swagger",
    "the",
];

/// A valid name of an SDK, such as `acme` or `acme-voice`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SdkName(String);

impl SdkName {
    /// Validates a name.
    ///
    /// # Errors
    /// Errors with the reason if no crate can have the name.
    pub fn new(name: &str) -> Result<Self, String> {
        let word = name.to_ascii_lowercase().replace('-', "_");
        let is_among = |list: &[&str]| list.iter().any(|other| other.replace('-', "_") == word);
        let reason = if name.is_empty() {
            "it is empty".to_owned()
        } else if let Some(found) = name.chars().find(|found| {
            !found.is_ascii_lowercase() && !found.is_ascii_digit() && !matches!(found, '-' | '_')
        }) {
            format!("it has {found:?}, and may have only a-z, 0-9, `-` and `_`")
        } else if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
            "it does not begin with a letter".to_owned()
        } else if name.ends_with(['-', '_']) {
            "it ends with a separator".to_owned()
        } else if name.len() > MAX_LENGTH {
            format!("it has more than {MAX_LENGTH} characters")
        } else if syn::parse_str::<syn::Ident>(&word).is_err() || word == "gen" {
            "it is a keyword of Rust".to_owned()
        } else if is_among(&RESERVED) {
            "Rust or cargo reserves it".to_owned()
        } else if is_among(&DEPENDENCIES) {
            "the SDK depends on a crate of this name".to_owned()
        } else {
            return Ok(Self(name.to_owned()));
        };
        Err(reason)
    }

    /// Returns the name of this project.
    pub fn of_project() -> Self {
        Self(PROJECT.to_owned())
    }

    /// Makes a name of a document's title: its words in lower case, without `API`, `REST`, versions and the like at
    /// either end.
    ///
    /// # Errors
    /// Errors with the reason if the title gives no valid name.
    pub fn from_title(title: &str) -> Result<Self, String> {
        let title = title.to_lowercase().replace(['\'', '’'], "");
        let is_separator = |c: char| !c.is_alphanumeric() && c != '.';
        let words: Vec<&str> = title
            .split(is_separator)
            .map(|word| word.trim_matches('.'))
            .filter(|word| !word.is_empty())
            .collect();
        let is_noise = |word: &&str| NOISE.contains(word) || is_version(word);
        let words = match words.iter().position(|word| !is_noise(word)) {
            Some(first) => {
                let last = words.iter().rposition(|word| !is_noise(word));
                &words[first..=last.unwrap_or(first)]
            }
            None => return Err("no word in it names the API".to_owned()),
        };
        let name = words.join("-").replace('.', "-");
        Self::new(&name).map_err(|reason| format!("`{name}` cannot be the name: {reason}"))
    }

    /// Returns the name of a crate's package: `part` is `""` for the facade, else such as `client`.
    pub fn package(&self, part: &str) -> String {
        let separator = if self.0.contains('_') { '_' } else { '-' };
        match part {
            "" => self.0.clone(),
            part => format!("{}{separator}{part}", self.0),
        }
    }

    /// Returns the name in Rust paths: `acme_voice`.
    pub fn identifier(&self) -> String {
        self.0.replace('-', "_")
    }

    /// Returns the beginning of the environment variables: `ACME_VOICE`.
    pub fn variable(&self) -> String {
        self.0.to_shouty_snake_case()
    }
}

impl fmt::Display for SdkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns true for `v2`, `3.0` and `v1.2.3`; a plain number may be part of a name.
fn is_version(word: &str) -> bool {
    let number = word.strip_prefix('v').unwrap_or(word);
    (number != word || number.contains('.'))
        && number.starts_with(|first: char| first.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_digit() || c == '.')
}
