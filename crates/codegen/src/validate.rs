//! Validate: checks everything that the following steps rely on.
//!
//! All errors are reported at once. What a later step can repair or work around is not an error.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::walk::{self, Chain, Kind};
use crate::openapi::{Schema as _, is_annotation};
use crate::pointer::{Lookup as _, Pointer};
use crate::problem::Finding;
use crate::unsupported::Unsupported;

/// The supported versions of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// OpenAPI 3.0.x.
    V3_0,
    /// OpenAPI 3.1.x.
    V3_1,
    /// OpenAPI 3.2.x.
    V3_2,
}

/// Checks the document.
///
/// # Errors
/// Errors with all findings.
pub fn validate(document: &Value) -> Result<Version, Vec<Finding>> {
    let version = version(document).map_err(|finding| vec![finding])?;
    let mut findings = Vec::new();
    info(document, &mut findings);
    shape(document, &mut findings);
    references(document, &mut findings);
    if findings.is_empty() {
        compositions(document, &mut findings);
    }
    operation_ids(document, &mut findings);
    if findings.is_empty() {
        Ok(version)
    } else {
        Err(findings)
    }
}

fn version(document: &Value) -> Result<Version, Finding> {
    let root = Pointer::root();
    let Some(object) = document.as_object() else {
        let remedy = "an OpenAPI document is an object with `openapi`, `info` and `paths`";
        return Err(Finding::new(
            &root,
            format!("the document is {}, not an object", name_of(document)),
            remedy,
        ));
    };
    if let Some(version) = object.get("swagger") {
        let cause = format!("this is a Swagger {} document", text_of(version));
        let remedy = "convert it to OpenAPI 3 first, for example with swagger2openapi, or ask its publisher for an \
                      OpenAPI 3.0, 3.1 or 3.2 document";
        return Err(Finding::new(&root.join("swagger"), cause, remedy));
    }
    let pointer = root.join("openapi");
    let remedy = "use a supported version (3.0.x, 3.1.x or 3.2.x), such as \"openapi\": \"3.1.0\"";
    match object.get("openapi") {
        // In YAML, 3.1 without quotes is a number.
        Some(version) => match text_of(version).as_str() {
            "3.0" => Ok(Version::V3_0),
            "3.1" => Ok(Version::V3_1),
            "3.2" => Ok(Version::V3_2),
            version if version.starts_with("3.0.") => Ok(Version::V3_0),
            version if version.starts_with("3.1.") => Ok(Version::V3_1),
            version if version.starts_with("3.2.") => Ok(Version::V3_2),
            version => Err(Finding::new(
                &pointer,
                format!("`openapi` is {version}, which is not supported"),
                remedy,
            )),
        },
        None => Err(Finding::new(
            &root,
            "the document has no OpenAPI version",
            remedy,
        )),
    }
}

fn info(document: &Value, findings: &mut Vec<Finding>) {
    for key in ["title", "version"] {
        if !document
            .at(&format!("/info/{key}"))
            .is_some_and(|text| text.is_string() || text.is_number())
        {
            let cause = format!("`info.{key}` is missing or not a string");
            let remedy = format!("add it: the specification requires `info.{key}`");
            findings.push(Finding::new(&Pointer::root().join("info"), cause, remedy));
        }
    }
}

/// Checks that every object of the specification is an object. Only a schema may be a boolean.
fn shape(document: &Value, findings: &mut Vec<Finding>) {
    match document.get("paths") {
        Some(Value::Object(_)) => {}
        Some(other) => findings.push(Finding::new(
            &Pointer::root().join("paths"),
            format!("`paths` is {}, not an object", name_of(other)),
            "make it an object whose keys are paths such as \"/v1/call/{id}\"",
        )),
        // Since 3.1, a document may only have webhooks or components.
        None if ["webhooks", "components"]
            .iter()
            .any(|key| document.get(key).is_some_and(Value::is_object)) => {}
        None => findings.push(Finding::new(
            &Pointer::root(),
            "the document has no `paths`",
            "an SDK needs operations: check that the document is complete",
        )),
    }
    walk::walk(document, &mut |kind, pointer, value| {
        let fits = value.is_object()
            || (kind == Kind::Schema && value.is_boolean())
            || kind == Kind::Paths;
        if !fits {
            let cause = format!(
                "there is {} where {} is expected",
                name_of(value),
                article(kind)
            );
            findings.push(Finding::new(
                pointer,
                cause,
                "fix the document at this location",
            ));
        }
    });
}

