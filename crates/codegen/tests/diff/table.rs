//! The table: patches of a document (RFC 6902), and the changes that they make.

use serde_json::Value;

/// Returns the document that the patches apply to.
pub(crate) fn base() -> Value {
    serde_json::from_str(include_str!("base.json")).unwrap()
}

/// Returns the document after a patch.
pub(crate) fn changed(patch: &str) -> Value {
    let mut document = base();
    let patch: json_patch::Patch = serde_json::from_str(patch).unwrap();
    json_patch::patch(&mut document, &patch).unwrap();
    document
}

/// Each case: name, expected changes (class and kind, ordered by class and location), and the patch.
pub(crate) const CASES: &[(&str, &str, &str)] = &[
    // Enums.
    (
        "enum value removed, received",
        "breaking enum-value-removed",
        r#"[{"op": "remove", "path": "/components/schemas/Status/enum/0"}]"#,
    ),
    (
        "enum value removed, sent",
        "breaking enum-value-removed",
        r#"[{"op": "remove", "path": "/components/schemas/Voice/enum/0"}]"#,
    ),
    (
        "enum value added, received",
        "addition enum-value-added",
        r#"[{"op": "add", "path": "/components/schemas/Status/enum/-", "value": "busy"}]"#,
    ),
    (
        "enum value added, sent",
        "addition enum-value-added",
        r#"[{"op": "add", "path": "/components/schemas/Voice/enum/-", "value": "onyx"}]"#,
    ),
    (
        "enum value renamed",
        "breaking enum-value-renamed",
        r#"[{"op": "replace", "path": "/components/schemas/Status/enum/3", "value": "not_answered"}]"#,
    ),
    (
        "enum value replaced by another",
        "breaking enum-value-removed, addition enum-value-added",
        r#"[{"op": "replace", "path": "/components/schemas/Status/enum/3", "value": "busy"}]"#,
    ),
    (
        "enum values in another order",
        "documentation enum-reordered",
        r#"[{"op": "replace", "path": "/components/schemas/Status/enum", "value": ["no_answer", "completed", "in_progress", "dialing"]}]"#,
    ),
    (
        "inline enum value added",
        "addition enum-value-added",
        r#"[{"op": "add", "path": "/components/schemas/Call/properties/direction/enum/-", "value": "internal"}]"#,
    ),
    (
        "enum opened to any string",
        "breaking type-changed",
        r#"[{"op": "replace", "path": "/components/schemas/Status", "value": {"type": "string"}}]"#,
    ),
    // Properties: null and absence.
    (
        "required property nullable, received",
        "breaking property-nullable",
        r#"[{"op": "replace", "path": "/components/schemas/Call/properties/id", "value": {"type": ["string", "null"], "format": "uuid", "description": "Its id"}}]"#,
    ),
    (
        "required property nullable, sent",
        "breaking property-nullable",
        r#"[{"op": "replace", "path": "/components/schemas/NewCall/properties/priority/type", "value": ["integer", "null"]}]"#,
    ),
    (
        "required property nullable by reference, sent",
        "breaking property-nullable",
        r##"[{"op": "replace", "path": "/components/schemas/NewCall/properties/voice", "value": {"anyOf": [{"$ref": "#/components/schemas/Voice"}, {"type": "null"}]}}]"##,
    ),
    (
        "optional property nullable, received",
        "addition property-nullable",
        r#"[{"op": "replace", "path": "/components/schemas/Call/properties/recording_url/type", "value": ["string", "null"]}]"#,
    ),
    (
        "optional property nullable, sent",
        "breaking property-nullable",
        r#"[{"op": "replace", "path": "/components/schemas/NewCall/properties/greeting/type", "value": ["string", "null"]}]"#,
    ),
    (
        "optional property nullable, both ways",
        "breaking property-nullable",
        r#"[{"op": "replace", "path": "/components/schemas/Contact/properties/name/type", "value": ["string", "null"]}]"#,
    ),
    (
        "required property no longer nullable, received",
        "breaking property-not-nullable",
        r#"[{"op": "replace", "path": "/components/schemas/Call/properties/agent_id", "value": {"type": "string", "format": "uuid"}}]"#,
    ),
    (
        "optional property no longer nullable, received",
        "addition property-not-nullable",
        r#"[{"op": "replace", "path": "/components/schemas/Call/properties/end_reason/type", "value": "string"}]"#,
    ),
    (
        "property optional, received",
        "breaking property-optional",
        r#"[{"op": "remove", "path": "/components/schemas/Call/required/5"}]"#,
    ),
    (
        "nullable property optional, received",
        "addition property-optional",
        r#"[{"op": "remove", "path": "/components/schemas/Call/required/2"}]"#,
    ),
    (
        "property optional, sent",
        "breaking property-optional",
        r#"[{"op": "remove", "path": "/components/schemas/NewCall/required/1"}]"#,
    ),
    (
        "property required, received",
        "breaking property-required",
        r#"[{"op": "add", "path": "/components/schemas/Call/required/-", "value": "recording_url"}]"#,
    ),
    (
        "list property required, received",
        "breaking property-required",
        r#"[{"op": "add", "path": "/components/schemas/Call/required/-", "value": "tags"}]"#,
    ),
    (
        "nullable property required, received",
        "breaking property-required",
        r#"[{"op": "add", "path": "/components/schemas/Call/required/-", "value": "end_reason"}]"#,
    ),
    (
        "property required, sent",
        "breaking property-required",
        r#"[{"op": "add", "path": "/components/schemas/NewCall/required/-", "value": "greeting"}]"#,
    ),
    (
        "property required, both ways",
        "breaking property-required",
        r#"[{"op": "add", "path": "/components/schemas/Contact/required/-", "value": "name"}]"#,
    ),
    (
        "property optional and nullable at once, received",
        "breaking property-nullable, breaking property-optional",
        r#"[{"op": "remove", "path": "/components/schemas/Call/required/5"}, {"op": "replace", "path": "/components/schemas/Call/properties/duration/type", "value": ["integer", "null"]}]"#,
    ),
    // Properties: added and removed.
    (
        "optional property added, received",
        "addition property-added",
        r#"[{"op": "add", "path": "/components/schemas/Call/properties/cost", "value": {"type": "number"}}]"#,
    ),
    (
        "optional property added, sent",
        "addition property-added",
        r#"[{"op": "add", "path": "/components/schemas/NewCall/properties/budget", "value": {"type": "number"}}]"#,
    ),
    (
        "required property added, received",
        "breaking property-added",
        r#"[{"op": "add", "path": "/components/schemas/Call/properties/cost", "value": {"type": "number"}}, {"op": "add", "path": "/components/schemas/Call/required/-", "value": "cost"}]"#,
    ),
    (
        "required property added, sent",
        "breaking property-added",
        r#"[{"op": "add", "path": "/components/schemas/NewCall/properties/budget", "value": {"type": "number"}}, {"op": "add", "path": "/components/schemas/NewCall/required/-", "value": "budget"}]"#,
    ),
    (
        "property removed, received",
        "breaking property-removed",
        r#"[{"op": "remove", "path": "/components/schemas/Call/properties/recording_url"}]"#,
    ),
    (
        "property removed, sent",
        "breaking property-removed",
        r#"[{"op": "remove", "path": "/components/schemas/NewCall/properties/greeting"}]"#,
    ),
    (
        "property renamed, received",
        "breaking property-renamed",
        r#"[{"op": "move", "from": "/components/schemas/Call/properties/recording_url", "path": "/components/schemas/Call/properties/recording_link"}]"#,
    ),
    (
        "required property renamed, sent",
        "breaking property-renamed",
        r#"[{"op": "move", "from": "/components/schemas/NewCall/properties/priority", "path": "/components/schemas/NewCall/properties/call_priority"}, {"op": "replace", "path": "/components/schemas/NewCall/required/1", "value": "call_priority"}]"#,
    ),
    (
        "property with another spelling",
        "breaking property-renamed",
        r#"[{"op": "move", "from": "/components/schemas/Call/properties/recording_url", "path": "/components/schemas/Call/properties/recordingUrl"}]"#,
    ),
    (
        "property renamed and nullable",
        "breaking property-renamed, addition property-nullable",
        r#"[{"op": "remove", "path": "/components/schemas/Call/properties/recording_url"}, {"op": "add", "path": "/components/schemas/Call/properties/recording_uri", "value": {"type": ["string", "null"]}}]"#,
    ),
    (
        "property replaced by another",
        "breaking property-removed, addition property-added",
        r#"[{"op": "remove", "path": "/components/schemas/Call/properties/recording_url"}, {"op": "add", "path": "/components/schemas/Call/properties/cost", "value": {"type": "number"}}]"#,
    ),
    // Types and formats.
    (
        "type changed, received",
        "breaking type-changed",
        r#"[{"op": "replace", "path": "/components/schemas/Call/properties/recording_url/type", "value": "integer"}]"#,
    ),
    (
        "type changed, sent",
        "breaking type-changed",
        r#"[{"op": "replace", "path": "/components/schemas/NewCall/properties/language", "value": {"type": "boolean", "default": "en"}}]"#,
    ),
    (
        "type of items changed",
        "breaking type-changed",
        r#"[{"op": "replace", "path": "/components/schemas/Call/properties/tags/items/type", "value": "integer"}]"#,
    ),
    (
        "integer becomes number",
        "breaking type-changed",
        r#"[{"op": "replace", "path": "/components/schemas/NewCall/properties/priority", "value": {"type": "number", "format": "int32", "maximum": 9}}]"#,
    ),
    (
        "format removed: uuid to string",
        "breaking format-changed",
        r#"[{"op": "remove", "path": "/components/schemas/Call/properties/id/format"}]"#,
    ),
    (
        "format changed: int32 to int64",
        "breaking format-changed",
        r#"[{"op": "replace", "path": "/components/schemas/NewCall/properties/priority/format", "value": "int64"}]"#,
    ),
    (
        "format without a Rust type added, received",
        "documentation format-changed",
        r#"[{"op": "add", "path": "/components/schemas/Call/properties/recording_url/format", "value": "uri"}]"#,
    ),
    (
        "format without a Rust type added, sent",
        "breaking format-changed",
        r#"[{"op": "add", "path": "/components/schemas/NewCall/properties/language/format", "value": "bcp47"}]"#,
    ),
    (
        "reference to another schema",
        "breaking type-changed",
        r##"[{"op": "replace", "path": "/components/schemas/Call/properties/status/$ref", "value": "#/components/schemas/Voice"}]"##,
    ),
    (
        "default changed, sent",
        "breaking default-changed",
        r#"[{"op": "replace", "path": "/components/schemas/NewCall/properties/language/default", "value": "de"}]"#,
    ),
    (
        "default removed, sent",
        "breaking default-changed",
        r#"[{"op": "remove", "path": "/components/schemas/NewCall/properties/language/default"}]"#,
    ),
    // Bounds.
    (
        "maximum tightened, sent",
        "breaking bound-tightened",
        r#"[{"op": "replace", "path": "/components/schemas/NewCall/properties/priority/maximum", "value": 5}]"#,
    ),
    (
        "maximum loosened, sent",
        "addition bound-loosened",
        r#"[{"op": "replace", "path": "/components/schemas/NewCall/properties/priority/maximum", "value": 10}]"#,
    ),
    (
        "maximum tightened, received",
        "documentation bound-tightened",
        r#"[{"op": "replace", "path": "/components/schemas/Call/properties/duration/maximum", "value": 3600}]"#,
    ),
    (
        "maximum loosened, received",
        "documentation bound-loosened",
        r#"[{"op": "replace", "path": "/components/schemas/Call/properties/duration/maximum", "value": 90000}]"#,
    ),
    (
        "minimum tightened, received",
        "documentation bound-tightened",
        r#"[{"op": "replace", "path": "/components/schemas/Call/properties/duration/minimum", "value": 1}]"#,
    ),
    (
        "length tightened, sent",
        "breaking bound-tightened",
        r#"[{"op": "replace", "path": "/components/schemas/NewCall/properties/greeting/maxLength", "value": 100}]"#,
    ),
    (
        "first length, sent",
        "breaking bound-tightened",
        r#"[{"op": "add", "path": "/components/schemas/NewCall/properties/language/maxLength", "value": 5}]"#,
    ),
    (
        "first length, received",
        "documentation bound-tightened",
        r#"[{"op": "add", "path": "/components/schemas/Call/properties/recording_url/maxLength", "value": 500}]"#,
    ),
    (
        "number of items loosened, received",
        "documentation bound-loosened",
        r#"[{"op": "remove", "path": "/components/schemas/Call/properties/tags/maxItems"}]"#,
    ),
    (
        "number of items tightened, received",
        "documentation bound-tightened",
        r#"[{"op": "replace", "path": "/components/schemas/Call/properties/tags/maxItems", "value": 5}]"#,
    ),
    (
        "parameter's maximum tightened",
        "breaking bound-tightened",
        r#"[{"op": "replace", "path": "/paths/~1v1~1calls/get/parameters/0/schema/maximum", "value": 50}]"#,
    ),
    (
        "parameter's maximum loosened",
        "addition bound-loosened",
        r#"[{"op": "replace", "path": "/paths/~1v1~1calls/get/parameters/0/schema/maximum", "value": 200}]"#,
    ),
    // Further properties.
    (
        "object closed, received",
        "documentation closed",
        r#"[{"op": "add", "path": "/components/schemas/Call/additionalProperties", "value": false}]"#,
    ),
    (
        "object closed, sent",
        "documentation closed",
        r#"[{"op": "add", "path": "/components/schemas/NewCall/additionalProperties", "value": false}]"#,
    ),
    (
        "further properties described",
        "breaking type-changed",
        r#"[{"op": "add", "path": "/components/schemas/NewCall/properties/metadata/additionalProperties", "value": {"type": "string"}}]"#,
    ),
    // Unions and compositions.
    (
        "tagged union has one more variant",
        "addition tag-added, addition variant-added",
        r##"[{"op": "add", "path": "/components/schemas/Event/oneOf/-", "value": {"$ref": "#/components/schemas/Paused"}}, {"op": "add", "path": "/components/schemas/Event/discriminator/mapping/paused", "value": "#/components/schemas/Paused"}]"##,
    ),
    (
        "tagged union loses a variant",
        "breaking tag-removed, breaking variant-removed",
        r#"[{"op": "remove", "path": "/components/schemas/Event/oneOf/1"}, {"op": "remove", "path": "/components/schemas/Event/discriminator/mapping/ended"}]"#,
    ),
    (
        "union without tags has one more variant",
        "breaking variant-added",
        r#"[{"op": "add", "path": "/components/schemas/Reference/oneOf/-", "value": {"type": "boolean"}}]"#,
    ),
    (
        "property becomes a union",
        "breaking type-changed",
        r#"[{"op": "replace", "path": "/components/schemas/Call/properties/recording_url", "value": {"oneOf": [{"type": "string"}, {"type": "integer"}]}}]"#,
    ),
    (
        "object written as a composition",
        "",
        r##"[{"op": "replace", "path": "/components/schemas/Contact", "value": {"allOf": [{"type": "object", "required": ["identifier"], "properties": {"identifier": {"type": "string"}}}, {"type": "object", "properties": {"name": {"type": "string"}, "parent": {"$ref": "#/components/schemas/Contact"}}}]}}]"##,
    ),
    (
        "keyword that the SDK does not check, sent",
        "breaking constraint-changed",
        r#"[{"op": "add", "path": "/components/schemas/NewCall/dependentRequired", "value": {"greeting": ["language"]}}]"#,
    ),
    (
        "keyword that the SDK does not check, received",
        "documentation constraint-changed",
        r#"[{"op": "add", "path": "/components/schemas/Call/dependentRequired", "value": {"tags": ["end_reason"]}}]"#,
    ),
    // References.
    (
        "schema written inline",
        "breaking type-renamed",
        r#"[{"op": "copy", "from": "/components/schemas/Status", "path": "/components/schemas/Call/properties/status"}]"#,
    ),
    (
        "nullable with another keyword",
        "",
        r#"[{"op": "replace", "path": "/components/schemas/Call/properties/agent_id", "value": {"type": ["string", "null"], "format": "uuid"}}]"#,
    ),
    (
        "response written inline",
        "",
        r#"[{"op": "copy", "from": "/components/responses/Refused", "path": "/paths/~1v1~1calls/get/responses/401"}]"#,
    ),
    (
        "change within a shared schema",
        "breaking property-removed",
        r#"[{"op": "remove", "path": "/components/schemas/Contact/properties/name"}]"#,
    ),
    (
        "change within a shared response",
        "breaking property-optional",
        r#"[{"op": "replace", "path": "/components/schemas/Problem/required", "value": []}]"#,
    ),
    (
        "nullable in a schema that no operation reaches",
        "breaking property-nullable",
        r#"[{"op": "replace", "path": "/components/schemas/Unused/properties/a/type", "value": ["string", "null"]}]"#,
    ),
    (
        "bound in a schema that no operation reaches",
        "addition property-added",
        r#"[{"op": "add", "path": "/components/schemas/Unused/properties/b", "value": {"type": "string"}}]"#,
    ),
    // Schemas.
    (
        "schema added",
        "addition schema-added",
        r#"[{"op": "add", "path": "/components/schemas/More", "value": {"type": "object"}}]"#,
    ),
    (
        "schema removed",
        "breaking schema-removed",
        r#"[{"op": "remove", "path": "/components/schemas/Unused"}]"#,
    ),
    (
        "schema renamed",
        "breaking schema-renamed",
        r##"[{"op": "move", "from": "/components/schemas/Status", "path": "/components/schemas/CallStatus"}, {"op": "replace", "path": "/components/schemas/Call/properties/status/$ref", "value": "#/components/schemas/CallStatus"}]"##,
    ),
    (
        "schema with another spelling",
        "documentation schema-renamed",
        r##"[{"op": "move", "from": "/components/schemas/Status", "path": "/components/schemas/status"}, {"op": "replace", "path": "/components/schemas/Call/properties/status/$ref", "value": "#/components/schemas/status"}]"##,
    ),
    (
        "schema renamed, and a value more",
        "breaking schema-renamed, addition enum-value-added",
        r##"[{"op": "move", "from": "/components/schemas/Status", "path": "/components/schemas/CallStatus"}, {"op": "replace", "path": "/components/schemas/Call/properties/status/$ref", "value": "#/components/schemas/CallStatus"}, {"op": "add", "path": "/components/schemas/CallStatus/enum/-", "value": "busy"}]"##,
    ),
    // Parameters.
    (
        "required parameter added",
        "breaking parameter-added",
        r#"[{"op": "add", "path": "/paths/~1v1~1calls/get/parameters/-", "value": {"name": "page", "in": "query", "required": true, "schema": {"type": "string"}}}]"#,
    ),
    (
        "optional parameter added",
        "addition parameter-added",
        r#"[{"op": "add", "path": "/paths/~1v1~1calls/get/parameters/-", "value": {"name": "page", "in": "query", "schema": {"type": "string"}}}]"#,
    ),
    (
        "parameter removed",
        "breaking parameter-removed",
        r#"[{"op": "remove", "path": "/paths/~1v1~1calls/get/parameters/0"}]"#,
    ),
    (
        "parameter required",
        "breaking parameter-required",
        r#"[{"op": "add", "path": "/components/parameters/Tenant/required", "value": true}]"#,
    ),
    (
        "parameter renamed",
        "breaking parameter-renamed",
        r#"[{"op": "replace", "path": "/paths/~1v1~1calls/get/parameters/0/name", "value": "page_limit"}]"#,
    ),
    (
        "path parameter renamed",
        "breaking parameter-renamed",
        r#"[{"op": "move", "from": "/paths/~1v1~1calls~1{id}", "path": "/paths/~1v1~1calls~1{call_id}"}, {"op": "replace", "path": "/paths/~1v1~1calls~1{call_id}/parameters/0/name", "value": "call_id"}]"#,
    ),
    (
        "parameter moved",
        "breaking parameter-moved",
        r#"[{"op": "replace", "path": "/paths/~1v1~1calls/get/parameters/0/in", "value": "header"}]"#,
    ),
    (
        "parameter style changed",
        "breaking style-changed",
        r#"[{"op": "add", "path": "/paths/~1v1~1calls/get/parameters/0/explode", "value": false}]"#,
    ),
    (
        "parameter without a schema",
        "breaking type-changed",
        r#"[{"op": "remove", "path": "/paths/~1v1~1calls/get/parameters/0/schema"}]"#,
    ),
    (
        "header without a schema",
        "breaking type-changed",
        r#"[{"op": "remove", "path": "/paths/~1v1~1calls/get/responses/200/headers/X-Total/schema"}]"#,
    ),
    (
        "unknown keyword",
        "documentation annotation-changed",
        r#"[{"op": "add", "path": "/paths/~1v1~1calls/get/zz", "value": 1}]"#,
    ),
    // Bodies and responses.
    (
        "request body optional",
        "addition body-optional",
        r#"[{"op": "replace", "path": "/paths/~1v1~1calls/post/requestBody/required", "value": false}]"#,
    ),
    (
        "request body removed",
        "breaking body-removed",
        r#"[{"op": "remove", "path": "/paths/~1v1~1calls/post/requestBody"}]"#,
    ),
    (
        "request body added",
        "breaking body-added",
        r##"[{"op": "add", "path": "/paths/~1v1~1calls~1{id}/delete/requestBody", "value": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Contact"}}}}}]"##,
    ),
    (
        "media type changed",
        "breaking media-type-changed",
        r#"[{"op": "move", "from": "/paths/~1v1~1calls/post/requestBody/content/application~1json", "path": "/paths/~1v1~1calls/post/requestBody/content/application~1x-www-form-urlencoded"}]"#,
    ),
    (
        "media type added",
        "documentation media-type-added",
        r#"[{"op": "add", "path": "/paths/~1v1~1calls/post/responses/201/content/text~1plain", "value": {"schema": {"type": "string"}}}]"#,
    ),
    (
        "error status with the same body added",
        "addition status-added",
        r##"[{"op": "add", "path": "/paths/~1v1~1calls/get/responses/403", "value": {"$ref": "#/components/responses/Refused"}}]"##,
    ),
    (
        "error status with another body added",
        "breaking status-added",
        r##"[{"op": "add", "path": "/paths/~1v1~1calls/get/responses/403", "value": {"description": "d", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Contact"}}}}}]"##,
    ),
    (
        "error status without a body added",
        "breaking status-added",
        r#"[{"op": "add", "path": "/paths/~1v1~1calls/get/responses/403", "value": {"description": "d"}}]"#,
    ),
    (
        "redirect added",
        "documentation status-added",
        r#"[{"op": "add", "path": "/paths/~1v1~1calls/get/responses/302", "value": {"description": "d"}}]"#,
    ),
    (
        "default with the same error body added",
        "addition status-added",
        r##"[{"op": "add", "path": "/paths/~1v1~1calls/get/responses/default", "value": {"$ref": "#/components/responses/Refused"}}]"##,
    ),
    (
        "success status without a body added",
        "breaking status-added",
        r#"[{"op": "add", "path": "/paths/~1v1~1calls~1{id}/get/responses/204", "value": {"description": "d"}}]"#,
    ),
    (
        "error status removed",
        "breaking status-removed",
        r#"[{"op": "remove", "path": "/paths/~1v1~1calls~1{id}/get/responses/401"}]"#,
    ),
    (
        "response header added",
        "addition header-added",
        r#"[{"op": "add", "path": "/paths/~1v1~1calls/get/responses/200/headers/X-Page", "value": {"schema": {"type": "integer"}}}]"#,
    ),
    (
        "response header removed",
        "breaking header-removed",
        r#"[{"op": "remove", "path": "/paths/~1v1~1calls/get/responses/200/headers/X-Total"}]"#,
    ),
    // Operations.
    (
        "operation added",
        "addition operation-added",
        r#"[{"op": "add", "path": "/paths/~1v1~1agents", "value": {"get": {"operationId": "list_agents", "responses": {"204": {"description": "d"}}}}}]"#,
    ),
    (
        "operation removed",
        "breaking operation-removed",
        r#"[{"op": "remove", "path": "/paths/~1v1~1calls~1{id}/delete"}]"#,
    ),
    (
        "operation renamed",
        "breaking operation-renamed",
        r#"[{"op": "replace", "path": "/paths/~1v1~1calls~1{id}/get/operationId", "value": "fetch_call"}]"#,
    ),
    (
        "operation with another spelling",
        "documentation operation-renamed",
        r#"[{"op": "replace", "path": "/paths/~1v1~1calls~1{id}/get/operationId", "value": "getCall"}]"#,
    ),
    (
        "operation's id in FastAPI's long form",
        "documentation operation-renamed",
        r#"[{"op": "replace", "path": "/paths/~1v1~1calls~1{id}/get/operationId", "value": "get_call_v1_calls__id__get"}]"#,
    ),
    (
        "path changed",
        "breaking path-changed, breaking path-changed",
        r#"[{"op": "move", "from": "/paths/~1v1~1calls~1{id}", "path": "/paths/~1v2~1calls~1{id}"}]"#,
    ),
    (
        "path and id changed",
        "breaking path-changed, breaking operation-renamed",
        r#"[{"op": "move", "from": "/paths/~1v1~1calls~1{id}/delete", "path": "/paths/~1v1~1calls/delete"}, {"op": "add", "path": "/paths/~1v1~1calls~1{id}~1cancel", "value": {"parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}}]}}, {"op": "move", "from": "/paths/~1v1~1calls/delete", "path": "/paths/~1v1~1calls~1{id}~1cancel/delete"}, {"op": "replace", "path": "/paths/~1v1~1calls~1{id}~1cancel/delete/operationId", "value": "delete_one_call"}]"#,
    ),
    (
        "method changed",
        "breaking method-changed",
        r#"[{"op": "move", "from": "/paths/~1v1~1calls~1{id}/delete", "path": "/paths/~1v1~1calls~1{id}/post"}]"#,
    ),
    // Security and servers.
    (
        "security alternative added",
        "addition security-changed",
        r#"[{"op": "add", "path": "/security/-", "value": {"key": []}}]"#,
    ),
    (
        "security alternative added in first place",
        "breaking security-changed",
        r#"[{"op": "replace", "path": "/security", "value": [{"key": []}, {"bearer": []}]}]"#,
    ),
    (
        "security scheme with the same header",
        "documentation scheme-changed, documentation annotation-changed",
        r#"[{"op": "replace", "path": "/components/securitySchemes/bearer", "value": {"type": "oauth2", "flows": {}}}]"#,
    ),
    (
        "security scheme replaced",
        "breaking security-changed",
        r#"[{"op": "add", "path": "/paths/~1v1~1calls/get/security", "value": [{"key": []}]}]"#,
    ),
    (
        "security removed",
        "addition security-changed",
        r#"[{"op": "add", "path": "/paths/~1v1~1calls/get/security", "value": []}]"#,
    ),
    (
        "security scheme changed",
        "breaking scheme-changed",
        r#"[{"op": "replace", "path": "/components/securitySchemes/bearer/scheme", "value": "basic"}]"#,
    ),
    (
        "security scheme renamed",
        "documentation scheme-renamed",
        r#"[{"op": "move", "from": "/components/securitySchemes/bearer", "path": "/components/securitySchemes/token"}, {"op": "replace", "path": "/security", "value": [{"token": []}]}]"#,
    ),
    (
        "server changed",
        "breaking server-changed",
        r#"[{"op": "replace", "path": "/servers/0/url", "value": "https://eu.example.com"}]"#,
    ),
    (
        "server added in first place",
        "breaking server-changed, addition server-added",
        r#"[{"op": "add", "path": "/servers/0", "value": {"url": "https://eu.example.com"}}]"#,
    ),
    (
        "server added",
        "addition server-added",
        r#"[{"op": "add", "path": "/servers/-", "value": {"url": "https://eu.example.com"}}]"#,
    ),
    // Texts.
    (
        "description of a property",
        "documentation annotation-changed",
        r#"[{"op": "replace", "path": "/components/schemas/Call/properties/id/description", "value": "The id"}]"#,
    ),
    (
        "title and example of a schema",
        "documentation annotation-changed, documentation annotation-changed",
        r#"[{"op": "add", "path": "/components/schemas/Call/title", "value": "A call"}, {"op": "add", "path": "/components/schemas/Call/examples", "value": [{}]}]"#,
    ),
    (
        "summary of an operation",
        "documentation annotation-changed",
        r#"[{"op": "replace", "path": "/paths/~1v1~1calls/get/summary", "value": "List"}]"#,
    ),
    (
        "property deprecated",
        "addition deprecation",
        r#"[{"op": "add", "path": "/components/schemas/Call/properties/recording_url/deprecated", "value": true}]"#,
    ),
    (
        "operation deprecated",
        "addition deprecation",
        r#"[{"op": "add", "path": "/paths/~1v1~1calls/get/deprecated", "value": true}]"#,
    ),
    (
        "version of the document",
        "documentation annotation-changed",
        r#"[{"op": "replace", "path": "/info/version", "value": "2.0.0"}]"#,
    ),
    (
        "order of properties",
        "",
        r#"[{"op": "move", "from": "/components/schemas/Call/properties/id", "path": "/components/schemas/Call/properties/zz"}, {"op": "move", "from": "/components/schemas/Call/properties/zz", "path": "/components/schemas/Call/properties/id"}]"#,
    ),
    // One-directional properties.
    (
        "required property read-only, received",
        "breaking property-optional, documentation direction-changed",
        r#"[{"op": "add", "path": "/components/schemas/Call/properties/duration/readOnly", "value": true}]"#,
    ),
    (
        "required property read-only, sent",
        "breaking property-optional, breaking direction-changed",
        r#"[{"op": "add", "path": "/components/schemas/NewCall/properties/priority/readOnly", "value": true}]"#,
    ),
    (
        "optional property write-only, sent",
        "documentation direction-changed",
        r#"[{"op": "add", "path": "/components/schemas/NewCall/properties/greeting/writeOnly", "value": true}]"#,
    ),
    // Names of generated items.
    (
        "title of an inline object",
        "breaking annotation-changed",
        r#"[{"op": "add", "path": "/components/schemas/NewCall/properties/metadata/title", "value": "Origin"}]"#,
    ),
    (
        "title of an inline string",
        "documentation annotation-changed",
        r#"[{"op": "add", "path": "/components/schemas/NewCall/properties/greeting/title", "value": "Origin"}]"#,
    ),
    (
        "property with the name of a builder method",
        "breaking public-items-removed, addition property-added",
        r#"[{"op": "add", "path": "/components/schemas/Call/properties/build", "value": {"type": "string"}}]"#,
    ),
    (
        "enum value with the name of the fallback variant",
        "breaking public-items-removed, addition enum-value-added",
        r#"[{"op": "add", "path": "/components/schemas/Status/enum/-", "value": "unknown"}]"#,
    ),
    (
        "schema with the name of an inline type",
        "breaking public-items-removed, addition schema-added",
        r#"[{"op": "add", "path": "/components/schemas/CallDirection", "value": {"type": "object", "properties": {"a": {"type": "string"}}}}]"#,
    ),
    (
        "property that closes a cycle",
        "breaking public-items-removed, addition property-added",
        r##"[{"op": "add", "path": "/components/schemas/Contact/properties/last_call", "value": {"$ref": "#/components/schemas/Call"}}]"##,
    ),
    (
        "received schema is also sent",
        "breaking public-items-removed, addition property-added",
        r##"[{"op": "add", "path": "/components/schemas/NewCall/properties/previous", "value": {"$ref": "#/components/schemas/Call"}}]"##,
    ),
    (
        "union of one gains a member",
        "breaking type-changed",
        r##"[{"op": "replace", "path": "/components/schemas/Call/properties/contact", "value": {"oneOf": [{"$ref": "#/components/schemas/Contact"}, {"$ref": "#/components/schemas/Problem"}]}}]"##,
    ),
    (
        "default filled in by the SDK changed",
        "breaking default-changed",
        r#"[{"op": "replace", "path": "/components/schemas/Call/properties/language/default", "value": "de"}]"#,
    ),
    // Several at once.
    (
        "renamed, tightened and described",
        "breaking property-renamed, breaking bound-tightened, documentation annotation-changed",
        r#"[{"op": "remove", "path": "/components/schemas/NewCall/properties/greeting"}, {"op": "add", "path": "/components/schemas/NewCall/properties/Greeting", "value": {"type": "string", "maxLength": 100, "description": "d"}}]"#,
    ),
];
