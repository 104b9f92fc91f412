//! Converts parameters and bodies, and serializes parameters and forms in the styles of OpenAPI
//! ([section 4.7.12.3](https://spec.openapis.org/oas/v3.0.3#style-values), after RFC 6570).

#![allow(dead_code, reason = "which functions are used depends on the document")]

use std::fmt::Display;

use call_api_types::convert::IntoOptional;
use reqwest::header::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A style for lists and objects. A single value is written the same in each but `Label` and `Matrix`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// Returns `url` with the parameter in its query; unchanged where there is no value.
pub fn query(
    url: String,
    name: &str,
    value: &impl Serialize,
    style: Style,
) -> Result<String, String> {
    let value = to_value(name, value)?;
    let mut pairs = Vec::new();
    if style == Style::Deep {
        deep(name, &value, &mut pairs)?;
    } else {
        pairs.extend(delimited(name, &value, style)?);
    }
    let mut url = url;
    for pair in pairs {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&pair);
    }
    Ok(url)
}

/// Returns the pairs of a value in a query, where a list has one for each value, and an object one for each member.
pub(crate) fn pairs(name: &str, value: &Value) -> Result<Vec<String>, String> {
    let pair = |name: &str, value: &Value| {
        let value = single(name, value)?;
        Ok(format!("{}={}", percent(name), percent(&value)))
    };
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items.iter().map(|item| pair(name, item)).collect(),
        Value::Object(members) => members
            .iter()
            .filter(|(_, member)| !member.is_null())
            .map(|(key, member)| pair(key, member))
            .collect(),
        other => Ok(vec![pair(name, other)?]),
    }
}

/// Returns a single value as a part of the path: everything but unreserved characters is percent-encoded.
pub fn path(value: &impl Display) -> String {
    percent(&value.to_string())
}

/// Returns the value as a part of the path, in this style.
pub fn segment(name: &str, value: &impl Serialize, style: Style) -> Result<String, String> {
    let value = to_value(name, value)?;
    let sign = match style {
        Style::SimpleExploded | Style::LabelExploded | Style::MatrixExploded => "=",
        _ => ",",
    };
    let mut parts = parts(name, &value, sign)?;
    if parts.is_empty() {
        return Ok(String::new());
    }
    let text = match style {
        Style::Label => format!(".{}", parts.join(",")),
        Style::LabelExploded => {
            // A dot is unreserved, and separates the values here.
            if value.is_array() || value.is_object() {
                for part in &mut parts {
                    *part = part.replace('.', "%2E");
                }
            }
            format!(".{}", parts.join("."))
        }
        Style::Matrix => format!(";{}", named(name, &parts.join(","))),
        Style::MatrixExploded => {
            let named = parts.iter().map(|part| match value {
                Value::Object(_) => format!(";{}", part.strip_suffix('=').unwrap_or(part)),
                _ => format!(";{}", named(name, part)),
            });
            named.collect()
        }
        _ => parts.join(","),
    };
    Ok(text)
}

/// Returns `name=value`, and the name alone where the value is empty (RFC 6570, section 3.2.7).
fn named(name: &str, value: &str) -> String {
    match value {
        "" => percent(name),
        value => format!("{}={value}", percent(name)),
    }
}

/// Adds the value as a header; none for null, an empty list or an empty object.
pub(crate) fn set_header(
    headers: &mut HeaderMap,
    name: &'static str,
    value: &impl Serialize,
    style: Style,
) -> Result<(), String> {
    if let Some(text) = header(name, value, style)? {
        let value = HeaderValue::try_from(text)
            .map_err(|_| format!("`{name}` contains a character that a header cannot carry"))?;
        headers.append(name, value);
    }
    Ok(())
}

/// Returns the value as the value of a header; `None` where there is nothing to send. Header values are not
/// percent-encoded, so a list whose values hold a comma is an error.
pub fn header(name: &str, value: &impl Serialize, style: Style) -> Result<Option<String>, String> {
    let value = to_value(name, value)?;
    let sign = if style == Style::SimpleExploded {
        "="
    } else {
        ","
    };
    let part = |value: &Value| {
        let text = single(name, value)?;
        if text.contains(',') {
            Err(format!(
                "`{name}` contains a value with a comma, which separates the values of a header"
            ))
        } else {
            Ok(text)
        }
    };
    let parts = match &value {
        Value::Null => return Ok(None),
        Value::Array(items) => items.iter().map(part).collect::<Result<Vec<_>, _>>()?,
        Value::Object(members) => members
            .iter()
            .filter(|(_, member)| !member.is_null())
            .map(|(key, member)| match part(&Value::from(key.as_str()))? {
                key if sign == "=" && key.contains('=') => Err(format!(
                    "`{name}` has the key `{key}`, whose `=` would end it in a header"
                )),
                key => Ok(format!("{key}{sign}{}", part(member)?)),
            })
            .collect::<Result<Vec<_>, String>>()?,
        other => return Ok(Some(single(name, other)?)),
    };
    Ok((!parts.is_empty()).then(|| parts.join(",")))
}

