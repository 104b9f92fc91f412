//! Samples of schemas: the document's example, else a value made of the schema.

use serde_json::{Map, Number, Value, json};

use crate::instance::{self, Direction};
use crate::openapi::{Additional, JsonType, Schema as _, Side};
use crate::walk;

/// The number of values after which a sample gets no optional ones: schemas that refer to each other multiply.
const MAX_VALUES: usize = 500;

/// The number of values after which a sample is given up: members of unions without a finite value multiply, too.
const MAX_TRIED: usize = 20_000;

/// A time, for `format: date-time`; the date and the time of day are parts of it.
const TIME: &str = "2023-11-07T05:31:56Z";

/// An id, for `format: uuid`.
const UUID: &str = "3c90c3cc-0d44-4b50-8888-8dd25736052a";

/// Returns the example of a Media Type or Parameter object, else a sample of its schema.
pub(crate) fn of_content(document: &Value, object: &Value, direction: Direction) -> Option<Value> {
    let schema = object.get("schema");
    match (example(document, object), schema) {
        (Some(example), Some(schema)) => {
            Some(instance::with_nulls(document, schema, example, direction))
        }
        (Some(example), None) => Some(example),
        (None, schema) => of_schema(document, schema?, direction),
    }
}

/// Returns the `example` of an object, or the first of its `examples`: Example objects by name, or values in a schema.
pub(crate) fn example(document: &Value, object: &Value) -> Option<Value> {
    if let Some(example) = object.get("example") {
        return Some(example.clone());
    }
    match object.get("examples")? {
        Value::Object(examples) => {
            let mut examples = examples
                .values()
                .filter_map(|example| walk::follow(document, example)?.get("value"));
            examples.next().cloned()
        }
        Value::Array(examples) => examples.first().cloned(),
        _ => None,
    }
}

/// Returns a sample of a schema; the same one at each run. `None` if the schema has no finite value, or none that can be
/// made without searching.
pub(crate) fn of_schema(document: &Value, schema: &Value, direction: Direction) -> Option<Value> {
    let mut sampler = Sampler {
        document,
        direction,
        values: 0,
        within: Vec::new(),
    };
    sampler.value(schema)
}

struct Sampler<'a> {
    document: &'a Value,
    direction: Direction,
    /// The number of values so far.
    values: usize,
    /// The schemas that the current one is a part of.
    within: Vec<&'a Value>,
}

impl<'a> Sampler<'a> {
    fn value(&mut self, schema: &'a Value) -> Option<Value> {
        let schema = walk::follow(self.document, schema)?;
        let contains_itself = self.within.iter().any(|outer| std::ptr::eq(*outer, schema));
        if contains_itself || *schema == json!(false) || self.values == MAX_TRIED {
            return None;
        }
        self.values += 1;
        self.within.push(schema);
        let value = given(self.document, schema)
            .and_then(|value| instance::given(self.document, schema, value, self.direction))
            .or_else(|| self.made(schema));
        self.within.pop();
        value
    }

    /// Returns true if the sample gets no further optional values.
    fn is_full(&self) -> bool {
        self.values > MAX_VALUES
    }

    fn made(&mut self, schema: &'a Value) -> Option<Value> {
        if !schema.parts().is_empty() {
            return self.all(schema);
        }
        if let Some((_, members)) = schema.union() {
            if self.is_full() && schema.is_nullable() {
                return Some(Value::Null);
            }
            let mut members = members.iter().filter(|member| !member.is_only_null());
            let value = members.find_map(|member| self.value(member));
            return value.or_else(|| schema.is_nullable().then_some(Value::Null));
        }
        match schema.types().first() {
            Some(JsonType::Null) => Some(Value::Null),
            // Of a page of a list, the last one.
            Some(JsonType::Boolean) => Some(json!(false)),
            Some(JsonType::Integer) => Some(integer(schema)),
            Some(JsonType::Number) => Some(number(schema)),
            Some(JsonType::String) => Some(json!(text(schema))),
            Some(JsonType::Array) => self.items(schema),
            // Without a type, any value is valid.
            Some(JsonType::Object) | None => self.object(schema),
        }
    }

    /// Joins the samples of the parts of an `allOf`.
    fn all(&mut self, schema: &'a Value) -> Option<Value> {
        let own = schema.get("properties").map(|_| schema);
        let mut joined = Map::new();
        for part in schema.parts().iter().chain(own) {
            let part = if std::ptr::eq(part, schema) {
                self.object(part)?
            } else {
                self.value(part)?
            };
            match part {
                Value::Object(properties) => joined.extend(properties),
                // Of a scalar, the parts only narrow the values.
                other => return Some(other),
            }
        }
        Some(Value::Object(joined))
    }

