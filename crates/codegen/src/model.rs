//! The typed model: the facts that the rules of [`normalize`](crate::normalize) find and that OpenAPI 3.0 or progenitor
//! cannot express. The emitters of [`postprocess`](crate::postprocess) read it beside the normalized document.

mod operations;
mod paging;
mod streams;
mod webhooks;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde_json::{Value, json};

use crate::openapi::located_parts;
use crate::pointer::{Lookup as _, Pointer};
use crate::walk;

pub use operations::{
    BodyEncoding, Operation, Parameter, ParameterKey, Part, RequestBody, Response, ResponseBody,
    Responses, Style,
};
pub use paging::{NextPage, PageShape, Paging, Property, PropertyPath, QueryParameter, ValueKind};
pub use streams::{EventData, Stream, StreamFormat};
pub use webhooks::Webhooks;

/// The facts about a document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// The operations, by their location in the normalized document.
    pub operations: BTreeMap<Pointer, Operation>,
    /// The schemas, by their location in the normalized document.
    pub schemas: BTreeMap<Pointer, Schema>,
    /// The names of the components that were inline schemas.
    pub inline: BTreeSet<String>,
    /// The name of the schema that stands for a file in a `multipart/form-data` body.
    pub file: Option<String>,
    /// The unions, by schema name.
    pub unions: BTreeMap<String, Union>,
    /// The shapes of the schemas that union members refer to, by schema name.
    pub shapes: BTreeMap<String, Details>,
    /// The webhooks.
    pub webhooks: Option<Webhooks>,
}

/// The facts about a schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// The names of properties on the wire, by their names in the normalized document, where the two differ.
    pub wire_names: BTreeMap<String, String>,
    /// The values of a string enum, by variant, if the normalized document lists the variants instead.
    pub values: BTreeMap<String, String>,
    /// The optional properties that distinguish null from absent.
    pub nullable: Vec<String>,
    /// The optional properties that a received value must have, each with true if null is a value of it.
    pub received: BTreeMap<String, bool>,
}

impl Schema {
    /// Follows new names of properties in the normalized document, by their old names.
    pub fn rename_properties(&mut self, renamed: &BTreeMap<String, String>) {
        for (old, new) in renamed {
            let wire = self.wire_names.remove(old).unwrap_or_else(|| old.clone());
            self.wire_names.insert(new.clone(), wire);
        }
        let received = std::mem::take(&mut self.received).into_iter();
        let renamed = received.map(|(name, nullable)| {
            let name = renamed.get(&name).cloned().unwrap_or(name);
            (name, nullable)
        });
        self.received = renamed.collect();
    }
}

