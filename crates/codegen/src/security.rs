//! Which credential an operation asks for; progenitor doesn't look at it.

use proc_macro2::TokenStream;
use quote::quote;
use serde_json::Value;

use super::unsupported::Unsupported;
use super::walk;
use crate::pointer::Pointer;

/// The security scheme of an operation, as far as the transport can serve it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// The operation asks for none.
    None,
    /// `Authorization: Bearer …`, which is also how OAuth 2 and OpenID Connect send their tokens (RFC 6750).
    Bearer,
    /// `Authorization: Basic …`.
    Basic,
    /// A header of the document's choice.
    ApiKeyHeader(String),
    /// A query parameter of the document's choice.
    ApiKeyQuery(String),
}

impl Security {
    /// The transport's word for it.
    pub fn tokens(&self) -> TokenStream {
        match self {
            Self::None => quote!(Auth::None),
            Self::Bearer => quote!(Auth::Bearer),
            Self::Basic => quote!(Auth::Basic),
            Self::ApiKeyHeader(name) => quote!(Auth::ApiKeyHeader(#name)),
            Self::ApiKeyQuery(name) => quote!(Auth::ApiKeyQuery(#name)),
        }
    }
}

/// The first of the operation's alternatives that the transport can serve; what the operation doesn't say, the document
/// says for all.
pub fn of(document: &Value, operation: &Value) -> Security {
    let requirements = operation
        .get("security")
        .or_else(|| document.get("security"))
        .and_then(Value::as_array);
    let Some(requirements) = requirements.filter(|requirements| !requirements.is_empty()) else {
        return Security::None;
    };
    let mut schemes = requirements
        .iter()
        .filter_map(Value::as_object)
        .map(|requirement| {
            let mut names = requirement.keys();
            match (names.next(), names.next()) {
                (None, _) => Some(Security::None),
                (Some(name), None) => scheme(document, name),
                // Several at once are more than one credential.
                (Some(_), Some(_)) => None,
            }
        });
    // An empty alternative makes the credential optional; one that is known is then sent all the same.
    let known: Vec<_> = schemes.by_ref().flatten().collect();
    known
        .iter()
        .find(|scheme| **scheme != Security::None)
        .or(known.first())
        .cloned()
        .unwrap_or(Security::None)
}

/// Notes the schemes that the transport can't serve, and the operations that ask for nothing else or for several at once.
pub fn report_unsupported(document: &Value, unsupported: &mut Vec<Unsupported>) {
    let schemes = document
        .get("components")
        .and_then(|components| components.get("securitySchemes"));
    for (name, _) in schemes.and_then(Value::as_object).into_iter().flatten() {
        if scheme(document, name).is_none() {
            let pointer = Pointer::root()
                .join("components")
                .join("securitySchemes")
                .join(name);
            unsupported.push(Unsupported::new(
                &pointer,
                "the security scheme",
                "no credential of it is sent: add a header to the transport",
            ));
        }
    }
    for operation in walk::operations(document) {
        let requirements = operation
            .object
            .get("security")
            .or_else(|| document.get("security"))
            .and_then(Value::as_array);
        let asks = requirements.is_some_and(|all| {
            !all.is_empty()
                && all
                    .iter()
                    .all(|one| one.as_object().is_some_and(|one| !one.is_empty()))
        });
        if asks && of(document, operation.object) == Security::None {
            let instead = "no credential is sent: add a header to the transport";
            unsupported.push(Unsupported::new(
                &operation.pointer.join("security"),
                "the credential",
                instead,
            ));
        }
    }
}

fn scheme(document: &Value, name: &str) -> Option<Security> {
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
    fn what_can_not_be_served_is_noted() {
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
    fn the_operation_decides_before_the_document() {
        let document = json!({
            "security": [{"key": []}],
            "components": {"securitySchemes": {
                "key": {"type": "apiKey", "in": "query", "name": "k"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "c"},
                "basic": {"type": "http", "scheme": "basic"},
                "oauth": {"type": "oauth2", "flows": {}},
            }},
        });
        let of = |operation: Value| of(&document, &operation);
        assert_eq!(of(json!({})), Security::ApiKeyQuery("k".to_owned()));
        assert_eq!(of(json!({"security": []})), Security::None);
        assert_eq!(of(json!({"security": [{}]})), Security::None);
        assert_eq!(
            of(json!({"security": [{}, {"basic": []}]})),
            Security::Basic
        );
        assert_eq!(
            of(json!({"security": [{"cookie": []}, {"oauth": ["read"]}]})),
            Security::Bearer
        );
        assert_eq!(
            of(json!({"security": [{"basic": [], "key": []}, {"key": []}]})),
            Security::ApiKeyQuery("k".to_owned())
        );
    }
}
