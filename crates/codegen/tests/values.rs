//! Values round-trip through the generated types of a small document, on a stack of 2 MiB.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use call_api_codegen::{Options, Outcome};

const MANIFEST: &str = r#"
[package]
name = "values"
version = "0.0.0"
edition = "2024"
publish = false

[dependencies]
call-api-types.workspace = true
serde.workspace = true
serde_json.workspace = true
"#;

/// The cases: schema, JSON, and the expected JSON or the beginning of the error.
const VALUES: &str = include_str!("values/values.txt");

/// Reads lines with a schema and a value, and prints the decoded and encoded value or the error. Of `Schema.builder`, it
/// prints a new value.
const MAIN: &str = r#"
use call_api_types as t;

fn round_trip<T: serde::de::DeserializeOwned + serde::Serialize>(json: &str) -> String {
    match serde_json::from_str::<T>(json) {
        Ok(value) => serde_json::to_string(&value).unwrap(),
        Err(error) => format!("error: {error}"),
    }
}

fn built(value: impl serde::Serialize) -> String {
    serde_json::to_string(&value).unwrap()
}

fn convert() {
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (schema, json) = line.split_once(' ').unwrap();
        println!("{}", match schema {
            "Hook.builder" => built(t::Hook::builder().build().unwrap()),
            "Shared.builder" => built(t::Shared::builder().build().unwrap()),
            "PlanStep.builder" => built(t::PlanStep::builder().name("a").build().unwrap()),
            "PlanStep.nested" => {
                let inner = t::PlanStep::builder().name("c");
                let outer = t::PlanStep::builder().name("b").otherwise(inner);
                built(outer.build().unwrap())
            }
            "Mailbox.builder" => built(t::Mailbox::builder().build().unwrap()),
            ARMS
            other => panic!("{other}"),
        });
    }
}

fn main() {
    if std::env::args().len() > 1 {
        SIZES
        return;
    }
    std::thread::Builder::new().stack_size(2 << 20).spawn(convert).unwrap().join().unwrap();
}
"#;

/// Compiles the program and returns its path.
fn program() -> PathBuf {
    // Kept between runs, so that only changes are compiled again.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("values");
    let (sdk, target) = (folder.join("sdk"), folder.join("target"));
    let (outcome, report) = common::run(&Options {
        spec: Some(common::root().join("crates/codegen/tests/documents/values.yaml")),
        out: Some(sdk.clone()),
        name: Some("call-api".to_owned()),
        ..Options::new(common::root())
    });
    assert_eq!(outcome, Outcome::Fresh, "{report}");
    let generated = fs::read_to_string(sdk.join("crates/call-api-types/src/generated.rs")).unwrap();
    let (mut arms, mut sizes) = (String::new(), String::new());
    let types = generated
        .lines()
        .take_while(|line| !line.starts_with("pub mod "));
    let types: BTreeSet<&str> = types
        .filter_map(|line| {
            let words: Vec<&str> = line.split([' ', '(', ';']).collect();
            match words.as_slice() {
                ["pub", "struct" | "enum", name, ..] => Some(*name),
                _ => None,
            }
        })
        .collect();
    for name in types {
        writeln!(arms, "\"{name}\" => round_trip::<t::{name}>(json),").unwrap();
        writeln!(sizes, "println!(\"{name} {{}}\", size_of::<t::{name}>());").unwrap();
    }
    let main = MAIN.replace("ARMS", &arms).replace("SIZES", &sizes);
    common::write(&sdk.join("crates/values/Cargo.toml"), MANIFEST);
    common::write(&sdk.join("crates/values/src/main.rs"), &main);
    common::cargo(&sdk, &target, &["build", "--quiet", "--package", "values"]);
    target.join("debug/values")
}

/// Returns the output of the program for each line.
fn output_lines(program: &Path, lines: &str) -> Vec<String> {
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let lines = lines.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(
        output.status.success(),
        "the program exited with {}",
        output.status
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn values_round_trip() {
    let program = program();
    let mut lines = String::new();
    let mut expected = Vec::new();
    for line in VALUES
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (value, result) = line.split_once(" => ").unwrap_or((line, ""));
        let (_, json) = value.split_once(' ').unwrap();
        writeln!(lines, "{value}").unwrap();
        let result = if result.is_empty() { json } else { result };
        expected.push((value.to_owned(), result.to_owned()));
    }
    let mut failures = String::new();
    let actual_lines = output_lines(&program, &lines);
    assert_eq!(actual_lines.len(), expected.len());
    for ((value, expected), actual) in expected.iter().zip(&actual_lines) {
        let same = match serde_json::from_str::<serde_json::Value>(expected) {
            Ok(expected) => serde_json::from_str(actual).ok() == Some(expected),
            Err(_) => actual.starts_with(expected.as_str()),
        };
        if !same {
            writeln!(
                failures,
                "{value}\n  expected {expected}\n  actual   {actual}"
            )
            .unwrap();
        }
    }
    assert_eq!(failures, "");

    // Large types are boxed; only `WideFields`, which is always behind a box, may be large.
    let output = Command::new(&program).arg("sizes").output().unwrap();
    let sizes = String::from_utf8(output.stdout).unwrap();
    let large: Vec<&str> = sizes
        .lines()
        .filter(|line| {
            let (name, size) = line.split_once(' ').unwrap();
            size.parse::<usize>().unwrap() > 512 && name != "WideFields"
        })
        .collect();
    assert!(large.is_empty(), "{large:?}");

    // Values at the depth limit of serde_json are decoded without backtracking.
    let deep = |open: &str, close: &str, depth: usize| {
        let inner = r#"{"b":0}"#;
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    let before = Instant::now();
    for (open, close) in [(r#"{"b":1,"next":"#, "}"), (r#"{"a":1,"next":"#, "}")] {
        let json = deep(open, close, 120);
        let actual = self::output_lines(&program, &format!("Expression {json}\n"));
        assert!(!actual[0].starts_with("error"), "{actual:?}");
    }
    assert!(
        before.elapsed() < Duration::from_secs(5),
        "{:?}",
        before.elapsed()
    );
}
