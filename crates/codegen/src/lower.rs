//! Step 3, lower: an OpenAPI 3.1 or 3.2 document is said again in the words of 3.0, which is what progenitor reads.
//!
//! The meaning of every construct is taken from JSON Schema 2020-12 and from OpenAPI 3.1, section 4.8.24. What 3.0 has
//! no words for either only narrows what is valid, and is then left out and noted as a loss, or changes what a value
//! is, and is then an error. Documents of 3.0 pass through the same step: what they have of 3.1 (as many do) is read as
//! it was meant.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::media_type::MediaTypeKind;
use super::names;
use super::origin::Origins;
use super::unsupported::Unsupported;
use super::walk::{self, Kind};
use crate::pointer::Pointer;
use crate::problem::Finding;

/// The version that a lowered document states.
pub const LOWERED_VERSION: &str = "3.0.3";

/// Keywords that say something about a value without changing which values are valid.
const ANNOTATIONS: [&str; 9] = [
    "title",
    "description",
    "default",
    "deprecated",
    "readOnly",
    "writeOnly",
    "example",
    "externalDocs",
    "nullable",
];

/// Keywords that only narrow which values are valid, and that 3.0 lacks; each with what is lost.
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
    ("contentSchema", "the content is not looked into"),
    ("contentMediaType", "the content is not looked into"),
];

/// Keywords that a reader of the document may want and a program doesn't.
const FOR_READERS: [&str; 5] = ["$comment", "$schema", "$id", "$anchor", "$vocabulary"];

/// Lowers `document`, and notes what is lost in doing so and what is moved.
///
/// # Errors
/// Every construct that 3.0 cannot express without changing the values.
pub fn lower(
    mut document: Value,
    unsupported: &mut Vec<Unsupported>,
    origins: &mut Origins,
) -> Result<Value, Vec<Finding>> {
    let mut findings = Vec::new();
    inline_media_types(&mut document);
    name_targets(&mut document, origins);
    walk::walk_mut(&mut document, &mut |kind, pointer, value| match kind {
        Kind::Schema => schema(pointer, value, unsupported, &mut findings),
        Kind::Operation => {
            if let Some(operation) = value.as_object_mut() {
                operation.entry("responses").or_insert_with(|| json!({}));
            }
        }
        Kind::Parameter
        | Kind::RequestBody
        | Kind::Response
        | Kind::Header
        | Kind::Link
        | Kind::Example => {
            reference_siblings(pointer, value, unsupported);
        }
        _ => {}
    });
    root(&mut document, unsupported);
    if findings.is_empty() {
        Ok(document)
    } else {
        Err(findings)
    }
}

/// Takes out what nothing is made of, before anything is asked of it: callbacks, operations of other methods than those of
/// OpenAPI 3.0, and the extensions among responses.
pub fn strip(document: &mut Value, unsupported: &mut Vec<Unsupported>) {
    if let Some(components) = document
        .get_mut("components")
        .and_then(Value::as_object_mut)
    {
        components.remove("callbacks");
    }
    other_methods(document, unsupported);
    let places: Vec<Pointer> = walk::operations(document)
        .into_iter()
        .map(|operation| operation.pointer)
        .collect();
    for place in places {
        let Some(operation) = document
            .pointer_mut(place.as_str())
            .and_then(Value::as_object_mut)
        else {
            continue;
        };
        if operation.remove("callbacks").is_some() {
            unsupported.push(Unsupported::new(
                &place.join("callbacks"),
                "`callbacks`",
                "nothing is generated: it is the caller's to serve",
            ));
        }
        let responses = operation
            .get_mut("responses")
            .and_then(Value::as_object_mut);
        if let Some(responses) = responses {
            responses.retain(|status, _| !status.starts_with("x-"));
        }
    }
}

/// The methods that came with OpenAPI 3.2: progenitor knows eight.
fn other_methods(document: &mut Value, unsupported: &mut Vec<Unsupported>) {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for (path, item) in paths.into_iter().flatten() {
        let Some(item) = item.as_object_mut() else {
            continue;
        };
        let place = Pointer::root().join("paths").join(path);
        let mut report = |place: Pointer, method: &str| {
            unsupported.push(Unsupported::new(
                &place,
                format!("the operation: its HTTP method is `{method}`"),
                "the client has no method for it",
            ));
        };
        if item.remove("query").is_some() {
            report(place.join("query"), "QUERY");
        }
        if let Some(Value::Object(others)) = item.remove("additionalOperations") {
            for method in others.keys() {
                report(place.join("additionalOperations").join(method), method);
            }
        }
    }
}

