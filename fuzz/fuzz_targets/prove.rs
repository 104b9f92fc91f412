//! Samples of a nearly valid document are created and validated without a panic or an endless search.

#![no_main]

use std::sync::OnceLock;

use call_api_codegen::load::{self, Source};
use call_api_codegen::pointer::Pointer;
use call_api_codegen::project;
use call_api_prove::directions::Directions;
use call_api_prove::document::Document;
use call_api_prove::judge::{Judge, registry};
use call_api_prove::sampler::Sampler;
use call_api_prove::samples;
use libfuzzer_sys::arbitrary::Unstructured;

#[path = "../mutate.rs"]
mod mutate;

/// Returns documents with nested schemas, unions and compositions.
fn seeds() -> &'static [Source] {
    static SEEDS: OnceLock<Vec<Source>> = OnceLock::new();
    SEEDS.get_or_init(|| {
        let folder = project::root().unwrap_or_default().join("crates/codegen/tests/documents");
        ["orders.json", "library.yaml", "kinds/unions.yaml", "kinds/nesting.yaml"]
            .map(|name| load::load(&folder.join(name), name.as_ref(), name).unwrap_or_else(|problem| panic!("{problem}")))
            .to_vec()
    })
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut input = Unstructured::new(bytes);
    let mut choose = |below: usize| input.int_in_range(0..=below - 1).unwrap_or_default();
    let mut value = seeds()[choose(seeds().len())].document.clone();
    let edits = 1 + choose(8);
    mutate::mutate(&mut value, edits, &mut choose);
    let document = Document::new(value);
    let references: Vec<String> = document.schemas().map(|(name, _)| Pointer::schema(name).to_ref()).collect();
    let Ok(registry) = registry(&document, references.clone()) else { return };
    let judge = Judge::new(&registry);
    let directions = Directions::of(&document);
    let mut sampler = Sampler::new(&document);
    for reference in &references {
        if let Ok(validator) = judge.validator(reference) {
            samples::of_schema(&document, &directions, reference, &validator, &mut sampler, 8);
        }
    }
});
