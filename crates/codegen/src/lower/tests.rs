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
        json!({"enum": ["a"], "nullable": true, "type": "string"}),
    );
    becomes(json!({"type": "null"}), json!({"enum": [null]}));
}

#[test]
fn type_next_to_a_reference_adds_no_schema() {
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
fn references_with_siblings() {
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
    document["components"]["schemas"]["Other"] = json!({"properties": {"x": {"type": "string"}}});
    let lowered = lower(document, &mut Vec::new(), &mut Origins::default()).unwrap();
    insta::assert_json_snapshot!(lowered["components"]["schemas"]);
}

#[test]
fn boolean_schemas() {
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
fn narrowing_keywords_are_removed_and_reported() {
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
fn parts_without_schemas_are_lowered() {
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
    assert_eq!(places, ["/paths/~1a/get/parameters/0"]);
}

#[test]
fn strip_removes_unread_parts() {
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
fn unquoted_version_is_a_string() {
    let mut document = document(json!({}));
    document["info"]["version"] = json!(1.1);
    let mut unsupported = Vec::new();
    let lowered = lower(document, &mut unsupported, &mut Origins::default()).unwrap();
    assert_eq!(lowered["info"]["version"], "1.1");
    assert_eq!(unsupported[0].pointer.as_str(), "/info/version");
}

#[test]
fn construct_without_an_equivalent_is_an_error() {
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
fn lower_lowered_document_changes_nothing() {
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

#[test]
fn constraints_beside_reference_are_ignored_in_3_0() {
    let schema = json!({
        "$ref": "#/components/schemas/Other", "description": "d", "required": ["a"], "const": 1, "type": "object",
    });
    for (version, ignored) in [("3.0.3", true), ("3.1.0", false)] {
        let mut document = document(schema.clone());
        document["openapi"] = json!(version);
        let mut unsupported = Vec::new();
        let lowered = lower(document, &mut unsupported, &mut Origins::default()).unwrap();
        let it = &lowered["components"]["schemas"]["It"];
        assert_eq!(it["description"], "d");
        for (keyword, lowered) in [("required", "required"), ("const", "enum")] {
            assert_eq!(!it.to_string().contains(lowered), ignored, "{it}");
            let place = format!("/{keyword}");
            let mut reported = unsupported.iter();
            let is_reported = reported.any(|entry| entry.pointer.as_str().ends_with(&place));
            assert_eq!(is_reported, ignored, "{keyword}");
        }
    }
}

#[test]
fn properties_of_conditions_are_declared() {
    let schema = json!({
        "type": "object",
        "properties": {"kind": {"type": "string"}},
        "if": {"properties": {"kind": {"const": "a"}}},
        "then": {"properties": {"kind": {"const": "a"}, "value": {"type": "integer"}}},
        "else": {"properties": {"value": {"type": "string"}}},
        "dependentSchemas": {"kind": {"properties": {"more": {"type": "boolean"}}}},
    });
    let lowered = lower(document(schema), &mut Vec::new(), &mut Origins::default()).unwrap();
    assert_eq!(
        lowered["components"]["schemas"]["It"]["properties"],
        json!({"kind": {"type": "string"}, "more": {"type": "boolean"}, "value": {}})
    );
}
