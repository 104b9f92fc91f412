//! Parameter names, which become the names of setters.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{describe, edit_each, lists, retain, text};
use crate::model::{self, Model, ParameterKey};
use crate::normalize::{Changes, replace};
use crate::openapi::{ResolvedParameter, of_operation, template_names};
use crate::pins::Group;
use crate::pointer::{Lookup as _, Pointer};
use crate::{names, walk};

/// The methods of a builder, and variables in the code that builds its request.
const RESERVED: [&str; 16] = [
    "new",
    "send",
    "send_blocking",
    "wait",
    "deadline",
    "max_attempts",
    "options",
    "pages",
    "items",
    "events",
    "lines",
    "clone",
    "header_map",
    "encode_path",
    "body",
    "body_map",
];

/// The words for signs in a name.
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

/// Returns a name with words for signs. It does not depend on other parameters.
fn in_words(name: &str) -> String {
    let mut words = name.to_owned();
    for (sign, word) in SIGNS {
        words = words.replace(sign, word);
    }
    names::parameter_name(&words)
}

/// Gives every parameter of an operation a distinct Rust name, and adds the wire names to the model.
pub(in crate::normalize) fn parameter_names(document: &mut Value, changes: &mut Changes) {
    // Names with signs are changed in place, for all operations that use the parameter.
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
    rename_in_templates(document, changes, |_, operations| {
        let path = operations.first().map_or("", |operation| operation.path);
        template_collisions(path)
    });
    // A shared list with a collision in one operation is copied into each operation.
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
    rename(document, changes, |_, _, parameters| collisions(parameters));
}

/// Gives parameters the names that `choose` returns for an operation, by their index in its parameters. `choose` also gets
/// the facts about the operation.
fn rename(
    document: &mut Value,
    changes: &mut Changes,
    mut choose: impl FnMut(
        &walk::Operation<'_>,
        Option<&model::Operation>,
        &[ResolvedParameter<'_>],
    ) -> BTreeMap<usize, String>,
) {
    let mut copies = Vec::new();
    let mut renamed = BTreeMap::new();
    for operation in walk::operations(document) {
        let parameters = of_operation(document, &operation);
        let facts = changes.model.operation(&operation.pointer);
        for (index, new) in choose(&operation, facts, &parameters) {
            let Some(parameter) = parameters.get(index) else {
                continue;
            };
            let mut copy = parameter.object.clone();
            if let Some(object) = copy.as_object_mut() {
                if wire_name(facts, parameter).is_none() {
                    describe(object, &format!("Sent as `{}`.", parameter.name()));
                }
                object.insert("name".to_owned(), json!(new));
            }
            renamed.insert(parameter.entry.clone(), parameter.name().to_owned());
            copies.push((parameter.entry.clone(), copy));
        }
    }
    replace(document, copies, changes);
    follow_names(document, &mut changes.model, &renamed);
}

/// Returns the name of a parameter on the wire, if its name in the normalized document differs.
fn wire_name<'a>(
    facts: Option<&'a model::Operation>,
    parameter: &ResolvedParameter<'_>,
) -> Option<&'a str> {
    let facts = facts?.parameters.get(&parameter.key())?;
    facts.wire_name.as_deref()
}

/// Gives the parameters that have a pin their public name.
pub(in crate::normalize) fn pinned_names(document: &mut Value, changes: &mut Changes) {
    let mut pins = std::mem::take(&mut changes.pins.parameters);
    if pins.is_empty() {
        return;
    }
    let owners: BTreeMap<String, Pointer> = walk::operations(document)
        .iter()
        .filter_map(|operation| Some((names::method_name(operation.id()?), operation.path_item())))
        .collect();
    for item in pins.keys().filter_map(|owner| owners.get(owner)) {
        if document.at(item.join("parameters").as_str()).is_some() {
            push_down(document, item);
        }
    }
    rename(document, changes, |operation, facts, parameters| {
        let group = operation
            .id()
            .and_then(|id| pins.get_mut(&names::method_name(id)));
        let Some(group) = group else {
            return BTreeMap::new();
        };
        let parameters = parameters.iter().enumerate();
        let named = parameters.filter(|(_, parameter)| parameter.location() != "path");
        named
            .filter_map(|(index, parameter)| {
                let wire = wire_name(facts, parameter).unwrap_or(parameter.name());
                Some((index, group.remove(wire)?))
            })
            .collect()
    });
    let applied = rename_in_templates(document, changes, |document, operations| {
        pinned_in_template(document, operations, &pins)
    });
    for (methods, renamed) in applied {
        for method in methods {
            if let Some(group) = pins.get_mut(&method) {
                group.retain(|name, public| renamed.get(name) != Some(public));
            }
        }
    }
    pins.retain(|_, group| !group.is_empty());
    changes.pins.parameters = pins;
}

