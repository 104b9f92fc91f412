//! Access to `mod builder`, into which progenitor and typify write a struct with setters for each operation and type.

use std::collections::BTreeSet;

use syn::visit_mut::{self, VisitMut};
use syn::{GenericArgument, ImplItem, ImplItemFn, Item, ItemMod, PathArguments, Type};

use super::syntax::implemented;

/// The name of the module.
pub(super) const NAME: &str = "builder";

/// Returns the `mod builder` of a file.
pub(super) fn module(file: &mut syn::File) -> Option<&mut ItemMod> {
    file.items.iter_mut().find_map(|item| match item {
        Item::Mod(module) if module.ident == NAME => Some(module),
        _ => None,
    })
}

/// Returns the items of `mod builder`.
pub(super) fn items(file: &mut syn::File) -> &mut [Item] {
    let content = module(file).and_then(|module| module.content.as_mut());
    content.map_or(&mut [], |(_, items)| items)
}

/// Returns the `send` of each operation.
pub(super) fn sends(file: &mut syn::File) -> impl Iterator<Item = &mut ImplItemFn> {
    let functions = items(file).iter_mut().filter_map(|item| match item {
        Item::Impl(item) => Some(&mut item.items),
        _ => None,
    });
    functions.flatten().filter_map(|item| match item {
        ImplItem::Fn(function) if function.sig.ident == "send" => Some(function),
        _ => None,
    })
}

/// Follows a change of the types of fields in the builders. `changed` has type and field.
pub(super) fn change_types(
    file: &mut syn::File,
    changed: &BTreeSet<(String, String)>,
    change: fn(&mut Type),
) {
    for item in items(file) {
        match item {
            Item::Struct(item) => {
                let owner = item.ident.to_string();
                for field in &mut item.fields {
                    if let Some(name) = &field.ident
                        && changed.contains(&(owner.clone(), name.to_string()))
                    {
                        Within("Result", change).visit_type_mut(&mut field.ty);
                    }
                }
            }
            Item::Impl(item) if item.trait_.is_none() => {
                let Some(owner) = implemented(item) else {
                    continue;
                };
                for item in &mut item.items {
                    if let ImplItem::Fn(function) = item
                        && changed.contains(&(owner.clone(), function.sig.ident.to_string()))
                    {
                        Within("TryInto", change).visit_signature_mut(&mut function.sig);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Changes the first type argument of each path that ends in a name.
struct Within(&'static str, fn(&mut Type));

impl VisitMut for Within {
    fn visit_path_segment_mut(&mut self, segment: &mut syn::PathSegment) {
        if segment.ident == self.0
            && let PathArguments::AngleBracketed(arguments) = &mut segment.arguments
            && let Some(GenericArgument::Type(ty)) = arguments.args.first_mut()
        {
            (self.1)(ty);
        } else {
            visit_mut::visit_path_segment_mut(self, segment);
        }
    }
}
