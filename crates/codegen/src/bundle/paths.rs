//! Path templates with the notation of a router.
//!
//! - `{number:[0-9]+}` and `{key+}` are the parameters `number` and `key`: Spring and API Gateway write what a parameter
//!   matches into the template, and only the name into the parameter.
//! - `:id` is the parameter `id`, as Express writes it.
//! - A path without a slash at its beginning has one.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::openapi::of_operation;
use crate::pointer::Pointer;
use crate::unsupported::Unsupported;
use crate::walk;

/// Adds the slash at the beginning of each path without one. Returns the old and the new location of each.
pub(super) fn with_slash(document: &mut Value) -> Vec<(Pointer, Pointer)> {
    let paths = document.get("paths").and_then(Value::as_object);
    let paths = paths.into_iter().flat_map(Map::keys);
    let without = paths.filter(|path| !path.starts_with(['/', '$']) && !path.starts_with("x-"));
    let new = without.map(|path| (path.clone(), format!("/{path}")));
    let new = new.collect();
    locations(&rename(document, new))
}

/// Renames paths, unless the new name is taken. Returns the old and the new name of each renamed path.
fn rename(document: &mut Value, mut new: Vec<(String, String)>) -> Vec<(String, String)> {
    let Some(Value::Object(paths)) = document.get_mut("paths").filter(|_| !new.is_empty()) else {
        return Vec::new();
    };
    let mut taken: BTreeSet<String> = paths.keys().cloned().collect();
    new.retain(|(_, path)| taken.insert(path.clone()));
    for (path, item) in std::mem::take(paths) {
        let renamed = new.iter().find(|(old, _)| *old == path);
        paths.insert(renamed.map_or(path, |(_, new)| new.clone()), item);
    }
    new
}

/// Returns the old and the new location of each renamed path.
fn locations(renamed: &[(String, String)]) -> Vec<(Pointer, Pointer)> {
    let root = Pointer::root().join("paths");
    let renamed = renamed.iter();
    renamed
        .map(|(old, new)| (root.join(old), root.join(new)))
        .collect()
}

/// Replaces such templates by those of OpenAPI, where the operations of the path have parameters with these names. Returns the
/// old and the new location of each path.
pub(super) fn clarify(
    document: &mut Value,
    unsupported: &mut Vec<Unsupported>,
) -> Vec<(Pointer, Pointer)> {
    let mut clear: Vec<(String, String)> = Vec::new();
    let mut operations = walk::operations(document);
    operations.retain(|operation| operation.path.contains(['+', '*', ':']));
    for operation in operations {
        let parameters = of_operation(document, &operation);
        let is_parameter = |name: &str| {
            let mut parameters = parameters.iter();
            parameters.any(|parameter| parameter.location() == "path" && parameter.name() == name)
        };
        if let Some(path) = clarified(operation.path, is_parameter)
            && clear.iter().all(|(old, _)| old != operation.path)
        {
            clear.push((operation.path.to_owned(), path));
        }
    }
    let clear = rename(document, clear);
    let root = Pointer::root().join("paths");
    for (old, new) in &clear {
        let is_same = |name: &str| name.replace([':', '{', '}', '/'], "");
        if is_same(old) == is_same(new) {
            continue;
        }
        let what = "what the parameters of the path match";
        let instead = "the service checks it; a slash in a value is encoded";
        unsupported.push(Unsupported::new(&root.join(old), what, instead));
    }
    locations(&clear)
}

/// Returns the template with the names of parameters only, if all of its names are known and one of them changes.
fn clarified(given: &str, is_parameter: impl Fn(&str) -> bool) -> Option<String> {
    let express = |segment: &str| match segment.strip_prefix(':') {
        Some(name) if is_parameter(name) => format!("{{{name}}}"),
        _ => segment.to_owned(),
    };
    let segments: Vec<String> = given.split('/').map(express).collect();
    let path = segments.join("/");
    let mut clear = String::new();
    let mut rest = path.as_str();
    while let Some((before, template)) = rest.split_once('{') {
        let (template, after) = template.split_at(end(template)?);
        let name = template.split(':').next()?.trim_end_matches(['+', '*']);
        let name = if is_parameter(template) {
            template
        } else {
            name
        };
        if !is_parameter(name) {
            return None;
        }
        clear.push_str(&format!("{before}{{{name}}}"));
        rest = after.strip_prefix('}')?;
    }
    clear.push_str(rest);
    (clear != given).then_some(clear)
}

/// Returns the end of a template, which may have braces of its own: `number:[0-9]{4}`.
fn end(template: &str) -> Option<usize> {
    let mut depth = 0_usize;
    template.char_indices().find_map(|(index, sign)| {
        match sign {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(index),
            '}' => depth -= 1,
            _ => {}
        }
        None
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_begin_with_a_slash() {
        let mut document = json!({"paths": {"a": {}, "/a": {}, "b/{c}": {"get": {}}, "x-own": 1}});
        let moves = with_slash(&mut document);
        let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
        assert_eq!(paths, ["a", "/a", "/b/{c}", "x-own"]);
        assert_eq!(moves.len(), 1);
        assert_eq!(moves[0].1.as_str(), "/paths/~1b~1{c}");
    }

    #[test]
    fn templates_have_names_only() {
        let clear = |path: &str| clarified(path, |name| ["key", "number", "odd+"].contains(&name));
        assert_eq!(
            clear("/a/{key+}/{number:[0-9]{4}}/b").as_deref(),
            Some("/a/{key}/{number}/b")
        );
        assert_eq!(clear("/a/{key*}").as_deref(), Some("/a/{key}"));
        assert_eq!(clear("/a/{key}"), None);
        assert_eq!(clear("/a/{odd+}"), None);
        assert_eq!(clear("/a/{key+}/{other:x}"), None);
        assert_eq!(clear("/a/{key+"), None);
        assert_eq!(
            clear("/a/:key/{number}:stop").as_deref(),
            Some("/a/{key}/{number}:stop")
        );
        assert_eq!(clear("/a/:other/{key}"), None);
    }
}
