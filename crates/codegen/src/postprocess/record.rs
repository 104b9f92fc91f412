//! Structs are decoded by the types crate's `record::decode!`, which does what serde's derive does and gives the compiler
//! less to do.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{Attribute, Fields, Item, ItemStruct, Meta, Path, Token, parse_quote};

use super::order::wire_name;
use super::structs::{is_path, remove_derive};

/// What stands in `#[serde(…)]`.
type Words = Punctuated<Meta, Token![,]>;

/// Takes `Deserialize` from the derives of each struct that `decode!` can decode, with what serde is told for it alone, and
/// adds the call. What has another word of serde's than that macro knows, such as `flatten`, keeps the derive.
pub(super) fn decode(file: &mut syn::File) {
    let items = std::mem::take(&mut file.items);
    for mut item in items {
        let call = match &mut item {
            Item::Struct(item) => decoded(item),
            _ => None,
        };
        file.items.push(item);
        file.items.extend(call);
    }
}

fn decoded(item: &mut ItemStruct) -> Option<Item> {
    let Fields::Named(fields) = &item.fields else {
        return None;
    };
    let is_serde = |attribute: &Attribute| attribute.path().is_ident("serde");
    if fields.named.is_empty() || item.attrs.iter().any(is_serde) {
        return None;
    }
    let mut rows = Vec::new();
    for (index, field) in fields.named.iter().enumerate() {
        let mut tail = quote!();
        for attribute in field.attrs.iter().filter(|attribute| is_serde(attribute)) {
            let words = attribute.parse_args_with(Words::parse_terminated).ok()?;
            for word in &words {
                match word {
                    Meta::Path(path) if path.is_ident("default") => {
                        tail = quote!(, or_default);
                    }
                    Meta::NameValue(pair) if pair.path.is_ident("default") => {
                        let function = path(&pair.value)?;
                        tail = quote!(, or #function);
                    }
                    // An option that may be null, but must be there.
                    Meta::NameValue(pair) if pair.path.is_ident("deserialize_with") => {
                        let is_option = is_path(
                            &path(&pair.value)?,
                            &["std", "option", "Option", "deserialize"],
                        );
                        if !is_option {
                            return None;
                        }
                        tail = quote!(, must);
                    }
                    word if is_encoding(word) => {}
                    _ => return None,
                }
            }
        }
        let (ident, name) = (&field.ident, wire_name(field)?);
        let index = syn::Index::from(index);
        rows.push(quote!(#index #ident: #name #tail;));
    }
    if !remove_derive(item, &["serde", "Deserialize"]) {
        return None;
    }
    for field in &mut item.fields {
        field
            .attrs
            .retain_mut(|attribute| !is_serde(attribute) || is_left(attribute));
    }
    let ident = &item.ident;
    Some(parse_quote!(
        crate::record::decode! { #ident { #(#rows)* } }
    ))
}

/// The text of a call of the macro, with a row on each line: prettyplease would fill the lines, and a new field would
/// change all that follow. `None` for any other item.
pub(super) fn print(item: &Item) -> Option<String> {
    let Item::Macro(item) = item else {
        return None;
    };
    if !is_path(&item.mac.path, &["crate", "record", "decode"]) {
        return None;
    }
    let mut tokens = item.mac.tokens.clone().into_iter();
    let (Some(name), Some(TokenTree::Group(rows))) = (tokens.next(), tokens.next()) else {
        return None;
    };
    let mut text = format!("crate::record::decode! {{\n    {name} {{\n");
    let rows: Vec<TokenTree> = rows.stream().into_iter().collect();
    let ends = |token: &TokenTree| matches!(token, TokenTree::Punct(sign) if sign.as_char() == ';');
    for row in rows.split(ends) {
        let [index, field, _, name, rule @ ..] = row else {
            continue;
        };
        let rule: TokenStream = rule.iter().cloned().collect();
        // A comma and a word, and perhaps a path.
        let rule = rule.to_string();
        let rule = rule.replace(" , ", ", ").replace(" :: ", "::");
        let rule = rule.replace("< ", "<").replace(" >", ">");
        text.push_str(&format!("        {index} {field}: {name}{rule};\n"));
    }
    text.push_str("    }\n}\n");
    Some(text)
}

/// Whether serde's `Serialize` reads this word.
fn is_encoding(word: &Meta) -> bool {
    ["rename", "skip_serializing_if"]
        .iter()
        .any(|name| word.path().is_ident(name))
}

/// Takes the words that `Deserialize` alone reads; whether there are others.
fn is_left(attribute: &mut Attribute) -> bool {
    let Ok(words) = attribute.parse_args_with(Words::parse_terminated) else {
        return true;
    };
    let left: Vec<&Meta> = words.iter().filter(|word| is_encoding(word)).collect();
    *attribute = parse_quote!(#[serde(#(#left),*)]);
    !left.is_empty()
}

/// The function that serde is told of in a string.
fn path(value: &syn::Expr) -> Option<Path> {
    match value {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_are_decoded_by_the_macro_where_it_can() {
        let mut file: syn::File = parse_quote! {
            #[derive(::serde::Deserialize, ::serde::Serialize, Clone)]
            pub struct Call {
                pub id: u8,
                #[serde(rename = "type", default, skip_serializing_if = "::std::vec::Vec::is_empty")]
                pub type_: ::std::vec::Vec<u8>,
                #[serde(deserialize_with = "::std::option::Option::deserialize")]
                pub agent: ::std::option::Option<u8>,
                #[serde(default = "defaults::default_u64::<u32, 10>")]
                pub limit: u32,
                pub r#loop: ::std::option::Option<bool>,
            }
            #[derive(::serde::Deserialize)]
            pub struct Flat { #[serde(flatten)] pub extra: Map }
            #[derive(::serde::Deserialize)]
            pub struct Other { #[serde(deserialize_with = "other")] pub a: u8 }
            #[derive(::serde::Deserialize)]
            #[serde(deny_unknown_fields)]
            pub struct Denying { pub a: u8 }
            #[derive(::serde::Deserialize)]
            pub struct Empty {}
            #[derive(::serde::Deserialize)]
            pub struct Wrapper(pub u8);
            #[derive(Clone)]
            pub struct Plain { pub a: u8 }
        };
        decode(&mut file);
        insta::assert_snapshot!(prettyplease::unparse(&file));
        let calls: Vec<String> = file.items.iter().filter_map(print).collect();
        insta::assert_snapshot!(calls.join("\n"));
        // However they are laid out, they are the same tokens.
        let tokens = |item: &Item| quote!(#item).to_string().replace(' ', "");
        let made = file.items.iter().filter(|item| print(item).is_some());
        for (call, item) in calls.iter().zip(made) {
            assert_eq!(tokens(&syn::parse_str(call).unwrap()), tokens(item));
        }
    }
}
