//! What is gone and what is new may be one thing under another name.

use heck::ToSnakeCase;
use similar::TextDiff;

/// Beyond this many combinations, only names that are the same in snake_case are taken for one.
const COMBINATIONS: usize = 40_000;

/// From this similarity on, two names may be the same thing.
pub(crate) const SIMILAR: f32 = 0.6;

/// How alike two names are, from 0 to 1. Names of which one is the other with more words are alike.
pub(crate) fn likeness(a: &str, b: &str) -> f32 {
    let (a, b) = (a.to_snake_case(), b.to_snake_case());
    if a == b {
        // Signs alone, such as `<` and `>`, leave nothing to compare.
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

/// Pairs what is gone with what is new, the best match first and each at most once. `score` answers how sure it is that
/// two are one, or `None` where they aren't.
pub(super) fn pair<'a, T: AsRef<str>>(
    gone: &'a [T],
    new: &'a [T],
    mut score: impl FnMut(&'a T, &'a T) -> Option<f32>,
) -> Vec<(usize, usize)> {
    let many = gone.len().saturating_mul(new.len()) > COMBINATIONS;
    let mut scored = Vec::new();
    for (i, old) in gone.iter().enumerate() {
        for (j, new) in new.iter().enumerate() {
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
    fn names_that_people_would_take_for_one_are_alike() {
        for (a, b) in [
            ("createdDate", "created_date"),
            ("recording_url", "recording_uri"),
            ("phone_id", "phone_number_id"),
            ("end_reason", "ended_reason"),
        ] {
            assert!(likeness(a, b) >= SIMILAR, "{a} and {b}: {}", likeness(a, b));
        }
        for (a, b) in [("status", "contact"), ("duration", "agent_id"), ("<", ">")] {
            assert!(likeness(a, b) < SIMILAR, "{a} and {b}: {}", likeness(a, b));
        }
    }

    #[test]
    fn the_best_match_wins_and_each_is_used_once() {
        let gone = ["start_time", "end_time"];
        let new = ["ended_time", "started_time"];
        let pairs = pair(&gone, &new, |a, b| {
            let likeness = likeness(a, b);
            (likeness >= SIMILAR).then_some(likeness)
        });
        assert_eq!(pairs, [(0, 1), (1, 0)]);
    }
}
