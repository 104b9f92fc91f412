//! The sandbox's own operations, under `/_sandbox`: what the library does, for programs in other languages and for hands.
//!
//! `control.json` is their OpenAPI document.

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
use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, StatusCode, Uri};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::answer;
use crate::document::Document;
use crate::routes::{Api, Place};
use crate::script::Script;
use crate::server::Connection;
use crate::store::TenantId;
use crate::{DEFAULT_TENANT, Sandbox};

/// Their OpenAPI document.
const DOCUMENT: &str = include_str!("control.json");
/// The calls in a list, where no other number is asked for, and at most.
const LISTED: usize = 100;
const MOST_LISTED: usize = 1_000;
/// The largest body: a call with room to spare.
const LARGEST: usize = 1 << 20;
/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Each path with its operations, as the document has them.
fn operations() -> [(&'static str, MethodRouter<Arc<Api>>); 10] {
    [
        ("/openapi.json", get(document)),
        ("/calls", get(list_calls)),
        ("/calls/{id}", put(put_call)),
        ("/calls/{id}", delete(delete_call)),
        ("/calls/{id}/script", put(run_script)),
        ("/clock", get(get_clock)),
        ("/clock/advance", post(advance_clock)),
        ("/faults", get(get_faults).put(set_faults)),
        ("/requests", get(list_requests)),
        ("/reset", post(reset)),
    ]
}

/// The operations, for this machine only.
pub(crate) fn router() -> Router<Arc<Api>> {
    let router = operations()
        .into_iter()
        .fold(Router::new(), |router, (path, operations)| {
            router.route(path, operations)
        });
    router
        .fallback(async || answer::not_found())
        .layer(middleware::from_fn(guard))
}

/// Lets pass what comes from this machine, and from no page of another site: a browser sends what any page tells it to.
async fn guard(request: Request, next: Next) -> Response {
    let is_local = request
        .extensions()
        .get::<Connection>()
        .is_some_and(|connection| connection.peer.ip().to_canonical().is_loopback());
    let headers = request.headers();
    if !is_local || !is_this_machine(headers) || is_of_another_site(headers) {
        let why = "the control of a sandbox is for programs on its own machine";
        return answer::detail(StatusCode::FORBIDDEN, why);
    }
    next.run(request).await
}

/// Whether the request was sent to this machine by a name that can't be made another's.
fn is_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<http::uri::Authority>().ok());
    host.is_some_and(|host| {
        let name = host.host();
        let address = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost")
            || address
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.to_canonical().is_loopback())
    })
}

fn is_of_another_site(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return false;
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.parse::<Uri>().ok());
    let origin = origin.and_then(|origin| origin.authority().map(ToString::to_string));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    origin.as_deref() != host
}

/// What is answered in place of what was asked for.
enum Refusal {
    /// There is no such thing.
    Missing(&'static str),
    /// What was sent is wrong.
    Wrong(String),
    /// The store failed.
    Failed(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Missing(what) => answer::detail(StatusCode::NOT_FOUND, what),
            Self::Wrong(why) => answer::detail(StatusCode::UNPROCESSABLE_ENTITY, why),
            Self::Failed(error) => {
                answer::detail(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            }
        }
    }
}

type Answer<T = StatusCode> = Result<T, Refusal>;

/// Does what may take a while, and isn't ended half-way.
async fn with<T: Send + 'static>(
    api: Arc<Api>,
    act: impl FnOnce(&Api) -> Answer<T> + Send + 'static,
) -> Answer<T> {
    match tokio::task::spawn_blocking(move || act(&api)).await {
        Ok(answer) => answer,
        Err(error) => Err(io::Error::other(error).into()),
    }
}

/// What is in a request's body.
async fn text(body: Body) -> Answer<Bytes> {
    let body = axum::body::to_bytes(body, LARGEST);
    match tokio::time::timeout(PATIENCE, body).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(Refusal::Wrong(format!(
            "the body breaks off, or is over {LARGEST} bytes"
        ))),
        Err(_) => Err(Refusal::Wrong(format!(
            "the body took longer than {} s",
            PATIENCE.as_secs()
        ))),
    }
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Answer<T> {
    serde_json::from_slice(body).map_err(|error| Refusal::Wrong(error.to_string()))
}

/// Whose call is meant, where it isn't the default one's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    tenant: Option<String>,
}

fn whose(api: &Api, tenant: Option<&str>) -> Answer<TenantId> {
    let name = tenant.unwrap_or(DEFAULT_TENANT);
    api.tenants
        .get(name)
        .copied()
        .ok_or(Refusal::Missing("no token was given for this tenant"))
}

/// The call that a path and its query name.
struct Named {
    tenant: TenantId,
    id: Uuid,
}

