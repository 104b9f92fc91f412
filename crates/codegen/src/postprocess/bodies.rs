//! Optional bodies: progenitor's builders always send a body.

use std::collections::BTreeSet;

use serde_json::Value;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, ImplItem, ImplItemFn, Item, Stmt, parse_quote};

use super::builder;
use super::syntax::{first_argument, implemented};
use super::wire::header_constant;
use crate::model::Model;
use crate::{names, walk};

/// Sends an optional body only if the caller has set it.
pub(super) fn optional(file: &mut syn::File, document: &Value, model: &Model) {
    let is_optional = |operation: &&walk::Operation<'_>| {
        let facts = model.operation(&operation.pointer);
        facts.is_some_and(|facts| facts.body.is_optional)
    };
    let optional: BTreeSet<String> = walk::operations(document)
        .iter()
        .filter(is_optional)
        .filter_map(|operation| operation.id().map(names::builder_name))
        .collect();
    for item in builder::items(file) {
        match item {
            Item::Struct(item) if optional.contains(&item.ident.to_string()) => {
                let body = item
                    .fields
                    .iter_mut()
                    .find(|field| field.ident.as_ref().is_some_and(|name| name == "body"));
                if let Some(body) = body
                    && let Some(inner) = first_argument(&body.ty).cloned()
                {
                    body.ty = parse_quote!(Result<Option<#inner>, String>);
                }
            }
            Item::Impl(item) if implemented(item).is_some_and(|name| optional.contains(&name)) => {
                for item in &mut item.items {
                    if let ImplItem::Fn(function) = item {
                        rewrite(function);
                    }
                }
            }
            _ => {}
        }
    }
}

fn rewrite(function: &mut ImplItemFn) {
    match function.sig.ident.to_string().as_str() {
        "new" => Unset.visit_block_mut(&mut function.block),
        "body" => {
            for statement in &mut function.block.stmts {
                if let Stmt::Expr(Expr::Assign(assign), _) = statement {
                    let value = &assign.right;
                    *assign.right = parse_quote!(#value.map(Some));
                }
            }
            function.attrs.insert(
                0,
                parse_quote!(#[doc = "Sets the body. Without one, the request has no body."]),
            );
        }
        "body_map" => {
            function.block.stmts = parse_quote! {
                self.body = self.body.map(|body| Some(f(body.unwrap_or_default())));
                self
            };
            function.attrs.insert(
                0,
                parse_quote!(#[doc = "Changes the body, which starts without any property."]),
            );
        }
        "send" => Sent { is_done: false }.visit_block_mut(&mut function.block),
        _ => {}
    }
}

/// Initializes the body as unset.
struct Unset;

impl VisitMut for Unset {
    fn visit_field_value_mut(&mut self, field: &mut syn::FieldValue) {
        if matches!(&field.member, syn::Member::Named(name) if name == "body") {
            field.expr = parse_quote!(Ok(None));
        }
    }
}

/// Builds and sends the body only if it is set.
struct Sent {
    is_done: bool,
}

impl VisitMut for Sent {
    fn visit_local_mut(&mut self, local: &mut syn::Local) {
        let is_body = matches!(&local.pat, syn::Pat::Ident(name) if name.ident == "body");
        if is_body {
            Finish.visit_local_mut(local);
        } else {
            visit_mut::visit_local_mut(self, local);
        }
    }

    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        if self.is_done {
            return;
        }
        let Some(call) = body_call(expression) else {
            visit_mut::visit_expr_mut(self, expression);
            return;
        };
        // The media type of the body belongs to it.
        let mut receiver = &mut call.receiver;
        while let Expr::MethodCall(inner) = receiver.as_mut() {
            if header_constant(inner).is_none_or(|name| name != "CONTENT_TYPE") {
                break;
            }
            let Expr::MethodCall(inner) = receiver.as_mut() else {
                return;
            };
            receiver = &mut inner.receiver;
        }
        let before = std::mem::replace(receiver.as_mut(), parse_quote!(request));
        *expression = parse_quote!({
            let request = #before;
            match body {
                Some(body) => #expression,
                None => request,
            }
        });
        self.is_done = true;
    }
}

/// Returns the call that sets the body of the request, if this is it.
fn body_call(expression: &mut Expr) -> Option<&mut syn::ExprMethodCall> {
    match expression {
        Expr::MethodCall(call) if call.method == "json" || call.method == "body" => Some(call),
        Expr::Try(tried) => match tried.expr.as_mut() {
            Expr::MethodCall(call) if call.method == "form_urlencoded" => Some(call),
            _ => None,
        },
        _ => None,
    }
}

/// Moves `and_then` into the `Option`.
struct Finish;

impl VisitMut for Finish {
    fn visit_expr_method_call_mut(&mut self, call: &mut syn::ExprMethodCall) {
        if call.method == "and_then"
            && let Some(finish) = call.args.first_mut()
        {
            *finish = parse_quote!(|body| body.map(#finish).transpose());
        } else {
            visit_mut::visit_expr_method_call_mut(self, call);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pointer::Pointer;
    use serde_json::json;

    #[test]
    fn optional_body_is_sent_if_set() {
        let document = json!({"paths": {"/a": {
            "put": {"operationId": "json"},
            "post": {"operationId": "raw"},
            "patch": {"operationId": "form"},
            "delete": {"operationId": "must"},
        }}});
        let mut model = Model::default();
        for method in ["put", "post", "patch"] {
            let place = Pointer::root().join("paths").join("/a").join(method);
            model.operation_mut(&place).body.is_optional = true;
        }
        let mut file: syn::File = parse_quote! {
            pub mod builder {
                pub struct Json<'a> { client: &'a super::Client, body: Result<types::builder::Range, String> }
                impl<'a> Json<'a> {
                    pub fn new(client: &'a super::Client) -> Self {
                        Self { client: client, body: Ok(::std::default::Default::default()) }
                    }
                    pub fn body<V>(mut self, value: V) -> Self {
                        self.body = value.try_into().map(From::from).map_err(|s| format!("no: {}", s));
                        self
                    }
                    pub fn body_map<F>(mut self, f: F) -> Self {
                        self.body = self.body.map(f);
                        self
                    }
                    pub async fn send(self) -> Result<ResponseValue<()>, Error<()>> {
                        let Self { client, body } = self;
                        let body = body
                            .and_then(|v| types::Range::try_from(v).map_err(|e| e.to_string()))
                            .map_err(Error::InvalidRequest)?;
                        let mut request = client.client.put(url).header(ACCEPT, json).json(&body).query(&q).build()?;
                    }
                }
                impl<'a> Raw<'a> {
                    pub async fn send(self) {
                        let body = body.map_err(Error::InvalidRequest)?;
                        let mut request = client
                            .client
                            .post(url)
                            .header(::reqwest::header::ACCEPT, json)
                            .header(::reqwest::header::CONTENT_TYPE, bytes)
                            .body(body)
                            .build()?;
                    }
                }
                impl<'a> Form<'a> {
                    pub async fn send(self) {
                        let mut request = client.client.patch(url).form_urlencoded(&body)?.headers(map).build()?;
                    }
                }
                impl<'a> Must<'a> {
                    pub async fn send(self) {
                        let mut request = client.client.delete(url).json(&body).build()?;
                    }
                }
            }
        };
        optional(&mut file, &document, &model);
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }
}
