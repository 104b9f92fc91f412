//! Parameters: each is right on the wire, or it is left out and reported.
//!
//! progenitor keeps one parameter of a name, whatever it is in; knows one style for each place; and makes text of a value
//! by `Display`, which for a date is not what HTTP wants. What the client has to do otherwise is in the
//! [model](crate::model): the name on the wire where the document's can't be a name in Rust, and the style where the value
//! is put together by the client's `encode` module.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Changes, replace};
use crate::model::{self, Model, ParameterKey};
use crate::pointer::Pointer;
use crate::{names, walk};

/// A parameter as an operation has it.
pub(crate) struct ResolvedParameter<'a> {
    /// The place of its entry in a list of parameters, which may be a reference.
    pub(crate) entry: Pointer,
    /// The place of the Parameter object.
    pub(crate) place: Pointer,
    /// The Parameter object.
    pub(crate) object: &'a Value,
}

impl ResolvedParameter<'_> {
    pub(crate) fn name(&self) -> &str {
        text(self.object, "name")
    }

    pub(crate) fn location(&self) -> &str {
        text(self.object, "in")
    }

    /// Returns the key of its facts in the model.
    pub(crate) fn key(&self) -> ParameterKey {
        ParameterKey::new(self.location(), self.name())
    }

    fn is_required(&self) -> bool {
        self.object.get("required") == Some(&json!(true))
    }
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The parameters of an operation: its own, and those of its path that it doesn't say otherwise. A parameter is known by
/// its name and what it is in (OpenAPI 3.0, section 4.7.8.1).
pub(crate) fn of_operation<'a>(
    document: &'a Value,
    operation: &walk::Operation<'_>,
) -> Vec<ResolvedParameter<'a>> {
    let list = |owner: &Pointer| -> Vec<ResolvedParameter<'a>> {
        let list = owner.join("parameters");
        let length = document
            .pointer(list.as_str())
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        (0..length)
            .filter_map(|index| {
                let entry = list.join(index);
                let (place, object) = walk::locate(document, &entry)?;
                Some(ResolvedParameter {
                    entry,
                    place,
                    object,
                })
            })
            .collect()
    };
    let own = list(&operation.pointer);
    let mut all: Vec<ResolvedParameter<'a>> = list(&operation.path_item())
        .into_iter()
        .filter(|shared| {
            !own.iter().any(|parameter| {
                parameter.name() == shared.name() && parameter.location() == shared.location()
            })
        })
        .collect();
    all.extend(own);
    all
}

/// The places of the Parameter objects that operations use, each once.
fn places(document: &Value) -> Vec<Pointer> {
    let mut seen = BTreeSet::new();
    let mut places = Vec::new();
    for operation in walk::operations(document) {
        for parameter in of_operation(document, &operation) {
            if seen.insert(parameter.place.clone()) {
                places.push(parameter.place);
            }
        }
    }
    places
}

/// Calls `edit` for each Parameter object that an operation uses, with the document as it was before.
fn edit_each(
    document: &mut Value,
    mut edit: impl FnMut(&Value, &Pointer, &mut Map<String, Value>),
) {
    let edited: Vec<(Pointer, Value)> = places(document)
        .into_iter()
        .filter_map(|place| {
            let mut parameter = document.pointer(place.as_str())?.clone();
            edit(document, &place, parameter.as_object_mut()?);
            Some((place, parameter))
        })
        .collect();
    for (place, parameter) in edited {
        if let Some(old) = document.pointer_mut(place.as_str()) {
            *old = parameter;
        }
    }
}

/// The lists of parameters of the paths and their operations.
fn lists(document: &Value) -> Vec<Pointer> {
    let mut owners: Vec<Pointer> = Vec::new();
    let mut item = None;
    for operation in walk::operations(document) {
        // The operations of a path stand together.
        let of = Some(operation.path_item());
        if item != of {
            owners.extend(of.clone());
            item = of;
        }
        owners.push(operation.pointer);
    }
    owners
        .into_iter()
        .map(|owner| owner.join("parameters"))
        .filter(|list| document.pointer(list.as_str()).is_some_and(Value::is_array))
        .collect()
}

