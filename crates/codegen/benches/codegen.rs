//! The generator, in process: `cargo xtask codegen --check` of this project's document, documents of growing size, and,
//! where `CALL_API_CORPUS` names a folder of documents, each of those beside progenitor by itself.
//!
//! `cargo bench -p call-api-codegen --profile dev` times what the alias runs; without `--profile dev` it is the optimized build. The
//! harness is a loop and a clock: what is timed takes milliseconds and more, and one number is what's wanted.

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

/// Of what takes longer, the fastest of a few.
const FEW: usize = 5;

fn main() -> ExitCode {
    if let Err(report) = check() {
        eprintln!("error: there is drift, which is another amount of work:\n{report}");
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

/// Documents alike but for their size: what one KiB of them costs is to stay what it is, in time and in memory. The peak
/// is the process's so far, which is the largest document's: the last.
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

/// A document of what an API repeats: lists and items, enums, unions, errors, parameters.
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

/// Each document, by us (reading it and printing all files included), and by progenitor alone, where it can.
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

/// progenitor as a library, from the file's text to the printed code; `None` where it fails.
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
