//! Postprocess: passes over the syntax tree change what progenitor has no setting for.
//!
//! Each pass is a module with its tests.

mod bodies;
mod builder;
mod client;
mod constants;
mod deprecated;
mod docs;
mod embed;
mod enums;
mod features;
mod identity;
mod inline;
mod markdown;
mod mask;
mod mock;
mod multipart;
mod nullable;
mod operations;
mod order;
mod paging;
mod record;
pub(crate) mod request_spec;
mod responses;
mod rust_type;
mod servers;
mod size;
mod streams;
mod structs;
mod syntax;
mod types;
mod unions;
mod webhooks;
mod wire;

use std::collections::BTreeSet;
use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use serde_json::Value;
use syn::{Item, parse_quote};

use self::mask::Unmatched;
use super::generate::{self, Generate, Tokens};
use super::load::Source;
use super::security;
use super::settings::Settings;
use super::unsupported::Unsupported;
use crate::description::sentences::Facts;
use crate::description::{self, Operation};
use crate::features::Features;
use crate::model::Model;
use crate::origin::{OriginalOperations, Origins};
use crate::problem::{Location, Problem, Problems};
use crate::signature::Signatures;
use crate::stack;

pub(crate) use markdown::for_rustdoc;
pub(crate) use syntax::{fields_of_self, first_argument, implemented, passed, plain, text};

use client::methods;

/// The generated sources of the three crates, and their names.
#[derive(Clone, Debug, Default)]
pub struct GeneratedSources {
    /// The types crate: the schemas.
    pub types: String,
    /// The schemas as JSON, which the types crate embeds.
    pub schemas: String,
    /// The responses as JSON, which the client crate embeds.
    pub responses: String,
    /// The client crate: the operations.
    pub client: String,
    /// The mock crate: the mocks of the operations.
    pub mock: String,
    /// The description of the operations.
    pub operations: Vec<Operation>,
    /// The signatures of methods and setters.
    pub signatures: Signatures,
    /// The names of the types.
    pub names: BTreeSet<String>,
    /// The operations that have a method.
    pub methods: BTreeSet<String>,
    /// The Cargo features.
    pub features: Features,
}

/// Generates the code, runs all passes over it, and prints it. Also returns the features that are not supported.
///
/// `source` has the original document, with the order of properties; `normalized` is the document for progenitor, whose
/// parts have these `origins`. With `has_features`, a large document has a Cargo feature for each group of operations.
///
/// # Errors
/// Errors with the message of progenitor. The inner result has settings that do not match the document.
pub fn postprocess(
    generate: &Generate<'_>,
    source: &Source,
    normalized: &Value,
    model: &Model,
    origins: &Origins,
    settings: &Settings,
    has_features: bool,
) -> Result<Result<(GeneratedSources, Vec<Unsupported>), Problems>, String> {
    let features = if has_features {
        Features::of(normalized)
    } else {
        Features::default()
    };
    let (schemas, requests) = generate.read()?;
    let operations = description::describe(source, normalized, model, origins);
    let facts = Facts::of(source, normalized, origins, &operations);
    let document = &source.document;
    let made = thread::scope(|scope| -> Result<_, String> {
        let (bodies, of_types) = mpsc::channel();
        let client = stack::spawn(scope, || {
            let items = generate.client(requests)?;
            client_and_mock(
                items, of_types, source, normalized, model, &facts, &features,
            )
        });
        let client = match client {
            Ok(client) => client,
            Err(error) => return Ok(Err(without_thread(source, &error))),
        };
        let types = generate
            .types(schemas)
            .and_then(|tokens| types::write(tokens, document, normalized, model, settings, &facts));
        if let Ok(types) = &types {
            // The client waits for them, unless it has failed.
            let _ = bodies.send(types.bodies.clone());
        }
        drop(bodies);
        let embedded = embed::schemas_json(document);
        let originals = OriginalOperations::of(document, &source.origins, origins);
        let responses = embed::responses_json(normalized, document, &originals);
        let client = client.join().unwrap_or_else(|panic| resume_unwind(panic));
        let (types, client) = (types?, client?);
        if !types.unmatched.is_empty() {
            return Ok(Err(unmatched(&types.unmatched, settings)));
        }
        Ok(client.map(|(mut client, uses)| {
            client.signatures.read_builders(&types.builders);
            let sources = GeneratedSources {
                types: types.sources.text(&features, &uses),
                schemas: embedded,
                responses,
                names: types.names,
                ..client
            };
            (sources, types.unsupported)
        }))
    });
    Ok(made?.map(|(sources, unsupported)| {
        let sources = GeneratedSources {
            operations,
            features,
            ..sources
        };
        (sources, unsupported)
    }))
}

