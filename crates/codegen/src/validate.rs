//! Step 2, validate: is this a document that the following steps may rely on?
//!
//! Everything that is wrong is reported at once. What a later step can repair or work around is not an error here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::walk::{self, Chain, Kind};
use crate::pointer::Pointer;
use crate::problem::Finding;

/// The versions of the specification that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// OpenAPI 3.0.x.
    V3_0,
    /// OpenAPI 3.1.x.
    V3_1,
    /// OpenAPI 3.2.x.
    V3_2,
}

/// Checks the document as far as the steps after this one rely on it.
///
/// # Errors
/// Every finding, each with its place and remedy.
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
    let remedy = "OpenAPI 3.0.x, 3.1.x and 3.2.x are read: state the one that the document follows, such as \"openapi\": \"3.1.0\"";
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
                format!("`openapi` is {version}, which can't be read"),
                remedy,
            )),
        },
        None => Err(Finding::new(
            &root,
            "the document doesn't say which version of OpenAPI it follows",
            remedy,
        )),
    }
}

fn info(document: &Value, findings: &mut Vec<Finding>) {
    for key in ["title", "version"] {
        if !document
            .pointer(&format!("/info/{key}"))
            .is_some_and(|text| text.is_string() || text.is_number())
        {
            let cause = format!("`info.{key}` is missing or not a string");
            let remedy = format!("add it: the specification requires `info.{key}`");
            findings.push(Finding::new(&Pointer::root().join("info"), cause, remedy));
        }
    }
}

/// Every object of the specification is an object; only a schema may be a boolean.
fn shape(document: &Value, findings: &mut Vec<Finding>) {
    match document.get("paths") {
        Some(Value::Object(_)) => {}
        Some(other) => findings.push(Finding::new(
            &Pointer::root().join("paths"),
            format!("`paths` is {}, not an object", name_of(other)),
            "make it an object whose keys are paths such as \"/v1/call/{id}\"",
        )),
        // Since 3.1, a document may be of webhooks or components alone.
        None if ["webhooks", "components"]
            .iter()
            .any(|key| document.get(key).is_some_and(Value::is_object)) => {}
        None => findings.push(Finding::new(
            &Pointer::root(),
            "the document has no `paths`",
            "an SDK is made of operations: check that this is the whole document",
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
                "mend the document at that place",
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
        // A path item of 3.1 may say `$ref` too; the walk reaches only objects, never a property of that name.
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
                format!("the reference `{reference}` names an anchor"),
                "name the place itself, such as \"#/components/schemas/Call\"",
            )),
            None => findings.push(Finding::new(
                &pointer,
                format!("the reference `{reference}` leaves the document"),
                "bundle the document into one file first, for example with `redocly bundle`",
            )),
            Some(target) if document.pointer(target.as_str()).is_none() => {
                let known = nearest(document, &target)
                    .map(|name| format!("; did you mean `{name}`?"))
                    .unwrap_or_default();
                findings.push(Finding::new(
                    &pointer,
                    format!("the reference `{reference}` leads nowhere"),
                    format!("define it, or mend the reference{known}"),
                ));
            }
            Some(target) if is_container(&target) => findings.push(Finding::new(
                &pointer,
                format!("the reference `{reference}` leads to no single object"),
                "name what it means, such as \"#/components/schemas/Call\"",
            )),
            Some(_) => match walk::chain(document, value) {
                Chain::Ends => {}
                Chain::Circles => findings.push(Finding::new(
                    &pointer,
                    format!("the reference `{reference}` leads back to itself"),
                    "let one object of the circle say what it is",
                )),
                Chain::TooLong => findings.push(Finding::new(
                    &pointer,
                    format!(
                        "the reference `{reference}` leads through more than {} others",
                        walk::LONGEST_CHAIN
                    ),
                    "name the last of them",
                )),
            },
        }
    });
}

/// The maximum length of a chain of references and `allOf`; real documents stay below ten.
const DEEPEST: usize = 128;

/// No schema is composed of itself: `allOf` of itself, or of what is composed of it, has no end.
fn compositions(document: &Value, findings: &mut Vec<Finding>) {
    let schemas = Pointer::root().join("components").join("schemas");
    let mut done = BTreeSet::new();
    for (name, _) in walk::schemas(document) {
        let place = schemas.join(name);
        if composes_itself(document, &place, &mut Vec::new(), &mut done) {
            findings.push(Finding::new(
                &place.join("allOf"),
                format!(
                    "the schema `{name}` is composed of itself, or of parts of parts without end"
                ),
                "let a property refer to it instead, or take it out of its own `allOf`",
            ));
            break;
        }
    }
}

