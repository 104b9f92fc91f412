//! The tokens that the program is given, which so stand in no list of processes.

use std::env::{self, VarError};
use std::fs;
use std::path::Path;

/// The environment's variable with a token.
pub(crate) const TOKEN: &str = "CALL_API_SANDBOX_TOKEN";

/// The tenant that a token opens where none is named.
const DEFAULT: &str = "default";

/// Which tenants there are, and what they ask with; none where none were given.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tokens {
    pub(crate) tenants: Vec<(String, String)>,
    file: Option<String>,
}

impl Tokens {
    pub(crate) fn read(file: Option<&Path>) -> Result<Self, String> {
        let mut tokens = Self::default();
        match env::var(TOKEN) {
            Ok(token) => tokens.tenants.push((DEFAULT.to_owned(), token)),
            Err(VarError::NotPresent) => {}
            Err(VarError::NotUnicode(_)) => {
                return Err(format!("{TOKEN} is no text; give it ASCII without spaces"));
            }
        }
        if let Some(file) = file {
            let name = file.display().to_string();
            let text = fs::read_to_string(file)
                .map_err(|error| format!("cannot read the tokens in {name}: {error}"))?;
            tokens.tenants.extend(parse(&text, &name)?);
            tokens.file = Some(name);
        }
        Ok(tokens)
    }

    /// Where the tokens are given.
    pub(crate) fn place(&self) -> String {
        match &self.file {
            Some(file) => format!("{file} or {TOKEN}"),
            None => TOKEN.to_owned(),
        }
    }

    /// How to write the token in a shell, and what to say of it; `None` where there is only the one that all know.
    pub(crate) fn shown(&self) -> Option<(String, String)> {
        match (&self.file, self.tenants.is_empty()) {
            (Some(file), _) => Some(("$CALL_API_TOKEN".to_owned(), format!("each one in {file}"))),
            (None, false) => Some((format!("${TOKEN}"), format!("the one in {TOKEN}"))),
            (None, true) => None,
        }
    }
}

/// Lines of `TOKEN` or `TENANT TOKEN`; empty ones and those with `#` in front are none.
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
                    "{name}:{number}: more than a tenant and its token; give one token a line"
                ));
            }
        });
    }
    if tenants.is_empty() {
        return Err(format!("there is no token in {name}; give one a line"));
    }
    Ok(tenants)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_token_a_line() {
        let text = "# ours\n secret-one \n\nacme secret-two\n";
        let pair = |tenant: &str, token: &str| (tenant.to_owned(), token.to_owned());
        let wanted = vec![pair("default", "secret-one"), pair("acme", "secret-two")];
        assert_eq!(parse(text, "tokens"), Ok(wanted));
        let wrong = |text| parse(text, "tokens").unwrap_err();
        assert_eq!(
            wrong("a\nb c secret"),
            "tokens:2: more than a tenant and its token; give one token a line"
        );
        assert_eq!(
            wrong("# none\n"),
            "there is no token in tokens; give one a line"
        );
    }
}
