//! Pins for what a new document renames.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::Value;

use crate::diff::change::{Change, Class, Comparison};
use crate::openapi::Schema as _;
use crate::pins::{Group, Kind, Pin, Pins};
use crate::pointer::Pointer;
use crate::problem::Problem;
use crate::{names, rename, walk};

/// A renaming that a pin hides from users of the SDK.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kept {
    pin: Pin,
    /// The similarity of the names, from 0 to 1. `None` if the pin was asked for.
    similarity: Option<f32>,
}

impl Kept {
    /// Creates a renaming that the user states.
    pub(super) fn asked(pin: Pin) -> Self {
        Self {
            pin,
            similarity: None,
        }
    }

    /// Returns true if the user asked for this pin.
    pub(super) fn is_asked(&self, pin: &Pin) -> bool {
        self.similarity.is_none() && self.pin == *pin
    }

    /// Returns true if the pin is one of `pins`.
    pub(super) fn is_in(&self, pins: &Pins) -> bool {
        pins.iter().any(|pin| pin == self.pin)
    }
}

/// Adds a pin to `pins` for each renaming in `comparison` that changes a public name, and returns these renamings. The class
/// of each becomes what it is with the pin.
pub(super) fn keep_names(comparison: &mut Comparison, pins: &mut Pins) -> Vec<Kept> {
    let old = pins.clone();
    let mut kept = Vec::new();
    // Pins of schemas and operations first, since the others are grouped by their public names.
    for grouped in [false, true] {
        for change in &mut comparison.changes {
            let Some(renamed) = change.renamed.clone() else {
                continue;
            };
            let found = pins_of(change, &renamed.from, &renamed.to, &old, pins);
            let found: Vec<Pin> = found
                .into_iter()
                .filter(|pin| pin.owner.is_empty() != grouped)
                .collect();
            let Some(first) = found.first() else {
                continue;
            };
            let similarity = rename::similarity(&first.public, &first.document);
            reclassify(change, first.kind, renamed.is_positional);
            for pin in found {
                pins.add(pin.clone());
                if pin.document == pin.public {
                    continue;
                }
                kept.push(Kept {
                    pin,
                    similarity: Some(similarity),
                });
            }
        }
    }
    comparison.sort();
    kept
}

