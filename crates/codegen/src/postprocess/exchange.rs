//! The `send` of an operation holds what differs between operations, and calls the client crate's `exchange` for the rest.
//!
//! progenitor writes all of it into each `send`, and an `async fn` that waits in five places costs the compiler far more than
//! a call does.

use quote::{ToTokens, quote};
use syn::{Arm, Expr, ExprMatch, ImplItem, ImplItemFn, Item, Lit, Pat, Stmt, Type, parse_quote};

use super::client::operation_id;
use super::order::implemented;
use super::responses;

/// Has each `send` make its request in a function of its own, without `async`, and hand it on; a `send` that looks other
/// than expected stays as it is.
pub(super) fn share(file: &mut syn::File) {
    let builders = file.items.iter_mut().filter_map(|item| match item {
        Item::Mod(module) if module.ident == "builder" => module.content.as_mut(),
        _ => None,
    });
    for item in builders.flat_map(|(_, items)| items) {
        let Item::Impl(item) = item else { continue };
        let Some(name) = implemented(item) else {
            continue;
        };
        for item in &mut item.items {
            if let ImplItem::Fn(function) = item
                && function.sig.ident == "send"
                && let Some(statements) = shared(function, &name)
            {
                function.block.stmts = statements;
            }
        }
    }
}

