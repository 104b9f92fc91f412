//! The signatures of the client's methods and of the builders, as the generated code has them.

use std::collections::{BTreeMap, BTreeSet};

use syn::{
    FnArg, GenericArgument, ImplItem, ImplItemFn, Item, Member, Pat, PathArguments, ReturnType,
    Type, TypeParamBound, WherePredicate,
};

use crate::declaration::Declaration;
use crate::names;
use crate::postprocess::{fields_of_self, implemented, plain, text};

/// Names with their types.
pub(crate) type Typed = Vec<(String, Type)>;

/// A parameter of a request, or its body.
pub(crate) struct Parameter<'a> {
    pub(crate) name: &'a str,
    /// The source of its type.
    pub(crate) ty: &'a str,
    /// True if a request may be sent without it.
    pub(crate) is_optional: bool,
}

/// The signatures of a generated SDK. A type is a text, since a parsed one cannot be sent to another thread.
#[derive(Clone, Debug, Default)]
pub struct Signatures {
    /// The arguments of the client's methods, by name.
    methods: BTreeMap<String, Vec<(String, String)>>,
    /// The setters of requests, by builder. The type of a setter is the one that its argument is converted into.
    setters: BTreeMap<String, Vec<(String, String)>>,
    /// The setters of requests that need not be called, by builder.
    optional: BTreeMap<String, BTreeSet<String>>,
    /// The setters of structs, by struct.
    fields: BTreeMap<String, Vec<(String, String)>>,
}

impl Signatures {
    /// Reads the methods of the client and the setters of requests.
    pub(crate) fn read_client(&mut self, items: &[Item]) {
        for (owner, function) in functions(items) {
            if owner == "Client" {
                let arguments = function.sig.inputs.iter().filter_map(|input| match input {
                    FnArg::Typed(argument) => match argument.pat.as_ref() {
                        Pat::Ident(name) => Some((plain(&name.ident), text(&argument.ty))),
                        _ => None,
                    },
                    FnArg::Receiver(_) => None,
                });
                let name = plain(&function.sig.ident);
                self.methods.insert(name, arguments.collect());
            }
        }
        let module = items.iter().find_map(|item| match item {
            Item::Mod(module) if module.ident == "builder" => module.content.as_ref(),
            _ => None,
        });
        for (owner, function) in functions(module.map_or(&[], |(_, items)| items.as_slice())) {
            if let Some(ty) = converted(function) {
                let setter = (plain(&function.sig.ident), text(&ty));
                self.setters.entry(owner).or_default().push(setter);
            } else if function.sig.ident == "new" {
                self.optional.insert(owner, optional(function).collect());
            }
        }
    }

    /// Reads the setters of structs.
    pub(crate) fn read_builders(&mut self, builders: &[Declaration]) {
        for Declaration {
            name, properties, ..
        } in builders
        {
            let properties = properties.iter();
            let setters = properties.map(|property| (plain(&property.name), text(&property.ty)));
            self.fields.insert(plain(name), setters.collect());
        }
    }

    /// Returns the arguments of a method of the client.
    pub(crate) fn method(&self, name: &str) -> Option<Typed> {
        self.methods.get(name).map(|arguments| parsed(arguments))
    }

    /// Returns the setters of a request.
    pub(crate) fn setters(&self, builder: &str) -> Typed {
        let setters = self.setters.get(builder);
        setters.map_or_else(Vec::new, |setters| parsed(setters))
    }

    /// Returns a request's parameters: the arguments of its method, then the setters.
    pub(crate) fn parameters(&self, method: &str) -> Option<impl Iterator<Item = Parameter<'_>>> {
        let builder = names::builder_name(method);
        let arguments = self.methods.get(method)?.iter();
        let setters = self.setters.get(&builder).into_iter().flatten();
        let optional = self.optional.get(&builder);
        Some(arguments.chain(setters).map(move |(name, ty)| Parameter {
            name,
            ty,
            is_optional: optional.is_some_and(|optional| optional.contains(name)),
        }))
    }

    /// Returns the setters of a struct.
    pub(crate) fn fields(&self, name: &str) -> Option<Typed> {
        self.fields.get(name).map(|setters| parsed(setters))
    }
}

