//! Generate: progenitor turns the normalized document into Rust tokens.
//!
//! progenitor and typify report what they do not support as an error or a panic without a location. `isolate` finds
//! the location.

mod isolate;
mod requests;
mod tokens;

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use openapiv3::OpenAPI;
use proc_macro2::{TokenStream, TokenTree};
use progenitor::{GenerationSettings, Generator, InterfaceStyle};
use serde_json::{Value, json};

use crate::model::Model;
use crate::names;
use crate::pointer::{Lookup as _, Pointer};
use crate::problem::Finding;
use crate::unsupported::Unsupported;
use crate::walk;

pub(crate) use tokens::{Tokens, items, parse, parse_item, take_body};

/// The version of progenitor that wrote the committed output. Cargo.toml requires exactly this one.
pub const PROGENITOR_VERSION: &str = "0.15.1";

/// The path of `FilePart` in the generated code of the types crate.
const FILE_PART: &str = "crate::file_part::FilePart";

/// A normalized document that progenitor generates code from. Types and client are generated on their own, since tokens
/// cannot leave the thread that created them.
#[derive(Clone, Copy)]
pub struct Generate<'a> {
    document: &'a Value,
    model: &'a Model,
}

impl Generate<'_> {
    /// Reads the document: the part for [`Generate::types`], and that for [`Generate::client`].
    ///
    /// # Errors
    /// Errors with the location that progenitor cannot read.
    pub fn read(&self) -> Result<(OpenAPI, OpenAPI), String> {
        Ok(requests::split(self.read_whole()?, self.document))
    }

    fn read_whole(&self) -> Result<OpenAPI, String> {
        serde_path_to_error::deserialize(self.document)
            .map_err(|error| format!("{}: {}", error.path(), error.inner()))
    }

    /// Generates the types: the content of `mod types`. They have no builders, which `postprocess` declares. Takes the
    /// document, which is freed before the tokens are parsed.
    ///
    /// # Errors
    /// Errors with the message of progenitor.
    pub fn types(&self, schemas: OpenAPI) -> Result<TokenStream, String> {
        self.sdk(InterfaceStyle::Positional, schemas)
            .map(|(types, _)| types)
    }

    /// Generates the items of the client with its builders, without types.
    ///
    /// # Errors
    /// Errors with the message of progenitor.
    pub fn client(&self, requests: OpenAPI) -> Result<Vec<Tokens>, String> {
        self.sdk(InterfaceStyle::Builder, requests)
            .map(|(_, client)| client)
    }

    /// Generates the SDK, and returns the content of `mod types` and the other items.
    fn sdk(
        &self,
        interface: InterfaceStyle,
        api: OpenAPI,
    ) -> Result<(TokenStream, Vec<Tokens>), String> {
        let tokens = catching(|| {
            Generator::new(&settings(self.model, interface))
                .generate_tokens(&api)
                .map_err(|error| error.to_string())
        })??;
        drop(api);
        let mut types = TokenStream::new();
        let rest = items(tokens).map(|mut item| {
            if matches!(item.as_slice(), [.., TokenTree::Ident(word), TokenTree::Ident(name), _] if word == "mod" && name == "types")
            {
                types = take_body(&mut item).unwrap_or_default();
            }
            item
        });
        let rest = rest.collect();
        Ok((types, rest))
    }
}

