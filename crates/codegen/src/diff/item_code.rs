//! The generated code of each type and each operation, by which each change of a document gets a class of its own.

use std::collections::{BTreeMap, BTreeSet};

use heck::ToPascalCase as _;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens as _;
use serde_json::Value;
use syn::{ImplItem, Item, ItemImpl, Type};

use super::change::Change;
use crate::names;
use crate::openapi::Schema as _;
use crate::pins::Pins;
use crate::pointer::Pointer;
use crate::walk;

/// The keywords that make a schema of others, so that a change of those changes it.
const COMPOSITIONS: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// The code of the types and the client without documentation, and the public items of the mocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ItemCode {
    /// The code of types, builders and constants, by their names. A type and a builder of the same name are one entry.
    by_name: BTreeMap<String, String>,
    /// The public items of the mocks.
    pub(super) mocks: BTreeSet<String>,
}

impl ItemCode {
    /// Adds the items of a module.
    pub(super) fn add(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Mod(module) => {
                    let items = module.content.as_ref().map(|(_, items)| items.as_slice());
                    self.add(items.unwrap_or_default());
                }
                // The methods of the client, which construct the builders.
                Item::Impl(block) if block.trait_.is_none() && named(&block.self_ty, "Client") => {
                    for item in &block.items {
                        let name = match item {
                            ImplItem::Fn(function) => {
                                names::builder_name(&function.sig.ident.to_string())
                            }
                            _ => String::new(),
                        };
                        self.push(name, item.to_token_stream());
                    }
                }
                // The bodies follow from the type. Their words, such as `Error`, can be the names of other types.
                Item::Impl(block) if is_of_serde(block) => {
                    let block = ItemImpl {
                        items: Vec::new(),
                        ..block.clone()
                    };
                    self.push(subject(item), block.into_token_stream());
                }
                item => self.push(subject(item), item.to_token_stream()),
            }
        }
    }

    fn push(&mut self, name: String, tokens: TokenStream) {
        let code = without_docs(tokens).to_string();
        // A value that several members of a union fit keeps the keys of one or of all. Programs see the same type.
        let code = code.replace("any : true", "any : false");
        let all = self.by_name.entry(name).or_default();
        all.push_str(&code);
        all.push('\n');
    }

    /// Returns the words of each piece of code that differs.
    fn differences<'a>(&'a self, other: &'a Self) -> Vec<BTreeSet<&'a str>> {
        let names: BTreeSet<&String> = self.by_name.keys().chain(other.by_name.keys()).collect();
        let differing = names.into_iter().filter_map(|name| {
            let (old, new) = (self.by_name.get(name), other.by_name.get(name));
            let code = [old, new].into_iter().flatten();
            let words = code.flat_map(|code| words(code));
            (old != new).then(|| words.chain([name.as_str()]).collect())
        });
        let mocks = self.mocks.symmetric_difference(&other.mocks);
        differing
            .chain(mocks.map(|item| words(item).collect()))
            .collect()
    }
}

