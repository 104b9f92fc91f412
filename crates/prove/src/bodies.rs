//! Random bodies: samples of a schema with random changes. A decoder may accept or refuse them, but must neither panic,
//! overflow its stack, nor take longer than the session allows.

use serde_json::{Map, Value, json};

/// The number of changes of a body.
const EDITS: usize = 4;

/// The depth of the lists and objects that a change adds. `serde_json` refuses bodies that are deeper than 127 levels.
const DEPTH: usize = 60;

/// The length in bytes of the longest text that a change repeats.
const LONGEST: usize = 1000;

/// Returns `count` bodies, made of samples. `names` are properties of the document.
pub(crate) fn random(
    samples: &[Value],
    names: &[&str],
    count: usize,
    random: &mut fastrand::Rng,
) -> Vec<Value> {
    let bodies = (0..count).filter_map(|_| {
        let mut body = random.choice(samples)?.clone();
        for _ in 0..random.usize(1..=EDITS) {
            let other = random.choice(samples)?;
            let other = part(other, random).clone();
            change(part_mut(&mut body, 0, random), other, names, random);
        }
        Some(body)
    });
    bodies.collect()
}

/// Returns a random value inside of a value, or the value itself.
fn part<'v>(mut value: &'v Value, random: &mut fastrand::Rng) -> &'v Value {
    loop {
        let inner: Vec<&Value> = match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(object) => object.values().collect(),
            _ => return value,
        };
        match random.choice(inner) {
            Some(inner) if random.u8(..4) > 0 => value = inner,
            _ => return value,
        }
    }
}

fn part_mut<'v>(value: &'v mut Value, depth: usize, random: &mut fastrand::Rng) -> &'v mut Value {
    let length = match &value {
        Value::Array(items) => items.len(),
        Value::Object(object) => object.len(),
        _ => 0,
    };
    // Few changes of the whole body leave some of it.
    if length == 0 || random.usize(..20) < 1 + 4 * depth {
        return value;
    }
    let index = random.usize(..length);
    match value {
        Value::Array(items) => part_mut(&mut items[index], depth + 1, random),
        Value::Object(object) => {
            let name = object.keys().nth(index).cloned().unwrap_or_default();
            part_mut(&mut object[&name], depth + 1, random)
        }
        other => other,
    }
}

fn change(value: &mut Value, other: Value, names: &[&str], random: &mut fastrand::Rng) {
    let name = random.choice(names).copied().unwrap_or("a");
    match (random.u8(..8), &mut *value) {
        (0 | 1, Value::Object(object)) => {
            object.insert(name.to_owned(), other);
        }
        (2, Value::Object(object)) if !object.is_empty() => {
            let index = random.usize(..object.len());
            let removed = object.keys().nth(index).cloned();
            removed.and_then(|name| object.remove(&name));
        }
        (0..=2, Value::Array(items)) => items.extend(vec![other; random.usize(..50)]),
        (3, _) => *value = nested(value.take(), name, random),
        (4, Value::String(text)) if text.len() < LONGEST => {
            *text = text.repeat(random.usize(..100))
        }
        (5, _) => *value = literal(random),
        _ => *value = other,
    }
}

/// Returns the value inside of lists or objects.
fn nested(mut value: Value, name: &str, random: &mut fastrand::Rng) -> Value {
    let is_list = random.bool();
    for _ in 0..random.usize(1..DEPTH) {
        value = if is_list {
            json!([value])
        } else {
            Value::Object(Map::from_iter([(name.to_owned(), value)]))
        };
    }
    value
}

fn literal(random: &mut fastrand::Rng) -> Value {
    match random.u8(..12) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(1.5),
        4 => json!(1e300),
        5 => json!(u64::MAX),
        6 => json!(i64::MIN),
        7 => json!("2024-02-30T25:61:61.9999999999Z"),
        8 => json!("\u{0}\u{202e}\u{10ffff}"),
        9 => json!([]),
        10 => json!({}),
        _ => json!(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_differ_from_each_other() {
        let sample = json!({"a": {"b": [1, "x"]}, "c": "text"});
        let mut generator = fastrand::Rng::with_seed(1);
        let bodies = random(std::slice::from_ref(&sample), &["d"], 50, &mut generator);
        assert_eq!(bodies.len(), 50);
        let mut texts: Vec<String> = bodies.iter().map(Value::to_string).collect();
        texts.sort_unstable();
        texts.dedup();
        assert!(texts.len() > 25, "{texts:?}");
        assert!(random(&[], &[], 5, &mut generator).is_empty());
    }
}
