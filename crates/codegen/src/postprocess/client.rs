//! The client: no way around the transport, no header that nobody asked for, and the facts about each operation that
//! the transport needs.

use quote::ToTokens as _;
use serde_json::Value;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{Block, Expr, ImplItem, Item, Lit, Pat, Stmt, parse_quote};

use super::order::implemented;
use crate::names;
use crate::security;
use crate::walk;

/// `Client::new` makes an HTTP client of its own, which the transport's rules don't reach (and panics where it can't).
pub(super) fn drop_constructors(file: &mut syn::File) {
    for item in &mut file.items {
        if let Item::Impl(item) = item
            && item.trait_.is_none()
            && implemented(item).as_deref() == Some("Client")
        {
            item.items.retain(|item| {
                !matches!(item, ImplItem::Fn(function) if ["new", "new_with_client"].contains(&function.sig.ident.to_string().as_str())
                    && function.sig.receiver().is_none())
            });
        }
    }
    file.items.retain(
        |item| !matches!(item, Item::Impl(item) if item.trait_.is_none() && item.items.is_empty()),
    );
}

/// `prelude` holds nothing but `Client`.
pub(super) fn drop_prelude(file: &mut syn::File) {
    file.items
        .retain(|item| !matches!(item, Item::Mod(module) if module.ident == "prelude"));
}

/// Every request of progenitor's carries `api-version`, which is a habit of one server framework and no header of this
/// API. Where it is the only header, the map of headers goes with it.
pub(super) fn drop_version_header(file: &mut syn::File) {
    VersionHeader.visit_file_mut(file);
}

struct VersionHeader;

impl VisitMut for VersionHeader {
    fn visit_block_mut(&mut self, block: &mut Block) {
        visit_mut::visit_block_mut(self, block);
        let before = block.stmts.len();
        block.stmts.retain(|statement| !sets_version(statement));
        if block.stmts.len() == before {
            return;
        }
        let mut appends = Appends(false);
        appends.visit_block(block);
        if appends.0 {
            return;
        }
        block.stmts.retain(|statement| !declares_map(statement));
        for statement in &mut block.stmts {
            HeadersCall.visit_stmt_mut(statement);
        }
    }
}

/// `header_map.append(HeaderName::from_static("api-version"), …)`; a parameter of that name, which is a header that the
/// document asks for, is appended by its text.
fn sets_version(statement: &Stmt) -> bool {
    let Stmt::Expr(Expr::MethodCall(call), _) = statement else {
        return false;
    };
    let Some(Expr::Call(name)) = call.args.first() else {
        return false;
    };
    let is_constant = matches!(name.func.as_ref(), Expr::Path(path)
        if path.path.segments.last().is_some_and(|last| last.ident == "from_static"));
    let is_version = matches!(name.args.first(), Some(Expr::Lit(literal))
        if matches!(&literal.lit, Lit::Str(text) if text.value() == "api-version"));
    call.method == "append" && is_constant && is_version
}

/// Whether anything is appended to the map of headers.
struct Appends(bool);

impl<'ast> Visit<'ast> for Appends {
    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.0 |= call.method == "append"
            && matches!(call.receiver.as_ref(), Expr::Path(path) if path.path.is_ident("header_map"));
        visit::visit_expr_method_call(self, call);
    }
}

fn declares_map(statement: &Stmt) -> bool {
    match statement {
        Stmt::Local(local) => matches!(&local.pat, Pat::Ident(name) if name.ident == "header_map"),
        _ => false,
    }
}

struct HeadersCall;

impl VisitMut for HeadersCall {
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        visit_mut::visit_expr_mut(self, expression);
        if let Expr::MethodCall(call) = expression
            && call.method == "headers"
            && call.args.first().is_some_and(
                |argument| matches!(argument, Expr::Path(path) if path.path.is_ident("header_map")),
            )
        {
            *expression = (*call.receiver).clone();
        }
    }
}

/// A table of what the transport must know of each operation and progenitor doesn't say: its path, its security, and
/// whether its body is handed on as a stream.
pub(super) fn add_operations(file: &mut syn::File, document: &Value) {
    let mut streamed = streamed(file);
    streamed.extend(streamed_by_status(document));
    let schemes = security::SecuritySchemes::of(document);
    let arms = walk::operations(document)
        .into_iter()
        .filter_map(|operation| {
            let id = names::method_name(operation.id()?);
            // The transport compares it with the URL, which has neither what is no character of a URL nor the query here.
            let path = super::wire::encoded(operation.path);
            let path = path.split('?').next().unwrap_or_default();
            let auth = schemes
                .operation(operation.object)
                .tokens(&quote::quote!(call_api_transport));
            let body = if streamed.contains(&id) {
                quote::quote!(Streamed)
            } else {
                quote::quote!(Buffered)
            };
            let arm: syn::Arm = parse_quote! {
                #id => &Operation {
                    id: #id,
                    path: #path,
                    auth: #auth,
                    body: ResponseBody::#body,
                },
            };
            Some(arm)
        });
    let operations: syn::ItemFn = parse_quote! {
        /// What the transport has to know of an operation, by the id that the builders hand to the hooks.
        pub(crate) fn operation(id: &str) -> &'static call_api_transport::Operation {
            use call_api_transport::{Auth, Operation, ResponseBody};
            match id {
                #(#arms)*
                _ => &Operation { id: "unknown", path: "", auth: Auth::None, body: ResponseBody::Buffered },
            }
        }
    };
    file.items.push(Item::Fn(operations));
}

