//! Restores the document's order of properties, which progenitor sorts by name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use syn::visit_mut::{self, VisitMut};
use syn::{Fields, ImplItem, Item, ItemStruct, Member};

use super::builder;
use super::syntax::{implemented, wire_name};
use crate::names;
use crate::walk::{self, Kind};

/// The order of properties, by type name, and by the set of all properties for types that typify names.
pub(super) struct Orders {
    by_name: BTreeMap<String, Vec<String>>,
    by_set: BTreeMap<BTreeSet<String>, Vec<String>>,
}

impl Orders {
    /// Reads the orders. Earlier documents take precedence.
    pub(super) fn of(documents: &[&Value]) -> Self {
        let mut orders = Self {
            by_name: BTreeMap::new(),
            by_set: BTreeMap::new(),
        };
        for document in documents {
            for (name, schema) in walk::schemas(document) {
                orders
                    .by_name
                    .entry(names::type_name(name))
                    .or_insert_with(|| properties(document, schema, 0));
            }
            walk::walk(document, &mut |kind, _, value| {
                if kind == Kind::Schema {
                    let order = properties(document, value, 0);
                    orders
                        .by_set
                        .entry(order.iter().cloned().collect())
                        .or_insert(order);
                }
            });
        }
        orders
    }

    /// Sorts the fields of each struct, and the items of its builder.
    pub(super) fn restore(&self, file: &mut syn::File) {
        let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for item in &mut file.items {
            if let Item::Struct(item) = item
                && let Some(order) = self.find(item)
            {
                fields.insert(item.ident.to_string(), sort_fields(item, order));
            }
        }
        for item in builder::items(file) {
            sort_builder(item, &fields);
        }
    }

    fn find(&self, item: &ItemStruct) -> Option<&[String]> {
        let names: BTreeSet<String> = item.fields.iter().filter_map(wire_name).collect();
        let named = self
            .by_name
            .get(&item.ident.to_string())
            .filter(|order| names.iter().all(|name| order.contains(name)));
        named.or_else(|| self.by_set.get(&names)).map(Vec::as_slice)
    }
}

/// Returns the properties of a schema and of its parts, each at its first occurrence.
pub(super) fn properties(document: &Value, schema: &Value, depth: usize) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    let mut add = |name: &String| {
        if !order.contains(name) {
            order.push(name.clone());
        }
    };
    // A schema that contains itself has no further properties at this depth.
    if depth < 16
        && let Some(schema) = walk::follow(document, schema)
    {
        for member in schema
            .get("allOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            properties(document, member, depth + 1)
                .iter()
                .for_each(&mut add);
        }
        for (name, _) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            add(name);
        }
    }
    order
}

/// Sorts the fields, and returns their names in the new order.
fn sort_fields(item: &mut ItemStruct, order: &[String]) -> Vec<String> {
    let Fields::Named(fields) = &mut item.fields else {
        return Vec::new();
    };
    let rank = |field: &syn::Field| {
        let name = wire_name(field);
        order
            .iter()
            .position(|other| Some(other) == name.as_ref())
            .unwrap_or(usize::MAX)
    };
    let mut sorted: Vec<_> = std::mem::take(&mut fields.named).into_iter().collect();
    sorted.sort_by_cached_key(rank);
    fields.named = sorted.into_iter().collect();
    fields
        .named
        .iter()
        .filter_map(|field| field.ident.as_ref())
        .map(ToString::to_string)
        .collect()
}

fn sort_builder(item: &mut Item, fields: &BTreeMap<String, Vec<String>>) {
    match item {
        Item::Struct(item) => {
            if let Some(order) = fields.get(&item.ident.to_string()) {
                sort_fields(item, order);
            }
        }
        Item::Impl(item) => {
            let Some(order) = implemented(item).and_then(|name| fields.get(&name)) else {
                return;
            };
            let rank = |name: &str| order.iter().position(|other| other == name);
            item.items.sort_by_key(|item| match item {
                ImplItem::Fn(function) => rank(&function.sig.ident.to_string()),
                _ => None,
            });
            Literals { rank: &rank }.visit_item_impl_mut(item);
        }
        _ => {}
    }
}

struct Literals<'a> {
    rank: &'a dyn Fn(&str) -> Option<usize>,
}

impl VisitMut for Literals<'_> {
    fn visit_expr_struct_mut(&mut self, literal: &mut syn::ExprStruct) {
        visit_mut::visit_expr_struct_mut(self, literal);
        let mut sorted: Vec<_> = std::mem::take(&mut literal.fields).into_iter().collect();
        sorted.sort_by_key(|field| match &field.member {
            Member::Named(name) => (self.rank)(&name.to_string()),
            Member::Unnamed(_) => None,
        });
        literal.fields = sorted.into_iter().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use syn::parse_quote;

    #[test]
    fn fields_builders_and_literals_follow_the_document() {
        let document = json!({"components": {"schemas": {
            "Base": {"properties": {"id": {}, "type": {}}},
            "Call": {"allOf": [{"$ref": "#/components/schemas/Base"}, {"properties": {"end": {}, "begin": {}}}]},
        }}});
        let mut file: syn::File = parse_quote! {
            pub struct Call {
                pub begin: u8,
                pub end: u8,
                #[serde(flatten)]
                pub extra: u8,
                pub id: u8,
                #[serde(rename = "type", default)]
                pub type_: u8,
            }
            pub struct Other { pub b: u8, pub a: u8 }
            pub mod builder {
                pub struct Call { begin: u8, end: u8, id: u8, type_: u8 }
                impl Call { fn begin() {} fn end() {} fn id() {} fn type_() {} }
                impl From<super::Call> for Call {
                    fn from(v: super::Call) -> Self { Self { begin: v.begin, end: v.end, id: v.id, type_: v.type_ } }
                }
            }
        };
        Orders::of(&[&document]).restore(&mut file);
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }
}
