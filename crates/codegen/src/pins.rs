//! `[names]` of `codegen.toml`: public names that stay when the document calls their subjects something else.
//!
//! A pin maps the document's name to the public name. The document's name is used on the wire, the public name in Rust.
//! Pins of properties and values are grouped by the public name of their schema, pins of parameters by the public name of
//! their operation, so that a later renaming of the schema does not concern them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::names;

/// The pins of one schema or operation, from the document's name to the public name.
pub type Group = BTreeMap<String, String>;

/// All pins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pins {
    /// Schemas.
    pub schemas: Group,
    /// Operations. The document's name is the name of the method without the pin.
    pub operations: Group,
    /// Properties, by schema.
    pub properties: BTreeMap<String, Group>,
    /// Values of string enums, by schema.
    pub values: BTreeMap<String, Group>,
    /// Parameters, by operation.
    pub parameters: BTreeMap<String, Group>,
}

/// The kind of a pin's subject, which is the name of its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A schema.
    Schema,
    /// An operation.
    Operation,
    /// A property of a schema.
    Property,
    /// A value of a string enum.
    Value,
    /// A parameter of an operation.
    Parameter,
}

impl Kind {
    /// Returns the name of the table below `[names]`.
    pub fn table(self) -> &'static str {
        match self {
            Self::Schema => "schemas",
            Self::Operation => "operations",
            Self::Property => "properties",
            Self::Value => "values",
            Self::Parameter => "parameters",
        }
    }

    /// Returns the word for messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Operation => "operation",
            Self::Property => "property",
            Self::Value => "value",
            Self::Parameter => "parameter",
        }
    }
}

/// A pin with its place in [`Pins`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin {
    /// The kind of the subject.
    pub kind: Kind,
    /// The public name of the schema or operation that the subject belongs to. Empty for schemas and operations.
    pub owner: String,
    /// The document's name.
    pub document: String,
    /// The public name.
    pub public: String,
}

impl Pin {
    /// Returns the public name with its owner, such as `Call.end_reason`.
    pub fn public_path(&self) -> String {
        path(&self.owner, &self.public)
    }

    /// Returns the document's name with its owner.
    pub fn document_path(&self) -> String {
        path(&self.owner, &self.document)
    }
}

fn path(owner: &str, name: &str) -> String {
    if owner.is_empty() {
        name.to_owned()
    } else {
        format!("{owner}.{name}")
    }
}

impl Pins {
    /// Returns true if there is no pin.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Returns all pins, sorted by kind, owner and name.
    pub fn iter(&self) -> impl Iterator<Item = Pin> {
        let plain = [
            (Kind::Schema, &self.schemas),
            (Kind::Operation, &self.operations),
        ];
        let grouped = [
            (Kind::Property, &self.properties),
            (Kind::Value, &self.values),
            (Kind::Parameter, &self.parameters),
        ];
        let plain = plain
            .into_iter()
            .map(|(kind, group)| (kind, String::new(), group));
        let grouped = grouped.into_iter().flat_map(|(kind, groups)| {
            groups
                .iter()
                .map(move |(owner, group)| (kind, owner.clone(), group))
        });
        plain.chain(grouped).flat_map(|(kind, owner, group)| {
            group.iter().map(move |(document, public)| Pin {
                kind,
                owner: owner.clone(),
                document: document.clone(),
                public: public.clone(),
            })
        })
    }

    fn group_mut(&mut self, kind: Kind, owner: &str) -> &mut Group {
        let groups = match kind {
            Kind::Schema => return &mut self.schemas,
            Kind::Operation => return &mut self.operations,
            Kind::Property => &mut self.properties,
            Kind::Value => &mut self.values,
            Kind::Parameter => &mut self.parameters,
        };
        groups.entry(owner.to_owned()).or_default()
    }

    /// Removes a pin.
    pub fn remove(&mut self, pin: &Pin) {
        self.group_mut(pin.kind, &pin.owner).remove(&pin.document);
    }

    /// Adds a pin. It replaces an earlier pin with the same public name, whose subject has been renamed again.
    pub fn add(&mut self, pin: Pin) {
        let group = self.group_mut(pin.kind, &pin.owner);
        group.retain(|_, public| *public != pin.public);
        // A subject that is called by its public name again needs no pin.
        if pin.document != pin.public {
            group.insert(pin.document, pin.public);
        }
    }

    /// Returns the public name of a schema.
    pub fn schema<'a>(&'a self, document: &'a str) -> &'a str {
        self.schemas.get(document).map_or(document, String::as_str)
    }

    /// Returns the public name of an operation, from the name of its method.
    pub fn operation<'a>(&'a self, method: &'a str) -> &'a str {
        let named = self
            .operations
            .iter()
            .find(|(document, _)| names::method_name(document) == method);
        named.map_or(method, |(_, public)| public)
    }

    /// Returns the document's name of the property that is public under `name`.
    pub fn property_in_document<'a>(&'a self, schema: &str, name: &'a str) -> &'a str {
        let group = self.properties.get(schema).into_iter().flatten();
        let mut pinned = group.filter(|(_, public)| *public == name);
        pinned.next().map_or(name, |(document, _)| document)
    }
}