/// The operations of whose successes one is a stream of bytes, by the table of the rule `responses-by-status`.
fn streamed_by_status(document: &Value) -> Vec<String> {
    let operations = walk::operations(document)
        .into_iter()
        .filter_map(|operation| {
            let table = operation
                .object
                .get("x-codegen")?
                .get("responses")?
                .get("success")?
                .as_array()?;
            let bytes = table.iter().any(|entry| entry.get("bytes").is_some());
            bytes
                .then(|| operation.id().map(names::method_name))
                .flatten()
        });
    operations.collect()
}

/// The operations whose success is a stream of bytes, by what their `send` answers.
fn streamed(file: &syn::File) -> std::collections::BTreeSet<String> {
    let mut streamed = std::collections::BTreeSet::new();
    let modules = file.items.iter().filter_map(|item| match item {
        Item::Mod(module) if module.ident == "builder" => module.content.as_ref(),
        _ => None,
    });
    for item in modules.flat_map(|(_, items)| items) {
        let Item::Impl(item) = item else { continue };
        for function in item.items.iter() {
            let ImplItem::Fn(function) = function else {
                continue;
            };
            let output = function.sig.output.to_token_stream().to_string();
            if function.sig.ident == "send"
                && output.contains("Result < ResponseValue < ByteStream >")
                && let Some(id) = operation_id(function)
            {
                streamed.insert(id);
            }
        }
    }
    streamed
}

/// The id that a `send` hands to the hooks.
pub(super) fn operation_id(function: &syn::ImplItemFn) -> Option<String> {
    struct Find(Option<String>);
    impl<'ast> syn::visit::Visit<'ast> for Find {
        fn visit_field_value(&mut self, field: &'ast syn::FieldValue) {
            if let (syn::Member::Named(name), Expr::Lit(literal)) = (&field.member, &field.expr)
                && name == "operation_id"
                && let syn::Lit::Str(text) = &literal.lit
            {
                self.0 = Some(text.value());
            }
        }
    }
    let mut find = Find(None);
    syn::visit::Visit::visit_impl_item_fn(&mut find, function);
    find.0
}

/// progenitor prints a type as its tokens, with blanks between them, where it says what a parameter couldn't become.
pub(super) fn tidy_messages(file: &mut syn::File) {
    struct Messages;
    impl VisitMut for Messages {
        fn visit_lit_str_mut(&mut self, literal: &mut syn::LitStr) {
            let text = literal.value();
            if text.starts_with("conversion to `") {
                let text = text
                    .replace(" ::", "::")
                    .replace(":: ", "::")
                    .replace(" <", "<");
                let text = text
                    .replace("< ", "<")
                    .replace(" >", ">")
                    .replace("to `::", "to `");
                *literal = syn::LitStr::new(&text, literal.span());
            }
        }
    }
    Messages.visit_file_mut(file);
}

/// The methods of the client: one for each operation.
pub(crate) fn methods(file: &syn::File) -> std::collections::BTreeSet<String> {
    let impls = file.items.iter().filter_map(|item| match item {
        Item::Impl(item)
            if item.trait_.is_none() && implemented(item).as_deref() == Some("Client") =>
        {
            Some(item)
        }
        _ => None,
    });
    impls
        .flat_map(|item| &item.items)
        .filter_map(|item| match item {
            ImplItem::Fn(function) => Some(
                function
                    .sig
                    .ident
                    .to_string()
                    .trim_start_matches("r#")
                    .to_owned(),
            ),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_version_header_goes_and_others_stay() {
        let mut file: syn::File = parse_quote! {
            async fn alone() {
                let mut header_map = HeaderMap::with_capacity(1usize);
                header_map.append(HeaderName::from_static("api-version"), HeaderValue::from_static(version()));
                let mut request = client.get(url).header(A, B).headers(header_map).build()?;
            }
            async fn with_another() {
                let mut header_map = HeaderMap::with_capacity(2usize);
                header_map.append(HeaderName::from_static("api-version"), HeaderValue::from_static(version()));
                header_map.append("trace", value.to_string().try_into()?);
                let mut request = client.get(url).headers(header_map).build()?;
            }
        };
        drop_version_header(&mut file);
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }

    #[test]
    fn messages_name_types_as_people_write_them() {
        let mut file: syn::File = parse_quote! {
            fn f() { "conversion to `:: std :: vec :: Vec < :: uuid :: Uuid >` for ids failed".to_string() }
        };
        tidy_messages(&mut file);
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }

    #[test]
    fn the_client_is_made_by_hand_and_knows_its_operations() {
        let document = json!({
            "security": [{"key": []}],
            "components": {"securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
                "token": {"type": "http", "scheme": "Bearer"},
            }},
            "paths": {
                "/a/{id}": {"get": {"operationId": "getA", "security": [{"token": []}]}, "put": {"operationId": "putA", "security": []}},
                "/b": {"get": {"operationId": "b"}},
            },
        });
        let mut file: syn::File = parse_quote! {
            impl Client { pub fn new() {} pub fn new_with_client() {} }
            impl Client { pub fn get_a(&self) {} pub fn r#type(&self) {} }
            pub mod builder {
                impl<'a> B<'a> {
                    pub async fn send(self) -> Result<ResponseValue<ByteStream>, Error<()>> {
                        let info = OperationInfo { operation_id: "b" };
                    }
                }
            }
            pub mod prelude { pub use super::Client; }
        };
        drop_constructors(&mut file);
        drop_prelude(&mut file);
        assert_eq!(
            methods(&file).into_iter().collect::<Vec<_>>(),
            ["get_a", "type"]
        );
        add_operations(&mut file, &document);
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }
}
