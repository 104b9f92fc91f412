//! The expected requests of mocks.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Mock, into_inner, method};
use crate::model::Style;
use crate::names;
use crate::openapi::{ResolvedParameter, of_operation};
use crate::postprocess::request_spec::encoded;
use crate::signature::Parameter;
use crate::walk;

/// Returns the methods of a `When`: one for each parameter, and for the body. Expected values are encoded as the client
/// encodes them.
pub(super) fn methods<'a>(
    mock: &Mock<'_>,
    parameters: impl Iterator<Item = Parameter<'a>>,
    enums: &BTreeSet<String>,
    document: &Value,
) -> String {
    let path = encoded(mock.operation.path);
    let path = path.split('?').next().unwrap_or_default();
    let mut methods = [
        method(
            "A request to this operation.",
            "new(inner: ::httpmock::When) -> Self",
            &format!(
                "Self(crate::when::path(inner.method(::httpmock::Method::{}), {:?}))",
                mock.operation.method.to_uppercase(),
                format!("^{}$", pattern(path, None).0)
            ),
        ),
        into_inner("When"),
    ]
    .concat();
    // The name of a parameter may be that of a method.
    let mut taken = BTreeSet::from(["new".to_owned(), "into_inner".to_owned()]);
    let resolved = of_operation(document, &mock.operation);
    for Parameter {
        name,
        ty,
        is_optional,
    } in parameters
    {
        let parameter = resolved
            .iter()
            .find(|parameter| names::parameter_name(parameter.name()) == name);
        let mut unique = name.to_owned();
        while taken.contains(&unique) {
            unique.push('_');
        }
        let written = match parameter {
            Some(parameter) => {
                let argument = |lifetime: &str| argument(ty, enums, lifetime);
                expect_parameter(mock, &unique, argument, is_optional, parameter, path)
            }
            None => expect_body(mock, &unique, ty, enums, document),
        };
        if let Some(written) = written {
            methods.push_str(&written);
            taken.insert(unique);
        }
    }
    methods
}

/// Returns the regular expression of a path in which parameters match anything, split at one parameter.
fn pattern(path: &str, split: Option<&str>) -> (String, String) {
    let (mut before, mut after) = (String::new(), String::new());
    let mut past = false;
    let mut rest = path;
    while !rest.is_empty() {
        let (constant, hole) = rest.split_once('{').unwrap_or((rest, ""));
        let side = if past { &mut after } else { &mut before };
        for sign in constant.chars() {
            if ".+*?()$[]|^\\".contains(sign) {
                side.push('\\');
            }
            side.push(sign);
        }
        let Some((name, next)) = hole.split_once('}') else {
            break;
        };
        if Some(name) == split && !past {
            past = true;
        } else {
            side.push_str("[^/]*");
        }
        rest = next;
    }
    (before, after)
}

