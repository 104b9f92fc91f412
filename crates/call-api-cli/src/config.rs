//! The base URL and the token, from arguments, the environment, and profiles in a file.
//!
//! A setting is taken from the first source that has it: the arguments, a profile named in the arguments, the
//! environment, the default profile. A profile's token is sent only to that profile's base URL.

mod network;
mod show;

use std::collections::BTreeMap;
use std::env::{self, VarError};
use std::fmt;
use std::fs;
use std::io::{self, BufRead as _};
use std::path::{Path, PathBuf};

use call_api::transport::TokenFile;
use call_api::{BASE_URL_VARIABLE, Client, ClientBuilder, DEFAULT_BASE_URL, TOKEN_VARIABLE, Token};
use serde::{Deserialize, Deserializer};

use crate::error::CliError;
use crate::input;
use crate::settings::Settings;

pub(crate) use network::Network;
use network::{cacert, https_proxy, proxy};
pub(crate) use show::show;

/// The environment variable with the path of the token file.
pub(crate) const TOKEN_FILE_VARIABLE: &str = "CALL_API_TOKEN_FILE";

/// The environment variable with the name of a profile, unless one is named in the arguments.
pub(crate) const PROFILE_VARIABLE: &str = "CALL_API_PROFILE";

/// The profile used when none is named.
const DEFAULT_PROFILE: &str = "default";

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The name of the default profile.
    profile: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

/// A service and its token.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    base_url: Option<String>,
    token: Option<Secret>,
    token_file: Option<PathBuf>,
    proxy: Option<String>,
    cacert: Option<PathBuf>,
}

/// A token, hidden in messages.
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde's own error would quote the token.
        String::deserialize(deserializer)
            .map(Self)
            .map_err(|_| serde::de::Error::custom("the token must be a quoted string"))
    }
}

/// A setting and its source.
#[derive(Debug)]
struct Setting<T> {
    value: T,
    source: String,
}

/// The selected profile; an empty one if there is none.
struct NamedProfile {
    profile: Profile,
    /// True if it was named in the arguments, and so precedes the environment.
    is_named: bool,
    /// The name of the profile and its file, for messages.
    source: String,
    /// `None` if there is no profile.
    name: Option<String>,
    /// The source of the name.
    chosen_by: &'static str,
    /// The configuration file.
    path: PathBuf,
    has_file: bool,
}

impl NamedProfile {
    fn load(settings: &Settings, warnings: &mut Vec<String>) -> Result<Self, CliError> {
        let path = file_path().unwrap_or_else(|| PathBuf::from("~/.config/call-api/config.toml"));
        let at = path.display();
        let file = read_file(&path, warnings)?;
        let has_file = file.is_some();
        let mut file = file.unwrap_or_default();
        let of_file = file.profile.take();
        let (requested, chosen_by) = match (&settings.profile, variable(PROFILE_VARIABLE)?, of_file)
        {
            (Some(name), ..) => (Some(name.clone()), "--profile"),
            (None, Some(name), _) => (Some(name), PROFILE_VARIABLE),
            (None, None, Some(name)) => (Some(name), "the file"),
            (None, None, None) => (None, "default"),
        };
        let name = requested.as_deref().unwrap_or(DEFAULT_PROFILE);
        let mut has_profile = true;
        let profile = match file.profiles.remove(name) {
            Some(profile) => profile,
            None if requested.is_none() => {
                has_profile = false;
                Profile::default()
            }
            None if !has_file => {
                return Err(CliError::config(format!(
                    "no profile {name:?}: there is no file {at}; create it with a section [profiles.{name}] that has base_url and token_file"
                )));
            }
            None => {
                let others: Vec<_> = file.profiles.keys().map(String::as_str).collect();
                let others = match others.as_slice() {
                    [] => "none".to_owned(),
                    others => others.join(", "),
                };
                return Err(CliError::config(format!(
                    "no profile {name:?} in {at}; its profiles are: {others}"
                )));
            }
        };
        if profile.token.is_some() && profile.token_file.is_some() {
            return Err(CliError::config(format!(
                "profile {name:?} in {at} has both token and token_file; remove one of them"
            )));
        }
        Ok(Self {
            profile,
            is_named: settings.profile.is_some(),
            source: format!("profile {name:?} in {at}"),
            name: has_profile.then(|| name.to_owned()),
            chosen_by: if has_profile { chosen_by } else { "not set" },
            path,
            has_file,
        })
    }

    /// The base URL that the token of the profile is for.
    fn base_url(&self) -> &str {
        let base_url = self.profile.base_url.as_deref();
        base_url.or(DEFAULT_BASE_URL).unwrap_or_default()
    }

