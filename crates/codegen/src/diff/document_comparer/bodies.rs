//! Request bodies, and the content of requests, responses and parameters.

use serde_json::Value;

use super::operations::Matched;
use super::{DocumentComparer, Usage, WIRE};
use crate::diff::change::{Direction, Impact};
use crate::diff::pair::{Pair, entries};
use crate::media_type::{MediaTypeKind, essence, is_json, request_rank, response_rank};
use crate::openapi::Schema as _;
use crate::pointer::Lookup as _;
use crate::walk;

impl<'a> DocumentComparer<'_, 'a> {
    pub(super) fn request_body(&mut self, operation: Matched<'_, 'a>, pair: &Pair<'a>) {
        const LABEL: &str = "the request body";
        let (old, new) = pair.join("requestBody");
        let (old, new) = (
            walk::locate(self.specs.old.document, &old),
            walk::locate(self.specs.new.document, &new),
        );
        let usage = Usage::request(operation.index);
        match (old, new) {
            (Some(old), Some(new)) => {
                let pair = Pair { old, new };
                match (
                    pair.old.1.has_flag("required"),
                    pair.new.1.has_flag("required"),
                ) {
                    (false, true) => self.record(
                        "body-required",
                        "the request body is now required",
                        pair.locations(),
                        usage,
                        Impact::breaking("the service refuses requests without it"),
                    ),
                    (true, false) => self.record(
                        "body-optional",
                        "the request body is now optional",
                        pair.locations(),
                        usage,
                        Impact::addition("requests with it work as before"),
                    ),
                    _ => {}
                }
                self.texts(&pair, LABEL, Usage::operation(operation.index));
                self.content(&pair, LABEL, operation.index, Direction::Request);
            }
            (Some((location, _)), None) => self.record(
                "body-removed",
                "the request body was removed",
                (Some(location), None),
                usage,
                Impact::breaking("code that sets it no longer compiles"),
            ),
            (None, Some((location, body))) => {
                let (what, impact) = if body.has_flag("required") {
                    (
                        "a required request body was added",
                        Impact::breaking("the service refuses requests without it"),
                    )
                } else {
                    (
                        "a request body was added",
                        Impact::addition("an additional builder method breaks no code"),
                    )
                };
                self.record("body-added", what, (None, Some(location)), usage, impact);
            }
            (None, None) => {}
        }
    }

    /// Compares the media types of a body, and the schemas of those that both documents have.
    pub(super) fn content(
        &mut self,
        pair: &Pair<'a>,
        label: &str,
        index: usize,
        direction: Direction,
    ) {
        let (a, b) = match (
            preferred(pair.old.1, direction),
            preferred(pair.new.1, direction),
        ) {
            (Some(a), Some(b)) => (a, b),
            (None, None) => return,
            (a, _) => {
                let (kind, verb) = match a {
                    None => ("body-added", "now has a body"),
                    Some(_) => ("body-removed", "no longer has a body"),
                };
                self.record(
                    kind,
                    format!("{label} {verb}"),
                    pair.locations(),
                    Usage::directed(index, direction),
                    Impact::breaking("the type of the method changes"),
                );
                return;
            }
        };
        self.media_types(pair, (a, b), label, index, direction);
        let mut pairs = vec![(a, b)];
        for (name, _) in entries(pair.old.1, "content").filter(|(name, _)| *name != a) {
            let same = entries(pair.new.1, "content")
                .find(|(other, _)| essence(other) == essence(name) && *other != b);
            pairs.extend(same.map(|(other, _)| (name, other)));
        }
        let (old, new) = pair.join("content");
        let media = |object: &'a Value, name: &str| object.get("content")?.get(name);
        for (a, b) in pairs {
            if let (Some(before), Some(after)) = (media(pair.old.1, a), media(pair.new.1, b)) {
                let pair = Pair {
                    old: (old.join(a), before),
                    new: (new.join(b), after),
                };
                self.media_type(&pair, label, index, direction);
            }
        }
    }

    /// Compares the names of the media types. `preferred` are the ones that the SDK uses.
    fn media_types(
        &mut self,
        pair: &Pair<'a>,
        preferred: (&str, &str),
        label: &str,
        index: usize,
        direction: Direction,
    ) {
        const UNUSED: &str = "the SDK uses another media type";
        let usage = Usage::directed(index, direction);
        let (old, new) = pair.join("content");
        let (a, b) = preferred;
        let has = |object: &Value, name: &str| {
            entries(object, "content").any(|(other, _)| essence(other) == essence(name))
        };
        let is_kept = has(pair.new.1, a) && MediaTypeKind::of(a) == MediaTypeKind::of(b);
        if essence(a) != essence(b) && !is_kept {
            let impact = if is_json(a) && is_json(b) {
                Impact::breaking(WIRE)
            } else {
                Impact::breaking("the type of the body changes")
            };
            self.record(
                "media-type-changed",
                format!(
                    "the media type of {label} changed from `{}` to `{}`",
                    essence(a),
                    essence(b)
                ),
                (Some(old.join(a)), Some(new.join(b))),
                usage,
                impact,
            );
        }
        for (name, _) in entries(pair.old.1, "content") {
            if essence(name) != essence(a) && !has(pair.new.1, name) {
                self.record(
                    "media-type-removed",
                    format!("the media type `{}` of {label} was removed", essence(name)),
                    (Some(old.join(name)), None),
                    usage,
                    Impact::documentation(UNUSED),
                );
            }
        }
        for (name, _) in entries(pair.new.1, "content") {
            if essence(name) != essence(b) && !has(pair.old.1, name) {
                self.record(
                    "media-type-added",
                    format!("the media type `{}` of {label} was added", essence(name)),
                    (None, Some(new.join(name))),
                    usage,
                    Impact::documentation(UNUSED),
                );
            }
        }
    }

    fn media_type(&mut self, pair: &Pair<'a>, label: &str, index: usize, direction: Direction) {
        self.texts(pair, label, Usage::operation(index));
        let (a, b) = pair.get("encoding");
        if a != b {
            self.record(
                "style-changed",
                format!("the encoding of {label} changed"),
                pair.locations_of("encoding"),
                Usage::directed(index, direction),
                Impact::breaking(WIRE),
            );
        }
        self.schema_of(pair, label, index, direction);
        self.items(pair, index, direction);
    }

    /// Compares the items of a stream of OpenAPI 3.2, and the JSON that is the data of its events.
    fn items(&mut self, pair: &Pair<'a>, index: usize, direction: Direction) {
        let (Some(before), Some(after)) = pair.get("itemSchema") else {
            return;
        };
        let (old, new) = pair.join("itemSchema");
        let content = |item: &Value| item.at("/properties/data/contentSchema").is_some();
        let is_event = content(before) && content(after);
        let [old, new] = [old, new].map(|item| match is_event {
            true => item.join("properties").join("data").join("contentSchema"),
            false => item,
        });
        self.graph.compare(old, new, Some((index, direction)));
    }

    /// Compares the member `schema`.
    pub(super) fn schema_of(
        &mut self,
        pair: &Pair<'a>,
        label: &str,
        index: usize,
        direction: Direction,
    ) {
        if let (Some(_), Some(_)) = pair.get("schema") {
            let (old, new) = pair.join("schema");
            self.graph.compare(old, new, Some((index, direction)));
        } else {
            self.schema_presence(pair, label, index, direction);
        }
    }

    /// Reports a schema that only one document has.
    pub(super) fn schema_presence(
        &mut self,
        pair: &Pair<'a>,
        label: &str,
        index: usize,
        direction: Direction,
    ) {
        let verb = match pair.get("schema") {
            (None, Some(_)) => "now has a schema",
            (Some(_), None) => "no longer has a schema",
            (None, None) | (Some(_), Some(_)) => return,
        };
        self.record(
            "type-changed",
            format!("{label} {verb}"),
            pair.locations_of("schema"),
            Usage::directed(index, direction),
            Impact::breaking("its Rust type changes"),
        );
    }
}

/// Returns the media type of a body that the SDK sends or asks for.
pub(super) fn preferred(object: &Value, direction: Direction) -> Option<&String> {
    let names = entries(object, "content").map(|(name, _)| name);
    match direction {
        Direction::Request => names.min_by_key(|name| request_rank(name)),
        Direction::Response => names.min_by_key(|name| response_rank(name)),
    }
}
