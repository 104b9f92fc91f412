//! The responses of each operation: which body comes with which status, and its type.
//!
//! An operation whose bodies differ by status has a table, left in the document by the rule `responses-by-status`, since
//! progenitor has no type for it. The types of the schemas in the table come from typify by probes: operations that return
//! nothing but the schema in question, added before generation and removed after it. Every other operation has one body
//! for its successes and one for its errors, which are read from progenitor's `send`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use serde_json::{Value, json};
use syn::visit::Visit;
use syn::{
    Expr, GenericArgument, Ident, ImplItem, ImplItemFn, Item, PathArguments, ReturnType, Type,
    parse_quote,
};

use super::client::operation_id;
use super::order::implemented;
use crate::{names, walk};

/// Below this path are the probes.
const PROBES: &str = "/x-codegen/";

/// The document with an operation for each body whose type is to be known.
pub(crate) fn with_probes(document: &Value) -> Cow<'_, Value> {
    let bodies = bodies(document);
    if bodies.is_empty() {
        return Cow::Borrowed(document);
    }
    let mut probing = document.clone();
    for (operation, index, schema) in bodies {
        let path = format!("{PROBES}{operation}/{index}");
        probing["paths"][path]["get"] = json!({
            "operationId": probe(&operation, index),
            "responses": {"200": {"description": "", "content": {"application/json": {"schema": schema}}}},
        });
    }
    Cow::Owned(probing)
}

/// The operation that a probe is for, by the probe's path.
pub(crate) fn probed(path: &str) -> Option<&str> {
    path.strip_prefix(PROBES)
        .and_then(|rest| rest.split('/').next())
}

/// The id of a probe, which is its method's name: an operation's may begin or end with an underscore, and what is put
/// together with it has one of two.
fn probe(operation: &str, index: usize) -> String {
    names::method_name(&format!("x_codegen_{operation}_{index}"))
}

/// The entries of an operation's table with their method's name, each side in order.
pub(super) fn tables(document: &Value) -> impl Iterator<Item = (String, [&Vec<Value>; 2])> {
    walk::operations(document)
        .into_iter()
        .filter_map(|operation| {
            let table = operation.object.get("x-codegen")?.get("responses")?;
            let method = names::method_name(operation.id()?);
            Some((
                method,
                [
                    table.get("success")?.as_array()?,
                    table.get("error")?.as_array()?,
                ],
            ))
        })
}

fn bodies(document: &Value) -> Vec<(String, usize, Value)> {
    let mut bodies = Vec::new();
    for (method, sides) in tables(document) {
        for (index, entry) in sides.into_iter().flatten().enumerate() {
            if let Some(schema) = entry.get("schema") {
                bodies.push((method.clone(), index, schema.clone()));
            }
        }
    }
    bodies
}

/// The types of the bodies in the tables: by method, and by place in its table, the successes before the errors.
pub(super) type Bodies = BTreeMap<(String, usize), Type>;

/// Takes the probes out. Returns how the responses of each operation are decoded, by its method, and the types of the
/// bodies in the tables.
pub(super) fn take(
    file: &mut syn::File,
    document: &Value,
) -> (BTreeMap<String, Responses>, Bodies) {
    let types = take_probes(file, document);
    let mut enums: Vec<Item> = Vec::new();
    let mut responses = BTreeMap::new();
    for (method, sides) in tables(document) {
        let mut index = 0;
        let [success, error] = sides.map(|side| {
            let entries = side.iter().map(|entry| {
                let status = entry
                    .get("status")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned();
                let body = match (types.get(&(method.clone(), index)), entry.get("bytes")) {
                    (Some(ty), _) => Body::Json(Box::new(ty.clone())),
                    (None, Some(_)) => Body::Bytes,
                    (None, None) => Body::Nothing,
                };
                index += 1;
                (status, body)
            });
            entries.collect::<Vec<_>>()
        });
        let name = names::type_name(&method);
        let success = Side::by_status(success, format_ident!("{name}Response"), false, &mut enums);
        let error = Side::by_status(error, format_ident!("{name}Error"), true, &mut enums);
        responses.insert(method, Responses { success, error });
    }
    for send in sends(file) {
        if let Some(method) = operation_id(send)
            && !responses.contains_key(&method)
            && let Some(uniform) = uniform(send)
        {
            responses.insert(method, uniform);
        }
    }
    if !enums.is_empty() {
        file.items.push(parse_quote! {
            /// The responses of operations whose bodies differ by status.
            pub mod response {
                use super::types;

                #(#enums)*
            }
        });
    }
    (responses, types)
}

