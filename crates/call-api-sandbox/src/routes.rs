//! The operations, and the way of a request to them: as in FastAPI first the path, then the method, then the token,
//! then the parameters.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRequestParts, OriginalUri, Path, Request, State};
use axum::handler::Handler;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use call_api_types::Call;
use chrono::{DateTime, Utc};
use http::header::HOST;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use uuid::Uuid;

use crate::auth::{self, Tokens, Verdict};
use crate::clock::Time;
use crate::document::Document;
use crate::fault::{self, Faults, Injector};
use crate::log::{self, Log};
use crate::script::{Life, Script};
use crate::store::{Store, TenantId};
use crate::{answer, call_id, control, recording};

/// What faults can happen to: the document's operations, and what the sandbox serves beside them.
pub(crate) const OPERATIONS: &[&str] = &[GET_CALL, RECORDING];
const GET_CALL: &str = "get_call";
const RECORDING: &str = "recording";

/// What the operations share.
pub(crate) struct Api {
    pub(crate) tokens: Tokens,
    /// Whether there is no token but the one that everybody knows.
    #[cfg_attr(not(feature = "pages"), expect(dead_code, reason = "for a page"))]
    pub(crate) has_default_token: bool,
    /// The tenants by their names.
    pub(crate) tenants: HashMap<String, TenantId>,
    pub(crate) store: Store,
    pub(crate) time: Time,
    pub(crate) faults: Injector,
    pub(crate) log: Log,
    pub(crate) start: Start,
}

/// What a sandbox starts with.
pub(crate) struct Start {
    /// Calls that a new store is given.
    pub(crate) example: (TenantId, Document),
    pub(crate) calls: Vec<(TenantId, Document)>,
    pub(crate) scripted: Vec<(TenantId, Call, Script)>,
    pub(crate) faults: Faults,
}

/// What is served beside the API.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extras {
    pub(crate) control: bool,
    #[cfg(feature = "pages")]
    pub(crate) pages: bool,
}

impl Extras {
    /// Whether the path is one of them, and not the API's.
    fn have(self, path: &str) -> bool {
        #[cfg(feature = "pages")]
        if self.pages && crate::pages::have(path) {
            return true;
        }
        self.control && path.starts_with("/_sandbox/")
    }
}

impl Api {
    /// Takes in what it starts with: the example only where there is nothing yet.
    pub(crate) fn begin(&self, is_new: bool) -> io::Result<()> {
        if is_new {
            let (tenant, example) = self.start.example.clone();
            self.put(tenant, example)?;
        }
        for (tenant, call) in &self.start.calls {
            self.put(*tenant, call.clone())?;
        }
        for (tenant, call, script) in &self.start.scripted {
            self.run(*tenant, call, script.clone())?;
        }
        Ok(())
    }

    /// Makes all as it was at the start.
    pub(crate) fn reset(&self) -> io::Result<()> {
        self.store.clear()?;
        self.begin(true)?;
        // They were set before.
        let _ = self.faults.set(self.start.faults.clone());
        self.log.clear();
        Ok(())
    }

    /// Serves a call from now on.
    pub(crate) fn put(&self, tenant: TenantId, call: Document) -> io::Result<()> {
        self.store.put(tenant, call, None)
    }

    /// Has a call live from now on.
    pub(crate) fn run(&self, tenant: TenantId, call: &Call, script: Script) -> io::Result<()> {
        let begun = self.time.now();
        let life = Life { script, begun };
        self.store.put(tenant, Document::from(call), Some(life))?;
        // Time doesn't go back to before that when the sandbox is started again.
        self.store.set_time(begun)
    }

    /// Moves the time on.
    pub(crate) fn advance(&self, by: Duration) -> io::Result<DateTime<Utc>> {
        let now = self.time.advance(by);
        self.store.set_time(now)?;
        Ok(now)
    }
}

/// The API as a service.
pub(crate) fn router(api: Arc<Api>, extras: Extras) -> Router {
    let mut operations = Router::new()
        .route("/v1/call/{id}", only_get(&api, GET_CALL, get_call))
        .route(
            "/recordings/{id}/{file}",
            get(get_recording).route_layer(middleware::from_fn_with_state(
                (Arc::clone(&api), RECORDING),
                fault::inject,
            )),
        )
        .fallback(elsewhere);
    if extras.control {
        operations = operations.nest("/_sandbox", control::router());
    }
    #[cfg(feature = "pages")]
    if extras.pages {
        operations = operations.merge(crate::pages::router());
    }
    let operations = operations.with_state(Arc::clone(&api));
    // A layer of a router runs once a route is chosen; this one has to run before.
    Router::new()
        .fallback_service(operations)
        .layer(middleware::from_fn_with_state((api, extras), receive))
}

/// `GET /v1/call/{id}`
async fn get_call(
    Authorized(tenant): Authorized,
    CallId(id): CallId,
    State(api): State<Arc<Api>>,
    place: Place,
) -> Response {
    match api.store.get(tenant, id) {
        Ok(Some(call)) => {
            let json = call.json(api.time.now(), || place.origin());
            answer::json(StatusCode::OK, json)
        }
        Ok(None) => answer::call_not_found(),
        Err(error) => answer::failed(&error),
    }
}

