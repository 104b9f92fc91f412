//! Declarations in the types crate, from which macros write items: `crate::setting::builder!` a builder,
//! `crate::record::fields!` what a struct has besides its fields, and `crate::open_enum::values!` and
//! `crate::union::members!` what an enum has besides its variants.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use proc_macro2::TokenTree;
use quote::quote;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Expr, Ident, Item, LitInt, LitStr, Token, Type, parse_quote};

use crate::postprocess::{first_argument, passed, text};

/// The module of the builders.
const MODULE: &str = "builder";

/// A builder of a struct.
pub(crate) struct Declaration {
    /// The struct and the builder, which have the same name.
    pub(crate) name: Ident,
    /// The struct that has the properties, if they are behind a box.
    pub(crate) fields: Option<Ident>,
    pub(crate) properties: Vec<Property>,
}

/// A property of a builder. Its types are those that the module `builder` sees.
pub(crate) struct Property {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) name: Ident,
    /// The type of the setter.
    pub(crate) ty: Type,
    /// The type of the field, if that is another one.
    pub(crate) stored: Option<Type>,
    pub(crate) state: State,
    /// `{:?}` hides the value.
    pub(crate) is_masked: bool,
}

/// The values that a setter takes.
pub(crate) enum Form<'a> {
    /// Anything that converts into the type.
    Plain,
    /// An `Option` of this type, or what converts into it.
    Optional(&'a Type),
    /// A `Nullable` of this type, or what converts into it.
    Nullable(&'a Type),
}

impl<'a> Form<'a> {
    /// Returns the form of a property of a type.
    pub(crate) fn of(ty: &'a Type) -> Self {
        let Type::Path(path) = ty else {
            return Self::Plain;
        };
        let Some(inner) = first_argument(ty).filter(|inner| !converts_any_option(inner)) else {
            return Self::Plain;
        };
        match path.path.segments.last() {
            Some(last) if last.ident == "Option" => Self::Optional(inner),
            Some(last) if last.ident == "Nullable" => Self::Nullable(inner),
            _ => Self::Plain,
        }
    }
}

/// Returns true for any JSON: an `Option` converts into it, so that the setter could not tell which of the two is meant.
pub(crate) fn converts_any_option(ty: &Type) -> bool {
    text(ty).ends_with("serde_json::Value")
}

/// A property before it is set.
pub(crate) enum State {
    Required,
    Optional,
    /// The function that returns the default.
    Default(Expr),
    /// The function that returns the value inside of the option.
    Constant(Expr),
}

impl Declaration {
    /// A property named like the method that returns the struct has that name for its setter.
    fn has_build(&self) -> bool {
        !self
            .properties
            .iter()
            .any(|property| property.name == "build")
    }

    /// Returns the items that the macro writes, without bodies.
    fn items(&self) -> Vec<Item> {
        let name = &self.name;
        let setters = self.properties.iter().map(|property| {
            let Property {
                attributes,
                name,
                ty,
                ..
            } = property;
            let bounds = match Form::of(ty) {
                Form::Plain => {
                    return quote! {
                        #(#attributes)*
                        pub fn #name<T>(mut self, value: T) -> Self
                        where
                            T: ::std::convert::TryInto<#ty>,
                            T::Error: ::std::fmt::Display,
                        {}
                    };
                }
                Form::Optional(ty) => quote!(crate::convert::IntoOptional<#ty, By>),
                Form::Nullable(ty) => quote!(crate::convert::IntoNullable<#ty, By>),
            };
            quote! {
                #(#attributes)*
                pub fn #name<T: #bounds, By>(mut self, value: T) -> Self {}
            }
        });
        let build = self.has_build().then(|| {
            quote! {
                pub fn build(self) -> ::std::result::Result<super::#name, super::error::ConversionError> {}
            }
        });
        let file: syn::File = parse_quote! {
            #[derive(Clone)]
            pub struct #name {}
            impl ::std::default::Default for #name {}
            impl #name {
                #(#setters)*
                #build
            }
            impl ::std::fmt::Debug for #name {}
            impl ::std::convert::TryFrom<#name> for super::#name {}
            impl ::std::convert::From<super::#name> for #name {}
        };
        file.items
    }
}

/// The values of a string enum.
pub(crate) struct Values {
    pub(crate) name: Ident,
    /// The variant of other values.
    pub(crate) unknown: Ident,
    /// The variants with their values.
    pub(crate) values: Vec<(Ident, LitStr)>,
}

impl Values {
    /// Returns the items that the macro writes, without bodies.
    fn items(&self) -> Vec<Item> {
        let name = &self.name;
        let file: syn::File = parse_quote! {
            impl #name {
                pub const KNOWN: &'static [Self] = &[];
                pub fn as_str(&self) -> &str {}
            }
            impl ::std::fmt::Display for #name {}
            impl ::std::str::FromStr for #name {}
            impl ::std::convert::From<&str> for #name {}
            impl ::std::convert::From<::std::string::String> for #name {}
            impl ::serde::Serialize for #name {}
            impl<'de> ::serde::Deserialize<'de> for #name {}
        };
        file.items
    }
}

/// The fields of a struct.
struct Record {
    name: Ident,
    /// The name of each field in Rust, and in JSON. The field with additional properties is not among them.
    names: Vec<(Ident, LitStr)>,
}

impl Record {
    /// Returns the items that the macro writes, without bodies.
    fn items(&self) -> Vec<Item> {
        let name = &self.name;
        let names = self.names.iter().map(|(field, name)| {
            let field = field.to_string();
            quote!((#field, #name))
        });
        let file: syn::File = parse_quote! {
            impl<'de> ::serde::Deserialize<'de> for #name {}
            impl ::serde::Serialize for #name {}
            impl #name {
                pub const PROPERTIES: &'static [(&'static str, &'static str)] = &[#(#names),*];
                pub fn name_in_json(field: &str) -> &str {}
            }
        };
        file.items
    }
}

/// Returns the name in JSON of each field, by the structs that macros declare.
pub fn names_in_json(items: &[Item]) -> BTreeMap<String, BTreeMap<String, String>> {
    let records = items.iter().filter_map(record).map(|record| {
        let names = record.names.into_iter();
        let names = names.map(|(field, name)| (field.to_string(), name.value()));
        (record.name.to_string(), names.collect())
    });
    records.collect()
}

fn record(item: &Item) -> Option<Record> {
    called(item, ["crate", "record", "fields"])
}

/// The members of a union.
struct Members {
    name: Ident,
    /// The types that convert into the union.
    sources: Vec<Type>,
}

impl Members {
    /// Returns the items that the macro writes, without bodies.
    fn items(&self) -> Vec<Item> {
        let Self { name, sources } = self;
        let file: syn::File = parse_quote! {
            impl ::serde::Serialize for #name {}
            impl<'de> ::serde::Deserialize<'de> for #name {}
            #(impl ::std::convert::From<#sources> for #name {})*
        };
        file.items
    }
}

/// Replaces declarations by the items that they declare, without bodies.
pub fn expand(items: &mut Vec<Item>) {
    for item in std::mem::take(items) {
        if let Some(values) = called::<Values>(&item, ["crate", "open_enum", "values"]) {
            items.extend(values.items());
        } else if let Some(members) = called::<Members>(&item, ["crate", "union", "members"]) {
            items.extend(members.items());
        } else if let Some(record) = record(&item) {
            items.extend(record.items());
        } else {
            items.push(item);
        }
    }
    let mut functions: Vec<Item> = Vec::new();
    for item in items.iter_mut() {
        let Item::Mod(module) = item else { continue };
        let Some((_, items)) = module.content.as_mut().filter(|_| module.ident == MODULE) else {
            continue;
        };
        for item in std::mem::take(items) {
            match called::<Declaration>(&item, ["crate", "setting", "builder"]) {
                Some(declaration) => {
                    let name = &declaration.name;
                    functions
                        .push(parse_quote!(impl #name { pub fn builder() -> builder::#name {} }));
                    items.extend(declaration.items());
                }
                None => items.push(item),
            }
        }
    }
    items.splice(0..0, functions);
}

/// Returns the argument of a macro that the item calls.
fn called<T: Parse>(item: &Item, path: [&str; 3]) -> Option<T> {
    syn::parse2(passed(item, &path)?.clone()).ok()
}

/// Skips the rest of a row, and the semicolon that ends it.
fn skip_row(input: ParseStream<'_>) -> syn::Result<()> {
    while input.parse::<Option<Token![;]>>()?.is_none() {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

impl Parse for Members {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.parse()?;
        input.parse::<Token![=]>()?;
        input.parse::<Expr>()?;
        input.parse::<Token![;]>()?;
        let mut sources = Vec::new();
        while !input.is_empty() {
            if input.parse::<Option<LitInt>>()?.is_some() {
                input.parse::<Ident>()?;
                let content;
                syn::parenthesized!(content in input);
                sources.extend(content.parse_terminated(Type::parse, Token![,])?);
            }
            skip_row(input)?;
        }
        Ok(Self { name, sources })
    }
}

impl Parse for Record {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.parse()?;
        let content;
        syn::braced!(content in input);
        let mut names = Vec::new();
        while !content.is_empty() {
            if !content.peek(Token![..]) {
                let field = content.call(Ident::parse_any)?;
                content.parse::<Token![:]>()?;
                names.push((field, content.parse()?));
            }
            skip_row(&content)?;
        }
        Ok(Self { name, names })
    }
}

impl Parse for Values {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.parse()?;
        input.parse::<Ident>()?;
        let unknown = input.parse()?;
        let content;
        syn::braced!(content in input);
        let mut values = Vec::new();
        while !content.is_empty() {
            let variant = content.parse()?;
            content.parse::<Token![=]>()?;
            values.push((variant, content.parse()?));
            content.parse::<Token![;]>()?;
        }
        Ok(Self {
            name,
            unknown,
            values,
        })
    }
}

/// Writes the call of the macro, with a line for each value.
impl Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "crate::open_enum::values! {{ {} or {} {{",
            self.name, self.unknown
        )?;
        for (variant, value) in &self.values {
            writeln!(f, "    {variant} = {};", value.token())?;
        }
        f.write_str("} }\n")
    }
}

