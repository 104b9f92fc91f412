//! Fetches documents with the program of `crates/fetch`, which is compiled only when a document has a URL.

use std::io;
use std::path::Path;
use std::process::{Output, Stdio};

use call_api_codegen::diff::source::{Fetched, LARGEST};
use call_api_codegen::pointer::Pointer;
use call_api_codegen::problem::Finding;

/// Fetches the document at `url`.
pub(crate) fn fetch(url: &str, root: &Path) -> Result<Fetched, Finding> {
    let mut program = crate::program("call-api-fetch", root);
    let output = program.arg(url).arg(LARGEST.to_string());
    read(output.stderr(Stdio::inherit()).output())
}

/// Reads the output of the program. `crates/fetch/src/main.rs` has its format.
fn read(output: io::Result<Output>) -> Result<Fetched, Finding> {
    let failed = |cause: String, remedy: &str| Err(Finding::new(&Pointer::root(), cause, remedy));
    let Output { status, stdout, .. } = match output {
        Ok(output) => output,
        Err(error) => {
            return failed(
                format!("cannot run cargo: {error}"),
                "download the document and name the file",
            );
        }
    };
    let mut line = stdout;
    let end = line.iter().position(|byte| *byte == b'\n');
    let rest = end.map(|end| line.split_off(end + 1));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    match (status.code(), rest) {
        (Some(0), Some(body)) => Ok(Fetched {
            media_type: text(&line),
            body,
        }),
        (Some(3), Some(cause)) => failed(text(&cause), &text(&line)),
        _ => failed(
            format!("cannot compile or run crates/fetch ({status})"),
            "read the messages above, or download the document and name the file",
        ),
    }
}