fn composes_itself(
    document: &Value,
    place: &Pointer,
    path: &mut Vec<Pointer>,
    done: &mut BTreeSet<Pointer>,
) -> bool {
    if path.contains(place) || path.len() > DEEPEST {
        return true;
    }
    if !done.insert(place.clone()) {
        return false;
    }
    path.push(place.clone());
    let schema = document.pointer(place.as_str());
    let reference = schema
        .and_then(|schema| schema.get("$ref"))
        .and_then(Value::as_str)
        .and_then(Pointer::from_ref);
    let members = schema
        .and_then(|schema| schema.get("allOf"))
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    let parts = reference
        .into_iter()
        .chain((0..members).map(|index| place.join("allOf").join(index)));
    let found = parts
        .into_iter()
        .any(|part| composes_itself(document, &part, path, done));
    path.pop();
    found
}

/// The sibling of a missing target whose name is most like it.
fn nearest(document: &Value, target: &Pointer) -> Option<String> {
    let (parent, name) = target.as_str().rsplit_once('/')?;
    let siblings = document.pointer(parent)?.as_object()?;
    siblings
        .keys()
        .map(|key| (similar::TextDiff::from_chars(name, key).ratio(), key))
        .filter(|(ratio, _)| *ratio > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, key)| format!("#{parent}/{key}"))
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
                format!("the operationId `{id}` is used already at {first}"),
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

/// Returns the kind of the JSON value, with its article.
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
    fn a_sound_document_passes_and_its_version_is_known() {
        assert_eq!(validate(&minimal()), Ok(Version::V3_1));
        let mut document = minimal();
        document["openapi"] = json!("3.0.4");
        assert_eq!(validate(&document), Ok(Version::V3_0));
        document["openapi"] = json!("3.2.0");
        assert_eq!(validate(&document), Ok(Version::V3_2));
    }

    #[test]
    fn other_versions_are_told_apart() {
        assert_eq!(
            findings(&json!({"swagger": "2.0"})),
            ["/swagger: this is a Swagger 2.0 document"]
        );
        assert_eq!(
            findings(&json!({"openapi": "4.0.0"})),
            ["/openapi: `openapi` is 4.0.0, which can't be read"]
        );
        assert_eq!(
            findings(&json!([])),
            [": the document is an array, not an object"]
        );
    }

    #[test]
    fn everything_wrong_is_reported_at_once() {
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
                "/paths/~1a/post/responses/200/$ref: the reference `#/components/responses/Nix` leads nowhere",
                "/paths/~1a/post: the operation `POST /a` has no operationId",
                "/paths/~1b/get/operationId: the operationId `a` is used already at /paths/~1a/get/operationId",
            ]
        );
    }

    #[test]
    fn what_is_composed_of_itself_is_named() {
        let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
        let mut document = minimal();
        document["components"] = json!({"schemas": {
            "A": {"allOf": [reference("B")]},
            "B": {"allOf": [{"allOf": [reference("A")]}]},
            "Tree": {"properties": {"children": {"items": reference("Tree")}}},
            "Twice": {"allOf": [reference("Tree"), reference("Tree")]},
        }});
        assert_eq!(
            findings(&document),
            [
                "/components/schemas/A/allOf: the schema `A` is composed of itself, or of parts of parts without end"
            ]
        );
    }

    #[test]
    fn references_that_dangle_leave_or_circle_are_told_apart() {
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
                "/components/schemas/A/$ref: the reference `#/components/schemas/Cal` leads nowhere",
                "/components/schemas/B/$ref: the reference `other.yaml#/B` leaves the document",
                "/components/schemas/C/$ref: the reference `#/components/schemas/C` leads back to itself",
                "/components/schemas/D/$ref: `$ref` is a number, not a string",
                "/components/schemas/F/$ref: the reference `#anchor` names an anchor",
                "/components/schemas/G/$ref: the reference `#` leads to no single object",
                "/components/schemas/H/$ref: the reference `#/components/schemas` leads to no single object",
            ]
        );
    }
}
