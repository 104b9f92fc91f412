//! The operations of a document, and the setters of the generated client for their parameters.

use std::collections::{BTreeMap, BTreeSet};

use call_api_codegen::model::ParameterKey;
use call_api_codegen::origin::OriginalOperations;
use call_api_codegen::pointer::Pointer;
use call_api_codegen::{Generated, names, walk};
use quote::ToTokens as _;
use serde_json::{Value, json};
use syn::ext::IdentExt as _;

use crate::document::Document;
use crate::shape::Shape;

/// An operation of the document, and the method of the generated client that sends it.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The location in the document.
    pub pointer: String,
    /// The HTTP method, in upper case.
    pub method: String,
    /// The path's template.
    pub path: String,
    /// The method of the client.
    pub function: String,
    /// The parameters, including those of the path item.
    pub parameters: Vec<Parameter>,
    /// The body that the client sends.
    pub body: Option<Body>,
}

/// A parameter of the document.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// The location in the document.
    pub pointer: String,
    /// The name on the wire.
    pub name: String,
    /// `path`, `query`, `header` or `cookie`.
    pub location: String,
    /// True if it is required.
    pub required: bool,
    /// The style: the document's, or the default.
    pub style: String,
    /// True if lists and objects are exploded.
    pub explode: bool,
    /// A reference to the schema.
    pub schema: String,
    /// True if the value is encoded by a media type (`content`).
    pub is_content: bool,
    /// The setters of the client, if there are any. An object can have one for each property.
    pub setters: Vec<(Option<String>, Setter)>,
    /// True if the report of unsupported features mentions it.
    pub is_reported: bool,
}

impl Parameter {
    /// Returns the key of the parameter in the arguments of a request.
    pub fn key(&self) -> String {
        format!("{}:{}", self.location, self.name)
    }
}

/// A request body.
#[derive(Clone, Debug)]
pub struct Body {
    /// The location in the document.
    pub pointer: String,
    /// True if it is required.
    pub required: bool,
    /// The media types in the document, each with a reference to its schema.
    pub content: Vec<(String, String)>,
    /// The setters of the client.
    pub setter: Option<Setter>,
    /// The read-only properties, each with the field of the setter's type that can leave it out.
    pub read_only: Vec<(String, String)>,
    /// True if the report of unsupported features mentions the media type, so another one can be sent.
    pub is_reported: bool,
}

/// A method of a builder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setter {
    /// Its name.
    pub name: String,
    /// The type of its argument, in the syntax of the generated client.
    pub takes: String,
    /// The names in the path of that type, without arguments.
    pub path: Vec<String>,
    /// The position in the arguments of the client's method, if it is an argument and not a setter.
    pub argument: Option<usize>,
}

/// The setters of each builder of a generated client.
type Setters = BTreeMap<String, BTreeMap<String, Setter>>;

/// Returns the operations of the generated client.
///
/// # Errors
/// The client is not valid Rust.
pub fn operations(
    document: &Document,
    generated: &Generated,
    client: &str,
) -> Result<Vec<Operation>, String> {
    let setters = setters(client)?;
    let normalized = &generated.normalized;
    let written = &generated.source.origins;
    let originals = OriginalOperations::of(document.value(), written, &generated.origins);
    let mut operations = Vec::new();
    for operation in walk::operations(normalized) {
        let Some(id) = operation.id() else { continue };
        let Some(original) = originals.get(&operation.pointer) else {
            continue;
        };
        let pointer = &original.pointer;
        let builder = setters.get(&names::builder_name(id));
        let wire = wire_names(generated, &operation);
        let parameters = parameters(document, generated, pointer, builder, &wire);
        let tokens: Vec<String> = pointer.tokens().collect();
        let [_, path, method] = tokens.as_slice() else {
            continue;
        };
        operations.push(Operation {
            pointer: pointer.to_string(),
            method: method.to_uppercase(),
            path: path.clone(),
            function: names::method_name(id),
            parameters,
            body: body(document, generated, pointer, builder),
        });
    }
    Ok(operations)
}

