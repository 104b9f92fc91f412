//! Access to the parts of syntax trees that several passes read.

use proc_macro2::{Delimiter, Group, Punct, Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::Parse;
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Expr, ExprLit, FieldValue, GenericArgument, Ident, ImplItemFn, Item, ItemImpl,
    ItemUse, Lit, Meta, Path, PathArguments, Stmt, Token, Type, UseTree, parse_quote,
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

/// Returns tokens as source in one line, such as `Vec<types::Call>`. Printed tokens have a space between any two, and
/// removing spaces from that text would change strings.
pub(crate) fn text(tokens: &impl ToTokens) -> String {
    let mut text = Text::default();
    text.stream(tokens.to_token_stream());
    text.written
}

#[derive(Default)]
struct Text {
    written: String,
    /// The last token is a name, a literal, or a group.
    after_word: bool,
    /// The last token is a sign that a space follows.
    after_space: bool,
    /// The last token is the beginning of a sign with several characters, such as `::`.
    in_sign: bool,
}

impl Text {
    fn stream(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(word) => self.word(&word),
                TokenTree::Literal(word) => self.word(&word),
                TokenTree::Punct(sign) => self.sign(&sign),
                TokenTree::Group(group) => self.group(&group),
            }
        }
    }

    fn word(&mut self, word: &impl ToString) {
        let word = word.to_string();
        let separated = self.after_space || self.after_word;
        if separated && !self.written.is_empty() {
            self.written.push(' ');
        }
        self.written.push_str(&word);
        (self.after_word, self.in_sign) = (true, false);
        // A path after these words is not a part of theirs.
        self.after_space = ["impl", "dyn", "as"].contains(&word.as_str());
    }

    fn sign(&mut self, sign: &Punct) {
        let (name, is_joint) = (sign.as_char(), sign.spacing() == Spacing::Joint);
        let spaced = match name {
            _ if self.in_sign => false,
            ',' | ';' | '?' | '.' | '>' => false,
            '=' => true,
            // A single colon, not that of a path.
            ':' if !is_joint => false,
            _ => self.after_space,
        };
        if spaced && !self.written.is_empty() {
            self.written.push(' ');
        }
        self.written.push(name);
        self.after_space = match name {
            ',' | ';' => true,
            '=' => !is_joint,
            ':' => !is_joint && !self.in_sign,
            _ => false,
        };
        (self.after_word, self.in_sign) = (false, is_joint);
    }

    fn group(&mut self, group: &Group) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::Brace => ("{ ", " }"),
            Delimiter::None => ("", ""),
        };
        let is_block = group.delimiter() == Delimiter::Brace;
        if self.after_space || (self.after_word && is_block) {
            self.written.push(' ');
        }
        self.written.push_str(open);
        (self.after_word, self.after_space, self.in_sign) = (false, false, false);
        self.stream(group.stream());
        self.written.push_str(close);
        (self.after_word, self.after_space, self.in_sign) = (true, false, false);
    }
}

/// Returns the tokens that the item passes to the macro at this path, such as `crate::record::fields!`.
pub(crate) fn passed<'a>(item: &'a Item, path: &[&str]) -> Option<&'a TokenStream> {
    match item {
        Item::Macro(item) if is_path(&item.mac.path, path) => Some(&item.mac.tokens),
        _ => None,
    }
}

/// Returns each part of the tokens that a semicolon ends, as source in one line.
pub(super) fn lines(tokens: TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let ends = |token: &TokenTree| matches!(token, TokenTree::Punct(sign) if sign.as_char() == ';');
    let lines = tokens.split_inclusive(ends);
    lines
        .map(|line| text(&line.iter().cloned().collect::<TokenStream>()))
        .collect()
}

/// Returns the fields of the `Self { … }` at the end of a constructor.
pub(crate) fn fields_of_self(constructor: &ImplItemFn) -> impl Iterator<Item = &FieldValue> {
    let fields = match constructor.block.stmts.last() {
        Some(Stmt::Expr(Expr::Struct(value), None)) => Some(&value.fields),
        _ => None,
    };
    fields.into_iter().flatten()
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
pub(crate) fn first_argument(ty: &Type) -> Option<&Type> {
    arguments(ty).next()
}

/// Returns true if the macro can keep additional properties in the type.
pub(super) fn is_map(ty: &Type) -> bool {
    const PATHS: [&[&str]; 2] = [&["std", "collections", "BTreeMap"], &["serde_json", "Map"]];
    let is = |path: &&[&str]| matches!(ty, Type::Path(ty) if is_path(&ty.path, path));
    PATHS.iter().any(is) && map_values(ty).is_some()
}

/// Returns the type of the values of a map whose keys are plain strings.
pub(super) fn map_values(ty: &Type) -> Option<&Type> {
    let mut arguments = arguments(ty);
    let Type::Path(key) = arguments.next()? else {
        return None;
    };
    is_path(&key.path, &["std", "string", "String"]).then(|| arguments.next())?
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

/// Removes traits from the derives of a type. Returns false if none of them is derived.
pub(super) fn remove_derives(attributes: &mut [Attribute], paths: &[&[&str]]) -> bool {
    let mut removed = false;
    for attribute in attributes {
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
            .filter(|derive| !paths.iter().any(|path| is_path(derive, path)))
            .collect();
        if others.len() < derives.len() {
            *attribute = parse_quote!(#[derive(#(#others),*)]);
            removed = true;
        }
    }
    removed
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

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn text_is_in_one_line_and_keeps_strings() {
        let texts = [
            quote!(&'a ::std::vec::Vec<types::Call>),
            quote!(::std::collections::BTreeMap<::std::string::String, [u8; 2]>),
            quote!(impl ::std::convert::Into<String>),
            quote!(a: "a :: b , c <d > : \"e\"" = Lenient or_default IfPresent),
            quote!(limit: "limit" = Exact or(defaults::limit::<u32, 10>) Always),
            quote!(..extra: Lenient),
            quote!(Tag {
                property: "a",
                values: &[(Text("x"), 0usize), (Number(-1.5f64), 1usize)],
                any: true
            }),
            quote!(
                Map as ::std::boxed::Box<super::Map> = default(|| A::b()),
                Masked
            ),
            quote!(#[deprecated]),
            quote!(a == b && c >= -1 && d != 0..=9),
            quote!(
                fn a(b: &mut ::c::D) -> E {
                    match b {
                        _ => f::<G>(),
                    }
                }
            ),
            quote!(::std::option::Option::None),
        ];
        let texts = texts.map(|tokens| {
            let printed = text(&tokens);
            let again: TokenStream = printed.parse().unwrap();
            let words = |tokens: &TokenStream| tokens.clone().into_iter().count();
            assert_eq!(words(&again), words(&tokens), "{printed}");
            let dense = |tokens: &TokenStream| tokens.to_string().replace(' ', "");
            assert_eq!(dense(&again), dense(&tokens));
            printed
        });
        insta::assert_snapshot!(texts.join("\n"));
    }
}
