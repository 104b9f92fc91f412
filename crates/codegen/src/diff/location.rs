//! What the report calls the places of a document.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::api::operations;
use super::schema;
use crate::origin::Origins;
use crate::pointer::Pointer;
use crate::walk::{self, METHODS};
use crate::{lower, names, normalize};

/// One of the two documents.
pub(super) struct Side<'a> {
    pub(super) document: &'a Value,
    /// The names of the operations' methods, by the operations' places.
    methods: BTreeMap<Pointer, String>,
}

impl<'a> Side<'a> {
    pub(super) fn new(document: &'a Value) -> Self {
        Self {
            document,
            methods: methods(document),
        }
    }

    /// The name of an operation's method; where it has no id, its method and path.
    pub(super) fn method(&self, operation: &Pointer) -> String {
        self.methods.get(operation).cloned().unwrap_or_else(|| {
            let tokens: Vec<String> = operation.tokens().collect();
            match tokens.as_slice() {
                [_, path, method] => format!("{} {path}", method.to_uppercase()),
                _ => operation.to_string(),
            }
        })
    }

    /// What a person would call a place, in backticks where it has a name.
    pub(super) fn label(&self, place: &Pointer) -> String {
        let tokens: Vec<String> = place.tokens().collect();
        let steps: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let (base, name, rest): (Option<String>, &str, &[&str]) = match steps.as_slice() {
            ["components", "schemas", name, rest @ ..] => (None, name, rest),
            ["components", "parameters", name, "schema", rest @ ..] => {
                let parameter = Pointer::root()
                    .join("components")
                    .join("parameters")
                    .join(name);
                (
                    Some(format!(
                        "the parameter `{}`",
                        self.parameter(&parameter, name)
                    )),
                    "",
                    rest,
                )
            }
            ["components", "headers", name, "schema", rest @ ..] => {
                (Some(format!("the header `{name}`")), "", rest)
            }
            ["components", "requestBodies", name, rest @ ..] => (
                Some(format!("the request body `{name}`")),
                "",
                after_content(rest),
            ),
            [
                "components",
                "responses",
                name,
                "headers",
                header,
                rest @ ..,
            ] => (
                Some(format!("the header `{header}` of the response `{name}`")),
                "",
                after_schema(rest),
            ),
            ["components", "responses", name, rest @ ..] => (
                Some(format!("the response `{name}`")),
                "",
                after_content(rest),
            ),
            ["paths", path, "parameters", index, rest @ ..] => {
                let parameter = Pointer::root()
                    .join("paths")
                    .join(path)
                    .join("parameters")
                    .join(index);
                let rest = after_schema(rest);
                (
                    Some(format!(
                        "the parameter `{}`",
                        self.parameter(&parameter, index)
                    )),
                    "",
                    rest,
                )
            }
            ["paths", path, method, rest @ ..] if METHODS.contains(method) => {
                let operation = Pointer::root().join("paths").join(path).join(method);
                let of = format!("of `{}`", self.method(&operation));
                match rest {
                    ["parameters", index, rest @ ..] => {
                        let parameter = operation.join("parameters").join(index);
                        let name = self.parameter(&parameter, index);
                        (
                            Some(format!("the parameter `{name}` {of}")),
                            "",
                            after_schema(rest),
                        )
                    }
                    ["requestBody", rest @ ..] => (
                        Some(format!("the request body {of}")),
                        "",
                        after_content(rest),
                    ),
                    ["responses", status, "headers", header, rest @ ..] => {
                        let base = format!("the header `{header}` of the {status} response {of}");
                        (Some(base), "", after_schema(rest))
                    }
                    ["responses", status, rest @ ..] => (
                        Some(format!("the {status} response {of}")),
                        "",
                        after_content(rest),
                    ),
                    rest => (Some(of.replacen("of ", "", 1)), "", rest),
                }
            }
            rest => (None, "", rest),
        };
        let mut path = name.to_owned();
        let mut rest = rest;
        loop {
            rest = match rest {
                [] => break,
                ["properties", name, tail @ ..] => {
                    path.push('.');
                    path.push_str(name);
                    tail
                }
                ["$defs" | "definitions", name, tail @ ..] => {
                    path = (*name).to_owned();
                    tail
                }
                ["items" | "additionalItems", tail @ ..] => {
                    path.push_str("[]");
                    tail
                }
                ["prefixItems", index, tail @ ..] => {
                    path.push_str(&format!("[{index}]"));
                    tail
                }
                ["additionalProperties", tail @ ..] | ["patternProperties", _, tail @ ..] => {
                    path.push_str(".*");
                    tail
                }
                ["anyOf" | "oneOf", index, tail @ ..] => {
                    let number = index.parse::<usize>().map_or(0, |index| index + 1);
                    path.push_str(&format!("<variant {number}>"));
                    tail
                }
                ["allOf", _, tail @ ..] | [_, tail @ ..] => tail,
            };
        }
        match (base, path.as_str()) {
            (Some(base), "") => base,
            (Some(base), path) => format!("`{}` in {base}", path.trim_start_matches('.')),
            (None, "") => "the document".to_owned(),
            (None, path) => format!("`{path}`"),
        }
    }