/// Maps the parameters of a normalized operation, which name the setters, to the keys of the document's parameters.
fn wire_names(generated: &Generated, operation: &walk::Operation<'_>) -> BTreeMap<String, String> {
    let normalized = &generated.normalized;
    let facts = generated.model.operation(&operation.pointer);
    let mut names = BTreeMap::new();
    for owner in [operation.path_item(), operation.pointer.clone()] {
        let list = owner.join("parameters");
        let entries = normalized.pointer(list.as_str()).and_then(Value::as_array);
        for index in 0..entries.map_or(0, Vec::len) {
            let Some((_, object)) = walk::locate(normalized, &list.join(index)) else {
                continue;
            };
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
            let (Some(name), Some(location)) = (text("/name"), text("/in")) else {
                continue;
            };
            let wire = facts
                .and_then(|facts| facts.parameters.get(&ParameterKey::new(location, name)))
                .and_then(|facts| facts.wire_name.as_deref())
                .unwrap_or(name);
            let setter = call_api_codegen::names::parameter_name(name);
            names.insert(format!("{location}:{wire}"), setter);
        }
    }
    names
}

fn parameters(
    document: &Document,
    generated: &Generated,
    operation: &Pointer,
    builder: Option<&BTreeMap<String, Setter>>,
    wire: &BTreeMap<String, String>,
) -> Vec<Parameter> {
    let path_item = operation
        .as_str()
        .rsplit_once('/')
        .map_or("", |(item, _)| item);
    let mut found: Vec<Parameter> = Vec::new();
    for owner in [operation.as_str(), path_item] {
        let list = format!("{owner}/parameters");
        let entries = document.value().pointer(&list).and_then(Value::as_array);
        for index in 0..entries.map_or(0, Vec::len) {
            let entry = Pointer::root().append(&format!("{list}/{index}"));
            let located = walk::locate(document.value(), &entry);
            let parameter =
                located.and_then(|(place, object)| parameter(object, place.to_string()));
            found.extend(parameter.filter(|parameter| is_new(&found, parameter)));
        }
    }
    let path = operation.tokens().nth(1).unwrap_or_default();
    for part in path.split('{').skip(1) {
        let (name, _) = part.split_once('}').unwrap_or_default();
        // The document need not declare it. It has no schema.
        let object = json!({"name": name, "in": "path", "required": true});
        let parameter = parameter(&object, operation.to_string());
        found.extend(parameter.filter(|parameter| is_new(&found, parameter)));
    }
    for parameter in &mut found {
        let is_declared = parameter.pointer != operation.as_str();
        let place = Pointer::root().append(&parameter.pointer);
        parameter.is_reported = is_declared && is_reported(generated, &place);
        let setter = |key: &str| builder?.get(wire.get(key)?).cloned();
        match setter(&parameter.key()) {
            Some(setter) => parameter.setters.push((None, setter)),
            None => parameter.setters = spread(document, parameter, &setter),
        }
    }
    found
}

fn is_new(found: &[Parameter], parameter: &Parameter) -> bool {
    found.iter().all(|other| other.key() != parameter.key())
}

/// Returns true if the report of unsupported features mentions a place in the bundled document, or one within it.
fn is_reported(generated: &Generated, place: &Pointer) -> bool {
    let place = generated.source.origins.of(place).pointer;
    let mut unsupported = generated.unsupported.iter();
    unsupported.any(|loss| loss.pointer.within(&place).is_some())
}

/// Returns the setters of an object whose properties are separate query parameters.
fn spread(
    document: &Document,
    parameter: &Parameter,
    setter: &dyn Fn(&str) -> Option<Setter>,
) -> Vec<(Option<String>, Setter)> {
    let schema = document.resolve(&parameter.schema).unwrap_or(&Value::Null);
    let shape = Shape::of(document, schema).unwrap_or_default();
    let setters = shape.properties.keys().filter_map(|property| {
        let key = match parameter.style.as_str() {
            "deepObject" => format!("{}[{property}]", parameter.key()),
            _ => format!("{}:{property}", parameter.location),
        };
        Some((Some((*property).to_owned()), setter(&key)?))
    });
    setters.collect()
}

