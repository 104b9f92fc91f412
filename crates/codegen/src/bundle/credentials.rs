//! Credentials that the document declares by other means than the security schemes of its operations.
//!
//! - An operation without security whose header parameter is `Authorization` takes a Bearer token: FastAPI writes
//!   `authorization: str = Header()` so. It is the token of the document, unless that is another credential.
//! - A requirement of a scheme that the document does not declare means the only one that it declares.
//! - If nothing says which operations have security, the schemes that the document declares are optional for all: NestJS
//!   and springdoc write documents without requirements.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::openapi::of_operation;
use crate::pointer::{Lookup as _, Pointer};
use crate::security::{Security, SecuritySchemes, requirements, scheme};
use crate::unsupported::Unsupported;
use crate::walk;

/// The name of the security scheme of the header parameters, if the document has none.
const SCHEME: &str = "Authorization";

/// Adds the security of such operations, and replaces the names of schemes that are not declared.
pub(super) fn clarify(document: &mut Value, unsupported: &mut Vec<Unsupported>) {
    undeclared(document, unsupported);
    unrequired(document, unsupported);
    parameters(document);
}

fn unrequired(document: &mut Value, unsupported: &mut Vec<Unsupported>) {
    let mut operations = walk::operations(document).into_iter();
    if document.get("security").is_some()
        || operations.any(|operation| operation.object.get("security").is_some())
    {
        return;
    }
    let declared = document.at("/components/securitySchemes");
    let declared = declared.and_then(Value::as_object).into_iter().flatten();
    let names: Vec<String> = declared
        .map(|(name, _)| name.clone())
        .filter(|name| scheme(document, name).is_some())
        .collect();
    let root = Pointer::root().join("components").join("securitySchemes");
    for name in &names {
        let instead = "its credential is sent with every operation, if it is set";
        let what = format!("the security scheme `{name}`, which no operation requires");
        unsupported.push(Unsupported::new(&root.join(name), what, instead));
    }
    if let Some(object) = document.as_object_mut()
        && !names.is_empty()
    {
        let alternatives = names.iter().map(|name| json!({name: []}));
        let alternatives = std::iter::once(json!({})).chain(alternatives);
        object.insert("security".to_owned(), alternatives.collect());
    }
}

fn parameters(document: &mut Value) {
    let is_bearer = |name: &str| scheme(document, name) == Some(Security::Bearer);
    let schemes = SecuritySchemes::of(document);
    let name = match schemes.names().first() {
        Some(token) if is_bearer(token) => (*token).to_owned(),
        // The token is another credential.
        Some(_) => return,
        None => SCHEME.to_owned(),
    };
    let mut found: Vec<(Pointer, Value)> = Vec::new();
    let mut has_prefix = false;
    for operation in walk::operations(document) {
        let declares =
            operation.object.get("security").is_some() || document.get("security").is_some();
        let parameters = of_operation(document, &operation);
        let header = parameters.iter().find(|parameter| {
            parameter.location() == "header"
                && parameter.name().eq_ignore_ascii_case(SCHEME)
                && !names_another(parameter.object)
        });
        if let Some(header) = header.filter(|_| !declares) {
            let security = match header.is_required() {
                true => json!([{&name: []}]),
                false => json!([{}, {&name: []}]),
            };
            found.push((operation.pointer.clone(), security));
            has_prefix |= names_prefix(header.object);
        }
    }
    if found.is_empty() {
        return;
    }
    for (operation, security) in found {
        if let Some(operation) = document.at_mut(operation.as_str()) {
            operation["security"] = security;
        }
    }
    // The value of an API key is sent as it is, with its prefix.
    let added = match has_prefix {
        true => json!({"type": "apiKey", "in": "header", "name": SCHEME}),
        false => json!({"type": "http", "scheme": "bearer"}),
    };
    let mut parent = document;
    for key in ["components", "securitySchemes"] {
        let Some(object) = parent.as_object_mut() else {
            return;
        };
        parent = object.entry(key).or_insert_with(|| json!({}));
    }
    if let Some(schemes) = parent.as_object_mut() {
        schemes.entry(name).or_insert(added);
    }
}

