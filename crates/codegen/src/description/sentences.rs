//! Sentences about schemas, properties and parameters, for the documentation of generated code.

use std::collections::BTreeMap;

use serde_json::Value;

use super::values::{Values, code_span, plain};
use super::{Operation, Parameter, ValueType};
use crate::load::Source;
use crate::names;
use crate::openapi::{Schema as _, all_properties};
use crate::origin::Origins;
use crate::pointer::{Lookup as _, Pointer};
use crate::postprocess::for_rustdoc;
use crate::sample;
use crate::walk;

/// The facts about the types and the parameters of a document, by the names in the generated code.
#[derive(Default)]
pub(crate) struct Facts<'a> {
    values: Values,
    schemas: BTreeMap<String, Described<'a>>,
    parameters: BTreeMap<(String, &'a str), &'a Parameter>,
}

/// A schema and its location in the document.
struct Described<'a> {
    document: &'a Value,
    schema: &'a Value,
    place: Pointer,
}

impl<'a> Facts<'a> {
    pub(crate) fn of(
        source: &'a Source,
        normalized: &'a Value,
        origins: &Origins,
        operations: &'a [Operation],
    ) -> Self {
        let schemas = walk::schemas(normalized).map(|(name, schema)| {
            let origin = origins.of(&Pointer::schema(name));
            let original = source.document.at(origin.pointer.as_str());
            let described = match (origin.file, original) {
                (None, Some(original)) => Described {
                    document: &source.document,
                    schema: original,
                    place: origin.pointer,
                },
                // The location is one in another file, or a rule made the schema.
                _ => Described {
                    document: normalized,
                    schema,
                    place: Pointer::schema(name),
                },
            };
            (names::type_name(name), described)
        });
        let parameters = operations.iter().flat_map(|operation| {
            let builder = names::builder_name(&operation.name);
            let parameters = operation.parameters.iter();
            parameters
                .map(move |parameter| ((builder.clone(), parameter.rust_name.as_str()), parameter))
        });
        Self {
            values: Values::of(normalized, origins),
            schemas: schemas.collect(),
            parameters: parameters.collect(),
        }
    }

    /// Documents a type whose schema has no description.
    pub(crate) fn schema(&self, name: &str) -> String {
        let Some(Described {
            document,
            schema,
            place,
        }) = self.schemas.get(name)
        else {
            return format!("The schema `{name}`.");
        };
        let ty = self.values.value(document, schema, 0);
        let subject = self.subject(place);
        let subject = subject.unwrap_or_else(|| format!("the schema `{name}`"));
        let listed = if ty.values.is_empty() {
            ""
        } else {
            " with listed values"
        };
        capitalized(&format!("{subject}: {}{listed}.", ty.type_words()))
    }

