//! Request bodies: one media type each, in a form that progenitor can send.
//!
//! If a body may have several types, the client sends the first available of: JSON, `+json`, form, text, bytes,
//! `multipart/form-data`. The media type on the wire, the styles of form fields, and whether the body is optional are
//! in the model.

use serde_json::{Map, Value, json};

use super::parameters::{Shape, shape};
use super::{Changes, replace};
use crate::media_type::{MediaTypeKind, is_concrete, request_rank};
use crate::model;
use crate::openapi::{Schema as _, Style};
use crate::pointer::{Lookup as _, Pointer};
use crate::walk;

/// Returns the Request Body objects, each with the operations that use it.
pub(super) fn bodies(document: &Value) -> Vec<(Pointer, Vec<Pointer>)> {
    let mut bodies: Vec<(Pointer, Vec<Pointer>)> = Vec::new();
    for operation in walk::operations(document) {
        let entry = operation.pointer.join("requestBody");
        let Some((place, _)) = walk::locate(document, &entry) else {
            continue;
        };
        match bodies.iter_mut().find(|(other, _)| *other == place) {
            Some((_, operations)) => operations.push(operation.pointer),
            None => bodies.push((place, vec![operation.pointer])),
        }
    }
    bodies
}

/// Inlines references to request bodies outside of the components. progenitor only looks at the last token of a
/// reference, and only among the components.
pub(super) fn inline_references(document: &mut Value, changes: &mut Changes) {
    let mut inlined = Vec::new();
    for operation in walk::operations(document) {
        let entry = operation.pointer.join("requestBody");
        let Some((place, object)) = walk::locate(document, &entry) else {
            continue;
        };
        let steps: Vec<String> = place.tokens().collect();
        let component = matches!(steps.as_slice(), [components, bodies, _] if components == "components" && bodies == "requestBodies");
        if place != entry && !component {
            inlined.push((entry, object.clone()));
        }
    }
    replace(document, inlined, changes);
}

/// Reduces each body to its preferred media type, with the schema that progenitor expects for such a type.
pub(super) fn request_types(document: &mut Value, changes: &mut Changes) {
    let mut contents = Vec::new();
    for (place, operations) in bodies(document) {
        let Some(content) = document
            .at(place.as_str())
            .and_then(|body| body.get("content"))
            .and_then(Value::as_object)
        else {
            continue;
        };
        let pointer = place.join("content");
        let best = content.iter().min_by_key(|(name, _)| request_rank(name));
        let Some((name, object)) = best else {
            continue;
        };
        let sent = MediaTypeKind::of(name);
        for other in content.keys().filter(|other| *other != name) {
            changes.lost(
                &pointer.join(other),
                format!("a body of type `{other}`"),
                format!("the body is sent as `{name}`"),
            );
        }
        if sent == MediaTypeKind::Multipart {
            // The rule `multipart` handles these.
            if content.len() > 1 {
                changes.at(&pointer.join(name));
                contents.push((pointer, json!({name: object})));
            }
            continue;
        }
        let here = pointer.join(name);
        let (key, media_type) = media_type(document, &here, sent, object, changes);
        let as_it_is = content.len() == 1 && key == name && object.as_object() == Some(&media_type);
        let wire = name.trim();
        if !as_it_is {
            contents.push((pointer, json!({key: media_type})));
            changes.at(&here);
        }
        if !key.eq_ignore_ascii_case(wire) {
            if is_concrete(wire) {
                for operation in &operations {
                    let facts = &mut changes.model.operation_mut(operation).body;
                    facts.content_type = Some(wire.to_owned());
                }
            } else {
                changes.lost(
                    &here,
                    format!("`{wire}`, which leaves the media type to the sender"),
                    format!("the body is sent as `{key}`"),
                );
            }
        }
    }
    for (content, media_types) in contents {
        if let Some(place) = document.at_mut(content.as_str()) {
            *place = media_types;
        }
    }
}