/// Replaces each entry of each list of parameters by what `replace` makes of the Parameter object; `None` leaves it as it
/// is.
fn replace_entries(
    document: &mut Value,
    mut replace: impl FnMut(&Value, &Pointer, &Value) -> Option<Vec<Value>>,
) {
    let mut replaced: Vec<(Pointer, Vec<Value>)> = Vec::new();
    for list in lists(document) {
        let entries = document.pointer(list.as_str()).and_then(Value::as_array);
        let mut new = Vec::new();
        let mut changed = false;
        for (index, entry) in entries.into_iter().flatten().enumerate() {
            let located = walk::locate(document, &list.join(index));
            match located.and_then(|(place, object)| replace(document, &place, object)) {
                Some(instead) => {
                    new.extend(instead);
                    changed = true;
                }
                None => new.push(entry.clone()),
            }
        }
        if changed {
            replaced.push((list, new));
        }
    }
    for (list, new) in replaced {
        if let Some(old) = document.pointer_mut(list.as_str()) {
            *old = Value::Array(new);
        }
    }
}

/// Takes an operation out of the document, and notes why.
pub(super) fn leave_out(
    document: &mut Value,
    operation: &Pointer,
    cause: &str,
    changes: &mut Changes,
) {
    changes.at(operation);
    changes.lost(
        operation,
        format!("the operation: {cause}"),
        "it has no method",
    );
    let steps: Vec<String> = operation.tokens().collect();
    if let [paths, path, method] = steps.as_slice()
        && let Some(item) = document
            .get_mut(paths)
            .and_then(|paths| paths.get_mut(path))
            .and_then(Value::as_object_mut)
    {
        item.remove(method);
    }
}

/// Leaves out the operations that can't be called without a parameter for which `wanted` says why it can't be sent.
fn leave_out_callers(
    document: &mut Value,
    changes: &mut Changes,
    unsendable: impl Fn(&Value, &ResolvedParameter<'_>) -> Option<String>,
) {
    let mut gone = Vec::new();
    for operation in walk::operations(document) {
        let cause = of_operation(document, &operation)
            .iter()
            .filter(|parameter| parameter.is_required())
            .find_map(|parameter| unsendable(document, parameter));
        if let Some(cause) = cause {
            gone.push((operation.pointer, cause));
        }
    }
    for (operation, cause) in gone {
        leave_out(document, &operation, &cause, changes);
    }
}

/// progenitor looks for what a reference names among the components, by the last step of the reference alone.
pub(super) fn inline_references(document: &mut Value, changes: &mut Changes) {
    let mut inlined = Vec::new();
    for list in lists(document) {
        let length = document
            .pointer(list.as_str())
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        for index in 0..length {
            let entry = list.join(index);
            let Some((place, object)) = walk::locate(document, &entry) else {
                continue;
            };
            let steps: Vec<String> = place.tokens().collect();
            let component = matches!(steps.as_slice(), [components, parameters, _] if components == "components" && parameters == "parameters");
            if place != entry && !component {
                inlined.push((entry, object.clone()));
            }
        }
    }
    replace(document, inlined, changes);
}

/// The headers that the specification doesn't let a parameter set (OpenAPI 3.0, section 4.7.12.1), cookies, and what is no
/// name of a header: the transport's to send, or nobody's.
pub(super) fn drop_transports(document: &mut Value, changes: &mut Changes) {
    leave_out_callers(document, changes, |_, parameter| {
        let name = parameter.name();
        (parameter.location() == "header" && !is_token(name))
            .then(|| format!("`{name}`, which it needs, is no name of a header"))
    });
    let mut told = BTreeSet::new();
    replace_entries(document, |_, place, object| {
        let name = text(object, "name");
        let loss = match text(object, "in") {
            "header" if name.eq_ignore_ascii_case("authorization") => Some((
                "the header parameter `Authorization`".to_owned(),
                "the transport sends the credential that it was given",
            )),
            // Nothing is lost: what they would say follows from the bodies.
            "header"
                if ["accept", "content-type"].contains(&name.to_ascii_lowercase().as_str()) =>
            {
                None
            }
            "header" if !is_token(name) => Some((
                format!("the header parameter `{name}`, which is no name of a header"),
                "it can't be sent",
            )),
            "cookie" => Some((
                format!("the cookie `{name}`"),
                "it isn't sent; give the transport a `Cookie` header where one is needed",
            )),
            "query" | "header" | "path" => return None,
            other => Some((
                format!("the parameter `{name}` in `{other}`"),
                "it can't be sent: a parameter is in the path, the query, a header or a cookie",
            )),
        };
        if told.insert(place.clone()) {
            changes.at(place);
            if let Some((what, instead)) = loss {
                changes.lost(place, what, instead);
            }
        }
        Some(Vec::new())
    });
}

/// Returns true if the text can be the name of a header: a `token` of RFC 9110, section 5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}

/// A parameter whose value is a document of its own (`content`) takes the text of it; one that says nothing of its value
/// takes a text, too.
pub(super) fn text_parameters(document: &mut Value, changes: &mut Changes) {
    edit_each(document, |_, place, object| {
        if object.get("schema").is_some_and(is_anything) && object.contains_key("content") {
            object.remove("schema");
        }
        if let Some(content) = object.remove("content") {
            if object.contains_key("schema") {
                changes.at(place);
                return;
            }
            let media_type = content
                .as_object()
                .and_then(|content| content.keys().next())
                .map_or("text", String::as_str);
            describe(object, &format!("The text of it, as {media_type}."));
            object.insert("schema".to_owned(), json!({"type": "string"}));
            object.remove("style");
            object.remove("explode");
            changes.at(place);
            changes.lost(
                place,
                format!("the content of the parameter, {media_type}"),
                "the caller gives its text, encoded already",
            );
        } else if object.get("schema").is_none_or(is_anything) {
            object.insert("schema".to_owned(), json!({"type": "string"}));
            changes.at(place);
        }
    });
}

/// A schema that says nothing of the value's type.
pub(super) fn is_anything(schema: &Value) -> bool {
    ![
        "$ref",
        "type",
        "enum",
        "allOf",
        "anyOf",
        "oneOf",
        "properties",
        "items",
        "format",
        "additionalProperties",
    ]
    .iter()
    .any(|keyword| schema.get(*keyword).is_some())
}

/// Adds a sentence to the description.
pub(super) fn describe(object: &mut Map<String, Value>, sentence: &str) {
    let description = match object.get("description").and_then(Value::as_str) {
        Some(text) if !text.trim().is_empty() => {
            let text = text.trim_end();
            let stop = if text.ends_with(['.', '!', '?', ':']) {
                ""
            } else {
                "."
            };
            format!("{text}{stop} {sentence}")
        }
        _ => sentence.to_owned(),
    };
    object.insert("description".to_owned(), json!(description));
}

/// The kind of value of a schema, as far as URLs and headers are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A text, a number or a boolean, whose `Display` is what goes out.
    Plain,
    /// A single value whose `Display` is missing or is not what goes out: a date with its time, a union of scalars.
    Single,
    /// A list of single values.
    List,
    /// An object with these properties.
    Object(Vec<Property>),
    /// An object with any properties.
    Map,
    /// A list or an object that holds another, or what may be one or the other.
    Nested,
}

