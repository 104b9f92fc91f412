//! Generation of texts that match a pattern.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// The maximum number of repetitions if the pattern sets no limit.
const MORE: u32 = 3;

/// Returns a text that matches, or `None` for a pattern that only ECMAScript supports. Assertions such as `(?!a)` are
/// ignored, so the text may violate them; the judge decides.
pub fn matching(pattern: &str, random: &mut fastrand::Rng) -> Option<String> {
    let parse = |pattern: &str| {
        let mut parser = ParserBuilder::new().nest_limit(50).build();
        parser.parse(pattern).ok()
    };
    let parsed = parse(pattern).or_else(|| parse(&without_assertions(pattern)))?;
    let mut text = String::new();
    write(&parsed, random, &mut text)?;
    Some(text)
}

/// Returns the pattern without look-ahead and look-behind.
fn without_assertions(pattern: &str) -> String {
    const STARTS: [&str; 4] = ["(?!", "(?=", "(?<!", "(?<="];
    let mut kept = String::new();
    // The number of open groups in the assertion.
    let mut open = 0_u32;
    let mut is_class = false;
    let mut chars = pattern.char_indices();
    while let Some((at, c)) = chars.next() {
        let rest = pattern.get(at..).unwrap_or_default();
        let is_start = !is_class && STARTS.iter().any(|start| rest.starts_with(start));
        let was_open = open > 0 || is_start;
        match c {
            '[' => is_class = true,
            ']' => is_class = false,
            '(' if was_open && !is_class => open += 1,
            ')' if was_open && !is_class => open -= 1,
            _ => {}
        }
        let escaped = (c == '\\').then(|| chars.next()).flatten();
        if !was_open {
            kept.push(c);
            kept.extend(escaped.map(|(_, escaped)| escaped));
        }
    }
    kept
}

fn write(hir: &Hir, random: &mut fastrand::Rng, text: &mut String) -> Option<()> {
    if text.len() > 10_000 {
        return None;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(class) => text.push(character(class, random)?),
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(repetition.min + MORE);
            let most = most.min(repetition.min + 20);
            for _ in 0..random.u32(repetition.min..=most) {
                write(&repetition.sub, random, text)?;
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, random, text)?,
        HirKind::Concat(parts) => {
            for part in parts {
                write(part, random, text)?;
            }
        }
        HirKind::Alternation(parts) => write(random.choice(parts)?, random, text)?,
    }
    Some(())
}

/// Returns a character of a class, preferably a printable one.
fn character(class: &Class, random: &mut fastrand::Rng) -> Option<char> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => class
            .ranges()
            .iter()
            .map(|range| (range.start().into(), range.end().into()))
            .collect(),
        Class::Bytes(class) => class
            .ranges()
            .iter()
            .map(|range| (range.start().into(), range.end().into()))
            .collect(),
    };
    let visible = |(start, end): &(u32, u32)| {
        let (start, end) = ((*start).max(0x21), (*end).min(0x7e));
        (start <= end).then_some((start, end))
    };
    let readable: Vec<(u32, u32)> = ranges.iter().filter_map(visible).collect();
    let ranges = if readable.is_empty() {
        ranges
    } else {
        readable
    };
    let (start, end) = *random.choice(&ranges)?;
    char::from_u32(random.u32(start..=end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_text_matches_the_pattern() {
        let mut random = fastrand::Rng::with_seed(1);
        for pattern in [
            r"^\+[1-9]\d{6,14}$",
            "^(a|b)?c+$",
            r"^[^\s]+@x$",
            "^ü{2}$",
            r"^(?![(]|\)(a)$)^(?=b)b[)]$",
        ] {
            let text = matching(pattern, &mut random).unwrap_or_default();
            let schema = serde_json::json!({"pattern": pattern});
            assert!(
                jsonschema::is_valid(&schema, &serde_json::json!(text)),
                "{pattern}: {text}"
            );
        }
        assert_eq!(matching(r"^(?<name>a)\1", &mut random), None);
    }
}
