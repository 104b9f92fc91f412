//! The body of a page: its items and its other properties.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny};
use serde::de::{DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{NextPage, Paging, PropertyPath};
use crate::error::Error;
use crate::request::Mismatch;

/// The body of a page.
#[derive(Default)]
pub(super) struct PageBody {
    pub(super) bytes: Bytes,
    /// The number of items.
    pub(super) length: usize,
    pub(super) content: Content,
}

/// The content of a page.
pub(super) enum Content {
    /// The items were decoded with the page. What it has besides them is here, if the next page depends on it.
    Decoded(Vec<(PropertyPath, String)>),
    /// The items are not decoded yet. Each is a part of the body.
    Split(Vec<Bytes>),
}

impl Default for Content {
    fn default() -> Self {
        Self::Split(Vec::new())
    }
}

impl PageBody {
    /// Decodes the page, and appends its items to `items`. If one of them does not match the document, or the page is
    /// unusual, none is decoded.
    pub(super) fn decode<T: DeserializeOwned>(
        bytes: Bytes,
        paging: &Paging,
        items: &mut Vec<Result<T, Error>>,
    ) -> Result<Self, Mismatch> {
        let paths: Vec<_> = [Some(paging.items), paging.has_more, next(paging)]
            .into_iter()
            .flatten()
            .collect();
        let Some(found) = find::<Decoded<T>>(&bytes, &paths) else {
            return Self::split(bytes, paging);
        };
        let (Decoded(decoded), members) = found;
        *items = decoded;
        let owned = |(path, value): (_, &RawValue)| (path, value.get().to_owned());
        let members = members.into_iter().map(owned).collect();
        Ok(Self {
            length: items.len(),
            content: Content::Decoded(members),
            bytes,
        })
    }

    /// Finds the items. No JSON but theirs is kept in memory twice.
    fn split(bytes: Bytes, paging: &Paging) -> Result<Self, Mismatch> {
        let items: Vec<&RawValue> = match list(&bytes, paging.items)? {
            Some(list) => {
                serde_json::from_str(list.get()).map_err(|error| at(paging.items, &error))?
            }
            None if paging.may_lack_items => Vec::new(),
            None => {
                return Err(Mismatch {
                    path: path(paging.items),
                    cause: "there is no list of items".to_owned(),
                });
            }
        };
        let items: Vec<_> = items
            .iter()
            .map(|item| bytes.slice_ref(item.get().as_bytes()))
            .collect();
        Ok(Self {
            length: items.len(),
            content: Content::Split(items),
            bytes,
        })
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
        self.get(path, whole)
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
        if let Content::Decoded(members) = &self.content {
            let found = members.iter().find(|(found, _)| *found == path);
            return Ok(found.and_then(|(_, value)| read(value)));
        }
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let whole: &RawValue =
            serde_json::from_slice(&self.bytes).map_err(|error| at(&[], &error))?;
        Ok(member(whole, path)?.and_then(|value| read(value.get())))
    }

    /// Returns a property of the last item as the text of a cursor.
    pub(super) fn of_last_item(&self, items: PropertyPath, property: &str) -> Option<String> {
        let last: &[u8] = match &self.content {
            Content::Split(items) => items.last()?,
            Content::Decoded(_) => {
                let (Last(last), _) = find(&self.bytes, &[items])?;
                last?.get().as_bytes()
            }
        };
        let item: BTreeMap<String, &RawValue> = serde_json::from_slice(last).ok()?;
        cursor(item.get(property)?.get())
    }
}

/// The property that the next page depends on, besides [`Paging::has_more`].
fn next(paging: &Paging) -> Option<PropertyPath> {
    match paging.next {
        NextPage::Cursor { value, .. } | NextPage::Url { value } => Some(value),
        NextPage::Number { pages, .. } => pages,
        NextPage::LastItem { .. } | NextPage::Offset { .. } | NextPage::Header { .. } => None,
    }
}

/// Returns the list of items in a body; `None` if there is none, or null.
pub(super) fn list(bytes: &[u8], items: PropertyPath) -> Result<Option<&RawValue>, Mismatch> {
    let whole: &RawValue = serde_json::from_slice(bytes).map_err(|error| at(&[], &error))?;
    Ok(member(whole, items)?.filter(|list| list.get() != "null"))
}

/// Decodes the list at the first path and finds the values at the others, in one pass; `None` if it fails for any reason,
/// or if a property is there twice.
fn find<'de, L: Deserialize<'de>>(
    bytes: &'de [u8],
    paths: &[PropertyPath],
) -> Option<(L, Vec<(PropertyPath, &'de RawValue)>)> {
    let (items, _) = paths.split_first()?;
    // serde_json does not check that ignored strings are UTF-8.
    let text = std::str::from_utf8(bytes).ok()?;
    if items.is_empty() {
        return Some((serde_json::from_str(text).ok()?, Vec::new()));
    }
    let mut found = Found {
        items,
        list: None,
        members: Vec::new(),
    };
    let mut json = serde_json::Deserializer::from_str(text);
    let object = Object {
        paths,
        depth: 0,
        found: &mut found,
    };
    object.deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some((found.list?, found.members))
}

struct Found<'de, L> {
    items: PropertyPath,
    list: Option<L>,
    members: Vec<(PropertyPath, &'de RawValue)>,
}

/// An object that is at the first `depth` names of all `paths`.
struct Object<'f, 'de, L> {
    paths: &'f [PropertyPath],
    depth: usize,
    found: &'f mut Found<'de, L>,
}

impl<'de, L: Deserialize<'de>> DeserializeSeed<'de> for Object<'_, 'de, L> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, L: Deserialize<'de>> Visitor<'de> for Object<'_, 'de, L> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let mut seen: Vec<String> = Vec::new();
        while let Some(name) = access.next_key::<String>()? {
            let below = |path: &&PropertyPath| path.get(self.depth).is_some_and(|own| *own == name);
            let paths: Vec<_> = self.paths.iter().filter(below).copied().collect();
            if paths.is_empty() {
                access.next_value::<IgnoredAny>()?;
                continue;
            }
            if seen.contains(&name) {
                return Err(A::Error::custom("a property is there twice"));
            }
            seen.push(name);
            let depth = self.depth + 1;
            match &*paths {
                [path] if path.len() == depth && *path == self.found.items => {
                    self.found.list = Some(access.next_value()?);
                }
                [path] if path.len() == depth => {
                    self.found.members.push((path, access.next_value()?));
                }
                paths => access.next_value_seed(Object {
                    paths,
                    depth,
                    found: &mut *self.found,
                })?,
            }
        }
        Ok(())
    }
}

