//! Security requirements and schemes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::operations::Matched;
use super::{DocumentComparer, Usage};
use crate::diff::change::Impact;
use crate::diff::pair::{Pair, entries};
use crate::diff::spec::Spec;
use crate::openapi::Schema as _;
use crate::pointer::Pointer;
use crate::security::{self, Security};
use crate::walk;

/// Alternatives in order, each with the schemes that it combines.
type Requirements = Vec<BTreeSet<String>>;

impl<'a> DocumentComparer<'_, 'a> {
    pub(super) fn security(&mut self, operation: Matched<'_, 'a>) {
        let renamed = self.renamed_schemes();
        let (old, a) = requirements(&self.specs.old, operation.old, &renamed);
        let (new, b) = requirements(&self.specs.new, operation.new, &BTreeMap::new());
        let sent = (
            self.old_security.operation(operation.old.object),
            self.new_security.operation(operation.new.object),
        );
        // The credential of the first scheme is the token. Those of the others are set by name.
        let is_named = |security: &Security| matches!(security, Security::Scheme(..));
        let uses_token = |security: &Security| !security.each().iter().all(is_named);
        // A changed scheme is reported once, with the schemes.
        if a == b && uses_token(&sent.0) == uses_token(&sent.1) {
            return;
        }
        let is_same_set =
            a.iter().all(|one| b.contains(one)) && b.iter().all(|one| a.contains(one));
        if is_same_set && sent.0 == sent.1 {
            return;
        }
        let what = if a == b {
            "the first security scheme of the document changed".to_owned()
        } else if is_same_set {
            "the order of the security requirements changed".to_owned()
        } else {
            let (a, b) = (phrase(&a), phrase(&b));
            format!("the security requirement changed from {a} to {b}")
        };
        let is_still_accepted =
            b.iter().any(BTreeSet::is_empty) || a.iter().all(|one| b.contains(one));
        let impact = if !is_still_accepted {
            Impact::breaking("the service may refuse the old credential")
        } else if sent.0.each().iter().all(|one| sent.1.each().contains(one))
            || sent.1 == Security::None
        {
            Impact::addition("the service accepts what the SDK sends")
        } else {
            Impact::breaking("the SDK sends another credential")
        };
        let usage = Usage::request(operation.index);
        let locations = (Some(old), Some(new));
        self.record("security-changed", what, locations, usage, impact);
    }

    /// Returns the security schemes that were renamed without another change.
    fn renamed_schemes(&self) -> BTreeMap<String, String> {
        let (old, new) = (schemes(&self.specs.old), schemes(&self.specs.new));
        let mut renamed = BTreeMap::new();
        for (name, scheme) in &old {
            let is_same = |(other, candidate): &(&&String, &&Value)| {
                !old.contains_key(**other) && describe(candidate) == describe(scheme)
            };
            if !new.contains_key(name)
                && let Some((other, _)) = new.iter().find(is_same)
            {
                renamed.insert((*name).clone(), (*other).clone());
            }
        }
        renamed
    }

    pub(super) fn security_schemes(&mut self) {
        let location = Pointer::root().join("components").join("securitySchemes");
        let (old, new) = (schemes(&self.specs.old), schemes(&self.specs.new));
        let renamed = self.renamed_schemes();
        for (name, scheme) in &old {
            let new_name = renamed.get(*name).unwrap_or(name);
            let Some(other) = new.get(new_name) else {
                self.record(
                    "scheme-removed",
                    format!("the security scheme `{name}` was removed"),
                    (Some(location.join(name)), None),
                    None,
                    Impact::documentation("operations that used it have changes of their own"),
                );
                continue;
            };
            let pair = Pair {
                old: (location.join(name), scheme),
                new: (location.join(new_name), other),
            };
            let label = format!("the security scheme `{new_name}`");
            if new_name != *name {
                self.record(
                    "scheme-renamed",
                    format!("the security scheme `{name}` was renamed to `{new_name}`"),
                    pair.locations(),
                    None,
                    self.scheme_rename_impact(),
                );
            }
            self.security_scheme(&pair, name, new_name, &label);
        }
        for name in new.keys() {
            if !old.contains_key(name) && !renamed.values().any(|renamed| renamed == *name) {
                self.record(
                    "scheme-added",
                    format!("the security scheme `{name}` was added"),
                    (None, Some(location.join(name))),
                    None,
                    Impact::addition("operations that use it have changes of their own"),
                );
            }
        }
    }

    fn scheme_rename_impact(&self) -> Impact {
        if self.new_security.names().len() > 1 {
            Impact::breaking("the credentials of several schemes are set by their names")
        } else {
            Impact::documentation("the credential is the same")
        }
    }

    fn security_scheme(&mut self, pair: &Pair<'a>, name: &str, new_name: &str, label: &str) {
        let (a, b) = (describe(pair.old.1), describe(pair.new.1));
        let sent = (
            security::scheme(self.specs.old.document, name),
            security::scheme(self.specs.new.document, new_name),
        );
        if a != b || sent.0 != sent.1 {
            let impact = if sent.0 == sent.1 {
                Impact::documentation("the SDK sends the credential in the same way")
            } else {
                Impact::breaking("the SDK sends the credential in another way")
            };
            self.record(
                "scheme-changed",
                format!("{label} changed from {a} to {b}"),
                pair.locations(),
                None,
                impact,
            );
        }
        self.texts(pair, label, None);
    }
}

fn schemes<'a>(spec: &Spec<'a>) -> BTreeMap<&'a String, &'a Value> {
    let components = spec.document.get("components");
    components
        .into_iter()
        .flat_map(|components| entries(components, "securitySchemes"))
        .collect()
}

/// Returns the security requirements of an operation, with the new names of renamed schemes.
fn requirements(
    spec: &Spec<'_>,
    operation: &walk::Operation<'_>,
    renamed: &BTreeMap<String, String>,
) -> (Pointer, Requirements) {
    let owner = match operation.object.get("security") {
        Some(_) => operation.pointer.clone(),
        None => Pointer::root(),
    };
    let mut requirements: Requirements = security::requirements(spec.document, operation.object)
        .map(|requirement| {
            let schemes = requirement.iter().map(|(name, scopes)| {
                let name = renamed.get(name).unwrap_or(name);
                let scopes = scopes.as_array().into_iter().flatten();
                let mut scopes: Vec<&str> = scopes.filter_map(Value::as_str).collect();
                scopes.sort_unstable();
                if scopes.is_empty() {
                    format!("`{name}`")
                } else {
                    format!("`{name}` ({})", scopes.join(", "))
                }
            });
            schemes.collect()
        })
        .collect();
    if requirements.is_empty() {
        requirements.push(BTreeSet::new());
    }
    (owner.join("security"), requirements)
}

fn phrase(requirements: &Requirements) -> String {
    let alternatives = requirements.iter().map(|schemes| {
        if schemes.is_empty() {
            "none".to_owned()
        } else {
            schemes.iter().cloned().collect::<Vec<_>>().join(" and ")
        }
    });
    alternatives.collect::<Vec<_>>().join(" or ")
}

/// Describes a security scheme by what is sent.
fn describe(scheme: &Value) -> String {
    let part = |key: &str| scheme.text(key).unwrap_or_default();
    match part("type") {
        "http" => format!("HTTP {}", part("scheme").to_lowercase()),
        "apiKey" => format!("a key in the {} `{}`", part("in"), part("name")),
        other => format!("`{other}`"),
    }
}