/// Generates with `make`. If it fails, searches the document for the cause.
///
/// # Errors
/// Errors with the schemas or operations that progenitor does not support, each with its message.
pub fn generate<T>(
    document: &Value,
    model: &Model,
    make: impl Fn(&Generate<'_>, &Value) -> Result<T, String>,
) -> Result<T, Vec<Finding>> {
    let generate = Generate { document, model };
    make(&generate, document).map_err(|cause| isolate::isolate(generate, &cause))
}

/// Generates like [`generate`], but leaves out what progenitor does not support: such a schema is read as any JSON
/// value, and such an operation has no method. Each is reported as unsupported. Returns the document without them, too.
///
/// # Errors
/// Errors if the document fails as a whole.
pub fn generate_what_can_be<T>(
    mut document: Value,
    model: &Model,
    unsupported: &mut Vec<Unsupported>,
    make: impl Fn(&Generate<'_>, &Value) -> Result<T, String>,
) -> Result<(T, Value), Vec<Finding>> {
    let mut left_out = BTreeSet::new();
    // Each round leaves out at least one object. Later rounds find failures that earlier ones hid.
    for _ in 0..ROUNDS {
        let findings = match generate(&document, model, &make) {
            Ok(made) => return Ok((made, document)),
            Err(findings) => findings,
        };
        if findings
            .iter()
            .any(|finding| finding.pointer == Pointer::root())
        {
            return Err(findings);
        }
        for mut finding in findings {
            // The schema still fails without this property, so the schema itself is the cause.
            let tokens: Vec<String> = finding.pointer.tokens().collect();
            if !left_out.insert(finding.pointer.clone())
                && let [_, _, name, properties, _] = tokens.as_slice()
                && properties == "properties"
            {
                finding.pointer = Pointer::schema(name);
            }
            leave_out(&mut document, &finding, unsupported);
        }
        for operation in without_parts(&document, model) {
            let cause =
                "the operation: progenitor does not support the parts of its body".to_owned();
            leave_out(
                &mut document,
                &Finding::new(&operation, cause, ""),
                unsupported,
            );
        }
    }
    generate(&document, model, make).map(|made| (made, document))
}

/// The maximum number of rounds.
const ROUNDS: usize = 16;

fn leave_out(document: &mut Value, finding: &Finding, unsupported: &mut Vec<Unsupported>) {
    let tokens: Vec<_> = finding.pointer.tokens().collect();
    let instead = match tokens.as_slice() {
        [paths, path, method] if paths == "paths" => {
            if let Some(item) = document
                .get_mut(paths)
                .and_then(|paths| paths.get_mut(path))
                .and_then(Value::as_object_mut)
            {
                item.remove(method);
            }
            "the operation has no method"
        }
        _ => {
            if let Some(schema) = document.at_mut(finding.pointer.as_str()) {
                let description = schema.get("description").cloned();
                *schema = json!({});
                if let Some(description) = description {
                    schema["description"] = description;
                }
            }
            "it is read as any JSON value"
        }
    };
    unsupported.push(Unsupported {
        left_out: true,
        ..Unsupported::new(&finding.pointer, finding.cause.clone(), instead)
    });
}

/// Returns the operations that lack a property for a part of their body, because the schema was left out.
fn without_parts(document: &Value, model: &Model) -> Vec<Pointer> {
    let is_whole = |operation: &walk::Operation<'_>| {
        let facts = model.operation(&operation.pointer);
        let parts = facts.and_then(|facts| facts.body.parts());
        let properties = operation
            .object
            .get("requestBody")
            .and_then(|body| walk::follow(document, body))
            .and_then(|body| body.at("/content/application~1json/schema"))
            .and_then(|schema| walk::follow(document, schema))
            .and_then(|schema| schema.get("properties"));
        parts
            .into_iter()
            .flatten()
            .all(|part| properties.is_some_and(|properties| properties.get(&part.name).is_some()))
    };
    walk::operations(document)
        .into_iter()
        .filter(|operation| !is_whole(operation))
        .map(|operation| operation.pointer)
        .collect()
}

fn settings(model: &Model, interface: InterfaceStyle) -> GenerationSettings {
    let mut settings = GenerationSettings::new();
    settings
        .with_interface(interface)
        .with_derive("PartialEq")
        // A sorted map makes the encoded text reproducible.
        .with_map_type("::std::collections::BTreeMap");
    if let Some(file) = &model.file {
        settings.with_replacement(names::type_name(file), FILE_PART, std::iter::empty());
    }
    settings
}

thread_local! {
    /// The message of the panic that is being caught, or `None` outside of [`catching`].
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`, and turns a panic into an error with its message, without printing it.
fn catching<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let caught = CAUGHT.with(|caught| match caught.borrow_mut().as_mut() {
                Some(message) => {
                    *message = message_of(info.payload());
                    true
                }
                None => false,
            });
            if !caught {
                previous(info);
            }
        }));
    });
    CAUGHT.with(|caught| *caught.borrow_mut() = Some(String::new()));
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    let message = CAUGHT
        .with(|caught| caught.borrow_mut().take())
        .unwrap_or_default();
    result.map_err(|_| message)
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    let message = payload
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked".to_owned());
    // The message of a panic may contain a whole value.
    let mut line: String = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() > 300 {
        let cut = (0..=300)
            .rev()
            .find(|index| line.is_char_boundary(*index))
            .unwrap_or_default();
        line.truncate(cut);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests;
