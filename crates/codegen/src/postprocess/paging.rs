//! Lists: the constant that divides a list into pages, which the client crate reads.

use quote::quote;
use syn::{Ident, Item, parse_quote};

use super::rust_type::body_type;
use crate::model::{NextPage, Paging};

/// Returns the items that make the builder of a request that of a list.
pub(super) fn items(builder: &Ident, paging: &Paging) -> [Item; 2] {
    let Paging {
        items,
        may_lack_items,
        has_more,
        next,
        item,
    } = paging;
    let item = body_type(item);
    let optional = |path: &Option<Vec<String>>| match path {
        Some(path) => quote!(::std::option::Option::Some(&[#(#path),*])),
        None => quote!(::std::option::Option::None),
    };
    let has_more = optional(has_more);
    let next = match next {
        NextPage::Cursor { value, parameter } => {
            quote!(Cursor { value: &[#(#value),*], parameter: #parameter })
        }
        NextPage::LastItem {
            property,
            parameter,
        } => quote!(LastItem { property: #property, parameter: #parameter }),
        NextPage::Number {
            parameter,
            first,
            pages,
        } => {
            let pages = optional(pages);
            quote!(Number { parameter: #parameter, first: #first, pages: #pages })
        }
        NextPage::Offset { parameter } => quote!(Offset { parameter: #parameter }),
        NextPage::Url { value } => quote!(Url { value: &[#(#value),*] }),
        NextPage::Header { name } => quote!(Header { name: #name }),
    };
    let paged = parse_quote! {
        impl crate::Paged for #builder {
            type Item = #item;
            const PAGING: &'static crate::Paging = &crate::Paging {
                items: &[#(#items),*],
                may_lack_items: #may_lack_items,
                has_more: #has_more,
                next: crate::NextPage::#next,
            };
        }
    };
    [
        paged,
        parse_quote! {
            crate::paging::paged!(#builder);
        },
    ]
}
