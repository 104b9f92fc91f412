//! The samples of each schema: valid ones in each mode, and invalid variants.

use jsonschema::Validator;
use serde_json::Value;

use crate::directions::Directions;
use crate::document::Document;
use crate::judge::{Fault, spoiled};
use crate::sampler::{Mode, Sampler};
use crate::shape::Shape;

/// The maximum number of samples of a schema with many members or values.
const MAX_SAMPLES: usize = 60;

/// The depth that `serde_json` accepts.
const READABLE: usize = 127;

/// Returns samples of the schema at a reference: at least `least` valid ones if there are as many, and invalid ones.
pub fn of_schema<'d>(
    document: &'d Document,
    directions: &Directions,
    reference: &str,
    validator: &Validator,
    sampler: &mut Sampler<'d>,
    least: usize,
) -> Vec<(Option<Fault>, Value)> {
    let schema = document.resolve(reference).unwrap_or(&Value::Null);
    let is_recursive = document.holds(schema, reference);
    let wanted = wanted(document, schema, least) + if is_recursive { 4 } else { 0 };
    let mut valid: Vec<Value> = Vec::new();
    for mode in modes(is_recursive).take(wanted * 4) {
        if valid.len() >= wanted {
            break;
        }
        match sampler.sample(reference, mode) {
            Ok(value)
                if depth(&value) < READABLE
                    && !valid.contains(&value)
                    && validator.is_valid(&value) =>
            {
                valid.push(value);
            }
            _ => {}
        }
    }
    let shallow = valid.iter().filter(|value| depth(value) < 20);
    let whole = shallow.max_by_key(|value| value.to_string().len());
    let mut random = fastrand::Rng::with_seed(3);
    let invalid = whole.map(|value| {
        spoiled(
            document,
            directions,
            reference,
            validator,
            value,
            &mut random,
        )
    });
    let invalid = invalid.into_iter().flatten();
    let invalid: Vec<_> = invalid.map(|(fault, value)| (Some(fault), value)).collect();
    valid
        .into_iter()
        .map(|value| (None, value))
        .chain(invalid)
        .collect()
}

/// Returns the modes of the samples, in order.
fn modes(is_recursive: bool) -> impl Iterator<Item = Mode> {
    let first = [Mode::Full, Mode::Least, Mode::Null, Mode::Full];
    let deep = [Mode::Deep; 4];
    let deep = deep.into_iter().filter(move |_| is_recursive);
    first
        .into_iter()
        .chain(deep)
        .chain(std::iter::repeat(Mode::Random))
}

/// Returns the number of valid samples that cover each member of a union and each value of an enum.
fn wanted(document: &Document, schema: &Value, least: usize) -> usize {
    let Ok(shape) = Shape::of(document, schema) else {
        return least;
    };
    let members = shape.unions.iter().map(|union| union.members.len() + 3);
    let values = shape.values.as_ref().map_or(0, Vec::len);
    let most = members.chain([values]).max().unwrap_or(0);
    most.min(MAX_SAMPLES).max(least)
}

/// Returns the depth of lists and objects.
fn depth(value: &Value) -> usize {
    match value {
        Value::Object(object) => 1 + object.values().map(depth).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
