//! The expected requests of mocks.

use std::collections::BTreeSet;

use quote::{format_ident, quote};
use serde_json::Value;
use syn::{FnArg, ImplItem, ImplItemFn, ItemImpl, Type, parse_quote};

use super::doc;
use crate::names;
use crate::openapi::{ResolvedParameter, of_operation};
use crate::postprocess::request_spec::{RequestSpec, encoded};
use crate::postprocess::syntax::plain;
use crate::walk::{self, Operation};

/// Rewrites a `When`: expected values are encoded as the client encodes them.
pub(super) fn fit(
    item: &mut ItemImpl,
    document: &Value,
    operation: &Operation<'_>,
    spec: &RequestSpec,
) {
    let path = encoded(operation.path);
    let path = path.split('?').next().unwrap_or_default();
    let parameters = of_operation(document, operation);
    item.items.retain_mut(|item| {
        let ImplItem::Fn(function) = item else {
            return true;
        };
        let name = plain(&function.sig.ident);
        let takes_nothing = function.sig.inputs.len() == 1;
        match name.as_str() {
            "new" => {
                let method = format_ident!("{}", operation.method.to_uppercase());
                let pattern = format!("^{}$", pattern(path, None).0);
                function.attrs.push(doc("A request to this operation."));
                function.block = parse_quote!({
                    Self(crate::when::path(inner.method(::httpmock::Method::#method), #pattern))
                });
                true
            }
            "into_inner" if takes_nothing => {
                function
                    .attrs
                    .push(doc("Returns the builder of `httpmock`."));
                true
            }
            _ => {
                let parameter = parameters
                    .iter()
                    .find(|parameter| names::parameter_name(parameter.name()) == name);
                match parameter {
                    Some(parameter) => expect_parameter(function, parameter, spec, path),
                    None => expect_body(function, document, operation, spec),
                }
            }
        }
    });
    // The name of a parameter may be that of a method.
    let mut seen = BTreeSet::new();
    for item in &mut item.items {
        if let ImplItem::Fn(function) = item
            && !seen.insert(function.sig.ident.to_string())
        {
            function.sig.ident = format_ident!("{}_", function.sig.ident);
        }
    }
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

/// Rewrites the method of a parameter. Returns false if it must be removed.
fn expect_parameter(
    function: &mut ImplItemFn,
    parameter: &ResolvedParameter<'_>,
    spec: &RequestSpec,
    path: &str,
) -> bool {
    let name = parameter.name();
    let wire = spec.wire(name);
    let style = spec.styles.get(name).map(|style| {
        let style = format_ident!("{}", style.variant());
        quote!(crate::when::Style::#style)
    });
    let (location, when, missing) = match parameter.location() {
        "path" => {
            let (before, after) = pattern(path, Some(&encoded(name)));
            let (before, after) = (format!("^{before}"), format!("{after}$"));
            let text = match style {
                Some(style) => quote!(crate::when::styled_segment(#wire, &value, #style)),
                None => quote!(crate::when::segment(&value)),
            };
            let when = quote!(crate::when::parameter(self.0, #before, #text, #after));
            ("path", when, quote!(self.0))
        }
        "query" => {
            let when = match style {
                Some(style) => quote!(crate::when::styled_query(self.0, #wire, &value, #style)),
                None => quote!(crate::when::query(self.0, #wire, &value)),
            };
            ("query", when, quote!(self.0.query_param_missing(#wire)))
        }
        "header" => {
            let when = match style {
                Some(style) => quote!(crate::when::styled_header(self.0, #wire, &value, #style)),
                None => quote!(crate::when::header(self.0, #wire, &value)),
            };
            ("header", when, quote!(self.0.header_missing(#wire)))
        }
        _ => return false,
    };
    let optional = function.sig.generics.type_params().next().is_some();
    let none = if optional {
        ", or absent if it is `None`"
    } else {
        ""
    };
    function.attrs.push(doc(&format!(
        "Expects `{wire}` in the {location} to have this value{none}."
    )));
    function.block = if optional {
        parse_quote!({
            Self(match value.into() {
                Some(value) => #when,
                None => #missing,
            })
        })
    } else {
        parse_quote!({ Self(#when) })
    };
    true
}

/// Rewrites the method of the body. Returns false if it must be removed.
fn expect_body(
    function: &mut ImplItemFn,
    document: &Value,
    operation: &Operation<'_>,
    spec: &RequestSpec,
) -> bool {
    // The boundary between the parts is random.
    if spec.parts.is_some() {
        return false;
    }
    let media_type = operation
        .object
        .get("requestBody")
        .and_then(|body| walk::follow(document, body))
        .and_then(|body| body.get("content")?.as_object()?.keys().next());
    function.attrs.push(doc("Expects this body."));
    let mut takes = |ty: Type| {
        for input in &mut function.sig.inputs {
            if let FnArg::Typed(input) = input {
                *input.ty = ty.clone();
            }
        }
    };
    function.block = match media_type.map(String::as_str) {
        Some("application/json") => parse_quote!({ Self(self.0.json_body_obj(&value)) }),
        Some("application/x-www-form-urlencoded") => {
            let text = match &spec.form {
                Some(fields) => {
                    let fields = fields.iter().map(|(name, style)| {
                        let style = format_ident!("{}", style.variant());
                        quote!((#name, crate::when::Style::#style))
                    });
                    quote!(crate::when::styled_form(&value, &[#(#fields),*]))
                }
                None => quote!(crate::when::flat_form(&value)),
            };
            parse_quote!({ Self(crate::when::form(self.0, #text)) })
        }
        Some("application/octet-stream") => {
            takes(parse_quote!(impl AsRef<[u8]>));
            parse_quote!({ Self(crate::when::bytes(self.0, value.as_ref())) })
        }
        Some(text) if text.starts_with("text/") => {
            takes(parse_quote!(impl Into<String>));
            parse_quote!({ Self(self.0.body(value)) })
        }
        _ => return false,
    };
    true
}
