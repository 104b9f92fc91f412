//! The meaning of OpenAPI's keywords. It is read here only, from documents of 3.0, 3.1 and 3.2 as they are written.
//!
//! Lowering, the rules, the comparison of documents, samples, and the descriptions that the program and the sandbox use
//! call these functions. So two ways of writing the same thing mean the same everywhere: `nullable: true` equals
//! `type: [string, "null"]`, and `exclusiveMinimum: 3` equals `minimum: 3` with `exclusiveMinimum: true`.
//!
//! The structure of a document and its references are in [`crate::walk`], media types in [`crate::media_type`], and the
//! alternatives of security in [`crate::security`].

mod bound;
mod discriminator;
mod parameter;
mod parts;
mod resolved;
mod response;

use serde_json::{Map, Value};

use crate::pointer::Pointer;

pub(crate) use bound::{Bound, Side};
pub(crate) use discriminator::Discriminator;
pub(crate) use parameter::{
    ResolvedParameter, Style, explodes, is_idempotency_key, of_operation, style_name,
    template_names,
};
pub(crate) use parts::{
    Property, all_properties, located_parts, parts, parts_first, parts_until, reached,
};
pub(crate) use resolved::{ResolvedSchema, Target, component, inline, object, resolve};
pub(crate) use response::{BODILESS, is_success, json_schema, successes};

/// The keywords of unions. The first one of a schema with both applies.
pub(crate) const COMBINATORS: [&str; 2] = ["oneOf", "anyOf"];

/// The flags of properties that are only in responses, or only in requests.
pub(crate) const DIRECTIONS: [&str; 2] = ["readOnly", "writeOnly"];

/// A type of JSON values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum JsonType {
    Array,
    Boolean,
    Integer,
    Null,
    Number,
    Object,
    String,
}

impl JsonType {
    const NAMES: [(Self, &str); 7] = [
        (Self::Array, "array"),
        (Self::Boolean, "boolean"),
        (Self::Integer, "integer"),
        (Self::Null, "null"),
        (Self::Number, "number"),
        (Self::Object, "object"),
        (Self::String, "string"),
    ];

    /// Returns the type with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let mut names = Self::NAMES.iter();
        names
            .find(|(_, other)| *other == name)
            .map(|(kind, _)| *kind)
    }

    /// Returns the name in a schema.
    pub(crate) fn name(self) -> &'static str {
        let mut names = Self::NAMES.iter();
        names
            .find(|(other, _)| *other == self)
            .map_or("", |(_, name)| name)
    }

    /// Returns true if the value has this type.
    pub(crate) fn is_of(self, value: &Value) -> bool {
        match self {
            Self::Array => value.is_array(),
            Self::Boolean => value.is_boolean(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Null => value.is_null(),
            Self::Number => value.is_number(),
            Self::Object => value.is_object(),
            Self::String => value.is_string(),
        }
    }
}

/// The properties that an object may have besides the named ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Additional<'a> {
    /// Any, because the schema does not mention them.
    Unmentioned,
    /// Any, because the schema says so.
    Any,
    /// None.
    Forbidden,
    /// Those whose values have a schema.
    Of(&'a Value),
}

/// A union: its keyword, and its members, of which there is at least one.
pub(crate) type Union<'a> = (&'static str, &'a [Value]);

/// A Schema object. A boolean schema has no keywords.
pub(crate) trait Schema {
    /// Returns the value of a keyword.
    fn keyword(&self, name: &str) -> Option<&Value>;

    /// Returns the string at a keyword.
    fn text(&self, keyword: &str) -> Option<&str> {
        self.keyword(keyword).and_then(Value::as_str)
    }

    /// Returns the list at a keyword; empty if there is none.
    fn list(&self, keyword: &str) -> &[Value] {
        match self.keyword(keyword) {
            Some(Value::Array(list)) => list,
            _ => &[],
        }
    }

    /// Returns true if the value of a keyword is true, as of `readOnly` and `deprecated`.
    fn has_flag(&self, keyword: &str) -> bool {
        self.keyword(keyword) == Some(&Value::Bool(true))
    }

    /// Returns the target of `$ref`, if it is in the same document.
    fn reference(&self) -> Option<Pointer> {
        Pointer::from_ref(self.text("$ref")?)
    }

    /// Returns the schemas that a value must all match.
    fn parts(&self) -> &[Value] {
        self.list("allOf")
    }

    /// Returns the schema in an `allOf` of one, with which annotations are added to a reference.
    fn only_part(&self) -> Option<&Value> {
        match self.parts() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Returns the union, if the schema is one.
    fn union(&self) -> Option<Union<'_>> {
        COMBINATORS
            .into_iter()
            .map(|keyword| (keyword, self.list(keyword)))
            .find(|(_, members)| !members.is_empty())
    }

    /// Returns true if null is the only valid value.
    fn is_only_null(&self) -> bool {
        let is_null = |value: &Value| *value == "null";
        let is_of_null = match self.keyword("type") {
            Some(Value::Array(types)) => matches!(types.as_slice(), [only] if is_null(only)),
            kind => kind.is_some_and(is_null),
        };
        let listed = self.list("enum");
        is_of_null
            || !listed.is_empty() && listed.iter().all(Value::is_null)
            || self.keyword("const") == Some(&Value::Null)
    }