/// Returns the body as a form: a list is a field for each item, and an object is a field of JSON, unless `styles` names
/// another style for the field (OpenAPI 3.0, section 4.7.15).
pub fn form(body: &impl Serialize, styles: &[(&str, Style)]) -> Result<String, String> {
    let body = to_value("body", body)?;
    let Value::Object(fields) = &body else {
        return Err("the body is not an object, and a form consists of named fields".to_owned());
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
            (Some(style), Value::Array(_)) => pairs.extend(delimited(name, value, style)?),
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

/// Returns the JSON of a value. It serializes to text first, so that a number is written as in JSON text.
pub(crate) fn to_value(name: &str, value: &impl Serialize) -> Result<Value, String> {
    serde_json::to_string(value)
        .and_then(|text| serde_json::from_str(&text))
        .map_err(|error| format!("`{name}` cannot be encoded: {error}"))
}

/// Returns `name=value` with the delimiter of a style between the values; `None` where there is no value.
///
/// OpenAPI has no escape for a space or a pipe within a value of such a list, and both are percent-encoded as delimiters,
/// too. So within a value they are percent-encoded twice, as is an escape of that form that the value holds already.
fn delimited(name: &str, value: &Value, style: Style) -> Result<Option<String>, String> {
    let (delimiter, escaped) = match style {
        Style::Space => ("%20", "%2520"),
        Style::Pipe => ("%7C", "%257C"),
        _ => (",", ""),
    };
    let escape = |text: String| match escaped {
        "" => text,
        escaped => text
            .replace("%2525", "%252525")
            .replace(escaped, &escaped.replace("%25", "%2525"))
            .replace(delimiter, escaped),
    };
    let values: Vec<String> = match value {
        Value::Object(members) => members
            .iter()
            .filter(|(_, member)| !member.is_null())
            .map(|(key, member)| Ok([percent(key), percent(&single(name, member)?)]))
            .collect::<Result<Vec<_>, String>>()?
            .into_iter()
            .flatten()
            .map(escape)
            .collect(),
        Value::Array(_) => parts(name, value, "")?.into_iter().map(escape).collect(),
        other => parts(name, other, "")?,
    };
    Ok((!values.is_empty()).then(|| format!("{}={}", percent(name), values.join(delimiter))))
}

/// Returns the single values of a list, or the keys and values of an object with `sign` between them, percent-encoded.
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

/// Adds `name[key]=value` for each value of an object; a list is a pair for each item, as in a form.
fn deep(name: &str, value: &Value, pairs: &mut Vec<String>) -> Result<(), String> {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (key, member) in members {
                deep(&format!("{name}[{key}]"), member, pairs)?;
            }
        }
        Value::Array(items) => {
            for item in items {
                pairs.push(format!(
                    "{}={}",
                    percent(name),
                    percent(&single(name, item)?)
                ));
            }
        }
        other => pairs.push(format!("{}={}", percent(name), percent(&field(other)))),
    }
    Ok(())
}

