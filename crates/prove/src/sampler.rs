//! Generation of samples of a schema, from the document alone.
//!
//! The sampler tries to generate valid values; the judge decides. It cycles through the members of a union and the values
//! of an enum, so that a few samples cover them all.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use crate::document::Document;
use crate::pattern;
use crate::scalar;
use crate::shape::{Additional, Shape, Union, Unsatisfiable};

/// The name of an unknown property, such as a newer service could send.
pub const UNKNOWN: &str = "zz_unknown";

/// The depth of the deepest samples: `serde_json` accepts 127 levels.
const MAX_DEPTH: usize = 100;

/// The depth from which other samples are minimal.
const DEEP_ENOUGH: usize = 7;

/// The selection of optional parts in a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All, without nulls.
    Full,
    /// None.
    Least,
    /// All, and null wherever it is valid.
    Null,
    /// Some.
    Random,
    /// Those that lead back to the schema itself, up to the maximum depth.
    Deep,
}

/// Generates samples of a document's schemas; deterministic.
#[derive(Debug)]
pub struct Sampler<'d> {
    document: &'d Document,
    random: fastrand::Rng,
    mode: Mode,
    /// The number of values that a sample may still have before the rest of it is minimal.
    budget: usize,
    /// The number of schemas that may still be tried for a sample, because the number of combinations can be too large.
    work: usize,
    /// The number of unions entered since the last list or object, because a union can contain itself.
    unions: usize,
    /// The number of times that each choice of a location was taken.
    taken: HashMap<(usize, usize), Vec<u32>>,
    /// The reference that a deep sample repeats.
    root: String,
    leads_back: HashMap<usize, bool>,
}

type Sample = Result<Value, Unsatisfiable>;

impl<'d> Sampler<'d> {
    /// Returns a sampler for this document.
    pub fn new(document: &'d Document) -> Self {
        Self {
            document,
            random: fastrand::Rng::with_seed(7),
            mode: Mode::Full,
            budget: 0,
            work: 0,
            unions: 0,
            taken: HashMap::new(),
            root: String::new(),
            leads_back: HashMap::new(),
        }
    }

    /// Generates a sample of the schema at a reference.
    ///
    /// # Errors
    /// No value was found.
    pub fn sample(&mut self, reference: &str, mode: Mode) -> Sample {
        let schema = self.document.resolve(reference).ok_or(Unsatisfiable)?;
        if self.root != reference {
            reference.clone_into(&mut self.root);
            self.leads_back.clear();
        }
        self.mode = mode;
        self.budget = 250;
        self.work = 20_000;
        self.unions = 0;
        let mut value = self.value(schema, 0)?;
        let name = reference.rsplit('/').next().unwrap_or_default();
        if let (Some((property, values)), Value::Object(object)) =
            (self.document.inherited_tag(name), &mut value)
            && let Some(tag) = values.first()
            && object.contains_key(property)
        {
            object.insert(property.clone(), json!(tag));
        }
        Ok(value)
    }

    fn value(&mut self, schema: &'d Value, depth: usize) -> Sample {
        let limit = if self.mode == Mode::Deep {
            MAX_DEPTH + 20
        } else {
            24
        };
        if depth > limit {
            return Err(Unsatisfiable);
        }
        let shape = Shape::of(self.document, schema)?;
        let unions = std::mem::take(&mut self.unions);
        let value = self.shaped(shape, depth, std::ptr::from_ref(schema) as usize);
        self.unions = unions;
        value
    }

