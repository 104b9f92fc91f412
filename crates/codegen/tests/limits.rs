//! Documents that could make a generator hang, or exhaust stack or memory, give a result or an error.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

mod common;

use call_api_codegen::load::Source;
use call_api_codegen::problem::Problems;
use call_api_codegen::{Choices, Generated, generate_document};
use serde_json::{Map, Value, json};

fn document(schemas: Value) -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Limits", "version": "1"},
        "paths": {"/a": {"get": {"operationId": "a", "responses": {"204": {"description": ""}}}}},
        "components": {"schemas": schemas},
    })
}

fn generate(document: Value) -> Result<Generated, Problems> {
    let source = Source {
        path: "limits.json".to_owned(),
        label: "limits.json".to_owned(),
        document,
        ..Source::default()
    };
    let generated = generate_document(source, Choices::default());
    if let Err(problems) = &generated {
        assert!(
            !problems.to_string().contains("this is a bug"),
            "{problems}"
        );
    }
    generated
}

fn reference(name: impl std::fmt::Display) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

#[test]
fn cyclic_references_terminate() {
    let pair = |a: Value, b: Value| document(json!({"A": a, "B": b}));
    let cycles = [
        pair(reference("B"), reference("A")),
        pair(
            json!({"allOf": [reference("B")]}),
            json!({"allOf": [reference("A"), {"type": "object"}]}),
        ),
        pair(
            json!({"anyOf": [reference("B"), {"type": "null"}]}),
            json!({"oneOf": [reference("A")]}),
        ),
        pair(
            json!({"type": "array", "items": reference("A")}),
            json!({"additionalProperties": reference("B")}),
        ),
        pair(
            json!({"not": reference("A")}),
            json!({"if": reference("B"), "then": reference("A")}),
        ),
    ];
    let results = cycles.map(|cycle| match generate(cycle) {
        Ok(generated) => format!(
            "{} types, {} unsupported",
            generated.count.types,
            generated.unsupported.len()
        ),
        Err(problems) => problems.to_string(),
    });
    insta::assert_snapshot!(results.join("\n\n"));
}

/// Beyond the depth limits of the JSON and YAML parsers.
#[test]
fn schema_nested_ten_thousand_deep_is_rejected() {
    let depth = 10_000;
    let text = format!(
        "{{\"openapi\": \"3.0.3\", \"components\": {{\"schemas\": {{\"A\": {}{{}}{}}}}}}}",
        "{\"items\": ".repeat(depth),
        "}".repeat(depth)
    );
    let folder = tempfile::tempdir().unwrap();
    for name in ["deep.json", "deep.yaml"] {
        let path = folder.path().join(name);
        std::fs::write(&path, &text).unwrap();
        let problem = call_api_codegen::load::load(&path, name.as_ref(), name).unwrap_err();
        assert!(
            problem.to_string().contains("nested too deeply"),
            "{problem}"
        );
    }
}

/// Each schema refers to the next.
#[test]
fn chain_of_a_thousand_references_is_generated() {
    let length = 1_000;
    let schemas: Map<String, Value> = (0..length)
        .map(|index| {
            let next = reference(format!("Link{}", index + 1));
            let schema = match index % 3 {
                _ if index + 1 == length => json!({"type": "string"}),
                0 => json!({"type": "array", "items": next}),
                1 => json!({"type": "object", "properties": {"next": next}}),
                _ => json!({"anyOf": [next, {"type": "null"}]}),
            };
            (format!("Link{index}"), schema)
        })
        .collect();
    let generated = generate(document(Value::Object(schemas))).unwrap();
    assert_eq!(generated.count.schemas, length);
    assert!(generated.unsupported.is_empty());
}

/// Bodies, and members of a union, with many properties of their own type. To follow each of them down to a fixed depth
/// would take longer than any test.
#[test]
fn objects_with_many_properties_of_their_own_type_are_generated() {
    let own = reference("Node");
    let properties: Map<String, Value> = (0..12)
        .map(|index| {
            let property = match index % 2 {
                0 => own.clone(),
                _ => json!({"anyOf": [own, {"type": "null"}]}),
            };
            (format!("p{index}"), property)
        })
        .collect();
    let mut document = document(json!({
        "Node": {"type": "object", "properties": properties},
        "Either": {"oneOf": [own, {"type": "object", "required": ["x"], "properties": {"x": {"type": "string"}}}]},
    }));
    document["paths"]["/a"]["post"] = json!({
        "operationId": "b",
        "requestBody": {"content": {"application/json": {"schema": own}}},
        "responses": {"200": {"description": "", "content": {"application/json": {"schema": reference("Either")}}}},
    });
    let generated = generate(document).unwrap();
    assert_eq!(generated.count.schemas, 2);
    assert!(generated.unsupported.is_empty());
}

