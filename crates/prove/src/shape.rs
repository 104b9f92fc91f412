//! The constraints of a schema, merged over `$ref` and `allOf`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::document::Document;

/// No value fits, or no value was found.
#[derive(Clone, Copy, Debug)]
pub struct Unsatisfiable;

/// The additional properties of an object.
#[derive(Clone, Copy, Debug, Default)]
pub enum Additional<'d> {
    /// Not stated.
    #[default]
    Unsaid,
    /// `additionalProperties: true`, or a schema that fits anything.
    Any,
    /// `additionalProperties: false`.
    Forbidden,
    /// A schema for their values.
    Schema(&'d Value),
}

/// A union of which a value must be a member.
#[derive(Clone, Copy, Debug)]
pub struct Union<'d> {
    /// The schema with the union, for its discriminator.
    pub owner: &'d Value,
    /// The members.
    pub members: &'d [Value],
}

/// The merged constraints of a value.
#[derive(Clone, Debug, Default)]
pub struct Shape<'d> {
    /// The types except for null; `None` means any.
    pub types: Option<BTreeSet<&'d str>>,
    /// True if null is one of the types; `None` if no schema states types.
    pub null: Option<bool>,
    /// The schemas of each property.
    pub properties: BTreeMap<&'d str, Vec<&'d Value>>,
    /// The required properties.
    pub required: BTreeSet<&'d str>,
    /// The unions, of each of which the value is a member.
    pub unions: Vec<Union<'d>>,
    /// The values allowed by `enum` and `const`.
    pub values: Option<Vec<&'d Value>>,
    /// The schemas of each item.
    pub items: Vec<&'d Value>,
    /// The schemas of the first items.
    pub prefix: &'d [Value],
    /// The additional properties.
    pub additional: Additional<'d>,
    /// The schemas of properties by the pattern of their names.
    pub patterns: Vec<(&'d str, &'d Value)>,
    /// The schemas of the property names.
    pub names: Option<&'d Value>,
    /// The bounds: the minimum of upper bounds and the maximum of lower bounds, by keyword.
    pub bounds: BTreeMap<&'d str, f64>,
    /// The bounds that are exclusive in the syntax of 3.0.
    pub exclusive: BTreeSet<&'d str>,
    /// True if items must be unique.
    pub unique: bool,
    /// The format.
    pub format: Option<&'d str>,
    /// The pattern.
    pub pattern: Option<&'d str>,
    /// The examples.
    pub examples: Vec<&'d Value>,
    /// The property and the values that select this schema from a tagged union.
    pub tag: Option<(&'d str, Vec<String>)>,
    /// The properties that are only received.
    pub read_only: BTreeSet<&'d str>,
    /// The properties that are only sent.
    pub write_only: BTreeSet<&'d str>,
}

const LOWER: [&str; 5] = [
    "minLength",
    "minItems",
    "minProperties",
    "minimum",
    "exclusiveMinimum",
];
const UPPER: [&str; 6] = [
    "maxLength",
    "maxItems",
    "maxProperties",
    "maximum",
    "exclusiveMaximum",
    "multipleOf",
];

impl<'d> Shape<'d> {
    /// Merges a schema with its references and its `allOf`.
    ///
    /// # Errors
    /// No value fits.
    pub fn of(document: &'d Document, schema: &'d Value) -> Result<Self, Unsatisfiable> {
        let mut shape = Self::default();
        shape.add(document, schema, &mut Vec::new())?;
        Ok(shape)
    }

    /// Adds the constraints of another schema.
    ///
    /// # Errors
    /// No value fits both.
    pub fn and(mut self, document: &'d Document, schema: &'d Value) -> Result<Self, Unsatisfiable> {
        self.add(document, schema, &mut Vec::new())?;
        Ok(self)
    }

    fn add(
        &mut self,
        document: &'d Document,
        schema: &'d Value,
        seen: &mut Vec<&'d str>,
    ) -> Result<(), Unsatisfiable> {
        if schema == &Value::Bool(false) {
            return Err(Unsatisfiable);
        }
        let Some(object) = schema.as_object() else {
            return Ok(());
        };
        let reference = ["$ref", "$dynamicRef"]
            .into_iter()
            .find_map(|key| object.get(key)?.as_str());
        if let Some(reference) = reference {
            if seen.contains(&reference) {
                return Err(Unsatisfiable);
            }
            let target = document.resolve(reference).ok_or(Unsatisfiable)?;
            seen.push(reference);
            self.add(document, target, seen)?;
            seen.pop();
            if document.is_30() {
                return Ok(());
            }
        }
        self.add_types(document, schema)?;
        for (key, value) in object {
            match (key.as_str(), value) {
                ("allOf", Value::Array(parents)) => {
                    for parent in parents {
                        self.add(document, parent, seen)?;
                    }
                }
                ("anyOf" | "oneOf", Value::Array(members)) if !members.is_empty() => {
                    self.unions.push(Union {
                        owner: schema,
                        members,
                    });
                }
                (key, value) => self.add_keyword(document, key, value),
            }
        }
        Ok(())
    }

