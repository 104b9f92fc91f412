//! The first document of the project after lowering, as progenitor receives it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

mod common;

use call_api_codegen::model::Model;
use call_api_codegen::origin::Origins;
use call_api_codegen::pins::Pins;
use call_api_codegen::{lower, normalize, validate};
use serde_json::Value;

#[test]
fn lowered_document_loses_nothing() {
    let document: Value = serde_json::from_str(&common::read(common::FIRST)).unwrap();
    assert_eq!(validate::validate(&document), Ok(validate::Version::V3_1));
    let mut unsupported = Vec::new();
    let lowered = lower::lower(document, &mut unsupported, &mut Origins::default()).unwrap();
    let normalized = normalize::normalize(
        lowered.clone(),
        Model::default(),
        Pins::default(),
        &mut unsupported,
        &mut Origins::default(),
    )
    .unwrap();
    assert_eq!(unsupported, [], "unsupported statements");
    assert_eq!(normalized.applied, [], "applied rules");
    assert_eq!(normalized.document, lowered);
    insta::assert_json_snapshot!(lowered);
}
