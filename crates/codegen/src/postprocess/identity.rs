//! Operations whose response is about what a parameter of the path names, so that the id in it must be the requested one.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use serde_json::Value;
use syn::Type;

use super::syntax::option;
use crate::openapi::{Schema as _, of_operation};
use crate::{names, walk};

/// The parameter with the requested id, and the property with the received one.
pub(super) struct Identity {
    parameter: String,
    property: String,
}

impl Identity {
    /// Returns the identity of what an operation reads. `None` unless the path ends with its UUID, as
    /// `/calls/{id}` does, and the only success has that UUID as a required property of the same name, or `id` for
    /// `/calls/{call_id}`. Other ids may be aliases, such as `me`.
    pub(super) fn of(document: &Value, operation: &walk::Operation<'_>) -> Option<Self> {
        // Other methods may answer with another object, such as the one that they created or deleted.
        if operation.method != "get" {
            return None;
        }
        let (collection, parameter) = operation.path.rsplit_once('/')?;
        let parameter = parameter.strip_prefix('{')?.strip_suffix('}')?;
        // A named schema would be a type of its own.
        let is_uuid = |schema: &Value| {
            let has = |key: &str, value: &str| schema.get(key).is_some_and(|own| own == value);
            has("type", "string") && has("format", "uuid") && !schema.is_nullable()
        };
        let parameters = of_operation(document, operation);
        let is_requested = parameters.iter().any(|known| {
            known.location() == "path"
                && known.name() == parameter
                && known.object.get("schema").is_some_and(is_uuid)
        });
        let schema = only_success(document, operation)?;
        let composed = ["allOf", "anyOf", "oneOf", "nullable"];
        if !is_requested || composed.iter().any(|key| schema.get(key).is_some()) {
            return None;
        }
        let properties = schema.get("properties").and_then(Value::as_object)?;
        let has = |name: &&str| schema.requires(name) && properties.get(*name).is_some_and(is_uuid);
        let short = || {
            let subject = parameter.strip_suffix("_id")?;
            let segment = collection.rsplit('/').next()?;
            let is_named_so = segment == subject
                || segment.strip_suffix('s') == Some(subject)
                || segment
                    .strip_suffix("ies")
                    .is_some_and(|stem| subject.strip_suffix('y') == Some(stem));
            (is_named_so && !properties.contains_key(parameter)).then_some("id")
        };
        let property = Some(parameter)
            .filter(has)
            .or_else(|| short().filter(has))?;
        (names::parameter_name(property) == property).then(|| Self {
            parameter: names::parameter_name(parameter),
            property: property.to_owned(),
        })
    }

    /// Returns the functions of `impl Operation` that read both ids. The output is the object, or an option of it.
    pub(super) fn functions(&self, output: &Type) -> TokenStream {
        let parameter = format_ident!("{}", self.parameter);
        let property = format_ident!("{}", self.property);
        let received = match option(output) {
            Some(_) => quote!(output.as_ref().map(|output| output.#property)),
            None => quote!(Some(output.#property)),
        };
        quote! {
            fn requested_id(&self) -> ::std::option::Option<::uuid::Uuid> {
                Some(self.#parameter)
            }
            fn received_id(output: &Self::Output) -> ::std::option::Option<::uuid::Uuid> {
                #received
            }
        }
    }
}

/// Returns the schema of the only success, if it is a JSON object with a name.
fn only_success<'a>(document: &'a Value, operation: &walk::Operation<'_>) -> Option<&'a Value> {
    let responses = walk::locate(document, &operation.pointer.join("responses"))?.1;
    let responses = responses.as_object()?.iter();
    let mut successes = responses.filter(|(status, _)| status.starts_with('2'));
    let (_, success) = successes.next()?;
    if successes.next().is_some() {
        return None;
    }
    let content = walk::follow(document, success)?
        .get("content")?
        .as_object()?;
    let mut content = content.values();
    let schema = content.next()?.get("schema")?;
    if content.next().is_some() || schema.get("$ref").is_none() {
        return None;
    }
    walk::follow(document, schema)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns the property with the received id, for an operation with this path and these required UUIDs in its response.
    fn property(method: &str, path: &str, ids: &[&str]) -> Option<String> {
        let uuid = json!({"type": "string", "format": "uuid"});
        let (_, parameter) = path.trim_end_matches('}').rsplit_once('{').unwrap();
        let properties: serde_json::Map<_, _> = ids
            .iter()
            .map(|id| ((*id).to_owned(), uuid.clone()))
            .collect();
        let reference = json!({"$ref": "#/components/schemas/Thing"});
        let document = json!({
            "paths": {path: {method: {
                "parameters": [{"name": parameter, "in": "path", "required": true, "schema": uuid}],
                "responses": {"200": {"content": {"application/json": {"schema": reference}}}},
            }}},
            "components": {"schemas": {"Thing": {
                "type": "object",
                "required": ids,
                "properties": properties,
            }}},
        });
        let operations = walk::operations(&document);
        Identity::of(&document, &operations[0]).map(|identity| identity.property)
    }

    #[test]
    fn id_of_the_response_is_compared_only_if_it_is_that_of_the_path() {
        let id = Some("id".to_owned());
        assert_eq!(property("get", "/calls/{id}", &["id"]), id);
        assert_eq!(property("get", "/calls/{call_id}", &["id"]), id);
        assert_eq!(property("get", "/call/{call_id}", &["id"]), id);
        assert_eq!(property("get", "/companies/{company_id}", &["id"]), id);
        let own = Some("call_id".to_owned());
        assert_eq!(property("get", "/notes/{call_id}", &["id", "call_id"]), own);
        assert_eq!(property("get", "/call-notes/{call_id}", &["id"]), None);
        assert_eq!(property("get", "/agents/{call_id}", &["id"]), None);
        assert_eq!(property("get", "/calls/{id}/notes", &["id"]), None);
        assert_eq!(property("get", "/calls/{id}", &["call"]), None);
        assert_eq!(property("post", "/calls/{id}", &["id"]), None);
    }
}
