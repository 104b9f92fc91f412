//! Recognizes lists by the names and types of what they consist of.
//!
//! A list that is not recognized has no pages, which is seen at once. One that is recognized wrongly loses items, so each
//! rule asks for a parameter and its counterpart in the response. Names are compared without case and punctuation.

use crate::model::{NextPage, PageShape, Paging, Property, QueryParameter, Type, ValueKind};

/// The lists of items, if a body has other lists beside them.
const ITEMS: [&str; 9] = [
    "data", "items", "results", "records", "entries", "values", "objects", "elements", "content",
];

/// The lists that are not the items if there is another one.
const REMARKS: [&str; 2] = ["errors", "warnings"];

/// The parameters that take a cursor.
const CURSOR_PARAMETERS: [&str; 17] = [
    "cursor",
    "nextcursor",
    "pagecursor",
    "after",
    "afterid",
    "afterkey",
    "pageafter",
    "startafter",
    "startingafter",
    "pagetoken",
    "nextpagetoken",
    "nexttoken",
    "continuationtoken",
    "paginationkey",
    "paginationtoken",
    "marker",
    "token",
];

/// The properties that have the cursor of the next page, whatever the parameter is called.
const NEXT_CURSORS: [&str; 10] = [
    "nextcursor",
    "nextoffset",
    "nextpagecursor",
    "nextpagetoken",
    "nexttoken",
    "nextpage",
    "nextkey",
    "nextmarker",
    "next",
    "endcursor",
];

/// The properties that have the cursor of the next page, if the parameter has the same name.
const SAME_CURSORS: [&str; 9] = [
    "cursor",
    "nextcursor",
    "pagecursor",
    "nexttoken",
    "nextpagetoken",
    "pagetoken",
    "paginationkey",
    "paginationtoken",
    "continuationtoken",
];

/// The properties with the id of the last item, which is the cursor while there is more.
const LAST_IDS: [&str; 2] = ["lastid", "lastkey"];

/// The parameters that take the id of the last item.
const ID_PARAMETERS: [&str; 4] = ["after", "afterid", "startafter", "startingafter"];

const HAS_MORE: [&str; 7] = [
    "hasmore",
    "hasnext",
    "hasnextpage",
    "hasmorepages",
    "hasmoreitems",
    "moreavailable",
    "istruncated",
];

/// The properties that have the URL of the next page by their name alone.
const NEXT_URLS: [&str; 8] = [
    "nexturl",
    "nexturi",
    "nextlink",
    "nexthref",
    "nextpageurl",
    "nextpageuri",
    "nextpagelink",
    "odatanextlink",
];

/// The objects whose properties are URLs.
const LINKS: [&str; 2] = ["links", "link"];

const NUMBER_PARAMETERS: [&str; 6] = [
    "page",
    "pagenumber",
    "pageno",
    "pagenum",
    "pageindex",
    "currentpage",
];

/// The properties with the number of pages.
const PAGE_COUNTS: [&str; 5] = ["totalpages", "pages", "pagecount", "pagestotal", "numpages"];

/// The properties that only numbered pages have.
const PAGE_NUMBERS: [&str; 4] = ["page", "pagenumber", "currentpage", "pageindex"];

const OFFSET_PARAMETERS: [&str; 3] = ["offset", "skip", "pageoffset"];

/// The parameters that limit the length of a page.
const SIZE_PARAMETERS: [&str; 13] = [
    "limit",
    "size",
    "pagesize",
    "pagelimit",
    "perpage",
    "count",
    "take",
    "top",
    "maxresults",
    "maxitems",
    "recordsperpage",
    "itemsperpage",
    "resultsperpage",
];

/// Returns the paging of a list; `None` if it is not a list, or the paging is ambiguous.
pub(super) fn recognize(shape: &PageShape) -> Option<Paging> {
    let items = items(shape)?;
    let has_more = shape.property(|property| {
        property.kind == ValueKind::Boolean && HAS_MORE.contains(&property.word().as_str())
    });
    let next = cursor(shape, has_more)
        .or_else(|| last_item(shape, items, has_more))
        .or_else(|| url(shape))
        .or_else(|| header(shape))
        .or_else(|| number(shape, has_more))
        .or_else(|| offset(shape))?;
    Some(Paging {
        items: items.path.clone(),
        may_lack_items: !items.is_required,
        has_more: has_more.map(|property| property.path.clone()),
        next,
        item: Type::Any,
    })
}

/// Returns the list of items: the only one, or the only one with such a name. Lists beside it belong to the page.
pub(super) fn items(shape: &PageShape) -> Option<&Property> {
    let at_depth = |depth| {
        let mut lists: Vec<&Property> = shape
            .properties
            .iter()
            .filter(|property| property.path.len() == depth && property.is_list())
            .collect();
        if lists.len() > 1 {
            lists.retain(|list| !REMARKS.contains(&list.word().as_str()));
        }
        match lists.as_slice() {
            [] => None,
            [only] => Some(Some(*only)),
            several => {
                let mut named = several
                    .iter()
                    .filter(|list| ITEMS.contains(&list.word().as_str()));
                Some(named.next().filter(|_| named.next().is_none()).copied())
            }
        }
    };
    // A list at the top hides those below it.
    (0..=2).find_map(at_depth).flatten()
}

