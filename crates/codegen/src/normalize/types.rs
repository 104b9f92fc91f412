//! The Rust types of schemas, as the model has them.

use serde_json::Value;

use crate::model::Type;
use crate::openapi::{self, Additional, Schema as _};

/// The maximum nesting of lists and maps.
const MAX_DEPTH: usize = 12;

/// Returns the component that a reference, or an `allOf` around it, refers to.
pub(crate) fn component(schema: &Value) -> Option<String> {
    match schema.text("$ref") {
        Some(_) => openapi::component(&schema.reference()?),
        None => component(schema.only_part()?),
    }
}

/// Returns the Rust type of the schema, including null.
pub(crate) fn type_of(schema: &Value) -> Type {
    type_at(schema, 0)
}

fn type_at(schema: &Value, depth: usize) -> Type {
    let ty = rust_type(schema, depth);
    if schema.is_nullable() {
        Type::Optional(Box::new(ty))
    } else {
        ty
    }
}

/// Returns the Rust type of the schema, without null.
pub(super) fn rust_type(schema: &Value, depth: usize) -> Type {
    if let Some(name) = component(schema) {
        return Type::Schema(name);
    }
    if depth > MAX_DEPTH {
        return Type::Any;
    }
    let inner = |schema: &Value| Box::new(type_at(schema, depth + 1));
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => match parsed(schema) {
            Some(path) => Type::Parsed(path),
            None => Type::Text,
        },
        Some("integer") => {
            let format = schema.get("format").and_then(Value::as_str);
            Type::Integer(integer(format))
        }
        Some("number") => Type::Number,
        Some("boolean") => Type::Boolean,
        Some("array") => Type::List(schema.get("items").map_or(Box::new(Type::Any), inner)),
        Some("object") => match schema.additional() {
            Additional::Of(values) => Type::Map(inner(values)),
            _ => Type::Map(Box::new(Type::Any)),
        },
        _ => match schema.only_part() {
            Some(only) => rust_type(only, depth + 1),
            None => Type::Any,
        },
    }
}

/// Returns the Rust type of a string format.
pub(super) fn parsed(schema: &Value) -> Option<&'static str> {
    Some(match schema.get("format")?.as_str()? {
        "uuid" => "::uuid::Uuid",
        "date" => "::chrono::naive::NaiveDate",
        "date-time" => "::chrono::DateTime<::chrono::offset::Utc>",
        "ipv4" => "::std::net::Ipv4Addr",
        _ => return None,
    })
}

/// Returns the Rust type of an integer format. Bounds do not matter: the generator drops them.
pub(crate) fn integer(format: Option<&str>) -> &'static str {
    match format {
        Some("int8") => "i8",
        Some("uint8") => "u8",
        Some("int16") => "i16",
        Some("uint16") => "u16",
        Some("int32") => "i32",
        Some("uint32") => "u32",
        Some("uint" | "uint64") => "u64",
        _ => "i64",
    }
}
