//! Web pages: the live list of calls, and the interactive API reference.

use std::io::Read as _;
use std::sync::{Arc, LazyLock};

use axum::Json;
use axum::Router;
use axum::extract::{FromRequestParts, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use flate2::read::GzDecoder;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode};
use utoipa_swagger_ui::Config;

use crate::api::{Api, Authorized};
use crate::connection::Connection;
use crate::control::Calls;
use crate::origin::{RequestOrigin, is_for_loopback};
use crate::{Sandbox, responses};

/// The API document, that of `spec/openapi.json`.
const DOCUMENT: &str = include_str!("openapi.json");
/// The server URL in the document, replaced by the origin of the request.
const SERVER: &str = "http://localhost:3000";

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");

/// The number of calls on the page.
const LISTED: usize = 100;

/// Pages load nothing from other sites and are not cached: the next sandbox on this port may be a different version.
const HEADERS: [(HeaderName, &str); 2] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
    ),
    (CACHE_CONTROL, "no-store"),
];

pub(crate) fn router() -> Router<Arc<Api>> {
    Router::new()
        .route("/_sandbox/", get(page))
        .route("/_sandbox/page.js", get(script))
        .route("/_sandbox/calls.json", get(calls))
        .route("/_sandbox/docs", get(async || Redirect::temporary("docs/")))
        .route(
            "/_sandbox/docs/",
            get(async |headers: HeaderMap| docs("index.html", &headers)),
        )
        .route("/_sandbox/docs/openapi.json", get(document))
        .route(
            "/_sandbox/docs/{file}",
            get(async |Path(file): Path<String>, headers: HeaderMap| docs(&file, &headers)),
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

async fn page(_: Allowed, State(api): State<Arc<Api>>) -> Response {
    // A configured token is secret; only the public default is put into the page.
    let token = if api.has_default_token {
        Sandbox::DEFAULT_TOKEN
    } else {
        ""
    };
    text("text/html; charset=utf-8", PAGE.replace("{token}", token))
}

async fn script() -> Response {
    text("text/javascript; charset=utf-8", SCRIPT)
}

fn text(kind: &'static str, text: impl IntoResponse) -> Response {
    (HEADERS, [(CONTENT_TYPE, kind)], text).into_response()
}

async fn calls(
    _: Allowed,
    Authorized(tenant): Authorized,
    State(api): State<Arc<Api>>,
    origin: RequestOrigin,
) -> Response {
    match Calls::read(&api, tenant, None, LISTED, &origin.base_url()) {
        Ok(calls) => (HEADERS, Json(calls)).into_response(),
        Err(error) => responses::internal_error(&error),
    }
}

/// Serves a file of Swagger UI: compressed, as the program has it, if the client accepts that.
fn docs(file: &str, headers: &HeaderMap) -> Response {
    static CONFIG: LazyLock<Arc<Config<'static>>> =
        LazyLock::new(|| Arc::new(Config::from("openapi.json")));
    let Ok(Some(file)) = utoipa_swagger_ui::serve(file, Arc::clone(&CONFIG)) else {
        return responses::not_found();
    };
    let kind = [(CONTENT_TYPE, file.content_type)];
    if file.gzpipped && accepts_gzip(headers) {
        let coding = [(CONTENT_ENCODING, "gzip")];
        return (HEADERS, kind, coding, file.bytes.into_owned()).into_response();
    }
    if !file.gzpipped {
        return (HEADERS, kind, file.bytes.into_owned()).into_response();
    }
    let mut bytes = Vec::new();
    match GzDecoder::new(&*file.bytes).read_to_end(&mut bytes) {
        Ok(_) => (HEADERS, kind, bytes).into_response(),
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