/// Returns true for the document itself and for its maps of named objects.
fn is_container(place: &Pointer) -> bool {
    let steps: Vec<String> = place.tokens().collect();
    match steps.as_slice() {
        [] => true,
        [part] | [part, _] if part == "components" => true,
        [part] => ["info", "paths", "servers", "tags", "webhooks"].contains(&part.as_str()),
        _ => false,
    }
}

fn references(document: &Value, findings: &mut Vec<Finding>) {
    walk::walk(document, &mut |kind, pointer, value| {
        // A path item of 3.1 may also have a `$ref`. The walk only visits objects, never a property with that name.
        let Some(reference) = value.get("$ref") else {
            return;
        };
        if kind == Kind::SecurityScheme || kind == Kind::Example || kind == Kind::Link {
            return;
        }
        let pointer = pointer.join("$ref");
        let Some(reference) = reference.as_str() else {
            let cause = format!("`$ref` is {}, not a string", name_of(reference));
            findings.push(Finding::new(
                &pointer,
                cause,
                "make it a reference such as \"#/components/schemas/Call\"",
            ));
            return;
        };
        match Pointer::from_ref(reference) {
            None if reference.starts_with('#') => findings.push(Finding::new(
                &pointer,
                format!("the reference `{reference}` is to an anchor"),
                "name the location instead, such as \"#/components/schemas/Call\"",
            )),
            None => findings.push(Finding::new(
                &pointer,
                format!("the reference `{reference}` is to another document"),
                "bundle the document into one file, for example with `redocly bundle`",
            )),
            Some(target) if document.at(target.as_str()).is_none() => {
                let known = nearest(document, &target);
                findings.push(Finding::new(
                    &pointer,
                    format!("the reference `{reference}` has no target"),
                    format!("define the target, or fix the reference{known}"),
                ));
            }
            Some(target) if is_container(&target) => findings.push(Finding::new(
                &pointer,
                format!("the reference `{reference}` is not to a single object"),
                "name the object, such as \"#/components/schemas/Call\"",
            )),
            Some(_) => match walk::chain(document, value) {
                Chain::Ends => {}
                Chain::Circles => findings.push(Finding::new(
                    &pointer,
                    format!("the reference `{reference}` is circular"),
                    "replace one reference of the circle by an object",
                )),
                Chain::TooLong => findings.push(Finding::new(
                    &pointer,
                    format!(
                        "the reference `{reference}` leads through more than {} others",
                        walk::LONGEST_CHAIN
                    ),
                    "refer to the last one directly",
                )),
            },
        }
    });
}

/// The maximum number of missing schemas for which a similar one is looked up.
const MOST_SUGGESTIONS: usize = 20;

/// Removes references to missing schemas, so that any value is accepted, and reports them.
pub(crate) fn accept_missing_schemas(document: &mut Value, unsupported: &mut Vec<Unsupported>) {
    let mut missing = Vec::new();
    // Each costs a comparison with all schemas.
    let mut suggestions: BTreeMap<Pointer, String> = BTreeMap::new();
    walk::walk(document, &mut |kind, pointer, value| {
        let target = value.get("$ref").and_then(Value::as_str).map(|reference| {
            let target = Pointer::from_ref(reference);
            target.filter(|target| document.at(target.as_str()).is_none())
        });
        if kind == Kind::Schema
            && let Some(Some(target)) = target
        {
            if suggestions.len() < MOST_SUGGESTIONS && !suggestions.contains_key(&target) {
                suggestions.insert(target.clone(), nearest(document, &target));
            }
            let known = suggestions.get(&target).map_or("", String::as_str);
            let mut keywords = value.as_object().into_iter().flat_map(Map::keys);
            let is_alone = keywords.all(|keyword| keyword == "$ref" || is_annotation(keyword));
            let instead = match is_alone {
                true => "any value is accepted",
                false => "the reference is ignored",
            };
            let what = format!("the reference `{}`, which has no target", target.to_ref());
            missing.push((pointer.clone(), what, format!("{instead}{known}")));
        }
    });
    for (place, what, instead) in missing {
        if let Some(Value::Object(schema)) = document.at_mut(place.as_str()) {
            schema.remove("$ref");
        }
        unsupported.push(Unsupported::new(&place.join("$ref"), what, &instead));
    }
}

/// The maximum length of a chain of references and `allOf`. Real documents stay below ten.
const MAX_DEPTH: usize = 128;

