//! Step 4, normalise: what the document says clearly enough, but progenitor would misread, is said as it reads it.
//!
//! Each rule is a function with its reason, and is counted where it changed something.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::walk::{self, Kind};
use super::{lower, names};
use crate::pointer::Pointer;
use crate::problem::Finding;

/// One repair of the document.
pub struct Rule {
    /// What the output calls it.
    pub name: &'static str,
    /// Why it is needed, in one sentence.
    pub reason: &'static str,
    apply: fn(&mut Value, &mut Vec<Pointer>),
}

/// The rules, in the order in which they are applied.
pub const RULES: [Rule; 3] = [
    Rule {
        name: "short-operation-ids",
        reason: "FastAPI's default operationId repeats path and method, which no caller wants to type",
        apply: short_operation_ids,
    },
    Rule {
        name: "open-objects",
        reason: "`additionalProperties: false` would turn each property that the service adds into a decode error",
        apply: open_objects,
    },
    Rule {
        name: "named-enums",
        reason: "an enum that stands inline gets a name by its place, so that it can be kept open to unknown values",
        apply: named_enums,
    },
];

/// Which rule changed the document where.
pub type Applied = Vec<(&'static str, Vec<Pointer>)>;

/// Applies every rule in turn.
///
/// # Errors
/// Two operations that would become one method.
pub fn normalise(mut document: Value) -> Result<(Value, Applied), Vec<Finding>> {
    let mut applied = Applied::new();
    for rule in &RULES {
        let mut places = Vec::new();
        (rule.apply)(&mut document, &mut places);
        if !places.is_empty() {
            applied.push((rule.name, places));
        }
    }
    let findings = method_names(&document);
    if findings.is_empty() {
        Ok((document, applied))
    } else {
        Err(findings)
    }
}

/// `get_call_v1_call__id__get` is `get_call` followed by path and method, joined by FastAPI's `generate_unique_id`:
/// every character of the path that is no letter, digit or underscore becomes an underscore. Where two operations would
/// become one, both keep the long form.
fn short_operation_ids(document: &mut Value, places: &mut Vec<Pointer>) {
    let mut wanted: Vec<(Pointer, String)> = Vec::new();
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for operation in walk::operations(document) {
        let Some(id) = operation.id() else { continue };
        let path: String = operation
            .path
            .chars()
            .map(|c| {
                if c.is_alphanumeric() || c == '_' {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let suffix = format!("{path}_{}", operation.method);
        let short = id.strip_suffix(&suffix).filter(|short| !short.is_empty());
        *uses
            .entry(names::method_name(short.unwrap_or(id)))
            .or_default() += 1;
        if let Some(short) = short {
            wanted.push((operation.pointer.join("operationId"), short.to_owned()));
        }
    }
    for (pointer, short) in wanted {
        if uses.get(&names::method_name(&short)) == Some(&1)
            && let Some(id) = document.pointer_mut(pointer.as_str())
        {
            *id = json!(short);
            places.push(pointer);
        }
    }
}

/// typify makes `additionalProperties: false` a `deny_unknown_fields`.
fn open_objects(document: &mut Value, places: &mut Vec<Pointer>) {
    walk::walk_mut(document, &mut |kind, pointer, value| {
        if let (Kind::Schema, Some(object)) = (kind, value.as_object_mut())
            && object.get("additionalProperties") == Some(&json!(false))
        {
            object.remove("additionalProperties");
            places.push(pointer.join("additionalProperties"));
        }
    });
}

/// A string enum that stands inline becomes a named schema; what tells the members of a union apart stays where it is,
/// since typify recognises it there only.
fn named_enums(document: &mut Value, places: &mut Vec<Pointer>) {
    let tags = tag_places(document);
    let mut inline = Vec::new();
    walk::walk(document, &mut |kind, pointer, value| {
        let named =
            pointer.tokens().take(2).eq(["components", "schemas"]) && pointer.tokens().count() == 3;
        if kind == Kind::Schema && !named && !tags.contains(pointer) && is_string_enum(value) {
            inline.push(pointer.clone());
        }
    });
    let mut taken: BTreeSet<String> = walk::schemas(document)
        .map(|(name, _)| names::type_name(name))
        .collect();
    for pointer in inline {
        let name = names::unique(&names::for_place(document, &pointer), &mut taken);
        let Some(place) = document
            .pointer_mut(pointer.as_str())
            .and_then(Value::as_object_mut)
        else {
            continue;
        };
        let mut schema = json!({"type": "string"});
        for key in ["enum", "title", "description"] {
            if let Some(value) = place.get(key) {
                schema[key] = value.clone();
            }
        }
        place.retain(|key, _| {
            ["title", "description", "default", "nullable", "deprecated"].contains(&key.as_str())
        });
        let reference = Pointer::root()
            .join("components")
            .join("schemas")
            .join(&name)
            .to_ref();
        if place.is_empty() {
            place.insert("$ref".to_owned(), json!(reference));
        } else {
            place.insert("allOf".to_owned(), json!([{"$ref": reference}]));
        }
        if let Some(schemas) = lower::schemas_mut(document) {
            schemas.insert(name, schema);
            places.push(pointer);
        }
    }
}

fn is_string_enum(schema: &Value) -> bool {
    schema.get("type") == Some(&json!("string"))
        && schema
            .get("enum")
            .and_then(Value::as_array)
            .is_some_and(|values| !values.is_empty() && values.iter().all(Value::is_string))
}

/// The string enums that must stay closed: a property of one value by which a member of a union is told from the others.
/// Were it open, the first member of the union would fit everything.
pub fn tag_places(document: &Value) -> BTreeSet<Pointer> {
    let mut tags = BTreeSet::new();
    walk::walk(document, &mut |kind, pointer, value| {
        if kind != Kind::Schema {
            return;
        }
        for combinator in ["anyOf", "oneOf"] {
            let Some(members) = value.get(combinator).and_then(Value::as_array) else {
                continue;
            };
            for index in 0..members.len() {
                collect_tags(
                    document,
                    &pointer.join(combinator).join(index),
                    &mut tags,
                    0,
                );
            }
        }
    });
    tags
}

fn collect_tags(document: &Value, member: &Pointer, tags: &mut BTreeSet<Pointer>, depth: usize) {
    // A schema that is a member of itself has no tag that lies deeper than this.
    if depth > 16 {
        return;
    }
    let Some((place, schema)) = locate(document, member) else {
        return;
    };
    for name in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, _)| name)
    {
        let Some((place, property)) = locate(document, &place.join("properties").join(name)) else {
            continue;
        };
        let single = property
            .get("enum")
            .and_then(Value::as_array)
            .is_some_and(|values| values.len() == 1);
        if single && is_string_enum(property) {
            tags.insert(place);
        }
    }
    for index in 0..schema
        .get("allOf")
        .and_then(Value::as_array)
        .map_or(0, Vec::len)
    {
        collect_tags(document, &place.join("allOf").join(index), tags, depth + 1);
    }
}

/// The object at a place, and its own place, after references.
fn locate<'a>(document: &'a Value, place: &Pointer) -> Option<(Pointer, &'a Value)> {
    let mut place = place.clone();
    for _ in 0..64 {
        let value = document.pointer(place.as_str())?;
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => place = Pointer::from_ref(reference)?,
            None => return Some((place, value)),
        }
    }
    None
}