    /// Returns a path of the profile. A relative one starts at the folder of the file that has it, wherever the program is
    /// started.
    fn resolve(&self, path: PathBuf) -> PathBuf {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        folder.join(expand_home(path))
    }

    /// Returns the value of the profile or of the environment, whichever comes first.
    fn prefer<T>(&self, profile: Option<T>, environment: Option<Setting<T>>) -> Option<Setting<T>> {
        let profile = profile.map(|value| Setting {
            value,
            source: self.source.clone(),
        });
        match self.is_named {
            true => profile.or(environment),
            false => environment.or(profile),
        }
    }
}

fn base_url(settings: &Settings, profile: &NamedProfile) -> Result<Setting<String>, CliError> {
    let setting = |source: &str| {
        let source = source.to_owned();
        move |value| Setting { value, source }
    };
    let from_environment = variable(BASE_URL_VARIABLE)?.map(setting(BASE_URL_VARIABLE));
    let from_argument = settings.base_url.clone().map(setting("--base-url"));
    let base_url = from_argument
        .or_else(|| profile.prefer(profile.profile.base_url.clone(), from_environment));
    let of_document = DEFAULT_BASE_URL.map(str::to_owned);
    base_url
        .or_else(|| of_document.map(setting("the API document")))
        .ok_or_else(|| {
            CliError::config(format!(
                "no base URL is set, and the API document has none; set {BASE_URL_VARIABLE}, use --base-url URL, or add base_url to a profile in {}",
                profile.path.display()
            ))
        })
}

fn token(settings: &Settings, profile: &NamedProfile) -> Result<Setting<TokenSource>, CliError> {
    let setting = |value, source: &str| Setting {
        value,
        source: source.to_owned(),
    };
    if let Some(path) = &settings.token_file {
        let value = match input::is_dash(path) {
            true => TokenSource::StandardInput,
            false => TokenSource::File(path.clone()),
        };
        return Ok(setting(value, "--token-file"));
    }
    let from_environment = match variable(TOKEN_VARIABLE)? {
        Some(token) => Some(setting(TokenSource::Text(Secret(token)), TOKEN_VARIABLE)),
        None => variable(TOKEN_FILE_VARIABLE)?
            .map(|path| setting(TokenSource::File(path.into()), TOKEN_FILE_VARIABLE)),
    };
    let text = profile.profile.token.as_ref();
    let text = text.map(|Secret(token)| TokenSource::Text(Secret(token.clone())));
    let file = profile.profile.token_file.clone();
    let file = file.map(|file| TokenSource::File(profile.resolve(file)));
    profile.prefer(text.or(file), from_environment).ok_or_else(|| {
        CliError::config(format!(
            "no token is set; set {TOKEN_VARIABLE}, use --token-file FILE (`-` is standard input), or add token_file to a profile in {}",
            profile.path.display()
        ))
    })
}

/// Returns the token, unless it is that of a profile for another service.
fn token_for(
    base_url: &Setting<String>,
    settings: &Settings,
    profile: &NamedProfile,
) -> Result<Setting<TokenSource>, CliError> {
    let token = token(settings, profile)?;
    // The client reports what is not a URL.
    let is_url = url::Url::parse(&base_url.value).is_ok_and(|url| url.has_host());
    let is_of_profile = token.source == profile.source;
    if is_of_profile && is_url && !is_same_url(&base_url.value, profile.base_url()) {
        return Err(CliError::config(format!(
            "the token of {} is for {} and is not sent to the base URL from {}; set a token for it with {TOKEN_VARIABLE} or --token-file",
            profile.source,
            profile.base_url(),
            base_url.source
        )));
    }
    Ok(token)
}

/// Returns true if two base URLs are the same but for the case of the host, the default port, or a trailing slash.
fn is_same_url(one: &str, other: &str) -> bool {
    let parse = |url: &str| {
        let url = url::Url::parse(url).ok()?;
        Some(url.as_str().trim_end_matches('/').to_owned())
    };
    one == other || parse(one).is_some_and(|one| Some(one) == parse(other))
}

/// Removes the scheme of an `Authorization` header that was pasted with the token.
fn strip_scheme(token: &str) -> &str {
    // Editors of Windows begin files with a byte order mark.
    let token = token.trim_start_matches('\u{feff}').trim();
    let (scheme, rest) = token.split_once(' ').unwrap_or((token, ""));
    match scheme.eq_ignore_ascii_case("Bearer") {
        true => rest.trim_start(),
        false => token,
    }
}

/// The source of the token.
#[derive(Debug)]
enum TokenSource {
    Text(Secret),
    File(PathBuf),
    StandardInput,
}

