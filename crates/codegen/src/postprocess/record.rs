//! Makes structs use `record::fields!` of the types crate in place of serde's derive. The macro reads objects only, each
//! property once, and keeps further properties if the struct has a field for them.
//!
//! The types crate needs no procedural macro if no derive remains: serde's took half of the time to build it with all that it
//! depends on.

use std::collections::BTreeMap;

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use serde_json::Value;
use syn::{Attribute, Fields, Ident, Item, ItemEnum, ItemStruct, Meta, Path, Type, parse_quote};

use super::size::Boxed;
use super::structs::WireNames;
use super::syntax::{
    first_argument, is_map, is_path, lines, map_values, named_function, option, passed,
    remove_derives, serde_words, wire_name,
};
use crate::model::Model;
use crate::names;
use crate::pointer::Pointer;
use crate::walk;

/// The optional properties that a received value must have, by type name and name in JSON; each with true if null is a
/// value of it.
pub(super) type Received = BTreeMap<String, BTreeMap<String, bool>>;

pub(super) fn received(
    document: &Value,
    model: &Model,
    wire_names: &WireNames<'_>,
    boxed: &Boxed,
) -> Received {
    let mut received = Received::new();
    for (name, _) in walk::schemas(document) {
        let ident = names::type_name(name);
        let wire_names = wire_names.get(&ident);
        // The fields of a boxed struct are those of another one.
        let owner = boxed.fields_of(&ident).unwrap_or(&ident);
        for facts in model.composed(document, &Pointer::schema(name)) {
            for (property, nullable) in &facts.received {
                let wire = wire_names.and_then(|names| names.get(property));
                let wire = wire.unwrap_or(property).clone();
                let properties = received.entry(owner.to_owned()).or_default();
                properties.insert(wire, *nullable);
            }
        }
    }
    received
}

/// Replaces the derives of serde: by a call of the macro for each struct with named fields, and by implementations for each
/// struct of one value and each enum without variants. Structs with serde arguments that the macro does not support keep
/// the derives.
pub(super) fn declare(file: &mut syn::File, received: &Received) {
    let items = std::mem::take(&mut file.items);
    for mut item in items {
        let more = match &mut item {
            Item::Struct(item) => match only_value(item).cloned() {
                Some(value) => as_value(item, &value),
                None => {
                    let call = declared(item, received.get(&item.ident.to_string()));
                    call.into_iter().collect()
                }
            },
            Item::Enum(item) if item.variants.is_empty() => impossible(item),
            _ => Vec::new(),
        };
        file.items.push(item);
        file.items.extend(more);
    }
}

fn is_serde(attribute: &Attribute) -> bool {
    attribute.path().is_ident("serde")
}

