//! Origins: the file and the location where each part of the document was written.
//!
//! Steps move objects: the target of a reference to another file becomes a component, and an inline schema gets a name.
//! Messages and reports show the original location.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::pointer::Pointer;
use crate::problem::{Finding, Problem};
use crate::unsupported::Unsupported;
use crate::walk::{self, Operation};

/// The origins of moved objects. Everything else is at its original location in the document.
#[derive(Clone, Debug, Default)]
pub struct Origins(BTreeMap<Pointer, Origin>);

/// The location where something was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file, relative to the folder of the document, or `None` for the document itself.
    pub file: Option<String>,
    /// The location in the file.
    pub pointer: Pointer,
}

/// The operations of the original document, for those of the normalized one.
pub struct OriginalOperations<'a> {
    operations: BTreeMap<Pointer, Operation<'a>>,
    /// The origins of the original document.
    written: &'a Origins,
    /// The origins of the normalized document.
    origins: &'a Origins,
}

impl<'a> OriginalOperations<'a> {
    /// Reads the original `document`, whose parts were `written` in files. `origins` are those of the normalized document.
    pub fn of(document: &'a Value, written: &'a Origins, origins: &'a Origins) -> Self {
        let operations = walk::operations(document).into_iter();
        Self {
            operations: operations
                .map(|operation| (operation.pointer.clone(), operation))
                .collect(),
            written,
            origins,
        }
    }

    /// Returns the original of the operation at `place` in the normalized document.
    pub fn get(&self, place: &Pointer) -> Option<&Operation<'a>> {
        self.operations.get(place).or_else(|| {
            // Its path has another template.
            let origin = self.origins.of(place);
            let mut operations = self.operations.values();
            operations.find(|operation| self.written.of(&operation.pointer) == origin)
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{file}#{}", self.pointer),
            None => self.pointer.fmt(f),
        }
    }
}

impl Origins {
    /// Records that the object at `place` was written in another file.
    pub fn written(&mut self, place: Pointer, origin: Origin) {
        self.0.insert(place, origin);
    }

    /// Records a move from `old` to `new`.
    pub fn moved(&mut self, old: &Pointer, new: &Pointer) {
        let origin = self.of(old);
        self.0.insert(new.clone(), origin);
    }

    /// Returns the origin of a location.
    pub fn of(&self, place: &Pointer) -> Origin {
        let mut enclosing = place.as_str();
        loop {
            if let Some(origin) = self.0.get(enclosing) {
                let within = place.as_str().get(enclosing.len()..).unwrap_or_default();
                return Origin {
                    file: origin.file.clone(),
                    pointer: origin.pointer.append(within),
                };
            }
            match enclosing.rfind('/') {
                Some(end) => enclosing = enclosing.get(..end).unwrap_or_default(),
                None => {
                    return Origin {
                        file: None,
                        pointer: place.clone(),
                    };
                }
            }
        }
    }

    /// Returns the problem of a finding, with the file and location where its cause was written. `document` is the name
    /// of the document in messages.
    pub fn problem(&self, finding: Finding, document: &str) -> Problem {
        let Origin { file, pointer } = self.of(&finding.pointer);
        let file = file.map_or_else(|| document.to_owned(), |file| beside(document, &file));
        Finding { pointer, ..finding }.in_file(&file)
    }

    /// Returns the report with the location where the feature was written.
    pub fn loss(&self, loss: Unsupported) -> Unsupported {
        let Origin { file, pointer } = self.of(&loss.pointer);
        Unsupported {
            file,
            pointer,
            ..loss
        }
    }
}

/// Returns the path of a file in the folder of `document`.
pub(super) fn beside(document: &str, file: &str) -> String {
    match document.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{file}"),
        None => file.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_is_that_of_the_nearest_moved_location() {
        let schema = Pointer::schema;
        let mut origins = Origins::default();
        let call = Origin {
            file: Some("call.yaml".to_owned()),
            pointer: Pointer::root().join("Call"),
        };
        origins.written(schema("Call"), call);
        origins.moved(
            &schema("Call").join("properties").join("to"),
            &schema("CallTo"),
        );
        let of = |place: Pointer| origins.of(&place).to_string();
        assert_eq!(of(schema("Call")), "call.yaml#/Call");
        assert_eq!(
            of(schema("CallTo").join("type")),
            "call.yaml#/Call/properties/to/type"
        );
        assert_eq!(of(schema("Calls")), "/components/schemas/Calls");
        assert_eq!(of(Pointer::root()), "");
    }
}