/// A property of an object that is a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) schema: Value,
    pub(super) required: bool,
    pub(super) shape: Shape,
}

/// The maximum nesting of schemas that are examined: a schema that contains itself is not single.
const DEEPEST: usize = 16;

pub(super) fn shape(document: &Value, schema: &Value) -> Shape {
    shape_at(document, schema, 0)
}

fn shape_at(document: &Value, schema: &Value, depth: usize) -> Shape {
    let Some(schema) = walk::follow(document, schema).filter(|_| depth < DEEPEST) else {
        return Shape::Nested;
    };
    let is_single = |schema: &Value| {
        matches!(
            shape_at(document, schema, depth + 1),
            Shape::Plain | Shape::Single
        )
    };
    for combinator in ["anyOf", "oneOf"] {
        if let Some(members) = schema.get(combinator).and_then(Value::as_array) {
            let all = members.iter().all(is_single);
            return if all { Shape::Single } else { Shape::Nested };
        }
    }
    let kind = text(schema, "type");
    match kind {
        "string" if text(schema, "format") == "date-time" && schema.get("enum").is_none() => {
            Shape::Single
        }
        "string" | "integer" | "number" | "boolean" => Shape::Plain,
        "array" => match schema.get("items") {
            Some(items) if is_single(items) => Shape::List,
            None => Shape::List,
            Some(items) if is_anything(items) => Shape::List,
            Some(_) => Shape::Nested,
        },
        _ => {
            let mut found = BTreeMap::new();
            let mut order = Vec::new();
            let mut open = false;
            properties(document, schema, depth, &mut order, &mut found, &mut open);
            if !order.is_empty() {
                let list = order
                    .into_iter()
                    .filter_map(|name| found.remove(&name))
                    .collect();
                return Shape::Object(list);
            }
            if kind == "object" || open {
                return match schema.get("additionalProperties") {
                    Some(values) if values.is_object() && !is_anything(values) => {
                        if is_single(values) {
                            Shape::Map
                        } else {
                            Shape::Nested
                        }
                    }
                    _ => Shape::Map,
                };
            }
            match schema
                .get("allOf")
                .and_then(Value::as_array)
                .map(Vec::as_slice)
            {
                Some([only]) => shape_at(document, only, depth + 1),
                Some(members) if members.iter().any(is_single) => Shape::Single,
                Some(_) => Shape::Nested,
                None => Shape::Single,
            }
        }
    }
}