    /// Returns the facts about the properties of a type, by their names on the wire.
    pub(crate) fn properties(&self, name: &str) -> BTreeMap<&'a str, ValueFacts> {
        let Some(Described {
            document, schema, ..
        }) = self.schemas.get(name)
        else {
            return BTreeMap::new();
        };
        let properties = all_properties(document, schema).into_iter();
        let properties = properties.map(|(name, property, _)| {
            let facts = ValueFacts::of_schema(&self.values, document, property);
            (name.as_str(), facts)
        });
        properties.collect()
    }

    /// Returns the location of a schema in words: `the property `to` of the schema `Call``. `None` for unusual locations.
    fn subject(&self, place: &Pointer) -> Option<String> {
        let tokens: Vec<String> = place.tokens().collect();
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let operation =
            |method: &str, path: &str| code_span(&format!("{} {path}", method.to_uppercase()));
        let (mut words, mut rest) = match tokens.as_slice() {
            ["components", "schemas", name, rest @ ..] => {
                let public = self.values.type_name(&Pointer::schema(name));
                let name = code_span(public.unwrap_or(name))?;
                (format!("the schema {name}"), rest)
            }
            [
                "paths",
                path,
                method,
                "responses",
                status,
                "content",
                _,
                "schema",
                rest @ ..,
            ] => {
                let operation = operation(method, path)?;
                (format!("the response `{status}` of {operation}"), rest)
            }
            [
                "paths",
                path,
                method,
                "requestBody",
                "content",
                _,
                "schema",
                rest @ ..,
            ] => (format!("the body of {}", operation(method, path)?), rest),
            [
                "components",
                "responses",
                name,
                "content",
                _,
                "schema",
                rest @ ..,
            ] => (format!("the response {}", code_span(name)?), rest),
            [
                "components",
                "requestBodies",
                name,
                "content",
                _,
                "schema",
                rest @ ..,
            ] => (format!("the request body {}", code_span(name)?), rest),
            _ => return None,
        };
        loop {
            rest = match rest {
                [] => return Some(words),
                ["properties", name, rest @ ..] => {
                    words = format!("the property {} of {words}", code_span(name)?);
                    rest
                }
                ["items", rest @ ..] => {
                    words = format!("an item of {words}");
                    rest
                }
                ["additionalProperties", rest @ ..] => {
                    words = format!("a value of {words}");
                    rest
                }
                ["oneOf" | "anyOf", _, rest @ ..] => {
                    words = format!("a form of {words}");
                    rest
                }
                ["allOf", _, rest @ ..] => rest,
                _ => return None,
            };
        }
    }

    /// Documents the setter of a request builder; `None` if it does not set a parameter.
    pub(crate) fn setter(&self, builder: &str, name: &str) -> Option<String> {
        let parameter = self.parameters.get(&(builder.to_owned(), name))?;
        let subject = match parameter.location.as_str() {
            "header" => format!("Sets the header `{}`", parameter.name),
            location => format!("Sets the {location} parameter `{}`", parameter.name),
        };
        let facts = ValueFacts::new(
            &parameter.ty,
            parameter.default.as_ref(),
            parameter.example.as_ref(),
        );
        let description = parameter.description.as_deref().map(for_rustdoc);
        Some(match description {
            None => facts.document(&subject),
            Some(text) if is_one_line(&text) => format!("{subject}: {}", facts.add_to(&text)),
            Some(text) => format!("{subject}.\n\n{}", facts.add_to(&text)),
        })
    }
}

/// The facts about a value besides its description.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ValueFacts {
    /// The type in words, with its constraints.
    words: String,
    /// True if the words say more than the Rust type.
    is_informative: bool,
    default: Option<String>,
    example: Option<String>,
    /// `requests` or `responses`, if the value is only in these.
    only_in: Option<&'static str>,
}

impl ValueFacts {
    fn new(ty: &ValueType, default: Option<&Value>, example: Option<&Value>) -> Self {
        let is_scalar =
            |value: &&Value| value.is_string() || value.is_number() || value.is_boolean();
        let default = default.filter(is_scalar).map(|default| match default {
            Value::String(text) if text.is_empty() => "an empty string".to_owned(),
            default => {
                let text = plain(default);
                code_span(&text).unwrap_or_else(|| quoted(&text))
            }
        });
        Self {
            words: ty.type_words(),
            is_informative: ty.is_informative(),
            default,
            // An example of a boolean or of a listed value adds nothing.
            example: example
                .filter(is_scalar)
                .filter(|value| !value.is_boolean() && ty.values.is_empty())
                .and_then(|example| code_span(&plain(example))),
            only_in: None,
        }
    }

    fn of_schema(values: &Values, document: &Value, schema: &Value) -> Self {
        let target = walk::follow(document, schema).unwrap_or(schema);
        let example = sample::example(document, schema);
        let example = example.or_else(|| sample::example(document, target));
        let default = schema
            .keyword("default")
            .or_else(|| target.keyword("default"));
        let only_in = if schema.has_flag("readOnly") {
            Some("responses")
        } else {
            schema.has_flag("writeOnly").then_some("requests")
        };
        Self {
            only_in,
            ..Self::new(
                &values.value(document, schema, 0),
                default,
                example.as_ref(),
            )
        }
    }

    /// Documents a value without a description.
    pub(crate) fn document(&self, subject: &str) -> String {
        let mut text = match self.words.as_str() {
            "" => format!("{subject}."),
            words => format!("{subject}: {words}."),
        };
        for sentence in self.sentences("") {
            text.push(' ');
            text.push_str(&sentence);
        }
        text
    }

    /// Adds the facts to a description, as far as it does not mention them.
    pub(crate) fn add_to(&self, description: &str) -> String {
        let mut sentences = self.sentences(description);
        if self.is_informative {
            sentences.insert(0, format!("{}.", capitalized(&self.words)));
        }
        let description = description.trim_end();
        if sentences.is_empty() {
            return description.to_owned();
        }
        let sentences = sentences.join(" ");
        if !is_one_line(description) {
            format!("{description}\n\n{sentences}")
        } else if description.ends_with(['.', '!', '?', ':']) {
            format!("{description} {sentences}")
        } else {
            format!("{description}. {sentences}")
        }
    }

