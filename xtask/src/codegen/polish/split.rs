//! The types get a crate of their own, which knows no HTTP.

use std::collections::BTreeSet;

use quote::format_ident;
use serde_json::Value;
use syn::{Item, parse_quote};

use super::Halves;
use crate::codegen::generate::Raw;
use crate::codegen::{names, walk};

/// Moves the items of `mod types` out, and leaves the types crate under that name in its place.
pub(super) fn split(raw: Raw) -> Halves {
    let Raw {
        sdk: mut file,
        mock,
    } = raw;
    let mut types = Vec::new();
    for item in &mut file.items {
        if let Item::Mod(module) = item
            && module.ident == "types"
            && let Some((_, items)) = module.content.take()
        {
            types = items;
            *item = parse_quote! {
                /// The types of parameters, bodies and responses.
                pub use call_api_types as types;
            };
        }
    }
    Halves {
        types: syn::File {
            shebang: None,
            frontmatter: None,
            attrs: Vec::new(),
            items: types,
        },
        client: file,
        mock,
    }
}

/// The formats for which there is a type in Rust already, and that type.
const IN_RUST: [(&str, &str); 5] = [
    ("uuid", "::uuid::Uuid"),
    ("date", "::chrono::naive::NaiveDate"),
    ("ip", "::std::net::IpAddr"),
    ("ipv4", "::std::net::Ipv4Addr"),
    ("ipv6", "::std::net::Ipv6Addr"),
];

/// A schema that has the name of the type that its format is in Rust becomes none of its own: it is found under its name
/// all the same.
pub(super) fn alias(file: &mut syn::File, document: &Value) {
    let known: BTreeSet<String> = file
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Struct(item) => Some(item.ident.to_string()),
            Item::Enum(item) => Some(item.ident.to_string()),
            _ => None,
        })
        .collect();
    for (name, schema) in walk::schemas(document) {
        let ident = names::type_name(name);
        let format = schema.get("format").and_then(Value::as_str);
        let native = IN_RUST.iter().find(|(of, path)| {
            Some(*of) == format && path.rsplit("::").next() == Some(ident.as_str())
        });
        if let Some((_, path)) = native
            && !known.contains(&ident)
            && let Ok(path) = syn::parse_str::<syn::Type>(path)
        {
            let doc = format!(" The schema `{name}`.");
            let ident = format_ident!("{ident}");
            file.items.push(parse_quote! {
                #[doc = #doc]
                pub type #ident = #path;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_move_out_and_the_crate_takes_their_place() {
        let halves = split(Raw {
            sdk: parse_quote! {
                pub mod types { pub struct Call; pub mod builder { pub struct Call; } }
                pub struct Client;
            },
            mock: parse_quote!(),
        });
        insta::assert_snapshot!(prettyplease::unparse(&halves.types), @r"
        pub struct Call;
        pub mod builder {
            pub struct Call;
        }
        ");
        insta::assert_snapshot!(prettyplease::unparse(&halves.client), @r"
        /// The types of parameters, bodies and responses.
        pub use call_api_types as types;
        pub struct Client;
        ");
    }
    #[test]
    fn what_is_a_type_in_rust_already_is_found_under_its_name() {
        let schemas = serde_json::json!({
            "uuid": {"type": "string", "format": "uuid"},
            "Id": {"type": "string", "format": "uuid"},
            "IpAddr": {"type": "string", "format": "ipv4"},
        });
        let mut file: syn::File = parse_quote!(
            pub struct Id(::uuid::Uuid);
        );
        alias(
            &mut file,
            &serde_json::json!({"components": {"schemas": schemas}}),
        );
        insta::assert_snapshot!(prettyplease::unparse(&file), @r"
        pub struct Id(::uuid::Uuid);
        /// The schema `uuid`.
        pub type Uuid = ::uuid::Uuid;
        ");
    }
}
