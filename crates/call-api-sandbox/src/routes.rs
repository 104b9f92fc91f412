//! Routing. As in FastAPI, the path is checked first, then the method, the token, and the parameters.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;
use tower_service::Service as _;

use crate::api::Api;
use crate::connection::Connection;
use crate::fault::{self, GET_CALL, RECORDING};
use crate::origin::{RequestOrigin, normalize_path};
use crate::{auth, call_id, control, log, recording, responses};

/// The routes beside the API that are enabled.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OptionalRoutes {
    pub(crate) control: bool,
    #[cfg(feature = "pages")]
    pub(crate) pages: bool,
}

impl OptionalRoutes {
    /// Returns true if the path belongs to one of these routes.
    fn contains(self, path: &str) -> bool {
        #[cfg(feature = "pages")]
        if self.pages && crate::pages::contains(path) {
            return true;
        }
        self.control && path.starts_with("/_sandbox/")
    }
}

/// The HTTP service of a sandbox.
pub(crate) struct Service {
    api: Arc<Api>,
    optional: OptionalRoutes,
    /// Routes everything but `get_call`, which is matched without a router because routing took longer than reading the
    /// call.
    router: Router,
}

impl Service {
    pub(crate) fn new(api: Arc<Api>, optional: OptionalRoutes) -> Self {
        let mut router = Router::new()
            .route("/recordings/{id}/{file}", get(get_recording))
            .fallback(fallback);
        if optional.control {
            router = router.nest("/_sandbox", control::router());
        }
        #[cfg(feature = "pages")]
        if optional.pages {
            router = router.merge(crate::pages::router());
        }
        let router = router.with_state(Arc::clone(&api));
        Self {
            api,
            optional,
            router,
        }
    }

    /// Logs a request and answers it.
    pub(crate) async fn handle(&self, mut request: Request) -> Response {
        #[cfg(feature = "tracing")]
        let (received_at, method, route) = (
            std::time::Instant::now(),
            request.method().clone(),
            route(request.uri().path()),
        );
        if !self.optional.contains(request.uri().path()) {
            self.api.log.push(|| log::Request {
                method: request.method().clone(),
                path: request.uri().path().to_owned(),
                query: request.uri().query().map(str::to_owned),
                headers: auth::redact(request.headers()),
            });
        }
        if let Some(uri) = normalize_path(request.uri()) {
            *request.uri_mut() = uri;
        }
        let response = match call_segment(request.uri().path()) {
            None => {
                // A router is always ready.
                let Ok(response) = self.router.clone().call(request).await;
                response
            }
            // FastAPI does not answer HEAD either.
            Some(_) if request.method() != Method::GET => responses::method_not_allowed("GET"),
            Some(_) => {
                let connection = request.extensions().get().cloned();
                let response = async move { get_call(&self.api, request) };
                fault::inject(&self.api.faults, GET_CALL, connection, response).await
            }
        };
        #[cfg(feature = "tracing")]
        tracing::info!(
            %method,
            route,
            status = response.status().as_u16(),
            milliseconds = received_at.elapsed().as_secs_f64() * 1e3,
            "answered"
        );
        response
    }
}

/// Returns the service as a router, to be mounted in another server.
pub(crate) fn router(api: Arc<Api>, optional: OptionalRoutes) -> Router {
    let service = Arc::new(Service::new(api, optional));
    Router::new().fallback(move |request: Request| {
        let service = Arc::clone(&service);
        async move { service.handle(request).await }
    })
}

/// Returns the id segment of a call's path.
fn call_segment(path: &str) -> Option<&str> {
    path.strip_prefix("/v1/call/")
        .filter(|id| !id.is_empty() && !id.contains('/'))
}

/// `GET /v1/call/{id}`
fn get_call(api: &Api, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let tenant = match auth::authenticate(&parts.headers, &api.tokens) {
        Ok(tenant) => tenant,
        Err(error) => return error.into_response(),
    };
    let id = call_segment(parts.uri.path()).unwrap_or_default();
    // Valid UTF-8 after `normalize_path`.
    let id = percent_decode_str(id).decode_utf8_lossy();
    let id = match call_id::parse(&id) {
        Ok(id) => id,
        Err(error) => return responses::invalid_uuid("id", &id, &error.to_string()),
    };
    match api.store.get(tenant, id) {
        Ok(Some(call)) => {
            let base_url =
                || RequestOrigin::of(&parts.headers, &parts.uri, &parts.extensions).base_url();
            responses::json(StatusCode::OK, call.json(|| api.time.now(), base_url))
        }
        Ok(None) => responses::call_not_found(),
        Err(error) => responses::internal_error(&error),
    }
}

/// `GET /recordings/{id}/{file}`, which the document does not list: there it is an arbitrary URL.
async fn get_recording(
    State(api): State<Arc<Api>>,
    Path((id, file)): Path<(String, String)>,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
) -> Response {
    let connection = connection.map(|Extension(connection)| connection);
    let response = async { recording::serve(&id, &file, &headers) };
    fault::inject(&api.faults, RECORDING, connection, response).await
}

/// Answers paths without an operation. Like FastAPI, redirects an operation's path with trailing slashes.
async fn fallback(origin: RequestOrigin) -> Response {
    let path = origin.uri.path().trim_end_matches('/');
    if path == origin.uri.path() || call_segment(path).is_none() {
        return responses::not_found();
    }
    let query = origin.uri.query();
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    match HeaderValue::try_from(format!("{}{path}{query}", origin.base_url())) {
        Ok(location) => responses::redirect(location),
        Err(_) => responses::not_found(),
    }
}

/// Returns the route of a path for the log. Ids are left out, and so are unknown paths, which may hold a phone number.
#[cfg(feature = "tracing")]
fn route(path: &str) -> &'static str {
    let first = path.trim_start_matches('/').split('/').next();
    match first {
        Some("v1") if path.starts_with("/v1/call/") => "/v1/call/{id}",
        Some("recordings") => "/recordings/{id}/{file}",
        Some("_sandbox") => "/_sandbox",
        Some("docs") => "/docs",
        Some("healthz") => "/healthz",
        Some("openapi.json") => "/openapi.json",
        Some("calls.json") => "/calls.json",
        _ => "other",
    }
}
