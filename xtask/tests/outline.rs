//! The public API of the generated crates, as an outline: names, fields, types, variants, methods; no bodies, no
//! documentation. Its snapshot is what a reviewer of a new document reads. And of the crates by hand: that they show
//! nothing of what they are built on, but where they say so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

#[path = "../../crates/codegen/tests/common/mod.rs"]
mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, Block, Fields, ImplItem, Item, ItemImpl, Type, UseTree, Visibility, parse_quote,
};

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
        Item::Static(item) => is_public(&item.vis),
        Item::Trait(item) => is_public(&item.vis),
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

/// A public item or a part of one, as others see it.
struct Shown {
    /// The item that it is or belongs to; for a trait that is implemented both, the type and the trait.
    of: Vec<String>,
    tokens: TokenStream,
}

fn shown(path: &Path) -> Vec<Shown> {
    let file = syn::parse_file(&common::read(path)).unwrap();
    let mut shown = Vec::new();
    // What an outline leaves out of an implemented trait are its types, which are seen all the same.
    for item in &file.items {
        if let Item::Impl(item) = item
            && item.trait_.is_some()
        {
            let types = item.items.iter();
            let types = types.filter(|item| matches!(item, ImplItem::Type(_)));
            shown.extend(types.map(|part| Shown {
                of: implemented(item),
                tokens: part.to_token_stream(),
            }));
        }
    }
    for item in seen(path).items {
        let of = match &item {
            Item::Impl(item) => implemented(item),
            item => name(item).into_iter().collect(),
        };
        match item {
            Item::Impl(mut item) => {
                let items = std::mem::take(&mut item.items);
                shown.extend(items.iter().map(|item| Shown {
                    of: of.clone(),
                    tokens: match item {
                        ImplItem::Fn(function) => function.sig.to_token_stream(),
                        item => item.to_token_stream(),
                    },
                }));
                let tokens = item.into_token_stream();
                shown.push(Shown { of, tokens });
            }
            item => {
                let tokens = item.into_token_stream();
                shown.push(Shown { of, tokens });
            }
        }
    }
    shown
}

fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Struct(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Const(item) => &item.ident,
        Item::Static(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Mod(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

/// The type that is implemented, without its parameters, and the trait.
fn implemented(item: &ItemImpl) -> Vec<String> {
    let of = match &*item.self_ty {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    };
    let of_trait = item.trait_.as_ref();
    let of_trait = of_trait.and_then(|(path, _)| path.segments.last());
    let names = of.into_iter().chain(of_trait);
    names.map(|segment| segment.ident.to_string()).collect()
}

/// Under which names the file uses `strangers`, and what it imports from them.
fn known_as(path: &Path, strangers: &[&str]) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = strangers.iter().map(|name| (*name).to_owned()).collect();
    let file = syn::parse_file(&common::read(path)).unwrap();
    for item in &file.items {
        if let Item::Use(item) = item {
            imported(&item.tree, false, &mut names);
        }
    }
    names
}

/// The public items of the file whose signatures name one of `strangers`, under whatever name the file uses it.
fn naming(path: &Path, strangers: &[&str]) -> Vec<String> {
    let names = known_as(path, strangers);
    let shown = shown(path).into_iter().map(|shown| shown.tokens);
    let shown = shown.filter(|tokens| has(tokens, &names));
    shown.map(|tokens| tokens.to_string()).collect()
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

/// The crates of this project that the facade hands on, in part or as a whole.
const HANDED_ON: [(&str, &str); 2] = [
    ("call_api_transport", "crates/call-api-transport/src"),
    ("call_api_types", "crates/call-api-types/src"),
];

/// Stands for all that a crate has.
const ALL: &str = "*";

/// What the source hands on of that crate: names, or [`ALL`].
fn handed_on(source: &Path, of: &str) -> BTreeSet<String> {
    fn leaves(tree: &UseTree, names: &mut BTreeSet<String>) {
        match tree {
            UseTree::Path(path) => leaves(&path.tree, names),
            UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, names)),
            UseTree::Name(name) if name.ident != "self" => {
                names.insert(name.ident.to_string());
            }
            UseTree::Rename(name) if name.ident != "self" => {
                names.insert(name.ident.to_string());
            }
            _ => {
                names.insert(ALL.to_owned());
            }
        }
    }
    fn visit(items: &[Item], of: &str, names: &mut BTreeSet<String>) {
        for item in items {
            match item {
                Item::Use(item) => match &item.tree {
                    UseTree::Path(path) if path.ident == of => leaves(&path.tree, names),
                    tree if has(&tree.to_token_stream(), &BTreeSet::from([of.to_owned()])) => {
                        names.insert(ALL.to_owned());
                    }
                    _ => {}
                },
                Item::Mod(item) => {
                    let items = item.content.iter().flat_map(|(_, items)| items);
                    visit(&items.cloned().collect::<Vec<_>>(), of, names);
                }
                _ => {}
            }
        }
    }
    let mut names = BTreeSet::new();
    visit(&seen(source).items, of, &mut names);
    names
}

/// What those sources of a facade, and what they hand on of those crates, show of what lies below.
fn below(facade: &[PathBuf], crates: &[(&str, PathBuf)]) -> Vec<String> {
    let mut below = Vec::new();
    // What the facade's own items must not name: of a crate, what is not handed on.
    let mut strangers = BELOW.to_vec();
    let mut handed = BTreeSet::new();
    for (name, folder) in crates {
        let names: BTreeSet<_> = facade
            .iter()
            .flat_map(|path| handed_on(path, name))
            .collect();
        let all = names.contains(ALL);
        if !all {
            strangers.push(name);
        }
        let is_handed_on = |name: &String| all || names.contains(name);
        let sources = sources(folder);
        let items = sources.iter().flat_map(|path| seen(path).items);
        let items = items.filter_map(|item| self::name(&item));
        let kept: BTreeSet<_> = items.filter(|name| !is_handed_on(name)).collect();
        for path in &sources {
            // A type that is named must be one that can be named.
            let names = &known_as(path, &BELOW) | &kept;
            let shown = shown(path).into_iter();
            let shown = shown.filter(|shown| shown.of.iter().any(is_handed_on));
            let shown = shown.filter(|shown| has(&shown.tokens, &names));
            below.extend(shown.map(|shown| shown.tokens.to_string()));
        }
        handed.extend(names);
    }
    for path in facade {
        let names = &known_as(path, &strangers) - &handed;
        let shown = shown(path).into_iter();
        let shown = shown.filter(|shown| has(&shown.tokens, &names));
        let shown = shown.map(|shown| shown.tokens.to_string());
        // These have been followed.
        let is_handed_on = |shown: &String| {
            let mut crates = crates.iter();
            crates.any(|(name, _)| shown.starts_with(&format!("pub use {name} ")))
        };
        below.extend(shown.filter(|shown| !is_handed_on(shown)));
    }
    below
}

/// `raw` is where it may be seen. What leads there are these three, which name no type that is not the SDK's own.
#[test]
fn the_facade_shows_what_it_is_built_on_under_raw_only() {
    let mut facade = sources("src");
    let all = facade.len();
    facade.retain(|path| !path.ends_with("src/raw.rs"));
    assert_eq!(facade.len() + 1, all);
    let crates = HANDED_ON.map(|(name, folder)| (name, common::root().join(folder)));
    assert_eq!(
        below(&facade, &crates),
        [
            "fn from_transport (transport : Transport) -> Self",
            "fn raw (& self) -> & raw :: Client",
            "fn transport (mut self , configure : impl FnOnce (TransportBuilder) -> TransportBuilder + Send + 'static ,) -> Self",
        ]
    );
}

#[test]
fn what_is_handed_on_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let crates = [("transport", folder.path().join("transport"))];
    let facade = folder.path().join("lib.rs");
    fs::create_dir(&crates[0].1).unwrap();
    fs::write(
        crates[0].1.join("lib.rs"),
        "use reqwest::Client as Http; pub struct Plain; pub struct Sent(pub Http); pub trait Send { fn send(_: Http); } \
         pub struct Led; impl Led { pub fn to(self) -> Sent {} } impl Send for Led { fn send(_: Http) {} } \
         impl Plain { fn http(&self) -> Http {} }",
    )
    .unwrap();
    let below = |source: &str| {
        fs::write(&facade, source).unwrap();
        below(std::slice::from_ref(&facade), &crates)
    };
    for source in [
        "pub use transport::Sent;",
        "pub use transport::{Plain, Sent as Other};",
        "pub use transport::Send;",
        "pub use transport::*;",
        "pub use transport as other;",
        "pub use transport::{self};",
        "pub mod inner { pub use transport::Sent; }",
        // What leads to what isn't handed on.
        "pub use transport::Led;",
        "use transport::Sent; pub fn f() -> Sent {}",
        "pub fn f() -> transport::Sent {}",
        "pub use raw::transport::Plain;",
    ] {
        assert!(!below(source).is_empty(), "{source}");
    }
    for source in [
        "pub use transport::Plain;",
        "pub use transport::Plain as Other; use transport::Sent; fn f() -> Sent {}",
        "pub use transport::Plain; pub fn f() -> Plain {}",
        "mod inner { pub use transport::Sent; }",
        "use transport::Sent;",
    ] {
        assert_eq!(below(source), [""; 0], "{source}");
    }
}

