//! The page `docs/faults.md`.

use super::*;

/// The start of the part that the root's test writes.
const BODIES: &str = "\n## Response bodies\n";

pub(super) const PREFACE: &str = "\
# Handling of faults
<!-- Written by crates/call-api-transport/tests/faults.rs and, from \"Response bodies\" on, by tests/faults.rs, which check
every figure; the last table by tests/nginx.rs. -->

Each row is a test over a socket, with the default settings of the transport (3 attempts, more if a service that worked
before restarts; 15 s per attempt; 45 s per request; bodies up to 1 MiB) and a test clock. Jitter is at its maximum here;
normally a delay is a random part of the value shown. A `Retry-After` is always honored in full.

A number as the result is the status of a response; a name is a `TransportErrorKind`. The last tables show how the client
decodes response bodies.
";

const TABLE_OF_OUTCOMES: &str = "
## Retries
A request is safe to repeat if its method is idempotent (GET, HEAD, OPTIONS, TRACE, PUT, DELETE) or it has an
`Idempotency-Key`.

| outcome of an attempt | retried | reason |
|---|---|---|
";

pub(super) const HEADER: &str = "
| fault | result | attempts | waits (ms) | elapsed (ms) | body bytes | connections | reason for no further attempt |
|---|---|---|---|---|---|---|---|
";

pub(super) fn print_row(page: &mut String, row: &Row) {
    let waits: Vec<_> = row.waits.iter().map(u64::to_string).collect();
    let waits = if waits.is_empty() {
        "none".to_owned()
    } else {
        waits.join(", ")
    };
    let attempts = if row.attempts.is_empty() {
        "none"
    } else {
        row.attempts
    };
    let _ = writeln!(
        page,
        "| {} | `{}` | {attempts} | {waits} | {} | {} | {} | {} |",
        row.fault, row.result, row.took, row.bytes, row.connections, row.stop
    );
}

pub(super) fn print_outcomes(page: &mut String) {
    page.push_str(TABLE_OF_OUTCOMES);
    for outcome in Outcome::ALL {
        let retryability = match (outcome.was_not_sent(), outcome.is_retried()) {
            (true, _) => "yes",
            (false, true) => "if safe to repeat",
            (false, false) => "no",
        };
        let _ = writeln!(
            page,
            "| {outcome} | {retryability} | {} |",
            outcome.reason()
        );
    }
}

/// Compares `docs/faults.md` with the tables, or updates it.
pub(super) fn compare_or_update(page: &str) {
    // The packaged crate does not contain the page.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    let path = std::path::Path::new(&package).join("../../docs/faults.md");
    if !path.with_file_name("").exists() {
        return;
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let end = written.find(BODIES).unwrap_or(written.len());
    let (ours, rest) = written.split_at(end);
    if std::env::var_os("UPDATE_FAULTS").is_some() {
        std::fs::write(path, format!("{page}{rest}")).unwrap();
        return;
    }
    assert!(
        ours == page,
        "docs/faults.md is stale; run UPDATE_FAULTS=1 cargo test --workspace --test faults"
    );
}
