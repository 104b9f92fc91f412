//! Conversion of a document's schemas to plain JSON Schema 2020-12, for the judge.
//!
//! Schemas of 3.1 need no conversion. Those of 3.0 are lowered: `nullable` becomes a type, exclusive bounds become numbers,
//! and siblings of `$ref` are removed. A few keywords are interpreted as authors usually mean them; `docs/correctness.md`
//! lists these.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use crate::document::Document;

/// The identifier of the lowered document.
pub(crate) const ID: &str = "urn:document";

/// Returns the absolute reference of the lowered schema at a reference of the document.
pub(crate) fn absolute(reference: &str) -> String {
    let token = reference.replace('~', "~0").replace('/', "~1");
    format!(
        "{ID}#/$defs/{}",
        utf8_percent_encode(&token, NON_ALPHANUMERIC)
    )
}

/// Lowers the schemas at these references, and every schema that one of them refers to.
pub(crate) fn lower(document: &Document, references: Vec<String>) -> Value {
    let mut lowering = Lowering {
        document,
        wanted: references,
    };
    let mut definitions = Map::new();
    let mut next = 0;
    while let Some(reference) = lowering.wanted.get(next).cloned() {
        next += 1;
        if !definitions.contains_key(&reference) {
            let schema = document.resolve(&reference).unwrap_or(&Value::Bool(true));
            let lowered = lowering.schema(schema);
            definitions.insert(reference, lowered);
        }
    }
    json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": definitions})
}

struct Lowering<'d> {
    document: &'d Document,
    wanted: Vec<String>,
}

impl Lowering<'_> {
    fn reference(&mut self, reference: &str) -> Value {
        self.wanted.push(reference.to_owned());
        json!({"$ref": absolute(reference)})
    }

    fn schema(&mut self, schema: &Value) -> Value {
        let Some(object) = schema.as_object() else {
            return Value::Bool(schema != &Value::Bool(false));
        };
        if let (true, Some(Value::String(reference))) = (self.document.is_30(), object.get("$ref"))
        {
            return self.reference(reference);
        }
        let mut lowered = Map::new();
        for (key, value) in object {
            self.keyword(&mut lowered, key, value);
        }
        self.discriminator(&mut lowered, schema);
        if self.document.is_30() {
            exclusive_bound(&mut lowered, "exclusiveMinimum", "minimum");
            exclusive_bound(&mut lowered, "exclusiveMaximum", "maximum");
            if object.get("nullable") == Some(&Value::Bool(true)) {
                return nullable(lowered);
            }
        }
        Value::Object(lowered)
    }

    fn keyword(&mut self, lowered: &mut Map<String, Value>, key: &str, value: &Value) {
        let new = match (key, value) {
            ("$ref", Value::String(reference)) => {
                let target = self.reference(reference);
                lowered.insert("$ref".to_owned(), target["$ref"].clone());
                return;
            }
            ("$dynamicRef", Value::String(reference)) => {
                // One tree of schemas has one target for it; see docs/correctness.md.
                if self.document.resolve(reference).is_some() {
                    let target = self.reference(reference);
                    lowered.insert("$ref".to_owned(), target["$ref"].clone());
                }
                return;
            }
            ("properties" | "patternProperties" | "dependentSchemas", Value::Object(schemas)) => {
                let schemas = schemas.iter();
                let lowered = schemas.map(|(name, schema)| (name.clone(), self.schema(schema)));
                Value::Object(lowered.collect())
            }
            ("allOf" | "anyOf" | "oneOf" | "prefixItems", Value::Array(schemas))
                if !schemas.is_empty() =>
            {
                let members = schemas.iter().map(|member| {
                    if key != "allOf" && self.document.is_null_member(member) {
                        json!({"type": "null"})
                    } else {
                        self.schema(member)
                    }
                });
                let members = members.collect();
                // Authors mean a value that fits two members to be valid.
                let key = if key == "oneOf" { "anyOf" } else { key };
                merge_list(lowered, key, members);
                return;
            }
            // Beside `allOf` it forbids the properties of the other members.
            ("additionalProperties" | "unevaluatedProperties", Value::Bool(false)) => return,
            (
                "items"
                | "additionalProperties"
                | "not"
                | "if"
                | "then"
                | "else"
                | "contains"
                | "propertyNames",
                Value::Object(_) | Value::Bool(_),
            ) => self.schema(value),
            ("pattern", Value::String(pattern)) if !is_pattern(pattern) => return,
            ("required", Value::Array(names)) => Value::Array(distinct(names)),
            ("enum", Value::Array(values)) if !values.is_empty() => Value::Array(distinct(values)),
            (
                "type" | "const" | "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum"
                | "multipleOf" | "minLength" | "maxLength" | "minItems" | "maxItems"
                | "uniqueItems" | "minProperties" | "maxProperties" | "dependentRequired"
                | "pattern",
                _,
            ) => value.clone(),
            _ => return,
        };
        lowered.insert(key.to_owned(), new);
    }

    /// Makes each member of a union with a discriminator require its tag.
    fn discriminator(&mut self, lowered: &mut Map<String, Value>, schema: &Value) {
        let members = schema.get("oneOf").or_else(|| schema.get("anyOf"));
        let Some(members) = members.and_then(Value::as_array) else {
            return;
        };
        if schema.get("discriminator").is_none() || !lowered.contains_key("anyOf") {
            return;
        }
        let tagged = members.iter().map(|member| {
            let lowered = self.schema(member);
            match self.document.tag(schema, member) {
                Some((property, values)) => {
                    let mut tag = json!({"type": "object", "required": [property]});
                    if !values.is_empty() {
                        tag["properties"] = json!({property: {"enum": values}});
                    }
                    json!({"allOf": [tag, lowered]})
                }
                None => lowered,
            }
        });
        let tagged: Vec<Value> = tagged.collect();
        lowered.insert("anyOf".to_owned(), Value::Array(tagged));
    }
}

