//! Turns `deprecated: true` into `#[deprecated]`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use syn::{Attribute, Fields, ImplItem, Item, parse_quote};

use super::builder;
use super::syntax::{implemented, wire_name};
use crate::names;
use crate::openapi::{Schema as _, all_properties, of_operation};
use crate::walk::{self, Kind};

fn attribute(attributes: &mut Vec<Attribute>) {
    attributes.push(parse_quote!(#[deprecated]));
}

/// Marks deprecated methods and the setters of deprecated parameters.
pub(super) fn operations(file: &mut syn::File, document: &Value) {
    let mut methods = BTreeSet::new();
    // Builder and setter.
    let mut setters = BTreeSet::new();
    for operation in walk::operations(document) {
        let Some(id) = operation.id() else { continue };
        if operation.object.has_flag("deprecated") {
            methods.insert(names::method_name(id));
        }
        for parameter in of_operation(document, &operation) {
            if parameter.object.has_flag("deprecated") {
                setters.insert((
                    names::builder_name(id),
                    names::parameter_name(parameter.name()),
                ));
            }
        }
    }
    for item in &mut file.items {
        if let Item::Impl(item) = item {
            mark_functions(item, |client, function| {
                client == "Client" && methods.contains(function)
            });
        }
    }
    for item in builder::items(file) {
        if let Item::Impl(item) = item {
            mark_functions(item, |builder, setter| {
                setters.contains(&(builder.to_owned(), setter.to_owned()))
            });
        }
    }
}

fn mark_functions(item: &mut syn::ItemImpl, marked: impl Fn(&str, &str) -> bool) {
    let Some(name) = implemented(item).filter(|_| item.trait_.is_none()) else {
        return;
    };
    for item in &mut item.items {
        if let ImplItem::Fn(function) = item {
            let ident = function.sig.ident.to_string();
            if marked(&name, ident.trim_start_matches("r#")) {
                attribute(&mut function.attrs);
            }
        }
    }
}

/// The deprecated properties, by type name, and by the set of all properties for types that typify names.
#[derive(Default)]
pub(super) struct Deprecated {
    types: BTreeSet<String>,
    by_name: BTreeMap<String, BTreeSet<String>>,
    by_set: BTreeMap<BTreeSet<String>, BTreeSet<String>>,
}

impl Deprecated {
    pub(super) fn of(document: &Value) -> Self {
        let mut deprecated = Self::default();
        for (name, schema) in walk::schemas(document) {
            let name = names::type_name(name);
            if schema.has_flag("deprecated") {
                deprecated.types.insert(name.clone());
            }
            let (_, marked) = properties(document, schema);
            if !marked.is_empty() {
                deprecated.by_name.insert(name, marked);
            }
        }
        walk::walk(document, &mut |kind, _, value| {
            if kind == Kind::Schema {
                let (all, marked) = properties(document, value);
                if !marked.is_empty() {
                    deprecated.by_set.insert(all, marked);
                }
            }
        });
        deprecated
    }

    /// Marks deprecated types and properties.
    pub(super) fn mark(&self, file: &mut syn::File) {
        for item in &mut file.items {
            let (name, attributes) = match item {
                Item::Struct(item) => (item.ident.to_string(), &mut item.attrs),
                Item::Enum(item) => (item.ident.to_string(), &mut item.attrs),
                Item::Type(item) => (item.ident.to_string(), &mut item.attrs),
                _ => continue,
            };
            if self.types.contains(&name) {
                attribute(attributes);
            }
            let Item::Struct(item) = item else { continue };
            let Fields::Named(fields) = &mut item.fields else {
                continue;
            };
            let of_set = || {
                let all: BTreeSet<String> = fields.named.iter().filter_map(wire_name).collect();
                self.by_set.get(&all)
            };
            // Few documents have deprecated properties, and parsing the names of all fields is slow.
            let marked = match self.by_name.get(&name) {
                None if self.by_set.is_empty() => None,
                None => of_set(),
                by_name => by_name,
            };
            let Some(marked) = marked else { continue };
            for field in &mut fields.named {
                if wire_name(field).is_some_and(|wire| marked.contains(&wire)) {
                    attribute(&mut field.attrs);
                }
            }
        }
    }
}

/// Returns all properties of a schema and of its parts, and the deprecated ones.
fn properties(document: &Value, schema: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let all = all_properties(document, schema);
    let marked = all
        .iter()
        .filter(|(_, property, _)| property.has_flag("deprecated"));
    let marked = marked.map(|(name, ..)| (*name).clone()).collect();
    (
        all.into_iter().map(|(name, ..)| name.clone()).collect(),
        marked,
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn deprecated_items_are_marked() {
        let document = json!({
            "paths": {"/a": {
                "parameters": [{"name": "X-Old", "in": "header", "deprecated": true}],
                "get": {"operationId": "getA", "deprecated": true},
                "put": {"operationId": "putA"},
            }},
            "components": {"schemas": {
                "Base": {"properties": {"old": {"deprecated": true}}},
                "Call": {"allOf": [{"$ref": "#/components/schemas/Base"}, {"properties": {"new": {}}}]},
                "Gone": {"type": "object", "deprecated": true},
                "List": {"items": {"properties": {"a": {"deprecated": true}, "b": {}}}},
            }},
        });
        let mut types: syn::File = parse_quote! {
                pub struct Call { pub new: u8, pub old: u8 }
                pub struct Gone(u8);
                pub struct ListItem { #[serde(rename = "a")] pub a_: u8, pub b: u8 }
        };
        let mut client: syn::File = parse_quote! {
                impl Client { pub fn get_a(&self) {} pub fn put_a(&self) {} }
                pub mod builder {
                    impl<'a> GetA<'a> { pub fn x_old(self) {} pub fn send(self) {} }
                    impl<'a> PutA<'a> { pub fn x_old(self) {} pub fn send(self) {} }
                }
        };
        Deprecated::of(&document).mark(&mut types);
        operations(&mut client, &document);
        insta::assert_snapshot!(prettyplease::unparse(&types));
        insta::assert_snapshot!(prettyplease::unparse(&client));
    }
}
