//! Schemas: what typify would make too strict, or could make nothing of.

use serde_json::{Value, json};

use super::Changes;
use crate::codegen::walk::{self, Kind};

/// typify makes `additionalProperties: false` a `deny_unknown_fields`.
pub(super) fn open_objects(document: &mut Value, changes: &mut Changes) {
    walk::walk_mut(document, &mut |kind, pointer, value| {
        if let (Kind::Schema, Some(object)) = (kind, value.as_object_mut())
            && object.get("additionalProperties") == Some(&json!(false))
        {
            object.remove("additionalProperties");
            changes.at(&pointer.join("additionalProperties"));
        }
    });
}
