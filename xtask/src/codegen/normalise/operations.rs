//! Operations: their ids, which become the names of methods.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Changes;
use crate::codegen::{names, walk};
use crate::pointer::Pointer;
use crate::problem::Finding;

/// `get_call_v1_call__id__get` is `get_call` followed by path and method, joined by FastAPI's `generate_unique_id`:
/// every character of the path that is no letter, digit or underscore becomes an underscore. Where two operations would
/// become one, both keep the long form.
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
            && let Some(id) = document.pointer_mut(pointer.as_str())
        {
            *id = json!(short);
            changes.at(&pointer);
        }
    }
}

/// Two ids that differ only in their signs or in the case of their letters become one method.
pub(super) fn method_names(document: &Value) -> Vec<Finding> {
    let mut seen: BTreeMap<String, (Pointer, String)> = BTreeMap::new();
    let mut findings = Vec::new();
    for operation in walk::operations(document) {
        let Some(id) = operation.id() else { continue };
        let method = names::method_name(id);
        let pointer = operation.pointer.join("operationId");
        if let Some((first, other)) = seen.get(&method) {
            let cause =
                format!("`{id}` becomes the method `{method}`, as `{other}` at {first} does");
            let remedy =
                "choose ids that differ in more than their signs or the case of their letters";
            findings.push(Finding::new(&pointer, cause, remedy));
        } else {
            seen.insert(method, (pointer, id.to_owned()));
        }
    }
    findings
}
