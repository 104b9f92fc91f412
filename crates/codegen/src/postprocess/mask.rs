//! Masks sensitive properties in `Debug` output of structs and their builders.
//!
//! A generated implementation replaces the derive. It shows sensitive fields as `…` through `crate::mask`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use syn::{Item, ItemStruct, Type, parse_quote};

use super::order::properties;
use super::syntax::{remove_derives, wire_name};
use crate::rename::{SIMILAR, similarity};
use crate::{names, walk};

/// A sensitive property that no struct has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unmatched {
    pub(super) schema: String,
    pub(super) property: String,
    /// The likely new name: schema and property.
    pub(super) likely: Option<(String, String)>,
}

/// The properties to mask.
pub(super) struct Sensitive<'a> {
    /// The properties, by schema.
    properties: &'a BTreeMap<String, Vec<String>>,
    /// The schemas, by type name.
    schemas: BTreeMap<String, &'a str>,
    /// The schemas and properties that have been found.
    found: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> Sensitive<'a> {
    pub(super) fn new(properties: &'a BTreeMap<String, Vec<String>>) -> Self {
        let schemas = properties
            .keys()
            .map(|schema| (names::type_name(schema), schema.as_str()))
            .collect();
        Self {
            properties,
            schemas,
            found: BTreeSet::new(),
        }
    }

    /// Masks the properties in structs. Returns the masked fields, by type.
    pub(super) fn hide(&mut self, file: &mut syn::File) -> BTreeMap<String, BTreeSet<String>> {
        let mut masked = BTreeMap::new();
        for (ident, schema) in &self.schemas {
            let fields = fields(&file.items, ident);
            let mut hidden = BTreeSet::new();
            for property in &self.properties[*schema] {
                if let Some(field) = fields.get(property) {
                    hidden.insert(field.clone());
                    self.found.insert((schema, property));
                }
            }
            if hidden.is_empty() {
                continue;
            }
            hide_in(&mut file.items, ident, &hidden);
            masked.insert(ident.clone(), hidden);
        }
        masked
    }

    /// Returns the properties that no struct has.
    pub(super) fn unmatched(&self, document: &Value) -> Vec<Unmatched> {
        let all = self.properties.iter().flat_map(|(schema, properties)| {
            properties
                .iter()
                .map(move |property| (schema, property, properties))
        });
        all.filter(|(schema, property, _)| {
            !self.found.contains(&(schema.as_str(), property.as_str()))
        })
        .map(|(schema, property, named)| Unmatched {
            schema: schema.clone(),
            property: property.clone(),
            likely: likely(document, schema, property, named),
        })
        .collect()
    }
}

/// Returns the likely new name of a property: the most similar property of the schema, or without the schema the same
/// property of the most similar schema.
fn likely(
    document: &Value,
    schema: &str,
    property: &str,
    named: &[String],
) -> Option<(String, String)> {
    let likeliest = |names: Vec<String>, to: &str| {
        let scored = names.into_iter().map(|name| (similarity(&name, to), name));
        let alike = scored.filter(|(score, _)| *score >= SIMILAR);
        alike
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, name)| name)
    };
    let ident = names::type_name(schema);
    match walk::schemas(document).find(|(name, _)| names::type_name(name) == ident) {
        Some((_, known)) => {
            let others = properties(document, known);
            let others = others.into_iter().filter(|name| !named.contains(name));
            likeliest(others.collect(), property).map(|name| (schema.to_owned(), name))
        }
        None => {
            let others = walk::schemas(document)
                .filter(|(_, other)| properties(document, other).contains(&property.to_owned()));
            likeliest(others.map(|(name, _)| name.clone()).collect(), schema)
                .map(|name| (name, property.to_owned()))
        }
    }
}

/// Returns the fields of a struct, by wire name.
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
        remove_derives(&mut item.attrs, &[&["Debug"]]);
        items.insert(place + 1, shown);
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
            // The presence of a value is not sensitive.
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
    use serde_json::json;

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
        }
    }

    fn sensitive(properties: &[&str]) -> BTreeMap<String, Vec<String>> {
        let properties = properties.iter().map(|name| (*name).to_owned()).collect();
        [("contact".to_owned(), properties)].into()
    }

    #[test]
    fn sensitive_properties_are_hidden() {
        let properties = sensitive(&["phoneNumber", "type"]);
        let mut sensitive = Sensitive::new(&properties);
        let mut file = file();
        let masked = sensitive.hide(&mut file);
        let fields = ["phone_number", "r#type"].map(str::to_owned);
        assert_eq!(masked, [("Contact".to_owned(), fields.into())].into());
        assert_eq!(sensitive.unmatched(&json!({})), []);
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }

    #[test]
    fn unmatched_sensitive_property_is_returned() {
        let document = json!({"components": {"schemas": {
            "contact": {"properties": {"id": {}, "phoneNumber": {}, "type": {}}},
            "other": {"properties": {"phone_number": {}}},
        }}});
        let unmatched = |properties: &BTreeMap<String, Vec<String>>| {
            let mut sensitive = Sensitive::new(properties);
            let mut changed = file();
            sensitive.hide(&mut changed);
            assert_eq!(
                prettyplease::unparse(&changed),
                prettyplease::unparse(&file())
            );
            sensitive.unmatched(&document)
        };
        let expected = |schema: &str, property: &str, now: (&str, &str)| {
            [Unmatched {
                schema: schema.to_owned(),
                property: property.to_owned(),
                likely: Some((now.0.to_owned(), now.1.to_owned())),
            }]
        };
        assert_eq!(
            unmatched(&sensitive(&["phone_number"])),
            expected("contact", "phone_number", ("contact", "phoneNumber"))
        );
        assert_eq!(
            unmatched(&[("contacts".to_owned(), vec!["type".to_owned()])].into()),
            expected("contacts", "type", ("contact", "type"))
        );
    }
}
