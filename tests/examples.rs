//! Each example runs without a service, and prints what happened and what to do next.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

mod support;

use std::path::Path;
use std::process::Command;

use call_api::chrono;

/// Runs an example and returns its output. Ports, times and paths are replaced.
fn printed(name: &str, folder: &Path) -> String {
    let mut command = Command::new(support::example(name));
    command
        .env("TMPDIR", folder)
        .env_remove("CALL_API_BASE_URL")
        .env_remove("CALL_API_TOKEN");
    let output = command.output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let folder = folder.display().to_string();
    let words = text.split_inclusive(char::is_whitespace).map(|word| {
        let is_time = word.contains('.') && word.trim_end().parse::<f64>().is_ok();
        let end = word.trim_end().len();
        let is_date = |word: &str| word.parse::<chrono::DateTime<chrono::Utc>>().is_ok();
        if let Some(date) = word
            .trim_end()
            .strip_suffix(',')
            .filter(|word| is_date(word))
        {
            return format!("[..]{}", &word[date.len()..]);
        }
        match word.split_once("127.0.0.1:") {
            Some((before, after)) if !before.is_empty() => {
                let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{before}127.0.0.1:[..]{after}")
            }
            _ if is_time || word.starts_with(&folder) => format!("[..]{}", &word[end..]),
            _ => word.to_owned(),
        }
    });
    words.collect()
}

#[test]
fn examples_print_the_expected_output() {
    let folder = support::empty_folder("examples");
    for name in [
        "axum_webhook",
        "blocking",
        "download_recording",
        "sync_calls",
        "wait_for_end",
    ] {
        insta::assert_snapshot!(name, printed(name, &folder));
    }
}
