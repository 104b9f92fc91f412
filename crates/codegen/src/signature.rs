//! The signatures of the client's methods and of the builders, as the generated code has them.

use std::collections::BTreeMap;

use syn::{
    FnArg, GenericArgument, ImplItem, ImplItemFn, Item, Pat, PathArguments, ReturnType, Type,
    TypeParamBound, WherePredicate,
};

use crate::declaration;
use crate::postprocess::{implemented, plain};

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
                    FnArg::Typed(argument) => match argument.pat.as_ref() {
                        Pat::Ident(name) => Some((plain(&name.ident), (*argument.ty).clone())),
                        _ => None,
                    },
                    FnArg::Receiver(_) => None,
                });
                (plain(&function.sig.ident), arguments.collect())
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
            let name = plain(&function.sig.ident);
            found.entry(owner).or_default().push((name, ty));
        }
    }
    Some(found)
}

/// Returns the functions of types, each with the name of its type.
fn functions(items: &[Item]) -> impl Iterator<Item = (String, &ImplItemFn)> {
    let implementations = items.iter().filter_map(|item| match item {
        Item::Impl(item) if item.trait_.is_none() => Some((implemented(item)?, item)),
        _ => None,
    });
    implementations.flat_map(|(owner, item)| {
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
        let mut bounds = predicate.bounds.iter();
        bounds.find_map(|bound| target(bound, &["TryInto", "Into"]).cloned())
    });
    converted.filter(|_| returns_self)
}

/// Types whose values have a short literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Simple {
    /// An integer of at most 16 bits.
    SmallInteger,
    /// An integer of 32 or 64 bits.
    Integer,
    Float,
    Boolean,
    Uuid,
    String,
    /// `impl Into<String>`.
    IntoString,
    /// `reqwest::Body`.
    Body,
}

/// Returns the kind of a type, if its values have a short literal.
pub(crate) fn simple(ty: &Type) -> Option<Simple> {
    match ty {
        Type::Path(ty) if ty.qself.is_none() => {
            let segments = ty.path.segments.iter();
            let segments: Vec<String> = segments.map(|segment| plain(&segment.ident)).collect();
            let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
            match segments.as_slice() {
                ["i8" | "i16" | "u8" | "u16"] => Some(Simple::SmallInteger),
                ["i32" | "i64" | "u32" | "u64"] => Some(Simple::Integer),
                ["f64"] => Some(Simple::Float),
                ["bool"] => Some(Simple::Boolean),
                ["uuid", "Uuid"] => Some(Simple::Uuid),
                ["String"] | ["std", "string", "String"] => Some(Simple::String),
                ["reqwest", "Body"] => Some(Simple::Body),
                _ => None,
            }
        }
        Type::ImplTrait(ty) => {
            let is_string =
                |bound| target(bound, &["Into"]).and_then(simple) == Some(Simple::String);
            (ty.bounds.len() == 1 && ty.bounds.iter().any(is_string)).then_some(Simple::IntoString)
        }
        _ => None,
    }
}

/// Returns `T` of a bound `Into<T>`, if the trait is among `traits`.
fn target<'a>(bound: &'a TypeParamBound, traits: &[&str]) -> Option<&'a Type> {
    let TypeParamBound::Trait(bound) = bound else {
        return None;
    };
    let last = bound.path.segments.last()?;
    let is_known = traits.iter().any(|name| last.ident == name);
    match first_of(&last.arguments)? {
        GenericArgument::Type(ty) if is_known => Some(ty),
        _ => None,
    }
}

fn first_of(arguments: &PathArguments) -> Option<&GenericArgument> {
    match arguments {
        PathArguments::AngleBracketed(arguments) => arguments.args.first(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use quote::ToTokens as _;
    use syn::parse_quote;

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

    #[test]
    fn simple_types_are_recognized_by_their_paths() {
        let kinds: [(Type, Option<Simple>); 10] = [
            (parse_quote!(u8), Some(Simple::SmallInteger)),
            (parse_quote!(i64), Some(Simple::Integer)),
            (parse_quote!(f64), Some(Simple::Float)),
            (parse_quote!(bool), Some(Simple::Boolean)),
            (parse_quote!(::uuid::Uuid), Some(Simple::Uuid)),
            (parse_quote!(::std::string::String), Some(Simple::String)),
            (parse_quote!(::reqwest::Body), Some(Simple::Body)),
            (
                parse_quote!(impl ::std::convert::Into<String>),
                Some(Simple::IntoString),
            ),
            (parse_quote!(impl Into<u8>), None),
            (parse_quote!(types::Uuid), None),
        ];
        for (ty, kind) in kinds {
            assert_eq!(simple(&ty), kind, "{}", ty.to_token_stream());
        }
    }
}
