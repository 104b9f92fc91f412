//! The types crate, which does not depend on HTTP.
//!
//! The declarations of all types are parsed first, because the layout of a type depends on those of others. The
//! implementations, which are most of the code, are parsed, changed and printed type by type, because their syntax trees
//! together would be most of the memory that the generation needs. A pass sees one type with its implementations.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use quote::format_ident;
use serde_json::Value;
use syn::{Fields, Ident, Item, parse_quote};

use super::constants;
use super::deprecated::Deprecated;
use super::enums;
use super::features::{self, PrintedType, Uses};
use super::inline;
use super::mask::{Sensitive, Unmatched};
use super::multipart;
use super::nullable::Nullable;
use super::order::Orders;
use super::record;
use super::size::{self, Boxed};
use super::structs::{self, Builders};
use super::unions::{self, Unions};
use super::{docs, embed};
use crate::declaration::{Declaration, Values};
use crate::description::sentences::Facts;
use crate::features::{Condition, Features};
use crate::generate::{Tokens, items, parse_item};
use crate::model::Model;
use crate::openapi::Schema as _;
use crate::settings::Settings;
use crate::unsupported::Unsupported;
use crate::{names, walk};

/// The generated types crate.
pub(super) struct Types {
    /// The source.
    pub(super) sources: Sources,
    /// The builders that the source declares.
    pub(super) builders: Vec<Declaration>,
    /// The names of all types.
    pub(super) names: BTreeSet<String>,
    /// The structs of bodies that are sent in parts.
    pub(super) bodies: multipart::Bodies,
    /// The sensitive properties in the settings that no struct has.
    pub(super) unmatched: Vec<Unmatched>,
    /// The features that are not supported.
    pub(super) unsupported: Vec<Unsupported>,
}

/// The source of the types crate, in parts.
pub(super) struct Sources {
    exports: String,
    types: Vec<PrintedType>,
    rest: String,
}

impl Sources {
    /// Returns the source, in which each type needs the features of what uses it.
    pub(super) fn text(self, features: &Features, uses: &Uses) -> String {
        let Self {
            exports,
            types,
            rest,
        } = self;
        let conditions = if features.is_empty() {
            vec![Condition::Always; types.len()]
        } else {
            features::conditions(&types, uses, &rest)
        };
        let (mut text, mut builders) = (exports, String::new());
        for (printed, condition) in types.iter().zip(&conditions) {
            let attribute = features.attribute(condition);
            let push = |text: &mut String, indent: &str, items: &[String]| {
                for item in items {
                    match &attribute {
                        Some(attribute) => {
                            text.push_str(&features::with_attribute(item, indent, attribute));
                        }
                        None => text.push_str(item),
                    }
                }
            };
            push(&mut text, "", &printed.items);
            push(&mut builders, "    ", &printed.builders);
        }
        if !builders.is_empty() {
            text.push_str("/// Builders of the structs.\npub mod builder {\n");
            text.push_str(&builders);
            text.push_str("}\n");
        }
        text.push_str(&rest);
        features::in_line(text, features)
    }
}

/// The passes, with what each reads from the document.
struct Passes<'a> {
    /// The structs of typify.
    structs: BTreeSet<String>,
    facts: &'a Facts<'a>,
    orders: Orders,
    unions: Unions<'a>,
    values: enums::Named<'a>,
    nullable: Nullable<'a>,
    wire_names: structs::WireNames<'a>,
    received: record::Received,
    sensitive: Sensitive<'a>,
    deprecated: Deprecated,
    bodies: multipart::Bodies,
    boxed: Boxed,
    constant_types: BTreeMap<String, Ident>,
}

impl<'a> Passes<'a> {
    fn of(
        normalized: &'a Value,
        original: &Value,
        model: &'a Model,
        settings: &'a Settings,
        facts: &'a Facts<'a>,
        parts: &Parts,
    ) -> Self {
        let declared = || {
            let types = parts.types.iter();
            types.filter_map(|(file, _)| file.items.first())
        };
        let boxed = Boxed::of(declared().filter_map(size::parts).collect(), model);
        let wire_names = structs::wire_names(normalized, model);
        let structs = declared().filter_map(|item| match item {
            Item::Struct(item) => {
                matches!(item.fields, Fields::Named(_)).then(|| item.ident.to_string())
            }
            _ => None,
        });
        let enums = declared().filter_map(|item| match item {
            Item::Enum(item) => Some((item.ident.to_string(), enums::only_variant(item)?)),
            _ => None,
        });
        Self {
            structs: structs.collect(),
            constant_types: enums.collect(),
            facts,
            orders: Orders::of(&[normalized, original]),
            unions: Unions::of(normalized, model),
            values: enums::values(normalized, model),
            nullable: Nullable::of(normalized, model),
            received: record::received(normalized, model, &wire_names, &boxed),
            wire_names,
            sensitive: Sensitive::new(&settings.sensitive),
            deprecated: Deprecated::of(normalized),
            bodies: multipart::bodies(normalized, model),
            boxed,
        }
    }

