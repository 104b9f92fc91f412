//! How values become parts of a URL, of a header and of a form where the document asks for a style of its own
//! ([OpenAPI 3.0, section 4.7.12.3](https://spec.openapis.org/oas/v3.0.3#style-values), which follows RFC 6570).
//!
//! The generated code calls what its document has need of.

#![allow(dead_code, reason = "which of it is used is the document's to say")]

use serde::Serialize;
use serde_json::Value;

/// How a list or an object is written; a single value is written the same in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `name=a,b`
    Comma,
    /// `name=a%20b`
    Space,
    /// `name=a%7Cb`
    Pipe,
    /// `name[key]=a`
    Deep,
    /// `a,b`; an object is `key,a`.
    Simple,
    /// `a,b`; an object is `key=a`.
    SimpleExploded,
    /// `.a,b`
    Label,
    /// `.a.b`; an object is `.key=a`.
    LabelExploded,
    /// `;name=a,b`
    Matrix,
    /// `;name=a;name=b`; an object is `;key=a`.
    MatrixExploded,
}

/// `url` with the parameter in its query; as it is where there is no value.
pub fn query(
    url: String,
    name: &str,
    value: &impl Serialize,
    style: Style,
) -> Result<String, String> {
    let value = to_value(name, value)?;
    let mut pairs = Vec::new();
    let between = match style {
        Style::Deep => {
            deep(name, &value, &mut pairs)?;
            ""
        }
        Style::Space => "%20",
        Style::Pipe => "%7C",
        _ => ",",
    };
    if style != Style::Deep {
        let parts = parts(name, &value, between)?;
        if !parts.is_empty() {
            pairs.push(format!("{}={}", percent(name), parts.join(between)));
        }
    }
    let mut url = url;
    for pair in pairs {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&pair);
    }
    Ok(url)
}

/// The value as a part of the path.
pub fn segment(name: &str, value: &impl Serialize, style: Style) -> Result<String, String> {
    let value = to_value(name, value)?;
    let text = match style {
        Style::SimpleExploded => parts(name, &value, "=")?.join(","),
        Style::Label => format!(".{}", parts(name, &value, ",")?.join(",")),
        Style::LabelExploded => format!(".{}", parts(name, &value, "=")?.join(".")),
        Style::Matrix => format!(";{}={}", percent(name), parts(name, &value, ",")?.join(",")),
        Style::MatrixExploded => {
            let parts = parts(name, &value, "=")?;
            let named = parts.iter().map(|part| match value {
                Value::Object(_) => format!(";{part}"),
                _ => format!(";{}={part}", percent(name)),
            });
            named.collect()
        }
        _ => parts(name, &value, ",")?.join(","),
    };
    Ok(text)
}

/// The value as that of a header.
pub fn header(name: &str, value: &impl Serialize, style: Style) -> Result<String, String> {
    let value = to_value(name, value)?;
    let parts = match &value {
        Value::Array(items) => items
            .iter()
            .map(|item| single(name, item))
            .collect::<Result<Vec<_>, _>>()?,
        Value::Object(members) => {
            let sign = if style == Style::SimpleExploded {
                "="
            } else {
                ","
            };
            let members = members
                .iter()
                .map(|(key, member)| Ok(format!("{key}{sign}{}", single(name, member)?)));
            members.collect::<Result<Vec<_>, String>>()?
        }
        other => vec![single(name, other)?],
    };
    Ok(parts.join(","))
}

/// The body as a form: a list is a field for each item, and an object within it goes out as JSON, unless `styles` says
/// otherwise of the field (OpenAPI 3.0, section 4.7.15).
pub fn form(body: &impl Serialize, styles: &[(&str, Style)]) -> Result<String, String> {
    let body = to_value("body", body)?;
    let Value::Object(fields) = &body else {
        return Err("the body is no object, and a form is made of named fields".to_owned());
    };
    let mut pairs = Vec::new();
    for (name, value) in fields {
        let style = styles
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, style)| *style);
        match (style, value) {
            (_, Value::Null) => {}
            (Some(Style::Deep), _) => deep(name, value, &mut pairs)?,
            (Some(style), Value::Array(_)) => {
                let between = match style {
                    Style::Space => "%20",
                    Style::Pipe => "%7C",
                    _ => ",",
                };
                let parts = parts(name, value, between)?;
                pairs.push(format!("{}={}", percent(name), parts.join(between)));
            }
            (_, Value::Array(items)) => {
                for item in items {
                    pairs.push(format!("{}={}", percent(name), percent(&field(item))));
                }
            }
            (_, value) => pairs.push(format!("{}={}", percent(name), percent(&field(value)))),
        }
    }
    Ok(pairs.join("&"))
}

/// By way of its JSON text, so that a number is written as it is there.
pub(crate) fn to_value(name: &str, value: &impl Serialize) -> Result<Value, String> {
    serde_json::to_string(value)
        .and_then(|text| serde_json::from_str(&text))
        .map_err(|error| format!("`{name}` can't be encoded: {error}"))
}

