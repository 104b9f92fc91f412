//! Generation of texts that match a pattern.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// The maximum number of repetitions if the pattern sets no limit.
const MORE: u32 = 3;

/// Returns a text that matches, or `None` for a pattern that only ECMAScript supports.
pub fn matching(pattern: &str, random: &mut fastrand::Rng) -> Option<String> {
    let parsed = ParserBuilder::new()
        .nest_limit(50)
        .build()
        .parse(pattern)
        .ok()?;
    let mut text = String::new();
    write(&parsed, random, &mut text)?;
    Some(text)
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
        for pattern in [r"^\+[1-9]\d{6,14}$", "^(a|b)?c+$", r"^[^\s]+@x$", "^ü{2}$"] {
            let text = matching(pattern, &mut random).unwrap_or_default();
            let schema = serde_json::json!({"pattern": pattern});
            assert!(
                jsonschema::is_valid(&schema, &serde_json::json!(text)),
                "{pattern}: {text}"
            );
        }
        assert_eq!(matching("^(?!a)", &mut random), None);
    }
}
