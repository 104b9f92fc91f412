//! Types of the model, as Rust code.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse_quote;

use crate::model::Type;
use crate::names;

/// Returns a type, as the types crate writes it.
pub(super) fn rust(ty: &Type) -> TokenStream {
    match ty {
        Type::Schema(name) => {
            let ident = format_ident!("{}", names::type_name(name));
            quote!(#ident)
        }
        Type::Text => quote!(::std::string::String),
        Type::Parsed(path) => path.parse().unwrap_or_default(),
        Type::Integer(primitive) => primitive.parse().unwrap_or_default(),
        Type::Number => quote!(f64),
        Type::Boolean => quote!(bool),
        Type::Optional(inner) => {
            let inner = rust(inner);
            quote!(::std::option::Option<#inner>)
        }
        Type::List(inner) => {
            let inner = rust(inner);
            quote!(::std::vec::Vec<#inner>)
        }
        Type::Map(inner) => {
            let inner = rust(inner);
            quote!(::std::collections::BTreeMap<::std::string::String, #inner>)
        }
        Type::Any => quote!(::serde_json::Value),
    }
}

/// Returns the type of a body, as the client writes it.
pub(super) fn body_type(ty: &Type) -> syn::Type {
    match ty {
        Type::Schema(name) => {
            let ident = format_ident!("{}", names::type_name(name));
            parse_quote!(types::#ident)
        }
        Type::Optional(inner) => {
            let inner = body_type(inner);
            parse_quote!(::std::option::Option<#inner>)
        }
        Type::List(inner) => {
            let inner = body_type(inner);
            parse_quote!(::std::vec::Vec<#inner>)
        }
        Type::Map(inner) if **inner == Type::Any => {
            parse_quote!(::serde_json::Map<::std::string::String, ::serde_json::Value>)
        }
        Type::Map(inner) => {
            let inner = body_type(inner);
            parse_quote!(::std::collections::BTreeMap<::std::string::String, #inner>)
        }
        scalar => {
            let scalar = rust(scalar);
            parse_quote!(#scalar)
        }
    }
}