/// The properties of an object and of what it is composed of.
fn properties(
    document: &Value,
    schema: &Value,
    depth: usize,
    order: &mut Vec<String>,
    found: &mut BTreeMap<String, Property>,
    open: &mut bool,
) {
    let Some(schema) = walk::follow(document, schema).filter(|_| depth < DEEPEST) else {
        return;
    };
    *open |= schema.get("additionalProperties").is_some();
    for member in schema
        .get("allOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        properties(document, member, depth + 1, order, found, open);
    }
    let own = schema.get("properties").and_then(Value::as_object);
    for (name, value) in own.into_iter().flatten() {
        if !found.contains_key(name) {
            order.push(name.clone());
        }
        let property = Property {
            name: name.clone(),
            schema: value.clone(),
            required: false,
            shape: shape_at(document, value, depth + 1),
        };
        found.insert(name.clone(), property);
    }
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if let Some(property) = found.get_mut(name) {
            property.required = true;
        }
    }
}

/// An object in the query is as many parameters as it has properties: `style: form` sends them by their own names,
/// `deepObject` as `name[property]` (OpenAPI 3.0, section 4.7.12.3). progenitor panics at such an object.
pub(super) fn spread_objects(document: &mut Value, changes: &mut Changes) {
    let mut told = BTreeSet::new();
    replace_entries(document, |document, place, object| {
        if text(object, "in") != "query" {
            return None;
        }
        let style = Style::of(object);
        let deep = match style {
            Style::Form if explodes(object) => false,
            Style::DeepObject => true,
            _ => return None,
        };
        let Shape::Object(properties) = shape(document, object.get("schema")?) else {
            return None;
        };
        // What holds an object again goes out as one value; see `styles`.
        if properties.iter().any(|property| {
            matches!(
                property.shape,
                Shape::Map | Shape::Object(_) | Shape::Nested
            )
        }) {
            return None;
        }
        let name = text(object, "name");
        if deep {
            let lists = properties
                .iter()
                .filter(|property| property.shape == Shape::List);
            for list in lists {
                let key = &list.name;
                changes.lost(
                    place,
                    format!("the list `{key}` in an object of the style `deepObject`, which has no rule for it"),
                    format!("it is sent as `{name}[{key}]=a&{name}[{key}]=b`"),
                );
            }
        }
        let required = object.get("required") == Some(&json!(true));
        let parameters = properties.iter().map(|property| {
            let wire = if deep {
                format!("{name}[{}]", property.name)
            } else {
                property.name.clone()
            };
            let mut parameter = json!({
                "name": wire,
                "in": "query",
                "required": required && property.required,
                "schema": property.schema,
            });
            if let Some(parameter) = parameter.as_object_mut() {
                for (key, value) in [
                    ("description", property.schema.get("description")),
                    (
                        "deprecated",
                        property
                            .schema
                            .get("deprecated")
                            .or(object.get("deprecated")),
                    ),
                ] {
                    if let Some(value) = value {
                        parameter.insert(key.to_owned(), value.clone());
                    }
                }
            }
            parameter
        });
        if told.insert(place.clone()) {
            changes.at(place);
            let open = walk::follow(document, object.get("schema")?)
                .and_then(|schema| schema.get("additionalProperties"))
                .is_some_and(|further| *further != json!(false));
            if open {
                changes.lost(
                    place,
                    "further properties of the object that the parameter is",
                    "only those that the document names can be sent",
                );
            }
        }
        Some(parameters.collect())
    });
}

/// The serialization of a parameter (OpenAPI 3.0, section 4.7.12.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Form,
    SpaceDelimited,
    PipeDelimited,
    DeepObject,
    Simple,
    Label,
    Matrix,
    /// None that belongs to where the parameter is.
    Unknown,
}

impl Style {
    pub(super) fn of(object: &Value) -> Self {
        let said = object.get("style").and_then(Value::as_str);
        match (text(object, "in"), said) {
            ("query", None | Some("form")) => Self::Form,
            ("query", Some("spaceDelimited")) => Self::SpaceDelimited,
            ("query", Some("pipeDelimited")) => Self::PipeDelimited,
            ("query", Some("deepObject")) => Self::DeepObject,
            ("path" | "header", None | Some("simple")) => Self::Simple,
            ("path", Some("label")) => Self::Label,
            ("path", Some("matrix")) => Self::Matrix,
            _ => Self::Unknown,
        }
    }
}

