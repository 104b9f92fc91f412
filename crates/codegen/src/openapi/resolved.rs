//! Schemas without what only refers to another schema or adds null to it.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::{DIRECTIONS, Schema, is_annotation};
use crate::pointer::{Lookup as _, Pointer};

/// A Schema object. A boolean schema is represented by the equivalent object.
type Object = Map<String, Value>;

static ANYTHING: LazyLock<Object> = LazyLock::new(Object::new);
static NOTHING: LazyLock<Object> =
    LazyLock::new(|| Object::from_iter([("not".to_owned(), json!({}))]));

/// The maximum number of wrappers to remove. More are a cycle.
const MAX_WRAPPERS: usize = 64;

/// Returns the schema as an object, or `None` if the value is not a schema.
pub(crate) fn object(value: &Value) -> Option<&Object> {
    match value {
        Value::Object(object) => Some(object),
        Value::Bool(true) => Some(&ANYTHING),
        Value::Bool(false) => Some(&NOTHING),
        _ => None,
    }
}

/// A schema without the wrappers that add no constraint.
#[derive(Clone, Debug)]
pub(crate) struct ResolvedSchema<'a> {
    /// The wrappers, outermost first, and the schema itself unless it is a named one.
    pub(crate) layers: Vec<(Pointer, &'a Object)>,
    /// A layer allows null.
    pub(crate) nullable: bool,
    /// The schema.
    pub(crate) target: Target<'a>,
    /// The last token of the last reference that was followed.
    pub(crate) via: Option<String>,
}

impl<'a> ResolvedSchema<'a> {
    /// Returns the value of a keyword in the outermost layer that has it, with its location.
    pub(crate) fn annotation(&self, keyword: &str) -> Option<(Pointer, &'a Value)> {
        let mut layers = self.layers.iter();
        layers.find_map(|(location, object)| Some((location.join(keyword), object.get(keyword)?)))
    }

    /// Returns true for `readOnly` and `writeOnly`. The generator makes such properties optional, since one type serves both
    /// directions.
    pub(crate) fn is_one_directional(&self) -> bool {
        DIRECTIONS.iter().any(|keyword| self.is(keyword))
    }

    /// Returns true if the value of a keyword is true, such as `readOnly`.
    pub(crate) fn is(&self, keyword: &str) -> bool {
        let flag = self.annotation(keyword);
        flag.is_some_and(|(_, value)| *value == true)
    }
}

/// The target of a [`ResolvedSchema`].
#[derive(Clone, Debug)]
pub(crate) enum Target<'a> {
    /// A schema of `components.schemas`, which is not resolved further.
    Named(String, Pointer),
    /// An inline schema, or one behind references.
    Inline(Pointer, &'a Object),
}

/// Returns the name of the schema of `components.schemas` at `pointer`.
pub(crate) fn component(pointer: &Pointer) -> Option<String> {
    pointer.is_schema().then(|| pointer.tokens().last())?
}

/// Resolves the schema at `location`: removes references with only annotations beside them, compositions and unions of one
/// schema, and unions with null. With `stop_at_named`, a reference to a named schema is not followed.
pub(crate) fn resolve<'a>(
    document: &'a Value,
    location: &Pointer,
    stop_at_named: bool,
) -> Option<ResolvedSchema<'a>> {
    let mut location = location.clone();
    let mut current = object(document.at(location.as_str())?)?;
    let mut resolved = ResolvedSchema {
        layers: Vec::new(),
        nullable: false,
        target: Target::Inline(location.clone(), current),
        via: None,
    };
    for _ in 0..MAX_WRAPPERS {
        let Some(wrapper) = wrapper(current) else {
            break;
        };
        let (next, nullable) = match wrapper {
            Wrapper::Reference(target) => {
                if let (true, Some(name)) = (stop_at_named, component(&target)) {
                    resolved.layers.push((location, current));
                    resolved.target = Target::Named(name, target);
                    return Some(resolved);
                }
                resolved.via = target.tokens().last();
                (target, false)
            }
            Wrapper::Member(keyword, index, nullable) => {
                (location.join(keyword).join(index), nullable)
            }
        };
        let Some(inner) = document.at(next.as_str()).and_then(object) else {
            break;
        };
        resolved.layers.push((location, current));
        resolved.nullable |= nullable || current.is_nullable();
        location = next;
        current = inner;
    }
    resolved.nullable |= current.is_nullable();
    resolved.layers.push((location.clone(), current));
    resolved.target = Target::Inline(location, current);
    Some(resolved)
}

/// Resolves the schema at `location`, including references to named schemas.
pub(crate) fn inline<'a>(document: &'a Value, location: &Pointer) -> Option<(Pointer, &'a Object)> {
    match resolve(document, location, false)?.target {
        Target::Inline(location, object) => Some((location, object)),
        Target::Named(..) => None,
    }
}

/// A schema that stands for another one.
enum Wrapper {
    Reference(Pointer),
    /// The keyword, the index of the only member other than null, and true if there is a null.
    Member(&'static str, usize, bool),
}

fn wrapper(object: &Object) -> Option<Wrapper> {
    let alone = |keyword: &str| {
        object
            .keys()
            .all(|key| key == keyword || key == "nullable" || is_annotation(key))
    };
    if object.contains_key("$ref") {
        let target = object.reference()?;
        return alone("$ref").then_some(Wrapper::Reference(target));
    }
    if let Some(only) = object.only_part() {
        let is_wrapper = alone("allOf") && !only.is_only_null();
        return is_wrapper.then_some(Wrapper::Member("allOf", 0, false));
    }
    let (keyword, members) = object.union().filter(|(keyword, _)| alone(keyword))?;
    let mut real = (0..members.len()).filter(|index| !members[*index].is_only_null());
    match (real.next(), real.next()) {
        (Some(only), None) => Some(Wrapper::Member(keyword, only, members.len() > 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(document: &Value, location: &str) -> (bool, String) {
        let location = Pointer::from_ref(&format!("#{location}")).unwrap();
        let resolved = resolve(document, &location, true).unwrap();
        let target = match resolved.target {
            Target::Named(name, _) => name,
            Target::Inline(location, object) => {
                format!("{location} {:?} {:?}", object.types(), object.format())
            }
        };
        (resolved.nullable, target)
    }

    #[test]
    fn resolve_reads_every_form_of_nullable() {
        let document = json!({"a": [
            {"type": ["string", "null"], "format": "uuid"},
            {"type": "string", "format": "uuid", "nullable": true},
            {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}], "description": "d"},
            {"oneOf": [{"const": null}, {"type": "string", "format": "uuid"}]},
            {"allOf": [{"type": "string", "format": "uuid"}], "nullable": true},
            {"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": "null"}]},
        ]});
        for (index, target) in [
            "/a/0",
            "/a/1",
            "/a/2/anyOf/0",
            "/a/3/oneOf/1",
            "/a/4/allOf/0",
        ]
        .iter()
        .enumerate()
        {
            assert_eq!(
                resolved(&document, &format!("/a/{index}")),
                (true, format!("{target} [String] Some(\"uuid\")"))
            );
        }
        assert_eq!(resolved(&document, "/a/5"), (true, "A".to_owned()));
    }

    #[test]
    fn resolve_terminates_on_cycles() {
        let document =
            json!({"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}, "c": {"allOf": [{"$ref": "#/c"}]}});
        assert!(resolve(&document, &Pointer::root().join("a"), true).is_some());
        assert!(resolve(&document, &Pointer::root().join("c"), false).is_some());
    }
}
