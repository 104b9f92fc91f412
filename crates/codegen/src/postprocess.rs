//! step 6, postprocess: what progenitor can't be told beforehand is done on the syntax tree behind it.
//!
//! Each pass is a function on a file of the tree, in a module of its own with its tests.

mod bodies;
mod builder;
mod client;
mod deprecated;
mod docs;
mod embed;
mod enums;
mod markdown;
mod mask;
mod mock;
mod multipart;
mod nullable;
mod operations;
mod order;
mod record;
mod responses;
mod servers;
mod size;
mod structs;
mod types;
mod unions;
mod wire;

use std::collections::BTreeSet;
use std::num::NonZero;
use std::thread;

use serde_json::Value;
use syn::{Item, parse_quote};

use self::mask::Unmatched;
use super::generate::{self, Generate, Operations};
use super::load::Source;
use super::security;
use super::settings::Settings;
use super::unsupported::Unsupported;
use super::walk;
use crate::model::Model;
use crate::problem::{Location, Problem, Problems};
use crate::{names, stack};

use client::methods;
use mock::methods as mocked;

/// The generated sources of the three crates, and what is in them.
#[derive(Clone, Debug, Default)]
pub struct GeneratedSources {
    /// `call-api-types`: the schemas.
    pub types: String,
    /// `call-api-client`: the operations.
    pub client: String,
    /// `call-api-mock`: the mocks of the operations.
    pub mock: String,
    /// The names of the types.
    pub names: BTreeSet<String>,
    /// The operations that have a method.
    pub methods: BTreeSet<String>,
    /// The operations that have a mock.
    pub mocked: BTreeSet<String>,
}

/// Has the code written, runs every pass over it and prints it.
///
/// `source` has the document as it was read, for the order of its properties; `normalized` is the one that progenitor sees.
/// What can't be put right is noted as a loss.
///
/// # Errors
/// What progenitor can't turn into Rust, as it says it; within, what the settings name and the document has not.
pub fn postprocess(
    generate: &Generate<'_>,
    source: &Source,
    normalized: &Value,
    model: &Model,
    settings: &Settings,
) -> Result<Result<(GeneratedSources, Vec<Unsupported>), Problems>, String> {
    let types = |tokens| types::write(tokens, &source.document, normalized, model, settings);
    let client =
        |raw, bodies: &multipart::Bodies| operations(raw, source, normalized, model, bodies);
    let (types, client) = if may_be_written_twice(normalized) {
        // Tokens can't leave the thread that they were made on: each thread has progenitor write the whole, which takes a
        // tenth of the time, and takes its half.
        thread::scope(|scope| {
            let write = || types(generate.types()?);
            let thread = thread::Builder::new()
                .name("types".to_owned())
                .stack_size(stack::SIZE)
                .spawn_scoped(scope, write);
            let client = generate.both().and_then(|(tokens, raw)| {
                let bodies = types::bodies(tokens, &source.document, normalized, model, settings)?;
                client(raw, &bodies)
            });
            let types = match thread {
                Ok(thread) => thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                // Where there is no second thread to be had, they come one after the other.
                Err(_) => write(),
            };
            Ok::<_, String>((types?, client?))
        })?
    } else {
        let (tokens, raw) = generate.both()?;
        let types = types(tokens)?;
        let client = client(raw, &types.bodies)?;
        (types, client)
    };
    if !types.unmatched.is_empty() {
        return Ok(Err(unmatched(&types.unmatched, settings)));
    }
    Ok(client.map(|client| {
        let sources = GeneratedSources {
            types: types.text,
            names: types.names,
            ..client
        };
        (sources, types.unsupported)
    }))
}

/// Whether the two sources are made at the same time, each with tokens of its own for the whole document: those of a large
/// one are most of the memory that it takes.
fn may_be_written_twice(document: &Value) -> bool {
    const LARGE: usize = 2_000;
    let size = walk::operations(document).len() + walk::schemas(document).count();
    size < LARGE && thread::available_parallelism().is_ok_and(|cores| cores > NonZero::<usize>::MIN)
}

/// That the settings name what isn't there.
fn unmatched(unmatched: &[Unmatched], settings: &Settings) -> Problems {
    let problems = unmatched.iter().map(|unmatched| {
        let Unmatched {
            schema, property, ..
        } = unmatched;
        let remedy = match &unmatched.likely {
            Some((now, name)) if now == schema => {
                format!("if it is called `{name}` now, write that instead; else take it out")
            }
            Some((now, _)) => {
                format!("if `{schema}` is called `{now}` now, write that instead; else take it out")
            }
            None => "name a schema and a property as the document does, or take it out".to_owned(),
        };
        Problem {
            file: settings.path.clone(),
            location: Location::File,
            cause: format!("under `[sensitive]`, `{schema}` has `{property}`, which no struct has"),
            remedy,
        }
    });
    Problems(problems.collect())
}

/// Polishes and prints the client and the mocks.
fn operations(
    mut written: Operations,
    source: &Source,
    normalized: &Value,
    model: &Model,
    bodies: &multipart::Bodies,
) -> Result<Result<GeneratedSources, Problems>, String> {
    let mut client = generate::parse(std::mem::take(&mut written.client))?;
    use_types(&mut client);
    multipart::describe(&mut client, model);
    let results = mock::results(&mut client);
    let responses = responses::responses(&mut client, normalized, model);
    client::drop_version_header(&mut client);
    client::drop_prelude(&mut client);
    bodies::optional(&mut client, normalized, model);
    let unwritten = wire::correct(&mut client, bodies, normalized, model);
    if !unwritten.is_empty() {
        let problems = unwritten.iter().map(|method| Problem {
            file: source.path.clone(),
            location: Location::File,
            cause: format!("the body of `{method}` can't be written as its parts"),
            remedy: "this is a bug in xtask: report it with the document".to_owned(),
        });
        return Ok(Err(Problems(problems.collect())));
    }
    client::tidy_messages(&mut client);
    servers::add(&mut client, normalized);
    security::add_schemes(&mut client, normalized);
    client
        .items
        .push(embed::responses(normalized, &source.document));
    deprecated::operations(&mut client, normalized);
    docs::tidy(&mut client);
    operations::write(&mut client, &responses, normalized);
    let methods = methods(&client);
    let text = prettyplease::unparse(&client);
    // The tree of one is gone before that of the other is there.
    drop(client);
    let mut mock = generate::parse(written.mock()?)?;
    mock::fit(&mut mock, &results, normalized, model);
    Ok(Ok(GeneratedSources {
        client: text,
        methods,
        mock: prettyplease::unparse(&mock),
        mocked: mocked(&mock),
        ..GeneratedSources::default()
    }))
}

/// Has the client find in the types crate what progenitor wrote into `mod types`, which is gone.
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

/// The Rust names of the document's schemas.
pub(super) fn schema_names(document: &Value) -> BTreeSet<String> {
    walk::schemas(document)
        .map(|(name, _)| names::type_name(name))
        .collect()
}
