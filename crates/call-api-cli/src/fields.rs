//! Selected properties of calls, named as in JSON.

use std::collections::HashMap;
use std::io;
use std::str::FromStr;

use call_api::{Call, Contact};
use serde_json::value::RawValue;

use crate::json;
use crate::ui::Ui;

/// The properties to print, in this order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fields {
    fields: Vec<Field>,
    /// True once there was a call.
    is_used: bool,
}

/// A property, such as `contact.identifier`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    path: Vec<String>,
    /// True once a call had it.
    was_found: bool,
}

impl FromStr for Fields {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut fields: Vec<Field> = Vec::new();
        for name in text.split(',') {
            let path: Vec<_> = name.trim().split('.').map(str::to_owned).collect();
            if path.iter().any(String::is_empty) {
                return Err("expected names of properties, such as id,contact.identifier");
            }
            if fields.iter().any(|field| field.path == path) {
                return Err("a property is named twice");
            }
            fields.push(Field {
                path,
                was_found: false,
            });
        }
        Ok(Self {
            fields,
            is_used: false,
        })
    }
}

impl Fields {
    /// Puts the id first, which identifies a record.
    pub(crate) fn with_id_first(mut self) -> Self {
        let id = Call::name_in_json("id");
        self.fields.retain(|field| field.path != [id]);
        let field = Field {
            path: vec![id.to_owned()],
            was_found: true,
        };
        self.fields.insert(0, field);
        self
    }

    /// Returns a JSON object with these properties of another one. Those that it lacks are left out.
    pub(crate) fn select(&mut self, call: &str) -> io::Result<String> {
        let call: &RawValue = serde_json::from_str(call)?;
        self.is_used = true;
        let mut selected = Vec::new();
        for field in &mut self.fields {
            if let Some(value) = field.value(call) {
                insert(&mut selected, &field.path, value);
            }
        }
        encode(&selected)
    }

    /// Returns the values as text; those that the call lacks are empty.
    pub(crate) fn values(&mut self, call: &str) -> io::Result<Vec<String>> {
        let call: &RawValue = serde_json::from_str(call)?;
        self.is_used = true;
        let values = self.fields.iter_mut();
        Ok(values.map(|field| as_text(field.value(call))).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter()
    }

    /// Warns of properties that neither a call nor the API document has.
    pub(crate) fn warn_of_unknown(&self, ui: &Ui) {
        let unknown = |field: &&Field| !field.was_found && !field.is_documented();
        for field in self.fields.iter().filter(|_| self.is_used).filter(unknown) {
            let name = field.name();
            ui.warn(&format!(
                "no call has the property {name:?}; see the names with --output json"
            ));
        }
    }
}

impl Field {
    pub(crate) fn name(&self) -> String {
        self.path.join(".")
    }

    pub(crate) fn path(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    fn is_documented(&self) -> bool {
        let has = |properties: &[(&str, &str)], name: &str| {
            properties.iter().any(|(_, in_json)| *in_json == name)
        };
        match &self.path()[..] {
            [name] => has(Call::PROPERTIES, name),
            [contact, name] if *contact == Call::name_in_json("contact") => {
                has(Contact::PROPERTIES, name)
            }
            _ => false,
        }
    }

    /// Returns the value in a call.
    fn value<'a>(&mut self, call: &'a RawValue) -> Option<&'a RawValue> {
        let mut value = call;
        for name in &self.path {
            let mut object: HashMap<String, &RawValue> = serde_json::from_str(value.get()).ok()?;
            value = object.remove(name)?;
        }
        self.was_found = true;
        Some(value)
    }
}

/// A selected property: a value, or an object with some of its properties.
enum Selected<'a> {
    Value(&'a RawValue),
    Part(Vec<(&'a str, Selected<'a>)>),
}

fn insert<'a>(object: &mut Vec<(&'a str, Selected<'a>)>, path: &'a [String], value: &'a RawValue) {
    let [name, rest @ ..] = path else {
        return;
    };
    let existing = object
        .iter()
        .position(|(existing, _)| *existing == name.as_str());
    match (existing, rest) {
        (None, []) => object.push((name, Selected::Value(value))),
        (None, rest) => {
            let mut part = Vec::new();
            insert(&mut part, rest, value);
            object.push((name, Selected::Part(part)));
        }
        // The whole object comprises the part.
        (Some(at), []) => object[at].1 = Selected::Value(value),
        (Some(at), rest) => {
            if let Selected::Part(part) = &mut object[at].1 {
                insert(part, rest, value);
            }
        }
    }
}

fn encode(object: &[(&str, Selected<'_>)]) -> io::Result<String> {
    let mut text = String::from("{");
    for (index, (name, value)) in object.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&serde_json::to_string(name)?);
        text.push(':');
        match value {
            Selected::Value(value) => text.push_str(value.get()),
            Selected::Part(part) => text.push_str(&encode(part)?),
        }
    }
    text.push('}');
    Ok(text)
}

fn as_text(value: Option<&RawValue>) -> String {
    let json = value.map_or("null", RawValue::get);
    match serde_json::from_str::<Option<String>>(json) {
        Ok(text) => text.unwrap_or_default(),
        Err(_) => json::compact(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = r#"{"id":"1","contact":{"id":"2","number":"+34","tags":[1.50, 2]},"end":null,"new":{"a":1}}"#;

    #[test]
    fn select_keeps_values_and_nests_them() {
        for (fields, expected) in [
            ("new,id", r#"{"new":{"a":1},"id":"1"}"#),
            (
                "contact.number,end,contact.tags",
                r#"{"contact":{"number":"+34","tags":[1.50, 2]},"end":null}"#,
            ),
            (
                "contact,contact.id",
                r#"{"contact":{"id":"2","number":"+34","tags":[1.50, 2]}}"#,
            ),
            (
                "contact.id,contact",
                r#"{"contact":{"id":"2","number":"+34","tags":[1.50, 2]}}"#,
            ),
            ("absent,id.x", "{}"),
        ] {
            let mut fields: Fields = fields.parse().unwrap();
            assert_eq!(fields.select(CALL).unwrap(), expected, "{fields:?}");
        }
    }

    #[test]
    fn values_are_texts_or_json() {
        let mut fields: Fields = "contact.tags,end,absent,contact.number,status"
            .parse()
            .unwrap();
        let values = fields.values(CALL).unwrap();
        assert_eq!(values, ["[1.50,2]", "", "", "+34", ""]);
        let unknown = fields
            .iter()
            .filter(|field| !field.is_documented() && !field.was_found);
        assert_eq!(unknown.map(Field::name).collect::<Vec<_>>(), ["absent"]);
    }

    #[test]
    fn fields_are_names_without_repetition() {
        for text in ["", "id,", "a..b", "id,id"] {
            assert!(text.parse::<Fields>().is_err(), "{text}");
        }
        let fields: Fields = "status, id".parse().unwrap();
        let names = fields.with_id_first();
        let names: Vec<_> = names.iter().map(Field::name).collect();
        assert_eq!(names, ["id", "status"]);
    }
}
