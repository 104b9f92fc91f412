//! Writes the mocks: a method for each operation, its `When` with a method for each parameter and for the body, and its
//! `Then` with a method for each documented status.
//!
//! Their types are those of the client's methods and setters. Expected values are encoded by the client's own code.
//! Responses are by status, as the client decodes them. The mocks are written as text: progenitor's would have to be
//! parsed, rewritten and printed, which takes much longer.

mod then;
mod when;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use syn::{ReturnType, Type};

use super::builder;
use super::client::operation_id;
use super::docs;
use super::request_spec::RequestSpec;
use super::syntax::arguments;
use crate::features::Features;
use crate::model::{Model, Stream};
use crate::names;
use crate::normalize::is_string_enum;
use crate::openapi::Schema as _;
use crate::signature::Signatures;
use crate::walk::{self, Operation};
use then::MockResponse;

/// The mock of an operation.
struct Mock<'a> {
    operation: Operation<'a>,
    spec: RequestSpec,
    responses: Vec<MockResponse>,
    stream: Option<Stream>,
}

/// Returns the source of the mocks. `results` has the success and error types of the client's `send` functions.
pub(super) fn write(
    signatures: &Signatures,
    results: &Results,
    document: &Value,
    model: &Model,
    features: &Features,
) -> String {
    let mut by_status = then::by_status(document, model);
    let enums = enums(document);
    let (mut operations, mut methods, mut implementations) =
        (String::new(), String::new(), String::new());
    for operation in walk::operations(document) {
        let Some(method) = operation.id().map(names::method_name) else {
            continue;
        };
        let Some(parameters) = signatures.parameters(&method) else {
            continue;
        };
        let responses = by_status
            .remove(&method)
            .unwrap_or_else(|| then::uniform(document, &operation, results.get(&method)));
        let facts = model.operation(&operation.pointer);
        let mock = Mock {
            spec: RequestSpec::of(document, model, &operation),
            responses,
            stream: facts.and_then(|facts| facts.stream.clone()),
            operation,
        };
        let [when, then] =
            ["when", "then"].map(|suffix| names::builder_name(&format!("{method}-{suffix}")));
        let Operation {
            method: verb, path, ..
        } = &mock.operation;
        let heading = line(&format!("`{} {path}`", verb.to_uppercase()));
        let attribute = features.attribute(&features.condition(&method));
        let attribute =
            attribute.map_or_else(String::new, |attribute| format!("    {attribute}\n"));
        operations.push_str(&format!(
            "{attribute}    /// An expected request to {heading}.\n    pub struct {when}(::httpmock::When);\n{attribute}    impl {when} {{\n{}    }}\n",
            when::methods(&mock, parameters, &enums, document),
        ));
        operations.push_str(&format!(
            "{attribute}    /// The response to a request to {heading}.\n    pub struct {then}(::httpmock::Then);\n{attribute}    impl {then} {{\n{}    }}\n",
            then::methods(&mock),
        ));
        let head = format!(
            "    fn {method}<F>(&self, config_fn: F) -> ::httpmock::Mock<'_>\n    where\n        F: FnOnce(operations::{when}, operations::{then})"
        );
        methods.push_str(&format!("{attribute}    /// Mocks {heading}.\n{head};\n"));
        implementations.push_str(&format!(
            "{attribute}{head},\n    {{\n        self.mock(|when, then| config_fn(operations::{when}::new(when), operations::{then}::new(then)))\n    }}\n"
        ));
    }
    format!(
        "/// The expected requests of each operation, and the responses to them.\npub mod operations {{\n    use crate::types;\n{operations}}}\n\
         /// Mocks each operation.\npub trait MockServerExt {{\n{methods}}}\n\
         impl MockServerExt for ::httpmock::MockServer {{\n{implementations}}}\n"
    )
}

/// Returns a method with a block that returns `value`.
fn method(docs: &str, signature: &str, value: &str) -> String {
    format!(
        "        /// {}\n        #[inline]\n        pub fn {signature} {{\n            {value}\n        }}\n",
        line(docs)
    )
}

/// Returns the method that all `When` and `Then` have to return `httpmock`'s.
fn into_inner(wrapped: &str) -> String {
    method(
        "Returns the builder of `httpmock`.",
        &format!("into_inner(self) -> ::httpmock::{wrapped}"),
        "self.0",
    )
}

/// Returns a text as one line of documentation.
fn line(text: &str) -> String {
    text.replace(docs::TURNS_TEXT, "")
        .replace(['\n', '\r'], " ")
}

