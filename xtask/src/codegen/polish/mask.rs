//! What the settings call sensitive is hidden by `{:?}`, in the struct and in its builder.
//!
//! The derive goes, and an impl comes that shows the struct as the derive would, but for those fields, which the
//! hand-written `crate::mask` shows as `…` until it is asked for them.

use std::collections::{BTreeMap, BTreeSet};

use syn::punctuated::Punctuated;
use syn::{Item, ItemStruct, Type, parse_quote};

use super::order::wire_name;
use crate::codegen::names;
use crate::diff::rename::{SIMILAR, likeness};

/// A property that is in no struct.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unmatched {
    pub(super) schema: String,
    pub(super) property: String,
    /// What it may be called now: the schema, and the property.
    pub(super) likely: Option<(String, String)>,
}

/// Hides these properties, by schema; the answer are those that are in no struct.
pub(super) fn hide(
    file: &mut syn::File,
    sensitive: &BTreeMap<String, Vec<String>>,
) -> Vec<Unmatched> {
    let mut unmatched = Vec::new();
    for (schema, properties) in sensitive {
        let ident = names::type_name(schema);
        let fields = fields(&file.items, &ident);
        let mut hidden = BTreeSet::new();
        for property in properties {
            match fields.get(property) {
                Some(field) => {
                    hidden.insert(field.clone());
                }
                None => unmatched.push(Unmatched {
                    schema: schema.clone(),
                    property: property.clone(),
                    likely: likely(&file.items, schema, property, properties),
                }),
            }
        }
        if hidden.is_empty() {
            continue;
        }
        hide_in(&mut file.items, &ident, &hidden);
        for item in &mut file.items {
            if let Item::Mod(module) = item
                && module.ident == "builder"
                && let Some((_, items)) = &mut module.content
            {
                hide_in(items, &ident, &hidden);
            }
        }
    }
    unmatched
}

/// What a property may be called now: the most alike of its schema's others, or where there is no such schema, the same
/// property of the most alike schema.
fn likely(
    items: &[Item],
    schema: &str,
    property: &str,
    named: &[String],
) -> Option<(String, String)> {
    let ident = names::type_name(schema);
    let structs = items.iter().filter_map(|item| match item {
        Item::Struct(item) => Some(item.ident.to_string()),
        _ => None,
    });
    let structs: Vec<String> = structs.collect();
    let likeliest = |names: Vec<String>, to: &str| {
        let scored = names.into_iter().map(|name| (likeness(&name, to), name));
        let alike = scored.filter(|(score, _)| *score >= SIMILAR);
        alike
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, name)| name)
    };
    if structs.contains(&ident) {
        let others = fields(items, &ident).into_keys();
        let others = others.filter(|name| !named.contains(name)).collect();
        likeliest(others, property).map(|name| (schema.to_owned(), name))
    } else {
        let has_it = |name: &String| fields(items, name).contains_key(property);
        let others = structs.into_iter().filter(has_it).collect();
        likeliest(others, &ident).map(|name| (name, property.to_owned()))
    }
}

/// The fields of a struct by their names in JSON.
fn fields(items: &[Item], ident: &str) -> BTreeMap<String, String> {
    let found = items.iter().find_map(|item| match item {
        Item::Struct(item) if item.ident == ident => Some(item),
        _ => None,
    });
    found
        .iter()
        .flat_map(|item| &item.fields)
        .filter_map(|field| Some((wire_name(field)?, field.ident.as_ref()?.to_string())))
        .collect()
}

fn hide_in(items: &mut Vec<Item>, ident: &str, hidden: &BTreeSet<String>) {
    let found = items
        .iter_mut()
        .enumerate()
        .find_map(|(place, item)| match item {
            Item::Struct(item) if item.ident == ident => Some((place, item)),
            _ => None,
        });
    if let Some((place, item)) = found {
        let shown = debug(item, hidden);
        drop_debug(item);
        items.insert(place + 1, shown);
    }
}

fn drop_debug(item: &mut ItemStruct) {
    for attribute in &mut item.attrs {
        if attribute.path().is_ident("derive") {
            type Paths = Punctuated<syn::Path, syn::Token![,]>;
            if let Ok(paths) = attribute.parse_args_with(Paths::parse_terminated) {
                let kept = paths.iter().filter(|path| !path.is_ident("Debug"));
                *attribute = parse_quote!(#[derive(#(#kept),*)]);
            }
        }
    }
}

fn debug(item: &ItemStruct, hidden: &BTreeSet<String>) -> Item {
    let ident = &item.ident;
    let name = ident.to_string();
    let fields = item.fields.iter().filter_map(|field| {
        let ident = field.ident.as_ref()?;
        let name = ident.to_string();
        let shown: syn::Expr = if !hidden.contains(&name) {
            parse_quote!(&self.#ident)
        } else if is_option(&field.ty) {
            // Whether there is a value is no secret.
            parse_quote!(&self.#ident.as_ref().map(crate::mask::Masked))
        } else {
            parse_quote!(&crate::mask::Masked(&self.#ident))
        };
        let name = name.trim_start_matches("r#");
        Some(quote::quote!(.field(#name, #shown)))
    });
    parse_quote! {
        impl ::std::fmt::Debug for #ident {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.debug_struct(#name) #(#fields)* .finish()
            }
        }
    }
}

fn is_option(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Option"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> syn::File {
        parse_quote! {
            #[derive(Clone, Debug, PartialEq)]
            pub struct Contact {
                pub id: u8,
                #[serde(rename = "phoneNumber")]
                pub phone_number: String,
                pub r#type: ::std::option::Option<String>,
            }
            #[derive(Debug)]
            pub struct Other { pub phone_number: String }
            pub mod builder {
                #[derive(Clone, Debug)]
                pub struct Contact {
                    id: Result<u8, String>,
                    phone_number: Result<String, String>,
                    r#type: Result<Option<String>, String>,
                }
            }
        }
    }

    fn sensitive(properties: &[&str]) -> BTreeMap<String, Vec<String>> {
        let properties = properties.iter().map(|name| (*name).to_owned()).collect();
        [("contact".to_owned(), properties)].into()
    }

    #[test]
    fn sensitive_properties_are_hidden_in_structs_and_builders() {
        let mut file = file();
        let unmatched = hide(&mut file, &sensitive(&["phoneNumber", "type"]));
        assert_eq!(unmatched, []);
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }

    #[test]
    fn what_matches_nothing_is_named_and_changes_nothing() {
        let mut changed = file();
        let found = hide(&mut changed, &sensitive(&["phone_number"]));
        let unmatched = |schema: &str, property: &str, now: (&str, &str)| Unmatched {
            schema: schema.to_owned(),
            property: property.to_owned(),
            likely: Some((now.0.to_owned(), now.1.to_owned())),
        };
        assert_eq!(
            found,
            [unmatched(
                "contact",
                "phone_number",
                ("contact", "phoneNumber")
            )]
        );
        let elsewhere = [("contacts".to_owned(), vec!["type".to_owned()])].into();
        assert_eq!(
            hide(&mut changed, &elsewhere),
            [unmatched("contacts", "type", ("Contact", "type"))]
        );
        assert_eq!(
            prettyplease::unparse(&changed),
            prettyplease::unparse(&file())
        );
    }
}
