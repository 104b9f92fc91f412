//! Security schemes: the credential of each operation, which progenitor ignores.

use std::collections::BTreeMap;

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
    /// A cookie with a name from the document.
    ApiKeyCookie(String),
    /// One of the above, with a credential of its own.
    Scheme(String, Box<Security>),
    /// Each of the above that is set. If one of them is the token, it comes first.
    Each(Vec<Security>),
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
            Self::ApiKeyCookie(name) => quote!(#auth::ApiKeyCookie(#name)),
            Self::Scheme(name, place) => {
                let place = place.tokens(transport);
                quote!(#auth::Scheme(#name, &#place))
            }
            Self::Each(all) => {
                let all = all.iter().map(|one| one.tokens(transport));
                quote!(#auth::Each(&[#(#all),*]))
            }
        }
    }

    /// Returns the credentials, of which each that is set is sent.
    pub fn each(&self) -> &[Self] {
        match self {
            Self::None => &[],
            Self::Each(all) => all,
            one => std::slice::from_ref(one),
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
        schemes.add_names(document);
        for operation in walk::operations(document) {
            schemes.add_names(operation.object);
        }
        schemes
    }

    fn add_names(&mut self, operation: &'a Value) {
        for (name, _) in named(self.document, operation) {
            if !self.names.contains(&name) {
                self.names.push(name);
            }
        }
    }

    /// Returns the names of the schemes in use. The token is the credential of the first.
    pub fn names(&self) -> &[&'a str] {
        &self.names
    }

    /// Returns the credentials of an operation, which default to those of the document: all that one of its requirements
    /// names, since FastAPI lists dependencies that are required together as alternatives. Those that a requirement makes
    /// optional are among them.
    pub fn operation(&self, operation: &'a Value) -> Security {
        let first = self.names.first().copied();
        let mut all = named(self.document, operation);
        all.sort_by_key(|(name, _)| Some(*name) != first);
        let mut each: Vec<Security> = all
            .into_iter()
            .map(|(name, place)| match Some(name) == first {
                true => place,
                false => Security::Scheme(name.to_owned(), Box::new(place)),
            })
            .collect();
        match each.len() {
            0 => Security::None,
            1 => each.swap_remove(0),
            _ => Security::Each(each),
        }
    }
}

/// Returns the supported schemes that the requirements of an operation name, each once: those of the requirement with the
/// fewest first.
fn named<'a>(document: &'a Value, operation: &'a Value) -> Vec<(&'a str, Security)> {
    let mut requirements: Vec<_> = requirements(document, operation).collect();
    requirements.sort_by_key(|requirement| requirement.len());
    let mut named: Vec<(&str, Security)> = Vec::new();
    for name in requirements.into_iter().flat_map(Map::keys) {
        if !named.iter().any(|(other, _)| other == name)
            && let Some(place) = scheme(document, name)
        {
            named.push((name, place));
        }
    }
    named
}

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

/// Returns true if every operation can be sent without a credential.
pub(crate) fn is_optional(document: &Value) -> bool {
    let operations = walk::operations(document);
    operations.iter().all(|operation| {
        let mut requirements = requirements(document, operation.object).peekable();
        requirements.peek().is_none() || requirements.any(Map::is_empty)
    })
}

/// Adds `SECURITY_SCHEMES`, by whose names callers set the credentials, and `TOKEN_IS_OPTIONAL`.
pub(crate) fn add_schemes(file: &mut syn::File, document: &Value) {
    let schemes = SecuritySchemes::of(document);
    let names = schemes.names();
    let is_optional = names.is_empty() || is_optional(document);
    file.items.push(parse_quote! {
        /// True if no operation requires a credential. The client is built from the environment without a token then.
        pub(crate) const TOKEN_IS_OPTIONAL: bool = #is_optional;
    });
    file.items.push(parse_quote! {
        /// The security schemes of the operations. The token is the credential of the first; the builder takes those of
        /// the others by these names, with `credential`.
        pub const SECURITY_SCHEMES: &[&str] = &[#(#names),*];
    });
}

/// Reports the schemes that the transport does not support, and the operations each of whose requirements has one of them, or
/// two credentials in the same header.
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
    for operation in walk::operations(document) {
        let mut requirements = requirements(document, operation.object).peekable();
        let is_required = requirements.peek().is_some();
        if !is_required || requirements.any(|requirement| is_satisfiable(document, requirement)) {
            continue;
        }
        let instead = match named(document, operation.object).as_slice() {
            [] => "no credential is sent: set a header instead",
            _ => "one of the required credentials is not sent: set a header instead",
        };
        let pointer = operation.pointer.join("security");
        unsupported.push(Unsupported::new(&pointer, "the credential", instead));
    }
}

