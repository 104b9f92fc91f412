//! References of a schema that was pasted from a JSON Schema.
//!
//! pydantic writes the models that a model refers to into its `$defs`, and refers to them from the root of the schema:
//! `#/$defs/Part`. In an OpenAPI document, that is the root of the document, where nothing is. FastAPI's documentation pastes
//! such schemas with `openapi_extra`.

use serde_json::{Value, json};

use crate::pointer::{Lookup as _, Pointer};

/// The beginnings of references to such a definition.
const ROOTS: [&str; 2] = ["#/$defs/", "#/definitions/"];

/// Changes references to definitions that the document does not have to those of the innermost schema that has them.
pub(super) fn find(document: &mut Value) {
    let mut references = Vec::new();
    collect(document, "", &mut Pointer::root(), &mut references);
    let found: Vec<(Pointer, String)> = references
        .into_iter()
        .filter_map(|place| {
            let target = Pointer::from_ref(document.at(place.as_str())?.as_str()?)?;
            if document.at(target.as_str()).is_some() {
                return None;
            }
            let target = enclosing(&place)
                .map(|schema| schema.append(target.as_str()))
                .find(|target| document.at(target.as_str()).is_some())?;
            Some((place, target.to_ref()))
        })
        .collect();
    for (place, reference) in found {
        if let Some(old) = document.at_mut(place.as_str()) {
            *old = json!(reference);
        }
    }
}

/// Collects the locations of the references in `value`, which is at `pointer` under `key`.
fn collect(value: &Value, key: &str, pointer: &mut Pointer, found: &mut Vec<Pointer>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                // Those of a discriminator are in its mapping.
                let is_reference = name == "$ref" || key == "mapping";
                if let Value::String(text) = value
                    && is_reference
                    && ROOTS.iter().any(|root| text.starts_with(root))
                {
                    found.push(pointer.join(name));
                }
                collect_in(value, name, pointer, found);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                collect_in(value, &index.to_string(), pointer, found);
            }
        }
        _ => {}
    }
}

/// Collects like [`collect`] in the value under `key` of the one at `pointer`.
fn collect_in(value: &Value, key: &str, pointer: &mut Pointer, found: &mut Vec<Pointer>) {
    if value.is_object() || value.is_array() {
        let length = pointer.down(key);
        collect(value, key, pointer, found);
        pointer.up(length);
    }
}

/// Returns the locations around this one, the innermost first.
fn enclosing(place: &Pointer) -> impl Iterator<Item = Pointer> {
    let mut pointers = vec![Pointer::root()];
    for token in place.tokens() {
        let outer = pointers.last().map(|outer| outer.join(token));
        pointers.extend(outer);
    }
    pointers.into_iter().rev()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_of_the_innermost_schema_are_found() {
        let mut document = json!({
            "components": {"schemas": {"A": {
                "$defs": {"Part": {"properties": {"next": {"$ref": "#/$defs/Part"}}}, "Own": {"type": "string"}},
                "items": {"$defs": {"Own": {"type": "integer"}}, "anyOf": [{"$ref": "#/$defs/Own"}, {"$ref": "#/$defs/Part"}]},
                "discriminator": {"propertyName": "p", "mapping": {"part": "#/$defs/Part", "other": "Other"}},
            }}},
            "definitions": {"Known": {}},
            "x": [{"definitions": {"Known": {}}, "$ref": "#/definitions/Known"}, {"$ref": "#/$defs/Missing"}],
        });
        find(&mut document);
        let at = |pointer: &str| document.at(pointer).and_then(Value::as_str).unwrap();
        let schema = "#/components/schemas/A";
        for (place, target) in [
            ("/$defs/Part/properties/next/$ref", "/$defs/Part"),
            ("/items/anyOf/0/$ref", "/items/$defs/Own"),
            ("/items/anyOf/1/$ref", "/$defs/Part"),
            ("/discriminator/mapping/part", "/$defs/Part"),
        ] {
            let place = format!("/components/schemas/A{place}");
            assert_eq!(at(&place), format!("{schema}{target}"));
        }
        assert_eq!(
            at("/components/schemas/A/discriminator/mapping/other"),
            "Other"
        );
        // These have their target, or none.
        assert_eq!(at("/x/0/$ref"), "#/definitions/Known");
        assert_eq!(at("/x/1/$ref"), "#/$defs/Missing");
    }
}