/// Returns the media type object that progenitor reads for a body of this kind, and its key.
fn media_type(
    document: &Value,
    place: &Pointer,
    sent: MediaTypeKind,
    object: &Value,
    changes: &mut Changes,
) -> (&'static str, Map<String, Value>) {
    let mut object = object.as_object().cloned().unwrap_or_default();
    let schema = object.get("schema").cloned();
    // True if the schema only says that the body is text or bytes.
    let is_text = schema
        .as_ref()
        .is_none_or(|schema| matches!(shape(document, schema), Shape::Plain | Shape::Single));
    let mut raw = |key, wanted: Value, what: &str| {
        if !is_text {
            changes.lost(
                place,
                "the schema of the body",
                format!("the caller encodes {what}"),
            );
        }
        object.insert("schema".to_owned(), wanted);
        object.remove("encoding");
        (key, std::mem::take(&mut object))
    };
    match sent {
        MediaTypeKind::Text => raw("text/plain", json!({"type": "string"}), "its text"),
        MediaTypeKind::Bytes | MediaTypeKind::Multipart => raw(
            "application/octet-stream",
            json!({"type": "string", "format": "binary"}),
            "its bytes",
        ),
        MediaTypeKind::Form => match schema.as_ref().map(|schema| shape(document, schema)) {
            Some(Shape::Object(_) | Shape::Map) => ("application/x-www-form-urlencoded", object),
            _ => raw("text/plain", json!({"type": "string"}), "its text"),
        },
        MediaTypeKind::Json | MediaTypeKind::PlusJson => {
            object.entry("schema").or_insert_with(|| json!({}));
            object.remove("encoding");
            ("application/json", object)
        }
    }
}

/// Adds forms with an `encoding` or with lists to the model, for the client's `encode` module. progenitor panics at the
/// former and cannot send the latter.
pub(super) fn forms(document: &mut Value, changes: &mut Changes) {
    const FORM: &str = "application/x-www-form-urlencoded";
    let mut forms = bodies(document);
    forms.retain(|(place, _)| {
        let form = place.join("content").join(FORM);
        document.at(form.as_str()).is_some()
    });
    let mut encoded = Vec::new();
    for (place, operations) in forms {
        let pointer = place.join("content").join(FORM);
        let Some(object) = document.at(pointer.as_str()) else {
            continue;
        };
        let encoding = object.get("encoding").and_then(Value::as_object);
        let schema = object.get("schema").unwrap_or(&Value::Null);
        let properties = match shape(document, schema) {
            Shape::Object(properties) => properties,
            _ => Vec::new(),
        };
        for property in &properties {
            if property.schema.is_nullable()
                || walk::follow(document, &property.schema).is_some_and(Value::is_nullable)
            {
                changes.lost(
                    &pointer.join("schema"),
                    format!("null of the field `{}`", property.name),
                    "the field is left out",
                );
            }
        }
        let flat = properties
            .iter()
            .all(|property| matches!(property.shape, Shape::Plain | Shape::Single));
        if flat && encoding.is_none() {
            continue;
        }
        let mut fields = Vec::new();
        for (name, encoding) in encoding.into_iter().flatten() {
            let at = pointer.join("encoding").join(name);
            let property = properties.iter().find(|property| property.name == *name);
            let shape = property.map_or(&Shape::Single, |property| &property.shape);
            if let Some(style) = field_style(name, encoding, shape, &at, changes) {
                fields.push((name.clone(), style));
            }
        }
        for operation in &operations {
            changes.model.operation_mut(operation).body.encoding =
                model::BodyEncoding::Form(fields.clone());
        }
        changes.at(&pointer);
        encoded.push(pointer);
    }
    for pointer in encoded {
        if let Some(object) = document
            .at_mut(pointer.as_str())
            .and_then(Value::as_object_mut)
        {
            object.remove("encoding");
        }
    }
}

/// Returns the style of a form field that the document gives one, and reports what is not supported of its encoding.
fn field_style(
    name: &str,
    encoding: &Value,
    shape: &Shape,
    at: &Pointer,
    changes: &mut Changes,
) -> Option<model::Style> {
    if encoding.has_flag("allowReserved") {
        changes.lost(
            &at.join("allowReserved"),
            format!("`allowReserved` of the field `{name}`"),
            "reserved characters are percent-encoded",
        );
    }
    let stated = Style::of_field(encoding);
    let style = match (stated, shape) {
        (Some((Style::DeepObject, _)), Shape::Object(_) | Shape::Map | Shape::Nested) => {
            Some(model::Style::Deep)
        }
        (Some((Style::Form, false)), Shape::List) => Some(model::Style::Comma),
        (Some((Style::SpaceDelimited, false)), Shape::List) => Some(model::Style::Space),
        (Some((Style::PipeDelimited, false)), Shape::List) => Some(model::Style::Pipe),
        // Lists are written as one field per item by default.
        (None, _) | (_, Shape::List | Shape::Plain | Shape::Single) => None,
        _ => {
            let what = format!("the style of the field `{name}`");
            changes.lost(at, what, "its value is sent as JSON");
            None
        }
    };
    let media_type = encoding.text("contentType");
    if let Some(media_type) = media_type.filter(|_| stated.is_none()) {
        let structure = matches!(shape, Shape::Object(_) | Shape::Map | Shape::Nested);
        let fits = match MediaTypeKind::of(media_type) {
            MediaTypeKind::Json | MediaTypeKind::PlusJson => structure,
            MediaTypeKind::Text => !structure,
            _ => false,
        };
        if !fits {
            let instead = if structure { "JSON" } else { "its text" };
            changes.lost(
                &at.join("contentType"),
                format!("the media type `{media_type}` of the field `{name}`"),
                format!("its value is sent as {instead}"),
            );
        }
    }
    style
}