/// Media types of 3.2 may be references, those of 3.0 may not.
fn inline_media_types(document: &mut Value) {
    let mut inlined = Vec::new();
    walk::walk(document, &mut |kind, place, value| {
        if kind == Kind::MediaType && value.get("$ref").is_some() {
            inlined.push((place.clone(), walk::follow(document, value).cloned()));
        }
    });
    for (place, target) in inlined {
        if let (Some(media_type), Some(target)) = (document.pointer_mut(place.as_str()), target) {
            *media_type = target;
        }
    }
    if let Some(components) = document
        .get_mut("components")
        .and_then(Value::as_object_mut)
    {
        components.remove("mediaTypes");
    }
}

/// Lowers the top level of the document, and `components`.
fn root(document: &mut Value, unsupported: &mut Vec<Unsupported>) {
    let root = Pointer::root();
    let Some(object) = document.as_object_mut() else {
        return;
    };
    object.insert("openapi".to_owned(), json!(LOWERED_VERSION));
    object.remove("jsonSchemaDialect");
    object.remove("$self");
    object.entry("paths").or_insert_with(|| json!({}));
    if let Some(Value::Object(webhooks)) = object.remove("webhooks") {
        for name in webhooks.keys() {
            let pointer = root.join("webhooks").join(name);
            unsupported.push(Unsupported::new(
                &pointer,
                "the webhook",
                "nothing is generated: it is the caller's to serve",
            ));
        }
    }
    if let Some(info) = object.get_mut("info").and_then(Value::as_object_mut) {
        info.remove("summary");
        // In YAML, a version or a title without quotes may be a number.
        for key in ["title", "version"] {
            if let Some(number) = info.get_mut(key).filter(|text| text.is_number()) {
                *number = json!(number.to_string());
                let instead = format!("it is {number}, as a number is written");
                unsupported.push(Unsupported::new(
                    &root.join("info").join(key),
                    "the text of a number",
                    instead,
                ));
            }
        }
        if let Some(license) = info.get_mut("license").and_then(Value::as_object_mut) {
            license.remove("identifier");
        }
    }
    let Some(components) = object.get_mut("components").and_then(Value::as_object_mut) else {
        return;
    };
    if let Some(schemes) = components
        .get_mut("securitySchemes")
        .and_then(Value::as_object_mut)
    {
        let mutual: Vec<_> = schemes
            .iter()
            .filter(|(_, scheme)| scheme["type"] == "mutualTLS")
            .map(|(name, _)| name.clone())
            .collect();
        for name in mutual {
            schemes.remove(&name);
            let pointer = root.join("components").join("securitySchemes").join(name);
            let instead = "give the transport an HTTP client that has the certificate";
            unsupported.push(Unsupported::new(
                &pointer,
                "the security scheme `mutualTLS`",
                instead,
            ));
        }
    }
}

/// Every schema that is referred to gets a name of its own below `components.schemas`: progenitor looks at nothing but
/// the last step of a reference. Thereby `$defs` is gone, too.
fn name_targets(document: &mut Value, origins: &mut Origins) {
    let mut targets = BTreeSet::new();
    walk::walk(document, &mut |kind, _, value| {
        let reference = value.get("$ref").and_then(Value::as_str);
        if let (Kind::Schema, Some(target)) = (kind, reference.and_then(Pointer::from_ref)) {
            let tokens: Vec<_> = target.tokens().collect();
            if !matches!(tokens.as_slice(), [components, schemas, _] if components == "components" && schemas == "schemas")
            {
                targets.insert(target);
            }
        }
    });
    // What lies deeper is moved first, so that the place of what lies above it is still the one that was collected.
    let mut targets: Vec<_> = targets.into_iter().collect();
    targets.sort_by_key(|target| std::cmp::Reverse(target.tokens().count()));
    let mut taken: BTreeSet<String> = walk::schemas(document)
        .map(|(name, _)| names::type_name(name))
        .collect();
    let mut renamed = BTreeMap::new();
    for target in targets {
        let name = names::unique(&names::for_place(document, &target), &mut taken);
        let Some(place) = document.pointer_mut(target.as_str()) else {
            continue;
        };
        let new = Pointer::schema(&name);
        let moved = std::mem::replace(place, json!({"$ref": new.to_ref()}));
        origins.moved(&target, &new);
        renamed.insert(target, new.to_ref());
        if let Some(schemas) = walk::schemas_mut(document) {
            schemas.insert(name, moved);
        }
    }
    walk::walk_mut(document, &mut |kind, _, value| {
        if let (Kind::Schema, Some(object)) = (kind, value.as_object_mut()) {
            object.remove("$defs");
            object.remove("definitions");
            let new = object
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(Pointer::from_ref);
            if let Some(new) = new.and_then(|target| renamed.get(&target)) {
                object.insert("$ref".to_owned(), json!(new));
            }
        }
    });
}

