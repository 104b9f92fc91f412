//! `multipart/form-data`: writes the body part by part that progenitor took for JSON.

use std::collections::BTreeMap;

use quote::{format_ident, quote};
use serde_json::Value;
use syn::{Expr, Ident, Item, Type, parse_quote};

use super::syntax::{first_argument, wire_name};
use crate::model::{Model, Part};
use crate::normalize::types::component;
use crate::pointer::Lookup as _;
use crate::{names, walk};

/// Returns the Rust name of the schema that stands for a file, if the document has files.
fn file_type(model: &Model) -> Option<String> {
    model.file.as_deref().map(names::type_name)
}

/// Returns the export of the file type, if the document has files.
pub(super) fn export(model: &Model) -> Option<Item> {
    let name = file_type(model)?;
    Some(if name == "FilePart" {
        parse_quote!(
            pub use crate::file_part::FilePart;
        )
    } else {
        let ident = format_ident!("{name}");
        parse_quote!(pub use crate::file_part::FilePart as #ident;)
    })
}

/// Implements the client's `File` for the file type, if the document has files.
pub(super) fn describe(client: &mut syn::File, model: &Model) {
    let Some(name) = file_type(model) else {
        return;
    };
    let ident = format_ident!("{name}");
    client.items.push(parse_quote! {
        impl crate::multipart::File for types::#ident {
            fn content(&self) -> &[u8] {
                &self.content
            }
            fn name(&self) -> ::std::option::Option<&str> {
                self.name.as_deref()
            }
            fn media_type(&self) -> ::std::option::Option<&str> {
                self.media_type.as_deref()
            }
        }
    });
}

/// The fields of the structs that are sent in parts, by struct name and wire name.
pub(super) type Bodies = BTreeMap<String, BTreeMap<String, Field>>;

/// A field of a body that is sent in parts.
#[derive(Clone, Debug)]
pub(super) struct Field {
    ident: String,
    count: Count,
}

/// The number of values of a field.
#[derive(Clone, Copy, Debug)]
enum Count {
    One,
    /// An optional value or a list.
    Several,
    /// An optional list.
    PerhapsSeveral,
}

/// Returns the bodies that are sent in parts, without their fields.
pub(super) fn bodies(document: &Value, model: &Model) -> Bodies {
    let bodies = walk::operations(document)
        .into_iter()
        .filter_map(|operation| {
            let body = Parts::of(document, model, &operation)?.body?;
            Some((body, BTreeMap::new()))
        });
    bodies.collect()
}

/// Adds the fields of those bodies whose structs are in the file.
pub(super) fn note(types: &syn::File, bodies: &mut Bodies) {
    for item in &types.items {
        if let Item::Struct(item) = item
            && let Some(body) = bodies.get_mut(&item.ident.to_string())
        {
            let fields = item.fields.iter().filter_map(|field| {
                let ident = field.ident.as_ref()?.to_string();
                let count = count(&field.ty);
                Some((wire_name(field)?, Field { ident, count }))
            });
            body.extend(fields);
        }
    }
}

/// The parts of a body, and the name of its type.
#[derive(Debug)]
pub(super) struct Parts {
    parts: Vec<Part>,
    /// `None` if it is not a component: the parts cannot be written.
    body: Option<String>,
}

impl Parts {
    /// Returns the parts of an operation's body.
    pub(super) fn of(
        document: &Value,
        model: &Model,
        operation: &walk::Operation<'_>,
    ) -> Option<Self> {
        let parts = model.operation(&operation.pointer)?.body.parts()?;
        let body = walk::follow(document, operation.object.get("requestBody")?)?;
        let schema = body.at("/content/application~1json/schema");
        let name = schema.and_then(component);
        Some(Self {
            parts: parts.to_vec(),
            body: name.map(|name| names::type_name(&name)),
        })
    }

    /// Returns the replacement of `request.json(&body)`.
    pub(super) fn put_into(&self, request: &Expr, bodies: &Bodies) -> Option<Expr> {
        let fields = bodies.get(self.body.as_ref()?)?;
        let mut form = quote!(crate::multipart::Form::new());
        for part in &self.parts {
            let name = &part.name;
            let Field { ident, count } = fields.get(name)?;
            let field = format_ident!("{ident}");
            let media_type = part.media_type.as_deref();
            form = if part.is_file {
                let media_type = media_type.unwrap_or("application/octet-stream");
                let files = files(&field, *count);
                quote!(#form.files(#name, #files, #media_type))
            } else {
                let media_type = match media_type {
                    Some(media_type) => quote!(::std::option::Option::Some(#media_type)),
                    None => quote!(::std::option::Option::None),
                };
                quote!(#form.value(#name, &body.#field, #media_type))
            };
        }
        Some(parse_quote!(#form.put_into(#request).map_err(Error::InvalidRequest)?))
    }
}

fn files(field: &Ident, count: Count) -> proc_macro2::TokenStream {
    match count {
        Count::One => quote!(::std::iter::once(&body.#field)),
        Count::Several => quote!(&body.#field),
        Count::PerhapsSeveral => quote!(body.#field.iter().flatten()),
    }
}

fn count(ty: &Type) -> Count {
    let last = |ty: &Type| match ty {
        Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
        _ => None,
    };
    let inner = first_argument(ty).and_then(last);
    match (last(ty).as_deref(), inner.as_deref()) {
        (Some("Option"), Some("Vec")) => Count::PerhapsSeveral,
        (Some("Option" | "Vec"), _) => Count::Several,
        _ => Count::One,
    }
}
