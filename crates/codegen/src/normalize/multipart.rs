//! `multipart/form-data`, which progenitor does not support. The parts become the properties of a JSON body, the
//! model has the encoding of each, and `postprocess` makes the client's `multipart` module write them.
//!
//! A part is a file, for which the types crate has a type, or a value: text, or JSON if it is an object (OpenAPI 3.0,
//! section 4.7.14.3). A list becomes several parts of the same name (RFC 7578, section 4.3).

use serde_json::{Value, json};

use super::Changes;
use super::media::bodies;
use super::parameters::{Property, Shape, describe, is_anything, leave_out, shape};
use crate::media_type::{MediaTypeKind, essence, is_concrete, is_json};
use crate::model;
use crate::names;
use crate::openapi::{Additional, Schema as _};
use crate::pointer::{Lookup as _, Pointer};
use crate::walk;

const FORM_DATA: &str = "multipart/form-data";

/// The maximum number of nested wrapper schemas.
const MAX_DEPTH: usize = 16;

/// Returns the multipart media type of a body, and its object.
fn of_body<'a>(document: &'a Value, body: &Pointer) -> Option<(&'a String, &'a Value)> {
    let content = document.at(body.join("content").as_str())?;
    content
        .as_object()?
        .iter()
        .find(|(name, _)| MediaTypeKind::of(name) == MediaTypeKind::Multipart)
}

/// Replaces the parts by a schema that progenitor can read, or leaves out the operation.
pub(super) fn parts(document: &mut Value, changes: &mut Changes) {
    let mut bodies = bodies(document);
    bodies.retain(|(place, _)| of_body(document, place).is_some());
    if bodies.is_empty() {
        return;
    }
    let before = document.clone();
    let mut file = None;
    for (place, operations) in bodies {
        let content = place.join("content");
        let Some((name, object)) = of_body(&before, &place) else {
            continue;
        };
        let pointer = content.join(name);
        let schema = object.get("schema").unwrap_or(&Value::Null);
        let properties = match shape(&before, schema) {
            Shape::Object(properties) if essence(name) == FORM_DATA => properties,
            shape => {
                let cause = match shape {
                    Shape::Object(_) => format!("its body is `{name}`"),
                    _ => format!("its body is `{name}`, without named parts"),
                };
                for operation in operations {
                    leave_out(document, &operation, &cause, changes);
                }
                continue;
            }
        };
        let file = file
            .get_or_insert_with(|| file_schema(document, changes))
            .clone();
        let encoding = object.get("encoding").unwrap_or(&Value::Null);
        let at = pointer.join("encoding");
        for name in encoding
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
        {
            if properties.iter().all(|property| property.name != *name) {
                changes.lost(
                    &at.join(name),
                    format!("the encoding of `{name}`"),
                    "there is no such part",
                );
            }
        }
        let (flat, model_parts) =
            flat_schema(&before, &pointer, object, &properties, &file, changes);
        // A component with a single reference is changed in place. Any other schema is copied, and a later rule names
        // the copy by its location.
        let alone = schema
            .text("$ref")
            .filter(|reference| references(&before, reference) == 1)
            .and_then(Pointer::from_ref)
            .filter(Pointer::is_schema);
        let schema = match alone.and_then(|place| document.at_mut(place.as_str())) {
            Some(component) => {
                *component = flat;
                schema.clone()
            }
            None => flat,
        };
        if let Some(body) = document
            .at_mut(place.as_str())
            .and_then(Value::as_object_mut)
        {
            body.insert(
                "content".to_owned(),
                json!({"application/json": {"schema": schema}}),
            );
            changes.at(&pointer);
        }
        for operation in &operations {
            changes.model.operation_mut(operation).body.encoding =
                model::BodyEncoding::Multipart(model_parts.clone());
        }
    }
}

