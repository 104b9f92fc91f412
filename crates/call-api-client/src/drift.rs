//! Drift detection: responses compared with the API's document.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::Value;

use crate::generated::RESPONSES;
use crate::types;

/// A difference between a response and the API's document. Two of the same place and kind are equal.
///
/// Of values it shows only those of enums, cut to 100 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Drift {
    /// The operation's id, as in the document.
    pub operation: &'static str,
    /// The location in the response, such as `owner.kind`, or `pets[].status` for any of a list; `.` is the whole.
    pub place: String,
    /// The kind of difference.
    pub kind: DriftKind,
}

impl Drift {
    /// Returns drift that was found by other means than reading a response: see
    /// [`Client::report_drift`](crate::Client::report_drift).
    pub fn new(operation: &'static str, place: impl Into<String>, kind: DriftKind) -> Self {
        Self {
            operation,
            place: place.into(),
            kind,
        }
    }
}

/// The kind of a [`Drift`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DriftKind {
    /// A value of an enum that the document does not list.
    UnknownValue(String),
    /// A property that the document does not have.
    UnknownProperty,
    /// A property that the document requires is missing.
    MissingProperty,
    /// A value of another type than the document gives.
    WrongType {
        /// The type in the document, such as `string (uuid)`.
        expected: String,
        /// The type of the received value, such as `null`.
        found: &'static str,
    },
    /// A value that cannot be decoded, for another reason than the above.
    Undecodable,
    /// A value changed to one that cannot follow it.
    InvalidTransition {
        /// The earlier value.
        from: String,
        /// The later value.
        to: String,
    },
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place.escape_debug())?;
        match &self.kind {
            DriftKind::UnknownValue(value) => {
                write!(f, "the document does not list the value {value:?}")
            }
            DriftKind::UnknownProperty => f.write_str("the document has no such property"),
            DriftKind::MissingProperty => {
                f.write_str("the document requires it, and it is missing")
            }
            DriftKind::WrongType { expected, found } => {
                write!(
                    f,
                    "the document says {expected}, but the service sent {found}"
                )
            }
            DriftKind::Undecodable => f.write_str("the value cannot be decoded"),
            DriftKind::InvalidTransition { from, to } => {
                write!(f, "{from:?} cannot be followed by {to:?}")
            }
        }
    }
}

/// The handling of drift.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DriftMode {
    /// Drift is counted and reported: for production.
    #[default]
    Watch,
    /// Drift is counted and reported, and fails the request with [`ErrorKind::Drift`](crate::ErrorKind::Drift): for CI.
    Strict,
}

type OnDrift = Arc<dyn Fn(&Drift) + Send + Sync>;

/// A service that invents names must not fill the memory; no other has so many kinds of drift.
const KINDS: usize = 1000;

/// The most characters that are kept of a value or a name.
const MAX_CHARS: usize = 100;

/// Compares responses with the document; shared by a client's clones.
pub(crate) struct DriftDetector {
    mode: DriftMode,
    on_drift: Option<OnDrift>,
    seen: Mutex<HashMap<Drift, u64>>,
}

/// The settings of a [`DriftDetector`].
#[derive(Clone, Default)]
pub(crate) struct DriftSettings {
    pub(crate) mode: DriftMode,
    pub(crate) on_drift: Option<OnDrift>,
}

impl DriftDetector {
    pub(crate) fn new(settings: DriftSettings) -> Self {
        Self {
            mode: settings.mode,
            on_drift: settings.on_drift,
            seen: Mutex::default(),
        }
    }

    /// Compares the response of an operation with the document. Returns the drift.
    ///
    /// # Errors
    /// In strict mode, the drift.
    pub(crate) fn check(
        &self,
        operation: &'static str,
        status: u16,
        body: &[u8],
    ) -> Result<Vec<Drift>, Vec<Drift>> {
        self.compare(operation, document().response(operation, status), body)
    }

