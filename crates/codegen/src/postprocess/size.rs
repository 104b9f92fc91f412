//! Boxes parts of types so that no type is larger than [`LIMIT`].
//!
//! Decoding, copying and returning a value take stack space of its size at each level of nesting. typify boxes only a type
//! that contains itself, so nested optional objects add up to megabytes.
//!
//! In a struct that is too large, the largest fields are boxed. In a union, the members are boxed that are too large or
//! contain the union. A struct that is too large without any such field is boxed as a whole.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use syn::visit_mut::VisitMut;
use syn::{Fields, Item, ItemStruct, Type, parse_quote};

use super::syntax::{arguments, first_argument, implemented, serde_words};
use crate::model::{self, Model};
use crate::names;

/// The maximum size of a value, in bytes.
pub(super) const LIMIT: usize = 512;

/// An upper bound of the size of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    size: usize,
    align: usize,
    /// The type has invalid bit patterns, so an `Option` of it has the same size.
    niche: bool,
}

impl Layout {
    const fn new(size: usize, align: usize, niche: bool) -> Self {
        Self { size, align, niche }
    }

    const BOX: Self = Self::new(8, 8, true);
    const STRING: Self = Self::new(24, 8, true);
    const VALUE: Self = Self::new(32, 8, true);

    fn optional(self) -> Self {
        if self.niche {
            self
        } else {
            Self::new(self.size + self.align, self.align, true)
        }
    }

    /// Returns the layout of a struct with these fields.
    fn all(fields: impl Iterator<Item = Self>) -> Self {
        let mut all = Self::new(0, 1, false);
        for field in fields {
            all.size += field.size;
            all.align = all.align.max(field.align);
            all.niche |= field.niche;
        }
        all.size = all.size.next_multiple_of(all.align);
        all
    }

    /// Returns the layout of an enum with these variants.
    fn any(variants: impl Iterator<Item = Self>) -> Self {
        let size = variants
            .map(|variant| variant.size)
            .max()
            .unwrap_or_default();
        Self::new(size.next_multiple_of(8) + 8, 8, true)
    }
}

/// The size of a type, which may depend on other types.
pub(super) enum Size {
    Known(Layout),
    /// The size of a type of the document, which the type contains without indirection.
    Of(String),
    Optional(Box<Self>),
}

/// A field of a struct.
pub(super) struct Field {
    name: String,
    size: Size,
    /// The field has a default function, whose result is not boxed.
    fixed: bool,
}

/// The parts of a type that its size depends on.
pub(super) enum Parts {
    Fields(Vec<Field>),
    Wrapped(Size),
    Text,
}

/// The fields, structs and members that are boxed.
#[derive(Debug, Default)]
pub(super) struct Boxed {
    /// Fields, by type.
    fields: BTreeMap<String, BTreeSet<String>>,
    /// The structs that are boxed as a whole, with the names of the structs of their fields.
    whole: BTreeMap<String, String>,
    /// The indices of members, by union.
    members: BTreeMap<String, BTreeSet<usize>>,
}

/// The search for what must be boxed.
struct Sizes<'a> {
    parts: BTreeMap<String, Parts>,
    unions: BTreeMap<String, &'a model::Union>,
    known: BTreeMap<String, Layout>,
    boxed: Boxed,
}

impl Boxed {
    /// Determines what to box. The parts of unions are placeholders.
    pub(super) fn of(parts: BTreeMap<String, Parts>, model: &Model) -> Self {
        let mut sizes = Sizes {
            parts,
            unions: model
                .unions
                .iter()
                .map(|(name, union)| (names::type_name(name), union))
                .collect(),
            known: BTreeMap::new(),
            boxed: Self::default(),
        };
        sizes.break_circles();
        let mut taken: BTreeSet<String> = sizes
            .parts
            .keys()
            .chain(sizes.unions.keys())
            .cloned()
            .collect();
        for name in taken.clone() {
            sizes.named(&name);
        }
        let whole = std::mem::take(&mut sizes.boxed.whole);
        for name in whole.into_keys() {
            let fields = names::unique(&format!("{name}Fields"), &mut taken);
            sizes.boxed.whole.insert(name, fields);
        }
        sizes.boxed
    }

    /// Returns true if a member of a union is boxed in it.
    pub(super) fn has_member(&self, union: &str, index: usize) -> bool {
        self.members
            .get(union)
            .is_some_and(|members| members.contains(&index))
    }

