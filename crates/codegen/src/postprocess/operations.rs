//! Operations of the client: progenitor's builders, whose requests own their client, and are sent by the client crate's
//! `request` module.
//!
//! The setters of a builder and the expression that builds its request are progenitor's. An `impl Operation` with what
//! differs between operations replaces `send`.

mod request;

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use serde_json::Value;
use syn::{
    Attribute, Fields, Generics, Ident, ImplItem, ImplItemFn, Item, ItemImpl, ItemStruct, Member,
    Type, parse_quote,
};

use super::builder;
use super::docs;
use super::identity::Identity;
use super::paging;
use super::request_spec::encoded;
use super::responses::Responses;
use super::streams;
use super::syntax::{fields_of_self, first_argument, implemented, plain, uses};
use crate::model::{Model, Paging, Stream, StreamFormat};
use crate::names;
use crate::openapi::{ResolvedParameter, of_operation, template_names};
use crate::security;
use crate::walk;

/// The properties of an operation that its builder depends on.
struct Operation {
    method: String,
    /// Method and path: `GET /v1/call/{id}`.
    heading: String,
    /// The fields of the builder that are path parameters, in the order of the path.
    path_parameters: Vec<String>,
    spec: TokenStream,
    identity: Option<Identity>,
    paging: Option<Paging>,
    stream: Option<Stream>,
    idempotency_key: IdempotencyKey,
}

/// The source of a request's idempotency key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IdempotencyKey {
    /// The method is idempotent.
    Needless,
    /// The document has a parameter for it.
    Parameter,
    /// The user, if the service honors it.
    User,
}

/// Rewrites all operations. `responses` is by method name.
pub(super) fn write(
    file: &mut syn::File,
    responses: &BTreeMap<String, Responses>,
    document: &Value,
    model: &Model,
) {
    let schemes = security::SecuritySchemes::of(document);
    let operations: BTreeMap<String, Operation> = walk::operations(document)
        .iter()
        .filter_map(|operation| {
            let method = names::method_name(operation.id()?);
            let is_streamed = responses.get(&method).is_some_and(Responses::is_streamed);
            let facts = model.operation(&operation.pointer);
            let operation = Operation {
                paging: facts.and_then(|facts| facts.paging.clone()),
                stream: facts.and_then(|facts| facts.stream.clone()),
                ..Operation::of(document, operation, &schemes, method, is_streamed)
            };
            Some((names::builder_name(&operation.method), operation))
        })
        .collect();
    let mut methods = BTreeMap::new();
    if let Some(module) = builder::module(file) {
        module.attrs.retain(|attribute| !is_doc(attribute));
        module
            .attrs
            .push(docs::attribute(" The requests of the operations."));
        if let Some((_, items)) = &mut module.content {
            methods = builders(items, &operations, responses);
        }
    }
    file.items.retain_mut(|item| match item {
        // `Client`, its hooks and imports of progenitor's runtime are not used.
        Item::Struct(item) => item.ident != "Client",
        Item::Const(item) => item.ident != "_",
        Item::Use(item) => !uses(item, "progenitor_client"),
        Item::Impl(item) if is_of_runtime(item) => false,
        Item::Impl(item) if implemented(item).as_deref() == Some("Client") => {
            item.items.retain_mut(|item| match item {
                ImplItem::Fn(function) => constructor(function, &methods),
                _ => true,
            });
            !item.items.is_empty()
        }
        _ => true,
    });
    file.items.insert(
        0,
        parse_quote!(
            use crate::Client;
        ),
    );
}

/// Returns true for an implementation of a trait of progenitor's runtime.
fn is_of_runtime(item: &ItemImpl) -> bool {
    item.trait_.as_ref().is_some_and(|(path, _)| {
        path.segments
            .last()
            .is_some_and(|last| last.ident == "ClientHooks" || last.ident == "ClientInfo")
    })
}

