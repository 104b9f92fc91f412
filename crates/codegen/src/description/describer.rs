//! Reads the descriptions of operations from a document.

use serde_json::{Value, json};

use super::values::Values;
use super::{Body, Content, Operation, Parameter, Property, Response, ValueType};
use crate::instance::Direction;
use crate::load::Source;
use crate::media_type::{essence, response_rank};
use crate::model::{EventData, Model, ParameterKey, RequestBody, StreamFormat};
use crate::names;
use crate::openapi::{
    BODILESS, ResolvedParameter, Schema as _, all_properties, explodes, of_operation, style_name,
};
use crate::origin::{OriginalOperations, Origins};
use crate::pointer::Pointer;
use crate::postprocess::request_spec::encoded;
use crate::sample;
use crate::security::SecuritySchemes;
use crate::streams;
use crate::walk;

/// Describes the operations that the client has, in the order of the document.
pub fn describe(
    source: &Source,
    normalized: &Value,
    model: &Model,
    origins: &Origins,
) -> Vec<Operation> {
    let describer = Describer {
        document: &source.document,
        normalized,
        model,
        originals: OriginalOperations::of(&source.document, &source.origins, origins),
        schemes: SecuritySchemes::of(normalized),
        values: Values::of(normalized, origins),
    };
    let operations = walk::operations(normalized);
    operations
        .iter()
        .filter_map(|operation| describer.operation(operation))
        .collect()
}

struct Describer<'a> {
    /// The original document.
    document: &'a Value,
    normalized: &'a Value,
    model: &'a Model,
    originals: OriginalOperations<'a>,
    schemes: SecuritySchemes<'a>,
    values: Values,
}

impl<'a> Describer<'a> {
    fn operation(&self, operation: &walk::Operation<'a>) -> Option<Operation> {
        let name = names::method_name(operation.id()?);
        let original = self.originals.get(&operation.pointer).unwrap_or(operation);
        let object = original.object;
        let mut path = encoded(operation.path);
        let mut parameters = Vec::new();
        let documented = of_operation(self.document, original);
        for parameter in of_operation(self.normalized, operation) {
            let described = self.parameter(operation, &parameter, &documented);
            if described.location == "path" {
                let hole = format!("{{{}}}", encoded(parameter.name()));
                path = path.replace(&hole, &format!("{{{}}}", described.name));
            }
            parameters.push(described);
        }
        let rank = |parameter: &Parameter| match parameter.location.as_str() {
            "path" => (0, path.find(&format!("{{{}}}", parameter.name))),
            _ => (1, None),
        };
        parameters.sort_by_key(rank);
        let id = text(object, "operationId").unwrap_or_else(|| name.clone());
        let facts = self.model.operation(&operation.pointer);
        let body = self.body(operation, object);
        Some(Operation {
            id,
            method: operation.method.to_uppercase(),
            summary: text(object, "summary"),
            description: text(object, "description"),
            deprecated: object.has_flag("deprecated"),
            auth: self.schemes.operation(operation.object).into(),
            body,
            responses: self.responses(object, &original.pointer),
            paging: facts.and_then(|facts| facts.paging.clone()),
            stream: facts.and_then(|facts| facts.stream.clone()),
            name,
            path,
            parameters,
        })
    }

