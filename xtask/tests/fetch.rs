//! Tests of documents that `cargo xtask` fetches from a URL.

#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

#[path = "../../crates/codegen/tests/common/mod.rs"]
mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;

/// Compares the document at a URL with that of the other tests. Returns the exit code, standard output and standard error.
fn diff(root: &Path, url: &str) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["diff", url])
        .arg(common::root().join(common::FIRST))
        .current_dir(root)
        .env_remove("CARGO_MANIFEST_DIR")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Compares a response.
fn served(status: &str, body: String) -> (Option<i32>, String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all((head + &body).as_bytes()).unwrap();
    });
    let (code, report, errors) = diff(
        &common::root(),
        &format!("http://me:secret@127.0.0.1:{port}/openapi.json"),
    );
    server.join().unwrap();
    let report = report.replace(&format!(":{port}/"), ":80/");
    (code, report, errors)
}

#[test]
fn document_of_a_url_is_compared() {
    let (code, report, errors) = served("200 OK", common::read(common::FIRST));
    assert_eq!((code, &*errors), (Some(0), ""), "{report}");
    assert!(
        report.contains("http://127.0.0.1:80/openapi.json"),
        "{report}"
    );
}

#[test]
fn failure_to_fetch_has_cause_and_remedy() {
    let (code, report, errors) = served("404 Not Found", "{}".to_owned());
    assert_eq!((code, &*errors), (Some(100), ""), "{report}");
    assert_eq!(
        report,
        "error: cannot fetch the document: status 404\n  --> http://127.0.0.1:80/openapi.json\n  \
         help: check the URL; if it needs authentication, download the document and name the file\n\n1 problem; nothing was compared\n"
    );
}

/// A failure of cargo is shown, such as a compile error or a package that cannot be downloaded.
#[test]
fn messages_of_cargo_are_shown() {
    // A project without a manifest.
    let project = common::Copy::new();
    let (code, report, errors) = diff(project.path(), "http://127.0.0.1:1/openapi.json");
    assert_eq!(code, Some(100), "{report}");
    assert!(
        report.starts_with("error: cannot compile or run crates/fetch (exit"),
        "{report}"
    );
    assert!(report.contains("read the messages above"), "{report}");
    assert!(errors.contains("Cargo.toml` does not exist"), "{errors}");
}