/// Returns the schema of a body whose properties are the parts, and the parts for the model.
fn flat_schema(
    document: &Value,
    pointer: &Pointer,
    object: &Value,
    properties: &[Property],
    file: &Value,
    changes: &mut Changes,
) -> (Value, Vec<model::Part>) {
    let schema = object.get("schema").unwrap_or(&Value::Null);
    let encoding = object.get("encoding").unwrap_or(&Value::Null);
    let at = pointer.join("encoding");
    let mut flat = json!({"type": "object", "properties": {}});
    let mut model_parts = Vec::new();
    for property in properties {
        let encoding = encoding.get(&property.name);
        let part = Part::of(document, property, encoding);
        if part.is_nullable {
            let what = format!("null of the part `{}`", property.name);
            changes.lost(&pointer.join("schema"), what, "the part is left out");
        }
        part.unsupported(&at.join(&property.name), property, encoding, changes);
        model_parts.push(part.in_model(&property.name));
        flat["properties"][&property.name] = part.schema(property, file);
    }
    let required = properties.iter().filter(|property| property.required);
    flat["required"] = required.map(|property| property.name.as_str()).collect();
    let body = walk::follow(document, schema).unwrap_or(schema);
    if matches!(body.additional(), Additional::Any | Additional::Of(_)) {
        changes.lost(
            &pointer.join("schema"),
            "parts without a name",
            "only named parts can be sent",
        );
    }
    for annotation in ["title", "description"] {
        if let Some(text) = body.get(annotation) {
            flat[annotation] = text.clone();
        }
    }
    (flat, model_parts)
}

/// Adds a schema that `postprocess` replaces by `FilePart` of the types crate. Returns a reference to it.
fn file_schema(document: &mut Value, changes: &mut Changes) -> Value {
    let mut taken = names::type_names(document);
    let name = names::unique("FilePart", &mut taken);
    let reference = Pointer::schema(&name).to_ref();
    if document.get("components").is_none() {
        document["components"] = json!({});
    }
    if let Some(schemas) = walk::schemas_mut(document) {
        schemas.insert(name.clone(), json!({"type": "object"}));
        changes.model.file = Some(name);
    }
    json!({"$ref": reference})
}

/// Returns the number of references to a target.
fn references(document: &Value, reference: &str) -> usize {
    let mut count = 0;
    walk::walk(document, &mut |_, _, value| {
        count += usize::from(value.get("$ref").is_some_and(|found| found == reference));
    });
    count
}

/// The encoding of a property as a part.
struct Part {
    is_file: bool,
    is_list: bool,
    /// True if its value is an object or a list of objects.
    is_structure: bool,
    /// True if its value, or an item of it, may be text.
    is_text: bool,
    is_nullable: bool,
    /// The media type in the document, or the first applicable one of several.
    media_type: Option<String>,
    /// The other media types.
    other_types: Vec<String>,
}

/// Returns the media types in an encoding, of which the sender chooses one.
fn content_types(encoding: Option<&Value>) -> impl Iterator<Item = &str> {
    let types = encoding.and_then(|encoding| encoding.get("contentType")?.as_str());
    types
        .into_iter()
        .flat_map(|types| types.split(','))
        .map(str::trim)
}

