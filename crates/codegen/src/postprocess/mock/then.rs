//! The responses of mocks.

use std::collections::BTreeMap;

use heck::ToSnakeCase as _;
use quote::{format_ident, quote};
use serde_json::Value;
use syn::{ImplItem, ItemImpl, Type, parse_quote};

use super::doc;
use crate::media_type::essence;
use crate::model::{Model, ResponseBody, Stream, StreamFormat};
use crate::postprocess::rust_type::body_type;
use crate::postprocess::syntax::{first_argument, plain};
use crate::postprocess::{responses, streams};
use crate::walk::{self, Operation};

/// The response to a status.
#[derive(Clone)]
pub(super) struct MockResponse {
    status: String,
    body: Body,
}

#[derive(Clone)]
pub(super) enum Body {
    Nothing,
    Json(Box<Type>),
    Bytes(String),
}

/// Returns the responses of the operations whose bodies differ.
pub(super) fn by_status(document: &Value, model: &Model) -> BTreeMap<String, Vec<MockResponse>> {
    responses::by_status(document, model)
        .map(|(method, by_status)| {
            let all = by_status.successes.iter().chain(&by_status.errors);
            let mocked = all.map(|response| MockResponse {
                status: response.status.clone(),
                body: match &response.body {
                    ResponseBody::Empty => Body::Nothing,
                    ResponseBody::Json(ty) => Body::Json(Box::new(body_type(ty))),
                    ResponseBody::Bytes(media_type) => Body::Bytes(media_type.clone()),
                },
            });
            (method, mocked.collect())
        })
        .collect()
}

/// Returns the responses of an operation with one success type and one error type.
pub(super) fn uniform(
    document: &Value,
    operation: &Operation<'_>,
    result: Option<&[Option<Type>; 2]>,
) -> Vec<MockResponse> {
    let responses = operation.object.get("responses").and_then(Value::as_object);
    let mocked = responses
        .into_iter()
        .flatten()
        .filter_map(|(status, response)| {
            // A mock cannot accept a WebSocket.
            if status.starts_with('1') || operation.object.get("x-dropshot-websocket").is_some() {
                return None;
            }
            let content = walk::follow(document, response)?.get("content");
            let media_type = content.and_then(|content| content.as_object()?.keys().next());
            let side = usize::from(!status.starts_with('2'));
            let ty = result.and_then(|sides| sides[side].clone());
            let body = match (media_type.map(String::as_str), ty) {
                (None, _) => Body::Nothing,
                (Some("application/json"), Some(ty)) => Body::Json(Box::new(ty)),
                (Some(media_type), _) => Body::Bytes(media_type.to_owned()),
            };
            let status = status.clone();
            Some(MockResponse { status, body })
        });
    mocked.collect()
}

/// Rewrites a `Then`: a method per status.
pub(super) fn fit(item: &mut ItemImpl, mocked: &[MockResponse], accept: Option<&str>) {
    item.items.retain_mut(|item| {
        let ImplItem::Fn(function) = item else {
            return true;
        };
        let text = match plain(&function.sig.ident).as_str() {
            "new" => "A response of this operation.",
            "into_inner" => "Returns the builder of `httpmock`.",
            _ => return false,
        };
        function.attrs.push(doc(text));
        true
    });
    for MockResponse { status, body } in mocked {
        let class = status.chars().next().and_then(|class| class.to_digit(10));
        let code = status.parse::<u16>().ok();
        let name = match (code, class) {
            (Some(code), _) => match responses::variant(status).to_snake_case() {
                name if name.ends_with(status.as_str()) => format!("status_{code}"),
                name => name,
            },
            (None, Some(2)) => "success".to_owned(),
            (None, Some(4)) => "client_error".to_owned(),
            (None, Some(5)) => "server_error".to_owned(),
            _ => continue,
        };
        let name = format_ident!("{name}");
        let (argument, then) = match (code, class.and_then(|class| u16::try_from(class).ok())) {
            (Some(code), _) => (quote!(), quote!(self.0.status(#code))),
            (None, class) => (
                quote!(status: u16,),
                quote!(crate::then::status(self.0, status, #class)),
            ),
        };
        let with = if matches!(body, Body::Nothing) {
            "without a body"
        } else {
            "with this body"
        };
        let text = doc(&format!(
            "Responds with {}, {with}.",
            responses::display_name(status)
        ));
        item.items.push(match body {
            Body::Nothing => parse_quote! {
                #text
                pub fn #name(self, #argument) -> Self { Self(#then) }
            },
            Body::Json(ty) => {
                let ty = borrowed(ty);
                let media_type = match (accept, class) {
                    (Some(accept), Some(2)) => accept,
                    _ => "application/json",
                };
                parse_quote! {
                    #text
                    pub fn #name(self, #argument value: #ty) -> Self {
                        Self(crate::then::json(#then, #media_type, value))
                    }
                }
            }
            Body::Bytes(media_type) => {
                let media_type = if media_type.contains('*') || media_type.is_empty() {
                    "application/octet-stream"
                } else {
                    media_type
                };
                parse_quote! {
                    #text
                    pub fn #name(self, #argument value: impl AsRef<[u8]>) -> Self {
                        Self(crate::then::bytes(#then, #media_type, value))
                    }
                }
            }
        });
    }
}

/// Returns the method that responds with the items of a stream.
pub(super) fn stream(stream: &Stream) -> ImplItem {
    let code = stream.status.parse::<u16>().unwrap_or(200);
    let ty = body_type(&stream.item);
    let media_type = essence(&stream.media_type);
    let (what, name, body) = match &stream.format {
        StreamFormat::Events(_) => {
            let data = streams::event_data(&stream.format);
            let data = quote!(crate::then::EventData::#data);
            (
                "server-sent events",
                format_ident!("events"),
                quote!(events(self.0.status(#code), items, #data)),
            )
        }
        StreamFormat::Lines => (
            "JSON lines",
            format_ident!("lines"),
            quote!(lines(self.0.status(#code), #media_type, items)),
        ),
    };
    let text = doc(&format!(
        "Responds with {code} and these items as {what}, in one piece."
    ));
    parse_quote! {
        #text
        pub fn #name(self, items: &[#ty]) -> Self {
            Self(crate::then::#body)
        }
    }
}

/// Returns the idiomatic reference to a type.
fn borrowed(ty: &Type) -> Type {
    let name = match ty {
        Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
        _ => None,
    };
    // Types of the document are in a module.
    let is_own = matches!(ty, Type::Path(path) if path.path.leading_colon.is_none());
    match (name.as_deref().filter(|_| !is_own), first_argument(ty)) {
        (Some("String"), _) => parse_quote!(&str),
        (Some("Vec"), Some(item)) => parse_quote!(&[#item]),
        _ => parse_quote!(&#ty),
    }
}
