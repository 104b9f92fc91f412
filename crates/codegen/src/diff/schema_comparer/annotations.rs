//! Keywords that do not constrain values.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Key, SchemaComparer, has_own_type};
use crate::diff::change::{DirectionalImpact, Impact};
use crate::diff::label::show;
use crate::diff::pair::{Locations, change_phrase, change_verb};
use crate::openapi::{self, ResolvedSchema, Target};
use crate::pointer::Pointer;

/// An annotation with its location.
type Annotation<'a> = Option<(Pointer, &'a Value)>;

impl<'a> SchemaComparer<'_, 'a> {
    pub(super) fn annotations(
        &mut self,
        old: &ResolvedSchema<'a>,
        new: &ResolvedSchema<'a>,
        key: &Key,
    ) {
        let keywords: BTreeSet<&String> = [old, new]
            .into_iter()
            .flat_map(|resolved| &resolved.layers)
            .flat_map(|(_, object)| object.keys())
            .filter(|keyword| openapi::is_annotation(keyword))
            .collect();
        for keyword in keywords {
            let a = old.annotation(keyword);
            let b = new.annotation(keyword);
            if value(&a) == value(&b) {
                continue;
            }
            match keyword.as_str() {
                // 3.0 has `example`, 3.1 has `examples`.
                "example" | "examples"
                    if (a.is_none() || b.is_none()) && example(old) == example(new) => {}
                // The type of a property's field depends on it: see `properties`.
                "default" if key.is_property => {}
                "default" => self.default(&a, &b, key),
                "deprecated" | "readOnly" | "writeOnly" => self.flag(keyword, &a, &b),
                "title" if is_type_name(key, new) => {
                    let what = format!("the title of {} {}", self.label, change_verb(&a, &b));
                    let impact = Impact::breaking("its Rust type is named by the title");
                    self.compared
                        .add("annotation-changed", what, locations(&a, &b), impact);
                }
                keyword => {
                    let what = format!(
                        "the {} of {} {}",
                        noun(keyword),
                        self.label,
                        change_verb(&a, &b)
                    );
                    let impact = Impact::documentation("it is documentation");
                    self.compared
                        .add("annotation-changed", what, locations(&a, &b), impact);
                }
            }
        }
    }

    fn flag(&mut self, keyword: &str, a: &Annotation<'a>, b: &Annotation<'a>) {
        let is_set = |annotation: &Annotation<'_>| value(annotation) == Some(&json!(true));
        let now = is_set(b);
        if is_set(a) == now {
            return;
        }
        if keyword == "deprecated" {
            let (what, impact) = Impact::of_deprecation(&self.label, now);
            self.compared
                .add("deprecation", what, locations(a, b), impact);
            return;
        }
        let impact = match (keyword, now) {
            ("readOnly", true) => DirectionalImpact::new(
                Impact::breaking("the service no longer accepts it"),
                Impact::documentation("it is received as before"),
            ),
            (_, true) => DirectionalImpact::new(
                Impact::documentation("it is sent as before"),
                Impact::breaking("the service no longer sends it"),
            ),
            (_, false) => Impact::addition("it is now used in both directions").into(),
        };
        let verb = if now { "is now" } else { "is no longer" };
        let what = format!("{} {verb} `{keyword}`", self.label);
        self.compared
            .add("direction-changed", what, locations(a, b), impact);
    }

    fn default(&mut self, a: &Annotation<'a>, b: &Annotation<'a>, key: &Key) {
        let shown = |annotation: &Annotation<'_>| value(annotation).map(show);
        let what = format!(
            "the default of {} {}",
            self.label,
            change_phrase(shown(a), shown(b))
        );
        let impact = Impact::documentation(super::SERVICE_DEFAULT);
        let (old, new) = locations(a, b);
        let locations = (
            Some(old.unwrap_or_else(|| key.old.clone())),
            Some(new.unwrap_or_else(|| key.new.clone())),
        );
        self.compared
            .add("default-changed", what, locations, impact);
    }
}

fn value<'a>(annotation: &Annotation<'a>) -> Option<&'a Value> {
    annotation.as_ref().map(|(_, value)| *value)
}

fn locations(a: &Annotation<'_>, b: &Annotation<'_>) -> Locations {
    let location = |annotation: &Annotation<'_>| {
        let (location, _) = annotation.as_ref()?;
        Some(location.clone())
    };
    (location(a), location(b))
}

/// Returns true if the title names the Rust type: the schema is inline and has a type of its own.
fn is_type_name(key: &Key, schema: &ResolvedSchema<'_>) -> bool {
    match &schema.target {
        Target::Named(..) => false,
        Target::Inline(location, object) => {
            openapi::component(&key.new).is_none()
                && openapi::component(location).is_none()
                && has_own_type(object)
        }
    }
}

/// Returns the first example, from `example` or `examples`.
fn example<'a>(schema: &ResolvedSchema<'a>) -> Option<&'a Value> {
    let example = schema.annotation("example").map(|(_, value)| value);
    let examples = schema.annotation("examples").map(|(_, value)| value);
    example.or_else(|| examples.and_then(Value::as_array)?.first())
}

fn noun(keyword: &str) -> String {
    match keyword {
        "externalDocs" => "external documentation".to_owned(),
        "title" | "description" | "example" | "examples" => keyword.to_owned(),
        other => format!("`{other}`"),
    }
}
