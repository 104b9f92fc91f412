//! Requests, as the model describes them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::multipart::Parts;
use crate::model::{Model, Style};
use crate::pointer::percent_encode;
use crate::walk;

/// The properties of a request that progenitor does not support.
#[derive(Debug, Default)]
pub(super) struct RequestSpec {
    /// The path on the wire, with `{}` for each parameter.
    pub(super) template: String,
    /// The wire names of parameters, by their names in the document.
    names: BTreeMap<String, String>,
    /// The styles of parameters, by their names in the document.
    pub(super) styles: BTreeMap<String, Style>,
    /// The media type of the request body.
    pub(super) content_type: Option<String>,
    /// The media type of the response body.
    pub(super) accept: Option<String>,
    /// The styles of the fields of a form with lists or objects.
    pub(super) form: Option<Vec<(String, Style)>>,
    /// The parts of a `multipart/form-data` body.
    pub(super) parts: Option<Parts>,
}

impl RequestSpec {
    pub(super) fn of(document: &Value, model: &Model, operation: &walk::Operation<'_>) -> Self {
        let mut spec = Self {
            template: format!("{{}}{}", holes(operation.path)),
            ..Self::default()
        };
        let Some(facts) = model.operation(&operation.pointer) else {
            return spec;
        };
        for (key, parameter) in &facts.parameters {
            if let Some(style) = parameter.style {
                spec.styles.insert(key.name.clone(), style);
            }
            if let Some(wire) = &parameter.wire_name {
                spec.names.insert(key.name.clone(), wire.clone());
            }
        }
        spec.parts = Parts::of(document, model, operation);
        spec.content_type = facts.body.content_type.clone();
        spec.form = facts.body.form().map(<[_]>::to_vec);
        spec.accept = facts.accept.clone();
        spec
    }

    /// Returns the wire name of a parameter.
    pub(super) fn wire<'a>(&'a self, name: &'a str) -> &'a str {
        self.names.get(name).map_or(name, String::as_str)
    }
}

/// Returns a path with `{}` for each parameter, and with characters encoded that a URL cannot contain. URL parsers then
/// leave it unchanged.
fn holes(path: &str) -> String {
    let mut holes = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        holes.push_str(before);
        holes.push_str("{}");
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    holes.push_str(rest);
    encoded(&holes)
}

/// Percent-encodes a path template, and removes the fragment, which is not sent.
pub(crate) fn encoded(path: &str) -> String {
    let path = path.split('#').next().unwrap_or_default();
    percent_encode(path, b"-._~!$&'()*+,;=:@/?%{}")
}
