//! The names of locations and values in reports.

use serde_json::Value;

use super::schema;
use super::spec::Spec;
use crate::openapi::{self, Schema as _, Target};
use crate::pointer::Pointer;
use crate::walk;

/// The owner of a schema, such as a parameter, with the path from there to the location.
struct Owned<'s> {
    owner: Option<String>,
    /// The name of a component.
    name: &'s str,
    path: &'s [&'s str],
}

impl<'s> Owned<'s> {
    fn by(owner: String, path: &'s [&'s str]) -> Self {
        Self {
            owner: Some(owner),
            name: "",
            path,
        }
    }
}

/// Returns a readable name of a location in `spec`, in backticks where it has a name.
pub(super) fn label(spec: &Spec<'_>, location: &Pointer) -> String {
    let tokens: Vec<String> = location.tokens().collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let Owned { owner, name, path } = Locations(spec).owner(&tokens);
    let path = schema_path(name, path);
    match (owner, path.as_str()) {
        (Some(owner), "") => owner,
        (Some(owner), path) => format!("`{}` in {owner}", path.trim_start_matches('.')),
        (None, "") => "the document".to_owned(),
        (None, path) => format!("`{path}`"),
    }
}

/// Describes the schema at a location in `spec`: by its name, or by its type.
pub(super) fn describe(spec: &Spec<'_>, location: &Pointer) -> String {
    match openapi::resolve(spec.document, location, true).map(|schema| schema.target) {
        Some(Target::Named(name, _)) => format!("`{name}`"),
        Some(Target::Inline(_, object)) => match object.listed().as_deref() {
            Some([only]) => show(only),
            _ => schema::phrase(object),
        },
        None => "any value".to_owned(),
    }
}

/// The locations of a document.
struct Locations<'a>(&'a Spec<'a>);

impl Locations<'_> {
    fn owner<'s>(&self, tokens: &'s [&'s str]) -> Owned<'s> {
        match tokens {
            ["components", section, name, path @ ..] => self.component(section, name, path),
            ["paths", path, "parameters", index, rest @ ..] => {
                let item = Pointer::root().join("paths").join(path);
                let name = self.parameter(&item.join("parameters").join(index), index);
                Owned::by(format!("the parameter `{name}`"), after_schema(rest))
            }
            ["paths", path, method, rest @ ..] => {
                let operation = Pointer::root().join("paths").join(path).join(method);
                self.part_of_operation(&operation, rest)
            }
            path => Owned {
                owner: None,
                name: "",
                path,
            },
        }
    }

    fn component<'s>(&self, section: &str, name: &'s str, path: &'s [&'s str]) -> Owned<'s> {
        match (section, path) {
            ("parameters", path) => {
                let components = Pointer::root().join("components");
                let parameter = components.join("parameters").join(name);
                let name = self.parameter(&parameter, name);
                Owned::by(format!("the parameter `{name}`"), after_schema(path))
            }
            ("headers", path) => Owned::by(format!("the header `{name}`"), after_schema(path)),
            ("requestBodies", path) => {
                Owned::by(format!("the request body `{name}`"), after_content(path))
            }
            ("responses", ["headers", header, path @ ..]) => Owned::by(
                format!("the header `{header}` of the response `{name}`"),
                after_schema(path),
            ),
            ("responses", path) => Owned::by(format!("the response `{name}`"), after_content(path)),
            (_, path) => Owned {
                owner: None,
                name,
                path,
            },
        }
    }

    fn part_of_operation<'s>(&self, operation: &Pointer, path: &'s [&'s str]) -> Owned<'s> {
        let method = self.0.method(operation);
        match path {
            ["parameters", index, path @ ..] => {
                let name = self.parameter(&operation.join("parameters").join(index), index);
                Owned::by(
                    format!("the parameter `{name}` of `{method}`"),
                    after_schema(path),
                )
            }
            ["requestBody", path @ ..] => Owned::by(
                format!("the request body of `{method}`"),
                after_content(path),
            ),
            ["responses", status, "headers", header, path @ ..] => Owned::by(
                format!("the header `{header}` of the {status} response of `{method}`"),
                after_schema(path),
            ),
            ["responses", status, path @ ..] => Owned::by(
                format!("the {status} response of `{method}`"),
                after_content(path),
            ),
            path => Owned::by(format!("`{method}`"), path),
        }
    }

    fn parameter(&self, location: &Pointer, fallback: &str) -> String {
        let parameter = walk::locate(self.0.document, location);
        let name = parameter.and_then(|(_, parameter)| parameter.get("name")?.as_str());
        name.unwrap_or(fallback).to_owned()
    }
}