/// Removes what progenitor made of the probes; the answer is the type that each of them found.
fn take_probes(file: &mut syn::File, document: &Value) -> Bodies {
    let probes: BTreeMap<String, (String, usize)> = bodies(document)
        .into_iter()
        .map(|(operation, index, _)| (probe(&operation, index), (operation, index)))
        .collect();
    let structs: BTreeMap<String, &(String, usize)> = probes
        .iter()
        .map(|(name, key)| (names::type_name(name), key))
        .collect();
    let mut types = BTreeMap::new();
    for item in &mut file.items {
        match item {
            Item::Impl(item)
                if item.trait_.is_none() && implemented(item).as_deref() == Some("Client") =>
            {
                item.items.retain(|item| {
                    !matches!(item, ImplItem::Fn(function) if probes.contains_key(&function.sig.ident.to_string()))
                });
            }
            Item::Mod(module) if module.ident == "builder" => {
                let Some((_, items)) = &mut module.content else {
                    continue;
                };
                items.retain(|item| match item {
                    Item::Struct(item) => !structs.contains_key(&item.ident.to_string()),
                    Item::Impl(item) => {
                        let Some(key) = implemented(item).and_then(|name| structs.get(&name))
                        else {
                            return true;
                        };
                        for item in &item.items {
                            if let ImplItem::Fn(function) = item
                                && function.sig.ident == "send"
                                && let Some(ty) = success_type(&function.sig.output)
                            {
                                types.insert((*key).clone(), ty);
                            }
                        }
                        false
                    }
                    _ => true,
                });
            }
            _ => {}
        }
    }
    types
}

/// The `T` of `Result<ResponseValue<T>, …>`.
fn success_type(output: &ReturnType) -> Option<Type> {
    let ReturnType::Type(_, result) = output else {
        return None;
    };
    first_argument(first_argument(result)?).cloned()
}

/// The type in a type, such as the `T` of `Option<T>`.
pub(super) fn first_argument(ty: &Type) -> Option<&Type> {
    arguments(ty).next()
}

/// The types that a type is given, such as the `T` and the `E` of `Result<T, E>`.
pub(super) fn arguments(ty: &Type) -> impl Iterator<Item = &Type> {
    let arguments = match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| &segment.arguments),
        _ => None,
    };
    let arguments = match arguments {
        Some(PathArguments::AngleBracketed(arguments)) => Some(&arguments.args),
        _ => None,
    };
    arguments
        .into_iter()
        .flatten()
        .filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
}

fn sends(file: &mut syn::File) -> impl Iterator<Item = &mut ImplItemFn> {
    let modules = file.items.iter_mut().filter_map(|item| match item {
        Item::Mod(module) if module.ident == "builder" => module.content.as_mut(),
        _ => None,
    });
    let functions = modules
        .flat_map(|(_, items)| items)
        .filter_map(|item| match item {
            Item::Impl(item) => Some(&mut item.items),
            _ => None,
        });
    functions.flatten().filter_map(|item| match item {
        ImplItem::Fn(function) if function.sig.ident == "send" => Some(function),
        _ => None,
    })
}

/// How the responses of an operation are decoded.
pub(super) struct Responses {
    pub(super) success: Side,
    pub(super) error: Side,
}

/// The successes of an operation, or its errors: their type, and the body of each status.
pub(super) struct Side {
    pub(super) ty: Type,
    arms: Vec<Arm>,
}

struct Arm {
    /// The pattern of its statuses.
    pattern: TokenStream,
    body: Body,
    /// The path of the variant that holds the body, if there are several.
    variant: Option<TokenStream>,
}

/// The body of a response.
enum Body {
    Nothing,
    Json(Box<Type>),
    Bytes,
    /// The connection itself, of a WebSocket.
    Upgrade,
}

