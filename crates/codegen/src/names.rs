//! Rust names for the names in a document.

use std::collections::BTreeSet;

use heck::{ToPascalCase, ToSnakeCase};
use serde_json::Value;

use crate::pointer::{Lookup as _, Pointer};
use crate::walk;

/// Returns the name of typify's type for a schema.
pub fn type_name(name: &str) -> String {
    as_ident(&upper_camel(name), "X")
}

/// Returns the names of typify's types for the schemas of a document.
pub fn type_names(document: &Value) -> BTreeSet<String> {
    walk::schemas(document)
        .map(|(name, _)| type_name(name))
        .collect()
}

/// Returns the name of progenitor's method for an operation id.
pub fn method_name(operation_id: &str) -> String {
    parameter_name(operation_id)
}

/// Returns the name of progenitor's setter for a parameter. Unlike typify's names, it starts with an underscore instead
/// of a digit.
pub fn parameter_name(name: &str) -> String {
    let name = match name {
        "+1" => "plus1".to_owned(),
        "-1" => "minus1".to_owned(),
        name => snake(name),
    };
    match name.as_str() {
        "" => "x".to_owned(),
        // A keyword since edition 2024.
        "gen" => "gen_".to_owned(),
        name => as_ident(name, "_"),
    }
}

/// Returns the name of progenitor's builder for an operation id.
pub fn builder_name(operation_id: &str) -> String {
    as_ident(&upper_camel(&method_name(operation_id)), "_")
}

/// Converts a name to upper camel case. Most names are in it, and heck takes much longer than this test: it writes each letter
/// on its own.
fn upper_camel(name: &str) -> String {
    if is_upper_camel(name) {
        name.to_owned()
    } else {
        clean(name).to_pascal_case()
    }
}

/// Converts a name to snake case.
fn snake(name: &str) -> String {
    if is_snake(name) {
        name.to_owned()
    } else {
        clean(name).to_snake_case()
    }
}

/// Returns true for ASCII letters of which the first is a capital, and no other capital follows one.
fn is_upper_camel(name: &str) -> bool {
    let mut follows_capital = false;
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| {
            let is_capital = byte.is_ascii_uppercase();
            let fits = byte.is_ascii_lowercase() || is_capital && !follows_capital;
            follows_capital = is_capital;
            fits
        })
}

/// Returns true for words of ASCII letters without capitals, and digits, with an underscore between two words.
fn is_snake(name: &str) -> bool {
    let is_word = |word: &str| {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        !word.is_empty() && word.bytes().all(fits)
    };
    name.split('_').all(is_word)
}

fn clean(name: &str) -> String {
    name.replace('\'', "")
        .replace(|c: char| !c.is_alphanumeric() && c != '_', "-")
}

fn as_ident(name: &str, prefix: &str) -> String {
    let starts_well = name
        .chars()
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_');
    let name = if starts_well {
        name.to_owned()
    } else {
        format!("{prefix}{name}")
    };
    if is_plain(&name) || syn::parse_str::<syn::Ident>(&name).is_ok() {
        name
    } else {
        format!("{name}_")
    }
}