/// Levels of schemas, each of which refers to all schemas of the next level, so that there are more ways to the last one than
/// can be followed.
fn lattice(last: &Value, of: impl Fn(Vec<Value>) -> Value) -> Value {
    let (levels, width) = (16, 4);
    let names = |level: usize| (0..width).map(move |index| format!("L{level}N{index}"));
    let mut schemas = Map::new();
    for level in 0..levels {
        for name in names(level) {
            let below = names(level + 1).map(reference).collect();
            schemas.insert(name, of(below));
        }
    }
    schemas.extend(names(levels).map(|name| (name, last.clone())));
    Value::Object(schemas)
}

/// Returns a document that uses the lattice wherever a schema may be.
fn document_of_lattice(lattice: Value) -> Value {
    let first = reference("L0N0");
    let media = json!({"application/json": {"schema": first}});
    let events = json!({"text/event-stream": {"schema": first}});
    let list = json!({"type": "object", "required": ["items"], "properties": {
        "items": {"type": "array", "items": first},
        "next": {"type": "string"},
    }});
    let both = json!({
        "type": "object",
        "required": ["read"],
        "properties": {
            "read": {"allOf": [first], "readOnly": true},
            "default": {"allOf": [first], "default": "a"},
            "optional": {"allOf": [first]},
        },
    });
    let union = |discriminator: Value| {
        let members = [first.clone(), reference("L0N1")];
        json!({"oneOf": members, "discriminator": discriminator})
    };
    let operation = |id: &str, schema: Value| {
        let content = json!({"application/json": {"schema": schema}});
        json!({"operationId": id, "responses": {"200": {"description": "", "content": content}}})
    };
    let mut document = document(lattice);
    let schemas = &mut document["components"]["schemas"];
    schemas["Both"] = both;
    schemas["Union"] = union(json!({"propertyName": "kind"}));
    schemas["Other"] = json!({"anyOf": [reference("L0N1"), first]});
    let parameters =
        |style: &str| json!([{"name": "q", "in": "query", "style": style, "schema": first}]);
    let mut query = operation("query", first.clone());
    query["parameters"] = parameters("form");
    let mut deep = operation("deep", list);
    deep["parameters"] = parameters("deepObject");
    let mut events_of = operation("events", first.clone());
    events_of["responses"]["200"]["content"] = events;
    let mut sent = operation("sent", reference("Both"));
    sent["requestBody"] = json!({"content": {"application/json": {"schema": reference("Both")}}});
    let mut form = operation("form", reference("Union"));
    form["requestBody"] =
        json!({"content": {"application/x-www-form-urlencoded": {"schema": first}}});
    let mut parts = operation("parts", reference("Other"));
    parts["requestBody"] = json!({"content": {"multipart/form-data": {"schema": first}}});
    document["paths"] = json!({
        "/query": {"get": query},
        "/deep": {"get": deep},
        "/events": {"get": events_of},
        "/sent": {"post": sent},
        "/form": {"post": form},
        "/parts": {"post": parts},
    });
    document["webhooks"] = json!({"ended": {"post": {"requestBody": {"content": media}}}});
    document
}

fn object() -> Value {
    json!({"type": "object", "properties": {"kind": {"enum": ["a"]}}})
}

/// Generates documents with lattices of objects and of strings.
fn generate_lattices(of: impl Fn(Vec<Value>) -> Value) {
    for last in [object(), json!({"type": "string"})] {
        generate(document_of_lattice(lattice(&last, &of))).unwrap();
    }
}

#[test]
fn lattice_of_all_of_is_generated() {
    let lattice = lattice(&object(), |below| json!({"allOf": below}));
    generate(document_of_lattice(lattice)).unwrap();
}

#[test]
fn lattice_of_unions_is_generated() {
    generate_lattices(|below| json!({"oneOf": below}));
    generate_lattices(|below| json!({"anyOf": below}));
}

#[test]
fn lattice_of_lists_is_generated() {
    generate_lattices(|below| json!({"type": "array", "items": {"oneOf": below}}));
}

#[test]
fn lattice_of_unions_with_properties_is_generated() {
    let own = json!({"own": {"type": "string"}});
    generate_lattices(|below| json!({"oneOf": below, "properties": own}));
}