    fn sentences(&self, description: &str) -> Vec<String> {
        let only_in = self.only_in.map(|place| format!("Only in {place}."));
        let default = self.default.as_ref();
        let default = default.filter(|_| !description.to_lowercase().contains("default"));
        let example = self.example.as_ref();
        let example = example.filter(|example| {
            !description.contains(example.trim_matches('`'))
                && Some(*example) != self.default.as_ref()
        });
        only_in
            .into_iter()
            .chain(default.map(|default| format!("The default is {default}.")))
            .chain(example.map(|example| format!("Example: {example}.")))
            .collect()
    }
}

/// Returns any text in one line of Markdown, as a string of JSON.
fn quoted(text: &str) -> String {
    // A code span that ends with more backticks than the text has in a row may contain them.
    let longest = text.split(|c| c != '`').map(str::len).max();
    let fence = "`".repeat(longest.unwrap_or_default() + 1);
    format!("{fence} {} {fence}", Value::from(text))
}

/// Returns true for a text to which a sentence can be added in the same line.
fn is_one_line(text: &str) -> bool {
    let text = text.trim();
    !text.contains('\n') && !text.starts_with(['#', '-', '*', '+', '>', '|', '<', '`', '~'])
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(schema: &Value) -> ValueFacts {
        let values = Values::of(&Value::Null, &Origins::default());
        ValueFacts::of_schema(&values, &Value::Null, schema)
    }

    #[test]
    fn facts_are_added_to_a_description_that_lacks_them() {
        let limit = facts(&json!({
            "type": "integer", "minimum": 1, "maximum": 100, "default": 20, "example": 5,
        }));
        assert_eq!(
            limit.document("The property `limit`"),
            "The property `limit`: integer, 1 to 100. The default is `20`. Example: `5`."
        );
        assert_eq!(
            limit.add_to("The page size, such as 5"),
            "The page size, such as 5. Integer, 1 to 100. The default is `20`."
        );
        assert_eq!(
            limit.add_to("The page size.\n\nBy default 20."),
            "The page size.\n\nBy default 20.\n\nInteger, 1 to 100. Example: `5`."
        );
    }

    #[test]
    fn type_is_not_added_to_a_description_if_rust_tells_it() {
        let id = facts(&json!({"type": "string", "format": "uuid", "readOnly": true}));
        assert_eq!(id.add_to("The id"), "The id. Only in responses.");
        let url = facts(&json!({"type": "array", "items": {"type": "string", "format": "uri"}}));
        assert_eq!(url.add_to("The links."), "The links. List of URL.");
        let status = facts(&json!({"type": "string", "enum": ["queued"], "example": "queued"}));
        assert_eq!(status.add_to("The status."), "The status.");
    }

    #[test]
    fn values_that_no_code_span_can_contain_are_left_out() {
        let odd = facts(&json!({"type": "string", "example": "a\nb"}));
        assert_eq!(
            odd.document("The property `odd`"),
            "The property `odd`: string."
        );
    }

    #[test]
    fn default_is_never_left_out() {
        let default = |value: Value| {
            let facts = facts(&json!({"type": "string", "default": value}));
            facts.add_to("A text.")
        };
        assert_eq!(default(json!("a")), "A text. The default is `a`.");
        assert_eq!(
            default(json!("")),
            "A text. The default is an empty string."
        );
        assert_eq!(
            default(json!("a`b\nc")),
            "A text. The default is `` \"a`b\\nc\" ``."
        );
    }

    #[test]
    fn location_is_in_words() {
        let facts = Facts::default();
        let subject = |text: &str| {
            let place = Pointer::from_ref(text);
            place
                .and_then(|place| facts.subject(&place))
                .unwrap_or_default()
        };
        assert_eq!(
            subject("#/components/schemas/Call/properties/to/items"),
            "an item of the property `to` of the schema `Call`"
        );
        assert_eq!(
            subject("#/paths/~1calls/post/responses/201/content/application~1json/schema/anyOf/0"),
            "a form of the response `201` of `POST /calls`"
        );
        assert_eq!(subject("#/paths/~1calls/post/callbacks/x"), "");
    }
}
