//! The facts about lists: operations whose response is one page of a list.

use std::fmt;

use serde::Serialize;

use super::Type;

/// The names of nested properties, from the outside in.
pub type PropertyPath = Vec<String>;

/// The division of a list into pages. The client has types of the same names.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Paging {
    /// The items in the body; empty if the body is the list of items itself.
    pub items: PropertyPath,
    /// True if a page may have no list of items.
    pub may_lack_items: bool,
    /// The boolean that is true if another page follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_more: Option<PropertyPath>,
    /// The way from a page to the next one.
    pub next: NextPage,
    /// The type of the items, once the document is normalized.
    #[serde(skip)]
    pub item: Type,
}

/// The way from a page to the next one. Query parameters have their names on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NextPage {
    /// The page has the value of a query parameter.
    Cursor {
        /// The value in the body.
        value: PropertyPath,
        /// The query parameter.
        parameter: String,
    },
    /// The last item of the page has the value of a query parameter.
    LastItem {
        /// The property of the item.
        property: String,
        /// The query parameter.
        parameter: String,
    },
    /// Pages are numbered.
    Number {
        /// The query parameter.
        parameter: String,
        /// The number of the first page.
        first: u64,
        /// The number of pages, in the body.
        #[serde(skip_serializing_if = "Option::is_none")]
        pages: Option<PropertyPath>,
    },
    /// A page is addressed by the number of items before it.
    Offset {
        /// The query parameter.
        parameter: String,
    },
    /// The page has the URL of the next one.
    Url {
        /// The URL in the body.
        value: PropertyPath,
    },
    /// A header has the URL of the next page.
    Header {
        /// The name in lower case.
        name: String,
    },
}

/// One line, such as ``items in `data`, `after` from `last_id`, while `has_more` ``.
impl fmt::Display for Paging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.items.as_slice() {
            [] => f.write_str("the body is the items")?,
            path => write!(f, "items in `{}`", path.join("."))?,
        }
        match &self.next {
            NextPage::Cursor { value, parameter } => {
                write!(f, ", `{parameter}` from `{}`", value.join("."))?;
            }
            NextPage::LastItem {
                property,
                parameter,
            } => write!(f, ", `{parameter}` from `{property}` of the last item")?,
            NextPage::Number {
                parameter,
                first,
                pages,
            } => {
                write!(f, ", `{parameter}` from {first}")?;
                if let Some(pages) = pages {
                    write!(f, ", as many as `{}`", pages.join("."))?;
                }
            }
            NextPage::Offset { parameter } => write!(f, ", `{parameter}` by the number of items")?,
            NextPage::Url { value } => write!(f, ", URL in `{}`", value.join("."))?,
            NextPage::Header { name } => write!(f, ", URL in the header `{name}`")?,
        }
        match &self.has_more {
            Some(path) => write!(f, ", while `{}`", path.join(".")),
            None => Ok(()),
        }
    }
}

/// The parts of an operation by which a list is recognized, with their names on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageShape {
    /// The query parameters.
    pub query: Vec<QueryParameter>,
    /// The properties of the body, nested ones included. One with an empty path is the body itself.
    pub properties: Vec<Property>,
    /// The names of the headers, in lower case.
    pub headers: Vec<String>,
}

/// A query parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryParameter {
    /// The name.
    pub name: String,
    /// The kind of its values.
    pub kind: ValueKind,
    /// The value that the first page has: the default, or else a minimum above 0.
    pub first: Option<u64>,
    /// True if each request has it.
    pub is_required: bool,
}

/// A property of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The path.
    pub path: PropertyPath,
    /// The kind of its value.
    pub kind: ValueKind,
    /// True if every page has it.
    pub is_required: bool,
}

/// The kind of a value, as far as paging is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// A string without one of the formats below.
    Text,
    /// A string that is a URL.
    Url,
    /// An integer, or a number where a service declares integers so.
    Integer,
    /// A boolean.
    Boolean,
    /// A list, with the strings and integers among the properties of its items.
    List(Vec<String>),
    /// Anything else, such as a date.
    Other,
}