impl Arm {
    fn is_bytes(&self) -> bool {
        matches!(self.body, Body::Bytes)
    }
}

impl Responses {
    /// Returns true if a success is handed on as a stream of bytes.
    pub(super) fn is_streamed(&self) -> bool {
        self.success.arms.iter().any(Arm::is_bytes)
    }

    /// The function that tells streams from other successes, for an operation that has both.
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
    /// The expression that decodes a success.
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
                (Body::Json(_), None) => quote!(response.json()),
                (Body::Json(_), Some(variant)) => quote!(response.json().map(#variant)),
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

    /// The expression that decodes the body of an error.
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
        let is_any = |arm: &Arm| arm.pattern.to_string() == "_";
        let rest = (!self.arms.iter().any(is_any)).then(|| quote!(_ => None,));
        quote! {
            match status {
                #(#arms)*
                #rest
            }
        }
    }

    /// The side of an operation whose bodies differ by status; an enum that it needs is added to `enums`.
    fn by_status(
        entries: Vec<(String, Body)>,
        name: Ident,
        is_error: bool,
        enums: &mut Vec<Item>,
    ) -> Self {
        let json: Vec<&Type> = entries
            .iter()
            .filter_map(|(_, body)| match body {
                Body::Json(ty) => Some(ty.as_ref()),
                _ => None,
            })
            .collect();
        // Types are compared as they are written: progenitor writes the same one the same way.
        let mut written = json.iter().map(|ty| quote!(#ty).to_string());
        let first = written.next();
        let is_same = written.all(|ty| Some(ty) == first);
        let has_bytes = entries.iter().any(|(_, body)| matches!(body, Body::Bytes));
        let has_nothing = entries
            .iter()
            .any(|(_, body)| matches!(body, Body::Nothing));
        let mut variants: Vec<Option<TokenStream>> = vec![None; entries.len()];
        let ty: Type = match (json.first(), has_nothing, has_bytes) {
            (None, _, false) => parse_quote!(()),
            (None, false, true) => bytes(is_error),
            (Some(ty), false, false) if is_same => (*ty).clone(),
            (Some(ty), true, false) if is_same && !is_error => {
                for (variant, (_, body)) in variants.iter_mut().zip(&entries) {
                    *variant = Some(match body {
                        Body::Json(_) => quote!(::std::option::Option::Some),
                        _ => quote!(::std::option::Option::None),
                    });
                }
                parse_quote!(::std::option::Option<#ty>)
            }
            _ => {
                let names: Vec<Ident> = entries
                    .iter()
                    .map(|(status, _)| format_ident!("{}", variant(status)))
                    .collect();
                enums.extend(response_enum(&name, &entries, &names, is_error));
                for (variant, ident) in variants.iter_mut().zip(&names) {
                    *variant = Some(quote!(super::response::#name::#ident));
                }
                parse_quote!(super::response::#name)
            }
        };
        let arms = entries.into_iter().zip(variants);
        let arms = arms.map(|((status, body), variant)| Arm {
            pattern: pattern(&status),
            body,
            variant,
        });
        Self {
            ty,
            arms: arms.collect(),
        }
    }
}

/// The type of a body that is no JSON: that of an error has been read already.
fn bytes(is_error: bool) -> Type {
    if is_error {
        parse_quote!(::bytes::Bytes)
    } else {
        parse_quote!(crate::ByteStream)
    }
}

/// The responses of an operation with one body for all successes and one for all errors, as progenitor's `send` has them.
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
        let (side, ty) = if decoding.is_error {
            (&mut responses.error, &error)
        } else {
            (&mut responses.success, &success)
        };
        let body = match decoding.function.as_deref() {
            Some("from_response") => Body::Json(Box::new(ty.clone())),
            Some("empty") => Body::Nothing,
            Some("stream") => Body::Bytes,
            Some("upgrade") => Body::Upgrade,
            // The status is not in the document.
            _ => continue,
        };
        match body {
            Body::Bytes => side.ty = bytes(decoding.is_error),
            Body::Upgrade => side.ty = parse_quote!(crate::Upgrade),
            Body::Json(_) | Body::Nothing => {}
        }
        let pattern = &arm.pat;
        side.arms.push(Arm {
            pattern: quote!(#pattern),
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

/// The enum of the bodies of one side, with a variant for each status.
fn response_enum(
    name: &Ident,
    entries: &[(String, Body)],
    variants: &[Ident],
    is_error: bool,
) -> Vec<Item> {
    let side = if is_error {
        "An error response"
    } else {
        "A success"
    };
    let text = format!("{side} of the operation, by status.");
    let docs = entries
        .iter()
        .map(|(status, _)| format!("The body of {}.", display_name(status)));
    let bytes = bytes(is_error);
    let fields = entries.iter().map(|(_, body)| match body {
        Body::Nothing | Body::Upgrade => quote!(),
        Body::Json(ty) => quote!((#ty)),
        Body::Bytes => quote!((#bytes)),
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

fn pattern(status: &str) -> TokenStream {
    match (
        status.parse::<u16>(),
        status.chars().next().and_then(|class| class.to_digit(10)),
    ) {
        (Ok(code), _) => quote!(#code),
        (Err(_), Some(class)) => {
            let (first, last) = (class as u16 * 100, class as u16 * 100 + 99);
            quote!(#first..=#last)
        }
        (Err(_), None) => quote!(_),
    }
}

pub(super) fn display_name(status: &str) -> String {
    match reason(status) {
        Some(text) => format!("{status} ({text})"),
        None if !status.ends_with('X') => status.to_owned(),
        None => format!("any other {status}"),
    }
}

/// The names of the statuses, from RFC 9110, section 15, and of those in use from elsewhere (RFC 6585, RFC 4918).
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

/// The variant of a status: its name, or its number.
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

    #[test]
    fn table_is_decoded_by_status_with_the_types_of_its_probes() {
        let document = json!({"paths": {"/pets": {"get": {"operationId": "getPet", "x-codegen": {"responses": {
            "success": [{"status": "200", "schema": {"$ref": "#/components/schemas/Pet"}}, {"status": "204"}],
            "error": [
                {"status": "404"},
                {"status": "422", "schema": {"type": "array", "items": {"type": "string"}}},
                {"status": "5XX", "bytes": "text/plain"},
            ],
        }}}}}});
        let probing = with_probes(&document);
        let paths: Vec<_> = walk::operations(&probing)
            .iter()
            .map(|operation| operation.path.to_owned())
            .collect();
        assert_eq!(
            paths,
            ["/pets", "/x-codegen/get_pet/0", "/x-codegen/get_pet/3"]
        );
        assert_eq!(probed(&paths[1]), Some("get_pet"));

        let mut file: syn::File = parse_quote! {
            impl Client {
                pub fn get_pet(&self) -> builder::GetPet {}
                pub fn x_codegen_get_pet_0(&self) {}
                pub fn x_codegen_get_pet_3(&self) {}
            }
            pub mod builder {
                pub struct GetPet;
                impl GetPet {
                    pub async fn send(self) -> Result<ResponseValue<types::Pet>, Error<()>> {
                        let info = OperationInfo { operation_id: "get_pet" };
                        let response = result?;
                        match response.status().as_u16() {
                            200u16 => ResponseValue::from_response(response).await,
                            _ => Err(Error::UnexpectedResponse(response)),
                        }
                    }
                }
                pub struct XCodegenGetPet0;
                impl XCodegenGetPet0 {
                    pub async fn send(self) -> Result<ResponseValue<types::Pet>, Error<()>> {}
                }
                pub struct XCodegenGetPet3;
                impl XCodegenGetPet3 {
                    pub async fn send(self) -> Result<ResponseValue<::std::vec::Vec<::std::string::String>>, Error<()>> {}
                }
            }
        };
        let (responses, _) = take(&mut file, &document);
        let responses = &responses["get_pet"];
        let (decode, decode_error) = (responses.success.decode(), responses.error.decode_error());
        file.items.push(parse_quote! {
            fn decode(response: Received) { #decode }
        });
        file.items.push(parse_quote! {
            fn decode_error(status: u16, body: &Bytes) { #decode_error }
        });
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }
}