/// Returns true if lists and objects are exploded: by default if the style is `form`.
pub(crate) fn explodes(object: &Value) -> bool {
    object
        .get("explode")
        .and_then(Value::as_bool)
        .unwrap_or(Style::of(object) == Style::Form)
}

/// Where `Display` or progenitor's way with lists is not what the document asks for, the client's `encode` module does it:
/// the style is in the model, and the place itself says the one style that progenitor reads.
pub(super) fn styles(document: &mut Value, changes: &mut Changes) {
    use model::Style as Encoded;

    let mut styles: BTreeMap<Pointer, Encoded> = BTreeMap::new();
    edit_each(document, |document, place, object| {
        let whole = Value::Object(object.clone());
        let (location, mut style) = (text(&whole, "in"), Style::of(&whole));
        if style == Style::Unknown {
            let said = object.remove("style").unwrap_or_default();
            let default = if location == "query" {
                "form"
            } else {
                "simple"
            };
            changes.at(place);
            changes.lost(
                place,
                format!("the style {said}, which a parameter in `{location}` can't have"),
                format!("the style is `{default}`"),
            );
            style = if location == "query" {
                Style::Form
            } else {
                Style::Simple
            };
        }
        let explode = explodes(&whole);
        // In a path or a header there is no null to say.
        if location != "query"
            && let Some(schema) = object.get_mut("schema").and_then(Value::as_object_mut)
        {
            schema.remove("nullable");
        }
        let shape = shape(document, object.get("schema").unwrap_or(&Value::Null));
        let style = match (style, &shape) {
            (_, Shape::Nested) if style != Style::DeepObject => {
                changes.at(place);
                changes.lost(
                    place,
                    "a list or object within the value, for which its style has no rule",
                    "the caller gives its text, encoded already",
                );
                object.insert("schema".to_owned(), json!({"type": "string"}));
                describe(object, "The text of it, as it goes out.");
                None
            }
            (Style::Form, Shape::List | Shape::Map) if explode => None,
            (Style::Form, Shape::List | Shape::Map | Shape::Object(_)) => Some(Encoded::Comma),
            (Style::SpaceDelimited, Shape::List) if !explode => Some(Encoded::Space),
            (Style::PipeDelimited, Shape::List) if !explode => Some(Encoded::Pipe),
            (Style::SpaceDelimited, Shape::Map | Shape::Object(_)) => Some(Encoded::Space),
            (Style::PipeDelimited, Shape::Map | Shape::Object(_)) => Some(Encoded::Pipe),
            (Style::DeepObject, Shape::Map | Shape::Object(_) | Shape::Nested) => {
                Some(Encoded::Deep)
            }
            (Style::Simple, Shape::Plain) => None,
            (Style::Simple, _) if explode => Some(Encoded::SimpleExploded),
            (Style::Simple, _) => Some(Encoded::Simple),
            (Style::Label, _) if explode => Some(Encoded::LabelExploded),
            (Style::Label, _) => Some(Encoded::Label),
            (Style::Matrix, _) if explode => Some(Encoded::MatrixExploded),
            (Style::Matrix, _) => Some(Encoded::Matrix),
            _ => None,
        };
        // progenitor knows structs as bodies only.
        if matches!(shape, Shape::Object(_))
            || (style == Some(Encoded::Deep) && shape == Shape::Nested)
        {
            changes.lost(
                place,
                "the properties of the object that the parameter is",
                if style == Some(Encoded::Deep) {
                    "it takes any JSON object; the items of a list in it are sent one by one"
                } else {
                    "it takes any JSON object"
                },
            );
            object.insert(
                "schema".to_owned(),
                json!({"type": "object", "additionalProperties": true}),
            );
        }
        if let Some(style) = style {
            styles.insert(place.clone(), style);
            changes.at(place);
        }
        object.remove("style");
        object.remove("explode");
    });
    for operation in walk::operations(document) {
        let mut seen = BTreeSet::new();
        for parameter in of_operation(document, &operation) {
            // Of several with one key, the first counts; see `parameter_names`.
            if seen.insert(parameter.key())
                && let Some(style) = styles.get(&parameter.place)
            {
                let facts = changes.model.operation_mut(&operation.pointer);
                facts.parameters.entry(parameter.key()).or_default().style = Some(*style);
            }
        }
    }
}

