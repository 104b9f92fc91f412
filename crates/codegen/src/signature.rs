//! The signatures of the client's methods and of the builders, as the generated code has them.

use std::collections::BTreeMap;

use crate::declaration;
use quote::ToTokens as _;
use syn::{FnArg, ImplItem, ImplItemFn, Item, ReturnType, Type, WherePredicate};

/// Names with their types.
pub(crate) type Typed = Vec<(String, Type)>;

/// Returns the arguments of the client's methods, by name.
pub(crate) fn methods(client: &str) -> Option<BTreeMap<String, Typed>> {
    let file = syn::parse_file(client).ok()?;
    let functions = functions(&file.items);
    let of_client = functions.filter(|(owner, _)| owner == "Client");
    Some(
        of_client
            .map(|(_, function)| {
                let arguments = function.sig.inputs.iter().filter_map(|input| match input {
                    FnArg::Typed(argument) => {
                        let name = argument.pat.to_token_stream().to_string();
                        Some((plain(&name), (*argument.ty).clone()))
                    }
                    FnArg::Receiver(_) => None,
                });
                (plain(&function.sig.ident.to_string()), arguments.collect())
            })
            .collect(),
    )
}

/// Returns the setters of the builders in the module `builder`, by the name of the builder. The type of a setter is the one
/// that its argument is converted into.
pub(crate) fn setters(source: &str) -> Option<BTreeMap<String, Typed>> {
    let mut file = syn::parse_file(source).ok()?;
    declaration::expand(&mut file.items);
    let module = file.items.iter().find_map(|item| match item {
        Item::Mod(module) if module.ident == "builder" => module.content.as_ref(),
        _ => None,
    });
    let mut found: BTreeMap<String, Typed> = BTreeMap::new();
    for (owner, function) in functions(module.map_or(&[], |(_, items)| items.as_slice())) {
        if let Some(ty) = converted(function) {
            let name = plain(&function.sig.ident.to_string());
            found.entry(owner).or_default().push((name, ty));
        }
    }
    Some(found)
}

/// Returns the functions of types, each with the name of its type.
fn functions(items: &[Item]) -> impl Iterator<Item = (String, &ImplItemFn)> {
    let implementations = items.iter().filter_map(|item| match item {
        Item::Impl(item) if item.trait_.is_none() => Some(item),
        _ => None,
    });
    implementations.flat_map(|item| {
        let owner = item.self_ty.to_token_stream().to_string();
        let functions = item.items.iter().filter_map(|item| match item {
            ImplItem::Fn(function) => Some(function),
            _ => None,
        });
        functions.map(move |function| (owner.clone(), function))
    })
}

/// Returns the type that a setter converts its argument into: `T` of `V: TryInto<T>` or `V: Into<T>`.
fn converted(function: &ImplItemFn) -> Option<Type> {
    let returns_self = matches!(&function.sig.output, ReturnType::Type(_, ty)
        if matches!(ty.as_ref(), Type::Path(path) if path.path.is_ident("Self")));
    let predicates = &function.sig.generics.where_clause.as_ref()?.predicates;
    let converted = predicates.iter().find_map(|predicate| {
        let WherePredicate::Type(predicate) = predicate else {
            return None;
        };
        predicate.bounds.iter().find_map(|bound| {
            let syn::TypeParamBound::Trait(bound) = bound else {
                return None;
            };
            let last = bound.path.segments.last()?;
            let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else {
                return None;
            };
            match (
                last.ident == "TryInto" || last.ident == "Into",
                arguments.args.first()?,
            ) {
                (true, syn::GenericArgument::Type(ty)) => Some(ty.clone()),
                _ => None,
            }
        })
    });
    converted.filter(|_| returns_self)
}

fn plain(ident: &str) -> String {
    ident.trim_start_matches("r#").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(found: &BTreeMap<String, Typed>) -> String {
        let shown = found.iter().map(|(name, typed)| {
            let typed = typed
                .iter()
                .map(|(name, ty)| format!("{name}: {}", ty.to_token_stream()));
            format!("{name}({})", typed.collect::<Vec<_>>().join(", "))
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn signatures_are_those_of_methods_and_setters() {
        let source = "
            impl Client { pub fn get_call(&self, id: u8, r#type: Kind) -> X {} }
            impl Other { pub fn get_call(&self, id: u8) -> X {} }
            pub mod builder {
                impl GetCall {
                    pub(super) fn new(client: &Client) -> Self {}
                    pub fn limit<V>(mut self, value: V) -> Self where V: std::convert::TryInto<i64> {}
                    pub fn body_map<F>(mut self, f: F) -> Self where F: FnOnce(B) -> B {}
                }
                impl TryFrom<A> for B { fn try_from<V>(value: V) -> Self where V: TryInto<u8> {} }
            }";
        let methods = methods(source).unwrap_or_default();
        assert_eq!(shown(&methods), "get_call(id: u8, type: Kind)");
        let setters = setters(source).unwrap_or_default();
        assert_eq!(shown(&setters), "GetCall(limit: i64)");
    }
}