    fn parameter(
        &self,
        operation: &walk::Operation<'_>,
        parameter: &ResolvedParameter<'_>,
        documented: &[ResolvedParameter<'_>],
    ) -> Parameter {
        let key = ParameterKey::new(parameter.location(), parameter.name());
        let facts = self
            .model
            .operation(&operation.pointer)
            .and_then(|facts| facts.parameters.get(&key));
        let name = facts
            .and_then(|facts| facts.wire_name.as_deref())
            .unwrap_or(parameter.name());
        // A property of an object in the query is a parameter only after normalization.
        let original = documented
            .iter()
            .find(|other| other.name() == name && other.location() == parameter.location());
        let (document, object) = match original {
            Some(original) => (self.document, original.object),
            None => (self.normalized, parameter.object),
        };
        let schema = object.get("schema").or_else(|| {
            let mut contents = object.get("content")?.as_object()?.values();
            contents.next()?.get("schema")
        });
        let default = schema
            .and_then(|schema| walk::follow(document, schema)?.get("default"))
            .filter(|default| !default.is_null());
        let example = sample::example(document, object)
            .or_else(|| sample::example(document, walk::follow(document, schema?)?));
        Parameter {
            name: name.to_owned(),
            rust_name: names::parameter_name(parameter.name()),
            location: parameter.location().to_owned(),
            style: style_name(object).to_owned(),
            explode: explodes(object),
            encoding: facts.and_then(|facts| facts.style),
            required: parameter.is_required(),
            ty: schema.map_or_else(ValueType::default, |schema| {
                self.values.value(document, schema, 0)
            }),
            default: default.cloned(),
            example,
            description: text(object, "description"),
            deprecated: object.has_flag("deprecated"),
        }
    }

    fn body(&self, operation: &walk::Operation<'_>, object: &Value) -> Option<Body> {
        let sent = walk::follow(self.normalized, operation.object.get("requestBody")?)?;
        let sent = sent.get("content")?.as_object()?.keys().next()?;
        let facts = self.model.operation(&operation.pointer);
        let facts = facts.map(|facts| &facts.body);
        let documented = walk::follow(self.document, object.get("requestBody")?)?;
        let content = documented.get("content")?.as_object()?;
        let sent = match facts.and_then(|facts| facts.content_type.as_deref()) {
            Some(content_type) => content_type,
            None if facts.is_some_and(|facts| facts.parts().is_some()) => "multipart/form-data",
            None => sent,
        };
        let mut media_types: Vec<String> = content.keys().cloned().collect();
        media_types.sort_by_key(|other| essence(other) != essence(sent));
        // A range leaves the type to the sender.
        if let Some(first) = media_types.first_mut()
            && first.contains('*')
        {
            sent.clone_into(first);
        }
        let media = content
            .iter()
            .min_by_key(|(name, _)| essence(name) != essence(sent));
        Some(Body {
            required: !facts.is_some_and(|facts: &RequestBody| facts.is_optional),
            content: media.map_or_else(Content::default, |(_, media)| {
                self.content(media, Direction::Sent)
            }),
            media_types,
        })
    }

    fn responses(&self, operation: &Value, place: &Pointer) -> Vec<Response> {
        let stream = streams::find(self.document, operation, place);
        let responses = operation.get("responses").and_then(Value::as_object);
        let responses = responses
            .into_iter()
            .flatten()
            .filter(|(status, _)| !status.starts_with("x-"));
        responses
            .map(|(status, response)| {
                let response = walk::follow(self.document, response).unwrap_or(response);
                let contents = response.get("content").and_then(Value::as_object);
                let preferred = contents
                    .into_iter()
                    .flatten()
                    .filter(|_| !BODILESS.contains(&status.as_str()))
                    .min_by_key(|(media_type, _)| response_rank(media_type));
                Response {
                    status: status.clone(),
                    description: text(response, "description"),
                    media_type: preferred.map(|(media_type, _)| media_type.clone()),
                    content: preferred.map_or_else(Content::default, |(media_type, media)| {
                        let stream = stream.as_ref().filter(|stream| {
                            stream.status == *status && stream.media_type == *media_type
                        });
                        match stream {
                            Some(stream) => self.stream(media, stream),
                            None => self.content(media, Direction::Received),
                        }
                    }),
                }
            })
            .collect()
    }

    fn content(&self, media: &Value, direction: Direction) -> Content {
        let schema = media.get("schema");
        Content {
            ty: schema.map(|schema| self.values.value(self.document, schema, 0)),
            properties: schema.map_or_else(Vec::new, |schema| self.properties(schema)),
            example: sample::of_content(self.document, media, direction),
        }
    }

    /// Returns the content of a stream: the description of an item, and an example of the whole body.
    fn stream(&self, media: &Value, stream: &streams::Found) -> Content {
        let item = json!({"schema": stream.item.clone().unwrap_or(json!({"type": "string"}))});
        let mut content = self.content(&item, Direction::Received);
        if let Some(ty) = &mut content.ty {
            ty.words = format!("stream of {}", ty.words);
        }
        let example = sample::example(self.document, media).filter(Value::is_string);
        content.example = example.or_else(|| {
            let item = content.example.take()?;
            Some(Value::String(match (&stream.format, &item) {
                (StreamFormat::Events(EventData::Text), Value::String(text)) => {
                    format!("data: {text}\n\n")
                }
                (StreamFormat::Events(EventData::Fields(_)), Value::Object(fields)) => {
                    let line = |(name, value): (&String, &Value)| match value {
                        Value::String(text) => format!("{name}: {text}\n"),
                        value => format!("{name}: {value}\n"),
                    };
                    fields.iter().map(line).collect::<String>() + "\n"
                }
                (StreamFormat::Events(_), item) => format!("data: {item}\n\n"),
                (StreamFormat::Lines, item) => format!("{item}\n"),
            }))
        });
        content
    }

    /// Returns the properties of an object, with those of the parts of an `allOf`.
    fn properties(&self, schema: &Value) -> Vec<Property> {
        let mut found: Vec<Property> = Vec::new();
        for (name, property, required) in all_properties(self.document, schema) {
            let target = walk::follow(self.document, property).unwrap_or(property);
            found.retain(|other| other.name != *name);
            found.push(Property {
                name: name.clone(),
                required,
                nullable: property.is_nullable() || target.is_nullable(),
                ty: self.values.value(self.document, property, 0),
                description: text(property, "description").or_else(|| text(target, "description")),
            });
        }
        found
    }
}

fn text(object: &Value, key: &str) -> Option<String> {
    let text = object.get(key)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
