//! One of the two documents.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::model::Model;
use crate::origin::Origins;
use crate::pins::Pins;
use crate::pointer::Pointer;
use crate::walk;
use crate::{lower, names, normalize};

/// A document, with the names of the methods generated from it.
pub(super) struct Spec<'a> {
    pub(super) document: &'a Value,
    /// The method names, by the locations of the operations.
    methods: BTreeMap<Pointer, String>,
}

impl<'a> Spec<'a> {
    pub(super) fn new(document: &'a Value) -> Self {
        Self {
            document,
            methods: method_names(document),
        }
    }

    /// Returns the name of an operation's method, or its HTTP method and path if it has no id.
    pub(super) fn method(&self, operation: &Pointer) -> String {
        self.methods.get(operation).cloned().unwrap_or_else(|| {
            let tokens: Vec<String> = operation.tokens().collect();
            match tokens.as_slice() {
                [_, path, method] => format!("{} {path}", method.to_uppercase()),
                _ => operation.to_string(),
            }
        })
    }
}

/// Returns the method names that the generator chooses. It shortens some ids, so the rules run on a document with only the
/// operations and their ids. If they fail on it, the ids are used as they are.
fn method_names(document: &Value) -> BTreeMap<Pointer, String> {
    let mut paths = Map::new();
    for operation in walk::operations(document) {
        let mut bare = json!({"responses": {}});
        if let Some(id) = operation.object.get("operationId") {
            bare["operationId"] = id.clone();
        }
        let item = paths.entry(operation.path).or_insert_with(|| json!({}));
        item[operation.method] = bare;
    }
    let bare = json!({
        "openapi": lower::LOWERED_VERSION,
        "info": {"title": "", "version": ""},
        "paths": paths,
    });
    let normalized = match normalize::normalize(
        bare.clone(),
        Model::default(),
        Pins::default(),
        &mut Vec::new(),
        &mut Origins::default(),
    ) {
        Ok(normalized) => normalized.document,
        Err(_) => bare,
    };
    let named = walk::operations(&normalized)
        .into_iter()
        .filter_map(|operation| {
            let name = names::method_name(operation.id()?);
            Some((operation.pointer.clone(), name))
        });
    named.collect()
}
