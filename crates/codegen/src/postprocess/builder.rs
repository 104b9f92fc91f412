//! Access to `mod builder`, into which progenitor writes a struct with setters for each operation.

use syn::{ImplItem, ImplItemFn, Item, ItemMod};

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
