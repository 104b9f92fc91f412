//! Fetched calls, with the JSON that the service sent.

use std::io;

use call_api::{Call, Error, Response, Uuid};

use crate::error::CliError;

/// A call, and its JSON.
#[derive(Debug)]
pub(crate) struct ReceivedCall {
    pub(crate) call: Call,
    /// `None` if the JSON is that of `call`, without unknown properties.
    json: Option<String>,
}

impl ReceivedCall {
    /// Returns the requested call, or the error. With `typed`, its JSON has the form of the API document; otherwise it is
    /// that of the service.
    pub(crate) fn new(
        id: Uuid,
        result: Result<Response<Call>, Error>,
        typed: bool,
    ) -> Result<Self, CliError> {
        let response = result.map_err(|error| CliError::from(error).for_call(id))?;
        Ok(Self::with_body(response.value, &response.body, typed))
    }

    /// Returns a call with the JSON that the service sent, or with `typed`, that of the API document.
    pub(crate) fn with_body(call: Call, body: &[u8], typed: bool) -> Self {
        let json = (!typed).then(|| String::from_utf8_lossy(body).into_owned());
        Self { call, json }
    }

    /// Returns the JSON of the call.
    pub(crate) fn json(&self) -> io::Result<String> {
        match &self.json {
            Some(json) => Ok(json.clone()),
            None => Ok(serde_json::to_string(&self.call)?),
        }
    }
}

impl From<Call> for ReceivedCall {
    fn from(call: Call) -> Self {
        Self { call, json: None }
    }
}