fn shared(function: &ImplItemFn, builder: &str) -> Option<Vec<Stmt>> {
    let [
        parts,
        before @ ..,
        request,
        _info,
        pre,
        result,
        post,
        response,
        answer,
    ] = function.block.stmts.as_slice()
    else {
        return None;
    };
    let usual = [
        (pre, quote!(client.pre(&mut request, &info).await?;)),
        (
            result,
            quote!(let result = client.exec(request, &info).await;),
        ),
        (post, quote!(client.post(&result, &info).await?;)),
        (response, quote!(let response = result?;)),
    ];
    let is_usual = usual
        .iter()
        .all(|(statement, expected)| text(statement) == expected.to_string());
    let waits = before
        .iter()
        .any(|statement| text(statement).contains(". await"));
    let request = built(request)?;
    if !is_usual || waits {
        return None;
    }
    let parts = destructured(parts)?;
    let id = operation_id(function)?;
    let error = error_type(&function.sig.output)?;
    let builder = quote::format_ident!("{builder}");
    let mut statements: Vec<Stmt> = parse_quote! {
        fn request(builder: #builder<'_>) -> Result<reqwest::RequestBuilder, #error> {
            let #builder { #parts } = builder;
            #(#before)*
            Ok(#request)
        }
        let client = self.client;
    };
    statements.extend::<Vec<Stmt>>(match answered(answer) {
        Some((how, success, errors)) => parse_quote! {
            crate::exchange::#how(client, request(self), #id, #success, &[#(#errors),*]).await
        },
        None => parse_quote! {
            let response = crate::exchange::response(client, request(self), #id).await?;
            #answer
        },
    });
    Some(statements)
}

fn text(tokens: &impl ToTokens) -> String {
    tokens.to_token_stream().to_string()
}

/// What is built into the request in `let mut request = ….build()?`.
fn built(statement: &Stmt) -> Option<&Expr> {
    let Stmt::Local(local) = statement else {
        return None;
    };
    let Expr::Try(tried) = local.init.as_ref()?.expr.as_ref() else {
        return None;
    };
    match tried.expr.as_ref() {
        Expr::MethodCall(call) if call.method == "build" && text(&local.pat) == "mut request" => {
            Some(&call.receiver)
        }
        _ => None,
    }
}

/// The fields in `let Self { client, … } = self;`.
fn destructured(
    statement: &Stmt,
) -> Option<&syn::punctuated::Punctuated<syn::FieldPat, syn::Token![,]>> {
    match statement {
        Stmt::Local(local) => match &local.pat {
            Pat::Struct(pattern) if pattern.path.is_ident("Self") => Some(&pattern.fields),
            _ => None,
        },
        _ => None,
    }
}

/// The error in `Result<…, Error<…>>`.
fn error_type(output: &syn::ReturnType) -> Option<&Type> {
    let syn::ReturnType::Type(_, ty) = output else {
        return None;
    };
    responses::arguments(ty).last()
}

/// The function that answers as this `match` on the status does, with the statuses of a success and of the errors.
fn answered(statement: &Stmt) -> Option<(syn::Ident, Pat, Vec<Pat>)> {
    let Stmt::Expr(Expr::Match(ExprMatch { expr, arms, .. }), None) = statement else {
        return None;
    };
    let [success, errors @ .., last] = arms.as_slice() else {
        return None;
    };
    let (json, empty, error, unexpected) = (
        quote!(ResponseValue::from_response(response).await),
        quote!(Ok(ResponseValue::empty(response))),
        quote!(Err(Error::ErrorResponse(
            ResponseValue::from_response(response).await?
        ))),
        quote!(_ => Err(Error::UnexpectedResponse(response))),
    );
    let is = |arm: &Arm, expected: &proc_macro2::TokenStream| {
        text(&unblocked(&arm.body)) == expected.to_string()
    };
    let how = if is(success, &json) {
        "json"
    } else if is(success, &empty) {
        "empty"
    } else {
        return None;
    };
    if text(expr) != quote!(response.status().as_u16()).to_string()
        || text(last).trim_end_matches([',', ' ']) != unexpected.to_string()
        || !errors.iter().all(|arm| is(arm, &error))
    {
        return None;
    }
    let errors = errors
        .iter()
        .map(|arm| range(&arm.pat))
        .collect::<Option<_>>()?;
    Some((quote::format_ident!("{how}"), range(&success.pat)?, errors))
}

/// The expression in a block that has nothing else.
fn unblocked(body: &Expr) -> &Expr {
    match body {
        Expr::Block(block) => match block.block.stmts.as_slice() {
            [Stmt::Expr(expression, None)] => expression,
            _ => body,
        },
        _ => body,
    }
}

/// A status, or a range of them, as a range.
fn range(pattern: &Pat) -> Option<Pat> {
    let status = |literal: &syn::ExprLit| match &literal.lit {
        Lit::Int(number) => number
            .base10_parse()
            .ok()
            .map(proc_macro2::Literal::u16_unsuffixed),
        _ => None,
    };
    let (first, last) = match pattern {
        Pat::Lit(literal) => (status(literal)?, status(literal)?),
        Pat::Range(range) => match (range.start.as_deref(), range.end.as_deref()) {
            (Some(Expr::Lit(first)), Some(Expr::Lit(last))) => (status(first)?, status(last)?),
            _ => return None,
        },
        _ => return None,
    };
    Some(parse_quote!(#first..=#last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(answer: proc_macro2::TokenStream) -> syn::File {
        parse_quote! {
            pub mod builder {
                impl<'a> GetPet<'a> {
                    pub async fn send(self) -> Result<ResponseValue<types::Pet>, Error<types::Oh>> {
                        let Self { client, id } = self;
                        let id = id.map_err(Error::InvalidRequest)?;
                        let url = format!("{}/pets/{}", client.baseurl, encode_path(&id.to_string()));
                        #[allow(unused_mut)]
                        let mut request = client.client.get(url).build()?;
                        let info = OperationInfo { operation_id: "get_pet" };
                        client.pre(&mut request, &info).await?;
                        let result = client.exec(request, &info).await;
                        client.post(&result, &info).await?;
                        let response = result?;
                        #answer
                    }
                }
            }
        }
    }

    fn shown(mut file: syn::File) -> String {
        share(&mut file);
        prettyplease::unparse(&file)
    }

    #[test]
    fn what_operations_have_in_common_is_called() {
        let json = shown(file(quote! {
            match response.status().as_u16() {
                200u16..=299u16 => ResponseValue::from_response(response).await,
                404u16 => Err(Error::ErrorResponse(ResponseValue::from_response(response).await?)),
                500u16..=599u16 => { Err(Error::ErrorResponse(ResponseValue::from_response(response).await?)) }
                _ => Err(Error::UnexpectedResponse(response)),
            }
        }));
        let empty = shown(file(quote! {
            match response.status().as_u16() {
                204u16 => Ok(ResponseValue::empty(response)),
                _ => Err(Error::UnexpectedResponse(response)),
            }
        }));
        let other = shown(file(quote! {
            match response.status().as_u16() {
                200u16 => Ok(ResponseValue::stream(response)),
                _ => Err(Error::UnexpectedResponse(response)),
            }
        }));
        insta::assert_snapshot!([json, empty, other].join("\n"));
    }

    #[test]
    fn what_looks_other_than_expected_stays() {
        let answer = quote!(match response.status().as_u16() {
            _ => Err(Error::UnexpectedResponse(response)),
        });
        let written = prettyplease::unparse(&file(answer));
        for (usual, other) in [
            (
                "client.pre(&mut request, &info)",
                "client.pre(&mut request, &about)",
            ),
            ("let mut request = client", "let mut request_ = client"),
            ("let Self { client, id } = self;", "let id = self.id;"),
            ("id.map_err(Error::InvalidRequest)?", "id.await"),
        ] {
            let changed = written.replace(usual, other);
            assert_ne!(changed, written, "{usual}");
            let file = syn::parse_file(&changed).unwrap();
            assert_eq!(shown(file.clone()), prettyplease::unparse(&file), "{usual}");
        }
    }
}
