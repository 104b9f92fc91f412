//! The values of a schema: their kind, and their constraints in words.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Kind, ValueType};
use crate::media_type::has_binary_content;
use crate::names;
use crate::openapi::{JsonType, Schema, Side};
use crate::origin::Origins;
use crate::pointer::Pointer;
use crate::walk;

/// The maximum length of a pattern or an example in a sentence.
const MAX_SHOWN: usize = 80;

/// Reads the values of schemas.
#[derive(Default)]
pub(super) struct Values {
    /// The names of the types, by the location of their schemas in the original document.
    types: BTreeMap<Pointer, String>,
}

impl Values {
    pub(super) fn of(normalized: &Value, origins: &Origins) -> Self {
        let schemas = walk::schemas(normalized);
        let types = schemas.map(|(name, _)| {
            let origin = origins.of(&Pointer::schema(name));
            (origin.pointer, names::type_name(name))
        });
        Self {
            types: types.collect(),
        }
    }

    /// Returns the name of the type of the schema at `place` in the original document.
    pub(super) fn type_name(&self, place: &Pointer) -> Option<&str> {
        self.types.get(place).map(String::as_str)
    }

    /// Returns the values of a schema. The nesting ends with the lists in a list.
    pub(super) fn value(&self, document: &Value, schema: &Value, depth: usize) -> ValueType {
        let name = schema.reference().and_then(|place| self.types.get(&place));
        let Some(schema) = walk::follow(document, schema).filter(|_| depth < 4) else {
            return ValueType::default();
        };
        if schema.get("type").is_none() {
            for key in ["anyOf", "oneOf", "allOf"] {
                let members = schema.list(key).iter();
                let mut members = members.filter(|member| !member.is_only_null());
                match (members.next(), members.next()) {
                    (Some(only), None) if schema.get("properties").is_none() => {
                        let ty = self.value(document, only, depth + 1);
                        return ty.named(name);
                    }
                    (Some(_), Some(_)) if key != "allOf" => {
                        return self.union(document, schema, key, name, depth);
                    }
                    _ => {}
                }
            }
        }
        // The data has no exclusive bounds; the words do. The bound of a float is given as if it were inclusive.
        let number = |side| schema.bound(side).map(|bound| bound.number);
        let values: Vec<Value> = schema
            .listed()
            .unwrap_or_default()
            .into_iter()
            .cloned()
            .collect();
        let kind = match schema.types().first() {
            Some(JsonType::String) => Kind::String,
            Some(JsonType::Integer) => Kind::Integer,
            Some(JsonType::Number) => Kind::Number,
            Some(JsonType::Boolean) => Kind::Boolean,
            Some(JsonType::Array) => Kind::List,
            Some(JsonType::Object) => Kind::Object,
            None if schema.get("allOf").is_some() => Kind::Object,
            None if values.iter().any(Value::is_string) => Kind::String,
            _ => Kind::Any,
        };
        let items = schema.get("items").filter(|_| kind == Kind::List);
        let mut ty = ValueType {
            kind,
            words: String::new(),
            format: match schema.as_object().is_some_and(has_binary_content) {
                true => Some("binary".to_owned()),
                false => schema.format().map(str::to_owned),
            },
            values,
            minimum: number(Side::Lower),
            maximum: number(Side::Upper),
            items: items.map(|items| Box::new(self.value(document, items, depth + 1))),
            constraints: constraints(schema),
        };
        ty.words = if ty.values.is_empty() {
            ty.type_words()
        } else {
            let values = ty.values.iter().map(|value| format!("`{}`", plain(value)));
            values.collect::<Vec<_>>().join(", ")
        };
        ty.named(name)
    }

    fn union(
        &self,
        document: &Value,
        schema: &Value,
        key: &str,
        name: Option<&String>,
        depth: usize,
    ) -> ValueType {
        let members = schema.list(key).iter();
        let members: Vec<ValueType> = members
            .filter(|member| !member.is_only_null())
            .map(|member| self.value(document, member, depth + 1))
            .collect();
        let mut all: Vec<&str> = Vec::new();
        for member in &members {
            if !all.contains(&member.words.as_str()) {
                all.push(&member.words);
            }
        }
        let kinds = |kind| members.iter().all(|member| member.kind == kind);
        ValueType {
            kind: if kinds(Kind::Object) {
                Kind::Object
            } else {
                Kind::Any
            },
            words: match name {
                Some(name) => format!("`{name}`"),
                None => all.join(" or "),
            },
            ..ValueType::default()
        }
    }
}

impl ValueType {
    /// Names an object by its type.
    fn named(mut self, name: Option<&String>) -> Self {
        if let (Kind::Object, Some(name)) = (self.kind, name) {
            self.words = format!("`{name}`");
        }
        self
    }

    /// Returns the type and its constraints, without listed values.
    pub(super) fn type_words(&self) -> String {
        let is_written = self.values.is_empty() && !self.words.is_empty();
        if is_written {
            return self.words.clone();
        }
        let mut words = vec![self.noun()];
        words.extend(self.constraints.iter().cloned());
        words.join(", ")
    }

    /// Returns true if the words say more than the Rust type.
    pub(super) fn is_informative(&self) -> bool {
        // Kinds of strings and bytes that have no Rust type of their own.
        const STRINGS: [&str; 3] = ["URL", "email address", "bytes"];
        !self.constraints.is_empty()
            || STRINGS.contains(&self.noun().as_str())
            || self
                .items
                .as_ref()
                .is_some_and(|items| items.is_informative())
    }

