//! Checks that every operation became a method and every named schema a type.

use serde_json::Value;

use crate::names;
use crate::origin::Origins;
use crate::pointer::Pointer;
use crate::postprocess::GeneratedSources;
use crate::problem::Finding;
use crate::walk;

/// Totals of a generated SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Operations of the document, which equals the number of methods.
    pub operations: usize,
    /// Named schemas of the document. Each has a type.
    pub schemas: usize,
    /// Public types, including those that the generator named.
    pub types: usize,
}

/// Counts operations, schemas and types, and compares them by name.
///
/// # Errors
/// Errors for each operation without a method, and each schema without a type.
pub fn count(
    original: &Value,
    normalized: &Value,
    origins: &Origins,
    sources: &GeneratedSources,
) -> Result<Count, Vec<Finding>> {
    let remedy = "this is a bug in the generator: report it with the document";
    let mut findings = Vec::new();
    let methods = &sources.methods;
    let operations = walk::operations(normalized);
    for operation in &operations {
        if !operation
            .id()
            .is_some_and(|id| methods.contains(&names::method_name(id)))
        {
            let cause = format!(
                "the operation `{} {}` has no method",
                operation.method.to_uppercase(),
                operation.path
            );
            findings.push(Finding::new(&operation.pointer, cause, remedy));
        }
    }
    let types = &sources.names;
    let mut schemas = 0;
    for (name, _) in walk::schemas(original) {
        schemas += 1;
        let pointer = Pointer::schema(name);
        let origin = origins.of(&pointer);
        // A schema whose type name was taken has another name.
        let renamed = || {
            walk::schemas(normalized).any(|(new, _)| {
                types.contains(&names::type_name(new))
                    && origins.of(&Pointer::schema(new)) == origin
            })
        };
        if !types.contains(&names::type_name(name)) && !renamed() {
            findings.push(Finding::new(
                &pointer,
                format!("the schema `{name}` has no type"),
                remedy,
            ));
        }
    }
    if methods.len() != operations.len() {
        let cause = format!(
            "{} operations became {} methods",
            operations.len(),
            methods.len()
        );
        findings.push(Finding::new(&Pointer::root().join("paths"), cause, remedy));
    }
    let count = Count {
        operations: operations.len(),
        schemas,
        types: types.len(),
    };
    if findings.is_empty() {
        Ok(count)
    } else {
        Err(findings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn missing_methods_and_types_are_reported() {
        let document = json!({
            "paths": {"/a": {"get": {"operationId": "getA"}, "put": {"operationId": "putA"}}},
            "components": {"schemas": {"one": {}, "two": {}, "default": {}}},
        });
        let mut normalized = document.clone();
        normalized["components"]["schemas"] = json!({"one": {}, "Renamed": {}});
        let mut origins = Origins::default();
        origins.moved(&Pointer::schema("default"), &Pointer::schema("Renamed"));
        let sources = GeneratedSources {
            names: ["One", "Renamed"].map(str::to_owned).into(),
            methods: ["get_a".to_owned()].into(),
            ..GeneratedSources::default()
        };
        let findings = count(&document, &normalized, &origins, &sources).unwrap_err();
        let causes: Vec<_> = findings
            .iter()
            .map(|finding| finding.cause.as_str())
            .collect();
        assert_eq!(
            causes,
            [
                "the operation `PUT /a` has no method",
                "the schema `two` has no type",
                "2 operations became 1 methods"
            ]
        );
    }
}
