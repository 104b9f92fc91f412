//! Optional constants of request bodies. A builder sets them, because a constant may be all that distinguishes a member
//! of a union. typify also sets those that a decoded value does not have.

use std::collections::BTreeSet;

use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Expr, FieldValue, Item, ItemImpl, Member, Meta, Token, Type, parse_quote};

use super::builder;
use super::syntax::{implemented, option};

/// Makes fields with a default optional. A new value has the default, and a decoded one only what was received.
pub(super) fn keep_absent(file: &mut syn::File) {
    // Type and field.
    let mut changed = BTreeSet::new();
    for item in &mut file.items {
        let Item::Struct(item) = item else { continue };
        for field in &mut item.fields {
            if let Some(name) = &field.ident
                && field.attrs.iter_mut().any(omit)
                && option(&field.ty).is_none()
            {
                optional(&mut field.ty);
                changed.insert((item.ident.to_string(), name.to_string()));
            }
        }
    }
    if changed.is_empty() {
        return;
    }
    builder::change_types(file, &changed, optional);
    let mut presets = Presets(&changed);
    for item in &mut file.items {
        presets.visit_item_mut(item);
    }
}

/// Makes a field with a default absent if it has no value. Returns false if the field has no default.
fn omit(attribute: &mut Attribute) -> bool {
    if !attribute.path().is_ident("serde") {
        return false;
    }
    let Ok(words) = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
    else {
        return false;
    };
    let has = |name: &str| words.iter().any(|word| word.path().is_ident(name));
    if !has("default") || has("skip_serializing_if") {
        return false;
    }
    let others = words.iter().filter(|word| !word.path().is_ident("default"));
    *attribute = parse_quote! {
        #[serde(#(#others,)* default, skip_serializing_if = "::std::option::Option::is_none")]
    };
    true
}

fn optional(ty: &mut Type) {
    *ty = parse_quote!(::std::option::Option<#ty>);
}

/// Wraps the defaults of these fields in `Some`, in the `Default` of types and builders.
struct Presets<'a>(&'a BTreeSet<(String, String)>);

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
struct Values<'a>(&'a str, &'a BTreeSet<(String, String)>);

impl VisitMut for Values<'_> {
    fn visit_field_value_mut(&mut self, field: &mut FieldValue) {
        let Member::Named(name) = &field.member else {
            return;
        };
        if !self.1.contains(&(self.0.to_owned(), name.to_string())) {
            return visit_mut::visit_field_value_mut(self, field);
        }
        // A builder has `Ok(default)`.
        let value = match &mut field.expr {
            Expr::Call(call) if is_ok(&call.func) => call.args.first_mut(),
            value => Some(value),
        };
        if let Some(value) = value {
            *value = parse_quote!(::std::option::Option::Some(#value));
        }
    }
}

fn is_ok(function: &Expr) -> bool {
    matches!(function, Expr::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Ok"))
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
            pub mod builder {
                pub struct Hook {
                    type_: ::std::result::Result<super::HookType, ::std::string::String>,
                    muted: ::std::result::Result<bool, ::std::string::String>,
                }
                impl ::std::default::Default for Hook {
                    fn default() -> Self {
                        Self { type_: Ok(super::defaults::hook_type()), muted: Ok(Default::default()) }
                    }
                }
                impl Hook {
                    pub fn type_<T>(mut self, value: T) -> Self
                    where
                        T: ::std::convert::TryInto<super::HookType>,
                    {
                        self
                    }
                }
            }
        };
        keep_absent(&mut file);
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }
}