/// The old and the new code, and the schemas that are made of others.
pub(super) struct Measure<'a> {
    names: BTreeSet<&'a str>,
    differences: Vec<BTreeSet<&'a str>>,
    pins: [&'a Pins; 2],
    composed: [&'a Composed; 2],
}

impl<'a> Measure<'a> {
    pub(super) fn new(
        code: [&'a ItemCode; 2],
        pins: [&'a Pins; 2],
        composed: [&'a Composed; 2],
    ) -> Self {
        let [old, new] = code;
        let names = old.by_name.keys().chain(new.by_name.keys());
        Self {
            names: names.map(String::as_str).collect(),
            differences: old.differences(new),
            pins,
            composed,
        }
    }

    /// Returns true if one of the changes concerns each difference. A type can have a name that does not follow from the
    /// location of its schema, such as its title. A change that concerns such a type cannot be told from the others.
    pub(super) fn is_complete(&self, changes: &[Change]) -> bool {
        let stems: Vec<BTreeSet<String>> =
            changes.iter().map(|change| self.stems(change)).collect();
        let is_concerned =
            |words: &BTreeSet<&str>| stems.iter().any(|stems| concerns(stems, words));
        self.differences.iter().all(is_concerned)
    }

    /// Returns true if no code differs that the change could affect: that of its schema, of the types within it, of the
    /// schemas that are made of it, of the operations that use it, and all that mentions one of them.
    pub(super) fn affects_no_code(&self, change: &Change) -> bool {
        let stems = self.stems(change);
        // The code of a schema that has another name is not known.
        let is_known = |stem: &String| self.names.iter().any(|name| name.starts_with(stem));
        !stems.is_empty()
            && stems.iter().all(is_known)
            && !self.differences.iter().any(|words| concerns(&stems, words))
    }

    /// Returns the beginnings of the names of types and builders whose code the change could affect. None are known for a
    /// change of the whole document.
    pub(super) fn stems(&self, change: &Change) -> BTreeSet<String> {
        let mut stems: BTreeSet<String> = BTreeSet::new();
        for (index, pointer) in [&change.old, &change.new].into_iter().enumerate() {
            let Some(schema) = pointer.as_ref().and_then(schema) else {
                continue;
            };
            stems.insert(names::type_name(self.pins[index].schema(&schema)));
        }
        self.add_composed(&mut stems);
        for operation in &change.operations {
            let pinned = self.pins.map(|pins| pins.operations.get(operation));
            let names = pinned.into_iter().flatten().chain([operation]);
            stems.extend(names.map(|name| names::builder_name(name)));
        }
        if let Some(renamed) = &change.renamed {
            let names = [&renamed.from, &renamed.to];
            stems.extend(names.map(|name| names::builder_name(name)));
            stems.extend(names.map(|name| names::type_name(name)));
        }
        stems
    }

    fn add_composed(&self, stems: &mut BTreeSet<String>) {
        let mut waiting: Vec<String> = stems.iter().cloned().collect();
        while let Some(part) = waiting.pop() {
            let composed = self.composed.iter().filter_map(|all| all.0.get(&part));
            for whole in composed.flatten() {
                if stems.insert(whole.clone()) {
                    waiting.push(whole.clone());
                }
            }
        }
    }
}

/// The types that are made of others, by the names of those.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Composed(BTreeMap<String, BTreeSet<String>>);

impl Composed {
    pub(super) fn of(document: &Value, pins: &Pins) -> Self {
        let name = |schema: &String| names::type_name(pins.schema(schema));
        let mut composed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        walk::walk(document, &mut |_, pointer, value| {
            let Some(part) = value.reference().as_ref().and_then(schema) else {
                return;
            };
            let mut tokens = pointer.tokens().skip(3);
            if let Some(whole) = schema(pointer)
                && tokens.any(|token| COMPOSITIONS.contains(&token.as_str()))
            {
                composed
                    .entry(name(&part))
                    .or_default()
                    .insert(name(&whole));
            }
        });
        Self(composed)
    }
}

/// Returns true if a change with these stems can be the reason for a change of an item with this text. A change of the whole
/// document, which has none, can be the reason for any.
pub(super) fn explains(stems: &BTreeSet<String>, item: &str) -> bool {
    stems.is_empty() || concerns(stems, &words(item).collect())
}

/// Returns true if one of the words begins with one of the stems.
fn concerns(stems: &BTreeSet<String>, words: &BTreeSet<&str>) -> bool {
    let of = |word: &&str| stems.iter().any(|stem| word.starts_with(stem.as_str()));
    words.iter().any(of)
}

/// Returns the name of the schema of the components at or around a location.
fn schema(pointer: &Pointer) -> Option<String> {
    let mut tokens = pointer.tokens();
    let is_schema = tokens.next()? == "components" && tokens.next()? == "schemas";
    tokens.next().filter(|_| is_schema)
}

/// Returns the name of the type, builder or constant that an item declares or implements, or that a macro is called for.
fn subject(item: &Item) -> String {
    match item {
        Item::Struct(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        // The shape of a type is a constant with its name.
        Item::Const(item) => item.ident.to_string().to_pascal_case(),
        Item::Impl(item) => match &*item.self_ty {
            Type::Path(path) => path.path.segments.last(),
            _ => None,
        }
        .map(|segment| segment.ident.to_string())
        .unwrap_or_default(),
        Item::Macro(item) => {
            let mut tokens = item.mac.tokens.clone().into_iter();
            let first = tokens.find_map(|token| match token {
                TokenTree::Ident(name) => Some(name.to_string()),
                _ => None,
            });
            first.unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// Returns true for an implementation of a trait of serde.
fn is_of_serde(block: &ItemImpl) -> bool {
    let path = block.trait_.as_ref().map(|(path, _)| path);
    path.and_then(|path| path.segments.first())
        .is_some_and(|first| first.ident == "serde")
}

fn named(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident(name))
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|sign: char| !sign.is_alphanumeric() && sign != '_')
}

/// Removes the documentation of items.
fn without_docs(tokens: TokenStream) -> TokenStream {
    let is_doc = |group: &Group| {
        group.delimiter() == Delimiter::Bracket
            && matches!(group.stream().into_iter().next(), Some(TokenTree::Ident(name)) if name == "doc")
    };
    let mut kept: Vec<TokenTree> = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) if is_doc(&group) => {
                // The `#` before it.
                kept.pop();
            }
            TokenTree::Group(group) => {
                let inner = without_docs(group.stream());
                kept.push(Group::new(group.delimiter(), inner).into());
            }
            token => kept.push(token),
        }
    }
    kept.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn implementations_of_serde_mention_no_other_type() {
        let code = |value: Type| {
            let file: syn::File = parse_quote! {
                pub struct Ids(pub #value);
                impl<'de> ::serde::Deserialize<'de> for Ids {
                    fn deserialize<D: ::serde::Deserializer<'de>>(
                        deserializer: D,
                    ) -> ::std::result::Result<Self, D::Error> {
                        ::serde::Deserialize::deserialize(deserializer).map(Self)
                    }
                }
            };
            let mut code = ItemCode::default();
            code.add(&file.items);
            code
        };
        let (old, new) = (code(parse_quote!(Id)), code(parse_quote!(Other)));
        let differences = old.differences(&new);
        let [words] = differences.as_slice() else {
            panic!("one type differs: {differences:?}");
        };
        assert!(
            ["Ids", "Id", "Other", "Deserialize"]
                .iter()
                .all(|word| words.contains(word))
        );
        assert!(
            !words.contains("Error") && !words.contains("Result"),
            "{words:?}"
        );
    }
}