fn cursor(shape: &PageShape, has_more: Option<&Property>) -> Option<NextPage> {
    let takes_cursor = |parameter: &&QueryParameter| {
        let word = parameter.word();
        match parameter.kind {
            // A token that each request has is a credential.
            _ if word == "token" && parameter.is_required => false,
            ValueKind::Text | ValueKind::Integer => {
                CURSOR_PARAMETERS.contains(&word.as_str()) || word == "page"
            }
            _ => false,
        }
    };
    let parameters: Vec<&QueryParameter> = shape.query.iter().filter(takes_cursor).collect();
    let fits = |property: &Property, parameter: &QueryParameter| {
        let (word, parameter_word) = (property.word(), parameter.word());
        let word = word.as_str();
        let is_page = parameter_word == "page";
        match property.kind {
            // The number of the next page, for a parameter that is a number as well.
            ValueKind::Integer if is_page => {
                word == "nextpage" && parameter.kind == ValueKind::Integer
            }
            ValueKind::Text if is_page => word == "nextpage" && parameter.kind == ValueKind::Text,
            ValueKind::Text | ValueKind::Integer => {
                NEXT_CURSORS.contains(&word) && (property.kind == parameter.kind || ID_PARAMETERS.contains(&parameter_word.as_str()))
                    || SAME_CURSORS.contains(&word) && word == parameter_word
                    || LAST_IDS.contains(&word) && has_more.is_some()
                    // `cursors.after`: a property `after` elsewhere repeats what was asked for.
                    || word == "after" && parameter_word.ends_with("after") && property.is_below(&["cursors", "cursor", "paging"])
            }
            _ => false,
        }
    };
    let properties = shape.properties.iter();
    properties
        // `links.next` is a URL.
        .filter(|property| !property.path.is_empty() && !property.is_below(&LINKS))
        .find_map(|property| {
            let parameter = parameters
                .iter()
                .find(|parameter| fits(property, parameter))?;
            Some(NextPage::Cursor {
                value: property.path.clone(),
                parameter: parameter.name.clone(),
            })
        })
}

fn last_item(shape: &PageShape, items: &Property, has_more: Option<&Property>) -> Option<NextPage> {
    has_more?;
    // Next to an offset, `after` may be a filter.
    if offset(shape).is_some() {
        return None;
    }
    let ValueKind::List(properties) = &items.kind else {
        return None;
    };
    let property = properties.iter().find(|property| *property == "id")?;
    let parameter = shape.parameter(&ID_PARAMETERS, |kind| {
        matches!(kind, ValueKind::Text | ValueKind::Integer)
    })?;
    Some(NextPage::LastItem {
        property: property.clone(),
        parameter: parameter.name.clone(),
    })
}

fn url(shape: &PageShape) -> Option<NextPage> {
    let property = shape.property(|property| {
        let word = property.word();
        let is_text = matches!(property.kind, ValueKind::Text | ValueKind::Url);
        let is_url = property.kind == ValueKind::Url;
        let is_next = word == "next" || word == "nextpage";
        is_text
            && (NEXT_URLS.contains(&word.as_str())
                || is_next && (is_url || property.is_below(&LINKS))
                || word == "href" && property.is_below(&["next"]))
    })?;
    Some(NextPage::Url {
        value: property.path.clone(),
    })
}

fn header(shape: &PageShape) -> Option<NextPage> {
    let mut names = shape.headers.iter();
    let name = names.find(|name| ["link", "x-next"].contains(&name.as_str()))?;
    Some(NextPage::Header { name: name.clone() })
}

fn number(shape: &PageShape, has_more: Option<&Property>) -> Option<NextPage> {
    let is_integer = |kind: &ValueKind| *kind == ValueKind::Integer;
    let parameter = shape.parameter(&NUMBER_PARAMETERS, is_integer)?;
    let integer = |words: &[&str]| {
        shape.property(|property| {
            property.kind == ValueKind::Integer && words.contains(&property.word().as_str())
        })
    };
    let pages = integer(&PAGE_COUNTS);
    // The page of something else, such as a text, is not one of a list.
    let is_list = shape.parameter(&SIZE_PARAMETERS, is_integer).is_some()
        || has_more.is_some()
        || pages.is_some()
        || integer(&PAGE_NUMBERS).is_some();
    // The pages of Spring Data begin at 0.
    let of_spring = integer(&["number"]).is_some() && integer(&["totalelements"]).is_some();
    // A list that is begun at the wrong page loses one.
    let first = parameter.first.or_else(|| of_spring.then_some(0));
    let first = first.filter(|first| is_list && *first <= 1)?;
    Some(NextPage::Number {
        parameter: parameter.name.clone(),
        first,
        pages: pages.map(|property| property.path.clone()),
    })
}

