//! A nearly valid document gives an SDK or an error that does not blame the generator.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::arbitrary::Unstructured;
use call_api_codegen::load::{self, Source};
use call_api_codegen::{Choices, generate_document, project};

#[path = "../mutate.rs"]
mod mutate;

/// Returns the smallest documents of the project that cover the rules.
fn seeds() -> &'static [Source] {
    static SEEDS: OnceLock<Vec<Source>> = OnceLock::new();
    SEEDS.get_or_init(|| {
        let folder = project::root().unwrap_or_default().join("crates/codegen/tests/documents");
        let documents = ["minimal.json", "orders.json", "library.yaml", "wire.yaml"];
        documents
            .map(|name| load::load(&folder.join(name), name.as_ref(), name).unwrap_or_else(|problem| panic!("{problem}")))
            .to_vec()
    })
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut input = Unstructured::new(bytes);
    let mut choose = |below: usize| input.int_in_range(0..=below - 1).unwrap_or_default();
    let mut source = seeds()[choose(seeds().len())].clone();
    let edits = 1 + choose(8);
    mutate::mutate(&mut source.document, edits, &mut choose);
    let document = source.document.to_string();
    let choices = Choices { strict: false };
    if let Err(problems) = generate_document(source, choices) {
        assert!(!problems.to_string().contains("bug in xtask"), "{problems}\n{document}");
    }
});