/// Returns true if a parameter says that it has another credential than a Bearer token.
fn names_another(parameter: &Value) -> bool {
    let text = |key: &str| {
        parameter
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let texts = [text("description"), text("example")].map(str::to_ascii_lowercase);
    let others = ["basic", "digest", "aws4", "without"];
    texts
        .iter()
        .any(|text| others.iter().any(|other| text.contains(other)))
}

/// Returns true if a parameter says that its value begins with another word than `Bearer`, such as `Token <key>`.
fn names_prefix(parameter: &Value) -> bool {
    let is_prefix = |text: &str| {
        let (word, rest) = text.split_once(' ').unwrap_or_default();
        let is_word = word
            .chars()
            .all(|sign| sign.is_ascii_alphabetic() || sign == '-');
        is_word && !word.is_empty() && !rest.is_empty() && !word.eq_ignore_ascii_case("bearer")
    };
    let description = parameter.get("description").and_then(Value::as_str);
    let values = [
        "/example",
        "/schema/example",
        "/schema/default",
        "/schema/pattern",
    ];
    let mut values = values
        .iter()
        .filter_map(|place| parameter.at(place).and_then(Value::as_str));
    let described = description.and_then(|text| text.split_once("Authorization: "));
    described.is_some_and(|(_, value)| is_prefix(value))
        || values.any(|value| is_prefix(value.trim_start_matches('^')))
}

fn undeclared(document: &mut Value, unsupported: &mut Vec<Unsupported>) {
    let declared = document.at("/components/securitySchemes");
    let mut declared = declared.and_then(Value::as_object).into_iter().flatten();
    let (Some((only, _)), None) = (declared.next(), declared.next()) else {
        return;
    };
    let only = only.clone();
    if scheme(document, &only).is_none() {
        return;
    }
    let mut places: BTreeMap<Pointer, Vec<String>> = BTreeMap::new();
    let root = Pointer::root();
    let operations = walk::operations(document);
    let owners = operations.iter().map(|one| (&one.pointer, one.object));
    for (pointer, owner) in owners.chain([(&root, &*document)]) {
        if owner.get("security").is_none() {
            continue;
        }
        for name in requirements(document, owner).flat_map(serde_json::Map::keys) {
            if *name != only {
                let names = places.entry(pointer.join("security")).or_default();
                names.push(name.clone());
            }
        }
    }
    for (place, names) in places {
        for name in names {
            let what = format!("the security scheme `{name}`, which is not declared");
            let instead = format!("`{only}` is used, the only one that is");
            unsupported.push(Unsupported::new(&place, what, instead));
        }
        let list = document
            .at_mut(place.as_str())
            .and_then(Value::as_array_mut);
        for requirement in list.into_iter().flatten() {
            if let Some(requirement) = requirement.as_object_mut()
                && !requirement.is_empty()
            {
                let scopes = requirement
                    .values()
                    .next()
                    .cloned()
                    .unwrap_or_else(|| json!([]));
                requirement.clear();
                requirement.insert(only.clone(), scopes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorization_parameter_is_a_credential() {
        let header = |required: bool| json!([{"name": "authorization", "in": "header", "required": required}]);
        let mut document = json!({"paths": {"/a": {
            "get": {"parameters": header(true)},
            "put": {"parameters": header(false)},
            "post": {"parameters": header(true), "security": []},
            "delete": {},
        }}});
        clarify(&mut document, &mut Vec::new());
        let security = |method: &str| document["paths"]["/a"][method].get("security").cloned();
        assert_eq!(security("get"), Some(json!([{SCHEME: []}])));
        assert_eq!(security("put"), Some(json!([{}, {SCHEME: []}])));
        assert_eq!(security("post"), Some(json!([])));
        assert_eq!(security("delete"), None);
        let scheme = &document["components"]["securitySchemes"][SCHEME];
        assert_eq!(scheme["scheme"], "bearer");
    }

    #[test]
    fn authorization_parameter_with_another_prefix_is_an_api_key() {
        let declared = |header: Value| {
            let mut document = json!({"paths": {"/a": {"get": {"parameters": [header]}}}});
            document["paths"]["/a"]["get"]["parameters"][0]["name"] = json!(SCHEME);
            document["paths"]["/a"]["get"]["parameters"][0]["in"] = json!("header");
            clarify(&mut document, &mut Vec::new());
            let scheme = &document["components"]["securitySchemes"][SCHEME];
            scheme["type"].as_str().unwrap_or_default().to_owned()
        };
        for header in [
            json!({"description": "Use `Authorization: Token <API_KEY>`"}),
            json!({"example": "Token abc"}),
            json!({"schema": {"default": "Key YOUR_KEY"}}),
            json!({"schema": {"pattern": "^Token .+"}}),
        ] {
            assert_eq!(declared(header.clone()), "apiKey", "{header}");
        }
        for header in [
            json!({"description": "Use `Authorization: Bearer <token>`"}),
            json!({"example": "Bearer abc", "schema": {"pattern": "^Bearer .+"}}),
            json!({"description": "The token"}),
        ] {
            assert_eq!(declared(header.clone()), "http", "{header}");
        }
    }

    #[test]
    fn declared_scheme_without_a_requirement_is_optional() {
        let schemes = json!({"key": {"type": "apiKey", "in": "header", "name": "X-Key"}, "tls": {"type": "mutualTLS"}});
        let mut document = json!({
            "paths": {"/a": {"get": {}}},
            "components": {"securitySchemes": schemes},
        });
        let mut unsupported = Vec::new();
        clarify(&mut document, &mut unsupported);
        assert_eq!(document["security"], json!([{}, {"key": []}]));
        assert_eq!(unsupported.len(), 1);
        document["security"] = json!([]);
        clarify(&mut document, &mut unsupported);
        assert_eq!(document["security"], json!([]));
    }

    #[test]
    fn authorization_parameter_is_the_token_of_the_document() {
        let security = |token: &str, description: &str| {
            let header =
                json!({"name": "Authorization", "in": "header", "description": description});
            let mut document = json!({
                "paths": {"/a": {
                    "get": {"parameters": [header]},
                    "put": {"security": [{token: []}]},
                }},
                "components": {"securitySchemes": {
                    "key": {"type": "apiKey", "in": "query", "name": "k"},
                    "oauth": {"type": "oauth2"},
                }},
            });
            clarify(&mut document, &mut Vec::new());
            document["paths"]["/a"]["get"].get("security").cloned()
        };
        assert_eq!(
            security("oauth", "The token"),
            Some(json!([{}, {"oauth": []}]))
        );
        assert_eq!(security("oauth", "Basic credentials"), None);
        assert_eq!(security("key", "The token"), None);
    }

    #[test]
    fn undeclared_scheme_is_the_only_declared_one() {
        let mut document = json!({
            "security": [{"bearerAuth": ["read"]}],
            "paths": {"/a": {
                "get": {"security": [{}, {"v1_bearer": []}]},
                "put": {"security": [{"other": [], "v1_bearer": []}]},
                "post": {},
            }},
            "components": {"securitySchemes": {"v1_bearer": {"type": "http", "scheme": "bearer"}}},
        });
        let mut unsupported = Vec::new();
        clarify(&mut document, &mut unsupported);
        assert_eq!(document["security"], json!([{"v1_bearer": ["read"]}]));
        let operations = &document["paths"]["/a"];
        assert_eq!(
            operations["get"]["security"],
            json!([{}, {"v1_bearer": []}])
        );
        assert_eq!(operations["put"]["security"], json!([{"v1_bearer": []}]));
        assert_eq!(operations["post"], json!({}));
        let places: Vec<_> = unsupported
            .iter()
            .map(|loss| loss.pointer.as_str())
            .collect();
        assert_eq!(places, ["/paths/~1a/put/security", "/security"]);
        let mut several = json!({
            "security": [{"a": []}],
            "components": {"securitySchemes": {"b": {}, "c": {}}},
        });
        clarify(&mut several, &mut unsupported);
        assert_eq!(several["security"], json!([{"a": []}]));
    }
}