/// The public methods of that type, but for those whose signatures name `but`. Of a type that wraps others, `of` is all
/// of it: `Blocking < GetCall`.
fn methods(path: &str, of: &str, but: &[&str]) -> BTreeSet<String> {
    let path = common::root().join(path);
    let but = known_as(&path, but);
    let file = seen(&path);
    let impls = file.items.iter().filter_map(|item| match item {
        Item::Impl(item) if item.trait_.is_none() => Some(item),
        _ => None,
    });
    let impls = impls.filter(|item| {
        let rest = item.self_ty.to_token_stream().to_string();
        let rest = rest.strip_prefix(of).map(str::to_owned);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    });
    let methods = impls.flat_map(|item| &item.items);
    let methods = methods.filter_map(|item| match item {
        ImplItem::Fn(function) => Some(&function.sig),
        _ => None,
    });
    let methods = methods.filter(|method| !has(&method.to_token_stream(), &but));
    methods.map(|method| method.ident.to_string()).collect()
}

/// What can be set for the transport can be set for the client: only the doors to reqwest are asked for by name.
#[test]
fn the_client_s_builder_has_the_transport_s_settings() {
    let transport = "crates/call-api-transport/src/builder.rs";
    let settings = methods(transport, "TransportBuilder", &["reqwest"]);
    assert!(settings.contains("max_attempts") && !settings.contains("http_client"));
    let missing = &settings - &methods("src/client.rs", "ClientBuilder", &[]);
    assert_eq!(missing, BTreeSet::new());
}

#[test]
fn the_blocking_client_has_the_same_surface() {
    let blocking = "src/blocking.rs";
    for (path, of, without, missing) in [
        // Of the first, `new` makes one; iterators take the place of streams; and what is raw is awaited.
        (
            "src/client.rs",
            "Client",
            "Client",
            &["from_transport", "get_calls_from", "raw"][..],
        ),
        ("src/request.rs", "GetCall", "Blocking < GetCall", &[]),
        (
            "src/wait.rs",
            "WaitUntilEnded",
            "Blocking < WaitUntilEnded",
            &[],
        ),
        // It is the iterator's.
        ("src/many.rs", "GetCalls", "Blocking < GetCalls", &["next"]),
        (
            "src/recording.rs",
            "FetchRecording",
            "Blocking < FetchRecording",
            &[],
        ),
    ] {
        let all = methods(path, of, &[]);
        assert!(!all.is_empty(), "{of}");
        let found = &all - &methods(blocking, without, &[]);
        assert!(found.iter().eq(missing), "{of}: {found:?}");
    }
}

/// The transport's doors to reqwest: what makes and sends requests is for generated clients, and those of the builder are
/// for those who bring a client, or settings for one. The facade has them under `raw`.
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
        "pub trait T { fn f(_: reqwest::Client); }",
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
