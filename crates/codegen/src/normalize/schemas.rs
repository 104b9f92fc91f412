//! Schemas: rules for what typify reads too strictly, or not at all.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Changes;
use super::pins::rename_schemas;
use crate::names;
use crate::openapi::{Additional, Schema as _, Side, parts_until};
use crate::pointer::{Lookup as _, Pointer};
use crate::walk::{self, Kind};

/// The names from Rust's prelude that the generated code uses.
const PRELUDE: [&str; 13] = [
    "Clone", "Default", "Err", "From", "Into", "Iterator", "None", "Ok", "Some", "String",
    "ToOwned", "ToString", "TryInto",
];

/// Renames schemas whose types would have the same name, such as `call_status` and `CallStatus`, and those whose types
/// would shadow a name from Rust's prelude.
pub(super) fn distinct_types(document: &mut Value, changes: &mut Changes) {
    let schemas = walk::schemas(document).map(|(name, _)| (names::type_name(name), name.clone()));
    let mut schemas: Vec<(String, String)> = schemas.collect();
    // A schema whose name is already that of its type keeps it.
    schemas.sort_by_key(|(ident, name)| ident != name);
    let mut taken: BTreeSet<String> = schemas.iter().map(|(ident, _)| ident.clone()).collect();
    let mut seen = BTreeSet::new();
    let mut renamed: BTreeMap<String, String> = BTreeMap::new();
    for (ident, name) in schemas {
        let new = if PRELUDE.contains(&ident.as_str()) {
            names::unique(&format!("{ident}Schema"), &mut taken)
        } else if seen.insert(ident.clone()) {
            continue;
        } else {
            names::unique(&ident, &mut taken)
        };
        let place = Pointer::schema(&name);
        changes.at(&place);
        changes.moved(&place, &Pointer::schema(&new));
        changes.lost(
            &place,
            format!("the name `{name}`, whose type would be `{ident}`"),
            format!("the type is `{}`", names::type_name(&new)),
        );
        renamed.insert(name, new);
    }
    if renamed.is_empty() {
        return;
    }
    rename_schemas(document, &renamed);
    changes.renamed = renamed;
}

/// Runs `change` for each schema that is an object.
pub(super) fn each_schema(
    document: &mut Value,
    mut change: impl FnMut(&Pointer, &mut Map<String, Value>),
) {
    walk::walk_mut(document, &mut |kind, pointer, value| {
        if let (Kind::Schema, Some(object)) = (kind, value.as_object_mut()) {
            change(pointer, object);
        }
    });
}

/// Opens objects: typify turns `additionalProperties: false` into `deny_unknown_fields`, and drops further properties
/// of an object with properties and `additionalProperties: true`.
pub(super) fn open_objects(document: &mut Value, changes: &mut Changes) {
    each_schema(document, |pointer, object| {
        let is_closed = object.additional() == Additional::Forbidden;
        if is_closed {
            object.remove("additionalProperties");
        }
        if is_closed || keep_further(object) {
            changes.at(&pointer.join("additionalProperties"));
        }
    });
}

/// Gives the further properties of an object with properties a schema. Returns true if it did.
pub(super) fn keep_further(object: &mut Map<String, Value>) -> bool {
    let has_own = object.properties().next().is_some();
    let is_open = has_own && object.additional() == Additional::Any;
    if is_open {
        object.insert("additionalProperties".to_owned(), json!({}));
    }
    is_open
}

/// Opens objects that list required properties and declare none: without the list, they are maps.
pub(super) fn required_only(document: &mut Value, changes: &mut Changes) {
    each_schema(document, |pointer, object| {
        let is_undeclared = object.get("type") == Some(&json!("object"))
            && object.properties().next().is_none()
            && object.required().next().is_some();
        if is_undeclared && !matches!(object.additional(), Additional::Of(_)) {
            object.insert("additionalProperties".to_owned(), json!({}));
            changes.at(&pointer.join("additionalProperties"));
        }
    });
}

