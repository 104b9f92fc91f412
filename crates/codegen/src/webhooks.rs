//! Webhooks: the requests that the service sends, as one type with a member for each.
//!
//! The bodies become a union among the components, so that its enum is that of any union: the event is chosen by a
//! property that has another value in each body, else by the other rules of unions.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::model::{Model, Webhooks};
use crate::names;
use crate::openapi::{Schema as _, json_schema, parts};
use crate::origin::Origins;
use crate::pointer::{Lookup as _, Pointer};
use crate::problem::{Problem, Problems};
use crate::settings::Settings;
use crate::unsupported::Unsupported;
use crate::walk;

/// The header that webhooks have which are signed as Standard Webhooks specify.
const SIGNATURE: &str = "webhook-signature";

/// A webhook whose body is JSON.
struct Webhook {
    name: String,
    /// The location of the schema.
    place: Pointer,
    schema: Value,
}

/// The webhooks of a document.
#[derive(Default)]
struct Found {
    webhooks: Vec<Webhook>,
    /// A webhook has the signature of Standard Webhooks as a parameter.
    are_signed: bool,
}

/// Finds the webhooks, and reports those without a body of JSON.
fn find(document: &Value, unsupported: &mut Vec<Unsupported>) -> Found {
    let mut found = Found::default();
    let items = document.get("webhooks").and_then(Value::as_object);
    for (name, _) in items.into_iter().flatten() {
        let place = Pointer::root().join("webhooks").join(name);
        let Some((place, item)) = walk::locate(document, &place) else {
            continue;
        };
        let methods = walk::METHODS.iter();
        let methods = methods.filter_map(|method| Some((*method, item.get(method)?)));
        for (method, operation) in methods {
            found.are_signed |= [item, operation]
                .iter()
                .any(|object| has_signature(document, object));
            let place = place.join(method);
            match json_schema(document, &place.join("requestBody")) {
                Some(place) => found.webhooks.push(Webhook {
                    name: name.clone(),
                    schema: document.at(place.as_str()).cloned().unwrap_or_default(),
                    place,
                }),
                None => unsupported.push(Unsupported::new(
                    &place,
                    format!("the webhook `{name}`: it has no body of JSON"),
                    "nothing is generated for it",
                )),
            }
        }
    }
    found
}

/// Returns true if a path item or an operation has the signature as a parameter.
fn has_signature(document: &Value, object: &Value) -> bool {
    let parameters = object.get("parameters").and_then(Value::as_array);
    parameters.into_iter().flatten().any(|parameter| {
        walk::follow(document, parameter)
            .and_then(|parameter| parameter.get("name")?.as_str())
            .is_some_and(|name| name.eq_ignore_ascii_case(SIGNATURE))
    })
}

/// Moves the bodies of the webhooks to the components, as the members of a union. Returns `None` if there are none.
pub(crate) fn hoist(
    document: &mut Value,
    unsupported: &mut Vec<Unsupported>,
    origins: &mut Origins,
) -> Option<Webhooks> {
    let Found {
        webhooks,
        are_signed,
    } = find(document, unsupported);
    if webhooks.is_empty() {
        return None;
    }
    let mut taken = names::type_names(document);
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for webhook in &webhooks {
        *uses.entry(webhook.schema.to_string()).or_default() += 1;
    }
    let mut members: Vec<Value> = Vec::new();
    let mut tags = Vec::new();
    for webhook in webhooks {
        let Webhook {
            name,
            place,
            schema,
        } = webhook;
        let is_shared = uses.get(&schema.to_string()).is_some_and(|uses| *uses > 1);
        let tag = tag(document, &schema, &name);
        let own = match (&tag, is_shared) {
            // The values of the property tell the webhooks apart.
            (Some(property), true) => Some(json!({"allOf": [schema, {
                "type": "object",
                "required": [property],
                "properties": {property: {"type": "string", "enum": [name]}},
            }]})),
            (None, true) => {
                unsupported.push(Unsupported::new(
                    &place,
                    format!("the webhook `{name}`, which has the same body as another one"),
                    "they are one variant",
                ));
                None
            }
            (_, false) => None,
        };
        let is_named = schema.get("$ref").is_some();
        let member = match (own, is_named) {
            (None, true) => schema,
            (own, _) => {
                let component = names::unique(&names::type_name(&name), &mut taken);
                let new = Pointer::schema(&component);
                origins.moved(&place, &new);
                if let Some(schemas) = walk::schemas_mut(document) {
                    schemas.insert(component, own.unwrap_or(schema));
                }
                json!({"$ref": new.to_ref()})
            }
        };
        if !members.contains(&member) {
            members.push(member);
        }
        tags.push(tag.map(|property| (property, name)));
    }
    let name = names::unique("Webhook", &mut taken);
    let mut union = json!({
        "description": "A webhook: a request that the service sends when something has happened.",
        "oneOf": members,
    });
    // A union of one member is not a union unless a property says so.
    if let ([member], [Some((property, value))]) = (members.as_slice(), tags.as_slice()) {
        let mapping = Map::from_iter([(value.clone(), member["$ref"].clone())]);
        union["discriminator"] = json!({"propertyName": property, "mapping": mapping});
    }
    let place = Pointer::root().join("webhooks");
    origins.moved(&place, &Pointer::schema(&name));
    if let Some(schemas) = walk::schemas_mut(document) {
        schemas.insert(name.clone(), union);
    }
    Some(Webhooks {
        schema: name,
        are_verified: are_signed,
    })
}

