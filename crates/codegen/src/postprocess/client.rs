//! Corrections of progenitor's client: an undocumented header, an empty module, messages.

use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Block, Expr, ImplItem, Item, Lit, Pat, Stmt};

use super::syntax::implemented;

/// Removes `mod prelude`, which only has `Client`.
pub(super) fn drop_prelude(file: &mut syn::File) {
    file.items
        .retain(|item| !matches!(item, Item::Mod(module) if module.ident == "prelude"));
}

/// Removes the `api-version` header, which progenitor adds for one server framework. Without another header, the header
/// map is removed, too.
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

/// Returns true for `header_map.append(HeaderName::from_static("api-version"), …)`. A documented header parameter with
/// that name is appended by its text.
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

/// True if a header is appended to the map.
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

/// Returns the operation id that `send` passes to the hooks.
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

/// Removes the spaces between the tokens of types in error messages.
pub(super) fn tidy_messages(file: &mut syn::File) {
    struct Messages;
    impl VisitMut for Messages {
        // Documentation is most of the literals.
        fn visit_attribute_mut(&mut self, _: &mut Attribute) {}

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

/// Returns the methods of the client, one per operation.
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
    use syn::parse_quote;

    #[test]
    fn only_the_version_header_is_removed() {
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
    fn messages_have_idiomatic_types() {
        let mut file: syn::File = parse_quote! {
            fn f() { "conversion to `:: std :: vec :: Vec < :: uuid :: Uuid >` for ids failed".to_string() }
        };
        tidy_messages(&mut file);
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }
}