/// Widens number formats to the exact types: `float` is a hint, schemars' `uint` and `int` have the width of a pointer,
/// and a maximum beyond `i64` requires an unsigned type.
pub(super) fn exact_numbers(document: &mut Value, changes: &mut Changes) {
    each_schema(document, |pointer, object| {
        let format = object.get("format").and_then(Value::as_str);
        let bound = |name: &str| object.get(name).and_then(Value::as_f64);
        let beyond = bound("minimum").is_some_and(|least| least >= 0.0)
            && bound("maximum").is_some_and(|most| most > i64::MAX as f64);
        let exact = match (object.get("type").and_then(Value::as_str), format) {
            (Some("number"), Some("float")) => Some("double"),
            (Some("integer"), Some("uint")) => Some("uint64"),
            (Some("integer"), Some("int")) => Some("int64"),
            (Some("integer"), None | Some("int64")) if beyond => Some("uint64"),
            _ => None,
        };
        if let Some(exact) = exact {
            object.insert("format".to_owned(), json!(exact));
            changes.at(&pointer.join("format"));
        }
    });
}

/// Removes formats that values of the document do not have. Such a value would be a decode error. An IPv6 address stays a
/// string, because Rust's type may write it differently.
pub(super) fn kept_formats(document: &mut Value, changes: &mut Changes) {
    let examples = contradictions(document);
    each_schema(document, |pointer, object| {
        let Some(format) = object.get("format").and_then(Value::as_str) else {
            return;
        };
        if ["ip", "ipv6"].contains(&format) {
            object.remove("format");
            changes.at(&pointer.join("format"));
            return;
        }
        let values = ["example", "default"]
            .iter()
            .filter_map(|key| object.get(*key));
        let mut texts = values.chain(object.list("enum")).filter_map(Value::as_str);
        let odd = texts.find(|text| !is_of_format(text, format));
        let Some(odd) = odd.or(examples.get(pointer).map(String::as_str)) else {
            return;
        };
        let what = format!("the format `{format}`, which its value `{odd}` does not have");
        object.remove("format");
        let place = pointer.join("format");
        changes.at(&place);
        changes.lost(&place, what, "it is a string");
    });
}

/// Returns the schemas that each example elsewhere contradicts, with one of its texts: examples of an object that has such a
/// property, of a schema that refers to it, of a parameter or a body.
fn contradictions(document: &Value) -> BTreeMap<Pointer, String> {
    let mut found: BTreeMap<Pointer, Option<String>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    walk::walk(document, &mut |kind, pointer, object| {
        let schema = match kind {
            Kind::Schema => pointer.clone(),
            Kind::Parameter | Kind::Header | Kind::MediaType => pointer.join("schema"),
            _ => return,
        };
        let named = object.get("examples").and_then(Value::as_object);
        let named = named.into_iter().flat_map(Map::values);
        let named = named.filter_map(|example| example.get("value"));
        for example in object.get("example").into_iter().chain(named) {
            contradicted(document, &schema, example, &mut seen, &mut found);
        }
    });
    let found = found.into_iter();
    found
        .filter_map(|(place, odd)| Some((place, odd?)))
        .collect()
}

/// Adds the schemas at a place and within it that the value contradicts; `None` for one that a value agrees with. A pair of
/// place and value is visited once.
fn contradicted<'a>(
    document: &'a Value,
    place: &Pointer,
    value: &'a Value,
    seen: &mut BTreeSet<(Pointer, *const Value)>,
    found: &mut BTreeMap<Pointer, Option<String>>,
) {
    let Some((place, schema)) = walk::locate(document, place) else {
        return;
    };
    if !seen.insert((place.clone(), std::ptr::from_ref(value))) {
        return;
    }
    let mut below = |place: Pointer, value: &'a Value| {
        contradicted(document, &place, value, seen, found);
    };
    for index in 0..schema.list("allOf").len() {
        below(place.join("allOf").join(index), value);
    }
    match value {
        Value::Object(values) => {
            for (name, value) in values {
                if schema
                    .get("properties")
                    .is_some_and(|own| own.get(name).is_some())
                {
                    below(place.join("properties").join(name), value);
                }
            }
        }
        Value::Array(values) => {
            for value in values {
                below(place.join("items"), value);
            }
        }
        Value::String(text) if !is_placeholder(text) => {
            if let Some(format) = schema.get("format").and_then(Value::as_str) {
                match is_of_format(text, format) {
                    true => found.insert(place, None),
                    false => found.insert(
                        place.clone(),
                        found
                            .get(&place)
                            .cloned()
                            .unwrap_or_else(|| Some(text.clone())),
                    ),
                };
            }
        }
        _ => {}
    }
}

