//! Webhooks: the name of their receiver, which the client crate has.

use quote::format_ident;
use syn::{Item, parse_quote};

use crate::model::Model;
use crate::names;

/// Returns the receiver of a document that has webhooks.
pub(super) fn receiver(model: &Model) -> Option<Item> {
    let webhooks = model.webhooks.as_ref()?;
    let event = format_ident!("{}", names::type_name(&webhooks.schema));
    Some(if webhooks.are_verified {
        parse_quote! {
            /// Reads the webhooks of the document, and verifies that the service sent them.
            pub type WebhookReceiver = crate::webhooks::Verified<types::#event>;
        }
    } else {
        parse_quote! {
            /// Reads the webhooks of the document. Nothing proves who sent them.
            pub type WebhookReceiver = crate::webhooks::Unverified<types::#event>;
        }
    })
}