/// Adds what the settings say about webhooks to the model.
///
/// # Errors
/// Errors if the document has no webhooks.
pub(crate) fn set(model: &mut Model, settings: &Settings) -> Result<(), Problems> {
    match (&mut model.webhooks, settings.verifies_webhooks) {
        (_, None) => Ok(()),
        (Some(webhooks), Some(verifies)) => {
            webhooks.are_verified = verifies;
            Ok(())
        }
        (None, Some(_)) => Err(Problem::of_file(
            &settings.path,
            "cannot verify webhooks: the document has none",
            "delete `[webhooks]`",
        )
        .into()),
    }
}

/// Returns the property of a body whose listed values include the name of the webhook.
fn tag(document: &Value, schema: &Value, name: &str) -> Option<String> {
    let parts = parts(document, schema).into_iter();
    let mut properties = parts.flat_map(|part| part.properties());
    let is_tag = |property: &Value| {
        let listed = walk::follow(document, property).and_then(|property| property.listed());
        listed.is_some_and(|listed| listed.iter().any(|value| *value == name))
    };
    let tag = properties.find(|(_, property)| is_tag(property));
    tag.map(|(property, _)| property.clone())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics fails")]
mod tests {
    use super::*;
    use crate::load::Source;
    use crate::{Choices, generate_all};

    /// Returns the union of these webhooks, and the reports.
    fn union(webhooks: Value, schemas: Value) -> (Value, Vec<String>) {
        let mut document = json!({"webhooks": webhooks, "components": {"schemas": schemas}});
        let mut unsupported = Vec::new();
        let found = hoist(&mut document, &mut unsupported, &mut Origins::default()).unwrap();
        let union = &document["components"]["schemas"][&found.schema];
        let reports = unsupported.iter().map(|loss| loss.what.clone());
        (union.clone(), reports.collect())
    }

    fn post(schema: Value) -> Value {
        json!({"post": {"requestBody": {"content": {"application/json": {"schema": schema}}}}})
    }

    #[test]
    fn single_webhook_is_chosen_by_its_name() {
        let schemas = json!({"Ended": {"allOf": [{"properties": {"event": {"const": "ended"}}}]}});
        let reference = json!({"$ref": "#/components/schemas/Ended"});
        let (union, _) = union(json!({"ended": post(reference)}), schemas);
        assert_eq!(
            union["discriminator"],
            json!({"propertyName": "event", "mapping": {"ended": "#/components/schemas/Ended"}})
        );
    }

    #[test]
    fn single_webhook_leaves_room_for_unknown_ones() {
        let body = json!({"type": "object", "required": ["type"], "properties": {"type": {"const": "ended"}}});
        let source = Source {
            path: "a.json".to_owned(),
            label: "a.json".to_owned(),
            document: json!({
                "openapi": "3.1.0",
                "info": {"title": "t", "version": "1"},
                "webhooks": {"ended": post(body)},
            }),
            ..Source::default()
        };
        let generated = generate_all(source, &Settings::default(), Choices::default()).unwrap();
        let outputs = generated.plan.outputs.iter();
        let sources: String = outputs.map(|output| output.contents.as_str()).collect();
        assert!(sources.contains("pub enum Webhook {"));
        assert!(sources.contains("    Ended(Ended),"));
        assert!(sources.contains("    Unknown(::serde_json::Value),"));
        assert!(
            sources.contains(
                "pub type WebhookReceiver = crate::webhooks::Unverified<types::Webhook>;"
            )
        );
    }

    #[test]
    fn webhooks_that_nothing_tells_apart_are_one_variant() {
        let reference = json!({"$ref": "#/components/schemas/Any"});
        let webhooks = json!({"a": post(reference.clone()), "b": post(reference.clone())});
        let (union, reports) = union(webhooks, json!({"Any": {"type": "object"}}));
        assert_eq!(union["oneOf"], json!([reference]));
        assert_eq!(reports.len(), 2, "{reports:?}");
    }

    #[test]
    fn component_called_webhook_keeps_its_name() {
        let body = json!({"type": "object", "properties": {"id": {"type": "string"}}});
        let mut document = json!({
            "webhooks": {"webhook": post(body)},
            "components": {"schemas": {"Webhook": {"type": "object"}}},
        });
        let found = hoist(&mut document, &mut Vec::new(), &mut Origins::default()).unwrap();
        assert_eq!(found.schema, "Webhook3");
        assert!(document["components"]["schemas"]["Webhook2"]["properties"]["id"].is_object());
        assert_eq!(
            document["components"]["schemas"]["Webhook"],
            json!({"type": "object"})
        );
    }

    #[test]
    fn schema_that_contains_itself_has_no_name() {
        let schemas = json!({"Loop": {"allOf": [{"$ref": "#/components/schemas/Loop"}]}});
        let reference = json!({"$ref": "#/components/schemas/Loop"});
        let (union, _) = union(json!({"ended": post(reference)}), schemas);
        assert!(union.get("discriminator").is_none());
    }
}
