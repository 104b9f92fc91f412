//! Normalize: named rules rewrite what progenitor would misread into an equivalent that it reads correctly.
//!
//! Each rule is a function with a reason. A rule adds facts that progenitor does not support, such as the wire name of
//! a parameter or the media type of a body, to the [`Model`], which `postprocess` reads.

mod absence;
mod directions;
mod enums;
mod inline;
mod media;
mod merge;
mod multipart;
mod operations;
mod parameters;
mod pins;
mod responses;
mod schemas;
pub(crate) mod types;
mod unions;

use std::collections::BTreeMap;

use serde_json::Value;

use super::origin::Origins;
use super::unsupported::Unsupported;
use crate::model::Model;
use crate::pins::Pins;
use crate::pointer::{Lookup as _, Pointer};
use crate::problem::Finding;

pub(crate) use enums::is_string_enum;
pub(crate) use schemas::has_form;

pub use operations::name_operations;

/// A rule that rewrites the document.
pub struct Rule {
    /// The name in the output.
    pub name: &'static str,
    /// The reason, in one clause.
    pub reason: &'static str,
    apply: fn(&mut Value, &mut Changes),
}

impl Rule {
    /// Applies the rule to a document, adds its facts to `model`, and takes the pins that it applies.
    pub fn apply(&self, document: &mut Value, model: &mut Model, pins: &mut Pins) -> Changes {
        let mut changes = Changes {
            model: std::mem::take(model),
            pins: std::mem::take(pins),
            ..Changes::default()
        };
        (self.apply)(document, &mut changes);
        *model = std::mem::take(&mut changes.model);
        *pins = std::mem::take(&mut changes.pins);
        model.rename(&changes.renamed);
        changes
    }
}

/// The changes of a rule.
#[derive(Debug, Default)]
pub struct Changes {
    /// The locations that it changed.
    pub places: Vec<Pointer>,
    /// The features at those locations that are not supported.
    pub unsupported: Vec<Unsupported>,
    /// The facts of this rule and of those before it.
    model: Model,
    /// The pins that no rule has applied yet.
    pins: Pins,
    /// The new names of schemas, by their old names.
    renamed: BTreeMap<String, String>,
    /// The old and the new locations of moved objects, inner ones first.
    moves: Vec<(Pointer, Pointer)>,
}

impl Changes {
    /// Records a change at `place`.
    fn at(&mut self, place: &Pointer) {
        self.places.push(place.clone());
    }

    /// Records a move from `old` to `new`.
    fn moved(&mut self, old: &Pointer, new: &Pointer) {
        self.model.moved(old, new);
        self.moves.push((old.clone(), new.clone()));
    }

    /// Records that something at `place` is not supported.
    fn lost(&mut self, place: &Pointer, what: impl Into<String>, instead: impl Into<String>) {
        self.unsupported
            .push(Unsupported::new(place, what, instead));
    }
}

/// Replaces the values at these locations. The values are computed before the first is replaced, so a rule needs no
/// copy of the document.
fn replace(document: &mut Value, values: Vec<(Pointer, Value)>, changes: &mut Changes) {
    for (pointer, value) in values {
        if let Some(place) = document.at_mut(pointer.as_str()) {
            *place = value;
            changes.at(&pointer);
        }
    }
}