    /// Compares an item of a stream with the document. Returns the drift.
    ///
    /// # Errors
    /// In strict mode, the drift.
    pub(crate) fn check_item(
        &self,
        operation: &'static str,
        item: &[u8],
    ) -> Result<Vec<Drift>, Vec<Drift>> {
        self.compare(operation, document().item(operation), item)
    }

    fn compare(
        &self,
        operation: &'static str,
        schema: Option<&Value>,
        body: &[u8],
    ) -> Result<Vec<Drift>, Vec<Drift>> {
        let Some(schema) = schema else {
            return Ok(Vec::new());
        };
        // A body that is not JSON fails to decode, and is reported as that.
        let Ok(value) = serde_json::from_slice::<Value>(body) else {
            return Ok(Vec::new());
        };
        let found = Comparison::new(document()).of(schema, &value);
        let drifts = found.into_iter().map(|(place, kind)| Drift {
            operation,
            place,
            kind,
        });
        let mut drifts: Vec<_> = drifts.collect();
        // The order of an object's properties means nothing.
        drifts.sort();
        self.report(drifts)
    }

    /// Counts drift, and reports each kind when it is first seen. Returns the drift.
    ///
    /// # Errors
    /// In strict mode, the drift.
    pub(crate) fn report(&self, drifts: Vec<Drift>) -> Result<Vec<Drift>, Vec<Drift>> {
        for drift in &drifts {
            if self.count(drift) {
                #[cfg(feature = "tracing")]
                tracing::warn!(
                    target: "call_api_client",
                    operation = drift.operation,
                    place = drift.place,
                    "the service says what the API's document does not: {drift}"
                );
                if let Some(on_drift) = &self.on_drift {
                    on_drift(drift);
                }
            }
        }
        if drifts.is_empty() || self.mode == DriftMode::Watch {
            Ok(drifts)
        } else {
            Err(drifts)
        }
    }

    /// Returns true if this is the first of its kind.
    fn count(&self, drift: &Drift) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = seen.get_mut(drift) {
            *count += 1;
            return false;
        }
        let is_new = seen.len() < KINDS;
        if is_new {
            seen.insert(drift.clone(), 1);
        }
        is_new
    }

    /// Returns each kind and how often it was seen, in order.
    pub(crate) fn counts(&self) -> Vec<(Drift, u64)> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts: Vec<_> = seen
            .iter()
            .map(|(drift, count)| (drift.clone(), *count))
            .collect();
        counts.sort();
        counts
    }
}

impl fmt::Debug for DriftDetector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriftDetector")
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// The embedded part of the document, parsed when it is first needed.
fn document() -> &'static Document {
    static DOCUMENT: OnceLock<Document> = OnceLock::new();
    DOCUMENT.get_or_init(|| Document::parse(types::SCHEMAS, RESPONSES))
}

struct Document {
    schemas: Value,
    /// By operation and status.
    responses: HashMap<(&'static str, &'static str), Value>,
}

/// The number of schemas that are followed at one value: schemas may refer to themselves. The depth of values is limited
/// by the parser.
const FUEL: u32 = 200;

type Found = Vec<(String, DriftKind)>;

