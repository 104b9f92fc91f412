//! The sandbox against the workspace's document.

#![allow(clippy::unwrap_used, reason = "a test may")]

use call_api_sandbox::Sandbox;
use serde_json::Value;

#[test]
fn the_example_is_the_one_in_the_document() {
    let document: Value = serde_json::from_str(include_str!("../../../spec/openapi.json")).unwrap();
    let example = document
        .pointer("/paths/~1v1~1call~1{id}/get/responses/200/content/application~1json/example");
    let served: Value = serde_json::from_str(Sandbox::EXAMPLE_JSON).unwrap();
    assert_eq!(Some(&served), example);
}
