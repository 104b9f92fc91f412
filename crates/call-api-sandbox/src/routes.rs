//! Routing. As in FastAPI, the path is checked first, then the method, the token, and the parameters.

use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use percent_encoding::percent_decode_str;
use tower_service::Service as _;
use uuid::Uuid;

use crate::api::Api;
use crate::clock::system_time;
use crate::connection::Connection;
use crate::cors::Cors;
use crate::fault::{self, RECORDING, Subject};
use crate::operations::{Auth, Found, Operation, Operations};
use crate::origin::{RequestOrigin, normalize_path};
use crate::store::TenantId;
use crate::{auth, body, call_id, control, log, recording, responses, validation};

/// The operation that is answered from the store.
const GET_CALL: &str = "get_call";

/// The beginning of the paths that are not in the document.
const OWN: &str = "/_sandbox";

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
        let is_enabled = self.control || self.pages;
        #[cfg(not(feature = "pages"))]
        let is_enabled = self.control;
        let own = path.strip_prefix(OWN).filter(|_| is_enabled);
        own.is_some_and(|path| path.starts_with('/') && !path.starts_with("/recordings/"))
    }
}

/// The HTTP service of a sandbox.
pub(crate) struct Service {
    api: Arc<Api>,
    optional: OptionalRoutes,
    /// The path of `get_call`, if the document has it.
    call: Option<CallPath>,
    /// Routes what is not in the document.
    own: Router,
}

/// The path of a call.
struct CallPath {
    prefix: String,
    /// The name of the id at the end.
    parameter: String,
    /// The ends of other paths with this prefix, which are not ids.
    reserved: Vec<String>,
}

impl CallPath {
    fn of(operations: &Operations) -> Option<Self> {
        let operation = operations.named(GET_CALL).filter(|_| operations.are_known);
        let (prefix, parameter) = operation?.prefix()?;
        let others = operations.with_method(&Method::GET);
        let reserved = others.filter_map(|other| other.path().strip_prefix(prefix));
        Some(Self {
            prefix: prefix.to_owned(),
            parameter: parameter.to_owned(),
            reserved: reserved.map(str::to_owned).collect(),
        })
    }

    /// Returns the segment of a path that is the id.
    fn segment<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(self.prefix.as_str())
            .filter(|id| !id.is_empty() && !id.contains('/'))
            .filter(|id| !self.reserved.iter().any(|other| other == id))
    }

    /// Parses a segment. Errors with the response to an invalid id.
    fn id(&self, segment: &str) -> Result<Uuid, Box<Response>> {
        // Valid UTF-8 after `normalize_path`.
        let id = percent_decode_str(segment).decode_utf8_lossy();
        call_id::parse(&id)
            .map_err(|error| Box::new(validation::invalid_id(&self.parameter, &id, &error)))
    }
}

impl Service {
    pub(crate) fn new(api: Arc<Api>, optional: OptionalRoutes) -> Self {
        let mut own = Router::new()
            .route("/_sandbox/recordings/{id}/{file}", get(get_recording))
            .fallback(async || responses::not_found());
        if optional.control {
            own = own.merge(control::router(&api));
        }
        #[cfg(feature = "pages")]
        if optional.pages {
            own = own.merge(crate::pages::router());
        }
        Self {
            optional,
            call: CallPath::of(&api.operations),
            own: own.with_state(Arc::clone(&api)),
            api,
        }
    }

