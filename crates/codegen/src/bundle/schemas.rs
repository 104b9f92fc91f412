//! Schemas that JSON Schema does not allow, but whose meaning is clear.
//!
//! - In YAML, null without quotes is not the name of a type: `type: [string, null]`.
//! - Null in place of a schema, such as `items:` without a value, and a type such as `int`, constrain nothing.

use serde_json::{Value, json};

use crate::openapi::JsonType;
use crate::pointer::Pointer;
use crate::unsupported::Unsupported;
use crate::walk::{self, Kind};

/// Corrects such schemas, and reports those that constrain less than they seem to.
pub(super) fn correct(document: &mut Value, unsupported: &mut Vec<Unsupported>) {
    let is_type = |name: &Value| {
        name.as_str()
            .is_some_and(|name| JsonType::named(name).is_some())
    };
    let mut lost = |place: &Pointer, what: String| {
        unsupported.push(Unsupported::new(place, what, "any value is accepted"));
    };
    walk::walk_mut(document, &mut |kind, pointer, schema| {
        if kind != Kind::Schema {
            return;
        }
        if schema.is_null() {
            *schema = json!({});
            lost(pointer, "null in place of a schema".to_owned());
        }
        let Some(object) = schema.as_object_mut() else {
            return;
        };
        let names = match object.get_mut("type") {
            Some(Value::Array(names)) => names.as_mut_slice(),
            Some(name) => std::slice::from_mut(name),
            None => return,
        };
        for name in names.iter_mut().filter(|name| name.is_null()) {
            *name = json!("null");
        }
        if let Some(unknown) = names.iter().find(|name| !is_type(name)) {
            let what = format!("the type {unknown}, which JSON Schema does not have");
            lost(&pointer.join("type"), what);
            object.remove("type");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_with_a_clear_meaning_are_corrected() {
        let mut document = json!({"components": {"schemas": {
            "Nullable": {"type": ["string", null], "example": {"type": null}},
            "Nothing": {"type": null},
            "List": {"type": "array", "items": null},
            "Number": {"type": "int"},
            "Several": {"type": ["int", "string"]},
            "Property": {"properties": {"type": {"type": "string"}}},
        }}});
        let mut unsupported = Vec::new();
        correct(&mut document, &mut unsupported);
        let reports: Vec<String> = unsupported
            .iter()
            .map(|loss| format!("{}: {}: {}", loss.pointer, loss.what, loss.instead))
            .collect();
        insta::assert_json_snapshot!(json!({"document": document, "reports": reports}));
    }
}