impl Operation {
    fn of(
        document: &Value,
        operation: &walk::Operation<'_>,
        schemes: &security::SecuritySchemes,
        method: String,
        is_streamed: bool,
    ) -> Self {
        let parameters = of_operation(document, operation);
        let in_path: BTreeSet<&str> = parameters
            .iter()
            .filter(|parameter| parameter.location() == "path")
            .map(|parameter| parameter.name())
            .collect();
        let path_parameters = template_names(operation.path)
            .into_iter()
            .filter(|name| in_path.contains(name))
            .map(names::parameter_name)
            .collect();
        // The transport compares the path with the URL, in which it is encoded and has no query.
        let path = encoded(operation.path);
        let path = path.split('?').next().unwrap_or_default();
        let auth = schemes
            .operation(operation.object)
            .tokens(&quote!(crate::transport));
        let body = format_ident!("{}", if is_streamed { "Streamed" } else { "Buffered" });
        let spec = quote! {
            &crate::transport::Operation {
                id: #method,
                path: #path,
                auth: #auth,
                body: crate::transport::ResponseBody::#body,
            }
        };
        Self {
            heading: format!("{} {}", operation.method.to_uppercase(), operation.path),
            method,
            path_parameters,
            spec,
            identity: Identity::of(document, operation),
            paging: None,
            stream: None,
            idempotency_key: match operation.method {
                _ if parameters.iter().any(ResolvedParameter::is_idempotency_key) => {
                    IdempotencyKey::Parameter
                }
                "post" | "patch" => IdempotencyKey::User,
                _ => IdempotencyKey::Needless,
            },
        }
    }
}

/// Name and type of an argument of a constructor.
type Argument = (Ident, Type);

/// Rewrites the builders. Returns them by method name.
fn builders(
    items: &mut Vec<Item>,
    operations: &BTreeMap<String, Operation>,
    responses: &BTreeMap<String, Responses>,
) -> BTreeMap<String, Builder> {
    let mut builders = BTreeMap::new();
    let mut added = Vec::new();
    for item in items.iter_mut() {
        match item {
            Item::Use(item) if uses(item, "ClientHooks") => {
                *item = parse_quote! {
                    #[allow(unused_imports)]
                    use progenitor_client::{encode_path, RequestBuilderExt};
                };
            }
            Item::Struct(item) => {
                let name = item.ident.to_string();
                if let Some(operation) = operations.get(&name) {
                    let errors = responses.get(&operation.method);
                    let errors = errors.and_then(|responses| responses.error.documentation());
                    let builder = Builder {
                        errors,
                        ..Builder::of(item, operation)
                    };
                    builders.insert(operation.method.clone(), builder);
                }
            }
            Item::Impl(item) => {
                let name = implemented(item).unwrap_or_default();
                if let Some(operation) = operations.get(&name)
                    && let Some(builder) = builders.get(&operation.method)
                    && let Some(responses) = responses.get(&operation.method)
                {
                    added.extend(builder.rewrite(item, operation, responses));
                }
            }
            _ => {}
        }
    }
    items.extend(added);
    builders
}

/// The fields of a builder.
struct Builder {
    name: Ident,
    /// The names of the fields with the client and the options, which differ from those of parameters.
    client: Ident,
    options: Ident,
    arguments: Vec<Argument>,
    /// The other parameters, and the body.
    setters: Vec<String>,
    /// Sentences about the documented errors, if there are any.
    errors: Option<String>,
}

