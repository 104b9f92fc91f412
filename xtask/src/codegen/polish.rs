//! Step 6, polish: what progenitor can't be told beforehand is done on the syntax tree behind it.
//!
//! Each pass is a function on a file of the tree, in a module of its own with its tests.

mod bodies;
mod client;
mod deprecated;
mod docs;
mod embed;
mod enums;
mod markdown;
mod mask;
mod mock;
pub(super) mod multipart;
mod nullable;
mod order;
pub(super) mod responses;
mod servers;
mod split;
mod structs;
mod unions;
mod wire;

use std::collections::BTreeSet;

use serde_json::Value;

use self::mask::Unmatched;
use super::generate::Raw;
use super::load::Source;
use super::loss::Loss;
use super::normalise;
use super::settings::Settings;
use super::walk;
use crate::codegen::names;
use crate::problem::{Place, Problem, Problems};

pub(super) use client::methods;
pub(super) use mock::methods as mocked;

/// The generated halves of the three crates.
#[derive(Clone)]
pub struct Halves {
    /// `call-api-types`: the schemas.
    pub types: syn::File,
    /// `call-api-client`: the operations.
    pub client: syn::File,
    /// `call-api-mock`: the mocks of the operations.
    pub mock: syn::File,
}

/// Splits progenitor's files into the halves and runs every pass over them.
///
/// `source` has the document as it was read, for the order of its properties; `normalised` is the one that progenitor saw.
/// What can't be put right is noted as a loss.
///
/// # Errors
/// What the settings name and the document has not.
pub fn polish(
    raw: Raw,
    source: &Source,
    normalised: &Value,
    settings: &Settings,
    losses: &mut Vec<Loss>,
) -> Result<Halves, Problems> {
    let original = &source.document;
    let mut halves = split::split(raw);
    split::alias(&mut halves.types, normalised);
    order::restore(&mut halves.types, normalised, original);
    unions::by_tag(&mut halves.types, normalised);
    enums::restore_values(&mut halves.types, normalised);
    enums::open(
        &mut halves.types,
        &closed_enums(normalised),
        &schema_names(normalised),
    );
    nullable::tell_apart(&mut halves.types, normalised, losses);
    structs::restore_names(&mut halves.types, normalised);
    multipart::export(&mut halves, normalised);
    structs::extend(&mut halves.types);
    let unmatched = mask::hide(&mut halves.types, &settings.sensitive);
    if !unmatched.is_empty() {
        let problems = unmatched.iter().map(|unmatched| {
            let Unmatched {
                schema, property, ..
            } = unmatched;
            let remedy = match &unmatched.likely {
                Some((now, name)) if now == schema => {
                    format!("if it is called `{name}` now, write that instead; else take it out")
                }
                Some((now, _)) => {
                    format!(
                        "if `{schema}` is called `{now}` now, write that instead; else take it out"
                    )
                }
                None => {
                    "name a schema and a property as the document does, or take it out".to_owned()
                }
            };
            Problem {
                file: settings.path.clone(),
                place: Place::File,
                cause: format!(
                    "under `[sensitive]`, `{schema}` has `{property}`, which no struct has"
                ),
                remedy,
            }
        });
        return Err(Problems(problems.collect()));
    }
    let bodies = responses::by_status(&mut halves.client, normalised);
    mock::fit(&mut halves.mock, &halves.client, &bodies, normalised);
    client::drop_constructors(&mut halves.client);
    client::drop_version_header(&mut halves.client);
    client::drop_prelude(&mut halves.client);
    bodies::optional(&mut halves.client, normalised);
    let unwritten = wire::correct(&mut halves.client, &halves.types, normalised);
    if !unwritten.is_empty() {
        let problems = unwritten.iter().map(|method| Problem {
            file: source.path.clone(),
            place: Place::File,
            cause: format!("the body of `{method}` can't be written as its parts"),
            remedy: "this is a fault of xtask: report it with the document".to_owned(),
        });
        return Err(Problems(problems.collect()));
    }
    client::tidy_messages(&mut halves.client);
    client::add_operations(&mut halves.client, normalised);
    servers::add(&mut halves.client, normalised);
    embed::embed(&mut halves, normalised, original);
    deprecated::mark(&mut halves, normalised);
    docs::tidy(&mut halves.types);
    docs::tidy(&mut halves.client);
    Ok(halves)
}

/// The Rust names of the string enums that tell the members of a union apart.
fn closed_enums(document: &Value) -> BTreeSet<String> {
    let tags = normalise::tag_places(document);
    let named =
        tags.iter().filter_map(
            |place| match place.tokens().collect::<Vec<_>>().as_slice() {
                [components, schemas, name]
                    if components == "components" && schemas == "schemas" =>
                {
                    Some(names::type_name(name))
                }
                _ => None,
            },
        );
    // typify names the inline ones itself; whatever single-valued enum is no schema of the document is one of them.
    named.collect()
}

/// The Rust names of the document's schemas.
pub(super) fn schema_names(document: &Value) -> BTreeSet<String> {
    walk::schemas(document)
        .map(|(name, _)| names::type_name(name))
        .collect()
}
