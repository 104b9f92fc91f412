//! The public API of the generated crates, as an outline: names, fields, types, variants, methods; no bodies, no
//! documentation. Its snapshot is what a reviewer of a new document reads. And of the crates by hand: that they show
//! nothing of what they are built on, but where they say so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Block, Fields, ImplItem, Item, UseTree, Visibility, parse_quote};

/// What a user of the crate sees of this file.
fn seen(path: impl AsRef<Path>) -> syn::File {
    let mut file = syn::parse_file(&common::read(path)).unwrap();
    public(&mut file.items);
    Signatures.visit_file_mut(&mut file);
    file.attrs.clear();
    file
}

fn outline(paths: &[&str]) -> String {
    let mut outline = String::new();
    for path in paths {
        let file = seen(path);
        outline.push_str(&format!("// {path}\n{}\n", prettyplease::unparse(&file)));
    }
    outline
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn public(items: &mut Vec<Item>) {
    items.retain_mut(|item| match item {
        Item::Struct(item) => is_public(&item.vis),
        Item::Enum(item) => is_public(&item.vis),
        Item::Type(item) => is_public(&item.vis),
        Item::Fn(item) => is_public(&item.vis),
        Item::Const(item) => is_public(&item.vis),
        Item::Use(item) => is_public(&item.vis),
        Item::Mod(item) => {
            if let Some((_, items)) = &mut item.content {
                public(items);
            }
            is_public(&item.vis) && item.content.is_some()
        }
        Item::Impl(item) => {
            if item.trait_.is_some() {
                // Its items are the trait's.
                item.items.clear();
                return true;
            }
            item.items.retain(|item| match item {
                ImplItem::Fn(item) => is_public(&item.vis),
                ImplItem::Const(item) => is_public(&item.vis),
                _ => false,
            });
            !item.items.is_empty()
        }
        _ => false,
    });
}

struct Signatures;

impl VisitMut for Signatures {
    fn visit_block_mut(&mut self, block: &mut Block) {
        *block = parse_quote!({});
    }

    fn visit_impl_item_const_mut(&mut self, item: &mut syn::ImplItemConst) {
        item.expr = parse_quote!(..);
        item.attrs.clear();
    }

    fn visit_attributes_mut(&mut self, attrs: &mut Vec<Attribute>) {
        // What a derive adds, how a field is called in JSON and whether a type may grow is part of the API.
        attrs.retain(|attribute| {
            ["derive", "serde", "non_exhaustive", "deprecated"]
                .iter()
                .any(|name| attribute.path().is_ident(name))
        });
    }

    fn visit_item_struct_mut(&mut self, item: &mut syn::ItemStruct) {
        visit_mut::visit_item_struct_mut(self, item);
        if let Fields::Named(fields) = &mut item.fields {
            let public = std::mem::take(&mut fields.named)
                .into_iter()
                .filter(|field| is_public(&field.vis));
            fields.named = public.collect();
        }
    }
}

#[test]
fn the_types_crate() {
    insta::assert_snapshot!(outline(&[
        common::TYPES,
        "crates/call-api-types/src/call.rs"
    ]));
}

#[test]
fn the_client_crate() {
    insta::assert_snapshot!(outline(&[
        common::CLIENT,
        "crates/call-api-client/src/lib.rs"
    ]));
}

/// The sources of a crate.
fn sources(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let entries = fs::read_dir(common::root().join(folder)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let sources = paths.into_iter().flat_map(|path| match path.is_dir() {
        true => sources(path),
        false => vec![path],
    });
    sources.collect()
}

/// The public items of the file whose signatures name one of `strangers`, under whatever name the file uses it.
fn naming(path: &Path, strangers: &[&str]) -> Vec<String> {
    let mut names: BTreeSet<String> = strangers.iter().map(|name| (*name).to_owned()).collect();
    let file = syn::parse_file(&common::read(path)).unwrap();
    for item in &file.items {
        if let Item::Use(item) = item {
            imported(&item.tree, false, &mut names);
        }
    }
    // What an outline leaves out of an implemented trait are its types, which are seen all the same.
    let types = file.items.iter().filter_map(|item| match item {
        Item::Impl(item) if item.trait_.is_some() => Some(item),
        _ => None,
    });
    let types = types.flat_map(|item| &item.items);
    let types = types.filter(|item| matches!(item, ImplItem::Type(_)));
    let mut shown: Vec<TokenStream> = types.map(ToTokens::to_token_stream).collect();
    for item in seen(path).items {
        match item {
            Item::Impl(mut item) => {
                let items = std::mem::take(&mut item.items);
                shown.extend(items.iter().map(|item| match item {
                    ImplItem::Fn(function) => function.sig.to_token_stream(),
                    item => item.to_token_stream(),
                }));
                shown.push(item.into_token_stream());
            }
            item => shown.push(item.into_token_stream()),
        }
    }
    let shown = shown.into_iter().filter(|item| has(item, &names));
    shown.map(|item| item.to_string()).collect()
}

/// Adds the names that the file gives to what it imports from one of `names`.
fn imported(tree: &UseTree, below: bool, names: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => {
            let below = below || names.contains(&path.ident.to_string());
            imported(&path.tree, below, names);
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                imported(tree, below, names);
            }
        }
        UseTree::Name(name) if below => {
            names.insert(name.ident.to_string());
        }
        UseTree::Rename(rename) if below || names.contains(&rename.ident.to_string()) => {
            names.insert(rename.rename.to_string());
        }
        UseTree::Glob(_) => assert!(!below, "a glob of what must not be seen"),
        _ => {}
    }
}

