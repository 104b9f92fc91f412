//! Parses tokens item by item.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::Item;
use syn::token::Brace;

/// The tokens of an item.
pub(crate) type Tokens = Vec<TokenTree>;

/// Parses items, and frees the tokens of each before the next. All tokens and the whole syntax tree of a large document at
/// once would be most of the memory that the generation needs.
///
/// # Errors
/// Errors if the tokens are not Rust.
pub(crate) fn parse(items: impl IntoIterator<Item = Tokens>) -> Result<syn::File, String> {
    let mut file = syn::File {
        shebang: None,
        frontmatter: None,
        attrs: Vec::new(),
        items: Vec::new(),
    };
    for item in items {
        let item = parse_item(item)?;
        file.attrs.extend(item.attrs);
        file.items.extend(item.items);
    }
    Ok(file)
}

/// Splits tokens into items.
pub(crate) fn items(tokens: TokenStream) -> impl Iterator<Item = Tokens> {
    let is_semicolon =
        |token: &TokenTree| matches!(token, TokenTree::Punct(sign) if sign.as_char() == ';');
    let mut tokens = tokens.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut item = Vec::new();
        while let Some(token) = tokens.next() {
            // Braces end an item, unless a semicolon follows: `use a::{b};`, `const A: B = C {};`.
            let ends = is_semicolon(&token)
                || matches!(&token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
                    && !tokens.peek().is_some_and(is_semicolon);
            item.push(token);
            if ends {
                break;
            }
        }
        (!item.is_empty()).then_some(item)
    })
}

/// Parses one item. The content of a module is parsed item by item.
///
/// # Errors
/// Errors if the tokens are not Rust.
pub(crate) fn parse_item(mut tokens: Tokens) -> Result<syn::File, String> {
    let is_module =
        matches!(tokens.as_slice(), [.., TokenTree::Ident(word), _, _] if word == "mod");
    let content = match is_module.then(|| take_body(&mut tokens)).flatten() {
        Some(content) => Some(parse(items(content))?),
        None => None,
    };
    let mut file: syn::File = syn::parse2(tokens.into_iter().collect())
        .map_err(|error| format!("the generated code is not Rust: {error}"))?;
    if let (Some(content), Some(Item::Mod(module))) = (content, file.items.last_mut()) {
        module.attrs.extend(content.attrs);
        module.content = Some((Brace::default(), content.items));
    }
    Ok(file)
}

/// Removes and returns the tokens between the last braces of an item.
pub(crate) fn take_body(item: &mut [TokenTree]) -> Option<TokenStream> {
    match item.last_mut()? {
        TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => {
            let content = body.stream();
            // Without this, the whole content would stay in memory until the last of its tokens is parsed.
            *body = Group::new(Delimiter::Brace, TokenStream::new());
            Some(content)
        }
        _ => None,
    }
}
