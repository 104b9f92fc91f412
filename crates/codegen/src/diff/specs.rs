//! The two documents to compare.

use serde_json::Value;

use super::schema;
use super::schema_names::SchemaNames;
use super::spec::Spec;
use crate::pointer::Pointer;

/// The two documents, with the names of their schemas.
pub(super) struct Specs<'a> {
    pub(super) old: Spec<'a>,
    pub(super) new: Spec<'a>,
    pub(super) schemas: SchemaNames,
}

impl<'a> Specs<'a> {
    pub(super) fn new(old: &'a Value, new: &'a Value) -> Self {
        Self {
            old: Spec::new(old),
            new: Spec::new(new),
            schemas: SchemaNames::new(old, new),
        }
    }

    /// Returns the shape of an old schema, with the new names of the schemas that it refers to.
    pub(super) fn old_shape(&self, location: &Pointer) -> Value {
        schema::shape(self.old.document, location, |name| {
            self.schemas.new_name(name).to_owned()
        })
    }

    /// Returns the shape of a new schema.
    pub(super) fn new_shape(&self, location: &Pointer) -> Value {
        schema::shape(self.new.document, location, str::to_owned)
    }
}
