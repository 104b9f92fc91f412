//! What a schema says, in whichever of the ways that 3.0 and 3.1 have of saying it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::rust;
use crate::pointer::Pointer;

/// A schema object; a boolean schema is taken for the object that says the same.
pub(super) type Object = Map<String, Value>;

static ANYTHING: LazyLock<Object> = LazyLock::new(Object::new);
static NOTHING: LazyLock<Object> =
    LazyLock::new(|| Object::from_iter([("not".to_owned(), json!({}))]));

/// Wrappers and references that are followed before a schema is taken as it stands: more are a circle.
const STEPS: usize = 64;

/// Keywords that change nothing about which values are valid.
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

/// The object that `value` is, if it can be a schema.
pub(super) fn object(value: &Value) -> Option<&Object> {
    match value {
        Value::Object(object) => Some(object),
        Value::Bool(true) => Some(&ANYTHING),
        Value::Bool(false) => Some(&NOTHING),
        _ => None,
    }
}

/// Where a schema stands, and what is there once the wrappers that add nothing of their own are taken off.
#[derive(Clone, Debug)]
pub(super) struct Site<'a> {
    /// The wrappers, the outermost first, and last the schema itself unless it is a named one.
    pub(super) layers: Vec<(Pointer, &'a Object)>,
    /// Whether null is valid besides what `end` says.
    pub(super) nullable: bool,
    /// What is there.
    pub(super) end: End<'a>,
    /// The last step of the last reference that was followed.
    pub(super) via: Option<String>,
}

/// What stands at a [`Site`].
#[derive(Clone, Debug)]
pub(super) enum End<'a> {
    /// A reference to a schema of `components.schemas`.
    Named(String, Pointer),
    /// A schema that is said in place, or behind a reference that gives it no name.
    Here(Pointer, &'a Object),
}

/// The name of the schema of `components.schemas` at a place.
pub(super) fn component(pointer: &Pointer) -> Option<String> {
    let mut tokens = pointer.tokens();
    match (
        tokens.next()?,
        tokens.next()?,
        tokens.next()?,
        tokens.next(),
    ) {
        (components, schemas, name, None) if components == "components" && schemas == "schemas" => {
            Some(name)
        }
        _ => None,
    }
}

/// Takes the wrappers off the schema at `place`: a reference with nothing but annotations beside it, an `allOf` of one,
/// a union of one, and a union with null. With `named`, a reference to a named schema is the end.
pub(super) fn site<'a>(document: &'a Value, place: &Pointer, named: bool) -> Option<Site<'a>> {
    let mut place = place.clone();
    let mut object_here = object(document.pointer(place.as_str())?)?;
    let mut site = Site {
        layers: Vec::new(),
        nullable: false,
        end: End::Here(place.clone(), object_here),
        via: None,
    };
    for _ in 0..STEPS {
        let Some(step) = wrapper(object_here) else {
            break;
        };
        let (next, nullable) = match step {
            Wrapper::Reference(reference) => {
                let Some(target) = Pointer::from_ref(reference) else {
                    break;
                };
                if let (true, Some(name)) = (named, component(&target)) {
                    site.layers.push((place, object_here));
                    site.end = End::Named(name, target);
                    return Some(site);
                }
                site.via = target.tokens().last();
                (target, false)
            }
            Wrapper::Member(keyword, index, nullable) => {
                (place.join(keyword).join(index), nullable)
            }
        };
        let Some(inner) = document.pointer(next.as_str()).and_then(object) else {
            break;
        };
        site.layers.push((place, object_here));
        site.nullable |= nullable || is_nullable(object_here);
        place = next;
        object_here = inner;
    }
    site.nullable |= is_nullable(object_here);
    site.layers.push((place.clone(), object_here));
    site.end = End::Here(place, object_here);
    Some(site)
}

