//! Converts descriptions to rustdoc's Markdown.
//!
//! In rustdoc's dialect of CommonMark, an untagged code block is a doctest, a word in brackets is a link to an item, a
//! tag like `<id>` is broken HTML, and a bare URL is a warning. A CommonMark parser finds these.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd, TextMergeWithOffset};

/// Returns the text for rustdoc, without surrounding blank lines.
pub(crate) fn for_rustdoc(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    let mut in_link = 0usize;
    let mut in_code = false;
    let events = Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH)
        .into_offset_iter();
    for (event, range) in TextMergeWithOffset::new(events) {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                in_code = true;
                match kind {
                    CodeBlockKind::Fenced(info) if !is_other_language(&info) => {
                        let line = text[range.start..]
                            .find('\n')
                            .map_or(text.len(), |end| range.start + end);
                        let fence: String = text[range.start..line]
                            .chars()
                            .take_while(|c| matches!(c, '`' | '~'))
                            .collect();
                        edits.push((range.start + fence.len()..line, "text".to_owned()));
                    }
                    CodeBlockKind::Fenced(_) => {}
                    CodeBlockKind::Indented => outdent(text, &range, &mut edits),
                }
            }
            Event::End(TagEnd::CodeBlock) => in_code = false,
            Event::Start(Tag::Link { dest_url, .. }) => {
                in_link += 1;
                if !["http://", "https://", "mailto:", "super::"]
                    .iter()
                    .any(|start| dest_url.starts_with(start))
                {
                    // The link works on the publisher's page, but rustdoc would look for an item. (`super::` links are
                    // generated.)
                    edits.push((range.start..range.start, String::new()));
                    unlink(text, &range, &mut edits);
                }
            }
            Event::End(TagEnd::Link) => in_link = in_link.saturating_sub(1),
            Event::Html(_) | Event::InlineHtml(_) => {
                for (index, _) in text[range.clone()].match_indices('<') {
                    edits.push((range.start + index..range.start + index, "\\".to_owned()));
                }
            }
            Event::Text(_) if !in_code => plain(text, range, in_link > 0, &mut edits),
            _ => {}
        }
    }
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let mut result = String::with_capacity(text.len() + 16);
    let mut at = 0;
    for (range, replacement) in edits {
        // Nested edits of a replaced range are skipped.
        if range.start < at {
            continue;
        }
        result.push_str(&text[at..range.start]);
        result.push_str(&replacement);
        at = range.end;
    }
    result.push_str(&text[at..]);
    result
}

/// Returns true if rustdoc does not take a block of this language for Rust.
fn is_other_language(info: &str) -> bool {
    let language = info.split([',', ' ', '\t']).next().unwrap_or_default();
    let rust = [
        "",
        "rust",
        "rs",
        "ignore",
        "should_panic",
        "no_run",
        "compile_fail",
        "test_harness",
    ];
    !rust.contains(&language)
        && !language.starts_with("edition")
        && !language.starts_with("ignore-")
        && !language.starts_with('{')
}

/// Returns the edits for an indented code block, which is rarely intended, and would be a doctest.
fn outdent(text: &str, range: &Range<usize>, edits: &mut Vec<(Range<usize>, String)>) {
    let mut start = text[..range.start].rfind('\n').map_or(0, |index| index + 1);
    for line in text[start..range.end].split_inclusive('\n') {
        let blanks = line.len() - line.trim_start_matches([' ', '\t']).len();
        edits.push((start..start + blanks, String::new()));
        start += line.len();
    }
}

/// Returns the edits that leave only the text of a link.
fn unlink(text: &str, range: &Range<usize>, edits: &mut Vec<(Range<usize>, String)>) {
    let link = &text[range.clone()];
    if let (true, Some(end)) = (link.starts_with('['), link.rfind("](")) {
        edits.push((range.start..range.start + 1, String::new()));
        edits.push((range.start + end..range.end, String::new()));
    }
}

/// Returns the edits for plain text: brackets are escaped, URLs become links.
fn plain(text: &str, range: Range<usize>, in_link: bool, edits: &mut Vec<(Range<usize>, String)>) {
    let part = &text[range.clone()];
    let escaped = |index: usize| text[..index].ends_with('\\');
    for (index, _) in part.match_indices(['[', ']']) {
        let index = range.start + index;
        if !escaped(index) {
            edits.push((index..index, "\\".to_owned()));
        }
    }
    if in_link {
        return;
    }
    let mut from = 0;
    while let Some(found) = ["http://", "https://"]
        .iter()
        .filter_map(|scheme| part[from..].find(scheme))
        .min()
    {
        let start = from + found;
        let length = part[start..]
            .find(|c: char| {
                c.is_whitespace()
                    || matches!(
                        c,
                        '<' | '>' | '"' | '\'' | '`' | '(' | ')' | '[' | ']' | '{' | '}' | '|'
                    )
            })
            .unwrap_or(part.len() - start);
        let url =
            part[start..start + length].trim_end_matches(['.', ',', ';', ':', '!', '?', '*', '_']);
        let place = range.start + start..range.start + start + url.len();
        if !text[..place.start].ends_with('<') {
            edits.push((place, format!("<{url}>")));
        }
        from = start + length.max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::for_rustdoc;

    #[track_caller]
    fn becomes(text: &str, expected: &str) {
        assert_eq!(for_rustdoc(text), expected);
    }

    #[test]
    fn code_blocks_are_tagged() {
        becomes("```\nlet x;\n```", "```text\nlet x;\n```");
        becomes("~~~rust\nlet x;\n~~~", "~~~text\nlet x;\n~~~");
        becomes("```json\n{\"a\": [1]}\n```", "```json\n{\"a\": [1]}\n```");
        becomes("Say:\n\n    let x;\n    let y;\n", "Say:\n\nlet x;\nlet y;");
    }

    #[test]
    fn brackets_are_escaped() {
        becomes("one of [a, b]", "one of \\[a, b\\]");
        becomes("already \\[a\\]", "already \\[a\\]");
        becomes("`[a]` is code", "`[a]` is code");
        becomes(
            "see [the page](https://example.com/a_b)",
            "see [the page](https://example.com/a_b)",
        );
        becomes("see [the page](#section)", "see the page");
    }

    #[test]
    fn urls_are_links_and_tags_are_text() {
        becomes(
            "at https://example.com/a_b?c=d.",
            "at <https://example.com/a_b?c=d>.",
        );
        becomes("at <https://example.com>", "at <https://example.com>");
        becomes("a <b>bold</b> <id>", "a \\<b>bold\\</b> \\<id>");
    }

    #[test]
    fn any_description_becomes_text() {
        for text in [
            "",
            " ",
            "[",
            "](",
            "<",
            "```",
            "    ",
            "[a](",
            "[a][b]\n\n[b]: #c",
            "é <ü> [ö] https://ä.example/ß",
        ] {
            let once = for_rustdoc(text);
            assert!(
                once.len() >= text.trim().len() || text.starts_with("    "),
                "{text:?} became {once:?}"
            );
        }
    }
}