    fn shaped(&mut self, mut shape: Shape<'d>, depth: usize, place: usize) -> Sample {
        self.budget = self.budget.saturating_sub(1);
        self.work = self.work.checked_sub(1).ok_or(Unsatisfiable)?;
        let allows_null = shape.null == Some(true)
            && (self.document.is_30()
                || shape
                    .values
                    .as_ref()
                    .is_none_or(|values| values.contains(&&Value::Null)));
        let only_null = shape.types.as_ref().is_some_and(|types| types.is_empty());
        if allows_null && (only_null || depth > 0 && self.wants_null()) {
            return Ok(Value::Null);
        }
        if !shape.unions.is_empty() {
            let union = shape.unions.remove(0);
            return self.member(&shape, union, depth);
        }
        if let Some(values) = &shape.values {
            let fitting: Vec<&Value> = values
                .iter()
                .copied()
                .filter(|value| fits(value, &shape, allows_null))
                .collect();
            let index = self.pick(place, fitting.len()).ok_or(Unsatisfiable)?;
            return fitting
                .get(index)
                .map(|value| (*value).clone())
                .ok_or(Unsatisfiable);
        }
        let kinds = shape.kinds();
        if kinds.is_empty() {
            return Ok(self.anything(&shape, depth));
        }
        for index in self.order(place, kinds.len()) {
            let made = match kinds.get(index).copied().unwrap_or_default() {
                "object" => self.object(&shape, depth),
                "array" => self.array(&shape, depth),
                "string" => self.string(&shape),
                "integer" => scalar::integer(&shape, &mut self.random),
                "number" => scalar::number(&shape, &mut self.random),
                "boolean" => Ok(json!(self.random.bool())),
                _ => Err(Unsatisfiable),
            };
            if made.is_ok() {
                return made;
            }
        }
        Err(Unsatisfiable)
    }

    fn wants_null(&mut self) -> bool {
        match self.mode {
            Mode::Null => self.random.u8(..10) < 9,
            Mode::Random => self.random.u8(..4) == 0,
            Mode::Full | Mode::Least | Mode::Deep => false,
        }
    }

    fn member(&mut self, shape: &Shape<'d>, union: Union<'d>, depth: usize) -> Sample {
        if self.unions == 32 {
            return Err(Unsatisfiable);
        }
        self.unions += 1;
        let made = self.any_member(shape, union, depth);
        self.unions -= 1;
        made
    }

    fn any_member(&mut self, shape: &Shape<'d>, union: Union<'d>, depth: usize) -> Sample {
        let place = union.members.as_ptr() as usize;
        let mut order = self.order(place, union.members.len());
        if self.mode == Mode::Deep && depth < MAX_DEPTH {
            order.sort_by_key(|index| {
                !union
                    .members
                    .get(*index)
                    .is_some_and(|m| self.leads_back(m))
            });
        } else if depth > DEEP_ENOUGH || self.budget == 0 {
            order.sort_by_key(|index| union.members.get(*index).map(|member| self.weight(member)));
        }
        for index in order {
            let Some(member) = union.members.get(index) else {
                continue;
            };
            if self.document.is_null_member(member) {
                if depth > 0 {
                    return Ok(Value::Null);
                }
                continue;
            }
            // The members of a union may have types that the schema around them does not state.
            let Ok(mut narrowed) = shape.clone().and(self.document, member) else {
                continue;
            };
            let tag = self.document.tag(union.owner, member);
            if let Some((property, values)) = tag
                && narrowed
                    .types
                    .as_ref()
                    .is_none_or(|types| types.contains("object"))
            {
                narrowed.required.insert(property);
                narrowed.tag = Some((property, values));
            }
            let place = std::ptr::from_ref(member) as usize;
            if let Ok(value) = self.shaped(narrowed, depth, place) {
                return Ok(value);
            }
        }
        Err(Unsatisfiable)
    }