enum Wrapper<'a> {
    Reference(&'a str),
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

/// Whether the schema is the one of null alone.
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

/// What the outermost layer that has `key` says.
pub(super) fn annotation<'a>(
    layers: &[(Pointer, &'a Object)],
    key: &str,
) -> Option<(Pointer, &'a Value)> {
    layers
        .iter()
        .find_map(|(place, object)| Some((place.join(key), object.get(key)?)))
}

/// The types, null aside; where none is said, the one that the other keywords speak of.
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

/// The values of an enum or of a constant, null aside.
pub(super) fn values(object: &Object) -> Option<Vec<&Value>> {
    if let Some(value) = object.get("const").filter(|value| !value.is_null()) {
        return Some(vec![value]);
    }
    let values = object.get("enum")?.as_array()?;
    let values: Vec<_> = values.iter().filter(|value| !value.is_null()).collect();
    (!values.is_empty()).then_some(values)
}

/// The format; base64 as 3.1 says it is the one that 3.0 calls `byte`.
pub(super) fn format(object: &Object) -> Option<&str> {
    let encoded = object.get("contentEncoding") == Some(&json!("base64"));
    object
        .get("format")
        .and_then(Value::as_str)
        .or(encoded.then_some("byte"))
}

/// The keyword by which a union is said, and its members, null aside, each with its index.
pub(super) type Union<'a> = (&'static str, Vec<(usize, &'a Value)>);

/// The union that `object` is, if it is one.
pub(super) fn union(object: &Object) -> Option<Union<'_>> {
    ["oneOf", "anyOf"].into_iter().find_map(|keyword| {
        let members = object.get(keyword)?.as_array()?.iter().enumerate();
        let real: Vec<_> = members.filter(|(_, member)| !is_null(member)).collect();
        (!real.is_empty()).then_some((keyword, real))
    })
}

/// The places of the schemas that all must hold, beside what `object` says itself.
pub(super) fn all_of(place: &Pointer, object: &Object) -> Vec<Pointer> {
    let reference = object
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(Pointer::from_ref);
    let members = object.get("allOf").and_then(Value::as_array);
    let members = 0..members.map_or(0, Vec::len);
    reference
        .into_iter()
        .chain(members.map(|index| place.join("allOf").join(index)))
        .collect()
}

/// A bound of numbers and whether the bound itself is excluded; an integer's is always included.
pub(super) fn bound(object: &Object, lower: bool) -> Option<(f64, bool)> {
    let (inclusive, exclusive) = if lower {
        ("minimum", "exclusiveMinimum")
    } else {
        ("maximum", "exclusiveMaximum")
    };
    let number = |key: &str| object.get(key).and_then(Value::as_f64);
    let included = number(inclusive).map(|bound| (bound, false));
    let excluded = match object.get(exclusive) {
        // 3.0's flag.
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

/// Whether bound `a` leaves fewer numbers than bound `b`.
pub(super) fn tighter(a: (f64, bool), b: (f64, bool), lower: bool) -> bool {
    let further = if lower { a.0 > b.0 } else { a.0 < b.0 };
    further || (a.0 == b.0 && a.1 && !b.1)
}

/// The Rust type of a string, an integer or a number; `None` where it is another thing.
pub(super) fn scalar(object: &Object) -> Option<String> {
    let types = types(object);
    let format = format(object);
    if types.len() != 1 {
        return None;
    }
    if values(object).is_some() {
        return Some("an enum".to_owned());
    }
    match types.first().copied() {
        Some("string") => {
            let checked = ["minLength", "maxLength", "pattern"];
            let checked = checked.iter().any(|key| object.contains_key(*key));
            Some(rust::string(format, checked).to_owned())
        }
        Some("integer") => {
            let inclusive = |lower| bound(object, lower).map(|(bound, _)| bound);
            Some(rust::integer(format, inclusive(true), inclusive(false)))
        }
        Some("number") => Some(rust::number(format).to_owned()),
        _ => None,
    }
}

/// How a list is written in Rust: by its number of items where that is fixed, as a set, or plain.
pub(super) fn list(object: &Object) -> String {
    let count = |key: &str| object.get(key).and_then(Value::as_u64);
    match (count("minItems"), count("maxItems")) {
        (Some(min), Some(max)) if min == max && max > 0 => format!("an array of {max}"),
        _ => "a list".to_owned(),
    }
}

/// Whether an absent value is read as an empty one: a plain list, or an object that is a map.
pub(super) fn is_collection(object: &Object) -> bool {
    let types = types(object);
    let has_properties = object
        .get("properties")
        .and_then(Value::as_object)
        .is_some_and(|properties| !properties.is_empty());
    if union(object).is_some() || object.contains_key("allOf") || object.contains_key("$ref") {
        false
    } else if types == BTreeSet::from(["array"]) {
        object.get("uniqueItems") != Some(&json!(true)) && list(object) == "a list"
    } else {
        types == BTreeSet::from(["object"]) && !has_properties
    }
}

/// What kind of value it is, in a few words.
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

/// The schema without what says nothing about which values are valid: by it two are compared as a whole.
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

/// By what two properties are recognized as one: the named schema that they refer to, or else all that they say, null
/// aside.
pub(super) fn shape(document: &Value, place: &Pointer, named: impl Fn(&str) -> String) -> Value {
    match site(document, place, true).map(|site| site.end) {
        Some(End::Named(name, _)) => json!({"$ref": named(&name)}),
        Some(End::Here(_, object)) => {
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

/// The properties of an object with those of all that it is composed of, each with its place, and which are required.
#[derive(Debug, Default)]
pub(super) struct Flat {
    /// Names and places, in order.
    pub(super) properties: Vec<(String, Pointer)>,
    /// The names of those that are always there.
    pub(super) required: BTreeSet<String>,
    known: BTreeSet<String>,
}

/// The properties that `object` itself names.
pub(super) fn own(place: &Pointer, object: &Object) -> Flat {
    let mut flat = Flat::default();
    add(place, object, &mut flat);
    flat
}

/// The properties that `object` names or takes from others by `allOf`.
pub(super) fn flatten(document: &Value, place: &Pointer, object: &Object) -> Flat {
    let mut flat = Flat::default();
    let mut seen = BTreeSet::new();
    let mut waiting = vec![(place.clone(), object.clone())];
    while let Some((place, object)) = waiting.pop() {
        if !seen.insert(place.clone()) {
            continue;
        }
        add(&place, &object, &mut flat);
        for member in all_of(&place, &object).into_iter().rev() {
            if let Some(Site {
                end: End::Here(place, object),
                ..
            }) = site(document, &member, false)
            {
                waiting.push((place, object.clone()));
            }
        }
    }
    flat
}

fn add(place: &Pointer, object: &Object, flat: &mut Flat) {
    let properties = object.get("properties").and_then(Value::as_object);
    for name in properties.into_iter().flatten().map(|(name, _)| name) {
        if flat.known.insert(name.clone()) {
            flat.properties
                .push((name.clone(), place.join("properties").join(name)));
        }
    }
    let required = object.get("required").and_then(Value::as_array);
    let required = required.into_iter().flatten().filter_map(Value::as_str);
    flat.required.extend(required.map(str::to_owned));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(document: &Value, place: &str) -> (bool, String) {
        let place = Pointer::from_ref(&format!("#{place}")).unwrap();
        let site = site(document, &place, true).unwrap();
        let end = match site.end {
            End::Named(name, _) => name,
            End::Here(place, object) => format!("{place} {}", phrase(object)),
        };
        (site.nullable, end)
    }

    #[test]
    fn each_way_of_saying_nullable_is_one() {
        let document = json!({"a": [
            {"type": ["string", "null"], "format": "uuid"},
            {"type": "string", "format": "uuid", "nullable": true},
            {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}], "description": "d"},
            {"oneOf": [{"const": null}, {"type": "string", "format": "uuid"}]},
            {"allOf": [{"type": "string", "format": "uuid"}], "nullable": true},
            {"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": "null"}]},
        ]});
        for (index, place) in [
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
                end(&document, &format!("/a/{index}")),
                (true, format!("{place} string (uuid)"))
            );
        }
        assert_eq!(end(&document, "/a/5"), (true, "A".to_owned()));
    }

    #[test]
    fn references_that_circle_end() {
        let document =
            json!({"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}, "c": {"allOf": [{"$ref": "#/c"}]}});
        assert!(site(&document, &Pointer::root().join("a"), true).is_some());
        assert!(site(&document, &Pointer::root().join("c"), false).is_some());
        let place = Pointer::root().join("c");
        let object = document["c"].as_object().unwrap();
        assert!(flatten(&document, &place, object).properties.is_empty());
    }

    #[test]
    fn bounds_of_3_0_and_3_1_are_the_same() {
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
