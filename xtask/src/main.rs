//! The commands of `cargo xtask`. They parse arguments and call the library `call_api_codegen`.

mod fetch;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use call_api_codegen::write::Mode;
use call_api_codegen::{self as codegen, Options, adopt, corpus, diff, project};
use clap::{Args, Parser, Subcommand};
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Maintains the call-api SDK.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Generate the SDK from its OpenAPI document.
    ///
    /// Exit codes: 0 up to date or written, 4 `--check` found differences, 100 failure.
    Codegen(Codegen),
    /// Generate and compile an SDK for every document of a folder.
    ///
    /// Operations without an operationId are named by their method and path. Warnings in generated code are errors.
    ///
    /// Exit codes: 0 all compile, 100 one does not, or there is no document.
    Corpus(Corpus),
    /// Generate one document of a corpus.
    #[command(hide = true)]
    CorpusOne(CorpusOne),
    /// Prove that generated types and clients keep every value.
    #[command(disable_help_flag = true)]
    Prove(Prove),
    /// Compare two OpenAPI documents, and classify the changes for users of this SDK.
    ///
    /// Exit codes: 0 no change, 5 compatible changes, 6 breaking changes, 100 a document cannot be read.
    Diff(Diff),
    /// Replace the OpenAPI document of this SDK: validate it, show the changes, generate, and compile.
    ///
    /// Everything is tried in a copy of the project first. If a step fails, the project is not changed. If the process is
    /// killed while it writes to the project, the next `adopt` or `codegen` completes the adoption. Breaking changes are
    /// shown and adopted.
    ///
    /// Exit codes: 0 adopted, 4 the generated files do not match spec/openapi.json, 100 failure. Nothing was changed
    /// unless the code is 0.
    Adopt(Adopt),
}

#[derive(Args)]
struct Codegen {
    /// Write nothing, and fail if a generated file is out of date.
    #[arg(long, conflicts_with = "dry_run")]
    check: bool,
    /// Write nothing, and show what would be written.
    #[arg(long)]
    dry_run: bool,
    /// Generate from this document (JSON or YAML, OpenAPI 3.0 to 3.2) instead of spec/openapi.json.
    #[arg(long, value_name = "FILE", requires = "out")]
    spec: Option<PathBuf>,
    /// Write a standalone workspace into this folder: a facade, its crates, and a README.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Name the workspace's crates, environment variables and `User-Agent` [default: the words of the document's title].
    ///
    /// With `--name acme`, the crates are `acme`, `acme-client`, `acme-types`, `acme-transport` and `acme-mock`, and the
    /// variables `ACME_TOKEN` and `ACME_BASE_URL`. A folder keeps its name.
    #[arg(long, value_name = "NAME", requires = "out")]
    name: Option<String>,
    /// Do not show the differences of stale files.
    #[arg(long)]
    no_diff: bool,
    /// Fail if the generator cannot handle a schema or an operation, instead of leaving it out and reporting it, and if an
    /// operation has no unique operationId, instead of naming it by its method and path.
    #[arg(long)]
    strict: bool,
    /// List every location that a rule changed, and every unsupported feature.
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Args)]
struct Corpus {
    /// The folder with the documents: .json, .yaml and .yml files.
    dir: PathBuf,
}

#[derive(Args)]
struct CorpusOne {
    document: PathBuf,
    out: PathBuf,
    name: String,
}

