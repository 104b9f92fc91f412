//! Reads schemas, with the same result for equivalent keywords of OpenAPI 3.0 and 3.1.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::rust;
use crate::normalize::types;
use crate::pointer::Pointer;

/// A Schema object. A boolean schema is represented by the equivalent object.
pub(super) type Object = Map<String, Value>;

static ANYTHING: LazyLock<Object> = LazyLock::new(Object::new);
static NOTHING: LazyLock<Object> =
    LazyLock::new(|| Object::from_iter([("not".to_owned(), json!({}))]));

/// The maximum number of wrappers to remove. More are a cycle.
const MAX_WRAPPERS: usize = 64;

/// Returns true for keywords that do not constrain values.
pub(super) fn is_annotation(key: &str) -> bool {
    matches!(
        key,
        "title"
            | "description"
            | "default"
            | "deprecated"
            | "readOnly"
            | "writeOnly"
            | "example"
            | "examples"
            | "externalDocs"
            | "xml"
            | "$comment"
            | "$schema"
            | "$id"
            | "$anchor"
            | "$vocabulary"
    ) || key.starts_with("x-")
}

/// Returns the schema as an object, or `None` if the value is no schema.
pub(super) fn object(value: &Value) -> Option<&Object> {
    match value {
        Value::Object(object) => Some(object),
        Value::Bool(true) => Some(&ANYTHING),
        Value::Bool(false) => Some(&NOTHING),
        _ => None,
    }
}

/// A schema without the wrappers that add no constraint.
#[derive(Clone, Debug)]
pub(super) struct ResolvedSchema<'a> {
    /// The wrappers, outermost first, and the schema itself unless it is a named one.
    pub(super) layers: Vec<(Pointer, &'a Object)>,
    /// A layer allows null.
    pub(super) nullable: bool,
    /// The schema.
    pub(super) target: Target<'a>,
    /// The last token of the last reference that was followed.
    pub(super) via: Option<String>,
}

/// The target of a [`ResolvedSchema`].
#[derive(Clone, Debug)]
pub(super) enum Target<'a> {
    /// A schema of `components.schemas`, which is not resolved further.
    Named(String, Pointer),
    /// An inline schema, or one behind references.
    Inline(Pointer, &'a Object),
}

/// Returns the name of the schema of `components.schemas` at `pointer`.
pub(super) fn component(pointer: &Pointer) -> Option<String> {
    pointer.is_schema().then(|| pointer.tokens().last())?
}

/// Resolves the schema at `location`: removes references with only annotations beside them, compositions and unions of one
/// schema, and unions with null. With `stop_at_named`, a reference to a named schema is not followed.
pub(super) fn resolve<'a>(
    document: &'a Value,
    location: &Pointer,
    stop_at_named: bool,
) -> Option<ResolvedSchema<'a>> {
    let mut location = location.clone();
    let mut current = object(document.pointer(location.as_str())?)?;
    let mut resolved = ResolvedSchema {
        layers: Vec::new(),
        nullable: false,
        target: Target::Inline(location.clone(), current),
        via: None,
    };
    for _ in 0..MAX_WRAPPERS {
        let Some(wrapper) = wrapper(current) else {
            break;
        };
        let (next, nullable) = match wrapper {
            Wrapper::Reference(reference) => {
                let Some(target) = Pointer::from_ref(reference) else {
                    break;
                };
                if let (true, Some(name)) = (stop_at_named, component(&target)) {
                    resolved.layers.push((location, current));
                    resolved.target = Target::Named(name, target);
                    return Some(resolved);
                }
                resolved.via = target.tokens().last();
                (target, false)
            }
            Wrapper::Member(keyword, index, nullable) => {
                (location.join(keyword).join(index), nullable)
            }
        };
        let Some(inner) = document.pointer(next.as_str()).and_then(object) else {
            break;
        };
        resolved.layers.push((location, current));
        resolved.nullable |= nullable || is_nullable(current);
        location = next;
        current = inner;
    }
    resolved.nullable |= is_nullable(current);
    resolved.layers.push((location.clone(), current));
    resolved.target = Target::Inline(location, current);
    Some(resolved)
}

/// Resolves the schema at `location`, including references to named schemas.
pub(super) fn inline<'a>(document: &'a Value, location: &Pointer) -> Option<(Pointer, &'a Object)> {
    match resolve(document, location, false)?.target {
        Target::Inline(location, object) => Some((location, object)),
        Target::Named(..) => None,
    }
}

