//! `[paging]` of `codegen.toml`: the paging of a list that its document doesn't show.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::recognize;
use crate::model::{NextPage, PageShape, Paging, PropertyPath, Type, ValueKind};

/// The paging of one list. Paths have dots between the names of properties, and `.` is the whole body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListSetting {
    /// The path of the items. The default is the only list of the body.
    pub items: Option<String>,
    /// The path of the boolean that is true if another page follows.
    pub has_more: Option<String>,
    /// The query parameter that takes the cursor of a page.
    pub parameter: Option<String>,
    /// The path of the cursor of the next page, for `parameter`.
    pub cursor: Option<String>,
    /// The property of the last item that is the cursor of the next page, for `parameter`.
    pub last_item: Option<String>,
    /// The query parameter that takes the number of a page.
    pub page: Option<String>,
    /// The number of the first page, for `page`.
    pub first: Option<u64>,
    /// The path of the number of pages, for `page`.
    pub pages: Option<String>,
    /// The query parameter that takes the number of items before a page.
    pub offset: Option<String>,
    /// The path of the URL of the next page.
    pub url: Option<String>,
    /// The header with the URL of the next page.
    pub header: Option<String>,
}

/// An entry of `[paging]`: a setting, or `false` for an operation that is to have no pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListEntry(pub Option<ListSetting>);

impl<'de> Deserialize<'de> for ListEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entry;
        impl<'de> Visitor<'de> for Entry {
            type Value = ListEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "`false`, or a table such as `{ parameter = \"after\", cursor = \"last_id\" }`",
                )
            }

            fn visit_bool<E: Error>(self, is_list: bool) -> Result<ListEntry, E> {
                match is_list {
                    false => Ok(ListEntry(None)),
                    true => Err(E::invalid_type(serde::de::Unexpected::Bool(true), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ListEntry, A::Error> {
                let setting = ListSetting::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ListEntry(Some(setting)))
            }
        }
        deserializer.deserialize_any(Entry)
    }
}

impl ListSetting {
    /// Returns the paging that the setting describes.
    ///
    /// # Errors
    /// Errors with the reason if the operation doesn't have what it names.
    pub(super) fn paging(&self, shape: &PageShape) -> Result<Paging, String> {
        let items = match &self.items {
            Some(path) => {
                let path = parse(path);
                let mut lists = shape
                    .properties
                    .iter()
                    .filter(|property| property.is_list());
                let named = lists.find(|list| list.path == path);
                named.ok_or_else(|| format!("`{}` is not a list in its response", shown(&path)))?
            }
            None => recognize::items(shape)
                .ok_or("its response has several lists, or none: name one with `items`")?,
        };
        let is_boolean = |kind: &ValueKind| *kind == ValueKind::Boolean;
        let has_more = match &self.has_more {
            Some(path) => Some(property(shape, path, "boolean", is_boolean)?),
            None => None,
        };
        let ValueKind::List(of_items) = &items.kind else {
            return Err("`items` is not a list".to_owned());
        };
        Ok(Paging {
            items: items.path.clone(),
            may_lack_items: !items.is_required,
            has_more,
            next: self.next(shape, of_items)?,
            item: Type::Any,
        })
    }

    fn next(&self, shape: &PageShape, of_items: &[String]) -> Result<NextPage, String> {
        const STYLES: &str =
            "name one of `cursor`, `last_item`, `page`, `offset`, `url` and `header`";
        let styles = [
            &self.cursor,
            &self.last_item,
            &self.page,
            &self.offset,
            &self.url,
            &self.header,
        ];
        if styles.iter().filter(|style| style.is_some()).count() != 1 {
            return Err(STYLES.to_owned());
        }
        let takes_parameter = self.cursor.is_some() || self.last_item.is_some();
        if takes_parameter != self.parameter.is_some() {
            return Err(
                "`parameter` belongs to `cursor` and `last_item`, which need it".to_owned(),
            );
        }
        if self.page.is_none() && (self.first.is_some() || self.pages.is_some()) {
            return Err("`first` and `pages` belong to `page`".to_owned());
        }
        let parameter = |name: &String| {
            let mut all = shape.query.iter();
            match all.find(|parameter| parameter.name == *name) {
                Some(parameter) => Ok(parameter),
                None => Err(format!("it has no query parameter `{name}`")),
            }
        };
        let is_cursor = |kind: &ValueKind| {
            matches!(kind, ValueKind::Text | ValueKind::Url | ValueKind::Integer)
        };
        let named = |name: &Option<String>| match name {
            Some(name) => parameter(name).map(|parameter| parameter.name.clone()),
            None => Err(STYLES.to_owned()),
        };
        if let Some(path) = &self.cursor {
            return Ok(NextPage::Cursor {
                value: property(shape, path, "cursor", is_cursor)?,
                parameter: named(&self.parameter)?,
            });
        }
        if let Some(name) = &self.last_item {
            if !of_items.contains(name) {
                return Err(format!("its items have no cursor `{name}`"));
            }
            return Ok(NextPage::LastItem {
                property: name.clone(),
                parameter: named(&self.parameter)?,
            });
        }
        if let Some(name) = &self.page {
            let parameter = parameter(name)?;
            let first = self.first.or(parameter.first);
            let is_integer = |kind: &ValueKind| *kind == ValueKind::Integer;
            return Ok(NextPage::Number {
                parameter: name.clone(),
                first: first.ok_or("`first` does not say the number of its first page")?,
                pages: match &self.pages {
                    Some(path) => Some(property(shape, path, "integer", is_integer)?),
                    None => None,
                },
            });
        }
        if let Some(path) = &self.url {
            return Ok(NextPage::Url {
                value: property(shape, path, "URL", is_cursor)?,
            });
        }
        if let Some(name) = &self.header {
            return Ok(NextPage::Header {
                name: name.to_ascii_lowercase(),
            });
        }
        Ok(NextPage::Offset {
            parameter: named(&self.offset)?,
        })
    }
}

/// Returns the path of a property of the body that has such a kind.
fn property(
    shape: &PageShape,
    path: &str,
    what: &str,
    is_kind: impl Fn(&ValueKind) -> bool,
) -> Result<PropertyPath, String> {
    let path = parse(path);
    let mut properties = shape.properties.iter();
    match properties.find(|property| property.path == path) {
        Some(property) if is_kind(&property.kind) => Ok(path),
        Some(_) => Err(format!("`{}` in its response is no {what}", shown(&path))),
        None => Err(format!("its response has no `{}`", shown(&path))),
    }
}

fn parse(path: &str) -> PropertyPath {
    let names = path.split('.').filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

fn shown(path: &[String]) -> String {
    match path {
        [] => ".".to_owned(),
        path => path.join("."),
    }
}
