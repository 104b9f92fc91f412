//! Documents that a generator could hang on, or run out of stack or memory with: each ends in an answer or in an error.

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
        assert!(!problems.to_string().contains("bug in xtask"), "{problems}");
    }
    generated
}

fn named(name: impl std::fmt::Display) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

#[test]
fn circles_of_references_end() {
    let both = |a: Value, b: Value| document(json!({"A": a, "B": b}));
    let circles = [
        both(named("B"), named("A")),
        both(
            json!({"allOf": [named("B")]}),
            json!({"allOf": [named("A"), {"type": "object"}]}),
        ),
        both(
            json!({"anyOf": [named("B"), {"type": "null"}]}),
            json!({"oneOf": [named("A")]}),
        ),
        both(
            json!({"type": "array", "items": named("A")}),
            json!({"additionalProperties": named("B")}),
        ),
        both(
            json!({"not": named("A")}),
            json!({"if": named("B"), "then": named("A")}),
        ),
    ];
    let ends = circles.map(|circle| match generate(circle) {
        Ok(generated) => format!(
            "{} types, {} unsupported",
            generated.count.types,
            generated.unsupported.len()
        ),
        Err(problems) => problems.to_string(),
    });
    insta::assert_snapshot!(ends.join("\n\n"));
}

/// Deeper than any reader of JSON or YAML goes: the error names the place.
#[test]
fn a_schema_nested_ten_thousand_deep_is_refused() {
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

/// As deep, by references: each schema is a list of the next.
#[test]
fn a_chain_of_a_thousand_references_is_followed() {
    let length = 1_000;
    let schemas: Map<String, Value> = (0..length)
        .map(|index| {
            let next = named(format!("Link{}", index + 1));
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
