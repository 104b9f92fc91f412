//! Parameter styles.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::shape::one_or_many;
use super::{Property, Shape, describe, edit_each, replace_entries, shape, text};
use crate::model::Style as Encoded;
use crate::normalize::Changes;
use crate::openapi::{Additional, Schema as _, Style, explodes, of_operation};
use crate::pointer::Pointer;
use crate::walk;

/// Replaces objects in the query by one parameter per property, because progenitor panics at such objects. `style:
/// form` uses the names of the properties, `deepObject` uses `name[property]` (OpenAPI 3.0, section 4.7.12.3).
pub(in crate::normalize) fn spread_objects(document: &mut Value, changes: &mut Changes) {
    let mut reported = BTreeSet::new();
    replace_entries(document, |document, place, object| {
        if text(object, "in") != "query" {
            return None;
        }
        let style = Style::of(object);
        let deep = match style {
            Style::Form if explodes(object) => false,
            Style::DeepObject => true,
            _ => return None,
        };
        let Shape::Object(properties) = shape(document, object.get("schema")?) else {
            return None;
        };
        // Nested objects are encoded as one value; see `styles`.
        if properties.iter().any(|property| {
            matches!(
                property.shape,
                Shape::Map | Shape::Object(_) | Shape::Nested
            )
        }) {
            return None;
        }
        let name = text(object, "name");
        if deep {
            let lists = properties
                .iter()
                .filter(|property| property.shape == Shape::List);
            for list in lists {
                let key = &list.name;
                changes.lost(
                    place,
                    format!("the list `{key}` in an object of the style `deepObject`, which does not define lists"),
                    format!("it is sent as `{name}[{key}]=a&{name}[{key}]=b`"),
                );
            }
        }
        let required = object.has_flag("required");
        let parameters = properties.iter().map(|property| {
            let wire = if deep {
                format!("{name}[{}]", property.name)
            } else {
                property.name.clone()
            };
            property_parameter(object, property, &wire, required && property.required)
        });
        if reported.insert(place.clone()) {
            changes.at(place);
            let schema = walk::follow(document, object.get("schema")?);
            let is_open = schema.is_some_and(|schema| {
                matches!(schema.additional(), Additional::Any | Additional::Of(_))
            });
            if is_open {
                changes.lost(
                    place,
                    "further properties of the object",
                    "only named properties can be sent",
                );
            }
        }
        Some(parameters.collect())
    });
}

/// Returns the parameter for a property of an object parameter.
fn property_parameter(object: &Value, property: &Property, name: &str, required: bool) -> Value {
    let mut parameter = json!({
        "name": name,
        "in": "query",
        "required": required,
        "schema": property.schema,
    });
    if let Some(parameter) = parameter.as_object_mut() {
        for (key, value) in [
            ("description", property.schema.get("description")),
            (
                "deprecated",
                property
                    .schema
                    .get("deprecated")
                    .or(object.get("deprecated")),
            ),
        ] {
            if let Some(value) = value {
                parameter.insert(key.to_owned(), value.clone());
            }
        }
    }
    parameter
}

/// Returns the style in which the client's `encode` module writes a value, or `None` if progenitor writes it correctly.
fn encoded(style: Style, explode: bool, shape: &Shape) -> Option<Encoded> {
    match (style, shape) {
        (Style::Form, Shape::List | Shape::Map | Shape::Object(_)) if explode => None,
        (Style::Form, Shape::List | Shape::Map | Shape::Object(_)) => Some(Encoded::Comma),
        (Style::SpaceDelimited, Shape::List) if !explode => Some(Encoded::Space),
        (Style::PipeDelimited, Shape::List) if !explode => Some(Encoded::Pipe),
        (Style::SpaceDelimited, Shape::Map | Shape::Object(_)) => Some(Encoded::Space),
        (Style::PipeDelimited, Shape::Map | Shape::Object(_)) => Some(Encoded::Pipe),
        (Style::DeepObject, Shape::Map | Shape::Object(_) | Shape::Nested) => Some(Encoded::Deep),
        (Style::Simple, Shape::Plain) => None,
        (Style::Simple, _) if explode => Some(Encoded::SimpleExploded),
        (Style::Simple, _) => Some(Encoded::Simple),
        (Style::Label, _) if explode => Some(Encoded::LabelExploded),
        (Style::Label, _) => Some(Encoded::Label),
        (Style::Matrix, _) if explode => Some(Encoded::MatrixExploded),
        (Style::Matrix, _) => Some(Encoded::Matrix),
        _ => None,
    }
}

/// Adds the styles that the client's `encode` module writes to the model, and leaves progenitor's own in the document.
pub(in crate::normalize) fn styles(document: &mut Value, changes: &mut Changes) {
    let mut styles: BTreeMap<Pointer, Encoded> = BTreeMap::new();
    edit_each(document, |document, place, object| {
        let location = object.text("in").unwrap_or_default().to_owned();
        let (mut style, explode) = (Style::of(object), explodes(object));
        if style == Style::Unknown {
            let said = object.remove("style").unwrap_or_default();
            let (default, name) = Style::default_in(&location);
            changes.at(place);
            changes.lost(
                place,
                format!("the style {said}, which a parameter in `{location}` cannot have"),
                format!("the style is `{name}`"),
            );
            style = default;
        }
        // Paths and headers cannot encode null.
        if location != "query"
            && let Some(schema) = object.get_mut("schema").and_then(Value::as_object_mut)
        {
            schema.remove("nullable");
        }
        let list = object
            .get("schema")
            .and_then(|schema| one_or_many(document, schema));
        if let Some(list) =
            list.filter(|_| explode && location == "query" && style != Style::DeepObject)
        {
            object.insert("schema".to_owned(), list);
            changes.at(place);
        }
        let shape = shape(document, object.get("schema").unwrap_or(&Value::Null));
        let style = match (style, &shape) {
            (_, Shape::Nested) if style != Style::DeepObject => {
                changes.at(place);
                changes.lost(
                    place,
                    "a nested list or object, which the style does not define",
                    "the caller encodes the value",
                );
                object.insert("schema".to_owned(), json!({"type": "string"}));
                describe(object, "The encoded value.");
                None
            }
            _ => encoded(style, explode, &shape),
        };
        // progenitor supports structs in bodies only.
        if matches!(shape, Shape::Object(_))
            || (style == Some(Encoded::Deep) && shape == Shape::Nested)
        {
            changes.lost(
                place,
                "the properties of the object",
                if style == Some(Encoded::Deep) {
                    "it takes any JSON object; items of lists are sent separately"
                } else {
                    "it takes any JSON object"
                },
            );
            object.insert(
                "schema".to_owned(),
                json!({"type": "object", "additionalProperties": true}),
            );
        }
        if let Some(style) = style {
            styles.insert(place.clone(), style);
            changes.at(place);
        }
        object.remove("style");
        object.remove("explode");
    });
    for operation in walk::operations(document) {
        let mut seen = BTreeSet::new();
        for parameter in of_operation(document, &operation) {
            // Of several parameters with the same key, the first applies; see `parameter_names`.
            if seen.insert(parameter.key())
                && let Some(style) = styles.get(&parameter.place)
            {
                let facts = changes.model.operation_mut(&operation.pointer);
                facts.parameters.entry(parameter.key()).or_default().style = Some(*style);
            }
        }
    }
}
