//! Optional constants of request bodies. A builder sets them, because a constant may be all that distinguishes a member
//! of a union. typify also sets those that a decoded value does not have.

use std::collections::BTreeMap;

use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Expr, FieldValue, Item, ItemImpl, Member, parse_quote};

use super::syntax::{implemented, named_function, option, serde_words};

/// The functions that return the defaults, by type and field.
pub(super) type Constants = BTreeMap<(String, String), Expr>;

/// Makes fields with a default optional. A new value has the default, and a decoded one only what was received.
pub(super) fn keep_absent(file: &mut syn::File) -> Constants {
    let mut changed = Constants::new();
    for item in &mut file.items {
        let Item::Struct(item) = item else { continue };
        for field in &mut item.fields {
            if let Some(name) = &field.ident
                && option(&field.ty).is_none()
                && let Some(default) = field.attrs.iter_mut().find_map(omit)
            {
                let ty = &field.ty;
                let default = default
                    .unwrap_or_else(|| parse_quote!(<#ty as ::std::default::Default>::default));
                field.ty = parse_quote!(::std::option::Option<#ty>);
                changed.insert((item.ident.to_string(), name.to_string()), default);
            }
        }
    }
    if !changed.is_empty() {
        let mut presets = Presets(&changed);
        for item in &mut file.items {
            presets.visit_item_mut(item);
        }
    }
    changed
}

/// Makes a field with a default absent if it has no value. Returns `None` if the field has no default, and otherwise the
/// function that returns it, if there is one.
fn omit(attribute: &mut Attribute) -> Option<Option<Expr>> {
    let words = serde_words(attribute)?;
    let default = words.iter().find(|word| word.path().is_ident("default"))?;
    if words
        .iter()
        .any(|word| word.path().is_ident("skip_serializing_if"))
    {
        return None;
    }
    let function = named_function(default);
    let others = words.iter().filter(|word| !word.path().is_ident("default"));
    *attribute = parse_quote! {
        #[serde(#(#others,)* default, skip_serializing_if = "::std::option::Option::is_none")]
    };
    Some(function)
}

/// Wraps the defaults of these fields in `Some`, in the `Default` of types.
struct Presets<'a>(&'a Constants);

impl VisitMut for Presets<'_> {
    fn visit_item_impl_mut(&mut self, item: &mut ItemImpl) {
        let is_default = item.trait_.as_ref().is_some_and(|(path, _)| {
            path.segments
                .last()
                .is_some_and(|segment| segment.ident == "Default")
        });
        if let Some(owner) = implemented(item).filter(|_| is_default) {
            Values(&owner, self.0).visit_item_impl_mut(item);
        }
    }
}

/// Wraps the defaults of the fields of one type.
struct Values<'a>(&'a str, &'a Constants);

impl VisitMut for Values<'_> {
    fn visit_field_value_mut(&mut self, field: &mut FieldValue) {
        let Member::Named(name) = &field.member else {
            return;
        };
        if self.1.contains_key(&(self.0.to_owned(), name.to_string())) {
            let value = &field.expr;
            field.expr = parse_quote!(::std::option::Option::Some(#value));
        } else {
            visit_mut::visit_field_value_mut(self, field);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_set_in_new_values_and_absent_from_decoded_ones() {
        let mut file: syn::File = parse_quote! {
            pub struct Hook {
                #[serde(rename = "type", default = "defaults::hook_type")]
                pub type_: HookType,
                #[serde(default)]
                pub muted: bool,
                #[serde(default, skip_serializing_if = "::std::option::Option::is_none")]
                pub note: ::std::option::Option<::std::string::String>,
            }
            impl ::std::default::Default for Hook {
                fn default() -> Self {
                    Self {
                        type_: defaults::hook_type(),
                        muted: Default::default(),
                        note: Default::default(),
                    }
                }
            }
        };
        let constants = keep_absent(&mut file);
        insta::assert_snapshot!(prettyplease::unparse(&file));
        let functions = constants
            .iter()
            .map(|((_, field), function)| format!("{field}: {}", quote::quote!(#function)));
        assert_eq!(
            functions.collect::<Vec<_>>(),
            [
                "muted: < bool as :: std :: default :: Default > :: default",
                "type_: defaults :: hook_type",
            ]
        );
    }
}
