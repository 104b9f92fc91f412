//! Fetches a document for `cargo xtask`. A program of its own: most users of `cargo xtask` never name a URL, and need not
//! compile HTTP and TLS.
//!
//! Arguments: the URL, and the maximum size in bytes. The exit code says what standard output has:
//!
//! | code | first line | the rest |
//! |---|---|---|
//! | 0 | the media type | the body |
//! | 3 | the remedy of a failure | its cause |
//!
//! With another code, such as that of cargo if it cannot compile the program, standard error has a message.

use std::io::{self, Write as _};
use std::process::ExitCode;

use call_api_fetch::{TIMEOUT, fetch};

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1);
    let arguments: Vec<_> = arguments.flat_map(|text| text.into_string()).collect();
    let [url, largest] = &arguments[..] else {
        return failed("usage: call-api-fetch URL BYTES");
    };
    let Ok(largest) = largest.parse() else {
        return failed(format_args!("error: `{largest}` is no number of bytes"));
    };
    let (code, line, rest) = match fetch(url, TIMEOUT, largest) {
        Ok(fetched) => (ExitCode::SUCCESS, fetched.media_type, fetched.body),
        Err(failure) => (
            ExitCode::from(3),
            failure.remedy.to_owned(),
            failure.cause.into_bytes(),
        ),
    };
    let mut out = io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.write_all(&rest).and_then(|()| out.flush())) {
        Ok(()) => code,
        Err(error) => failed(format_args!("error: cannot print the document: {error}")),
    }
}

fn failed(message: impl std::fmt::Display) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}