/// Returns the pinned names of the path parameters of a path, by the names in its template, which all `operations` of the
/// path share. A pin that another one contradicts, or whose name is taken, is left out.
fn pinned_in_template(
    document: &Value,
    operations: &[walk::Operation<'_>],
    pins: &BTreeMap<String, Group>,
) -> BTreeMap<String, String> {
    let mut renamed: BTreeMap<String, String> = BTreeMap::new();
    let parameters = operations
        .iter()
        .flat_map(|operation| of_operation(document, operation));
    // The names in Rust, each with the location and the name of its parameter.
    let taken: BTreeMap<String, (String, String)> = parameters
        .map(|parameter| {
            let (location, name) = (parameter.location().to_owned(), parameter.name().to_owned());
            (names::parameter_name(&name), (location, name))
        })
        .collect();
    for operation in operations {
        let method = names::method_name(operation.id().unwrap_or_default());
        for name in template_names(operation.path) {
            let Some(public) = pins.get(&method).and_then(|group| group.get(name)) else {
                continue;
            };
            let ident = names::parameter_name(public);
            let is_taken = taken
                .get(&ident)
                .is_some_and(|(location, other)| location != "path" || *other != name)
                || renamed
                    .iter()
                    .any(|(other, it)| *other != name && names::parameter_name(it) == ident);
            if !is_taken {
                renamed
                    .entry(name.to_owned())
                    .or_insert_with(|| public.clone());
            }
        }
    }
    renamed
}

/// Updates parameter names in the model. `renamed` has the old names, by the locations of the Parameter objects.
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
            // Of several parameters with the same key, the first applies.
            if !seen.insert(key.clone()) {
                continue;
            }
            let old_name = renamed.get(&parameter.place);
            let old_key = ParameterKey {
                name: old_name.unwrap_or(&key.name).clone(),
                ..key.clone()
            };
            let mut facts = old.parameters.get(&old_key).cloned().unwrap_or_default();
            // The template identifies a path parameter, not its name on the wire.
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

/// Removes repeated parameters of a list (OpenAPI 3.0, section 4.7.10.1). The first applies.
fn drop_repeated(document: &mut Value, changes: &mut Changes) {
    for list in lists(document) {
        let entries = document.at(list.as_str()).and_then(Value::as_array);
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
                format!("`{name}`, which is repeated in the list"),
                "the first applies",
            );
        }
        retain(document, &list, |entry| !repeated.contains_key(entry));
    }
}

/// Copies the list of a path item into each of its operations.
fn push_down(document: &mut Value, item: &Pointer) {
    let own: Vec<(Pointer, Vec<Value>)> = walk::operations(document)
        .iter()
        .filter(|operation| operation.path_item() == *item)
        .map(|operation| {
            let list = of_operation(document, operation)
                .iter()
                .filter_map(|parameter| document.at(parameter.entry.as_str()).cloned())
                .collect();
            (operation.pointer.clone(), list)
        })
        .collect();
    for (operation, list) in own {
        if let Some(object) = document
            .at_mut(operation.as_str())
            .and_then(Value::as_object_mut)
        {
            object.insert("parameters".to_owned(), Value::Array(list));
        }
    }
    if let Some(item) = document
        .at_mut(item.as_str())
        .and_then(Value::as_object_mut)
    {
        item.remove("parameters");
    }
}

/// Returns new names for the parameters whose names collide, by index. Path parameters keep their names first, then
/// query parameters, then headers.
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

/// Renames path parameters, in their Parameter objects and in the template, which is the key of the path item. `new_names`
/// returns the new names of the operations of a path, by the old ones. Returns the methods of each path that was changed,
/// with these names.
fn rename_in_templates(
    document: &mut Value,
    changes: &mut Changes,
    new_names: impl Fn(&Value, &[walk::Operation<'_>]) -> BTreeMap<String, String>,
) -> Vec<(Vec<String>, BTreeMap<String, String>)> {
    let mut by_path: BTreeMap<&str, Vec<walk::Operation<'_>>> = BTreeMap::new();
    for operation in walk::operations(document) {
        by_path.entry(operation.path).or_default().push(operation);
    }
    let renamed: Vec<(String, BTreeMap<String, String>)> = by_path
        .into_iter()
        .map(|(path, operations)| (path.to_owned(), new_names(document, &operations)))
        .filter(|(_, renamed)| !renamed.is_empty())
        .collect();
    if renamed.is_empty() {
        return Vec::new();
    }
    let before = document.clone();
    let operations = walk::operations(&before);
    let mut applied = Vec::new();
    let mut new_paths: BTreeMap<String, String> = BTreeMap::new();
    let mut renamed_places = BTreeMap::new();
    for (path, renamed) in renamed {
        let mut new_path = path.clone();
        for (old, new) in &renamed {
            new_path = new_path.replace(&format!("{{{old}}}"), &format!("{{{new}}}"));
        }
        let is_taken = new_paths.values().any(|other| *other == new_path);
        if is_taken || before["paths"].get(&new_path).is_some() {
            continue;
        }
        let operations = operations.iter().filter(|operation| operation.path == path);
        let operations: Vec<_> = operations.collect();
        for operation in &operations {
            for parameter in of_operation(&before, operation) {
                let Some(new) = renamed
                    .get(parameter.name())
                    .filter(|_| parameter.location() == "path")
                else {
                    continue;
                };
                let mut copy = parameter.object.clone();
                copy["name"] = json!(new);
                if let Some(entry) = document.at_mut(parameter.entry.as_str()) {
                    *entry = copy;
                    changes.at(&parameter.entry);
                    let name = parameter.name().to_owned();
                    renamed_places.insert(parameter.entry, name);
                }
            }
        }
        let ids = operations.iter().filter_map(|operation| operation.id());
        applied.push((ids.map(names::method_name).collect(), renamed));
        new_paths.insert(path, new_path);
    }
    follow_names(document, &mut changes.model, &renamed_places);
    let root = Pointer::root().join("paths");
    for (path, new_path) in &new_paths {
        changes.moved(&root.join(path), &root.join(new_path));
    }
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        *paths = std::mem::take(paths)
            .into_iter()
            .map(|(path, item)| (new_paths.remove(&path).unwrap_or(path), item))
            .collect();
    }
    applied
}

/// Returns new names for the parameters of a template whose names collide.
fn template_collisions(path: &str) -> BTreeMap<String, String> {
    let mut taken: BTreeSet<String> = RESERVED.map(str::to_owned).into();
    let mut renamed = BTreeMap::new();
    for name in template_names(path) {
        let ident = names::parameter_name(name);
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
        renamed.insert(name.to_owned(), candidate);
    }
    renamed
}
