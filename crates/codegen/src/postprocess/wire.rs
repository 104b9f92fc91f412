//! The wire: names, styles, media types and methods that progenitor can't be told, put where its `send` says its own.
//!
//! The rules leave what an operation needs in the [model](crate::model); here it is done.

use std::collections::BTreeMap;

use quote::{format_ident, quote};
use serde_json::Value;
use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, ExprMethodCall, Lit, Pat, Stmt, Token, parse_quote};

use super::builder;
use super::client::operation_id;
use super::multipart::{self, Parts};
use crate::model::{Model, Style};
use crate::names;
use crate::walk;

/// The request of an operation, as far as progenitor cannot express it.
#[derive(Debug, Default)]
pub(super) struct RequestSpec {
    /// The path as it goes out, with `{}` for each parameter.
    template: String,
    /// The names on the wire, by those in the document.
    names: BTreeMap<String, String>,
    /// The styles, by the names in the document.
    pub(super) styles: BTreeMap<String, Style>,
    /// The media type of the request's body.
    content_type: Option<String>,
    /// The media type of the response's body.
    pub(super) accept: Option<String>,
    /// The styles of a form's fields, where it isn't flat.
    pub(super) form: Option<Vec<(String, Style)>>,
    /// The parts of a form that is sent as such.
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

    /// Returns the name of a parameter on the wire.
    pub(super) fn wire<'a>(&'a self, name: &'a str) -> &'a str {
        self.names.get(name).map_or(name, String::as_str)
    }
}

/// A path with `{}` for each of its parameters, and with everything encoded that can't stand in a URL as it is, so that
/// what goes out is what the document says and no URL parser changes it.
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

/// A path template as the URL has it: what is no character of a URL is percent-encoded, and a fragment, which isn't sent,
/// is left out.
pub(super) fn encoded(path: &str) -> String {
    let path = path.split('#').next().unwrap_or_default();
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%{}".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Puts right what goes out, operation by operation. The answer has the methods whose body can't be written as its parts.
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

/// Returns false if the body has parts that could not be written.
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

/// The variable that holds the URL, if this is where it is made.
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
    /// The parameters of the query whose style is not progenitor's: name, value, style.
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
            // What stands in place of `form_urlencoded(…)?` doesn't fail.
            Expr::Try(tried) if matches!(tried.expr.as_ref(), Expr::MethodCall(call) if call.method == "body") =>
            {
                *expression = (*tried.expr).clone();
            }
            _ => {}
        }
    }
}

