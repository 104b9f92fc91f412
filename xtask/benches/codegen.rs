//! `cargo xtask codegen --check`, in process: from reading the document to the last line of the report.
//!
//! `cargo bench -p xtask --profile dev` times what the alias runs; without `--profile dev` it is the optimised build. The
//! harness is a loop and a clock: what is timed takes milliseconds, and one number is what's wanted.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use xtask::codegen::write::Mode;
use xtask::codegen::{self, Options, Outcome};

const RUNS: usize = 40;

fn main() -> ExitCode {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let options = Options {
        mode: Mode::Check,
        ..Options::new(package.parent().unwrap_or(package))
    };
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let mut report = Vec::new();
        let start = Instant::now();
        let outcome = codegen::run(&options, &mut report);
        times.push(start.elapsed());
        if !matches!(outcome, Ok(Outcome::Fresh)) {
            eprintln!("error: there is drift, which is another amount of work:");
            eprintln!("{}", String::from_utf8_lossy(&report));
            return ExitCode::FAILURE;
        }
    }
    let first = times[0];
    times.sort();
    println!("codegen --check of spec/openapi.json, in process, {RUNS} runs:");
    println!("  first   {:>7.2} ms", ms(first));
    println!("  fastest {:>7.2} ms", ms(times[0]));
    println!("  median  {:>7.2} ms", ms(times[RUNS / 2]));
    ExitCode::SUCCESS
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
