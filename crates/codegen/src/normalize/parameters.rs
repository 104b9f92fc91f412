//! Parameters: each is sent exactly as the document says, or is left out and reported.
//!
//! progenitor keeps one parameter per name in any location, supports one style per location, and formats values with
//! `Display`, which is wrong for dates. The model has what the client must do instead: the wire name,
//! if the document's name cannot be a Rust name, and the style, if the client's `encode` module writes the value.

mod names;
mod shape;
mod styles;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Changes, replace};
use crate::openapi::{
    ResolvedParameter, Schema as _, is_idempotency_key, of_operation, template_names,
};
use crate::pointer::{Lookup as _, Pointer};
use crate::walk;

pub(super) use names::{parameter_names, pinned_names};
pub(super) use shape::{Property, Shape, is_anything, shape};
pub(super) use styles::{spread_objects, styles};

/// Makes idempotency keys optional: the client sends one of its own where none is set.
pub(super) fn idempotency_keys(document: &mut Value, changes: &mut Changes) {
    edit_each(document, |_, place, object| {
        if object.has_flag("required") && is_idempotency_key(object) {
            object.remove("required");
            describe(object, "The client makes a key if none is set.");
            changes.at(place);
        }
    });
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the locations of the Parameter objects that operations use, each once.
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

/// Runs `edit` for each Parameter object that an operation uses, with the unchanged document.
fn edit_each(
    document: &mut Value,
    mut edit: impl FnMut(&Value, &Pointer, &mut Map<String, Value>),
) {
    let edited: Vec<(Pointer, Value)> = places(document)
        .into_iter()
        .filter_map(|place| {
            let mut parameter = document.at(place.as_str())?.clone();
            edit(document, &place, parameter.as_object_mut()?);
            Some((place, parameter))
        })
        .collect();
    for (place, parameter) in edited {
        if let Some(old) = document.at_mut(place.as_str()) {
            *old = parameter;
        }
    }
}

/// Returns the lists of parameters of path items and operations.
fn lists(document: &Value) -> Vec<Pointer> {
    let mut owners: Vec<Pointer> = Vec::new();
    let mut item = None;
    for operation in walk::operations(document) {
        // The operations of a path are adjacent.
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
        .filter(|list| document.at(list.as_str()).is_some_and(Value::is_array))
        .collect()
}

/// Replaces each entry of each list of parameters by the result of `replace` for its Parameter object. `None` keeps the
/// entry.
fn replace_entries(
    document: &mut Value,
    mut replace: impl FnMut(&Value, &Pointer, &Value) -> Option<Vec<Value>>,
) {
    let mut replaced: Vec<(Pointer, Vec<Value>)> = Vec::new();
    for list in lists(document) {
        let entries = document.at(list.as_str()).and_then(Value::as_array);
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
        if let Some(old) = document.at_mut(list.as_str()) {
            *old = Value::Array(new);
        }
    }
}

/// Removes an operation from the document, and reports it.
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

/// Leaves out operations with a required parameter that cannot be sent. `unsendable` returns the cause.
fn leave_out_callers(
    document: &mut Value,
    changes: &mut Changes,
    unsendable: impl Fn(&Value, &ResolvedParameter<'_>) -> Option<String>,
) {
    let mut removed = Vec::new();
    for operation in walk::operations(document) {
        let cause = of_operation(document, &operation)
            .iter()
            .filter(|parameter| parameter.is_required())
            .find_map(|parameter| unsendable(document, parameter));
        if let Some(cause) = cause {
            removed.push((operation.pointer, cause));
        }
    }
    for (operation, cause) in removed {
        leave_out(document, &operation, &cause, changes);
    }
}

/// Inlines references to parameters outside of the components. progenitor only looks at the last token of a reference,
/// and only among the components.
pub(super) fn inline_references(document: &mut Value, changes: &mut Changes) {
    let mut inlined = Vec::new();
    for list in lists(document) {
        let length = document
            .at(list.as_str())
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

/// Removes cookies, invalid header names, and the headers that a parameter cannot set (OpenAPI 3.0, section 4.7.12.1).
/// The transport sends those.
pub(super) fn drop_transports(document: &mut Value, changes: &mut Changes) {
    leave_out_callers(document, changes, |_, parameter| {
        let name = parameter.name();
        (parameter.location() == "header" && !is_token(name))
            .then(|| format!("its required parameter `{name}` is not a valid header name"))
    });
    let mut reported = BTreeSet::new();
    replace_entries(document, |_, place, object| {
        let name = text(object, "name");
        let loss = match text(object, "in") {
            "header" if name.eq_ignore_ascii_case("authorization") => Some((
                "the header parameter `Authorization`".to_owned(),
                "the transport sends the credential",
            )),
            // Not reported: the bodies determine these headers.
            "header"
                if ["accept", "content-type"].contains(&name.to_ascii_lowercase().as_str()) =>
            {
                None
            }
            "header" if FRAMING.contains(&name.to_ascii_lowercase().as_str()) => Some((
                format!("the header parameter `{name}`"),
                "HTTP sets it from the connection and the body",
            )),
            "header" if !is_token(name) => Some((
                format!("the header parameter `{name}`, which is not a valid header name"),
                "it can't be sent",
            )),
            "cookie" => Some((
                format!("the cookie `{name}`"),
                "it is not sent; set a `Cookie` header if one is needed",
            )),
            "query" | "header" | "path" => return None,
            other => Some((
                format!("the parameter `{name}` in `{other}`"),
                "it cannot be sent: a parameter is in the path, the query, a header or a cookie",
            )),
        };
        if reported.insert(place.clone()) {
            changes.at(place);
            if let Some((what, instead)) = loss {
                changes.lost(place, what, instead);
            }
        }
        Some(Vec::new())
    });
}

/// The headers that HTTP uses for the connection and for the length of the body. A value of the caller could contradict them:
/// the service would wait for the rest of a body, or read a part of it.
const FRAMING: [&str; 8] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Returns true if the text is a header name: a `token` of RFC 9110, section 5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}

/// Makes parameters without a schema strings, and those with a `content`, whose value the caller encodes.
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
            describe(object, &format!("Encoded as {media_type}."));
            object.insert("schema".to_owned(), json!({"type": "string"}));
            object.remove("style");
            object.remove("explode");
            changes.at(place);
            changes.lost(
                place,
                format!("the content of the parameter, {media_type}"),
                "the caller encodes the value",
            );
        } else if object.get("schema").is_none_or(is_anything) {
            object.insert("schema".to_owned(), json!({"type": "string"}));
            changes.at(place);
        }
    });
}