    /// Returns true for the content of a file.
    pub(crate) fn is_file(&self) -> bool {
        self.kind == Kind::String && self.format.as_deref() == Some("binary")
    }

    /// Returns the type without its constraints.
    fn noun(&self) -> String {
        let noun = match (self.kind, self.format.as_deref()) {
            (Kind::String, Some("uuid")) => "UUID",
            (Kind::String, Some("date-time")) => "date and time",
            (Kind::String, Some("date")) => "date",
            (Kind::String, Some("uri" | "url")) => "URL",
            (Kind::String, Some("email")) => "email address",
            _ if self.is_file() => "bytes",
            (Kind::String, _) => "string",
            (Kind::Integer, _) => "integer",
            (Kind::Number, _) => "number",
            (Kind::Boolean, _) => "`true` or `false`",
            (Kind::List, _) => {
                return match &self.items {
                    Some(items) if !items.words.is_empty() => format!("list of {}", items.words),
                    _ => "list".to_owned(),
                };
            }
            (Kind::Object, _) => "object",
            (Kind::Any, _) => "any value",
        };
        noun.to_owned()
    }
}

/// Returns a string without quotes, or another value as JSON.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Returns a text as a code span, or `None` if it is too long or contains characters that a code span cannot.
pub(super) fn code_span(text: &str) -> Option<String> {
    let fits = !text.trim().is_empty()
        && text.chars().count() <= MAX_SHOWN
        && !text.contains(['`', '\n', '\r']);
    fits.then(|| format!("`{text}`"))
}

/// Returns the constraints of a schema in words: `1 to 100`, `at least 1 item`.
pub(super) fn constraints(schema: &Value) -> Vec<String> {
    let types = schema.types();
    let has = |kind| types.contains(&kind);
    let mut found = Vec::new();
    if has(JsonType::Integer) || has(JsonType::Number) {
        found.extend(range(schema));
        let step = schema.keyword("multipleOf").filter(|step| step.is_number());
        found.extend(step.map(|step| format!("a multiple of {step}")));
    }
    if has(JsonType::String) {
        found.extend(size(schema, "Length", ("character", "characters")));
        let pattern = schema.text("pattern").and_then(code_span);
        found.extend(pattern.map(|pattern| format!("matching {pattern}")));
    }
    if has(JsonType::Array) {
        found.extend(size(schema, "Items", ("item", "items")));
        if schema.has_flag("uniqueItems") {
            found.push("without duplicates".to_owned());
        }
    }
    if has(JsonType::Object) {
        found.extend(size(schema, "Properties", ("property", "properties")));
    }
    found
}

fn range(schema: &Value) -> Vec<String> {
    let (lower, upper) = (schema.bound(Side::Lower), schema.bound(Side::Upper));
    if let (Some(lower), Some(upper)) = (&lower, &upper)
        && !lower.is_exclusive
        && !upper.is_exclusive
    {
        return vec![format!("{} to {}", lower.number, upper.number)];
    }
    let lower = lower.map(|bound| {
        let words = if bound.is_exclusive {
            "greater than"
        } else {
            "at least"
        };
        format!("{words} {}", bound.number)
    });
    let upper = upper.map(|bound| {
        let words = if bound.is_exclusive {
            "less than"
        } else {
            "at most"
        };
        format!("{words} {}", bound.number)
    });
    lower.into_iter().chain(upper).collect()
}

fn size(schema: &Value, of: &str, (one, many): (&str, &str)) -> Option<String> {
    let noun = |count: u64| if count == 1 { one } else { many };
    Some(match schema.size(of) {
        (Some(least), Some(most)) if least == most => format!("exactly {most} {}", noun(most)),
        (Some(0) | None, Some(most)) => format!("at most {most} {}", noun(most)),
        (Some(least), Some(most)) => format!("{least} to {most} {}", noun(most)),
        (Some(least), None) if least > 0 => format!("at least {least} {}", noun(least)),
        (Some(_) | None, None) => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn constraints_are_in_words() {
        for (schema, expected) in [
            (
                json!({"type": "integer", "minimum": 1, "maximum": 100}),
                "integer, 1 to 100",
            ),
            (
                json!({"type": "integer", "exclusiveMinimum": 0}),
                "integer, at least 1",
            ),
            (
                json!({"type": "number", "minimum": 0, "exclusiveMinimum": true, "multipleOf": 0.5}),
                "number, greater than 0, a multiple of 0.5",
            ),
            (
                json!({"type": ["string", "null"], "minLength": 1, "maxLength": 64}),
                "string, 1 to 64 characters",
            ),
            (
                json!({"type": "string", "minLength": 2, "maxLength": 2, "pattern": "^[A-Z]+$"}),
                "string, exactly 2 characters, matching `^[A-Z]+$`",
            ),
            (json!({"type": "string", "minLength": 0}), "string"),
            (
                json!({"type": "array", "items": {"type": "string"}, "maxItems": 1, "uniqueItems": true}),
                "list of string, at most 1 item, without duplicates",
            ),
            (
                json!({"type": "object", "minProperties": 1}),
                "object, at least 1 property",
            ),
            // Constraints of other types do not apply.
            (
                json!({"type": "boolean", "minimum": 1, "maxLength": 4}),
                "`true` or `false`",
            ),
        ] {
            let values = Values::default();
            assert_eq!(values.value(&Value::Null, &schema, 0).words, expected);
        }
    }
}
