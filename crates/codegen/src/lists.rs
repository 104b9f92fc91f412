//! Lists: recognizes the operations whose response is one page of a list, and the way from a page to the next.
//!
//! No keyword of OpenAPI says this. The names of query parameters, properties and headers do, together with their types;
//! `[paging]` of `codegen.toml` corrects what they don't say.

mod recognize;
mod setting;
mod shape;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::{Model, PropertyPath, Type};
use crate::names;
use crate::normalize::types;
use crate::openapi::{Schema as _, located_parts};
use crate::pointer::Pointer;
use crate::problem::{Problem, Problems};
use crate::walk;

pub use setting::{ListEntry, ListSetting};

/// Returns a model with the shape of each operation that may be a list, from the document before it is normalized: the
/// rules drop bounds and defaults, and rename parameters.
pub(crate) fn candidates(document: &Value) -> Model {
    let mut model = Model::default();
    for (place, shape) in shape::shapes(document) {
        model.operation_mut(&place).page = Some(shape);
    }
    model
}

/// Adds the paging of each list to the model, which has the shapes of its [`candidates`]. `document` is normalized.
/// `settings` are those of the file at `path`, by operation; `None` for no pages.
///
/// # Errors
/// Errors with each setting that does not apply to its operation.
pub(crate) fn recognize(
    document: &Value,
    model: &mut Model,
    settings: &BTreeMap<String, Option<ListSetting>>,
    path: &str,
) -> Result<(), Problems> {
    let mut problems = Vec::new();
    let mut unused = settings.clone();
    for operation in walk::operations(document) {
        let method = names::method_name(operation.id().unwrap_or_default());
        let shape = model
            .operation(&operation.pointer)
            .and_then(|facts| facts.page.as_ref());
        let set = unused.remove(&method);
        let paging = match (shape, &set) {
            (None, None) | (_, Some(None)) => continue,
            (Some(shape), None) => Ok(recognize::recognize(shape)),
            (Some(shape), Some(Some(setting))) => setting.paging(shape).map(Some),
            (None, Some(Some(_))) => Err("it is not a GET with a JSON response".to_owned()),
        };
        let paging = paging.and_then(|paging| {
            let Some(mut paging) = paging else {
                return Ok(None);
            };
            match item(document, model, &operation, &paging.items) {
                Some(item) => {
                    paging.item = item;
                    Ok(Some(paging))
                }
                None if set.is_none() => Ok(None),
                None => Err("its items have no type".to_owned()),
            }
        });
        match paging {
            Ok(paging) => model.operation_mut(&operation.pointer).paging = paging,
            Err(why) => problems.push(problem(path, &method, &why)),
        }
    }
    let unused = unused.keys();
    problems.extend(unused.map(|name| problem(path, name, "the document has no such operation")));
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Problems(problems))
    }
}

fn problem(path: &str, operation: &str, why: &str) -> Problem {
    Problem::of_file(
        path,
        format!("cannot divide the list `{operation}` into pages: {why}"),
        "correct or delete the entry of `[paging]`",
    )
}

/// Returns the type of the items.
fn item(
    document: &Value,
    model: &Model,
    operation: &walk::Operation<'_>,
    path: &PropertyPath,
) -> Option<Type> {
    let (_, schema) = shape::body(document, operation)?;
    let mut schema = schema.clone();
    for name in path {
        schema = property(document, model, &schema, name)?;
    }
    let (_, list) = walk::locate(document, &schema)?;
    Some(types::type_of(list.get("items")?))
}

/// Returns the location of the property that has this name on the wire.
fn property(document: &Value, model: &Model, schema: &Pointer, name: &str) -> Option<Pointer> {
    let mut parts = located_parts(document, schema).into_iter();
    parts.find_map(|(place, schema)| {
        let facts = model.schemas.get(&place);
        let is_named = |normalized: &&String| {
            facts
                .and_then(|facts| facts.wire_names.get(*normalized))
                .unwrap_or(normalized)
                == name
        };
        let own = schema.properties().map(|(name, _)| name).find(is_named)?;
        Some(place.join("properties").join(own))
    })
}