/// A schema that stands for another one.
enum Wrapper<'a> {
    Reference(&'a str),
    /// The keyword, the index of the only member other than null, and true if there is a null.
    Member(&'static str, usize, bool),
}

fn wrapper(object: &Object) -> Option<Wrapper<'_>> {
    let alone = |keyword: &str| {
        object
            .keys()
            .all(|key| key == keyword || key == "nullable" || is_annotation(key))
    };
    if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
        return alone("$ref").then_some(Wrapper::Reference(reference));
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let Some(members) = object.get(keyword).and_then(Value::as_array) else {
            continue;
        };
        if !alone(keyword) {
            return None;
        }
        let mut real = (0..members.len()).filter(|index| !is_null(&members[*index]));
        return match (real.next(), real.next()) {
            (Some(_), None) if keyword == "allOf" && members.len() > 1 => None,
            (Some(only), None) => Some(Wrapper::Member(keyword, only, members.len() > 1)),
            _ => None,
        };
    }
    None
}

/// Returns true if only null is valid.
pub(super) fn is_null(schema: &Value) -> bool {
    schema
        .get("type")
        .is_some_and(|kind| *kind == json!("null") || *kind == json!(["null"]))
        || schema.get("enum") == Some(&json!([null]))
        || schema.get("const") == Some(&Value::Null)
}

fn is_nullable(object: &Object) -> bool {
    let listed = |key: &str, null: &Value| {
        let list = object.get(key).and_then(Value::as_array);
        list.is_some_and(|list| list.len() > 1 && list.contains(null))
    };
    let member = |keyword: &str| {
        let members = object.get(keyword).and_then(Value::as_array);
        members.is_some_and(|members| members.len() > 1 && members.iter().any(is_null))
    };
    object.get("nullable") == Some(&json!(true))
        || listed("type", &json!("null"))
        || listed("enum", &Value::Null)
        || member("anyOf")
        || member("oneOf")
}

/// Returns the value of `key` in the outermost layer that has it.
pub(super) fn annotation<'a>(
    layers: &[(Pointer, &'a Object)],
    key: &str,
) -> Option<(Pointer, &'a Value)> {
    layers
        .iter()
        .find_map(|(location, object)| Some((location.join(key), object.get(key)?)))
}

/// Returns the types other than null. Without `type`, the type that the other keywords imply.
pub(super) fn types(object: &Object) -> BTreeSet<&str> {
    let mut types: BTreeSet<&str> = match object.get("type") {
        Some(Value::String(name)) => BTreeSet::from([name.as_str()]),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ if object.get("enum") == Some(&json!([null]))
            || object.get("const") == Some(&Value::Null) =>
        {
            BTreeSet::from(["null"])
        }
        _ => {
            let has = |keys: &[&str]| keys.iter().any(|key| object.contains_key(*key));
            if values(object).is_some_and(|values| values.iter().all(|value| value.is_string())) {
                BTreeSet::from(["string"])
            } else if has(&["properties", "required", "additionalProperties"]) {
                BTreeSet::from(["object"])
            } else if has(&["items", "prefixItems"]) {
                BTreeSet::from(["array"])
            } else {
                BTreeSet::new()
            }
        }
    };
    if types.len() > 1 {
        types.remove("null");
    }
    if types.contains("number") {
        // A number includes the integers.
        types.remove("integer");
    }
    types
}

/// Returns the values of an enum or a constant, without null.
pub(super) fn values(object: &Object) -> Option<Vec<&Value>> {
    if let Some(value) = object.get("const").filter(|value| !value.is_null()) {
        return Some(vec![value]);
    }
    let values = object.get("enum")?.as_array()?;
    let values: Vec<_> = values.iter().filter(|value| !value.is_null()).collect();
    (!values.is_empty()).then_some(values)
}

/// Returns the format. `contentEncoding: base64` of 3.1 equals `format: byte` of 3.0.
pub(super) fn format(object: &Object) -> Option<&str> {
    let encoded = object.get("contentEncoding") == Some(&json!("base64"));
    object
        .get("format")
        .and_then(Value::as_str)
        .or(encoded.then_some("byte"))
}

/// The keyword of a union, and its members other than null with their indices.
pub(super) type Union<'a> = (&'static str, Vec<(usize, &'a Value)>);

/// Returns the union of a schema, if it is one.
pub(super) fn union(object: &Object) -> Option<Union<'_>> {
    ["oneOf", "anyOf"].into_iter().find_map(|keyword| {
        let members = object.get(keyword)?.as_array()?.iter().enumerate();
        let real: Vec<_> = members.filter(|(_, member)| !is_null(member)).collect();
        (!real.is_empty()).then_some((keyword, real))
    })
}

/// Returns the locations of the schemas that `object` is composed of, by `$ref` or `allOf`.
pub(super) fn all_of(location: &Pointer, object: &Object) -> Vec<Pointer> {
    let reference = object
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(Pointer::from_ref);
    let members = object.get("allOf").and_then(Value::as_array);
    let members = 0..members.map_or(0, Vec::len);
    reference
        .into_iter()
        .chain(members.map(|index| location.join("allOf").join(index)))
        .collect()
}

/// Returns a bound, and true if the bound itself is excluded. Bounds of integers are always included.
pub(super) fn bound(object: &Object, lower: bool) -> Option<(f64, bool)> {
    let (inclusive, exclusive) = if lower {
        ("minimum", "exclusiveMinimum")
    } else {
        ("maximum", "exclusiveMaximum")
    };
    let number = |key: &str| object.get(key).and_then(Value::as_f64);
    let included = number(inclusive).map(|bound| (bound, false));
    let excluded = match object.get(exclusive) {
        // The flag of 3.0.
        Some(Value::Bool(true)) => included.map(|(bound, _)| (bound, true)),
        _ => number(exclusive).map(|bound| (bound, true)),
    };
    let bound = match (included, excluded) {
        (Some(a), Some(b)) => Some(if tighter(b, a, lower) { b } else { a }),
        (a, b) => a.or(b),
    };
    match bound {
        Some((bound, true)) if types(object).contains("integer") => {
            let step = if lower { 1.0 } else { -1.0 };
            Some((bound + step, false))
        }
        bound => bound,
    }
}

/// Returns true if bound `a` allows fewer numbers than bound `b`.
pub(super) fn tighter(a: (f64, bool), b: (f64, bool), lower: bool) -> bool {
    let further = if lower { a.0 > b.0 } else { a.0 < b.0 };
    further || (a.0 == b.0 && a.1 && !b.1)
}

/// Returns the Rust type of a string, an integer or a number.
pub(super) fn scalar(object: &Object) -> Option<&'static str> {
    let types = types(object);
    let format = format(object);
    if types.len() != 1 {
        return None;
    }
    if values(object).is_some() {
        return Some("an enum");
    }
    match types.first().copied() {
        Some("string") => Some(rust::string(format)),
        Some("integer") => Some(types::integer(format)),
        Some("number") => Some("f64"),
        _ => None,
    }
}

