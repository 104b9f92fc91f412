//! The document's metadata, servers, and webhooks.

use serde_json::Value;

use super::{DocumentComparer, TEXT};
use crate::diff::change::Impact;
use crate::diff::label::show;
use crate::diff::pair::{Pair, change_phrase, change_verb};
use crate::openapi::Schema as _;
use crate::pointer::{Lookup as _, Pointer};

const WEBHOOKS: &str = "its body is a member of the union of all webhooks, whose types decide";

/// A server of a document.
struct Server<'a> {
    index: usize,
    url: &'a str,
    object: &'a Value,
}

impl<'a> DocumentComparer<'_, 'a> {
    pub(super) fn metadata(&mut self) {
        let root = Pointer::root();
        let info = self.pair_at(&root.join("info"));
        for key in info.keys() {
            let label = format!("`info.{key}`");
            if key == "version" || key == "title" {
                self.short_text(&info, key, &label);
            } else {
                self.text(&info, key, &label, None);
            }
        }
        let document = self.pair_at(&root);
        for key in document.keys() {
            let label = format!("`{key}`");
            if key == "openapi" || key == "jsonSchemaDialect" {
                self.short_text(&document, key, &label);
            } else if key == "tags" || key == "externalDocs" || key.starts_with("x-") {
                self.text(&document, key, &label, None);
            }
        }
        let webhooks = self.pair_at(&root.join("webhooks"));
        for name in webhooks.keys() {
            let (a, b) = webhooks.get(name);
            if a != b {
                let what = format!("the webhook `{name}` {}", change_verb(&a, &b));
                let locations = webhooks.locations_of(name);
                let impact = Impact::documentation(WEBHOOKS);
                self.record("unused-changed", what, locations, None, impact);
            }
        }
    }

    /// Returns the values at the same location of both documents, or null.
    fn pair_at(&self, location: &Pointer) -> Pair<'a> {
        let value = |document: &'a Value| {
            let value = document.at(location.as_str()).unwrap_or(&Value::Null);
            (location.clone(), value)
        };
        Pair {
            old: value(self.specs.old.document),
            new: value(self.specs.new.document),
        }
    }

    /// Compares a text that is short enough to be shown.
    fn short_text(&mut self, pair: &Pair<'a>, key: &str, label: &str) {
        let (a, b) = pair.get(key);
        if a != b {
            let what = format!("{label} {}", change_phrase(a.map(show), b.map(show)));
            let locations = pair.locations_of(key);
            let impact = Impact::documentation(TEXT);
            self.record("annotation-changed", what, locations, None, impact);
        }
    }

    /// Compares the servers. The SDK has them as a constant, in the same order.
    pub(super) fn servers(&mut self) {
        let location = Pointer::root().join("servers");
        let (old, new) = (
            servers(self.specs.old.document),
            servers(self.specs.new.document),
        );
        let not_in = |other: &[Server<'a>], server: &&Server<'a>| {
            other.iter().all(|other| other.url != server.url)
        };
        let removed: Vec<_> = old.iter().filter(|server| not_in(&new, server)).collect();
        let mut added = new.iter().filter(|server| not_in(&old, server));
        for server in removed {
            let old = Some(location.join(server.index));
            let url = server.url;
            match added.next() {
                Some(now) => self.record(
                    "server-changed",
                    format!("the server `{url}` was replaced by `{}`", now.url),
                    (old, Some(location.join(now.index))),
                    None,
                    Impact::breaking("programs that use the servers of the SDK reach another one"),
                ),
                None => self.record(
                    "server-removed",
                    format!("the server `{url}` was removed"),
                    (old, None),
                    None,
                    Impact::breaking("programs that use the servers of the SDK no longer find it"),
                ),
            }
        }
        for server in added {
            self.record(
                "server-added",
                format!("the server `{}` was added", server.url),
                (None, Some(location.join(server.index))),
                None,
                Impact::addition("programs use the other servers as before"),
            );
        }
        if let (Some(a), Some(b)) = (old.first(), new.first())
            && a.url != b.url
            && new.iter().any(|server| server.url == a.url)
        {
            self.record(
                "server-changed",
                format!("the first server changed from `{}` to `{}`", a.url, b.url),
                (Some(location.join(0)), Some(location.join(0))),
                None,
                Impact::breaking("programs that use the default server reach another one"),
            );
        }
        for before in &old {
            if let Some(after) = new.iter().find(|after| after.url == before.url)
                && before.object != after.object
            {
                self.record(
                    "annotation-changed",
                    format!("the description of the server `{}` changed", before.url),
                    (
                        Some(location.join(before.index)),
                        Some(location.join(after.index)),
                    ),
                    None,
                    Impact::documentation(TEXT),
                );
            }
        }
    }
}

fn servers(document: &Value) -> Vec<Server<'_>> {
    let servers = document.get("servers").and_then(Value::as_array);
    let servers = servers.into_iter().flatten().enumerate();
    servers
        .filter_map(|(index, object)| {
            Some(Server {
                index,
                url: object.text("url")?,
                object,
            })
        })
        .collect()
}
