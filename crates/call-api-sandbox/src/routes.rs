//! The operations, and the way of a request to them: as in FastAPI first the path, then the method, then the token,
//! then the parameters.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, OriginalUri, Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use call_api_types::Call;
use chrono::{DateTime, Utc};
use http::header::HOST;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tower_service::Service as _;

#[cfg(feature = "pages")]
use crate::auth::Refused;
use crate::auth::{self, Tokens};
use crate::clock::Time;
use crate::document::Document;
use crate::fault::{self, Faults, Injector};
use crate::log::{self, Log};
use crate::script::{Life, Script};
use crate::server::Connection;
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
pub(crate) struct Service {
    api: Arc<Api>,
    extras: Extras,
    /// What is served beside the document's operation, which is found without a router: its layers took longer than to
    /// read the call.
    others: Router,
}

impl Service {
    pub(crate) fn new(api: Arc<Api>, extras: Extras) -> Self {
        let mut others = Router::new()
            .route("/recordings/{id}/{file}", get(get_recording))
            .fallback(elsewhere);
        if extras.control {
            others = others.nest("/_sandbox", control::router());
        }
        #[cfg(feature = "pages")]
        if extras.pages {
            others = others.merge(crate::pages::router());
        }
        let others = others.with_state(Arc::clone(&api));
        Self {
            api,
            extras,
            others,
        }
    }

    /// Notes the request, and answers it with its path in one spelling.
    pub(crate) async fn answer(&self, mut request: Request) -> Response {
        #[cfg(feature = "tracing")]
        let (begun, method, route) = (
            std::time::Instant::now(),
            request.method().clone(),
            route(request.uri().path()),
        );
        if !self.extras.have(request.uri().path()) {
            self.api.log.push(|| log::Request {
                method: request.method().clone(),
                path: request.uri().path().to_owned(),
                query: request.uri().query().map(str::to_owned),
                headers: auth::redact(request.headers()),
            });
        }
        if let Some(uri) = respell(request.uri()) {
            *request.uri_mut() = uri;
        }
        let answer = match call_in(request.uri().path()) {
            None => {
                // A router is always ready.
                let Ok(answer) = self.others.clone().call(request).await;
                answer
            }
            // FastAPI doesn't answer HEAD either.
            Some(_) if request.method() != Method::GET => answer::method_not_allowed("GET"),
            Some(_) => {
                let connection = request.extensions().get().cloned();
                let answer = async move { get_call(&self.api, request) };
                fault::inject(&self.api, GET_CALL, connection, answer).await
            }
        };
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
}

/// The API for a program that has a server already.
pub(crate) fn router(api: Arc<Api>, extras: Extras) -> Router {
    let service = Arc::new(Service::new(api, extras));
    Router::new().fallback(move |request: Request| {
        let service = Arc::clone(&service);
        async move { service.answer(request).await }
    })
}

/// What a path has in the place of a call's id, if it is a call's.
fn call_in(path: &str) -> Option<&str> {
    path.strip_prefix("/v1/call/")
        .filter(|id| !id.is_empty() && !id.contains('/'))
}

/// `GET /v1/call/{id}`
fn get_call(api: &Api, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let tenant = match auth::judge(&parts.headers, &api.tokens) {
        Ok(tenant) => tenant,
        Err(refused) => return refused.into_response(),
    };
    let id = call_in(parts.uri.path()).unwrap_or_default();
    // Paths that aren't UTF-8 have been mended.
    let id = percent_decode_str(id).decode_utf8_lossy();
    let id = match call_id::parse(&id) {
        Ok(id) => id,
        Err(error) => return answer::no_uuid("id", &id, &error.to_string()),
    };
    match api.store.get(tenant, id) {
        Ok(Some(call)) => {
            let origin = || Place::of(&parts.headers, &parts.uri, &parts.extensions).origin();
            answer::json(StatusCode::OK, call.json(|| api.time.now(), origin))
        }
        Ok(None) => answer::call_not_found(),
        Err(error) => answer::failed(&error),
    }
}

/// `GET /recordings/{id}/{file}`, which the document doesn't have: there it is a URL like any other.
async fn get_recording(
    State(api): State<Arc<Api>>,
    Path((id, file)): Path<(String, String)>,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
) -> Response {
    let connection = connection.map(|Extension(connection)| connection);
    let answer = async { recording::answer(&id, &file, &headers) };
    fault::inject(&api, RECORDING, connection, answer).await
}

/// No operation's path: FastAPI sends those to the operation that have slashes too many at their end.
async fn elsewhere(place: Place) -> Response {
    let path = place.uri.path().trim_end_matches('/');
    if path == place.uri.path() || call_in(path).is_none() {
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
    fn of(headers: &HeaderMap, uri: &Uri, extensions: &Extensions) -> Self {
        let original = extensions.get().map(|OriginalUri(original)| original);
        Self {
            host: headers.get(HOST).cloned(),
            uri: uri.clone(),
            original: original.unwrap_or(uri).clone(),
        }
    }

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

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers, &parts.uri, &parts.extensions))
    }
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
#[cfg(feature = "pages")]
pub(crate) struct Authorized(pub(crate) TenantId);

#[cfg(feature = "pages")]
impl FromRequestParts<Arc<Api>> for Authorized {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Refused> {
        auth::judge(&parts.headers, &api.tokens).map(Self)
    }
}
