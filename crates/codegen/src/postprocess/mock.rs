//! Adapts progenitor's mocks to the client.
//!
//! The structure is kept: a method per operation, its `When` with a method per parameter and for the body, and its
//! `Then`. Expected values are encoded by the client's own code, because progenitor compares with the result of
//! `to_string`. Responses are by status, as the client decodes them.

mod then;
mod when;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use syn::{Attribute, Item, ReturnType, Type, parse_quote};

use super::builder;
use super::client::operation_id;
use super::docs;
use super::request_spec::RequestSpec;
use super::syntax::{arguments, implemented, plain};
use crate::model::{Model, Stream};
use crate::names;
use crate::walk::{self, Operation};
use then::MockResponse;

/// Returns the operations that have a mock.
pub(crate) fn methods(file: &syn::File) -> BTreeSet<String> {
    let traits = file.items.iter().filter_map(|item| match item {
        Item::Trait(item) => Some(item),
        _ => None,
    });
    traits
        .flat_map(|item| &item.items)
        .filter_map(|item| match item {
            syn::TraitItem::Fn(function) => Some(plain(&function.sig.ident)),
            _ => None,
        })
        .collect()
}

/// The mock of an operation.
struct Mock<'a> {
    operation: Operation<'a>,
    spec: RequestSpec,
    responses: Vec<MockResponse>,
    stream: Option<Stream>,
}

impl Mock<'_> {
    /// Returns the method and path of the operation, for documentation.
    fn heading(&self) -> String {
        let Operation { method, path, .. } = &self.operation;
        format!("`{} {path}`", method.to_uppercase())
    }
}

/// Adapts the mocks. `results` has the success and error types of the client's `send` functions.
pub(super) fn fit(file: &mut syn::File, results: &Results, document: &Value, model: &Model) {
    let mut by_status = then::by_status(document, model);
    let mut mocks = BTreeMap::new();
    for operation in walk::operations(document) {
        let Some(method) = operation.id().map(names::method_name) else {
            continue;
        };
        let responses = by_status
            .remove(&method)
            .unwrap_or_else(|| then::uniform(document, &operation, results.get(&method)));
        let spec = RequestSpec::of(document, model, &operation);
        let stream = model.operation(&operation.pointer);
        let stream = stream.and_then(|facts| facts.stream.clone());
        mocks.insert(
            method,
            Mock {
                operation,
                spec,
                responses,
                stream,
            },
        );
    }
    for item in &mut file.items {
        match item {
            Item::Mod(module) if module.ident == "operations" => {
                module.attrs = vec![doc(
                    "The expected requests of each operation, and the responses to them.",
                )];
                if let Some((_, items)) = &mut module.content {
                    fit_operations(items, &mocks, document);
                }
            }
            Item::Trait(item) => {
                item.attrs = vec![doc("Mocks each operation.")];
                for item in &mut item.items {
                    if let syn::TraitItem::Fn(function) = item
                        && let Some(mock) = mocks.get(&plain(&function.sig.ident))
                    {
                        let text = format!("Mocks {}.", mock.heading());
                        function.attrs.push(doc(&text));
                    }
                }
            }
            _ => {}
        }
    }
}

/// Adapts the `When` and the `Then` of each operation.
fn fit_operations(items: &mut [Item], mocks: &BTreeMap<String, Mock<'_>>, document: &Value) {
    let named = |suffix: &str| -> BTreeMap<String, &Mock<'_>> {
        let name = |method: &String| names::builder_name(&format!("{method}-{suffix}"));
        mocks
            .iter()
            .map(|(method, mock)| (name(method), mock))
            .collect()
    };
    let (whens, thens) = (named("when"), named("then"));
    for item in items {
        match item {
            Item::Use(item) => {
                *item = parse_quote!(
                    use crate::types;
                )
            }
            Item::Struct(item) => {
                let name = item.ident.to_string();
                if let Some(mock) = whens.get(&name) {
                    let text = format!("An expected request to {}.", mock.heading());
                    item.attrs.push(doc(&text));
                } else if let Some(mock) = thens.get(&name) {
                    let text = format!("The response to a request to {}.", mock.heading());
                    item.attrs.push(doc(&text));
                }
            }
            Item::Impl(item) => {
                let name = implemented(item).unwrap_or_default();
                if let Some(mock) = whens.get(&name) {
                    when::fit(item, document, &mock.operation, &mock.spec);
                } else if let Some(mock) = thens.get(&name) {
                    then::fit(item, &mock.responses, mock.spec.accept.as_deref());
                    item.items.extend(mock.stream.as_ref().map(then::stream));
                }
            }
            _ => {}
        }
    }
}

fn doc(text: &str) -> Attribute {
    docs::attribute(&format!(" {text}"))
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
                    "schemas": {"Pet": {"type": "object", "properties": {"name": {"type": "string"}}}},
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
        }));
        insta::assert_snapshot!(mocks);
    }
}
