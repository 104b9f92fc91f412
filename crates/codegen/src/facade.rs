//! The facade of a standalone SDK: the crate that its users name, and its README.
//!
//! The texts have this project's name, which [`workspace::publish`](crate::workspace::publish) replaces. What comes from
//! the document is filled in afterwards, so that its words stay as they are.

use serde_json::Value;
use syn::Type;

use crate::load::Source;
use crate::model::{Model, StreamFormat, Webhooks};
use crate::openapi::{Schema as _, of_operation};
use crate::pointer::Lookup as _;
use crate::security;
use crate::signature::{Signatures, Simple, simple};
use crate::{names, walk};

/// The manifest of the facade, without the workspace.
pub(crate) const MANIFEST: &str = include_str!("facade/manifest.toml");

/// The facade's `src/lib.rs`.
pub(crate) const LIB: &str = include_str!("facade/lib.rs.txt");

const README: &str = include_str!("facade/README.md");

/// The statements of the facade about its document.
#[derive(Clone, Debug)]
pub struct Facade {
    title: String,
    label: String,
    operations: usize,
    server: Option<String>,
    schemes: Vec<String>,
    example: Option<Example>,
    list: Option<Example>,
    /// The methods of the first operation that is a stream, such as `watch_call(…).events`.
    stream: Option<String>,
    webhooks: Option<Webhooks>,
    is_token_optional: bool,
    has_nullable: bool,
    has_files: bool,
}

/// The request of the examples, such as `client.get_pet(1)`.
#[derive(Clone, Debug)]
struct Example {
    method: String,
    arguments: String,
}

impl Facade {
    /// Reads what the facade says from the document, the normalized one, and the signatures of the client.
    pub fn new(
        source: &Source,
        normalized: &Value,
        model: &Model,
        signatures: &Signatures,
    ) -> Self {
        let document = &source.document;
        let title = document.at("/info/title").and_then(Value::as_str);
        // Its URLs have no variables.
        let servers = normalized.get("servers").and_then(Value::as_array);
        let server = servers
            .and_then(|servers| servers.first()?.get("url")?.as_str())
            .filter(|url| !matches!(*url, "" | "/") && !url.starts_with("//"));
        Self {
            title: plain(title.unwrap_or("an API")),
            label: source.label.clone(),
            operations: walk::operations(normalized).len(),
            server: server.map(str::to_owned),
            schemes: security::SecuritySchemes::of(normalized)
                .names()
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
            example: example(normalized, signatures, |_| true),
            list: example(normalized, signatures, |operation| {
                let facts = model.operation(&operation.pointer);
                facts.is_some_and(|facts| facts.paging.is_some())
            }),
            stream: stream(normalized, model, signatures),
            webhooks: model.webhooks.clone(),
            is_token_optional: security::is_optional(normalized),
            has_nullable: (model.schemas.values()).any(|schema| !schema.nullable.is_empty()),
            has_files: model.file.is_some(),
        }
    }

    /// Returns the README, in which [`fill`](Self::fill) replaces what is in braces.
    pub(crate) fn readme(&self, features: &[String]) -> String {
        let mut text = README.to_owned();
        let verified = self.webhooks.as_ref().map(|webhooks| webhooks.are_verified);
        let has = [
            ("example", self.example.is_some()),
            ("no example", self.example.is_none()),
            ("list", self.list.is_some()),
            ("stream", self.stream.is_some()),
            ("verified webhooks", verified == Some(true)),
            ("webhooks", verified == Some(false)),
            ("token", !self.schemes.is_empty()),
            ("no token", self.schemes.is_empty()),
            ("schemes", self.schemes.len() > 1),
            ("nullable", self.has_nullable),
            ("files", self.has_files),
            ("features", !features.is_empty()),
        ];
        for (condition, holds) in has {
            text = choose(&text, condition, holds);
        }
        text
    }

    /// Fills in the values of the document.
    pub(crate) fn fill(&self, readme: &str, features: &[String]) -> String {
        let operations = match self.operations {
            1 => "one operation".to_owned(),
            count => format!("{count} operations"),
        };
        let server = match &self.server {
            Some(path) if path.starts_with('/') => format!(
                "; required, since the first server has no host: the URL ends with `{path}`"
            ),
            Some(server) => format!("; `{server}` by default"),
            None => "; required, since the document has no server".to_owned(),
        };
        let schemes: Vec<String> = self
            .schemes
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        let token = match self.schemes.first() {
            Some(_) if self.is_token_optional => {
                "what the service issued, without `Bearer `; not required, since no operation requires one"
            }
            Some(_) => {
                "what the service issued, without `Bearer `; for basic authentication, `user:password`"
            }
            None => {
                "not needed, since the document has no security scheme; `Client::builder().header(name, value)` sends a header \
                 with each request"
            }
        };
        let words = |example: &'_ Option<Example>| match example {
            Some(example) => (example.method.clone(), example.arguments.clone()),
            None => (String::new(), String::new()),
        };
        let (method, arguments) = words(&self.example);
        let (list, list_arguments) = words(&self.list);
        [
            ("{operations}", operations.as_str()),
            ("{server}", &server),
            ("{token}", token),
            ("{schemes}", &schemes.join(", ")),
            (
                "{second scheme}",
                self.schemes.get(1).map_or("", |name| name),
            ),
            ("{method}", method.as_str()),
            ("{arguments}", arguments.as_str()),
            ("{list}", list.as_str()),
            ("{stream}", self.stream.as_deref().unwrap_or_default()),
            ("{list arguments}", list_arguments.as_str()),
            ("{feature}", features.first().map_or("", String::as_str)),
            ("{label}", &self.label),
            ("{title}", &self.title),
        ]
        .iter()
        .fold(readme.to_owned(), |text, (place, words)| {
            text.replace(place, words)
        })
    }
}

