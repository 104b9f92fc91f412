//! Makes structs extensible without breaking changes, and completes their builders.

use std::collections::BTreeMap;

use serde_json::Value;
use syn::{Attribute, Fields, ImplItem, Item, parse_quote};

use super::builder;
use super::docs;
use super::syntax::{implemented, wire_name};
use crate::model::Model;
use crate::names;

/// The wire names of renamed properties, by type name.
pub(super) type WireNames<'a> = BTreeMap<String, &'a BTreeMap<String, String>>;

pub(super) fn wire_names<'a>(document: &'a Value, model: &'a Model) -> WireNames<'a> {
    model
        .named_schemas(document)
        .filter(|(_, schema)| !schema.wire_names.is_empty())
        .map(|(name, schema)| (names::type_name(name), &schema.wire_names))
        .collect()
}

/// Restores the wire names of fields.
pub(super) fn restore_names(file: &mut syn::File, wire_names: &WireNames<'_>) {
    for item in &mut file.items {
        let Item::Struct(item) = item else { continue };
        let Some(wire_names) = wire_names.get(&item.ident.to_string()) else {
            continue;
        };
        for field in &mut item.fields {
            let name = wire_name(field).and_then(|name| wire_names.get(&name));
            let Some(name) = name else { continue };
            for attribute in field
                .attrs
                .iter_mut()
                .filter(|attribute| attribute.path().is_ident("serde"))
            {
                type Words = syn::punctuated::Punctuated<syn::Meta, syn::Token![,]>;
                if let Ok(words) = attribute.parse_args_with(Words::parse_terminated) {
                    let others = words.iter().filter(|word| !word.path().is_ident("rename"));
                    *attribute = parse_quote!(#[serde(#(#others),*)]);
                }
            }
            field.attrs.push(parse_quote!(#[serde(rename = #name)]));
        }
    }
}

/// Makes structs `#[non_exhaustive]`, and completes and documents their builders.
pub(super) fn extend(file: &mut syn::File) {
    let mut docs: BTreeMap<(String, String), Vec<Attribute>> = BTreeMap::new();
    for item in &mut file.items {
        match item {
            Item::Struct(item) if matches!(item.fields, Fields::Named(_)) => {
                for field in &item.fields {
                    let Some(name) = &field.ident else { continue };
                    let doc = field
                        .attrs
                        .iter()
                        .filter(|attribute| attribute.path().is_ident("doc"))
                        .cloned()
                        .collect();
                    docs.insert((item.ident.to_string(), name.to_string()), doc);
                }
                item.attrs.push(parse_quote!(#[non_exhaustive]));
            }
            Item::Impl(item) if item.trait_.is_none() => {
                for item in &mut item.items {
                    if let ImplItem::Fn(function) = item
                        && function.sig.ident == "builder"
                    {
                        function.attrs.push(docs::attribute(
                            "Returns a builder without any property set.",
                        ));
                    }
                }
            }
            _ => {}
        }
    }
    for item in builder::items(file) {
        complete(item, &docs);
    }
}

/// Completes and documents a builder.
fn complete(item: &mut Item, docs: &BTreeMap<(String, String), Vec<Attribute>>) {
    match item {
        Item::Struct(item) => {
            let doc = format!("Builder for [`{0}`](super::{0}).", item.ident);
            item.attrs.insert(0, docs::attribute(&doc));
        }
        Item::Impl(item) if item.trait_.is_none() => {
            let Some(name) = implemented(item) else {
                return;
            };
            let mut has_build = false;
            for item in &mut item.items {
                let ImplItem::Fn(function) = item else {
                    continue;
                };
                let setter = function.sig.ident.to_string();
                has_build |= setter == "build";
                let doc = docs
                    .get(&(name.clone(), setter.clone()))
                    .filter(|doc| !doc.is_empty());
                let doc = doc.cloned().unwrap_or_else(|| {
                    let doc = format!("Sets `{}`.", setter.trim_start_matches("r#"));
                    vec![docs::attribute(&doc)]
                });
                function.attrs.splice(0..0, doc);
            }
            if !has_build {
                let ident = quote::format_ident!("{name}");
                item.items.push(parse_quote! {
                    /// The finished value.
                    ///
                    /// # Errors
                    /// The first property that is required and not set, or whose value couldn't be converted.
                    pub fn build(self) -> ::std::result::Result<super::#ident, super::error::ConversionError> {
                        ::std::convert::TryFrom::try_from(self)
                    }
                });
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pointer::Pointer;

    #[test]
    fn renamed_fields_get_their_wire_names() {
        let document = serde_json::json!({"components": {"schemas": {"org": {}}}});
        let mut model = Model::default();
        model.schema_mut(&Pointer::schema("org")).wire_names =
            [("orgName_2".to_owned(), "orgName".to_owned())].into();
        let mut file: syn::File = parse_quote! {
            pub struct Org {
                pub org_name: u8,
                #[serde(rename = "orgName_2", default)]
                pub org_name_2: u8,
            }
        };
        restore_names(&mut file, &wire_names(&document, &model));
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }

    #[test]
    fn structs_are_non_exhaustive_and_builders_end_in_build() {
        let mut file: syn::File = parse_quote! {
            pub struct Call {
                #[doc = "Who."]
                pub id: u8,
                pub end: u8,
            }
            pub struct Name(String);
            impl Call { pub fn builder() -> builder::Call { Default::default() } }
            pub mod builder {
                pub struct Call { id: u8, end: u8 }
                impl Call { pub fn id(self) -> Self { self } pub fn end(self) -> Self { self } }
            }
        };
        extend(&mut file);
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }
}
