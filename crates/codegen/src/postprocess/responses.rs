//! Responses of operations: the body and the type of each status.
//!
//! The model has the responses of operations whose bodies differ by status. Other operations have one
//! success type and one error type, which are read from progenitor's `send`.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use serde_json::Value;
use syn::visit::Visit;
use syn::{Expr, ExprLit, Ident, ImplItemFn, Item, Lit, Pat, ReturnType, Type, parse_quote};

use super::builder;
use super::client::operation_id;
use super::record::is_lenient;
use super::rust_type::body_type;
use super::syntax::{arguments, first_argument, option, text};
use crate::model::{self, Model, Response, ResponseBody};
use crate::{names, walk};

/// Returns the decoding of the responses of each operation, by method name.
pub(super) fn responses(
    file: &mut syn::File,
    document: &Value,
    model: &Model,
) -> BTreeMap<String, Responses> {
    let mut enums: Vec<Item> = Vec::new();
    let mut responses = BTreeMap::new();
    for (method, by_status) in by_status(document, model) {
        let name = names::type_name(&method);
        let success = Side::by_status(
            &by_status.successes,
            format_ident!("{name}Response"),
            false,
            &mut enums,
        );
        let error = Side::by_status(
            &by_status.errors,
            format_ident!("{name}Error"),
            true,
            &mut enums,
        );
        responses.insert(method, Responses { success, error });
    }
    for send in builder::sends(file) {
        if let Some(method) = operation_id(send)
            && !responses.contains_key(&method)
            && let Some(uniform) = uniform(send)
        {
            responses.insert(method, uniform);
        }
    }
    // A facade re-exports it, whether or not the document has such operations.
    let doc = match enums.is_empty() {
        true => {
            "The responses of operations whose bodies differ by status. The document has no such operation."
        }
        false => "The responses of operations whose bodies differ by status.",
    };
    file.items.push(parse_quote! {
        #[doc = #doc]
        pub mod response {
            use super::types;

            #(#enums)*
        }
    });
    responses
}

/// Returns the responses of the operations whose bodies differ by status, by method name.
pub(super) fn by_status<'a>(
    document: &'a Value,
    model: &'a Model,
) -> impl Iterator<Item = (String, &'a model::Responses)> {
    walk::operations(document)
        .into_iter()
        .filter_map(|operation| {
            let responses = model.operation(&operation.pointer)?.responses.as_ref()?;
            Some((names::method_name(operation.id()?), responses))
        })
}

/// The decoding of the responses of an operation.
pub(super) struct Responses {
    pub(super) success: Side,
    pub(super) error: Side,
}

/// The successes or the errors of an operation: their type, and the body of each status.
pub(super) struct Side {
    pub(super) ty: Type,
    arms: Vec<Arm>,
}

struct Arm {
    /// The pattern that matches the statuses.
    pattern: Pat,
    body: Body,
    /// The path of the enum variant with the body, if there are several.
    variant: Option<TokenStream>,
}

/// The body of a response.
enum Body {
    Nothing,
    /// True if the type is a number or a time, or a list or map of them, which do not read every notation by themselves.
    Json(bool),
    Bytes,
    /// The connection of a WebSocket.
    Upgrade,
}

impl Arm {
    fn is_bytes(&self) -> bool {
        matches!(self.body, Body::Bytes)
    }
}

impl Responses {
    /// Returns true if a success is a stream of bytes.
    pub(super) fn is_streamed(&self) -> bool {
        self.success.arms.iter().any(Arm::is_bytes)
    }

    /// Returns the function that distinguishes streams from other successes, for an operation that has both.
    pub(super) fn is_streamed_by_status(&self) -> TokenStream {
        if !self.is_streamed() || self.success.arms.iter().all(Arm::is_bytes) {
            return TokenStream::new();
        }
        let streams = self.success.arms.iter().filter(|arm| arm.is_bytes());
        let patterns = streams.map(|arm| &arm.pattern);
        quote! {
            fn is_streamed(status: u16) -> bool {
                matches!(status, #(#patterns)|*)
            }
        }
    }
}

impl Side {
    /// Returns true if the statuses have several types.
    pub(super) fn is_union(&self) -> bool {
        option(&self.ty).is_none() && self.arms.iter().any(|arm| arm.variant.is_some())
    }