    /// Logs a request and answers it.
    pub(crate) async fn handle(&self, mut request: Request) -> Response {
        #[cfg(feature = "tracing")]
        let (received_at, method, route) = (
            std::time::Instant::now(),
            request.method().clone(),
            self.route(&request),
        );
        let pending = match self.optional.contains(request.uri().path()) {
            true => None,
            false => self.api.log.push(|| self.logged(&request)),
        };
        if let Some(uri) = normalize_path(request.uri()) {
            *request.uri_mut() = uri;
        }
        let origin = self.api.cors.allowed(request.headers());
        let mut response = match origin.as_ref().and_then(|_| Cors::preflight(&request)) {
            Some(response) => response,
            None => self.answer(request).await,
        };
        if let Some(origin) = origin {
            Cors::allow(origin, response.headers_mut());
        }
        if let Some(pending) = pending {
            pending.answered(response.status());
        }
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

    /// Returns what the log keeps of a request.
    fn logged(&self, request: &Request) -> (log::Request, Option<TenantId>) {
        let logged = log::Request {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().map(str::to_owned),
            headers: match self.api.log.has_headers {
                true => auth::redact(request.headers()),
                false => HeaderMap::new(),
            },
            received_at: system_time(),
            status: None,
            duration: None,
        };
        // A single tenant sees all requests, so its tokens need not be hashed once more.
        let tenant = match self.api.tenants.len() {
            1 => None,
            _ => {
                let found = self
                    .api
                    .operations
                    .find(request.method(), request.uri().path());
                let auth = match &found {
                    Found::Operation(operation, _) => &operation.auth,
                    Found::OtherMethod(_) | Found::None => &Auth::Bearer,
                };
                let authorized =
                    auth::authorize(auth, request.headers(), request.uri(), &self.api.tokens);
                authorized.ok().flatten()
            }
        };
        (logged, tenant)
    }

    async fn answer(&self, request: Request) -> Response {
        let path = request.uri().path();
        // Before the search for an operation, which takes longer than reading the call.
        if let Some(call) = &self.call
            && request.method() == Method::GET
            && let Some(segment) = call.segment(path)
        {
            let connection = request.extensions().get().cloned();
            let api = &self.api;
            let id = call.id(segment);
            let subject = Subject {
                operation: GET_CALL,
                id: id.as_ref().ok().copied(),
                tenant: tenant_of(api, &Auth::Bearer, request.headers(), request.uri()),
            };
            let response = async move {
                let response = get_call(api, id, &request);
                match api.operations.named(GET_CALL) {
                    Some(operation) if !response.status().is_success() => {
                        operation.documented(response).await
                    }
                    _ => response,
                }
            };
            return fault::inject(&api.faults, subject, connection, response).await;
        }
        if path.starts_with(OWN) {
            // A router is always ready.
            let Ok(response) = self.own.clone().call(request).await;
            return response;
        }
        match self.api.operations.find(request.method(), path) {
            Found::Operation(operation, captured) => {
                let connection = request.extensions().get().cloned();
                let api = &self.api;
                let subject = Subject {
                    operation: &operation.name,
                    id: subject_id(api, captured.iter().map(|(_, value)| value)),
                    tenant: tenant_of(api, &operation.auth, request.headers(), request.uri()),
                };
                let response = answer_from_document(api, operation, &captured, request);
                fault::inject(&api.faults, subject, connection, response).await
            }
            // FastAPI does not answer HEAD either.
            Found::OtherMethod(operation) => responses::method_not_allowed(operation.allow()),
            Found::None => self.answer_unknown(&request),
        }
    }

    /// Answers a path without an operation. Like FastAPI, redirects an operation's path with trailing slashes. Redirects to
    /// the pages from where a browser would look for them.
    fn answer_unknown(&self, request: &Request) -> Response {
        let (uri, method) = (request.uri(), request.method());
        let path = uri.path().trim_end_matches('/');
        let target = match path {
            #[cfg(feature = "pages")]
            "" | "/docs" if self.optional.pages && method == Method::GET => {
                format!("{OWN}{path}/")
            }
            _ if path == uri.path() => return responses::not_found(),
            _ => match self.api.operations.find(method, path) {
                Found::None => return responses::not_found(),
                _ => path.to_owned(),
            },
        };
        let origin = RequestOrigin::of(request.headers(), uri, request.extensions());
        let query = uri.query().map(|query| format!("?{query}"));
        let query = query.unwrap_or_default();
        match HeaderValue::try_from(format!("{}{target}{query}", origin.base_url())) {
            Ok(location) => responses::redirect(location),
            Err(_) => responses::not_found(),
        }
    }

    /// Returns the route of a request for the log. Ids are left out, and so are unknown paths, which may hold a phone
    /// number.
    #[cfg(feature = "tracing")]
    fn route(&self, request: &Request) -> String {
        let path = request.uri().path();
        if path.starts_with("/_sandbox/recordings/") {
            return "/_sandbox/recordings/{id}/{file}".to_owned();
        }
        if path.starts_with(OWN) {
            return OWN.to_owned();
        }
        match self.api.operations.find(request.method(), path) {
            Found::Operation(operation, _) | Found::OtherMethod(operation) => {
                operation.path.clone()
            }
            Found::None => "other".to_owned(),
        }
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

/// Returns the name of the tenant whose token a request has; `None` if no fault needs it.
fn tenant_of<'a>(api: &'a Api, auth: &Auth, headers: &HeaderMap, uri: &Uri) -> Option<&'a str> {
    if !api.faults.is_active() {
        return None;
    }
    let tenant = auth::authorize(auth, headers, uri, &api.tokens).ok()??;
    let mut tenants = api.tenants.iter();
    let (name, _) = tenants.find(|(_, id)| **id == tenant)?;
    Some(name)
}

/// Returns the first id in decoded segments of a path; `None` if no fault needs it.
fn subject_id<'a>(api: &Api, segments: impl IntoIterator<Item = &'a String>) -> Option<Uuid> {
    let mut segments = segments.into_iter();
    match api.faults.is_active() {
        true => segments.find_map(|segment| call_id::parse(segment).ok()),
        false => None,
    }
}