/// Adds a list of schemas. A value of a schema with both `oneOf` and `anyOf` must be a member of each.
fn merge_list(lowered: &mut Map<String, Value>, key: &str, members: Vec<Value>) {
    match lowered.remove(key) {
        None => {
            lowered.insert(key.to_owned(), Value::Array(members));
        }
        Some(Value::Array(before)) if key == "allOf" => {
            lowered.insert(key.to_owned(), [before, members].concat().into());
        }
        Some(before) => {
            let both = vec![json!({key: before}), json!({key: members})];
            merge_list(lowered, "allOf", both);
        }
    }
}

fn exclusive_bound(lowered: &mut Map<String, Value>, exclusive: &str, bound: &str) {
    match lowered.get(exclusive) {
        Some(Value::Bool(true)) => {
            lowered.remove(exclusive);
            if let Some(value) = lowered.remove(bound) {
                lowered.insert(exclusive.to_owned(), value);
            }
        }
        Some(Value::Bool(false)) => {
            lowered.remove(exclusive);
        }
        _ => {}
    }
}

fn nullable(mut lowered: Map<String, Value>) -> Value {
    let Some(Value::String(name)) = lowered.get("type") else {
        return if lowered.is_empty() {
            Value::Bool(true)
        } else {
            json!({"anyOf": [lowered, {"type": "null"}]})
        };
    };
    lowered.insert("type".to_owned(), json!([name, "null"]));
    if let Some(Value::Array(values)) = lowered.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    // A null that the type allows is valid, even if no member allows it.
    let members: Map<String, Value> = ["allOf", "anyOf"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), lowered.remove(key)?)))
        .collect();
    if !members.is_empty() {
        let choices = vec![json!({"type": "null"}), Value::Object(members)];
        merge_list(&mut lowered, "anyOf", choices);
    }
    Value::Object(lowered)
}

fn is_pattern(pattern: &str) -> bool {
    jsonschema::options()
        .build(&json!({"pattern": pattern}))
        .is_ok()
}

fn distinct(values: &[Value]) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for value in values {
        if !kept.contains(value) {
            kept.push(value.clone());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lowered(version: &str, schema: Value) -> Value {
        let document = json!({"openapi": version, "components": {"schemas": {"A": schema}}});
        let reference = "#/components/schemas/A".to_owned();
        let mut root = lower(&Document::new(document), vec![reference.clone()]);
        root["$defs"][&reference].take()
    }

    #[test]
    fn nullable_of_version_30_becomes_a_type() {
        let schema = json!({"type": "string", "enum": ["a"], "nullable": true});
        let expected = json!({"type": ["string", "null"], "enum": ["a", null]});
        assert_eq!(lowered("3.0.3", schema.clone()), expected);
        let expected = json!({"type": "string", "enum": ["a"]});
        assert_eq!(lowered("3.1.0", schema), expected);
    }

    #[test]
    fn exclusive_bound_of_version_30_becomes_a_number() {
        let schema = json!({"minimum": 1, "exclusiveMinimum": true, "exclusiveMaximum": false});
        assert_eq!(lowered("3.0.3", schema), json!({"exclusiveMinimum": 1}));
    }

    #[test]
    fn lone_nullable_in_a_union_of_version_30_is_null() {
        let schema = json!({"anyOf": [{"type": "string"}, {"nullable": true}]});
        let expected = json!({"anyOf": [{"type": "string"}, {"type": "null"}]});
        assert_eq!(lowered("3.0.3", schema), expected);
    }

    #[test]
    fn member_of_a_tagged_union_must_carry_its_tag() {
        let schema = json!({
            "oneOf": [{"$ref": "#/components/schemas/B"}],
            "discriminator": {"propertyName": "kind", "mapping": {"b": "#/components/schemas/B"}},
        });
        let tag = &lowered("3.1.0", schema)["anyOf"][0]["allOf"][0];
        let expected = json!({
            "type": "object", "required": ["kind"], "properties": {"kind": {"enum": ["b"]}},
        });
        assert_eq!(tag, &expected);
    }
}
