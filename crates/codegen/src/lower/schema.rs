//! Rewrites a schema of JSON Schema 2020-12 as one of OpenAPI 3.0.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::media_type::has_binary_content;
use crate::openapi::{Schema as _, Side, is_annotation};
use crate::pointer::Pointer;
use crate::unsupported::Unsupported;

/// Keywords without an equivalent in 3.0 that only narrow the valid values, each with the consequence.
const NARROWING: [(&str, &str); 14] = [
    ("if", "the condition is not checked"),
    ("then", "the condition is not checked"),
    ("else", "the condition is not checked"),
    ("dependentRequired", "the dependency is not checked"),
    ("dependentSchemas", "the dependency is not checked"),
    ("contains", "the items are not checked"),
    ("minContains", "the items are not checked"),
    ("maxContains", "the items are not checked"),
    ("propertyNames", "the names are not checked"),
    ("unevaluatedItems", "further items are accepted"),
    ("unevaluatedProperties", "further properties are accepted"),
    ("additionalItems", "further items are accepted"),
    ("contentSchema", "the content is not checked"),
    ("contentMediaType", "the content is not checked"),
];

/// Keywords without a meaning for the generated code.
const FOR_READERS: [&str; 7] = [
    "$comment",
    "$schema",
    "$id",
    "$anchor",
    "$dynamicAnchor",
    "$recursiveAnchor",
    "$vocabulary",
];

/// Lowers a schema whose inner schemas have been lowered.
pub(super) fn schema(pointer: &Pointer, value: &mut Value, unsupported: &mut Vec<Unsupported>) {
    if let Value::Bool(anything) = *value {
        // 3.0 also allows a boolean for these two keywords.
        if !pointer.is_keyword("additionalProperties") {
            *value = if anything {
                json!({})
            } else {
                json!({"not": {}})
            };
        }
        return;
    }
    let Some(object) = value.as_object_mut() else {
        return;
    };
    for keyword in FOR_READERS {
        object.remove(keyword);
    }
    constant(object);
    examples(object);
    content_encoding(pointer, object, unsupported);
    tuple(pointer, object, unsupported);
    conditional_properties(object);
    pattern_properties(pointer, object, unsupported);
    for (keyword, instead) in NARROWING {
        if !object.contains_key(keyword) {
            continue;
        }
        // A file keeps its media type, which is that of the part; see `normalize::multipart`.
        let is_file = object.get("format") == Some(&json!("binary"));
        if !(keyword == "contentMediaType" && is_file) {
            object.remove(keyword);
        }
        unsupported.push(Unsupported::new(
            &pointer.join(keyword),
            format!("`{keyword}`"),
            instead,
        ));
    }
    type_list(object);
    exclusive_bound(object, Side::Lower);
    exclusive_bound(object, Side::Upper);
    null_in_enum(object);
    null_type(object);
    for combinator in ["anyOf", "oneOf"] {
        null_member(object, combinator);
    }
    siblings_of_reference(object);
}

/// Replaces `const: x` by `enum: [x]`.
fn constant(object: &mut Map<String, Value>) {
    if let Some(value) = object.remove("const") {
        object.insert("enum".to_owned(), json!([value]));
    }
    // Null becomes `nullable` later.
    if !object.contains_key("type")
        && let Some(values) = object.get("enum").and_then(Value::as_array)
        && values.iter().any(Value::is_string)
        && values
            .iter()
            .all(|value| value.is_string() || value.is_null())
    {
        object.insert("type".to_owned(), json!("string"));
    }
}

/// Replaces the list of examples of 3.1 by its first.
fn examples(object: &mut Map<String, Value>) {
    if let Some(Value::Array(examples)) = object.remove("examples")
        && let Some(first) = examples.into_iter().next()
    {
        object.entry("example").or_insert(first);
    }
}

/// Replaces `contentEncoding: base64` by `format: byte`.
fn content_encoding(
    pointer: &Pointer,
    object: &mut Map<String, Value>,
    unsupported: &mut Vec<Unsupported>,
) {
    let Some(encoding) = object.remove("contentEncoding") else {
        binary(object);
        return;
    };
    if encoding == "base64" {
        object.entry("format").or_insert_with(|| json!("byte"));
    }
    unsupported.push(Unsupported::new(
        &pointer.join("contentEncoding"),
        "`contentEncoding`",
        "the string is passed on unchanged",
    ));
}

/// Makes a string with binary content and without an encoding `format: binary`.
fn binary(object: &mut Map<String, Value>) {
    if has_binary_content(object) {
        object.entry("type").or_insert_with(|| json!("string"));
        object.entry("format").or_insert_with(|| json!("binary"));
    }
}

