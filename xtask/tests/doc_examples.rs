//! Each public item of what users import is shown by an example in its documentation, which runs as a test.
//!
//! Read from the sources: what an item's own examples don't show, those of its type may, where they name it in a line that
//! is seen.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Expr, ImplItem, Item, Lit, Meta, TraitItem, Visibility};

/// The facade, and what it hands on of the data's hand-written half.
const SOURCES: &[&str] = &[
    "src/lib.rs",
    "src/blocking.rs",
    "src/cadence.rs",
    "src/change.rs",
    "src/client.rs",
    "src/detail.rs",
    "src/drift.rs",
    "src/error.rs",
    "src/many.rs",
    "src/raw.rs",
    "src/recording.rs",
    "src/request.rs",
    "src/transport.rs",
    "src/types.rs",
    "src/wait.rs",
    "crates/call-api-types/src/call.rs",
    "crates/call-api-types/src/mask.rs",
];

/// What the facade hands on of the transport beside the module itself, and what of that has an example of its own there.
const HANDED_ON: &[(&str, &[&str])] = &[
    ("crates/call-api-transport/src/builder.rs", &["CallOptions"]),
    (
        "crates/call-api-transport/src/fetch.rs",
        &["Progress", "Fetch"],
    ),
    ("crates/call-api-transport/src/ledger.rs", &["Ledger"]),
    (
        "crates/call-api-transport/src/token.rs",
        &["Token", "TokenProvider", "TokenFile"],
    ),
];

/// What the examples of another type show, and whose.
const SHOWN_BY: &[(&str, &str)] = &[
    ("BASE_URL_VARIABLE", "Client"),
    ("TOKEN_VARIABLE", "Client"),
    ("DEFAULT_BASE_URL", "Client"),
    ("FieldError", "Detail"),
    ("DriftKind", "Drift"),
    ("DriftMode", "Drift"),
    ("ErrorKind", "Error"),
    ("Progress", "Fetch"),
];

/// The documentation of an item, as its lines.
fn docs(attributes: &[Attribute]) -> String {
    let mut text = String::new();
    for attribute in attributes {
        if let Meta::NameValue(meta) = &attribute.meta
            && meta.path.is_ident("doc")
            && let Expr::Lit(value) = &meta.value
            && let Lit::Str(line) = &value.lit
        {
            text.push_str(&line.value());
            text.push('\n');
        }
    }
    text
}

#[derive(Default)]
struct Examples {
    /// The names in the lines that are seen.
    names: BTreeSet<String>,
    run: usize,
    /// The first lines of those that don't run.
    not_run: Vec<String>,
}

fn examples(docs: &str) -> Examples {
    let mut examples = Examples::default();
    let mut fence: Option<(String, String)> = None;
    for line in docs.lines().map(str::trim) {
        match (line.strip_prefix("```"), &mut fence) {
            (Some(info), None) => fence = Some((info.to_owned(), String::new())),
            (Some(_), Some((info, code))) => {
                let is_seen = |line: &&str| *line != "#" && !line.starts_with("# ");
                let seen: Vec<_> = code.lines().filter(is_seen).collect();
                match info.as_str() {
                    "" => {
                        examples.run += 1;
                        let tokens: TokenStream = seen.join("\n").parse().unwrap();
                        named(tokens, &mut examples.names);
                    }
                    "text" | "toml" | "json" | "console" => {}
                    // What must not compile, and with which error: that is the point of it.
                    info if info.starts_with("compile_fail,E") => {}
                    info => examples.not_run.push(info.to_owned()),
                }
                fence = None;
            }
            (None, Some((_, code))) => {
                code.push_str(line);
                code.push('\n');
            }
            (None, None) => {}
        }
    }
    examples
}

fn named(tokens: TokenStream, names: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                names.insert(ident.to_string());
            }
            TokenTree::Group(group) => named(group.stream(), names),
            _ => {}
        }
    }
}