/// The resolved settings.
#[derive(Debug)]
pub(crate) struct Config {
    base_url: Setting<String>,
    token: Setting<TokenSource>,
    proxy: Option<Setting<String>>,
    cacert: Option<Setting<PathBuf>>,
    /// Problems that do not prevent the use of the settings.
    pub(crate) warnings: Vec<String>,
}

impl Config {
    pub(crate) fn load(settings: &Settings) -> Result<Self, CliError> {
        let mut warnings = Vec::new();
        let profile = NamedProfile::load(settings, &mut warnings)?;
        let base_url = base_url(settings, &profile)?;
        let token = token_for(&base_url, settings, &profile)?;
        Ok(Self {
            base_url,
            token,
            proxy: proxy(settings, &profile),
            cacert: cacert(settings, &profile),
            warnings,
        })
    }

    /// Returns a client builder with these settings. Reads the token.
    pub(crate) fn client(&mut self, settings: &Settings) -> Result<ClientBuilder, CliError> {
        let mut builder = Client::builder().base_url(&self.base_url.value);
        builder = match &self.token.value {
            TokenSource::Text(token) => builder.token(strip_scheme(&token.0)),
            TokenSource::StandardInput => {
                let mut line = String::new();
                io::stdin().lock().read_line(&mut line).map_err(|error| {
                    CliError::config(format!(
                        "cannot read the token from standard input: {error}; pipe it in as one line"
                    ))
                })?;
                builder.token(strip_scheme(&line))
            }
            TokenSource::File(path) => {
                let unreadable = |error| {
                    CliError::config(format!(
                        "cannot read the token file {} from {}: {error}; check that it exists and is readable",
                        path.display(),
                        self.token.source
                    ))
                };
                let metadata = fs::metadata(path).map_err(unreadable)?;
                let text = fs::read_to_string(path).map_err(unreadable)?;
                let is_bare = strip_scheme(&text) == text.trim();
                let text = strip_scheme(&text).to_owned();
                // A bad token is reported now, not by the first request.
                Token::new(&text).map_err(|error| CliError::config(error.to_string()))?;
                // The provider sends the file as it is.
                if metadata.is_file() && is_bare {
                    self.warnings
                        .extend(permission_warning(path, &metadata, true));
                    // The file is read again when it changes. A pipe can be read only once.
                    let file = TokenFile::new(path);
                    builder.token_provider(file)
                } else {
                    builder.token(text)
                }
            }
        };
        if let Some(deadline) = settings.deadline {
            builder = builder.deadline(deadline);
        }
        if let Some(proxy) = &self.proxy {
            let proxy = https_proxy(proxy)?;
            let of_downloads = proxy.clone();
            builder = builder
                .configure_http(move |http| http.proxy(proxy.clone()))
                .configure_download_http(move |http| http.proxy(of_downloads.clone()));
        }
        if let Some(cacert) = &self.cacert {
            let pem = fs::read(&cacert.value).map_err(|error| {
                CliError::config(format!(
                    "cannot read the certificates {} from {}: {error}; check that the file exists and is readable",
                    cacert.value.display(),
                    cacert.source
                ))
            })?;
            builder = builder.root_certificates(pem);
        }
        Ok(builder)
    }

    pub(crate) fn network(&self) -> Network {
        Network {
            proxy: self.proxy.as_ref().map(|proxy| proxy.value.clone()),
            cacert: self.cacert.as_ref().map(|cacert| cacert.value.clone()),
        }
    }

    /// Returns the sources of the base URL and the token.
    pub(crate) fn sources(&self) -> String {
        let proxy = crate::process::proxy_for(&self.base_url.value);
        let proxy = proxy.map_or_else(String::new, |source| format!(", proxy from {source}"));
        format!(
            "base URL from {}, token from {}{proxy}",
            self.base_url.source, self.token.source
        )
    }

    pub(crate) fn reads_standard_input(&self) -> bool {
        matches!(self.token.value, TokenSource::StandardInput)
    }
}

fn variable(name: &str) -> Result<Option<String>, CliError> {
    match env::var(name) {
        // As usual, an empty variable counts as unset.
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(CliError::config(format!(
            "the environment variable {name} is not valid UTF-8"
        ))),
    }
}

/// Returns `$XDG_CONFIG_HOME/call-api/config.toml`; without that variable the folder is `~/.config`.
fn file_path() -> Option<PathBuf> {
    Some(folder("XDG_CONFIG_HOME", ".config")?.join("config.toml"))
}