/// Declares the properties that only a condition declares. One that several declare may have any value.
fn conditional_properties(object: &mut Map<String, Value>) {
    let conditions = ["then", "else"].into_iter();
    let conditions = conditions.filter_map(|key| object.get(key));
    let dependent = object.get("dependentSchemas").and_then(Value::as_object);
    let dependent = dependent.into_iter().flat_map(Map::values);
    let mut declared: BTreeMap<String, Value> = BTreeMap::new();
    for (name, schema) in conditions
        .chain(dependent)
        .flat_map(|schema| schema.properties())
    {
        let known = declared
            .entry(name.clone())
            .or_insert_with(|| schema.clone());
        if known != schema {
            *known = json!({});
        }
    }
    if declared.is_empty() {
        return;
    }
    let properties = object.entry("properties").or_insert_with(|| json!({}));
    if let Some(properties) = properties.as_object_mut() {
        for (name, schema) in declared {
            properties.entry(name).or_insert(schema);
        }
    }
}

/// Replaces a tuple by a list of items of any of its types.
fn tuple(pointer: &Pointer, object: &mut Map<String, Value>, unsupported: &mut Vec<Unsupported>) {
    let prefix = match object.remove("prefixItems") {
        Some(Value::Array(prefix)) => prefix,
        // Before 2020-12, `items` could be a list with this meaning.
        _ => match object.get("items") {
            Some(Value::Array(list)) => list.clone(),
            _ => return,
        },
    };
    let mut members = prefix;
    match object.remove("items") {
        Some(rest @ Value::Object(_)) if rest != json!({"not": {}}) => members.push(rest),
        _ => {}
    }
    let mut distinct: Vec<Value> = Vec::new();
    for member in members {
        if !distinct.contains(&member) {
            distinct.push(member);
        }
    }
    let items = if distinct.len() == 1 {
        distinct.remove(0)
    } else {
        json!({"anyOf": distinct})
    };
    object.insert("items".to_owned(), items);
    let instead = "each item of the list may have any of the types";
    unsupported.push(Unsupported::new(
        &pointer.join("prefixItems"),
        "the order of `prefixItems`",
        instead,
    ));
}

/// Merges `patternProperties` into `additionalProperties`.
fn pattern_properties(
    pointer: &Pointer,
    object: &mut Map<String, Value>,
    unsupported: &mut Vec<Unsupported>,
) {
    let Some(Value::Object(patterns)) = object.remove("patternProperties") else {
        return;
    };
    let mut values: Vec<Value> = Vec::new();
    for value in patterns.into_iter().map(|(_, value)| value) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    let further = if values.len() == 1 {
        values.remove(0)
    } else {
        json!({"anyOf": values})
    };
    let further = match object.get("additionalProperties") {
        Some(Value::Bool(false)) => further,
        Some(others) if *others == further => further,
        // Properties that match no pattern are not constrained.
        _ => json!({}),
    };
    object.insert("additionalProperties".to_owned(), further);
    let instead = "the values are those of any further property";
    unsupported.push(Unsupported::new(
        &pointer.join("patternProperties"),
        "the patterns of `patternProperties`",
        instead,
    ));
}

/// Returns the types that a keyword applies to, or `None` if it applies to all.
fn applies_to(keyword: &str) -> Option<&'static [&'static str]> {
    match keyword {
        "minLength" | "maxLength" | "pattern" => Some(&["string"]),
        "format" => Some(&["string", "integer", "number"]),
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
            Some(&["integer", "number"])
        }
        "properties" | "required" | "additionalProperties" | "minProperties" | "maxProperties" => {
            Some(&["object"])
        }
        "items" | "minItems" | "maxItems" | "uniqueItems" => Some(&["array"]),
        _ => None,
    }
}

/// Replaces a list of types: `[a, null]` is a nullable `a`, `[a, b]` is a union whose members have the keywords that
/// apply to them.
fn type_list(object: &mut Map<String, Value>) {
    if !object.get("type").is_some_and(Value::is_array) {
        return;
    }
    let (types, nullable) = (object.types(), object.is_nullable());
    object.remove("type");
    if nullable {
        object.insert("nullable".to_owned(), json!(true));
    }
    match types.as_slice() {
        [] => {}
        [one] => {
            object.insert("type".to_owned(), json!(one.name()));
        }
        several => {
            let members: Vec<Value> = several
                .iter()
                .map(|kind| {
                    let name = kind.name();
                    let mut member = Map::new();
                    member.insert("type".to_owned(), json!(name));
                    for (keyword, value) in object.iter() {
                        if applies_to(keyword).is_some_and(|types| types.contains(&name)) {
                            member.insert(keyword.clone(), value.clone());
                        }
                    }
                    if let Some(values) = object.get("enum").and_then(Value::as_array) {
                        let own: Vec<_> = values.iter().filter(|value| kind.is_of(value)).collect();
                        member.insert("enum".to_owned(), json!(own));
                    }
                    Value::Object(member)
                })
                .filter(|member| member.get("enum").is_none_or(|values| values != &json!([])))
                .collect();
            object.retain(|keyword, _| applies_to(keyword).is_none() && keyword != "enum");
            object.insert("anyOf".to_owned(), Value::Array(members));
        }
    }
}