impl Part {
    fn of(document: &Value, property: &Property, encoding: Option<&Value>) -> Self {
        let schema = unwrapped(document, &property.schema);
        let is_list = schema.get("type") == Some(&json!("array"));
        let nothing = json!({});
        let item = if is_list {
            unwrapped(document, schema.get("items").unwrap_or(&nothing))
        } else {
            schema
        };
        let mut types: Vec<&str> = content_types(encoding).collect();
        let bytes = types
            .iter()
            .any(|media_type| MediaTypeKind::of(media_type) == MediaTypeKind::Bytes);
        let is_string = item.get("type") == Some(&json!("string"));
        let is_binary = is_string && item.get("format") == Some(&json!("binary"));
        let is_file = is_binary || bytes && (is_string || is_anything(item));
        if types.is_empty() && is_binary {
            let media_type = item.get("contentMediaType").and_then(Value::as_str);
            types.extend(
                media_type
                    .filter(|media_type| MediaTypeKind::of(media_type) == MediaTypeKind::Bytes),
            );
        }
        let is_structure = matches!(
            property.shape,
            Shape::Object(_) | Shape::Map | Shape::Nested
        );
        let fits = |media_type: &str| {
            is_concrete(media_type) && (is_file || !is_structure || is_json(media_type))
        };
        let first = types.iter().position(|media_type| fits(media_type));
        Self {
            is_file,
            is_list,
            is_structure,
            is_text: !is_structure
                && !matches!(
                    item.get("type").and_then(Value::as_str),
                    Some("integer" | "number" | "boolean")
                ),
            is_nullable: schema.is_nullable() || property.schema.is_nullable(),
            media_type: first.map(|index| types.remove(index).to_owned()),
            other_types: types.into_iter().map(str::to_owned).collect(),
        }
    }

    fn in_model(&self, name: &str) -> model::Part {
        model::Part {
            name: name.to_owned(),
            is_file: self.is_file,
            media_type: self.media_type.clone(),
        }
    }

    fn schema(&self, property: &Property, file: &Value) -> Value {
        if !self.is_file {
            return property.schema.clone();
        }
        let of_files = if self.is_list {
            json!({"type": "array", "items": file})
        } else {
            json!({"allOf": [file]})
        };
        let mut schema = of_files;
        for annotation in ["description", "deprecated", "nullable"] {
            if let Some(value) = property.schema.get(annotation) {
                schema[annotation] = value.clone();
            }
        }
        if let (Some(first), [_, ..], Some(object)) = (
            &self.media_type,
            self.other_types.as_slice(),
            schema.as_object_mut(),
        ) {
            let others = self.other_types.join("` or `");
            let sentence = format!(
                "Sent as `{first}` unless the file has a media type. Also allowed: `{others}`."
            );
            describe(object, &sentence);
        }
        schema
    }

    fn unsupported(
        &self,
        at: &Pointer,
        property: &Property,
        encoding: Option<&Value>,
        changes: &mut Changes,
    ) {
        let name = &property.name;
        for keyword in ["headers", "style", "explode", "allowReserved"] {
            if encoding.is_some_and(|encoding| encoding.get(keyword).is_some()) {
                let what = format!("`{keyword}` of the part `{name}`");
                changes.lost(
                    &at.join(keyword),
                    what,
                    "the part only has a name and a media type",
                );
            }
        }
        if self.is_text && !self.is_file && self.media_type.as_deref().is_some_and(is_json) {
            changes.lost(
                &at.join("contentType"),
                format!("JSON as the content of the part `{name}`, which is a string"),
                "the caller encodes it",
            );
        }
        let instead = match &self.media_type {
            // The caller may choose the media type of a file.
            Some(_) if self.is_file => return,
            Some(first) => format!("it is `{first}`"),
            None if self.is_file => {
                "that of the caller, or else `application/octet-stream`".to_owned()
            }
            None if self.is_structure => "its content is JSON".to_owned(),
            None => "the part has no media type".to_owned(),
        };
        for media_type in &self.other_types {
            changes.lost(
                &at.join("contentType"),
                format!("the media type `{media_type}` of the part `{name}`"),
                &*instead,
            );
        }
    }
}

