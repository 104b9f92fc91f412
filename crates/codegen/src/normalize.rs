//! Step 4, normalize: what the document says clearly enough, but progenitor would misread, is said as it reads it.
//!
//! Each rule is a function with its reason, and is counted where it changed something. What a rule finds out and
//! progenitor does not support (the name of a parameter on the wire, the media type of a body …) it adds to the
//! [`Model`], which `postprocess` reads.

mod absence;
mod enums;
mod inline;
mod media;
mod merge;
mod multipart;
mod operations;
pub(crate) mod parameters;
mod responses;
mod schemas;
mod unions;

use std::collections::BTreeMap;

use serde_json::Value;

use super::origin::Origins;
use super::unsupported::Unsupported;
use crate::model::Model;
use crate::pointer::Pointer;
use crate::problem::Finding;

pub use operations::name_operations;

/// One repair of the document.
pub struct Rule {
    /// What the output calls it.
    pub name: &'static str,
    /// Why it is needed, in one sentence.
    pub reason: &'static str,
    apply: fn(&mut Value, &mut Changes),
}

impl Rule {
    /// Applies the rule to a document, and adds what it finds out to `model`.
    pub fn apply(&self, document: &mut Value, model: &mut Model) -> Changes {
        let mut changes = Changes {
            model: std::mem::take(model),
            ..Changes::default()
        };
        (self.apply)(document, &mut changes);
        *model = std::mem::take(&mut changes.model);
        model.rename(&changes.renamed);
        changes
    }
}

/// What a rule did.
#[derive(Debug, Default)]
pub struct Changes {
    /// Where it changed something.
    pub places: Vec<Pointer>,
    /// What is not honored of what was said there.
    pub unsupported: Vec<Unsupported>,
    /// The facts so far, to which the rule adds its own.
    model: Model,
    /// The schemas that it gave other names.
    renamed: BTreeMap<String, String>,
    /// What stood somewhere else before, and where it stands now; the inner ones before those that they stood in.
    moves: Vec<(Pointer, Pointer)>,
}

impl Changes {
    /// The rule changed what stands there.
    fn at(&mut self, place: &Pointer) {
        self.places.push(place.clone());
    }

    /// The rule moved what stood at `old` to `new`.
    fn moved(&mut self, old: &Pointer, new: &Pointer) {
        self.model.moved(old, new);
        self.moves.push((old.clone(), new.clone()));
    }

    /// The rule changed what stands there, and something of what was said is not honored.
    fn lost(&mut self, place: &Pointer, what: impl Into<String>, instead: impl Into<String>) {
        self.unsupported
            .push(Unsupported::new(place, what, instead));
    }
}

/// Puts these values where they belong, each in the place of another: what they are is known before the first is put, so
/// that no rule needs a copy of the document to look at while it changes it.
fn replace(document: &mut Value, values: Vec<(Pointer, Value)>, changes: &mut Changes) {
    for (pointer, value) in values {
        if let Some(place) = document.pointer_mut(pointer.as_str()) {
            *place = value;
            changes.at(&pointer);
        }
    }
}

