//! Operations that the SDK does not have: `[operations]` of `codegen.toml` leaves them out, and what only they refer to goes
//! with them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::load::Source;
use crate::names;
use crate::openapi::{Discriminator, Schema as _};
use crate::pointer::{Lookup as _, Pointer};
use crate::problem::{Problem, Problems};
use crate::unsupported::Unsupported;
use crate::walk::{self, Kind};

/// The operations that are left out. One that any entry matches is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// Tags.
    #[serde(default)]
    without_tags: Vec<String>,
    /// Paths, as the document writes them. `*` at the end matches any suffix.
    #[serde(default)]
    without_paths: Vec<String>,
    /// `operationId`s, or names of methods.
    #[serde(default)]
    without_ids: Vec<String>,
}

/// Removes the operations that the settings of the file at `path` leave out, and the components that nothing refers to any
/// longer.
///
/// # Errors
/// Errors for each entry that matches no operation.
pub(crate) fn leave_out(
    source: &mut Source,
    left_out: &LeftOut,
    path: &str,
    unsupported: &mut Vec<Unsupported>,
) -> Result<(), Problems> {
    let Source {
        document, origins, ..
    } = source;
    let LeftOut {
        without_tags,
        without_paths,
        without_ids,
    } = left_out;
    if [without_tags, without_paths, without_ids]
        .iter()
        .all(|list| list.is_empty())
    {
        return Ok(());
    }
    let mut left_out: BTreeSet<(String, String)> = BTreeSet::new();
    let mut problems = Vec::new();
    let mut apply = |entries: &[String],
                     what: &str,
                     matches: &dyn Fn(&walk::Operation<'_>, &str) -> bool| {
        for entry in entries {
            let operations = walk::operations(document).into_iter();
            let matching = operations.filter(|operation| matches(operation, entry));
            let matching: Vec<_> = matching
                .map(|operation| (operation.path.to_owned(), operation.method.to_owned()))
                .collect();
            if matching.is_empty() {
                problems.push(Problem::of_file(
                    path,
                    format!("cannot leave out the operations with the {what} `{entry}`: the document has none"),
                    "correct or delete the entry of `[operations]`",
                ));
            }
            left_out.extend(matching);
        }
    };
    apply(without_tags, "tag", &has_tag);
    apply(without_paths, "path", &|operation, path| {
        let written = origins.of(&operation.pointer).pointer.tokens().nth(1);
        has_path(operation.path, path) || written.is_some_and(|written| has_path(&written, path))
    });
    apply(without_ids, "id", &has_id);
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let before = reached(document, &BTreeSet::new());
    // What nothing referred to before stays, with what it refers to.
    let unreached: BTreeSet<Pointer> = components(document).difference(&before).cloned().collect();
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    if let Some(paths) = paths {
        for (path, method) in left_out {
            let place = Pointer::root().join("paths").join(&path).join(&method);
            unsupported.push(Unsupported::new(
                &place,
                "the operation",
                "`[operations]` of codegen.toml leaves it out",
            ));
            if let Some(item) = paths.get_mut(&path).and_then(Value::as_object_mut) {
                item.shift_remove(&method);
                if !item.keys().any(|key| walk::METHODS.contains(&key.as_str())) {
                    paths.shift_remove(&path);
                }
            }
        }
    }
    for component in before.difference(&reached(document, &unreached)) {
        let tokens: Vec<String> = component.tokens().collect();
        if let [components, kind, name] = tokens.as_slice()
            && let Some(of_kind) = document
                .get_mut(components)
                .and_then(|components| components.get_mut(kind)?.as_object_mut())
        {
            of_kind.shift_remove(name);
        }
    }
    Ok(())
}

fn has_tag(operation: &walk::Operation<'_>, tag: &str) -> bool {
    let tags = operation.object.get("tags").and_then(Value::as_array);
    tags.is_some_and(|tags| tags.iter().any(|other| other == tag))
}

fn has_path(own: &str, path: &str) -> bool {
    match path.strip_suffix('*') {
        Some(start) => own.starts_with(start),
        None => own == path,
    }
}

fn has_id(operation: &walk::Operation<'_>, id: &str) -> bool {
    operation
        .id()
        .is_some_and(|own| own == id || names::method_name(own) == id)
}

/// Returns all components.
fn components(document: &Value) -> BTreeSet<Pointer> {
    let kinds = document.get("components").and_then(Value::as_object);
    let kinds = kinds.into_iter().flatten();
    kinds
        .flat_map(|(kind, named)| {
            let place = Pointer::root().join("components").join(kind);
            let named = named.as_object().into_iter().flatten();
            named.map(move |(name, _)| place.join(name))
        })
        .collect()
}