fn has(tokens: &TokenStream, names: &BTreeSet<String>) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => names.contains(&ident.to_string()),
        TokenTree::Group(group) => has(&group.stream(), names),
        _ => false,
    })
}

/// Of reqwest and progenitor, and of the generated client, which shows both.
const BELOW: [&str; 5] = [
    "reqwest",
    "progenitor",
    "progenitor_client",
    "call_api_client",
    "raw",
];

#[test]
fn the_facade_shows_what_it_is_built_on_under_raw_only() {
    let sources = sources("src");
    assert!(sources.iter().any(|path| path.ends_with("src/client.rs")));
    let shown: Vec<_> = sources
        .iter()
        .flat_map(|path| naming(path, &BELOW))
        .collect();
    let allowed = [
        "fn raw (& self) -> & raw :: Client",
        "pub use call_api_client as raw ;",
    ];
    assert_eq!(shown, allowed);
}

/// The facade hands out the transport as a whole. These are its doors to reqwest; what makes and sends requests is for
/// generated clients, and the two of the builder are for those who bring a client, or settings for one.
#[test]
fn the_transport_s_doors_to_reqwest_are_these() {
    let sources = sources("crates/call-api-transport/src");
    let shown: Vec<_> = sources
        .iter()
        .filter(|path| !path.ends_with("budget_tests.rs"))
        .flat_map(|path| naming(path, &BELOW))
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_name_of_something_below_is_found_wherever_it_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("source.rs");
    let shows = |source: &str| {
        fs::write(&path, source).unwrap();
        !naming(&path, &BELOW).is_empty()
    };
    for source in [
        "pub fn f(_: reqwest::Client) {}",
        "pub struct S { pub f: Option<reqwest::Client> }",
        "pub struct S; impl S { pub fn f() -> Vec<crate::raw::Client> {} }",
        "use reqwest::Client as Http; pub struct S; impl S { pub fn f() -> Http {} }",
        "use reqwest as http; pub type T = http::Client;",
        "pub struct S; impl From<reqwest::Error> for S { fn from(_: reqwest::Error) -> S { S } }",
        "pub struct S; impl Deref for S { type Target = reqwest::Client; }",
        "pub use reqwest::Client;",
    ] {
        assert!(shows(source), "{source}");
    }
    for source in [
        "pub struct S { f: reqwest::Client }",
        "fn f(_: reqwest::Client) {}",
        "pub(crate) fn f(_: reqwest::Client) {}",
        "pub fn f() { reqwest::get(); }",
        "use reqwest::Client; pub struct S;",
        "/// As in reqwest.\npub struct S;",
    ] {
        assert!(!shows(source), "{source}");
    }
}
