//! Times the generator in process: `cargo xtask codegen --check` of this project's document, documents of growing size,
//! and each document of the folder in `CALL_API_CORPUS`, also with progenitor alone.
//!
//! `cargo bench -p call-api-codegen --profile dev` uses the profile of the alias. The harness is a loop and a clock,
//! because each run takes milliseconds or more.

use std::hint::black_box;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use call_api_codegen::load::{self, Source};
use call_api_codegen::write::Mode;
use call_api_codegen::{self as codegen, Choices, Options, Outcome, corpus, project};
use progenitor::{GenerationSettings, Generator, InterfaceStyle};
use serde_json::{Map, Value, json};

const RUNS: usize = 40;

/// The number of runs of a slow case; the fastest counts.
const FEW: usize = 5;

fn main() -> ExitCode {
    if let Err(report) = check() {
        eprintln!("error: generated files are stale, which changes the amount of work:\n{report}");
        return ExitCode::FAILURE;
    }
    growth();
    if let Some(folder) = std::env::var_os("CALL_API_CORPUS")
        && let Err(error) = documents(Path::new(&folder))
    {
        eprintln!("error: {}: {error}", Path::new(&folder).display());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn check() -> Result<(), String> {
    let options = Options {
        mode: Mode::Check,
        ..Options::new(project::root().map_err(|error| error.to_string())?)
    };
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let mut report = Vec::new();
        let start = Instant::now();
        let outcome = codegen::run(&options, &mut report);
        times.push(start.elapsed());
        if !matches!(outcome, Ok(Outcome::Fresh)) {
            return Err(String::from_utf8_lossy(&report).into_owned());
        }
    }
    let first = times[0];
    times.sort();
    println!("codegen --check of spec/openapi.json, in process, {RUNS} runs:");
    println!("  first   {:>7.2} ms", ms(first));
    println!("  fastest {:>7.2} ms", ms(times[0]));
    println!("  median  {:>7.2} ms", ms(times[RUNS / 2]));
    Ok(())
}

/// Generates documents that differ only in size. Time and memory per KiB should be constant. The peak is that of the
/// process, and so of the largest document, which comes last.
fn growth() {
    println!("\ndocuments of growing size:");
    println!("  operations  schemas      KiB        ms    ms/KiB  peak, MiB");
    for size in [50, 100, 200, 400, 800, 3200] {
        let document = grown(size);
        let kib = document.to_string().len() as f64 / 1024.0;
        let runs = if size > 800 { 1 } else { FEW };
        let time = fastest(runs, || {
            black_box(generate(source("grown.json", document.clone())))
        });
        let per = ms(time) / kib;
        let peak = corpus::peak().map_or_else(String::new, |peak| (peak >> 20).to_string());
        println!(
            "  {:>10}  {:>7}  {kib:>7.0}  {:>8.1}  {per:>8.3}  {peak:>9}",
            2 * size,
            3 * size,
            ms(time)
        );
    }
}

/// Returns a document with what APIs repeat: lists and items, enums, unions, errors, parameters.
fn grown(size: usize) -> Value {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    let named = |name: String| json!({"$ref": format!("#/components/schemas/{name}")});
    let body = |schema: Value| json!({"description": "As the name says", "content": {"application/json": {"schema": schema}}});
    for index in 0..size {
        let (item, kind, problem) = (
            format!("Item{index}"),
            format!("Kind{index}"),
            format!("Problem{index}"),
        );
        schemas.insert(
            kind.clone(),
            json!({"type": "string", "enum": ["one", "two", "three"]}),
        );
        schemas.insert(
            problem.clone(),
            json!({"type": "object", "required": ["code"], "properties": {"code": {"type": "integer"}, "detail": {"type": "string"}}}),
        );
        schemas.insert(
            item.clone(),
            json!({
                "type": "object",
                "description": "One of the things that the service keeps.",
                "required": ["id", "kind"],
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "kind": named(kind),
                    "state": {"type": "string", "enum": ["new", "old"]},
                    "made": {"type": "string", "format": "date-time"},
                    "parts": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
                    "next": {"allOf": [named(format!("Item{}", (index + 1) % size))], "nullable": true},
                },
            }),
        );
        let missing = body(named(problem));
        paths.insert(
            format!("/items{index}"),
            json!({"get": {
                "operationId": format!("list_items{index}"),
                "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer"}},
                    {"name": "kinds", "in": "query", "explode": false, "schema": {"type": "array", "items": {"type": "string"}}},
                ],
                "responses": {"200": body(json!({"type": "array", "items": named(item.clone())})), "default": missing},
            }}),
        );
        paths.insert(
            format!("/items{index}/{{id}}"),
            json!({"put": {
                "operationId": format!("put_item{index}"),
                "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}}],
                "requestBody": {"required": true, "content": {"application/json": {"schema": named(item.clone())}}},
                "responses": {"200": body(named(item)), "204": {"description": "Nothing changed"}, "404": missing, "409": {"description": "Taken"}},
            }}),
        );
    }
    json!({"openapi": "3.0.3", "info": {"title": "Grown", "version": "1"}, "paths": paths, "components": {"schemas": schemas}})
}

/// Generates each document, including reading it and printing all files, and with progenitor alone if it can.
fn documents(folder: &Path) -> std::io::Result<()> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.retain(|path| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        ending.is_some_and(|ending| ["json", "yaml", "yml"].contains(&ending))
    });
    paths.sort();
    println!(
        "\n{:<26}  {:>8}  {:>8}  {:>10}  ratio",
        "document", "KiB", "ours, ms", "progenitor"
    );
    for path in paths {
        let kib = std::fs::metadata(&path)?.len() as f64 / 1024.0;
        let ours = fastest(FEW, || {
            if let Ok(source) = load::load(&path, &path, "document") {
                black_box(generate(source));
            }
        });
        let bare = bare(&path).map_or_else(String::new, |bare| {
            format!(
                "{:>10.1}  {:>5.2}",
                ms(bare),
                ours.as_secs_f64() / bare.as_secs_f64()
            )
        });
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        println!("{name:<26}  {kib:>8.0}  {:>8.1}  {bare}", ms(ours));
    }
    Ok(())
}

/// Generates code from a file with progenitor alone. Returns `None` if it fails.
fn bare(path: &Path) -> Option<Duration> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let once = || {
        let text = std::fs::read_to_string(path).ok()?;
        let document = serde_json::from_str(&text).ok()?;
        let mut settings = GenerationSettings::new();
        settings.with_interface(InterfaceStyle::Builder);
        let tokens = Generator::new(&settings).generate_tokens(&document).ok()?;
        Some(prettyplease::unparse(&syn::parse2(tokens).ok()?))
    };
    let works = panic::catch_unwind(once).ok().flatten().is_some();
    let time = works.then(|| fastest(FEW, || drop(once())));
    panic::set_hook(hook);
    time
}

fn source(label: &str, document: Value) -> Source {
    Source {
        path: label.to_owned(),
        label: label.to_owned(),
        document,
        ..Source::default()
    }
}

fn generate(source: Source) -> usize {
    let choices = Choices::default();
    let generated = codegen::generate_document(source, choices);
    generated.map_or(0, |generated| generated.count.operations)
}

fn fastest<T>(runs: usize, mut work: impl FnMut() -> T) -> Duration {
    let times = (0..runs).map(|_| {
        let start = Instant::now();
        black_box(work());
        start.elapsed()
    });
    times.min().unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