fn single(name: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::Array(_) | Value::Object(_) => Err(format!(
            "`{name}` contains a list or an object within another, for which its style has no rule"
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

/// Percent-encodes everything but the unreserved characters of RFC 3986, section 2.3.
pub(crate) fn percent(text: &str) -> String {
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

/// Converts the value of a parameter.
pub(crate) fn required<V: TryInto<T>, T>(value: V, message: &str) -> Result<T, String> {
    value.try_into().map_err(|_| message.to_owned())
}

/// Converts the value of an optional parameter.
pub(crate) fn optional<V: IntoOptional<T, By>, T, By>(
    value: V,
    message: &str,
) -> Result<Option<T>, String> {
    value.into_optional().map_err(|_| message.to_owned())
}

/// Converts a body, and makes a builder of it.
pub(crate) fn body_builder<V, T, B>(value: V, message: &str) -> Result<B, String>
where
    V: TryInto<T>,
    V::Error: Display,
    B: From<T>,
{
    match value.try_into() {
        Ok(body) => Ok(B::from(body)),
        Err(error) => Err(format!("{message}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The table of OpenAPI 3.0.4, section 4.7.12.4, for a list and an object; 3.0.3's differs for `label`, where RFC 6570
    /// decides.
    #[test]
    fn each_style_matches_the_specification() {
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
        let header =
            |value: &Value, style| header("color", value, style).map(Option::unwrap_or_default);
        assert_eq!(header(&list, Style::Simple), ok("blue,black"));
        assert_eq!(header(&object, Style::SimpleExploded), ok("G=200,R=100"));
    }

    #[test]
    fn single_values_are_percent_encoded_whole() {
        assert_eq!(
            path(&"a;b|c^d[e]\\f/&=é"),
            "a%3Bb%7Cc%5Ed%5Be%5D%5Cf%2F%26%3D%C3%A9"
        );
        assert_eq!(path(&1.5), "1.5");
    }

    #[test]
    fn empty_values_have_the_form_of_the_specification() {
        let segment = |value: Value, style| segment("x", &value, style);
        let ok = |text: &str| Ok(text.to_owned());
        for (value, style, expected) in [
            (json!(""), Style::Matrix, ";x"),
            (json!(""), Style::MatrixExploded, ";x"),
            (json!(["", "a"]), Style::MatrixExploded, ";x;x=a"),
            (json!({"a": ""}), Style::MatrixExploded, ";a"),
            (json!(""), Style::Label, "."),
            (json!([]), Style::Matrix, ""),
            (json!({}), Style::LabelExploded, ""),
        ] {
            assert_eq!(segment(value, style), ok(expected));
        }
        for value in [json!(null), json!([]), json!({}), json!({"a": null})] {
            assert_eq!(header("x", &value, Style::Simple), Ok(None));
        }
        assert_eq!(header("x", &json!(""), Style::Simple), ok("").map(Some));
    }

    #[test]
    fn delimiters_within_values_are_encoded() {
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
        assert_eq!(
            segment("s", &json!(["a.b", "c"]), Style::LabelExploded).as_deref(),
            Ok(".a%2Eb.c")
        );
        assert!(query("/".to_owned(), "l", &json!([[1]]), Style::Comma).is_err());
        assert!(header("l", &json!(["a,b"]), Style::Simple).is_err());
        assert!(header("l", &json!({"a=b": 1}), Style::SimpleExploded).is_err());
    }

    /// A value reaches a service that splits the list and undoes the one escape of each value.
    #[test]
    fn values_with_spaces_and_pipes_survive_their_lists() {
        let decoded = |text: &str| {
            let mut bytes = Vec::new();
            let mut rest = text.as_bytes();
            while let Some((first, after)) = rest.split_first() {
                let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
                match hex
                    .filter(|_| *first == b'%')
                    .map(|hex| u8::from_str_radix(hex, 16))
                {
                    Some(Ok(byte)) => {
                        bytes.push(byte);
                        rest = &after[2..];
                    }
                    _ => {
                        bytes.push(*first);
                        rest = after;
                    }
                }
            }
            String::from_utf8(bytes).unwrap_or_default()
        };
        for (style, sign, escape) in [(Style::Space, " ", "%20"), (Style::Pipe, "|", "%7C")] {
            let values = [
                "a b|c",
                "a%20b%7Cc",
                "50%",
                "%25",
                "%2520%257C",
                "% |%",
                "%%20%%7C",
            ];
            let url = query(String::new(), "l", &values, style).unwrap_or_default();
            let wire = decoded(url.trim_start_matches("?l="));
            let undone = wire.split(sign).map(|value| {
                let parts = value.split("%25").map(|part| part.replace(escape, sign));
                parts.collect::<Vec<_>>().join("%")
            });
            assert_eq!(undone.collect::<Vec<_>>(), values);
        }
    }

    #[test]
    fn deep_objects_repeat_the_items_of_a_list() {
        let value = json!({"none": null, "range": {"gte": 1}, "tags": ["a", "b"]});
        assert_eq!(
            query("/".to_owned(), "f", &value, Style::Deep).as_deref(),
            Ok("/?f%5Brange%5D%5Bgte%5D=1&f%5Btags%5D=a&f%5Btags%5D=b")
        );
        assert!(query("/".to_owned(), "f", &json!({"a": [{}]}), Style::Deep).is_err());
    }

    #[test]
    fn form_repeats_the_items_of_a_list() {
        let body = json!({"a": ["x y", 1], "b": {"c": 1}, "d": {"e": "f"}, "g": [1, 2], "h": null});
        assert_eq!(
            form(&body, &[("d", Style::Deep), ("g", Style::Comma)]).as_deref(),
            Ok("a=x%20y&a=1&b=%7B%22c%22%3A1%7D&d%5Be%5D=f&g=1,2")
        );
        assert!(form(&json!([1]), &[]).is_err());
    }
}