fn declared(item: &mut ItemStruct, received: Option<&BTreeMap<String, bool>>) -> Option<Item> {
    let Fields::Named(fields) = &item.fields else {
        return None;
    };
    if item.attrs.iter().any(is_serde) {
        return None;
    }
    let mut rows = Vec::new();
    let mut rest = None;
    for field in &fields.named {
        let mut absence = quote!(required);
        let mut presence = quote!(Always);
        let mut flattened = false;
        for attribute in field.attrs.iter().filter(|attribute| is_serde(attribute)) {
            let words = serde_words(attribute)?;
            // A field that can be omitted has a default, with any of these arguments.
            let default = words.iter().find(|word| word.path().is_ident("default"));
            let function: Option<Path> = default.and_then(named_function);
            for word in &words {
                match word {
                    Meta::Path(path) if path.is_ident("flatten") => flattened = true,
                    word if word.path().is_ident("skip_serializing_if")
                        || word.path().is_ident("default") =>
                    {
                        absence = match &function {
                            Some(function) => quote!(or(#function)),
                            None => quote!(or_default),
                        };
                        if word.path().is_ident("skip_serializing_if") {
                            is_known(&named_function(word)?).then_some(())?;
                            presence = quote!(IfPresent);
                        }
                    }
                    // A required nullable option is like any field without a default.
                    word if word.path().is_ident("deserialize_with") => {
                        let is_option = is_path(
                            &named_function(word)?,
                            &["std", "option", "Option", "deserialize"],
                        );
                        if !is_option {
                            return None;
                        }
                    }
                    word if word.path().is_ident("rename") => {}
                    _ => return None,
                }
            }
        }
        let ident = &field.ident;
        if flattened {
            is_map(&field.ty).then_some(())?;
            let notation = match map_values(&field.ty) {
                Some(values) if is_lenient(values) => quote!(Lenient),
                _ => quote!(Exact),
            };
            rest = Some(quote!(..#ident: #notation;));
            continue;
        }
        let name = wire_name(field)?;
        let mut must_be_some = false;
        if let Some(nullable) = received.and_then(|received| received.get(&name)) {
            absence = quote!(required);
            must_be_some = !nullable && option(&field.ty).is_some();
        }
        let notation = match (is_lenient(&field.ty), must_be_some) {
            (false, false) => quote!(Exact),
            (true, false) => quote!(Lenient),
            (false, true) => quote!(ExactSome),
            (true, true) => quote!(LenientSome),
        };
        rows.push(quote!(#ident: #name = #notation #absence #presence;));
    }
    if !remove_derives(&mut item.attrs, &SERDE) {
        return None;
    }
    for field in &mut item.fields {
        field.attrs.retain(|attribute| !is_serde(attribute));
    }
    let ident = &item.ident;
    Some(parse_quote!(
        crate::record::fields! { #ident { #(#rows)* #rest } }
    ))
}

/// The traits that the macro implements.
const SERDE: [&[&str]; 2] = [&["serde", "Deserialize"], &["serde", "Serialize"]];

/// Returns true for a function that the macro calls for an optional field: whether there is no value.
fn is_known(function: &Path) -> bool {
    const FUNCTIONS: [&[&str]; 5] = [
        &["std", "option", "Option", "is_none"],
        &["std", "vec", "Vec", "is_empty"],
        &["std", "collections", "BTreeMap", "is_empty"],
        &["serde_json", "Map", "is_empty"],
        &["crate", "nullable", "Nullable", "is_absent"],
    ];
    FUNCTIONS.iter().any(|known| is_path(function, known))
}

/// Returns the type of the value of a tuple struct with one.
fn only_value(item: &ItemStruct) -> Option<&Type> {
    let Fields::Unnamed(fields) = &item.fields else {
        return None;
    };
    let mut types = fields.unnamed.iter().map(|field| &field.ty);
    types.next().filter(|_| types.next().is_none())
}

/// Decodes and encodes a struct like its only value. One that checks the value derives `Serialize` only.
fn as_value(item: &mut ItemStruct, value: &Type) -> Vec<Item> {
    let decode: Path = if is_lenient(value) {
        parse_quote!(crate::lenient::deserialize)
    } else {
        parse_quote!(::serde::Deserialize::deserialize)
    };
    implement(
        &mut item.attrs,
        &item.ident,
        &quote!(#decode(deserializer).map(Self)),
        &quote!(::serde::Serialize::serialize(&self.0, serializer)),
    )
}

/// Implements the traits of serde for an enum without variants: no value is decoded, and there is none to encode.
fn impossible(item: &mut ItemEnum) -> Vec<Item> {
    let name = item.ident.to_string();
    implement(
        &mut item.attrs,
        &item.ident,
        &quote! {
            <::serde::de::IgnoredAny as ::serde::Deserialize>::deserialize(deserializer)?;
            ::std::result::Result::Err(::serde::de::Error::custom(
                concat!(#name, " has no value"),
            ))
        },
        &quote! {
            let _ = serializer;
            match *self {}
        },
    )
}

/// Implements the traits of serde that the type derives.
fn implement(
    attributes: &mut Vec<Attribute>,
    ident: &Ident,
    decode: &TokenStream,
    encode: &TokenStream,
) -> Vec<Item> {
    let [decodes, encodes] = SERDE.map(|of_serde| remove_derives(attributes, &[of_serde]));
    attributes.retain(|attribute| !is_serde(attribute));
    let decoding = decodes.then(|| {
        parse_quote! {
            impl<'de> ::serde::Deserialize<'de> for #ident {
                fn deserialize<D: ::serde::Deserializer<'de>>(
                    deserializer: D,
                ) -> ::std::result::Result<Self, D::Error> {
                    #decode
                }
            }
        }
    });
    let encoding = encodes.then(|| {
        parse_quote! {
            impl ::serde::Serialize for #ident {
                fn serialize<S: ::serde::Serializer>(
                    &self,
                    serializer: S,
                ) -> ::std::result::Result<S::Ok, S::Error> {
                    #encode
                }
            }
        }
    });
    decoding.into_iter().chain(encoding).collect()
}

/// Returns true if the type is or contains a number or a time with several notations.
pub(super) fn is_lenient(ty: &Type) -> bool {
    const INTEGERS: [&str; 8] = ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"];
    let Type::Path(path) = ty else {
        return false;
    };
    let Some(last) = path.path.segments.last() else {
        return false;
    };
    let name = last.ident.to_string();
    // A schema may have any of these names, except those of primitives, in a path with one segment.
    if path.path.segments.len() == 1 {
        return INTEGERS.contains(&name.as_str());
    }
    match name.as_str() {
        "Option" | "Vec" | "Box" | "Nullable" => first_argument(ty).is_some_and(is_lenient),
        "BTreeMap" => map_values(ty).is_some_and(is_lenient),
        name => name == "DateTime",
    }
}

/// Returns a call of the macro with one row per line, or `None` for any other item. prettyplease would fill the lines,
/// so a new field would change all the following ones.
pub(super) fn print(item: &Item) -> Option<String> {
    let mut tokens = passed(item, &["crate", "record", "fields"])?
        .clone()
        .into_iter();
    let (Some(name), Some(TokenTree::Group(rows))) = (tokens.next(), tokens.next()) else {
        return None;
    };
    let rows = lines(rows.stream()).into_iter();
    let rows: String = rows.map(|row| format!("    {row}\n")).collect();
    Some(format!(
        "crate::record::fields! {{ {name} {{\n{rows}}} }}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn supported_types_derive_nothing_of_serde() {
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
                #[serde(rename = "a :: b , <c >")]
                pub odd: bool,
                #[serde(default, skip_serializing_if = "::std::option::Option::is_none")]
                pub assigned: ::std::option::Option<u8>,
            }
            #[derive(::serde::Deserialize, ::serde::Serialize)]
            pub struct Flat { #[serde(flatten)] pub extra: ::std::collections::BTreeMap<::std::string::String, i64> }
            #[derive(::serde::Deserialize)]
            pub struct Merged { #[serde(flatten)] pub extra: Other }
            #[derive(::serde::Deserialize, ::serde::Serialize)]
            pub struct Skipped { #[serde(default, skip_serializing_if = "is_zero")] pub a: ::std::option::Option<u8> }
            #[derive(::serde::Deserialize)]
            pub struct Other { #[serde(deserialize_with = "other")] pub a: u8 }
            #[derive(::serde::Deserialize)]
            #[serde(deny_unknown_fields)]
            pub struct Denying { pub a: u8 }
            #[derive(::serde::Deserialize, ::serde::Serialize)]
            pub struct Empty {}
            #[derive(::serde::Deserialize, ::serde::Serialize, Clone)]
            #[serde(transparent)]
            pub struct Number(pub u8);
            #[derive(::serde::Serialize)]
            #[serde(transparent)]
            pub struct Checked(::std::string::String);
            #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Copy)]
            #[serde(deny_unknown_fields)]
            pub enum Never {}
            #[derive(Clone)]
            pub struct Plain { pub a: u8 }
        };
        let properties = [("assigned".to_owned(), false), ("agent".to_owned(), true)];
        let received = [("Call".to_owned(), properties.into())].into();
        declare(&mut file, &received);
        insta::assert_snapshot!(prettyplease::unparse(&file));
        let calls: Vec<String> = file.items.iter().filter_map(print).collect();
        insta::assert_snapshot!(calls.join("\n"));
        // The layout differs, the tokens do not.
        let tokens = |item: &Item| quote!(#item).to_string().replace(' ', "");
        let made = file.items.iter().filter(|item| print(item).is_some());
        for (call, item) in calls.iter().zip(made) {
            assert_eq!(tokens(&syn::parse_str(call).unwrap()), tokens(item));
        }
    }
}
