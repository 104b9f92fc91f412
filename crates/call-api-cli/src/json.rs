//! Formatting of JSON as text, which keeps unknown properties, the order of properties, and the digits of numbers.

/// Formats valid JSON on one line.
pub(crate) fn compact(json: &str) -> String {
    format(json, false)
}

/// Formats valid JSON with one property per line.
pub(crate) fn pretty(json: &str) -> String {
    format(json, true)
}

fn format(json: &str, is_pretty: bool) -> String {
    let mut out = String::with_capacity(json.len());
    let mut depth: usize = 0;
    let new_line = |out: &mut String, depth| {
        if is_pretty {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", depth));
        }
    };
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                out.push('"');
                let mut is_escaped = false;
                for character in characters.by_ref() {
                    out.push(character);
                    if character == '"' && !is_escaped {
                        break;
                    }
                    is_escaped = character == '\\' && !is_escaped;
                }
            }
            '{' | '[' => {
                out.push(character);
                while characters.next_if(char::is_ascii_whitespace).is_some() {}
                match characters.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => out.push(end),
                    None => {
                        depth += 1;
                        new_line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(',');
                new_line(&mut out, depth);
            }
            ':' if is_pretty => out.push_str(": "),
            _ if character.is_ascii_whitespace() => {}
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_changes_only_space_between_tokens() {
        let json = "{\"b\" :[ 1.50,{ },[\n]], \"a: {\\\"\\\\\":null }";
        assert_eq!(compact(json), r#"{"b":[1.50,{},[]],"a: {\"\\":null}"#);
        let expected =
            "{\n  \"b\": [\n    1.50,\n    {},\n    []\n  ],\n  \"a: {\\\"\\\\\": null\n}";
        assert_eq!(pretty(json), expected);
    }
}