/// Items, in the form in which a page delivers them.
struct Decoded<T>(Vec<Result<T, Error>>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Decoded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut items = Vec::new();
        let push = |item| items.push(Ok(item));
        deserializer.deserialize_seq(Each(push, PhantomData))?;
        Ok(Self(items))
    }
}

/// The last item of a list.
struct Last<'de>(Option<&'de RawValue>);

impl<'de> Deserialize<'de> for Last<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut last = None;
        let replace = |item| last = Some(item);
        deserializer.deserialize_seq(Each(replace, PhantomData))?;
        Ok(Self(last))
    }
}

/// Gives each element of a list to a function.
struct Each<F, T>(F, PhantomData<T>);

impl<'de, F: FnMut(T), T: Deserialize<'de>> Visitor<'de> for Each<F, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut access: A) -> Result<(), A::Error> {
        while let Some(element) = access.next_element()? {
            (self.0)(element);
        }
        Ok(())
    }
}

/// Returns a whole number, which may be written with a fraction of zero: some documents declare integers as `number`.
pub(super) fn whole(text: &str) -> Option<u64> {
    text.strip_suffix(".0").unwrap_or(text).parse().ok()
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_may_have_a_fraction_of_zero() {
        assert_eq!(["3", "3.0", "0"].map(whole), [Some(3), Some(3), Some(0)]);
        assert_eq!(["3.5", "-1.0", "", "1e3"].map(whole), [None; 4]);
    }

    const PAGING: Paging = Paging {
        items: &["page", "items"],
        may_lack_items: true,
        has_more: Some(&["more"]),
        next: NextPage::Cursor {
            value: &["page", "next"],
            parameter: "after",
        },
    };

    /// Returns true if the body is decoded in one pass, the items, and the properties that the next page depends on.
    fn read(json: &'static str) -> (bool, Vec<u8>, Option<bool>, Option<String>) {
        let mut decoded = Vec::new();
        let body = PageBody::decode(Bytes::from_static(json.as_bytes()), &PAGING, &mut decoded);
        let body = body.unwrap();
        let items: Vec<u8> = match &body.content {
            Content::Decoded(_) => decoded.into_iter().map(Result::unwrap).collect(),
            Content::Split(items) => {
                let items = items.iter();
                items
                    .flat_map(|item| serde_json::from_slice(item))
                    .collect()
            }
        };
        let more = body.boolean(&["more"]).unwrap();
        let is_decoded = matches!(body.content, Content::Decoded(_));
        (
            is_decoded,
            items,
            more,
            body.text(&["page", "next"]).unwrap(),
        )
    }

    #[test]
    fn usual_page_is_decoded_in_one_pass() {
        let next = Some("b".to_owned());
        for json in [
            r#"{"more":true,"page":{"items":[1,2],"next":"b"},"rest":[{}]}"#,
            r#" {"page" : {"next":"b", "rest":{"items":[3]}, "items":[1, 2]}, "more":true} "#,
        ] {
            assert_eq!(
                read(json),
                (true, vec![1, 2], Some(true), next.clone()),
                "{json}"
            );
        }
        assert_eq!(read(r#"{"page":{"items":[]}}"#), (true, vec![], None, None));
    }

    #[test]
    fn unusual_page_is_split() {
        for (json, items, next) in [
            (
                r#"{"page":{"items":[1,null,3],"next":"b"}}"#,
                vec![1, 3],
                Some("b"),
            ),
            (
                r#"{"page":{"items":[1],"next":"a"},"page":{"items":[2]}}"#,
                vec![2],
                None,
            ),
            (
                r#"{"page":{"items":[1],"items":[2],"next":7}}"#,
                vec![2],
                Some("7"),
            ),
            (r#"{"page":{"items":null,"next":"b"}}"#, vec![], Some("b")),
            (r#"{"page":[]}"#, vec![], None),
        ] {
            assert_eq!(
                read(json),
                (false, items, None, next.map(str::to_owned)),
                "{json}"
            );
        }
    }
}
