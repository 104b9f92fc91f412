//! The operations of the API's document, as codegen describes them in `operations.json`.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::paging::Paging;

/// The operations of a document.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Operations {
    /// Those with more concrete paths first, otherwise in the order of the document.
    #[serde(deserialize_with = "concrete_first")]
    operations: Vec<Operation>,
    /// True for those of the workspace's document, of which the sandbox knows more than the description.
    #[serde(skip)]
    pub(crate) are_known: bool,
}

/// Reads operations, and sorts them: a concrete path is matched before a templated one (OpenAPI 3.0, section 4.7.8.2).
fn concrete_first<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Operation>, D::Error> {
    let mut operations = Vec::<Operation>::deserialize(deserializer)?;
    operations.sort_by_cached_key(|operation| {
        let segments = operation.path().split('/');
        segments
            .map(|segment| segment.contains('{'))
            .collect::<Vec<_>>()
    });
    Ok(operations)
}

/// An operation.
#[derive(Debug, Deserialize)]
pub(crate) struct Operation {
    /// The name of the client's method.
    pub(crate) name: String,
    method: String,
    /// The path template.
    pub(crate) path: String,
    pub(crate) auth: Auth,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<RequestBody>,
    responses: Vec<ResponseSpec>,
    /// The division into pages, if the operation is a list.
    paging: Option<Paging>,
}

/// The place of the credential.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Auth {
    None,
    Bearer,
    Basic,
    Header(String),
    Query(String),
    Cookie(String),
    Each(Vec<Auth>),
    Scheme { place: Box<Auth> },
}

/// A parameter.
#[derive(Debug, Deserialize)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) location: Location,
    pub(crate) required: bool,
    /// The style of a list or an object, unless it is a pair for each value in the query.
    pub(crate) encoding: Option<String>,
    #[serde(rename = "type")]
    pub(crate) ty: ValueType,
}

/// The place of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Location {
    Path,
    Query,
    Header,
}

impl Location {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
        }
    }
}

/// The values of a parameter or a property.
#[derive(Debug, Deserialize)]
pub(crate) struct ValueType {
    pub(crate) kind: Kind,
    pub(crate) format: Option<String>,
    #[serde(default)]
    pub(crate) values: Vec<Value>,
    pub(crate) minimum: Option<serde_json::Number>,
    pub(crate) maximum: Option<serde_json::Number>,
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
pub(crate) struct RequestBody {
    /// The media types, the one that the client sends first.
    pub(crate) media_types: Vec<String>,
    pub(crate) required: bool,
    #[serde(default)]
    pub(crate) properties: Vec<Property>,
}

/// A property of a body.
#[derive(Debug, Deserialize)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) required: bool,
}

/// The response to a status.
#[derive(Debug, Deserialize)]
struct ResponseSpec {
    status: String,
    media_type: Option<String>,
    example: Option<Box<RawValue>>,
}

/// The operation of a request.
pub(crate) enum Found<'a> {
    /// The operation, with its path parameters, decoded.
    Operation(&'a Operation, Vec<(String, String)>),
    /// An operation with this path and another method.
    OtherMethod(&'a Operation),
    None,
}

impl Operations {
    /// Returns the operations of the workspace's document.
    pub(crate) fn of_document() -> Self {
        // A test reads the description.
        let described: Self =
            serde_json::from_str(include_str!("operations.json")).unwrap_or_default();
        Self {
            are_known: true,
            ..described
        }
    }

    /// Returns the operation of this name.
    pub(crate) fn named(&self, name: &str) -> Option<&Operation> {
        self.operations
            .iter()
            .find(|operation| operation.name == name)
    }

    /// Returns the names of the operations.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.operations
            .iter()
            .map(|operation| operation.name.as_str())
    }

    /// Returns the operations that have this method.
    pub(crate) fn with_method(&self, method: &Method) -> impl Iterator<Item = &Operation> {
        let all = self.operations.iter();
        all.filter(move |operation| operation.method == method.as_str())
    }

    /// Finds the operation of a request: the one with the most concrete path whose path and method match.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Found<'_> {
        let mut found = Found::None;
        for operation in &self.operations {
            let Some(parameters) = captures(operation.path(), path) else {
                continue;
            };
            if operation.method == method.as_str() {
                return Found::Operation(operation, parameters);
            }
            if matches!(found, Found::None) {
                found = Found::OtherMethod(operation);
            }
        }
        found
    }
}