/// Describes the type of a schema.
pub(super) fn phrase(object: &Object) -> String {
    if let Some((keyword, members)) = union(object) {
        return format!("a union ({keyword}) of {}", members.len());
    }
    if object.contains_key("allOf") || object.contains_key("$ref") {
        return "a composition (allOf)".to_owned();
    }
    let types = types(object);
    if types.is_empty() {
        return "any value".to_owned();
    }
    let mut phrase = types.into_iter().collect::<Vec<_>>().join(" or ");
    if let Some(format) = format(object) {
        phrase.push_str(&format!(" ({format})"));
    }
    if values(object).is_some() {
        phrase.push_str(" enum");
    }
    phrase
}

/// Returns the schema without annotations and `nullable`, to compare schemas as a whole.
pub(super) fn canonical(value: &Value) -> Value {
    let Some(object) = value.as_object() else {
        return value.clone();
    };
    let mut bare = Object::new();
    for (key, value) in object {
        if is_annotation(key) || key == "nullable" {
            continue;
        }
        let value = match (key.as_str(), value) {
            (
                "properties" | "patternProperties" | "$defs" | "definitions",
                Value::Object(inner),
            ) => {
                let inner = inner
                    .iter()
                    .map(|(key, value)| (key.clone(), canonical(value)));
                Value::Object(inner.collect())
            }
            ("enum" | "const" | "required", value) => value.clone(),
            (_, Value::Array(items)) => items.iter().map(canonical).collect(),
            (_, value) => canonical(value),
        };
        bare.insert(key.clone(), value);
    }
    Value::Object(bare)
}

/// Returns a value that is equal for equal schemas: the reference to a named schema, or the canonical schema without null.
/// `rename` maps the names of referenced schemas.
pub(super) fn shape(
    document: &Value,
    location: &Pointer,
    rename: impl Fn(&str) -> String,
) -> Value {
    match resolve(document, location, true).map(|schema| schema.target) {
        Some(Target::Named(name, _)) => json!({"$ref": rename(&name)}),
        Some(Target::Inline(_, object)) => {
            let mut shape = canonical(&Value::Object(object.clone()));
            if let Some(shape) = shape.as_object_mut() {
                let types: Vec<_> = types(object).into_iter().collect();
                shape.insert("type".to_owned(), json!(types));
            }
            shape
        }
        None => Value::Null,
    }
}

