//! Compares two documents from the top: metadata, operations and components.

mod bodies;
mod components;
mod metadata;
mod operations;
mod parameters;
mod responses;
mod security;

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Change, Comparison, Difference, Direction, Impact, Renamed};
use super::pair::{Locations, Pair, change_verb};
use super::schema_graph::SchemaGraph;
use super::specs::Specs;
use crate::openapi::Schema as _;
use crate::pointer::Pointer;
use crate::security::SecuritySchemes;
use crate::walk::METHODS;

/// The reason that a change of the wire format alone is breaking.
const WIRE: &str = "code still compiles, but released versions use the old wire format";
/// The reason for changes of texts.
const TEXT: &str = "it is documentation";

/// Compares two valid documents.
pub(super) fn compare(specs: &Specs<'_>) -> Comparison {
    let mut comparer = DocumentComparer {
        specs,
        graph: SchemaGraph::new(specs),
        old_security: SecuritySchemes::of(specs.old.document),
        new_security: SecuritySchemes::of(specs.new.document),
        recorded: Vec::new(),
        operations: Vec::new(),
    };
    comparer.metadata();
    comparer.servers();
    comparer.operations();
    comparer.security_schemes();
    comparer.schemas();
    comparer.other_components();
    comparer.finish()
}

/// The operation that uses a location, and the direction, if the location has one.
#[derive(Clone, Copy)]
struct Usage {
    /// The index into [`DocumentComparer::operations`].
    operation: usize,
    direction: Option<Direction>,
}

impl Usage {
    fn operation(operation: usize) -> Option<Self> {
        Some(Self {
            operation,
            direction: None,
        })
    }

    fn directed(operation: usize, direction: Direction) -> Option<Self> {
        Some(Self {
            operation,
            direction: Some(direction),
        })
    }

    fn request(operation: usize) -> Option<Self> {
        Self::directed(operation, Direction::Request)
    }

    fn response(operation: usize) -> Option<Self> {
        Self::directed(operation, Direction::Response)
    }
}

/// A difference with the directions and operations that use its location.
struct Recorded {
    difference: Difference,
    directions: BTreeSet<Direction>,
    operations: BTreeSet<usize>,
}

/// The kind, locations and description of a difference. Differences with the same key are one change.
type Key = (&'static str, Option<Pointer>, Option<Pointer>, String);

struct DocumentComparer<'s, 'a> {
    specs: &'s Specs<'a>,
    graph: SchemaGraph<'s, 'a>,
    old_security: SecuritySchemes<'a>,
    new_security: SecuritySchemes<'a>,
    recorded: Vec<Recorded>,
    /// The names of the operations that usages refer to.
    operations: Vec<String>,
}

impl<'a> DocumentComparer<'_, 'a> {
    fn record(
        &mut self,
        kind: &'static str,
        what: impl Into<String>,
        (old, new): Locations,
        usage: Option<Usage>,
        impact: Impact,
    ) {
        self.recorded.push(Recorded {
            difference: Difference {
                kind,
                what: what.into(),
                old,
                new,
                impact: impact.into(),
                renamed: None,
            },
            directions: usage
                .and_then(|usage| usage.direction)
                .into_iter()
                .collect(),
            operations: usage.map(|usage| usage.operation).into_iter().collect(),
        });
    }

    /// Marks the difference that was recorded last as a renaming.
    fn mark_renamed(&mut self, renamed: Renamed) {
        if let Some(last) = self.recorded.last_mut() {
            last.difference.renamed = Some(renamed);
        }
    }

    /// Compares the texts of an object other than a schema, `deprecated`, and the keys that no other comparison reads.
    fn texts(&mut self, pair: &Pair<'a>, label: &str, usage: Option<Usage>) {
        // The keys that other comparisons read.
        const COMPARED: [&str; 20] = [
            "$ref",
            "operationId",
            "parameters",
            "requestBody",
            "responses",
            "callbacks",
            "servers",
            "security",
            "name",
            "in",
            "required",
            "style",
            "explode",
            "allowReserved",
            "schema",
            "content",
            "headers",
            "encoding",
            "type",
            "scheme",
        ];
        for key in pair.keys() {
            match key.as_str() {
                "summary" | "description" | "example" | "examples" | "tags" => {
                    self.text(pair, key, &format!("the {key} of {label}"), usage);
                }
                "deprecated" => self.deprecated(pair, label, usage),
                key if COMPARED.contains(&key) || METHODS.contains(&key) => {}
                key => self.text(pair, key, &format!("`{key}` of {label}"), usage),
            }
        }
    }

    /// Compares one text.
    fn text(&mut self, pair: &Pair<'a>, key: &str, label: &str, usage: Option<Usage>) {
        let (a, b) = pair.get(key);
        if a != b {
            let what = format!("{label} {}", change_verb(&a, &b));
            self.record(
                "annotation-changed",
                what,
                pair.locations_of(key),
                usage,
                Impact::documentation(TEXT),
            );
        }
    }

    fn deprecated(&mut self, pair: &Pair<'a>, label: &str, usage: Option<Usage>) {
        let now = pair.new.1.has_flag("deprecated");
        if pair.old.1.has_flag("deprecated") != now {
            let (what, impact) = Impact::of_deprecation(label, now);
            self.record(
                "deprecation",
                what,
                pair.locations_of("deprecated"),
                usage,
                impact,
            );
        }
    }

    fn finish(mut self) -> Comparison {
        let used = self.graph.finish();
        self.recorded.extend(used.into_iter().map(|used| Recorded {
            difference: used.difference,
            directions: used.directions,
            operations: used.operations,
        }));
        // Operations that use the same location share its changes.
        let mut merged: BTreeMap<Key, Recorded> = BTreeMap::new();
        for recorded in self.recorded {
            let Difference {
                kind,
                what,
                old,
                new,
                ..
            } = &recorded.difference;
            let key = (*kind, old.clone(), new.clone(), what.clone());
            match merged.get_mut(&key) {
                Some(known) => {
                    known.directions.extend(recorded.directions);
                    known.operations.extend(recorded.operations);
                }
                None => {
                    merged.insert(key, recorded);
                }
            }
        }
        let changes = merged.into_values();
        let mut comparison = Comparison {
            changes: changes
                .map(|recorded| classify(recorded, &self.operations))
                .collect(),
        };
        comparison.sort();
        comparison
    }
}

fn classify(recorded: Recorded, operations: &[String]) -> Change {
    let directions: Vec<Direction> = recorded.directions.into_iter().collect();
    let (impact, decisive) = recorded.difference.impact.decide(&directions);
    let names = recorded
        .operations
        .into_iter()
        .filter_map(|index| operations.get(index).cloned());
    Change {
        kind: recorded.difference.kind,
        class: impact.class,
        what: recorded.difference.what,
        why: impact.why,
        old: recorded.difference.old,
        new: recorded.difference.new,
        directions,
        decisive,
        operations: names.collect(),
        renamed: recorded.difference.renamed,
    }
}
