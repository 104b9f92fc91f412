//! The command `cargo xtask prove`, a program of its own: most users of `cargo xtask` never need the JSON Schema validator,
//! which takes longer to compile than the generator.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use call_api_codegen::project;
use call_api_prove::{Options, Outcome, run};
use clap::Parser;

/// Prove that generated types and clients keep every value.
///
/// Passes valid and invalid samples of every schema through the generated types, and requests of every operation through
/// the generated client. Prints a table, and each failure with its location and smallest sample. docs/correctness.md
/// defines equality.
///
/// The file known-failures.txt of a folder lists accepted failures.
///
/// Exit codes: 0 no failure, 7 a sample or a request is wrong, 100 an SDK cannot be generated or compiled.
#[derive(Parser)]
#[command(name = "cargo xtask prove", bin_name = "cargo xtask prove")]
struct Args {
    /// A document, or a folder of documents: its .json, .yaml and .yml files.
    #[arg(value_name = "FILE|DIR")]
    documents: PathBuf,
    /// Print JSON: a row for each document, with its failures.
    #[arg(long)]
    json: bool,
    /// Create at least this many valid samples of each schema.
    #[arg(long, value_name = "COUNT", default_value_t = 8)]
    samples: usize,
    /// Decode this many random bodies with each type, which must neither panic nor overflow the stack nor take long.
    #[arg(long, value_name = "COUNT", default_value_t = 16)]
    bodies: usize,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match prove(args) {
        Ok(outcome) => ExitCode::from(outcome as u8),
        Err(error) => {
            eprintln!("error: cannot prove the documents: {error}");
            ExitCode::from(Outcome::Failed as u8)
        }
    }
}

fn prove(args: Args) -> io::Result<Outcome> {
    let options = Options {
        json: args.json,
        samples: args.samples,
        bodies: args.bodies,
        ..Options::new(project::root()?, args.documents)
    };
    let mut report = Vec::new();
    let outcome = run(&options, &mut report)?;
    match io::stdout().lock().write_all(&report) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(outcome),
    }
}