    fn items(&mut self, schema: &'a Value) -> Option<Value> {
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        let items = schema.get("items").filter(|_| least > 0 || !self.is_full());
        match items.and_then(|items| self.value(items)) {
            Some(item) => Some(json!([item])),
            None => (least == 0).then(|| json!([])),
        }
    }

    fn object(&mut self, schema: &'a Value) -> Option<Value> {
        let hidden = self.direction.hidden();
        let mut object = Map::new();
        for (name, property) in schema.properties() {
            let is_required = schema.requires(name);
            let of_property = walk::follow(self.document, property)?;
            if of_property.has_flag(hidden) || self.is_full() && !is_required {
                continue;
            }
            match self.value(property) {
                Some(value) => {
                    object.insert(name.clone(), value);
                }
                None if is_required => return None,
                None => {}
            }
        }
        if let Additional::Of(further) = schema.additional()
            && object.is_empty()
            && !self.is_full()
            && let Some(value) = self.value(further)
        {
            object.insert("key".to_owned(), value);
        }
        Some(Value::Object(object))
    }
}

/// Returns the value that the schema itself gives.
fn given(document: &Value, schema: &Value) -> Option<Value> {
    let listed = schema.list("enum").iter();
    let given = example(document, schema)
        .or_else(|| schema.get("const").cloned())
        .or_else(|| schema.get("default").cloned())
        .or_else(|| listed.into_iter().find(|value| !value.is_null()).cloned())?;
    // The default of an optional property is often null.
    (!given.is_null()).then_some(given)
}

/// Returns the integer of the example, or the nearest one within the bounds.
fn integer(schema: &Value) -> Value {
    let bound = |side| schema.bound(side)?.number.as_i64();
    let value = 123;
    let value = bound(Side::Upper).map_or(value, |most| value.min(most));
    json!(bound(Side::Lower).map_or(value, |least| value.max(least)))
}