/// Replaces an exclusive bound, which is a number in 3.1, by an inclusive bound with a flag. For integers, the next
/// integer is the equivalent inclusive bound.
fn exclusive_bound(object: &mut Map<String, Value>, side: Side) {
    let (inclusive, exclusive) = side.keywords();
    if !object.contains_key(exclusive) {
        return;
    }
    let bound = object.bound(side);
    object.remove(exclusive);
    if let Some(bound) = bound {
        object.insert(inclusive.to_owned(), Value::Number(bound.number));
        if bound.is_exclusive {
            object.insert(exclusive.to_owned(), json!(true));
        }
    }
}

/// Makes an enum with `null` among its values nullable.
fn null_in_enum(object: &mut Map<String, Value>) {
    if let Some(Value::Array(values)) = object.get_mut("enum")
        && values.len() > 1
        && values.contains(&Value::Null)
    {
        values.retain(|value| !value.is_null());
        object.insert("nullable".to_owned(), json!(true));
    }
}

/// Replaces the null type by an enum with null alone, which progenitor reads as such.
fn null_type(object: &mut Map<String, Value>) {
    if object.get("type") == Some(&json!("null")) {
        object.remove("type");
        object.insert("enum".to_owned(), json!([null]));
    }
}

/// Returns true for a keyword that may stay beside the reference or the composition that a schema is.
fn describes_place(keyword: &String) -> bool {
    is_annotation(keyword) || keyword == "nullable"
}

/// Replaces `anyOf: [x, null]` by a nullable `x`.
fn null_member(object: &mut Map<String, Value>, combinator: &str) {
    let Some(Value::Array(members)) = object.get_mut(combinator) else {
        return;
    };
    if !members.iter().any(Value::is_only_null) || members.iter().all(Value::is_only_null) {
        return;
    }
    members.retain(|member| !member.is_only_null());
    let only = if members.len() == 1 {
        members.pop()
    } else {
        None
    };
    object.insert("nullable".to_owned(), json!(true));
    let Some(only) = only else { return };
    object.remove(combinator);
    let alone = object.keys().all(describes_place);
    match only {
        Value::Object(inner) if alone && !inner.contains_key("$ref") => {
            // Keywords outside of the union describe this location, so they take precedence.
            for (key, value) in inner {
                object.entry(key).or_insert(value);
            }
        }
        only => match object.get_mut("allOf") {
            Some(Value::Array(all)) => all.push(only),
            _ => {
                object.insert("allOf".to_owned(), json!([only]));
            }
        },
    }
}

/// Removes the constraints beside a `$ref` of OpenAPI 3.0, which says that they are ignored: services do leave out properties
/// that are required there, and a missing one would cost the whole response.
pub(super) fn constraints_of_reference(
    pointer: &Pointer,
    value: &mut Value,
    unsupported: &mut Vec<Unsupported>,
) {
    let object = value.as_object_mut();
    let Some(object) = object.filter(|object| object.contains_key("$ref")) else {
        return;
    };
    object.retain(|keyword, _| {
        let is_kept = keyword == "$ref" || describes_place(keyword);
        // A type usually repeats that of the referenced schema.
        if !is_kept && keyword != "type" {
            unsupported.push(Unsupported::new(
                &pointer.join(keyword),
                format!("`{keyword}` beside `$ref`"),
                "OpenAPI 3.0 ignores it",
            ));
        }
        is_kept
    });
}

/// Moves keywords next to a `$ref`, which 3.0 ignores: annotations around it, constraints into a second member of
/// `allOf`.
fn siblings_of_reference(object: &mut Map<String, Value>) {
    if object.len() < 2 {
        return;
    }
    let Some(reference) = object.remove("$ref") else {
        return;
    };
    let constraints: Map<String, Value> = object
        .iter()
        .filter(|(key, _)| !describes_place(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    object.retain(|key, _| describes_place(key));
    let mut all = vec![json!({"$ref": reference})];
    // A type alone repeats that of the referenced schema.
    if constraints.keys().any(|key| key != "type") {
        all.push(Value::Object(constraints));
    }
    object.insert("allOf".to_owned(), Value::Array(all));
}
