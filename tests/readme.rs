//! README.md is correct: its commands print the output shown, its program runs, and its tables match the code. Its other
//! Rust blocks are documentation tests of the facade.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use call_api::Client;
use call_api_sandbox::Sandbox;
use support::root;

const README: &str = include_str!("../README.md");

/// The URL of the service in the README.
const SERVICE: &str = "http://localhost:3000";

/// A fenced block of README.md.
struct Block {
    /// The line number of its first line.
    line: usize,
    kind: &'static str,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for (number, line) in (1..).zip(README.lines()) {
        let is_fence = line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        match (inside, line.strip_prefix("```")) {
            (true, Some("")) => inside = false,
            (false, Some(kind)) => {
                inside = true;
                blocks.push(Block {
                    line: number + 1,
                    kind,
                    text: String::new(),
                });
            }
            _ if is_fence => panic!("README.md:{number}: unsupported fence"),
            (true, _) => {
                let block = blocks.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            (false, _) => {}
        }
    }
    assert!(!inside, "the last block of README.md is not closed");
    blocks
}

fn only_block<'a>(blocks: &'a [Block], kind: &str) -> &'a str {
    let mut found = blocks.iter().filter(|block| block.kind == kind);
    let block = found
        .next()
        .unwrap_or_else(|| panic!("README.md has no block of kind {kind}"));
    assert!(
        found.next().is_none(),
        "README.md has two blocks of kind {kind}"
    );
    &block.text
}

/// A command of a `console` block and its expected output.
struct Shown {
    line: usize,
    command: String,
    output: String,
}

fn commands(blocks: &[Block]) -> Vec<Shown> {
    let mut commands: Vec<Shown> = Vec::new();
    for block in blocks.iter().filter(|block| block.kind == "console") {
        let first = commands.len();
        for (line, text) in (block.line..).zip(block.text.lines()) {
            if let Some(command) = text.strip_prefix("$ ") {
                commands.push(Shown {
                    line,
                    command: command.to_owned(),
                    output: String::new(),
                });
            } else {
                assert!(
                    commands.len() > first,
                    "README.md:{line}: output without a command"
                );
                let shown = commands.last_mut().unwrap();
                shown.output.push_str(text);
                shown.output.push('\n');
            }
        }
    }
    commands
}

/// Returns true if `text` matches `shown`, where `...` matches any lines and `[..]` any text within a line.
fn matches_lines(shown: &[&str], text: &[&str]) -> bool {
    match (shown.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((&"...", rest)), _) => {
            (0..=text.len()).any(|skip| matches_lines(rest, &text[skip..]))
        }
        (Some((shown, shown_rest)), Some((text, text_rest))) => {
            matches_line(shown, text) && matches_lines(shown_rest, text_rest)
        }
        _ => false,
    }
}

fn matches_line(shown: &str, text: &str) -> bool {
    match shown.split_once("[..]") {
        None => shown == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len())
                .filter(|&skip| rest.is_char_boundary(skip))
                .any(|skip| matches_line(after, &rest[skip..]))
        }),
    }
}

/// Splits a text into lines, without trailing spaces and trailing empty lines.
fn lines(text: &str) -> Vec<&str> {
    text.trim_end().lines().map(str::trim_end).collect()
}

#[track_caller]
fn assert_matches(shown: &Shown, text: &str) {
    assert!(
        matches_lines(&lines(&shown.output), &lines(text)),
        "README.md:{}: `{}` should print\n{}but prints\n{text}",
        shown.line,
        shown.command,
        shown.output,
    );
}

/// Parses a shown command, to be run in `folder`.
fn parse(shown: &Shown, folder: &Path) -> Command {
    let mut command = support::cargo(folder);
    command.env("CARGO_TARGET_DIR", support::target_dir());
    let mut words = shown.command.split(' ').peekable();
    while let Some((name, value)) = words.peek().and_then(|word| word.split_once('=')) {
        command.env(name, value);
        words.next();
    }
    assert_eq!(
        words.next(),
        Some("cargo"),
        "README.md:{}: only cargo commands are supported",
        shown.line
    );
    command.args(words);
    command
}