/// Returns `$XDG_STATE_HOME/call-api`; without that variable the folder is `~/.local/state`.
#[cfg(feature = "object-store")]
pub(crate) fn state_folder() -> Option<PathBuf> {
    folder("XDG_STATE_HOME", ".local/state")
}

/// Returns the program's folder below the one in a variable, or else below one of the home folder.
fn folder(variable: &str, of_home: &str) -> Option<PathBuf> {
    let folder = match env::var_os(variable).map(PathBuf::from) {
        Some(folder) if folder.is_absolute() => folder,
        _ => env::home_dir()?.join(of_home),
    };
    Some(folder.join("call-api"))
}

/// Expands a leading `~/` to the home folder.
fn expand_home(path: PathBuf) -> PathBuf {
    match (path.strip_prefix("~"), env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    }
}

fn read_file(path: &Path, warnings: &mut Vec<String>) -> Result<Option<File>, CliError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(CliError::config(format!(
                "cannot read {}: {error}; check its permissions",
                path.display()
            )));
        }
    };
    let file: File = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| {
            1 + text
                .bytes()
                .take(span.start)
                .filter(|byte| *byte == b'\n')
                .count()
        });
        // Serde would report the type of `profile`, which is the name of a profile.
        if let Some(name) = misspelled_profile(&text) {
            let message = format!(
                "{}: unknown section [profile.{name}]; did you mean [profiles.{name}]?",
                path.display()
            );
            return CliError::config(message);
        }
        let message = redact_quoted(error.message()).replace('\n', "; ");
        CliError::config(format!(
            "{}:{line}: {message}; see `call-api man`",
            path.display()
        ))
    })?;
    if let Ok(metadata) = fs::metadata(path) {
        let holds_token = file
            .profiles
            .values()
            .any(|profile| profile.token.is_some());
        warnings.extend(permission_warning(path, &metadata, holds_token));
    }
    Ok(Some(file))
}

/// Returns the name of the first profile in a section `profile` instead of `profiles`. The file may not be valid otherwise,
/// because `profile` is also the name of the default profile.
fn misspelled_profile(text: &str) -> Option<&str> {
    let mut sections = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("[profile."));
    Some(sections.next()?.split_once(']')?.0)
}

/// Removes quoted text from an error of the TOML parser, because it may be a token.
fn redact_quoted(message: &str) -> String {
    match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) if first < last => {
            format!("{}…{}", &message[..=first], &message[last..])
        }
        _ => message.to_owned(),
    }
}

/// Returns a warning if other users can read a token or change where it is sent.
#[cfg(unix)]
fn permission_warning(path: &Path, metadata: &fs::Metadata, holds_token: bool) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = metadata.permissions().mode();
    let can = match (mode & 0o022 != 0, mode & 0o044 != 0 && holds_token) {
        (false, false) => return None,
        (true, false) => "write",
        (false, true) => "read",
        (true, true) => "read and write",
    };
    let path = path.display();
    let what = if holds_token {
        ", which holds a token"
    } else {
        ""
    };
    Some(format!(
        "other users can {can} {path}{what}; run: chmod 600 {path}"
    ))
}

/// Other systems have no mode bits.
#[cfg(not(unix))]
fn permission_warning(_: &Path, _: &fs::Metadata, _: bool) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_compared_normalized() {
        for other in [
            "https://calls.example",
            "https://calls.example/",
            "HTTPS://Calls.Example:443",
        ] {
            assert!(is_same_url("https://calls.example", other), "{other}");
        }
        for other in [
            "http://calls.example",
            "https://calls.example:444",
            "https://calls.example/v2",
            "https://calls.example.org",
        ] {
            assert!(!is_same_url("https://calls.example", other), "{other}");
        }
    }

    #[test]
    fn bearer_scheme_is_removed_from_a_token() {
        for token in ["abc", "Bearer abc", "bearer  abc\n", " abc "] {
            assert_eq!(strip_scheme(token), "abc", "{token:?}");
        }
        assert_eq!(strip_scheme("Bearerabc"), "Bearerabc");
        // A variable in it was empty.
        assert_eq!(strip_scheme("Bearer "), "");
    }

    #[test]
    fn parse_error_does_not_quote_the_file() {
        for (text, expected) in [
            (
                "[profiles]\ntoken = \"canary\"",
                "invalid type: string \"…\", expected struct Profile",
            ),
            ("token = \"canary\"", "unknown field `token`"),
        ] {
            let message = match toml::from_str::<File>(text) {
                Ok(file) => panic!("{file:?}"),
                Err(error) => redact_quoted(error.message()),
            };
            assert!(message.starts_with(expected), "{message}");
            assert!(!message.contains("canary"), "{message}");
        }
    }
}