impl Operation {
    /// Returns the template of the path, without the query that it may end in.
    pub(crate) fn path(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// Returns the parameters of the path template that are in the query, such as that of `/values?mode={mode}`.
    pub(crate) fn captures_in_query(&self, query: &[(String, String)]) -> Vec<(String, String)> {
        let (_, template) = self.path.split_once('?').unwrap_or_default();
        let mut found = Vec::new();
        for (name, form) in template.split('&').filter_map(|pair| pair.split_once('=')) {
            let given = query.iter().find(|(given, _)| *given == decoded(name));
            if let Some((_, value)) = given {
                // Parameters that are not found are missing.
                let _ = capture_segment(&decoded(form), value.into(), &mut found);
            }
        }
        found
    }

    /// Returns the method, as the value of an `Allow` header.
    pub(crate) fn allow(&self) -> HeaderValue {
        HeaderValue::try_from(&self.method).unwrap_or(HeaderValue::from_static(""))
    }

    /// Returns the path up to its only parameter, and the name of the parameter, if the path ends with it.
    pub(crate) fn prefix(&self) -> Option<(&str, &str)> {
        let (prefix, parameter) = self.path.strip_suffix('}')?.split_once('{')?;
        (!parameter.contains('{') && prefix.ends_with('/')).then_some((prefix, parameter))
    }

    /// Returns the response of the document's example, or of a sample of its schema, with the first status of success. Later
    /// pages of a list have no items.
    pub(crate) fn example(&self, query: &[(String, String)]) -> Response {
        let of = |wanted: &str| {
            let mut all = self.responses.iter();
            all.find(|response| response.status.starts_with(wanted))
        };
        let response = of("2").or_else(|| of("default"));
        // A range or the default may be any success.
        let status = response.and_then(|response| response.status.parse().ok());
        let mut served = Response::default();
        *served.status_mut() = status.unwrap_or(StatusCode::OK);
        let Some(ResponseSpec {
            media_type: Some(media_type),
            example,
            ..
        }) = response
        else {
            return served;
        };
        let json = example.as_ref().map_or("null", |example| example.get());
        let paging = self.paging.as_ref();
        let page = paging.and_then(|paging| paging.page(json, query));
        let body = written(media_type, page.as_deref().unwrap_or(json));
        if let Ok(media_type) = HeaderValue::try_from(media_type) {
            served.headers_mut().insert(CONTENT_TYPE, media_type);
        }
        *served.body_mut() = Body::from(body);
        served
    }

    /// Gives the response to a request that failed the body that the document has for its status: FastAPI's, if that is the
    /// documented one or there is none; else the example, with the message in the place of FastAPI's.
    pub(crate) async fn documented(&self, response: Response) -> Response {
        let status = response.status();
        let range = format!("{}XX", status.as_u16() / 100);
        let of = |wanted: &str| {
            let mut all = self.responses.iter();
            all.find(|response| response.status.eq_ignore_ascii_case(wanted))
        };
        let spec = of(status.as_str())
            .or_else(|| of(&range))
            .or_else(|| of("default"));
        let Some(ResponseSpec {
            media_type: Some(media_type),
            example: Some(example),
            ..
        }) = spec.filter(|_| status.is_client_error())
        else {
            return response;
        };
        let Ok(value) = HeaderValue::try_from(media_type) else {
            return response;
        };
        let (mut head, body) = response.into_parts();
        // The body is in memory.
        let own = axum::body::to_bytes(body, usize::MAX).await;
        let body = with_detail(example.get(), &own.unwrap_or_default());
        head.headers.remove(CONTENT_LENGTH);
        head.headers.insert(CONTENT_TYPE, value);
        Response::from_parts(head, Body::from(written(media_type, &body)))
    }
}

/// Returns an example with the detail of FastAPI's body, if the example has one of the same kind.
fn with_detail(example: &str, own: &[u8]) -> String {
    const DETAIL: &str = "detail";
    let parsed: Value = serde_json::from_slice(own).unwrap_or_default();
    let value: Result<Value, _> = serde_json::from_str(example);
    match (value, parsed.get(DETAIL)) {
        (Ok(mut value), Some(detail)) => {
            if let Some(place) = value.get_mut(DETAIL)
                && std::mem::discriminant(place) == std::mem::discriminant(detail)
            {
                place.clone_from(detail);
            }
            match value == parsed {
                // Byte for byte FastAPI's, with properties in its order.
                true => String::from_utf8_lossy(own).into_owned(),
                false => value.to_string(),
            }
        }
        _ => example.to_owned(),
    }
}

/// Returns an example as a body of this media type: that of a text is a string of JSON.
fn written(media_type: &str, json: &str) -> String {
    match is_json(media_type) {
        true => json.to_owned(),
        false => serde_json::from_str(json).unwrap_or_default(),
    }
}

/// Returns true for `application/json` and the types that end in `+json`.
pub(crate) fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json") || essence.ends_with("+json")
}

