//! Web pages: the calls and requests, updated live, and the interactive API reference.

mod data;

use std::io::{self, Read as _};
use std::sync::{Arc, LazyLock};

use axum::Json;
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use call_api_types::{CallStatus, CallType};
use flate2::read::GzDecoder;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_swagger_ui::Config;
use uuid::Uuid;

use crate::api::{Api, Authorized};
use crate::connection::Connection;
use crate::origin::{RequestOrigin, is_for_loopback};
use crate::{Sandbox, responses};
use data::{CallDetail, CallQuery, RequestQuery};

/// The API document, that of `spec/openapi.json`.
const DOCUMENT: &str = include_str!("openapi.json");
/// The server URL in the document, replaced by the origin of the request.
const SERVER: &str = "http://localhost:3000";

const PAGE: &str = include_str!("pages/index.html");
const DOCS: &str = include_str!("pages/docs.html");

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Pages load nothing from other sites and are not cached: the next sandbox on this port may be a different version.
const HEADERS: [(HeaderName, &str); 2] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
    ),
    (CACHE_CONTROL, "no-store"),
];

/// Swagger UI sets styles of elements.
const DOCS_HEADERS: [(HeaderName, &str); 2] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
    ),
    (CACHE_CONTROL, "no-store"),
];

/// The files of Swagger UI that the API reference uses.
const SWAGGER_UI: [&str; 2] = ["swagger-ui.css", "swagger-ui-bundle.js"];

pub(crate) fn router() -> Router<Arc<Api>> {
    let asset = |kind, text| get(async move || file(kind, text));
    Router::new()
        .route("/_sandbox", get(async || Redirect::temporary("_sandbox/")))
        .route("/_sandbox/", get(page))
        .route(
            "/_sandbox/page.js",
            asset(SCRIPT, include_str!("pages/page.js")),
        )
        .route(
            "/_sandbox/page.css",
            asset(CSS, include_str!("pages/page.css")),
        )
        .route("/_sandbox/calls.json", get(calls))
        .route("/_sandbox/call.json", get(call))
        .route("/_sandbox/requests.json", get(requests))
        .route("/_sandbox/docs", get(async || Redirect::temporary("docs/")))
        .route("/_sandbox/docs/", get(docs))
        .route(
            "/_sandbox/docs/docs.js",
            asset(SCRIPT, include_str!("pages/docs.js")),
        )
        .route(
            "/_sandbox/docs/docs.css",
            asset(CSS, include_str!("pages/docs.css")),
        )
        .route("/_sandbox/docs/openapi.json", get(document))
        .route(
            "/_sandbox/docs/{file}",
            get(async |Path(file): Path<String>, headers: HeaderMap| swagger_ui(&file, &headers)),
        )
        .route("/_sandbox/healthz", get(health))
}

/// A request that may see the pages. With the public default token, its host must be loopback: a web site that points its
/// DNS name at this machine must not read the calls.
struct Allowed;

impl FromRequestParts<Arc<Api>> for Allowed {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Response> {
        // A mounted router has no connections; its server decides.
        let is_server = parts.extensions.get::<Connection>().is_some();
        if api.has_default_token && is_server && !is_for_loopback(&parts.headers) {
            let message =
                "with the default token, the pages are for localhost only; set a token of your own";
            return Err(responses::detail(StatusCode::FORBIDDEN, message));
        }
        Ok(Self)
    }
}

/// Returns the token to put into a page. A configured token is secret, so only the public default is.
fn shown_token(api: &Api) -> &'static str {
    match api.has_default_token {
        true => Sandbox::DEFAULT_TOKEN,
        false => "",
    }
}

async fn page(_: Allowed, State(api): State<Arc<Api>>) -> Response {
    let page = PAGE
        .replace("{token}", shown_token(&api))
        .replace(
            "{statuses}",
            &options(CallStatus::KNOWN.iter().map(CallStatus::as_str)),
        )
        .replace(
            "{types}",
            &options(CallType::KNOWN.iter().map(CallType::as_str)),
        );
    file(HTML, page)
}

/// Returns the options of a selection.
fn options<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let option = |value| {
        let value = escape(value);
        format!(
            "<option value=\"{value}\">{}</option>",
            value.replace('_', " ")
        )
    };
    values.map(option).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

fn file(kind: &'static str, text: impl IntoResponse) -> Response {
    (HEADERS, [(CONTENT_TYPE, kind)], text).into_response()
}