#[derive(Args)]
struct Prove {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

#[derive(Args)]
struct Diff {
    /// The old document: a file (JSON or YAML, OpenAPI 3.0 to 3.2) or an HTTP(S) URL.
    old: String,
    /// The new document: a file or a URL such as http://localhost:8000/openapi.json.
    new: String,
    /// Print JSON. `call_api_codegen::diff` documents the format.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Adopt {
    /// The new document: a file (JSON or YAML, OpenAPI 3.0 to 3.2) or an HTTP(S) URL.
    new: String,
    /// Use the new names of what the document renames, instead of keeping the public names with pins in codegen.toml.
    #[arg(long)]
    no_pins: bool,
    /// Keep a public name: `OLD=NEW`, such as `Call=CallResponse` or `Call.end_reason=ended_reason`. Repeatable.
    #[arg(long = "pin", value_name = "OLD=NEW")]
    pins: Vec<String>,
}

fn main() -> ExitCode {
    let task = Cli::parse().task;
    let root = match project::root() {
        Ok(root) => root,
        Err(error) => {
            eprintln!("error: cannot find the project: {error}");
            return ExitCode::from(codegen::Outcome::Failed as u8);
        }
    };
    match task {
        Task::Codegen(args) => run_codegen(args, root),
        Task::Corpus(args) => {
            let mut report = Vec::new();
            let outcome = corpus::Options::new(root, args.dir)
                .and_then(|options| corpus::run(&options, &mut report));
            print(&report, outcome.map(|outcome| outcome as u8))
        }
        Task::CorpusOne(args) => match corpus::one(&root, &args.document, &args.out, &args.name) {
            Ok(generated) => {
                let report = serde_json::to_vec(&generated).map_err(io::Error::from);
                print(&report.unwrap_or_default(), Ok(0))
            }
            Err(problems) => print(
                problems.to_string().as_bytes(),
                Ok(codegen::Outcome::Failed as u8),
            ),
        },
        Task::Prove(args) => prove(&args, &root),
        Task::Diff(args) => {
            let fetch = |url: &str| fetch::fetch(url, &root);
            let options = diff::Options {
                json: args.json,
                ..diff::Options::new(args.old, args.new, &fetch)
            };
            let mut report = Vec::new();
            let outcome = diff::run(&options, &mut report).map(|outcome| outcome as u8);
            print(&report, outcome)
        }
        Task::Adopt(args) => {
            let options = adopt::Options {
                target: adopt::target(&root),
                root: root.clone(),
                new: args.new,
                keep_names: !args.no_pins,
                pins: args.pins,
                fetch: &|url| fetch::fetch(url, &root),
                compile: &adopt::verify,
            };
            // Not buffered, since compiling takes long.
            let outcome = adopt::run(&options, &mut io::stdout().lock());
            print(&[], outcome.map(|outcome| outcome as u8))
        }
    }
}

/// Runs the program of `crates/prove`, which is compiled only for this command.
fn prove(args: &Prove, root: &Path) -> ExitCode {
    let status = program("call-api-prove", root)
        .args(&args.arguments)
        .status();
    match status {
        // A program that a signal ended has no code.
        Ok(status) => ExitCode::from(
            status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(codegen::Outcome::Failed as u8),
        ),
        Err(error) => {
            eprintln!("error: cannot run cargo: {error}");
            ExitCode::from(codegen::Outcome::Failed as u8)
        }
    }
}

/// Returns the command that compiles and runs the program of a package.
fn program(package: &str, root: &Path) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["run", "--quiet", "--package", package, "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .arg("--");
    command
}

fn run_codegen(args: Codegen, root: PathBuf) -> ExitCode {
    let mode = match (args.check, args.dry_run) {
        (true, _) => Mode::Check,
        (_, true) => Mode::DryRun,
        _ => Mode::Write,
    };
    let options = Options {
        spec: args.spec,
        out: args.out,
        name: args.name,
        mode,
        diff: !args.no_diff,
        verbose: args.verbose,
        choices: codegen::Choices {
            strict: args.strict,
            ..codegen::Choices::default()
        },
        ..Options::new(root)
    };
    // Printed at the end, so a pipe that closes early cannot stop the run between two files.
    let mut report = Vec::new();
    let outcome = codegen::run(&options, &mut report).map(|outcome| outcome as u8);
    print(&report, outcome)
}

/// Prints a report, and returns the exit code.
fn print(report: &[u8], outcome: io::Result<u8>) -> ExitCode {
    let printed = io::stdout().lock().write_all(report);
    match (outcome, printed) {
        (Ok(outcome), Ok(())) => ExitCode::from(outcome),
        (Ok(outcome), Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::from(outcome)
        }
        (Err(error), _) | (_, Err(error)) => {
            eprintln!("error: cannot print the report: {error}");
            ExitCode::from(codegen::Outcome::Failed as u8)
        }
    }
}
