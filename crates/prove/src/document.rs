//! An OpenAPI document, for the sampler and the judge. Independent of the generator's own model.

use std::collections::{BTreeMap, BTreeSet};

use call_api_codegen::pointer::Pointer;
use serde_json::Value;

/// A document without external references.
#[derive(Debug)]
pub struct Document {
    value: Value,
    is_30: bool,
    /// The schemas with a `$anchor` or `$dynamicAnchor`, by its name.
    anchors: BTreeMap<String, String>,
    inheritance: Inheritance,
    /// The component schemas that a value of each component schema can contain, by reference.
    held: BTreeMap<String, BTreeSet<String>>,
}

/// The schemas that inherit, by `allOf`, from a schema with a discriminator but without a union.
#[derive(Debug, Default)]
struct Inheritance {
    /// The tag of each derived schema: property and values.
    tags: BTreeMap<String, (String, Vec<String>)>,
    /// The base schemas.
    bases: BTreeSet<String>,
}

/// The keywords that do not affect validity.
const ANNOTATIONS: [&str; 10] = [
    "nullable",
    "title",
    "description",
    "default",
    "example",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "externalDocs",
];

impl Document {
    /// Parses a document without external references.
    pub fn new(value: Value) -> Self {
        let is_30 = match value.get("openapi") {
            Some(Value::String(version)) => version.starts_with("3.0"),
            // In YAML, `3.0` without quotes is a number.
            Some(Value::Number(version)) => version.as_f64() == Some(3.0),
            _ => false,
        };
        let mut anchors = BTreeMap::new();
        find_anchors(&value, String::new(), &mut anchors);
        let mut document = Self {
            value,
            is_30,
            anchors,
            inheritance: Inheritance::default(),
            held: BTreeMap::new(),
        };
        document.inheritance = document.find_inheritance();
        document.held = document.find_held();
        document
    }

    /// Returns the document.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Returns true for OpenAPI 3.0, whose schemas have their own dialect.
    pub fn is_30(&self) -> bool {
        self.is_30
    }