fn offset(shape: &PageShape) -> Option<NextPage> {
    let is_integer = |kind: &ValueKind| *kind == ValueKind::Integer;
    let parameter = shape.parameter(&OFFSET_PARAMETERS, is_integer)?;
    shape.parameter(&SIZE_PARAMETERS, is_integer)?;
    Some(NextPage::Offset {
        parameter: parameter.name.clone(),
    })
}

impl PageShape {
    /// Returns the outermost property for which `is_wanted` returns true.
    fn property(&self, is_wanted: impl Fn(&Property) -> bool) -> Option<&Property> {
        let wanted = self
            .properties
            .iter()
            .filter(|property| is_wanted(property));
        wanted.min_by_key(|property| property.path.len())
    }

    /// Returns the first parameter with one of these words and such a kind.
    fn parameter(
        &self,
        words: &[&str],
        is_kind: impl Fn(&ValueKind) -> bool,
    ) -> Option<&QueryParameter> {
        self.query.iter().find(|parameter| {
            words.contains(&parameter.word().as_str()) && is_kind(&parameter.kind)
        })
    }
}

impl QueryParameter {
    fn word(&self) -> String {
        word(&self.name)
    }
}

impl Property {
    pub(super) fn is_list(&self) -> bool {
        matches!(self.kind, ValueKind::List(_))
    }

    fn word(&self) -> String {
        self.path.last().map(|name| word(name)).unwrap_or_default()
    }

    /// Returns true if the property is one of an object with such a name.
    fn is_below(&self, words: &[&str]) -> bool {
        let parent: Option<&String> = self.path.iter().rev().nth(1);
        parent.is_some_and(|name| words.contains(&word(name).as_str()))
    }
}

/// Returns a name without case and punctuation: `page[number]` and `pageNumber` are the same.
fn word(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics fails")]
mod tests {
    use super::*;

    #[test]
    fn next_in_links_is_a_url_although_a_parameter_takes_a_cursor() {
        let property = |path: &[&str], kind| Property {
            path: path.iter().map(|name| (*name).to_owned()).collect(),
            kind,
            is_required: true,
        };
        let next = |path: &[&str]| {
            let shape = PageShape {
                query: vec![QueryParameter {
                    name: "page[after]".to_owned(),
                    kind: ValueKind::Text,
                    first: None,
                    is_required: false,
                }],
                properties: vec![
                    property(&["data"], ValueKind::List(Vec::new())),
                    property(path, ValueKind::Text),
                ],
                headers: Vec::new(),
            };
            recognize(&shape).unwrap().next
        };
        for path in [
            ["links", "next"],
            ["_links", "next"],
            ["links", "next_page"],
        ] {
            let value = path.map(str::to_owned).to_vec();
            assert_eq!(next(&path), NextPage::Url { value });
        }
        let cursor = NextPage::Cursor {
            value: vec!["meta".to_owned(), "next".to_owned()],
            parameter: "page[after]".to_owned(),
        };
        assert_eq!(next(&["meta", "next"]), cursor);
    }

    #[test]
    fn remarks_credentials_and_filters_are_no_parts_of_a_list() {
        let property = |name: &str, kind| Property {
            path: vec![name.to_owned()],
            kind,
            is_required: true,
        };
        let parameter = |name: &str, kind, is_required| QueryParameter {
            name: name.to_owned(),
            kind,
            first: None,
            is_required,
        };
        let shape = |query, properties| PageShape {
            query,
            properties,
            headers: Vec::new(),
        };
        let list = |name| property(name, ValueKind::List(vec!["id".to_owned()]));
        let properties = vec![
            list("calls"),
            list("warnings"),
            property("has_more", ValueKind::Boolean),
            property("next", ValueKind::Text),
        ];
        let text = |name, is_required| parameter(name, ValueKind::Text, is_required);
        let integer = |name| parameter(name, ValueKind::Integer, false);

        let paging = recognize(&shape(vec![text("cursor", true)], properties.clone())).unwrap();
        assert_eq!(paging.items, ["calls"]);
        let errors = vec![list("errors"), properties[3].clone()];
        let paging = recognize(&shape(vec![text("cursor", false)], errors)).unwrap();
        assert_eq!(paging.items, ["errors"]);
        assert!(recognize(&shape(vec![text("token", false)], properties.clone())).is_some());
        assert!(recognize(&shape(vec![text("token", true)], properties.clone())).is_none());

        let mut query = vec![integer("after")];
        let by_id = recognize(&shape(query.clone(), properties[..3].to_vec())).unwrap();
        assert!(matches!(by_id.next, NextPage::LastItem { .. }));
        query.extend([integer("offset"), integer("limit")]);
        let by_offset = recognize(&shape(query, properties[..3].to_vec())).unwrap();
        assert!(matches!(by_offset.next, NextPage::Offset { .. }));
    }
}