/// Returns true if an identifier cannot be a keyword, without parsing: `Self` is the only keyword with a capital
/// letter, and none has more than 8 letters.
fn is_plain(name: &str) -> bool {
    let long =
        name.len() > 8 || (name.starts_with(|c: char| c.is_ascii_uppercase()) && name != "Self");
    long && name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Returns `name`, or the first of `name2`, `name3`, … that is not taken, and marks it as taken.
pub fn unique(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut candidate = name.to_owned();
    let mut number = 2;
    while !taken.insert(type_name(&candidate)) {
        candidate = format!("{name}{number}");
        number += 1;
    }
    candidate
}

/// Returns a name for the schema at a location, from the names of what encloses it.
///
/// It only depends on the location, so it does not change when other schemas are added or removed.
pub fn for_place(document: &Value, place: &Pointer) -> String {
    let steps: Vec<String> = place.tokens().collect();
    let mut words = Vec::new();
    let mut at = Pointer::root();
    let mut rest = steps.as_slice();
    while let [step, tail @ ..] = rest {
        // The keys of a map are names, even those that look like keywords, which are skipped below.
        let taken = match (step.as_str(), tail) {
            // Parameters of all operations of a path have the name of the first.
            ("paths", [path, shared, ..]) if shared == "parameters" => {
                let place = at.join(step).join(path);
                let mut methods = walk::METHODS.into_iter();
                let id = |method| text_at(document, &place.join(method).join("operationId"));
                match methods.find_map(id) {
                    Some(id) => words.push(type_name(id)),
                    None => words.push(upper_camel(path)),
                }
                2
            }
            ("paths", [path, method, ..]) => {
                let operation = at.join(step).join(path).join(method);
                match text_at(document, &operation.join("operationId")) {
                    Some(id) => words.push(type_name(id)),
                    None => words.extend([upper_camel(method), upper_camel(path)]),
                }
                3
            }
            ("parameters", [index, ..]) => {
                let name = text_at(document, &at.join(step).join(index).join("name"));
                words.push(upper_camel(name.unwrap_or(index)));
                2
            }
            ("responses", [status, ..]) => {
                words.push(if status.starts_with('2') {
                    "Response".to_owned()
                } else {
                    format!("Error{}", upper_camel(status))
                });
                2
            }
            ("components", [_, name, ..]) => {
                words.push(upper_camel(name));
                3
            }
            ("$defs" | "definitions", [name, ..]) => {
                // Definitions have names of their own.
                words.clear();
                words.push(upper_camel(name));
                2
            }
            ("properties" | "headers", [name, ..]) => {
                words.push(upper_camel(name));
                2
            }
            ("content" | "allOf", [_, ..]) => 2,
            ("anyOf" | "oneOf", [index, ..]) => {
                let number = index.parse::<usize>();
                let number = number.map_or_else(|_| index.clone(), |index| (index + 1).to_string());
                words.push(format!("Variant{number}"));
                2
            }
            ("schema", _) => 1,
            ("requestBody", _) => {
                words.push("Body".to_owned());
                1
            }
            ("items", _) => {
                words.push("Item".to_owned());
                1
            }
            ("additionalProperties" | "patternProperties", _) => {
                words.push("Value".to_owned());
                1
            }
            (other, _) => {
                words.push(upper_camel(other));
                1
            }
        };
        let (skipped, next) = rest.split_at(taken.min(rest.len()));
        at = skipped.iter().fold(at, |at, step| at.join(step));
        rest = next;
    }
    join(&words)
}

fn text_at<'a>(document: &'a Value, place: &Pointer) -> Option<&'a str> {
    document.at(place.as_str())?.as_str()
}

/// Returns the variant for values that the document does not list: `Unknown`, or the first free name if the document
/// has that value.
pub fn free_variant(taken: &[proc_macro2::Ident]) -> proc_macro2::Ident {
    let names = ["Unknown", "Unrecognized"].into_iter().map(str::to_owned);
    let numbered = (2..).map(|number| format!("Unrecognized{number}"));
    let free = names
        .chain(numbered)
        .find(|name| taken.iter().all(|ident| ident != name));
    quote::format_ident!("{}", free.unwrap_or_default())
}

/// Returns the words for a value that may consist of signs, or begin with plus or minus: `>=` is `GreaterEqual`, `-name` is
/// `Minus name`, the empty string is `Empty`.
pub fn display_name(value: &str) -> String {
    let word = |sign: char| match sign {
        '=' => "Equal",
        '!' => "Not",
        '<' => "Less",
        '>' => "Greater",
        '&' => "And",
        '|' => "Or",
        '+' => "Plus",
        '-' => "Minus",
        '*' => "Star",
        '/' => "Slash",
        '%' => "Percent",
        '.' => "Dot",
        ',' => "Comma",
        '?' => "Question",
        '#' => "Hash",
        '@' => "At",
        '~' => "Tilde",
        '^' => "Caret",
        '$' => "Dollar",
        ' ' => "Space",
        _ => "Sign",
    };
    if value.is_empty() {
        "Empty".to_owned()
    } else if !value.chars().any(char::is_alphanumeric) {
        value.chars().map(word).collect()
    } else if let Some(rest) = value.strip_prefix(['+', '-']) {
        let sign: String = value.chars().take(1).map(word).collect();
        format!("{sign} {rest}")
    } else {
        value.to_owned()
    }
}

