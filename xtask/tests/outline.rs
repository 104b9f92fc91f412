//! The public API of the generated crates, as an outline: names, fields, types, variants, methods; no bodies, no
//! documentation. Its snapshot is what a reviewer of a new document reads.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

mod common;

use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Block, Fields, ImplItem, Item, Visibility, parse_quote};

/// What a user of the crate sees of these files.
fn outline(paths: &[&str]) -> String {
    let mut outline = String::new();
    for path in paths {
        let mut file = syn::parse_file(&common::read(path)).unwrap();
        public(&mut file.items);
        Signatures.visit_file_mut(&mut file);
        file.attrs.clear();
        outline.push_str(&format!("// {path}\n{}\n", prettyplease::unparse(&file)));
    }
    outline
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn public(items: &mut Vec<Item>) {
    items.retain_mut(|item| match item {
        Item::Struct(item) => is_public(&item.vis),
        Item::Enum(item) => is_public(&item.vis),
        Item::Type(item) => is_public(&item.vis),
        Item::Fn(item) => is_public(&item.vis),
        Item::Const(item) => is_public(&item.vis),
        Item::Use(item) => is_public(&item.vis),
        Item::Mod(item) => {
            if let Some((_, items)) = &mut item.content {
                public(items);
            }
            is_public(&item.vis) && item.content.is_some()
        }
        Item::Impl(item) => {
            if item.trait_.is_some() {
                // Its items are the trait's.
                item.items.clear();
                return true;
            }
            item.items.retain(|item| match item {
                ImplItem::Fn(item) => is_public(&item.vis),
                ImplItem::Const(item) => is_public(&item.vis),
                _ => false,
            });
            !item.items.is_empty()
        }
        _ => false,
    });
}

struct Signatures;

impl VisitMut for Signatures {
    fn visit_block_mut(&mut self, block: &mut Block) {
        *block = parse_quote!({});
    }

    fn visit_impl_item_const_mut(&mut self, item: &mut syn::ImplItemConst) {
        item.expr = parse_quote!(..);
        item.attrs.clear();
    }

    fn visit_attributes_mut(&mut self, attrs: &mut Vec<Attribute>) {
        // What a derive adds, how a field is called in JSON and whether a type may grow is part of the API.
        attrs.retain(|attribute| {
            ["derive", "serde", "non_exhaustive", "deprecated"]
                .iter()
                .any(|name| attribute.path().is_ident(name))
        });
    }

    fn visit_item_struct_mut(&mut self, item: &mut syn::ItemStruct) {
        visit_mut::visit_item_struct_mut(self, item);
        if let Fields::Named(fields) = &mut item.fields {
            let public = std::mem::take(&mut fields.named)
                .into_iter()
                .filter(|field| is_public(&field.vis));
            fields.named = public.collect();
        }
    }
}

#[test]
fn the_types_crate() {
    insta::assert_snapshot!(outline(&[
        common::TYPES,
        "crates/call-api-types/src/call.rs"
    ]));
}

#[test]
fn the_client_crate() {
    insta::assert_snapshot!(outline(&[
        common::CLIENT,
        "crates/call-api-client/src/lib.rs"
    ]));
}
