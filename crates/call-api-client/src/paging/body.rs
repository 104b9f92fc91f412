//! The body of a page: its items and its other properties.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{Paging, PropertyPath};
use crate::request::Mismatch;

/// The body of a page, whose items are not decoded yet.
pub(super) struct PageBody {
    pub(super) bytes: Bytes,
    /// The items, each a part of `bytes`.
    pub(super) items: Vec<Bytes>,
    /// The list of items in `bytes`, with its brackets.
    pub(super) list: Range<usize>,
}

impl PageBody {
    /// Finds the items. No JSON but theirs is kept in memory twice.
    pub(super) fn split(bytes: Bytes, paging: &Paging) -> Result<Self, Mismatch> {
        let whole: &RawValue = serde_json::from_slice(&bytes).map_err(|error| at(&[], &error))?;
        let list = member(whole, paging.items)?.filter(|list| list.get() != "null");
        let text = match list {
            Some(list) => list.get(),
            None if paging.may_lack_items => "",
            None => {
                return Err(Mismatch {
                    path: path(paging.items),
                    cause: "there is no list of items".to_owned(),
                });
            }
        };
        let items: Vec<&RawValue> = match text {
            "" => Vec::new(),
            text => serde_json::from_str(text).map_err(|error| at(paging.items, &error))?,
        };
        let items = items
            .iter()
            .map(|item| bytes.slice_ref(item.get().as_bytes()))
            .collect();
        let list = match text {
            "" => 0..0,
            text => {
                let start = text.as_ptr().addr() - bytes.as_ptr().addr();
                start..start + text.len()
            }
        };
        Ok(Self { items, list, bytes })
    }

    /// Returns an empty page.
    pub(super) fn empty() -> Self {
        Self {
            bytes: Bytes::new(),
            items: Vec::new(),
            list: 0..0,
        }
    }

    /// Returns true if the property is true; `None` if it is not a boolean.
    pub(super) fn boolean(&self, path: PropertyPath) -> Result<Option<bool>, Mismatch> {
        self.get(path, |text| match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })
    }

    /// Returns the property as a count; `None` if it is none.
    pub(super) fn count(&self, path: PropertyPath) -> Result<Option<u64>, Mismatch> {
        self.get(path, |text| text.parse().ok())
    }

    /// Returns the property as the text of a cursor; `None` if it is absent, null or empty.
    pub(super) fn text(&self, path: PropertyPath) -> Result<Option<String>, Mismatch> {
        self.get(path, cursor)
    }

    fn get<T>(
        &self,
        path: PropertyPath,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Mismatch> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let whole: &RawValue =
            serde_json::from_slice(&self.bytes).map_err(|error| at(&[], &error))?;
        Ok(member(whole, path)?.and_then(|value| read(value.get())))
    }

    /// Returns a property of the last item as the text of a cursor.
    pub(super) fn of_last_item(&self, property: &str) -> Option<String> {
        let item: BTreeMap<String, &RawValue> = serde_json::from_slice(self.items.last()?).ok()?;
        cursor(item.get(property)?.get())
    }
}

/// Returns a string or a number as the text of a cursor.
fn cursor(json: &str) -> Option<String> {
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str(json)
            .ok()
            .filter(|text: &String| !text.is_empty()),
        b'-' | b'0'..=b'9' => Some(json.to_owned()),
        _ => None,
    }
}

/// Returns the value at a path; `None` if there is none, or what is above it is not an object.
fn member<'a>(whole: &'a RawValue, path: PropertyPath) -> Result<Option<&'a RawValue>, Mismatch> {
    let mut value = whole;
    for (depth, name) in path.iter().enumerate() {
        if !value.get().starts_with('{') {
            return Ok(None);
        }
        let mut members: BTreeMap<String, &'a RawValue> =
            serde_json::from_str(value.get()).map_err(|error| at(&path[..depth], &error))?;
        match members.remove(*name) {
            Some(member) => value = member,
            None => return Ok(None),
        }
    }
    Ok(Some(value))
}

/// Returns the path in a body as errors write it.
pub(super) fn path(properties: &[&str]) -> String {
    match properties {
        [] => ".".to_owned(),
        properties => properties.join("."),
    }
}

fn at(properties: &[&str], error: &serde_json::Error) -> Mismatch {
    Mismatch {
        path: path(properties),
        cause: error.to_string(),
    }
}