/// Returns the names of the types that are enums of strings, in the client's notation.
fn enums(document: &Value) -> BTreeSet<String> {
    let enums = walk::schemas(document)
        .filter(|(_, schema)| is_string_enum(schema) && !schema.is_nullable());
    enums
        .map(|(name, _)| format!("types::{}", names::type_name(name)))
        .collect()
}

/// The success and error types of each operation's `send`.
pub(super) type Results = BTreeMap<String, [Option<Type>; 2]>;

pub(super) fn results(client: &mut syn::File) -> Results {
    builder::sends(client)
        .filter_map(|function| {
            let ReturnType::Type(_, result) = &function.sig.output else {
                return None;
            };
            let sides = arguments(result)
                .map(|side| arguments(side).next().cloned())
                .collect::<Vec<_>>();
            Some((operation_id(function)?, sides.try_into().ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Choices, Settings, generate_all, layout, load::Source};
    use serde_json::json;
    use syn::{Item, parse_quote};

    fn mocks(paths: Value) -> String {
        let body = |schema: Value| json!({"description": "", "content": {"application/json": {"schema": schema}}});
        let source = Source {
            path: "a.json".to_owned(),
            label: "a.json".to_owned(),
            document: json!({
                "openapi": "3.0.3",
                "info": {"title": "t", "version": "1"},
                "paths": paths,
                "components": {
                    "schemas": {
                        "Pet": {"type": "object", "properties": {"name": {"type": "string"}}},
                        "Status": {"type": "string", "enum": ["a"]},
                        "Perhaps": {"type": "string", "nullable": true, "enum": ["a", null]},
                    },
                    "responses": {
                        "Pet": body(json!({"$ref": "#/components/schemas/Pet"})),
                        "Names": body(json!({"type": "array", "items": {"type": "string"}})),
                    },
                },
            }),
            ..Source::default()
        };
        let generated = generate_all(source, &Settings::default(), Choices::default()).unwrap();
        let outputs = generated.plan.outputs;
        let mock = outputs
            .iter()
            .find(|output| output.path == std::path::Path::new(layout::MOCK));
        let file = syn::parse_file(&mock.unwrap().contents).unwrap();
        let operations = file
            .items
            .into_iter()
            .filter(|item| matches!(item, Item::Mod(_)));
        prettyplease::unparse(&syn::File {
            items: operations.collect(),
            ..parse_quote!()
        })
    }

    #[test]
    fn expected_requests_match_those_of_the_client() {
        let texts = json!({"type": "array", "items": {"type": "string"}});
        let mocks = mocks(json!({"/a.b/{id}/{names}": {"post": {
            "operationId": "a",
            "parameters": [
                {"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}},
                {"name": "names", "in": "path", "required": true, "style": "matrix", "schema": texts},
                {"name": "Date<", "in": "query", "schema": {"type": "string"}},
                {"name": "turns\u{202e}\r", "in": "query", "required": true, "schema": {"type": "string", "nullable": true}},
                {"name": "status", "in": "query", "schema": {"$ref": "#/components/schemas/Status"}},
                {"name": "perhaps", "in": "query", "required": true, "schema": {"$ref": "#/components/schemas/Perhaps"}},
                {"name": "csv", "in": "query", "explode": false, "schema": texts},
                {"name": "into_inner", "in": "query", "required": true, "schema": texts},
                {"name": "X-List", "in": "header", "schema": texts},
            ],
            "requestBody": {"required": true, "content": {"application/x-www-form-urlencoded": {"schema": {"$ref": "#/components/schemas/Pet"}}}},
            "responses": {"204": {"description": ""}},
        }}}));
        insta::assert_snapshot!(mocks);
    }

    #[test]
    fn mock_responses_are_by_status() {
        let mocks = mocks(json!({
            "/differs": {"get": {"operationId": "differs", "responses": {
                "200": {"$ref": "#/components/responses/Pet"},
                "202": {"$ref": "#/components/responses/Names"},
                "204": {"description": ""},
                "404": {"description": "", "content": {"text/html": {}}},
                "default": {"$ref": "#/components/responses/Pet"},
            }}},
            "/same": {"get": {"operationId": "same", "responses": {
                "200": {"description": "", "content": {"application/vnd.pet+json": {"schema": {"$ref": "#/components/schemas/Pet"}}}},
                "499": {"$ref": "#/components/responses/Names"},
            }}},
            "/stream": {"get": {"operationId": "stream", "responses": {
                "200": {"description": "", "content": {"text/event-stream": {}}},
            }}},
            // A mock cannot accept a WebSocket, but it can expect the request.
            "/socket": {"get": {"operationId": "socket", "x-dropshot-websocket": {}, "responses": {
                "101": {"description": ""},
            }}},
        }));
        insta::assert_snapshot!(mocks);
    }
}