    fn add_types(&mut self, document: &Document, schema: &'d Value) -> Result<(), Unsatisfiable> {
        let mut types: BTreeSet<&str> = match schema.get("type") {
            Some(Value::String(name)) => [name.as_str()].into(),
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => return Ok(()),
        };
        let nullable = document.is_30() && schema.get("nullable") == Some(&Value::Bool(true));
        let null = types.remove("null") || nullable;
        let null = self.null.is_none_or(|before| before) && null;
        self.null = Some(null);
        let types = match self.types.take() {
            None => types,
            Some(before) => {
                let numeric =
                    |types: &BTreeSet<&str>| types.contains("integer") || types.contains("number");
                let mut both: BTreeSet<&str> = before.intersection(&types).copied().collect();
                if numeric(&before)
                    && numeric(&types)
                    && (before.contains("integer") || types.contains("integer"))
                {
                    both.remove("number");
                    both.insert("integer");
                }
                both
            }
        };
        if types.is_empty() && !null {
            return Err(Unsatisfiable);
        }
        self.types = Some(types);
        Ok(())
    }

    fn add_keyword(&mut self, document: &'d Document, key: &'d str, value: &'d Value) {
        match (key, value) {
            ("properties", Value::Object(properties)) => {
                for (name, schema) in properties {
                    self.properties.entry(name).or_default().push(schema);
                    if says(document, schema, "readOnly", 0) {
                        self.read_only.insert(name);
                    }
                    if says(document, schema, "writeOnly", 0) {
                        self.write_only.insert(name);
                    }
                }
            }
            ("required", Value::Array(names)) => {
                self.required.extend(names.iter().filter_map(Value::as_str));
            }
            ("enum", Value::Array(values)) if !values.is_empty() => {
                self.keep_values(values.iter().collect());
            }
            ("const", value) => self.keep_values(vec![value]),
            ("items", schema) => self.items.push(schema),
            ("prefixItems", Value::Array(schemas)) => self.prefix = schemas,
            ("additionalProperties", value) => self.add_additional(value),
            ("patternProperties", Value::Object(patterns)) => {
                let patterns = patterns.iter();
                self.patterns
                    .extend(patterns.map(|(pattern, schema)| (pattern.as_str(), schema)));
            }
            ("propertyNames", schema) => self.names = Some(schema),
            ("uniqueItems", Value::Bool(true)) => self.unique = true,
            ("format", Value::String(format)) => {
                self.format.get_or_insert(format);
            }
            ("pattern", Value::String(pattern)) => {
                self.pattern.get_or_insert(pattern);
            }
            ("example", example) => self.examples.push(example),
            ("examples", Value::Array(examples)) => self.examples.extend(examples),
            ("exclusiveMinimum" | "exclusiveMaximum", Value::Bool(true)) => {
                self.exclusive.insert(key);
            }
            (key, Value::Number(bound)) => {
                let bound = bound.as_f64().unwrap_or(0.0);
                let before = self.bounds.get(key).copied();
                if LOWER.contains(&key) {
                    self.bounds.insert(key, before.unwrap_or(bound).max(bound));
                } else if UPPER.contains(&key) {
                    self.bounds.insert(key, before.unwrap_or(bound).min(bound));
                }
            }
            _ => {}
        }
    }

    fn keep_values(&mut self, values: Vec<&'d Value>) {
        let before = self.values.take();
        let kept = values
            .into_iter()
            .filter(|value| before.as_ref().is_none_or(|before| before.contains(value)));
        self.values = Some(kept.collect());
    }

    fn add_additional(&mut self, value: &'d Value) {
        self.additional = match (self.additional, value) {
            (Additional::Forbidden, _) | (_, Value::Bool(false)) => Additional::Forbidden,
            (_, Value::Object(schema)) if !schema.is_empty() => Additional::Schema(value),
            (Additional::Schema(schema), _) => Additional::Schema(schema),
            _ => Additional::Any,
        };
    }

    /// Returns a bound such as `minItems` as an integer.
    pub fn count(&self, key: &str) -> Option<usize> {
        self.bounds.get(key).map(|bound| *bound as usize)
    }

    /// Returns the type names of a value, inferred from the keywords if the schema states none; empty for any.
    pub fn kinds(&self) -> Vec<&'d str> {
        if let Some(types) = &self.types {
            return types.iter().copied().collect();
        }
        let is_object = !self.properties.is_empty()
            || !self.required.is_empty()
            || !self.patterns.is_empty()
            || !matches!(self.additional, Additional::Unsaid);
        let has = |keys: &[&str]| keys.iter().any(|key| self.bounds.contains_key(key));
        if is_object {
            vec!["object"]
        } else if !self.items.is_empty() || !self.prefix.is_empty() {
            vec!["array"]
        } else if self.format.is_some()
            || self.pattern.is_some()
            || has(&["minLength", "maxLength"])
        {
            vec!["string"]
        } else if has(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]) {
            vec!["number"]
        } else {
            Vec::new()
        }
    }
}

/// Returns true if the schema, or one that it wraps, has the keyword.
pub(crate) fn says(document: &Document, schema: &Value, keyword: &str, depth: usize) -> bool {
    let is_true = |schema: &Value| schema.get(keyword) == Some(&Value::Bool(true));
    let Some(target) = document.follow(schema).filter(|_| depth < 16) else {
        return is_true(schema);
    };
    let parts = target.get("allOf").and_then(Value::as_array);
    is_true(schema)
        || is_true(target)
        || parts
            .into_iter()
            .flatten()
            .any(|part| says(document, part, keyword, depth + 1))
}
