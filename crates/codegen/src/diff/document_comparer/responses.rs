//! Responses and their headers.

use serde_json::Value;

use super::bodies::preferred;
use super::operations::Matched;
use super::{DocumentComparer, Usage};
use crate::diff::change::{Direction, Impact};
use crate::diff::pair::{Pair, entries};
use crate::diff::rust::{self, BodyType, Responses, body_type};
use crate::media_type::is_json;
use crate::openapi::is_success;
use crate::pointer::Pointer;
use crate::walk::{self, Operation};

impl<'a> DocumentComparer<'_, 'a> {
    /// Returns the statuses of an operation's responses, with the shapes of the bodies.
    pub(super) fn response_shapes(
        &self,
        operation: &Operation<'a>,
        is_old: bool,
    ) -> Vec<(String, Value)> {
        let document = if is_old {
            self.specs.old.document
        } else {
            self.specs.new.document
        };
        let responses = operation.pointer.join("responses");
        let shape = |status: &str| {
            let (location, response) = walk::locate(document, &responses.join(status))?;
            let media_type = preferred(response, Direction::Response)?;
            if !is_json(media_type) {
                return Some(Value::from(rust::BYTES));
            }
            let schema = location.join("content").join(media_type).join("schema");
            Some(if is_old {
                self.specs.old_shape(&schema)
            } else {
                self.specs.new_shape(&schema)
            })
        };
        entries(operation.object, "responses")
            .filter(|(status, _)| !status.starts_with("x-"))
            .map(|(status, _)| (status.to_uppercase(), shape(status).unwrap_or(Value::Null)))
            .collect()
    }

    pub(super) fn responses(&mut self, operation: Matched<'_, 'a>) {
        let before = self.response_shapes(operation.old, true);
        let after = self.response_shapes(operation.new, false);
        let usage = Usage::response(operation.index);
        for (status, _) in &before {
            let Some(old) = response_location(operation.old, status) else {
                continue;
            };
            match response_location(operation.new, status) {
                Some(new) => self.response(operation.index, &shown(status), &old, &new),
                None => self.record(
                    "status-removed",
                    format!("the {} response was removed", shown(status)),
                    (Some(old), None),
                    usage,
                    status_impact(status, (&before, &after), false),
                ),
            }
        }
        for (status, _) in &after {
            let old = response_location(operation.old, status);
            let new = response_location(operation.new, status);
            if let (None, Some(new)) = (old, new) {
                self.record(
                    "status-added",
                    format!("the {} response was added", shown(status)),
                    (None, Some(new)),
                    usage,
                    status_impact(status, (&before, &after), true),
                );
            }
        }
    }

    fn response(&mut self, index: usize, status: &str, old: &Pointer, new: &Pointer) {
        let old = walk::locate(self.specs.old.document, old);
        let new = walk::locate(self.specs.new.document, new);
        if let (Some(old), Some(new)) = (old, new) {
            let pair = Pair { old, new };
            let label = format!("the {status} response");
            self.texts(&pair, &label, Usage::operation(index));
            self.content(&pair, &label, index, Direction::Response);
            self.headers(&pair, &label, index);
        }
    }

    fn headers(&mut self, pair: &Pair<'a>, of: &str, index: usize) {
        let usage = Usage::response(index);
        let (old, new) = pair.join("headers");
        // Field names are case-insensitive (RFC 9110, section 5.1).
        let named = |object: &'a Value, name: &str| {
            entries(object, "headers")
                .map(|(other, _)| other)
                .find(|other| other.eq_ignore_ascii_case(name))
        };
        for (name, _) in entries(pair.old.1, "headers") {
            let label = format!("the header `{name}` of {of}");
            let Some(new_name) = named(pair.new.1, name) else {
                self.record(
                    "header-removed",
                    format!("{label} was removed"),
                    (Some(old.join(name)), None),
                    usage,
                    Impact::breaking("programs that read it no longer find it"),
                );
                continue;
            };
            let a = walk::locate(self.specs.old.document, &old.join(name));
            let b = walk::locate(self.specs.new.document, &new.join(new_name));
            if let (Some(old), Some(new)) = (a, b) {
                let header = Pair { old, new };
                self.texts(&header, &label, Usage::operation(index));
                self.schema_of(&header, &label, index, Direction::Response);
            }
        }
        for (name, _) in entries(pair.new.1, "headers") {
            if named(pair.old.1, name).is_none() {
                self.record(
                    "header-added",
                    format!("the header `{name}` of {of} was added"),
                    (None, Some(new.join(name))),
                    usage,
                    Impact::addition("programs ignored it before"),
                );
            }
        }
    }
}

/// Returns the location of a response by its status in upper case.
fn response_location(operation: &Operation<'_>, status: &str) -> Option<Pointer> {
    let mut statuses = entries(operation.object, "responses").map(|(status, _)| status);
    let status = statuses.find(|known| known.to_uppercase() == status)?;
    Some(operation.pointer.join("responses").join(status))
}

fn shown(status: &str) -> String {
    match status {
        "DEFAULT" => "default".to_owned(),
        status => status.to_owned(),
    }
}

/// Returns the impact of an added or removed status.
fn status_impact(status: &str, (before, after): (&Responses, &Responses), added: bool) -> Impact {
    let success = if status == "DEFAULT" {
        // An error if there is a success, else both.
        let any = |responses: &Responses| responses.iter().any(|(status, _)| is_success(status));
        !any(before) || !any(after)
    } else {
        is_success(status)
    };
    if status.starts_with('3') || (status.starts_with('1') && !success) {
        return Impact::documentation("the SDK ignores interim responses and follows no redirects");
    }
    let subject = if success {
        "the result of the method"
    } else {
        "the error of the method"
    };
    match (body_type(before, success), body_type(after, success)) {
        (BodyType::ByStatus, BodyType::ByStatus) if added => Impact::addition(format!(
            "{subject} is a non-exhaustive enum and gains a variant"
        )),
        (BodyType::ByStatus, BodyType::ByStatus) => {
            Impact::breaking(format!("{subject} is an enum and loses a variant"))
        }
        (before, after) if before == after => Impact::addition(format!("{subject} keeps its type")),
        _ => Impact::breaking(format!("the type of {subject} changes")),
    }
}
