//! The operations of the API, as codegen describes them in `operations.json`.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use call_api::EventData;
use call_api::raw::Style;
use call_api::transport::{self, ResponseBody};
use clap::{Args as _, Command};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::settings::Settings;

/// The flags of `request` besides the parameters and the global options.
const OWN_FLAGS: [&str; 4] = ["all", "body", "help", "version"];

/// The operations, in the order of the document.
pub(crate) static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    #[derive(Deserialize)]
    struct Description {
        operations: Vec<Operation>,
    }
    let description = serde_json::from_str(include_str!("operations.json"));
    // A test reads the description.
    let mut operations =
        description.map_or_else(|_| Vec::new(), |read: Description| read.operations);
    let taken = taken_flags();
    for operation in &mut operations {
        operation.name_flags(taken.clone());
    }
    operations
});

/// Returns the flags that no parameter can have.
fn taken_flags() -> BTreeSet<String> {
    let globals = Settings::augment_args(Command::new(""));
    let globals = globals.get_arguments().filter_map(clap::Arg::get_long);
    globals.chain(OWN_FLAGS).map(str::to_owned).collect()
}

/// An operation.
#[derive(Debug, Deserialize)]
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) summary: Option<String>,
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) deprecated: bool,
    auth: Auth,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    pub(crate) responses: Vec<Response>,
    pub(crate) paging: Option<Paging>,
    pub(crate) stream: Option<Stream>,
}

/// The stream of items of a response.
#[derive(Debug, Deserialize)]
pub(crate) struct Stream {
    pub(crate) media_type: String,
    pub(crate) format: StreamFormat,
}

/// The form of the items of a stream.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StreamFormat {
    Events(EventFields),
    Lines,
}

/// The content of an event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EventFields {
    Json,
    Text,
    Fields(Option<Vec<String>>),
}

/// The division of a list into pages.
#[derive(Debug, Deserialize)]
pub(crate) struct Paging {
    items: Vec<String>,
    may_lack_items: bool,
    has_more: Option<Vec<String>>,
    next: NextPage,
}

/// The way from a page of a list to the next one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum NextPage {
    Cursor {
        value: Vec<String>,
        parameter: String,
    },
    LastItem {
        property: String,
        parameter: String,
    },
    Number {
        parameter: String,
        first: u64,
        pages: Option<Vec<String>>,
    },
    Offset {
        parameter: String,
    },
    Url {
        value: Vec<String>,
    },
    Header {
        name: String,
    },
}

/// The place of the credential.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Auth {
    None,
    Bearer,
    Basic,
    Header(String),
    Query(String),
    Cookie(String),
    Each(Vec<Auth>),
    Scheme { name: String, place: Box<Auth> },
}

/// A parameter.
#[derive(Debug, Deserialize)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    rust_name: String,
    pub(crate) location: Location,
    pub(crate) encoding: Option<Style>,
    pub(crate) required: bool,
    #[serde(rename = "type")]
    pub(crate) ty: ValueType,
    pub(crate) default: Option<Value>,
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) deprecated: bool,
    /// The name of the flag.
    #[serde(skip)]
    pub(crate) flag: String,
    /// Another name of the flag, in the form of this program's options.
    #[serde(skip)]
    pub(crate) alias: Option<String>,
}

/// The place of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Location {
    Path,
    Query,
    Header,
}

/// The values of a parameter.
#[derive(Debug, Deserialize)]
pub(crate) struct ValueType {
    pub(crate) kind: Kind,
    pub(crate) words: String,
    pub(crate) format: Option<String>,
    #[serde(default)]
    pub(crate) values: Vec<Value>,
    pub(crate) items: Option<Box<ValueType>>,
}

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    String,
    Integer,
    Number,
    Boolean,
    List,
    Object,
    Any,
}

/// A request body.
#[derive(Debug, Deserialize)]
pub(crate) struct Body {
    pub(crate) media_types: Vec<String>,
    pub(crate) required: bool,
    pub(crate) example: Option<Box<RawValue>>,
}

/// The response to a status.
#[derive(Debug, Deserialize)]
pub(crate) struct Response {
    pub(crate) status: String,
    pub(crate) description: Option<String>,
    pub(crate) media_type: Option<String>,
}

impl Operation {
    /// Returns the operation of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        OPERATIONS.iter().find(|operation| operation.name == name)
    }

    /// Returns what the transport needs to know of the operation.
    pub(crate) fn spec(&'static self) -> transport::Operation {
        transport::Operation {
            id: &self.name,
            path: &self.path,
            auth: self.auth.place(),
            body: ResponseBody::Buffered,
        }
    }

    /// Returns true if the document has the header `Idempotency-Key` for it.
    pub(crate) fn takes_idempotency_key(&self) -> bool {
        self.parameters.iter().any(|parameter| {
            parameter.location == Location::Header
                && parameter.name.eq_ignore_ascii_case("idempotency-key")
        })
    }

    /// Returns the stream, if that is what the operation responds with by default.
    pub(crate) fn default_stream(&self) -> Option<&Stream> {
        let stream = self.stream.as_ref()?;
        let successes = self.responses.iter();
        let mut successes = successes
            .filter(|response| response.status.starts_with('2') || response.status == "default");
        let is_default =
            successes.any(|response| response.media_type.as_ref() == Some(&stream.media_type));
        is_default.then_some(stream)
    }

    /// Names the flag of each parameter by its name, or by its place and name if that name is taken.
    fn name_flags(&mut self, mut taken: BTreeSet<String>) {
        for parameter in &mut self.parameters {
            let Parameter { name, location, .. } = parameter;
            let flag = match taken.contains(name.as_str()) {
                true => format!("{}-{name}", location.word()),
                false => name.clone(),
            };
            taken.insert(flag.clone());
            parameter.flag = flag;
        }
        for parameter in &mut self.parameters {
            let alias = parameter.rust_name.trim_matches('_').replace('_', "-");
            if taken.insert(alias.clone()) {
                parameter.alias = Some(alias);
            }
        }
    }
}

