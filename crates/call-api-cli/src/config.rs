//! Where the service is and with what token to ask: from arguments, the environment, and profiles in a file.
//!
//! Each setting is taken from the first place that has it: the arguments, a profile that was named in them, the
//! environment, the default profile. A profile's token goes to that profile's base URL only.

use std::collections::BTreeMap;
use std::env::{self, VarError};
use std::fmt;
use std::fs;
use std::io::{self, BufRead as _};
use std::path::{Path, PathBuf};

use call_api::transport::TokenFile;
use call_api::{BASE_URL_VARIABLE, Client, ClientBuilder, DEFAULT_BASE_URL, TOKEN_VARIABLE};
use serde::{Deserialize, Deserializer};

use crate::args::Settings;
use crate::failure::Failure;

/// The environment variable with the path of a file that holds the token.
pub(crate) const TOKEN_FILE_VARIABLE: &str = "CALL_API_TOKEN_FILE";

/// The environment variable with the name of the profile to use where none is named in the arguments.
pub(crate) const PROFILE_VARIABLE: &str = "CALL_API_PROFILE";

/// The profile where none is named anywhere.
const DEFAULT_PROFILE: &str = "default";

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The name of the profile to use where none is named elsewhere.
    profile: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

/// One service and what to ask it with.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    base_url: Option<String>,
    token: Option<Secret>,
    token_file: Option<PathBuf>,
}

/// A token, which no message shows.
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The error that comes by itself would quote the token.
        String::deserialize(deserializer)
            .map(Self)
            .map_err(|_| serde::de::Error::custom("the token must be a text in quotes"))
    }
}

/// A setting, and where it comes from.
#[derive(Debug)]
struct Setting<T> {
    value: T,
    place: String,
}

/// Where the token is.
#[derive(Debug)]
enum TokenAt {
    Text(Secret),
    File(PathBuf),
    StandardInput,
}

/// What to connect with.
#[derive(Debug)]
pub(crate) struct Config {
    base_url: Setting<String>,
    token: Setting<TokenAt>,
    /// What is not wrong, but should be otherwise.
    pub(crate) warnings: Vec<String>,
}

impl Config {
    pub(crate) fn load(settings: &Settings) -> Result<Self, Failure> {
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

        let named = settings.profile.clone();
        let wanted = match named.clone() {
            Some(name) => Some(name),
            None => variable(PROFILE_VARIABLE)?.or_else(|| file.profile.take()),
        };
        let name = wanted.clone().unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
        let profile = match file.profiles.remove(&name) {
            Some(profile) => profile,
            None if wanted.is_none() => Profile::default(),
            None if !has_file => {
                return Err(Failure::config(format!(
                    "there is no profile {name:?}, since there is no file {at}; write it, with [profiles.{name}] and its base_url and token_file"
                )));
            }
            None => {
                let others: Vec<_> = file.profiles.keys().map(String::as_str).collect();
                return Err(Failure::config(format!(
                    "there is no profile {name:?} in {at}; it has: {}",
                    if others.is_empty() {
                        "none".to_owned()
                    } else {
                        others.join(", ")
                    }
                )));
            }
        };
        let in_profile = format!("profile {name:?} in {at}");

        let argument = |value: &Option<String>, flag: &str| {
            value.clone().map(|value| Setting {
                value,
                place: flag.to_owned(),
            })
        };
        let of_profile = profile.base_url.clone().map(|value| Setting {
            value,
            place: in_profile.clone(),
        });
        let of_environment = variable(BASE_URL_VARIABLE)?.map(|value| Setting {
            value,
            place: BASE_URL_VARIABLE.to_owned(),
        });
        let base_url = argument(&settings.base_url, "--base-url")
            .or(if named.is_some() {
                of_profile.or(of_environment)
            } else {
                of_environment.or(of_profile)
            })
            .unwrap_or_else(|| Setting {
                value: DEFAULT_BASE_URL.to_owned(),
                place: "the API's document".to_owned(),
            });

        let of_argument = settings.token_file.as_ref().map(|path| Setting {
            value: match path.as_os_str() == "-" {
                true => TokenAt::StandardInput,
                false => TokenAt::File(path.clone()),
            },
            place: "--token-file".to_owned(),
        });
        let of_environment = match variable(TOKEN_VARIABLE)? {
            Some(token) => Some(Setting {
                value: TokenAt::Text(Secret(token)),
                place: TOKEN_VARIABLE.to_owned(),
            }),
            None => variable(TOKEN_FILE_VARIABLE)?.map(|path| Setting {
                value: TokenAt::File(path.into()),
                place: TOKEN_FILE_VARIABLE.to_owned(),
            }),
        };
        let of_profile = match (profile.token, profile.token_file) {
            (Some(_), Some(_)) => {
                return Err(Failure::config(format!(
                    "{in_profile} has both token and token_file; leave one of them out"
                )));
            }
            (Some(token), None) => Some(TokenAt::Text(token)),
            (None, Some(path)) => Some(TokenAt::File(in_home(path))),
            (None, None) => None,
        };
        let of_profile = of_profile.map(|value| Setting {
            value,
            place: in_profile.clone(),
        });
        let goes_with = profile.base_url.as_deref().unwrap_or(DEFAULT_BASE_URL);
        let (first, second) = match named.is_some() {
            true => (of_profile, of_environment),
            false => (of_environment, of_profile),
        };
        let token = of_argument.or(first).or(second).ok_or_else(|| {
            Failure::config(format!(
                "there is no token; set {TOKEN_VARIABLE}, give --token-file FILE (`-` is standard input), or write token_file into a profile of {at}"
            ))
        })?;
        if token.place == in_profile && base_url.value != goes_with {
            return Err(Failure::config(format!(
                "the token of {in_profile} is for {goes_with} and is not sent to the base URL of {}; give a token for that: {TOKEN_VARIABLE} or --token-file",
                base_url.place
            )));
        }
        Ok(Self {
            base_url,
            token,
            warnings,
        })
    }