/// The rules, in the order in which they are applied.
pub const RULES: &[Rule] = &[
    Rule {
        name: "readable-paths",
        reason: "a path that begins without a slash or whose braces don't pair stops progenitor",
        apply: operations::readable_paths,
    },
    Rule {
        name: "short-operation-ids",
        reason: "FastAPI's default operationId repeats path and method, which no caller wants to type",
        apply: operations::short_ids,
    },
    Rule {
        name: "taken-operation-ids",
        reason: "a method `post` would stand before the hook of that name, a builder `Result` before Rust's own",
        apply: operations::taken_ids,
    },
    Rule {
        name: "bodiless-head",
        reason: "an answer to `HEAD` has no body, whatever the document says of it",
        apply: operations::bodiless_head,
    },
    Rule {
        name: "servers",
        reason: "a constant can't have variables",
        apply: operations::servers,
    },
    Rule {
        name: "open-objects",
        reason: "a closed object would refuse each property that the service adds, and an open one would lose it",
        apply: schemas::open_objects,
    },
    Rule {
        name: "plain-unions",
        reason: "a union with null, with itself, or of one member is none",
        apply: unions::plain_unions,
    },
    Rule {
        name: "discriminators",
        reason: "a discriminator means schemas by their names, which the rules below change, or those composed of a base",
        apply: unions::discriminators,
    },
    Rule {
        name: "parameter-references",
        reason: "progenitor finds a parameter that is referred to among the components only",
        apply: parameters::inline_references,
    },
    Rule {
        name: "transport-parameters",
        reason: "credentials, cookies and the headers of HTTP's own are the transport's to send, not a parameter's",
        apply: parameters::drop_transports,
    },
    Rule {
        name: "text-parameters",
        reason: "a parameter without a schema, or whose value is a document of its own, is a text to the client",
        apply: parameters::text_parameters,
    },
    Rule {
        name: "path-parameters",
        reason: "progenitor panics where a path and its parameters don't agree",
        apply: parameters::path_parameters,
    },
    Rule {
        name: "spread-objects",
        reason: "an object in the query goes out as one parameter for each property, and progenitor panics at it",
        apply: parameters::spread_objects,
    },
    Rule {
        name: "parameter-styles",
        reason: "progenitor knows one style for each place, and makes text of a date by `Display`",
        apply: parameters::styles,
    },
    Rule {
        name: "parameter-names",
        reason: "progenitor keeps one parameter of a name, and `Date<` and `Date>` are one name in Rust",
        apply: parameters::parameter_names,
    },
    Rule {
        name: "request-body-references",
        reason: "progenitor finds a request body that is referred to among the components only",
        apply: media::inline_references,
    },
    Rule {
        name: "request-media-types",
        reason: "progenitor sends one media type of four; which of several it is, is decided here",
        apply: media::request_types,
    },
    Rule {
        name: "multipart",
        reason: "progenitor knows no `multipart/form-data`, and reads its parts as the properties of a body",
        apply: multipart::parts,
    },
    Rule {
        name: "forms",
        reason: "progenitor panics at the `encoding` of a form, and its forms can hold no list",
        apply: media::forms,
    },
    Rule {
        name: "optional-bodies",
        reason: "progenitor's builders know no body that may be left out",
        apply: media::optional_bodies,
    },
    Rule {
        name: "exact-numbers",
        reason: "typify makes 32 bits of `float`, `uint` and `int`, and a signed integer of what may be beyond one",
        apply: schemas::exact_numbers,
    },
    Rule {
        name: "kept-formats",
        reason: "a format is a type in Rust, which refuses the values that a document gives for it and that don't parse",
        apply: schemas::kept_formats,
    },
    Rule {
        name: "open-values",
        reason: "a bound would turn each value that the service has come to allow into a decode error",
        apply: schemas::open_values,
    },
    Rule {
        name: "object-enums",
        reason: "`type: object` with an enum of strings is a common generator's way to write a string",
        apply: schemas::object_enums,
    },
    Rule {
        name: "typed-enums",
        reason: "an enum says of which type its values are, and need not say it again",
        apply: schemas::typed_enums,
    },
    Rule {
        name: "fitting-formats",
        reason: "a format that its type doesn't know makes typify panic",
        apply: schemas::fitting_formats,
    },
    Rule {
        name: "one-directional",
        reason: "`required` holds for a `readOnly` property in responses only, for a `writeOnly` one in requests only",
        apply: schemas::one_directional,
    },
    Rule {
        name: "scalar-unions",
        reason: "typify makes a struct of a union whose members are of one type, into which no value decodes",
        apply: schemas::scalar_unions,
    },
    Rule {
        name: "no-negations",
        reason: "typify can say what a value is not for a few schemas only, and panics on the others",
        apply: schemas::no_negations,
    },
    Rule {
        name: "whole-schemas",
        reason: "a list without `items`, an empty `allOf`, and a list that has properties mean something, but not to typify",
        apply: schemas::whole_schemas,
    },
    Rule {
        name: "one-media-type",
        reason: "a response is decoded as one media type; progenitor takes `+json` for a stream of bytes",
        apply: responses::one_media_type,
    },
    Rule {
        name: "named-bodies",
        reason: "bodies that mean the same are one type, and one that stands inline gets a name by its place",
        apply: responses::named_bodies,
    },
    Rule {
        name: "union-siblings",
        reason: "what stands beside the members of a union holds for each of them",
        apply: unions::siblings,
    },
    Rule {
        name: "named-schemas",
        reason: "typify gives two inline schemas of one title one name, and names others by numbers that shift",
        apply: inline::named_schemas,
    },
    Rule {
        name: "nullable-unions",
        reason: "typify gives a union that may be null, and what it is where it isn't, one name",
        apply: unions::nullable,
    },
    Rule {
        name: "merged-objects",
        reason: "typify panics on some of what `allOf` composes, and makes second types of others",
        apply: merge::merged_objects,
    },
    Rule {
        name: "distinct-properties",
        reason: "typify makes one field twice of two properties that differ in signs or case only",
        apply: schemas::distinct_properties,
    },
    Rule {
        name: "no-titles",
        reason: "typify names a type by its title where it finds no other name",
        apply: inline::no_titles,
    },
    Rule {
        name: "named-enums",
        reason: "an enum that stands inline gets a name by its place, so that it can be kept open to unknown values",
        apply: enums::named_enums,
    },
    Rule {
        name: "speakable-enums",
        reason: "values that are signs, empty, or differ in case only make no names of their own",
        apply: enums::speakable_enums,
    },
    Rule {
        name: "unsent-defaults",
        reason: "typify sends a default wherever the caller says nothing, which overwrites what the service has stored",
        apply: absence::unsent_defaults,
    },
    Rule {
        name: "absent-or-null",
        reason: "to typify, an optional property that is null and one that is left out are the same",
        apply: absence::absent_or_null,
    },
    Rule {
        name: "absent-or-empty",
        reason: "typify leaves out an optional list or map that is empty, so that nothing can be emptied",
        apply: absence::absent_or_empty,
    },
    Rule {
        name: "fitting-defaults",
        reason: "a default that is no value of its schema fails the whole of it",
        apply: schemas::fitting_defaults,
    },
    Rule {
        name: "unions",
        reason: "typify takes the first member of a union that decodes; which one is meant can be seen of the value",
        apply: unions::model,
    },
    Rule {
        name: "other-enums",
        reason: "typify has an enum for strings only",
        apply: schemas::other_enums,
    },
    Rule {
        name: "distinct-types",
        reason: "two names that differ in signs or case only are one type, and a type `Default` would hide Rust's own",
        apply: schemas::distinct_types,
    },
    // The last one: it copies schemas to where no other rule looks.
    Rule {
        name: "responses-by-status",
        reason: "progenitor panics where the bodies of an operation differ; which is meant is decided by the status",
        apply: responses::by_status,
    },
];

/// Which rule changed the document where.
pub type Applied = Vec<(&'static str, Vec<Pointer>)>;

/// A document after all rules.
#[derive(Clone, Debug)]
pub struct Normalized {
    /// The document as progenitor reads it.
    pub document: Value,
    /// The rules that changed it.
    pub applied: Applied,
    /// The facts that the document cannot express.
    pub model: Model,
}

/// Applies every rule in turn, and notes what is lost in doing so and what is moved.
///
/// # Errors
/// Two operations that would become one method.
pub fn normalize(
    mut document: Value,
    unsupported: &mut Vec<Unsupported>,
    origins: &mut Origins,
) -> Result<Normalized, Vec<Finding>> {
    let mut applied = Applied::new();
    let mut model = Model::default();
    for rule in RULES {
        let changes = rule.apply(&mut document, &mut model);
        unsupported.extend(changes.unsupported);
        for (old, new) in &changes.moves {
            origins.moved(old, new);
        }
        if !changes.places.is_empty() {
            applied.push((rule.name, changes.places));
        }
    }
    let findings = operations::method_names(&document);
    if findings.is_empty() {
        Ok(Normalized {
            document,
            applied,
            model,
        })
    } else {
        Err(findings)
    }
}
