//! The documents of `base.json` and `cases.yaml`.

#![allow(dead_code, reason = "not every test uses everything")]

use call_api_codegen::{load, project};
use serde_json::Value;

/// A JSON patch of the base document, and the changes that it makes.
pub(crate) struct Case {
    pub(crate) name: String,
    /// Class and kind of each change, ordered by class and location.
    pub(crate) expected: String,
    pub(crate) patch: json_patch::Patch,
}

fn read(name: &str) -> Value {
    let path = project::root()
        .unwrap()
        .join("crates/codegen/tests/diff")
        .join(name);
    load::load(&path, name.as_ref(), name).unwrap().document
}

pub(crate) fn base() -> Value {
    read("base.json")
}

pub(crate) fn cases() -> Vec<Case> {
    let Value::Object(cases) = read("cases.yaml") else {
        unreachable!("cases.yaml is a mapping")
    };
    cases
        .into_iter()
        .map(|(name, case)| {
            let (expected, patch) = serde_json::from_value(case).unwrap();
            Case {
                name,
                expected,
                patch,
            }
        })
        .collect()
}

/// Returns the base document after a patch.
pub(crate) fn changed(patch: &json_patch::Patch) -> Value {
    let mut document = base();
    json_patch::patch(&mut document, patch).unwrap();
    document
}