    /// Returns true if null is a valid value next to others: by `nullable` of 3.0, or by a list of types, an enum or a union
    /// with null.
    fn is_nullable(&self) -> bool {
        let has_null = |keyword: &str, is_null: fn(&Value) -> bool| {
            let list = self.list(keyword);
            list.len() > 1 && list.iter().any(is_null)
        };
        self.has_flag("nullable")
            || has_null("type", |name| *name == "null")
            || has_null("enum", Value::is_null)
            || COMBINATORS
                .iter()
                .any(|keyword| has_null(keyword, Schema::is_only_null))
    }

    /// Returns the types of the valid values other than null, in the order of the document; null if it is the only one. A
    /// number includes the integers. Without `type`, returns the type that the other keywords imply.
    fn types(&self) -> Vec<JsonType> {
        let named = |name: &Value| name.as_str().and_then(JsonType::named);
        let mut types: Vec<JsonType> = match self.keyword("type") {
            Some(Value::Array(names)) => names.iter().filter_map(named).collect(),
            Some(name) => named(name).into_iter().collect(),
            None => self.implied_type().into_iter().collect(),
        };
        if types.len() > 1 {
            types.retain(|kind| *kind != JsonType::Null);
        }
        if types.contains(&JsonType::Number) {
            types.retain(|kind| *kind != JsonType::Integer);
        }
        types
    }

    /// Returns the type of a schema without `type`.
    fn implied_type(&self) -> Option<JsonType> {
        let has = |keys: &[&str]| keys.iter().any(|key| self.keyword(key).is_some());
        let are_strings = |values: Vec<&Value>| values.iter().all(|value| value.is_string());
        if self.is_only_null() {
            Some(JsonType::Null)
        } else if self.listed().is_some_and(are_strings) {
            Some(JsonType::String)
        } else if has(&["properties", "required", "additionalProperties"]) {
            Some(JsonType::Object)
        } else if has(&["items", "prefixItems"]) {
            Some(JsonType::Array)
        } else {
            None
        }
    }

    /// Returns the values of an enum or a constant, without null; `None` if there are none.
    fn listed(&self) -> Option<Vec<&Value>> {
        if let Some(only) = self.keyword("const").filter(|value| !value.is_null()) {
            return Some(vec![only]);
        }
        let values = self.list("enum").iter();
        let values: Vec<&Value> = values.filter(|value| !value.is_null()).collect();
        (!values.is_empty()).then_some(values)
    }

    /// Returns the format. `contentEncoding: base64` of 3.1 equals `format: byte` of 3.0.
    fn format(&self) -> Option<&str> {
        let is_encoded = self.text("contentEncoding") == Some("base64");
        self.text("format").or(is_encoded.then_some("byte"))
    }

    /// Returns the properties of the schema itself, without those of its parts.
    fn properties(&self) -> impl Iterator<Item = (&String, &Value)> {
        let properties = self.keyword("properties").and_then(Value::as_object);
        properties.into_iter().flatten()
    }

    /// Returns the names of the required properties.
    fn required(&self) -> impl Iterator<Item = &str> {
        self.list("required").iter().filter_map(Value::as_str)
    }

    /// Returns true if the property is required.
    fn requires(&self, property: &str) -> bool {
        self.required().any(|name| name == property)
    }

    /// Returns the properties that are allowed besides the named ones.
    fn additional(&self) -> Additional<'_> {
        match self.keyword("additionalProperties") {
            None => Additional::Unmentioned,
            Some(Value::Bool(false)) => Additional::Forbidden,
            Some(schema @ Value::Object(_)) => Additional::Of(schema),
            Some(_) => Additional::Any,
        }
    }

    /// Returns a bound of numbers.
    fn bound(&self, side: Side) -> Option<Bound> {
        bound::bound(self, side)
    }

    /// Returns the minimum and the maximum of a size: `Length` of a string, `Items` of a list, `Properties` of an object.
    fn size(&self, of: &str) -> (Option<u64>, Option<u64>) {
        let limit = |end| self.keyword(&format!("{end}{of}")).and_then(Value::as_u64);
        (limit("min"), limit("max"))
    }

    /// Returns the discriminator of a union or of a base schema.
    fn discriminator(&self) -> Option<Discriminator<'_>> {
        discriminator::discriminator(self.keyword("discriminator")?)
    }
}

impl Schema for Value {
    fn keyword(&self, name: &str) -> Option<&Value> {
        self.get(name)
    }
}

impl Schema for Map<String, Value> {
    fn keyword(&self, name: &str) -> Option<&Value> {
        self.get(name)
    }
}

/// Returns true for keywords that do not constrain values.
pub(crate) fn is_annotation(keyword: &str) -> bool {
    matches!(
        keyword,
        "title"
            | "description"
            | "default"
            | "deprecated"
            | "readOnly"
            | "writeOnly"
            | "example"
            | "examples"
            | "externalDocs"
            | "xml"
            | "$comment"
            | "$schema"
            | "$id"
            | "$anchor"
            | "$vocabulary"
    ) || keyword.starts_with("x-")
}