    fn run(&mut self, file: &mut syn::File) -> Declared {
        self.orders.restore(file);
        self.unions.write(file, &self.boxed);
        enums::restore_values(file, &self.values);
        let values = enums::open(file);
        let constants = constants::keep_absent(file);
        self.nullable.tell_apart(file);
        structs::restore_names(file, &self.wire_names);
        structs::extend(file);
        let masked = self.sensitive.hide(file);
        multipart::note(file, &mut self.bodies);
        self.deprecated.mark(file);
        let builders = Builders {
            structs: &self.structs,
            constants: &constants,
            constant_types: &self.constant_types,
            boxed: &self.boxed,
            masked: &masked,
        };
        let builders = builders.declare(file);
        self.boxed.apply(file);
        self.boxed.wrap(file);
        docs::tidy(file, self.facts);
        inline::mark(&mut file.items);
        // The last, since it removes the arguments of serde, which other passes read.
        record::declare(file, &self.received);
        Declared { builders, values }
    }
}

/// The declarations that macros expand.
struct Declared {
    builders: Vec<Declaration>,
    values: Vec<Values>,
}

/// Postprocesses and prints the content of progenitor's `mod types`. `original` has the order of properties;
/// `normalized` is the document for progenitor.
///
/// # Errors
/// Errors if the tokens are not Rust.
pub(super) fn write(
    tokens: TokenStream,
    original: &Value,
    normalized: &Value,
    model: &Model,
    settings: &Settings,
    facts: &Facts<'_>,
) -> Result<Types, String> {
    let mut names = BTreeSet::new();
    let parts = Parts::of(tokens)?;
    let mut passes = Passes::of(normalized, original, model, settings, facts, &parts);
    let Parts { types, others } = parts;
    let (mut printed, mut builders) = (Vec::new(), Vec::new());
    for (mut file, items) in types {
        file.items.extend(parse(items)?.items);
        let declared = passes.run(&mut file);
        let own: Vec<String> = file.items.iter().filter_map(name).collect();
        names.extend(own.iter().cloned());
        let values = declared.values.iter().map(ToString::to_string);
        let items = file.items.into_iter().map(|item| print(vec![item]));
        printed.push(PrintedType {
            names: own,
            items: items.chain(values).collect(),
            builders: declared.builders.iter().map(ToString::to_string).collect(),
        });
        builders.extend(declared.builders);
    }
    let mut rest = parse(others)?;
    rest.items.extend(aliases(&names, normalized));
    rest.items.push(embed::schemas());
    rest.items.extend(passes.unions.shapes());
    let declared = passes.run(&mut rest);
    names.extend(rest.items.iter().filter_map(name));
    let mut rest = print(rest.items);
    rest.extend(declared.values.iter().map(ToString::to_string));

    let mut unsupported = Vec::new();
    let exports = [
        multipart::export(model),
        passes.nullable.export(normalized, &mut unsupported),
    ];
    let exports = print(exports.into_iter().flatten().collect());
    Ok(Types {
        sources: Sources {
            exports,
            types: printed,
            rest,
        },
        builders,
        names,
        bodies: passes.bodies,
        unmatched: passes.sensitive.unmatched(original),
        unsupported,
    })
}

/// The items of progenitor's `mod types`.
struct Parts {
    /// The declaration of each type, which is parsed, and its implementations, in order.
    types: Vec<(syn::File, Vec<Tokens>)>,
    /// The other modules.
    others: Vec<Tokens>,
}

impl Parts {
    fn of(tokens: TokenStream) -> Result<Self, String> {
        let mut parts = Self {
            types: Vec::new(),
            others: Vec::new(),
        };
        let mut opens = false;
        for item in items(tokens) {
            match keyword(&item) {
                Some("mod") => parts.others.push(item),
                Some("struct" | "enum") => {
                    let mut declaration = parse(vec![item])?;
                    structs::unbox_options(&mut declaration);
                    opens = declaration.items.iter().any(enums::opens);
                    parts.types.push((declaration, Vec::new()));
                }
                // These are most implementations of a document. They are not parsed, since `values!` replaces them.
                None if opens && enums::is_replaced(&item) => {}
                // typify writes the implementations of a type after it.
                _ => match parts.types.last_mut() {
                    Some((_, implementations)) => implementations.push(item),
                    None => parts.others.push(item),
                },
            }
        }
        Ok(parts)
    }
}

/// Returns the keyword of what an item declares, or `None` for an `impl`.
fn keyword(item: &[TokenTree]) -> Option<&'static str> {
    const KEYWORDS: [&str; 3] = ["struct", "enum", "mod"];
    let mut words = item.iter().filter_map(|token| match token {
        TokenTree::Ident(word) => Some(word),
        _ => None,
    });
    let keyword = words.find_map(|word| {
        if word == "impl" {
            return Some(None);
        }
        KEYWORDS
            .into_iter()
            .find(|keyword| word == keyword)
            .map(Some)
    });
    keyword?
}

