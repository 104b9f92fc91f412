//! The sandbox program: `cargo run -p call-api-sandbox --features program`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use call_api_sandbox::program::{Arguments, ENVIRONMENT};
use clap::Parser;

/// A local server for the call API, with the example call of the API reference and any calls you add
#[derive(Parser)]
#[command(version, after_help = ENVIRONMENT)]
struct Program {
    #[command(flatten)]
    arguments: Arguments,
}

fn main() -> ExitCode {
    let warn = |warning: &str| {
        let _ = writeln!(io::stderr(), "{warning}");
    };
    match Program::parse().arguments.run(&warn) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "call-api-sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}
