//! Read-only properties that a request leaves out: a decoder requires them, so a body without them can only be built.

use std::collections::BTreeMap;

use call_api_codegen::declaration;
use serde_json::{Map, Value, json};
use syn::{Fields, Item, ItemStruct};

use crate::document::Document;
use crate::operations::Operation;
use crate::shape::Shape;

/// The argument of a request that lists the properties of its body to be left out.
pub(crate) const LEFT_OUT: &str = "left-out";

/// The optional fields of each struct, by the name of their property.
type Optional = BTreeMap<String, BTreeMap<String, String>>;

/// Adds the fields of read-only properties to the bodies of operations.
///
/// # Errors
/// The source of the types is not valid Rust.
pub(crate) fn find(
    document: &Document,
    operations: &mut [Operation],
    types: &str,
) -> Result<(), String> {
    if !document.value().to_string().contains("\"readOnly\"") {
        return Ok(());
    }
    let file = syn::parse_file(types)
        .map_err(|error| format!("the generated types cannot be parsed as Rust: {error}"))?;
    let names = declaration::names_in_json(&file.items);
    let structs = file.items.iter().filter_map(|item| match item {
        Item::Struct(item) => {
            let name = item.ident.to_string();
            let optional = optional(item, names.get(&name)?);
            Some((name, optional))
        }
        _ => None,
    });
    let optional: Optional = structs.collect();
    for body in operations
        .iter_mut()
        .filter_map(|operation| operation.body.as_mut())
    {
        let Some((_, schema)) = crate::body::preferred(body) else {
            continue;
        };
        let shape = document
            .resolve(schema)
            .map(|schema| Shape::of(document, schema));
        let (Some(Ok(shape)), Some(setter)) = (shape, &body.setter) else {
            continue;
        };
        let Some(name) = setter.path.last() else {
            continue;
        };
        let fields = [name.clone(), format!("{name}Fields")];
        let fields = fields.iter().filter_map(|name| optional.get(name));
        let mut fields: Vec<_> = fields.flatten().collect();
        fields.retain(|(property, _)| shape.read_only.contains(property.as_str()));
        body.read_only = fields
            .into_iter()
            .map(|(property, field)| (property.clone(), field.clone()))
            .collect();
    }
    Ok(())
}

/// Returns the optional fields of a struct, by the name of their property. `names` has those names by field.
fn optional(item: &ItemStruct, names: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let Fields::Named(fields) = &item.fields else {
        return BTreeMap::new();
    };
    let fields = fields.named.iter().filter_map(|field| {
        let syn::Type::Path(ty) = &field.ty else {
            return None;
        };
        let last = ty.path.segments.last()?;
        let is_optional = last.ident == "Option" || last.ident == "Nullable";
        let ident = field.ident.as_ref()?.to_string();
        let name = names.get(&ident).filter(|_| is_optional)?;
        Some((name.clone(), ident))
    });
    fields.collect()
}

/// Adds the list of properties to be left out to the arguments of a request: all of those that its body has.
pub(crate) fn add(operation: &Operation, arguments: &mut Map<String, Value>) {
    let read_only = operation.body.iter().flat_map(|body| &body.read_only);
    let names: Vec<&str> = read_only.map(|(property, _)| property.as_str()).collect();
    if !names.is_empty() && arguments.get("body").is_some_and(Value::is_object) {
        arguments.insert(LEFT_OUT.to_owned(), json!(names));
    }
}

/// Returns the body of a request without the properties that are left out.
pub(crate) fn sent(arguments: &Map<String, Value>) -> Option<Value> {
    let mut body = arguments.get("body").cloned();
    let names = arguments.get(LEFT_OUT).and_then(Value::as_array);
    if let Some(Value::Object(body)) = &mut body {
        for name in names.into_iter().flatten().filter_map(Value::as_str) {
            body.remove(name);
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_the_names_of_their_properties() {
        let item: ItemStruct = syn::parse_quote! {
            pub struct Order {
                pub id: ::std::option::Option<u8>,
                pub org_name: crate::nullable::Nullable<u8>,
                pub r#type: ::std::option::Option<u8>,
                pub must: u8,
                pub extra: ::std::collections::BTreeMap<::std::string::String, u8>,
            }
        };
        let call: Item = syn::parse_quote! {
            crate::record::fields! { Order {
                id: "id" = Exact or_default IfPresent;
                org_name: "orgName" = Lenient or_default IfPresent;
                r#type: "type" = Exact or(self::default) Always;
                must: "must" = Exact required Always;
                ..extra: Lenient;
            } }
        };
        let names = declaration::names_in_json(&[call]);
        let expected = [("id", "id"), ("orgName", "org_name"), ("type", "r#type")];
        let expected = expected.map(|(name, field)| (name.to_owned(), field.to_owned()));
        assert_eq!(optional(&item, &names["Order"]), expected.into());
    }

    #[test]
    fn body_is_sent_without_what_is_left_out() {
        let arguments = json!({"body": {"id": 1, "name": 2}, LEFT_OUT: ["id", "other"]});
        let sent = arguments.as_object().and_then(sent);
        assert_eq!(sent, Some(json!({"name": 2})));
    }
}