    fn parameter(&self, place: &Pointer, otherwise: &str) -> String {
        let parameter = self.document.pointer(place.as_str());
        let name =
            parameter.and_then(|parameter| walk::follow(self.document, parameter)?.get("name"));
        name.and_then(Value::as_str).unwrap_or(otherwise).to_owned()
    }

    /// What kind of schema is at a place: its name, or what it is.
    pub(super) fn kind_at(&self, place: &Pointer) -> String {
        match schema::site(self.document, place, true).map(|site| site.end) {
            Some(schema::End::Named(name, _)) => format!("`{name}`"),
            Some(schema::End::Here(_, object)) => match schema::values(object).as_deref() {
                Some([only]) => show(only),
                _ => schema::phrase(object),
            },
            None => "anything".to_owned(),
        }
    }
}

fn after_content<'s>(rest: &'s [&'s str]) -> &'s [&'s str] {
    match rest {
        ["content", _, rest @ ..] => after_schema(rest),
        rest => rest,
    }
}

fn after_schema<'s>(rest: &'s [&'s str]) -> &'s [&'s str] {
    match rest {
        ["schema", rest @ ..] => rest,
        rest => rest,
    }
}

/// The names that the generator gives the methods: it shortens some ids, so it is asked, with a document that holds
/// nothing but the operations and their ids. Where it can't take that, the ids themselves count.
fn methods(document: &Value) -> BTreeMap<Pointer, String> {
    let mut paths = Map::new();
    for operation in operations(document) {
        let mut bare = json!({"responses": {}});
        if let Some(id) = operation.object.get("operationId") {
            bare["operationId"] = id.clone();
        }
        let item = paths.entry(operation.path).or_insert_with(|| json!({}));
        item[operation.method] = bare;
    }
    let bare = json!({
        "openapi": lower::LOWERED_VERSION,
        "info": {"title": "", "version": ""},
        "paths": paths,
    });
    let normalized =
        match normalize::normalize(bare.clone(), &mut Vec::new(), &mut Origins::default()) {
            Ok(normalized) => normalized.document,
            Err(_) => bare,
        };
    let named = walk::operations(&normalized)
        .into_iter()
        .filter_map(|operation| {
            let name = names::method_name(operation.id()?);
            Some((operation.pointer.clone(), name))
        });
    named.collect()
}

/// A value as the report shows it, on one line and not too long.
pub(super) fn show(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.to_string();
    if text.chars().count() > LONGEST {
        let cut: String = text.chars().take(LONGEST).collect();
        format!("`{cut}…`")
    } else {
        format!("`{text}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_the_names_that_people_use() {
        let document = json!({
            "openapi": "3.1.0", "info": {"title": "t", "version": "1"},
            "paths": {"/calls": {
                "parameters": [{"name": "tenant", "in": "header", "schema": {}}],
                "get": {"operationId": "listCalls", "parameters": [{"name": "limit", "in": "query"}], "responses": {}},
            }},
        });
        let side = Side::new(&document);
        let label = |pointer: &str| side.label(&Pointer::from_ref(pointer).unwrap());
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
