//! Dynamic references become plain ones where only one schema can be meant.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::pointer::Pointer;
use crate::problem::Finding;
use crate::walk::{self, Kind};

/// The schemas that references without a pointer can mean.
#[derive(Default)]
struct Anchors {
    /// The schemas with `$dynamicAnchor`, by its name.
    dynamic: BTreeMap<String, Vec<Pointer>>,
    /// The schemas with `$anchor`, by its name.
    plain: BTreeMap<String, Vec<Pointer>>,
    /// The schemas with `$recursiveAnchor: true`.
    recursive: Vec<Pointer>,
}

/// Replaces each `$dynamicRef` and `$recursiveRef` by the `$ref` to the only schema that it can mean.
pub(super) fn resolve(document: &mut Value, findings: &mut Vec<Finding>) {
    let mut anchors = Anchors::default();
    walk::walk(document, &mut |kind, pointer, schema| {
        if kind != Kind::Schema {
            return;
        }
        let name = |key: &str| schema.get(key).and_then(Value::as_str).map(str::to_owned);
        if let Some(name) = name("$dynamicAnchor") {
            anchors
                .dynamic
                .entry(name)
                .or_default()
                .push(pointer.clone());
        }
        if let Some(name) = name("$anchor") {
            anchors.plain.entry(name).or_default().push(pointer.clone());
        }
        if schema.get("$recursiveAnchor") == Some(&json!(true)) {
            anchors.recursive.push(pointer.clone());
        }
    });
    walk::walk_mut(document, &mut |kind, pointer, schema| {
        let (Kind::Schema, Some(schema)) = (kind, schema.as_object_mut()) else {
            return;
        };
        for keyword in ["$dynamicRef", "$recursiveRef"] {
            let Some(reference) = schema.remove(keyword) else {
                continue;
            };
            match anchors.target(keyword, &reference, pointer) {
                Ok(target) => {
                    schema.insert("$ref".to_owned(), json!(target));
                }
                Err(cause) => {
                    let remedy = "replace it by a `$ref` to the schema that is meant";
                    findings.push(Finding::new(&pointer.join(keyword), cause, remedy));
                }
            }
        }
    });
}

impl Anchors {
    fn target(&self, keyword: &str, reference: &Value, place: &Pointer) -> Result<String, String> {
        let reference = reference.as_str().unwrap_or_default();
        if reference.starts_with("#/") {
            return Ok(reference.to_owned());
        }
        let targets = match reference.strip_prefix('#') {
            Some("") if keyword == "$recursiveRef" && self.recursive.is_empty() => {
                component(place).into_iter().collect()
            }
            Some("") if keyword == "$recursiveRef" => self.recursive.clone(),
            Some(name) => {
                let named = self.dynamic.get(name).or_else(|| self.plain.get(name));
                named.cloned().unwrap_or_default()
            }
            None => Vec::new(),
        };
        match targets.as_slice() {
            [target] => Ok(target.to_ref()),
            [] => Err(format!(
                "`{keyword}` refers to `{reference}`, which no schema is called"
            )),
            several => {
                let places: Vec<String> =
                    several.iter().map(|place| format!("`{place}`")).collect();
                let places = places.join(", ");
                Err(format!(
                    "`{keyword}` is ambiguous: `{reference}` is any of {places}"
                ))
            }
        }
    }
}

/// Returns the component that a schema is part of.
fn component(place: &Pointer) -> Option<Pointer> {
    match place.tokens().take(3).collect::<Vec<_>>().as_slice() {
        [components, schemas, name] if components == "components" && schemas == "schemas" => {
            Some(Pointer::schema(name))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(schemas: Value) -> Result<Value, Vec<String>> {
        let mut document = json!({"components": {"schemas": schemas}});
        let mut findings = Vec::new();
        resolve(&mut document, &mut findings);
        if findings.is_empty() {
            Ok(document["components"]["schemas"].take())
        } else {
            Err(findings.into_iter().map(|finding| finding.cause).collect())
        }
    }

    fn tree(anchor: (&str, Value), reference: (&str, &str)) -> Value {
        let mut tree =
            json!({"type": "object", "properties": {"children": {"type": "array", "items": {}}}});
        tree[anchor.0] = anchor.1;
        tree["properties"]["children"]["items"][reference.0] = json!(reference.1);
        tree
    }

    #[test]
    fn reference_with_one_target_becomes_plain() {
        let target = |schemas: Value| {
            resolved(schemas)
                .map(|schemas| schemas["Tree"]["properties"]["children"]["items"].clone())
        };
        let expected = Ok(json!({"$ref": "#/components/schemas/Tree"}));
        for (anchor, reference) in [
            (("$dynamicAnchor", json!("node")), ("$dynamicRef", "#node")),
            (("$anchor", json!("node")), ("$dynamicRef", "#node")),
            (
                ("type", json!("object")),
                ("$dynamicRef", "#/components/schemas/Tree"),
            ),
            (("$recursiveAnchor", json!(true)), ("$recursiveRef", "#")),
            (("type", json!("object")), ("$recursiveRef", "#")),
        ] {
            let schemas =
                json!({"Tree": tree(anchor, reference), "Other": {"$dynamicAnchor": "other"}});
            assert_eq!(target(schemas), expected, "{reference:?}");
        }
    }

    #[test]
    fn reference_with_several_targets_names_them() {
        let node = tree(("$dynamicAnchor", json!("node")), ("$dynamicRef", "#node"));
        let causes = resolved(json!({"Tree": node, "Strict": {"$dynamicAnchor": "node"}}));
        let cause = "`$dynamicRef` is ambiguous: `#node` is any of `/components/schemas/Tree`, `/components/schemas/Strict`";
        assert_eq!(causes, Err(vec![cause.to_owned()]));
        let none = resolved(json!({"A": {"$dynamicRef": "#gone"}}));
        let cause = "`$dynamicRef` refers to `#gone`, which no schema is called";
        assert_eq!(none, Err(vec![cause.to_owned()]));
    }
}
