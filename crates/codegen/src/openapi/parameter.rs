//! Parameters of operations.

use serde_json::Value;

use super::Schema;
use crate::model::ParameterKey;
use crate::pointer::{Lookup as _, Pointer};
use crate::walk;

/// A parameter of an operation.
pub(crate) struct ResolvedParameter<'a> {
    /// The location of its entry in a list of parameters. The entry may be a reference.
    pub(crate) entry: Pointer,
    /// The location of the Parameter object.
    pub(crate) place: Pointer,
    /// The Parameter object.
    pub(crate) object: &'a Value,
}

impl ResolvedParameter<'_> {
    pub(crate) fn name(&self) -> &str {
        self.object.text("name").unwrap_or_default()
    }

    pub(crate) fn location(&self) -> &str {
        self.object.text("in").unwrap_or_default()
    }

    /// Returns the key of its facts in the model.
    pub(crate) fn key(&self) -> ParameterKey {
        ParameterKey::new(self.location(), self.name())
    }

    /// Returns true for the header that makes a request repeatable (draft-ietf-httpapi-idempotency-key-header).
    pub(crate) fn is_idempotency_key(&self) -> bool {
        is_idempotency_key(self.object)
    }

    /// Returns true if a request without it is invalid, as without a part of its path.
    pub(crate) fn is_required(&self) -> bool {
        self.location() == "path" || self.object.has_flag("required")
    }
}

/// Returns true for a Parameter object that makes a request repeatable.
pub(crate) fn is_idempotency_key(parameter: &(impl Schema + ?Sized)) -> bool {
    let name = parameter.text("name");
    parameter.text("in") == Some("header")
        && name.is_some_and(|name| name.eq_ignore_ascii_case("idempotency-key"))
}

/// Returns the parameters of an operation: its own, and those of its path item that it does not override. Name and
/// location identify a parameter (OpenAPI 3.0, section 4.7.8.1).
pub(crate) fn of_operation<'a>(
    document: &'a Value,
    operation: &walk::Operation<'_>,
) -> Vec<ResolvedParameter<'a>> {
    let list = |owner: &Pointer| -> Vec<ResolvedParameter<'a>> {
        let list = owner.join("parameters");
        let length = document
            .at(list.as_str())
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        (0..length)
            .filter_map(|index| {
                let entry = list.join(index);
                let (place, object) = walk::locate(document, &entry)?;
                Some(ResolvedParameter {
                    entry,
                    place,
                    object,
                })
            })
            .collect()
    };
    let own = list(&operation.pointer);
    let mut all: Vec<ResolvedParameter<'a>> = list(&operation.path_item())
        .into_iter()
        .filter(|shared| {
            !own.iter().any(|parameter| {
                parameter.name() == shared.name() && parameter.location() == shared.location()
            })
        })
        .collect();
    all.extend(own);
    all
}

/// Returns the names in the braces of a path template, each once.
pub(crate) fn template_names(path: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for part in path.split('{').skip(1) {
        if let Some((name, _)) = part.split_once('}')
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

/// The serialization of a parameter (OpenAPI 3.0, section 4.7.12.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Form,
    SpaceDelimited,
    PipeDelimited,
    DeepObject,
    Simple,
    Label,
    Matrix,
    /// A style that the location of the parameter does not allow.
    Unknown,
}

impl Style {
    /// Returns the style of a Parameter object.
    pub(crate) fn of(object: &(impl Schema + ?Sized)) -> Self {
        let location = object.text("in").unwrap_or_default();
        Self::named(location, object.text("style"))
    }

    /// Returns the style of a form field and true if it is exploded, if its Encoding object states one of them. The styles
    /// are those of query parameters.
    pub(crate) fn of_field(encoding: &Value) -> Option<(Self, bool)> {
        let style = encoding.keyword("style");
        let explode = encoding.keyword("explode");
        if style.is_none() && explode.is_none() {
            return None;
        }
        let style = Self::named("query", style.and_then(Value::as_str));
        let explode = explode.and_then(Value::as_bool);
        Some((style, explode.unwrap_or(style == Self::Form)))
    }

    fn named(location: &str, style: Option<&str>) -> Self {
        match (location, style) {
            ("query" | "cookie" | "path" | "header", None) => Self::default_in(location).0,
            ("query" | "cookie", Some("form")) => Self::Form,
            ("query", Some("spaceDelimited")) => Self::SpaceDelimited,
            ("query", Some("pipeDelimited")) => Self::PipeDelimited,
            ("query", Some("deepObject")) => Self::DeepObject,
            ("path" | "header", Some("simple")) => Self::Simple,
            ("path", Some("label")) => Self::Label,
            ("path", Some("matrix")) => Self::Matrix,
            _ => Self::Unknown,
        }
    }

    /// Returns the style of parameters in this location that state none, and its name.
    pub(crate) fn default_in(location: &str) -> (Self, &'static str) {
        match location {
            "query" | "cookie" => (Self::Form, "form"),
            _ => (Self::Simple, "simple"),
        }
    }
}

/// Returns the name of the style of a Parameter object.
pub(crate) fn style_name(object: &Value) -> &str {
    let location = object.text("in").unwrap_or_default();
    object
        .text("style")
        .unwrap_or(Style::default_in(location).1)
}

/// Returns true if lists and objects are exploded, which is the default of `form` only.
pub(crate) fn explodes(object: &(impl Schema + ?Sized)) -> bool {
    let explode = object.keyword("explode").and_then(Value::as_bool);
    explode.unwrap_or(Style::of(object) == Style::Form)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn operation_parameter_overrides_by_name_and_location() {
        let document = json!({"paths": {"/a/{id}": {
            "parameters": [{"name": "id", "in": "path"}, {"name": "id", "in": "query", "x": 1}],
            "get": {"operationId": "a", "parameters": [{"name": "id", "in": "query", "x": 2}]},
        }}});
        let operations = walk::operations(&document);
        let found: Vec<String> = of_operation(&document, &operations[0])
            .iter()
            .map(|parameter| parameter.place.to_string())
            .collect();
        assert_eq!(
            found,
            [
                "/paths/~1a~1{id}/parameters/0",
                "/paths/~1a~1{id}/get/parameters/0"
            ]
        );
    }
}