impl Document {
    fn parse(schemas: &str, responses: &[(&'static str, &'static str, &'static str)]) -> Self {
        // Written by the generator; without it there is nothing to compare with.
        let read = |text: &str| serde_json::from_str(text).unwrap_or(Value::Bool(true));
        let responses = responses
            .iter()
            .map(|(operation, status, schema)| ((*operation, *status), read(schema)));
        Self {
            schemas: read(schemas),
            responses: responses.collect(),
        }
    }

    fn response(&self, operation: &'static str, status: u16) -> Option<&Value> {
        let at = |status: &str| {
            // A lookup would need keys that live as long as those in the map.
            let mut all = self.responses.iter();
            all.find(|((of, at), _)| *of == operation && *at == status)
                .map(|(_, schema)| schema)
        };
        at(&status.to_string())
            .or_else(|| at(&format!("{}XX", status / 100)))
            .or_else(|| at("default"))
    }

    /// Returns the schema of the items of an operation's stream.
    fn item(&self, operation: &'static str) -> Option<&Value> {
        self.responses.get(&(operation, "item"))
    }

    fn resolve<'a>(&'a self, mut schema: &'a Value) -> &'a Value {
        for _ in 0..FUEL {
            let Some(reference) = schema.get("$ref").and_then(Value::as_str) else {
                return schema;
            };
            let named = reference
                .strip_prefix("#/components/schemas/")
                .and_then(|name| self.schemas.get(name.replace("~1", "/").replace("~0", "~")));
            match named {
                Some(named) => schema = named,
                // An unknown reference allows anything.
                None => return &Value::Bool(true),
            }
        }
        &Value::Bool(true)
    }

    /// Collects the constraints on an object from a schema and all that it is composed of.
    fn gather<'a>(&'a self, schema: &'a Value, object: &mut Object<'a>, fuel: u32) {
        let schema = self.resolve(schema);
        let Some(fuel) = fuel.checked_sub(1) else {
            return;
        };
        let properties = schema.get("properties").and_then(Value::as_object);
        let properties = properties.into_iter().flatten();
        object
            .properties
            .extend(properties.map(|(name, schema)| (name.as_str(), schema)));
        let required = schema.get("required").and_then(Value::as_array);
        let required = required.into_iter().flatten().filter_map(Value::as_str);
        object.required.extend(required);
        match schema.get("additionalProperties") {
            Some(Value::Bool(false)) | None => {}
            Some(others) => object.others = Some(others),
        }
        // A choice is compared by itself; here its members' properties only need to be known.
        for key in ["allOf", "anyOf", "oneOf"] {
            let members = schema.get(key).and_then(Value::as_array);
            for member in members.into_iter().flatten() {
                let mut part = Object::default();
                self.gather(member, &mut part, fuel);
                object.others = object.others.or(part.others);
                if key == "allOf" {
                    object.properties.extend(part.properties);
                    object.required.extend(part.required);
                } else {
                    let names = part.properties.into_iter();
                    object
                        .properties
                        .extend(names.map(|(name, _)| (name, &Value::Bool(true))));
                }
            }
        }
    }

    fn expected(&self, members: &[Value]) -> String {
        let mut names: Vec<String> = members
            .iter()
            .map(|member| type_names(self.resolve(member)).join(" or "))
            .filter(|names| !names.is_empty())
            .collect();
        names.dedup();
        names.join(" or ")
    }

    /// Returns the types that the schema allows if the value has none of them, or has another format.
    fn wrong_type(&self, schema: &Value, value: &Value) -> Option<String> {
        let names = type_names(schema);
        let fits = |name: &String| match (name.as_str(), value) {
            ("null", Value::Null)
            | ("boolean", Value::Bool(_))
            | ("number", Value::Number(_))
            | ("string", Value::String(_))
            | ("array", Value::Array(_))
            | ("object", Value::Object(_)) => true,
            ("integer", Value::Number(number)) => {
                number.as_f64().is_some_and(|number| number.fract() == 0.0)
            }
            ("string (uuid)", Value::String(text)) => text.parse::<uuid::Uuid>().is_ok(),
            ("string (date-time)", Value::String(text)) => {
                // chrono reads a space in place of the `T` as well.
                !text.contains(' ') && chrono::DateTime::parse_from_rfc3339(text).is_ok()
            }
            _ => false,
        };
        (!names.is_empty() && !names.iter().any(fits)).then(|| names.join(" or "))
    }
}

/// One comparison of a body with the document.
struct Comparison<'a> {
    document: &'a Document,
    /// The drift from each member of a choice at each value. Without it, choices that contain each other would be compared
    /// once for each path through them.
    members: HashMap<(*const Value, *const Value), Found>,
}

impl<'a> Comparison<'a> {
    fn new(document: &'a Document) -> Self {
        Self {
            document,
            members: HashMap::new(),
        }
    }