/// The single values of a list, or the keys and values of an object with `sign` between them, percent-encoded.
fn parts(name: &str, value: &Value, sign: &str) -> Result<Vec<String>, String> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items
            .iter()
            .map(|item| single(name, item).map(|text| percent(&text)))
            .collect(),
        Value::Object(members) => members
            .iter()
            .filter(|(_, member)| !member.is_null())
            .map(|(key, member)| {
                single(name, member).map(|text| format!("{}{sign}{}", percent(key), percent(&text)))
            })
            .collect(),
        other => Ok(vec![percent(&single(name, other)?)]),
    }
}

fn deep(name: &str, value: &Value, pairs: &mut Vec<String>) -> Result<(), String> {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (key, member) in members {
                deep(&format!("{name}[{key}]"), member, pairs)?;
            }
        }
        other => pairs.push(format!(
            "{}={}",
            percent(name),
            percent(&single(name, other)?)
        )),
    }
    Ok(())
}

fn single(name: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::Array(_) | Value::Object(_) => Err(format!(
            "`{name}` holds a list or an object within another, for which its style has no rule"
        )),
        other => Ok(field(other)),
    }
}

pub(crate) fn field(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Everything but the unreserved characters of RFC 3986, section 2.3, is encoded.
fn percent(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The table of OpenAPI 3.0.4, section 4.7.12.4, for a list and an object; 3.0.3's differs for `label`, where RFC 6570
    /// decides.
    #[test]
    fn each_style_writes_what_the_specification_says() {
        let list = json!(["blue", "black"]);
        // In the order of its keys, which a map of serde_json keeps with and without `preserve_order`.
        let object = json!({"G": 200, "R": 100});
        let query = |value: &Value, style| query("/".to_owned(), "color", value, style);
        let segment = |value: &Value, style| segment("color", value, style);
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(query(&list, Style::Comma), ok("/?color=blue,black"));
        assert_eq!(query(&object, Style::Comma), ok("/?color=G,200,R,100"));
        assert_eq!(query(&list, Style::Space), ok("/?color=blue%20black"));
        assert_eq!(
            query(&object, Style::Space),
            ok("/?color=G%20200%20R%20100")
        );
        assert_eq!(query(&list, Style::Pipe), ok("/?color=blue%7Cblack"));
        assert_eq!(
            query(&object, Style::Deep),
            ok("/?color%5BG%5D=200&color%5BR%5D=100")
        );
        assert_eq!(segment(&list, Style::Simple), ok("blue,black"));
        assert_eq!(segment(&object, Style::Simple), ok("G,200,R,100"));
        assert_eq!(segment(&object, Style::SimpleExploded), ok("G=200,R=100"));
        assert_eq!(segment(&list, Style::Label), ok(".blue,black"));
        assert_eq!(segment(&list, Style::LabelExploded), ok(".blue.black"));
        assert_eq!(segment(&object, Style::LabelExploded), ok(".G=200.R=100"));
        assert_eq!(segment(&list, Style::Matrix), ok(";color=blue,black"));
        assert_eq!(segment(&object, Style::Matrix), ok(";color=G,200,R,100"));
        assert_eq!(
            segment(&list, Style::MatrixExploded),
            ok(";color=blue;color=black")
        );
        assert_eq!(segment(&object, Style::MatrixExploded), ok(";G=200;R=100"));
        assert_eq!(header("color", &list, Style::Simple), ok("blue,black"));
        assert_eq!(
            header("color", &object, Style::SimpleExploded),
            ok("G=200,R=100")
        );
    }

    #[test]
    fn what_separates_values_is_encoded_within_them() {
        let list = json!(["a,b", "ü &", 1.5, true]);
        assert_eq!(
            query("/?x=1".to_owned(), "l", &list, Style::Comma).as_deref(),
            Ok("/?x=1&l=a%2Cb,%C3%BC%20%26,1.5,true")
        );
        assert_eq!(
            query("/".to_owned(), "l", &Value::Null, Style::Comma).as_deref(),
            Ok("/")
        );
        assert_eq!(
            segment("s", &json!("a/b"), Style::Simple).as_deref(),
            Ok("a%2Fb")
        );
        assert!(query("/".to_owned(), "l", &json!([[1]]), Style::Comma).is_err());
    }

    #[test]
    fn a_form_repeats_the_items_of_a_list() {
        let body = json!({"a": ["x y", 1], "b": {"c": 1}, "d": {"e": "f"}, "g": [1, 2], "h": null});
        assert_eq!(
            form(&body, &[("d", Style::Deep), ("g", Style::Comma)]).as_deref(),
            Ok("a=x%20y&a=1&b=%7B%22c%22%3A1%7D&d%5Be%5D=f&g=1,2")
        );
        assert!(form(&json!([1]), &[]).is_err());
    }
}