/// 3.1 allows `summary` and `description` beside a reference that is no schema; 3.0 ignores them.
fn reference_siblings(pointer: &Pointer, value: &mut Value, unsupported: &mut Vec<Unsupported>) {
    let Some(object) = value.as_object_mut() else {
        return;
    };
    if object.len() > 1
        && let Some(reference) = object.get("$ref").cloned()
    {
        object.retain(|key, _| key == "$ref");
        let what = "what stands beside the reference";
        unsupported.push(Unsupported::new(
            pointer,
            what,
            format!("the text of {reference} is used"),
        ));
    }
}

/// Lowers one schema whose inner schemas are lowered already.
fn schema(
    pointer: &Pointer,
    value: &mut Value,
    unsupported: &mut Vec<Unsupported>,
    findings: &mut Vec<Finding>,
) {
    if let Value::Bool(anything) = *value {
        // The two places where 3.0 allows a boolean, too.
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
    for keyword in ["$dynamicRef", "$recursiveRef"] {
        if object.contains_key(keyword) {
            let remedy = "replace it by a plain `$ref`: which schema is meant must be known before the program runs";
            let cause = format!("`{keyword}` can't be said in OpenAPI 3.0");
            findings.push(Finding::new(&pointer.join(keyword), cause, remedy));
        }
    }
    for keyword in FOR_READERS {
        object.remove(keyword);
    }
    constant(object);
    examples(object);
    content_encoding(pointer, object, unsupported);
    tuple(pointer, object, unsupported);
    pattern_properties(pointer, object, unsupported);
    for (keyword, instead) in NARROWING {
        if !object.contains_key(keyword) {
            continue;
        }
        // The media type of a file is that of a part; see `normalize::multipart`.
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
    exclusive_bound(object, "exclusiveMinimum", "minimum", f64::max, 1);
    exclusive_bound(object, "exclusiveMaximum", "maximum", f64::min, -1);
    null_in_enum(object);
    null_type(object);
    for combinator in ["anyOf", "oneOf"] {
        null_member(object, combinator);
    }
    siblings_of_reference(object);
}

/// `const: x` says the same as `enum: [x]`.
fn constant(object: &mut Map<String, Value>) {
    if let Some(value) = object.remove("const") {
        object.insert("enum".to_owned(), json!([value]));
    }
    if !object.contains_key("type")
        && let Some(values) = object.get("enum").and_then(Value::as_array)
        && !values.is_empty()
        && values.iter().all(Value::is_string)
    {
        object.insert("type".to_owned(), json!("string"));
    }
}

/// 3.1's list of examples; 3.0 has place for one.
fn examples(object: &mut Map<String, Value>) {
    if let Some(Value::Array(examples)) = object.remove("examples")
        && let Some(first) = examples.into_iter().next()
    {
        object.entry("example").or_insert(first);
    }
}

/// `contentEncoding: base64` is 3.0's `format: byte`.
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
        "the text is handed on as it came",
    ));
}

/// A string whose content is neither text nor JSON, and has no encoding, is bytes, for which 3.0 has `format: binary`.
fn binary(object: &mut Map<String, Value>) {
    let media_type = object.get("contentMediaType").and_then(Value::as_str);
    let is_string = match object.get("type") {
        None => true,
        Some(Value::Array(kinds)) => kinds.iter().all(|kind| kind == "string" || kind == "null"),
        Some(kind) => kind == "string",
    };
    if is_string && media_type.is_some_and(|name| MediaTypeKind::of(name) == MediaTypeKind::Bytes) {
        object.entry("type").or_insert_with(|| json!("string"));
        object.entry("format").or_insert_with(|| json!("binary"));
    }
}

