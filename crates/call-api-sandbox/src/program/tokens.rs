//! Tokens and secrets from the environment and from a file. There is no option for them, because other users can read
//! arguments.

use std::env::{self, VarError};
use std::fmt::Display;
use std::fs;
use std::path::Path;

/// The environment variable with a token.
pub(crate) const TOKEN: &str = "CALL_API_SANDBOX_TOKEN";

/// The environment variable with the token of the control API.
const CONTROL_TOKEN: &str = "CALL_API_SANDBOX_CONTROL_TOKEN";

/// The environment variable with the secret of webhooks.
const WEBHOOK_SECRET: &str = "CALL_API_SANDBOX_WEBHOOK_SECRET";

/// The tenant of a token without a tenant.
const DEFAULT: &str = "default";

/// The configured tokens with their tenants; none if none are configured.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tokens {
    pub(crate) tenants: Vec<(String, String)>,
    file: Option<String>,
}

impl Tokens {
    pub(crate) fn read(file: Option<&Path>) -> Result<Self, String> {
        let mut tokens = Self::default();
        let token = variable(TOKEN)?;
        tokens
            .tenants
            .extend(token.map(|token| (DEFAULT.to_owned(), token)));
        if let Some(file) = file {
            let name = file.display().to_string();
            let text = fs::read_to_string(file)
                .map_err(|error| format!("cannot read the tokens in {name}: {error}"))?;
            tokens.tenants.extend(parse(&text, &name)?);
            tokens.file = Some(name);
        }
        Ok(tokens)
    }

    /// Adds the tokens of a scenario.
    pub(crate) fn add(&mut self, tenants: Vec<(String, String)>, file: &Path) {
        if !tenants.is_empty() {
            self.tenants.extend(tenants);
            self.file.get_or_insert(file.display().to_string());
        }
    }

    /// Returns the source of the tokens, for error messages.
    pub(crate) fn source(&self) -> String {
        match &self.file {
            Some(file) => format!("{file} or {TOKEN}"),
            None => TOKEN.to_owned(),
        }
    }

    /// Returns a token as a shell would write it, and its description; `None` for the public default token.
    pub(crate) fn description(&self) -> Option<(String, String)> {
        match (&self.file, self.tenants.is_empty()) {
            (Some(file), _) => Some((
                "$CALL_API_TOKEN".to_owned(),
                format!("one of those in {file}"),
            )),
            (None, false) => Some((format!("${TOKEN}"), format!("the one in {TOKEN}"))),
            (None, true) => None,
        }
    }
}

/// Returns the token of the control API, from a file or the environment.
pub(crate) fn control(file: Option<&Path>) -> Result<Option<String>, String> {
    read_secret(file, CONTROL_TOKEN, "control token", crate::auth::check)
}

/// Returns the secret of webhooks, from a file or the environment.
pub(crate) fn webhook_secret(file: Option<&Path>) -> Result<Option<String>, String> {
    read_secret(file, WEBHOOK_SECRET, "webhook secret", |secret| {
        crate::webhooks::decode_secret(secret)
    })
}

/// Reads a secret from a file or from a variable of the environment, and checks it.
fn read_secret<T, E: Display>(
    file: Option<&Path>,
    name: &str,
    kind: &str,
    check: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<String>, String> {
    let (secret, source) = match file {
        None => (variable(name)?, name.to_owned()),
        Some(file) => {
            let name = file.display().to_string();
            let secret = fs::read_to_string(file)
                .map_err(|error| format!("cannot read the {kind} in {name}: {error}"))?;
            (Some(secret.trim().to_owned()), name)
        }
    };
    if let Some(Err(reason)) = secret.as_deref().map(check) {
        return Err(format!("{reason}, in {source}"));
    }
    Ok(secret)
}

/// Returns a token of the environment. An empty variable counts as unset.
fn variable(name: &str) -> Result<Option<String>, String> {
    match env::var(name) {
        Ok(token) if token.is_empty() => Ok(None),
        Ok(token) => Ok(Some(token)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(format!(
            "{name} is not UTF-8; use visible ASCII without spaces"
        )),
    }
}

/// Parses lines of `TOKEN` or `TENANT TOKEN`. Empty lines and those that start with `#` are ignored.
fn parse(text: &str, name: &str) -> Result<Vec<(String, String)>, String> {
    let mut tenants = Vec::new();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.split_ascii_whitespace();
        tenants.push(match (words.next(), words.next(), words.next()) {
            (Some(token), None, _) => (DEFAULT.to_owned(), token.to_owned()),
            (Some(tenant), Some(token), None) => (tenant.to_owned(), token.to_owned()),
            _ => {
                return Err(format!(
                    "{name}:{number}: more than two words; use TOKEN or TENANT TOKEN"
                ));
            }
        });
    }
    if tenants.is_empty() {
        return Err(format!("no token in {name}; add one per line"));
    }
    Ok(tenants)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_file_has_one_token_per_line() {
        let text = "# ours\n secret-one \n\nacme secret-two\n";
        let pair = |tenant: &str, token: &str| (tenant.to_owned(), token.to_owned());
        let expected = vec![pair("default", "secret-one"), pair("acme", "secret-two")];
        assert_eq!(parse(text, "tokens"), Ok(expected));
        let error = |text| parse(text, "tokens").unwrap_err();
        assert_eq!(
            error("a\nb c secret"),
            "tokens:2: more than two words; use TOKEN or TENANT TOKEN"
        );
        assert_eq!(error("# none\n"), "no token in tokens; add one per line");
    }
}
