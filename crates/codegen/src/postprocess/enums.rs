//! Opens string enums: a value that the document does not list is kept, so a new `status` is not a decode error.

use std::collections::BTreeMap;

use serde_json::Value;
use syn::visit_mut::VisitMut;
use syn::{Attribute, Fields, Ident, Item, ItemEnum, ItemImpl, parse_quote};

use super::docs;
use super::syntax::implemented;
use crate::model::Model;
use crate::names;

/// The traits that are rewritten for open enums.
const REPLACED: [&str; 4] = ["Display", "FromStr", "TryFrom", "From"];

/// Opens string enums.
pub(super) struct Openings {
    traits: Vec<ItemImpl>,
}

impl Openings {
    pub(super) fn new() -> Self {
        Self { traits: traits() }
    }

    /// Opens every string enum. typify only makes enums without fields `Copy`, so no other type has to change.
    pub(super) fn open(&self, file: &mut syn::File) {
        let mut opened: BTreeMap<String, Vec<(Ident, String)>> = BTreeMap::new();
        for item in &mut file.items {
            if let Item::Enum(item) = item
                && let Some(values) = string_values(item)
            {
                opened.insert(item.ident.to_string(), values);
            }
        }
        if opened.is_empty() {
            return;
        }
        let mut items = Vec::with_capacity(file.items.len());
        for item in std::mem::take(&mut file.items) {
            match item {
                Item::Enum(item) if opened.contains_key(&item.ident.to_string()) => {
                    let values = &opened[&item.ident.to_string()];
                    items.extend(open_enum(&item, values, &self.traits));
                }
                Item::Impl(item)
                    if implemented(&item).is_some_and(|name| opened.contains_key(&name))
                        && implements(&item)
                            .is_some_and(|name| REPLACED.contains(&name.as_str())) => {}
                item => items.push(item),
            }
        }
        file.items = items;
    }
}

/// The values of enums whose variants the document lists instead, by type name.
pub(super) type Values<'a> = BTreeMap<String, &'a BTreeMap<String, String>>;

pub(super) fn values<'a>(document: &'a Value, model: &'a Model) -> Values<'a> {
    model
        .named_schemas(document)
        .filter(|(_, schema)| !schema.values.is_empty())
        .map(|(name, schema)| (names::type_name(name), &schema.values))
        .collect()
}

/// Restores the values.
pub(super) fn restore_values(file: &mut syn::File, named: &Values<'_>) {
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

fn implements(item: &syn::ItemImpl) -> Option<String> {
    item.trait_
        .as_ref()
        .and_then(|(path, _)| path.segments.last())
        .map(|segment| segment.ident.to_string())
}

/// Returns the variants and their values if this is an enum of strings.
fn string_values(item: &ItemEnum) -> Option<Vec<(Ident, String)>> {
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
            let mut value = variant.ident.to_string();
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
                    syn::Lit::Str(text) if renamed.path.is_ident("rename") => value = text.value(),
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

fn open_enum(item: &ItemEnum, values: &[(Ident, String)], traits: &[ItemImpl]) -> Vec<Item> {
    let name = &item.ident;
    let docs: Vec<_> = item
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"))
        .collect();
    let (idents, texts): (Vec<_>, Vec<_>) = values.iter().cloned().unzip();
    let variant_docs = item.variants.iter().zip(&texts).map(|(variant, text)| {
        let docs: Vec<_> = variant
            .attrs
            .iter()
            .filter(|attribute| attribute.path().is_ident("doc"))
            .cloned()
            .collect();
        let fallback = format!("`{text}`");
        if docs.is_empty() {
            vec![docs::attribute(&fallback)]
        } else {
            docs
        }
    });
    let unknown = names::free_variant(&idents);
    let expecting = format!(
        "a string, such as \"{}\"",
        texts.first().map_or("", String::as_str)
    );
    let file: syn::File = parse_quote! {
        #(#docs)*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum #name {
            #( #(#variant_docs)* #idents, )*
            /// A value that the document doesn't list, as the service sent it.
            #unknown(::std::string::String),
        }

        impl #name {
            /// The values that the document lists, in its order.
            pub const KNOWN: &'static [Self] = &[#(Self::#idents),*];

            /// The value as it stands in JSON.
            pub fn as_str(&self) -> &str {
                match self {
                    #( Self::#idents => #texts, )*
                    Self::#unknown(value) => value,
                }
            }

            fn known(value: &str) -> ::std::option::Option<Self> {
                match value {
                    #( #texts => ::std::option::Option::Some(Self::#idents), )*
                    _ => ::std::option::Option::None,
                }
            }
        }
    };
    let mut items = file.items;
    let mut named = Named {
        name,
        unknown: &unknown,
        expecting: &expecting,
    };
    items.extend(traits.iter().cloned().map(|mut item| {
        named.visit_item_impl_mut(&mut item);
        Item::Impl(item)
    }));
    items
}

/// Returns the implementations that all open enums share. Parsing them for each enum would take longer than everything
/// else here.
fn traits() -> Vec<ItemImpl> {
    let items: [ItemImpl; 6] = [
        parse_quote! {
            impl ::std::fmt::Display for Enum {
                fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                    f.pad(self.as_str())
                }
            }
        },
        parse_quote! {
            impl ::std::str::FromStr for Enum {
                type Err = ::std::convert::Infallible;
                fn from_str(value: &str) -> ::std::result::Result<Self, ::std::convert::Infallible> {
                    ::std::result::Result::Ok(Self::from(value))
                }
            }
        },
        parse_quote! {
            impl ::std::convert::From<&str> for Enum {
                fn from(value: &str) -> Self {
                    Self::known(value).unwrap_or_else(|| Self::Unknown(value.to_owned()))
                }
            }
        },
        parse_quote! {
            impl ::std::convert::From<::std::string::String> for Enum {
                fn from(value: ::std::string::String) -> Self {
                    Self::known(&value).unwrap_or(Self::Unknown(value))
                }
            }
        },
        parse_quote! {
            impl ::serde::Serialize for Enum {
                fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                    serializer.serialize_str(self.as_str())
                }
            }
        },
        parse_quote! {
            impl<'de> ::serde::Deserialize<'de> for Enum {
                fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
                    crate::open_enum::deserialize(deserializer, "expecting", Self::known, Self::Unknown)
                }
            }
        },
    ];
    items.into()
}

/// Inserts the names of an enum into the result of [`traits`].
struct Named<'a> {
    name: &'a Ident,
    unknown: &'a Ident,
    expecting: &'a str,
}

impl VisitMut for Named<'_> {
    fn visit_ident_mut(&mut self, ident: &mut Ident) {
        if ident == "Enum" {
            *ident = self.name.clone();
        } else if ident == "Unknown" {
            *ident = self.unknown.clone();
        }
    }

    fn visit_lit_str_mut(&mut self, literal: &mut syn::LitStr) {
        *literal = syn::LitStr::new(self.expecting, literal.span());
    }
}

#[cfg(test)]
mod tests {
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
            impl ::std::fmt::Display for Status {}
            impl ::std::convert::TryFrom<&str> for Status {}
            impl ::std::default::Default for Status {}
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
    fn open_changes_string_enums_only() {
        let mut file = file();
        Openings::new().open(&mut file);
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }
}