fn parameter(object: &Value, pointer: String) -> Option<Parameter> {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let location = text("in")?;
    let by_default = if ["query", "cookie"].contains(&location) {
        "form"
    } else {
        "simple"
    };
    let style = text("style").unwrap_or(by_default);
    let explode = object.get("explode").and_then(Value::as_bool);
    let content = object.get("content").and_then(Value::as_object);
    let schema = match content.and_then(|content| content.keys().next()) {
        Some(media_type) => {
            let media_type = media_type.replace('~', "~0").replace('/', "~1");
            format!("#{pointer}/content/{media_type}/schema")
        }
        None => format!("#{pointer}/schema"),
    };
    Some(Parameter {
        name: text("name")?.to_owned(),
        location: location.to_owned(),
        required: object.get("required") == Some(&Value::Bool(true)),
        explode: explode.unwrap_or(style == "form"),
        style: style.to_owned(),
        schema,
        is_content: content.is_some(),
        pointer,
        setters: Vec::new(),
        is_reported: false,
    })
}

fn body(
    document: &Document,
    generated: &Generated,
    operation: &Pointer,
    builder: Option<&BTreeMap<String, Setter>>,
) -> Option<Body> {
    let (place, object) = walk::locate(document.value(), &operation.join("requestBody"))?;
    let content = object.get("content").and_then(Value::as_object)?;
    let range = content.keys().find(|media_type| media_type.contains('*'));
    let media_type = |name: &str| place.join("content").join(name);
    let is_reported = range.is_some_and(|range| is_reported(generated, &media_type(range)));
    let content = content.keys().map(|name| {
        let schema = media_type(name).join("schema");
        (name.clone(), schema.to_ref())
    });
    Some(Body {
        required: object.get("required") == Some(&Value::Bool(true)),
        content: content.collect(),
        setter: builder.and_then(|setters| setters.get("body")).cloned(),
        read_only: Vec::new(),
        is_reported,
        pointer: place.to_string(),
    })
}

/// Returns the setters of the builders: the methods of `mod builder` with an argument that converts into a type.
fn setters(client: &str) -> Result<Setters, String> {
    let file = parse(client, "client")?;
    let mut setters = Setters::new();
    for item in file.items {
        let syn::Item::Mod(module) = item else {
            continue;
        };
        if module.ident != "builder" {
            continue;
        }
        for item in module.content.into_iter().flat_map(|(_, items)| items) {
            let syn::Item::Impl(block) = item else {
                continue;
            };
            let syn::Type::Path(builder) = block.self_ty.as_ref() else {
                continue;
            };
            let Some(builder) = builder.path.segments.last() else {
                continue;
            };
            let of_builder = setters.entry(builder.ident.to_string()).or_default();
            for item in &block.items {
                let syn::ImplItem::Fn(function) = item else {
                    continue;
                };
                let name = function.sig.ident.to_string();
                if name == "new" {
                    of_builder.extend(arguments(&function.sig));
                } else if let Some(takes) = converted(&function.sig) {
                    let setter = Setter::new(name.clone(), &takes, None);
                    of_builder.insert(name, setter);
                }
            }
        }
    }
    Ok(setters)
}

impl Setter {
    pub(crate) fn new(name: String, takes: &syn::Type, argument: Option<usize>) -> Self {
        let path = match takes {
            syn::Type::Path(ty) => {
                let segments = ty.path.segments.iter();
                segments.map(|segment| segment.ident.to_string()).collect()
            }
            _ => Vec::new(),
        };
        Self {
            name,
            takes: takes.to_token_stream().to_string(),
            path,
            argument,
        }
    }

    /// Returns true if the path of the type ends in these names.
    pub fn takes(&self, names: &[&str]) -> bool {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        path.ends_with(names)
    }
}