    /// A client with these settings. Reads the token.
    pub(crate) fn client(&mut self, settings: &Settings) -> Result<ClientBuilder, Failure> {
        let mut builder = Client::builder().base_url(&self.base_url.value);
        builder = match &self.token.value {
            TokenAt::Text(token) => builder.token(&token.0),
            TokenAt::StandardInput => {
                let mut line = String::new();
                io::stdin().lock().read_line(&mut line).map_err(|error| {
                    Failure::config(format!(
                        "the token cannot be read from standard input: {error}; pipe it in, as one line"
                    ))
                })?;
                builder.token(line.trim_end())
            }
            TokenAt::File(path) => {
                let unreadable = |error| {
                    Failure::config(format!(
                        "the token file {} of {} cannot be read: {error}; check that it exists and who may read it",
                        path.display(),
                        self.token.place
                    ))
                };
                let metadata = fs::metadata(path).map_err(unreadable)?;
                let text = fs::read_to_string(path).map_err(unreadable)?;
                let builder = builder.token(text.trim_end());
                if metadata.is_file() {
                    self.warnings.extend(open_to_others(path, &metadata, true));
                    // Read again where it changes. A pipe gives its token once.
                    let file = TokenFile::new(path);
                    builder.token_provider(file)
                } else {
                    builder
                }
            }
        };
        if let Some(deadline) = settings.deadline {
            builder = builder.deadline(deadline);
        }
        Ok(builder)
    }

    /// Where the base URL and the token come from, for `doctor`.
    pub(crate) fn places(&self) -> String {
        format!(
            "base URL from {}, token from {}",
            self.base_url.place, self.token.place
        )
    }

    pub(crate) fn reads_standard_input(&self) -> bool {
        matches!(self.token.value, TokenAt::StandardInput)
    }
}

fn variable(name: &str) -> Result<Option<String>, Failure> {
    match env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Failure::config(format!(
            "the environment variable {name} is not UTF-8; set it to text"
        ))),
    }
}

/// `$XDG_CONFIG_HOME/call-api/config.toml`, or in `~/.config` where that is not set.
fn file_path() -> Option<PathBuf> {
    let folder = match env::var_os("XDG_CONFIG_HOME").map(PathBuf::from) {
        Some(folder) if folder.is_absolute() => folder,
        _ => env::home_dir()?.join(".config"),
    };
    Some(folder.join("call-api").join("config.toml"))
}

/// A path that begins with `~/`, in the home folder.
fn in_home(path: PathBuf) -> PathBuf {
    match (path.strip_prefix("~"), env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    }
}

fn read_file(path: &Path, warnings: &mut Vec<String>) -> Result<Option<File>, Failure> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Failure::config(format!(
                "{} cannot be read: {error}; check who may read it",
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
        let message = without_value(error.message()).replace('\n', "; ");
        Failure::config(format!(
            "{}:{line}: {message}; see `call-api man`",
            path.display()
        ))
    })?;
    if let Ok(metadata) = fs::metadata(path) {
        let holds_token = file
            .profiles
            .values()
            .any(|profile| profile.token.is_some());
        warnings.extend(open_to_others(path, &metadata, holds_token));
    }
    Ok(Some(file))
}

/// What is wrong with a file, without the text that is in the wrong place: it may be a token.
fn without_value(message: &str) -> String {
    match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) if first < last => {
            format!("{}…{}", &message[..=first], &message[last..])
        }
        _ => message.to_owned(),
    }
}

/// What is wrong with the permissions of a file: others can read the token in it, or write where it is sent.
#[cfg(unix)]
fn open_to_others(path: &Path, metadata: &fs::Metadata, holds_token: bool) -> Option<String> {
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
        "others can {can} {path}{what}; run: chmod 600 {path}"
    ))
}

/// Who may read a file is asked in another way there.
#[cfg(not(unix))]
fn open_to_others(_: &Path, _: &fs::Metadata, _: bool) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_file_that_is_wrong_is_shown() {
        for (text, expected) in [
            (
                "[profiles]\ntoken = \"canary\"",
                "invalid type: string \"…\", expected struct Profile",
            ),
            ("token = \"canary\"", "unknown field `token`"),
        ] {
            let message = match toml::from_str::<File>(text) {
                Ok(file) => panic!("{file:?}"),
                Err(error) => without_value(error.message()),
            };
            assert!(message.starts_with(expected), "{message}");
            assert!(!message.contains("canary"), "{message}");
        }
    }
}
