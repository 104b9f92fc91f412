//! The control API under `/_sandbox`: the methods of `Sandbox` for programs in other languages.
//!
//! `control.json` is its OpenAPI document.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post, put};
use bytes::Bytes;
use call_api_types::Call;
use chrono::{DateTime, Utc};
use http::request::Parts;
use http::{StatusCode, Uri};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::api::Api;
use crate::call_json::CallJson;
use crate::clock::check_time;
use crate::connection::Connection;
use crate::origin::{RequestOrigin, is_for_loopback};
use crate::responses;
use crate::script::Script;
use crate::store::TenantId;
use crate::{DEFAULT_TENANT, Sandbox};
use crate::{auth, body};

/// The OpenAPI document of the control API.
const DOCUMENT: &str = include_str!("control.json");
/// The default and the maximum number of calls in a page.
const DEFAULT_PAGE: usize = 100;
const MAX_PAGE: usize = 1_000;

/// Returns each path with its operations, as in the document.
fn operations() -> [(&'static str, MethodRouter<Arc<Api>>); 11] {
    [
        ("/openapi.json", get(get_document)),
        ("/calls", get(list_calls)),
        ("/calls/{id}", put(put_call)),
        ("/calls/{id}", delete(delete_call)),
        ("/calls/{id}/script", put(run_script)),
        ("/clock", get(get_clock).put(set_clock)),
        ("/clock/advance", post(advance_clock)),
        ("/faults", get(get_faults).put(set_faults)),
        ("/requests", get(list_requests)),
        ("/reset", post(reset)),
        ("/webhooks", get(list_webhooks)),
    ]
}

/// Returns the routes, restricted to clients with the control token, or on this machine if there is none.
pub(crate) fn router(api: &Arc<Api>) -> Router<Arc<Api>> {
    let router = operations()
        .into_iter()
        .fold(Router::new(), |router, (path, operations)| {
            router.route(&format!("/_sandbox{path}"), operations)
        });
    router.layer(middleware::from_fn_with_state(Arc::clone(api), guard))
}

/// Rejects requests without the control token. If there is none, rejects requests from other machines and from web pages of
/// other sites, which a browser would send on their behalf.
async fn guard(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    if let Some(tokens) = &api.control_tokens {
        return match auth::authenticate(request.headers(), tokens) {
            Ok(_) => next.run(request).await,
            Err(error) => error.into_response(),
        };
    }
    let is_local = request
        .extensions()
        .get::<Connection>()
        .is_some_and(|connection| connection.peer.ip().to_canonical().is_loopback());
    if !is_local || !is_for_loopback(request.headers()) {
        let message = "the control API accepts requests from this machine only";
        return responses::detail(StatusCode::FORBIDDEN, message);
    }
    next.run(request).await
}

/// An error of the control API.
enum ControlError {
    /// 404.
    NotFound(&'static str),
    /// 409.
    Conflict(&'static str),
    /// 422.
    Invalid(String),
    /// 500: the store failed.
    Internal(io::Error),
}

impl From<io::Error> for ControlError {
    fn from(error: io::Error) -> Self {
        Self::Internal(error)
    }
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound(what) => responses::detail(StatusCode::NOT_FOUND, what),
            Self::Conflict(why) => responses::detail(StatusCode::CONFLICT, why),
            Self::Invalid(why) => responses::detail(StatusCode::UNPROCESSABLE_ENTITY, why),
            Self::Internal(error) => {
                responses::detail(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            }
        }
    }
}

type ControlResult<T = StatusCode> = Result<T, ControlError>;

/// Runs an action that may block on the store. It completes even when the client disconnects.
async fn blocking<T: Send + 'static>(
    api: Arc<Api>,
    act: impl FnOnce(&Api) -> ControlResult<T> + Send + 'static,
) -> ControlResult<T> {
    match tokio::task::spawn_blocking(move || act(&api)).await {
        Ok(result) => result,
        Err(error) => Err(io::Error::other(error).into()),
    }
}

async fn read_body(body: Body) -> ControlResult<Bytes> {
    body::read(body).await.map_err(ControlError::Invalid)
}

fn json<T: DeserializeOwned>(body: &[u8]) -> ControlResult<T> {
    serde_json::from_slice(body).map_err(|error| ControlError::Invalid(error.to_string()))
}

/// The optional tenant in a query.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantQuery {
    tenant: Option<String>,
}

