//! Examples of schemas for hand-written code: that of the document, else a sample.
//!
//! `[examples]` in codegen.toml names the files that hold them, each with the public name of a schema, which stays when the
//! document renames the schema, the operation or the path where its example stands.

use serde_json::{Value, json};

use crate::instance::{self, Direction};
use crate::pins::Pins;
use crate::pointer::Pointer;
use crate::walk::{self, Kind};
use crate::{names, sample};

/// Returns an example of the schema with this public name: of a media type with this schema, of the schema itself, or a
/// sample. Examples that are not valid are skipped. `None` if there is no such schema, or no example of it.
pub(crate) fn of_schema(document: &Value, pins: &Pins, public: &str) -> Option<Value> {
    let mut schemas = walk::schemas(document);
    let (name, schema) = schemas.find(|(name, _)| {
        let pinned = pins.schema(name);
        pinned == public || names::type_name(pinned) == public
    })?;
    let reference = json!({"$ref": Pointer::schema(name).to_ref()});
    let mut examples = Vec::new();
    walk::walk(document, &mut |place, _, object| {
        if place == Kind::MediaType && object.get("schema") == Some(&reference) {
            examples.extend(sample::example(document, object));
        }
    });
    let valid = examples
        .into_iter()
        .find_map(|example| instance::given(document, schema, example, Direction::Received));
    valid.or_else(|| sample::of_schema(document, schema, Direction::Received))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(media: Value, schema: Value) -> Value {
        let mut media = media;
        media["schema"] = json!({"$ref": "#/components/schemas/PetResponse"});
        json!({
            "paths": {"/pet": {"get": {"responses": {"200": {"content": {"application/json": media}}}}}},
            "components": {"schemas": {"PetResponse": schema}},
        })
    }

    fn schema() -> Value {
        json!({
            "type": "object",
            "required": ["id", "owner"],
            "properties": {
                "id": {"type": "string", "format": "uuid"},
                "owner": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "born": {"type": "string", "format": "date-time"},
            },
        })
    }

    fn example(document: &Value) -> Option<Value> {
        let pins = Pins {
            schemas: [("PetResponse".to_owned(), "Pet".to_owned())].into(),
            ..Pins::default()
        };
        of_schema(document, &pins, "Pet")
    }

    const ID: &str = "3c90c3cc-0d44-4b50-8888-8dd25736052a";

    #[test]
    fn example_is_found_wherever_the_document_has_it() {
        let pet = json!({"id": ID, "owner": null});
        let named = json!({"examples": {"one": {"value": pet}}});
        for (media, schema) in [
            (json!({"example": pet}), schema()),
            (named, schema()),
            (json!({}), {
                let mut schema = schema();
                schema["examples"] = json!([pet]);
                schema
            }),
        ] {
            assert_eq!(example(&document(media, schema)), Some(pet.clone()));
        }
    }

    #[test]
    fn invalid_example_is_replaced_by_a_sample() {
        let sample = json!({"id": ID, "owner": "text", "born": "2023-11-07T05:31:56Z"});
        for wrong in [
            json!({"owner": null}),
            json!({"id": "<id>", "owner": null}),
            json!({"id": ID, "owner": 7}),
            json!({"id": ID, "owner": null, "born": "yesterday"}),
            json!([]),
        ] {
            let mut schema = schema();
            let document_of_media = document(json!({"example": wrong}), schema.clone());
            assert_eq!(example(&document_of_media), Some(sample.clone()), "{wrong}");
            schema["examples"] = json!([wrong]);
            let document_of_schema = document(json!({}), schema);
            assert_eq!(
                example(&document_of_schema),
                Some(sample.clone()),
                "{wrong}"
            );
        }
        assert_eq!(example(&document(json!({}), schema())), Some(sample));
    }

    #[test]
    fn schema_that_is_not_in_the_document_has_no_example() {
        let document = document(json!({}), schema());
        assert_eq!(of_schema(&document, &Pins::default(), "Pet"), None);
        assert!(of_schema(&document, &Pins::default(), "PetResponse").is_some());
    }
}