fn number(schema: &Value) -> Value {
    let bound = |side| schema.bound(side).map(|bound| bound.value());
    let value: f64 = 1.5;
    let value = bound(Side::Upper).map_or(value, |most| value.min(most));
    let value = bound(Side::Lower).map_or(value, |least| value.max(least));
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

fn text(schema: &Value) -> String {
    let text = match schema.format().unwrap_or_default() {
        "uuid" => UUID,
        "date-time" => TIME,
        "date" => TIME.split('T').next().unwrap_or_default(),
        "time" => TIME.split('T').next_back().unwrap_or_default(),
        "duration" => "PT30S",
        "email" => "user@example.com",
        "uri" | "url" => "https://example.com/",
        "hostname" => "example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "byte" => "dGV4dA==",
        _ => "text",
    };
    let (least, most) = schema.size("Length");
    let most = most.and_then(|most| usize::try_from(most).ok());
    let least = least.and_then(|least| usize::try_from(least).ok());
    let mut text: String = text.chars().take(most.unwrap_or(usize::MAX)).collect();
    // Longer ones would only fill the page.
    while text.chars().count() < least.unwrap_or_default().min(200) {
        text.push('x');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(schema: Value) -> Option<Value> {
        let document = json!({"components": {"schemas": {
            "Status": {"type": "string", "enum": ["queued", "done"]},
            "Tree": {"type": "object", "required": ["parent"], "properties": {
                "parent": {"$ref": "#/components/schemas/Tree"},
            }},
            "Node": {"type": "object", "properties": {
                "children": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
            }},
        }}});
        of_schema(&document, &schema, Direction::Sent)
    }

    #[test]
    fn sample_prefers_what_the_schema_gives() {
        let status = json!({"$ref": "#/components/schemas/Status"});
        assert_eq!(sent(status.clone()), Some(json!("queued")));
        assert_eq!(
            sent(json!({"anyOf": [{"type": "null"}, status]})),
            Some(json!("queued"))
        );
        assert_eq!(
            sent(json!({"type": "string", "example": "a"})),
            Some(json!("a"))
        );
        assert_eq!(
            sent(json!({"type": "string", "examples": ["b"]})),
            Some(json!("b"))
        );
        assert_eq!(sent(json!({"const": 7})), Some(json!(7)));
        assert_eq!(
            sent(json!({"type": "integer", "default": 20})),
            Some(json!(20))
        );
    }

    #[test]
    fn example_has_the_properties_of_its_direction() {
        let schema = json!({
            "type": "object", "required": ["id", "secret", "name"],
            "properties": {
                "id": {"type": ["string", "null"], "readOnly": true},
                "secret": {"type": ["string", "null"], "writeOnly": true},
                "name": {"type": "string"},
            },
            "example": {"name": "Rex"},
        });
        assert_eq!(
            sent(schema.clone()),
            Some(json!({"name": "Rex", "secret": null}))
        );
        let received = of_schema(&json!({}), &schema, Direction::Received);
        assert_eq!(received, Some(json!({"name": "Rex", "id": null})));
    }

    #[test]
    fn example_gets_the_nulls_that_fastapi_drops() {
        let owner = json!({"anyOf": [{"type": "integer"}, {"type": "null"}]});
        let pet = |example| {
            let properties = json!({"owner": owner, "name": {"type": "string"}});
            json!({"type": "object", "required": ["owner"], "properties": properties, "examples": [example]})
        };
        for (given, expected) in [
            (json!({"name": "a"}), json!({"name": "a", "owner": null})),
            (json!({"owner": 7}), json!({"owner": 7})),
            // It is not valid.
            (json!({"name": 7}), json!({"owner": 123, "name": "text"})),
        ] {
            let pets = json!({"type": "array", "items": {"anyOf": [pet(given.clone()), {"type": "null"}]}});
            assert_eq!(sent(pets.clone()), Some(json!([expected])), "{given}");
            let media = json!({"schema": pets, "example": [{"name": "b"}]});
            let of_media = of_content(&json!({}), &media, Direction::Received);
            assert_eq!(of_media, Some(json!([{"name": "b", "owner": null}])));
        }
    }

    #[test]
    fn sample_keeps_bounds_and_formats() {
        assert_eq!(
            sent(json!({"type": "integer", "maximum": 100})),
            Some(json!(100))
        );
        assert_eq!(
            sent(json!({"type": "integer", "minimum": 500})),
            Some(json!(500))
        );
        assert_eq!(
            sent(json!({"type": ["string", "null"], "maxLength": 2})),
            Some(json!("te"))
        );
        assert_eq!(
            sent(json!({"type": "string", "format": "date"})),
            Some(json!("2023-11-07"))
        );
        assert_eq!(
            sent(json!({"type": "string", "minLength": 6})),
            Some(json!("textxx"))
        );
    }

    #[test]
    fn sample_of_an_object_has_what_is_sent() {
        let schema = json!({
            "allOf": [{"type": "object", "properties": {
                "id": {"type": "string", "readOnly": true},
                "to": {"type": "string"},
            }}],
            "properties": {"tags": {"type": "object", "additionalProperties": {"type": "boolean"}}},
        });
        assert_eq!(
            sent(schema),
            Some(json!({"to": "text", "tags": {"key": false}}))
        );
    }

    #[test]
    fn schema_that_contains_itself_has_a_sample_only_if_it_can_end() {
        assert_eq!(sent(json!({"$ref": "#/components/schemas/Tree"})), None);
        assert_eq!(
            sent(json!({"$ref": "#/components/schemas/Node"})),
            Some(json!({"children": []}))
        );
        assert_eq!(sent(json!({})), Some(json!({})));
    }

    /// There are millions of paths through ten schemas.
    #[test]
    fn sample_of_schemas_that_refer_to_each_other_ends() {
        let references =
            (0..10).map(|other| json!({"$ref": format!("#/components/schemas/S{other}")}));
        let references: Vec<Value> = references.collect();
        let sample = |properties: Vec<Value>| {
            let properties = properties.into_iter().enumerate();
            let properties = properties.map(|(index, property)| (format!("to{index}"), property));
            let text = ("z".to_owned(), json!({"type": "string"}));
            let properties: Map<String, Value> = properties.chain([text]).collect();
            let names: Vec<&String> = properties.keys().collect();
            let schema = json!({"type": "object", "required": names, "properties": properties});
            let schemas = (0..10).map(|index| (format!("S{index}"), schema.clone()));
            let schemas: Map<String, Value> = schemas.collect();
            let document = json!({"components": {"schemas": schemas}});
            of_schema(&document, &references[0], Direction::Sent)
        };
        let held: [fn(&Value) -> Value; 3] = [
            |held| json!({"type": "array", "items": held}),
            |held| json!({"type": "object", "additionalProperties": held}),
            |held| json!({"anyOf": [held, {"type": "null"}]}),
        ];
        for held in held {
            let sample = sample(references.iter().map(held).collect()).unwrap();
            assert_eq!(sample.as_object().map(Map::len), Some(11));
        }
        // Every value contains another one.
        assert_eq!(sample(vec![json!({"oneOf": references})]), None);
    }
}
