//! Decoding by status, where an operation's bodies differ: progenitor has no type for that, so its `match` on the status
//! is written anew from the table that the rule `responses-by-status` left in the document.
//!
//! Which Rust type a schema has is typify's to say. It is asked by probes: operations that return nothing but the schema
//! in question, put in beside the real ones, read off, and taken out again.

use std::borrow::Cow;
use std::collections::BTreeMap;

use quote::{format_ident, quote};
use serde_json::{Value, json};
use syn::visit_mut::VisitMut;
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

/// What a status brings.
enum Arm {
    Nothing,
    Json(Box<Type>),
    Bytes,
}

/// The types of the bodies in the tables: by method, and by place in its table, the successes before the errors.
pub(super) type Bodies = BTreeMap<(String, usize), Type>;

/// Takes the probes out, and writes the decoding of each operation that has a table.
pub(super) fn by_status(file: &mut syn::File, document: &Value) -> Bodies {
    let types = take_probes(file, document);
    if types.is_empty() && tables(document).next().is_none() {
        return types;
    }
    let mut enums: Vec<Item> = Vec::new();
    let mut answers = BTreeMap::new();
    for (method, sides) in tables(document) {
        let mut index = 0;
        let sides = sides.map(|side| {
            let entries = side.iter().map(|entry| {
                let status = entry
                    .get("status")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned();
                let arm = match (types.get(&(method.clone(), index)), entry.get("bytes")) {
                    (Some(ty), _) => Arm::Json(Box::new(ty.clone())),
                    (None, Some(_)) => Arm::Bytes,
                    (None, None) => Arm::Nothing,
                };
                index += 1;
                (status, arm)
            });
            entries.collect::<Vec<_>>()
        });
        let name = names::type_name(&method);
        let [success, error] = &sides;
        let success = Side::new(success, format_ident!("{name}Response"), false, &mut enums);
        let error = Side::new(error, format_ident!("{name}Error"), true, &mut enums);
        answers.insert(method, (success, error));
    }
    for send in sends(file) {
        if let Some((success, error)) = operation_id(send).and_then(|id| answers.get(&id)) {
            rewrite(send, success, error);
        }
    }
    if !enums.is_empty() {
        file.items.push(parse_quote! {
            /// What operations answer with whose responses differ by status.
            pub mod response {
                use super::{ByteStream, types};

                #(#enums)*
            }
        });
    }
    types
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

/// One side of an operation's table: its type, and the arms that decode it.
struct Side {
    ty: Type,
    arms: Vec<syn::Arm>,
}

impl Side {
    fn new(entries: &[(String, Arm)], name: Ident, is_error: bool, enums: &mut Vec<Item>) -> Self {
        let kinds: Vec<Option<&Type>> = entries
            .iter()
            .map(|(_, arm)| match arm {
                Arm::Json(ty) => Some(ty.as_ref()),
                Arm::Nothing | Arm::Bytes => None,
            })
            .collect();
        // Types are compared as they are written: progenitor writes the same one the same way.
        let mut written = kinds.iter().flatten().map(|ty| quote!(#ty).to_string());
        let first = written.next();
        let same_type = written.all(|ty| Some(ty) == first);
        let has_bytes = entries.iter().any(|(_, arm)| matches!(arm, Arm::Bytes));
        let has_nothing = entries.iter().any(|(_, arm)| matches!(arm, Arm::Nothing));
        let json = kinds.iter().flatten().next().map(|ty| (*ty).clone());
        // Decoding JSON may fail; the rest can't.
        let wrapped = |arm: &Arm, decoded: proc_macro2::TokenStream| match (arm, is_error) {
            (Arm::Json(_), true) => quote!(Err(Error::ErrorResponse(#decoded?))),
            (Arm::Json(_), false) => decoded,
            (Arm::Nothing | Arm::Bytes, true) => quote!(Err(Error::ErrorResponse(#decoded))),
            (Arm::Nothing | Arm::Bytes, false) => quote!(Ok(#decoded)),
        };
        let arms = |decode: &dyn Fn(usize, &Arm) -> proc_macro2::TokenStream| -> Vec<syn::Arm> {
            let arms = entries.iter().enumerate().map(|(index, (status, arm))| {
                let pattern = pattern(status);
                let decoded = wrapped(arm, decode(index, arm));
                parse_quote!(#pattern => #decoded,)
            });
            arms.collect()
        };
        match (json, has_nothing, has_bytes) {
            (None, _, false) => Self {
                ty: parse_quote!(()),
                arms: arms(&|_, _| quote!(crate::decode::empty(response, ()))),
            },
            (None, false, true) => Self {
                ty: parse_quote!(ByteStream),
                arms: arms(&|_, _| {
                    quote!(crate::decode::bytes(response, ::std::convert::identity))
                }),
            },
            (Some(ty), false, false) if same_type => Self {
                ty,
                arms: arms(&|_, _| quote!(ResponseValue::from_response(response).await)),
            },
            (Some(ty), true, false) if same_type && !is_error => Self {
                ty: parse_quote!(::std::option::Option<#ty>),
                arms: arms(&|_, arm| match arm {
                    Arm::Json(_) => {
                        quote!(crate::decode::json(response, ::std::option::Option::Some).await)
                    }
                    _ => quote!(crate::decode::empty(response, ::std::option::Option::None)),
                }),
            },
            _ => {
                let variants: Vec<Ident> = entries
                    .iter()
                    .map(|(status, _)| format_ident!("{}", variant(status)))
                    .collect();
                enums.extend(response_enum(&name, entries, &variants));
                Self {
                    ty: parse_quote!(super::response::#name),
                    arms: arms(&|index, arm| {
                        let variant = &variants[index];
                        let variant = quote!(super::response::#name::#variant);
                        match arm {
                            Arm::Json(_) => quote!(crate::decode::json(response, #variant).await),
                            Arm::Bytes => quote!(crate::decode::bytes(response, #variant)),
                            Arm::Nothing => quote!(crate::decode::empty(response, #variant)),
                        }
                    }),
                }
            }
        }
    }
}

fn response_enum(name: &Ident, entries: &[(String, Arm)], variants: &[Ident]) -> Vec<Item> {
    let docs = entries
        .iter()
        .map(|(status, _)| format!("What {} brings.", display_name(status)));
    let fields = entries.iter().map(|(_, arm)| match arm {
        Arm::Nothing => quote!(),
        Arm::Json(ty) => quote!((#ty)),
        Arm::Bytes => quote!((ByteStream)),
    });
    let shown = entries.iter().zip(variants).map(|((_, arm), variant)| {
        let text = variant.to_string();
        match arm {
            Arm::Nothing => quote!(Self::#variant => f.write_str(#text)),
            Arm::Json(_) => {
                quote!(Self::#variant(value) => f.debug_tuple(#text).field(value).finish())
            }
            Arm::Bytes => quote!(Self::#variant(_) => f.write_str(concat!(#text, "(<bytes>)"))),
        }
    });
    let file: syn::File = parse_quote! {
        /// What the operation answers with, by status.
        #[non_exhaustive]
        pub enum #name {
            #( #[doc = #docs] #variants #fields, )*
        }
        impl ::std::fmt::Debug for #name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                match self {
                    #( #shown, )*
                }
            }
        }
    };
    file.items
}

fn pattern(status: &str) -> proc_macro2::TokenStream {
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

/// Gives `send` its types and its `match`.
fn rewrite(send: &mut ImplItemFn, success: &Side, error: &Side) {
    let (success_type, error_type) = (&success.ty, &error.ty);
    send.sig.output = parse_quote!(-> Result<ResponseValue<#success_type>, Error<#error_type>>);
    let arms = success.arms.iter().chain(&error.arms);
    let new: Expr = parse_quote! {
        match response.status().as_u16() {
            #(#arms)*
            _ => Err(Error::UnexpectedResponse(response)),
        }
    };
    Decode { new: Some(new) }.visit_block_mut(&mut send.block);
}

/// Replaces the `match` on the status.
struct Decode {
    new: Option<Expr>,
}

impl VisitMut for Decode {
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        let on_status = match expression {
            Expr::Match(matched) => {
                let scrutinee = &matched.expr;
                quote!(#scrutinee).to_string() == "response . status () . as_u16 ()"
            }
            _ => false,
        };
        match self.new.take_if(|_| on_status) {
            Some(new) => *expression = new,
            None => syn::visit_mut::visit_expr_mut(self, expression),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_read_off_and_the_match_is_written_by_status() {
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
        by_status(&mut file, &document);
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }
}