/// What the template of a path names and what the parameters say agree, and every path parameter is required, as the
/// specification has it.
pub(super) fn path_parameters(document: &mut Value, changes: &mut Changes) {
    edit_each(document, |_, place, object| {
        if object.get("in") == Some(&json!("path")) && object.get("required") != Some(&json!(true))
        {
            object.insert("required".to_owned(), json!(true));
            changes.at(place);
        }
    });
    let mut undescribed: Vec<(Pointer, String)> = Vec::new();
    // A parameter of a path item is superfluous for all its operations alike.
    let mut superfluous: BTreeSet<Pointer> = BTreeSet::new();
    for operation in walk::operations(document) {
        let wanted = template_names(operation.path);
        let mut given = of_operation(document, &operation);
        given.retain(|parameter| parameter.location() == "path");
        let missing = wanted
            .iter()
            .filter(|name| !given.iter().any(|parameter| parameter.name() == *name));
        undescribed.extend(missing.map(|name| (operation.pointer.clone(), name.clone())));
        given.retain(|parameter| !wanted.iter().any(|name| name == parameter.name()));
        superfluous.extend(given.into_iter().map(|parameter| parameter.entry));
    }
    let lists = lists(document);
    for (operation, name) in undescribed {
        let parameter =
            json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
        let list = document
            .pointer_mut(operation.as_str())
            .and_then(Value::as_object_mut)
            .map(|operation| operation.entry("parameters").or_insert_with(|| json!([])));
        if let Some(list) = list.and_then(Value::as_array_mut) {
            list.push(parameter);
            changes.at(&operation);
            changes.lost(
                &operation,
                format!("`{{{name}}}` in the path, which no parameter describes"),
                "it takes any text",
            );
        }
    }
    for list in lists {
        retain(document, &list, |entry| {
            let gone = superfluous.contains(entry);
            if gone {
                changes.at(entry);
                changes.lost(
                    entry,
                    "a path parameter that the path doesn't name",
                    "it isn't sent",
                );
            }
            !gone
        });
    }
}

/// Leaves of a list of parameters those entries for whose place `keep` says so.
fn retain(document: &mut Value, list: &Pointer, mut keep: impl FnMut(&Pointer) -> bool) {
    let entries = document.pointer_mut(list.as_str());
    if let Some(entries) = entries.and_then(Value::as_array_mut) {
        let mut places = (0..).map(|index: usize| list.join(index));
        entries.retain(|_| places.next().is_none_or(|place| keep(&place)));
    }
}

/// The names between the braces of a path's template.
pub(crate) fn template_names(path: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for part in path.split('{').skip(1) {
        if let Some((name, _)) = part.split_once('}')
            && !names.iter().any(|other| other == name)
        {
            names.push(name.to_owned());
        }
    }
    names
}

/// Names of a builder's own methods, and of variables in the code that builds its request.
const RESERVED: [&str; 13] = [
    "new",
    "send",
    "send_blocking",
    "wait",
    "deadline",
    "max_attempts",
    "options",
    "stream",
    "clone",
    "header_map",
    "encode_path",
    "body",
    "body_map",
];

/// The words for signs at the end of a name.
const SIGNS: [(&str, &str); 9] = [
    ("<=", "_lte"),
    (">=", "_gte"),
    ("!=", "_ne"),
    ("<", "_lt"),
    (">", "_gt"),
    ("=", "_eq"),
    ("~", "_like"),
    ("!", "_not"),
    ("*", "_any"),
];

/// A name that says in words what the document's says in signs; the same whatever other parameters there are.
fn in_words(name: &str) -> String {
    let mut words = name.to_owned();
    for (sign, word) in SIGNS {
        words = words.replace(sign, word);
    }
    names::parameter_name(&words)
}

