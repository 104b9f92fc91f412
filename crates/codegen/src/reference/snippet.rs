//! Snippets in Rust: programs that send a request.

use quote::ToTokens as _;
use serde_json::Value;
use syn::Type;
use syn::visit_mut::{self, VisitMut};

use crate::signature::{Simple, simple};

/// The values of a snippet.
pub(super) struct Snippet<'a> {
    pub(super) krate: &'a str,
    /// The values that the snippet takes, with their types.
    taken: Vec<(String, String)>,
    pub(super) uses_uuid: bool,
}

impl<'a> Snippet<'a> {
    pub(super) fn new(krate: &'a str) -> Self {
        Self {
            krate,
            taken: Vec::new(),
            uses_uuid: false,
        }
    }

    /// Returns the literal of a value; else its name, and the snippet takes it.
    pub(super) fn value(&mut self, name: &str, ty: &Type, example: Option<&Value>) -> String {
        match literal(ty, example) {
            Some((literal, is_uuid)) => {
                self.uses_uuid |= is_uuid;
                literal
            }
            None => {
                self.take(name, ty);
                escaped(name)
            }
        }
    }

    fn take(&mut self, name: &str, ty: &Type) {
        let ty = match ty {
            // A string of any kind.
            Type::ImplTrait(_) => "String".to_owned(),
            ty => {
                let mut ty = ty.clone();
                OfFacade(self.krate).visit_type_mut(&mut ty);
                ty.to_token_stream().to_string().replace(' ', "")
            }
        };
        self.taken.push((name.to_owned(), ty));
    }

    pub(super) fn program(&self, method: &str, lines: &str) -> String {
        let krate = self.krate;
        let uuid = if self.uses_uuid {
            format!("use {krate}::{{Client, Uuid}};\n")
        } else {
            format!("use {krate}::Client;\n")
        };
        let error = "Result<(), Box<dyn std::error::Error>>";
        if self.taken.is_empty() {
            return format!(
                "{uuid}\n#[tokio::main]\nasync fn main() -> {error} {{\n    let client = Client::from_env()?;\n{lines}    \
                 Ok(())\n}}\n"
            );
        }
        let taken = self.taken.iter();
        let taken: Vec<String> = taken
            .map(|(name, ty)| format!(", {}: {ty}", escaped(name)))
            .collect();
        format!(
            "{uuid}\nasync fn {}(client: &Client{}) -> {error} {{\n{lines}    Ok(())\n}}\n",
            escaped(method),
            taken.concat()
        )
    }
}

/// Makes the paths of the client crate those of the facade of this name.
struct OfFacade<'a>(&'a str);

impl VisitMut for OfFacade<'_> {
    fn visit_path_mut(&mut self, path: &mut syn::Path) {
        visit_mut::visit_path_mut(self, path);
        let first = path.segments.first().map(|first| first.ident.to_string());
        if ["types", "uuid", "chrono"].contains(&first.unwrap_or_default().as_str()) {
            path.leading_colon = None;
            let krate = syn::PathSegment::from(quote::format_ident!("{}", self.0));
            path.segments.insert(0, krate);
        }
    }
}

/// Returns the literal of a value, and true if it names `Uuid`. `None` for types without a short one.
pub(super) fn literal(ty: &Type, example: Option<&Value>) -> Option<(String, bool)> {
    let integer = example.and_then(Value::as_i64).filter(|value| *value >= 0);
    Some(match simple(ty)? {
        Simple::SmallInteger => {
            let value = integer.filter(|value| *value < 128).unwrap_or(1);
            (value.to_string(), false)
        }
        Simple::Integer => {
            let value = integer.filter(|value| i32::try_from(*value).is_ok());
            (value.unwrap_or(1).to_string(), false)
        }
        Simple::Float => {
            let value = example.and_then(Value::as_f64).unwrap_or(1.5);
            (format!("{value:?}"), false)
        }
        Simple::Boolean => ("true".to_owned(), false),
        Simple::Uuid => {
            let id = example
                .and_then(Value::as_str)
                .unwrap_or("3c90c3cc-0d44-4b50-8888-8dd25736052a");
            (format!("{id:?}.parse::<Uuid>()?"), true)
        }
        Simple::String | Simple::IntoString | Simple::Body => {
            let text = example.and_then(Value::as_str).unwrap_or("text");
            (format!("{text:?}"), false)
        }
    })
}

/// Returns an identifier, raw if it is a keyword.
pub(super) fn escaped(name: &str) -> String {
    match syn::parse_str::<syn::Ident>(name) {
        Ok(_) => name.to_owned(),
        Err(_) => format!("r#{name}"),
    }
}