/// 3.0 has no tuples: each item may be what any of them is.
fn tuple(pointer: &Pointer, object: &mut Map<String, Value>, unsupported: &mut Vec<Unsupported>) {
    let prefix = match object.remove("prefixItems") {
        Some(Value::Array(prefix)) => prefix,
        // Before 2020-12, `items` with a list said the same.
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
    let instead = "the items are a list in which each may be what any of them is";
    unsupported.push(Unsupported::new(
        &pointer.join("prefixItems"),
        "the order of `prefixItems`",
        instead,
    ));
}

/// 3.0 has no patterns for names: the values are those of further properties.
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
        // The patterns say nothing of the properties that they don't match.
        _ => json!({}),
    };
    object.insert("additionalProperties".to_owned(), further);
    let instead = "the values are read as those of any further property";
    unsupported.push(Unsupported::new(
        &pointer.join("patternProperties"),
        "the patterns of `patternProperties`",
        instead,
    ));
}

/// Keywords that apply to values of some types only, and to which.
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

/// `type: [a, null]` is a nullable `a`; `type: [a, b]` is any of the two, each with the keywords that concern it.
fn type_list(object: &mut Map<String, Value>) {
    let Some(Value::Array(list)) = object.get("type") else {
        return;
    };
    let mut types: Vec<String> = list
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let nullable = types.iter().any(|name| name == "null");
    types.retain(|name| name != "null");
    if types.iter().any(|name| name == "number") {
        // A number includes the integers.
        types.retain(|name| name != "integer");
    }
    object.remove("type");
    if nullable {
        object.insert("nullable".to_owned(), json!(true));
    }
    match types.as_slice() {
        [] if nullable => {
            object.remove("nullable");
            object.insert("type".to_owned(), json!("null"));
        }
        [] => {}
        [one] => {
            object.insert("type".to_owned(), json!(one));
        }
        several => {
            let members: Vec<Value> = several
                .iter()
                .map(|name| {
                    let mut member = Map::new();
                    member.insert("type".to_owned(), json!(name));
                    for (keyword, value) in object.iter() {
                        if applies_to(keyword).is_some_and(|types| types.contains(&name.as_str())) {
                            member.insert(keyword.clone(), value.clone());
                        }
                    }
                    if let Some(values) = object.get("enum").and_then(Value::as_array) {
                        let own: Vec<_> = values
                            .iter()
                            .filter(|value| is_of_type(value, name))
                            .collect();
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

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        _ => false,
    }
}

/// 3.1's exclusive bound is a number of its own, 3.0's a flag beside the inclusive one. For an integer the next integer
/// is the inclusive bound that says the same.
fn exclusive_bound(
    object: &mut Map<String, Value>,
    exclusive: &str,
    inclusive: &str,
    tighter: fn(f64, f64) -> f64,
    step: i64,
) {
    let bound = match object.get(exclusive) {
        Some(Value::Number(bound)) => bound.clone(),
        Some(Value::Bool(true)) => match object.get(inclusive) {
            Some(Value::Number(bound)) => bound.clone(),
            _ => {
                object.remove(exclusive);
                return;
            }
        },
        Some(_) => {
            object.remove(exclusive);
            return;
        }
        None => return,
    };
    object.remove(exclusive);
    if object.get("type") == Some(&json!("integer"))
        && let Some(bound) = bound.as_i64()
    {
        let bound = bound.saturating_add(step);
        let other = object
            .get(inclusive)
            .and_then(Value::as_i64)
            .unwrap_or(bound);
        let bound = if step > 0 {
            bound.max(other)
        } else {
            bound.min(other)
        };
        object.insert(inclusive.to_owned(), json!(bound));
        return;
    }
    let value = bound.as_f64().unwrap_or_default();
    let other = object
        .get(inclusive)
        .and_then(Value::as_f64)
        .unwrap_or(value);
    // Where the inclusive bound is the tighter one, the exclusive one says nothing.
    if tighter(value, other) == value {
        object.insert(inclusive.to_owned(), Value::Number(bound));
        object.insert(exclusive.to_owned(), json!(true));
    }
}

/// `null` among the values of an enum makes it nullable.
fn null_in_enum(object: &mut Map<String, Value>) {
    if let Some(Value::Array(values)) = object.get_mut("enum")
        && values.len() > 1
        && values.contains(&Value::Null)
    {
        values.retain(|value| !value.is_null());
        object.insert("nullable".to_owned(), json!(true));
    }
}

/// 3.0 has no null type; an enum of null alone is what progenitor takes for it.
fn null_type(object: &mut Map<String, Value>) {
    if object.get("type") == Some(&json!("null")) {
        object.remove("type");
        object.insert("enum".to_owned(), json!([null]));
    }
}

fn is_null(schema: &Value) -> bool {
    schema.get("enum") == Some(&json!([null]))
}

/// `anyOf: [x, null]` is a nullable `x`.
fn null_member(object: &mut Map<String, Value>, combinator: &str) {
    let Some(Value::Array(members)) = object.get_mut(combinator) else {
        return;
    };
    if !members.iter().any(is_null) || members.iter().all(is_null) {
        return;
    }
    members.retain(|member| !is_null(member));
    let only = if members.len() == 1 {
        members.pop()
    } else {
        None
    };
    object.insert("nullable".to_owned(), json!(true));
    let Some(only) = only else { return };
    object.remove(combinator);
    let alone = object
        .keys()
        .all(|key| ANNOTATIONS.contains(&key.as_str()) || key.starts_with("x-"));
    match only {
        Value::Object(inner) if alone && !inner.contains_key("$ref") => {
            // What is said outside is said of this place, so it wins over what is said inside.
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

/// In 3.0 whatever stands beside `$ref` is ignored: annotations move around it, constraints become a second member.
fn siblings_of_reference(object: &mut Map<String, Value>) {
    if object.len() < 2 {
        return;
    }
    let Some(reference) = object.remove("$ref") else {
        return;
    };
    let outside = |key: &String| ANNOTATIONS.contains(&key.as_str()) || key.starts_with("x-");
    let constraints: Map<String, Value> = object
        .iter()
        .filter(|(key, _)| !outside(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    object.retain(|key, _| outside(key));
    let mut all = vec![json!({"$ref": reference})];
    // The type alone says nothing that the referenced schema doesn't say itself.
    if constraints.keys().any(|key| key != "type") {
        all.push(Value::Object(constraints));
    }
    object.insert("allOf".to_owned(), Value::Array(all));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(schema: Value) -> Value {
        json!({
            "openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {},
            "components": {"schemas": {"Other": {"type": "object"}, "It": schema}},
        })
    }

    fn lowered(schema: Value) -> (Value, Vec<String>) {
        let mut unsupported = Vec::new();
        let document = lower(document(schema), &mut unsupported, &mut Origins::default()).unwrap();
        let unsupported = unsupported
            .iter()
            .map(|loss| {
                loss.pointer
                    .to_string()
                    .replace("/components/schemas/It", "")
            })
            .collect();
        (document["components"]["schemas"]["It"].clone(), unsupported)
    }

    /// Asserts that a schema of 3.1 becomes this one of 3.0, with nothing lost.
    #[track_caller]
    fn becomes(schema: Value, expected: Value) {
        assert_eq!(lowered(schema), (expected, Vec::new()));
    }

    /// Asserts that a schema of 3.1 becomes this one of 3.0, and that these places are reported.
    #[track_caller]
    fn loses(schema: Value, expected: Value, places: &[&str]) {
        assert_eq!(
            lowered(schema),
            (
                expected,
                places.iter().map(|place| (*place).to_owned()).collect()
            )
        );
    }

    #[test]
    fn type_lists() {
        becomes(
            json!({"type": ["string", "null"], "format": "uuid"}),
            json!({"type": "string", "format": "uuid", "nullable": true}),
        );
        becomes(json!({"type": ["string"]}), json!({"type": "string"}));
        becomes(
            json!({"type": ["integer", "number"]}),
            json!({"type": "number"}),
        );
        becomes(json!({"type": ["null"]}), json!({"enum": [null]}));
        becomes(
            json!({"type": ["string", "integer", "null"], "minLength": 1, "minimum": 2, "title": "t", "enum": ["a", 3, null]}),
            json!({"nullable": true, "title": "t", "anyOf": [
                {"type": "string", "minLength": 1, "enum": ["a"]},
                {"type": "integer", "minimum": 2, "enum": [3]},
            ]}),
        );
    }

    #[test]
    fn null_as_a_member() {
        becomes(
            json!({"anyOf": [{"type": "string", "description": "inner"}, {"type": "null"}], "description": "outer"}),
            json!({"description": "outer", "nullable": true, "type": "string"}),
        );
        becomes(
            json!({"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Other"}]}),
            json!({"nullable": true, "allOf": [{"$ref": "#/components/schemas/Other"}]}),
        );
        becomes(
            json!({"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}),
            json!({"anyOf": [{"type": "string"}, {"type": "integer"}], "nullable": true}),
        );
        // What stands beside the combinator holds, too.
        becomes(
            json!({"anyOf": [{"type": "object"}, {"type": "null"}], "required": ["a"]}),
            json!({"required": ["a"], "nullable": true, "allOf": [{"type": "object"}]}),
        );
        becomes(
            json!({"enum": ["a", null]}),
            json!({"enum": ["a"], "nullable": true}),
        );
        becomes(json!({"type": "null"}), json!({"enum": [null]}));
    }

    #[test]
    fn type_beside_a_reference_makes_no_second_schema() {
        let reference = json!({"$ref": "#/components/schemas/Other"});
        becomes(
            json!({"$ref": "#/components/schemas/Other", "type": "object"}),
            json!({"allOf": [reference]}),
        );
    }

    #[test]
    fn constants_bounds_and_examples() {
        becomes(
            json!({"const": "a"}),
            json!({"enum": ["a"], "type": "string"}),
        );
        becomes(json!({"const": 1}), json!({"enum": [1]}));
        becomes(
            json!({"type": "integer", "exclusiveMinimum": 0}),
            json!({"type": "integer", "minimum": 1}),
        );
        becomes(
            json!({"type": "integer", "exclusiveMaximum": 9, "maximum": 5}),
            json!({"type": "integer", "maximum": 5}),
        );
        becomes(
            json!({"type": "number", "exclusiveMinimum": 0.5}),
            json!({"type": "number", "minimum": 0.5, "exclusiveMinimum": true}),
        );
        becomes(
            json!({"type": "number", "exclusiveMaximum": 9.5, "maximum": 5}),
            json!({"type": "number", "maximum": 5}),
        );
        // The words of 3.0 are read as well.
        becomes(
            json!({"type": "integer", "minimum": 0, "exclusiveMinimum": true}),
            json!({"type": "integer", "minimum": 1}),
        );
        becomes(
            json!({"type": "integer", "minimum": 0, "exclusiveMinimum": false}),
            json!({"type": "integer", "minimum": 0}),
        );
        becomes(
            json!({"type": "string", "examples": ["a", "b"]}),
            json!({"type": "string", "example": "a"}),
        );
    }

    #[test]
    fn references_and_what_stands_beside_them() {
        let other = "#/components/schemas/Other";
        becomes(json!({"$ref": other}), json!({"$ref": other}));
        becomes(
            json!({"$ref": other, "description": "d"}),
            json!({"description": "d", "allOf": [{"$ref": other}]}),
        );
        becomes(
            json!({"$ref": other, "description": "d", "required": ["a"]}),
            json!({"description": "d", "allOf": [{"$ref": other}, {"required": ["a"]}]}),
        );
    }

    #[test]
    fn definitions_become_components() {
        let schema = json!({
            "properties": {
                "a": {"$ref": "#/components/schemas/It/$defs/Part"},
                "b": {"$ref": "#/components/schemas/It/$defs/Part/$defs/Screw"},
                "c": {"$ref": "#/components/schemas/It/properties/a"},
                "d": {"$ref": "#/components/schemas/Other/properties/x"},
            },
            "$defs": {"Part": {"type": "object", "$defs": {"Screw": {"type": "integer"}}}, "Unused": {}},
        });
        let mut document = document(schema);
        document["components"]["schemas"]["Other"] =
            json!({"properties": {"x": {"type": "string"}}});
        let lowered = lower(document, &mut Vec::new(), &mut Origins::default()).unwrap();
        insta::assert_json_snapshot!(lowered["components"]["schemas"]);
    }

    #[test]
    fn booleans_in_the_place_of_schemas() {
        becomes(
            json!({"properties": {"a": true, "additionalProperties": false}, "additionalProperties": false}),
            json!({"properties": {"a": {}, "additionalProperties": {"not": {}}}, "additionalProperties": false}),
        );
        becomes(
            json!({"type": "array", "items": true}),
            json!({"type": "array", "items": {}}),
        );
    }

    #[test]
    fn what_only_narrows_is_lost_and_noted() {
        loses(
            json!({"type": "object", "if": {}, "then": {}, "else": {}, "dependentRequired": {"a": ["b"]}, "$comment": "c"}),
            json!({"type": "object"}),
            &["/if", "/then", "/else", "/dependentRequired"],
        );
        loses(
            json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false}),
            json!({"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}),
            &["/prefixItems"],
        );
        loses(
            json!({"type": "object", "patternProperties": {"^x": {"type": "string"}}, "additionalProperties": false}),
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            &["/patternProperties"],
        );
        loses(
            json!({"type": ["string", "null"], "contentMediaType": "image/png"}),
            json!({"type": "string", "nullable": true, "format": "binary", "contentMediaType": "image/png"}),
            &["/contentMediaType"],
        );
        loses(
            json!({"type": "string", "contentMediaType": "text/csv"}),
            json!({"type": "string"}),
            &["/contentMediaType"],
        );
        loses(
            json!({"type": "string", "contentEncoding": "base64"}),
            json!({"type": "string", "format": "byte"}),
            &["/contentEncoding"],
        );
    }

    #[test]
    fn the_rest_of_the_document() {
        let document = json!({
            "openapi": "3.1.0",
            "info": {"title": "t", "version": "1", "summary": "s", "license": {"name": "n", "identifier": "MIT"}},
            "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
            "webhooks": {"ended": {"post": {}}},
            "paths": {"/a": {"get": {"operationId": "a", "parameters": [
                {"$ref": "#/components/parameters/P", "description": "another"},
            ]}}},
            "components": {
                "parameters": {"P": {"name": "p", "in": "query"}},
                "securitySchemes": {"mutual": {"type": "mutualTLS"}, "token": {"type": "http", "scheme": "bearer"}},
            },
        });
        let mut unsupported = Vec::new();
        let lowered = lower(document, &mut unsupported, &mut Origins::default()).unwrap();
        insta::assert_json_snapshot!(lowered);
        let places: Vec<_> = unsupported
            .iter()
            .map(|loss| loss.pointer.as_str())
            .collect();
        assert_eq!(
            places,
            [
                "/paths/~1a/get/parameters/0",
                "/webhooks/ended",
                "/components/securitySchemes/mutual"
            ]
        );
    }

    #[test]
    fn what_nothing_is_made_of_is_asked_nothing() {
        let mut document = document(json!({}));
        let callbacks = json!({
            "ended": {"$ref": "#/components/callbacks/Ended"},
            "own": {"{$url}": {}, "x-note": 1},
            "x-none": {"a": 1},
        });
        document["paths"] = json!({"/a": {"post": {
            "operationId": "a", "callbacks": callbacks, "responses": {"x-note": 1, "204": {"description": ""}},
        }}});
        document["components"]["callbacks"] = json!({"Ended": {"$ref": "#/nowhere"}});
        let mut unsupported = Vec::new();
        strip(&mut document, &mut unsupported);
        assert_eq!(
            document["paths"]["/a"]["post"],
            json!({"operationId": "a", "responses": {"204": {"description": ""}}})
        );
        assert_eq!(document["components"].get("callbacks"), None);
        let places: Vec<_> = unsupported
            .iter()
            .map(|loss| loss.pointer.as_str())
            .collect();
        assert_eq!(places, ["/paths/~1a/post/callbacks"]);
    }

    #[test]
    fn a_version_without_quotes_is_a_text() {
        let mut document = document(json!({}));
        document["info"]["version"] = json!(1.1);
        let mut unsupported = Vec::new();
        let lowered = lower(document, &mut unsupported, &mut Origins::default()).unwrap();
        assert_eq!(lowered["info"]["version"], "1.1");
        assert_eq!(unsupported[0].pointer.as_str(), "/info/version");
    }

    #[test]
    fn what_can_not_be_said_is_an_error() {
        let findings = lower(
            document(json!({"properties": {"a": {"$dynamicRef": "#x"}}})),
            &mut Vec::new(),
            &mut Origins::default(),
        )
        .unwrap_err();
        assert_eq!(
            findings[0].pointer.as_str(),
            "/components/schemas/It/properties/a/$dynamicRef"
        );
    }

    #[test]
    fn a_lowered_document_stays_as_it_is() {
        let once = lower(
            document(json!({"anyOf": [{"type": ["string", "null"]}, {"const": 1}]})),
            &mut Vec::new(),
            &mut Origins::default(),
        )
        .unwrap();
        assert_eq!(
            lower(once.clone(), &mut Vec::new(), &mut Origins::default()).unwrap(),
            once
        );
    }
}
