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

/// The token in printed commands where a shell cannot read it.
const PLACEHOLDER: &str = "TOKEN";

/// The advice for a file that cannot be read.
pub(super) const CHECK_FILE: &str = "check that the file exists and is readable";

/// The tenant of a token without a tenant.
const DEFAULT: &str = "default";

/// The configured tokens with their tenants; none if none are configured.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tokens {
    pub(crate) tenants: Vec<(String, String)>,
    file: Option<String>,
    /// The tokens as a shell would write them.
    in_shell: Vec<String>,
}

impl Tokens {
    pub(crate) fn read(file: Option<&Path>) -> Result<Self, String> {
        let mut tokens = Self::default();
        if let Some(token) = variable(TOKEN)? {
            tokens.tenants.push((DEFAULT.to_owned(), token));
            tokens.in_shell.push(format!("${TOKEN}"));
        }
        if let Some(file) = file {
            let name = file.display().to_string();
            let text = fs::read_to_string(file).map_err(|error| {
                format!("cannot read the tokens in {name}: {error}; {CHECK_FILE}")
            })?;
            for (line, tenant, token) in parse(&text, &name)? {
                tokens.tenants.push((tenant, token));
                tokens.in_shell.push(in_file(file, line));
            }
            tokens.file = Some(name);
        }
        Ok(tokens)
    }

    /// Adds the tokens of a scenario.
    pub(crate) fn add(&mut self, tenants: Vec<(String, String)>, file: &Path) {
        if !tenants.is_empty() {
            // A shell cannot read them.
            self.in_shell
                .extend(tenants.iter().map(|_| PLACEHOLDER.to_owned()));
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

    /// Returns a token that finds the example call, as a shell would write it, and its description; `None` for the public
    /// default token.
    pub(crate) fn description(&self) -> Option<(String, String)> {
        // The owner of the example call.
        let mut tenants = self.tenants.iter();
        let owner = tenants
            .position(|(tenant, _)| tenant == DEFAULT)
            .unwrap_or(0);
        let token = self.in_shell.get(owner)?.clone();
        let shown = match &self.file {
            Some(file) if token == PLACEHOLDER => {
                format!("one of those in {file}, in place of {PLACEHOLDER}")
            }
            Some(file) => format!("one of those in {file}"),
            None => format!("the one in {TOKEN}"),
        };
        Some((token, shown))
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
            let secret = fs::read_to_string(file).map_err(|error| {
                format!("cannot read the {kind} in {name}: {error}; {CHECK_FILE}")
            })?;
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

/// Returns the command substitution for a token in a line of a file.
fn in_file(file: &Path, line: usize) -> String {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let file = file.display().to_string().replace('\'', r"'\''");
    format!("$(awk 'NR == {line} {{print $NF}}' '{file}')")
}

/// Parses lines of `TOKEN` or `TENANT TOKEN`. Empty lines and those that start with `#` are ignored.
/// Returns the number of the line, the tenant and the token of each.
fn parse(text: &str, name: &str) -> Result<Vec<(usize, String, String)>, String> {
    let mut tenants = Vec::new();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.split_ascii_whitespace();
        tenants.push(match (words.next(), words.next(), words.next()) {
            (Some(token), None, _) => (number, DEFAULT.to_owned(), token.to_owned()),
            (Some(tenant), Some(token), None) => (number, tenant.to_owned(), token.to_owned()),
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
        let expected = [(2, "default", "secret-one"), (4, "acme", "secret-two")]
            .map(|(line, tenant, token)| (line, tenant.to_owned(), token.to_owned()))
            .to_vec();
        assert_eq!(parse(text, "tokens"), Ok(expected));
        let error = |text| parse(text, "tokens").unwrap_err();
        assert_eq!(
            error("a\nb c secret"),
            "tokens:2: more than two words; use TOKEN or TENANT TOKEN"
        );
        assert_eq!(error("# none\n"), "no token in tokens; add one per line");
    }
}