/// Returns true for an example that stands for any value, such as `string`, `<uuid4>` or `{{id1}}`.
fn is_placeholder(text: &str) -> bool {
    text.contains(['<', '{']) || !text.contains(|sign: char| sign.is_ascii_digit())
}

/// Returns true if the Rust type of the format parses the text. Formats without a type accept any text.
fn is_of_format(text: &str, format: &str) -> bool {
    match format {
        "uuid" => {
            let text = text.strip_prefix("urn:uuid:").unwrap_or(text);
            has_form(text, "ffffffff-ffff-ffff-ffff-ffffffffffff")
                || has_form(text, &"f".repeat(32))
        }
        "date" => has_form(text, "0000-00-00"),
        "date-time" => text
            .get(..16)
            .is_some_and(|start| has_form(start, "0000-00-00T00:00")),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        _ => true,
    }
}

/// Returns true if the text has the form, where `0` stands for a digit, `f` for a hexadecimal one, and `T` for the separator
/// of a date and a time.
pub(crate) fn has_form(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text
            .bytes()
            .zip(form.bytes())
            .all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                b'f' => byte.is_ascii_hexdigit(),
                b'T' => matches!(byte, b'T' | b't' | b' '),
                form => byte == form,
            })
}

/// Removes bounds, which are for the service to check. typify's types refuse values beyond them, so a value that the
/// service now allows would be a decode error.
pub(super) fn open_values(document: &mut Value, changes: &mut Changes) {
    const BOUNDS: [&str; 13] = [
        "pattern",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
    ];
    each_schema(document, |pointer, object| {
        for bound in BOUNDS {
            let Some(value) = object.get(bound) else {
                continue;
            };
            // A minimum of zero is how an unsigned integer is declared.
            if bound == "minimum"
                && value.as_f64() == Some(0.0)
                && object.get("type") == Some(&json!("integer"))
                && object.contains_key("format")
            {
                continue;
            }
            object.remove(bound);
            let place = pointer.join(bound);
            changes.at(&place);
            changes.lost(&place, format!("`{bound}`"), "the service checks it");
        }
    });
}

/// Removes formats that do not apply to the type, because typify fails on them. A format that only strings have makes a
/// schema without a type a string.
pub(super) fn fitting_formats(document: &mut Value, changes: &mut Changes) {
    const STRINGS: [&str; 9] = [
        "uuid",
        "date",
        "date-time",
        "uri",
        "email",
        "byte",
        "binary",
        "password",
        "hostname",
    ];
    each_schema(document, |pointer, object| {
        let Some(format) = object
            .get("format")
            .and_then(Value::as_str)
            .map(str::to_owned)
        else {
            object.retain(|key, value| key != "format" || value.is_string());
            return;
        };
        let fits = match object.get("type").and_then(Value::as_str) {
            Some("string") => true,
            Some("integer") => [
                "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "uint",
                "int",
            ]
            .contains(&format.as_str()),
            Some("number") => ["float", "double"].contains(&format.as_str()),
            None if STRINGS.contains(&format.as_str())
                && object.keys().all(|key| !is_shape(key)) =>
            {
                object.insert("type".to_owned(), json!("string"));
                changes.at(&pointer.join("format"));
                true
            }
            _ => false,
        };
        if !fits {
            object.remove("format");
            let place = pointer.join("format");
            changes.at(&place);
            changes.lost(
                &place,
                format!("the format `{format}`"),
                "only the type is read",
            );
        }
    });
}

/// Returns true for keywords that constrain the structure of a value.
fn is_shape(keyword: &str) -> bool {
    [
        "type",
        "$ref",
        "allOf",
        "anyOf",
        "oneOf",
        "properties",
        "items",
        "enum",
        "not",
    ]
    .contains(&keyword)
}

/// Removes `not`, which typify only supports in some schemas.
pub(super) fn no_negations(document: &mut Value, changes: &mut Changes) {
    each_schema(document, |pointer, object| {
        if object.remove("not").is_some() {
            let place = pointer.join("not");
            changes.at(&place);
            changes.lost(&place, "`not`", "excluded values are accepted");
        }
    });
}

/// Returns true if the document has a matching schema.
pub(super) fn has_schema(document: &Value, is_such: impl Fn(&Value) -> bool) -> bool {
    let mut found = false;
    walk::walk(document, &mut |kind, _, value| {
        found |= kind == Kind::Schema && is_such(value);
    });
    found
}