/// Returns the `T` of `where V: TryInto<T>`, and of `where V: IntoOptional<T, By>`.
fn converted(signature: &syn::Signature) -> Option<syn::Type> {
    let clause = signature.generics.where_clause.as_ref()?;
    let bounds = clause
        .predicates
        .iter()
        .filter_map(|predicate| match predicate {
            syn::WherePredicate::Type(bound) => Some(&bound.bounds),
            _ => None,
        });
    bounds.flatten().find_map(|bound| {
        let syn::TypeParamBound::Trait(bound) = bound else {
            return None;
        };
        let last = bound.path.segments.last()?;
        let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else {
            return None;
        };
        let mut conversions = ["TryInto", "Into", "IntoOptional"].iter();
        let is_conversion = conversions.any(|conversion| last.ident == conversion);
        match arguments.args.first()? {
            syn::GenericArgument::Type(ty) if is_conversion => Some(ty.clone()),
            _ => None,
        }
    })
}

/// Returns the parameters of the path, which a constructor takes after the client.
fn arguments(new: &syn::Signature) -> impl Iterator<Item = (String, Setter)> {
    let arguments = new.inputs.iter().skip(1).enumerate();
    arguments.filter_map(|(index, argument)| {
        let syn::FnArg::Typed(argument) = argument else {
            return None;
        };
        let syn::Pat::Ident(pattern) = argument.pat.as_ref() else {
            return None;
        };
        let name = pattern.ident.unraw().to_string();
        let setter = Setter::new(name.clone(), &argument.ty, Some(index));
        Some((name, setter))
    })
}

fn parse(source: &str, what: &str) -> Result<syn::File, String> {
    syn::parse_file(source)
        .map_err(|error| format!("the generated {what} cannot be parsed as Rust: {error}"))
}

/// Returns the names of the public types at the root of a generated types crate.
///
/// # Errors
/// The crate is not valid Rust.
pub fn type_names(types: &str) -> Result<BTreeSet<String>, String> {
    let file = parse(types, "types")?;
    let names = file.items.into_iter().filter_map(|item| match item {
        syn::Item::Struct(item) => Some(item.ident.to_string()),
        syn::Item::Enum(item) => Some(item.ident.to_string()),
        syn::Item::Type(item) => Some(item.ident.to_string()),
        _ => None,
    });
    Ok(names.collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use call_api_codegen::layout::CLIENT;
    use call_api_codegen::load::Source;
    use call_api_codegen::{Choices, generate_document};

    use super::*;

    #[test]
    fn undeclared_and_referenced_parameters_of_the_path_have_setters() {
        let declared =
            json!({"name": "kind", "in": "path", "required": true, "schema": {"type": "string"}});
        let value = json!({
            "openapi": "3.0.3",
            "info": {"title": "Things", "version": "1"},
            "paths": {"/things/{id}/{kind}": {"get": {
                "operationId": "thing",
                "parameters": [{"$ref": "#/components/parameters/a"}],
                "responses": {"204": {"description": "Done"}},
            }}},
            "components": {"parameters": {"a": {"$ref": "#/components/parameters/b"}, "b": declared}},
        });
        let source = Source {
            document: value.clone(),
            ..Source::default()
        };
        let generated = generate_document(source, Choices::default()).unwrap();
        let mut outputs = generated.plan.outputs.iter();
        let client = outputs.find(|output| output.path == Path::new(CLIENT));
        let document = Document::new(value);
        let operations = operations(&document, &generated, &client.unwrap().contents).unwrap();
        let parameters = operations[0].parameters.iter().map(|parameter| {
            let arguments = parameter.setters.iter().map(|(_, setter)| setter.argument);
            (parameter.name.as_str(), arguments.collect())
        });
        let parameters: BTreeMap<&str, Vec<Option<usize>>> = parameters.collect();
        let mut arguments: Vec<_> = parameters.values().flatten().copied().collect();
        arguments.sort_unstable();
        assert_eq!(arguments, [Some(0), Some(1)], "{parameters:?}");
        let places = operations[0].parameters.iter();
        let places: Vec<&str> = places.map(|parameter| parameter.pointer.as_str()).collect();
        assert_eq!(
            places,
            ["/components/parameters/b", operations[0].pointer.as_str()]
        );
    }
}