impl FromRequestParts<Arc<Api>> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Answer<Self> {
        let Path(id) = Path::<String>::from_request_parts(parts, api)
            .await
            .map_err(|error| Refusal::Wrong(error.body_text()))?;
        let id =
            crate::call_id::parse(&id).map_err(|error| Refusal::Wrong(format!("/id: {error}")))?;
        let Whose { tenant } = query(&parts.uri)?;
        let tenant = whose(api, tenant.as_deref())?;
        Ok(Self { tenant, id })
    }
}

fn query<T: DeserializeOwned>(uri: &Uri) -> Answer<T> {
    match Query::try_from_uri(uri) {
        Ok(Query(query)) => Ok(query),
        Err(error) => Err(Refusal::Wrong(error.body_text())),
    }
}

async fn document() -> Response {
    answer::json(StatusCode::OK, Bytes::from_static(DOCUMENT.as_bytes()))
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
    /// Where the next page begins, if there is one.
    next: Option<i64>,
}

impl Calls {
    /// A page of them, the latest first.
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

async fn list_calls(State(api): State<Arc<Api>>, place: Place) -> Answer<Json<Calls>> {
    let Page {
        tenant,
        before,
        limit,
    } = query(&place.uri)?;
    let limit = limit.unwrap_or(LISTED).clamp(1, MOST_LISTED);
    with(api, move |api| {
        let tenant = whose(api, tenant.as_deref())?;
        Ok(Json(Calls::read(
            api,
            tenant,
            before,
            limit,
            &place.origin(),
        )?))
    })
    .await
}

async fn put_call(State(api): State<Arc<Api>>, named: Named, body: Body) -> Answer {
    let Named { tenant, id } = named;
    let body = text(body).await?;
    let body = str::from_utf8(&body).map_err(|error| Refusal::Wrong(error.to_string()))?;
    let call = Document::parse(body).map_err(|error| Refusal::Wrong(error.to_string()))?;
    if call.id != id {
        return Err(Refusal::Wrong(format!(
            "the call's \"id\" is {}, and the path's {id}",
            call.id
        )));
    }
    with(api, move |api| {
        api.put(tenant, call)?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

async fn delete_call(State(api): State<Arc<Api>>, named: Named) -> Answer {
    with(api, move |api| {
        match api.store.remove(named.tenant, named.id)? {
            true => Ok(StatusCode::NO_CONTENT),
            false => Err(Refusal::Missing("there is no such call")),
        }
    })
    .await
}

async fn run_script(State(api): State<Arc<Api>>, named: Named, body: Body) -> Answer {
    let Named { tenant, id } = named;
    let body = json::<Value>(&text(body).await?)?;
    let script = match body.get("ending") {
        None => serde_json::from_value(body).map_err(|error| Refusal::Wrong(error.to_string()))?,
        Some(ending) => {
            let ending = ending.as_str().unwrap_or_default();
            Script::ending(&ending.into()).ok_or_else(|| {
                Refusal::Wrong(
                    "there is no script with this \"ending\"; give a status that ends a call"
                        .to_owned(),
                )
            })?
        }
    };
    with(api, move |api| {
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

async fn advance_clock(State(api): State<Arc<Api>>, body: Body) -> Answer<Json<Now>> {
    let Advance { by } = json(&text(body).await?)?;
    with(api, move |api| {
        Ok(Json(Now {
            now: api.advance(by)?,
        }))
    })
    .await
}

async fn get_faults(State(api): State<Arc<Api>>) -> Response {
    Json(api.faults.get()).into_response()
}

async fn set_faults(State(api): State<Arc<Api>>, body: Body) -> Answer {
    let faults = json(&text(body).await?)?;
    let set = api.faults.set(faults);
    set.map_err(|error| Refusal::Wrong(error.to_string()))?;
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

async fn reset(State(api): State<Arc<Api>>) -> Answer {
    with(api, |api| {
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
    fn only_the_machine_s_own_names_are_let_in() {
        let headers = |host: &str, origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            headers
        };
        for host in [
            "localhost:3000",
            "LOCALHOST",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:3000",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(is_this_machine(&headers(host, None)), "{host}");
        }
        for host in [
            "example.org",
            "localhost.example.org:3000",
            "10.0.0.1",
            "[::2]",
            "",
            "::1",
        ] {
            assert!(!is_this_machine(&headers(host, None)), "{host}");
        }
        assert!(!is_this_machine(&HeaderMap::new()));
        let other = |origin| is_of_another_site(&headers("localhost:3000", origin));
        assert!(!other(None) && !other(Some("http://localhost:3000")));
        for origin in [
            "http://localhost:3001",
            "https://example.org",
            "null",
            "x y",
        ] {
            assert!(other(Some(origin)), "{origin}");
        }
    }

    #[test]
    fn the_document_s_paths_are_those_that_are_served() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let documented = document["paths"].as_object().unwrap().keys().cloned();
        let served = operations().map(|(path, _)| format!("/_sandbox{path}"));
        assert_eq!(
            documented.collect::<BTreeSet<_>>(),
            served.into_iter().collect()
        );
    }
}
