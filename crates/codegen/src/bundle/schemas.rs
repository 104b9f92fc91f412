//! Schemas that JSON Schema does not allow.
//!
//! - In YAML, null without quotes is not the name of a type: `type: [string, null]`.
//! - Null in place of a schema, such as `items:` without a value, constrains nothing.
//! - Types of programming languages, such as `int`, are read as those of JSON. Other unknown types are ignored.

use serde_json::{Value, json};

use crate::openapi::JsonType;
use crate::pointer::Pointer;
use crate::unsupported::Unsupported;
use crate::walk::{self, Kind};

/// Corrects such schemas, and reports all but null among types.
pub(super) fn correct(document: &mut Value, unsupported: &mut Vec<Unsupported>) {
    let mut lost = |place: &Pointer, what: String, instead: &str| {
        unsupported.push(Unsupported::new(place, what, instead));
    };
    walk::walk_mut(document, &mut |kind, pointer, schema| {
        if kind != Kind::Schema {
            return;
        }
        if schema.is_null() {
            *schema = json!({});
            lost(
                pointer,
                "null in place of a schema".to_owned(),
                "any value is accepted",
            );
        }
        let Some(object) = schema.as_object_mut() else {
            return;
        };
        let names = match object.get_mut("type") {
            Some(Value::Array(names)) => names.as_mut_slice(),
            Some(name) => std::slice::from_mut(name),
            None => return,
        };
        let mut is_known = true;
        for name in names {
            if name.is_null() {
                *name = json!("null");
            }
            let text = name.as_str().unwrap_or_default();
            if JsonType::named(text).is_some() {
                continue;
            }
            let what = format!("the type {name}, which JSON Schema does not have");
            let place = pointer.join("type");
            match meant(text) {
                Some(meant) => {
                    lost(&place, what, &format!("it is read as `{meant}`"));
                    *name = json!(meant);
                }
                None => {
                    lost(&place, what, "the type is ignored");
                    is_known = false;
                }
            }
        }
        if !is_known {
            object.remove("type");
        }
    });
}

/// Returns the type of JSON that a type of a programming language stands for.
fn meant(name: &str) -> Option<&'static str> {
    match name {
        "int" | "long" => Some("integer"),
        "float" | "double" | "decimal" => Some("number"),
        "str" | "text" => Some("string"),
        "bool" => Some("boolean"),
        "list" => Some("array"),
        "dict" | "map" => Some("object"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_that_are_not_allowed_are_corrected() {
        let mut document = json!({"components": {"schemas": {
            "Nullable": {"type": ["string", null], "example": {"type": null}},
            "Nothing": {"type": null},
            "List": {"type": "array", "items": null},
            "Number": {"type": "int"},
            "Several": {"type": ["int", "string"]},
            "File": {"type": "file"},
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