impl Paging {
    /// Returns what the client needs to know of the list.
    pub(crate) fn spec(&'static self) -> call_api::Paging {
        call_api::Paging {
            items: path(&self.items),
            may_lack_items: self.may_lack_items,
            has_more: self.has_more.as_deref().map(path),
            next: match &self.next {
                NextPage::Cursor { value, parameter } => call_api::NextPage::Cursor {
                    value: path(value),
                    parameter,
                },
                NextPage::LastItem {
                    property,
                    parameter,
                } => call_api::NextPage::LastItem {
                    property,
                    parameter,
                },
                NextPage::Number {
                    parameter,
                    first,
                    pages,
                } => call_api::NextPage::Number {
                    parameter,
                    first: *first,
                    pages: pages.as_deref().map(path),
                },
                NextPage::Offset { parameter } => call_api::NextPage::Offset { parameter },
                NextPage::Url { value } => call_api::NextPage::Url { value: path(value) },
                NextPage::Header { name } => call_api::NextPage::Header { name },
            },
        }
    }
}

impl EventFields {
    /// Returns what the client needs to know of the events.
    pub(crate) fn data(&'static self) -> EventData {
        match self {
            Self::Json => EventData::Json,
            Self::Text => EventData::Text,
            Self::Fields(names) => EventData::Fields {
                json: names.as_deref().map(path),
            },
        }
    }
}

/// Returns names that are kept until the program ends. Runs once.
fn path(names: &'static [String]) -> &'static [&'static str] {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.leak()
}

impl Auth {
    fn place(&'static self) -> transport::Auth {
        match self {
            Self::None => transport::Auth::None,
            Self::Bearer => transport::Auth::Bearer,
            Self::Basic => transport::Auth::Basic,
            Self::Header(name) => transport::Auth::ApiKeyHeader(name),
            Self::Query(name) => transport::Auth::ApiKeyQuery(name),
            Self::Cookie(name) => transport::Auth::ApiKeyCookie(name),
            // Once in the life of the program. It has no credential but the token, so none is sent for other schemes.
            Self::Scheme { name, place } => {
                transport::Auth::Scheme(name, Box::leak(Box::new(place.place())))
            }
            Self::Each(all) => {
                let all: Vec<_> = all.iter().map(Self::place).collect();
                transport::Auth::Each(all.leak())
            }
        }
    }
}

impl Location {
    fn word(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn description_has_every_operation() {
        let description: Value = serde_json::from_str(include_str!("operations.json")).unwrap();
        let described = description["operations"].as_array().unwrap().len();
        assert!(described > 0);
        assert_eq!(OPERATIONS.len(), described);
    }

    #[test]
    fn paging_is_that_of_the_client() {
        let paging: Paging = serde_json::from_str(
            r#"{"items": ["data"], "may_lack_items": false, "has_more": ["meta", "more"],
                "next": {"cursor": {"value": ["last_id"], "parameter": "after"}}}"#,
        )
        .unwrap();
        let expected = call_api::Paging {
            items: &["data"],
            may_lack_items: false,
            has_more: Some(&["meta", "more"]),
            next: call_api::NextPage::Cursor {
                value: &["last_id"],
                parameter: "after",
            },
        };
        assert_eq!(Box::leak(Box::new(paging)).spec(), expected);
        for next in [
            r#"{"last_item": {"property": "id", "parameter": "after"}}"#,
            r#"{"number": {"parameter": "page", "first": 1}}"#,
            r#"{"offset": {"parameter": "offset"}}"#,
            r#"{"url": {"value": ["next"]}}"#,
            r#"{"header": {"name": "link"}}"#,
        ] {
            assert!(serde_json::from_str::<NextPage>(next).is_ok(), "{next}");
        }
    }

    #[test]
    fn flags_have_the_names_of_the_parameters_unless_another_option_has() {
        let parameter = |name: &str, rust_name: &str, location: &str| {
            serde_json::json!({
                "name": name,
                "rust_name": rust_name,
                "location": location,
                "required": false,
                "type": {"kind": "string", "words": "string"},
            })
        };
        let mut operation: Operation = serde_json::from_value(serde_json::json!({
            "name": "list_calls",
            "id": "list_calls",
            "method": "GET",
            "path": "/v1/calls",
            "auth": {"scheme": {"name": "key", "place": {"header": "X-Key"}}},
            "parameters": [
                parameter("created_after", "created_after", "query"),
                parameter("deadline", "deadline", "query"),
                parameter("filter[status]", "filter_status", "query"),
                parameter("X-Trace", "x_trace", "header"),
                parameter("type", "type_", "query"),
            ],
            "responses": [],
        }))
        .unwrap();
        operation.name_flags(taken_flags());
        let flags = operation
            .parameters
            .iter()
            .map(|parameter| (parameter.flag.as_str(), parameter.alias.as_deref()));
        assert_eq!(
            flags.collect::<Vec<_>>(),
            [
                ("created_after", Some("created-after")),
                ("query-deadline", None),
                ("filter[status]", Some("filter-status")),
                ("X-Trace", Some("x-trace")),
                ("type", None),
            ]
        );
    }
}
