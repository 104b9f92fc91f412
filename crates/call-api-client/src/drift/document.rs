//! The embedded part of the API's document: schemas, and the responses of each operation.
//!
//! Whatever the spelling of the document, null is a type or a member of a union, and a constant is an enum.

use std::sync::OnceLock;

use serde_json::Value;

use crate::generated::RESPONSES;
use crate::types;

/// The embedded part of the document, parsed when it is first needed.
pub(super) fn document() -> &'static Document {
    static DOCUMENT: OnceLock<Document> = OnceLock::new();
    DOCUMENT.get_or_init(|| Document::parse(types::SCHEMAS, RESPONSES))
}

pub(super) struct Document {
    pub(super) schemas: Value,
    /// By operation and status.
    pub(super) responses: Value,
}

/// The number of schemas that are followed at one value: schemas may refer to themselves. The depth of values is limited
/// by the parser.
pub(super) const FUEL: u32 = 200;

impl Document {
    fn parse(schemas: &str, responses: &str) -> Self {
        // Written by the generator; without it there is nothing to compare with.
        let read = |text: &str| serde_json::from_str(text).unwrap_or(Value::Bool(true));
        Self {
            schemas: read(schemas),
            responses: read(responses),
        }
    }

    pub(super) fn response(&self, operation: &str, status: u16) -> Option<&Value> {
        let statuses = self.responses.get(operation)?;
        statuses
            .get(status.to_string())
            .or_else(|| statuses.get(format!("{}XX", status / 100)))
            .or_else(|| statuses.get("default"))
    }

    /// Returns the schema of the items of an operation's stream.
    pub(super) fn item(&self, operation: &str) -> Option<&Value> {
        self.responses.get(operation)?.get("item")
    }

    pub(super) fn resolve<'a>(&'a self, mut schema: &'a Value) -> &'a Value {
        for _ in 0..FUEL {
            let Some(reference) = schema.get("$ref").and_then(Value::as_str) else {
                return schema;
            };
            let named = reference
                .strip_prefix("#/components/schemas/")
                .and_then(|name| self.schemas.get(name.replace("~1", "/").replace("~0", "~")));
            match named {
                Some(named) => schema = named,
                // An unknown reference allows anything.
                None => return &Value::Bool(true),
            }
        }
        &Value::Bool(true)
    }

    /// Returns true if a schema allows a string, of any or of some format.
    pub(super) fn has_string(schema: &Value) -> bool {
        types(schema).any(|name| name == "string")
    }

    /// Collects the constraints on an object from a schema and all that it is composed of.
    pub(super) fn gather<'a>(&'a self, schema: &'a Value, object: &mut Object<'a>, fuel: u32) {
        let schema = self.resolve(schema);
        let Some(fuel) = fuel.checked_sub(1) else {
            return;
        };
        let properties = schema.get("properties").and_then(Value::as_object);
        let properties = properties.into_iter().flatten();
        object
            .properties
            .extend(properties.map(|(name, schema)| (name.as_str(), schema)));
        let required = schema.get("required").and_then(Value::as_array);
        let required = required.into_iter().flatten().filter_map(Value::as_str);
        object.required.extend(required);
        match schema.get("additionalProperties") {
            Some(Value::Bool(false)) | None => {}
            Some(others) => object.others = Some(others),
        }
        // A choice is compared by itself; here its members' properties only need to be known.
        for key in ["allOf", "anyOf", "oneOf"] {
            let members = schema.get(key).and_then(Value::as_array);
            for member in members.into_iter().flatten() {
                let mut part = Object::default();
                self.gather(member, &mut part, fuel);
                object.others = object.others.or(part.others);
                if key == "allOf" {
                    object.properties.extend(part.properties);
                    object.required.extend(part.required);
                } else {
                    let names = part.properties.into_iter();
                    object
                        .properties
                        .extend(names.map(|(name, _)| (name, &Value::Bool(true))));
                }
            }
        }
    }

    pub(super) fn expected(&self, members: &[Value]) -> String {
        let mut names: Vec<String> = members
            .iter()
            .map(|member| type_names(self.resolve(member)).join(" or "))
            .filter(|names| !names.is_empty())
            .collect();
        names.dedup();
        names.join(" or ")
    }

    /// Returns the types that the schema allows if the value has none of them, or has another format.
    pub(super) fn wrong_type(&self, schema: &Value, value: &Value) -> Option<String> {
        let names = type_names(schema);
        let fits = |name: &String| match (name.as_str(), value) {
            ("null", Value::Null)
            | ("boolean", Value::Bool(_))
            | ("number", Value::Number(_))
            | ("string", Value::String(_))
            | ("array", Value::Array(_))
            | ("object", Value::Object(_)) => true,
            ("integer", Value::Number(number)) => {
                number.as_f64().is_some_and(|number| number.fract() == 0.0)
            }
            ("string (uuid)", Value::String(text)) => text.parse::<uuid::Uuid>().is_ok(),
            ("string (date-time)", Value::String(text)) => {
                // chrono reads a space in place of the `T` as well.
                !text.contains(' ') && chrono::DateTime::parse_from_rfc3339(text).is_ok()
            }
            _ => false,
        };
        (!names.is_empty() && !names.iter().any(fits)).then(|| names.join(" or "))
    }
}

/// The constraints on an object.
#[derive(Default)]
pub(super) struct Object<'a> {
    pub(super) properties: Vec<(&'a str, &'a Value)>,
    pub(super) required: Vec<&'a str>,
    /// The schema of properties that have no schema of their own.
    pub(super) others: Option<&'a Value>,
}

/// Returns the types that a schema allows, with the format of a string if it is checked; empty if it allows any.
fn type_names(schema: &Value) -> Vec<String> {
    let format = schema.get("format").and_then(Value::as_str);
    let name = |name: &str| match (name, format) {
        ("string", Some(format @ ("uuid" | "date-time"))) => format!("string ({format})"),
        _ => name.to_owned(),
    };
    types(schema).map(name).collect()
}

/// Returns the types that a schema allows; none if it allows any.
fn types(schema: &Value) -> impl Iterator<Item = &str> {
    let listed = match schema.get("type") {
        Some(Value::Array(several)) => several.as_slice(),
        Some(only) => std::slice::from_ref(only),
        None => &[],
    };
    listed.iter().filter_map(Value::as_str)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn response_schema_is_found_by_status() {
        let document = Document::parse(
            "{}",
            r#"{
                "a": {"200": {"const": 1}, "4XX": {"const": 2}},
                "b": {"default": {"const": 3}, "item": {"const": 4}}
            }"#,
        );
        let only = |operation, status| {
            document
                .response(operation, status)
                .map(|schema| schema["const"].clone())
        };
        assert_eq!(only("a", 200), Some(json!(1)));
        assert_eq!(only("a", 404), Some(json!(2)));
        assert_eq!(only("a", 500), None);
        assert_eq!(only("b", 500), Some(json!(3)));
        assert_eq!(only("c", 200), None);
        assert_eq!(document.item("a"), None);
        assert_eq!(document.item("b"), Some(&json!({"const": 4})));
    }

    #[test]
    fn embedded_document_parses() {
        let document = document();
        assert!(document.schemas.is_object());
        assert!(document.responses.is_object());
    }
}
