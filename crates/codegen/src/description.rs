//! The description of the operations, for what is seen of them outside of Rust: the program, the sandbox, the reference.
//!
//! An operation is described as the client sends it, with the words and examples of the original document. `[descriptions]`
//! in codegen.toml names the files that hold the description as JSON.

mod describer;
pub(crate) mod sentences;
mod values;

use serde::Serialize;
use serde_json::{Number, Value};

use crate::model;
use crate::security::Security;

pub use describer::describe;
pub(crate) use values::plain;

/// An operation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Operation {
    /// The name of the client's method.
    pub name: String,
    /// The `operationId` of the document.
    pub id: String,
    /// The HTTP method in upper case.
    pub method: String,
    /// The path template, percent-encoded, with the parameters' names in braces.
    pub path: String,
    /// The title of a few words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The description, in Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// True if the document advises against it.
    #[serde(skip_serializing_if = "is_false")]
    pub deprecated: bool,
    /// The credential.
    pub auth: Auth,
    /// The parameters, those of the path first.
    pub parameters: Vec<Parameter>,
    /// The request body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// The responses, in the order of the document.
    pub responses: Vec<Response>,
    /// The division into pages, if the operation is a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paging: Option<model::Paging>,
    /// The stream of items, if a success is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<model::Stream>,
}

impl Operation {
    /// Returns true if the stream is what the client gets by default, and not an alternative to JSON.
    pub fn is_streamed(&self, stream: &model::Stream) -> bool {
        let mut responses = self.responses.iter();
        responses.any(|response| {
            response.status == stream.status
                && response.media_type.as_ref() == Some(&stream.media_type)
        })
    }
}

/// The place of the credential in a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// No credential.
    None,
    /// `Authorization: Bearer …`.
    Bearer,
    /// `Authorization: Basic …`.
    Basic,
    /// A header of this name.
    Header(String),
    /// A query parameter of this name.
    Query(String),
    /// A cookie of this name.
    Cookie(String),
    /// Each of these credentials that is set.
    Each(Vec<Auth>),
    /// The credential of a scheme other than the token's.
    Scheme {
        /// The name of the scheme.
        name: String,
        /// The place of its credential.
        place: Box<Auth>,
    },
}

impl From<Security> for Auth {
    fn from(security: Security) -> Self {
        match security {
            Security::None => Self::None,
            Security::Bearer => Self::Bearer,
            Security::Basic => Self::Basic,
            Security::ApiKeyHeader(name) => Self::Header(name),
            Security::ApiKeyQuery(name) => Self::Query(name),
            Security::ApiKeyCookie(name) => Self::Cookie(name),
            Security::Each(all) => Self::Each(all.into_iter().map(Into::into).collect()),
            Security::Scheme(name, place) => Self::Scheme {
                name,
                place: Box::new((*place).into()),
            },
        }
    }
}

/// A parameter in the path, the query or a header.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameter {
    /// The name on the wire.
    pub name: String,
    /// The name of the client's argument or setter.
    pub rust_name: String,
    /// `path`, `query` or `header`.
    pub location: String,
    /// The style of OpenAPI.
    pub style: String,
    /// True if each value of a list or an object is encoded on its own.
    pub explode: bool,
    /// The style of the client's `encode` module, which writes lists and objects. `None` for single values and for lists
    /// and objects that are a pair for each value in the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<model::Style>,
    /// True if a request without it is invalid.
    pub required: bool,
    /// The values.
    #[serde(rename = "type")]
    pub ty: ValueType,
    /// The value that the service assumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// A value of the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
    /// The description, in Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// True if the document advises against it.
    #[serde(skip_serializing_if = "is_false")]
    pub deprecated: bool,
}

/// A request body.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Body {
    /// The media types, the one that the client sends first.
    pub media_types: Vec<String>,
    /// True if a request without it is invalid.
    pub required: bool,
    /// The content.
    #[serde(flatten)]
    pub content: Content,
}

/// The response to a status.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Response {
    /// The code, a range such as `4XX`, or `default`.
    pub status: String,
    /// The description, in Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The media type that the client asks for. `None` for a response without a body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The content.
    #[serde(flatten)]
    pub content: Content,
}

/// The content of a body.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Content {
    /// The values.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub ty: Option<ValueType>,
    /// The properties of an object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<Property>,
    /// The example of the document, else a sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
}

/// A property of an object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Property {
    /// The name on the wire.
    pub name: String,
    /// True if every object has it.
    pub required: bool,
    /// True if null is a value of it.
    #[serde(skip)]
    pub nullable: bool,
    /// The values.
    #[serde(rename = "type")]
    pub ty: ValueType,
    /// The description, in Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// The kind of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A string.
    String,
    /// An integer.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list.
    List,
    /// An object.
    Object,
    /// A value of several kinds.
    #[default]
    Any,
}

/// The values that the document allows at a place.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ValueType {
    /// The kind.
    pub kind: Kind,
    /// The type in words: `integer, 1 to 100`.
    pub words: String,
    /// The format, such as `uuid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The listed values, if any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Value>,
    /// The least number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Number>,
    /// The greatest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Number>,
    /// The items of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<ValueType>>,
    /// The constraints in words, which are a part of `words`, too.
    #[serde(skip)]
    pub constraints: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "called by serde")]
fn is_false(value: &bool) -> bool {
    !value
}
