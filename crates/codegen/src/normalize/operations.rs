//! Operations: their ids, which become method names.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Changes, replace};
use crate::pointer::{Lookup as _, Pointer};
use crate::problem::Finding;
use crate::unsupported::Unsupported;
use crate::{names, walk};

/// Shortens FastAPI's operation ids. `generate_unique_id` appends path and method, with every character that is no
/// letter, digit or underscore replaced by an underscore: `get_call_v1_call__id__get` is `get_call`. Ids that would
/// become equal stay long.
pub(super) fn short_ids(document: &mut Value, changes: &mut Changes) {
    let mut wanted: Vec<(Pointer, String)> = Vec::new();
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for operation in walk::operations(document) {
        let Some(id) = operation.id() else { continue };
        let path: String = operation
            .path
            .chars()
            .map(|c| {
                if c.is_alphanumeric() || c == '_' {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let suffix = format!("{path}_{}", operation.method);
        let short = id.strip_suffix(&suffix).filter(|short| !short.is_empty());
        *uses
            .entry(names::method_name(short.unwrap_or(id)))
            .or_default() += 1;
        if let Some(short) = short {
            wanted.push((operation.pointer.join("operationId"), short.to_owned()));
        }
    }
    for (pointer, short) in wanted {
        if uses.get(&names::method_name(&short)) == Some(&1)
            && let Some(id) = document.at_mut(pointer.as_str())
        {
            *id = json!(short);
            changes.at(&pointer);
        }
    }
}

/// The client's own methods, and names that the code of the builders uses unqualified.
const RESERVED: [&str; 16] = [
    "new",
    "from_env",
    "builder",
    "transport",
    "with_transport",
    "drifts",
    "report_drift",
    "block_on",
    "block_on_stream",
    "base_url",
    "clone",
    "result",
    "option",
    "string",
    "from",
    "request_builder_ext",
];

/// Renames operations that would shadow such a name: a method `transport` would collide with the client's own, a
/// builder `Result` would shadow Rust's.
pub(super) fn taken_ids(document: &mut Value, changes: &mut Changes) {
    let mut renamed = Vec::new();
    for operation in walk::operations(document) {
        let Some(id) = operation.id() else { continue };
        let name = names::method_name(id);
        if RESERVED.contains(&name.as_str()) {
            let pointer = operation.pointer.join("operationId");
            renamed.push((pointer, json!(format!("{name}_operation"))));
        }
    }
    replace(document, renamed, changes);
}

/// Removes unreadable paths: without a leading slash, or with unbalanced braces.
pub(super) fn readable_paths(document: &mut Value, changes: &mut Changes) {
    let Some(paths) = document.get("paths").and_then(Value::as_object) else {
        return;
    };
    let root = Pointer::root().join("paths");
    let mut removed = Vec::new();
    for (path, _) in paths.iter().filter(|(path, _)| !path.starts_with("x-")) {
        let cause = if !path.starts_with('/') {
            "a path must start with a slash"
        } else if !has_readable_template(path) {
            "its braces must enclose the names of parameters"
        } else {
            continue;
        };
        removed.push((path.clone(), cause));
    }
    for (path, cause) in removed {
        let pointer = root.join(&path);
        if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
            paths.remove(&path);
        }
        changes.at(&pointer);
        changes.lost(
            &pointer,
            format!("the path: {cause}"),
            "its operations have no methods",
        );
    }
}

fn has_readable_template(path: &str) -> bool {
    let mut rest = path;
    while let Some(at) = rest.find(['{', '}']) {
        let (_, tail) = rest.split_at(at);
        let Some((name, after)) = tail
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'))
        else {
            return false;
        };
        if name.is_empty() || name.contains(['{', '/']) {
            return false;
        }
        rest = after;
    }
    true
}

/// Removes the bodies of responses to `HEAD`, which has none (RFC 9110, section 9.3.2).
pub(super) fn bodiless_head(document: &mut Value, changes: &mut Changes) {
    let mut bodiless = Vec::new();
    for operation in walk::operations(document) {
        if operation.method != "head" {
            continue;
        }
        let responses = operation.pointer.join("responses");
        let all = operation.object.get("responses").and_then(Value::as_object);
        for (status, _) in all.into_iter().flatten() {
            let pointer = responses.join(status);
            let Some((_, response)) = walk::locate(document, &pointer) else {
                continue;
            };
            let mut response = response.clone();
            let content = response
                .as_object_mut()
                .and_then(|response| response.remove("content"));
            if content.is_some() {
                bodiless.push((pointer, response));
            }
        }
    }
    replace(document, bodiless, changes);
}

/// Replaces the variables in server URLs by their defaults, because `SERVERS` is a constant.
pub(super) fn servers(document: &mut Value, changes: &mut Changes) {
    let root = Pointer::root().join("servers");
    let servers = document.get_mut("servers").and_then(Value::as_array_mut);
    for (index, server) in servers.into_iter().flatten().enumerate() {
        let Some(server) = server.as_object_mut() else {
            continue;
        };
        let Some(Value::Object(variables)) = server.remove("variables") else {
            continue;
        };
        let mut url = server
            .get("url")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let pointer = root.join(index);
        for (name, variable) in &variables {
            let default = match variable.get("default") {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => continue,
            };
            url = url.replace(&format!("{{{name}}}"), &default);
            changes.lost(
                &pointer.join("variables").join(name),
                format!("the variable `{name}` of the server URL"),
                format!("`SERVERS` has the default, `{default}`"),
            );
        }
        server.insert("url".to_owned(), json!(url));
        changes.at(&pointer);
    }
    let first = document.at("/servers/0/url").and_then(Value::as_str);
    let is_path = |url: &&str| url.starts_with('/') && !url.starts_with("//") && url.len() > 1;
    if let Some(path) = first.filter(is_path) {
        let instead = format!("there is no default base URL: set one, which ends with `{path}`");
        changes.lost(
            &root.join(0).join("url"),
            "the first server, which has no host",
            instead,
        );
    }
}

/// Names operations by method and path if they have no id, or one that becomes the same Rust name as another's.
pub fn name_operations(document: &mut Value, unsupported: &mut Vec<Unsupported>) {
    let operations = walk::operations(document);
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for id in operations.iter().filter_map(walk::Operation::id) {
        *uses.entry(names::builder_name(id)).or_default() += 1;
    }
    let mut named = Vec::new();
    for operation in &operations {
        let what = match operation.id() {
            Some(id) if uses.get(&names::builder_name(id)) == Some(&1) => continue,
            Some(id) => format!("the operationId `{id}`, which is not unique"),
            None => "a missing operationId".to_owned(),
        };
        let stem = id_of(operation);
        let mut id = stem.clone();
        let mut number = 2;
        while uses.contains_key(&names::builder_name(&id)) {
            id = format!("{stem}_{number}");
            number += 1;
        }
        uses.insert(names::builder_name(&id), 1);
        named.push((operation.pointer.clone(), what, id));
    }
    for (pointer, what, id) in named {
        if let Some(object) = document
            .at_mut(pointer.as_str())
            .and_then(Value::as_object_mut)
        {
            object.insert("operationId".to_owned(), json!(id));
            let instead = format!("the method is named `{id}`");
            unsupported.push(Unsupported::new(&pointer, what, instead));
        }
    }
}

/// Returns an id of method and path: `get_v1_calls_by_id` for `get /v1/calls/{id}`.
fn id_of(operation: &walk::Operation<'_>) -> String {
    let path = operation.path.replace('{', "-by-").replace('}', "-");
    names::method_name(&format!("{}-{path}", operation.method))
}

/// Finds ids that become the same method or builder, because they differ only in signs or case.
pub(super) fn method_names(document: &Value) -> Vec<Finding> {
    let mut seen: BTreeMap<String, (Pointer, String)> = BTreeMap::new();
    let mut findings = Vec::new();
    for operation in walk::operations(document) {
        let Some(id) = operation.id() else { continue };
        let method = names::method_name(id);
        let pointer = operation.pointer.join("operationId");
        if let Some((first, other)) = seen.get(&names::builder_name(id)) {
            let cause =
                format!("`{id}` and `{other}` at {first} become the same method `{method}`");
            let remedy = "choose ids that differ in more than signs and case, or generate without \
                          `--strict`, which names them by method and path";
            findings.push(Finding::new(&pointer, cause, remedy));
        } else {
            seen.insert(names::builder_name(id), (pointer, id.to_owned()));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_without_distinct_ids_are_named_by_method_and_path() {
        let mut document = json!({"paths": {
            "/v1/calls/{id}": {"get": {}, "put": {"operationId": "save"}, "post": {"operationId": "a1"}},
            "/v1/calls/by/id": {"get": {}},
            "/b": {"get": {"operationId": "save"}, "put": {"operationId": "a_1"}, "head": {"operationId": "own"}},
        }});
        let mut unsupported = Vec::new();
        name_operations(&mut document, &mut unsupported);
        let ids: Vec<String> = walk::operations(&document)
            .iter()
            .filter_map(|operation| operation.id().map(str::to_owned))
            .collect();
        assert_eq!(
            ids,
            [
                "get_v1_calls_by_id",
                "put_v1_calls_by_id",
                "post_v1_calls_by_id",
                "get_v1_calls_by_id_2",
                "get_b",
                "put_b",
                "own",
            ]
        );
        assert_eq!(unsupported.len(), 6);
        assert_eq!(method_names(&document), []);
    }

    #[test]
    fn ids_of_the_same_builder_are_reported() {
        let document =
            json!({"paths": {"/a": {"get": {"operationId": "a1"}, "put": {"operationId": "a_1"}}}});
        assert_eq!(method_names(&document).len(), 1);
    }
}