/// Renders the path from a named schema to a location, such as `Call.tags[]`.
fn schema_path(name: &str, mut path: &[&str]) -> String {
    let mut text = name.to_owned();
    loop {
        path = match path {
            [] => return text,
            ["properties", name, rest @ ..] => {
                text.push('.');
                text.push_str(name);
                rest
            }
            ["$defs" | "definitions", name, rest @ ..] => {
                text = (*name).to_owned();
                rest
            }
            ["items" | "additionalItems", rest @ ..] => {
                text.push_str("[]");
                rest
            }
            ["prefixItems", index, rest @ ..] => {
                text.push_str(&format!("[{index}]"));
                rest
            }
            ["additionalProperties", rest @ ..] | ["patternProperties", _, rest @ ..] => {
                text.push_str(".*");
                rest
            }
            ["anyOf" | "oneOf", index, rest @ ..] => {
                let number = index.parse::<usize>().map_or(0, |index| index + 1);
                text.push_str(&format!("<variant {number}>"));
                rest
            }
            ["allOf", _, rest @ ..] | [_, rest @ ..] => rest,
        };
    }
}

fn after_content<'s>(path: &'s [&'s str]) -> &'s [&'s str] {
    match path {
        ["content", _, path @ ..] => after_schema(path),
        path => path,
    }
}

fn after_schema<'s>(path: &'s [&'s str]) -> &'s [&'s str] {
    match path {
        ["schema", path @ ..] => path,
        path => path,
    }
}

/// Renders a value on one line, shortened if it is long.
pub(super) fn show(value: &Value) -> String {
    const MAX_LENGTH: usize = 60;
    let text = value.to_string();
    if text.chars().count() > MAX_LENGTH {
        let start: String = text.chars().take(MAX_LENGTH).collect();
        format!("`{start}…`")
    } else {
        format!("`{text}`")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn label_names_schemas_parameters_and_bodies() {
        let document = json!({
            "openapi": "3.1.0", "info": {"title": "t", "version": "1"},
            "paths": {"/calls": {
                "parameters": [{"name": "tenant", "in": "header", "schema": {}}],
                "get": {"operationId": "listCalls", "parameters": [{"name": "limit", "in": "query"}], "responses": {}},
            }},
        });
        let spec = Spec::new(&document);
        let label = |pointer: &str| super::label(&spec, &Pointer::from_ref(pointer).unwrap());
        assert_eq!(
            label("#/components/schemas/Call/properties/contact/properties/id"),
            "`Call.contact.id`"
        );
        assert_eq!(
            label("#/components/schemas/Call/properties/tags/items/oneOf/1"),
            "`Call.tags[]<variant 2>`"
        );
        assert_eq!(
            label("#/components/schemas/A/$defs/B/additionalProperties"),
            "`B.*`"
        );
        assert_eq!(
            label("#/paths/~1calls/get/parameters/0/schema"),
            "the parameter `limit` of `list_calls`"
        );
        assert_eq!(
            label("#/paths/~1calls/parameters/0/schema/items"),
            "`[]` in the parameter `tenant`"
        );
        assert_eq!(
            label(
                "#/paths/~1calls/get/responses/200/content/application~1json/schema/properties/items/items"
            ),
            "`items[]` in the 200 response of `list_calls`"
        );
        assert_eq!(
            label("#/paths/~1calls/post/requestBody/content/application~1json/schema"),
            "the request body of `POST /calls`"
        );
    }
}
