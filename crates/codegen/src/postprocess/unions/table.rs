//! The tables of unions, by which the types crate chooses a member.

use std::cmp::Reverse;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use serde_json::Value;
use syn::Ident;

use crate::model::{Details, Kinds, Model, Shape, Union};
use crate::names;

/// Returns the table of the union for the types crate's `union` module.
pub(super) fn table(model: &Model, union: &Union, variants: &[Ident]) -> TokenStream {
    let tag = match &union.tag {
        None => quote!(::std::option::Option::None),
        Some(tag) => {
            let property = &tag.property;
            let required = tag.required;
            let values = tag.values.iter().enumerate().flat_map(|(index, values)| {
                values.iter().map(move |value| {
                    let value = literal(value);
                    quote!((#value, #index))
                })
            });
            quote!(::std::option::Option::Some(Tag {
                property: #property,
                values: &[#(#values),*],
                required: #required
            }))
        }
    };
    // Of equal matches, the member with more required properties is first, then the one with fewer known properties.
    // The order in the document does not matter.
    let mut order: Vec<usize> = (0..variants.len()).collect();
    order.sort_by_cached_key(|index| {
        let (required, rest, properties) = match &union.members[*index].shape {
            Shape::Of(name) => model.shapes.get(name).map(specificity),
            Shape::Is(shape) => Some(specificity(shape)),
        }
        .unwrap_or_default();
        (
            Reverse(required),
            rest,
            properties,
            variants[*index].to_string(),
        )
    });
    let members = order.iter().map(|index| {
        let member = &union.members[*index];
        let kinds = member.kinds.0;
        let shape = if union.is_looked_into(*index) {
            reference(&member.shape)
        } else {
            quote!(&Shape::ANY)
        };
        quote!((#kinds, #index, #shape))
    });
    let (any, unknown, nullable) = (union.any, union.keeps_unknown(), union.nullable);
    let expecting = expecting(union);
    quote!(Union {
        tag: #tag,
        members: &[#(#members),*],
        any: #any,
        unknown: #unknown,
        nullable: #nullable,
        expecting: #expecting
    })
}

/// Returns the rank of a member: its required properties, whether it keeps further ones, and its known properties.
fn specificity(shape: &Details) -> (usize, bool, usize) {
    (
        shape.required.len(),
        shape.rest.is_some(),
        shape.properties.len(),
    )
}

fn expecting(union: &Union) -> String {
    let all = union
        .members
        .iter()
        .fold(Kinds::default(), |all, member| all.and(member.kinds));
    let kinds = [
        (Kinds::OBJECT, "an object"),
        (Kinds::LIST, "a list"),
        (Kinds::TEXT, "a string"),
        (Kinds::NUMBER, "a number"),
        (Kinds::BOOLEAN, "a boolean"),
    ];
    let kinds: Vec<&str> = kinds
        .into_iter()
        .filter(|(kind, _)| all.has(*kind))
        .map(|(_, name)| name)
        .collect();
    kinds.join(" or ")
}

fn literal(value: &Value) -> TokenStream {
    match value {
        Value::Bool(value) => quote!(Literal::Boolean(#value)),
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            quote!(Literal::Number(#number))
        }
        Value::String(text) => quote!(Literal::Text(#text)),
        _ => quote!(Literal::Null),
    }
}

fn reference(shape: &Shape) -> TokenStream {
    match shape {
        Shape::Of(name) => {
            let ident = format_ident!("{}", names::type_name(name));
            quote!(&crate::generated::shapes::#ident)
        }
        Shape::Is(shape) => {
            let shape = details(shape);
            quote!(&#shape)
        }
    }
}

pub(super) fn details(shape: &Details) -> TokenStream {
    let plain = Details {
        kinds: shape.kinds,
        ..Details::default()
    };
    if *shape == plain && shape.kinds == Kinds::ALL {
        return quote!(Shape::ANY);
    }
    let plain = Details {
        kinds: Kinds::INTEGER,
        integer: shape.integer,
        ..plain
    };
    if let Some(integer) = shape.integer
        && *shape == plain
    {
        let constant = format_ident!("{}", integer.to_uppercase());
        return quote!(Shape::#constant);
    }
    let integer = shape.integer.map(|integer| {
        let integer = format_ident!("{integer}");
        quote!(integer: ::std::option::Option::Some(format::holds::<#integer>),)
    });
    let kinds = shape.kinds.0;
    let values = (!shape.values.is_empty()).then(|| {
        let values = shape.values.iter().map(literal);
        quote!(values: &[#(#values),*],)
    });
    let format = shape.format.map(|path| {
        let path: TokenStream = path.parse().unwrap_or_default();
        quote!(format: ::std::option::Option::Some(format::parses::<#path>),)
    });
    let required = (!shape.required.is_empty()).then(|| {
        let required = &shape.required;
        quote!(required: &[#(#required),*],)
    });
    let properties = (!shape.properties.is_empty()).then(|| {
        let properties = shape.properties.iter().map(|(name, shape)| {
            let shape = reference(shape);
            quote!((#name, #shape))
        });
        quote!(properties: &[#(#properties),*],)
    });
    let one = |name: &str, shape: &Option<Shape>| {
        shape.as_ref().map(|shape| {
            let (name, shape) = (format_ident!("{name}"), reference(shape));
            quote!(#name: ::std::option::Option::Some(#shape),)
        })
    };
    let (rest, items) = (one("rest", &shape.rest), one("items", &shape.items));
    let members = (!shape.members.is_empty()).then(|| {
        let members = shape.members.iter().map(reference);
        quote!(members: &[#(#members),*],)
    });
    quote!(Shape { kinds: #kinds, #values #format #integer #required #properties #rest #items #members ..Shape::ANY })
}
