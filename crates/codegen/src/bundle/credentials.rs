//! Credentials that the document declares by other means than the security schemes of its operations.
//!
//! - An operation without security whose header parameter is `Authorization` takes a Bearer token: FastAPI writes
//!   `authorization: str = Header()` so. It is the token of the document, unless that is another credential.
//! - A requirement of a scheme that the document does not declare means the only one that it declares.
//! - If nothing says which operations have security, the schemes that the document declares are optional for all: NestJS
//!   and springdoc write documents without requirements.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

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
    let operations = walk::operations(document);
    let are_required = document.get("security").is_some()
        || (operations.iter()).any(|operation| operation.object.get("security").is_some());
    parameters(document, unsupported);
    if !are_required {
        unrequired(document, unsupported);
    }
}

/// Returns the names of the declared schemes.
fn declared(document: &Value) -> impl Iterator<Item = &String> {
    let declared = document.at("/components/securitySchemes");
    let declared = declared.and_then(Value::as_object);
    declared.into_iter().flat_map(Map::keys)
}

/// Returns the names of the declared schemes that the transport supports.
fn supported(document: &Value) -> impl Iterator<Item = &String> {
    declared(document).filter(|name| scheme(document, name).is_some())
}

/// Makes the declared schemes optional for all operations. Those of header parameters stay.
fn unrequired(document: &mut Value, unsupported: &mut Vec<Unsupported>) {
    let used = SecuritySchemes::of(document);
    let used: Vec<String> = used.names().iter().map(|name| (*name).to_owned()).collect();
    let names = supported(document).filter(|name| !used.contains(name));
    let names: Vec<String> = names.cloned().collect();
    if names.is_empty() {
        return;
    }
    let root = Pointer::root().join("components").join("securitySchemes");
    for name in &names {
        let what = format!("the security scheme `{name}`, which no operation requires");
        let instead = "its credential is sent with every operation, if it is set";
        unsupported.push(Unsupported::new(&root.join(name), what, instead));
    }
    let alternatives = |names: Vec<String>| names.into_iter().map(|name| json!({name: []}));
    let further: Vec<Value> = alternatives(names).collect();
    let operations = walk::operations(document);
    let with_own = operations
        .iter()
        .filter(|operation| operation.object.get("security").is_some());
    let with_own: Vec<Pointer> = with_own
        .map(|operation| operation.pointer.join("security"))
        .collect();
    for place in with_own {
        let list = document
            .at_mut(place.as_str())
            .and_then(Value::as_array_mut);
        if let Some(list) = list {
            list.extend(further.iter().cloned());
        }
    }
    if let Some(object) = document.as_object_mut() {
        // The first is the token: that of the header parameters, if there are any.
        let all = std::iter::once(json!({})).chain(alternatives(used));
        object.insert("security".to_owned(), all.chain(further).collect());
    }
}

fn parameters(document: &mut Value, unsupported: &mut Vec<Unsupported>) {
    let takes_header = |name: &str| match scheme(document, name) {
        Some(Security::Bearer) => true,
        Some(Security::ApiKeyHeader(header)) => header.eq_ignore_ascii_case(SCHEME),
        _ => false,
    };
    let schemes = SecuritySchemes::of(document);
    let name = match schemes.names().first() {
        Some(token) if takes_header(token) => (*token).to_owned(),
        // The token is another credential.
        Some(_) => return,
        None => {
            let fits = supported(document).find(|name| takes_header(name));
            fits.map_or(SCHEME, String::as_str).to_owned()
        }
    };
    let mut found: Vec<(Pointer, Value)> = Vec::new();
    let mut prefixes = Prefixes::default();
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
            prefixes.note(header.object);
        }
    }
    let Some((place, _)) = found.first() else {
        return;
    };
    // The value of an API key is sent as it is, with its prefix.
    let is_declared = scheme(document, &name).is_some();
    let added = match prefixes.others && !prefixes.bearer {
        true => {
            if !is_declared {
                let what = "the credential of the header parameter `Authorization`";
                let instead = "it is sent as it is: set it with its prefix";
                unsupported.push(Unsupported::new(place, what, instead));
            }
            json!({"type": "apiKey", "in": "header", "name": SCHEME})
        }
        false => json!({"type": "http", "scheme": "bearer"}),
    };
    for (operation, security) in found {
        if let Some(operation) = document.at_mut(operation.as_str()) {
            operation["security"] = security;
        }
    }
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

/// The words with which the values of header parameters begin, such as `Token <key>`.
#[derive(Default)]
struct Prefixes {
    bearer: bool,
    others: bool,
}

impl Prefixes {
    fn note(&mut self, parameter: &Value) {
        const WORDS: [&str; 7] = ["token", "key", "apikey", "api-key", "jwt", "oauth", "bot"];
        let description = parameter.get("description").and_then(Value::as_str);
        let description = description.unwrap_or_default();
        let described = description.split_once("Authorization: ");
        let described = described.map(|(_, value)| value.trim_start_matches(['`', '"', '\'']));
        // In a sentence, the rest is more than a placeholder.
        let is_placeholder = |value: &&str| {
            let rest = value.split_once(' ').map_or("", |(_, rest)| rest);
            rest.starts_with(['<', '{', '[', '$']) || rest.starts_with(char::is_uppercase)
        };
        let described = described.filter(is_placeholder);
        let values = [
            "/example",
            "/schema/example",
            "/schema/default",
            "/schema/pattern",
        ];
        let values = values
            .iter()
            .filter_map(|place| parameter.at(place).and_then(Value::as_str));
        for value in values.chain(described) {
            let value = value.trim_start_matches('^').to_ascii_lowercase();
            let word = value.split_once(' ').map_or("", |(word, _)| word);
            self.others |= WORDS.contains(&word);
            self.bearer |= word == "bearer";
        }
        self.bearer |= description.to_ascii_lowercase().contains("bearer");
    }
}

fn undeclared(document: &mut Value, unsupported: &mut Vec<Unsupported>) {
    let only = match declared(document).collect::<Vec<_>>().as_slice() {
        [only] => (*only).clone(),
        _ => return,
    };
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
        for name in requirements(document, owner).flat_map(Map::keys) {
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
            json!({"description": "Authorization: your access token"}),
            json!({"description": "Authorization: Token from the login"}),
            json!({"schema": {"default": "Your token"}}),
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

        // Next to a header parameter, whose credential is the token.
        let header = json!({"name": "Authorization", "in": "header", "required": true});
        let mut document = json!({
            "paths": {"/a": {"get": {"parameters": [header]}, "put": {}}},
            "components": {"securitySchemes": schemes},
        });
        clarify(&mut document, &mut unsupported);
        let security = &document["paths"]["/a"]["get"]["security"];
        assert_eq!(*security, json!([{SCHEME: []}, {"key": []}]));
        let all = json!([{}, {SCHEME: []}, {"key": []}]);
        assert_eq!(document["security"], all);
        assert_eq!(SecuritySchemes::of(&document).names(), [SCHEME, "key"]);
        // A declared key in that header is the credential of the parameter.
        document = json!({
            "paths": {"/a": {"get": {"parameters": [header]}}},
            "components": {"securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": SCHEME}}},
        });
        clarify(&mut document, &mut unsupported);
        let security = &document["paths"]["/a"]["get"]["security"];
        assert_eq!(*security, json!([{"token": []}]));
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
