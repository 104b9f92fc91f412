//! The project's own document, lowered: what progenitor is given.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

mod common;

use serde_json::Value;
use xtask::codegen::origin::Origins;
use xtask::codegen::{lower, normalise, validate};

#[test]
fn the_lowered_document() {
    let document: Value = serde_json::from_str(&common::read(common::SPEC)).unwrap();
    assert_eq!(validate::validate(&document), Ok(validate::Version::V3_1));
    let mut losses = Vec::new();
    let lowered = lower::lower(document, &mut losses, &mut Origins::default()).unwrap();
    let (normalised, applied) =
        normalise::normalise(lowered.clone(), &mut losses, &mut Origins::default()).unwrap();
    assert_eq!(losses, [], "nothing of the document is lost");
    assert_eq!(applied, [], "nothing of the document needs a repair");
    assert_eq!(normalised, lowered);
    insta::assert_json_snapshot!(lowered);
}
