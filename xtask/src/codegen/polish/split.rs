//! The types get a crate of their own, which knows no HTTP.

use syn::{Item, parse_quote};

use super::Halves;
use crate::codegen::generate::Raw;

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
}
