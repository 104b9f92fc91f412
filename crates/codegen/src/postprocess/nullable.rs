//! Properties of request bodies that can be absent, null or a value. typify's `Option` does not distinguish the first
//! two.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use syn::{Item, Type, parse_quote};

use super::syntax::{option, serde_words, wire_name};
use crate::model::Model;
use crate::names;
use crate::pointer::{Lookup as _, Pointer};
use crate::unsupported::Unsupported;
use crate::walk;

/// The optional nullable properties.
pub(super) struct Nullable<'a> {
    model: &'a Model,
    /// The properties, by type name.
    properties: BTreeMap<String, BTreeSet<String>>,
    /// The type names and properties whose fields have been changed.
    done: BTreeSet<(String, String)>,
}

impl<'a> Nullable<'a> {
    pub(super) fn of(document: &Value, model: &'a Model) -> Self {
        let properties = walk::schemas(document)
            .map(|(name, _)| {
                let facts = model.composed(document, &Pointer::schema(name));
                let properties = facts.into_iter().flat_map(|facts| facts.nullable.clone());
                (names::type_name(name), properties.collect())
            })
            .filter(|(_, properties): &(_, BTreeSet<String>)| !properties.is_empty())
            .collect();
        Self {
            model,
            properties,
            done: BTreeSet::new(),
        }
    }

    /// Changes the types of the fields to the types crate's `Nullable`. Properties that are not
    /// fields of the schema's own type stay unchanged.
    pub(super) fn tell_apart(&mut self, file: &mut syn::File) {
        for item in &mut file.items {
            let Item::Struct(item) = item else { continue };
            let owner = item.ident.to_string();
            let Some(properties) = self.properties.get(&owner) else {
                continue;
            };
            for field in &mut item.fields {
                if let Some(wire) = wire_name(field).filter(|wire| properties.contains(wire))
                    && is_left_out(&mut field.attrs)
                {
                    nullable(&mut field.ty);
                    self.done.insert((owner.clone(), wire));
                }
            }
        }
    }

    /// Returns the export of `Nullable`, under another name if the document has that one, or `None` if no field uses
    /// it. Reports the properties that are not such fields.
    pub(super) fn export(
        &self,
        document: &Value,
        unsupported: &mut Vec<Unsupported>,
    ) -> Option<Item> {
        for (pointer, schema) in &self.model.schemas {
            let owner = pointer.tokens().nth(2).unwrap_or_default();
            for name in &schema.nullable {
                let honored = pointer.is_schema()
                    && self
                        .done
                        .contains(&(names::type_name(&owner), name.clone()));
                let place = pointer.join("properties").join(name);
                // A schema that was left out has no properties.
                if !honored && document.at(place.as_str()).is_some() {
                    unsupported.push(Unsupported::new(
                        &place,
                        "null",
                        "the property is omitted if it has no value",
                    ));
                }
            }
        }
        if self.done.is_empty() {
            return None;
        }
        let mut taken = names::type_names(document);
        let free = names::unique("Nullable", &mut taken);
        Some(if free == "Nullable" {
            parse_quote!(
                pub use crate::nullable::Nullable;
            )
        } else {
            let free = quote::format_ident!("{free}");
            parse_quote!(pub use crate::nullable::Nullable as #free;)
        })
    }
}

/// Makes an optional field omit an absent `Nullable`. Returns false if the field is not optional.
fn is_left_out(attributes: &mut [syn::Attribute]) -> bool {
    for attribute in attributes {
        let Some(words) = serde_words(attribute) else {
            continue;
        };
        let is = |word: &syn::Meta, names: [&str; 2]| {
            names.iter().any(|name| word.path().is_ident(name))
        };
        if words
            .iter()
            .any(|word| is(word, ["default", "skip_serializing_if"]))
        {
            let others = words
                .iter()
                .filter(|word| !is(word, ["default", "skip_serializing_if"]));
            *attribute = parse_quote! {
                #[serde(#(#others,)* default, skip_serializing_if = "crate::nullable::Nullable::is_absent")]
            };
            return true;
        }
    }
    false
}

/// Changes `Option<T>` to `Nullable<T>`.
fn nullable(ty: &mut Type) {
    let inner = match option(ty) {
        Some(inner) => inner.clone(),
        None => ty.clone(),
    };
    *ty = parse_quote!(crate::nullable::Nullable<#inner>);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nullable_fields_distinguish_absent_from_null() {
        let own = json!({"properties": {"end date": {}, "must": {}, "unit": {}}});
        let document = json!({"components": {"schemas": {
            "Base": {"properties": {"note": {}, "kept": {}}},
            "patch": {"allOf": [{"$ref": "#/components/schemas/Base"}, own]},
            "Nullable": {"type": "object"},
        }}});
        let mut model = Model::default();
        model.schema_mut(&Pointer::schema("Base")).nullable = vec!["note".to_owned()];
        let patch = Pointer::schema("patch").join("allOf").join(1);
        model.schema_mut(&patch).nullable = ["end date", "must", "unit"].map(str::to_owned).into();
        let mut file: syn::File = parse_quote! {
            pub struct Patch {
                #[serde(rename = "end date", skip_serializing_if = "::std::option::Option::is_none")]
                pub end_date: ::std::option::Option<super::Date>,
                #[serde(skip_serializing_if = "::std::option::Option::is_none")]
                pub note: ::std::option::Option<::std::vec::Vec<u8>>,
                #[serde(skip_serializing_if = "::std::option::Option::is_none")]
                pub kept: ::std::option::Option<u8>,
                #[serde(deserialize_with = "::std::option::Option::deserialize")]
                pub must: ::std::option::Option<u8>,
                #[serde(default)]
                pub unit: (),
            }
        };
        let mut unsupported = Vec::new();
        let mut nullable = Nullable::of(&document, &model);
        nullable.tell_apart(&mut file);
        file.items
            .splice(0..0, nullable.export(&document, &mut unsupported));
        insta::assert_snapshot!(prettyplease::unparse(&file));
        let lost: Vec<_> = unsupported
            .iter()
            .map(|loss| loss.pointer.as_str())
            .collect();
        // They belong to a part without a type, or are required.
        assert_eq!(
            lost,
            [
                "/components/schemas/Base/properties/note",
                "/components/schemas/patch/allOf/1/properties/end date",
                "/components/schemas/patch/allOf/1/properties/must",
                "/components/schemas/patch/allOf/1/properties/unit",
            ]
        );
    }

    #[test]
    fn document_without_nullable_properties_exports_no_nullable() {
        let document = json!({"components": {"schemas": {"Patch": {"properties": {"a": {}}}}}});
        let mut file: syn::File = parse_quote! { pub struct Patch { pub a: Option<u8> } };
        let before = prettyplease::unparse(&file);
        let model = Model::default();
        let mut nullable = Nullable::of(&document, &model);
        nullable.tell_apart(&mut file);
        assert!(nullable.export(&document, &mut Vec::new()).is_none());
        assert_eq!(prettyplease::unparse(&file), before);
    }
}