/// Appends a sentence to the description.
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

/// Aligns path templates and parameters, and makes every path parameter required.
pub(super) fn path_parameters(document: &mut Value, changes: &mut Changes) {
    edit_each(document, |_, place, object| {
        if object.text("in") == Some("path") && !object.has_flag("required") {
            object.insert("required".to_owned(), json!(true));
            changes.at(place);
        }
    });
    let mut undescribed: Vec<(Pointer, String)> = Vec::new();
    // A parameter of a path item is superfluous for all its operations.
    let mut superfluous: BTreeSet<Pointer> = BTreeSet::new();
    for operation in walk::operations(document) {
        let wanted = template_names(operation.path);
        let mut given = of_operation(document, &operation);
        given.retain(|parameter| parameter.location() == "path");
        let missing = wanted
            .iter()
            .filter(|name| !given.iter().any(|parameter| parameter.name() == **name));
        undescribed.extend(missing.map(|name| (operation.pointer.clone(), (*name).to_owned())));
        given.retain(|parameter| !wanted.contains(&parameter.name()));
        superfluous.extend(given.into_iter().map(|parameter| parameter.entry));
    }
    let lists = lists(document);
    for (operation, name) in undescribed {
        let parameter =
            json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
        let list = document
            .at_mut(operation.as_str())
            .and_then(Value::as_object_mut)
            .map(|operation| operation.entry("parameters").or_insert_with(|| json!([])));
        if let Some(list) = list.and_then(Value::as_array_mut) {
            list.push(parameter);
            changes.at(&operation);
            changes.lost(
                &operation,
                format!("`{{{name}}}` in the path, without a parameter"),
                "it takes any string",
            );
        }
    }
    for list in lists {
        retain(document, &list, |entry| {
            let removed = superfluous.contains(entry);
            if removed {
                changes.at(entry);
                changes.lost(
                    entry,
                    "a path parameter that is not in the path",
                    "it isn't sent",
                );
            }
            !removed
        });
    }
}

/// Keeps the entries of a list of parameters for which `keep` returns true.
fn retain(document: &mut Value, list: &Pointer, mut keep: impl FnMut(&Pointer) -> bool) {
    let entries = document.at_mut(list.as_str());
    if let Some(entries) = entries.and_then(Value::as_array_mut) {
        let mut places = (0..).map(|index: usize| list.join(index));
        entries.retain(|_| places.next().is_none_or(|place| keep(&place)));
    }
}