/// Returns the parameters of a path, decoded, if it has the form of the template.
fn captures(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    let mut found = Vec::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(found),
            (Some(form), Some(segment)) => {
                capture_segment(&decoded(form), decoded(segment), &mut found)?;
            }
            _ => return None,
        }
    }
}

fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// Adds the parameters of a segment, such as `{name}.{ending}`. A parameter ends where the constant after it begins.
fn capture_segment(
    form: &str,
    segment: Cow<'_, str>,
    found: &mut Vec<(String, String)>,
) -> Option<()> {
    let mut pieces = form.split('{');
    let mut rest = segment.strip_prefix(pieces.next()?)?;
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        let (name, constant) = piece.split_once('}')?;
        let length = match constant {
            "" if pieces.peek().is_none() => rest.len(),
            constant if pieces.peek().is_none() => rest.strip_suffix(constant)?.len(),
            constant => rest.find(constant)?,
        };
        if length == 0 {
            return None;
        }
        found.push((name.to_owned(), rest.get(..length)?.to_owned()));
        rest = rest.get(length + constant.len()..)?;
    }
    rest.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn description_has_every_operation() {
        let description: Value = serde_json::from_str(include_str!("operations.json")).unwrap();
        let described = description["operations"].as_array().unwrap().len();
        assert!(described > 0);
        assert_eq!(Operations::of_document().names().count(), described);
    }

    #[tokio::test]
    async fn error_has_the_body_of_the_document() {
        let operation: Operation = serde_json::from_value(serde_json::json!({
            "name": "get_call", "method": "GET", "path": "/v1/call/{id}", "auth": "none", "parameters": [],
            "responses": [
                {"status": "200", "media_type": "application/json", "example": {}},
                {"status": "404", "media_type": "application/json", "example": {"code": "not_found", "message": "text"}},
                {"status": "409", "media_type": "application/problem+json", "example": {"detail": "text", "code": 7}},
                {"status": "403", "media_type": "application/problem+json", "example": {"detail": "text"}},
                {"status": "410", "media_type": "text/plain", "example": "Gone"},
                {"status": "422", "media_type": "application/json", "example": {"detail": [{"msg": "text"}]}},
                {"status": "4XX"},
            ],
        }))
        .unwrap();
        for (status, detail, expected, media_type) in [
            (
                404,
                Value::from("Call not found"),
                r#"{"code":"not_found","message":"text"}"#,
                "application/json",
            ),
            (
                409,
                Value::from("Conflict"),
                r#"{"detail":"Conflict","code":7}"#,
                "application/problem+json",
            ),
            (
                403,
                Value::from("Forbidden"),
                r#"{"detail":"Forbidden"}"#,
                "application/problem+json",
            ),
            (410, Value::from("Lost"), "Gone", "text/plain"),
            (
                422,
                serde_json::json!([]),
                r#"{"detail":[]}"#,
                "application/json",
            ),
            (
                401,
                Value::from("No token"),
                r#"{"detail":"No token"}"#,
                "application/json",
            ),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let response = operation
                .documented(crate::responses::detail(status, detail))
                .await;
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()[CONTENT_TYPE], media_type);
            let body = axum::body::to_bytes(response.into_body(), usize::MAX);
            let body = body.await.unwrap();
            let value = |text: &[u8]| serde_json::from_slice::<Value>(text);
            match value(expected.as_bytes()) {
                Ok(expected) => assert_eq!(value(&body).unwrap(), expected, "{status}"),
                Err(_) => assert_eq!(body, expected, "{status}"),
            }
        }
    }

    #[test]
    fn captures_are_the_parameters_of_paths_of_the_same_form() {
        let captures = |template, path| {
            let found = captures(template, path)?;
            let shown = found.iter().map(|(name, value)| format!("{name}={value}"));
            Some(shown.collect::<Vec<_>>().join(" "))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(captures("/v1/calls", "/v1/calls"), some(""));
        assert_eq!(captures("/v1/call/{id}", "/v1/call/a%20b"), some("id=a b"));
        assert_eq!(captures("/{a}/x/{b}", "/1/x/2"), some("a=1 b=2"));
        assert_eq!(captures("/{a}.{b}", "/1.2.3"), some("a=1 b=2.3"));
        assert_eq!(captures("/v{n}.json", "/v7.json"), some("n=7"));
        for (template, path) in [
            ("/v1/call/{id}", "/v1/call/"),
            ("/v1/call/{id}", "/v1/call/1/"),
            ("/v1/call/{id}", "/v1/call"),
            ("/v1/calls", "/v1/call"),
            ("/v{n}.json", "/v7.xml"),
            ("/{a}.{b}", "/1."),
        ] {
            assert_eq!(captures(template, path), None, "{template} {path}");
        }
    }
}
