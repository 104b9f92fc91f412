//! Checks that every public item of the facade has an example in its documentation that runs against the sandbox.
//!
//! An item has an example if its own documentation has one, or if a visible line of an example of its type names it. Items
//! re-exported from crates that cannot depend on the sandbox have their examples in the re-exporting module.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

#[path = "../../crates/codegen/tests/common/mod.rs"]
mod common;

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Expr, ImplItem, Item, Lit, Meta, TraitItem, UseTree, Visibility};

/// The sources of the facade, and the hand-written sources of the types crate.
const SOURCES: &[&str] = &[
    "src/lib.rs",
    "src/change.rs",
    "src/client.rs",
    "src/guide.rs",
    "src/many.rs",
    "src/poll.rs",
    "src/recording.rs",
    "src/recording/blocking_writer.rs",
    "src/recording/file_name.rs",
    "src/recording/outcome.rs",
    "src/transport.rs",
    "src/types.rs",
    "src/wait.rs",
    "src/wait/settled.rs",
    "crates/call-api-types/src/call.rs",
    "crates/call-api-types/src/mask.rs",
];

/// The modules of the facade that re-export items, and the hand-written sources of those. Generated items have the same form
/// and need no example each.
const REEXPORTED: &[(&str, &[&str])] = &[
    (
        "src/guide.rs",
        &[
            "crates/call-api-client/src/blocking.rs",
            "crates/call-api-client/src/client.rs",
            "crates/call-api-client/src/detail.rs",
            "crates/call-api-client/src/drift.rs",
            "crates/call-api-client/src/error.rs",
        ],
    ),
    (
        "src/transport.rs",
        &[
            "crates/call-api-transport/src/builder.rs",
            "crates/call-api-transport/src/clock.rs",
            "crates/call-api-transport/src/download.rs",
            "crates/call-api-transport/src/attempt_log.rs",
            "crates/call-api-transport/src/observe.rs",
            "crates/call-api-transport/src/operation.rs",
            "crates/call-api-transport/src/retry.rs",
            "crates/call-api-transport/src/token.rs",
        ],
    ),
    (
        "src/types.rs",
        &[
            "crates/call-api-types/src/call.rs",
            "crates/call-api-types/src/mask.rs",
        ],
    ),
];

/// Items that examples of another type show, with that type.
const SHOWN_BY: &[(&str, &str)] = &[
    ("BASE_URL_VARIABLE", "Client"),
    ("TOKEN_VARIABLE", "Client"),
    ("DEFAULT_BASE_URL", "Client"),
    ("FieldError", "Detail"),
    ("DriftKind", "Drift"),
    ("DriftMode", "Drift"),
    ("ErrorKind", "Error"),
];

/// Returns the documentation of an item.
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
    /// The names in visible lines.
    names: BTreeSet<String>,
    /// The number of examples that run.
    run: usize,
    /// The number of examples that run without the sandbox.
    without_sandbox: usize,
    /// The info strings of examples that do not run.
    not_run: Vec<String>,
}