fn run(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Starts the sandbox and returns its greeting. It listens on a free port, which is replaced by that of the README.
fn sandbox_greeting(shown: &Shown) -> String {
    let mut build = support::cargo(&root());
    build
        .args(["build", "-p", "call-api-sandbox", "--features", "program"])
        .env("CARGO_TARGET_DIR", support::target_dir());
    run(build);
    let program = format!("debug/call-api-sandbox{}", std::env::consts::EXE_SUFFIX);
    let mut sandbox = Command::new(support::target_dir().join(program))
        .args(["--listen", "127.0.0.1:0"])
        .env_remove("CALL_API_SANDBOX_TOKEN")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let stdout = BufReader::new(sandbox.stdout.take().unwrap());
    std::thread::spawn(move || {
        stdout
            .lines()
            .try_for_each(|line| sender.send(line.unwrap()))
    });
    // The program does not exit after its greeting, so the expected number of lines is read.
    let lines: Vec<_> = (0..shown.output.lines().count())
        .map_while(|_| receiver.recv_timeout(Duration::from_secs(10)).ok())
        .collect();
    sandbox.kill().unwrap();
    sandbox.wait().unwrap();
    let (_, address) = lines[0].split_once("http://").unwrap();
    let (address, _) = address.split_once(' ').unwrap();
    lines.join("\n").replace(address, "127.0.0.1:3000")
}

/// Creates the README's first program, with its manifest and `main.rs`. Returns its folder.
fn first_program(blocks: &[Block]) -> PathBuf {
    let folder = support::empty_folder("first-program");
    let beside = "\"../call-api\"";
    let dependencies = only_block(blocks, "toml");
    assert!(dependencies.contains(beside));
    let manifest = format!(
        "[package]\nname = \"first-program\"\nedition = \"2024\"\n\n[workspace]\n\n{}",
        dependencies.replace(beside, &format!("{:?}", root()))
    );
    fs::create_dir(folder.join("src")).unwrap();
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(
        folder.join("src/main.rs"),
        only_block(blocks, "rust,no_run"),
    )
    .unwrap();
    // The locked versions are already downloaded.
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    folder
}

#[test]
fn blocks_are_of_tested_kinds() {
    for block in blocks() {
        assert!(
            ["rust", "rust,no_run", "console", "toml"].contains(&block.kind),
            "README.md:{}: no test covers blocks of kind {:?}",
            block.line,
            block.kind
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_print_the_shown_output() {
    let blocks = blocks();
    let commands = commands(&blocks);
    assert_eq!(commands[0].command, "cargo run --example get_call");
    assert_eq!(commands[1].command, "cargo test --workspace");
    // Documentation tests cannot run the program, because it needs a service, so it runs here.
    let programs = blocks.iter().filter(|block| block.kind == "rust,no_run");
    let runs = commands
        .iter()
        .filter(|shown| shown.command.ends_with(" cargo run"));
    assert_eq!((programs.count(), runs.count()), (1, 1));
    for shown in &commands {
        let text = match &*shown.command {
            // This command runs this test, so only a part runs here. `.ci/run` compares its whole output.
            "cargo test --workspace" => {
                let mut part = Command::new(std::env::current_exe().unwrap());
                part.arg("blocks_are_of_tested_kinds");
                run(part)
            }
            "cargo run -p call-api-sandbox --features program" => sandbox_greeting(shown),
            command if command.ends_with(" cargo run") => {
                let sandbox = Sandbox::start().await.unwrap();
                let mut command = parse(shown, &first_program(&blocks));
                assert!(shown.command.contains(SERVICE));
                command
                    .arg("--offline")
                    .env("CALL_API_BASE_URL", sandbox.base_url());
                tokio::task::spawn_blocking(|| run(command)).await.unwrap()
            }
            command => {
                if let Some((_, folder)) = command.split_once(" --out ") {
                    assert!(folder.starts_with("target/"));
                    let _ = fs::remove_dir_all(root().join(folder));
                }
                run(parse(shown, &root()))
            }
        };
        assert_matches(shown, &text);
    }
}

#[test]
fn placeholders_match_lines_and_text() {
    let matches = |shown: &str, text: &str| matches_lines(&lines(shown), &lines(text));
    assert!(matches("a\n...\nb", "a\nb") && matches("a\n...\nb", "a\n1\n2\nb"));
    assert!(matches("...", "") && matches("...\nb", "b\nb"));
    assert!(matches("[..] ok; [..] s", "7 ok; 0.1 s") && matches("a[..]", "a"));
    assert!(!matches("a\n...\nb", "a\n1") && !matches("a", "a\nb") && !matches("a\nb", "a"));
    assert!(!matches("[..] ok", "7 failed") && !matches("a", "[..]"));
}

/// Returns the cells of the table below a heading, by row.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = README.split_once(&format!("\n## {heading}\n")).unwrap();
    let rows = section.lines().skip_while(|line| !line.starts_with('|'));
    let rows = rows.take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

#[test]
fn settings_match_client_defaults() {
    let client = Client::builder()
        .base_url("http://localhost")
        .token("a token")
        .build()
        .unwrap();
    let client = format!("{client:?}");
    let rows = table("Settings");
    assert_eq!(rows.len(), 4);
    for row in rows {
        let name = row[0].trim_matches('`');
        let value = match row[1] {
            "1 MiB" => (1 << 20).to_string(),
            // Unset: the transport chooses, depending on earlier responses.
            "3, or 20" => "None".to_owned(),
            value => value.replace(' ', ""),
        };
        let setting = format!("{name}: {value},");
        assert!(client.contains(&setting), "{setting} is not in {client}");
    }
}

#[test]
fn features_match_the_manifest() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, features) = manifest.split_once("\n[features]\n").unwrap();
    let (features, _) = features.split_once("\n[").unwrap();
    let features: Vec<_> = features
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .collect();
    let (default, others) = features.split_first().unwrap();
    let rows = table("Features");
    let names: Vec<_> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    assert_eq!(
        names,
        others.iter().map(|(name, _)| *name).collect::<Vec<_>>()
    );
    for row in rows {
        let is_default = default.1.contains(&row[0].replace('`', "\""));
        assert_eq!(row[1] == "yes", is_default, "{}", row[0]);
    }
}

#[test]
fn links_name_existing_files() {
    let links = README.match_indices("](").map(|(at, _)| {
        let target = &README[at + 2..];
        target[..target.find(')').unwrap()].to_owned()
    });
    for path in links.filter(|path| !path.starts_with('#')) {
        assert!(
            root().join(&path).exists(),
            "README.md names {path}, which does not exist"
        );
    }
}

/// Paths in backticks are relative to the project or to the sources of the generator.
#[test]
fn architecture_page_names_existing_files() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let is_path = |text: &&str| {
        !text.contains([' ', '('])
            && (text.ends_with('/') || text.contains(".rs") || text.ends_with(".yaml"))
    };
    let paths: Vec<_> = page.split('`').skip(1).step_by(2).filter(is_path).collect();
    assert!(paths.len() > 40, "{paths:?}");
    for path in paths {
        let found = [root(), root().join("crates/codegen/src")]
            .iter()
            .any(|folder| folder.join(path).exists());
        assert!(
            found,
            "docs/architecture.md names {path}, which does not exist"
        );
    }
}

/// The directories of the crates that are meant to be published.
fn published() -> Vec<PathBuf> {
    let crates = fs::read_dir(root().join("crates")).unwrap();
    let crates = crates.map(|entry| entry.unwrap().path());
    let all = std::iter::once(root()).chain(crates);
    let is_published = |path: &PathBuf| {
        let manifest = fs::read_to_string(path.join("Cargo.toml")).unwrap();
        !manifest.contains("publish = false")
    };
    all.filter(is_published).collect()
}

#[test]
fn published_crates_are_documented_with_their_features() {
    let published = published();
    assert_eq!(published.len(), 7, "{published:?}");
    for path in published {
        let manifest = fs::read_to_string(path.join("Cargo.toml")).unwrap();
        for wanted in [
            "[package.metadata.docs.rs]\nall-features = true\n",
            "rust-version.workspace = true\n",
        ] {
            assert!(manifest.contains(wanted), "{}: {wanted}", path.display());
        }
        if let Ok(library) = fs::read_to_string(path.join("src/lib.rs")) {
            let badges = "#![cfg_attr(docsrs, feature(doc_cfg))]";
            assert!(library.contains(badges), "{}", path.display());
        }
    }
}

#[test]
fn sandbox_as_a_test_dependency_is_light() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--package", "call-api-sandbox"])
        .args(["--edges", "normal,build", "--prefix", "none", "--no-dedupe"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{tree:?}");
    let tree = String::from_utf8(tree.stdout).unwrap();
    let crates: std::collections::BTreeSet<_> = tree.lines().collect();
    assert!(crates.len() <= 55, "the sandbox and 54 more: {crates:#?}");
}
