//! Escapes untrusted text, which must not control the terminal.

/// Escapes characters that would move a terminal's cursor, change its colors, or change the direction of text.
pub(crate) fn escape_control(text: &str) -> String {
    let is_visible = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match is_visible(c) {
            true => escaped.push(c),
            false => escaped.extend(c.escape_default()),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_control_keeps_only_visible_text() {
        assert_eq!(
            escape_control("\u{1b}[2J\r\n\u{202e}"),
            "\\u{1b}[2J\\r\\n\\u{202e}"
        );
        assert_eq!(escape_control("+34 600 \"ñ\" é"), "+34 600 \"ñ\" é");
    }
}