    /// Returns the component schemas, in the document's order.
    pub fn schemas(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.value
            .pointer("/components/schemas")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, schema)| (name.as_str(), schema))
    }

    /// Returns the value at a reference such as `#/components/schemas/Call` or `#anchor`.
    pub fn resolve(&self, reference: &str) -> Option<&Value> {
        let fragment = percent_encoding::percent_decode_str(reference.strip_prefix('#')?);
        let fragment = fragment.decode_utf8().ok()?;
        if fragment.is_empty() || fragment.starts_with('/') {
            self.value.pointer(&fragment)
        } else {
            self.value.pointer(self.anchors.get(fragment.as_ref())?)
        }
    }

    /// Returns the value, or the end of its chain of references.
    pub fn follow<'d>(&'d self, mut value: &'d Value) -> Option<&'d Value> {
        for _ in 0..64 {
            match value.get("$ref").and_then(Value::as_str) {
                Some(reference) => value = self.resolve(reference)?,
                None => return Some(value),
            }
        }
        None
    }

    /// Returns the pointer of an anchor.
    pub fn anchor(&self, name: &str) -> Option<&str> {
        self.anchors.get(name).map(String::as_str)
    }

    /// Returns true for a member of a union that is only null: in 3.0, schemars and others write
    /// `{nullable: true}` where 3.1 has `{type: "null"}`.
    pub fn is_null_member(&self, member: &Value) -> bool {
        self.is_30
            && member.as_object().is_some_and(|member| {
                member.get("nullable") == Some(&Value::Bool(true))
                    && member
                        .keys()
                        .all(|key| ANNOTATIONS.contains(&key.as_str()) || key.starts_with("x-"))
            })
    }

    /// Returns the discriminator's property, and its values for one member of the union; no values if any value is valid.
    pub fn tag<'d>(&self, union: &'d Value, member: &Value) -> Option<(&'d str, Vec<String>)> {
        let discriminator = union.get("discriminator")?;
        let property = discriminator.get("propertyName")?.as_str()?;
        let Some(reference) = member.get("$ref").and_then(Value::as_str) else {
            return Some((property, Vec::new()));
        };
        let name = reference.rsplit('/').next().unwrap_or_default();
        let mapping = discriminator.get("mapping").and_then(Value::as_object);
        let mapped: Vec<String> = mapping
            .into_iter()
            .flatten()
            .filter(|(_, target)| {
                target.as_str() == Some(reference) || target.as_str() == Some(name)
            })
            .map(|(tag, _)| tag.clone())
            .collect();
        let values = if mapped.is_empty() {
            vec![name.to_owned()]
        } else {
            mapped
        };
        Some((property, values))
    }

    /// Returns the tag of a component schema that inherits, by `allOf`, from a base with a discriminator but without a union.
    pub fn inherited_tag(&self, name: &str) -> Option<&(String, Vec<String>)> {
        self.inheritance.tags.get(name)
    }

    /// Returns true for a component schema, or a reference to one, whose discriminator distinguishes the schemas that inherit
    /// from it by `allOf`.
    pub fn is_base(&self, schema: &Value) -> bool {
        self.follow(schema).is_some_and(|target| {
            let bases = &self.inheritance.bases;
            let mut schemas = self.schemas();
            schemas.any(|(name, schema)| std::ptr::eq(schema, target) && bases.contains(name))
        })
    }

    /// Returns the component schemas that inherit, by `allOf`, from a schema with a discriminator.
    pub fn heirs<'d>(&'d self, base: &'d Value) -> impl Iterator<Item = &'d Value> {
        let has_discriminator = base.get("discriminator").is_some();
        let schemas = self.schemas().filter(move |_| has_discriminator);
        schemas.map(|(_, schema)| schema).filter(move |schema| {
            let parents = schema.get("allOf").and_then(Value::as_array);
            let targets = parents.into_iter().flatten();
            let mut targets = targets.filter_map(|parent| self.follow(parent));
            targets.any(|target| std::ptr::eq(target, base))
        })
    }

    fn find_inheritance(&self) -> Inheritance {
        let mut found = Inheritance::default();
        for (base, schema) in self.schemas() {
            let is_union = schema
                .get("oneOf")
                .or_else(|| schema.get("anyOf"))
                .is_some();
            if schema.get("discriminator").is_none() || is_union {
                continue;
            }
            let reference = format!("#/components/schemas/{base}");
            for (child, child_schema) in self.schemas() {
                let parents = child_schema.get("allOf").and_then(Value::as_array);
                let inherits = parents
                    .into_iter()
                    .flatten()
                    .any(|parent| parent.get("$ref").and_then(Value::as_str) == Some(&reference));
                let member = serde_json::json!({"$ref": format!("#/components/schemas/{child}")});
                if inherits && let Some((property, values)) = self.tag(schema, &member) {
                    found
                        .tags
                        .insert(child.to_owned(), (property.to_owned(), values));
                    found.bases.insert(base.to_owned());
                }
            }
        }
        found
    }

    /// Returns true if a value of the schema can contain one of the component schema at a reference.
    pub fn holds(&self, schema: &Value, reference: &str) -> bool {
        references(schema).into_iter().any(|direct| {
            let held = self.held.get(direct);
            direct == reference || held.is_some_and(|held| held.contains(reference))
        })
    }

    /// Returns the schemas that a value of the schema can contain, itself included.
    pub fn parts<'d>(&'d self, schema: &'d Value) -> Vec<&'d Value> {
        let mut parts = vec![schema];
        let mut found = BTreeSet::new();
        let mut next = 0;
        while let Some(part) = parts.get(next).copied() {
            next += 1;
            for reference in references(part) {
                if let Some(target) = self.resolve(reference)
                    && found.insert(reference)
                {
                    parts.push(target);
                }
            }
        }
        parts
    }

    fn find_held(&self) -> BTreeMap<String, BTreeSet<String>> {
        let direct: BTreeMap<String, BTreeSet<&str>> = self
            .schemas()
            .map(|(name, schema)| (Pointer::schema(name).to_ref(), references(schema)))
            .collect();
        let all = direct.keys().map(|reference| {
            let mut held = BTreeSet::new();
            let mut todo = vec![reference.as_str()];
            while let Some(next) = todo.pop() {
                for reference in direct.get(next).into_iter().flatten() {
                    if held.insert((*reference).to_owned()) {
                        todo.push(reference);
                    }
                }
            }
            (reference.clone(), held)
        });
        all.collect()
    }
}

/// Returns the references in a value.
fn references(value: &Value) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let mut todo = vec![value];
    while let Some(value) = todo.pop() {
        match value {
            Value::Object(object) => {
                if let Some(Value::String(reference)) = object.get("$ref") {
                    found.insert(reference.as_str());
                }
                todo.extend(object.values());
            }
            Value::Array(items) => todo.extend(items),
            _ => {}
        }
    }
    found
}

fn find_anchors(value: &Value, pointer: String, anchors: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(object) => {
            for key in ["$anchor", "$dynamicAnchor"] {
                if let Some(Value::String(name)) = object.get(key) {
                    anchors
                        .entry(name.clone())
                        .or_insert_with(|| pointer.clone());
                }
            }
            for (key, value) in object {
                let key = key.replace('~', "~0").replace('/', "~1");
                find_anchors(value, format!("{pointer}/{key}"), anchors);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                find_anchors(value, format!("{pointer}/{index}"), anchors);
            }
        }
        _ => {}
    }
}