fn parse(items: Vec<Tokens>) -> Result<syn::File, String> {
    let mut file = of(Vec::new());
    for item in items {
        file.items.extend(parse_item(item)?.items);
    }
    Ok(file)
}

fn of(items: Vec<Item>) -> syn::File {
    syn::File {
        shebang: None,
        frontmatter: None,
        attrs: Vec::new(),
        items,
    }
}

/// Prints items.
pub(super) fn print(items: Vec<Item>) -> String {
    let mut text = String::new();
    let mut rest = Vec::new();
    for item in items {
        match record::print(&item).or_else(|| unions::print(&item)) {
            Some(call) => {
                text.push_str(&prettyplease::unparse(&of(std::mem::take(&mut rest))));
                text.push_str(&call);
            }
            None => rest.push(item),
        }
    }
    text.push_str(&prettyplease::unparse(&of(rest)));
    text
}

fn name(item: &Item) -> Option<String> {
    match item {
        Item::Struct(item) => Some(item.ident.to_string()),
        Item::Enum(item) => Some(item.ident.to_string()),
        Item::Type(item) => Some(item.ident.to_string()),
        _ => None,
    }
}

/// The formats with an existing Rust type.
const IN_RUST: [(&str, &str); 3] = [
    ("uuid", "::uuid::Uuid"),
    ("date", "::chrono::naive::NaiveDate"),
    ("ipv4", "::std::net::Ipv4Addr"),
];

/// Returns aliases for schemas whose format has a Rust type with the name of the schema. typify generates no type for
/// them.
fn aliases(known: &BTreeSet<String>, document: &Value) -> Vec<Item> {
    let aliases = walk::schemas(document).filter_map(|(name, schema)| {
        let ident = names::type_name(name);
        let format = schema.text("format");
        let (_, path) = IN_RUST.iter().find(|(of, path)| {
            Some(*of) == format && path.rsplit("::").next() == Some(ident.as_str())
        })?;
        let path: syn::Type = syn::parse_str(path)
            .ok()
            .filter(|_| !known.contains(&ident))?;
        let doc = format!(" The schema `{name}`.");
        let ident = format_ident!("{ident}");
        Some(parse_quote! {
            #[doc = #doc]
            pub type #ident = #path;
        })
    });
    aliases.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;
    use serde_json::json;

    fn written(tokens: TokenStream, document: &Value) -> Types {
        write(
            tokens,
            document,
            document,
            &Model::default(),
            &Settings::default(),
            &Facts::default(),
        )
        .unwrap()
    }

    fn text(sources: Sources) -> String {
        sources.text(&Features::default(), &Uses::default())
    }

    #[test]
    fn types_are_postprocessed_with_implementations_and_builders() {
        let document = json!({"components": {"schemas": {
            "Call": {"properties": {"to": {}, "from": {"deprecated": true}}},
        }}});
        let types = written(
            quote! {
                #[doc = "`Call`"]
                pub struct Call { pub from: u8, pub to: u8 }
                pub struct Name(pub ::std::string::String);
                impl ::std::convert::From<Name> for ::std::string::String {
                    fn from(value: Name) -> Self { value.0 }
                }
                #[derive(::serde::Deserialize)]
                pub enum Status { Open }
                impl ::std::fmt::Display for Status {}
                impl ::std::default::Default for Status {}
                #[doc = " Error types."]
                pub mod error { pub struct ConversionError; }
            },
            &document,
        );
        insta::assert_snapshot!(text(types.sources));
        assert_eq!(
            types.names,
            ["Call", "Name", "Status"].map(str::to_owned).into()
        );
    }

    #[test]
    fn write_keeps_all_items() {
        let tokens = quote! {
            use std::fmt;
            struct A;
            impl B for A {}
            mod other { struct C; }
            const D: u8 = 1;
        };
        let text = text(written(tokens, &json!({})).sources);
        for part in [
            "use std::fmt",
            "struct A;",
            "impl B for A",
            "struct C",
            "const D",
        ] {
            assert!(text.contains(part), "{part} is missing of:\n{text}");
        }
    }

    #[test]
    fn write_invalid_tokens_is_an_error() {
        let failed = write(
            quote!(pub struct A; pub struct),
            &json!({}),
            &json!({}),
            &Model::default(),
            &Settings::default(),
            &Facts::default(),
        );
        assert!(failed.is_err_and(|cause| cause.contains("not Rust")));
    }

    #[test]
    fn schema_named_like_its_rust_type_becomes_an_alias() {
        let schemas = json!({
            "uuid": {"type": "string", "format": "uuid"},
            "Id": {"type": "string", "format": "uuid"},
            "IpAddr": {"type": "string", "format": "ipv4"},
        });
        let document = json!({"components": {"schemas": schemas}});
        let items = aliases(&["Id".to_owned()].into(), &document);
        insta::assert_snapshot!(print(items), @r"
        /// The schema `uuid`.
        pub type Uuid = ::uuid::Uuid;
        ");
    }
}