impl Builder {
    /// Makes the builder own its client, take options, and have path parameters without `Result`.
    fn of(item: &mut ItemStruct, operation: &Operation) -> Self {
        item.generics = Generics::default();
        let mut builder = Self {
            name: item.ident.clone(),
            client: format_ident!("client"),
            options: format_ident!("options"),
            arguments: Vec::new(),
            setters: Vec::new(),
            errors: None,
        };
        let Fields::Named(fields) = &mut item.fields else {
            return builder;
        };
        let mut types = BTreeMap::new();
        for (index, field) in fields.named.iter_mut().enumerate() {
            let Some(ident) = field.ident.clone() else {
                continue;
            };
            if index == 0 {
                field.ty = parse_quote!(crate::Client);
                builder.client = ident.clone();
            } else if operation.path_parameters.contains(&plain(&ident)) {
                if let Some(ty) = first_argument(&field.ty).cloned() {
                    field.ty = ty.clone();
                    types.insert(plain(&ident), (ident.clone(), ty));
                }
            } else {
                builder.setters.push(plain(&ident));
            }
            if ident == "options" {
                builder.options = format_ident!("_options");
            }
        }
        let options = &builder.options;
        let added: syn::FieldsNamed =
            parse_quote!({ #options: ::std::option::Option<crate::RequestOptions> });
        for field in added.named {
            fields.named.insert(1, field);
        }
        builder.arguments = operation
            .path_parameters
            .iter()
            .filter_map(|name| types.remove(name))
            .collect();
        item.attrs.retain(|attribute| !is_doc(attribute));
        let stream = operation.stream.as_ref().map(|stream| &stream.format);
        let list = match (&operation.paging, stream) {
            (Some(_), _) => {
                " Its response is a page of a list, which [`items`](Self::items) reads to its end."
            }
            (None, Some(StreamFormat::Events(_))) => {
                " [`events`](Self::events) reads its server-sent events."
            }
            (None, Some(StreamFormat::Lines)) => " [`lines`](Self::lines) reads its JSON lines.",
            (None, None) => "",
        };
        let text = format!(
            " A request of [`{method}`](crate::Client::{method}): `{heading}`. It is sent by awaiting it, or by \
             [`send`](Self::send).{list}",
            method = operation.method,
            heading = operation.heading,
        );
        item.attrs.insert(0, docs::attribute(&text));
        item.attrs
            .push(parse_quote!(#[must_use = "a request does nothing until it is awaited or sent"]));
        builder
    }

    /// Rewrites the methods. Returns the additional items.
    fn rewrite(
        &self,
        item: &mut ItemImpl,
        operation: &Operation,
        responses: &Responses,
    ) -> Vec<Item> {
        let Self {
            name,
            client,
            options,
            ..
        } = self;
        item.generics = Generics::default();
        item.self_ty = parse_quote!(#name);
        let mut request = None;
        item.items.retain_mut(|item| {
            let ImplItem::Fn(function) = item else {
                return true;
            };
            let ident = plain(&function.sig.ident);
            match ident.as_str() {
                "new" => self.constructor(function),
                "send" => {
                    request = request::statements(function, client, &self.arguments);
                    return false;
                }
                // progenitor's items of all pages, of services that use dropshot.
                "stream" if function.sig.inputs.len() == 1 => return false,
                _ if operation.path_parameters.contains(&ident) => return false,
                _ => request::convert(function),
            }
            true
        });
        let Some(mut request) = request else {
            return Vec::new();
        };
        let (spec, paging, stream) = (&operation.spec, &operation.paging, &operation.stream);
        let Responses { success, error } = responses;
        let (output, error_body) = (&success.ty, &error.ty);
        let decode = success.decode();
        let decode_error = error.decode_error();
        let is_streamed = responses.is_streamed_by_status();
        // A union of the successes has no id of its own.
        let identity = operation.identity.as_ref().filter(|_| !success.is_union());
        let identity = identity.map(|identity| identity.functions(output));
        let key = (operation.idempotency_key == IdempotencyKey::Parameter).then(|| {
            quote!(
                const HAS_IDEMPOTENCY_KEY: bool = true;
            )
        });
        let takes_key = operation.idempotency_key == IdempotencyKey::User;
        let mut operation: ItemImpl = parse_quote! {
            impl crate::Operation for #name {
                type Output = #output;
                const SPEC: &'static crate::transport::Operation = #spec;
                #key
                fn request(self) -> crate::request::Built {}
                fn decode(response: crate::request::Received) -> crate::request::Decoded<Self> {
                    #decode
                }
                #is_streamed
                #identity
            }
        };
        // The statements are moved: in the template, they would be parsed again.
        for item in &mut operation.items {
            if let ImplItem::Fn(function) = item
                && function.sig.ident == "request"
            {
                function.block.stmts = std::mem::take(&mut request);
            }
        }
        let error_bodies: Item = parse_quote! {
            impl crate::ErrorBodies for #name {
                type ErrorBody = #error_body;
                const OPERATION: &'static str = <Self as crate::Operation>::SPEC.id;
                fn decode_error(status: u16, body: &::bytes::Bytes) -> Option<Self::ErrorBody> {
                    #decode_error
                }
            }
        };
        let methods: Item = parse_quote! {
            crate::request::operation!(#name, #client, #options);
        };
        let mut items = vec![Item::Impl(operation), error_bodies, methods];
        if let Some(paging) = paging {
            items.extend(paging::items(name, paging));
        }
        if let Some(stream) = stream {
            items.extend(streams::items(name, stream));
        }
        if takes_key && !self.setters.iter().any(|name| name == "idempotency_key") {
            items.push(parse_quote!(crate::request::idempotency_key!(#name);));
        }
        items
    }

    /// Makes the constructor take the path parameters.
    fn constructor(&self, function: &mut ImplItemFn) {
        let Self {
            client,
            options,
            arguments,
            ..
        } = self;
        let rest = fields_of_self(function).filter(|field| {
            !matches!(&field.member, Member::Named(name)
                if name == client || arguments.iter().any(|(argument, _)| argument == name))
        });
        let rest: Vec<syn::FieldValue> = rest.cloned().collect();
        let parameters = arguments.iter().map(|(name, ty)| quote!(#name: #ty));
        let names = arguments.iter().map(|(name, _)| name);
        *function = parse_quote! {
            pub(super) fn new(#client: &crate::Client, #(#parameters),*) -> Self {
                Self {
                    #client: #client.clone(),
                    #options: ::std::option::Option::None,
                    #(#names,)*
                    #(#rest,)*
                }
            }
        };
    }
}

/// Makes a method of the client take the path parameters. Returns false if it is not an operation.
fn constructor(function: &mut ImplItemFn, builders: &BTreeMap<String, Builder>) -> bool {
    let method = plain(&function.sig.ident);
    let Some(Builder {
        arguments,
        setters,
        errors,
        ..
    }) = builders.get(&method)
    else {
        return false;
    };
    let ident = &function.sig.ident;
    let builder = format_ident!("{}", names::builder_name(&method));
    let parameters = arguments.iter().map(|(name, ty)| {
        if is_string(ty) {
            quote!(#name: impl ::std::convert::Into<#ty>)
        } else {
            quote!(#name: #ty)
        }
    });
    let values = arguments.iter().map(|(name, ty)| {
        if is_string(ty) {
            quote!(#name.into())
        } else {
            quote!(#name)
        }
    });
    let example = call(&method, arguments, setters);
    let attrs = documentation(
        std::mem::take(&mut function.attrs),
        &example,
        errors.as_deref(),
    );
    *function = parse_quote! {
        pub fn #ident(&self, #(#parameters),*) -> builder::#builder {
            builder::#builder::new(self, #(#values),*)
        }
    };
    function.attrs = attrs;
    true
}

/// Returns progenitor's documentation of a method with headings, the documented errors, and an example of its own:
/// progenitor's has neither the arguments nor the sending of the request.
fn documentation(attrs: Vec<Attribute>, example: &str, errors: Option<&str>) -> Vec<Attribute> {
    let (docs, others): (Vec<_>, Vec<_>) = attrs.into_iter().partition(is_doc);
    let mut given: Vec<String> = docs.iter().filter_map(docs::text_of).collect();
    // A description may have a block of its own.
    if let Some(fence) = given.iter().rposition(|line| line == " ```text") {
        given.truncate(fence);
    }
    let mut lines: Vec<String> = Vec::new();
    for line in given {
        match line.as_str() {
            " Arguments:" => lines.extend([" # Parameters".to_owned(), String::new()]),
            text if text.starts_with(" Sends a `") && text.ends_with('`') => {
                lines.push(format!("{line}."))
            }
            _ => lines.push(line),
        }
    }
    let mut section = |heading: &str, text: &str| {
        if lines.last().is_some_and(|line| !line.is_empty()) {
            lines.push(String::new());
        }
        let text = text.lines().map(|line| format!(" {line}"));
        lines.extend([format!(" # {heading}"), String::new()]);
        lines.extend(text);
    };
    if let Some(errors) = errors {
        section("Errors", errors);
    }
    section("Examples", &format!("```text\n{example}\n```"));
    let docs = lines.iter().map(|line| docs::attribute(line));
    docs.chain(others).collect()
}

/// Returns a call of a method with all of its setters, for the documentation.
fn call(method: &str, arguments: &[Argument], setters: &[String]) -> String {
    let arguments: Vec<String> = arguments.iter().map(|(name, _)| plain(name)).collect();
    let mut call = format!("let value = client.{method}({})", arguments.join(", "));
    for setter in setters {
        call.push_str(&format!("\n    .{setter}({setter})"));
    }
    let wait = if setters.is_empty() { "" } else { "\n    " };
    format!("{call}{wait}.await?;")
}

fn is_doc(attribute: &Attribute) -> bool {
    attribute.path().is_ident("doc")
}

fn is_string(ty: &Type) -> bool {
    matches!(ty, Type::Path(path)
        if path.path.segments.len() > 1
            && path.path.segments.last().is_some_and(|last| last.ident == "String"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documentation_has_sections() {
        let given = [
            " Lists pets",
            "",
            " ```text",
            " a block of the description",
            " ```",
            "",
            " Sends a `GET` request to `/pets`",
            "",
            " Arguments:",
            " - `limit`",
            " ```text",
            " let response = client.list_pets()",
            " ```",
        ];
        let mut attrs: Vec<Attribute> = given.iter().map(|line| docs::attribute(line)).collect();
        attrs.push(parse_quote!(#[deprecated]));
        let attrs = documentation(
            attrs,
            "let value = client.list_pets().await?;",
            Some("Documented statuses: 404."),
        );
        let function: ImplItemFn = parse_quote! {
            #(#attrs)*
            pub fn list_pets(&self) {}
        };
        let item: ItemImpl = parse_quote!(impl Client { #function });
        let file = syn::File {
            shebang: None,
            frontmatter: None,
            attrs: Vec::new(),
            items: vec![Item::Impl(item)],
        };
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }
}
