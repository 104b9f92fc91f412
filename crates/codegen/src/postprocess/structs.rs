//! Makes structs extensible without breaking changes, and declares their builders.

use std::collections::{BTreeMap, BTreeSet};

use quote::format_ident;
use serde_json::Value;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Fields, Ident, Item, ItemStruct, Path, Type, TypePath, parse_quote};

use super::constants::Constants;
use super::size::{self, Boxed};
use super::syntax::{first_argument, is_map, named_function, option, serde_words, wire_name};
use crate::declaration::{Declaration, Property, State};
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
            for attribute in &mut field.attrs {
                if let Some(words) = serde_words(attribute) {
                    let others = words.iter().filter(|word| !word.path().is_ident("rename"));
                    *attribute = parse_quote!(#[serde(#(#others),*)]);
                }
            }
            field.attrs.push(parse_quote!(#[serde(rename = #name)]));
        }
    }
}

/// Puts the option of a field outside of its box. typify boxes the option of a type that contains itself, so that it would not
/// be one for the other passes, and an absent property would be sent as null.
pub(super) fn unbox_options(file: &mut syn::File) {
    for item in &mut file.items {
        let Item::Struct(item) = item else { continue };
        for field in &mut item.fields {
            let Some(value) = boxed_option(&field.ty) else {
                continue;
            };
            field.ty = parse_quote!(::std::option::Option<::std::boxed::Box<#value>>);
            for attribute in &mut field.attrs {
                let words = serde_words(attribute);
                let has = |name: &str| {
                    let mut words = words.iter().flatten();
                    words.any(|word| word.path().is_ident(name))
                };
                if has("default") && !has("skip_serializing_if") {
                    let words = words.iter().flatten();
                    *attribute = parse_quote! {
                        #[serde(#(#words,)* skip_serializing_if = "::std::option::Option::is_none")]
                    };
                }
            }
        }
    }
}

/// Returns the `T` of `Box<Option<T>>`.
fn boxed_option(ty: &Type) -> Option<Type> {
    match ty {
        Type::Path(path) if is_named(path, "Box") => option(first_argument(ty)?).cloned(),
        _ => None,
    }
}

/// Makes structs `#[non_exhaustive]`.
pub(super) fn extend(file: &mut syn::File) {
    for item in &mut file.items {
        if let Item::Struct(item) = item
            && matches!(item.fields, Fields::Named(_))
        {
            item.attrs.push(parse_quote!(#[non_exhaustive]));
        }
    }
}

/// The inputs of a builder besides its struct.
pub(super) struct Builders<'a> {
    /// The structs of typify.
    pub(super) structs: &'a BTreeSet<String>,
    pub(super) constants: &'a Constants,
    /// The variants of the string enums that have only one. It is the default of a required property, as it may be all that
    /// distinguishes a member of a union.
    pub(super) constant_types: &'a BTreeMap<String, Ident>,
    pub(super) boxed: &'a Boxed,
    /// The masked fields, by type.
    pub(super) masked: &'a BTreeMap<String, BTreeSet<String>>,
}

impl Builders<'_> {
    /// Declares the builders of typify's structs. The fields are not boxed yet.
    pub(super) fn declare(&self, file: &syn::File) -> Vec<Declaration> {
        let structs = file.items.iter().filter_map(|item| match item {
            Item::Struct(item) if self.structs.contains(&item.ident.to_string()) => Some(item),
            _ => None,
        });
        structs.map(|item| self.declaration(item)).collect()
    }

    fn declaration(&self, item: &ItemStruct) -> Declaration {
        let owner = item.ident.to_string();
        let masked = self.masked.get(&owner);
        let properties = item.fields.iter().filter_map(|field| {
            let name = field.ident.clone()?;
            let key = (owner.clone(), name.to_string());
            let is_deprecated = |attribute: &&Attribute| attribute.path().is_ident("deprecated");
            let is_boxed = self.boxed.has_field(&key.0, &key.1);
            let unboxed = unboxed(&field.ty);
            let stored = match &unboxed {
                Some(_) => Some(field.ty.clone()),
                None => is_boxed.then(|| size::boxed(&field.ty)),
            };
            let mut property = Property {
                attributes: field.attrs.iter().filter(is_deprecated).cloned().collect(),
                ty: unboxed.unwrap_or_else(|| field.ty.clone()),
                stored,
                state: match (self.constants.get(&key), state(field)) {
                    (Some(function), _) => State::Constant(function.clone()),
                    (None, State::Required) => match self.only_value(&field.ty) {
                        Some(value) => State::Default(parse_quote!(|| #value)),
                        None => State::Required,
                    },
                    (None, state) => state,
                },
                is_masked: masked.is_some_and(|masked| masked.contains(&key.1)),
                name,
            };
            InModule.visit_type_mut(&mut property.ty);
            if let Some(stored) = &mut property.stored {
                InModule.visit_type_mut(stored);
            }
            if let State::Default(function) | State::Constant(function) = &mut property.state {
                InModule.visit_expr_mut(function);
            }
            Some(property)
        });
        let fields = self.boxed.fields_of(&owner);
        Declaration {
            name: item.ident.clone(),
            fields: fields.map(|fields| format_ident!("{fields}")),
            properties: properties.collect(),
        }
    }

    /// Returns the only value of a string enum.
    fn only_value(&self, ty: &Type) -> Option<Path> {
        let Type::Path(TypePath { path, .. }) = ty else {
            return None;
        };
        let variant = self.constant_types.get(&path.get_ident()?.to_string())?;
        Some(parse_quote!(#path::#variant))
    }
}

/// Returns the type of a value that typify boxes within an option, without the box.
fn unboxed(ty: &Type) -> Option<Type> {
    let value = first_argument(ty)?;
    let Type::Path(path) = value else { return None };
    let value = first_argument(value).filter(|_| is_named(path, "Box"))?;
    let Type::Path(wrapper) = ty else { return None };
    let wrapper = ["Option", "Nullable"]
        .into_iter()
        .find(|name| is_named(wrapper, name))?;
    Some(match wrapper {
        "Option" => parse_quote!(::std::option::Option<#value>),
        _ => parse_quote!(crate::nullable::Nullable<#value>),
    })
}

fn is_named(path: &TypePath, name: &str) -> bool {
    let last = path.path.segments.last();
    last.is_some_and(|last| last.ident == name)
}

/// Returns the state that serde's arguments give to an absent property. Further properties are never required.
fn state(field: &syn::Field) -> State {
    let mut state = State::Required;
    for word in field.attrs.iter().filter_map(serde_words).flatten() {
        if word.path().is_ident("flatten") && is_map(&field.ty) {
            return State::Optional;
        }
        let is_default = word.path().is_ident("default");
        if is_default && let Some(function) = named_function(&word) {
            return State::Default(function);
        }
        if is_default || word.path().is_ident("skip_serializing_if") {
            state = State::Optional;
        }
    }
    state
}

/// Makes paths of the root those of the module `builder`.
struct InModule;

impl VisitMut for InModule {
    fn visit_path_mut(&mut self, path: &mut syn::Path) {
        visit_mut::visit_path_mut(self, path);
        const PRIMITIVES: [&str; 17] = [
            "bool", "char", "str", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8",
            "u16", "u32", "u64", "u128", "usize",
        ];
        let Some(first) = path
            .segments
            .first()
            .filter(|_| path.leading_colon.is_none())
        else {
            return;
        };
        let is_primitive = PRIMITIVES.iter().any(|name| first.ident == name);
        if !is_primitive && first.ident != "crate" {
            path.segments.insert(0, parse_quote!(super));
        }
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
    fn option_is_outside_of_its_box() {
        let mut file: syn::File = parse_quote! {
            pub struct Step {
                #[serde(rename = "else", default)]
                pub else_: ::std::boxed::Box<::std::option::Option<Step>>,
                pub required: ::std::boxed::Box<::std::option::Option<Step>>,
                #[serde(default)]
                pub list: ::std::boxed::Box<Step>,
            }
        };
        unbox_options(&mut file);
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }

    #[test]
    fn structs_are_non_exhaustive_and_have_builders() {
        let mut file: syn::File = parse_quote! {
            pub struct Call {
                pub id: u8,
                pub tag: Tag,
                #[serde(rename = "end", default, skip_serializing_if = "::std::vec::Vec::is_empty")]
                pub build: ::std::vec::Vec<(End, [u8; 2])>,
                #[serde(default = "defaults::default_u64::<u32, 10>")]
                pub limit: u32,
                #[serde(skip_serializing_if = "::std::option::Option::is_none")]
                #[deprecated]
                pub kind: ::std::option::Option<Kind>,
                #[serde(flatten)]
                pub extra: ::std::collections::BTreeMap<Key, crate::nullable::Nullable<Kind>>,
            }
            pub struct Name(String);
            pub struct Plain { pub a: u8 }
        };
        extend(&mut file);
        let key = |field: &str| ("Call".to_owned(), field.to_owned());
        let builders = Builders {
            structs: &["Call".to_owned()].into(),
            constants: &[(key("kind"), parse_quote!(defaults::kind))].into(),
            constant_types: &[("Tag".to_owned(), parse_quote!(Call))].into(),
            boxed: &Boxed::default(),
            masked: &[("Call".to_owned(), ["id".to_owned()].into())].into(),
        };
        let declared = builders.declare(&file);
        let text: String = declared.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(format!("{}\n{text}", prettyplease::unparse(&file)));

        // The declaration is read as it is written.
        let module = format!("pub mod builder {{\n{text}}}");
        let mut file = syn::parse_file(&module).unwrap();
        let call: syn::ItemMacro = syn::parse_str(&text).unwrap();
        let again: Declaration = call.mac.parse_body().unwrap();
        assert_eq!(again.to_string(), text);
        crate::declaration::expand(&mut file.items);
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }
}