/// Adds optional bodies to the model. progenitor's builders always send a body; `postprocess` makes it optional.
pub(super) fn optional_bodies(document: &mut Value, changes: &mut Changes) {
    for (place, operations) in bodies(document) {
        let Some(body) = document.at(place.as_str()) else {
            continue;
        };
        let has_type = body
            .get("content")
            .and_then(Value::as_object)
            .is_some_and(|content| !content.is_empty());
        if !has_type || body.has_flag("required") {
            continue;
        }
        for operation in &operations {
            changes.model.operation_mut(operation).body.is_optional = true;
        }
        changes.at(&place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies the rules of this module to `POST /a` with this body, and returns the result and the reports.
    fn with(body: Value) -> Value {
        let mut document = json!({
            "paths": {"/a": {"post": {"operationId": "a", "requestBody": body}}},
            "components": {
                "requestBodies": {"Shared": {"required": true, "content": {"text/html": {}}}},
                "schemas": {"Range": {"type": "object", "properties": {"gte": {"type": "integer"}}}},
            },
        });
        let mut changes = Changes::default();
        for rule in [inline_references, request_types, forms, optional_bodies] {
            rule(&mut document, &mut changes);
        }
        let unsupported: Vec<String> = changes
            .unsupported
            .iter()
            .map(|loss| format!("{}: {}: {}", loss.pointer, loss.what, loss.instead))
            .collect();
        let shared = &document["components"]["requestBodies"]["Shared"];
        let mut golden =
            json!({"a": document["paths"]["/a"]["post"]["requestBody"], "lost": unsupported});
        if golden["a"].get("$ref").is_some() {
            golden["shared"] = shared.clone();
        }
        let post = Pointer::root().join("paths").join("/a").join("post");
        if let Some(facts) = changes.model.operation(&post) {
            golden["model"] = json!(format!("{:?}", facts.body));
        }
        golden
    }

    fn of(content: Value) -> Value {
        with(json!({"required": true, "content": content}))
    }

    #[test]
    fn media_types_become_supported_ones() {
        let range = json!({"schema": {"$ref": "#/components/schemas/Range"}});
        insta::assert_json_snapshot!(json!({
            "json": of(json!({"application/json": range})),
            "json without a schema": of(json!({"application/json; charset=utf-8": {}})),
            "plus json": of(json!({"application/merge-patch+json": range})),
            "text": of(json!({"text/csv": {"schema": {"type": "string", "maxLength": 9}}})),
            "bytes": of(json!({"audio/wav": {}})),
            "xml": of(json!({"application/xml": range})),
            "anything": of(json!({"*/*": {}})),
            "several": of(json!({"multipart/form-data": range, "text/plain": {}, "application/json": range})),
            "multipart": of(json!({"multipart/form-data": range})),
            "a form that is none": of(json!({"application/x-www-form-urlencoded": {"schema": {"type": "string"}}})),
            "shared": with(json!({"$ref": "#/components/requestBodies/Shared"})),
            "optional": with(json!({"content": {"application/json": range}})),
            "not a type": of(json!({"what\nis this": {}})),
        }));
    }

    #[test]
    fn forms_that_are_not_flat_are_in_the_model() {
        let form = |encoding: Value| {
            of(json!({"application/x-www-form-urlencoded": {
                "schema": {"type": "object", "properties": {
                    "list": {"type": "array", "items": {"type": "string"}},
                    "range": {"$ref": "#/components/schemas/Range"},
                    "text": {"type": "string", "nullable": true},
                }},
                "encoding": encoding,
            }}))
        };
        insta::assert_json_snapshot!(json!({
            "flat": of(json!({"application/x-www-form-urlencoded": {"schema": {"$ref": "#/components/schemas/Range"}}})),
            "lists": form(json!({})),
            "styles": form(json!({"list": {"explode": false}, "range": {"style": "deepObject"}})),
            "other styles": form(json!({"list": {"style": "pipeDelimited"}, "range": {"style": "spaceDelimited"}})),
            "types": form(json!({"range": {"contentType": "application/xml"}, "text": {"contentType": "text/plain", "allowReserved": true}})),
        }));
    }
}
