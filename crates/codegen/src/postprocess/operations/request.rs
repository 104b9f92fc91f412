//! Reads how progenitor builds a request: in `send`, and in the setters of a builder.

use quote::quote;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, Ident, ImplItemFn, Member, Pat, Stmt, Type, parse_quote};

use crate::postprocess::syntax::is_path;
use crate::postprocess::wire::header_constant;
use crate::{declaration, signature};

/// Takes the statements that build the request out of progenitor's `send`.
pub(super) fn statements(
    send: &mut ImplItemFn,
    client: &Ident,
    arguments: &[(Ident, Type)],
) -> Option<Vec<Stmt>> {
    let last = send.block.stmts.iter().position(is_request)?;
    let mut statements = send.block.stmts.drain(..=last);
    let first = statements.next()?;
    let Stmt::Local(request) = statements.next_back()? else {
        return None;
    };
    let is_argument = |statement: &Stmt| {
        local(statement).is_some_and(|local| arguments.iter().any(|(name, _)| name == local))
    };
    let fields = destructured(&first)?.iter();
    let mut built: Vec<Stmt> = vec![parse_quote!(let Self { #(#fields,)* .. } = self;)];
    built.extend(statements.filter(|statement| !is_argument(statement)));
    built.push(Stmt::Expr(ok(*request.init?.expr), None));
    for statement in built.iter_mut().skip(1) {
        Request { client }.visit_stmt_mut(statement);
    }
    Some(built)
}

/// Returns `Ok(request)`.
fn ok(request: Expr) -> Expr {
    let mut ok: syn::ExprCall = parse_quote!(Ok());
    ok.args.push(request);
    Expr::Call(ok)
}

/// Makes a setter convert its value with a function of the client crate, in place of closures of its own. That of an optional
/// parameter takes an `Option`, too.
pub(super) fn convert(setter: &mut ImplItemFn) {
    let ty = signature::converted(setter).filter(|ty| !declaration::converts_any_option(ty));
    let mut takes_option = false;
    for statement in &mut setter.block.stmts {
        if let Stmt::Expr(Expr::Assign(assign), _) = statement
            && let Some((converted, is_optional)) = converted(&assign.right, ty.is_some())
        {
            *assign.right = converted;
            takes_option |= is_optional && ty.is_some();
        }
    }
    if takes_option {
        setter.sig.generics = parse_quote!(<V, By>);
        setter.sig.generics.where_clause =
            Some(parse_quote!(where V: types::convert::IntoOptional<#ty, By>));
    }
}

/// Returns the call that replaces `value.try_into().map(…).map_err(|…| "…")`, and true if the parameter is optional.
fn converted(value: &Expr, takes_option: bool) -> Option<(Expr, bool)> {
    let outer = called(value, "map_err")?;
    let Expr::Closure(closure) = outer.args.first()? else {
        return None;
    };
    let (message, has_cause) = match closure.body.as_ref() {
        Expr::Macro(format) => {
            let mut tokens = format.mac.tokens.clone().into_iter();
            let message: syn::LitStr = syn::parse2(tokens.next()?.into()).ok()?;
            let message = message.value().strip_suffix(": {}")?.to_owned();
            (message, true)
        }
        body => match called(body, "to_string")?.receiver.as_ref() {
            Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(message),
                ..
            }) => (message.value(), false),
            _ => return None,
        },
    };
    let (inner, mapped) = match called(&outer.receiver, "map") {
        Some(map) => (map.receiver.as_ref(), map.args.first()),
        None => (outer.receiver.as_ref(), None),
    };
    let value = &called(inner, "try_into")?.receiver;
    let mapped = match mapped {
        None => None,
        Some(Expr::Path(path)) => Some(&path.path),
        Some(_) => return None,
    };
    let is_optional = mapped.is_some_and(|path| is_path(path, &["Some"]));
    let converted = match (mapped, has_cause) {
        (None, false) => parse_quote!(crate::encode::required(#value, #message)),
        (Some(_), false) if is_optional && takes_option => {
            parse_quote!(crate::encode::optional(#value, #message))
        }
        (Some(_), false) if is_optional => {
            parse_quote!(crate::encode::required(#value, #message).map(Some))
        }
        (Some(path), true) if is_path(path, &["From", "from"]) => {
            parse_quote!(crate::encode::body_builder(#value, #message))
        }
        _ => return None,
    };
    Some((converted, is_optional))
}

/// Returns the call of a method.
fn called<'a>(expression: &'a Expr, method: &str) -> Option<&'a syn::ExprMethodCall> {
    match expression {
        Expr::MethodCall(call) if call.method == method => Some(call),
        _ => None,
    }
}

/// Returns true for `let mut request = ….build()?`.
fn is_request(statement: &Stmt) -> bool {
    let Stmt::Local(syn::Local {
        init: Some(init), ..
    }) = statement
    else {
        return false;
    };
    matches!(init.expr.as_ref(), Expr::Try(tried)
        if matches!(tried.expr.as_ref(), Expr::MethodCall(call) if call.method == "build"))
}

/// Returns the variable that a statement declares.
fn local(statement: &Stmt) -> Option<&Ident> {
    match statement {
        Stmt::Local(local) => match &local.pat {
            Pat::Ident(name) => Some(&name.ident),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the fields in `let Self { client, … } = self;`.
fn destructured(
    statement: &Stmt,
) -> Option<&syn::punctuated::Punctuated<syn::FieldPat, syn::Token![,]>> {
    match statement {
        Stmt::Local(local) => match &local.pat {
            Pat::Struct(pattern) => Some(&pattern.fields),
            _ => None,
        },
        _ => None,
    }
}

/// Returns true for `.header(ACCEPT, HeaderValue::from_static("application/json"))`.
fn accepts_json(call: &syn::ExprMethodCall) -> bool {
    if header_constant(call).is_none_or(|name| name != "ACCEPT") {
        return false;
    }
    let Some(Expr::Call(value)) = call.args.last() else {
        return false;
    };
    matches!(value.args.first(), Some(Expr::Lit(value))
        if matches!(&value.lit, syn::Lit::Str(text) if text.value() == "application/json"))
}

/// Makes the request use the HTTP client, base URL and error type of the client crate.
struct Request<'a> {
    client: &'a Ident,
}

impl VisitMut for Request<'_> {
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        visit_mut::visit_expr_mut(self, expression);
        let client = self.client;
        match expression {
            Expr::Field(field) if matches!(field.base.as_ref(), Expr::Path(path) if path.path.is_ident(client)) => {
                match &field.member {
                    Member::Named(name) if name == "client" => {
                        *expression = parse_quote!(#client.http());
                    }
                    Member::Named(name) if name == "baseurl" => {
                        *expression = parse_quote!(#client.base_url());
                    }
                    _ => {}
                }
            }
            Expr::MethodCall(call) if accepts_json(call) => {
                call.args = parse_quote!(::reqwest::header::ACCEPT, crate::request::JSON);
            }
            Expr::Path(path)
                if path.path.segments.len() == 2
                    && path
                        .path
                        .segments
                        .first()
                        .is_some_and(|first| first.ident == "Error") =>
            {
                *expression = parse_quote!(crate::request::InvalidRequest);
            }
            _ => {}
        }
    }

    fn visit_macro_mut(&mut self, call: &mut syn::Macro) {
        let parser = syn::punctuated::Punctuated::<Expr, syn::Token![,]>::parse_terminated;
        if call.path.is_ident("format")
            && let Ok(mut arguments) = call.parse_body_with(parser)
        {
            for argument in &mut arguments {
                self.visit_expr_mut(argument);
            }
            call.tokens = quote!(#arguments);
        }
    }
}