    /// Returns the drift of a value from a schema.
    fn of(mut self, schema: &Value, value: &Value) -> Found {
        let mut found = Found::new();
        self.compare(schema, value, "", FUEL, &mut found);
        found
    }

    fn compare(
        &mut self,
        schema: &Value,
        value: &Value,
        place: &str,
        fuel: u32,
        found: &mut Found,
    ) {
        let schema = self.document.resolve(schema);
        let (Some(keywords), Some(fuel)) = (schema.as_object(), fuel.checked_sub(1)) else {
            return;
        };
        if value.is_null() && keywords.get("nullable") == Some(&Value::Bool(true)) {
            return;
        }
        let members = |key: &str| keywords.get(key).and_then(Value::as_array);
        let has_own = keywords.contains_key("properties") || keywords.contains_key("allOf");
        let mut is_choice = false;
        for members in ["anyOf", "oneOf"].into_iter().filter_map(members) {
            is_choice = true;
            let mut nearest = self.nearest(members, value, place, fuel);
            // A property that no member has may be one beside the choice.
            nearest.retain(|(_, kind)| !has_own || *kind != DriftKind::UnknownProperty);
            found.extend(nearest);
        }
        if let Some(expected) = self.document.wrong_type(schema, value) {
            let found_type = match type_of(value) {
                "a string" if expected.contains("string") => "another string",
                other => other,
            };
            let kind = DriftKind::WrongType {
                expected,
                found: found_type,
            };
            found.push((at(place), kind));
            return;
        }
        let listed = keywords.get("enum").and_then(Value::as_array);
        let is_listed = listed.is_none_or(|listed| listed.contains(value));
        if !is_listed || keywords.get("const").is_some_and(|only| only != value) {
            let text = match value {
                Value::String(text) => truncate(text),
                other => truncate(&other.to_string()),
            };
            found.push((at(place), DriftKind::UnknownValue(text)));
        }
        match value {
            Value::Array(values) => {
                if let Some(items) = keywords.get("items") {
                    for value in values {
                        self.compare(items, value, &format!("{place}[]"), FUEL, found);
                    }
                }
            }
            Value::Object(_) if is_choice && !has_own => {}
            Value::Object(values) => {
                let mut object = Object::default();
                self.document.gather(schema, &mut object, fuel);
                self.compare_object(&object, values, place, found);
            }
            _ => {
                for member in members("allOf").into_iter().flatten() {
                    self.compare(member, value, place, fuel, found);
                }
            }
        }
    }

    fn compare_object(
        &mut self,
        object: &Object<'_>,
        values: &serde_json::Map<String, Value>,
        place: &str,
        found: &mut Found,
    ) {
        let below = |name: &str| match place {
            "" => truncate(name),
            place => format!("{place}.{}", truncate(name)),
        };
        // What only requests have is not missing from a response.
        let is_sent_only = |name: &str| {
            let mut known = object.properties.iter().filter(|(known, _)| *known == name);
            known.any(|(_, schema)| {
                self.document.resolve(schema).get("writeOnly") == Some(&Value::Bool(true))
            })
        };
        for name in &object.required {
            if !values.contains_key(*name) && !is_sent_only(name) {
                found.push((below(name), DriftKind::MissingProperty));
            }
        }
        for (name, value) in values {
            let known = object.properties.iter().filter(|(known, _)| known == name);
            let mut is_known = false;
            for (_, schema) in known {
                is_known = true;
                self.compare(schema, value, &below(name), FUEL, found);
            }
            match object.others {
                _ if is_known => {}
                // A name that varies is not part of the place.
                Some(schema) => self.compare(schema, value, &below("*"), FUEL, found),
                None if object.properties.is_empty() => {}
                None => found.push((below(name), DriftKind::UnknownProperty)),
            }
        }
    }