impl Edit<'_> {
    /// The URL: its path is the document's to the letter, and values in it have their style.
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

    /// Returns what adds a header that has a style, in place of `header_map.append("name", value.to_string().try_into()?)`.
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

    /// A parameter of the query or a header, or the method itself; whether the call is to go.
    fn parameter(&mut self, call: &mut ExprMethodCall) -> bool {
        match call.method.to_string().as_str() {
            "query" => {
                let Some((name, value)) = call.args.first_mut().and_then(query_parameter) else {
                    return false;
                };
                let wire = self.spec.wire(&name.value()).to_owned();
                if let Some(style) = self.spec.styles.get(&name.value()) {
                    // The calls are visited from the first on.
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
            // reqwest's client has no method for these two.
            method @ ("options" | "trace") if call.args.len() == 1 => {
                let name = format_ident!("{}", method.to_uppercase());
                call.method = format_ident!("request");
                call.args.insert(0, parse_quote!(::reqwest::Method::#name));
            }
            _ => {}
        }
        false
    }

    /// The media types and the body.
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
            // reqwest leaves a type that is set already.
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

/// The name and the value of `&progenitor_client::QueryParam::new("name", &value)`.
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

/// The variable in `encode_path(&variable.to_string())`.
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

/// The value in `value.to_string().try_into()?`.
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
mod tests {
    use super::*;
    use crate::model::{BodyEncoding, Operation, Parameter, ParameterKey, Part, RequestBody};
    use crate::pointer::Pointer;
    use serde_json::json;

    /// The body of a `send` as progenitor writes it, corrected for an operation with these facts.
    fn corrected(path: &str, facts: Operation, body: syn::Block) -> String {
        let types = parse_quote! {};
        corrected_with(&types, path, facts, body)
    }

    fn corrected_with(types: &syn::File, path: &str, facts: Operation, body: syn::Block) -> String {
        let document = json!({"paths": {path: {"get": {
            "operationId": "a",
            "requestBody": {"content": {"application/json": {
                "schema": {"$ref": "#/components/schemas/upload_body"},
            }}},
        }}}});
        let mut model = Model::default();
        *model.operation_mut(&Pointer::root().join("paths").join(path).join("get")) = facts;
        let mut file: syn::File = parse_quote! {
            pub mod builder {
                impl<'a> A<'a> {
                    pub async fn send(self) {
                        #body
                        let info = OperationInfo { operation_id: "a" };
                    }
                }
            }
        };
        let mut bodies = multipart::bodies(&document, &model);
        multipart::note(types, &mut bodies);
        correct(&mut file, &bodies, &document, &model);
        prettyplease::unparse(&file)
    }

    /// The facts of an operation with these parameters: location, name, name on the wire, style.
    fn with_parameters<const N: usize>(
        parameters: [(&str, &str, Option<&str>, Option<Style>); N],
    ) -> Operation {
        let parameters = parameters.map(|(location, name, wire_name, style)| {
            let wire_name = wire_name.map(str::to_owned);
            (
                ParameterKey::new(location, name),
                Parameter { wire_name, style },
            )
        });
        Operation {
            parameters: parameters.into(),
            ..Operation::default()
        }
    }

    fn with_encoding(encoding: BodyEncoding) -> Operation {
        Operation {
            body: RequestBody {
                encoding,
                ..RequestBody::default()
            },
            ..Operation::default()
        }
    }

    fn part(name: &str, is_file: bool, media_type: Option<&str>) -> Part {
        Part {
            name: name.to_owned(),
            is_file,
            media_type: media_type.map(str::to_owned),
        }
    }

    #[test]
    fn names_on_the_wire_are_the_document_s() {
        insta::assert_snapshot!(corrected(
            "/a",
            with_parameters([
                ("query", "date_lt", Some("Date<"), None),
                ("header", "id_header", Some("id"), None),
            ]),
            parse_quote!({
                let url = format!("{}/a", client.baseurl,);
                header_map.append("id_header", id_header.to_string().try_into()?);
                let mut request = client
                    .client
                    .get(url)
                    .query(&progenitor_client::QueryParam::new("date", &date))
                    .query(&progenitor_client::QueryParam::new("date_lt", &date_lt))
                    .headers(header_map)
                    .build()?;
            })
        ));
    }

    #[test]
    fn values_are_written_in_their_style() {
        insta::assert_snapshot!(corrected(
            "/a/{when}/{plain}",
            with_parameters([
                ("path", "when", None, Some(Style::LabelExploded)),
                ("query", "list", Some("list[]"), Some(Style::Comma)),
                ("header", "X-List", None, Some(Style::Simple)),
            ]),
            parse_quote!({
                let _url = format!(
                    "{}/a/{}/{}",
                    client.baseurl,
                    encode_path(&when.to_string()),
                    encode_path(&plain.to_string()),
                );
                if let Some(value) = x_list {
                    header_map.append("X-List", value.to_string().try_into()?);
                }
                let mut request = client
                    .client
                    .get(_url)
                    .query(&progenitor_client::QueryParam::new("list", &list))
                    .build()?;
            })
        ));
    }

    #[test]
    fn a_path_is_the_document_s_to_the_letter() {
        insta::assert_snapshot!(corrected(
            "/a//b c/é/{d}?x=1#e",
            Operation::default(),
            parse_quote!({
                let url = format!(
                    "{}/a/b c/é/{}?x=1#e",
                    client.baseurl,
                    encode_path(&d.to_string()),
                );
            })
        ));
    }

    #[test]
    fn methods_that_reqwest_lacks_are_named() {
        insta::assert_snapshot!(corrected(
            "/a",
            Operation::default(),
            parse_quote!({
                let mut request = client.client.options(url).build()?;
                let mut request = client.client.trace(url).build()?;
                let mut request = client.client.head(url).build()?;
            })
        ));
    }

    #[test]
    fn media_types_are_the_document_s() {
        insta::assert_snapshot!(corrected(
            "/a",
            Operation {
                accept: Some("application/hal+json".to_owned()),
                body: RequestBody {
                    content_type: Some("application/merge-patch+json".to_owned()),
                    ..RequestBody::default()
                },
                ..Operation::default()
            },
            parse_quote!({
                let mut request = client
                    .client
                    .patch(url)
                    .header(
                        ::reqwest::header::ACCEPT,
                        ::reqwest::header::HeaderValue::from_static("application/json"),
                    )
                    .json(&body)
                    .build()?;
                let mut request = client
                    .client
                    .put(url)
                    .header(
                        ::reqwest::header::CONTENT_TYPE,
                        ::reqwest::header::HeaderValue::from_static("application/octet-stream"),
                    )
                    .body(body)
                    .build()?;
            })
        ));
    }

    #[test]
    fn a_form_that_is_not_flat_is_written_by_the_client() {
        insta::assert_snapshot!(corrected(
            "/a",
            with_encoding(BodyEncoding::Form(vec![
                ("deep".to_owned(), Style::Deep),
                ("csv".to_owned(), Style::Comma),
            ])),
            parse_quote!({
                let mut request = client.client.post(url).form_urlencoded(&body)?.build()?;
            })
        ));
    }

    #[test]
    fn the_parts_of_a_form_are_written_one_by_one() {
        let types = parse_quote! {
            pub struct UploadBody {
                pub file: FilePart,
                #[serde(rename = "files[]")]
                pub files: ::std::vec::Vec<FilePart>,
                pub image: ::std::option::Option<FilePart>,
                pub scans: ::std::option::Option<::std::vec::Vec<FilePart>>,
                pub text: ::std::string::String,
                pub csv: ::std::option::Option<::std::string::String>,
            }
        };
        insta::assert_snapshot!(corrected_with(
            &types,
            "/a",
            with_encoding(BodyEncoding::Multipart(vec![
                part("file", true, None),
                part("files[]", true, None),
                part("image", true, Some("image/png")),
                part("scans", true, None),
                part("text", false, None),
                part("csv", false, Some("text/csv")),
            ])),
            parse_quote!({
                let mut request = client.client.post(url).header(A, B).json(&body).build()?;
            })
        ));
    }
}