    fn object(&mut self, shape: &Shape<'d>, depth: usize) -> Sample {
        let mut object = Map::new();
        let names: Vec<&'d str> = shape
            .properties
            .keys()
            .chain(&shape.required)
            .copied()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let deeper = self.deeper(shape, &names, depth);
        let mode = self.mode;
        let least = shape.count("minProperties").unwrap_or(0);
        let mut left = names.len();
        for name in names {
            left -= 1;
            let required = shape.required.contains(name);
            let leads_deeper = deeper == Some(name);
            // Other properties than these could be unknown, and dropped.
            let is_needed = object.len() + left < least;
            if !required && !leads_deeper && !self.wants_optional(depth) && !is_needed {
                continue;
            }
            if mode == Mode::Deep && !leads_deeper {
                self.mode = Mode::Least;
            }
            let budget = self.budget;
            let made = self.property(shape, name, depth);
            self.mode = mode;
            match made {
                Ok(value) => {
                    object.insert(name.to_owned(), value);
                }
                Err(error) if required => return Err(error),
                Err(_) => self.budget = budget,
            }
        }
        self.additional(shape, &mut object, depth)?;
        self.matching(shape, &mut object, depth)?;
        if let Some(most) = shape.count("maxProperties") {
            let spare: Vec<String> = object
                .keys()
                .filter(|name| !shape.required.contains(name.as_str()))
                .take(object.len().saturating_sub(most))
                .cloned()
                .collect();
            for name in spare {
                object.remove(&name);
            }
        }
        Ok(Value::Object(object))
    }

