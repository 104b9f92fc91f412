//! The facts about operations.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{PageShape, Paging, Stream, Type};

/// The facts about an operation that OpenAPI 3.0 or progenitor cannot express.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Operation {
    /// The parameters that have a wire name or a style of their own.
    pub parameters: BTreeMap<ParameterKey, Parameter>,
    /// The request body.
    pub body: RequestBody,
    /// The media type of the JSON responses, if it is not `application/json`.
    pub accept: Option<String>,
    /// The responses by status, if their bodies differ.
    pub responses: Option<Responses>,
    /// The parts by which a list is recognized, for an operation that may be one.
    pub page: Option<PageShape>,
    /// The division of a list into pages.
    pub paging: Option<Paging>,
    /// The response that is a stream of items.
    pub stream: Option<Stream>,
}

/// The identity of a parameter within an operation (OpenAPI 3.0, section 4.7.8.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ParameterKey {
    /// The location: `path`, `query` or `header`.
    pub location: String,
    /// The name in the normalized document.
    pub name: String,
}

impl ParameterKey {
    /// Creates a key.
    pub fn new(location: &str, name: &str) -> Self {
        Self {
            location: location.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// The facts about a parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameter {
    /// The name on the wire, if the normalized document has another one.
    pub wire_name: Option<String>,
    /// The style, if the client's `encode` module writes the value.
    pub style: Option<Style>,
}

/// The serialization of a value by the client's `encode` module, which has an enum with the same variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// `a,b` in a query or a form.
    Comma,
    /// `a b` in a query or a form.
    Space,
    /// `a|b` in a query or a form.
    Pipe,
    /// `name[key]=a` in a query or a form.
    Deep,
    /// `a,b` or `key,a` in a path or a header.
    Simple,
    /// `key=a` in a path or a header.
    SimpleExploded,
    /// `.a,b` in a path.
    Label,
    /// `.a.b` in a path.
    LabelExploded,
    /// `;name=a,b` in a path.
    Matrix,
    /// `;name=a;name=b` in a path.
    MatrixExploded,
}

impl Style {
    /// Returns the name of the variant.
    pub fn variant(self) -> String {
        format!("{self:?}")
    }
}

/// The facts about a request body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestBody {
    /// The body can be omitted.
    pub is_optional: bool,
    /// The media type on the wire, if the normalized document has another one.
    pub content_type: Option<String>,
    /// The serialization.
    pub encoding: BodyEncoding,
}

/// The serialization of a request body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BodyEncoding {
    /// As progenitor does it.
    #[default]
    Builtin,
    /// A URL-encoded form with lists or objects, and the styles of fields that have one of their own.
    Form(Vec<(String, Style)>),
    /// `multipart/form-data`, with each part.
    Multipart(Vec<Part>),
}

impl RequestBody {
    /// Returns the styles of the fields of a URL-encoded form that the client's `encode` module writes.
    pub fn form(&self) -> Option<&[(String, Style)]> {
        match &self.encoding {
            BodyEncoding::Form(fields) => Some(fields),
            _ => None,
        }
    }

    /// Returns the parts of a `multipart/form-data` body.
    pub fn parts(&self) -> Option<&[Part]> {
        match &self.encoding {
            BodyEncoding::Multipart(parts) => Some(parts),
            _ => None,
        }
    }
}

/// A part of a `multipart/form-data` body, or several with the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The name, which is also that of the property.
    pub name: String,
    /// The part is a file, not a value.
    pub is_file: bool,
    /// The media type, if the document names one.
    pub media_type: Option<String>,
}

/// The responses of an operation, where codes precede the ranges that contain them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Responses {
    /// The successes.
    pub successes: Vec<Response>,
    /// The errors.
    pub errors: Vec<Response>,
}

/// A response.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The code or the range: `200`, `4XX`.
    pub status: String,
    /// The body.
    pub body: ResponseBody,
}

/// The body of a response.
#[derive(Clone, Debug, PartialEq)]
pub enum ResponseBody {
    /// No body.
    Empty,
    /// JSON that is decoded to this type.
    Json(Type),
    /// Bytes of this media type.
    Bytes(String),
}