impl Model {
    /// Returns the normalized document with the names of properties, the values of enums and the required properties of what
    /// is received.
    pub fn on_the_wire<'a>(&self, document: &'a Value) -> Cow<'a, Value> {
        let mut document = Cow::Borrowed(document);
        for (place, facts) in &self.schemas {
            if facts.wire_names.is_empty() && facts.values.is_empty() && facts.received.is_empty() {
                continue;
            }
            let Some(schema) = document
                .to_mut()
                .at_mut(place.as_str())
                .and_then(Value::as_object_mut)
            else {
                continue;
            };
            if !facts.received.is_empty() {
                let required = schema.entry("required").or_insert_with(|| json!([]));
                if let Some(required) = required.as_array_mut() {
                    required.extend(facts.received.keys().map(|name| json!(name)));
                }
            }
            walk::rename_properties(schema, &facts.wire_names);
            if let Some(Value::Array(listed)) = schema.get_mut("enum") {
                for variant in listed {
                    if let Some(value) = variant
                        .as_str()
                        .and_then(|variant| facts.values.get(variant))
                    {
                        *variant = Value::String(value.clone());
                    }
                }
            }
        }
        document
    }

    /// Returns the facts about the operation at `place`.
    pub fn operation(&self, place: &Pointer) -> Option<&Operation> {
        self.operations.get(place)
    }

    /// Returns the facts about the operation at `place`, to be changed.
    pub fn operation_mut(&mut self, place: &Pointer) -> &mut Operation {
        self.operations.entry(place.clone()).or_default()
    }

    /// Returns the facts about the schema at `place`, to be changed.
    pub fn schema_mut(&mut self, place: &Pointer) -> &mut Schema {
        self.schemas.entry(place.clone()).or_default()
    }

    /// Returns the facts about the named schemas of `document`, each with its name.
    pub fn named_schemas<'a>(
        &'a self,
        document: &'a Value,
    ) -> impl Iterator<Item = (&'a String, &'a Schema)> {
        walk::schemas(document)
            .filter_map(|(name, _)| Some((name, self.schemas.get(&Pointer::schema(name))?)))
    }

    /// Returns the facts about the schema at `place`, and about the schemas that it is composed of.
    pub fn composed(&self, document: &Value, place: &Pointer) -> Vec<&Schema> {
        let parts = located_parts(document, place).into_iter();
        parts
            .filter_map(|(place, _)| self.schemas.get(&place))
            .collect()
    }

    /// Follows a move of everything at `old` to `new`.
    pub fn moved(&mut self, old: &Pointer, new: &Pointer) {
        fn move_keys<T>(map: &mut BTreeMap<Pointer, T>, old: &Pointer, new: &Pointer) {
            let moved: Vec<(Pointer, Pointer)> = map
                .range::<str, _>((Bound::Included(old.as_str()), Bound::Unbounded))
                .take_while(|(place, _)| place.as_str().starts_with(old.as_str()))
                .filter_map(|(place, _)| Some((place.clone(), new.append(place.within(old)?))))
                .collect();
            for (place, new) in moved {
                if let Some(facts) = map.remove(&place) {
                    map.insert(new, facts);
                }
            }
        }
        move_keys(&mut self.operations, old, new);
        move_keys(&mut self.schemas, old, new);
    }

    /// Follows new names of schemas, wherever a fact names one.
    pub fn rename(&mut self, names: &BTreeMap<String, String>) {
        fn rename_keys<T>(map: &mut BTreeMap<String, T>, names: &BTreeMap<String, String>) {
            let renamed = std::mem::take(map)
                .into_iter()
                .map(|(name, value)| (names.get(&name).cloned().unwrap_or(name), value));
            *map = renamed.collect();
        }
        if names.is_empty() {
            return;
        }
        let webhooks = self.webhooks.as_mut().map(|webhooks| &mut webhooks.schema);
        for name in self.file.iter_mut().chain(webhooks) {
            if let Some(new) = names.get(name) {
                name.clone_from(new);
            }
        }
        for operation in self.operations.values_mut() {
            if let Some(stream) = &mut operation.stream {
                stream.item.rename(names);
            }
        }
        rename_keys(&mut self.unions, names);
        rename_keys(&mut self.shapes, names);
        for union in self.unions.values_mut() {
            for member in &mut union.members {
                member.ty.rename(names);
                member.shape.rename(names);
            }
        }
        for details in self.shapes.values_mut() {
            details.rename(names);
        }
    }
}

/// A union of schemas (`oneOf`, `anyOf`).
#[derive(Clone, Debug, PartialEq)]
pub struct Union {
    /// The members, in the document's order.
    pub members: Vec<Member>,
    /// The property that distinguishes the members that are objects.
    pub tag: Option<Tag>,
    /// True if several members may match at once (`anyOf`).
    pub any: bool,
    /// True if the value may be null.
    pub nullable: bool,
}

impl Union {
    /// Returns true if only the shape of a value distinguishes this member from the others.
    pub fn is_looked_into(&self, index: usize) -> bool {
        let has_tag = self.tag.as_ref().is_some_and(|tag| tag.required);
        let open = |member: &Member| {
            let decided = if has_tag {
                Kinds::OBJECT
            } else {
                Kinds::default()
            };
            member.kinds.without(Kinds::NULL.and(decided))
        };
        let others = self.members.iter().enumerate();
        others
            .filter(|(other, _)| *other != index)
            .any(|(_, other)| open(other).has(open(&self.members[index])))
    }

    /// Returns the shapes by which members are chosen.
    pub fn shapes(&self) -> impl Iterator<Item = &Shape> {
        let looked_into = (0..self.members.len()).filter(|index| self.is_looked_into(*index));
        looked_into.map(|index| &self.members[index].shape)
    }

    /// Returns true if an object that matches no member is kept.
    pub fn keeps_unknown(&self) -> bool {
        self.nullable
            || self
                .members
                .iter()
                .any(|member| member.kinds.has(Kinds::OBJECT))
    }
}

