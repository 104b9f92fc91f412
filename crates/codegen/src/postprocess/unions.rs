//! Unions: enums that choose a member by the properties of the value, written from the model.

mod several;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};
use serde_json::Value;
use syn::{Ident, Item, parse_quote};

use super::rust_type::rust;
use super::size::Boxed;
use super::syntax::{implemented, lines, passed};
use crate::model::{Model, Type, Union};
use crate::openapi::Schema as _;
use crate::{names, walk};

/// The unions of the model, by Rust name.
pub(super) struct Unions<'a> {
    document: &'a Value,
    model: &'a Model,
    unions: BTreeMap<String, &'a Union>,
    /// Those of which several members may match a value, by Rust name.
    several: BTreeSet<String>,
}

impl<'a> Unions<'a> {
    pub(super) fn of(document: &'a Value, model: &'a Model) -> Self {
        let unions = model
            .unions
            .iter()
            .map(|(name, union)| (names::type_name(name), union))
            .collect();
        let several = model.unions.iter();
        let several =
            several.filter(|(name, union)| several::may_match(document, model, name, union));
        Self {
            document,
            model,
            unions,
            several: several.map(|(name, _)| names::type_name(name)).collect(),
        }
    }

    /// Replaces typify's placeholder of each union by an enum.
    pub(super) fn write(&self, file: &mut syn::File, boxed: &Boxed) {
        if self.unions.is_empty() {
            return;
        }
        let is_union = |name: &str| self.unions.contains_key(name);
        let mut items = Vec::with_capacity(file.items.len());
        for item in std::mem::take(&mut file.items) {
            match &item {
                Item::Struct(placeholder) if is_union(&placeholder.ident.to_string()) => {
                    let union = self.unions[&placeholder.ident.to_string()];
                    let docs = placeholder
                        .attrs
                        .iter()
                        .filter(|attribute| attribute.path().is_ident("doc"))
                        .cloned()
                        .collect();
                    items.extend(self.union(&placeholder.ident, union, docs, boxed));
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

    /// Returns the module with the shapes that the unions refer to.
    pub(super) fn shapes(&self) -> Option<Item> {
        let shapes = self.model.shapes.iter().map(|(name, shape)| {
            let ident = format_ident!("{}", names::type_name(name));
            let shape = table::details(shape);
            quote!(pub(crate) static #ident: Shape = #shape;)
        });
        (!self.model.shapes.is_empty()).then(|| {
            parse_quote! {
                /// The shapes of union members.
                #[allow(non_upper_case_globals, reason = "they are named as the types are")]
                mod shapes {
                    use crate::union::{Literal, Shape, format};
                    #(#shapes)*
                }
            }
        })
    }

    fn union(
        &self,
        ident: &Ident,
        union: &Union,
        docs: Vec<syn::Attribute>,
        boxed: &Boxed,
    ) -> Vec<Item> {
        let may_match_several = self.several.contains(&ident.to_string());
        let variants = Variants::of(union, may_match_several);
        let members = &variants.members;
        let types = union.members.iter().map(|member| rust(&member.ty));
        let types: Vec<TokenStream> = types.collect();
        let held = types.iter().enumerate().map(|(index, ty)| {
            if boxed.has_member(&ident.to_string(), index) {
                quote!(::std::boxed::Box<#ty>)
            } else {
                ty.clone()
            }
        });
        let member_docs = (0..members.len()).map(|index| member_doc(union, index));
        let others = variants.others(union);
        let declaration: Item = parse_quote! {
            #(#docs)*
            #[derive(Clone, Debug, PartialEq)]
            #[non_exhaustive]
            pub enum #ident {
                #( #[doc = #member_docs] #members(#held), )*
                #others
            }
        };
        let table = table::table(self.model, union, members);
        let rows = union.members.iter().enumerate().map(|(index, member)| {
            let (variant, ty) = (&members[index], &types[index]);
            let text = (member.ty == Type::Text).then(|| quote!(, &str));
            let read = format_ident!(
                "{}",
                if reads_leniently(&member.ty) {
                    "lenient"
                } else {
                    "decode"
                }
            );
            let tag = sent_tag(union, index);
            let index = Literal::usize_unsuffixed(index);
            quote!(#index #variant(#ty #text) #read #tag;)
        });
        let several = variants.several.iter();
        let unknown = variants.unknown.iter();
        let implementations: Item = parse_quote! {
            crate::union::members! {
                #ident = #table;
                #(#rows)*
                #(several #several;)*
                #(unknown #unknown;)*
            }
        };
        let mut items = vec![declaration, implementations];
        let are_shown = union.members.iter().all(|member| self.is_shown(&member.ty));
        if variants.unknown.is_none() && are_shown {
            items.push(parse_quote! {
                impl ::std::fmt::Display for #ident {
                    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        match self {
                            #( Self::#members(value) => ::std::fmt::Display::fmt(value, f), )*
                        }
                    }
                }
            });
        }
        items
    }

    /// Returns true if the type implements `Display`.
    fn is_shown(&self, ty: &Type) -> bool {
        match ty {
            Type::Text | Type::Parsed(_) | Type::Integer(_) | Type::Number | Type::Boolean => true,
            Type::Schema(name) => walk::schemas(self.document)
                .find(|(known, _)| *known == name)
                .is_some_and(|(_, schema)| {
                    let is_scalar = ["string", "integer", "number", "boolean"];
                    let kind = schema.text("type");
                    kind.is_some_and(|kind| is_scalar.contains(&kind)) && !schema.is_nullable()
                }),
            _ => false,
        }
    }
}

/// The names of the variants of a union.
struct Variants {
    members: Vec<Ident>,
    /// The variant of a value that matches several members, if there can be one.
    several: Option<Ident>,
    /// The variant of a value that matches no member, if such a value is kept.
    unknown: Option<Ident>,
}

impl Variants {
    fn of(union: &Union, may_match_several: bool) -> Self {
        let members = variants(union);
        let unknown = names::free_variant(&members);
        let several = may_match_several.then(|| {
            let taken = members.iter().chain([&unknown]);
            let mut taken = taken.map(ToString::to_string).collect();
            format_ident!("{}", names::unique("Several", &mut taken))
        });
        Self {
            members,
            several,
            unknown: union.keeps_unknown().then_some(unknown),
        }
    }

    /// Returns the variants for values that are not exactly one member.
    fn others(&self, union: &Union) -> TokenStream {
        let several = self.several.as_ref().map(|several| {
            quote! {
                /// Several members at once, each with the properties that it knows.
                #several(::std::vec::Vec<Self>),
            }
        });
        let unknown = self.unknown.as_ref().map(|unknown| {
            let doc = match &union.tag {
                Some(tag) => format!(
                    "A value with an unknown or missing `{}`, as the service sent it.",
                    tag.property
                ),
                None => "A value that matches no single member, as the service sent it.".to_owned(),
            };
            quote!(#[doc = #doc] #unknown(::serde_json::Value),)
        });
        quote!(#several #unknown)
    }
}

/// Returns the tag of a member whose schema lacks it. It is sent with the member, because it identifies the member.
fn sent_tag(union: &Union, index: usize) -> Option<TokenStream> {
    let tag = union.tag.as_ref().filter(|tag| !tag.own[index])?;
    let property = &tag.property;
    let value = match tag.values[index].first()? {
        Value::Bool(value) => quote!(#value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => quote!(#number),
            None => {
                let number = number.as_f64().unwrap_or_default();
                quote!(#number)
            }
        },
        value => {
            let text = value.as_str().unwrap_or_default();
            quote!(#text)
        }
    };
    Some(quote!(tag #property = #value))
}

/// Prints the call of `union::members!`, with a line for each member. Returns `None` for any other item.
pub(super) fn print(item: &Item) -> Option<String> {
    let tokens = passed(item, &["crate", "union", "members"])?;
    let lines = lines(tokens.clone()).join("\n    ");
    Some(format!("crate::union::members! {{ {lines}\n}}\n"))
}

/// Returns the source type of an `impl From<…> for …`.
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

/// Returns the variant names: those of the types, or `One` and `Many` for a value or a list of it.
fn variants(union: &Union) -> Vec<Ident> {
    let types: Vec<&Type> = union.members.iter().map(|member| &member.ty).collect();
    let many = match types.as_slice() {
        [one, Type::List(item)] if **item == **one => Some([("One", 0), ("Many", 1)]),
        [Type::List(item), one] if **item == **one => Some([("Many", 0), ("One", 1)]),
        _ => None,
    };
    let name = |index: usize| match &many {
        Some(names) => names[index].0.to_owned(),
        None => variant(types[index]),
    };
    let mut taken = BTreeSet::new();
    (0..types.len())
        .map(|index| {
            let name = names::type_name(&names::unique(&name(index), &mut taken));
            format_ident!("{name}")
        })
        .collect()
}

fn variant(ty: &Type) -> String {
    match ty {
        Type::Schema(name) => names::type_name(name),
        Type::Text => "String".to_owned(),
        Type::Parsed(path) => {
            let path = path.split('<').next().unwrap_or_default();
            path.rsplit("::").next().unwrap_or_default().to_owned()
        }
        Type::Integer(_) => "Integer".to_owned(),
        Type::Number => "Number".to_owned(),
        Type::Boolean => "Boolean".to_owned(),
        Type::Optional(inner) => variant(inner),
        Type::List(_) => "List".to_owned(),
        Type::Map(_) => "Map".to_owned(),
        Type::Any => "Any".to_owned(),
    }
}

fn member_doc(union: &Union, index: usize) -> String {
    let tag = union
        .tag
        .as_ref()
        .filter(|tag| !tag.values[index].is_empty());
    let Some(tag) = tag else {
        return match &union.members[index].ty {
            Type::Schema(name) => format!("A value of the schema `{name}`."),
            Type::Text => "A text.".to_owned(),
            Type::Parsed(_) => "A formatted string.".to_owned(),
            Type::Integer(_) => "An integer.".to_owned(),
            Type::Number => "A number.".to_owned(),
            Type::Boolean => "True or false.".to_owned(),
            Type::List(_) => "A list.".to_owned(),
            Type::Map(_) => "An object with any properties.".to_owned(),
            Type::Optional(_) | Type::Any => "Any value.".to_owned(),
        };
    };
    let values: Vec<String> = tag.values[index]
        .iter()
        .map(|value| match value.as_str() {
            Some(text) => format!("`{text}`"),
            None => format!("`{value}`"),
        })
        .collect();
    format!("`{}` is {}.", tag.property, values.join(" or "))
}

/// Returns true if `lenient` reads values of the type: it contains a number or a time.
pub(super) fn reads_leniently(ty: &Type) -> bool {
    match ty {
        Type::Integer(_) => true,
        Type::Parsed(path) => path.contains("DateTime"),
        Type::Optional(inner) | Type::List(inner) | Type::Map(inner) => reads_leniently(inner),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
