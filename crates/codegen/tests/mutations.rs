//! Randomly changed documents give an SDK or an error that does not blame the generator. The fuzz target `codegen` does
//! the same without end; see `fuzz/README.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

mod common;
#[path = "../../../fuzz/mutate.rs"]
mod mutate;

use call_api_codegen::load;
use call_api_codegen::{Choices, generate_document};

/// The number of changed documents per original. `CALL_API_MUTATIONS` overrides it.
const CASES: u64 = 60;

#[test]
fn almost_valid_document_is_generated_or_rejected() {
    let cases = std::env::var("CALL_API_MUTATIONS").ok();
    let cases = cases.map_or(CASES, |cases| cases.parse().unwrap());
    let (mut generated, mut rejected) = (0, 0);
    for name in ["minimal.json", "orders.json", "library.yaml", "wire.yaml"] {
        let path = common::root()
            .join("crates/codegen/tests/documents")
            .join(name);
        let seed = load::load(&path, name.as_ref(), name).unwrap();
        for case in 0..cases {
            let mut random = fastrand::Rng::with_seed(case);
            let mut source = seed.clone();
            let edits = random.usize(1..9);
            mutate::mutate(&mut source.document, edits, &mut |below| {
                random.usize(..below)
            });
            let document = source.document.to_string();
            let choices = Choices::default();
            match generate_document(source, choices) {
                Ok(_) => generated += 1,
                Err(problems) => {
                    let text = problems.to_string();
                    assert!(
                        !text.contains("this is a bug"),
                        "{name}, case {case}: {text}\n{document}"
                    );
                    rejected += 1;
                }
            }
        }
    }
    // If either is rare, the changes are too small or too large to be useful.
    assert!(
        generated > cases && rejected > cases,
        "{generated} generated, {rejected} rejected"
    );
}