/// `GET /recordings/{id}/{file}`, which the document doesn't have: there it is a URL like any other.
async fn get_recording(Path((id, file)): Path<(String, String)>, headers: HeaderMap) -> Response {
    recording::answer(&id, &file, &headers)
}

/// A path with no other operation than this. axum would answer HEAD as well, which FastAPI doesn't.
fn only_get<H, T>(api: &Arc<Api>, operation: &'static str, handler: H) -> MethodRouter<Arc<Api>>
where
    H: Handler<T, Arc<Api>>,
    T: 'static,
{
    let not_allowed = || async { answer::method_not_allowed("GET") };
    get(handler)
        .route_layer(middleware::from_fn_with_state(
            (Arc::clone(api), operation),
            fault::inject,
        ))
        .head(not_allowed)
        .fallback(not_allowed)
}

/// No operation's path: FastAPI sends those to the operation that have slashes too many at their end.
async fn elsewhere(place: Place) -> Response {
    let path = place.uri.path().trim_end_matches('/');
    let is_call = |path: &str| {
        path.strip_prefix("/v1/call/")
            .is_some_and(|id| !id.is_empty() && !id.contains('/'))
    };
    if path == place.uri.path() || !is_call(path) {
        return answer::not_found();
    }
    let query = place.uri.query();
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    match HeaderValue::try_from(format!("{}{path}{query}", place.origin())) {
        Ok(location) => answer::redirect(location),
        Err(_) => answer::not_found(),
    }
}

/// Where a request was sent to.
pub(crate) struct Place {
    host: Option<HeaderValue>,
    pub(crate) uri: Uri,
    /// With what the sandbox is mounted under, if it is, which has been cut off from the other.
    original: Uri,
}

impl Place {
    /// The URL in front of the sandbox's own paths, as the client has it; nothing where it doesn't say its host.
    pub(crate) fn origin(&self) -> String {
        let original = respell(&self.original);
        let path = original.as_ref().unwrap_or(&self.original).path();
        let prefix = path.strip_suffix(self.uri.path()).unwrap_or_default();
        let host = self.host.as_ref().and_then(|host| host.to_str().ok());
        let origin = host.map(|host| format!("http://{host}"));
        format!("{}{prefix}", origin.unwrap_or_default())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Place {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let OriginalUri(original) = OriginalUri::from_request_parts(parts, state).await?;
        Ok(Self {
            host: parts.headers.get(HOST).cloned(),
            uri: parts.uri.clone(),
            original,
        })
    }
}

/// Notes the request, and hands it on with its path in one spelling.
async fn receive(
    State((api, extras)): State<(Arc<Api>, Extras)>,
    mut request: Request,
    next: Next,
) -> Response {
    #[cfg(feature = "tracing")]
    let (begun, method, route) = (
        std::time::Instant::now(),
        request.method().clone(),
        route(request.uri().path()),
    );
    if !extras.have(request.uri().path()) {
        api.log.push(|| log::Request {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().map(str::to_owned),
            headers: auth::redact(request.headers()),
        });
    }
    if let Some(uri) = respell(request.uri()) {
        *request.uri_mut() = uri;
    }
    let answer = next.run(request).await;
    #[cfg(feature = "tracing")]
    tracing::info!(
        %method,
        route,
        status = answer.status().as_u16(),
        milliseconds = begun.elapsed().as_secs_f64() * 1e3,
        "answered"
    );
    answer
}

/// What a request is for, without what identifies a call or a caller. A path that is none of the sandbox's may hold
/// anything, also somebody's number.
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

/// What stays as it is in a path: the characters that Starlette leaves alone in a `Location`, but for those that would
/// end the path or be an escape.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'=')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';');

/// The same place with its path in one spelling, if it has another: uvicorn decodes the whole path before it is routed,
/// so that `%2F` is a slash like any other there, and bytes that aren't UTF-8 are replaced; axum routes it as sent.
fn respell(uri: &Uri) -> Option<Uri> {
    if !uri.path().contains('%') {
        return None;
    }
    let path = percent_decode_str(uri.path()).decode_utf8_lossy();
    let mut spelled = utf8_percent_encode(&path, PATH).to_string();
    if let Some(query) = uri.query() {
        spelled.push('?');
        spelled.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(spelled).ok()?);
    Uri::from_parts(parts).ok()
}

/// Somebody with a tenant's token. The first argument of an operation, so that nothing is read before.
pub(crate) struct Authorized(pub(crate) TenantId);

impl FromRequestParts<Arc<Api>> for Authorized {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Response> {
        match auth::judge(&parts.headers, &api.tokens) {
            Verdict::Accepted(tenant) => Ok(Self(tenant)),
            Verdict::Wrong => Err(answer::wrong_token()),
            Verdict::Missing => Err(answer::not_authenticated()),
        }
    }
}

/// The path's `id`.
struct CallId(Uuid);

impl FromRequestParts<Arc<Api>> for CallId {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Response> {
        // Refused are paths that aren't UTF-8, and no path is handed on that isn't.
        let Ok(Path(id)) = Path::<String>::from_request_parts(parts, api).await else {
            return Err(answer::not_found());
        };
        call_id::parse(&id)
            .map(Self)
            .map_err(|error| answer::no_uuid("id", &id, &error.to_string()))
    }
}