    /// Returns the expression that decodes a success.
    pub(super) fn decode(&self) -> TokenStream {
        let arms = self.arms.iter().map(|arm| {
            let Arm {
                pattern,
                body,
                variant,
            } = arm;
            let decoded = match (body, variant) {
                (Body::Nothing, None) => quote!(Ok(())),
                (Body::Nothing, Some(variant)) => quote!(Ok(#variant)),
                (Body::Json(false), None) => quote!(response.json()),
                (Body::Json(false), Some(variant)) => quote!(response.json().map(#variant)),
                (Body::Json(true), None) => quote!(response.json_in_any_notation()),
                (Body::Json(true), Some(variant)) => {
                    quote!(response.json_in_any_notation().map(#variant))
                }
                (Body::Bytes, None) => quote!(response.stream()),
                (Body::Bytes, Some(variant)) => quote!(response.stream().map(#variant)),
                (Body::Upgrade, _) => quote!(response.upgrade()),
            };
            quote!(#pattern => #decoded,)
        });
        quote! {
            match response.status() {
                #(#arms)*
                _ => response.unexpected(),
            }
        }
    }

    /// Returns the expression that decodes the body of an error.
    pub(super) fn decode_error(&self) -> TokenStream {
        let arms = self.arms.iter().map(|arm| {
            let Arm {
                pattern,
                body,
                variant,
            } = arm;
            let decoded = match (body, variant) {
                (Body::Json(_), None) => quote!(crate::request::error_body(body)),
                (Body::Json(_), Some(variant)) => {
                    quote!(crate::request::error_body(body).map(#variant))
                }
                (Body::Bytes, None) => quote!(Some(body.clone())),
                (Body::Bytes, Some(variant)) => quote!(Some(#variant(body.clone()))),
                (Body::Nothing | Body::Upgrade, None) => quote!(Some(())),
                (Body::Nothing | Body::Upgrade, Some(variant)) => quote!(Some(#variant)),
            };
            quote!(#pattern => #decoded,)
        });
        if self.arms.is_empty() {
            return quote!(::std::option::Option::None);
        }
        let is_any = |arm: &Arm| matches!(arm.pattern, Pat::Wild(_));
        let rest = (!self.arms.iter().any(is_any)).then(|| quote!(_ => None,));
        quote! {
            match status {
                #(#arms)*
                #rest
            }
        }
    }

    /// Returns sentences about the documented statuses and their body, or `None` if no status is documented.
    pub(super) fn documentation(&self) -> Option<String> {
        let statuses: Vec<String> = self.arms.iter().map(|arm| status(&arm.pattern)).collect();
        let has_body = |arm: &Arm| matches!(arm.body, Body::Json(_) | Body::Bytes);
        let body = match plain_path(&self.ty) {
            _ if !self.arms.iter().any(has_body) => "no body".to_owned(),
            Some(path) => format!("the body [`{path}`]"),
            None => format!("the body `{}`", text(&self.ty)),
        };
        match statuses.as_slice() {
            [] => None,
            [only] => Some(format!("The documented status {only} has {body}.")),
            several => Some(format!(
                "The documented statuses {} have {body}.",
                several.join(", ")
            )),
        }
    }

    /// Creates the side of an operation whose bodies differ by status, and adds an enum to `enums` if several types are
    /// needed.
    fn by_status(
        responses: &[Response],
        name: Ident,
        is_error: bool,
        enums: &mut Vec<Item>,
    ) -> Self {
        let json: Vec<&model::Type> = responses
            .iter()
            .filter_map(|response| match &response.body {
                ResponseBody::Json(ty) => Some(ty),
                _ => None,
            })
            .collect();
        let is_same = json.windows(2).all(|pair| pair[0] == pair[1]);
        let has = |wanted: fn(&ResponseBody) -> bool| {
            responses.iter().any(|response| wanted(&response.body))
        };
        let has_bytes = has(|body| matches!(body, ResponseBody::Bytes(_)));
        let has_nothing = has(|body| matches!(body, ResponseBody::Empty));
        let mut variants: Vec<Option<TokenStream>> = vec![None; responses.len()];
        let ty: Type = match (json.first(), has_nothing, has_bytes) {
            (None, _, false) => parse_quote!(()),
            (None, false, true) => bytes(is_error),
            (Some(ty), false, false) if is_same => body_type(ty),
            (Some(ty), true, false) if is_same && !is_error => {
                for (variant, response) in variants.iter_mut().zip(responses) {
                    *variant = Some(match &response.body {
                        ResponseBody::Json(_) => quote!(::std::option::Option::Some),
                        _ => quote!(::std::option::Option::None),
                    });
                }
                let ty = body_type(ty);
                parse_quote!(::std::option::Option<#ty>)
            }
            _ => {
                let names: Vec<Ident> = responses
                    .iter()
                    .map(|response| format_ident!("{}", variant(&response.status)))
                    .collect();
                enums.extend(response_enum(&name, responses, &names, is_error));
                for (variant, ident) in variants.iter_mut().zip(&names) {
                    *variant = Some(quote!(super::response::#name::#ident));
                }
                parse_quote!(super::response::#name)
            }
        };
        let arms = responses.iter().zip(variants);
        let arms = arms.map(|(response, variant)| Arm {
            pattern: pattern(&response.status),
            body: match &response.body {
                ResponseBody::Empty => Body::Nothing,
                ResponseBody::Json(ty) => Body::Json(is_lenient(&body_type(ty))),
                ResponseBody::Bytes(_) => Body::Bytes,
            },
            variant,
        });
        Self {
            ty,
            arms: arms.collect(),
        }
    }
}

/// Returns the type of a body that is not JSON. That of an error has already been read.
fn bytes(is_error: bool) -> Type {
    if is_error {
        parse_quote!(::bytes::Bytes)
    } else {
        parse_quote!(crate::ByteStream)
    }
}

/// Returns the responses of an operation with one success type and one error type, from progenitor's `send`.
fn uniform(send: &ImplItemFn) -> Option<Responses> {
    let ReturnType::Type(_, result) = &send.sig.output else {
        return None;
    };
    let mut types = arguments(result).map(|side| first_argument(side).cloned());
    let (success, error) = (types.next()??, types.next()??);
    let Some(syn::Stmt::Expr(Expr::Match(matched), None)) = send.block.stmts.last() else {
        return None;
    };
    let mut responses = Responses {
        success: Side {
            ty: success.clone(),
            arms: Vec::new(),
        },
        error: Side {
            ty: error.clone(),
            arms: Vec::new(),
        },
    };
    for arm in &matched.arms {
        let mut decoding = Decoding::default();
        decoding.visit_expr(&arm.body);
        let side = if decoding.is_error {
            &mut responses.error
        } else {
            &mut responses.success
        };
        let body = match decoding.function.as_deref() {
            Some("from_response") => Body::Json(is_lenient(&side.ty)),
            Some("empty") => Body::Nothing,
            Some("stream") => Body::Bytes,
            Some("upgrade") => Body::Upgrade,
            // The document does not have this status.
            _ => continue,
        };
        match body {
            Body::Bytes => side.ty = bytes(decoding.is_error),
            Body::Upgrade => side.ty = parse_quote!(crate::Upgrade),
            Body::Json(_) | Body::Nothing => {}
        }
        side.arms.push(Arm {
            pattern: arm.pat.clone(),
            body,
            variant: None,
        });
    }
    Some(responses)
}

/// The function of progenitor's `ResponseValue` that decodes a response.
#[derive(Default)]
struct Decoding {
    function: Option<String>,
    is_error: bool,
}

impl<'ast> Visit<'ast> for Decoding {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut segments = path.segments.iter();
        if let (Some(first), Some(second)) = (segments.next(), segments.next()) {
            if first.ident == "ResponseValue" {
                self.function = Some(second.ident.to_string());
            }
            self.is_error |= second.ident == "ErrorResponse";
        }
    }
}

/// Returns the enum of the bodies of one side, with a variant per status.
fn response_enum(
    name: &Ident,
    responses: &[Response],
    variants: &[Ident],
    is_error: bool,
) -> Vec<Item> {
    let side = if is_error {
        "An error response"
    } else {
        "A success"
    };
    let text = format!("{side} of the operation, by status.");
    let docs = responses
        .iter()
        .map(|response| format!("The body of {}.", display_name(&response.status)));
    let bytes = bytes(is_error);
    let fields = responses.iter().map(|response| match &response.body {
        ResponseBody::Empty => quote!(),
        ResponseBody::Json(ty) => {
            let ty = body_type(ty);
            quote!((#ty))
        }
        ResponseBody::Bytes(_) => quote!((#bytes)),
    });
    let file: syn::File = parse_quote! {
        #[doc = #text]
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum #name {
            #( #[doc = #docs] #variants #fields, )*
        }
    };
    file.items
}

/// Returns the statuses that a pattern matches, for the documentation: `404`, `5XX`.
fn status(pattern: &Pat) -> String {
    let code = |expression: &Expr| match expression {
        Expr::Lit(ExprLit {
            lit: Lit::Int(code),
            ..
        }) => code.base10_parse::<u16>().ok(),
        _ => None,
    };
    match pattern {
        Pat::Lit(literal) => match &literal.lit {
            Lit::Int(code) => code.base10_digits().to_owned(),
            _ => text(pattern),
        },
        Pat::Range(range) => match range.start.as_deref().and_then(code) {
            Some(first) => format!("{}XX", first / 100),
            None => text(pattern),
        },
        _ => "`default`".to_owned(),
    }
}

/// Returns the path of a type of the generated code, as it is written next to `mod builder`.
fn plain_path(ty: &Type) -> Option<String> {
    let path = text(ty);
    let path = path.strip_prefix("super::").unwrap_or(&path);
    let is_generated = path.starts_with("types::") || path.starts_with("response::");
    (is_generated && !path.contains('<')).then(|| path.to_owned())
}

fn pattern(status: &str) -> Pat {
    match (
        status.parse::<u16>(),
        status.chars().next().and_then(|class| class.to_digit(10)),
    ) {
        (Ok(code), _) => parse_quote!(#code),
        (Err(_), Some(class)) => {
            let (first, last) = (class as u16 * 100, class as u16 * 100 + 99);
            parse_quote!(#first..=#last)
        }
        (Err(_), None) => parse_quote!(_),
    }
}

pub(super) fn display_name(status: &str) -> String {
    match reason(status) {
        Some(text) => format!("{status} ({text})"),
        None if !status.ends_with('X') => status.to_owned(),
        None => format!("any other {status}"),
    }
}

/// Returns the reason phrase of a status (RFC 9110, section 15; RFC 6585; RFC 4918).
fn reason(status: &str) -> Option<&'static str> {
    Some(match status {
        "101" => "Switching Protocols",
        "200" => "OK",
        "201" => "Created",
        "202" => "Accepted",
        "203" => "Non-Authoritative Information",
        "204" => "No Content",
        "205" => "Reset Content",
        "206" => "Partial Content",
        "207" => "Multi-Status",
        "400" => "Bad Request",
        "401" => "Unauthorized",
        "402" => "Payment Required",
        "403" => "Forbidden",
        "404" => "Not Found",
        "405" => "Method Not Allowed",
        "406" => "Not Acceptable",
        "408" => "Request Timeout",
        "409" => "Conflict",
        "410" => "Gone",
        "411" => "Length Required",
        "412" => "Precondition Failed",
        "413" => "Content Too Large",
        "414" => "URI Too Long",
        "415" => "Unsupported Media Type",
        "416" => "Range Not Satisfiable",
        "417" => "Expectation Failed",
        "422" => "Unprocessable Content",
        "423" => "Locked",
        "424" => "Failed Dependency",
        "425" => "Too Early",
        "426" => "Upgrade Required",
        "428" => "Precondition Required",
        "429" => "Too Many Requests",
        "500" => "Internal Server Error",
        "501" => "Not Implemented",
        "502" => "Bad Gateway",
        "503" => "Service Unavailable",
        "504" => "Gateway Timeout",
        _ => return None,
    })
}

/// Returns the variant name of a status: its reason phrase or its number.
pub(super) fn variant(status: &str) -> String {
    match (reason(status), status) {
        (Some("OK"), _) => "Ok".to_owned(),
        (Some(text), _) => text.split([' ', '-']).collect(),
        (None, "2XX") => "OtherSuccess".to_owned(),
        (None, "4XX") => "OtherClientError".to_owned(),
        (None, "5XX") => "OtherServerError".to_owned(),
        (None, status) => format!("Status{status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pointer::Pointer;
    use serde_json::json;

    #[test]
    fn bodies_that_differ_are_decoded_by_status() {
        let document = json!({"paths": {"/pets": {"get": {"operationId": "getPet"}}}});
        let response = |status: &str, body| Response {
            status: status.to_owned(),
            body,
        };
        let texts = model::Type::List(Box::new(model::Type::Text));
        let mut model = Model::default();
        let get = Pointer::root().join("paths").join("/pets").join("get");
        model.operation_mut(&get).responses = Some(model::Responses {
            successes: vec![
                response(
                    "200",
                    ResponseBody::Json(model::Type::Schema("Pet".to_owned())),
                ),
                response("204", ResponseBody::Empty),
            ],
            errors: vec![
                response("404", ResponseBody::Empty),
                response("422", ResponseBody::Json(texts)),
                response("5XX", ResponseBody::Bytes("text/plain".to_owned())),
            ],
        });
        let mut file: syn::File = parse_quote! {
            impl Client {
                pub fn get_pet(&self) -> builder::GetPet {}
            }
        };
        let responses = responses(&mut file, &document, &model);
        let responses = &responses["get_pet"];
        let (decode, decode_error) = (responses.success.decode(), responses.error.decode_error());
        assert_eq!(
            responses.error.documentation().as_deref(),
            Some("The documented statuses 404, 422, 5XX have the body [`response::GetPetError`].")
        );
        file.items.push(parse_quote! {
            fn decode(response: Received) { #decode }
        });
        file.items.push(parse_quote! {
            fn decode_error(status: u16, body: &Bytes) { #decode_error }
        });
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }
}