/// Returns the components that operations, webhooks and `roots` refer to, directly or indirectly.
fn reached(document: &Value, roots: &BTreeSet<Pointer>) -> BTreeSet<Pointer> {
    let mut references: BTreeMap<Option<Pointer>, BTreeSet<Pointer>> = BTreeMap::new();
    walk::walk(document, &mut |kind, pointer, value| {
        let owner = component(pointer);
        let target = value.reference().and_then(|target| component(&target));
        if kind == Kind::Schema {
            let discriminator = value.discriminator();
            let mapped = discriminator.iter().flat_map(Discriminator::mapping);
            let mapped = mapped.map(|(_, target)| target);
            references.entry(owner.clone()).or_default().extend(mapped);
            // What is composed of a base with a discriminator is one of its values.
            if let (Some(base), Some(child)) = (&target, &owner)
                && document
                    .at(base.as_str())
                    .is_some_and(|base| base.discriminator().is_some())
                && pointer.tokens().nth(3).is_some_and(|key| key == "allOf")
            {
                references
                    .entry(Some(base.clone()))
                    .or_default()
                    .insert(child.clone());
            }
        }
        references.entry(owner).or_default().extend(target);
    });
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<Option<Pointer>> = roots.iter().cloned().map(Some).collect();
    waiting.push(None);
    while let Some(owner) = waiting.pop() {
        for target in references.get(&owner).into_iter().flatten() {
            if reached.insert(target.clone()) {
                waiting.push(Some(target.clone()));
            }
        }
    }
    reached
}

/// Returns the component that a location is in.
fn component(place: &Pointer) -> Option<Pointer> {
    let mut tokens = place.tokens();
    let first = tokens.next().filter(|first| first == "components")?;
    Some(
        Pointer::root()
            .join(first)
            .join(tokens.next()?)
            .join(tokens.next()?),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics fails")]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Value {
        let operation = |id: &str, tag: &str, schema: &str| {
            let content = json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{schema}")}}});
            json!({"operationId": id, "tags": [tag], "responses": {"200": {"description": "", "content": content}}})
        };
        json!({
            "paths": {
                "/calls": {
                    "get": operation("listCalls", "calls", "Call"),
                    "post": operation("start call", "calls", "Started"),
                },
                "/admin/users": {"get": operation("listUsers", "admin", "User")},
                "/admin/pets": {"parameters": [{"$ref": "#/components/parameters/Page"}], "get": operation("listPets", "pets", "Pet")},
            },
            "components": {
                "parameters": {"Page": {"name": "page", "in": "query"}},
                "schemas": {
                    "Call": {"properties": {"pet": {"$ref": "#/components/schemas/Pet"}}},
                    "Started": {"allOf": [{"$ref": "#/components/schemas/Call"}]},
                    "User": {"properties": {"role": {"$ref": "#/components/schemas/Role"}, "city": {"$ref": "#/components/schemas/City"}}},
                    "Role": {"properties": {"user": {"$ref": "#/components/schemas/User"}}},
                    "Pet": {"discriminator": {"propertyName": "kind"}},
                    "Cat": {"allOf": [{"$ref": "#/components/schemas/Pet"}]},
                    "City": {"type": "string"},
                    "Unused": {"properties": {"city": {"$ref": "#/components/schemas/City"}}},
                },
            },
        })
    }

    /// Returns the operations and the components that are left, or the causes of the problems.
    fn left(settings: &str) -> Result<String, String> {
        let settings: LeftOut = toml_edit::de::from_str(settings).unwrap();
        let mut source = Source {
            document: document(),
            ..Source::default()
        };
        let paths = Pointer::root().join("paths");
        let written = paths.join("/admin/{kind:users}");
        source.origins.moved(&written, &paths.join("/admin/users"));
        let mut unsupported = Vec::new();
        leave_out(&mut source, &settings, "codegen.toml", &mut unsupported).map_err(
            |problems| {
                let causes = problems.0.iter().map(|problem| problem.cause.clone());
                causes.collect::<Vec<_>>().join("\n")
            },
        )?;
        let document = source.document;
        let operations = walk::operations(&document);
        assert_eq!(operations.len() + unsupported.len(), 4);
        let ids = operations.iter().filter_map(walk::Operation::id);
        let kinds = document["components"].as_object().unwrap().values();
        let names = kinds
            .filter_map(Value::as_object)
            .flatten()
            .map(|(name, _)| name.as_str());
        Ok(ids.chain(names).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn components_go_with_the_operations_that_alone_refer_to_them() {
        assert_eq!(
            left("").unwrap(),
            "listCalls start call listUsers listPets Page Call Started User Role Pet Cat City Unused"
        );
        // Roles and users refer to each other; what nothing referred to before stays, with its city.
        assert_eq!(
            left("without_tags = [\"admin\"]").unwrap(),
            "listCalls start call listPets Page Call Started Pet Cat City Unused"
        );
        assert_eq!(
            left("without_paths = [\"/admin/{kind:users}\"]").unwrap(),
            left("without_paths = [\"/admin/users\"]").unwrap()
        );
        // Calls have pets, and cats are pets.
        assert_eq!(
            left("without_paths = [\"/admin/*\"]\nwithout_ids = [\"start_call\"]").unwrap(),
            "listCalls Call Pet Cat City Unused"
        );
        assert_eq!(
            left("without_paths = [\"/calls\"]\nwithout_tags = [\"pets\"]").unwrap(),
            "listUsers User Role City Unused"
        );
    }

    #[test]
    fn entry_that_matches_nothing_is_an_error() {
        let causes = left(
            "without_tags = [\"x\"]\nwithout_paths = [\"/call\"]\nwithout_ids = [\"listCalls\", \"y\"]",
        );
        assert_eq!(
            causes.unwrap_err(),
            "cannot leave out the operations with the tag `x`: the document has none\n\
             cannot leave out the operations with the path `/call`: the document has none\n\
             cannot leave out the operations with the id `y`: the document has none"
        );
    }
}
