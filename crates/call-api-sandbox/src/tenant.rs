//! The calls of one tenant.

use call_api_types::Call;
use uuid::Uuid;

use crate::InvalidCall;
use crate::api::Api;
use crate::call_json::CallJson;
use crate::script::Script;
use crate::store::TenantId;

/// The calls that one tenant sees: see [`Sandbox::tenant`](crate::Sandbox::tenant).
///
/// # Panics
/// The methods panic if the calls are in a database that cannot be read or written.
#[derive(Clone, Copy)]
pub struct Tenant<'a> {
    pub(crate) api: &'a Api,
    pub(crate) id: TenantId,
}

impl Tenant<'_> {
    /// Adds a call: see [`Sandbox::put`](crate::Sandbox::put).
    pub fn put(&self, call: Call) {
        expect_stored(self.api.put(self.id, CallJson::from(&call)));
    }

    /// Adds a call as raw JSON: see [`Sandbox::put_json`](crate::Sandbox::put_json).
    ///
    /// # Errors
    /// Errors if it is not a JSON object with a UUID as its `id`.
    pub fn put_json(&self, json: &str) -> Result<Uuid, InvalidCall> {
        let call = CallJson::parse(json)?;
        let id = call.id;
        expect_stored(self.api.put(self.id, call));
        Ok(id)
    }

    /// Adds a call that follows a script: see [`Sandbox::run`](crate::Sandbox::run).
    pub fn run(&self, call: Call, script: Script) {
        expect_stored(self.api.run(self.id, &call, script));
    }

    /// Removes a call. Returns true if there was one.
    pub fn remove(&self, id: Uuid) -> bool {
        expect_stored(self.api.remove(self.id, id))
    }
}

impl std::fmt::Debug for Tenant<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tenant").finish_non_exhaustive()
    }
}

/// Unwraps a result of the store, which fails only when it is a database.
#[expect(
    clippy::panic,
    reason = "documented: a test can do nothing about a database that fails"
)]
pub(crate) fn expect_stored<T>(result: std::io::Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