/// Replaces unions of scalars of one type by that type: an open enum next to a string, a date next to a UUID.
pub(super) fn scalar_unions(document: &mut Value, changes: &mut Changes) {
    let whole = document.clone();
    each_schema(document, |pointer, object| {
        for combinator in ["anyOf", "oneOf"] {
            let Some(members) = object.get(combinator).and_then(Value::as_array).cloned() else {
                continue;
            };
            let types: Vec<Option<&str>> = members
                .iter()
                .map(|member| walk::follow(&whole, member)?.get("type")?.as_str())
                .collect();
            let scalar = |name: &str| ["string", "integer", "number", "boolean"].contains(&name);
            let all_scalar = types.iter().all(|name| name.is_some_and(scalar));
            let mut distinct: Vec<&str> = types.iter().flatten().copied().collect();
            distinct.sort_unstable();
            distinct.dedup();
            if distinct == ["integer", "number"] {
                distinct = vec!["number"];
            }
            let place = pointer.join(combinator);
            if let [Value::Object(only)] = members.as_slice()
                && all_scalar
                && !only.contains_key("$ref")
            {
                // Keywords of the union itself are more specific.
                object.remove(combinator);
                for (key, value) in only {
                    object.entry(key).or_insert_with(|| value.clone());
                }
                changes.at(&place);
            } else if all_scalar && distinct.len() == 1 && members.len() > 1 {
                object.remove(combinator);
                object.insert("type".to_owned(), json!(distinct[0]));
                // The values of all members are the known values of an open enum.
                let listed: Vec<Value> = members
                    .iter()
                    .filter_map(|member| walk::follow(&whole, member))
                    .flat_map(|member| member.list("enum"))
                    .cloned()
                    .collect();
                if distinct == ["string"] && !listed.is_empty() {
                    object.insert("enum".to_owned(), Value::Array(listed));
                }
                let mut followed = members
                    .iter()
                    .filter_map(|member| walk::follow(&whole, member));
                if followed.any(|member| member.has_flag("nullable")) {
                    object.insert("nullable".to_owned(), json!(true));
                }
                changes.at(&place);
                changes.lost(
                    &place,
                    "the distinction between the members",
                    "one type has all values",
                );
            }
        }
    });
}

/// Completes lists without `items`, and removes empty combinators and keywords that do not apply to the type.
pub(super) fn whole_schemas(document: &mut Value, changes: &mut Changes) {
    each_schema(document, |pointer, object| {
        if object.contains_key("properties") && object.contains_key("items") {
            let kind = object.entry("type").or_insert_with(|| {
                changes.lost(
                    &pointer.join("items"),
                    "`items` next to `properties`",
                    "the value is an object",
                );
                json!("object")
            });
            let foreign = if *kind == "object" {
                "items"
            } else {
                "properties"
            };
            object.remove(foreign);
            changes.at(&pointer.join(foreign));
        }
        // The property is null or absent; typify would always send it.
        let required: BTreeSet<String> = object.required().map(str::to_owned).collect();
        let properties = object.get_mut("properties").and_then(Value::as_object_mut);
        for (name, property) in properties.into_iter().flatten() {
            let is_required = required.contains(name);
            if !is_required && property.is_only_null() {
                let place = pointer.join("properties").join(name);
                *property = json!({"nullable": true});
                changes.at(&place);
                changes.lost(&place, "that the value is null", "any value is accepted");
            }
        }
        if object.get("type") == Some(&json!("array")) && !object.contains_key("items") {
            object.insert("items".to_owned(), json!({}));
            changes.at(&pointer.join("items"));
        }
        for combinator in ["allOf", "anyOf", "oneOf"] {
            if object.get(combinator) == Some(&json!([])) {
                object.remove(combinator);
                changes.at(&pointer.join(combinator));
            }
        }
    });
}