    /// Returns true if a field is boxed.
    pub(super) fn has_field(&self, name: &str, field: &str) -> bool {
        self.fields
            .get(name)
            .is_some_and(|fields| fields.contains(field))
    }

    /// Returns the name of the struct that has the fields of a struct that is boxed as a whole.
    pub(super) fn fields_of(&self, name: &str) -> Option<&str> {
        self.whole.get(name).map(String::as_str)
    }

    /// Boxes fields.
    pub(super) fn apply(&self, file: &mut syn::File) {
        for item in &mut file.items {
            if let Item::Struct(item) = item
                && let Some(boxed) = self.fields.get(&item.ident.to_string())
            {
                box_fields(item, boxed);
            }
        }
    }

    /// Makes each struct that is boxed as a whole a wrapper of a box.
    pub(super) fn wrap(&self, file: &mut syn::File) {
        let mut wrappers = Vec::new();
        for item in &mut file.items {
            match item {
                Item::Struct(item) => {
                    let Some(fields) = self.whole.get(&item.ident.to_string()) else {
                        continue;
                    };
                    let (name, fields) = (item.ident.clone(), quote::format_ident!("{fields}"));
                    let docs: Vec<_> = item
                        .attrs
                        .iter()
                        .filter(|attribute| attribute.path().is_ident("doc"))
                        .cloned()
                        .collect();
                    item.attrs
                        .retain(|attribute| !attribute.path().is_ident("doc"));
                    let doc = format!("The properties of a [`{name}`].");
                    item.attrs.insert(0, super::docs::attribute(&doc));
                    item.ident = fields.clone();
                    let more = format!("It has the properties of [`{fields}`].");
                    let wrapper: syn::File = parse_quote! {
                        #(#docs)*
                        #[doc = ""]
                        #[doc = #more]
                        #[derive(::serde::Deserialize, ::serde::Serialize, Clone, PartialEq)]
                        pub struct #name(::std::boxed::Box<#fields>);
                        impl ::std::fmt::Debug for #name {
                            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                                ::std::fmt::Debug::fmt(&self.0, f)
                            }
                        }
                        impl ::std::convert::From<#fields> for #name {
                            fn from(value: #fields) -> Self {
                                Self(::std::boxed::Box::new(value))
                            }
                        }
                        impl ::std::convert::From<#name> for #fields {
                            fn from(value: #name) -> Self {
                                *value.0
                            }
                        }
                        impl ::std::ops::Deref for #name {
                            type Target = #fields;
                            fn deref(&self) -> &#fields {
                                &self.0
                            }
                        }
                        impl ::std::ops::DerefMut for #name {
                            fn deref_mut(&mut self) -> &mut #fields {
                                &mut self.0
                            }
                        }
                    };
                    wrappers.extend(wrapper.items);
                }
                Item::Impl(item) if item.trait_.is_some() => {
                    // Its `Debug` and its `Default` are those of the fields.
                    let Some(fields) = implemented(item).and_then(|name| self.whole.get(&name))
                    else {
                        continue;
                    };
                    let of = item
                        .trait_
                        .as_ref()
                        .and_then(|(path, _)| path.segments.last());
                    let fields = quote::format_ident!("{fields}");
                    if of.is_some_and(|of| of.ident == "Debug") {
                        *item.self_ty = parse_quote!(#fields);
                    } else if of.is_some_and(|of| of.ident == "Default") {
                        Literals {
                            path: parse_quote!(#fields),
                        }
                        .visit_item_impl_mut(item);
                    }
                }
                _ => {}
            }
        }
        file.items.extend(wrappers);
    }
}

/// Makes the literals of `Self` those of the fields, which are then wrapped.
struct Literals {
    path: syn::Path,
}

