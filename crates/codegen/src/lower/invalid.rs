//! Removes what is not valid and not needed. progenitor would refuse the operation for it, or the whole document.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::openapi::Schema as _;
use crate::pointer::{Lookup as _, Pointer};
use crate::security;
use crate::unsupported::Unsupported;
use crate::walk::{self, Kind};

/// Removes annotations of a type that they cannot have, and adds the description that 3.0 requires of a response.
pub(super) fn annotations(kind: Kind, value: &mut Value) {
    let Some(object) = value.as_object_mut() else {
        return;
    };
    object.retain(|keyword, value| match keyword.as_str() {
        "summary" | "description" => value.is_string(),
        "deprecated" => value.is_boolean(),
        "examples" => value.is_object(),
        "externalDocs" => value.text("url").is_some(),
        "tags" if kind == Kind::Operation => {
            (value.as_array()).is_some_and(|tags| tags.iter().all(Value::is_string))
        }
        // Nothing reads those of the document.
        "tags" => false,
        _ => true,
    });
    if kind == Kind::Response && !object.contains_key("$ref") {
        object.entry("description").or_insert_with(|| json!(""));
    }
}

/// Removes the security schemes that the transport does not support, which are reported elsewhere, and what it does not read of
/// the others.
pub(super) fn security_schemes(document: &mut Value) {
    let place = "/components/securitySchemes";
    let declared = document.at(place).and_then(Value::as_object);
    let names = declared.into_iter().flatten().map(|(name, _)| name);
    let is_supported = |name: &&String| security::scheme(document, name).is_some();
    let supported: BTreeSet<String> = names.filter(is_supported).cloned().collect();
    let schemes = document.at_mut(place).and_then(Value::as_object_mut);
    let Some(schemes) = schemes else { return };
    schemes.retain(|name, _| supported.contains(name));
    for scheme in schemes.values_mut().filter_map(Value::as_object_mut) {
        match scheme.get("type").and_then(Value::as_str) {
            Some("oauth2") => scheme.insert("flows".to_owned(), json!({})),
            Some("openIdConnect") => scheme.insert("openIdConnectUrl".to_owned(), json!("")),
            _ => None,
        };
    }
}

/// Removes parameters among the components that have no name or no location, and that no reference needs.
pub(super) fn parameters(document: &mut Value, unsupported: &mut Vec<Unsupported>) {
    let place = Pointer::root().join("components").join("parameters");
    let declared = document.at(place.as_str()).and_then(Value::as_object);
    let is_whole = |parameter: &Value| {
        let has = |key: &str| parameter.text(key).is_some();
        has("$ref") || has("name") && has("in")
    };
    let declared = declared.into_iter().flatten();
    let broken = declared.filter(|(_, parameter)| !is_whole(parameter));
    let mut needless: BTreeSet<Pointer> = broken.map(|(name, _)| place.join(name)).collect();
    if needless.is_empty() {
        return;
    }
    walk::walk(document, &mut |_, _, value| {
        if let Some(target) = value.reference() {
            needless.remove(&target);
        }
    });
    let parameters = document.at_mut(place.as_str());
    if let Some(parameters) = parameters.and_then(Value::as_object_mut) {
        parameters.retain(|name, _| !needless.contains(&place.join(name)));
    }
    for parameter in needless {
        let cause = "the parameter, which has no name or no location";
        unsupported.push(Unsupported::new(&parameter, cause, "nothing refers to it"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_valid_and_not_needed_is_removed() {
        let mut document = json!({
            "tags": [{"name": "t"}],
            "paths": {"/a": {"get": {
                "operationId": "a",
                "summary": 5,
                "description": "kept",
                "tags": "t",
                "parameters": [
                    {"$ref": "#/components/parameters/Needed"},
                ],
                "responses": {
                    "200": {"content": {"application/json": {"examples": [1]}}},
                    "404": {"$ref": "#/components/responses/Gone"},
                },
            }}},
            "components": {
                "parameters": {"Needed": {"in": "query"}, "Needless": {"k": {"type": "string"}}, "Alias": {"$ref": "#/x"}},
                "responses": {"Gone": {"summary": "Gone."}},
                "securitySchemes": {
                    "nameless": {"type": "apiKey", "in": "header"},
                    "oauth": {"type": "oauth2", "flows": {"implicit": {}}},
                    "open_id": {"type": "openIdConnect"},
                },
            },
        });
        let mut unsupported = Vec::new();
        walk::walk_mut(&mut document, &mut |kind, _, value| {
            if kind != Kind::Schema {
                annotations(kind, value);
            }
        });
        security_schemes(&mut document);
        parameters(&mut document, &mut unsupported);
        let reports: Vec<String> = unsupported
            .iter()
            .map(|loss| format!("{}: {}: {}", loss.pointer, loss.what, loss.instead))
            .collect();
        insta::assert_json_snapshot!(json!({"document": document, "reports": reports}));
    }
}