/// Returns the pins that a renaming needs: one for each operation if it is about a parameter, else at most one.
fn pins_of(change: &Change, from: &str, to: &str, old: &Pins, new: &Pins) -> Vec<Pin> {
    let pin = |kind, owner: &str, public: &str, document: &str| Pin {
        kind,
        owner: owner.to_owned(),
        document: document.to_owned(),
        public: public.to_owned(),
    };
    let owner = || {
        change
            .old
            .as_ref()
            .and_then(schema_of)
            .map(|name| old.schema(&name).to_owned())
    };
    let public = |groups: &BTreeMap<String, Group>, owner: &str| {
        let pinned = groups.get(owner).and_then(|group| group.get(from));
        pinned.map_or(from, String::as_str).to_owned()
    };
    match change.kind {
        "schema-renamed" => {
            let public = old.schema(from);
            let is_same = names::type_name(public) == names::type_name(to);
            if is_same {
                Vec::new()
            } else {
                vec![pin(Kind::Schema, "", public, to)]
            }
        }
        "operation-renamed" => {
            let public = old.operation(from);
            let is_same = names::method_name(public) == names::method_name(to);
            if is_same {
                Vec::new()
            } else {
                vec![pin(Kind::Operation, "", public, to)]
            }
        }
        "property-renamed" => owner().map_or_else(Vec::new, |owner| {
            let public = public(&old.properties, &owner);
            vec![pin(Kind::Property, &owner, &public, to)]
        }),
        "enum-value-renamed" => owner().map_or_else(Vec::new, |owner| {
            let public = public(&old.values, &owner);
            vec![pin(Kind::Value, &owner, &public, to)]
        }),
        "parameter-renamed" => change
            .operations
            .iter()
            .map(|operation| {
                let owner = new.operation(operation);
                pin(Kind::Parameter, owner, &public(&old.parameters, owner), to)
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Returns the name of the schema that directly has the property or enum at `place`.
fn schema_of(place: &Pointer) -> Option<String> {
    let tokens: Vec<String> = place.tokens().collect();
    match tokens.as_slice() {
        [components, schemas, name, rest @ ..]
            if components == "components" && schemas == "schemas" =>
        {
            let is_own = match rest {
                [] => true,
                [keyword] => keyword == "enum",
                [keyword, _] => keyword == "properties",
                _ => false,
            };
            is_own.then(|| name.clone())
        }
        _ => None,
    }
}

fn reclassify(change: &mut Change, kind: Kind, is_positional: bool) {
    let (class, why) = match kind {
        Kind::Parameter if is_positional => {
            (Class::Documentation, "a pin keeps the name of its argument")
        }
        Kind::Schema => (Class::Documentation, "a pin keeps the name of its type"),
        Kind::Operation => (Class::Documentation, "a pin keeps the name of its method"),
        Kind::Property => (
            Class::Breaking,
            "a pin keeps the name of its field, but released versions use the old property",
        ),
        Kind::Value => (
            Class::Breaking,
            "a pin keeps the name of its variant, but released versions use the old value",
        ),
        Kind::Parameter => (
            Class::Breaking,
            "a pin keeps the name of its builder method, but released versions send the old parameter",
        ),
    };
    change.class = class;
    change.why = why.into();
    change.decisive = None;
}

/// Prints the new pins, each with the similarity of the names, and the pins that are unused.
pub(super) fn report(out: &mut dyn Write, kept: &[Kept], unused: &Pins) -> io::Result<()> {
    for (index, pin) in unused.iter().enumerate() {
        if index == 0 {
            writeln!(
                out,
                "\npublic names that go, because the document no longer has them or another one took the name:"
            )?;
        }
        writeln!(
            out,
            "  {} `{}`, `{}` in the document",
            pin.kind.word(),
            pin.public_path(),
            pin.document
        )?;
    }
    if kept.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\npublic names that stay, in codegen.toml (`--no-pins` uses the new names):"
    )?;
    for Kept { pin, similarity } in kept {
        let similarity = similarity.map_or_else(
            || "asked for".to_owned(),
            |similarity| format!("similarity {:.0} %", similarity * 100.0),
        );
        writeln!(
            out,
            "  {} `{}`, now `{}` in the document ({similarity})",
            pin.kind.word(),
            pin.public_path(),
            pin.document
        )?;
    }
    Ok(())
}

/// Parses `OLD=NEW`: the public name, such as `Call.end_reason`, and the name in the new document.
pub(super) fn parse(text: &str, pins: &Pins, document: &Value) -> Result<Pin, Problem> {
    let refuse = |cause: String| {
        Problem::of_file(
            "--pin",
            cause,
            "use `OLD=NEW`, where OLD is a public name (`Call`, `Call.end_reason`, `get_call` or `list_calls.limit`) and NEW \
             the name in the new document",
        )
    };
    let Some((public, new)) = text
        .split_once('=')
        .filter(|(old, new)| !old.is_empty() && !new.is_empty())
    else {
        return Err(refuse(format!("`{text}` is not a pin")));
    };
    let schemas: Vec<(&str, &Value)> = walk::schemas(document)
        .map(|(name, schema)| (pins.schema(name), schema))
        .collect();
    let operations = walk::operations(document);
    let method = |id: Option<&str>| names::method_name(id.unwrap_or_default());
    let (owner, public, kind) = match public.split_once('.') {
        None if walk::schemas(document).any(|(name, _)| name == new) => ("", public, Kind::Schema),
        None if operations
            .iter()
            .any(|operation| method(operation.id()) == method(Some(new))) =>
        {
            ("", public, Kind::Operation)
        }
        None => {
            return Err(refuse(format!(
                "the new document has no schema or operation `{new}`"
            )));
        }
        Some((owner, public)) => {
            let schema = schemas
                .iter()
                .find(|(name, _)| *name == owner)
                .map(|(_, schema)| *schema);
            let has_property =
                schema.is_some_and(|schema| schema.properties().any(|(name, _)| name == new));
            let has_value =
                schema.is_some_and(|schema| schema.list("enum").iter().any(|value| value == new));
            let is_operation = operations
                .iter()
                .any(|operation| pins.operation(&method(operation.id())) == owner);
            let kind = match (has_property, has_value, is_operation) {
                (true, ..) => Kind::Property,
                (_, true, _) => Kind::Value,
                (.., true) => Kind::Parameter,
                _ => {
                    return Err(refuse(format!(
                        "`{owner}` has no `{new}` in the new document"
                    )));
                }
            };
            (owner, public, kind)
        }
    };
    Ok(Pin {
        kind,
        owner: owner.to_owned(),
        document: new.to_owned(),
        public: public.to_owned(),
    })
}
