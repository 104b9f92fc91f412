//! Restores the document's order of properties, which progenitor sorts by name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use syn::{Fields, Item, ItemStruct};

use super::syntax::wire_name;
use crate::names;
use crate::openapi::all_properties;
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
                    .or_insert_with(|| properties(document, schema));
            }
            walk::walk(document, &mut |kind, _, value| {
                if kind == Kind::Schema {
                    let order = properties(document, value);
                    orders
                        .by_set
                        .entry(order.iter().cloned().collect())
                        .or_insert(order);
                }
            });
        }
        orders
    }

    /// Sorts the fields of each struct.
    pub(super) fn restore(&self, file: &mut syn::File) {
        for item in &mut file.items {
            if let Item::Struct(item) = item
                && let Some(order) = self.find(item)
            {
                sort_fields(item, order);
            }
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
pub(super) fn properties(document: &Value, schema: &Value) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    for (name, ..) in all_properties(document, schema) {
        if !order.contains(name) {
            order.push(name.clone());
        }
    }
    order
}

fn sort_fields(item: &mut ItemStruct, order: &[String]) {
    let Fields::Named(fields) = &mut item.fields else {
        return;
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use syn::parse_quote;

    #[test]
    fn fields_follow_the_document() {
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
        };
        Orders::of(&[&document]).restore(&mut file);
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }
}