/// The rules, in the order in which they apply.
pub const RULES: &[Rule] = &[
    Rule {
        name: "pinned-schemas",
        reason: "`[names]` in codegen.toml keeps the public name of a schema that the document renamed",
        apply: pins::schemas,
    },
    Rule {
        name: "readable-paths",
        reason: "progenitor fails on a path without a leading slash or with unbalanced braces",
        apply: operations::readable_paths,
    },
    Rule {
        name: "short-operation-ids",
        reason: "FastAPI's default operationId repeats path and method",
        apply: operations::short_ids,
    },
    Rule {
        name: "taken-operation-ids",
        reason: "a method or builder would shadow a name that the generated code uses, such as `Result`",
        apply: operations::taken_ids,
    },
    Rule {
        name: "pinned-operations",
        reason: "`[names]` in codegen.toml keeps the public name of an operation",
        apply: pins::operations,
    },
    Rule {
        name: "bodiless-head",
        reason: "a response to `HEAD` has no body",
        apply: operations::bodiless_head,
    },
    Rule {
        name: "servers",
        reason: "a constant cannot have variables",
        apply: operations::servers,
    },
    Rule {
        name: "open-objects",
        reason: "a closed object would reject new properties, and an open one would drop them",
        apply: schemas::open_objects,
    },
    Rule {
        name: "union-bases",
        reason: "a member that is composed of its union would contain itself",
        apply: unions::union_bases,
    },
    Rule {
        name: "plain-unions",
        reason: "a union with null, with itself, or of one member is not a union",
        apply: unions::plain_unions,
    },
    Rule {
        name: "discriminators",
        reason: "a discriminator refers to schemas by names, which later rules change",
        apply: unions::discriminators,
    },
    Rule {
        name: "parameter-references",
        reason: "progenitor only resolves references to parameters among the components",
        apply: parameters::inline_references,
    },
    Rule {
        name: "transport-parameters",
        reason: "the transport sends credentials, cookies and the headers of HTTP itself",
        apply: parameters::drop_transports,
    },
    Rule {
        name: "text-parameters",
        reason: "a parameter without a schema or with `content` is a string",
        apply: parameters::text_parameters,
    },
    Rule {
        name: "idempotency-keys",
        reason: "the client makes a key where none is set",
        apply: parameters::idempotency_keys,
    },
    Rule {
        name: "path-parameters",
        reason: "progenitor panics if a path and its parameters do not match",
        apply: parameters::path_parameters,
    },
    Rule {
        name: "spread-objects",
        reason: "progenitor panics at an object in the query, which is sent as one parameter per property",
        apply: parameters::spread_objects,
    },
    Rule {
        name: "parameter-styles",
        reason: "progenitor supports one style per location, and formats dates with `Display`",
        apply: parameters::styles,
    },
    Rule {
        name: "parameter-names",
        reason: "progenitor keeps one parameter per Rust name, and `Date<` and `Date>` have the same one",
        apply: parameters::parameter_names,
    },
    Rule {
        name: "pinned-parameters",
        reason: "`[names]` in codegen.toml keeps the public name of a parameter",
        apply: parameters::pinned_names,
    },
    Rule {
        name: "request-body-references",
        reason: "progenitor only resolves references to request bodies among the components",
        apply: media::inline_references,
    },
    Rule {
        name: "request-media-types",
        reason: "progenitor supports one of four media types per body",
        apply: media::request_types,
    },
    Rule {
        name: "multipart",
        reason: "progenitor does not support `multipart/form-data`",
        apply: multipart::parts,
    },
    Rule {
        name: "forms",
        reason: "progenitor panics at the `encoding` of a form, and does not support lists in forms",
        apply: media::forms,
    },
    Rule {
        name: "optional-bodies",
        reason: "progenitor does not support optional bodies",
        apply: media::optional_bodies,
    },
    Rule {
        name: "exact-numbers",
        reason: "typify uses 32 bits for `float`, `uint` and `int`, and a signed integer whatever the maximum",
        apply: schemas::exact_numbers,
    },
    Rule {
        name: "kept-formats",
        reason: "a format becomes a Rust type, which rejects values of the document that do not parse",
        apply: schemas::kept_formats,
    },
    Rule {
        name: "open-values",
        reason: "a bound would turn a value that the service now allows into a decode error",
        apply: schemas::open_values,
    },
    Rule {
        name: "object-enums",
        reason: "a common generator writes an enum of strings with `type: object`",
        apply: enums::object_enums,
    },
    Rule {
        name: "typed-enums",
        reason: "an enum may omit the type of its values",
        apply: enums::typed_enums,
    },
    Rule {
        name: "fitting-formats",
        reason: "typify panics at a format that does not apply to the type",
        apply: schemas::fitting_formats,
    },
    Rule {
        name: "one-directional",
        reason: "`required` applies to a `readOnly` property only in responses, to a `writeOnly` one only in requests",
        apply: directions::one_directional,
    },
    Rule {
        name: "scalar-unions",
        reason: "typify generates a struct for a union of scalars of one type, into which no value decodes",
        apply: schemas::scalar_unions,
    },
    Rule {
        name: "no-negations",
        reason: "typify only supports `not` in some schemas, and panics at others",
        apply: schemas::no_negations,
    },
    Rule {
        name: "whole-schemas",
        reason: "typify does not support lists without `items`, empty combinators, and lists with properties",
        apply: schemas::whole_schemas,
    },
    Rule {
        name: "one-media-type",
        reason: "progenitor reads one media type per response, and `+json` as a stream of bytes",
        apply: responses::one_media_type,
    },
    Rule {
        name: "named-bodies",
        reason: "equal bodies are one type, and inline ones are named by location",
        apply: responses::named_bodies,
    },
    Rule {
        name: "union-siblings",
        reason: "keywords next to the members of a union apply to each member",
        apply: unions::siblings,
    },
    Rule {
        name: "named-schemas",
        reason: "typify reuses names of inline schemas with the same title, and numbers others",
        apply: inline::named_schemas,
    },
    Rule {
        name: "nullable-unions",
        reason: "typify gives a nullable union or composition and its non-null type the same name",
        apply: unions::nullable,
    },
    Rule {
        name: "merged-objects",
        reason: "typify panics at some `allOf`, and generates duplicate types for others",
        apply: merge::merged_objects,
    },
    Rule {
        name: "required-only",
        reason: "typify drops the other properties of an object that only lists required ones",
        apply: schemas::required_only,
    },
    Rule {
        name: "two-directional",
        reason: "a required `readOnly` property is left out of what is sent, and the decoder requires it",
        apply: directions::two_directional,
    },
    Rule {
        name: "pinned-properties",
        reason: "`[names]` in codegen.toml keeps the public name of a property",
        apply: pins::properties,
    },
    Rule {
        name: "distinct-properties",
        reason: "typify generates the same field for properties that differ only in signs or case",
        apply: schemas::distinct_properties,
    },
    Rule {
        name: "no-titles",
        reason: "typify names types by their titles if they have no other name",
        apply: inline::no_titles,
    },
    Rule {
        name: "named-enums",
        reason: "an inline enum needs a name to be open to unknown values",
        apply: enums::named_enums,
    },
    Rule {
        name: "speakable-enums",
        reason: "values that are signs, empty, or differ only in case do not give variant names",
        apply: enums::speakable_enums,
    },
    Rule {
        name: "pinned-values",
        reason: "`[names]` in codegen.toml keeps the public name of a value of an enum",
        apply: pins::values,
    },
    Rule {
        name: "pinned-types",
        reason: "`[names]` in codegen.toml keeps the public name of an inline type",
        apply: pins::schemas,
    },
    Rule {
        name: "unsent-defaults",
        reason: "typify sends the default of a property that is not set, which overwrites the stored value",
        apply: absence::unsent_defaults,
    },
    Rule {
        name: "absent-or-null",
        reason: "typify does not distinguish an absent optional property from null",
        apply: absence::absent_or_null,
    },
    Rule {
        name: "absent-or-empty",
        reason: "typify omits an empty optional list or map, so it cannot be cleared",
        apply: absence::absent_or_empty,
    },
    Rule {
        name: "fitting-defaults",
        reason: "typify fails on a schema whose default is not a valid value",
        apply: schemas::fitting_defaults,
    },
    Rule {
        name: "unions",
        reason: "typify uses the first member of a union that decodes, not the one that the value identifies",
        apply: unions::model,
    },
    Rule {
        name: "other-enums",
        reason: "typify only supports enums of strings",
        apply: enums::other_enums,
    },
    Rule {
        name: "distinct-types",
        reason: "names that differ only in signs or case are the same type, and a type `Default` would shadow Rust's own",
        apply: schemas::distinct_types,
    },
    // This rule is last, because it copies schemas into the model, where no other rule changes them.
    Rule {
        name: "responses-by-status",
        reason: "progenitor panics if the bodies of an operation differ by status",
        apply: responses::by_status,
    },
];

/// The locations that each rule changed.
pub type Applied = Vec<(&'static str, Vec<Pointer>)>;

/// A normalized document.
#[derive(Clone, Debug)]
pub struct Normalized {
    /// The document, as progenitor reads it.
    pub document: Value,
    /// The rules that changed it.
    pub applied: Applied,
    /// The facts that the document cannot express.
    pub model: Model,
    /// The pins that pin nothing.
    pub unused: Pins,
}

/// Applies all rules, and records unsupported features and moves. `model` has what is known of the document before.
///
/// # Errors
/// Errors if two operations would become the same method.
pub fn normalize(
    mut document: Value,
    mut model: Model,
    mut pins: Pins,
    unsupported: &mut Vec<Unsupported>,
    origins: &mut Origins,
) -> Result<Normalized, Vec<Finding>> {
    let mut applied = Applied::new();
    for rule in RULES {
        let changes = rule.apply(&mut document, &mut model, &mut pins);
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
            unused: pins,
        })
    } else {
        Err(findings)
    }
}
