//! Outlines of the public API of the generated crates, for reviewers: names, fields, types, variants and methods, without
//! bodies and documentation. Also checks that hand-written crates do not expose their dependencies except where intended.

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

/// Returns the public items of a file, without bodies and documentation.
fn public_api(path: impl AsRef<Path>) -> syn::File {
    let mut file = syn::parse_file(&common::read(path)).unwrap();
    call_api_codegen::declaration::expand(&mut file.items);
    public(&mut file.items);
    Signatures.visit_file_mut(&mut file);
    file.attrs.clear();
    file
}

fn outline(paths: &[&str]) -> String {
    let mut outline = String::new();
    for path in paths {
        let file = public_api(path);
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
                // The trait defines the items.
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
        // JSON names are part of the API.
        if item.ident != "PROPERTIES" {
            item.expr = parse_quote!(..);
        }
        item.attrs.clear();
    }

    fn visit_attributes_mut(&mut self, attrs: &mut Vec<Attribute>) {
        // Derived traits and non-exhaustiveness are part of the API.
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
fn outline_of_the_types_crate() {
    insta::assert_snapshot!(outline(&[
        common::TYPES,
        "crates/call-api-types/src/call.rs"
    ]));
}

#[test]
fn outline_of_the_client_crate() {
    insta::assert_snapshot!(outline(&[
        common::CLIENT,
        "crates/call-api-client/src/lib.rs"
    ]));
}

/// Returns the source files of a crate, sorted.
fn sources(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let entries = fs::read_dir(common::root().join(folder)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let sources = paths.into_iter().flat_map(|path| match path.is_dir() {
        true => sources(path),
        false => vec![path],
    });
    sources
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// A public item, or a part of one.
struct Shown {
    /// The name of the item, or of the type and the trait of an implementation.
    of: Vec<String>,
    tokens: TokenStream,
}

fn shown(path: &Path) -> Vec<Shown> {
    let file = syn::parse_file(&common::read(path)).unwrap();
    let mut shown = Vec::new();
    // An outline leaves out the associated types of implementations, but they are public.
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
    for item in public_api(path).items {
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

/// Returns the name of the type without its parameters, and of the trait.
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

/// Returns the names by which the file refers to `strangers` and to items imported from them.
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

/// Returns the public items of the file whose signatures refer to one of `strangers`, under any name.
fn naming(path: &Path, strangers: &[&str]) -> Vec<String> {
    let names = known_as(path, strangers);
    let shown = shown(path).into_iter().map(|shown| shown.tokens);
    let shown = shown.filter(|tokens| has(tokens, &names));
    shown.map(|tokens| tokens.to_string()).collect()
}

/// Adds the local names of items imported from one of `names`.
fn imported(tree: &UseTree, is_dependency: bool, names: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => {
            let is_dependency = is_dependency || names.contains(&path.ident.to_string());
            imported(&path.tree, is_dependency, names);
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                imported(tree, is_dependency, names);
            }
        }
        UseTree::Name(name) if is_dependency => {
            names.insert(name.ident.to_string());
        }
        UseTree::Rename(rename) if is_dependency || names.contains(&rename.ident.to_string()) => {
            names.insert(rename.rename.to_string());
        }
        UseTree::Glob(_) => assert!(!is_dependency, "a glob import of a dependency"),
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

/// The dependencies that the facade must not expose: reqwest and progenitor, and the generated client, which exposes both.
const DEPENDENCIES: [&str; 5] = [
    "reqwest",
    "progenitor",
    "progenitor_client",
    "call_api_client",
    "raw",
];

/// The crates of this project that the facade re-exports, in part or as a whole.
const REEXPORTED: [(&str, &str); 3] = [
    ("call_api_client", "crates/call-api-client/src"),
    ("call_api_transport", "crates/call-api-transport/src"),
    ("call_api_types", "crates/call-api-types/src"),
];

/// Stands for every item of a crate.
const ALL: &str = "*";

/// Returns the names that the source re-exports from a crate, or [`ALL`].
fn reexports(source: &Path, of: &str) -> BTreeSet<String> {
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
    visit(&public_api(source).items, of, &mut names);
    names
}

/// Returns the items of a facade and of the crates that it re-exports that expose dependencies.
fn exposed(facade: &[PathBuf], crates: &[(&str, PathBuf)]) -> Vec<String> {
    let mut exposed = Vec::new();
    // Items of a crate that are not re-exported cannot be named by users.
    let mut strangers = DEPENDENCIES.to_vec();
    let mut handed = BTreeSet::new();
    for (name, folder) in crates {
        let names: BTreeSet<_> = facade
            .iter()
            .flat_map(|path| reexports(path, name))
            .collect();
        let all = names.contains(ALL);
        if !all {
            strangers.push(name);
        }
        let is_reexported = |name: &String| all || names.contains(name);
        let sources = sources(folder);
        let items = sources.iter().flat_map(|path| public_api(path).items);
        let items = items.filter_map(|item| self::name(&item));
        let kept: BTreeSet<_> = items.filter(|name| !is_reexported(name)).collect();
        for path in &sources {
            // Users must be able to name every type of a signature.
            let names = &known_as(path, &DEPENDENCIES) | &kept;
            let shown = shown(path).into_iter();
            let shown = shown.filter(|shown| shown.of.iter().any(is_reexported));
            let shown = shown.filter(|shown| has(&shown.tokens, &names));
            exposed.extend(shown.map(|shown| shown.tokens.to_string()));
        }
        handed.extend(names);
    }
    for path in facade {
        let names = &known_as(path, &strangers) - &handed;
        let shown = shown(path).into_iter();
        let shown = shown.filter(|shown| has(&shown.tokens, &names));
        let shown = shown.map(|shown| shown.tokens.to_string());
        // Re-exports have been followed above.
        let is_reexported = |shown: &String| {
            let mut crates = crates.iter();
            crates.any(|(name, _)| shown.starts_with(&format!("pub use {name} ")))
        };
        exposed.extend(shown.filter(|shown| !is_reexported(shown)));
    }
    exposed
}

/// The module `transport` exposes `reqwest` by design. Elsewhere the facade names types of the SDK that lead there.
#[test]
fn facade_exposes_its_dependencies_only_in_transport() {
    let mut facade = sources("src");
    let all = facade.len();
    facade.retain(|path| !path.ends_with("src/transport.rs"));
    assert_eq!(facade.len() + 1, all);
    let crates = REEXPORTED.map(|(name, folder)| (name, common::root().join(folder)));
    insta::assert_snapshot!(exposed(&facade, &crates).join("\n"));
}

#[test]
fn reexports_are_followed() {
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
    let exposed_by = |source: &str| {
        fs::write(&facade, source).unwrap();
        exposed(std::slice::from_ref(&facade), &crates)
    };
    for source in [
        "pub use transport::Sent;",
        "pub use transport::{Plain, Sent as Other};",
        "pub use transport::Send;",
        "pub use transport::*;",
        "pub use transport as other;",
        "pub use transport::{self};",
        "pub mod inner { pub use transport::Sent; }",
        // A type that is not re-exported itself.
        "pub use transport::Led;",
        "use transport::Sent; pub fn f() -> Sent {}",
        "pub fn f() -> transport::Sent {}",
        "pub use raw::transport::Plain;",
    ] {
        assert!(!exposed_by(source).is_empty(), "{source}");
    }
    for source in [
        "pub use transport::Plain;",
        "pub use transport::Plain as Other; use transport::Sent; fn f() -> Sent {}",
        "pub use transport::Plain; pub fn f() -> Plain {}",
        "mod inner { pub use transport::Sent; }",
        "use transport::Sent;",
    ] {
        assert_eq!(exposed_by(source), [""; 0], "{source}");
    }
}

/// Returns the public methods of a type, except those whose signatures refer to `but`. For a wrapper, `of` includes the
/// wrapped type: `Blocking < GetCall`.
fn methods(path: &str, of: &str, but: &[&str]) -> BTreeSet<String> {
    let path = common::root().join(path);
    let but = known_as(&path, but);
    let file = public_api(&path);
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

#[test]
fn client_builder_has_every_transport_setting() {
    let transport = "crates/call-api-transport/src/builder.rs";
    let settings = methods(transport, "TransportBuilder", &["reqwest"]);
    assert!(settings.contains("max_attempts") && !settings.contains("http_client"));
    let missing =
        &settings - &methods("crates/call-api-client/src/client.rs", "ClientBuilder", &[]);
    assert_eq!(missing, BTreeSet::new());
}

/// Generated clients use the items that create and send requests. The builder accepts a reqwest client, or settings for one.
#[test]
fn transport_items_that_expose_reqwest() {
    let sources = sources("crates/call-api-transport/src");
    let shown: Vec<_> = sources
        .iter()
        .filter(|path| !path.ends_with("budget_tests.rs"))
        .flat_map(|path| naming(path, &DEPENDENCIES))
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn exposed_dependencies_are_found_in_every_position() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("source.rs");
    let shows = |source: &str| {
        fs::write(&path, source).unwrap();
        !naming(&path, &DEPENDENCIES).is_empty()
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
