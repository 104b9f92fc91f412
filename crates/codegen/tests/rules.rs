//! Each rule of the normalization has cases: JSON patches of a small document that no rule changes. A golden file has the
//! changes that the rule makes to the patched document, as a diff, and what it reports as unsupported.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

mod common;

use std::fmt::Write as _;
use std::path::Path;

use call_api_codegen::model::Model;
use call_api_codegen::normalize::{RULES, normalize};
use call_api_codegen::origin::Origins;
use call_api_codegen::pins::Pins;
use call_api_codegen::{load, lower, validate};
use serde_json::{Map, Value};
use similar::TextDiff;

fn read(name: &str) -> Value {
    let path = common::root().join("crates/codegen/tests/rules").join(name);
    load::load(&path, Path::new(name), name).unwrap().document
}

/// Returns the cases of each rule.
fn cases() -> Map<String, Value> {
    match read("cases.yaml") {
        Value::Object(cases) => cases,
        other => panic!("{other}"),
    }
}

fn patched(patch: &Value) -> Value {
    let mut document = read("base.yaml");
    let patch: json_patch::Patch = serde_json::from_value(patch.clone()).unwrap();
    json_patch::patch(&mut document, &patch).unwrap();
    document
}

/// Applies a rule to a document, after all earlier rules. Returns its changes and what it reports as unsupported, or
/// `None` if there is neither.
fn applied(name: &str, mut document: Value) -> Option<String> {
    document = lower::lower(document, &mut Vec::new(), &mut Origins::default()).unwrap();
    let mut model = Model::default();
    let mut pins = Pins::default();
    for rule in RULES.iter().take_while(|rule| rule.name != name) {
        rule.apply(&mut document, &mut model, &mut pins);
    }
    if name.starts_with("pinned-") {
        pins = read("names.yaml")
            .as_object()
            .map(|names| serde_json::from_value(names[name].clone()).unwrap())
            .unwrap();
    }
    let rule = RULES.iter().find(|rule| rule.name == name).unwrap();
    let before = format!("{document:#}\n");
    let model_before = model.clone();
    let changes = rule.apply(&mut document, &mut model, &mut pins);
    let after = format!("{document:#}\n");
    let diff = TextDiff::from_lines(&before, &after);
    let mut golden = String::new();
    for hunk in diff.unified_diff().context_radius(4).iter_hunks() {
        // Line numbers would change with every line added above.
        golden.push_str("@@\n");
        for change in hunk.iter_changes() {
            write!(golden, "{}{}", change.tag(), change.value()).unwrap();
        }
    }
    if model != model_before {
        writeln!(golden, "{model:#?}").unwrap();
    }
    for unsupported in changes.unsupported {
        writeln!(
            golden,
            "unsupported at {}: {}: {}",
            unsupported.pointer, unsupported.what, unsupported.instead
        )
        .unwrap();
    }
    (!golden.is_empty()).then_some(golden)
}

#[test]
fn cases_match_their_goldens() {
    for (rule, cases) in cases() {
        let mut golden = String::new();
        for (case, patch) in cases.as_object().unwrap() {
            let Some(changed) = applied(&rule, patched(patch)) else {
                panic!("{rule}: {case}: the rule changes nothing");
            };
            writeln!(golden, "# {case}\n\n{changed}").unwrap();
        }
        insta::assert_snapshot!(rule.as_str(), golden);
    }
}

#[test]
fn every_rule_has_a_case() {
    let cases = cases();
    let rules: Vec<_> = RULES.iter().map(|rule| rule.name).collect();
    let tested: Vec<_> = cases
        .iter()
        .filter(|(_, cases)| cases.as_object().is_some_and(|cases| !cases.is_empty()))
        .map(|(rule, _)| rule.as_str())
        .collect();
    assert_eq!(tested, rules);
}

#[test]
fn no_rule_changes_the_base_document() {
    let base = read("base.yaml");
    validate::validate(&base).unwrap();
    let mut unsupported = Vec::new();
    let lowered = lower::lower(base, &mut unsupported, &mut Origins::default()).unwrap();
    let normalized = normalize(
        lowered.clone(),
        Model::default(),
        Pins::default(),
        &mut unsupported,
        &mut Origins::default(),
    )
    .unwrap();
    assert_eq!(normalized.document, lowered);
    assert_eq!((unsupported, normalized.applied), (vec![], vec![]));
    assert_eq!(normalized.model, Model::default());
}