/// Every parameter of an operation gets a name of its own in Rust; the wire's is in the model.
pub(super) fn parameter_names(document: &mut Value, changes: &mut Changes) {
    // The signs first: they are renamed where they stand, whoever uses the parameter.
    let mut renamed = BTreeMap::new();
    edit_each(document, |_, place, object| {
        let name = object
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let words = in_words(&name);
        if object.get("in") != Some(&json!("path")) && words != names::parameter_name(&name) {
            describe(object, &format!("Sent as `{name}`."));
            object.insert("name".to_owned(), json!(words));
            renamed.insert(place.clone(), name);
            changes.at(place);
        }
    });
    follow_names(document, &mut changes.model, &renamed);
    drop_repeated(document, changes);
    rename_in_templates(document, changes);
    // Where a parameter of a path would be renamed for one operation only, the list becomes each operation's own.
    let mut shared = BTreeSet::new();
    for operation in walk::operations(document) {
        let parameters = of_operation(document, &operation);
        let own = operation.pointer.join("parameters");
        if collisions(&parameters).keys().any(|index| {
            parameters
                .get(*index)
                .is_some_and(|parameter| !parameter.entry.as_str().starts_with(own.as_str()))
        }) {
            shared.insert(operation.path_item());
        }
    }
    for item in &shared {
        push_down(document, item);
    }
    let mut copies = Vec::new();
    let mut renamed = BTreeMap::new();
    for operation in walk::operations(document) {
        let parameters = of_operation(document, &operation);
        let facts = changes.model.operation(&operation.pointer);
        for (index, new) in collisions(&parameters) {
            let Some(parameter) = parameters.get(index) else {
                continue;
            };
            let name = parameter.name();
            let has_wire_name = facts
                .and_then(|facts| facts.parameters.get(&parameter.key()))
                .is_some_and(|facts| facts.wire_name.is_some());
            let mut copy = parameter.object.clone();
            if let Some(object) = copy.as_object_mut() {
                if !has_wire_name {
                    describe(object, &format!("Sent as `{name}`."));
                }
                object.insert("name".to_owned(), json!(new));
            }
            renamed.insert(parameter.entry.clone(), name.to_owned());
            copies.push((parameter.entry.clone(), copy));
        }
    }
    replace(document, copies, changes);
    follow_names(document, &mut changes.model, &renamed);
}

/// Follows new names of parameters in the model. `renamed` has the old names, by the locations of the Parameter objects.
fn follow_names(document: &Value, model: &mut Model, renamed: &BTreeMap<Pointer, String>) {
    if renamed.is_empty() {
        return;
    }
    for operation in walk::operations(document) {
        let mut old = model
            .operation(&operation.pointer)
            .cloned()
            .unwrap_or_default();
        let mut seen = BTreeSet::new();
        let mut parameters = BTreeMap::new();
        for parameter in of_operation(document, &operation) {
            let key = parameter.key();
            // Of several with one key, the first counts.
            if !seen.insert(key.clone()) {
                continue;
            }
            let old_name = renamed.get(&parameter.place);
            let old_key = ParameterKey {
                name: old_name.unwrap_or(&key.name).clone(),
                ..key.clone()
            };
            let mut facts = old.parameters.get(&old_key).cloned().unwrap_or_default();
            // A parameter of the path is known by its place in the template.
            if key.location != "path" && facts.wire_name.is_none() {
                facts.wire_name = old_name.cloned();
            }
            if facts != model::Parameter::default() {
                parameters.insert(key, facts);
            }
        }
        if parameters != old.parameters {
            old.parameters = parameters;
            *model.operation_mut(&operation.pointer) = old;
        }
    }
}

/// A list may name a parameter once only (OpenAPI 3.0, section 4.7.10.1); of several, the first counts.
fn drop_repeated(document: &mut Value, changes: &mut Changes) {
    for list in lists(document) {
        let entries = document.pointer(list.as_str()).and_then(Value::as_array);
        let entries = (0..entries.map_or(0, Vec::len)).map(|index| list.join(index));
        let mut seen = BTreeSet::new();
        let repeated: BTreeMap<Pointer, String> = entries
            .filter_map(|entry| {
                let (_, object) = walk::locate(document, &entry)?;
                let (name, location) = (text(object, "name"), text(object, "in"));
                (!seen.insert((location, name))).then(|| (entry, name.to_owned()))
            })
            .collect();
        for (entry, name) in &repeated {
            changes.at(entry);
            changes.lost(
                entry,
                format!("`{name}` a second time in the same list"),
                "the first counts",
            );
        }
        retain(document, &list, |entry| !repeated.contains_key(entry));
    }
}

/// Gives each operation of a path a list of its own.
fn push_down(document: &mut Value, item: &Pointer) {
    let own: Vec<(Pointer, Vec<Value>)> = walk::operations(document)
        .iter()
        .filter(|operation| operation.path_item() == *item)
        .map(|operation| {
            let list = of_operation(document, operation)
                .iter()
                .filter_map(|parameter| document.pointer(parameter.entry.as_str()).cloned())
                .collect();
            (operation.pointer.clone(), list)
        })
        .collect();
    for (operation, list) in own {
        if let Some(object) = document
            .pointer_mut(operation.as_str())
            .and_then(Value::as_object_mut)
        {
            object.insert("parameters".to_owned(), Value::Array(list));
        }
    }
    if let Some(item) = document
        .pointer_mut(item.as_str())
        .and_then(Value::as_object_mut)
    {
        item.remove("parameters");
    }
}

