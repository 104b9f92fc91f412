//! Reduction of a failing value to a smaller one with the same failure.

use serde_json::{Value, json};

/// The number of smaller values that are tried at once.
const AT_ONCE: usize = 60;

/// The maximum number of reductions.
const ROUNDS: usize = 80;

/// Reduces a value while a smaller one still fails; `fails` returns true for each candidate that does.
///
/// # Errors
/// The error of `fails`.
pub(crate) fn shrink<E>(
    mut value: Value,
    mut fails: impl FnMut(&[Value]) -> Result<Vec<bool>, E>,
) -> Result<Value, E> {
    for _ in 0..ROUNDS {
        let mut candidates = smaller(&value);
        candidates.truncate(AT_ONCE);
        if candidates.is_empty() {
            break;
        }
        let verdicts = fails(&candidates)?;
        let failing = candidates
            .into_iter()
            .zip(verdicts)
            .filter(|(_, fails)| *fails);
        match failing.map(|(candidate, _)| candidate).min_by_key(size) {
            Some(next) => value = next,
            None => break,
        }
    }
    Ok(value)
}

/// Returns the part of a message that similar failures have in common: the message without locations and quotes.
pub(crate) fn sign(detail: &str) -> String {
    let detail = detail.split(": at ").next().unwrap_or_default();
    let detail = detail.split(" at line ").next().unwrap_or_default();
    let quotes = ['"', '`'];
    detail
        .split(quotes)
        .step_by(2)
        .collect::<Vec<_>>()
        .join("…")
}

fn size(value: &Value) -> usize {
    value.to_string().len()
}

/// Returns the values that lack one part of this one, the largest parts first.
fn smaller(value: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    match value {
        Value::Object(object) => {
            for name in object.keys() {
                let mut without = object.clone();
                without.remove(name);
                found.push(Value::Object(without));
            }
            for (name, inner) in object {
                for smaller in smaller(inner) {
                    let mut changed = object.clone();
                    changed.insert(name.clone(), smaller);
                    found.push(Value::Object(changed));
                }
            }
        }
        Value::Array(items) => {
            for index in 0..items.len() {
                let mut without = items.clone();
                without.remove(index);
                found.push(Value::Array(without));
            }
            for (index, inner) in items.iter().enumerate() {
                for smaller in smaller(inner) {
                    let mut changed = items.clone();
                    if let Some(item) = changed.get_mut(index) {
                        *item = smaller;
                    }
                    found.push(Value::Array(changed));
                }
            }
        }
        Value::String(text) if text.chars().count() > 1 => {
            let half: String = text.chars().take(text.chars().count() / 2).collect();
            let rest: String = text.chars().skip(text.chars().count() / 2).collect();
            found.extend([json!("a"), json!(half), json!(rest)]);
        }
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    #[test]
    fn value_is_reduced_while_it_fails() {
        let large = json!({"a": [1, 2, {"x": "long, and", "bad": true}], "b": {"c": "text"}});
        let fails = |candidates: &[Value]| -> Result<Vec<bool>, Infallible> {
            let bad = |value: &Value| {
                let text = value.to_string();
                text.contains("bad") && text.contains("\"x\":")
            };
            Ok(candidates.iter().map(bad).collect())
        };
        let Ok(smallest) = shrink(large, fails);
        assert_eq!(smallest, json!({"a": [{"x": "a", "bad": true}]}));
    }
}