/// Returns true if one request can hold all credentials of a requirement.
fn is_satisfiable(document: &Value, requirement: &Map<String, Value>) -> bool {
    let mut headers: BTreeMap<String, Security> = BTreeMap::new();
    requirement.keys().all(|name| {
        let Some(place) = scheme(document, name) else {
            return false;
        };
        let header = match &place {
            Security::Bearer | Security::Basic => "authorization".to_owned(),
            Security::ApiKeyHeader(name) => name.to_ascii_lowercase(),
            _ => return true,
        };
        // One token may be that of two schemes.
        *headers.entry(header).or_insert_with(|| place.clone()) == place
    })
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
        // Swashbuckle's documentation declares a Bearer token so.
        ("apiKey", _, Some("header")) if is_bearer(name, scheme) => Some(Security::Bearer),
        ("apiKey", _, Some("header")) => Some(Security::ApiKeyHeader(text("name")?.to_owned())),
        ("apiKey", _, Some("query")) => Some(Security::ApiKeyQuery(text("name")?.to_owned())),
        ("apiKey", _, Some("cookie")) => Some(Security::ApiKeyCookie(text("name")?.to_owned())),
        _ => None,
    }
}

/// Returns true for a header `Authorization` whose name or description says that it has a Bearer token.
fn is_bearer(name: &str, scheme: &Value) -> bool {
    let text = |key: &str| scheme.get(key).and_then(Value::as_str).unwrap_or_default();
    let text_of_both = format!("{name} {}", text("description")).to_ascii_lowercase();
    text("name").eq_ignore_ascii_case("authorization")
        && text_of_both.contains("bearer")
        && !text_of_both.contains("without")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unsupported_security_is_reported() {
        let document = json!({
            "paths": {"/a": {
                "get": {"security": [{"digest": []}]},
                "put": {"security": [{"basic": [], "bearer": []}]},
                "post": {"security": [{}, {"digest": []}]},
                "patch": {"security": [{"digest": [], "key": []}]},
                "delete": {"security": [{"basic": []}]},
            }},
            "components": {"securitySchemes": {
                "digest": {"type": "http", "scheme": "digest"},
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
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
                "/components/securitySchemes/digest",
                "/paths/~1a/get/security",
                "/paths/~1a/put/security",
                "/paths/~1a/patch/security",
            ]
        );
    }

    #[test]
    fn operation_decides_before_the_document() {
        let document = json!({
            "security": [{"key": []}],
            "components": {"securitySchemes": {
                "key": {"type": "apiKey", "in": "query", "name": "k"},
                "digest": {"type": "http", "scheme": "digest"},
                "basic": {"type": "http", "scheme": "basic"},
                "oauth": {"type": "oauth2", "flows": {}},
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "c"},
            }},
        });
        let schemes = SecuritySchemes::of(&document);
        let operations = [
            json!({}),
            json!({"security": []}),
            json!({"security": [{}]}),
            json!({"security": [{}, {"basic": []}]}),
            json!({"security": [{"digest": []}, {"oauth": ["read"]}]}),
            json!({"security": [{"basic": [], "key": []}, {"key": []}]}),
            json!({"security": [{"oauth": []}, {"key": []}]}),
            json!({"security": [{"basic": [], "key": []}]}),
            json!({"security": [{"digest": [], "oauth": [], "bearer": []}]}),
            json!({"security": [{"basic": [], "cookie": []}]}),
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
                Security::Each(vec![token.clone(), own("basic", Security::Basic)]),
                Security::Each(vec![token.clone(), own("oauth", Security::Bearer)]),
                Security::Each(vec![token, own("basic", Security::Basic)]),
                Security::Each(vec![
                    own("oauth", Security::Bearer),
                    own("bearer", Security::Bearer),
                ]),
                Security::Each(vec![
                    own("basic", Security::Basic),
                    own("cookie", Security::ApiKeyCookie("c".to_owned())),
                ]),
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
                "jwt": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`Bearer {token}`"},
                "raw": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "without Bearer"},
                "unused": {"type": "http", "scheme": "basic"},
                "key": {"type": "apiKey", "in": "query", "name": "k"},
                "bearer": {"type": "http", "scheme": "bearer"},
            }},
        });
        let schemes = SecuritySchemes::of(&document);
        assert_eq!(schemes.names(), ["bearer", "key"]);
        assert_eq!(scheme(&document, "jwt"), Some(Security::Bearer));
        let header = Security::ApiKeyHeader("Authorization".to_owned());
        assert_eq!(scheme(&document, "raw"), Some(header));
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
                r#"t::Auth::Each(&[t::Auth::Bearer,t::Auth::Scheme("key",&t::Auth::ApiKeyQuery("k"))])"#,
            ]
        );
    }
}