    /// Returns the property in which a deep sample continues: a single one, since two per level would be 2^depth.
    fn deeper(&mut self, shape: &Shape<'d>, names: &[&'d str], depth: usize) -> Option<&'d str> {
        if self.mode != Mode::Deep || depth >= MAX_DEPTH {
            return None;
        }
        let back: Vec<&'d str> = names
            .iter()
            .copied()
            .filter(|name| {
                let schemas = shape.properties.get(name);
                schemas
                    .into_iter()
                    .flatten()
                    .any(|schema| self.leads_back(schema))
            })
            .collect();
        let place = shape.properties.values().next()?.first()?;
        let index = self.pick(std::ptr::from_ref(*place) as usize, back.len())?;
        back.get(index).copied()
    }

    fn wants_optional(&mut self, depth: usize) -> bool {
        if depth > 9 || self.budget == 0 {
            return false;
        }
        match self.mode {
            Mode::Least | Mode::Deep => false,
            Mode::Full | Mode::Null => depth <= 5 || self.random.u8(..10) >= 6,
            Mode::Random => self.random.u8(..100) >= if depth == 0 { 30 } else { 45 },
        }
    }

    fn property(&mut self, shape: &Shape<'d>, name: &str, depth: usize) -> Sample {
        if let Some((property, values)) = &shape.tag
            && *property == name
            && !values.is_empty()
        {
            let index = self.random.usize(..values.len());
            return Ok(json!(values.get(index)));
        }
        match shape.properties.get(name).map(Vec::as_slice) {
            None => match shape.additional {
                Additional::Schema(schema) => self.value(schema, depth + 1),
                _ => Ok(self.anything(&Shape::default(), depth + 1)),
            },
            Some(schemas) => self.all_of(schemas, depth + 1),
        }
    }

    /// Returns a value that fits all of the schemas.
    fn all_of(&mut self, schemas: &[&'d Value], depth: usize) -> Sample {
        let [first, rest @ ..] = schemas else {
            return Ok(self.anything(&Shape::default(), depth));
        };
        if rest.is_empty() {
            return self.value(first, depth);
        }
        let mut shape = Shape::of(self.document, first)?;
        for schema in rest {
            shape = shape.and(self.document, schema)?;
        }
        self.shaped(shape, depth, std::ptr::from_ref(*first) as usize)
    }

    fn additional(
        &mut self,
        shape: &Shape<'d>,
        object: &mut Map<String, Value>,
        depth: usize,
    ) -> Result<(), Unsatisfiable> {
        let needed = shape
            .count("minProperties")
            .unwrap_or(0)
            .saturating_sub(object.len());
        let wanted = match self.mode {
            _ if depth > 8 && self.mode != Mode::Deep || self.budget == 0 => 0,
            Mode::Least => 0,
            Mode::Deep => 1,
            Mode::Full | Mode::Null => 2,
            Mode::Random => self.random.usize(..3),
        };
        let count = wanted.max(needed);
        match shape.additional {
            Additional::Schema(schema) => {
                let leads_back = depth < MAX_DEPTH && self.leads_back(schema);
                if self.mode == Mode::Deep && !leads_back && needed == 0 {
                    return Ok(());
                }
                for name in self.keys(shape, count) {
                    match self.value(schema, depth + 1) {
                        Ok(value) => object.insert(name, value),
                        Err(error) if needed > 0 => return Err(error),
                        Err(_) => break,
                    };
                }
            }
            Additional::Any => {
                for name in self.keys(shape, count) {
                    let value = self.anything(&Shape::default(), depth + 1);
                    object.insert(name, value);
                }
            }
            Additional::Unsaid if shape.properties.is_empty() => {
                let count = if shape.patterns.is_empty() {
                    count
                } else {
                    needed
                };
                for name in self.keys(shape, count) {
                    let value = self.anything(&Shape::default(), depth + 1);
                    object.insert(name, value);
                }
            }
            Additional::Unsaid => {
                let wants_unknown = needed > 0
                    || self.mode == Mode::Random && self.random.bool() && shape.patterns.is_empty();
                if wants_unknown {
                    object.insert(UNKNOWN.to_owned(), json!({"deep": [1]}));
                }
            }
            Additional::Forbidden => {}
        }
        Ok(())
    }

    /// Returns names for additional properties.
    fn keys(&mut self, shape: &Shape<'d>, count: usize) -> Vec<String> {
        let mut keys = Vec::new();
        for usual in ["k1", "key two", "K-3", "ключ", "k5"] {
            let key = match shape.names {
                Some(schema) => match self.value(schema, 3) {
                    Ok(Value::String(key)) => key,
                    _ => continue,
                },
                None => usual.to_owned(),
            };
            if keys.len() < count
                && !keys.contains(&key)
                && !shape.properties.contains_key(key.as_str())
            {
                keys.push(key);
            }
        }
        keys
    }

    fn matching(
        &mut self,
        shape: &Shape<'d>,
        object: &mut Map<String, Value>,
        depth: usize,
    ) -> Result<(), Unsatisfiable> {
        if self.mode == Mode::Least || depth > 8 {
            return Ok(());
        }
        for (pattern, schema) in &shape.patterns {
            let name = pattern::matching(pattern, &mut self.random).ok_or(Unsatisfiable)?;
            let value = self.value(schema, depth + 1)?;
            object.insert(name, value);
        }
        Ok(())
    }

    fn array(&mut self, shape: &Shape<'d>, depth: usize) -> Sample {
        let least = shape.count("minItems").unwrap_or(0);
        let most = shape.count("maxItems").unwrap_or(usize::MAX);
        let back = self.mode == Mode::Deep
            && depth < MAX_DEPTH
            && shape.items.iter().any(|schema| self.leads_back(schema));
        let wanted = match self.mode {
            Mode::Deep => usize::from(back),
            _ if depth > 8 || self.budget == 0 => 0,
            Mode::Least => 0,
            Mode::Full => 2,
            Mode::Null => 1,
            Mode::Random => self.random.usize(..4),
        };
        let count = wanted.max(least).min(most);
        let mut items = Vec::new();
        for schema in shape.prefix.iter().take(count) {
            items.push(self.value(schema, depth + 1)?);
        }
        if shape.items.contains(&&Value::Bool(false)) {
            return Ok(Value::Array(items));
        }
        for _ in 0..count * 4 {
            if items.len() >= count {
                break;
            }
            match self.all_of(&shape.items, depth + 1) {
                Ok(item) if shape.unique && items.contains(&item) => {}
                Ok(item) => items.push(item),
                Err(error) if items.len() < least => return Err(error),
                Err(_) => break,
            }
        }
        Ok(Value::Array(items))
    }

    fn string(&mut self, shape: &Shape<'d>) -> Sample {
        let mut examples = shape.examples.iter().filter(|example| example.is_string());
        if let Some(example) = examples.next()
            && self.random.u8(..3) == 0
        {
            return Ok((*example).clone());
        }
        scalar::string(shape, &mut self.random)
    }

    fn anything(&mut self, shape: &Shape<'d>, depth: usize) -> Value {
        if depth == 0
            && let Some(example) = shape.examples.first()
        {
            return (*example).clone();
        }
        let values = [
            json!("any"),
            json!(3),
            json!({"a": {"b": [1, null, "c"]}}),
            json!(1.5),
            json!(true),
            json!(["x", 2, {"y": null}]),
            json!({}),
            json!([]),
        ];
        let index = self.pick(0, values.len()).unwrap_or(0);
        values.get(index).cloned().unwrap_or_default()
    }

    /// Returns the index that was picked least often so far, of `count` at a location.
    fn pick(&mut self, place: usize, count: usize) -> Option<usize> {
        let taken = self
            .taken
            .entry((place, count))
            .or_insert_with(|| vec![0; count]);
        let least = *taken.iter().min()?;
        let candidates: Vec<usize> = (0..count)
            .filter(|index| taken.get(*index) == Some(&least))
            .collect();
        let index = *candidates.get(self.random.usize(..candidates.len()))?;
        if let Some(times) = taken.get_mut(index) {
            *times += 1;
        }
        Some(index)
    }

    fn order(&mut self, place: usize, count: usize) -> Vec<usize> {
        let Some(first) = self.pick(place, count) else {
            return Vec::new();
        };
        let mut rest: Vec<usize> = (0..count).filter(|index| *index != first).collect();
        self.random.shuffle(&mut rest);
        rest.insert(0, first);
        rest
    }

    /// Returns the approximate size of a member of a union: the smallest one ends the recursion.
    fn weight(&self, schema: &'d Value) -> usize {
        match Shape::of(self.document, schema) {
            Ok(shape) => {
                let scalar = shape
                    .kinds()
                    .iter()
                    .all(|kind| !["object", "array"].contains(kind));
                shape.required.len() + 3 * shape.unions.len() + usize::from(!scalar)
            }
            Err(_) => 99,
        }
    }

    fn leads_back(&mut self, schema: &'d Value) -> bool {
        let place = std::ptr::from_ref(schema) as usize;
        if let Some(known) = self.leads_back.get(&place) {
            return *known;
        }
        let known = self.document.holds(schema, &self.root);
        self.leads_back.insert(place, known);
        known
    }
}

fn fits(value: &Value, shape: &Shape<'_>, allows_null: bool) -> bool {
    let Some(types) = &shape.types else {
        return true;
    };
    match value {
        Value::Null => allows_null,
        Value::Bool(_) => types.contains("boolean"),
        Value::Number(_) => types.contains("integer") || types.contains("number"),
        Value::String(_) => types.contains("string"),
        Value::Array(_) => types.contains("array"),
        Value::Object(_) => types.contains("object"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_number_of_properties_is_made_of_the_named_ones() {
        let names = |least: usize| {
            let text = json!({"type": "string"});
            let properties = json!({"a": text, "b": text, "c": text});
            let schema = json!({"minProperties": least, "properties": properties});
            let document = Document::new(json!({"components": {"schemas": {"A": schema}}}));
            let mut sampler = Sampler::new(&document);
            let value = sampler
                .sample("#/components/schemas/A", Mode::Least)
                .unwrap();
            let names = value.as_object().unwrap().keys().cloned();
            names.collect::<Vec<_>>()
        };
        assert_eq!(names(2), ["b", "c"]);
        assert_eq!(names(4), ["a", "b", "c", UNKNOWN]);
    }
}