    /// Returns the drift from the member of a choice that fits best.
    fn nearest(&mut self, members: &[Value], value: &Value, place: &str, fuel: u32) -> Found {
        let drifts = members
            .iter()
            .map(|member| self.member_drift(member, value, place, fuel));
        // A member of another type is further away than any of the right type.
        let distance = |found: &Found| {
            let is_other = |(at_place, kind): &(String, DriftKind)| {
                matches!(kind, DriftKind::WrongType { .. }) && *at_place == at(place)
            };
            (found.iter().any(is_other), found.len())
        };
        let best = drifts.min_by_key(distance).unwrap_or_default();
        match best.as_slice() {
            // None of several types was right: name all of them.
            [(_, DriftKind::WrongType { found, .. })] if members.len() > 1 && distance(&best).0 => {
                let kind = DriftKind::WrongType {
                    expected: self.document.expected(members),
                    found,
                };
                vec![(at(place), kind)]
            }
            _ => best,
        }
    }

    /// Returns the drift from one member of a choice.
    fn member_drift(&mut self, member: &Value, value: &Value, place: &str, fuel: u32) -> Found {
        let key = (
            std::ptr::from_ref(self.document.resolve(member)),
            std::ptr::from_ref(value),
        );
        if let Some(known) = self.members.get(&key) {
            return known.clone();
        }
        let mut found = Found::new();
        self.compare(member, value, place, fuel, &mut found);
        self.members.insert(key, found.clone());
        found
    }
}

/// The constraints on an object.
#[derive(Default)]
struct Object<'a> {
    properties: Vec<(&'a str, &'a Value)>,
    required: Vec<&'a str>,
    /// The schema of properties that have no schema of their own.
    others: Option<&'a Value>,
}

/// Returns a path with `[]` for each index, as drift writes it.
pub(crate) fn without_indices(path: &str) -> String {
    let mut parts = path.split('[');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push('[');
        text.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    text
}

/// Returns true if the drift is at the place, above it, or below it. `*` in the place of drift is any key of a map.
pub(crate) fn is_same_branch(drift: &str, place: &str) -> bool {
    let [drift, place] = [drift, place].map(|place| place.replace("[]", ".[]"));
    let [drift, place] =
        [&drift, &place].map(|place| place.split('.').filter(|name| !name.is_empty()));
    drift
        .zip(place)
        .all(|(drift, name)| drift == name || drift == "*")
}

