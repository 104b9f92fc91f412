//! Messages of a decoder, reduced to what may be shown: names, but no values, on one line.

/// Removes values from serde's message, which quotes what it could not use: that may be private. Quoted text goes,
/// and so do the numbers that it puts between backticks; names of properties, in backticks too, stay.
pub(crate) fn redacted(message: &str) -> String {
    let mut result = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(start) = rest.find(['"', '`']) {
        let quote = if rest[start..].starts_with('"') {
            '"'
        } else {
            '`'
        };
        let inner = &rest[start + 1..];
        let mut escaped = false;
        let end = inner.find(|c| {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some(end) = end else { break };
        let before = &rest[..start];
        let value = [
            "integer ",
            "floating point ",
            "boolean ",
            "character ",
            "found ",
        ]
        .iter()
        .any(|kind| before.ends_with(kind));
        result.push_str(before);
        result.push(quote);
        result.push_str(if quote == '"' || value {
            "…"
        } else {
            &inner[..end]
        });
        result.push(quote);
        rest = &inner[end + 1..];
    }
    result.push_str(rest);
    result
}

/// Returns the text with each control character as an escape.
pub(crate) fn escaped(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => result.extend(c.escape_default()),
            false => result.push(c),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decode_message_loses_values_and_keeps_names() {
        for (message, expected) in [
            (
                "missing field `created_date` at line 1 column 5",
                "missing field `created_date` at line 1 column 5",
            ),
            (
                r#"invalid type: string "+34 600", expected i64"#,
                r#"invalid type: string "…", expected i64"#,
            ),
            (
                r#"invalid type: string "a\"b", expected u8"#,
                r#"invalid type: string "…", expected u8"#,
            ),
            (
                "invalid type: integer `34600`, expected a string",
                "invalid type: integer `…`, expected a string",
            ),
            (
                "invalid character: expected 0-9, found `\u{b}` at 3",
                "invalid character: expected 0-9, found `…` at 3",
            ),
            (r#"an unclosed " quote"#, r#"an unclosed " quote"#),
        ] {
            assert_eq!(redacted(message), expected);
        }
    }

    #[test]
    fn control_characters_of_a_body_are_escaped() {
        assert_eq!(escaped("a\nb\u{b}é: c"), "a\\nb\\u{b}é: c");
    }
}
