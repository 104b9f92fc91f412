//! Streams: the content of an event and the media type, which the client crate reads.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Ident, Item, parse_quote};

use super::rust_type::body_type;
use crate::media_type::essence;
use crate::model::{EventData, Stream, StreamFormat};

/// Returns the items that give the builder of a request the stream of its response.
pub(super) fn items(builder: &Ident, stream: &Stream) -> [Item; 2] {
    let item = body_type(&stream.item);
    let media_type = essence(&stream.media_type);
    let data = event_data(&stream.format);
    let streamed = parse_quote! {
        impl crate::Streamed for #builder {
            type StreamItem = #item;
            const MEDIA_TYPE: &'static str = #media_type;
            const EVENT_DATA: crate::EventData = crate::EventData::#data;
        }
    };
    let methods = match stream.format {
        StreamFormat::Events(_) => parse_quote! {
            crate::events::events!(#builder);
        },
        StreamFormat::Lines => parse_quote! {
            crate::events::lines!(#builder);
        },
    };
    [streamed, methods]
}

/// Returns the content of the events, as a variant of the client's `EventData`.
pub(super) fn event_data(format: &StreamFormat) -> TokenStream {
    match format {
        StreamFormat::Events(EventData::Text) => quote!(Text),
        StreamFormat::Events(EventData::Fields(None)) => {
            quote!(Fields {
                json: ::std::option::Option::None
            })
        }
        StreamFormat::Events(EventData::Fields(Some(names))) => {
            quote!(Fields { json: ::std::option::Option::Some(&[#(#names),*]) })
        }
        StreamFormat::Events(EventData::Json) | StreamFormat::Lines => quote!(Json),
    }
}
