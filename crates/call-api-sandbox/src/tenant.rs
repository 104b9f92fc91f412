//! Whose calls they are.

use call_api_types::Call;
use uuid::Uuid;

use crate::InvalidCall;
use crate::document::Document;
use crate::routes::Api;
use crate::script::Script;
use crate::store::TenantId;

/// The calls that one tenant sees, and nobody else: see [`Sandbox::tenant`](crate::Sandbox::tenant).
///
/// # Panics
/// Where the calls are kept in a file, and the file can't be written or read.
#[derive(Clone, Copy)]
pub struct Tenant<'a> {
    pub(crate) api: &'a Api,
    pub(crate) id: TenantId,
}

impl Tenant<'_> {
    /// Serves this call from now on: see [`Sandbox::put`](crate::Sandbox::put).
    pub fn put(&self, call: Call) {
        kept(self.api.put(self.id, Document::from(&call)));
    }

    /// Serves this JSON from now on: see [`Sandbox::put_json`](crate::Sandbox::put_json).
    ///
    /// # Errors
    /// Where it is no JSON object with a uuid as its `id`: nobody could ask for it.
    pub fn put_json(&self, json: &str) -> Result<Uuid, InvalidCall> {
        let call = Document::parse(json)?;
        let id = call.id;
        kept(self.api.put(self.id, call));
        Ok(id)
    }

    /// Serves this call from now on as its script has it: see [`Sandbox::run`](crate::Sandbox::run).
    pub fn run(&self, call: Call, script: Script) {
        kept(self.api.run(self.id, &call, script));
    }

    /// Serves the call no more. Returns whether it was served.
    pub fn remove(&self, id: Uuid) -> bool {
        kept(self.api.store.remove(self.id, id))
    }
}

impl std::fmt::Debug for Tenant<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tenant").finish_non_exhaustive()
    }
}

/// What the store did; memory does all.
#[expect(
    clippy::panic,
    reason = "documented: in a test there is nothing better to do about a file that fails"
)]
pub(crate) fn kept<T>(result: std::io::Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