fn examples(docs: &str) -> Examples {
    let mut examples = Examples::default();
    let mut fence: Option<(String, String)> = None;
    for line in docs.lines().map(str::trim) {
        match (line.strip_prefix("```"), &mut fence) {
            (Some(info), None) => fence = Some((info.to_owned(), String::new())),
            (Some(_), Some((info, code))) => {
                let is_visible = |line: &&str| *line != "#" && !line.starts_with("# ");
                let visible: Vec<_> = code.lines().filter(is_visible).collect();
                match info.as_str() {
                    "" => {
                        examples.run += 1;
                        examples.without_sandbox += usize::from(!code.contains("Sandbox::start()"));
                        let tokens: TokenStream = visible.join("\n").parse().unwrap();
                        named(tokens, &mut examples.names);
                    }
                    "text" | "toml" | "json" | "console" => {}
                    // Examples that must fail to compile, with the error code.
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

/// Returns the public items of a source without an example, the examples that do not run, and, for sources that can use
/// the sandbox, the examples without it.
fn without_example(source: &str, can_use_sandbox: bool) -> Vec<String> {
    let file = syn::parse_file(source).unwrap();
    let mut missing = Vec::new();
    // The names in the examples of each type and its methods, and the public items with their types.
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut items: Vec<(String, String)> = Vec::new();
    let mut note = |of: &str, name: &str, is_public: bool, attributes: &[Attribute]| {
        let found = examples(&docs(attributes));
        let path = match of == name {
            true => name.to_owned(),
            false => format!("{of}::{name}"),
        };
        missing.extend(found.not_run.iter().map(|info| format!("{path}: {info}")));
        if can_use_sandbox && found.without_sandbox > 0 {
            missing.push(format!("{path}: no sandbox"));
        }
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
fn public_items_have_examples_that_run() {
    let mut missing = Vec::new();
    for path in SOURCES {
        let mut found = without_example(&common::read(path), path.starts_with("src/"));
        // The first program reads its settings from the environment.
        found.retain(|item| (*path, item.as_str()) != ("src/lib.rs", "the file: no_run"));
        missing.extend(found.into_iter().map(|item| format!("{path}: {item}")));
    }
    assert_eq!(missing, [""; 0], "{missing:#?}");
}

/// Returns the names that a module re-exports, or `None` for a glob.
fn reexports(module: &syn::File) -> Option<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let mut all = false;
    for item in &module.items {
        if let Item::Use(item) = item
            && let UseTree::Path(path) = &item.tree
        {
            named(path.tree.to_token_stream(), &mut names);
            all |= matches!(*path.tree, UseTree::Glob(_));
        }
    }
    (!all).then_some(names)
}

/// Returns the items that a module re-exports from the sources without an example of its own.
fn not_shown_by(module: &str, sources: &[String]) -> Vec<String> {
    let module = syn::parse_file(module).unwrap();
    let reexported = reexports(&module);
    let shown = examples(&docs(&module.attrs)).names;
    // Without their documentation, every item lacks an example.
    let bare = sources.iter().map(|source| {
        let lines = source.lines();
        let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    });
    let items = bare.flat_map(|source| without_example(&source, false));
    let items = items.filter(|item| {
        let of = item.split("::").next().unwrap();
        reexported.as_ref().is_none_or(|names| names.contains(of))
    });
    let mut all: BTreeSet<String> = items.collect();
    all.extend(reexported.iter().flatten().cloned());
    all.retain(|item| !shown.contains(item.rsplit("::").next().unwrap()));
    all.into_iter().collect()
}

#[test]
fn reexported_items_have_examples_with_the_sandbox() {
    for (module, sources) in REEXPORTED {
        let sources: Vec<_> = sources.iter().map(common::read).collect();
        let mut text = common::read(module);
        if *module == "src/guide.rs" {
            // The crate's root hands on all of it.
            text.push_str("use call_api_client::*;");
        }
        let missing = not_shown_by(&text, &sources);
        assert_eq!(missing, [""; 0], "{module}: {missing:#?}");
    }
}

#[test]
fn reexported_items_without_examples_are_found() {
    let source = "pub struct S; impl S { pub fn f() {} fn i() {} } pub struct Other;".to_owned();
    let shows =
        |example: &str, what: &str| format!("//! ```\n//! {example}\n//! ```\npub use a::{what};");
    for (module, missing) in [
        (shows("S::f();", "{S}"), &[][..]),
        (shows("S;", "S"), &["S::f"]),
        (shows("T;", "{S, T}"), &["S", "S::f"]),
        (shows("S::f();", "*"), &["Other"]),
    ] {
        let sources = std::slice::from_ref(&source);
        assert_eq!(not_shown_by(&module, sources), missing, "{module}");
    }
}

#[test]
fn list_of_sources_is_complete() {
    let mut sources = Vec::new();
    let mut folders = vec!["src".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(common::root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().display());
            match entry.path().is_dir() {
                true => folders.push(path),
                false => sources.push(path),
            }
        }
    }
    // Generated, and without public items.
    sources.retain(|path| path != "src/reference.rs");
    sources.sort();
    let listed = SOURCES.iter().filter(|path| path.starts_with("src/"));
    let mut listed: Vec<_> = listed.map(|path| (*path).to_owned()).collect();
    listed.sort();
    assert_eq!(listed, sources);
}

#[test]
fn items_without_examples_are_found() {
    let run = "/// ```\n/// T::f();\n/// # T::h();\n/// ```\n";
    for (source, missing) in [
        ("/// T.\npub struct T;".to_owned(), &["T"][..]),
        (format!("{run}pub struct T;"), &[]),
        ("struct T; impl T { pub fn f() {} }".to_owned(), &[]),
        (
            format!("{run}pub struct T; impl T {{ pub fn f() {{}} pub fn g() {{}} fn i() {{}} }}"),
            &["T::g"],
        ),
        // Hidden lines do not count.
        (
            format!("{run}pub struct T; impl T {{ pub fn h() {{}} }}"),
            &["T::h"],
        ),
        // Examples of methods count for the type and for its other methods.
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
        assert_eq!(without_example(&source, false), missing, "{source}");
    }
    let without_sandbox = format!("{run}pub struct T;");
    assert_eq!(without_example(&without_sandbox, true), ["T: no sandbox"]);
    let with_sandbox = without_sandbox.replace("T::h();", "Sandbox::start();");
    assert_eq!(without_example(&with_sandbox, true), [""; 0]);
}
