//! Unions that are told apart by a tag: an enum that looks at the tag, and keeps a member whose tag it doesn't know.

use std::collections::{BTreeMap, BTreeSet};

use quote::{format_ident, quote};
use serde_json::Value;
use syn::{Item, parse_quote};

use super::order::implemented;
use crate::generate::reached;
use crate::pointer::Pointer;
use crate::{names, walk};

/// The schemas for which the rule `unions-by-tag` left an object, by their Rust names.
pub(super) struct Unions<'a> {
    document: &'a Value,
    schemas: BTreeMap<String, (&'a String, &'a Value)>,
}

impl<'a> Unions<'a> {
    pub(super) fn of(document: &'a Value) -> Self {
        let schemas = walk::schemas(document)
            .filter(|(_, schema)| {
                schema
                    .get("x-codegen")
                    .is_some_and(|union| union.get("variants").is_some())
            })
            .map(|(name, schema)| (names::type_name(name), (name, schema)))
            .collect();
        Self { document, schemas }
    }

    /// Puts an enum in the place of each of these objects.
    pub(super) fn by_tag(&self, file: &mut syn::File) {
        if self.schemas.is_empty() {
            return;
        }
        let is_union = |name: &str| self.schemas.contains_key(name);
        let mut items = Vec::with_capacity(file.items.len());
        for item in std::mem::take(&mut file.items) {
            match &item {
                Item::Struct(placeholder) if is_union(&placeholder.ident.to_string()) => {
                    let (name, schema) = self.schemas[&placeholder.ident.to_string()];
                    let docs = placeholder
                        .attrs
                        .iter()
                        .filter(|attribute| attribute.path().is_ident("doc"))
                        .cloned()
                        .collect();
                    items.extend(union(self.document, name, schema, docs));
                    continue;
                }
                Item::Impl(placeholder)
                    if implemented(placeholder).is_some_and(|name| is_union(&name))
                        || converts_from(placeholder).is_some_and(|name| is_union(&name)) =>
                {
                    continue;
                }
                _ => {}
            }
            items.push(item);
        }
        file.items = items;
    }
}

/// The type that an `impl From<…> for …` converts from.
fn converts_from(item: &syn::ItemImpl) -> Option<String> {
    let (path, _) = item.trait_.as_ref()?;
    let last = path.segments.last().filter(|last| last.ident == "From")?;
    let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    match arguments.args.first()? {
        syn::GenericArgument::Type(syn::Type::Path(path)) => {
            path.path.segments.last().map(|last| last.ident.to_string())
        }
        _ => None,
    }
}

fn union(document: &Value, name: &str, schema: &Value, docs: Vec<syn::Attribute>) -> Vec<Item> {
    let table = &schema["x-codegen"];
    let tag = table["tag"].as_str().unwrap_or_default();
    let variants: Vec<(&str, Vec<&str>)> = table["variants"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|variant| {
            let values = variant["values"]
                .as_array()?
                .iter()
                .filter_map(Value::as_str)
                .collect();
            Some((variant["schema"].as_str()?, values))
        })
        .collect();
    let ident = format_ident!("{}", names::type_name(name));
    let idents: Vec<_> = variants
        .iter()
        .map(|(schema, _)| format_ident!("{}", names::type_name(schema)))
        .collect();
    let boxed: Vec<bool> = variants
        .iter()
        .map(|(schema, _)| reaches(document, schema, name))
        .collect();
    let types: Vec<syn::Type> = idents
        .iter()
        .zip(&boxed)
        .map(|(ident, boxed)| {
            if *boxed {
                parse_quote!(::std::boxed::Box<#ident>)
            } else {
                parse_quote!(#ident)
            }
        })
        .collect();
    let patterns = variants.iter().map(|(_, values)| quote!(#(#values)|*));
    // A member whose schema doesn't have the tag is sent with it all the same: it is what it is told by.
    let encodings = variants.iter().zip(table["variants"].as_array().into_iter().flatten()).map(|((_, values), variant)| {
        let first = values.first().copied().unwrap_or_default();
        if variant["tagged"] == false {
            quote!({
                let mut value = ::serde_json::to_value(value).map_err(::serde::ser::Error::custom)?;
                if let ::std::option::Option::Some(object) = value.as_object_mut() {
                    object.insert(#tag.to_owned(), #first.into());
                }
                ::serde::Serialize::serialize(&value, serializer)
            })
        } else {
            quote!(::serde::Serialize::serialize(value, serializer))
        }
    });
    let variant_docs = variants.iter().map(|(_, values)| {
        let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
        format!("`{tag}` is {}.", values.join(" or "))
    });
    let unknown = names::free_variant(&idents);
    let unknown_doc = format!(
        "A `{tag}` that the document doesn't list, or none: the value as the service sent it."
    );
    let file: syn::File = parse_quote! {
        #(#docs)*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum #ident {
            #( #[doc = #variant_docs] #idents(#types), )*
            #[doc = #unknown_doc]
            #unknown(::serde_json::Value),
        }
        impl ::serde::Serialize for #ident {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                match self {
                    #( Self::#idents(value) => #encodings, )*
                    Self::#unknown(value) => ::serde::Serialize::serialize(value, serializer),
                }
            }
        }
        impl<'de> ::serde::Deserialize<'de> for #ident {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
                let value = <::serde_json::Value as ::serde::Deserialize>::deserialize(deserializer)?;
                let decoded = match value.get(#tag).and_then(::serde_json::Value::as_str) {
                    #( ::std::option::Option::Some(#patterns) => ::serde_json::from_value(value).map(Self::#idents), )*
                    _ => ::std::result::Result::Ok(Self::#unknown(value)),
                };
                decoded.map_err(::serde::de::Error::custom)
            }
        }
    };
    let mut items = file.items;
    // Two members of one type have no one conversion.
    let distinct: BTreeSet<String> = idents.iter().map(ToString::to_string).collect();
    if distinct.len() == idents.len() {
        for (variant, boxed) in idents.iter().zip(boxed) {
            let value = if boxed {
                quote!(::std::boxed::Box::new(value))
            } else {
                quote!(value)
            };
            items.push(parse_quote! {
                impl ::std::convert::From<#variant> for #ident {
                    fn from(value: #variant) -> Self {
                        Self::#variant(#value)
                    }
                }
            });
        }
    }
    items
}

/// Whether a value of the schema `from` may hold one of `to`, so that it has to be boxed in it.
fn reaches(document: &Value, from: &str, to: &str) -> bool {
    reached(document, &[Pointer::schema(from)]).contains(&Pointer::schema(to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_placeholder_becomes_an_enum_that_looks_at_the_tag() {
        let document = json!({"components": {"schemas": {
            "event": {"x-codegen": {"tag": "kind", "variants": [
                {"schema": "begun", "values": ["begun"], "tagged": false},
                {"schema": "group", "values": ["group", "set"]},
            ]}},
            "begun": {"type": "object"},
            "group": {"properties": {"events": {"items": {"$ref": "#/components/schemas/event"}}}},
        }}});
        let mut file: syn::File = parse_quote! {
            #[doc = "What happened."]
            #[derive(Clone)]
            pub struct Event(pub Vec<String>);
            impl ::std::ops::Deref for Event {}
            impl From<Event> for Vec<String> {}
            impl From<&Event> for Event {}
            pub struct Begun;
            impl From<Begun> for Vec<String> {}
        };
        Unions::of(&document).by_tag(&mut file);
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }
}
