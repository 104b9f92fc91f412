//! Corrects the requests in progenitor's `send` functions: names, styles, media types and methods on the wire.

use std::collections::BTreeMap;

use quote::{format_ident, quote};
use serde_json::Value;
use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, ExprMethodCall, Lit, Pat, Stmt, Token, parse_quote};

use super::builder;
use super::client::operation_id;
use super::multipart;
use super::request_spec::RequestSpec;
use crate::model::{Model, Style};
use crate::names;
use crate::walk;

/// Corrects all requests. Returns the methods whose body could not be written in parts.
pub(super) fn correct(
    file: &mut syn::File,
    bodies: &multipart::Bodies,
    document: &Value,
    model: &Model,
) -> Vec<String> {
    let mut unwritten = Vec::new();
    let spec: BTreeMap<String, RequestSpec> = walk::operations(document)
        .iter()
        .filter_map(|operation| {
            let id = names::method_name(operation.id()?);
            Some((id, RequestSpec::of(document, model, operation)))
        })
        .collect();
    for function in builder::sends(file) {
        if let Some(id) = operation_id(function)
            && let Some(spec) = spec.get(&id)
            && !send(function, spec, bodies)
        {
            unwritten.push(id);
        }
    }
    unwritten
}

/// Corrects a `send` function. Returns false if the parts of the body could not be written.
fn send(function: &mut syn::ImplItemFn, spec: &RequestSpec, bodies: &multipart::Bodies) -> bool {
    let mut edit = Edit {
        spec,
        bodies,
        queries: Vec::new(),
        is_written: spec.parts.is_none(),
    };
    edit.visit_block_mut(&mut function.block);
    let is_written = edit.is_written;
    let queries = edit.queries;
    let url = function
        .block
        .stmts
        .iter()
        .enumerate()
        .find_map(|(index, statement)| Some((index, url_of(statement)?)));
    if let Some((index, url)) = url {
        let added = queries.into_iter().map(|(name, value, style)| -> Stmt {
            let style = format_ident!("{}", style.variant());
            parse_quote! {
                let #url = crate::encode::query(#url, #name, #value, crate::encode::Style::#style)
                    .map_err(Error::InvalidRequest)?;
            }
        });
        let added: Vec<Stmt> = added.collect();
        function.block.stmts.splice(index + 1..index + 1, added);
    }
    is_written
}

/// Returns the variable with the URL, if the statement declares it.
fn url_of(statement: &Stmt) -> Option<syn::Ident> {
    let Stmt::Local(local) = statement else {
        return None;
    };
    match (
        &local.pat,
        local.init.as_ref().map(|init| init.expr.as_ref()),
    ) {
        (Pat::Ident(name), Some(Expr::Macro(call))) if call.mac.path.is_ident("format") => {
            Some(name.ident.clone())
        }
        _ => None,
    }
}

struct Edit<'a> {
    spec: &'a RequestSpec,
    bodies: &'a multipart::Bodies,
    /// The query parameters with a style of their own: name, value, style.
    queries: Vec<(String, Expr, Style)>,
    is_written: bool,
}

impl VisitMut for Edit<'_> {
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        visit_mut::visit_expr_mut(self, expression);
        match expression {
            Expr::Macro(call) if call.mac.path.is_ident("format") => self.url(&mut call.mac),
            Expr::MethodCall(call) => {
                if call.method == "json"
                    && let Some(parts) = &self.spec.parts
                    && let Some(sent) = parts.put_into(&call.receiver, self.bodies)
                {
                    *expression = sent;
                    self.is_written = true;
                    return;
                }
                if let Some(header) = self.styled_header(call) {
                    *expression = header;
                    return;
                }
                self.body(call);
                let goes = self.parameter(call);
                if goes {
                    *expression = (*call.receiver).clone();
                }
            }
            // The replacement of `form_urlencoded(…)?` is infallible.
            Expr::Try(tried) if matches!(tried.expr.as_ref(), Expr::MethodCall(call) if call.method == "body") =>
            {
                *expression = (*tried.expr).clone();
            }
            _ => {}
        }
    }
}

