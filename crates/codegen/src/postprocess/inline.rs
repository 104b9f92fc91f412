//! Limits machine code to the functions that a program calls.
//!
//! For a function without type parameters, the compiler generates machine code in the function's crate, and for all that it
//! calls: the decoding and the sending of each operation, and the methods of each type. For one that is `#[inline]`, it does
//! so in the crates that call it, as for a function with type parameters.

use syn::{Attribute, Generics, ImplItem, Item, parse_quote};

/// Adds `#[inline]` to all functions without type parameters.
pub(super) fn mark(items: &mut [Item]) {
    for item in items {
        match item {
            Item::Mod(module) => {
                let content = module.content.as_mut();
                mark(content.map_or(&mut [], |(_, items)| items));
            }
            Item::Fn(function) => inline(&mut function.attrs, &function.sig.generics),
            Item::Impl(item) if !has_types(&item.generics) => {
                for item in &mut item.items {
                    if let ImplItem::Fn(function) = item {
                        inline(&mut function.attrs, &function.sig.generics);
                    }
                }
            }
            _ => {}
        }
    }
}

fn inline(attributes: &mut Vec<Attribute>, generics: &Generics) {
    let is_marked = |attribute: &Attribute| attribute.path().is_ident("inline");
    if !has_types(generics) && !attributes.iter().any(is_marked) {
        attributes.push(parse_quote!(#[inline]));
    }
}

fn has_types(generics: &Generics) -> bool {
    generics.type_params().next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_without_type_parameters_are_inline() {
        let mut file: syn::File = parse_quote! {
            impl Client {
                /// Documented.
                pub fn call(&self) {}
                pub fn set<T>(&self, value: T) {}
                #[inline]
                pub fn marked<'a>(&'a self) {}
            }
            impl<T> Generic for T {
                fn already(&self) {}
            }
            mod defaults {
                pub(super) fn default() {}
                pub(super) fn default_u64<T>() {}
            }
        };
        mark(&mut file.items);
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }
}