/// Returns the types that a schema allows, with the format of a string if it is checked; empty if it allows any.
fn type_names(schema: &Value) -> Vec<String> {
    let format = schema.get("format").and_then(Value::as_str);
    let name = |name: &str| match (name, format) {
        ("string", Some(format @ ("uuid" | "date-time"))) => format!("string ({format})"),
        _ => name.to_owned(),
    };
    match schema.get("type") {
        Some(Value::String(only)) => vec![name(only)],
        Some(Value::Array(several)) => {
            let several = several.iter().filter_map(Value::as_str);
            several.map(name).collect()
        }
        _ => Vec::new(),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn at(place: &str) -> String {
    if place.is_empty() { "." } else { place }.to_owned()
}

fn truncate(text: &str) -> String {
    text.chars().take(MAX_CHARS).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns the drift of a value from a schema, one line each.
    fn found(schemas: Value, schema: Value, value: Value) -> Vec<String> {
        let document = Document {
            schemas,
            responses: HashMap::new(),
        };
        let found = Comparison::new(&document).of(&schema, &value);
        let line = |(place, kind)| {
            let operation = "test";
            Drift {
                operation,
                place,
                kind,
            }
            .to_string()
        };
        found.into_iter().map(line).collect()
    }

    #[test]
    fn places_are_compared_by_whole_names() {
        for (drift, place, expected) in [
            ("data[].id", "data[].id", true),
            ("data[]", "data[].id", true),
            ("data[].id.x", "data[].id", true),
            (".", "data[].id", true),
            ("[].id", "[]", true),
            ("data[].id_type", "data[].id", false),
            ("data[].id", "data[].id_type", false),
            ("data[].labels.*", "data[].labels.color", true),
            ("data[].labels.*.id", "data[].labels.color.id", true),
            ("data[].labels.*.id", "data[].labels.color.name", false),
            ("data[].others.*", "data[].labels.color", false),
            ("data[][]", "data[]", true),
            ("data[].list[]", "data[].list.x", false),
        ] {
            assert_eq!(is_same_branch(drift, place), expected, "{drift} {place}");
        }
    }

    #[test]
    fn each_keyword_is_compared() {
        let string = json!({"type": "string"});
        let pet = json!({
            "type": "object",
            "required": ["name"],
            "properties": {"name": string, "owner": {"$ref": "#/components/schemas/Pet"}},
        });
        let all = json!({"allOf": [
            {"$ref": "#/components/schemas/Pet"},
            {"required": ["age"], "properties": {"age": {"type": "integer"}}},
        ]});
        let choice = json!({"oneOf": [{"$ref": "#/components/schemas/Pet"}, {"type": "string"}, {"type": "null"}]});
        let beside = json!({"properties": {"id": true}, "anyOf": [{"properties": {"a": string}}, {"properties": {"b": string}}]});
        let a_string = "the document says string, but the service sent";
        for (schema, value, expected) in [
            (json!({}), json!({"any": [1]}), &[][..]),
            (json!(true), json!(null), &[]),
            (
                pet.clone(),
                json!({"name": "x", "owner": {"name": "y"}}),
                &[],
            ),
            (
                pet.clone(),
                json!({"owner": {"name": 1, "age": 2}}),
                &[
                    "name: the document requires it, and it is missing",
                    "owner.age: the document has no such property",
                    "owner.name: the document says string, but the service sent an integer",
                ],
            ),
            (
                pet,
                json!([]),
                &[".: the document says object, but the service sent an array"],
            ),
            (all.clone(), json!({"name": "x", "age": 1}), &[]),
            (
                all,
                json!({"name": "x", "age": 1.5, "z": 1}),
                &[
                    "age: the document says integer, but the service sent a fraction",
                    "z: the document has no such property",
                ],
            ),
            (choice.clone(), json!({"name": "x"}), &[]),
            (choice.clone(), json!("x"), &[]),
            (choice.clone(), json!(null), &[]),
            (
                choice.clone(),
                json!(7),
                &[".: the document says object or string or null, but the service sent an integer"],
            ),
            (
                choice,
                json!({"name": "x", "z": 1}),
                &["z: the document has no such property"],
            ),
            (beside.clone(), json!({"id": 1, "b": "x"}), &[]),
            (
                beside,
                json!({"id": 1, "z": 1}),
                &["z: the document has no such property"],
            ),
            (
                json!({"type": "array", "items": {"type": "string", "enum": ["a"]}}),
                json!(["a", "b", 1]),
                &[
                    "[]: the document does not list the value \"b\"",
                    "[]: the document says string, but the service sent an integer",
                ],
            ),
            (
                json!({"allOf": [{"enum": ["a"]}]}),
                json!("b"),
                &[".: the document does not list the value \"b\""],
            ),
            (
                json!({"const": 1}),
                json!(2),
                &[".: the document does not list the value \"2\""],
            ),
            (
                json!({"type": "string", "nullable": true}),
                json!(null),
                &[],
            ),
            (json!({"type": ["string", "null"]}), json!(null), &[]),
            (
                json!({"type": ["string", "null"]}),
                json!(true),
                &[".: the document says string or null, but the service sent a boolean"],
            ),
            (
                json!({"properties": {"id": {"type": "string", "format": "uuid"}, "at": {"type": "string", "format": "date-time"}}}),
                json!({"id": "x", "at": "2023-11-07"}),
                &[
                    "at: the document says string (date-time), but the service sent another string",
                    "id: the document says string (uuid), but the service sent another string",
                ],
            ),
            (
                json!({"properties": {"local": {"type": "string", "format": "date-time"}, "spaced": {"type": "string", "format": "date-time"}}}),
                json!({"local": "2023-11-07T10:00:00", "spaced": "2023-11-07 10:00:00Z"}),
                &[
                    "local: the document says string (date-time), but the service sent another string",
                    "spaced: the document says string (date-time), but the service sent another string",
                ],
            ),
            (json!({"type": "integer"}), json!(120.0), &[]),
            (
                json!({"required": ["secret", "name"], "properties": {"secret": {"type": "string", "writeOnly": true}, "name": {}}}),
                json!({}),
                &["name: the document requires it, and it is missing"],
            ),
            (json!({"type": "object"}), json!({"any": 1}), &[]),
            (
                json!({"type": "object", "additionalProperties": string}),
                json!({"a": "x", "b": 1}),
                &[&format!("*: {a_string} an integer")],
            ),
            (json!({"$ref": "#/elsewhere"}), json!(1), &[]),
        ] {
            let pets = json!({"Pet": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "owner": {"$ref": "#/components/schemas/Pet"}},
            }});
            let mut lines = found(pets, schema.clone(), value.clone());
            lines.sort();
            assert_eq!(lines, expected, "{value} of {schema}");
        }
    }

    #[test]
    fn recursive_schema_terminates() {
        let schemas = json!({"A": {"$ref": "#/components/schemas/A"}, "B": {"anyOf": [{"$ref": "#/components/schemas/B"}]}});
        for name in ["A", "B"] {
            let schema = json!({"$ref": format!("#/components/schemas/{name}")});
            assert_eq!(found(schemas.clone(), schema, json!({"x": 1})), [""; 0]);
        }
    }

    /// The depth is the parser's limit. Were each path through the choices compared by itself, there would be 2^126.
    #[test]
    fn drift_is_found_in_the_innermost_of_nested_choices() {
        let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
        let choice = json!({"oneOf": [reference("A"), reference("B")]});
        let node = |tag: &str| {
            json!({
                "type": "object",
                "properties": {tag: {"type": "string"}, "child": choice},
            })
        };
        let schemas = json!({"A": node("a"), "B": node("b")});
        let (depth, mut body) = (126, r#"{"b": "", "new": 1}"#.to_owned());
        for _ in 0..depth {
            body = format!(r#"{{"a": "", "child": {body}}}"#);
        }
        let value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            found(schemas, choice, value),
            [format!(
                "{}new: the document has no such property",
                "child.".repeat(depth)
            )]
        );
    }

    #[test]
    fn response_schema_is_found_by_status() {
        let document = Document::parse(
            "{}",
            &[
                ("a", "200", "{\"const\": 1}"),
                ("a", "4XX", "{\"const\": 2}"),
                ("b", "default", "{\"const\": 3}"),
            ],
        );
        let only = |operation, status| {
            document
                .response(operation, status)
                .map(|schema| schema["const"].clone())
        };
        assert_eq!(only("a", 200), Some(json!(1)));
        assert_eq!(only("a", 404), Some(json!(2)));
        assert_eq!(only("a", 500), None);
        assert_eq!(only("b", 500), Some(json!(3)));
        assert_eq!(only("c", 200), None);
    }

    #[test]
    fn number_of_kinds_is_bounded() {
        let detector = DriftDetector::new(DriftSettings::default());
        for number in 0..2 * KINDS {
            let place = number.to_string();
            let drift = Drift {
                operation: "test",
                place,
                kind: DriftKind::UnknownProperty,
            };
            detector.report(vec![drift]).unwrap();
        }
        assert_eq!(detector.counts().len(), KINDS);
        let long = json!("x".repeat(10_000));
        let said = &found(json!({}), json!({"enum": []}), long)[0];
        assert_eq!(said.matches('x').count(), MAX_CHARS);
    }

    #[test]
    fn embedded_document_parses() {
        let document = document();
        assert!(document.schemas.is_object());
        for (operation, status, _) in RESPONSES {
            assert!(document.responses[&(*operation, *status)].is_object());
        }
    }
}
