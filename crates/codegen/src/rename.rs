//! Matches removed names with added ones.

use heck::ToSnakeCase;
use similar::TextDiff;

/// The maximum number of combinations to compare. Beyond it, only names that are equal in snake_case match.
const COMBINATIONS: usize = 40_000;

/// The minimum similarity of a renamed name.
pub(crate) const SIMILAR: f32 = 0.6;

/// Returns the similarity of two names, from 0 to 1. Names of which one has all words of the other are similar.
pub(crate) fn similarity(a: &str, b: &str) -> f32 {
    let (a, b) = (a.to_snake_case(), b.to_snake_case());
    if a == b {
        // Names without letters, such as `<` and `>`, have nothing to compare.
        return if a.is_empty() { 0.0 } else { 1.0 };
    }
    let ratio = TextDiff::from_chars(&a, &b).ratio();
    let words = |name: &str| name.split('_').map(str::to_owned).collect::<Vec<_>>();
    let (first, second) = (words(&a), words(&b));
    let within = |few: &[String], many: &[String]| {
        few.iter().all(|word| word.len() > 1 && many.contains(word))
    };
    if within(&first, &second) || within(&second, &first) {
        ratio.max(0.8)
    } else {
        ratio
    }
}

/// Pairs removed with added items, best match first, each at most once. `score` returns the quality of a match, or `None`
/// if the items do not match. Returns the indices, sorted.
pub(crate) fn pair<'a, T: AsRef<str>>(
    removed: &'a [T],
    added: &'a [T],
    mut score: impl FnMut(&'a T, &'a T) -> Option<f32>,
) -> Vec<(usize, usize)> {
    let many = removed.len().saturating_mul(added.len()) > COMBINATIONS;
    let mut scored = Vec::new();
    for (i, old) in removed.iter().enumerate() {
        for (j, new) in added.iter().enumerate() {
            if many && old.as_ref().to_snake_case() != new.as_ref().to_snake_case() {
                continue;
            }
            if let Some(score) = score(old, new) {
                scored.push((score, i, j));
            }
        }
    }
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for (_, i, j) in scored {
        if pairs.iter().all(|(old, new)| *old != i && *new != j) {
            pairs.push((i, j));
        }
    }
    pairs.sort_unstable();
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similarity_of_renamed_names_reaches_the_threshold() {
        for (a, b) in [
            ("createdDate", "created_date"),
            ("recording_url", "recording_uri"),
            ("phone_id", "phone_number_id"),
            ("end_reason", "ended_reason"),
        ] {
            assert!(
                similarity(a, b) >= SIMILAR,
                "{a} and {b}: {}",
                similarity(a, b)
            );
        }
        for (a, b) in [("status", "contact"), ("duration", "agent_id"), ("<", ">")] {
            assert!(
                similarity(a, b) < SIMILAR,
                "{a} and {b}: {}",
                similarity(a, b)
            );
        }
    }

    #[test]
    fn pair_prefers_the_best_match_and_uses_each_once() {
        let removed = ["start_time", "end_time"];
        let added = ["ended_time", "started_time"];
        let pairs = pair(&removed, &added, |a, b| {
            let similarity = similarity(a, b);
            (similarity >= SIMILAR).then_some(similarity)
        });
        assert_eq!(pairs, [(0, 1), (1, 0)]);
    }
}