/// The parameters of an operation that can't keep their names, and the names that they get. Those in the path keep
/// theirs; then those in the query, then the headers.
fn collisions(parameters: &[ResolvedParameter<'_>]) -> BTreeMap<usize, String> {
    let rank = |parameter: &ResolvedParameter<'_>| match parameter.location() {
        "path" => 0,
        "query" => 1,
        _ => 2,
    };
    let mut order: Vec<usize> = (0..parameters.len()).collect();
    order.sort_by_key(|index| parameters.get(*index).map(rank));
    let mut taken: BTreeSet<String> = RESERVED.map(str::to_owned).into();
    let mut renamed = BTreeMap::new();
    for index in order {
        let Some(parameter) = parameters.get(index) else {
            continue;
        };
        let name = names::parameter_name(parameter.name());
        if parameter.location() == "path" || taken.insert(name.clone()) {
            taken.insert(name);
            continue;
        }
        let mut candidate = format!("{}_{}", name.trim_end_matches('_'), parameter.location());
        let stem = candidate.clone();
        let mut number = 2;
        while !taken.insert(candidate.clone()) {
            candidate = format!("{stem}{number}");
            number += 1;
        }
        renamed.insert(index, candidate);
    }
    renamed
}

/// Path parameters are known by the template, which is the key of the path item: both are renamed.
fn rename_in_templates(document: &mut Value, changes: &mut Changes) {
    let paths = document.get("paths").and_then(Value::as_object);
    if paths
        .into_iter()
        .flatten()
        .all(|(path, _)| template_collisions(path).is_empty())
    {
        return;
    }
    let before = document.clone();
    let Some(paths) = before.get("paths").and_then(Value::as_object) else {
        return;
    };
    let mut new_paths = Vec::new();
    let mut renamed_places = BTreeMap::new();
    for (path, _) in paths.iter().filter(|(path, _)| path.starts_with('/')) {
        let renamed = template_collisions(path);
        if renamed.is_empty() {
            continue;
        }
        let mut new_path = path.clone();
        for (old, new) in &renamed {
            new_path = new_path.replace(&format!("{{{old}}}"), &format!("{{{new}}}"));
        }
        if paths.contains_key(&new_path) {
            continue;
        }
        for operation in walk::operations(&before)
            .iter()
            .filter(|operation| operation.path == path)
        {
            for parameter in of_operation(&before, operation) {
                let Some(new) = renamed
                    .get(parameter.name())
                    .filter(|_| parameter.location() == "path")
                else {
                    continue;
                };
                let mut copy = parameter.object.clone();
                copy["name"] = json!(new);
                if let Some(entry) = document.pointer_mut(parameter.entry.as_str()) {
                    *entry = copy;
                    changes.at(&parameter.entry);
                    let name = parameter.name().to_owned();
                    renamed_places.insert(parameter.entry, name);
                }
            }
        }
        new_paths.push((path.clone(), new_path));
    }
    follow_names(document, &mut changes.model, &renamed_places);
    let root = Pointer::root().join("paths");
    for (path, new_path) in new_paths {
        changes.moved(&root.join(&path), &root.join(&new_path));
        if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
            *paths = std::mem::take(paths)
                .into_iter()
                .map(|(key, item)| (if key == path { new_path.clone() } else { key }, item))
                .collect();
        }
    }
}

/// The names in a template that can't stay, and those that they get.
fn template_collisions(path: &str) -> BTreeMap<String, String> {
    let mut taken: BTreeSet<String> = RESERVED.map(str::to_owned).into();
    let mut renamed = BTreeMap::new();
    for name in template_names(path) {
        let ident = names::parameter_name(&name);
        if taken.insert(ident.clone()) {
            continue;
        }
        let stem = format!("{}_path", ident.trim_end_matches('_'));
        let mut candidate = stem.clone();
        let mut number = 2;
        while !taken.insert(candidate.clone()) {
            candidate = format!("{stem}{number}");
            number += 1;
        }
        renamed.insert(name, candidate);
    }
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_known_by_its_name_and_place() {
        let document = json!({"paths": {"/a/{id}": {
            "parameters": [{"name": "id", "in": "path"}, {"name": "id", "in": "query", "x": 1}],
            "get": {"operationId": "a", "parameters": [{"name": "id", "in": "query", "x": 2}]},
        }}});
        let operations = walk::operations(&document);
        let found: Vec<String> = of_operation(&document, &operations[0])
            .iter()
            .map(|parameter| parameter.place.to_string())
            .collect();
        assert_eq!(
            found,
            [
                "/paths/~1a~1{id}/parameters/0",
                "/paths/~1a~1{id}/get/parameters/0"
            ]
        );
    }
}
