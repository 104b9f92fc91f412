//! Adapts progenitor's mocks to the client.
//!
//! The structure is kept: a method per operation, its `When` with a method per parameter and for the body, and its
//! `Then`. Expected values are encoded by the client's own code, because progenitor compares with the result of
//! `to_string`. Responses are by status, as the client decodes them.

use std::collections::{BTreeMap, BTreeSet};

use heck::ToSnakeCase as _;
use quote::{format_ident, quote};
use serde_json::Value;
use syn::{Attribute, FnArg, ImplItem, ImplItemFn, Item, ItemImpl, ReturnType, Type, parse_quote};

use super::builder;
use super::client::operation_id;
use super::docs;
use super::request_spec::{RequestSpec, encoded};
use super::responses;
use super::rust_type::body_type;
use super::streams;
use super::syntax::{arguments, first_argument, implemented, plain};
use crate::media_type::essence;
use crate::model::{Model, ResponseBody, Stream, StreamFormat};
use crate::names;
use crate::openapi::{ResolvedParameter, of_operation};
use crate::walk::{self, Operation};

/// Returns the operations that have a mock.
pub(crate) fn methods(file: &syn::File) -> BTreeSet<String> {
    let traits = file.items.iter().filter_map(|item| match item {
        Item::Trait(item) => Some(item),
        _ => None,
    });
    traits
        .flat_map(|item| &item.items)
        .filter_map(|item| match item {
            syn::TraitItem::Fn(function) => Some(plain(&function.sig.ident)),
            _ => None,
        })
        .collect()
}

/// Adapts the mocks. `results` has the success and error types of the client's `send` functions.
pub(super) fn fit(file: &mut syn::File, results: &Results, document: &Value, model: &Model) {
    let answers = by_status(document, model);
    let mut whens = BTreeMap::new();
    let mut thens = BTreeMap::new();
    let mut headings = BTreeMap::new();
    for operation in walk::operations(document) {
        let Some(method) = operation.id().map(names::method_name) else {
            continue;
        };
        let heading = format!("`{} {}`", operation.method.to_uppercase(), operation.path);
        let name = |suffix| names::builder_name(&format!("{method}-{suffix}"));
        let spec = RequestSpec::of(document, model, &operation);
        let answers = answers
            .get(&method)
            .cloned()
            .unwrap_or_else(|| uniform(document, &operation, results.get(&method)));
        let stream = model.operation(&operation.pointer);
        let stream = stream.and_then(|facts| facts.stream.clone());
        thens.insert(
            name("then"),
            (answers, spec.accept.clone(), stream, heading.clone()),
        );
        whens.insert(name("when"), (operation, spec, heading.clone()));
        headings.insert(method, heading);
    }
    for item in &mut file.items {
        match item {
            Item::Mod(module) if module.ident == "operations" => {
                module.attrs = vec![doc(
                    "The expected requests of each operation, and the responses to them.",
                )];
                let Some((_, items)) = &mut module.content else {
                    continue;
                };
                for item in items {
                    match item {
                        Item::Use(item) => {
                            *item = parse_quote!(
                                use crate::types;
                            )
                        }
                        Item::Struct(item) => {
                            let name = item.ident.to_string();
                            if let Some((.., heading)) = whens.get(&name) {
                                let text = format!("An expected request to {heading}.");
                                item.attrs.push(doc(&text));
                            } else if let Some((.., heading)) = thens.get(&name) {
                                let text = format!("The response to a request to {heading}.");
                                item.attrs.push(doc(&text));
                            }
                        }
                        Item::Impl(item) => {
                            let name = implemented(item).unwrap_or_default();
                            if let Some((operation, spec, _)) = whens.get(&name) {
                                fit_when(item, document, operation, spec);
                            } else if let Some((answers, accept, stream, _)) = thens.get(&name) {
                                fit_then(item, answers, accept.as_deref());
                                item.items.extend(stream.as_ref().map(then_stream));
                            }
                        }
                        _ => {}
                    }
                }
            }
            Item::Trait(item) => {
                item.attrs = vec![doc("Mocks each operation.")];
                for item in &mut item.items {
                    if let syn::TraitItem::Fn(function) = item
                        && let Some(heading) = headings.get(&plain(&function.sig.ident))
                    {
                        function.attrs.push(doc(&format!("Mocks {heading}.")));
                    }
                }
            }
            _ => {}
        }
    }
}

fn doc(text: &str) -> Attribute {
    docs::attribute(&format!(" {text}"))
}

