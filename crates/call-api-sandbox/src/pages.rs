//! What there is to look at: the calls as they change, and the API's reference to try out.

use std::sync::{Arc, LazyLock};

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderName, StatusCode};
use utoipa_swagger_ui::Config;

use crate::control::Calls;
use crate::routes::{Api, Authorized, Place};
use crate::{Sandbox, answer};

/// The API's document, the same as `spec/openapi.json`.
const DOCUMENT: &str = include_str!("openapi.json");
/// Its server, in whose place stands the one that was asked.
const SERVER: &str = "http://localhost:3000";

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");

/// The calls on the page.
const LISTED: usize = 100;

/// A page takes nothing from elsewhere, and is not kept: the next sandbox has other ones.
const HEADERS: [(HeaderName, &str); 2] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
    ),
    (CACHE_CONTROL, "no-store"),
];

pub(crate) fn router() -> Router<Arc<Api>> {
    Router::new()
        .route("/", get(page))
        .route("/page.js", get(script))
        .route("/calls.json", get(calls))
        .route("/docs", get(async || Redirect::temporary("docs/")))
        .route("/docs/", get(async || docs("index.html")))
        .route(
            "/docs/{file}",
            get(async |Path(file): Path<String>| docs(&file)),
        )
        .route("/openapi.json", get(document))
        .route("/healthz", get(health))
}

/// Whether the path is one of these.
pub(crate) fn have(path: &str) -> bool {
    matches!(
        path,
        "/" | "/page.js" | "/calls.json" | "/docs" | "/openapi.json" | "/healthz"
    ) || path.starts_with("/docs/")
}

async fn page(State(api): State<Arc<Api>>) -> Response {
    // Only the token that everybody knows is told to everybody.
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
    Authorized(tenant): Authorized,
    State(api): State<Arc<Api>>,
    place: Place,
) -> Response {
    match Calls::read(&api, tenant, None, LISTED, &place.origin()) {
        Ok(calls) => (HEADERS, Json(calls)).into_response(),
        Err(error) => answer::failed(&error),
    }
}

/// A file of Swagger UI's.
fn docs(file: &str) -> Response {
    static CONFIG: LazyLock<Arc<Config<'static>>> =
        LazyLock::new(|| Arc::new(Config::from("../openapi.json")));
    match utoipa_swagger_ui::serve(file, Arc::clone(&CONFIG)) {
        Ok(Some(file)) => (
            HEADERS,
            [(CONTENT_TYPE, file.content_type)],
            file.bytes.into_owned(),
        )
            .into_response(),
        Ok(None) | Err(_) => answer::not_found(),
    }
}

async fn document(place: Place) -> Response {
    let origin = place.origin();
    let server = if origin.is_empty() { SERVER } else { &origin };
    answer::json(StatusCode::OK, DOCUMENT.replace(SERVER, server).into())
}

/// Whether calls can be read.
async fn health(State(api): State<Arc<Api>>) -> Response {
    match api.store.time() {
        Ok(_) => answer::json(
            StatusCode::OK,
            bytes::Bytes::from_static(br#"{"status":"ok"}"#),
        ),
        Err(_) => answer::detail(StatusCode::SERVICE_UNAVAILABLE, "the calls can't be read"),
    }
}