/// Returns the problem of a machine that cannot start a thread.
fn without_thread(source: &Source, error: &io::Error) -> Problems {
    let cause = format!("cannot start a thread to generate the client: {error}");
    let remedy = "allow the process more threads or address space";
    Problem::of_file(source.path.clone(), cause, remedy).into()
}

/// Returns the problems of settings that do not match the document.
fn unmatched(unmatched: &[Unmatched], settings: &Settings) -> Problems {
    let problems = unmatched.iter().map(|unmatched| {
        let Unmatched {
            schema, property, ..
        } = unmatched;
        let remedy = match &unmatched.likely {
            Some((now, name)) if now == schema => {
                format!("if it is called `{name}` now, rename it; otherwise remove it")
            }
            Some((now, _)) => {
                format!("if `{schema}` is called `{now}` now, rename it; otherwise remove it")
            }
            None => "use names of the document, or remove it".to_owned(),
        };
        Problem {
            file: settings.path.clone(),
            location: Location::File,
            cause: format!(
                "`[sensitive]` has the property `{property}` of `{schema}`, which no struct has"
            ),
            remedy,
        }
    });
    Problems(problems.collect())
}

/// Postprocesses and prints the client and the mocks. `bodies` has the structs of bodies that are sent in parts, when the
/// types are written. Also returns what the client uses.
fn client_and_mock(
    items: Vec<Tokens>,
    bodies: Receiver<multipart::Bodies>,
    source: &Source,
    normalized: &Value,
    model: &Model,
    facts: &Facts<'_>,
    features: &Features,
) -> Result<Result<(GeneratedSources, features::Uses), Problems>, String> {
    let mut client = generate::parse(items)?;
    use_types(&mut client);
    multipart::describe(&mut client, model);
    let results = mock::results(&mut client);
    let responses = responses::responses(&mut client, normalized, model);
    client::drop_version_header(&mut client);
    client::drop_prelude(&mut client);
    bodies::optional(&mut client, normalized, model);
    // Only a client that sends parts waits for the types. If they fail, their error is returned, not this client.
    let mut operations = model.operations.values();
    let bodies = if operations.any(|operation| operation.body.parts().is_some()) {
        bodies.recv().unwrap_or_default()
    } else {
        multipart::Bodies::default()
    };
    let unwritten = wire::correct(&mut client, &bodies, normalized, model);
    if !unwritten.is_empty() {
        let problems = unwritten.iter().map(|method| Problem {
            file: source.path.clone(),
            location: Location::File,
            cause: format!("the body of `{method}` cannot be written in parts"),
            remedy: "this is a bug in the generator: report it with the document".to_owned(),
        });
        return Ok(Err(Problems(problems.collect())));
    }
    client::tidy_messages(&mut client);
    servers::add(&mut client, normalized);
    security::add_schemes(&mut client, normalized);
    client.items.push(embed::responses());
    client.items.extend(webhooks::receiver(model));
    deprecated::operations(&mut client, normalized);
    docs::tidy(&mut client, facts);
    operations::write(&mut client, &responses, normalized, model);
    let methods = methods(&client);
    let mut signatures = Signatures::default();
    signatures.read_client(&client.items);
    inline::mark(&mut client.items);
    let uses = features::mark(&mut client, features);
    let sources = GeneratedSources {
        client: features::in_line(prettyplease::unparse(&client), features),
        mock: mock::write(&signatures, &results, normalized, model, features),
        signatures,
        methods,
        ..GeneratedSources::default()
    };
    Ok(Ok((sources, uses)))
}

/// Makes the client use the types crate in place of `mod types`.
fn use_types(client: &mut syn::File) {
    for item in &mut client.items {
        if let Item::Mod(module) = item
            && module.ident == "types"
        {
            *item = parse_quote! {
                use crate::types;
            };
        }
    }
}