/// Keeps or removes the lines between `<!-- if CONDITION -->` and `<!-- end -->`.
fn choose(text: &str, condition: &str, holds: bool) -> String {
    let opening = format!("<!-- if {condition} -->\n");
    let mut parts = text.split(opening.as_str());
    let mut chosen = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (block, rest) = part.split_once("<!-- end -->\n").unwrap_or((part, ""));
        if holds {
            chosen.push_str(block);
        }
        chosen.push_str(rest);
    }
    chosen
}

/// Escapes a title for Markdown, in one line.
fn plain(title: &str) -> String {
    let mut text = String::new();
    for c in title
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
    {
        if "\\`*_{}[]<>#|~".contains(c) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

/// Returns the simplest request of the client: a GET for JSON that needs the fewest parameters, all of them in the path
/// and of simple types, and for which `is_wanted` returns true. `None` if there is no such operation.
fn example(
    normalized: &Value,
    signatures: &Signatures,
    is_wanted: impl Fn(&walk::Operation<'_>) -> bool,
) -> Option<Example> {
    let candidates = walk::operations(normalized)
        .into_iter()
        .filter_map(|operation| {
            let value = operation.object;
            let is_simple = operation.method == "get"
                && is_wanted(&operation)
                && !value.has_flag("deprecated")
                && returns_json(normalized, value)
                && !needs_more(normalized, &operation);
            let method = names::method_name(operation.id().filter(|_| is_simple)?);
            // `httpmock` has methods of these names, which hide the mock.
            if [
                "reset", "host", "port", "address", "url", "base_url", "mock",
            ]
            .contains(&method.as_str())
            {
                return None;
            }
            let arguments = signatures.method(&method)?;
            let count = arguments.len();
            let arguments: Option<Vec<&str>> =
                arguments.iter().map(|(_, ty)| literal(ty)).collect();
            Some((
                count,
                Example {
                    method,
                    arguments: arguments?.join(", "),
                },
            ))
        });
    // The document's order decides between equals.
    candidates
        .min_by_key(|(count, _)| *count)
        .map(|(_, example)| example)
}

/// Returns the methods of the first operation that is a stream.
fn stream(normalized: &Value, model: &Model, signatures: &Signatures) -> Option<String> {
    walk::operations(normalized).iter().find_map(|operation| {
        let stream = model.operation(&operation.pointer)?.stream.as_ref()?;
        let method = names::method_name(operation.id()?);
        let arguments = match signatures.method(&method)?.as_slice() {
            [] => "",
            _ => "…",
        };
        let items = match stream.format {
            StreamFormat::Events(_) => "events",
            StreamFormat::Lines => "lines",
        };
        Some(format!("{method}({arguments}).{items}"))
    })
}

/// Returns true if a success of the operation is JSON.
fn returns_json(document: &Value, operation: &Value) -> bool {
    let responses = operation.get("responses").and_then(Value::as_object);
    responses.into_iter().flatten().any(|(status, response)| {
        let content = walk::follow(document, response).and_then(|response| response.get("content"));
        status.starts_with('2')
            && content.is_some_and(|content| content.get("application/json").is_some())
    })
}

/// Returns true if a request needs a parameter that is not in the path.
fn needs_more(document: &Value, operation: &walk::Operation<'_>) -> bool {
    let mut parameters = of_operation(document, operation).into_iter();
    parameters.any(|parameter| parameter.is_required() && parameter.location() != "path")
}

/// Returns a value of the type, if it is simple.
fn literal(ty: &Type) -> Option<&'static str> {
    Some(match simple(ty)? {
        Simple::SmallInteger | Simple::Integer => "1",
        Simple::Boolean => "true",
        Simple::Uuid => "\"3c90c3cc-0d44-4b50-8888-8dd25736052a\".parse()?",
        Simple::IntoString => "\"abc\"",
        Simple::Float | Simple::String | Simple::Body => return None,
    })
}