/// Joins words to a type name without repetitions: `Contact` and `ContactType` are `ContactType`.
pub fn join(words: &[String]) -> String {
    words.iter().fold(String::new(), |joined, word| {
        match word.strip_prefix(joined.as_str()) {
            Some(rest) if !joined.is_empty() && rest.starts_with(char::is_uppercase) => {
                word.clone()
            }
            _ => joined + word,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn name_that_is_kept_is_what_heck_makes_of_it() {
        let mut names = vec![String::new()];
        let (mut upper_camel, mut snake) = (0, 0);
        for _ in 0..6 {
            let longer = |name: &String| ["a", "B", "1", "_"].map(|sign| format!("{name}{sign}"));
            names = names.iter().flat_map(longer).collect();
            for name in &names {
                if is_upper_camel(name) {
                    assert_eq!(clean(name).to_pascal_case(), *name);
                    upper_camel += 1;
                }
                if is_snake(name) {
                    assert_eq!(clean(name).to_snake_case(), *name);
                    snake += 1;
                }
            }
        }
        // Of up to six letters, the first a capital, and no two capitals in a row.
        assert_eq!(upper_camel, 1 + 1 + 2 + 3 + 5 + 8);
        assert!(snake > 100);
    }

    #[test]
    fn names_are_idents() {
        assert_eq!(type_name("call_status"), "CallStatus");
        assert_eq!(type_name("Date<"), "Date");
        assert_eq!(type_name("2fa"), "X2fa");
        assert_eq!(type_name("self"), "Self_");
        assert_eq!(method_name("continue"), "continue_");
        assert_eq!(type_name("größe"), "Größe");
        assert_eq!(method_name("getCall"), "get_call");
        assert_eq!(method_name("type"), "type_");
        assert_eq!(method_name("calls.list"), "calls_list");
    }

    #[test]
    fn signs_become_words() {
        assert_eq!(display_name(">="), "GreaterEqual");
        assert_eq!(display_name("||"), "OrOr");
        assert_eq!(display_name(""), "Empty");
        assert_eq!(display_name("a-b"), "a-b");
        assert_eq!(type_name(&display_name("-created_at")), "MinusCreatedAt");
        assert_eq!(type_name(&display_name("+1")), "Plus1");
    }

    #[test]
    fn taken_name_gets_a_number() {
        let mut taken = BTreeSet::from(["Call".to_owned()]);
        assert_eq!(unique("call", &mut taken), "call2");
        assert_eq!(unique("call", &mut taken), "call3");
        assert_eq!(unique("Contact", &mut taken), "Contact");
    }

    #[test]
    fn schema_is_named_by_its_location() {
        let document = json!({"paths": {"/v1/calls": {"get": {"operationId": "list_calls", "parameters": [{"name": "sort-by"}]}}}});
        let name = |place: &[&str]| {
            for_place(
                &document,
                &place.iter().fold(Pointer::root(), |at, step| at.join(step)),
            )
        };
        assert_eq!(
            name(&["components", "schemas", "Call", "properties", "status"]),
            "CallStatus"
        );
        assert_eq!(
            name(&[
                "components",
                "schemas",
                "Contact",
                "properties",
                "contact_type"
            ]),
            "ContactType"
        );
        assert_eq!(
            name(&[
                "components",
                "schemas",
                "Call",
                "properties",
                "tags",
                "items"
            ]),
            "CallTagsItem"
        );
        assert_eq!(name(&["components", "schemas", "A", "$defs", "B"]), "B");
        assert_eq!(
            name(&[
                "components",
                "schemas",
                "A",
                "oneOf",
                "0",
                "properties",
                "items"
            ]),
            "AVariant1Items"
        );
        assert_eq!(
            name(&["paths", "/v1/calls", "get", "parameters", "0", "schema"]),
            "ListCallsSortBy"
        );
        assert_eq!(
            name(&[
                "paths",
                "/v1/calls",
                "get",
                "responses",
                "200",
                "content",
                "application/json",
                "schema"
            ]),
            "ListCallsResponse"
        );
        assert_eq!(
            name(&[
                "paths",
                "/v1/calls",
                "post",
                "requestBody",
                "content",
                "a/b",
                "schema"
            ]),
            "PostV1CallsBody"
        );
    }
}