impl Parse for Declaration {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.parse()?;
        let fields = match input.parse::<Option<Token![in]>>()? {
            Some(_) => Some(input.parse()?),
            None => None,
        };
        let content;
        syn::braced!(content in input);
        let mut properties = Vec::new();
        while !content.is_empty() {
            properties.push(content.parse()?);
        }
        input.parse::<Option<Ident>>()?;
        Ok(Self {
            name,
            fields,
            properties,
        })
    }
}

impl Parse for Property {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let name = input.parse()?;
        let is_optional = input.parse::<Option<Token![?]>>()?.is_some();
        let is_nullable = input.parse::<Option<Token![|]>>()?.is_some();
        if is_nullable {
            input.parse::<Ident>()?;
        }
        input.parse::<Token![:]>()?;
        let mut ty: Type = input.parse()?;
        if is_nullable {
            ty = parse_quote!(crate::nullable::Nullable<#ty>);
        } else if is_optional {
            ty = parse_quote!(::std::option::Option<#ty>);
        }
        let stored = match input.parse::<Option<Token![as]>>()? {
            Some(_) => Some(input.parse()?),
            None => None,
        };
        input.parse::<Token![=]>()?;
        let state: Ident = input.parse()?;
        let default = if input.peek(syn::token::Paren) {
            let content;
            syn::parenthesized!(content in input);
            Some(content.parse()?)
        } else {
            None
        };
        let state = match (state.to_string().as_str(), default) {
            ("required", None) => State::Required,
            ("optional", None) => State::Optional,
            ("default", Some(default)) => State::Default(default),
            ("constant", Some(default)) => State::Constant(default),
            _ => return Err(syn::Error::new(state.span(), "unknown state of a property")),
        };
        let is_masked = input.parse::<Option<Token![,]>>()?.is_some();
        if is_masked {
            input.parse::<Ident>()?;
        }
        input.parse::<Token![;]>()?;
        Ok(Self {
            attributes,
            name,
            ty,
            stored,
            state,
            is_masked,
        })
    }
}

/// Writes the call of the macro, with a line for each property.
impl Display for Declaration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "    crate::setting::builder! {{ {}", self.name)?;
        if let Some(fields) = &self.fields {
            write!(f, " in {fields}")?;
        }
        f.write_str(" {\n")?;
        for property in &self.properties {
            writeln!(f, "        {property}")?;
        }
        f.write_str(if self.has_build() {
            "    } build }\n"
        } else {
            "    } }\n"
        })
    }
}

impl Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for attribute in &self.attributes {
            write!(f, "{} ", text(attribute))?;
        }
        let (form, ty) = match Form::of(&self.ty) {
            Form::Plain => (": ", &self.ty),
            Form::Optional(inner) => ("?: ", inner),
            Form::Nullable(inner) => (" | null: ", inner),
        };
        write!(f, "{}{form}{}", self.name, text(ty))?;
        if let Some(stored) = &self.stored {
            f.write_str(" as ")?;
            f.write_str(&text(stored))?;
        }
        match &self.state {
            State::Required => f.write_str(" = required")?,
            State::Optional => f.write_str(" = optional")?,
            State::Default(default) => {
                write!(f, " = default({})", text(default))?;
            }
            State::Constant(default) => {
                write!(f, " = constant({})", text(default))?;
            }
        }
        f.write_str(if self.is_masked { ", Masked;" } else { ";" })
    }
}