/// Checks that no schema is composed of itself through `allOf`, which would never end.
fn compositions(document: &Value, findings: &mut Vec<Finding>) {
    let schemas = Pointer::root().join("components").join("schemas");
    let mut done = BTreeSet::new();
    for (name, _) in walk::schemas(document) {
        let place = schemas.join(name);
        if composes_itself(document, &place, &mut Vec::new(), &mut done) {
            findings.push(Finding::new(
                &place.join("allOf"),
                format!("the schema `{name}` is composed of itself"),
                "refer to it in a property instead, or remove it from its own `allOf`",
            ));
            break;
        }
    }
}

/// `done` has the schemas that are not composed of themselves, each with true if it was found in a composition.
fn composes_itself(
    document: &Value,
    place: &Pointer,
    path: &mut Vec<Pointer>,
    done: &mut BTreeSet<(Pointer, bool)>,
) -> bool {
    if path.contains(place) || path.len() > MAX_DEPTH {
        return true;
    }
    path.push(place.clone());
    let is_part = |place: &Pointer| place.as_str().contains("/allOf/");
    let is_in_composition = path.iter().any(is_part);
    let mut found = false;
    if done.insert((place.clone(), is_in_composition)) {
        let schema = document.at(place.as_str()).unwrap_or(&Value::Null);
        let mut parts: Vec<Pointer> = (0..schema.parts().len())
            .map(|index| place.join("allOf").join(index))
            .collect();
        parts.extend(schema.reference());
        // A part that is a union with null is the other member.
        if let Some((keyword, members)) = schema.union().filter(|_| is_in_composition) {
            let members = members.iter().enumerate();
            let mut others = members.filter(|(_, member)| !member.is_only_null());
            if let (Some((index, _)), None) = (others.next(), others.next()) {
                parts.push(place.join(keyword).join(index));
            }
        }
        let mut parts = parts.iter();
        found = parts.any(|part| composes_itself(document, part, path, done));
    }
    path.pop();
    found
}

/// Returns a question about the sibling of a missing target with the most similar name, if one is similar.
fn nearest(document: &Value, target: &Pointer) -> String {
    let sibling = target.as_str().rsplit_once('/').and_then(|(parent, name)| {
        let siblings = document.at(parent)?.as_object()?;
        siblings
            .keys()
            .map(|key| (similar::TextDiff::from_chars(name, key).ratio(), key))
            .filter(|(ratio, _)| *ratio > 0.6)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, key)| format!("#{parent}/{key}"))
    });
    sibling.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

fn operation_ids(document: &Value, findings: &mut Vec<Finding>) {
    let mut seen: BTreeMap<String, Pointer> = BTreeMap::new();
    for operation in walk::operations(document)
        .into_iter()
        .filter(|operation| operation.object.is_object())
    {
        let Some(id) = operation.id() else {
            let request = format!("`{} {}`", operation.method.to_uppercase(), operation.path);
            findings.push(Finding::new(
                &operation.pointer,
                format!("the operation {request} has no operationId"),
                "add one, such as \"get_call\": it becomes the name of the method; or generate without `--strict`, which \
                 names it by method and path",
            ));
            continue;
        };
        let pointer = operation.pointer.join("operationId");
        if let Some(first) = seen.get(id) {
            findings.push(Finding::new(
                &pointer,
                format!("the operationId `{id}` is already used at {first}"),
                "give each operation an id of its own: it becomes the name of the method; or generate without `--strict`, \
                 which names both by method and path",
            ));
        } else {
            seen.insert(id.to_owned(), pointer);
        }
    }
}

fn article(kind: Kind) -> &'static str {
    match kind {
        Kind::Document => "a document",
        Kind::Paths => "a Paths object",
        Kind::PathItem => "a Path Item object",
        Kind::Operation => "an Operation object",
        Kind::Parameter => "a Parameter object",
        Kind::RequestBody => "a Request Body object",
        Kind::Response => "a Response object",
        Kind::MediaType => "a Media Type object",
        Kind::Encoding => "an Encoding object",
        Kind::Header => "a Header object",
        Kind::Link => "a Link object",
        Kind::Example => "an Example object",
        Kind::Callback => "a Callback object",
        Kind::Components => "a Components object",
        Kind::SecurityScheme => "a Security Scheme object",
        Kind::Schema => "a schema",
    }
}

