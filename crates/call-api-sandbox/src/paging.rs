//! Lists that the sandbox knows only by the document. The example is the first page; every later page has no items and says
//! that it is the last, so that reading a list ends. The URL of the next page in an example leads to no page of the sandbox,
//! so such a list has one page.

use serde::Deserialize;
use serde_json::{Value, json};

/// The names of nested properties, from the outside in.
type PropertyPath = Vec<String>;

/// The division of a list into pages, as `operations.json` describes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Paging {
    items: PropertyPath,
    has_more: Option<PropertyPath>,
    next: NextPage,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum NextPage {
    Cursor {
        value: PropertyPath,
        parameter: String,
    },
    LastItem {
        parameter: String,
    },
    Number {
        parameter: String,
        first: u64,
        pages: Option<PropertyPath>,
    },
    Offset {
        parameter: String,
    },
    Url {
        value: PropertyPath,
    },
    Header {},
}

impl Paging {
    /// Returns the page that a query asks for, of a list whose first page is `example`; `None` if it is the example.
    pub(crate) fn page(&self, example: &str, query: &[(String, String)]) -> Option<String> {
        let is_later = self.is_later(query);
        let is_url = matches!(self.next, NextPage::Url { .. });
        if !is_later && !is_url {
            return None;
        }
        let mut page: Value = serde_json::from_str(example).ok()?;
        if is_later {
            set(&mut page, &self.items, json!([]));
        }
        let has_more = self.has_more.as_ref();
        if has_more.is_some_and(|path| set(&mut page, path, json!(false))) {
            return Some(page.to_string());
        }
        match &self.next {
            NextPage::Cursor { value, .. } | NextPage::Url { value } => {
                set(&mut page, value, Value::Null);
            }
            NextPage::Number { pages, .. } => {
                if let Some(pages) = pages {
                    set(&mut page, pages, json!(0));
                }
            }
            NextPage::LastItem { .. } | NextPage::Offset { .. } | NextPage::Header {} => {}
        }
        Some(page.to_string())
    }

    fn is_later(&self, query: &[(String, String)]) -> bool {
        let given = |parameter: &String| {
            let pair = query.iter().find(|(name, _)| name == parameter);
            pair.map(|(_, value)| value.as_str())
        };
        let other_than = |parameter, first: u64| {
            let value = given(parameter);
            value.is_some_and(|value| value.parse() != Ok(first))
        };
        match &self.next {
            NextPage::Cursor { parameter, .. } | NextPage::LastItem { parameter } => {
                given(parameter).is_some()
            }
            NextPage::Number {
                parameter, first, ..
            } => other_than(parameter, *first),
            NextPage::Offset { parameter } => other_than(parameter, 0),
            NextPage::Url { .. } | NextPage::Header {} => false,
        }
    }
}

/// Sets the value at a path. Returns false if the body has none.
fn set(body: &mut Value, path: &[String], value: Value) -> bool {
    let mut names = path.iter();
    let place = names.try_fold(body, |body, name| body.get_mut(name));
    place.map(|place| *place = value).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the pages that the queries ask for, `-` for the example.
    fn pages(paging: Value, example: &Value, queries: &[&[(&str, &str)]]) -> Vec<String> {
        let paging: Paging = serde_json::from_value(paging).unwrap();
        let page = |query: &&[(&str, &str)]| {
            let query = query
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let query: Vec<_> = query.collect();
            let page = paging.page(&example.to_string(), &query);
            page.unwrap_or_else(|| "-".to_owned())
        };
        queries.iter().map(page).collect()
    }

    #[test]
    fn page_after_a_cursor_is_the_last() {
        let next = json!({"cursor": {"value": ["next"], "parameter": "after"}});
        let example = json!({"data": [1], "more": true, "next": "a"});
        let queries: [&[_]; 2] = [&[("limit", "1")], &[("after", "a")]];
        let found = pages(
            json!({"items": ["data"], "has_more": ["more"], "next": next}),
            &example,
            &queries,
        );
        assert_eq!(found, ["-", r#"{"data":[],"more":false,"next":"a"}"#]);
        // A list without such a property, and an example without it.
        for paging in [
            json!({"items": ["data"], "next": next}),
            json!({"items": ["data"], "has_more": ["another"], "next": next}),
        ] {
            let found = pages(paging, &example, &queries);
            assert_eq!(found[1], r#"{"data":[],"more":true,"next":null}"#);
        }
    }

    #[test]
    fn page_after_the_first_number_or_offset_is_the_last() {
        let number =
            json!({"number": {"parameter": "page", "first": 1, "pages": ["meta", "pages"]}});
        let found = pages(
            json!({"items": ["data"], "next": number}),
            &json!({"data": [1], "meta": {"pages": 3}}),
            &[&[], &[("page", "1")], &[("page", "2")]],
        );
        assert_eq!(found, ["-", "-", r#"{"data":[],"meta":{"pages":0}}"#]);
        let offset = json!({"offset": {"parameter": "skip"}});
        let found = pages(
            json!({"items": [], "next": offset}),
            &json!([1]),
            &[&[("skip", "0")], &[("skip", "1")]],
        );
        assert_eq!(found, ["-", "[]"]);
    }

    #[test]
    fn first_page_with_a_url_is_the_last() {
        let found = pages(
            json!({"items": ["data"], "next": {"url": {"value": ["next"]}}}),
            &json!({"data": [1], "next": "https://example.com/2"}),
            &[&[]],
        );
        assert_eq!(found, [r#"{"data":[1],"next":null}"#]);
        let header = json!({"items": ["data"], "next": {"header": {"name": "link"}}});
        assert_eq!(pages(header, &json!({"data": [1]}), &[&[]]), ["-"]);
    }
}
