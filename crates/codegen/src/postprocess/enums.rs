//! Opens string enums: a value that the document does not list is kept, so a new `status` is not a decode error.

use std::collections::BTreeMap;

use proc_macro2::{Span, TokenTree};
use serde_json::Value;
use syn::{Attribute, Fields, Ident, Item, ItemEnum, LitStr, parse_quote};

use super::docs;
use crate::declaration::Values;
use crate::model::Model;
use crate::names;

/// The traits that `open_enum::values!` implements.
const REPLACED: [&str; 4] = ["Display", "FromStr", "TryFrom", "From"];

/// Returns true if [`open`] will open the item.
pub(super) fn opens(item: &Item) -> bool {
    matches!(item, Item::Enum(item) if string_values(item).is_some())
}

/// Returns true if these are the tokens of an implementation that `open_enum::values!` replaces.
pub(super) fn is_replaced(implementation: &[TokenTree]) -> bool {
    let is_of_trait = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word == "for");
    let Some(end) = implementation.iter().position(is_of_trait) else {
        return false;
    };
    let path = implementation[..end]
        .iter()
        .take_while(|token| !matches!(token, TokenTree::Punct(sign) if sign.as_char() == '<'));
    let name = path.filter_map(|token| match token {
        TokenTree::Ident(word) => Some(word),
        _ => None,
    });
    name.last()
        .is_some_and(|name| REPLACED.iter().any(|replaced| name == replaced))
}

/// Opens every string enum, and returns its values. typify only makes enums without fields `Copy`, so no other type has to
/// change.
pub(super) fn open(file: &mut syn::File) -> Vec<Values> {
    let mut opened = Vec::new();
    for item in &mut file.items {
        if let Item::Enum(item) = item
            && let Some(values) = string_values(item)
        {
            opened.push(open_enum(item, values));
        }
    }
    opened
}

/// The values of enums whose variants the document lists instead, by type name.
pub(super) type Named<'a> = BTreeMap<String, &'a BTreeMap<String, String>>;

pub(super) fn values<'a>(document: &'a Value, model: &'a Model) -> Named<'a> {
    model
        .named_schemas(document)
        .filter(|(_, schema)| !schema.values.is_empty())
        .map(|(name, schema)| (names::type_name(name), &schema.values))
        .collect()
}

/// Restores the values.
pub(super) fn restore_values(file: &mut syn::File, named: &Named<'_>) {
    for item in &mut file.items {
        let Item::Enum(item) = item else { continue };
        let Some(values) = named.get(&item.ident.to_string()) else {
            continue;
        };
        for variant in &mut item.variants {
            let Some(value) = values.get(&variant.ident.to_string()) else {
                continue;
            };
            variant
                .attrs
                .retain(|attribute| !attribute.path().is_ident("serde"));
            variant.attrs.push(parse_quote!(#[serde(rename = #value)]));
        }
    }
}

/// Returns the variant of an enum of strings that has only one.
pub(super) fn only_variant(item: &ItemEnum) -> Option<Ident> {
    match string_values(item)?.as_slice() {
        [(variant, _)] => Some(variant.clone()),
        _ => None,
    }
}

/// Returns the variants and their values if this is an enum of strings.
fn string_values(item: &ItemEnum) -> Option<Vec<(Ident, LitStr)>> {
    let derived = item
        .attrs
        .iter()
        .any(|attribute| derives(attribute, "Deserialize"));
    let shaped = item
        .attrs
        .iter()
        .any(|attribute| attribute.path().is_ident("serde"));
    if !derived || shaped {
        return None;
    }
    item.variants
        .iter()
        .map(|variant| {
            let mut value = LitStr::new(&variant.ident.to_string(), Span::call_site());
            for attribute in variant
                .attrs
                .iter()
                .filter(|attribute| attribute.path().is_ident("serde"))
            {
                let renamed = attribute.parse_args::<syn::MetaNameValue>().ok()?;
                let syn::Expr::Lit(literal) = renamed.value else {
                    return None;
                };
                match literal.lit {
                    syn::Lit::Str(text) if renamed.path.is_ident("rename") => value = text,
                    _ => return None,
                }
            }
            matches!(variant.fields, Fields::Unit).then(|| (variant.ident.clone(), value))
        })
        .collect()
}

fn derives(attribute: &Attribute, name: &str) -> bool {
    let mut found = false;
    if attribute.path().is_ident("derive") {
        // A derive is a list of paths. Anything else derives nothing.
        let _ = attribute.parse_nested_meta(|meta| {
            found |= meta
                .path
                .segments
                .last()
                .is_some_and(|segment| segment.ident == name);
            Ok(())
        });
    }
    found
}

/// Documents the variants and adds one for other values.
fn open_enum(item: &mut ItemEnum, values: Vec<(Ident, LitStr)>) -> Values {
    item.attrs
        .retain(|attribute| attribute.path().is_ident("doc"));
    item.attrs.extend::<[Attribute; 2]>([
        parse_quote!(#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]),
        parse_quote!(#[non_exhaustive]),
    ]);
    for (variant, (_, value)) in item.variants.iter_mut().zip(&values) {
        variant
            .attrs
            .retain(|attribute| attribute.path().is_ident("doc"));
        if variant.attrs.is_empty() {
            variant
                .attrs
                .push(docs::attribute(&format!("`{}`", value.value())));
        }
    }
    let idents: Vec<Ident> = values.iter().map(|(variant, _)| variant.clone()).collect();
    let unknown = names::free_variant(&idents);
    item.variants.push(parse_quote! {
        /// A value that the document doesn't list, as the service sent it.
        #unknown(::std::string::String)
    });
    Values {
        name: item.ident.clone(),
        unknown,
        values,
    }
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;
    use quote::quote;

    use super::*;

    fn file() -> syn::File {
        parse_quote! {
            #[doc = "How it stands."]
            #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Copy, PartialEq)]
            pub enum Status {
                #[serde(rename = "in_progress")]
                InProgress,
                Unknown,
            }
            #[derive(::serde::Deserialize)]
            #[serde(tag = "kind")]
            pub enum Tagged { A, B }
            #[derive(::serde::Deserialize)]
            pub enum Kind { #[serde(rename = "a")] A }
            #[derive(::serde::Deserialize)]
            pub enum VariantKind { #[serde(rename = "a")] A }
            #[derive(::serde::Deserialize)]
            pub enum Only { #[serde(rename = "b")] B }
        }
    }

    #[test]
    fn replaced_implementations_are_those_of_values() {
        let replaced = |implementation: TokenStream| {
            is_replaced(&implementation.into_iter().collect::<Vec<_>>())
        };
        assert!(replaced(quote!(impl ::std::fmt::Display for Status {})));
        assert!(replaced(
            quote!(impl ::std::convert::TryFrom<&str> for Status {})
        ));
        assert!(!replaced(
            quote!(impl ::std::default::Default for Status {})
        ));
        assert!(!replaced(quote!(
            impl<'de> Deserialize<'de> for Status {}
        )));
        assert!(!replaced(quote!(impl From { fn from() {} })));
    }

    #[test]
    fn open_changes_string_enums_only() {
        let mut file = file();
        let values = open(&mut file);
        let values: String = values.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(format!("{}\n{values}", prettyplease::unparse(&file)));

        // The values are read as they are written.
        let mut file = syn::parse_file(&values).unwrap();
        crate::declaration::expand(&mut file.items);
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }
}