fn parsed(typed: &[(String, String)]) -> Typed {
    let typed = typed.iter();
    typed
        .filter_map(|(name, ty)| Some((name.clone(), syn::parse_str(ty).ok()?)))
        .collect()
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

/// Returns the fields that the constructor of a request sets to `Ok(None)`. Others are errors until they are set.
fn optional(constructor: &ImplItemFn) -> impl Iterator<Item = String> {
    let unset = fields_of_self(constructor).filter(|field| text(&field.expr) == "Ok(None)");
    unset.filter_map(|field| match &field.member {
        Member::Named(name) => Some(plain(name)),
        Member::Unnamed(_) => None,
    })
}

/// Returns the type that a setter converts its argument into: `T` of `V: TryInto<T>` or `V: IntoOptional<T, By>`.
pub(crate) fn converted(function: &ImplItemFn) -> Option<Type> {
    let returns_self = matches!(&function.sig.output, ReturnType::Type(_, ty)
        if matches!(ty.as_ref(), Type::Path(path) if path.path.is_ident("Self")));
    let predicates = &function.sig.generics.where_clause.as_ref()?.predicates;
    let converted = predicates.iter().find_map(|predicate| {
        let WherePredicate::Type(predicate) = predicate else {
            return None;
        };
        let mut bounds = predicate.bounds.iter();
        bounds.find_map(|bound| target(bound, &["TryInto", "Into", "IntoOptional"]).cloned())
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
    use syn::parse_quote;

    use super::*;

    fn shown(typed: &Typed) -> String {
        let typed = typed
            .iter()
            .map(|(name, ty)| format!("{name}: {}", text(ty)));
        typed.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn signatures_are_those_of_methods_and_setters() {
        let client: syn::File = parse_quote! {
            impl Client { pub fn get_call(&self, id: u8, r#type: Kind) -> X {} }
            impl Other { pub fn get_call(&self, id: u16) -> X {} }
            pub mod builder {
                impl GetCall {
                    pub(super) fn new(client: &Client) -> Self { Self { limit: Ok(None), after: Ok(None), id: Err(String::new()) } }
                    pub fn limit<V>(mut self, value: V) -> Self where V: std::convert::TryInto<i64> {}
                    pub fn after<V, By>(mut self, value: V) -> Self where V: types::convert::IntoOptional<u32, By> {}
                    pub fn body_map<F>(mut self, f: F) -> Self where F: FnOnce(B) -> B {}
                }
                impl TryFrom<A> for B { fn try_from<V>(value: V) -> Self where V: TryInto<u8> {} }
            }
        };
        let mut signatures = Signatures::default();
        signatures.read_client(&client.items);
        assert_eq!(signatures.methods.len(), 1);
        let arguments = signatures.method("get_call");
        assert_eq!(shown(&arguments.unwrap_or_default()), "id: u8, type: Kind");
        assert_eq!(signatures.setters.len(), 1);
        assert_eq!(
            shown(&signatures.setters("GetCall")),
            "limit: i64, after: u32"
        );
        let parameters = signatures.parameters("get_call").unwrap();
        let parameters = parameters.map(|parameter| (parameter.name, parameter.is_optional));
        assert_eq!(
            parameters.collect::<Vec<_>>(),
            [
                ("id", false),
                ("type", false),
                ("limit", true),
                ("after", true)
            ]
        );
        signatures
            .read_builders(&[parse_quote! { Call { r#type: super::Kind = required; } build }]);
        let fields = signatures.fields("Call");
        assert_eq!(shown(&fields.unwrap_or_default()), "type: super::Kind");
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
            assert_eq!(simple(&ty), kind, "{}", text(&ty));
        }
    }
}
