//! The code that is generated from two documents decides over what the comparison of the documents predicts: public items
//! that are gone for no reported reason are a breaking change, and equal code affects no program.

use std::collections::BTreeSet;
use std::path::Path;

use quote::ToTokens as _;
use syn::{Attribute, ImplItem, Item, ItemImpl, Token, Type, Visibility, punctuated::Punctuated};

use super::change::{Change, Class, Comparison};
use super::item_code::{self, Composed, ItemCode, Measure};
use crate::declaration;
use crate::layout::{CLIENT, MOCK, TYPES};
use crate::load::Source;
use crate::pins::Pins;
use crate::pointer::Pointer;
use crate::settings::Settings;
use crate::{Choices, generate_all};

/// The number of items to list in a change. Further ones are counted.
const LISTED: usize = 4;

/// The constants that hold the document for drift detection.
const EMBEDDED: [&str; 2] = ["SCHEMAS", "RESPONSES"];

/// The generated code of a document, as far as programs depend on it.
#[derive(Clone, Debug, Default)]
pub struct GeneratedCode {
    /// The public items of the types and the client crate, with their signatures.
    items: BTreeSet<String>,
    /// The code of the types and the client, and the public items of the mocks.
    code: ItemCode,
    /// The pinned names of the code.
    pins: Pins,
    composed: Composed,
}

/// Compares the code, whatever the schemas that it was generated from look like.
impl PartialEq for GeneratedCode {
    fn eq(&self, other: &Self) -> bool {
        self.items == other.items && self.code == other.code
    }
}

impl GeneratedCode {
    /// Generates a document. Returns `None` if that is not possible. It needs a deep stack: see [`crate::stack`].
    pub fn of(source: Source, names: Pins) -> Option<Self> {
        let mut all = Self {
            composed: Composed::of(&source.document, &names),
            pins: names.clone(),
            ..Self::default()
        };
        let settings = Settings {
            names,
            ..Settings::default()
        };
        let generated = generate_all(source, &settings, Choices::default()).ok()?;
        for output in generated.plan.outputs {
            if ![TYPES, CLIENT, MOCK]
                .iter()
                .any(|path| output.path == Path::new(path))
            {
                continue;
            }
            let mut file = syn::parse_file(&output.contents).ok()?;
            let is_mock = output.path == Path::new(MOCK);
            if !is_mock {
                file.items.retain(|item| !matches!(item, Item::Const(item) if EMBEDDED.iter().any(|name| item.ident == name)));
                all.code.add(&file.items);
            }
            declaration::expand(&mut file.items);
            if is_mock {
                let mut mock = Self::default();
                mock.collect("", &file.items);
                all.code.mocks.extend(mock.items);
            } else {
                all.collect("", &file.items);
            }
        }
        Some(all)
    }

    fn collect(&mut self, module: &str, items: &[Item]) {
        let types: BTreeSet<String> = items.iter().filter_map(public_type).collect();
        for item in items {
            match item {
                Item::Mod(item) if is_public(&item.vis) => {
                    let items = item.content.as_ref().map(|(_, items)| items.as_slice());
                    let module = format!("{module}{}::", item.ident);
                    self.collect(&module, items.unwrap_or_default());
                }
                Item::Struct(item) if is_public(&item.vis) => {
                    let path = format!("{module}{}", item.ident);
                    self.derives(&path, &item.attrs);
                    for (index, field) in item.fields.iter().enumerate() {
                        if is_public(&field.vis) {
                            let name = field.ident.as_ref();
                            let name = name.map_or(index.to_string(), ToString::to_string);
                            let ty = field.ty.to_token_stream();
                            self.items.insert(format!("{path}.{name}: {ty}"));
                        }
                    }
                    self.items.insert(path);
                }
                Item::Enum(item) if is_public(&item.vis) => {
                    let path = format!("{module}{}", item.ident);
                    self.derives(&path, &item.attrs);
                    for variant in &item.variants {
                        let fields = variant.fields.to_token_stream();
                        let variant = format!("{path}::{} {fields}", variant.ident);
                        self.items.insert(variant.trim_end().to_owned());
                    }
                    self.items.insert(path);
                }
                Item::Type(item) if is_public(&item.vis) => {
                    let ty = item.ty.to_token_stream();
                    self.items.insert(format!("{module}{} = {ty}", item.ident));
                }
                Item::Const(item) if is_public(&item.vis) => {
                    let ty = item.ty.to_token_stream();
                    self.items.insert(format!("{module}{}: {ty}", item.ident));
                }
                Item::Fn(item) if is_public(&item.vis) => {
                    let signature = item.sig.to_token_stream();
                    self.items.insert(format!("{module}{signature}"));
                }
                Item::Impl(item) if implements(item, &types) => self.implementation(module, item),
                _ => {}
            }
        }
    }