impl Edit<'_> {
    /// Corrects the URL: the path is exactly that of the document, and values have their styles.
    fn url(&self, call: &mut syn::Macro) {
        let parser = Punctuated::<Expr, Token![,]>::parse_terminated;
        let Ok(mut arguments) = call.parse_body_with(parser) else {
            return;
        };
        for (index, argument) in arguments.iter_mut().enumerate() {
            match argument {
                Expr::Lit(literal) if index == 0 => {
                    let Lit::Str(text) = &literal.lit else { return };
                    if !text.value().starts_with("{}/") {
                        return;
                    }
                    literal.lit = Lit::Str(syn::LitStr::new(&self.spec.template, text.span()));
                }
                argument => {
                    let Some(value) = encoded_value(argument) else {
                        continue;
                    };
                    let styled = self
                        .spec
                        .styles
                        .iter()
                        .find(|(name, _)| value == names::parameter_name(name));
                    *argument = match styled {
                        Some((name, style)) => {
                            let (name, style) =
                                (self.spec.wire(name), format_ident!("{}", style.variant()));
                            parse_quote! {
                                crate::encode::segment(#name, &#value, crate::encode::Style::#style)
                                    .map_err(Error::InvalidRequest)?
                            }
                        }
                        None => parse_quote!(crate::encode::path(&#value)),
                    };
                }
            }
        }
        call.tokens = quote!(#arguments);
    }

    /// Returns the replacement of `header_map.append("name", value.to_string().try_into()?)` for a header with a style.
    fn styled_header(&self, call: &ExprMethodCall) -> Option<Expr> {
        let mut arguments = call.args.iter();
        let (Some(Expr::Lit(literal)), Some(value)) = (arguments.next(), arguments.next()) else {
            return None;
        };
        let Lit::Str(name) = &literal.lit else {
            return None;
        };
        if call.method != "append" {
            return None;
        }
        let name = name.value();
        let style = format_ident!("{}", self.spec.styles.get(&name)?.variant());
        let (headers, value) = (&call.receiver, displayed(value)?);
        let wire = self.spec.wire(&name);
        Some(parse_quote! {
            crate::encode::set_header(&mut #headers, #wire, &#value, crate::encode::Style::#style)
                .map_err(Error::InvalidRequest)?
        })
    }

    /// Corrects a query parameter, a header, or the HTTP method. Returns true if the call must be removed.
    fn parameter(&mut self, call: &mut ExprMethodCall) -> bool {
        match call.method.to_string().as_str() {
            "query" => {
                let Some((name, value)) = call.args.first_mut().and_then(query_parameter) else {
                    return false;
                };
                let wire = self.spec.wire(&name.value()).to_owned();
                if let Some(style) = self.spec.styles.get(&name.value()) {
                    // The calls are visited in order.
                    self.queries.push((wire, value.clone(), *style));
                    return true;
                }
                *name = syn::LitStr::new(&wire, name.span());
            }
            "append" => {
                if let Some(Expr::Lit(literal)) = call.args.first_mut()
                    && let Lit::Str(name) = &mut literal.lit
                {
                    *name = syn::LitStr::new(self.spec.wire(&name.value()), name.span());
                }
            }
            // reqwest's client has no functions for these methods.
            method @ ("options" | "trace") if call.args.len() == 1 => {
                let name = format_ident!("{}", method.to_uppercase());
                call.method = format_ident!("request");
                call.args.insert(0, parse_quote!(::reqwest::Method::#name));
            }
            _ => {}
        }
        false
    }

    /// Corrects the media types and the body.
    fn body(&self, call: &mut ExprMethodCall) {
        match call.method.to_string().as_str() {
            "header" => {
                let media_type = match header_constant(call) {
                    Some(name) if name == "ACCEPT" => &self.spec.accept,
                    Some(name) if name == "CONTENT_TYPE" => &self.spec.content_type,
                    _ => return,
                };
                if let (Some(media_type), Some(value)) = (media_type, call.args.last_mut()) {
                    *value = header_value(media_type);
                }
            }
            // reqwest keeps a media type that is already set.
            "json" => {
                if let Some(media_type) = &self.spec.content_type {
                    let (receiver, value) = (&call.receiver, header_value(media_type));
                    *call.receiver =
                        parse_quote!(#receiver.header(::reqwest::header::CONTENT_TYPE, #value));
                }
            }
            "form_urlencoded" => {
                let media_type = self.spec.content_type.as_deref();
                if self.spec.form.is_some() || media_type.is_some() {
                    let receiver = &call.receiver;
                    let value =
                        header_value(media_type.unwrap_or("application/x-www-form-urlencoded"));
                    let fields = self.spec.form.iter().flatten().map(|(name, style)| {
                        let style = format_ident!("{}", style.variant());
                        quote!((#name, crate::encode::Style::#style))
                    });
                    let body = call.args.first();
                    *call = parse_quote! {
                        #receiver
                            .header(::reqwest::header::CONTENT_TYPE, #value)
                            .body(crate::encode::form(#body, &[#(#fields),*]).map_err(Error::InvalidRequest)?)
                    };
                }
            }
            _ => {}
        }
    }
}

/// Returns the last segment of `name` in `request.header(::reqwest::header::name, value)`.
pub(super) fn header_constant(call: &ExprMethodCall) -> Option<&syn::Ident> {
    let Some(Expr::Path(name)) = call.args.first().filter(|_| call.method == "header") else {
        return None;
    };
    name.path.segments.last().map(|last| &last.ident)
}

fn header_value(text: &str) -> Expr {
    parse_quote!(::reqwest::header::HeaderValue::from_static(#text))
}

/// Returns the name and the value in `&progenitor_client::QueryParam::new("name", &value)`.
fn query_parameter(argument: &mut Expr) -> Option<(&mut syn::LitStr, &Expr)> {
    let Expr::Reference(reference) = argument else {
        return None;
    };
    let Expr::Call(call) = reference.expr.as_mut() else {
        return None;
    };
    let mut arguments = call.args.iter_mut();
    match (arguments.next(), arguments.next()) {
        (
            Some(Expr::Lit(syn::ExprLit {
                lit: Lit::Str(name),
                ..
            })),
            Some(value),
        ) => Some((name, value)),
        _ => None,
    }
}

/// Returns the variable in `encode_path(&variable.to_string())`.
fn encoded_value(argument: &Expr) -> Option<syn::Ident> {
    let Expr::Call(call) = argument else {
        return None;
    };
    let Some(Expr::Reference(reference)) = call.args.first() else {
        return None;
    };
    match reference.expr.as_ref() {
        Expr::MethodCall(call) if call.method == "to_string" => match call.receiver.as_ref() {
            Expr::Path(path) => path.path.get_ident().cloned(),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the value in `value.to_string().try_into()?`.
fn displayed(value: &Expr) -> Option<Expr> {
    let Expr::Try(tried) = value else { return None };
    let Expr::MethodCall(converted) = tried.expr.as_ref() else {
        return None;
    };
    match converted.receiver.as_ref() {
        Expr::MethodCall(call) if call.method == "to_string" => Some((*call.receiver).clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
