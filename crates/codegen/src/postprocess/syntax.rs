//! Access to the parts of syntax trees that several passes read.

use proc_macro2::TokenTree;
use quote::ToTokens;
use syn::parse::Parse;
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Expr, ExprLit, GenericArgument, Ident, ItemImpl, ItemStruct, ItemUse, Lit, Meta,
    Path, PathArguments, Token, Type, UseTree, parse_quote,
};

/// The arguments of an attribute.
pub(super) type Words = Punctuated<Meta, Token![,]>;

/// Returns the arguments of `#[serde(…)]`, or `None` for any other attribute.
pub(super) fn serde_words(attribute: &Attribute) -> Option<Words> {
    let is_serde = attribute.path().is_ident("serde");
    is_serde.then(|| attribute.parse_args_with(Words::parse_terminated).ok())?
}

/// Returns the function that an argument names, such as `default = "…"`.
pub(super) fn named_function<T: Parse>(word: &Meta) -> Option<T> {
    match word {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(path),
                ..
            }) => path.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the name without the prefix of a raw identifier.
pub(crate) fn plain(ident: &Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}

/// Returns tokens as source, such as `Vec<types::Call>`, without the spaces that tokens are printed with.
pub(crate) fn text(tokens: &impl ToTokens) -> String {
    let is_word = |sign: char| sign.is_alphanumeric() || sign == '_';
    let spaced = tokens.to_token_stream().to_string();
    let mut text = String::with_capacity(spaced.len());
    let mut before = "";
    for word in spaced.split_whitespace() {
        if matches!(before, "," | "impl" | "dyn")
            || (before.ends_with(is_word) && word.starts_with(is_word))
        {
            text.push(' ');
        }
        text.push_str(word);
        before = word;
    }
    text
}

/// Returns the last segment of the type of an `impl`.
pub(crate) fn implemented(item: &ItemImpl) -> Option<String> {
    match item.self_ty.as_ref() {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

/// Returns the wire name of a field, or `None` for a field with several properties (`#[serde(flatten)]`).
pub(super) fn wire_name(field: &syn::Field) -> Option<String> {
    let ident = field.ident.as_ref().map(ToString::to_string);
    let mut name = ident.map(|ident| ident.trim_start_matches("r#").to_owned());
    for attribute in &field.attrs {
        let Meta::List(list) = &attribute.meta else {
            continue;
        };
        if !list.path.is_ident("serde") {
            continue;
        }
        // Every pass asks for the name of every field, so the arguments are not parsed as a syntax tree.
        let mut word = String::new();
        for token in list.tokens.clone() {
            match token {
                TokenTree::Ident(ident) if ident == "flatten" => name = None,
                TokenTree::Ident(ident) => word = ident.to_string(),
                TokenTree::Literal(literal) if word == "rename" => {
                    if let Lit::Str(text) = Lit::new(literal) {
                        name = Some(text.value());
                    }
                }
                _ => {}
            }
        }
    }
    name
}

/// Returns the first type argument, such as the `T` of `Option<T>`.
pub(super) fn first_argument(ty: &Type) -> Option<&Type> {
    arguments(ty).next()
}

/// Returns the `T` of `Option<T>`.
pub(super) fn option(ty: &Type) -> Option<&Type> {
    match ty {
        Type::Path(path) if path.path.segments.last()?.ident == "Option" => first_argument(ty),
        _ => None,
    }
}

/// Returns the type arguments, such as the `T` and the `E` of `Result<T, E>`.
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

/// Removes a path from the derives. Returns true if it was there.
pub(super) fn remove_derive(item: &mut ItemStruct, path: &[&str]) -> bool {
    for attribute in &mut item.attrs {
        if !attribute.path().is_ident("derive") {
            continue;
        }
        let Ok(derives) =
            attribute.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated)
        else {
            continue;
        };
        let others: Vec<&Path> = derives
            .iter()
            .filter(|derive| !is_path(derive, path))
            .collect();
        if others.len() < derives.len() {
            *attribute = parse_quote!(#[derive(#(#others),*)]);
            return true;
        }
    }
    false
}

pub(super) fn is_path(path: &Path, names: &[&str]) -> bool {
    path.segments.iter().map(|segment| &segment.ident).eq(names)
}

/// Returns true if a path of a `use` has a segment `name`.
pub(super) fn uses(item: &ItemUse, name: &str) -> bool {
    fn has(tree: &UseTree, name: &str) -> bool {
        match tree {
            UseTree::Path(path) => path.ident == name || has(&path.tree, name),
            UseTree::Name(item) => item.ident == name,
            UseTree::Rename(item) => item.ident == name,
            UseTree::Group(group) => group.items.iter().any(|tree| has(tree, name)),
            UseTree::Glob(_) => false,
        }
    }
    has(&item.tree, name)
}