    fn derives(&mut self, path: &str, attributes: &[Attribute]) {
        for attribute in attributes {
            if attribute.path().is_ident("derive")
                && let Ok(traits) =
                    attribute.parse_args_with(Punctuated::<syn::Path, Token![,]>::parse_terminated)
            {
                for derived in traits {
                    let derived = derived.to_token_stream();
                    self.items.insert(format!("impl {derived} for {path}"));
                }
            }
        }
    }

    fn implementation(&mut self, module: &str, item: &ItemImpl) {
        let of = item.self_ty.to_token_stream();
        if let Some((path, _)) = &item.trait_ {
            let path = path.to_token_stream();
            self.items.insert(format!("impl {path} for {module}{of}"));
            return;
        }
        for inner in &item.items {
            if let ImplItem::Fn(function) = inner
                && is_public(&function.vis)
            {
                let signature = function.sig.to_token_stream();
                self.items.insert(format!("{module}{of}::{signature}"));
            }
        }
    }
}

/// Corrects the classes of a comparison by the code that is generated from the documents. Changes that affect no code are
/// documentation, also beside others that do.
pub fn correct(comparison: &mut Comparison, old: &GeneratedCode, new: &GeneratedCode) {
    if old.code == new.code {
        comparison.affects_no_code(|_| true);
        return;
    }
    let code = [&old.code, &new.code];
    let measure = Measure::new(code, [&old.pins, &new.pins], [&old.composed, &new.composed]);
    if measure.is_complete(&comparison.changes) {
        comparison.affects_no_code(|change| measure.affects_no_code(change));
    }
    let breaking = comparison.changes.iter();
    let breaking = breaking.filter(|change| change.class == Class::Breaking);
    let stems: Vec<_> = breaking.map(|change| measure.stems(change)).collect();
    let is_explained = |item: &str| stems.iter().any(|stems| item_code::explains(stems, item));
    let removed = old.items.difference(&new.items);
    let removed: Vec<&String> = removed.filter(|item| !is_explained(item)).collect();
    comparison.changes.splice(0..0, removed_items(&removed));
}

/// Returns a breaking change if the new code lacks these public items of the old code.
fn removed_items(removed: &[&String]) -> Option<Change> {
    if removed.is_empty() {
        return None;
    }
    let listed: Vec<String> = removed
        .iter()
        .take(LISTED)
        .map(|item| format!("`{item}`"))
        .collect();
    let more = removed.len().saturating_sub(LISTED);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    Some(Change {
        kind: "public-items-removed",
        class: Class::Breaking,
        what: format!(
            "the generated code no longer has {}{more}",
            listed.join(", ")
        ),
        why: "code that uses them no longer compiles".into(),
        old: Some(Pointer::root()),
        new: Some(Pointer::root()),
        directions: Vec::new(),
        decisive: None,
        operations: Vec::new(),
        renamed: None,
    })
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn public_type(item: &Item) -> Option<String> {
    match item {
        Item::Struct(item) if is_public(&item.vis) => Some(item.ident.to_string()),
        Item::Enum(item) if is_public(&item.vis) => Some(item.ident.to_string()),
        _ => None,
    }
}

/// Returns true if the implementation is for one of `types`.
fn implements(item: &ItemImpl, types: &BTreeSet<String>) -> bool {
    let Type::Path(path) = &*item.self_ty else {
        return false;
    };
    let segment = path.path.segments.last();
    segment.is_some_and(|segment| types.contains(&segment.ident.to_string()))
}