fn tenant_id(api: &Api, tenant: Option<&str>) -> ControlResult<TenantId> {
    let name = tenant.unwrap_or(DEFAULT_TENANT);
    api.tenants
        .get(name)
        .copied()
        .ok_or(ControlError::NotFound("no such tenant: it has no token"))
}

/// The call that a path and its query identify.
struct CallPath {
    tenant: TenantId,
    id: Uuid,
}

impl FromRequestParts<Arc<Api>> for CallPath {
    type Rejection = ControlError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> ControlResult<Self> {
        let Path(id) = Path::<String>::from_request_parts(parts, api)
            .await
            .map_err(|error| ControlError::Invalid(error.body_text()))?;
        let id = crate::call_id::parse(&id)
            .map_err(|error| ControlError::Invalid(format!("/id: {error}")))?;
        let TenantQuery { tenant } = query(&parts.uri)?;
        let tenant = tenant_id(api, tenant.as_deref())?;
        Ok(Self { tenant, id })
    }
}

fn query<T: DeserializeOwned>(uri: &Uri) -> ControlResult<T> {
    match Query::try_from_uri(uri) {
        Ok(Query(query)) => Ok(query),
        Err(error) => Err(ControlError::Invalid(error.body_text())),
    }
}

async fn get_document() -> Response {
    responses::json(StatusCode::OK, Bytes::from_static(DOCUMENT.as_bytes()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    tenant: Option<String>,
    before: Option<i64>,
    limit: Option<usize>,
}

#[derive(Serialize)]
pub(crate) struct Calls {
    calls: Vec<Box<RawValue>>,
    /// The `before` of the next page; `null` on the last one.
    next: Option<i64>,
}

impl Calls {
    /// Reads a page of a tenant's calls, newest first.
    pub(crate) fn read(
        api: &Api,
        tenant: TenantId,
        before: Option<i64>,
        limit: usize,
        origin: &str,
    ) -> io::Result<Self> {
        let listed = api.store.list(tenant, before, limit)?;
        let last = listed.last().map(|(number, _)| *number);
        let next = last.filter(|_| listed.len() == limit);
        let now = api.time.now();
        let calls = listed.into_iter().map(|(_, call)| {
            let json = call.json(|| now, || origin.to_owned());
            serde_json::from_slice(&json)
        });
        let calls = calls.collect::<Result<_, _>>()?;
        Ok(Self { calls, next })
    }
}

async fn list_calls(
    State(api): State<Arc<Api>>,
    origin: RequestOrigin,
) -> ControlResult<Json<Calls>> {
    let Page {
        tenant,
        before,
        limit,
    } = query(&origin.uri)?;
    let limit = limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        let message = format!("invalid limit {limit}: use a number from 1 to {MAX_PAGE}");
        return Err(ControlError::Invalid(message));
    }
    blocking(api, move |api| {
        let tenant = tenant_id(api, tenant.as_deref())?;
        Ok(Json(Calls::read(
            api,
            tenant,
            before,
            limit,
            &origin.base_url(),
        )?))
    })
    .await
}

async fn put_call(State(api): State<Arc<Api>>, path: CallPath, body: Body) -> ControlResult {
    let CallPath { tenant, id } = path;
    let body = read_body(body).await?;
    let body = str::from_utf8(&body).map_err(|error| ControlError::Invalid(error.to_string()))?;
    let call = CallJson::parse(body).map_err(|error| ControlError::Invalid(error.to_string()))?;
    if call.id != id {
        return Err(ControlError::Invalid(format!(
            "the \"id\" of the call is {}, that of the path is {id}",
            call.id
        )));
    }
    blocking(api, move |api| {
        api.put(tenant, call)?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

async fn delete_call(State(api): State<Arc<Api>>, path: CallPath) -> ControlResult {
    blocking(api, move |api| match api.remove(path.tenant, path.id)? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ControlError::NotFound("no such call")),
    })
    .await
}

async fn run_script(State(api): State<Arc<Api>>, path: CallPath, body: Body) -> ControlResult {
    let CallPath { tenant, id } = path;
    let body = json::<Value>(&read_body(body).await?)?;
    let script = Script::from_json(body).map_err(ControlError::Invalid)?;
    blocking(api, move |api| {
        let call = match api.store.get(tenant, id)? {
            Some(call) => json::<Call>(&call.json)?,
            None => {
                let mut call = Sandbox::example_call();
                call.id = id;
                call
            }
        };
        api.run(tenant, &call, script)?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

#[derive(Serialize)]
struct Now {
    now: DateTime<Utc>,
}

async fn get_clock(State(api): State<Arc<Api>>) -> Json<Now> {
    Json(Now {
        now: api.time.now(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    #[serde(rename = "seconds", with = "crate::seconds")]
    by: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetClock {
    now: DateTime<Utc>,
}

async fn set_clock(State(api): State<Arc<Api>>, body: Body) -> ControlResult<Json<Now>> {
    let SetClock { now } = json(&read_body(body).await?)?;
    let now = check_time(now).map_err(|error| ControlError::Invalid(error.to_string()))?;
    blocking(api, move |api| {
        api.set_time(now)?;
        Ok(Json(Now { now }))
    })
    .await
}

async fn advance_clock(State(api): State<Arc<Api>>, body: Body) -> ControlResult<Json<Now>> {
    let Advance { by } = json(&read_body(body).await?)?;
    blocking(api, move |api| {
        Ok(Json(Now {
            now: api.advance(by)?,
        }))
    })
    .await
}

async fn get_faults(State(api): State<Arc<Api>>) -> Response {
    Json(api.faults.get()).into_response()
}

async fn set_faults(State(api): State<Arc<Api>>, body: Body) -> ControlResult {
    let faults = json(&read_body(body).await?)?;
    let set = api.faults.set(faults);
    set.map_err(|error| ControlError::Invalid(error.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize)]
struct Requests {
    requests: Vec<crate::Request>,
}

async fn list_requests(State(api): State<Arc<Api>>) -> Json<Requests> {
    Json(Requests {
        requests: api.log.requests(),
    })
}

#[cfg(feature = "webhooks")]
#[derive(Serialize)]
struct Deliveries {
    deliveries: Vec<crate::WebhookDelivery>,
}

#[cfg(feature = "webhooks")]
async fn list_webhooks(State(api): State<Arc<Api>>) -> Json<Deliveries> {
    Json(Deliveries {
        deliveries: api.webhook_deliveries(),
    })
}

#[cfg(not(feature = "webhooks"))]
async fn list_webhooks() -> Json<Value> {
    Json(serde_json::json!({"deliveries": []}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResetQuery {
    #[serde(default)]
    database: bool,
}

/// Restores the initial state. A database may hold calls of earlier runs, so deleting them must be requested explicitly.
async fn reset(State(api): State<Arc<Api>>, uri: Uri) -> ControlResult {
    let ResetQuery { database } = query(&uri)?;
    if api.store.is_database() && !database {
        return Err(ControlError::Conflict(
            "the calls are in a database; use ?database=true to delete all of them",
        ));
    }
    blocking(api, |api| {
        api.reset()?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn documented_paths_match_the_routes() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let documented = document["paths"].as_object().unwrap().keys().cloned();
        let served = operations().map(|(path, _)| format!("/_sandbox{path}"));
        assert_eq!(
            documented.collect::<BTreeSet<_>>(),
            served.into_iter().collect()
        );
    }
}