/// Two ids that differ only in their signs or in the case of their letters become one method.
fn method_names(document: &Value) -> Vec<Finding> {
    let mut seen: BTreeMap<String, (Pointer, String)> = BTreeMap::new();
    let mut findings = Vec::new();
    for operation in walk::operations(document) {
        let Some(id) = operation.id() else { continue };
        let method = names::method_name(id);
        let pointer = operation.pointer.join("operationId");
        if let Some((first, other)) = seen.get(&method) {
            let cause =
                format!("`{id}` becomes the method `{method}`, as `{other}` at {first} does");
            let remedy =
                "choose ids that differ in more than their signs or the case of their letters";
            findings.push(Finding::new(&pointer, cause, remedy));
        } else {
            seen.insert(method, (pointer, id.to_owned()));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(document: Value) -> (Value, Vec<(&'static str, Vec<String>)>) {
        let (document, applied) = normalise(document).unwrap();
        let text = |places: Vec<Pointer>| places.iter().map(ToString::to_string).collect();
        (
            document,
            applied
                .into_iter()
                .map(|(rule, places)| (rule, text(places)))
                .collect(),
        )
    }

    fn ids(document: &Value) -> Vec<&str> {
        walk::operations(document)
            .iter()
            .filter_map(|operation| operation.object["operationId"].as_str())
            .collect()
    }

    #[test]
    fn fastapi_s_ids_are_shortened_where_that_is_unambiguous() {
        let (document, applied) = applied(json!({"paths": {
            "/v1/call/{id}": {
                "get": {"operationId": "get_call_v1_call__id__get"},
                "put": {"operationId": "save_v1_call__id__put"},
            },
            "/v2/call-log/{id}": {
                "get": {"operationId": "read_v2_call_log__id__get"},
                "put": {"operationId": "save_v2_call_log__id__put"},
                "post": {"operationId": "custom"},
            },
            "/": {"get": {"operationId": "_get"}},
        }}));
        assert_eq!(
            ids(&document),
            [
                "get_call",
                "save_v1_call__id__put",
                "read",
                "save_v2_call_log__id__put",
                "custom",
                "_get"
            ]
        );
        assert_eq!(
            applied,
            [(
                "short-operation-ids",
                [
                    "/paths/~1v1~1call~1{id}/get/operationId",
                    "/paths/~1v2~1call-log~1{id}/get/operationId"
                ]
                .map(str::to_owned)
                .to_vec()
            )]
        );
    }

    #[test]
    fn a_short_id_that_another_operation_has_is_not_taken() {
        let (document, _) = applied(json!({"paths": {
            "/a": {"get": {"operationId": "read_a_get"}},
            "/b": {"get": {"operationId": "Read"}},
        }}));
        assert_eq!(ids(&document), ["read_a_get", "Read"]);
    }

    #[test]
    fn closed_objects_are_opened_and_a_property_of_that_name_stays() {
        let (document, applied) = applied(json!({"components": {"schemas": {"A": {
            "additionalProperties": false,
            "properties": {"b": {"additionalProperties": {"type": "string"}}},
            "example": {"additionalProperties": false},
        }}}}));
        assert_eq!(
            document["components"]["schemas"]["A"],
            json!({
                "properties": {"b": {"additionalProperties": {"type": "string"}}},
                "example": {"additionalProperties": false},
            })
        );
        assert_eq!(
            applied,
            [(
                "open-objects",
                vec!["/components/schemas/A/additionalProperties".to_owned()]
            )]
        );
    }

    #[test]
    fn inline_enums_are_named_and_tags_are_left() {
        let (document, applied) = applied(json!({
            "paths": {"/calls": {"get": {"operationId": "list_calls", "parameters": [
                {"name": "sort", "in": "query", "schema": {"type": "string", "enum": ["up", "down"], "default": "up"}},
            ]}}},
            "components": {"schemas": {
                "Call": {"properties": {
                    "status": {"type": "string", "enum": ["a", "b"], "nullable": true, "description": "How it stands"},
                    "kind": {"type": "string", "enum": ["only"]},
                }},
                "CallStatus": {"type": "object"},
                "Named": {"type": "string", "enum": ["x"]},
                "Event": {"oneOf": [{"$ref": "#/components/schemas/Begun"}, {"$ref": "#/components/schemas/Ended"}]},
                "Begun": {"properties": {"type": {"type": "string", "enum": ["begun"]}}},
                "Ended": {"allOf": [{"properties": {"type": {"$ref": "#/components/schemas/EndedTag"}}}]},
                "EndedTag": {"type": "string", "enum": ["ended"]},
            }},
        }));
        insta::assert_json_snapshot!(document);
        insta::assert_debug_snapshot!(applied);
        let tags: Vec<_> = tag_places(&document)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            tags,
            [
                "/components/schemas/Begun/properties/type",
                "/components/schemas/EndedTag"
            ]
        );
    }
}
