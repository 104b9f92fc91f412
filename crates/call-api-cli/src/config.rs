//! The base URL and the token, from arguments, the environment, and profiles in a file.
//!
//! A setting is taken from the first source that has it: the arguments, a profile named in the arguments, the
//! environment, the default profile. A profile's token is sent only to that profile's base URL.

use std::collections::BTreeMap;
use std::env::{self, VarError};
use std::fmt;
use std::fs;
use std::io::{self, BufRead as _};
use std::path::{Path, PathBuf};

use call_api::transport::TokenFile;
use call_api::{BASE_URL_VARIABLE, Client, ClientBuilder, DEFAULT_BASE_URL, TOKEN_VARIABLE, Token};
use serde::{Deserialize, Deserializer};

use crate::args::Settings;
use crate::error::CliError;

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
    /// Problems that do not prevent the use of the settings.
    pub(crate) warnings: Vec<String>,
}

impl Config {
    pub(crate) fn load(settings: &Settings) -> Result<Self, CliError> {
        let path = file_path();
        let mut warnings = Vec::new();
        let file = match &path {
            Some(path) => read_file(path, &mut warnings)?,
            None => None,
        };
        let has_file = file.is_some();
        let mut file = file.unwrap_or_default();
        let at = path.as_deref().map_or_else(
            || "~/.config/call-api/config.toml".into(),
            Path::to_string_lossy,
        );

        let named_profile = settings.profile.clone();
        let profile_name = match named_profile.clone() {
            Some(name) => Some(name),
            None => variable(PROFILE_VARIABLE)?.or_else(|| file.profile.take()),
        };
        let name = profile_name
            .clone()
            .unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
        let profile = match file.profiles.remove(&name) {
            Some(profile) => profile,
            None if profile_name.is_none() => Profile::default(),
            None if !has_file => {
                return Err(CliError::config(format!(
                    "no profile {name:?}: there is no file {at}; create it with a section [profiles.{name}] that has base_url and token_file"
                )));
            }
            None => {
                let others: Vec<_> = file.profiles.keys().map(String::as_str).collect();
                return Err(CliError::config(format!(
                    "no profile {name:?} in {at}; its profiles are: {}",
                    if others.is_empty() {
                        "none".to_owned()
                    } else {
                        others.join(", ")
                    }
                )));
            }
        };
        let in_profile = format!("profile {name:?} in {at}");

        let from_flag = |value: &Option<String>, flag: &str| {
            value.clone().map(|value| Setting {
                value,
                source: flag.to_owned(),
            })
        };
        let from_profile = profile.base_url.clone().map(|value| Setting {
            value,
            source: in_profile.clone(),
        });
        let from_environment = variable(BASE_URL_VARIABLE)?.map(|value| Setting {
            value,
            source: BASE_URL_VARIABLE.to_owned(),
        });
        let base_url = from_flag(&settings.base_url, "--base-url")
            .or(if named_profile.is_some() {
                from_profile.or(from_environment)
            } else {
                from_environment.or(from_profile)
            })
            .unwrap_or_else(|| Setting {
                value: DEFAULT_BASE_URL.unwrap_or_default().to_owned(),
                source: "the API document".to_owned(),
            });

        let from_argument = settings.token_file.as_ref().map(|path| Setting {
            value: match path.as_os_str() == "-" {
                true => TokenSource::StandardInput,
                false => TokenSource::File(path.clone()),
            },
            source: "--token-file".to_owned(),
        });
        let from_environment = match variable(TOKEN_VARIABLE)? {
            Some(token) => Some(Setting {
                value: TokenSource::Text(Secret(token)),
                source: TOKEN_VARIABLE.to_owned(),
            }),
            None => variable(TOKEN_FILE_VARIABLE)?.map(|path| Setting {
                value: TokenSource::File(path.into()),
                source: TOKEN_FILE_VARIABLE.to_owned(),
            }),
        };
        let from_profile = match (profile.token, profile.token_file) {
            (Some(_), Some(_)) => {
                return Err(CliError::config(format!(
                    "{in_profile} has both token and token_file; remove one of them"
                )));
            }
            (Some(token), None) => Some(TokenSource::Text(token)),
            (None, Some(path)) => Some(TokenSource::File(expand_home(path))),
            (None, None) => None,
        };
        let from_profile = from_profile.map(|value| Setting {
            value,
            source: in_profile.clone(),
        });
        let profile_base_url = profile
            .base_url
            .as_deref()
            .or(DEFAULT_BASE_URL)
            .unwrap_or_default();
        let (first, second) = match named_profile.is_some() {
            true => (from_profile, from_environment),
            false => (from_environment, from_profile),
        };
        let token = from_argument.or(first).or(second).ok_or_else(|| {
            CliError::config(format!(
                "no token is set; set {TOKEN_VARIABLE}, use --token-file FILE (`-` is standard input), or add token_file to a profile in {at}"
            ))
        })?;
        if token.source == in_profile && base_url.value != profile_base_url {
            return Err(CliError::config(format!(
                "the token of {in_profile} is for {profile_base_url} and is not sent to the base URL from {}; set a token for it with {TOKEN_VARIABLE} or --token-file",
                base_url.source
            )));
        }
        Ok(Self {
            base_url,
            token,
            warnings,
        })
    }

    /// Returns a client builder with these settings. Reads the token.
    pub(crate) fn client(&mut self, settings: &Settings) -> Result<ClientBuilder, CliError> {
        let mut builder = Client::builder().base_url(&self.base_url.value);
        builder = match &self.token.value {
            TokenSource::Text(token) => builder.token(&token.0),
            TokenSource::StandardInput => {
                let mut line = String::new();
                io::stdin().lock().read_line(&mut line).map_err(|error| {
                    CliError::config(format!(
                        "cannot read the token from standard input: {error}; pipe it in as one line"
                    ))
                })?;
                builder.token(line.trim_end())
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
                // A bad token is reported now, not by the first request.
                let token = Token::new(text.trim_end())
                    .map_err(|error| CliError::config(error.to_string()))?;
                if metadata.is_file() {
                    self.warnings
                        .extend(permission_warning(path, &metadata, true));
                    // The file is read again when it changes. A pipe can be read only once.
                    let file = TokenFile::new(path);
                    builder.token_provider(file)
                } else {
                    builder.transport(|transport| transport.token(token))
                }
            }
        };
        if let Some(deadline) = settings.deadline {
            builder = builder.deadline(deadline);
        }
        Ok(builder)
    }

    /// Returns the sources of the base URL and the token.
    pub(crate) fn sources(&self) -> String {
        format!(
            "base URL from {}, token from {}",
            self.base_url.source, self.token.source
        )
    }

    pub(crate) fn reads_standard_input(&self) -> bool {
        matches!(self.token.value, TokenSource::StandardInput)
    }
}

fn variable(name: &str) -> Result<Option<String>, CliError> {
    match env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(CliError::config(format!(
            "the environment variable {name} is not valid UTF-8"
        ))),
    }
}

/// Returns `$XDG_CONFIG_HOME/call-api/config.toml`; without that variable the folder is `~/.config`.
fn file_path() -> Option<PathBuf> {
    let folder = match env::var_os("XDG_CONFIG_HOME").map(PathBuf::from) {
        Some(folder) if folder.is_absolute() => folder,
        _ => env::home_dir()?.join(".config"),
    };
    Some(folder.join("call-api").join("config.toml"))
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