/// A member of a union.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The type.
    pub ty: Type,
    /// The kinds of JSON values.
    pub kinds: Kinds,
    /// The shape, which distinguishes members of the same kind.
    pub shape: Shape,
}

/// A property with a different set of values in each member that is an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Tag {
    /// The name of the property.
    pub property: String,
    /// The values of each member. Empty for a member that is not an object.
    pub values: Vec<Vec<Value>>,
    /// True if every member requires the property, so an object without it matches none.
    pub required: bool,
    /// True for each member whose own schema has the property. For other members, the union writes it.
    pub own: Vec<bool>,
}

/// A Rust type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// The type of a named schema.
    Schema(String),
    /// `String`.
    Text,
    /// A string with a Rust type of its own, by path.
    Parsed(&'static str),
    /// An integer of a primitive type.
    Integer(&'static str),
    /// `f64`.
    Number,
    /// `bool`.
    Boolean,
    /// `Option`.
    Optional(Box<Type>),
    /// `Vec`.
    List(Box<Type>),
    /// A map with string keys.
    Map(Box<Type>),
    /// Any JSON value.
    Any,
}

impl Type {
    fn rename(&mut self, names: &BTreeMap<String, String>) {
        match self {
            Self::Schema(name) => {
                if let Some(new) = names.get(name) {
                    name.clone_from(new);
                }
            }
            Self::Optional(inner) | Self::List(inner) | Self::Map(inner) => inner.rename(names),
            _ => {}
        }
    }
}

/// A set of kinds of JSON values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(pub u8);

impl Kinds {
    /// Null.
    pub const NULL: Self = Self(1);
    /// Booleans.
    pub const BOOLEAN: Self = Self(2);
    /// Integers.
    pub const INTEGER: Self = Self(4);
    /// Numbers, including integers.
    pub const NUMBER: Self = Self(4 | 8);
    /// Strings.
    pub const TEXT: Self = Self(16);
    /// Arrays.
    pub const LIST: Self = Self(32);
    /// Objects.
    pub const OBJECT: Self = Self(64);
    /// All values.
    pub const ALL: Self = Self(127);

    /// Returns true if the sets overlap.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns the difference of the sets.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns the union of the sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The shape of the values of a schema.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// The shape of a named schema.
    Of(String),
    /// An inline shape.
    Is(Box<Details>),
}

impl Shape {
    fn rename(&mut self, names: &BTreeMap<String, String>) {
        match self {
            Self::Of(name) => {
                if let Some(new) = names.get(name) {
                    name.clone_from(new);
                }
            }
            Self::Is(details) => details.rename(names),
        }
    }

    /// Collects the named schemas that the shape refers to directly.
    pub fn references<'a>(&'a self, found: &mut Vec<&'a str>) {
        match self {
            Self::Of(name) => found.push(name),
            Self::Is(details) => details.references(found),
        }
    }
}

/// The properties of a value that can be inspected without decoding it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// The kinds of values.
    pub kinds: Kinds,
    /// The listed values, if any.
    pub values: Vec<Value>,
    /// The format of a string that has a Rust type.
    pub format: Option<&'static str>,
    /// The Rust type of an integer.
    pub integer: Option<&'static str>,
    /// The required properties.
    pub required: Vec<String>,
    /// The properties.
    pub properties: Vec<(String, Shape)>,
    /// The further properties, if they are kept.
    pub rest: Option<Shape>,
    /// The items of a list.
    pub items: Option<Shape>,
    /// The members of a union.
    pub members: Vec<Shape>,
}

impl Details {
    fn inner_mut(&mut self) -> impl Iterator<Item = &mut Shape> {
        let properties = self.properties.iter_mut().map(|(_, shape)| shape);
        properties
            .chain(&mut self.rest)
            .chain(&mut self.items)
            .chain(&mut self.members)
    }

    fn rename(&mut self, names: &BTreeMap<String, String>) {
        self.inner_mut().for_each(|shape| shape.rename(names));
    }

    /// Collects the named schemas that the shape refers to directly.
    pub fn references<'a>(&'a self, found: &mut Vec<&'a str>) {
        let properties = self.properties.iter().map(|(_, shape)| shape);
        let inner = properties
            .chain(&self.rest)
            .chain(&self.items)
            .chain(&self.members);
        for shape in inner {
            shape.references(found);
        }
    }
}