/// Renames properties that would become the same field, such as `orgName` and `org_name`. The model has the wire names.
pub(super) fn distinct_properties(document: &mut Value, changes: &mut Changes) {
    each_schema(document, |pointer, object| {
        let declared: Vec<&String> = object.properties().map(|(name, _)| name).collect();
        // typify has a field for a required property without a schema, too.
        let required = object.required().map(str::to_owned);
        let required: BTreeSet<String> =
            required.filter(|name| !declared.contains(&name)).collect();
        let mut taken = BTreeSet::new();
        // typify's field for further properties.
        if matches!(object.additional(), Additional::Of(_)) {
            taken.insert("extra".to_owned());
        }
        let mut renamed: BTreeMap<String, String> = BTreeMap::new();
        for name in declared.into_iter().chain(&required) {
            if taken.insert(names::method_name(name)) {
                continue;
            }
            let free = (2..)
                .map(|number| format!("{name}_{number}"))
                .find(|other| taken.insert(names::method_name(other)));
            if let Some(free) = free {
                renamed.insert(name.clone(), free);
                changes.at(&match required.contains(name) {
                    true => pointer.join("required"),
                    false => pointer.join("properties").join(name),
                });
            }
        }
        if renamed.is_empty() {
            return;
        }
        walk::rename_properties(object, &renamed);
        changes
            .model
            .schema_mut(pointer)
            .rename_properties(&renamed);
    });
}

/// Removes defaults that are not values of their schema, or that typify cannot write as code.
pub(super) fn fitting_defaults(document: &mut Value, changes: &mut Changes) {
    let mut unfit = Vec::new();
    walk::walk(document, &mut |kind, pointer, schema| {
        if kind != Kind::Schema {
            return;
        }
        let Some(default) = schema.get("default") else {
            return;
        };
        let plain = match default {
            Value::Array(values) => values.is_empty(),
            Value::Object(values) => {
                values.is_empty()
                    && schema.get("type") == Some(&json!("object"))
                    && schema.get("required").is_none()
            }
            Value::Null => false,
            _ => true,
        };
        let scalar = walk::follow(document, schema).is_some_and(|schema| schema.union().is_none());
        if !plain || !scalar || !fits(document, schema, default) {
            unfit.push(pointer.clone());
        }
    });
    for pointer in unfit {
        let schema = document
            .at_mut(pointer.as_str())
            .and_then(Value::as_object_mut);
        let default = schema.and_then(|schema| schema.remove("default"));
        let place = pointer.join("default");
        changes.at(&place);
        // Null and absent are the same for a nullable property, so nothing is lost.
        if default.is_some_and(|default| !default.is_null()) {
            changes.lost(
                &place,
                "the default",
                "a property that is not set is not sent",
            );
        }
    }
}

/// Returns true if a number fits into the Rust type of the schema.
fn in_range(schema: &Value, value: &Value) -> bool {
    let format = schema.get("format").and_then(Value::as_str);
    match (schema.get("type").and_then(Value::as_str), format) {
        (Some("integer"), format) => {
            let range = match format {
                Some("int8") => (i8::MIN.into(), i8::MAX.into()),
                Some("uint8") => (0, u8::MAX.into()),
                Some("int16") => (i16::MIN.into(), i16::MAX.into()),
                Some("uint16") => (0, u16::MAX.into()),
                Some("int" | "int32") => (i32::MIN.into(), i32::MAX.into()),
                Some("uint" | "uint32") => (0, u32::MAX.into()),
                Some("uint64") => (0, u64::MAX.into()),
                _ => (i64::MIN.into(), i64::MAX.into()),
            };
            let least = schema.bound(Side::Lower);
            let least = least.and_then(|least| least.number.as_i64());
            let least = least.map_or(range.0, i128::from);
            let value = value
                .as_i64()
                .map(i128::from)
                .or(value.as_u64().map(i128::from));
            value.is_some_and(|value| (range.0.max(least)..=range.1).contains(&value))
        }
        (Some("number"), Some("float")) => value
            .as_f64()
            .is_some_and(|value| value.abs() <= f32::MAX.into()),
        _ => true,
    }
}

/// Returns true if a value matches the schema and its parts in types and enums.
fn fits(document: &Value, schema: &Value, value: &Value) -> bool {
    let is_null = |schema: &Value| value.is_null() && schema.is_nullable();
    let all = parts_until(document, schema, is_null);
    all.into_iter().all(|schema| {
        let types = schema.types();
        let of_type = types.is_empty() || types.iter().any(|kind| kind.is_of(value));
        // typify parses UUIDs and dates.
        let parsed = matches!(
            schema.get("format").and_then(Value::as_str),
            Some("uuid" | "date" | "date-time" | "ipv4")
        );
        let values = schema.list("enum");
        let listed = values.is_empty() || values.contains(value);
        is_null(schema) || of_type && in_range(schema, value) && !parsed && listed
    })
}