/// Rewrites a `When`: expected values are encoded as the client encodes them.
fn fit_when(item: &mut ItemImpl, document: &Value, operation: &Operation<'_>, spec: &RequestSpec) {
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

/// The response to a status.
#[derive(Clone)]
struct Answer {
    status: String,
    body: Body,
}

#[derive(Clone)]
enum Body {
    Nothing,
    Json(Box<Type>),
    Bytes(String),
}

/// The success and error types of each operation's `send`.
pub(super) type Results = BTreeMap<String, [Option<Type>; 2]>;

pub(super) fn results(client: &mut syn::File) -> Results {
    builder::sends(client)
        .filter_map(|function| {
            let ReturnType::Type(_, result) = &function.sig.output else {
                return None;
            };
            let sides = arguments(result)
                .map(|side| arguments(side).next().cloned())
                .collect::<Vec<_>>();
            Some((operation_id(function)?, sides.try_into().ok()?))
        })
        .collect()
}

/// Returns the responses of the operations whose bodies differ.
fn by_status(document: &Value, model: &Model) -> BTreeMap<String, Vec<Answer>> {
    responses::by_status(document, model)
        .map(|(method, by_status)| {
            let all = by_status.successes.iter().chain(&by_status.errors);
            let answers = all.map(|response| Answer {
                status: response.status.clone(),
                body: match &response.body {
                    ResponseBody::Empty => Body::Nothing,
                    ResponseBody::Json(ty) => Body::Json(Box::new(body_type(ty))),
                    ResponseBody::Bytes(media_type) => Body::Bytes(media_type.clone()),
                },
            });
            (method, answers.collect())
        })
        .collect()
}

/// Returns the responses of an operation with one success type and one error type.
fn uniform(
    document: &Value,
    operation: &Operation<'_>,
    result: Option<&[Option<Type>; 2]>,
) -> Vec<Answer> {
    let responses = operation.object.get("responses").and_then(Value::as_object);
    let answers = responses
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
            Some(Answer { status, body })
        });
    answers.collect()
}

/// Rewrites a `Then`: a method per status.
fn fit_then(item: &mut ItemImpl, answers: &[Answer], accept: Option<&str>) {
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
    for Answer { status, body } in answers {
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
fn then_stream(stream: &Stream) -> ImplItem {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Choices, Settings, generate_all, load::Source, plan};
    use serde_json::json;

    fn mocks(paths: Value) -> String {
        let body = |schema: Value| json!({"description": "", "content": {"application/json": {"schema": schema}}});
        let source = Source {
            path: "a.json".to_owned(),
            label: "a.json".to_owned(),
            document: json!({
                "openapi": "3.0.3",
                "info": {"title": "t", "version": "1"},
                "paths": paths,
                "components": {
                    "schemas": {"Pet": {"type": "object", "properties": {"name": {"type": "string"}}}},
                    "responses": {
                        "Pet": body(json!({"$ref": "#/components/schemas/Pet"})),
                        "Names": body(json!({"type": "array", "items": {"type": "string"}})),
                    },
                },
            }),
            ..Source::default()
        };
        let generated = generate_all(source, &Settings::default(), Choices::default()).unwrap();
        let outputs = generated.plan.outputs;
        let mock = outputs
            .iter()
            .find(|output| output.path == std::path::Path::new(plan::MOCK));
        let file = syn::parse_file(&mock.unwrap().contents).unwrap();
        let operations = file
            .items
            .into_iter()
            .filter(|item| matches!(item, Item::Mod(_)));
        prettyplease::unparse(&syn::File {
            items: operations.collect(),
            ..parse_quote!()
        })
    }

    #[test]
    fn expected_requests_match_those_of_the_client() {
        let texts = json!({"type": "array", "items": {"type": "string"}});
        let mocks = mocks(json!({"/a.b/{id}/{names}": {"post": {
            "operationId": "a",
            "parameters": [
                {"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}},
                {"name": "names", "in": "path", "required": true, "style": "matrix", "schema": texts},
                {"name": "Date<", "in": "query", "schema": {"type": "string"}},
                {"name": "csv", "in": "query", "explode": false, "schema": texts},
                {"name": "into_inner", "in": "query", "required": true, "schema": texts},
                {"name": "X-List", "in": "header", "schema": texts},
            ],
            "requestBody": {"required": true, "content": {"application/x-www-form-urlencoded": {"schema": {"$ref": "#/components/schemas/Pet"}}}},
            "responses": {"204": {"description": ""}},
        }}}));
        insta::assert_snapshot!(mocks);
    }

    #[test]
    fn mock_responses_are_by_status() {
        let mocks = mocks(json!({
            "/differs": {"get": {"operationId": "differs", "responses": {
                "200": {"$ref": "#/components/responses/Pet"},
                "202": {"$ref": "#/components/responses/Names"},
                "204": {"description": ""},
                "404": {"description": "", "content": {"text/html": {}}},
                "default": {"$ref": "#/components/responses/Pet"},
            }}},
            "/same": {"get": {"operationId": "same", "responses": {
                "200": {"description": "", "content": {"application/vnd.pet+json": {"schema": {"$ref": "#/components/schemas/Pet"}}}},
                "499": {"$ref": "#/components/responses/Names"},
            }}},
            "/stream": {"get": {"operationId": "stream", "responses": {
                "200": {"description": "", "content": {"text/event-stream": {}}},
            }}},
        }));
        insta::assert_snapshot!(mocks);
    }
}