/// Returns the kind of a JSON value, with an article.
pub(super) fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn text_of(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn findings(document: &Value) -> Vec<String> {
        let findings = validate(document).err().unwrap_or_default();
        findings
            .iter()
            .map(|finding| format!("{}: {}", finding.pointer, finding.cause))
            .collect()
    }

    fn minimal() -> Value {
        json!({"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {"/a": {"get": {"operationId": "a", "responses": {}}}}})
    }

    #[test]
    fn valid_document_passes_with_its_version() {
        assert_eq!(validate(&minimal()), Ok(Version::V3_1));
        let mut document = minimal();
        document["openapi"] = json!("3.0.4");
        assert_eq!(validate(&document), Ok(Version::V3_0));
        document["openapi"] = json!("3.2.0");
        assert_eq!(validate(&document), Ok(Version::V3_2));
    }

    #[test]
    fn unsupported_versions_are_reported() {
        assert_eq!(
            findings(&json!({"swagger": "2.0"})),
            ["/swagger: this is a Swagger 2.0 document"]
        );
        assert_eq!(
            findings(&json!({"openapi": "4.0.0"})),
            ["/openapi: `openapi` is 4.0.0, which is not supported"]
        );
        assert_eq!(
            findings(&json!([])),
            [": the document is an array, not an object"]
        );
    }

    #[test]
    fn validate_reports_all_errors_at_once() {
        let mut document = minimal();
        document["info"] = json!({"title": "t"});
        document["paths"]["/a"]["post"] =
            json!({"responses": {"200": {"$ref": "#/components/responses/Nix"}}});
        document["paths"]["/b"] = json!({"get": {"operationId": "a", "parameters": [7]}});
        assert_eq!(
            findings(&document),
            [
                "/info: `info.version` is missing or not a string",
                "/paths/~1b/get/parameters/0: there is a number where a Parameter object is expected",
                "/paths/~1a/post/responses/200/$ref: the reference `#/components/responses/Nix` has no target",
                "/paths/~1a/post: the operation `POST /a` has no operationId",
                "/paths/~1b/get/operationId: the operationId `a` is already used at /paths/~1a/get/operationId",
            ]
        );
    }

    #[test]
    fn schema_composed_of_itself_is_an_error() {
        let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
        let mut document = minimal();
        document["components"] = json!({"schemas": {
            "A": {"allOf": [reference("B")]},
            "B": {"allOf": [{"allOf": [reference("A")]}]},
            "Tree": {"properties": {"children": {"items": reference("Tree")}}},
            "Twice": {"allOf": [reference("Tree"), reference("Tree")]},
            "Nullable": {"anyOf": [reference("Nullable"), {"type": "null"}]},
        }});
        assert_eq!(
            findings(&document),
            ["/components/schemas/A/allOf: the schema `A` is composed of itself"]
        );
    }

    #[test]
    fn schema_composed_of_itself_or_null_is_an_error() {
        let mut document = minimal();
        document["components"] = json!({"schemas": {
            "A": {"allOf": [{"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": "null"}]}]},
        }});
        assert_eq!(
            findings(&document),
            ["/components/schemas/A/allOf: the schema `A` is composed of itself"]
        );
    }

    #[test]
    fn invalid_references_are_distinguished() {
        let mut document = minimal();
        document["components"] = json!({"schemas": {
            "Call": {"type": "object"},
            "A": {"$ref": "#/components/schemas/Cal"},
            "B": {"$ref": "other.yaml#/B"},
            "C": {"$ref": "#/components/schemas/C"},
            "D": {"$ref": 1},
            "E": {"$ref": "#/components/schemas/B"},
            "F": {"$ref": "#anchor"},
            "G": {"$ref": "#"},
            "H": {"$ref": "#/components/schemas"},
        }});
        let all = validate(&document).unwrap_err();
        assert!(
            all[0]
                .remedy
                .ends_with("did you mean `#/components/schemas/Call`?"),
            "{}",
            all[0].remedy
        );
        assert_eq!(
            findings(&document),
            [
                "/components/schemas/A/$ref: the reference `#/components/schemas/Cal` has no target",
                "/components/schemas/B/$ref: the reference `other.yaml#/B` is to another document",
                "/components/schemas/C/$ref: the reference `#/components/schemas/C` is circular",
                "/components/schemas/D/$ref: `$ref` is a number, not a string",
                "/components/schemas/F/$ref: the reference `#anchor` is to an anchor",
                "/components/schemas/G/$ref: the reference `#` is not to a single object",
                "/components/schemas/H/$ref: the reference `#/components/schemas` is not to a single object",
            ]
        );
    }
}