/// The public items of a source that no example shows, and the examples that don't run.
fn without_example(source: &str) -> Vec<String> {
    let file = syn::parse_file(source).unwrap();
    let mut missing = Vec::new();
    // By type: the names in the examples of it and of its methods. And each public item with its type.
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut items: Vec<(String, String)> = Vec::new();
    let mut note = |of: &str, name: &str, is_public: bool, attributes: &[Attribute]| {
        let found = examples(&docs(attributes));
        let path = match of == name {
            true => name.to_owned(),
            false => format!("{of}::{name}"),
        };
        missing.extend(found.not_run.iter().map(|info| format!("{path}: {info}")));
        shown.entry(of.to_owned()).or_default().extend(found.names);
        if is_public && found.run == 0 {
            items.push((of.to_owned(), name.to_owned()));
        }
    };
    note("the file", "the file", false, &file.attrs);
    let is_public = |visibility: &Visibility| matches!(visibility, Visibility::Public(_));
    let mut private = BTreeSet::new();
    for item in &file.items {
        let (name, visibility, attributes) = match item {
            Item::Struct(item) => (item.ident.to_string(), &item.vis, &item.attrs),
            Item::Enum(item) => (item.ident.to_string(), &item.vis, &item.attrs),
            Item::Type(item) => (item.ident.to_string(), &item.vis, &item.attrs),
            Item::Const(item) => (item.ident.to_string(), &item.vis, &item.attrs),
            Item::Fn(item) => (item.sig.ident.to_string(), &item.vis, &item.attrs),
            Item::Trait(item) => {
                let name = item.ident.to_string();
                note(&name, &name, is_public(&item.vis), &item.attrs);
                for method in &item.items {
                    if let TraitItem::Fn(method) = method {
                        let method_name = method.sig.ident.to_string();
                        note(&name, &method_name, is_public(&item.vis), &method.attrs);
                    }
                }
                continue;
            }
            _ => continue,
        };
        if !is_public(visibility) {
            private.insert(name.clone());
        }
        note(&name, &name, is_public(visibility), attributes);
    }
    for item in &file.items {
        let Item::Impl(item) = item else { continue };
        let tokens = item.self_ty.to_token_stream();
        let of = tokens.into_iter().next().unwrap().to_string();
        if item.trait_.is_some() || private.contains(&of) {
            continue;
        }
        for inner in &item.items {
            match inner {
                ImplItem::Fn(method) => {
                    let name = method.sig.ident.to_string();
                    note(&of, &name, is_public(&method.vis), &method.attrs);
                }
                ImplItem::Const(constant) => {
                    let name = constant.ident.to_string();
                    note(&of, &name, is_public(&constant.vis), &constant.attrs);
                }
                _ => {}
            }
        }
    }
    for (of, name) in items {
        let by = SHOWN_BY.iter().find(|(item, _)| *item == name);
        let by = by.map_or(of.as_str(), |(_, by)| *by);
        if !shown.get(by).is_some_and(|shown| shown.contains(&name)) {
            missing.push(match of == name {
                true => name,
                false => format!("{of}::{name}"),
            });
        }
    }
    missing.sort();
    missing
}

#[test]
fn each_public_item_has_an_example_that_runs() {
    let mut missing = Vec::new();
    for path in SOURCES {
        let found = without_example(&common::read(path));
        missing.extend(found.into_iter().map(|item| format!("{path}: {item}")));
    }
    for (path, types) in HANDED_ON {
        let source = common::read(path);
        for name in *types {
            let is_there = ["struct", "trait"].map(|kind| format!("pub {kind} {name}"));
            assert!(is_there.iter().any(|item| source.contains(item)), "{name}");
        }
        let found = without_example(&source);
        let of_them = found.into_iter().filter(|item| {
            let of = item.split("::").next().unwrap();
            types.contains(&of)
        });
        missing.extend(of_them.map(|item| format!("{path}: {item}")));
    }
    assert_eq!(missing, [""; 0], "{missing:#?}");
}

/// A new file is one of those that are looked at, too.
#[test]
fn no_source_of_the_facade_is_left_out() {
    let mut sources: Vec<_> = std::fs::read_dir(common::root().join("src"))
        .unwrap()
        .map(|entry| format!("src/{}", entry.unwrap().file_name().display()))
        .collect();
    sources.sort();
    let listed = SOURCES.iter().filter(|path| path.starts_with("src/"));
    let mut listed: Vec<_> = listed.map(|path| (*path).to_owned()).collect();
    listed.sort();
    assert_eq!(listed, sources);
}

#[test]
fn what_no_example_shows_is_found() {
    let run = "/// ```\n/// T::f();\n/// # T::h();\n/// ```\n";
    for (source, missing) in [
        ("/// T.\npub struct T;".to_owned(), &["T"][..]),
        (format!("{run}pub struct T;"), &[]),
        ("struct T; impl T { pub fn f() {} }".to_owned(), &[]),
        (
            format!("{run}pub struct T; impl T {{ pub fn f() {{}} pub fn g() {{}} fn i() {{}} }}"),
            &["T::g"],
        ),
        // What is hidden shows nothing.
        (
            format!("{run}pub struct T; impl T {{ pub fn h() {{}} }}"),
            &["T::h"],
        ),
        // A type is shown where its methods' examples name it, and so are its other methods.
        (
            format!(
                "pub struct S; pub struct T; impl T {{ {run} pub fn g() {{}} pub fn f() {{}} }}"
            ),
            &["S"],
        ),
        (
            "impl Clone for T { fn clone(&self) -> T {} }".to_owned(),
            &[],
        ),
        ("pub(crate) fn f() {}".to_owned(), &[]),
        ("pub fn f() {}".to_owned(), &["f"]),
        ("pub trait T { fn f(); }".to_owned(), &["T", "T::f"]),
        ("pub const C: u8 = 0;".to_owned(), &["C"]),
        (
            "/// ```no_run\n/// T;\n/// ```\npub struct T;".to_owned(),
            &["T", "T: no_run"],
        ),
        (
            "//! ```ignore\n//! T;\n//! ```\n".to_owned(),
            &["the file: ignore"],
        ),
        (
            "/// ```text\n/// T;\n/// ```\npub struct T;".to_owned(),
            &["T"],
        ),
    ] {
        let source_of_types = format!("{source}\n");
        assert_eq!(without_example(&source_of_types), missing, "{source}");
    }
}