/// Returns the schema behind references and single-member `allOf` wrappers.
fn unwrapped<'a>(document: &'a Value, mut schema: &'a Value) -> &'a Value {
    for _ in 0..MAX_DEPTH {
        let Some(followed) = walk::follow(document, schema) else {
            break;
        };
        schema = followed;
        match schema.only_part() {
            Some(only) if schema.get("type").is_none() => schema = only,
            _ => break,
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies the rule to `POST /a` with this media type, and returns the body and the schemas.
    fn with(media_type: &str, object: Value) -> Value {
        let mut document = json!({
            "paths": {"/a": {"post": {"operationId": "a", "requestBody": {"content": {media_type: object}}}}},
            "components": {"schemas": {
                "Alone": {"title": "A form", "type": "object", "required": ["file"], "properties": {
                    "file": {"type": "string", "format": "binary", "description": "What."},
                }, "additionalProperties": {"type": "string"}},
                "Shared": {"allOf": [{"$ref": "#/components/schemas/Base"}, {"properties": {"more": {"type": "string"}}}]},
                "Base": {"properties": {"file": {"$ref": "#/components/schemas/Binary"}}},
                "Binary": {"type": "string", "format": "binary"},
                "Other": {"properties": {"shared": {"$ref": "#/components/schemas/Shared"}}},
                "FilePart": {"type": "string"},
            }},
        });
        let before = document["components"]["schemas"].clone();
        let mut changes = Changes::default();
        parts(&mut document, &mut changes);
        let unsupported: Vec<String> = changes
            .unsupported
            .iter()
            .map(|loss| format!("{}: {}: {}", loss.pointer, loss.what, loss.instead))
            .collect();
        let mut golden = json!({"lost": unsupported});
        if let Some(operation) = document["paths"]["/a"].get("post") {
            golden["body"] = operation["requestBody"].clone();
            let post = Pointer::root().join("paths").join("/a").join("post");
            let parts = changes
                .model
                .operation(&post)
                .and_then(|facts| facts.body.parts());
            let parts = parts.into_iter().flatten().map(|part| format!("{part:?}"));
            golden["parts"] = parts.collect();
        }
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for (name, schema) in schemas {
            if before.get(name) != Some(schema) {
                golden[name] = schema.clone();
            }
        }
        golden
    }

    fn of(schema: Value) -> Value {
        with(FORM_DATA, json!({"schema": schema}))
    }

    #[test]
    fn parts_become_properties() {
        insta::assert_json_snapshot!(json!({
            "in place": of(json!({"$ref": "#/components/schemas/Alone"})),
            "a copy": of(json!({"$ref": "#/components/schemas/Shared"})),
            "no parts": of(json!({"type": "object"})),
            "a reference in the void": of(json!({"$ref": "#/components/schemas/Nobody"})),
            "another type": with("multipart/mixed", json!({"schema": {"$ref": "#/components/schemas/Alone"}})),
        }));
    }

    #[test]
    fn parts_are_encoded_as_documented() {
        let schema = json!({"type": "object", "properties": {
            "file": {"type": "string", "format": "binary", "nullable": true},
            "files": {"type": "array", "items": {"$ref": "#/components/schemas/Binary"}, "deprecated": true},
            "image": {"description": "No type."},
            "scan": {"type": "string"},
            "any_image": {"type": "string", "format": "binary"},
            "text": {"type": "string"},
            "csv": {"type": "string"},
            "json": {"type": "string"},
            "number": {"type": "integer"},
            "meta": {"type": "object", "properties": {"a": {"type": "string"}}},
            "xml": {"type": "object", "properties": {"a": {"type": "string"}}},
        }});
        let encoding = json!({
            "image": {"contentType": "image/png"},
            "scan": {"contentType": "application/pdf", "headers": {"X-Page": {"schema": {"type": "integer"}}}},
            "any_image": {"contentType": "image/*"},
            "csv": {"contentType": "text/csv"},
            "json": {"contentType": "application/json"},
            "number": {"contentType": "application/json"},
            "text": {"contentType": "text/*", "style": "form"},
            "meta": {"contentType": "application/vnd.a+json"},
            "xml": {"contentType": "application/xml"},
            "nobody": {"contentType": "text/csv"},
        });
        insta::assert_json_snapshot!(with(
            FORM_DATA,
            json!({"schema": schema, "encoding": encoding})
        ));
    }
}