/// The properties of an object, including those of the schemas that it is composed of.
#[derive(Debug, Default)]
pub(super) struct Properties {
    /// The names and locations, in order.
    pub(super) properties: Vec<(String, Pointer)>,
    /// The names of required properties.
    pub(super) required: BTreeSet<String>,
    known: BTreeSet<String>,
}

/// Returns the properties of `object` itself.
pub(super) fn own(location: &Pointer, object: &Object) -> Properties {
    let mut properties = Properties::default();
    properties.add(location, object);
    properties
}

/// Returns the properties of `object` and of the schemas that it is composed of.
pub(super) fn flatten(document: &Value, location: &Pointer, object: &Object) -> Properties {
    let mut properties = Properties::default();
    let mut visited = BTreeSet::new();
    let mut pending = vec![(location.clone(), object)];
    while let Some((location, object)) = pending.pop() {
        if !visited.insert(location.clone()) {
            continue;
        }
        properties.add(&location, object);
        let members = all_of(&location, object).into_iter().rev();
        pending.extend(members.filter_map(|member| inline(document, &member)));
    }
    properties
}

impl Properties {
    fn add(&mut self, location: &Pointer, object: &Object) {
        let properties = object.get("properties").and_then(Value::as_object);
        for name in properties.into_iter().flatten().map(|(name, _)| name) {
            if self.known.insert(name.clone()) {
                let property = location.join("properties").join(name);
                self.properties.push((name.clone(), property));
            }
        }
        let required = object.get("required").and_then(Value::as_array);
        let required = required.into_iter().flatten().filter_map(Value::as_str);
        self.required.extend(required.map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(document: &Value, location: &str) -> (bool, String) {
        let location = Pointer::from_ref(&format!("#{location}")).unwrap();
        let resolved = resolve(document, &location, true).unwrap();
        let target = match resolved.target {
            Target::Named(name, _) => name,
            Target::Inline(location, object) => format!("{location} {}", phrase(object)),
        };
        (resolved.nullable, target)
    }

    #[test]
    fn resolve_reads_every_form_of_nullable() {
        let document = json!({"a": [
            {"type": ["string", "null"], "format": "uuid"},
            {"type": "string", "format": "uuid", "nullable": true},
            {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}], "description": "d"},
            {"oneOf": [{"const": null}, {"type": "string", "format": "uuid"}]},
            {"allOf": [{"type": "string", "format": "uuid"}], "nullable": true},
            {"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": "null"}]},
        ]});
        for (index, target) in [
            "/a/0",
            "/a/1",
            "/a/2/anyOf/0",
            "/a/3/oneOf/1",
            "/a/4/allOf/0",
        ]
        .iter()
        .enumerate()
        {
            assert_eq!(
                resolved(&document, &format!("/a/{index}")),
                (true, format!("{target} string (uuid)"))
            );
        }
        assert_eq!(resolved(&document, "/a/5"), (true, "A".to_owned()));
    }

    #[test]
    fn resolve_and_flatten_terminate_on_cycles() {
        let document =
            json!({"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}, "c": {"allOf": [{"$ref": "#/c"}]}});
        assert!(resolve(&document, &Pointer::root().join("a"), true).is_some());
        assert!(resolve(&document, &Pointer::root().join("c"), false).is_some());
        let location = Pointer::root().join("c");
        let object = document["c"].as_object().unwrap();
        assert!(flatten(&document, &location, object).properties.is_empty());
    }

    #[test]
    fn bound_of_3_0_equals_that_of_3_1() {
        let of = |schema: Value| bound(schema.as_object().unwrap(), true);
        assert_eq!(
            of(json!({"type": "number", "exclusiveMinimum": 3})),
            Some((3.0, true))
        );
        assert_eq!(
            of(json!({"type": "number", "minimum": 3, "exclusiveMinimum": true})),
            Some((3.0, true))
        );
        assert_eq!(
            of(json!({"type": "integer", "exclusiveMinimum": 3})),
            Some((4.0, false))
        );
        assert_eq!(
            of(json!({"type": "number", "minimum": 5, "exclusiveMinimum": 3})),
            Some((5.0, false))
        );
    }
}
