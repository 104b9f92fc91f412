//! Samples almost valid documents: each schema is sampled and judged without a panic, and in bounded time. The
//! fuzz target `prove` does the same without end; see `fuzz/README.md`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

#[path = "../../../fuzz/mutate.rs"]
mod mutate;

use std::time::{Duration, Instant};

use call_api_codegen::load;
use call_api_codegen::pointer::Pointer;
use call_api_prove::directions::Directions;
use call_api_prove::document::Document;
use call_api_prove::judge::{Judge, registry};
use call_api_prove::sampler::Sampler;
use call_api_prove::samples;

/// The default number of mutations of each document; `CALL_API_MUTATIONS` changes it.
const CASES: u64 = 5;

#[test]
fn almost_valid_document_is_sampled_in_bounded_time() {
    let cases = std::env::var("CALL_API_MUTATIONS").ok();
    let cases = cases.map_or(CASES, |cases| cases.parse().unwrap());
    let folder = call_api_codegen::project::root().unwrap();
    let folder = folder.join("crates/codegen/tests/documents");
    let mut made = 0;
    for name in [
        "orders.json",
        "library.yaml",
        "kinds/unions.yaml",
        "kinds/nesting.yaml",
    ] {
        let seed = load::load(&folder.join(name), name.as_ref(), name).unwrap();
        for case in 0..cases {
            let mut random = fastrand::Rng::with_seed(case);
            let mut value = seed.document.clone();
            let edits = random.usize(1..9);
            mutate::mutate(&mut value, edits, &mut |below| random.usize(..below));
            let start = Instant::now();
            made += sampled(Document::new(value));
            let elapsed = start.elapsed();
            assert!(
                elapsed < Duration::from_secs(60),
                "{name}, case {case}: {elapsed:?}"
            );
        }
    }
    // Fewer would mean that the mutations leave too little to sample.
    assert!(made > 200, "{made} samples");
}

fn sampled(document: Document) -> usize {
    let references = document
        .schemas()
        .map(|(name, _)| Pointer::schema(name).to_ref());
    let references: Vec<String> = references.collect();
    let Ok(registry) = registry(&document, references.clone()) else {
        return 0;
    };
    let judge = Judge::new(&registry);
    let directions = Directions::of(&document);
    let mut sampler = Sampler::new(&document);
    let mut made = 0;
    for reference in &references {
        if let Ok(validator) = judge.validator(reference) {
            made += samples::of_schema(
                &document,
                &directions,
                reference,
                &validator,
                &mut sampler,
                8,
            )
            .len();
        }
    }
    made
}