/// Returns the method of a parameter, or `None` if a mock cannot expect it. `argument` returns its type, with a lifetime.
fn expect_parameter(
    mock: &Mock<'_>,
    ident: &str,
    argument: impl Fn(&str) -> String,
    is_optional: bool,
    parameter: &ResolvedParameter<'_>,
    path: &str,
) -> Option<String> {
    let name = parameter.name();
    let wire = mock.spec.wire(name);
    let style = mock.spec.styles.get(name).map(style);
    let styled = match &style {
        Some(_) => "styled_",
        None => "",
    };
    let style = style.map(|style| format!(", {style}")).unwrap_or_default();
    let location = parameter.location();
    let (when, missing) = match location {
        "path" => {
            let (before, after) = pattern(path, Some(&encoded(name)));
            let (before, after) = (format!("^{before}"), format!("{after}$"));
            let segment = match style.as_str() {
                "" => "segment(&value)".to_owned(),
                style => format!("styled_segment({wire:?}, &value{style})"),
            };
            let when = format!(
                "crate::when::parameter(self.0, {before:?}, crate::when::{segment}, {after:?})"
            );
            (when, String::new())
        }
        "query" => (
            format!("crate::when::{styled}query(self.0, {wire:?}, &value{style})"),
            format!("self.0.query_param_missing({wire:?})"),
        ),
        "header" => (
            format!("crate::when::{styled}header(self.0, {wire:?}, &value{style})"),
            format!("self.0.header_missing({wire:?})"),
        ),
        _ => return None,
    };
    let docs = format!("Expects `{wire}` in the {location} to have this value");
    if !is_optional {
        return Some(method(
            &format!("{docs}."),
            &format!("{ident}(self, value: {}) -> Self", argument("")),
            &format!("Self({when})"),
        ));
    }
    let argument = argument("'a ");
    let lifetime = if argument.contains("'a ") { "'a, " } else { "" };
    Some(method(
        &format!("{docs}, or absent if it is `None`."),
        &format!("{ident}<{lifetime}T: Into<Option<{argument}>>>(self, value: T) -> Self"),
        &format!(
            "Self(match value.into() {{\n                Some(value) => {when},\n                None => {missing},\n            }})"
        ),
    ))
}

/// Returns the type of an argument: a reference, except for numbers, truth values and enums of strings. `lifetime` is that
/// of references, with a space, or empty.
fn argument(ty: &str, enums: &BTreeSet<String>, lifetime: &str) -> String {
    const NUMBERS: [&str; 11] = [
        "bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64",
    ];
    let inner = ty
        .strip_prefix("::std::option::Option<")
        .and_then(|inner| inner.strip_suffix('>'));
    if let Some(inner) = inner {
        return format!("Option<{}>", argument(inner, enums, lifetime));
    }
    let is_text = ty == "::std::string::String" || ty.starts_with("impl ");
    let is_copied = NUMBERS.contains(&ty) || ty.starts_with("::std::num::") || enums.contains(ty);
    match (is_text, is_copied) {
        (true, _) => format!("&{lifetime}str"),
        (false, true) => ty.to_owned(),
        (false, false) => format!("&{lifetime}{ty}"),
    }
}

fn style(style: &Style) -> String {
    format!("crate::when::Style::{}", style.variant())
}

/// Returns the method of the body, or `None` if a mock cannot expect it.
fn expect_body(
    mock: &Mock<'_>,
    ident: &str,
    ty: &str,
    enums: &BTreeSet<String>,
    document: &Value,
) -> Option<String> {
    // The boundary between the parts is random.
    if mock.spec.parts.is_some() {
        return None;
    }
    let body = mock.operation.object.get("requestBody")?;
    let content = walk::follow(document, body)?.get("content")?.as_object()?;
    let (argument, when) = match content.keys().next()?.as_str() {
        "application/json" => (
            argument(ty, enums, ""),
            "self.0.json_body_obj(&value)".to_owned(),
        ),
        "application/x-www-form-urlencoded" => {
            let text = match &mock.spec.form {
                Some(fields) => {
                    let fields = fields
                        .iter()
                        .map(|(name, field)| format!("({name:?}, {})", style(field)));
                    let fields = fields.collect::<Vec<_>>().join(", ");
                    format!("styled_form(&value, &[{fields}])")
                }
                None => "flat_form(&value)".to_owned(),
            };
            let when = format!("crate::when::form(self.0, crate::when::{text})");
            (argument(ty, enums, ""), when)
        }
        "application/octet-stream" => (
            "impl AsRef<[u8]>".to_owned(),
            "crate::when::bytes(self.0, value.as_ref())".to_owned(),
        ),
        text if text.starts_with("text/") => (
            "impl Into<String>".to_owned(),
            "self.0.body(value)".to_owned(),
        ),
        _ => return None,
    };
    Some(method(
        "Expects this body.",
        &format!("{ident}(self, value: {argument}) -> Self"),
        &format!("Self({when})"),
    ))
}