/// Answers a request for a call from the store; `id` has the response to an invalid id.
fn get_call(api: &Api, id: Result<Uuid, Box<Response>>, request: &Request) -> Response {
    let (headers, uri) = (request.headers(), request.uri());
    let tenant = match auth::authenticate(headers, &api.tokens) {
        Ok(tenant) => tenant,
        Err(error) => return error.into_response(),
    };
    let id = match id {
        Ok(id) => id,
        Err(invalid) => return *invalid,
    };
    match api.store.get(tenant, id) {
        Ok(Some(call)) => {
            let base_url = || RequestOrigin::of(headers, uri, request.extensions()).base_url();
            responses::json(StatusCode::OK, call.json(|| api.time.now(), base_url))
        }
        Ok(None) => responses::call_not_found(),
        Err(error) => responses::internal_error(&error),
    }
}

/// Answers a request that the sandbox knows only by the document: validates it, and returns the example, or an empty later
/// page of a list.
async fn answer_from_document(
    api: &Api,
    operation: &Operation,
    captured: &[(String, String)],
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
    let query = query.map(|Query(pairs)| pairs).unwrap_or_default();
    let refused = match body::read(body).await {
        Err(reason) => responses::detail(StatusCode::PAYLOAD_TOO_LARGE, reason),
        Ok(body) => {
            let (headers, uri) = (&parts.headers, &parts.uri);
            match auth::authorize(&operation.auth, headers, uri, &api.tokens) {
                Err(error) => error.into_response(),
                Ok(_) => match validation::validate(operation, captured, &query, &parts, &body) {
                    Ok(()) => return operation.example(&query),
                    Err(invalid) => responses::unprocessable(&invalid),
                },
            }
        }
    };
    operation.documented(refused).await
}

/// Answers a request for a recording, whose URL is arbitrary in the document.
async fn get_recording(
    State(api): State<Arc<Api>>,
    Path((id, file)): Path<(String, String)>,
    connection: Option<Extension<Connection>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let connection = connection.map(|Extension(connection)| connection);
    let subject = Subject {
        operation: RECORDING,
        id: subject_id(&api, [&id]),
        tenant: tenant_of(&api, &Auth::None, &headers, &uri),
    };
    let response = async { recording::serve(&id, &file, &headers) };
    fault::inject(&api.faults, subject, connection, response).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_of_another_operation_is_not_that_of_a_call() {
        let operation = |name: &str, path: &str| {
            serde_json::json!({
                "name": name, "method": "GET", "path": path, "auth": "none", "parameters": [], "responses": [],
            })
        };
        let description = serde_json::json!({"operations": [
            operation(GET_CALL, "/v1/call/{id}"),
            operation("search", "/v1/call/search"),
        ]});
        let mut operations: Operations = serde_json::from_value(description).unwrap();
        operations.are_known = true;
        let call = CallPath::of(&operations).unwrap();
        assert_eq!(call.segment("/v1/call/7"), Some("7"));
        assert_eq!(call.segment("/v1/call/search"), None);
    }
}
