//! The origin of everything in the document: its file, and its place there.
//!
//! The steps move things: what a reference names in another file becomes a component, and a schema that stands inline
//! gets a name. Messages and the report of unsupported features name the place that the maintainer can look at.

use std::collections::BTreeMap;
use std::fmt;

use super::unsupported::Unsupported;
use crate::pointer::Pointer;
use crate::problem::{Finding, Problem};

/// The places that were written elsewhere; all others stand where they were written, in the document itself.
#[derive(Clone, Debug, Default)]
pub struct Origins(BTreeMap<Pointer, Origin>);

/// The place where something was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file, below the folder of the document; `None` is the document itself.
    pub file: Option<String>,
    /// The place in the file.
    pub pointer: Pointer,
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
    /// Notes that what stands at `place`, and within it, was written in a file.
    pub fn written(&mut self, place: Pointer, origin: Origin) {
        self.0.insert(place, origin);
    }

    /// Notes that what stands at `new` stood at `old` before.
    pub fn moved(&mut self, old: &Pointer, new: &Pointer) {
        let origin = self.of(old);
        self.0.insert(new.clone(), origin);
    }

    /// Returns the origin of a place.
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

    /// The problem that a finding is in the file where its place was written; `document` is what messages call the
    /// document.
    pub fn problem(&self, finding: Finding, document: &str) -> Problem {
        let Origin { file, pointer } = self.of(&finding.pointer);
        let file = file.map_or_else(|| document.to_owned(), |file| beside(document, &file));
        Finding { pointer, ..finding }.in_file(&file)
    }

    /// The loss with the place where it was written.
    pub fn loss(&self, loss: Unsupported) -> Unsupported {
        let Origin { file, pointer } = self.of(&loss.pointer);
        Unsupported {
            file,
            pointer,
            ..loss
        }
    }
}

/// The path of a file below the folder of `document`.
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
    fn the_nearest_enclosing_place_that_was_moved_decides() {
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