/// Runs a read that may block on the store, and returns its result as JSON, or a 404 if there is none.
async fn read<T: Serialize + Send + 'static>(
    read: impl FnOnce() -> io::Result<Option<T>> + Send + 'static,
) -> Response {
    let result = tokio::task::spawn_blocking(read).await;
    match result.map_err(io::Error::other).flatten() {
        Ok(Some(value)) => (HEADERS, Json(value)).into_response(),
        Ok(None) => responses::call_not_found(),
        Err(error) => responses::internal_error(&error),
    }
}

/// A query, or what is wrong with it.
type Parameters<T> = Result<Query<T>, QueryRejection>;

fn invalid(error: &QueryRejection) -> Response {
    responses::detail(StatusCode::UNPROCESSABLE_ENTITY, error.body_text())
}

async fn calls(
    _: Allowed,
    Authorized(tenant): Authorized,
    State(api): State<Arc<Api>>,
    origin: RequestOrigin,
    query: Parameters<CallQuery>,
) -> Response {
    match query {
        Ok(Query(query)) => {
            read(move || query.read(&api, tenant, &origin.base_url()).map(Some)).await
        }
        Err(error) => invalid(&error),
    }
}

#[derive(Deserialize)]
struct CallId {
    id: Uuid,
}

async fn call(
    _: Allowed,
    Authorized(tenant): Authorized,
    State(api): State<Arc<Api>>,
    origin: RequestOrigin,
    query: Parameters<CallId>,
) -> Response {
    match query {
        Ok(Query(CallId { id })) => {
            read(move || CallDetail::read(&api, tenant, id, &origin.base_url())).await
        }
        Err(error) => invalid(&error),
    }
}

async fn requests(
    _: Allowed,
    Authorized(tenant): Authorized,
    State(api): State<Arc<Api>>,
    query: Parameters<RequestQuery>,
) -> Response {
    match query {
        Ok(Query(query)) => (HEADERS, Json(query.read(&api, tenant))).into_response(),
        Err(error) => invalid(&error),
    }
}

async fn docs(State(api): State<Arc<Api>>) -> Response {
    static TITLE: LazyLock<String> = LazyLock::new(|| {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap_or_default();
        escape(document["info"]["title"].as_str().unwrap_or("API"))
    });
    let page = DOCS
        .replace("{title}", &TITLE)
        .replace("{token}", shown_token(&api));
    (DOCS_HEADERS, [(CONTENT_TYPE, HTML)], page).into_response()
}

/// Serves a file of Swagger UI: compressed, as the program has it, if the client accepts that.
fn swagger_ui(name: &str, headers: &HeaderMap) -> Response {
    static CONFIG: LazyLock<Arc<Config<'static>>> =
        LazyLock::new(|| Arc::new(Config::from("openapi.json")));
    if !SWAGGER_UI.contains(&name) {
        return responses::not_found();
    }
    let Ok(Some(file)) = utoipa_swagger_ui::serve(name, Arc::clone(&CONFIG)) else {
        return responses::not_found();
    };
    let kind = [(CONTENT_TYPE, file.content_type)];
    if file.gzpipped && accepts_gzip(headers) {
        let coding = [(CONTENT_ENCODING, "gzip")];
        return (DOCS_HEADERS, kind, coding, file.bytes.into_owned()).into_response();
    }
    if !file.gzpipped {
        return (DOCS_HEADERS, kind, file.bytes.into_owned()).into_response();
    }
    let mut bytes = Vec::new();
    match GzDecoder::new(&*file.bytes).read_to_end(&mut bytes) {
        Ok(_) => (DOCS_HEADERS, kind, bytes).into_response(),
        Err(_) => {
            let message = "the file cannot be decompressed";
            responses::detail(StatusCode::INTERNAL_SERVER_ERROR, message)
        }
    }
}

/// Returns true if the client names gzip. Clients that name nothing, such as curl, do not decompress.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).into_iter();
    let mut codings = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
        name.trim().eq_ignore_ascii_case("gzip") && weight.parse().is_ok_and(|q: f32| q > 0.0)
    })
}

async fn document(origin: RequestOrigin) -> Response {
    let base_url = origin.base_url();
    let server = if base_url.is_empty() {
        SERVER
    } else {
        &base_url
    };
    responses::json(StatusCode::OK, DOCUMENT.replace(SERVER, server).into())
}

/// Health check: 200 if the store can be read.
async fn health(State(api): State<Arc<Api>>) -> Response {
    match api.store.time() {
        Ok(_) => responses::json(
            StatusCode::OK,
            bytes::Bytes::from_static(br#"{"status":"ok"}"#),
        ),
        Err(_) => responses::detail(StatusCode::SERVICE_UNAVAILABLE, "the store cannot be read"),
    }
}
