//! Security schemes: the credential of each operation, which progenitor ignores.

use proc_macro2::TokenStream;
use quote::quote;
use serde_json::{Map, Value};
use syn::parse_quote;

use super::unsupported::Unsupported;
use super::walk;
use crate::pointer::Pointer;

/// The security scheme of an operation, as far as the transport supports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// No credential.
    None,
    /// `Authorization: Bearer …`, which is also how OAuth 2 and OpenID Connect send tokens (RFC 6750).
    Bearer,
    /// `Authorization: Basic …`.
    Basic,
    /// A header with a name from the document.
    ApiKeyHeader(String),
    /// A query parameter with a name from the document.
    ApiKeyQuery(String),
    /// One of the above, with a credential of its own.
    Scheme(String, Box<Security>),
}

impl Security {
    /// Returns the value in generated code. `transport` is the path of the transport crate.
    pub fn tokens(&self, transport: &TokenStream) -> TokenStream {
        let auth = quote!(#transport::Auth);
        match self {
            Self::None => quote!(#auth::None),
            Self::Bearer => quote!(#auth::Bearer),
            Self::Basic => quote!(#auth::Basic),
            Self::ApiKeyHeader(name) => quote!(#auth::ApiKeyHeader(#name)),
            Self::ApiKeyQuery(name) => quote!(#auth::ApiKeyQuery(#name)),
            Self::Scheme(name, place) => {
                let place = place.tokens(transport);
                quote!(#auth::Scheme(#name, &#place))
            }
        }
    }
}

/// The security schemes of the operations of a document.
pub struct SecuritySchemes<'a> {
    document: &'a Value,
    /// The names of the schemes in use. The token is the credential of the first.
    names: Vec<&'a str>,
}

impl<'a> SecuritySchemes<'a> {
    /// Reads the schemes. The first is the one that the document requires as a whole, or else the first that an
    /// operation requires.
    pub fn of(document: &'a Value) -> Self {
        let mut schemes = Self {
            document,
            names: Vec::new(),
        };
        let default = alternatives(document, document);
        if let Some((Some(name), _)) = schemes.choose(&default) {
            schemes.names.push(name);
        }
        for operation in walk::operations(document) {
            let alternatives = alternatives(document, operation.object);
            if let Some((Some(name), _)) = schemes.choose(&alternatives)
                && !schemes.names.contains(&name)
            {
                schemes.names.push(name);
            }
        }
        schemes
    }

    /// Returns the names of the schemes in use. The token is the credential of the first.
    pub fn names(&self) -> &[&'a str] {
        &self.names
    }

    /// Returns the scheme of an operation, which defaults to that of the document.
    pub fn operation(&self, operation: &'a Value) -> Security {
        match self.choose(&alternatives(self.document, operation)) {
            Some((Some(name), place)) if self.names.first() != Some(&name) => {
                Security::Scheme(name.to_owned(), Box::new(place))
            }
            Some((_, place)) => place,
            None => Security::None,
        }
    }

    /// Returns the alternative that uses the token, or else the first that the transport supports. An empty alternative
    /// makes the credential optional; an available credential is sent anyway.
    fn choose(&self, alternatives: &[Alternative<'a>]) -> Option<Alternative<'a>> {
        let first = self.names.first().copied();
        let named = |alternative: &&Alternative<'a>| alternative.0.is_some();
        let of_token = alternatives
            .iter()
            .filter(named)
            .find(|(name, _)| *name == first);
        of_token
            .or(alternatives.iter().find(named))
            .or(alternatives.first())
            .cloned()
    }
}

/// A security requirement that the transport supports: the name of the scheme, or none if no credential is required.
type Alternative<'a> = (Option<&'a str>, Security);

/// Returns the security requirements of an operation, which defaults to those of the document: alternatives, each with the
/// scopes of the schemes that it combines, by their names.
pub(crate) fn requirements<'a>(
    document: &'a Value,
    operation: &'a Value,
) -> impl Iterator<Item = &'a Map<String, Value>> {
    let own = operation.get("security");
    let list = own.or_else(|| document.get("security"));
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_object)
}

fn alternatives<'a>(document: &'a Value, operation: &'a Value) -> Vec<Alternative<'a>> {
    requirements(document, operation)
        .filter_map(|requirement| {
            let mut names = requirement.keys();
            match (names.next(), names.next()) {
                (None, _) => Some((None, Security::None)),
                (Some(name), None) => Some((Some(name.as_str()), scheme(document, name)?)),
                // A combination requires several credentials.
                (Some(_), Some(_)) => None,
            }
        })
        .collect()
}

/// Adds `SECURITY_SCHEMES`, by whose names callers set the credentials. The client requires a token if it is not empty.
pub(crate) fn add_schemes(file: &mut syn::File, document: &Value) {
    let schemes = SecuritySchemes::of(document);
    let names = schemes.names();
    file.items.push(parse_quote! {
        /// The security schemes of the operations. The token is the credential of the first; the builder takes those of
        /// the others by these names, with `credential`.
        pub const SECURITY_SCHEMES: &[&str] = &[#(#names),*];
    });
}

/// Reports the schemes that the transport does not support, and the operations that require one of them or several at
/// once.
pub fn report_unsupported(document: &Value, unsupported: &mut Vec<Unsupported>) {
    let declared = document
        .get("components")
        .and_then(|components| components.get("securitySchemes"));
    for (name, declared) in declared.and_then(Value::as_object).into_iter().flatten() {
        if scheme(document, name).is_none() {
            let pointer = Pointer::root()
                .join("components")
                .join("securitySchemes")
                .join(name);
            let instead = match declared.get("type").and_then(Value::as_str) {
                Some("mutualTLS") => "use an HTTP client with the certificate",
                _ => "its credential is not sent: set a header instead",
            };
            unsupported.push(Unsupported::new(&pointer, "the security scheme", instead));
        }
    }
    let schemes = SecuritySchemes::of(document);
    for operation in walk::operations(document) {
        let mut requirements = requirements(document, operation.object).peekable();
        let asks = requirements.peek().is_some() && requirements.all(|one| !one.is_empty());
        if asks && schemes.operation(operation.object) == Security::None {
            let instead = "no credential is sent: set a header instead";
            unsupported.push(Unsupported::new(
                &operation.pointer.join("security"),
                "the credential",
                instead,
            ));
        }
    }
}

/// Returns how the transport sends the credential of a security scheme, or `None` if it does not support it.
pub(crate) fn scheme(document: &Value, name: &str) -> Option<Security> {
    let scheme = document
        .get("components")?
        .get("securitySchemes")?
        .get(name)?;
    let scheme = walk::follow(document, scheme)?;
    let text = |key: &str| scheme.get(key).and_then(Value::as_str);
    match (
        text("type")?,
        text("scheme").map(str::to_ascii_lowercase).as_deref(),
        text("in"),
    ) {
        ("http", Some("bearer"), _) | ("oauth2" | "openIdConnect", ..) => Some(Security::Bearer),
        ("http", Some("basic"), _) => Some(Security::Basic),
        ("apiKey", _, Some("header")) => Some(Security::ApiKeyHeader(text("name")?.to_owned())),
        ("apiKey", _, Some("query")) => Some(Security::ApiKeyQuery(text("name")?.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unsupported_security_is_reported() {
        let document = json!({
            "paths": {"/a": {
                "get": {"security": [{"cookie": []}]},
                "put": {"security": [{"basic": [], "key": []}]},
                "post": {"security": [{}, {"cookie": []}]},
                "delete": {"security": [{"basic": []}]},
            }},
            "components": {"securitySchemes": {
                "cookie": {"type": "apiKey", "in": "cookie", "name": "c"},
                "basic": {"type": "http", "scheme": "basic"},
                "key": {"type": "apiKey", "in": "header", "name": "k"},
            }},
        });
        let mut unsupported = Vec::new();
        report_unsupported(&document, &mut unsupported);
        let places: Vec<_> = unsupported
            .iter()
            .map(|loss| loss.pointer.as_str())
            .collect();
        assert_eq!(
            places,
            [
                "/components/securitySchemes/cookie",
                "/paths/~1a/get/security",
                "/paths/~1a/put/security"
            ]
        );
    }

    #[test]
    fn operation_decides_before_the_document() {
        let document = json!({
            "security": [{"key": []}],
            "components": {"securitySchemes": {
                "key": {"type": "apiKey", "in": "query", "name": "k"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "c"},
                "basic": {"type": "http", "scheme": "basic"},
                "oauth": {"type": "oauth2", "flows": {}},
            }},
        });
        let schemes = SecuritySchemes::of(&document);
        let operations = [
            json!({}),
            json!({"security": []}),
            json!({"security": [{}]}),
            json!({"security": [{}, {"basic": []}]}),
            json!({"security": [{"cookie": []}, {"oauth": ["read"]}]}),
            json!({"security": [{"basic": [], "key": []}, {"key": []}]}),
            json!({"security": [{"oauth": []}, {"key": []}]}),
        ];
        let token = Security::ApiKeyQuery("k".to_owned());
        let own = |name: &str, place| Security::Scheme(name.to_owned(), Box::new(place));
        let found: Vec<_> = operations
            .iter()
            .map(|operation| schemes.operation(operation))
            .collect();
        assert_eq!(
            found,
            [
                token.clone(),
                Security::None,
                Security::None,
                own("basic", Security::Basic),
                own("oauth", Security::Bearer),
                token.clone(),
                token,
            ]
        );
    }

    #[test]
    fn schemes_are_ordered_by_use() {
        let document = json!({
            "paths": {"/a": {
                "get": {"security": [{"bearer": []}]},
                "put": {"security": [{"key": []}]},
                "post": {"security": [{"key": []}, {"bearer": []}]},
            }},
            "components": {"securitySchemes": {
                "unused": {"type": "http", "scheme": "basic"},
                "key": {"type": "apiKey", "in": "query", "name": "k"},
                "bearer": {"type": "http", "scheme": "bearer"},
            }},
        });
        let schemes = SecuritySchemes::of(&document);
        assert_eq!(schemes.names(), ["bearer", "key"]);
        let tokens = walk::operations(&document)
            .iter()
            .map(|operation| {
                let security = schemes.operation(operation.object);
                security.tokens(&quote!(t)).to_string().replace(' ', "")
            })
            .collect::<Vec<_>>();
        assert_eq!(
            tokens,
            [
                "t::Auth::Bearer",
                r#"t::Auth::Scheme("key",&t::Auth::ApiKeyQuery("k"))"#,
                "t::Auth::Bearer",
            ]
        );
    }
}
