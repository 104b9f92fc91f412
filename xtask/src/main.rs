//! The commands of `cargo xtask`. The library `call_api_codegen` does the work.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use call_api_codegen::write::Mode;
use call_api_codegen::{self as codegen, Options, adopt, corpus, diff, project};
use call_api_prove as prove;
use clap::{Args, Parser, Subcommand};

/// The maintainer's tasks of the call-api SDK.
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
    /// Exit codes: 0 all is fresh or was written, 4 `--check` found differences, 100 it failed.
    Codegen(Codegen),
    /// Generate and compile every document of a folder, and show what became of each.
    ///
    /// Operations without an id are named by their method and path. Warnings in what is generated are errors.
    ///
    /// Exit codes: 0 all compile, 100 one doesn't, or there is none.
    Corpus(Corpus),
    /// Generate one document of a corpus, in a process of its own.
    #[command(hide = true)]
    CorpusOne(CorpusOne),
    /// Prove that generated types and clients keep every value.
    ///
    /// Makes samples of every schema of a document, valid and invalid ones, and sends them through the generated types;
    /// sends requests of every operation through the generated client, and reads them back from the wire. Prints a table,
    /// and each failure with its place and its smallest sample. docs/correctness.md says what counts as the same.
    ///
    /// A folder's known-failures.txt lists failures that are known: only more than those fail.
    ///
    /// Exit codes: 0 all is right, 7 a sample or a request is wrong, 100 an SDK is not generated or doesn't compile.
    Prove(Prove),
    /// Say what changed between two OpenAPI documents, and what it breaks for users of this SDK.
    ///
    /// Exit codes: 0 nothing changed, 5 changes that break nothing, 6 breaking changes, 100 a document can't be read.
    Diff(Diff),
    /// Make a new OpenAPI document this SDK's: validate it, show what changes, generate, and compile.
    ///
    /// All is tried in a copy of the project; where anything fails, the project is left as it was. Breaking changes are
    /// shown and adopted: git has the old state.
    ///
    /// Exit codes: 0 adopted, 4 the generated files had drifted from spec/openapi.json before, 100 it failed; but for 0,
    /// nothing was changed.
    Adopt(Adopt),
}

#[derive(Args)]
struct Codegen {
    /// Write nothing; fail if any generated file isn't what the document says.
    #[arg(long, conflicts_with = "dry_run")]
    check: bool,
    /// Write nothing; show what would be written.
    #[arg(long)]
    dry_run: bool,
    /// Generate from this document (JSON or YAML, OpenAPI 3.0 to 3.2) instead of spec/openapi.json.
    #[arg(long, value_name = "FILE", requires = "out")]
    spec: Option<PathBuf>,
    /// Write the crates into this folder, as a workspace that compiles there by itself.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Don't show how stale files differ.
    #[arg(long)]
    no_diff: bool,
    /// Fail where a schema or an operation defeats the generator, instead of leaving it out and reporting it, and where
    /// an operation has no operationId of its own, instead of naming it by its method and path.
    #[arg(long)]
    strict: bool,
    /// List every place that a rule changed, and everything that the SDK doesn't honor.
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Args)]
struct Corpus {
    /// The folder: its .json, .yaml and .yml files.
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
    /// A document, or a folder of documents: its .json, .yaml and .yml files.
    #[arg(value_name = "FILE|DIR")]
    documents: PathBuf,
    /// Answer in JSON: a row for each document, with its failures.
    #[arg(long)]
    json: bool,
    /// Make at least this many valid samples of each schema.
    #[arg(long, value_name = "COUNT", default_value_t = 8)]
    samples: usize,
}

#[derive(Args)]
struct Diff {
    /// The document as it was: a file (JSON or YAML, OpenAPI 3.0 to 3.2) or an http(s) address.
    old: String,
    /// The document as it is: a file or an address such as http://localhost:8000/openapi.json.
    new: String,
    /// Answer in JSON; `call_api_codegen::diff` documents its shape.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Adopt {
    /// The document: a file (JSON or YAML, OpenAPI 3.0 to 3.2) or an http(s) address.
    new: String,
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
        Task::Prove(args) => {
            let options = prove::Options {
                json: args.json,
                samples: args.samples,
                ..prove::Options::new(root, args.documents)
            };
            let mut report = Vec::new();
            let outcome = prove::run(&options, &mut report).map(|outcome| outcome as u8);
            print(&report, outcome)
        }
        Task::Diff(args) => {
            let options = diff::Options {
                json: args.json,
                ..diff::Options::new(args.old, args.new)
            };
            let mut report = Vec::new();
            let outcome = diff::run(&options, &mut report).map(|outcome| outcome as u8);
            print(&report, outcome)
        }
        Task::Adopt(args) => {
            let options = adopt::Options {
                target: adopt::target(&root),
                root,
                new: args.new,
                version: diff::VERSION.to_owned(),
                compile: &adopt::cargo_check,
            };
            // At once, since compiling takes its time.
            let outcome = adopt::run(&options, &mut io::stdout().lock());
            print(&[], outcome.map(|outcome| outcome as u8))
        }
    }
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
        mode,
        diff: !args.no_diff,
        verbose: args.verbose,
        choices: codegen::Choices {
            strict: args.strict,
        },
        ..Options::new(root)
    };
    // One write at the end, so that a pipe that closes early can't leave half a report and half a generation.
    let mut report = Vec::new();
    let outcome = codegen::run(&options, &mut report).map(|outcome| outcome as u8);
    print(&report, outcome)
}

/// Prints a report and ends with its outcome.
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