impl VisitMut for Literals {
    fn visit_expr_mut(&mut self, expr: &mut syn::Expr) {
        if let syn::Expr::Struct(literal) = expr
            && literal.path.is_ident("Self")
        {
            literal.path = self.path.clone();
            let literal = &*literal;
            *expr = parse_quote!(Self(::std::boxed::Box::new(#literal)));
        } else {
            syn::visit_mut::visit_expr_mut(self, expr);
        }
    }
}

/// `Option` or `Nullable`, where the type is one.
fn wrapper(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    ["Option", "Nullable"]
        .iter()
        .any(|name| last.ident == name)
        .then(|| first_argument(ty))?
}

/// Boxes the values of these fields.
fn box_fields(item: &mut ItemStruct, names: &BTreeSet<String>) {
    for field in &mut item.fields {
        if !field
            .ident
            .as_ref()
            .is_some_and(|name| names.contains(&name.to_string()))
        {
            continue;
        }
        field.ty = boxed(&field.ty);
    }
}

/// Returns the type of a field whose value is boxed. An option or `Nullable` is around the box.
pub(super) fn boxed(ty: &Type) -> Type {
    let mut ty = ty.clone();
    let value = if wrapper(&ty).is_some() {
        first_argument_mut(&mut ty)
    } else {
        Some(&mut ty)
    };
    if let Some(value) = value {
        *value = parse_quote!(::std::boxed::Box<#value>);
    }
    ty
}

fn first_argument_mut(ty: &mut Type) -> Option<&mut Type> {
    let Type::Path(path) = ty else { return None };
    match &mut path.path.segments.last_mut()?.arguments {
        syn::PathArguments::AngleBracketed(arguments) => match arguments.args.first_mut()? {
            syn::GenericArgument::Type(ty) => Some(ty),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the name of a type and its parts.
pub(super) fn parts(item: &Item) -> Option<(String, Parts)> {
    match item {
        Item::Struct(item) => {
            let parts = match &item.fields {
                Fields::Named(fields) => {
                    Parts::Fields(fields.named.iter().filter_map(field).collect())
                }
                Fields::Unnamed(fields) => Parts::Wrapped(Size::of(&fields.unnamed.first()?.ty)),
                Fields::Unit => return None,
            };
            Some((item.ident.to_string(), parts))
        }
        // typify writes enums of strings only. Their unknown values are strings.
        Item::Enum(item) => Some((item.ident.to_string(), Parts::Text)),
        _ => None,
    }
}

fn field(field: &syn::Field) -> Option<Field> {
    let mut words = field.attrs.iter().filter_map(serde_words).flatten();
    let fixed = words
        .any(|word| matches!(word, syn::Meta::NameValue(pair) if pair.path.is_ident("default")));
    Some(Field {
        name: field.ident.as_ref()?.to_string(),
        size: Size::of(&field.ty),
        fixed,
    })
}

impl Size {
    fn of(ty: &Type) -> Self {
        let Type::Path(path) = ty else {
            return Self::Known(Layout::new(0, 1, false));
        };
        let Some(last) = path.path.segments.last() else {
            return Self::Known(Layout::BOX);
        };
        let name = last.ident.to_string();
        let is_plain = path.path.segments.len() == 1;
        Self::Known(match name.as_str() {
            "bool" if is_plain => Layout::new(1, 1, true),
            "i8" | "u8" if is_plain => Layout::new(1, 1, false),
            "i16" | "u16" if is_plain => Layout::new(2, 2, false),
            "i32" | "u32" | "f32" if is_plain => Layout::new(4, 4, false),
            "i64" | "u64" | "f64" if is_plain => Layout::new(8, 8, false),
            _ if is_plain => return Self::Of(name),
            "Option" => match arguments(ty).next() {
                Some(inner) => return Self::Optional(Box::new(Self::of(inner))),
                None => Layout::BOX,
            },
            "Box" => Layout::BOX,
            "String" | "Vec" => Layout::STRING,
            "BTreeMap" | "Map" => Layout::new(24, 8, false),
            "Value" => Layout::VALUE,
            "Uuid" => Layout::new(16, 1, false),
            "NaiveDate" | "Ipv4Addr" => Layout::new(4, 4, false),
            "DateTime" => Layout::new(12, 4, false),
            // A file as a part of a form.
            _ => Layout::new(128, 8, true),
        })
    }

    /// Returns the type of the document that the type contains without indirection.
    fn inline(&self) -> Option<&str> {
        match self {
            Self::Known(_) => None,
            Self::Of(name) => Some(name),
            Self::Optional(inner) => inner.inline(),
        }
    }
}

impl Sizes<'_> {
    /// Returns the types that a type contains without indirection.
    fn within(&self, name: &str) -> Vec<String> {
        if let Some(union) = self.unions.get(name) {
            let members = union.members.iter().enumerate();
            return members
                .filter(|(index, _)| !self.boxed.has_member(name, *index))
                .filter_map(|(_, member)| schema(&member.ty))
                .collect();
        }
        match self.parts.get(name) {
            Some(Parts::Fields(fields)) => fields
                .iter()
                .filter_map(|field| field.size.inline().map(str::to_owned))
                .collect(),
            Some(Parts::Wrapped(size)) => size.inline().map(str::to_owned).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// Boxes each member that contains its union.
    fn break_circles(&mut self) {
        let unions: Vec<(String, usize)> = self
            .unions
            .iter()
            .map(|(name, union)| (name.clone(), union.members.len()))
            .collect();
        for (union, members) in unions {
            for index in 0..members {
                let start = schema(&self.unions[&union].members[index].ty);
                let mut waiting: Vec<String> = start.into_iter().collect();
                let mut seen = BTreeSet::new();
                while let Some(name) = waiting.pop() {
                    if name == union {
                        self.boxed
                            .members
                            .entry(union.clone())
                            .or_default()
                            .insert(index);
                        break;
                    }
                    if seen.insert(name.clone()) {
                        waiting.extend(self.within(&name));
                    }
                }
            }
        }
    }

    /// Returns the layout of a type of the document, and boxes what is too large in it.
    fn named(&mut self, name: &str) -> Layout {
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        // Types that contain themselves are boxed already; otherwise this ends the recursion.
        self.known.insert(name.to_owned(), Layout::BOX);
        let layout = if let Some(union) = self.unions.get(name) {
            let types: Vec<_> = union
                .members
                .iter()
                .map(|member| member.ty.clone())
                .collect();
            self.union(name, &types)
        } else {
            match self.parts.remove(name) {
                Some(Parts::Fields(fields)) => self.structure(name, &fields),
                Some(Parts::Wrapped(size)) => self.layout(&size),
                _ => Layout::STRING,
            }
        };
        self.known.insert(name.to_owned(), layout);
        layout
    }

    fn union(&mut self, name: &str, members: &[model::Type]) -> Layout {
        let mut layouts = vec![Layout::VALUE];
        for (index, ty) in members.iter().enumerate() {
            let layout = match schema(ty) {
                Some(_) if self.boxed.has_member(name, index) => Layout::BOX,
                Some(schema) => self.named(&schema).optional(),
                None => Layout::VALUE,
            };
            if layout.size + 8 > LIMIT {
                self.boxed
                    .members
                    .entry(name.to_owned())
                    .or_default()
                    .insert(index);
                layouts.push(Layout::BOX);
            } else {
                layouts.push(layout);
            }
        }
        Layout::any(layouts.into_iter())
    }

    fn structure(&mut self, name: &str, fields: &[Field]) -> Layout {
        let mut layouts: Vec<Layout> = fields
            .iter()
            .map(|field| self.layout(&field.size))
            .collect();
        let mut candidates: Vec<usize> = (0..fields.len())
            .filter(|index| !fields[*index].fixed && fields[*index].size.inline().is_some())
            .collect();
        candidates.sort_by_key(|index| Reverse(layouts[*index].size));
        for index in candidates {
            if Layout::all(layouts.iter().copied()).size <= LIMIT {
                break;
            }
            // Boxing an enum of strings saves too little.
            if layouts[index].size > Layout::STRING.size + 8 {
                layouts[index] = Layout::BOX;
                let boxed = self.boxed.fields.entry(name.to_owned()).or_default();
                boxed.insert(fields[index].name.clone());
            }
        }
        let layout = Layout::all(layouts.into_iter());
        if layout.size <= LIMIT {
            return layout;
        }
        self.boxed.whole.insert(name.to_owned(), String::new());
        Layout::BOX
    }

    fn layout(&mut self, size: &Size) -> Layout {
        match size {
            Size::Known(layout) => *layout,
            Size::Of(name) => self.named(name),
            Size::Optional(inner) => self.layout(inner).optional(),
        }
    }
}

/// Returns the Rust name of a type that a union contains without indirection.
fn schema(ty: &model::Type) -> Option<String> {
    match ty {
        model::Type::Schema(name) => Some(names::type_name(name)),
        model::Type::Optional(inner) => schema(inner),
        _ => None,
    }
}
